/* The search against looking at every pair of a domain and a destination. */
#include "balancer/core/planner/search.h"
#include "policies/policy_ops.h"
#include "tests/lib/cmocka.h"
#include "tests/lib/random.h"

#include <string.h>

/* Everything that one search needs. */
struct trial {
    struct ek_policy policy;
    struct ek_snapshot snapshot;
    struct ek_rules rules;
    struct ek_cluster cluster;
    struct ek_search search;
    ek_pays *pays;
};

static void begin(struct trial *trial, uint64_t seed, uint32_t max_hosts)
{
    struct ek_random random = {seed};
    struct ek_error err = {0};

    memset(trial, 0, sizeof(*trial));
    ek_policy_defaults(&trial->policy);
    ek_policy_set_aggressiveness(&trial->policy, 2 + (int)ek_random_below(&random, 4));
    ek_random_cluster(&trial->snapshot, &random, max_hosts);
    ek_random_resources(&trial->policy, &random, &trial->snapshot);
    ek_random_rules(&trial->rules, &random, &trial->snapshot);
    trial->policy.rules = &trial->rules;
    trial->pays = ek_policy_find(EK_POLICY_SPREAD)->pays;
    assert_true(ek_snapshot_sort(&trial->snapshot, &err));
    assert_true(ek_cluster_init(&trial->cluster, &trial->snapshot, &trial->policy, &err));
    assert_true(ek_search_init(&trial->search, &trial->cluster, NULL, &err));
}

static void finish(struct trial *trial)
{
    ek_cluster_finish(&trial->cluster);
    ek_rules_finish(&trial->rules);
    ek_snapshot_finish(&trial->snapshot);
}

static bool may_go(const struct trial *trial, uint32_t domain, uint32_t host)
{
    return trial->search.movable[domain] && !trial->search.settled[domain] &&
           trial->cluster.hosts[host].counted &&
           ek_constraint_pair(&trial->cluster, NULL, domain, host, EK_PURPOSE_BALANCE) ==
               EK_BLOCK_NONE;
}

/* The best of all moves to hosts of the list, each rated in full. */
static struct ek_candidate best_of(const struct trial *trial, const uint32_t *hosts, size_t count)
{
    struct ek_candidate best = {.domain = EK_NONE};

    for (uint32_t d = 0; d < trial->snapshot.domain_count; d++) {
        for (size_t i = 0; i < count; i++) {
            if (may_go(trial, d, hosts[i])) {
                struct ek_candidate it = ek_candidate_rate(&trial->search, d, hosts[i]);
                bool better = trial->pays(&it) && ek_candidate_better(&trial->search, &it, &best);
                best = better ? it : best;
            }
        }
    }
    return best;
}

/* Of equal ones either will do; what is equal, sums in another order decide. */
static void assert_as_good(const struct ek_candidate *a, const struct ek_candidate *b)
{
    assert_int_equal(a->domain == EK_NONE, b->domain == EK_NONE);
    if (a->domain != EK_NONE) {
        assert_near(a->overload_fall, b->overload_fall, 3e-9);
        assert_near(a->worth, b->worth, 3e-9);
    }
}

/* In a small cluster the first move is the best of all, whatever the sizes of hosts, further
 * resources that not all of them have, and rules. */
static void the_first_move_is_the_best_of_all(void **state)
{
    uint32_t hosts[64];
    size_t found = 0;

    (void)state;
    for (uint32_t h = 0; h < 64; h++) {
        hosts[h] = h;
    }
    for (uint64_t seed = 1; seed <= 600; seed++) {
        struct trial trial;
        begin(&trial, seed, 12);
        struct ek_candidate best = best_of(&trial, hosts, trial.snapshot.host_count);
        struct ek_candidate first = ek_search_best(&trial.search, trial.pays);
        assert_as_good(&first, &best);
        found += best.domain != EK_NONE;
        finish(&trial);
    }
    assert_in_range(found, 150, 590); /* both answers occur */
}

/* When the search says that nothing pays any more, no move does. */
static void nothing_pays_when_the_search_is_done(void **state)
{
    uint32_t hosts[64];

    (void)state;
    for (uint32_t h = 0; h < 64; h++) {
        hosts[h] = h;
    }
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct trial trial;
        begin(&trial, seed, 12);
        struct ek_candidate next = ek_search_best(&trial.search, trial.pays);
        while (next.domain != EK_NONE) {
            ek_search_move(&trial.search, next.domain, next.destination);
            next = ek_search_best(&trial.search, trial.pays);
        }
        next = best_of(&trial, hosts, trial.snapshot.host_count);
        assert_int_equal(next.domain, EK_NONE);
        finish(&trial);
    }
}

/* In a large cluster it is the best of those to the targets. */
static void the_first_move_is_the_best_to_the_targets(void **state)
{
    size_t large = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct trial trial;
        begin(&trial, seed, 160);
        struct ek_candidate first = ek_search_best(&trial.search, trial.pays);
        struct ek_candidate best = best_of(&trial, trial.search.targets, trial.search.target_count);
        assert_as_good(&first, &best);
        large += trial.search.exact ? 0 : 1;
        finish(&trial);
    }
    assert_in_range(large, 20, 60);
}

/* A candidate that the search names is feasible, is rated as the model stands, and pays. */
static void every_move_is_rated_as_the_model_stands(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct trial trial;
        begin(&trial, seed, 90);
        for (int moves = 0; moves < 40; moves++) {
            struct ek_candidate it = ek_search_best(&trial.search, trial.pays);
            if (it.domain == EK_NONE) {
                break;
            }
            assert_true(may_go(&trial, it.domain, it.destination));
            struct ek_candidate again = ek_candidate_rate(&trial.search, it.domain, it.destination);
            assert_as_good(&it, &again);
            assert_true(trial.pays(&it));
            ek_search_move(&trial.search, it.domain, it.destination);
        }
        finish(&trial);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_move_is_the_best_of_all),
        cmocka_unit_test(nothing_pays_when_the_search_is_done),
        cmocka_unit_test(the_first_move_is_the_best_to_the_targets),
        cmocka_unit_test(every_move_is_rated_as_the_model_stands),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
