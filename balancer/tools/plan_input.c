#include "balancer/tools/plan_input.h"

#include "balancer/codec/rests.h"
#include "balancer/config/schema.h" /* ek_near */
#include "balancer/tools/snapshot_file.h"
#include "policies/policy_ops.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Unlike the verbs that only show, this one refuses a policy that it cannot read: a plan made by
 * another policy would be believed. All that is wrong is said at once, as a check would. */
static bool read_policy(struct ek_tool *tool, struct ek_plan_input *in)
{
    struct ek_config_problems problems = {.count = 0};
    struct ek_error err;
    bool done = true;

    if (in->policy_path != NULL) {
        done = ek_policy_read(&in->policy, &in->rules, in->policy_path, &problems, &err);
    } else if (in->snapshot_path == NULL) {
        done = ek_config_read_policy(&in->policy, &in->rules, &tool->config, &problems, &err);
    } else {
        /* A snapshot from elsewhere is not to depend on what this machine has configured. */
        ek_policy_defaults(&in->policy);
    }
    if (done) {
        return true;
    }
    for (size_t i = 0; i < problems.count && i < EK_CONFIG_MAX_PROBLEMS; i++) {
        (void)ek_tool_complain(EK_EXIT_USAGE, "%s", problems.items[i].text);
    }
    if (problems.count > EK_CONFIG_MAX_PROBLEMS) {
        (void)ek_tool_complain(EK_EXIT_USAGE, "... and %zu more",
                               problems.count - EK_CONFIG_MAX_PROBLEMS);
    }
    tool->exit_status =
        problems.count > 0 ? EK_EXIT_USAGE : ek_tool_complain(EK_EXIT_USAGE, "%s", err.message);
    return false;
}

/* Rules stand in both files: the snapshot is to blame for what its domains carry. */
static const char *file_of(const struct ek_plan_input *in, const struct ek_rule_problem *problem)
{
    const struct ek_rules *rules = in->policy.rules;

    for (size_t i = 0; rules != NULL && problem->rule != NULL && i < rules->count; i++) {
        if (strcmp(rules->items[i].name, problem->rule) == 0) {
            return in->policy_path;
        }
    }
    if (in->snapshot_path == NULL) {
        return "the domains' metadata";
    }
    return strcmp(in->snapshot_path, "-") == 0 ? "standard input" : in->snapshot_path;
}

/* Files that somebody made for this question: a rule over nothing in them is a slip. A doubt is
 * said, and the plan made. */
static bool check_rules(struct ek_tool *tool, const struct ek_plan_input *in)
{
    struct ek_rule_set set;
    struct ek_error err;
    bool good = true;

    if (!ek_rule_set_init(&set, in->policy.rules, &in->offline, &err)) {
        tool->exit_status = ek_tool_complain(EK_EXIT_FAILED, "%s", err.message);
        return false;
    }
    for (size_t i = 0; i < set.problem_count; i++) {
        const struct ek_rule_problem *it = &set.problems[i];
        bool doubt = it->kind == EK_RULE_DOUBTFUL;
        good = good && doubt;
        (void)ek_tool_complain(EK_EXIT_USAGE, "%s%s: %s", doubt ? "warning: " : "", file_of(in, it),
                               it->text);
    }
    if (set.problem_total > set.problem_count) {
        (void)ek_tool_complain(EK_EXIT_USAGE, "... and %zu more rules are wrong or in doubt",
                               set.problem_total - set.problem_count);
    }
    ek_rule_set_finish(&set);
    tool->exit_status = good ? tool->exit_status : EK_EXIT_USAGE;
    return good;
}

static bool read_offline(struct ek_tool *tool, struct ek_plan_input *in)
{
    struct ek_error err;

    if (!ek_snapshot_file_read(&in->offline, in->snapshot_path, &err)) {
        /* A file that is wrong is the caller's to correct (2); memory that ran out is not (1). */
        bool bad = err.code == EK_ERR_INVALID || err.code == EK_ERR_IO;
        tool->exit_status =
            ek_tool_complain(bad ? EK_EXIT_USAGE : EK_EXIT_FAILED, "%s", err.message);
        return false;
    }
    return check_rules(tool, in);
}

/* A domain whose last move ended unknown is not moved by the balancer either. */
static bool read_blocked(struct ek_tool *tool, struct ek_plan_input *in, struct ek_error *err)
{
    struct ek_move_record *records = NULL;
    size_t count = 0;
    bool done = ek_store_blocking_moves(tool->store, &records, &count, err);

    for (size_t i = 0; done && i < count; i++) {
        done = ek_cooldown_block(in->cooldown, records[i].order.domain, true, err);
    }
    free(records);
    return done;
}

/* What goes on whatever becomes of the others on its host. */
static void mark_begun(const struct ek_kept *kept, struct ek_snapshot *snapshot)
{
    for (size_t i = 0; i < kept->begun.count; i++) {
        uint32_t host = ek_snapshot_find_host(snapshot, kept->begun.items[i]);
        if (host != EK_NONE) {
            snapshot->hosts[host].begun = snapshot->hosts[host].maintenance;
        }
    }
}

