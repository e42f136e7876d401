#include "balancer/core/planner/goal.h"

#include "balancer/core/noise.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* As in constraint.c: sums of doubles do not refuse what exactly fits. */
#define SLACK 1e-3
#define TARGET_SLACK 1e-9

/* Moves are not free even where copying is: so that of two equal goals the one with fewer wins. */
#define MOVE_PRICE 2e-6

/* Known answers. */
enum { UNKNOWN, ADMITTED, REFUSED };

/* ---- weighing ------------------------------------------------------------------------------ */

static double price_of(const struct ek_goal *goal, uint32_t d, uint32_t host)
{
    const struct ek_search *search = goal->search;
    const struct ek_host *hosts = search->cluster->snapshot->hosts;
    const struct ek_goal_domain *domain = &goal->domains[d];

    if (host == domain->home) {
        return 0;
    }
    if (goal->even_links || !(hosts[host].migration_mib_s < hosts[domain->home].migration_mib_s)) {
        return search->price[d] + MOVE_PRICE;
    }
    return ek_candidate_price(search->cluster, d, hosts[host].migration_mib_s) + MOVE_PRICE;
}

/* In units of the squared score. */
static double work_out_doubt(const struct ek_goal *goal, uint32_t d, uint32_t host)
{
    return 2 * ek_noise_of_move(goal->search->cluster, 1, d, host, EK_NONE);
}

static double doubt_of(const struct ek_goal *goal, uint32_t d, uint32_t host)
{
    const struct ek_cluster *cluster = goal->search->cluster;

    if (!cluster->noisy || host == goal->domains[d].home) {
        return 0;
    }
    if (goal->doubts == NULL) {
        return work_out_doubt(goal, d, host);
    }
    float *known = &goal->doubts[(size_t)d * cluster->snapshot->host_count + host];
    if (*known < 0) {
        *known = (float)work_out_doubt(goal, d, host);
    }
    return (double)*known;
}

/* The host's part of the trial. */
static inline struct ek_goal_change *change_of(struct ek_trial *trial, uint32_t host,
                                               unsigned int resources)
{
    size_t i = 0;

    while (i < trial->change_count && trial->changes[i].host != host) {
        i++;
    }
    struct ek_goal_change *change = &trial->changes[i];
    if (i == trial->change_count) {
        /* No more of it than is needed: most of it is room for further resources. */
        for (unsigned int r = 0; r < resources; r++) {
            change->use[r] = 0;
        }
        change->memory_mib = 0;
        change->vcpus = 0;
        change->host = host;
        change->arrivals = 0;
        trial->change_count++;
    }
    return change;
}

/* The functions of the inner loop take the number of resources as an argument, so that the compiler
 * makes a version of them for the usual two: that is twice as fast. */

static inline void add_part(const struct ek_goal *goal, struct ek_trial *trial, uint32_t d,
                            uint32_t host, int sign, unsigned int resources)
{
    const struct ek_goal_domain *domain = &goal->domains[d];
    struct ek_goal_change *change = change_of(trial, host, resources);

    for (unsigned int r = 0; r < resources; r++) {
        change->use[r] += sign * domain->demand[r] * goal->hosts[host].share[r];
    }
    change->memory_mib += sign * domain->memory_mib;
    change->vcpus += sign * domain->vcpus;
    change->arrivals += host == domain->home ? 0 : sign;
}

/* Only where somebody arrives something must fit: what the start breaks is not the goal's fault. */
static inline bool has_room(const struct ek_goal *goal, const struct ek_goal_change *change,
                            unsigned int resources)
{
    const struct ek_goal_host *host = &goal->hosts[change->host];
    bool ok =
        change->memory_mib <= host->memory_mib + SLACK && change->vcpus <= host->vcpus + SLACK;

    for (unsigned int r = 0; r < resources; r++) {
        ok = ok && host->use[r] + change->use[r] <= goal->most[r] + TARGET_SLACK;
    }
    return ok || (int)host->arrivals + change->arrivals == 0;
}

bool ek_goal_has_room(const struct ek_goal *goal, uint32_t host)
{
    const struct ek_goal_change nothing = {.host = host};

    return has_room(goal, &nothing, goal->resources);
}

static double above(double use, double target)
{
    return use > target ? use - target : 0;
}

static inline void add_up(const struct ek_goal *goal, struct ek_trial *trial,
                          unsigned int resources)
{
    const double *target = goal->search->cluster->policy->target_max;

    trial->overload = goal->overload;
    trial->variance = 0;
    for (unsigned int r = 0; r < resources; r++) {
        double sum = goal->sum[r];
        double square = goal->square[r];
        for (size_t i = 0; i < trial->change_count; i++) {
            double use = goal->hosts[trial->changes[i].host].use[r];
            double more = trial->changes[i].use[r];
            sum += more;
            square += more * (2 * use + more);
            if (goal->overloads) {
                trial->overload += above(use + more, target[r]) - above(use, target[r]);
            }
        }
        trial->sum[r] = sum;
        trial->square[r] = square;
        trial->variance += goal->of_square[r] * square - goal->of_sum[r] * sum * sum;
    }
}

