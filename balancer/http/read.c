/* What GET answers. */
#include "balancer/codec/plan.h"
#include "balancer/codec/writer.h"
#include "balancer/http/internal.h"
#include "balancer/view/clock.h"

#include <stdlib.h>
#include <string.h>

/* How many moves and events there are unless more are asked for, and at most. */
enum { FEW = 50, MANY = 1000, LATE_CYCLES = 3, LATE_MS = 5000 };

/* A document that is made of a look. */
static struct ek_http_response of_look(struct ek_http_request *request,
                                       char *(*write)(const struct ek_http *http,
                                                      const struct ek_look *look))
{
    struct ek_http *http = request->http;
    struct ek_error err = {0};
    const struct ek_look *look = ek_look_take(&http->look, &err);
    char *json = look == NULL ? NULL : write(http, look);

    ek_look_give(&http->look, look == NULL ? &err : NULL);
    return look == NULL ? ek_http_fail(&err) : ek_http_json(MHD_HTTP_OK, json);
}

static char *write_status(const struct ek_http *http, const struct ek_look *look)
{
    const struct ek_status_report report = {
        .redis_cli = http->options.redis_cli,
        .key_prefix = http->options.config->redis.key_prefix,
        .view = &look->view,
        .has_balancer = look->has_balancer,
        .balancer = look->balancer,
        .maintenance = look->maintenance,
        .blocking = look->blocking,
        .blocking_count = look->blocking_count,
    };

    return ek_view_write_status(&report);
}

struct ek_http_response ek_http_get_status(struct ek_http_request *request)
{
    return of_look(request, write_status);
}

static char *write_hosts(const struct ek_http *http, const struct ek_look *look)
{
    (void)http;
    return ek_view_write_hosts(&look->view, &look->evaluation, look->allocated, EK_NONE);
}

struct ek_http_response ek_http_get_hosts(struct ek_http_request *request)
{
    return of_look(request, write_hosts);
}

/* ---- domains: of one host, if the query names it --------------------------------------------- */

static struct ek_http_response unknown_host(const char *host)
{
    return ek_http_refuse(MHD_HTTP_NOT_FOUND, EK_ERR_NOT_FOUND,
                          "found the unknown host \"%s\", expected one of evenkeel.yaml", host);
}

struct ek_http_response ek_http_get_domains(struct ek_http_request *request)
{
    const char *host =
        MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, "host");
    struct ek_look_desk *desk = &request->http->look;
    struct ek_arena arena = {.newest = NULL};
    struct ek_error err = {0};
    const struct ek_look *look = ek_look_take(desk, &err);
    struct ek_http_response response;
    size_t count = 0;

    uint32_t only =
        host == NULL || look == NULL ? EK_NONE : ek_snapshot_find_host(&look->view.snapshot, host);
    if (look == NULL) {
        response = ek_http_fail(&err);
    } else if (host != NULL && only == EK_NONE) {
        response = unknown_host(host);
    } else {
        struct ek_domain_row *rows =
            ek_view_domain_rows(&look->view.snapshot, only, &arena, &count);
        response = ek_http_json(
            MHD_HTTP_OK,
            rows == NULL ? NULL : ek_view_write_domains(&look->view.snapshot, rows, count));
    }
    ek_look_give(desk, look == NULL ? &err : NULL);
    ek_arena_finish(&arena);
    return response;
}

/* ---- plan, moves, maintenance, events -------------------------------------------------------- */

struct ek_http_response ek_http_get_plan(struct ek_http_request *request)
{
    struct ek_look_desk *desk = &request->http->look;
    struct ek_json_writer writer = {.text = NULL};
    struct ek_error err = {0};
    char *json = NULL;
    char *fate = NULL;

