/* hotspot and pack on random clusters, with rules of all kinds: the referee for what binds every
 * plan, and the laws of each policy beside it. */
#include "balancer/core/schedule/schedule.h"
#include "policies/policy_ops.h"
#include "tests/lib/cmocka.h"
#include "tests/lib/random.h"
#include "tests/lib/referee.h"

#include <string.h>

enum { CLUSTERS = 700, MAX_HOSTS = 12, MAX_PLANS = 8 };

struct trial {
    struct ek_snapshot snapshot;
    struct ek_policy policy;
    struct ek_rules rules;
    struct ek_evaluation evaluation;
    struct ek_plan plan;
    struct ek_schedule schedule;
};

static void begin(struct trial *trial, uint64_t seed, enum ek_policy_kind kind)
{
    struct ek_random random = {seed};
    struct ek_error err = {0};

    memset(trial, 0, sizeof(*trial));
    ek_policy_defaults(&trial->policy);
    ek_policy_set_aggressiveness(&trial->policy, 2 + (int)ek_random_below(&random, 4));
    trial->policy.kind = kind;
    trial->policy.limit_host_in = 1 + (int)ek_random_below(&random, 2);
    trial->policy.cpu_overcommit = 1 + ek_random_below(&random, 3);
    trial->policy.moves_per_plan = 1 + (int)ek_random_below(&random, 40);
    trial->policy.spare_hosts = (int)ek_random_below(&random, 3);
    ek_random_cluster(&trial->snapshot, &random, MAX_HOSTS);
    assert_true(ek_snapshot_check(&trial->snapshot, &err));
    assert_true(ek_snapshot_sort(&trial->snapshot, &err));
    if (ek_random_below(&random, 2) == 0) {
        ek_random_rules(&trial->rules, &random, &trial->snapshot);
        trial->policy.rules = &trial->rules;
    }
}

static void make(struct trial *trial)
{
    struct ek_error err = {0};
    const struct ek_plan_request request = {.evaluation = &trial->evaluation,
                                            .trials = 2000,
                                            .balance = ek_policy_find(trial->policy.kind)};

    assert_true(ek_evaluate(&trial->evaluation, &trial->snapshot, &trial->policy, &err));
    assert_true(ek_plan_make(&trial->plan, &request, &err));
    assert_true(ek_schedule_make(&trial->schedule, &trial->plan, &trial->policy, &err));
}

static void finish(struct trial *trial)
{
    ek_schedule_finish(&trial->schedule);
    ek_plan_finish(&trial->plan);
    ek_evaluation_finish(&trial->evaluation);
}

static void end(struct trial *trial)
{
    ek_rules_finish(&trial->rules);
    ek_snapshot_finish(&trial->snapshot);
}

static size_t balance_moves(const struct ek_plan *plan)
{
    size_t count = 0;

    for (size_t i = 0; i < plan->move_count; i++) {
        count += plan->moves[i].kind == EK_MOVE_BALANCE ? 1 : 0;
    }
    return count;
}

static void judge(struct trial *trial, uint64_t seed)
{
    static struct ek_text complaints;

    ek_text_clear(&complaints);
    ek_referee_judge(&trial->plan, &trial->schedule, &trial->policy, &complaints);
    if (complaints.used > 0) {
        fail_msg("seed %llu:\n%s", (unsigned long long)seed, complaints.text);
    }
    assert_true(balance_moves(&trial->plan) <= (size_t)trial->policy.moves_per_plan);
}

/* Domains on a host by the plan's end. */
static size_t guests_after(const struct trial *trial, uint32_t host)
{
    size_t count = 0;

    for (uint32_t d = 0; d < trial->snapshot.domain_count; d++) {
        uint32_t place = trial->snapshot.domains[d].host;
        for (size_t i = 0; i < trial->plan.move_count; i++) {
            place = trial->plan.moves[i].domain == d ? trial->plan.moves[i].destination : place;
        }
        count += place == host ? 1 : 0;
    }
    return count;
}

/* Every plan of hotspot stands before the referee, and moves something only where a host was above
 * its target. */
static void hotspot_touches_only_overload(void **state)
{
    size_t moved = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= CLUSTERS; seed++) {
        struct trial trial;
        begin(&trial, seed, EK_POLICY_HOTSPOT);
        make(&trial);
        judge(&trial, seed);
        moved += balance_moves(&trial.plan);
        if (trial.plan.move_count == balance_moves(&trial.plan) &&
            !(trial.plan.before.score.overload > 0)) {
            assert_int_equal(trial.plan.move_count, 0);
        }
        finish(&trial);
        end(&trial);
    }
    assert_true(moved > CLUSTERS / 4); /* else this test would say nothing */
}

/* Every plan of pack stands before the referee. Where nothing was overloaded each host that a
 * balance move leaves is empty at the end, and no empty one is taken into use. */
static void pack_frees_whole_hosts(void **state)
{
    size_t freed = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= CLUSTERS; seed++) {
        struct trial trial;
        begin(&trial, seed, EK_POLICY_PACK);
        /* Random clusters are full: with the usual targets few hosts could be freed. */
        trial.policy.target_max[EK_CPU] = trial.policy.target_max[EK_MEMORY] = 1;
        make(&trial);
        judge(&trial, seed);
        bool calm = !(trial.plan.before.score.overload > 0) &&
                    trial.plan.move_count == balance_moves(&trial.plan);
        for (size_t i = 0; calm && i < trial.plan.move_count; i++) {
            const struct ek_plan_move *move = &trial.plan.moves[i];
            if (guests_after(&trial, move->source) != 0) {
                fail_msg("seed %llu: %s is left half empty", (unsigned long long)seed,
                         trial.snapshot.hosts[move->source].name);
            }
            freed++;
        }
        finish(&trial);
        end(&trial);
    }
    assert_true(freed > CLUSTERS / 30);
}

/* Under a load that stays, plans come to an end without any rest between them. */
static void plans_come_to_an_end(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= CLUSTERS; seed++) {
        struct trial trial;
        size_t moves = 1;
        int plans = 0;
        begin(&trial, seed, seed % 2 == 0 ? EK_POLICY_PACK : EK_POLICY_HOTSPOT);
        trial.policy.moves_per_plan = 40;
        for (; moves > 0 && plans <= MAX_PLANS; plans++) {
            make(&trial);
            moves = trial.plan.move_count;
            for (size_t i = 0; i < moves; i++) {
                const struct ek_plan_move *move = &trial.plan.moves[i];
                struct ek_domain *domain = &trial.snapshot.domains[move->domain];
                ek_use_shift(&trial.snapshot.hosts[move->source], domain, -1);
                ek_use_shift(&trial.snapshot.hosts[move->destination], domain, 1);
                domain->host = move->destination;
            }
            finish(&trial);
        }
        if (plans > MAX_PLANS) {
            fail_msg("seed %llu: still moving after %d plans", (unsigned long long)seed, plans);
        }
        end(&trial);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(hotspot_touches_only_overload),
                                       cmocka_unit_test(pack_frees_whole_hosts),
                                       cmocka_unit_test(plans_come_to_an_end)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
