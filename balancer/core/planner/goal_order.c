/* Whether the moves of a goal can be made one after the other. */
#include "balancer/core/planner/goal.h"

#include <assert.h>
#include <string.h>

/* As in constraint.c: sums of doubles do not refuse what exactly fits. */
#define SLACK 1e-3
#define TARGET_SLACK 1e-9

/* Beginnings of orders that are looked at: most goals have an order at once, and few need more. */
enum { MOST_STEPS = 300 };

/* The search for an order goes through sets of moves that are made already. */
struct ordering {
    struct ek_goal *goal;
    uint64_t dead[(1U << EK_GOAL_ORDERED) / 64]; /* one bit for each set that leads nowhere */
    uint32_t made;                               /* one bit for each move */
    uint32_t order[EK_GOAL_ORDERED];
    int steps;
};

static bool fits(const struct ek_goal *goal, const struct ek_goal_domain *domain)
{
    const struct ek_goal_host *to = &goal->scratch[domain->host];
    bool ok = domain->memory_mib <= to->memory_mib + SLACK && domain->vcpus <= to->vcpus + SLACK;

    for (unsigned int r = 0; r < goal->resources; r++) {
        ok = ok && to->use[r] + domain->demand[r] * to->share[r] <= goal->most[r] + TARGET_SLACK;
    }
    return ok;
}

/* Sign 1: there; -1: and back again. */
static void carry(struct ek_goal *goal, const struct ek_goal_domain *domain, int sign)
{
    struct ek_goal_host *from = &goal->scratch[domain->home];
    struct ek_goal_host *to = &goal->scratch[domain->host];

    for (unsigned int r = 0; r < goal->resources; r++) {
        from->use[r] -= sign * domain->demand[r] * from->share[r];
        to->use[r] += sign * domain->demand[r] * to->share[r];
    }
    from->memory_mib += sign * domain->memory_mib;
    to->memory_mib -= sign * domain->memory_mib;
    from->vcpus += sign * domain->vcpus;
    to->vcpus -= sign * domain->vcpus;
}

/* Makes the rest of the moves, in whatever order; false: there is none, or none was found. */
static bool make_rest(struct ordering *it, uint32_t count)
{
    struct ek_goal *goal = it->goal;

    if (count == goal->moved_count) {
        return true;
    }
    for (uint32_t i = 0; i < goal->moved_count; i++) {
        const struct ek_goal_domain *domain = &goal->domains[goal->moved[i]];
        uint32_t made = it->made | 1U << i;
        if (made == it->made || (it->dead[made / 64] >> made % 64 & 1) != 0 ||
            !fits(goal, domain)) {
            continue;
        }
        if (++it->steps > MOST_STEPS) {
            return false;
        }
        carry(goal, domain, 1);
        it->made = made;
        it->order[count] = goal->moved[i];
        if (make_rest(it, count + 1)) {
            return true;
        }
        it->dead[made / 64] |= (uint64_t)1 << made % 64;
        it->made &= ~(1U << i);
        carry(goal, domain, -1);
    }
    return false;
}

bool ek_goal_orderable(struct ek_goal *goal, uint32_t *order)
{
    struct ordering it = {.goal = goal};
    size_t hosts = goal->search->cluster->snapshot->host_count;

    assert(goal->moved_count <= EK_GOAL_ORDERED);
    memcpy(goal->scratch, goal->start, hosts * sizeof(*goal->scratch));
    if (!make_rest(&it, 0)) {
        return false;
    }
    if (order != NULL) {
        memcpy(order, it.order, goal->moved_count * sizeof(*order));
    }
    return true;
}
