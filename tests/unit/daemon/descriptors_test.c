/* The limit of open files. It belongs to the process, and a hard limit can only be lowered: the
 * tests' order is their plot. */
#include "balancer/daemon/descriptors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

static struct rlimit limit_now(void)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    return limit;
}

static void set_limits(rlim_t soft, rlim_t hard)
{
    const struct rlimit limit = {.rlim_cur = soft, .rlim_max = hard};

    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* A connection takes at least two descriptors, and not all of them are connections. */
static void test_raised_to_what_hosts_take(void **state)
{
    struct ek_error err;
    rlim_t hard = limit_now().rlim_max;

    (void)state;
    if (hard < 2000) {
        skip();
    }
    set_limits(64, hard);
    assert_true(ek_descriptors_allow(400, &err));
    assert_true(limit_now().rlim_cur > 2 * 400);
    assert_int_equal(limit_now().rlim_max, hard);
}

static void test_never_lowered(void **state)
{
    struct ek_error err;
    struct rlimit before = limit_now();

    (void)state;
    assert_true(ek_descriptors_allow(1, &err));
    assert_int_equal(limit_now().rlim_cur, before.rlim_cur);
}

static void test_hard_limit_is_told(void **state)
{
    struct ek_error err;

    (void)state;
    set_limits(64, 600);
    assert_false(ek_descriptors_allow(1000, &err));
    assert_int_equal(limit_now().rlim_cur, 600);
    assert_non_null(strstr(err.message, "600 open files"));
    assert_non_null(strstr(err.message, "1000 hosts"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_raised_to_what_hosts_take),
        cmocka_unit_test(test_never_lowered),
        cmocka_unit_test(test_hard_limit_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
