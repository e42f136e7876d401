/* Counters to rates: what one host and each of its domains used since the reading before.
 *
 * A rate is never negative and never a spike. It is NAN ("not known yet") at the first sight of a
 * counter, and whenever two values cannot be compared: the domain's id, state or state's reason
 * changed (after a migration its counters begin at zero), the counter fell or is the sum of another
 * number of parts (a card or a disk came or went), more than three periods lie between, or the
 * clock did not advance. Between two readings lies what passed on the host (host_time.h), not what
 * passed between two answers. What a reading leaves out leaves the last rate standing until that
 * gap is reached; so does an interval too short to mean anything (a quarter period). */
#ifndef EK_COLLECTOR_RATES_H
#define EK_COLLECTOR_RATES_H

#include "collector/sampling/host_time.h"
#include "collector/sampling/reading.h"

/* One counter's last value, and the rate that it gave. All zero: never seen. */
struct ek_rate {
    uint64_t value;
    unsigned int parts;
    int64_t at_ns;
    double per_second; /* of the counter's unit; NAN: not known */
    bool seen;
};

/* The intervals between two values of a counter that give a rate, both ends included. */
struct ek_rate_limits {
    int64_t shortest_ns;
    int64_t longest_ns;
};

/* Takes in a counter at a time and returns its rate per second, or NAN, by the rules above. */
double ek_rate_update(struct ek_rate *rate, struct ek_counter counter, int64_t now_ns,
                      const struct ek_rate_limits *limits);

struct ek_domain_history;

struct ek_pressure_rates {
    struct ek_rate cpu_some;
    struct ek_rate memory_some;
    struct ek_rate memory_full;
    struct ek_rate io_some;
    struct ek_rate io_full;
};

/* The memory of one host's readings; embedded, owned by one thread at a time. */
struct ek_rates {
    int64_t period_ns;
    struct ek_host_time time;
    struct ek_cpu_counters cpu;
    int64_t cpu_at_ns;
    double cpu_used; /* ratio of the last interval */
    bool cpu_seen;
    struct ek_pressure_rates pressure;
    struct ek_domain_history *domains; /* uthash by UUID; those that vanish are dropped */
};

struct ek_domain_rates {
    double cpu_used_cores; /* host cores, without idle polling; 0 when it does not run; NAN: not
                              known */
    double cpu_steal; /* 0..1 of its vCPUs' time in which they waited for a CPU; NAN: not known */
    double net_rx_mib_s; /* these five: 0 when it does not run; NAN: not known */
    double net_tx_mib_s;
    double disk_read_mib_s;
    double disk_write_mib_s;
    double swap_in_mib_s; /* NAN also when the guest does not report */
    struct ek_pressure pressure;
    bool guest_memory_fresh; /* the guest reported within three of its own or of our periods */
};

void ek_rates_init(struct ek_rates *rates, int64_t period_ms);

/* Takes in a reading; its time is the host's (host_time.h). `domains` has room for domain_count
 * results in the reading's order. *host_used_cores is NAN when it is not known. Error: NOMEM. */
bool ek_rates_update(struct ek_rates *rates, const struct ek_reading *reading,
                     double *host_used_cores, struct ek_domain_rates *domains,
                     struct ek_error *err);

/* The host's pressure since the reading before; once per reading. */
struct ek_pressure ek_rates_pressure(struct ek_rates *rates, const struct ek_reading *reading);

/* How many domains are remembered. */
size_t ek_rates_domain_count(const struct ek_rates *rates);

void ek_rates_finish(struct ek_rates *rates);

#endif
