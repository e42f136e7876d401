/* Watching one move until it has ended. */
#include "balancer/codec/status.h"
#include "balancer/codec/writer.h"
#include "balancer/tools/command.h"
#include "balancer/tools/terminal.h"
#include "balancer/tools/view.h"
#include "balancer/tools/waiting.h"

#include <stdlib.h>
#include <string.h>

enum { POLL_MS = 500, GO_ON = -1 };

struct follow {
    struct ek_tool *tool;
    const char *id;
    enum ek_move_state wanted;
    enum ek_move_state or_wanted;
    struct ek_wait_line line;
    struct ek_move_record record;
    int64_t heard_at_ms; /* Redis had the record, and a balancer was there */
};

static void show(struct follow *follow)
{
    const struct ek_move_record *record = &follow->record;
    char span[EK_SPAN_SIZE];
    char way[EK_WAY_SIZE];

    ek_wait_show(&follow->line, record->state == EK_MOVE_DONE ? 1 : record->progress,
                 "%s: %s, %s%s%s%s%s", ek_move_domain(&record->order),
                 ek_move_way(&record->order, way), ek_move_state_name(record->state),
                 record->eta_ms >= 0 && !ek_move_state_terminal(record->state) ? ", about " : "",
                 record->eta_ms >= 0 && !ek_move_state_terminal(record->state)
                     ? ek_span(record->eta_ms, span)
                     : "",
                 record->error[0] == '\0' ? "" : ": ", record->error);
}

static char *write_move(const struct ek_move_record *record)
{
    struct ek_json_writer writer = {.text = NULL};

    ek_json_begin(&writer, '{');
    ek_json_put_integer(&writer, "version", 1);
    ek_json_key(&writer, "move");
    ek_json_write_record(&writer, record);
    ek_json_end(&writer, '}');
    return ek_json_finish(&writer);
}

static int end(struct follow *follow)
{
    const struct ek_move_record *record = &follow->record;
    bool good = record->state == follow->wanted || record->state == follow->or_wanted;

    ek_wait_end_line(&follow->line);
    if (follow->tool->json && ek_tool_print_json(write_move(record)) != EK_EXIT_DONE) {
        return EK_EXIT_FAILED;
    }
    return good ? EK_EXIT_DONE
                : ek_tool_complain(EK_EXIT_NOT_POSSIBLE, "move %s of %s ended as %s%s%s",
                                   record->order.id, ek_move_domain(&record->order),
                                   ek_move_state_name(record->state),
                                   record->error[0] == '\0' ? "" : ": ", record->error);
}

static int look(struct follow *follow)
{
    struct ek_balancer_status balancer;
    struct ek_error err = {.message = "no balancer leads; the move is adopted when one does"};
    bool there = false;
    bool led = false;
    int64_t now_ms = ek_wait_now_ms();
    bool read = ek_store_get_move(follow->tool->store, follow->id, &follow->record, &there, &err);

    if (read && there) {
        show(follow);
        if (ek_move_state_terminal(follow->record.state)) {
            return end(follow);
        }
    }
    if (read && ek_view_balancer(follow->tool, &balancer, &led, &err) && led && there) {
        follow->heard_at_ms = now_ms;
    }
    if (now_ms - follow->heard_at_ms <= EK_WAIT_GRACE_MS) {
        return GO_ON;
    }
    ek_wait_end_line(&follow->line);
    return ek_tool_complain(EK_EXIT_FAILED, "%s", err.message);
}

int ek_command_follow(struct ek_tool *tool, const char *id, enum ek_move_state wanted,
                      enum ek_move_state or_wanted)
{
    struct follow follow = {
        .tool = tool,
        .id = id,
        .wanted = wanted,
        .or_wanted = or_wanted,
        .line = {.terminal = !tool->json && ek_terminal_is(stdout), .silent = tool->json},
        .heard_at_ms = ek_wait_now_ms()};

    ek_wait_hold_signals();
    for (;;) {
        int status = look(&follow);
        if (status != GO_ON) {
            return status;
        }
        if (ek_wait_interrupted(POLL_MS)) {
            ek_wait_end_line(&follow.line);
            return ek_tool_complain(EK_EXIT_FAILED,
                                    "interrupted; the move goes on, `evenkeel status` shows it and "
                                    "`evenkeel abort %s` ends it",
                                    id);
        }
    }
}
