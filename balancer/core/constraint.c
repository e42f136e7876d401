#include "balancer/core/constraint.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* A thousandth of a MiB or vCPU of slack, so that sums of doubles do not refuse what exactly fits.
 */
#define SLACK 1e-3

/* oVirt reruns a failed migration on up to 3 hosts; so do we before the domain has to wait. */
enum { TRIES_ELSEWHERE = 3 };

const char *ek_block_text(enum ek_block block)
{
    static const char *const texts[EK_BLOCK_COUNT] = {
#define X(name, text) [name] = text,
        EK_BLOCKS(X)
#undef X
    };

    assert((unsigned int)block < EK_BLOCK_COUNT);
    return texts[block];
}

static_assert(EK_BLOCK_COUNT <= 32, "a set of blocks has a bit for each");

/* Whether the block still counts beside those that are lifted. */
static inline bool binds(uint32_t lifted, enum ek_block block)
{
    return (lifted >> block & 1U) == 0;
}

/* A domain that must be resolved by hand comes first: nothing else may be said of it. */
static enum ek_block rest_block(const struct ek_rest *rest, int64_t now_ms, enum ek_purpose purpose,
                                uint32_t lifted)
{
    if (rest == NULL) {
        return EK_BLOCK_NONE;
    }
    if (rest->blocked && binds(lifted, EK_BLOCK_UNRESOLVED)) {
        return EK_BLOCK_UNRESOLVED;
    }
    if (purpose == EK_PURPOSE_ORDERED) {
        return EK_BLOCK_NONE;
    }
    /* Another host may do at once, but not one after the other for ever. */
    bool elsewhere = now_ms < rest->avoid_until_ms && rest->failures <= TRIES_ELSEWHERE;
    if (now_ms < rest->failed_until_ms && !elsewhere && binds(lifted, EK_BLOCK_FAILED_LATELY)) {
        return EK_BLOCK_FAILED_LATELY;
    }
    if (purpose == EK_PURPOSE_BALANCE &&
        (now_ms < rest->until_ms || now_ms < rest->failed_until_ms)) {
        return EK_BLOCK_RESTING;
    }
    return EK_BLOCK_NONE;
}

static enum ek_block domain_block(const struct ek_cluster *cluster,
                                  const struct ek_cooldown *cooldown, uint32_t domain,
                                  enum ek_purpose purpose, uint32_t lifted)
{
    const struct ek_snapshot *snapshot = cluster->snapshot;
    const struct ek_domain *it = &snapshot->domains[domain];
    const struct ek_host *source = &snapshot->hosts[cluster->host_of[domain]];

    if (cluster->in_flight[domain] && binds(lifted, EK_BLOCK_IN_FLIGHT)) {
        return EK_BLOCK_IN_FLIGHT;
    }
    /* A host device (PCI or USB passthrough) stays with its host: libvirt refuses to migrate it. */
    if ((!it->movable || (it->devices.given && it->devices.count > 0)) &&
        binds(lifted, EK_BLOCK_IMMOVABLE)) {
        return EK_BLOCK_IMMOVABLE;
    }
    if (ek_rule_set_ignored(&cluster->rules, domain) != EK_NONE &&
        binds(lifted, EK_BLOCK_IGNORED)) {
        return EK_BLOCK_IGNORED;
    }
    /* Figures of a stale host are old, and a down host's daemon could not carry the move out. */
    if (source->state != EK_HOST_UP && binds(lifted, EK_BLOCK_SOURCE_STATE)) {
        return EK_BLOCK_SOURCE_STATE;
    }
    /* Maintenance is an operator's word, too, and the younger one. */
    if (!source->maintenance &&
        ek_rule_set_ignored_host(&cluster->rules, cluster->host_of[domain]) != EK_NONE &&
        binds(lifted, EK_BLOCK_SOURCE_IGNORED)) {
        return EK_BLOCK_SOURCE_IGNORED;
    }
    /* An operator's own order is that person's word. */
    if (source->maintenance && purpose != EK_PURPOSE_ORDERED &&
        ek_evacuation_stays(it->evacuation) && binds(lifted, EK_BLOCK_EVACUATION)) {
        return EK_BLOCK_EVACUATION;
    }
    return rest_block(ek_cooldown_find(cooldown, it->uuid), snapshot->taken_at_ms, purpose, lifted);
}

