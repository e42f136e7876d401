/* YAML as events, not as libyaml's documents: only events tell anchors, aliases, tags and doubled
 * keys, which are what is to be refused. Scalars stay texts; what a text means is the schema's to
 * say, since YAML's own guesses ("no", "010", "1e3") are what people stumble over. */
#include "balancer/config/yaml_tree.h"

#include <string.h>
#include <yaml.h>

/* Far beyond any real file; they keep recursion and the search for doubled keys small. */
enum { MAX_DEPTH = 16, MAX_KEYS = 1000 };

struct loader {
    yaml_parser_t parser;
    const char *text;
    struct ek_arena *arena;
    const struct ek_report *report;
};

/* An event owns its strings whether it is used or refused; deleting a zeroed one is fine. */
#define SCOPED_EVENT __attribute__((cleanup(yaml_event_delete))) yaml_event_t

/* libyaml counts lines from 0, editors from 1. */
static int line_of(const yaml_event_t *event)
{
    return (int)event->start_mark.line + 1;
}

/* libyaml gives characters that cannot be decoded as an offset in bytes, everything else as a mark.
 */
static int line_of_offset(const char *text, size_t offset)
{
    int line = 1;

    for (size_t i = 0; i < offset; i++) {
        line += text[i] == '\n';
    }
    return line;
}

/* libyaml's problem is where it noticed, its context where it began: an unclosed quote is found far
 * below its opening. */
static bool report_syntax(struct loader *loader)
{
    const yaml_parser_t *parser = &loader->parser;
    const char *problem = parser->problem == NULL ? "unreadable" : parser->problem;
    int line = (int)parser->problem_mark.line + 1;

    if (parser->error == YAML_MEMORY_ERROR) {
        return ek_report_no_memory(loader->report);
    }
    if (parser->error == YAML_READER_ERROR) {
        return ek_report_add(loader->report, EK_ERR_INVALID,
                             line_of_offset(loader->text, parser->problem_offset),
                             "found a byte that is not text (%s), expected UTF-8", problem);
    }
    if (parser->context == NULL) {
        return ek_report_add(loader->report, EK_ERR_INVALID, line,
                             "found a syntax error (%s), expected YAML", problem);
    }
    return ek_report_add(loader->report, EK_ERR_INVALID, line,
                         "found a syntax error (%s %s from line %zu), expected YAML", problem,
                         parser->context, parser->context_mark.line + 1);
}

/* What an event must not carry, if it can carry it at all. */
static bool check_extras(struct loader *loader, const yaml_event_t *event,
                         const yaml_char_t *anchor, const yaml_char_t *tag)
{
    char quoted[EK_QUOTE_SIZE];

    if (anchor != NULL) {
        return ek_report_add(loader->report, EK_ERR_INVALID, line_of(event),
                             "found an anchor %s, expected the value alone",
                             ek_quote(quoted, (const char *)anchor));
    }
    if (tag != NULL) {
        return ek_report_add(loader->report, EK_ERR_INVALID, line_of(event),
                             "found a tag %s, expected the value alone",
                             ek_quote(quoted, (const char *)tag));
    }
    return true;
}

/* Aliases are refused, not followed: nested ones make gigabytes of a few lines ("billion laughs").
 */
static bool check_event(struct loader *loader, const yaml_event_t *event)
{
    char quoted[EK_QUOTE_SIZE];

    if (event->type == YAML_ALIAS_EVENT) {
        return ek_report_add(loader->report, EK_ERR_INVALID, line_of(event),
                             "found an alias %s, expected the value itself",
                             ek_quote(quoted, (const char *)event->data.alias.anchor));
    }
    if (event->type == YAML_MAPPING_START_EVENT) {
        return check_extras(loader, event, event->data.mapping_start.anchor,
                            event->data.mapping_start.tag);
    }
    if (event->type == YAML_SEQUENCE_START_EVENT) {
        return check_extras(loader, event, event->data.sequence_start.anchor,
                            event->data.sequence_start.tag);
    }
    if (event->type != YAML_SCALAR_EVENT) {
        return true;
    }
    /* libyaml tells the length, and everything after this works with C strings: what follows a NUL
     * would vanish silently. */
    if (memchr(event->data.scalar.value, '\0', event->data.scalar.length) != NULL) {
        return ek_report_add(loader->report, EK_ERR_INVALID, line_of(event),
                             "found a NUL character, expected text");
    }
    return check_extras(loader, event, event->data.scalar.anchor, event->data.scalar.tag);
}

