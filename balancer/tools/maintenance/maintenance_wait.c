/* evenkeel maintenance enter --wait: until the host is empty, or cannot be emptied.
 *
 * The balancer rewrites a status only when it changes, and its own status, which counts its cycles,
 * after each of them and in between. So a host counts as stuck when there were PATIENCE cycles
 * while the host was blocked or infeasible: a single such word can be a pause between two moves. */
#include "balancer/codec/status.h"
#include "balancer/core/plural.h"
#include "balancer/tools/maintenance/maintenance.h"
#include "balancer/tools/waiting.h"
#include "collector/inspect/inspect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { POLL_MS = 500, PATIENCE = 3 };

/* No exit status is negative. */
enum { GO_ON = -1 };

/* What one look at Redis gave of one host. */
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

struct waited {
    const char *host;
    const char *uri;
    const struct ek_wait_before *before;
    int status;         /* GO_ON: it is waited for; EK_EXIT_DONE can become GO_ON again */
    bool asked;         /* whether it is empty, in this look at all of them */
    uint32_t most;      /* domains that were left at the most */
    int64_t cycles;     /* the newest cycle that was seen ... */
    char identity[128]; /* ... and whose it was: the next balancer begins at 0 */
    int stuck;          /* cycles in a row that the host is stuck */
    size_t active;      /* domains that its libvirt shows although it is called empty */
    bool deaf;          /* its libvirt cannot be asked from here */
    struct look look;
};

struct wait {
    struct ek_tool *tool;
    struct waited *hosts;
    size_t count;
    struct ek_wait_line line;
    int64_t heard_at_ms; /* a balancer was there */
};

static bool note_sample(struct ek_tool *tool, const char *host, int64_t *at_ms, size_t *domains,
                        struct ek_error *err)
{
    struct ek_sample sample;
    bool has = false;
    char bad[300];

    *at_ms = 0;
    *domains = 0;
    memset(&sample, 0, sizeof(sample));
    if (!ek_store_get_samples(tool->store, &host, 1, &sample, &has, bad, sizeof(bad), err)) {
        return false;
    }
    if (has) {
        *at_ms = sample.taken_at_ms;
        *domains = sample.domain_count;
    }
    ek_sample_finish(&sample);
    return true;
}

bool ek_wait_note(struct ek_tool *tool, const char *host, struct ek_wait_before *before,
                  struct ek_error *err)
{
    struct ek_maintenance key;
    struct ek_balancer_status balancer;
    bool there = false;
    size_t domains = 0;

