/* Sending commands. A reply is asked for again and again: it is one key with a short life, and the
 * balancer needs no way back to us. */
#include "balancer/tools/command.h"

#include "balancer/codec/status.h"
#include "balancer/tools/terminal.h"
#include "balancer/tools/view.h"
#include "balancer/tools/waiting.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { POLL_MS = 100 };

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

/* Nobody would take it: said at once rather than after a time-out. */
static bool is_led(struct ek_tool *tool)
{
    struct ek_balancer_status balancer;
    struct ek_error err;
    bool there = false;

    if (!ek_view_balancer(tool, &balancer, &there, &err)) {
        return give_up(tool, ek_tool_complain(EK_EXIT_FAILED, "%s", err.message));
    }
    return there ||
           give_up(tool, ek_tool_complain(
                             EK_EXIT_FAILED,
                             "no balancer leads here, so nothing was done; start evenkeeld"));
}

static bool read_reply(struct ek_tool *tool, const char *id, struct ek_command_reply *reply,
                       bool *there, struct ek_error *err)
{
    char *json = NULL;

    *there = false;
    if (!ek_store_get_reply(tool->store, id, &json, err)) {
        return false;
    }
    *there = json != NULL;
    bool good = json == NULL || ek_codec_read_reply(reply, json, strlen(json), "reply", err);
    free(json);
    return good;
}

/* Why it is not waited for any longer; whether it can still happen is known from taking it back. */
static bool withdraw(struct ek_tool *tool, const struct ek_command *command, const char *why)
{
    struct ek_error err;
    bool withdrawn = false;

    if (!ek_store_withdraw_command(tool->store, command->id, &withdrawn, &err)) {
        return give_up(tool, ek_tool_complain(EK_EXIT_FAILED,
                                              "%s, and whether it was taken is not known: %s", why,
                                              err.message));
    }
    return give_up(
        tool, withdrawn
                  ? ek_tool_complain(EK_EXIT_FAILED,
                                     "%s; the command is withdrawn, nothing was done", why)
                  : ek_tool_complain(EK_EXIT_FAILED,
                                     "%s; the balancer has taken the command: `evenkeel status` "
                                     "shows what came of it",
                                     why));
}

bool ek_command_send(struct ek_tool *tool, struct ek_command *command, int64_t wait_ms,
                     struct ek_command_reply *reply)
{
    struct ek_error err;
    char by[160];
    char why[64];
    bool there = false;

    sign(by, sizeof(by));
    if (!is_led(tool)) {
        return false;
    }
    ek_wait_hold_signals();
    if (!ek_store_issue_command(tool->store, command, by, ek_tool_now_ms(), &err)) {
        return give_up(tool, ek_tool_complain(EK_EXIT_FAILED, "%s", err.message));
    }
    int64_t until_ms = ek_wait_now_ms() + wait_ms;
    while (read_reply(tool, command->id, reply, &there, &err)) {
        if (there) {
            return true;
        }
        if (ek_wait_now_ms() >= until_ms) {
            (void)snprintf(why, sizeof(why), "no balancer has answered within %d s",
                           (int)(wait_ms / 1000));
            return withdraw(tool, command, why);
        }
        if (ek_wait_interrupted(POLL_MS)) {
            return withdraw(tool, command, "interrupted");
        }
    }
    return give_up(tool, ek_tool_complain(EK_EXIT_FAILED, "%s", err.message));
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
