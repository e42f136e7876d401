/* The fake cluster, whole: hosts, domains, collector, journal and a daemon that runs the same
 * engine and the same lives as the real one, in virtual time.
 *
 *     ek_world_create -> add hosts and domains -> ek_world_run_until -> trace, counters, check
 *
 * A seed and a story give the same trace to the byte, on every run. Times of this interface are
 * milliseconds since the world's beginning. A world is used by one thread, and stays where it was
 * created. */
#ifndef EK_SIM_WORLD_H
#define EK_SIM_WORLD_H

#include "balancer/core/engine/engine.h"
#include "balancer/sim/driver.h"
#include "balancer/sim/journal.h"
#include "balancer/sim/sampler.h"

/* Units of a story. */
#define EK_WORLD_SECOND_MS ((int64_t)1000)
#define EK_WORLD_MINUTE_MS (60 * EK_WORLD_SECOND_MS)
#define EK_WORLD_HOUR_MS (60 * EK_WORLD_MINUTE_MS)
#define EK_WORLD_DAY_MS (24 * EK_WORLD_HOUR_MS)

struct ek_world_options {
    uint64_t seed;
    int64_t begin_ms;  /* virtual Unix milliseconds */
    int64_t cycle_ms;  /* of the engine */
    int64_t period_ms; /* of the collector */
    double noise;      /* relative standard deviation of sampled CPU rates */
    bool dirty_known;  /* the collector measures dirty rates */
    bool keep_trace;   /* false: only its digest is kept, for long runs */

    /* Guests that a host's crash ended start anew so long after it is back; where it stays away, so
     * long after the crash, each where most memory is free. 0: they stay off. */
    int64_t restart_ms;

    /* Told of each move that ended, with the truth in place; NULL: nobody is. */
    void (*ended)(void *context, const struct ek_outcome *outcome);
    void *context;
};

/* Seed 1, a cycle of 60 s, samples every 15 s, 2 % noise, dirty rates not known, trace kept, no
 * restarts. */
void ek_world_options_defaults(struct ek_world_options *options);

struct ek_world_counters {
    uint64_t cycles;
    uint64_t plans;                      /* recorded, whatever became of them */
    uint64_t started;                    /* moves that the engine ordered */
    uint64_t ended[EK_MOVE_STATE_COUNT]; /* moves by their terminal state */
    uint64_t wrong;                      /* outcomes that were not the truth on the hosts */
    uint64_t dropped;                    /* lives that the journal refused */
    uint64_t adopted;                    /* by a daemon that started anew */
    int64_t last_start_ms;               /* -1: none yet */
    double moved_mib;
    double overload_s; /* host-seconds with CPU demand above its target */
    double starved_s;  /* host-seconds with CPU demand above the host's cores */
};

/* What can go wrong, and what users do; see balancer/sim/migration.h for what follows from it. */
enum ek_world_fault_kind {
    EK_WORLD_HOST_CRASH,     /* a host, back after a while without its guests */
    EK_WORLD_DATA_CUT,       /* a host's migration network */
    EK_WORLD_CONTROL_CUT,    /* a host's libvirt network */
    EK_WORLD_PARTITION,      /* both */
    EK_WORLD_LIBVIRTD_DOWN,  /* killed, and back after a while */
    EK_WORLD_LIBVIRTD_HANG,  /* and awake again after a while */
    EK_WORLD_GUEST_OFF,      /* a domain shuts itself down; in a handover, after it */
    EK_WORLD_GUEST_CRASH,    /* a domain's QEMU crashes, for good */
    EK_WORLD_GUEST_START,    /* a domain that is off is started, and shut down after a while; where
                                it is defined, else where most room is; without any, crowded */
    EK_WORLD_JOURNAL_AWAY,   /* and back after a while */
    EK_WORLD_BALANCER_CRASH, /* our daemon dies and starts anew after a while */
    EK_WORLD_FAULT_KIND_COUNT
};

struct ek_world_fault {
    enum ek_world_fault_kind kind;
    uint32_t subject; /* host or domain; of the journal and the balancer 0 */
    int64_t at_ms;
    int64_t lasts_ms; /* 0: for good */
};

struct ek_world;

/* NULL: out of memory. The policy is copied. */
struct ek_world *ek_world_create(const struct ek_world_options *options,
                                 const struct ek_policy *policy);
void ek_world_destroy(struct ek_world *world);

