/* Profiles as bytes: they come back, are small, and damage is refused. */
#include "balancer/codec/profile.h"
#include "tests/lib/cmocka.h"
#include "tests/lib/random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UUID "6c1f0a3e-5d7b-4a57-9b0e-3f6f2f0a7c11"

struct bytes {
    uint8_t *data;
    size_t size;
};

static struct bytes write_profile(const struct ek_profile *profile)
{
    struct bytes bytes = {NULL, 0};
    struct ek_error err;

    assert_true(ek_profile_write(profile, &bytes.data, &bytes.size, &err));
    return bytes;
}

static void assert_same(const struct ek_profile *a, const struct ek_profile *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_string_equal(a->name, b->name);
    assert_int_equal(a->through_hour, b->through_hour);
    for (int h = 0; h < EK_PROFILE_HOURS; h++) {
        assert_int_equal(a->in[h].newest, b->in[h].newest);
        assert_int_equal(a->in[h].marks, b->in[h].marks);
        assert_int_equal(a->usual[EK_CPU][h].weeks, b->usual[EK_CPU][h].weeks);
        assert_int_equal(a->usual[EK_MEMORY][h].weeks, b->usual[EK_MEMORY][h].weeks);
        assert_near(a->usual[EK_CPU][h].mean, b->usual[EK_CPU][h].mean, 0.005 + 1e-9);
        assert_near(a->usual[EK_CPU][h].high, b->usual[EK_CPU][h].high, 0.005 + 1e-9);
        assert_near(a->usual[EK_MEMORY][h].mean, b->usual[EK_MEMORY][h].mean, 0.5 + 1e-9);
        assert_near(a->usual[EK_MEMORY][h].high, b->usual[EK_MEMORY][h].high, 0.5 + 1e-9);
    }
}

/* A day's wave of up to `cores`, with noise of so large a part; three weeks of it. */
static struct ek_profile wave(double cores, double noise)
{
    struct ek_random random = {7};
    struct ek_profile profile;

    ek_profile_begin(&profile, EK_PROFILE_DOMAIN, UUID);
    for (int64_t hour = 500000; hour < 500000 + 3 * EK_PROFILE_HOURS; hour++) {
        double level = cores * (1 + sin((double)hour / 24 * 6.2832)) / 2;
        struct ek_hour_figures figures = {.hour = hour};
        for (int r = 0; r < EK_RESOURCE_FURTHER; r++) {
            double part = 1 + noise * (ek_random_real(&random) - 0.5);
            figures.mean[r] = r == EK_CPU ? level * part : 2000 + 500 * level / cores * part;
            figures.high[r] = figures.mean[r] * (1 + noise * ek_random_real(&random));
        }
        ek_profile_add(&profile, &figures);
    }
    return profile;
}

/* What was written comes back in the steps that are kept, unknown hours as unknown. */
static void test_it_comes_back(void **state)
{
    struct ek_profile profile = wave(4, 0.2);
    struct ek_profile back;
    struct ek_error err;

    (void)state;
    profile.in[16] = (struct ek_weeks_in){0, 0};
    profile.in[18].newest -= 5 * EK_PROFILE_HOURS;
    profile.in[18].marks = 0x101;
    profile.usual[EK_CPU][17] = (struct ek_usual){.weeks = 0};
    profile.usual[EK_MEMORY][167] = (struct ek_usual){.weeks = EK_PROFILE_MAX_WEEKS};
    struct bytes bytes = write_profile(&profile);
    assert_true(ek_profile_read(&back, bytes.data, bytes.size, "p", &err));
    assert_same(&back, &profile);
    struct bytes again = write_profile(&back);
    assert_int_equal(again.size, bytes.size);
    assert_memory_equal(again.data, bytes.data, bytes.size);
    free(again.data);
    free(bytes.data);
}

/* Nothing known is a profile, too, of a host or a domain. */
static void test_an_empty_one(void **state)
{
    struct ek_profile profile;
    struct ek_profile back;
    struct ek_error err;

    (void)state;
    ek_profile_begin(&profile, EK_PROFILE_HOST, "h1");
    struct bytes bytes = write_profile(&profile);
    assert_true(ek_profile_read(&back, bytes.data, bytes.size, "p", &err));
    assert_memory_equal(&back, &profile, sizeof(back));
    assert_true(bytes.size < 60);
    free(bytes.data);
}

/* The sizes that docs/history.md states. */
static void test_sizes(void **state)
{
    struct ek_profile busy = wave(4, 0.2);
    struct ek_profile idle = wave(0.02, 0.2);
    struct bytes of_busy = write_profile(&busy);
    struct bytes of_idle = write_profile(&idle);

    (void)state;
    (void)printf("bytes of a profile: busy %zu, idle %zu\n", of_busy.size, of_idle.size);
    assert_in_range(of_busy.size, 300, 900);
    assert_in_range(of_idle.size, 100, 500);
    free(of_busy.data);
    free(of_idle.data);
}

