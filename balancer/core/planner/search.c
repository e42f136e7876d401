#include "balancer/core/planner/search.h"

#include "balancer/core/planner/search_offer.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* Up to so many hosts every host is a destination to look at; beyond, the coolest of each kind. */
enum { EXACT_HOSTS = 64, EXACT_DOMAINS = 5000, TARGETS_EACH = 8, TARGETS_KEPT_FOR = 8 };

/* Ways to be a cool host: little of one resource used, or little of all. */
enum { KINDS_MAX = EK_RESOURCE_MAX + 1 };

/* Each host has a list of the domains that stand there, so that rating one host does not walk all
 * domains. */
static void link_in(struct ek_search *search, uint32_t domain)
{
    uint32_t host = search->cluster->host_of[domain];
    uint32_t first = search->first[host];

    search->next[domain] = first;
    search->previous[domain] = EK_NONE;
    if (first != EK_NONE) {
        search->previous[first] = domain;
    }
    search->first[host] = domain;
}

static void link_out(struct ek_search *search, uint32_t domain)
{
    uint32_t next = search->next[domain];
    uint32_t previous = search->previous[domain];

    if (next != EK_NONE) {
        search->previous[next] = previous;
    }
    if (previous != EK_NONE) {
        search->next[previous] = next;
    } else {
        search->first[search->cluster->host_of[domain]] = next;
    }
}

static bool allocate(struct ek_search *search, struct ek_error *err)
{
    struct ek_arena *arena = &search->cluster->arena;
    size_t hosts = search->cluster->snapshot->host_count;
    size_t domains = search->cluster->snapshot->domain_count;

    /* A power of two, so that the tournament is a whole binary tree in one array. */
    for (search->leaves = 1; search->leaves < hosts; search->leaves *= 2) {
    }
    search->settled = ek_arena_alloc(arena, domains, sizeof(bool));
    search->movable = ek_arena_alloc(arena, domains, sizeof(bool));
    search->price = ek_arena_alloc(arena, domains, sizeof(double));
    search->first = ek_arena_alloc(arena, hosts, sizeof(uint32_t));
    search->next = ek_arena_alloc(arena, domains, sizeof(uint32_t));
    search->previous = ek_arena_alloc(arena, domains, sizeof(uint32_t));
    search->best = ek_arena_alloc(arena, hosts, sizeof(*search->best));
    search->rated_at = ek_arena_alloc(arena, hosts, sizeof(uint64_t));
    search->winners = ek_arena_alloc(arena, 2 * search->leaves, sizeof(uint32_t));
    search->targets = ek_arena_alloc(arena, hosts + KINDS_MAX * TARGETS_EACH, sizeof(uint32_t));
    bool ok = search->settled != NULL && search->movable != NULL && search->price != NULL &&
              search->first != NULL && search->next != NULL && search->previous != NULL &&
              search->best != NULL && search->rated_at != NULL && search->winners != NULL &&
              search->targets != NULL;
    return ok || ek_error_set(err, EK_ERR_NOMEM, "out of memory for the search");
}

bool ek_search_init(struct ek_search *search, struct ek_cluster *cluster,
                    const struct ek_cooldown *cooldown, struct ek_error *err)
{
    const struct ek_snapshot *snapshot = cluster->snapshot;

    memset(search, 0, sizeof(*search));
    search->cluster = cluster;
    search->cooldown = cooldown;
    search->exact = snapshot->host_count <= EXACT_HOSTS && snapshot->domain_count <= EXACT_DOMAINS;
    search->version = 1;
    if (!allocate(search, err)) {
        return false;
    }
    for (size_t h = 0; h < snapshot->host_count; h++) {
        double rate = snapshot->hosts[h].migration_mib_s;
        search->fastest_mib_s = rate > search->fastest_mib_s ? rate : search->fastest_mib_s;
        search->first[h] = EK_NONE;
        search->best[h].domain = EK_NONE;
    }
    for (uint32_t d = 0; d < snapshot->domain_count; d++) {
        /* Once for the whole search: what holds a domain whatever the destination does not change
         * with moves of others. */
        enum ek_block block = ek_constraint_domain(cluster, cooldown, d, EK_PURPOSE_BALANCE);
        search->movable[d] = block == EK_BLOCK_NONE;
        search->price[d] =
            ek_candidate_price(cluster, d, snapshot->hosts[cluster->host_of[d]].migration_mib_s);
        link_in(search, d);
    }
    for (size_t i = 0; i < 2 * search->leaves; i++) {
        search->winners[i] = EK_NONE;
    }
    return true;
}

