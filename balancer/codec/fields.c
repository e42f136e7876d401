/* Typed fields of an object, and the words in which they are refused. */
#include "balancer/codec/json.h"
#include "balancer/core/utilization.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Every range ends below 2^53 at the latest: beyond it doubles skip integers, and sums of figures
 * could grow past what is exact. */
const struct ek_json_range ek_json_above_0 = {0, EK_JSON_MAX_NUMBER, true, "a number above 0"};
const struct ek_json_range ek_json_at_least_0 = {0, EK_JSON_MAX_NUMBER, false,
                                                 "a number of at least 0"};
const struct ek_json_range ek_json_ratio = {0, 1, false, "a number from 0 to 1"};

/* Of a text that is refused; longer ones are cut in messages. */
enum { SHOWN_BYTES = 60, FOUND_SIZE = SHOWN_BYTES + 16 };

/* ---- refusing ---------------------------------------------------------------------------------
 */

/* A short text that is put together from pieces and cut, never overrun, when it is full. */
struct words {
    char text[200];
    size_t used;
};

static void words_add(struct words *words, const char *before, const char *word)
{
    int length = snprintf(words->text + words->used, sizeof(words->text) - words->used, "%s%s",
                          before, word);
    /* What does not fit is left out; the next shorter word may still fit. */
    if (length > 0 && words->used + (size_t)length < sizeof(words->text)) {
        words->used += (size_t)length;
    }
}

/* "hosts[3].labels": recursion as deep as the readers go, not as the document does. */
static void words_add_path(struct words *words, const struct ek_json_node *node)
{
    /* From the document inwards: parents first. */
    if (node->parent != NULL) {
        words_add_path(words, node->parent);
    }
    if (node->key != NULL) {
        words_add(words, words->used > 0 ? "." : "", node->key);
    } else if (node->parent != NULL) {
        char index[32];
        (void)snprintf(index, sizeof(index), "[%zu]", node->index);
        words_add(words, "", index);
    }
}

/* What was found, as a message shows it: long texts cut, containers by their kind alone. */
static void describe(const cJSON *item, char *text, size_t size)
{
    if (item == NULL) {
        (void)snprintf(text, size, "nothing");
    } else if (cJSON_IsString(item)) {
        size_t length = strlen(item->valuestring);
        size_t shown = length < SHOWN_BYTES ? length : SHOWN_BYTES;
        while (shown < length && (item->valuestring[shown] & 0xC0) == 0x80) {
            shown--; /* no character is cut in two */
        }
        (void)snprintf(text, size, "\"%.*s%s\"", (int)shown, item->valuestring,
                       shown < length ? "..." : "");
    } else if (cJSON_IsNumber(item)) {
        /* As people write it, unless that is another number: 2^53 needs its last digits. */
        (void)snprintf(text, size, "%.15g", item->valuedouble);
        if (isfinite(item->valuedouble) && strtod(text, NULL) != item->valuedouble) {
            (void)snprintf(text, size, "%.17g", item->valuedouble);
        }
    } else {
        (void)snprintf(text, size, "%s",
                       cJSON_IsTrue(item)    ? "true"
                       : cJSON_IsFalse(item) ? "false"
                       : cJSON_IsNull(item)  ? "null"
                       : cJSON_IsArray(item) ? "a list"
                                             : "an object");
    }
}

/* "NAME: hosts[3].memory_mib: found ..., expected ...", always false. */
static bool refuse_item(const struct ek_json_node *node, const char *key, const char *found,
                        const char *expected)
{
    struct words path = {.used = 0};

    words_add_path(&path, node);
    if (key != NULL) {
        words_add(&path, path.used > 0 ? "." : "", key);
    }
    struct ek_error *err = node->reader->err;
    (void)ek_error_set(err, EK_ERR_INVALID, "%s: %s%sfound %s, expected %s", node->reader->name,
                       path.text, path.used > 0 ? ": " : "", found, expected);
    /* Over the whole message: names of labels and of files come from outside, too. */
    for (char *at = err->message; *at != '\0'; at++) {
        if ((unsigned char)*at < ' ') {
            *at = '?'; /* what a document says must not make lines in a log */
        }
    }
    return false;
}

/* Looks the member up again instead of being handed it: only refusals pay for that. */
bool ek_json_refuse(const struct ek_json_node *object, const char *key, const char *expected)
{
    char found[FOUND_SIZE];
    const cJSON *item =
        key == NULL ? object->item : cJSON_GetObjectItemCaseSensitive(object->item, key);

    describe(item, found, sizeof(found));
    return refuse_item(object, key, found, expected);
}

bool ek_json_no_memory(const struct ek_json_reader *reader)
{
    return ek_error_set(reader->err, EK_ERR_NOMEM, "%s: out of memory", reader->name);
}

