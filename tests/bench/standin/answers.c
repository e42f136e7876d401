#include "tests/bench/standin/answers.h"

#include "tests/bench/standin/records.h"

#include <libvirt/libvirt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Numbers and layouts are those of a conversation that was recorded between the collector and a
 * libvirtd 9.0; libvirt keeps them as they are for the sake of older clients. */

enum {
    DOCUMENT_BYTES = 64 * 1024,
    UUID_TEXT = 37,
    MEMORY_FIELDS = 4,
    CPU_FIELDS = 4,
    QEMU_VERSION = 7002022,
    MOST_ASKED = 64, /* domains that are asked for by name */
};

struct call {
    const struct documents *documents;
    struct host *host;
    struct wire *in;
    struct wire *out;
};

static char *read_document(const char *folder, const char *name)
{
    char path[4096];
    char *text = calloc(1, DOCUMENT_BYTES);

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "re");
    if (text == NULL || file == NULL || fread(text, 1, DOCUMENT_BYTES - 1, file) == 0) {
        (void)fprintf(stderr, "standin: cannot read %s\n", path);
        exit(2);
    }
    (void)fclose(file);
    return text;
}

void documents_read(struct documents *out, const char *folder)
{
    out->capabilities = read_document(folder, "capabilities.xml");
    out->domain = read_document(folder, "domain.xml");
    out->pool = read_document(folder, "pool.xml");
}

void documents_finish(struct documents *documents)
{
    free(documents->capabilities);
    free(documents->domain);
    free(documents->pool);
}

struct word {
    const char *name;
    const char *value;
};

/* The template with its @WORDS@ replaced, as a text of the answer. */
static void put_document(struct wire *out, const char *text, const struct word *words, size_t count)
{
    size_t length_at = out->size;

    wire_u32(out, 0);
    size_t begin = out->size;
    while (*text != '\0') {
        size_t plain = strcspn(text, "@");
        const char *put = text;
        size_t taken = plain > 0 ? plain : 1;
        size_t length = taken;
        for (size_t i = 0; plain == 0 && i < count; i++) {
            if (strncmp(text, words[i].name, strlen(words[i].name)) == 0) {
                taken = strlen(words[i].name);
                put = words[i].value;
                length = strlen(put);
                break;
            }
        }
        memcpy(wire_reserve(out, length), put, length);
        out->size += length;
        text += taken;
    }
    size_t length = out->size - begin;
    wire_patch(out, length_at, (uint32_t)length);
    memset(wire_reserve(out, 4), 0, 4);
    out->size = begin + (length + 3) / 4 * 4;
}

static void nothing(struct call *call)
{
    (void)call;
}

/* Each feature that is asked for is there. */
static void one(struct call *call)
{
    wire_u32(call->out, 1);
}

static void zero(struct call *call)
{
    wire_u32(call->out, 0);
}

static void auth_list(struct call *call)
{
    wire_u32(call->out, 1);
    wire_u32(call->out, 0); /* none */
}

static void hypervisor_type(struct call *call)
{
    wire_text(call->out, "QEMU");
}

static void hypervisor_version(struct call *call)
{
    wire_u64(call->out, QEMU_VERSION);
}

static void capabilities(struct call *call)
{
    put_document(call->out, call->documents->capabilities, NULL, 0);
}

static void cpu_map(struct call *call)
{
    unsigned char map[CORES / 8];

    memset(map, 0xff, sizeof(map));
    wire_u32(call->out, sizeof(map));
    wire_raw(call->out, map, sizeof(map));
    wire_u32(call->out, CORES);
    wire_u32(call->out, CORES);
}

