/* The table of all keys for docs/configuration.md, from which the manual pages are made as well. */
#include "balancer/config/schema.h"

/* "none" where the absence itself means something, such as no labels. */
static const char *default_of(const struct ek_schema_row *row)
{
    if (row->required) {
        return "must be given";
    }
    return row->fallback == NULL ? "none" : row->fallback;
}

static void print_rows(const struct ek_schema *schema, const char *before, FILE *out)
{
    char expected[EK_EXPECTED_SIZE];
    /* Paths of items show that there are many: "hosts[].name". */
    char inside[64];

    for (size_t i = 0; i < schema->count; i++) {
        const struct ek_schema_row *row = &schema->rows[i];
        if (row->type == EK_VALUE_REFUSED) {
            continue;
        }
        /* One line per key: a test looks for each of them, word for word, in docs/configuration.md.
         */
        (void)fprintf(out, "| `%s%s` | %s%s%s | %s | %s | %s |\n", before, row->path,
                      ek_value_expected(expected, row), row->unit == NULL ? "" : "; ",
                      row->unit == NULL ? "" : row->unit, default_of(row),
                      row->restart ? "restart" : "reload", row->doc);
        if (row->type == EK_VALUE_LIST) {
            (void)snprintf(inside, sizeof(inside), "%s%s[].", before, row->path);
            print_rows(row->items, inside, out);
        }
    }
}

void ek_config_schema_print(enum ek_config_file file, FILE *out)
{
    (void)fputs(
        "| Key | Form and range | Default | Taken up at | Meaning |\n|---|---|---|---|---|\n", out);
    print_rows(file == EK_CONFIG_POLICY ? &ek_policy_schema : &ek_evenkeel_schema, "", out);
}
