/* The collector role: which samples go to Redis, and which of them to the history. The pool is
 * played, Redis is real. */
#include "../store/server.h"

#include "balancer/daemon/daemon.h"
#include "collector/libvirt.h"
#include "collector/pool.h"

#include <math.h>

#define START_MS ((int64_t)1764000000000)

static struct server server;
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

/* ---- telling of samples ---------------------------------------------------------------------- */

static void tell(size_t host, int64_t at_ms)
{
    struct ek_sample sample = {
        .taken_at_ms = START_MS + at_ms,
        .period_ms = 15000,
        .collector = "c:1",
        .host = {.name = hosts[host].name,
                 .cpu_cores = 8,
                 .memory_mib = 16384,
                 .cpu_used_cores = 1,
                 .memory_used_mib = NAN,
                 .migration_mib_s = 110},
    };

    pool.result(pool.context, host, &sample, NULL);
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

static int begin(void **state)
{
    struct ek_error err;

    (void)state;
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
    assert_non_null(strstr(server_say(&server, "GET evenkeel:host:h1"), "1764000588000"));
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

static int setup(void **state)
{
    (void)state;
    server_start(&server);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    server_stop(&server);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_sample_a_minute_is_kept, begin, end),
        cmocka_unit_test_setup_teardown(test_a_clock_set_back_keeps_on, begin, end),
        cmocka_unit_test_setup_teardown(test_no_history_is_no_history, begin, end),
        cmocka_unit_test_setup_teardown(test_a_history_that_fails_costs_no_sample, begin, end),
        cmocka_unit_test_setup_teardown(test_candidates_are_measured, begin, end),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
