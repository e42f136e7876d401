/* Two hosts and a journal in memory, for tests of the executor: thread-safe, with switches for
 * faults.
 *
 * The trace has one word per call and per write in the order in which they came: "claimed precheck:
 * precheck() prepare: ...". A domain is on the source, or on the destination; while `hold` is set a
 * migration stays in its copying until it is aborted or `hold` is cleared. */
#ifndef EK_TESTS_FAKE_PORT_H
#define EK_TESTS_FAKE_PORT_H

#include "migrator/executor.h"

#include <pthread.h>

enum { FAKE_MOVES = 64, FAKE_TRACE = 8192 };

struct fake_domain {
    char uuid[EK_UUID_SIZE];
    bool copying;
    bool aborted;
    bool arrived;
    bool stopped; /* saved or shut down on the source */
    int migrates;
};

struct fake {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct ek_hypervisor port;
    struct ek_journal journal;

    struct fake_domain domains[FAKE_MOVES];
    size_t domain_count;
    struct ek_move_record records[FAKE_MOVES];
    size_t record_count;
    char trace[FAKE_TRACE];

    struct ek_findings findings; /* of every precheck */

    /* faults */
    bool hold;                        /* migrations do not end by themselves */
    bool busy;                        /* prechecks fail, and may be tried again */
    bool hang_observe;                /* observe does not return while it is set */
    enum ek_error_code journal_fault; /* every write fails so; EK_ERR_NONE: none */
    enum ek_move_state fault_at;      /* ... only when this state is written; STATE_COUNT: any */
    bool stop_after_running;          /* the process sleeps for 40 s once that is written */
    bool write_then_fail;             /* the failing write is done all the same */

    /* what the executor told */
    int64_t slept_ms;
    struct ek_outcome outcomes[FAKE_MOVES];
    size_t outcome_count;
    size_t dropped;
    size_t disowned;
    struct ek_error drop_error;
};

void fake_init(struct fake *fake);
void fake_finish(struct fake *fake);

/* An executor over it, with waits of milliseconds instead of seconds. */
struct ek_executor *fake_executor(struct fake *fake);

/* Order number `n`, of a domain of its own. */
struct ek_move_order fake_order(int n);

/* Changes a switch and wakes who waits for it. */
void fake_set(struct fake *fake, bool *flag, bool value);
void fake_set_fault(struct fake *fake, enum ek_error_code code, enum ek_move_state at);

/* Lets so much time pass at once. */
void fake_sleep(struct fake *fake, int64_t ms);

/* Wait, at most 20 s, until so many outcomes or drops came, or until that many domains copy. */
bool fake_await_ends(struct fake *fake, size_t count);
bool fake_await_copying(struct fake *fake, size_t count);
/* Until the trace holds the text. */
bool fake_await_trace(struct fake *fake, const char *text);

/* A copy of the trace, to look at; whether it holds the text. */
bool fake_traced(struct fake *fake, const char *text);

#endif
