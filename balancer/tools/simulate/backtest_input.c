/* From what hosts and domains did to a simulation in which they can do otherwise. */
#define HASH_NONFATAL_OOM 1
#include "balancer/tools/simulate/backtest_input.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A step that is smaller than what is kept tells nothing; it would only cost memory. */
#define CPU_STEP 0.005F
#define MEMORY_STEP 0.5F

/* Samples without a pause of a day between them. */
struct stretch {
    int64_t first_ms;
    int64_t last_ms;
    size_t samples;
};

/* What the parts of a simulation are made by. */
struct making {
    struct ek_backtest_input *input;
    struct stretch stretch;
    int64_t step_ms;               /* from one sample of a host to the next, on the average */
    int64_t slack_ms;              /* a gap that is no longer is none */
    struct ek_world_fault *events; /* the simulation's faults, while they are made */
};

/* A domain from a start to an end. */
struct life {
    int64_t first_ms;
    int64_t last_ms;
    bool from_begin; /* it was there when its host was first seen */
    bool to_end;     /* and still when its host was seen last */
};

static bool no_memory(struct ek_error *err)
{
    return ek_error_set(err, EK_ERR_NOMEM, "out of memory for a history");
}

/* ---- which samples --------------------------------------------------------------------------- */

static int compare_stints(const void *a, const void *b)
{
    const struct ek_backtest_stint *left = *(struct ek_backtest_stint *const *)a;
    const struct ek_backtest_stint *right = *(struct ek_backtest_stint *const *)b;

    return left->first_ms == right->first_ms ? 0 : left->first_ms < right->first_ms ? -1 : 1;
}

/* All stints by their beginnings; NULL: out of memory. */
static struct ek_backtest_stint **stints_of(struct ek_backtest_input *input, size_t *count)
{
    *count = 0;
    for (struct ek_backtest_host *host = input->record.hosts; host != NULL; host = host->hh.next) {
        for (struct ek_backtest_stint *it = host->stints; it != NULL; it = it->next) {
            ++*count;
        }
    }
    struct ek_backtest_stint **stints =
        ek_arena_alloc(&input->arena, *count + 1, sizeof(struct ek_backtest_stint *));
    size_t filled = 0;
    for (struct ek_backtest_host *host = input->record.hosts; stints != NULL && host != NULL;
         host = host->hh.next) {
        for (struct ek_backtest_stint *it = host->stints; it != NULL; it = it->next) {
            stints[filled++] = it;
        }
    }
    if (stints != NULL) {
        qsort(stints, *count, sizeof(struct ek_backtest_stint *), compare_stints);
    }
    return stints;
}

static bool within(const struct making *making, const struct ek_backtest_stint *stint)
{
    return stint->first_ms >= making->stretch.first_ms && stint->last_ms <= making->stretch.last_ms;
}

/* How often hosts are sampled, and what is left out. */
static void measure(struct making *making, struct ek_backtest_stint *const *stints, size_t count)
{
    struct ek_backtest_input *input = making->input;
    double time_ms = 0;
    double steps = 0;

    input->left_first_ms = INT64_MAX;
    input->left_last_ms = INT64_MIN;
    for (size_t i = 0; i < count; i++) {
        const struct ek_backtest_stint *it = stints[i];
        if (within(making, it)) {
            input->samples += it->samples;
            time_ms += (double)(it->last_ms - it->first_ms);
            steps += (double)(it->samples - 1);
        } else {
            input->left_out += it->samples;
            input->left_first_ms =
                it->first_ms < input->left_first_ms ? it->first_ms : input->left_first_ms;
            input->left_last_ms =
                it->last_ms > input->left_last_ms ? it->last_ms : input->left_last_ms;
        }
    }
    int64_t step_ms = steps > 0 ? (int64_t)(time_ms / steps) : 0;
    making->step_ms = step_ms > input->simulation.cycle_ms ? step_ms : input->simulation.cycle_ms;
    making->slack_ms =
        2 * making->step_ms > EK_BACKTEST_GONE_MS ? 2 * making->step_ms : EK_BACKTEST_GONE_MS;
}

