/* `resolve` from the command to the closed record: real journal in a real Redis, real executor, and
 * two hosts that the test plays. */
#include "../store/server.h"

#include "balancer/codec/command.h"
#include "balancer/daemon/balancing.h"

static struct server server;
static struct ek_daemon daemon_state;
static struct ek_balancing balancing;
static struct ek_journal journal;
static struct ek_hypervisor port;

/* The two hosts, and what was done to them. */
static struct ek_observation source;
static struct ek_observation destination;
static struct ek_elsewhere elsewhere;
static struct ek_observation next_destination; /* after a repair */
static int looks;
static int change_after; /* looks; then the destination is as `next_destination` says; 0: never */
static int destroyed;
static int unprepared;
static int posted;
static bool copied; /* the move copies a disk, whose original stays for an hour */
static bool unprepare_fails;

/* What the loop was told. */
static struct ek_command_reply reply;
static bool replied;
static char unblocked[EK_UUID_SIZE];

void ek_balancing_step(struct ek_balancing *it, const struct ek_event *event)
{
    assert_ptr_equal(it, &balancing);
    assert_int_equal(event->kind, EK_EVENT_UNBLOCK);
    (void)snprintf(unblocked, sizeof(unblocked), "%s", event->u.unblock);
}

void ek_balancing_reply(struct ek_balancing *it, const struct ek_command_reply *said)
{
    (void)it;
    reply = *said;
    replied = true;
}

/* ---- the hosts ------------------------------------------------------------------------------- */

static void observe(void *context, const struct ek_move_record *record,
                    struct ek_observation *on_source, struct ek_observation *on_destination)
{
    (void)context;
    (void)record;
    looks++;
    if (change_after > 0 && looks > change_after) {
        destination = next_destination;
    }
    *on_source = source;
    *on_destination = destination;
}

static void search(void *context, const struct ek_move_record *record, struct ek_elsewhere *out)
{
    (void)context;
    (void)record;
    *out = elsewhere;
}

static struct ek_call_result destroy(void *context, const struct ek_move_record *record)
{
    (void)context;
    (void)record;
    destroyed++;
    destination = next_destination;
    return (struct ek_call_result){.ok = true};
}

static struct ek_call_result unprepare(void *context, const struct ek_move_record *record,
                                       ek_note note, void *note_context)
{
    (void)context;
    (void)record;
    note(note_context, "unprepare", "done");
    unprepared++;
    return (struct ek_call_result){.ok = !unprepare_fails};
}

static struct ek_call_result post(void *context, const struct ek_move_record *record,
                                  void (*note)(void *, const char *step, const char *text),
                                  void *note_context)
{
    (void)context;
    (void)record;
    note(note_context, "post-source", "done");
    posted++;
    return (struct ek_call_result){.ok = true};
}

static struct ek_observation seen(enum ek_presence presence, enum ek_run_state run)
{
    struct ek_observation out = {.presence = presence, .run = run, .persistent = true};

    if (presence == EK_PRESENCE_UNREACHABLE) {
        out.job = EK_JOB_NOT_KNOWN;
    }
    (void)snprintf(out.text, sizeof(out.text), "presence %d", (int)presence);
    return out;
}

/* ---- the daemon around it -------------------------------------------------------------------- */

static void write_note(void *context, const struct ek_move_record *record, const char *step,
                       const char *text)
{
    (void)context;
    (void)record;
    (void)step;
    (void)text;
}

static int64_t clock_now(void *context)
{
    (void)context;
    return monotonic_ms();
}

static void open_executor(void)
{
    struct ek_executor_options options = {
        .hypervisor = &port, .journal = &journal, .now_ms = clock_now};
    struct ek_error err;

    ek_move_timing_defaults(&options.timing);
    port = (struct ek_hypervisor){.observe = observe,
                                  .search = search,
                                  .destroy_destination = destroy,
                                  .unprepare = unprepare,
                                  .post = post};
    journal = (struct ek_journal){.note = write_note};
    balancing.executor = ek_executor_create(&options, &err);
    assert_non_null(balancing.executor);
}

