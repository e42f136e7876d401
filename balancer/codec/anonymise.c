#include "balancer/codec/anonymise.h"

#include "balancer/core/profile.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- SipHash-2-4 (Aumasson, Bernstein) ------------------------------------------------------- */

static uint64_t rotate(uint64_t value, int bits)
{
    return value << bits | value >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    sip_round(v);
    sip_round(v);
    v[0] ^= word;
}

static uint64_t sip_hash(const uint64_t key[2], const char *text, size_t length)
{
    uint64_t v[4] = {key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d,
                     key[0] ^ 0x6c7967656e657261, key[1] ^ 0x7465646279746573};
    uint64_t word = 0;

    for (size_t i = 0; i < length; i++) {
        word |= (uint64_t)(unsigned char)text[i] << (8 * (i % 8));
        if (i % 8 == 7) {
            sip_word(v, word);
            word = 0;
        }
    }
    sip_word(v, word | (uint64_t)length << 56);
    v[2] ^= 0xff;
    for (int i = 0; i < 4; i++) {
        sip_round(v);
    }
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* A word is no key of 128 bits: two hashes of it, under keys that are no secret, make one. */
struct ek_anonymiser ek_anonymiser_of(const char *word, struct ek_arena *arena)
{
    static const uint64_t first[2] = {1, 2};
    static const uint64_t second[2] = {3, 4};
    const size_t length = strlen(word);

    return (struct ek_anonymiser){
        .key = {sip_hash(first, word, length), sip_hash(second, word, length)}, .arena = arena};
}

/* ---- texts ----------------------------------------------------------------------------------- */

/* "host-4f1c0a9b2d3e": twelve digits keep 20,000 names apart. The kind is part of what is hashed:
 * a domain that is called like a host gives nothing away. */
static const char *alias(struct ek_anonymiser *anonymiser, const char *kind, const char *text,
                         size_t length)
{
    uint64_t key[2] = {anonymiser->key[0] ^ sip_hash(anonymiser->key, kind, strlen(kind)),
                       anonymiser->key[1]};
    const char *made = ek_arena_printf(anonymiser->arena, "%s-%012" PRIx64, kind,
                                       sip_hash(key, text, length) & (((uint64_t)1 << 48) - 1));

    anonymiser->failed = anonymiser->failed || made == NULL;
    return made == NULL ? "" : made;
}

static void replace(struct ek_anonymiser *anonymiser, const char *kind, const char **text)
{
    if (*text != NULL) {
        *text = alias(anonymiser, kind, *text, strlen(*text));
    }
}

/* In the form of one, for whoever looks at that. */
static void replace_uuid(struct ek_anonymiser *anonymiser, const char **uuid)
{
    if (*uuid == NULL) {
        return;
    }
    const uint64_t swapped[2] = {anonymiser->key[1], anonymiser->key[0]};
    uint64_t high = sip_hash(anonymiser->key, *uuid, strlen(*uuid));
    uint64_t low = sip_hash(swapped, *uuid, strlen(*uuid));
    const char *made = ek_arena_printf(
        anonymiser->arena, "%08" PRIx64 "-%04" PRIx64 "-%04" PRIx64 "-%04" PRIx64 "-%012" PRIx64,
        high >> 32, high >> 16 & 0xffff, high & 0xffff, low >> 48, low & 0xffffffffffff);

    anonymiser->failed = anonymiser->failed || made == NULL;
    *uuid = made == NULL ? "" : made;
}

static void replace_strings(struct ek_anonymiser *anonymiser, const char *kind,
                            struct ek_strings *strings)
{
    const char **items = ek_arena_alloc(anonymiser->arena, strings->count, sizeof(*items));

    anonymiser->failed = anonymiser->failed || items == NULL;
    for (size_t i = 0; items != NULL && i < strings->count; i++) {
        items[i] = strings->items[i];
        replace(anonymiser, kind, &items[i]);
    }
    strings->items = items;
    strings->count = items == NULL ? 0 : strings->count;
}

/* A label that is a number is a quantity of its name (utilization.h): it stays. */
static bool is_number(const char *text)
{
    char *end = NULL;

    (void)strtod(text, &end);
    return end != text && *end == '\0';
}

static void replace_labels(struct ek_anonymiser *anonymiser, struct ek_labels *labels)
{
    struct ek_label *items = ek_arena_alloc(anonymiser->arena, labels->count, sizeof(*items));

    anonymiser->failed = anonymiser->failed || items == NULL;
    for (size_t i = 0; items != NULL && i < labels->count; i++) {
        items[i] = labels->items[i];
        if (!is_number(items[i].value)) {
            replace(anonymiser, "label", &items[i].key);
            replace(anonymiser, "value", &items[i].value);
        }
    }
    labels->items = items;
    labels->count = items == NULL ? 0 : labels->count;
}

/* ---- rules ----------------------------------------------------------------------------------- */

/* All names of a list with commas. */
static const char *alias_list(struct ek_anonymiser *anonymiser, const char *kind, const char *list,
                              size_t length)
{
    const char *made = "";

    for (size_t at = 0; at < length && made != NULL;) {
        size_t item = strcspn(list + at, ", ");
        item = item > length - at ? length - at : item;
        made = ek_arena_printf(anonymiser->arena, "%s%s%s", made, at > 0 ? "," : "",
                               alias(anonymiser, kind, list + at, item));
        at += item + 1;
    }
    anonymiser->failed = anonymiser->failed || made == NULL;
    return made;
}

static bool begins(const char *text, const char *beginning)
{
    return strncmp(text, beginning, strlen(beginning)) == 0;
}

/* One word of a rule: its kind, or KEY=VALUE (rule.h). */
static const char *alias_word(struct ek_anonymiser *anonymiser, const char *word, size_t length)
{
    static const struct {
        const char *key;
        const char *kind;
    } named[] = {{"group=", "group"}, {"hosts=", "host"}, {"topology=", "label"}};

    for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
        size_t key = strlen(named[i].key);
        if (begins(word, named[i].key) && length > key && !begins(word, "topology=host ") &&
            strcmp(word, "topology=host") != 0) {
            return ek_arena_printf(anonymiser->arena, "%s%s", named[i].key,
                                   alias_list(anonymiser, named[i].kind, word + key, length - key));
        }
    }
    return ek_arena_printf(anonymiser->arena, "%.*s", (int)length, word);
}

