/* The options of `evenkeel simulate`: most are numbers, which stand in one table with their range
 * and their unit. */
#include "balancer/tools/simulate/simulate.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* In the order of the table. */
enum number {
    HOSTS,
    DOMAINS,
    DAYS,
    SEED,
    CYCLE,
    HOST_CORES,
    HOST_MEMORY,
    LINK,
    LOAD,
    SWING,
    BURSTS,
    FAILURES,
    LOSSES,
    OVERLOAD_CPU,
    OVERLOAD_MEMORY,
    IMBALANCE,
    FLAP,
    NUMBERS
};

/* Above any letter and below what the common options take. */
enum { FIRST_NUMBER = 0x100, POLICY = 0x200, SNAPSHOT, TRACES, LAYOUT, SVG, CSV };

struct range {
    const char *name;
    double low;
    double high;
    bool whole;
    const char *unit; /* "" where the name says all */
};

/* A hundred thousand of anything, ten years: beyond that a slip is more likely than a wish. */
static const struct range ranges[NUMBERS] = {
    [HOSTS] = {"hosts", 1, 100000, true, ""},
    [DOMAINS] = {"domains", 0, 1000000, true, ""},
    [DAYS] = {"days", 0.001, 3650, false, ""},
    [SEED] = {"seed", 0, 9007199254740992.0, true, ""},
    [CYCLE] = {"cycle", 1, 86400, true, "seconds"},
    [HOST_CORES] = {"host-cores", 0.1, 100000, false, ""},
    [HOST_MEMORY] = {"host-memory", 0.1, 1000000, false, "GiB"},
    [LINK] = {"link", 1, 1000000, false, "MiB/s"},
    [LOAD] = {"load", 0, 100, false, "percent"},
    [SWING] = {"swing", 0, 100, false, "percent"},
    [BURSTS] = {"bursts", 0, 24, false, "per day"},
    [FAILURES] = {"failures", 0, 365, false, "per year"},
    [LOSSES] = {"losses", 0, 365, false, "per year"},
    [OVERLOAD_CPU] = {"overload-cpu", 1, 100, false, "percent"},
    [OVERLOAD_MEMORY] = {"overload-memory", 1, 100, false, "percent"},
    [IMBALANCE] = {"imbalance", 0, 0.5, false, ""},
    [FLAP] = {"flap", 0, 1000000, false, "minutes"},
};

const char ek_simulate_help[] =
    "Runs the daemon's own core on a simulated cluster in virtual time. The same options give the\n"
    "same result to the byte. The policy acts, whatever its mode says. Needs neither Redis nor\n"
    "evenkeel.yaml.\n"
    "\n"
    "  --policy FILE       what is tried; else the default policy\n"
    "  --days D            how long (7; with --traces as long as they are)\n"
    "  --seed S            of all that is random (1)\n"
    "  --cycle SECONDS     between two cycles, and between two samples of a host (60)\n"
    "\n"
    "The cluster is made up, unless it is given:\n"
    "  --hosts N           hosts (100)\n"
    "  --domains M         domains (20 for each host)\n"
    "  --host-cores N      cores of a host (32)\n"
    "  --host-memory GIB   memory of a host (256)\n"
    "  --link MIBS         its migration network, MiB/s each way (1100)\n"
    "  --snapshot FILE     begin with that cluster instead, as `evenkeel snapshot` prints one\n"
    "\n"
    "So is the load; it follows the day, most of it office hours, some of it the night:\n"
    "  --load PERCENT      mean CPU that domains want, of all cores (35; with --snapshot as "
    "there)\n"
    "  --swing PERCENT     how far the day moves it, of the mean (50)\n"
    "  --bursts N          per domain and day, 5 to 60 minutes long (0.14)\n"
    "  --traces DIR        recorded load instead, one file for each domain; with --snapshot the\n"
    "                      domain's name is the file's, without .csv\n"
    "  --layout NAME       of the traces: planetlab or bitbrains\n"
    "\n"
    "Misfortunes; guests of a host that crashed start anew 10 minutes after it is back, of a lost\n"
    "one elsewhere, 10 minutes later:\n"
    "  --failures N        crashes per host and year, back after 15 minutes to 2 hours (2; with\n"
    "                      --snapshot or --traces 0)\n"
    "  --losses N          per host and year, for good (0.2; likewise 0)\n"
    "\n"
    "What is shown:\n"
    "  --overload-cpu PERCENT     a host is overloaded above that (the policy's target_max)\n"
    "  --overload-memory PERCENT  likewise\n"
    "  --imbalance X       standard deviation of utilization that counts as imbalanced (0.10)\n"
    "  --flap MINUTES      a domain that comes back to a host within that flaps (120)\n"
    "  --svg FILE          a picture over time\n"
    "  --csv FILE          what each host bore in each cycle\n"
    "\n"
    "Domain-hours short: of the time of all domains the part in which they wanted CPU and had "
    "none.\n";

