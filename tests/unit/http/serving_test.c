/* The endpoint with many who ask at once, and at its end, over a real redis-server. */
#include "balancer/codec/history_block.h"
#include "balancer/codec/status.h"
#include "balancer/http/http.h"

#include "../store/fixture.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { ASKERS = 6, TURNS = 15 };

static struct ek_config config;
static struct ek_policy policy;
static struct ek_rules *rules; /* in force; NULL: the policy has none */

static struct ek_store *open_store(const void *context)
{
    (void)context;
    return server_store(&server, 2000);
}

static void pass_over(enum ek_log_level level, const char *text)
{
    (void)level;
    (void)text;
}

static int connect_to(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

/* The status of a request; 0: the connection ended without one. */
static int ask(const char *method, const char *path, const char *headers)
{
    char text[4096];
    int fd = connect_to(config.http.port);
    int size = snprintf(text, sizeof(text),
                        "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s\r\n", method,
                        path, headers);
    int status = 0;
    size_t used = 0;
    ssize_t got = 0;

    assert_int_equal(write(fd, text, (size_t)size), size);
    while ((got = read(fd, text + used, sizeof(text) - 1 - used)) > 0) {
        used += (size_t)got;
    }
    (void)close(fd);
    text[used] = '\0';
    return sscanf(text, "HTTP/1.1 %d", &status) == 1 ? status : 0;
}

static struct ek_http *start(bool loopback, const char *token)
{
    static struct ek_config_host hosts[] = {{.name = "h1", .uri = "qemu+tls://h1/system"},
                                            {.name = "h2", .uri = "qemu+tls://h2/system"}};
    struct ek_error err = {0};
    struct ek_http *http = NULL;
    const struct ek_http_options options = {.config = &config,
                                            .policy = &policy,
                                            .open_store = open_store,
                                            .redis_cli = "-s x",
                                            .identity = "test:1",
                                            .log = pass_over};

    config = (struct ek_config){
        .hosts = hosts,
        .host_count = 2,
        .evaluate_ms = 60000,
        .redis.key_prefix = "evenkeel:",
        .http = {
            .listen = "127.0.0.1", .address = "127.0.0.1", .loopback = loopback, .token = token}};
    ek_policy_defaults(&policy);
    /* Somebody else may have a port: then the next one. */
    for (int port = 20000 + (int)getpid() % 20000; http == NULL && port < 65000; port++) {
        config.http.port = port;
        http = ek_http_start(&options, &err);
    }
    assert_non_null(http);
    return http;
}

static void put_balancer(void)
{
    const struct ek_balancer_status status = {.leading = true, .at_ms = 1, .policy = "spread"};
    char *json = ek_codec_write_status(&status);
    struct ek_error err;

    assert_done(ek_store_put_status(server.store, "balancer", json, 60000, &err), &err);
    free(json);
}

/* As a reload brings it: with rules of its own, which replace those before. */
static void other_policy(struct ek_http *http)
{
    static const char text[] = "rules: [{name: apart, kind: anti_affinity, domains: ['web-*']}]\n";
    struct ek_rules *next = calloc(1, sizeof(*next));
    struct ek_error err = {0};

    assert_non_null(next);
    assert_done(ek_policy_parse(&policy, next, text, strlen(text), "p", NULL, &err), &err);
    ek_http_take_policy(http, &policy, rules);
    rules = next;
}

static void *ask_often(void *context)
{
    static const char *const paths[] = {"/api/v1/status", "/api/v1/hosts", "/metrics",
                                        "/api/v1/series", "/api/v1/moves", "/api/v1/events"};
    size_t *wrong = context;

    for (size_t i = 0; i < TURNS; i++) {
        *wrong += ask("GET", paths[i % (sizeof(paths) / sizeof(paths[0]))], "") != 200;
    }
    return NULL;
}

/* All get their answers, while moves end and the policy changes. */
static void many_ask(void **state)
{
    struct ek_http *http = start(true, NULL);
    const struct ek_outcome outcome = {.state = EK_MOVE_DONE, .transferred_mib = 1};
    pthread_t threads[ASKERS];
    size_t wrong[ASKERS] = {0};

    (void)state;
    put_balancer();
    for (size_t i = 0; i < ASKERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, ask_often, &wrong[i]), 0);
    }
    for (int i = 0; i < TURNS; i++) {
        ek_http_ended(http, &outcome);
        other_policy(http);
        assert_int_equal(ask("GET", "/healthz", ""), 503); /* heard of in 1970 */
    }
    for (size_t i = 0; i < ASKERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(wrong[i], 0);
    }
    ek_http_stop(http);
    ek_rules_finish(rules);
    free(rules);
    rules = NULL;
}

/* Beyond this machine everything but health and the page's own files takes the token. */
static void others_need_the_token(void **state)
{
    struct ek_http *http = start(false, "secret");

    (void)state;
    assert_int_equal(ask("GET", "/api/v1/status", ""), 401);
    assert_int_equal(ask("GET", "/metrics", ""), 401);
    assert_int_equal(ask("GET", "/metrics", "Authorization: Bearer secre\r\n"), 401);
    assert_int_equal(ask("GET", "/metrics", "Authorization: Bearer secret\r\n"), 200);
    assert_int_equal(ask("GET", "/healthz", ""), 503);
    assert_int_equal(ask("GET", "/nothing", ""), 404);
    ek_http_stop(http);
}

