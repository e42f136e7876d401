/* The kernel's files of pressure: one line for "some" tasks that waited, one for all ("full"). */
#include "collector/libvirt/pressure.h"

#include "collector/libvirt/handles.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* libvirt makes a group per domain, and below it libvirt/emulator and libvirt/vcpuN. */
#define BELOW "/libvirt/"

enum { PATH_SIZE = 1024, LINE_SIZE = 512 };

const struct ek_pressure_places ek_pressure_here = {
    .proc = "/proc", .run = "/run/libvirt/qemu", .cgroups = "/sys/fs/cgroup"};

bool ek_pressure_is_local(const char *uri)
{
    static const char local[] = "qemu:///";

    return strncmp(uri, local, sizeof(local) - 1) == 0;
}

static void file_release(FILE **file)
{
    if (*file != NULL) {
        (void)fclose(*file);
    }
}

/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=1234": the averages have windows of the kernel's
 * own, the total is a counter in microseconds. */
static void take_line(struct ek_counter *counter, const char *line, const char *word)
{
    const char *total = strstr(line, "total=");

    if (counter != NULL && total != NULL && strncmp(line, word, strlen(word)) == 0) {
        counter->known = sscanf(total, "total=%" SCNu64, &counter->value) == 1;
    }
}

static void read_file(struct ek_counter *some, struct ek_counter *full, const char *path)
{
    EK_SCOPED(file_release) FILE *file = fopen(path, "r");
    char line[LINE_SIZE];

    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        take_line(some, line, "some ");
        take_line(full, line, "full ");
    }
}

/* All CPU tasks cannot wait for a CPU at once, but within the quota of a group. */
static void read_all(struct ek_pressure_counters *out, const char *directory, const char *suffix)
{
    const struct {
        const char *name;
        struct ek_counter *some;
        struct ek_counter *full;
    } files[] = {{"cpu", &out->cpu_some_us, NULL},
                 {"memory", &out->memory_some_us, &out->memory_full_us},
                 {"io", &out->io_some_us, &out->io_full_us}};

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        char path[PATH_SIZE];
        if (snprintf(path, sizeof(path), "%s/%s%s", directory, files[i].name, suffix) <
            (int)sizeof(path)) {
            read_file(files[i].some, files[i].full, path);
        }
    }
}

void ek_pressure_of_host(struct ek_pressure_counters *out, const struct ek_pressure_places *places)
{
    char directory[PATH_SIZE];

    *out = (struct ek_pressure_counters){.cpu_some_us = {.known = false}};
    (void)snprintf(directory, sizeof(directory), "%s/pressure", places->proc);
    read_all(out, directory, "");
}

/* The first line of a file that begins so, without its end. */
static bool first_line(const char *path, const char *beginning, char line[LINE_SIZE])
{
    EK_SCOPED(file_release) FILE *file = fopen(path, "r");

    while (file != NULL && fgets(line, LINE_SIZE, file) != NULL) {
        if (strncmp(line, beginning, strlen(beginning)) == 0) {
            line[strcspn(line, "\n")] = '\0';
            return true;
        }
    }
    return false;
}

static char *last_of(char *text, const char *part)
{
    char *last = NULL;

    for (char *at = strstr(text, part); at != NULL; at = strstr(at + 1, part)) {
        last = at;
    }
    return last;
}

/* By the pid that libvirt wrote down, and the group that the kernel has that process in: the name
 * of a group follows other rules wherever systemd made it. "0::" is the line of version 2. Where
 * libvirt makes no groups the process is in libvirtd's own, which is not the domain's. */
static bool group_of(char *out, size_t size, const char *name,
                     const struct ek_pressure_places *places)
{
    char path[PATH_SIZE];
    char pid[LINE_SIZE];
    char group[LINE_SIZE];
    long number = 0;

    (void)snprintf(path, sizeof(path), "%s/%s.pid", places->run, name);
    if (!first_line(path, "", pid) || sscanf(pid, "%ld", &number) != 1) {
        return false;
    }
    (void)snprintf(path, sizeof(path), "%s/%ld/cgroup", places->proc, number);
    if (!first_line(path, "0::/", group)) {
        return false;
    }
    char *below = last_of(group, BELOW);
    if (below == NULL) {
        return false;
    }
    *below = '\0';
    return snprintf(out, size, "%s%s", places->cgroups, group + strlen("0::")) < (int)size;
}

void ek_pressure_of_domain(struct ek_pressure_counters *out, const char *name,
                           const struct ek_pressure_places *places)
{
    char directory[PATH_SIZE];

    *out = (struct ek_pressure_counters){.cpu_some_us = {.known = false}};
    if (group_of(directory, sizeof(directory), name, places)) {
        read_all(out, directory, ".pressure");
    }
}
