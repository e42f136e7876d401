/* The history of hosts: nothing acknowledged is lost, nothing is told twice, what is old goes. */
#include "balancer/codec/history_block.h"
#include "fixture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { MINUTE_MS = 60000 };

#define START_MS ((int64_t)1764000000000)

static const struct ek_history_limits plenty = {.keep_ms = (int64_t)8 * 24 * 60 * MINUTE_MS,
                                                .max_bytes = 1 << 20};

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

static struct ek_history_added added; /* with the newest sample */

static void add(int64_t from, int64_t to, const struct ek_history_limits *limits)
{
    struct ek_error err;

    for (int64_t i = from; i < to; i++) {
        struct ek_sample sample = sample_of(i);
        assert_done(ek_store_add_history(server.store, &sample, limits, &added, &err), &err);
    }
}

/* What was read: minutes in their order. */
struct seen {
    int64_t first;
    int64_t next; /* after the last; first and next 0: nothing */
    size_t samples;
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
        seen->samples++;
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
        assert_in_range(number("HLEN evenkeel:history-rows:h1"), 0, 22);
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
    /* "h1" is folded at 17 rows. */
    add(0, 33, &plenty);
    struct ek_sample sample = sample_of(33);
    (void)server_say(&server, "ACL SETUSER weak on >pw ~* +@all -hdel");
    server.store = server_login(&server, "weak", "pw");
    assert_false(ek_store_add_history(server.store, &sample, &plenty, &added, &err));
    assert_int_equal(err.code, EK_ERR_DENIED);
    ek_store_destroy(server.store);
    server.store = ours;
    assert_int_equal(number("HLEN evenkeel:history-rows:h1"), 17);
    assert_int_equal(number("HLEN evenkeel:history:h1"), 2);
    assert_minutes(0, 34);
    add(34, 35, &plenty);
    assert_int_equal(number("HLEN evenkeel:history-rows:h1"), 0);
    assert_minutes(0, 35);
    add(35, 60, &plenty);
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
    assert_in_range(seen.next - seen.first, 24 * 60 - 23, 24 * 60 + 263);
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
    const struct ek_history_limits small = {.keep_ms = plenty.keep_ms, .max_bytes = 2000};
    char bad[200];

    (void)state;
    add(0, 3000, &small);
    struct seen seen = read_all(bad, sizeof(bad));
    assert_int_equal(seen.next, 3000);
    assert_false(seen.gaps);
    assert_true(seen.first > 0);
    assert_in_range(block_bytes(), 1000, 2000);
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

/* Puts a block of two samples: minute `first`, and minute 100, when the host uses so many cores. */
static void put_two(int64_t first, double cores)
{
    const int64_t minutes[] = {first, 100};
    struct ek_history_block *block = ek_history_block_create();
    struct ek_error err;

    for (int i = 0; i < 2; i++) {
        struct ek_sample sample = sample_of(minutes[i]);
        sample.host.cpu_used_cores = cores;
        assert_done(ek_history_block_add(block, &sample, &err), &err);
    }
    assert_done(ek_store_put_history(server.store, block, &plenty, &err), &err);
    ek_history_block_destroy(block);
}

static bool look_at_minute_100(void *context, const struct ek_history_block *block,
                               struct ek_error *err)
{
    struct ek_sample sample;

    assert_done(ek_history_block_sample(block, ek_history_block_count(block) - 1, &sample, err),
                err);
    *(double *)context = sample.host.cpu_used_cores;
    ek_sample_finish(&sample);
    return true;
}

/* Of two samples of one time that of the block that begins first is told, at every reading. */
static void test_of_equal_times_the_first_is_told(void **state)
{
    void *held[16] = {NULL};
    struct ek_error err;
    char bad[100];

    (void)state;
    for (int i = 8; i > 0; i--) {
        put_two(10 * i, i);
    }
    for (size_t i = 0; i < 16; i++) {
        double cores = 0;
        assert_done(ek_store_get_history(server.store, "h1", look_at_minute_100, &cores, bad,
                                         sizeof(bad), &err),
                    &err);
        assert_true(cores == 1);
        held[i] = malloc(100 * (i + 1)); /* blocks lie elsewhere at the next reading */
    }
    for (size_t i = 0; i < 16; i++) {
        free(held[i]);
    }
}

/* A clock that is set back costs no sample, whatever it was taken for twice. */
static void test_a_clock_set_back(void **state)
{
    (void)state;
    add(50, 100, &plenty);
    add(0, 140, &plenty);
    assert_minutes(0, 140);
    assert_in_range(number("HLEN evenkeel:history-rows:h1"), 0, 22);
}

/* One sample of a clock that was far ahead, as before NTP at a boot, takes no past along, and is
 * kept as it is: it was acknowledged. */
static void test_a_clock_far_ahead(void **state)
{
    const struct ek_history_limits day = {.keep_ms = (int64_t)24 * 60 * MINUTE_MS,
                                          .max_bytes = 1 << 20};
    char bad[100];

    (void)state;
    add(0, 300, &day);
    add(20000000, 20000001, &day); /* 38 years */
    add(300, 340, &day);
    struct seen seen = read_all(bad, sizeof(bad));
    assert_int_equal(seen.samples, 341);
    assert_int_equal(seen.next, 20000001);
    assert_in_range(number("HLEN evenkeel:history-rows:h1"), 0, 22);
    add(340, 2000, &day);
    seen = read_all(bad, sizeof(bad));
    assert_in_range(seen.first, 300, 2000 - 24 * 60);
    assert_int_equal(seen.next, 20000001);
}

static int64_t minute_now(void)
{
    return ((int64_t)time(NULL) * 1000 - START_MS) / MINUTE_MS;
}

/* A collector whose clock stays ahead of Redis's has its history all the same, from the first
 * sample on, folded as any other. */
static void test_a_clock_that_stays_ahead(void **state)
{
    const int64_t hours_ahead[] = {2, 48, 24 * 365};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        (void)server_say(&server, "FLUSHALL");
        int64_t now = minute_now();
        int64_t ahead = now + hours_ahead[i] * 60;
        for (int64_t m = 0; m < 500; m += 10) {
            add(ahead + m, ahead + m + 10, &plenty);
            assert_in_range(number("HLEN evenkeel:history-rows:h1"), 0, 22);
        }
        assert_minutes(ahead, ahead + 500);
        assert_in_range((added.server_ms - START_MS) / MINUTE_MS, now, now + 2);
    }
}

