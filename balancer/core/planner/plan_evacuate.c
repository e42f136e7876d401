/* The evacuation of a plan: what has begun first, then the largest domains, each to its best host;
 * groups that must stay together as a whole; last, others are moved out of the way. See
 * policies/drain.md. */
#include "balancer/core/planner/plan_work.h"

#include <assert.h>
#include <stdlib.h>

/* Rules may let a domain go only after another one has gone; a round more for each such step. */
enum { ROUNDS = 4 };

struct leaver {
    double memory_mib;
    uint32_t domain;
    bool begun; /* the evacuation of its host */
};

/* What has begun was promised its room; then, what is hardest to place finds the most. */
static int leaver_cmp(const void *left, const void *right)
{
    const struct leaver *a = left;
    const struct leaver *b = right;

    if (a->begun != b->begun) {
        return a->begun ? -1 : 1;
    }
    if (a->memory_mib > b->memory_mib || a->memory_mib < b->memory_mib) {
        return a->memory_mib > b->memory_mib ? -1 : 1;
    }
    return (a->domain > b->domain) - (a->domain < b->domain);
}

static bool leaves(const struct ek_plan_work *work, uint32_t domain)
{
    return work->out->snapshot->hosts[work->cluster.host_of[domain]].maintenance &&
           ek_plan_may_go(work, domain);
}

/* By host, so that a plan without maintenance does not look at the domains at all. */
static size_t gather(const struct ek_plan_work *work, struct leaver *list)
{
    const struct ek_snapshot *snapshot = work->out->snapshot;
    size_t count = 0;

    for (uint32_t h = 0; h < snapshot->host_count; h++) {
        uint32_t d = snapshot->hosts[h].maintenance ? work->search.first[h] : EK_NONE;
        for (; d != EK_NONE; d = work->search.next[d]) {
            if (leaves(work, d)) {
                list[count++] =
                    (struct leaver){snapshot->domains[d].memory_mib, d, snapshot->hosts[h].begun};
            }
        }
    }
    if (count > 0) {
        qsort(list, count, sizeof(*list), leaver_cmp);
    }
    return count;
}

static bool has_group(const struct ek_plan_work *work, uint32_t domain)
{
    size_t count = 0;
    const uint32_t *rules = ek_rule_set_rules_of(&work->cluster.rules, domain, &count);

    for (size_t i = 0; i < count; i++) {
        const struct ek_rule *rule = ek_rule_set_rule(&work->cluster.rules, rules[i]);
        if (rule->kind == EK_RULE_AFFINITY && rule->enforcement == EK_MUST) {
            return true;
        }
    }
    return false;
}

/* On its own, else with its group. */
static bool place(struct ek_plan_work *work, uint32_t domain, bool *placed, struct ek_error *err)
{
    const struct ek_plan_errand errand = {EK_MOVE_EVACUATE, domain, EK_NONE};
    struct ek_candidate candidate = ek_drain_place(&work->search, domain);
    bool ok = true;

    *placed = candidate.domain != EK_NONE;
    if (*placed) {
        ek_plan_push(work, domain, candidate.destination);
    } else if (has_group(work, domain)) {
        *placed = ek_plan_group(work, domain, false, &ok, err);
    }
    return ok && (!*placed || ek_plan_commit(work, &errand, err));
}

static bool place_all(struct ek_plan_work *work, const struct leaver *list, size_t count,
                      struct ek_error *err)
{
    bool progress = true;

    for (int round = 0; progress && round < ROUNDS; round++) {
        progress = false;
        for (size_t i = 0; i < count; i++) {
            bool placed = false;
            if (leaves(work, list[i].domain) && !place(work, list[i].domain, &placed, err)) {
                return false;
            }
            progress = progress || placed;
        }
        /* Without rules room only shrinks: what found none finds none. */
        progress = progress && work->cluster.rules.rule_count > 0;
    }
    return true;
}

static bool make_way(struct ek_plan_work *work, const struct leaver *list, size_t count,
                     struct ek_error *err)
{
    for (size_t i = 0; i < count; i++) {
        const struct ek_plan_errand errand = {EK_MOVE_EVACUATE, list[i].domain, EK_NONE};
        if (leaves(work, list[i].domain) && ek_plan_chain(work, list[i].domain, false) &&
            !ek_plan_commit(work, &errand, err)) {
            return false;
        }
    }
    return true;
}

/* Without a limit of moves: half an evacuation is none. */
bool ek_plan_evacuate(struct ek_plan_work *work, struct ek_error *err)
{
    size_t domains = work->out->snapshot->domain_count;
    struct leaver *list = ek_arena_alloc(&work->cluster.arena, domains, sizeof(*list));

    if (list == NULL) {
        return ek_plan_nomem(err);
    }
    size_t count = gather(work, list);
    assert(count <= domains);
    return place_all(work, list, count, err) && make_way(work, list, count, err);
}
