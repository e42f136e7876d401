/* What a plan leaves undone: domains that should leave their host and cannot, with the first reason
 * of each host. */
#include "balancer/core/plan_work.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Each has a reason for every host: so many are enough to see what is wrong with the rules. */
enum { BROKEN_MAX = 100 };

/* Whether time may end what keeps a domain off a host: what ends by itself, or with a move that
 * runs. */
static bool passes(const struct ek_cluster *cluster, uint32_t host, enum ek_block block)
{
    const struct ek_snapshot *snapshot = cluster->snapshot;
    bool room = block == EK_BLOCK_MEMORY || block == EK_BLOCK_VCPUS || block == EK_BLOCK_RESOURCE ||
                block == EK_BLOCK_RULE;

    return block == EK_BLOCK_AVOIDED || block == EK_BLOCK_CIRCUIT || block == EK_BLOCK_UNSEEN ||
           (block == EK_BLOCK_HOST_STATE && snapshot->hosts[host].state == EK_HOST_STALE) ||
           (room && snapshot->in_flight_count > 0);
}

/* The texts behind one another, "; " between them; owned by the arena, NULL: out of memory. */
static const char *join(const char *const *texts, size_t count, struct ek_arena *arena)
{
    size_t length = 1;
    size_t used = 0;

    for (size_t i = 0; i < count; i++) {
        length += strlen(texts[i]) + 2;
    }
    char *joined = ek_arena_alloc(arena, length, 1);
    for (size_t i = 0; joined != NULL && i < count; i++) {
        used +=
            (size_t)snprintf(joined + used, length - used, "%s%s", i == 0 ? "" : "; ", texts[i]);
    }
    return joined;
}

/* Why a host that would take the domain is no help to a broken rule; NULL: it is help, but not in
 * this plan. */
static const char *idle_reason(const struct ek_plan_work *work, uint32_t domain, uint32_t host)
{
    return ek_rule_set_must_delta(&work->cluster.rules, domain, host) < 0 ? NULL : "mends nothing";
}

/* The first reason of each host, for a domain that no host takes. */
static const char *hosts_reason(struct ek_plan_work *work, uint32_t domain, bool *for_now)
{
    struct ek_arena *arena = &work->out->arena;
    struct ek_arena *scratch = &work->cluster.arena;
    const struct ek_cluster *cluster = &work->cluster;
    const struct ek_cooldown *cooldown = work->request->cooldown;
    size_t count = 0;
    const char **texts = ek_arena_alloc(scratch, cluster->snapshot->host_count, sizeof(*texts));

    for (uint32_t h = 0; texts != NULL && h < cluster->snapshot->host_count; h++) {
        enum ek_block block =
            ek_constraint_pair(cluster, cooldown, domain, h, EK_PURPOSE_EVACUATE_FORCED);
        if (block == EK_BLOCK_SAME_HOST) {
            continue;
        }
        const char *why = block == EK_BLOCK_NONE
                              ? idle_reason(work, domain, h)
                              : ek_constraint_explain(cluster, cooldown, domain, h, block, scratch);
        if (block == EK_BLOCK_NONE && why == NULL) {
            why = "in a later plan";
            *for_now = true;
        }
        const char *text = ek_arena_printf(scratch, "%s: %s", cluster->snapshot->hosts[h].name,
                                           why == NULL ? "" : why);
        if (why == NULL || text == NULL) {
            return NULL;
        }
        texts[count++] = text;
        /* One host that may take it later is enough to wait for. */
        *for_now = *for_now || passes(cluster, h, block);
    }
    if (texts == NULL) {
        return NULL;
    }
    return count == 0 ? "there is no other host" : join(texts, count, arena);
}

static const char *stuck_reason(struct ek_plan_work *work, uint32_t domain, bool *for_now)
{
    const struct ek_cluster *cluster = &work->cluster;
    const struct ek_cooldown *cooldown = work->request->cooldown;
    enum ek_block block = ek_constraint_domain(cluster, cooldown, domain, EK_PURPOSE_EVACUATE);

    /* Rests end, moves end, operators resolve; a passed-through device stays. */
    *for_now = block != EK_BLOCK_NONE && block != EK_BLOCK_IMMOVABLE;
    if (block != EK_BLOCK_NONE) {
        /* These reasons name no destination, so that any host's index will do. */
        return ek_constraint_explain(cluster, cooldown, domain, 0, block, &work->out->arena);
    }
    return hosts_reason(work, domain, for_now);
}

/* The other half of a domain that two hosts report: it keeps its host from being empty. */
static void list_copies(struct ek_plan_work *work)
{
    struct ek_plan *out = work->out;

    for (size_t c = 0; c < out->snapshot->copy_count; c++) {
        const struct ek_copy *copy = &out->snapshot->copies[c];
        if (out->snapshot->hosts[copy->host].maintenance) {
            out->unresolved[out->unresolved_count++] = (struct ek_unresolved){
                copy->domain, copy->host, EK_NONE, true, "two hosts report it as theirs"};
        }
    }
}

/* ---- must rules that stay broken ------------------------------------------------------------ */

