/* What must not change a plan: making it again, the order of the input, writing the snapshot down
 * and reading it, hosts that take no part, the unit of memory. Over random clusters with rules,
 * moves in flight, stale hosts, maintenance and further resources. */
#include "balancer/codec/codec.h"
#include "balancer/codec/plan.h"
#include "tests/lib/cmocka.h"
#include "tests/lib/planning.h"
#include "tests/lib/random.h"
#include "tests/lib/text.h"

#include <stdlib.h>
#include <string.h>

/* Trials of the search: the laws hold for any number, and sanitizers make them slow. */
enum { TRIALS = 2000 };

enum { CLUSTERS = 300, MAX_HOSTS = 10 };

struct trial {
    struct ek_planning planning;
    struct ek_rules rules;
    struct ek_random random;
};

static void begin(struct trial *trial, uint64_t seed)
{
    memset(trial, 0, sizeof(*trial));
    trial->random.state = seed;
    ek_random_policy(&trial->planning.policy, &trial->random);
    ek_random_cluster(&trial->planning.snapshot, &trial->random, MAX_HOSTS);
    ek_random_resources(&trial->planning.policy, &trial->random, &trial->planning.snapshot);
    ek_random_rules(&trial->rules, &trial->random, &trial->planning.snapshot);
    trial->planning.policy.rules = &trial->rules;
}

static void end(struct trial *trial)
{
    ek_planning_end(&trial->planning);
    ek_rules_finish(&trial->rules);
}

/* The whole plan as its document; the caller frees it. */
static char *document_of(struct ek_planning *planning)
{
    planning->trials = TRIALS;
    ek_planning_run(planning, NULL);
    char *text = ek_codec_write_plan(&planning->plan, &planning->schedule);
    assert_non_null(text);
    return text;
}

/* Moves, times and who is left, without what is said of hosts. */
static char *moves_of(struct ek_planning *planning)
{
    static struct ek_text text;

    planning->trials = TRIALS;
    ek_planning_run(planning, NULL);
    ek_text_clear(&text);
    for (size_t i = 0; i < planning->plan.move_count; i++) {
        const struct ek_plan_move *move = &planning->plan.moves[i];
        ek_text_add(&text, "%s %s -> %s %lld %lld\n", planning->snapshot.domains[move->domain].uuid,
                    planning->snapshot.hosts[move->source].name,
                    planning->snapshot.hosts[move->destination].name,
                    (long long)planning->schedule.slots[i].start_ms,
                    (long long)planning->schedule.slots[i].duration_ms);
    }
    for (size_t i = 0; i < planning->plan.unresolved_count; i++) {
        ek_text_add(&text, "%s\n",
                    planning->snapshot.domains[planning->plan.unresolved[i].domain].uuid);
    }
    char *copy = malloc(text.used + 1);
    assert_non_null(copy);
    memcpy(copy, text.text, text.used + 1);
    return copy;
}

static void compare(uint64_t seed, char *was, char *is)
{
    if (strcmp(was, is) != 0) {
        fail_msg("seed %llu: first\n%s\nthen\n%s", (unsigned long long)seed, was, is);
    }
    free(was);
    free(is);
}

/* The other snapshot of the trial's policy, which is finished here. */
static void compare_other(struct trial *trial, uint64_t seed, struct ek_snapshot *snapshot,
                          char *(*print)(struct ek_planning *))
{
    struct ek_planning other = {.snapshot = *snapshot, .policy = trial->planning.policy};

    char *is = print(&other);
    compare(seed, print(&trial->planning), is);
    ek_planning_end(&other);
}

/* The same request twice: the same bytes. */
static void twice_is_the_same(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= CLUSTERS; seed++) {
        struct trial trial;
        begin(&trial, seed);
        char *first = document_of(&trial.planning);
        compare(seed, first, document_of(&trial.planning));
        end(&trial);
    }
}

