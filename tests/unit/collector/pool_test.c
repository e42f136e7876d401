/* Laws of the worker pool, with a port whose hosts answer, fail or hang as told.
 *
 * Times are real and short; every wait is for a condition and only bounded by PATIENCE_S. */
#include "collector/clock.h"
#include "collector/pool/pool.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { HOSTS = 12, PERIOD_MS = 20, PATIENCE_S = 60, HOUR_MS = 3600 * 1000 };

enum behaviour { ANSWERS, FAILS, IS_AWAY, HANGS, LINGERS /* after its sample */ };

static const char *const names[HOSTS] = {"h1", "h2", "h3", "h4",  "h5",  "h6",
                                         "h7", "h8", "h9", "h10", "h11", "h12"};

/* One cluster for all tests: a hung read of one test must not outlive what it looks at. */
static struct cluster {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    enum behaviour behaviour[HOSTS];
    int reading[HOSTS]; /* 1: a read is under way */
    int reads[HOSTS];
    int samples[HOSTS];
    int errors[HOSTS];
    int no_threads; /* above 0: none can be started, counts what was refused; below: so many can */
    int warnings;
    struct ek_error warned; /* the last of them */
    int afters[HOSTS];
    int early; /* works that no sample came before */
    struct ek_error last[HOSTS];
    bool in_callback;
    int overlaps;  /* callbacks inside callbacks, or second reads of a host */
    int strangers; /* samples of another host than was said */
    int released;
    ek_port_hint *hint; /* whom the port hints, and what it is given */
    void *receiver;
    struct ek_sample taken; /* when `take` was set */
    bool take;
    int stopped; /* 1: no callback may come */
    int late_callbacks;
} cluster = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void lock(void)
{
    (void)pthread_mutex_lock(&cluster.lock);
}

static void unlock(void)
{
    (void)pthread_cond_broadcast(&cluster.changed);
    (void)pthread_mutex_unlock(&cluster.lock);
}

static bool fake_read(void *context, size_t host, struct ek_reading *out, struct ek_error *err)
{
    (void)context;
    lock();
    cluster.overlaps += cluster.reading[host];
    cluster.reading[host] = 1;
    cluster.reads[host]++;
    (void)pthread_cond_broadcast(&cluster.changed);
    while (cluster.behaviour[host] == HANGS) {
        (void)pthread_cond_wait(&cluster.changed, &cluster.lock);
    }
    enum behaviour behaviour = cluster.behaviour[host];
    cluster.reading[host] = 0;
    unlock();
    *out =
        (struct ek_reading){.monotonic_ns = ek_monotonic_ns(), .cpu_cores = 4, .memory_mib = 1024};
    if (behaviour == IS_AWAY) {
        return ek_error_set(err, EK_ERR_UNAVAILABLE, "%s: not there", names[host]);
    }
    return behaviour != FAILS || ek_error_set(err, EK_ERR_DENIED, "%s: go away", names[host]);
}

static void fake_after(void *context, size_t host)
{
    (void)context;
    lock();
    cluster.early += cluster.samples[host] <= cluster.afters[host] ? 1 : 0;
    cluster.afters[host]++;
    (void)pthread_cond_broadcast(&cluster.changed);
    while (cluster.behaviour[host] == LINGERS) {
        (void)pthread_cond_wait(&cluster.changed, &cluster.lock);
    }
    unlock();
}

static void count_result(void *context, size_t host, struct ek_sample *sample,
                         const struct ek_error *err)
{
    (void)context;
    lock();
    cluster.overlaps += cluster.in_callback ? 1 : 0;
    cluster.late_callbacks += cluster.stopped;
    cluster.in_callback = true;
    unlock();
    lock(); /* twice, so that another callback would be seen between */
    cluster.in_callback = false;
    if (sample == NULL) {
        cluster.errors[host]++;
        cluster.last[host] = *err;
    } else {
        cluster.strangers += strcmp(sample->host.name, names[host]) != 0 ? 1 : 0;
        cluster.samples[host]++;
        if (cluster.take) {
            cluster.take = false;
            cluster.taken = *sample;
            memset(sample, 0, sizeof(*sample));
        }
    }
    unlock();
}

static void count_warning(void *context, const struct ek_error *err)
{
    (void)context;
    lock();
    cluster.overlaps += cluster.in_callback ? 1 : 0;
    cluster.late_callbacks += cluster.stopped;
    cluster.warnings++;
    cluster.warned = *err;
    unlock();
}