/* The event is deleted by the caller's scope in either case. */
static bool next_event(struct loader *loader, yaml_event_t *event)
{
    return yaml_parser_parse(&loader->parser, event) != 0 ? check_event(loader, event)
                                                          : report_syntax(loader);
}

/* Plain ones only: "null" in quotes is a text. Other spellings of YAML 1.1 (Null, NULL) stay texts.
 */
static bool is_nothing(const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;

    return event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (text[0] == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0);
}

static bool load_scalar(struct loader *loader, const yaml_event_t *event, struct ek_yaml_node *node)
{
    node->kind = is_nothing(event) ? EK_YAML_NOTHING : EK_YAML_SCALAR;
    node->text = ek_arena_strdup(loader->arena, (const char *)event->data.scalar.value);
    return node->text != NULL || ek_report_no_memory(loader->report);
}

static bool load_node(struct loader *loader, const yaml_event_t *event, struct ek_yaml_node *node,
                      int depth);

/* The key of `event`, then its value. */
static bool load_pair(struct loader *loader, const yaml_event_t *event, struct ek_yaml_node *node,
                      int depth)
{
    SCOPED_EVENT value = {0};

    if (event->type != YAML_SCALAR_EVENT) {
        return ek_report_add(loader->report, EK_ERR_INVALID, line_of(event),
                             "found a list or a mapping as a key, expected a word");
    }
    node->line = line_of(event);
    node->key = ek_arena_strdup(loader->arena, (const char *)event->data.scalar.value);
    if (node->key == NULL) {
        return ek_report_no_memory(loader->report);
    }
    return next_event(loader, &value) && load_node(loader, &value, node, depth);
}

/* YAML forbids it and libyaml lets it pass: the second value would silently win, or the first. */
static bool is_doubled(struct loader *loader, const struct ek_yaml_node *parent,
                       const struct ek_yaml_node *node)
{
    const struct ek_yaml_node *older =
        parent->kind == EK_YAML_MAPPING ? ek_yaml_find(parent, node->key) : NULL;
    char quoted[EK_QUOTE_SIZE];

    if (older == NULL) {
        return false;
    }
    (void)ek_report_add(loader->report, EK_ERR_INVALID, node->line,
                        "found key %s again, expected it once (first in line %d)",
                        ek_quote(quoted, node->key), older->line);
    return true;
}

/* Linked in the order of the file, which lists need and messages follow. */
static bool load_children(struct loader *loader, struct ek_yaml_node *parent, int depth)
{
    bool mapping = parent->kind == EK_YAML_MAPPING;
    const struct ek_yaml_node **link = &parent->first;

    for (int count = 0;; count++) {
        SCOPED_EVENT event = {0};
        if (!next_event(loader, &event)) {
            return false;
        }
        if (event.type == YAML_MAPPING_END_EVENT || event.type == YAML_SEQUENCE_END_EVENT) {
            return true;
        }
        /* Lists are not limited here: looking for a doubled key is what costs the square of a
         * mapping's size. */
        if (mapping && count == MAX_KEYS) {
            return ek_report_add(loader->report, EK_ERR_INVALID, line_of(&event),
                                 "found more than %d keys in one mapping, expected fewer",
                                 MAX_KEYS);
        }
        struct ek_yaml_node *node = ek_arena_alloc(loader->arena, 1, sizeof(*node));
        if (node == NULL) {
            return ek_report_no_memory(loader->report);
        }
        /* A pair's line is set by its key before load_node sees it; a list's item takes the line of
         * its value. */
        if (!(mapping ? load_pair : load_node)(loader, &event, node, depth)) {
            return false;
        }
        if (!is_doubled(loader, parent, node)) {
            *link = node;
            link = &node->next;
        }
    }
}

