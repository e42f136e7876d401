/* The collector role: which samples go to Redis, and which of them to the history. The pool is
 * played, Redis is real. */
#include "../store/fixture.h"

#include "balancer/daemon/daemon.h"
#include "balancer/daemon/log.h"
#include "collector/libvirt/libvirt.h"
#include "collector/pool/pool.h"

#include <math.h>
#include <stdio.h>
#include <time.h>

static int64_t start_ms; /* now: samples are compared with Redis's clock */
static struct ek_daemon daemon_state;
static struct ek_config_host hosts[] = {{.name = "h1"}, {.name = "h2"}};
static struct ek_pool_config pool;
static bool measured[2]; /* per host; written by the store's thread, read when it is idle */

/* ---- the parts around it --------------------------------------------------------------------- */

struct ek_collector *ek_collector_create(const struct ek_collector_config *config,
                                         struct ek_error *err)
{
    (void)config;
    (void)err;
    return (struct ek_collector *)&pool; /* nobody looks inside */
}

void ek_collector_measure(struct ek_collector *collector, size_t host, bool wanted)
{
    (void)collector;
    measured[host] = wanted;
}

void ek_collector_destroy(void *context)
{
    (void)context;
}

struct ek_collector_port ek_collector_port(struct ek_collector *collector)
{
    (void)collector;
    return (struct ek_collector_port){0};
}

struct ek_pool *ek_pool_create(const struct ek_pool_config *config, struct ek_error *err)
{
    (void)err;
    pool = *config;
    return (struct ek_pool *)&pool;
}

bool ek_pool_stop(struct ek_pool *it, int64_t wait_ms)
{
    (void)it;
    (void)wait_ms;
    return true;
}

void ek_pool_hasten(struct ek_pool *it, size_t host)
{
    (void)it;
    (void)host;
}

void ek_pool_destroy(struct ek_pool *it)
{
    (void)it;
}

void ek_balancing_sampled(struct ek_balancing *balancing)
{
    (void)balancing;
}

static char logged[4096]; /* warnings and errors */

void ek_log(enum ek_log_level level, const char *format, ...)
{
    size_t used = strlen(logged);
    va_list args;

    va_start(args, format);
    if (level <= EK_LOG_WARNING) {
        (void)vsnprintf(logged + used, sizeof(logged) - used, format, args);
    }
    va_end(args);
}

/* ---- telling of samples ---------------------------------------------------------------------- */

static void tell_of(const char *name, size_t host, int64_t at_ms)
{
    struct ek_sample sample = {
        .taken_at_ms = start_ms + at_ms,
        .period_ms = 15000,
        .collector = "c:1",
        .host = {.name = name,
                 .cpu_cores = 8,
                 .memory_mib = 16384,
                 .cpu_used_cores = 1,
                 .memory_used_mib = NAN,
                 .migration_mib_s = 110},
    };

    pool.result(pool.context, host, &sample, NULL);
}

static void tell(size_t host, int64_t at_ms)
{
    tell_of(hosts[host].name, host, at_ms);
}

static bool nothing(struct ek_store *store, struct ek_store_job *job, struct ek_error *err)
{
    (void)store;
    (void)job;
    (void)err;
    return true;
}

/* A job of ours that is done shows that all before it are. */
static void wait_for_store(void)
{
    struct ek_store_job job = {.work = nothing};
    struct ek_error err;

    assert_done(ek_store_thread_call(daemon_state.store, &job, &err), &err);
}

static const char *kept(const char *host)
{
    wait_for_store();
    return server_say(&server, "HLEN evenkeel:history-rows:%s", host);
}

/* Written, and what that told has been heard. */
static void settle(void)
{
    wait_for_store();
    (void)uv_run(&daemon_state.loop, UV_RUN_NOWAIT);
}

