/* Writing JSON: a writer of deterministic bytes, and the contract's objects as parts of a larger
 * document.
 *
 * The codec's own documents are made with it, and so are the views that commands print with --json.
 * Numbers are written so that the same value always gives the same bytes. */
#ifndef EK_CODEC_WRITER_H
#define EK_CODEC_WRITER_H

#include "balancer/core/engine/engine.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zero-initialised it is empty and valid. Failure (memory) is kept and told by ek_json_finish. */
struct ek_json_writer {
    char *text;
    size_t size;
    size_t capacity;
    bool failed;
    bool comma; /* a value stands before the next one */
    bool line;  /* the next value begins a line */
};

/* The text, malloc'ed for the caller; NULL when memory ran out. The writer is empty afterwards. */
char *ek_json_finish(struct ek_json_writer *writer);

void ek_json_begin(struct ek_json_writer *writer, char bracket); /* '{' or '[' */
void ek_json_end(struct ek_json_writer *writer, char bracket);   /* '}' or ']' */
void ek_json_key(struct ek_json_writer *writer, const char *key);

/* The next value, or the next closing bracket, begins a line. */
void ek_json_break(struct ek_json_writer *writer);

/* Bytes that are no UTF-8 (a message cut in the middle of a character) become '?'. */
void ek_json_text(struct ek_json_writer *writer, const char *text);

/* The shortest of 15 to 17 digits that reads back as the same double; an integer has no fraction.
 */
void ek_json_number(struct ek_json_writer *writer, double number);
void ek_json_integer(struct ek_json_writer *writer, int64_t number);
void ek_json_bool(struct ek_json_writer *writer, bool value);
void ek_json_raw(struct ek_json_writer *writer, const char *json); /* a whole value, as it is */

/* Key and value at once; what is not known (NULL, NAN or infinite, a list not given, no labels)
 * is left out. */
void ek_json_put_text(struct ek_json_writer *writer, const char *key, const char *text);
void ek_json_put_number(struct ek_json_writer *writer, const char *key, double number);
void ek_json_put_integer(struct ek_json_writer *writer, const char *key, int64_t number);
void ek_json_put_bool(struct ek_json_writer *writer, const char *key, bool value);

/* Milliseconds as seconds with three decimals, as the contract prints schedules. */
void ek_json_put_seconds(struct ek_json_writer *writer, const char *key, int64_t milliseconds);
void ek_json_put_strings(struct ek_json_writer *writer, const char *key, struct ek_strings list);
void ek_json_put_labels(struct ek_json_writer *writer, const char *key, struct ek_labels labels);

/* One figure for each resource, by its name, as an object under that key: a further resource
 * becomes a further member, and no reader breaks. */
struct ek_resources;
void ek_json_put_figures(struct ek_json_writer *writer, const char *key,
                         const struct ek_resources *resources, const double *figures);

/* ---- objects of the contract ---------------------------------------------------------------- */

struct ek_balancer_status;

/* Each writes one object as the next value. A host's members can also be put into an object that
 * the caller has begun and adds to. */
void ek_json_put_host(struct ek_json_writer *writer, const struct ek_host *host);
void ek_json_write_host(struct ek_json_writer *writer, const struct ek_host *host);
void ek_json_write_domain(struct ek_json_writer *writer, const struct ek_domain *domain,
                          const char *host_name); /* NULL: left out */
void ek_json_write_record(struct ek_json_writer *writer, const struct ek_move_record *record);
void ek_json_write_status(struct ek_json_writer *writer, const struct ek_balancer_status *status);
void ek_json_write_maintenance(struct ek_json_writer *writer,
                               const struct ek_maintenance_status *status);

#endif
