/* From a simulation's description to its result: the world is filled, time passes interval by
 * interval, the referee's readings are summed up. */
#include "balancer/sim/simulation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define HOUR_MS ((double)EK_WORLD_HOUR_MS)

/* What is known while it runs. */
struct run {
    const struct ek_simulation *simulation;
    struct ek_world *world;
    struct ek_meter meter;
    struct ek_simulation_result *out;
    size_t move_room;
    size_t moves_read; /* so many are in the readings so far */
    bool nomem;
};

void ek_simulation_defaults(struct ek_simulation *simulation)
{
    struct ek_world_options world;

    ek_world_options_defaults(&world);
    *simulation =
        (struct ek_simulation){.seed = world.seed,
                               /* Midnight; it is a Monday's. */
                               .begin_ms = world.begin_ms - world.begin_ms % EK_WORLD_DAY_MS,
                               .duration_ms = 7 * EK_WORLD_DAY_MS,
                               .cycle_ms = EK_WORLD_MINUTE_MS,
                               .noise = world.noise,
                               .restart_ms = 10 * EK_WORLD_MINUTE_MS,
                               .target_cpu = NAN,
                               .target_memory = NAN,
                               .imbalance = 0.10,
                               .flap_ms = 2 * EK_WORLD_HOUR_MS};
}

/* ---- moves --------------------------------------------------------------------------------- */

/* Whether the domain left that host lately. From behind: moves stand in the order of time, and only
 * those within the window are looked at. */
static bool came_back(const struct run *run, const struct ek_simulation_move *move)
{
    for (size_t i = run->out->move_count; i > 0; i--) {
        const struct ek_simulation_move *earlier = &run->out->moves[i - 1];
        if (move->at_ms - earlier->at_ms > run->simulation->flap_ms) {
            return false;
        }
        if (earlier->domain == move->domain && earlier->source == move->destination) {
            return true;
        }
    }
    return false;
}

static void move_ended(void *context, const struct ek_outcome *outcome)
{
    struct run *run = context;
    struct ek_simulation_result *out = run->out;
    const struct ek_sim_cluster *cluster = ek_world_cluster(run->world);

    if (outcome->state != EK_MOVE_DONE) {
        /* One that was called off, or whose guest ended by itself, is no failure. */
        bool failed = outcome->state != EK_MOVE_CANCELLED && outcome->state != EK_MOVE_GUEST_OFF;
        out->failed += failed ? 1 : 0;
        return;
    }
    if (ek_move_stops(outcome->kind)) {
        return; /* it ended where it was: no move */
    }
    if (out->move_count == run->move_room) {
        size_t room = run->move_room == 0 ? 256 : 2 * run->move_room;
        struct ek_simulation_move *moves = realloc(out->moves, room * sizeof(*moves));
        if (moves == NULL) {
            run->nomem = true;
            return;
        }
        out->moves = moves;
        run->move_room = room;
    }
    struct ek_simulation_move move = {
        .at_ms = ek_world_now_ms(run->world),
        .domain = ek_sim_cluster_find_domain(cluster, outcome->domain),
        .source = ek_sim_cluster_find_host(cluster, outcome->source),
        .destination = ek_sim_cluster_find_host(cluster, outcome->destination)};
    move.back = came_back(run, &move);
    out->flaps += move.back ? 1 : 0;
    out->moves[out->move_count++] = move;
}

/* ---- the world ----------------------------------------------------------------------------- */

static struct ek_world *create(struct run *run, const struct ek_policy *policy)
{
    const struct ek_simulation *simulation = run->simulation;
    struct ek_policy acting = *policy;
    struct ek_world_options options;

    ek_world_options_defaults(&options);
    options.seed = simulation->seed;
    options.begin_ms = simulation->begin_ms;
    options.cycle_ms = simulation->cycle_ms;
    options.period_ms = simulation->cycle_ms;
    options.noise = simulation->noise;
    options.keep_trace = false;
    options.restart_ms = simulation->restart_ms;
    options.ended = move_ended;
    options.context = run;
    /* What would be done is the question; a policy that only recommends would do nothing. */
    acting.mode = EK_MODE_AUTOMATIC;
    return ek_world_create(&options, &acting);
}

static bool fill(struct run *run, struct ek_error *err)
{
    const struct ek_simulation *simulation = run->simulation;
    bool ok = true;

    for (size_t h = 0; ok && h < simulation->host_count; h++) {
        ok = ek_world_add_host(run->world, &simulation->hosts[h], err) != EK_NONE;
    }
    for (size_t d = 0; ok && d < simulation->domain_count; d++) {
        struct ek_sim_domain_spec spec = simulation->domains[d];
        spec.load = simulation->load != NULL ? simulation->load : spec.load;
        ok = ek_world_add_domain(run->world, &spec, err) != EK_NONE;
    }
    for (size_t f = 0; ok && f < simulation->fault_count; f++) {
        ok = ek_world_fault(run->world, &simulation->faults[f], err);
    }
    return ok;
}

