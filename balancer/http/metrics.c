/* The cluster and this process for Prometheus, in its text format: base units, ratios 0 to 1,
 * counters that begin with this process. docs/http.md lists them. */
#include "balancer/http/internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MIB 1048576.0

static void head(FILE *out, const char *name, const char *type, const char *help)
{
    (void)fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* The text as a label's value may have it. */
static void put_label_value(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\n') {
            (void)fputs("\\n", out);
            continue;
        }
        if (*text == '"' || *text == '\\') {
            (void)fputc('\\', out);
        }
        (void)fputc(*text, out);
    }
}

/* Up to two labels; a name that is NULL ends them. A value that is not known is left out. */
static void put(FILE *out, const char *name, double value, const char *key, const char *label,
                const char *second_key, const char *second)
{
    if (isnan(value)) {
        return;
    }
    (void)fputs(name, out);
    if (key != NULL) {
        (void)fprintf(out, "{%s=\"", key);
        put_label_value(out, label);
        if (second_key != NULL) {
            (void)fprintf(out, "\",%s=\"", second_key);
            put_label_value(out, second);
        }
        (void)fputs("\"}", out);
    }
    (void)fprintf(out, " %.15g\n", value);
}

static void single(FILE *out, const char *name, const char *type, const char *help, double value)
{
    if (!isnan(value)) {
        head(out, name, type, help);
        put(out, name, value, NULL, NULL, NULL, NULL);
    }
}

/* ---- this process -------------------------------------------------------------------------- */

static double resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    unsigned long size = 0;
    unsigned long resident = 0;
    int got = 0;

    if (file != NULL) {
        got = fscanf(file, "%lu %lu", &size, &resident);
        (void)fclose(file);
    }
    return got == 2 ? (double)resident * (double)sysconf(_SC_PAGESIZE) : NAN;
}

static void write_process(FILE *out, const struct ek_http *http)
{
    struct timespec cpu;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    head(out, "evenkeel_build_info", "gauge", "The version of this evenkeeld, as a label.");
    put(out, "evenkeel_build_info", 1, "version", EK_VERSION, NULL, NULL);
    single(out, "process_start_time_seconds", "gauge", "When this evenkeeld began, in Unix time.",
           (double)http->options.started_at_ms / 1000);
    single(out, "process_cpu_seconds_total", "counter", "CPU time that this evenkeeld has used.",
           (double)cpu.tv_sec + (double)cpu.tv_nsec / 1e9);
    single(out, "process_resident_memory_bytes", "gauge", "Resident memory of this evenkeeld.",
           resident_bytes());
}

static void write_counts(FILE *out, struct ek_http *http)
{
    static const char *const hundreds[6] = {NULL, "1xx", "2xx", "3xx", "4xx", "5xx"};

    (void)pthread_mutex_lock(&http->mutex);
    const struct ek_http_counts counts = http->counts;
    (void)pthread_mutex_unlock(&http->mutex);
    head(out, "evenkeel_moves_ended_total", "counter",
         "Moves that this evenkeeld carried out, by the state in which they ended.");
    for (unsigned int s = 0; s < EK_MOVE_STATE_COUNT; s++) {
        if (ek_move_state_terminal((enum ek_move_state)s)) {
            put(out, "evenkeel_moves_ended_total", (double)counts.ended[s], "state",
                ek_move_state_name((enum ek_move_state)s), NULL, NULL);
        }
    }
    single(out, "evenkeel_moves_transferred_bytes_total", "counter",
           "Bytes that those moves copied.", counts.transferred_mib * MIB);
    single(out, "evenkeel_moves_downtime_seconds_total", "counter",
           "Time for which their domains stood still.", counts.downtime_s);
    single(out, "evenkeel_moves_duration_seconds_total", "counter",
           "Time from their first attempts to their ends.", counts.duration_s);
    head(out, "evenkeel_http_responses_total", "counter",
         "Answers of this endpoint, by the hundreds of their status.");
    for (int h = 2; h < 6; h++) {
        put(out, "evenkeel_http_responses_total", (double)counts.answers[h], "code", hundreds[h],
            NULL, NULL);
    }
}

