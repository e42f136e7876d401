/* evenkeel plan: what would be moved, from the cluster as it is or from a file. Nothing is done. */
#include "balancer/codec/plan.h"
#include "balancer/core/plan.h"
#include "balancer/core/schedule.h"
#include "balancer/tools/snapshot_file.h"
#include "balancer/tools/view.h"
#include "policies/policy_ops.h"

#include <stdlib.h>
#include <string.h>

/* What the plan is made from. */
struct input {
    const char *snapshot_path; /* NULL: the cluster */
    const char *policy_path;   /* NULL: the configured policy, or the defaults */
    const char **evacuate;
    size_t evacuate_count;
    struct ek_policy policy;
    struct ek_rules rules;
    struct ek_snapshot offline;
    struct ek_view view;
    struct ek_cooldown *cooldown; /* NULL: offline, nobody rests */
};

static bool take_options(struct ek_tool *tool, int argc, char **argv, struct input *in)
{
    static const struct option own[] = {{"snapshot", required_argument, NULL, 's'},
                                        {"policy", required_argument, NULL, 'p'},
                                        {"evacuate", required_argument, NULL, 'e'},
                                        {NULL, 0, NULL, 0}};
    int option = 0;

    while ((option = ek_tool_option(tool, argc, argv, "", own)) > 0) {
        if (option == 's') {
            in->snapshot_path = optarg;
        } else if (option == 'p') {
            in->policy_path = optarg;
        } else {
            in->evacuate[in->evacuate_count++] = optarg; /* room for argc of them */
        }
    }
    return option == EK_OPTION_END && ek_tool_words(tool, argc, argv, 0);
}

/* Unlike the verbs that only show, this one refuses a policy that it cannot read: a plan made by
 * another policy would be believed. */
static bool read_policy(struct ek_tool *tool, struct input *in)
{
    struct ek_error err;
    bool done = true;

    if (in->policy_path != NULL) {
        done = ek_policy_read(&in->policy, &in->rules, in->policy_path, NULL, &err);
    } else if (in->snapshot_path == NULL) {
        done = ek_config_read_policy(&in->policy, &in->rules, &tool->config, NULL, &err);
    } else {
        /* A snapshot from elsewhere is not to depend on what this machine has configured. */
        ek_policy_defaults(&in->policy);
    }
    if (!done) {
        tool->exit_status = ek_tool_complain(EK_EXIT_USAGE, "%s", err.message);
    }
    return done;
}

static bool read_offline(struct ek_tool *tool, struct input *in)
{
    struct ek_error err;

    if (!ek_snapshot_file_read(&in->offline, in->snapshot_path, &err)) {
        /* A file that is wrong is the caller's to correct (2); memory that ran out is not (1). */
        bool bad = err.code == EK_ERR_INVALID || err.code == EK_ERR_IO;
        tool->exit_status =
            ek_tool_complain(bad ? EK_EXIT_USAGE : EK_EXIT_FAILED, "%s", err.message);
        return false;
    }
    /* A file that somebody made for this question: a rule over nothing in it is a slip. */
    if (!ek_rule_set_check(in->policy.rules, &in->offline, &err)) {
        const char *name = in->policy_path == NULL ? in->snapshot_path : in->policy_path;
        bool bad = err.code == EK_ERR_INVALID;
        tool->exit_status =
            ek_tool_complain(bad ? EK_EXIT_USAGE : EK_EXIT_FAILED, "%s: %s", name, err.message);
        return false;
    }
    return true;
}

/* A domain whose last move ended unknown is not moved by the balancer either. */
static bool read_blocked(struct ek_tool *tool, struct input *in)
{
    struct ek_move_record *records = NULL;
    size_t count = 0;
    struct ek_error err;

    /* Rests are left out on purpose (the question is what would be moved), blocks are not: they
     * wait for a person, not for time. */
    in->cooldown = ek_cooldown_create();
    bool done = in->cooldown != NULL ||
                ek_error_set(&err, EK_ERR_NOMEM, "out of memory for the blocked domains");
    done = done && ek_store_blocking_moves(tool->store, &records, &count, &err);
    for (size_t i = 0; done && i < count; i++) {
        done = ek_cooldown_block(in->cooldown, records[i].order.domain, true, &err);
    }
    free(records);
    if (!done) {
        tool->exit_status = ek_tool_complain(EK_EXIT_FAILED, "%s", err.message);
    }
    return done;
}

/* A plan over hosts that nobody sees would look like a level cluster. */
static void warn_of_lost_hosts(const struct ek_snapshot *snapshot)
{
    size_t lost = 0;

    for (size_t h = 0; h < snapshot->host_count; h++) {
        lost += snapshot->hosts[h].state != EK_HOST_UP ? 1 : 0;
    }
    if (lost > 0) {
        (void)ek_tool_complain(EK_EXIT_DONE,
                               "warning: %zu of %zu hosts have no fresh sample; what runs there "
                               "is not planned for",
                               lost, snapshot->host_count);
    }
}

static bool read_cluster(struct ek_tool *tool, struct input *in)
{
    if (!ek_tool_open(tool) || !read_policy(tool, in) || !ek_view_gather(&in->view, tool)) {
        return false;
    }
    warn_of_lost_hosts(&in->view.snapshot);
    return read_blocked(tool, in);
}

