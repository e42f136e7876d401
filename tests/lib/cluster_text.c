#include "tests/lib/cluster_text.h"

#include "tests/lib/cmocka.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Items of both kinds are counted by the separators, which is never too few. */
static size_t items_count(const char *text)
{
    size_t count = 1;

    for (; *text != '\0'; text++) {
        count += *text == ';' ? 1 : 0;
    }
    return count;
}

static const char *keep(struct ek_snapshot *out, const char *text)
{
    const char *copy = ek_arena_strdup(&out->arena, text);

    assert_non_null(copy);
    return copy;
}

/* "8c" with unit 'c'; false: another kind of word. */
static bool number(const char *word, const char *unit, double *value)
{
    char *end = NULL;
    double read = strtod(word, &end);

    if (end == word || strcmp(end, unit) != 0) {
        return false;
    }
    *value = read;
    return true;
}

static bool size_mib(const char *word, double *value)
{
    if (number(word, "M", value)) {
        return true;
    }
    bool gib = number(word, "G", value);
    *value = gib ? *value * 1024 : *value;
    return gib;
}

/* The rest of the word after "key="; NULL: another word. */
static const char *value_of(const char *word, const char *key)
{
    size_t length = strlen(key);

    return strncmp(word, key, length) == 0 && word[length] == '=' ? word + length + 1 : NULL;
}

static struct ek_strings list(struct ek_snapshot *out, const char *text)
{
    struct ek_strings strings = {.given = true};
    const char **items = ek_arena_alloc(&out->arena, strlen(text) + 1, sizeof(*items));
    char *copy = (char *)(uintptr_t)keep(out, text);
    char *next = NULL;

    assert_non_null(items);
    for (char *item = strtok_r(copy, ",", &next); item != NULL; item = strtok_r(NULL, ",", &next)) {
        items[strings.count++] = item;
    }
    strings.items = items;
    return strings;
}

static struct ek_labels labels_of(struct ek_snapshot *out, const char *text)
{
    struct ek_strings pairs = list(out, text);
    struct ek_label *items = ek_arena_alloc(&out->arena, pairs.count, sizeof(*items));

    assert_non_null(items);
    for (size_t i = 0; i < pairs.count; i++) {
        char *key = (char *)(uintptr_t)pairs.items[i];
        char *colon = strchr(key, ':');
        assert_non_null(colon);
        *colon = '\0';
        items[i] = (struct ek_label){key, colon + 1};
    }
    return (struct ek_labels){items, pairs.count};
}

/* "rule=anti_affinity+group=web": blanks are written as '+'. */
static void rule_add(struct ek_snapshot *out, struct ek_strings *rules, const char *text)
{
    const char **items = ek_arena_alloc(&out->arena, rules->count + 1, sizeof(*items));
    char *copy = (char *)(uintptr_t)keep(out, text);

    assert_non_null(items);
    for (char *plus = copy; (plus = strchr(plus, '+')) != NULL;) {
        *plus = ' ';
    }
    for (size_t i = 0; i < rules->count; i++) {
        items[i] = rules->items[i];
    }
    items[rules->count] = copy;
    *rules = (struct ek_strings){items, rules->count + 1, true};
}

/* Words that hosts and domains share. */
static bool shared_word(struct ek_snapshot *out, const char *word, struct ek_strings *networks,
                        struct ek_strings *storages, const char **cpu_model,
                        struct ek_labels *labels)
{
    if (value_of(word, "label") != NULL) {
        *labels = labels_of(out, value_of(word, "label"));
    } else if (value_of(word, "net") != NULL) {
        *networks = list(out, value_of(word, "net"));
    } else if (value_of(word, "stor") != NULL) {
        *storages = list(out, value_of(word, "stor"));
    } else if (value_of(word, "cpu") != NULL) {
        *cpu_model = keep(out, value_of(word, "cpu"));
    } else {
        return false;
    }
    return true;
}

static bool host_state(struct ek_host *host, const char *word)
{
    for (unsigned int state = EK_HOST_UP; state <= EK_HOST_DOWN; state++) {
        if (strcmp(word, ek_host_state_name((enum ek_host_state)state)) == 0) {
            host->state = (enum ek_host_state)state;
            return true;
        }
    }
    return false;
}

