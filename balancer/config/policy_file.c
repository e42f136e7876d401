/* Reading policy.yaml, and its checks across keys. */
#include "balancer/config/schema.h"
#include "balancer/core/pace.h"

#include <stdlib.h>
#include <string.h>

/* Before all other keys, wherever it stands in the file: else a key that is given above it would be
 * overwritten by the preset. */
static void apply_preset(struct ek_policy *policy, const struct ek_yaml_node *root,
                         struct ek_arena *arena)
{
    const struct ek_schema_row *row = ek_schema_find(&ek_policy_schema, "aggressiveness");
    const struct ek_yaml_node *node =
        root->kind == EK_YAML_MAPPING ? ek_yaml_find(root, row->path) : NULL;
    bool no_memory;
    int level;

    /* A bad value is reported when the keys are read; without one the default stands. */
    if (node != NULL && node->kind == EK_YAML_SCALAR &&
        ek_value_parse(row, node->text, &level, arena, &no_memory)) {
        ek_policy_set_aggressiveness(policy, level);
    }
}

/* The resources of the file follow CPU and memory. */
static void take_resources(struct ek_policy_file *file, const struct ek_report *report)
{
    struct ek_resources *resources = &file->policy.resources;

    for (size_t i = 0; i < file->further_count; i++) {
        const struct ek_further_resource *it = &file->further[i];
        bool known = it->name == NULL; /* has been reported */
        for (unsigned int r = 0; !known && r < resources->count; r++) {
            known = strcmp(resources->names[r], it->name) == 0;
        }
        if (it->name != NULL && known) {
            (void)ek_report_add(report, EK_ERR_INVALID, it->line,
                                "found the resource \"%s\" again, expected each once", it->name);
        } else if (it->name != NULL && strlen(it->name) >= EK_RESOURCE_NAME_SIZE) {
            (void)ek_report_add(report, EK_ERR_INVALID, it->line,
                                "found a resource's name of %zu characters, expected at most %d",
                                strlen(it->name), EK_RESOURCE_NAME_SIZE - 1);
        } else if (resources->count == EK_RESOURCE_MAX) {
            (void)ek_report_add(report, EK_ERR_INVALID, it->line,
                                "found %zu further resources, expected at most %d",
                                file->further_count, EK_RESOURCE_MAX - EK_RESOURCE_FURTHER);
            return;
        } else if (it->name != NULL) {
            memcpy(resources->names[resources->count], it->name, strlen(it->name) + 1);
            file->policy.weight[resources->count] = it->weight;
            file->policy.target_max[resources->count] = it->target_max;
            resources->count++;
        }
    }
}

/* For the dump; false: out of memory. */
static bool give_resources(struct ek_policy_file *file, struct ek_arena *arena)
{
    const struct ek_policy *policy = &file->policy;

    if (policy->resources.count == EK_RESOURCE_FURTHER) {
        return true;
    }
    file->further = ek_arena_alloc(arena, EK_RESOURCE_MAX, sizeof(*file->further));
    for (unsigned int r = EK_RESOURCE_FURTHER; file->further != NULL && r < policy->resources.count;
         r++) {
        file->further[file->further_count++] = (struct ek_further_resource){
            policy->resources.names[r], policy->weight[r], policy->target_max[r], 0};
    }
    return file->further != NULL;
}

/* The score divides by the sum of the weights. */
static void check_weights(const struct ek_policy *policy, const int *lines,
                          const struct ek_report *report)
{
    int cpu = ek_schema_line(&ek_policy_schema, lines, "resources.cpu.weight");
    int memory = ek_schema_line(&ek_policy_schema, lines, "resources.memory.weight");

    double weights = 0;

    for (unsigned int r = 0; r < policy->resources.count; r++) {
        weights += policy->weight[r];
    }
    if (!(weights > 0)) {
        (void)ek_report_add(report, EK_ERR_INVALID, cpu > memory ? cpu : memory,
                            "found 0 for the weights of all resources, expected one above 0");
    }
}

static int rule_cmp(const void *left, const void *right)
{
    const struct ek_rule *const *a = left;
    const struct ek_rule *const *b = right;
    int order = strcmp((*a)->name, (*b)->name);

    return order != 0 ? order : ((*a)->line > (*b)->line) - ((*a)->line < (*b)->line);
}

