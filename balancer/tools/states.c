/* evenkeel states: the life of a move. All forms are made by asking the table that the migrator
 * obeys, so that what is printed cannot differ from what is done. */
#include "balancer/codec/writer.h"
#include "balancer/core/move_timing.h"
#include "balancer/tools/table.h"
#include "balancer/tools/tool.h"

#include <errno.h>
#include <unistd.h>

/* Asked for every pair: the table itself stays private to the core. */
static char *write_states(const struct ek_move_timing *timing)
{
    struct ek_json_writer writer = {.text = NULL};

    ek_json_begin(&writer, '{');
    ek_json_put_integer(&writer, "version", 1);
    ek_json_key(&writer, "states");
    ek_json_begin(&writer, '[');
    for (unsigned int s = 0; s < EK_MOVE_STATE_COUNT; s++) {
        struct ek_state_limit limit = ek_move_state_limit(timing, (enum ek_move_state)s);
        ek_json_break(&writer);
        ek_json_begin(&writer, '{');
        ek_json_put_text(&writer, "name", ek_move_state_name((enum ek_move_state)s));
        ek_json_put_text(&writer, "meaning", ek_move_state_meaning((enum ek_move_state)s));
        if (limit.key != NULL) {
            ek_json_put_text(&writer, "limit_key", limit.key);
        }
        if (limit.ms > 0) {
            ek_json_put_integer(&writer, "limit_ms", limit.ms);
        }
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
        ek_json_key(&writer, "stop_followers");
        ek_json_begin(&writer, '[');
        for (unsigned int next = 0; next < EK_MOVE_STATE_COUNT; next++) {
            if (ek_stop_state_allowed((enum ek_move_state)s, (enum ek_move_state)next)) {
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

/* In the largest unit that needs no fraction, as the configuration takes it. */
static const char *time_of(char *out, size_t size, int64_t ms)
{
    const char *unit = ms % 60000 == 0 ? "m" : ms % 1000 == 0 ? "s" : "ms";
    int64_t in_unit = ms % 60000 == 0 ? ms / 60000 : ms % 1000 == 0 ? ms / 1000 : ms;

    (void)snprintf(out, size, "%lld%s", (long long)in_unit, unit);
    return out;
}

static void list_followers(enum ek_move_state state, char *out, size_t size)
{
    size_t used = 0;

    out[0] = '\0';
    for (unsigned int next = 0; next < EK_MOVE_STATE_COUNT; next++) {
        if (ek_move_state_allowed(state, (enum ek_move_state)next)) {
            used += (size_t)snprintf(out + used, size - used, "%s%s", used > 0 ? ", " : "",
                                     ek_move_state_name((enum ek_move_state)next));
        }
    }
}

static bool print_states(const struct ek_move_timing *timing)
{
    static const struct ek_column columns[] = {{"STATE", false},    {"WHAT IT IS", false},
                                               {"TERMINAL", false}, {"AT MOST", false},
                                               {"SET BY", false},   {"MAY BE FOLLOWED BY", false}};
    struct ek_table table = EK_TABLE(columns);

    for (unsigned int s = 0; s < EK_MOVE_STATE_COUNT; s++) {
        enum ek_move_state state = (enum ek_move_state)s;
        struct ek_state_limit limit = ek_move_state_limit(timing, state);
        char followers[300]; /* all 20 names together are shorter than that */
        char most[32];

        list_followers(state, followers, sizeof(followers));
        ek_table_cell(&table, EK_COLOUR_NONE, "%s", ek_move_state_name(state));
        ek_table_cell(&table, EK_COLOUR_NONE, "%s", ek_move_state_meaning(state));
        ek_table_cell(&table, EK_COLOUR_NONE, "%s", end_of(state));
        ek_table_cell(&table, EK_COLOUR_NONE, "%s",
                      limit.ms > 0 ? time_of(most, sizeof(most), limit.ms) : "-");
        ek_table_cell(&table, EK_COLOUR_NONE, "%s", limit.key != NULL ? limit.key : "-");
        ek_table_cell(&table, EK_COLOUR_NONE, "%s", followers);
    }
    return ek_table_print(&table, stdout);
}

/* ---- as a drawing -------------------------------------------------------------------------- */

/* Without figures, so that the drawing in docs/ does not depend on a site's configuration. */
static void draw_node(const struct ek_move_timing *timing, enum ek_move_state state)
{
    struct ek_state_limit limit = ek_move_state_limit(timing, state);
    const char *look = ek_move_state_blocks(state)     ? ", peripheries=2, style=bold"
                       : ek_move_state_terminal(state) ? ", peripheries=2"
                                                       : "";

    (void)printf("    \"%s\" [label=\"%s\\n%s%s%s\"%s];\n", ek_move_state_name(state),
                 ek_move_state_name(state), ek_move_state_meaning(state),
                 limit.key != NULL ? "\\nat most " : "", limit.key != NULL ? limit.key : "", look);
}

/* The ways to reconcile are the same from everywhere: thin, and without a say in the layout. */
static void draw_edges(enum ek_move_state state)
{
    for (unsigned int next = 0; next < EK_MOVE_STATE_COUNT; next++) {
        if (ek_move_state_allowed(state, (enum ek_move_state)next)) {
            (void)printf("    \"%s\" -> \"%s\"%s;\n", ek_move_state_name(state),
                         ek_move_state_name((enum ek_move_state)next),
                         next == EK_MOVE_RECONCILE ? " [style=dotted, constraint=false]" : "");
        }
    }
}

static void draw_states(const struct ek_move_timing *timing)
{
    (void)puts("// The life of a move, as `evenkeel states --dot` prints it.\n"
               "digraph move {\n"
               "    node [shape=box, fontname=\"sans-serif\", fontsize=10];\n"
               "    edge [arrowsize=0.7];");
    for (unsigned int s = 0; s < EK_MOVE_STATE_COUNT; s++) {
        draw_node(timing, (enum ek_move_state)s);
    }
    for (unsigned int s = 0; s < EK_MOVE_STATE_COUNT; s++) {
        draw_edges((enum ek_move_state)s);
    }
    (void)puts("}");
}

/* ---- the verb ------------------------------------------------------------------------------ */

/* A table can be shown without a configuration; one that was named is meant. */
static bool read_timing(struct ek_tool *tool, struct ek_move_timing *timing)
{
    ek_move_timing_defaults(timing);
    if (!tool->config_named && access(tool->config_path, F_OK) != 0 && errno == ENOENT) {
        return true;
    }
    if (!ek_tool_configure(tool)) {
        return false;
    }
    *timing = tool->config.moves;
    return true;
}

/* Needs neither Redis nor, for the table itself, a configuration. */
static int run(struct ek_tool *tool, int argc, char **argv)
{
    static const struct option own[] = {{"dot", no_argument, NULL, 'd'}, {NULL, 0, NULL, 0}};
    struct ek_move_timing timing;
    bool dot = false;
    int option;

    while ((option = ek_tool_option(tool, argc, argv, "", own)) != EK_OPTION_END) {
        if (option == EK_OPTION_STOP) {
            return tool->exit_status;
        }
        dot = true;
    }
    if (!ek_tool_words(tool, argc, argv, 0) || !read_timing(tool, &timing)) {
        return tool->exit_status;
    }
    if (dot) {
        draw_states(&timing);
        return EK_EXIT_DONE;
    }
    if (tool->json) {
        return ek_tool_print_json(write_states(&timing));
    }
    return print_states(&timing) ? EK_EXIT_DONE : EK_EXIT_FAILED;
}

const struct ek_verb ek_verb_states = {
    .name = "states",
    .arguments = " [--dot]",
    .help = "the states of a move, how long each may last, and which may follow which",
    .details = "  --dot   as a drawing, for Graphviz\n"
               "\n"
               "Times are those of evenkeel.yaml; without the file, the defaults.\n",
    .run = run,
};
