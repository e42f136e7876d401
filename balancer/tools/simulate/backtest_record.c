/* From blocks, which come host by host, to what each host and each domain did. */
#define HASH_NONFATAL_OOM 1
#include "balancer/tools/simulate/backtest_record.h"

#include "balancer/core/utilization.h"
#include "balancer/tools/history_file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool no_memory(struct ek_error *err)
{
    return ek_error_set(err, EK_ERR_NOMEM, "out of memory for a history");
}

/* ---- hosts ----------------------------------------------------------------------------------- */

static struct ek_backtest_host *host_of(struct ek_backtest_record *record, const char *name)
{
    struct ek_backtest_host *host = NULL;

    HASH_FIND_STR(record->hosts, name, host);
    if (host != NULL) {
        return host;
    }
    const char *key = ek_history_intern(&record->texts, name);
    host = ek_arena_alloc(&record->arena, 1, sizeof(*host));
    if (host == NULL || key == NULL) {
        return NULL;
    }
    HASH_ADD_KEYPTR(hh, record->hosts, key, strlen(key), host);
    return host->hh.tbl == NULL ? NULL : host;
}

/* NULL: out of memory. */
static struct ek_backtest_stint *stint_of(struct ek_backtest_record *record,
                                          const struct ek_sample *sample)
{
    struct ek_backtest_host *host = host_of(record, sample->host.name);
    struct ek_backtest_stint *stint = host == NULL ? NULL : host->stints;
    int64_t at_ms = sample->taken_at_ms;

    if (host == NULL) {
        return NULL;
    }
    if (stint == NULL || at_ms < stint->first_ms - EK_BACKTEST_PAUSE_MS ||
        at_ms > stint->last_ms + EK_BACKTEST_PAUSE_MS) {
        stint = ek_arena_alloc(&record->arena, 1, sizeof(*stint));
        if (stint == NULL) {
            return NULL;
        }
        *stint = (struct ek_backtest_stint){
            .first_ms = INT64_MAX, .last_ms = INT64_MIN, .host = host, .next = host->stints};
        host->stints = stint;
    }
    if (at_ms < stint->first_ms) {
        const struct ek_history_host facts = {.host = sample->host,
                                              .collector = sample->collector,
                                              .period_ms = (double)sample->period_ms};
        memset(&stint->facts, 0, sizeof(stint->facts));
        if (!ek_facts_copy(&ek_history_hosts, &record->texts, &stint->facts, &facts)) {
            return NULL;
        }
        stint->first_ms = at_ms;
    }
    stint->last_ms = at_ms > stint->last_ms ? at_ms : stint->last_ms;
    stint->samples++;
    return stint;
}

static void add_base(double used, double of_domains, double *sum, size_t *samples)
{
    if (!isnan(used)) {
        *sum += fmax(0, used - of_domains);
        ++*samples;
    }
}

/* What the host uses beside its domains. A sample in which a domain has no rate yet, or is coming
 * in, does not tell: what such a domain uses would be guessed. */
static void add_use(struct ek_backtest_stint *stint, const struct ek_sample *sample)
{
    double cpu = 0;
    double memory = 0;
    bool rates = true;
    bool settled = true;

    for (size_t d = 0; d < sample->domain_count; d++) {
        const struct ek_domain *domain = &sample->domains[d];
        cpu += ek_use(domain, EK_CPU);
        memory += ek_use(domain, EK_MEMORY);
        rates = rates && !isnan(domain->cpu_used_cores);
        settled = settled && !domain->incoming;
    }
    if (rates) {
        add_base(sample->host.cpu_used_cores, cpu, &stint->base_cpu, &stint->cpu_samples);
    }
    if (settled) {
        add_base(sample->host.memory_used_mib, memory, &stint->base_memory, &stint->memory_samples);
    }
}

/* ---- domains --------------------------------------------------------------------------------- */

static struct ek_backtest_domain *domain_of(struct ek_backtest_record *record, const char *uuid)
{
    struct ek_backtest_domain *domain = NULL;

    HASH_FIND_STR(record->domains, uuid, domain);
    if (domain != NULL) {
        return domain;
    }
    const char *key = ek_history_intern(&record->texts, uuid);
    domain = ek_arena_alloc(&record->arena, 1, sizeof(*domain));
    if (domain == NULL || key == NULL) {
        return NULL;
    }
    domain->uuid = key;
    HASH_ADD_KEYPTR(hh, record->domains, key, strlen(key), domain);
    return domain->hh.tbl == NULL ? NULL : domain;
}

