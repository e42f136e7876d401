#include "fixture.h"

static int64_t epoch;

static int clean_anew(void **state)
{
    bool held;
    char holder[64];
    struct ek_error err;

    (void)clean(state);
    assert_done(
        ek_store_lease(server.store, "me", 60000, &held, &epoch, holder, sizeof(holder), &err),
        &err);
    (void)server_say(&server, "SET evenkeel:epoch 5");
    epoch = 5;
    return 0;
}

static struct ek_move_record record_at(enum ek_move_state state, int attempt)
{
    return (struct ek_move_record){
        .order = {.id = "p1-1",
                  .plan_id = "p1",
                  .seq = 1,
                  .domain = "u1",
                  .source = "h1",
                  .destination = "h2"},
        .state = state,
        .attempt = attempt,
        .epoch = epoch,
        .planned_at_ms = 1000,
        .updated_at_ms = 1000 + (int)state,
        .eta_ms = -1,
    };
}

static void write_steps(const enum ek_move_state *states, size_t count)
{
    struct ek_move_record last;
    struct ek_error err;

    for (size_t i = 0; i < count; i++) {
        struct ek_move_record next = record_at(states[i], i == 0 ? 0 : 1);
        assert_done(ek_store_write_move(server.store, &next, i == 0 ? NULL : &last, &err), &err);
        last = next;
    }
}

/* A record goes from step to step, is read whole, and each step is an entry of the stream. */
static void test_steps(void **state)
{
    static const enum ek_move_state steps[] = {EK_MOVE_PLANNED, EK_MOVE_CLAIMED, EK_MOVE_PRECHECK};
    struct ek_move_record *records = NULL;
    size_t count = 0;
    struct ek_error err;

    (void)state;
    write_steps(steps, 3);
    assert_done(ek_store_open_moves(server.store, &records, &count, &err), &err);
    assert_int_equal(count, 1);
    assert_int_equal(records[0].state, EK_MOVE_PRECHECK);
    assert_int_equal(records[0].attempt, 1);
    assert_true(records[0].epoch == 5 && records[0].planned_at_ms == 1000);
    assert_string_equal(records[0].order.destination, "h2");
    free(records);
    assert_string_equal(server_say(&server, "XLEN evenkeel:moves"), "3");
    assert_string_equal(server_say(&server, "HMGET evenkeel:move:p1-1 version state attempt epoch"),
                        "1 precheck 1 5");
}

/* A write whose expected state, attempt or epoch is not the stored one conflicts and changes
 * nothing. */
static void test_stale_expectation(void **state)
{
    static const enum ek_move_state steps[] = {EK_MOVE_PLANNED, EK_MOVE_CLAIMED};
    struct ek_move_record stale[3];
    struct ek_error err;

    (void)state;
    write_steps(steps, 2);
    stale[0] = record_at(EK_MOVE_PLANNED, 1);
    stale[1] = record_at(EK_MOVE_CLAIMED, 2);
    stale[2] = record_at(EK_MOVE_CLAIMED, 1);
    stale[2].epoch--;
    for (int i = 0; i < 3; i++) {
        struct ek_move_record next = record_at(EK_MOVE_RECONCILE, 1);
        assert_false(ek_store_write_move(server.store, &next, &stale[i], &err));
        assert_int_equal(err.code, EK_ERR_CONFLICT);
        assert_non_null(strstr(err.message, "found state claimed, attempt 1, epoch 5, expected"));
    }
    assert_string_equal(server_say(&server, "HGET evenkeel:move:p1-1 state"), "claimed");
    assert_string_equal(server_say(&server, "XLEN evenkeel:moves"), "2");
}

/* A first write conflicts when there is a record; a later one when there is none. */
static void test_presence(void **state)
{
    struct ek_move_record planned = record_at(EK_MOVE_PLANNED, 0);
    struct ek_move_record claimed = record_at(EK_MOVE_CLAIMED, 1);
    struct ek_error err;

    (void)state;
    assert_false(ek_store_write_move(server.store, &claimed, &planned, &err));
    assert_int_equal(err.code, EK_ERR_CONFLICT);
    assert_string_equal(server_say(&server, "EXISTS evenkeel:move:p1-1"), "0");
    assert_done(ek_store_write_move(server.store, &planned, NULL, &err), &err);
    assert_false(ek_store_write_move(server.store, &claimed, NULL, &err));
    assert_int_equal(err.code, EK_ERR_CONFLICT);
}

