/* Constraints: why a domain may not go to a host, the first reason of each pair.
 *
 * Hard at every moment of a plan: configured memory within (memory - reserve) * memory_overcommit,
 * vCPUs within cores * cpu_overcommit, networks, storages and devices at hand, must rules.
 * target_max is firm for balance moves and gives way to evacuations (docs/planner.md); must rules
 * never do. What the input already breaks blocks only what would make it worse, which on a
 * destination any arrival does. */
#ifndef EK_CORE_CONSTRAINT_H
#define EK_CORE_CONSTRAINT_H

#include "balancer/core/cluster.h"
#include "balancer/core/cooldown.h"
#include "balancer/core/move.h"

#include <stdint.h>

#define EK_BLOCKS(X)                                                                           \
    X(EK_BLOCK_NONE, "may go there")                                                           \
    X(EK_BLOCK_SAME_HOST, "is there already")                                                  \
    X(EK_BLOCK_IN_FLIGHT, "is migrating now")                                                  \
    X(EK_BLOCK_IMMOVABLE, "cannot be migrated")                                                \
    X(EK_BLOCK_IGNORED, "is left alone by a rule")                                             \
    X(EK_BLOCK_UNRESOLVED, "has a move whose outcome is unknown: an operator must resolve it") \
    X(EK_BLOCK_SOURCE_STATE, "is on a host that is not up")                                    \
    X(EK_BLOCK_SOURCE_IGNORED, "is on a host that a rule leaves alone")                        \
    X(EK_BLOCK_EVACUATION, "has metadata that forbid an evacuation to move it")                \
    X(EK_BLOCK_RESTING, "rests after its last move")                                           \
    X(EK_BLOCK_FAILED_LATELY, "waits after a failed move")                                     \
    X(EK_BLOCK_HOST_STATE, "host is not up")                                                   \
    X(EK_BLOCK_MAINTENANCE, "host is in maintenance")                                          \
    X(EK_BLOCK_HOST_IGNORED, "host is left alone by a rule")                                   \
    X(EK_BLOCK_AVOIDED, "a move to that host failed lately")                                   \
    X(EK_BLOCK_CIRCUIT, "moves to or from that host kept failing")                             \
    X(EK_BLOCK_UNSEEN, "a move that just ended there is not sampled yet")                      \
    X(EK_BLOCK_HYPERVISOR, "another hypervisor")                                               \
    X(EK_BLOCK_CPU_MODEL, "another CPU model")                                                 \
    X(EK_BLOCK_NETWORK, "a network is missing there")                                          \
    X(EK_BLOCK_STORAGE, "a storage is missing there")                                          \
    X(EK_BLOCK_RULE, "a must rule forbids it")                                                 \
    X(EK_BLOCK_MEMORY, "not enough memory left")                                               \
    X(EK_BLOCK_VCPUS, "too many vCPUs")                                                        \
    X(EK_BLOCK_RESOURCE, "too little of a resource left")                                      \
    X(EK_BLOCK_TARGET, "would exceed its target")

enum ek_block {
#define X(block, text) block,
    EK_BLOCKS(X)
#undef X
        EK_BLOCK_COUNT
};

/* What a move is for decides which soft limits bind. */
enum ek_purpose {
    EK_PURPOSE_BALANCE,         /* cooldown and target_max bind */
    EK_PURPOSE_EVACUATE,        /* cooldown does not bind, target_max does */
    EK_PURPOSE_EVACUATE_FORCED, /* target_max gives way, too */
    EK_PURPOSE_ORDERED,         /* no rest binds, target_max neither: somebody knows better */
};

const char *ek_block_text(enum ek_block block);

/* The first reason that holds the domain where it is, whatever the destination. */
enum ek_block ek_constraint_domain(const struct ek_cluster *cluster,
                                   const struct ek_cooldown *cooldown, uint32_t domain,
                                   enum ek_purpose purpose);

/* The first reason that keeps a domain whose metadata say so from being saved or shut down when its
 * host is emptied; EK_BLOCK_NONE: none. One that two hosts report is IMMOVABLE for this, too. */
enum ek_block ek_constraint_stop(const struct ek_cluster *cluster,
                                 const struct ek_cooldown *cooldown, uint32_t domain);

/* The same without rules and room: what no move of another domain changes. */
enum ek_block ek_constraint_admission(const struct ek_cluster *cluster,
                                      const struct ek_cooldown *cooldown, uint32_t domain,
                                      uint32_t destination);

/* The first reason that keeps the domain off that host; EK_BLOCK_NONE: it may go. Cheapest checks
 * first. */
enum ek_block ek_constraint_pair(const struct ek_cluster *cluster,
                                 const struct ek_cooldown *cooldown, uint32_t domain,
                                 uint32_t destination, enum ek_purpose purpose);

/* The same for a step of a plan whose end keeps all rules: must rules only as they bind while the
 * domain is on both hosts (rule_set.h), so that a plan can move an affinity group one by one. */
enum ek_block ek_constraint_step(const struct ek_cluster *cluster,
                                 const struct ek_cooldown *cooldown, uint32_t domain,
                                 uint32_t destination, enum ek_purpose purpose);

/* The first reason, of the domain itself or of the pair, beside those that are lifted (a bit for
 * each block): what would be in the way if those were not. All rules are one block. */
enum ek_block ek_constraint_beyond(const struct ek_cluster *cluster,
                                   const struct ek_cooldown *cooldown, uint32_t domain,
                                   uint32_t destination, enum ek_purpose purpose, uint32_t lifted);

/* Configured memory and vCPUs that still fit on a host; below 0 when it is over already. */
double ek_constraint_memory_room(const struct ek_cluster *cluster, uint32_t host);
double ek_constraint_vcpu_room(const struct ek_cluster *cluster, uint32_t host);

/* The same of a further resource, in its unit. */
double ek_constraint_resource_room(const struct ek_cluster *cluster, uint32_t host,
                                   enum ek_resource resource);

/* The reason with its numbers, for people: "h2: 1024 MiB needed, 512 MiB left". Owned by the arena.
 */
const char *ek_constraint_explain(const struct ek_cluster *cluster,
                                  const struct ek_cooldown *cooldown, uint32_t domain,
                                  uint32_t destination, enum ek_block block,
                                  struct ek_arena *arena);

#endif
