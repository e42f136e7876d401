#include "tests/lib/cmocka.h"
#include "tests/lib/random.h"

#include <string.h>

enum { MAX_RULES = 6, MAX_MEMBERS = 5, MAX_RULE_HOSTS = 4 };

static void label_hosts(struct ek_random *random, struct ek_snapshot *snapshot)
{
    for (size_t h = 0; h < snapshot->host_count; h++) {
        struct ek_label *label = ek_arena_alloc(&snapshot->arena, 1, sizeof(*label));
        assert_non_null(label);
        label->key = "rack";
        label->value =
            ek_arena_printf(&snapshot->arena, "r%u", (unsigned int)ek_random_below(random, 4));
        assert_non_null(label->value);
        if (ek_random_below(random, 5) > 0) {
            snapshot->hosts[h].labels = (struct ek_labels){label, 1};
        }
    }
}

static const char *domain_name(struct ek_random *random, const struct ek_snapshot *snapshot)
{
    if (snapshot->domain_count == 0 || ek_random_below(random, 20) == 0) {
        return "d??1*";
    }
    return snapshot->domains[ek_random_below(random, (uint32_t)snapshot->domain_count)].name;
}

static const char *host_name(struct ek_random *random, const struct ek_snapshot *snapshot)
{
    if (ek_random_below(random, 6) == 0) {
        return "label:rack=r1";
    }
    return snapshot->hosts[ek_random_below(random, (uint32_t)snapshot->host_count)].name;
}

static struct ek_strings names(struct ek_rules *out, struct ek_random *random,
                               const struct ek_snapshot *snapshot, uint32_t count,
                               const char *(*name)(struct ek_random *, const struct ek_snapshot *))
{
    const char **items = ek_arena_alloc(&out->arena, count, sizeof(*items));

    assert_non_null(items);
    for (uint32_t i = 0; i < count; i++) {
        items[i] = ek_arena_strdup(&out->arena, name(random, snapshot));
        assert_non_null(items[i]);
    }
    return (struct ek_strings){items, count, true};
}

static struct ek_rule rule_make(struct ek_rules *out, struct ek_random *random,
                                const struct ek_snapshot *snapshot)
{
    struct ek_rule rule = {.name = ek_arena_printf(&out->arena, "rule-%zu", out->count),
                           .kind = (enum ek_rule_kind)ek_random_below(random, EK_RULE_KIND_COUNT),
                           .domains = names(out, random, snapshot,
                                            1 + ek_random_below(random, MAX_MEMBERS), domain_name)};

    assert_non_null(rule.name);
    if (rule.kind == EK_RULE_PIN || rule.kind == EK_RULE_AVOID) {
        rule.hosts =
            names(out, random, snapshot, 1 + ek_random_below(random, MAX_RULE_HOSTS), host_name);
    }
    if (rule.kind == EK_RULE_IGNORE && ek_random_below(random, 3) == 0) {
        rule.domains = (struct ek_strings){.given = false};
        rule.hosts = names(out, random, snapshot, 1, host_name);
    }
    if (ek_rule_kind_grouped(rule.kind) && ek_random_below(random, 3) == 0) {
        rule.topology = "rack";
    }
    if (rule.kind == EK_RULE_SPREAD) {
        rule.at_least = 2 + (int)ek_random_below(random, 2);
    }
    if (rule.kind != EK_RULE_IGNORE && ek_random_below(random, 4) == 0) {
        rule.enforcement = EK_SHOULD;
    }
    return rule;
}

/* Two domains that carry a rule of their own. */
static void carry(struct ek_random *random, struct ek_snapshot *snapshot)
{
    static const char *const texts[] = {"anti_affinity group=own", "affinity group=own2",
                                        "avoid hosts=h01,h02 enforcement=should"};
    const char *const *text = &texts[ek_random_below(random, 3)];

    for (int i = 0; snapshot->domain_count > 0 && i < 2; i++) {
        uint32_t domain = ek_random_below(random, (uint32_t)snapshot->domain_count);
        snapshot->domains[domain].rules = (struct ek_strings){text, 1, true};
    }
}

void ek_random_rules(struct ek_rules *out, struct ek_random *random, struct ek_snapshot *snapshot)
{
    uint32_t count = ek_random_below(random, MAX_RULES + 1);

    memset(out, 0, sizeof(*out));
    label_hosts(random, snapshot);
    out->items = ek_arena_alloc(&out->arena, count, sizeof(*out->items));
    assert_non_null(out->items);
    while (out->count < count) {
        out->items[out->count] = rule_make(out, random, snapshot);
        out->count++;
    }
    if (ek_random_below(random, 3) == 0) {
        carry(random, snapshot);
    }
}
