/* The hypervisor's port in virtual time: performs the actions of a life (migrator/life.h) on the
 * simulated cluster, each after a latency, and brings the reply at its own virtual time.
 *
 * It says what libvirt would say: a host that is off or cut off is given up after the probe's 5 s;
 * one that hangs answers when it wakes up, which may be long after the caller gave up; a migrate
 * call whose connection breaks is LOST while the migration itself goes on. The repairs read both
 * ends again and refuse unless the decision table still asks for them, as the real ones do.
 *
 * Each operation has a fault counter: fail after so many calls, so many times. */
#ifndef EK_SIM_HYPERVISOR_H
#define EK_SIM_HYPERVISOR_H

#include "balancer/sim/migration.h"
#include "migrator/life.h"

/* name, action whose calls it counts, latency from, to (ms) */
#define EK_SIM_OPERATIONS(X)                                            \
    X(EK_SIM_PRECHECK, EK_LIFE_PRECHECK, 50, 300)                       \
    X(EK_SIM_PREPARE, EK_LIFE_PREPARE, 20, 200)                         \
    X(EK_SIM_MIGRATE, EK_LIFE_MIGRATE, 5, 50)                           \
    X(EK_SIM_PROGRESS, EK_LIFE_WATCH, 2, 20)                            \
    X(EK_SIM_TUNE, EK_LIFE_TUNE, 2, 20)                                 \
    X(EK_SIM_ABORT, EK_LIFE_ABORT, 5, 50)                               \
    X(EK_SIM_OBSERVE, EK_LIFE_OBSERVE, 10, 100)                         \
    X(EK_SIM_RESUME_SOURCE, EK_LIFE_RESUME_SOURCE, 50, 300)             \
    X(EK_SIM_RESUME_DESTINATION, EK_LIFE_RESUME_DESTINATION, 50, 300)   \
    X(EK_SIM_DESTROY_SOURCE, EK_LIFE_DESTROY_SOURCE, 50, 500)           \
    X(EK_SIM_DESTROY_DESTINATION, EK_LIFE_DESTROY_DESTINATION, 50, 500) \
    X(EK_SIM_RESUME_POSTCOPY, EK_LIFE_RESUME_POSTCOPY, 50, 300)         \
    X(EK_SIM_UNPREPARE, EK_LIFE_UNPREPARE, 20, 200)                     \
    X(EK_SIM_POST, EK_LIFE_POST, 50, 400)

enum ek_sim_operation {
#define X(name, action, low, high) name,
    EK_SIM_OPERATIONS(X)
#undef X
        EK_SIM_OPERATION_COUNT
};

/* Armed while `times` > 0; `after` calls pass first. What a failure means depends on the operation:
 * a result with `failure` and `error`; of OBSERVE, that neither end could be read; of PROGRESS,
 * that nothing could be read; of MIGRATE with LOST, that the migration begins and goes on, but
 * the call ends as LOST within 15 s. */
struct ek_sim_fault {
    unsigned int after;
    unsigned int times;
    enum ek_failure failure;
    const char *error; /* static; NULL: "fault" */
};

/* What came of a call; `kind` is the input that the life is to be fed. */
struct ek_sim_reply {
    enum ek_life_input_kind kind;
    struct ek_call_result result;
    struct ek_findings findings; /* of a precheck that passed */
    bool found;                  /* of a preparation */
    bool read;                   /* of PROGRESS: false, it could not be read */
    struct ek_job_progress progress;
    struct ek_observation source;
    struct ek_observation destination;
};

struct ek_sim_call;

struct ek_sim_hypervisor {
    struct ek_sim_cluster *cluster;       /* borrowed */
    struct ek_sim_migrations *migrations; /* borrowed */
    struct ek_sim_queue *queue;           /* borrowed */
    struct ek_random random;
    struct ek_sim_fault faults[EK_SIM_OPERATION_COUNT];
    uint64_t calls[EK_SIM_OPERATION_COUNT]; /* made so far */
    struct ek_sim_call *items;              /* slots of calls that are out */
    size_t count;
    size_t room;

    /* The reply to the call that `caller` made with `ticket`. */
    void (*reply)(void *context, uint32_t caller, uint32_t ticket,
                  const struct ek_sim_reply *reply);
    void *context;
};

/* Takes the migrations' `ended` for itself. */
void ek_sim_hypervisor_init(struct ek_sim_hypervisor *hypervisor,
                            struct ek_sim_migrations *migrations, uint64_t seed);
void ek_sim_hypervisor_finish(struct ek_sim_hypervisor *hypervisor);

/* Makes the call that the action asks for. It and `record` are copied as far as they are needed.
 * The reply comes exactly once, at the latest after the action's `timeout_ms` as a failure LOST (0:
 * no limit), unless ek_sim_hypervisor_forget comes before it. */
void ek_sim_hypervisor_call(struct ek_sim_hypervisor *hypervisor, uint32_t caller, uint32_t ticket,
                            const struct ek_life_action *action,
                            const struct ek_move_record *record);

/* The callers are gone (our daemon crashed): no reply is brought any more; what the calls do on the
 * hosts is done all the same. */
void ek_sim_hypervisor_forget(struct ek_sim_hypervisor *hypervisor);

/* A host can no longer be reached, or its libvirtd died: migrate calls to it end as LOST, at once
 * where the connection broke, after the keepalive where it fell silent. To be called after the
 * fault. */
void ek_sim_hypervisor_host_changed(struct ek_sim_hypervisor *hypervisor, uint32_t host);

#endif
