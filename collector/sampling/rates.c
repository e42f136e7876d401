/* From counters to rates, without clock and I/O: the time comes with each reading. NAN is "not
 * known", never 0. */
#include "collector/sampling/rates.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Else uthash would end the process when memory runs out. */
#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(element) (history_lost = true)
#include <uthash.h>

/* Three rules keep spikes out: values are compared only inside one life of a domain (id, state and
 * reason unchanged), only over an interval that is neither too short nor too long, and over the
 * time that passed on the host, whenever its answers came. */

/* Three periods: one lost read is bridged, a host that was away begins anew. A quarter: below that
 * the 10 ms steps of the counters and the jitter of the replies are too large a part. */
enum { LONGEST_PERIODS = 3, SHORTEST_PART = 4 };

#define NS_PER_S 1e9
#define NS_PER_MS INT64_C(1000000)
#define US_PER_S 1e6
#define BYTES_PER_MIB (1024.0 * 1024.0)
#define KIB_PER_MIB 1024.0

/* The uuid is at the end because uthash keeps a pointer to its key: it must live as long as the
 * entry, and needs no piece of its own. */
struct ek_domain_history {
    int id;
    int state_reason;
    struct ek_rate cpu;
    struct ek_rate haltpoll;
    struct ek_rate delay;
    struct ek_rate net_rx;
    struct ek_rate net_tx;
    struct ek_rate disk_read;
    struct ek_rate disk_write;
    struct ek_rate swap_in;
    struct ek_pressure_rates pressure;
    uint64_t guest_memory_stamp;
    int64_t guest_memory_at_ns; /* when the stamp was seen to change */
    bool guest_memory_changed;  /* ever seen to change */
    int64_t seen_at_ns;
    UT_hash_handle hh;
    char uuid[];
};

/* Fields that come with each 4th read only have intervals four times as long. */
static struct ek_rate_limits limits_of(const struct ek_rates *rates, int64_t every_reads)
{
    return (struct ek_rate_limits){.shortest_ns = rates->period_ns / SHORTEST_PART,
                                   .longest_ns = LONGEST_PERIODS * every_reads * rates->period_ns};
}

double ek_rate_update(struct ek_rate *rate, struct ek_counter counter, int64_t now_ns,
                      const struct ek_rate_limits *limits)
{
    int64_t elapsed_ns = now_ns - rate->at_ns;
    bool comparable = rate->seen && elapsed_ns > 0 && elapsed_ns <= limits->longest_ns;

    /* NOWAIT leaves fields out while a domain is in a job; a tick without them is no reset. */
    if (!counter.known) {
        return comparable ? rate->per_second : NAN;
    }
    /* A counter that fell was reset, and one of other parts is another: the next interval begins
     * here. */
    comparable = comparable && counter.value >= rate->value && counter.parts == rate->parts;
    if (comparable && elapsed_ns < limits->shortest_ns) {
        return rate->per_second;
    }
    /* NAN travels through the division: a first sight gives no rate, but leaves the counter to
     * compare with. */
    double change = comparable ? (double)(counter.value - rate->value) : NAN;
    *rate = (struct ek_rate){.value = counter.value,
                             .parts = counter.parts,
                             .at_ns = now_ns,
                             .per_second = change / ((double)elapsed_ns / NS_PER_S),
                             .seen = true};
    return rate->per_second;
}

void ek_rates_init(struct ek_rates *rates, int64_t period_ms)
{
    *rates = (struct ek_rates){.period_ns = period_ms * NS_PER_MS, .cpu_used = NAN};
}

static struct ek_domain_history *history_create(struct ek_rates *rates, const char *uuid)
{
    size_t length = strlen(uuid);
    struct ek_domain_history *history = calloc(1, sizeof(*history) + length + 1);
    bool history_lost = false;

    if (history == NULL) {
        return NULL;
    }
    memcpy(history->uuid, uuid, length + 1);
    HASH_ADD_KEYPTR(hh, rates->domains, history->uuid, length, history);
    if (history_lost) {
        free(history);
        return NULL;
    }
    return history;
}

/* The domain's past, empty when it is new or when nothing of it can be compared any more. */
static struct ek_domain_history *history_of(struct ek_rates *rates,
                                            const struct ek_domain_reading *domain)
{
    struct ek_domain_history *history = NULL;

    HASH_FIND_STR(rates->domains, domain->uuid, history);
    if (history == NULL) {
        history = history_create(rates, domain->uuid);
    } else if (history->id != domain->id || history->state_reason != domain->state_reason) {
        /* A migrated domain's counters begin at zero, and after a pause or a restart an interval
         * would mix two lives. The stamp of the guest's memory stands: it shows by itself when it
         * changes. */
        struct ek_rate *const rates_of_life[] = {
            &history->cpu,    &history->haltpoll,  &history->delay,      &history->net_rx,
            &history->net_tx, &history->disk_read, &history->disk_write, &history->swap_in};
        for (size_t i = 0; i < sizeof(rates_of_life) / sizeof(rates_of_life[0]); i++) {
            rates_of_life[i]->seen = false;
        }
        history->pressure = (struct ek_pressure_rates){.cpu_some = {.seen = false}};
    }
    if (history != NULL) {
        history->id = domain->id;
        history->state_reason = domain->state_reason;
    }
    return history;
}

