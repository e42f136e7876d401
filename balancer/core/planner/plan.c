/* Planning: drain what is in maintenance, mend must rules, let the policy level the rest, move for
 * should rules what is worth it, list what could not be done. Every prefix of the plan is feasible
 * (docs/planner.md). */
#include "balancer/core/digest.h"
#include "balancer/core/planner/plan_work.h"
#include "balancer/core/plural.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Pairs that making room may look at in one plan, whatever there is to do: about a second. */
#define LOOKS 4000000

/* The same for groups, whose members are moved about for each look; and for rules that single moves
 * mend or please: some tenths of a second each. */
#define GROUP_LOOKS 1000000
#define RULE_LOOKS 20000000

bool ek_plan_nomem(struct ek_error *err)
{
    return ek_error_set(err, EK_ERR_NOMEM, "out of memory while planning");
}

/* Only what is open keeps anybody from anywhere; mostly nothing is. */
static bool name_circuits(struct ek_digest *digest, const struct ek_circuit *circuit,
                          const struct ek_snapshot *snapshot, struct ek_arena *scratch)
{
    size_t count = circuit == NULL ? 0 : ek_circuit_export(circuit, NULL, 0);
    struct ek_circuit_entry *entries = ek_arena_alloc(scratch, count, sizeof(*entries));

    if (entries == NULL) {
        return false;
    }
    (void)(count > 0 && ek_circuit_export(circuit, entries, count));
    for (size_t i = 0; i < count; i++) {
        if (ek_circuit_state(&entries[i], snapshot->taken_at_ms) == EK_CIRCUIT_OPEN) {
            ek_digest_text(digest, entries[i].source);
            ek_digest_text(digest, entries[i].destination);
            ek_digest_integer(digest, entries[i].until_ms);
        }
    }
    return true;
}

/* The id comes from all that the plan is made from, so that two plans never share one. */
static bool name(struct ek_plan_work *work, const struct ek_plan_wish *wishes, size_t count,
                 struct ek_error *err)
{
    const struct ek_plan_request *request = work->request;
    const struct ek_snapshot *snapshot = work->out->snapshot;
    struct ek_digest digest = ek_digest_begin();

    ek_digest_snapshot(&digest, snapshot);
    ek_digest_policy(&digest, work->policy);
    ek_digest_text(&digest, request->balance == NULL ? NULL : request->balance->name);
    ek_digest_text(&digest, request->balance_held);
    ek_digest_integer(&digest, request->prefer_held);
    ek_digest_integer(&digest, request->evacuate_only);
    if (request->as_far) {
        ek_digest_text(&digest, "as far as possible");
    }
    for (size_t i = 0; i < count; i++) {
        ek_digest_integer(&digest, wishes[i].domain);
        ek_digest_integer(&digest, wishes[i].destination);
        ek_digest_text(&digest, wishes[i].reason);
    }
    for (size_t d = 0; d < snapshot->domain_count; d++) {
        /* In the snapshot's order, not the map's, which depends on history. */
        const struct ek_rest *rest = ek_cooldown_find(request->cooldown, snapshot->domains[d].uuid);
        if (rest != NULL) {
            ek_digest_integer(&digest, (int64_t)d);
            ek_digest_integer(&digest, rest->until_ms);
            ek_digest_integer(&digest, rest->failed_until_ms);
            ek_digest_integer(&digest, rest->failures);
            ek_digest_text(&digest, rest->avoid);
            ek_digest_integer(&digest, rest->avoid_until_ms);
            ek_digest_integer(&digest, rest->blocked);
        }
    }
    if (!name_circuits(&digest, ek_cooldown_circuit(request->cooldown), snapshot,
                       &work->cluster.arena)) {
        return ek_plan_nomem(err);
    }
    (void)snprintf(work->out->id, sizeof(work->out->id), "%016" PRIx64, digest.state);
    return true;
}