/* ---- destinations -------------------------------------------------------------------------- */

/* Weighted as the score is: what the policy does not look at makes no host cool. */
static double coolness(const struct ek_cluster *cluster, uint32_t host, unsigned int kind)
{
    double all = 0;

    if (kind < cluster->resource_count) {
        return ek_cluster_utilization(cluster, host, (enum ek_resource)kind);
    }
    for (unsigned int r = 0; r < cluster->resource_count; r++) {
        all +=
            cluster->policy->weight[r] * ek_cluster_utilization(cluster, host, (enum ek_resource)r);
    }
    return all;
}

/* The coolest hosts of one kind so far, in order. */
struct coolest {
    uint32_t *hosts;
    double heat[TARGETS_EACH];
    size_t count;
};

/* Hosts come in the order of their names, so that the first by name wins among equal ones. */
static void keep(struct coolest *list, uint32_t host, double heat)
{
    size_t at = list->count < TARGETS_EACH ? list->count++ : TARGETS_EACH - 1;

    while (at > 0 && heat < list->heat[at - 1]) {
        list->hosts[at] = list->hosts[at - 1];
        list->heat[at] = list->heat[at - 1];
        at--;
    }
    list->hosts[at] = host;
    list->heat[at] = heat;
}

static size_t choose_coolest(const struct ek_cluster *cluster, unsigned int kind, uint32_t *hosts)
{
    struct coolest list = {.hosts = hosts};

    for (uint32_t h = 0; h < cluster->snapshot->host_count; h++) {
        double heat = cluster->hosts[h].counted ? coolness(cluster, h, kind) : INFINITY;
        if (heat < INFINITY && (list.count < TARGETS_EACH || heat < list.heat[TARGETS_EACH - 1])) {
            keep(&list, h, heat);
        }
    }
    return list.count;
}

/* In a big cluster the best destination is nearly always one of the coolest, and all domains by all
 * hosts would be too many. */
void ek_search_choose_targets(struct ek_search *search)
{
    const struct ek_cluster *cluster = search->cluster;
    size_t hosts = cluster->snapshot->host_count;

    search->target_count = 0;
    for (uint32_t h = 0; search->exact && h < hosts; h++) {
        if (cluster->hosts[h].counted) {
            search->targets[search->target_count++] = h;
        }
    }
    for (unsigned int kind = 0; !search->exact && kind <= cluster->resource_count; kind++) {
        search->target_count +=
            choose_coolest(cluster, kind, search->targets + search->target_count);
    }
    search->targets_at = search->version;
    search->ideal.version = 0; /* to be worked out when it is asked for */
}

void ek_search_targets(struct ek_search *search)
{
    if (search->targets_at == 0 || search->version - search->targets_at >= TARGETS_KEPT_FOR) {
        ek_search_choose_targets(search);
    }
}

/* ---- candidates ---------------------------------------------------------------------------- */

/* A domain moves once in a plan: moving it again would pay twice for one journey. */
static bool may_leave(const struct ek_search *search, uint32_t domain)
{
    return search->movable[domain] && !search->settled[domain];
}

static void play(struct ek_search *search, uint32_t host);

/* The best move off one host, surely. What was best before is rated first: where it still is good,
 * hardly another one needs more than a look. */
static void rate_host(struct ek_search *search, uint32_t host, ek_pays *pays)
{
    const struct ek_candidate before = search->best[host];
    struct ek_candidate best = {.domain = EK_NONE};

    if (before.domain != EK_NONE && may_leave(search, before.domain) &&
        search->cluster->host_of[before.domain] == host) {
        ek_search_offer(search, before.domain, &before.destination, 1, NULL, pays, &best);
    }
    if (search->ideal.version != search->version) {
        search->ideal = ek_search_idealise(search, search->targets, search->target_count);
    }
    for (uint32_t d = search->first[host]; d != EK_NONE; d = search->next[d]) {
        if (may_leave(search, d)) {
            ek_search_offer(search, d, search->targets, search->target_count, &search->ideal, pays,
                            &best);
        }
    }
    search->best[host] = best;
    search->rated_at[host] = search->version;
    play(search, host);
}

