/* Random worlds with random misfortune: the laws hold in all of them, every record comes to its
 * end, and the same seed tells the same story to the byte. */
#include "story.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORLDS = 200, MOST_FAULTS = 12 };

/* For a longer search: EK_SIM_WORLDS=5000 EK_SIM_SEED=1000. */
static uint64_t number_from(const char *variable, uint64_t otherwise)
{
    const char *text = getenv(variable);

    return text == NULL ? otherwise : strtoull(text, NULL, 10);
}

static uint64_t worlds(void)
{
    return number_from("EK_SIM_WORLDS", WORLDS);
}

static uint64_t first_seed(void)
{
    return number_from("EK_SIM_SEED", 1);
}

static void add_hosts(struct ek_world *it, struct ek_random *random)
{
    struct ek_error err = {0};

    for (int64_t h = ek_random_between(random, 2, 5); h > 0; h--) {
        char name[EK_NAME_SIZE];
        double link = (double)ek_random_between(random, 50, 1100);
        (void)snprintf(name, sizeof(name), "h%lld", (long long)h);
        const struct ek_sim_host_spec spec = {.name = name,
                                              .cpu_cores = (double)ek_random_between(random, 4, 16),
                                              .memory_mib =
                                                  1024 * (double)ek_random_between(random, 24, 64),
                                              .link_in_mib_s = link,
                                              .link_out_mib_s = link,
                                              .base_cpu_cores = 0.2,
                                              .base_memory_mib = 512};
        assert_int_not_equal(ek_world_add_host(it, &spec, &err), EK_NONE);
    }
}

/* Most on the first host, so that there is something to do; some with waves of load. */
static void add_domains(struct ek_world *it, struct ek_random *random)
{
    int64_t hosts = (int64_t)ek_world_cluster(it)->host_count;
    struct ek_error err = {0};

    for (int64_t d = ek_random_between(random, 4, 12); d > 0; d--) {
        char name[EK_NAME_SIZE];
        (void)snprintf(name, sizeof(name), "d%lld", (long long)d);
        const struct ek_sim_step steps[] = {
            {0, 0.1 * (double)ek_random_between(random, 1, 30)},
            {EK_WORLD_HOUR_MS / 2, 0.1 * (double)ek_random_between(random, 1, 30)}};
        const struct ek_sim_domain_spec spec = {
            .name = name,
            .host = ek_random_chance(random, 60)
                        ? 0
                        : (uint32_t)ek_random_between(random, 0, hosts - 1),
            .vcpus = 4,
            .memory_mib = 1024 * (double)ek_random_between(random, 1, 4),
            .cpu_cores = steps[0].cores,
            .steps = steps,
            .step_count = ek_random_chance(random, 30) ? 2 : 0,
            .repeat_ms = EK_WORLD_HOUR_MS,
            .dirty_mib_s = (double)ek_random_between(random, 0, 120)};
        assert_int_not_equal(ek_world_add_domain(it, &spec, &err), EK_NONE);
    }
}

static void add_faults(struct ek_world *it, struct ek_random *random)
{
    int64_t hosts = (int64_t)ek_world_cluster(it)->host_count;
    int64_t domains = (int64_t)ek_world_cluster(it)->domain_count;
    struct ek_error err = {0};

    for (int64_t i = ek_random_between(random, 2, MOST_FAULTS); i > 0; i--) {
        enum ek_world_fault_kind kind =
            (enum ek_world_fault_kind)ek_random_between(random, 0, EK_WORLD_FAULT_KIND_COUNT - 1);
        bool guest = kind == EK_WORLD_GUEST_OFF || kind == EK_WORLD_GUEST_CRASH ||
                     kind == EK_WORLD_GUEST_START;
        const struct ek_world_fault fault = {
            .kind = kind,
            .subject = (uint32_t)ek_random_between(random, 0, (guest ? domains : hosts) - 1),
            .at_ms = ek_random_between(random, EK_WORLD_MINUTE_MS, EK_WORLD_HOUR_MS),
            .lasts_ms = ek_random_between(random, 1,
                                          ek_random_chance(random, 50) ? 20 * EK_WORLD_SECOND_MS
                                                                       : 10 * EK_WORLD_MINUTE_MS)};
        assert_true(ek_world_fault(it, &fault, &err));
    }
}

static void arm_counters(struct ek_world *it, struct ek_random *random)
{
    static const enum ek_failure failures[] = {EK_FAILURE_SAME_PAIR, EK_FAILURE_OTHER_HOST,
                                               EK_FAILURE_DOMAIN, EK_FAILURE_LOST};

    for (unsigned int i = 0; i < EK_SIM_OPERATION_COUNT; i++) {
        if (ek_random_chance(random, 25)) {
            ek_world_hypervisor(it)->faults[i] =
                (struct ek_sim_fault){.after = (unsigned int)ek_random_between(random, 0, 4),
                                      .times = (unsigned int)ek_random_between(random, 1, 4),
                                      .failure = failures[ek_random_between(random, 0, 3)]};
        }
    }
    ek_world_migrations(it)->orphans = ek_random_chance(random, 30) ? 1 : 0;
    if (ek_random_chance(random, 50)) {
        ek_world_crash_at_state(
            it, (enum ek_move_state)ek_random_between(random, EK_MOVE_CLAIMED, EK_MOVE_DONE),
            ek_random_chance(random, 50), ek_random_between(random, 1, 5 * EK_WORLD_MINUTE_MS));
    }
}

