/* The daemon's life: Redis, roles, signals, reload, stop. */
#include "balancer/daemon/daemon.h"

#include "balancer/core/plural.h"
#include "balancer/daemon/clock.h"
#include "balancer/daemon/descriptors.h"
#include "balancer/daemon/log.h"
#include "balancer/daemon/service.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { REDIS_START_MS = 10000 };

struct ek_store *ek_daemon_open_store(const struct ek_daemon *daemon)
{
    const struct ek_config_redis *redis = &daemon->config.redis;
    const struct ek_store_options options = {
        .unix_socket = daemon->redis_socket[0] != '\0' ? daemon->redis_socket : redis->socket,
        .host = redis->host,
        .port = redis->port,
        .user = redis->user,
        .password = redis->password,
        .database = redis->database,
        .key_prefix = redis->key_prefix,
        .connect_timeout_ms = (int)redis->connect_timeout_ms,
        .command_timeout_ms = (int)redis->command_timeout_ms,
    };

    return ek_store_create(&options);
}

static bool open_redis(struct ek_daemon *daemon, struct ek_error *err)
{
    const struct ek_config *config = &daemon->config;

    if (config->redis.mode == EK_REDIS_EMBEDDED) {
        daemon->embedded = ek_embedded_start(config->state_dir, REDIS_START_MS, err);
        if (daemon->embedded == NULL ||
            !ek_embedded_socket_path(config->state_dir, daemon->redis_socket,
                                     sizeof(daemon->redis_socket), err)) {
            return false;
        }
    }
    struct ek_store *store = ek_daemon_open_store(daemon);
    if (store == NULL) {
        return ek_error_set(err, EK_ERR_NOMEM, "out of memory for the store");
    }
    const char *socket =
        daemon->redis_socket[0] != '\0' ? daemon->redis_socket : config->redis.socket;
    (void)snprintf(daemon->redis_address, sizeof(daemon->redis_address), "%s%s",
                   socket != NULL ? "-s " : "-u ",
                   socket != NULL ? socket : ek_store_address(store));
    /* An external server may be away now and come back; a refused password does not mend itself. */
    if (!ek_store_ping(store, err)) {
        bool wait = daemon->embedded == NULL && err->code != EK_ERR_DENIED;
        ek_log(wait ? EK_LOG_WARNING : EK_LOG_ERROR, "%s", err->message);
        if (!wait) {
            ek_store_destroy(store);
            return false;
        }
    }
    daemon->store = ek_store_thread_create(&daemon->loop, store, err);
    return daemon->store != NULL;
}

static bool has_role(const struct ek_daemon *daemon, enum ek_role role)
{
    return (daemon->config.roles & (1U << role)) != 0;
}

static bool start_roles(struct ek_daemon *daemon, struct ek_error *err)
{
    if (has_role(daemon, EK_ROLE_COLLECTOR)) {
        daemon->collecting = ek_collecting_start(daemon, err);
        if (daemon->collecting == NULL) {
            return false;
        }
    }
    if (has_role(daemon, EK_ROLE_BALANCER)) {
        daemon->balancing = ek_balancing_start(daemon, err);
    }
    return daemon->balancing != NULL || !has_role(daemon, EK_ROLE_BALANCER);
}

static void close_handle(uv_handle_t *handle, void *context)
{
    (void)context;
    if (!uv_is_closing(handle)) {
        uv_close(handle, NULL);
    }
}

void ek_daemon_stop(struct ek_daemon *daemon, int exit_status)
{
    if (daemon->stopping) {
        return;
    }
    daemon->stopping = true;
    daemon->exit_status = exit_status;
    ek_service_stopping(daemon);
    if (daemon->collecting != NULL) {
        ek_collecting_stop(daemon->collecting);
    }
    if (daemon->balancing != NULL) {
        ek_balancing_stop(daemon->balancing);
    }
    if (daemon->store != NULL) {
        ek_store_thread_stop(daemon->store);
    }
    uv_walk(&daemon->loop, close_handle, NULL);
}

