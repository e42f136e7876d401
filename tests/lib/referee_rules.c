#include "tests/lib/referee_rules.h"

#include "tests/lib/cmocka.h"

#include <fnmatch.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One rule, written out: a flag for each domain and each host. */
struct rule {
    char name[128];
    char kind[24];
    char topology[64];
    bool must;
    int at_least;
    bool *member;
    bool *listed; /* hosts that it names */
};

struct ek_referee_rules {
    const struct ek_snapshot *snapshot;
    struct rule *items;
    size_t count;
};

/* ---- reading ------------------------------------------------------------------------------- */

static bool selects(const char *selector, const char *name, const char *uuid,
                    const struct ek_labels *labels)
{
    char pair[256];

    if (strncmp(selector, "label:", 6) != 0) {
        return fnmatch(selector, name, 0) == 0 || strcmp(selector, uuid) == 0;
    }
    for (size_t i = 0; i < labels->count; i++) {
        (void)snprintf(pair, sizeof(pair), "%s=%s", labels->items[i].key, labels->items[i].value);
        if (fnmatch(selector + 6, pair, 0) == 0) {
            return true;
        }
    }
    return false;
}

static struct rule *rule_new(struct ek_referee_rules *rules, const char *name, const char *kind)
{
    struct rule *items = realloc(rules->items, (rules->count + 1) * sizeof(*items));

    assert_non_null(items);
    rules->items = items;
    struct rule *rule = &items[rules->count++];
    *rule = (struct rule){.must = true,
                          .member = calloc(rules->snapshot->domain_count + 1, sizeof(bool)),
                          .listed = calloc(rules->snapshot->host_count + 1, sizeof(bool))};
    assert_true(rule->member != NULL && rule->listed != NULL);
    (void)snprintf(rule->name, sizeof(rule->name), "%s", name);
    (void)snprintf(rule->kind, sizeof(rule->kind), "%s", kind);
    (void)snprintf(rule->topology, sizeof(rule->topology), "host");
    return rule;
}

static void list_host(const struct ek_snapshot *snapshot, struct rule *rule, const char *selector)
{
    for (size_t h = 0; h < snapshot->host_count; h++) {
        const struct ek_host *host = &snapshot->hosts[h];
        rule->listed[h] = rule->listed[h] || selects(selector, host->name, "", &host->labels);
    }
}

static void read_policy(struct ek_referee_rules *rules, const struct ek_rule *it)
{
    static const char *const kinds[] = {"affinity", "anti_affinity", "pin",
                                        "avoid",    "spread",        "ignore"};
    const struct ek_snapshot *snapshot = rules->snapshot;
    struct rule *rule = rule_new(rules, it->name, kinds[it->kind]);

    rule->must = it->enforcement == EK_MUST;
    rule->at_least = it->at_least;
    if (it->topology != NULL) {
        (void)snprintf(rule->topology, sizeof(rule->topology), "%s", it->topology);
    }
    for (size_t i = 0; i < it->hosts.count; i++) {
        list_host(snapshot, rule, it->hosts.items[i]);
    }
    for (size_t d = 0; d < snapshot->domain_count; d++) {
        const struct ek_domain *domain = &snapshot->domains[d];
        for (size_t i = 0; i < it->domains.count; i++) {
            rule->member[d] = rule->member[d] || selects(it->domains.items[i], domain->name,
                                                         domain->uuid, &domain->labels);
        }
    }
}

/* "KIND KEY=VALUE ...": two domains with the same text share the rule. (The random rules do not
 * disagree about a group.) */
static void read_carried(struct ek_referee_rules *rules, const char *text, size_t domain)
{
    char copy[256];
    char *next = NULL;
    char *inner = NULL;

    for (size_t r = 0; r < rules->count; r++) {
        if (strcmp(rules->items[r].name, text) == 0) {
            rules->items[r].member[domain] = true;
            return;
        }
    }
    (void)snprintf(copy, sizeof(copy), "%s", text);
    struct rule *rule = rule_new(rules, text, strtok_r(copy, " ", &next));
    rule->member[domain] = true;
    for (char *word = strtok_r(NULL, " ", &next); word != NULL; word = strtok_r(NULL, " ", &next)) {
        char *value = strchr(word, '=') + 1;
        if (strncmp(word, "topology", 8) == 0) {
            (void)snprintf(rule->topology, sizeof(rule->topology), "%s", value);
        } else if (strncmp(word, "at_least", 8) == 0) {
            rule->at_least = (int)strtol(value, NULL, 10);
        } else if (strncmp(word, "enforcement", 11) == 0) {
            rule->must = strcmp(value, "must") == 0;
        } else if (strncmp(word, "hosts", 5) == 0) {
            for (char *host = strtok_r(value, ",", &inner); host != NULL;
                 host = strtok_r(NULL, ",", &inner)) {
                list_host(rules->snapshot, rule, host);
            }
        }
    }
}