/* Who leaves and who comes, host by host. Returns by how many there are more moves. */
static inline int measure(const struct ek_goal *goal, struct ek_trial *trial,
                          unsigned int resources)
{
    const struct ek_cluster *cluster = goal->search->cluster;
    int more = 0;

    trial->change_count = 0;
    trial->price = goal->price;
    trial->doubt = goal->doubt;
    trial->soft = goal->soft;
    for (size_t i = 0; i < trial->count; i++) {
        uint32_t d = trial->shifts[i].domain;
        const struct ek_goal_domain *domain = &goal->domains[d];
        uint32_t host = trial->shifts[i].host;
        assert(domain->host != host);
        more += (host != domain->home) - (domain->host != domain->home);
        trial->price += price_of(goal, d, host) - domain->price;
        trial->doubt += doubt_of(goal, d, host) - domain->doubt;
        if (domain->wished) {
            /* Each by itself: of two with one rule this is a guess, ek_goal_make() knows. */
            trial->soft += cluster->soft_unit * ek_rule_set_should_delta(&cluster->rules, d, host);
        }
        add_part(goal, trial, d, domain->host, -1, resources);
        add_part(goal, trial, d, host, 1, resources);
    }
    return more;
}

static inline bool weigh(const struct ek_goal *goal, struct ek_trial *trial, unsigned int resources)
{
    int more = measure(goal, trial, resources);

    if (more > 0 && goal->moved_count + (uint32_t)more > goal->limit) {
        return false;
    }
    for (size_t i = 0; i < trial->change_count; i++) {
        if (!has_room(goal, &trial->changes[i], resources)) {
            return false;
        }
    }
    add_up(goal, trial, resources);
    return true;
}

bool ek_goal_weigh(const struct ek_goal *goal, struct ek_trial *trial)
{
    return goal->resources == 2 ? weigh(goal, trial, 2) : weigh(goal, trial, goal->resources);
}

bool ek_goal_below(const struct ek_goal *goal, const struct ek_trial *trial, double cost)
{
    double left = cost - goal->dear * trial->price - trial->soft -
                  EK_RELIEF_WEIGHT * above(trial->overload, 0);

    /* Squares are compared: a root for each trial would be a quarter of the work. */
    return left > 0 && trial->variance + trial->doubt < left * left;
}

/* ---- rules and admission ------------------------------------------------------------------- */

static bool admitted(struct ek_goal *goal, uint32_t domain, uint32_t host)
{
    const struct ek_search *search = goal->search;
    size_t pair = (size_t)domain * search->cluster->snapshot->host_count + host;

    if (goal->admitted != NULL && goal->admitted[pair] != UNKNOWN) {
        return goal->admitted[pair] == ADMITTED;
    }
    bool yes =
        ek_constraint_admission(search->cluster, search->cooldown, domain, host) == EK_BLOCK_NONE;
    for (unsigned int r = EK_RESOURCE_FURTHER; r < goal->resources; r++) {
        /* Its share there is 0, so that it would not be seen to take any. */
        yes = yes && (goal->domains[domain].demand[r] <= 0 || goal->hosts[host].share[r] > 0);
    }
    if (goal->admitted != NULL) {
        goal->admitted[pair] = yes ? ADMITTED : REFUSED;
    }
    return yes;
}

/* One after the other, as the rules follow placements; all are taken back when one may not be. */
static bool rules_allow(struct ek_goal *goal, const struct ek_trial *trial)
{
    struct ek_rule_set *rules = &goal->search->cluster->rules;
    size_t made = 0;
    bool ok = true;

    for (size_t i = 0; ok && i < trial->count; i++) {
        const struct ek_shift *shift = &trial->shifts[i];
        if (goal->domains[shift->domain].ruled) {
            ok = ek_rule_set_block(rules, shift->domain, shift->host) == EK_NONE;
            if (ok && i + 1 < trial->count) {
                ek_rule_set_move(rules, shift->domain, shift->host);
                made = i + 1;
            }
        }
    }
    for (size_t i = made; i > 0; i--) {
        uint32_t d = trial->shifts[i - 1].domain;
        if (goal->domains[d].ruled) {
            ek_rule_set_move(rules, d, goal->domains[d].host);
        }
    }
    return ok;
}

bool ek_goal_admits(struct ek_goal *goal, const struct ek_trial *trial)
{
    for (size_t i = 0; i < trial->count; i++) {
        const struct ek_shift *shift = &trial->shifts[i];
        if (shift->host != goal->domains[shift->domain].home &&
            !admitted(goal, shift->domain, shift->host)) {
            return false;
        }
    }
    return rules_allow(goal, trial);
}

/* ---- changing ------------------------------------------------------------------------------ */

static double soft_of(const struct ek_goal *goal)
{
    const struct ek_cluster *cluster = goal->search->cluster;

    return cluster->soft_unit > 0 ? cluster->soft_unit * ek_rule_set_should_cost(&cluster->rules)
                                  : 0;
}

