/* Profiles: each hour goes in once, whatever happens, and outlives its samples. */
#include "fixture.h"

#include <math.h>
#include <stdio.h>

enum { MINUTE_MS = 60000, HOUR = 60 };

/* Of hosts with these names, h0 and h8, 16 samples make a fold (store/history.c). */

/* Monday, 24 November 2025, 16:00 UTC. */
#define START_MS ((int64_t)1764000000000)
enum { FIRST = 16 };

#define UUID "6c1f0a3e-5d7b-4a57-9b0e-3f6f2f0a7c11"

static const struct ek_history_limits plenty = {.keep_ms = (int64_t)8 * 24 * HOUR * MINUTE_MS,
                                                .max_bytes = 1 << 20};

static struct ek_domain web = {.uuid = UUID,
                               .name = "web-1",
                               .vcpus = 64,
                               .memory_mib = 2048,
                               .cpu_steal = NAN,
                               .memory_used_mib = NAN,
                               .movable = true};

/* The sample of minute `i`: in the hours from the first on the host uses 1, 2, 3, ... cores and the
 * domain half as many, and four times that in each hour's last four minutes. */
static struct ek_sample sample_of(const char *host, int64_t i, bool with_domain)
{
    double cores = (double)(i / HOUR + 1) * (i % HOUR < HOUR - 4 ? 1 : 4);

    web.cpu_used_cores = cores / 2;
    web.memory_rss_mib = (double)(1000 + i / HOUR);
    return (struct ek_sample){
        .taken_at_ms = START_MS + i * MINUTE_MS,
        .period_ms = 15000,
        .collector = "c:1",
        .host = {.name = host,
                 .cpu_cores = 64,
                 .memory_mib = 16384,
                 .cpu_used_cores = cores,
                 .memory_used_mib = NAN,
                 .migration_mib_s = 110},
        .domains = &web,
        .domain_count = with_domain,
    };
}

static struct ek_history_added added; /* with the newest sample */

static void add_to(const char *host, int64_t from, int64_t to, bool with_domain,
                   const struct ek_history_limits *limits)
{
    struct ek_error err;

    for (int64_t i = from; i < to; i++) {
        struct ek_sample sample = sample_of(host, i, with_domain);
        assert_done(ek_store_add_history(server.store, &sample, limits, &added, &err), &err);
    }
}

static void add(int64_t from, int64_t to)
{
    add_to("h0", from, to, true, &plenty);
}

static struct ek_profile get(enum ek_profile_kind kind, const char *name)
{
    struct ek_profile profile;
    struct ek_error err;
    bool there = false;

    assert_done(ek_store_get_profile(server.store, kind, name, &profile, &there, &err), &err);
    if (!there) {
        ek_profile_begin(&profile, kind, name);
    }
    return profile;
}

/* The hours from `first` to before `next` went in once, and no others. */
static void assert_hours(enum ek_profile_kind kind, const char *name, int64_t first, int64_t next)
{
    struct ek_profile profile = get(kind, name);
    double part = kind == EK_PROFILE_HOST ? 1 : 0.5;

    assert_int_equal(ek_profile_known(&profile), next - first);
    for (int64_t i = first; i < next; i++) {
        struct ek_usual usual = profile.usual[EK_CPU][FIRST + i];
        double cores = part * (double)(i + 1);
        assert_int_equal(usual.weeks, 1);
        assert_true(fabs(usual.mean - cores * (56 + 16) / 60) < 0.01);
        assert_true(fabs(usual.high - cores * 4) < 0.01);
    }
}

/* An hour is in the profiles of host and domain soon after it is over. */
static void test_hours_go_in(void **state)
{
    (void)state;
    for (int64_t i = 0; i < 10; i++) {
        add(i * HOUR, (i + 1) * HOUR);
        /* A fold waits for 16 samples. */
        assert_hours(EK_PROFILE_HOST, "h0", 0, i);
    }
    add(10 * HOUR, 10 * HOUR + 15);
    assert_hours(EK_PROFILE_HOST, "h0", 0, 10);
    assert_hours(EK_PROFILE_DOMAIN, UUID, 0, 10);
    struct ek_profile web_1 = get(EK_PROFILE_DOMAIN, UUID);
    assert_int_equal(web_1.usual[EK_MEMORY][FIRST + 3].mean, 1003);
    struct ek_profile h0 = get(EK_PROFILE_HOST, "h0");
    assert_int_equal(h0.usual[EK_MEMORY][FIRST + 3].weeks, 0);
    assert_int_equal(h0.through_hour, START_MS / EK_HOUR_MS + 9);
}

