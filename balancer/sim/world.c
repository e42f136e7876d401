/* The whole simulation: cluster, hypervisor, journal, collector and the daemon's engine on one
 * queue. The engine and the life of a move are the real ones. */
#include "balancer/sim/world.h"

#include "balancer/sim/world_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* FNV-1a, 64 bits (http://www.isthe.com/chongo/tech/comp/fnv/, public domain). */
#define FNV_BASIS 0xcbf29ce484222325U
#define FNV_PRIME 0x100000001b3U

void ek_world_options_defaults(struct ek_world_options *options)
{
    *options = (struct ek_world_options){.seed = 1,
                                         /* A time of the present (November 2025): code that took 0
                                          * for "never" would be found. */
                                         .begin_ms = 1764000000000,
                                         .cycle_ms = 60000,
                                         .period_ms = 15000,
                                         .noise = 0.02,
                                         .keep_trace = true};
}

/* ---- trace --------------------------------------------------------------------------------- */

/* The digest is of the whole trace, also when the text is not kept: two runs are compared by it. */
static void append(struct ek_world *world, const char *text, size_t length)
{
    struct ek_world_trace *trace = &world->trace;

    for (size_t i = 0; i < length; i++) {
        trace->digest = (trace->digest ^ (unsigned char)text[i]) * FNV_PRIME;
    }
    if (!trace->keep) {
        return;
    }
    if (trace->length + length + 1 > trace->room) {
        size_t room = 2 * (trace->length + length + 1);
        char *bigger = realloc(trace->text, room);
        if (bigger == NULL) {
            world->queue.lost = true;
            return;
        }
        trace->text = bigger;
        trace->room = room;
    }
    memcpy(trace->text + trace->length, text, length);
    trace->length += length;
    trace->text[trace->length] = '\0';
}

/* The trace is what tests compare: whole sentences, so that a difference explains itself. */
void ek_world_say(struct ek_world *world, const char *what, const char *format, ...)
{
    char text[3 * EK_TEXT_SIZE];
    char line[4 * EK_TEXT_SIZE];
    int64_t now_ms = ek_world_now_ms(world);
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    /* Seconds since the beginning, so that traces of one story with another begin are alike. */
    int length = snprintf(line, sizeof(line), "%8lld.%03d %s: %s\n", (long long)(now_ms / 1000),
                          (int)(now_ms % 1000), what, text);
    append(world, line, (size_t)length);
}

const char *ek_world_trace(const struct ek_world *world)
{
    return world->trace.text == NULL ? "" : world->trace.text;
}

uint64_t ek_world_digest(const struct ek_world *world)
{
    return world->trace.digest;
}

/* ---- creating ------------------------------------------------------------------------------ */

struct ek_world *ek_world_create(const struct ek_world_options *options,
                                 const struct ek_policy *policy)
{
    struct ek_world *world = calloc(1, sizeof(*world));

    if (world == NULL) {
        return NULL;
    }
    world->options = *options;
    world->policy = *policy;
    world->queue.now_ms = options->begin_ms;
    world->trace = (struct ek_world_trace){.digest = FNV_BASIS, .keep = options->keep_trace};
    /* 0 is a time at which a move may start. */
    world->counters.last_start_ms = -1;
    ek_sim_cluster_init(&world->cluster, &world->queue);
    ek_sim_migrations_init(&world->migrations, &world->cluster, options->seed);
    ek_sim_hypervisor_init(&world->hypervisor, &world->migrations, options->seed);
    ek_sim_journal_init(&world->journal, options->seed);
    ek_sim_driver_init(&world->driver, &world->hypervisor, &world->journal.port);
    ek_sim_sampler_init(&world->sampler, &world->cluster, options->seed);
    world->sampler.period_ms = options->period_ms;
    world->sampler.noise = options->noise;
    world->sampler.dirty_known = options->dirty_known;
    world->sampler.target_max = policy->target_max[EK_CPU];
    /* Last: the daemon starts at once and talks to all the others. */
    ek_world_daemon_init(world);
    return world;
}

void ek_world_destroy(struct ek_world *world)
{
    if (world == NULL) {
        return;
    }
    ek_engine_destroy(world->engine);
    ek_effects_finish(&world->effects);
    ek_sim_sampler_finish(&world->sampler);
    ek_sim_driver_finish(&world->driver);
    ek_sim_journal_finish(&world->journal);
    ek_sim_hypervisor_finish(&world->hypervisor);
    ek_sim_migrations_finish(&world->migrations);
    ek_sim_cluster_finish(&world->cluster);
    ek_sim_queue_finish(&world->queue);
    free(world->entries);
    free(world->statuses);
    free(world->faults);
    free(world->known);
    ek_kept_finish(&world->kept);
    ek_engine_memory_finish(&world->memory);
    free(world->resolved);
    free(world->trace.text);
    free(world);
}

static bool reserve_host(struct ek_world *world, struct ek_error *err)
{
    size_t count = world->cluster.host_count;

    if (count < world->host_room) {
        return true;
    }
    size_t room = count == 0 ? 8 : 2 * count;
    struct ek_host_entry *entries = realloc(world->entries, room * sizeof(*entries));
    /* Each is kept as soon as it is there: realloc has freed the old one. */
    if (entries != NULL) {
        world->entries = entries;
    }
    struct ek_world_status *statuses = realloc(world->statuses, room * sizeof(*statuses));
    if (statuses != NULL) {
        world->statuses = statuses;
    }
    if (entries == NULL || statuses == NULL) {
        return ek_error_set(err, EK_ERR_NOMEM, "out of memory for a host");
    }
    world->host_room = room;
    return true;
}