static void set_redis(int signal_number)
{
    assert_int_equal(kill((pid_t)ek_embedded_pid(server.embedded), signal_number), 0);
}

/* Those who queue for a Redis that hangs keep no end waiting but for the first. */
static void an_end_amid_a_queue(void **state)
{
    static const char request[] =
        "GET /api/v1/series?host=h1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    struct ek_http *http = start(true, NULL);
    int queue[ASKERS];

    (void)state;
    assert_int_equal(ask("GET", "/api/v1/series?host=h1", ""), 200);
    set_redis(SIGSTOP);
    for (size_t i = 0; i < ASKERS; i++) {
        queue[i] = connect_to(config.http.port);
        assert_int_equal(write(queue[i], request, sizeof(request) - 1), sizeof(request) - 1);
    }
    assert_int_equal(ask("GET", "/evenkeel.css", ""), 200); /* came last: all others are in */
    int64_t begin_ms = monotonic_ms();
    ek_http_stop(http);
    int64_t took_ms = monotonic_ms() - begin_ms;
    set_redis(SIGCONT);
    assert_true(took_ms < 5000); /* not 2,000 for each */
    for (size_t i = 0; i < ASKERS; i++) {
        (void)close(queue[i]);
    }
}

/* A host without cores to speak of: JSON has no infinity. */
static void an_infinite_ratio(void **state)
{
    const struct ek_history_limits limits = {.keep_ms = (int64_t)366 * 86400000,
                                             .max_bytes = 1 << 20};
    const struct ek_sample sample = {
        .taken_at_ms = (int64_t)time(NULL) * 1000 - 120000,
        .period_ms = 15000,
        .collector = "test:1",
        .host = {.name = "h1",
                 .cpu_cores = 1e-300,
                 .memory_mib = 65536,
                 .cpu_used_cores = 1e300,
                 .migration_mib_s = 1100,
                 .memory_used_mib = 1000},
    };
    struct ek_history_block *block = ek_history_block_create();
    struct ek_http *http = start(true, NULL);
    struct ek_error err;

    (void)state;
    assert_done(ek_history_block_add(block, &sample, &err), &err);
    assert_done(ek_store_put_history(server.store, block, &limits, &err), &err);
    ek_history_block_destroy(block);
    assert_int_equal(ask("GET", "/api/v1/series", ""), 200);
    ek_http_stop(http);
}

static void *pause_it(void *context)
{
    int *status = context;

    *status = ask("POST", "/api/v1/pause",
                  "Authorization: Bearer secret\r\nContent-Type: application/json\r\n"
                  "Content-Length: 0\r\n");
    return NULL;
}

/* Who waits for a balancer that never answers keeps no end waiting: the command is taken back. */
static void an_end_amid_a_command(void **state)
{
    struct ek_http *http = start(true, "secret");
    pthread_t thread;
    int status = 0;

    (void)state;
    put_balancer();
    assert_int_equal(pthread_create(&thread, NULL, pause_it, &status), 0);
    while (strcmp(server_say(&server, "XLEN evenkeel:command"), "1") != 0) {
    }
    int64_t begin_ms = monotonic_ms();
    ek_http_stop(http);
    assert_true(monotonic_ms() - begin_ms < 5000);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_string_equal(server_say(&server, "XLEN evenkeel:command"), "0");
}

/* It is in Redis, which then hangs: nobody may say that nothing was done. */
static void a_redis_that_hangs_after_a_command(void **state)
{
    struct ek_http *http = start(true, "secret");
    pthread_t thread;
    int status = 0;

    (void)state;
    put_balancer();
    assert_int_equal(pthread_create(&thread, NULL, pause_it, &status), 0);
    while (strcmp(server_say(&server, "XLEN evenkeel:command"), "1") != 0) {
    }
    set_redis(SIGSTOP);
    int joined = pthread_join(thread, NULL);
    set_redis(SIGCONT);
    assert_int_equal(joined, 0);
    assert_int_equal(status, 504);
    ek_http_stop(http);
}

/* An address that is taken is an error with its name, not a crash. */
static void a_taken_port(void **state)
{
    struct ek_http *http = start(true, NULL);
    struct ek_error err = {0};
    const struct ek_http_options options = {
        .config = &config, .policy = &policy, .open_store = open_store, .log = pass_over};

    (void)state;
    assert_null(ek_http_start(&options, &err));
    assert_string_equal(err.message,
                        "cannot listen at http.listen 127.0.0.1: Address already in use");
    ek_http_stop(http);
    ek_http_stop(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(many_ask, clean),
        cmocka_unit_test_setup(others_need_the_token, clean),
        cmocka_unit_test_setup(an_infinite_ratio, clean),
        cmocka_unit_test_setup(an_end_amid_a_queue, clean),
        cmocka_unit_test_setup(an_end_amid_a_command, clean),
        cmocka_unit_test_setup(a_redis_that_hangs_after_a_command, clean),
        cmocka_unit_test_setup(a_taken_port, clean),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
