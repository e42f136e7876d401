/* Verbs that tell the balancer something, and what they say of its reply. */
#include "balancer/tools/command.h"

#include "balancer/tools/terminal.h"
#include "balancer/tools/waiting.h"
#include "balancer/view/exchange.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Who is to be asked about it later: not "root" where sudo knows better. */
static void sign(char *by, size_t size)
{
    const char *user = getenv("SUDO_USER");
    const struct passwd *entry = user == NULL || user[0] == '\0' ? getpwuid(getuid()) : NULL;
    char host[64] = "localhost";

    (void)gethostname(host, sizeof(host) - 1);
    if (entry != NULL) {
        user = entry->pw_name;
    }
    (void)snprintf(by, size, "%s@%s", user == NULL || user[0] == '\0' ? "?" : user, host);
}

static bool give_up(struct ek_tool *tool, int status)
{
    tool->exit_status = status;
    return false;
}

static bool interrupted(void *context, int ms)
{
    (void)context;
    return ek_wait_interrupted(ms);
}

/* Why it is not waited for any longer, and whether it can still happen. */
static int complain_of(enum ek_exchange_end end, const char *why, const struct ek_error *err)
{
    switch (end) {
    case EK_EXCHANGE_NO_LEADER:
        return ek_tool_complain(EK_EXIT_FAILED, "no balancer leads here, so nothing was done; "
                                                "start evenkeeld");
    case EK_EXCHANGE_WITHDRAWN:
        return ek_tool_complain(EK_EXIT_FAILED, "%s; the command is withdrawn, nothing was done",
                                why);
    case EK_EXCHANGE_TAKEN:
        return ek_tool_complain(EK_EXIT_FAILED,
                                "%s; the balancer has taken the command: `evenkeel status` "
                                "shows what came of it",
                                why);
    case EK_EXCHANGE_UNKNOWN:
        return ek_tool_complain(EK_EXIT_FAILED,
                                "%s%s%s; the command was sent, and it may still be done within "
                                "%d s",
                                why, why[0] == '\0' ? "" : ": ", err->message, EK_COMMAND_LIFE_S);
    case EK_EXCHANGE_ANSWERED:
    case EK_EXCHANGE_FAILED:
        break;
    }
    return ek_tool_complain(EK_EXIT_FAILED, "%s", err->message);
}

bool ek_command_send(struct ek_tool *tool, struct ek_command *command, int64_t wait_ms,
                     struct ek_command_reply *reply)
{
    struct ek_error err = {0};
    char by[160];
    char why[64];

    sign(by, sizeof(by));
    ek_wait_hold_signals();
    const struct ek_exchange exchange = {
        .store = tool->store, .by = by, .wait_ms = wait_ms, .pause = interrupted};
    enum ek_exchange_end end = ek_exchange_run(&exchange, command, reply, why, sizeof(why), &err);
    return end == EK_EXCHANGE_ANSWERED || give_up(tool, complain_of(end, why, &err));
}

int ek_command_status(const struct ek_command_reply *reply)
{
    switch (reply->code) {
    case EK_ERR_NONE:
        return EK_EXIT_DONE;
    case EK_ERR_INVALID:
    case EK_ERR_NOT_FOUND:
        return EK_EXIT_USAGE;
    case EK_ERR_NOMEM:
    case EK_ERR_IO:
    case EK_ERR_FENCED:
    case EK_ERR_REMOTE:
        return EK_EXIT_FAILED;
    case EK_ERR_UNAVAILABLE:
    case EK_ERR_TIMEOUT:
    case EK_ERR_DENIED:
    case EK_ERR_CONFLICT:
        break;
    }
    return EK_EXIT_NOT_POSSIBLE;
}

int ek_command_print(struct ek_tool *tool, const struct ek_command_reply *reply)
{
    int status = ek_command_status(reply);

    if (tool->json) {
        int printed = ek_tool_print_json(ek_codec_write_reply(reply));
        return printed == EK_EXIT_DONE ? status : printed;
    }
    if (status == EK_EXIT_DONE) {
        ek_terminal_print(stdout, EK_COLOUR_NONE, "%s\n", reply->text);
        return status;
    }
    char text[EK_REPLY_SIZE];
    (void)snprintf(text, sizeof(text), "%s", reply->text);
    ek_terminal_clean(text);
    return ek_tool_complain(status, "%s", text);
}

int ek_command_run(struct ek_tool *tool, struct ek_command *command)
{
    struct ek_command_reply reply;

    if (!ek_tool_open(tool) || !ek_command_send(tool, command, EK_COMMAND_WAIT_MS, &reply)) {
        return tool->exit_status;
    }
    return ek_command_print(tool, &reply);
}

bool ek_command_subject(struct ek_tool *tool, struct ek_command *command, const char *word)
{
    /* A name that was cut could be another domain's. */
    if (word[0] != '\0' && strlen(word) < sizeof(command->subject)) {
        (void)snprintf(command->subject, sizeof(command->subject), "%s", word);
        return true;
    }
    return give_up(
        tool, ek_tool_complain(EK_EXIT_USAGE, "%s: found a name of %zu bytes, expected 1 to %zu",
                               tool->verb->name, strlen(word), sizeof(command->subject) - 1));
}
