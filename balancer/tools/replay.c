/* evenkeel replay: a recorded decision made once more, of what it was made from. */
#include "balancer/codec/difference.h"
#include "balancer/codec/input.h"
#include "balancer/codec/plan.h"
#include "balancer/codec/writer.h"
#include "balancer/core/plural.h"
#include "balancer/core/schedule/pace_choice.h"
#include "balancer/tools/terminal.h"
#include "balancer/tools/tool.h"
#include "policies/policy_ops.h"

#include <stdlib.h>
#include <string.h>

/* So many differences are listed for people; more of them say no more. */
enum { SHOWN = 20 };

struct replay {
    struct ek_tool *tool;
    const char *id;
    char *recorded; /* the plan as it was recorded */
    char *anew;     /* and as it comes out now */
    struct ek_input input;
    size_t differences;
    struct ek_json_writer *writer; /* NULL: for people */
};

/* ---- making it anew -------------------------------------------------------------------------- */

static struct ek_cooldown *make_cooldown(const struct ek_input *input, struct ek_error *err)
{
    struct ek_cooldown *cooldown = ek_cooldown_create();
    bool ok = cooldown != NULL ? ek_kept_apply(&input->kept, cooldown, err)
                               : ek_error_set(err, EK_ERR_NOMEM, "out of memory for the rests");

    for (size_t i = 0; ok && i < input->blocked.count; i++) {
        ok = ek_cooldown_block(cooldown, input->blocked.items[i], true, err);
    }
    if (!ok) {
        ek_cooldown_destroy(cooldown);
        cooldown = NULL;
    }
    return cooldown;
}

/* The engine's own calls, in its order. */
static bool make_plan(const struct ek_input *input, const struct ek_policy *policy,
                      const struct ek_cooldown *cooldown, char **json, struct ek_error *err)
{
    struct ek_evaluation evaluation = {.snapshot = NULL};
    struct ek_plan plan = {.snapshot = NULL};
    struct ek_schedule schedule = {.plan = NULL};
    struct ek_pace_choice choice = {.hosts = NULL};
    const struct ek_plan_request request = {
        .evaluation = &evaluation,
        .balance = input->balances ? ek_policy_find(policy->kind) : NULL,
        .cooldown = cooldown,
        .balance_held = input->balance_held,
        .evacuate_only = input->evacuate_only,
        .prefer_held = input->prefer_held,
        .pace = input->pace};

    bool ok =
        ek_evaluate(&evaluation, &input->snapshot, policy, err) &&
        (input->ordered
             ? ek_plan_bring(&plan, &request, input->wishes, input->wish_count, input->summary, err)
             : ek_plan_make(&plan, &request, err)) &&
        (input->ordered ? ek_schedule_make(&schedule, &plan, policy, err)
                        : ek_pace_choose(&choice, &schedule, &plan, policy, input->pace, err));
    if (ok) {
        *json = ek_codec_write_plan(&plan, &schedule);
        ok = *json != NULL || ek_error_set(err, EK_ERR_NOMEM, "out of memory for the plan");
    }
    ek_pace_choice_finish(&choice);
    ek_schedule_finish(&schedule);
    ek_plan_finish(&plan);
    ek_evaluation_finish(&evaluation);
    return ok;
}

static bool make_anew(struct replay *it, struct ek_error *err)
{
    struct ek_policy policy;
    struct ek_rules rules = {.items = NULL};
    struct ek_cooldown *cooldown = NULL;
    char name[EK_ID_SIZE + 32];

    (void)snprintf(name, sizeof(name), "the policy of input:%s", it->id);
    bool ok = ek_policy_parse(&policy, &rules, it->input.policy, strlen(it->input.policy), name,
                              NULL, err);
    cooldown = ok ? make_cooldown(&it->input, err) : NULL;
    ok = cooldown != NULL && make_plan(&it->input, &policy, cooldown, &it->anew, err);
    ek_cooldown_destroy(cooldown);
    ek_rules_finish(&rules);
    return ok;
}

/* ---- showing --------------------------------------------------------------------------------- */

static void show_difference(void *context, const struct ek_difference *difference)
{
    struct replay *it = context;

    if (it->writer != NULL) {
        ek_json_break(it->writer);
        ek_json_begin(it->writer, '{');
        ek_json_put_text(it->writer, "path", difference->path);
        ek_json_put_text(it->writer, "recorded", difference->left);
        ek_json_put_text(it->writer, "now", difference->right);
        ek_json_end(it->writer, '}');
    } else if (it->differences < SHOWN) {
        ek_terminal_print(stdout, EK_COLOUR_NONE, "  %s: recorded %s, now %s\n", difference->path,
                          difference->left == NULL ? "nothing" : difference->left,
                          difference->right == NULL ? "nothing" : difference->right);
    }
    it->differences++;
}

