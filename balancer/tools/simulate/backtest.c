/* evenkeel backtest: what other policies would have made of the past, side by side. */
#include "balancer/tools/simulate/backtest_input.h"
#include "balancer/tools/simulate/simulate.h"
#include "balancer/tools/terminal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_POLICIES = 8, CYCLE_MS = 60000 };

/* Beyond any letter. */
enum { OVERLOAD_CPU = 0x100, OVERLOAD_MEMORY };

/* What the command line asked for; strings are argv's. */
struct request {
    const char *history;
    const char *policies[MAX_POLICIES];
    size_t count;
    const char *svg;
    double overload_cpu; /* 0..1; NAN: that of the strictest policy */
    double overload_memory;
};

/* One policy and what came of it. */
struct trial {
    struct ek_policy policy;
    struct ek_rules rules;
    struct ek_simulation_result result;
    bool done;
};

static bool take_options(struct ek_tool *tool, int argc, char **argv, struct request *request)
{
    static const struct option own[] = {
        {"history", required_argument, NULL, 'H'},
        {"policy", required_argument, NULL, 'p'},
        {"svg", required_argument, NULL, 's'},
        {"overload-cpu", required_argument, NULL, OVERLOAD_CPU},
        {"overload-memory", required_argument, NULL, OVERLOAD_MEMORY},
        {NULL, 0, NULL, 0}};
    int option = 0;

    while ((option = ek_tool_option(tool, argc, argv, "", own)) > 0) {
        if (option == 'H') {
            request->history = optarg;
        } else if (option == 's') {
            request->svg = optarg;
        } else if (option == OVERLOAD_CPU || option == OVERLOAD_MEMORY) {
            bool cpu = option == OVERLOAD_CPU;
            if (!ek_simulate_percent(tool, cpu ? "overload-cpu" : "overload-memory",
                                     cpu ? &request->overload_cpu : &request->overload_memory)) {
                return false;
            }
        } else if (request->count < MAX_POLICIES) {
            request->policies[request->count++] = optarg;
        } else {
            tool->exit_status = ek_tool_complain(
                EK_EXIT_USAGE, "backtest: found more than %d policies, expected at most as many",
                (int)MAX_POLICIES);
            return false;
        }
    }
    if (option != EK_OPTION_END || !ek_tool_words(tool, argc, argv, 0)) {
        return false;
    }
    if (request->history == NULL || request->count == 0) {
        tool->exit_status = ek_tool_complain(
            EK_EXIT_USAGE, "backtest: found no --%s, expected one; see `evenkeel backtest --help`",
            request->history == NULL ? "history" : "policy");
        return false;
    }
    return true;
}

/* All policies are read before hours are spent on the first. */
static bool read_policies(struct ek_tool *tool, const struct request *request, struct trial *trials)
{
    bool done = true;

    for (size_t i = 0; done && i < request->count; i++) {
        done = ek_simulate_policy(tool, request->policies[i], &trials[i].policy, &trials[i].rules);
    }
    return done;
}

/* One limit for all runs: by its own a policy would win by asking for less. */
static void set_limits(struct ek_simulation *simulation, const struct request *request,
                       const struct trial *trials)
{
    simulation->target_cpu = request->overload_cpu;
    simulation->target_memory = request->overload_memory;
    for (size_t i = 0; i < request->count; i++) {
        const double *own = trials[i].policy.target_max;
        if (isnan(request->overload_cpu)) {
            simulation->target_cpu = fmin(simulation->target_cpu, own[EK_CPU]); /* passes NAN */
        }
        if (isnan(request->overload_memory)) {
            simulation->target_memory = fmin(simulation->target_memory, own[EK_MEMORY]);
        }
    }
}

