/* Planning: drain what is in maintenance, let the policy level the rest, list what cannot leave.
 * Greedy, one best move after the other on the model as it then is, so that every prefix of the
 * plan is feasible (docs/planner.md). */
#include "balancer/core/plan.h"

#include "balancer/core/digest.h"
#include "balancer/core/refine.h"
#include "balancer/core/swap.h"
#include "policies/policy_ops.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* One sentence with two names of hosts. */
enum { WHY_SIZE = 200 };

/* Ratings that refining may take: a few tens of milliseconds, whatever the size of the cluster. */
#define REFINE_RATINGS 1000000

/* Exchanges are looked for while the search has rated no more than this: they are for small
 * clusters and short plans, where a single move has nowhere to go. */
#define SWAP_RATINGS 600000

/* Everything that is needed while one plan is made. */
struct work {
    const struct ek_plan_request *request;
    const struct ek_policy *policy;
    struct ek_cluster cluster;
    struct ek_search search;
    struct ek_plan *out;
    size_t evacuations;
    char why[WHY_SIZE];
};

static bool nomem(struct ek_error *err)
{
    return ek_error_set(err, EK_ERR_NOMEM, "out of memory while planning");
}

/* The id comes from all that the plan is made from, so that two plans never share one. */
static void name(struct work *work)
{
    const struct ek_plan_request *request = work->request;
    const struct ek_snapshot *snapshot = work->out->snapshot;
    struct ek_digest digest = ek_digest_begin();

    ek_digest_snapshot(&digest, snapshot);
    ek_digest_policy(&digest, work->policy);
    ek_digest_text(&digest, request->balance == NULL ? NULL : request->balance->name);
    ek_digest_text(&digest, request->balance_held);
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
    (void)snprintf(work->out->id, sizeof(work->out->id), "%016" PRIx64, digest.state);
}

static bool begin(struct work *work, struct ek_error *err)
{
    const struct ek_evaluation *evaluation = work->request->evaluation;
    const struct ek_snapshot *snapshot = evaluation->snapshot;
    struct ek_plan *out = work->out;

    assert(snapshot != NULL && evaluation->policy != NULL);
    work->policy = evaluation->policy;
    if (!ek_cluster_init(&work->cluster, snapshot, work->policy, err)) {
        return false;
    }
    out->snapshot = snapshot;
    out->policy = ek_policy_kind_name(work->policy->kind);
    out->before = evaluation->levels;
    /* A domain moves once, or is parked before. */
    out->moves = ek_arena_alloc(&out->arena, 2 * snapshot->domain_count, sizeof(*out->moves));
    out->unresolved = ek_arena_alloc(&out->arena, snapshot->domain_count + snapshot->copy_count,
                                     sizeof(*out->unresolved));
    if (out->moves == NULL || out->unresolved == NULL) {
        return nomem(err);
    }
    if (!ek_search_init(&work->search, &work->cluster, work->request->cooldown, err)) {
        return false;
    }
    name(work);
    return true;
}

/* The reason before the move: it quotes both hosts as they are until then. */
static bool take(struct work *work, const struct ek_policy_ops *ops,
                 const struct ek_candidate *chosen, struct ek_error *err)
{
    struct ek_plan *out = work->out;
    struct ek_plan_move *move = &out->moves[out->move_count];
    uint32_t source = work->cluster.host_of[chosen->domain];
    double rate = ek_migration_bandwidth(out->snapshot, source, chosen->destination);

    assert(chosen->domain < out->snapshot->domain_count && source != chosen->destination);
    assert(out->move_count < out->snapshot->domain_count);
    *move = (struct ek_plan_move){
        .seq = (uint32_t)out->move_count + 1,
        .domain = chosen->domain,
        .source = source,
        .destination = chosen->destination,
        .kind = ops->kind,
        .gain = chosen->gain,
        .cost = ek_migration_cost(&out->snapshot->domains[chosen->domain], rate,
                                  work->policy->max_downtime_ms),
        .reason = ops->reason(&work->search, chosen, &out->arena),
    };
    out->move_count++;
    assert(out->move_count <= 2 * out->snapshot->domain_count);
    ek_search_move(&work->search, chosen->domain, chosen->destination);
    return move->reason != NULL || nomem(err);
}

