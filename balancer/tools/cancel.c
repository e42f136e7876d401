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

/* The id of a move begins with that of its plan: who mixes two plans up is told. */
static bool is_move_of(const char *move, const char *plan)
{
    size_t length = strlen(plan);

    return strncmp(move, plan, length) == 0 && move[length] == '-';
}

/* A plan, or one move of it. */
static int run_offered(struct ek_tool *tool, int argc, char **argv, enum ek_command_kind kind)
{
    static const struct option own[] = {{"move", required_argument, NULL, 'm'}, {NULL, 0, NULL, 0}};
    struct ek_command command = {.kind = kind};
    const char *move = NULL;
    int option = 0;

    while ((option = ek_tool_option(tool, argc, argv, "", own)) > 0) {
        if (!ek_tool_take_once(tool, "move", &move, "")) {
            return tool->exit_status;
        }
    }
    if (option != EK_OPTION_END || !ek_tool_words(tool, argc, argv, 1)) {
        return tool->exit_status;
    }
    if (argc - optind < 1) {
        return ek_tool_complain(EK_EXIT_USAGE, "%s: found nothing, expected a plan's id",
                                tool->verb->name);
    }
    const char *plan = argv[optind];
    if (move != NULL && !is_move_of(move, plan)) {
        return ek_tool_complain(EK_EXIT_USAGE,
                                "%s: --move: found \"%s\", expected a move of plan %s, such as "
                                "%s-1",
                                tool->verb->name, move, plan, plan);
    }
    return ek_command_subject(tool, &command, move == NULL ? plan : move)
               ? ek_command_run(tool, &command)
               : tool->exit_status;
}

static int run_approve(struct ek_tool *tool, int argc, char **argv)
{
    return run_offered(tool, argc, argv, EK_COMMAND_APPROVE);
}

static int run_reject(struct ek_tool *tool, int argc, char **argv)
{
    return run_offered(tool, argc, argv, EK_COMMAND_REJECT);
}

const struct ek_verb ek_verb_approve = {
    .name = "approve",
    .arguments = " PLAN [--move ID]",
    .help = "let a proposed plan be carried out (mode approve)",
    .details = "  PLAN        the id that `status` shows; each of its moves is checked again at "
               "its start\n"
               "  --move ID   that move of it only; may be given again, in the order of the plan. "
               "The rest\n"
               "              stays proposed until it lapses\n",
    .run = run_approve,
};

const struct ek_verb ek_verb_reject = {
    .name = "reject",
    .arguments = " PLAN [--move ID]",
    .help = "do not carry out a proposed plan (mode approve)",
    .details = "  PLAN        the id that `status` shows; its domains rest as after a move, and "
               "the same plan\n"
               "              is not proposed again for approval.lapse\n"
               "  --move ID   that move of it only, and what waits for it\n",
    .run = run_reject,
};

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