/* Neither the server's death nor ours costs an hour or counts one twice. */
static void test_a_restart_loses_nothing(void **state)
{
    (void)state;
    for (int64_t i = 0; i < 400; i += 40) {
        add(i, i + 40);
        server_crash_and_restart(&server);
        ek_store_destroy(server.store);
        server.store = server_store(&server, 5000);
    }
    assert_hours(EK_PROFILE_HOST, "h0", 0, 6);
    assert_hours(EK_PROFILE_DOMAIN, UUID, 0, 6);
}

/* Who dies between writing the profiles of domains and that of their host begins again, and counts
 * no hour twice. Here it is a server that forbids the last of them. */
static void test_a_fold_that_died_counts_nothing_twice(void **state)
{
    struct ek_store *ours = server.store;
    struct ek_error err;

    (void)state;
    add(0, 2 * HOUR + 7);
    struct ek_sample sample = sample_of("h0", 2 * HOUR + 7, true);
    (void)server_say(&server,
                     "ACL SETUSER weak on >pw %%%%RW~evenkeel:history* %%%%RW~evenkeel:profile-"
                     "domain* %%%%R~evenkeel:profile-host* +@all");
    server.store = server_login(&server, "weak", "pw");
    assert_false(ek_store_add_history(server.store, &sample, &plenty, &added, &err));
    assert_int_equal(err.code, EK_ERR_DENIED);
    ek_store_destroy(server.store);
    server.store = ours;
    assert_hours(EK_PROFILE_DOMAIN, UUID, 0, 2);
    assert_hours(EK_PROFILE_HOST, "h0", 0, 1);
    add(2 * HOUR + 8, 3 * HOUR);
    assert_hours(EK_PROFILE_DOMAIN, UUID, 0, 2);
    assert_hours(EK_PROFILE_HOST, "h0", 0, 2);
}

/* Profiles stay when samples are trimmed, and when they have run out: for five weeks. */
static void test_they_outlive_the_samples(void **state)
{
    const struct ek_history_limits short_ones = {.keep_ms = (int64_t)5 * HOUR * MINUTE_MS,
                                                 .max_bytes = 1 << 20};
    const long weeks_ms = 5L * 7 * 24 * HOUR * MINUTE_MS;

    (void)state;
    add_to("h0", 0, 20 * HOUR + 16, true, &short_ones);
    assert_hours(EK_PROFILE_HOST, "h0", 0, 20);
    assert_string_equal(server_say(&server, "DEL evenkeel:history:h0"), "1");
    assert_hours(EK_PROFILE_DOMAIN, UUID, 0, 20);
    const char *life = server_say(&server, "PTTL evenkeel:profile-domain:%s", UUID);
    assert_in_range(strtol(life, NULL, 10), weeks_ms - 60000, weeks_ms);
}

/* A domain has one profile, wherever it is: it takes it along. */
static void test_a_domain_takes_its_profile_along(void **state)
{
    (void)state;
    add_to("h0", 0, 3 * HOUR + 20, true, &plenty);
    add_to("h0", 3 * HOUR + 20, 8 * HOUR + 16, false, &plenty);
    add_to("h8", 0, 3 * HOUR + 20, false, &plenty);
    add_to("h8", 3 * HOUR + 20, 8 * HOUR + 16, true, &plenty);
    assert_hours(EK_PROFILE_HOST, "h0", 0, 8);
    assert_hours(EK_PROFILE_HOST, "h8", 0, 8);
    struct ek_profile profile = get(EK_PROFILE_DOMAIN, UUID);
    assert_int_equal(ek_profile_known(&profile), 8);
    assert_int_equal(profile.usual[EK_CPU][FIRST + 3].weeks, 1);
    assert_true(fabs(profile.usual[EK_CPU][FIRST + 7].mean - 4 * 72.0 / 60) < 0.01);
}

static bool put_back(void *context, const struct ek_history_block *block, struct ek_error *err)
{
    (void)context;
    return ek_store_put_history(server.store, block, &plenty, err);
}