/* Index of the new host or domain; EK_NONE and an error as of ek_sim_cluster_add_*. */
uint32_t ek_world_add_host(struct ek_world *world, const struct ek_sim_host_spec *spec,
                           struct ek_error *err);
uint32_t ek_world_add_domain(struct ek_world *world, const struct ek_sim_domain_spec *spec,
                             struct ek_error *err);

/* Lets the time come. Error: NOMEM, after which the world can only be destroyed. */
bool ek_world_run_until(struct ek_world *world, int64_t at_ms, struct ek_error *err);
bool ek_world_run_for(struct ek_world *world, int64_t ms, struct ek_error *err);
int64_t ek_world_now_ms(const struct ek_world *world);

/* ---- what operators do, at this moment ----------------------------------------------------- */

/* SET or DEL of the host's maintenance key: noticed at once. */
void ek_world_set_maintenance(struct ek_world *world, uint32_t host, bool wanted);

/* SET of a key that says "partial": what can leave is to leave. */
void ek_world_set_partial_maintenance(struct ek_world *world, uint32_t host);

/* SET of a key with a deadline, as ek_world_now_ms() counts. */
void ek_world_set_deadline(struct ek_world *world, uint32_t host, int64_t deadline_ms);

/* The policy file changed. */
void ek_world_set_policy(struct ek_world *world, const struct ek_policy *policy);

/* A command, as `evenkeel` gives it; texts that the kind does not need are "". */
void ek_world_command(struct ek_world *world, enum ek_command_kind kind, const char *subject,
                      const char *host);

/* A migration that somebody starts beside us, as with virsh. False: libvirt refused it. */
bool ek_world_move_by_hand(struct ek_world *world, uint32_t domain, uint32_t host);

/* Frees a domain whose last move's outcome was unknown. Error: NOMEM. */
bool ek_world_resolve(struct ek_world *world, uint32_t domain, struct ek_error *err);

/* ---- misfortunes --------------------------------------------------------------------------- */

/* Lets the fault come at its time and go again. Error: NOMEM. */
bool ek_world_fault(struct ek_world *world, const struct ek_world_fault *fault,
                    struct ek_error *err);

/* Our daemon dies when a move enters that state for the first time, right after it is written and
 * before or after the effect that it announces; it starts anew `down_ms` later. */
void ek_world_crash_at_state(struct ek_world *world, enum ek_move_state state, bool before_effect,
                             int64_t down_ms);

/* The same at the nth preparation, from 0, that a move begins from now on. */
void ek_world_crash_at_preparation(struct ek_world *world, int nth, bool before_effect,
                                   int64_t down_ms);

/* The daemon dies now, or starts now. */
void ek_world_crash_daemon(struct ek_world *world);
void ek_world_start_daemon(struct ek_world *world);

/* ---- looking ------------------------------------------------------------------------------- */

/* The parts, for faults by counter (hypervisor->faults) and for asserting on the ground truth.
 * Owned by the world. */
struct ek_sim_cluster *ek_world_cluster(struct ek_world *world);
struct ek_sim_migrations *ek_world_migrations(struct ek_world *world);
struct ek_sim_hypervisor *ek_world_hypervisor(struct ek_world *world);
struct ek_sim_journal *ek_world_journal(struct ek_world *world);
struct ek_sim_driver *ek_world_driver(struct ek_world *world);

/* NULL while the daemon is down. */
struct ek_engine *ek_world_engine(struct ek_world *world);

struct ek_world_counters ek_world_counters(const struct ek_world *world);
uint64_t ek_world_events(const struct ek_world *world); /* of the queue, so far */
uint64_t ek_world_seed(const struct ek_world *world);

/* The newest status of a host whose maintenance is wanted; false: there is none. */
bool ek_world_maintenance_state(const struct ek_world *world, uint32_t host,
                                enum ek_maintenance_state *state);

/* One line for everything that was done and everything that was not, with its reason:
 * "   121.034 move p-1: ...". "" when the trace is not kept. Valid until the next run. */
const char *ek_world_trace(const struct ek_world *world);

/* FNV-1a over the trace, kept or not: two runs are alike if it is. */
uint64_t ek_world_digest(const struct ek_world *world);

/* The laws: ek_sim_cluster_check, no outcome that was not the truth on the hosts, no life that the
 * journal refused. Error: CONFLICT, which one is broken. */
bool ek_world_check(const struct ek_world *world, struct ek_error *err);

#endif