/* ---- words --------------------------------------------------------------------------------- */

static bool take_number(struct ek_tool *tool, const struct range *range, double *number)
{
    char *end = NULL;

    errno = 0;
    *number = strtod(optarg, &end);
    bool good = end != optarg && *end == '\0' && errno == 0 && *number >= range->low &&
                *number <= range->high && (!range->whole || *number == floor(*number));
    if (!good) {
        tool->exit_status = ek_tool_complain(
            EK_EXIT_USAGE, "--%s: found \"%s\", expected a%s number%s%s from %.15g to %.15g",
            range->name, optarg, range->whole ? " whole" : "", range->unit[0] == '\0' ? "" : ", ",
            range->unit, range->low, range->high);
    }
    return good;
}

bool ek_simulate_percent(struct ek_tool *tool, const char *name, double *part)
{
    const struct range range = {name, 1, 100, false, "percent"};
    bool good = take_number(tool, &range, part);

    *part /= 100;
    return good;
}

/* One of two would be dropped without a word. */
static bool take_path(struct ek_simulate_options *out, struct ek_tool *tool, int option)
{
    const struct {
        const char *name;
        const char **path;
        const char *more;
    } paths[] = {{"policy", &out->policy_path, "; `evenkeel backtest` compares several"},
                 {"snapshot", &out->snapshot_path, ""},
                 {"traces", &out->traces_path, ""},
                 {"layout", &out->layout, ""},
                 {"svg", &out->svg_path, ""},
                 {"csv", &out->csv_path, ""}};

    return ek_tool_take_once(tool, paths[option - POLICY].name, paths[option - POLICY].path,
                             paths[option - POLICY].more);
}

/* All words; *given has a bit for each number that was said. */
static bool take_words(struct ek_simulate_options *out, struct ek_tool *tool, int argc, char **argv,
                       double *numbers, bool *given)
{
    struct option own[NUMBERS + CSV - POLICY + 2] = {
        {"policy", required_argument, NULL, POLICY},
        {"snapshot", required_argument, NULL, SNAPSHOT},
        {"traces", required_argument, NULL, TRACES},
        {"layout", required_argument, NULL, LAYOUT},
        {"svg", required_argument, NULL, SVG},
        {"csv", required_argument, NULL, CSV},
    };
    int option = 0;
    bool good = true;

    for (int i = 0; i < NUMBERS; i++) {
        own[CSV - POLICY + 1 + i] =
            (struct option){ranges[i].name, required_argument, NULL, FIRST_NUMBER + i};
    }
    while (good && (option = ek_tool_option(tool, argc, argv, "", own)) > 0) {
        if (option >= POLICY) {
            good = take_path(out, tool, option);
        } else {
            given[option - FIRST_NUMBER] = true;
            good =
                take_number(tool, &ranges[option - FIRST_NUMBER], &numbers[option - FIRST_NUMBER]);
        }
    }
    return good && option == EK_OPTION_END && ek_tool_words(tool, argc, argv, 0);
}

/* ---- meaning ------------------------------------------------------------------------------- */

static void defaults(const struct ek_generator *generator, const struct ek_simulation *simulation,
                     double *numbers)
{
    const double values[NUMBERS] = {
        [HOSTS] = generator->hosts,
        [DOMAINS] = generator->domains,
        [DAYS] = (double)simulation->duration_ms / (double)EK_WORLD_DAY_MS,
        [SEED] = (double)simulation->seed,
        [CYCLE] = (double)simulation->cycle_ms / 1000,
        [HOST_CORES] = generator->host_cores,
        [HOST_MEMORY] = generator->host_memory_mib / 1024,
        [LINK] = generator->link_mib_s,
        [LOAD] = 100 * generator->load,
        [SWING] = 100 * generator->swing,
        [BURSTS] = generator->bursts,
        [FAILURES] = generator->failures,
        [LOSSES] = generator->losses,
        [OVERLOAD_CPU] = 100 * simulation->target_cpu,
        [OVERLOAD_MEMORY] = 100 * simulation->target_memory,
        [IMBALANCE] = simulation->imbalance,
        [FLAP] = (double)simulation->flap_ms / (double)EK_WORLD_MINUTE_MS,
    };

    memcpy(numbers, values, sizeof(values));
}

