/* One host after the other, the hottest first. Of each host the smallest set of domains that ends
 * its overload is looked for by depth: one domain, two, three; a branch ends where even the largest
 * of the rest would not be enough, or where it costs more than what was found. */
#include "policies/relief.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

/* Above its target by less than this is rounding. */
#define RELIEF 1e-6

/* Of what is left in cores or MiB, this is rounding. */
#define SLACK 1e-9

/* Sets of up to DEEPEST domains are looked for; before more are needed, the largest goes. */
enum { DEEPEST = 4 };

/* The work for one host: branches, and sets whose places are looked for. */
enum { BRANCHES = 20000, TRIALS = 200 };

/* A domain that may leave a hot host. */
struct leaver {
    uint32_t domain;
    bool placeable; /* some host takes it now */
    double price;
    double part; /* the sum of what it takes of what is too much, each as a part of the host */
    double takes[EK_RESOURCE_MAX]; /* from what is too much there */
};

/* One host that is to be relieved. */
struct relief {
    struct ek_steps *steps;
    uint32_t host;
    unsigned int resources;          /* how many there are */
    struct leaver *leavers;          /* the cheapest first */
    double (*most)[EK_RESOURCE_MAX]; /* per leaver: the largest `takes` of it and those behind */
    size_t count;
    uint32_t picked[DEEPEST]; /* indices of leavers: the set that is being tried ... */
    uint32_t best[DEEPEST];   /* ... and the cheapest one that has places */
    double best_price;        /* INFINITY: no set was found */
    unsigned int branches;
    unsigned int trials;
};

bool ek_relief_hot(const struct ek_cluster *cluster, uint32_t host)
{
    bool hot = false;

    for (unsigned int r = 0; cluster->hosts[host].counted && r < cluster->resource_count; r++) {
        double u = ek_cluster_utilization(cluster, host, (enum ek_resource)r);
        hot = hot || u > cluster->policy->target_max[r] + RELIEF;
    }
    return hot;
}

struct ek_hottest ek_relief_worst(const struct ek_cluster *cluster)
{
    struct ek_hottest worst = {.host = EK_NONE};
    double above = RELIEF;

    for (uint32_t h = 0; h < cluster->snapshot->host_count; h++) {
        for (unsigned int r = 0; cluster->hosts[h].counted && r < cluster->resource_count; r++) {
            double u = ek_cluster_utilization(cluster, h, (enum ek_resource)r);
            /* The distance from its own target counts: 80 % of memory may be well where 80 % of CPU
             * is not. */
            if (u - cluster->policy->target_max[r] > above) {
                above = u - cluster->policy->target_max[r];
                worst = (struct ek_hottest){h, (enum ek_resource)r, u};
            }
        }
    }
    return worst;
}

/* ---- the smallest set ------------------------------------------------------------------------ */

/* What must go from the host, in cores and MiB; at most 0: nothing. */
static double too_much(const struct relief *relief, unsigned int r)
{
    const struct ek_cluster *cluster = relief->steps->search->cluster;
    double size = ek_cluster_capacity(cluster, relief->host, (enum ek_resource)r);
    double most = size * cluster->policy->target_max[r];
    double over = cluster->hosts[relief->host].load[r] - most;

    return over > size * RELIEF ? over : 0;
}

static bool ended(const struct relief *relief, const double *left)
{
    bool ended = true;

    for (unsigned int r = 0; r < relief->resources; r++) {
        ended = ended && left[r] < SLACK;
    }
    return ended;
}

/* Whether `picks` of the leavers from `at` on could take what is left; never false where they can.
 */
static bool hopeful(const struct relief *relief, const double *left, size_t at, size_t picks)
{
    bool hopeful = true;

    for (unsigned int r = 0; r < relief->resources; r++) {
        hopeful = hopeful && (double)picks * relief->most[at][r] >= left[r] * (1 - RELIEF);
    }
    return hopeful;
}

/* Takes the steps of a set; false: some domain of it has no place, no step is taken. */
static bool send(struct relief *relief, const uint32_t *picked, size_t picks)
{
    size_t mark = relief->steps->count;

    for (size_t i = 0; i < picks; i++) {
        if (!ek_steps_place(relief->steps, relief->leavers[picked[i]].domain)) {
            ek_steps_pop(relief->steps, mark);
            return false;
        }
    }
    return true;
}

/* All sets of `picks` domains of which the first `picked` are chosen and the next one stands at
 * `at` or behind. */