static void complain_of_host(struct ek_tool *tool, const struct ek_snapshot *snapshot,
                             const char *host)
{
    /* One more than there are: calloc(0) may give NULL, which would look like a lack of memory. */
    const char **names = calloc(snapshot->host_count + 1, sizeof(*names));
    char known[300] = "";

    for (size_t h = 0; names != NULL && h < snapshot->host_count; h++) {
        names[h] = snapshot->hosts[h].name;
    }
    if (names != NULL) {
        ek_tool_list_names(names, snapshot->host_count, known, sizeof(known));
    }
    free(names);
    tool->exit_status = ek_tool_complain(
        EK_EXIT_USAGE, "--evacuate: found the unknown host \"%s\", expected one of: %s", host,
        known);
}

/* --evacuate HOST is the same as "maintenance": true in the snapshot. */
static bool mark_evacuated(struct ek_tool *tool, const struct input *in,
                           struct ek_snapshot *snapshot)
{
    for (size_t i = 0; i < in->evacuate_count; i++) {
        uint32_t host = ek_snapshot_find_host(snapshot, in->evacuate[i]);
        if (host == EK_NONE) {
            complain_of_host(tool, snapshot, in->evacuate[i]);
            return false;
        }
        snapshot->hosts[host].maintenance = true;
    }
    return true;
}

/* `unresolved` lists the domains that stay on hosts to be emptied first. */
static int show(const struct ek_tool *tool, const struct ek_plan *plan,
                const struct ek_schedule *schedule)
{
    /* The document is printed even when the status is 3: what can be moved is of use. */
    if (tool->json) {
        int status = ek_tool_print_json(ek_codec_write_plan(plan, schedule));
        if (status != EK_EXIT_DONE) {
            return status;
        }
    } else {
        ek_codec_print_plan(stdout, plan, schedule);
    }
    if (plan->stuck_count > 0) {
        const struct ek_unresolved *first = &plan->unresolved[0];
        return ek_tool_complain(EK_EXIT_NOT_POSSIBLE,
                                "%zu domains cannot leave, the first is %s on %s",
                                plan->stuck_count, plan->snapshot->domains[first->domain].name,
                                plan->snapshot->hosts[first->host].name);
    }
    return EK_EXIT_DONE;
}

static int make_plan(const struct ek_tool *tool, const struct input *in,
                     const struct ek_snapshot *snapshot)
{
    /* Each stage points into the one before, hence they are finished in the reverse order. */
    struct ek_evaluation evaluation = {.snapshot = NULL};
    struct ek_plan plan = {.snapshot = NULL};
    struct ek_schedule schedule = {.plan = NULL};
    struct ek_error err;
    int status = EK_EXIT_DONE;

    /* Sustained cycles and settled samples count as met: the question is what would be done. */
    const struct ek_plan_request request = {.evaluation = &evaluation,
                                            .balance = ek_policy_find(in->policy.kind),
                                            .cooldown = in->cooldown};
    if (ek_evaluate(&evaluation, snapshot, &in->policy, &err) &&
        ek_plan_make(&plan, &request, &err) &&
        ek_schedule_make(&schedule, &plan, &in->policy, &err)) {
        status = show(tool, &plan, &schedule);
    } else {
        status = ek_tool_complain(EK_EXIT_FAILED, "%s", err.message);
    }
    ek_schedule_finish(&schedule);
    ek_plan_finish(&plan);
    ek_evaluation_finish(&evaluation);
    return status;
}

static int plan_from(struct ek_tool *tool, struct input *in)
{
    /* The two ways differ in where the snapshot comes from, and in nothing after that. */
    bool offline = in->snapshot_path != NULL;
    struct ek_snapshot *snapshot = offline ? &in->offline : &in->view.snapshot;

    if (!(offline ? read_policy(tool, in) && read_offline(tool, in) : read_cluster(tool, in)) ||
        !mark_evacuated(tool, in, snapshot)) {
        return tool->exit_status;
    }
    return make_plan(tool, in, snapshot);
}

static int run(struct ek_tool *tool, int argc, char **argv)
{
    /* As many places as there can be words. */
    struct input in = {.evacuate = calloc((size_t)argc, sizeof(*in.evacuate))};
    int status = EK_EXIT_DONE;

    if (in.evacuate == NULL) {
        return ek_tool_complain(EK_EXIT_FAILED, "out of memory");
    }
    status = take_options(tool, argc, argv, &in) ? plan_from(tool, &in) : tool->exit_status;
    /* Whichever of the two was not read is zero, and finishing it does nothing. */
    ek_snapshot_finish(&in.offline);
    ek_rules_finish(&in.rules);
    ek_view_finish(&in.view);
    ek_cooldown_destroy(in.cooldown);
    free(in.evacuate);
    return status;
}

const struct ek_verb ek_verb_plan = {
    .name = "plan",
    .arguments = " [--snapshot FILE] [--policy FILE] [--evacuate HOST]...",
    .help = "what would be moved now, and why; nothing is done",
    .details = "  --snapshot FILE   plan for that snapshot (- reads standard input) instead of the "
               "cluster;\n"
               "                    needs neither Redis nor evenkeel.yaml\n"
               "  --policy FILE     with that policy; else the configured one, with --snapshot the "
               "defaults\n"
               "  --evacuate HOST   as if that host were in maintenance; may be given again\n"
               "\n"
               "Exit status 3: a host that is to be emptied keeps a domain.\n",
    .run = run,
};
