/* Configuration: evenkeel.yaml (which hosts, which Redis, how often) and policy.yaml (how to
 * balance).
 *
 * A file is read as a whole: every value is checked, all problems are collected, and one problem
 * refuses the file; then the result that the caller passed in is left as it was, so that a reload
 * is read, check, swap. Each kind of file has one schema table (config_schema.c, policy_schema.c),
 * from which the reader, the checks, the dump and the documentation test are made;
 * docs/configuration.md explains every key.
 *
 * Problems read `FILE:LINE: found X, expected Y`, FILE being the path as it was given. Errors of
 * all readers: INVALID (something in the file), NOT_FOUND, DENIED and IO (the file itself), NOMEM.
 */
#ifndef EK_CONFIG_CONFIG_H
#define EK_CONFIG_CONFIG_H

#include "balancer/core/arena.h"
#include "balancer/core/error.h"
#include "balancer/core/move_timing.h"
#include "balancer/core/policy.h"
#include "balancer/core/snapshot.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* ---- problems ------------------------------------------------------------------------------ */

enum { EK_CONFIG_MAX_PROBLEMS = 20, EK_CONFIG_PROBLEM_SIZE = 512 };

struct ek_config_problem {
    int line; /* from 1; 0: the file as a whole */
    enum ek_error_code code;
    char text[EK_CONFIG_PROBLEM_SIZE]; /* the whole message, file and line included */
};

/* What was wrong with a file, in the order of its lines. Plain data, owned by the caller. */
struct ek_config_problems {
    size_t count; /* all that were found; the first EK_CONFIG_MAX_PROBLEMS are kept */
    struct ek_config_problem items[EK_CONFIG_MAX_PROBLEMS];
};

/* Writes the problems to `out`, one per line. */
void ek_config_problems_print(const struct ek_config_problems *problems, FILE *out);

/* ---- policy.yaml --------------------------------------------------------------------------- */

/* Reads a policy file; what it does not say has its default. The preset of `aggressiveness` applies
 * before all other keys, wherever it stands. An empty file gives the defaults. The file's rules go
 * to `rules`, which the caller owns (ek_rules_finish) and keeps in place while the policy is in
 * use, because it points there; NULL: they are checked and dropped. Both are written on success
 * only, over whatever was there. `problems` may be NULL; it is written in any case (count 0 when
 * all is well). `err` gets the first problem and how many more there are. */
bool ek_policy_read(struct ek_policy *out, struct ek_rules *rules, const char *path,
                    struct ek_config_problems *problems, struct ek_error *err);

/* The same from memory; `name` is what messages call the text. */
bool ek_policy_parse(struct ek_policy *out, struct ek_rules *rules, const char *text, size_t size,
                     const char *name, struct ek_config_problems *problems, struct ek_error *err);

/* Writes all effective values as a commented policy file, which reads back as the same policy.
 * Error: IO. */
bool ek_policy_dump(const struct ek_policy *policy, FILE *out, struct ek_error *err);

/* ---- evenkeel.yaml ------------------------------------------------------------------------- */

enum ek_redis_mode {
    EK_REDIS_EMBEDDED, /* a private server in the state directory */
    EK_REDIS_EXTERNAL, /* the server that `url` names */
};

enum ek_role { EK_ROLE_COLLECTOR, EK_ROLE_BALANCER, EK_ROLE_COUNT };

enum ek_log_level { EK_LOG_ERROR, EK_LOG_WARNING, EK_LOG_INFO, EK_LOG_DEBUG };

struct ek_config_host {
    const char *name;
    const char *uri; /* libvirt's, as the daemon connects to it */
    struct ek_labels labels;
    const char *migration_uri; /* "tcp://ADDRESS" of its migration link; NULL: libvirt chooses */
    double migration_mib_s;    /* 0: not given, see ek_host_entry */
    int line;                  /* where it stands in the file, for messages */
};

struct ek_config_redis {
    enum ek_redis_mode mode;
    const char *url;           /* as written; NULL: not given */
    const char *user;          /* NULL: the default user */
    const char *password_file; /* as written; NULL: not given */
    const char *key_prefix;
    int64_t connect_timeout_ms;
    int64_t command_timeout_ms;

    /* Taken from the above; host and socket are both NULL in embedded mode. */
    const char *socket; /* path of a unix socket; NULL: host and port count */
    const char *host;
    int port;
    int database;
    const char *password; /* first line of password_file; NULL: none. Never dumped or logged */
};

struct ek_config_http {
    const char *listen;      /* as written; NULL: no endpoint */
    const char *token_file;  /* as written; NULL: not given */
    struct ek_strings names; /* by which it may be asked for, beside addresses and localhost */

