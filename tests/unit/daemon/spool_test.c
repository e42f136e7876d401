/* The spool, and the journal that fills it: real files, a real Redis that is stopped and killed. */
#include "../store/server.h"

#include "balancer/daemon/journal.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

static struct server server;
static struct ek_spool *spool;
static char state_dir[128];
static int64_t epoch;

static int setup(void **state)
{
    (void)state;
    server_start(&server);
    (void)snprintf(state_dir, sizeof(state_dir), "%s/state", server.dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    server_stop(&server);
    return 0;
}

static int begin(void **state)
{
    (void)state;
    assert_string_equal(server_say(&server, "FLUSHALL"), "OK");
    (void)server_say(&server, "SET evenkeel:epoch 5");
    epoch = 5;
    remove_tree(state_dir);
    spool = ek_spool_create(state_dir);
    assert_non_null(spool);
    return 0;
}

static int end(void **state)
{
    (void)state;
    ek_spool_destroy(spool);
    return 0;
}

static struct ek_move_record record_at(enum ek_move_state state)
{
    struct ek_move_record record = {
        .order = {.id = "p1-1", .domain = "u1", .source = "h1", .destination = "h2"},
        .state = state,
        .attempt = 1,
        .epoch = epoch,
        .updated_at_ms = 1000 + (int)state,
        .eta_ms = -1,
    };

    (void)snprintf(record.error, sizeof(record.error), "a text\nof two lines");
    return record;
}

static bool is_spooled(void)
{
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/spool/p1-1.json", state_dir);
    return access(path, F_OK) == 0;
}

static void put_in_journal(const struct ek_move_record *record)
{
    struct ek_error err;

    assert_done(ek_store_write_move(server.store, record, NULL, &err), &err);
}

static void replay(void)
{
    struct ek_error err;

    assert_done(ek_spool_replay(spool, server.store, epoch, &err), &err);
}

static const char *state_in_journal(void)
{
    return server_say(&server, "HGET evenkeel:move:p1-1 state");
}

/* A later start, under an epoch of its own, finds what became of the move and writes it down. */
static void test_replayed_by_the_next_run(void **state)
{
    struct ek_move_record before = record_at(EK_MOVE_POST);
    struct ek_move_record done = record_at(EK_MOVE_DONE);

    (void)state;
    put_in_journal(&before);
    ek_spool_keep(spool, &done, &before);
    assert_true(is_spooled());
    (void)server_say(&server, "SET evenkeel:epoch 6");
    epoch = 6;
    replay();
    assert_string_equal(state_in_journal(), "done");
    assert_string_equal(server_say(&server, "HGET evenkeel:move:p1-1 epoch"), "6");
    assert_string_equal(server_say(&server, "SCARD evenkeel:moves:open"), "0");
    assert_false(is_spooled());
}

/* Somebody adopted the move meanwhile: his record stands, ours is dropped. */
static void test_dropped_when_adopted(void **state)
{
    struct ek_move_record before = record_at(EK_MOVE_RUNNING);
    struct ek_move_record pending = record_at(EK_MOVE_COMMIT_PENDING);
    struct ek_error err;

    (void)state;
    put_in_journal(&before);
    ek_spool_keep(spool, &pending, &before);
    (void)server_say(&server, "SET evenkeel:epoch 6");
    epoch = 6;
    struct ek_move_record adopted = record_at(EK_MOVE_RECONCILE);
    assert_done(ek_store_write_move(server.store, &adopted, &before, &err), &err);
    replay();
    assert_string_equal(state_in_journal(), "reconcile");
    assert_false(is_spooled());
}

/* While Redis stays away the file stays, and so it does when another balancer leads. */
static void test_kept_while_it_cannot_be_written(void **state)
{
    struct ek_move_record before = record_at(EK_MOVE_RUNNING);
    struct ek_move_record pending = record_at(EK_MOVE_COMMIT_PENDING);
    struct ek_error err;

    (void)state;
    put_in_journal(&before);
    ek_spool_keep(spool, &pending, &before);
    assert_false(ek_spool_replay(spool, server.store, 4, &err));
    assert_int_equal(err.code, EK_ERR_FENCED);
    assert_true(is_spooled());
}

/* What announces an effect is no result: it is never kept, so that it can never be taken for one.
 */
static void test_permissions_are_not_kept(void **state)
{
    static const enum ek_move_state announcing[] = {
        EK_MOVE_PLANNED, EK_MOVE_CLAIMED, EK_MOVE_PRECHECK, EK_MOVE_PREPARE, EK_MOVE_RUNNING};
    struct ek_move_record before = record_at(EK_MOVE_PLANNED);

    (void)state;
    for (size_t i = 0; i < sizeof(announcing) / sizeof(announcing[0]); i++) {
        struct ek_move_record record = record_at(announcing[i]);
        ek_spool_keep(spool, &record, &before);
        assert_false(is_spooled());
    }
}

/* A step that the table of states does not allow is no record, and does not keep anybody from
 * leading. */
static void test_impossible_step(void **state)
{
    struct ek_move_record before = record_at(EK_MOVE_DONE);
    struct ek_move_record pending = record_at(EK_MOVE_COMMIT_PENDING);

    (void)state;
    put_in_journal(&before);
    ek_spool_keep(spool, &pending, &before);
    replay();
    assert_true(is_spooled());
    assert_string_equal(state_in_journal(), "done");
}

/* A file that cannot be read stays where it is, and nothing is written from it; an id that would
 * lead out of the folder gets no file. */
static void test_bad_files(void **state)
{
    struct ek_move_record before = record_at(EK_MOVE_POST);
    struct ek_move_record done = record_at(EK_MOVE_DONE);
    char path[256];

    (void)state;
    put_in_journal(&before);
    ek_spool_keep(spool, &done, &before);
    (void)snprintf(path, sizeof(path), "%s/spool/p1-1.json", state_dir);
    assert_int_equal(truncate(path, 40), 0);
    replay();
    assert_true(is_spooled());
    assert_string_equal(state_in_journal(), "post");
    (void)snprintf(done.order.id, sizeof(done.order.id), "../out");
    ek_spool_keep(spool, &done, &before);
    (void)snprintf(path, sizeof(path), "%s/out.json", state_dir);
    assert_int_not_equal(access(path, F_OK), 0);
}

/* ---- the journal ----------------------------------------------------------------------------- */

struct journal {
    uv_loop_t loop;
    struct ek_journal_parts parts;
    struct ek_journal port;
};

static void open_journal(struct journal *journal)
{
    struct ek_error err;

    assert_int_equal(uv_loop_init(&journal->loop), 0);
    journal->parts.thread =
        ek_store_thread_create(&journal->loop, server_store(&server, 300), &err);
    assert_non_null(journal->parts.thread);
    journal->parts.spool = spool;
    journal->port = ek_daemon_journal(&journal->parts);
}

static void close_journal(struct journal *journal)
{
    ek_store_thread_stop(journal->parts.thread);
    (void)uv_run(&journal->loop, UV_RUN_DEFAULT);
    ek_store_thread_destroy(journal->parts.thread);
    assert_int_equal(uv_loop_close(&journal->loop), 0);
}

static bool write_record(struct journal *journal, const struct ek_move_record *record,
                         const struct ek_move_record *expected, struct ek_error *err)
{
    return journal->port.write(journal->port.context, record, expected, err);
}

/* A Redis that hangs: the write fails, which forbids what would follow, and the result is on disk;
 * when it goes on, the repeated write takes and the file is gone. */
static void test_stopped_server(void **state)
{
    struct journal journal;
    struct ek_move_record before = record_at(EK_MOVE_RUNNING);
    struct ek_move_record pending = record_at(EK_MOVE_COMMIT_PENDING);
    struct ek_error err;
    pid_t pid = (pid_t)ek_embedded_pid(server.embedded);

    (void)state;
    open_journal(&journal);
    assert_done(write_record(&journal, &before, NULL, &err), &err);
    assert_int_equal(kill(pid, SIGSTOP), 0);
    assert_false(write_record(&journal, &pending, &before, &err));
    assert_int_equal(kill(pid, SIGCONT), 0);
    assert_int_equal(err.code, EK_ERR_TIMEOUT);
    assert_true(is_spooled());
    /* The stopped server may have had it in its buffer: either is right, and both must end. */
    while (!write_record(&journal, &pending, &before, &err)) {
        assert_true(err.code == EK_ERR_TIMEOUT || err.code == EK_ERR_UNAVAILABLE);
    }
    assert_string_equal(state_in_journal(), "commit-pending");
    assert_false(is_spooled());
    close_journal(&journal);
}

/* A Redis that was killed, and a daemon that ended before it came back. */
static void test_killed_server(void **state)
{
    struct journal journal;
    struct ek_move_record before = record_at(EK_MOVE_POST);
    struct ek_move_record done = record_at(EK_MOVE_DONE);
    struct ek_error err;

    (void)state;
    open_journal(&journal);
    assert_done(write_record(&journal, &before, NULL, &err), &err);
    assert_int_equal(kill((pid_t)ek_embedded_pid(server.embedded), SIGKILL), 0);
    while (write_record(&journal, &before, &before, &err)) {
        /* it is not dead yet */
    }
    assert_false(write_record(&journal, &done, &before, &err));
    close_journal(&journal);
    server_crash_and_restart(&server);
    assert_true(is_spooled());
    assert_string_equal(state_in_journal(), "post");
    (void)server_say(&server, "SET evenkeel:epoch 6");
    epoch = 6;
    replay();
    assert_string_equal(state_in_journal(), "done");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_replayed_by_the_next_run, begin, end),
        cmocka_unit_test_setup_teardown(test_dropped_when_adopted, begin, end),
        cmocka_unit_test_setup_teardown(test_kept_while_it_cannot_be_written, begin, end),
        cmocka_unit_test_setup_teardown(test_permissions_are_not_kept, begin, end),
        cmocka_unit_test_setup_teardown(test_impossible_step, begin, end),
        cmocka_unit_test_setup_teardown(test_bad_files, begin, end),
        cmocka_unit_test_setup_teardown(test_stopped_server, begin, end),
        cmocka_unit_test_setup_teardown(test_killed_server, begin, end),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
