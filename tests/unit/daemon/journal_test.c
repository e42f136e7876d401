/* The journal's times, on a machine whose clock was set an hour ahead. Real Redis. */
#include "../store/server.h"

#include "balancer/daemon/clock.h"
#include "balancer/daemon/journal.h"

enum { AHEAD_MS = 3600000, GRACE_MS = 600000 };

static const int64_t STEADY_MS = INT64_C(1764000000000);

static struct server server;

/* ---- the machine's clocks -------------------------------------------------------------------- */

int64_t ek_clock_steady_ms(void)
{
    return STEADY_MS;
}

int64_t ek_clock_now_ms(void)
{
    return STEADY_MS + AHEAD_MS;
}

int64_t ek_clock_drift_ms(void)
{
    return AHEAD_MS;
}

/* ---- tests ----------------------------------------------------------------------------------- */

static int setup(void **state)
{
    (void)state;
    server_start(&server);
    (void)server_say(&server, "SET evenkeel:epoch 5");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    server_stop(&server);
    return 0;
}

static struct ek_move_record record_at(enum ek_move_state state)
{
    return (struct ek_move_record){
        .order = {.id = "p1-1", .domain = "u1", .source = "h1", .destination = "h2"},
        .state = state,
        .attempt = 1,
        .epoch = 5,
        .started_at_ms = STEADY_MS - 60000,
        .updated_at_ms = STEADY_MS,
        .eta_ms = -1,
    };
}

static void write(const struct ek_move_record *record, const struct ek_move_record *expected)
{
    struct ek_error err = {0};
    char dir[160];
    uv_loop_t loop;

    (void)snprintf(dir, sizeof(dir), "%s/state", server.dir);
    assert_int_equal(uv_loop_init(&loop), 0);
    struct ek_journal_parts parts = {
        ek_store_thread_create(&loop, server_store(&server, 1000), &err), ek_spool_create(dir)};
    assert_non_null(parts.thread);
    const struct ek_journal journal = ek_daemon_journal(&parts);
    assert_done(journal.write(journal.context, record, expected, &err), &err);
    ek_store_thread_stop(parts.thread);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    ek_store_thread_destroy(parts.thread);
    ek_spool_destroy(parts.spool);
    assert_int_equal(uv_loop_close(&loop), 0);
}

/* Who looks at the machine's time finds its times: the grace of the source's disks is whole. What
 * is not known stays so, and a life that goes on from the record has its own times back. */
static void test_times_are_the_machines(void **state)
{
    struct ek_move_record post = record_at(EK_MOVE_POST);
    struct ek_move_record done = record_at(EK_MOVE_DONE);
    struct ek_move_record found;
    char ids[1][EK_ID_SIZE];
    size_t count = 0;
    bool there = false;
    struct ek_error err = {0};

    (void)state;
    done.discard_at_ms = STEADY_MS + GRACE_MS;
    write(&post, NULL);
    write(&done, &post);
    assert_done(
        ek_store_due_trash(server.store, ek_clock_now_ms() + GRACE_MS - 1, 1, ids, &count, &err),
        &err);
    assert_int_equal(count, 0);
    assert_done(
        ek_store_due_trash(server.store, ek_clock_now_ms() + GRACE_MS, 1, ids, &count, &err), &err);
    assert_int_equal(count, 1);
    assert_done(ek_store_get_move(server.store, "p1-1", &found, &there, &err), &err);
    assert_true(there);
    assert_int_equal(found.updated_at_ms, ek_clock_now_ms());
    assert_int_equal(found.planned_at_ms, 0);
    const struct ek_move_record recalled = ek_journal_recalled(&found);
    assert_int_equal(recalled.updated_at_ms, STEADY_MS);
    assert_int_equal(recalled.started_at_ms, done.started_at_ms);
    assert_int_equal(recalled.planned_at_ms, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_times_are_the_machines),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
