/* What is said of rules before any domain is seen. */
#include "balancer/core/rules/rule_foresee.h"
#include "tests/lib/cluster_text.h"
#include "tests/lib/cmocka.h"
#include "tests/lib/rules_text.h"

#include <stdio.h>
#include <string.h>

struct expectation {
    const char *rules;
    const char *text; /* all that is said, a line each */
};

#define HOSTS "h1 label=rack:r1; h2 label=rack:r1; h3 label=rack:r2"

static const struct expectation cases[] = {
    {"x pin a on=h1; y anti_affinity web-*; z affinity b,c by=rack; v ignore - on=h3", ""},
    {"x pin a on=h1,h9", "rule x: found the unknown host \"h9\", expected known ones\n"},
    {"x avoid a on=label:rack=r9,kvm*",
     "rule x: found the unknown host \"label:rack=r9\", expected known ones\n"
     "rule x: found the unknown host \"kvm*\", expected known ones\n"},
    {"x ignore - on=h8", "rule x: found the unknown host \"h8\", expected known ones\n"},
    {"x anti_affinity a,b by=row", "rule x: found no host with the label row, expected some; each "
                                   "host counts as a row of its own\n"},
    {"x pin a on=h1; y pin a on=h2",
     "rules y and x contradict each other: together they leave no host for a\n"},
    {"x pin web-* on=h1; y avoid web-1 on=h1",
     "rules y and x contradict each other: together they leave no host for web-1\n"},
    {"x pin label:tier=db on=h1; y avoid label:tier=d* on=label:rack=r1",
     "rules y and x contradict each other: together they leave no host for label:tier=db\n"},
    /* A pattern is about names, and this label could be borne by a domain of any name. */
    {"x pin label:tier=db on=h1; y avoid *db on=h1", ""},
    {"x affinity web-*; y anti_affinity web-*",
     "rules x and y contradict each other: two domains are in both, the second is web-*\n"},
    {"x affinity a,b; y pin a on=h1; z pin b on=h3",
     "rules x and z contradict each other: its domains have no host in common, the first to find "
     "none is b\n"},
    {"x pin a on=h1; y pin a on=h2 should", ""},
    /* That there are more domains than hosts is not known before there are any. */
    {"x anti_affinity a,b,c,d,e", ""},
};

static void note(void *context, const struct ek_rule *rule, const char *text)
{
    char *said = context;
    size_t used = strlen(said);

    assert_non_null(strstr(text, rule->name));
    (void)snprintf(said + used, 1000 - used, "%s\n", text);
}

static void it_is_told(void **state)
{
    struct ek_snapshot snapshot;
    struct ek_host_entry hosts[3];

    (void)state;
    ek_test_cluster(&snapshot, HOSTS);
    for (size_t h = 0; h < 3; h++) {
        hosts[h] = (struct ek_host_entry){.name = snapshot.hosts[h].name,
                                          .labels = snapshot.hosts[h].labels};
    }
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ek_rules rules;
        struct ek_error err;
        char said[1000] = "";

        ek_test_rules(&rules, cases[i].rules);
        assert_true(ek_rules_foresee(&rules, hosts, 3, note, said, &err));
        assert_string_equal(said, cases[i].text);
        ek_rules_finish(&rules);
    }
    ek_snapshot_finish(&snapshot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(it_is_told)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
