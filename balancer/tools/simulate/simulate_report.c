/* Results of simulations for people and for programs. One table for all figures, so that neither
 * form lacks one. */
#include "balancer/tools/simulate/simulate.h"

#include "balancer/codec/writer.h"
#include "balancer/core/plural.h"
#include "balancer/tools/table.h"

#include <inttypes.h>
#include <math.h>

#define MIB_PER_GIB 1024.0

/* ---- figures ------------------------------------------------------------------------------- */

/* A figure of a run; `key` is its member in the document, in the unit that its name says. */
struct figure {
    const char *title;
    const char *key;
    double (*of)(const struct ek_simulate_run *run);
    int decimals;
};

static double moves_per_day(const struct ek_simulate_run *run)
{
    return (double)run->result->move_count / run->result->days;
}

static double moved_gib_per_day(const struct ek_simulate_run *run)
{
    return run->result->moved_mib / MIB_PER_GIB / run->result->days;
}

static double failed(const struct ek_simulate_run *run)
{
    return (double)run->result->failed;
}

static double flaps(const struct ek_simulate_run *run)
{
    return (double)run->result->flaps;
}

static double overload_h(const struct ek_simulate_run *run)
{
    return run->result->overload_h;
}

static double full_h(const struct ek_simulate_run *run)
{
    return run->result->full_h;
}

static double imbalance_h(const struct ek_simulate_run *run)
{
    return run->result->imbalance_h;
}

static double cpu_imbalance(const struct ek_simulate_run *run)
{
    return run->result->cpu_imbalance;
}

static double memory_imbalance(const struct ek_simulate_run *run)
{
    return run->result->memory_imbalance;
}

static double used_hosts(const struct ek_simulate_run *run)
{
    return run->result->used_h / (24 * run->result->days);
}

static double short_h(const struct ek_simulate_run *run)
{
    return run->result->short_h;
}

static double down_h(const struct ek_simulate_run *run)
{
    return run->result->down_h;
}

static const struct figure figures[] = {
    {"moves per day", "moves_per_day", moves_per_day, 1},
    {"moved, GiB per day", "moved_gib_per_day", moved_gib_per_day, 1},
    {"moves that failed", "moves_failed", failed, 0},
    {"flaps", "flaps", flaps, 0},
    {"host-hours overloaded", "overload_host_h", overload_h, 1},
    {"host-hours at 100 % CPU", "full_host_h", full_h, 1},
    {"hours imbalanced", "imbalance_h", imbalance_h, 1},
    {"mean imbalance of CPU", "cpu_imbalance", cpu_imbalance, 3},
    {"mean imbalance of memory", "memory_imbalance", memory_imbalance, 3},
    {"hosts with domains, mean", "used_hosts", used_hosts, 1},
    {"domain-hours short of CPU", "short_domain_h", short_h, 1},
    {"domain-hours not running", "down_domain_h", down_h, 1},
};

enum { FIGURES = sizeof(figures) / sizeof(figures[0]) };

/* ---- for people ---------------------------------------------------------------------------- */

static void add_worst(struct ek_table *table, const struct ek_simulate_run *run)
{
    const struct ek_simulation_domain *worst = &run->result->worst;

    if (worst->domain == EK_NONE) {
        ek_table_cell(table, EK_COLOUR_GOOD, "none");
    } else {
        ek_table_cell(table, EK_COLOUR_NONE, "%s: %.2f h short, %u move%s",
                      run->simulation->domains[worst->domain].name, worst->short_h,
                      (unsigned int)worst->moves, ek_plural(worst->moves));
    }
}

static double limit_of(const struct ek_simulate_run *run, enum ek_resource resource)
{
    double limit =
        resource == EK_CPU ? run->simulation->target_cpu : run->simulation->target_memory;

    return isnan(limit) ? run->policy->target_max[resource] : limit;
}