/* Who lost the answer may repeat the write: the same record again is done, once. */
static void test_repeated_write(void **state)
{
    struct ek_move_record planned = record_at(EK_MOVE_PLANNED, 0);
    struct ek_move_record claimed = record_at(EK_MOVE_CLAIMED, 1);
    struct ek_error err;

    (void)state;
    assert_done(ek_store_write_move(server.store, &planned, NULL, &err), &err);
    for (int i = 0; i < 2; i++) {
        assert_done(ek_store_write_move(server.store, &claimed, &planned, &err), &err);
    }
    assert_string_equal(server_say(&server, "XLEN evenkeel:moves"), "2");
}

/* A write with an epoch that is not the current one is fenced and changes nothing, and so it is
 * when the counter is lost. */
static void test_fence(void **state)
{
    struct ek_move_record planned = record_at(EK_MOVE_PLANNED, 0);
    struct ek_error err;

    (void)state;
    (void)server_say(&server, "INCR evenkeel:epoch");
    assert_false(ek_store_write_move(server.store, &planned, NULL, &err));
    assert_int_equal(err.code, EK_ERR_FENCED);
    assert_non_null(strstr(err.message, "epoch 5 is ours, the current one is 6"));
    (void)server_say(&server, "DEL evenkeel:epoch");
    assert_false(ek_store_write_move(server.store, &planned, NULL, &err));
    assert_int_equal(err.code, EK_ERR_FENCED);
    assert_string_equal(server_say(&server, "EXISTS evenkeel:move:p1-1 evenkeel:moves"), "0");
}

/* A successor with a newer epoch takes a predecessor's record over. */
static void test_takeover(void **state)
{
    struct ek_move_record running = record_at(EK_MOVE_RUNNING, 1);
    struct ek_error err;

    (void)state;
    assert_done(ek_store_write_move(server.store, &running, NULL, &err), &err);
    (void)server_say(&server, "INCR evenkeel:epoch");
    struct ek_move_record reconcile = record_at(EK_MOVE_RECONCILE, 1);
    reconcile.epoch = running.epoch + 1;
    assert_done(ek_store_write_move(server.store, &reconcile, &running, &err), &err);
    struct ek_move_record pending = record_at(EK_MOVE_COMMIT_PENDING, 1);
    assert_false(ek_store_write_move(server.store, &pending, &running, &err));
    assert_int_equal(err.code, EK_ERR_FENCED);
}

/* A step that the table of states forbids is refused before anything is asked of Redis. */
static void test_forbidden_step(void **state)
{
    struct ek_move_record running = record_at(EK_MOVE_RUNNING, 1);
    struct ek_move_record done = record_at(EK_MOVE_DONE, 1);
    struct ek_error err;

    (void)state;
    assert_done(ek_store_write_move(server.store, &running, NULL, &err), &err);
    assert_false(ek_store_write_move(server.store, &done, &running, &err));
    assert_int_equal(err.code, EK_ERR_INVALID);
    assert_non_null(strstr(err.message, "found a step from state running to done"));
    assert_string_equal(server_say(&server, "HGET evenkeel:move:p1-1 state"), "running");
    assert_done(ek_store_write_move(server.store, &running, &running, &err), &err);
}

/* A record is open until it is terminal; one that blocks its domain is kept among those; others
 * expire. */
static void test_sets(void **state)
{
    static const enum ek_move_state unknown[] = {EK_MOVE_RECONCILE, EK_MOVE_UNKNOWN};
    struct ek_move_record *records = NULL;
    size_t count = 1;
    struct ek_error err;

    (void)state;
    write_steps(unknown, 2);
    assert_done(ek_store_open_moves(server.store, &records, &count, &err), &err);
    assert_int_equal(count, 0);
    free(records);
    assert_done(ek_store_blocking_moves(server.store, &records, &count, &err), &err);
    assert_int_equal(count, 1);
    assert_string_equal(server_say(&server, "TTL evenkeel:move:p1-1"), "-1");
    struct ek_move_record resolved = records[0];
    resolved.state = EK_MOVE_DONE;
    assert_done(ek_store_write_move(server.store, &resolved, &records[0], &err), &err);
    free(records);
    assert_done(ek_store_blocking_moves(server.store, &records, &count, &err), &err);
    assert_int_equal(count, 0);
    free(records);
    assert_true(strtol(server_say(&server, "TTL evenkeel:move:p1-1"), NULL, 10) > 86400);
}

