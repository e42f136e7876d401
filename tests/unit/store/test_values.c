/* Samples, maintenance, plans, statuses, events and inputs. */
#include "fixture.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

static struct ek_domain web = {.uuid = "u1",
                               .name = "web-1",
                               .vcpus = 2,
                               .memory_mib = 2048,
                               .cpu_used_cores = 1.5,
                               .cpu_steal = NAN,
                               .memory_used_mib = NAN,
                               .memory_rss_mib = NAN,
                               .movable = true};

static struct ek_sample sample_of(const char *host, int64_t period_ms)
{
    return (struct ek_sample){
        .taken_at_ms = 1764000000000,
        .period_ms = period_ms,
        .collector = "c:1",
        .host = {.name = host, .cpu_cores = 8, .memory_mib = 1024, .migration_mib_s = 110},
        .domains = &web,
        .domain_count = 1,
    };
}

/* A sample survives the round trip, and it lives for four periods. */
static void test_sample_round_trip(void **state)
{
    const char *const hosts[] = {"h1"};
    struct ek_sample sample = sample_of("h1", 15000);
    struct ek_sample read;
    bool has;
    char bad[200];
    struct ek_error err;

    (void)state;
    assert_done(ek_store_put_sample(server.store, &sample, &err), &err);
    long ttl = strtol(server_say(&server, "PTTL evenkeel:host:h1"), NULL, 10);
    assert_in_range(ttl, 50000, 60000);
    assert_done(ek_store_get_samples(server.store, hosts, 1, &read, &has, bad, sizeof(bad), &err),
                &err);
    assert_true(has);
    assert_string_equal(bad, "");
    assert_true(read.taken_at_ms == sample.taken_at_ms && read.period_ms == 15000);
    assert_string_equal(read.domains[0].name, "web-1");
    assert_true(read.domains[0].cpu_used_cores == 1.5 && isnan(read.domains[0].cpu_steal));
    ek_arena_finish(&read.arena);
}

/* A sample that is not renewed is gone after its four periods. */
static void test_sample_expires(void **state)
{
    const char *const hosts[] = {"h1"};
    struct ek_sample sample = sample_of("h1", 10);
    struct ek_sample read;
    bool has = true;
    char bad[200];
    struct ek_error err;

    (void)state;
    assert_done(ek_store_put_sample(server.store, &sample, &err), &err);
    int64_t deadline_ms = monotonic_ms() + 5000;
    while (has && monotonic_ms() < deadline_ms) {
        assert_done(
            ek_store_get_samples(server.store, hosts, 1, &read, &has, bad, sizeof(bad), &err),
            &err);
        ek_arena_finish(&read.arena);
    }
    assert_false(has);
}

/* One bad sample costs its own host only, and is named. */
static void test_bad_sample(void **state)
{
    const char *const hosts[] = {"h1", "h2", "h3", "h4", "h5"};
    struct ek_sample good = sample_of("h1", 15000);
    struct ek_sample read[5];
    bool has[5];
    char bad[600];
    struct ek_error err;

    (void)state;
    assert_done(ek_store_put_sample(server.store, &good, &err), &err);
    (void)server_say(&server, "SET evenkeel:host:h2 {");
    (void)server_say(&server, "LPUSH evenkeel:host:h3 x");
    (void)server_say(&server, "COPY evenkeel:host:h1 evenkeel:host:h4");
    assert_done(ek_store_get_samples(server.store, hosts, 5, read, has, bad, sizeof(bad), &err),
                &err);
    assert_true(has[0] && !has[1] && !has[2] && !has[3] && !has[4]);
    assert_non_null(strstr(bad, "evenkeel:host:h2:1:2: found the end of the text"));
    assert_non_null(strstr(bad, "evenkeel:host:h3: WRONGTYPE"));
    assert_non_null(strstr(bad, "evenkeel:host:h4: host.name: found \"h1\", expected \"h4\""));
    assert_null(strstr(bad, "h5"));
    ek_arena_finish(&read[0].arena);
}

static bool set(const char *host, const char *value)
{
    struct ek_error err;

    return ek_store_set_maintenance(server.store, host, value, 0, &err);
}

