/* Digests over everything that a decision is made from. They name plans and find equal
 * recommendations; they are no defence against forgery and need not be. */
#include "balancer/core/digest.h"

#include "balancer/core/pace.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* The start of FNV-1a, and the first multiplier of MurmurHash3's finalizer (both published). */
#define START 14695981039346656037ULL
#define MULTIPLIER 0xff51afd7ed558ccdULL

struct ek_digest ek_digest_begin(void)
{
    return (struct ek_digest){START};
}

/* Eight bytes at a time: every cycle feeds a whole snapshot, and byte by byte that would take
 * longer than evaluating it. The product carries each bit upwards, the shift brings it down again.
 */
static void feed(struct ek_digest *digest, uint64_t value)
{
    digest->state = (digest->state ^ value) * MULTIPLIER;
    digest->state ^= digest->state >> 32;
}

/* Little end first whatever the machine: the same input has the same name everywhere. */
static uint64_t word_of(const unsigned char *bytes, size_t count)
{
    uint64_t word = 0;

    for (size_t i = 0; i < count; i++) {
        word |= (uint64_t)bytes[i] << (8 * i);
    }
    return word;
}

void ek_digest_integer(struct ek_digest *digest, int64_t value)
{
    feed(digest, (uint64_t)value);
}

void ek_digest_number(struct ek_digest *digest, double value)
{
    uint64_t bits = 0;

    /* One NAN and one zero, whatever their bits. */
    if (!isnan(value) && fpclassify(value) != FP_ZERO) {
        memcpy(&bits, &value, sizeof(bits));
    }
    feed(digest, isnan(value) ? UINT64_MAX : bits);
}

void ek_digest_text(struct ek_digest *digest, const char *text)
{
    size_t length = text == NULL ? 0 : strlen(text);

    /* The length goes first, so that "ab","c" and "a","bc" differ; no text differs from an empty
     * one. */
    feed(digest, text == NULL ? UINT64_MAX : length);
    const unsigned char *bytes = (const unsigned char *)text;
    for (; length >= 8; length -= 8, bytes += 8) {
        feed(digest, word_of(bytes, 8));
    }
    if (length > 0) {
        feed(digest, word_of(bytes, length));
    }
}

static void feed_strings(struct ek_digest *digest, const struct ek_strings *list)
{
    assert(list->count == 0 || list->items != NULL);
    /* -1: an absent list constrains nothing, an empty one forbids all; the plans differ. */
    ek_digest_integer(digest, list->given ? (int64_t)list->count : -1);
    for (size_t i = 0; i < list->count; i++) {
        ek_digest_text(digest, list->items[i]);
    }
}

static void feed_labels(struct ek_digest *digest, const struct ek_labels *labels)
{
    assert(labels->count == 0 || labels->items != NULL);
    ek_digest_integer(digest, (int64_t)labels->count);
    for (size_t i = 0; i < labels->count; i++) {
        ek_digest_text(digest, labels->items[i].key);
        ek_digest_text(digest, labels->items[i].value);
    }
}

static void feed_quantities(struct ek_digest *digest, const struct ek_quantities *quantities)
{
    for (size_t i = 0; i < quantities->count; i++) {
        ek_digest_text(digest, quantities->items[i].name);
        ek_digest_number(digest, quantities->items[i].capacity);
        ek_digest_number(digest, quantities->items[i].used);
    }
}

/* UUID, sampling time and period stay out: the planner reads none of them, and a
 * snapshot in a file need not have them. */
static void feed_host(struct ek_digest *digest, const struct ek_host *host)
{
    ek_digest_text(digest, host->name);
    ek_digest_integer(digest, host->state);
    ek_digest_number(digest, host->cpu_cores);
    ek_digest_number(digest, host->memory_mib);
    ek_digest_number(digest, host->cpu_used_cores);
    ek_digest_number(digest, host->memory_used_mib);
    ek_digest_integer(digest, host->maintenance);
    /* Seldom set: ids of plans without them are what they were before there was such a thing. */
    if (host->partial || host->begun) {
        ek_digest_text(digest, host->partial ? "partial" : "begun");
    }
    if (host->maintenance && host->deadline_ms != 0) {
        ek_digest_text(digest, "deadline");
        ek_digest_integer(digest, host->deadline_ms);
    }
    ek_digest_number(digest, host->migration_mib_s);
    feed_quantities(digest, &host->resources);
    feed_labels(digest, &host->labels);
    feed_strings(digest, &host->networks);
    feed_strings(digest, &host->storages);
    ek_digest_text(digest, host->hypervisor);
    ek_digest_text(digest, host->cpu_model);
}

