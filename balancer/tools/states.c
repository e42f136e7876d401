/* evenkeel states: the life of a move. Both forms are made by asking the table that the
 * migrator obey, so that what is printed cannot differ from what is done. */
#include "balancer/codec/writer.h"
#include "balancer/core/move_state.h"
#include "balancer/tools/table.h"
#include "balancer/tools/tool.h"

/* Asked for every pair: the table itself stays private to the core. */
static char *write_states(void)
{
    struct ek_json_writer writer = {.text = NULL};

    ek_json_begin(&writer, '{');
    ek_json_put_integer(&writer, "version", 1);
    ek_json_key(&writer, "states");
    ek_json_begin(&writer, '[');
    for (unsigned int s = 0; s < EK_MOVE_STATE_COUNT; s++) {
        ek_json_break(&writer);
        ek_json_begin(&writer, '{');
        ek_json_put_text(&writer, "name", ek_move_state_name((enum ek_move_state)s));
        ek_json_put_bool(&writer, "terminal", ek_move_state_terminal((enum ek_move_state)s));
        ek_json_put_bool(&writer, "blocks", ek_move_state_blocks((enum ek_move_state)s));
        ek_json_key(&writer, "followers");
        ek_json_begin(&writer, '[');
        for (unsigned int next = 0; next < EK_MOVE_STATE_COUNT; next++) {
            if (ek_move_state_allowed((enum ek_move_state)s, (enum ek_move_state)next)) {
                ek_json_text(&writer, ek_move_state_name((enum ek_move_state)next));
            }
        }
        ek_json_end(&writer, ']');
        ek_json_end(&writer, '}');
    }
    ek_json_end(&writer, ']');
    ek_json_end(&writer, '}');
    return ek_json_finish(&writer);
}

/* A dash for what goes on: the eye finds the ends. */
static const char *end_of(enum ek_move_state state)
{
    return !ek_move_state_terminal(state) ? "-"
           : ek_move_state_blocks(state)  ? "yes, and blocks its domain"
                                          : "yes";
}

static bool print_states(void)
{
    static const struct ek_column columns[] = {
        {"STATE", false}, {"TERMINAL", false}, {"MAY BE FOLLOWED BY", false}};
    struct ek_table table = EK_TABLE(columns);

    for (unsigned int s = 0; s < EK_MOVE_STATE_COUNT; s++) {
        /* All 20 names together are shorter than that. */
        char followers[300] = "";
        size_t used = 0;
        for (unsigned int next = 0; next < EK_MOVE_STATE_COUNT; next++) {
            if (ek_move_state_allowed((enum ek_move_state)s, (enum ek_move_state)next)) {
                used += (size_t)snprintf(followers + used, sizeof(followers) - used, "%s%s",
                                         used > 0 ? ", " : "",
                                         ek_move_state_name((enum ek_move_state)next));
            }
        }
        ek_table_cell(&table, EK_COLOUR_NONE, "%s", ek_move_state_name((enum ek_move_state)s));
        ek_table_cell(&table, EK_COLOUR_NONE, "%s", end_of((enum ek_move_state)s));
        ek_table_cell(&table, EK_COLOUR_NONE, "%s", followers);
    }
    return ek_table_print(&table, stdout);
}

/* The only verb that needs neither configuration nor Redis, besides planning from a file. */
static int run(struct ek_tool *tool, int argc, char **argv)
{
    if (!ek_tool_no_options(tool, argc, argv, 0)) {
        return tool->exit_status;
    }
    if (tool->json) {
        return ek_tool_print_json(write_states());
    }
    return print_states() ? EK_EXIT_DONE : EK_EXIT_FAILED;
}

const struct ek_verb ek_verb_states = {
    .name = "states",
    .arguments = "",
    .help = "the states of a move, and which may follow which",
    .details = "",
    .run = run,
};
