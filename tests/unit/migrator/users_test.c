/* Who uses a file, when libvirt's answers fail: over a host of libvirt's test driver, whose calls
 * fail here as told, with errors that libvirt itself makes. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* RTLD_NEXT */
#endif

#include "migrator/volume.h"

#include <dlfcn.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define BASE "/ek/images/base.raw"

/* A domain and a volume that have nothing to do with the base. */
static const char node[] =
    "<node><domain type='test'><name>web</name><memory>65536</memory><os><type>hvm</type></os>"
    "</domain><pool type='dir'><name>default</name><target><path>/ek/images</path></target>"
    "<volume type='file'><name>other.raw</name><capacity>1048576</capacity>"
    "<target><path>/ek/images/other.raw</path></target></volume></pool></node>";

enum call { NO_CALL, DOMAIN_XML, INACTIVE_XML, VOLUME_XML, VOLUME_LIST, VOLUME_LOOKUP };

static enum call failing;
static bool gone; /* it fails since what was listed is not there any more */
static virConnectPtr connection;

/* Fails as libvirt fails. */
static void fail_for(enum call call)
{
    virStoragePoolPtr pool = NULL;

    if (!gone) {
        assert_null(virDomainLookupByUUIDString(connection, "no UUID"));
        return;
    }
    switch (call) {
    case DOMAIN_XML:
    case INACTIVE_XML:
        assert_null(virDomainLookupByName(connection, "nobody"));
        return;
    case VOLUME_LIST:
        assert_null(virStoragePoolLookupByName(connection, "none"));
        return;
    case VOLUME_XML:
    case VOLUME_LOOKUP:
        pool = virStoragePoolLookupByName(connection, "default");
        assert_null(virStorageVolLookupByName(pool, "none"));
        assert_int_equal(virGetLastErrorCode(), VIR_ERR_NO_STORAGE_VOL);
        return; /* the pool is left open: closing it would take the error away */
    case NO_CALL:
        return;
    }
}

/* Whether the call is to fail; then its error is set. */
static bool fails(enum call call)
{
    if (failing == call) {
        fail_for(call);
    }
    return failing == call;
}

char *virDomainGetXMLDesc(virDomainPtr domain, unsigned int flags)
{
    char *(*real)(virDomainPtr, unsigned int) = NULL;

    *(void **)&real = dlsym(RTLD_NEXT, "virDomainGetXMLDesc");
    return fails(flags == 0 ? DOMAIN_XML : INACTIVE_XML) ? NULL : real(domain, flags);
}

char *virStorageVolGetXMLDesc(virStorageVolPtr volume, unsigned int flags)
{
    char *(*real)(virStorageVolPtr, unsigned int) = NULL;

    *(void **)&real = dlsym(RTLD_NEXT, "virStorageVolGetXMLDesc");
    return fails(VOLUME_XML) ? NULL : real(volume, flags);
}

int virStoragePoolListAllVolumes(virStoragePoolPtr pool, virStorageVolPtr **volumes,
                                 unsigned int flags)
{
    int (*real)(virStoragePoolPtr, virStorageVolPtr **, unsigned int) = NULL;

    *(void **)&real = dlsym(RTLD_NEXT, "virStoragePoolListAllVolumes");
    return fails(VOLUME_LIST) ? -1 : real(pool, volumes, flags);
}

virStorageVolPtr virStorageVolLookupByPath(virConnectPtr at, const char *path)
{
    virStorageVolPtr (*real)(virConnectPtr, const char *) = NULL;

    *(void **)&real = dlsym(RTLD_NEXT, "virStorageVolLookupByPath");
    return fails(VOLUME_LOOKUP) ? NULL : real(at, path);
}

static int setup(void **state)
{
    char path[] = "/tmp/ek-node-XXXXXX";
    char uri[64];
    int file = mkstemp(path);

    (void)state;
    assert_true(file >= 0);
    assert_true(dprintf(file, node) > 0);
    assert_int_equal(close(file), 0);
    (void)snprintf(uri, sizeof(uri), "test://%s", path);
    connection = virConnectOpen(uri);
    (void)unlink(path);
    return connection == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    (void)virConnectClose(connection);
    return 0;
}

static bool is_used(enum call call, bool because_gone, char *who)
{
    bool used;

    failing = call;
    gone = because_gone;
    who[0] = '\0';
    used = ek_volume_is_used(connection, BASE, who, EK_TEXT_SIZE);
    failing = NO_CALL;
    return used;
}

/* What cannot be read might use it: nothing is deleted on the ground of an answer that is missing.
 */
static void test_unreadable_counts_as_used(void **state)
{
    char who[EK_TEXT_SIZE];

    (void)state;
    assert_false(is_used(NO_CALL, false, who));
    assert_true(is_used(DOMAIN_XML, false, who));
    assert_string_equal(who, "domain web, perhaps: it cannot be read");
    assert_true(is_used(INACTIVE_XML, false, who));
    assert_true(is_used(VOLUME_LOOKUP, false, who));
    assert_true(is_used(VOLUME_XML, false, who));
    assert_string_equal(who, "volume other.raw, perhaps: it cannot be read");
    assert_true(is_used(VOLUME_LIST, false, who));
    assert_string_equal(who, "a volume, perhaps: pool default cannot be listed");
}

/* What went away between the list and the look uses nothing. */
static void test_gone_counts_as_unused(void **state)
{
    char who[EK_TEXT_SIZE];

    (void)state;
    assert_false(is_used(DOMAIN_XML, true, who));
    assert_false(is_used(INACTIVE_XML, true, who));
    assert_false(is_used(VOLUME_LOOKUP, true, who));
    assert_false(is_used(VOLUME_XML, true, who));
    assert_false(is_used(VOLUME_LIST, true, who));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unreadable_counts_as_used),
        cmocka_unit_test(test_gone_counts_as_unused),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
