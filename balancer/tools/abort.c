/* evenkeel abort: end one move, and say what came of it. */
#include "balancer/tools/command.h"

#include <string.h>

static int run(struct ek_tool *tool, int argc, char **argv)
{
    struct ek_command command = {.kind = EK_COMMAND_ABORT};
    struct ek_command_reply reply;

    if (!ek_tool_no_options(tool, argc, argv, 1)) {
        return tool->exit_status;
    }
    if (argc - optind < 1) {
        return ek_tool_complain(EK_EXIT_USAGE,
                                "abort: found nothing, expected a move's id, which `evenkeel "
                                "status` shows");
    }
    if (!ek_command_subject(tool, &command, argv[optind]) || !ek_tool_open(tool) ||
        !ek_command_send(tool, &command, EK_COMMAND_WAIT_MS, &reply)) {
        return tool->exit_status;
    }
    if (reply.code != EK_ERR_NONE) {
        return ek_command_print(tool, &reply);
    }
    /* Too late is an answer, too: the domain may have arrived before the abort did. */
    return ek_command_follow(tool, command.subject, EK_MOVE_CANCELLED, EK_MOVE_ROLLED_BACK);
}

const struct ek_verb ek_verb_abort = {
    .name = "abort",
    .arguments = " MOVE",
    .help = "end one running move; its domain stays on its source",
    .details =
        "Waits until the move has ended, with exit status 3 when that was otherwise than by\n"
        "the abort (a domain that has arrived stays there). `status` shows the moves' ids.\n",
    .run = run,
};
