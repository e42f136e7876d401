/* Reading policy.yaml, and its checks across keys. */
#include "balancer/config/schema.h"

#include <stdlib.h>

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

/* The score divides by the sum of the weights. */
static void check_weights(const struct ek_policy *policy, const int *lines,
                          const struct ek_report *report)
{
    int cpu = ek_schema_line(&ek_policy_schema, lines, "resources.cpu.weight");
    int memory = ek_schema_line(&ek_policy_schema, lines, "resources.memory.weight");

    if (policy->weight[EK_CPU] == 0.0 && policy->weight[EK_MEMORY] == 0.0) {
        (void)ek_report_add(report, EK_ERR_INVALID, cpu > memory ? cpu : memory,
                            "found 0 for the weights of all resources, expected one above 0");
    }
}

static void read_tree(struct ek_policy *policy, const char *text, size_t size,
                      struct ek_arena *arena, const struct ek_report *report)
{
    const struct ek_yaml_node *root = ek_yaml_parse(text, size, arena, report);
    int *lines = ek_arena_alloc(arena, ek_policy_schema.count, sizeof(int));

    /* The preset lies between defaults and keys: it replaces the former and yields to the latter.
     */
    if (lines == NULL) {
        (void)ek_report_no_memory(report);
    } else if (root != NULL) {
        ek_policy_defaults(policy);
        apply_preset(policy, root, arena);
        ek_schema_read(&ek_policy_schema, root, policy, lines, arena, report);
        check_weights(policy, lines, report);
    }
}

/* As in config_file.c: written when all is well, else left as it was. A policy holds no pointers,
 * so that nothing is to be freed. */
static bool finish_read(struct ek_policy *out, const struct ek_policy *policy,
                        const struct ek_report *report, struct ek_error *err)
{
    if (!ek_report_verdict(report, err)) {
        return false;
    }
    *out = *policy;
    return true;
}

bool ek_policy_parse(struct ek_policy *out, const char *text, size_t size, const char *name,
                     struct ek_config_problems *problems, struct ek_error *err)
{
    struct ek_config_problems own;
    struct ek_report report = {.file = name, .problems = problems == NULL ? &own : problems};
    struct ek_arena arena = {0};
    struct ek_policy policy = {0};

    report.problems->count = 0;
    read_tree(&policy, text, size, &arena, &report);
    ek_arena_finish(&arena);
    return finish_read(out, &policy, &report, err);
}

bool ek_policy_read(struct ek_policy *out, const char *path, struct ek_config_problems *problems,
                    struct ek_error *err)
{
    struct ek_config_problems own;
    struct ek_report report = {.file = path, .problems = problems == NULL ? &own : problems};
    struct ek_arena arena = {0};
    struct ek_policy policy = {0};
    size_t size;

    report.problems->count = 0;
    const char *text = ek_file_load(path, &size, &arena, &report);
    if (text != NULL) {
        read_tree(&policy, text, size, &arena, &report);
    }
    ek_arena_finish(&arena);
    return finish_read(out, &policy, &report, err);
}

bool ek_policy_dump(const struct ek_policy *policy, FILE *out, struct ek_error *err)
{
    return ek_schema_dump(&ek_policy_schema, policy, out, err);
}