/* Asked with no room, only the number of fields is told. */
static void cpu_stats(struct call *call)
{
    const struct host *host = call->host;
    uint32_t cpu = wire_take_u32(call->in);
    uint64_t share = cpu == (uint32_t)VIR_NODE_CPU_STATS_ALL_CPUS ? 1 : CORES;
    const struct {
        const char *name;
        uint64_t value;
    } fields[CPU_FIELDS] = {{"kernel", host->cpu_ns / 10 / share},
                            {"user", host->cpu_ns / 10 * 9 / share},
                            {"idle", host->idle_ns / share},
                            {"iowait", 0}};
    bool wanted = wire_take_u32(call->in) > 0;

    wire_u32(call->out, wanted ? CPU_FIELDS : 0);
    for (size_t i = 0; wanted && i < CPU_FIELDS; i++) {
        wire_text(call->out, fields[i].name);
        wire_u64(call->out, fields[i].value);
    }
    wire_u32(call->out, wanted ? 0 : CPU_FIELDS);
}

static uint64_t free_kib(const struct host *host)
{
    uint64_t used_kib = 0;

    for (unsigned int i = 0; i < host->count; i++) {
        used_kib += host->machines[i].rss_kib;
    }
    return HOST_MEMORY_KIB - used_kib;
}

static void memory_stats(struct call *call)
{
    static const char *const names[MEMORY_FIELDS] = {"total", "free", "buffers", "cached"};
    bool wanted = wire_take_u32(call->in) > 0;
    const uint64_t values[MEMORY_FIELDS] = {HOST_MEMORY_KIB, free_kib(call->host), 0, 0};

    wire_u32(call->out, wanted ? MEMORY_FIELDS : 0);
    for (size_t i = 0; wanted && i < MEMORY_FIELDS; i++) {
        wire_text(call->out, names[i]);
        wire_u64(call->out, values[i]);
    }
    wire_u32(call->out, wanted ? 0 : MEMORY_FIELDS);
}

/* The document has one cell: all that the host has. */
static void cells_free(struct call *call)
{
    wire_u32(call->out, 1);
    wire_u64(call->out, free_kib(call->host) * 1024);
}

static void networks(struct call *call)
{
    static const unsigned char uuid[UUID_BYTES] = {0x4e, 0xfc, 0x0a, 0x51};

    wire_u32(call->out, 1);
    wire_text(call->out, "lan");
    wire_raw(call->out, uuid, sizeof(uuid));
    wire_u32(call->out, 1);
}

static void bridge_name(struct call *call)
{
    wire_text(call->out, "br0");
}

static void interfaces(struct call *call)
{
    wire_u32(call->out, 1);
    wire_text(call->out, "eth0");
    wire_text(call->out, "52:54:00:12:34:56");
    wire_u32(call->out, 1);
}

static void pools(struct call *call)
{
    static const unsigned char uuid[UUID_BYTES] = {0x4e, 0xfc, 0x0a, 0x52};

    wire_u32(call->out, 2);
    wire_text(call->out, "default");
    wire_raw(call->out, uuid, sizeof(uuid));
    wire_text(call->out, "shared");
    wire_raw(call->out, uuid, sizeof(uuid));
    wire_u32(call->out, 2);
}

static void pool_xml(struct call *call)
{
    char name[64];

    wire_take_text(call->in, name, sizeof(name));
    bool local = strcmp(name, "default") == 0;
    const struct word words[] = {{"@KIND@", local ? "dir" : "netfs"},
                                 {"@NAME@", name},
                                 {"@FOLDER@", local ? local_folder : shared_folder}};
    put_document(call->out, call->documents->pool, words, sizeof(words) / sizeof(words[0]));
}

/* A reference to a domain; an unknown one counts as arguments that cannot be read. */
static const struct machine *take_machine(struct call *call)
{
    char name[64];
    unsigned char uuid[UUID_BYTES];

    wire_take_text(call->in, name, sizeof(name));
    wire_take_raw(call->in, uuid, sizeof(uuid));
    (void)wire_take_u32(call->in);
    const struct machine *machine = host_find(call->host, uuid);
    call->in->overread = call->in->overread || machine == NULL;
    return machine;
}

