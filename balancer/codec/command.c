/* reply:<id>: `error` names the kind of failure with the words of core/error.h, so that a script
 * can tell them apart; it is absent when all went well. */
#include "balancer/codec/command.h"

#include "balancer/codec/json.h"

#include <stddef.h>
#include <string.h>

static const char *const errors[] = {
#define X(code, text) text,
    EK_ERROR_CODES(X)
#undef X
};

struct text_field {
    const char *key;
    size_t offset;
    size_t size;
};

#define TEXT(key, field)                                                                   \
    {                                                                                      \
        key, offsetof(struct ek_evidence, field), sizeof(((struct ek_evidence *)0)->field) \
    }

/* One table for both directions. */
static const struct text_field texts[] = {
    TEXT("move", move),
    TEXT("domain", domain),
    TEXT("name", name),
    TEXT("source", source),
    TEXT("destination", destination),
    TEXT("state", state),
    TEXT("error", error),
    TEXT("on_source", on_source),
    TEXT("on_destination", on_destination),
    TEXT("elsewhere", elsewhere),
    TEXT("verdict", verdict),
    TEXT("meaning", meaning),
    TEXT("refused", refused),
};

enum { TEXTS = sizeof(texts) / sizeof(texts[0]) };

static void write_evidence(struct ek_json_writer *writer, const struct ek_evidence *evidence)
{
    ek_json_begin(writer, '{');
    for (size_t i = 0; i < TEXTS; i++) {
        ek_json_put_text(writer, texts[i].key, (const char *)evidence + texts[i].offset);
    }
    ek_json_put_integer(writer, "since_ms", evidence->since_ms);
    ek_json_key(writer, "choices");
    ek_json_begin(writer, '[');
    for (size_t i = 0; i < evidence->choice_count; i++) {
        ek_json_begin(writer, '{');
        ek_json_put_text(writer, "name", evidence->choices[i].name);
        ek_json_put_text(writer, "does", evidence->choices[i].does);
        ek_json_put_bool(writer, "needs_yes", evidence->choices[i].needs_yes);
        ek_json_end(writer, '}');
    }
    ek_json_end(writer, ']');
    ek_json_end(writer, '}');
}

void ek_json_write_reply(struct ek_json_writer *writer, const struct ek_command_reply *reply)
{
    ek_json_begin(writer, '{');
    ek_json_put_integer(writer, "version", 1);
    ek_json_put_text(writer, "id", reply->id);
    ek_json_put_bool(writer, "done", reply->code == EK_ERR_NONE);
    if (reply->code != EK_ERR_NONE) {
        ek_json_put_text(writer, "error", errors[reply->code]);
    }
    ek_json_put_text(writer, "text", reply->text);
    if (reply->evidence.move[0] != '\0') {
        ek_json_key(writer, "evidence");
        write_evidence(writer, &reply->evidence);
    }
    ek_json_end(writer, '}');
}

char *ek_codec_write_reply(const struct ek_command_reply *reply)
{
    struct ek_json_writer writer = {0};

    ek_json_write_reply(&writer, reply);
    return ek_json_finish(&writer);
}

static bool read_choice(const struct ek_json_node *node, size_t index, void *context)
{
    struct ek_evidence *evidence = context;
    const size_t room = sizeof(evidence->choices) / sizeof(evidence->choices[0]);

    if (index >= room) {
        return ek_json_refuse(node, NULL, "no more choices than there can be");
    }
    struct ek_evidence_choice *choice = &evidence->choices[evidence->choice_count++];
    return ek_json_get_chars(node, "name", EK_JSON_REQUIRED, 1, choice->name,
                             sizeof(choice->name)) &&
           ek_json_get_chars(node, "does", EK_JSON_REQUIRED, 1, choice->does,
                             sizeof(choice->does)) &&
           ek_json_get_bool(node, "needs_yes", EK_JSON_REQUIRED, &choice->needs_yes);
}

/* A list inside an object: few elements, so the tree that is there is walked. */
static bool read_choices(const struct ek_json_node *node, struct ek_evidence *evidence)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(node->item, "choices");
    const cJSON *item = NULL;
    size_t index = 0;
    struct ek_json_node parent = {
        .reader = node->reader, .parent = node, .key = "choices", .item = list};

    if (!cJSON_IsArray(list)) {
        return ek_json_refuse(node, "choices", "a list");
    }
    cJSON_ArrayForEach(item, list)
    {
        struct ek_json_node element = {
            .reader = node->reader, .parent = &parent, .index = index, .item = item};
        if (!read_choice(&element, index++, evidence)) {
            return false;
        }
    }
    return true;
}

static bool read_evidence(const struct ek_json_node *node, struct ek_evidence *evidence)
{
    for (size_t i = 0; i < TEXTS; i++) {
        if (!ek_json_get_chars(node, texts[i].key, EK_JSON_REQUIRED, i == 0 ? 1 : 0,
                               (char *)evidence + texts[i].offset, texts[i].size)) {
            return false;
        }
    }
    return ek_json_get_integer(node, "since_ms", EK_JSON_REQUIRED, 0, (int64_t)EK_JSON_MAX_NUMBER,
                               &evidence->since_ms) &&
           read_choices(node, evidence);
}

bool ek_codec_read_reply(struct ek_command_reply *out, const char *text, size_t size,
                         const char *name, struct ek_error *err)
{
    const struct ek_json_reader reader = {.name = name, .err = err};
    cJSON *document EK_JSON_SCOPED = NULL;
    struct ek_json_node evidence;
    unsigned int code = EK_ERR_NONE;
    bool done = false;

    memset(out, 0, sizeof(*out));
    if (!ek_json_open(&reader, text, size, NULL, 0, &document)) {
        return false;
    }
    struct ek_json_node node = {.reader = &reader, .item = document};
    if (!ek_json_get_chars(&node, "id", EK_JSON_REQUIRED, 1, out->id, sizeof(out->id)) ||
        !ek_json_get_bool(&node, "done", EK_JSON_REQUIRED, &done) ||
        !ek_json_get_choice(&node, "error", done ? EK_JSON_OPTIONAL : EK_JSON_REQUIRED, errors,
                            sizeof(errors) / sizeof(errors[0]), &code) ||
        !ek_json_get_chars(&node, "text", EK_JSON_REQUIRED, 0, out->text, sizeof(out->text)) ||
        !ek_json_get_object(&node, "evidence", EK_JSON_OPTIONAL, &evidence)) {
        return false;
    }
    out->code = (enum ek_error_code)code;
    return evidence.item == NULL || read_evidence(&evidence, &out->evidence);
}
