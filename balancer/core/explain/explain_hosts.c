/* What all the hosts are to one domain: which could take it, which is the best of them, and what is
 * in the way of the others. */
#include "balancer/core/explain/explain_replay.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Reasons that one domain is told; hosts with a rarer one are counted with the last of them. A
 * domain has a handful of rules, and each rule is a reason of its own. */
enum { REASONS = 32 };

struct group {
    enum ek_block block;
    uint32_t rule; /* of EK_BLOCK_RULE */
    uint32_t count;
    uint32_t host;
    uint8_t id; /* in the order of finding, as replay->group_of has it */
};

/* The blocked hosts of one scan. */
struct tally {
    struct group groups[REASONS];
    size_t count;
};

/* The most hosts first; kinds and first hosts decide between equals, so that bytes are the same. */
static int compare_groups(const void *left, const void *right)
{
    const struct group *a = left;
    const struct group *b = right;
    int order = (a->count < b->count) - (a->count > b->count);

    order = order != 0 ? order : (a->block > b->block) - (a->block < b->block);
    return order != 0 ? order : (a->host > b->host) - (a->host < b->host);
}

static void count_block(struct ek_replay *replay, uint32_t domain, uint32_t host,
                        enum ek_block block, struct tally *tally)
{
    uint32_t rule =
        block == EK_BLOCK_RULE ? ek_rule_set_block(&replay->cluster.rules, domain, host) : EK_NONE;
    size_t g = 0;

    while (g < tally->count && (tally->groups[g].block != block || tally->groups[g].rule != rule)) {
        g++;
    }
    if (g == REASONS) {
        g--;
    } else if (g == tally->count) {
        tally->groups[tally->count++] = (struct group){block, rule, 0, host, (uint8_t)g};
    }
    tally->groups[g].count++;
    if (replay->group_of != NULL) {
        replay->group_of[host] = (uint8_t)g;
    }
}

/* The hosts of one group by index; NULL: NOMEM. */
static const uint32_t *list_hosts(struct ek_replay *replay, const struct group *group)
{
    uint32_t *hosts = ek_arena_alloc(replay->out, group->count, sizeof(*hosts));
    size_t count = 0;

    for (uint32_t h = 0; hosts != NULL && h < replay->plan->snapshot->host_count; h++) {
        if (replay->group_of[h] == group->id) {
            hosts[count++] = h;
        }
    }
    assert(hosts == NULL || count == group->count);
    return hosts;
}

static bool fill_group(struct ek_replay *replay, uint32_t domain, const struct group *group,
                       struct ek_blocked_hosts *out)
{
    bool list = replay->group_of != NULL;
    bool rule = group->rule != EK_NONE;

    *out = (struct ek_blocked_hosts){
        .block = group->block,
        .rule = rule ? ek_arena_strdup(replay->out,
                                       ek_rule_set_rule(&replay->cluster.rules, group->rule)->name)
                     : NULL,
        .count = group->count,
        .host = group->host,
        .hosts = list ? list_hosts(replay, group) : NULL,
        .text = ek_constraint_explain(&replay->cluster, replay->request->cooldown, domain,
                                      group->host, group->block, replay->out),
    };
    return out->text != NULL && (!rule || out->rule != NULL) && (!list || out->hosts != NULL);
}

/* Numbers are worked out for one host of each reason only: a text for each pair would be most of
 * the work in a large cluster. */
static bool hand_on(struct ek_replay *replay, uint32_t domain, struct tally *tally,
                    struct ek_host_offers *offers)
{
    struct ek_blocked_hosts *blocked = ek_arena_alloc(replay->out, tally->count, sizeof(*blocked));
    bool ok = blocked != NULL;

    assert(tally->count <= REASONS);
    qsort(tally->groups, tally->count, sizeof(tally->groups[0]), compare_groups);
    for (size_t g = 0; ok && g < tally->count; g++) {
        ok = fill_group(replay, domain, &tally->groups[g], &blocked[g]);
    }
    offers->blocked = blocked;
    offers->blocked_count = ok ? tally->count : 0;
    return ok;
}

bool ek_replay_better(const struct ek_replay *replay, uint32_t domain, enum ek_purpose purpose,
                      const struct ek_offer *a, const struct ek_offer *b)
{
    bool by_pay = purpose == EK_PURPOSE_BALANCE;

    if (b->host == EK_NONE) {
        return true;
    }
    if (by_pay && a->rating.pays != b->rating.pays) {
        return a->rating.pays;
    }
    const struct ek_candidate left = {.domain = domain,
                                      .destination = a->host,
                                      .overload_fall = a->rating.overload_fall,
                                      .gain = a->rating.gain,
                                      .worth = a->rating.worth};
    const struct ek_candidate right = {.domain = domain,
                                       .destination = b->host,
                                       .overload_fall = b->rating.overload_fall,
                                       .gain = b->rating.gain,
                                       .worth = b->rating.worth};
    return ek_candidate_better(&replay->search, &left, &right);
}

bool ek_replay_scan(struct ek_replay *replay, uint32_t domain, enum ek_purpose purpose,
                    uint32_t except, const uint32_t *hosts, size_t host_count,
                    struct ek_host_offers *offers, struct ek_error *err)
{
    struct tally tally = {.count = 0};
    size_t looks = hosts == NULL ? replay->plan->snapshot->host_count : host_count;

    *offers = (struct ek_host_offers){.best = {.host = EK_NONE}, .all = hosts == NULL};
    if (replay->group_of != NULL) {
        memset(replay->group_of, REASONS, replay->plan->snapshot->host_count);
    }
    for (size_t i = 0; i < looks; i++) {
        uint32_t host = hosts == NULL ? (uint32_t)i : hosts[i];
        if (host == except || host == replay->cluster.host_of[domain]) {
            continue;
        }
        enum ek_block block =
            ek_constraint_pair(&replay->cluster, replay->request->cooldown, domain, host, purpose);
        if (block != EK_BLOCK_NONE) {
            count_block(replay, domain, host, block, &tally);
            continue;
        }
        struct ek_offer offer = {host, ek_replay_rate(replay, domain, host)};
        offers->best =
            ek_replay_better(replay, domain, purpose, &offer, &offers->best) ? offer : offers->best;
        offers->open++;
    }
    return hand_on(replay, domain, &tally, offers) ||
           ek_error_set(err, EK_ERR_NOMEM, "out of memory while explaining");
}
