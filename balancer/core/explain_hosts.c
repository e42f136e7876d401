/* What all the hosts are to one domain: which could take it, which is the best of them, and what is
 * in the way of the others. */
#include "balancer/core/explain_replay.h"

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
                        enum ek_block block, struct group *groups, size_t *count)
{
    uint32_t rule =
        block == EK_BLOCK_RULE ? ek_rule_set_block(&replay->cluster.rules, domain, host) : EK_NONE;
    size_t g = 0;

    while (g < *count && (groups[g].block != block || groups[g].rule != rule)) {
        g++;
    }
    if (g == REASONS) {
        g--;
    } else if (g == *count) {
        groups[(*count)++] = (struct group){block, rule, 0, host};
    }
    groups[g].count++;
}

/* Numbers are worked out for one host of each reason only: a text for each pair would be most of
 * the work in a large cluster. */
static bool hand_on(struct ek_replay *replay, uint32_t domain, const struct group *groups,
                    size_t count, struct ek_host_offers *offers)
{
    struct ek_blocked_hosts *blocked = ek_arena_alloc(replay->out, count, sizeof(*blocked));

    for (size_t g = 0; blocked != NULL && g < count; g++) {
        const struct group *it = &groups[g];
        blocked[g] = (struct ek_blocked_hosts){
            .block = it->block,
            .rule = it->rule == EK_NONE ? NULL
                                        : ek_rule_set_rule(&replay->cluster.rules, it->rule)->name,
            .count = it->count,
            .host = it->host,
            .text = ek_constraint_explain(&replay->cluster, replay->request->cooldown, domain,
                                          it->host, it->block, replay->out),
        };
        if (blocked[g].rule != NULL) {
            blocked[g].rule = ek_arena_strdup(replay->out, blocked[g].rule);
        }
        if (blocked[g].text == NULL || (it->rule != EK_NONE && blocked[g].rule == NULL)) {
            return false;
        }
    }
    offers->blocked = blocked;
    offers->blocked_count = count;
    return blocked != NULL;
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
    struct group groups[REASONS];
    size_t count = 0;
    size_t looks = hosts == NULL ? replay->plan->snapshot->host_count : host_count;

    *offers = (struct ek_host_offers){.best = {.host = EK_NONE}, .all = hosts == NULL};
    for (size_t i = 0; i < looks; i++) {
        uint32_t host = hosts == NULL ? (uint32_t)i : hosts[i];
        if (host == except || host == replay->cluster.host_of[domain]) {
            continue;
        }
        enum ek_block block =
            ek_constraint_pair(&replay->cluster, replay->request->cooldown, domain, host, purpose);
        if (block != EK_BLOCK_NONE) {
            count_block(replay, domain, host, block, groups, &count);
            continue;
        }
        struct ek_offer offer = {host, ek_replay_rate(replay, domain, host)};
        offers->best =
            ek_replay_better(replay, domain, purpose, &offer, &offers->best) ? offer : offers->best;
        offers->open++;
    }
    assert(count <= REASONS);
    qsort(groups, count, sizeof(groups[0]), compare_groups);
    return hand_on(replay, domain, groups, count, offers) ||
           ek_error_set(err, EK_ERR_NOMEM, "out of memory while explaining");
}
