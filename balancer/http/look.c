#include "balancer/http/look.h"
#include "balancer/view/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A look is fresh for a second, and for so many times as long as it took, but never when it is
 * older than that. */
enum { FRESH_MS = 1000, FRESH_COSTS = 10, OLD_MS = 10000 };

static void finish(struct ek_look *look)
{
    ek_evaluation_finish(&look->evaluation);
    free(look->blocking);
    ek_view_finish(&look->view);
    memset(look, 0, sizeof(*look));
}

static void free_retired(struct ek_look_news *news)
{
    for (size_t i = 0; i < news->retired_count; i++) {
        ek_rules_finish(news->retired[i]);
        free(news->retired[i]);
    }
    free(news->retired);
    news->retired = NULL;
    news->retired_count = 0;
}

/* What is in force, not what lies in the file: that may be newer, or wrong. With the newest look
 * gone. */
static void adopt_policy(struct ek_look_desk *desk)
{
    struct ek_look_news *news = &desk->news;

    (void)pthread_mutex_lock(&news->mutex);
    if (news->there) {
        desk->policy = news->policy;
        news->there = false;
        free_retired(news);
    }
    (void)pthread_mutex_unlock(&news->mutex);
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
    int64_t begin_ms = ek_view_clock_ms(CLOCK_MONOTONIC);
    if (!is_fresh(desk, begin_ms)) {
        if (desk->there) {
            finish(&desk->look);
        }
        adopt_policy(desk);
        desk->there = take(desk, &desk->look, err);
        desk->taken_ms = ek_view_clock_ms(CLOCK_MONOTONIC);
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

/* Without memory the old rules stay for good: a look may have them. */
void ek_look_take_policy(struct ek_look_desk *desk, const struct ek_policy *policy,
                         struct ek_rules *retired)
{
    struct ek_look_news *news = &desk->news;

    (void)pthread_mutex_lock(&news->mutex);
    struct ek_rules **grown =
        realloc(news->retired, (news->retired_count + 1) * sizeof(*news->retired));
    if (grown != NULL) {
        news->retired = grown;
        news->retired[news->retired_count] = retired;
        news->retired_count += retired == NULL ? 0 : 1;
    }
    news->policy = *policy;
    news->there = true;
    (void)pthread_mutex_unlock(&news->mutex);
}

bool ek_look_open(struct ek_look_desk *desk, const struct ek_config *config,
                  const struct ek_policy *policy, struct ek_store *store, struct ek_error *err)
{
    desk->config = config;
    desk->store = store;
    desk->policy = *policy;
    (void)pthread_mutex_init(&desk->mutex, NULL);
    (void)pthread_mutex_init(&desk->news.mutex, NULL);
    return store != NULL ||
           ek_error_set(err, EK_ERR_NOMEM, "out of memory for a connection to Redis");
}

void ek_look_close(struct ek_look_desk *desk)
{
    if (desk->there) {
        finish(&desk->look);
    }
    free_retired(&desk->news);
    ek_store_destroy(desk->store);
    if (desk->config != NULL) {
        (void)pthread_mutex_destroy(&desk->mutex);
        (void)pthread_mutex_destroy(&desk->news.mutex);
    }
}