static const char *alias_rule(struct ek_anonymiser *anonymiser, const char *rule)
{
    const char *made = "";

    while (*rule != '\0' && made != NULL) {
        size_t length = strcspn(rule, " ");
        const char *word = alias_word(anonymiser, rule, length);
        made = word == NULL ? NULL
                            : ek_arena_printf(anonymiser->arena, "%s%s%s", made,
                                              made[0] != '\0' ? " " : "", word);
        rule += length + (rule[length] == ' ');
    }
    anonymiser->failed = anonymiser->failed || made == NULL;
    return made == NULL ? "" : made;
}

static void replace_rules(struct ek_anonymiser *anonymiser, struct ek_strings *rules)
{
    const char **items = ek_arena_alloc(anonymiser->arena, rules->count, sizeof(*items));

    anonymiser->failed = anonymiser->failed || items == NULL;
    for (size_t i = 0; items != NULL && i < rules->count; i++) {
        items[i] = alias_rule(anonymiser, rules->items[i]);
    }
    rules->items = items;
    rules->count = items == NULL ? 0 : rules->count;
}

/* ---- hosts, domains, documents --------------------------------------------------------------- */

/* A pool keeps its type; directories and servers are named after people and customers. */
static void replace_pools(struct ek_anonymiser *anonymiser, struct ek_storage_pools *pools)
{
    struct ek_storage_pool *items = ek_arena_alloc(anonymiser->arena, pools->count, sizeof(*items));

    anonymiser->failed = anonymiser->failed || items == NULL;
    for (size_t i = 0; items != NULL && i < pools->count; i++) {
        items[i] = pools->items[i];
        replace(anonymiser, "store", &items[i].name);
        replace(anonymiser, "path", &items[i].target);
        replace(anonymiser, "source", &items[i].source);
    }
    pools->items = items;
    pools->count = items == NULL ? 0 : pools->count;
}

void ek_anonymise_host(struct ek_anonymiser *anonymiser, struct ek_host *host)
{
    replace(anonymiser, "host", &host->name);
    replace_uuid(anonymiser, &host->uuid);
    replace_labels(anonymiser, &host->labels);
    replace_strings(anonymiser, "net", &host->networks);
    replace_strings(anonymiser, "store", &host->storages);
    replace_pools(anonymiser, &host->storage_pools);
}

void ek_anonymise_domain(struct ek_anonymiser *anonymiser, struct ek_domain *domain)
{
    replace_uuid(anonymiser, &domain->uuid);
    replace(anonymiser, "domain", &domain->name);
    replace(anonymiser, "reason", &domain->immovable_reason);
    replace_labels(anonymiser, &domain->labels);
    replace_strings(anonymiser, "net", &domain->networks);
    replace_strings(anonymiser, "store", &domain->storages);
    replace_strings(anonymiser, "device", &domain->devices);
    replace_rules(anonymiser, &domain->rules);
}

void ek_anonymise_sample(struct ek_anonymiser *anonymiser, struct ek_sample *sample)
{
    ek_anonymise_host(anonymiser, &sample->host);
    replace(anonymiser, "collector", &sample->collector);
    for (size_t d = 0; d < sample->domain_count; d++) {
        ek_anonymise_domain(anonymiser, &sample->domains[d]);
    }
}

void ek_anonymise_profile(struct ek_anonymiser *anonymiser, struct ek_profile *profile)
{
    const char *name = profile->name;

    if (profile->kind == EK_PROFILE_HOST) {
        replace(anonymiser, "host", &name);
    } else {
        replace_uuid(anonymiser, &name);
    }
    if (name != profile->name && name != NULL) {
        (void)snprintf(profile->name, sizeof(profile->name), "%s", name);
    }
}

bool ek_anonymise_snapshot(struct ek_anonymiser *anonymiser, struct ek_snapshot *snapshot,
                           struct ek_error *err)
{
    for (size_t h = 0; h < snapshot->host_count; h++) {
        ek_anonymise_host(anonymiser, &snapshot->hosts[h]);
    }
    for (size_t d = 0; d < snapshot->domain_count; d++) {
        ek_anonymise_domain(anonymiser, &snapshot->domains[d]);
    }
    /* The order of the names that were would tell something of them. */
    return anonymiser->failed ? ek_error_set(err, EK_ERR_NOMEM, "out of memory for names")
                              : ek_snapshot_sort(snapshot, err);
}
