/* Reading JSON inside the codec: typed readers whose errors name the place. (Writing: writer.h.)
 *
 * Reading goes in two steps. ek_json_open() checks the whole text's syntax (syntax.c), so that
 * cJSON can fail for want of memory only, and builds the document without its long lists; each
 * element of those is then built, read and freed by itself, so that 200,000 domains never stand in
 * memory as a tree.
 *
 * A node is one value and the way to it; nodes live on the stack of the functions that walk the
 * document, and the way is put into words only when something is refused. */
#ifndef EK_CODEC_JSON_H
#define EK_CODEC_JSON_H

#include "balancer/codec/writer.h"
#include "balancer/core/arena.h"
#include "balancer/core/error.h"
#include "balancer/core/pace.h"
#include "balancer/core/snapshot.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 2^53 - 1: up to here every integer is a double that no other text gives; 2^53 may have been
 * 2^53 + 1. Larger figures are refused. */
#define EK_JSON_MAX_NUMBER 9007199254740991.0

/* Deeper documents are refused before anything recurses into them. */
enum { EK_JSON_MAX_DEPTH = 100 };

/* ---- syntax (syntax.c) ------------------------------------------------------------------------
 */

/* Whether `text` is one JSON value (RFC 8259) and nothing else. Error: INVALID, as
 * "NAME:LINE:COLUMN: found 'x', expected ...", counted from 1, the column in characters. */
bool ek_json_check_syntax(const char *text, size_t size, const char *name, struct ek_error *err);

/* Length of the valid UTF-8 sequence at `at`, 0 when there is none; `left` bytes are readable. */
size_t ek_json_utf8_length(const char *at, size_t left);

/* ---- documents (document.c) -------------------------------------------------------------------
 */

/* What one document is read with; all pointers are borrowed. */
struct ek_json_reader {
    const char *name;       /* the document's, for messages */
    struct ek_arena *arena; /* takes strings and lists; NULL when none are read */
    struct ek_error *err;
};

struct ek_json_node {
    const struct ek_json_reader *reader;
    const struct ek_json_node *parent; /* NULL: the document itself */
    const char *key;                   /* its name in the parent; NULL: an element of a list */
    size_t index;                      /* of an element */
    const cJSON *item;
};

/* A list at the top of the document that is read element by element; or, `whole`, an object there
 * that is a document of its own, for the reader of such documents. */
struct ek_json_list {
    const char *key; /* set by the caller, with `whole`; the rest by ek_json_open */
    bool whole;
    const char *text; /* where the next element stands, or the object; NULL: it is absent */
    const char *end;  /* of the document, or of the object */
    size_t left;      /* elements still to come */
};

/* Frees the tree and sets the pointer to NULL: for EK_JSON_SCOPED. */
void ek_json_release(cJSON **item);
#define EK_JSON_SCOPED __attribute__((cleanup(ek_json_release)))

/* Opens a document that must be an object with "version": 1. Members of the names in `lists` whose
 * value is a list, or where it is `whole` an object, are set aside there, all others are in
 * *document, which the caller frees (EK_JSON_SCOPED). `text` must outlive the lists. Errors:
 * INVALID, NOMEM. */
bool ek_json_open(const struct ek_json_reader *reader, const char *text, size_t size,
                  struct ek_json_list *lists, size_t list_count, cJSON **document);

/* The next element, which the caller frees; NULL when memory ran out. Only while left > 0. */
cJSON *ek_json_list_next(struct ek_json_list *list);

/* ---- fields (fields.c) ------------------------------------------------------------------------
 */

enum ek_json_need { EK_JSON_OPTIONAL, EK_JSON_REQUIRED };

/* Bounds of a number, and how a message states them. */
struct ek_json_range {
    double min;
    double max;
    bool above_min; /* min itself is outside */
    const char *expected;
};

extern const struct ek_json_range ek_json_above_0;
extern const struct ek_json_range ek_json_at_least_0;
extern const struct ek_json_range ek_json_ratio; /* 0..1 */

/* Refuses member `key` of the object (the object itself when NULL): INVALID with
 * "NAME: hosts[3].memory_mib: found -1, expected <expected>". Always false. */
