#include "balancer/core/planner/anneal_steps.h"

#include <assert.h>
#include <string.h>

/* Any odd number; another one gives other plans of the same quality. */
#define SEED 0x9E3779B97F4A7C15ULL

/* Hosts that are drawn for a domain before one uphill has to do. */
enum { DRAWS = 7 };

static uint32_t below(struct ek_anneal_steps *steps, uint32_t bound)
{
    return (uint32_t)((uint64_t)ek_anneal_draw(steps) * bound >> 32);
}

/* Negative: the host lacks more of what the domain takes than it has too much of. */
static double slope(const struct ek_anneal_steps *steps, uint32_t d, uint32_t host)
{
    const struct ek_goal_domain *domain = &steps->goal->domains[d];
    const double *tilt = &steps->tilt[(size_t)host * steps->goal->resources];
    double sum = 0;

    for (unsigned int r = 0; r < steps->goal->resources; r++) {
        sum += domain->demand[r] * tilt[r];
    }
    return sum;
}

static void tilt_hosts(struct ek_anneal_steps *steps)
{
    const struct ek_goal *goal = steps->goal;
    const struct ek_cluster *cluster = goal->search->cluster;
    double *tilt = steps->tilt;

    for (uint32_t h = 0; h < cluster->snapshot->host_count; h++) {
        for (unsigned int r = 0; r < goal->resources; r++) {
            double mean = cluster->counted[r] > 0 ? cluster->sum[r] / cluster->counted[r] : 0;
            *tilt++ = cluster->policy->weight[r] * goal->start[h].share[r] *
                      (goal->start[h].use[r] - mean);
        }
    }
}

bool ek_anneal_steps_init(struct ek_anneal_steps *steps, const struct ek_goal *goal, bool loose,
                          struct ek_error *err)
{
    struct ek_cluster *cluster = goal->search->cluster;
    size_t hosts = cluster->snapshot->host_count;

    memset(steps, 0, sizeof(*steps));
    steps->goal = goal;
    steps->random = SEED;
    steps->loose = loose;
    steps->tilt = ek_arena_alloc(&cluster->arena, hosts * goal->resources, sizeof(double));
    steps->leavers = ek_arena_alloc(&cluster->arena, goal->free_count, sizeof(uint32_t));
    if (steps->tilt == NULL || steps->leavers == NULL) {
        return ek_error_set(err, EK_ERR_NOMEM, "out of memory for the steps of annealing");
    }
    tilt_hosts(steps);
    for (uint32_t i = 0; i < goal->free_count; i++) {
        uint32_t d = goal->free[i];
        if (slope(steps, d, goal->domains[d].home) > 0) {
            steps->leavers[steps->leaver_count++] = d;
        }
    }
    return true;
}

uint32_t ek_anneal_draw(struct ek_anneal_steps *steps)
{
    /* xorshift64* (Marsaglia, JSS 2003; Vigna, TOMS 2016); the upper half is the better one. */
    steps->random ^= steps->random >> 12;
    steps->random ^= steps->random << 25;
    steps->random ^= steps->random >> 27;
    return (uint32_t)(steps->random * 0x2545F4914F6CDD1DULL >> 32);
}

/* ---- who and where ------------------------------------------------------------------------- */

static uint32_t any_domain(struct ek_anneal_steps *steps)
{
    return steps->goal->free[below(steps, steps->goal->free_count)];
}

/* One that has a reason to leave. */
static uint32_t any_leaver(struct ek_anneal_steps *steps)
{
    if (steps->loose || steps->leaver_count == 0) {
        return any_domain(steps);
    }
    return steps->leavers[below(steps, steps->leaver_count)];
}

static uint32_t any_host(struct ek_anneal_steps *steps)
{
    return steps->goal->open[below(steps, steps->goal->open_count)];
}

/* A host that has a reason to take it, where one is found soon. */
static uint32_t host_for(struct ek_anneal_steps *steps, uint32_t domain)
{
    uint32_t host = any_host(steps);

    for (int i = 1; !steps->loose && i < DRAWS && slope(steps, domain, host) > 0; i++) {
        host = any_host(steps);
    }
    return host;
}

static uint32_t any_moved(struct ek_anneal_steps *steps)
{
    return steps->goal->moved[below(steps, steps->goal->moved_count)];
}

/* One of those that are at home on the host; EK_NONE: nobody is free there. */
static uint32_t any_of(struct ek_anneal_steps *steps, uint32_t host)
{
    const struct ek_goal *goal = steps->goal;
    uint32_t count = goal->first[host + 1] - goal->first[host];

    return count == 0 ? EK_NONE : goal->free[goal->first[host] + below(steps, count)];
}

/* ---- steps --------------------------------------------------------------------------------- */