/* Freshness by our own clock: the stamp is of the hypervisor's clock, which may be wrong. */
static bool guest_memory_is_fresh(const struct ek_rates *rates, struct ek_domain_history *history,
                                  const struct ek_domain_reading *domain, int64_t now_ns)
{
    /* QEMU asks the guest in its own period: a stamp that stands still for less is no sign of a
     * dead driver. */
    double period_ns = fmax((double)rates->period_ns, domain->facts.balloon_period_s * NS_PER_S);

    if (domain->guest_memory_stamp != 0 &&
        domain->guest_memory_stamp != history->guest_memory_stamp) {
        /* At first sight an old report looks like a new one: only a change tells. */
        history->guest_memory_changed = history->guest_memory_stamp != 0;
        history->guest_memory_stamp = domain->guest_memory_stamp;
        history->guest_memory_at_ns = now_ns;
    }
    return history->guest_memory_changed &&
           (double)(now_ns - history->guest_memory_at_ns) <= LONGEST_PERIODS * period_ns;
}

/* What goes through its cards and disks, and what it swaps in. Its QEMU may still move something
 * for a guest that does not run: that is none of its load. */
static void flows_of(struct ek_domain_rates *out, struct ek_domain_history *history,
                     const struct ek_domain_reading *domain, int64_t now_ns,
                     const struct ek_rate_limits *seldom, const struct ek_rate_limits *each)
{
    const struct {
        struct ek_rate *rate;
        struct ek_counter counter;
        const struct ek_rate_limits *limits;
        double per_mib;
        double *out;
    } flows[] = {
        {&history->net_rx, domain->net_rx_bytes, seldom, BYTES_PER_MIB, &out->net_rx_mib_s},
        {&history->net_tx, domain->net_tx_bytes, seldom, BYTES_PER_MIB, &out->net_tx_mib_s},
        {&history->disk_read, domain->disk_read_bytes, seldom, BYTES_PER_MIB,
         &out->disk_read_mib_s},
        {&history->disk_write, domain->disk_write_bytes, seldom, BYTES_PER_MIB,
         &out->disk_write_mib_s},
        {&history->swap_in, domain->swap_in_kib, each, KIB_PER_MIB, &out->swap_in_mib_s},
    };

    for (size_t i = 0; i < sizeof(flows) / sizeof(flows[0]); i++) {
        double rate = ek_rate_update(flows[i].rate, flows[i].counter, now_ns, flows[i].limits);
        *flows[i].out = domain->running ? rate / flows[i].per_mib : 0.0;
    }
    /* A driver that died leaves its last figure for good: it would be a guest that never swaps. */
    out->swap_in_mib_s = out->guest_memory_fresh ? out->swap_in_mib_s : NAN;
}

/* A waiting microsecond per microsecond is 1; a late reply may show a little more. */
static struct ek_pressure pressure_of(struct ek_pressure_rates *rates,
                                      const struct ek_pressure_counters *counters, int64_t now_ns,
                                      const struct ek_rate_limits *limits)
{
    struct ek_pressure out = {.given = false};
    const struct {
        struct ek_rate *rate;
        struct ek_counter counter;
        double *out;
    } parts[] = {{&rates->cpu_some, counters->cpu_some_us, &out.cpu_some},
                 {&rates->memory_some, counters->memory_some_us, &out.memory_some},
                 {&rates->memory_full, counters->memory_full_us, &out.memory_full},
                 {&rates->io_some, counters->io_some_us, &out.io_some},
                 {&rates->io_full, counters->io_full_us, &out.io_full}};

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        double waited = ek_rate_update(parts[i].rate, parts[i].counter, now_ns, limits) / US_PER_S;
        *parts[i].out = isnan(waited) ? NAN : fmin(waited, 1.0);
        out.given = out.given || !isnan(waited);
    }
    return out;
}

struct ek_pressure ek_rates_pressure(struct ek_rates *rates, const struct ek_reading *reading)
{
    struct ek_rate_limits each = limits_of(rates, 1);
    int64_t now_ns = ek_host_time_advance(&rates->time, reading);