/* A gap in which its host was not sampled either tells nothing of the domain. */
static bool goes_on(const struct ek_backtest_stay *stay, const struct ek_backtest_stint *stint,
                    int64_t at_ms)
{
    return stay != NULL && stay->stint == stint && at_ms >= stay->first_ms - EK_BACKTEST_GONE_MS &&
           (at_ms <= stay->last_ms + EK_BACKTEST_GONE_MS || stay->last_ms == stint->host->read_ms);
}

static bool add_stay(struct ek_backtest_record *record, struct ek_backtest_domain *domain,
                     const struct ek_backtest_stint *stint, const struct ek_domain *seen,
                     int64_t at_ms)
{
    struct ek_backtest_stay *stay = domain->stays;

    if (!goes_on(stay, stint, at_ms)) {
        stay = ek_arena_alloc(&record->arena, 1, sizeof(*stay));
        if (stay == NULL) {
            return false;
        }
        *stay = (struct ek_backtest_stay){
            .first_ms = INT64_MAX, .last_ms = INT64_MIN, .stint = stint, .next = domain->stays};
        domain->stays = stay;
        domain->stay_count++;
    }
    if (at_ms < stay->first_ms) {
        memset(&stay->facts, 0, sizeof(stay->facts));
        if (!ek_facts_copy(&ek_history_domains, &record->texts, &stay->facts, seen)) {
            return false;
        }
        stay->facts.dirty_mib_s = seen->dirty_mib_s;
        stay->facts.local_disk_mib = seen->local_disk_mib;
        stay->first_ms = at_ms;
    }
    stay->last_ms = at_ms > stay->last_ms ? at_ms : stay->last_ms;
    return true;
}

/* Between two points of one block a domain may have been elsewhere, but then it has points there.
 */
static bool add_point(struct ek_backtest_domain *domain, const struct ek_load_point *point)
{
    if (domain->count == domain->room) {
        size_t room = 2 * domain->room + 16;
        struct ek_load_point *points = realloc(domain->points, room * sizeof(*points));
        if (points == NULL) {
            return false;
        }
        domain->points = points;
        domain->room = room;
    }
    domain->points[domain->count++] = *point;
    return true;
}

static bool add_domain(struct ek_backtest_record *record, const struct ek_backtest_stint *stint,
                       const struct ek_domain *seen, int64_t at_ms)
{
    const struct ek_load_point point = {
        .at_ms = at_ms,
        .cpu_cores = (float)ek_demand_sampled(seen, EK_CPU),
        .memory_mib = (float)ek_demand_sampled(seen, EK_MEMORY),
    };
    struct ek_backtest_domain *domain = domain_of(record, seen->uuid);

    return domain != NULL && add_stay(record, domain, stint, seen, at_ms) &&
           (isnan(point.cpu_cores) || add_point(domain, &point));
}

/* ---- samples --------------------------------------------------------------------------------- */

/* A copy that comes in is no domain yet: its source has it. */
static bool add_sample(struct ek_backtest_record *record, const struct ek_sample *sample)
{
    struct ek_backtest_stint *stint = stint_of(record, sample);
    bool done = stint != NULL;

    if (done) {
        add_use(stint, sample);
    }
    for (size_t d = 0; done && d < sample->domain_count; d++) {
        done = sample->domains[d].incoming ||
               add_domain(record, stint, &sample->domains[d], sample->taken_at_ms);
    }
    if (done) {
        stint->host->read_ms = sample->taken_at_ms;
    }
    return done;
}

static bool add_block(void *context, const struct ek_history_block *block, struct ek_error *err)
{
    struct ek_backtest_record *record = context;
    bool done = true;

    for (size_t i = 0; done && i < ek_history_block_count(block); i++) {
        struct ek_sample sample;
        done = ek_history_block_sample(block, i, &sample, err);
        if (done) {
            done = add_sample(record, &sample) || no_memory(err);
            ek_sample_finish(&sample);
        }
    }
    return done;
}

bool ek_backtest_record_read(struct ek_backtest_record *record, const char *path,
                             struct ek_error *err)
{
    const struct ek_history_visitor visitor = {.block = add_block, .context = record};

    memset(record, 0, sizeof(*record));
    return ek_history_file_read(path, &visitor, err);
}

void ek_backtest_record_finish(struct ek_backtest_record *record)
{
    for (struct ek_backtest_domain *it = record->domains; it != NULL; it = it->hh.next) {
        free(it->points);
    }
    HASH_CLEAR(hh, record->domains);
    HASH_CLEAR(hh, record->hosts);
    ek_history_texts_finish(&record->texts);
    ek_arena_finish(&record->arena);
    memset(record, 0, sizeof(*record));
}