bool ek_plan_begin(struct ek_plan_work *work, const struct ek_plan_wish *wishes, size_t count,
                   struct ek_error *err)
{
    const struct ek_evaluation *evaluation = work->request->evaluation;
    const struct ek_snapshot *snapshot = evaluation->snapshot;
    struct ek_plan *out = work->out;

    assert(snapshot != NULL && evaluation->policy != NULL);
    memset(out, 0, sizeof(*out));
    work->policy = evaluation->policy;
    if (!ek_cluster_copy(&work->cluster, &evaluation->cluster, err)) {
        return false;
    }
    out->snapshot = snapshot;
    out->model = &evaluation->cluster;
    out->policy = ek_policy_kind_name(work->policy->kind);
    out->resources = work->policy->resources;
    out->before = evaluation->levels;
    out->offered_gain = NAN;
    /* A domain moves once, or is parked before. */
    out->moves = ek_arena_alloc(&out->arena, 2 * snapshot->domain_count, sizeof(*out->moves));
    out->unresolved = ek_arena_alloc(&out->arena, snapshot->domain_count + snapshot->copy_count,
                                     sizeof(*out->unresolved));
    work->moved = ek_arena_alloc(&work->cluster.arena, snapshot->domain_count, sizeof(uint8_t));
    work->place = ek_arena_alloc(&work->cluster.arena, snapshot->domain_count, sizeof(uint32_t));
    work->looks = LOOKS;
    work->group_looks = GROUP_LOOKS;
    work->mend_looks = RULE_LOOKS;
    work->wish_looks = RULE_LOOKS;
    if (out->moves == NULL || out->unresolved == NULL || work->moved == NULL ||
        work->place == NULL) {
        return ek_plan_nomem(err);
    }
    memset(work->place, 0xff, snapshot->domain_count * sizeof(uint32_t)); /* EK_NONE */
    if (!ek_search_init(&work->search, &work->cluster, work->request->cooldown, err)) {
        return false;
    }
    /* Balancing takes nothing away from there either. */
    for (size_t d = 0; work->held != NULL && d < snapshot->domain_count; d++) {
        work->search.movable[d] =
            work->search.movable[d] && !ek_plan_holds(work, snapshot->domains[d].host);
    }
    return name(work, wishes, count, err);
}

static size_t moves_of(const struct ek_plan *plan, enum ek_move_kind kind)
{
    size_t count = 0;

    for (size_t i = 0; i < plan->move_count; i++) {
        count += plan->moves[i].kind == kind ? 1 : 0;
    }
    return count;
}

/* Later moves may have made room for domains that could not leave before, or not be mended. */
static bool once_more(struct ek_plan_work *work, struct ek_error *err)
{
    return work->out->move_count == moves_of(work->out, EK_MOVE_EVACUATE) ||
           (ek_plan_evacuate(work, err) && ek_plan_repair(work, err));
}

/* What rules have to do with it; "" when nothing. NULL: out of memory. */
static const char *rules_part(struct ek_plan *out, size_t repairing)
{
    size_t broken = out->unresolved_count - out->stuck_count;

    if (repairing == 0 && broken == 0) {
        return "";
    }
    return broken == 0
               ? ek_arena_printf(&out->arena, "%zu move%s for rules; ", repairing,
                                 ek_plural(repairing))
               : ek_arena_printf(&out->arena,
                                 "%zu move%s for rules, %zu domain%s cannot keep one; ", repairing,
                                 ek_plural(repairing), broken, ek_plural(broken));
}

/* Who stays for others' sake; "" when nobody does. NULL: out of memory. */
static const char *withheld_part(struct ek_plan *out)
{
    return out->withheld_count == 0
               ? ""
               : ek_arena_printf(&out->arena, ", so %zu other%s stay%s", out->withheld_count,
                                 ek_plural(out->withheld_count),
                                 out->withheld_count == 1 ? "s" : "");
}

