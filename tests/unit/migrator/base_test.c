/* A base whose copy fails: the half that was made goes, unless it may be another's by now. Over two
 * hosts of libvirt's test driver, which has no streams: each copy fails at its very beginning. */
#include "migrator/libvirt_port.h"

#include <libvirt/libvirt.h>
#include <sched.h>
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

enum { FRESH_MS = 2000 }; /* longer than a call takes on a busy machine */

static const char pool[] =
    "<node><pool type='dir'><name>default</name><target><path>/ek/images</path></target>%s</pool>"
    "</node>";
static const char base[] =
    "<volume type='file'><name>base.raw</name><capacity>1048576</capacity>"
    "<allocation>0</allocation><target><path>" BASE "</path><format type='raw'/></target></volume>";
static const char user[] =
    "<domain type='test'><name>web</name><memory>65536</memory><os><type>hvm</type></os><devices>"
    "<disk type='file' device='disk'><source file='" BASE "'/><target dev='vda'/></disk>"
    "</devices></domain>";

static struct ek_libvirt_port *port;
static struct ek_move_record record;

/* What happens while the base is copied. */
enum meanwhile { NOTHING, GIVEN_UP, DISOWNED, STOPPED, USED };
static enum meanwhile meanwhile;

/* The test driver does not know this call: each host has one pool. */
virStoragePoolPtr virStoragePoolLookupByTargetPath(virConnectPtr connection, const char *path)
{
    assert_string_equal(path, "/ek/images");
    return virStoragePoolLookupByName(connection, "default");
}

static void define_user(virConnectPtr connection)
{
    virDomainPtr domain = virDomainDefineXML(connection, user);

    assert_non_null(domain);
    virDomainFree(domain);
}

/* Where the copy begins, and fails. */
int virStorageVolUpload(virStorageVolPtr volume, virStreamPtr stream, unsigned long long offset,
                        unsigned long long length, unsigned int flags)
{
    int64_t until_ms = ek_fresh_until(port);

    (void)stream;
    (void)offset;
    (void)length;
    (void)flags;
    switch (meanwhile) {
    case NOTHING:
        break;
    case GIVEN_UP:
        ek_arrivals_close(&port->arrivals, &record);
        break;
    case DISOWNED:
        port->hypervisor.disown(port, &record);
        break;
    case STOPPED:
        while (ek_is_fresh(until_ms)) {
            sched_yield();
        }
        break;
    case USED:
        define_user(virStorageVolGetConnect(volume));
        break;
    }
    return -1;
}

static void note(void *context, const char *step, const char *text)
{
    char *told = context;

    (void)step;
    snprintf(told, EK_TEXT_SIZE, "%s", text);
}

static void write_node(char *path, size_t size, const char *volume)
{
    snprintf(path, size, "/tmp/ek-node-XXXXXX");
    int file = mkstemp(path);

    assert_true(file >= 0);
    assert_true(dprintf(file, pool, volume) > 0);
    assert_int_equal(close(file), 0);
}

static bool is_there(void)
{
    struct ek_call_result result;
    struct ek_end end;

    assert_true(ek_end_open(&end, port, "h2", &record, false, "test", &result));
    virStorageVolPtr volume = virStorageVolLookupByPath(end.connection, BASE);
    bool found = volume != NULL;

    if (found) {
        virStorageVolFree(volume);
    }
    ek_end_close(&end);
    return found;
}

static void make_port(void)
{
    char files[2][64], uris[2][96];
    struct ek_libvirt_host hosts[2] = {{"h1", uris[0], NULL}, {"h2", uris[1], NULL}};
    struct ek_call_result result;
    struct ek_error err = {0};
    struct ek_end end;

    write_node(files[0], sizeof(files[0]), base);
    write_node(files[1], sizeof(files[1]), "");
    for (int i = 0; i < 2; i++) {
        snprintf(uris[i], sizeof(uris[i]), "test://%s", files[i]);
    }
    port = ek_libvirt_port_create(hosts, 2, 1000, FRESH_MS, &err);
    assert_non_null(port);
    for (int i = 0; i < 2; i++) { /* it is read when it is connected to */
        assert_true(ek_end_open(&end, port, hosts[i].name, &record, false, "test", &result));
        ek_end_close(&end);
    }
    (void)unlink(files[0]);
    (void)unlink(files[1]);
}

/* Whether the half is still there after the copy failed; what was told about it. */
static bool stays(enum meanwhile what, char *told)
{
    struct ek_call_result result;
    bool found, there;

    meanwhile = what;
    told[0] = '\0';
    record = (struct ek_move_record){
        .order = {.id = "p-1",
                  .domain = "6c1d0b6e-0000-4000-8000-000000000001",
                  .source = "h1",
                  .destination = "h2"},
        .state = EK_MOVE_PREPARE,
        .attempt = 1,
        .preparation_count = 1,
        .preparations = {
            {.kind = EK_PREPARATION_BASE, .state = EK_PREPARATION_BEGUN, .what = BASE}}};
    make_port();
    ek_arrivals_note(&port->arrivals, &record, 0);
    result = port->hypervisor.prepare(port, &record, &found, note, told);
    assert_false(result.ok);
    there = is_there();
    ek_libvirt_port_destroy(port);
    return there;
}

/* While nobody else can have made anything at its path. */
static void test_half_goes(void **state)
{
    char told[EK_TEXT_SIZE];

    (void)state;
    assert_false(stays(NOTHING, told));
    assert_false(stays(GIVEN_UP, told));
    assert_string_equal(told, "");
}

/* A leader that was replaced may find its successor's base there, which looks like its own. */
static void test_half_of_another_life_stays(void **state)
{
    char told[EK_TEXT_SIZE];

    (void)state;
    assert_true(stays(DISOWNED, told));
    assert_non_null(strstr(told, BASE " is left as it is, for it is used by another life"));
    assert_true(stays(STOPPED, told));
    assert_non_null(strstr(told, "another life of the move"));
}

static void test_base_in_use_stays(void **state)
{
    char told[EK_TEXT_SIZE];

    (void)state;
    assert_true(stays(USED, told));
    assert_non_null(strstr(told, "used by domain web"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_half_goes),
        cmocka_unit_test(test_half_of_another_life_stays),
        cmocka_unit_test(test_base_in_use_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
