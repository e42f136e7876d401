/* What becomes of the engine's orders: when their records cannot be written, and of stops. */
#include "balancer/daemon/balancing.h"

#include "tests/unit/store/fixture.h"

static struct ek_daemon daemon_state;
static struct ek_balancing balancing;
static bool redis_answers;
static char cancelled[EK_ID_SIZE];
static size_t started;
static size_t refused;

/* ---- the parts around it: the store's thread is this one ------------------------------------- */

bool ek_store_thread_submit(struct ek_store_thread *thread, struct ek_store_job *job, size_t limit)
{
    (void)thread;
    (void)limit;
    if (!redis_answers) {
        return false;
    }
    bool ok = job->work(server.store, job, &job->err);
    job->done(job, ok ? NULL : &job->err);
    return true;
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

static int begin(void **state)
{
    balancing = (struct ek_balancing){.daemon = &daemon_state, .leading = true};
    redis_answers = false;
    started = 0;
    refused = 0;
    return clean(state);
}

static void carry_out(struct ek_effect *items, size_t count)
{
    balancing.effects.items = items;
    balancing.effects.count = count;
    ek_balancing_carry_out(&balancing);
}

/* A move that was told to stop is stopped: the engine tells it once. What was to start does not. */
static void test_aborts_need_no_record(void **state)
{
    struct ek_effect items[2] = {{.kind = EK_EFFECT_ABORT}, {.kind = EK_EFFECT_START}};

    (void)state;
    (void)snprintf(items[0].u.abort.id, sizeof(items[0].u.abort.id), "p1-1");
    items[0].u.abort.why = EK_ABORT_YIELD;
    carry_out(items, 2);
    assert_string_equal(cancelled, "p1-1");
    assert_int_equal(started, 0);
    assert_int_equal(refused, 1);
}

static struct ek_effect start_of(enum ek_move_kind kind)
{
    struct ek_effect effect = {.kind = EK_EFFECT_START};

    effect.u.start.kind = kind;
    memcpy(effect.u.start.source, "h1", 3);
    return effect;
}

/* Keys may go while the engine plans: a stop begins only while its host's is there. */
static void test_a_stop_needs_its_key(void **state)
{
    struct ek_effect items[] = {start_of(EK_MOVE_SHUTDOWN), start_of(EK_MOVE_SAVE)};
    struct ek_error err = {0};

    (void)state;
    redis_answers = true;
    assert_done(ek_store_set_maintenance(server.store, "h2", NULL, 0, &err), &err);
    carry_out(items, 2);
    assert_int_equal(started, 0);
    assert_int_equal(refused, 2);
    assert_done(ek_store_set_maintenance(server.store, "h1", NULL, 0, &err), &err);
    carry_out(items, 2);
    assert_int_equal(started, 2);
    assert_int_equal(refused, 2);
}

/* A migration can be ended once it has begun: it needs no second look. */
static void test_a_move_needs_no_key(void **state)
{
    struct ek_effect item = start_of(EK_MOVE_BALANCE);

    (void)state;
    redis_answers = true;
    carry_out(&item, 1);
    assert_int_equal(started, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_aborts_need_no_record, begin),
        cmocka_unit_test_setup(test_a_stop_needs_its_key, begin),
        cmocka_unit_test_setup(test_a_move_needs_no_key, begin),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