/* Whatever stands at a maintenance key means maintenance; what can be read of it is. */
static void test_maintenance_values(void **state)
{
    const char *const hosts[] = {"none", "empty", "text", "object", "broken", "list"};
    struct ek_maintenance out[6];
    struct ek_error err;

    (void)state;
    assert_done(set("empty", ""), &err);
    assert_done(set("text", "new disks"), &err);
    assert_done(
        set("object",
            "{\"reason\": \"fans\", \"deadline\": \"2026-12-01T18:00:00Z\", \"partial\": true}"),
        &err);
    (void)server_say(&server, "SET evenkeel:maintenance:broken {\"deadline\":\"soon\"}");
    (void)server_say(&server, "LPUSH evenkeel:maintenance:list x");
    assert_done(ek_store_get_maintenance(server.store, hosts, 6, out, &err), &err);
    assert_false(out[0].wanted);
    assert_true(out[1].wanted && out[1].reason[0] == '\0');
    assert_string_equal(out[2].reason, "new disks");
    assert_string_equal(out[3].reason, "fans");
    assert_true(out[3].deadline_ms == 1796148000000 && out[3].partial);
    assert_true(out[4].wanted && out[4].deadline_ms == 0);
    assert_string_equal(out[4].reason, "{\"deadline\":\"soon\"}");
    assert_true(out[5].wanted);
}

/* Leaving maintenance deletes the key; leaving it twice is no error. */
static void test_maintenance_leave(void **state)
{
    const char *const hosts[] = {"h1"};
    struct ek_maintenance out;
    struct ek_error err;

    (void)state;
    assert_done(set("h1", "x"), &err);
    assert_done(ek_store_end_maintenance(server.store, "h1", &err), &err);
    assert_done(ek_store_end_maintenance(server.store, "h1", &err), &err);
    assert_done(ek_store_get_maintenance(server.store, hosts, 1, &out, &err), &err);
    assert_false(out.wanted);
}

/* A key with a time to live goes by itself. */
static void test_maintenance_ttl(void **state)
{
    struct ek_error err;

    (void)state;
    assert_done(ek_store_set_maintenance(server.store, "h1", "an hour", 3600000, &err), &err);
    long long left_ms = strtoll(server_say(&server, "PTTL evenkeel:maintenance:h1"), NULL, 10);
    assert_true(left_ms > 3500000 && left_ms <= 3600000);
}

/* A long reason is cut to its array, between characters. */
static void test_maintenance_long_reason(void **state)
{
    const char *const hosts[] = {"h1"};
    char text[400];
    struct ek_maintenance out;
    struct ek_error err;

    (void)state;
    for (size_t i = 0; i + 2 < sizeof(text); i += 2) {
        memcpy(text + i, "\xc3\xa9", 3);
    }
    (void)server_say(&server, "SET evenkeel:maintenance:h1 %s", text);
    assert_done(ek_store_get_maintenance(server.store, hosts, 1, &out, &err), &err);
    assert_int_equal(strlen(out.reason), 254);
}

static int64_t take_lease(void)
{
    bool held;
    int64_t epoch = 0;
    char holder[64];
    struct ek_error err;

    assert_done(
        ek_store_lease(server.store, "me", 60000, &held, &epoch, holder, sizeof(holder), &err),
        &err);
    assert_true(held);
    return epoch;
}

/* The status of an evacuation is stored and deleted as it is, by the one who leads. */
static void test_maintenance_status(void **state)
{
    char *json = NULL;
    struct ek_error err;

    (void)state;
    int64_t epoch = take_lease();
    assert_done(
        ek_store_put_maintenance_status(server.store, "h1", "{\"version\": 1}", epoch, &err), &err);
    assert_false(ek_store_put_maintenance_status(server.store, "h1", "{}", epoch - 1, &err));
    assert_int_equal(err.code, EK_ERR_FENCED);
    assert_done(ek_store_get_maintenance_status(server.store, "h1", &json, &err), &err);
    assert_string_equal(json, "{\"version\": 1}");
    free(json);
    assert_done(ek_store_delete_maintenance_status(server.store, "h1", &err), &err);
    assert_done(ek_store_get_maintenance_status(server.store, "h1", &json, &err), &err);
    assert_null(json);
}

