/* The store: the only code that speaks to Redis.
 *
 * One `struct ek_store` is one connection, used by one thread at a time; calls block, at most for
 * the configured timeouts. After any failure of the connection the next call reconnects (at once;
 * callers pace themselves). Redis is a record, libvirt is the truth. Keys and formats:
 * docs/redis-keys.md.
 *
 * Errors of all calls: UNAVAILABLE (cannot connect, connection lost), TIMEOUT, DENIED (wrong
 * password, ACL), REMOTE (Redis answered with an error), NOMEM. The message names the server and
 * the key. */
#ifndef EK_STORE_STORE_H
#define EK_STORE_STORE_H

#include "balancer/codec/codec.h"
#include "balancer/core/command.h"
#include "balancer/core/error.h"
#include "balancer/core/move.h"
#include "balancer/core/profile.h"
#include "balancer/core/snapshot.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ek_history_block;
struct ek_store;

struct ek_store_options {
    const char *unix_socket; /* used when not NULL; else host and port */
    const char *host;
    int port;
    const char *user;     /* ACL user; NULL: the default user */
    const char *password; /* NULL: none */
    int database;
    const char *key_prefix; /* "evenkeel:" */
    int connect_timeout_ms; /* both > 0; looking up a host's name is not bounded by them */
    int command_timeout_ms;
};

/* Remembers the options (copied) and does not connect yet. NULL when memory ran out. */
struct ek_store *ek_store_create(const struct ek_store_options *options);
void ek_store_destroy(struct ek_store *store);

/* Connects if need be and asks for a PONG: tells whether the server can be used. */
bool ek_store_ping(struct ek_store *store, struct ek_error *err);

/* "unix:/run/…" or "redis://host:port", for messages; owned by the store. */
const char *ek_store_address(const struct ek_store *store);

/* ---- samples: host:<host> ---------------------------------------------------------------- */

/* Writes the sample with a TTL of 4 periods. */
bool ek_store_put_sample(struct ek_store *store, const struct ek_sample *sample,
                         struct ek_error *err);

/* Reads the newest samples of the named hosts in one round trip. samples[i] is zeroed and
 * has_sample[i] is false where there is none or where it cannot be read (then a warning text is in
 * `bad`, owned by the caller, of `bad_size` bytes, empty otherwise). The caller finishes each
 * sample that it got. */
bool ek_store_get_samples(struct ek_store *store, const char *const *hosts, size_t host_count,
                          struct ek_sample *samples, bool *has_sample, char *bad, size_t bad_size,
                          struct ek_error *err);

enum { EK_SAMPLER_SIZE = 128 };

/* sampled-by:<host>, for a week: says whose the host's newest sample is. `other`: who had said so
 * last, when that was another collector; else "". */
bool ek_store_sign_sample(struct ek_store *store, const char *host, const char *collector,
                          char other[EK_SAMPLER_SIZE], struct ek_error *err);

/* Who said so last; "": nobody. */
bool ek_store_get_sampler(struct ek_store *store, const char *host, char out[EK_SAMPLER_SIZE],
                          struct ek_error *err);

/* unsampled:<host>: why its newest reading was no sample (codec/unsampled.h), for an hour: what
 * failed longer ago is no reason. Deleted with the first sample. malloc'ed for the caller, NULL in
 * *json when there is none. */
bool ek_store_put_unsampled(struct ek_store *store, const char *host, const char *json,
                            struct ek_error *err);
bool ek_store_get_unsampled(struct ek_store *store, const char *host, char **json,
                            struct ek_error *err);
bool ek_store_delete_unsampled(struct ek_store *store, const char *host, struct ek_error *err);

/* candidates: the hosts whose domains may be moved (codec/candidates.h), with a TTL. Not fenced: it
 * leads to measurements alone. malloc'ed for the caller, NULL in *json when there is none. */
bool ek_store_put_candidates(struct ek_store *store, const char *json, int64_t ttl_ms,
                             struct ek_error *err);
bool ek_store_get_candidates(struct ek_store *store, char **json, struct ek_error *err);

