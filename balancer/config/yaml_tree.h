/* The subset of YAML that configuration uses, as a tree whose nodes know their lines.
 *
 * One document of mappings, lists and scalars in UTF-8. Anchors, aliases, tags, keys that are not
 * words, and a key given twice are refused: each makes a file mean something else than it shows.
 * This is the only code that speaks to libyaml. */
#ifndef EK_CONFIG_YAML_TREE_H
#define EK_CONFIG_YAML_TREE_H

#include "balancer/config/problems.h"

enum ek_yaml_kind {
    EK_YAML_NOTHING, /* an empty document, or a plain empty, ~ or null value */
    EK_YAML_SCALAR,
    EK_YAML_MAPPING,
    EK_YAML_LIST,
};

struct ek_yaml_node {
    enum ek_yaml_kind kind;
    int line;         /* of the key if there is one, else of the value; from 1 */
    const char *key;  /* NULL: a list's item, or the root */
    const char *text; /* of a scalar */
    const struct ek_yaml_node
        *first; /* a mapping's or a list's children, in the order of the file */
    const struct ek_yaml_node *next; /* its neighbour under the same parent */
};

/* Parses the text; NULL when it is not such a document, with the reason in `report`. A key given
 * twice is reported, too, but does not end the reading. Owned by the arena, whose memory the caller
 * frees. */
const struct ek_yaml_node *ek_yaml_parse(const char *text, size_t size, struct ek_arena *arena,
                                         const struct ek_report *report);

/* The child of that key, or NULL. */
const struct ek_yaml_node *ek_yaml_find(const struct ek_yaml_node *mapping, const char *key);

/* What the node is, for messages: "a list", "nothing", or the scalar in quotes. */
const char *ek_yaml_describe(char out[EK_QUOTE_SIZE], const struct ek_yaml_node *node);

#endif
