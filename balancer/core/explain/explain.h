/* EXPLANATION: the numbers behind every move of a plan and behind every domain that stays.
 *
 * Explaining is a stage after planning: the finished plan is replayed move by move on a fresh
 * model, so that each move is seen against the state in which the planner saw it, and each domain
 * that stays against the end of the plan. Nothing of it feeds back. A domain that moves is rated on
 * every host; one that stays on every host of a small cluster and, as the search does, on the
 * coolest ones of a large one: all are looked at only where none of those can take it. */
#ifndef EK_CORE_EXPLAIN_H
#define EK_CORE_EXPLAIN_H

#include "balancer/core/constraint.h"
#include "balancer/core/planner/plan.h"

/* What a move brings and costs, in units of the score (docs/planner.md). */
struct ek_rating {
    double overload_fall; /* first in rank */
    double gain;          /* fall of the score */
    double price;         /* what it must earn: the copying, and what may be noise */
    double should_worth;  /* what the fall of should rules counts; 0 unless it levels */
    double worth;         /* second in rank: gain and should_worth less price */
    double should_fall;   /* of the cost of broken should rules; below 0: it breaks some */
    bool pays;            /* the policy would make it by itself */
};

/* One destination with what it would bring. */
struct ek_offer {
    uint32_t host; /* EK_NONE: there is none */
    struct ek_rating rating;
};

/* Hosts that cannot take a domain, by their first reason. */
struct ek_blocked_hosts {
    enum ek_block block;
    const char *rule; /* its name, of EK_BLOCK_RULE; else NULL */
    uint32_t count;
    uint32_t host;    /* the first of them ... */
    const char *text; /* ... and its reason, with numbers */
    const uint32_t
        *hosts; /* all of them; NULL in a large cluster, unless one domain is asked for */
};

/* What the hosts are to one domain at one moment; its own host and, of a move, the destination are
 * left out. */
struct ek_host_offers {
    uint32_t open;                          /* so many hosts could take it */
    struct ek_offer best;                   /* of those */
    const struct ek_blocked_hosts *blocked; /* most hosts first */
    size_t blocked_count;
    bool all; /* all hosts were looked at; else the coolest ones, and nothing is known of others */
};

/* The cluster just before or just after a move. */
struct ek_moment {
    struct ek_levels levels;
    size_t broken;      /* must rules */
    double should_cost; /* of broken should rules */
};

struct ek_move_explanation {
    const struct ek_plan_move *move; /* borrowed from the plan */
    struct ek_moment before;
    struct ek_moment after;
    struct ek_rating rating;
    struct ek_host_offers others; /* `best` is the runner-up */
    bool runner_up_first; /* at this moment; the moves were chosen together, with hindsight */
    const char *rules;    /* "mends must rule a, breaks should rule b"; NULL: none of it */
};

/* Why a domain stays, the first reason that holds. */
enum ek_stay_cause {
    EK_STAY_DOMAIN,     /* something holds the domain, whatever the destination (`block`) */
    EK_STAY_NO_HOST,    /* no host can take it */
    EK_STAY_UNRESOLVED, /* the plan lists it among what it could not mend */
    EK_STAY_HELD,       /* balancing must wait */
    EK_STAY_UNWANTED,   /* the policy wants no moves now */
    EK_STAY_NOT_CHOSEN, /* the policy chooses its moves together, and this is none of them */
    EK_STAY_NO_WORTH,   /* no move of it earns enough */
    EK_STAY_WHOLE,      /* the plan as a whole brings too little */
    EK_STAY_LIMIT,      /* moves_per_plan is reached */
    EK_STAY_PASSED_BY,  /* a move would still pay; the search is bounded and did not choose it */
    EK_STAY_COUNT
};

/* The word of the JSON document: "domain", "no_host", "no_worth", ... */
const char *ek_stay_cause_name(enum ek_stay_cause cause);

/* The cause in a few words, for headings: "no host can take it". */
const char *ek_stay_cause_text(enum ek_stay_cause cause);

struct ek_stay_explanation {
    uint32_t domain;
    uint32_t host;
    enum ek_stay_cause cause;
    enum ek_block block;          /* of EK_STAY_DOMAIN */
    struct ek_host_offers offers; /* after all moves of the plan; empty for EK_STAY_DOMAIN */
    const char *reason;           /* a sentence with numbers, without a full stop */
};

struct ek_explanation {
    const struct ek_plan *plan; /* borrowed; must outlive the explanation */
    struct ek_move_explanation *moves;
    size_t move_count;
    struct ek_stay_explanation *stays; /* by domain index */
    size_t stay_count;
    struct ek_arena arena;
};

/* Explains the plan that was made from that request: of `domain` alone, or of all domains
 * (EK_NONE). Error: NOMEM. The caller owns the result. */
bool ek_explain_plan(struct ek_explanation *out, const struct ek_plan *plan,
                     const struct ek_plan_request *request, uint32_t domain, struct ek_error *err);
void ek_explanation_finish(struct ek_explanation *explanation);

enum ek_why_not_verdict {
    EK_WHY_NOT_GOES,     /* the plan moves it there */
    EK_WHY_NOT_IS_THERE, /* it is on that host, and stays or leaves */
    EK_WHY_NOT_BLOCKED,  /* it cannot go there */
    EK_WHY_NOT_POSSIBLE, /* it could; the planner prefers something else */
    EK_WHY_NOT_COUNT
};

/* The word of the JSON document: "goes", "is_there", "blocked", "possible". */
const char *ek_why_not_verdict_name(enum ek_why_not_verdict verdict);

/* Why the plan does not move a domain to a host. The moment is that of the domain's own last move
 * if it has one (as the planner saw it), else the end of the plan. */
struct ek_why_not {
    enum ek_why_not_verdict verdict;
    uint32_t domain;
    uint32_t source; /* where it is at that moment */
    uint32_t host;
    size_t moves_made;               /* of the plan before that moment */
    const struct ek_plan_move *move; /* the domain's own last move; NULL: it stays */
    enum ek_block block;             /* of EK_WHY_NOT_BLOCKED */
    const char *reason;              /* a sentence with numbers, without a full stop */
    const char *remedy;              /* what would have to change; NULL: nothing that we know of */
    struct ek_rating rating;         /* of a move there; not of EK_WHY_NOT_IS_THERE */
    struct ek_offer instead;         /* where it goes, or the best host while it stays; of
                                        EK_WHY_NOT_POSSIBLE and EK_WHY_NOT_IS_THERE */
    const char *at_first;            /* the block before any move of the plan, when it is another
                                        one than at the moment; NULL: the same */
    struct ek_arena arena;
};

/* Error: NOMEM. The caller owns the result; it points into the plan. */
bool ek_explain_why_not(struct ek_why_not *out, const struct ek_plan *plan,
                        const struct ek_plan_request *request, uint32_t domain, uint32_t host,
                        struct ek_error *err);
void ek_why_not_finish(struct ek_why_not *why_not);

/* What would have to change so that the block falls, for people: "3072 MiB more have to be free
 * there". Owned by the arena; NULL: out of memory. */
const char *ek_constraint_remedy(const struct ek_cluster *cluster, uint32_t domain,
                                 uint32_t destination, enum ek_block block, struct ek_arena *arena);

#endif
