/* The schema: one table per kind of file, from which reading, checking, dump and documentation are
 * made.
 *
 * A row is one key, named by its path from the top ("trigger.imbalance"); sections exist because
 * rows lie under them. Rows of one section stand together, in the order in which the dump prints
 * them. */
#ifndef EK_CONFIG_SCHEMA_H
#define EK_CONFIG_SCHEMA_H

#include "balancer/config/yaml_tree.h"

/* type, what its field is in C, how it is written */
enum ek_value_type {
    EK_VALUE_VERSION,  /* no field; min is the one version that is read */
    EK_VALUE_BOOL,     /* bool; true, false */
    EK_VALUE_INT,      /* int */
    EK_VALUE_NUMBER,   /* double; 1.5 */
    EK_VALUE_RATIO,    /* double, 0..1; 0.85 or 85% */
    EK_VALUE_DURATION, /* int64_t, milliseconds; 500ms, 30s, 5m, 2h, 1d */
    EK_VALUE_SIZE,     /* double, MiB; 512MiB, 4GiB */
    EK_VALUE_RATE,     /* double, MiB/s; 110MiB/s, 1.1GiB/s */
    EK_VALUE_STRING,   /* const char *; `check` says which texts it may have */
    EK_VALUE_WORD,     /* an enum; one of `word` */
    EK_VALUE_WORDS,    /* unsigned int, bit 1 << index; a list of one or more of `word` */
    EK_VALUE_LABELS,   /* struct ek_labels; a mapping of words to texts */
    EK_VALUE_TEXTS,    /* struct ek_strings; a list of one or more texts, see `check` */
    EK_VALUE_LIST,     /* a pointer and a size_t; a list of mappings after `items`, of one or more
                          unless it is optional */
    EK_VALUE_REFUSED,  /* no field; a key that people try, and `doc` says what to use instead */
};

struct ek_schema;

struct ek_schema_row {
    const char *path;
    enum ek_value_type type;
    bool required;
    bool optional; /* absent: the field stays zero, and the program does what `fallback` says */
    bool restart;  /* a change is taken up when the daemon starts, not when it reloads */
    size_t offset; /* EK_FIELD */
    double min;    /* of numbers, in the field's unit, inclusive */
    double max;
    const char *fallback; /* the default, as it would be written; NULL: none */
    const char *unit;     /* what a plain number counts; NULL where the form shows it */
    const char *doc;      /* one sentence for people, without a final full stop */

    bool (*check)(const char *text); /* STRING, TEXTS, and the keys of LABELS; NULL: any text */
    const char *form;                /* what `check` wants: "an absolute path" */
    const char *(*word)(int index);
    int word_count;

    const struct ek_schema *items;
    size_t item_size;
    size_t count_offset;
    size_t line_offset; /* of an int in each item */
};

struct ek_schema {
    const char *title;               /* for the head of a dump */
    const struct ek_schema *sibling; /* of the file beside it; NULL: none */
    const char *file;                /* what its file is called */
    const struct ek_schema_row *rows;
    size_t count;
};

/* The offset of a member, with a check by the compiler that its type is `type`. */
#define EK_FIELD(owner, member, type) \
    (offsetof(owner, member) + 0 * sizeof((type *)NULL == &((owner *)NULL)->member))

/* A resource beside CPU and memory, as it is written. */
struct ek_further_resource {
    const char *name;
    double weight;
    double target_max;
    int line;
};

/* A window and a blackout as they are written. */
struct ek_window_text {
    const char *days;
    const char *from;
    const char *to;
    int line;
};

struct ek_blackout_text {
    const char *from;
    const char *to;
    const char *days; /* NULL: from and to are dates */
    const char *reason;
    bool evacuations;
    int line;
};

/* What policy.yaml says: the policy, and the lists that it takes over once they are checked. */
struct ek_policy_file {
    struct ek_policy policy; /* its `rules`, calendar and further resources are not used here */
    struct ek_further_resource *further;
    size_t further_count;
    const char *timezone; /* NULL: not given */
    struct ek_window_text *windows;
    size_t window_count;
    struct ek_blackout_text *blackouts;
    size_t blackout_count;
    struct ek_rules rules; /* its arena owns what the file's texts are copied to */
};

extern const struct ek_schema ek_policy_schema; /* of a struct ek_policy_file */

/* Of the items of its lists (policy_items.c). */
extern const struct ek_schema ek_rule_items;
extern const struct ek_schema ek_further_items;
extern const struct ek_schema ek_window_items;
extern const struct ek_schema ek_blackout_items;

extern const struct ek_schema ek_evenkeel_schema;

/* ---- the calendar of a policy (policy_calendar.c) ----------------------------------------------
 */

/* Takes the file's windows and blackouts over into its policy; reports what is wrong with them. */
void ek_policy_take_calendar(struct ek_policy_file *file, const struct ek_report *report);