static bool begin(struct run *run, const struct ek_policy *policy, struct ek_error *err)
{
    const struct ek_simulation *simulation = run->simulation;
    double target_cpu = simulation->target_cpu;
    double target_memory = simulation->target_memory;
    size_t points = (size_t)(simulation->duration_ms / simulation->cycle_ms) + 1;

    run->world = create(run, policy);
    run->out->points = calloc(points, sizeof(*run->out->points));
    if (run->world == NULL || run->out->points == NULL) {
        return ek_error_set(err, EK_ERR_NOMEM, "out of memory for a simulation");
    }
    return fill(run, err) &&
           ek_meter_init(&run->meter, ek_world_cluster(run->world),
                         isnan(target_cpu) ? policy->target_max[EK_CPU] : target_cpu,
                         isnan(target_memory) ? policy->target_max[EK_MEMORY] : target_memory, err);
}

/* ---- time ---------------------------------------------------------------------------------- */

static void take_reading(struct run *run)
{
    struct ek_simulation_result *out = run->out;
    struct ek_meter_point *point = &out->points[out->point_count];
    double moved_mib = ek_world_counters(run->world).moved_mib;
    int64_t begin_ms = run->meter.read_ms;

    ek_meter_read(&run->meter, point);
    double hours = (double)(run->meter.read_ms - begin_ms) / HOUR_MS;
    point->moves = (uint32_t)(out->move_count - run->moves_read);
    run->moves_read = out->move_count;
    point->moved_mib = moved_mib - out->moved_mib;
    out->moved_mib = moved_mib;
    out->on_h += hours * point->on;
    out->used_h += hours * point->used;
    out->overload_h += hours * point->overloaded;
    out->full_h += hours * point->full;
    bool imbalanced = point->cpu_imbalance > run->simulation->imbalance ||
                      point->memory_imbalance > run->simulation->imbalance;
    out->imbalance_h += imbalanced ? hours : 0;
    out->cpu_imbalance += point->cpu_imbalance;
    out->memory_imbalance += point->memory_imbalance;
    out->point_count++;
}

static bool pass(struct run *run, struct ek_error *err)
{
    const struct ek_simulation *simulation = run->simulation;

    for (int64_t at_ms = 0; at_ms < simulation->duration_ms;) {
        at_ms += simulation->cycle_ms;
        at_ms = at_ms < simulation->duration_ms ? at_ms : simulation->duration_ms;
        if (!ek_world_run_until(run->world, at_ms, err)) {
            return false;
        }
        take_reading(run);
        if (simulation->tick != NULL) {
            simulation->tick(simulation->context, &run->meter,
                             &run->out->points[run->out->point_count - 1]);
        }
    }
    return !run->nomem || ek_error_set(err, EK_ERR_NOMEM, "out of memory for a simulation's moves");
}

/* ---- the result ---------------------------------------------------------------------------- */

static struct ek_simulation_domain domain_result(const struct run *run, uint32_t index)
{
    const struct ek_sim_cluster *cluster = ek_world_cluster(run->world);
    const struct ek_sim_domain *it = &cluster->domains[index];
    int64_t stopped_ms = it->stopped_at_ms != 0 ? cluster->queue->now_ms - it->stopped_at_ms : 0;

    return (struct ek_simulation_domain){.domain = index,
                                         .short_h = run->meter.domains[index].short_ms / HOUR_MS,
                                         .down_h =
                                             (double)(it->stopped_total_ms + stopped_ms) / HOUR_MS};
}

static void sum_domains(struct run *run)
{
    struct ek_simulation_result *out = run->out;

    out->worst = (struct ek_simulation_domain){.domain = EK_NONE};
    for (uint32_t d = 0; d < run->meter.domain_count; d++) {
        struct ek_simulation_domain domain = domain_result(run, d);
        out->short_h += domain.short_h;
        out->down_h += domain.down_h;
        if (domain.short_h > out->worst.short_h) {
            out->worst = domain;
        }
    }
    for (size_t i = 0; i < out->move_count; i++) {
        bool of_worst = out->moves[i].domain == out->worst.domain;
        out->worst.moves += of_worst ? 1 : 0;
        out->worst.flaps += of_worst && out->moves[i].back ? 1 : 0;
    }
}

static void sum_up(struct run *run)
{
    struct ek_simulation_result *out = run->out;
    double points = (double)(out->point_count > 0 ? out->point_count : 1);

    out->counters = ek_world_counters(run->world);
    out->digest = ek_world_digest(run->world);
    out->days = (double)run->simulation->duration_ms / (double)EK_WORLD_DAY_MS;
    out->cpu_imbalance /= points;
    out->memory_imbalance /= points;
    sum_domains(run);
}

bool ek_simulate(struct ek_simulation_result *out, const struct ek_simulation *simulation,
                 const struct ek_policy *policy, struct ek_error *err)
{
    struct ek_simulation_result result = {.points = NULL};
    struct run run = {.simulation = simulation, .out = &result};

    bool ok = begin(&run, policy, err) && pass(&run, err) && ek_world_check(run.world, err);
    if (ok) {
        sum_up(&run);
        *out = result;
    } else {
        ek_simulation_finish(&result);
    }
    ek_meter_finish(&run.meter);
    ek_world_destroy(run.world);
    return ok;
}

void ek_simulation_finish(struct ek_simulation_result *result)
{
    free(result->points);
    free(result->moves);
    memset(result, 0, sizeof(*result));
}