/* ---- history:<host>, history-rows:<host> ---------------------------------------------------- */

/* How long the past is kept. */
struct ek_history_limits {
    int64_t keep_ms;   /* a block whose last sample is older goes */
    int64_t max_bytes; /* of one host's blocks; the oldest go, never the newest; before those, what
                          a clock that was ahead has left */
};

/* What came of adding a sample. */
struct ek_history_added {
    bool kept;         /* the sample is there, even if something failed after that */
    int64_t server_ms; /* Redis's time then; 0: nothing came of it */
    /* Without an error, and else of no meaning: INVALID, of a row or a profile that cannot be read
     * and stopped nothing; NONE: there was none. */
    struct ek_error noted;
};

/* Adds a sample to its host's history. When it returns true the sample is there, whatever happens
 * to us next and whatever its clock says; added again it is there once. Now and then this folds the
 * newest samples into a larger block and trims what is beyond the limits: no sample is lost to a
 * crash in between. Also INVALID: a sample that no reader would take. */
bool ek_store_add_history(struct ek_store *store, const struct ek_sample *sample,
                          const struct ek_history_limits *limits, struct ek_history_added *added,
                          struct ek_error *err);

/* Puts a block (codec/history_block.h) into a host's history, as from a file. The same block again
 * changes nothing; trimmed is with the next fold. */
bool ek_store_put_history(struct ek_store *store, const struct ek_history_block *block,
                          const struct ek_history_limits *limits, struct ek_error *err);

/* Reads a host's whole history in one block after the other: the caller's function gets each, whose
 * samples are all later than those before, and returns false with the error to stop. Each time
 * comes once. Blocks belong to the store. What cannot be read is passed over and told in `bad`, as
 * in ek_store_get_samples.
 */
typedef bool ek_store_history_fn(void *context, const struct ek_history_block *block,
                                 struct ek_error *err);
bool ek_store_get_history(struct ek_store *store, const char *host, ek_store_history_fn *visit,
                          void *context, char *bad, size_t bad_size, struct ek_error *err);

/* The same without what ended before `since_ms`: a block that reaches beyond is given whole. */
bool ek_store_get_history_since(struct ek_store *store, const char *host, int64_t since_ms,
                                ek_store_history_fn *visit, void *context, char *bad,
                                size_t bad_size, struct ek_error *err);

/* ---- profile-host:<host>, profile-domain:<uuid> --------------------------------------------- */

/* What a host or a domain (by its UUID) is used to take. ek_store_add_history() folds each hour in
 * when it is over; that outlives the samples by weeks. *there is false when nothing is known.
 * Error: also INVALID, of a profile that cannot be read. */
bool ek_store_get_profile(struct ek_store *store, enum ek_profile_kind kind, const char *name,
                          struct ek_profile *out, bool *there, struct ek_error *err);

/* Puts a profile, as from a file, beside what is known already (ek_profile_merge). */
bool ek_store_put_profile(struct ek_store *store, const struct ek_profile *profile,
                          const struct ek_history_limits *limits, struct ek_error *err);

/* ---- maintenance:<host>, maintenance-status:<host> ----------------------------------------- */

/* Reads the keys of all named hosts in one round trip. A value that is neither empty, nor text, nor
 * a valid object still means maintenance: the reason then is the raw text. */
bool ek_store_get_maintenance(struct ek_store *store, const char *const *hosts, size_t host_count,
                              struct ek_maintenance *out, struct ek_error *err);

/* Keys for names that are no hosts, which nobody reads: a slip of whoever set them. Their names in
 * quotes, as many as fit, "" when there are none. Scans all keys: for people, not for cycles; a
 * user without the right to scan gets that as the error. */
bool ek_store_stray_maintenance(struct ek_store *store, const char *const *hosts, size_t host_count,
                                char *out, size_t size, struct ek_error *err);

/* SET of the key's value as it is (NULL: empty; ek_codec_write_maintenance_key makes one), for
 * `ttl_ms`; 0: for ever, or for as long as the key that is there already would have lived: what
 * `evenkeel maintenance enter` does. */
