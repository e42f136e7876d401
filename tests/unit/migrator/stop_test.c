/* What stands between a save or a shutdown and its domain: over a host of libvirt's test driver,
 * which each connection reads anew from its file. That driver knows no jobs: they are told here. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* RTLD_NEXT */
#endif

#include "migrator/libvirt_port.h"

#include <dlfcn.h>
#include <libvirt/libvirt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define UUID "6c1d0b6e-0000-4000-8000-000000000001"

static const char node[] =
    "<node><domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'>"
    "<name>web</name><uuid>" UUID "</uuid><memory>65536</memory><metadata>"
    "<ek:domain xmlns:ek='urn:evenkeel:domain:1'><ek:evacuation mode='%s'/></ek:domain>%s"
    "</metadata><os><type>hvm</type></os><test:runstate>%d</test:runstate>%s</domain></node>";

/* A domain's state as libvirt counts it. */
enum { RUNNING = 1, PAUSED = 3, OFF = 5 };

/* The host as it is when somebody looks. */
struct sight {
    const char *mode;
    const char *other; /* more metadata */
    int state;
    const char *more; /* more of the domain */
    int job;          /* operation; NO_JOB, or NO_ANSWER */
};

enum { NO_JOB = -1, NO_ANSWER = -2 };

static char path[64];
static char uri[96];
static int job;
static int saves, shutdowns; /* calls that reached libvirt */

int virDomainGetJobStats(virDomainPtr domain, int *type, virTypedParameterPtr *params, int *count,
                         unsigned int flags)
{
    int room = 0;

    (void)flags;
    *params = NULL;
    *count = 0;
    *type = job == NO_JOB ? VIR_DOMAIN_JOB_NONE : VIR_DOMAIN_JOB_UNBOUNDED;
    if (job == NO_ANSWER) {
        assert_null(virDomainLookupByUUIDString(virDomainGetConnect(domain), "no UUID"));
        return -1;
    }
    return job == NO_JOB
               ? 0
               : virTypedParamsAddInt(params, count, &room, VIR_DOMAIN_JOB_OPERATION, job);
}

int virDomainManagedSave(virDomainPtr domain, unsigned int flags)
{
    int (*real)(virDomainPtr, unsigned int) = NULL;

    *(void **)&real = dlsym(RTLD_NEXT, "virDomainManagedSave");
    saves++;
    return real(domain, flags);
}

int virDomainShutdownFlags(virDomainPtr domain, unsigned int flags)
{
    int (*real)(virDomainPtr, unsigned int) = NULL;

    *(void **)&real = dlsym(RTLD_NEXT, "virDomainShutdownFlags");
    shutdowns++;
    return real(domain, flags);
}

static void show(const struct sight *sight)
{
    FILE *out = fopen(path, "w");

    assert_non_null(out);
    assert_true(fprintf(out, node, sight->mode, sight->other, sight->state, sight->more) > 0);
    assert_int_equal(fclose(out), 0);
    job = sight->job;
}

static void note(void *context, const char *step, const char *text)
{
    (void)context;
    (void)step;
    (void)text;
}

/* Checked while the host shows `first`, called when it shows `then`. */
static struct ek_call_result checked_and_called(enum ek_move_kind kind, const struct sight *first,
                                                const struct sight *then)
{
    const struct ek_libvirt_host host = {"h1", uri, NULL};
    struct ek_move_record record = {
        .order = {.id = "p-1", .domain = UUID, .source = "h1", .kind = kind}};
    struct ek_findings findings;
    struct ek_call_result result;
    struct ek_error err = {0};

    saves = 0;
    shutdowns = 0;
    show(first);
    struct ek_libvirt_port *port = ek_libvirt_port_create(&host, 1, 1000, 30000, &err);
    assert_non_null(port);
    const struct ek_hypervisor *calls = ek_libvirt_port_hypervisor(port);
    result = calls->precheck(calls->context, &record, &findings, note, NULL);
    if (!result.ok) {
        fail_msg("%s", result.error);
    }
    show(then);
    result = calls->stop(calls->context, &record);
    ek_libvirt_port_destroy(port);
    return result;
}

