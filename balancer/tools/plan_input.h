/* What `plan`, `why` and `why-not` are asked about: a snapshot with its policy, from the cluster or
 * from files, and the plan that is made of them. */
#ifndef EK_TOOLS_PLAN_INPUT_H
#define EK_TOOLS_PLAN_INPUT_H

#include "balancer/core/planner/plan.h"
#include "balancer/tools/view.h"

/* Options of these verbs for ek_tool_option, to stand in the verb's own list. */
enum ek_plan_option { EK_PLAN_SNAPSHOT = 's', EK_PLAN_POLICY = 'p', EK_PLAN_EVACUATE = 'e' };
#define EK_PLAN_OPTIONS                                       \
    {"snapshot", required_argument, NULL, EK_PLAN_SNAPSHOT},  \
        {"policy", required_argument, NULL, EK_PLAN_POLICY},  \
    {                                                         \
        "evacuate", required_argument, NULL, EK_PLAN_EVACUATE \
    }

/* The lines of --help about them. */
#define EK_PLAN_OPTIONS_HELP                                                              \
    "  --snapshot FILE   plan for that snapshot (- reads standard input) instead of the " \
    "cluster;\n"                                                                          \
    "                    needs neither Redis nor evenkeel.yaml\n"                         \
    "  --policy FILE     with that policy; else the configured one, with --snapshot the " \
    "defaults\n"                                                                          \
    "  --evacuate HOST   as if that host were in maintenance; may be given again\n"

struct ek_plan_input {
    const char *snapshot_path; /* NULL: the cluster */
    const char *policy_path;   /* NULL: the configured policy, or the defaults */
    const char **evacuate;
    size_t evacuate_count;
    int64_t deadline_ms;       /* of these hosts; 0: none but what their keys say */
    int64_t deadline_span_ms;  /* or this long after the snapshot */
    const char *evacuate_word; /* what complaints of them begin with; "--evacuate" */
    const char *balance_held;  /* why balancing is left out; NULL: it is not */
    bool as_far;               /* what can leave leaves, though its host cannot be emptied */
    bool with_rests;           /* domains rest as the balancer lets them; else rests count as met */
    struct ek_policy policy;
    struct ek_rules rules;
    struct ek_snapshot offline;
    struct ek_view view;
    struct ek_cooldown *cooldown; /* NULL: offline, nobody rests */

    /* From ek_plan_input_make on. */
    struct ek_snapshot *snapshot; /* `offline` or the view's */
    struct ek_evaluation evaluation;
    struct ek_plan_request request;
    struct ek_plan plan;
};

/* Zeroes it and makes room for the words of argv. False: it has complained, return
 * tool->exit_status. Finish it in any case; what was not read is zero. */
bool ek_plan_input_begin(struct ek_plan_input *in, struct ek_tool *tool, int argc);
void ek_plan_input_finish(struct ek_plan_input *in);

/* Takes one of EK_PLAN_OPTIONS with getopt's `optarg`. False: it has complained, return
 * tool->exit_status. */
bool ek_plan_input_option(struct ek_plan_input *in, struct ek_tool *tool, int option);

/* Reads snapshot and policy and makes the plan. False: it has complained, return
 * tool->exit_status. */
bool ek_plan_input_make(struct ek_plan_input *in, struct ek_tool *tool);

/* Index of the domain that the words name, by name or UUID; EK_NONE: it has complained of an
 * unknown or ambiguous one, return tool->exit_status. */
uint32_t ek_plan_input_domain(const struct ek_plan_input *in, struct ek_tool *tool,
                              const char *name);

/* The same for a host; `what` begins the complaint ("--evacuate"). */
uint32_t ek_plan_input_host(const struct ek_snapshot *snapshot, struct ek_tool *tool,
                            const char *what, const char *name);

#endif
