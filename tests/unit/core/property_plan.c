/* Plans for random clusters before a referee that shares no code with the planner. */
#include "balancer/core/schedule/pace_choice.h"
#include "policies/policy_ops.h"
#include "tests/lib/cmocka.h"
#include "tests/lib/random.h"
#include "tests/lib/referee.h"

enum { CLUSTERS = 900, MAX_HOSTS = 12, MAX_PLANS = 8 };

/* The search is cut short: what must hold does so however long it looks. */
enum { TRIALS = 2000 };

/* Policies that differ in what binds: limits, eagerness, price. */
static struct ek_policy policy_make(struct ek_random *random)
{
    struct ek_policy policy;

    ek_policy_defaults(&policy);
    ek_policy_set_aggressiveness(&policy, 1 + (int)ek_random_below(random, 5));
    policy.limit_cluster = 1 + (int)ek_random_below(random, 6);
    policy.limit_host_in = 1 + (int)ek_random_below(random, 2);
    policy.limit_host_out = 1 + (int)ek_random_below(random, 2);
    policy.cpu_overcommit = 1 + ek_random_below(random, 3);
    return policy;
}

/* One cluster with all that is made from it. */
struct trial {
    struct ek_snapshot snapshot;
    struct ek_policy policy;
    struct ek_rules rules;
    struct ek_evaluation evaluation;
    struct ek_plan plan;
    struct ek_schedule schedule;
};

static void begin(struct trial *trial, uint64_t seed)
{
    struct ek_random random = {seed};
    struct ek_error err = {0};

    trial->policy = policy_make(&random);
    ek_random_cluster(&trial->snapshot, &random, MAX_HOSTS);
    ek_random_resources(&trial->policy, &random, &trial->snapshot);
    assert_true(ek_snapshot_check(&trial->snapshot, &err));
    assert_true(ek_snapshot_sort(&trial->snapshot, &err));
}

static void add_rules(struct trial *trial, uint64_t seed)
{
    struct ek_random random = {seed};

    ek_random_rules(&trial->rules, &random, &trial->snapshot);
    trial->policy.rules = &trial->rules;
}

/* Which bind the schedule alone. */
static void add_bandwidths(struct trial *trial, uint64_t seed)
{
    struct ek_random random = {seed};

    trial->policy.bandwidth_per_host_mib_s = 90 * (double)ek_random_below(&random, 3);
    trial->policy.bandwidth_cluster_mib_s = 150 * (double)ek_random_below(&random, 3);
}

/* Deadlines of hosts in maintenance that are near, far and past, and ceilings of their own. */
static void add_deadlines(struct trial *trial, uint64_t seed)
{
    struct ek_random random = {seed};
    struct ek_policy *policy = &trial->policy;

    policy->urgent = ek_pace_default_ceilings(policy);
    policy->urgent.cluster += (int)ek_random_below(&random, 4);
    policy->urgent.host_out += (int)ek_random_below(&random, 3);
    for (size_t h = 0; h < trial->snapshot.host_count; h++) {
        struct ek_host *host = &trial->snapshot.hosts[h];
        host->maintenance = host->maintenance || ek_random_below(&random, 4) == 0;
        host->migration_mib_s *= 1 + ek_random_below(&random, 4);
        if (host->maintenance && ek_random_below(&random, 3) > 0) {
            host->deadline_ms =
                trial->snapshot.taken_at_ms - 10000 + (int64_t)ek_random_below(&random, 400) * 1000;
        }
    }
}

