/* Why a domain stays: what holds it, or what its best move would bring and why that is not enough.
 */
#include "balancer/core/explain/explain_replay.h"

#include "policies/policy_ops.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* Falls of overload below this are rounding; the policies' own figure for relief. */
#define RELIEF 1e-6

/* Gains below this are shown as 0. */
#define NOTHING 5e-7

const char *ek_stay_cause_name(enum ek_stay_cause cause)
{
    static const char *const names[EK_STAY_COUNT] = {
        [EK_STAY_DOMAIN] = "domain",
        [EK_STAY_NO_HOST] = "no_host",
        [EK_STAY_UNRESOLVED] = "unresolved",
        [EK_STAY_NOT_CHOSEN] = "not_chosen",
        [EK_STAY_HELD] = "held",
        [EK_STAY_UNWANTED] = "unwanted",
        [EK_STAY_NO_WORTH] = "no_worth",
        [EK_STAY_WHOLE] = "whole",
        [EK_STAY_LIMIT] = "limit",
        [EK_STAY_PASSED_BY] = "passed_by",
    };

    assert((unsigned int)cause < EK_STAY_COUNT);
    return names[cause];
}

const char *ek_stay_cause_text(enum ek_stay_cause cause)
{
    static const char *const texts[EK_STAY_COUNT] = {
        [EK_STAY_DOMAIN] = "is held where it is",
        [EK_STAY_NO_HOST] = "no host can take it",
        [EK_STAY_UNRESOLVED] = "what is wrong there cannot be mended",
        [EK_STAY_NOT_CHOSEN] = "the policy did not choose it",
        [EK_STAY_HELD] = "balancing is held",
        [EK_STAY_UNWANTED] = "no balancing is wanted",
        [EK_STAY_NO_WORTH] = "no move earns what it costs",
        [EK_STAY_WHOLE] = "the plan as a whole brings too little",
        [EK_STAY_LIMIT] = "the plan has as many moves as it may",
        [EK_STAY_PASSED_BY] = "a move would pay, and was not chosen",
    };

    assert((unsigned int)cause < EK_STAY_COUNT);
    return texts[cause];
}

/* A host to be emptied lets go at any price. */
static enum ek_purpose purpose_of(const struct ek_replay *replay, uint32_t domain)
{
    uint32_t host = replay->cluster.host_of[domain];

    return replay->plan->snapshot->hosts[host].maintenance ? EK_PURPOSE_EVACUATE_FORCED
                                                           : EK_PURPOSE_BALANCE;
}

static enum ek_stay_cause cause_of(const struct ek_replay *replay,
                                   const struct ek_stay_explanation *stay)
{
    const struct ek_balancing *balancing = &replay->balancing;
    size_t limit = (size_t)replay->cluster.policy->moves_per_plan;

    if (purpose_of(replay, stay->domain) == EK_PURPOSE_EVACUATE_FORCED) {
        return stay->offers.open > 0 ? EK_STAY_PASSED_BY : EK_STAY_NO_HOST;
    }
    if (replay->unresolved[stay->domain] != NULL) {
        return EK_STAY_UNRESOLVED;
    }
    if (balancing->held || !balancing->wanted) {
        return balancing->held ? EK_STAY_HELD : EK_STAY_UNWANTED;
    }
    if (stay->offers.open == 0) {
        return EK_STAY_NO_HOST;
    }
    if (replay->request->balance->pays == NULL) {
        return EK_STAY_NOT_CHOSEN;
    }
    if (!stay->offers.best.rating.pays) {
        return EK_STAY_NO_WORTH;
    }
    /* It was worth a move, and not one was made: dropped as a whole. */
    if (balancing->moves == 0) {
        return EK_STAY_WHOLE;
    }
    return balancing->moves >= limit ? EK_STAY_LIMIT : EK_STAY_PASSED_BY;
}

/* ---- sentences ----------------------------------------------------------------------------- */

/* "7 hosts: TEXT (h3: NUMBERS); h4: TEXT": the first three reasons, which nearly always are all. */
static const char *say_blocked(const struct ek_replay *replay, const struct ek_host_offers *offers)
{
    enum { SAID = 3 };
    const char *text = offers->blocked_count == 0 ? "there is no other host" : "";

    for (size_t i = 0; text != NULL && i < offers->blocked_count && i < SAID; i++) {
        const struct ek_blocked_hosts *it = &offers->blocked[i];
        const char *host = replay->plan->snapshot->hosts[it->host].name;
        const char *between = i == 0 ? "" : "; ";
        text = it->count == 1
                   ? ek_arena_printf(replay->out, "%s%s%s: %s", text, between, host, it->text)
                   : ek_arena_printf(replay->out, "%s%s%u hosts: %s (%s: %s)", text, between,
                                     (unsigned int)it->count,
                                     it->rule == NULL ? ek_block_text(it->block) : it->rule, host,
                                     it->text);
    }
    return text == NULL || offers->blocked_count <= SAID
               ? text
               : ek_arena_printf(replay->out, "%s; ...", text);
}