static void assert_refused(const uint8_t *data, size_t size, const char *said)
{
    struct ek_profile back;
    struct ek_error err = {0};

    assert_false(ek_profile_read(&back, data, size, "p", &err));
    assert_int_equal(err.code, EK_ERR_INVALID);
    if (said != NULL) {
        assert_string_equal(err.message, said);
    }
}

/* Bytes that end too early are refused wherever they end, and so are bytes too many. */
static void test_cut_and_longer(void **state)
{
    struct ek_profile profile = wave(4, 0.2);
    struct bytes bytes = write_profile(&profile);
    uint8_t *longer = malloc(bytes.size + 1);

    (void)state;
    for (size_t size = 0; size < bytes.size; size++) {
        assert_refused(bytes.data, size, NULL);
    }
    assert_non_null(longer);
    memcpy(longer, bytes.data, bytes.size);
    longer[bytes.size] = 0;
    char said[100];
    (void)snprintf(said, sizeof(said),
                   "p: byte %zu: found 1 more bytes, expected the end of the profile", bytes.size);
    assert_refused(longer, bytes.size + 1, said);
    free(longer);
    free(bytes.data);
}

/* Place, what was found and what was expected. */
static void test_damage_is_named(void **state)
{
    static const uint8_t version[] = {3};
    static const uint8_t no_version[] = {0};
    static const uint8_t kind[] = {1, 2};
    static const uint8_t no_name[] = {1, 0, 5, 0};
    static const uint8_t line_end[] = {1, 0, 5, 1, 2, '\n'};

    (void)state;
    assert_refused(version, sizeof(version), "p: byte 0: found 3, expected version 1 or 2");
    assert_refused(no_version, sizeof(no_version),
                   "p: byte 1: found version 0, expected version 1 or 2");
    assert_refused(kind, sizeof(kind), "p: byte 1: found 2, expected 0, a host, or 1, a domain");
    assert_refused(no_name, sizeof(no_name),
                   "p: byte 4: found another text, or several, expected the name of a host or the "
                   "UUID of a domain");
    assert_refused(line_end, sizeof(line_end),
                   "p: byte 6: found another text, or several, expected the name of a host or the "
                   "UUID of a domain");
}

/* Weeks without figures, and figures without weeks, come from no writer. */
static void test_figures_and_weeks_go_together(void **state)
{
    static const uint8_t head[] = {2, 0, 5, 1, 4, 'h', '1'};
    struct ek_profile profile;

    (void)state;
    ek_profile_begin(&profile, EK_PROFILE_HOST, "h1");
    struct bytes bytes = write_profile(&profile);
    /* The first hour's weeks: width 2, a unary 1, a lower bit 0: two, which is unfolded to one. */
    bytes.data[sizeof(head)] |= 2 | 1 << 6;
    struct ek_profile back;
    struct ek_error err = {0};
    assert_false(ek_profile_read(&back, bytes.data, bytes.size, "p", &err));
    assert_non_null(strstr(err.message, "weeks with the figures"));
    free(bytes.data);
}

/* A profile of a program that took hours in their order alone: what it knows is in, up to its
 * newest hour; what it does not know may still come. */
static void test_an_older_profile_is_read(void **state)
{
    struct ek_profile profile = wave(4, 0.2);
    struct ek_profile back;
    struct ek_error err;

    (void)state;
    profile.usual[EK_CPU][17] = profile.usual[EK_MEMORY][17] = (struct ek_usual){.weeks = 0};
    memset(profile.in, 0, sizeof(profile.in));
    struct bytes bytes = write_profile(&profile);
    /* Version 1 ends before the marks: a number and twice six chunks without a difference. */
    bytes.data[0] = 1;
    assert_true(ek_profile_read(&back, bytes.data, bytes.size - 12, "p", &err));
    assert_int_equal(back.through_hour, profile.through_hour);
    for (size_t h = 0; h < EK_PROFILE_HOURS; h++) {
        bool known = h != 17;
        assert_int_equal(back.in[h].marks, known ? 0x1ff : 0);
        assert_int_equal(back.in[h].newest > profile.through_hour - EK_PROFILE_HOURS, known);
        assert_true(back.in[h].newest <= profile.through_hour);
        assert_true(!known || ek_hour_of_week(back.in[h].newest) == h);
    }
    free(bytes.data);
}

/* Marks that no writer makes are refused. */
static void test_odd_marks(void **state)
{
    struct ek_profile profile = wave(4, 0.2);
    struct ek_profile back;
    struct ek_error err = {0};
    const int64_t odd[] = {2, 0x201};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        profile.in[5].marks = odd[i];
        struct bytes bytes = write_profile(&profile);
        assert_false(ek_profile_read(&back, bytes.data, bytes.size, "p", &err));
        assert_non_null(strstr(err.message, "expected odd ones of nine bits"));
        free(bytes.data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_comes_back),
        cmocka_unit_test(test_an_empty_one),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_an_older_profile_is_read),
        cmocka_unit_test(test_odd_marks),
        cmocka_unit_test(test_cut_and_longer),
        cmocka_unit_test(test_damage_is_named),
        cmocka_unit_test(test_figures_and_weeks_go_together),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
