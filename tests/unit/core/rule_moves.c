/* Property: a rule set that has followed moves is the one made anew from where they led. */
#include "balancer/core/rules/rule_set.h"
#include "tests/lib/cmocka.h"
#include "tests/lib/random.h"

#include <math.h>

enum { CLUSTERS = 400, MOVES = 40, MAX_HOSTS = 9 };

struct trial {
    struct ek_snapshot snapshot;
    struct ek_rules rules;
    struct ek_rule_set set;
};

static void begin(struct trial *trial, struct ek_random *random)
{
    struct ek_error err;

    ek_random_cluster(&trial->snapshot, random, MAX_HOSTS);
    ek_random_rules(&trial->rules, random, &trial->snapshot);
    trial->snapshot.in_flight_count = 0;
    assert_true(ek_rule_set_init(&trial->set, &trial->rules, &trial->snapshot, &err));
}

static void finish(struct trial *trial)
{
    ek_rule_set_finish(&trial->set);
    ek_rules_finish(&trial->rules);
    ek_snapshot_finish(&trial->snapshot);
}

/* Both sets answer every question about the pair alike. */
static void assert_alike(const struct ek_rule_set *a, const struct ek_rule_set *b, uint32_t domain,
                         uint32_t host)
{
    assert_int_equal(ek_rule_set_broken(a), ek_rule_set_broken(b));
    assert_true(fabs(ek_rule_set_should_cost(a) - ek_rule_set_should_cost(b)) < 1e-9);
    assert_true(fabs(ek_rule_set_must_cost(a) - ek_rule_set_must_cost(b)) < 1e-9);
    assert_int_equal(ek_rule_set_block(a, domain, host), ek_rule_set_block(b, domain, host));
    assert_int_equal(ek_rule_set_transit_block(a, domain, host),
                     ek_rule_set_transit_block(b, domain, host));
    assert_true(ek_rule_set_should_delta(a, domain, host) ==
                ek_rule_set_should_delta(b, domain, host));
}

/* Nothing is lost and nothing left over, however often domains move and pass. */
static void following_is_making_anew(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= CLUSTERS; seed++) {
        struct ek_random random = {seed};
        struct trial trial;
        begin(&trial, &random);
        uint32_t domains = (uint32_t)trial.snapshot.domain_count;
        uint32_t hosts = (uint32_t)trial.snapshot.host_count;
        for (int i = 0; domains > 0 && i < MOVES; i++) {
            struct ek_rule_set anew;
            struct ek_error err;
            uint32_t domain = ek_random_below(&random, domains);
            uint32_t host = ek_random_below(&random, hosts);
            ek_rule_set_occupy(&trial.set, domain, host);
            ek_rule_set_move(&trial.set, domain, host);
            ek_rule_set_vacate(&trial.set, domain, host);
            trial.snapshot.domains[domain].host = host;
            assert_true(ek_rule_set_init(&anew, &trial.rules, &trial.snapshot, &err));
            assert_alike(&trial.set, &anew, ek_random_below(&random, domains),
                         ek_random_below(&random, hosts));
            ek_rule_set_finish(&anew);
        }
        finish(&trial);
    }
}

/* The change that a move is said to make is the one that it makes; a move that is not blocked
 * breaks no must rule. */
static void moves_do_what_was_said(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= CLUSTERS; seed++) {
        struct ek_random random = {seed};
        struct trial trial;
        begin(&trial, &random);
        uint32_t domains = (uint32_t)trial.snapshot.domain_count;
        for (int i = 0; domains > 0 && i < MOVES; i++) {
            uint32_t domain = ek_random_below(&random, domains);
            uint32_t host = ek_random_below(&random, (uint32_t)trial.snapshot.host_count);
            size_t broken = ek_rule_set_broken(&trial.set);
            bool blocked = ek_rule_set_block(&trial.set, domain, host) != EK_NONE;
            double should = ek_rule_set_should_cost(&trial.set) +
                            ek_rule_set_should_delta(&trial.set, domain, host);
            double must = ek_rule_set_must_cost(&trial.set) +
                          ek_rule_set_must_delta(&trial.set, domain, host);
            ek_rule_set_move(&trial.set, domain, host);
            assert_true(fabs(ek_rule_set_should_cost(&trial.set) - should) < 1e-9);
            assert_true(fabs(ek_rule_set_must_cost(&trial.set) - must) < 1e-9);
            assert_true(blocked || ek_rule_set_broken(&trial.set) <= broken);
        }
        finish(&trial);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(following_is_making_anew),
                                       cmocka_unit_test(moves_do_what_was_said)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