struct ek_referee_rules *ek_referee_rules_make(const struct ek_snapshot *snapshot,
                                               const struct ek_policy *policy)
{
    struct ek_referee_rules *rules = calloc(1, sizeof(*rules));

    assert_non_null(rules);
    rules->snapshot = snapshot;
    for (size_t r = 0; policy->rules != NULL && r < policy->rules->count; r++) {
        read_policy(rules, &policy->rules->items[r]);
    }
    for (size_t d = 0; d < snapshot->domain_count; d++) {
        for (size_t i = 0; i < snapshot->domains[d].rules.count; i++) {
            read_carried(rules, snapshot->domains[d].rules.items[i], d);
        }
    }
    return rules;
}

void ek_referee_rules_destroy(struct ek_referee_rules *rules)
{
    for (size_t r = 0; r < rules->count; r++) {
        free(rules->items[r].member);
        free(rules->items[r].listed);
    }
    free(rules->items);
    free(rules);
}

/* ---- what is broken ------------------------------------------------------------------------ */

static bool is(const struct rule *rule, const char *kind)
{
    return strcmp(rule->kind, kind) == 0;
}

static const char *label(const struct ek_host *host, const char *key)
{
    for (size_t i = 0; i < host->labels.count; i++) {
        if (strcmp(host->labels.items[i].key, key) == 0) {
            return host->labels.items[i].value;
        }
    }
    return NULL;
}

/* Hosts without the label are near to themselves alone. */
static bool near(const struct ek_referee_rules *rules, const struct rule *rule, uint32_t a,
                 uint32_t b)
{
    const char *at_a = label(&rules->snapshot->hosts[a], rule->topology);
    const char *at_b = label(&rules->snapshot->hosts[b], rule->topology);

    if (a == b || strcmp(rule->topology, "host") == 0) {
        return a == b;
    }
    return at_a != NULL && at_b != NULL && strcmp(at_a, at_b) == 0;
}

static bool wrong_host(const struct rule *rule, uint32_t host)
{
    return (is(rule, "pin") && !rule->listed[host]) || (is(rule, "avoid") && rule->listed[host]);
}

/* Pairs of members that are near each other, pairs that are not, and groups in use. */
struct tally {
    int together;
    int apart;
    int groups;
    int members;
    int wrong;
};

static struct tally count(const struct ek_referee_rules *rules, const struct rule *rule,
                          const uint32_t *place)
{
    struct tally tally = {.groups = 0};

    for (size_t a = 0; a < rules->snapshot->domain_count; a++) {
        bool first = true;
        for (size_t b = 0; rule->member[a] && b < a; b++) {
            bool close = rule->member[b] && near(rules, rule, place[a], place[b]);
            tally.together += close ? 1 : 0;
            tally.apart += rule->member[b] && !close ? 1 : 0;
            first = first && !close;
        }
        tally.members += rule->member[a] ? 1 : 0;
        tally.groups += rule->member[a] && first ? 1 : 0;
        tally.wrong += rule->member[a] && wrong_host(rule, place[a]) ? 1 : 0;
    }
    return tally;
}

/* How bad it is, 0: kept. */
static int badness(const struct ek_referee_rules *rules, const struct rule *rule,
                   const uint32_t *place)
{
    struct tally tally = count(rules, rule, place);
    int needed = rule->at_least < tally.members ? rule->at_least : tally.members;

    if (is(rule, "anti_affinity")) {
        return tally.together;
    }
    if (is(rule, "affinity")) {
        return tally.apart;
    }
    if (is(rule, "spread")) {
        return needed > tally.groups ? needed - tally.groups : 0;
    }
    return tally.wrong;
}

bool ek_referee_host_ignored(const struct ek_snapshot *snapshot, const struct ek_policy *policy,
                             uint32_t host)
{
    const struct ek_host *it = &snapshot->hosts[host];
    bool ignored = false;

    for (size_t r = 0; policy->rules != NULL && r < policy->rules->count; r++) {
        const struct ek_rule *rule = &policy->rules->items[r];
        for (size_t i = 0; rule->kind == EK_RULE_IGNORE && i < rule->hosts.count; i++) {
            ignored = ignored || selects(rule->hosts.items[i], it->name, "", &it->labels);
        }
    }
    return ignored;
}

