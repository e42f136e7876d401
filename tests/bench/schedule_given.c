/* Schedules given moves of given durations: what the planner's search chose is no part of it.
 *
 * Reads lines of words from standard input, in this order:
 *
 *   limits IN OUT CLUSTER               migrations at once
 *   host NAME MEMORY_MIB RATE_MIB_S
 *   domain NAME HOST MEMORY_MIB FULL_S HALF_S
 *   move DOMAIN DESTINATION
 *
 * FULL_S and HALF_S say how long a domain's migration takes at the rate of the fastest host and
 * at half of that. Its resident memory and dirty rate are found from the two by inverting the
 * planner's own cost model, so that the schedule predicts these durations, whatever that model is.
 *
 * Prints "SEQ START_MS DURATION_MS" of each move in the order of the input, then "bound MS" and
 * "took US", the time of the scheduler alone. */
#include "balancer/core/schedule/schedule.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { MOST = 64, WORD = 32, HALVINGS = 60 };

struct input {
    struct ek_policy policy;
    struct ek_host hosts[MOST];
    struct ek_domain domains[MOST];
    struct ek_plan_move moves[MOST];
    char names[2 * MOST][WORD];
    double full_s[MOST];
    double half_s[MOST];
    size_t name_count;
    struct ek_snapshot snapshot;
    struct ek_plan plan;
};

static _Noreturn void fail(const char *what)
{
    (void)fprintf(stderr, "schedule_given: %s\n", what);
    exit(2);
}

static const char *keep(struct input *in, const char *word)
{
    char *name = in->names[in->name_count++];

    (void)snprintf(name, WORD, "%s", word);
    return name;
}

static uint32_t host_of(const struct input *in, const char *name)
{
    uint32_t host = ek_snapshot_find_host(&in->snapshot, name);

    if (host == EK_NONE) {
        fail("unknown host");
    }
    return host;
}

static void take_host(struct input *in, const char *name, double memory_mib, double rate_mib_s)
{
    if (in->snapshot.host_count == MOST) {
        fail("too many hosts");
    }
    in->hosts[in->snapshot.host_count++] = (struct ek_host){.name = keep(in, name),
                                                            .state = EK_HOST_UP,
                                                            .cpu_cores = 64,
                                                            .memory_mib = memory_mib,
                                                            .cpu_used_cores = NAN,
                                                            .memory_used_mib = NAN,
                                                            .migration_mib_s = rate_mib_s};
}

static void take_domain(struct input *in, const char *name, const char *host, double memory_mib,
                        double full_s, double half_s)
{
    size_t index = in->snapshot.domain_count++;

    if (index == MOST) {
        fail("too many domains");
    }
    in->full_s[index] = full_s;
    in->half_s[index] = half_s;
    in->domains[index] = (struct ek_domain){.uuid = keep(in, name),
                                            .host = host_of(in, host),
                                            .vcpus = 1,
                                            .memory_mib = memory_mib,
                                            .cpu_used_cores = NAN,
                                            .cpu_steal = NAN,
                                            .memory_used_mib = NAN,
                                            .memory_rss_mib = NAN,
                                            .movable = true};
    in->domains[index].name = in->domains[index].uuid;
}

static void take_move(struct input *in, const char *name, const char *host)
{
    bool ambiguous = false;
    uint32_t domain = ek_snapshot_find_domain(&in->snapshot, name, &ambiguous);
    size_t index = in->plan.move_count++;

    if (domain == EK_NONE || index == MOST) {
        fail("unknown domain or too many moves");
    }
    in->moves[index] = (struct ek_plan_move){.seq = (uint32_t)index + 1,
                                             .domain = domain,
                                             .source = in->domains[domain].host,
                                             .destination = host_of(in, host),
                                             .kind = EK_MOVE_BALANCE,
                                             .reason = "given"};
}

