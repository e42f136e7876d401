/* evenkeel maintenance enter --wait: until the host is empty, or cannot be emptied.
 *
 * The balancer rewrites a status only when it changes, and its own status after every cycle. So a
 * host counts as stuck when the balancer has spoken PATIENCE times while the host was blocked or
 * infeasible: a single such word can be a pause between two moves. */
#include "balancer/codec/status.h"
#include "balancer/tools/maintenance.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* GRACE_MS: how long Redis or the balancer may be away, as when the daemon is restarted. */
enum { POLL_MS = 500, GRACE_MS = 10000, PATIENCE = 3, BAR_WIDTH = 20, LINE_SIZE = 200 };

struct wait {
    struct ek_tool *tool;
    const char *host;
    const struct ek_wait_before *before;
    bool terminal;
    char line[LINE_SIZE]; /* shown last */
    uint32_t most;        /* domains that were left at the most */
    int64_t heard_at_ms;  /* a balancer was there */
    int64_t spoken_at_ms; /* its newest word that was counted */
    int stuck;            /* words in a row that the host is stuck */
};

/* What one look at Redis gave. */
struct look {
    struct ek_maintenance key;
    bool has_balancer;
    struct ek_balancer_status balancer;
    bool has_status;
    struct ek_maintenance_status status;
    bool fresh;     /* the status was made after the key was set */
    double leaving; /* parts of domains that are copied already */
    struct ek_arena arena;
};

bool ek_wait_note(struct ek_tool *tool, const char *host, struct ek_wait_before *before,
                  struct ek_error *err)
{
    struct ek_maintenance key;
    struct ek_balancer_status balancer;
    bool there = false;

    if (!ek_store_get_maintenance(tool->store, &host, 1, &key, err) ||
        !ek_view_balancer(tool, &balancer, &there, err) ||
        !ek_store_get_maintenance_status(tool->store, host, &before->status, err)) {
        return false;
    }
    /* If it was wanted already, the status that is there belongs to this very maintenance. */
    before->wanted = key.wanted;
    if (there) {
        before->cycles = balancer.cycles;
        (void)snprintf(before->identity, sizeof(before->identity), "%s", balancer.identity);
    }
    return true;
}

/* ---- looking ------------------------------------------------------------------------------- */

/* A status from before may be an old word. One that differs is new; so is any after two cycles of
 * the balancer: the first may have read its keys before ours was set. */
static bool is_fresh(const struct wait *wait, const struct look *look, const char *json)
{
    const struct ek_wait_before *before = wait->before;

    if (before->status == NULL || (before->wanted && before->identity[0] != '\0') ||
        strcmp(before->status, json) != 0) {
        return true;
    }
    bool same = strcmp(before->identity, look->balancer.identity) == 0;
    return look->has_balancer && look->balancer.cycles >= (same ? before->cycles : 0) + 2;
}

/* The balancer counts whole domains; moves that are half done let the bar move in between. */
static bool add_progress(const struct wait *wait, struct look *look, struct ek_error *err)
{
    struct ek_move_record *records = NULL;
    size_t count = 0;

    if (!ek_store_open_moves(wait->tool->store, &records, &count, err)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (strcmp(records[i].order.source, wait->host) == 0) {
            look->leaving += records[i].progress;
        }
    }
    free(records);
    return true;
}

/* The balancer's own status is read first: the host's, which it writes before, is then as new. */
static bool look_at(const struct wait *wait, struct look *look, struct ek_error *err)
{
    struct ek_tool *tool = wait->tool;
    char *json = NULL;

    /* Also for a look that fails: its arena is finished in any case. */
    memset(look, 0, sizeof(*look));
    if (!ek_view_balancer(tool, &look->balancer, &look->has_balancer, err) ||
        !ek_store_get_maintenance(tool->store, &wait->host, 1, &look->key, err) ||
        !ek_store_get_maintenance_status(tool->store, wait->host, &json, err)) {
        return false;
    }
    look->fresh = json != NULL && is_fresh(wait, look, json);
    free(json);
    return ek_view_maintenance_status(tool, wait->host, &look->status, &look->has_status,
                                      &look->arena, err) &&
           add_progress(wait, look, err);
}

