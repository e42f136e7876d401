/* The goal of a plan: which domain is to be where in the end, whatever the order of the moves.
 *
 * A goal is the model of the cluster (cluster.h) laid out for changing one's mind a million times:
 * one piece of memory for each domain and host, no calls out of it while a change of up to three
 * domains is weighed. What must hold of a goal is what must hold at the end: room and target_max on
 * each host where a domain arrives, must rules, admission.
 *
 * Noise: a move must take away more of the variance than noise explains. That is what
 * ek_noise_of_move() says of the score, times two and times the score, so that it does not depend
 * on the moves before: the noise of hosts is that of the start. */
#ifndef EK_CORE_GOAL_H
#define EK_CORE_GOAL_H

#include "balancer/core/planner/search.h"

/* So many domains change at once: one, two in exchange, a ring of three. */
enum { EK_GOAL_SHIFTS = 3 };

struct ek_shift {
    uint32_t domain;
    uint32_t host; /* where it is to be; its home: it stays */
};

struct ek_goal_host {
    double use[EK_RESOURCE_MAX];   /* utilization */
    double share[EK_RESOURCE_MAX]; /* 1 / capacity, per core and per MiB */
    double memory_mib;             /* that may still be given */
    double vcpus;                  /* likewise */
    uint32_t arrivals;             /* of this goal */
};

struct ek_goal_domain {
    double demand[EK_RESOURCE_MAX]; /* cores and MiB */
    double memory_mib;
    double vcpus;
    double price; /* of its move as it is now; 0 at home */
    double doubt; /* likewise, what noise explains of the variance that it takes away */
    uint32_t home;
    uint32_t host;
    uint32_t at; /* its place in `moved`; EK_NONE: it is at home */
    bool ruled;  /* some rule is about it ... */
    bool wished; /* ... one that gives way */
};

/* What a host would gain by a trial; negative: lose. */
struct ek_goal_change {
    double use[EK_RESOURCE_MAX];
    double memory_mib;
    double vcpus;
    uint32_t host;
    int arrivals;
};

/* A change that is considered. Who asks fills in shifts of different domains to hosts where they
 * are not, and their count; ek_goal_weigh() the rest. */
struct ek_trial {
    struct ek_shift shifts[EK_GOAL_SHIFTS];
    size_t count;

    struct ek_goal_change changes[2 * EK_GOAL_SHIFTS];
    size_t change_count;
    double sum[EK_RESOURCE_MAX];
    double square[EK_RESOURCE_MAX];
    double overload;
    double price;
    double doubt;
    double soft;
    double variance; /* the square of the spread */
};

struct ek_goal {
    struct ek_search *search;
    struct ek_goal_host *hosts;
    struct ek_goal_host *start; /* as they were at first */
    struct ek_goal_domain *domains;

    uint32_t *open; /* hosts that may receive */
    uint32_t open_count;
    uint32_t *free; /* domains that may move, by their homes ... */
    uint32_t free_count;
    uint32_t *first; /* ... where each host's begin; one more for the end */

    uint32_t *moved; /* domains that are not at home */
    uint32_t moved_count;
    uint32_t limit; /* of moved_count */

    unsigned int resources;
    double most[EK_RESOURCE_MAX];      /* utilization that no arrival may exceed */
    double of_square[EK_RESOURCE_MAX]; /* what the sums weigh in the variance */
    double of_sum[EK_RESOURCE_MAX];
    double sum[EK_RESOURCE_MAX];    /* of the counted hosts' utilization ... */
    double square[EK_RESOURCE_MAX]; /* ... and of its square */
    double overload;
    bool overloads; /* some host was above a target at first; else none ever is */
    double price;   /* of all moves, in units of the score */
    double doubt;   /* of all moves, in units of its square */
    double soft;    /* what should rules cost, in units of the score */
    double dear;    /* prices count so many times */
    double spread;  /* with the doubts: a move that noise explains takes away nothing */
    double cost;    /* what is to be small: overload, many times, spread, should rules and prices */

    bool even_links;              /* no price depends on the destination */
    float *doubts;                /* per domain and host, below 0: not known yet; NULL: no noise */
    unsigned char *admitted;      /* per domain and host: known answers; NULL: too many */
    struct ek_goal_host *scratch; /* for trying an order */
};

/* The cluster as it is in the model is the start; the goal has no move yet. At most `limit` domains
 * may be moved. Takes memory from the cluster's arena; the cluster's rules follow the goal until
 * ek_goal_clear(), nothing else of the cluster does. Error: NOMEM. */
bool ek_goal_init(struct ek_goal *goal, struct ek_search *search, uint32_t limit,
                  struct ek_error *err);

/* Weighs the trial: false when there is no room for it, or it has too many moves. Rules and
 * admission are not looked at. O(resources). */
bool ek_goal_weigh(const struct ek_goal *goal, struct ek_trial *trial);

/* Whether the cost after the trial, which was weighed, would be below that. */
bool ek_goal_below(const struct ek_goal *goal, const struct ek_trial *trial, double cost);

/* Whether all that arrived on the host has room; a host where nobody arrived has. */
bool ek_goal_has_room(const struct ek_goal *goal, uint32_t host);

/* Whether rules and admission let the trial be. */
bool ek_goal_admits(struct ek_goal *goal, const struct ek_trial *trial);

/* Makes what was weighed. */
void ek_goal_make(struct ek_goal *goal, const struct ek_trial *trial);

/* Makes shifts that are known to be possible together; nothing is asked. */
void ek_goal_put(struct ek_goal *goal, const struct ek_shift *shifts, size_t count);

/* Takes all moves back. */
void ek_goal_clear(struct ek_goal *goal);

/* Prices count so many times from now on; 1 at first. */
void ek_goal_price(struct ek_goal *goal, double dear);

/* The cost with prices counted once. */
double ek_goal_true_cost(const struct ek_goal *goal);

/* That, as a plan is measured afterwards: without doubts. */
double ek_goal_cost_without_noise(const struct ek_goal *goal);

/* Whether nothing but their names, and rules about these, tells two domains apart. */
bool ek_goal_alike(const struct ek_goal *goal, uint32_t a, uint32_t b);

/* An order is looked for at once when no more moves may be made; of many, the few that cannot be
 * made matter less. */
enum { EK_GOAL_ORDERED = 12 };

/* Whether an order was found in which each move has room after those before it, nobody moving
 * twice. Of EK_GOAL_ORDERED moves at most. Looks at no rules. `order`, unless NULL, gets the
 * domains. */
bool ek_goal_orderable(struct ek_goal *goal, uint32_t *order);

#endif
