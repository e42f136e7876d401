/* Names that tell nothing, for snapshots and histories that leave the house.
 *
 * A name becomes another one that depends on it and on a word that the operator chooses: the same
 * word gives the same names everywhere, so that a snapshot and a history fit each other; without
 * the word nobody gets back to the names, nor can try which they may be (SipHash, keyed by the
 * word). Replaced are names of hosts and domains, UUIDs, collectors, networks, storages, devices,
 * reasons, labels but for those whose value is a number, and in rules groups, hosts and topologies.
 * Figures, hypervisors, CPU models, machine types and names of further resources stay. */
#ifndef EK_CODEC_ANONYMISE_H
#define EK_CODEC_ANONYMISE_H

#include "balancer/core/snapshot.h"

struct ek_anonymiser {
    uint64_t key[2];
    struct ek_arena *arena; /* owns what is made; not the anonymiser's */
    bool failed;            /* memory ran out: nothing that was made is of use */
};

/* From the operator's word. */
struct ek_anonymiser ek_anonymiser_of(const char *word, struct ek_arena *arena);

/* Replace what the structure points to; lists are the arena's then. */
void ek_anonymise_host(struct ek_anonymiser *anonymiser, struct ek_host *host);
void ek_anonymise_domain(struct ek_anonymiser *anonymiser, struct ek_domain *domain);

/* The host, its domains and the collector. */
void ek_anonymise_sample(struct ek_anonymiser *anonymiser, struct ek_sample *sample);

struct ek_profile;
void ek_anonymise_profile(struct ek_anonymiser *anonymiser, struct ek_profile *profile);

/* All hosts and domains, sorted anew. Error: NOMEM. */
bool ek_anonymise_snapshot(struct ek_anonymiser *anonymiser, struct ek_snapshot *snapshot,
                           struct ek_error *err);

#endif