    struct ek_store *store = ek_look_store(desk, &err);
    bool done = store != NULL && ek_store_get_latest_plan(store, &json, &fate, &err);
    ek_look_give(desk, done ? NULL : &err);
    if (!done) {
        return ek_http_fail(&err);
    }
    ek_json_begin(&writer, '{');
    ek_json_put_integer(&writer, "version", 1);
    if (json != NULL) {
        ek_json_put_text(&writer, "fate", fate);
        ek_json_key(&writer, "plan");
        ek_json_raw(&writer, json);
    }
    ek_json_end(&writer, '}');
    free(json);
    free(fate);
    return ek_http_json(MHD_HTTP_OK, ek_json_finish(&writer));
}

/* Only the journal is read: progress is as of now, whatever a look costs. */
struct ek_http_response ek_http_get_moves(struct ek_http_request *request)
{
    struct ek_look_desk *desk = &request->http->look;
    struct ek_move_record *running = NULL;
    struct ek_move_record *recent = NULL;
    size_t running_count = 0;
    size_t recent_count = 0;
    struct ek_json_writer writer = {.text = NULL};
    struct ek_http_response refusal;
    struct ek_error err = {0};
    long limit;

    if (!ek_http_number(request, "limit", 1, MANY, FEW, &limit, &refusal)) {
        return refusal;
    }
    struct ek_store *store = ek_look_store(desk, &err);
    bool done = store != NULL && ek_store_open_moves(store, &running, &running_count, &err) &&
                ek_store_recent_moves(store, (size_t)limit, &recent, &recent_count, &err);
    ek_look_give(desk, done ? NULL : &err);
    if (done) {
        ek_json_begin(&writer, '{');
        ek_json_put_integer(&writer, "version", 1);
        ek_json_put_integer(&writer, "taken_at_ms", ek_view_clock_ms(CLOCK_REALTIME));
        ek_view_put_moves(&writer, "running", running, running_count);
        ek_view_put_moves(&writer, "recent", recent, recent_count);
        ek_json_end(&writer, '}');
    }
    free(running);
    free(recent);
    return done ? ek_http_json(MHD_HTTP_OK, ek_json_finish(&writer)) : ek_http_fail(&err);
}

static char *write_maintenance(const struct ek_http *http, const struct ek_look *look)
{
    struct ek_json_writer writer = {.text = NULL};

    (void)http;
    ek_json_begin(&writer, '{');
    ek_json_put_integer(&writer, "version", 1);
    ek_json_key(&writer, "hosts");
    ek_json_begin(&writer, '[');
    for (size_t h = 0; h < look->view.snapshot.host_count; h++) {
        if (look->maintenance[h].key.wanted) {
            ek_json_break(&writer);
            ek_host_maintenance_write(&writer, &look->maintenance[h]);
        }
    }
    ek_json_end(&writer, ']');
    ek_json_end(&writer, '}');
    return ek_json_finish(&writer);
}

struct ek_http_response ek_http_get_maintenance(struct ek_http_request *request)
{
    return of_look(request, write_maintenance);
}

static void write_event(void *context, int64_t at_ms, const char *kind, const char *subject,
                        const char *text)
{
    struct ek_json_writer *writer = context;

    ek_json_break(writer);
    ek_json_begin(writer, '{');
    ek_json_put_integer(writer, "at_ms", at_ms);
    ek_json_put_text(writer, "kind", kind);
    ek_json_put_text(writer, "subject", subject);
    ek_json_put_text(writer, "text", text);
    ek_json_end(writer, '}');
}

struct ek_http_response ek_http_get_events(struct ek_http_request *request)
{
    struct ek_look_desk *desk = &request->http->look;
    struct ek_json_writer writer = {.text = NULL};
    struct ek_http_response refusal;
    struct ek_error err = {0};
    long limit;

