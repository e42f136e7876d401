/* Windows and blackouts: from the texts of policy.yaml to the calendar, and back. */
#include "balancer/config/schema.h"

#include <stdio.h>
#include <string.h>

static bool refuse(const struct ek_report *report, int line, const char *what, const char *found,
                   const char *expected)
{
    (void)ek_report_add(report, EK_ERR_INVALID, line, "found %s for %s, expected %s", found, what,
                        expected);
    return false;
}

/* False: it has been reported, also when a text was missing or had no form at all (NULL). */
static bool take_week(struct ek_window *out, const char *days, const char *from, const char *to,
                      const char *what, int line, const struct ek_report *report)
{
    if (days == NULL || from == NULL || to == NULL || !ek_days_parse(days, &out->days)) {
        return false;
    }
    if (!ek_minute_parse(from, &out->from_min) || out->from_min == EK_DAY_MIN ||
        !ek_minute_parse(to, &out->to_min)) {
        (void)ek_report_add(
            report, EK_ERR_INVALID, line,
            "found \"%s\" to \"%s\" for %s, expected times of the day from 00:00 to "
            "24:00, such as 22:00",
            from, to, what);
        return false;
    }
    out->to_min = out->to_min == 0 ? EK_DAY_MIN : out->to_min;
    if (out->from_min == out->to_min) {
        (void)ek_report_add(
            report, EK_ERR_INVALID, line,
            "found a %s from %s to %s, expected two different times; a whole day is "
            "00:00 to 24:00",
            what, from, to);
        return false;
    }
    return true;
}

/* Each minute of the week belongs to one window at most: who writes two over each other has
 * slipped.
 */
static void check_overlap(const struct ek_policy_file *file, const struct ek_report *report)
{
    static const int nobody = 0;
    int lines[EK_WEEK_MIN];

    for (int minute = 0; minute < EK_WEEK_MIN; minute++) {
        lines[minute] = nobody;
    }
    for (size_t i = 0; i < file->policy.calendar.window_count; i++) {
        const struct ek_window *it = &file->policy.calendar.windows[i];
        int length = it->to_min > it->from_min ? it->to_min - it->from_min
                                               : it->to_min + EK_DAY_MIN - it->from_min;
        for (int at = 0; at < EK_DAYS * length; at++) {
            int day = at / length;
            int minute = (day * EK_DAY_MIN + it->from_min + at % length) % EK_WEEK_MIN;
            if ((it->days >> day & 1U) == 0) {
                continue;
            }
            if (lines[minute] != nobody) {
                (void)ek_report_add(report, EK_ERR_INVALID, file->windows[i].line,
                                    "found a window that overlaps the one in line %d, expected "
                                    "windows apart from each other",
                                    lines[minute]);
                return;
            }
            lines[minute] = file->windows[i].line;
        }
    }
}

static void take_windows(struct ek_policy_file *file, const struct ek_report *report)
{
    struct ek_calendar *calendar = &file->policy.calendar;
    bool whole = true;

    for (size_t i = 0; i < file->window_count; i++) {
        const struct ek_window_text *it = &file->windows[i];
        if (i == EK_WINDOWS_MAX) {
            (void)ek_report_add(report, EK_ERR_INVALID, it->line,
                                "found %zu windows, expected at most %d", file->window_count,
                                EK_WINDOWS_MAX);
            return;
        }
        if (take_week(&calendar->windows[i], it->days, it->from, it->to, "window", it->line,
                      report)) {
            calendar->window_count++;
        } else {
            whole = false;
        }
    }
    if (whole) {
        check_overlap(file, report);
    }
}

static bool take_dates(struct ek_blackout *out, const struct ek_blackout_text *it,
                       const struct ek_report *report)
{
    char found[200];

    (void)snprintf(found, sizeof(found), "\"%s\" to \"%s\"", it->from, it->to);
    if (!ek_time_parse(it->from, &out->from_ms) || !ek_time_parse(it->to, &out->to_ms)) {
        return refuse(report, it->line, "a blackout without days", found,
                      "times in UTC, such as 2026-12-24T00:00:00Z");
    }
    return out->from_ms < out->to_ms ||
           refuse(report, it->line, "a blackout", found, "an end after its beginning");
}

