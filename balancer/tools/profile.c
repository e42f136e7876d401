#include "balancer/tools/profile.h"

#include "balancer/codec/writer.h"
#include "balancer/tools/table.h"
#include "balancer/tools/view.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { DAY_HOURS = 24, DAYS = EK_PROFILE_HOURS / DAY_HOURS };

/* What is shown, and under which name it is known. */
struct shown {
    char name[EK_NAME_SIZE];
    struct ek_profile profile;
};

/* ---- whose ----------------------------------------------------------------------------------- */

static bool is_host(const struct ek_tool *tool, const char *name)
{
    bool found = false;

    for (size_t h = 0; h < tool->config.host_count; h++) {
        found = found || strcmp(tool->config.hosts[h].name, name) == 0;
    }
    return found;
}

static bool get(struct ek_tool *tool, enum ek_profile_kind kind, const char *name,
                struct shown *out, bool *there)
{
    struct ek_error err;

    (void)snprintf(out->name, sizeof(out->name), "%s", name);
    if (!ek_store_get_profile(tool->store, kind, name, &out->profile, there, &err)) {
        tool->exit_status = ek_tool_complain(EK_EXIT_FAILED, "%s", err.message);
        return false;
    }
    return true;
}

/* The UUID of a domain that runs; what is no name of one may be the UUID of one that does not. */
static bool find_domain(struct ek_tool *tool, const char *name, char uuid[EK_NAME_SIZE],
                        char known_as[EK_NAME_SIZE], bool *runs)
{
    struct ek_view view;
    bool ambiguous = false;

    if (!ek_view_gather(&view, tool)) {
        return false;
    }
    uint32_t index = ek_snapshot_find_domain(&view.snapshot, name, &ambiguous);
    *runs = index != EK_NONE;
    (void)snprintf(uuid, EK_NAME_SIZE, "%s", *runs ? view.snapshot.domains[index].uuid : name);
    (void)snprintf(known_as, EK_NAME_SIZE, "%s", *runs ? view.snapshot.domains[index].name : name);
    ek_view_finish(&view);
    if (ambiguous) {
        tool->exit_status = ek_tool_complain(
            EK_EXIT_USAGE, "found several domains of the name \"%s\", expected one, or a UUID",
            name);
    }
    return !ambiguous;
}

static bool get_domain(struct ek_tool *tool, const char *name, struct shown *out)
{
    char uuid[EK_NAME_SIZE];
    char known_as[EK_NAME_SIZE];
    bool runs = false;
    bool there = false;

    if (!find_domain(tool, name, uuid, known_as, &runs) ||
        !get(tool, EK_PROFILE_DOMAIN, uuid, out, &there)) {
        return false;
    }
    if (!there && !runs) {
        tool->exit_status = ek_tool_complain(EK_EXIT_USAGE,
                                             "found \"%s\", expected a host of the configuration, "
                                             "the name of a domain that runs, or the UUID of one",
                                             name);
        return false;
    }
    (void)snprintf(out->name, sizeof(out->name), "%s", known_as);
    if (!there) {
        ek_profile_begin(&out->profile, EK_PROFILE_DOMAIN, uuid);
    }
    return true;
}

static bool get_host(struct ek_tool *tool, const char *name, struct shown *out)
{
    bool there = false;

    if (!get(tool, EK_PROFILE_HOST, name, out, &there)) {
        return false;
    }
    if (!there) {
        ek_profile_begin(&out->profile, EK_PROFILE_HOST, name);
    }
    return true;
}

/* ---- as JSON --------------------------------------------------------------------------------- */

/* 168 figures; null: not known. */
static void put_figures(struct ek_json_writer *writer, const char *key,
                        const struct ek_usual *usual, bool high)
{
    ek_json_key(writer, key);
    ek_json_begin(writer, '[');
    for (size_t h = 0; h < EK_PROFILE_HOURS; h++) {
        if (usual[h].weeks == 0) {
            ek_json_raw(writer, "null");
        } else {
            ek_json_number(writer, high ? usual[h].high : usual[h].mean);
        }
    }
    ek_json_end(writer, ']');
    ek_json_break(writer);
}

static void put_weeks(struct ek_json_writer *writer, const char *key, const struct ek_usual *usual)
{
    ek_json_key(writer, key);
    ek_json_begin(writer, '[');
    for (size_t h = 0; h < EK_PROFILE_HOURS; h++) {
        ek_json_integer(writer, usual[h].weeks);
    }
    ek_json_end(writer, ']');
    ek_json_break(writer);
}

