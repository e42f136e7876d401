/* Reading: the tree is walked once; each key is looked up in the table by its path. */
#include "balancer/config/schema.h"

#include <assert.h>
#include <string.h>

/* Where reading is at: passed by value into items of lists, which have a schema, a base and lines
 * of their own. */
struct reader {
    const struct ek_schema *schema;
    unsigned char *base;
    int *lines;
    const char *before; /* of paths in messages: "" or "hosts[3]." */
    struct ek_arena *arena;
    const struct ek_report *report;
};

/* Some thirty rows: a search from the start costs less than a table that had to be built. */
const struct ek_schema_row *ek_schema_find(const struct ek_schema *schema, const char *path)
{
    for (size_t i = 0; i < schema->count; i++) {
        if (strcmp(schema->rows[i].path, path) == 0) {
            return &schema->rows[i];
        }
    }
    return NULL;
}

int ek_schema_line(const struct ek_schema *schema, const int *lines, const char *path)
{
    const struct ek_schema_row *row = ek_schema_find(schema, path);

    assert(row != NULL);
    return lines[row - schema->rows];
}

/* A section exists because a row lies under it: the table has no rows for sections that could
 * contradict it. */
static bool is_section(const struct ek_schema *schema, const char *path)
{
    size_t length = strlen(path);

    for (size_t i = 0; i < schema->count; i++) {
        if (strncmp(schema->rows[i].path, path, length) == 0 &&
            schema->rows[i].path[length] == '.') {
            return true;
        }
    }
    return false;
}

/* ---- values -------------------------------------------------------------------------------- */

/* Every message says what was found, what was expected and how such a value looks; for words also
 * which one was probably meant. */
static void report_value(const struct reader *reader, const struct ek_schema_row *row,
                         const struct ek_yaml_node *node)
{
    char found[EK_QUOTE_SIZE];
    char expected[EK_EXPECTED_SIZE];
    const char *near = NULL;

    bool mistyped = node->kind == EK_YAML_SCALAR && ek_value_word(row, node->text) < 0;
    for (int i = 0; mistyped && near == NULL && i < row->word_count; i++) {
        near = ek_near(node->text, row->word(i)) ? row->word(i) : NULL;
    }
    (void)ek_report_add(reader->report, EK_ERR_INVALID, node->line,
                        "found %s for %s%s, expected %s%s%s%s%s", ek_yaml_describe(found, node),
                        reader->before, row->path, ek_value_expected(expected, row),
                        ek_value_example(row), near == NULL ? "" : "; did you mean \"",
                        near == NULL ? "" : near, near == NULL ? "" : "\"?");
}

/* A list or mapping where one value is wanted is reported by the same sentence as a wrong value. */
static void read_scalar(const struct reader *reader, const struct ek_schema_row *row,
                        const struct ek_yaml_node *node)
{
    bool no_memory = false;

    if (node->kind == EK_YAML_SCALAR &&
        ek_value_parse(row, node->text, reader->base + row->offset, reader->arena, &no_memory)) {
        return;
    }
    if (no_memory) {
        (void)ek_report_no_memory(reader->report);
    } else {
        report_value(reader, row, node);
    }
}

/* Twice the same word is refused, as a key given twice is: one of the two was meant to be another.
 */
static void read_words(const struct reader *reader, const struct ek_schema_row *row,
                       const struct ek_yaml_node *node)
{
    unsigned int bits = 0;

    if (node->kind != EK_YAML_LIST || node->first == NULL) {
        report_value(reader, row, node);
        return;
    }
    for (const struct ek_yaml_node *item = node->first; item != NULL; item = item->next) {
        int index = item->kind == EK_YAML_SCALAR ? ek_value_word(row, item->text) : -1;
        if (index < 0) {
            report_value(reader, row, item);
            return;
        }
        if ((bits >> index & 1u) != 0) {
            (void)ek_report_add(reader->report, EK_ERR_INVALID, item->line,
                                "found %s again in %s%s, expected it once", item->text,
                                reader->before, row->path);
            return;
        }
        bits |= 1u << index;
    }
    memcpy(reader->base + row->offset, &bits, sizeof(bits));
}

/* Counted before they are read, so that the arena gives one piece and never moves. */
static size_t count_children(const struct ek_yaml_node *node)
{
    size_t count = 0;

    for (const struct ek_yaml_node *child = node->first; child != NULL; child = child->next) {
        count++;
    }
    return count;
}

/* Empty texts are refused: a rule could not tell such a label from one that is absent. */
static bool is_label(const struct ek_schema_row *row, const struct ek_yaml_node *node)
{
    return node->kind == EK_YAML_SCALAR && row->check(node->key) && node->text[0] != '\0' &&
           ek_text_is_printable(node->text);
}