/* Lets a policy move until it is content or `limit` moves are made. */
static bool run(struct work *work, const struct ek_policy_ops *ops, size_t limit,
                struct ek_error *err)
{
    for (size_t made = 0; made < limit; made++) {
        struct ek_candidate chosen = ops->next(&work->search);
        if (chosen.domain == EK_NONE) {
            break;
        }
        if (!take(work, ops, &chosen, err)) {
            return false;
        }
    }
    return true;
}

/* Without a limit: half an evacuation is none, so moves_per_plan is for balancing only. */
static bool evacuate(struct work *work, struct ek_error *err)
{
    size_t before = work->out->move_count;
    bool ok = run(work, &ek_policy_drain, work->out->snapshot->domain_count, err);

    work->evacuations += work->out->move_count - before;
    return ok;
}

/* Undoes the balance moves: the plan as a whole brought too little. */
static void drop_balance(struct work *work)
{
    while (work->out->move_count > work->evacuations) {
        /* The newest first, so that each stands where its move had put it. */
        const struct ek_plan_move *move = &work->out->moves[--work->out->move_count];
        assert(work->cluster.host_of[move->domain] == move->destination);
        work->search.settled[move->domain] = true; /* a parked one is not */
        ek_search_undo(&work->search, move->domain, move->source);
    }
}

/* Wanted, and yet nothing moves: nothing pays, or what would pay must rest. */
static void explain_quiet(struct work *work)
{
    const struct ek_cluster *cluster = &work->cluster;
    size_t used = strlen(work->why);
    uint32_t resting = 0;

    for (uint32_t d = 0; d < cluster->snapshot->domain_count; d++) {
        enum ek_block block =
            ek_constraint_domain(cluster, work->request->cooldown, d, EK_PURPOSE_BALANCE);
        resting += block == EK_BLOCK_RESTING || block == EK_BLOCK_FAILED_LATELY ? 1 : 0;
    }
    (void)snprintf(work->why + used, sizeof(work->why) - used,
                   ", but no move earns more than it costs");
    if (resting > 0) {
        used = strlen(work->why);
        (void)snprintf(work->why + used, sizeof(work->why) - used, " (%" PRIu32 " domains rest)",
                       resting);
    }
}

/* The moves that the policy would make one after the other, made in the model only. Where no single
 * move pays any more, two domains may change places. */
static size_t choose(struct work *work, const struct ek_policy_ops *ops, struct ek_choice *choices)
{
    size_t limit = (size_t)work->policy->moves_per_plan;
    size_t count = 0;

    while (count < limit) {
        struct ek_candidate best = ops->next(&work->search);
        if (best.domain != EK_NONE) {
            choices[count++] = (struct ek_choice){best.domain, work->cluster.host_of[best.domain],
                                                  best.destination};
            ek_search_move(&work->search, best.domain, best.destination);
        } else if (ops->pays != NULL && count + 2 <= limit && work->search.ratings < SWAP_RATINGS &&
                   ek_swap_best(&work->search, &choices[count])) {
            count += 2;
        } else {
            break;
        }
    }
    return count;
}

static void take_back(struct work *work, const struct ek_choice *choices, size_t count)
{
    for (size_t i = count; i > 0; i--) {
        ek_search_undo(&work->search, choices[i - 1].domain, choices[i - 1].source);
    }
}

static bool fits_now(const struct work *work, const struct ek_choice *choice)
{
    return ek_constraint_pair(&work->cluster, work->request->cooldown, choice->domain,
                              choice->destination, EK_PURPOSE_BALANCE) == EK_BLOCK_NONE;
}

static bool make_one(struct work *work, const struct ek_policy_ops *ops,
                     const struct ek_choice *choice, struct ek_error *err)
{
    struct ek_candidate chosen =
        ek_candidate_rate(&work->search, choice->domain, choice->destination);

    return take(work, ops, &chosen, err);
}

/* Makes whatever of the choices fits, in their order, again and again; `left` of them stay at the
 * front. */
static bool make_fitting(struct work *work, const struct ek_policy_ops *ops,
                         struct ek_choice *choices, size_t *left, struct ek_error *err)
{
    size_t before = *left + 1;

    while (*left > 0 && *left < before) {
        size_t waiting = 0;
        before = *left;
        for (size_t i = 0; i < before; i++) {
            if (!fits_now(work, &choices[i])) {
                choices[waiting++] = choices[i];
            } else if (!make_one(work, ops, &choices[i], err)) {
                return false;
            }
        }
        *left = waiting;
    }
    return true;
}