/* A history that is there already goes in bit by bit, from its beginning. */
static void test_an_old_history_is_caught_up_with(void **state)
{
    struct ek_error err;
    char bad[100];

    (void)state;
    add(0, 40 * HOUR);
    assert_done(ek_store_get_history(server.store, "h0", put_back, NULL, bad, sizeof(bad), &err),
                &err);
    (void)server_say(&server, "DEL evenkeel:profile-host:h0 evenkeel:profile-domain:%s", UUID);
    add(40 * HOUR, 40 * HOUR + 16);
    struct ek_profile begun = get(EK_PROFILE_HOST, "h0");
    assert_in_range(ek_profile_known(&begun), 8, 30);
    add(40 * HOUR + 16, 42 * HOUR + 16);
    assert_hours(EK_PROFILE_HOST, "h0", 0, 42);
    assert_hours(EK_PROFILE_DOMAIN, UUID, 0, 42);
}

/* Hours without samples are no hindrance, and stay unknown. */
static void test_a_gap(void **state)
{
    (void)state;
    add(0, 2 * HOUR);
    add(100 * HOUR, 101 * HOUR + 16);
    struct ek_profile profile = get(EK_PROFILE_HOST, "h0");
    assert_int_equal(ek_profile_known(&profile), 3);
    assert_int_equal(profile.usual[EK_CPU][FIRST + 100].weeks, 1);
    assert_int_equal(profile.usual[EK_CPU][FIRST + 50].weeks, 0);
}

/* A clock that was a year ahead stops nothing for a year. */
static void test_a_clock_that_was_ahead(void **state)
{
    const int64_t year = (int64_t)365 * 24 * HOUR;

    (void)state;
    add(0, 2 * HOUR);
    add(year, year + 2 * HOUR);
    struct ek_profile ahead = get(EK_PROFILE_HOST, "h0");
    assert_true(ahead.through_hour > START_MS / EK_HOUR_MS + 8000);
    add(2 * HOUR, 8 * HOUR);
    struct ek_profile profile = get(EK_PROFILE_HOST, "h0");
    assert_true(profile.through_hour < START_MS / EK_HOUR_MS + 10);
    assert_int_equal(profile.usual[EK_CPU][FIRST + 6].weeks, 1);
    struct ek_profile web_1 = get(EK_PROFILE_DOMAIN, UUID);
    assert_int_equal(web_1.usual[EK_CPU][FIRST + 6].weeks, 1);
}

/* A domain's profile that cannot be read is named and stays as it is; it costs the others nothing.
 */
static void test_a_bad_profile(void **state)
{
    struct ek_error err;
    bool there = false;
    struct ek_profile profile;

    (void)state;
    (void)server_say(&server, "SET evenkeel:profile-domain:%s nonsense", UUID);
    add(0, HOUR + 3);
    assert_int_equal(added.noted.code, EK_ERR_NONE);
    add(HOUR + 3, HOUR + 4);
    assert_int_equal(added.noted.code, EK_ERR_INVALID);
    assert_non_null(strstr(added.noted.message, "evenkeel:profile-domain:" UUID ": byte 0: found"));
    assert_hours(EK_PROFILE_HOST, "h0", 0, 1);
    assert_false(
        ek_store_get_profile(server.store, EK_PROFILE_DOMAIN, UUID, &profile, &there, &err));
    assert_string_equal(server_say(&server, "GET evenkeel:profile-domain:%s", UUID), "nonsense");
    add(HOUR + 4, 2 * HOUR);
}

/* A host's that cannot be read is named and made anew of what is kept; its domains' go on, and
 * nothing is counted twice in them. */
static void test_a_bad_profile_of_a_host(void **state)
{
    (void)state;
    add(0, 3 * HOUR);
    assert_hours(EK_PROFILE_DOMAIN, UUID, 0, 2);
    (void)server_say(&server, "SET evenkeel:profile-host:h0 nonsense");
    add(3 * HOUR, 3 * HOUR + 12);
    assert_int_equal(added.noted.code, EK_ERR_INVALID);
    assert_non_null(strstr(added.noted.message, "evenkeel:profile-host:h0: byte 0: found"));
    add(3 * HOUR + 12, 5 * HOUR + 16);
    assert_int_equal(added.noted.code, EK_ERR_NONE);
    assert_hours(EK_PROFILE_HOST, "h0", 0, 5);
    assert_hours(EK_PROFILE_DOMAIN, UUID, 0, 5);
}

