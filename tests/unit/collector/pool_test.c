/* Laws of the worker pool, with a port whose hosts answer, fail or hang as told.
 *
 * Times are real and short; every wait is for a condition and only bounded by PATIENCE_S. */
#include "collector/clock.h"
#include "collector/pool.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { HOSTS = 4, PERIOD_MS = 20, PATIENCE_S = 60 };

enum behaviour { ANSWERS, FAILS, HANGS, LINGERS /* after its sample */ };

static const char *const names[HOSTS] = {"h1", "h2", "h3", "h4"};

/* One cluster for all tests: a hung read of one test must not outlive what it looks at. */
static struct cluster {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    enum behaviour behaviour[HOSTS];
    bool reading[HOSTS];
    int reads[HOSTS];
    int samples[HOSTS];
    int errors[HOSTS];
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
    bool stopped;
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
    cluster.overlaps += cluster.reading[host] ? 1 : 0;
    cluster.reading[host] = true;
    cluster.reads[host]++;
    (void)pthread_cond_broadcast(&cluster.changed);
    while (cluster.behaviour[host] == HANGS) {
        (void)pthread_cond_wait(&cluster.changed, &cluster.lock);
    }
    bool fails = cluster.behaviour[host] == FAILS;
    cluster.reading[host] = false;
    unlock();
    *out =
        (struct ek_reading){.monotonic_ns = ek_monotonic_ns(), .cpu_cores = 4, .memory_mib = 1024};
    return !fails || ek_error_set(err, EK_ERR_UNAVAILABLE, "%s: not there", names[host]);
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
    cluster.late_callbacks += cluster.stopped ? 1 : 0;
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
    struct timespec until;

    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
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

static struct ek_pool *pool_with_period(size_t hosts, unsigned int max_workers,
                                        unsigned int max_hung, int64_t period_ms)
{
    struct ek_pool_config config = {
        .port = {.read = fake_read, .after = fake_after, .listen = fake_listen},
        .hosts = names,
        .host_count = hosts,
        .collector = "test",
        .period_ms = period_ms,
        .deadline_ms = 2 * period_ms,
        .backoff_max_ms = 8 * period_ms,
        .max_workers = max_workers,
        .max_hung = max_hung,
        .seed = 1,
        .result = count_result,
        .release = count_release};
    struct ek_error err;
    struct ek_pool *pool = ek_pool_create(&config, &err);

    assert_non_null(pool);
    return pool;
}

static struct ek_pool *pool_of(size_t hosts, unsigned int max_workers, unsigned int max_hung)
{
    return pool_with_period(hosts, max_workers, max_hung, PERIOD_MS);
}

static void end(struct ek_pool *pool)
{
    assert_true(ek_pool_stop(pool, PATIENCE_S * 1000));
    lock();
    cluster.stopped = true;
    unlock();
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
    memset(cluster.behaviour, 0, sizeof(cluster.behaviour));
    memset(cluster.reads, 0, sizeof(cluster.reads));
    memset(cluster.samples, 0, sizeof(cluster.samples));
    memset(cluster.errors, 0, sizeof(cluster.errors));
    memset(cluster.afters, 0, sizeof(cluster.afters));
    cluster.early = 0;
    cluster.overlaps = 0;
    cluster.late_callbacks = 0;
    cluster.released = 0;
    cluster.stopped = false;
    unlock();
    return 0;
}

/* Every host is sampled, again and again, by as few threads as do. */
static void test_every_host_is_sampled(void **state)
{
    struct ek_pool *pool = pool_of(HOSTS, 2, 0);

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
    struct ek_pool *pool = pool_of(HOSTS, 1, 1);
    for (size_t i = 1; i < HOSTS; i++) {
        wait_for(&cluster.samples[i], 10);
    }
    assert_int_equal(count_of(&cluster.reads[0]), 1);
    assert_int_equal(count_of(&cluster.errors[0]), 1);
    assert_int_equal(cluster.last[0].code, EK_ERR_TIMEOUT);
    assert_string_equal(cluster.last[0].message, "h1: no sample within 40 ms, still waiting");
    behave(0, ANSWERS);
    end(pool);
}

/* What a port does after a sample delays neither that sample nor other hosts, even with one worker
 * in all; the host's own next reading waits for it, which is reported once. */
static void test_work_after_a_sample_delays_nobody(void **state)
{
    (void)state;
    behave(0, LINGERS);
    struct ek_pool *pool = pool_of(HOSTS, 1, 1);
    for (size_t i = 1; i < HOSTS; i++) {
        wait_for(&cluster.samples[i], 10);
    }
    assert_int_equal(count_of(&cluster.samples[0]), 1);
    assert_int_equal(count_of(&cluster.reads[0]), 1);
    assert_int_equal(count_of(&cluster.errors[0]), 1);
    behave(0, ANSWERS);
    wait_for(&cluster.samples[0], 3);
    end(pool);
}

/* When all workers hang, others take their place, up to the bound. */
static void test_all_workers_hung(void **state)
{
    (void)state;
    for (size_t i = 0; i < HOSTS - 1; i++) {
        behave(i, HANGS);
    }
    struct ek_pool *pool = pool_of(HOSTS, 1, HOSTS - 1);
    wait_for(&cluster.samples[HOSTS - 1], 10);
    assert_in_range(ek_pool_workers(pool), 2, HOSTS);
    for (size_t i = 0; i < HOSTS - 1; i++) {
        wait_for(&cluster.errors[i], 1);
        behave(i, ANSWERS);
    }
    end(pool);
}

/* A hung read that ends brings its sample, the host is read on, and the stand-ins leave. */
static void test_hung_host_recovers(void **state)
{
    (void)state;
    behave(0, HANGS);
    struct ek_pool *pool = pool_of(2, 1, 1);
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
    struct ek_pool *pool = pool_of(2, 2, 0);
    wait_for(&cluster.samples[1], 30);
    assert_in_range(count_of(&cluster.reads[0]), 3, 15);
    assert_string_equal(cluster.last[0].message, "h1: not there");
    behave(0, ANSWERS);
    wait_for(&cluster.samples[0], 3);
    end(pool);
}

/* Stopping does not wait for a hung read; what it uses is released when it ends. */
static void test_stop_leaves_hung_reads_behind(void **state)
{
    (void)state;
    behave(0, HANGS);
    struct ek_pool *pool = pool_of(2, 2, 0);
    wait_for(&cluster.reads[0], 1);
    wait_for(&cluster.samples[1], 1);
    assert_false(ek_pool_stop(pool, 50));
    lock();
    cluster.stopped = true;
    unlock();
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
    struct ek_pool *pool = pool_of(1, 1, 0);
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
    struct ek_pool *pool = pool_with_period(2, 2, 0, 3600 * 1000);

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
    struct ek_pool *pool = pool_with_period(1, 1, 0, 3600 * 1000);
    wait_for(&cluster.reads[0], 1);
    cluster.hint(cluster.receiver, 0);
    behave(0, ANSWERS);
    wait_for(&cluster.samples[0], 2);
    end(pool);
}

/* The pool's owner hastens a host as often as it must: no store of hints is asked. */
static void test_the_owner_hastens_a_host(void **state)
{
    struct ek_pool *pool = pool_with_period(2, 2, 0, 3600 * 1000);

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
    struct ek_pool *pool = pool_with_period(1, 1, 0, 3600 * 1000);
    wait_for(&cluster.reads[0], 1);
    ek_pool_hasten(pool, 0);
    behave(0, ANSWERS);
    wait_for(&cluster.samples[0], 2);
    end(pool);
}

/* A storm of hints costs no more readings than are in store. */
static void test_a_storm_of_hints_is_bounded(void **state)
{
    struct ek_pool *pool = pool_with_period(1, 1, 0, 3600 * 1000);

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
        LAW(all_workers_hung),
        LAW(hung_host_recovers),
        LAW(failing_host_backs_off),
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
