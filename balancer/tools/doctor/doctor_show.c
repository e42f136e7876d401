/* The doctor's findings for people and for programs. */
#include "balancer/codec/writer.h"
#include "balancer/core/plural.h"
#include "balancer/tools/doctor/doctor.h"
#include "balancer/tools/table.h"

#include <string.h>

static enum ek_colour colour_of(enum ek_grade grade)
{
    return grade == EK_GRADE_OK       ? EK_COLOUR_GOOD
           : grade == EK_GRADE_UNSEEN ? EK_COLOUR_FAINT
           : grade == EK_GRADE_WARN   ? EK_COLOUR_WARN
                                      : EK_COLOUR_BAD;
}

/* ---- pairs --------------------------------------------------------------------------------- */

/* "cpu versions": the checks in the way, or "" for none. */
static void pair_text(unsigned int bits, char *out, size_t size)
{
    size_t used = 0;

    out[0] = '\0';
    for (unsigned int check = 0; check < EK_CHECK_COUNT && used < size; check++) {
        if ((bits & 1U << check) != 0) {
            used += (size_t)snprintf(out + used, size - used, "%s%s", used == 0 ? "" : " ",
                                     ek_check_name((enum ek_check)check));
        }
    }
}

static unsigned int pair_bits(const struct ek_findings *findings, size_t source, size_t destination)
{
    return findings->pairs[source * findings->host_count + destination];
}

/* Rows are sources, columns destinations. */
static bool print_matrix(const struct ek_findings *findings)
{
    enum { MOST = 64 };
    struct ek_column columns[MOST + 1] = {{"FROM \\ TO", false}};
    size_t count = findings->host_count;
    struct ek_table table = {.columns = columns, .column_count = count + 1};
    char text[160];

    if (count > MOST) {
        (void)printf("\nof %zu hosts no matrix can be read; --json lists the pairs\n", count);
        return true;
    }
    for (size_t h = 0; h < count; h++) {
        columns[h + 1] = (struct ek_column){findings->hosts[h], false};
    }
    for (size_t source = 0; source < count; source++) {
        ek_table_cell(&table, EK_COLOUR_NONE, "%s", findings->hosts[source]);
        for (size_t destination = 0; destination < count; destination++) {
            pair_text(pair_bits(findings, source, destination), text, sizeof(text));
            ek_table_cell(&table, text[0] == '\0' ? EK_COLOUR_NONE : EK_COLOUR_WARN, "%s",
                          source == destination ? "-"
                          : text[0] == '\0'     ? "ok"
                                                : text);
        }
    }
    (void)putchar('\n');
    return ek_table_print(&table, stdout);
}

static void write_pairs(struct ek_json_writer *writer, const struct ek_findings *findings)
{
    ek_json_key(writer, "obstructed");
    ek_json_begin(writer, '[');
    for (size_t source = 0; source < findings->host_count; source++) {
        for (size_t destination = 0; destination < findings->host_count; destination++) {
            unsigned int bits = pair_bits(findings, source, destination);
            if (bits == 0) {
                continue;
            }
            ek_json_break(writer);
            ek_json_begin(writer, '{');
            ek_json_put_text(writer, "source", findings->hosts[source]);
            ek_json_put_text(writer, "destination", findings->hosts[destination]);
            ek_json_key(writer, "checks");
            ek_json_begin(writer, '[');
            for (unsigned int check = 0; check < EK_CHECK_COUNT; check++) {
                if ((bits & 1U << check) != 0) {
                    ek_json_text(writer, ek_check_name((enum ek_check)check));
                }
            }
            ek_json_end(writer, ']');
            ek_json_end(writer, '}');
        }
    }
    ek_json_end(writer, ']');
}

/* ---- programs ------------------------------------------------------------------------------ */

char *ek_doctor_write(const struct ek_findings *findings)
{
    struct ek_json_writer writer = {.text = NULL};

    ek_json_begin(&writer, '{');
    ek_json_put_integer(&writer, "version", 1);
    ek_json_put_integer(&writer, "at_ms", ek_tool_now_ms());
    ek_json_put_integer(&writer, "failures", (int64_t)ek_findings_count(findings, EK_GRADE_FAIL));
    ek_json_put_integer(&writer, "warnings", (int64_t)ek_findings_count(findings, EK_GRADE_WARN));
    ek_json_put_integer(&writer, "unseen", (int64_t)ek_findings_count(findings, EK_GRADE_UNSEEN));
    ek_json_key(&writer, "findings");
    ek_json_begin(&writer, '[');
    for (size_t i = 0; i < findings->count; i++) {
        const struct ek_finding *finding = &findings->items[i];
        ek_json_break(&writer);
        ek_json_begin(&writer, '{');
        ek_json_put_text(&writer, "grade", ek_grade_name(finding->grade));
        ek_json_put_text(&writer, "host", finding->host);
        ek_json_put_text(&writer, "check", ek_check_name(finding->check));
        ek_json_put_text(&writer, "found", finding->found);
        ek_json_put_text(&writer, "change", finding->change);
        ek_json_end(&writer, '}');
    }
    ek_json_end(&writer, ']');
    write_pairs(&writer, findings);
    ek_json_end(&writer, '}');
    return ek_json_finish(&writer);
}