static void take_blackouts(struct ek_policy_file *file, const struct ek_report *report)
{
    struct ek_calendar *calendar = &file->policy.calendar;

    for (size_t i = 0; i < file->blackout_count; i++) {
        const struct ek_blackout_text *it = &file->blackouts[i];
        struct ek_blackout out = {.weekly = it->days != NULL, .evacuations = it->evacuations};
        if (i == EK_BLACKOUTS_MAX) {
            (void)ek_report_add(report, EK_ERR_INVALID, it->line,
                                "found %zu blackouts, expected at most %d", file->blackout_count,
                                EK_BLACKOUTS_MAX);
            return;
        }
        if (it->from == NULL || it->to == NULL) {
            continue; /* has been reported */
        }
        if (it->reason != NULL && strlen(it->reason) >= sizeof(out.reason)) {
            (void)ek_report_add(report, EK_ERR_INVALID, it->line,
                                "found a blackout's reason of %zu bytes, expected at most %zu",
                                strlen(it->reason), sizeof(out.reason) - 1);
            continue;
        }
        (void)snprintf(out.reason, sizeof(out.reason), "%s", it->reason == NULL ? "" : it->reason);
        if (out.weekly
                ? take_week(&out.week, it->days, it->from, it->to, "blackout", it->line, report)
                : take_dates(&out, it, report)) {
            calendar->blackouts[calendar->blackout_count++] = out;
        }
    }
}

void ek_policy_take_calendar(struct ek_policy_file *file, const struct ek_report *report)
{
    struct ek_calendar *calendar = &file->policy.calendar;

    *calendar = (struct ek_calendar){.timezone = EK_TIMEZONE_UTC};
    if (file->timezone != NULL) {
        /* Its form was checked with the key. */
        (void)ek_timezone_parse(file->timezone, &calendar->timezone, &calendar->offset_min);
    }
    take_windows(file, report);
    take_blackouts(file, report);
}

/* ---- back ------------------------------------------------------------------------------------ */

static const char *minute_text(int minute, struct ek_arena *arena)
{
    return ek_arena_printf(arena, "%02d:%02d", minute / 60, minute % 60);
}

static const char *days_text(unsigned int days, struct ek_arena *arena)
{
    char text[64];

    ek_days_print(days, text, sizeof(text));
    return ek_arena_strdup(arena, text);
}

static const char *time_text(int64_t time_ms, struct ek_arena *arena)
{
    char text[64];

    ek_time_print(time_ms, text, sizeof(text));
    return ek_arena_strdup(arena, text);
}

static const char *timezone_text(const struct ek_calendar *calendar, struct ek_arena *arena)
{
    int offset = calendar->offset_min;

    if (calendar->timezone != EK_TIMEZONE_OFFSET) {
        return calendar->timezone == EK_TIMEZONE_UTC ? "UTC" : "local";
    }
    return ek_arena_printf(arena, "%c%s", offset < 0 ? '-' : '+',
                           minute_text(offset < 0 ? -offset : offset, arena));
}

static bool give_windows(struct ek_policy_file *file, struct ek_arena *arena)
{
    const struct ek_calendar *calendar = &file->policy.calendar;
    bool ok = true;

    if (calendar->window_count == 0) {
        return true;
    }
    file->windows = ek_arena_alloc(arena, calendar->window_count, sizeof(*file->windows));
    for (size_t i = 0; file->windows != NULL && ok && i < calendar->window_count; i++) {
        const struct ek_window *it = &calendar->windows[i];
        file->windows[file->window_count++] =
            (struct ek_window_text){.days = days_text(it->days, arena),
                                    .from = minute_text(it->from_min, arena),
                                    .to = minute_text(it->to_min, arena)};
        ok = file->windows[i].days != NULL && file->windows[i].from != NULL &&
             file->windows[i].to != NULL;
    }
    return file->windows != NULL && ok;
}

static bool give_blackouts(struct ek_policy_file *file, struct ek_arena *arena)
{
    const struct ek_calendar *calendar = &file->policy.calendar;
    bool ok = true;

    if (calendar->blackout_count == 0) {
        return true;
    }
    file->blackouts = ek_arena_alloc(arena, calendar->blackout_count, sizeof(*file->blackouts));
    for (size_t i = 0; file->blackouts != NULL && ok && i < calendar->blackout_count; i++) {
        const struct ek_blackout *it = &calendar->blackouts[i];
        struct ek_blackout_text text = {.from = it->weekly ? minute_text(it->week.from_min, arena)
                                                           : time_text(it->from_ms, arena),
                                        .to = it->weekly ? minute_text(it->week.to_min, arena)
                                                         : time_text(it->to_ms, arena),
                                        .days = it->weekly ? days_text(it->week.days, arena) : NULL,
                                        .reason = it->reason[0] == '\0' ? NULL : it->reason,
                                        .evacuations = it->evacuations};
        file->blackouts[file->blackout_count++] = text;
        ok = text.from != NULL && text.to != NULL && (!it->weekly || text.days != NULL);
    }
    return file->blackouts != NULL && ok;
}

bool ek_policy_give_calendar(struct ek_policy_file *file, struct ek_arena *arena)
{
    file->timezone = timezone_text(&file->policy.calendar, arena);
    return file->timezone != NULL && give_windows(file, arena) && give_blackouts(file, arena);
}
