/* The engine's memory: what is written reads back to the bit, damage is refused. */
#include "balancer/codec/memory.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct ek_forecast_entry entry_of(const char *domain, float mean)
{
    struct ek_forecast_entry entry = {.at_ms = 1764000000000};

    (void)snprintf(entry.domain, sizeof(entry.domain), "%s", domain);
    for (int r = 0; r < EK_RESOURCE_FURTHER; r++) {
        entry.history[r] = (struct ek_history){.mean = mean, .count = 3};
        for (uint16_t i = 0; i < EK_FORECAST_POINTS; i++) {
            entry.history[r].points[i] = i % 3 == 2 ? EK_NO_POINT : ek_point_pack(mean / (i + 1));
        }
    }
    return entry;
}

/* Two domains, one of which has moved. */
static char *written(void)
{
    struct ek_forecast_entry forecasts[] = {entry_of("a", 1.7F), entry_of("b", 16384.1F)};
    struct ek_lesson lessons[] = {{.domain = "b", .factor = 1.1, .moved_at_ms = 1763000000000}};
    const struct ek_engine_memory memory = {
        .sustained = {.cycles = 2, .at_ms = 1764000000001, .policy = 0xfedcba9876543210U},
        .window_ms = 900000,
        .forecasts = forecasts,
        .forecast_count = 2,
        .lessons = lessons,
        .lesson_count = 1};
    char *text = ek_codec_write_memory(&memory);

    assert_non_null(text);
    return text;
}

/* What is written reads back to the bit. */
static void test_round_trip(void **state)
{
    const struct ek_forecast_entry b = entry_of("b", 16384.1F);
    struct ek_engine_memory read;
    struct ek_error err = {0};
    char *text = written();

    (void)state;
    assert_true(ek_codec_read_memory(&read, text, strlen(text), "memory", &err));
    assert_int_equal(read.forecast_count, 2);
    assert_int_equal(read.lesson_count, 1);
    assert_string_equal(read.forecasts[1].domain, "b");
    assert_int_equal(read.forecasts[1].at_ms, b.at_ms);
    assert_memory_equal(read.forecasts[1].history, b.history, sizeof(b.history));
    assert_true(read.lessons[0].factor == 1.1 && read.lessons[0].moved_at_ms == 1763000000000);
    assert_int_equal(read.sustained.cycles, 2);
    assert_true(read.sustained.policy == 0xfedcba9876543210U);
    assert_int_equal(read.window_ms, 900000);
    char *again = ek_codec_write_memory(&read);
    assert_string_equal(again, text);
    free(again);
    free(text);
    ek_engine_memory_finish(&read);
}

/* The text that has `from` replaced by `to`, both of one length. */
static void refused(const char *from, const char *to, const char *why)
{
    struct ek_engine_memory read;
    struct ek_error err = {0};
    char *text = written();
    char *place = strstr(text, from);

    assert_non_null(place);
    memcpy(place, to, strlen(to));
    assert_false(ek_codec_read_memory(&read, text, strlen(text), "memory", &err));
    assert_string_equal(err.message, why);
    assert_null(read.forecasts);
    free(text);
}

/* Damage is refused whole and by its place. */
static void test_damage_is_refused(void **state)
{
    (void)state;
    refused("\"cpu\":\"3", "\"cpu\":\"x",
            "memory: forecasts[0].cpu: found "
            "\"xfd9999a037fb37eb3ffff7db37d5cffff7cf17cb3ffff7c5c7c3dffff7c...\", "
            "expected a history in hexadecimal digits");
    refused("\"cycles\":2", "\"cycles\":x", "memory:1:36: found 'x', expected a value");
    refused("\"policy\":\"f", "\"policy\":\"-",
            "memory: sustained.policy: found \"-edcba9876543210\", expected 16 hexadecimal digits");
    refused("\"window_ms\"", "\"window__s\"",
            "memory: window_ms: found nothing, expected an integer from 0 to 9007199254740991");
}

/* A mean that is no number, and a newest point without samples that made it. */
static void test_impossible_figures_are_refused(void **state)
{
    struct ek_engine_memory read;
    struct ek_error err = {0};
    char *text = written();
    char *cpu = strstr(text, "\"cpu\":\"");

    (void)state;
    memcpy(cpu + strlen("\"cpu\":\""), "7fc00000", 8);
    assert_false(ek_codec_read_memory(&read, text, strlen(text), "memory", &err));
    memcpy(cpu + strlen("\"cpu\":\""), "bf800000", 8);
    assert_false(ek_codec_read_memory(&read, text, strlen(text), "memory", &err));
    memcpy(cpu + strlen("\"cpu\":\""), "3f80000001ffff", 14);
    assert_false(ek_codec_read_memory(&read, text, strlen(text), "memory", &err));
    memcpy(cpu + strlen("\"cpu\":\""), "3f80000000ffff", 14);
    assert_true(ek_codec_read_memory(&read, text, strlen(text), "memory", &err));
    ek_engine_memory_finish(&read);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_damage_is_refused),
        cmocka_unit_test(test_impossible_figures_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