    return pressure_of(&rates->pressure, &reading->pressure, now_ns, &each);
}

static struct ek_domain_rates rates_of(const struct ek_rates *rates,
                                       struct ek_domain_history *history,
                                       const struct ek_domain_reading *domain,
                                       const struct ek_reading *reading)
{
    struct ek_rate_limits each = limits_of(rates, 1);
    struct ek_rate_limits seldom = limits_of(rates, EK_SELDOM_EVERY_READS);
    int64_t now_ns = rates->time.now_ns;
    double cpu = ek_rate_update(&history->cpu, domain->cpu_ns, now_ns, &each);
    /* KVM spins for a moment before it lets an idle vCPU sleep: counted as the QEMU's time, but
     * given up as soon as anybody else wants it. */
    double haltpoll = ek_rate_update(&history->haltpoll, domain->haltpoll_ns, now_ns, &each);
    double delay = ek_rate_update(&history->delay, domain->delay_ns, now_ns, &seldom);
    struct ek_domain_rates out = {.cpu_used_cores = 0.0, .cpu_steal = 0.0};

    out.guest_memory_fresh = guest_memory_is_fresh(rates, history, domain, now_ns);
    out.pressure = pressure_of(&history->pressure, &domain->pressure, now_ns, &each);
    flows_of(&out, history, domain, now_ns, &seldom, &each);
    if (domain->running) {
        double used = (cpu - (isnan(haltpoll) ? 0.0 : haltpoll)) / NS_PER_S;
        double waited = delay / NS_PER_S / domain->facts.vcpus;
        /* The domain's counter is not of the same instant as the host's: none uses more than it
         * has. */
        out.cpu_used_cores = isnan(used) ? NAN : fmin(fmax(used, 0.0), reading->cpu_cores);
        out.cpu_steal = isfinite(waited) ? fmin(waited, 1.0) : NAN;
    }
    return out;
}

static double host_used(struct ek_rates *rates, const struct ek_reading *reading)
{
    struct ek_rate_limits limits = limits_of(rates, 1);
    int64_t elapsed_ns = rates->time.now_ns - rates->cpu_at_ns;
    double busy_ns = 0.0;
    double idle_ns = 0.0;
    bool comparable = rates->cpu_seen && elapsed_ns > 0 && elapsed_ns <= limits.longest_ns &&
                      ek_cpu_between(&rates->cpu, &reading->cpu, &busy_ns, &idle_ns);

    if (comparable && elapsed_ns < limits.shortest_ns) {
        return rates->cpu_used * reading->cpu_cores;
    }
    /* Kept as a ratio, so that it stands between reads even if CPUs come or go. Where nothing moved
     * the host answered twice within one step of its counters. */
    rates->cpu_used = comparable && busy_ns + idle_ns > 0.0 ? busy_ns / (busy_ns + idle_ns) : NAN;
    rates->cpu = reading->cpu;
    rates->cpu_at_ns = rates->time.now_ns;
    rates->cpu_seen = true;
    return rates->cpu_used * reading->cpu_cores;
}

/* After each read that was complete: a domain that returns later is another life. */
static void drop_vanished(struct ek_rates *rates, int64_t now_ns)
{
    struct ek_domain_history *history = NULL;
    struct ek_domain_history *next = NULL;

    HASH_ITER(hh, rates->domains, history, next)
    {
        if (history->seen_at_ns != now_ns) {
            HASH_DEL(rates->domains, history);
            free(history);
        }
    }
}

bool ek_rates_update(struct ek_rates *rates, const struct ek_reading *reading,
                     double *host_used_cores, struct ek_domain_rates *domains, struct ek_error *err)
{
    int64_t now_ns = ek_host_time_advance(&rates->time, reading);

    for (size_t i = 0; i < reading->domain_count; i++) {
        struct ek_domain_history *history = history_of(rates, &reading->domains[i]);
        if (history == NULL) {
            return ek_error_set(err, EK_ERR_NOMEM, "out of memory for the rates of %zu domains",
                                reading->domain_count);
        }
        domains[i] = rates_of(rates, history, &reading->domains[i], reading);
        history->seen_at_ns = now_ns;
    }
    *host_used_cores = host_used(rates, reading);
    drop_vanished(rates, now_ns);
    return true;
}

size_t ek_rates_domain_count(const struct ek_rates *rates)
{
    return HASH_COUNT(rates->domains);
}

void ek_rates_finish(struct ek_rates *rates)
{
    struct ek_domain_history *history = NULL;
    struct ek_domain_history *next = NULL;

    HASH_ITER(hh, rates->domains, history, next)
    {
        HASH_DEL(rates->domains, history);
        free(history);
    }
    rates->domains = NULL;
}
