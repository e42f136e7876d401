/* What came of a plan: the record of its verification, and its promise as a list shows it. */
#include "balancer/codec/outcome.h"
#include "tests/lib/cmocka.h"

#include <stdlib.h>
#include <string.h>

static void a_verification_comes_back(void **state)
{
    const struct ek_verified verified = {
        .plan_id = "9f3ac2d1c0ffee00",
        .resources = {.count = 3, .names = {"cpu", "memory", "network"}},
        .before = {0.3, 0.2, 0.1},
        .predicted = {0.05, 0.2, 0.1},
        .real = {0.07, 0.21, 0},
        .predicted_gain = 0.2,
        .gain = -0.01,
        .predicted_length_ms = 40000,
        .length_ms = 50000,
    };
    struct ek_verified back;
    struct ek_error err;
    char *text = ek_codec_write_verified(&verified);

    (void)state;
    assert_true(ek_codec_read_verified(&back, text, strlen(text), "verified", &err));
    assert_memory_equal(&back, &verified, sizeof(back));
    free(text);
}

/* Of a plan document what a list needs; a long summary is cut and not refused. */
static void a_promise_is_read(void **state)
{
    static const char begin[] =
        "{\"version\": 1, \"policy\": \"spread\", \"moves\": [{}, {}], \"makespan_s\": 31.5, "
        "\"before\": {\"imbalance\": {\"cpu\": 0.3}}, \"after\": {\"imbalance\": {\"cpu\": 0.1}}, "
        "\"summary\": \"";
    char text[3000];
    struct ek_plan_promise promise;
    struct ek_error err;

    (void)state;
    memset(text, 'x', sizeof(text));
    memcpy(text, begin, strlen(begin));
    memcpy(text + 2000, "\"}", 3);
    assert_true(ek_codec_read_promise(&promise, text, strlen(text), "plan", &err));
    assert_int_equal(promise.moves, 2);
    assert_true(promise.seconds == 31.5 && promise.before[0] == 0.3 && promise.after[0] == 0.1);
    assert_int_equal(strlen(promise.summary), sizeof(promise.summary) - 1);
}

static void bad_ones(void **state)
{
    static const char *const texts[] = {
        "{\"version\": 1}",
        "{\"version\": 1, \"plan\": \"p\", \"before\": {\"cpu\": -1}, \"predicted\": {}, "
        "\"real\": {}}",
        "{\"version\": 1, \"plan\": \"p\", \"before\": {\"cpu\": 1}, \"predicted\": {\"x\": 1}, "
        "\"real\": {\"cpu\": 1}}",
    };
    struct ek_verified back;
    struct ek_error err;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_false(ek_codec_read_verified(&back, texts[i], strlen(texts[i]), "v", &err));
        assert_int_equal(err.code, EK_ERR_INVALID);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_verification_comes_back),
        cmocka_unit_test(a_promise_is_read),
        cmocka_unit_test(bad_ones),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