/* ---- the balancer -------------------------------------------------------------------------- */

static void write_balancer(FILE *out, const struct ek_look *look)
{
    const struct ek_balancer_status *it = &look->balancer;

    single(out, "evenkeel_balancer_leading", "gauge", "1 while a balancer leads.",
           look->has_balancer && it->leading);
    if (!look->has_balancer) {
        return;
    }
    head(out, "evenkeel_balancer_info", "gauge", "Mode and policy of the balancer that leads.");
    put(out, "evenkeel_balancer_info", 1, "mode", it->mode, "policy", it->policy);
    single(out, "evenkeel_balancer_heard_timestamp_seconds", "gauge",
           "When the balancer last told how it is, in Unix time.", (double)it->at_ms / 1000);
    single(out, "evenkeel_balancer_epoch", "gauge",
           "Its fencing epoch: rises when another one takes over.", (double)it->epoch);
    single(out, "evenkeel_balancer_cycles_total", "counter", "Cycles since it began.",
           (double)it->cycles);
    single(out, "evenkeel_balancer_holding", "gauge",
           "1 while it starts nothing, since samples or Redis are not to be trusted.",
           it->holding[0] != '\0');
    single(out, "evenkeel_balancer_paused", "gauge", "1 while it waits for `resume`.",
           it->paused[0] != '\0');
    single(out, "evenkeel_balancer_closed", "gauge",
           "1 while windows or blackouts let nothing be balanced.", it->closed[0] != '\0');
    single(out, "evenkeel_moves_offered", "gauge",
           "Moves that are only shown: recommended, or waiting for approval.", (double)it->offered);
    single(out, "evenkeel_circuits_open", "gauge",
           "1 while failures keep it from using some host or link.", it->circuits[0] != '\0');
    single(out, "evenkeel_moves_waiting", "gauge", "Moves of its plan that have not begun.",
           (double)it->waiting);
}

static void write_moves(FILE *out, const struct ek_look *look)
{
    double rate_mib_s = 0;

    for (size_t i = 0; i < look->view.open_count; i++) {
        rate_mib_s += look->view.open[i].rate_mib_s;
    }
    single(out, "evenkeel_moves_running", "gauge", "Moves under way.",
           (double)look->view.open_count);
    single(out, "evenkeel_moves_rate_bytes_per_second", "gauge", "What they copy together.",
           rate_mib_s * MIB);
    single(out, "evenkeel_moves_blocked", "gauge",
           "Domains left alone until `resolve`, since their last move had no clear outcome.",
           (double)look->blocking_count);
}

/* ---- hosts --------------------------------------------------------------------------------- */

static void write_levels(FILE *out, const struct ek_look *look)
{
    const struct ek_resources *resources = &look->evaluation.policy->resources;
    const struct ek_levels *levels = &look->evaluation.levels;
    size_t by_state[EK_HOST_DOWN + 1] = {0};

    for (size_t h = 0; h < look->view.snapshot.host_count; h++) {
        by_state[look->view.snapshot.hosts[h].state]++;
    }
    head(out, "evenkeel_hosts", "gauge", "Hosts of evenkeel.yaml, by state.");
    for (unsigned int s = 0; s <= EK_HOST_DOWN; s++) {
        put(out, "evenkeel_hosts", (double)by_state[s], "state",
            ek_host_state_name((enum ek_host_state)s), NULL, NULL);
    }
    single(out, "evenkeel_domains", "gauge", "Domains that are seen.",
           (double)look->view.snapshot.domain_count);
    head(out, "evenkeel_imbalance_ratio", "gauge",
         "Standard deviation of the hosts' utilization: 0 is level.");
    for (unsigned int r = 0; levels->hottest.host != EK_NONE && r < resources->count; r++) {
        put(out, "evenkeel_imbalance_ratio", levels->imbalance[r], "resource", resources->names[r],
            NULL, NULL);
    }
    single(out, "evenkeel_violations", "gauge",
           "Broken must rules, and resources of hosts above their target_max.", levels->violations);
    single(out, "evenkeel_rules_broken", "gauge", "The broken must rules among them.",
           levels->broken);
    head(out, "evenkeel_target_max_ratio", "gauge",
         "The policy's target_max: a host above it is overloaded.");
    for (unsigned int r = 0; r < resources->count; r++) {
        put(out, "evenkeel_target_max_ratio", look->evaluation.policy->target_max[r], "resource",
            resources->names[r], NULL, NULL);
    }
}

