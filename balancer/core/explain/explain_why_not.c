/* Why one domain does not go to one host. */
#include "balancer/core/explain/explain_replay.h"

#include <assert.h>
#include <string.h>

/* Differences of overload below this are rounding. */
#define RELIEF 1e-6

static bool nomem(struct ek_error *err)
{
    return ek_error_set(err, EK_ERR_NOMEM, "out of memory while explaining");
}

const char *ek_why_not_verdict_name(enum ek_why_not_verdict verdict)
{
    static const char *const names[EK_WHY_NOT_COUNT] = {[EK_WHY_NOT_GOES] = "goes",
                                                        [EK_WHY_NOT_IS_THERE] = "is_there",
                                                        [EK_WHY_NOT_BLOCKED] = "blocked",
                                                        [EK_WHY_NOT_POSSIBLE] = "possible"};

    assert((unsigned int)verdict < EK_WHY_NOT_COUNT);
    return names[verdict];
}

/* The domain's last move, which takes it to its place; a parked one has another before. */
static const struct ek_plan_move *last_move(const struct ek_plan *plan, uint32_t domain)
{
    for (size_t i = plan->move_count; i > 0; i--) {
        if (plan->moves[i - 1].domain == domain) {
            return &plan->moves[i - 1];
        }
    }
    return NULL;
}

static enum ek_purpose purpose_of(const struct ek_replay *replay, const struct ek_why_not *it)
{
    uint32_t host = replay->cluster.host_of[it->domain];

    if (it->move != NULL && replay->made == it->moves_made) {
        return ek_replay_purpose(replay, it->move);
    }
    return replay->plan->snapshot->hosts[host].maintenance ? EK_PURPOSE_EVACUATE_FORCED
                                                           : EK_PURPOSE_BALANCE;
}

/* What holds the domain comes before what is wrong with the host. */
static enum ek_block block_of(const struct ek_replay *replay, const struct ek_why_not *it)
{
    const struct ek_cooldown *cooldown = replay->request->cooldown;
    enum ek_purpose purpose = purpose_of(replay, it);
    enum ek_block block = ek_constraint_domain(&replay->cluster, cooldown, it->domain, purpose);

    return block != EK_BLOCK_NONE
               ? block
               : ek_constraint_pair(&replay->cluster, cooldown, it->domain, it->host, purpose);
}

static const char *text_of(const struct ek_replay *replay, const struct ek_why_not *it,
                           enum ek_block block)
{
    return ek_constraint_explain(&replay->cluster, replay->request->cooldown, it->domain, it->host,
                                 block, replay->out);
}

/* Before the first move: a plan may block a host as well as make room on it. */
static bool note_first(const struct ek_replay *replay, struct ek_why_not *it, enum ek_block *first,
                       struct ek_error *err)
{
    *first = block_of(replay, it);
    it->at_first = text_of(replay, it, *first);
    return it->at_first != NULL || nomem(err);
}

static const char *say_preferred(const struct ek_replay *replay, const struct ek_why_not *it)
{
    const struct ek_rating *there = &it->instead.rating;
    const char *host = replay->plan->snapshot->hosts[it->instead.host].name;

    return there->overload_fall > it->rating.overload_fall + RELIEF
               ? ek_arena_printf(replay->out, "%s ends more overload: %.3f against %.3f", host,
                                 there->overload_fall, it->rating.overload_fall)
               : ek_arena_printf(replay->out,
                                 "the plan moves it to %s: worth %.6f there and %.6f here", host,
                                 there->worth, it->rating.worth);
}

/* The plan takes it elsewhere, or leaves it: what that is worth beside the host in question. */
static bool compare(struct ek_replay *replay, struct ek_why_not *it, struct ek_error *err)
{
    if (it->move != NULL) {
        it->instead = (struct ek_offer){it->move->destination,
                                        ek_replay_rate(replay, it->domain, it->move->destination)};
        it->reason = say_preferred(replay, it);
        return it->reason != NULL || nomem(err);
    }
    struct ek_stay_explanation stay;
    if (!ek_replay_explain_stay(replay, it->domain, &stay, err)) {
        return false;
    }
    it->instead = stay.offers.best;
    it->reason = stay.reason;
    return true;
}

static bool judge(struct ek_replay *replay, struct ek_why_not *it, struct ek_error *err)
{
    it->block = block_of(replay, it);
    if (it->host == it->source) {
        it->verdict = EK_WHY_NOT_IS_THERE;
        it->reason = it->move == NULL ? NULL : it->move->reason;
        return it->move != NULL || compare(replay, it, err);
    }
    it->rating = ek_replay_rate(replay, it->domain, it->host);
    if (it->move != NULL && it->move->destination == it->host) {
        it->verdict = EK_WHY_NOT_GOES;
        it->block = EK_BLOCK_NONE;
        it->reason = it->move->reason;
        return true;
    }
    if (it->block == EK_BLOCK_NONE) {
        it->verdict = EK_WHY_NOT_POSSIBLE;
        return compare(replay, it, err);
    }
    it->verdict = EK_WHY_NOT_BLOCKED;
    it->reason = text_of(replay, it, it->block);
    it->remedy =
        ek_constraint_remedy(&replay->cluster, it->domain, it->host, it->block, replay->out);
    return (it->reason != NULL && it->remedy != NULL) || nomem(err);
}

static bool why_not(struct ek_replay *replay, struct ek_why_not *it, struct ek_error *err)
{
    enum ek_block first = EK_BLOCK_NONE;

    if (!note_first(replay, it, &first, err) || !ek_replay_until(replay, it->moves_made, err)) {
        return false;
    }
    it->source = replay->cluster.host_of[it->domain];
    if (!judge(replay, it, err)) {
        return false;
    }
    if (first == it->block || it->verdict == EK_WHY_NOT_IS_THERE) {
        it->at_first = NULL;
    }
    return true;
}

bool ek_explain_why_not(struct ek_why_not *out, const struct ek_plan *plan,
                        const struct ek_plan_request *request, uint32_t domain, uint32_t host,
                        struct ek_error *err)
{
    struct ek_replay replay;

    assert(domain < plan->snapshot->domain_count && host < plan->snapshot->host_count);
    memset(out, 0, sizeof(*out));
    out->domain = domain;
    out->host = host;
    out->instead.host = EK_NONE;
    out->move = last_move(plan, domain);
    out->moves_made = out->move == NULL ? plan->move_count : (size_t)(out->move - plan->moves);
    bool done = ek_replay_begin(&replay, plan, request, true, &out->arena, err) &&
                why_not(&replay, out, err);
    ek_replay_end(&replay);
    if (!done) {
        ek_why_not_finish(out);
    }
    return done;
}

void ek_why_not_finish(struct ek_why_not *why_not)
{
    ek_arena_finish(&why_not->arena);
    memset(why_not, 0, sizeof(*why_not));
}
