/* evenkeel doctor: whether the hosts are fit for what the balancer does with them. The one verb
 * that speaks to libvirt, since what it looks for is in no sample; it needs no Redis. */
#include "balancer/tools/doctor.h"

#include "balancer/codec/writer.h"
#include "balancer/tools/table.h"
#include "balancer/tools/tool.h"

#include <inttypes.h>
#include <stdlib.h>

/* ---- looking ------------------------------------------------------------------------------- */

/* One after the other: a host that is gone costs its time-out, and people wait for the answer. */
static bool inspect_all(const struct ek_tool *tool, struct ek_inspection *seen, size_t *count,
                        struct ek_error *err)
{
    const struct ek_config *config = &tool->config;

    for (*count = 0; *count < config->host_count; (*count)++) {
        const struct ek_config_host *host = &config->hosts[*count];
        if (!ek_inspect_host(&seen[*count], host->name, host->uri, (int)config->connect_timeout_ms,
                             err)) {
            return false;
        }
    }
    return true;
}

/* ---- showing ------------------------------------------------------------------------------- */

static char *write_findings(const struct ek_findings *findings)
{
    struct ek_json_writer writer = {.text = NULL};

    ek_json_begin(&writer, '{');
    ek_json_put_integer(&writer, "version", 1);
    ek_json_put_integer(&writer, "at_ms", ek_tool_now_ms());
    ek_json_put_integer(&writer, "failures", (int64_t)ek_findings_count(findings, EK_GRADE_FAIL));
    ek_json_put_integer(&writer, "warnings", (int64_t)ek_findings_count(findings, EK_GRADE_WARN));
    ek_json_key(&writer, "findings");
    ek_json_begin(&writer, '[');
    for (size_t i = 0; i < findings->count; i++) {
        const struct ek_finding *finding = &findings->items[i];
        ek_json_break(&writer);
        ek_json_begin(&writer, '{');
        ek_json_put_text(&writer, "grade", ek_grade_name(finding->grade));
        ek_json_put_text(&writer, "host", finding->host);
        ek_json_put_text(&writer, "check", finding->check);
        ek_json_put_text(&writer, "found", finding->found);
        ek_json_put_text(&writer, "change", finding->change);
        ek_json_end(&writer, '}');
    }
    ek_json_end(&writer, ']');
    ek_json_end(&writer, '}');
    return ek_json_finish(&writer);
}

static enum ek_colour colour_of(enum ek_grade grade)
{
    return grade == EK_GRADE_OK     ? EK_COLOUR_GOOD
           : grade == EK_GRADE_WARN ? EK_COLOUR_WARN
                                    : EK_COLOUR_BAD;
}

/* What to change is a sentence or two: below the table, once for all hosts that need it. */
static void print_changes(const struct ek_findings *findings)
{
    for (size_t i = 0; i < findings->count; i++) {
        const struct ek_finding *finding = &findings->items[i];
        if (finding->change != NULL) {
            ek_terminal_print(stdout, colour_of(finding->grade), "\n%s %s of %s",
                              ek_grade_name(finding->grade), finding->check, finding->host);
            ek_terminal_print(stdout, EK_COLOUR_NONE, ": %s\n", finding->change);
        }
    }
}

static bool print_findings(const struct ek_findings *findings)
{
    static const struct ek_column columns[] = {
        {"RESULT", false}, {"HOST", false}, {"CHECK", false}, {"FOUND", false}};
    struct ek_table table = EK_TABLE(columns);

    for (size_t i = 0; i < findings->count; i++) {
        const struct ek_finding *finding = &findings->items[i];
        ek_table_cell(&table, colour_of(finding->grade), "%s", ek_grade_name(finding->grade));
        ek_table_cell(&table, EK_COLOUR_NONE, "%s", finding->host);
        ek_table_cell(&table, EK_COLOUR_NONE, "%s", finding->check);
        ek_table_cell(&table, EK_COLOUR_NONE, "%s", finding->found);
    }
    if (!ek_table_print(&table, stdout)) {
        return false;
    }
    print_changes(findings);
    (void)printf("\n%zu failures, %zu warnings\n", ek_findings_count(findings, EK_GRADE_FAIL),
                 ek_findings_count(findings, EK_GRADE_WARN));
    return true;
}

/* ---- the verb ------------------------------------------------------------------------------ */

static int show(const struct ek_tool *tool, const struct ek_inspection *seen, size_t count)
{
    struct ek_policy policy;
    struct ek_rules rules = {.items = NULL};
    struct ek_findings findings;

    ek_tool_read_policy(tool, &policy, &rules);
    ek_doctor_judge(&findings, seen, count, &rules);
    bool failures = ek_findings_count(&findings, EK_GRADE_FAIL) > 0;
    int status = EK_EXIT_FAILED;
    if (findings.failed) {
        status = ek_tool_complain(EK_EXIT_FAILED, "out of memory for the findings");
    } else if (tool->json) {
        status = ek_tool_print_json(write_findings(&findings));
    } else {
        status = print_findings(&findings) ? EK_EXIT_DONE : EK_EXIT_FAILED;
    }
    ek_findings_finish(&findings);
    ek_rules_finish(&rules);
    return status == EK_EXIT_DONE && failures ? EK_EXIT_NOT_POSSIBLE : status;
}

static int run(struct ek_tool *tool, int argc, char **argv)
{
    struct ek_error err;
    size_t count = 0;

    if (!ek_tool_no_options(tool, argc, argv, 0) || !ek_tool_configure(tool)) {
        return tool->exit_status;
    }
    if (!ek_inspect_begin(&err)) {
        return ek_tool_complain(EK_EXIT_FAILED, "%s", err.message);
    }
    struct ek_inspection *seen = calloc(tool->config.host_count, sizeof(*seen));
    int status = seen != NULL && inspect_all(tool, seen, &count, &err)
                     ? show(tool, seen, count)
                     : ek_tool_complain(EK_EXIT_FAILED, "out of memory for what is seen");
    for (size_t h = 0; h < count; h++) {
        ek_inspection_finish(&seen[h]);
    }
    free(seen);
    ek_inspect_end();
    return status;
}

const struct ek_verb ek_verb_doctor = {
    .name = "doctor",
    .arguments = "",
    .help = "whether the hosts are fit for live migration, and what to change",
    .details =
        "Connects to every host of evenkeel.yaml by libvirt, needs no Redis, and changes nothing.\n"
        "Looks for hosts that do not answer or have one UUID, for Pacemaker, and for shared disks\n"
        "without locks or with changing owners. What cannot be seen over the network is a warning\n"
        "that names the line to look at. Status 3 when something failed.\n",
    .run = run,
};
