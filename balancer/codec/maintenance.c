/* What an operator writes into a maintenance key, and the time format that people write. */
#include "balancer/codec/codec.h"
#include "balancer/codec/json.h"

#include <stdio.h>
#include <string.h>

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

/* sscanf would let February 31st pass, and mktime would make March of it. */
static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (month == 2 && leap);
}

bool ek_codec_read_time(const char *text, int64_t *time_ms)
{
    int field[6];
    /* Checked sign by sign first: sscanf alone takes blanks and signs. */
    static const char pattern[] = "dddd-dd-ddTdd:dd:dd";
    size_t at = 0;

    for (; pattern[at] != '\0'; at++) {
        bool digit = text[at] >= '0' && text[at] <= '9';
        if (pattern[at] == 'd' ? !digit : text[at] != pattern[at]) {
            return false;
        }
    }
    if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d", &field[0], &field[1], &field[2], &field[3],
               &field[4], &field[5]) != 6) {
        return false;
    }
    if (text[at] == '.') {
        size_t digits = strspn(text + at + 1, "0123456789");
        at += digits > 0 ? digits + 1 : 0; /* fractions are read over */
    }
    /* UTC only: one way to write a time leaves none to misread. */
    if (strcmp(text + at, "Z") != 0 || field[0] < 1970 || field[1] < 1 || field[1] > 12 ||
        field[2] < 1 || field[2] > days_in_month(field[0], field[1]) || field[3] > 23 ||
        field[4] > 59 || field[5] > 59) {
        return false;
    }
    *time_ms = ((days_from_epoch(field[0], field[1], field[2]) * 24 + field[3]) * 3600 +
                field[4] * 60 + field[5]) *
               1000;
    return true;
}

bool ek_codec_read_maintenance(const char *text, size_t size, const char *name, char *reason,
                               size_t reason_size, int64_t *deadline_ms, struct ek_error *err)
{
    struct ek_json_reader reader = {.name = name, .err = err};
    cJSON *document EK_JSON_SCOPED = NULL;
    char deadline[40] = "";

    if (!ek_json_check_syntax(text, size, name, err)) {
        return false;
    }
    /* Not ek_json_open(): people write this by hand, without a version. */
    document = cJSON_ParseWithLength(text, size);
    if (document == NULL) {
        return ek_json_no_memory(&reader);
    }
    struct ek_json_node node = {.reader = &reader, .item = document};
    reason[0] = '\0';
    *deadline_ms = 0;
    if (!ek_json_get_chars(&node, "reason", EK_JSON_OPTIONAL, 0, reason, reason_size) ||
        !ek_json_get_chars(&node, "deadline", EK_JSON_OPTIONAL, 0, deadline, sizeof(deadline))) {
        return false;
    }
    return deadline[0] == '\0' || ek_codec_read_time(deadline, deadline_ms) ||
           ek_json_refuse(&node, "deadline", "a time such as 2026-12-01T18:00:00Z");
}
