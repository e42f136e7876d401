/* evenkeel maintenance enter: what it will take, then the keys, then perhaps waiting. */
#include "balancer/codec/status.h"
#include "balancer/tools/maintenance/maintenance.h"
#include "balancer/tools/plan_input.h"

#include <stdlib.h>
#include <string.h>

/* What stands in the way of anything happening, as a warning. */
static void warn_of_balancer(struct ek_tool *tool)
{
    struct ek_balancer_status balancer;
    bool there = false;
    struct ek_error err;

    if (!ek_view_balancer(tool, &balancer, &there, &err)) {
        (void)ek_tool_complain(EK_EXIT_DONE, "warning: %s", err.message);
    } else if (!there) {
        (void)ek_tool_complain(EK_EXIT_DONE,
                               "warning: no balancer runs; the key stays set until one does");
    } else if (strcmp(balancer.mode, ek_mode_name(EK_MODE_RECOMMEND)) == 0) {
        (void)ek_tool_complain(EK_EXIT_DONE,
                               "warning: the mode is recommend, so nothing will be moved; "
                               "`mode: automatic` in policy.yaml changes that");
    }
}

/* What is not said now stays as a key has it that is there already: who only wants to wait must not
 * take away another's reason, deadline or word that a part will do. */
static bool set_one(struct ek_tool *tool, const struct ek_entry *entry, const char *host,
                    struct ek_error *err)
{
    struct ek_maintenance key;

    if (!ek_store_get_maintenance(tool->store, &host, 1, &key, err)) {
        return false;
    }
    struct ek_maintenance wanted = key.wanted ? key : entry->key;
    if (entry->key.reason[0] != '\0') {
        memcpy(wanted.reason, entry->key.reason, sizeof(wanted.reason));
    }
    wanted.partial = wanted.partial || entry->key.partial;
    wanted.deadline_ms = entry->key.deadline_ms != 0 ? entry->key.deadline_ms : wanted.deadline_ms;
    char *value = ek_codec_write_maintenance_key(&wanted);
    bool done = value != NULL
                    ? ek_store_set_maintenance(tool->store, host, value, entry->ttl_ms, err)
                    : ek_error_set(err, EK_ERR_NOMEM, "out of memory for a maintenance key");
    free(value);
    return done;
}

/* Sets one key after the other: each counts from when it is there. What is there before is noted
 * before the key is set: after it nobody could tell the balancer's old words from its answer. */
static bool set_all(struct ek_tool *tool, const struct ek_entry *entry,
                    struct ek_wait_before *before, struct ek_error *err)
{
    bool done = true;

    for (size_t i = 0; done && i < entry->host_count; i++) {
        done = !entry->wait || ek_wait_note(tool, entry->hosts[i], &before[i], err);
    }
    for (size_t i = 0; done && i < entry->host_count; i++) {
        done = set_one(tool, entry, entry->hosts[i], err);
    }
    return done;
}

static void say_entered(const struct ek_entry *entry)
{
    for (size_t i = 0; i < entry->host_count; i++) {
        (void)printf(entry->wait ? "%s is empty; `evenkeel maintenance leave %s` uses it again\n"
                                 : "%s is to be emptied; `evenkeel maintenance status %s` shows "
                                   "how far it is\n",
                     entry->hosts[i], entry->hosts[i]);
    }
}

static int set_and_wait(struct ek_tool *tool, const struct ek_entry *entry, const char *preflight)
{
    struct ek_wait_before *before = calloc(entry->host_count, sizeof(*before));
    struct ek_error err;
    int status = EK_EXIT_DONE;

    if (before == NULL) {
        return ek_tool_complain(EK_EXIT_FAILED, "out of memory");
    }
    bool set = set_all(tool, entry, before, &err);
    if (!set) {
        status = ek_tool_complain(EK_EXIT_FAILED, "%s", err.message);
    } else if (entry->wait) {
        status = ek_wait_evacuated(tool, entry->hosts, entry->host_count, before);
    } else {
        warn_of_balancer(tool);
    }
    for (size_t i = 0; i < entry->host_count; i++) {
        free(before[i].status);
    }
    free(before);
    if (set && tool->json) {
        int shown = ek_maintenance_status_print(tool, entry->hosts, entry->host_count, preflight);
        return status == EK_EXIT_DONE ? shown : status;
    }
    /* Otherwise the waiting has complained already. */
    if (status == EK_EXIT_DONE) {
        say_entered(entry);
    }
    return status;
}

/* Nothing is set. */
static int refuse(struct ek_tool *tool, const struct ek_entry *entry, const char *preflight)
{
    if (tool->json) {
        int shown = ek_maintenance_status_print(tool, entry->hosts, entry->host_count, preflight);
        if (shown != EK_EXIT_DONE) {
            return shown;
        }
    }
    return ek_tool_complain(EK_EXIT_NOT_POSSIBLE,
                            "no key is set, since not all can leave; --partial empties what can "
                            "be emptied, --force sets the key for when all can");
}

int ek_maintenance_enter(struct ek_tool *tool, const struct ek_entry *entry)
{
    struct ek_foresight foresight = {.may_begin = true};
    int status = EK_EXIT_DONE;

    if (!entry->force) {
        status = ek_maintenance_foresee(tool, entry->input, &foresight);
    }
    if (status == EK_EXIT_DONE) {
        /* People see the promise before the key is there, also through a pipe. */
        (void)fflush(stdout);
        status = foresight.may_begin || entry->key.partial
                     ? set_and_wait(tool, entry, foresight.json)
                     : refuse(tool, entry, foresight.json);
    }
    free(foresight.json);
    return status;
}
