/* Making room: a domain that fits nowhere gets a place by moving others out of its way, and others
 * out of theirs (ejection chains). Shallow first, so that few moves are found before many; looks at
 * pairs of domain and host are counted, so that the work is bounded and the same everywhere. */
#include "balancer/core/planner/plan_work.h"

#include <assert.h>

enum {
    CHAIN_MAX = 4, /* moves in all, but for a detour */
    SPOTS = 12,    /* hosts that are cleared for a domain: those that lack least */
    TRIES = 10     /* domains of a host that are asked to go */
};

/* Looks for one domain: enough for chains of three in a cluster of a dozen hosts, for some hundred
 * attempts in a big one. */
enum { LOOKS_EACH = 1000, LOOKS_PER_HOST = 300 };

struct chain {
    struct ek_plan_work *work;
    uint64_t looks;
    uint32_t closed[CHAIN_MAX + 1]; /* hosts that are being cleared */
    size_t closed_count;
    bool mends; /* the first domain must go where must rules are broken less */
    uint32_t first;
    double most_room_mib; /* on any host before the first try: only tried moves can make more */
};

/* A host that would take the domain but for room or for those who stand there. */
struct spot {
    uint32_t host;
    double lack;
};

static bool closed(const struct chain *chain, uint32_t host)
{
    size_t i = 0;

    while (i < chain->closed_count && chain->closed[i] != host) {
        i++;
    }
    return i < chain->closed_count;
}

/* The goal of the first domain; all others may go anywhere. */
static bool wanted(const struct chain *chain, uint32_t domain, uint32_t host)
{
    return !chain->mends || domain != chain->first ||
           ek_rule_set_must_delta(&chain->work->cluster.rules, domain, host) < -1e-9;
}

static enum ek_block look(struct chain *chain, uint32_t domain, uint32_t host,
                          enum ek_purpose purpose)
{
    chain->looks -= chain->looks > 0 ? 1 : 0;
    return ek_constraint_pair(&chain->work->cluster, chain->work->request->cooldown, domain, host,
                              purpose);
}

/* Most hosts have no room, which is told without asking for all the rest. */
static bool roomy(const struct chain *chain, uint32_t domain, uint32_t host)
{
    const struct ek_cluster *cluster = &chain->work->cluster;

    return cluster->hosts[host].counted && ek_constraint_memory_room(cluster, host) + 1 >
                                               cluster->snapshot->domains[domain].memory_mib;
}

/* The first host from `from` on that has room for the domain; EK_NONE: there is none. What is
 * larger than any room can only go where tried moves have left some: in a full cluster most are. */
static uint32_t next_roomy(const struct chain *chain, uint32_t domain, uint32_t from)
{
    const struct ek_plan_trail *trail = &chain->work->trail;
    const struct ek_snapshot *snapshot = chain->work->out->snapshot;
    uint32_t next = EK_NONE;

    if (snapshot->domains[domain].memory_mib >= chain->most_room_mib + 1) {
        for (size_t i = 0; i < trail->count; i++) {
            uint32_t host = trail->steps[i].source;
            if (host >= from && host < next && roomy(chain, domain, host)) {
                next = host;
            }
        }
        return next;
    }
    for (uint32_t h = from; next == EK_NONE && h < snapshot->host_count; h++) {
        next = roomy(chain, domain, h) ? h : EK_NONE;
    }
    return next;
}

/* The best host that takes the domain as things are. */
static struct ek_candidate direct(struct chain *chain, uint32_t domain)
{
    static const enum ek_purpose purposes[] = {EK_PURPOSE_EVACUATE, EK_PURPOSE_EVACUATE_FORCED};
    struct ek_plan_work *work = chain->work;
    struct ek_candidate best = {.domain = EK_NONE};

    for (int p = 0; best.domain == EK_NONE && p < 2; p++) {
        for (uint32_t h = next_roomy(chain, domain, 0); h != EK_NONE;
             h = next_roomy(chain, domain, h + 1)) {
            if (!closed(chain, h) && wanted(chain, domain, h) &&
                look(chain, domain, h, purposes[p]) == EK_BLOCK_NONE) {
                struct ek_candidate candidate = ek_candidate_rate(&work->search, domain, h);
                best = ek_candidate_better(&work->search, &candidate, &best) ? candidate : best;
            }
        }
    }
    return best;
}

static double positive(double value)
{
    return value > 0 ? value : 0;
}

