/* What POST and DELETE do: the same as the verbs of `evenkeel`, through Redis. */
#include "balancer/codec/codec.h"
#include "balancer/http/internal.h"
#include "balancer/view/exchange.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { WAIT_MS = 10000 };

/* Ends early when the endpoint stops. */
static bool pause_for(void *context, int ms)
{
    struct ek_http *http = context;
    struct timespec until;

    (void)clock_gettime(CLOCK_MONOTONIC, &until); /* the clock of http->stopped */
    until.tv_nsec += (long)ms * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    (void)pthread_mutex_lock(&http->mutex);
    while (!http->stopping && pthread_cond_timedwait(&http->stopped, &http->mutex, &until) == 0) {
    }
    bool stopping = http->stopping;
    (void)pthread_mutex_unlock(&http->mutex);
    return stopping;
}

/* "http:127.0.0.1@mon-1", for those who ask later who it was. */
static void sign(const struct ek_http_request *request, char *by, size_t size)
{
    char host[64] = "localhost";

    (void)gethostname(host, sizeof(host) - 1);
    (void)snprintf(by, size, "http:%s@%s", request->peer, host);
}

static void note(const struct ek_http_request *request, const char *what, const char *result)
{
    char line[EK_REPLY_SIZE + 200];

    (void)snprintf(line, sizeof(line), "HTTP, from %s: %s: %s", request->peer, what, result);
    request->http->options.log(EK_LOG_INFO, line);
}

/* ---- commands ------------------------------------------------------------------------------ */

static unsigned int status_of(enum ek_error_code code)
{
    switch (code) {
    case EK_ERR_NONE:
        return MHD_HTTP_OK;
    case EK_ERR_INVALID:
        return MHD_HTTP_BAD_REQUEST;
    case EK_ERR_NOT_FOUND:
        return MHD_HTTP_NOT_FOUND;
    case EK_ERR_DENIED:
    case EK_ERR_CONFLICT:
        return MHD_HTTP_CONFLICT;
    case EK_ERR_UNAVAILABLE:
    case EK_ERR_TIMEOUT:
    case EK_ERR_FENCED:
        return MHD_HTTP_SERVICE_UNAVAILABLE;
    case EK_ERR_NOMEM:
    case EK_ERR_IO:
    case EK_ERR_REMOTE:
        break;
    }
    return MHD_HTTP_INTERNAL_SERVER_ERROR;
}

static struct ek_http_response of_exchange(enum ek_exchange_end end,
                                           const struct ek_command_reply *reply, const char *why,
                                           const struct ek_error *err)
{
    switch (end) {
    case EK_EXCHANGE_ANSWERED:
        return ek_http_json(status_of(reply->code), ek_codec_write_reply(reply));
    case EK_EXCHANGE_NO_LEADER:
        return ek_http_refuse(MHD_HTTP_SERVICE_UNAVAILABLE, EK_ERR_UNAVAILABLE,
                              "no balancer leads here, so nothing was done");
    case EK_EXCHANGE_WITHDRAWN:
        return ek_http_refuse(MHD_HTTP_SERVICE_UNAVAILABLE, EK_ERR_TIMEOUT,
                              "%s; the command is withdrawn, nothing was done", why);
    case EK_EXCHANGE_TAKEN:
        return ek_http_refuse(MHD_HTTP_GATEWAY_TIMEOUT, EK_ERR_TIMEOUT,
                              "%s; the balancer has taken the command, and what came of it is not "
                              "known yet",
                              why);
    case EK_EXCHANGE_UNKNOWN:
        return ek_http_refuse(MHD_HTTP_GATEWAY_TIMEOUT, err->code,
                              "%s; the command was sent, and it may still be done within %d s",
                              err->message, EK_COMMAND_LIFE_S);
    case EK_EXCHANGE_FAILED:
        break;
    }
    return ek_http_fail(err);
}

/* A connection of its own: who waits for a reply keeps nobody from looking. */
static struct ek_http_response command(struct ek_http_request *request, enum ek_command_kind kind)
{
    struct ek_http *http = request->http;
    struct ek_command command = {.kind = kind};
    struct ek_command_reply reply = {.code = EK_ERR_NONE};
    struct ek_error err = {0};
    char by[160];
    char why[64];