static struct ek_world *random_world(uint64_t seed)
{
    struct ek_random random = ek_random_stream(seed, 1);
    struct ek_policy policy = automatic_policy();
    struct ek_world_options options;

    ek_world_options_defaults(&options);
    options.seed = seed;
    policy.limit_host_out = (int)ek_random_between(&random, 1, 2);
    policy.two_step = seed % 2 == 0 ? EK_TWO_STEP_ALWAYS : EK_TWO_STEP_COPIED;
    policy.limit_host_in = (int)ek_random_between(&random, 1, 2);
    policy.cooldown_ms = EK_WORLD_MINUTE_MS * ek_random_between(&random, 1, 30);
    struct ek_world *it = world_with("", &options, &policy);
    add_hosts(it, &random);
    add_domains(it, &random);
    add_faults(it, &random);
    arm_counters(it, &random);
    return it;
}

static void cancel_if_open(void *context, const struct ek_move_record *record)
{
    if (!ek_move_state_terminal(record->state)) {
        (void)ek_sim_driver_cancel(context, record->order.id, EK_ABORT_OPERATOR);
    }
}

/* An hour and a half of it: drained and used again, moved by hand, cancelled, and time for all to
 * end. */
static void live(struct ek_world *it, uint64_t seed)
{
    struct ek_random random = ek_random_stream(seed, 2);
    int64_t last_host = (int64_t)ek_world_cluster(it)->host_count - 1;
    int64_t last_domain = (int64_t)ek_world_cluster(it)->domain_count - 1;

    for (int i = 0; i < 6; i++) {
        pass(it, ek_random_between(&random, 1, 10 * EK_WORLD_MINUTE_MS));
        ek_world_set_maintenance(it, (uint32_t)ek_random_between(&random, 0, last_host),
                                 ek_random_chance(&random, 60));
        (void)ek_world_move_by_hand(it, (uint32_t)ek_random_between(&random, 0, last_domain),
                                    (uint32_t)ek_random_between(&random, 0, last_host));
        if (ek_random_chance(&random, 20)) {
            ek_sim_journal_each(ek_world_journal(it), cancel_if_open, ek_world_driver(it));
        }
    }
    until(it, 90 * EK_WORLD_MINUTE_MS);
    /* What does not converge would be tried for ever: nothing new from here on. */
    struct ek_policy policy = automatic_policy();
    policy.mode = EK_MODE_RECOMMEND;
    ek_world_set_policy(it, &policy);
    until_quiet(it, 2 * EK_WORLD_HOUR_MS);
}

struct blamed {
    const char *uuid;
    bool found;
};

static void blame(void *context, const struct ek_move_record *record)
{
    struct blamed *blamed = context;

    blamed->found =
        blamed->found || (strcmp(record->order.domain, blamed->uuid) == 0 &&
                          (ek_move_state_blocks(record->state) || record->error[0] != '\0'));
}

/* What is left paused is on record for an operator, unless it was his own migration. */
static void assert_nothing_is_left_in_silence(struct ek_world *it, uint64_t seed)
{
    const struct ek_sim_cluster *cluster = ek_world_cluster(it);

    for (size_t d = 0; d < cluster->domain_count; d++) {
        const struct ek_sim_domain *domain = &cluster->domains[d];
        struct blamed blamed = {.uuid = domain->uuid};
        if (domain->running > 0 || domain->fate != EK_SIM_ALIVE || domain->foreign_ms > 0) {
            continue;
        }
        ek_sim_journal_each(ek_world_journal(it), blame, &blamed);
        if (!blamed.found) {
            fail_msg("world %llu: %s was left paused in silence", (unsigned long long)seed,
                     domain->name);
        }
    }
}

static void test_laws_hold_in_random_worlds(void **state)
{
    uint64_t ends[EK_MOVE_STATE_COUNT] = {0};

    (void)state;
    for (uint64_t seed = first_seed(); seed < first_seed() + worlds(); seed++) {
        struct ek_world *it = random_world(seed);
        live(it, seed);
        assert_nothing_is_left_in_silence(it, seed);
        struct ek_world_counters counters = ek_world_counters(it);
        for (int s = 0; s < EK_MOVE_STATE_COUNT; s++) {
            ends[s] += counters.ended[s];
        }
        ek_world_destroy(it);
    }
    for (enum ek_move_state s = EK_MOVE_DONE; s < EK_MOVE_STATE_COUNT; s++) {
        print_message("%s: %llu\n", ek_move_state_name(s), (unsigned long long)ends[s]);
    }
    assert_true(ends[EK_MOVE_DONE] > 200); /* the worlds do move */
    assert_true(ends[EK_MOVE_ROLLED_BACK] > 20);
}

/* Twice the same seed, twice the same trace; another seed, another trace. */
static void test_same_seed_same_trace(void **state)
{
    uint64_t digests[3];

    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        for (int run = 0; run < 3; run++) {
            struct ek_world *it = random_world(run < 2 ? seed : seed + 1000);
            live(it, run < 2 ? seed : seed + 1000);
            digests[run] = ek_world_digest(it);
            ek_world_destroy(it);
        }
        assert_true(digests[0] == digests[1]);
        assert_true(digests[0] != digests[2]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_laws_hold_in_random_worlds),
        cmocka_unit_test(test_same_seed_same_trace),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
