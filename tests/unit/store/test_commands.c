/* Commands, their replies, and resolutions, against a real Redis. */
#include "fixture.h"

#include <hiredis/hiredis.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int64_t epoch;

static int clean_anew(void **state)
{
    (void)clean(state);
    (void)server_say(&server, "SET evenkeel:epoch 5");
    epoch = 5;
    return 0;
}

static struct ek_command issue(enum ek_command_kind kind, const char *subject)
{
    struct ek_command command = {.kind = kind};
    struct ek_error err;

    (void)snprintf(command.subject, sizeof(command.subject), "%s", subject);
    assert_done(ek_store_issue_command(server.store, &command, "me@here", 1764000000000, &err),
                &err);
    return command;
}

static bool take(struct ek_command_entry *entry)
{
    bool taken = false;
    struct ek_error err;

    assert_done(ek_store_take_command(server.store, epoch, entry, &taken, &err), &err);
    return taken;
}

/* What was issued is taken whole, the oldest first, and once. */
static void test_taken_once(void **state)
{
    struct ek_command_entry entry;

    (void)state;
    struct ek_command first = issue(EK_COMMAND_CANCEL, "p 1 100%s");
    (void)issue(EK_COMMAND_PAUSE, "");
    assert_true(take(&entry));
    assert_int_equal(entry.problem.code, EK_ERR_NONE);
    assert_string_equal(entry.command.id, first.id);
    assert_int_equal(entry.command.kind, EK_COMMAND_CANCEL);
    assert_string_equal(entry.command.subject, "p 1 100%s");
    assert_string_equal(entry.by, "me@here");
    assert_in_range(entry.age_ms, 0, 60000);
    assert_true(take(&entry));
    assert_int_equal(entry.command.kind, EK_COMMAND_PAUSE);
    assert_false(take(&entry));
}

/* A balancer that was replaced takes nothing; the command waits for the one that leads. */
static void test_fenced(void **state)
{
    struct ek_command_entry entry;
    struct ek_error err;
    bool taken = true;

    (void)state;
    (void)issue(EK_COMMAND_PAUSE, "");
    assert_false(ek_store_take_command(server.store, 4, &entry, &taken, &err));
    assert_int_equal(err.code, EK_ERR_FENCED);
    assert_false(taken);
    assert_string_equal(server_say(&server, "XLEN evenkeel:command"), "1");
    assert_true(take(&entry));
}

/* A crash between taking and doing loses the command and never repeats it. */
static void test_crash_repeats_nothing(void **state)
{
    struct ek_command_entry entry;

    (void)state;
    (void)issue(EK_COMMAND_PAUSE, "");
    assert_true(take(&entry));
    server_crash_and_restart(&server);
    assert_false(take(&entry));
}

/* One that is broken or unknown is taken with its problem, and does not stand in the way. */
static void test_broken(void **state)
{
    static const char *const fields[] = {
        "version 1 kind nonsense",
        "version 2 kind pause",
        "kind pause",
        "version 1 subject x",
        "version 1 kind resolve subject x choice 0123456789012345678901234567890123456789",
    };
    struct ek_command_entry entry;

    (void)state;
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        char id[64];
        (void)snprintf(id, sizeof(id), "%s",
                       server_say(&server, "XADD evenkeel:command * %s", fields[i]));
        (void)issue(EK_COMMAND_RESUME, "");
        assert_true(take(&entry));
        assert_int_equal(entry.problem.code, EK_ERR_INVALID);
        assert_string_equal(entry.command.id, id);
        assert_non_null(strstr(entry.problem.message, id));
        assert_true(take(&entry));
        assert_int_equal(entry.problem.code, EK_ERR_NONE);
    }
}

/* Age is told by the server's clock from the entry's id, whatever the sender's clock says. */
static void test_age(void **state)
{
    struct ek_command_entry entry;

    (void)state;
    (void)server_say(&server, "XADD evenkeel:command 1000-0 version 1 kind pause");
    assert_true(take(&entry));
    assert_true(entry.age_ms > 1600000000000);
}

/* Taken back before it was taken: it never happens. Afterwards the sender hears that it was late.
 */
static void test_withdraw(void **state)
{
    struct ek_command_entry entry;
    struct ek_error err;
    bool withdrawn = false;

    (void)state;
    struct ek_command command = issue(EK_COMMAND_PAUSE, "");
    assert_done(ek_store_withdraw_command(server.store, command.id, &withdrawn, &err), &err);
    assert_true(withdrawn);
    assert_false(take(&entry));
    command = issue(EK_COMMAND_PAUSE, "");
    assert_true(take(&entry));
    assert_done(ek_store_withdraw_command(server.store, command.id, &withdrawn, &err), &err);
    assert_false(withdrawn);
}

static void test_reply(void **state)
{
    struct ek_error err;
    char *json = NULL;

    (void)state;
    assert_done(ek_store_get_reply(server.store, "1-1", &json, &err), &err);
    assert_null(json);
    assert_done(ek_store_put_reply(server.store, "1-1", "{}", &err), &err);
    assert_done(ek_store_get_reply(server.store, "1-1", &json, &err), &err);
    assert_string_equal(json, "{}");
    free(json);
    assert_in_range(strtol(server_say(&server, "PTTL evenkeel:reply:1-1"), NULL, 10), 1, 60000);
}

/* A waiter says "look now" at first, then waits, and wakes by each new command, also after the
 * server was away. */
