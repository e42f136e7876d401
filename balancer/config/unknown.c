/* Unknown keys: what could stand there instead, and what was probably meant. */
#include "balancer/config/schema.h"

#include <string.h>

/* Two paths fit in: the one that is wrong and the one that is meant. */
enum { GUESS_SIZE = 2 * EK_PATH_SIZE };

/* The part of the row's path after `path` up to the next dot, if the row lies in that section. */
static bool key_in_section(const struct ek_schema_row *row, const char *path,
                           char key[EK_PATH_SIZE])
{
    size_t length = strlen(path);

    if (row->type == EK_VALUE_REFUSED || strncmp(row->path, path, length) != 0 ||
        (length > 0 && row->path[length] != '.')) {
        return false;
    }
    /* Only the next word: below "trigger" it is "imbalance" that could stand there, at the top
     * "trigger". */
    const char *start = row->path + length + (length > 0);
    (void)snprintf(key, EK_PATH_SIZE, "%.*s", (int)strcspn(start, "."), start);
    return true;
}

/* The keys of the section, and the one among them that `wrong` was most likely meant to be. */
static void list_keys(const struct ek_schema *schema, const char *path, const char *wrong,
                      char list[EK_PATH_SIZE], char near[EK_PATH_SIZE])
{
    char last[EK_PATH_SIZE] = "";
    char key[EK_PATH_SIZE];
    size_t used = 0;

    /* Rows of one section are neighbours, so that comparing with the last key is enough to name
     * each section once. */
    list[0] = near[0] = '\0';
    for (size_t i = 0; i < schema->count; i++) {
        if (!key_in_section(&schema->rows[i], path, key) || strcmp(key, last) == 0) {
            continue;
        }
        memcpy(last, key, sizeof(last));
        int length = snprintf(list + used, EK_PATH_SIZE - used, "%s%s", used == 0 ? "" : ", ", key);
        /* snprintf tells what it would have written: a list that is cut must not count on. */
        used = used + (size_t)length < EK_PATH_SIZE ? used + (size_t)length : EK_PATH_SIZE - 1;
        if (ek_near(wrong, key) &&
            (near[0] == '\0' || ek_near_distance(wrong, key) < ek_near_distance(wrong, near))) {
            memcpy(near, key, EK_PATH_SIZE);
        }
    }
}

/* A key that stands in the wrong section, or is written with its dots: the row that has it
 * elsewhere. */
static const struct ek_schema_row *find_elsewhere(const struct ek_schema *schema, const char *key)
{
    for (size_t i = 0; i < schema->count; i++) {
        const char *path = schema->rows[i].path;
        const char *dot = strrchr(path, '.');
        /* A key that is refused must not be what a message recommends. */
        if (schema->rows[i].type == EK_VALUE_REFUSED) {
            continue;
        }
        if (strcmp(path, key) == 0 || (dot != NULL && strcmp(dot + 1, key) == 0)) {
            return &schema->rows[i];
        }
    }
    return NULL;
}

/* Whether the other file has such a key, or section, at its top. */
static bool is_of_sibling(const struct ek_schema *schema, const char *section, const char *key)
{
    char other[EK_PATH_SIZE];
    bool found = false;

    for (size_t i = 0; section[0] == '\0' && schema->sibling != NULL && i < schema->sibling->count;
         i++) {
        found = found ||
                (key_in_section(&schema->sibling->rows[i], "", other) && strcmp(other, key) == 0);
    }
    return found;
}

/* The clause that follows what is expected: which key was probably meant. */
static void guess(const struct ek_schema *schema, const struct ek_yaml_node *node,
                  const char *before, const char *section, const char *near, char *out)
{
    const struct ek_schema_row *elsewhere = find_elsewhere(schema, node->key);
    const char *dot = strrchr(node->key, '.');

    out[0] = '\0';
    if (is_of_sibling(schema, section, node->key)) {
        (void)snprintf(out, GUESS_SIZE, "; it belongs in %s", schema->sibling->file);
        return;
    }
    /* Near before elsewhere: a slip in the right section is likelier than the right key in the
     * wrong one. */
    if (near[0] != '\0') {
        (void)snprintf(out, GUESS_SIZE, "; did you mean \"%s%s%s%s\"?", before, section,
                       section[0] == '\0' ? "" : ".", near);
    } else if (elsewhere != NULL && dot != NULL) {
        (void)snprintf(out, GUESS_SIZE, "; keys are nested: write \"%.*s:\" and below it \"%s:\"",
                       (int)(dot - node->key), node->key, dot + 1);
    } else if (elsewhere != NULL) {
        (void)snprintf(out, GUESS_SIZE, "; did you mean \"%s%s\"?", before, elsewhere->path);
    }
}

void ek_unknown_report(const struct ek_schema *schema, const struct ek_yaml_node *node,
                       const char *before, const char *section, const struct ek_report *report)
{
    char list[EK_PATH_SIZE];
    char near[EK_PATH_SIZE];
    char full[EK_PATH_SIZE * 2];
    char meant[GUESS_SIZE];
    char quoted[EK_QUOTE_SIZE];

    list_keys(schema, section, node->key, list, near);
    guess(schema, node, before, section, near, meant);
    (void)snprintf(full, sizeof(full), "%s%s%s%s", before, section, section[0] == '\0' ? "" : ".",
                   node->key);
    (void)ek_report_add(report, EK_ERR_INVALID, node->line,
                        "found unknown key %s, expected one of %s%s", ek_quote(quoted, full), list,
                        meant);
}