static void feed_domain(struct ek_digest *digest, const struct ek_domain *domain)
{
    const double figures[] = {
        domain->vcpus,       domain->memory_mib,      domain->cpu_used_cores,
        domain->cpu_steal,   domain->memory_used_mib, domain->memory_rss_mib,
        domain->dirty_mib_s, domain->local_disk_mib,  domain->migration_factor,
    };
    const struct ek_outlook *const outlooks[] = {&domain->cpu_outlook, &domain->memory_outlook};

    /* Seldom there, as of hosts. */
    if (domain->emulator_mib > 0) {
        ek_digest_number(digest, domain->emulator_mib);
    }
    if (domain->evacuation != EK_EVACUATE_MIGRATE) {
        ek_digest_text(digest, ek_evacuation_name(domain->evacuation));
    }
    ek_digest_text(digest, domain->uuid);
    ek_digest_text(digest, domain->name);
    ek_digest_integer(digest, domain->host);
    for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
        ek_digest_number(digest, figures[i]);
    }
    for (size_t i = 0; i < sizeof(outlooks) / sizeof(outlooks[0]); i++) {
        ek_digest_integer(digest, outlooks[i]->known);
        ek_digest_number(digest, outlooks[i]->demand);
        ek_digest_number(digest, outlooks[i]->noise);
    }
    ek_digest_integer(digest, domain->movable);
    ek_digest_text(digest, domain->immovable_reason);
    feed_quantities(digest, &domain->resources);
    feed_labels(digest, &domain->labels);
    feed_strings(digest, &domain->networks);
    feed_strings(digest, &domain->storages);
    feed_strings(digest, &domain->devices);
    if (domain->rules.count > 0) {
        feed_strings(digest, &domain->rules);
    }
    ek_digest_text(digest, domain->machine);
    ek_digest_text(digest, domain->cpu_model);
}

void ek_digest_snapshot(struct ek_digest *digest, const struct ek_snapshot *snapshot)
{
    assert(snapshot->hosts != NULL || snapshot->host_count == 0);
    assert(snapshot->domains != NULL || snapshot->domain_count == 0);
    ek_digest_integer(digest, snapshot->taken_at_ms);
    /* Both counts before both lists: else an end of one could read as the beginning of the
     * other. */
    ek_digest_integer(digest, (int64_t)snapshot->host_count);
    ek_digest_integer(digest, (int64_t)snapshot->domain_count);
    for (size_t h = 0; h < snapshot->host_count; h++) {
        feed_host(digest, &snapshot->hosts[h]);
    }
    for (size_t d = 0; d < snapshot->domain_count; d++) {
        feed_domain(digest, &snapshot->domains[d]);
    }
    for (size_t f = 0; f < snapshot->in_flight_count; f++) {
        ek_digest_integer(digest, snapshot->in_flight[f].domain);
        ek_digest_integer(digest, snapshot->in_flight[f].source);
        ek_digest_integer(digest, snapshot->in_flight[f].destination);
    }
    for (size_t c = 0; c < snapshot->copy_count; c++) {
        ek_digest_integer(digest, snapshot->copies[c].domain);
        ek_digest_integer(digest, snapshot->copies[c].host);
    }
}

static void feed_rule(struct ek_digest *digest, const struct ek_rule *rule)
{
    ek_digest_text(digest, rule->name);
    ek_digest_integer(digest, rule->kind);
    feed_strings(digest, &rule->domains);
    feed_strings(digest, &rule->hosts);
    ek_digest_text(digest, rule->topology);
    ek_digest_integer(digest, rule->at_least);
    ek_digest_integer(digest, rule->enforcement);
    ek_digest_number(digest, rule->weight);
}

/* Ceilings that are the default for these limits say nothing that those do not. */
static void feed_urgent(struct ek_digest *digest, const struct ek_policy *policy)
{
    const struct ek_limits *urgent = &policy->urgent;
    const struct ek_limits usual = ek_pace_default_ceilings(policy);

    if (!ek_limits_equal(urgent, &usual)) {
        ek_digest_integer(digest, urgent->cluster);
        ek_digest_integer(digest, urgent->host_in);
        ek_digest_integer(digest, urgent->host_out);
        ek_digest_number(digest, urgent->bandwidth_per_host_mib_s);
        ek_digest_number(digest, urgent->bandwidth_cluster_mib_s);
    }
}

/* Field by field, not the structure's bytes: padding is not defined. Timeouts and retries stay out,
 * since they change how a move is carried out and not which is chosen. */
void ek_digest_policy(struct ek_digest *digest, const struct ek_policy *policy)
{
    const double figures[] = {
        policy->trigger_imbalance, policy->trigger_comfort,        policy->min_gain,
        policy->cost_weight,       policy->memory_overcommit,      policy->cpu_overcommit,
        policy->memory_reserve,    policy->cooldown_repeat_factor, policy->noise_sigma,
    };
    const int64_t integers[] = {
        policy->mode,           policy->kind,
        policy->aggressiveness, policy->sustained_cycles,
        policy->cooldown_ms,    policy->limit_cluster,
        policy->limit_host_in,  policy->limit_host_out,
        policy->moves_per_plan, policy->max_downtime_ms,
        policy->spare_hosts,
    };

    ek_digest_number(digest, policy->bandwidth_per_host_mib_s);
    ek_digest_number(digest, policy->bandwidth_cluster_mib_s);
    feed_urgent(digest, policy);
    for (unsigned int r = 0; r < policy->resources.count; r++) {
        if (r >= EK_RESOURCE_FURTHER) {
            ek_digest_text(digest, policy->resources.names[r]);
        }
        ek_digest_number(digest, policy->weight[r]);
        ek_digest_number(digest, policy->target_max[r]);
    }
    for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
        ek_digest_number(digest, figures[i]);
    }
    for (size_t i = 0; i < sizeof(integers) / sizeof(integers[0]); i++) {
        ek_digest_integer(digest, integers[i]);
    }
    for (size_t i = 0; policy->rules != NULL && i < policy->rules->count; i++) {
        feed_rule(digest, &policy->rules->items[i]);
    }
}