enum ek_block ek_constraint_domain(const struct ek_cluster *cluster,
                                   const struct ek_cooldown *cooldown, uint32_t domain,
                                   enum ek_purpose purpose)
{
    assert(domain < cluster->snapshot->domain_count);
    assert(cluster->host_of[domain] < cluster->snapshot->host_count);
    return domain_block(cluster, cooldown, domain, purpose, 0);
}

/* Whether another host reports the domain as its own, too: which of the two is stopped by an order
 * nobody can say. */
static bool is_doubled(const struct ek_snapshot *snapshot, uint32_t domain)
{
    for (size_t c = 0; c < snapshot->copy_count; c++) {
        if (snapshot->copies[c].domain == domain) {
            return true;
        }
    }
    return false;
}

/* What keeps it from being moved does not keep it from being stopped, but for a double. */
enum ek_block ek_constraint_stop(const struct ek_cluster *cluster,
                                 const struct ek_cooldown *cooldown, uint32_t domain)
{
    assert(domain < cluster->snapshot->domain_count);
    assert(ek_evacuation_stops(cluster->snapshot->domains[domain].evacuation));
    if (is_doubled(cluster->snapshot, domain)) {
        return EK_BLOCK_IMMOVABLE;
    }
    return domain_block(cluster, cooldown, domain, EK_PURPOSE_EVACUATE,
                        1U << EK_BLOCK_IMMOVABLE | 1U << EK_BLOCK_EVACUATION);
}

/* Lists have a handful of items: searching beats any index. */
static bool holds(const struct ek_strings *list, const char *item)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i], item) == 0) {
            return true;
        }
    }
    return false;
}

/* The first item of `needed` that the host does not have; NULL: none. Absent lists constrain
 * nothing. */
static const char *missing(const struct ek_strings *needed, const struct ek_strings *offered)
{
    for (size_t i = 0; offered->given && i < needed->count; i++) {
        if (!holds(offered, needed->items[i])) {
            return needed->items[i];
        }
    }
    return NULL;
}

/* "QEMU 7.2.22" and "QEMU 8.0.0" are one hypervisor; versions are the migrator's precheck. */
static bool same_hypervisor(const char *a, const char *b)
{
    if (a == NULL || b == NULL) {
        return true;
    }
    size_t length = strcspn(a, " ");
    return length == strcspn(b, " ") && strncmp(a, b, length) == 0;
}

/* Only what samples tell. libvirt's own checks of CPU features and machine types come in the
 * migrator's prechecks, on fresh data from both ends. */
static enum ek_block compatible(const struct ek_domain *domain, const struct ek_host *source,
                                const struct ek_host *host, uint32_t lifted)
{
    if (!same_hypervisor(source->hypervisor, host->hypervisor) &&
        binds(lifted, EK_BLOCK_HYPERVISOR)) {
        return EK_BLOCK_HYPERVISOR;
    }
    if (domain->cpu_model != NULL && host->cpu_model != NULL &&
        strcmp(domain->cpu_model, host->cpu_model) != 0 && binds(lifted, EK_BLOCK_CPU_MODEL)) {
        return EK_BLOCK_CPU_MODEL;
    }
    if (missing(&domain->networks, &host->networks) != NULL && binds(lifted, EK_BLOCK_NETWORK)) {
        return EK_BLOCK_NETWORK;
    }
    return missing(&domain->storages, &host->storages) != NULL && binds(lifted, EK_BLOCK_STORAGE)
               ? EK_BLOCK_STORAGE
               : EK_BLOCK_NONE;
}