/* Progress is shown until the next step; it neither makes a record nor touches one that went on. */
static void test_progress(void **state)
{
    struct ek_move_record running = record_at(EK_MOVE_RUNNING, 1);
    struct ek_move_record *records = NULL;
    size_t count = 0;
    struct ek_error err;

    (void)state;
    assert_false(ek_store_write_progress(server.store, &running, &err));
    assert_int_equal(err.code, EK_ERR_CONFLICT);
    assert_string_equal(server_say(&server, "EXISTS evenkeel:move:p1-1"), "0");
    assert_done(ek_store_write_move(server.store, &running, NULL, &err), &err);
    struct ek_move_record further = running;
    further.progress = 0.3;
    further.order.bandwidth_mib_s = 57;
    further.eta_ms = 9000;
    further.transferred_mib = 12.5;
    assert_done(ek_store_write_progress(server.store, &further, &err), &err);
    assert_done(ek_store_open_moves(server.store, &records, &count, &err), &err);
    assert_true(records[0].progress == 0.3 && records[0].eta_ms == 9000);
    assert_int_equal(records[0].order.bandwidth_mib_s, 57);
    assert_true(records[0].transferred_mib == 12.5);
    free(records);
    struct ek_move_record next = record_at(EK_MOVE_COMMIT_PENDING, 1);
    assert_done(ek_store_write_move(server.store, &next, &running, &err), &err);
    assert_false(ek_store_write_progress(server.store, &further, &err));
    assert_done(ek_store_open_moves(server.store, &records, &count, &err), &err);
    assert_true(records[0].progress == 0 && records[0].eta_ms == -1);
    free(records);
}

/* Recent moves come newest first, each once, at most as many as asked for. */
static void test_recent(void **state)
{
    static const char *const ids[] = {"a-1", "a-2", "a-3"};
    struct ek_move_record *records = NULL;
    size_t count = 0;
    struct ek_error err;

    (void)state;
    for (int i = 0; i < 3; i++) {
        struct ek_move_record planned = record_at(EK_MOVE_PLANNED, 0);
        memcpy(planned.order.id, ids[i], 4);
        struct ek_move_record cancelled = planned;
        cancelled.state = EK_MOVE_CANCELLED;
        assert_done(ek_store_write_move(server.store, &planned, NULL, &err), &err);
        assert_done(ek_store_write_move(server.store, &cancelled, &planned, &err), &err);
    }
    assert_done(ek_store_recent_moves(server.store, 2, &records, &count, &err), &err);
    assert_int_equal(count, 2);
    assert_string_equal(records[0].order.id, "a-3");
    assert_string_equal(records[1].order.id, "a-2");
    assert_int_equal(records[0].state, EK_MOVE_CANCELLED);
    free(records);
    assert_done(ek_store_recent_moves(server.store, 10, &records, &count, &err), &err);
    assert_int_equal(count, 3);
    free(records);
}

/* A record that cannot be read is an error that names its key, and the store works on. */
static void test_unreadable_record(void **state)
{
    struct ek_move_record planned = record_at(EK_MOVE_PLANNED, 0);
    struct ek_move_record *records = NULL;
    size_t count = 0;
    struct ek_error err;

    (void)state;
    assert_done(ek_store_write_move(server.store, &planned, NULL, &err), &err);
    (void)server_say(&server, "SADD evenkeel:moves:open p0-1 p2-1 p3-1");
    (void)server_say(&server, "HSET evenkeel:move:p2-1 json {}");
    assert_false(ek_store_open_moves(server.store, &records, &count, &err));
    assert_int_equal(err.code, EK_ERR_INVALID);
    assert_non_null(strstr(err.message, "evenkeel:move:p2-1: version: found nothing"));
    assert_null(records);
    (void)server_say(&server, "SREM evenkeel:moves:open p2-1");
    assert_done(ek_store_open_moves(server.store, &records, &count, &err), &err);
    assert_int_equal(count, 1); /* p0-1 and p3-1 have no record */
    free(records);
}