/* What the balancer keeps over a restart: which evacuations have begun and, if they bind, rests and
 * circuits. It would start without those that it cannot read, hence so does the answer. */
static bool read_kept(struct ek_tool *tool, struct ek_plan_input *in, struct ek_error *err)
{
    struct ek_kept kept;
    char *json = NULL;
    bool done = ek_store_get_engine_state(tool->store, &json, err);

    if (json == NULL) {
        return done;
    }
    if (ek_codec_read_rests(&kept, json, strlen(json), "engine", err)) {
        mark_begun(&kept, &in->view.snapshot);
        done = !in->with_rests || ek_kept_apply(&kept, in->cooldown, err);
        ek_kept_finish(&kept);
    } else {
        (void)ek_tool_complain(EK_EXIT_DONE, "warning: rests are not known: %s", err->message);
    }
    free(json);
    return done;
}

/* Whether rests bind depends on the question: what would be moved, or why this one is not. Blocks
 * always do: they wait for a person, not for time. */
static bool read_cooldown(struct ek_tool *tool, struct ek_plan_input *in)
{
    struct ek_error err;

    in->cooldown = ek_cooldown_create();
    bool done = in->cooldown != NULL ||
                ek_error_set(&err, EK_ERR_NOMEM, "out of memory for the blocked domains");
    done = done && read_kept(tool, in, &err) && read_blocked(tool, in, &err);
    if (!done) {
        tool->exit_status = ek_tool_complain(EK_EXIT_FAILED, "%s", err.message);
    }
    return done;
}

/* A plan over hosts that nobody sees would look like a level cluster. */
static void warn_of_lost_hosts(const struct ek_snapshot *snapshot)
{
    size_t lost = 0;

    for (size_t h = 0; h < snapshot->host_count; h++) {
        lost += snapshot->hosts[h].state != EK_HOST_UP ? 1 : 0;
    }
    if (lost > 0) {
        (void)ek_tool_complain(EK_EXIT_DONE,
                               "warning: %zu of %zu hosts have no fresh sample; what runs there "
                               "is not planned for",
                               lost, snapshot->host_count);
    }
}

/* A policy that is tried on the cluster: what is wrong with its rules is said, as for a snapshot,
 * and stops nothing, since domains come and go. Of the configured policy the daemon has told. */
static bool warn_of_rules(struct ek_tool *tool, const struct ek_plan_input *in)
{
    struct ek_rule_set set;
    struct ek_error err;

    if (in->policy_path == NULL) {
        return true;
    }
    if (!ek_rule_set_init(&set, in->policy.rules, &in->view.snapshot, &err)) {
        tool->exit_status = ek_tool_complain(EK_EXIT_FAILED, "%s", err.message);
        return false;
    }
    for (size_t i = 0; i < set.problem_count; i++) {
        (void)ek_tool_complain(EK_EXIT_DONE, "warning: %s: %s", file_of(in, &set.problems[i]),
                               set.problems[i].text);
    }
    ek_rule_set_finish(&set);
    return true;
}

static bool read_cluster(struct ek_tool *tool, struct ek_plan_input *in)
{
    if (!ek_tool_open(tool) || !read_policy(tool, in) || !ek_view_gather(&in->view, tool)) {
        return false;
    }
    warn_of_lost_hosts(&in->view.snapshot);
    ek_view_expect(&in->view, tool, &in->policy);
    return warn_of_rules(tool, in) && read_cooldown(tool, in);
}

uint32_t ek_plan_input_host(const struct ek_snapshot *snapshot, struct ek_tool *tool,
                            const char *what, const char *name)
{
    uint32_t host = ek_snapshot_find_host(snapshot, name);
    char known[300] = "";

    if (host != EK_NONE) {
        return host;
    }
    /* One more than there are: calloc(0) may give NULL, which would look like a lack of memory. */
    const char **names = calloc(snapshot->host_count + 1, sizeof(*names));
    for (size_t h = 0; names != NULL && h < snapshot->host_count; h++) {
        names[h] = snapshot->hosts[h].name;
    }
    if (names != NULL) {
        ek_tool_list_names(names, snapshot->host_count, known, sizeof(known));
    }
    free(names);
    tool->exit_status = ek_tool_complain(
        EK_EXIT_USAGE, "%s: found the unknown host \"%s\", expected one of: %s", what, name, known);
    return EK_NONE;
}

/* The UUIDs of all who bear that name: one of them is what should have been typed. */
static void complain_of_twins(const struct ek_snapshot *snapshot, struct ek_tool *tool,
                              const char *name)
{
    const char **uuids = calloc(snapshot->domain_count + 1, sizeof(*uuids));
    size_t count = 0;
    char known[300] = "";

    for (size_t d = 0; uuids != NULL && d < snapshot->domain_count; d++) {
        const struct ek_domain *domain = &snapshot->domains[d];
        if (domain->name != NULL && strcmp(domain->name, name) == 0) {
            uuids[count++] = domain->uuid;
        }
    }
    if (uuids != NULL) {
        ek_tool_list_names(uuids, count, known, sizeof(known));
    }
    free(uuids);
    tool->exit_status = ek_tool_complain(
        EK_EXIT_USAGE, "%s: found the name \"%s\", which %zu domains bear, expected a UUID: %s",
        tool->verb->name, name, count, known);
}

