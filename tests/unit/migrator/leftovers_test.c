/* What a move left on its hosts, and what of it goes: over hosts of libvirt's test driver. */
#include "migrator/libvirt_port.h"

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
#define DISK "/ek/images/web.qcow2"

/* A host that has no pool over the directory; NULL: none. */
static const char *poolless;

/* The test driver does not know this call: each host has one pool. */
virStoragePoolPtr virStoragePoolLookupByTargetPath(virConnectPtr connection, const char *path)
{
    assert_string_equal(path, "/ek/images");
    char *uri = virConnectGetURI(connection);
    bool none = poolless != NULL && uri != NULL && strcmp(uri, poolless) == 0;

    free(uri);
    return virStoragePoolLookupByName(connection, none ? "none" : "default");
}

/* A host with one volume, and perhaps one domain, which bears the move's mark. */
static const char domain[] =
    "<domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'>"
    "<name>web</name><uuid>" UUID "</uuid><memory>65536</memory>"
    "<metadata><ek:move xmlns:ek='urn:evenkeel:move:1' id='p-1' autostart='no'/></metadata>"
    "<os><type>hvm</type></os><test:runstate>%d</test:runstate></domain>";
static const char pool[] =
    "<pool type='dir'><name>default</name><target><path>/ek/images</path></target>"
    "<volume type='file'><name>web.qcow2</name><capacity>1048576</capacity>"
    "<allocation>0</allocation><target><path>" DISK "</path></target></volume>%s</pool>";
/* Seen by a host that shares the source's storage. */
static const char marker[] =
    "<volume type='file'><name>evenkeel-marker-p-1</name><capacity>1</capacity>"
    "<target><path>/ek/images/evenkeel-marker-p-1</path></target></volume>";

/* A domain's state as libvirt counts it; ABSENT: there is none. */
enum { ABSENT = 0, RUNNING = 1, OFF = 5 };

static void write_node(char *path, size_t size, int state, bool shares)
{
    snprintf(path, size, "/tmp/ek-node-XXXXXX");
    int file = mkstemp(path);

    assert_true(file >= 0);
    assert_true(dprintf(file, "<node>") > 0);
    if (state != ABSENT) {
        assert_true(dprintf(file, domain, state) > 0);
    }
    assert_true(dprintf(file, pool, shares ? marker : "") > 0);
    assert_true(dprintf(file, "</node>") > 0);
    assert_int_equal(close(file), 0);
}

/* Counts the files that are told to be removed. */
static void note(void *context, const char *step, const char *text)
{
    int *removed = context;

    (void)step;
    *removed += strstr(text, DISK " removed") != NULL ? 1 : 0;
}

/* Where the domain is. */
struct world {
    int on_source;
    int on_destination;
    int on_third;
    bool third_shares; /* the source's storage */
    bool destination_shares;
    bool was_apart; /* the destination's storage, when it was asked less than an hour ago */
    int poolless;   /* index of a host that has no pool over the directory; 0: none */
};

static struct world on(int source, int destination)
{
    return (struct world){.on_source = source, .on_destination = destination};
}

/* Unprepares, or discards what a move that is done left; returns how many files went. */
static int clean(struct world world, enum ek_move_state state, struct ek_call_result *result)
{
    char files[3][64];
    char uris[3][96];
    struct ek_libvirt_host hosts[3] = {
        {"h1", uris[0], NULL}, {"h2", uris[1], NULL}, {"h3", uris[2], NULL}};
    struct ek_move_record record = {
        .order = {.id = "p-1", .domain = UUID, .source = "h1", .destination = "h2"},
        .state = state,
        .attempt = 1,
        .preparation_count = 1,
        .preparations = {{.kind = EK_PREPARATION_OVERLAY,
                          .state = EK_PREPARATION_MADE,
                          .what = DISK,
                          .disk = "vda"}}};
    struct ek_error err = {0};
    int removed = 0;

    write_node(files[0], sizeof(files[0]), world.on_source, false);
    write_node(files[1], sizeof(files[1]), world.on_destination, world.destination_shares);
    write_node(files[2], sizeof(files[2]), world.on_third, world.third_shares);
    for (int i = 0; i < 3; i++) {
        snprintf(uris[i], sizeof(uris[i]), "test://%s", files[i]);
    }
    struct ek_libvirt_port *port = ek_libvirt_port_create(hosts, 3, 1000, 30000, &err);
    assert_non_null(port);
    poolless = world.poolless > 0 ? uris[world.poolless] : NULL;
    if (world.was_apart) {
        ek_arrivals_keep_storage(&port->arrivals, "h1 h2 /ek/images", false);
    }
    const struct ek_hypervisor *calls = ek_libvirt_port_hypervisor(port);
    *result = state == EK_MOVE_DONE ? calls->discard(calls->context, &record, note, &removed)
                                    : calls->unprepare(calls->context, &record, note, &removed);
    ek_libvirt_port_destroy(port);
    poolless = NULL;
    for (int i = 0; i < 3; i++) {
        (void)unlink(files[i]);
    }
    return removed;
}

