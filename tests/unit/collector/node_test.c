/* How a host's own figures are asked for. No libvirtd here tells another number of fields than
 * four: libvirt's two calls are replaced by a host that has as many as the test wants. */
#include "collector/libvirt/node.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct {
    int fields;
    int cpu_calls;
    int memory_calls;
} host;

static const char *const cpu_names[] = {"kernel", "user", "idle", "iowait", "guest"};
static const char *const memory_names[] = {"total", "free", "buffers", "cached", "shared"};

/* As libvirt: 0 asks for the number, and another one than that is refused. */
static int number_told(int *count)
{
    bool asked = *count == 0;

    *count = asked ? host.fields : *count;
    return asked ? 1 : *count == host.fields ? 0 : -1;
}

int virNodeGetCPUStats(virConnectPtr connection, int cpu, virNodeCPUStatsPtr fields, int *count,
                       unsigned int flags)
{
    int told = number_told(count);

    (void)connection;
    (void)cpu;
    (void)flags;
    host.cpu_calls++;
    for (int i = 0; told == 0 && i < host.fields; i++) {
        (void)snprintf(fields[i].field, sizeof(fields[i].field), "%s", cpu_names[i]);
        fields[i].value = (unsigned long long)(i + 1) * 1000;
    }
    return told < 0 ? -1 : 0;
}

int virNodeGetMemoryStats(virConnectPtr connection, int cell, virNodeMemoryStatsPtr fields,
                          int *count, unsigned int flags)
{
    int told = number_told(count);

    (void)connection;
    (void)cell;
    (void)flags;
    host.memory_calls++;
    for (int i = 0; told == 0 && i < host.fields; i++) {
        (void)snprintf(fields[i].field, sizeof(fields[i].field), "%s", memory_names[i]);
        fields[i].value = i == 0 ? 1024 * 1024 : 1024; /* KiB */
    }
    return told < 0 ? -1 : 0;
}

static void read_host(int fields, struct ek_reading *reading)
{
    struct ek_error err;

    memset(&host, 0, sizeof(host));
    memset(reading, 0, sizeof(*reading));
    host.fields = fields;
    assert_true(ek_node_read(NULL, "qemu:///system", reading, &err));
    assert_int_equal(reading->cpu.kernel_ns, 1000);
    assert_int_equal(reading->cpu.iowait_ns, 4000);
    assert_int_equal((int)reading->memory_mib, 1024);
    assert_int_equal((int)reading->memory_used_mib, 1024 - 3);
}

/* A thousand hosts are asked all the time: one question for each kind of figures. */
static void test_usual_host_is_asked_once(void **state)
{
    struct ek_reading reading;

    (void)state;
    read_host(4, &reading);
    assert_int_equal(host.cpu_calls, 1);
    assert_int_equal(host.memory_calls, 1);
}

/* What another version tells beyond is no reason not to read it. */
static void test_other_numbers_are_asked_for(void **state)
{
    struct ek_reading reading;

    (void)state;
    read_host(5, &reading);
    assert_int_equal(host.cpu_calls, 3);
    assert_int_equal(host.memory_calls, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_usual_host_is_asked_once),
        cmocka_unit_test(test_other_numbers_are_asked_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