static int setup(void **state)
{
    struct ek_error err;

    (void)state;
    server_start(&server);
    assert_int_equal(uv_loop_init(&daemon_state.loop), 0);
    daemon_state.store =
        ek_store_thread_create(&daemon_state.loop, server_store(&server, 5000), &err);
    assert_non_null(daemon_state.store);
    balancing.daemon = &daemon_state;
    balancing.epoch = 5;
    (void)pthread_mutex_init(&balancing.outcome_mutex, NULL);
    assert_true(ek_balancing_open_resolving(&balancing));
    open_executor();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    assert_true(ek_executor_shutdown(balancing.executor, 20000));
    ek_executor_destroy(balancing.executor);
    ek_store_thread_stop(daemon_state.store);
    uv_close((uv_handle_t *)&balancing.resolve_async, NULL);
    (void)uv_run(&daemon_state.loop, UV_RUN_DEFAULT);
    ek_store_thread_destroy(daemon_state.store);
    assert_int_equal(uv_loop_close(&daemon_state.loop), 0);
    server_stop(&server);
    return 0;
}

static void block(const char *id, const char *domain)
{
    struct ek_move_record record = {.order = {.name = "web-1", .source = "h1", .destination = "h2"},
                                    .state = EK_MOVE_UNKNOWN,
                                    .attempt = 1,
                                    .epoch = 5,
                                    .updated_at_ms = 1000,
                                    .eta_ms = -1};
    struct ek_error err;

    (void)snprintf(record.order.id, sizeof(record.order.id), "%s", id);
    (void)snprintf(record.order.domain, sizeof(record.order.domain), "%s", domain);
    (void)snprintf(record.error, sizeof(record.error), "the destination cannot be read");
    if (copied) {
        record.copies_disks = true;
        record.order.disk_grace_ms = 3600000;
        record.preparation_count = 1;
        record.preparations[0] = (struct ek_preparation){EK_PREPARATION_OVERLAY,
                                                         EK_PREPARATION_MADE, "/i/web", "vda", 0};
    }
    assert_done(ek_store_write_move(server.store, &record, NULL, &err), &err);
}

/* web-1 runs on its source alone; nobody else has it. */
static int begin(void **state)
{
    (void)state;
    assert_string_equal(server_say(&server, "FLUSHALL"), "OK");
    (void)server_say(&server, "SET evenkeel:epoch 5");
    block("p1-1", "u1");
    source = seen(EK_PRESENCE_ACTIVE, EK_RUN_RUNNING);
    destination = seen(EK_PRESENCE_ABSENT, EK_RUN_NONE);
    next_destination = destination;
    elsewhere = (struct ek_elsewhere){.asked = 1, .text = "absent on all 1"};
    copied = unprepare_fails = false;
    looks = change_after = destroyed = unprepared = posted = 0;
    unblocked[0] = '\0';
    return 0;
}

/* Runs the command to its reply. */
static void resolve(const char *choice)
{
    struct ek_command_entry entry = {.command = {.id = "1-1", .kind = EK_COMMAND_RESOLVE},
                                     .by = "me@here"};

    (void)snprintf(entry.command.subject, sizeof(entry.command.subject), "web-1");
    (void)snprintf(entry.command.choice, sizeof(entry.command.choice), "%s", choice);
    replied = false;
    ek_balancing_resolve(&balancing, &entry);
    while (!replied) {
        (void)uv_run(&daemon_state.loop, UV_RUN_ONCE);
    }
    assert_string_equal(reply.id, "1-1");
}

static void assert_closed(const char *state)
{
    assert_string_equal(server_say(&server, "HGET evenkeel:move:p1-1 state"), state);
    assert_string_equal(server_say(&server, "SCARD evenkeel:moves:blocking"), "0");
    assert_string_equal(unblocked, "u1");
}

static void assert_blocked(enum ek_error_code code)
{
    assert_int_equal(reply.code, code);
    assert_string_equal(server_say(&server, "SMEMBERS evenkeel:moves:blocking"), "p1-1");
    assert_string_equal(unblocked, "");
}

/* ---- tests ----------------------------------------------------------------------------------- */

