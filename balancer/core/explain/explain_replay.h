/* The replay of a finished plan: the model as the planner saw it before each move. Private to
 * explain*.c. */
#ifndef EK_CORE_EXPLAIN_REPLAY_H
#define EK_CORE_EXPLAIN_REPLAY_H

#include "balancer/core/explain/explain.h"
#include "balancer/core/planner/search.h"

/* What came of balancing. */
struct ek_balancing {
    bool held;       /* the policy was not asked: `why` says who waits for what */
    bool wanted;     /* the policy wanted moves for the reason `why`; else `why` says why not */
    size_t moves;    /* made by the policy, parking included */
    const char *why; /* NULL: not known before the replay comes to it */
};

struct ek_replay {
    const struct ek_plan *plan;
    const struct ek_plan_request *request;
    struct ek_cluster cluster; /* after `made` moves */
    struct ek_search search;   /* for rating; its lists of domains are not followed up */
    size_t made;
    size_t balance_begin; /* index of the policy's first move; the number of moves: none */
    const struct ek_unresolved **unresolved; /* per domain: where the plan lists it; mostly NULL */
    bool thorough; /* one domain is asked for: all hosts are looked at, also of a large cluster */
    uint8_t *group_of; /* per host: why it is blocked; NULL: nobody wants to know them all */
    struct ek_balancing balancing;
    struct ek_arena *out; /* of the texts and lists that are handed on */
};

/* Everything is as before the first move. Error: NOMEM. End it in any case. */
bool ek_replay_begin(struct ek_replay *replay, const struct ek_plan *plan,
                     const struct ek_plan_request *request, bool thorough, struct ek_arena *out,
                     struct ek_error *err);
void ek_replay_end(struct ek_replay *replay);

/* Makes the next move of the plan. Error: NOMEM. */
bool ek_replay_step(struct ek_replay *replay, struct ek_error *err);

/* Makes all that are left up to that many, and is told what balancing came to on the way. */
bool ek_replay_until(struct ek_replay *replay, size_t moves, struct ek_error *err);

/* What a move to that host would bring now. */
struct ek_rating ek_replay_rate(const struct ek_replay *replay, uint32_t domain, uint32_t host);

/* Whether `a` ranks before `b`, which may be none; as the planner ranks, which for balancing takes
 * only what pays. */
bool ek_replay_better(const struct ek_replay *replay, uint32_t domain, enum ek_purpose purpose,
                      const struct ek_offer *a, const struct ek_offer *b);

/* The purpose of a move that the plan makes next: the strictest one that lets it through. */
enum ek_purpose ek_replay_purpose(const struct ek_replay *replay, const struct ek_plan_move *move);

/* Looks at all hosts (hosts NULL) or at some, but not at `except`. Error: NOMEM. */
bool ek_replay_scan(struct ek_replay *replay, uint32_t domain, enum ek_purpose purpose,
                    uint32_t except, const uint32_t *hosts, size_t host_count,
                    struct ek_host_offers *offers, struct ek_error *err);

/* Why the domain stays; the replay is at its end. Error: NOMEM. */
bool ek_replay_explain_stay(struct ek_replay *replay, uint32_t domain,
                            struct ek_stay_explanation *stay, struct ek_error *err);

#endif
