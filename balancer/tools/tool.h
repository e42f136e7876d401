/* What the verbs of `evenkeel` share: their table, options, the way to Redis, and how they end.
 *
 * A verb is one file with one function. It gets its own words, takes its options with
 * ek_tool_option, prints a table for people or, with --json, one document to standard output alone,
 * and returns the program's exit status. Complaints are one line on standard error that says what
 * to do. */
#ifndef EK_TOOLS_TOOL_H
#define EK_TOOLS_TOOL_H

#include "balancer/config/config.h"
#include "balancer/store/store.h"

#include <getopt.h>

enum ek_exit {
    EK_EXIT_DONE,
    EK_EXIT_FAILED,       /* e.g. Redis cannot be reached */
    EK_EXIT_USAGE,        /* the command line, or a file that it names */
    EK_EXIT_NOT_POSSIBLE, /* the cluster does not allow it */
};

struct ek_tool;

struct ek_verb {
    const char *name;
    const char *arguments; /* "" or e.g. " HOST [--wait]", with a leading blank */
    const char *help;      /* one line */
    const char *details;   /* further lines for its own --help; each ends with a line end */
    int (*run)(struct ek_tool *tool, int argc, char **argv); /* argv[0] is the verb */
};

/* One run of the program. */
struct ek_tool {
    const char *config_path;
    bool config_named; /* by -c or the environment: it must be there */
    bool json;
    const struct ek_verb *verb;
    int exit_status; /* why ek_tool_option or ek_tool_open told the verb to stop */
    bool hangs;      /* a thread still hangs in a call to some host: no exit() under it */

    struct ek_config config; /* these three from ek_tool_open on */
    struct ek_store *store;
    char redis_cli[600];  /* what redis-cli needs to reach the same Redis; no password */
    char key_prefix[300]; /* as a shell takes it */
};

/* ---- the program (dispatch.c) --------------------------------------------------------------- */

/* Runs the command line; returns the exit status. */
int ek_tool_main(int argc, char **argv);

/* All verbs, in the order of --help. */
const struct ek_verb *const *ek_tool_verbs(size_t *count);

/* One per file; dispatch.c lists them in the order of --help. */
extern const struct ek_verb ek_verb_status;
extern const struct ek_verb ek_verb_hosts;
extern const struct ek_verb ek_verb_domains;
extern const struct ek_verb ek_verb_plan;
extern const struct ek_verb ek_verb_why;
extern const struct ek_verb ek_verb_why_not;
extern const struct ek_verb ek_verb_maintenance;
extern const struct ek_verb ek_verb_move;
extern const struct ek_verb ek_verb_pause;
extern const struct ek_verb ek_verb_resume;
extern const struct ek_verb ek_verb_cancel;
extern const struct ek_verb ek_verb_abort;
extern const struct ek_verb ek_verb_resolve;
extern const struct ek_verb ek_verb_top;
extern const struct ek_verb ek_verb_history;
extern const struct ek_verb ek_verb_states;
extern const struct ek_verb ek_verb_snapshot;
extern const struct ek_verb ek_verb_samples;
extern const struct ek_verb ek_verb_simulate;
extern const struct ek_verb ek_verb_backtest;
extern const struct ek_verb ek_verb_doctor;
extern const struct ek_verb ek_verb_replay;
extern const struct ek_verb ek_verb_approve;
extern const struct ek_verb ek_verb_reject;

/* ---- options (context.c) -------------------------------------------------------------------- */

enum { EK_OPTION_END = -1, EK_OPTION_STOP = -2 };

/* The verb's next option: its `val` (greater than 0), its argument in getopt's `optarg`. `own` ends
 * with a zeroed entry; `own_short` are its one-letter options as getopt writes them, or "". The
 * options that stand with every verb (-c, --json, --help) are taken here. EK_OPTION_END: no more,
 * and the words that are left begin at argv[optind]. EK_OPTION_STOP: return tool->exit_status. */
int ek_tool_option(struct ek_tool *tool, int argc, char **argv, const char *own_short,
                   const struct option *own);

/* Takes getopt's `optarg` for *value; false: it had one, of which it has complained ("--NAME: found
 * it again, expected it once", and then `more`), return tool->exit_status. */
bool ek_tool_take_once(struct ek_tool *tool, const char *name, const char **value,
                       const char *more);

/* For verbs without options: true when there are at most `words` words left, which begin at
 * argv[optind]; else return tool->exit_status. */
bool ek_tool_no_options(struct ek_tool *tool, int argc, char **argv, int words);

/* Complains of more words than `words`; true: there are none. */
bool ek_tool_words(struct ek_tool *tool, int argc, char **argv, int words);

/* Prints what --help prints for that verb. */
void ek_tool_verb_help(const struct ek_verb *verb, FILE *out);

/* ---- Redis and files (context.c) ------------------------------------------------------------ */

/* Reads evenkeel.yaml alone, for a verb that needs no Redis. False: as ek_tool_open. */
bool ek_tool_configure(struct ek_tool *tool);

/* Reads evenkeel.yaml and connects to its Redis. False: it has complained, return
 * tool->exit_status. */
bool ek_tool_open(struct ek_tool *tool);
void ek_tool_close(struct ek_tool *tool);

/* The policy that the configuration names; the defaults, with a warning, when it cannot be used.
 * For showing, not for planning. */
void ek_tool_read_policy(const struct ek_tool *tool, struct ek_policy *policy,
                         struct ek_rules *rules);

/* Complains of a host that is not in the configuration and names those that are; returns the exit
 * status. */
int ek_tool_unknown_host(const struct ek_tool *tool, const char *host);

/* The names of all hosts of the configuration, for calls of the store; owned by the arena, NULL
 * when memory ran out. */
const char **ek_tool_host_names(const struct ek_tool *tool, struct ek_arena *arena);

/* ---- output (context.c) --------------------------------------------------------------------- */

/* One line on standard error, "evenkeel: ..."; returns `status`. */
int ek_tool_complain(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Where complaints go; NULL: to standard error. For a verb that owns the screen. */
void ek_tool_complain_to(FILE *out);

/* Prints a document and frees it; NULL means that memory ran out. Returns the exit status. */
int ek_tool_print_json(char *json);

/* Writes the names in one line, "h1, h2, h3", cut with "..." where they do not fit. */
void ek_tool_list_names(const char *const *names, size_t count, char *out, size_t size);

int64_t ek_tool_now_ms(void);

#endif