/* ---- showing ------------------------------------------------------------------------------- */

static void show(struct wait *wait, const struct look *look)
{
    const struct ek_maintenance_status *status = &look->status;
    char line[LINE_SIZE];
    char bar[EK_BAR_SIZE];
    char span[EK_SPAN_SIZE];
    bool known = look->has_status && look->fresh;

    if (!known) {
        (void)snprintf(line, sizeof(line), "%s: waiting for the balancer", wait->host);
    } else {
        /* Domains may still arrive after the first look (moves that were on their way): the bar's
         * end moves with them. */
        wait->most = status->domains_left > wait->most ? status->domains_left : wait->most;
        (void)snprintf(line, sizeof(line), "%s: %s, %u of %u domains left%s%s", wait->host,
                       ek_maintenance_state_name(status->state), (unsigned int)status->domains_left,
                       (unsigned int)wait->most, status->eta_ms >= 0 ? ", about " : "",
                       status->eta_ms >= 0 ? ek_span(status->eta_ms, span) : "");
    }
    /* Standard output belongs to the one document at the end. */
    if (wait->tool->json) {
        return;
    }
    if (wait->terminal) {
        double left = (double)status->domains_left - look->leaving;
        double ratio = known && wait->most > 0 ? 1 - left / wait->most : known;
        /* Back to the start and clear to the end of the line, as every terminal does since the
         * VT100: a shorter line leaves nothing of a longer one. */
        (void)printf("\r\033[K%s %s", ek_bar(ratio, BAR_WIDTH, bar), line);
    } else if (strcmp(line, wait->line) != 0) {
        (void)puts(line);
    }
    (void)snprintf(wait->line, sizeof(wait->line), "%s", line);
    /* A line without its end would wait in stdio's buffer. */
    (void)fflush(stdout);
}

/* Whatever is printed next must not stand behind the bar. */
static void end_line(const struct wait *wait)
{
    if (wait->terminal && wait->line[0] != '\0') {
        (void)putchar('\n');
    }
}

static void list_blockers(const struct ek_maintenance_status *status)
{
    for (size_t i = 0; i < status->blocker_count; i++) {
        const struct ek_blocker *blocker = &status->blockers[i];
        const char *name = blocker->name[0] != '\0' ? blocker->name : blocker->domain;
        ek_terminal_print(stderr, EK_COLOUR_NONE, "  %s%s%s\n", name, name[0] == '\0' ? "" : ": ",
                          blocker->reason);
    }
}

/* ---- deciding ------------------------------------------------------------------------------ */

/* No exit status is negative. */
enum { GO_ON = -1 };

/* Counts the balancer's words while the host is stuck; true when there were enough. */
static bool is_stuck(struct wait *wait, const struct look *look)
{
    enum ek_maintenance_state state = look->status.state;

    if (state != EK_MAINTENANCE_BLOCKED && state != EK_MAINTENANCE_INFEASIBLE) {
        wait->stuck = 0;
    } else if (look->has_balancer && look->balancer.at_ms != wait->spoken_at_ms) {
        wait->stuck++;
    }
    /* at_ms is only asked for being another one: it is the balancer's clock, not ours. */
    wait->spoken_at_ms = look->balancer.at_ms;
    return wait->stuck >= PATIENCE;
}