    if (strlen(request->rest) >= sizeof(command.subject)) {
        return ek_http_refuse(MHD_HTTP_BAD_REQUEST, EK_ERR_INVALID,
                              "found an id of %zu bytes, expected 1 to %zu", strlen(request->rest),
                              sizeof(command.subject) - 1);
    }
    (void)snprintf(command.subject, sizeof(command.subject), "%s", request->rest);
    sign(request, by, sizeof(by));
    struct ek_store *store = http->options.open_store(http->options.context);
    if (store == NULL) {
        return ek_http_json(0, NULL);
    }
    const struct ek_exchange exchange = {
        .store = store, .by = by, .wait_ms = WAIT_MS, .pause = pause_for, .context = http};
    enum ek_exchange_end end = ek_exchange_run(&exchange, &command, &reply, why, sizeof(why), &err);
    ek_store_destroy(store);
    note(request, ek_command_name(kind), end == EK_EXCHANGE_ANSWERED ? reply.text : "no answer");
    return of_exchange(end, &reply, why, &err);
}

struct ek_http_response ek_http_pause(struct ek_http_request *request)
{
    return command(request, EK_COMMAND_PAUSE);
}

struct ek_http_response ek_http_resume(struct ek_http_request *request)
{
    return command(request, EK_COMMAND_RESUME);
}

struct ek_http_response ek_http_approve(struct ek_http_request *request)
{
    return command(request, EK_COMMAND_APPROVE);
}

struct ek_http_response ek_http_reject(struct ek_http_request *request)
{
    return command(request, EK_COMMAND_REJECT);
}

struct ek_http_response ek_http_cancel(struct ek_http_request *request)
{
    return command(request, EK_COMMAND_CANCEL);
}

struct ek_http_response ek_http_abort(struct ek_http_request *request)
{
    return command(request, EK_COMMAND_ABORT);
}

/* ---- maintenance --------------------------------------------------------------------------- */

static bool is_host(const struct ek_http_request *request)
{
    const struct ek_config *config = request->http->options.config;

    for (size_t h = 0; h < config->host_count; h++) {
        if (strcmp(config->hosts[h].name, request->rest) == 0) {
            return true;
        }
    }
    return false;
}

static struct ek_http_response say_done(const struct ek_http_request *request, const char *what)
{
    char text[EK_HTTP_TEXT_SIZE];

    (void)snprintf(text, sizeof(text), "%s %s", request->rest, what);
    note(request, "maintenance", text);
    return ek_http_json(MHD_HTTP_OK, ek_http_outcome(EK_ERR_NONE, text));
}

static struct ek_http_response unknown_host(const struct ek_http_request *request)
{
    return ek_http_refuse(MHD_HTTP_NOT_FOUND, EK_ERR_NOT_FOUND,
                          "found the unknown host \"%s\", expected one of evenkeel.yaml",
                          request->rest);
}

/* The body is the key's value as the contract has it, and is checked as that. */
struct ek_http_response ek_http_set_maintenance(struct ek_http_request *request)
{
    struct ek_look_desk *desk = &request->http->look;
    struct ek_error err = {0};
    struct ek_maintenance key = {.wanted = true};

    if (!is_host(request)) {
        return unknown_host(request);
    }
    if (request->body_size > 0 &&
        !ek_codec_read_maintenance(request->body, request->body_size, "body", &key, &err)) {
        return ek_http_refuse(MHD_HTTP_BAD_REQUEST, EK_ERR_INVALID, "%s", err.message);
    }
    if (key.fault[0] != '\0') {
        return ek_http_refuse(MHD_HTTP_BAD_REQUEST, EK_ERR_INVALID, "body: %s", key.fault);
    }
    struct ek_store *store = ek_look_store(desk, &err);
    bool done = store != NULL &&
                ek_store_set_maintenance(store, request->rest,
                                         request->body_size > 0 ? request->body : NULL, 0, &err);
    ek_look_give(desk, done ? NULL : &err);
    return done ? say_done(request, "is to be emptied") : ek_http_fail(&err);
}

struct ek_http_response ek_http_delete_maintenance(struct ek_http_request *request)
{
    struct ek_look_desk *desk = &request->http->look;
    struct ek_balancer_status balancer;
    struct ek_error err = {0};
    bool led = false;

    if (!is_host(request)) {
        return unknown_host(request);
    }
    struct ek_store *store = ek_look_store(desk, &err);
    bool done = store != NULL && ek_store_end_maintenance(store, request->rest, &err) &&
                ek_view_read_balancer(store, &balancer, &led, &err) &&
                /* A balancer deletes its status itself; nobody else will, and it would be taken for
                 * a new one when the host is to be emptied again. */
                (led || ek_store_delete_maintenance_status(store, request->rest, &err));
    ek_look_give(desk, done ? NULL : &err);
    return done ? say_done(request, "is used again") : ek_http_fail(&err);
}
