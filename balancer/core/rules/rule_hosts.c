/* Which hosts a rule names. Names are looked up in a hash, and what a glob or label selects is
 * kept, so that thousands of rules about the same racks cost one scan of the hosts for each rack.
 */
#include "balancer/core/rules/rule_state.h"

#include <assert.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

/* A host by its name. */
struct named {
    uint32_t host;
    UT_hash_handle hh;
};

/* A glob or label and the hosts that it selects, one bit each. */
struct selected {
    uint64_t *hosts;
    UT_hash_handle hh;
};

static void mark(uint64_t *hosts, size_t host)
{
    hosts[host / 64] |= (uint64_t)1 << (host % 64);
}

static bool index_names(struct ek_rule_hosts *index)
{
    const struct ek_snapshot *snapshot = index->snapshot;
    struct named *entries = ek_arena_alloc(index->scratch, snapshot->host_count, sizeof(*entries));
    bool ok = entries != NULL;

    for (size_t h = 0; ok && h < snapshot->host_count; h++) {
        const char *name = snapshot->hosts[h].name;
        entries[h].host = (uint32_t)h;
        HASH_ADD_KEYPTR(hh, index->names, name, strlen(name), &entries[h]);
        ok = entries[h].hh.tbl != NULL;
    }
    return ok;
}

static struct selected *select_hosts(struct ek_rule_hosts *index, const char *selector)
{
    const struct ek_snapshot *snapshot = index->snapshot;
    struct selected *it = NULL;

    HASH_FIND_STR(index->selected, selector, it);
    if (it != NULL) {
        return it;
    }
    it = ek_arena_alloc(index->scratch, 1, sizeof(*it));
    uint64_t *hosts = ek_arena_alloc(index->scratch, ek_rule_hosts_words(snapshot), sizeof(*hosts));
    if (it == NULL || hosts == NULL) {
        return NULL;
    }
    for (size_t h = 0; h < snapshot->host_count; h++) {
        const struct ek_host *host = &snapshot->hosts[h];
        if (ek_selector_matches(selector, host->name, NULL, &host->labels)) {
            mark(hosts, h);
        }
    }
    it->hosts = hosts;
    HASH_ADD_KEYPTR(hh, index->selected, selector, strlen(selector), it);
    return it->hh.tbl == NULL ? NULL : it;
}

bool ek_rule_hosts_mark(struct ek_rule_hosts *index, const struct ek_rule *rule, uint64_t *hosts)
{
    size_t words = ek_rule_hosts_words(index->snapshot);

    if (index->names == NULL && !index_names(index)) {
        return false;
    }
    for (size_t i = 0; i < rule->hosts.count; i++) {
        const char *selector = rule->hosts.items[i];
        if (ek_selector_kind(selector) == EK_SELECT_NAME) {
            struct named *named = NULL;
            HASH_FIND_STR(index->names, selector, named);
            if (named != NULL) {
                assert(named->host < index->snapshot->host_count);
                mark(hosts, named->host);
            }
            continue;
        }
        const struct selected *it = select_hosts(index, selector);
        if (it == NULL) {
            return false;
        }
        for (size_t w = 0; w < words; w++) {
            hosts[w] |= it->hosts[w];
        }
    }
    return true;
}

void ek_rule_hosts_finish(struct ek_rule_hosts *index)
{
    HASH_CLEAR(hh, index->names);
    HASH_CLEAR(hh, index->selected);
}