static bool load_node(struct loader *loader, const yaml_event_t *event, struct ek_yaml_node *node,
                      int depth)
{
    /* Of the key, if there is one: a value may begin lines below it. */
    if (node->line == 0) {
        node->line = line_of(event);
    }
    if (event->type == YAML_SCALAR_EVENT) {
        return load_scalar(loader, event, node);
    }
    if (depth == MAX_DEPTH) {
        return ek_report_add(loader->report, EK_ERR_INVALID, node->line,
                             "found lists and mappings nested %d deep, expected fewer levels",
                             MAX_DEPTH + 1);
    }
    node->kind = event->type == YAML_MAPPING_START_EVENT ? EK_YAML_MAPPING : EK_YAML_LIST;
    return load_children(loader, node, depth + 1);
}

/* Stream start, document start and its root; then document end and stream end, nothing more. */
static bool load_document(struct loader *loader, struct ek_yaml_node *root)
{
    SCOPED_EVENT stream = {0};
    SCOPED_EVENT document = {0};
    SCOPED_EVENT value = {0};
    SCOPED_EVENT document_end = {0};
    SCOPED_EVENT end = {0};

    if (!next_event(loader, &stream) || !next_event(loader, &document)) {
        return false;
    }
    /* An empty file has no document at all; nothing but comments counts as empty, too. */
    if (document.type == YAML_STREAM_END_EVENT) {
        root->line = 1;
        return true;
    }
    if (!next_event(loader, &value) || !load_node(loader, &value, root, 0) ||
        !next_event(loader, &document_end) || !next_event(loader, &end)) {
        return false;
    }
    return end.type == YAML_STREAM_END_EVENT ||
           ek_report_add(loader->report, EK_ERR_INVALID, line_of(&end),
                         "found a second document, expected one");
}

/* libyaml's own words for it name neither tab nor indentation. */
static bool check_tabs(const char *text, size_t size, const struct ek_report *report)
{
    bool indentation = true;
    int line = 1;

    for (size_t i = 0; i < size; i++) {
        if (indentation && text[i] == '\t') {
            return ek_report_add(report, EK_ERR_INVALID, line,
                                 "found a tab in the indentation, expected spaces");
        }
        line += text[i] == '\n';
        indentation = text[i] == '\n' || (indentation && text[i] == ' ');
    }
    return true;
}

const struct ek_yaml_node *ek_yaml_parse(const char *text, size_t size, struct ek_arena *arena,
                                         const struct ek_report *report)
{
    struct loader loader = {.text = text, .arena = arena, .report = report};
    struct ek_yaml_node *root = ek_arena_alloc(arena, 1, sizeof(*root));

    if (root == NULL || yaml_parser_initialize(&loader.parser) == 0) {
        (void)ek_report_no_memory(report);
        return NULL;
    }
    /* Said, not guessed: libyaml would take a byte order mark for UTF-16 and read other bytes than
     * the line counter above. */
    yaml_parser_set_encoding(&loader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&loader.parser, (const unsigned char *)text, size);
    bool loaded = check_tabs(text, size, report) && load_document(&loader, root);
    yaml_parser_delete(&loader.parser);
    return loaded ? root : NULL;
}

const struct ek_yaml_node *ek_yaml_find(const struct ek_yaml_node *mapping, const char *key)
{
    const struct ek_yaml_node *node = mapping->first;

    while (node != NULL && strcmp(node->key, key) != 0) {
        node = node->next;
    }
    return node;
}

const char *ek_yaml_describe(char out[EK_QUOTE_SIZE], const struct ek_yaml_node *node)
{
    switch (node->kind) {
    case EK_YAML_SCALAR:
        return ek_quote(out, node->text);
    case EK_YAML_MAPPING:
        return "a mapping";
    case EK_YAML_LIST:
        return node->first == NULL ? "an empty list" : "a list";
    case EK_YAML_NOTHING:
        break;
    }
    return "nothing";
}