bool __real_ek_thread_start(void *(*entry)(void *), void *context);
bool __wrap_ek_thread_start(void *(*entry)(void *), void *context);

/* The pool's threads are real ones, until there are none to be had. */
bool __wrap_ek_thread_start(void *(*entry)(void *), void *context)
{
    lock();
    bool refused = cluster.no_threads > 0;
    if (refused) {
        cluster.no_threads++;
    } else if (cluster.no_threads < 0 && ++cluster.no_threads == 0) {
        cluster.no_threads = 1;
    }
    unlock();
    return !refused && __real_ek_thread_start(entry, context);
}

static void count_release(void *context)
{
    (void)context;
    lock();
    cluster.released++;
    unlock();
}

/* Waits until counter reaches at least `wanted`. */
static void wait_for(const int *counter, int wanted)
{
    struct timespec until = {.tv_sec = (time_t)(ek_unix_ms() / 1000) + PATIENCE_S};

    lock();
    while (*counter < wanted) {
        assert_int_equal(pthread_cond_timedwait(&cluster.changed, &cluster.lock, &until), 0);
    }
    unlock();
}

static void behave(size_t host, enum behaviour behaviour)
{
    lock();
    cluster.behaviour[host] = behaviour;
    unlock();
}

/* The first `count` hosts at once. */
static void behave_all(size_t count, enum behaviour behaviour)
{
    for (size_t i = 0; i < count; i++) {
        behave(i, behaviour);
    }
}

static void set(int *counter, int value)
{
    lock();
    *counter = value;
    unlock();
}

static int count_of(const int *counter)
{
    lock();
    int value = *counter;
    unlock();
    return value;
}

/* As the real port: a receiver that is taken away is not called any more. */
static void fake_listen(void *context, ek_port_hint *hint, void *receiver)
{
    (void)context;
    lock();
    cluster.hint = hint;
    cluster.receiver = receiver;
    unlock();
}

static struct ek_pool *pool_with_deadline(size_t hosts, unsigned int max_workers, int64_t period_ms,
                                          int64_t deadline_ms)
{
    struct ek_pool_config config = {
        .port = {.read = fake_read, .after = fake_after, .listen = fake_listen},
        .hosts = names,
        .host_count = hosts,
        .collector = "test",
        .period_ms = period_ms,
        .deadline_ms = deadline_ms,
        .backoff_max_ms = 8 * period_ms,
        .max_workers = max_workers,
        .seed = 1,
        .result = count_result,
        .warn = count_warning,
        .release = count_release};
    struct ek_error err;
    struct ek_pool *pool = ek_pool_create(&config, &err);

    assert_non_null(pool);
    return pool;
}

static struct ek_pool *pool_of(size_t hosts, unsigned int max_workers)
{
    return pool_with_deadline(hosts, max_workers, PERIOD_MS, 2 * PERIOD_MS);
}

static void end(struct ek_pool *pool)
{
    assert_true(ek_pool_stop(pool, PATIENCE_S * 1000));
    set(&cluster.stopped, 1);
    ek_pool_destroy(pool);
    assert_int_equal(count_of(&cluster.released), 1);
    assert_int_equal(cluster.overlaps, 0);
    assert_int_equal(cluster.strangers, 0);
    assert_int_equal(cluster.early, 0);
    assert_int_equal(cluster.late_callbacks, 0);
}

static int setup(void **state)
{
    (void)state;
    lock();
    memset(&cluster.behaviour, 0, sizeof(cluster) - offsetof(struct cluster, behaviour));
    unlock();
    return 0;
}

/* Every host is sampled, again and again, by as few threads as do. */
static void test_every_host_is_sampled(void **state)
{
    struct ek_pool *pool = pool_of(HOSTS, 2);

    (void)state;
    for (size_t i = 0; i < HOSTS; i++) {
        wait_for(&cluster.samples[i], 5);
        assert_int_equal(count_of(&cluster.errors[i]), 0);
    }
    assert_in_range(ek_pool_workers(pool), 1, 2);
    end(pool);
}

/* A host that hangs is read once, is reported once, and delays nobody, even with one worker in all.
 */