static void shift(struct ek_trial *trial, uint32_t domain, uint32_t host)
{
    trial->shifts[trial->count++] = (struct ek_shift){domain, host};
}

/* One stays after all, another goes somewhere. */
static void replace(struct ek_anneal_steps *steps, struct ek_trial *trial, uint32_t out,
                    uint32_t domain, uint32_t host)
{
    if (domain != EK_NONE && domain != out) {
        shift(trial, out, steps->goal->domains[out].home);
        shift(trial, domain, host);
    }
}

static void exchange(struct ek_anneal_steps *steps, struct ek_trial *trial, uint32_t a, uint32_t b)
{
    if (a != b) {
        shift(trial, a, steps->goal->domains[b].host);
        shift(trial, b, steps->goal->domains[a].host);
    }
}

/* Where one arrived, another is pushed on in its stead; or, if that one left already, the first
 * goes there at once and it stays. */
static void push(struct ek_anneal_steps *steps, struct ek_trial *trial, uint32_t moved)
{
    uint32_t host = steps->goal->domains[moved].host;
    uint32_t other = any_of(steps, host);

    if (other == EK_NONE || other == moved) {
        return;
    }
    if (steps->goal->domains[other].host == host) {
        replace(steps, trial, moved, other, any_host(steps));
    } else {
        exchange(steps, trial, moved, other);
        trial->shifts[1].host = host;
    }
}

enum step {
    SET_OUT,       /* any domain anywhere */
    STAY,          /* a move less */
    ELSEWHERE,     /* another destination */
    SAME_WAY,      /* another domain of the same home in its place */
    SAME_END,      /* another domain in its place */
    INSTEAD,       /* another domain anywhere instead */
    CROSS,         /* two exchange their destinations */
    CHANGE_PLACES, /* two domains exchange their hosts */
    PUSH,
    STAY_BOTH, /* two moves less */
};

/* Moves must go as easily as they come, or there are too many of them while it is hot. */
static const unsigned char WHEEL[] = {
    SET_OUT,  SET_OUT,  STAY,     STAY,     STAY,     STAY,          ELSEWHERE, ELSEWHERE,
    SAME_WAY, SAME_WAY, SAME_WAY, SAME_WAY, SAME_WAY, SAME_WAY,      SAME_END,  SAME_END,
    INSTEAD,  CROSS,    CROSS,    CROSS,    CROSS,    CHANGE_PLACES, PUSH,      STAY_BOTH,
};

static void set_out(struct ek_anneal_steps *steps, struct ek_trial *trial)
{
    uint32_t domain = any_leaver(steps);

    shift(trial, domain, host_for(steps, domain));
}

/* Steps that need a move to begin with. */
static void change(struct ek_anneal_steps *steps, struct ek_trial *trial, enum step step)
{
    const struct ek_goal *goal = steps->goal;
    uint32_t moved = any_moved(steps);
    uint32_t home = goal->domains[moved].home;
    uint32_t host = goal->domains[moved].host;
    uint32_t other;

    switch (step) {
    case STAY_BOTH:
        other = any_moved(steps);
        replace(steps, trial, moved, other, goal->domains[other].home);
        break;
    case ELSEWHERE:
        shift(trial, moved, host_for(steps, moved));
        break;
    case SAME_WAY:
        replace(steps, trial, moved, any_of(steps, home), host);
        break;
    case SAME_END:
        replace(steps, trial, moved, any_leaver(steps), host);
        break;
    case INSTEAD:
        other = any_leaver(steps);
        replace(steps, trial, moved, other, host_for(steps, other));
        break;
    case CROSS:
        exchange(steps, trial, moved, any_moved(steps));
        break;
    case PUSH:
        push(steps, trial, moved);
        break;
    case STAY:
    case SET_OUT:
    case CHANGE_PLACES:
        shift(trial, moved, home);
        break;
    }
}

bool ek_anneal_propose(struct ek_anneal_steps *steps, struct ek_trial *trial)
{
    const struct ek_goal *goal = steps->goal;
    enum step step = (enum step)WHEEL[below(steps, sizeof(WHEEL))];

    assert(goal->free_count > 0 && goal->open_count > 0);
    trial->count = 0;
    if (step == CHANGE_PLACES) {
        uint32_t domain = any_domain(steps);
        exchange(steps, trial, domain, any_domain(steps));
    } else if (step == SET_OUT || goal->moved_count == 0) {
        set_out(steps, trial);
    } else {
        change(steps, trial, step);
    }
    for (size_t i = 0; i < trial->count; i++) {
        if (goal->domains[trial->shifts[i].domain].host == trial->shifts[i].host) {
            return false;
        }
    }
    return trial->count > 0;
}
