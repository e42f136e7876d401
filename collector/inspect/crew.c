/* A crew: workers that take jobs from one list, and a caller who watches the clock. */
#include "collector/inspect/crew.h"

#include "collector/clock.h"
#include "collector/pool/thread.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum job_state { JOB_WAITS, JOB_RUNS, JOB_ENDED, JOB_TOLD };

struct job {
    enum job_state state;
    int64_t began_ns;
};

/* Shared by the caller and by all threads: the last one frees it. */
struct crew {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct ek_crew_jobs jobs;
    struct job *list;
    size_t next;    /* the first one that waits */
    size_t workers; /* that were not left */
    size_t users;   /* threads, those that were left included, and the caller */
};

/* Of the process, since that is what ends under them. */
static atomic_size_t left_behind;

size_t ek_crew_left_behind(void)
{
    return atomic_load(&left_behind);
}

static void leave(struct crew *crew)
{
    (void)pthread_mutex_lock(&crew->mutex);
    bool last = --crew->users == 0;
    (void)pthread_mutex_unlock(&crew->mutex);
    if (!last) {
        return;
    }
    crew->jobs.release(crew->jobs.context);
    (void)pthread_cond_destroy(&crew->changed);
    (void)pthread_mutex_destroy(&crew->mutex);
    free(crew->list);
    free(crew);
}

/* Whose job was told of meanwhile was left, and its place is somebody else's. */
static void *worker_main(void *context)
{
    struct crew *crew = context;
    bool left = false;

    (void)pthread_mutex_lock(&crew->mutex);
    while (!left && crew->next < crew->jobs.count) {
        size_t number = crew->next++;
        struct job *job = &crew->list[number];
        job->state = JOB_RUNS;
        job->began_ns = ek_monotonic_ns();
        (void)pthread_mutex_unlock(&crew->mutex);
        crew->jobs.work(crew->jobs.context, number);
        (void)pthread_mutex_lock(&crew->mutex);
        left = job->state == JOB_TOLD;
        job->state = left ? JOB_TOLD : JOB_ENDED;
        (void)pthread_cond_signal(&crew->changed);
    }
    crew->workers -= left ? 0 : 1;
    (void)pthread_cond_signal(&crew->changed);
    (void)pthread_mutex_unlock(&crew->mutex);
    leave(crew);
    if (left) {
        (void)atomic_fetch_sub(&left_behind, 1); /* last of all: it may be the process's end */
    }
    return NULL;
}

/* With the mutex held, as those below. */
static void hire(struct crew *crew)
{
    size_t waiting = crew->jobs.count - crew->next;

    while (crew->workers < crew->jobs.most && waiting-- > 0) {
        crew->users++;
        crew->workers++;
        if (!ek_thread_start(worker_main, crew)) {
            crew->users--;
            crew->workers--;
            return;
        }
    }
}

static void tell(struct crew *crew, size_t number, bool left)
{
    crew->list[number].state = JOB_TOLD;
    if (crew->jobs.ended != NULL) {
        crew->jobs.ended(crew->jobs.watcher, crew->jobs.context, number, left);
    }
}

/* Tells of what ended or took too long; how many are still to come, and when the next of them will
 * have taken too long. */
static size_t take_stock(struct crew *crew, int64_t *due_ns)
{
    int64_t limit_ns = crew->jobs.limit_ms * EK_NS_PER_MS;
    int64_t now_ns = ek_monotonic_ns();
    size_t open = 0;

    *due_ns = now_ns + limit_ns;
    for (size_t i = 0; i < crew->jobs.count; i++) {
        struct job *job = &crew->list[i];
        int64_t ends_ns = job->began_ns + limit_ns;
        if (job->state == JOB_ENDED) {
            tell(crew, i, false);
        } else if (job->state == JOB_RUNS && ends_ns <= now_ns) {
            crew->workers--;
            (void)atomic_fetch_add(&left_behind, 1);
            tell(crew, i, true);
        } else if (job->state != JOB_TOLD) {
            open++;
            *due_ns = job->state == JOB_RUNS && ends_ns < *due_ns ? ends_ns : *due_ns;
        }
    }
    return open;
}

static bool watch(struct crew *crew, struct ek_error *err)
{
    int64_t due_ns = 0;

    while (take_stock(crew, &due_ns) > 0) {
        hire(crew);
        if (crew->workers == 0) {
            for (size_t i = crew->next; i < crew->jobs.count; i++) {
                tell(crew, i, true);
            }
            crew->next = crew->jobs.count;
            return ek_error_set(err, EK_ERR_IO, "cannot start a thread");
        }
        struct timespec due = ek_timespec(due_ns);
        (void)pthread_cond_timedwait(&crew->changed, &crew->mutex, &due);
    }
    return true;
}

static struct crew *create(const struct ek_crew_jobs *jobs)
{
    struct crew *crew = calloc(1, sizeof(*crew));
    struct job *list = calloc(jobs->count + 1, sizeof(*list));
    pthread_condattr_t attributes;

    if (crew == NULL || list == NULL) {
        free(crew);
        free(list);
        return NULL;
    }
    *crew = (struct crew){.jobs = *jobs, .list = list, .users = 1};
    (void)pthread_mutex_init(&crew->mutex, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&crew->changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    return crew;
}

bool ek_crew_run(const struct ek_crew_jobs *jobs, struct ek_error *err)
{
    struct crew *crew = create(jobs);

    if (crew == NULL) {
        jobs->release(jobs->context);
        return ek_error_set(err, EK_ERR_NOMEM, "out of memory for %zu jobs", jobs->count);
    }
    (void)pthread_mutex_lock(&crew->mutex);
    bool done = watch(crew, err);
    (void)pthread_mutex_unlock(&crew->mutex);
    leave(crew);
    return done;
}
