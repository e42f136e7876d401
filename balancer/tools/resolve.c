/* evenkeel resolve: what is known of a domain whose last move had no clear outcome, what may safely
 * be done about it, and doing it. */
#include "balancer/tools/command.h"
#include "balancer/tools/terminal.h"

#include <string.h>

struct request {
    const char *choice; /* NULL: show only */
    bool yes;
};

static void print_end(const char *role, const char *host, const char *says)
{
    ek_terminal_print(stdout, EK_COLOUR_NONE, "  %-12s %s: %s\n", role, host, says);
}

static void print_choices(const struct ek_evidence *evidence)
{
    const char *domain = evidence->name[0] != '\0' ? evidence->name : evidence->domain;

    if (evidence->choice_count == 0) {
        ek_terminal_print(stdout, EK_COLOUR_BAD, "\nnothing can be chosen: %s\n",
                          evidence->refused);
        return;
    }
    (void)puts("\nwhat may be chosen:");
    for (size_t i = 0; i < evidence->choice_count; i++) {
        const struct ek_evidence_choice *choice = &evidence->choices[i];
        ek_terminal_print(stdout, EK_COLOUR_STRONG, "  evenkeel resolve %s --choice %s%s\n", domain,
                          choice->name, choice->needs_yes ? " --yes" : "");
        ek_terminal_print(stdout, EK_COLOUR_NONE, "    %s\n", choice->does);
    }
}

static void print_evidence(const struct ek_evidence *evidence)
{
    char when[EK_SPAN_SIZE];

    ek_terminal_print(stdout, EK_COLOUR_STRONG, "%s (%s), move %s: %s since %s\n",
                      evidence->name[0] != '\0' ? evidence->name : evidence->domain,
                      evidence->domain, evidence->move, evidence->state,
                      ek_time(evidence->since_ms, when));
    if (evidence->error[0] != '\0') {
        ek_terminal_print(stdout, EK_COLOUR_NONE, "  %-12s %s\n", "because", evidence->error);
    }
    print_end("source", evidence->source, evidence->on_source);
    print_end("destination", evidence->destination, evidence->on_destination);
    ek_terminal_print(stdout, EK_COLOUR_NONE, "  %-12s %s\n", "other hosts", evidence->elsewhere);
    ek_terminal_print(stdout, EK_COLOUR_NONE, "  %-12s %s: %s\n", "that means", evidence->verdict,
                      evidence->meaning);
    print_choices(evidence);
}

/* What was refused after a look is shown with what that saw: the reason is in it. */
static int print(struct ek_tool *tool, const struct request *request,
                 const struct ek_command_reply *reply)
{
    bool shows =
        reply->evidence.move[0] != '\0' && (request->choice == NULL || reply->code != EK_ERR_NONE);

    if (tool->json || !shows) {
        return ek_command_print(tool, reply);
    }
    print_evidence(&reply->evidence);
    return reply->code == EK_ERR_NONE ? EK_EXIT_DONE : ek_command_print(tool, reply);
}

/* Which choices want it is told by each reply; these want it for what they do, whatever else. */
static bool needs_yes(const char *choice)
{
    return strcmp(choice, "forget") == 0 || strncmp(choice, "destroy-", 8) == 0;
}

static bool take_options(struct ek_tool *tool, int argc, char **argv, struct request *request)
{
    static const struct option options[] = {{"choice", required_argument, NULL, 'k'},
                                            {"yes", no_argument, NULL, 'y'},
                                            {NULL, 0, NULL, 0}};
    int option = 0;

    while ((option = ek_tool_option(tool, argc, argv, "", options)) > 0) {
        if (option == 'k') {
            request->choice = optarg;
        } else {
            request->yes = true;
        }
    }
    if (option == EK_OPTION_STOP || !ek_tool_words(tool, argc, argv, 1)) {
        return false;
    }
    if (request->yes && request->choice == NULL) {
        tool->exit_status =
            ek_tool_complain(EK_EXIT_USAGE, "resolve: --yes goes with --choice only");
        return false;
    }
    return true;
}

static int run(struct ek_tool *tool, int argc, char **argv)
{
    struct ek_command command = {.kind = EK_COMMAND_RESOLVE};
    struct ek_command_reply reply;
    struct request request = {.choice = NULL};

    if (!take_options(tool, argc, argv, &request)) {
        return tool->exit_status;
    }
    if (argc - optind < 1) {
        return ek_tool_complain(EK_EXIT_USAGE,
                                "resolve: found nothing, expected a domain that `evenkeel status` "
                                "lists as left alone");
    }
    if (request.choice != NULL && strlen(request.choice) >= sizeof(command.choice)) {
        return ek_tool_complain(EK_EXIT_USAGE, "resolve: found the unknown choice \"%s\"",
                                request.choice);
    }
    if (request.choice != NULL && needs_yes(request.choice) && !request.yes) {
        return ek_tool_complain(EK_EXIT_USAGE,
                                "resolve: %s needs --yes as well: you have looked on the hosts "
                                "yourself",
                                request.choice);
    }
    if (request.choice != NULL) {
        (void)snprintf(command.choice, sizeof(command.choice), "%s", request.choice);
    }
    if (!ek_command_subject(tool, &command, argv[optind]) || !ek_tool_open(tool) ||
        !ek_command_send(tool, &command, EK_COMMAND_LOOK_MS, &reply)) {
        return tool->exit_status;
    }
    return print(tool, &request, &reply);
}

const struct ek_verb ek_verb_resolve = {
    .name = "resolve",
    .arguments = " DOMAIN [--choice CHOICE [--yes]]",
    .help = "a domain whose last move had no clear outcome: evidence, and what to do",
    .details =
        "Without a choice nothing is changed: all hosts are asked anew, and the choices that are\n"
        "safe now are listed, each with what it does. DOMAIN is a name or a UUID; a move's id "
        "will\n"
        "do, too. A choice is judged once more, on another reading, just before it is carried "
        "out.\n"
        "  --choice CHOICE   one of those that were listed\n"
        "  --yes             said beside what destroys a copy, and beside `forget`\n",
    .run = run,
};