static double memory_lack(const struct ek_cluster *cluster, uint32_t domain, uint32_t host)
{
    return positive(cluster->snapshot->domains[domain].memory_mib -
                    ek_constraint_memory_room(cluster, host));
}

static double vcpu_lack(const struct ek_cluster *cluster, uint32_t domain, uint32_t host)
{
    return positive(cluster->snapshot->domains[domain].vcpus -
                    ek_constraint_vcpu_room(cluster, host));
}

/* Hosts worth clearing, that which lacks least memory first. */
static size_t spots_find(struct chain *chain, uint32_t domain, struct spot *spots)
{
    const struct ek_cluster *cluster = &chain->work->cluster;
    size_t count = 0;

    for (uint32_t h = 0; h < cluster->snapshot->host_count; h++) {
        enum ek_block block = closed(chain, h) ? EK_BLOCK_SAME_HOST
                                               : look(chain, domain, h, EK_PURPOSE_EVACUATE_FORCED);
        if (block != EK_BLOCK_MEMORY && block != EK_BLOCK_VCPUS && block != EK_BLOCK_RULE) {
            continue;
        }
        double lack = memory_lack(cluster, domain, h);
        size_t at = count;
        while (at > 0 && lack < spots[at - 1].lack) {
            at--;
        }
        if (at == SPOTS) {
            continue;
        }
        count += count < SPOTS ? 1 : 0;
        for (size_t i = count - 1; i > at; i--) {
            spots[i] = spots[i - 1];
        }
        spots[at] = (struct spot){h, lack};
    }
    return count;
}

static bool tried(const uint32_t *list, size_t count, uint32_t domain)
{
    while (count > 0 && list[count - 1] != domain) {
        count--;
    }
    return count > 0;
}

/* Whether a is to be asked before b: the smallest that makes room enough, else the largest. */
static bool before(const struct ek_domain *a, bool a_enough, const struct ek_domain *b,
                   bool b_enough)
{
    if (a_enough != b_enough) {
        return a_enough;
    }
    return a_enough ? a->memory_mib < b->memory_mib : a->memory_mib > b->memory_mib;
}

/* Whom to ask next to leave the host for the domain's sake; EK_NONE: nobody is left. */
static uint32_t next_out(const struct chain *chain, uint32_t domain, uint32_t host,
                         const uint32_t *list, size_t count)
{
    const struct ek_cluster *cluster = &chain->work->cluster;
    const struct ek_domain *domains = cluster->snapshot->domains;
    double memory = memory_lack(cluster, domain, host);
    double vcpus = vcpu_lack(cluster, domain, host);
    uint32_t best = EK_NONE;
    bool best_enough = false;

    for (uint32_t d = chain->work->search.first[host]; d != EK_NONE;
         d = chain->work->search.next[d]) {
        bool enough = domains[d].memory_mib >= memory && domains[d].vcpus >= vcpus;
        bool first = best == EK_NONE || before(&domains[d], enough, &domains[best], best_enough);
        bool equal = best != EK_NONE && !first &&
                     !before(&domains[best], best_enough, &domains[d], enough) && d < best;
        if ((first || equal) && d != domain && !tried(list, count, d) &&
            ek_plan_may_go(chain->work, d)) {
            best = d;
            best_enough = enough;
        }
    }
    return best;
}

static bool place(struct chain *chain, uint32_t domain, size_t moves);

/* Who must leave the host so that the domain may come, in view of what blocks it now. */
static uint32_t blocker(const struct chain *chain, uint32_t domain, uint32_t host,
                        enum ek_block block, const uint32_t *list, size_t count)
{
    const struct ek_rule_set *rules = &chain->work->cluster.rules;

    if (block == EK_BLOCK_MEMORY || block == EK_BLOCK_VCPUS) {
        return next_out(chain, domain, host, list, count);
    }
    if (block != EK_BLOCK_RULE) {
        return EK_NONE;
    }
    uint32_t rule = ek_rule_set_block(rules, domain, host);
    uint32_t other = rule == EK_NONE ? EK_NONE : ek_rule_set_obstacle(rules, rule, domain, host);
    return other != EK_NONE && !tried(list, count, other) && ek_plan_may_go(chain->work, other)
               ? other
               : EK_NONE;
}