double ek_constraint_memory_room(const struct ek_cluster *cluster, uint32_t host)
{
    const struct ek_policy *policy = cluster->policy;
    /* The reserve is the host's own: libvirtd, page tables and QEMU's overhead beyond guest
     * memory. */
    double usable = cluster->snapshot->hosts[host].memory_mib * (1 - policy->memory_reserve) *
                    policy->memory_overcommit;

    return usable - cluster->hosts[host].memory_mib;
}

double ek_constraint_vcpu_room(const struct ek_cluster *cluster, uint32_t host)
{
    double usable = cluster->snapshot->hosts[host].cpu_cores * cluster->policy->cpu_overcommit;

    return usable - cluster->hosts[host].vcpus;
}

double ek_constraint_resource_room(const struct ek_cluster *cluster, uint32_t host,
                                   enum ek_resource resource)
{
    const struct ek_host_load *it = &cluster->hosts[host];

    assert(resource >= EK_RESOURCE_FURTHER);
    return ek_cluster_capacity(cluster, host, resource) - it->load[resource] - it->held[resource];
}

/* The first further resource of which the host has too little for the domain; EK_NONE: none. Where
 * it has none at all, nothing that needs it can run. */
static uint32_t lacking(const struct ek_cluster *cluster, uint32_t domain, uint32_t destination)
{
    for (unsigned int r = EK_RESOURCE_FURTHER; r < cluster->resource_count; r++) {
        enum ek_resource resource = (enum ek_resource)r;
        double demand = ek_cluster_demand(cluster, domain, resource);
        double room = ek_constraint_resource_room(cluster, destination, resource);
        if (demand > 0 && demand > room * (1 + 1e-9)) {
            return r;
        }
    }
    return EK_NONE;
}

/* 1e-9: a host that was filled exactly to its target is not above it. */
static bool above_target(const struct ek_cluster *cluster, uint32_t domain, uint32_t destination)
{
    for (unsigned int r = 0; r < cluster->resource_count; r++) {
        double after =
            ek_cluster_utilization_with(cluster, destination, (enum ek_resource)r, domain, 1);
        if (after > cluster->policy->target_max[r] + 1e-9) {
            return true;
        }
    }
    return false;
}

/* Allocation is hard for everyone; the target, a wish about use, gives way to a forced
 * evacuation. */
static enum ek_block capacity(const struct ek_cluster *cluster, uint32_t domain,
                              uint32_t destination, enum ek_purpose purpose, uint32_t lifted)
{
    const struct ek_domain *it = &cluster->snapshot->domains[domain];

    if (it->memory_mib > ek_constraint_memory_room(cluster, destination) + SLACK &&
        binds(lifted, EK_BLOCK_MEMORY)) {
        return EK_BLOCK_MEMORY;
    }
    if (it->vcpus > ek_constraint_vcpu_room(cluster, destination) + SLACK &&
        binds(lifted, EK_BLOCK_VCPUS)) {
        return EK_BLOCK_VCPUS;
    }
    if (lacking(cluster, domain, destination) != EK_NONE && binds(lifted, EK_BLOCK_RESOURCE)) {
        return EK_BLOCK_RESOURCE;
    }
    bool firm = purpose == EK_PURPOSE_BALANCE || purpose == EK_PURPOSE_EVACUATE;
    if (firm && above_target(cluster, domain, destination) && binds(lifted, EK_BLOCK_TARGET)) {
        return EK_BLOCK_TARGET;
    }
    return EK_BLOCK_NONE;
}

