/* evenkeel snapshot: the cluster as it is now, for `plan --snapshot`. */
#include "balancer/codec/codec.h"
#include "balancer/tools/view.h"

/* The contract's form, as the balancer keeps the input of its decisions: what is reported with a
 * bug can be planned again elsewhere. */
static int run(struct ek_tool *tool, int argc, char **argv)
{
    struct ek_view view;

    if (!ek_tool_no_options(tool, argc, argv, 0) || !ek_tool_open(tool) ||
        !ek_view_gather(&view, tool)) {
        return tool->exit_status;
    }
    int status = ek_tool_print_json(ek_codec_write_snapshot(&view.snapshot));
    ek_view_finish(&view);
    return status;
}

const struct ek_verb ek_verb_snapshot = {
    .name = "snapshot",
    .arguments = "",
    .help = "the cluster as it is now, as JSON that `plan --snapshot` reads",
    .details = "",
    .run = run,
};
