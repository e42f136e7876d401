/* Which path is whose, and what it needs. */
#include "balancer/config/schema.h" /* ek_near */
#include "balancer/http/guard.h"
#include "balancer/http/internal.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

enum need {
    NEEDS_NOTHING, /* says nothing of the cluster but whether it is well; the page's own files */
    NEEDS_LOOK,    /* beyond this machine: the token */
    NEEDS_CHANGE,  /* the token, wherever from */
};

struct route {
    const char *method;
    const char *path; /* ends with "/" where a name follows */
    enum need need;
    ek_http_handler *handler;
};

static const struct route routes[] = {
    {"GET", "/healthz", NEEDS_NOTHING, ek_http_get_health},
    {"GET", "/metrics", NEEDS_LOOK, ek_http_get_metrics},
    {"GET", "/api/v1/status", NEEDS_LOOK, ek_http_get_status},
    {"GET", "/api/v1/hosts", NEEDS_LOOK, ek_http_get_hosts},
    {"GET", "/api/v1/domains", NEEDS_LOOK, ek_http_get_domains},
    {"GET", "/api/v1/plan", NEEDS_LOOK, ek_http_get_plan},
    {"GET", "/api/v1/moves", NEEDS_LOOK, ek_http_get_moves},
    {"GET", "/api/v1/maintenance", NEEDS_LOOK, ek_http_get_maintenance},
    {"GET", "/api/v1/events", NEEDS_LOOK, ek_http_get_events},
    {"GET", "/api/v1/series", NEEDS_LOOK, ek_http_get_series},
    {"POST", "/api/v1/pause", NEEDS_CHANGE, ek_http_pause},
    {"POST", "/api/v1/resume", NEEDS_CHANGE, ek_http_resume},
    {"POST", "/api/v1/approve/", NEEDS_CHANGE, ek_http_approve},
    {"POST", "/api/v1/reject/", NEEDS_CHANGE, ek_http_reject},
    {"POST", "/api/v1/cancel/", NEEDS_CHANGE, ek_http_cancel},
    {"POST", "/api/v1/abort/", NEEDS_CHANGE, ek_http_abort},
    {"POST", "/api/v1/maintenance/", NEEDS_CHANGE, ek_http_set_maintenance},
    {"DELETE", "/api/v1/maintenance/", NEEDS_CHANGE, ek_http_delete_maintenance},
};

enum { ROUTES = sizeof(routes) / sizeof(routes[0]) };

static const struct route page = {"GET", "/", NEEDS_NOTHING, ek_http_get_page};

/* HEAD is GET without its body, which the server leaves out. */
static bool has_method(const struct route *route, const char *method)
{
    return strcmp(route->method, strcmp(method, "HEAD") == 0 ? "GET" : method) == 0;
}

/* Whether the path is the route's; *rest is the name after it, "" where none is taken. */
static bool has_path(const struct route *route, const char *path, const char **rest)
{
    size_t length = strlen(route->path);

    *rest = "";
    if (route->path[length - 1] != '/') {
        return strcmp(route->path, path) == 0;
    }
    *rest = path + length;
    return strncmp(route->path, path, length) == 0 && **rest != '\0' && strchr(*rest, '/') == NULL;
}

/* NULL: no such path, or not with this method; *allow then has those it takes. */
static const struct route *find(struct ek_http_request *request, const char **allow)
{
    *allow = NULL;
    for (size_t i = 0; i < ROUTES; i++) {
        if (has_path(&routes[i], request->path, &request->rest)) {
            if (has_method(&routes[i], request->method)) {
                return &routes[i];
            }
            *allow = *allow == NULL ? routes[i].method : "POST, DELETE";
        }
    }
    for (const struct ek_http_file *file = ek_http_files; file->path != NULL; file++) {
        if (strcmp(file->path, request->path) == 0) {
            *allow = "GET";
            return has_method(&page, request->method) ? &page : NULL;
        }
    }
    return NULL;
}

