#include "balancer/http/series.h"

#include "balancer/codec/history_block.h"
#include "balancer/codec/writer.h"
#include "balancer/view/clock.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Made anew after so long, and after so many times what it took: history has a sample a minute. */
enum { FRESH_MS = 30000, FRESH_COSTS = 20, RESOURCES = 2 };

static const char *const names[RESOURCES] = {[EK_CPU] = "cpu", [EK_MEMORY] = "memory"};

/* All hosts' steps: [(host * RESOURCES + resource) * EK_SERIES_STEPS + step], NAN: no sample. */
struct grid {
    int64_t from_ms;
    int64_t step_ms;
    size_t host_count;
    double *values;
};

struct filling {
    struct grid *grid;
    size_t host;
};

static double *steps_of(const struct grid *grid, size_t host, unsigned int resource)
{
    return &grid->values[(host * RESOURCES + resource) * EK_SERIES_STEPS];
}

/* ---- reading ------------------------------------------------------------------------------- */

static double utilization(const struct ek_sample *sample, enum ek_resource resource)
{
    double host = resource == EK_CPU ? sample->host.cpu_used_cores : sample->host.memory_used_mib;
    double domains = 0;

    for (size_t d = 0; d < sample->domain_count; d++) {
        domains += ek_use(&sample->domains[d], resource);
    }
    return (isnan(host) || domains > host ? domains : host) / ek_capacity(&sample->host, resource);
}

static bool add_sample(const struct filling *filling, const struct ek_history_block *block,
                       size_t index, size_t step, struct ek_error *err)
{
    struct ek_sample sample;

    if (!ek_history_block_sample(block, index, &sample, err)) {
        return false;
    }
    for (unsigned int r = 0; r < RESOURCES; r++) {
        steps_of(filling->grid, filling->host, r)[step] = utilization(&sample, (enum ek_resource)r);
    }
    ek_sample_finish(&sample);
    return true;
}

/* Only the last sample of each step is taken out of the block: that is what costs. */
static bool add_block(void *context, const struct ek_history_block *block, struct ek_error *err)
{
    const struct filling *filling = context;
    const struct grid *grid = filling->grid;
    size_t count = ek_history_block_count(block);

    for (size_t i = 0; i < count; i++) {
        int64_t after_ms = ek_history_block_time_ms(block, i) - grid->from_ms;
        int64_t step = after_ms / grid->step_ms;
        bool last =
            i + 1 == count ||
            (ek_history_block_time_ms(block, i + 1) - grid->from_ms) / grid->step_ms != step;
        if (after_ms >= 0 && step < EK_SERIES_STEPS && last &&
            !add_sample(filling, block, i, (size_t)step, err)) {
            return false;
        }
    }
    return true;
}

static bool may_go_on(const struct ek_series_desk *desk, struct ek_error *err)
{
    return !atomic_load(desk->stopping) ||
           ek_error_set(err, EK_ERR_UNAVAILABLE, "evenkeeld is stopping");
}

static bool fill(struct grid *grid, const struct ek_series_desk *desk, const char *only,
                 struct ek_error *err)
{
    char bad[EK_TEXT_SIZE]; /* one that cannot be read is a gap in the picture */

    for (size_t h = 0, at = 0; h < desk->config->host_count; h++) {
        const char *host = desk->config->hosts[h].name;
        struct filling filling = {.grid = grid, .host = at};
        if (only != NULL && strcmp(only, host) != 0) {
            continue;
        }
        if (!may_go_on(desk, err) ||
            !ek_store_get_history_since(desk->store, host, grid->from_ms, add_block, &filling, bad,
                                        sizeof(bad), err)) {
            return false;
        }
        at++;
    }
    return true;
}

/* ---- writing ------------------------------------------------------------------------------- */

static void write_value(struct ek_json_writer *writer, double value)
{
    if (!isfinite(value)) {
        ek_json_raw(writer, "null");
    } else {
        ek_json_number(writer, round(value * 10000) / 10000); /* a hundredth of a percent */
    }
}

static void write_steps(struct ek_json_writer *writer, const char *key, const double *steps)
{
    ek_json_key(writer, key);
    ek_json_begin(writer, '[');
    for (size_t s = 0; s < EK_SERIES_STEPS; s++) {
        write_value(writer, steps[s]);
    }
    ek_json_end(writer, ']');
}

enum over { IMBALANCE, MEAN, MAX };

/* Over all hosts that have a sample in that step. */
static double over_hosts(const struct grid *grid, unsigned int resource, size_t step,
                         enum over over)
{
    double sum = 0;
    double squares = 0;
    double max = NAN;
    size_t count = 0;

    for (size_t h = 0; h < grid->host_count; h++) {
        double value = steps_of(grid, h, resource)[step];
        if (isfinite(value)) {
            sum += value;
            squares += value * value;
            max = isnan(max) || value > max ? value : max;
            count++;
        }
    }
    if (count == 0 || over == MAX) {
        return max;
    }
    double mean = sum / (double)count;
    double variance = squares / (double)count - mean * mean;
    return over == MEAN ? mean : sqrt(variance > 0 ? variance : 0);
}

static void write_over(struct ek_json_writer *writer, const char *key, const struct grid *grid,
                       enum over over)
{
    double steps[EK_SERIES_STEPS];