/* Reasons name a rule, so that two must not be confused. */
static void check_rule_names(const struct ek_rules *rules, struct ek_arena *arena,
                             const struct ek_report *report)
{
    const struct ek_rule **sorted =
        ek_arena_alloc(arena, rules->count, sizeof(const struct ek_rule *));
    size_t count = 0;

    if (sorted == NULL) {
        (void)ek_report_no_memory(report);
        return;
    }
    for (size_t i = 0; i < rules->count; i++) {
        if (rules->items[i].name != NULL) {
            sorted[count++] = &rules->items[i];
        }
    }
    qsort(sorted, count, sizeof(*sorted), rule_cmp);
    for (size_t i = 1; i < count; i++) {
        if (strcmp(sorted[i - 1]->name, sorted[i]->name) == 0) {
            (void)ek_report_add(report, EK_ERR_INVALID, sorted[i]->line,
                                "found a rule of name \"%s\" again, expected it once (first in "
                                "line %d)",
                                sorted[i]->name, sorted[i - 1]->line);
        }
    }
}

/* What libvirt or QEMU 7.2 would refuse, or take without a word and then fail at. */
static void check_post_copy(const struct ek_policy *policy, const int *lines,
                            const struct ek_report *report)
{
    int line = ek_schema_line(&ek_policy_schema, lines, "migration.post_copy");

    if (policy->post_copy && policy->parallel_connections > 1) {
        (void)ek_report_add(report, EK_ERR_INVALID, line,
                            "found migration.post_copy with %d parallel connections, expected one: "
                            "QEMU cannot do both",
                            policy->parallel_connections);
    }
    if (policy->post_copy && policy->two_step == EK_TWO_STEP_ALWAYS) {
        (void)ek_report_add(report, EK_ERR_INVALID, line,
                            "found migration.post_copy with migration.two_step: always, expected "
                            "copied or never: libvirt cannot do both");
    }
}

/* ---- the ceilings of a pace ---------------------------------------------------------------- */

#define URGENT "maintenance.urgent."

static int line_of(const int *lines, const char *path)
{
    return ek_schema_line(&ek_policy_schema, lines, path);
}

/* What the file does not name follows its limits. */
static void take_ceilings(struct ek_policy *policy, const int *lines)
{
    const struct ek_limits usual = ek_pace_default_ceilings(policy);
    struct ek_limits *urgent = &policy->urgent;

    urgent->cluster = line_of(lines, URGENT "cluster") ? urgent->cluster : usual.cluster;
    urgent->host_in = line_of(lines, URGENT "host_in") ? urgent->host_in : usual.host_in;
    urgent->host_out = line_of(lines, URGENT "host_out") ? urgent->host_out : usual.host_out;
    if (line_of(lines, URGENT "bandwidth_per_host") == 0) {
        urgent->bandwidth_per_host_mib_s = usual.bandwidth_per_host_mib_s;
    }
    if (line_of(lines, URGENT "bandwidth_cluster") == 0) {
        urgent->bandwidth_cluster_mib_s = usual.bandwidth_cluster_mib_s;
    }
}

static void check_ceiling(const char *key, int ceiling, int limit, const int *lines,
                          const struct ek_report *report)
{
    char path[sizeof(URGENT) + 40];

    (void)snprintf(path, sizeof(path), URGENT "%s", key);
    if (ceiling < limit) {
        (void)ek_report_add(report, EK_ERR_INVALID, line_of(lines, path),
                            "found %d for %s, expected at least the %d of limits.%s", ceiling, path,
                            limit, key);
    }
}

/* 0 is unlimited. */
static void check_rate_ceiling(const char *key, double ceiling_mib_s, double limit_mib_s,
                               const int *lines, const struct ek_report *report)
{
    char path[sizeof(URGENT) + 40];

    (void)snprintf(path, sizeof(path), URGENT "%s", key);
    if (ceiling_mib_s > 0 && !(limit_mib_s > 0)) {
        (void)ek_report_add(report, EK_ERR_INVALID, line_of(lines, path),
                            "found %gMiB/s for %s, expected 0MiB/s, since limits.%s is unlimited",
                            ceiling_mib_s, path, key);
    } else if (ceiling_mib_s > 0 && ceiling_mib_s < limit_mib_s) {
        (void)ek_report_add(report, EK_ERR_INVALID, line_of(lines, path),
                            "found %gMiB/s for %s, expected at least the %gMiB/s of limits.%s",
                            ceiling_mib_s, path, limit_mib_s, key);
    }
}

/* A deadline must not slow an evacuation down. */
static void check_ceilings(const struct ek_policy *policy, const int *lines,
                           const struct ek_report *report)
{
    const struct ek_limits *urgent = &policy->urgent;

    if (report->problems->count > 0) {
        return; /* a value that could not be read is not the one that was meant */
    }
    check_ceiling("cluster", urgent->cluster, policy->limit_cluster, lines, report);
    check_ceiling("host_in", urgent->host_in, policy->limit_host_in, lines, report);
    check_ceiling("host_out", urgent->host_out, policy->limit_host_out, lines, report);
    check_rate_ceiling("bandwidth_per_host", urgent->bandwidth_per_host_mib_s,
                       policy->bandwidth_per_host_mib_s, lines, report);
    check_rate_ceiling("bandwidth_cluster", urgent->bandwidth_cluster_mib_s,
                       policy->bandwidth_cluster_mib_s, lines, report);
}

