/* The trash between the loop, the store's thread and its own: a real Redis, and a host that the
 * test plays, which may refuse and hang. */
#include "../store/server.h"

#include "balancer/daemon/balancing.h"
#include "balancer/daemon/trash.h"

#include <semaphore.h>
#include <stdlib.h>
#include <unistd.h>

static struct server server;
static struct ek_daemon daemon_state;
static struct ek_balancing balancing;
static struct ek_trash *trash;

/* The host. Guarded by the mutex. */
static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool hang;
    int asked; /* calls begun */
    enum ek_failure failure;
} host = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* Tells when a thread that called the host has ended. */
static pthread_key_t at_thread_end;
static sem_t threads_ended;

static void thread_ended(void *value)
{
    (void)value;
    (void)sem_post(&threads_ended);
}

static struct ek_call_result discard(void *context, const struct ek_move_record *record,
                                     ek_note note, void *note_context)
{
    struct ek_call_result result = {.error = "the pool is not there"};

    (void)context;
    (void)record;
    (void)pthread_setspecific(at_thread_end, &host);
    (void)pthread_mutex_lock(&host.mutex);
    host.asked++;
    (void)pthread_cond_broadcast(&host.changed);
    while (host.hang) {
        (void)pthread_cond_wait(&host.changed, &host.mutex);
    }
    result.failure = host.failure;
    result.ok = host.failure == EK_FAILURE_NONE;
    (void)pthread_mutex_unlock(&host.mutex);
    note(note_context, "discard", "looked");
    return result;
}

static const struct ek_hypervisor port = {.discard = discard};

const struct ek_hypervisor *ek_libvirt_port_hypervisor(struct ek_libvirt_port *it)
{
    (void)it;
    return &port;
}

static void set_hang(bool hang)
{
    (void)pthread_mutex_lock(&host.mutex);
    host.hang = hang;
    (void)pthread_cond_broadcast(&host.changed);
    (void)pthread_mutex_unlock(&host.mutex);
}

static int asked(void)
{
    (void)pthread_mutex_lock(&host.mutex);
    int count = host.asked;
    (void)pthread_mutex_unlock(&host.mutex);
    return count;
}

/* ---- the daemon around it -------------------------------------------------------------------- */

static void no_note(void *context, const struct ek_move_record *record, const char *step,
                    const char *text)
{
    (void)context;
    (void)record;
    (void)step;
    (void)text;
}

static int setup(void **state)
{
    (void)state;
    server_start(&server);
    assert_int_equal(pthread_key_create(&at_thread_end, thread_ended), 0);
    assert_int_equal(sem_init(&threads_ended, 0, 0), 0);
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
    struct ek_error err;

    (void)state;
    assert_string_equal(server_say(&server, "FLUSHALL"), "OK");
    (void)server_say(&server, "SET evenkeel:epoch 5");
    assert_int_equal(uv_loop_init(&daemon_state.loop), 0);
    daemon_state.store =
        ek_store_thread_create(&daemon_state.loop, server_store(&server, 5000), &err);
    assert_non_null(daemon_state.store);
    balancing = (struct ek_balancing){.daemon = &daemon_state, .leading = true, .epoch = 5};
    balancing.journal = (struct ek_journal){.note = no_note};
    host.asked = 0;
    host.failure = EK_FAILURE_NONE;
    trash = ek_trash_start(&balancing, &err);
    assert_non_null(trash);
    return 0;
}

/* In the daemon's order; whether nothing was out any more. */
static bool stop(void)
{
    bool quiet = ek_trash_stop(trash);

    ek_store_thread_stop(daemon_state.store);
    (void)uv_run(&daemon_state.loop, UV_RUN_DEFAULT);
    ek_store_thread_destroy(daemon_state.store);
    assert_int_equal(uv_loop_close(&daemon_state.loop), 0);
    return quiet;
}

static void throw_away(const char *id)
{
    struct ek_move_record record = {
        .order = {.domain = "u1", .name = "web-1", .source = "h1", .destination = "h2"},
        .state = EK_MOVE_POST,
        .attempt = 1,
        .epoch = 5,
        .eta_ms = -1};
    struct ek_move_record done = {0};
    struct ek_error err;

    (void)snprintf(record.order.id, sizeof(record.order.id), "%s", id);
    done = record;
    done.state = EK_MOVE_DONE;
    done.discard_at_ms = 1;
    assert_done(ek_store_write_move(server.store, &record, NULL, &err), &err);
    assert_done(ek_store_write_move(server.store, &done, &record, &err), &err);
}

static bool is_in_trash(const char *id)
{
    return strcmp(server_say(&server, "ZSCORE evenkeel:moves:trash %s", id), "(nil)") != 0;
}

/* Asks as the daemon does, until the move is out of the trash. */
static void cycle_until_gone(const char *id)
{
    while (is_in_trash(id)) {
        ek_trash_cycle(trash);
        (void)uv_run(&daemon_state.loop, UV_RUN_NOWAIT);
    }
}

static const char *events(void)
{
    return server_say(&server, "XRANGE evenkeel:events - +");
}

/* The same, until somebody was told that. */
static void cycle_until_told(const char *text)
{
    while (strstr(events(), text) == NULL) {
        ek_trash_cycle(trash);
        (void)uv_run(&daemon_state.loop, UV_RUN_NOWAIT);
    }
}

/* ---- tests ----------------------------------------------------------------------------------- */

/* What is due is removed, once, however often somebody asks. */
static void test_removed_once(void **state)
{
    (void)state;
    throw_away("p-1");
    throw_away("p-2");
    cycle_until_gone("p-1");
    cycle_until_gone("p-2");
    assert_int_equal(asked(), 2);
    assert_string_equal(events(), "");
    assert_true(stop());
    ek_trash_destroy(trash);
}

