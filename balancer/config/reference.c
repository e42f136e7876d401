/* All keys as people are told of them: a table for docs/configuration.md, and one by one for the
 * manual pages. */
#include "balancer/config/schema.h"

/* Who wants to be told. */
struct visitor {
    void (*visit)(void *context, const struct ek_config_key *key);
    void *context;
};

/* "none" where the absence itself means something, such as no labels. */
static const char *default_of(const struct ek_schema_row *row)
{
    if (row->required) {
        return "must be given";
    }
    return row->fallback == NULL ? "none" : row->fallback;
}

static void visit_rows(const struct ek_schema *schema, const char *before,
                       const struct visitor *visitor)
{
    char expected[EK_EXPECTED_SIZE];
    /* Paths of items show that there are many: "hosts[].name". */
    char path[EK_PATH_SIZE];
    char inside[EK_PATH_SIZE];

    for (size_t i = 0; i < schema->count; i++) {
        const struct ek_schema_row *row = &schema->rows[i];
        if (row->type == EK_VALUE_REFUSED) {
            continue;
        }
        (void)snprintf(path, sizeof(path), "%s%s", before, row->path);
        const struct ek_config_key key = {.path = path,
                                          .form = ek_value_expected(expected, row),
                                          .unit = row->unit,
                                          .fallback = default_of(row),
                                          .restart = row->restart,
                                          .doc = row->doc};
        visitor->visit(visitor->context, &key);
        if (row->type == EK_VALUE_LIST) {
            (void)snprintf(inside, sizeof(inside), "%s%s[].", before, row->path);
            visit_rows(row->items, inside, visitor);
        }
    }
}

void ek_config_visit_keys(enum ek_config_file file,
                          void (*visit)(void *context, const struct ek_config_key *key),
                          void *context)
{
    const struct visitor visitor = {visit, context};

    visit_rows(file == EK_CONFIG_POLICY ? &ek_policy_schema : &ek_evenkeel_schema, "", &visitor);
}

/* One line per key: a test looks for each of them, word for word, in docs/configuration.md. */
static void print_row(void *context, const struct ek_config_key *key)
{
    (void)fprintf(context, "| `%s` | %s%s%s | %s | %s | %s |\n", key->path, key->form,
                  key->unit == NULL ? "" : "; ", key->unit == NULL ? "" : key->unit, key->fallback,
                  key->restart ? "restart" : "reload", key->doc);
}

void ek_config_schema_print(enum ek_config_file file, FILE *out)
{
    (void)fputs(
        "| Key | Form and range | Default | Taken up at | Meaning |\n|---|---|---|---|---|\n", out);
    ek_config_visit_keys(file, print_row, out);
}