static void host_word(struct ek_snapshot *out, struct ek_host *host, const char *word)
{
    const char *used = value_of(word, "used");
    bool known =
        number(word, "c", &host->cpu_cores) || size_mib(word, &host->memory_mib) ||
        host_state(host, word) ||
        shared_word(out, word, &host->networks, &host->storages, &host->cpu_model, &host->labels) ||
        (used != NULL &&
         (number(used, "c", &host->cpu_used_cores) || size_mib(used, &host->memory_used_mib)));

    if (known) {
        return;
    }
    if (strcmp(word, "partial") == 0) {
        host->partial = true;
    } else if (strcmp(word, "maintenance") == 0) {
        host->maintenance = true;
    } else if (value_of(word, "deadline") != NULL) {
        host->deadline_ms = (int64_t)(1000 * strtod(value_of(word, "deadline"), NULL));
    } else if (value_of(word, "hv") != NULL) {
        host->hypervisor = keep(out, value_of(word, "hv"));
    } else if (value_of(word, "uuid") != NULL) {
        host->uuid = keep(out, value_of(word, "uuid"));
    } else if (value_of(word, "link") == NULL ||
               !number(value_of(word, "link"), "", &host->migration_mib_s)) {
        fail_msg("host %s: unknown word %s", host->name, word);
    }
}

static void host_item(struct ek_snapshot *out, const char *name, char **next)
{
    struct ek_host *host = &out->hosts[out->host_count++];
    const char *word = NULL;

    *host = (struct ek_host){.name = keep(out, name),
                             .cpu_cores = 8,
                             .memory_mib = 16 * 1024,
                             .cpu_used_cores = NAN,
                             .memory_used_mib = NAN,
                             .migration_mib_s = EK_DEFAULT_MIGRATION_MIB_S};
    while ((word = strtok_r(NULL, " \n", next)) != NULL) {
        host_word(out, host, word);
    }
}

static bool flag(struct ek_domain *domain, const char *word)
{
    if (strcmp(word, "immovable") == 0) {
        domain->movable = false;
    } else if (strcmp(word, "block") == 0) {
        domain->evacuation = EK_EVACUATE_BLOCK;
    } else if (strcmp(word, "save") == 0) {
        domain->evacuation = EK_EVACUATE_SAVE;
    } else if (strcmp(word, "shutdown") == 0) {
        domain->evacuation = EK_EVACUATE_SHUTDOWN;
    } else if (strcmp(word, "postcopy") == 0) {
        domain->evacuation = EK_EVACUATE_POSTCOPY;
    } else if (strcmp(word, "paused") == 0) {
        domain->paused = true;
    } else if (strcmp(word, "incoming") == 0) {
        domain->incoming = true;
        domain->movable = false;
    } else {
        return false;
    }
    return true;
}

/* What is expected of it, and what it waited for. */
static bool outlook_word(struct ek_domain *domain, const char *word)
{
    const char *steal = value_of(word, "steal");
    const char *want = value_of(word, "want");
    const char *noise = value_of(word, "noise");

    domain->cpu_outlook.known = domain->cpu_outlook.known || want != NULL;
    return (steal != NULL && number(steal, "", &domain->cpu_steal)) ||
           (want != NULL && number(want, "c", &domain->cpu_outlook.demand)) ||
           (noise != NULL && number(noise, "c", &domain->cpu_outlook.noise));
}

static void domain_word(struct ek_snapshot *out, struct ek_domain *domain, const char *word,
                        int *sizes)
{
    double size = 0;

    if (size_mib(word, &size)) {
        assert_in_range(++*sizes, 1, 2);
        *(*sizes == 1 ? &domain->memory_mib : &domain->memory_rss_mib) = size;
        return;
    }
    const char *dirty = value_of(word, "dirty");
    const char *disk = value_of(word, "disk");
    bool known = number(word, "v", &domain->vcpus) || number(word, "c", &domain->cpu_used_cores) ||
                 flag(domain, word) || outlook_word(domain, word) ||
                 shared_word(out, word, &domain->networks, &domain->storages, &domain->cpu_model,
                             &domain->labels) ||
                 (dirty != NULL && number(dirty, "", &domain->dirty_mib_s)) ||
                 (disk != NULL && size_mib(disk, &domain->local_disk_mib));
    if (!known && value_of(word, "dev") != NULL) {
        domain->devices = list(out, value_of(word, "dev"));
    } else if (!known && value_of(word, "rule") != NULL) {
        rule_add(out, &domain->rules, value_of(word, "rule"));
    } else if (!known) {
        fail_msg("domain %s: unknown word %s", domain->name, word);
    }
}

