/* The schema, docs/configuration.md and conf/ say the same. */
#include "support.h"

static char *table(enum ek_config_file file)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    assert_non_null(out);
    ek_config_schema_print(file, out);
    assert_int_equal(fclose(out), 0);
    return text;
}

static int rows_of(enum ek_config_file file)
{
    char *text = table(file);
    int rows = 0;

    for (const char *at = strstr(text, "| `"); at != NULL; at = strstr(at + 1, "\n| `")) {
        rows++;
    }
    free(text);
    return rows;
}

/* Every row of the reference stands in the documentation word for word. */
static void every_key_is_documented(void **state)
{
    size_t size;
    char *docs = load(EK_SOURCE_DIR "/docs/configuration.md", &size);

    (void)state;
    for (int file = EK_CONFIG_EVENKEEL; file <= EK_CONFIG_POLICY; file++) {
        char *rows = table((enum ek_config_file)file);
        char *next = NULL;
        for (char *row = strtok_r(rows, "\n", &next); row != NULL;
             row = strtok_r(NULL, "\n", &next)) {
            if (strstr(docs, row) == NULL) {
                print_error("docs/configuration.md lacks this row:\n%s\n", row);
                fail();
            }
        }
        free(rows);
    }
    free(docs);
}

/* No row of the documentation names a key that the schema does not have. */
static void no_other_key_is_documented(void **state)
{
    size_t size;
    char *docs = load(EK_SOURCE_DIR "/docs/configuration.md", &size);
    char *evenkeel = table(EK_CONFIG_EVENKEEL);
    char *policy = table(EK_CONFIG_POLICY);
    char *next = NULL;
    int rows = 0;

    (void)state;
    for (char *row = strtok_r(docs, "\n", &next); row != NULL; row = strtok_r(NULL, "\n", &next)) {
        bool reference = strncmp(row, "| `", 3) == 0 && (strstr(row, " | reload | ") != NULL ||
                                                         strstr(row, " | restart | ") != NULL);
        rows += reference;
        if (reference && strstr(evenkeel, row) == NULL && strstr(policy, row) == NULL) {
            fail_msg("no such key or another text: %s", row);
        }
    }
    /* All of them, so that a change of the table's form cannot empty this test. */
    assert_int_equal(rows, rows_of(EK_CONFIG_EVENKEEL) + rows_of(EK_CONFIG_POLICY));
    free(docs);
    free(evenkeel);
    free(policy);
}

/* Turns "  #key: value" into "  key: value": such lines are keys that are commented out. Comments
 * for people have a blank after the sign. */
static void uncomment(char *text)
{
    for (char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        char *sign = line + strspn(line, " ");
        if (sign[0] == '#' && sign[1] >= 'a' && sign[1] <= 'z') {
            memmove(sign, sign + 1, strlen(sign));
        }
    }
}

static const struct ek_yaml_node *find_path(const struct ek_yaml_node *node, const char *path)
{
    char key[64];

    while (node != NULL && node->kind == EK_YAML_MAPPING) {
        size_t length = strcspn(path, ".");
        (void)snprintf(key, sizeof(key), "%.*s", (int)length, path);
        node = ek_yaml_find(node, key);
        if (path[length] == '\0') {
            return node;
        }
        path += length + 1;
    }
    return NULL;
}

static void assert_has_all_keys(const struct ek_schema *schema, const struct ek_yaml_node *root)
{
    for (size_t i = 0; i < schema->count; i++) {
        const struct ek_schema_row *row = &schema->rows[i];
        const struct ek_yaml_node *node = find_path(root, row->path);
        if (row->type == EK_VALUE_REFUSED) {
            continue;
        }
        if (node == NULL) {
            fail_msg("the example lacks %s", row->path);
        } else if (row->type == EK_VALUE_LIST && !row->optional) {
            assert_has_all_keys(row->items, node->first);
        }
    }
}

static void check_example(const struct ek_schema *schema, const char *path, void *base)
{
    static struct ek_config_problems problems;
    struct ek_report report = {.file = path, .problems = &problems};
    struct ek_arena arena = {0};
    int lines[64];
    size_t size;
    char *text = load(path, &size);

    problems.count = 0;
    uncomment(text);
    const struct ek_yaml_node *root = ek_yaml_parse(text, strlen(text), &arena, &report);
    assert_non_null(root);
    assert_has_all_keys(schema, root);
    ek_schema_read(schema, root, base, lines, &arena, &report);
    assert_string_equal(joined(&problems), "");
    ek_arena_finish(&arena);
    free(text);
}

/* The examples show every key, those included that they leave commented out, and no other. */
static void examples_are_complete(void **state)
{
    struct ek_policy_file policy = {.rules = {.items = NULL}};
    struct ek_config config;

    (void)state;
    check_example(&ek_policy_schema, EK_SOURCE_DIR "/conf/policy.yaml", &policy);
    check_example(&ek_evenkeel_schema, EK_SOURCE_DIR "/conf/evenkeel.yaml", &config);
}

static char *dump(const struct ek_schema *schema, const void *base)
{
    struct ek_error err;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    assert_non_null(out);
    assert_true(ek_schema_dump(schema, base, out, &err));
    assert_int_equal(fclose(out), 0);
    return text;
}

static char *dump_policy(const struct ek_policy *policy)
{
    struct ek_error err;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    assert_non_null(out);
    assert_true(ek_policy_dump(policy, out, &err));
    assert_int_equal(fclose(out), 0);
    return text;
}

static void assert_is_default_policy(const char *text, size_t size)
{
    struct ek_policy defaults;
    struct ek_policy policy;
    struct ek_rules rules;
    struct ek_error err;

    ek_policy_defaults(&defaults);
    assert_true(ek_policy_parse(&policy, &rules, text, size, "conf/policy.yaml", NULL, &err));
    char *left = dump_policy(&policy);
    char *right = dump_policy(&defaults);
    assert_string_equal(left, right);
    free(left);
    free(right);
    ek_rules_finish(&rules);
}

/* The example of a policy is the default policy, also with its commented keys in force. */
static void example_policy_is_the_default(void **state)
{
    size_t size;
    char *text = load(EK_SOURCE_DIR "/conf/policy.yaml", &size);

    (void)state;
    assert_is_default_policy(text, size);
    uncomment(text);
    assert_is_default_policy(text, strlen(text));
    free(text);
}

/* Apart from its hosts the example configuration is what one gets without it. */
static void example_configuration_is_the_default(void **state)
{
    struct ek_config example;
    struct ek_config plain;
    struct ek_error err;

    (void)state;
    assert_true(ek_config_read(&example, EK_SOURCE_DIR "/conf/evenkeel.yaml", NULL, &err));
    assert_true(ek_config_parse(&plain, ONE_HOST, strlen(ONE_HOST), "x", NULL, &err));
    assert_int_equal(example.host_count, 2);
    char *left = dump(&ek_evenkeel_schema, &example);
    char *right = dump(&ek_evenkeel_schema, &plain);
    assert_string_equal(strstr(left, "\nredis:"), strstr(right, "\nredis:"));
    free(left);
    free(right);
    ek_config_finish(&example);
    ek_config_finish(&plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_is_documented),
        cmocka_unit_test(no_other_key_is_documented),
        cmocka_unit_test(examples_are_complete),
        cmocka_unit_test(example_policy_is_the_default),
        cmocka_unit_test(example_configuration_is_the_default),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
