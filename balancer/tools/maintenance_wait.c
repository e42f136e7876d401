/* evenkeel maintenance enter --wait: until the host is empty, or cannot be emptied.
 *
 * The balancer rewrites a status only when it changes, and its own status after every cycle. So a
 * host counts as stuck when the balancer has spoken PATIENCE times while the host was blocked or
 * infeasible: a single such word can be a pause between two moves. */
#include "balancer/codec/status.h"
#include "balancer/tools/maintenance.h"
#include "balancer/tools/waiting.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { POLL_MS = 500, PATIENCE = 3 };

struct wait {
    struct ek_tool *tool;
    const char *host;
    const struct ek_wait_before *before;
    struct ek_wait_line line;
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
    char span[EK_SPAN_SIZE];

    if (!look->has_status || !look->fresh) {
        ek_wait_show(&wait->line, 0, "%s: waiting for the balancer", wait->host);
        return;
    }
    /* Domains may still arrive after the first look (moves that were on their way): the bar's end
     * moves with them. */
    wait->most = status->domains_left > wait->most ? status->domains_left : wait->most;
    double left = (double)status->domains_left - look->leaving;
    ek_wait_show(&wait->line, wait->most > 0 ? 1 - left / wait->most : 1,
                 "%s: %s, %u of %u domains left%s%s", wait->host,
                 ek_maintenance_state_name(status->state), (unsigned int)status->domains_left,
                 (unsigned int)wait->most, status->eta_ms >= 0 ? ", about " : "",
                 status->eta_ms >= 0 ? ek_span(status->eta_ms, span) : "");
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
        ek_wait_end_line(&wait->line);
        return EK_EXIT_DONE;
    }
    /* Only a change of the policy would change that: waiting is pointless. */
    if (look->status.state == EK_MAINTENANCE_PREFLIGHT) {
        ek_wait_end_line(&wait->line);
        return ek_tool_complain(
            EK_EXIT_NOT_POSSIBLE,
            "the balancer's mode is recommend: nothing will be moved, %u domains stay on %s; "
            "the key stays set; `mode: automatic` in policy.yaml lets it act",
            left, wait->host);
    }
    if (!is_stuck(wait, look)) {
        return GO_ON;
    }
    ek_wait_end_line(&wait->line);
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
        ek_wait_end_line(&wait->line);
        return ek_tool_complain(EK_EXIT_FAILED, "somebody has ended the maintenance of %s",
                                wait->host);
    }
    /* Its status outlives a restart; without one for longer, waiting would never end. */
    if (look->has_balancer) {
        wait->heard_at_ms = now_ms;
    } else if (now_ms - wait->heard_at_ms > EK_WAIT_GRACE_MS) {
        ek_wait_end_line(&wait->line);
        return ek_tool_complain(EK_EXIT_FAILED,
                                "no balancer runs; the key stays set, and %s is emptied when one "
                                "does; start evenkeeld",
                                wait->host);
    }
    return look->has_status && look->fresh ? judge_status(wait, look) : GO_ON;
}

/* ---- waiting ------------------------------------------------------------------------------- */

static int poll_once(struct wait *wait)
{
    struct look look;
    struct ek_error err;
    int status = GO_ON;
    int64_t now_ms = ek_wait_now_ms();

    if (look_at(wait, &look, &err)) {
        show(wait, &look);
        status = judge(wait, &look, now_ms);
    } else if (now_ms - wait->heard_at_ms > EK_WAIT_GRACE_MS) {
        ek_wait_end_line(&wait->line);
        /* An embedded Redis is away with its daemon; a restart brings both back. */
        status = ek_tool_complain(EK_EXIT_FAILED, "%s; the maintenance key of %s stays set",
                                  err.message, wait->host);
    }
    ek_arena_finish(&look.arena);
    return status;
}

int ek_wait_evacuated(struct ek_tool *tool, const char *host, const struct ek_wait_before *before)
{
    struct wait wait = {
        .tool = tool,
        .host = host,
        .before = before,
        .line = {.terminal = !tool->json && ek_terminal_is(stdout), .silent = tool->json},
        /* A balancer that never was there gets its grace as well: it may be
         * starting. */
        .heard_at_ms = ek_wait_now_ms()};

    /* An interrupt has to be answered: the key stays set, and whoever interrupts must hear so. */
    ek_wait_hold_signals();
    for (;;) {
        int status = poll_once(&wait);
        if (status != GO_ON) {
            return status;
        }
        if (ek_wait_interrupted(POLL_MS)) {
            ek_wait_end_line(&wait.line);
            return ek_tool_complain(EK_EXIT_FAILED,
                                    "interrupted; %s stays in maintenance and goes on being "
                                    "emptied; `evenkeel maintenance leave %s` ends that",
                                    host, host);
        }
    }
}