/* "a@h1" or "a@h1->h2": name, host and, if there, destination. */
static void domain_place(struct ek_snapshot *out, char *word)
{
    char *host = strchr(word, '@');
    char *arrow = strstr(word, "->");
    uint32_t domain = EK_NONE;

    *host++ = '\0';
    if (arrow != NULL) {
        *arrow = '\0';
    }
    if (strcmp(word, "?") != 0) {
        domain = (uint32_t)out->domain_count++;
        out->domains[domain] = (struct ek_domain){.uuid = keep(out, word),
                                                  .name = keep(out, word),
                                                  .host = ek_test_host(out, host),
                                                  .vcpus = 1,
                                                  .memory_mib = 1024,
                                                  .cpu_used_cores = NAN,
                                                  .cpu_steal = NAN,
                                                  .memory_used_mib = NAN,
                                                  .memory_rss_mib = NAN,
                                                  .movable = true};
    }
    if (arrow != NULL) {
        out->in_flight[out->in_flight_count++] =
            (struct ek_in_flight){.domain = domain,
                                  .source = ek_test_host(out, host),
                                  .destination = ek_test_host(out, arrow + 2)};
    }
}

static void domain_item(struct ek_snapshot *out, char *place, char **next)
{
    const char *word = NULL;
    int sizes = 0;

    domain_place(out, place);
    while ((word = strtok_r(NULL, " \n", next)) != NULL) {
        assert_true(out->domain_count > 0);
        domain_word(out, &out->domains[out->domain_count - 1], word, &sizes);
    }
}

void ek_test_cluster(struct ek_snapshot *out, const char *text)
{
    size_t room = items_count(text);
    char *next_item = NULL;

    memset(out, 0, sizeof(*out));
    out->hosts = ek_arena_alloc(&out->arena, room, sizeof(*out->hosts));
    out->domains = ek_arena_alloc(&out->arena, room, sizeof(*out->domains));
    out->in_flight = ek_arena_alloc(&out->arena, room, sizeof(*out->in_flight));
    char *copy = (char *)(uintptr_t)keep(out, text);
    assert_true(out->hosts != NULL && out->domains != NULL && out->in_flight != NULL);
    for (char *item = strtok_r(copy, ";", &next_item); item != NULL;
         item = strtok_r(NULL, ";", &next_item)) {
        char *next = NULL;
        char *name = strtok_r(item, " \n", &next);
        if (name != NULL && strchr(name, '@') != NULL) {
            domain_item(out, name, &next);
        } else if (name != NULL) {
            host_item(out, name, &next);
        }
    }
}

void ek_test_sampled(struct ek_snapshot *snapshot, int64_t now_ms, int64_t period_ms)
{
    snapshot->taken_at_ms = now_ms;
    for (size_t h = 0; h < snapshot->host_count; h++) {
        snapshot->hosts[h].sampled_at_ms = now_ms;
        snapshot->hosts[h].period_ms = period_ms;
    }
}

uint32_t ek_test_host(const struct ek_snapshot *snapshot, const char *name)
{
    for (uint32_t h = 0; h < snapshot->host_count; h++) {
        if (strcmp(snapshot->hosts[h].name, name) == 0) {
            return h;
        }
    }
    fail_msg("no host %s", name);
    return EK_NONE;
}

uint32_t ek_test_domain(const struct ek_snapshot *snapshot, const char *name)
{
    for (uint32_t d = 0; d < snapshot->domain_count; d++) {
        if (strcmp(snapshot->domains[d].name, name) == 0) {
            return d;
        }
    }
    fail_msg("no domain %s", name);
    return EK_NONE;
}

void ek_test_print_moves(const struct ek_plan *plan, struct ek_text *out)
{
    for (size_t i = 0; i < plan->move_count; i++) {
        const struct ek_plan_move *move = &plan->moves[i];
        ek_text_add(out, "%s %s->%s %s\n", plan->snapshot->domains[move->domain].name,
                    plan->snapshot->hosts[move->source].name,
                    plan->snapshot->hosts[move->destination].name, ek_move_kind_name(move->kind));
    }
}

void ek_test_print_unresolved(const struct ek_plan *plan, struct ek_text *out)
{
    for (size_t i = 0; i < plan->unresolved_count; i++) {
        const struct ek_unresolved *stuck = &plan->unresolved[i];
        ek_text_add(out, "%s on %s%s: %s\n", plan->snapshot->domains[stuck->domain].name,
                    plan->snapshot->hosts[stuck->host].name, stuck->for_now ? " for now" : "",
                    stuck->reason);
    }
}