/* A clock that goes ahead by hours in the midst of it ends nothing either. */
static void test_a_clock_that_goes_ahead(void **state)
{
    char bad[100];
    int64_t now = minute_now();

    (void)state;
    add(now - 60, now, &plenty);
    add(now + 120, now + 180, &plenty);
    assert_int_equal(read_all(bad, sizeof(bad)).samples, 120);
}

/* What a clock that was ahead has left gives way first, where there is too much: it does not turn
 * out what is new. */
static void test_what_was_ahead_gives_way(void **state)
{
    const struct ek_history_limits small = {.keep_ms = plenty.keep_ms, .max_bytes = 2000};
    int64_t now = minute_now();
    char bad[100];

    (void)state;
    add(now + 10000, now + 13000, &small);
    add(now, now + 500, &small);
    struct seen seen = read_all(bad, sizeof(bad));
    assert_int_equal(seen.first, now);
    assert_true(seen.samples > 500 && seen.samples < 3500);
    assert_in_range(block_bytes(), 1000, 2000);
    add(now + 500, now + 3000, &small);
    assert_int_equal(read_all(bad, sizeof(bad)).next, now + 3000);
}

/* A sample that nobody could read is refused, and harms nothing. */
static void test_a_bad_sample_is_refused(void **state)
{
    struct ek_sample sample = sample_of(3);
    struct ek_error err;

    (void)state;
    add(0, 3, &plenty);
    sample.host.cpu_cores = 0;
    assert_false(ek_store_add_history(server.store, &sample, &plenty, &added, &err));
    assert_int_equal(err.code, EK_ERR_INVALID);
    assert_minutes(0, 3);
}

/* What ended before is not read; a block that reaches beyond comes whole. */
static void test_newest_part(void **state)
{
    struct seen seen = {0};
    struct ek_error err;
    char bad[200];

    (void)state;
    add(0, 280, &plenty); /* a whole block, and what follows it */
    assert_done(ek_store_get_history_since(server.store, "h1", START_MS + 275 * MINUTE_MS, look,
                                           &seen, bad, sizeof(bad), &err),
                &err);
    assert_string_equal(bad, "");
    assert_int_equal(seen.next, 280);
    assert_in_range(seen.first, 200, 275);
    assert_false(seen.gaps);
    memset(&seen, 0, sizeof(seen));
    assert_done(
        ek_store_get_history_since(server.store, "h1", 0, look, &seen, bad, sizeof(bad), &err),
        &err);
    assert_int_equal(seen.samples, 280);
    memset(&seen, 0, sizeof(seen));
    assert_done(
        ek_store_get_history_since(server.store, "h2", 0, look, &seen, bad, sizeof(bad), &err),
        &err);
    assert_int_equal(seen.samples, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_newest_part, clean),
        cmocka_unit_test_setup(test_all_samples_are_there, clean),
        cmocka_unit_test_setup(test_a_restart_loses_nothing, clean),
        cmocka_unit_test_setup(test_a_fold_that_died_tells_nothing_twice, clean),
        cmocka_unit_test_setup(test_what_is_old_goes, clean),
        cmocka_unit_test_setup(test_what_is_too_much_goes, clean),
        cmocka_unit_test_setup(test_a_clock_far_ahead, clean),
        cmocka_unit_test_setup(test_a_clock_that_stays_ahead, clean),
        cmocka_unit_test_setup(test_a_clock_that_goes_ahead, clean),
        cmocka_unit_test_setup(test_what_was_ahead_gives_way, clean),
        cmocka_unit_test_setup(test_a_bad_block_is_passed_over, clean),
        cmocka_unit_test_setup(test_a_history_can_be_put_back, clean),
        cmocka_unit_test_setup(test_a_clock_set_back, clean),
        cmocka_unit_test_setup(test_of_equal_times_the_first_is_told, clean),
        cmocka_unit_test_setup(test_a_bad_sample_is_refused, clean),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
