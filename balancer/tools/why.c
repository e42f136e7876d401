/* evenkeel why, evenkeel why-not: what the planner thinks of one domain. */
#include "balancer/tools/why.h"

#include "balancer/codec/explanation.h"
#include "balancer/codec/status.h"
#include "balancer/tools/plan_input.h"

#include <string.h>

enum { CYCLE = 'y' };

/* Takes the options; those of `why` alone have --cycle (`cycle` not NULL). */
static bool take_options(struct ek_tool *tool, int argc, char **argv, int words, bool *cycle,
                         struct ek_plan_input *in)
{
    static const struct option of_why[] = {
        EK_PLAN_OPTIONS, {"cycle", no_argument, NULL, CYCLE}, {NULL, 0, NULL, 0}};
    static const struct option of_why_not[] = {EK_PLAN_OPTIONS, {NULL, 0, NULL, 0}};
    int option = 0;

    while ((option = ek_tool_option(tool, argc, argv, "", cycle == NULL ? of_why_not : of_why)) >
           0) {
        if (option == CYCLE) {
            *cycle = true;
        } else if (!ek_plan_input_option(in, tool, option)) {
            return false;
        }
    }
    return option == EK_OPTION_END && ek_tool_words(tool, argc, argv, words);
}

/* Takes exactly `words` words, and makes the plan. */
static bool make(struct ek_tool *tool, int argc, int words, const char *expected,
                 struct ek_plan_input *in)
{
    if (argc - optind < words) {
        tool->exit_status = ek_tool_complain(
            EK_EXIT_USAGE, "%s: found nothing more, expected %s; see `evenkeel %s --help`",
            tool->verb->name, expected, tool->verb->name);
        return false;
    }
    /* Who asks why a domain stays wants to know that it rests. */
    in->with_rests = true;
    return ek_plan_input_make(in, tool);
}

/* The answer is about the plan; what keeps the balancer from making it true is said beside. */
static void warn_of_balancer(struct ek_tool *tool, const struct ek_plan_input *in)
{
    struct ek_balancer_status status;
    struct ek_error err;
    bool there = false;

    if (in->snapshot_path != NULL) {
        return;
    }
    if (!ek_view_balancer(tool, &status, &there, &err)) {
        (void)ek_tool_complain(EK_EXIT_DONE, "warning: %s", err.message);
    } else if (!there) {
        (void)ek_tool_complain(EK_EXIT_DONE, "warning: no balancer runs, so nothing moves");
    } else if (status.holding[0] != '\0') {
        (void)ek_tool_complain(EK_EXIT_DONE, "warning: the balancer holds: %s", status.holding);
    } else if (status.closed[0] != '\0') {
        (void)ek_tool_complain(EK_EXIT_DONE, "warning: nothing is balanced now: %s", status.closed);
    } else if (strcmp(status.mode, ek_mode_name(EK_MODE_APPROVE)) == 0) {
        (void)ek_tool_complain(EK_EXIT_DONE,
                               "warning: the mode is approve, in which only hosts are "
                               "emptied without an approval");
    } else if (strcmp(status.mode, ek_mode_name(EK_MODE_AUTOMATIC)) != 0) {
        (void)ek_tool_complain(EK_EXIT_DONE, "warning: the mode is %s, in which nothing moves",
                               status.mode);
    }
}

static int show_why(struct ek_tool *tool, const struct ek_plan_input *in, const char *name)
{
    struct ek_explanation explanation;
    struct ek_error err;
    int status = EK_EXIT_DONE;
    uint32_t domain = ek_plan_input_domain(in, tool, name);

    if (domain == EK_NONE) {
        return tool->exit_status;
    }
    if (!ek_explain_plan(&explanation, &in->plan, &in->request, domain, &err)) {
        return ek_tool_complain(EK_EXIT_FAILED, "%s", err.message);
    }
    warn_of_balancer(tool, in);
    if (tool->json) {
        status = ek_tool_print_json(ek_codec_write_why(&explanation, domain));
    } else {
        ek_codec_print_why(stdout, &explanation, domain);
    }
    ek_explanation_finish(&explanation);
    return status;
}

static int run_why(struct ek_tool *tool, int argc, char **argv)
{
    struct ek_plan_input in;
    bool cycle = false;
    int status = 0;

    if (!ek_plan_input_begin(&in, tool, argc) || !take_options(tool, argc, argv, 1, &cycle, &in)) {
        status = tool->exit_status;
    } else if (cycle &&
               (in.snapshot_path != NULL || in.policy_path != NULL || in.evacuate_count > 0)) {
        status = ek_tool_complain(EK_EXIT_USAGE, "why: found --cycle with an option of planning, "
                                                 "expected it alone: it tells what was recorded");
    } else if (cycle) {
        status = ek_why_cycle(tool, argc > optind ? argv[optind] : NULL);
    } else {
        status = make(tool, argc, 1, "the name or UUID of a domain", &in)
                     ? show_why(tool, &in, argv[optind])
                     : tool->exit_status;
    }
    ek_plan_input_finish(&in);
    return status;
}

static int show_why_not(struct ek_tool *tool, const struct ek_plan_input *in, const char *name,
                        const char *host_name)
{
    struct ek_why_not why_not;
    struct ek_error err;
    int status = EK_EXIT_DONE;
    uint32_t domain = ek_plan_input_domain(in, tool, name);
    uint32_t host = domain == EK_NONE
                        ? EK_NONE
                        : ek_plan_input_host(in->snapshot, tool, tool->verb->name, host_name);

    if (host == EK_NONE) {
        return tool->exit_status;
    }
    if (!ek_explain_why_not(&why_not, &in->plan, &in->request, domain, host, &err)) {
        return ek_tool_complain(EK_EXIT_FAILED, "%s", err.message);
    }
    warn_of_balancer(tool, in);
    if (tool->json) {
        status = ek_tool_print_json(ek_codec_write_why_not(&in->plan, &why_not));
    } else {
        ek_codec_print_why_not(stdout, &in->plan, &why_not);
    }
    ek_why_not_finish(&why_not);
    return status;
}

static int run_why_not(struct ek_tool *tool, int argc, char **argv)
{
    struct ek_plan_input in;
    bool made = ek_plan_input_begin(&in, tool, argc) &&
                take_options(tool, argc, argv, 2, NULL, &in) &&
                make(tool, argc, 2, "a domain and a host", &in);
    int status = made ? show_why_not(tool, &in, argv[optind], argv[optind + 1]) : tool->exit_status;

    ek_plan_input_finish(&in);
    return status;
}

const struct ek_verb ek_verb_why = {
    .name = "why",
    .arguments =
        " DOMAIN [--snapshot FILE] [--policy FILE] [--evacuate HOST]... | --cycle [N|PLAN]",
    .help = "why a domain moves or stays; why a cycle came to what it did",
    .details = EK_PLAN_OPTIONS_HELP
    "  --cycle           what the balancer recorded of its newest cycle; of the newest N; of the\n"
    "                    one that made that plan\n"
    "\n"
    "Unlike for `plan`, rests bind: a domain that moved lately stays for that reason.\n",
    .run = run_why,
};

const struct ek_verb ek_verb_why_not = {
    .name = "why-not",
    .arguments = " DOMAIN HOST [--snapshot FILE] [--policy FILE] [--evacuate HOST]...",
    .help = "why a domain does not go to a host, and what would have to change",
    .details = EK_PLAN_OPTIONS_HELP,
    .run = run_why_not,
};