static enum ek_block admission(const struct ek_cluster *cluster, const struct ek_cooldown *cooldown,
                               uint32_t domain, uint32_t destination, uint32_t lifted)
{
    const struct ek_snapshot *snapshot = cluster->snapshot;
    const struct ek_host *host = &snapshot->hosts[destination];
    const struct ek_domain *it = &snapshot->domains[domain];
    uint32_t source = cluster->host_of[domain];

    if (source == destination) {
        return EK_BLOCK_SAME_HOST;
    }
    if (host->state != EK_HOST_UP && binds(lifted, EK_BLOCK_HOST_STATE)) {
        return EK_BLOCK_HOST_STATE;
    }
    /* Also for evacuations: a host that is to be emptied takes nobody in. */
    if (host->maintenance && binds(lifted, EK_BLOCK_MAINTENANCE)) {
        return EK_BLOCK_MAINTENANCE;
    }
    if (ek_rule_set_ignored_host(&cluster->rules, destination) != EK_NONE &&
        binds(lifted, EK_BLOCK_HOST_IGNORED)) {
        return EK_BLOCK_HOST_IGNORED;
    }
    /* Its newest figures are from before an arrival: what still fits cannot be told. */
    if (cluster->hosts[destination].unseen_arrival && binds(lifted, EK_BLOCK_UNSEEN)) {
        return EK_BLOCK_UNSEEN;
    }
    const struct ek_rest *rest = ek_cooldown_find(cooldown, it->uuid);
    /* Time is the snapshot's, so that a replayed decision comes out the same. */
    if (rest != NULL && snapshot->taken_at_ms < rest->avoid_until_ms &&
        strcmp(rest->avoid, host->name) == 0 && binds(lifted, EK_BLOCK_AVOIDED)) {
        return EK_BLOCK_AVOIDED;
    }
    if (binds(lifted, EK_BLOCK_CIRCUIT) &&
        ek_circuit_block(ek_cooldown_circuit(cooldown), snapshot->hosts[source].name, host->name,
                         snapshot->taken_at_ms) != NULL) {
        return EK_BLOCK_CIRCUIT;
    }
    return compatible(it, &snapshot->hosts[source], host, lifted);
}

enum ek_block ek_constraint_admission(const struct ek_cluster *cluster,
                                      const struct ek_cooldown *cooldown, uint32_t domain,
                                      uint32_t destination)
{
    assert(domain < cluster->snapshot->domain_count);
    assert(destination < cluster->snapshot->host_count);
    return admission(cluster, cooldown, domain, destination, 0);
}

/* Which must rule speaks against a placement: as it binds what is settled, or what is on its way.
 */
typedef uint32_t rule_block(const struct ek_rule_set *set, uint32_t domain, uint32_t destination);

static enum ek_block check(const struct ek_cluster *cluster, const struct ek_cooldown *cooldown,
                           uint32_t domain, uint32_t destination, enum ek_purpose purpose,
                           rule_block *rule, uint32_t lifted)
{
    enum ek_block block = admission(cluster, cooldown, domain, destination, lifted);

    assert(domain < cluster->snapshot->domain_count);
    assert(destination < cluster->snapshot->host_count);
    if (block != EK_BLOCK_NONE) {
        return block;
    }
    return binds(lifted, EK_BLOCK_RULE) && rule(&cluster->rules, domain, destination) != EK_NONE
               ? EK_BLOCK_RULE
               : capacity(cluster, domain, destination, purpose, lifted);
}

enum ek_block ek_constraint_pair(const struct ek_cluster *cluster,
                                 const struct ek_cooldown *cooldown, uint32_t domain,
                                 uint32_t destination, enum ek_purpose purpose)
{
    return check(cluster, cooldown, domain, destination, purpose, ek_rule_set_block, 0);
}

enum ek_block ek_constraint_step(const struct ek_cluster *cluster,
                                 const struct ek_cooldown *cooldown, uint32_t domain,
                                 uint32_t destination, enum ek_purpose purpose)
{
    return check(cluster, cooldown, domain, destination, purpose, ek_rule_set_transit_block, 0);
}

enum ek_block ek_constraint_beyond(const struct ek_cluster *cluster,
                                   const struct ek_cooldown *cooldown, uint32_t domain,
                                   uint32_t destination, enum ek_purpose purpose, uint32_t lifted)
{
    enum ek_block block = domain_block(cluster, cooldown, domain, purpose, lifted);

    return block != EK_BLOCK_NONE
               ? block
               : check(cluster, cooldown, domain, destination, purpose, ek_rule_set_block, lifted);
}

