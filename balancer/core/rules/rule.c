#include "balancer/core/rules/rule.h"

#include <assert.h>
#include <string.h>

#define LABEL_PREFIX "label:"

enum { MAX_COUNT = 1000000 };

static const char *const kind_names[EK_RULE_KIND_COUNT] = {
    [EK_RULE_AFFINITY] = "affinity", [EK_RULE_ANTI_AFFINITY] = "anti_affinity",
    [EK_RULE_PIN] = "pin",           [EK_RULE_AVOID] = "avoid",
    [EK_RULE_SPREAD] = "spread",     [EK_RULE_IGNORE] = "ignore"};

static const char *const enforcement_names[EK_ENFORCEMENT_COUNT] = {
    [EK_MUST] = "must", [EK_SHOULD] = "should"};

const char *ek_rule_kind_name(enum ek_rule_kind kind)
{
    assert((unsigned int)kind < EK_RULE_KIND_COUNT);
    return kind_names[kind];
}

const char *ek_enforcement_name(enum ek_enforcement enforcement)
{
    assert((unsigned int)enforcement < EK_ENFORCEMENT_COUNT);
    return enforcement_names[enforcement];
}

bool ek_rule_kind_grouped(enum ek_rule_kind kind)
{
    return kind == EK_RULE_AFFINITY || kind == EK_RULE_ANTI_AFFINITY || kind == EK_RULE_SPREAD;
}

void ek_rules_finish(struct ek_rules *rules)
{
    ek_arena_finish(&rules->arena);
    memset(rules, 0, sizeof(*rules));
}

/* ---- selectors ----------------------------------------------------------------------------- */

enum ek_selector_kind ek_selector_kind(const char *selector)
{
    if (strncmp(selector, LABEL_PREFIX, strlen(LABEL_PREFIX)) == 0) {
        return EK_SELECT_LABEL;
    }
    return selector[strcspn(selector, "*?")] != '\0' ? EK_SELECT_GLOB : EK_SELECT_NAME;
}

bool ek_selector_valid(const char *selector)
{
    if (ek_selector_kind(selector) != EK_SELECT_LABEL) {
        return selector[0] != '\0';
    }
    const char *key = selector + strlen(LABEL_PREFIX);
    const char *equals = strchr(key, '=');
    return equals != NULL && equals > key && equals[1] != '\0';
}

/* On a mismatch the last star takes one character more. */
static bool glob_matches(const char *pattern, const char *text)
{
    const char *star = NULL;
    const char *resume = NULL;

    while (*text != '\0') {
        if (*pattern == '*') {
            star = pattern++;
            resume = text;
        } else if (*pattern == '?' || *pattern == *text) {
            pattern++;
            text++;
        } else if (star != NULL) {
            pattern = star + 1;
            text = ++resume;
        } else {
            return false;
        }
    }
    return pattern[strspn(pattern, "*")] == '\0';
}

static bool label_matches(const char *selector, const struct ek_labels *labels)
{
    const char *key = selector + strlen(LABEL_PREFIX);
    size_t length = strcspn(key, "=");

    for (size_t i = 0; key[length] == '=' && i < labels->count; i++) {
        const struct ek_label *label = &labels->items[i];
        if (strlen(label->key) == length && strncmp(label->key, key, length) == 0 &&
            glob_matches(key + length + 1, label->value)) {
            return true;
        }
    }
    return false;
}

bool ek_selector_matches(const char *selector, const char *name, const char *uuid,
                         const struct ek_labels *labels)
{
    switch (ek_selector_kind(selector)) {
    case EK_SELECT_LABEL:
        return label_matches(selector, labels);
    case EK_SELECT_GLOB:
        return name != NULL && glob_matches(selector, name);
    case EK_SELECT_NAME:
        break;
    }
    return (name != NULL && strcmp(selector, name) == 0) ||
           (uuid != NULL && strcmp(selector, uuid) == 0);
}

/* ---- checks -------------------------------------------------------------------------------- */

bool ek_rule_check(const struct ek_rule *rule, struct ek_error *err)
{
    bool placed = rule->kind == EK_RULE_PIN || rule->kind == EK_RULE_AVOID;
    const char *kind = ek_rule_kind_name(rule->kind);
    const char *found = NULL;

    if (placed && rule->hosts.count == 0) {
        found = "without hosts, expected hosts, such as [h1, h2]";
    } else if (rule->kind == EK_RULE_IGNORE && rule->hosts.count > 0 && rule->domains.count > 0) {
        found = "with domains and hosts, expected either of them";
    } else if (!placed && rule->kind != EK_RULE_IGNORE && rule->hosts.count > 0) {
        found = "with hosts, expected them with pin, avoid and ignore only";
    } else if (rule->kind == EK_RULE_SPREAD && rule->at_least == 0) {
        found = "without at_least, expected how many groups of hosts it needs, such as 2";
    } else if (rule->kind != EK_RULE_SPREAD && rule->at_least != 0) {
        found = "with at_least, expected it with spread only";
    } else if (rule->topology != NULL && !ek_rule_kind_grouped(rule->kind)) {
        found = "with a topology, expected it with affinity, anti_affinity and spread only";
    } else if (rule->kind == EK_RULE_IGNORE && rule->enforcement == EK_SHOULD) {
        found = "with enforcement should, expected must: a domain is ignored or it is not";
    } else if (rule->weight > 0 && rule->enforcement == EK_MUST) {
        found = "with a weight and enforcement must, expected a weight with should only";
    }
    return found == NULL || ek_error_set(err, EK_ERR_INVALID, "found rule \"%s\" of kind %s %s",
                                         rule->name, kind, found);
}

