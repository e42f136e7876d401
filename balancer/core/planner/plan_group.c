/* Groups that must stay together move as a whole: one place is chosen for all of them, each step is
 * feasible, and the end splits nothing. */
#include "balancer/core/planner/plan_work.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* A larger group is no group that anybody moves at once. */
enum { GROUP_MAX = 64 };

struct group {
    struct ek_plan_work *work;
    uint32_t members[GROUP_MAX]; /* the largest first */
    size_t count;
    double degree[GROUP_MAX * 2]; /* of their affinity rules before */
    uint32_t rules[GROUP_MAX * 2];
    size_t rule_count;
    uint32_t domain;
    double must_cost; /* before */
    bool mends;
};

static bool binds(const struct ek_plan_work *work, uint32_t rule)
{
    const struct ek_rule *it = ek_rule_set_rule(&work->cluster.rules, rule);

    return it->kind == EK_RULE_AFFINITY && it->enforcement == EK_MUST;
}

static bool knows(const uint32_t *list, size_t count, uint32_t item)
{
    while (count > 0 && list[count - 1] != item) {
        count--;
    }
    return count > 0;
}

/* All that is bound to the domain, directly or by others; false: too many. */
static bool gather(struct group *group)
{
    const struct ek_rule_set *set = &group->work->cluster.rules;

    group->members[group->count++] = group->domain;
    for (size_t m = 0; m < group->count; m++) {
        size_t rules = 0;
        const uint32_t *rule = ek_rule_set_rules_of(set, group->members[m], &rules);
        for (size_t r = 0; r < rules; r++) {
            if (!binds(group->work, rule[r]) || knows(group->rules, group->rule_count, rule[r])) {
                continue;
            }
            size_t count = 0;
            const uint32_t *members = ek_rule_set_members(set, rule[r], &count);
            if (group->rule_count == 2 * (size_t)GROUP_MAX) {
                return false;
            }
            group->degree[group->rule_count] = ek_rule_set_degree(set, rule[r]);
            group->rules[group->rule_count++] = rule[r];
            for (size_t i = 0; i < count; i++) {
                bool known = knows(group->members, group->count, members[i]);
                if (!known && group->count == GROUP_MAX) {
                    return false;
                }
                if (!known) {
                    group->members[group->count++] = members[i];
                }
            }
        }
    }
    return true;
}

static void sort(struct group *group)
{
    const struct ek_domain *domains = group->work->out->snapshot->domains;

    for (size_t i = 1; i < group->count; i++) {
        uint32_t member = group->members[i];
        size_t at = i;
        for (; at > 0; at--) {
            uint32_t other = group->members[at - 1];
            bool before =
                domains[member].memory_mib > domains[other].memory_mib ||
                (!(domains[member].memory_mib < domains[other].memory_mib) && member < other);
            if (!before) {
                break;
            }
            group->members[at] = other;
        }
        group->members[at] = member;
    }
}

/* Whether all rules of the member would call the host one group with the anchor. */
static bool near(const struct group *group, uint32_t member, uint32_t host, uint32_t anchor)
{
    const struct ek_rule_set *set = &group->work->cluster.rules;
    size_t count = 0;
    const uint32_t *rules = ek_rule_set_rules_of(set, member, &count);

    for (size_t i = 0; i < count; i++) {
        if (binds(group->work, rules[i]) &&
            ek_rule_set_group(set, rules[i], host) != ek_rule_set_group(set, rules[i], anchor)) {
            return false;
        }
    }
    return true;
}

/* A member that may stay where it is does. One that breaks another rule there may not. */
static bool stays(const struct group *group, uint32_t member, uint32_t anchor)
{
    const struct ek_plan_work *work = group->work;
    uint32_t host = work->cluster.host_of[member];
    const struct ek_host *it = &work->out->snapshot->hosts[host];
    size_t count = 0;
    const uint32_t *rules = ek_rule_set_rules_of(&work->cluster.rules, member, &count);
    bool offends = false;

    for (size_t i = 0; group->mends && i < count; i++) {
        const struct ek_rule *rule = ek_rule_set_rule(&work->cluster.rules, rules[i]);
        offends = offends || ((rule->kind == EK_RULE_PIN || rule->kind == EK_RULE_AVOID) &&
                              rule->enforcement == EK_MUST &&
                              ek_rule_set_offends(&work->cluster.rules, rules[i], member));
    }
    return !offends && !it->maintenance && near(group, member, host, anchor);
}

/* Bound by single hosts, a member can be nowhere but at the anchor itself. */
static bool single(const struct group *group, uint32_t member)
{
    const struct ek_rule_set *set = &group->work->cluster.rules;
    size_t count = 0;
    const uint32_t *rules = ek_rule_set_rules_of(set, member, &count);
    bool alone = false;

    for (size_t i = 0; i < count; i++) {
        const char *topology = ek_rule_set_rule(set, rules[i])->topology;
        alone = alone || (binds(group->work, rules[i]) &&
                          (topology == NULL || strcmp(topology, "host") == 0));
    }
    return alone;
}

