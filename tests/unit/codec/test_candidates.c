/* The hosts to measure, as a text and back. */
#include "balancer/codec/candidates.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct ek_strings read_text(const char *text, struct ek_arena *arena, bool expected,
                                   struct ek_error *err)
{
    struct ek_strings hosts;

    assert_int_equal(ek_codec_read_candidates(&hosts, arena, text, strlen(text), "k", err),
                     expected);
    return hosts;
}

/* What was written is read as the same list, and so is an empty one. */
static void test_round_trip(void **state)
{
    static const char *const names[] = {"h1", "rack-2.kvm"};
    struct ek_arena arena = {0};
    struct ek_error err;

    (void)state;
    for (size_t count = 0; count <= 2; count += 2) {
        char *text = ek_codec_write_candidates(&(struct ek_strings){names, count, true});
        struct ek_strings hosts = read_text(text, &arena, true, &err);
        assert_int_equal(hosts.count, count);
        for (size_t i = 0; i < count; i++) {
            assert_string_equal(hosts.items[i], names[i]);
        }
        free(text);
    }
    ek_arena_finish(&arena);
}

/* A list that is not there is no empty list; other versions are not guessed at. */
static void test_refusals(void **state)
{
    struct ek_arena arena = {0};
    struct ek_error err;

    (void)state;
    (void)read_text("{\"version\":1}", &arena, false, &err);
    assert_string_equal(err.message, "k: hosts: found nothing, expected a list of hosts");
    (void)read_text("{\"version\":1,\"hosts\":[1]}", &arena, false, &err);
    assert_string_equal(err.message, "k: hosts[0]: found 1, expected a text");
    (void)read_text("{\"version\":2,\"hosts\":[]}", &arena, false, &err);
    ek_arena_finish(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
