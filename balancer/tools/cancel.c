/* evenkeel cancel, pause, resume: commands that are done when they are answered. */
#include "balancer/tools/command.h"

#include <string.h>

/* One word, if the kind needs one. */
static int run_kind(struct ek_tool *tool, int argc, char **argv, enum ek_command_kind kind,
                    const char *needs)
{
    struct ek_command command = {.kind = kind};
    int words = needs == NULL ? 0 : 1;

    if (!ek_tool_no_options(tool, argc, argv, words)) {
        return tool->exit_status;
    }
    if (argc - optind < words) {
        return ek_tool_complain(EK_EXIT_USAGE, "%s: found nothing, expected %s", tool->verb->name,
                                needs);
    }
    if (words == 1 && !ek_command_subject(tool, &command, argv[optind])) {
        return tool->exit_status;
    }
    return ek_command_run(tool, &command);
}

static int run_cancel(struct ek_tool *tool, int argc, char **argv)
{
    return run_kind(tool, argc, argv, EK_COMMAND_CANCEL, "a plan's id or \"all\"");
}

static int run_pause(struct ek_tool *tool, int argc, char **argv)
{
    return run_kind(tool, argc, argv, EK_COMMAND_PAUSE, NULL);
}

static int run_resume(struct ek_tool *tool, int argc, char **argv)
{
    return run_kind(tool, argc, argv, EK_COMMAND_RESUME, NULL);
}

const struct ek_verb ek_verb_cancel = {
    .name = "cancel",
    .arguments = " PLAN | all",
    .help = "drop a plan, or everything, and abort what runs of it",
    .details =
        "  PLAN   what waits of that plan is dropped, what runs is aborted (the domains stay on\n"
        "         their sources); `status` shows the plan's id\n"
        "  all    the same for all moves, whoever ordered them, and nothing starts any more until\n"
        "         `evenkeel resume`\n",
    .run = run_cancel,
};

const struct ek_verb ek_verb_pause = {
    .name = "pause",
    .arguments = "",
    .help = "balance nothing more until `resume`",
    .details = "Running moves end, and hosts in maintenance are emptied all the same.\n",
    .run = run_pause,
};

const struct ek_verb ek_verb_resume = {
    .name = "resume",
    .arguments = "",
    .help = "balance again",
    .details = "Ends a pause, a `cancel all`, and the stop after a plan that failed.\n",
    .run = run_resume,
};