/* ---- rules that travel with a domain ------------------------------------------------------- */

struct reader {
    const char *text;
    struct ek_rule *rule;
    const char *group;
    struct ek_arena *arena;
    struct ek_error *err;
};

static bool refuse(const struct reader *reader, const char *expected)
{
    return ek_error_set(reader->err, EK_ERR_INVALID, "found the rule \"%s\", expected %s",
                        reader->text, expected);
}

static const char *copy(const struct reader *reader, const char *text, size_t length)
{
    return ek_arena_printf(reader->arena, "%.*s", (int)length, text);
}

static bool is(const char *text, size_t length, const char *word)
{
    return strlen(word) == length && strncmp(text, word, length) == 0;
}

static bool read_choice(const char *text, size_t length, const char *const *names, int count,
                        int *out)
{
    for (int i = 0; i < count; i++) {
        if (is(text, length, names[i])) {
            *out = i;
            return true;
        }
    }
    return false;
}

/* A whole number of at least `min`. */
static bool read_count(const char *text, size_t length, int min, int *out)
{
    int value = 0;

    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9' || value >= MAX_COUNT) {
            return false;
        }
        value = 10 * value + (text[i] - '0');
    }
    *out = value;
    return length > 0 && value >= min;
}

static bool read_hosts(const struct reader *reader, const char *text, size_t length)
{
    size_t count = 1;

    for (size_t i = 0; i < length; i++) {
        count += text[i] == ',' ? 1 : 0;
    }
    const char **items = ek_arena_alloc(reader->arena, count, sizeof(*items));
    bool copied = items != NULL;
    for (size_t i = 0; copied && i < count; i++) {
        size_t part = strcspn(text, ", ");
        items[i] = copy(reader, text, part);
        copied = items[i] != NULL;
        if (copied && !ek_selector_valid(items[i])) {
            return refuse(reader, "hosts=HOST,HOST");
        }
        text += part + 1;
    }
    reader->rule->hosts = (struct ek_strings){.items = items, .count = count, .given = true};
    return copied || ek_error_set(reader->err, EK_ERR_NOMEM, "out of memory for a rule");
}

static bool read_text(const struct reader *reader, const char *text, size_t length,
                      const char **out)
{
    *out = copy(reader, text, length);
    return *out != NULL || ek_error_set(reader->err, EK_ERR_NOMEM, "out of memory for a rule");
}

static bool read_attribute(struct reader *reader, const char *text, size_t length)
{
    size_t key = strcspn(text, "= ");
    const char *value = text + key + 1;
    size_t left = key < length ? length - key - 1 : 0;
    int number = 0;

    if (left == 0) {
        return refuse(reader, "KEY=VALUE after its kind");
    }
    if (is(text, key, "group")) {
        return read_text(reader, value, left, &reader->group);
    }
    if (is(text, key, "topology")) {
        return read_text(reader, value, left, &reader->rule->topology);
    }
    if (is(text, key, "hosts")) {
        return read_hosts(reader, value, left);
    }
    if (is(text, key, "at_least")) {
        return read_count(value, left, 2, &reader->rule->at_least) ||
               refuse(reader, "at_least of 2 or more");
    }
    if (is(text, key, "weight")) {
        bool good = read_count(value, left, 1, &number);
        reader->rule->weight = number;
        return good || refuse(reader, "a whole weight of 1 or more");
    }
    if (is(text, key, "enforcement")) {
        bool good = read_choice(value, left, enforcement_names, EK_ENFORCEMENT_COUNT, &number);
        reader->rule->enforcement = (enum ek_enforcement)number;
        return good || refuse(reader, "enforcement must or should");
    }
    return refuse(reader, "group, topology, hosts, at_least, enforcement or weight");
}

static bool finish_parse(struct reader *reader)
{
    bool grouped = ek_rule_kind_grouped(reader->rule->kind);

    if (grouped != (reader->group != NULL)) {
        return refuse(reader, grouped ? "a group, which its domains share"
                                      : "no group for pin, avoid and ignore");
    }
    reader->rule->name = grouped ? reader->group : ek_arena_strdup(reader->arena, reader->text);
    if (reader->rule->name == NULL) {
        return ek_error_set(reader->err, EK_ERR_NOMEM, "out of memory for a rule");
    }
    if (reader->rule->kind == EK_RULE_IGNORE && reader->rule->hosts.count > 0) {
        return refuse(reader, "no hosts for ignore: it leaves its own domain alone");
    }
    return ek_rule_check(reader->rule, reader->err);
}

bool ek_rule_parse(struct ek_rule *out, const char *text, struct ek_arena *arena,
                   struct ek_error *err)
{
    struct reader reader = {.text = text, .rule = out, .arena = arena, .err = err};
    size_t length = strcspn(text, " ");
    int kind = 0;

    memset(out, 0, sizeof(*out));
    if (!read_choice(text, length, kind_names, EK_RULE_KIND_COUNT, &kind)) {
        return refuse(&reader, "affinity, anti_affinity, pin, avoid, spread or ignore first");
    }
    out->kind = (enum ek_rule_kind)kind;
    for (text += length; *text != '\0'; text += length) {
        text++;
        length = strcspn(text, " ");
        if (!read_attribute(&reader, text, length)) {
            return false;
        }
    }
    return finish_parse(&reader);
}
