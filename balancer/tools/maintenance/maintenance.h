/* Hosts in maintenance: what the operator wants, what the balancer says, and waiting for it. */
#ifndef EK_TOOLS_MAINTENANCE_H
#define EK_TOOLS_MAINTENANCE_H

#include "balancer/codec/writer.h"
#include "balancer/tools/table.h"
#include "balancer/tools/view.h"

/* As ek_view_read_maintenance(). */
struct ek_host_maintenance *ek_host_maintenance_read(struct ek_tool *tool,
                                                     const struct ek_maintenance *keys,
                                                     struct ek_arena *arena, struct ek_error *err);

/* Warns of keys for names that are no hosts: whoever mistyped one waits for a host to empty. A user
 * of Redis who may not scan hears nothing. */
void ek_host_maintenance_warn_of_strays(struct ek_tool *tool, struct ek_arena *arena);

/* "-", or state and reason, as the cell of a host's row. */
void ek_host_maintenance_cell(struct ek_table *table, const struct ek_host_maintenance *item);

/* A table of those that are in maintenance; false when memory ran out. `count` is that of all. */
bool ek_host_maintenance_print(const struct ek_host_maintenance *items, size_t count, FILE *out);

/* One line for each domain that was stopped on that host and runs nowhere, with its command. */
void ek_host_maintenance_print_stopped(const struct ek_host_maintenance *item, FILE *out);

/* ---- the preflight (maintenance_check.c) ---------------------------------------------------- */

struct ek_plan_input;

/* Shows what emptying the hosts of in->evacuate would take; changes nothing. Returns the exit
 * status, EK_EXIT_NOT_POSSIBLE when one of them cannot be emptied. */
int ek_maintenance_check(struct ek_tool *tool, struct ek_plan_input *in);

/* What it comes to, before a key is set. */
struct ek_foresight {
    bool may_begin; /* each host can be emptied, or nobody can tell now */
    char *json;     /* with --json: the document; owned by the caller (free) */
};

/* The same in short: prints whether each can be emptied, until when, and who is in the way. The
 * exit status is EK_EXIT_DONE whatever the answer is; else it has complained. */
int ek_maintenance_foresee(struct ek_tool *tool, struct ek_plan_input *in,
                           struct ek_foresight *foresight);

/* ---- enter (maintenance_enter.c) ------------------------------------------------------------ */

/* What is to be entered; strings are argv's. */
struct ek_entry {
    const char **hosts;
    size_t host_count;
    struct ek_maintenance key;
    int64_t ttl_ms; /* 0: for ever */
    bool wait;
    bool force;                  /* whatever the preflight says, and without one */
    struct ek_plan_input *input; /* for the preflight, with these hosts */
};

/* Looks ahead, sets the keys and, if wanted, waits. Returns the exit status. */
int ek_maintenance_enter(struct ek_tool *tool, const struct ek_entry *entry);

/* ---- status (maintenance.c) ------------------------------------------------------------------ */

/* Prints the hosts of that list (count 0: all that are in maintenance); with --json the document,
 * with `preflight` in it unless that is NULL. Returns the exit status. */
int ek_maintenance_status_print(struct ek_tool *tool, const char *const *hosts, size_t count,
                                const char *preflight);

/* ---- waiting (maintenance_wait.c) ----------------------------------------------------------- */

/* What was there before the key was set: tells an old word of the balancer from a new one. */
struct ek_wait_before {
    bool wanted;           /* the host was in maintenance already */
    char *status;          /* the status that was there, NULL: none; owned by the caller (free) */
    int64_t sampled_at_ms; /* of its newest sample; 0: there was none */
    char identity[128];    /* of the balancer; "": none ran */
    int64_t cycles;        /* of that balancer */
};

/* Notes what is there now. Errors: as of the store. */
bool ek_wait_note(struct ek_tool *tool, const char *host, struct ek_wait_before *before,
                  struct ek_error *err);

/* Waits until all of these hosts are empty by the word of their libvirts, and shows how far they
 * are, on a terminal with a bar. Returns the exit status; has complained unless it is EK_EXIT_DONE.
 * An interrupt ends the waiting, not the maintenance. */
int ek_wait_evacuated(struct ek_tool *tool, const char *const *hosts, size_t count,
                      const struct ek_wait_before *before);

#endif
