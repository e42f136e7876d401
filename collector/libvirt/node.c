/* CPU and memory of a host as a whole, and how many cores its CPU figures are a ratio of. */
#include "collector/libvirt/node.h"

#include "collector/libvirt/connect.h"
#include "collector/libvirt/handles.h"

#include <stdint.h>
#include <string.h>

/* Both calls read /proc/stat and /proc/meminfo on the host and are of high priority there: they are
 * answered by workers of their own even while all others are busy with migrations. */

#define KIB_PER_MIB 1024.0

enum { FIELDS = 16 }; /* libvirt 9.0 has 5 CPU and 4 memory fields; more are not ours */

/* Whether /proc/stat of that host has a line for this CPU. */
static bool cpu_is_counted(virConnectPtr connection, int cpu)
{
    virNodeCPUStats fields[FIELDS] = {0};
    int count = 0;

    /* Asked for the number of fields only, libvirt does not look at the CPU's number. */
    return virNodeGetCPUStats(connection, cpu, NULL, &count, 0) == 0 && count <= FIELDS &&
           virNodeGetCPUStats(connection, cpu, fields, &count, 0) == 0;
}

/* The last CPU that is online; -1 when there is none. */
static int last_online(const unsigned char *map, int cpus)
{
    int last = -1;

    for (int cpu = 0; cpu < cpus; cpu++) {
        last = (map[cpu / 8] >> (cpu % 8) & 1) != 0 ? cpu : last;
    }
    return last;
}

bool ek_node_cpu_cores(virConnectPtr connection, const char *uri, double *cores,
                       struct ek_error *err)
{
    unsigned char *map = NULL;
    unsigned int online = 0;
    int present = virNodeGetCPUMap(connection, &map, &online, 0);

    /* The map is asked for, not virNodeGetInfo: CPUs can be offline in the middle, and numbers then
     * have gaps. */
    if (present < 0) {
        return ek_libvirt_error(err, uri, "cannot read the map of CPUs");
    }
    int last = last_online(map, present);
    /* libvirt allocates it and leaves it to the caller. */
    free(map);
    unsigned int counted = online;
    if (!cpu_is_counted(connection, last)) {
        /* Fewer are counted than are online: lxcfs numbers its own from 0. */
        for (counted = 0; cpu_is_counted(connection, (int)counted); counted++) {
        }
    }
    if (counted == 0) {
        return ek_libvirt_error(err, uri, "cannot read the statistics of any CPU");
    }
    *cores = counted;
    return true;
}

/* libvirt wants to be asked for exactly as many fields as it has, and tells how many that are.
 * Linux has had four of each ever since: where that is right a question is spared, at each read of
 * each host. */
enum { USUAL_FIELDS = 4 };

static bool ask_cpu(virConnectPtr connection, virNodeCPUStats fields[FIELDS], int *count)
{
    *count = USUAL_FIELDS;
    if (virNodeGetCPUStats(connection, VIR_NODE_CPU_STATS_ALL_CPUS, fields, count, 0) == 0) {
        return true;
    }
    *count = 0;
    return virNodeGetCPUStats(connection, VIR_NODE_CPU_STATS_ALL_CPUS, NULL, count, 0) == 0 &&
           *count <= FIELDS &&
           virNodeGetCPUStats(connection, VIR_NODE_CPU_STATS_ALL_CPUS, fields, count, 0) == 0;
}

static bool ask_memory(virConnectPtr connection, virNodeMemoryStats fields[FIELDS], int *count)
{
    *count = USUAL_FIELDS;
    if (virNodeGetMemoryStats(connection, VIR_NODE_MEMORY_STATS_ALL_CELLS, fields, count, 0) == 0) {
        return true;
    }
    *count = 0;
    return virNodeGetMemoryStats(connection, VIR_NODE_MEMORY_STATS_ALL_CELLS, NULL, count, 0) ==
               0 &&
           *count <= FIELDS &&
           virNodeGetMemoryStats(connection, VIR_NODE_MEMORY_STATS_ALL_CELLS, fields, count, 0) ==
               0;
}

static bool read_cpu(virConnectPtr connection, const char *uri, struct ek_cpu_counters *cpu,
                     struct ek_error *err)
{
    const struct {
        const char *name;
        uint64_t *value;
    } wanted[] = {{VIR_NODE_CPU_STATS_KERNEL, &cpu->kernel_ns},
                  {VIR_NODE_CPU_STATS_USER, &cpu->user_ns},
                  {VIR_NODE_CPU_STATS_IDLE, &cpu->idle_ns},
                  {VIR_NODE_CPU_STATS_IOWAIT, &cpu->iowait_ns}};
    virNodeCPUStats fields[FIELDS] = {0};
    int count = 0;

    if (!ask_cpu(connection, fields, &count)) {
        return ek_libvirt_error(err, uri, "cannot read the CPU statistics of the host");
    }
    for (int i = 0; i < count; i++) {
        for (size_t w = 0; w < sizeof(wanted) / sizeof(wanted[0]); w++) {
            /* "utilization" is also sent by some drivers, as a percentage: not a counter, and left
             * alone. */
            if (strcmp(fields[i].field, wanted[w].name) == 0) {
                *wanted[w].value = fields[i].value;
            }
        }
    }
    return true;
}

/* The sum of free, buffers and cached, and the total, in KiB. */
static void add_up(const virNodeMemoryStats *fields, int count, double *total, double *available)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(fields[i].field, VIR_NODE_MEMORY_STATS_TOTAL) == 0) {
            *total = (double)fields[i].value;
        } else if (strcmp(fields[i].field, VIR_NODE_MEMORY_STATS_FREE) == 0 ||
                   strcmp(fields[i].field, VIR_NODE_MEMORY_STATS_BUFFERS) == 0 ||
                   strcmp(fields[i].field, VIR_NODE_MEMORY_STATS_CACHED) == 0) {
            *available += (double)fields[i].value;
        }
    }
}

static bool read_memory(virConnectPtr connection, const char *uri, struct ek_reading *reading,
                        struct ek_error *err)
{
    virNodeMemoryStats fields[FIELDS] = {0};
    int count = 0;
    double total = 0.0;
    double available = 0.0;

    if (!ask_memory(connection, fields, &count)) {
        return ek_libvirt_error(err, uri, "cannot read the memory statistics of the host");
    }
    /* An approximation of MemAvailable, which libvirt lacks before 12.3. Guests on memfd or tmpfs
     * are in "cached": there the used memory is understated. */
    add_up(fields, count, &total, &available);
    if (total <= 0.0) {
        return ek_error_set(err, EK_ERR_REMOTE, "%s: found no total of the host's memory", uri);
    }
    /* Not below 0: the fields need not be of one instant. */
    reading->memory_mib = total / KIB_PER_MIB;
    reading->memory_used_mib = (available < total ? total - available : 0.0) / KIB_PER_MIB;
    return true;
}

bool ek_node_read(virConnectPtr connection, const char *uri, struct ek_reading *reading,
                  struct ek_error *err)
{
    return read_cpu(connection, uri, &reading->cpu, err) &&
           read_memory(connection, uri, reading, err);
}
