/* What would have to change so that a block falls. */
#include "balancer/core/explain/explain.h"
#include "balancer/core/plural.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* Fixed sentences; those with numbers are made below. NULL: none. */
static const char *fixed(enum ek_block block)
{
    static const char *const texts[EK_BLOCK_COUNT] = {
        [EK_BLOCK_SAME_HOST] = "nothing: it is there",
        [EK_BLOCK_IN_FLIGHT] = "its running migration has to end",
        [EK_BLOCK_IMMOVABLE] = "what ties it to its host has to be taken away",
        [EK_BLOCK_UNRESOLVED] = "an operator has to resolve its last move (evenkeel status)",
        [EK_BLOCK_SOURCE_STATE] = "its host has to be up",
        [EK_BLOCK_EVACUATION] = "an operator has to move it (evenkeel move)",
        [EK_BLOCK_RESTING] = "only time",
        [EK_BLOCK_FAILED_LATELY] = "only time",
        [EK_BLOCK_AVOIDED] = "only time",
        [EK_BLOCK_CIRCUIT] = "time, and then one move that works",
        [EK_BLOCK_UNSEEN] = "a fresh sample of that host has to come",
        [EK_BLOCK_HYPERVISOR] = "the host would have to run the same hypervisor",
        [EK_BLOCK_CPU_MODEL] = "the domain would need a CPU model that both hosts have",
    };

    assert((unsigned int)block < EK_BLOCK_COUNT);
    return texts[block];
}

/* How much less the host would have to use, of every resource above its target. */
static const char *target_remedy(const struct ek_cluster *cluster, uint32_t domain,
                                 uint32_t destination, struct ek_arena *arena)
{
    const char *text = "";

    for (unsigned int r = 0; text != NULL && r < cluster->resource_count; r++) {
        enum ek_resource resource = (enum ek_resource)r;
        double after = ek_cluster_utilization_with(cluster, destination, resource, domain, 1);
        double excess = after - cluster->policy->target_max[r];
        if (excess > 1e-9) {
            /* Rounded upwards: what is asked for has to be enough. */
            text = ek_arena_printf(arena, "%s%sits %s has to be %.1f %% of its capacity lower",
                                   text, text[0] == '\0' ? "" : ", ",
                                   cluster->policy->resources.names[r], ceil(1000 * excess) / 10);
        }
    }
    return text == NULL ? NULL
                        : ek_arena_printf(arena, "%s (or resources.*.target_max higher)", text);
}

/* Every further resource that the host has too little of: one of them alone would not do. */
static const char *resource_remedy(const struct ek_cluster *cluster, uint32_t domain,
                                   uint32_t destination, struct ek_arena *arena)
{
    const char *text = "";

    for (unsigned int r = EK_RESOURCE_FURTHER; text != NULL && r < cluster->resource_count; r++) {
        enum ek_resource resource = (enum ek_resource)r;
        double room = ek_constraint_resource_room(cluster, destination, resource);
        double lacks = ek_cluster_demand(cluster, domain, resource) - room;
        if (lacks > 1e-9) {
            text = ek_arena_printf(arena, "%s%s%g more of %s", text, text[0] == '\0' ? "" : " and ",
                                   lacks, cluster->policy->resources.names[r]);
        }
    }
    if (text == NULL || text[0] == '\0') {
        return text == NULL ? NULL : ek_block_text(EK_BLOCK_RESOURCE);
    }
    return ek_arena_printf(arena, "%s have to be free on %s", text,
                           cluster->snapshot->hosts[destination].name);
}

