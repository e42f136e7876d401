/* The documents of status, hosts, domains and moves. */
#include "balancer/view/documents.h"

#include "balancer/codec/writer.h"

#include <stdlib.h>
#include <string.h>

/* ---- status -------------------------------------------------------------------------------- */

/* As the journal has them: whoever reads history's document reads this one. */
void ek_view_put_moves(struct ek_json_writer *writer, const char *key,
                       const struct ek_move_record *records, size_t count)
{
    ek_json_break(writer);
    ek_json_key(writer, key);
    ek_json_begin(writer, '[');
    for (size_t i = 0; i < count; i++) {
        ek_json_write_record(writer, &records[i]);
    }
    ek_json_end(writer, ']');
}

/* Only the exceptions: in a cluster that is well the list is empty, which a check can ask for. */
static void write_hosts_not_up(struct ek_json_writer *writer, const struct ek_view *view)
{
    const struct ek_snapshot *snapshot = &view->snapshot;

    ek_json_break(writer);
    ek_json_key(writer, "hosts_not_up");
    ek_json_begin(writer, '[');
    for (size_t h = 0; h < snapshot->host_count; h++) {
        if (snapshot->hosts[h].state != EK_HOST_UP) {
            ek_json_begin(writer, '{');
            ek_json_put_text(writer, "name", snapshot->hosts[h].name);
            ek_json_put_text(writer, "state", ek_host_state_name(snapshot->hosts[h].state));
            ek_json_put_integer(writer, "sampled_at_ms", snapshot->hosts[h].sampled_at_ms);
            ek_view_put_why_not_up(view, h, writer);
            ek_json_end(writer, '}');
        }
    }
    ek_json_end(writer, ']');
}

/* As in the snapshot's in_flight, with the domain's name: migrations that are no moves of ours. */
static void write_foreign(struct ek_json_writer *writer, const struct ek_snapshot *snapshot)
{
    ek_json_break(writer);
    ek_json_key(writer, "foreign");
    ek_json_begin(writer, '[');
    for (size_t f = 0; f < snapshot->in_flight_count; f++) {
        const struct ek_in_flight *flight = &snapshot->in_flight[f];
        if (flight->foreign) {
            ek_json_begin(writer, '{');
            ek_json_put_text(writer, "domain", snapshot->domains[flight->domain].uuid);
            ek_json_put_text(writer, "name", snapshot->domains[flight->domain].name);
            ek_json_put_text(writer, "source", snapshot->hosts[flight->source].name);
            ek_json_put_text(writer, "destination", snapshot->hosts[flight->destination].name);
            ek_json_put_integer(writer, "started_at_ms", flight->started_at_ms);
            ek_json_end(writer, '}');
        }
    }
    ek_json_end(writer, ']');
}

char *ek_view_write_status(const struct ek_status_report *report)
{
    struct ek_json_writer writer = {.text = NULL};

    ek_json_begin(&writer, '{');
    ek_json_put_integer(&writer, "version", 1);
    ek_json_put_integer(&writer, "taken_at_ms", report->view->snapshot.taken_at_ms);
    ek_json_put_text(&writer, "redis_cli", report->redis_cli);
    ek_json_put_text(&writer, "key_prefix", report->key_prefix);
    if (report->has_balancer) {
        ek_json_break(&writer);
        ek_json_key(&writer, "balancer");
        ek_json_write_status(&writer, &report->balancer);
    }
    ek_view_put_moves(&writer, "running", report->view->open, report->view->open_count);
    ek_view_put_moves(&writer, "blocked", report->blocking, report->blocking_count);
    write_foreign(&writer, &report->view->snapshot);
    write_hosts_not_up(&writer, report->view);
    ek_json_break(&writer);
    ek_json_key(&writer, "maintenance");
    ek_json_begin(&writer, '[');
    for (size_t h = 0; h < report->view->snapshot.host_count; h++) {
        if (report->maintenance[h].key.wanted) {
            ek_host_maintenance_write(&writer, &report->maintenance[h]);
        }
    }
    ek_json_end(&writer, ']');
    ek_json_end(&writer, '}');
    return ek_json_finish(&writer);
}

/* ---- hosts --------------------------------------------------------------------------------- */

/* Also of paused and of migrating domains: what is configured may be used at any moment. */
struct ek_allocation *ek_view_allocations(const struct ek_snapshot *snapshot,
                                          struct ek_arena *arena)
{
    struct ek_allocation *allocated =
        ek_arena_alloc(arena, snapshot->host_count, sizeof(*allocated));

    for (size_t d = 0; allocated != NULL && d < snapshot->domain_count; d++) {
        const struct ek_domain *domain = &snapshot->domains[d];
        allocated[domain->host].domains++;
        allocated[domain->host].vcpus += domain->vcpus;
        allocated[domain->host].memory_mib += domain->memory_mib;
    }
    return allocated;
}