    if (!ek_store_get_maintenance(tool->store, &host, 1, &key, err) ||
        !note_sample(tool, host, &before->sampled_at_ms, &domains, err) ||
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
static bool is_fresh(const struct waited *it, const struct look *look, const char *json)
{
    const struct ek_wait_before *before = it->before;

    if (before->status == NULL || (before->wanted && before->identity[0] != '\0') ||
        strcmp(before->status, json) != 0) {
        return true;
    }
    bool same = strcmp(before->identity, look->balancer.identity) == 0;
    return look->has_balancer && look->balancer.cycles >= (same ? before->cycles : 0) + 2;
}

/* The balancer counts whole domains; moves that are half done let the bar move in between. */
static bool add_progress(struct wait *wait, struct waited *it, struct ek_error *err)
{
    struct ek_move_record *records = NULL;
    size_t count = 0;

    if (!ek_store_open_moves(wait->tool->store, &records, &count, err)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (strcmp(records[i].order.source, it->host) == 0) {
            it->look.leaving += records[i].progress;
        }
    }
    free(records);
    return true;
}

/* The balancer's own status is read first: the host's, which it writes before, is then as new. */
static bool look_at(struct wait *wait, struct waited *it, struct ek_error *err)
{
    struct ek_tool *tool = wait->tool;
    struct look *look = &it->look;
    char *json = NULL;

    ek_arena_finish(&look->arena);
    memset(look, 0, sizeof(*look));
    if (!ek_view_balancer(tool, &look->balancer, &look->has_balancer, err) ||
        !ek_store_get_maintenance(tool->store, &it->host, 1, &look->key, err) ||
        !ek_store_get_maintenance_status(tool->store, it->host, &json, err)) {
        return false;
    }
    look->fresh = json != NULL && is_fresh(it, look, json);
    free(json);
    return ek_view_maintenance_status(tool, it->host, &look->status, &look->has_status,
                                      &look->arena, err) &&
           add_progress(wait, it, err);
}

/* ---- showing ------------------------------------------------------------------------------- */

static bool is_told(const struct waited *it)
{
    return it->look.has_status && it->look.fresh;
}

/* How far one host is, as words; the ETA of the slowest stands at the end of the line. */
static void describe(struct waited *it, char *text, size_t size)
{
    const struct ek_maintenance_status *status = &it->look.status;
    const char *state = ek_maintenance_state_name(status->state);

    if (!is_told(it)) {
        (void)snprintf(text, size, "%s: waiting for the balancer", it->host);
    } else if (it->active > 0) {
        (void)snprintf(text, size, "%s: %s, but its libvirt still shows %zu domain%s", it->host,
                       state, it->active, ek_plural(it->active));
    } else if (!ek_maintenance_counted(status)) {
        (void)snprintf(text, size, "%s: %s, what is left on it cannot be told", it->host, state);
    } else {
        (void)snprintf(text, size, "%s: %s, %u of %u domain%s left", it->host, state,
                       (unsigned int)status->domains_left, (unsigned int)it->most,
                       ek_plural(it->most));
    }
}

static void show(struct wait *wait)
{
    char text[EK_WAIT_LINE_SIZE] = "";
    char span[EK_SPAN_SIZE];
    int64_t eta_ms = -1;
    double left = 0;
    double most = 0;

    for (size_t i = 0; i < wait->count; i++) {
        struct waited *it = &wait->hosts[i];
        const struct ek_maintenance_status *status = &it->look.status;
        size_t used = strlen(text);
        if (is_told(it) && ek_maintenance_counted(status)) {
            /* Domains may still arrive after the first look (moves that were on their way): the
             * bar's end moves with them. */
            it->most = status->domains_left > it->most ? status->domains_left : it->most;
            left += (double)status->domains_left - it->look.leaving;
        }
        most += it->most;
        eta_ms = is_told(it) && status->eta_ms > eta_ms ? status->eta_ms : eta_ms;
        if (used + 2 < sizeof(text)) {
            (void)snprintf(text + used, sizeof(text) - used, "%s", used == 0 ? "" : "; ");
            used = strlen(text);
            describe(it, text + used, sizeof(text) - used);
        }
    }
    bool all = true;
    for (size_t i = 0; i < wait->count; i++) {
        all = all && is_told(&wait->hosts[i]);
    }
    double ratio = most > 0 ? 1 - left / most : 1;
    ek_wait_show(&wait->line, all ? ratio : 0, "%s%s%s", text, eta_ms >= 0 ? ", about " : "",
                 eta_ms >= 0 ? ek_span(eta_ms, span) : "");
}

static void list_blockers(const struct ek_maintenance_status *status)
{
    for (size_t i = 0; i < status->blocker_count; i++) {
        const struct ek_blocker *blocker = &status->blockers[i];
        const char *name = blocker->name[0] != '\0' ? blocker->name : blocker->domain;
        ek_terminal_print(stderr, EK_COLOUR_NONE, "  %s%s%s\n", name, name[0] == '\0' ? "" : ": ",
                          blocker->reason);
        if (blocker->relaxation != NULL) {
            ek_terminal_print(stderr, EK_COLOUR_NONE, "    would do: %s\n", blocker->relaxation);
        }
    }
}

/* ---- deciding ------------------------------------------------------------------------------ */

/* Counts the balancer's cycles while the host is stuck; true when there were enough. */
static bool is_stuck(struct waited *it)
{
    const struct ek_balancer_status *balancer = &it->look.balancer;
    enum ek_maintenance_state state = it->look.status.state;
    bool another = it->look.has_balancer && (balancer->cycles != it->cycles ||
                                             strcmp(balancer->identity, it->identity) != 0);

    if (state != EK_MAINTENANCE_BLOCKED && state != EK_MAINTENANCE_INFEASIBLE) {
        it->stuck = 0;
    } else if (another) {
        it->stuck++;
    }
    if (another) {
        it->cycles = balancer->cycles;
        memcpy(it->identity, balancer->identity, sizeof(it->identity));
    }
    return it->stuck >= PATIENCE;
}

/* The balancer calls a host empty by a sample, which may be two periods old; so its libvirt is
 * asked now. Where that cannot be from here, a sample will do that was taken after the key was set:
 * it is what libvirt told the collector. */
static int confirm(struct wait *wait, struct waited *it, struct ek_error *err)
{
    struct ek_error why;
    int64_t sampled_at_ms = 0;
    size_t domains = 0;

    it->asked = true;
    if (!it->deaf) {
        it->deaf = !ek_inspect_active(&it->active, it->uri,
                                      (int)wait->tool->config.connect_timeout_ms, &why);
        if (!it->deaf) {
            return it->active == 0 ? EK_EXIT_DONE : GO_ON;
        }
        ek_wait_end_line(&wait->line);
        (void)ek_tool_complain(EK_EXIT_DONE,
                               "warning: the libvirt of %s cannot be asked from here (%s); the "
                               "collector's next sample of it has to do",
                               it->host, why.message);
    }
    if (!note_sample(wait->tool, it->host, &sampled_at_ms, &domains, err)) {
        return GO_ON;
    }
    it->active = domains;
    return sampled_at_ms > it->before->sampled_at_ms && domains == 0 ? EK_EXIT_DONE : GO_ON;
}

static int judge_status(struct wait *wait, struct waited *it)
{
    const struct ek_maintenance_status *status = &it->look.status;
    const char *state = ek_maintenance_state_name(status->state);
    unsigned int left = (unsigned int)status->domains_left;
    struct ek_error err;

    it->active = status->state == EK_MAINTENANCE_EVACUATED ? it->active : 0;
    if (status->state == EK_MAINTENANCE_EVACUATED) {
        /* Who was asked once is asked again when all are done, see ask_again(). */
        return it->status == EK_EXIT_DONE ? EK_EXIT_DONE : confirm(wait, it, &err);
    }
    /* Only a change of the policy would change that: waiting is pointless. */
    if (status->state == EK_MAINTENANCE_PREFLIGHT) {
        ek_wait_end_line(&wait->line);
        return ek_tool_complain(
            EK_EXIT_NOT_POSSIBLE,
            "the balancer's mode is recommend: nothing will be moved, %u domain%s stay%s on %s; "
            "the key stays set; `mode: automatic` in policy.yaml lets it act",
            left, ek_plural(left), left == 1 ? "s" : "", it->host);
    }
    if (!is_stuck(it)) {
        return GO_ON;
    }
    ek_wait_end_line(&wait->line);
    if (left > 0) {
        (void)ek_tool_complain(
            EK_EXIT_NOT_POSSIBLE,
            "%s is %s: %u domain%s cannot leave; the key stays set, for when that changes",
            it->host, state, left, ek_plural(left));
    } else {
        /* No domain is known on a host that is not sampled. */
        (void)ek_tool_complain(EK_EXIT_NOT_POSSIBLE,
                               "%s is %s: whether it is empty cannot be told; the key stays set",
                               it->host, state);
    }
    list_blockers(status);
    return EK_EXIT_NOT_POSSIBLE;
}

/* The exit status, or GO_ON. */
static int judge(struct wait *wait, struct waited *it, int64_t now_ms)
{
    /* By DEL, or by the key's own time to live. */
    if (!it->look.key.wanted) {
        ek_wait_end_line(&wait->line);
        return ek_tool_complain(EK_EXIT_FAILED, "somebody has ended the maintenance of %s",
                                it->host);
    }
    /* Its status outlives a restart; without one for longer, waiting would never end. */
    if (it->look.has_balancer) {
        wait->heard_at_ms = now_ms;
    } else if (it->status == GO_ON && now_ms - wait->heard_at_ms > EK_WAIT_GRACE_MS) {
        ek_wait_end_line(&wait->line);
        return ek_tool_complain(EK_EXIT_FAILED,
                                "no balancer runs; the key stays set, and %s is emptied when one "
                                "does; start evenkeeld",
                                it->host);
    }
    return is_told(it) ? judge_status(wait, it) : GO_ON;
}

/* ---- waiting ------------------------------------------------------------------------------- */

/* Redis is away: an embedded one is with its daemon, and a restart brings both back. */
static void lose(struct wait *wait, const struct ek_error *err, int64_t now_ms)
{
    if (now_ms - wait->heard_at_ms <= EK_WAIT_GRACE_MS) {
        return;
    }
    ek_wait_end_line(&wait->line);
    (void)ek_tool_complain(EK_EXIT_FAILED, "%s; the maintenance key of %s stays set", err->message,
                           wait->hosts[0].host);
    for (size_t i = 0; i < wait->count; i++) {
        wait->hosts[i].status = EK_EXIT_FAILED;
    }
}

/* A host that was found empty is looked at further while others are waited for: its maintenance may
 * be ended meanwhile, and something may start there. */
static bool is_open(const struct waited *it)
{
    return it->status == GO_ON || it->status == EK_EXIT_DONE;
}

static bool has_ended(const struct wait *wait)
{
    bool ended = true;

    for (size_t i = 0; i < wait->count; i++) {
        ended = ended && wait->hosts[i].status != GO_ON;
    }
    return ended;
}

/* The worst of all. Of a host that is still waited for nothing good is known. */
static int status_of(const struct wait *wait)
{
    int status = EK_EXIT_DONE;

    for (size_t i = 0; i < wait->count; i++) {
        int one = wait->hosts[i].status == GO_ON ? EK_EXIT_FAILED : wait->hosts[i].status;
        status = one > status ? one : status;
    }
    return status;
}

/* "All are empty" is said of one moment: those that were found empty an hour ago are asked now. */
static void ask_again(struct wait *wait)
{
    struct ek_error err;

    for (size_t i = 0; status_of(wait) == EK_EXIT_DONE && i < wait->count; i++) {
        struct waited *it = &wait->hosts[i];
        it->status = it->asked ? it->status : confirm(wait, it, &err);
    }
}

/* True: each host has come to its end. */
static bool poll_once(struct wait *wait)
{
    struct ek_error err;
    int64_t now_ms = ek_wait_now_ms();

    for (size_t i = 0; i < wait->count; i++) {
        wait->hosts[i].asked = false;
        if (is_open(&wait->hosts[i]) && !look_at(wait, &wait->hosts[i], &err)) {
            lose(wait, &err, now_ms);
            return has_ended(wait);
        }
    }
    show(wait);
    for (size_t i = 0; i < wait->count; i++) {
        struct waited *it = &wait->hosts[i];
        it->status = is_open(it) ? judge(wait, it, now_ms) : it->status;
    }
    ask_again(wait);
    return has_ended(wait);
}

static int interrupt(struct wait *wait)
{
    int status = EK_EXIT_FAILED;

    ek_wait_end_line(&wait->line);
    for (size_t i = 0; i < wait->count; i++) {
        if (wait->hosts[i].status == GO_ON) {
            status = ek_tool_complain(EK_EXIT_FAILED,
                                      "interrupted; %s stays in maintenance and goes on being "
                                      "emptied; `evenkeel maintenance leave %s` ends that",
                                      wait->hosts[i].host, wait->hosts[i].host);
        }
    }
    return status;
}

static const char *uri_of(const struct ek_tool *tool, const char *host)
{
    const char *uri = "";

    for (size_t h = 0; h < tool->config.host_count; h++) {
        uri = strcmp(tool->config.hosts[h].name, host) == 0 ? tool->config.hosts[h].uri : uri;
    }
    return uri;
}

static int wait_for_all(struct wait *wait)
{
    while (!poll_once(wait)) {
        if (ek_wait_interrupted(POLL_MS)) {
            return interrupt(wait);
        }
    }
    ek_wait_end_line(&wait->line);
    return status_of(wait);
}

int ek_wait_evacuated(struct ek_tool *tool, const char *const *hosts, size_t count,
                      const struct ek_wait_before *before)
{
    struct ek_error err;
    struct wait wait = {
        .tool = tool,
        .hosts = calloc(count, sizeof(*wait.hosts)),
        .count = count,
        .line = {.terminal = !tool->json && ek_terminal_is(stdout), .silent = tool->json},
        /* A balancer that never was there gets its grace as well: it may be
         * starting. */
        .heard_at_ms = ek_wait_now_ms()};

    /* An interrupt has to be answered: the key stays set, and whoever interrupts must hear so.
     * Before libvirt's thread begins, which must not take it. */
    ek_wait_hold_signals();
    if (wait.hosts == NULL || !ek_inspect_begin(&err)) {
        free(wait.hosts);
        return ek_tool_complain(EK_EXIT_FAILED, "%s",
                                wait.hosts == NULL ? "out of memory" : err.message);
    }
    for (size_t i = 0; i < count; i++) {
        wait.hosts[i] = (struct waited){
            .host = hosts[i], .uri = uri_of(tool, hosts[i]), .before = &before[i], .status = GO_ON};
    }
    int status = wait_for_all(&wait);
    for (size_t i = 0; i < count; i++) {
        ek_arena_finish(&wait.hosts[i].look.arena);
    }
    tool->hangs = !ek_inspect_end();
    free(wait.hosts);
    return status;
}