static const char *header(const struct ek_http_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

bool ek_http_may_look(const struct ek_http_request *request)
{
    const struct ek_config_http *config = &request->http->options.config->http;

    return config->loopback ||
           ek_guard_token(header(request, MHD_HTTP_HEADER_AUTHORIZATION), config->token);
}

/* Who looks beyond this machine, and whoever changes anything, shows the token. */
static bool admit_token(struct ek_http_request *request, enum need need,
                        struct ek_http_response *refusal)
{
    const struct ek_config_http *config = &request->http->options.config->http;

    if (need == NEEDS_NOTHING || (need == NEEDS_LOOK && config->loopback)) {
        return true;
    }
    if (config->token == NULL) {
        *refusal = ek_http_refuse(MHD_HTTP_FORBIDDEN, EK_ERR_DENIED,
                                  "nothing can be changed over HTTP without http.token_file in "
                                  "evenkeel.yaml");
        return false;
    }
    if (!ek_guard_token(header(request, MHD_HTTP_HEADER_AUTHORIZATION), config->token)) {
        *refusal = ek_http_refuse(MHD_HTTP_UNAUTHORIZED, EK_ERR_DENIED,
                                  "found no header \"Authorization: Bearer TOKEN\" with the token "
                                  "of http.token_file, expected it");
        return false;
    }
    return true;
}

/* What a page of another origin could send unasked is no change of ours. */
static bool admit_change(struct ek_http_request *request, struct ek_http_response *refusal)
{
    const char *origin = header(request, MHD_HTTP_HEADER_ORIGIN);
    const char *type = header(request, MHD_HTTP_HEADER_CONTENT_TYPE);

    if (origin != NULL && !ek_guard_origin(origin, header(request, MHD_HTTP_HEADER_HOST))) {
        *refusal = ek_http_refuse(MHD_HTTP_FORBIDDEN, EK_ERR_DENIED,
                                  "found the origin \"%s\", expected none, or a page of this "
                                  "endpoint",
                                  origin);
        return false;
    }
    if (strcmp(request->method, "POST") == 0 && !ek_guard_type(type)) {
        *refusal = ek_http_refuse(MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, EK_ERR_INVALID,
                                  "found the content type \"%s\", expected application/json",
                                  type == NULL ? "" : type);
        return false;
    }
    return true;
}

enum { WORD_SIZE = 48 };

/* What people mistype: "maintenance" of "/api/v1/maintenance/". The path ends at `end`, which is
 * moved to where the word begins. */
static const char *last_word(const char *path, size_t *at, char out[WORD_SIZE])
{
    size_t end = *at;

    while (end > 0 && path[end - 1] == '/') {
        end--;
    }
    size_t begin = end;
    while (begin > 0 && path[begin - 1] != '/') {
        begin--;
    }
    (void)snprintf(out, WORD_SIZE, "%.*s", (int)(end - begin), path + begin);
    *at = begin;
    return out;
}

/* The nearest one, not the first that is near; NULL: none is. */
static const struct route *nearest(const char *word)
{
    const struct route *found = NULL;
    char other[WORD_SIZE];
    int distance = INT_MAX;

    for (size_t i = 0; i < ROUTES; i++) {
        size_t end = strlen(routes[i].path);
        int to_it = ek_near_distance(word, last_word(routes[i].path, &end, other));
        if (to_it < distance && ek_near(word, other)) {
            found = &routes[i];
            distance = to_it;
        }
    }
    return found;
}

/* Whoever asks for a path that is not there has no documents at hand. */
static struct ek_http_response unknown_path(const char *path)
{
    char word[WORD_SIZE];
    size_t end = strlen(path);
    char all[EK_HTTP_TEXT_SIZE] = "/";
    size_t used = strlen(all);
    const struct route *near = nearest(last_word(path, &end, word));

    /* What stands last may be a name, behind the word that is meant. */
    near = near == NULL ? nearest(last_word(path, &end, word)) : near;
    if (near != NULL) {
        bool named = near->path[strlen(near->path) - 1] == '/';
        return ek_http_refuse(MHD_HTTP_NOT_FOUND, EK_ERR_NOT_FOUND,
                              "found the path \"%.100s\"; did you mean %s %s%s?", path,
                              near->method, near->path, named ? "NAME" : "");
    }
    for (size_t i = 0; i < ROUTES && used < sizeof(all); i++) {
        if (i == 0 || strcmp(routes[i].path, routes[i - 1].path) != 0) {
            used += (size_t)snprintf(all + used, sizeof(all) - used, ", %s", routes[i].path);
        }
    }
    return ek_http_refuse(MHD_HTTP_NOT_FOUND, EK_ERR_NOT_FOUND,
                          "found the path \"%.100s\", expected one of %s", path, all);
}

bool ek_http_admit(struct ek_http_request *request, struct ek_http_response *refusal)
{
    const char *host = header(request, MHD_HTTP_HEADER_HOST);
    const char *allow = NULL;
    const struct route *route = find(request, &allow);

    if (!ek_guard_host(host, request->http->options.config->http.names)) {
        *refusal = ek_http_refuse(MHD_HTTP_FORBIDDEN, EK_ERR_DENIED,
                                  "found the host name \"%s\", expected an address, localhost, or "
                                  "one of http.names in evenkeel.yaml",
                                  host == NULL ? "" : host);
        return false;
    }
    if (route == NULL && allow == NULL) {
        *refusal = unknown_path(request->path);
        return false;
    }
    if (route == NULL) {
        *refusal = ek_http_refuse(MHD_HTTP_METHOD_NOT_ALLOWED, EK_ERR_INVALID,
                                  "found the method %s, expected %s", request->method, allow);
        refusal->allow = allow;
        return false;
    }
    return admit_token(request, route->need, refusal) &&
           (route->need != NEEDS_CHANGE || admit_change(request, refusal));
}

struct ek_http_response ek_http_answer(struct ek_http_request *request)
{
    const char *allow;
    const struct route *route = find(request, &allow);

    /* It was admitted, so that it is there. */
    return route->handler(request);
}