    /* Taken from the above. */
    const char *address; /* of `listen`, without brackets; NULL: no endpoint */
    int port;
    bool loopback;     /* nobody but this machine reaches the address */
    const char *token; /* first line of token_file; NULL: none, or not read. Never dumped or
                        * logged */
    bool token_unread; /* whoever serves nothing has no business with it */
};

struct ek_config {
    struct ek_config_host *hosts; /* at least one, names and URIs are unique */
    size_t host_count;
    struct ek_config_redis redis;
    unsigned int roles; /* bit 1 << EK_ROLE_...; never 0 */
    const char *state_dir;
    const char *policy_file; /* as written; NULL: not given */
    const char *policy_path; /* see ek_config_read_policy; relative if the file's path was */
    int64_t sample_ms;
    int64_t evaluate_ms;
    int64_t dirty_rate_ms;      /* 0: dirty rates are not measured */
    int64_t connect_timeout_ms; /* to a hypervisor */
    int64_t call_timeout_ms;    /* one call of a hypervisor's */
    int64_t lease_ms;
    struct ek_move_timing moves;
    int collector_workers;
    int64_t history_interval_ms;
    int64_t history_keep_ms; /* 0: no history */
    double history_host_mib;
    struct ek_config_http http;
    enum ek_log_level log_level;
    struct ek_arena arena; /* owns all strings and lists above */
};

/* Reads and checks evenkeel.yaml, the files of secrets that it names included. The caller owns the
 * result (ek_config_finish); it is written on success only. `problems` and `err` as in
 * ek_policy_read. */
bool ek_config_read(struct ek_config *out, const char *path, struct ek_config_problems *problems,
                    struct ek_error *err);

/* The same for a client, which serves nothing: the file of http.token_file is left alone, since the
 * client's user need not be allowed to read it. */
bool ek_config_read_client(struct ek_config *out, const char *path,
                           struct ek_config_problems *problems, struct ek_error *err);

/* The same from memory; paths in the text are relative to the folder of `name`. */
bool ek_config_parse(struct ek_config *out, const char *text, size_t size, const char *name,
                     struct ek_config_problems *problems, struct ek_error *err);

/* Reads the policy that belongs to the configuration: the file of `policy_file`, which must exist,
 * else policy.yaml beside evenkeel.yaml, whose absence means the defaults. */
bool ek_config_read_policy(struct ek_policy *out, struct ek_rules *rules,
                           const struct ek_config *config, struct ek_config_problems *problems,
                           struct ek_error *err);

/* Writes all effective values as a commented file, which reads back (from the same folder) as the
 * same configuration; what is not set is commented out. No password is written. Error: IO. */
bool ek_config_dump(const struct ek_config *config, FILE *out, struct ek_error *err);

/* Frees what the configuration owns and zeroes it; a zeroed one is fine. */
void ek_config_finish(struct ek_config *config);

const char *ek_redis_mode_name(enum ek_redis_mode mode);
const char *ek_role_name(enum ek_role role);
const char *ek_log_level_name(enum ek_log_level level);

/* ---- what has changed ---------------------------------------------------------------------- */

/* One key by its path ("trigger.comfort", "hosts[h1].uri") with its values as they are written;
 * NULL: it is not given. What the pointers point to lasts for that call. */
typedef void ek_change_fn(void *context, const char *path, const char *before, const char *after);

/* Tells `say` of each key whose value is another, in the order of the files. No password is told:
 * of a secret's file whose content is another its name is told, before and after, which are the
 * same. Error: NOMEM. */
bool ek_policy_changes(const struct ek_policy *before, const struct ek_policy *after,
                       ek_change_fn *say, void *context, struct ek_error *err);
bool ek_config_changes(const struct ek_config *before, const struct ek_config *after,
                       ek_change_fn *say, void *context, struct ek_error *err);

/* ---- documentation ------------------------------------------------------------------------- */

enum ek_config_file { EK_CONFIG_EVENKEEL, EK_CONFIG_POLICY };

/* One key, as people are told of it. */
struct ek_config_key {
    const char *path;     /* from the top, through lists: "hosts[].name" */
    const char *form;     /* how it is written, and its range */
    const char *unit;     /* what its plain number counts; NULL: the form shows it */
    const char *fallback; /* its default, or what is said in the place of one */
    bool restart;         /* taken up by a start, not by a reload */
    const char *doc;      /* one sentence, without a final full stop */
};

/* Tells `visit` of every key, in the order of the schema. What a key points to lasts for that
 * call. */
void ek_config_visit_keys(enum ek_config_file file,
                          void (*visit)(void *context, const struct ek_config_key *key),
                          void *context);

/* Writes one row per key as a Markdown table: key, form and range, default, when a change is taken
 * up, meaning. docs/configuration.md carries these rows word for word. */
void ek_config_schema_print(enum ek_config_file file, FILE *out);

#endif
