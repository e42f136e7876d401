#include "tests/bench/standin/machines.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Loads as clusters have them: a third idles and hardly changes, the others wander around a mean of
 * their own. What the collector keeps of them has to be packed, so that constants would flatter it.
 */

static const unsigned char mark[8] = {0xe5, 0x7a, 0x9d, 0x10, 0x00, 0x00, 0x40, 0x00};

const char local_folder[] = "/var/lib/libvirt/images";
const char shared_folder[] = "/srv/images";

const char *machine_folder(const struct machine *machine)
{
    return machine->id % 2 == 0 ? local_folder : shared_folder;
}

/* 0..1; xorshift64. */
static double draw(uint64_t *lot)
{
    *lot ^= *lot << 13;
    *lot ^= *lot >> 7;
    *lot ^= *lot << 17;
    return (double)(*lot >> 11) / (double)(UINT64_C(1) << 53);
}

static void number_uuid(unsigned char *uuid, unsigned int host, unsigned int domain)
{
    const unsigned int numbers[2] = {host, domain};

    memcpy(uuid, mark, sizeof(mark));
    for (size_t i = 0; i < 8; i++) {
        uuid[8 + i] = (unsigned char)(numbers[i / 4] >> (24 - 8 * (i % 4)));
    }
}

static void machine_init(struct machine *machine, unsigned int host, unsigned int number)
{
    static const unsigned int sizes[] = {1, 2, 4, MOST_VCPUS};

    (void)snprintf(machine->name, sizeof(machine->name), "vm-%u-%u", host, number);
    number_uuid(machine->uuid, host, number);
    machine->id = (int)number + 1;
    machine->vcpus = sizes[number % (sizeof(sizes) / sizeof(sizes[0]))];
    machine->memory_kib = UINT64_C(2) * 1024 * 1024 * machine->vcpus;
    machine->lot = UINT64_C(0x9E3779B97F4A7C15) ^ ((uint64_t)host << 20 | number | 1U << 19);
    for (int i = 0; i < 8; i++) {
        (void)draw(&machine->lot); /* neighbours' seeds are much alike */
    }
    machine->mean = number % 3 == 0 ? 0.01 : 0.05 + 0.5 * draw(&machine->lot);
    machine->load = machine->mean;
    machine->cpu_ns = (uint64_t)(draw(&machine->lot) * 1e15);
    machine->rss_kib = machine->memory_kib * 3 / 4;
    machine->usable_kib = machine->memory_kib / 2;
}

struct host *hosts_create(unsigned int hosts, unsigned int domains_each)
{
    struct host *all = calloc(hosts, sizeof(*all));

    for (unsigned int h = 0; all != NULL && h < hosts; h++) {
        all[h].machines = calloc(domains_each, sizeof(*all[h].machines));
        if (all[h].machines == NULL) {
            hosts_destroy(all, h);
            return NULL;
        }
        all[h].count = domains_each;
        for (unsigned int d = 0; d < domains_each; d++) {
            machine_init(&all[h].machines[d], h, d);
        }
    }
    return all;
}

void hosts_destroy(struct host *hosts, unsigned int count)
{
    for (unsigned int h = 0; hosts != NULL && h < count; h++) {
        free(hosts[h].machines);
    }
    free(hosts);
}

static double within(double value, double low, double high)
{
    return value < low ? low : value > high ? high : value;
}

/* A step towards the mean and one by lot; the step's size does not depend on the time that passes,
 * which is always about a period. */
static void machine_advance(struct machine *machine, uint64_t passed_ns)
{
    double wander = machine->mean * 0.2 * (draw(&machine->lot) - 0.5);
    double passed = (double)passed_ns;

    machine->load = within(machine->load + 0.1 * (machine->mean - machine->load) + wander, 0, 1);
    machine->cpu_ns += (uint64_t)(machine->load * machine->vcpus * passed);
    machine->delay_ns += (uint64_t)(machine->load * 0.02 * passed);
    machine->events += (uint64_t)(machine->load * 2e-6 * passed);
    machine->usable_kib =
        (uint64_t)((0.5 + 0.05 * (draw(&machine->lot) - 0.5)) * (double)machine->memory_kib);
    if (machine->rss_kib < machine->memory_kib && draw(&machine->lot) < 0.1) {
        machine->rss_kib += 4096;
    }
}

void host_advance(struct host *host, uint64_t now_ns)
{
    uint64_t passed_ns = host->advanced_ns == 0 ? 0 : now_ns - host->advanced_ns;
    uint64_t all_ns = passed_ns * CORES;
    uint64_t used_ns = 0;

    host->advanced_ns = now_ns;
    for (unsigned int d = 0; d < host->count; d++) {
        uint64_t before_ns = host->machines[d].cpu_ns;
        machine_advance(&host->machines[d], passed_ns);
        used_ns += host->machines[d].cpu_ns - before_ns;
    }
    used_ns = used_ns < all_ns ? used_ns : all_ns;
    host->cpu_ns += used_ns;
    host->idle_ns += all_ns - used_ns;
}

struct machine *host_find(struct host *host, const unsigned char *uuid)
{
    for (unsigned int d = 0; d < host->count; d++) {
        if (memcmp(host->machines[d].uuid, uuid, UUID_BYTES) == 0) {
            return &host->machines[d];
        }
    }
    return NULL;
}
