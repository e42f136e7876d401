/* Asking one host whether domains are active there. A libvirtd that accepts a connection and stays
 * silent holds whoever asks, so that a thread does which can be left. */
#include "collector/inspect/crew.h"
#include "collector/inspect/inspect.h"
#include "collector/libvirt/connect.h"

#include <stdlib.h>

/* Owned by the crew. */
struct question {
    const char *uri;
    int timeout_ms;
    int found; /* below 0: not told, and `err` says why */
    struct ek_error err;
    struct ek_arena arena;
};

static void ask(void *context, size_t job)
{
    struct question *question = context;
    virConnectPtr connection = ek_libvirt_open(question->uri, question->timeout_ms, &question->err);

    (void)job;
    if (connection == NULL) {
        return;
    }
    question->found = virConnectListAllDomains(connection, NULL, VIR_CONNECT_LIST_DOMAINS_ACTIVE);
    if (question->found < 0) {
        (void)ek_libvirt_error(&question->err, question->uri, "cannot list its domains");
    }
    (void)virConnectClose(connection);
}

static void release(void *context)
{
    struct question *question = context;

    ek_arena_finish(&question->arena);
    free(question);
}

struct answer {
    size_t *count;
    const char *uri;
    struct ek_error *err;
    bool ok;
};

static void take(void *watcher, void *context, size_t job, bool left)
{
    struct answer *answer = watcher;
    const struct question *question = context;

    (void)job;
    if (left) {
        (void)ek_error_set(answer->err, EK_ERR_TIMEOUT, EK_INSPECT_SILENT, answer->uri,
                           EK_INSPECT_LIMIT_MS / 1000);
    } else if (question->found < 0) {
        *answer->err = question->err;
    } else {
        *answer->count = (size_t)question->found;
        answer->ok = true;
    }
}

bool ek_inspect_active(size_t *count, const char *uri, int timeout_ms, struct ek_error *err)
{
    struct question *question = calloc(1, sizeof(*question));
    struct answer answer = {.count = count, .uri = uri, .err = err, .ok = false};

    *count = 0;
    if (question == NULL) {
        return ek_error_set(err, EK_ERR_NOMEM, "out of memory for a question to %s", uri);
    }
    question->uri = ek_arena_strdup(&question->arena, uri);
    question->timeout_ms = timeout_ms;
    question->found = -1;
    if (question->uri == NULL) {
        release(question);
        return ek_error_set(err, EK_ERR_NOMEM, "out of memory for a question to %s", uri);
    }
    return ek_crew_run(&(struct ek_crew_jobs){.count = 1,
                                              .most = 1,
                                              .limit_ms = EK_INSPECT_LIMIT_MS,
                                              .context = question,
                                              .work = ask,
                                              .release = release,
                                              .ended = take,
                                              .watcher = &answer},
                       err) &&
           answer.ok;
}
