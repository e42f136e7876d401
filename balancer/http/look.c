#include "balancer/http/look.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A look is fresh for a second, and for so many times as long as it took, but never when it is
 * older than that. */
enum { FRESH_MS = 1000, FRESH_COSTS = 10, OLD_MS = 10000 };

static int64_t steady_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void finish(struct ek_look *look)
{
    ek_evaluation_finish(&look->evaluation);
    free(look->blocking);
    ek_view_finish(&look->view);
    memset(look, 0, sizeof(*look));
}

/* The daemon refuses a file that cannot be read and keeps what is in force; so do we. */
static void read_policy(struct ek_look_desk *desk)
{
    struct ek_policy policy;
    struct ek_rules rules = {.items = NULL};
    struct ek_error err;

    if (ek_config_read_policy(&policy, &rules, desk->config, NULL, &err)) {
        ek_rules_finish(&desk->rules);
        desk->rules = rules;
        desk->policy = policy;
        desk->policy.rules = &desk->rules;
    } else {
        desk->log(EK_LOG_WARNING, err.message);
    }
}

/* Single samples that cannot be read: the balancer says so in every cycle. */
static void pass_over(void *context, const char *text)
{
    (void)context;
    (void)text;
}

static bool take(struct ek_look_desk *desk, struct ek_look *look, struct ek_error *err)
{
    const struct ek_view_source source = {
        .store = desk->store, .config = desk->config, .warn = pass_over};
    struct ek_arena *arena = &look->view.arena;

    memset(look, 0, sizeof(*look));
    if (!ek_view_read(&look->view, &source, err)) {
        return false;
    }
    look->maintenance =
        ek_view_read_maintenance(desk->store, desk->config, look->view.maintenance, arena, err);
    look->allocated = ek_view_allocations(&look->view.snapshot, arena);
    bool done = look->maintenance != NULL &&
                (look->allocated != NULL || ek_error_set(err, EK_ERR_NOMEM, "out of memory")) &&
                ek_view_read_balancer(desk->store, &look->balancer, &look->has_balancer, err) &&
                ek_store_blocking_moves(desk->store, &look->blocking, &look->blocking_count, err) &&
                ek_evaluate(&look->evaluation, &look->view.snapshot, &desk->policy, err);
    if (!done) {
        finish(look);
    }
    return done;
}

static bool is_fresh(const struct ek_look_desk *desk, int64_t now_ms)
{
    int64_t costs_ms = FRESH_COSTS * desk->cost_ms;
    int64_t fresh_ms = costs_ms < FRESH_MS ? FRESH_MS : costs_ms < OLD_MS ? costs_ms : OLD_MS;

    return desk->there && now_ms - desk->taken_ms < fresh_ms;
}

/* Takes the desk; false with the reason when it is no use to ask now. */
static bool take_desk(struct ek_look_desk *desk, struct ek_error *err)
{
    (void)pthread_mutex_lock(&desk->mutex);
    return ek_silence_may_ask(&desk->silence, err);
}

const struct ek_look *ek_look_take(struct ek_look_desk *desk, struct ek_error *err)
{
    if (!take_desk(desk, err)) {
        return NULL;
    }
    int64_t begin_ms = steady_ms();
    if (!is_fresh(desk, begin_ms)) {
        if (desk->there) {
            finish(&desk->look);
        }
        if (!atomic_exchange(&desk->policy_is_read, true)) {
            read_policy(desk);
        }
        desk->there = take(desk, &desk->look, err);
        desk->taken_ms = steady_ms();
        desk->cost_ms = desk->taken_ms - begin_ms;
    }
    return desk->there ? &desk->look : NULL;
}

struct ek_store *ek_look_store(struct ek_look_desk *desk, struct ek_error *err)
{
    return take_desk(desk, err) ? desk->store : NULL;
}

void ek_look_give(struct ek_look_desk *desk, const struct ek_error *failure)
{
    ek_silence_asked(&desk->silence, failure);
    (void)pthread_mutex_unlock(&desk->mutex);
}

void ek_look_forget_policy(struct ek_look_desk *desk)
{
    atomic_store(&desk->policy_is_read, false);
}

bool ek_look_open(struct ek_look_desk *desk, const struct ek_config *config, struct ek_store *store,
                  void (*log)(enum ek_log_level level, const char *text), struct ek_error *err)
{
    desk->config = config;
    desk->store = store;
    desk->log = log;
    ek_policy_defaults(&desk->policy);
    if (store == NULL) {
        return ek_error_set(err, EK_ERR_NOMEM, "out of memory for a connection to Redis");
    }
    return pthread_mutex_init(&desk->mutex, NULL) == 0 ||
           ek_error_set(err, EK_ERR_NOMEM, "out of memory for a lock");
}

void ek_look_close(struct ek_look_desk *desk)
{
    if (desk->there) {
        finish(&desk->look);
    }
    ek_rules_finish(&desk->rules);
    ek_store_destroy(desk->store);
    if (desk->config != NULL) {
        (void)pthread_mutex_destroy(&desk->mutex);
    }
}
