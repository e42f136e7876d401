/* The cluster as the balancer would see it now: assembled from Redis as each cycle does it. What
 * the operator's command and the HTTP endpoint show is made from it (documents.h). */
#ifndef EK_VIEW_VIEW_H
#define EK_VIEW_VIEW_H

#include "balancer/codec/unsampled.h"
#include "balancer/config/config.h"
#include "balancer/core/engine/engine.h"
#include "balancer/store/store.h"

struct ek_json_writer;
struct ek_balancer_status;

/* Where it is read from; all is borrowed. */
struct ek_view_source {
    struct ek_store *store;
    const struct ek_config *config;
    void (*warn)(void *context, const char *text); /* hears what is wrong with single samples and
                                                      domains, which are shown all the same */
    void *context;
};

struct ek_view {
    struct ek_snapshot snapshot;        /* hosts by name, domains by UUID */
    struct ek_maintenance *maintenance; /* per host of the configuration; owned by `arena` */
    struct ek_unsampled *unsampled;     /* per host of the snapshot: why it is not up, if known */
    struct ek_move_record *open;        /* moves that are not over */
    size_t open_count;
    struct ek_arena arena;
};

/* Reads samples, maintenance keys and moves, and assembles them. The caller owns the result:
 * ek_view_finish. Errors: those of the store, INVALID, NOMEM. */
bool ek_view_read(struct ek_view *view, const struct ek_view_source *source, struct ek_error *err);
void ek_view_finish(struct ek_view *view);

/* The names of all hosts of the configuration, for calls of the store; owned by the arena, NULL
 * when memory ran out. */
const char **ek_view_host_names(const struct ek_config *config, struct ek_arena *arena);

/* Why a host is not up, as its collector says; NULL: that is not known. */
const struct ek_unsampled *ek_view_unsampled(const struct ek_view *view, size_t host);

/* The same as members of an object, none if it is not known. */
void ek_view_put_why_not_up(const struct ek_view *view, size_t host, struct ek_json_writer *writer);

/* Reads that host's maintenance status. *there is false when there is none. Strings are owned by
 * the arena. False with a message in `err`: it cannot be read. */
bool ek_view_read_maintenance_status(struct ek_store *store, const char *host,
                                     struct ek_maintenance_status *out, bool *there,
                                     struct ek_arena *arena, struct ek_error *err);

/* The balancer's word on itself. *there is false when no balancer runs. */
bool ek_view_read_balancer(struct ek_store *store, struct ek_balancer_status *out, bool *there,
                           struct ek_error *err);

/* ---- hosts in maintenance (host_maintenance.c) ---------------------------------------------- */

/* What the operator wants of a host, and what the balancer says to it. */
struct ek_host_maintenance {
    const char *host;
    struct ek_maintenance key;
    bool has_status;
    struct ek_maintenance_status status;
    const struct ek_stopped *stopped; /* see ek_view_read_stopped; none unless that was called */
    size_t stopped_count;
};

/* A domain that an evacuation of ours saved or shut down, and that runs nowhere now. */
struct ek_stopped {
    const char *domain; /* UUID */
    const char *name;
    enum ek_move_kind kind; /* EK_MOVE_SAVE or EK_MOVE_SHUTDOWN */
    int64_t at_ms;
    const char *start; /* the command that starts it there, from here */
};

/* Fills in what the journal's newest moves say was stopped on each of the hosts. Owned by the
 * arena. Errors: those of the store, NOMEM. */
bool ek_view_read_stopped(const struct ek_view_source *source, struct ek_host_maintenance *items,
                          size_t count, struct ek_arena *arena, struct ek_error *err);

/* One entry per host, in the order of the snapshot's (by name); the keys are those of the
 * configuration's hosts, in its order. The statuses of hosts in maintenance are read here. Owned by
 * the arena. NULL with a message in `err`. */
struct ek_host_maintenance *ek_view_read_maintenance(struct ek_store *store,
                                                     const struct ek_config *config,
                                                     const struct ek_maintenance *keys,
                                                     struct ek_arena *arena, struct ek_error *err);

/* {"host", "wanted", "reason", "deadline_ms", "status": {the contract's}} */
void ek_host_maintenance_write(struct ek_json_writer *writer,
                               const struct ek_host_maintenance *item);

#endif
