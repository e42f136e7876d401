/* Connections, their limits, and what stands in the headers of every answer. */
#include "balancer/codec/writer.h"
#include "balancer/http/internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A browser keeps six connections, a scraper one: more than this many are no friends, and beyond
 * this machine (where all share one address) so many from one address. What a
 * request's headers may take, and how long a connection may say nothing. */
enum { CONNECTIONS = 48, CONNECTIONS_EACH = 16, HEADERS_SIZE = 16384, IDLE_S = 30 };

/* ---- responses ----------------------------------------------------------------------------- */

struct ek_http_response ek_http_json(unsigned int status, char *json)
{
    static const char nothing[] = "{\"version\":1,\"done\":false,\"error\":\"out of memory\"}";

    if (json == NULL) {
        return (struct ek_http_response){.status = MHD_HTTP_INTERNAL_SERVER_ERROR,
                                         .type = "application/json",
                                         .fixed = nothing,
                                         .size = sizeof(nothing) - 1};
    }
    return (struct ek_http_response){.status = status, .type = "application/json", .text = json};
}

char *ek_http_outcome(enum ek_error_code code, const char *text)
{
    struct ek_json_writer writer = {.text = NULL};

    ek_json_begin(&writer, '{');
    ek_json_put_integer(&writer, "version", 1);
    ek_json_put_bool(&writer, "done", code == EK_ERR_NONE);
    if (code != EK_ERR_NONE) {
        ek_json_put_text(&writer, "error", ek_error_text(code));
    }
    ek_json_put_text(&writer, "text", text);
    ek_json_end(&writer, '}');
    return ek_json_finish(&writer);
}

struct ek_http_response ek_http_refuse(unsigned int status, enum ek_error_code code,
                                       const char *format, ...)
{
    char text[EK_HTTP_TEXT_SIZE];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    return ek_http_json(status, ek_http_outcome(code, text));
}

struct ek_http_response ek_http_fail(const struct ek_error *err)
{
    return ek_http_refuse(err->code == EK_ERR_NOMEM ? MHD_HTTP_INTERNAL_SERVER_ERROR
                                                    : MHD_HTTP_SERVICE_UNAVAILABLE,
                          err->code, "%s", err->message);
}

bool ek_http_number(const struct ek_http_request *request, const char *key, long min, long max,
                    long fallback, long *value, struct ek_http_response *refusal)
{
    const char *text = MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, key);
    char *end = NULL;

    *value = fallback;
    if (text == NULL) {
        return true;
    }
    *value = strtol(text, &end, 10);
    if (end == text || *end != '\0' || *value < min || *value > max) {
        *refusal = ek_http_refuse(MHD_HTTP_BAD_REQUEST, EK_ERR_INVALID,
                                  "%s: found \"%s\", expected a number from %ld to %ld", key, text,
                                  min, max);
        return false;
    }
    return true;
}

/* The page loads nothing from elsewhere, is shown inside no other one, and runs no script but its
 * own file; answers are for whoever asked, now. */
