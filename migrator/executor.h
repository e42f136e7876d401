/* The executor: runs lives (migrator/life.h) against the hypervisor's and the journal's ports.
 *
 * One thread per running move drives its life: it steps the machine, writes the journal, waits. It
 * makes no blocking call to the hypervisor itself: each runs on a thread of its own that lives as
 * long as the call, so that a call which hangs is given up at its timeout and holds up nothing but
 * itself. Thus a move that copies has two threads, a third for the moment of a look at its
 * progress. Stacks are EK_EXECUTOR_STACK_BYTES.
 *
 * The journal comes first. Where it is away, a life waits before its next effect and tries again,
 * from 0.1 s to 5 s apart; what a migrate call returned meanwhile is kept. Where it says that
 * another balancer is in charge (FENCED) or that the record is not as we left it (CONFLICT), the
 * life is dropped without any further effect; a migration that runs goes on in libvirt and is the
 * other's to watch. */
#ifndef EK_MIGRATOR_EXECUTOR_H
#define EK_MIGRATOR_EXECUTOR_H

#include "balancer/core/error.h"
#include "balancer/core/journal.h"
#include "balancer/core/move.h"
#include "migrator/hypervisor.h"
#include "migrator/life.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Address space of each thread; what is not touched costs nothing. */
enum { EK_EXECUTOR_STACK_BYTES = 256 * 1024 };

struct ek_executor;

/* All pointers stay the caller's and must live until nothing of the executor runs any more: see
 * ek_executor_shutdown. */
struct ek_executor_options {
    const struct ek_hypervisor *hypervisor;
    const struct ek_journal *journal;
    struct ek_move_timing timing;

    /* Unix milliseconds that do not jump; called from any thread. */
    int64_t (*now_ms)(void *context);
    void *clock_context;

    /* A move ended; called once, from the move's thread, after the journal has its end. */
    void (*ended)(void *context, const struct ek_outcome *outcome);
    /* What a move tells before its end, each at most once per attempt; from the move's thread.
     * NULL: nobody wants to know. */
    void (*sign)(void *context, const struct ek_sign *sign);
    /* A life was dropped without an end: fenced, or its record was changed by others. The record is
     * the newest that this executor had; the journal's counts. */
    void (*dropped)(void *context, const struct ek_move_record *record, const struct ek_error *why);
    void *listener_context;
};

/* Owned by the caller: ek_executor_destroy. NULL and NOMEM when memory ran out. */
struct ek_executor *ek_executor_create(const struct ek_executor_options *options,
                                       struct ek_error *err);

/* Begins a move under the lease's epoch and returns at once. Errors: CONFLICT (a move of that id or
 * of that domain runs here), UNAVAILABLE (shutting down), NOMEM (no memory, no thread). */
bool ek_executor_start(struct ek_executor *executor, const struct ek_move_order *order,
                       int64_t epoch, struct ek_error *err);

/* Goes on with an open record of an earlier run: claims it in the journal for `epoch`, asks both
 * hosts, and drives it to its end. Nothing is begun anew. Errors as of start; INVALID for a
 * terminal record. */
bool ek_executor_adopt(struct ek_executor *executor, const struct ek_move_record *record,
                       int64_t epoch, struct ek_error *err);

/* Asks for a move's end, and says why (not NONE); its outcome tells what came of it. False when
 * none of that id runs. */
bool ek_executor_cancel(struct ek_executor *executor, const char *id, enum ek_abort why);

/* Sets how fast a move may copy from now on (MiB/s; 0: unlimited): a migration that runs is tuned
 * within a moment, also an adopted one; a move that has not begun its call starts with the newest
 * limit. Nothing happens when none of that id runs. */
void ek_executor_limit(struct ek_executor *executor, const char *id, uint64_t bandwidth_mib_s);

/* Says why the move may make no new attempt should the one that runs, or ran, have failed; NULL: it
 * may. What runs goes on. Nothing happens when none of that id runs. */
void ek_executor_withhold(struct ek_executor *executor, const char *id, const char *why);

/* ---- moves that nobody drives: what an operator resolves (executor_task.c) --------------------
 */

/* Runs `body` on a thread of its own, which may block in the calls below; ek_executor_shutdown
 * waits for it as for a life. Errors: UNAVAILABLE (shutting down), NOMEM. */
bool ek_executor_task(struct ek_executor *executor, void (*body)(void *argument), void *argument,
                      struct ek_error *err);

struct ek_executor_look {
    struct ek_observation source;
    struct ek_observation destination;
    struct ek_elsewhere elsewhere;
};

/* Both ends and all other hosts, freshly read, each within its time; what did not answer in time is
 * unreachable. From a task. */
void ek_executor_look(struct ek_executor *executor, const struct ek_move_record *record,
                      struct ek_executor_look *out);

/* One call of the port: a repair, EK_LIFE_UNPREPARE or EK_LIFE_POST, given up at its time as a
 * life's is. Refused while a move of that domain runs here. From a task. */
struct ek_call_result ek_executor_act(struct ek_executor *executor,
                                      const struct ek_move_record *record,
                                      enum ek_life_action_kind kind);

/* Copies up to `capacity` records of the running moves, oldest first; returns how many there are.
 */
size_t ek_executor_running(struct ek_executor *executor, struct ek_move_record *out,
                           size_t capacity);

/* Lets go of all lives, because another balancer has led meanwhile: they do nothing more and tell
 * nothing, and their moves can be adopted anew at once. Migrations that run go on. */
void ek_executor_forget(struct ek_executor *executor);

/* Stops driving: no new move, no retry, no abort. Migrations that run go on in libvirt; their
 * records stay open for the next start. Waits for the lives' threads, at most `wait_ms`. True:
 * nothing runs any more. False: calls (a migration's, as a rule) are still out; then leave ports
 * and clock alone and let the process end. */
bool ek_executor_shutdown(struct ek_executor *executor, int64_t wait_ms);

/* Shuts down without waiting and gives the executor back; memory that threads still use is freed by
 * the last of them. NULL is fine. */
void ek_executor_destroy(struct ek_executor *executor);

#endif