static int begin(void **state)
{
    struct ek_error err;

    (void)state;
    logged[0] = '\0';
    start_ms = (int64_t)time(NULL) * 1000;
    assert_string_equal(server_say(&server, "FLUSHALL"), "OK");
    daemon_state = (struct ek_daemon){.identity = "c:1"};
    daemon_state.config = (struct ek_config){.hosts = hosts,
                                             .host_count = 2,
                                             .sample_ms = 15000,
                                             .collector_workers = 1,
                                             .history_interval_ms = 60000,
                                             .history_keep_ms = 86400000,
                                             .history_host_mib = 1};
    assert_int_equal(uv_loop_init(&daemon_state.loop), 0);
    daemon_state.store =
        ek_store_thread_create(&daemon_state.loop, server_store(&server, 5000), &err);
    assert_non_null(daemon_state.store);
    return 0;
}

static int end(void **state)
{
    (void)state;
    ek_store_thread_stop(daemon_state.store);
    (void)uv_run(&daemon_state.loop, UV_RUN_DEFAULT);
    ek_store_thread_destroy(daemon_state.store);
    ek_collecting_destroy(daemon_state.collecting);
    return uv_loop_close(&daemon_state.loop);
}

static void collect(void)
{
    struct ek_error err;

    daemon_state.collecting = ek_collecting_start(&daemon_state, &err);
    assert_done(daemon_state.collecting != NULL, &err);
}

/* ---- laws ------------------------------------------------------------------------------------ */

/* Every sample is the host's newest; one a minute goes to its history, early ones that a hint has
 * brought do not. */
static void test_one_sample_a_minute_is_kept(void **state)
{
    (void)state;
    collect();
    for (int64_t at_ms = 0; at_ms < 600000; at_ms += 15000) {
        tell(0, at_ms + at_ms / 15000 % 3); /* some ms late, now and then */
        tell(0, at_ms + 3000);              /* out of turn */
        wait_for_store();                   /* more than it takes at once is dropped */
    }
    tell(1, 0);
    assert_string_equal(kept("h1"), "10");
    assert_string_equal(kept("h2"), "1");
    char newest[40];
    (void)snprintf(newest, sizeof(newest), "%lld", (long long)start_ms + 588000);
    assert_non_null(strstr(server_say(&server, "GET evenkeel:host:h1"), newest));
}

/* A clock that is set back does not stop the history. */
static void test_a_clock_set_back_keeps_on(void **state)
{
    (void)state;
    collect();
    tell(0, 7200000);
    tell(0, 0);
    tell(0, 15000);
    tell(0, 60000);
    assert_string_equal(kept("h1"), "3");
}

/* With nothing to keep, nothing is written. */
static void test_no_history_is_no_history(void **state)
{
    (void)state;
    daemon_state.config.history_keep_ms = 0;
    collect();
    tell(0, 0);
    assert_string_equal(kept("h1"), "0");
    assert_string_equal(server_say(&server, "EXISTS evenkeel:host:h1"), "1");
}

/* A history that cannot be written takes no sample along. */
static void test_a_history_that_fails_costs_no_sample(void **state)
{
    (void)state;
    collect();
    (void)server_say(&server, "SET evenkeel:history-rows:h1 taken");
    tell(0, 0);
    wait_for_store();
    assert_string_equal(server_say(&server, "EXISTS evenkeel:host:h1"), "1");
}

/* A sample that is not written does not count as kept: the next one is. */
static void test_what_is_not_written_is_not_kept(void **state)
{
    (void)state;
    collect();
    (void)server_say(&server, "SET evenkeel:history-rows:h1 taken");
    tell(0, 0);
    wait_for_store();
    (void)server_say(&server, "DEL evenkeel:history-rows:h1");
    tell(0, 15000);
    tell(0, 30000);
    assert_string_equal(kept("h1"), "1");
}

/* The store's thread is held up until it is told to go on. */
struct held {
    struct ek_store_job job;
    uv_sem_t go_on;
};

static bool hold(struct ek_store *store, struct ek_store_job *job, struct ek_error *err)
{
    (void)store;
    (void)err;
    uv_sem_wait(&((struct held *)job)->go_on);
    return true;
}

static void let_go(struct ek_store_job *job, const struct ek_error *err)
{
    (void)job;
    (void)err;
}