/* Those of hosts that nobody has configured go as well, and no other key does. */
static void test_maintenance_statuses_are_swept(void **state)
{
    struct ek_error err;

    (void)state;
    assert_string_equal(server_say(&server, "SET evenkeel:maintenance-status:gone {}"), "OK");
    assert_string_equal(server_say(&server, "SET evenkeel:maintenance-status:h1 {}"), "OK");
    assert_string_equal(server_say(&server, "SET evenkeel:maintenance:gone disks"), "OK");
    assert_string_equal(server_say(&server, "SET other:maintenance-status:h1 {}"), "OK");
    assert_done(ek_store_sweep_maintenance_statuses(server.store, &err), &err);
    assert_string_equal(server_say(&server, "GET evenkeel:maintenance:gone"), "disks");
    assert_string_equal(server_say(&server, "GET other:maintenance-status:h1"), "{}");
    assert_string_equal(server_say(&server, "DBSIZE"), "2");
    assert_done(ek_store_sweep_maintenance_statuses(server.store, &err), &err);
}

/* The latest plan is the one put last for the first time, whatever becomes of an earlier one. */
static void test_latest_plan(void **state)
{
    char *json = NULL;
    char *fate = NULL;
    struct ek_error err;

    (void)state;
    assert_done(ek_store_get_latest_plan(server.store, &json, &fate, &err), &err);
    assert_true(json == NULL && fate == NULL);
    int64_t epoch = take_lease();
    assert_done(ek_store_put_plan(server.store, "p1", "{1}", "started", epoch, 10, &err), &err);
    assert_done(ek_store_put_plan(server.store, "p2", "{2}", "recommended", epoch, 20, &err), &err);
    assert_done(ek_store_put_plan(server.store, "p1", "{1}", "abandoned", epoch, 30, &err), &err);
    assert_done(ek_store_put_plan(server.store, "p2", "{2}", "done", epoch, 40, &err), &err);
    assert_done(ek_store_get_latest_plan(server.store, &json, &fate, &err), &err);
    assert_string_equal(json, "{2}");
    assert_string_equal(fate, "done");
    free(json);
    free(fate);
    assert_string_equal(server_say(&server, "XLEN evenkeel:plans"), "4");
}

/* Plans, the engine's state and inputs of another epoch than the current one are fenced, and change
 * nothing. */
static void test_fenced_values(void **state)
{
    int64_t epoch = take_lease();
    char *json = NULL;
    struct ek_error err;

    (void)state;
    for (int64_t other = epoch - 1; other <= epoch + 1; other += 2) {
        assert_false(ek_store_put_plan(server.store, "p", "{}", "done", other, 1, &err));
        assert_int_equal(err.code, EK_ERR_FENCED);
        assert_false(ek_store_put_engine_state(server.store, "{}", other, &err));
        assert_int_equal(err.code, EK_ERR_FENCED);
        assert_false(ek_store_put_memory(server.store, "{}", other, &err));
        assert_int_equal(err.code, EK_ERR_FENCED);
        assert_false(ek_store_put_input(server.store, "p", "{}", other, &err));
        assert_int_equal(err.code, EK_ERR_FENCED);
        assert_false(ek_store_add_cycle(server.store, "{}", other, &err));
        assert_int_equal(err.code, EK_ERR_FENCED);
    }
    assert_done(ek_store_get_engine_state(server.store, &json, &err), &err);
    assert_null(json);
    assert_string_equal(server_say(&server, "DBSIZE"), "3"); /* leader, epoch, its owner */
}