/* The host where a domain may wait for its place: where it does the least harm. EK_NONE: nowhere.
 */
static uint32_t parking(struct work *work, const struct ek_choice *choice)
{
    struct ek_candidate best = {.domain = EK_NONE};

    for (uint32_t h = 0; h < work->out->snapshot->host_count; h++) {
        struct ek_choice there = {choice->domain, choice->source, h};
        if (h != choice->source && h != choice->destination && fits_now(work, &there)) {
            struct ek_candidate candidate = ek_candidate_rate(&work->search, choice->domain, h);
            best = ek_candidate_better(&work->search, &candidate, &best) ? candidate : best;
        }
    }
    return best.domain == EK_NONE ? EK_NONE : best.destination;
}

/* The smallest of the choices that can be parked leaves for a third host and makes room there. */
static bool park_one(struct work *work, const struct ek_policy_ops *ops, struct ek_choice *choices,
                     size_t left, bool *parked, struct ek_error *err)
{
    const struct ek_domain *domains = work->out->snapshot->domains;
    size_t smallest = left;
    uint32_t place = EK_NONE;

    for (size_t i = 0; i < left; i++) {
        const struct ek_domain *domain = &domains[choices[i].domain];
        bool once = choices[i].source == domain->host; /* nobody is parked twice */
        bool smaller =
            smallest == left || domain->memory_mib < domains[choices[smallest].domain].memory_mib;
        uint32_t host = once && smaller ? parking(work, &choices[i]) : EK_NONE;
        if (host != EK_NONE) {
            smallest = i;
            place = host;
        }
    }
    *parked = place != EK_NONE && work->out->move_count - work->evacuations + left <
                                      (size_t)work->policy->moves_per_plan;
    if (!*parked) {
        return true;
    }
    const struct ek_choice wait = {choices[smallest].domain, choices[smallest].source, place};
    if (!make_one(work, ops, &wait, err)) {
        return false;
    }
    work->out->moves[work->out->move_count - 1].kind = EK_MOVE_PARK;
    work->out->moves[work->out->move_count - 1].reason = "makes room for a while";
    work->search.settled[wait.domain] = false; /* its last move is still to come */
    choices[smallest].source = place;
    return true;
}

/* Makes the choices in an order in which each is feasible, those first that stand first; where each
 * of some waits for another, one is parked. `left` of them could not be made. */
static bool make(struct work *work, const struct ek_policy_ops *ops, struct ek_choice *choices,
                 size_t *left, struct ek_error *err)
{
    bool parked = true;

    while (parked) {
        if (!make_fitting(work, ops, choices, left, err)) {
            return false;
        }
        parked = false;
        if (*left > 0 && !park_one(work, ops, choices, *left, &parked, err)) {
            return false;
        }
    }
    return true;
}

/* What a set of balance moves is measured by: overload first, then the score with the price of
 * copying. */
struct result {
    double overload;
    double cost;
};

static struct result result_of(const struct work *work, const struct ek_choice *choices,
                               size_t count)
{
    struct ek_score score = ek_cluster_score(&work->cluster);
    struct result result = {score.overload, score.spread};

    for (size_t i = 0; i < count; i++) {
        result.cost += work->search.price[choices[i].domain];
    }
    for (size_t i = work->evacuations; i < work->out->move_count; i++) {
        result.cost += work->search.price[work->out->moves[i].domain];
    }
    return result;
}

static bool worse(const struct result *a, const struct result *b)
{
    bool level = a->overload < b->overload + 1e-9;

    return !level || (a->overload > b->overload - 1e-9 && a->cost > b->cost + 1e-9);
}

/* Chooses, chooses again with hindsight, and puts the result in order. When that has no feasible
 * order, or parking made it dearer than the first choice, the first choice stands, whose order is
 * its own. */
