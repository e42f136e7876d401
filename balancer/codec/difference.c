/* Two documents side by side: members by name, elements by place. */
#include "balancer/codec/difference.h"

#include "balancer/codec/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Paths of our documents are far shorter; a value is shown by its beginning. */
enum { PATH_SIZE = 300, VALUE_SIZE = 200 };

struct walk {
    void (*visit)(void *context, const struct ek_difference *difference);
    void *context;
    char path[PATH_SIZE];
    bool no_memory;
};

/* A number is shown with all of its digits: the last of them may be all that differs. */
static const char *show(struct walk *walk, const cJSON *item, char text[VALUE_SIZE])
{
    if (item == NULL) {
        return NULL;
    }
    if (cJSON_IsNumber(item)) {
        (void)snprintf(text, VALUE_SIZE, "%.17g", item->valuedouble);
        return text;
    }
    char *printed = cJSON_PrintUnformatted(item);
    walk->no_memory = walk->no_memory || printed == NULL;
    (void)snprintf(text, VALUE_SIZE, "%s", printed == NULL ? "" : printed);
    free(printed);
    return text;
}

static void tell(struct walk *walk, const cJSON *left, const cJSON *right)
{
    char left_text[VALUE_SIZE];
    char right_text[VALUE_SIZE];
    const struct ek_difference difference = {.path = walk->path,
                                             .left = show(walk, left, left_text),
                                             .right = show(walk, right, right_text)};

    walk->visit(walk->context, &difference);
}

static void compare(struct walk *walk, const cJSON *left, const cJSON *right);

/* The path is cut where it was when the pair has been compared. */
static void compare_below(struct walk *walk, const char *name, size_t index, const cJSON *left,
                          const cJSON *right)
{
    size_t length = strlen(walk->path);

    if (name == NULL) {
        (void)snprintf(walk->path + length, PATH_SIZE - length, "[%zu]", index);
    } else {
        (void)snprintf(walk->path + length, PATH_SIZE - length, "%s%s", length == 0 ? "" : ".",
                       name);
    }
    compare(walk, left, right);
    walk->path[length] = '\0';
}

static void compare_objects(struct walk *walk, const cJSON *left, const cJSON *right)
{
    const cJSON *item = NULL;

    cJSON_ArrayForEach(item, left)
    {
        compare_below(walk, item->string, 0, item,
                      cJSON_GetObjectItemCaseSensitive(right, item->string));
    }
    cJSON_ArrayForEach(item, right)
    {
        if (!cJSON_GetObjectItemCaseSensitive(left, item->string)) {
            compare_below(walk, item->string, 0, NULL, item);
        }
    }
}

static void compare_lists(struct walk *walk, const cJSON *left, const cJSON *right)
{
    const cJSON *a = left->child;
    const cJSON *b = right->child;

    for (size_t i = 0; a != NULL || b != NULL; i++) {
        compare_below(walk, NULL, i, a, b);
        a = a == NULL ? NULL : a->next;
        b = b == NULL ? NULL : b->next;
    }
}

/* Numbers by their value, all of it: cJSON's own comparison has a tolerance. */
static bool is_same(const cJSON *left, const cJSON *right)
{
    if (cJSON_IsNumber(left)) {
        return cJSON_IsNumber(right) && left->valuedouble == right->valuedouble;
    }
    return cJSON_Compare(left, right, true);
}

static void compare(struct walk *walk, const cJSON *left, const cJSON *right)
{
    if (left == NULL || right == NULL) {
        tell(walk, left, right);
    } else if (cJSON_IsObject(left) && cJSON_IsObject(right)) {
        compare_objects(walk, left, right);
    } else if (cJSON_IsArray(left) && cJSON_IsArray(right)) {
        compare_lists(walk, left, right);
    } else if (!is_same(left, right)) {
        tell(walk, left, right);
    }
}

bool ek_codec_differences(const char *left, const char *right,
                          void (*visit)(void *context, const struct ek_difference *difference),
                          void *context, struct ek_error *err)
{
    struct walk walk = {.visit = visit, .context = context};

    if (!ek_json_check_syntax(left, strlen(left), "the first document", err) ||
        !ek_json_check_syntax(right, strlen(right), "the second document", err)) {
        return false;
    }
    EK_JSON_SCOPED cJSON *a = cJSON_Parse(left);
    EK_JSON_SCOPED cJSON *b = cJSON_Parse(right);
    if (a != NULL && b != NULL) {
        compare(&walk, a, b);
    }
    return (a != NULL && b != NULL && !walk.no_memory) ||
           ek_error_set(err, EK_ERR_NOMEM, "out of memory for the differences");
}
