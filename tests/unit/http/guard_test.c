/* Who may ask for what, by the texts of headers. */
#include "balancer/http/guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const char *const names[] = {"evenkeel.example", "mon-1"};
static const struct ek_strings known = {names, 2, true};

/* Addresses and localhost are nobody's to lead astray; other names only if they are ours. */
static void hosts(void **state)
{
    static const char *const good[] = {"127.0.0.1",   "127.0.0.1:9797", "192.0.2.1:80",
                                       "[::1]:9797",  "[2001:db8::1]",  "localhost",
                                       "LOCALHOST:1", "mon-1:9797",     "Evenkeel.Example"};
    static const char *const bad[] = {"",
                                      "evil.example",
                                      "mon-10",
                                      "mon-1.evil.example",
                                      "localhost.evil.example",
                                      "127.0.0.1.evil.example",
                                      "127.0.0.1 evil",
                                      "127.0.0.1:0",
                                      "127.0.0.1:99999",
                                      "::1",
                                      "mon-1:9797/x",
                                      "user@mon-1"};

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        if (!ek_guard_host(good[i], known)) {
            fail_msg("%s was refused", good[i]);
        }
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (ek_guard_host(bad[i], known)) {
            fail_msg("%s was let in", bad[i]);
        }
    }
    assert_false(ek_guard_host(NULL, known));
    assert_false(ek_guard_host("mon-1", (struct ek_strings){.items = NULL}));
}

/* A page's origin is the host it asks, in either scheme. */
static void origins(void **state)
{
    (void)state;
    assert_true(ek_guard_origin("http://mon-1:9797", "mon-1:9797"));
    assert_true(ek_guard_origin("https://mon-1", "mon-1"));
    assert_false(ek_guard_origin("http://mon-1:9798", "mon-1:9797"));
    assert_false(ek_guard_origin("http://evil.example", "mon-1"));
    assert_false(ek_guard_origin("null", "mon-1"));
    assert_false(ek_guard_origin("", "mon-1"));
    assert_false(ek_guard_origin("mon-1", "mon-1"));
}

/* The whole token and nothing else; one that begins with it, or repeats it, is another. */
static void tokens(void **state)
{
    (void)state;
    assert_true(ek_guard_token("Bearer abc", "abc"));
    assert_true(ek_guard_token("bearer abc", "abc"));
    static const char *const bad[] = {
        "",           "Bearer",      "Bearer ",   "Bearer ab", "Bearer abcabc", "Bearer abcd",
        "Bearer aBc", "Bearer  abc", "Basic abc", "abc"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (ek_guard_token(bad[i], "abc")) {
            fail_msg("\"%s\" was let in", bad[i]);
        }
    }
    assert_false(ek_guard_token(NULL, "abc"));
    assert_false(ek_guard_token("Bearer abc", NULL));
}

static void types(void **state)
{
    (void)state;
    assert_true(ek_guard_type("application/json"));
    assert_true(ek_guard_type("Application/JSON; charset=utf-8"));
    assert_false(ek_guard_type("application/jsonp"));
    assert_false(ek_guard_type("text/plain"));
    assert_false(ek_guard_type("text/plain; application/json"));
    assert_false(ek_guard_type(""));
    assert_false(ek_guard_type(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts),
        cmocka_unit_test(origins),
        cmocka_unit_test(tokens),
        cmocka_unit_test(types),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