/* ---- sampling ------------------------------------------------------------------------------ */

/* Goes on by itself, also while the daemon is dead: its turn is the host's, not the process's. */
static void sample(void *context, uint32_t host, uint32_t ticket)
{
    struct ek_world *world = context;
    struct ek_error err = {0};

    ek_sim_queue_at(&world->queue, world->queue.now_ms + world->options.period_ms, sample, world,
                    host, ticket);
    if (world->engine != NULL && !ek_sim_sampler_read(&world->sampler, host, &err)) {
        ek_world_fail(world, &err);
    }
}

uint32_t ek_world_add_host(struct ek_world *world, const struct ek_sim_host_spec *spec,
                           struct ek_error *err)
{
    if (!reserve_host(world, err)) {
        return EK_NONE;
    }
    uint32_t host = ek_sim_cluster_add_host(&world->cluster, spec, err);
    if (host == EK_NONE) {
        return EK_NONE;
    }
    world->entries[host] = (struct ek_host_entry){.name = world->cluster.hosts[host].name};
    world->statuses[host] = (struct ek_world_status){.shown = false};
    /* The hosts take their turns over the period: 0.618..., the golden ratio, spreads any number.
     */
    double turn = (double)host * 0.6180339887498949;
    turn -= (double)(int64_t)turn;
    ek_sim_queue_at(&world->queue,
                    world->queue.now_ms + (int64_t)(turn * (double)world->options.period_ms),
                    sample, world, host, 0);
    return host;
}

uint32_t ek_world_add_domain(struct ek_world *world, const struct ek_sim_domain_spec *spec,
                             struct ek_error *err)
{
    return ek_sim_cluster_add_domain(&world->cluster, spec, err);
}

/* ---- time ---------------------------------------------------------------------------------- */

int64_t ek_world_now_ms(const struct ek_world *world)
{
    return world->queue.now_ms - world->options.begin_ms;
}

/* Callbacks cannot return errors: they leave them, and here they surface. */
bool ek_world_run_until(struct ek_world *world, int64_t at_ms, struct ek_error *err)
{
    if (!ek_sim_queue_run(&world->queue, world->options.begin_ms + at_ms, err)) {
        return false;
    }
    if (world->cluster.nomem) {
        return ek_error_set(err, EK_ERR_NOMEM, "out of memory for the simulated cluster");
    }
    if (world->failed) {
        *err = world->failure;
    }
    return !world->failed;
}

bool ek_world_run_for(struct ek_world *world, int64_t ms, struct ek_error *err)
{
    return ek_world_run_until(world, ek_world_now_ms(world) + ms, err);
}

/* The first failure: later ones are mostly its consequences. */
void ek_world_fail(struct ek_world *world, const struct ek_error *err)
{
    if (!world->failed) {
        world->failed = true;
        world->failure = *err;
    }
}

/* ---- looking ------------------------------------------------------------------------------- */

struct ek_sim_cluster *ek_world_cluster(struct ek_world *world)
{
    return &world->cluster;
}

struct ek_sim_migrations *ek_world_migrations(struct ek_world *world)
{
    return &world->migrations;
}

struct ek_sim_hypervisor *ek_world_hypervisor(struct ek_world *world)
{
    return &world->hypervisor;
}

struct ek_sim_journal *ek_world_journal(struct ek_world *world)
{
    return &world->journal;
}

struct ek_sim_driver *ek_world_driver(struct ek_world *world)
{
    return &world->driver;
}

struct ek_engine *ek_world_engine(struct ek_world *world)
{
    return world->engine;
}

struct ek_world_counters ek_world_counters(const struct ek_world *world)
{
    /* Some are counted where they arise; here they come together. */
    struct ek_world_counters counters = world->counters;

    counters.moved_mib = world->migrations.moved_mib;
    counters.overload_s = world->sampler.overload_s;
    counters.starved_s = world->sampler.starved_s;
    return counters;
}

uint64_t ek_world_events(const struct ek_world *world)
{
    return world->queue.fired;
}

uint64_t ek_world_seed(const struct ek_world *world)
{
    return world->options.seed;
}

bool ek_world_maintenance_state(const struct ek_world *world, uint32_t host,
                                enum ek_maintenance_state *state)
{
    *state = world->statuses[host].state;
    return world->statuses[host].shown;
}

/* From the balancer's own mistakes to the cluster's state: the first is the better explanation. */
bool ek_world_check(const struct ek_world *world, struct ek_error *err)
{
    if (world->counters.dropped > 0) {
        return ek_error_set(err, EK_ERR_CONFLICT, "the journal refused %llu lives",
                            (unsigned long long)world->counters.dropped);
    }
    if (world->counters.wrong > 0) {
        return ek_error_set(err, EK_ERR_CONFLICT, "%llu outcomes were not the truth",
                            (unsigned long long)world->counters.wrong);
    }
    return ek_sim_cluster_check(&world->cluster, err);
}
