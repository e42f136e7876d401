/* What a history block keeps of a host or a domain: facts, which seldom change and stand once per
 * block, and columns, a figure in every sample.
 *
 * Two tables say which. They only ever grow at their ends: a reader passes over what stands behind
 * the facts and columns that it knows, and what an older writer did not know is unknown. So a new
 * figure is one row here. Texts of a block are kept once (struct ek_history_texts); facts refer to
 * them by number. */
#ifndef EK_CODEC_HISTORY_FACTS_H
#define EK_CODEC_HISTORY_FACTS_H

#include "balancer/codec/history_bits.h"
#include "balancer/core/arena.h"
#include "balancer/core/snapshot.h"

/* A host as samples tell of it, with what they say of themselves. */
struct ek_history_host {
    struct ek_host host;
    const char *collector;
    double period_ms;
};

enum ek_fact_type {
    EK_FACT_TEXT,       /* const char *, may be NULL unless it has a size */
    EK_FACT_NUMBER,     /* double */
    EK_FACT_FLAG,       /* bool */
    EK_FACT_STRINGS,    /* struct ek_strings */
    EK_FACT_LABELS,     /* struct ek_labels */
    EK_FACT_QUANTITIES, /* struct ek_quantities: names and capacities; `used` is a column each */
};

struct ek_fact {
    const char *name;
    enum ek_fact_type type;
    size_t offset;
    size_t size;   /* of a text: that it must fit, with its end; it is no empty one then */
    bool positive; /* of a number: 0 is refused */
};

enum ek_column_type {
    EK_COLUMN_NUMBER, /* double */
    EK_COLUMN_FLAG,   /* bool */
    EK_COLUMN_TIME,   /* int64_t, Unix ms */
};

struct ek_column {
    const char *name;
    enum ek_column_type type;
    size_t offset;
    double scale;   /* steps per unit: what sampling tells apart */
    double unknown; /* what a reader gives where the figure is not known */
    int64_t max;    /* steps */
    size_t given; /* offset of a bool: false while none of those that share it is known; 0: none */
};

/* Hosts, or domains. */
struct ek_history_kind {
    const char *name; /* for messages: "host" */
    size_t size;      /* of the structure that offsets are in */
    const struct ek_fact *facts;
    size_t fact_count;
    const struct ek_column *columns;
    size_t column_count;
    size_t quantities; /* offset of the struct ek_quantities, which makes further columns */
};

extern const struct ek_history_kind ek_history_hosts;   /* of a struct ek_history_host */
extern const struct ek_history_kind ek_history_domains; /* of a struct ek_domain */

/* ---- texts ----------------------------------------------------------------------------------- */

struct ek_history_text;

struct ek_history_texts {
    struct ek_history_text *head; /* uthash's table */
    struct ek_history_text **items;
    size_t count;
    size_t room;
    struct ek_arena arena; /* owns the texts */
};

/* The block's own copy of the text; NULL: memory ran out. */
const char *ek_history_intern(struct ek_history_texts *texts, const char *text);

/* The number of a text that was interned, and the text of a number below `count`. */
size_t ek_history_text_number(const struct ek_history_texts *texts, const char *text);
const char *ek_history_text_at(const struct ek_history_texts *texts, size_t number);

void ek_history_texts_finish(struct ek_history_texts *texts);

/* ---- facts ----------------------------------------------------------------------------------- */

/* Whether both have the same facts; columns are not looked at. */
bool ek_facts_equal(const struct ek_history_kind *kind, const void *a, const void *b);

/* A zeroed structure gets the facts of another; texts and lists are the block's. False: memory. */
bool ek_facts_copy(const struct ek_history_kind *kind, struct ek_history_texts *texts, void *out,
                   const void *in);

/* What every reader relies on: names that fit, figures that are numbers. Error: INVALID, as
 * "PLACE: host.cpu_cores: found ..., expected ...". */
bool ek_facts_check(const struct ek_history_kind *kind, const void *entity, const char *place,
                    struct ek_error *err);

void ek_texts_put(struct ek_bytes *bytes, const struct ek_history_texts *texts);
bool ek_texts_get(struct ek_bytes_reader *reader, struct ek_history_texts *texts);

/* With their length before them. Texts must have been interned. */
void ek_facts_put(const struct ek_history_kind *kind, const struct ek_history_texts *texts,
                  struct ek_bytes *bytes, const void *entity);
bool ek_facts_get(const struct ek_history_kind *kind, struct ek_history_texts *texts,
                  struct ek_bytes_reader *reader, void *entity);

/* ---- columns --------------------------------------------------------------------------------- */

/* How many figures each sample has of it: the table's and one for each quantity. */
size_t ek_columns_of(const struct ek_history_kind *kind, const void *entity);

/* The figures as whole steps plus one, 0 where they are not known; and back. */
void ek_columns_take(const struct ek_history_kind *kind, const void *entity, int64_t *figures);
void ek_columns_give(const struct ek_history_kind *kind, void *entity, const int64_t *figures);

/* The largest figure that a column may have. */
int64_t ek_column_max(const struct ek_history_kind *kind, size_t column);

#endif
