/* The plan as JSON, after docs/contracts.md: indices become names, milliseconds seconds. One line
 * for each move, so that two plans can be compared with diff. */
#include "balancer/codec/plan.h"

#include "balancer/codec/json.h"

#include <math.h>

/* Levels as the contract names them. */
static void write_levels(struct ek_json_writer *writer, const char *key, const struct ek_plan *plan,
                         const struct ek_levels *levels)
{
    ek_json_key(writer, key);
    ek_json_begin(writer, '{');
    ek_json_put_figures(writer, "imbalance", &plan->resources, levels->imbalance);
    /* Absent when no host counts: a cluster that is all down or in maintenance. */
    if (levels->hottest.host != EK_NONE) {
        ek_json_key(writer, "hottest");
        ek_json_begin(writer, '{');
        ek_json_put_text(writer, "host", plan->snapshot->hosts[levels->hottest.host].name);
        ek_json_put_text(writer, "resource", plan->resources.names[levels->hottest.resource]);
        ek_json_put_number(writer, "utilization", levels->hottest.utilization);
        ek_json_end(writer, '}');
    }
    ek_json_put_integer(writer, "violations", levels->violations);
    ek_json_end(writer, '}');
}

/* Plan and schedule are two results; slot i belongs to move i. */
void ek_json_write_move(struct ek_json_writer *writer, const struct ek_plan *plan,
                        const struct ek_schedule *schedule, size_t index)
{
    const struct ek_plan_move *move = &plan->moves[index];
    const struct ek_slot *slot = &schedule->slots[index];
    const struct ek_domain *domain = &plan->snapshot->domains[move->domain];

    ek_json_break(writer);
    ek_json_begin(writer, '{');
    ek_json_put_integer(writer, "seq", move->seq);
    ek_json_put_text(writer, "domain", domain->uuid);
    /* For people; programs go by the UUID, since names may repeat. */
    ek_json_put_text(writer, "name", domain->name);
    ek_json_put_text(writer, "source", plan->snapshot->hosts[move->source].name);
    ek_json_put_text(writer, "destination", plan->snapshot->hosts[move->destination].name);
    ek_json_key(writer, "depends_on");
    ek_json_begin(writer, '[');
    for (size_t i = 0; i < slot->depends_count; i++) {
        ek_json_integer(writer, slot->depends_on[i]);
    }
    ek_json_end(writer, ']');
    ek_json_put_seconds(writer, "start_s", slot->start_ms);
    ek_json_put_seconds(writer, "duration_s", slot->duration_ms);
    /* Whole MiB, upwards: more digits would claim what the model cannot know. */
    ek_json_put_number(writer, "transfer_mib", ceil(slot->cost.transfer_mib));
    ek_json_put_integer(writer, "downtime_ms", slot->cost.downtime_ms);
    ek_json_put_number(writer, "gain", move->gain);
    ek_json_put_text(writer, "reason", move->reason);
    ek_json_put_text(writer, "kind", ek_move_kind_name(move->kind));
    ek_json_end(writer, '}');
}

static void write_unresolved(struct ek_json_writer *writer, const struct ek_plan *plan,
                             const struct ek_unresolved *stuck)
{
    ek_json_break(writer);
    ek_json_begin(writer, '{');
    ek_json_put_text(writer, "domain", plan->snapshot->domains[stuck->domain].uuid);
    ek_json_put_text(writer, "name", plan->snapshot->domains[stuck->domain].name);
    ek_json_put_text(writer, "host", plan->snapshot->hosts[stuck->host].name);
    ek_json_put_text(writer, "reason", stuck->reason);
    if (stuck->withheld) {
        ek_json_put_bool(writer, "withheld", true);
    }
    ek_json_end(writer, '}');
}

static bool is_asked(const struct ek_plan_stop *stop, const bool *asked)
{
    return asked == NULL || asked[stop->host];
}

/* Absent when nobody is stopped, which is nearly always. */
void ek_json_put_stops(struct ek_json_writer *writer, const struct ek_plan *plan, const bool *asked)
{
    size_t count = 0;

    for (size_t i = 0; i < plan->stop_count; i++) {
        const struct ek_plan_stop *stop = &plan->stops[i];
        const struct ek_domain *domain = &plan->snapshot->domains[stop->domain];
        if (!is_asked(stop, asked)) {
            continue;
        }
        if (count++ == 0) {
            ek_json_break(writer);
            ek_json_key(writer, "stops");
            ek_json_begin(writer, '[');
        }
        ek_json_break(writer);
        ek_json_begin(writer, '{');
        ek_json_put_text(writer, "domain", domain->uuid);
        ek_json_put_text(writer, "name", domain->name);
        ek_json_put_text(writer, "host", plan->snapshot->hosts[stop->host].name);
        ek_json_put_text(writer, "kind", ek_move_kind_name(stop->kind));
        ek_json_end(writer, '}');
    }
    if (count > 0) {
        ek_json_end(writer, ']');
    }
}

void ek_json_put_plan(struct ek_json_writer *writer, const struct ek_plan *plan,
                      const struct ek_schedule *schedule)
{
    ek_json_put_integer(writer, "version", 1);
    ek_json_put_text(writer, "id", plan->id);
    ek_json_put_text(writer, "policy", plan->policy);
    ek_json_put_text(writer, "summary", plan->summary);
    ek_json_break(writer);
    write_levels(writer, "before", plan, &plan->before);
    ek_json_break(writer);
    write_levels(writer, "after", plan, &plan->after);
    ek_json_break(writer);
    ek_json_key(writer, "moves");
    ek_json_begin(writer, '[');
    for (size_t i = 0; i < plan->move_count; i++) {
        ek_json_write_move(writer, plan, schedule, i);
    }
    ek_json_end(writer, ']');
    ek_json_break(writer);
    ek_json_key(writer, "unresolved");
    ek_json_begin(writer, '[');
    for (size_t i = 0; i < plan->unresolved_count; i++) {
        write_unresolved(writer, plan, &plan->unresolved[i]);
    }
    ek_json_end(writer, ']');
    ek_json_put_stops(writer, plan, NULL);
    ek_json_break(writer);
    if (schedule->pace != EK_PACE_LIMITS) {
        ek_json_put_text(writer, "pace", ek_pace_name(schedule->pace));
    }
    ek_json_put_seconds(writer, "makespan_s", schedule->makespan_ms);
    ek_json_put_seconds(writer, "makespan_lower_bound_s", schedule->lower_bound_ms);
}

char *ek_codec_write_plan(const struct ek_plan *plan, const struct ek_schedule *schedule)
{
    struct ek_json_writer writer = {0};

    ek_json_begin(&writer, '{');
    ek_json_put_plan(&writer, plan, schedule);
    ek_json_end(&writer, '}');
    return ek_json_finish(&writer);
}
