/* What rules say: selectors, checks, and the text that travels with a domain. */
#include "balancer/core/rules/rule.h"

#include "tests/lib/cmocka.h"

#include <string.h>

static const struct ek_label label_items[] = {{"tier", "web"}, {"site", "a=b"}};
static const struct ek_labels labels = {label_items, 2};

static bool matches(const char *selector, const char *name)
{
    return ek_selector_matches(selector, name, "6c1f", &labels);
}

/* A name or UUID selects exactly that one. */
static void names_match_exactly(void **state)
{
    (void)state;
    assert_true(matches("web-1", "web-1"));
    assert_true(matches("6c1f", "web-1"));
    assert_false(matches("web-1", "web-10"));
    assert_false(matches("web-10", "web-1"));
    assert_false(matches("WEB-1", "web-1"));
    assert_false(matches("web-1", NULL));
}

/* '*' is any text, '?' one character; nothing else is special. */
static void globs_match_whole_names(void **state)
{
    (void)state;
    assert_true(matches("web-*", "web-1"));
    assert_true(matches("*", ""));
    assert_true(matches("*b-?", "web-1"));
    assert_true(matches("a*b*c", "axxbxbyc"));
    assert_true(matches("**1", "web-1"));
    assert_false(matches("web-?", "web-10"));
    assert_false(matches("web-?", "web-"));
    assert_false(matches("a*b*c", "axxbxbyd"));
    assert_false(matches("[wx]*", "web-1"));
    assert_false(matches("6c*", "web-1"));
}

/* A label selects by key and value; the value may be a glob and have a '='. */
static void labels_match_key_and_value(void **state)
{
    (void)state;
    assert_true(matches("label:tier=web", "x"));
    assert_true(matches("label:tier=w*", "x"));
    assert_true(matches("label:site=a=b", "x"));
    assert_false(matches("label:tier=we", "x"));
    assert_false(matches("label:tie=web", "x"));
    assert_false(matches("label:tierr=web", "x"));
    assert_false(ek_selector_matches("label:tier=web", "x", NULL, &(struct ek_labels){NULL, 0}));
    assert_false(ek_selector_valid("label:tier"));
    assert_false(ek_selector_valid("label:=web"));
    assert_false(ek_selector_valid("label:tier="));
    assert_false(ek_selector_valid(""));
    assert_true(ek_selector_valid("label:tier=web"));
}

/* A carried rule has a group, which names it, and options in any order. */
static void a_carried_rule_is_read(void **state)
{
    struct ek_arena arena = {0};
    struct ek_rule rule;
    struct ek_error err;

    (void)state;
    assert_true(ek_rule_parse(&rule, "spread topology=rack group=web at_least=3", &arena, &err));
    assert_int_equal(rule.kind, EK_RULE_SPREAD);
    assert_string_equal(rule.name, "web");
    assert_string_equal(rule.topology, "rack");
    assert_int_equal(rule.at_least, 3);
    assert_int_equal(rule.enforcement, EK_MUST);
    assert_true(ek_rule_parse(&rule, "pin hosts=h1,label:rack=r1 enforcement=should weight=3",
                              &arena, &err));
    assert_string_equal(rule.name, "pin hosts=h1,label:rack=r1 enforcement=should weight=3");
    assert_int_equal(rule.hosts.count, 2);
    assert_string_equal(rule.hosts.items[0], "h1");
    assert_string_equal(rule.hosts.items[1], "label:rack=r1");
    assert_int_equal(rule.enforcement, EK_SHOULD);
    assert_true(rule.weight == 3);
    assert_true(ek_rule_parse(&rule, "ignore", &arena, &err));
    ek_arena_finish(&arena);
}

/* Whatever is no rule is refused with what was expected. */
static void bad_texts_are_refused(void **state)
{
    static const char *const cases[][2] = {
        {"", "expected affinity, anti_affinity, pin, avoid, spread or ignore first"},
        {"apart group=web", "expected affinity, anti_affinity, pin"},
        {"affinity", "expected a group, which its domains share"},
        {"affinity group=", "expected KEY=VALUE after its kind"},
        {"affinity  group=web", "expected KEY=VALUE after its kind"},
        {"affinity group=web size=3", "expected group, topology, hosts"},
        {"pin", "of kind pin without hosts"},
        {"pin hosts=h1,,h2", "expected hosts=HOST,HOST"},
        {"pin hosts=h1 group=web", "expected no group for pin, avoid and ignore"},
        {"pin hosts=h1 topology=rack", "with a topology"},
        {"affinity group=web hosts=h1", "with hosts"},
        {"spread group=web", "without at_least"},
        {"spread group=web at_least=1", "expected at_least of 2 or more"},
        {"spread group=web at_least=x", "expected at_least of 2 or more"},
        {"spread group=web at_least=99999999999", "expected at_least of 2 or more"},
        {"affinity group=web at_least=2", "with at_least"},
        {"affinity group=web enforcement=may", "expected enforcement must or should"},
        {"affinity group=web weight=2", "with a weight and enforcement must"},
        {"affinity group=web enforcement=should weight=0", "expected a whole weight"},
        {"ignore enforcement=should", "a domain is ignored or it is not"},
        {"ignore hosts=h1", "expected no hosts for ignore"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ek_arena arena = {0};
        struct ek_rule rule;
        struct ek_error err = {0};
        assert_false(ek_rule_parse(&rule, cases[i][0], &arena, &err));
        assert_int_equal(err.code, EK_ERR_INVALID);
        if (strstr(err.message, cases[i][1]) == NULL) {
            fail_msg("\"%s\": %s", cases[i][0], err.message);
        }
        ek_arena_finish(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_match_exactly),        cmocka_unit_test(globs_match_whole_names),
        cmocka_unit_test(labels_match_key_and_value), cmocka_unit_test(a_carried_rule_is_read),
        cmocka_unit_test(bad_texts_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