/* Which of two domains in one place should rather stay: who cannot move, else the larger one. */
static bool stays_before(const struct ek_plan_work *work, uint32_t a, uint32_t b)
{
    const struct ek_domain *domains = work->out->snapshot->domains;
    bool a_moves = ek_constraint_domain(&work->cluster, work->request->cooldown, a,
                                        EK_PURPOSE_EVACUATE) == EK_BLOCK_NONE;
    bool b_moves = ek_constraint_domain(&work->cluster, work->request->cooldown, b,
                                        EK_PURPOSE_EVACUATE) == EK_BLOCK_NONE;

    if (a_moves != b_moves) {
        return b_moves;
    }
    return domains[a].memory_mib > domains[b].memory_mib;
}

/* Whether the domain is one of those who should go elsewhere for the rule: all on wrong hosts; of
 * those who stand together all but the one that stays; of those who should be together all that are
 * not with the one that stays. */
static bool should_go(const struct ek_plan_work *work, uint32_t rule, uint32_t domain)
{
    const struct ek_rule_set *set = &work->cluster.rules;
    enum ek_rule_kind kind = ek_rule_set_rule(set, rule)->kind;
    size_t count = 0;
    const uint32_t *members = ek_rule_set_members(set, rule, &count);
    uint32_t stays = EK_NONE;

    if (kind == EK_RULE_PIN || kind == EK_RULE_AVOID) {
        return ek_rule_set_offends(set, rule, domain);
    }
    uint32_t group = ek_rule_set_group(set, rule, work->cluster.host_of[domain]);
    for (size_t i = 0; i < count; i++) {
        bool here = ek_rule_set_group(set, rule, work->cluster.host_of[members[i]]) == group;
        if ((here || kind == EK_RULE_AFFINITY) &&
            (stays == EK_NONE || stays_before(work, members[i], stays))) {
            stays = members[i];
        }
    }
    return kind == EK_RULE_AFFINITY
               ? ek_rule_set_group(set, rule, work->cluster.host_of[stays]) != group
               : stays != domain;
}

static bool list_one(struct ek_plan_work *work, uint32_t rule, uint32_t domain,
                     struct ek_error *err)
{
    struct ek_plan *out = work->out;
    bool for_now = false;
    const char *why = stuck_reason(work, domain, &for_now);
    const char *reason =
        why == NULL ? NULL
                    : ek_arena_printf(&out->arena, "must rule %s: %s",
                                      ek_rule_set_rule(&work->cluster.rules, rule)->name, why);

    if (reason == NULL) {
        return ek_plan_nomem(err);
    }
    assert(out->unresolved_count < out->snapshot->domain_count + out->snapshot->copy_count);
    out->unresolved[out->unresolved_count++] =
        (struct ek_unresolved){domain, work->cluster.host_of[domain], rule, for_now, reason};
    return true;
}

/* Each domain once, with the first rule for whose sake it should go. */
static bool list_broken(struct ek_plan_work *work, struct ek_error *err)
{
    const struct ek_rule_set *set = &work->cluster.rules;
    struct ek_arena *scratch = &work->cluster.arena;
    bool *listed = ek_arena_alloc(scratch, work->out->snapshot->domain_count, sizeof(bool));
    size_t most = work->out->unresolved_count + BROKEN_MAX;

    if (listed == NULL) {
        return ek_plan_nomem(err);
    }
    for (size_t i = 0; i < work->out->unresolved_count; i++) {
        listed[work->out->unresolved[i].domain] = true;
    }
    for (uint32_t r = 0; ek_rule_set_broken(set) > 0 && r < set->rule_count; r++) {
        size_t count = 0;
        const uint32_t *members = ek_rule_set_members(set, r, &count);
        bool broken =
            ek_rule_set_rule(set, r)->enforcement == EK_MUST && ek_rule_set_degree(set, r) > 0;
        for (size_t i = 0; broken && i < count && work->out->unresolved_count < most; i++) {
            if (!listed[members[i]] && should_go(work, r, members[i])) {
                listed[members[i]] = true;
                if (!list_one(work, r, members[i], err)) {
                    return false;
                }
            }
        }
    }
    return true;
}

bool ek_plan_list_unresolved(struct ek_plan_work *work, struct ek_error *err)
{
    struct ek_plan *out = work->out;

    for (uint32_t d = 0; d < out->snapshot->domain_count; d++) {
        uint32_t host = work->cluster.host_of[d];
        /* What is in flight is leaving already. */
        if (!out->snapshot->hosts[host].maintenance || work->cluster.in_flight[d]) {
            continue;
        }
        bool for_now = false;
        const char *reason = stuck_reason(work, d, &for_now);
        if (reason == NULL) {
            return ek_plan_nomem(err);
        }
        out->unresolved[out->unresolved_count++] =
            (struct ek_unresolved){d, host, EK_NONE, for_now, reason};
    }
    list_copies(work);
    out->stuck_count = out->unresolved_count;
    if (!list_broken(work, err)) {
        return false;
    }
    assert(out->unresolved_count <= out->snapshot->domain_count + out->snapshot->copy_count);
    return true;
}