const char *ek_simulate_terms(const struct ek_simulate_run *run, char out[EK_SIMULATE_TERMS_SIZE])
{
    (void)snprintf(out, EK_SIMULATE_TERMS_SIZE,
                   "overloaded: above %.4g %% of CPU or %.4g %% of memory; imbalanced: above %.4g; "
                   "a flap: back within %.4g min",
                   100 * limit_of(run, EK_CPU), 100 * limit_of(run, EK_MEMORY),
                   run->simulation->imbalance,
                   (double)run->simulation->flap_ms / (double)EK_WORLD_MINUTE_MS);
    return out;
}

static void print_heading(const struct ek_simulate_run *run, FILE *out)
{
    const struct ek_simulation *simulation = run->simulation;
    char terms[EK_SIMULATE_TERMS_SIZE];

    (void)fprintf(
        out, "%zu host%s, %zu domain%s, %.4g days in cycles of %.4g s, seed %" PRIu64 "\n%s\n\n",
        simulation->host_count, ek_plural(simulation->host_count), simulation->domain_count,
        ek_plural(simulation->domain_count), run->result->days, (double)simulation->cycle_ms / 1000,
        simulation->seed, ek_simulate_terms(run, terms));
}

bool ek_simulate_print(const struct ek_simulate_run *runs, size_t count, FILE *out)
{
    struct ek_arena arena = {.newest = NULL};
    struct ek_column *columns = ek_arena_alloc(&arena, count + 1, sizeof(*columns));
    struct ek_table table = {.columns = columns, .column_count = count + 1};

    if (columns == NULL) {
        (void)ek_tool_complain(EK_EXIT_FAILED, "out of memory for a table");
        return false;
    }
    columns[0] = (struct ek_column){"POLICY", false};
    for (size_t r = 0; r < count; r++) {
        columns[r + 1] = (struct ek_column){runs[r].name, true};
    }
    for (size_t f = 0; f < FIGURES; f++) {
        ek_table_cell(&table, EK_COLOUR_NONE, "%s", figures[f].title);
        for (size_t r = 0; r < count; r++) {
            ek_table_number(&table, figures[f].of(&runs[r]), figures[f].decimals);
        }
    }
    ek_table_cell(&table, EK_COLOUR_NONE, "worst domain");
    for (size_t r = 0; r < count; r++) {
        add_worst(&table, &runs[r]);
    }
    print_heading(&runs[0], out);
    bool printed = ek_table_print(&table, out);
    ek_arena_finish(&arena);
    return printed;
}

/* ---- for programs -------------------------------------------------------------------------- */

static void write_worst(struct ek_json_writer *writer, const struct ek_simulate_run *run)
{
    const struct ek_simulation_domain *worst = &run->result->worst;

    if (worst->domain == EK_NONE) {
        return;
    }
    ek_json_key(writer, "worst_domain");
    ek_json_begin(writer, '{');
    ek_json_put_text(writer, "name", run->simulation->domains[worst->domain].name);
    ek_json_put_number(writer, "short_h", worst->short_h);
    ek_json_put_number(writer, "down_h", worst->down_h);
    ek_json_put_integer(writer, "moves", worst->moves);
    ek_json_put_integer(writer, "flaps", worst->flaps);
    ek_json_end(writer, '}');
}

/* What came of all moves that were ordered, by the states in which moves end. */
static void write_outcomes(struct ek_json_writer *writer, const struct ek_world_counters *counters)
{
    ek_json_key(writer, "outcomes");
    ek_json_begin(writer, '{');
    for (int state = 0; state < EK_MOVE_STATE_COUNT; state++) {
        if (counters->ended[state] > 0) {
            ek_json_put_integer(writer, ek_move_state_name((enum ek_move_state)state),
                                (int64_t)counters->ended[state]);
        }
    }
    ek_json_end(writer, '}');
}

struct day {
    int64_t moves;
    double moved_mib;
    double overload_h;
    double full_h;
    double imbalance_h;
};