static void test_wait(void **state)
{
    struct ek_store *waiter = server_store(&server, 2000);
    struct ek_error err;
    bool changed = false;

    (void)state;
    assert_done(ek_store_wait_command(waiter, 100, &changed, &err), &err);
    assert_true(changed);
    assert_done(ek_store_wait_command(waiter, 50, &changed, &err), &err);
    assert_false(changed);
    (void)issue(EK_COMMAND_PAUSE, "");
    assert_done(ek_store_wait_command(waiter, 20000, &changed, &err), &err);
    assert_true(changed);
    assert_done(ek_store_wait_command(waiter, 50, &changed, &err), &err);
    assert_false(changed);
    server_crash_and_restart(&server);
    if (!ek_store_wait_command(waiter, 50, &changed, &err)) {
        assert_done(ek_store_wait_command(waiter, 50, &changed, &err), &err);
    }
    assert_true(changed);
    ek_store_destroy(waiter);
}

/* ---- resolutions ---------------------------------------------------------------------------- */

static const struct ek_move_resolution word = {"accept-source", "me@here", 1764000000000};

static struct ek_move_record blocked(void)
{
    struct ek_move_record record = {
        .order = {.id = "p1-1", .domain = "u1", .source = "h1", .destination = "h2"},
        .state = EK_MOVE_UNKNOWN,
        .attempt = 1,
        .epoch = epoch,
        .updated_at_ms = 1000,
        .eta_ms = -1,
    };
    struct ek_error err;

    assert_done(ek_store_write_move(server.store, &record, NULL, &err), &err);
    return record;
}

static struct ek_move_record closed_as(struct ek_move_record record, enum ek_move_state state)
{
    record.state = state;
    record.epoch = epoch;
    record.updated_at_ms = 2000;
    return record;
}

/* The word stands beside the record first; closing takes the record out of what blocks. */
static void test_resolve(void **state)
{
    struct ek_move_record record = blocked();
    struct ek_move_record closed = closed_as(record, EK_MOVE_ROLLED_BACK);
    struct ek_error err;

    (void)state;
    assert_done(ek_store_resolve_move(server.store, &record, NULL, epoch, &word, &err), &err);
    assert_string_equal(server_say(&server, "SMEMBERS evenkeel:moves:blocking"), "p1-1");
    assert_string_equal(server_say(&server, "HGET evenkeel:move:p1-1 resolution"),
                        "{\"version\":1,\"choice\":\"accept-source\",\"by\":\"me@here\","
                        "\"at_ms\":1764000000000}");
    assert_done(ek_store_resolve_move(server.store, &record, &closed, epoch, &word, &err), &err);
    assert_string_equal(server_say(&server, "SCARD evenkeel:moves:blocking"), "0");
    assert_string_equal(server_say(&server, "HGET evenkeel:move:p1-1 state"), "rolled-back");
    assert_true(strtol(server_say(&server, "PTTL evenkeel:move:p1-1"), NULL, 10) > 0);
    /* The same again, by whoever lost the answer. */
    assert_done(ek_store_resolve_move(server.store, &record, &closed, epoch, &word, &err), &err);
    assert_string_equal(server_say(&server, "XLEN evenkeel:moves"), "2");
}

/* `forget` keeps the state, and frees the domain all the same. */
static void test_forget(void **state)
{
    struct ek_move_record record = blocked();
    struct ek_move_record closed = closed_as(record, EK_MOVE_UNKNOWN);
    struct ek_error err;

    (void)state;
    assert_done(ek_store_resolve_move(server.store, &record, &closed, epoch, &word, &err), &err);
    assert_string_equal(server_say(&server, "SCARD evenkeel:moves:blocking"), "0");
    assert_string_equal(server_say(&server, "HGET evenkeel:move:p1-1 state"), "unknown");
}

/* Only what blocks, as it was read, and only by the one that leads. */
static void test_resolve_refused(void **state)
{
    struct ek_move_record record = blocked();
    struct ek_move_record other = record;
    struct ek_error err;

    (void)state;
    assert_false(ek_store_resolve_move(server.store, &record, NULL, 4, &word, &err));
    assert_int_equal(err.code, EK_ERR_FENCED);
    other.attempt = 2;
    assert_false(ek_store_resolve_move(server.store, &other, NULL, epoch, &word, &err));
    assert_int_equal(err.code, EK_ERR_CONFLICT);
    (void)server_say(&server, "SREM evenkeel:moves:blocking p1-1");
    assert_false(ek_store_resolve_move(server.store, &record, NULL, epoch, &word, &err));
    assert_int_equal(err.code, EK_ERR_CONFLICT);
    assert_string_equal(server_say(&server, "HEXISTS evenkeel:move:p1-1 resolution"), "0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_taken_once, clean_anew),
        cmocka_unit_test_setup(test_fenced, clean_anew),
        cmocka_unit_test_setup(test_crash_repeats_nothing, clean_anew),
        cmocka_unit_test_setup(test_broken, clean_anew),
        cmocka_unit_test_setup(test_age, clean_anew),
        cmocka_unit_test_setup(test_withdraw, clean_anew),
        cmocka_unit_test_setup(test_reply, clean_anew),
        cmocka_unit_test_setup(test_wait, clean_anew),
        cmocka_unit_test_setup(test_resolve, clean_anew),
        cmocka_unit_test_setup(test_forget, clean_anew),
        cmocka_unit_test_setup(test_resolve_refused, clean_anew),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