static double up(const struct ek_look *look, size_t h)
{
    return look->view.snapshot.hosts[h].state == EK_HOST_UP;
}

static double sampled(const struct ek_look *look, size_t h)
{
    int64_t at_ms = look->view.snapshot.hosts[h].sampled_at_ms;

    return at_ms == 0 ? NAN : (double)at_ms / 1000;
}

static double cores(const struct ek_look *look, size_t h)
{
    return look->view.snapshot.hosts[h].cpu_cores;
}

static double memory(const struct ek_look *look, size_t h)
{
    return look->view.snapshot.hosts[h].memory_mib * MIB;
}

static double used_cores(const struct ek_look *look, size_t h)
{
    return look->view.snapshot.hosts[h].cpu_used_cores;
}

static double used_memory(const struct ek_look *look, size_t h)
{
    return look->view.snapshot.hosts[h].memory_used_mib * MIB;
}

static double domains(const struct ek_look *look, size_t h)
{
    return look->allocated[h].domains;
}

static double vcpus(const struct ek_look *look, size_t h)
{
    return look->allocated[h].vcpus;
}

static double configured(const struct ek_look *look, size_t h)
{
    return look->allocated[h].memory_mib * MIB;
}

/* `unseen`: also of a host that is down. */
static const struct {
    const char *name;
    const char *help;
    bool unseen;
    double (*of)(const struct ek_look *look, size_t host);
} per_host[] = {
    {"evenkeel_host_up", "1 while a fresh sample of the host is there.", true, up},
    {"evenkeel_host_sampled_timestamp_seconds", "When its newest sample was taken, in Unix time.",
     true, sampled},
    {"evenkeel_host_cpu_cores", "Cores that it has.", false, cores},
    {"evenkeel_host_cpu_used_cores", "Cores that are in use there.", false, used_cores},
    {"evenkeel_host_memory_bytes", "Memory that it has.", false, memory},
    {"evenkeel_host_memory_used_bytes", "Memory that is in use there.", false, used_memory},
    {"evenkeel_host_domains", "Domains on it.", false, domains},
    {"evenkeel_host_allocated_vcpus", "vCPUs that they are configured with.", false, vcpus},
    {"evenkeel_host_allocated_memory_bytes", "Memory that they are configured with.", false,
     configured},
};

static void write_hosts(FILE *out, const struct ek_look *look)
{
    const struct ek_snapshot *snapshot = &look->view.snapshot;
    const struct ek_resources *resources = &look->evaluation.policy->resources;

    for (size_t m = 0; m < sizeof(per_host) / sizeof(per_host[0]); m++) {
        head(out, per_host[m].name, "gauge", per_host[m].help);
        for (size_t h = 0; h < snapshot->host_count; h++) {
            if (per_host[m].unseen || ek_view_seen(&snapshot->hosts[h])) {
                put(out, per_host[m].name, per_host[m].of(look, h), "host", snapshot->hosts[h].name,
                    NULL, NULL);
            }
        }
    }
    head(out, "evenkeel_host_utilization_ratio", "gauge",
         "What its domains want and what it uses itself, over what it has.");
    for (size_t h = 0; h < snapshot->host_count; h++) {
        for (unsigned int r = 0; ek_view_seen(&snapshot->hosts[h]) && r < resources->count; r++) {
            put(out, "evenkeel_host_utilization_ratio",
                look->evaluation.utilization[h * resources->count + r], "host",
                snapshot->hosts[h].name, "resource", resources->names[r]);
        }
    }
}