static void take(struct input *in, const char *line)
{
    struct ek_policy *policy = &in->policy;
    char a[WORD];
    char b[WORD];
    double x = 0;
    double y = 0;
    double z = 0;

    if (sscanf(line, "host %31s %lf %lf", a, &x, &y) == 3) {
        take_host(in, a, x, y);
    } else if (sscanf(line, "domain %31s %31s %lf %lf %lf", a, b, &x, &y, &z) == 5) {
        take_domain(in, a, b, x, y, z);
    } else if (sscanf(line, "move %31s %31s", a, b) == 2) {
        take_move(in, a, b);
    } else if (sscanf(line, "limits %d %d %d", &policy->limit_host_in, &policy->limit_host_out,
                      &policy->limit_cluster) != 3) {
        fail("a line that is no limits, host, domain or move");
    }
}

static double seconds(const struct input *in, const struct ek_domain *domain, double rate_mib_s)
{
    struct ek_cost cost = ek_migration_cost(domain, rate_mib_s, in->policy.max_downtime_ms);

    return (double)cost.duration_ms / 1000;
}

/* The resident memory with which the domain takes that long at that rate. */
static void fit_memory(const struct input *in, struct ek_domain *domain, double rate_mib_s,
                       double wanted_s)
{
    double low = 0;
    double high = domain->memory_mib;

    for (int i = 0; i < HALVINGS; i++) {
        domain->memory_rss_mib = (low + high) / 2;
        if (seconds(in, domain, rate_mib_s) > wanted_s) {
            high = domain->memory_rss_mib;
        } else {
            low = domain->memory_rss_mib;
        }
    }
    domain->memory_rss_mib = low;
}

/* The more it writes, the more it loses by half the rate; memory follows so that the full rate
 * still fits. */
static void fit(const struct input *in, struct ek_domain *domain, double rate_mib_s, double full_s,
                double half_s)
{
    double low = 0;
    double high = rate_mib_s / 2;

    for (int i = 0; i < HALVINGS; i++) {
        domain->dirty_mib_s = (low + high) / 2;
        fit_memory(in, domain, rate_mib_s, full_s);
        if (seconds(in, domain, rate_mib_s / 2) > half_s) {
            high = domain->dirty_mib_s;
        } else {
            low = domain->dirty_mib_s;
        }
    }
    domain->dirty_mib_s = low;
    fit_memory(in, domain, rate_mib_s, full_s);
}

static void prepare(struct input *in)
{
    double fastest = 0;

    for (size_t h = 0; h < in->snapshot.host_count; h++) {
        fastest = fmax(fastest, in->hosts[h].migration_mib_s);
    }
    for (size_t d = 0; d < in->snapshot.domain_count; d++) {
        fit(in, &in->domains[d], fastest, in->full_s[d], in->half_s[d]);
    }
    for (size_t m = 0; m < in->plan.move_count; m++) {
        struct ek_plan_move *move = &in->moves[m];
        double rate =
            ek_migration_rate(&in->snapshot, &in->policy, move->source, move->destination);
        move->cost =
            ek_migration_cost(&in->domains[move->domain], rate, in->policy.max_downtime_ms);
    }
}

static double now_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void print(const struct ek_schedule *schedule)
{
    for (size_t i = 0; i < schedule->slot_count; i++) {
        (void)printf("%u %lld %lld\n", (unsigned int)schedule->plan->moves[i].seq,
                     (long long)schedule->slots[i].start_ms,
                     (long long)schedule->slots[i].duration_ms);
    }
    (void)printf("bound %lld\n", (long long)schedule->lower_bound_ms);
}

int main(void)
{
    static struct input in;
    char line[200];
    struct ek_schedule schedule;
    struct ek_error err;

    ek_policy_defaults(&in.policy);
    in.policy.memory_reserve = 0;
    in.policy.max_downtime_ms = 30;
    in.snapshot.hosts = in.hosts;
    in.snapshot.domains = in.domains;
    in.plan.snapshot = &in.snapshot;
    in.plan.moves = in.moves;
    while (fgets(line, sizeof(line), stdin) != NULL) {
        take(&in, line);
    }
    if (!ek_snapshot_check(&in.snapshot, &err)) {
        fail(err.message);
    }
    prepare(&in);
    double begun_us = now_us();
    if (!ek_schedule_make(&schedule, &in.plan, &in.policy, &err)) {
        fail(err.message);
    }
    double took_us = now_us() - begun_us;
    print(&schedule);
    (void)printf("took %.0f\n", took_us);
    ek_schedule_finish(&schedule);
    return 0;
}
