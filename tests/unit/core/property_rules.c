/* Repair and evacuation against a search through all sequences of moves, on tiny clusters. */
#include "balancer/core/schedule/schedule.h"
#include "policies/policy_ops.h"
#include "tests/lib/cmocka.h"
#include "tests/lib/random.h"
#include "tests/lib/referee_rules.h"

#include <string.h>

enum { CLUSTERS = 1500, MAX_HOSTS = 4, MAX_DOMAINS = 8, DEPTH = 3 };

/* What cannot be said to be done yet: domains in maintenance that could go, and broken rules. */
struct rest {
    uint32_t left;
    uint32_t broken;
};

struct trial {
    struct ek_snapshot snapshot;
    struct ek_policy policy;
    struct ek_rules rules;
    struct ek_referee_rules *referee;
    uint32_t home[MAX_DOMAINS];
    uint32_t place[MAX_DOMAINS];
    struct rest best;
};

static bool open_host(const struct trial *trial, uint32_t host)
{
    const struct ek_host *it = &trial->snapshot.hosts[host];

    return it->state == EK_HOST_UP && !it->maintenance &&
           !ek_referee_host_ignored(&trial->snapshot, &trial->policy, host);
}

static bool may_move(const struct trial *trial, uint32_t domain)
{
    const struct ek_host *home = &trial->snapshot.hosts[trial->home[domain]];

    return trial->snapshot.domains[domain].movable && home->state == EK_HOST_UP &&
           (home->maintenance || open_host(trial, trial->home[domain])) &&
           !ek_referee_rules_ignored(trial->referee, domain);
}

static bool has_room(const struct trial *trial, uint32_t domain, uint32_t host)
{
    const struct ek_host *it = &trial->snapshot.hosts[host];
    double memory = trial->snapshot.domains[domain].memory_mib;
    double vcpus = trial->snapshot.domains[domain].vcpus;

    for (size_t d = 0; d < trial->snapshot.domain_count; d++) {
        memory += trial->place[d] == host ? trial->snapshot.domains[d].memory_mib : 0;
        vcpus += trial->place[d] == host ? trial->snapshot.domains[d].vcpus : 0;
    }
    return memory <= it->memory_mib * (1 - trial->policy.memory_reserve) &&
           vcpus <= it->cpu_cores * trial->policy.cpu_overcommit;
}

static struct rest rest_of(const struct trial *trial, const uint32_t *place)
{
    struct rest rest = {.broken = ek_referee_rules_broken(trial->referee, place)};

    for (uint32_t d = 0; d < trial->snapshot.domain_count; d++) {
        rest.left += trial->snapshot.hosts[place[d]].maintenance ? 1 : 0;
    }
    return rest;
}

static bool less(struct rest a, struct rest b)
{
    return a.left != b.left ? a.left < b.left : a.broken < b.broken;
}

/* Every sequence of feasible moves whose end makes no rule worse. */
static void search(struct trial *trial, int depth)
{
    struct rest rest = rest_of(trial, trial->place);

    if (less(rest, trial->best) &&
        ek_referee_rules_kept(trial->referee, trial->home, trial->place)) {
        trial->best = rest;
    }
    for (uint32_t d = 0; depth > 0 && d < trial->snapshot.domain_count; d++) {
        uint32_t from = trial->place[d];
        for (uint32_t h = 0; may_move(trial, d) && h < trial->snapshot.host_count; h++) {
            if (h != from && open_host(trial, h) && has_room(trial, d, h) &&
                ek_referee_rules_allow_step(trial->referee, trial->place, d, h)) {
                trial->place[d] = h;
                search(trial, depth - 1);
                trial->place[d] = from;
            }
        }
    }
}

/* Small, tight, without networks: only room and rules decide. */
static void begin(struct trial *trial, uint64_t seed)
{
    struct ek_random random = {seed};

    memset(trial, 0, sizeof(*trial));
    ek_policy_defaults(&trial->policy);
    ek_policy_set_aggressiveness(&trial->policy, 1);
    ek_random_cluster(&trial->snapshot, &random, MAX_HOSTS);
    if (trial->snapshot.domain_count > MAX_DOMAINS) {
        trial->snapshot.domain_count = MAX_DOMAINS;
    }
    trial->snapshot.in_flight_count = 0;
    /* What can be done at most is compared: hosts that keep all for one's sake have tests of their
     * own. */
    for (size_t h = 0; h < trial->snapshot.host_count; h++) {
        trial->snapshot.hosts[h].partial = true;
    }
    for (size_t d = 0; d < trial->snapshot.domain_count; d++) {
        trial->snapshot.domains[d].networks.given = false;
        trial->snapshot.domains[d].networks.count = 0;
        trial->home[d] = trial->snapshot.domains[d].host;
    }
    ek_random_rules(&trial->rules, &random, &trial->snapshot);
    trial->policy.rules = &trial->rules;
    trial->referee = ek_referee_rules_make(&trial->snapshot, &trial->policy);
    memcpy(trial->place, trial->home, sizeof(trial->home));
    trial->best = rest_of(trial, trial->home);
}

static void finish(struct trial *trial)
{
    ek_referee_rules_destroy(trial->referee);
    ek_rules_finish(&trial->rules);
    ek_snapshot_finish(&trial->snapshot);
}

static struct rest planned(struct trial *trial)
{
    struct ek_evaluation evaluation;
    struct ek_plan plan;
    struct ek_error err = {0};
    uint32_t place[MAX_DOMAINS];
    const struct ek_plan_request request = {
        .evaluation = &evaluation, .trials = 2000, .balance = ek_policy_find(trial->policy.kind)};

    assert_true(ek_snapshot_check(&trial->snapshot, &err));
    assert_true(ek_evaluate(&evaluation, &trial->snapshot, &trial->policy, &err));
    assert_true(ek_plan_make(&plan, &request, &err));
    memcpy(place, trial->home, sizeof(place));
    for (size_t i = 0; i < plan.move_count; i++) {
        place[plan.moves[i].domain] = plan.moves[i].destination;
    }
    ek_plan_finish(&plan);
    ek_evaluation_finish(&evaluation);
    return rest_of(trial, place);
}

/* Whatever a few moves in some order can empty or mend, the plan empties and mends. */
static void plans_find_what_can_be_done(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= CLUSTERS; seed++) {
        struct trial trial;
        begin(&trial, seed);
        struct rest found = planned(&trial);
        if (found.left > 0 || found.broken > 0) {
            search(&trial, DEPTH);
            if (less(trial.best, found)) {
                fail_msg("seed %llu: %u left and %u broken could be %u and %u",
                         (unsigned long long)seed, found.left, found.broken, trial.best.left,
                         trial.best.broken);
            }
        }
        finish(&trial);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(plans_find_what_can_be_done)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