/* For people: how long it will last, beside what it is. */
static const char *explain_rest(const struct ek_rest *rest, int64_t now_ms, enum ek_block block,
                                struct ek_arena *arena)
{
    int64_t until_ms = rest->until_ms;

    if (block == EK_BLOCK_FAILED_LATELY) {
        until_ms = rest->failed_until_ms;
    } else if (block == EK_BLOCK_AVOIDED) {
        until_ms = rest->avoid_until_ms;
    }
    return ek_arena_printf(arena, "%s (for another %.0f s)", ek_block_text(block),
                           fmax(0, (double)(until_ms - now_ms) / 1000));
}

/* Every resource that would be exceeded, not the first alone: both may have to be cured. */
static const char *explain_target(const struct ek_cluster *cluster, uint32_t domain,
                                  uint32_t destination, struct ek_arena *arena)
{
    const char *text = "";

    for (unsigned int r = 0; text != NULL && r < cluster->resource_count; r++) {
        enum ek_resource resource = (enum ek_resource)r;
        double after = ek_cluster_utilization_with(cluster, destination, resource, domain, 1);
        if (after > cluster->policy->target_max[r] + 1e-9) {
            text = ek_arena_printf(arena, "%s%s%s would be %.0f %%, its target is %.0f %%", text,
                                   text[0] == '\0' ? "" : ", ", cluster->policy->resources.names[r],
                                   100 * after, 100 * cluster->policy->target_max[r]);
        }
    }
    return text;
}

/* Of a step, too: what binds in transit binds settled placements as well, but for running moves. */
static const char *explain_rule(const struct ek_cluster *cluster, uint32_t domain,
                                uint32_t destination, struct ek_arena *arena)
{
    uint32_t rule = ek_rule_set_block(&cluster->rules, domain, destination);

    if (rule == EK_NONE) {
        rule = ek_rule_set_transit_block(&cluster->rules, domain, destination);
    }
    return rule == EK_NONE ? ek_block_text(EK_BLOCK_RULE)
                           : ek_rule_explain(&cluster->rules, rule, domain, destination, arena);
}

/* The collector's reason first: it has looked at the domain's definition. */
static const char *explain_immovable(const struct ek_domain *domain, struct ek_arena *arena)
{
    if (domain->immovable_reason != NULL) {
        return domain->immovable_reason;
    }
    return domain->devices.count == 0 ? ek_block_text(EK_BLOCK_IMMOVABLE)
                                      : ek_arena_printf(arena, "host device %s ties it to its host",
                                                        domain->devices.items[0]);
}

static const char *explain_resource(const struct ek_cluster *cluster, uint32_t domain,
                                    uint32_t destination, struct ek_arena *arena)
{
    uint32_t r = lacking(cluster, domain, destination);

    if (r == EK_NONE) {
        return ek_block_text(EK_BLOCK_RESOURCE);
    }
    enum ek_resource resource = (enum ek_resource)r;
    double capacity = ek_cluster_capacity(cluster, destination, resource);
    return ek_arena_printf(
        arena, "%g of %s needed, %g of %g are free", ek_cluster_demand(cluster, domain, resource),
        cluster->policy->resources.names[r],
        fmax(0, ek_constraint_resource_room(cluster, destination, resource)), capacity);
}

static const char *explain_ignored(const struct ek_cluster *cluster, uint32_t domain,
                                   struct ek_arena *arena)
{
    uint32_t rule = ek_rule_set_ignored(&cluster->rules, domain);

    return rule == EK_NONE ? ek_block_text(EK_BLOCK_IGNORED)
                           : ek_rule_explain(&cluster->rules, rule, domain, 0, arena);
}

static const char *explain_ignored_host(const struct ek_cluster *cluster, uint32_t host,
                                        struct ek_arena *arena)
{
    uint32_t rule = ek_rule_set_ignored_host(&cluster->rules, host);

    return rule == EK_NONE ? ek_block_text(EK_BLOCK_HOST_IGNORED)
                           : ek_arena_printf(arena, "rule %s leaves %s alone",
                                             ek_rule_set_rule(&cluster->rules, rule)->name,
                                             cluster->snapshot->hosts[host].name);
}