static void complain_of_domain(const struct ek_plan_input *in, struct ek_tool *tool,
                               const char *name)
{
    const char *nearest = NULL;
    int distance = INT_MAX;

    for (size_t d = 0; d < in->snapshot->domain_count; d++) {
        const char *known = in->snapshot->domains[d].name;
        int to_it = known == NULL ? INT_MAX : ek_near_distance(name, known);
        if (to_it < distance && ek_near(name, known)) {
            nearest = known;
            distance = to_it;
        }
    }
    tool->exit_status = ek_tool_complain(
        EK_EXIT_USAGE,
        "%s: found the unknown domain \"%s\", expected the name or UUID of one of the %zu "
        "domains%s%s%s",
        tool->verb->name, name, in->snapshot->domain_count,
        nearest == NULL ? "" : "; did you mean \"", nearest == NULL ? "" : nearest,
        nearest == NULL ? "" : "\"?");
}

uint32_t ek_plan_input_domain(const struct ek_plan_input *in, struct ek_tool *tool,
                              const char *name)
{
    bool ambiguous = false;
    uint32_t domain = ek_snapshot_find_domain(in->snapshot, name, &ambiguous);

    if (ambiguous) {
        complain_of_twins(in->snapshot, tool, name);
    } else if (domain == EK_NONE) {
        complain_of_domain(in, tool, name);
    }
    return domain;
}

/* --evacuate HOST is the same as "maintenance": true in the snapshot. */
static bool mark_evacuated(struct ek_tool *tool, struct ek_plan_input *in)
{
    for (size_t i = 0; i < in->evacuate_count; i++) {
        uint32_t host = ek_plan_input_host(in->snapshot, tool, in->evacuate_word, in->evacuate[i]);
        if (host == EK_NONE) {
            return false;
        }
        in->snapshot->hosts[host].maintenance = true;
        if (in->deadline_ms != 0) {
            in->snapshot->hosts[host].deadline_ms = in->deadline_ms;
        } else if (in->deadline_span_ms != 0) {
            in->snapshot->hosts[host].deadline_ms =
                in->snapshot->taken_at_ms + in->deadline_span_ms;
        }
    }
    return true;
}

static bool make_plan(struct ek_tool *tool, struct ek_plan_input *in)
{
    struct ek_error err;

    /* Sustained cycles and settled samples count as met: the question is what would be done. */
    in->request = (struct ek_plan_request){.evaluation = &in->evaluation,
                                           .balance = ek_policy_find(in->policy.kind),
                                           .cooldown = in->cooldown,
                                           .balance_held = in->balance_held,
                                           .as_far = in->as_far};
    if (ek_evaluate(&in->evaluation, in->snapshot, &in->policy, &err) &&
        ek_plan_make(&in->plan, &in->request, &err)) {
        return true;
    }
    tool->exit_status = ek_tool_complain(EK_EXIT_FAILED, "%s", err.message);
    return false;
}

bool ek_plan_input_make(struct ek_plan_input *in, struct ek_tool *tool)
{
    /* The two ways differ in where the snapshot comes from, and in nothing after that. */
    bool offline = in->snapshot_path != NULL;

    in->snapshot = offline ? &in->offline : &in->view.snapshot;
    return (offline ? read_policy(tool, in) && read_offline(tool, in) : read_cluster(tool, in)) &&
           mark_evacuated(tool, in) && make_plan(tool, in);
}

bool ek_plan_input_begin(struct ek_plan_input *in, struct ek_tool *tool, int argc)
{
    memset(in, 0, sizeof(*in));
    in->evacuate_word = "--evacuate";
    /* As many places as there can be words. */
    in->evacuate = calloc((size_t)argc, sizeof(*in->evacuate));
    if (in->evacuate == NULL) {
        tool->exit_status = ek_tool_complain(EK_EXIT_FAILED, "out of memory");
    }
    return in->evacuate != NULL;
}

void ek_plan_input_finish(struct ek_plan_input *in)
{
    /* Each stage points into the one before, hence they are finished in the reverse order. */
    ek_plan_finish(&in->plan);
    ek_evaluation_finish(&in->evaluation);
    ek_snapshot_finish(&in->offline);
    ek_rules_finish(&in->rules);
    ek_view_finish(&in->view);
    ek_cooldown_destroy(in->cooldown);
    free(in->evacuate);
    memset(in, 0, sizeof(*in));
}

bool ek_plan_input_option(struct ek_plan_input *in, struct ek_tool *tool, int option)
{
    if (option == EK_PLAN_SNAPSHOT) {
        return ek_tool_take_once(tool, "snapshot", &in->snapshot_path, "");
    }
    if (option == EK_PLAN_POLICY) {
        return ek_tool_take_once(tool, "policy", &in->policy_path, "");
    }
    in->evacuate[in->evacuate_count++] = optarg; /* room for argc of them */
    return true;
}
