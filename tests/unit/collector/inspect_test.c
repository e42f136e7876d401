/* Laws of what the doctor sees: shared disks of a domain, qemu.conf, processes, ports. */
#include "collector/inspect/inspect.h"
#include "collector/libvirt/endpoint.h"
#include "collector/xml/domain_xml.h"
#include "collector/xml/xml.h"

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
    static const struct ek_host_facts host = {.storage_pools = {pools, 2}};
    const char *xml =
        ek_arena_printf(&arena,
                        "<domain type='kvm'><name>a</name><memory unit='KiB'>1024</memory>"
                        "<vcpu>1</vcpu>%s</domain>",
                        devices);

    disk_count = 0;
    if (!ek_inspect_disks(disks, &disk_count, xml, &host, &arena, &err)) {
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

/* ---- needs --------------------------------------------------------------------------------- */

static void needs_of(struct ek_seen_domain *out, const char *type, const char *inside)
{
    static const struct ek_host_facts host = {.cpu_model = NULL};
    const char *xml = ek_arena_printf(&arena,
                                      "<domain type='%s'><name>a</name>"
                                      "<memory unit='KiB'>2048</memory><vcpu>1</vcpu>"
                                      "<os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os>"
                                      "%s</domain>",
                                      type, inside);

    if (!ek_inspect_needs(out, xml, &host, &arena, &err)) {
        fail_msg("%s", err.message);
    }
}

/* A card on a network of libvirt needs that network, whatever bridge it has here; one on a bridge
 * alone needs the bridge. Each is named once. */
static void test_networks_bridges_and_filters_are_needed(void **state)
{
    struct ek_seen_domain domain;

    (void)state;
    needs_of(&domain, "kvm",
             "<devices>"
             "<interface type='bridge'><source network='lan' bridge='virbr1'/>"
             "<filterref filter='clean-traffic'/></interface>"
             "<interface type='network'><source network='lan'/></interface>"
             "<interface type='bridge'><source bridge='br0'/></interface></devices>");
    assert_string_equal(domain.name, "a");
    assert_float_equal(domain.memory_mib, 2, 0);
    assert_int_equal(domain.networks.count, 1);
    assert_string_equal(domain.networks.items[0], "lan");
    assert_int_equal(domain.bridges.count, 1);
    assert_string_equal(domain.bridges.items[0], "br0");
    assert_int_equal(domain.filters.count, 1);
    assert_string_equal(domain.filters.items[0], "clean-traffic");
}

/* Hardware's CPU is asked for as it stands; emulation gives any. */
static void test_a_cpu_is_needed_of_hardware_only(void **state)
{
    static const char cpu[] = "<cpu mode='custom'><model>EPYC</model></cpu>"
                              "<devices><emulator>/usr/bin/kvm</emulator></devices>";
    struct ek_seen_domain domain;

    (void)state;
    needs_of(&domain, "kvm", cpu);
    assert_string_equal(domain.cpu.xml, "<cpu mode=\"custom\"><model>EPYC</model></cpu>");
    assert_string_equal(domain.cpu.machine, "pc-q35-7.2");
    assert_string_equal(domain.cpu.emulator, "/usr/bin/kvm");
    needs_of(&domain, "qemu", cpu);
    assert_null(domain.cpu.xml);
    needs_of(&domain, "kvm", "");
    assert_null(domain.cpu.xml);
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

/* Libvirt's own test driver runs one domain; a host that is described to it without any has none;
 * and one that cannot be asked is told by name. */
static void test_active_domains_are_counted(void **state)
{
    const char *nothing = write_file("nothing.xml", "<node><memory>8192000</memory></node>");
    size_t count = 7;

    (void)state;
    assert_true(ek_inspect_begin(&err));
    assert_true(ek_inspect_active(&count, "test:///default", 1000, &err));
    assert_int_equal(count, 1);
    assert_true(
        ek_inspect_active(&count, ek_arena_printf(&arena, "test://%s", nothing), 1000, &err));
    assert_int_equal(count, 0);
    assert_false(ek_inspect_active(&count, "qemu+tcp://127.0.0.1:1/system", 1000, &err));
    assert_non_null(strstr(err.message, "127.0.0.1"));
    ek_inspect_end();
    assert_int_equal(unlink(nothing), 0);
}

/* Where a guest would be sent back to the machine that resolves the name. */
static void test_loopback_names_are_told(void **state)
{
    bool loopback = false;

    (void)state;
    assert_true(ek_name_resolves("127.0.1.1", &loopback));
    assert_true(loopback);
    assert_true(ek_name_resolves("::ffff:127.0.0.1", &loopback));
    assert_true(loopback);
    assert_true(ek_name_resolves("192.0.2.1", &loopback));
    assert_false(loopback);
    assert_false(ek_name_resolves("no-such-host.invalid", &loopback));
    assert_false(loopback);
    assert_int_equal(ek_port_try("no-such-host.invalid", 1, 100), -1);
}

/* The address of a migration link, with and without a port. */
static void test_migration_uris_are_read(void **state)
{
    struct ek_endpoint end;

    (void)state;
    assert_true(ek_migration_uri_parse(&end, "tcp://[2001:db8::1]:49999", &err));
    assert_string_equal(end.host, "2001:db8::1");
    assert_int_equal(end.port, 49999);
    assert_true(ek_migration_uri_parse(&end, "tcp://10.0.0.1", &err));
    assert_int_equal(end.port, 0);
    assert_false(ek_migration_uri_parse(&end, "tcp:", &err));
}

#define LAW(name) cmocka_unit_test_teardown(test_##name, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAW(shared_written_disks_count),
        LAW(labels_and_leases_are_seen),
        LAW(qemu_conf_is_read),
        LAW(pacemaker_is_told_by_its_processes),
        LAW(ports_answer_or_not),
        LAW(active_domains_are_counted),
        LAW(networks_bridges_and_filters_are_needed),
        LAW(a_cpu_is_needed_of_hardware_only),
        LAW(loopback_names_are_told),
        LAW(migration_uris_are_read),
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