static const char *explain_circuit(const struct ek_cluster *cluster,
                                   const struct ek_cooldown *cooldown, uint32_t domain,
                                   uint32_t destination, struct ek_arena *arena)
{
    const struct ek_snapshot *snapshot = cluster->snapshot;
    const struct ek_circuit_entry *entry = ek_circuit_block(
        ek_cooldown_circuit(cooldown), snapshot->hosts[cluster->host_of[domain]].name,
        snapshot->hosts[destination].name, snapshot->taken_at_ms);

    return entry == NULL ? ek_block_text(EK_BLOCK_CIRCUIT)
                         : ek_circuit_text(entry, snapshot->taken_at_ms, arena);
}

const char *ek_constraint_explain(const struct ek_cluster *cluster,
                                  const struct ek_cooldown *cooldown, uint32_t domain,
                                  uint32_t destination, enum ek_block block, struct ek_arena *arena)
{
    const struct ek_snapshot *snapshot = cluster->snapshot;
    const struct ek_domain *it = &snapshot->domains[domain];
    const struct ek_rest *rest = ek_cooldown_find(cooldown, it->uuid);

    /* int, so that -Wswitch-enum lets the reasons without numbers fall to their plain texts. */
    assert(domain < snapshot->domain_count);

    switch ((int)block) {
    case EK_BLOCK_IMMOVABLE:
        return explain_immovable(it, arena);
    case EK_BLOCK_EVACUATION:
        return ek_arena_printf(arena,
                               ek_evacuation_stops(it->evacuation)
                                   ? "its metadata say \"%s\": no evacuation moves it, it is "
                                     "stopped last"
                                   : "its metadata say \"%s\": that is left to a person",
                               ek_evacuation_name(it->evacuation));
    case EK_BLOCK_IGNORED:
        return explain_ignored(cluster, domain, arena);
    case EK_BLOCK_SOURCE_IGNORED:
        return explain_ignored_host(cluster, cluster->host_of[domain], arena);
    case EK_BLOCK_HOST_IGNORED:
        return explain_ignored_host(cluster, destination, arena);
    case EK_BLOCK_RULE:
        return explain_rule(cluster, domain, destination, arena);
    case EK_BLOCK_RESTING:
    case EK_BLOCK_FAILED_LATELY:
    case EK_BLOCK_AVOIDED:
        return explain_rest(rest, snapshot->taken_at_ms, block, arena);
    case EK_BLOCK_CIRCUIT:
        return explain_circuit(cluster, cooldown, domain, destination, arena);
    case EK_BLOCK_HOST_STATE:
        return ek_arena_printf(arena, "host is %s",
                               ek_host_state_name(snapshot->hosts[destination].state));
    case EK_BLOCK_NETWORK:
        return ek_arena_printf(arena, "no network %s there",
                               missing(&it->networks, &snapshot->hosts[destination].networks));
    case EK_BLOCK_STORAGE:
        return ek_arena_printf(arena, "no storage %s there",
                               missing(&it->storages, &snapshot->hosts[destination].storages));
    case EK_BLOCK_CPU_MODEL:
        return ek_arena_printf(arena, "CPU model %s needed, found %s", it->cpu_model,
                               snapshot->hosts[destination].cpu_model);
    case EK_BLOCK_MEMORY:
        return ek_arena_printf(arena, "%.0f MiB of memory needed, %.0f MiB may still be given",
                               it->memory_mib,
                               fmax(0, ek_constraint_memory_room(cluster, destination)));
    case EK_BLOCK_VCPUS:
        return ek_arena_printf(arena, "%.0f vCPUs needed, %.0f may still be given", it->vcpus,
                               fmax(0, floor(ek_constraint_vcpu_room(cluster, destination))));
    case EK_BLOCK_RESOURCE:
        return explain_resource(cluster, domain, destination, arena);
    case EK_BLOCK_TARGET:
        return explain_target(cluster, domain, destination, arena);
    default:
        return ek_block_text(block);
    }
}