static void test_hung_host_delays_nobody(void **state)
{
    (void)state;
    behave(0, HANGS);
    struct ek_pool *pool = pool_of(HOSTS, 1);
    for (size_t i = 1; i < HOSTS; i++) {
        wait_for(&cluster.samples[i], 10);
    }
    wait_for(&cluster.errors[0], 1);
    assert_int_equal(count_of(&cluster.reads[0]), 1);
    assert_int_equal(count_of(&cluster.errors[0]), 1);
    assert_int_equal(cluster.last[0].code, EK_ERR_TIMEOUT);
    assert_string_equal(cluster.last[0].message, "h1: no sample within 40 ms, still waiting");
    behave(0, ANSWERS);
    end(pool);
}

/* What a port does after a sample delays neither that sample nor other hosts, even with one worker
 * in all; the host's own next reading waits for it, of which is warned once. It fails no sample. */
static void test_work_after_a_sample_delays_nobody(void **state)
{
    (void)state;
    behave(0, LINGERS);
    struct ek_pool *pool = pool_of(HOSTS, 1);
    for (size_t i = 1; i < HOSTS; i++) {
        wait_for(&cluster.samples[i], 10);
    }
    wait_for(&cluster.warnings, 1);
    assert_int_equal(count_of(&cluster.samples[0]), 1);
    assert_int_equal(count_of(&cluster.reads[0]), 1);
    assert_int_equal(count_of(&cluster.warnings), 1);
    assert_int_equal(cluster.warned.code, EK_ERR_TIMEOUT);
    assert_string_equal(cluster.warned.message,
                        "h1: what follows a sample has no end within 40 ms, no other is taken "
                        "before that");
    behave(0, ANSWERS);
    wait_for(&cluster.samples[0], 3);
    assert_int_equal(count_of(&cluster.errors[0]), 0);
    end(pool);
}

/* A late reading and what follows it are told of each: nothing else wakes the pool between. (A
 * period is an hour: no turn comes meanwhile.) */
static void test_work_after_a_late_sample_is_warned_of(void **state)
{
    (void)state;
    behave(0, HANGS);
    struct ek_pool *pool = pool_with_deadline(1, 1, HOUR_MS, 2 * PERIOD_MS);
    wait_for(&cluster.errors[0], 1);
    behave(0, LINGERS);
    wait_for(&cluster.warnings, 1);
    assert_int_equal(count_of(&cluster.samples[0]), 1);
    assert_int_equal(count_of(&cluster.errors[0]), 1);
    behave(0, ANSWERS);
    end(pool);
}

/* When all workers hang, and all that took their place, others do: whatever the number of hosts
 * that hang, those that answer are read. No host has more than one thread. */
static void test_all_workers_hung(void **state)
{
    (void)state;
    behave_all(HOSTS - 1, HANGS);
    struct ek_pool *pool = pool_of(HOSTS, 1);
    wait_for(&cluster.samples[HOSTS - 1], 10);
    assert_int_equal(ek_pool_workers(pool), HOSTS);
    for (size_t i = 0; i < HOSTS - 1; i++) {
        wait_for(&cluster.errors[i], 1);
        behave(i, ANSWERS);
    }
    end(pool);
}

/* A switch dies: more hosts than there are workers, neighbours in the timetable, fall silent at
 * once. The others are read on meanwhile, long before the deadline at which that is an error. */
static void test_many_hosts_that_fall_silent_delay_nobody(void **state)
{
    struct ek_pool *pool = pool_with_deadline(HOSTS, 2, PERIOD_MS, PATIENCE_S * 1000);

    (void)state;
    for (size_t i = 0; i < HOSTS; i++) {
        wait_for(&cluster.samples[i], 1);
    }
    behave_all(HOSTS - 4, HANGS);
    for (size_t i = HOSTS - 4; i < HOSTS; i++) {
        wait_for(&cluster.samples[i], count_of(&cluster.samples[i]) + 10);
    }
    for (size_t i = 0; i < HOSTS - 4; i++) {
        assert_int_equal(count_of(&cluster.reading[i]), 1);
        assert_int_equal(count_of(&cluster.errors[i]), 0);
        behave(i, ANSWERS);
    }
    end(pool);
}

