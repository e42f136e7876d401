#include "balancer/core/snapshot.h"

#include "tests/lib/cluster_text.h"
#include "tests/lib/cmocka.h"

#include <math.h>
#include <string.h>

static struct ek_snapshot snapshot;

static int setup(void **state)
{
    (void)state;
    ek_test_cluster(&snapshot, "h1 8c 16G; h2 8c 16G; a@h1 2v 2G; b@h2->h1 1v 1G");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ek_snapshot_finish(&snapshot);
    return 0;
}

static void refuses(const char *message)
{
    struct ek_error err = {0};

    assert_false(ek_snapshot_check(&snapshot, &err));
    assert_int_equal(err.code, EK_ERR_INVALID);
    assert_string_equal(err.message, message);
}

/* A sound snapshot passes, one with nothing in it, too. */
static void sound_and_empty_pass(void **state)
{
    struct ek_snapshot empty = {0};
    struct ek_error err = {0};

    (void)state;
    assert_true(ek_snapshot_check(&snapshot, &err));
    assert_true(ek_snapshot_check(&empty, &err));
}

/* Capacities are finite and above 0. */
static void capacities_are_above_zero(void **state)
{
    (void)state;
    snapshot.hosts[1].memory_mib = 0;
    refuses("hosts[1].memory_mib: found 0, expected a number above 0");
    snapshot.hosts[1].memory_mib = INFINITY;
    refuses("hosts[1].memory_mib: found inf, expected a number above 0");
    snapshot.hosts[1].memory_mib = NAN;
    refuses("hosts[1].memory_mib: found nan, expected a number above 0");
}

/* Figures are 0 or more; only usage may be unknown. */
static void figures_are_not_negative(void **state)
{
    struct ek_error err = {0};

    (void)state;
    snapshot.domains[0].cpu_used_cores = NAN;
    assert_true(ek_snapshot_check(&snapshot, &err));
    snapshot.domains[0].cpu_used_cores = -1;
    refuses("domains[0].cpu_used_cores: found -1, expected a number of 0 or more");
    snapshot.domains[0].cpu_used_cores = 0;
    snapshot.domains[0].dirty_mib_s = NAN;
    refuses("domains[0].dirty_mib_s: found nan, expected a number of 0 or more");
}

/* Indices point to hosts and domains that are there. */
static void indices_are_in_range(void **state)
{
    (void)state;
    snapshot.domains[1].host = 2;
    refuses("domains[1].host: found no such host");
    snapshot.domains[1].host = 1;
    snapshot.in_flight[0].destination = 7;
    refuses("in_flight[0]: found no such host, expected two different hosts");
    snapshot.in_flight[0].destination = 1;
    refuses("in_flight[0]: found one host, expected two different hosts");
    snapshot.in_flight[0].destination = 0;
    snapshot.in_flight[0].domain = 2;
    refuses("in_flight[0].domain: found no such domain");
}

/* A domain is in flight once: twice would count its memory twice. */
static void a_domain_is_in_flight_once(void **state)
{
    struct ek_in_flight twice[2] = {snapshot.in_flight[0], snapshot.in_flight[0]};

    (void)state;
    snapshot.in_flight = twice;
    snapshot.in_flight_count = 2;
    refuses("in_flight[1].domain: found that of in_flight[0], expected another");
}

/* A domain is in flight from or to the host that it is on: elsewhere its memory would not count. */
static void a_domain_is_in_flight_at_home(void **state)
{
    struct ek_host hosts[3] = {snapshot.hosts[0], snapshot.hosts[1], snapshot.hosts[0]};
    struct ek_error err = {0};

    (void)state;
    hosts[2].name = "h3";
    snapshot.hosts = hosts;
    snapshot.host_count = 3;
    snapshot.in_flight[0].source = 2;
    refuses("in_flight[0].domain: found it on h2, expected source or destination");
    snapshot.in_flight[0].destination = 1;
    assert_true(ek_snapshot_check(&snapshot, &err));
}

/* Names of hosts and UUIDs of domains are unique; the message names both. */
static void names_and_uuids_are_unique(void **state)
{
    (void)state;
    snapshot.domains[1].uuid = "a";
    refuses("domains[1].uuid: found \"a\", which domains[0] has already");
    snapshot.domains[1].uuid = "b";
    snapshot.hosts[1].name = "h1";
    refuses("hosts[1].name: found \"h1\", which hosts[0] has already");
}

/* Names that an order could not hold whole are refused: a cut one would never be found again. */
static void texts_fit_into_an_order(void **state)
{
    char name[200];

    (void)state;
    memset(name, 'x', sizeof(name));
    name[128] = '\0';
    snapshot.hosts[0].name = name;
    refuses("hosts[0].name: found 128 characters, expected at most 127");
    snapshot.hosts[0].name = "h1";
    name[37] = '\0';
    snapshot.domains[0].uuid = name;
    refuses("domains[0].uuid: found 37 characters, expected at most 36");
}

/* A domain is found by UUID or by a name that one domain alone bears. */
static void ambiguous_names_find_nothing(void **state)
{
    bool ambiguous = true;

    (void)state;
    assert_int_equal(ek_snapshot_find_domain(&snapshot, "b", &ambiguous), 1);
    assert_false(ambiguous);
    assert_int_equal(ek_snapshot_find_domain(&snapshot, "c", &ambiguous), EK_NONE);
    assert_false(ambiguous);
    snapshot.domains[0].name = "web";
    snapshot.domains[1].name = "web";
    assert_int_equal(ek_snapshot_find_domain(&snapshot, "web", &ambiguous), EK_NONE);
    assert_true(ambiguous);
    assert_int_equal(ek_snapshot_find_host(&snapshot, "h2"), 1);
    assert_int_equal(ek_snapshot_find_host(&snapshot, "h3"), EK_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sound_and_empty_pass, setup, teardown),
        cmocka_unit_test_setup_teardown(capacities_are_above_zero, setup, teardown),
        cmocka_unit_test_setup_teardown(figures_are_not_negative, setup, teardown),
        cmocka_unit_test_setup_teardown(indices_are_in_range, setup, teardown),
        cmocka_unit_test_setup_teardown(a_domain_is_in_flight_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_domain_is_in_flight_at_home, setup, teardown),
        cmocka_unit_test_setup_teardown(names_and_uuids_are_unique, setup, teardown),
        cmocka_unit_test_setup_teardown(texts_fit_into_an_order, setup, teardown),
        cmocka_unit_test_setup_teardown(ambiguous_names_find_nothing, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
