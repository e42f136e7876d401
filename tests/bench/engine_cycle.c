/* How long the engine takes for a cycle in which nothing has to move: the usual one of a daemon.
 *
 *   engine_cycle SNAPSHOT POLICY [CYCLES]
 *
 * Feeds the snapshot that often, a period later each time, and prints the median and the longest
 * step in milliseconds, reading not included, and how many moves the cycles started. */
#include "balancer/codec/codec.h"
#include "balancer/config/config.h"
#include "balancer/core/engine/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { PERIOD_MS = 30000, MOST_CYCLES = 1000 };

static _Noreturn void fail(const char *what)
{
    (void)fprintf(stderr, "engine_cycle: %s\n", what);
    exit(2);
}

static char *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "re");
    char *text = NULL;

    if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
        fail("cannot read the snapshot");
    }
    *size = (size_t)ftell(file);
    rewind(file);
    text = malloc(*size);
    if (text == NULL || fread(text, 1, *size, file) != *size) {
        fail("cannot read the snapshot");
    }
    (void)fclose(file);
    return text;
}

static double now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static size_t step(struct ek_engine *engine, const struct ek_event *event)
{
    struct ek_effects effects = {.items = NULL};
    struct ek_error err;
    size_t starts = 0;

    if (!ek_engine_step(engine, event, &effects, &err)) {
        fail(err.message);
    }
    for (size_t i = 0; i < effects.count; i++) {
        starts += effects.items[i].kind == EK_EFFECT_START ? 1 : 0;
    }
    ek_effects_finish(&effects);
    return starts;
}

static int shorter(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;

    return (a > b) - (a < b);
}

int main(int argc, char **argv)
{
    static double took_ms[MOST_CYCLES];
    struct ek_policy policy;
    struct ek_rules rules = {.items = NULL};
    struct ek_error err;
    size_t size = 0;
    size_t starts = 0;
    int cycles = argc > 3 ? atoi(argv[3]) : 20;

    if (argc < 3 || cycles < 1 || cycles > MOST_CYCLES) {
        fail("usage: engine_cycle SNAPSHOT POLICY [CYCLES]");
    }
    if (!ek_policy_read(&policy, &rules, argv[2], NULL, &err)) {
        fail(err.message);
    }
    char *text = read_file(argv[1], &size);
    struct ek_engine *engine = ek_engine_create();
    if (engine == NULL) {
        fail("out of memory");
    }
    (void)step(engine, &(struct ek_event){.kind = EK_EVENT_POLICY, .u.policy = &policy});
    for (int i = 0; i < cycles; i++) {
        struct ek_snapshot snapshot;
        if (!ek_codec_read_snapshot(&snapshot, text, size, argv[1], &err)) {
            fail(err.message);
        }
        snapshot.taken_at_ms = (int64_t)(i + 1) * PERIOD_MS;
        const struct ek_event event = {
            .kind = EK_EVENT_SNAPSHOT, .now_ms = snapshot.taken_at_ms, .u.snapshot = &snapshot};
        double begun = now_ms();
        starts += step(engine, &event);
        took_ms[i] = now_ms() - begun;
    }
    qsort(took_ms, (size_t)cycles, sizeof(*took_ms), shorter);
    (void)printf("median %.2f ms, longest %.2f ms, %zu moves started\n", took_ms[cycles / 2],
                 took_ms[cycles - 1], starts);
    ek_engine_destroy(engine);
    ek_rules_finish(&rules);
    free(text);
    return 0;
}