/* ---- finding ----------------------------------------------------------------------------------
 */

/* *item is NULL when the member is absent and may be. The whole object is passed through, since
 * which of two equal names counts is not defined by JSON. */
static bool find(const struct ek_json_node *object, const char *key, enum ek_json_need need,
                 const char *expected, const cJSON **item)
{
    *item = NULL;
    /* An element of a list may be anything; members are only asked for here. */
    if (!cJSON_IsObject(object->item)) {
        return ek_json_refuse(object, NULL, "an object");
    }
    for (const cJSON *child = object->item->child; child != NULL; child = child->next) {
        if (strcmp(child->string, key) != 0) {
            continue;
        }
        if (*item != NULL) {
            return refuse_item(object, key, "it twice", "it once");
        }
        *item = child;
    }
    return *item != NULL || need == EK_JSON_OPTIONAL || ek_json_refuse(object, key, expected);
}

/* ---- reading ----------------------------------------------------------------------------------
 */

bool ek_json_get_number(const struct ek_json_node *object, const char *key, enum ek_json_need need,
                        const struct ek_json_range *range, double *out)
{
    const cJSON *item;

    if (!find(object, key, need, range->expected, &item)) {
        return false;
    }
    if (item == NULL) {
        return true;
    }
    double number = item->valuedouble;
    /* cJSON turns 1e999 into infinity, which the range's upper end catches below. */
    if (!cJSON_IsNumber(item) || number < range->min ||
        (range->above_min && number == range->min)) {
        return ek_json_refuse(object, key, range->expected);
    }
    /* With its own words: "above 0" would not tell what is wrong with 1e300. */
    if (number > range->max) {
        return ek_json_refuse(object, key,
                              range->max < EK_JSON_MAX_NUMBER
                                  ? range->expected
                                  : "a number below 9007199254740992 (2^53)");
    }
    *out = number;
    return true;
}

bool ek_json_get_integer(const struct ek_json_node *object, const char *key, enum ek_json_need need,
                         int64_t min, int64_t max, int64_t *out)
{
    const cJSON *item;
    char expected[64];

    /* A version: one value, and no range to speak of. */
    if (min == max) {
        (void)snprintf(expected, sizeof(expected), "%lld", (long long)min);
    } else {
        (void)snprintf(expected, sizeof(expected), "an integer from %lld to %lld", (long long)min,
                       (long long)max);
    }
    if (!find(object, key, need, expected, &item)) {
        return false;
    }
    if (item == NULL) {
        return true;
    }
    double number = item->valuedouble;
    if (!cJSON_IsNumber(item) || !(number >= (double)min && number <= (double)max) ||
        number != floor(number)) {
        return ek_json_refuse(object, key, expected);
    }
    *out = (int64_t)number;
    return true;
}

bool ek_json_get_bool(const struct ek_json_node *object, const char *key, enum ek_json_need need,
                      bool *out)
{
    const cJSON *item;

    if (!find(object, key, need, "true or false", &item)) {
        return false;
    }
    if (item != NULL && !cJSON_IsBool(item)) {
        return ek_json_refuse(object, key, "true or false");
    }
    if (item != NULL) {
        *out = cJSON_IsTrue(item);
    }
    return true;
}

/* Into the arena, since the tree is freed as soon as its element is read. */
static bool copy_text(const struct ek_json_node *node, const cJSON *item, const char **out)
{
    *out = ek_arena_strdup(node->reader->arena, item->valuestring);
    return *out != NULL || ek_json_no_memory(node->reader);
}

bool ek_json_get_text(const struct ek_json_node *object, const char *key, enum ek_json_need need,
                      const char **out)
{
    const cJSON *item;

    if (!find(object, key, need, "a text", &item)) {
        return false;
    }
    if (item == NULL) {
        return true;
    }
    return cJSON_IsString(item) ? copy_text(object, item, out)
                                : ek_json_refuse(object, key, "a text");
}

bool ek_json_get_chars(const struct ek_json_node *object, const char *key, enum ek_json_need need,
                       size_t min_length, char *out, size_t size)
{
    const cJSON *item;
    char expected[64];

    (void)snprintf(expected, sizeof(expected), "a text of %zu to %zu bytes", min_length, size - 1);
    if (!find(object, key, need, expected, &item)) {
        return false;
    }
    if (item == NULL) {
        return true;
    }
    /* Any other type counts as too long and is refused with the same words. */
    size_t length = cJSON_IsString(item) ? strlen(item->valuestring) : size;
    if (length >= size || length < min_length) {
        return ek_json_refuse(object, key, expected);
    }
    /* With its end, which the length check has left room for. */
    memcpy(out, item->valuestring, length + 1);
    return true;
}