/* The engine's state, its memory and an input come back as they were put, each from its own key. */
static void test_engine_state_and_input(void **state)
{
    int64_t epoch = take_lease();
    char *json = NULL;
    struct ek_error err;

    (void)state;
    assert_done(ek_store_put_engine_state(server.store, "{\"a\": 1}", epoch, &err), &err);
    assert_done(ek_store_get_engine_state(server.store, &json, &err), &err);
    assert_string_equal(json, "{\"a\": 1}");
    free(json);
    assert_done(ek_store_get_memory(server.store, &json, &err), &err);
    assert_null(json);
    assert_done(ek_store_put_memory(server.store, "{\"m\": 3}", epoch, &err), &err);
    assert_done(ek_store_get_memory(server.store, &json, &err), &err);
    assert_string_equal(json, "{\"m\": 3}");
    free(json);
    assert_done(ek_store_put_input(server.store, "i1", "{\"b\": 2}", epoch, &err), &err);
    assert_done(ek_store_get_input(server.store, "i1", &json, &err), &err);
    assert_string_equal(json, "{\"b\": 2}");
    free(json);
    long ttl_s = strtol(server_say(&server, "TTL evenkeel:input:i1"), NULL, 10);
    assert_in_range(ttl_s, 7 * 86400 - 60, 7 * 86400);
}

/* Cycles come back newest first, at most as many as were asked for, and old ones go. */
static void test_cycles(void **state)
{
    int64_t epoch = take_lease();
    char json[32];
    char **jsons = NULL;
    size_t count = 1;
    struct ek_error err;

    (void)state;
    assert_done(ek_store_recent_cycles(server.store, 10, &jsons, &count, &err), &err);
    assert_int_equal(count, 0);
    ek_store_free_texts(jsons, count);
    for (int i = 0; i < 2300; i++) {
        (void)snprintf(json, sizeof(json), "{\"cycle\": %d}", i);
        assert_done(ek_store_add_cycle(server.store, json, epoch, &err), &err);
    }
    assert_done(ek_store_recent_cycles(server.store, 2, &jsons, &count, &err), &err);
    assert_int_equal(count, 2);
    assert_string_equal(jsons[0], "{\"cycle\": 2299}");
    assert_string_equal(jsons[1], "{\"cycle\": 2298}");
    ek_store_free_texts(jsons, count);
    assert_in_range(strtol(server_say(&server, "XLEN evenkeel:cycles"), NULL, 10), 2000, 2200);
}

/* What is to be measured comes back as it was put, for as long as it was to live. */
static void test_candidates(void **state)
{
    char *json = NULL;
    struct ek_error err;

    (void)state;
    assert_done(ek_store_get_candidates(server.store, &json, &err), &err);
    assert_null(json);
    assert_done(ek_store_put_candidates(server.store, "{\"c\": 4}", 240000, &err), &err);
    assert_done(ek_store_get_candidates(server.store, &json, &err), &err);
    assert_string_equal(json, "{\"c\": 4}");
    free(json);
    long ttl_s = strtol(server_say(&server, "TTL evenkeel:candidates"), NULL, 10);
    assert_in_range(ttl_s, 240 - 60, 240);
}

/* Of inputs the newest 500 stay, whether or not one is put twice. */
static void test_inputs_are_trimmed(void **state)
{
    int64_t epoch = take_lease();
    char id[16];
    struct ek_error err;

    (void)state;
    for (int i = 0; i < 503; i++) {
        (void)snprintf(id, sizeof(id), "i%d", i);
        assert_done(ek_store_put_input(server.store, id, "{}", epoch, &err), &err);
    }
    assert_done(ek_store_put_input(server.store, "i502", "{}", epoch, &err), &err);
    assert_string_equal(server_say(&server, "LLEN evenkeel:inputs"), "500");
    assert_string_equal(server_say(&server, "EXISTS evenkeel:input:i2"), "0");
    assert_string_equal(server_say(&server, "EXISTS evenkeel:input:i3"), "1");
}

/* A role's status has the TTL that it is given. */
static void test_status(void **state)
{
    char *json = NULL;
    struct ek_error err;

    (void)state;
    assert_done(ek_store_put_status(server.store, "collector:a", "{}", 30000, &err), &err);
    assert_done(ek_store_get_status(server.store, "collector:a", &json, &err), &err);
    assert_string_equal(json, "{}");
    free(json);
    assert_done(ek_store_get_status(server.store, "balancer", &json, &err), &err);
    assert_null(json);
    long ttl = strtol(server_say(&server, "PTTL evenkeel:status:collector:a"), NULL, 10);
    assert_in_range(ttl, 20000, 30000);
}

