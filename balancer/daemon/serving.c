/* The HTTP endpoint as a part of the daemon. */
#include "balancer/daemon/daemon.h"
#include "balancer/daemon/log.h"

/* Between two tries to get an address that somebody else has. */
enum { RETRY_S = 10 };

static struct ek_store *open_store(const void *context)
{
    return ek_daemon_open_store(context);
}

static void say(enum ek_log_level level, const char *text)
{
    ek_log(level, "%s", text);
}

void ek_daemon_serve(struct ek_daemon *daemon)
{
    const struct ek_http_options options = {.config = &daemon->config,
                                            .policy = &daemon->policy,
                                            .open_store = open_store,
                                            .context = daemon,
                                            .redis_cli = daemon->redis_address,
                                            .identity = daemon->identity,
                                            .started_at_ms = daemon->started_at_ms,
                                            .log = say};
    struct ek_error err;

    if (daemon->config.http.address == NULL || daemon->http != NULL || daemon->stopping ||
        daemon->arguments.once || daemon->http_wait_s-- > 0) {
        return;
    }
    daemon->http_wait_s = RETRY_S;
    daemon->http = ek_http_start(&options, &err);
    if (daemon->http != NULL) {
        ek_log(EK_LOG_INFO, "HTTP: http://%s", daemon->config.http.listen);
    } else {
        ek_log(EK_LOG_ERROR, "%s; tried again in %d s", err.message, RETRY_S);
    }
}
