/* Commands from several operators at once while the lease comes and goes: stream, watcher and
 * store's thread are real; the engine is the test's. */
#include "../store/fixture.h"

#include "balancer/codec/command.h"
#include "balancer/daemon/balancing.h"

enum { OPERATORS = 3, COMMANDS = 40, ALL = OPERATORS * COMMANDS };

static struct ek_daemon daemon_state;
static struct ek_balancing balancing;

/* What reached the engine, and the daemon's own resolve; of the loop's thread. */
static char done[ALL][EK_ID_SIZE];
static int done_count;

/* ---- the daemon around it -------------------------------------------------------------------- */

static void carry_out(const struct ek_command *command)
{
    struct ek_command_reply reply = {.code = EK_ERR_NONE};

    assert_true(balancing.leading);
    assert_in_range(done_count, 0, ALL - 1);
    (void)snprintf(done[done_count++], EK_ID_SIZE, "%s", command->id);
    (void)snprintf(reply.id, sizeof(reply.id), "%s", command->id);
    (void)snprintf(reply.text, sizeof(reply.text), "done");
    ek_balancing_reply(&balancing, &reply);
}

void ek_balancing_step(struct ek_balancing *it, const struct ek_event *event)
{
    (void)it;
    assert_int_equal(event->kind, EK_EVENT_COMMAND);
    carry_out(event->u.command);
}

void ek_balancing_resolve(struct ek_balancing *it, const struct ek_command_entry *entry)
{
    (void)it;
    carry_out(&entry->command);
}

void ek_balancing_keep_rests(struct ek_balancing *it)
{
    (void)it;
}

void ek_balancing_put_status(struct ek_balancing *it)
{
    (void)it;
}

struct ek_store *ek_daemon_open_store(const struct ek_daemon *it)
{
    (void)it;
    return server_store(&server, 5000);
}

static int begin(void **state)
{
    struct ek_error err;

    (void)state;
    assert_string_equal(server_say(&server, "FLUSHALL"), "OK");
    (void)server_say(&server, "SET evenkeel:epoch 5");
    assert_int_equal(uv_loop_init(&daemon_state.loop), 0);
    daemon_state.stopping = false;
    daemon_state.store =
        ek_store_thread_create(&daemon_state.loop, server_store(&server, 5000), &err);
    assert_non_null(daemon_state.store);
    balancing = (struct ek_balancing){.daemon = &daemon_state, .leading = true, .epoch = 5};
    done_count = 0;
    assert_done(ek_balancing_open_commands(&balancing, &err), &err);
    return 0;
}

static int end(void **state)
{
    (void)state;
    daemon_state.stopping = true;
    ek_watch_stop(balancing.command_watch);
    ek_store_thread_stop(daemon_state.store);
    (void)uv_run(&daemon_state.loop, UV_RUN_DEFAULT);
    ek_watch_destroy(balancing.command_watch);
    ek_store_thread_destroy(daemon_state.store);
    assert_int_equal(uv_loop_close(&daemon_state.loop), 0);
    return 0;
}

/* ---- operators ------------------------------------------------------------------------------- */

struct operator
{
    pthread_t thread;
    char ids[COMMANDS][EK_ID_SIZE];
    int issued;
};

static void *operate(void *argument)
{
    struct operator* it = argument;
    struct ek_store *store = server_store(&server, 5000);
    struct ek_error err;

    for (int i = 0; i < COMMANDS; i++) {
        struct ek_command command = {.kind = i % 8 == 0 ? EK_COMMAND_RESOLVE : EK_COMMAND_PAUSE,
                                     .subject = "web-1"};
        if (ek_store_issue_command(store, &command, "me@here", 1764000000000, &err)) {
            (void)snprintf(it->ids[it->issued++], EK_ID_SIZE, "%s", command.id);
        }
    }
    ek_store_destroy(store);
    return NULL;
}

/* Another balancer takes the lease, and loses it to us again: at first we do not know, then we do
 * not lead, then we do under a new epoch. */
static void change_lease(int64_t epoch)
{
    (void)server_say(&server, "SET evenkeel:epoch %lld", (long long)epoch);
    (void)uv_run(&daemon_state.loop, UV_RUN_NOWAIT);
    balancing.leading = false;
    (void)uv_run(&daemon_state.loop, UV_RUN_NOWAIT);
    balancing.epoch = epoch;
    balancing.leading = true;
    ek_balancing_take_commands(&balancing);
}

static bool was_done(const char *id)
{
    int times = 0;

    for (int i = 0; i < done_count; i++) {
        times += strcmp(done[i], id) == 0 ? 1 : 0;
    }
    assert_in_range(times, 0, 1);
    return times == 1;
}

/* The reply of each: done, or why not, and true in either case. */
static void assert_told(const struct operator* it)
{
    for (int i = 0; i < it->issued; i++) {
        const char *reply = server_say(&server, "GET evenkeel:reply:%s", it->ids[i]);
        if (was_done(it->ids[i])) {
            assert_non_null(strstr(reply, "\"done\""));
        } else {
            assert_non_null(strstr(reply, "stopped leading at that moment"));
        }
    }
}

/* Whatever the lease does meanwhile, a command happens at most once, under a lease that we hold,
 * and whoever gave it hears what came of it. */
static void test_lease_comes_and_goes(void **state)
{
    static struct operator operators[OPERATORS];
    int64_t epoch = 5;

    (void)state;
    for (int o = 0; o < OPERATORS; o++) {
        assert_int_equal(pthread_create(&operators[o].thread, NULL, operate, &operators[o]), 0);
    }
    while (done_count < ALL / 2) {
        change_lease(++epoch);
        (void)uv_run(&daemon_state.loop, UV_RUN_ONCE);
        (void)uv_run(&daemon_state.loop, UV_RUN_ONCE);
    }
    for (int o = 0; o < OPERATORS; o++) {
        assert_int_equal(pthread_join(operators[o].thread, NULL), 0);
        assert_int_equal(operators[o].issued, COMMANDS);
    }
    while (strcmp(server_say(&server, "XLEN evenkeel:command"), "0") != 0 || balancing.taking) {
        (void)uv_run(&daemon_state.loop, UV_RUN_ONCE);
    }
    (void)end(state); /* the replies are written */
    for (int o = 0; o < OPERATORS; o++) {
        assert_told(&operators[o]);
    }
}

/* A stop among commands: what was taken is told or done, what was not taken stays for the next. */
static void test_stop_among_commands(void **state)
{
    static struct operator it;

    assert_int_equal(pthread_create(&it.thread, NULL, operate, &it), 0);
    while (done_count < 3) {
        (void)uv_run(&daemon_state.loop, UV_RUN_ONCE);
    }
    (void)end(state);
    assert_int_equal(pthread_join(it.thread, NULL), 0);
    int left = atoi(server_say(&server, "XLEN evenkeel:command"));
    assert_in_range(left, COMMANDS - done_count - 1, COMMANDS - done_count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_lease_comes_and_goes, begin),
        cmocka_unit_test_setup(test_stop_among_commands, begin),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