static void uuid_text(char text[UUID_TEXT], const unsigned char *uuid)
{
    size_t at = 0;

    for (size_t i = 0; i < UUID_BYTES; i++) {
        at += (size_t)snprintf(text + at, UUID_TEXT - at, "%s%02x",
                               i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", uuid[i]);
    }
}

static void domain_xml(struct call *call)
{
    const struct machine *machine = take_machine(call);
    char uuid[UUID_TEXT];
    char id[16];
    char vcpus[16];
    char memory[24];

    if (machine == NULL) {
        return;
    }
    uuid_text(uuid, machine->uuid);
    (void)snprintf(id, sizeof(id), "%d", machine->id);
    (void)snprintf(vcpus, sizeof(vcpus), "%u", machine->vcpus);
    (void)snprintf(memory, sizeof(memory), "%llu", (unsigned long long)machine->memory_kib);
    const struct word words[] = {
        {"@NAME@", machine->name}, {"@UUID@", uuid},     {"@ID@", id},
        {"@VCPUS@", vcpus},        {"@MEMORY@", memory}, {"@FOLDER@", machine_folder(machine)}};
    put_document(call->out, call->documents->domain, words, sizeof(words) / sizeof(words[0]));
}

/* Without a list of domains all are meant, and time passes. */
static void domain_stats(struct call *call)
{
    struct timespec now;
    uint32_t asked = wire_take_u32(call->in);
    const struct machine *machines[MOST_ASKED] = {NULL};

    call->in->overread = call->in->overread || asked > MOST_ASKED;
    for (uint32_t i = 0; i < asked && !call->in->overread; i++) {
        machines[i] = take_machine(call);
    }
    unsigned int groups = wire_take_u32(call->in);
    if (call->in->overread) {
        return;
    }
    if (asked == 0) {
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        host_advance(call->host, (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec);
    }
    wire_u32(call->out, asked == 0 ? call->host->count : asked);
    for (uint32_t i = 0; i < (asked == 0 ? call->host->count : asked); i++) {
        record_append(call->out, asked == 0 ? &call->host->machines[i] : machines[i], groups,
                      time(NULL));
    }
}

static const struct {
    uint32_t number;
    void (*answer)(struct call *call);
} procedures[] = {
    {1, nothing},            /* open */
    {2, nothing},            /* close */
    {3, hypervisor_type},    /* get type */
    {4, hypervisor_version}, /* get version */
    {7, capabilities},       /* get capabilities */
    {14, domain_xml},        /* domain: get XML description */
    {45, bridge_name},       /* network: get bridge name */
    {60, one},               /* supports feature */
    {66, auth_list},         /* auth list */
    {88, pool_xml},          /* storage pool: get XML description */
    {101, cells_free},       /* node: get cells' free memory */
    {187, zero},             /* domain: number of snapshots */
    {227, cpu_stats},        /* node: get CPU statistics */
    {228, memory_stats},     /* node: get memory statistics */
    {281, pools},            /* list all storage pools */
    {283, networks},         /* list all networks */
    {284, interfaces},       /* list all interfaces */
    {293, cpu_map},          /* node: get CPU map */
    {313, zero},             /* register for an event of networks: its number */
    {314, nothing},          /* no more of it */
    {316, zero},             /* register for an event of domains: its number */
    {317, nothing},          /* no more of it */
    {344, domain_stats},     /* get all domains' statistics */
    {368, zero},             /* register for an event of storage pools: its number */
    {369, nothing},          /* no more of it */
};

bool answer(const struct documents *documents, struct host *host, uint32_t procedure,
            struct wire *in, struct wire *out)
{
    struct call call = {documents, host, in, out};
    size_t before = out->size;

    for (size_t i = 0; i < sizeof(procedures) / sizeof(procedures[0]); i++) {
        if (procedures[i].number == procedure) {
            procedures[i].answer(&call);
            out->size = in->overread ? before : out->size;
            return !in->overread;
        }
    }
    return false;
}
