/* What a plan leaves undone: domains that should leave their host and cannot, with the first reason
 * of each host. */
#include "balancer/core/planner/plan_work.h"
#include "balancer/core/snapshot_copy.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Each has a reason for every host: so many are enough to see what is wrong with the rules. */
enum { BROKEN_MAX = 100 };

/* Whether time may end what keeps a domain off a host, beside what ends by itself: it comes back,
 * or a move that runs makes room. */
static bool passes(const struct ek_cluster *cluster, uint32_t host, enum ek_block block)
{
    const struct ek_snapshot *snapshot = cluster->snapshot;
    bool room = block == EK_BLOCK_MEMORY || block == EK_BLOCK_VCPUS || block == EK_BLOCK_RESOURCE ||
                block == EK_BLOCK_RULE;

    return (block == EK_BLOCK_HOST_STATE && snapshot->hosts[host].state == EK_HOST_STALE) ||
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
static const char *hosts_reason(struct ek_plan_work *work, uint32_t domain)
{
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
        }
        const char *text = ek_arena_printf(scratch, "%s: %s", cluster->snapshot->hosts[h].name,
                                           why == NULL ? "" : why);
        if (why == NULL || text == NULL) {
            return NULL;
        }
        texts[count++] = text;
    }
    if (texts == NULL) {
        return NULL;
    }
    return count == 0 ? "there is no other host" : join(texts, count, &work->out->arena);
}

bool ek_plan_stuck_for_now(const struct ek_plan_work *work, uint32_t domain)
{
    const struct ek_cluster *cluster = &work->cluster;
    const struct ek_cooldown *cooldown = work->request->cooldown;
    bool for_now = false;

    /* One host that may take it later is enough to wait for. */
    for (uint32_t h = 0; !for_now && h < cluster->snapshot->host_count; h++) {
        enum ek_block block = ek_constraint_beyond(cluster, cooldown, domain, h,
                                                   EK_PURPOSE_EVACUATE_FORCED, EK_PLAN_PASSING);
        for_now = block == EK_BLOCK_NONE ? idle_reason(work, domain, h) == NULL
                                         : passes(cluster, h, block);
    }
    return for_now;
}

const char *ek_plan_stuck_reason(struct ek_plan_work *work, uint32_t domain, bool *for_now)
{
    const struct ek_cluster *cluster = &work->cluster;
    const struct ek_cooldown *cooldown = work->request->cooldown;
    bool stops = cluster->snapshot->hosts[cluster->host_of[domain]].maintenance &&
                 ek_plan_goes_nowhere(work, domain);
    enum ek_block block =
        stops ? ek_constraint_stop(cluster, cooldown, domain)
              : ek_constraint_domain(cluster, cooldown, domain, EK_PURPOSE_EVACUATE);
    bool passing = (EK_PLAN_PASSING >> block & 1U) != 0;

    *for_now = work->place[domain] != EK_NONE || ek_plan_stuck_for_now(work, domain);
    /* Of who has nowhere to go, what holds him for a while is not the reason. */
    if (block != EK_BLOCK_NONE && (*for_now || !passing)) {
        /* These reasons name no destination, so that any host's index will do. */
        return ek_constraint_explain(cluster, cooldown, domain, 0, block, &work->out->arena);
    }
    return hosts_reason(work, domain);
}

/* ---- domains on hosts in maintenance --------------------------------------------------------- */

