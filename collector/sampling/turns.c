/* Turns of reads: a count, and a digest that shows when a domain's counters begin anew. */
#include "collector/sampling/turns.h"

/* FNV-1a, 64 bits (Fowler, Noll, Vo). */
#define FNV_BASE UINT64_C(14695981039346656037)
#define FNV_PRIME UINT64_C(1099511628211)

static uint64_t mix(uint64_t digest, uint64_t value)
{
    return (digest ^ value) * FNV_PRIME;
}

/* A sum, since libvirt tells of domains in any order. */
static uint64_t population_of(const struct ek_reading *reading)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < reading->domain_count; i++) {
        const struct ek_domain_reading *domain = &reading->domains[i];
        uint64_t digest = mix(mix(FNV_BASE, (uint64_t)domain->id), (uint64_t)domain->state_reason);
        for (const char *it = domain->uuid; *it != '\0'; it++) {
            digest = mix(digest, (unsigned char)*it);
        }
        sum += digest;
    }
    return sum;
}

bool ek_turns_all(const struct ek_turns *turns)
{
    return turns->reads % EK_SELDOM_EVERY_READS == 0 || turns->reads < turns->all_until;
}

void ek_turns_note(struct ek_turns *turns, const struct ek_reading *reading)
{
    uint64_t population = population_of(reading);

    turns->reads++;
    if (population != turns->population) {
        turns->population = population;
        turns->all_until = turns->reads + 2;
    }
}
