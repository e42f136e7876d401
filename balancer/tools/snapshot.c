/* evenkeel snapshot: the cluster as it is now, for `plan --snapshot`. */
#include "balancer/codec/anonymise.h"
#include "balancer/codec/codec.h"
#include "balancer/tools/view.h"

/* Under other names, if a word is given for them. */
static int print_snapshot(struct ek_view *view, const char *word)
{
    struct ek_anonymiser anonymiser;
    struct ek_error err;

    if (word != NULL) {
        anonymiser = ek_anonymiser_of(word, &view->snapshot.arena);
        if (!ek_anonymise_snapshot(&anonymiser, &view->snapshot, &err)) {
            return ek_tool_complain(EK_EXIT_FAILED, "%s", err.message);
        }
    }
    /* JSON is the only form. */
    return ek_tool_print_json(ek_codec_write_snapshot(&view->snapshot));
}

/* The contract's form, as the balancer keeps the input of its decisions: what is reported with a
 * bug can be planned again elsewhere. */
static int show(struct ek_tool *tool, const char *word)
{
    struct ek_view view;
    struct ek_policy policy;
    struct ek_rules rules = {0};

    if (!ek_view_gather(&view, tool)) {
        return tool->exit_status;
    }
    ek_tool_read_policy(tool, &policy, &rules);
    ek_view_expect(&view, tool, &policy);
    ek_rules_finish(&rules);
    int status = print_snapshot(&view, word);
    ek_view_finish(&view);
    return status;
}

static int run(struct ek_tool *tool, int argc, char **argv)
{
    static const struct option own[] = {{"anonymise", required_argument, NULL, 'a'},
                                        {NULL, 0, NULL, 0}};
    const char *word = NULL;
    int option = 0;

    while ((option = ek_tool_option(tool, argc, argv, "", own)) > 0) {
        word = optarg;
    }
    if (option == EK_OPTION_STOP || !ek_tool_words(tool, argc, argv, 0)) {
        return tool->exit_status;
    }
    if (word != NULL && word[0] == '\0') { /* an unset variable: names that anyone could try out */
        return ek_tool_complain(
            EK_EXIT_USAGE,
            "snapshot: --anonymise: found nothing, expected a word that nobody else knows");
    }
    if (!ek_tool_open(tool)) {
        return tool->exit_status;
    }
    return show(tool, word);
}

const struct ek_verb ek_verb_snapshot = {
    .name = "snapshot",
    .arguments = " [--anonymise WORD]",
    .help = "the cluster as it is now, as JSON that `plan --snapshot` reads",
    .details = "  --anonymise WORD   other names instead of all that stand there; the same word "
               "gives the\n"
               "                     same names, in `evenkeel samples`, too\n",
    .run = run,
};