static void write_day(struct ek_json_writer *writer, const struct day *day)
{
    ek_json_break(writer);
    ek_json_begin(writer, '{');
    ek_json_put_integer(writer, "moves", day->moves);
    ek_json_put_number(writer, "moved_gib", day->moved_mib / MIB_PER_GIB);
    ek_json_put_number(writer, "overload_host_h", day->overload_h);
    ek_json_put_number(writer, "full_host_h", day->full_h);
    ek_json_put_number(writer, "imbalance_h", day->imbalance_h);
    ek_json_end(writer, '}');
}

/* A reading that ends at midnight belongs to the day that ends. */
static void write_days(struct ek_json_writer *writer, const struct ek_simulate_run *run)
{
    const struct ek_simulation_result *result = run->result;
    struct day day = {0};
    int64_t before_ms = 0;

    ek_json_key(writer, "per_day");
    ek_json_begin(writer, '[');
    for (size_t i = 0; i < result->point_count; i++) {
        const struct ek_meter_point *point = &result->points[i];
        double hours = (double)(point->at_ms - before_ms) / (double)EK_WORLD_HOUR_MS;
        day.moves += point->moves;
        day.moved_mib += point->moved_mib;
        day.overload_h += hours * point->overloaded;
        day.full_h += hours * point->full;
        day.imbalance_h += point->cpu_imbalance > run->simulation->imbalance ||
                                   point->memory_imbalance > run->simulation->imbalance
                               ? hours
                               : 0;
        before_ms = point->at_ms;
        bool last =
            i + 1 == result->point_count || (result->points[i + 1].at_ms - 1) / EK_WORLD_DAY_MS !=
                                                (point->at_ms - 1) / EK_WORLD_DAY_MS;
        if (last) {
            write_day(writer, &day);
            day = (struct day){0};
        }
    }
    ek_json_end(writer, ']');
}

static void write_run(struct ek_json_writer *writer, const struct ek_simulate_run *run)
{
    const struct ek_simulation *simulation = run->simulation;
    char digest[20];

    (void)snprintf(digest, sizeof(digest), "%016" PRIx64, run->result->digest);
    ek_json_break(writer);
    ek_json_begin(writer, '{');
    ek_json_put_text(writer, "name", run->name);
    ek_json_put_text(writer, "policy", ek_policy_kind_name(run->policy->kind));
    ek_json_put_integer(writer, "seed", (int64_t)simulation->seed);
    ek_json_put_integer(writer, "hosts", (int64_t)simulation->host_count);
    ek_json_put_integer(writer, "domains", (int64_t)simulation->domain_count);
    ek_json_put_number(writer, "days", run->result->days);
    ek_json_put_seconds(writer, "cycle_s", simulation->cycle_ms);
    ek_json_put_number(writer, "overload_above_cpu", limit_of(run, EK_CPU));
    ek_json_put_number(writer, "overload_above_memory", limit_of(run, EK_MEMORY));
    ek_json_put_number(writer, "imbalance_above", simulation->imbalance);
    ek_json_put_seconds(writer, "flap_s", simulation->flap_ms);
    ek_json_put_integer(writer, "cycles", (int64_t)run->result->counters.cycles);
    ek_json_put_integer(writer, "plans", (int64_t)run->result->counters.plans);
    ek_json_put_integer(writer, "moves", (int64_t)run->result->move_count);
    ek_json_put_text(writer, "digest", digest);
    for (size_t f = 0; f < FIGURES; f++) {
        ek_json_put_number(writer, figures[f].key, figures[f].of(run));
    }
    write_outcomes(writer, &run->result->counters);
    write_worst(writer, run);
    write_days(writer, run);
    ek_json_end(writer, '}');
}

char *ek_simulate_write(const struct ek_simulate_run *runs, size_t count)
{
    struct ek_json_writer writer = {.text = NULL};

    ek_json_begin(&writer, '{');
    ek_json_put_integer(&writer, "version", 1);
    ek_json_key(&writer, "runs");
    ek_json_begin(&writer, '[');
    for (size_t r = 0; r < count; r++) {
        write_run(&writer, &runs[r]);
    }
    ek_json_end(&writer, ']');
    ek_json_end(&writer, '}');
    return ek_json_finish(&writer);
}
