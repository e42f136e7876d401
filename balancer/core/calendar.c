/* Days, minutes of the week, and whether they lie in what a policy opens or closes. */
#include "balancer/core/calendar.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define MINUTE_MS INT64_C(60000)
#define DAY_MS (EK_DAY_MIN * MINUTE_MS)

/* 1970-01-01 was a Thursday. */
enum { EPOCH_DAY = 3 };

static const char *const day_names[EK_DAYS] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
static const char *const day_titles[EK_DAYS] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};

/* ---- texts ------------------------------------------------------------------------------------
 */

static bool parse_day(const char **text, unsigned int *day)
{
    for (*day = 0; *day < EK_DAYS; (*day)++) {
        if (strncmp(*text, day_names[*day], 3) == 0) {
            *text += 3;
            return true;
        }
    }
    return false;
}

/* A range may go over the end of the week. */
bool ek_days_parse(const char *text, unsigned int *days)
{
    unsigned int first = 0;
    unsigned int last = 0;

    *days = 0;
    if (strcmp(text, "all") == 0) {
        *days = (1U << EK_DAYS) - 1;
        return true;
    }
    for (;;) {
        if (!parse_day(&text, &first)) {
            return false;
        }
        last = first;
        if (*text == '-') {
            text++;
            if (!parse_day(&text, &last)) {
                return false;
            }
        }
        for (unsigned int day = first;; day = (day + 1) % EK_DAYS) {
            *days |= 1U << day;
            if (day == last) {
                break;
            }
        }
        if (*text == '\0') {
            return true;
        }
        if (*text++ != ',') {
            return false;
        }
    }
}

void ek_days_print(unsigned int days, char *out, size_t size)
{
    size_t used = 0;

    if (days == (1U << EK_DAYS) - 1) {
        (void)snprintf(out, size, "all");
        return;
    }
    out[0] = '\0';
    for (unsigned int day = 0; day < EK_DAYS; day++) {
        if ((days >> day & 1U) != 0 && used < size) {
            used += (size_t)snprintf(out + used, size - used, "%s%s", used == 0 ? "" : ",",
                                     day_names[day]);
        }
    }
}

/* So many digits, and nothing else before `*text` stands behind them. */
static bool take_digits(const char **text, int digits, int *number)
{
    *number = 0;
    for (int i = 0; i < digits; i++, (*text)++) {
        if (**text < '0' || **text > '9') {
            return false;
        }
        *number = 10 * *number + (**text - '0');
    }
    return true;
}

static bool take_sign(const char **text, char sign)
{
    return *(*text)++ == sign;
}

bool ek_minute_parse(const char *text, int *minute)
{
    int hours = 0;
    int minutes = 0;

    bool ok = take_digits(&text, 2, &hours) && take_sign(&text, ':') &&
              take_digits(&text, 2, &minutes) && *text == '\0' && minutes < 60 &&
              hours * 60 + minutes <= EK_DAY_MIN;
    *minute = hours * 60 + minutes;
    return ok;
}

bool ek_timezone_parse(const char *text, enum ek_timezone *timezone, int *offset_min)
{
    int minute = 0;

    *offset_min = 0;
    if (strcmp(text, "UTC") == 0 || strcmp(text, "local") == 0) {
        *timezone = text[0] == 'U' ? EK_TIMEZONE_UTC : EK_TIMEZONE_LOCAL;
        return true;
    }
    *timezone = EK_TIMEZONE_OFFSET;
    if ((text[0] != '+' && text[0] != '-') || !ek_minute_parse(text + 1, &minute) ||
        minute > 14 * 60) {
        return false;
    }
    *offset_min = text[0] == '-' ? -minute : minute;
    return true;
}

/* Days from 1970-01-01 to the date, proleptic Gregorian; years count from March, so that the leap
 * day is last. */
