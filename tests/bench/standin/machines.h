/* The hosts of a stand-in, their domains, and what these have used by a given time. */
#ifndef EK_STANDIN_MACHINES_H
#define EK_STANDIN_MACHINES_H

#include <stdint.h>

enum { CORES = 64, MOST_VCPUS = 8, UUID_BYTES = 16 };

#define HOST_MEMORY_KIB (UINT64_C(512) * 1024 * 1024)

/* Counters in libvirt's units (ns, bytes, KiB), gauges as of the last advance. */
struct machine {
    char name[32];
    unsigned char uuid[UUID_BYTES];
    int id;
    unsigned int vcpus;
    uint64_t memory_kib;
    uint64_t lot; /* of its own random numbers */
    double mean;  /* what its load wanders around, 0..1 of its vCPUs */
    double load;  /* now */
    uint64_t cpu_ns;
    uint64_t delay_ns; /* of each vCPU */
    uint64_t events;   /* requests, packets, exits, ... */
    uint64_t rss_kib;
    uint64_t usable_kib;
};

struct host {
    uint64_t advanced_ns; /* 0: never */
    uint64_t cpu_ns;      /* of all its cores together */
    uint64_t idle_ns;
    struct machine *machines;
    unsigned int count;
};

/* Where its disk lies: every second one in the host's own folder, the others in a shared one. */
const char *machine_folder(const struct machine *machine);
extern const char local_folder[];
extern const char shared_folder[];

/* As many hosts with so many domains each, out of a fixed seed; the caller owns the result, or gets
 * NULL. UUIDs tell host and domain. */
struct host *hosts_create(unsigned int hosts, unsigned int domains_each);

/* Takes the result of hosts_create and its number of hosts; NULL too. */
void hosts_destroy(struct host *hosts, unsigned int count);

/* Lets the time since the last advance pass. */
void host_advance(struct host *host, uint64_t now_ns);

/* Which domain a UUID means; NULL: none of this host. */
struct machine *host_find(struct host *host, const unsigned char *uuid);

#endif
