/* evenkeel snapshot: the cluster as it is now, for `plan --snapshot`. */
#include "balancer/codec/codec.h"
#include "balancer/tools/view.h"

/* The contract's form, as the balancer keeps the input of its decisions: what is reported with a
 * bug can be planned again elsewhere. */
static int show(struct ek_tool *tool, struct ek_view *view)
{
    struct ek_policy policy;
    struct ek_rules rules = {0};

    ek_tool_read_policy(tool, &policy, &rules);
    ek_view_expect(view, tool, &policy);
    ek_rules_finish(&rules);
    /* JSON is the only form. */
    return ek_tool_print_json(ek_codec_write_snapshot(&view->snapshot));
}

static int run(struct ek_tool *tool, int argc, char **argv)
{
    return ek_view_run(tool, argc, argv, show);
}

const struct ek_verb ek_verb_snapshot = {
    .name = "snapshot",
    .arguments = "",
    .help = "the cluster as it is now, as JSON that `plan --snapshot` reads",
    .details = "",
    .run = run,
};
