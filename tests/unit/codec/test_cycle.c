/* The account of a cycle as it is recorded. */
#include "balancer/codec/cycle.h"
#include "tests/lib/cmocka.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct ek_cycle full(void)
{
    return (struct ek_cycle){
        .at_ms = 1764000000000,
        .end = EK_CYCLE_STARTED,
        .plan_id = "9f3ac2d1c0ffee00",
        .moves = 2,
        .stuck = 1,
        .summary = "2 moves: \"hot\"",
        .holding = "a",
        .paused = "b",
        .closed = "outside",
        .balance_held = "c",
        .asked = true,
        .wants = true,
        .trigger = "d",
        .sustained = 3,
        .sustained_cycles = 4,
        .offered_gain = -0.25,
        .min_gain = 0.1,
        .trigger_imbalance = 0.2,
        .trigger_comfort = 0.3,
        .resources = {.count = 3, .names = {"cpu", "memory", "network"}},
        .imbalance = {0.1, 0.2, 0.3},
        .hottest_host = "h1",
        .hottest_resource = "cpu",
        .hottest_utilization = 0.93,
        .hosts = 5,
        .hosts_up = 4,
        .hosts_in_maintenance = 3,
        .domains = 100,
        .resting = 7,
        .blocked = 6,
        .rests_first = "web-1",
        .rests_until_ms = 1764000001000,
        .running = 8,
        .waiting = 9,
        .circuits = "e",
    };
}

/* Every figure and text comes back, and written again it gives the same bytes. */
static void comes_back_whole(void **state)
{
    struct ek_cycle cycle = full();
    struct ek_cycle back;
    struct ek_error err;
    int64_t number = 0;
    char *text = ek_codec_write_cycle(&cycle, 121);

    (void)state;
    assert_non_null(text);
    assert_true(ek_codec_read_cycle(&back, &number, text, strlen(text), "cycles", &err));
    assert_int_equal(number, 121);
    assert_memory_equal(&back, &cycle, sizeof(cycle));
    char *again = ek_codec_write_cycle(&back, number);
    assert_string_equal(text, again);
    free(again);
    free(text);
}

/* What was not weighed is not known, and what an older balancer did not say is empty. */
static void what_is_absent(void **state)
{
    static const char text[] = "{\"version\": 1, \"cycle\": 1, \"at_ms\": 2, \"end\": \"quiet\"}";
    struct ek_cycle back;
    struct ek_error err;
    int64_t number = 0;

    (void)state;
    assert_true(ek_codec_read_cycle(&back, &number, text, strlen(text), "cycles", &err));
    assert_true(isnan(back.offered_gain));
    assert_string_equal(back.summary, "");
    assert_int_equal(back.resources.count, 0);
    char *written = ek_codec_write_cycle(&back, number);
    assert_null(strstr(written, "offered_gain"));
    free(written);
}

static void bad_ones(void **state)
{
    static const char *const texts[] = {
        "{\"version\": 1, \"cycle\": 1, \"at_ms\": 2, \"end\": \"nonsense\"}",
        "{\"version\": 1, \"cycle\": 1, \"at_ms\": 2}",
        "{\"version\": 1, \"cycle\": 1, \"at_ms\": 2, \"end\": \"quiet\", \"hosts\": -1}",
        "{\"version\": 1, \"cycle\": 1, \"at_ms\": 2, \"end\": \"quiet\", \"imbalance\": {\"cpu\": "
        "-1}}",
        "{\"version\": 2, \"cycle\": 1, \"at_ms\": 2, \"end\": \"quiet\"}",
    };
    struct ek_cycle back;
    struct ek_error err;
    int64_t number = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_false(
            ek_codec_read_cycle(&back, &number, texts[i], strlen(texts[i]), "cycles", &err));
        assert_int_equal(err.code, EK_ERR_INVALID);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back_whole),
        cmocka_unit_test(what_is_absent),
        cmocka_unit_test(bad_ones),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
