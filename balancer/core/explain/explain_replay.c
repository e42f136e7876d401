#include "balancer/core/explain/explain_replay.h"

#include "policies/policy_ops.h"

#include <assert.h>
#include <string.h>

enum { WHY_SIZE = 200 };

static bool nomem(struct ek_error *err)
{
    return ek_error_set(err, EK_ERR_NOMEM, "out of memory while explaining");
}

/* Where the policy was asked: before its first move, or before what is parked for that. */
static size_t first_balance(const struct ek_plan *plan, const struct ek_policy_ops *ops)
{
    size_t first = 0;

    while (first < plan->move_count && (ops == NULL || plan->moves[first].kind != ops->kind)) {
        first++;
    }
    while (first < plan->move_count && first > 0 && plan->moves[first - 1].kind == EK_MOVE_PARK) {
        first--;
    }
    return first;
}

static bool index_unresolved(struct ek_replay *replay, struct ek_error *err)
{
    const struct ek_plan *plan = replay->plan;

    replay->unresolved = ek_arena_alloc(&replay->cluster.arena, plan->snapshot->domain_count,
                                        sizeof(*replay->unresolved));
    for (size_t i = 0; replay->unresolved != NULL && i < plan->unresolved_count; i++) {
        replay->unresolved[plan->unresolved[i].domain] = &plan->unresolved[i];
    }
    return replay->unresolved != NULL || nomem(err);
}

/* Names of all blocked hosts would be most of a large cluster's document. */
static bool prepare_lists(struct ek_replay *replay, struct ek_error *err)
{
    if (replay->thorough || replay->search.exact) {
        replay->group_of = ek_arena_alloc(&replay->cluster.arena,
                                          replay->plan->snapshot->host_count, sizeof(uint8_t));
        return replay->group_of != NULL || nomem(err);
    }
    return true;
}

bool ek_replay_begin(struct ek_replay *replay, const struct ek_plan *plan,
                     const struct ek_plan_request *request, bool thorough, struct ek_arena *out,
                     struct ek_error *err)
{
    assert(plan->snapshot == request->evaluation->snapshot);
    memset(replay, 0, sizeof(*replay));
    replay->plan = plan;
    replay->request = request;
    replay->thorough = thorough;
    replay->out = out;
    replay->balance_begin = first_balance(plan, request->balance);
    if (!ek_cluster_copy(&replay->cluster, &request->evaluation->cluster, err)) {
        return false;
    }
    if (!index_unresolved(replay, err) ||
        !ek_search_init(&replay->search, &replay->cluster, request->cooldown, err) ||
        !prepare_lists(replay, err)) {
        ek_cluster_finish(&replay->cluster);
        memset(&replay->cluster, 0, sizeof(replay->cluster));
        return false;
    }
    return true;
}

void ek_replay_end(struct ek_replay *replay)
{
    ek_cluster_finish(&replay->cluster);
    memset(replay, 0, sizeof(*replay));
}

/* The same question as the planner's, at the same moment. */
static bool ask_policy(struct ek_replay *replay, struct ek_error *err)
{
    const struct ek_plan_request *request = replay->request;
    struct ek_balancing *balancing = &replay->balancing;
    char why[WHY_SIZE] = "evacuation only";

    balancing->held = request->balance == NULL || request->balance_held != NULL;
    if (!balancing->held) {
        const struct ek_levels levels = ek_levels_of(&replay->cluster);
        balancing->wanted =
            ek_policy_wants(request->balance, &replay->cluster, &levels, why, sizeof(why));
    }
    balancing->why = ek_arena_strdup(
        replay->out, request->balance != NULL && balancing->held ? request->balance_held : why);
    return balancing->why != NULL || nomem(err);
}

bool ek_replay_step(struct ek_replay *replay, struct ek_error *err)
{
    assert(replay->made < replay->plan->move_count);
    const struct ek_plan_move *move = &replay->plan->moves[replay->made];

    if (replay->made == replay->balance_begin && !ask_policy(replay, err)) {
        return false;
    }
    assert(replay->cluster.host_of[move->domain] == move->source);
    /* Evacuations that balancing made room for come last and are none of its moves. */
    replay->balancing.moves +=
        replay->made >= replay->balance_begin &&
        (move->kind == EK_MOVE_PARK || move->kind == replay->request->balance->kind);
    ek_cluster_move(&replay->cluster, move->domain, move->destination);
    replay->made++;
    return true;
}

bool ek_replay_until(struct ek_replay *replay, size_t moves, struct ek_error *err)
{
    assert(moves <= replay->plan->move_count);
    while (replay->made < moves) {
        if (!ek_replay_step(replay, err)) {
            return false;
        }
    }
    bool asked = replay->balancing.why != NULL;
    return asked || replay->made < replay->plan->move_count || ask_policy(replay, err);
}

struct ek_rating ek_replay_rate(const struct ek_replay *replay, uint32_t domain, uint32_t host)
{
    const struct ek_policy_ops *ops = replay->request->balance;
    const struct ek_candidate it = ek_candidate_rate(&replay->search, domain, host);

    return (struct ek_rating){
        .overload_fall = it.overload_fall,
        .gain = it.gain,
        .price = it.price + it.noise,
        .should_worth = it.worth - it.gain + it.price + it.noise,
        .worth = it.worth,
        .should_fall = 0 - ek_rule_set_should_delta(&replay->cluster.rules, domain, host),
        .pays = ops != NULL && ops->pays != NULL && ops->pays(&it),
    };
}

enum ek_purpose ek_replay_purpose(const struct ek_replay *replay, const struct ek_plan_move *move)
{
    static const enum ek_purpose by_strictness[] = {EK_PURPOSE_BALANCE, EK_PURPOSE_EVACUATE};

    for (size_t i = move->kind == EK_MOVE_EVACUATE ? 1 : 0; i < 2; i++) {
        if (ek_constraint_pair(&replay->cluster, replay->request->cooldown, move->domain,
                               move->destination, by_strictness[i]) == EK_BLOCK_NONE) {
            return by_strictness[i];
        }
    }
    return EK_PURPOSE_EVACUATE_FORCED;
}