static void report_label(const struct reader *reader, const struct ek_schema_row *row,
                         const struct ek_yaml_node *node)
{
    char key[EK_QUOTE_SIZE];
    char value[EK_QUOTE_SIZE];

    (void)ek_report_add(reader->report, EK_ERR_INVALID, node->line,
                        "found %s: %s in %s%s, expected %s and a text", ek_quote(key, node->key),
                        ek_yaml_describe(value, node), reader->before, row->path, row->form);
}

static void read_labels(const struct reader *reader, const struct ek_schema_row *row,
                        const struct ek_yaml_node *node)
{
    struct ek_labels labels = {0};

    if (node->kind != EK_YAML_MAPPING) {
        report_value(reader, row, node);
        return;
    }
    struct ek_label *items =
        ek_arena_alloc(reader->arena, count_children(node), sizeof(struct ek_label));
    labels.items = items;
    /* A bad label is reported and passed over, so that the next one is looked at as well; only lack
     * of memory ends the loop. */
    bool copied = items != NULL;
    for (const struct ek_yaml_node *child = node->first; copied && child != NULL;
         child = child->next) {
        if (!is_label(row, child)) {
            report_label(reader, row, child);
            continue;
        }
        struct ek_label *label = &items[labels.count++];
        label->key = ek_arena_strdup(reader->arena, child->key);
        label->value = ek_arena_strdup(reader->arena, child->text);
        copied = label->key != NULL && label->value != NULL;
    }
    if (!copied) {
        (void)ek_report_no_memory(reader->report);
        return;
    }
    memcpy(reader->base + row->offset, &labels, sizeof(labels));
}

static void read_texts(const struct reader *reader, const struct ek_schema_row *row,
                       const struct ek_yaml_node *node)
{
    struct ek_strings texts = {.given = true};
    bool no_memory = false;

    if (node->kind != EK_YAML_LIST || node->first == NULL) {
        report_value(reader, row, node);
        return;
    }
    const char **items = ek_arena_alloc(reader->arena, count_children(node), sizeof(*items));
    texts.items = items;
    no_memory = items == NULL;
    for (const struct ek_yaml_node *child = node->first; !no_memory && child != NULL;
         child = child->next) {
        if (child->kind == EK_YAML_SCALAR &&
            ek_value_parse_text(row, child->text, &items[texts.count], reader->arena, &no_memory)) {
            texts.count++;
        } else if (!no_memory) {
            report_value(reader, row, child);
        }
    }
    if (no_memory) {
        (void)ek_report_no_memory(reader->report);
        return;
    }
    memcpy(reader->base + row->offset, &texts, sizeof(texts));
}

static void read_section(const struct reader *reader, const struct ek_yaml_node *section,
                         const char *path);
static void check_required(const struct reader *reader, int line);

/* Each item begins with the defaults and ends with what it must have, like a small file of its own.
 */
static void read_item(const struct reader *list, const struct ek_schema_row *row,
                      const struct ek_yaml_node *node, unsigned char *item, size_t index)
{
    char before[EK_PATH_SIZE];
    char found[EK_QUOTE_SIZE];
    struct reader reader = *list;
    int *lines = ek_arena_alloc(list->arena, row->items->count, sizeof(int));

    (void)snprintf(before, sizeof(before), "%s%s[%zu].", list->before, row->path, index);
    reader.schema = row->items;
    reader.base = item;
    reader.lines = lines;
    reader.before = before;
    memcpy(item + row->line_offset, &node->line, sizeof(node->line));
    if (lines == NULL || !ek_schema_defaults(row->items, item, list->arena)) {
        (void)ek_report_no_memory(list->report);
    } else if (node->kind != EK_YAML_MAPPING) {
        (void)ek_report_add(list->report, EK_ERR_INVALID, node->line,
                            "found %s for %s[%zu], expected a mapping",
                            ek_yaml_describe(found, node), row->path, index);
    } else {
        read_section(&reader, node, "");
        check_required(&reader, node->line);
    }
}

/* An empty list is refused like a missing one: to watch nothing is never what was meant. */
static void read_list(const struct reader *reader, const struct ek_schema_row *row,
                      const struct ek_yaml_node *node)
{
    size_t count = count_children(node);
    size_t index = 0;

    if (node->kind != EK_YAML_LIST || (count == 0 && !row->optional)) {
        report_value(reader, row, node);
        return;
    }
    if (count == 0) {
        return; /* an empty list is none, as without the key */
    }
    unsigned char *items = ek_arena_alloc(reader->arena, count, row->item_size);
    if (items == NULL) {
        (void)ek_report_no_memory(reader->report);
        return;
    }
    for (const struct ek_yaml_node *child = node->first; child != NULL; child = child->next) {
        read_item(reader, row, child, items + index * row->item_size, index);
        index++;
    }
    memcpy(reader->base + row->offset, &items, sizeof(items));
    memcpy(reader->base + row->count_offset, &count, sizeof(count));
}