static void add_headers(struct MHD_Response *out, const struct ek_http_response *response)
{
    static const struct {
        const char *name;
        const char *value;
    } headers[] = {
        {"Content-Security-Policy",
         "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
         "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
        {"X-Content-Type-Options", "nosniff"},
        {"Referrer-Policy", "no-referrer"},
        {"Cross-Origin-Resource-Policy", "same-origin"},
    };

    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        (void)MHD_add_response_header(out, headers[i].name, headers[i].value);
    }
    (void)MHD_add_response_header(out, MHD_HTTP_HEADER_CONTENT_TYPE, response->type);
    (void)MHD_add_response_header(out, MHD_HTTP_HEADER_CACHE_CONTROL,
                                  response->fixed != NULL ? "no-cache" : "no-store");
    if (response->allow != NULL) {
        (void)MHD_add_response_header(out, MHD_HTTP_HEADER_ALLOW, response->allow);
    }
    if (response->status == MHD_HTTP_UNAUTHORIZED) {
        (void)MHD_add_response_header(out, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
    }
}

static enum MHD_Result send_response(struct ek_http_request *request,
                                     const struct ek_http_response *response)
{
    struct ek_http *http = request->http;
    struct MHD_Response *out =
        response->text != NULL
            ? MHD_create_response_from_buffer(strlen(response->text), response->text,
                                              MHD_RESPMEM_MUST_FREE)
            : MHD_create_response_from_buffer(response->size, (void *)(uintptr_t)response->fixed,
                                              MHD_RESPMEM_PERSISTENT);

    request->answered = true;
    if (out == NULL) {
        free(response->text);
        return MHD_NO; /* the connection ends */
    }
    add_headers(out, response);
    enum MHD_Result queued = MHD_queue_response(request->connection, response->status, out);
    MHD_destroy_response(out);
    (void)pthread_mutex_lock(&http->mutex);
    http->counts.answers[response->status / 100 % 6]++;
    (void)pthread_mutex_unlock(&http->mutex);
    return queued;
}

/* ---- requests ------------------------------------------------------------------------------ */

static void name_peer(struct ek_http_request *request)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *address = info == NULL ? NULL : info->client_addr;
    const void *number = NULL;

    if (address != NULL && address->sa_family == AF_INET) {
        number = &((const struct sockaddr_in *)(const void *)address)->sin_addr;
    } else if (address != NULL && address->sa_family == AF_INET6) {
        number = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
    }
    if (number == NULL ||
        inet_ntop(address->sa_family, number, request->peer, sizeof(request->peer)) == NULL) {
        (void)snprintf(request->peer, sizeof(request->peer), "?");
    }
}

static void take_body(struct ek_http_request *request, const char *data, size_t size)
{
    if (size > EK_HTTP_BODY_SIZE - request->body_size) {
        request->too_large = true;
        return;
    }
    memcpy(request->body + request->body_size, data, size);
    request->body_size += size;
}

static enum MHD_Result begin(struct ek_http *http, struct MHD_Connection *connection,
                             const char *path, const char *method, void **context)
{
    struct ek_http_request *request = calloc(1, sizeof(*request));
    struct ek_http_response refusal;

    if (request == NULL) {
        return MHD_NO;
    }
    *context = request;
    request->http = http;
    request->connection = connection;
    request->path = path;
    request->method = method;
    name_peer(request);
    /* Refused before its body is read. */
    return ek_http_admit(request, &refusal) ? MHD_YES : send_response(request, &refusal);
}

/* Called once when the headers are there, then for each piece of the body, then for the answer. */
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection,
                                  const char *path, const char *method, const char *version,
                                  const char *data, size_t *size, void **of_request)
{
    struct ek_http_request *request = *of_request;
    struct ek_http_response response;

    (void)version;
    if (request == NULL) {
        return begin(context, connection, path, method, of_request);
    }
    if (request->answered) {
        *size = 0;
        return MHD_YES;
    }
    if (*size > 0) {
        take_body(request, data, *size);
        *size = 0;
        return MHD_YES;
    }
    request->path = path;
    request->method = method;
    response = request->too_large
                   ? ek_http_refuse(MHD_HTTP_CONTENT_TOO_LARGE, EK_ERR_INVALID,
                                    "found a body of more than %d bytes, expected a smaller one",
                                    EK_HTTP_BODY_SIZE)
                   : ek_http_answer(request);
    return send_response(request, &response);
}

static void on_completed(void *context, struct MHD_Connection *connection, void **of_request,
                         enum MHD_RequestTerminationCode how)
{
    (void)context;
    (void)connection;
    (void)how;
    free(*of_request);
    *of_request = NULL;
}

static void on_log(void *context, const char *format, va_list arguments)
{
    const struct ek_http *http = context;
    char line[300];

    (void)vsnprintf(line, sizeof(line), format, arguments);
    line[strcspn(line, "\n")] = '\0';
    http->options.log(EK_LOG_DEBUG, line);
}