static int64_t days_from_epoch(int year, int month, int day)
{
    int shifted = month > 2 ? year : year - 1;
    /* 400 years have exactly 146097 days; 719468 days lie between 0000-03-01 and 1970-01-01. */
    int era = shifted / 400;
    int year_of_era = shifted - era * 400;
    int day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;

    return (int64_t)era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 +
           day_of_year - 719468;
}

/* February 31st must not pass for a day in March. */
static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (month == 2 && leap);
}

bool ek_time_parse(const char *text, int64_t *time_ms)
{
    int year = 0;
    int month = 0;
    int day = 0;
    int hour = 0;
    int minute = 0;
    int second = 0;

    if (!take_digits(&text, 4, &year) || !take_sign(&text, '-') || !take_digits(&text, 2, &month) ||
        !take_sign(&text, '-') || !take_digits(&text, 2, &day) || !take_sign(&text, 'T') ||
        !take_digits(&text, 2, &hour) || !take_sign(&text, ':') ||
        !take_digits(&text, 2, &minute) || !take_sign(&text, ':') ||
        !take_digits(&text, 2, &second)) {
        return false;
    }
    if (*text == '.') {
        size_t digits = strspn(text + 1, "0123456789");
        text += digits > 0 ? digits + 1 : 0; /* fractions are read over */
    }
    /* UTC only: one way to write a time leaves none to misread. */
    if (strcmp(text, "Z") != 0 || year < 1970 || month < 1 || month > 12 || day < 1 ||
        day > days_in_month(year, month) || hour > 23 || minute > 59 || second > 59) {
        return false;
    }
    *time_ms =
        ((days_from_epoch(year, month, day) * 24 + hour) * 3600 + minute * 60 + second) * 1000;
    return true;
}

/* The inverse of days_from_epoch(). */
void ek_time_print(int64_t time_ms, char *out, size_t size)
{
    int64_t seconds = time_ms / 1000;
    int64_t days = seconds / 86400 + 719468;
    int64_t era = days / 146097;
    int day_of_era = (int)(days - era * 146097);
    int year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int shifted_month = (5 * day_of_year + 2) / 153;
    int day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    int month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
    int year = (int)(era * 400) + year_of_era + (month <= 2 ? 1 : 0);
    int second = (int)(seconds % 86400);

    assert(time_ms >= 0);
    (void)snprintf(out, size, "%04d-%02d-%02dT%02d:%02d:%02dZ", year, month, day, second / 3600,
                   second / 60 % 60, second % 60);
}

/* ---- what is open -----------------------------------------------------------------------------
 */

/* Minutes since Monday 00:00 of the week that the time is in. */
static int minute_of_week(int64_t time_ms)
{
    int64_t minutes = time_ms / MINUTE_MS + EPOCH_DAY * EK_DAY_MIN;

    return (int)(minutes % EK_WEEK_MIN);
}

static bool is_in(const struct ek_window *window, int minute)
{
    int length = window->to_min > window->from_min ? window->to_min - window->from_min
                                                   : window->to_min + EK_DAY_MIN - window->from_min;

    assert(length > 0 && length <= EK_DAY_MIN);
    for (int day = 0; day < EK_DAYS; day++) {
        int into = (minute - day * EK_DAY_MIN - window->from_min + 2 * EK_WEEK_MIN) % EK_WEEK_MIN;
        if ((window->days >> day & 1U) != 0 && into < length) {
            return true;
        }
    }
    return false;
}

/* `zone_ms` is the time as the zone's clocks show it; dates are UTC. */
static bool blacks_out(const struct ek_blackout *blackout, int64_t now_ms, int64_t zone_ms)
{
    return blackout->weekly ? is_in(&blackout->week, minute_of_week(zone_ms))
                            : now_ms >= blackout->from_ms && now_ms < blackout->to_ms;
}

static bool is_outside(const struct ek_calendar *calendar, int64_t zone_ms)
{
    bool outside = calendar->window_count > 0;

    for (size_t i = 0; outside && i < calendar->window_count; i++) {
        outside = !is_in(&calendar->windows[i], minute_of_week(zone_ms));
    }
    return outside;
}

