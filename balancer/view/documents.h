/* The JSON documents of what is seen (docs/contracts.md): the same bytes for `evenkeel --json VERB`
 * and for the HTTP endpoint. Each is malloc'ed for the caller; NULL: memory ran out. */
#ifndef EK_VIEW_DOCUMENTS_H
#define EK_VIEW_DOCUMENTS_H

#include "balancer/codec/status.h"
#include "balancer/core/evaluate.h"
#include "balancer/view/view.h"

/* Everything is read before anything is written: a failure half way leaves no half report. */
struct ek_status_report {
    const char *redis_cli; /* how redis-cli reaches the same Redis */
    const char *key_prefix;
    const struct ek_view *view;
    bool has_balancer;
    struct ek_balancer_status balancer;
    const struct ek_host_maintenance *maintenance; /* per host */
    struct ek_move_record *blocking;
    size_t blocking_count;
};

char *ek_view_write_status(const struct ek_status_report *report);

/* What the domains of a host are configured with. */
struct ek_allocation {
    uint32_t domains;
    double vcpus;
    double memory_mib;
};

/* Per host of the snapshot; owned by the arena, NULL when memory ran out. */
struct ek_allocation *ek_view_allocations(const struct ek_snapshot *snapshot,
                                          struct ek_arena *arena);

/* Whether the host's figures are from a sample: those of one that was never seen only keep the
 * snapshot valid. */
bool ek_view_seen(const struct ek_host *host);

/* `only`: that host; EK_NONE: all. */
char *ek_view_write_hosts(const struct ek_view *view, const struct ek_evaluation *evaluation,
                          const struct ek_allocation *allocated, uint32_t only);

/* A domain to be shown. */
struct ek_domain_row {
    const struct ek_domain *domain;
    const char *destination; /* NULL: it does not migrate now */
};

/* The domains on `host` (all when it is EK_NONE), by host and name: the snapshot has them by UUID.
 * Owned by the arena, NULL when memory ran out. */
struct ek_domain_row *ek_view_domain_rows(const struct ek_snapshot *snapshot, uint32_t host,
                                          struct ek_arena *arena, size_t *count);
char *ek_view_write_domains(const struct ek_snapshot *snapshot, const struct ek_domain_row *rows,
                            size_t count);

/* Records as the journal has them, as a member of an object that the caller has begun. */
void ek_view_put_moves(struct ek_json_writer *writer, const char *key,
                       const struct ek_move_record *records, size_t count);

#endif
