/* The connection inside the store: commands, pipelines and scripts of one blocking hiredis context.
 *
 * A context that failed once is dead (hiredis), so it is freed and the next command connects anew.
 * The errors of all calls here are those of store.h; each message says "Redis at ADDRESS: KEY:
 * what". */
#ifndef EK_STORE_CONNECTION_H
#define EK_STORE_CONNECTION_H

#include "balancer/store/store.h"

#include <hiredis/hiredis.h>

enum { EK_KEY_SIZE = 512, EK_SHA_SIZE = 41 };

enum ek_script {
    EK_SCRIPT_MOVE_WRITE,
    EK_SCRIPT_MOVE_PROGRESS,
    EK_SCRIPT_TRASH,
    EK_SCRIPT_MOVE_RESOLVE,
    EK_SCRIPT_COMMAND_TAKE,
    EK_SCRIPT_LEASE,
    EK_SCRIPT_RENEW,
    EK_SCRIPT_RELEASE,
    EK_SCRIPT_PLAN,
    EK_SCRIPT_FENCED_SET,
    EK_SCRIPT_FENCED_ADD,
    EK_SCRIPT_INPUT,
    EK_SCRIPT_COUNT
};

struct ek_store {
    struct ek_store_options options; /* its strings are copies */
    char *address;
    redisContext *context; /* NULL: not connected */
    bool subscribed;       /* the context listens to the maintenance keys */
    void (*key_ended)(void *context, const char *host); /* NULL: nobody wants to know */
    void *key_ended_context;
    char heard[EK_ID_SIZE]; /* newest command that a wait has told of; "": none on this context */
    char sha[EK_SCRIPT_COUNT][EK_SHA_SIZE]; /* "": not loaded yet */
};

/* Frees a reply and sets the pointer to NULL: for EK_REPLY_SCOPED. */
void ek_reply_release(redisReply **reply);
#define EK_REPLY_SCOPED __attribute__((cleanup(ek_reply_release)))

/* Prefix + kind + name into `key`; false with INVALID if it does not fit. */
bool ek_store_key(const struct ek_store *store, char key[EK_KEY_SIZE], const char *kind,
                  const char *name, struct ek_error *err);

/* What all keys maintenance:<host> match, with the signs of the prefix escaped; false with INVALID
 * if it does not fit. */
bool ek_store_maintenance_pattern(const struct ek_store *store, char pattern[EK_KEY_SIZE],
                                  struct ek_error *err);

/* Connects, authenticates and selects the database, unless that is done. */
bool ek_store_connect(struct ek_store *store, struct ek_error *err);

/* Gives the connection up; the next command makes a new one. */
void ek_store_drop(struct ek_store *store);

/* One command, hiredis's format (%s, %b, %lld). `key` is for messages. The caller frees the reply
 * (EK_REPLY_SCOPED); NULL on error, an error reply included. */
redisReply *ek_store_command(struct ek_store *store, const char *key, struct ek_error *err,
                             const char *format, ...);

/* A pipeline: begin (connects if need be), append any number, then as many times ek_store_next. One
 * that is not read to its end must be given up with ek_store_drop. An error reply is handed out
 * like any other. */
bool ek_store_begin(struct ek_store *store, struct ek_error *err);
bool ek_store_append(struct ek_store *store, struct ek_error *err, const char *format, ...);
redisReply *ek_store_next(struct ek_store *store, const char *key, struct ek_error *err);

/* The newest entries of a stream, newest first, as an array: like ek_store_command. */
redisReply *ek_store_newest(struct ek_store *store, const char *key, size_t limit,
                            struct ek_error *err);

/* The value of a field of a stream's entry; NULL: it has none, or it is no entry. */
const char *ek_entry_field(const redisReply *entry, const char *field);

/* Sets the error for an error reply: DENIED, UNAVAILABLE (it still loads) or REMOTE. Always false.
 */
bool ek_store_refused(const struct ek_store *store, const char *key, const redisReply *reply,
                      struct ek_error *err);

/* Always false: REMOTE, the reply to the command on `key` has another shape than Redis documents.
 */
bool ek_store_odd_reply(const struct ek_store *store, const char *key, struct ek_error *err);

/* Runs a script (script.c says what each takes); keys first, then arguments, all strings. Like
 * ek_store_command. */
redisReply *ek_store_script(struct ek_store *store, enum ek_script script, const char *key,
                            struct ek_error *err, const char *const *keys, int key_count,
                            const char *const *args, int arg_count);

/* GET as a malloc'ed text; NULL in *text when the key is absent. */
bool ek_store_get_text(struct ek_store *store, const char *key, char **text, struct ek_error *err);

/* SET, if `epoch` is the current one; else FENCED. `life_ms` NULL: for ever. */
bool ek_store_fenced_set(struct ek_store *store, const char *key, const char *value,
                         const char *life_ms, int64_t epoch, struct ek_error *err);

/* Whether a fenced script's reply begins with "OK"; "FENCED" gives that error, others REMOTE. */
bool ek_store_check_fence(const struct ek_store *store, const char *key, const redisReply *reply,
                          const char *epoch, struct ek_error *err);

/* Whether the reply is a list that begins with `count` texts, the first of which is `word` (NULL:
 * any). */
bool ek_reply_is(const redisReply *reply, const char *word, size_t count);

/* A decimal number for a command. */
struct ek_decimal {
    char text[24];
};
struct ek_decimal ek_decimal(int64_t number);

#endif
