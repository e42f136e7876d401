/* What is wrong with rules is found before anything moves. */
#include "balancer/core/rules/rule_set.h"
#include "tests/lib/cluster_text.h"
#include "tests/lib/cmocka.h"
#include "tests/lib/rules_text.h"

#include <stdio.h>
#include <string.h>

struct expectation {
    const char *cluster;
    const char *rules;
    enum ek_rule_problem_kind kind;
    const char *text; /* of the first problem; NULL: there is none */
};

#define FOUR "h1 label=rack:r1; h2 label=rack:r1; h3 label=rack:r2; h4; "

static const struct expectation cases[] = {
    {FOUR "a@h1; b@h2", "x anti_affinity a,b; y pin a on=h1; z avoid b on=h1", EK_RULE_DOUBTFUL,
     NULL},
    {FOUR "a@h1", "x anti_affinity web-*", EK_RULE_NO_DOMAIN,
     "rule x: found no domain that it is about, expected at least 1"},
    {FOUR "a@h1", "x pin a on=h9", EK_RULE_NO_HOST,
     "rule x: found no host that it names, expected known ones"},
    {FOUR "a@h1", "x avoid a on=label:rack=r9", EK_RULE_NO_HOST,
     "rule x: found no host that it names, expected known ones"},
    {FOUR "a@h1", "x pin a on=h1,h2; y avoid a on=label:rack=r1", EK_RULE_CONTRADICTION,
     "rules y and x contradict each other: together they leave no host for a"},
    {FOUR "a@h1", "x pin a on=h1; y pin * on=h2", EK_RULE_CONTRADICTION,
     "rules y and x contradict each other: together they leave no host for a"},
    {FOUR "a@h1", "x pin a on=h1; y pin * on=h2 should", EK_RULE_DOUBTFUL, NULL},
    {FOUR "a@h1", "x avoid a on=*", EK_RULE_CONTRADICTION, "rule x avoids every host"},
    {FOUR "a@h1; b@h1", "x affinity a,b; y anti_affinity *", EK_RULE_CONTRADICTION,
     "rules x and y contradict each other: two domains are in both, the second is b"},
    {FOUR "a@h1; b@h1", "x affinity a,b; y anti_affinity * by=rack", EK_RULE_CONTRADICTION,
     "rules x and y contradict each other: two domains are in both, the second is b"},
    {FOUR "a@h1; b@h2", "x affinity a,b by=rack; y anti_affinity *", EK_RULE_DOUBTFUL, NULL},
    {FOUR "a@h1; b@h1", "x affinity a,b; y anti_affinity * should", EK_RULE_DOUBTFUL, NULL},
    {FOUR "a@h1; b@h3", "x affinity a,b; y pin a on=h1,h2; z pin b on=h3", EK_RULE_CONTRADICTION,
     "rules x and z contradict each other: its domains have no host in common, the first to find "
     "none is b"},
    {FOUR "a@h1; b@h2", "x affinity a,b by=rack; y pin a on=h1; z pin b on=h2", EK_RULE_DOUBTFUL,
     NULL},
    {FOUR "a@h1; b@h3", "x affinity a,b by=rack; y pin a on=h1; z pin b on=h3",
     EK_RULE_CONTRADICTION,
     "rules x and z contradict each other: its domains have no host in common, the first to find "
     "none is b"},
    {FOUR "a@h1; b@h2", "x anti_affinity * by=rck", EK_RULE_DOUBTFUL,
     "rule x: found no host with the label rck, expected some; each host counts as a rck of its "
     "own"},
    {"h1; h2; a@h1; b@h2; c@h1", "x anti_affinity *", EK_RULE_DOUBTFUL,
     "rule x: found 3 domains for 2 different hosts"},
    {FOUR "a@h1; b@h2", "x spread * at_least=3", EK_RULE_DOUBTFUL,
     "rule x: found 2 domains for at least 3 different hosts"},
    {"h1; a@h1; b@h1", "x spread * at_least=2", EK_RULE_DOUBTFUL,
     "rule x: found 1 different host, expected at least 2"},
    {FOUR "a@h1 rule=apart+group=x", "", EK_RULE_BAD_TEXT,
     "domain a: found the rule \"apart group=x\", expected affinity, anti_affinity, pin, avoid, "
     "spread or ignore first"},
    {FOUR "a@h1 rule=affinity+group=x; b@h1 rule=affinity+group=x+topology=rack", "",
     EK_RULE_DOUBTFUL,
     "rule x: domains carry different versions of it, \"affinity group=x\" counts"},
};

static void check_case(const struct expectation *expected)
{
    struct ek_snapshot snapshot;
    struct ek_rules rules;
    struct ek_rule_set set;
    struct ek_error err = {0};

    ek_test_cluster(&snapshot, expected->cluster);
    ek_test_rules(&rules, expected->rules);
    assert_true(ek_rule_set_init(&set, &rules, &snapshot, &err));
    const char *found = set.problem_count == 0 ? NULL : set.problems[0].text;
    if (expected->text == NULL ? found != NULL
                               : found == NULL || strcmp(found, expected->text) != 0) {
        fail_msg("%s\n%s\nfound %s", expected->cluster, expected->rules,
                 found == NULL ? "nothing" : found);
    }
    assert_true(found == NULL || set.problems[0].kind == expected->kind);
    bool good = expected->text == NULL || expected->kind == EK_RULE_DOUBTFUL;
    assert_true(ek_rule_set_check(&rules, &snapshot, &err) == good);
    assert_true(good || (err.code == EK_ERR_INVALID && strcmp(err.message, expected->text) == 0));
    ek_rule_set_finish(&set);
    ek_rules_finish(&rules);
    ek_snapshot_finish(&snapshot);
}

/* Each problem is found, and nothing is found where there is none. */
static void problems_are_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        check_case(&cases[i]);
    }
}

/* However many there are, the most serious are kept, and all are counted. */
static void the_worst_are_kept(void **state)
{
    static char text[8192];
    size_t used = 0;

    (void)state;
    for (int i = 0; i < 80; i++) {
        used += (size_t)snprintf(text + used, sizeof(text) - used, "r%d spread * at_least=9;", i);
    }
    (void)snprintf(text + used, sizeof(text) - used, "last avoid * on=*");
    struct ek_snapshot snapshot;
    struct ek_rules rules;
    struct ek_rule_set set;
    struct ek_error err = {0};
    ek_test_cluster(&snapshot, "h1; h2; a@h1; b@h2");
    ek_test_rules(&rules, text);
    assert_true(ek_rule_set_init(&set, &rules, &snapshot, &err));
    assert_int_equal(set.problem_total, 81);
    assert_int_equal(set.problem_count, EK_RULE_MAX_PROBLEMS);
    assert_string_equal(set.problems[0].text, "rule last avoids every host");
    ek_rule_set_finish(&set);
    ek_rules_finish(&rules);
    ek_snapshot_finish(&snapshot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(problems_are_found),
                                       cmocka_unit_test(the_worst_are_kept)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