static void seek(struct relief *relief, const double *left, size_t at, size_t picked, size_t picks,
                 double price)
{
    if (picked == picks) {
        size_t mark = relief->steps->count;
        if (ended(relief, left) && relief->trials++ < TRIALS &&
            send(relief, relief->picked, picks)) {
            ek_steps_pop(relief->steps, mark);
            relief->best_price = price;
            for (size_t i = 0; i < picks; i++) {
                relief->best[i] = relief->picked[i];
            }
        }
        return;
    }
    for (size_t i = at; i < relief->count && hopeful(relief, left, i, picks - picked); i++) {
        const struct leaver *leaver = &relief->leavers[i];
        double rest[EK_RESOURCE_MAX];
        if (price + leaver->price >= relief->best_price || relief->branches++ >= BRANCHES ||
            relief->trials >= TRIALS) {
            return; /* those behind cost no less */
        }
        for (unsigned int r = 0; r < relief->resources; r++) {
            rest[r] = left[r] - leaver->takes[r];
        }
        if (leaver->placeable) {
            relief->picked[picked] = (uint32_t)i;
            seek(relief, rest, i + 1, picked + 1, picks, price + leaver->price);
        }
    }
}

static int leaver_cmp(const void *left, const void *right)
{
    const struct leaver *a = left;
    const struct leaver *b = right;

    if (a->price < b->price || a->price > b->price) {
        return a->price < b->price ? -1 : 1;
    }
    return (a->domain > b->domain) - (a->domain < b->domain);
}

/* The domains that take from what is too much, the cheapest first. */
static void gather(struct relief *relief, const double *left)
{
    struct ek_search *search = relief->steps->search;
    const struct ek_cluster *cluster = search->cluster;

    relief->count = 0;
    for (uint32_t d = search->first[relief->host]; d != EK_NONE; d = search->next[d]) {
        struct leaver leaver = {.domain = d, .price = search->price[d]};
        for (unsigned int r = 0; r < relief->resources; r++) {
            double takes = ek_cluster_demand(cluster, d, (enum ek_resource)r);
            double size = ek_cluster_capacity(cluster, relief->host, (enum ek_resource)r);
            leaver.takes[r] = left[r] > 0 ? takes : 0;
            leaver.part += left[r] > 0 ? fmin(takes, left[r]) / size : 0;
        }
        if (leaver.part > 0 && ek_steps_may_leave(relief->steps, d)) {
            leaver.placeable = ek_steps_destination(relief->steps, d) != EK_NONE;
            relief->leavers[relief->count++] = leaver;
        }
    }
    if (relief->count > 0) {
        qsort(relief->leavers, relief->count, sizeof(*relief->leavers), leaver_cmp);
    }
    for (size_t i = relief->count; i > 0; i--) {
        const struct leaver *leaver = &relief->leavers[i - 1];
        for (unsigned int r = 0; r < relief->resources; r++) {
            double behind = i == relief->count ? 0 : relief->most[i][r];
            relief->most[i - 1][r] = fmax(behind, leaver->placeable ? leaver->takes[r] : 0);
        }
    }
}

/* One domain whose leaving is enough and that no host takes, and another that makes room for it:
 * the cheapest first. */
static bool send_with_room(struct relief *relief, const double *left)
{
    bool sent = false;

    for (size_t i = 0; !sent && i < relief->count; i++) {
        double rest[EK_RESOURCE_MAX];
        for (unsigned int r = 0; r < relief->resources; r++) {
            rest[r] = left[r] - relief->leavers[i].takes[r];
        }
        sent = !relief->leavers[i].placeable && ended(relief, rest) &&
               ek_steps_make_room(relief->steps, relief->leavers[i].domain);
    }
    return sent;
}

static int part_cmp(const void *left, const void *right)
{
    const struct leaver *a = left;
    const struct leaver *b = right;

    if (a->part > b->part || a->part < b->part) {
        return a->part > b->part ? -1 : 1;
    }
    return leaver_cmp(left, right);
}

/* The one that takes most of what is too much, placed directly or with room made for it. The
 * leavers are in another order afterwards. */
static bool send_largest(struct relief *relief)
{
    bool sent = false;

    if (relief->count > 0) {
        qsort(relief->leavers, relief->count, sizeof(*relief->leavers), part_cmp);
    }
    for (size_t i = 0; !sent && i < relief->count; i++) {
        uint32_t domain = relief->leavers[i].domain;
        sent = relief->leavers[i].placeable ? ek_steps_place(relief->steps, domain)
                                            : ek_steps_make_room(relief->steps, domain);
    }
    return sent;
}

