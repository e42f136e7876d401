/* The history of hosts: nothing acknowledged is lost, nothing is told twice, what is old goes. */
#include "balancer/codec/history_block.h"
#include "server.h"

#include <math.h>
#include <stdio.h>

enum { MINUTE_MS = 60000 };

#define START_MS ((int64_t)1764000000000)

static struct server server;
static const struct ek_history_limits plenty = {.keep_ms = (int64_t)8 * 24 * 60 * MINUTE_MS,
                                                .max_bytes = 1 << 20};

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

static int clean(void **state)
{
    (void)state;
    assert_string_equal(server_say(&server, "FLUSHALL"), "OK");
    return 0;
}

static struct ek_domain web = {.uuid = "6c1f0a3e-5d7b-4a57-9b0e-3f6f2f0a7c11",
                               .name = "web-1",
                               .vcpus = 2,
                               .memory_mib = 2048,
                               .cpu_steal = NAN,
                               .memory_used_mib = NAN,
                               .memory_rss_mib = 1900,
                               .movable = true};

/* The sample of minute `i`, which its CPU figure tells. */
static struct ek_sample sample_of(int64_t i)
{
    web.cpu_used_cores = (double)i / 100;
    return (struct ek_sample){
        .taken_at_ms = START_MS + i * MINUTE_MS,
        .period_ms = 15000,
        .collector = "c:1",
        .host = {.name = "h1",
                 .cpu_cores = 8,
                 .memory_mib = 16384,
                 .cpu_used_cores = NAN,
                 .memory_used_mib = NAN,
                 .migration_mib_s = 110},
        .domains = &web,
        .domain_count = 1,
    };
}

static void add(int64_t from, int64_t to, const struct ek_history_limits *limits)
{
    struct ek_error err;

    for (int64_t i = from; i < to; i++) {
        struct ek_sample sample = sample_of(i);
        assert_done(ek_store_add_history(server.store, &sample, limits, &err), &err);
    }
}

/* What was read: minutes in their order. */
struct seen {
    int64_t first;
    int64_t next; /* after the last; first and next 0: nothing */
    size_t blocks;
    bool gaps;
};

static bool look(void *context, const struct ek_history_block *block, struct ek_error *err)
{
    struct seen *seen = context;

    for (size_t i = 0; i < ek_history_block_count(block); i++) {
        struct ek_sample sample;
        assert_done(ek_history_block_sample(block, i, &sample, err), err);
        int64_t minute = (sample.taken_at_ms - START_MS) / MINUTE_MS;
        assert_true(fabs(sample.domains[0].cpu_used_cores - (double)minute / 100) < 1e-9);
        seen->first = seen->next == 0 ? minute : seen->first;
        seen->gaps = seen->gaps || (seen->next != 0 && minute != seen->next);
        seen->next = minute + 1;
        ek_sample_finish(&sample);
    }
    seen->blocks++;
    return true;
}

static struct seen read_all(char *bad, size_t bad_size)
{
    struct seen seen = {0};
    struct ek_error err;

    assert_done(ek_store_get_history(server.store, "h1", look, &seen, bad, bad_size, &err), &err);
    return seen;
}

static void assert_minutes(int64_t first, int64_t next)
{
    char bad[200];
    struct seen seen = read_all(bad, sizeof(bad));

    assert_string_equal(bad, "");
    assert_int_equal(seen.first, first);
    assert_int_equal(seen.next, next);
    assert_false(seen.gaps);
}

static long number(const char *command)
{
    return strtol(server_say(&server, "%s", command), NULL, 10);
}

/* Every sample is there at once, in order, and few are unpacked at any time. */
static void test_all_samples_are_there(void **state)
{
    (void)state;
    for (int64_t i = 0; i < 500; i += 7) {
        add(i, i + 7 < 500 ? i + 7 : 500, &plenty);
        assert_minutes(0, i + 7 < 500 ? i + 7 : 500);
        assert_in_range(number("HLEN evenkeel:history-rows:h1"), 0, 15);
    }
    assert_in_range(number("HLEN evenkeel:history:h1"), 2, 4);
}

/* What was acknowledged survives the server's death and ours, at whatever moment. */
static void test_a_restart_loses_nothing(void **state)
{
    (void)state;
    for (int64_t i = 1; i <= 40; i += 13) {
        add(i - 1, i + 12, &plenty);
        server_crash_and_restart(&server);
        ek_store_destroy(server.store);
        server.store = server_store(&server, 5000);
        assert_minutes(0, i + 12);
    }
}

/* Who dies between writing a folded block and removing what it holds leaves samples twice; they
 * are told once, and the next fold mends it. Here it is a server that forbids the removal. */
static void test_a_fold_that_died_tells_nothing_twice(void **state)
{
    struct ek_store *ours = server.store;
    struct ek_error err;

    (void)state;
    add(0, 31, &plenty);
    struct ek_sample sample = sample_of(31);
    (void)server_say(&server, "ACL SETUSER weak on >pw ~* +@all -hdel");
    server.store = server_login(&server, "weak", "pw");
    assert_false(ek_store_add_history(server.store, &sample, &plenty, &err));
    assert_int_equal(err.code, EK_ERR_DENIED);
    ek_store_destroy(server.store);
    server.store = ours;
    assert_int_equal(number("HLEN evenkeel:history-rows:h1"), 16);
    assert_int_equal(number("HLEN evenkeel:history:h1"), 2);
    assert_minutes(0, 32);
    add(32, 33, &plenty);
    assert_int_equal(number("HLEN evenkeel:history-rows:h1"), 0);
    assert_minutes(0, 33);
    add(33, 60, &plenty);
    assert_minutes(0, 60);
}