/* ---- people -------------------------------------------------------------------------------- */

/* The hosts of the findings that say the same: "h1, h3". False: an earlier one has said it. */
static bool same_hosts(const struct ek_findings *findings, size_t i,
                       bool (*same)(const struct ek_finding *a, const struct ek_finding *b),
                       char *out, size_t size)
{
    size_t used = 0;

    out[0] = '\0';
    for (size_t k = 0; k < findings->count; k++) {
        const struct ek_finding *other = &findings->items[k];
        if (!same(&findings->items[i], other)) {
            continue;
        }
        if (k < i) {
            return false;
        }
        const char *host = other->host == NULL ? "all" : other->host;
        if (used + strlen(host) + sizeof(", , ...") > size) {
            (void)snprintf(out + used, size - used, "%s...", used == 0 ? "" : ", ");
            return true;
        }
        used += (size_t)snprintf(out + used, size - used, "%s%s", used == 0 ? "" : ", ", host);
    }
    return true;
}

static bool same_change(const struct ek_finding *a, const struct ek_finding *b)
{
    return a->check == b->check && b->change != NULL && strcmp(a->change, b->change) == 0;
}

static bool same_found(const struct ek_finding *a, const struct ek_finding *b)
{
    return a->check == b->check && a->grade == b->grade && strcmp(a->found, b->found) == 0;
}

/* What to change is a sentence or two: below the table, once for all hosts that need the same. */
static void print_change(const struct ek_findings *findings, size_t i)
{
    const struct ek_finding *finding = &findings->items[i];
    char hosts[200];

    if (same_hosts(findings, i, same_change, hosts, sizeof(hosts))) {
        ek_terminal_print(stdout, colour_of(finding->grade), "\n%s %s of %s",
                          ek_grade_name(finding->grade), ek_check_name(finding->check), hosts);
        ek_terminal_print(stdout, EK_COLOUR_NONE, ": %s\n", finding->change);
    }
}

static void add_row(struct ek_table *table, enum ek_grade grade, const char *host,
                    enum ek_check check, const char *found)
{
    ek_table_cell(table, colour_of(grade), "%s", ek_grade_name(grade));
    ek_table_cell(table, EK_COLOUR_NONE, "%s", host);
    ek_table_cell(table, EK_COLOUR_NONE, "%s", ek_check_name(check));
    ek_table_cell(table, EK_COLOUR_NONE, "%s", found);
}

/* One row for all hosts with which it is well, and one for all others that have the same. */
static void add_check(struct ek_table *table, const struct ek_findings *findings,
                      enum ek_check check)
{
    size_t judged = 0;
    size_t well = 0;
    const char *name = "";

    for (size_t i = 0; i < findings->count; i++) {
        if (findings->items[i].check == check) {
            judged++;
            well += findings->items[i].grade == EK_GRADE_OK ? 1 : 0;
            name = findings->items[i].grade == EK_GRADE_OK ? findings->items[i].host : name;
        }
    }
    if (well > 1) {
        char text[48];
        (void)snprintf(text, sizeof(text), well == judged ? "all %zu" : "%zu others", well);
        add_row(table, EK_GRADE_OK, text, check, ek_check_well(check));
    } else if (well == 1) {
        add_row(table, EK_GRADE_OK, name, check, ek_check_well(check));
    }
    for (size_t i = 0; i < findings->count; i++) {
        const struct ek_finding *finding = &findings->items[i];
        char hosts[60];
        if (finding->check == check && finding->grade != EK_GRADE_OK &&
            same_hosts(findings, i, same_found, hosts, sizeof(hosts))) {
            add_row(table, finding->grade, hosts, check, finding->found);
        }
    }
}

bool ek_doctor_print(const struct ek_findings *findings, bool matrix)
{
    static const struct ek_column columns[] = {
        {"RESULT", false}, {"HOST", false}, {"CHECK", false}, {"FOUND", false}};
    struct ek_table table = EK_TABLE(columns);

    for (unsigned int check = 0; check < EK_CHECK_COUNT; check++) {
        add_check(&table, findings, (enum ek_check)check);
    }
    if (!ek_table_print(&table, stdout) || (matrix && !print_matrix(findings))) {
        return false;
    }
    /* The worst comes last, next to the prompt. */
    for (enum ek_grade grade = EK_GRADE_UNSEEN; grade <= EK_GRADE_FAIL; grade++) {
        for (size_t i = 0; i < findings->count; i++) {
            if (findings->items[i].grade == grade && findings->items[i].change != NULL) {
                print_change(findings, i);
            }
        }
    }
    size_t failures = ek_findings_count(findings, EK_GRADE_FAIL);
    size_t warnings = ek_findings_count(findings, EK_GRADE_WARN);
    (void)printf("\n%zu failure%s, %zu warning%s, %zu not seen\n", failures, ek_plural(failures),
                 warnings, ek_plural(warnings), ek_findings_count(findings, EK_GRADE_UNSEEN));
    return true;
}