/* After a power cut of both hosts in the midst of a hand-over both have the domain, off: which disk
 * is the newest nobody can tell, and neither goes. */
static void test_off_on_both_keeps_the_disks(void **state)
{
    struct ek_call_result result;

    (void)state;
    assert_int_equal(clean(on(OFF, OFF), EK_MOVE_UNPREPARE, &result), 0);
    assert_int_equal(result.failure, EK_FAILURE_DOMAIN);
    assert_non_null(strstr(result.error, "it may have run here"));
}

/* A source that has it, while the destination knows nothing of it, has the newest disks. */
static void test_unprepare_clears_the_destination(void **state)
{
    struct ek_call_result result;

    (void)state;
    assert_int_equal(clean(on(RUNNING, ABSENT), EK_MOVE_UNPREPARE, &result), 1);
    assert_true(result.ok);
    assert_int_equal(clean(on(OFF, ABSENT), EK_MOVE_UNPREPARE, &result), 1);
    assert_true(result.ok);
    assert_int_equal(clean(on(ABSENT, ABSENT), EK_MOVE_UNPREPARE, &result), 0);
    assert_int_equal(result.failure, EK_FAILURE_DOMAIN);
}

/* The source's disk goes when another host has the domain, on a storage of its own; never while the
 * domain is here, and never when nobody has it. */
static void test_discard_looks_anew(void **state)
{
    struct ek_call_result result;

    (void)state;
    assert_int_equal(clean(on(ABSENT, RUNNING), EK_MOVE_DONE, &result), 1);
    assert_true(result.ok);
    assert_int_equal(clean(on(ABSENT, OFF), EK_MOVE_DONE, &result), 1);
    assert_int_equal(clean(on(OFF, RUNNING), EK_MOVE_DONE, &result), 0);
    assert_non_null(strstr(result.error, "on this host again"));
    assert_int_equal(clean(on(ABSENT, ABSENT), EK_MOVE_DONE, &result), 0);
    assert_int_equal(result.failure, EK_FAILURE_DOMAIN);
}

/* Somebody else's migration took it on to a host that shares the source's storage: the old file is
 * its disk again, though it differs from the destination's. */
static void test_discard_spares_a_disk_in_use(void **state)
{
    struct world world = {.on_third = RUNNING};
    struct ek_call_result result;

    (void)state;
    assert_int_equal(clean(world, EK_MOVE_DONE, &result), 1);
    assert_true(result.ok);
    world.third_shares = true;
    assert_int_equal(clean(world, EK_MOVE_DONE, &result), 0);
    assert_int_equal(result.failure, EK_FAILURE_DOMAIN);
    assert_non_null(strstr(result.error, "shared with h3"));
    world.on_destination = OFF; /* a definition that is left behind there says nothing */
    assert_int_equal(clean(world, EK_MOVE_DONE, &result), 0);
}

/* Where it cannot be told whether a host shares the disk, it stays for now. */
static void test_discard_waits_for_an_answer(void **state)
{
    struct world world = {.on_destination = RUNNING, .poolless = 1};
    struct ek_call_result result;

    (void)state;
    assert_int_equal(clean(world, EK_MOVE_DONE, &result), 0);
    assert_int_equal(result.failure, EK_FAILURE_SAME_PAIR);
    assert_non_null(strstr(result.error, DISK " stays, for whether h2, which has the domain"));
    assert_non_null(strstr(result.error, "no storage pool"));
    world = (struct world){.on_third = RUNNING, .poolless = 1};
    assert_int_equal(clean(world, EK_MOVE_DONE, &result), 0);
    assert_non_null(strstr(result.error, DISK " stays, for whether h2, the destination, shares"));
    world = (struct world){.on_third = RUNNING, .on_destination = OFF, .poolless = 2};
    assert_int_equal(clean(world, EK_MOVE_DONE, &result), 0);
    assert_int_equal(result.failure, EK_FAILURE_SAME_PAIR);
    assert_non_null(strstr(result.error, "h3"));
}

/* Two storages may have become one since a move asked: the answer of then deletes nothing. */
static void test_discard_asks_afresh(void **state)
{
    struct world world = {.on_destination = RUNNING, .destination_shares = true, .was_apart = true};
    struct ek_call_result result;

    (void)state;
    assert_int_equal(clean(world, EK_MOVE_DONE, &result), 0);
    assert_int_equal(result.failure, EK_FAILURE_DOMAIN);
    assert_non_null(strstr(result.error, "shared with h2"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_off_on_both_keeps_the_disks),
        cmocka_unit_test(test_unprepare_clears_the_destination),
        cmocka_unit_test(test_discard_looks_anew),
        cmocka_unit_test(test_discard_spares_a_disk_in_use),
        cmocka_unit_test(test_discard_waits_for_an_answer),
        cmocka_unit_test(test_discard_asks_afresh),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