/* The stretch with most samples. */
static bool choose(struct making *making)
{
    size_t count = 0;
    struct ek_backtest_stint **stints = stints_of(making->input, &count);
    struct stretch it = {.samples = 0};

    for (size_t i = 0; stints != NULL && i < count; i++) {
        if (it.samples == 0 || stints[i]->first_ms > it.last_ms + EK_BACKTEST_PAUSE_MS) {
            it = (struct stretch){.first_ms = stints[i]->first_ms, .last_ms = stints[i]->last_ms};
        }
        it.last_ms = stints[i]->last_ms > it.last_ms ? stints[i]->last_ms : it.last_ms;
        it.samples += stints[i]->samples;
        making->stretch = it.samples >= making->stretch.samples ? it : making->stretch;
    }
    if (stints != NULL) {
        measure(making, stints, count);
    }
    return stints != NULL;
}

/* ---- hosts ----------------------------------------------------------------------------------- */

/* The facts of the first of its stints; what it used beside its domains in all of them. */
static bool take_host(const struct making *making, const struct ek_backtest_host *host,
                      struct ek_sim_host_spec *spec)
{
    const struct ek_backtest_stint *first = NULL;
    double cpu = 0;
    double memory = 0;
    double cpu_samples = 0;
    double memory_samples = 0;

    for (const struct ek_backtest_stint *it = host->stints; it != NULL; it = it->next) {
        if (!within(making, it)) {
            continue;
        }
        first = first == NULL || it->first_ms < first->first_ms ? it : first;
        cpu += it->base_cpu;
        memory += it->base_memory;
        cpu_samples += (double)it->cpu_samples;
        memory_samples += (double)it->memory_samples;
    }
    if (first != NULL) {
        const struct ek_host *facts = &first->facts.host;
        *spec = (struct ek_sim_host_spec){.name = facts->name,
                                          .cpu_cores = facts->cpu_cores,
                                          .memory_mib = facts->memory_mib,
                                          .link_in_mib_s = facts->migration_mib_s,
                                          .link_out_mib_s = facts->migration_mib_s,
                                          .base_cpu_cores = cpu / fmax(1, cpu_samples),
                                          .base_memory_mib = memory / fmax(1, memory_samples),
                                          .like = facts};
    }
    return first != NULL;
}

static bool make_hosts(const struct making *making)
{
    struct ek_backtest_input *input = making->input;
    struct ek_sim_host_spec *specs =
        ek_arena_alloc(&input->arena, HASH_COUNT(input->record.hosts), sizeof(*specs));
    uint32_t count = 0;

    for (struct ek_backtest_host *host = input->record.hosts; specs != NULL && host != NULL;
         host = host->hh.next) {
        host->index = count;
        count += take_host(making, host, &specs[count]) ? 1 : 0;
    }
    input->simulation.hosts = specs;
    input->simulation.host_count = count;
    return specs != NULL;
}

/* ---- loads ----------------------------------------------------------------------------------- */

static int compare_points(const void *a, const void *b)
{
    const struct ek_load_point *left = a;
    const struct ek_load_point *right = b;

    return left->at_ms == right->at_ms ? 0 : left->at_ms < right->at_ms ? -1 : 1;
}

static bool same_load(const struct ek_load_point *a, const struct ek_load_point *b)
{
    bool same_memory = (isnan(a->memory_mib) && isnan(b->memory_mib)) ||
                       fabsf(a->memory_mib - b->memory_mib) < MEMORY_STEP;

    return fabsf(a->cpu_cores - b->cpu_cores) < CPU_STEP && same_memory;
}

/* By time, since hosts come one after the other; without points that change nothing. */
static void tidy(struct ek_backtest_domain *domain, const struct stretch *stretch)
{
    size_t kept = 0;

    if (domain->count > 0) {
        qsort(domain->points, domain->count, sizeof(*domain->points), compare_points);
    }
    for (size_t i = 0; i < domain->count; i++) {
        struct ek_load_point point = domain->points[i];
        if (point.at_ms < stretch->first_ms || point.at_ms > stretch->last_ms) {
            continue;
        }
        point.at_ms -= stretch->first_ms;
        if (kept > 0 && point.at_ms == domain->points[kept - 1].at_ms) {
            continue; /* two hosts told of it at once */
        }
        if (kept == 0 || !same_load(&point, &domain->points[kept - 1])) {
            domain->points[kept++] = point;
        }
    }
    domain->count = kept;
}

