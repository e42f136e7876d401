/* evenkeel move: one domain to one host, now. The balancer checks it as any move of its own. */
#include "balancer/codec/status.h"
#include "balancer/core/plural.h"
#include "balancer/tools/command.h"
#include "balancer/tools/view.h"
#include "balancer/tools/waiting.h"

#include <stdlib.h>
#include <string.h>

/* KNOWN records are remembered from before the command: a move that is not among them is ours.
 * SILENT words of the balancer without such a move, and it was not begun. */
enum { KNOWN = 200, POLL_MS = 300, SILENT = 3, GO_ON = -1 };

struct order {
    struct ek_tool *tool;
    const struct ek_command *command;
    struct ek_move_record *known; /* the newest moves before the command */
    size_t known_count;
    char id[EK_ID_SIZE]; /* of the move, once it is in the journal */
    int64_t spoken_at_ms;
    int silent;
};

static bool was_known(const struct order *order, const char *id)
{
    for (size_t i = 0; i < order->known_count; i++) {
        if (strcmp(order->known[i].order.id, id) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_ours(const struct order *order, const struct ek_move_record *record)
{
    const struct ek_command *command = order->command;

    return !was_known(order, record->order.id) &&
           strcmp(record->order.destination, command->host) == 0 &&
           (strcmp(record->order.domain, command->subject) == 0 ||
            strcmp(record->order.name, command->subject) == 0);
}

static bool find(struct order *order, struct ek_error *err)
{
    struct ek_move_record *records = NULL;
    size_t count = 0;

    if (!ek_store_recent_moves(order->tool->store, KNOWN, &records, &count, err)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (is_ours(order, &records[i])) {
            memcpy(order->id, records[i].order.id, sizeof(order->id));
        }
    }
    free(records);
    return true;
}

/* The balancer spoke, and nothing waits: then it will not begin any more. */
static bool was_dropped(struct order *order, const struct ek_balancer_status *balancer)
{
    if (balancer->at_ms != order->spoken_at_ms) {
        order->silent = balancer->waiting > 0 ? 0 : order->silent + 1;
    }
    order->spoken_at_ms = balancer->at_ms;
    return order->silent > SILENT;
}

static int look(struct order *order, struct ek_wait_line *line)
{
    struct ek_balancer_status balancer;
    struct ek_error err;
    bool there = false;

    if (!ek_view_balancer(order->tool, &balancer, &there, &err) || !find(order, &err)) {
        ek_wait_end_line(line);
        return ek_tool_complain(EK_EXIT_FAILED, "%s", err.message);
    }
    if (order->id[0] != '\0') {
        return EK_EXIT_DONE;
    }
    if (!there || was_dropped(order, &balancer)) {
        ek_wait_end_line(line);
        return ek_tool_complain(there ? EK_EXIT_NOT_POSSIBLE : EK_EXIT_FAILED,
                                there ? "the move was not begun; `evenkeel why-not %s %s` says why"
                                      : "no balancer leads any more; the move of %s to %s was not "
                                        "begun",
                                order->command->subject, order->command->host);
    }
    return GO_ON;
}

static int await_begin(struct order *order)
{
    struct ek_wait_line line = {.terminal = !order->tool->json && ek_terminal_is(stdout),
                                .silent = order->tool->json};

    for (;;) {
        int status = look(order, &line);
        if (status != GO_ON) {
            return status;
        }
        ek_wait_show(&line, 0, "%s: waiting for its turn", order->command->subject);
        if (ek_wait_interrupted(POLL_MS)) {
            ek_wait_end_line(&line);
            return ek_tool_complain(EK_EXIT_FAILED,
                                    "interrupted; the move goes on, `evenkeel status` shows it");
        }
    }
}

static int carry_out(struct ek_tool *tool, struct ek_command *command, bool wait)
{
    struct order order = {.tool = tool, .command = command};
    struct ek_command_reply reply;
    struct ek_error err;
    int status = EK_EXIT_DONE;

    if (!ek_store_recent_moves(tool->store, KNOWN, &order.known, &order.known_count, &err)) {
        return ek_tool_complain(EK_EXIT_FAILED, "%s", err.message);
    }
    if (!ek_command_send(tool, command, EK_COMMAND_WAIT_MS, &reply)) {
        status = tool->exit_status;
    } else if (!wait || reply.code != EK_ERR_NONE) {
        status = ek_command_print(tool, &reply);
    } else {
        status = await_begin(&order);
        if (status == EK_EXIT_DONE) {
            status = ek_command_follow(tool, order.id, EK_MOVE_DONE, EK_MOVE_DONE);
        }
    }
    free(order.known);
    return status;
}

static bool known_host(const struct ek_tool *tool, const char *host)
{
    for (size_t h = 0; h < tool->config.host_count; h++) {
        if (strcmp(tool->config.hosts[h].name, host) == 0) {
            return true;
        }
    }
    return false;
}

static int run(struct ek_tool *tool, int argc, char **argv)
{
    static const struct option options[] = {{"wait", no_argument, NULL, 'w'}, {NULL, 0, NULL, 0}};
    struct ek_command command = {.kind = EK_COMMAND_MOVE};
    bool wait = false;
    int option = 0;

    while ((option = ek_tool_option(tool, argc, argv, "", options)) > 0) {
        wait = true;
    }
    if (option == EK_OPTION_STOP || !ek_tool_words(tool, argc, argv, 2)) {
        return tool->exit_status;
    }
    if (argc - optind < 2) {
        return ek_tool_complain(EK_EXIT_USAGE,
                                "move: found %d word%s, expected a domain and a host; see "
                                "`evenkeel move --help`",
                                argc - optind, ek_plural((size_t)(argc - optind)));
    }
    if (!ek_command_subject(tool, &command, argv[optind]) || !ek_tool_open(tool)) {
        return tool->exit_status;
    }
    if (!known_host(tool, argv[optind + 1])) {
        return ek_tool_unknown_host(tool, argv[optind + 1]);
    }
    (void)snprintf(command.host, sizeof(command.host), "%s", argv[optind + 1]);
    return carry_out(tool, &command, wait);
}

const struct ek_verb ek_verb_move = {
    .name = "move",
    .arguments = " DOMAIN HOST [--wait]",
    .help = "move one domain to a host now",
    .details =
        "DOMAIN is a name or a UUID. The move keeps to all limits and rules that bind any move,\n"
        "and is refused with the reason where they forbid it.\n"
        "  --wait   show its progress until it has ended; exit status 3: it did not succeed. An\n"
        "           interrupt ends the waiting, not the move\n",
    .run = run,
};