/* ---- rules ----------------------------------------------------------------------------------- */

static bool check_domains(const struct ek_rule *rule, struct ek_error *err)
{
    bool of_hosts = rule->kind == EK_RULE_IGNORE && rule->hosts.count > 0;

    return rule->domains.count > 0 || of_hosts ||
           ek_error_set(err, EK_ERR_INVALID,
                        "found rule \"%s\" of kind %s without domains, expected domains, such as "
                        "[\"web-*\"]%s",
                        rule->name, ek_rule_kind_name(rule->kind),
                        rule->kind == EK_RULE_IGNORE ? ", or hosts" : "");
}

/* A rule that could not be read whole has been reported; its kind may not be what was meant. */
static void check_rules(const struct ek_rules *rules, struct ek_arena *arena,
                        const struct ek_report *report)
{
    bool whole = report->problems->count == 0;
    struct ek_error err;

    for (size_t i = 0; whole && i < rules->count; i++) {
        if (!check_domains(&rules->items[i], &err) || !ek_rule_check(&rules->items[i], &err)) {
            (void)ek_report_add(report, err.code, rules->items[i].line, "%s", err.message);
        }
    }
    check_rule_names(rules, arena, report);
}

static void read_tree(struct ek_policy_file *file, const char *text, size_t size,
                      struct ek_arena *scratch, const struct ek_report *report)
{
    const struct ek_yaml_node *root = ek_yaml_parse(text, size, scratch, report);
    int *lines = ek_arena_alloc(scratch, ek_policy_schema.count, sizeof(int));

    /* The preset lies between defaults and keys: it replaces the former and yields to the latter.
     */
    if (lines == NULL) {
        (void)ek_report_no_memory(report);
    } else if (root != NULL) {
        ek_policy_defaults(&file->policy);
        apply_preset(&file->policy, root, scratch);
        ek_schema_read(&ek_policy_schema, root, file, lines, &file->rules.arena, report);
        take_resources(file, report);
        take_ceilings(&file->policy, lines);
        ek_policy_take_calendar(file, report);
        check_weights(&file->policy, lines, report);
        check_post_copy(&file->policy, lines, report);
        check_ceilings(&file->policy, lines, report);
        check_rules(&file->rules, scratch, report);
    }
}

/* As in config_file.c: written when all is well, else left as it was. */
static bool finish_read(struct ek_policy *out, struct ek_rules *rules, struct ek_policy_file *file,
                        const struct ek_report *report, struct ek_error *err)
{
    bool good = ek_report_verdict(report, err);

    if (good) {
        *out = file->policy;
        out->rules = rules;
    }
    if (good && rules != NULL) {
        *rules = file->rules;
    } else {
        ek_rules_finish(&file->rules);
    }
    return good;
}

bool ek_policy_parse(struct ek_policy *out, struct ek_rules *rules, const char *text, size_t size,
                     const char *name, struct ek_config_problems *problems, struct ek_error *err)
{
    struct ek_config_problems own;
    struct ek_report report = {.file = name, .problems = problems == NULL ? &own : problems};
    struct ek_arena scratch = {0};
    struct ek_policy_file file = {.rules = {.items = NULL}};

    report.problems->count = 0;
    read_tree(&file, text, size, &scratch, &report);
    ek_arena_finish(&scratch);
    return finish_read(out, rules, &file, &report, err);
}

bool ek_policy_read(struct ek_policy *out, struct ek_rules *rules, const char *path,
                    struct ek_config_problems *problems, struct ek_error *err)
{
    struct ek_config_problems own;
    struct ek_report report = {.file = path, .problems = problems == NULL ? &own : problems};
    struct ek_arena scratch = {0};
    struct ek_policy_file file = {.rules = {.items = NULL}};
    size_t size;

    report.problems->count = 0;
    const char *text = ek_file_load(path, &size, &scratch, &report);
    if (text != NULL) {
        read_tree(&file, text, size, &scratch, &report);
    }
    ek_arena_finish(&scratch);
    return finish_read(out, rules, &file, &report, err);
}

bool ek_policy_dump(const struct ek_policy *policy, FILE *out, struct ek_error *err)
{
    struct ek_policy_file file = {.policy = *policy};

    if (policy->rules != NULL && policy->rules->count > 0) {
        file.rules = *policy->rules; /* borrowed for the dump */
    }
    struct ek_arena scratch = {0};
    bool ok = give_resources(&file, &scratch) && ek_policy_give_calendar(&file, &scratch)
                  ? ek_schema_dump(&ek_policy_schema, &file, out, err)
                  : ek_error_set(err, EK_ERR_NOMEM, "out of memory for the policy's text");
    ek_arena_finish(&scratch);
    return ok;
}