/* Sums of many changes, so that a hair below zero is zero. */
static void add_cost(struct ek_goal *goal)
{
    double variance = 0;

    for (unsigned int r = 0; r < goal->resources; r++) {
        variance +=
            goal->of_square[r] * goal->square[r] - goal->of_sum[r] * goal->sum[r] * goal->sum[r];
    }
    goal->spread = sqrt(above(variance + goal->doubt, 0));
    goal->cost = EK_RELIEF_WEIGHT * above(goal->overload, 0) + goal->spread + goal->soft +
                 goal->dear * goal->price;
}

static void list_moved(struct ek_goal *goal, uint32_t d)
{
    struct ek_goal_domain *domain = &goal->domains[d];

    if (domain->host != domain->home && domain->at == EK_NONE) {
        domain->at = goal->moved_count;
        goal->moved[goal->moved_count++] = d;
    } else if (domain->host == domain->home && domain->at != EK_NONE) {
        uint32_t last = goal->moved[--goal->moved_count];
        goal->moved[domain->at] = last;
        goal->domains[last].at = domain->at;
        domain->at = EK_NONE;
    }
}

void ek_goal_make(struct ek_goal *goal, const struct ek_trial *trial)
{
    for (size_t i = 0; i < trial->change_count; i++) {
        const struct ek_goal_change *change = &trial->changes[i];
        struct ek_goal_host *host = &goal->hosts[change->host];
        for (unsigned int r = 0; r < goal->resources; r++) {
            host->use[r] += change->use[r];
        }
        host->memory_mib -= change->memory_mib;
        host->vcpus -= change->vcpus;
        host->arrivals += (uint32_t)change->arrivals;
    }
    for (size_t i = 0; i < trial->count; i++) {
        uint32_t d = trial->shifts[i].domain;
        struct ek_goal_domain *domain = &goal->domains[d];
        domain->price = price_of(goal, d, trial->shifts[i].host);
        domain->doubt = doubt_of(goal, d, trial->shifts[i].host);
        domain->host = trial->shifts[i].host;
        list_moved(goal, d);
        if (domain->ruled) {
            ek_rule_set_move(&goal->search->cluster->rules, d, domain->host);
        }
    }
    memcpy(goal->sum, trial->sum, sizeof(goal->sum));
    memcpy(goal->square, trial->square, sizeof(goal->square));
    goal->overload = trial->overload;
    goal->price = trial->price;
    goal->doubt = trial->doubt;
    goal->soft = soft_of(goal);
    add_cost(goal);
}

void ek_goal_clear(struct ek_goal *goal)
{
    const struct ek_cluster *cluster = goal->search->cluster;

    while (goal->moved_count > 0) {
        uint32_t d = goal->moved[goal->moved_count - 1];
        struct ek_goal_domain *domain = &goal->domains[d];
        domain->host = domain->home;
        domain->price = 0;
        domain->doubt = 0;
        list_moved(goal, d);
        if (domain->ruled) {
            ek_rule_set_move(&goal->search->cluster->rules, d, domain->home);
        }
    }
    /* Copied and not subtracted: what was rounded on the way is forgotten. */
    memcpy(goal->hosts, goal->start, cluster->snapshot->host_count * sizeof(*goal->hosts));
    memcpy(goal->sum, cluster->sum, sizeof(goal->sum));
    memcpy(goal->square, cluster->square, sizeof(goal->square));
    goal->overload = cluster->overload;
    goal->price = 0;
    goal->doubt = 0;
    goal->soft = soft_of(goal);
    add_cost(goal);
}

void ek_goal_put(struct ek_goal *goal, const struct ek_shift *shifts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct ek_trial trial = {.shifts = {shifts[i]}, .count = 1};
        /* There may be no room until all are made. */
        (void)measure(goal, &trial, goal->resources);
        add_up(goal, &trial, goal->resources);
        ek_goal_make(goal, &trial);
    }
}

void ek_goal_price(struct ek_goal *goal, double dear)
{
    goal->dear = dear;
    add_cost(goal);
}

double ek_goal_cost_without_noise(const struct ek_goal *goal)
{
    double moves = MOVE_PRICE * goal->moved_count;

    return ek_goal_true_cost(goal) - moves - goal->spread +
           sqrt(above(goal->spread * goal->spread - goal->doubt, 0));
}

double ek_goal_true_cost(const struct ek_goal *goal)
{
    return goal->cost - (goal->dear - 1) * goal->price;
}

bool ek_goal_alike(const struct ek_goal *goal, uint32_t a, uint32_t b)
{
    const struct ek_goal_domain *of_a = &goal->domains[a];
    const struct ek_goal_domain *of_b = &goal->domains[b];

    return memcmp(of_a->demand, of_b->demand, goal->resources * sizeof(*of_a->demand)) == 0 &&
           memcmp(&of_a->memory_mib, &of_b->memory_mib, sizeof(of_a->memory_mib)) == 0 &&
           memcmp(&of_a->vcpus, &of_b->vcpus, sizeof(of_a->vcpus)) == 0 &&
           memcmp(&goal->search->price[a], &goal->search->price[b], sizeof(of_a->price)) == 0;
}