/* What fails is told and waits for its next time; what must stay is told and left. */
static void test_failures(void **state)
{
    (void)state;
    host.failure = EK_FAILURE_SAME_PAIR;
    throw_away("p-1");
    cycle_until_told("it is tried again: the pool is not there");
    assert_true(is_in_trash("p-1"));
    assert_int_equal(asked(), 1);
    host.failure = EK_FAILURE_DOMAIN;
    throw_away("p-2");
    cycle_until_told("p-2 left is still there: the pool");
    cycle_until_gone("p-2");
    assert_true(is_in_trash("p-1"));
    assert_true(stop());
    ek_trash_destroy(trash);
}

/* How often the text is in what was logged. */
static int count_in(const char *path, const char *text)
{
    char line[1024];
    FILE *file = fopen(path, "r");
    int count = 0;

    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        count += strstr(line, text) != NULL ? 1 : 0;
    }
    assert_int_equal(fclose(file), 0);
    return count;
}

static void cycle_until_put_off(const char *id)
{
    while (strcmp(server_say(&server, "ZSCORE evenkeel:moves:trash %s", id), "1") == 0) {
        ek_trash_cycle(trash);
        (void)uv_run(&daemon_state.loop, UV_RUN_NOWAIT);
    }
}

/* A record that cannot be read is told of once and holds up no other; an id without a record goes.
 */
static void test_odd_records_hold_up_nobody(void **state)
{
    char path[] = "/tmp/ek-log-XXXXXX";
    int file = mkstemp(path);
    int stderr_before = dup(STDERR_FILENO);

    (void)state;
    assert_true(file >= 0 && stderr_before >= 0);
    throw_away("p-1");
    throw_away("p-2");
    (void)server_say(&server, "HSET evenkeel:move:p-1 json {}");
    (void)server_say(&server, "ZADD evenkeel:moves:trash 1 p-0");
    assert_true(dup2(file, STDERR_FILENO) >= 0);
    cycle_until_gone("p-2");
    cycle_until_put_off("p-1");
    (void)server_say(&server, "ZADD evenkeel:moves:trash 1 p-1"); /* an hour later */
    cycle_until_put_off("p-1");
    assert_true(stop());
    assert_true(dup2(stderr_before, STDERR_FILENO) >= 0);
    assert_int_equal(count_in(path, "evenkeel:move:p-1: version: found nothing"), 1);
    (void)close(stderr_before);
    (void)close(file);
    (void)unlink(path);
    assert_false(is_in_trash("p-0"));
    assert_true(is_in_trash("p-1"));
    assert_int_equal(asked(), 1);
    ek_trash_destroy(trash);
}

/* A balancer that was replaced, as Redis or as it knows itself, removes nothing. */
static void test_only_the_leader_removes(void **state)
{
    (void)state;
    throw_away("p-1");
    (void)server_say(&server, "SET evenkeel:epoch 6");
    ek_trash_cycle(trash);
    assert_true(stop());
    ek_trash_destroy(trash);
    assert_string_equal(server_say(&server, "ZSCORE evenkeel:moves:trash p-1"), "1");
    (void)begin(state);
    throw_away("p-1");
    ek_trash_cycle(trash);
    balancing.leading = false;
    while (strcmp(server_say(&server, "ZSCORE evenkeel:moves:trash p-1"), "1") == 0) {
        /* the store's thread claims it; the loop has not heard of that yet */
    }
    (void)uv_run(&daemon_state.loop, UV_RUN_ONCE);
    assert_true(stop());
    ek_trash_destroy(trash);
    assert_int_equal(asked(), 0);
}

/* A call that hangs holds up neither the loop nor a second batch's question, and what it uses lives
 * on after the stop, until it comes back to nobody. */
static void test_hangs_at_the_stop(void **state)
{
    (void)state;
    set_hang(true);
    throw_away("p-1");
    while (asked() == 0) {
        ek_trash_cycle(trash);
        (void)uv_run(&daemon_state.loop, UV_RUN_NOWAIT);
    }
    throw_away("p-2");
    ek_trash_cycle(trash); /* one at a time: this one is not asked for yet */
    while (sem_trywait(&threads_ended) == 0) {
        /* those of the tests before */
    }
    assert_false(stop());
    set_hang(false);
    assert_int_equal(sem_wait(&threads_ended), 0);
    assert_int_equal(asked(), 1);
    assert_true(is_in_trash("p-1")); /* claimed, and found gone by whoever comes after us */
    ek_trash_destroy(trash);
}

/* Stopped at any moment of a batch, each of which may be the last that its thread sees. */
static void test_stopped_at_any_moment(void **state)
{
    enum { ROUNDS = 40 };

    for (int round = 0; round < ROUNDS; round++) {
        if (round > 0) {
            (void)begin(state);
        }
        while (sem_trywait(&threads_ended) == 0) {
            /* those before */
        }
        throw_away("p-1");
        ek_trash_cycle(trash);
        for (int turn = 0; turn < round % 4; turn++) {
            (void)uv_run(&daemon_state.loop, UV_RUN_ONCE);
        }
        if (!stop()) {
            assert_int_equal(sem_wait(&threads_ended), 0);
        }
        ek_trash_destroy(trash);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_removed_once, begin),
        cmocka_unit_test_setup(test_failures, begin),
        cmocka_unit_test_setup(test_odd_records_hold_up_nobody, begin),
        cmocka_unit_test_setup(test_only_the_leader_removes, begin),
        cmocka_unit_test_setup(test_hangs_at_the_stop, begin),
        cmocka_unit_test_setup(test_stopped_at_any_moment, begin),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
