/* Inputs as JSON. Snapshot and rests are documents of their own in it, written and read by their
 * own code: what goes in there comes out to the bit. */
#include "balancer/codec/input.h"

#include "balancer/codec/codec.h"
#include "balancer/codec/json.h"
#include "balancer/codec/rests.h"

#include <stdlib.h>
#include <string.h>

/* ---- writing ------------------------------------------------------------------------------- */

static void write_wishes(struct ek_json_writer *writer, const struct ek_effect *effect)
{
    const struct ek_snapshot *snapshot = effect->u.plan.plan->snapshot;

    ek_json_put_text(writer, "summary", effect->u.plan.plan->summary);
    ek_json_key(writer, "wishes");
    ek_json_begin(writer, '[');
    for (size_t i = 0; i < effect->u.plan.wish_count; i++) {
        const struct ek_plan_wish *wish = &effect->u.plan.wishes[i];
        ek_json_begin(writer, '{');
        ek_json_put_text(writer, "domain", snapshot->domains[wish->domain].uuid);
        ek_json_put_text(writer, "destination", snapshot->hosts[wish->destination].name);
        ek_json_put_text(writer, "reason", wish->reason);
        ek_json_end(writer, '}');
    }
    ek_json_end(writer, ']');
}

static void write_request(struct ek_json_writer *writer, const struct ek_effect *effect)
{
    const struct ek_plan_request *request = effect->u.plan.request;

    ek_json_key(writer, "request");
    ek_json_begin(writer, '{');
    ek_json_put_bool(writer, "balances", request->balance != NULL);
    ek_json_put_text(writer, "balance_held", request->balance_held);
    ek_json_put_bool(writer, "evacuate_only", request->evacuate_only);
    ek_json_put_bool(writer, "prefer_held", request->prefer_held);
    if (request->pace != EK_PACE_LIMITS) {
        ek_json_put_text(writer, "pace", ek_pace_name(request->pace));
    }
    if (effect->u.plan.wishes != NULL) {
        write_wishes(writer, effect);
    }
    ek_json_end(writer, '}');
}

/* Rests do not say who is blocked: for a balancer that starts anew the journal does. */
static void write_blocked(struct ek_json_writer *writer, const struct ek_kept *kept)
{
    ek_json_key(writer, "blocked");
    ek_json_begin(writer, '[');
    for (size_t i = 0; i < kept->rest_count; i++) {
        if (kept->rests[i].blocked) {
            ek_json_text(writer, kept->rests[i].domain);
        }
    }
    ek_json_end(writer, ']');
}

char *ek_codec_write_input(const struct ek_effect *effect, const char *policy_yaml,
                           const struct ek_kept *kept, const char *version)
{
    struct ek_json_writer writer = {0};
    char *snapshot = ek_codec_write_snapshot(effect->u.plan.plan->snapshot);
    char *rests = ek_codec_write_rests(kept);

    if (snapshot == NULL || rests == NULL) {
        free(snapshot);
        free(rests);
        return NULL;
    }
    ek_json_begin(&writer, '{');
    ek_json_put_integer(&writer, "version", 1);
    ek_json_put_text(&writer, "evenkeel", version);
    ek_json_put_text(&writer, "policy", policy_yaml);
    write_request(&writer, effect);
    write_blocked(&writer, kept);
    ek_json_key(&writer, "engine");
    ek_json_raw(&writer, rests);
    ek_json_key(&writer, "snapshot");
    ek_json_raw(&writer, snapshot);
    ek_json_end(&writer, '}');
    free(snapshot);
    free(rests);
    return ek_json_finish(&writer);
}

/* ---- reading ------------------------------------------------------------------------------- */

static bool read_wish(const struct ek_json_node *node, struct ek_input *out,
                      struct ek_plan_wish *wish)
{
    char name[EK_NAME_SIZE];
    bool ambiguous = false;

    if (!ek_json_get_chars(node, "domain", EK_JSON_REQUIRED, 1, name, sizeof(name))) {
        return false;
    }
    wish->domain = ek_snapshot_find_domain(&out->snapshot, name, &ambiguous);
    if (wish->domain == EK_NONE) {
        return ek_json_refuse(node, "domain", "the UUID of one of the snapshot's domains");
    }
    if (!ek_json_get_chars(node, "destination", EK_JSON_REQUIRED, 1, name, sizeof(name))) {
        return false;
    }
    wish->destination = ek_snapshot_find_host(&out->snapshot, name);
    if (wish->destination == EK_NONE) {
        return ek_json_refuse(node, "destination", "the name of one of the snapshot's hosts");
    }
    return ek_json_get_text(node, "reason", EK_JSON_REQUIRED, &wish->reason);
}

