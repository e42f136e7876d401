/* Laws of what the doctor sees: shared disks of a domain, qemu.conf, processes, ports. */
#include "collector/domain_xml.h"
#include "collector/endpoint.h"
#include "collector/inspect.h"
#include "collector/xml.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct ek_arena arena;
static struct ek_error err;
static char folder[] = "/tmp/ek-inspect-XXXXXX";

static int group_setup(void **state)
{
    (void)state;
    ek_xml_init();
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int group_teardown(void **state)
{
    (void)state;
    return rmdir(folder);
}

static int teardown(void **state)
{
    (void)state;
    ek_arena_finish(&arena);
    return 0;
}

static const char *write_file(const char *name, const char *text)
{
    const char *path = ek_arena_printf(&arena, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    return path;
}

/* ---- disks --------------------------------------------------------------------------------- */

static struct ek_shared_disk disks[8];
static size_t disk_count;

static void inspect(const char *devices)
{
    static struct ek_storage_pool pools[] = {
        {.name = "default", .type = "dir", .target = "/var/lib/libvirt/images"},
        {.name = "nfs", .type = "netfs", .target = "/srv/vms"}};
    static const struct ek_storage_pools all = {pools, 2};
    static const struct ek_host_facts host = {.cpu_model = NULL};
    static const struct ek_strings none = {.count = 0};
    const struct ek_domain_surroundings around = {&host, &all, &none};
    const char *xml =
        ek_arena_printf(&arena,
                        "<domain type='kvm'><name>a</name><memory unit='KiB'>1024</memory>"
                        "<vcpu>1</vcpu>%s</domain>",
                        devices);

    disk_count = 0;
    if (!ek_inspect_disks(disks, &disk_count, xml, &around, &arena, &err)) {
        fail_msg("%s", err.message);
    }
}

/* Files and devices that other hosts reach and that are written count; local files, network images
 * and what is only read do not. */
static void test_shared_written_disks_count(void **state)
{
    (void)state;
    inspect("<devices>"
            "<disk type='file' device='disk'><source file='/srv/vms/a.qcow2'/>"
            "<target dev='vda'/></disk>"
            "<disk type='block' device='disk'><source dev='/dev/mapper/a'/>"
            "<target dev='vdb'/></disk>"
            "<disk type='file' device='disk'><source file='/var/lib/libvirt/images/a.raw'/>"
            "<target dev='vdc'/></disk>"
            "<disk type='network' device='disk'><source protocol='rbd' name='vms/a'/>"
            "<target dev='vdd'/></disk>"
            "<disk type='file' device='disk'><source file='/srv/vms/ro.raw'/>"
            "<target dev='vde'/><readonly/></disk>"
            "<disk type='file' device='cdrom'><source file='/srv/vms/cd.iso'/>"
            "<target dev='sda'/></disk>"
            "</devices>");
    assert_int_equal(disk_count, 2);
    assert_string_equal(disks[0].domain, "a");
    assert_string_equal(disks[0].target, "vda");
    assert_string_equal(disks[0].source, "/srv/vms/a.qcow2");
    assert_string_equal(disks[1].source, "/dev/mapper/a");
    assert_true(disks[0].relabels && !disks[0].leased);
}

/* relabel='no', of the domain or of one disk, keeps the owner; a lease locks all of the domain's.
 */
static void test_labels_and_leases_are_seen(void **state)
{
    static const char one[] = "<devices><disk type='file' device='disk'><source "
                              "file='/srv/vms/a.raw'><seclabel model='dac' relabel='no'/></source>"
                              "<target dev='vda'/></disk></devices>";
    static const char all[] = "<devices><disk type='file' device='disk'><source "
                              "file='/srv/vms/a.raw'/><target dev='vda'/></disk><lease>"
                              "<lockspace>x</lockspace><key>a</key><target path='/srv/l'/></lease>"
                              "</devices><seclabel type='static' model='dac' relabel='no'/>";

    (void)state;
    inspect(one);
    assert_int_equal(disk_count, 1);
    assert_false(disks[0].relabels || disks[0].leased);
    inspect(all);
    assert_false(disks[0].relabels);
    assert_true(disks[0].leased);
}

/* ---- qemu.conf, processes, ports ----------------------------------------------------------- */

/* Lines count as libvirt reads them: comments are none, the last of two counts. */
static void test_qemu_conf_is_read(void **state)
{
    struct ek_qemu_conf conf;
    const char *path = write_file("qemu.conf", "# lock_manager = \"sanlock\"\n"
                                               "#remember_owner = 0\n"
                                               "  lock_manager=\"lockd\"   # ours\n"
                                               "user = \"root\"\n"
                                               "dynamic_ownership = 1\n"
                                               "dynamic_ownership = 0 # shared\n");

    (void)state;
    assert_true(ek_qemu_conf_read(&conf, path, &arena, &err));
    assert_true(conf.seen);
    assert_string_equal(conf.lock_manager, "lockd");
    assert_string_equal(conf.dynamic_ownership, "0");
    assert_null(conf.remember_owner);
    assert_int_equal(unlink(path), 0);
    assert_true(ek_qemu_conf_read(&conf, path, &arena, &err));
    assert_false(conf.seen);
}

/* Pacemaker is told by its own names among the processes. */
static void test_pacemaker_is_told_by_its_processes(void **state)
{
    const char *place = ek_arena_printf(&arena, "%s/4711", folder);

    (void)state;
    assert_int_equal(mkdir(place, 0700), 0);
    const char *comm = write_file("4711/comm", "pacemakerd-log\n");
    assert_null(ek_pacemaker_process(folder));
    (void)write_file("4711/comm", "corosync\n");
    assert_string_equal(ek_pacemaker_process(folder), "corosync");
    assert_int_equal(unlink(comm), 0);
    assert_int_equal(rmdir(place), 0);
    assert_null(ek_pacemaker_process("/nowhere"));
}

/* A port answers when somebody listens there, and not when nobody does. */
static void test_ports_answer_or_not(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    (void)state;
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, length), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    assert_false(ek_port_answers("127.0.0.1", ntohs(address.sin_port), 1000));
    assert_int_equal(listen(fd, 1), 0);
    assert_true(ek_port_answers("127.0.0.1", ntohs(address.sin_port), 1000));
    assert_int_equal(close(fd), 0);
}

#define LAW(name) cmocka_unit_test_teardown(test_##name, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAW(shared_written_disks_count), LAW(labels_and_leases_are_seen),
        LAW(qemu_conf_is_read),          LAW(pacemaker_is_told_by_its_processes),
        LAW(ports_answer_or_not),
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
