/* What the parts of the endpoint share. */
#ifndef EK_HTTP_INTERNAL_H
#define EK_HTTP_INTERNAL_H

#include "balancer/http/http.h"
#include "balancer/http/look.h"
#include "balancer/http/series.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

/* A body is a reason and a deadline. */
enum { EK_HTTP_BODY_SIZE = 4096, EK_HTTP_PEER_SIZE = 64, EK_HTTP_TEXT_SIZE = 1024 };

struct ek_http_request {
    struct ek_http *http;
    struct MHD_Connection *connection;
    const char *method;
    const char *path;
    const char *rest; /* of a path that takes a name: the name */
    char peer[EK_HTTP_PEER_SIZE];
    char body[EK_HTTP_BODY_SIZE + 1]; /* ends with a NUL */
    size_t body_size;
    bool too_large;
    bool answered;
};

/* One of `text` and `fixed`. */
struct ek_http_response {
    unsigned int status;
    const char *type;  /* of the content */
    const char *allow; /* of 405 */
    char *text;        /* malloc'ed: the response owns it */
    const void *fixed;
    size_t size; /* of `fixed` */
};

/* What this process has counted since its start. */
struct ek_http_counts {
    uint64_t ended[EK_MOVE_STATE_COUNT]; /* moves, by the state in which they ended */
    double transferred_mib;
    double downtime_s;
    double duration_s;
    uint64_t answers[6]; /* by the hundreds of their status */
};

struct ek_http {
    struct ek_http_options options;
    struct MHD_Daemon *server;

    pthread_mutex_t mutex; /* of `stopped` and `counts` */
    pthread_cond_t stopped;
    atomic_bool stopping; /* set under the mutex, read by whoever likes to know */
    struct ek_http_counts counts;

    struct ek_look_desk look;     /* has a lock of its own */
    struct ek_series_desk series; /* likewise */
};

/* A document, whose text the response takes over; NULL means that memory ran out. */
struct ek_http_response ek_http_json(unsigned int status, char *json);

/* What a command's reply has, where no balancer was asked: {"version", "done", "error", "text"},
 * without `error` when it was done. */
char *ek_http_outcome(enum ek_error_code code, const char *text);

/* The same as a response. */
struct ek_http_response ek_http_refuse(unsigned int status, enum ek_error_code code,
                                       const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* 503 with the reason: Redis is away or says no. */
struct ek_http_response ek_http_fail(const struct ek_error *err);

/* Finds the path and answers (routes.c). */
struct ek_http_response ek_http_answer(struct ek_http_request *request);

/* Whether a request with this method and path may be answered, as far as its headers tell; else
 * *refusal is the answer. */
bool ek_http_admit(struct ek_http_request *request, struct ek_http_response *refusal);

/* Whether it may be told of the cluster: from this machine, or with the token. */
bool ek_http_may_look(const struct ek_http_request *request);

/* A number in the query, `fallback` when it is absent. False: it is none from min to max, and
 * *refusal is the answer. */
bool ek_http_number(const struct ek_http_request *request, const char *key, long min, long max,
                    long fallback, long *value, struct ek_http_response *refusal);

/* ---- answers -------------------------------------------------------------------------------- */

typedef struct ek_http_response ek_http_handler(struct ek_http_request *request);

ek_http_handler ek_http_get_health;
ek_http_handler ek_http_get_status;
ek_http_handler ek_http_get_hosts;
ek_http_handler ek_http_get_domains;
ek_http_handler ek_http_get_plan;
ek_http_handler ek_http_get_moves;
ek_http_handler ek_http_get_maintenance;
ek_http_handler ek_http_get_events;
ek_http_handler ek_http_get_series;
ek_http_handler ek_http_get_metrics;
ek_http_handler ek_http_get_page;
ek_http_handler ek_http_pause;
ek_http_handler ek_http_resume;
ek_http_handler ek_http_approve;
ek_http_handler ek_http_reject;
ek_http_handler ek_http_cancel;
ek_http_handler ek_http_abort;
ek_http_handler ek_http_set_maintenance;
ek_http_handler ek_http_delete_maintenance;

/* A file of the dashboard. */
struct ek_http_file {
    const char *path; /* "/evenkeel.css" */
    const char *type;
    const unsigned char *bytes;
    size_t size;
};

/* Made from page/ when the program is built; ends with a zeroed entry. */
extern const struct ek_http_file ek_http_files[];

#endif