    ek_json_break(writer);
    ek_json_key(writer, key);
    ek_json_begin(writer, '{');
    for (unsigned int r = 0; r < RESOURCES; r++) {
        for (size_t s = 0; s < EK_SERIES_STEPS; s++) {
            steps[s] = over_hosts(grid, r, s, over);
        }
        write_steps(writer, names[r], steps);
    }
    ek_json_end(writer, '}');
}

static char *write_grid(const struct grid *grid, const struct ek_config *config, const char *only)
{
    struct ek_json_writer writer = {.text = NULL};

    ek_json_begin(&writer, '{');
    ek_json_put_integer(&writer, "version", 1);
    ek_json_put_integer(&writer, "from_ms", grid->from_ms);
    ek_json_put_integer(&writer, "step_ms", grid->step_ms);
    write_over(&writer, "imbalance", grid, IMBALANCE);
    write_over(&writer, "mean", grid, MEAN);
    write_over(&writer, "max", grid, MAX);
    ek_json_break(&writer);
    ek_json_key(&writer, "hosts");
    ek_json_begin(&writer, '[');
    for (size_t h = 0; grid->host_count <= EK_SERIES_HOSTS && h < grid->host_count; h++) {
        ek_json_break(&writer);
        ek_json_begin(&writer, '{');
        ek_json_put_text(&writer, "name", only != NULL ? only : config->hosts[h].name);
        for (unsigned int r = 0; r < RESOURCES; r++) {
            write_steps(&writer, names[r], steps_of(grid, h, r));
        }
        ek_json_end(&writer, '}');
    }
    ek_json_end(&writer, ']');
    ek_json_end(&writer, '}');
    return ek_json_finish(&writer);
}

/* ---- the desk ------------------------------------------------------------------------------ */

static char *draw(const struct ek_series_desk *desk, const char *only, long hours,
                  struct ek_error *err)
{
    struct grid grid = {.step_ms = hours * 3600000 / EK_SERIES_STEPS,
                        .host_count = only == NULL ? desk->config->host_count : 1};
    size_t count = grid.host_count * RESOURCES * EK_SERIES_STEPS;
    char *text = NULL;

    /* Steps begin at whole multiples, so that the same sample stays in the same step. */
    grid.from_ms =
        (ek_view_clock_ms(CLOCK_REALTIME) / grid.step_ms + 1 - EK_SERIES_STEPS) * grid.step_ms;
    grid.values = calloc(count, sizeof(*grid.values));
    for (size_t i = 0; grid.values != NULL && i < count; i++) {
        grid.values[i] = NAN;
    }
    if (grid.values != NULL && !fill(&grid, desk, only, err)) {
        free(grid.values);
        return NULL;
    }
    text = grid.values == NULL ? NULL : write_grid(&grid, desk->config, only);
    free(grid.values);
    if (text == NULL) {
        (void)ek_error_set(err, EK_ERR_NOMEM, "out of memory for the series");
    }
    return text;
}

/* Of those who queue for a Redis that hangs only one waits for it; at the end none does. */
static char *make(struct ek_series_desk *desk, const char *only, long hours, struct ek_error *err)
{
    if (!may_go_on(desk, err) || !ek_silence_may_ask(&desk->silence, err)) {
        return NULL;
    }
    char *text = draw(desk, only, hours, err);
    ek_silence_asked(&desk->silence, text == NULL ? err : NULL);
    return text;
}

static bool is_fresh(const struct ek_series_desk *desk, long hours, int64_t now_ms)
{
    int64_t costs_ms = FRESH_COSTS * desk->cost_ms;

    return desk->text != NULL && desk->hours == hours &&
           now_ms - desk->made_ms < (costs_ms > FRESH_MS ? costs_ms : FRESH_MS);
}

/* One host costs little and is not kept. */
char *ek_series_write(struct ek_series_desk *desk, const char *host, long hours,
                      struct ek_error *err)
{
    char *text = NULL;

    (void)pthread_mutex_lock(&desk->mutex);
    int64_t begin_ms = ek_view_clock_ms(CLOCK_MONOTONIC);
    if (host != NULL) {
        text = make(desk, host, hours, err);
    } else {
        if (!is_fresh(desk, hours, begin_ms)) {
            free(desk->text);
            desk->text = make(desk, NULL, hours, err);
            desk->hours = hours;
            desk->made_ms = ek_view_clock_ms(CLOCK_MONOTONIC);
            desk->cost_ms = desk->made_ms - begin_ms;
        }
        text = desk->text == NULL ? NULL : strdup(desk->text);
        if (desk->text != NULL && text == NULL) {
            (void)ek_error_set(err, EK_ERR_NOMEM, "out of memory for the series");
        }
    }
    (void)pthread_mutex_unlock(&desk->mutex);
    return text;
}

bool ek_series_open(struct ek_series_desk *desk, const struct ek_config *config,
                    struct ek_store *store, const atomic_bool *stopping, struct ek_error *err)
{
    desk->config = config;
    desk->store = store;
    desk->stopping = stopping;
    if (store == NULL) {
        return ek_error_set(err, EK_ERR_NOMEM, "out of memory for a connection to Redis");
    }
    return pthread_mutex_init(&desk->mutex, NULL) == 0 ||
           ek_error_set(err, EK_ERR_NOMEM, "out of memory for a lock");
}

void ek_series_close(struct ek_series_desk *desk)
{
    free(desk->text);
    ek_store_destroy(desk->store);
    if (desk->config != NULL) {
        (void)pthread_mutex_destroy(&desk->mutex);
    }
}