/* Where a cluster or a recording is given, nothing is made up that was not asked for. */
static void settle(struct ek_simulate_options *out, double *numbers, const bool *given)
{
    bool real = out->snapshot_path != NULL || out->traces_path != NULL;

    if (!given[DOMAINS]) {
        numbers[DOMAINS] = 20 * numbers[HOSTS];
    }
    if (out->snapshot_path != NULL && !given[LOAD]) {
        numbers[LOAD] = NAN;
    }
    if (real && !given[FAILURES]) {
        numbers[FAILURES] = 0;
    }
    if (real && !given[LOSSES]) {
        numbers[LOSSES] = 0;
    }
}

static void fill(struct ek_simulate_options *out, const double *numbers)
{
    struct ek_generator *generator = &out->generator;

    generator->seed = (uint64_t)numbers[SEED];
    generator->duration_ms = (int64_t)llround(numbers[DAYS] * (double)EK_WORLD_DAY_MS);
    generator->hosts = (uint32_t)numbers[HOSTS];
    generator->domains = (uint32_t)numbers[DOMAINS];
    generator->host_cores = numbers[HOST_CORES];
    generator->host_memory_mib = 1024 * numbers[HOST_MEMORY];
    generator->link_mib_s = numbers[LINK];
    generator->load = numbers[LOAD] / 100;
    generator->swing = numbers[SWING] / 100;
    generator->bursts = numbers[BURSTS];
    generator->failures = numbers[FAILURES];
    generator->losses = numbers[LOSSES];
    out->cycle_ms = (int64_t)numbers[CYCLE] * 1000;
    out->overload_cpu = numbers[OVERLOAD_CPU] / 100;
    out->overload_memory = numbers[OVERLOAD_MEMORY] / 100;
    out->imbalance = numbers[IMBALANCE];
    out->flap_ms = (int64_t)llround(numbers[FLAP] * (double)EK_WORLD_MINUTE_MS);
}

static bool contradicts(const struct ek_simulate_options *out, struct ek_tool *tool,
                        const bool *given)
{
    static const int of_clusters[] = {HOSTS, DOMAINS, HOST_CORES, HOST_MEMORY, LINK};
    static const int of_loads[] = {LOAD, SWING, BURSTS};
    const char *found = NULL;
    const char *with = NULL;

    for (size_t i = 0; i < sizeof(of_clusters) / sizeof(of_clusters[0]); i++) {
        if (out->snapshot_path != NULL && given[of_clusters[i]]) {
            found = ranges[of_clusters[i]].name;
            with = "snapshot";
        }
    }
    for (size_t i = 0; i < sizeof(of_loads) / sizeof(of_loads[0]); i++) {
        if (out->traces_path != NULL && given[of_loads[i]]) {
            found = ranges[of_loads[i]].name;
            with = "traces";
        }
    }
    if (out->traces_path != NULL && given[DOMAINS]) {
        found = ranges[DOMAINS].name;
        with = "traces";
    }
    if (found != NULL) {
        tool->exit_status = ek_tool_complain(
            EK_EXIT_USAGE, "found --%s with --%s, expected one of them", found, with);
    }
    if ((out->traces_path == NULL) != (out->layout == NULL)) {
        found = "layout";
        tool->exit_status = ek_tool_complain(
            EK_EXIT_USAGE, "found --%s alone, expected --traces DIR and --layout NAME together",
            out->traces_path == NULL ? "layout" : "traces");
    }
    return found != NULL;
}

bool ek_simulate_options(struct ek_simulate_options *out, struct ek_tool *tool, int argc,
                         char **argv)
{
    struct ek_simulation simulation;
    double numbers[NUMBERS];
    bool given[NUMBERS] = {false};

    *out = (struct ek_simulate_options){.policy_path = NULL};
    ek_simulation_defaults(&simulation);
    ek_generator_defaults(&out->generator);
    defaults(&out->generator, &simulation, numbers);
    if (!take_words(out, tool, argc, argv, numbers, given) || contradicts(out, tool, given)) {
        return false;
    }
    out->days_given = given[DAYS];
    settle(out, numbers, given);
    fill(out, numbers);
    return true;
}
