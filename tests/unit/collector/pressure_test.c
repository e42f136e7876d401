/* Laws of pressure as the kernel's files say it; the files are made here. */
#include "collector/libvirt/pressure.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char root[64];
static struct ek_pressure_places places;
static struct ek_pressure_counters found;

static int setup(void **state)
{
    (void)state;
    (void)snprintf(root, sizeof(root), "/tmp/ek-pressure-XXXXXX");
    assert_non_null(mkdtemp(root));
    places = (struct ek_pressure_places){.proc = root, .run = root, .cgroups = root};
    return 0;
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *at)
{
    (void)status;
    (void)kind;
    (void)at;
    return remove(path);
}

static int teardown(void **state)
{
    (void)state;
    return nftw(root, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* A file below the root, with the directories above it. */
static void put(const char *name, const char *text)
{
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/%s", root, name);
    for (char *slash = path + strlen(root) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        (void)mkdir(path, 0700);
        *slash = '/';
    }
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

#define LINE(word, total) word " avg10=1.00 avg60=2.00 avg300=3.00 total=" total "\n"

static void expect(struct ek_counter counter, uint64_t value)
{
    assert_true(counter.known);
    assert_int_equal(counter.value, value);
}

/* The totals count, each line for itself. */
static void test_host(void **state)
{
    (void)state;
    put("pressure/cpu", LINE("some", "100") LINE("full", "7"));
    put("pressure/memory", LINE("some", "20") LINE("full", "10"));
    put("pressure/io", LINE("some", "18446744073709551615") LINE("full", "3"));
    ek_pressure_of_host(&found, &places);
    expect(found.cpu_some_us, 100);
    expect(found.memory_some_us, 20);
    expect(found.memory_full_us, 10);
    expect(found.io_some_us, UINT64_MAX);
    expect(found.io_full_us, 3);
}

/* A kernel without pressure says nothing, and half a file half of it. */
static void test_what_is_absent_is_not_known(void **state)
{
    (void)state;
    ek_pressure_of_host(&found, &places);
    assert_false(found.cpu_some_us.known || found.memory_full_us.known);
    put("pressure/memory", LINE("some", "20") "full avg10=0.00\n");
    ek_pressure_of_host(&found, &places);
    assert_true(found.memory_some_us.known);
    assert_false(found.memory_full_us.known);
}

/* A domain's group is the one above its emulator's, by the pid that libvirt wrote down. */
static void test_domain(void **state)
{
    (void)state;
    put("web.pid", "4711\n");
    put("4711/cgroup", "1:name=systemd:/x\n"
                       "0::/machine.slice/machine-qemu\\x2d1\\x2dweb.scope/libvirt/emulator\n");
    put("machine.slice/machine-qemu\\x2d1\\x2dweb.scope/cpu.pressure", LINE("some", "5"));
    put("machine.slice/machine-qemu\\x2d1\\x2dweb.scope/libvirt/emulator/cpu.pressure",
        LINE("some", "999"));
    ek_pressure_of_domain(&found, "web", &places);
    expect(found.cpu_some_us, 5);
    assert_false(found.io_some_us.known);
    ek_pressure_of_domain(&found, "db", &places);
    assert_false(found.cpu_some_us.known);
}

/* Where libvirt makes no groups the domain is in libvirtd's own: that is not the domain's pressure.
 */
static void test_domain_without_a_group(void **state)
{
    (void)state;
    put("web.pid", "4711");
    put("4711/cgroup", "0::/system.slice/libvirtd.service\n");
    put("system.slice/libvirtd.service/cpu.pressure", LINE("some", "5"));
    ek_pressure_of_domain(&found, "web", &places);
    assert_false(found.cpu_some_us.known);
}

/* Only a URI without a host leads to this machine. */
static void test_local(void **state)
{
    (void)state;
    assert_true(ek_pressure_is_local("qemu:///system"));
    assert_false(ek_pressure_is_local("qemu+tls://localhost/system"));
    assert_false(ek_pressure_is_local("test:///default"));
}

#define LAW(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAW(host),  LAW(what_is_absent_is_not_known), LAW(domain), LAW(domain_without_a_group),
        LAW(local),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