/* The fewest domains that do; two steps of which one makes room are as many as two domains. */
static bool send_few(struct relief *relief, const double *left)
{
    bool sent = false;

    relief->branches = 0;
    relief->trials = 0;
    for (size_t picks = 1; !sent && picks <= DEEPEST && picks <= relief->count; picks++) {
        relief->best_price = INFINITY;
        seek(relief, left, 0, 0, picks, 0);
        sent = relief->best_price < INFINITY && send(relief, relief->best, picks);
        if (!sent && (picks == 2 || relief->count == 1)) {
            sent = send_with_room(relief, left);
        }
    }
    return sent;
}

/* ---- all hosts ----------------------------------------------------------------------------- */

static void relieve(struct relief *relief)
{
    for (;;) {
        double left[EK_RESOURCE_MAX];
        for (unsigned int r = 0; r < relief->resources; r++) {
            left[r] = too_much(relief, r);
        }
        if (ended(relief, left)) {
            return;
        }
        gather(relief, left);
        if (send_few(relief, left) || !send_largest(relief)) {
            return;
        }
    }
}

/* How far the host is above its targets: the sum of all resources. */
static double heat(const struct ek_cluster *cluster, uint32_t host)
{
    double heat = 0;

    for (unsigned int r = 0; r < cluster->resource_count; r++) {
        heat += fmax(0, ek_cluster_utilization(cluster, host, (enum ek_resource)r) -
                            cluster->policy->target_max[r]);
    }
    return heat;
}

/* The hottest host that is not done; EK_NONE: all are. */
static uint32_t hottest(const struct ek_cluster *cluster, const bool *done)
{
    uint32_t hottest = EK_NONE;
    double most = 0;

    for (uint32_t h = 0; h < cluster->snapshot->host_count; h++) {
        if (!done[h] && ek_relief_hot(cluster, h) && heat(cluster, h) > most) {
            most = heat(cluster, h);
            hottest = h;
        }
    }
    return hottest;
}

bool ek_relief(struct ek_steps *steps, struct ek_error *err)
{
    struct ek_cluster *cluster = steps->search->cluster;
    struct ek_arena *arena = &cluster->arena;
    size_t domains = cluster->snapshot->domain_count;
    struct relief relief = {.steps = steps, .resources = cluster->resource_count};
    bool *done = ek_arena_alloc(arena, cluster->snapshot->host_count, sizeof(*done));

    relief.leavers = ek_arena_alloc(arena, domains, sizeof(*relief.leavers));
    relief.most = ek_arena_alloc(arena, domains, sizeof(*relief.most));
    if (done == NULL || relief.leavers == NULL || relief.most == NULL) {
        return ek_error_set(err, EK_ERR_NOMEM, "out of memory while planning");
    }
    for (relief.host = hottest(cluster, done); relief.host != EK_NONE;
         relief.host = hottest(cluster, done)) {
        done[relief.host] = true;
        relieve(&relief);
    }
    return true;
}

const char *ek_relief_reason(const struct ek_search *search, const struct ek_candidate *chosen,
                             struct ek_arena *arena)
{
    const struct ek_cluster *cluster = search->cluster;
    const struct ek_host *hosts = cluster->snapshot->hosts;
    uint32_t source = cluster->host_of[chosen->domain];
    uint32_t destination = chosen->destination;
    bool hot = ek_relief_hot(cluster, source);
    enum ek_resource worst = EK_CPU;
    double above = -INFINITY;

    assert(source != destination);
    for (unsigned int r = 0; r < cluster->resource_count; r++) {
        double by = ek_cluster_utilization(cluster, source, (enum ek_resource)r) -
                    cluster->policy->target_max[r];
        worst = by > above ? (enum ek_resource)r : worst;
        above = fmax(by, above);
    }
    return ek_arena_printf(
        arena, "%s%s%s%s of %s %.0f %% -> %.0f %%, of %s %.0f %% -> %.0f %%",
        hot ? "" : "makes room on ", hot ? "" : hosts[source].name, hot ? "" : "; ",
        cluster->policy->resources.names[worst], hosts[source].name,
        100 * ek_cluster_utilization(cluster, source, worst),
        100 * ek_cluster_utilization_with(cluster, source, worst, chosen->domain, -1),
        hosts[destination].name, 100 * ek_cluster_utilization(cluster, destination, worst),
        100 * ek_cluster_utilization_with(cluster, destination, worst, chosen->domain, 1));
}