/* The other way round, for the dump. False: out of memory. */
bool ek_policy_give_calendar(struct ek_policy_file *file, struct ek_arena *arena);

/* ---- values (value.c, value_print.c)
 * ------------------------------------------------------------------ */

/* How long a number may be: what both directions keep exactly. */
enum { EK_MAX_DIGITS = 11, EK_MAX_DECIMALS = EK_MAX_DIGITS + 2 /* of a percentage */ };

struct ek_unit {
    const char *suffix;
    uint64_t factor; /* in the smallest unit of its list */
};

/* The units in which the row's numbers are written, smallest first; the last has no suffix (NULL).
 */
const struct ek_unit *ek_value_units(const struct ek_schema_row *row);

/* Parses a scalar as the row says, its range included, and writes the field. False when it is not
 * such a value: the field is untouched; also when memory ran out, which *no_memory then tells.
 * Strings are owned by the arena. Not for WORDS, LABELS and LIST. */
bool ek_value_parse(const struct ek_schema_row *row, const char *text, void *field,
                    struct ek_arena *arena, bool *no_memory);

/* The same for one text, of STRING or in TEXTS; the field is a const char *. */
bool ek_value_parse_text(const struct ek_schema_row *row, const char *text, void *field,
                         struct ek_arena *arena, bool *no_memory);

/* Writes what ek_value_parse reads back as the same value; a string that is NULL as nothing. */
void ek_value_print(const struct ek_schema_row *row, const void *field, FILE *out);

/* Writes the text so that YAML reads the same text back, in quotes where it needs them. */
void ek_value_print_text(const char *text, FILE *out);

enum { EK_EXPECTED_SIZE = 200 };

/* What the row expects, for messages and documentation: "a whole number from 1 to 5". */
const char *ek_value_expected(char out[EK_EXPECTED_SIZE], const struct ek_schema_row *row);

/* How such a value may look, to follow what is expected in a message: ", such as 110MiB/s", or "".
 */
const char *ek_value_example(const struct ek_schema_row *row);

/* The index of the row's word, or -1. */
int ek_value_word(const struct ek_schema_row *row, const char *text);

/* Whether the text is UTF-8 that can be shown and written as it is: no control or line characters.
 */
bool ek_text_is_printable(const char *text);

/* ---- reading (schema.c) -------------------------------------------------------------------- */

/* Writes the values of the tree into the structure at `base`, whose other fields are left alone,
 * and reports what is wrong. `lines` has schema->count places and gets the line of each row's key,
 * 0 where it is absent. Strings and lists are owned by the arena. */
void ek_schema_read(const struct ek_schema *schema, const struct ek_yaml_node *root, void *base,
                    int *lines, struct ek_arena *arena, const struct ek_report *report);

/* Writes all defaults into the structure. False when memory ran out. */
bool ek_schema_defaults(const struct ek_schema *schema, void *base, struct ek_arena *arena);

/* The row of that path; NULL when there is none. */
const struct ek_schema_row *ek_schema_find(const struct ek_schema *schema, const char *path);

/* The line of that row, which must exist. */
int ek_schema_line(const struct ek_schema *schema, const int *lines, const char *path);

/* ---- unknown keys (unknown.c) -------------------------------------------------------------- */

enum { EK_PATH_SIZE = 256 };

/* Reports a key that the section ("" at the top, else its path) does not have. `before` is put
 * before paths. */
void ek_unknown_report(const struct ek_schema *schema, const struct ek_yaml_node *node,
                       const char *before, const char *section, const struct ek_report *report);

/* ---- near matches (near.c) ----------------------------------------------------------------- */

/* How many letters to insert, delete, change or swap with a neighbour make `a` from `b`; texts that
 * are longer than any key are infinitely far (INT_MAX). */
int ek_near_distance(const char *a, const char *b);

/* Whether `a` could be `b` mistyped: at most a third of its letters differ. */
bool ek_near(const char *a, const char *b);

/* ---- writing (dump.c) ---------------------------------------------------------------------- */

/* Writes the structure as a commented file. Error: IO. */
bool ek_schema_dump(const struct ek_schema *schema, const void *base, FILE *out,
                    struct ek_error *err);

/* ---- files (file.c) ------------------------------------------------------------------------ */

/* The stated limit of a file: a thousand hosts take some 200 KiB. */
enum { EK_CONFIG_MAX_BYTES = 4 * 1024 * 1024 };

/* The file's bytes in one NUL-terminated piece of the arena, NULL with a problem in `report` when
 * it cannot be read. */
const char *ek_file_load(const char *path, size_t *size, struct ek_arena *arena,
                         const struct ek_report *report);

/* `path`, if it is relative after the folder of `file`; owned by the arena, NULL when memory ran
 * out. */
const char *ek_file_beside(const char *file, const char *path, struct ek_arena *arena);

#endif
