/* A document: its members as a tree, its long lists element by element. */
#include "balancer/codec/codec.h"
#include "balancer/codec/json.h"

#include <assert.h>
#include <string.h>

/* Takes the pointer's address, as __attribute__((cleanup)) hands it over. */
void ek_json_release(cJSON **item)
{
    cJSON_Delete(*item);
    *item = NULL;
}

/* All below walk text whose syntax has been checked, within the outermost bracket: they need no
 * bounds, since every value there is followed by a comma or a bracket. */

/* JSON's four blanks; isspace() would take more, and depend on the locale. */
static const char *skip_blanks(const char *at)
{
    return at + strspn(at, " \n\r\t");
}

static const char *skip_string(const char *at)
{
    /* A quote behind a backslash ends nothing, and a backslash behind one is a plain character:
     * skip both as a pair. */
    for (at++; *at != '"'; at++) {
        if (*at == '\\') {
            at++;
        }
    }
    return at + 1;
}

/* The end of the list or object at `at`; *elements is how many values stand directly in it. */
static const char *skip_container(const char *at, size_t *elements)
{
    int depth = 1;

    at = skip_blanks(at + 1);
    /* Commas count the gaps between elements, so an empty list must be told apart. */
    *elements = *at == ']' || *at == '}' ? 0 : 1;
    while (depth > 0) {
        if (*at == '"') {
            at = skip_string(at);
            continue;
        }
        /* One counter for both kinds of brackets: the syntax check has matched them. */
        depth += (*at == '[' || *at == '{') - (*at == ']' || *at == '}');
        *elements += *at == ',' && depth == 1;
        at++;
    }
    return at;
}

/* The long lists of a document are three at most: no map is worth it. */
static struct ek_json_list *find_list(struct ek_json_list *lists, size_t count, const char *key)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(lists[i].key, key) == 0) {
            return &lists[i];
        }
    }
    return NULL;
}

/* Builds the value at *at and moves there behind it; NULL only when memory ran out, since the
 * syntax is known to be right. (cJSON also notes each start in a global of its own, which nobody
 * reads.) */
static cJSON *parse_value(const char **at, const char *end)
{
    return cJSON_ParseWithLengthOpts(*at, (size_t)(end - *at), at, false);
}

static bool open_member(const struct ek_json_reader *reader, const char **at, const char *end,
                        struct ek_json_list *lists, size_t list_count, cJSON *document)
{
    /* Through cJSON, so that a name written with escapes is still found. */
    cJSON *key EK_JSON_SCOPED = parse_value(at, end);
    if (key == NULL) {
        return ek_json_no_memory(reader);
    }
    /* Over the colon. */
    *at = skip_blanks(skip_blanks(*at) + 1);
    struct ek_json_list *list = find_list(lists, list_count, key->valuestring);
    if (list != NULL && **at == (list->whole ? '{' : '[')) {
        /* JSON does not say which of two equal names counts, so neither does. */
        if (list->text != NULL) {
            return ek_error_set(reader->err, EK_ERR_INVALID,
                                "%s: %s: found it twice, expected it once", reader->name,
                                list->key);
        }
        /* Only noted here: 200,000 domains as one tree would take many times the text's memory. */
        list->text = list->whole ? *at : *at + 1;
        *at = skip_container(*at, &list->left);
        list->end = list->whole ? *at : end;
        list->left = list->whole ? 0 : list->left;
        return true;
    }
    cJSON *value = parse_value(at, end);
    if (value == NULL || !cJSON_AddItemToObject(document, key->valuestring, value)) {
        /* Still ours as long as it is not in the document; deleting NULL does nothing. */
        cJSON_Delete(value);
        return ek_json_no_memory(reader);
    }
    return true;
}

static bool open_members(const struct ek_json_reader *reader, const char *text, size_t size,
                         struct ek_json_list *lists, size_t list_count, cJSON *document)
{
    const char *at = skip_blanks(text);

    /* Said here and not by the syntax check, for a list is good JSON and no document of ours. */
    if (*at != '{') {
        return ek_error_set(reader->err, EK_ERR_INVALID, "%s: found %s, expected an object",
                            reader->name, *at == '[' ? "a list" : "a single value");
    }
    at = skip_blanks(at + 1);
    while (*at != '}') {
        if (!open_member(reader, &at, text + size, lists, list_count, document)) {
            return false;
        }
        at = skip_blanks(at);
        if (*at == ',') {
            at = skip_blanks(at + 1);
        }
    }
    return true;
}

bool ek_json_open(const struct ek_json_reader *reader, const char *text, size_t size,
                  struct ek_json_list *lists, size_t list_count, cJSON **document)
{
    int64_t version = 1;

    *document = NULL;
    /* Before anything walks it: the limit is what bounds time and memory of all below. */
    if (size > EK_CODEC_MAX_BYTES) {
        return ek_error_set(reader->err, EK_ERR_INVALID,
                            "%s: found %zu bytes, expected at most %zu (128 MiB)", reader->name,
                            size, EK_CODEC_MAX_BYTES);
    }
    if (!ek_json_check_syntax(text, size, reader->name, reader->err)) {
        return false;
    }
    *document = cJSON_CreateObject();
    if (*document == NULL) {
        return ek_json_no_memory(reader);
    }
    /* The version last: unknown fields may be anything, but what is no version 1 is refused
     * whole. */
    struct ek_json_node node = {.reader = reader, .item = *document};
    return open_members(reader, text, size, lists, list_count, *document) &&
           ek_json_get_integer(&node, "version", EK_JSON_REQUIRED, 1, 1, &version);
}

cJSON *ek_json_list_next(struct ek_json_list *list)
{
    assert(list->left > 0);
    cJSON *element = parse_value(&list->text, list->end);
    if (element != NULL) {
        list->left--;
        list->text = skip_blanks(list->text);
        /* Behind the last element stands a bracket, which is left for nobody to read. */
        list->text += *list->text == ',';
    }
    return element;
}

bool ek_json_read_list(const struct ek_json_reader *reader, struct ek_json_list *list,
                       ek_json_element_fn *read, void *context)
{
    /* The index is for messages: "hosts[3]". */
    for (size_t i = 0; list->left > 0; i++) {
        /* One element lives at a time; the cleanup frees it before the next is built. */
        cJSON *element EK_JSON_SCOPED = ek_json_list_next(list);
        if (element == NULL) {
            return ek_json_no_memory(reader);
        }
        struct ek_json_node parent = {.reader = reader, .key = list->key};
        struct ek_json_node node = {
            .reader = reader, .parent = &parent, .index = i, .item = element};
        if (!read(&node, i, context)) {
            return false;
        }
    }
    return true;
}