/* So many of the hours from `first` to before `next` are known of the domain, each once. */
static int64_t known_hours(int64_t first, int64_t next)
{
    struct ek_profile profile = get(EK_PROFILE_DOMAIN, UUID);
    int64_t known = 0;

    for (int64_t i = first; i < next; i++) {
        assert_true(profile.usual[EK_CPU][FIRST + i].weeks <= 1);
        known += profile.usual[EK_CPU][FIRST + i].weeks;
    }
    return known;
}

/* Samples every so many minutes, by turns of two hosts: the domain is on h0 at first, later on h8.
 */
static void add_by_turns(int64_t from, int64_t moves, int64_t to, int64_t step)
{
    for (int64_t i = from; i < to; i += step) {
        add_to("h0", i, i + 1, i < moves, &plenty);
        add_to("h8", i, i + 1, i >= moves, &plenty);
    }
}

/* Profiles that were lost are made of what is kept, those of a domain that has moved too, whichever
 * of its hosts is folded first; and once more without its profile being lost, which changes
 * nothing. */
static void test_lost_profiles_are_made_anew(void **state)
{
    static const char *const lost[] = {
        "DEL evenkeel:profile-host:h0 evenkeel:profile-host:h8 evenkeel:profile-domain:" UUID,
        "DEL evenkeel:profile-host:h0 evenkeel:profile-host:h8"};

    (void)state;
    add_by_turns(0, 30 * HOUR, 40 * HOUR, 10);
    for (int64_t i = 0; i < 2; i++) {
        int64_t now = 40 * HOUR + 200 * i;
        assert_int_equal(known_hours(0, 36), 36);
        (void)server_say(&server, "%s", lost[i]);
        for (int64_t m = now; m < now + 200; m += 10) {
            add_to("h8", m, m + 1, true, &plenty);
        }
        for (int64_t m = now; m < now + 200; m += 10) {
            add_to("h0", m, m + 1, false, &plenty);
        }
        assert_int_equal(known_hours(0, 40), 40);
    }
}

/* Nor does it cost an hour that a fold of one host comes later than that of the other. */
static void test_seldom_samples(void **state)
{
    (void)state;
    add_by_turns(0, 20 * HOUR, 60 * HOUR, 30);
    add_to("h8", 60 * HOUR, 60 * HOUR + 16, true, &plenty);
    assert_int_equal(known_hours(0, 60), 60);
}

/* A block that cannot be read, however many samples it claims to have, ends nothing. */
static void test_a_bad_block(void **state)
{
    (void)state;
    (void)server_say(&server, "HSET evenkeel:history:h0 %lld-%lld-4096-8 nonsense",
                     (long long)START_MS - 10 * EK_HOUR_MS, (long long)START_MS - 9 * EK_HOUR_MS);
    add(0, 5 * HOUR + 16);
    assert_hours(EK_PROFILE_HOST, "h0", 0, 5);
}

/* What was got can be put elsewhere, once or twice, and nothing that is known better is lost. */
static void test_a_profile_can_be_put_back(void **state)
{
    struct ek_error err;

    (void)state;
    add(0, 5 * HOUR + 16);
    struct ek_profile kept = get(EK_PROFILE_DOMAIN, UUID);
    (void)server_say(&server, "FLUSHALL");
    add(4 * HOUR, 8 * HOUR + 16);
    for (int i = 0; i < 2; i++) {
        assert_done(ek_store_put_profile(server.store, &kept, &plenty, &err), &err);
        assert_hours(EK_PROFILE_DOMAIN, UUID, 0, 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_hours_go_in, clean),
        cmocka_unit_test_setup(test_a_restart_loses_nothing, clean),
        cmocka_unit_test_setup(test_a_fold_that_died_counts_nothing_twice, clean),
        cmocka_unit_test_setup(test_they_outlive_the_samples, clean),
        cmocka_unit_test_setup(test_a_domain_takes_its_profile_along, clean),
        cmocka_unit_test_setup(test_an_old_history_is_caught_up_with, clean),
        cmocka_unit_test_setup(test_a_gap, clean),
        cmocka_unit_test_setup(test_a_clock_that_was_ahead, clean),
        cmocka_unit_test_setup(test_a_bad_profile, clean),
        cmocka_unit_test_setup(test_a_bad_profile_of_a_host, clean),
        cmocka_unit_test_setup(test_lost_profiles_are_made_anew, clean),
        cmocka_unit_test_setup(test_seldom_samples, clean),
        cmocka_unit_test_setup(test_a_bad_block, clean),
        cmocka_unit_test_setup(test_a_profile_can_be_put_back, clean),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