/* Asked without a choice it tells what it saw and what may be done, and does nothing. */
static void test_evidence(void **state)
{
    (void)state;
    resolve("");
    assert_blocked(EK_ERR_NONE);
    assert_string_equal(reply.evidence.move, "p1-1");
    assert_string_equal(reply.evidence.on_source, "presence 3");
    assert_string_equal(reply.evidence.error, "the destination cannot be read");
    assert_string_equal(reply.evidence.verdict, "rolled-back");
    assert_int_equal(reply.evidence.choice_count, 2);
    assert_string_equal(reply.evidence.choices[0].name, "accept-source");
    assert_string_equal(reply.evidence.choices[1].name, "forget");
    assert_int_equal(unprepared + posted + destroyed, 0);
}

/* Accepted on its source: cleaned up as after any rollback, closed, free. */
static void test_accept_source(void **state)
{
    (void)state;
    resolve("accept-source");
    assert_int_equal(reply.code, EK_ERR_NONE);
    assert_closed("rolled-back");
    assert_int_equal(unprepared, 1);
    assert_non_null(strstr(server_say(&server, "HGET evenkeel:move:p1-1 resolution"), "me@here"));
    assert_non_null(strstr(server_say(&server, "XREVRANGE evenkeel:events + - COUNT 1"),
                           "resolved it by accept-source"));
}

/* Nothing may be chosen while a save of it runs; once its image is there, that is said. */
static void test_save(void **state)
{
    (void)state;
    source = seen(EK_PRESENCE_ACTIVE, EK_RUN_PAUSED_OTHER);
    source.job = EK_JOB_OTHER;
    source.saving = true;
    resolve("accept-source");
    assert_blocked(EK_ERR_DENIED);
    assert_non_null(strstr(reply.text, "a save of it goes on"));
    resolve("");
    assert_int_equal(reply.evidence.choice_count, 0);
    source = seen(EK_PRESENCE_INACTIVE, EK_RUN_SHUTOFF_OTHER);
    source.saved = true;
    resolve("");
    assert_blocked(EK_ERR_NONE);
    assert_non_null(strstr(reply.evidence.meaning, "it is off and saved"));
    assert_string_equal(reply.evidence.choices[0].name, "accept-down");
}

static void test_accept_destination(void **state)
{
    (void)state;
    source = seen(EK_PRESENCE_ABSENT, EK_RUN_NONE);
    destination = seen(EK_PRESENCE_ACTIVE, EK_RUN_RUNNING_MIGRATED);
    resolve("accept-destination");
    assert_closed("done");
    assert_int_equal(posted, 1);
}

/* The source's disks of a move that copied them go when their grace is over, as after any move;
 * what could not be undone on the destination is tried again. */
static void test_disks_go_to_the_trash(void **state)
{
    (void)state;
    copied = true;
    (void)server_say(&server, "FLUSHALL");
    (void)server_say(&server, "SET evenkeel:epoch 5");
    block("p1-1", "u1");
    destination = seen(EK_PRESENCE_ACTIVE, EK_RUN_RUNNING_MIGRATED);
    source = seen(EK_PRESENCE_ABSENT, EK_RUN_NONE);
    resolve("accept-destination");
    assert_closed("done");
    assert_string_equal(server_say(&server, "ZRANGE evenkeel:moves:trash 0 -1"), "p1-1");
    assert_string_equal(server_say(&server, "TTL evenkeel:move:p1-1"), "-1");
}

static void test_what_is_left_goes_to_the_trash(void **state)
{
    (void)state;
    copied = true;
    (void)server_say(&server, "FLUSHALL");
    (void)server_say(&server, "SET evenkeel:epoch 5");
    block("p1-1", "u1");
    unprepare_fails = true;
    resolve("accept-source");
    assert_closed("failed");
    assert_string_equal(server_say(&server, "ZRANGE evenkeel:moves:trash 0 -1"), "p1-1");
}