bool ek_json_refuse(const struct ek_json_node *object, const char *key, const char *expected);

/* Always false: sets NOMEM. */
bool ek_json_no_memory(const struct ek_json_reader *reader);

/* Each reads member `key` of an object. An absent member leaves *out as it is, which is how
 * defaults are given; when it is required, when it stands there twice, or has another type (null,
 * too), it is refused. Strings and lists that come out are owned by the reader's arena. */
bool ek_json_get_number(const struct ek_json_node *object, const char *key, enum ek_json_need need,
                        const struct ek_json_range *range, double *out);
bool ek_json_get_integer(const struct ek_json_node *object, const char *key, enum ek_json_need need,
                         int64_t min, int64_t max, int64_t *out);
bool ek_json_get_bool(const struct ek_json_node *object, const char *key, enum ek_json_need need,
                      bool *out);
bool ek_json_get_text(const struct ek_json_node *object, const char *key, enum ek_json_need need,
                      const char **out);
bool ek_json_get_strings(const struct ek_json_node *object, const char *key,
                         struct ek_strings *out);
bool ek_json_get_labels(const struct ek_json_node *object, const char *key, struct ek_labels *out);

/* A text that fits `size` bytes with its end, at least `min_length` long; copied into `out`. */
bool ek_json_get_chars(const struct ek_json_node *object, const char *key, enum ek_json_need need,
                       size_t min_length, char *out, size_t size);

/* One of `names`: *out is its position. */
bool ek_json_get_choice(const struct ek_json_node *object, const char *key, enum ek_json_need need,
                        const char *const *names, size_t count, unsigned int *out);

/* The pace of that name; absent it is the policy's limits. */
bool ek_json_get_pace(const struct ek_json_node *object, const char *key, enum ek_pace *pace);

/* The object under `key` as a node whose parent is `object`; item is NULL when it is absent. */
bool ek_json_get_object(const struct ek_json_node *object, const char *key, enum ek_json_need need,
                        struct ek_json_node *out);

/* One figure for each resource, all at least 0. `first`: the names are the object's, in its order,
 * for the policy may have changed since; else those of `resources`, all of which must be there. An
 * object that is absent leaves the figures alone. */
struct ek_resources;
bool ek_json_get_figures(const struct ek_json_node *object, const char *key, enum ek_json_need need,
                         bool first, struct ek_resources *resources, double *figures);

/* ---- quantities (quantities.c): an object of names; of a host each with its capacity ------------
 */

bool ek_json_get_quantities(const struct ek_json_node *object, const char *key, bool of_host,
                            struct ek_quantities *out);
void ek_json_put_quantities(struct ek_json_writer *writer, const char *key, bool of_host,
                            struct ek_quantities quantities);

/* ---- pressure (pressure.c): {"cpu_some": 0.02, ...}; left out when none is given
 * ------------------
 */

bool ek_json_get_pressure(const struct ek_json_node *object, struct ek_pressure *out);
void ek_json_put_pressure(struct ek_json_writer *writer, const struct ek_pressure *pressure);

/* ---- spaces (spaces.c): "numa_cells" by number and "storage_pools" by name; left out when there
 * are none
 */

bool ek_json_get_numa_cells(const struct ek_json_node *object, struct ek_numa_cells *out);
void ek_json_put_numa_cells(struct ek_json_writer *writer, const struct ek_numa_cells *cells);
bool ek_json_get_storage_pools(const struct ek_json_node *object, struct ek_storage_pools *out);
void ek_json_put_storage_pools(struct ek_json_writer *writer, const struct ek_storage_pools *pools);

/* ---- hosts and domains (entity.c), shared by snapshot and sample
 * ---------------------------------- */

bool ek_json_read_host(const struct ek_json_node *node, struct ek_host *host);

/* All but "host", which means something in a snapshot only. */
bool ek_json_read_domain(const struct ek_json_node *node, struct ek_domain *domain);

/* Reads a list of hosts or domains to the end: `read` is called with each element's node. */
typedef bool ek_json_element_fn(const struct ek_json_node *node, size_t index, void *context);
bool ek_json_read_list(const struct ek_json_reader *reader, struct ek_json_list *list,
                       ek_json_element_fn *read, void *context);

#endif