/* The line is noted first, even for a value that is wrong: checks across keys then do not say that
 * the key is missing. */
static void read_value(const struct reader *reader, const struct ek_schema_row *row,
                       const struct ek_yaml_node *node)
{
    reader->lines[row - reader->schema->rows] = node->line;
    if (row->type == EK_VALUE_LIST) {
        read_list(reader, row, node);
    } else if (row->type == EK_VALUE_LABELS) {
        read_labels(reader, row, node);
    } else if (row->type == EK_VALUE_TEXTS) {
        read_texts(reader, row, node);
    } else if (row->type == EK_VALUE_WORDS) {
        read_words(reader, row, node);
    } else if (row->type == EK_VALUE_REFUSED) {
        /* What stands there may be a secret: it is not shown. */
        (void)ek_report_add(reader->report, EK_ERR_INVALID, node->line,
                            "found key \"%s%s\", expected %s", reader->before, row->path, row->doc);
    } else {
        read_scalar(reader, row, node);
    }
}

/* ---- keys ---------------------------------------------------------------------------------- */

/* A key with a dot in it is never a path here: YAML's nesting is the one way to write a section,
 * and a second one could contradict it. */
static void read_key(const struct reader *reader, const struct ek_yaml_node *node,
                     const char *section)
{
    char path[EK_PATH_SIZE];
    char found[EK_QUOTE_SIZE];

    (void)snprintf(path, sizeof(path), "%s%s%s", section, section[0] == '\0' ? "" : ".", node->key);
    const struct ek_schema_row *row =
        strchr(node->key, '.') == NULL ? ek_schema_find(reader->schema, path) : NULL;
    if (row != NULL) {
        read_value(reader, row, node);
    } else if (strchr(node->key, '.') != NULL || !is_section(reader->schema, path)) {
        ek_unknown_report(reader->schema, node, reader->before, section, reader->report);
    } else if (node->kind == EK_YAML_MAPPING) {
        read_section(reader, node, path);
    } else if (node->kind != EK_YAML_NOTHING) { /* all keys below may be commented out */
        (void)ek_report_add(reader->report, EK_ERR_INVALID, node->line,
                            "found %s for %s%s, expected a mapping", ek_yaml_describe(found, node),
                            reader->before, path);
    }
}

static void read_section(const struct reader *reader, const struct ek_yaml_node *section,
                         const char *path)
{
    for (const struct ek_yaml_node *node = section->first; node != NULL; node = node->next) {
        read_key(reader, node, path);
    }
}

/* After all keys are read: a file has no order. */
static void check_required(const struct reader *reader, int line)
{
    char expected[EK_EXPECTED_SIZE];

    for (size_t i = 0; i < reader->schema->count; i++) {
        const struct ek_schema_row *row = &reader->schema->rows[i];
        if (row->required && reader->lines[i] == 0) {
            (void)ek_report_add(reader->report, EK_ERR_INVALID, line,
                                "found no key \"%s%s\", expected %s", reader->before, row->path,
                                ek_value_expected(expected, row));
        }
    }
}

void ek_schema_read(const struct ek_schema *schema, const struct ek_yaml_node *root, void *base,
                    int *lines, struct ek_arena *arena, const struct ek_report *report)
{
    char found[EK_QUOTE_SIZE];
    struct reader reader = {.schema = schema,
                            .base = base,
                            .lines = lines,
                            .before = "",
                            .arena = arena,
                            .report = report};

    memset(lines, 0, schema->count * sizeof(*lines));
    if (root->kind == EK_YAML_MAPPING) {
        read_section(&reader, root, "");
    } else if (root->kind != EK_YAML_NOTHING) {
        (void)ek_report_add(report, EK_ERR_INVALID, root->line,
                            "found %s, expected a mapping of keys to values",
                            ek_yaml_describe(found, root));
        return;
    }
    check_required(&reader, root->line);
}

/* Defaults are texts and go through the same parser as the file's values: a default that the schema
 * would refuse fails in the first test. Optional rows keep their zero, which says that the program
 * chooses. */
static bool set_default(const struct ek_schema_row *row, unsigned char *base,
                        struct ek_arena *arena)
{
    bool no_memory;

    if (row->fallback == NULL || row->optional || row->type == EK_VALUE_WORDS) {
        return true;
    }
    return ek_value_parse(row, row->fallback, base + row->offset, arena, &no_memory);
}

bool ek_schema_defaults(const struct ek_schema *schema, void *base, struct ek_arena *arena)
{
    bool done = true;

    for (size_t i = 0; done && i < schema->count; i++) {
        done = set_default(&schema->rows[i], base, arena);
        if (done && schema->rows[i].type == EK_VALUE_WORDS) { /* the default is all of them */
            unsigned int all = (1u << schema->rows[i].word_count) - 1;
            memcpy((unsigned char *)base + schema->rows[i].offset, &all, sizeof(all));
        }
    }
    return done;
}