static char *write_profile(const struct shown *shown)
{
    const struct ek_profile *profile = &shown->profile;
    struct ek_json_writer writer = {.text = NULL};
    bool host = profile->kind == EK_PROFILE_HOST;

    ek_json_begin(&writer, '{');
    ek_json_put_integer(&writer, "version", 1);
    ek_json_put_text(&writer, "kind", host ? "host" : "domain");
    ek_json_put_text(&writer, "name", shown->name);
    ek_json_put_text(&writer, "uuid", host ? NULL : profile->name);
    ek_json_put_integer(&writer, "percentile", EK_PROFILE_PERCENT);
    if (profile->through_hour > 0) {
        ek_json_put_integer(&writer, "until_ms", (profile->through_hour + 1) * EK_HOUR_MS);
    }
    ek_json_break(&writer);
    put_weeks(&writer, "cpu_weeks", profile->usual[EK_CPU]);
    put_figures(&writer, "cpu_mean_cores", profile->usual[EK_CPU], false);
    put_figures(&writer, "cpu_high_cores", profile->usual[EK_CPU], true);
    put_weeks(&writer, "memory_weeks", profile->usual[EK_MEMORY]);
    put_figures(&writer, "memory_mean_mib", profile->usual[EK_MEMORY], false);
    put_figures(&writer, "memory_high_mib", profile->usual[EK_MEMORY], true);
    ek_json_end(&writer, '}');
    return ek_json_finish(&writer);
}

/* ---- for people ------------------------------------------------------------------------------ */

static double highest_of(const struct ek_usual *usual)
{
    double highest = 0;

    for (size_t h = 0; h < EK_PROFILE_HOURS; h++) {
        highest = fmax(highest, usual[h].high);
    }
    return highest;
}

/* Hours near the week's highest stand out. */
static void add_cell(struct ek_table *table, const struct ek_usual *usual, double unit,
                     double highest)
{
    int decimals = highest / unit < 9.995 ? 2 : highest / unit < 99.95 ? 1 : 0;
    bool near = highest > 0 && usual->high >= 0.9 * highest;

    if (usual->weeks == 0) {
        ek_table_cell(table, EK_COLOUR_FAINT, "-");
        return;
    }
    ek_table_cell(table, near ? EK_COLOUR_STRONG : EK_COLOUR_NONE, "%.*f/%.*f", decimals,
                  usual->mean / unit, decimals, usual->high / unit);
}

/* Hours below each other, days side by side: 80 columns. */
static bool print_week(const struct ek_usual *usual, double unit)
{
    static const struct ek_column columns[] = {
        {"UTC", false}, {"MON", true}, {"TUE", true}, {"WED", true},
        {"THU", true},  {"FRI", true}, {"SAT", true}, {"SUN", true},
    };
    struct ek_table table = EK_TABLE(columns);
    double highest = highest_of(usual);

    for (size_t hour = 0; hour < DAY_HOURS; hour++) {
        ek_table_cell(&table, EK_COLOUR_NONE, "%02zu", hour);
        for (size_t day = 0; day < DAYS; day++) {
            add_cell(&table, &usual[day * DAY_HOURS + hour], unit, highest);
        }
    }
    return ek_table_print(&table, stdout);
}

static bool print_profile(const struct shown *shown)
{
    const struct ek_profile *profile = &shown->profile;
    const time_t until_s = (time_t)((profile->through_hour + 1) * EK_HOUR_MS / 1000);
    struct tm utc;
    char until[EK_SPAN_SIZE] = "";
    bool host = profile->kind == EK_PROFILE_HOST;

    if (ek_profile_known(profile) == 0) {
        (void)printf("no whole hour of %s is known yet\n", shown->name);
        return true;
    }
    if (gmtime_r(&until_s, &utc) != NULL) {
        (void)strftime(until, sizeof(until), "%Y-%m-%d %H:%M", &utc);
    }
    (void)printf("%s %s%s%s%s: %zu of %d hours of the week are known, until %s UTC\n"
                 "Of each hour the mean and the %dth percentile, averaged over the weeks.\n\n"
                 "CPU, cores\n",
                 host ? "host" : "domain", shown->name, host ? "" : " (", host ? "" : profile->name,
                 host ? "" : ")", ek_profile_known(profile), EK_PROFILE_HOURS, until,
                 EK_PROFILE_PERCENT);
    bool done = print_week(profile->usual[EK_CPU], 1);
    (void)puts("\nmemory, GiB");
    return done && print_week(profile->usual[EK_MEMORY], 1024);
}

int ek_tool_show_profile(struct ek_tool *tool, const char *name)
{
    struct shown shown;

    if (is_host(tool, name) ? !get_host(tool, name, &shown) : !get_domain(tool, name, &shown)) {
        return tool->exit_status;
    }
    if (tool->json) {
        return ek_tool_print_json(write_profile(&shown));
    }
    return print_profile(&shown) ? EK_EXIT_DONE : EK_EXIT_FAILED;
}