/* Who is stopped last; "" when nobody is. NULL: out of memory. */
static const char *stops_part(struct ek_plan *out)
{
    return out->stop_count == 0
               ? ""
               : ek_arena_printf(&out->arena, ", %zu %s stopped last", out->stop_count,
                                 out->stop_count == 1 ? "is" : "are");
}

/* One sentence for every plan, the empty ones too: "nothing to move" needs its reason most. A
 * parking counts as what it is made for: it is not yet marked. */
static bool summarise(struct ek_plan_work *work, struct ek_error *err)
{
    struct ek_plan *out = work->out;
    size_t evacuating = moves_of(out, EK_MOVE_EVACUATE);
    size_t repairing = moves_of(out, EK_MOVE_RULE);
    size_t balancing = out->move_count - evacuating - repairing;
    size_t stuck = out->stuck_count - out->withheld_count;
    const char *rules = rules_part(out, repairing);
    const char *stay = withheld_part(out);
    const char *stop = stops_part(out);

    if (rules == NULL || stay == NULL || stop == NULL) {
        return ek_plan_nomem(err);
    }
    if (evacuating > 0 || out->stuck_count > 0 || out->stop_count > 0) {
        out->summary = ek_arena_printf(
            &out->arena,
            "%zu move%s to empty hosts in maintenance, %zu domain%s cannot leave%s%s; "
            "%s%zu move%s to balance (%s)",
            evacuating, ek_plural(evacuating), stuck, ek_plural(stuck), stay, stop, rules,
            balancing, ek_plural(balancing), work->why);
    } else if (rules[0] != '\0') {
        out->summary = ek_arena_printf(&out->arena, "%s%zu move%s to balance (%s)", rules,
                                       balancing, ek_plural(balancing), work->why);
    } else if (balancing > 0) {
        out->summary = ek_arena_printf(&out->arena, "%zu move%s: %s", balancing,
                                       ek_plural(balancing), work->why);
    } else {
        out->summary = ek_arena_printf(&out->arena, "nothing to move: %s", work->why);
    }
    return out->summary != NULL || ek_plan_nomem(err);
}

/* Empties hosts and mends rules; without the hosts that cannot be emptied as a whole, which
 * attempts find out. What remains may have more room then, and no host comes back. */
static bool clear(struct ek_plan_work *work, struct ek_plan_held *held, struct ek_error *err)
{
    const struct ek_plan_work blank = *work;
    bool again = true;
    bool ok = true;

    while (ok && again) {
        ok = ek_plan_begin(work, NULL, 0, err) && ek_plan_evacuate(work, err) &&
             ek_plan_repair(work, err) && ek_plan_puzzle(work, err) &&
             ek_plan_hold_back(work, held, &again, err);
        if (ok && again) {
            ek_plan_finish(work->out);
            ek_cluster_finish(&work->cluster);
            *work = blank;
            work->held = held;
        }
    }
    return ok;
}

bool ek_plan_make(struct ek_plan *out, const struct ek_plan_request *request, struct ek_error *err)
{
    struct ek_plan_held held = {.waits = EK_NONE};
    struct ek_plan_work work = {.request = request, .out = out};

    bool ok = clear(&work, &held, err) && ek_plan_balance(&work, err) && once_more(&work, err) &&
              ek_plan_prefer(&work, err) && ek_plan_list_unresolved(&work, err) &&
              summarise(&work, err) && ek_plan_warn_of_spare(&work, err) &&
              ek_plan_mark_parks(&work, err);
    if (ok) {
        out->after = ek_levels_of(&work.cluster);
    } else {
        ek_plan_finish(out);
    }
    ek_arena_finish(&held.arena);
    ek_cluster_finish(&work.cluster);
    return ok;
}

void ek_plan_finish(struct ek_plan *plan)
{
    ek_arena_finish(&plan->arena);
    memset(plan, 0, sizeof(*plan));
}