bool ek_view_seen(const struct ek_host *host)
{
    return host->state != EK_HOST_DOWN;
}

/* By resource name, so that a third resource needs no third field. */
char *ek_view_write_hosts(const struct ek_view *view, const struct ek_evaluation *evaluation,
                          const struct ek_allocation *allocated, uint32_t only)
{
    const struct ek_snapshot *snapshot = &view->snapshot;
    const struct ek_resources *resources = &evaluation->policy->resources;
    struct ek_json_writer writer = {.text = NULL};

    ek_json_begin(&writer, '{');
    ek_json_put_integer(&writer, "version", 1);
    ek_json_put_integer(&writer, "taken_at_ms", snapshot->taken_at_ms);
    ek_json_key(&writer, "hosts");
    ek_json_begin(&writer, '[');
    for (size_t h = 0; h < snapshot->host_count; h++) {
        if (only != EK_NONE && only != h) {
            continue;
        }
        ek_json_break(&writer);
        ek_json_begin(&writer, '{');
        ek_json_put_host(&writer, &snapshot->hosts[h]);
        if (ek_view_seen(&snapshot->hosts[h])) {
            ek_json_put_figures(&writer, "utilization", resources,
                                &evaluation->utilization[h * resources->count]);
            ek_json_put_integer(&writer, "domains", allocated[h].domains);
            ek_json_put_number(&writer, "allocated_vcpus", allocated[h].vcpus);
            ek_json_put_number(&writer, "allocated_mib", allocated[h].memory_mib);
        }
        ek_view_put_why_not_up(view, h, &writer);
        ek_json_end(&writer, '}');
    }
    ek_json_end(&writer, ']');
    ek_json_break(&writer);
    if (evaluation->levels.hottest.host != EK_NONE) {
        ek_json_put_figures(&writer, "imbalance", resources, evaluation->levels.imbalance);
    }
    ek_json_put_figures(&writer, "target_max", resources, evaluation->policy->target_max);
    ek_json_end(&writer, '}');
    return ek_json_finish(&writer);
}

/* ---- domains ------------------------------------------------------------------------------- */

/* By host as evenkeel.yaml lists them, then by name. UUIDs decide between equal names, so that two
 * runs print the same. */
static int compare_rows(const void *left, const void *right)
{
    const struct ek_domain *a = ((const struct ek_domain_row *)left)->domain;
    const struct ek_domain *b = ((const struct ek_domain_row *)right)->domain;
    int order = (a->host > b->host) - (a->host < b->host);

    order = order != 0 ? order : strcmp(a->name, b->name);
    return order != 0 ? order : strcmp(a->uuid, b->uuid);
}

struct ek_domain_row *ek_view_domain_rows(const struct ek_snapshot *snapshot, uint32_t host,
                                          struct ek_arena *arena, size_t *count)
{
    struct ek_domain_row *rows = ek_arena_alloc(arena, snapshot->domain_count, sizeof(*rows));

    *count = 0;
    for (size_t d = 0; rows != NULL && d < snapshot->domain_count; d++) {
        struct ek_domain_row row = {.domain = &snapshot->domains[d]};
        /* A migrating domain is still on its source: where it goes stands in the list of moves. */
        for (size_t i = 0; i < snapshot->in_flight_count; i++) {
            if (snapshot->in_flight[i].domain == d) {
                row.destination = snapshot->hosts[snapshot->in_flight[i].destination].name;
            }
        }
        if (host == EK_NONE || row.domain->host == host) {
            rows[(*count)++] = row;
        }
    }
    /* qsort must not be given NULL or what an empty list has. */
    if (*count > 0) {
        qsort(rows, *count, sizeof(*rows), compare_rows);
    }
    return rows;
}

/* The contract's form of a domain, with its host's name in place of an index. */
char *ek_view_write_domains(const struct ek_snapshot *snapshot, const struct ek_domain_row *rows,
                            size_t count)
{
    struct ek_json_writer writer = {.text = NULL};

    ek_json_begin(&writer, '{');
    ek_json_put_integer(&writer, "version", 1);
    ek_json_put_integer(&writer, "taken_at_ms", snapshot->taken_at_ms);
    ek_json_key(&writer, "domains");
    ek_json_begin(&writer, '[');
    for (size_t i = 0; i < count; i++) {
        ek_json_break(&writer);
        ek_json_write_domain(&writer, rows[i].domain, snapshot->hosts[rows[i].domain->host].name);
    }
    ek_json_end(&writer, ']');
    ek_json_end(&writer, '}');
    return ek_json_finish(&writer);
}