/* Every rule that speaks against it: to change one of them alone would not do. */
static const char *rule_remedy(const struct ek_cluster *cluster, uint32_t domain,
                               uint32_t destination, struct ek_arena *arena)
{
    size_t count = 0;
    size_t found = 0;
    const uint32_t *rules = ek_rule_set_rules_of(&cluster->rules, domain, &count);
    const char *names = "";

    for (size_t i = 0; names != NULL && i < count; i++) {
        if (ek_rule_set_blocks(&cluster->rules, rules[i], domain, destination)) {
            names = ek_arena_printf(arena, "%s%s%s", names, found++ == 0 ? "" : " and ",
                                    ek_rule_set_rule(&cluster->rules, rules[i])->name);
        }
    }
    if (names == NULL || found > 0) {
        return names == NULL ? NULL
                             : ek_arena_printf(arena, "rule%s %s %s to allow it", ek_plural(found),
                                               names, found == 1 ? "has" : "have");
    }
    uint32_t rule = ek_rule_set_transit_block(&cluster->rules, domain, destination);
    return rule == EK_NONE ? "another of the rule's domains has to arrive first"
                           : ek_arena_printf(arena, "rule %s has to allow it",
                                             ek_rule_set_rule(&cluster->rules, rule)->name);
}

/* Every network or storage that the host does not offer. */
static const char *offer_remedy(const char *what, const char *host, const struct ek_strings *needed,
                                const struct ek_strings *offered, struct ek_arena *arena)
{
    const char *names = "";
    size_t found = 0;

    for (size_t i = 0; names != NULL && i < needed->count; i++) {
        size_t at = 0;
        while (at < offered->count && strcmp(offered->items[at], needed->items[i]) != 0) {
            at++;
        }
        if (at == offered->count) {
            names = ek_arena_printf(arena, "%s%s%s", names, found++ == 0 ? "" : " and ",
                                    needed->items[i]);
        }
    }
    return names == NULL ? NULL
                         : ek_arena_printf(arena, "%s has to offer %s %s", host, what, names);
}

static const char *ignore_remedy(const struct ek_cluster *cluster, uint32_t domain,
                                 struct ek_arena *arena)
{
    uint32_t rule = ek_rule_set_ignored(&cluster->rules, domain);

    return rule == EK_NONE ? "no rule may ignore it"
                           : ek_arena_printf(arena, "rule %s may not name it",
                                             ek_rule_set_rule(&cluster->rules, rule)->name);
}

const char *ek_constraint_remedy(const struct ek_cluster *cluster, uint32_t domain,
                                 uint32_t destination, enum ek_block block, struct ek_arena *arena)
{
    const struct ek_domain *it = &cluster->snapshot->domains[domain];
    const char *host = cluster->snapshot->hosts[destination].name;

    /* int, so that -Wswitch-enum lets the reasons without numbers fall to their fixed texts. */
    switch ((int)block) {
    case EK_BLOCK_IGNORED:
        return ignore_remedy(cluster, domain, arena);
    case EK_BLOCK_HOST_IGNORED:
        return ek_arena_printf(arena, "rule %s may not name %s",
                               ek_rule_set_rule(&cluster->rules, ek_rule_set_ignored_host(
                                                                     &cluster->rules, destination))
                                   ->name,
                               host);
    case EK_BLOCK_HOST_STATE:
        return ek_arena_printf(arena, "%s has to be up", host);
    case EK_BLOCK_MAINTENANCE:
        return ek_arena_printf(arena, "maintenance of %s has to end", host);
    case EK_BLOCK_NETWORK:
        return offer_remedy("network", host, &it->networks,
                            &cluster->snapshot->hosts[destination].networks, arena);
    case EK_BLOCK_STORAGE:
        return offer_remedy("storage", host, &it->storages,
                            &cluster->snapshot->hosts[destination].storages, arena);
    case EK_BLOCK_RULE:
        return rule_remedy(cluster, domain, destination, arena);
    case EK_BLOCK_MEMORY:
        /* Upwards, as what is asked for has to be enough. */
        return ek_arena_printf(
            arena, "%.0f MiB more have to be free for domains on %s",
            ceil(it->memory_mib - ek_constraint_memory_room(cluster, destination)), host);
    case EK_BLOCK_VCPUS:
        return ek_arena_printf(arena, "%.0f vCPUs more have to be free for domains on %s",
                               ceil(it->vcpus - ek_constraint_vcpu_room(cluster, destination)),
                               host);
    case EK_BLOCK_RESOURCE:
        return resource_remedy(cluster, domain, destination, arena);
    case EK_BLOCK_TARGET:
        return target_remedy(cluster, domain, destination, arena);
    default:
        return fixed(block) == NULL ? "it is not known what" : fixed(block);
    }
}