/* ---- lives ----------------------------------------------------------------------------------- */

static int compare_stays(const void *a, const void *b)
{
    const struct ek_backtest_stay *left = *(const struct ek_backtest_stay *const *)a;
    const struct ek_backtest_stay *right = *(const struct ek_backtest_stay *const *)b;

    return left->first_ms == right->first_ms ? 0 : left->first_ms < right->first_ms ? -1 : 1;
}

/* Those that are played, by time, into `stays`, which has room for all. */
static size_t gather(const struct making *making, const struct ek_backtest_domain *domain,
                     const struct ek_backtest_stay **stays)
{
    size_t count = 0;

    for (const struct ek_backtest_stay *it = domain->stays; it != NULL; it = it->next) {
        if (within(making, it->stint)) {
            stays[count++] = it;
        }
    }
    if (count > 0) {
        qsort(stays, count, sizeof(const struct ek_backtest_stay *), compare_stays);
    }
    return count;
}

/* What one stay says of a life. A domain that is in its host's first sample, or last one, was there
 * before, or is there still. */
static struct life life_of(const struct making *making, const struct ek_backtest_stay *stay)
{
    const struct ek_backtest_stint *stint = stay->stint;

    return (struct life){.first_ms = stay->first_ms,
                         .last_ms = stay->last_ms,
                         .from_begin =
                             stay->first_ms == stint->first_ms &&
                             stint->first_ms <= making->stretch.first_ms + making->slack_ms,
                         .to_end = stay->last_ms == stint->last_ms &&
                                   stint->last_ms >= making->stretch.last_ms - making->slack_ms};
}

/* The life that begins with that stay; returns the first stay that is none of it: a domain that is
 * moved goes on elsewhere. */
static size_t live(const struct making *making, const struct ek_backtest_stay *const *stays,
                   size_t from, size_t count, struct life *life)
{
    *life = life_of(making, stays[from]);
    for (from++; from < count && stays[from]->first_ms <= life->last_ms + making->slack_ms;
         from++) {
        const struct life more = life_of(making, stays[from]);
        if (more.last_ms >= life->last_ms) {
            life->last_ms = more.last_ms;
            life->to_end = more.to_end;
        }
        life->from_begin = life->from_begin || more.from_begin;
    }
    return from;
}

/* Starts and ends, but for those of the history. The last sample is played as long as any. */
static void add_life(const struct making *making, uint32_t domain, const struct life *life)
{
    struct ek_simulation *simulation = &making->input->simulation;
    int64_t begin_ms = making->stretch.first_ms;
    int64_t end_ms = life->last_ms + making->step_ms;

    if (!life->from_begin) {
        making->events[simulation->fault_count++] =
            (struct ek_world_fault){EK_WORLD_GUEST_START, domain, life->first_ms - begin_ms,
                                    life->to_end ? 0 : end_ms - life->first_ms};
    } else if (!life->to_end) {
        making->events[simulation->fault_count++] =
            (struct ek_world_fault){EK_WORLD_GUEST_OFF, domain, end_ms - begin_ms, 0};
    }
}

/* ---- domains --------------------------------------------------------------------------------- */

static struct ek_sim_domain_spec spec_of(const struct ek_backtest_domain *domain,
                                         const struct ek_backtest_stay *first)
{
    const struct ek_domain *facts = &first->facts;
    const struct ek_load_point *point = domain->count > 0 ? &domain->points[0] : NULL;
    double memory_mib =
        point != NULL && point->memory_mib > 0 ? (double)point->memory_mib : facts->memory_mib;

    return (struct ek_sim_domain_spec){.name = facts->name != NULL ? facts->name : facts->uuid,
                                       .uuid = facts->uuid,
                                       .host = first->stint->host->index,
                                       .vcpus = facts->vcpus,
                                       .memory_mib = facts->memory_mib,
                                       .rss_mib = fmin(memory_mib, facts->memory_mib),
                                       .dirty_mib_s = facts->dirty_mib_s,
                                       .like = facts};
}

