/* What `evenkeel simulate` is made of: its options, the cluster and load that they describe, and
 * how results are shown, of one simulation or of several side by side. */
#ifndef EK_TOOLS_SIMULATE_H
#define EK_TOOLS_SIMULATE_H

#include "balancer/sim/generate.h"
#include "balancer/sim/load_series.h"
#include "balancer/tools/tool.h"

/* ---- options (simulate_options.c) ----------------------------------------------------------- */

struct ek_simulate_options {
    struct ek_generator generator;
    bool hosts_given; /* these three contradict some of what follows */
    bool domains_given;
    bool days_given;
    int64_t cycle_ms;
    double overload_cpu; /* as target_cpu and target_memory of ek_simulation; NAN: not given */
    double overload_memory;
    double imbalance; /* as of ek_simulation */
    int64_t flap_ms;
    const char *policy_path;   /* NULL: the defaults */
    const char *snapshot_path; /* NULL: a cluster is made up */
    const char *traces_path;   /* NULL: the load is made up */
    const char *layout;        /* of the traces; NULL: not said */
    const char *svg_path;      /* NULL: no picture */
    const char *csv_path;      /* NULL: no table of hosts */
};

/* Takes the verb's words. False: it has complained, return tool->exit_status. */
bool ek_simulate_options(struct ek_simulate_options *out, struct ek_tool *tool, int argc,
                         char **argv);

/* Takes the percentage that optarg says, 1 to 100, as a part of one. False: as above. */
bool ek_simulate_percent(struct ek_tool *tool, const char *name, double *part);

extern const char ek_simulate_help[];

/* ---- traces (simulate_traces.c) ------------------------------------------------------------- */

enum ek_trace_layout { EK_TRACES_PLANETLAB, EK_TRACES_BITBRAINS, EK_TRACES_LAYOUT_COUNT };

const char *ek_trace_layout_name(enum ek_trace_layout layout);

/* One machine's recording. `cpu_cores` of its points is the used part, 0..1, of its vCPUs. */
struct ek_trace {
    const char *name; /* of its file, without an extension */
    struct ek_load_point *points;
    size_t count;
    double vcpus;      /* NAN: the layout does not say */
    double memory_mib; /* NAN: the layout does not say */
    bool taken;        /* some domain follows it */
};

struct ek_traces {
    struct ek_trace *items; /* by name */
    size_t count;
    int64_t length_ms; /* of the longest */
    struct ek_arena arena;
};

/* Reads all files of the folder. Times begin at the earliest of all. Errors: INVALID, naming file,
 * line, what was found and what was expected; IO; NOMEM. The caller owns the result. */
bool ek_traces_read(struct ek_traces *out, const char *folder, enum ek_trace_layout layout,
                    struct ek_error *err);
void ek_traces_finish(struct ek_traces *traces);

/* ---- cluster and load (simulate_cluster.c) -------------------------------------------------- */

struct ek_simulate_input {
    struct ek_simulation simulation; /* complete but for `tick`; points into what follows */
    struct ek_generated generated;
    struct ek_snapshot snapshot;
    struct ek_traces traces;
    struct ek_load_series series;
    struct ek_load series_load;
    struct ek_arena arena;
};

/* Makes up or reads what the options say; `out` must stay where it is. False: it has complained,
 * return tool->exit_status. Finish it in any case. */
bool ek_simulate_input(struct ek_simulate_input *out, const struct ek_simulate_options *options,
                       struct ek_tool *tool);
void ek_simulate_input_finish(struct ek_simulate_input *input);

/* ---- showing (simulate_report.c, simulate_svg.c) -------------------------------------------- */

/* One simulation with its policy, under the name by which people know it. */
struct ek_simulate_run {
    const char *name;
    const struct ek_policy *policy;
    const struct ek_simulation *simulation;
    const struct ek_simulation_result *result;
};

enum { EK_SIMULATE_TERMS_SIZE = 160 };

/* What counts as overload, imbalance and flap in that run, as a sentence; returns `out`. */
const char *ek_simulate_terms(const struct ek_simulate_run *run, char out[EK_SIMULATE_TERMS_SIZE]);

/* A column for each run, all of one cluster and measured alike. False: out of memory, it has
 * complained. */
bool ek_simulate_print(const struct ek_simulate_run *runs, size_t count, FILE *out);

/* {"version": 1, "runs": [...]}, malloc'ed for the caller; NULL: out of memory. */
char *ek_simulate_write(const struct ek_simulate_run *runs, size_t count);

/* A picture of the runs over time. What went wrong is in the stream (ferror). */
void ek_simulate_draw(const struct ek_simulate_run *runs, size_t count, FILE *out);

/* ---- running (simulate_run.c) ---------------------------------------------------------------- */

/* Reads a policy, NULL being the default one. False: it has complained of all that is wrong with
 * it, return tool->exit_status. The caller owns the rules, to which the policy points. */
bool ek_simulate_policy(struct ek_tool *tool, const char *path, struct ek_policy *policy,
                        struct ek_rules *rules);

/* Opens a file for writing, before hours are spent; NULL path: *file stays NULL. False: it has
 * complained. Closing gives `status`, or that of a disk that was full; NULL file is fine. */
bool ek_simulate_open(struct ek_tool *tool, const char *path, FILE **file);
int ek_simulate_close(const char *path, FILE *file, int status);

/* ek_simulate() with a bar on a terminal and a table of hosts in `csv`, if that is not NULL; the
 * simulation's own tick is not called. `name` is the
 * policy's, where there are several; else NULL. */
bool ek_simulate_watched(struct ek_simulation_result *out, const struct ek_simulation *simulation,
                         const struct ek_policy *policy, const char *name, FILE *csv,
                         struct ek_error *err);

/* Draws the runs into `svg`, if that is not NULL, and prints them as the tool is told to. Returns
 * the exit status. */
int ek_simulate_show(const struct ek_tool *tool, const struct ek_simulate_run *runs, size_t count,
                     FILE *svg);

#endif
