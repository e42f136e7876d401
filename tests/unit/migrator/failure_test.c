/* Laws of the classes of failure: which errors of libvirt 9.0 may be helped by which retry. */
#include "migrator/failure.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Errors as libvirt 9.0 and QEMU 7.2 word them. */
static const struct {
    int code;
    const char *message;
    enum ek_failure failure;
} seen[] = {
    {VIR_ERR_OPERATION_ABORTED, "operation aborted: job 'migration out' canceled by client",
     EK_FAILURE_ABORTED},
    {VIR_ERR_OPERATION_TIMEOUT, "Timed out during operation: cannot acquire state change lock",
     EK_FAILURE_SAME_PAIR},
    {VIR_ERR_OPERATION_INVALID,
     "Requested operation is not valid: another migration job is already running for domain 'a'",
     EK_FAILURE_SAME_PAIR},
    {VIR_ERR_OPERATION_INVALID, "Requested operation is not valid: network 'n' is not active",
     EK_FAILURE_OTHER_HOST},
    {VIR_ERR_OPERATION_INVALID,
     "Requested operation is not valid: cannot migrate domain with 2 snapshots", EK_FAILURE_DOMAIN},
    {VIR_ERR_INTERNAL_ERROR,
     "internal error: Unable to find an unused port in range 'migration' (49152-49215)",
     EK_FAILURE_SAME_PAIR},
    {VIR_ERR_INTERNAL_ERROR,
     "internal error: process exited while connecting to monitor: cannot set up guest memory",
     EK_FAILURE_OTHER_HOST},
    {VIR_ERR_OPERATION_FAILED, "operation failed: Lost connection to destination host",
     EK_FAILURE_OTHER_HOST},
    {VIR_ERR_OPERATION_FAILED, "operation failed: domain is not running", EK_FAILURE_DOMAIN},
    {VIR_ERR_SYSTEM_ERROR, "unable to connect to server at 'h2:49152': Connection refused",
     EK_FAILURE_OTHER_HOST},
    {VIR_ERR_CPU_INCOMPATIBLE, "the CPU is incompatible with host CPU", EK_FAILURE_OTHER_HOST},
    {VIR_ERR_MIGRATE_UNSAFE, "Unsafe migration: Migration without shared storage is unsafe",
     EK_FAILURE_DOMAIN},
    {VIR_ERR_INTERNAL_ERROR,
     "internal error: pool 'default' has asynchronous jobs running or is being started",
     EK_FAILURE_SAME_PAIR},
    {VIR_ERR_SYSTEM_ERROR,
     "Cannot access storage file '/images/a.qcow2': No such file or directory",
     EK_FAILURE_OTHER_HOST},
    {VIR_ERR_OPERATION_FAILED,
     "operation failed: migration of disk vda failed: No space left on "
     "device",
     EK_FAILURE_OTHER_HOST},
    {VIR_ERR_NO_STORAGE_VOL, "Storage volume not found: no storage vol with matching path",
     EK_FAILURE_OTHER_HOST},
    {VIR_ERR_STORAGE_VOL_EXIST, "storage volume 'a.qcow2' exists already", EK_FAILURE_OTHER_HOST},
    {VIR_ERR_OPERATION_UNSUPPORTED,
     "Operation not supported: pre-creation of storage targets for incremental storage migration "
     "is not supported",
     EK_FAILURE_OTHER_HOST},
    {VIR_ERR_NO_NWFILTER, "no network filter with matching name 'f'", EK_FAILURE_OTHER_HOST},
};

/* Each known error is of the class that its catalogue says. */
static void test_known_errors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(seen) / sizeof(seen[0]); i++) {
        print_message("%s\n", seen[i].message);
        assert_int_equal(ek_failure_of(seen[i].code, seen[i].message), seen[i].failure);
    }
}

/* An error that nobody foresaw is not tried again anywhere. */
static void test_unknown_error_is_not_retried(void **state)
{
    (void)state;
    assert_int_equal(ek_failure_of(9999, "something new"), EK_FAILURE_DOMAIN);
}

/* Over a connection that broke no error tells the outcome; the text still names host, step and
 * message. */
static void test_broken_connection_is_lost(void **state)
{
    virError error = {.code = VIR_ERR_OPERATION_ABORTED, .message = (char[]){"aborted"}};
    struct ek_call_result result = ek_fail_libvirt("h1", "migrate", &error, false);

    (void)state;
    assert_false(result.ok);
    assert_int_equal(result.failure, EK_FAILURE_LOST);
    assert_string_equal(result.error, "h1: migrate: aborted");
    result = ek_fail_libvirt("h1", "migrate", &error, true);
    assert_int_equal(result.failure, EK_FAILURE_ABORTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_errors),
        cmocka_unit_test(test_unknown_error_is_not_retried),
        cmocka_unit_test(test_broken_connection_is_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
