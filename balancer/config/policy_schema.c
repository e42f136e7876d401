/* All keys of policy.yaml. Their defaults stand in core/policy.c, too, for those who read no file;
 * a test holds the two together. */
#include "balancer/config/schema.h"
#include "balancer/config/syntax.h"

/* The compiler checks that the member has the type that the row's values are stored as. */
#define FIELD(type, member) .offset = EK_FIELD(struct ek_policy_file, policy.member, type)
#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

/* In milliseconds, like the fields; a day is a double because 30 of them leave the range of an int.
 */
enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };
#define DAY (24.0 * HOUR)

/* The table calls words by an int; the names take an enum, whose type a function pointer would have
 * to match. */
static const char *mode_word(int index)
{
    return ek_mode_name((enum ek_mode)index);
}

static const char *kind_word(int index)
{
    return ek_policy_kind_name((enum ek_policy_kind)index);
}

/* Everything here is taken up at a reload: a policy is a value that the next evaluation is given.
 */
static const char *two_step_word(int index)
{
    return ek_two_step_name((enum ek_two_step)index);
}

static const char *on_plan_failure_word(int index)
{
    return ek_on_plan_failure_name((enum ek_on_plan_failure)index);
}

static bool is_timezone(const char *text)
{
    enum ek_timezone timezone;
    int offset_min = 0;

    return ek_timezone_parse(text, &timezone, &offset_min);
}