bool ek_json_get_choice(const struct ek_json_node *object, const char *key, enum ek_json_need need,
                        const char *const *names, size_t count, unsigned int *out)
{
    const cJSON *item;
    struct words expected = {.used = 0};

    for (size_t i = 0; i < count; i++) {
        /* "a, b or c", as a sentence has it. */
        words_add(&expected, i == 0 ? "" : i + 1 < count ? ", " : " or ", names[i]);
    }
    if (!find(object, key, need, expected.text, &item)) {
        return false;
    }
    for (size_t i = 0; i < count && cJSON_IsString(item); i++) {
        if (strcmp(names[i], item->valuestring) == 0) {
            *out = (unsigned int)i;
            return true;
        }
    }
    return item == NULL || ek_json_refuse(object, key, expected.text);
}

bool ek_json_get_object(const struct ek_json_node *object, const char *key, enum ek_json_need need,
                        struct ek_json_node *out)
{
    /* `key` is a literal of the caller's and outlives the node. */
    *out = (struct ek_json_node){.reader = object->reader, .parent = object, .key = key};
    return find(object, key, need, "an object", &out->item) &&
           (out->item == NULL || cJSON_IsObject(out->item) ||
            ek_json_refuse(object, key, "an object"));
}

bool ek_json_get_strings(const struct ek_json_node *object, const char *key, struct ek_strings *out)
{
    struct ek_json_node list = {.reader = object->reader, .parent = object, .key = key};
    size_t count = 0;

    if (!find(object, key, EK_JSON_OPTIONAL, "a list of texts", &list.item)) {
        return false;
    }
    if (list.item == NULL) {
        return true;
    }
    if (!cJSON_IsArray(list.item)) {
        return ek_json_refuse(object, key, "a list of texts");
    }
    /* GetArraySize walks the list: once here, not in the loop's condition. */
    const char **items = ek_arena_alloc(object->reader->arena,
                                        (size_t)cJSON_GetArraySize(list.item), sizeof(*items));
    if (items == NULL) {
        return ek_json_no_memory(object->reader);
    }
    for (const cJSON *item = list.item->child; item != NULL; item = item->next, count++) {
        struct ek_json_node node = {
            .reader = list.reader, .parent = &list, .index = count, .item = item};
        if (!cJSON_IsString(item)) {
            return ek_json_refuse(&node, NULL, "a text");
        }
        if (!copy_text(&node, item, &items[count])) {
            return false;
        }
    }
    /* `given` also for an empty list: it means "none", where an absent one means "anything". */
    *out = (struct ek_strings){.items = items, .count = count, .given = true};
    return true;
}

bool ek_json_get_labels(const struct ek_json_node *object, const char *key, struct ek_labels *out)
{
    struct ek_json_node node;
    size_t count = 0;

    if (!ek_json_get_object(object, key, EK_JSON_OPTIONAL, &node)) {
        return false;
    }
    if (node.item == NULL) {
        return true;
    }
    /* Equal names are kept as they come: which counts is the rules' matter, not the reader's. */
    struct ek_label *items = ek_arena_alloc(object->reader->arena,
                                            (size_t)cJSON_GetArraySize(node.item), sizeof(*items));
    if (items == NULL) {
        return ek_json_no_memory(object->reader);
    }
    for (const cJSON *item = node.item->child; item != NULL; item = item->next, count++) {
        char found[FOUND_SIZE];
        describe(item, found, sizeof(found));
        if (!cJSON_IsString(item)) {
            return refuse_item(&node, item->string, found, "a text");
        }
        items[count].key = ek_arena_strdup(object->reader->arena, item->string);
        if (items[count].key == NULL || !copy_text(&node, item, &items[count].value)) {
            return ek_json_no_memory(object->reader);
        }
    }
    *out = (struct ek_labels){.items = items, .count = count};
    return true;
}

bool ek_json_get_figures(const struct ek_json_node *node, const char *key, enum ek_json_need need,
                         bool first, struct ek_resources *resources, double *figures)
{
    struct ek_json_node object;
    const cJSON *item = NULL;

    if (!ek_json_get_object(node, key, need, &object)) {
        return false;
    }
    cJSON_ArrayForEach(item, object.item)
    {
        if (!first) {
            break;
        }
        if (resources->count == EK_RESOURCE_MAX || strlen(item->string) >= EK_RESOURCE_NAME_SIZE) {
            return ek_json_refuse(node, key, "the names of known resources");
        }
        memcpy(resources->names[resources->count++], item->string, strlen(item->string) + 1);
    }
    for (unsigned int r = 0; object.item != NULL && r < resources->count; r++) {
        if (!ek_json_get_number(&object, resources->names[r], EK_JSON_REQUIRED, &ek_json_at_least_0,
                                &figures[r])) {
            return false;
        }
    }
    return true;
}