/* ---- start and stop ------------------------------------------------------------------------ */

static bool listen_at(struct ek_http *http, struct ek_error *err)
{
    const struct ek_config_http *config = &http->options.config->http;
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)config->port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)config->port)};
    bool is_v6 = inet_pton(AF_INET6, config->address, &v6.sin6_addr) == 1;
    const struct sockaddr *address =
        is_v6 ? (const struct sockaddr *)&v6 : (const struct sockaddr *)&v4;

    if (!is_v6) {
        (void)inet_pton(AF_INET, config->address, &v4.sin_addr);
    }
    errno = 0;
    http->server = MHD_start_daemon(
        MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL |
            MHD_USE_ERROR_LOG | (is_v6 ? MHD_USE_IPv6 : 0),
        0, NULL, NULL, on_request, http, MHD_OPTION_EXTERNAL_LOGGER, on_log, http,
        MHD_OPTION_SOCK_ADDR, address, MHD_OPTION_CONNECTION_LIMIT, (unsigned int)CONNECTIONS,
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, config->loopback ? 0u : (unsigned int)CONNECTIONS_EACH,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)HEADERS_SIZE, MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_END);
    return http->server != NULL ||
           ek_error_set(err, EK_ERR_UNAVAILABLE, "cannot listen at http.listen %s: %s",
                        config->listen, strerror(errno == 0 ? EADDRNOTAVAIL : errno));
}

/* Waits by CLOCK_MONOTONIC: a step of the wall clock neither ends nor lengthens them. */
static void init_waiting(struct ek_http *http)
{
    pthread_condattr_t monotonic;

    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&http->mutex, NULL);
    (void)pthread_cond_init(&http->stopped, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
}

static void destroy(struct ek_http *http)
{
    ek_look_close(&http->look);
    ek_series_close(&http->series);
    (void)pthread_cond_destroy(&http->stopped);
    (void)pthread_mutex_destroy(&http->mutex);
    free(http);
}

struct ek_http *ek_http_start(const struct ek_http_options *options, struct ek_error *err)
{
    struct ek_http *http = calloc(1, sizeof(*http));

    if (http == NULL) {
        (void)ek_error_set(err, EK_ERR_NOMEM, "out of memory for the HTTP endpoint");
        return NULL;
    }
    http->options = *options;
    init_waiting(http);
    if (!ek_look_open(&http->look, options->config, options->policy,
                      options->open_store(options->context), err) ||
        !ek_series_open(&http->series, options->config, options->open_store(options->context),
                        &http->stopping, err) ||
        !listen_at(http, err)) {
        destroy(http);
        return NULL;
    }
    return http;
}

void ek_http_stop(struct ek_http *http)
{
    if (http == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&http->mutex);
    http->stopping = true;
    (void)pthread_cond_broadcast(&http->stopped);
    (void)pthread_mutex_unlock(&http->mutex);
    MHD_stop_daemon(http->server);
    destroy(http);
}

void ek_http_take_policy(struct ek_http *http, const struct ek_policy *policy,
                         struct ek_rules *retired)
{
    if (http != NULL) {
        ek_look_take_policy(&http->look, policy, retired);
    } else if (retired != NULL) {
        ek_rules_finish(retired);
        free(retired);
    }
}

void ek_http_ended(struct ek_http *http, const struct ek_outcome *outcome)
{
    if (http == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&http->mutex);
    struct ek_http_counts *counts = &http->counts;
    counts->ended[outcome->state]++;
    counts->transferred_mib += outcome->transferred_mib;
    counts->downtime_s += (double)outcome->downtime_ms / 1000;
    counts->duration_s += (double)(outcome->ended_at_ms - outcome->started_at_ms) / 1000;
    (void)pthread_mutex_unlock(&http->mutex);
}