/* An event is one entry, with blanks and quotes in its sentence and an empty subject. */
static void test_event(void **state)
{
    struct ek_error err;

    (void)state;
    assert_done(ek_store_add_event(server.store, 7, "holding", "", "no \"fresh\" sample", &err),
                &err);
    const char *said = server_say(&server, "XRANGE evenkeel:events - +");
    assert_non_null(
        strstr(said, "version 1 at_ms 7 kind holding subject  text no \"fresh\" sample"));
}

static void collect_event(void *context, int64_t at_ms, const char *kind, const char *subject,
                          const char *text)
{
    char *out = context;
    size_t used = strlen(out);

    (void)snprintf(out + used, 200 - used, "%lld %s %s %s;", (long long)at_ms, kind, subject, text);
}

/* The newest first, no more than asked for; one without a field of ours has it empty. */
static void test_recent_events(void **state)
{
    struct ek_error err;
    char out[200] = "";

    (void)state;
    assert_done(ek_store_recent_events(server.store, 5, collect_event, out, &err), &err);
    assert_string_equal(out, "");
    for (int i = 1; i <= 3; i++) {
        assert_done(ek_store_add_event(server.store, i, "step", "web-1", "it moves", &err), &err);
    }
    (void)server_say(&server, "XADD evenkeel:events * at_ms 4 kind odd");
    assert_done(ek_store_recent_events(server.store, 3, collect_event, out, &err), &err);
    assert_string_equal(out, "4 odd  ;3 step web-1 it moves;2 step web-1 it moves;");
}

/* A key that does not fit is refused before anything is sent. */
static void test_long_key(void **state)
{
    char role[600];
    struct ek_error err;

    (void)state;
    memset(role, 'x', sizeof(role) - 1);
    role[sizeof(role) - 1] = '\0';
    assert_false(ek_store_put_status(server.store, role, "{}", 1, &err));
    assert_int_equal(err.code, EK_ERR_INVALID);
}

/* Who signs learns who did before, unless that was itself; the last one is known for a week. */
static void test_samplers_meet(void **state)
{
    char other[EK_SAMPLER_SIZE];
    struct ek_error err;

    (void)state;
    assert_done(ek_store_get_sampler(server.store, "h1", other, &err), &err);
    assert_string_equal(other, "");
    assert_done(ek_store_sign_sample(server.store, "h1", "a:1", other, &err), &err);
    assert_string_equal(other, "");
    assert_done(ek_store_sign_sample(server.store, "h1", "a:1", other, &err), &err);
    assert_string_equal(other, "");
    assert_done(ek_store_sign_sample(server.store, "h1", "b:2", other, &err), &err);
    assert_string_equal(other, "a:1");
    assert_done(ek_store_get_sampler(server.store, "h1", other, &err), &err);
    assert_string_equal(other, "b:2");
    assert_in_range(strtol(server_say(&server, "PTTL evenkeel:sampled-by:h1"), NULL, 10),
                    6 * 86400 * 1000L, 7 * 86400 * 1000L);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_samplers_meet, clean),
        cmocka_unit_test_setup(test_sample_round_trip, clean),
        cmocka_unit_test_setup(test_sample_expires, clean),
        cmocka_unit_test_setup(test_bad_sample, clean),
        cmocka_unit_test_setup(test_maintenance_values, clean),
        cmocka_unit_test_setup(test_maintenance_leave, clean),
        cmocka_unit_test_setup(test_maintenance_ttl, clean),
        cmocka_unit_test_setup(test_maintenance_long_reason, clean),
        cmocka_unit_test_setup(test_maintenance_status, clean),
        cmocka_unit_test_setup(test_maintenance_statuses_are_swept, clean),
        cmocka_unit_test_setup(test_latest_plan, clean),
        cmocka_unit_test_setup(test_fenced_values, clean),
        cmocka_unit_test_setup(test_engine_state_and_input, clean),
        cmocka_unit_test_setup(test_cycles, clean),
        cmocka_unit_test_setup(test_candidates, clean),
        cmocka_unit_test_setup(test_inputs_are_trimmed, clean),
        cmocka_unit_test_setup(test_status, clean),
        cmocka_unit_test_setup(test_event, clean),
        cmocka_unit_test_setup(test_recent_events, clean),
        cmocka_unit_test_setup(test_long_key, clean),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