/* Where no thread can be had for a stand-in, that is said, once, and tried again. */
static void test_a_shortage_of_threads_is_told(void **state)
{
    (void)state;
    behave(0, HANGS);
    set(&cluster.no_threads, -2); /* the dispatcher's, and one worker's */
    struct ek_pool *pool = pool_of(2, 1);
    wait_for(&cluster.reads[0], 1);
    wait_for(&cluster.no_threads, 3);
    assert_int_equal(count_of(&cluster.warnings), 1);
    assert_int_equal(cluster.warned.code, EK_ERR_IO);
    assert_string_equal(
        cluster.warned.message,
        "cannot start another thread: 1 are there to read hosts, hosts that are due and wait: 1");
    int samples = count_of(&cluster.samples[1]);
    set(&cluster.no_threads, 0);
    wait_for(&cluster.samples[1], samples + 5);
    behave(0, ANSWERS);
    end(pool);
}

/* A hung read that ends brings its sample, the host is read on, and the stand-ins leave. */
static void test_hung_host_recovers(void **state)
{
    (void)state;
    behave(0, HANGS);
    struct ek_pool *pool = pool_of(2, 1);
    wait_for(&cluster.errors[0], 1);
    wait_for(&cluster.samples[1], 3);
    behave(0, ANSWERS);
    wait_for(&cluster.samples[0], 5);
    for (int i = 1; ek_pool_workers(pool) > 1; i++) {
        wait_for(&cluster.samples[1], 3 + i);
    }
    end(pool);
}

/* A host that fails is tried less and less often while the others keep their pace, and recovers. */
static void test_failing_host_backs_off(void **state)
{
    (void)state;
    behave(0, FAILS);
    struct ek_pool *pool = pool_of(2, 2);
    wait_for(&cluster.samples[1], 30);
    assert_in_range(count_of(&cluster.reads[0]), 3, 15);
    assert_string_equal(cluster.last[0].message, "h1: go away");
    behave(0, ANSWERS);
    wait_for(&cluster.samples[0], 3);
    end(pool);
}

/* One that cannot be reached is looked for more often than it would be read. */
static void test_host_that_is_away_is_looked_for(void **state)
{
    (void)state;
    behave(0, IS_AWAY);
    struct ek_pool *pool = pool_with_deadline(2, 2, 200, 400);
    wait_for(&cluster.errors[0], 10);
    assert_in_range(count_of(&cluster.samples[1]), 0, 9);
    behave(0, ANSWERS);
    wait_for(&cluster.samples[0], 3);
    end(pool);
}

/* Trials of hosts that failed before take all the time they like (a probe of a host behind a dead
 * link waits for its end): even with one worker, and with many of them, they delay nobody, nor one
 * another. */
static void test_trials_delay_nobody(void **state)
{
    (void)state;
    behave_all(HOSTS - 1, IS_AWAY);
    /* Deadlines are out of sight: no trial ever counts as hung. */
    struct ek_pool *pool = pool_with_deadline(HOSTS, 1, PERIOD_MS, PATIENCE_S * 1000);
    for (size_t i = 0; i < HOSTS - 1; i++) {
        wait_for(&cluster.errors[i], 1);
        behave(i, HANGS);
    }
    wait_for(&cluster.samples[HOSTS - 1], count_of(&cluster.samples[HOSTS - 1]) + 10);
    for (size_t i = 0; i < HOSTS - 1; i++) {
        wait_for(&cluster.reading[i], 1);
    }
    behave_all(HOSTS - 1, IS_AWAY);
    for (size_t i = 0; i < HOSTS - 1; i++) {
        wait_for(&cluster.errors[i], count_of(&cluster.errors[i]) + 3);
    }
    end(pool);
}

/* Stopping does not wait for a hung read; what it uses is released when it ends. */
static void test_stop_leaves_hung_reads_behind(void **state)
{
    (void)state;
    behave(0, HANGS);
    struct ek_pool *pool = pool_of(2, 2);
    wait_for(&cluster.reads[0], 1);
    wait_for(&cluster.samples[1], 1);
    assert_false(ek_pool_stop(pool, 50));
    set(&cluster.stopped, 1);
    ek_pool_destroy(pool);
    assert_int_equal(count_of(&cluster.released), 0);
    behave(0, ANSWERS);
    wait_for(&cluster.released, 1);
    assert_int_equal(count_of(&cluster.late_callbacks), 0);
}

/* A callback may keep a sample: it lives on after the pool. */
static void test_sample_can_be_taken_over(void **state)
{
    (void)state;
    cluster.take = true;
    struct ek_pool *pool = pool_of(1, 1);
    wait_for(&cluster.samples[0], 2);
    end(pool);
    assert_string_equal(cluster.taken.host.name, "h1");
    assert_string_equal(cluster.taken.collector, "test");
    ek_sample_finish(&cluster.taken);
}