/* Nothing has changed: the call is made, once, and no other. */
static void test_unchanged_is_called(void **state)
{
    static const struct sight save = {"save", "", RUNNING, "", NO_JOB};
    static const struct sight shutdown = {"shutdown", "", RUNNING, "", NO_JOB};

    (void)state;
    assert_true(checked_and_called(EK_MOVE_SAVE, &save, &save).ok);
    assert_int_equal(saves, 1);
    assert_int_equal(shutdowns, 0);
    assert_true(checked_and_called(EK_MOVE_SHUTDOWN, &shutdown, &shutdown).ok);
    assert_int_equal(saves, 0);
    assert_int_equal(shutdowns, 1);
}

/* What changed between the check and the call is seen, and the guest is told nothing. The engine
 * comes back to a job that ends; a word that was taken back stays so. */
static void test_changed_is_left_alone(void **state)
{
    static const struct sight before = {"shutdown", "", RUNNING, "", NO_JOB};
    static const struct {
        struct sight then;
        enum ek_failure failure;
        const char *why;
    } cases[] = {
        {{"shutdown", "", RUNNING, "", VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT},
         EK_FAILURE_SAME_PAIR,
         "another job"},
        {{"shutdown", "", RUNNING, "", NO_ANSWER}, EK_FAILURE_SAME_PAIR, "another job"},
        {{"migrate", "", RUNNING, "", NO_JOB}, EK_FAILURE_DOMAIN, "do not ask for it"},
        {{"save", "", RUNNING, "", NO_JOB}, EK_FAILURE_DOMAIN, "do not ask for it"},
        {{"shutdown", "<n:instance xmlns:n='http://openstack.org/xmlns/libvirt/nova/1.1'/>",
          RUNNING, "", NO_JOB},
         EK_FAILURE_DOMAIN,
         "Nova"},
        {{"shutdown", "", PAUSED, "", NO_JOB}, EK_FAILURE_DOMAIN, "not running"},
        {{"shutdown", "", OFF, "", NO_JOB}, EK_FAILURE_DOMAIN, "not running"},
        {{"shutdown", "", RUNNING, "<test:transient>1</test:transient>", NO_JOB},
         EK_FAILURE_DOMAIN,
         "transient"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ek_call_result result =
            checked_and_called(EK_MOVE_SHUTDOWN, &before, &cases[i].then);
        assert_false(result.ok);
        if (strstr(result.error, cases[i].why) == NULL) {
            fail_msg("found \"%s\", expected \"%s\" in it", result.error, cases[i].why);
        }
        assert_int_equal(result.failure, cases[i].failure);
        assert_int_equal(saves + shutdowns, 0);
    }
}

/* A save, too: a job that began meanwhile would only make it wait, and save who is no longer meant.
 */
static void test_save_is_checked_again(void **state)
{
    static const struct sight before = {"save", "", RUNNING, "", NO_JOB};
    static const struct sight moving = {"save", "", RUNNING, "",
                                        VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT};
    static const struct sight other = {"shutdown", "", RUNNING, "", NO_JOB};

    (void)state;
    assert_int_equal(checked_and_called(EK_MOVE_SAVE, &before, &moving).failure,
                     EK_FAILURE_SAME_PAIR);
    assert_int_equal(checked_and_called(EK_MOVE_SAVE, &before, &other).failure, EK_FAILURE_DOMAIN);
    assert_int_equal(saves + shutdowns, 0);
}

static int setup(void **state)
{
    (void)state;
    (void)snprintf(path, sizeof(path), "/tmp/ek-node-XXXXXX");
    int file = mkstemp(path);

    assert_true(file >= 0);
    assert_int_equal(close(file), 0);
    (void)snprintf(uri, sizeof(uri), "test://%s", path);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unchanged_is_called),
        cmocka_unit_test(test_changed_is_left_alone),
        cmocka_unit_test(test_save_is_checked_again),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