/* The other half of a domain that two hosts report: it keeps its host from being empty. */
static void list_copies(struct ek_plan_work *work)
{
    struct ek_plan *out = work->out;

    for (size_t c = 0; c < out->snapshot->copy_count; c++) {
        const struct ek_copy *copy = &out->snapshot->copies[c];
        if (out->snapshot->hosts[copy->host].maintenance && !ek_plan_holds(work, copy->host)) {
            out->unresolved[out->unresolved_count++] =
                (struct ek_unresolved){.domain = copy->domain,
                                       .host = copy->host,
                                       .rule = EK_NONE,
                                       .for_now = true,
                                       .has_place = true,
                                       .reason = "two hosts report it as theirs"};
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
    const char *why = ek_plan_stuck_reason(work, domain, &for_now);
    const char *reason =
        why == NULL ? NULL
                    : ek_arena_printf(&out->arena, "must rule %s: %s",
                                      ek_rule_set_rule(&work->cluster.rules, rule)->name, why);

    if (reason == NULL) {
        return ek_plan_nomem(err);
    }
    assert(out->unresolved_count < out->snapshot->domain_count + out->snapshot->copy_count);
    out->unresolved[out->unresolved_count++] =
        (struct ek_unresolved){.domain = domain,
                               .host = work->cluster.host_of[domain],
                               .rule = rule,
                               .for_now = for_now,
                               .reason = reason};
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
    for (size_t i = 0; i < work->out->stop_count; i++) { /* these need no place any more */
        listed[work->out->stops[i].domain] = true;
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

/* Who is in the way on hosts that nothing leaves, as the attempt found them; texts are copied, for
 * the attempt will be gone. */
static bool list_held(struct ek_plan_work *work, struct ek_error *err)
{
    struct ek_plan *out = work->out;

    for (size_t i = 0; work->held != NULL && i < work->held->stuck_count; i++) {
        struct ek_unresolved *it = &out->unresolved[out->unresolved_count++];
        *it = work->held->stuck[i];
        if (!ek_text_copy(&it->reason, &out->arena) ||
            !ek_text_copy(&it->relaxation.text, &out->arena)) {
            return ek_plan_nomem(err);
        }
    }
    return true;
}

static bool list_others(struct ek_plan_work *work, struct ek_error *err)
{
    struct ek_plan *out = work->out;
    size_t first = out->unresolved_count;

    for (uint32_t d = 0; d < out->snapshot->domain_count; d++) {
        uint32_t host = work->cluster.host_of[d];
        /* What is in flight is leaving already. */
        if (!out->snapshot->hosts[host].maintenance || work->cluster.in_flight[d] ||
            ek_plan_holds(work, host) || ek_plan_can_stop(work, d)) {
            continue;
        }
        struct ek_unresolved it = {.domain = d, .host = host, .rule = EK_NONE};
        it.has_place = work->place[d] != EK_NONE;
        it.reason = ek_plan_stuck_reason(work, d, &it.for_now);
        if (it.reason == NULL) {
            return ek_plan_nomem(err);
        }
        out->unresolved[out->unresolved_count++] = it;
    }
    list_copies(work);
    return ek_plan_relax(work, out->unresolved + first, out->unresolved_count - first, &out->arena,
                         err);
}

static bool is_held_stuck(const struct ek_plan_work *work, uint32_t domain)
{
    bool found = false;

    for (size_t i = 0; !found && i < work->held->stuck_count; i++) {
        found = work->held->stuck[i].domain == domain;
    }
    return found;
}

/* Those that could leave a host that others cannot leave. */
static void list_withheld(struct ek_plan_work *work)
{
    struct ek_plan *out = work->out;
    size_t first = out->unresolved_count;

    for (uint32_t d = 0; work->held != NULL && d < out->snapshot->domain_count; d++) {
        uint32_t host = work->cluster.host_of[d];
        if (ek_plan_holds(work, host) && !work->cluster.in_flight[d] && !is_held_stuck(work, d)) {
            out->unresolved[out->unresolved_count++] =
                (struct ek_unresolved){.domain = d,
                                       .host = host,
                                       .rule = EK_NONE,
                                       .for_now = true,
                                       .withheld = true,
                                       .reason = "not all can leave it"};
        }
    }
    out->withheld_count = out->unresolved_count - first;
}

static bool list_stops(struct ek_plan_work *work, struct ek_error *err)
{
    struct ek_plan *out = work->out;
    size_t count = 0;

    for (uint32_t d = 0; d < out->snapshot->domain_count; d++) {
        count += ek_plan_goes_nowhere(work, d) ? 1 : 0;
    }
    out->stops = ek_arena_alloc(&out->arena, count, sizeof(*out->stops));
    for (uint32_t d = 0; out->stops != NULL && d < out->snapshot->domain_count; d++) {
        uint32_t host = work->cluster.host_of[d];
        if (out->snapshot->hosts[host].maintenance && !ek_plan_holds(work, host) &&
            ek_plan_can_stop(work, d)) {
            bool saves = out->snapshot->domains[d].evacuation == EK_EVACUATE_SAVE;
            out->stops[out->stop_count++] =
                (struct ek_plan_stop){d, host, saves ? EK_MOVE_SAVE : EK_MOVE_SHUTDOWN};
        }
    }
    assert(out->stop_count <= count);
    return out->stops != NULL || ek_plan_nomem(err);
}

bool ek_plan_list_unresolved(struct ek_plan_work *work, struct ek_error *err)
{
    struct ek_plan *out = work->out;

    if (!list_stops(work, err) || !list_held(work, err) || !list_others(work, err)) {
        return false;
    }
    list_withheld(work);
    out->stuck_count = out->unresolved_count;
    if (!list_broken(work, err)) {
        return false;
    }
    assert(out->unresolved_count <= out->snapshot->domain_count + out->snapshot->copy_count);
    return true;
}
