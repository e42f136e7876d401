/* The plan for people: a summary, a table, and whoever cannot leave. */
#include "balancer/codec/plan.h"

#include <inttypes.h>

static void print_levels(FILE *out, const struct ek_plan *plan)
{
    for (unsigned int r = 0; r < plan->resources.count; r++) {
        /* Three digits, as the triggers are configured in hundredths. */
        (void)fprintf(out, "  imbalance of %-7s %.3f -> %.3f\n", plan->resources.names[r],
                      plan->before.imbalance[r], plan->after.imbalance[r]);
    }
    /* Before and after name their hosts: mostly the hottest is another one afterwards. */
    if (plan->before.hottest.host != EK_NONE && plan->after.hottest.host != EK_NONE) {
        (void)fprintf(out, "  hottest host         %s %s %.0f %% -> %s %s %.0f %%\n",
                      plan->snapshot->hosts[plan->before.hottest.host].name,
                      plan->resources.names[plan->before.hottest.resource],
                      100 * plan->before.hottest.utilization,
                      plan->snapshot->hosts[plan->after.hottest.host].name,
                      plan->resources.names[plan->after.hottest.resource],
                      100 * plan->after.hottest.utilization);
    }
    (void)fprintf(out, "  above target         %" PRIu32 " -> %" PRIu32 "\n",
                  plan->before.violations - plan->before.broken,
                  plan->after.violations - plan->after.broken);
    if (plan->before.broken > 0 || plan->after.broken > 0) {
        (void)fprintf(out, "  must rules broken    %" PRIu32 " -> %" PRIu32 "\n",
                      plan->before.broken, plan->after.broken);
    }
}

/* Snapshots from a file may leave names out; the UUID is always there. */
static const char *name_of(const struct ek_domain *domain)
{
    return domain->name == NULL ? domain->uuid : domain->name;
}

/* Widths fit what is common; longer names push their line to the right and are never cut. */
static void print_move(FILE *out, const struct ek_plan *plan, const struct ek_schedule *schedule,
                       size_t index)
{
    const struct ek_plan_move *move = &plan->moves[index];

    (void)fprintf(
        out, "%4" PRIu32 "  %-24s %-12s -> %-12s %8.1f %8.1f %9.0f  %-8s %s\n", move->seq,
        name_of(&plan->snapshot->domains[move->domain]), plan->snapshot->hosts[move->source].name,
        plan->snapshot->hosts[move->destination].name,
        (double)schedule->slots[index].start_ms / 1000,
        (double)schedule->slots[index].duration_ms / 1000, schedule->slots[index].cost.transfer_mib,
        ek_move_kind_name(move->kind), move->reason);
}

void ek_codec_print_plan(FILE *out, const struct ek_plan *plan, const struct ek_schedule *schedule)
{
    (void)fprintf(out, "plan %s (policy %s): %s\n", plan->id, plan->policy, plan->summary);
    print_levels(out, plan);
    /* An empty plan has no table; its summary says why. */
    if (plan->move_count > 0) {
        (void)fprintf(out, "\n%4s  %-24s %-12s    %-12s %8s %8s %9s  %-8s %s\n", "seq", "domain",
                      "from", "to", "start s", "takes s", "copy MiB", "kind", "reason");
        for (size_t i = 0; i < plan->move_count; i++) {
            print_move(out, plan, schedule, i);
        }
        bool raised = schedule->pace != EK_PACE_LIMITS;
        (void)fprintf(out, "\ntakes %.1f s, at least %.1f s are needed%s%s\n",
                      (double)schedule->makespan_ms / 1000, (double)schedule->lower_bound_ms / 1000,
                      raised ? ", for a deadline at pace " : "",
                      raised ? ek_pace_name(schedule->pace) : "");
    }
    for (size_t i = 0; i < plan->stop_count; i++) {
        const struct ek_plan_stop *stop = &plan->stops[i];
        (void)fprintf(out, "%s%s is %s on %s, last: its metadata say so\n", i == 0 ? "\n" : "",
                      name_of(&plan->snapshot->domains[stop->domain]),
                      stop->kind == EK_MOVE_SAVE ? "saved" : "shut down",
                      plan->snapshot->hosts[stop->host].name);
    }
    for (size_t i = 0; i < plan->unresolved_count; i++) {
        const struct ek_unresolved *stuck = &plan->unresolved[i];
        /* An empty line before the first sets them off from the table. */
        (void)fprintf(out, "%s%s %s %s: %s\n", i == 0 ? "\n" : "",
                      name_of(&plan->snapshot->domains[stuck->domain]),
                      stuck->rule == EK_NONE && !stuck->withheld ? "cannot leave" : "stays on",
                      plan->snapshot->hosts[stuck->host].name, stuck->reason);
    }
}