bool ek_store_set_maintenance(struct ek_store *store, const char *host, const char *value,
                              int64_t ttl_ms, struct ek_error *err);

/* DEL: what `leave` does. */
bool ek_store_end_maintenance(struct ek_store *store, const char *host, struct ek_error *err);

/* Text that is stored and read as it is: JSON in the contract's shape. Fenced: who does not lead
 * any more must not call a host empty. */
bool ek_store_put_maintenance_status(struct ek_store *store, const char *host, const char *json,
                                     int64_t epoch, struct ek_error *err);
bool ek_store_delete_maintenance_status(struct ek_store *store, const char *host,
                                        struct ek_error *err);

/* Deletes all of them, also those of hosts that are configured no more. Scans all keys: once, by
 * who begins to lead. Errors: also DENIED, without the right to scan. */
bool ek_store_sweep_maintenance_statuses(struct ek_store *store, struct ek_error *err);

/* The text, malloc'ed for the caller, NULL in *json when there is none. */
bool ek_store_get_maintenance_status(struct ek_store *store, const char *host, char **json,
                                     struct ek_error *err);

/* ---- plans: plan:<id>, plans; status; events ----------------------------------------------- */

/* Fenced: errors with FENCED when `epoch` is not the current one. `fate` is a word such as
 * "recommended", "started", "done", "failed"; each call adds an entry to the stream `plans` as
 * well. */
bool ek_store_put_plan(struct ek_store *store, const char *id, const char *json, const char *fate,
                       int64_t epoch, int64_t now_ms, struct ek_error *err);

/* The newest plan's JSON and fate, malloc'ed; NULL when there is none. */
bool ek_store_get_latest_plan(struct ek_store *store, char **json, char **fate,
                              struct ek_error *err);

/* The plan of that id as it was put, malloc'ed; NULL in *json when there is none (any more). */
bool ek_store_get_plan(struct ek_store *store, const char *id, char **json, struct ek_error *err);

/* verified:<plan>: what a plan promised and what came of it (codec/outcome.h), fenced, for as long
 * as plans are kept; malloc'ed, NULL in *json when there is none. */
bool ek_store_put_verified(struct ek_store *store, const char *id, const char *json, int64_t epoch,
                           struct ek_error *err);
bool ek_store_get_verified(struct ek_store *store, const char *id, char **json,
                           struct ek_error *err);

/* An entry of the stream `plans`. */
struct ek_plan_fate {
    char id[EK_ID_SIZE];
    char fate[16];
    int64_t at_ms;
};

/* The newest `limit` of them, newest first; malloc'ed for the caller. */
bool ek_store_recent_fates(struct ek_store *store, size_t limit, struct ek_plan_fate **fates,
                           size_t *count, struct ek_error *err);

/* status:balancer and status:collector:<id>: what a role says of itself, JSON, with a TTL. */
bool ek_store_put_status(struct ek_store *store, const char *role, const char *json, int64_t ttl_ms,
                         struct ek_error *err);
bool ek_store_get_status(struct ek_store *store, const char *role, char **json,
                         struct ek_error *err);

/* Adds one event to the stream `events` (trimmed to about 10,000). `kind` is a word, `text` a whole
 * sentence; subject is a host's or domain's name or "". */
bool ek_store_add_event(struct ek_store *store, int64_t now_ms, const char *kind,
                        const char *subject, const char *text, struct ek_error *err);

/* The newest `limit` events, newest first; texts last for the call. */
typedef void ek_store_event_fn(void *context, int64_t at_ms, const char *kind, const char *subject,
                               const char *text);
bool ek_store_recent_events(struct ek_store *store, size_t limit, ek_store_event_fn *visit,
                            void *context, struct ek_error *err);

/* ---- the journal: move:<id>, moves --------------------------------------------------------- */

/* See ek_journal.write; the compare-and-set and the entry in the stream `moves` are one Lua script
 * that also checks that record->epoch is the current one (FENCED). Writing the very same record
 * again is no conflict: after UNAVAILABLE or TIMEOUT the caller may repeat until it knows. INVALID:
 * a step that the table of states forbids. */