static void make(struct trial *trial)
{
    struct ek_error err = {0};
    const struct ek_plan_request request = {.evaluation = &trial->evaluation,
                                            .balance = ek_policy_find(trial->policy.kind),
                                            .trials = TRIALS};

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

/* Whatever the cluster, the plan breaks nothing at any instant and never makes it worse. */
static void plans_stand_before_the_referee(void **state)
{
    static struct ek_text complaints;

    (void)state;
    for (uint64_t seed = 1; seed <= CLUSTERS; seed++) {
        struct trial trial;
        begin(&trial, seed);
        make(&trial);
        ek_text_clear(&complaints);
        ek_referee_judge(&trial.plan, &trial.schedule, &trial.policy, &complaints);
        if (complaints.used > 0) {
            fail_msg("seed %llu:\n%s", (unsigned long long)seed, complaints.text);
        }
        finish(&trial);
        ek_snapshot_finish(&trial.snapshot);
    }
}

/* The same with rules of all kinds, which may be broken and contradict each other: no must rule
 * gets worse, at no instant, whatever runs at once. */
static void plans_keep_rules(void **state)
{
    static struct ek_text complaints;

    (void)state;
    for (uint64_t seed = 1; seed <= CLUSTERS; seed++) {
        struct trial trial;
        begin(&trial, seed);
        add_rules(&trial, seed);
        add_bandwidths(&trial, seed);
        make(&trial);
        ek_text_clear(&complaints);
        ek_referee_judge(&trial.plan, &trial.schedule, &trial.policy, &complaints);
        if (complaints.used > 0) {
            fail_msg("seed %llu:\n%s", (unsigned long long)seed, complaints.text);
        }
        finish(&trial);
        ek_rules_finish(&trial.rules);
        ek_snapshot_finish(&trial.snapshot);
    }
}

/* At whatever pace: no limit of it is exceeded on either end of a move, and none of the policy by a
 * move that it does not bind. Each pace is taken by some cluster. */
static void no_pace_exceeds_its_limits(void **state)
{
    static struct ek_text complaints;
    size_t taken[EK_PACE_COUNT] = {0};

    (void)state;
    for (uint64_t seed = 1; seed <= CLUSTERS; seed++) {
        struct ek_pace_choice choice;
        struct ek_error err = {0};
        struct trial trial;
        begin(&trial, seed);
        add_bandwidths(&trial, seed);
        add_deadlines(&trial, seed);
        make(&trial);
        ek_schedule_finish(&trial.schedule);
        assert_true(ek_pace_choose(&choice, &trial.schedule, &trial.plan, &trial.policy,
                                   EK_PACE_LIMITS, &err));
        taken[choice.pace]++;
        ek_text_clear(&complaints);
        ek_referee_judge(&trial.plan, &trial.schedule, &trial.policy, &complaints);
        if (complaints.used > 0) {
            fail_msg("seed %llu:\n%s", (unsigned long long)seed, complaints.text);
        }
        ek_pace_choice_finish(&choice);
        finish(&trial);
        ek_snapshot_finish(&trial.snapshot);
    }
    for (int pace = 0; pace < EK_PACE_COUNT; pace++) {
        assert_true(taken[pace] > 0);
    }
}

/* Every move of the plan is carried out, and the hosts' figures follow. */
static void carry_out(struct trial *trial)
{
    for (size_t i = 0; i < trial->plan.move_count; i++) {
        const struct ek_plan_move *move = &trial->plan.moves[i];
        struct ek_domain *domain = &trial->snapshot.domains[move->domain];
        ek_use_shift(&trial->snapshot.hosts[move->source], domain, -1);
        ek_use_shift(&trial->snapshot.hosts[move->destination], domain, 1);
        domain->host = move->destination;
    }
}

/* Under a load that stays the same plans come to an end, without any rest between them: nothing
 * moves back and forth. */
static void plans_come_to_an_end(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= CLUSTERS / 4; seed++) {
        struct trial trial;
        size_t moves = 1;
        int plans = 0;
        begin(&trial, seed);
        for (; moves > 0 && plans <= MAX_PLANS; plans++) {
            make(&trial);
            carry_out(&trial);
            moves = trial.plan.move_count;
            finish(&trial);
        }
        if (plans > MAX_PLANS) {
            fail_msg("seed %llu: still moving after %d plans", (unsigned long long)seed, plans);
        }
        ek_snapshot_finish(&trial.snapshot);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plans_stand_before_the_referee), cmocka_unit_test(plans_keep_rules),
        cmocka_unit_test(no_pace_exceeds_its_limits), cmocka_unit_test(plans_come_to_an_end)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
