#include "balancer/daemon/service.h"

#include "balancer/core/plural.h"
#include "balancer/daemon/balancing.h"
#include "balancer/daemon/clock.h"
#include "balancer/daemon/notify.h"

#include <stdio.h>
#include <string.h>

enum {
    /* Signs of life within the time that the service manager waits for one: one may be lost. */
    SIGNS = 3,
    LINE_SIZE = sizeof(((struct ek_daemon *)0)->service.line),
    WORDS_SIZE = LINE_SIZE + 64,
};

/* The line goes to a protocol of lines: no text of ours may end it early. */
static void flatten(char *line)
{
    for (; *line != '\0'; line++) {
        if ((unsigned char)*line < ' ') {
            *line = ' ';
        }
    }
}

/* "leads (epoch 3), automatic, policy spread, 2 moves run, 1 waits" */
static int write_balancing(const struct ek_daemon *daemon, char *line, size_t size)
{
    const struct ek_balancing *balancing = daemon->balancing;
    struct ek_engine_view view = ek_engine_view(balancing->engine);

    if (!balancing->leading) {
        return snprintf(line, size, "does not lead: %s", view.holding == NULL ? "" : view.holding);
    }
    return snprintf(line, size, "leads (epoch %lld), %s, policy %s, %zu move%s, %zu wait%s%s%s",
                    (long long)balancing->epoch, ek_mode_name(daemon->policy.mode),
                    ek_policy_kind_name(daemon->policy.kind), view.running_count,
                    view.running_count == 1 ? " runs" : "s run", view.waiting_count,
                    view.waiting_count == 1 ? "s" : "", view.holding == NULL ? "" : ", holding: ",
                    view.holding == NULL ? "" : view.holding);
}

static void write_line(const struct ek_daemon *daemon, char *line, size_t size)
{
    int used = 0;

    line[0] = '\0';
    if (daemon->collecting != NULL) {
        used =
            snprintf(line, size, "%zu of %zu host%s sampled%s",
                     ek_collecting_sampled(daemon->collecting), daemon->config.host_count,
                     ek_plural(daemon->config.host_count), daemon->balancing == NULL ? "" : "; ");
    }
    if (daemon->balancing != NULL && used >= 0 && (size_t)used < size) {
        (void)write_balancing(daemon, line + used, size - (size_t)used);
    }
    flatten(line);
}

/* `what` is a line of the protocol with its end, or "". */
static void send_with_line(struct ek_daemon *daemon, const char *what)
{
    char words[WORDS_SIZE];

    (void)snprintf(words, sizeof(words), "%sSTATUS=%s", what, daemon->service.line);
    (void)ek_notify(words);
}

void ek_service_ready(struct ek_daemon *daemon)
{
    if (daemon->service.ready || daemon->stopping) {
        return;
    }
    daemon->service.ready = true;
    write_line(daemon, daemon->service.line, LINE_SIZE);
    send_with_line(daemon, "READY=1\n");
}

void ek_service_reloading(struct ek_daemon *daemon)
{
    char words[64];

    daemon->service.ready = false;
    /* By the bare monotonic clock, by which systemd tells whether READY=1 came before or after. */
    (void)snprintf(words, sizeof(words), "RELOADING=1\nMONOTONIC_USEC=%llu\n",
                   (unsigned long long)(uv_hrtime() / 1000));
    (void)snprintf(daemon->service.line, LINE_SIZE, "reads %s again", daemon->arguments.config);
    flatten(daemon->service.line);
    send_with_line(daemon, words);
}

void ek_service_stopping(struct ek_daemon *daemon)
{
    daemon->service.ready = false;
    (void)snprintf(daemon->service.line, LINE_SIZE,
                   daemon->restart ? "starts anew with another configuration" : "stops");
    send_with_line(daemon, daemon->restart ? "" : "STOPPING=1\n");
}

void ek_service_tell(struct ek_daemon *daemon)
{
    int64_t wanted_ms = ek_notify_watchdog_ms();
    int64_t now_ms = ek_clock_steady_ms();
    char line[LINE_SIZE];

    if (wanted_ms > 0 && now_ms - daemon->service.sign_ms >= wanted_ms / SIGNS) {
        daemon->service.sign_ms = now_ms;
        (void)ek_notify("WATCHDOG=1");
    }
    if (!daemon->service.ready) {
        return;
    }
    write_line(daemon, line, sizeof(line));
    if (strcmp(line, daemon->service.line) != 0) {
        memcpy(daemon->service.line, line, sizeof(line));
        send_with_line(daemon, "");
    }
}