static bool level(struct work *work, const struct ek_policy_ops *ops, struct ek_error *err)
{
    struct ek_arena *scratch = &work->cluster.arena;
    size_t domains = work->out->snapshot->domain_count;
    struct ek_choice *first = ek_arena_alloc(scratch, domains, sizeof(*first));
    struct ek_choice *refined = ek_arena_alloc(scratch, domains, sizeof(*refined));

    if (first == NULL || refined == NULL) {
        return nomem(err);
    }
    size_t first_count = choose(work, ops, first);
    struct result wanted = result_of(work, first, first_count);
    size_t count = first_count;
    memcpy(refined, first, count * sizeof(*first));
    if (ops->pays != NULL) {
        ek_refine(&work->search, refined, &count, ops->pays, REFINE_RATINGS);
    }
    take_back(work, refined, count);
    if (!make(work, ops, refined, &count, err)) {
        return false;
    }
    struct result got = result_of(work, NULL, 0);
    if (count > 0 || worse(&got, &wanted)) {
        drop_balance(work);
        return make(work, ops, first, &first_count, err);
    }
    return true;
}

static bool balance(struct work *work, struct ek_error *err)
{
    const struct ek_policy_ops *ops = work->request->balance;
    /* After the evacuation, which may level or unlevel by itself: min_gain judges the balance moves
     * alone. */
    struct ek_levels before = ek_levels_of(&work->cluster);

    if (work->request->balance_held != NULL || ops == NULL) {
        (void)snprintf(work->why, sizeof(work->why), "%s",
                       ops == NULL ? "evacuation only" : work->request->balance_held);
        return true;
    }
    if (!ops->wants(&work->cluster, &before, work->why, sizeof(work->why))) {
        return true;
    }
    if (!level(work, ops, err)) {
        return false;
    }
    struct ek_score after = ek_cluster_score(&work->cluster);
    assert(work->out->move_count >= work->evacuations);
    double fall = before.score.spread - after.spread;
    if (work->out->move_count == work->evacuations) {
        explain_quiet(work);
        /* Ending overload is worth any gain. */
    } else if (!(after.overload < before.score.overload) &&
               fall < work->policy->min_gain * before.score.spread) {
        drop_balance(work);
        (void)snprintf(work->why, sizeof(work->why),
                       "the best plan would lower the score by %.1f %% only, less than min_gain",
                       before.score.spread > 0 ? 100 * fall / before.score.spread : 0.0);
    }
    return true;
}

/* Whether time may end what keeps a domain off a host: what ends by itself, or with a move that
 * runs. */
static bool passes(const struct ek_cluster *cluster, uint32_t host, enum ek_block block)
{
    const struct ek_snapshot *snapshot = cluster->snapshot;
    bool room = block == EK_BLOCK_MEMORY || block == EK_BLOCK_VCPUS || block == EK_BLOCK_RULE;

    return block == EK_BLOCK_AVOIDED || block == EK_BLOCK_UNSEEN ||
           (block == EK_BLOCK_HOST_STATE && snapshot->hosts[host].state == EK_HOST_STALE) ||
           (room && snapshot->in_flight_count > 0);
}

/* The texts behind one another, "; " between them; owned by the arena, NULL: out of memory. */
static const char *join(const char *const *texts, size_t count, struct ek_arena *arena)
{
    size_t length = 1;
    size_t used = 0;

    for (size_t i = 0; i < count; i++) {
        length += strlen(texts[i]) + 2;
    }
    char *joined = ek_arena_alloc(arena, length, 1);
    for (size_t i = 0; joined != NULL && i < count; i++) {
        used +=
            (size_t)snprintf(joined + used, length - used, "%s%s", i == 0 ? "" : "; ", texts[i]);
    }
    return joined;
}

/* The first reason of each host, for a domain that no host takes. */
static const char *hosts_reason(struct work *work, uint32_t domain, bool *for_now)
{
    struct ek_arena *arena = &work->out->arena;
    struct ek_arena *scratch = &work->cluster.arena;
    const struct ek_cluster *cluster = &work->cluster;
    const struct ek_cooldown *cooldown = work->request->cooldown;
    size_t count = 0;
    const char **texts = ek_arena_alloc(scratch, cluster->snapshot->host_count, sizeof(*texts));

    for (uint32_t h = 0; texts != NULL && h < cluster->snapshot->host_count; h++) {
        enum ek_block block =
            ek_constraint_pair(cluster, cooldown, domain, h, EK_PURPOSE_EVACUATE_FORCED);
        if (block == EK_BLOCK_SAME_HOST) {
            continue;
        }
        const char *why = ek_constraint_explain(cluster, cooldown, domain, h, block, scratch);
        const char *text = ek_arena_printf(scratch, "%s: %s", cluster->snapshot->hosts[h].name,
                                           why == NULL ? "" : why);
        if (why == NULL || text == NULL) {
            return NULL;
        }
        texts[count++] = text;
        /* One host that may take it later is enough to wait for. */
        *for_now = *for_now || passes(cluster, h, block);
    }
    if (texts == NULL) {
        return NULL;
    }
    return count == 0 ? "there is no other host" : join(texts, count, arena);
}

