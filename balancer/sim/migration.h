/* Live migrations in virtual time, as libvirt's protocol v3 (P2P, UNDEFINE_SOURCE, PERSIST_DEST)
 * and QEMU's pre-copy carry them out.
 *
 *   begin -> copy, round after round -> switchover (source paused) -> finished (destination runs)
 *   -> confirmed: the source's copy is gone and the call returns
 *
 * A round sends what is left; meanwhile the guest dirties memory, which is the next round:
 * next = min(writable, dirty rate x time). When what is left fits into the allowed downtime at the
 * present rate, the source is paused. Auto-converge throttles the guest by 20 %, then 10 % more
 * each time that two rounds dirtied more than half of what they sent (QEMU's rule and defaults).
 *
 * Migrations that run at once share the hosts' links max-min fairly: recomputed whenever one starts
 * or ends or a link changes. Nobody polls: each migration has one event, the end of its round.
 *
 * What a fault leaves behind follows the facts about libvirt 9.0: a connection that is cut is
 * noticed after 30 s of keepalive; before the destination runs, the source resumes; a source
 * libvirtd that restarts in the switchover leaves the source paused without a job; a Finish reply
 * that is lost leaves a paused source beside a running destination, because the image locks refuse
 * a second start. */
#ifndef EK_SIM_MIGRATION_H
#define EK_SIM_MIGRATION_H

#include "balancer/sim/cluster.h"
#include "balancer/sim/random.h"

enum ek_sim_phase {
    EK_SIM_PHASE_NONE,
    EK_SIM_PHASE_BEGIN,      /* the destination's QEMU starts */
    EK_SIM_PHASE_COPY,       /* memory is copied while the guest runs */
    EK_SIM_PHASE_SWITCHOVER, /* the source is paused, the rest is copied */
    EK_SIM_PHASE_FINISHED,   /* the destination runs, the source is not gone yet */
};

struct ek_sim_migration_request {
    uint32_t domain;
    uint32_t source;
    uint32_t destination;
    bool disks;       /* its disk is copied along */
    const char *mark; /* of the move, "" for somebody else's migration; copied */
    bool auto_converge;
    bool two_step;          /* the destination stays paused (VIR_MIGRATE_PAUSED) */
    double bandwidth_mib_s; /* 0: unlimited */
    uint32_t caller;        /* given back to `ended`; EK_NONE: nobody waits */
    uint32_t ticket;
};

struct ek_sim_migration {
    enum ek_sim_phase phase;
    struct ek_sim_migration_request request; /* but for its mark */
    char mark[EK_ID_SIZE];
    bool guest_paused; /* by its user, before it began */
    double sent_mib;
    double left_mib; /* of this round */
    double round_sent_mib;
    int64_t round_ms; /* when the round began */
    int iteration;
    int stalls;
    int64_t max_downtime_ms; /* QEMU's default until it is tuned */
    double throttle;         /* 0..0.99 of the guest's CPU time that is taken away */
    double rate_mib_s;
    bool shared; /* scratch: has its share of the links */
    int64_t advanced_ms;
    int64_t began_ms;
    int64_t paused_ms;
    int64_t handover_ms;  /* from the last byte to the destination's first instruction */
    bool broken;          /* the two libvirtds cannot reach one another */
    uint32_t step_ticket; /* of the event that is wanted; never reset, slots are reused */
    uint32_t broken_ticket;
    uint32_t serial; /* of the migration in this slot */
};

struct ek_sim_migrations {
    struct ek_sim_cluster *cluster; /* borrowed */
    struct ek_sim_queue *queue;     /* borrowed */
    struct ek_random random;
    struct ek_sim_migration *items; /* slots; phase NONE: free */
    size_t count;
    size_t room;
    double *out_left; /* per host, for the sharing of links */
    double *in_left;
    uint32_t *out_count;
    uint32_t *in_count;
    size_t share_room;
    unsigned int orphans; /* so many destinations' copies will not be cleaned up by libvirt */
    double moved_mib;     /* by all migrations so far */
    uint64_t completed;

    /* The migrate call returned: `caller` and `ticket` of the request. */
    void (*ended)(void *context, uint32_t caller, uint32_t ticket,
                  const struct ek_call_result *result);
    void *context;
};

void ek_sim_migrations_init(struct ek_sim_migrations *migrations, struct ek_sim_cluster *cluster,
                            uint64_t seed);
void ek_sim_migrations_finish(struct ek_sim_migrations *migrations);

/* Begins one. False when libvirt would refuse at once, and why: not running there, another job, an
 * active copy on the destination, no memory there. */
bool ek_sim_migration_begin(struct ek_sim_migrations *migrations,
                            const struct ek_sim_migration_request *request,
                            struct ek_call_result *refused);

/* Asks for its end, as virDomainAbortJob: takes effect a little later, unless the switchover has
 * begun by then. False: there is no such job of that mark. */
bool ek_sim_migration_abort(struct ek_sim_migrations *migrations, uint32_t domain, uint32_t source,
                            const char *mark);

/* Changes its limits while it runs. False: there is no such job of that mark, or post-copy is asked
 * for, which these hosts cannot do. */
bool ek_sim_migration_tune(struct ek_sim_migrations *migrations, uint32_t domain, uint32_t source,
                           const char *mark, const struct ek_tuning *tuning);

/* As the source's libvirt tells; *out is all zero (not active) when no such job runs. */
void ek_sim_migration_progress(struct ek_sim_migrations *migrations, uint32_t domain,
                               uint32_t source, struct ek_job_progress *out);

/* The domain's migration that is under way; NULL: none. */
const struct ek_sim_migration *ek_sim_migration_of(const struct ek_sim_migrations *migrations,
                                                   uint32_t domain);
size_t ek_sim_migrations_running(const struct ek_sim_migrations *migrations);

/* ---- misfortunes: the change of the cluster is made here, with all that follows from it --------
 */

/* A network that is cut or healed; control: libvirt's connections, data: guest memory. */
void ek_sim_fault_link(struct ek_sim_migrations *migrations, uint32_t host, bool control,
                       bool data);

/* The host and all its guests are gone at once; with `on` it is there again, without them. */
void ek_sim_fault_power(struct ek_sim_migrations *migrations, uint32_t host, bool on);

/* libvirtd dies (its guests run on), comes back, hangs or wakes up. */
void ek_sim_fault_daemon(struct ek_sim_migrations *migrations, uint32_t host,
                         enum ek_sim_daemon daemon);

/* The guest ends by its own or its user's will, or its QEMU crashes. False: it does not run, or is
 * being handed over at this moment. */
bool ek_sim_fault_guest(struct ek_sim_migrations *migrations, uint32_t domain, bool crash);

#endif