static bool place(const struct group *group, uint32_t member, uint32_t anchor,
                  enum ek_purpose purpose)
{
    struct ek_plan_work *work = group->work;
    struct ek_candidate best = {.domain = EK_NONE};

    if (!ek_plan_may_go(work, member) || work->trail.count == EK_PLAN_TRAIL) {
        return false;
    }
    bool alone = single(group, member);
    uint32_t end = alone ? anchor + 1 : (uint32_t)work->out->snapshot->host_count;
    /* Only counted: cheapest() asks whether there is enough for one more place. */
    (void)ek_plan_spend(&work->group_looks, alone ? 1 : end);
    for (uint32_t h = alone ? anchor : 0; h < end; h++) {
        if (near(group, member, h, anchor) &&
            ek_constraint_step(&work->cluster, work->request->cooldown, member, h, purpose) ==
                EK_BLOCK_NONE) {
            struct ek_candidate candidate = ek_candidate_rate(&work->search, member, h);
            best = ek_candidate_better(&work->search, &candidate, &best) ? candidate : best;
        }
    }
    if (best.domain == EK_NONE) {
        return false;
    }
    ek_plan_push(work, member, best.destination);
    return true;
}

/* Steps keep all rules but affinity, whose end is judged here. */
static bool good(const struct group *group)
{
    const struct ek_plan_work *work = group->work;
    const struct ek_rule_set *set = &work->cluster.rules;

    for (size_t r = 0; r < group->rule_count; r++) {
        if (ek_rule_set_degree(set, group->rules[r]) > group->degree[r] + 1e-9) {
            return false;
        }
    }
    return work->trail.count > 0 &&
           (group->mends
                ? ek_rule_set_must_cost(set) < group->must_cost - 1e-9
                : !work->out->snapshot->hosts[work->cluster.host_of[group->domain]].maintenance);
}

static bool gather_at(const struct group *group, uint32_t anchor, enum ek_purpose purpose)
{
    const struct ek_plan_work *work = group->work;
    const struct ek_host *host = &work->out->snapshot->hosts[anchor];
    bool ok = host->state == EK_HOST_UP && !host->maintenance;

    for (size_t m = 0; ok && m < group->count; m++) {
        ok = stays(group, group->members[m], anchor) ||
             place(group, group->members[m], anchor, purpose);
    }
    ok = ok && good(group);
    if (!ok) {
        ek_plan_pop(group->work, 0);
    }
    return ok;
}

/* The host around which the group is gathered at the least price; EK_NONE: nowhere. `seen` has the
 * groups of hosts that were looked at. */
static uint32_t cheapest(const struct group *group, enum ek_purpose purpose, bool *seen)
{
    struct ek_plan_work *work = group->work;
    uint32_t best = EK_NONE;
    double price = INFINITY;

    for (uint32_t h = 0; h < work->out->snapshot->host_count; h++) {
        if (!ek_plan_spend(&work->group_looks, group->count)) {
            break;
        }
        /* With one rule all hosts of a group are the same anchor. */
        uint32_t id = group->rule_count == 1
                          ? ek_rule_set_group(&work->cluster.rules, group->rules[0], h)
                          : h;
        bool usable = work->cluster.hosts[h].counted && !seen[id];
        if (!usable) {
            continue;
        }
        seen[id] = true;
        if (gather_at(group, h, purpose)) {
            double found = ek_plan_trail_price(work);
            if (found < price - 1e-12) {
                price = found;
                best = h;
            }
            ek_plan_pop(work, 0);
        }
    }
    return best;
}

bool ek_plan_group(struct ek_plan_work *work, uint32_t domain, bool mends, bool *ok,
                   struct ek_error *err)
{
    static const enum ek_purpose purposes[] = {EK_PURPOSE_EVACUATE, EK_PURPOSE_EVACUATE_FORCED};
    struct group group = {.work = work,
                          .domain = domain,
                          .mends = mends,
                          .must_cost = ek_rule_set_must_cost(&work->cluster.rules)};
    uint32_t anchor = EK_NONE;

    assert(work->trail.count == 0);
    if (!gather(&group)) {
        return false;
    }
    sort(&group);
    for (int p = 0; *ok && anchor == EK_NONE && p < 2; p++) {
        struct ek_arena scratch = {.newest = NULL};
        bool *seen = ek_arena_alloc(&scratch, work->out->snapshot->host_count, sizeof(bool));
        *ok = seen != NULL || ek_plan_nomem(err);
        anchor = seen == NULL ? EK_NONE : cheapest(&group, purposes[p], seen);
        ek_arena_finish(&scratch);
        if (anchor != EK_NONE) {
            bool found = gather_at(&group, anchor, purposes[p]);
            assert(found);
            (void)found;
            work->trail.together = true;
        }
    }
    return anchor != EK_NONE;
}