static const struct ek_blackout *find_blackout(const struct ek_calendar *calendar, int64_t now_ms,
                                               int64_t zone_ms)
{
    const struct ek_blackout *found = NULL;

    /* One that holds evacuations, too, is what matters most. */
    for (size_t i = 0; i < calendar->blackout_count; i++) {
        const struct ek_blackout *it = &calendar->blackouts[i];
        if (blacks_out(it, now_ms, zone_ms) && (found == NULL || !it->evacuations)) {
            found = it;
        }
    }
    return found;
}

/* The first minute at which the window is open, or the blackout over; within a week there is one,
 * unless it is always closed. */
static int64_t end_of(const struct ek_calendar *calendar, const struct ek_blackout *blackout,
                      int64_t now_ms, int64_t zone_ms)
{
    int64_t begin_ms = zone_ms - zone_ms % MINUTE_MS;

    if (blackout != NULL && !blackout->weekly) {
        return blackout->to_ms + (zone_ms - now_ms);
    }
    for (int minute = 1; minute <= EK_WEEK_MIN; minute++) {
        int64_t then_ms = begin_ms + minute * MINUTE_MS;
        if (blackout != NULL ? !is_in(&blackout->week, minute_of_week(then_ms))
                             : !is_outside(calendar, then_ms)) {
            return then_ms;
        }
    }
    return -1;
}

/* "Mon 22:00 UTC" within a week, else the date. */
static void print_end(const struct ek_calendar *calendar, int64_t end_ms, int64_t zone_ms,
                      char *out, size_t size)
{
    int minute = minute_of_week(end_ms);
    char zone[16] = "";
    char date[40];

    if (calendar->timezone == EK_TIMEZONE_UTC) {
        (void)snprintf(zone, sizeof(zone), " UTC");
    } else if (calendar->timezone == EK_TIMEZONE_OFFSET) {
        int offset = calendar->offset_min < 0 ? -calendar->offset_min : calendar->offset_min;
        (void)snprintf(zone, sizeof(zone), " %c%02d:%02d", calendar->offset_min < 0 ? '-' : '+',
                       offset / 60, offset % 60);
    }
    if (end_ms < 0) {
        (void)snprintf(out, size, "for ever");
    } else if (end_ms - zone_ms < 7 * DAY_MS) {
        (void)snprintf(out, size, "until %s %02d:%02d%s", day_titles[minute / EK_DAY_MIN],
                       minute % EK_DAY_MIN / 60, minute % 60, zone);
    } else {
        ek_time_print(end_ms, date, sizeof(date));
        (void)snprintf(out, size, "until %.10s %.5s%s", date, date + 11, zone);
    }
}

struct ek_closing ek_calendar_at(const struct ek_calendar *calendar, int64_t now_ms,
                                 int local_offset_min)
{
    int offset_min = calendar->timezone == EK_TIMEZONE_LOCAL    ? local_offset_min
                     : calendar->timezone == EK_TIMEZONE_OFFSET ? calendar->offset_min
                                                                : 0;
    int64_t zone_ms = now_ms + offset_min * MINUTE_MS;
    const struct ek_blackout *blackout = find_blackout(calendar, now_ms, zone_ms);
    struct ek_closing out = {.why = ""};
    char end[64];

    if (blackout == NULL && !is_outside(calendar, zone_ms)) {
        return out;
    }
    out.balancing = true;
    out.evacuations = blackout != NULL && !blackout->evacuations;
    print_end(calendar, end_of(calendar, blackout, now_ms, zone_ms), zone_ms, end, sizeof(end));
    (void)snprintf(out.why, sizeof(out.why), "%s %s%s%s",
                   blackout != NULL ? "blackout" : "outside the window", end,
                   blackout != NULL && blackout->reason[0] != '\0' ? ": " : "",
                   blackout != NULL ? blackout->reason : "");
    return out;
}
