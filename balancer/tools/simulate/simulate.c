/* evenkeel simulate: what a policy would make of a cluster over days, in virtual time. */
#include "balancer/tools/simulate/simulate.h"

static int simulate(const struct ek_tool *tool, const struct ek_simulate_input *input,
                    const struct ek_policy *policy, const struct ek_simulate_options *options,
                    FILE *csv, FILE *svg)
{
    const char *name = options->policy_path != NULL ? options->policy_path : "default";
    struct ek_simulation_result result;
    struct ek_error err;

    if (!ek_simulate_watched(&result, &input->simulation, policy, NULL, csv, &err)) {
        return ek_tool_complain(EK_EXIT_FAILED, "%s", err.message);
    }
    const struct ek_simulate_run run = {name, policy, &input->simulation, &result};
    int status = ek_simulate_show(tool, &run, 1, svg);
    ek_simulation_finish(&result);
    return status;
}

static int run(struct ek_tool *tool, int argc, char **argv)
{
    struct ek_simulate_options options;
    struct ek_simulate_input input = {.arena = {.newest = NULL}};
    struct ek_policy policy;
    struct ek_rules rules = {.items = NULL};
    FILE *csv = NULL;
    FILE *svg = NULL;

    bool ready = ek_simulate_options(&options, tool, argc, argv) &&
                 ek_simulate_policy(tool, options.policy_path, &policy, &rules) &&
                 ek_simulate_input(&input, &options, tool) &&
                 ek_simulate_open(tool, options.csv_path, &csv) &&
                 ek_simulate_open(tool, options.svg_path, &svg);
    int status = ready ? simulate(tool, &input, &policy, &options, csv, svg) : tool->exit_status;
    status = ek_simulate_close(options.csv_path, csv, status);
    status = ek_simulate_close(options.svg_path, svg, status);
    ek_simulate_input_finish(&input);
    ek_rules_finish(&rules);
    return status;
}

const struct ek_verb ek_verb_simulate = {
    .name = "simulate",
    .arguments = " [OPTION]...",
    .help = "what a policy would make of a cluster over days, in virtual time",
    .details = ek_simulate_help,
    .run = run,
};