/* An orphan is destroyed, what is seen then decides how the record ends. */
static void test_destroy_destination(void **state)
{
    (void)state;
    destination = seen(EK_PRESENCE_ACTIVE, EK_RUN_PAUSED_MIGRATION);
    resolve("destroy-destination");
    assert_int_equal(destroyed, 1);
    assert_closed("rolled-back");
}

/* A destruction after which the source cannot be called well leaves the domain blocked. */
static void test_repair_that_leaves_doubt(void **state)
{
    (void)state;
    destination = seen(EK_PRESENCE_ACTIVE, EK_RUN_PAUSED_MIGRATION);
    next_destination = seen(EK_PRESENCE_UNREACHABLE, EK_RUN_NONE);
    resolve("destroy-destination");
    assert_int_equal(destroyed, 1);
    assert_blocked(EK_ERR_CONFLICT);
}

/* What changed between the look that was shown and the act is judged anew: nothing is done. */
static void test_judged_just_before_the_act(void **state)
{
    (void)state;
    destination = seen(EK_PRESENCE_ACTIVE, EK_RUN_PAUSED_MIGRATION);
    next_destination = seen(EK_PRESENCE_ACTIVE, EK_RUN_RUNNING);
    change_after = 1;
    resolve("destroy-destination");
    assert_int_equal(destroyed, 0);
    assert_blocked(EK_ERR_DENIED);
    assert_non_null(strstr(reply.text, "MORE THAN ONE HOST"));
}

/* Not offered is not done, whatever is asked for. */
static void test_refused(void **state)
{
    (void)state;
    resolve("destroy-source");
    assert_blocked(EK_ERR_DENIED);
    resolve("nonsense");
    assert_blocked(EK_ERR_INVALID);
    destination = seen(EK_PRESENCE_ACTIVE, EK_RUN_RUNNING);
    resolve("forget");
    assert_blocked(EK_ERR_DENIED);
    assert_int_equal(unprepared + posted + destroyed, 0);
    assert_string_equal(server_say(&server, "HEXISTS evenkeel:move:p1-1 resolution"), "0");
}

/* Forgetting touches no host; the record keeps what is known of it. */
static void test_forget(void **state)
{
    (void)state;
    source = seen(EK_PRESENCE_UNREACHABLE, EK_RUN_NONE);
    resolve("forget");
    assert_int_equal(reply.code, EK_ERR_NONE);
    assert_closed("unknown");
    assert_int_equal(unprepared + posted + destroyed, 0);
}

/* A balancer that was replaced does nothing on any host: its word is not taken. */
static void test_fenced(void **state)
{
    (void)state;
    destination = seen(EK_PRESENCE_ACTIVE, EK_RUN_PAUSED_MIGRATION);
    (void)server_say(&server, "SET evenkeel:epoch 6");
    resolve("destroy-destination");
    assert_int_equal(destroyed, 0);
    assert_blocked(EK_ERR_FENCED);
}

/* Whom it may mean must be clear: nobody, or two of one name, are no answer. */
static void test_which_domain(void **state)
{
    (void)state;
    block("p1-2", "u2");
    resolve("");
    assert_int_equal(reply.code, EK_ERR_INVALID);
    assert_non_null(strstr(reply.text, "p1-2"));
    (void)server_say(&server, "DEL evenkeel:moves:blocking");
    resolve("");
    assert_int_equal(reply.code, EK_ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_evidence, begin),
        cmocka_unit_test_setup(test_accept_source, begin),
        cmocka_unit_test_setup(test_save, begin),
        cmocka_unit_test_setup(test_accept_destination, begin),
        cmocka_unit_test_setup(test_disks_go_to_the_trash, begin),
        cmocka_unit_test_setup(test_what_is_left_goes_to_the_trash, begin),
        cmocka_unit_test_setup(test_destroy_destination, begin),
        cmocka_unit_test_setup(test_repair_that_leaves_doubt, begin),
        cmocka_unit_test_setup(test_judged_just_before_the_act, begin),
        cmocka_unit_test_setup(test_refused, begin),
        cmocka_unit_test_setup(test_forget, begin),
        cmocka_unit_test_setup(test_fenced, begin),
        cmocka_unit_test_setup(test_which_domain, begin),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