static const struct ek_schema_row rows[] = {
    {.path = "version",
     .type = EK_VALUE_VERSION,
     .min = 1,
     .max = 1,
     .fallback = "1",
     .doc = "The version of this format"},
    /* Nothing moves until somebody says so: a first installation is to be watched before it is
     * trusted. */
    {.path = "mode",
     .type = EK_VALUE_WORD,
     FIELD(enum ek_mode, mode),
     .word = mode_word,
     .word_count = EK_MODE_COUNT,
     .fallback = "recommend",
     .doc = "recommend records and shows plans and moves nothing, approve waits for `evenkeel "
            "approve`, automatic carries them out"},
    {.path = "approval.lapse",
     .type = EK_VALUE_DURATION,
     FIELD(int64_t, approval_lapse_ms),
     .min = MINUTE,
     .max = 7 * DAY,
     .fallback = "1h",
     .doc = "How long a plan waits to be approved in mode approve; the same one, rejected, is not "
            "proposed again for as long"},
    {.path = "policy",
     .type = EK_VALUE_WORD,
     FIELD(enum ek_policy_kind, kind),
     .word = kind_word,
     .word_count = EK_POLICY_KIND_COUNT,
     .fallback = "spread",
     .doc = "What balancing aims at: spread levels the utilization of all hosts, hotspot ends "
            "overload with the fewest moves, pack frees whole hosts"},
    /* Read before all others (policy_file.c), as a preset of four of them. */
    {.path = "aggressiveness",
     .type = EK_VALUE_INT,
     FIELD(int, aggressiveness),
     .min = 1,
     .max = 5,
     .fallback = "3",
     .doc = "Preset of trigger.imbalance, trigger.comfort, trigger.min_gain and cost_weight: "
            "1 moves for must rules and maintenance only, 5 levels most; a key that is given wins"},

    /* Weights are relative to each other; that they are not both 0 is checked across keys, since
     * the score divides by their sum. */
    {.path = "resources.cpu.weight",
     .type = EK_VALUE_NUMBER,
     FIELD(double, weight[EK_CPU]),
     .min = 0,
     .max = 100,
     .fallback = "1.0",
     .doc = "How much the imbalance of CPU counts in the score; 0: not at all"},
    /* Lower than memory's: the figure is a mean over a sample's period, and peaks inside it are
     * felt at once as steal. */
    {.path = "resources.cpu.target_max",
     .type = EK_VALUE_RATIO,
     FIELD(double, target_max[EK_CPU]),
     .min = 0.01,
     .max = 1,
     .fallback = "0.70",
     .unit = "of a host's cores",
     .doc = "Above this CPU utilization a host is overloaded"},
    {.path = "resources.memory.weight",
     .type = EK_VALUE_NUMBER,
     FIELD(double, weight[EK_MEMORY]),
     .min = 0,
     .max = 100,
     .fallback = "1.0",
     .doc = "How much the imbalance of memory counts in the score; 0: not at all"},
    {.path = "resources.memory.target_max",
     .type = EK_VALUE_RATIO,
     FIELD(double, target_max[EK_MEMORY]),
     .min = 0.01,
     .max = 1,
     .fallback = "0.85",
     .unit = "of a host's memory",
     .doc = "Above this memory utilization a host is overloaded"},
    {.path = "resources.further",
     .type = EK_VALUE_LIST,
     .optional = true,
     .offset = EK_FIELD(struct ek_policy_file, further, struct ek_further_resource *),
     .fallback = "[]",
     .doc = "Up to 6 more resources to watch and level: network or disk rates, GPUs, licences",
     .items = &ek_further_items,
     .item_size = sizeof(struct ek_further_resource),
     .count_offset = EK_FIELD(struct ek_policy_file, further_count, size_t),
     .line_offset = EK_FIELD(struct ek_further_resource, line, int)},

    /* 0.5 is the largest deviation there can be: half of the hosts at 0, half at 1. */
    {.path = "trigger.imbalance",
     .type = EK_VALUE_RATIO,
     FIELD(double, trigger_imbalance),
     .min = 0,
     .max = 0.5,
     .fallback = "0.10",
     .unit = "standard deviation of utilization",
     .doc = "Balancing starts when the imbalance of a resource exceeds this"},
    /* While no host is busy, unevenness hurts nobody, and a migration costs all the same. */
    {.path = "trigger.comfort",
     .type = EK_VALUE_RATIO,
     FIELD(double, trigger_comfort),
     .min = 0,
     .max = 1,
     .fallback = "0.60",
     .unit = "utilization",
     .doc = "Nothing is balanced while every host is below this in every resource"},
    /* Three evaluations a minute apart pass over a backup or a compile; one would chase every peak.
     */
    {.path = "trigger.sustained_cycles",
     .type = EK_VALUE_INT,
     FIELD(int, sustained_cycles),
     .min = 1,
     .max = 1000,
     .fallback = "3",
     .unit = "evaluations",
     .doc = "How often in a row the trigger must be found before anything moves"},
    /* Of the whole plan, not of each move: two moves may help only together. */
    {.path = "trigger.min_gain",
     .type = EK_VALUE_RATIO,
     FIELD(double, min_gain),
     .min = 0,
     .max = 1,
     .fallback = "0.10",
     .unit = "of the score",
     .doc = "A plan that lowers the score by less than this part is dropped"},
    /* Two: what chance alone exceeds once in twenty times. */
    {.path = "trigger.noise_sigma",
     .type = EK_VALUE_NUMBER,
     FIELD(double, noise_sigma),
     .min = 0,
     .max = 10,
     .fallback = "2",
     .unit = "standard deviations",
     .doc = "How far imbalance and the gain of a move must exceed what the noise of the samples "
            "explains; 0: noise is passed over"},

    {.path = "cost_weight",
     .type = EK_VALUE_NUMBER,
     FIELD(double, cost_weight),
     .min = 0,
     .max = 1000,
     .fallback = "1.0",
     .doc =
         "What a move must gain in score for its transfer, as a part of the memory of all hosts"},

    /* Minutes, as DRS's: short enough to follow a working day, too long for a compile. */
    {.path = "forecast.half_life",
     .type = EK_VALUE_DURATION,
     FIELD(int64_t, forecast_half_life_ms),
     .min = 0,
     .max = DAY,
     .fallback = "5m",
     .doc = "After this time a sample counts half in the mean of a domain's demand; 0s: the newest "
            "sample is the mean"},
    /* Also how long a domain may go unseen before its history is forgotten. */
    {.path = "forecast.window",
     .type = EK_VALUE_DURATION,
     FIELD(int64_t, forecast_window_ms),
     .min = 0,
     .max = 30 * DAY,
     .fallback = "15m",
     .doc = "The time of which a domain's peak and noise are taken; 0s: no forecast, the newest "
            "sample is the demand"},
    /* Not the largest: one odd sample must not decide. Memory takes the largest all the same, since
     * a host without memory kills guests. */
    {.path = "forecast.percentile",
     .type = EK_VALUE_RATIO,
     FIELD(double, forecast_percentile),
     .min = 0,
     .max = 1,
     .fallback = "0.90",
     .unit = "of a domain's samples",
     .doc = "CPU demand is the larger of the mean and this percentile of the window; memory takes "
            "the largest"},

    /* 1.0: configured memory is what a guest may take at any time, and a host without memory kills
     * guests. */
    {.path = "capacity.memory_overcommit",
     .type = EK_VALUE_NUMBER,
     FIELD(double, memory_overcommit),
     .min = 0.1,
     .max = 100,
     .fallback = "1.0",
     .unit = "times a host's memory",
     .doc = "How much configured memory may be placed on a host"},
    /* vCPUs share cores, so that more of them than cores is the rule and not a risk to life. */
    {.path = "capacity.cpu_overcommit",
     .type = EK_VALUE_NUMBER,
     FIELD(double, cpu_overcommit),
     .min = 0.1,
     .max = 100,
     .fallback = "4.0",
     .unit = "vCPUs per core",
     .doc = "How many vCPUs may be placed on a host"},
    /* For the host itself and for what QEMU takes beside its guest's memory. */
    {.path = "capacity.memory_reserve",
     .type = EK_VALUE_RATIO,
     FIELD(double, memory_reserve),
     .min = 0,
     .max = 0.9,
     .fallback = "5%",
     .unit = "of a host's memory",
     .doc = "Memory that arriving domains must leave free, before overcommit"},
    /* Many clusters run without a host to spare, and know it. */
    {.path = "capacity.spare_hosts",
     .type = EK_VALUE_INT,
     FIELD(int, spare_hosts),
     .min = 0,
     .max = 1000,
     .fallback = "0",
     .unit = "hosts",
     .doc = "The loss of so many hosts should be bearable: pack keeps room for their guests, other "
            "policies report when there is none"},

    /* Against going to and fro: a domain that has just come is not looked at again until its new
     * host's figures mean something. */
    {.path = "cooldown.domain",
     .type = EK_VALUE_DURATION,
     FIELD(int64_t, cooldown_ms),
     .min = 0,
     .max = 30 * DAY,
     .fallback = "30m",
     .doc = "How long a domain rests after a move; evacuations and must rules do not wait for it"},
    /* A domain that keeps being moved is not helped by moving: each time it rests longer. */
    {.path = "cooldown.repeat_factor",
     .type = EK_VALUE_NUMBER,
     FIELD(double, cooldown_repeat_factor),
     .min = 1,
     .max = 100,
     .fallback = "2",
     .doc = "The rest is multiplied by this with each repeated move of a domain; moves that "
            "somebody asked for are no repeats"},

    /* Migrations share the network's core even between different pairs of hosts. */
    {.path = "limits.cluster",
     .type = EK_VALUE_INT,
     FIELD(int, limit_cluster),
     .min = 1,
     .max = 1000,
     .fallback = "4",
     .unit = "migrations",
     .doc = "How many run at once"},
    /* One: two that arrive share the link, and both take longer and converge worse. */
    {.path = "limits.host_in",
     .type = EK_VALUE_INT,
     FIELD(int, limit_host_in),
     .min = 1,
     .max = 100,
     .fallback = "1",
     .unit = "migrations",
     .doc = "How many arrive at one host at once"},
    /* libvirtd spends one of its 20 workers on each outgoing migration for as long as that runs. */
    {.path = "limits.host_out",
     .type = EK_VALUE_INT,
     FIELD(int, limit_host_out),
     .min = 1,
     .max = 100,
     .fallback = "1",
     .unit = "migrations",
     .doc = "How many leave one host at once"},
    /* A bound on what one decision may set off: figures that are wrong must not empty a cluster. */
    {.path = "limits.moves_per_plan",
     .type = EK_VALUE_INT,
     FIELD(int, moves_per_plan),
     .min = 1,
     .max = 100000,
     .fallback = "40",
     .unit = "moves",
     .doc = "How many moves for rules and balance a plan may have; evacuations are not limited "
            "by it"},
    /* Where the link is shared with guests or storage. */
    {.path = "limits.bandwidth_per_host",
     .type = EK_VALUE_RATE,
     FIELD(double, bandwidth_per_host_mib_s),
     .min = 0,
     .max = 1024.0 * 1024.0,
     .fallback = "0MiB/s",
     .doc = "What migrations may take of a host's link, in each direction; 0MiB/s: all of it"},
    /* The core that all links meet in may carry less than they do together. */
    {.path = "limits.bandwidth_cluster",
     .type = EK_VALUE_RATE,
     FIELD(double, bandwidth_cluster_mib_s),
     .min = 0,
     .max = 1024.0 * 1024.0,
     .fallback = "0MiB/s",
     .doc = "What all migrations may take together; 0MiB/s: as much as their links carry"},

    /* Of these the file's own limits make the defaults (policy_file.c): twice of each, so that a
     * deadline does not set off what nobody has seen yet. */
    {.path = "maintenance.urgent.cluster",
     .type = EK_VALUE_INT,
     FIELD(int, urgent.cluster),
     .min = 1,
     .max = 2000,
     .fallback = "8",
     .unit = "migrations",
     .doc = "To how many at once a deadline may raise limits.cluster for what leaves hosts that "
            "have one; by default twice limits.cluster, and not below it"},
    {.path = "maintenance.urgent.host_in",
     .type = EK_VALUE_INT,
     FIELD(int, urgent.host_in),
     .min = 1,
     .max = 200,
     .fallback = "2",
     .unit = "migrations",
     .doc = "Likewise for limits.host_in; by default twice that"},
    {.path = "maintenance.urgent.host_out",
     .type = EK_VALUE_INT,
     FIELD(int, urgent.host_out),
     .min = 1,
     .max = 200,
     .fallback = "2",
     .unit = "migrations",
     .doc = "Likewise for limits.host_out; by default twice that"},
    {.path = "maintenance.urgent.bandwidth_per_host",
     .type = EK_VALUE_RATE,
     FIELD(double, urgent.bandwidth_per_host_mib_s),
     .min = 0,
     .max = 2 * 1024.0 * 1024.0,
     .fallback = "0MiB/s",
     .doc = "Likewise for limits.bandwidth_per_host, when more at once is not enough; by default "
            "twice that, 0MiB/s: all of the link"},
    {.path = "maintenance.urgent.bandwidth_cluster",
     .type = EK_VALUE_RATE,
     FIELD(double, urgent.bandwidth_cluster_mib_s),
     .min = 0,
     .max = 2 * 1024.0 * 1024.0,
     .fallback = "0MiB/s",
     .doc = "Likewise for limits.bandwidth_cluster; by default twice that, 0MiB/s: as much as the "
            "links carry"},

    /* libvirt has no time-out for a migration at all: a guest that writes faster than the link
     * carries would be copied for ever. */
    {.path = "migration.timeout_min",
     .type = EK_VALUE_DURATION,
     FIELD(int64_t, timeout_min_ms),
     .min = SECOND,
     .max = DAY,
     .fallback = "300s",
     .doc = "A migration may take this long, or migration.timeout_per_gib, whichever is longer"},
    /* KubeVirt's figure: about 7 MiB/s, so slow that only a migration which does not converge gets
     * there. */
    {.path = "migration.timeout_per_gib",
     .type = EK_VALUE_DURATION,
     FIELD(int64_t, timeout_per_gib_ms),
     .min = 0,
     .max = HOUR,
     .fallback = "150s",
     .unit = "per GiB to copy",
     .doc = "What it may take by its size; see migration.timeout_min"},
    /* Also KubeVirt's. It is a new minimum that counts, not that bytes flow: those flow for ever
     * when the guest keeps writing. */
    {.path = "migration.progress_timeout",
     .type = EK_VALUE_DURATION,
     FIELD(int64_t, progress_timeout_ms),
     .min = SECOND,
     .max = DAY,
     .fallback = "150s",
     .doc = "A migration whose remaining data reaches no new minimum for this long is aborted"},
    /* QEMU takes at most 2000 s. */
    {.path = "migration.max_downtime",
     .type = EK_VALUE_DURATION,
     FIELD(int64_t, max_downtime_ms),
     .min = 1,
     .max = 2000.0 * SECOND,
     .fallback = "500ms",
     .doc = "How long a domain may stand still when it changes hosts"},
    /* QEMU takes 20 % of the guest's CPU time away and then 10 % more at a time: it slows that
     * guest down instead of giving up. */
    {.path = "migration.auto_converge",
     .type = EK_VALUE_BOOL,
     FIELD(bool, auto_converge),
     .fallback = "true",
     .doc = "Whether a domain that writes faster than can be copied is slowed down"},
    {.path = "migration.retries",
     .type = EK_VALUE_INT,
     FIELD(int, retries),
     .min = 0,
     .max = 100,
     .fallback = "3",
     .unit = "attempts",
     .doc = "How many follow the first one between the same two hosts"},
    /* Longer than libvirt takes to clear its job away after an abort; doubling leaves room for what
     * lasts, such as another job on the domain. */
    {.path = "migration.backoff",
     .type = EK_VALUE_DURATION,
     FIELD(int64_t, backoff_ms),
     .min = 100,
     .max = 5 * MINUTE,
     .fallback = "20s",
     .doc = "The wait before the first retry; it doubles, up to 5m"},
    /* After the switch a broken link or destination loses the guest: oVirt, Nova and KubeVirt all
     * have it off by default. */
    {.path = "migration.post_copy",
     .type = EK_VALUE_BOOL,
     FIELD(bool, post_copy),
     .fallback = "false",
     .doc = "Whether a migration that reaches its time limit is ended in post-copy instead of "
            "being aborted; a failure after that switch loses the domain"},
    {.path = "migration.tls",
     .type = EK_VALUE_BOOL,
     FIELD(bool, tls),
     .fallback = "false",
     .doc = "Whether memory and disks travel encrypted; takes certificates in /etc/pki/qemu on "
            "every host"},
    {.path = "migration.parallel_connections",
     .type = EK_VALUE_INT,
     FIELD(int, parallel_connections),
     .min = 1,
     .max = 64,
     .fallback = "1",
     .unit = "connections",
     .doc = "How many carry one domain's memory, for links that one does not fill; not with "
            "migration.post_copy"},
    /* Two copies on storage without locks ruin the disk, so that there the round trip is worth it.
     */
    {.path = "migration.two_step",
     .type = EK_VALUE_WORD,
     FIELD(enum ek_two_step, two_step),
     .word = two_step_word,
     .word_count = EK_TWO_STEP_COUNT,
     .fallback = "copied",
     .doc = "When the destination stays paused until the source is known to be gone: copied where "
            "disks are copied along, always, or never; not with migration.post_copy"},
    /* Long enough to look at the domain before its old disk is gone for good. */
    {.path = "migration.disk_grace",
     .type = EK_VALUE_DURATION,
     FIELD(int64_t, disk_grace_ms),
     .min = 0,
     .max = 30 * DAY,
     .fallback = "10m",
     .doc = "How long the source keeps a disk that was copied away, before it is removed"},
    /* libvirt-guests gives its guests 5 minutes; whoever waits at the host's screen gives less. */
    {.path = "migration.shutdown_timeout",
     .type = EK_VALUE_DURATION,
     FIELD(int64_t, shutdown_timeout_ms),
     .min = SECOND,
     .max = DAY,
     .fallback = "180s",
     .doc = "How long a guest may take to shut down whose metadata ask for it when its host is "
            "emptied; one that takes longer runs on"},
    {.path = "migration.on_plan_failure",
     .type = EK_VALUE_WORD,
     FIELD(enum ek_on_plan_failure, on_plan_failure),
     .word = on_plan_failure_word,
     .word_count = EK_ON_FAILURE_COUNT,
     .fallback = "replan",
     .doc = "After a failed move: replan makes a new plan, revert brings back what the plan had "
            "moved (mode automatic), stop balances nothing until `evenkeel resume`"},

    {.path = "circuit.failures",
     .type = EK_VALUE_INT,
     FIELD(int, circuit_failures),
     .min = 1,
     .max = 1000,
     .fallback = "3",
     .unit = "failures",
     .doc = "So many open the circuit of a pair of hosts, or of a host that fails with several; at "
            "half of them its limits are halved"},
    {.path = "circuit.open",
     .type = EK_VALUE_DURATION,
     FIELD(int64_t, circuit_open_ms),
     .min = SECOND,
     .max = DAY,
     .fallback = "5m",
     .doc = "How long nothing passes an open circuit before one move may try; doubles with each "
            "trial that fails"},
    {.path = "circuit.open_max",
     .type = EK_VALUE_DURATION,
     FIELD(int64_t, circuit_open_max_ms),
     .min = SECOND,
     .max = 7 * DAY,
     .fallback = "1h",
     .doc = "The longest that a circuit is open at a time"},
    {.path = "circuit.window",
     .type = EK_VALUE_DURATION,
     FIELD(int64_t, circuit_window_ms),
     .min = SECOND,
     .max = 30 * DAY,
     .fallback = "1h",
     .doc = "Failures longer ago than this are forgotten"},
    {.path = "timezone",
     .type = EK_VALUE_STRING,
     .offset = EK_FIELD(struct ek_policy_file, timezone, const char *),
     .fallback = "UTC",
     .check = is_timezone,
     .form = "UTC, local, or a fixed offset such as +02:00",
     .doc = "Which time windows and weekly blackouts are written in; local is that of the daemon, "
            "summer time included"},
    {.path = "windows",
     .type = EK_VALUE_LIST,
     .optional = true,
     .offset = EK_FIELD(struct ek_policy_file, windows, struct ek_window_text *),
     .fallback = "[]",
     .doc = "When balancing may begin; none: always; hosts in maintenance are emptied at any time",
     .items = &ek_window_items,
     .item_size = sizeof(struct ek_window_text),
     .count_offset = EK_FIELD(struct ek_policy_file, window_count, size_t),
     .line_offset = EK_FIELD(struct ek_window_text, line, int)},
    {.path = "blackouts",
     .type = EK_VALUE_LIST,
     .optional = true,
     .offset = EK_FIELD(struct ek_policy_file, blackouts, struct ek_blackout_text *),
     .fallback = "[]",
     .doc = "When balancing may not begin, whatever the windows say",
     .items = &ek_blackout_items,
     .item_size = sizeof(struct ek_blackout_text),
     .count_offset = EK_FIELD(struct ek_policy_file, blackout_count, size_t),
     .line_offset = EK_FIELD(struct ek_blackout_text, line, int)},
    {.path = "rules",
     .type = EK_VALUE_LIST,
     .optional = true,
     .offset = EK_FIELD(struct ek_policy_file, rules.items, struct ek_rule *),
     .fallback = "[]",
     .doc = "Which domains belong together, apart, on some hosts or off them; see docs/rules.md",
     .items = &ek_rule_items,
     .item_size = sizeof(struct ek_rule),
     .count_offset = EK_FIELD(struct ek_policy_file, rules.count, size_t),
     .line_offset = EK_FIELD(struct ek_rule, line, int)},
};

const struct ek_schema ek_policy_schema = {.title = "policy.yaml: how Evenkeel balances",
                                           .sibling = &ek_evenkeel_schema,
                                           .file = "policy.yaml",
                                           .rows = rows,
                                           .count = COUNT(rows)};