/* A handful at most: the tree that is there is walked. */
static bool read_wishes(const struct ek_json_node *node, struct ek_input *out)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(node->item, "wishes");
    const cJSON *item = NULL;
    struct ek_json_node parent = {
        .reader = node->reader, .parent = node, .key = "wishes", .item = list};

    if (list == NULL) {
        return true;
    }
    if (!cJSON_IsArray(list)) {
        return ek_json_refuse(node, "wishes", "a list");
    }
    out->ordered = true;
    out->wishes =
        ek_arena_alloc(&out->arena, (size_t)cJSON_GetArraySize(list), sizeof(*out->wishes));
    if (out->wishes == NULL) {
        return ek_json_no_memory(node->reader);
    }
    cJSON_ArrayForEach(item, list)
    {
        struct ek_json_node element = {
            .reader = node->reader, .parent = &parent, .index = out->wish_count, .item = item};
        if (!read_wish(&element, out, &out->wishes[out->wish_count++])) {
            return false;
        }
    }
    return ek_json_get_text(node, "summary", EK_JSON_REQUIRED, &out->summary);
}

static bool read_request(const struct ek_json_node *document, struct ek_input *out)
{
    struct ek_json_node node;

    return ek_json_get_object(document, "request", EK_JSON_REQUIRED, &node) &&
           ek_json_get_bool(&node, "balances", EK_JSON_REQUIRED, &out->balances) &&
           ek_json_get_text(&node, "balance_held", EK_JSON_OPTIONAL, &out->balance_held) &&
           ek_json_get_bool(&node, "evacuate_only", EK_JSON_REQUIRED, &out->evacuate_only) &&
           ek_json_get_bool(&node, "prefer_held", EK_JSON_REQUIRED, &out->prefer_held) &&
           ek_json_get_pace(&node, "pace", &out->pace) && read_wishes(&node, out);
}

enum { SNAPSHOT, ENGINE, PART_COUNT };

/* The documents in it, under names that say where they stand. */
static bool read_parts(struct ek_input *out, const struct ek_json_list *parts, const char *name,
                       struct ek_error *err)
{
    for (size_t i = 0; i < PART_COUNT; i++) {
        if (parts[i].text == NULL) {
            return ek_error_set(err, EK_ERR_INVALID, "%s: %s: found nothing, expected an object",
                                name, parts[i].key);
        }
    }
    return ek_codec_read_snapshot(&out->snapshot, parts[SNAPSHOT].text,
                                  (size_t)(parts[SNAPSHOT].end - parts[SNAPSHOT].text), name,
                                  err) &&
           ek_snapshot_check(&out->snapshot, err) &&
           ek_codec_read_rests(&out->kept, parts[ENGINE].text,
                               (size_t)(parts[ENGINE].end - parts[ENGINE].text), name, err);
}

bool ek_codec_read_input(struct ek_input *out, const char *text, size_t size, const char *name,
                         struct ek_error *err)
{
    const struct ek_json_reader reader = {.name = name, .arena = &out->arena, .err = err};
    struct ek_json_list parts[PART_COUNT] = {[SNAPSHOT] = {.key = "snapshot", .whole = true},
                                             [ENGINE] = {.key = "engine", .whole = true}};
    EK_JSON_SCOPED cJSON *document = NULL;

    memset(out, 0, sizeof(*out));
    bool ok = ek_json_open(&reader, text, size, parts, PART_COUNT, &document);
    const struct ek_json_node node = {.reader = &reader, .item = document};
    ok = ok &&
         ek_json_get_chars(&node, "evenkeel", EK_JSON_OPTIONAL, 0, out->version,
                           sizeof(out->version)) &&
         ek_json_get_text(&node, "policy", EK_JSON_REQUIRED, &out->policy) &&
         ek_json_get_strings(&node, "blocked", &out->blocked) &&
         read_parts(out, parts, name, err) && read_request(&node, out);
    if (!ok) {
        ek_input_finish(out);
    }
    return ok;
}

void ek_input_finish(struct ek_input *input)
{
    ek_snapshot_finish(&input->snapshot);
    ek_kept_finish(&input->kept);
    ek_arena_finish(&input->arena);
    memset(input, 0, sizeof(*input));
}
