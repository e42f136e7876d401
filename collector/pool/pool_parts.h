/* What the worker pool is made of: of use to collector/pool/pool.c only. */
#ifndef EK_COLLECTOR_POOL_PARTS_H
#define EK_COLLECTOR_POOL_PARTS_H

#include "collector/pool/places.h"
#include "collector/pool/pool.h"
#include "collector/sampling/sampler.h"
#include "collector/sampling/timetable.h"

#include <pthread.h>

/* FOLLOWING: its sample was handed on, and the port does what comes after it. */
enum ek_pool_work { WAITING, QUEUED, READING, FOLLOWING };

/* Guarded by the pool's lock, but for the sampler, which belongs to the worker while the host is
 * READING. What is said of READING goes for FOLLOWING, too. */
struct ek_pool_host {
    enum ek_pool_work work;
    int64_t due_ns;      /* WAITING: when to queue it */
    int64_t place_ns;    /* READING: when it gives its place up */
    int64_t deadline_ns; /* READING: when it counts as hung */
    bool overdue;        /* READING: beyond the deadline, reported or about to be */
    bool placed;         /* READING: it takes one of the places */
    bool hinted;         /* the read that is due, queued or running is out of turn */
    bool hinted_again;   /* READING: a hint came meanwhile, what it is about may be missed */
    bool hastened_again; /* READING: the same by ek_pool_hasten */
    struct ek_hints hints;
    unsigned int failures;
    uint64_t lot;
    struct ek_sampler sampler; /* of the worker that reads the host */
};

struct ek_pool {
    struct ek_pool_config config;
    struct ek_timetable table;
    int64_t patience_ns; /* how long a host may take a place */
    struct ek_pool_host *hosts;
    struct ek_arena arena; /* names */

    pthread_mutex_t reporting;
    pthread_mutex_t lock;
    pthread_cond_t work; /* a host was queued */
    pthread_cond_t
        changed; /* for the dispatcher: something fell due earlier; for stop: a thread ended */
    size_t *next_queued; /* of the places' queues */
    struct ek_places places;
    unsigned int threads; /* workers and dispatcher */
    unsigned int workers;
    unsigned int busy;   /* workers that have a host; the others wait, or begin */
    int64_t warned_ns;   /* when it was said that threads are short; 0: never */
    unsigned int hinted; /* reads out of turn, ever */
    int64_t wake_ns;     /* when the dispatcher wakes by itself */
    bool stopping;
    bool abandoned;
};

/* A pool whose hosts all wait for their first turn, without a thread yet. Errors: NOMEM, and
 * INVALID for a config without hosts, period, deadline or workers. */
struct ek_pool *ek_pool_parts_create(const struct ek_pool_config *config, struct ek_error *err);

/* Frees it when no thread has it any more, its lock included; not what its port is. */
void ek_pool_parts_destroy(struct ek_pool *pool);

#endif