/* While the store is slow, one sample of each host waits for it, however many hosts there are; of
 * those that are dropped none counts as kept. */
static void test_samples_wait_by_the_number_of_hosts(void **state)
{
    struct ek_config_host many[100];
    struct held held = {.job = {.work = hold, .done = let_go}};
    char names[100][8];

    (void)state;
    for (size_t h = 0; h < 100; h++) {
        (void)snprintf(names[h], sizeof(names[h]), "h%zu", h);
        many[h] = (struct ek_config_host){.name = names[h]};
    }
    daemon_state.config.hosts = many;
    daemon_state.config.host_count = 100;
    collect();
    assert_int_equal(uv_sem_init(&held.go_on, 0), 0);
    assert_true(ek_store_thread_submit(daemon_state.store, &held.job, 0));
    for (size_t h = 0; h < 100; h++) {
        tell_of(many[h].name, h, 0);
    }
    tell_of("h7", 7, 15000);
    uv_sem_post(&held.go_on);
    wait_for_store();
    uv_sem_destroy(&held.go_on);
    assert_string_equal(server_say(&server, "EXISTS evenkeel:history-rows:h98"), "1");
}

/* A clock that is far from Redis's is told of once, with both; samples are kept all the same. */
static void test_clocks_that_differ_are_told_of_once(void **state)
{
    (void)state;
    collect();
    tell(0, 7200000);
    tell(1, 7200000);
    settle();
    const char *first = strstr(logged, "this collector's clock says 20");
    assert_non_null(first);
    assert_non_null(strstr(first, "Z and Redis's 20"));
    assert_null(strstr(first + 1, "this collector's clock"));
    assert_string_equal(kept("h1"), "1");
    assert_string_equal(kept("h2"), "1");
    logged[0] = '\0';
    tell(0, 0);
    settle();
    assert_string_equal(logged, "");
    tell(0, -7200000);
    settle();
    assert_non_null(strstr(logged, "this collector's clock says 20"));
}

/* What cannot be read of a history is named, once, though it is met with each fold. */
static void test_what_cannot_be_read_is_told_of_once(void **state)
{
    const char *const said = "in the history of h1 one thing cannot be read, the rest goes on: "
                             "evenkeel:profile-host:h1: byte 0: found";

    (void)state;
    collect();
    (void)server_say(&server, "SET evenkeel:profile-host:h1 nonsense");
    for (int64_t minute = -48; minute < 0; minute++) {
        tell(0, minute * 60000);
        settle();
    }
    const char *first = strstr(logged, said);
    assert_non_null(first);
    assert_null(strstr(first + 1, said));
    assert_null(strstr(logged, "not complete"));
}

/* Dirty rates are measured on the hosts that the balancer names, and on no other. */
static void test_candidates_are_measured(void **state)
{
    (void)state;
    daemon_state.config.dirty_rate_ms = 600000;
    measured[0] = true;
    collect();
    (void)server_say(&server, "SET evenkeel:candidates %s", "{\"version\":1,\"hosts\":[\"h2\"]}");
    tell(0, 0);
    wait_for_store();
    assert_false(measured[0]);
    assert_true(measured[1]);
}

/* Two collectors that have one host in their lists overwrite each other: said once, with both
 * names. One that ended before is no second one. */
static void test_a_host_in_two_lists(void **state)
{
    (void)state;
    collect();
    (void)server_say(&server, "SET evenkeel:sampled-by:h1 before:1");
    tell(0, 0);
    settle();
    assert_string_equal(server_say(&server, "GET evenkeel:sampled-by:h1"), "c:1");
    assert_string_equal(logged, "");
    for (int64_t at_ms = 15000; at_ms < 60000; at_ms += 15000) {
        (void)server_say(&server, "SET evenkeel:sampled-by:h1 other:2");
        tell(0, at_ms);
        settle();
    }
    assert_string_equal(logged, "host h1 is in the lists of two collectors, of this one (c:1) and "
                                "of other:2: take it out of one of the two");
}