/* Moves others off the host until the domain fits, and the domain there; in at most `moves`. */
static bool clear(struct chain *chain, uint32_t domain, uint32_t host, size_t moves)
{
    struct ek_plan_work *work = chain->work;
    const size_t mark = work->trail.count;
    uint32_t asked[TRIES];
    size_t count = 0;
    bool done = false;

    chain->closed[chain->closed_count++] = host;
    for (bool more = true; more && chain->looks > 0;) {
        enum ek_block block = look(chain, domain, host, EK_PURPOSE_EVACUATE_FORCED);
        size_t used = work->trail.count - mark;
        if (block == EK_BLOCK_NONE) {
            done = wanted(chain, domain, host);
            break;
        }
        uint32_t out = used + 2 > moves || count == TRIES
                           ? EK_NONE
                           : blocker(chain, domain, host, block, asked, count);
        more = out != EK_NONE;
        if (more) {
            asked[count++] = out;
            (void)place(chain, out, moves - used - 1);
        }
    }
    chain->closed_count--;
    if (done) {
        ek_plan_push(work, domain, host);
    } else {
        ek_plan_pop(work, mark);
    }
    return done;
}

/* Finds the domain a place in at most `moves` moves, its own included. */
static bool place(struct chain *chain, uint32_t domain, size_t moves)
{
    struct ek_candidate best = direct(chain, domain);
    struct spot spots[SPOTS];

    if (best.domain != EK_NONE) {
        ek_plan_push(chain->work, domain, best.destination);
        return true;
    }
    size_t count =
        moves < 2 || chain->closed_count == CHAIN_MAX ? 0 : spots_find(chain, domain, spots);
    for (size_t i = 0; i < count && chain->looks > 0; i++) {
        if (clear(chain, domain, spots[i].host, moves)) {
            return true;
        }
    }
    return false;
}

/* The domain waits on a third host, so that others may go where it was. */
static bool detour(struct chain *chain, size_t moves)
{
    struct ek_plan_work *work = chain->work;

    for (uint32_t h = 0; h < work->out->snapshot->host_count && chain->looks > 0; h++) {
        if (look(chain, chain->first, h, EK_PURPOSE_EVACUATE_FORCED) != EK_BLOCK_NONE) {
            continue;
        }
        ek_plan_push(work, chain->first, h);
        if (ek_plan_may_go(work, chain->first) && place(chain, chain->first, moves - 1)) {
            return true;
        }
        ek_plan_pop(work, 0);
    }
    return false;
}

static double most_room(const struct ek_cluster *cluster)
{
    double most_mib = 0;

    for (uint32_t h = 0; h < cluster->snapshot->host_count; h++) {
        double room_mib = cluster->hosts[h].counted ? ek_constraint_memory_room(cluster, h) : 0;
        most_mib = room_mib > most_mib ? room_mib : most_mib;
    }
    return most_mib;
}

/* Moving others about makes no room that is not there in all. */
static bool hopeless(const struct ek_plan_work *work, uint32_t domain)
{
    const struct ek_cluster *cluster = &work->cluster;
    double memory_mib = 0;

    for (uint32_t h = 0; h < cluster->snapshot->host_count; h++) {
        bool open = cluster->hosts[h].counted && !cluster->hosts[h].unseen_arrival;
        memory_mib += open ? positive(ek_constraint_memory_room(cluster, h)) : 0;
        /* Where it is now is room for others once it has gone. */
        bool home = open && h == cluster->host_of[domain];
        memory_mib += home ? cluster->snapshot->domains[domain].memory_mib : 0;
    }
    return memory_mib < cluster->snapshot->domains[domain].memory_mib;
}

bool ek_plan_chain(struct ek_plan_work *work, uint32_t domain, bool mends)
{
    uint64_t each = LOOKS_EACH + LOOKS_PER_HOST * (uint64_t)work->out->snapshot->host_count;
    struct chain chain = {.work = work,
                          .looks = each < work->looks ? each : work->looks,
                          .mends = mends,
                          .first = domain,
                          .most_room_mib = most_room(&work->cluster)};
    const uint64_t given = chain.looks;
    bool found = false;

    assert(work->trail.count == 0);
    for (size_t moves = 2;
         !found && moves <= CHAIN_MAX && chain.looks > 0 && !hopeless(work, domain); moves++) {
        found = place(&chain, domain, moves) || (mends && moves > 2 && detour(&chain, moves));
    }
    work->looks -= given - chain.looks;
    return found;
}
