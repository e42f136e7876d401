/* evenkeel plan: what would be moved, from the cluster as it is or from a file. Nothing is done. */
#include "balancer/codec/plan.h"
#include "balancer/codec/explanation.h"
#include "balancer/core/plural.h"
#include "balancer/core/schedule/pace_choice.h"
#include "balancer/tools/plan_input.h"

enum { EXPLAIN = 'x' };

static bool take_options(struct ek_tool *tool, int argc, char **argv, struct ek_plan_input *in,
                         bool *explain)
{
    static const struct option own[] = {
        EK_PLAN_OPTIONS, {"explain", no_argument, NULL, EXPLAIN}, {NULL, 0, NULL, 0}};
    int option = 0;

    while ((option = ek_tool_option(tool, argc, argv, "", own)) > 0) {
        if (option == EXPLAIN) {
            *explain = true;
        } else if (!ek_plan_input_option(in, tool, option)) {
            return false;
        }
    }
    return option == EK_OPTION_END && ek_tool_words(tool, argc, argv, 0);
}

/* `unresolved` lists the domains that stay on hosts to be emptied first. */
static int show(const struct ek_tool *tool, const struct ek_plan *plan,
                const struct ek_schedule *schedule, const struct ek_explanation *explanation)
{
    /* The document is printed even when the status is 3: what can be moved is of use. */
    if (tool->json) {
        int status = ek_tool_print_json(
            explanation == NULL ? ek_codec_write_plan(plan, schedule)
                                : ek_codec_write_explained_plan(plan, schedule, explanation));
        if (status != EK_EXIT_DONE) {
            return status;
        }
    } else {
        ek_codec_print_plan(stdout, plan, schedule);
        if (explanation != NULL) {
            ek_codec_print_explanation(stdout, explanation);
        }
    }
    if (plan->stuck_count > 0) {
        const struct ek_unresolved *first = &plan->unresolved[0];
        return ek_tool_complain(
            EK_EXIT_NOT_POSSIBLE, "%zu domain%s cannot leave, the first is %s on %s",
            plan->stuck_count - plan->withheld_count,
            ek_plural(plan->stuck_count - plan->withheld_count),
            plan->snapshot->domains[first->domain].name, plan->snapshot->hosts[first->host].name);
    }
    return EK_EXIT_DONE;
}

static int show_plan(const struct ek_tool *tool, const struct ek_plan_input *in, bool explain)
{
    struct ek_schedule schedule = {.plan = NULL};
    struct ek_pace_choice choice = {.hosts = NULL};
    struct ek_explanation explanation = {.plan = NULL};
    struct ek_error err;
    int status = EK_EXIT_DONE;

    if (ek_pace_choose(&choice, &schedule, &in->plan, &in->policy, in->request.pace, &err) &&
        (!explain || ek_explain_plan(&explanation, &in->plan, &in->request, EK_NONE, &err))) {
        status = show(tool, &in->plan, &schedule, explain ? &explanation : NULL);
    } else {
        status = ek_tool_complain(EK_EXIT_FAILED, "%s", err.message);
    }
    ek_explanation_finish(&explanation);
    ek_pace_choice_finish(&choice);
    ek_schedule_finish(&schedule);
    return status;
}

static int run(struct ek_tool *tool, int argc, char **argv)
{
    struct ek_plan_input in;
    bool explain = false;
    bool made = ek_plan_input_begin(&in, tool, argc) &&
                take_options(tool, argc, argv, &in, &explain) && ek_plan_input_make(&in, tool);
    int status = made ? show_plan(tool, &in, explain) : tool->exit_status;

    ek_plan_input_finish(&in);
    return status;
}

const struct ek_verb ek_verb_plan = {
    .name = "plan",
    .arguments = " [--snapshot FILE] [--policy FILE] [--evacuate HOST]... [--explain]",
    .help = "what would be moved now, and why; nothing is done",
    .details = EK_PLAN_OPTIONS_HELP
    "  --explain         with the numbers of every move, and why the other domains stay\n"
    "\n"
    "Exit status 3: a host that is to be emptied keeps a domain.\n",
    .run = run,
};
