/* evenkeel doctor: whether the hosts are fit for what the balancer does with them. It
 * speaks to libvirt, since what it looks for is in no sample, and needs no Redis. */
#include "balancer/tools/doctor/doctor.h"

#include "balancer/tools/terminal.h"

#include <stdlib.h>

/* ---- looking ------------------------------------------------------------------------------- */

/* One line that is written over, on a terminal only: a host that hangs costs half a minute. */
static void show_progress(void *context, const char *host, size_t done, size_t count)
{
    (void)context;
    (void)fprintf(stderr, "\r\033[K%s", done < count ? "" : "\r");
    if (done < count) {
        (void)fprintf(stderr, "looked at %zu of %zu hosts, %.60s last", done, count, host);
    }
    (void)fflush(stderr);
}

static bool look(const struct ek_tool *tool, struct ek_cluster_seen *seen, struct ek_error *err)
{
    static const struct ek_inspect_watch watch = {.ended = show_progress};
    const struct ek_config *config = &tool->config;
    struct ek_inspect_order *orders = calloc(config->host_count, sizeof(*orders));

    if (orders == NULL) {
        return ek_error_set(err, EK_ERR_NOMEM, "out of memory for the hosts");
    }
    for (size_t h = 0; h < config->host_count; h++) {
        orders[h] = (struct ek_inspect_order){.name = config->hosts[h].name,
                                              .uri = config->hosts[h].uri,
                                              .migration_uri = config->hosts[h].migration_uri};
    }
    bool ok = ek_inspect_cluster(seen, orders, config->host_count, (int)config->connect_timeout_ms,
                                 ek_terminal_is(stderr) ? &watch : NULL, err);
    free(orders);
    return ok;
}

/* ---- the verb ------------------------------------------------------------------------------ */

static int show(const struct ek_tool *tool, const struct ek_cluster_seen *seen, bool matrix)
{
    struct ek_policy policy;
    struct ek_rules rules = {.items = NULL};
    struct ek_findings findings;

    ek_tool_read_policy(tool, &policy, &rules);
    policy.rules = &rules;
    ek_doctor_judge(&findings, seen, &policy);
    bool failures = ek_findings_count(&findings, EK_GRADE_FAIL) > 0;
    int status = EK_EXIT_FAILED;
    if (findings.failed) {
        status = ek_tool_complain(EK_EXIT_FAILED, "out of memory for the findings");
    } else if (tool->json) {
        status = ek_tool_print_json(ek_doctor_write(&findings));
    } else {
        status = ek_doctor_print(&findings, matrix) ? EK_EXIT_DONE : EK_EXIT_FAILED;
    }
    ek_findings_finish(&findings);
    ek_rules_finish(&rules);
    return status == EK_EXIT_DONE && failures ? EK_EXIT_NOT_POSSIBLE : status;
}

static bool take_options(struct ek_tool *tool, int argc, char **argv, bool *matrix)
{
    enum { MATRIX = 1 };
    static const struct option options[] = {{"matrix", no_argument, NULL, MATRIX},
                                            {NULL, 0, NULL, 0}};
    int option = 0;

    while ((option = ek_tool_option(tool, argc, argv, "", options)) > 0) {
        *matrix = *matrix || option == MATRIX;
    }
    return option != EK_OPTION_STOP && ek_tool_words(tool, argc, argv, 0);
}

static int run(struct ek_tool *tool, int argc, char **argv)
{
    struct ek_cluster_seen seen;
    struct ek_error err;
    bool matrix = false;

    if (!take_options(tool, argc, argv, &matrix) || !ek_tool_configure(tool)) {
        return tool->exit_status;
    }
    if (!ek_inspect_begin(&err)) {
        return ek_tool_complain(EK_EXIT_FAILED, "%s", err.message);
    }
    int status = EK_EXIT_FAILED;
    if (look(tool, &seen, &err)) {
        status = show(tool, &seen, matrix);
        ek_cluster_seen_finish(&seen);
    } else {
        status = ek_tool_complain(EK_EXIT_FAILED, "%s", err.message);
    }
    tool->hangs = !ek_inspect_end();
    return status;
}

const struct ek_verb ek_verb_doctor = {
    .name = "doctor",
    .arguments = " [--matrix]",
    .help = "whether the hosts are fit for live migration, and what to change",
    .details =
        "  --matrix   also show, for each pair of hosts, which checks are in the way\n"
        "\n"
        "Connects to every host of evenkeel.yaml by libvirt, many at once, needs no Redis, and\n"
        "changes nothing. Compares them as sources and destinations: versions, CPUs, networks,\n"
        "filters, storage, memory; tries names and migration ports from here. UNSEEN is what\n"
        "cannot be told from here, with the command that tells it. Status 3 when something\n"
        "failed.\n",
    .run = run,
};