    if (!ek_http_number(request, "limit", 1, MANY, FEW, &limit, &refusal)) {
        return refusal;
    }
    ek_json_begin(&writer, '{');
    ek_json_put_integer(&writer, "version", 1);
    ek_json_key(&writer, "events");
    ek_json_begin(&writer, '[');
    struct ek_store *store = ek_look_store(desk, &err);
    bool done =
        store != NULL && ek_store_recent_events(store, (size_t)limit, write_event, &writer, &err);
    ek_look_give(desk, done ? NULL : &err);
    ek_json_end(&writer, ']');
    ek_json_end(&writer, '}');
    char *json = ek_json_finish(&writer);
    if (!done) {
        free(json);
        return ek_http_fail(&err);
    }
    return ek_http_json(MHD_HTTP_OK, json);
}

struct ek_http_response ek_http_get_series(struct ek_http_request *request)
{
    const char *host =
        MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, "host");
    const struct ek_config *config = request->http->options.config;
    struct ek_http_response refusal;
    struct ek_error err = {0};
    size_t h = 0;
    long hours;

    if (!ek_http_number(request, "hours", 1, EK_SERIES_MAX_HOURS, 6, &hours, &refusal)) {
        return refusal;
    }
    while (host != NULL && h < config->host_count && strcmp(config->hosts[h].name, host) != 0) {
        h++;
    }
    if (host != NULL && h == config->host_count) {
        return unknown_host(host);
    }
    char *json = ek_series_write(&request->http->series, host, hours, &err);
    return json == NULL ? ek_http_fail(&err) : ek_http_json(MHD_HTTP_OK, json);
}

/* ---- health -------------------------------------------------------------------------------- */

/* Why it is not well; "": it is. */
static void judge(const struct ek_http *http, const struct ek_balancer_status *balancer, bool led,
                  char *reason, size_t size)
{
    int64_t age_ms = ek_view_clock_ms(CLOCK_REALTIME) - balancer->at_ms;
    int64_t evaluate_ms = http->options.config->evaluate_ms;

    reason[0] = '\0';
    if (!led) {
        (void)snprintf(reason, size, "no balancer leads: none has left a status in Redis");
    } else if (age_ms > LATE_CYCLES * evaluate_ms + LATE_MS) {
        (void)snprintf(
            reason, size, "the balancer %s was heard of %lld s ago, expected once per %lld s",
            balancer->identity, (long long)(age_ms / 1000), (long long)(evaluate_ms / 1000));
    }
}

struct ek_http_response ek_http_get_health(struct ek_http_request *request)
{
    struct ek_http *http = request->http;
    struct ek_balancer_status balancer = {.leading = false};
    struct ek_json_writer writer = {.text = NULL};
    struct ek_error err = {0};
    char reason[sizeof(err.message)];
    bool led = false;

    struct ek_store *store = ek_look_store(&http->look, &err);
    bool reached = store != NULL && ek_view_read_balancer(store, &balancer, &led, &err);
    ek_look_give(&http->look, reached ? NULL : &err);
    if (reached) {
        judge(http, &balancer, led, reason, sizeof(reason));
    } else {
        (void)snprintf(reason, sizeof(reason), "%s", err.message);
    }
    ek_json_begin(&writer, '{');
    ek_json_put_integer(&writer, "version", 1);
    ek_json_put_bool(&writer, "healthy", reason[0] == '\0');
    /* It names hosts and Redis: not for everybody. */
    if (reason[0] != '\0' && ek_http_may_look(request)) {
        ek_json_put_text(&writer, "reason", reason);
    }
    ek_json_end(&writer, '}');
    return ek_http_json(reason[0] == '\0' ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE,
                        ek_json_finish(&writer));
}

/* ---- the page ------------------------------------------------------------------------------ */

struct ek_http_response ek_http_get_page(struct ek_http_request *request)
{
    const struct ek_http_file *file = ek_http_files;

    while (strcmp(file->path, request->path) != 0) {
        file++; /* it was found before */
    }
    return (struct ek_http_response){
        .status = MHD_HTTP_OK, .type = file->type, .fixed = file->bytes, .size = file->size};
}