/* ---- maintenance --------------------------------------------------------------------------- */

static double left(const struct ek_host_maintenance *item)
{
    return ek_maintenance_counted(&item->status) ? (double)item->status.domains_left : (double)NAN;
}

static double eta(const struct ek_host_maintenance *item)
{
    return item->status.eta_ms >= 0 ? (double)item->status.eta_ms / 1000 : NAN;
}

static double blockers(const struct ek_host_maintenance *item)
{
    return (double)item->status.blocker_count;
}

static const struct {
    const char *name;
    const char *help;
    double (*of)(const struct ek_host_maintenance *item);
} per_drain[] = {
    {"evenkeel_maintenance_domains_left", "Domains that are still on it.", left},
    {"evenkeel_maintenance_eta_seconds", "How long emptying it will take from now on.", eta},
    {"evenkeel_maintenance_blockers", "What is in the way.", blockers},
};

static void write_maintenance(FILE *out, const struct ek_look *look)
{
    const struct ek_host_maintenance *items = look->maintenance;
    size_t count = look->view.snapshot.host_count;

    head(out, "evenkeel_maintenance_info", "gauge",
         "Hosts that are to be empty, with how far that is as a label.");
    for (size_t h = 0; h < count; h++) {
        if (items[h].key.wanted) {
            put(out, "evenkeel_maintenance_info", 1, "host", items[h].host, "state",
                items[h].has_status ? ek_maintenance_state_name(items[h].status.state) : "wanted");
        }
    }
    for (size_t m = 0; m < sizeof(per_drain) / sizeof(per_drain[0]); m++) {
        head(out, per_drain[m].name, "gauge", per_drain[m].help);
        for (size_t h = 0; h < count; h++) {
            if (items[h].key.wanted && items[h].has_status) {
                put(out, per_drain[m].name, per_drain[m].of(&items[h]), "host", items[h].host, NULL,
                    NULL);
            }
        }
    }
    head(out, "evenkeel_maintenance_deadline_timestamp_seconds", "gauge",
         "By when it is to be empty, in Unix time.");
    for (size_t h = 0; h < count; h++) {
        if (items[h].key.wanted && items[h].key.deadline_ms != 0) {
            put(out, "evenkeel_maintenance_deadline_timestamp_seconds",
                (double)items[h].key.deadline_ms / 1000, "host", items[h].host, NULL, NULL);
        }
    }
}

/* ---- all of it ----------------------------------------------------------------------------- */

/* With Redis away the rest is told all the same: 200, and a metric that says so. */
struct ek_http_response ek_http_get_metrics(struct ek_http_request *request)
{
    struct ek_http *http = request->http;
    struct ek_error err = {0};
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    if (out == NULL) {
        return ek_http_json(0, NULL);
    }
    write_process(out, http);
    write_counts(out, http);
    const struct ek_look *look = ek_look_take(&http->look, &err);
    single(out, "evenkeel_redis_up", "gauge",
           "1 while Redis answers and what it holds can be read.", look != NULL);
    if (look != NULL) {
        write_balancer(out, look);
        write_moves(out, look);
        write_levels(out, look);
        write_hosts(out, look);
        write_maintenance(out, look);
    }
    ek_look_give(&http->look, look == NULL ? &err : NULL);
    if (fclose(out) != 0) {
        free(text);
        return ek_http_json(0, NULL);
    }
    return (struct ek_http_response){
        .status = MHD_HTTP_OK, .type = "text/plain; version=0.0.4; charset=utf-8", .text = text};
}