/* What the service manager is told: a host counts from its first sample until a reading fails. */
static void test_hosts_that_are_sampled_are_counted(void **state)
{
    const struct ek_error away = {.code = EK_ERR_UNAVAILABLE, .message = "connection refused"};

    (void)state;
    collect();
    assert_int_equal(ek_collecting_sampled(daemon_state.collecting), 0);
    pool.result(pool.context, 0, NULL, &away);
    tell(1, 0);
    assert_int_equal(ek_collecting_sampled(daemon_state.collecting), 1);
    tell(0, 15000);
    tell(1, 15000);
    assert_int_equal(ek_collecting_sampled(daemon_state.collecting), 2);
    pool.result(pool.context, 1, NULL, &away);
    pool.result(pool.context, 1, NULL, &away);
    assert_int_equal(ek_collecting_sampled(daemon_state.collecting), 1);
}

/* What is no fault of a sample is said, and takes none away. */
static void test_warnings_are_logged(void **state)
{
    struct ek_error late;

    (void)state;
    collect();
    tell(0, 0);
    logged[0] = '\0';
    (void)ek_error_set(&late, EK_ERR_TIMEOUT, "h1: what follows a sample has no end");
    pool.warn(pool.context, &late);
    assert_string_equal(logged, "h1: what follows a sample has no end");
    assert_int_equal(ek_collecting_sampled(daemon_state.collecting), 1);
}

/* Whoever asks why a host is down finds its collector's last error, until there is a sample. */
static void test_why_a_host_is_not_sampled(void **state)
{
    const struct ek_error away = {.code = EK_ERR_UNAVAILABLE, .message = "h1: refused"};

    (void)state;
    collect();
    pool.result(pool.context, 0, NULL, &away);
    tell(1, 0);
    settle();
    const char *said = server_say(&server, "GET evenkeel:unsampled:h1");
    assert_non_null(strstr(said, "\"version\":1"));
    assert_non_null(strstr(said, "\"collector\":\"c:1\""));
    assert_non_null(strstr(said, "\"error\":\"h1: refused\""));
    assert_string_equal(server_say(&server, "EXISTS evenkeel:unsampled:h2"), "0");
    assert_in_range(atoi(server_say(&server, "PTTL evenkeel:unsampled:h1")), 3000000, 3600000);
    tell(0, 15000);
    settle();
    assert_string_equal(server_say(&server, "EXISTS evenkeel:unsampled:h1"), "0");
}

/* What an earlier process had left is no reason any more, once this one has a sample. */
static void test_an_old_reason_goes_with_the_first_sample(void **state)
{
    (void)state;
    collect();
    (void)server_say(&server, "SET evenkeel:unsampled:h1 old");
    tell(0, 0);
    settle();
    assert_string_equal(server_say(&server, "EXISTS evenkeel:unsampled:h1"), "0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_sample_a_minute_is_kept, begin, end),
        cmocka_unit_test_setup_teardown(test_a_clock_set_back_keeps_on, begin, end),
        cmocka_unit_test_setup_teardown(test_no_history_is_no_history, begin, end),
        cmocka_unit_test_setup_teardown(test_a_history_that_fails_costs_no_sample, begin, end),
        cmocka_unit_test_setup_teardown(test_what_is_not_written_is_not_kept, begin, end),
        cmocka_unit_test_setup_teardown(test_samples_wait_by_the_number_of_hosts, begin, end),
        cmocka_unit_test_setup_teardown(test_clocks_that_differ_are_told_of_once, begin, end),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_read_is_told_of_once, begin, end),
        cmocka_unit_test_setup_teardown(test_candidates_are_measured, begin, end),
        cmocka_unit_test_setup_teardown(test_a_host_in_two_lists, begin, end),
        cmocka_unit_test_setup_teardown(test_hosts_that_are_sampled_are_counted, begin, end),
        cmocka_unit_test_setup_teardown(test_warnings_are_logged, begin, end),
        cmocka_unit_test_setup_teardown(test_why_a_host_is_not_sampled, begin, end),
        cmocka_unit_test_setup_teardown(test_an_old_reason_goes_with_the_first_sample, begin, end),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
