/* The libvirt port where no libvirtd is: what it says of hosts that cannot be reached. Real
 * migrations are the lab's. */
#include "migrator/libvirt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Port 1 of this machine: refused at once. */
static const struct ek_libvirt_host hosts[] = {
    {"h1", "qemu+tcp://127.0.0.1:1/system", NULL},
    {"h2", "qemu+tcp://127.0.0.1:1/system", "tcp://127.0.0.1"},
};

static struct ek_move_record record = {.order = {.id = "p-1",
                                                 .domain = "6c1d0b6e-0000-4000-8000-000000000001",
                                                 .source = "h1",
                                                 .destination = "h2"}};

static struct ek_libvirt_port *create(void)
{
    struct ek_error err = {0};
    struct ek_libvirt_port *port = ek_libvirt_port_create(hosts, 2, 1000, 30000, &err);

    assert_non_null(port);
    return port;
}

struct notes {
    int count;
    char last[64];
};

static void note(void *context, const char *step, const char *text)
{
    struct notes *notes = context;

    (void)text;
    notes->count++;
    snprintf(notes->last, sizeof(notes->last), "%s", step);
}

/* A host that refuses is unreachable, not "absent": nothing was verified there. */
static void test_refused_is_unreachable(void **state)
{
    struct ek_libvirt_port *port = create();
    const struct ek_hypervisor *calls = ek_libvirt_port_hypervisor(port);
    struct ek_observation source, destination;

    (void)state;
    calls->observe(calls->context, &record, &source, &destination);
    assert_int_equal(source.presence, EK_PRESENCE_UNREACHABLE);
    assert_int_equal(destination.presence, EK_PRESENCE_UNREACHABLE);
    assert_int_equal(source.job, EK_JOB_NOT_KNOWN);
    ek_libvirt_port_destroy(port);
}

/* The first check that fails ends the checks and is noted by its name; a source that is away is
 * lost, and no destination's fault. */
static void test_precheck_stops_at_the_first(void **state)
{
    struct ek_libvirt_port *port = create();
    const struct ek_hypervisor *calls = ek_libvirt_port_hypervisor(port);
    struct notes notes = {0};
    struct ek_findings findings;
    struct ek_call_result result =
        calls->precheck(calls->context, &record, &findings, note, &notes);

    (void)state;
    assert_int_equal(result.failure, EK_FAILURE_LOST);
    assert_int_equal(notes.count, 1);
    assert_string_equal(notes.last, "precheck-permission");
    assert_non_null(strstr(result.error, "h1: precheck-permission: "));
    ek_libvirt_port_destroy(port);
}

/* A source that cannot be reached gives no result of a migration, and no progress; an abort says
 * so. */
static void test_calls_without_a_source(void **state)
{
    struct ek_libvirt_port *port = create();
    const struct ek_hypervisor *calls = ek_libvirt_port_hypervisor(port);
    struct ek_job_progress progress;
    struct ek_error err = {0};

    (void)state;
    assert_int_equal(calls->migrate(calls->context, &record).failure, EK_FAILURE_LOST);
    assert_false(calls->progress(calls->context, &record, &progress));
    assert_false(calls->abort(calls->context, &record, &err));
    assert_int_equal(err.code, EK_ERR_UNAVAILABLE);
    ek_libvirt_port_destroy(port);
}

/* A repair is refused while either end cannot be read, whatever was seen before. */
static void test_repairs_are_refused_blindly(void **state)
{
    struct ek_libvirt_port *port = create();
    const struct ek_hypervisor *calls = ek_libvirt_port_hypervisor(port);

    (void)state;
    assert_false(calls->resume_source(calls->context, &record).ok);
    assert_false(calls->destroy_source(calls->context, &record).ok);
    assert_false(calls->destroy_destination(calls->context, &record).ok);
    assert_non_null(strstr(calls->destroy_source(calls->context, &record).error, "not done"));
    ek_libvirt_port_destroy(port);
}

/* A list with a bad URI is refused whole, and the old list stays. */
static void test_bad_list_is_refused(void **state)
{
    static const struct ek_libvirt_host bad[] = {{"h3", "qemu+tcp://h3/system", NULL},
                                                 {"h4", "no uri", NULL}};
    struct ek_libvirt_port *port = create();
    struct ek_error err = {0};

    (void)state;
    assert_false(ek_libvirt_port_set_hosts(port, bad, 2, &err));
    assert_int_equal(err.code, EK_ERR_INVALID);
    assert_non_null(strstr(err.message, "h4"));
    assert_true(ek_libvirt_port_set_hosts(port, bad, 1, &err));
    ek_libvirt_port_destroy(port);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused_is_unreachable),
        cmocka_unit_test(test_precheck_stops_at_the_first),
        cmocka_unit_test(test_calls_without_a_source),
        cmocka_unit_test(test_repairs_are_refused_blindly),
        cmocka_unit_test(test_bad_list_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