/* Tells all hosts which ones have changed: one may be a better destination than before. */
static void tell_all(struct ek_search *search, ek_pays *pays)
{
    uint32_t changed[EK_SEARCH_CHANGES];
    size_t count = 0;

    for (size_t i = 0; i < search->changed_count; i++) {
        if (search->cluster->hosts[search->changed[i]].counted) {
            changed[count++] = search->changed[i];
        }
    }
    const struct ek_search_ideal ideal = ek_search_idealise(search, changed, count);
    for (uint32_t h = 0; h < search->cluster->snapshot->host_count; h++) {
        struct ek_candidate best = search->best[h];
        for (uint32_t d = search->first[h]; d != EK_NONE; d = search->next[d]) {
            if (may_leave(search, d)) {
                ek_search_offer(search, d, changed, count, &ideal, pays, &best);
            }
        }
        search->best[h] = best;
        play(search, h);
    }
}

/* ---- the tournament ------------------------------------------------------------------------ */

/* The better candidate of two hosts; a host without one loses to any. */
static uint32_t stronger(const struct ek_search *search, uint32_t a, uint32_t b)
{
    if (a == EK_NONE || b == EK_NONE) {
        return a == EK_NONE ? b : a;
    }
    return ek_candidate_better(search, &search->best[a], &search->best[b]) ? a : b;
}

static void play(struct ek_search *search, uint32_t host)
{
    /* Leaves stand behind all inner nodes, as in any binary heap; node 1 is the root. */
    size_t at = search->leaves + host;

    search->winners[at] = search->best[host].domain == EK_NONE ? EK_NONE : host;
    for (at /= 2; at >= 1; at /= 2) {
        search->winners[at] =
            stronger(search, search->winners[2 * at], search->winners[2 * at + 1]);
    }
}

static void rate_all(struct ek_search *search, ek_pays *pays)
{
    ek_search_choose_targets(search);
    for (uint32_t h = 0; h < search->cluster->snapshot->host_count; h++) {
        rate_host(search, h, pays);
    }
    search->swept_at = search->version;
}

/* What has changed since the last question is rated anew, and no more. */
static void catch_up(struct ek_search *search, ek_pays *pays)
{
    bool lost = search->changed_count > EK_SEARCH_CHANGES;

    if (search->swept_at == 0 || (search->exact && lost)) {
        rate_all(search, pays);
    } else if (search->exact) {
        tell_all(search, pays);
    } else {
        ek_search_targets(search);
    }
    search->changed_count = 0;
}

struct ek_candidate ek_search_best(struct ek_search *search, ek_pays *pays)
{
    search->level = ek_cluster_level(search->cluster);
    search->now = ek_cluster_score_of(search->cluster, search->level);
    catch_up(search, pays);
    for (;;) {
        uint32_t champion = search->winners[1];
        if (champion == EK_NONE && search->swept_at == search->version) {
            return (struct ek_candidate){.domain = EK_NONE};
        }
        if (champion == EK_NONE) {
            rate_all(search,
                     pays); /* nothing is left that is known of: look everywhere once more */
            /* A rating from before a move is only a claim: the winner is rated again until it
             * stands. */
        } else if (search->rated_at[champion] == search->version) {
            return search->best[champion];
        } else {
            rate_host(search, champion, pays);
        }
    }
}

/* ---- moves --------------------------------------------------------------------------------- */

static void shift(struct ek_search *search, uint32_t domain, uint32_t destination)
{
    const uint32_t hosts[2] = {search->cluster->host_of[domain], destination};

    link_out(search, domain);
    ek_cluster_move(search->cluster, domain, destination);
    link_in(search, domain);
    search->version++;
    for (int i = 0; i < 2; i++, search->changed_count++) {
        /* Counted on when the list is full: catch_up() then knows that it lost some. */
        if (search->changed_count < EK_SEARCH_CHANGES) {
            search->changed[search->changed_count] = hosts[i];
        }
    }
}

void ek_search_move(struct ek_search *search, uint32_t domain, uint32_t destination)
{
    assert(!search->settled[domain]);
    shift(search, domain, destination);
    search->settled[domain] = true;
}

void ek_search_undo(struct ek_search *search, uint32_t domain, uint32_t source)
{
    assert(search->settled[domain]);
    shift(search, domain, source);
    search->settled[domain] = false;
}