/* What is older than it is to be kept goes, by whole blocks; keys of a host that is not sampled
 * any more go, too. */
static void test_what_is_old_goes(void **state)
{
    const struct ek_history_limits day = {.keep_ms = (int64_t)24 * 60 * MINUTE_MS,
                                          .max_bytes = 1 << 20};
    char bad[200];

    (void)state;
    add(0, 3000, &day);
    struct seen seen = read_all(bad, sizeof(bad));
    assert_int_equal(seen.next, 3000);
    assert_false(seen.gaps);
    /* A day, and at most a block more. */
    assert_in_range(seen.next - seen.first, 24 * 60 - 16, 24 * 60 + 256);
    assert_in_range(number("PTTL evenkeel:history:h1"), day.keep_ms - 60000, day.keep_ms);
    assert_in_range(number("PTTL evenkeel:history-rows:h1"), day.keep_ms - 60000, day.keep_ms);
}

/* All blocks' sizes, with which their names end. */
static long block_bytes(void)
{
    char names[4096];
    char *left = names;
    long bytes = 0;

    (void)snprintf(names, sizeof(names), "%s", server_say(&server, "HKEYS evenkeel:history:h1"));
    for (char *name = strtok_r(left, " ", &left); name != NULL; name = strtok_r(NULL, " ", &left)) {
        bytes += strtol(strrchr(name, '-') + 1, NULL, 10);
    }
    return bytes;
}

/* A host's blocks stay within their size, the newest being kept. */
static void test_what_is_too_much_goes(void **state)
{
    const struct ek_history_limits small = {.keep_ms = plenty.keep_ms, .max_bytes = 3000};
    char bad[200];

    (void)state;
    add(0, 3000, &small);
    struct seen seen = read_all(bad, sizeof(bad));
    assert_int_equal(seen.next, 3000);
    assert_false(seen.gaps);
    assert_true(seen.first > 0);
    assert_in_range(block_bytes(), 1500, 3000);
}

/* A block that cannot be read costs its own samples, and is named. */
static void test_a_bad_block_is_passed_over(void **state)
{
    char bad[200];

    (void)state;
    add(0, 500, &plenty);
    (void)server_say(&server, "HSET evenkeel:history:h1 1-2-3-4 nonsense");
    (void)server_say(&server, "HSET evenkeel:history:h1 notes of-somebody");
    struct seen seen = read_all(bad, sizeof(bad));
    assert_int_equal(seen.next, 500);
    assert_false(seen.gaps);
    assert_non_null(strstr(bad, "evenkeel:history:h1 1-2-3-4: byte 0: found"));
    assert_null(strstr(bad, "notes"));
    add(500, 520, &plenty);
    seen = read_all(bad, sizeof(bad));
    assert_int_equal(seen.next, 520);
}

static bool put_back(void *context, const struct ek_history_block *block, struct ek_error *err)
{
    (void)context;
    return ek_store_put_history(server.store, block, &plenty, err);
}

/* What was read can be put into another history, once or twice: each sample is there once. */
static void test_a_history_can_be_put_back(void **state)
{
    char bad[200];
    struct ek_error err;

    (void)state;
    add(0, 300, &plenty);
    for (int i = 0; i < 2; i++) {
        assert_done(
            ek_store_get_history(server.store, "h1", put_back, NULL, bad, sizeof(bad), &err), &err);
    }
    assert_string_equal(server_say(&server, "DEL evenkeel:history-rows:h1"), "1");
    assert_minutes(0, 300);
    add(300, 340, &plenty);
    assert_minutes(0, 340);
}

/* A clock that is set back costs no sample, whatever it was taken for twice. */
static void test_a_clock_set_back(void **state)
{
    (void)state;
    add(50, 100, &plenty);
    add(0, 140, &plenty);
    assert_minutes(0, 140);
    assert_in_range(number("HLEN evenkeel:history-rows:h1"), 0, 15);
}

/* A sample that nobody could read is refused, and harms nothing. */
static void test_a_bad_sample_is_refused(void **state)
{
    struct ek_sample sample = sample_of(3);
    struct ek_error err;

    (void)state;
    add(0, 3, &plenty);
    sample.host.cpu_cores = 0;
    assert_false(ek_store_add_history(server.store, &sample, &plenty, &err));
    assert_int_equal(err.code, EK_ERR_INVALID);
    assert_minutes(0, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_all_samples_are_there, clean),
        cmocka_unit_test_setup(test_a_restart_loses_nothing, clean),
        cmocka_unit_test_setup(test_a_fold_that_died_tells_nothing_twice, clean),
        cmocka_unit_test_setup(test_what_is_old_goes, clean),
        cmocka_unit_test_setup(test_what_is_too_much_goes, clean),
        cmocka_unit_test_setup(test_a_bad_block_is_passed_over, clean),
        cmocka_unit_test_setup(test_a_history_can_be_put_back, clean),
        cmocka_unit_test_setup(test_a_clock_set_back, clean),
        cmocka_unit_test_setup(test_a_bad_sample_is_refused, clean),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