static const char *say_no_worth(const struct ek_replay *replay, const struct ek_offer *best)
{
    const struct ek_rating *rating = &best->rating;
    const char *host = replay->plan->snapshot->hosts[best->host].name;

    if (rating->overload_fall < -RELIEF) {
        return ek_arena_printf(replay->out, "%s, its best place, would be overloaded by %.3f", host,
                               -rating->overload_fall);
    }
    if (fabs(rating->gain) < NOTHING) {
        return ek_arena_printf(replay->out,
                               "%s, its best place, would level nothing, and costs %.6f", host,
                               rating->price);
    }
    if (rating->gain < 0) {
        return ek_arena_printf(replay->out,
                               "%s, its best place, would raise the score by %.6f: it is well "
                               "where it is",
                               host, -rating->gain);
    }
    if (fabs(rating->should_worth) >= NOTHING) {
        return ek_arena_printf(replay->out,
                               "%s, its best place, would gain %.6f and %.6f by should rules, and "
                               "costs %.6f",
                               host, rating->gain, rating->should_worth, rating->price);
    }
    return ek_arena_printf(replay->out, "%s, its best place, would gain %.6f, and costs %.6f", host,
                           rating->gain, rating->price);
}

static const char *say_would_pay(const struct ek_replay *replay, const struct ek_offer *best)
{
    const char *host = replay->plan->snapshot->hosts[best->host].name;

    return best->rating.overload_fall > RELIEF
               ? ek_arena_printf(replay->out, "%s would end %.3f of overload", host,
                                 best->rating.overload_fall)
               : ek_arena_printf(replay->out, "%s would earn %.6f", host, best->rating.worth);
}

static const char *say_limit(const struct ek_replay *replay, const struct ek_offer *best)
{
    const char *pays = say_would_pay(replay, best);

    return pays == NULL
               ? NULL
               : ek_arena_printf(replay->out, "%s, but limits.moves_per_plan (%d) is reached", pays,
                                 replay->cluster.policy->moves_per_plan);
}

/* Off a host in maintenance it need not pay. */
static const char *say_passed_by(const struct ek_replay *replay, const struct ek_offer *best)
{
    const char *pays = best->rating.pays
                           ? say_would_pay(replay, best)
                           : ek_arena_printf(replay->out, "%s could take it",
                                             replay->plan->snapshot->hosts[best->host].name);

    return pays == NULL
               ? NULL
               : ek_arena_printf(replay->out, "%s after this plan; the next may do it", pays);
}

static const char *say(const struct ek_replay *replay, const struct ek_stay_explanation *stay)
{
    const struct ek_offer *best = &stay->offers.best;

    switch (stay->cause) {
    case EK_STAY_NO_HOST:
        return say_blocked(replay, &stay->offers);
    case EK_STAY_UNRESOLVED:
        return replay->unresolved[stay->domain]->reason;
    case EK_STAY_NOT_CHOSEN:
        return ek_arena_printf(replay->out, "policy %s %s, and did so without it",
                               replay->request->balance->name, replay->request->balance->chooses);
    case EK_STAY_HELD:
    case EK_STAY_UNWANTED:
        return replay->balancing.why;
    case EK_STAY_NO_WORTH:
        return say_no_worth(replay, best);
    case EK_STAY_WHOLE:
        return replay->plan->summary;
    case EK_STAY_LIMIT:
        return say_limit(replay, best);
    case EK_STAY_PASSED_BY:
        return say_passed_by(replay, best);
    case EK_STAY_DOMAIN:
    case EK_STAY_COUNT:
        break;
    }
    return ek_constraint_explain(&replay->cluster, replay->request->cooldown, stay->domain, 0,
                                 stay->block, replay->out);
}

/* The coolest hosts at the end of the plan, each once: one can be cool in several ways. */
static void choose_targets(struct ek_search *search)
{
    size_t count = 0;

    ek_search_choose_targets(search);
    for (size_t t = 0; t < search->target_count; t++) {
        size_t seen = 0;
        while (seen < count && search->targets[seen] != search->targets[t]) {
            seen++;
        }
        if (seen == count) {
            search->targets[count++] = search->targets[t];
        }
    }
    search->target_count = count;
}

/* The coolest hosts suffice while one of them is open: the search chooses among no others. */
static bool look_around(struct ek_replay *replay, struct ek_stay_explanation *stay,
                        struct ek_error *err)
{
    enum ek_purpose purpose = purpose_of(replay, stay->domain);
    bool all = replay->thorough || replay->search.exact || purpose == EK_PURPOSE_EVACUATE_FORCED;

    if (!all) {
        if (replay->search.targets_at == 0) {
            choose_targets(&replay->search);
        }
        if (!ek_replay_scan(replay, stay->domain, purpose, EK_NONE, replay->search.targets,
                            replay->search.target_count, &stay->offers, err)) {
            return false;
        }
        /* Who is wanted nowhere need not know that nobody could take it either. */
        all = stay->offers.open == 0 && replay->balancing.wanted;
    }
    return !all ||
           ek_replay_scan(replay, stay->domain, purpose, EK_NONE, NULL, 0, &stay->offers, err);
}

bool ek_replay_explain_stay(struct ek_replay *replay, uint32_t domain,
                            struct ek_stay_explanation *stay, struct ek_error *err)
{
    enum ek_purpose purpose = purpose_of(replay, domain);

    assert(replay->made == replay->plan->move_count && replay->balancing.why != NULL);
    *stay = (struct ek_stay_explanation){
        .domain = domain,
        .host = replay->cluster.host_of[domain],
        .block = ek_constraint_domain(&replay->cluster, replay->request->cooldown, domain, purpose),
        .offers = {.best = {.host = EK_NONE}},
    };
    if (stay->block == EK_BLOCK_NONE) {
        if (!look_around(replay, stay, err)) {
            return false;
        }
        stay->cause = cause_of(replay, stay);
    }
    stay->reason = say(replay, stay);
    return stay->reason != NULL ||
           ek_error_set(err, EK_ERR_NOMEM, "out of memory while explaining");
}
