/* Drives lives (migrator/life.h) in virtual time: the executor of the simulation.
 *
 * It keeps the same contract as the executor with its threads: the record is written before the
 * effect; where the journal is away the life waits before its next effect and tries again, from
 * 0.1 s to 5 s apart; FENCED and CONFLICT drop the life; what a migrate call returned is kept until
 * the machine can take it. */
#ifndef EK_SIM_DRIVER_H
#define EK_SIM_DRIVER_H

#include "balancer/core/journal.h"
#include "balancer/sim/hypervisor.h"
#include "migrator/life.h"

struct ek_sim_life;

struct ek_sim_driver {
    struct ek_sim_hypervisor *hypervisor; /* borrowed */
    const struct ek_journal *journal;     /* borrowed */
    struct ek_sim_queue *queue;           /* borrowed */
    struct ek_move_timing timing;
    struct ek_sim_life *items; /* slots */
    size_t count;
    size_t room;

    /* A move ended; its end is in the journal. */
    void (*ended)(void *context, const struct ek_outcome *outcome);
    /* What a move tells before its end. */
    void (*sign)(void *context, const struct ek_sign *sign);
    /* A life was dropped: the journal refused it. */
    void (*dropped)(void *context, const struct ek_move_record *record, const struct ek_error *why);
    /* A state was written; for the trace. */
    void (*entered)(void *context, const struct ek_move_record *record);
    void *context;
};

/* Takes the hypervisor's `reply` for itself. */
void ek_sim_driver_init(struct ek_sim_driver *driver, struct ek_sim_hypervisor *hypervisor,
                        const struct ek_journal *journal);
void ek_sim_driver_finish(struct ek_sim_driver *driver);

/* Begins a move, or goes on with an open record. Its first step is an event of this moment. Error:
 * NOMEM; CONFLICT, the domain is moved already. */
bool ek_sim_driver_start(struct ek_sim_driver *driver, const struct ek_move_order *order,
                         int64_t epoch, struct ek_error *err);
bool ek_sim_driver_adopt(struct ek_sim_driver *driver, const struct ek_move_record *record,
                         int64_t epoch, struct ek_error *err);

/* Asks for a move's end; false when none of that id runs. */
bool ek_sim_driver_cancel(struct ek_sim_driver *driver, const char *id, enum ek_abort why);

/* Sets how fast a move may copy from now on (MiB/s; 0: unlimited); nothing happens when none of
 * that id runs. */
void ek_sim_driver_limit(struct ek_sim_driver *driver, const char *id, uint64_t bandwidth_mib_s);

/* Says why the move may make no new attempt after one that failed; NULL: it may. */
void ek_sim_driver_withhold(struct ek_sim_driver *driver, const char *id, const char *why);

/* The daemon dies at this moment: all lives are forgotten, nothing is written. What runs on the
 * hosts runs on. */
void ek_sim_driver_crash(struct ek_sim_driver *driver);

/* The record of the life that moves the domain; NULL: none. */
const struct ek_move_record *ek_sim_driver_of(const struct ek_sim_driver *driver,
                                              const char *domain);
size_t ek_sim_driver_running(const struct ek_sim_driver *driver);

#endif
