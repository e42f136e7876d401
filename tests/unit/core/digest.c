#include "balancer/core/digest.h"

#include "tests/lib/cluster_text.h"
#include "tests/lib/cmocka.h"
#include "tests/lib/rules_text.h"

#include <math.h>

static uint64_t of_text(const char *a, const char *b)
{
    struct ek_digest digest = ek_digest_begin();

    ek_digest_text(&digest, a);
    ek_digest_text(&digest, b);
    return digest.state;
}

static uint64_t of_number(double value)
{
    struct ek_digest digest = ek_digest_begin();

    ek_digest_number(&digest, value);
    return digest.state;
}

static uint64_t of_snapshot(const char *text)
{
    struct ek_snapshot snapshot;
    struct ek_digest digest = ek_digest_begin();

    ek_test_cluster(&snapshot, text);
    ek_digest_snapshot(&digest, &snapshot);
    ek_snapshot_finish(&snapshot);
    return digest.state;
}

/* Texts are told apart by where they end, and no text from an empty one. */
static void texts_are_told_apart(void **state)
{
    (void)state;
    assert_int_equal(of_text("ab", "c"), of_text("ab", "c"));
    assert_int_not_equal(of_text("ab", "c"), of_text("a", "bc"));
    assert_int_not_equal(of_text("", NULL), of_text(NULL, ""));
}

/* Equal numbers are equal, whatever their bits: both zeros, every NAN. */
static void equal_numbers_are_equal(void **state)
{
    (void)state;
    assert_int_equal(of_number(0.0), of_number(-0.0));
    assert_int_equal(of_number(NAN), of_number(-NAN));
    assert_int_not_equal(of_number(NAN), of_number(0));
    assert_int_not_equal(of_number(1), of_number(1 + 1e-15));
}

static uint64_t step(uint64_t state, uint64_t word)
{
    state = (state ^ word) * 0xff51afd7ed558ccdULL;
    return state ^ (state >> 32);
}

/* The digest does not change from machine to machine: words of eight bytes, the first the lowest,
 * after the length of a text. */
static void the_digest_is_made_of_words(void **state)
{
    struct ek_digest digest = ek_digest_begin();
    uint64_t expected = 14695981039346656037ULL;

    (void)state;
    assert_int_equal(digest.state, expected);
    ek_digest_integer(&digest, -2);
    expected = step(expected, UINT64_MAX - 1);
    assert_int_equal(digest.state, expected);
    ek_digest_text(&digest, "ABCDEFGHab");
    expected = step(step(step(expected, 10), 0x4847464544434241ULL), 0x6261);
    assert_int_equal(digest.state, expected);
}

/* Every figure of a snapshot counts. */
static void every_figure_of_a_snapshot_counts(void **state)
{
    static const char *const texts[] = {
        "h1 8c 16G; a@h1",
        "h1 9c 16G; a@h1",
        "h1 8c 17G; a@h1",
        "h2 8c 16G; a@h2",
        "h1 8c 16G stale; a@h1",
        "h1 8c 16G maintenance; a@h1",
        "h1 8c 16G used=1c; a@h1",
        "h1 8c 16G link=5; a@h1",
        "h1 8c 16G net=; a@h1",
        "h1 8c 16G net=b; a@h1",
        "h1 8c 16G hv=Q; a@h1",
        "h1 8c 16G; b@h1",
        "h1 8c 16G; a@h1 2v",
        "h1 8c 16G; a@h1 2G",
        "h1 8c 16G; a@h1 1c",
        "h1 8c 16G; a@h1 1G 1G",
        "h1 8c 16G; a@h1 dirty=1",
        "h1 8c 16G; a@h1 disk=1M",
        "h1 8c 16G; a@h1 immovable",
        "h1 8c 16G; a@h1 dev=x",
        "h1 8c 16G; h2 8c 16G; a@h1",
        "h1 8c 16G; h2 8c 16G; a@h1->h2",
    };

    (void)state;
    for (size_t a = 0; a < sizeof(texts) / sizeof(texts[0]); a++) {
        assert_int_equal(of_snapshot(texts[a]), of_snapshot(texts[a]));
        for (size_t b = 0; b < a; b++) {
            assert_int_not_equal(of_snapshot(texts[a]), of_snapshot(texts[b]));
        }
    }
}

/* Every key of the policy that decides a plan counts. */
static void every_key_of_a_policy_counts(void **state)
{
    struct ek_policy policy;
    struct ek_digest before = ek_digest_begin();
    double *const keys[] = {&policy.weight[EK_MEMORY], &policy.target_max[EK_CPU],
                            &policy.trigger_imbalance, &policy.trigger_comfort,
                            &policy.min_gain,          &policy.cost_weight,
                            &policy.memory_overcommit, &policy.cpu_overcommit,
                            &policy.memory_reserve,    &policy.cooldown_repeat_factor};

    (void)state;
    ek_policy_defaults(&policy);
    ek_digest_policy(&before, &policy);
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        struct ek_digest after = ek_digest_begin();
        double kept = *keys[i];
        *keys[i] += 0.01;
        ek_digest_policy(&after, &policy);
        assert_int_not_equal(before.state, after.state);
        *keys[i] = kept;
    }
}

/* Every key of a rule counts, and every rule. */
static void every_key_of_a_rule_counts(void **state)
{
    static const char *const texts[] = {
        "",
        "x pin a on=h1",
        "y pin a on=h1",
        "x avoid a on=h1",
        "x pin b on=h1",
        "x pin a,b on=h1",
        "x pin a on=h2",
        "x pin a on=h1 should",
        "x pin a on=h1 should weight=2",
        "x spread a at_least=2",
        "x spread a at_least=3",
        "x spread a at_least=2 by=rack",
        "x pin a on=h1; y ignore b",
    };
    enum { COUNT = sizeof(texts) / sizeof(texts[0]) };
    uint64_t seen[COUNT];

    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        struct ek_digest digest = ek_digest_begin();
        struct ek_policy policy;
        struct ek_rules rules;
        ek_policy_defaults(&policy);
        ek_test_rules(&rules, texts[i]);
        policy.rules = &rules;
        ek_digest_policy(&digest, &policy);
        seen[i] = digest.state;
        for (size_t j = 0; j < i; j++) {
            assert_int_not_equal(seen[i], seen[j]);
        }
        ek_rules_finish(&rules);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_told_apart),
        cmocka_unit_test(equal_numbers_are_equal),
        cmocka_unit_test(the_digest_is_made_of_words),
        cmocka_unit_test(every_figure_of_a_snapshot_counts),
        cmocka_unit_test(every_key_of_a_policy_counts),
        cmocka_unit_test(every_key_of_a_rule_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