uint32_t ek_referee_rules_broken(const struct ek_referee_rules *rules, const uint32_t *place)
{
    uint32_t broken = 0;

    for (size_t r = 0; r < rules->count; r++) {
        const struct rule *rule = &rules->items[r];
        broken += rule->must && badness(rules, rule, place) > 0 ? 1 : 0;
    }
    return broken;
}

bool ek_referee_rules_ignored(const struct ek_referee_rules *rules, uint32_t domain)
{
    bool ignored = false;

    for (size_t r = 0; r < rules->count; r++) {
        ignored = ignored || (is(&rules->items[r], "ignore") && rules->items[r].member[domain]);
    }
    return ignored;
}

/* Whether another member is where the domain would be, and not where it is. */
static bool meets(const struct ek_referee_rules *rules, const struct rule *rule,
                  const uint32_t *place, uint32_t domain, uint32_t host)
{
    bool met = false;

    for (uint32_t d = 0; d < rules->snapshot->domain_count; d++) {
        met = met || (d != domain && rule->member[d] && near(rules, rule, place[d], host) &&
                      !near(rules, rule, place[domain], host));
    }
    for (size_t f = 0; f < rules->snapshot->in_flight_count; f++) {
        const struct ek_in_flight *flight = &rules->snapshot->in_flight[f];
        met = met || (flight->domain != EK_NONE && flight->domain != domain &&
                      rule->member[flight->domain] && near(rules, rule, flight->source, host) &&
                      !near(rules, rule, place[domain], host));
    }
    return met;
}

static bool allow(const struct ek_referee_rules *rules, uint32_t *place, uint32_t domain,
                  uint32_t host, bool settles)
{
    uint32_t home = place[domain];
    bool allowed = true;

    for (size_t r = 0; r < rules->count; r++) {
        const struct rule *rule = &rules->items[r];
        if (!rule->must || !rule->member[domain] || (!settles && is(rule, "affinity"))) {
            continue;
        }
        int before = badness(rules, rule, place);
        bool met = is(rule, "anti_affinity") && meets(rules, rule, place, domain, host);
        place[domain] = host;
        allowed = allowed && !met && badness(rules, rule, place) <= before;
        place[domain] = home;
    }
    return allowed;
}

bool ek_referee_rules_allow(const struct ek_referee_rules *rules, uint32_t *place, uint32_t domain,
                            uint32_t host)
{
    return allow(rules, place, domain, host, true);
}

bool ek_referee_rules_allow_step(const struct ek_referee_rules *rules, uint32_t *place,
                                 uint32_t domain, uint32_t host)
{
    return allow(rules, place, domain, host, false);
}

bool ek_referee_rules_kept(const struct ek_referee_rules *rules, const uint32_t *before,
                           const uint32_t *after)
{
    bool kept = true;

    for (size_t r = 0; r < rules->count; r++) {
        const struct rule *rule = &rules->items[r];
        kept = kept && (!rule->must || badness(rules, rule, after) <= badness(rules, rule, before));
    }
    return kept;
}

bool ek_referee_rules_share(const struct ek_referee_rules *rules, uint32_t a, uint32_t b)
{
    bool shared = false;

    for (size_t r = 0; r < rules->count; r++) {
        const struct rule *rule = &rules->items[r];
        shared = shared || (rule->must && (is(rule, "anti_affinity") || is(rule, "spread")) &&
                            rule->member[a] && rule->member[b]);
    }
    return shared;
}

/* ---- every instant ------------------------------------------------------------------------- */

struct trial {
    const struct ek_referee_rules *rules;
    const struct ek_plan *plan;
    const struct ek_schedule *schedule;
    struct ek_text *complaints;
    uint32_t *home;  /* per domain: settled in the input */
    uint32_t *place; /* per domain: settled at the instant */
    size_t *running; /* moves under way at the instant */
    size_t running_count;
};

static int64_t end_of(const struct trial *trial, size_t move)
{
    return trial->schedule->slots[move].start_ms + trial->schedule->slots[move].duration_ms;
}

/* What has ended is settled; what runs stands on its source and is listed. */
static void stop_clock(struct trial *trial, int64_t at_ms)
{
    const struct ek_plan *plan = trial->plan;

    trial->running_count = 0;
    memcpy(trial->place, trial->home, trial->rules->snapshot->domain_count * sizeof(*trial->place));
    for (size_t i = 0; i < plan->move_count; i++) {
        if (end_of(trial, i) <= at_ms) {
            trial->place[plan->moves[i].domain] = plan->moves[i].destination;
        } else if (trial->schedule->slots[i].start_ms <= at_ms) {
            trial->running[trial->running_count++] = i;
        }
    }
}