/* What is said of the changes in a file. */
struct change_log {
    const char *file;
    size_t count;
};

static void say_change(void *context, const char *path, const char *before, const char *after)
{
    struct change_log *log = context;

    log->count++;
    if (before != NULL && after != NULL && strcmp(before, after) == 0) {
        ek_log(EK_LOG_INFO, "%s: %s: its content has changed", log->file, path);
        return;
    }
    ek_log(EK_LOG_INFO, "%s: %s: %s -> %s", log->file, path, before == NULL ? "not given" : before,
           after == NULL ? "not given" : after);
}

/* Both files, line by line, before anything of them is in force. False: evenkeel.yaml says the
 * same as before; what cannot be told counts as a change. */
static bool log_changes(const struct ek_daemon *daemon, const struct ek_config *config,
                        const struct ek_policy *policy)
{
    struct change_log of_config = {.file = daemon->arguments.config};
    struct change_log of_policy = {.file = daemon->config.policy_path};
    struct ek_error err = {0};
    bool told = ek_config_changes(&daemon->config, config, say_change, &of_config, &err) &&
                ek_policy_changes(&daemon->policy, policy, say_change, &of_policy, &err);

    if (!told) {
        ek_log(EK_LOG_WARNING, "%s", err.message);
    } else if (of_config.count + of_policy.count == 0) {
        ek_log(EK_LOG_INFO, "nothing has changed in the files");
    }
    return !told || of_config.count > 0;
}

/* A move whose host is not configured any more could not be seen to its end: its outcome would be
 * unknown, and its domain blocked. */
static bool needs_a_host_that_goes(const struct ek_daemon *daemon, const struct ek_config *config)
{
    const char *move = NULL;
    const char *host =
        daemon->balancing == NULL ? NULL : ek_balancing_needs(daemon->balancing, config, &move);

    if (host == NULL) {
        return false;
    }
    ek_log(
        EK_LOG_ERROR,
        "%s lacks host %s, which move %s needs until it has ended: the files were not taken over; "
        "abort it or wait, then send SIGHUP again",
        daemon->arguments.config, host, move);
    return true;
}

static void warn(const char *text)
{
    ek_log(EK_LOG_WARNING, "%s", text);
}

/* A policy is swapped in place. Anything else that changes is taken up by a stop and a fresh start
 * of the same process: running migrations go on meanwhile and are adopted. */
static void reload(struct ek_daemon *daemon)
{
    struct ek_config config;
    struct ek_policy policy;
    struct ek_rules *rules = NULL;

    if (!ek_daemon_read_files(&daemon->arguments, &config, &policy, &rules)) {
        ek_log(EK_LOG_ERROR, "the files were not taken over; the values before stay in force");
        return;
    }
    bool same = !log_changes(daemon, &config, &policy);
    bool refused = !same && needs_a_host_that_goes(daemon, &config);
    ek_config_finish(&config);
    if (refused) {
        ek_daemon_free_rules(rules);
        return;
    }
    if (!same) {
        ek_log(EK_LOG_INFO, "%s has changed: starting anew", daemon->arguments.config);
        ek_daemon_free_rules(rules);
        daemon->restart = true;
        ek_daemon_stop(daemon, EXIT_SUCCESS);
        return;
    }
    struct ek_rules *before = daemon->rules;
    daemon->policy = policy;
    daemon->rules = rules;
    daemon->policy_file.looked = false;
    ek_log(EK_LOG_INFO, "policy taken over: %s, mode %s", ek_policy_kind_name(policy.kind),
           ek_mode_name(policy.mode));
    ek_daemon_foresee(&daemon->config, daemon->arguments.config, &policy, warn);
    if (daemon->balancing != NULL) {
        ek_balancing_reload(daemon->balancing); /* until then the engine uses the former ones */
    }
    ek_http_take_policy(daemon->http, &daemon->policy, before);
}

