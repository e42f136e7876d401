/* What the lists of policy.yaml hold: rules, further resources, windows, blackouts. */
#include "balancer/config/schema.h"
#include "balancer/config/syntax.h"

#define RULE_FIELD(type, member) .offset = EK_FIELD(struct ek_rule, member, type)
#define FURTHER_FIELD(type, member) .offset = EK_FIELD(struct ek_further_resource, member, type)
#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static const char *rule_kind_word(int index)
{
    return ek_rule_kind_name((enum ek_rule_kind)index);
}

static const char *enforcement_word(int index)
{
    return ek_enforcement_name((enum ek_enforcement)index);
}

#define SELECTORS "a list of one or more names, patterns such as web-*, or label:KEY=VALUE"

/* What a kind needs and what it cannot have is checked when the rule has been read. */
static const struct ek_schema_row rule_rows[] = {
    {.path = "name",
     .type = EK_VALUE_STRING,
     RULE_FIELD(const char *, name),
     .required = true,
     .check = ek_syntax_name,
     .form = "a name of 1 to 127 letters, digits, '.', '_' or '-'",
     .doc = "What the rule is called in reasons and messages; unique"},
    {.path = "kind",
     .type = EK_VALUE_WORD,
     RULE_FIELD(enum ek_rule_kind, kind),
     .required = true,
     .word = rule_kind_word,
     .word_count = EK_RULE_KIND_COUNT,
     .doc = "What it demands: domains together, apart, on these hosts only, on none of them, on "
            "several hosts, or never to be moved"},
    {.path = "domains",
     .type = EK_VALUE_TEXTS,
     RULE_FIELD(struct ek_strings, domains),
     .optional = true,
     .check = ek_selector_valid,
     .form = SELECTORS,
     .doc =
         "The domains that it is about, by name, UUID, pattern or label; only an ignore of hosts "
         "has none"},
    {.path = "hosts",
     .type = EK_VALUE_TEXTS,
     RULE_FIELD(struct ek_strings, hosts),
     .optional = true,
     .check = ek_selector_valid,
     .form = SELECTORS,
     .doc = "The hosts of pin and avoid, which must have them; ignore may have them instead of "
            "domains"},
    {.path = "topology",
     .type = EK_VALUE_STRING,
     RULE_FIELD(const char *, topology),
     .optional = true,
     .check = ek_syntax_label,
     .form = "host or the key of a host label, such as rack",
     .fallback = "host",
     .doc = "What affinity, anti_affinity and spread count: hosts, or groups of hosts with the "
            "same value of that label"},
    {.path = "at_least",
     .type = EK_VALUE_INT,
     RULE_FIELD(int, at_least),
     .optional = true,
     .min = 2,
     .max = 100000,
     .unit = "hosts or groups",
     .doc = "How many a spread needs; it must be given there and nowhere else"},
    {.path = "enforcement",
     .type = EK_VALUE_WORD,
     RULE_FIELD(enum ek_enforcement, enforcement),
     .word = enforcement_word,
     .word_count = EK_ENFORCEMENT_COUNT,
     .fallback = "must",
     .doc = "must is never broken by a move, should is weighed against balance"},
    {.path = "weight",
     .type = EK_VALUE_NUMBER,
     RULE_FIELD(double, weight),
     .optional = true,
     .min = 0.001,
     .max = 1000,
     .fallback = "1",
     .doc = "How much a broken should rule costs beside others"},
};

const struct ek_schema ek_rule_items = {.rows = rule_rows, .count = COUNT(rule_rows)};

/* Their order is that of the file; reading copies them to the policy's arrays. */
static const struct ek_schema_row further_rows[] = {
    {.path = "name",
     .type = EK_VALUE_STRING,
     FURTHER_FIELD(const char *, name),
     .required = true,
     .check = ek_syntax_label,
     .form = "a word of letters, digits, '.', '_' or '-'",
     .doc = "The name in samples, or the key of the labels of hosts and domains that say how much "
            "they have and need"},
    {.path = "weight",
     .type = EK_VALUE_NUMBER,
     FURTHER_FIELD(double, weight),
     .min = 0,
     .max = 100,
     .fallback = "1.0",
     .doc = "How much its imbalance counts in the score; 0: not at all, it only has to suffice"},
    {.path = "target_max",
     .type = EK_VALUE_RATIO,
     FURTHER_FIELD(double, target_max),
     .min = 0.01,
     .max = 1,
     .fallback = "1.0",
     .unit = "of what a host has",
     .doc = "Above this utilization a host is overloaded"},
};

const struct ek_schema ek_further_items = {.rows = further_rows, .count = COUNT(further_rows)};

#define DAYS_FORM "days of the week, such as mon-fri, sat,sun or all"

static bool is_days(const char *text)
{
    unsigned int days = 0;

    return ek_days_parse(text, &days);
}

#define WINDOW_FIELD(type, member) .offset = EK_FIELD(struct ek_window_text, member, type)
#define BLACKOUT_FIELD(type, member) .offset = EK_FIELD(struct ek_blackout_text, member, type)

static const struct ek_schema_row window_rows[] = {
    {.path = "days",
     .type = EK_VALUE_STRING,
     WINDOW_FIELD(const char *, days),
     .required = true,
     .check = is_days,
     .form = DAYS_FORM,
     .doc = "The days on which it begins"},
    {.path = "from",
     .type = EK_VALUE_STRING,
     WINDOW_FIELD(const char *, from),
     .required = true,
     .form = "a time of the day, such as 22:00",
     .doc = "When it begins, in the policy's timezone"},
    {.path = "to",
     .type = EK_VALUE_STRING,
     WINDOW_FIELD(const char *, to),
     .required = true,
     .form = "a time of the day, up to 24:00",
     .doc = "When it ends; not later than from: on the next day"},
};

const struct ek_schema ek_window_items = {.rows = window_rows, .count = COUNT(window_rows)};

static const struct ek_schema_row blackout_rows[] = {
    {.path = "from",
     .type = EK_VALUE_STRING,
     BLACKOUT_FIELD(const char *, from),
     .required = true,
     .form = "a time in UTC, such as 2026-12-24T00:00:00Z; with days a time of the day",
     .doc = "When it begins"},
    {.path = "to",
     .type = EK_VALUE_STRING,
     BLACKOUT_FIELD(const char *, to),
     .required = true,
     .form = "the same",
     .doc = "When it ends"},
    {.path = "days",
     .type = EK_VALUE_STRING,
     BLACKOUT_FIELD(const char *, days),
     .optional = true,
     .check = is_days,
     .form = DAYS_FORM,
     .fallback = "from and to are dates",
     .doc = "Each week on these days"},
    {.path = "reason",
     .type = EK_VALUE_STRING,
     BLACKOUT_FIELD(const char *, reason),
     .optional = true,
     .form = "a text of up to 63 bytes",
     .fallback = "none",
     .doc = "What status says of it"},
    {.path = "evacuations",
     .type = EK_VALUE_BOOL,
     BLACKOUT_FIELD(bool, evacuations),
     .fallback = "true",
     .doc = "Whether hosts in maintenance are emptied meanwhile; false: nothing starts at all"},
};

const struct ek_schema ek_blackout_items = {.rows = blackout_rows, .count = COUNT(blackout_rows)};