static char *write_replay(struct replay *it, bool same, struct ek_error *err)
{
    struct ek_json_writer writer = {0};

    it->writer = &writer;
    ek_json_begin(&writer, '{');
    ek_json_put_integer(&writer, "version", 1);
    ek_json_put_text(&writer, "id", it->id);
    ek_json_put_bool(&writer, "same", same);
    ek_json_put_text(&writer, "recorded_by", it->input.version);
    ek_json_put_text(&writer, "replayed_by", EK_VERSION);
    ek_json_key(&writer, "differences");
    ek_json_begin(&writer, '[');
    bool ok = same || ek_codec_differences(it->recorded, it->anew, show_difference, it, err);
    ek_json_end(&writer, ']');
    ek_json_key(&writer, "plan");
    ek_json_raw(&writer, it->anew);
    ek_json_end(&writer, '}');
    char *json = ek_json_finish(&writer);
    if (!ok) {
        free(json);
        json = NULL;
    }
    return json;
}

/* Another version may well decide otherwise: that is no fault then. */
static const char *versions(const struct replay *it, char out[160])
{
    bool other = strcmp(it->input.version, EK_VERSION) != 0;

    (void)snprintf(out, 160, other ? "recorded by evenkeeld %s, replayed by %s" : "evenkeel %s",
                   it->input.version[0] == '\0' ? "of no stated version" : it->input.version,
                   EK_VERSION);
    return out;
}

static int show(struct replay *it)
{
    bool same = strcmp(it->recorded, it->anew) == 0;
    char by[160];
    struct ek_error err = {0};

    if (it->tool->json) {
        int status = ek_tool_print_json(write_replay(it, same, &err));
        if (status != EK_EXIT_DONE) {
            return status;
        }
    } else if (same) {
        (void)printf("plan %s comes out the same to the byte (%s)\n", it->id, versions(it, by));
    } else {
        (void)printf("plan %s comes out another (%s):\n", it->id, versions(it, by));
        if (!ek_codec_differences(it->recorded, it->anew, show_difference, it, &err)) {
            return ek_tool_complain(EK_EXIT_FAILED, "%s", err.message);
        }
        if (it->differences > SHOWN) {
            (void)printf("  ... and %zu more\n", it->differences - SHOWN);
        }
    }
    return same ? EK_EXIT_DONE
                : ek_tool_complain(EK_EXIT_NOT_POSSIBLE, "plan %s differs in %zu value%s (%s)",
                                   it->id, it->differences, ek_plural(it->differences),
                                   versions(it, by));
}

/* ---- the verb -------------------------------------------------------------------------------- */

/* Plans are kept longer than what they were made from. */
static int read_both(struct replay *it, char **input)
{
    struct ek_error err;

    if (!ek_store_get_plan(it->tool->store, it->id, &it->recorded, &err) ||
        !ek_store_get_input(it->tool->store, it->id, input, &err)) {
        return ek_tool_complain(EK_EXIT_FAILED, "%s", err.message);
    }
    if (it->recorded == NULL && *input == NULL) {
        return ek_tool_complain(EK_EXIT_USAGE,
                                "replay: found \"%s\", expected the id of a recorded plan; "
                                "`evenkeel history --plans` lists them",
                                it->id);
    }
    if (*input == NULL) {
        return ek_tool_complain(EK_EXIT_NOT_POSSIBLE,
                                "what plan %s was made from is gone: the newest 500 inputs are "
                                "kept, for 7 days",
                                it->id);
    }
    return it->recorded != NULL
               ? EK_EXIT_DONE
               : ek_tool_complain(EK_EXIT_NOT_POSSIBLE,
                                  "plan %s itself is gone, there is nothing to compare with",
                                  it->id);
}

static int replay(struct replay *it, const char *text)
{
    char name[EK_ID_SIZE + 8];
    struct ek_error err;

    (void)snprintf(name, sizeof(name), "input:%s", it->id);
    if (!ek_codec_read_input(&it->input, text, strlen(text), name, &err)) {
        return ek_tool_complain(err.code == EK_ERR_INVALID ? EK_EXIT_NOT_POSSIBLE : EK_EXIT_FAILED,
                                "%s", err.message);
    }
    int status =
        make_anew(it, &err)
            ? show(it)
            : ek_tool_complain(err.code == EK_ERR_INVALID ? EK_EXIT_NOT_POSSIBLE : EK_EXIT_FAILED,
                               "%s", err.message);
    ek_input_finish(&it->input);
    return status;
}

static int run(struct ek_tool *tool, int argc, char **argv)
{
    struct replay it = {.tool = tool};
    char *input = NULL;

    if (!ek_tool_no_options(tool, argc, argv, 1)) {
        return tool->exit_status;
    }
    if (argc - optind < 1 || strlen(argv[optind]) >= EK_ID_SIZE || argv[optind][0] == '\0') {
        return ek_tool_complain(EK_EXIT_USAGE, "replay: found %s, expected the id of a plan",
                                argc - optind < 1 ? "nothing" : "no id");
    }
    it.id = argv[optind];
    if (!ek_tool_open(tool)) {
        return tool->exit_status;
    }
    int status = read_both(&it, &input);
    if (status == EK_EXIT_DONE) {
        status = replay(&it, input);
    }
    free(input);
    free(it.recorded);
    free(it.anew);
    return status;
}

const struct ek_verb ek_verb_replay = {
    .name = "replay",
    .arguments = " PLAN",
    .help = "make a recorded plan once more, of what it was made from",
    .details =
        "Exit status 0: the same to the byte; 3: it differs (which values is shown), or what\n"
        "it was made from is gone.\n",
    .run = run,
};