/* What is played is less than what was read: that must not be overlooked. */
static void tell_left_out(const struct request *request, const struct ek_backtest_input *input)
{
    char first[EK_SPAN_SIZE];
    char last[EK_SPAN_SIZE];

    if (input->left_out > 0) {
        (void)ek_tool_complain(
            EK_EXIT_DONE,
            "%s: left out %zu of %zu samples, from %s to %s: more than a day lies between them and "
            "the others",
            request->history, input->left_out, input->left_out + input->samples,
            ek_time(input->left_first_ms, first), ek_time(input->left_last_ms, last));
    }
}

static int show(const struct ek_tool *tool, const struct request *request,
                const struct ek_simulation *simulation, const struct trial *trials, FILE *svg)
{
    struct ek_simulate_run runs[MAX_POLICIES];

    for (size_t i = 0; i < request->count; i++) {
        runs[i] = (struct ek_simulate_run){request->policies[i], &trials[i].policy, simulation,
                                           &trials[i].result};
    }
    return ek_simulate_show(tool, runs, request->count, svg);
}

/* The same world anew for each policy. */
static int compare(const struct ek_tool *tool, const struct request *request, struct trial *trials,
                   FILE *svg)
{
    struct ek_backtest_input input;
    struct ek_error err;
    int status = EK_EXIT_DONE;

    if (!ek_backtest_read(&input, request->history, CYCLE_MS, &err)) {
        bool bad = err.code == EK_ERR_INVALID || err.code == EK_ERR_IO;
        status = ek_tool_complain(bad ? EK_EXIT_USAGE : EK_EXIT_FAILED, "%s", err.message);
    }
    if (status == EK_EXIT_DONE) {
        tell_left_out(request, &input);
        set_limits(&input.simulation, request, trials);
    }
    for (size_t i = 0; status == EK_EXIT_DONE && i < request->count; i++) {
        trials[i].done = ek_simulate_watched(&trials[i].result, &input.simulation,
                                             &trials[i].policy, request->policies[i], NULL, &err);
        if (!trials[i].done) {
            status = ek_tool_complain(EK_EXIT_FAILED, "%s", err.message);
        }
    }
    if (status == EK_EXIT_DONE) {
        status = show(tool, request, &input.simulation, trials, svg);
    }
    ek_backtest_finish(&input);
    return status;
}

static int run(struct ek_tool *tool, int argc, char **argv)
{
    struct request request = {.overload_cpu = NAN, .overload_memory = NAN};
    struct trial *trials = calloc(MAX_POLICIES, sizeof(*trials));
    FILE *svg = NULL;

    if (trials == NULL) {
        return ek_tool_complain(EK_EXIT_FAILED, "out of memory");
    }
    bool ready = take_options(tool, argc, argv, &request) &&
                 read_policies(tool, &request, trials) && ek_simulate_open(tool, request.svg, &svg);
    int status = ready ? compare(tool, &request, trials, svg) : tool->exit_status;
    status = ek_simulate_close(request.svg, svg, status);
    for (size_t i = 0; i < MAX_POLICIES; i++) {
        if (trials[i].done) {
            ek_simulation_finish(&trials[i].result);
        }
        ek_rules_finish(&trials[i].rules);
    }
    free(trials);
    return status;
}

const struct ek_verb ek_verb_backtest = {
    .name = "backtest",
    .arguments = " --history FILE --policy FILE...",
    .help = "what other policies would have made of the past, side by side",
    .details =
        "  --history FILE   as `evenkeel samples export` writes it\n"
        "  --policy FILE    what is tried; as often as there are policies, at most 8\n"
        "  --svg FILE       a picture\n"
        "  --overload-cpu PERCENT     a host is overloaded above that, under each policy (the\n"
        "  --overload-memory PERCENT  smallest target_max of all policies)\n\n"
        "Each policy begins with the cluster as it stood when the history begins, whatever was\n"
        "moved since, and acts, whatever its mode says. Domains run while they were seen, and\n"
        "want what they used and waited for; see docs/history.md for what a replay cannot know.\n"
        "Samples that lie more than a day apart from the most are left out, and a line says so.\n"
        "Needs neither Redis nor evenkeel.yaml.\n",
    .run = run,
};
