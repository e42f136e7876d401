#include "balancer/core/rules/rule_foresee.h"

#include "balancer/core/rules/rule_set.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* A pattern or label may select several domains: two stand for them, so that two which may not be
 * together, or must be, are seen. */
enum { STANDINS = 2 };

struct foresight {
    const struct ek_rules *rules;
    const struct ek_host_entry *hosts;
    size_t host_count;
    ek_rule_tell tell;
    void *context;
};

/* ---- hosts --------------------------------------------------------------------------------- */

static bool selects_host(const struct foresight *foresight, const char *selector)
{
    bool found = false;

    for (size_t h = 0; !found && h < foresight->host_count; h++) {
        const struct ek_host_entry *host = &foresight->hosts[h];
        found = ek_selector_matches(selector, host->name, NULL, &host->labels);
    }
    return found;
}

/* Each of them, not only when all of a rule are unknown: one that is mistyped among others leaves a
 * rule that binds otherwise than was meant. */
static void foresee_hosts(const struct foresight *foresight, const struct ek_rule *rule)
{
    char text[512];

    for (size_t i = 0; i < rule->hosts.count; i++) {
        const char *selector = rule->hosts.items[i];
        if (!selects_host(foresight, selector)) {
            (void)snprintf(text, sizeof(text),
                           "rule %s: found the unknown host \"%s\", expected known ones",
                           rule->name, selector);
            foresight->tell(foresight->context, rule, text);
        }
    }
}

static bool has_label(const struct ek_host_entry *host, const char *key)
{
    bool found = false;

    for (size_t i = 0; !found && i < host->labels.count; i++) {
        found = strcmp(host->labels.items[i].key, key) == 0;
    }
    return found;
}

static void foresee_topology(const struct foresight *foresight, const struct ek_rule *rule)
{
    char text[512];
    bool known = rule->topology == NULL || strcmp(rule->topology, "host") == 0;

    for (size_t h = 0; !known && h < foresight->host_count; h++) {
        known = has_label(&foresight->hosts[h], rule->topology);
    }
    if (!known) {
        (void)snprintf(text, sizeof(text),
                       "rule %s: found no host with the label %s, expected some; each host counts "
                       "as a %s of its own",
                       rule->name, rule->topology, rule->topology);
        foresight->tell(foresight->context, rule, text);
    }
}

/* ---- domains that stand for all that a selector may select --------------------------------- */

/* Of a label: a domain without a name, so that no pattern takes "label:tier=db" for one. */
static bool stand_in_for_label(struct ek_domain *domain, const char *selector,
                               struct ek_arena *arena)
{
    const char *key = strchr(selector, ':') + 1;
    const char *equals = strchr(key, '=');
    struct ek_label *label = ek_arena_alloc(arena, 1, sizeof(*label));
    char *copy = ek_arena_alloc(arena, strlen(key) + 1, 1);

    assert(equals != NULL); /* ek_selector_valid */
    if (label == NULL || copy == NULL) {
        return false;
    }
    memcpy(copy, key, strlen(key));
    copy[equals - key] = '\0';
    *label = (struct ek_label){.key = copy, .value = copy + (equals - key) + 1};
    domain->labels = (struct ek_labels){.items = label, .count = 1};
    return true;
}

static bool stand_in(struct ek_snapshot *snapshot, const char *selector, struct ek_arena *arena)
{
    enum ek_selector_kind kind = ek_selector_kind(selector);
    bool ok = true;

    for (int i = 0; ok && i < (kind == EK_SELECT_NAME ? 1 : STANDINS); i++) {
        struct ek_domain *domain = &snapshot->domains[snapshot->domain_count++];
        *domain = (struct ek_domain){.uuid = selector,
                                     .name = kind == EK_SELECT_LABEL ? NULL : selector,
                                     .vcpus = 1,
                                     .memory_mib = 1,
                                     .cpu_used_cores = NAN,
                                     .memory_used_mib = NAN,
                                     .memory_rss_mib = NAN,
                                     .movable = true};
        ok = kind != EK_SELECT_LABEL || stand_in_for_label(domain, selector, arena);
    }
    return ok;
}

/* A name that several rules have is one domain. */
static bool stands(const struct ek_snapshot *snapshot, const char *selector)
{
    bool found = false;

    for (size_t d = 0; !found && d < snapshot->domain_count; d++) {
        found = strcmp(snapshot->domains[d].uuid, selector) == 0;
    }
    return found;
}

static bool imagine(struct ek_snapshot *snapshot, const struct foresight *foresight,
                    struct ek_arena *arena)
{
    const struct ek_rules *rules = foresight->rules;
    size_t selectors = 0;
    bool ok = true;

    for (size_t r = 0; r < rules->count; r++) {
        selectors += rules->items[r].domains.count;
    }
    *snapshot = (struct ek_snapshot){.host_count = foresight->host_count};
    snapshot->hosts = ek_arena_alloc(arena, foresight->host_count, sizeof(*snapshot->hosts));
    snapshot->domains = ek_arena_alloc(arena, STANDINS * selectors, sizeof(*snapshot->domains));
    if (snapshot->hosts == NULL || snapshot->domains == NULL) {
        return false;
    }
    for (size_t h = 0; h < foresight->host_count; h++) {
        snapshot->hosts[h] = (struct ek_host){.name = foresight->hosts[h].name,
                                              .cpu_cores = 1,
                                              .memory_mib = 1,
                                              .labels = foresight->hosts[h].labels};
    }
    for (size_t r = 0; ok && r < rules->count; r++) {
        for (size_t i = 0; ok && i < rules->items[r].domains.count; i++) {
            const char *selector = rules->items[r].domains.items[i];
            ok = stands(snapshot, selector) || stand_in(snapshot, selector, arena);
        }
    }
    return ok;
}

/* ---- contradictions ------------------------------------------------------------------------ */

static const struct ek_rule *rule_of(const struct ek_rules *rules, const char *name)
{
    const struct ek_rule *found = &rules->items[0];

    for (size_t r = 0; r < rules->count; r++) {
        found = strcmp(rules->items[r].name, name) == 0 ? &rules->items[r] : found;
    }
    return found;
}

static bool foresee_contradictions(const struct foresight *foresight, struct ek_error *err)
{
    struct ek_snapshot snapshot;
    struct ek_rule_set set;
    struct ek_arena arena = {0};
    bool ok = imagine(&snapshot, foresight, &arena);

    if (!ok) {
        (void)ek_error_set(err, EK_ERR_NOMEM, "out of memory for what the rules select");
    }
    ok = ok && ek_rule_set_init(&set, foresight->rules, &snapshot, err);
    for (size_t i = 0; ok && i < set.problem_count; i++) {
        const struct ek_rule_problem *problem = &set.problems[i];
        if (problem->kind == EK_RULE_CONTRADICTION) {
            foresight->tell(foresight->context, rule_of(foresight->rules, problem->rule),
                            problem->text);
        }
    }
    if (ok) {
        ek_rule_set_finish(&set);
    }
    ek_arena_finish(&arena);
    return ok;
}

bool ek_rules_foresee(const struct ek_rules *rules, const struct ek_host_entry *hosts,
                      size_t host_count, ek_rule_tell tell, void *context, struct ek_error *err)
{
    const struct foresight foresight = {rules, hosts, host_count, tell, context};

    assert(host_count > 0);
    if (rules->count == 0) {
        return true;
    }
    for (size_t r = 0; r < rules->count; r++) {
        foresee_hosts(&foresight, &rules->items[r]);
        foresee_topology(&foresight, &rules->items[r]);
    }
    return foresee_contradictions(&foresight, err);
}
