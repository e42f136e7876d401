/* What becomes of the engine's orders when their records cannot be written. */
#include "balancer/daemon/balancing.h"

#include "tests/lib/cmocka.h"

#include <string.h>

static struct ek_daemon daemon_state;
static struct ek_balancing balancing;
static char cancelled[EK_ID_SIZE];
static size_t started;
static size_t refused;

/* ---- the parts around it: nothing can be written --------------------------------------------- */

bool ek_store_thread_submit(struct ek_store_thread *thread, struct ek_store_job *job, size_t limit)
{
    (void)thread;
    (void)job;
    (void)limit;
    return false;
}

bool ek_executor_cancel(struct ek_executor *executor, const char *id, enum ek_abort why)
{
    (void)executor;
    assert_int_equal(why, EK_ABORT_YIELD);
    (void)snprintf(cancelled, sizeof(cancelled), "%s", id);
    return true;
}

void ek_executor_limit(struct ek_executor *executor, const char *id, uint64_t bandwidth_mib_s)
{
    (void)executor;
    (void)id;
    (void)bandwidth_mib_s;
}

bool ek_executor_start(struct ek_executor *executor, const struct ek_move_order *order,
                       int64_t epoch, struct ek_error *err)
{
    (void)executor;
    (void)order;
    (void)epoch;
    (void)err;
    started++;
    return true;
}

void ek_balancing_step(struct ek_balancing *it, const struct ek_event *event)
{
    (void)it;
    assert_int_equal(event->kind, EK_EVENT_OUTCOME);
    refused++;
}

void ek_balancing_lose_redis(struct ek_balancing *it, const char *why)
{
    (void)why;
    it->leading = false;
}

void ek_balancing_cycle(struct ek_balancing *it)
{
    (void)it;
}

void ek_balancing_keep_rests(struct ek_balancing *it)
{
    (void)it;
}

/* ---- tests ----------------------------------------------------------------------------------- */

/* A move that was told to stop is stopped: the engine tells it once. What was to start does not. */
static void test_aborts_need_no_record(void **state)
{
    struct ek_effect items[2] = {{.kind = EK_EFFECT_ABORT}, {.kind = EK_EFFECT_START}};

    (void)state;
    (void)snprintf(items[0].u.abort.id, sizeof(items[0].u.abort.id), "p1-1");
    items[0].u.abort.why = EK_ABORT_YIELD;
    balancing.daemon = &daemon_state;
    balancing.leading = true;
    balancing.effects.items = items;
    balancing.effects.count = 2;
    ek_balancing_carry_out(&balancing);
    assert_string_equal(cancelled, "p1-1");
    assert_int_equal(started, 0);
    assert_int_equal(refused, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_aborts_need_no_record)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