/* Scripts that the server forgot are sent again. */
static void test_scripts_flushed(void **state)
{
    static const enum ek_move_state steps[] = {EK_MOVE_PLANNED, EK_MOVE_CLAIMED};

    (void)state;
    write_steps(steps, 1);
    assert_string_equal(server_say(&server, "SCRIPT FLUSH"), "OK");
    assert_string_equal(server_say(&server, "FLUSHALL"), "OK");
    (void)server_say(&server, "SET evenkeel:epoch 5");
    write_steps(steps, 2);
}

/* The ended record of a move whose volumes are due at that time. */
static struct ek_move_record thrown_away(int64_t discard_at_ms)
{
    struct ek_move_record post = record_at(EK_MOVE_POST, 1);
    struct ek_move_record done = record_at(EK_MOVE_DONE, 1);
    struct ek_error err;

    done.discard_at_ms = discard_at_ms;
    assert_done(ek_store_write_move(server.store, &post, NULL, &err), &err);
    assert_done(ek_store_write_move(server.store, &done, &post, &err), &err);
    return done;
}

static size_t due_at(int64_t now_ms)
{
    char ids[10][EK_ID_SIZE];
    size_t count = 0;
    struct ek_error err;

    assert_done(ek_store_due_trash(server.store, now_ms, 10, ids, &count, &err), &err);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(ids[i], "p1-1");
    }
    return count;
}

/* What a move left is in the trash with its last step, due at its time, and its record does not
 * expire before it is settled. */
static void test_trash(void **state)
{
    struct ek_error err;

    (void)state;
    thrown_away(5000);
    assert_int_equal(due_at(4999), 0);
    assert_int_equal(due_at(5000), 1);
    assert_string_equal(server_say(&server, "PTTL evenkeel:move:p1-1"), "-1");
    assert_done(ek_store_settle_trash(server.store, "p1-1", 9000, epoch, &err), &err);
    assert_int_equal(due_at(5000), 0);
    assert_int_equal(due_at(9000), 1);
    assert_done(ek_store_settle_trash(server.store, "p1-1", 0, epoch, &err), &err);
    assert_int_equal(due_at(9000), 0);
    assert_string_not_equal(server_say(&server, "PTTL evenkeel:move:p1-1"), "-1");
    /* Put off once more by somebody who was slow: it does not come back. */
    assert_done(ek_store_settle_trash(server.store, "p1-1", 9000, epoch, &err), &err);
    assert_int_equal(due_at(9000), 0);
}

/* Only who leads takes anything from the trash; a move that leaves nothing is not in it. */
static void test_trash_is_fenced(void **state)
{
    struct ek_error err;

    (void)state;
    thrown_away(0);
    assert_int_equal(due_at(INT64_C(1) << 50), 0);
    assert_false(ek_store_settle_trash(server.store, "p1-1", 0, epoch - 1, &err));
    assert_int_equal(err.code, EK_ERR_FENCED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_steps, clean_anew),
        cmocka_unit_test_setup(test_stale_expectation, clean_anew),
        cmocka_unit_test_setup(test_presence, clean_anew),
        cmocka_unit_test_setup(test_repeated_write, clean_anew),
        cmocka_unit_test_setup(test_fence, clean_anew),
        cmocka_unit_test_setup(test_forbidden_step, clean_anew),
        cmocka_unit_test_setup(test_takeover, clean_anew),
        cmocka_unit_test_setup(test_sets, clean_anew),
        cmocka_unit_test_setup(test_progress, clean_anew),
        cmocka_unit_test_setup(test_recent, clean_anew),
        cmocka_unit_test_setup(test_unreadable_record, clean_anew),
        cmocka_unit_test_setup(test_scripts_flushed, clean_anew),
        cmocka_unit_test_setup(test_trash, clean_anew),
        cmocka_unit_test_setup(test_trash_is_fenced, clean_anew),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