/* Hosts, domains and moves in flight in another order: the same bytes. */
static void order_is_nothing(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= CLUSTERS; seed++) {
        struct trial trial;
        struct ek_snapshot permuted;
        begin(&trial, seed);
        ek_random_permute(&permuted, &trial.planning.snapshot, &trial.random);
        compare_other(&trial, seed, &permuted, document_of);
        end(&trial);
    }
}

/* Written down and read again: the same bytes, so that any decision can be replayed. */
static void written_down_is_the_same(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= CLUSTERS; seed++) {
        struct trial trial;
        struct ek_snapshot back;
        struct ek_error err;
        begin(&trial, seed);
        char *text = ek_codec_write_snapshot(&trial.planning.snapshot);
        assert_non_null(text);
        assert_true(ek_codec_read_snapshot(&back, text, strlen(text), "back", &err));
        free(text);
        compare_other(&trial, seed, &back, document_of);
        end(&trial);
    }
}

/* One more host behind all others, down and empty: the same moves. */
static void add_host_down(struct ek_snapshot *out, const struct ek_snapshot *in)
{
    *out = *in;
    memset(&out->arena, 0, sizeof(out->arena));
    out->hosts = ek_arena_alloc(&out->arena, in->host_count + 1, sizeof(*out->hosts));
    assert_non_null(out->hosts);
    memcpy(out->hosts, in->hosts, in->host_count * sizeof(*in->hosts));
    out->hosts[out->host_count++] = (struct ek_host){.name = "z",
                                                     .state = EK_HOST_DOWN,
                                                     .cpu_cores = 64,
                                                     .memory_mib = 1 << 20,
                                                     .cpu_used_cores = NAN,
                                                     .memory_used_mib = NAN,
                                                     .migration_mib_s = 110};
}

/* Where nothing is forced: what is looked at to make room for an evacuation or a rule is counted,
 * and more hosts are given more looks. */
static void force_nothing(struct trial *trial)
{
    for (size_t h = 0; h < trial->planning.snapshot.host_count; h++) {
        trial->planning.snapshot.hosts[h].maintenance = false;
    }
    for (size_t d = 0; d < trial->planning.snapshot.domain_count; d++) {
        trial->planning.snapshot.domains[d].rules.count = 0;
    }
    trial->planning.policy.rules = NULL;
}

static void hosts_that_are_down_change_nothing(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= CLUSTERS; seed++) {
        struct trial trial;
        struct ek_snapshot larger;
        begin(&trial, seed);
        force_nothing(&trial);
        add_host_down(&larger, &trial.planning.snapshot);
        compare_other(&trial, seed, &larger, moves_of);
        end(&trial);
    }
}

/* All memory, and all that is copied, counted in another unit; a power of 2 is exact. */
static void scale(struct ek_snapshot *snapshot, double by)
{
    for (size_t h = 0; h < snapshot->host_count; h++) {
        snapshot->hosts[h].memory_mib *= by;
        snapshot->hosts[h].memory_used_mib *= by;
        snapshot->hosts[h].migration_mib_s *= by;
    }
    for (size_t d = 0; d < snapshot->domain_count; d++) {
        snapshot->domains[d].memory_mib *= by;
        snapshot->domains[d].memory_used_mib *= by;
        snapshot->domains[d].memory_rss_mib *= by;
        snapshot->domains[d].memory_outlook.demand *= by;
        snapshot->domains[d].memory_outlook.noise *= by;
        snapshot->domains[d].dirty_mib_s *= by;
        snapshot->domains[d].local_disk_mib *= by;
    }
}

/* Memory, links and dirty rates in units of half the size: the same moves at the same times. */
static void units_do_not_matter(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= CLUSTERS; seed++) {
        struct trial trial;
        begin(&trial, seed);
        char *before = moves_of(&trial.planning);
        scale(&trial.planning.snapshot, 2);
        compare(seed, before, moves_of(&trial.planning));
        end(&trial);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(twice_is_the_same),
        cmocka_unit_test(order_is_nothing),
        cmocka_unit_test(written_down_is_the_same),
        cmocka_unit_test(hosts_that_are_down_change_nothing),
        cmocka_unit_test(units_do_not_matter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
