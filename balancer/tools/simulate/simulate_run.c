/* Running a simulation before people's eyes, and its files: for one policy, and for several. */
#include "balancer/tools/simulate/simulate.h"

#include "balancer/tools/waiting.h"

#include <errno.h>
#include <malloc.h>
#include <string.h>

/* A bar that moves twice a second seems to live. */
enum { REDRAW_MS = 500 };

struct running {
    const struct ek_simulation *simulation;
    const char *name; /* of the policy; NULL: there is one only */
    struct ek_wait_line line;
    int64_t begin_ms;
    int64_t drawn_ms;
    FILE *csv; /* NULL: nobody wants it */
};

/* ---- while it runs ------------------------------------------------------------------------- */

static void show_progress(struct running *running, const struct ek_meter_point *point)
{
    int64_t now_ms = ek_wait_now_ms();
    double part = (double)point->at_ms / (double)running->simulation->duration_ms;
    int64_t took_ms = now_ms - running->begin_ms;
    char left[EK_SPAN_SIZE];

    if (now_ms - running->drawn_ms < REDRAW_MS && part < 1) {
        return;
    }
    running->drawn_ms = now_ms;
    ek_wait_show(&running->line, part, "%s%sday %.1f of %.4g, %.0f %%, about %s left",
                 running->name == NULL ? "" : running->name, running->name == NULL ? "" : ": ",
                 (double)point->at_ms / (double)EK_WORLD_DAY_MS,
                 (double)running->simulation->duration_ms / (double)EK_WORLD_DAY_MS, 100 * part,
                 ek_span((int64_t)((double)took_ms * (1 - part) / part), left));
}

static void write_hosts(const struct running *running, const struct ek_meter *meter,
                        const struct ek_meter_point *point)
{
    for (size_t h = 0; h < meter->host_count; h++) {
        const struct ek_meter_host *host = &meter->hosts[h];
        (void)fprintf(running->csv, "%.3f,%s,%u,%.6g,%.6g,%.8g,%.8g\n", (double)point->at_ms / 1000,
                      running->simulation->hosts[h].name, (unsigned int)host->domains,
                      host->cpu_cores, host->cpu_wanted, host->memory_mib, host->memory_used_mib);
    }
}

static void tick(void *context, const struct ek_meter *meter, const struct ek_meter_point *point)
{
    struct running *running = context;

    show_progress(running, point);
    if (running->csv != NULL) {
        write_hosts(running, meter, point);
    }
}

bool ek_simulate_watched(struct ek_simulation_result *out, const struct ek_simulation *simulation,
                         const struct ek_policy *policy, const char *name, FILE *csv,
                         struct ek_error *err)
{
    struct ek_simulation watched = *simulation;
    struct running running = {.simulation = simulation,
                              .name = name,
                              .line = {.terminal = true, .silent = !ek_terminal_is(stderr)},
                              .begin_ms = ek_wait_now_ms(),
                              .csv = csv};

    /* Each cycle takes and gives back some ten megabytes: kept by the process, they need not be
     * fetched from the kernel page by page each time. */
    (void)mallopt(M_TRIM_THRESHOLD, 1 << 30);
    (void)mallopt(M_MMAP_THRESHOLD, 1 << 30);
    running.line.out = stderr;
    watched.tick = tick;
    watched.context = &running;
    if (csv != NULL) {
        (void)fputs("time_s,host,domains,cpu_cores,cpu_wanted_cores,memory_mib,memory_used_mib\n",
                    csv);
    }
    bool done = ek_simulate(out, &watched, policy, err);
    ek_wait_end_line(&running.line);
    return done;
}

int ek_simulate_show(const struct ek_tool *tool, const struct ek_simulate_run *runs, size_t count,
                     FILE *svg)
{
    if (svg != NULL) {
        ek_simulate_draw(runs, count, svg);
    }
    if (tool->json) {
        return ek_tool_print_json(ek_simulate_write(runs, count));
    }
    return ek_simulate_print(runs, count, stdout) ? EK_EXIT_DONE : EK_EXIT_FAILED;
}

/* ---- files --------------------------------------------------------------------------------- */

/* All that is wrong with the policy is said at once, as a check would. */
bool ek_simulate_policy(struct ek_tool *tool, const char *path, struct ek_policy *policy,
                        struct ek_rules *rules)
{
    struct ek_config_problems problems = {.count = 0};
    struct ek_error err;

    if (path == NULL) {
        ek_policy_defaults(policy);
        return true;
    }
    if (ek_policy_read(policy, rules, path, &problems, &err)) {
        /* Whose local time, of which day? The same options are to give the same result anywhere. */
        if (policy->calendar.timezone == EK_TIMEZONE_LOCAL) {
            (void)ek_tool_complain(
                EK_EXIT_DONE, "warning: %s: in virtual time, timezone: local counts as UTC", path);
        }
        return true;
    }
    for (size_t i = 0; i < problems.count && i < EK_CONFIG_MAX_PROBLEMS; i++) {
        (void)ek_tool_complain(EK_EXIT_USAGE, "%s", problems.items[i].text);
    }
    tool->exit_status =
        problems.count > 0 ? EK_EXIT_USAGE : ek_tool_complain(EK_EXIT_USAGE, "%s", err.message);
    return false;
}

/* Before hours are spent on what could not be written then. NULL path: *file stays NULL. */
bool ek_simulate_open(struct ek_tool *tool, const char *path, FILE **file)
{
    if (path == NULL) {
        return true;
    }
    *file = fopen(path, "we");
    if (*file == NULL) {
        tool->exit_status =
            ek_tool_complain(EK_EXIT_USAGE, "%s: cannot write it: %s", path, strerror(errno));
    }
    return *file != NULL;
}

/* A disk that is full shows when the last bytes are written. */
int ek_simulate_close(const char *path, FILE *file, int status)
{
    if (file == NULL) {
        return status;
    }
    bool failed = ferror(file) != 0;
    failed = fclose(file) != 0 || failed;
    return failed
               ? ek_tool_complain(EK_EXIT_FAILED, "%s: cannot write it: %s", path, strerror(errno))
               : status;
}
