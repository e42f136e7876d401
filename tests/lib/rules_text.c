#include "tests/lib/rules_text.h"

#include "tests/lib/cmocka.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static char *keep(struct ek_rules *out, const char *text)
{
    const char *copy = ek_arena_strdup(&out->arena, text);

    assert_non_null(copy);
    return (char *)(uintptr_t)copy;
}

static struct ek_strings list(struct ek_rules *out, const char *text)
{
    struct ek_strings strings = {.given = true};
    const char **items = ek_arena_alloc(&out->arena, strlen(text) + 1, sizeof(*items));
    char *next = NULL;

    assert_non_null(items);
    for (char *item = strtok_r(keep(out, text), ",", &next); item != NULL;
         item = strtok_r(NULL, ",", &next)) {
        items[strings.count++] = item;
    }
    strings.items = items;
    return strings;
}

static enum ek_rule_kind kind_of(const char *word)
{
    unsigned int kind = 0;

    while (strcmp(ek_rule_kind_name((enum ek_rule_kind)kind), word) != 0) {
        kind++; /* a word that is no kind ends in an assertion */
    }
    return (enum ek_rule_kind)kind;
}

static void option(struct ek_rules *out, struct ek_rule *rule, const char *word)
{
    if (strncmp(word, "on=", 3) == 0) {
        rule->hosts = list(out, word + 3);
    } else if (strncmp(word, "by=", 3) == 0) {
        rule->topology = keep(out, word + 3);
    } else if (strncmp(word, "at_least=", 9) == 0) {
        rule->at_least = (int)strtol(word + 9, NULL, 10);
    } else if (strncmp(word, "weight=", 7) == 0) {
        rule->weight = strtod(word + 7, NULL);
    } else if (strcmp(word, "should") == 0) {
        rule->enforcement = EK_SHOULD;
    } else {
        fail_msg("rule %s: unknown word %s", rule->name, word);
    }
}

static void rule_item(struct ek_rules *out, char *item)
{
    struct ek_rule *rule = &out->items[out->count++];
    struct ek_error err;
    char *next = NULL;
    char *name = strtok_r(item, " \n", &next);
    char *kind = strtok_r(NULL, " \n", &next);
    char *domains = strtok_r(NULL, " \n", &next);
    char *word = NULL;

    assert_true(name != NULL && kind != NULL && domains != NULL);
    *rule = (struct ek_rule){
        .name = name,
        .kind = kind_of(kind),
    };
    if (strcmp(domains, "-") != 0) {
        rule->domains = list(out, domains);
    }
    while ((word = strtok_r(NULL, " \n", &next)) != NULL) {
        option(out, rule, word);
    }
    if (!ek_rule_check(rule, &err)) {
        fail_msg("%s", err.message);
    }
}

void ek_test_rules(struct ek_rules *out, const char *text)
{
    char *next = NULL;

    memset(out, 0, sizeof(*out));
    out->items = ek_arena_alloc(&out->arena, strlen(text) / 2 + 1, sizeof(*out->items));
    assert_non_null(out->items);
    for (char *item = strtok_r(keep(out, text), ";", &next); item != NULL;
         item = strtok_r(NULL, ";", &next)) {
        rule_item(out, item);
    }
}