static const char *stuck_reason(struct work *work, uint32_t domain, bool *for_now)
{
    const struct ek_cluster *cluster = &work->cluster;
    const struct ek_cooldown *cooldown = work->request->cooldown;
    enum ek_block block = ek_constraint_domain(cluster, cooldown, domain, EK_PURPOSE_EVACUATE);

    /* Rests end, moves end, operators resolve; a passed-through device stays. */
    *for_now = block != EK_BLOCK_NONE && block != EK_BLOCK_IMMOVABLE;
    if (block != EK_BLOCK_NONE) {
        /* These reasons name no destination, so that any host's index will do. */
        return ek_constraint_explain(cluster, cooldown, domain, 0, block, &work->out->arena);
    }
    return hosts_reason(work, domain, for_now);
}

/* Balance moves may have made room for domains that could not leave before. */
static bool evacuate_again(struct work *work, struct ek_error *err)
{
    return work->out->move_count == work->evacuations || evacuate(work, err);
}

/* The other half of a domain that two hosts report: it keeps its host from being empty. */
static void list_copies(struct work *work)
{
    struct ek_plan *out = work->out;

    for (size_t c = 0; c < out->snapshot->copy_count; c++) {
        const struct ek_copy *copy = &out->snapshot->copies[c];
        if (out->snapshot->hosts[copy->host].maintenance) {
            out->unresolved[out->unresolved_count++] = (struct ek_unresolved){
                copy->domain, copy->host, true, "two hosts report it as theirs"};
        }
    }
}

static bool list_unresolved(struct work *work, struct ek_error *err)
{
    struct ek_plan *out = work->out;

    for (uint32_t d = 0; d < out->snapshot->domain_count; d++) {
        uint32_t host = work->cluster.host_of[d];
        /* What is in flight is leaving already. */
        if (!out->snapshot->hosts[host].maintenance || work->cluster.in_flight[d]) {
            continue;
        }
        bool for_now = false;
        const char *reason = stuck_reason(work, d, &for_now);
        if (reason == NULL) {
            return nomem(err);
        }
        out->unresolved[out->unresolved_count++] = (struct ek_unresolved){d, host, for_now, reason};
    }
    list_copies(work);
    assert(out->unresolved_count <= out->snapshot->domain_count + out->snapshot->copy_count);
    return true;
}

/* One sentence for every plan, the empty ones too: "nothing to move" needs its reason most. */
static bool summarise(struct work *work, struct ek_error *err)
{
    struct ek_plan *out = work->out;
    size_t balancing = out->move_count - work->evacuations;

    if (work->evacuations > 0 || out->unresolved_count > 0) {
        out->summary =
            ek_arena_printf(&out->arena,
                            "%zu moves to empty hosts in maintenance, %zu domains cannot leave; "
                            "%zu moves to balance (%s)",
                            work->evacuations, out->unresolved_count, balancing, work->why);
    } else if (balancing > 0) {
        out->summary = ek_arena_printf(&out->arena, "%zu moves: %s", balancing, work->why);
    } else {
        out->summary = ek_arena_printf(&out->arena, "nothing to move: %s", work->why);
    }
    return out->summary != NULL || nomem(err);
}

bool ek_plan_make(struct ek_plan *out, const struct ek_plan_request *request, struct ek_error *err)
{
    struct work work = {.request = request, .out = out};

    memset(out, 0, sizeof(*out));
    bool ok = begin(&work, err) && evacuate(&work, err) && balance(&work, err) &&
              evacuate_again(&work, err) && list_unresolved(&work, err) && summarise(&work, err);
    if (ok) {
        out->after = ek_levels_of(&work.cluster);
    } else {
        ek_plan_finish(out);
    }
    ek_cluster_finish(&work.cluster);
    return ok;
}

void ek_plan_finish(struct ek_plan *plan)
{
    ek_arena_finish(&plan->arena);
    memset(plan, 0, sizeof(*plan));
}
