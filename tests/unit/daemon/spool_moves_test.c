/* Moves that live while Redis dies: a real executor over a real journal and spool, on two hosts in
 * memory. What became of them is on disk, and the next run takes it up. */
#include "../migrator/fake_port.h"
#include "../store/server.h"

#include "balancer/daemon/journal.h"

#include <signal.h>
#include <unistd.h>

enum { MOVES = 6 };

static struct server server;
static char state_dir[128];
static struct fake fake;

/* One run of the daemon, as far as moves and their journal are concerned. */
struct run {
    uv_loop_t loop;
    struct ek_journal_parts parts;
    struct ek_journal journal;
    struct ek_executor *executor;
};

/* How many results the journal has refused, that is, the spool has kept. */
static pthread_mutex_t refused_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t refused_more = PTHREAD_COND_INITIALIZER;
static size_t refused;

/* The daemon's own journal, and word of what it could not write. */
static bool write_and_tell(void *context, const struct ek_move_record *record,
                           const struct ek_move_record *expected, struct ek_error *err)
{
    struct run *run = context;
    bool first = record->state == EK_MOVE_COMMIT_PENDING && expected != NULL &&
                 expected->state == EK_MOVE_RUNNING;
    bool done = run->journal.write(run->journal.context, record, expected, err);

    if (!done && first) {
        (void)pthread_mutex_lock(&refused_mutex);
        refused++;
        (void)pthread_cond_broadcast(&refused_more);
        (void)pthread_mutex_unlock(&refused_mutex);
    }
    return done;
}

static void await_refused(size_t count)
{
    (void)pthread_mutex_lock(&refused_mutex);
    while (refused < count) {
        (void)pthread_cond_wait(&refused_more, &refused_mutex);
    }
    (void)pthread_mutex_unlock(&refused_mutex);
}

static void progress(void *context, const struct ek_move_record *record)
{
    struct run *run = context;

    run->journal.progress(run->journal.context, record);
}

static void note(void *context, const struct ek_move_record *record, const char *step,
                 const char *text)
{
    struct run *run = context;

    run->journal.note(run->journal.context, record, step, text);
}

static void open_run(struct run *run)
{
    struct ek_error err;

    assert_int_equal(uv_loop_init(&run->loop), 0);
    run->parts.thread = ek_store_thread_create(&run->loop, server_store(&server, 1000), &err);
    assert_non_null(run->parts.thread);
    run->parts.spool = ek_spool_create(state_dir);
    assert_non_null(run->parts.spool);
    run->journal = ek_daemon_journal(&run->parts);
    fake.journal = (struct ek_journal){
        .write = write_and_tell, .progress = progress, .note = note, .context = run};
    run->executor = fake_executor(&fake);
    assert_non_null(run->executor);
}

static void close_run(struct run *run)
{
    while (!ek_executor_shutdown(run->executor, 10000)) {
        /* calls that were let go return by themselves */
    }
    ek_executor_destroy(run->executor);
    ek_store_thread_stop(run->parts.thread);
    (void)uv_run(&run->loop, UV_RUN_DEFAULT);
    ek_store_thread_destroy(run->parts.thread);
    ek_spool_destroy(run->parts.spool);
    assert_int_equal(uv_loop_close(&run->loop), 0);
}

static int setup(void **state)
{
    (void)state;
    server_start(&server);
    (void)snprintf(state_dir, sizeof(state_dir), "%s/state", server.dir);
    (void)server_say(&server, "SET evenkeel:epoch 5");
    fake_init(&fake);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_finish(&fake);
    server_stop(&server);
    return 0;
}

static bool is_spooled(int n)
{
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/spool/p-%d.json", state_dir, n);
    return access(path, F_OK) == 0;
}

static void assert_all_in_journal(const char *state, int epoch)
{
    char expected[64];

    (void)snprintf(expected, sizeof(expected), "%s %d", state, epoch);
    for (int n = 1; n <= MOVES; n++) {
        assert_string_equal(server_say(&server, "HMGET evenkeel:move:p-%d state epoch", n),
                            expected);
    }
}

static void kill_server(void)
{
    struct ek_error err;

    assert_int_equal(kill((pid_t)ek_embedded_pid(server.embedded), SIGKILL), 0);
    while (ek_store_ping(server.store, &err)) {
        /* it is not dead yet */
    }
}

/* All moves copy when Redis dies, and arrive while it is dead; then the daemon ends, too. */
static void run_that_loses_redis(void)
{
    struct run run;
    struct ek_error err = {0};

    open_run(&run);
    fake_set(&fake, &fake.hold, true);
    for (int n = 1; n <= MOVES; n++) {
        struct ek_move_order order = fake_order(n);
        assert_done(ek_executor_start(run.executor, &order, 5, &err), &err);
    }
    assert_true(fake_await_copying(&fake, MOVES));
    for (int n = 1; n <= MOVES; n++) {
        assert_false(is_spooled(n));
    }
    kill_server();
    fake_set(&fake, &fake.hold, false);
    await_refused(MOVES);
    close_run(&run);
}

static void replay_and_adopt(struct run *run)
{
    struct ek_move_record *open = NULL;
    size_t count = 0;
    struct ek_error err = {0};

    assert_done(ek_spool_replay(run->parts.spool, server.store, 6, &err), &err);
    assert_all_in_journal("commit-pending", 6);
    assert_done(ek_store_open_moves(server.store, &open, &count, &err), &err);
    assert_int_equal(count, MOVES);
    for (size_t i = 0; i < count; i++) {
        assert_false(is_spooled((int)i + 1));
        assert_done(ek_executor_adopt(run->executor, &open[i], 6, &err), &err);
    }
    free(open);
}

/* Every result outlives both, is in the journal of the next run before it adopts anything, and each
 * move comes to its end there without having been begun again. */
static void test_results_outlive_redis_and_daemon(void **state)
{
    struct run run;

    (void)state;
    run_that_loses_redis();
    assert_int_equal(fake.outcome_count + fake.dropped, 0);
    for (int n = 1; n <= MOVES; n++) {
        assert_true(is_spooled(n));
    }
    server_crash_and_restart(&server);
    assert_all_in_journal("running", 5);
    (void)server_say(&server, "SET evenkeel:epoch 6");
    open_run(&run);
    replay_and_adopt(&run);
    assert_true(fake_await_ends(&fake, MOVES));
    close_run(&run);
    assert_all_in_journal("done", 6);
    assert_string_equal(server_say(&server, "SCARD evenkeel:moves:open"), "0");
    for (int n = 1; n <= MOVES; n++) {
        assert_int_equal(fake.domains[n - 1].migrates, 1);
        assert_false(is_spooled(n));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_results_outlive_redis_and_daemon),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
