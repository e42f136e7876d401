/* The search's memory: where each domain is now, what each host's best move is, and which hosts are
 * good destinations; so that the next best move costs a few hundred ratings and not domains x
 * hosts.
 *
 * Each host keeps its best candidate. A move makes all of them doubtful; the best of all is rated
 * anew until it is sure. Gains fall as hosts come nearer to each other, so a doubtful candidate is
 * rarely better than it says; in small clusters the two hosts that changed are offered to all
 * others, so nothing is missed. */
#ifndef EK_CORE_SEARCH_H
#define EK_CORE_SEARCH_H

#include "balancer/core/constraint.h"

/* One possible move with what it brings. */
struct ek_candidate {
    uint32_t domain; /* EK_NONE: there is none */
    uint32_t destination;
    double overload_fall; /* first in rank */
    double gain;          /* fall of the score */
    double price;         /* of copying */
    double noise;         /* of the gain, noise_sigma standard deviations */
    double worth;       /* gain and what should rules gain, less price and noise; second in rank */
    bool beyond_target; /* target_max gave way */
};

enum { EK_SEARCH_CHANGES = 8 };

/* A destination as good as the best of some hosts in each resource: what would not pay there pays
 * on none of them. */
struct ek_search_ideal {
    uint64_t version;                    /* of the search; 0: none */
    double utilization[EK_RESOURCE_MAX]; /* the lowest */
    double largest[EK_RESOURCE_MAX];     /* of the capacities that are not 0 */
    double smallest[EK_RESOURCE_MAX];
};

struct ek_search {
    struct ek_cluster *cluster;         /* as it is after the moves so far */
    const struct ek_cooldown *cooldown; /* may be NULL */
    bool *settled;                      /* per domain: has moved in this plan */
    bool *movable;                      /* per domain: nothing holds it for balancing */
    double *price;                      /* per domain, in units of the score */
    double fastest_mib_s;               /* the fastest link of all hosts */

    /* Domains of each host as linked lists. */
    uint32_t *first;    /* per host */
    uint32_t *next;     /* per domain */
    uint32_t *previous; /* per domain; EK_NONE: it is the first */

    struct ek_candidate *best;           /* per host */
    uint64_t *rated_at;                  /* per host: the version at which `best` was sure */
    uint64_t version;                    /* grows with each move */
    uint64_t swept_at;                   /* the version at which all hosts were rated */
    uint32_t changed[EK_SEARCH_CHANGES]; /* hosts that changed since the last look */
    size_t changed_count;                /* may exceed the list: then everything is rated anew */
    uint32_t *winners;                   /* a tournament of hosts; [1] is the champion */
    size_t leaves;

    uint32_t *targets; /* destinations worth a look */
    size_t target_count;
    uint64_t targets_at;          /* the version at which they were chosen */
    struct ek_search_ideal ideal; /* of the targets */
    bool exact;            /* few hosts: every one is a target, and changes are told to all */
    uint64_t ratings;      /* made so far: the work that has been done */
    struct ek_score now;   /* of the model while candidates are looked for ... */
    struct ek_level level; /* ... and what it is made of */
};

/* Whether a candidate may be chosen at all: what pays would do so with a larger fall of overload or
 * a larger worth as well, and something of overload and score must fall. */
typedef bool ek_pays(const struct ek_candidate *candidate);

/* Takes memory from the cluster's arena. Error: NOMEM. */
bool ek_search_init(struct ek_search *search, struct ek_cluster *cluster,
                    const struct ek_cooldown *cooldown, struct ek_error *err);

/* Makes a move in the model; the domain is settled by it. */
void ek_search_move(struct ek_search *search, uint32_t domain, uint32_t destination);

/* Takes a move back: the domain is where it was, and free again. */
void ek_search_undo(struct ek_search *search, uint32_t domain, uint32_t source);

/* Brings `targets` up to date: all hosts that count in a small cluster, the coolest in a big one.
 */
void ek_search_targets(struct ek_search *search);

/* The best balance move of all; domain EK_NONE when none pays. */
struct ek_candidate ek_search_best(struct ek_search *search, ek_pays *pays);

/* Chooses `targets` anew: the destinations that are worth a look in the model's present state. */
void ek_search_choose_targets(struct ek_search *search);

/* What copying the domain costs in units of the score, at the rate of its host's link. */
double ek_candidate_price(const struct ek_cluster *cluster, uint32_t domain, double mib_s);

/* The candidate of a move after which the score is `after`, in a model whose score is `now`. */
struct ek_candidate ek_candidate_from(const struct ek_search *search, const struct ek_score *now,
                                      uint32_t domain, uint32_t destination,
                                      const struct ek_score *after);

/* Rates a move of `domain` to `destination` in the model's present state. */
struct ek_candidate ek_candidate_rate(const struct ek_search *search, uint32_t domain,
                                      uint32_t destination);

/* Overload is worth so many times its figure in units of the score: one point of one host's
 * utilization above its target as much as ten points of imbalance of the whole cluster. */
#define EK_RELIEF_WEIGHT 10.0

/* Whether a move's relief of overload earns its cost and the noise:
 * EK_RELIEF_WEIGHT * overload_fall + worth > 0. */
bool ek_candidate_relieves(const struct ek_candidate *candidate);

/* Whether `a` ranks before `b`: overload, worth, then UUID and host name, so that the order of the
 * input does not matter. */
bool ek_candidate_better(const struct ek_search *search, const struct ek_candidate *a,
                         const struct ek_candidate *b);

#endif