/* No two members near each other that were not so in the input, wherever those on their way are. */
static void judge_pairs(struct trial *trial, const struct rule *rule, size_t move, int64_t at_ms)
{
    const struct ek_plan_move *moves = trial->plan->moves;
    uint32_t domain = moves[move].domain;
    bool met = meets(trial->rules, rule, trial->place, domain, moves[move].destination);

    for (size_t i = 0; i < trial->running_count; i++) {
        const struct ek_plan_move *other = &moves[trial->running[i]];
        met = met || (other->domain != domain && rule->member[other->domain] &&
                      near(trial->rules, rule, other->destination, moves[move].destination) &&
                      !near(trial->rules, rule, trial->place[domain], moves[move].destination));
    }
    if (met) {
        ek_text_add(trial->complaints, "%s: %s meets another at %lld ms\n", rule->name,
                    trial->rules->snapshot->domains[domain].name, (long long)at_ms);
    }
}

/* Whichever of the running moves end first, no more groups are missing than in the input. */
static void judge_spread(struct trial *trial, const struct rule *rule, int64_t at_ms)
{
    const struct ek_plan_move *moves = trial->plan->moves;
    int missing = badness(trial->rules, rule, trial->home);
    bool worse = false;

    for (uint32_t ended = 0; ended < 1U << trial->running_count; ended++) {
        for (size_t i = 0; i < trial->running_count; i++) {
            const struct ek_plan_move *move = &moves[trial->running[i]];
            trial->place[move->domain] = (ended >> i & 1) != 0 ? move->destination : move->source;
        }
        worse = worse || badness(trial->rules, rule, trial->place) > missing;
    }
    if (worse) {
        ek_text_add(trial->complaints, "%s: too few groups at %lld ms\n", rule->name,
                    (long long)at_ms);
    }
}

static void judge_start(struct trial *trial, const struct rule *rule, size_t move)
{
    const struct ek_plan_move *it = &trial->plan->moves[move];
    int64_t at_ms = trial->schedule->slots[move].start_ms;

    stop_clock(trial, at_ms);
    if (wrong_host(rule, it->destination) && !wrong_host(rule, it->source)) {
        ek_text_add(trial->complaints, "%s: %s goes to the wrong host\n", rule->name,
                    trial->rules->snapshot->domains[it->domain].name);
    }
    if (is(rule, "anti_affinity")) {
        judge_pairs(trial, rule, move, at_ms);
    }
    if (is(rule, "spread")) {
        judge_spread(trial, rule, at_ms);
    }
}

static void judge_rule(struct trial *trial, const struct rule *rule)
{
    int before = badness(trial->rules, rule, trial->home);

    for (size_t i = 0; i < trial->plan->move_count; i++) {
        if (rule->member[trial->plan->moves[i].domain]) {
            judge_start(trial, rule, i);
        }
    }
    stop_clock(trial, INT64_MAX);
    if (badness(trial->rules, rule, trial->place) > before) {
        ek_text_add(trial->complaints, "%s is worse than before\n", rule->name);
    }
}

void ek_referee_rules_judge(const struct ek_referee_rules *rules, const struct ek_plan *plan,
                            const struct ek_schedule *schedule, struct ek_text *complaints)
{
    const struct ek_snapshot *snapshot = rules->snapshot;
    struct trial trial = {.rules = rules,
                          .plan = plan,
                          .schedule = schedule,
                          .complaints = complaints,
                          .home = calloc(snapshot->domain_count + 1, sizeof(uint32_t)),
                          .place = calloc(snapshot->domain_count + 1, sizeof(uint32_t)),
                          .running = calloc(plan->move_count + 1, sizeof(size_t))};

    assert_true(trial.home != NULL && trial.place != NULL && trial.running != NULL);
    for (size_t d = 0; d < snapshot->domain_count; d++) {
        trial.home[d] = snapshot->domains[d].host;
    }
    for (size_t f = 0; f < snapshot->in_flight_count; f++) {
        if (snapshot->in_flight[f].domain != EK_NONE) {
            trial.home[snapshot->in_flight[f].domain] = snapshot->in_flight[f].destination;
        }
    }
    for (size_t r = 0; r < rules->count; r++) {
        if (rules->items[r].must) {
            judge_rule(&trial, &rules->items[r]);
        }
    }
    free(trial.home);
    free(trial.place);
    free(trial.running);
}