static int judge_status(struct wait *wait, const struct look *look)
{
    const char *state = ek_maintenance_state_name(look->status.state);
    unsigned int left = (unsigned int)look->status.domains_left;

    if (look->status.state == EK_MAINTENANCE_EVACUATED) {
        end_line(wait);
        return EK_EXIT_DONE;
    }
    /* Only a change of the policy would change that: waiting is pointless. */
    if (look->status.state == EK_MAINTENANCE_PREFLIGHT) {
        end_line(wait);
        return ek_tool_complain(
            EK_EXIT_NOT_POSSIBLE,
            "the balancer's mode is recommend: nothing will be moved, %u domains stay on %s; "
            "the key stays set; `mode: automatic` in policy.yaml lets it act",
            left, wait->host);
    }
    if (!is_stuck(wait, look)) {
        return GO_ON;
    }
    end_line(wait);
    if (left > 0) {
        (void)ek_tool_complain(
            EK_EXIT_NOT_POSSIBLE,
            "%s is %s: %u domains cannot leave; the key stays set, for when they can", wait->host,
            state, left);
    } else {
        /* No domain is known on a host that is not sampled. */
        (void)ek_tool_complain(EK_EXIT_NOT_POSSIBLE,
                               "%s is %s: whether it is empty cannot be told; the key stays set",
                               wait->host, state);
    }
    list_blockers(&look->status);
    return EK_EXIT_NOT_POSSIBLE;
}

/* The exit status, or GO_ON. */
static int judge(struct wait *wait, const struct look *look, int64_t now_ms)
{
    /* By DEL, or by the key's own time to live. */
    if (!look->key.wanted) {
        end_line(wait);
        return ek_tool_complain(EK_EXIT_FAILED, "somebody has ended the maintenance of %s",
                                wait->host);
    }
    /* Its status outlives a restart; without one for longer, waiting would never end. */
    if (look->has_balancer) {
        wait->heard_at_ms = now_ms;
    } else if (now_ms - wait->heard_at_ms > GRACE_MS) {
        end_line(wait);
        return ek_tool_complain(EK_EXIT_FAILED,
                                "no balancer runs; the key stays set, and %s is emptied when one "
                                "does; start evenkeeld",
                                wait->host);
    }
    return look->has_status && look->fresh ? judge_status(wait, look) : GO_ON;
}

/* ---- waiting ------------------------------------------------------------------------------- */

/* For waiting, since the wall clock may be set meanwhile. */
static int64_t steady_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Waits for an interrupt, which the caller has blocked, until the next look is due; true: it came.
 */
static bool interrupted_before_next_look(const sigset_t *interrupts)
{
    const struct timespec pause = {.tv_nsec = POLL_MS * 1000000L};

    return sigtimedwait(interrupts, NULL, &pause) > 0;
}

static int poll_once(struct wait *wait)
{
    struct look look;
    struct ek_error err;
    int status = GO_ON;
    int64_t now_ms = steady_ms();

    if (look_at(wait, &look, &err)) {
        show(wait, &look);
        status = judge(wait, &look, now_ms);
    } else if (now_ms - wait->heard_at_ms > GRACE_MS) {
        end_line(wait);
        /* An embedded Redis is away with its daemon; a restart brings both back. */
        status = ek_tool_complain(EK_EXIT_FAILED, "%s; the maintenance key of %s stays set",
                                  err.message, wait->host);
    }
    ek_arena_finish(&look.arena);
    return status;
}

int ek_wait_evacuated(struct ek_tool *tool, const char *host, const struct ek_wait_before *before)
{
    struct wait wait = {.tool = tool,
                        .host = host,
                        .before = before,
                        .terminal = !tool->json && ek_terminal_is(stdout),
                        /* A balancer that never was there gets its grace as well: it may be
                         * starting. */
                        .heard_at_ms = steady_ms()};
    sigset_t interrupts;

    (void)sigemptyset(&interrupts);
    (void)sigaddset(&interrupts, SIGINT);
    (void)sigaddset(&interrupts, SIGTERM);
    /* Blocked and fetched by sigtimedwait: no handler is needed, and an interrupt between two looks
     * is not lost. It has to be answered: the key stays set, and whoever interrupts must hear so.
     */
    (void)sigprocmask(SIG_BLOCK, &interrupts, NULL);
    for (;;) {
        int status = poll_once(&wait);
        if (status != GO_ON) {
            return status;
        }
        if (interrupted_before_next_look(&interrupts)) {
            end_line(&wait);
            return ek_tool_complain(EK_EXIT_FAILED,
                                    "interrupted; %s stays in maintenance and goes on being "
                                    "emptied; `evenkeel maintenance leave %s` ends that",
                                    host, host);
        }
    }
}