bool ek_store_write_move(struct ek_store *store, const struct ek_move_record *record,
                         const struct ek_move_record *expected, struct ek_error *err);

/* Beside the record, until its next step; CONFLICT when it is not at that state, attempt and epoch.
 */
bool ek_store_write_progress(struct ek_store *store, const struct ek_move_record *record,
                             struct ek_error *err);

/* All records whose state is not terminal (set `moves:open`), and those that block their domain
 * (set `moves:blocking`), oldest first. *records is malloc'ed for the caller. A record that cannot
 * be read is an error (INVALID, naming its key), never passed over. */
bool ek_store_open_moves(struct ek_store *store, struct ek_move_record **records, size_t *count,
                         struct ek_error *err);
bool ek_store_blocking_moves(struct ek_store *store, struct ek_move_record **records, size_t *count,
                             struct ek_error *err);

/* One record with its newest progress; *there is false when there is none of that id. */
bool ek_store_get_move(struct ek_store *store, const char *id, struct ek_move_record *record,
                       bool *there, struct ek_error *err);

/* The newest `limit` records, newest first. */
bool ek_store_recent_moves(struct ek_store *store, size_t limit, struct ek_move_record **records,
                           size_t *count, struct ek_error *err);

/* An operator's word on a move whose end blocks its domain: kept beside the record, in the field
 * `resolution`. */
struct ek_move_resolution {
    const char *choice;
    const char *by; /* "user@host" */
    int64_t at_ms;
};

/* One script, fenced by `epoch`, that expects `record` to stand there as it is and to block its
 * domain (CONFLICT if not). `closed` NULL: the word alone is written, before what it leads to is
 * begun. Else `closed` (its epoch is `epoch`) takes the record's place, and the domain is free; a
 * closed record that still says `unknown` is one that somebody answers for. */
bool ek_store_resolve_move(struct ek_store *store, const struct ek_move_record *record,
                           const struct ek_move_record *closed, int64_t epoch,
                           const struct ek_move_resolution *resolution, struct ek_error *err);

/* ---- commands: command, reply:<id> ----------------------------------------------------------- */

/* A command as it was taken from the stream. */
struct ek_command_entry {
    struct ek_command command;
    char by[160];            /* "user@host", as the sender says */
    int64_t age_ms;          /* since it was issued, by the clock of Redis alone */
    struct ek_error problem; /* code NONE: none; else why it cannot be executed */
};

/* Adds a command to the stream (trimmed to about 1,000); its `id` is filled in. */
bool ek_store_issue_command(struct ek_store *store, struct ek_command *command, const char *by,
                            int64_t now_ms, struct ek_error *err);

/* Takes the oldest command out of the stream, in one script that is fenced by `epoch`: whatever
 * happens next, nobody takes it again. *taken is false when there is none. One that cannot be read
 * is taken, too, with its `problem`. */
bool ek_store_take_command(struct ek_store *store, int64_t epoch, struct ek_command_entry *entry,
                           bool *taken, struct ek_error *err);

/* Takes a command back that nobody has taken; *withdrawn tells whether that was still so. */
bool ek_store_withdraw_command(struct ek_store *store, const char *id, bool *withdrawn,
                               struct ek_error *err);

/* The answer, kept for 60 s. JSON in the shape of codec/command.h; malloc'ed for the caller, NULL
 * in *json when there is none (yet, or any more). */
bool ek_store_put_reply(struct ek_store *store, const char *id, const char *json,
                        struct ek_error *err);
bool ek_store_get_reply(struct ek_store *store, const char *id, char **json, struct ek_error *err);

/* ---- moves:trash: ended moves whose volumes are to be discarded ----------------------------- */

/* A record gets there with its last step, in the same script, when it is to be discarded at some
 * time, and is kept as long as it is there. The ids of at most `limit` moves that are due by now,
 * the longest due first; `ids` holds as many. Their records may be gone or not readable. */