static void on_signal(uv_signal_t *signal, int number)
{
    struct ek_daemon *daemon = signal->data;

    if (number == SIGHUP) {
        ek_log(EK_LOG_INFO, "SIGHUP: reading %s again", daemon->arguments.config);
        ek_service_reloading(daemon);
        reload(daemon);
        ek_service_ready(daemon);
    } else {
        ek_log(EK_LOG_INFO, "signal %d: stopping", number);
        ek_daemon_stop(daemon, EXIT_SUCCESS);
    }
}

static void on_second(uv_timer_t *timer)
{
    struct ek_daemon *daemon = timer->data;
    struct ek_error err = {0};

    ek_service_tell(daemon);
    ek_daemon_serve(daemon);
    if (daemon->embedded != NULL && !ek_embedded_alive(daemon->embedded, &err)) {
        ek_log(EK_LOG_ERROR, "%s; stopping, so that a service manager starts us anew", err.message);
        ek_daemon_stop(daemon, EXIT_FAILURE);
    }
}

static void install_handlers(struct ek_daemon *daemon, uv_signal_t *signals, uv_timer_t *second)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        (void)uv_signal_init(&daemon->loop, &signals[i]);
        signals[i].data = daemon;
        (void)uv_signal_start(&signals[i], on_signal, numbers[i]);
    }
    (void)uv_timer_init(&daemon->loop, second);
    second->data = daemon;
    (void)uv_timer_start(second, on_second, 1000, 1000);
    (void)signal(SIGPIPE, SIG_IGN);
}

/* Only returns when it failed. */
static void begin_anew(char **argv)
{
    (void)execv("/proc/self/exe", argv);
    ek_log(EK_LOG_ERROR, "cannot start anew");
}

static void clean_up(struct ek_daemon *daemon, char **argv)
{
    ek_http_stop(daemon->http);
    ek_embedded_destroy(daemon->embedded);
    if (daemon->restart) {
        begin_anew(argv);
        daemon->exit_status = EXIT_FAILURE;
    }
    if (daemon->abandoned) {
        /* A thread hangs in a call that only its host can end; the migration goes on without us. */
        (void)fflush(NULL);
        _exit(daemon->exit_status);
    }
    ek_collecting_destroy(daemon->collecting);
    ek_balancing_destroy(daemon->balancing);
    ek_store_thread_destroy(daemon->store);
    (void)uv_loop_close(&daemon->loop);
    ek_daemon_free_rules(daemon->rules);
    ek_config_finish(&daemon->config);
}

int ek_daemon_run(struct ek_daemon *daemon, char **argv)
{
    struct ek_error err = {0};
    uv_signal_t signals[3];
    uv_timer_t second;

    (void)uv_loop_init(&daemon->loop);
    install_handlers(daemon, signals, &second);
    ek_log(EK_LOG_INFO, "evenkeeld " EK_VERSION ": %zu host%s, policy %s, mode %s",
           daemon->config.host_count, ek_plural(daemon->config.host_count),
           ek_policy_kind_name(daemon->policy.kind), ek_mode_name(daemon->policy.mode));
    ek_daemon_foresee(&daemon->config, daemon->arguments.config, &daemon->policy, warn);
    if (!ek_descriptors_allow(daemon->config.host_count, &err)) {
        ek_log(EK_LOG_WARNING, "%s", err.message);
    }
    if (!open_redis(daemon, &err) || !start_roles(daemon, &err)) {
        ek_log(EK_LOG_ERROR, "%s", err.message);
        ek_daemon_stop(daemon, EXIT_FAILURE);
    } else {
        ek_log(EK_LOG_INFO, "Redis: redis-cli %s", daemon->redis_address);
        ek_daemon_serve(daemon);
        if (daemon->balancing == NULL) { /* else the balancer says when it serves */
            ek_service_ready(daemon);
        }
    }
    (void)uv_run(&daemon->loop, UV_RUN_DEFAULT);
    ek_log(EK_LOG_INFO, "stopped");
    clean_up(daemon, argv);
    return daemon->exit_status;
}