/* The domain, its load and its lives; `stays` has room for all of its. */
static void make_domain(const struct making *making, struct ek_backtest_domain *domain,
                        const struct ek_backtest_stay **stays, struct ek_sim_domain_spec *specs,
                        struct ek_load_track *tracks)
{
    struct ek_simulation *simulation = &making->input->simulation;
    size_t count = gather(making, domain, stays);
    uint32_t index = (uint32_t)simulation->domain_count;

    if (count == 0) {
        return;
    }
    tidy(domain, &making->stretch);
    specs[index] = spec_of(domain, stays[0]);
    tracks[index] = (struct ek_load_track){domain->points, domain->count};
    for (size_t from = 0; from < count;) {
        struct life life;
        bool first = from == 0;
        from = live(making, stays, from, count, &life);
        specs[index].off = first ? !life.from_begin : specs[index].off;
        add_life(making, index, &life);
    }
    simulation->domain_count++;
}

static bool make_domains(struct making *making)
{
    struct ek_backtest_input *input = making->input;
    struct ek_backtest_record *record = &input->record;
    size_t count = HASH_COUNT(record->domains);
    size_t all = 0;
    size_t most = 0;

    for (struct ek_backtest_domain *it = record->domains; it != NULL; it = it->hh.next) {
        all += it->stay_count;
        most = it->stay_count > most ? it->stay_count : most;
    }
    struct ek_sim_domain_spec *specs = ek_arena_alloc(&input->arena, count, sizeof(*specs));
    struct ek_load_track *tracks = ek_arena_alloc(&input->arena, count, sizeof(*tracks));
    making->events = ek_arena_alloc(&input->arena, all, sizeof(*making->events));
    const struct ek_backtest_stay **stays =
        ek_arena_alloc(&input->arena, most, sizeof(const struct ek_backtest_stay *));
    if (specs == NULL || tracks == NULL || making->events == NULL || stays == NULL) {
        return false;
    }
    input->simulation.domains = specs;
    input->simulation.faults = making->events;
    for (struct ek_backtest_domain *it = record->domains; it != NULL; it = it->hh.next) {
        make_domain(making, it, stays, specs, tracks);
    }
    input->series = (struct ek_load_series){
        .tracks = tracks, .track_count = (uint32_t)input->simulation.domain_count};
    input->load = ek_load_series(&input->series);
    input->simulation.load = &input->load;
    return true;
}

/* ---- whole ----------------------------------------------------------------------------------- */

bool ek_backtest_read(struct ek_backtest_input *input, const char *path, int64_t cycle_ms,
                      struct ek_error *err)
{
    struct making making = {.input = input};
    struct ek_simulation *simulation = &input->simulation;

    memset(input, 0, sizeof(*input));
    ek_simulation_defaults(simulation);
    simulation->cycle_ms = cycle_ms;
    simulation->noise = 0; /* the samples have theirs */
    if (!ek_backtest_record_read(&input->record, path, err)) {
        return false;
    }
    if (!choose(&making)) {
        return no_memory(err);
    }
    int64_t duration_ms = making.stretch.last_ms - making.stretch.first_ms;
    if (input->record.domains == NULL || duration_ms < 2 * cycle_ms) {
        return ek_error_set(err, EK_ERR_INVALID,
                            "%s: found %s, expected domains over %lld s or more", path,
                            input->record.domains == NULL ? "no domain" : "less time",
                            (long long)(2 * cycle_ms / 1000));
    }
    simulation->begin_ms = making.stretch.first_ms;
    simulation->duration_ms = duration_ms / cycle_ms * cycle_ms;
    return (make_hosts(&making) && make_domains(&making)) || no_memory(err);
}

void ek_backtest_finish(struct ek_backtest_input *input)
{
    ek_backtest_record_finish(&input->record);
    ek_arena_finish(&input->arena);
    memset(input, 0, sizeof(*input));
}
