/* The codec: memory <-> JSON text, after the contracts of docs/contracts.md.
 *
 * Readers ignore unknown fields, validate known ones and refuse a bad document whole: syntax errors
 * as "NAME:LINE:COLUMN: found, expected", contents as "NAME: hosts[3].memory_mib: found -1,
 * expected a number above 0"; `name` is what messages call the document (a file, a key). Writers
 * print numbers so that the same value always gives the same bytes. Texts that writers return are
 * malloc'ed for the caller; NULL means out of memory. */
#ifndef EK_CODEC_CODEC_H
#define EK_CODEC_CODEC_H

#include "balancer/core/error.h"
#include "balancer/core/move.h"
#include "balancer/core/snapshot.h"

#include <stddef.h>

/* The stated limit of a document: 128 MiB. */
#define EK_CODEC_MAX_BYTES ((size_t)128 << 20)

bool ek_codec_read_snapshot(struct ek_snapshot *out, const char *text, size_t size,
                            const char *name, struct ek_error *err);
char *ek_codec_write_snapshot(const struct ek_snapshot *snapshot);

/* A sample: {"version": 1, "taken_at_ms", "period_ms", "collector", "host": {as in a snapshot},
 * "domains": [as in a snapshot, without "host"]}. */
bool ek_codec_read_sample(struct ek_sample *out, const char *text, size_t size, const char *name,
                          struct ek_error *err);
char *ek_codec_write_sample(const struct ek_sample *sample);

/* A move's record, all fields of the structure by their names. */
bool ek_codec_read_record(struct ek_move_record *out, const char *text, size_t size,
                          const char *name, struct ek_error *err);
char *ek_codec_write_record(const struct ek_move_record *record);

/* What an operator's key says of a host. */
struct ek_maintenance {
    bool wanted;              /* the key exists */
    bool partial;             /* what can leave leaves, though others cannot */
    char reason[256];         /* "" when the value was empty */
    int64_t deadline_ms;      /* 0: none */
    char fault[EK_TEXT_SIZE]; /* what of the value was not understood; "": nothing */
};

/* The key's value, {"reason": TEXT, "deadline": "2026-12-01T18:00:00Z", "partial": true}, all
 * optional. No version: people write it by hand. Fills all but `wanted`; a member that is none of
 * these is the `fault`. Errors: INVALID (also for
 * what is no object: the caller takes that as a bare reason), NOMEM. */
bool ek_codec_read_maintenance(const char *text, size_t size, const char *name,
                               struct ek_maintenance *out, struct ek_error *err);

/* The same the other way round: the reason as it is when there is nothing else to say. */
char *ek_codec_write_maintenance_key(const struct ek_maintenance *key);

#endif