bool ek_store_due_trash(struct ek_store *store, int64_t now_ms, size_t limit,
                        char (*ids)[EK_ID_SIZE], size_t *count, struct ek_error *err);

/* Takes the move out of the trash (`again_at_ms` 0), or puts it off. Fenced. */
bool ek_store_settle_trash(struct ek_store *store, const char *id, int64_t again_at_ms,
                           int64_t epoch, struct ek_error *err);

/* ---- the lease: leader, epoch -------------------------------------------------------------- */

/* Takes or renews the lease for `owner` ("hostname:pid:random"). *epoch is the fencing epoch,
 * raised by one whenever another owner than the last one takes it. *held tells whether we hold it;
 * when not, *holder (holder_size bytes) says who does. */
bool ek_store_lease(struct ek_store *store, const char *owner, int64_t ttl_ms, bool *held,
                    int64_t *epoch, char *holder, size_t holder_size, struct ek_error *err);

/* Renews the lease if we hold it, and does not take it. *held: whether we do. */
bool ek_store_renew(struct ek_store *store, const char *owner, int64_t ttl_ms, bool *held,
                    struct ek_error *err);

/* Gives the lease back if we hold it. */
bool ek_store_release(struct ek_store *store, const char *owner, struct ek_error *err);

/* ---- engine state -------------------------------------------------------------------------- */

/* Opaque JSON of the engine (its cooldowns), fenced; NULL in *json when there is
 * none. */
bool ek_store_put_engine_state(struct ek_store *store, const char *json, int64_t epoch,
                               struct ek_error *err);
bool ek_store_get_engine_state(struct ek_store *store, char **json, struct ek_error *err);

/* memory: what the engine has learned of domains (codec/memory.h), in the same way. */
bool ek_store_put_memory(struct ek_store *store, const char *json, int64_t epoch,
                         struct ek_error *err);
bool ek_store_get_memory(struct ek_store *store, char **json, struct ek_error *err);

/* input:<id>: what a decision was made from; kept for 7 days, the newest 500. */
bool ek_store_put_input(struct ek_store *store, const char *id, const char *json, int64_t epoch,
                        struct ek_error *err);

/* The input as it was put, malloc'ed for the caller; NULL in *json when there is none (any more).
 */
bool ek_store_get_input(struct ek_store *store, const char *id, char **json, struct ek_error *err);

/* ---- cycles: what came of each, and why (codec/cycle.h) ------------------------------------ */

/* Adds to the stream `cycles` (trimmed to about 2,000), fenced. */
bool ek_store_add_cycle(struct ek_store *store, const char *json, int64_t epoch,
                        struct ek_error *err);

/* The newest `limit` of them, newest first, all malloc'ed: ek_store_free_texts. */
bool ek_store_recent_cycles(struct ek_store *store, size_t limit, char ***jsons, size_t *count,
                            struct ek_error *err);
void ek_store_free_texts(char **texts, size_t count);

/* ---- notification -------------------------------------------------------------------------- */

/* Blocks until a maintenance key changes (keyspace notification, which it turns on for strings and
 * expiry if the server allows; else only the next scan notices), or timeout_ms passed, or a signal
 * came. *changed tells. After each (re)connection it returns at once with *changed true, since what
 * happened while nobody listened went unheard. Uses a connection of its own: call it on a store
 * that does nothing else. */
bool ek_store_wait_maintenance(struct ek_store *store, int timeout_ms, bool *changed,
                               struct ek_error *err);

/* Who hears, in the thread that waits and before its wait returns, of each host whose key was there
 * no more for a moment (deleted, expired, renamed), though it may be there again by now. What
 * happens while nobody listens goes unheard. Once, before the first wait. */
void ek_store_hear_ends(struct ek_store *store, void (*ended)(void *context, const char *host),
                        void *context);

/* The same for the stream of commands. Waits no longer than half the time that a command may take,
 * whatever `timeout_ms` says. */
bool ek_store_wait_command(struct ek_store *store, int timeout_ms, bool *changed,
                           struct ek_error *err);

#endif