/* A hint has a host read long before its turn, and only that host; the pool that ended is not
 * hinted any more. (A period is an hour: a turn would not come.) */
static void test_hints_do_not_wait_for_a_turn(void **state)
{
    struct ek_pool *pool = pool_with_deadline(2, 2, HOUR_MS, HOUR_MS);

    (void)state;
    wait_for(&cluster.samples[0], 1); /* host 0 of the grid begins at once */
    cluster.hint(cluster.receiver, 0);
    wait_for(&cluster.samples[0], 2);
    assert_int_equal(count_of(&cluster.samples[1]), 0);
    assert_int_equal(ek_pool_hinted(pool), 1);
    end(pool);
    assert_null(cluster.hint);
}

/* A hint that comes while the host is read is not lost: that reading may have missed its cause. */
static void test_hints_during_a_reading_are_kept(void **state)
{
    (void)state;
    behave(0, HANGS);
    struct ek_pool *pool = pool_with_deadline(1, 1, HOUR_MS, HOUR_MS);
    wait_for(&cluster.reads[0], 1);
    cluster.hint(cluster.receiver, 0);
    behave(0, ANSWERS);
    wait_for(&cluster.samples[0], 2);
    end(pool);
}

/* The pool's owner hastens a host as often as it must: no store of hints is asked. */
static void test_the_owner_hastens_a_host(void **state)
{
    struct ek_pool *pool = pool_with_deadline(2, 2, HOUR_MS, HOUR_MS);

    (void)state;
    wait_for(&cluster.samples[0], 1);
    for (int wanted = 2; wanted <= 10; wanted++) {
        ek_pool_hasten(pool, 0);
        wait_for(&cluster.samples[0], wanted);
    }
    assert_int_equal(count_of(&cluster.samples[1]), 0);
    assert_int_equal(ek_pool_hinted(pool), 0);
    end(pool);
}

/* A read that was under way when its host was hastened may be older news: another one follows. */
static void test_a_hastened_reading_is_followed_by_another(void **state)
{
    (void)state;
    behave(0, HANGS);
    struct ek_pool *pool = pool_with_deadline(1, 1, HOUR_MS, HOUR_MS);
    wait_for(&cluster.reads[0], 1);
    ek_pool_hasten(pool, 0);
    behave(0, ANSWERS);
    wait_for(&cluster.samples[0], 2);
    end(pool);
}

/* A storm of hints costs no more readings than are in store. */
static void test_a_storm_of_hints_is_bounded(void **state)
{
    struct ek_pool *pool = pool_with_deadline(1, 1, HOUR_MS, HOUR_MS);

    (void)state;
    wait_for(&cluster.samples[0], 1);
    for (int wanted = 2; wanted <= 5; wanted++) {
        while (count_of(&cluster.samples[0]) < wanted) {
            cluster.hint(cluster.receiver, 0);
        }
    }
    for (int i = 0; i < 1000; i++) {
        cluster.hint(cluster.receiver, 0);
    }
    assert_int_equal(ek_pool_hinted(pool), 4);
    end(pool);
}

/* A pool without hosts, time or hands is refused. */
static void test_empty_config_is_refused(void **state)
{
    struct ek_pool_config config = {.host_count = 0};
    struct ek_error err;

    (void)state;
    assert_null(ek_pool_create(&config, &err));
    assert_int_equal(err.code, EK_ERR_INVALID);
}

#define LAW(name) cmocka_unit_test_setup(test_##name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAW(every_host_is_sampled),
        LAW(hung_host_delays_nobody),
        LAW(work_after_a_sample_delays_nobody),
        LAW(work_after_a_late_sample_is_warned_of),
        LAW(all_workers_hung),
        LAW(many_hosts_that_fall_silent_delay_nobody),
        LAW(a_shortage_of_threads_is_told),
        LAW(hung_host_recovers),
        LAW(failing_host_backs_off),
        LAW(host_that_is_away_is_looked_for),
        LAW(trials_delay_nobody),
        LAW(stop_leaves_hung_reads_behind),
        LAW(sample_can_be_taken_over),
        LAW(empty_config_is_refused),
        LAW(hints_do_not_wait_for_a_turn),
        LAW(hints_during_a_reading_are_kept),
        LAW(the_owner_hastens_a_host),
        LAW(a_hastened_reading_is_followed_by_another),
        LAW(a_storm_of_hints_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
