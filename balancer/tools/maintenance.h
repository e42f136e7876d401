/* Hosts in maintenance: what the operator wants, what the balancer says, and waiting for it. */
#ifndef EK_TOOLS_MAINTENANCE_H
#define EK_TOOLS_MAINTENANCE_H

#include "balancer/codec/writer.h"
#include "balancer/tools/table.h"
#include "balancer/tools/view.h"

struct ek_host_maintenance {
    const char *host;
    struct ek_maintenance key;
    bool has_status;
    struct ek_maintenance_status status;
};

/* One entry per host of the configuration, whose keys the caller has read; the statuses of those in
 * maintenance are read here. Owned by the arena. NULL with a message in `err`. */
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

/* {"host", "wanted", "reason", "deadline_ms", "status": {the contract's}} */
void ek_host_maintenance_write(struct ek_json_writer *writer,
                               const struct ek_host_maintenance *item);

/* ---- waiting (maintenance_wait.c) ----------------------------------------------------------- */

/* What was there before the key was set: tells an old word of the balancer from a new one. */
struct ek_wait_before {
    bool wanted;        /* the host was in maintenance already */
    char *status;       /* the status that was there, NULL: none; owned by the caller (free) */
    char identity[128]; /* of the balancer; "": none ran */
    int64_t cycles;     /* of that balancer */
};

/* Notes what is there now. Errors: as of the store. */
bool ek_wait_note(struct ek_tool *tool, const char *host, struct ek_wait_before *before,
                  struct ek_error *err);

/* Waits until the host is empty and shows how far it is, on a terminal with a bar. Returns the exit
 * status; has complained unless it is EK_EXIT_DONE. An interrupt ends the waiting, not the
 * maintenance. */
int ek_wait_evacuated(struct ek_tool *tool, const char *host, const struct ek_wait_before *before);

#endif
