/* All keys of evenkeel.yaml. */
#include "balancer/config/schema.h"
#include "balancer/config/syntax.h"

#include <assert.h>

/* Offsets are checked by the compiler: a member of another type than is named beside it does not
 * compile. */
#define FIELD(type, member) .offset = EK_FIELD(struct ek_config, member, type)
#define HOST_FIELD(type, member) .offset = EK_FIELD(struct ek_config_host, member, type)
/* A time of the moves. */
#define MOVE(name, member, text, meaning)                                                     \
    {                                                                                         \
        .path = "timeouts." name, .type = EK_VALUE_DURATION, FIELD(int64_t, moves.member),    \
        .min = 100, .max = 24.0 * HOUR, .fallback = (text), .restart = true, .doc = (meaning) \
    }
#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

/* Durations are kept in milliseconds; a minimum or maximum is in the unit of its field. */
enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };

/* Names stand in the file, in the dump and in messages: to rename one breaks files that are in use.
 */
const char *ek_redis_mode_name(enum ek_redis_mode mode)
{
    static const char *const names[] = {
        [EK_REDIS_EMBEDDED] = "embedded", [EK_REDIS_EXTERNAL] = "external"};

    assert((unsigned int)mode < COUNT(names));
    return names[mode];
}

const char *ek_role_name(enum ek_role role)
{
    static const char *const names[EK_ROLE_COUNT] = {
        [EK_ROLE_COLLECTOR] = "collector", [EK_ROLE_BALANCER] = "balancer"};

    assert((unsigned int)role < EK_ROLE_COUNT);
    return names[role];
}

const char *ek_log_level_name(enum ek_log_level level)
{
    static const char *const names[] = {[EK_LOG_ERROR] = "error",
                                        [EK_LOG_WARNING] = "warning",
                                        [EK_LOG_INFO] = "info",
                                        [EK_LOG_DEBUG] = "debug"};

    assert((unsigned int)level < COUNT(names));
    return names[level];
}

/* Rows know words by index only. The table cannot hold the functions above, for each takes its own
 * enum: to call one through a pointer of another type is undefined. */
static const char *redis_mode_word(int index)
{
    return ek_redis_mode_name((enum ek_redis_mode)index);
}

static const char *role_word(int index)
{
    return ek_role_name((enum ek_role)index);
}

static const char *log_level_word(int index)
{
    return ek_log_level_name((enum ek_log_level)index);
}

/* One entry of `hosts`. The name comes first, because the dump puts the dash of the list before the
 * first row. */
static const struct ek_schema_row host_rows[] = {
    {.path = "name",
     .type = EK_VALUE_STRING,
     HOST_FIELD(const char *, name),
     .required = true,
     .check = ek_syntax_name,
     .form = "a name of 1 to 127 letters, digits, '.', '_' or '-'",
     .doc = "What the host is called in plans, keys and commands; unique"},
    {.path = "uri",
     .type = EK_VALUE_STRING,
     HOST_FIELD(const char *, uri),
     .required = true,
     .check = ek_syntax_libvirt_uri,
     .form = "qemu:///system, or qemu+tcp, qemu+tls or qemu+ssh as in qemu+tls://HOST/system",
     .doc = "Where its libvirtd is reached, from here and from the other hosts; unique"},
    {.path = "labels",
     .type = EK_VALUE_LABELS,
     HOST_FIELD(struct ek_labels, labels),
     .optional = true,
     .check = ek_syntax_label,
     .form = "a name of 1 to 127 letters, digits, '.', '_', '-' or '/'",
     .doc = "Names and texts that rules can refer to, such as the rack"},
    {.path = "migration_uri",
     .type = EK_VALUE_STRING,
     HOST_FIELD(const char *, migration_uri),
     .optional = true,
     .check = ek_syntax_migration_uri,
     .form = "tcp://ADDRESS",
     .fallback = "chosen by libvirt",
     .doc = "The address at which it takes in migrations, for a link of their own"},
    /* 110 MiB/s is what 1 Gbit/s carries of payload. It stands here as text only: 0 in the field
     * means not given, and core/snapshot.h has the figure. */
    {.path = "migration_rate",
     .type = EK_VALUE_RATE,
     HOST_FIELD(double, migration_mib_s),
     .optional = true,
     .min = 1,
     .max = 1024.0 * 1024.0,
     .fallback = "110MiB/s",
     .doc = "What its migration link carries, in each direction; no migration is faster"},
};

/* Items have a schema of their own, whose paths begin anew: "name", not "hosts.name". */
static const struct ek_schema host_schema = {
    .title = "a host", .rows = host_rows, .count = COUNT(host_rows)};

/* Nearly everything takes a restart: what a reload may change while moves run is the list of hosts
 * and the policy, and nothing that a thread has copied at its start. */
static const struct ek_schema_row rows[] = {
    {.path = "version",
     .type = EK_VALUE_VERSION,
     .min = 1,
     .max = 1,
     .fallback = "1",
     .restart = true,
     .doc = "The version of this format"},
    {.path = "hosts",
     .type = EK_VALUE_LIST,
     FIELD(struct ek_config_host *, hosts),
     .required = true,
     .items = &host_schema,
     .item_size = sizeof(struct ek_config_host),
     .count_offset = EK_FIELD(struct ek_config, host_count, size_t),
     .line_offset = EK_FIELD(struct ek_config_host, line, int),
     .doc = "The hypervisors to watch and to balance"},

    {.path = "redis.mode",
     .type = EK_VALUE_WORD,
     FIELD(enum ek_redis_mode, redis.mode),
     .word = redis_mode_word,
     .word_count = EK_REDIS_EXTERNAL + 1,
     .fallback = "embedded",
     .restart = true,
     .doc = "embedded starts a private redis-server in state_dir, external uses the server of url"},
    {.path = "redis.url",
     .type = EK_VALUE_STRING,
     FIELD(const char *, redis.url),
     .optional = true,
     .restart = true,
     .check = ek_syntax_redis_url,
     .form = "redis://HOST:PORT/DB or unix:///PATH, without a password",
     .doc = "The server, in external mode, where it must be given"},
    {.path = "redis.user",
     .type = EK_VALUE_STRING,
     FIELD(const char *, redis.user),
     .optional = true,
     .restart = true,
     .form = "a user's name",
     .fallback = "default",
     .doc = "The ACL user, in external mode"},
    {.path = "redis.password_file",
     .type = EK_VALUE_STRING,
     FIELD(const char *, redis.password_file),
     .optional = true,
     .restart = true,
     .form = "a path",
     .doc = "The file whose first line is the password, in external mode; others must not read it"},
    /* People try this key first. Refused with its own sentence: a password in a file that is shown,
     * copied and put under version control is lost. */
    {.path = "redis.password",
     .type = EK_VALUE_REFUSED,
     .doc = "\"redis.password_file\", the path of a file whose first line is the password"},
    /* 5 minutes at most: a wait without end would only hide that the server is gone. */
    {.path = "redis.connect_timeout",
     .type = EK_VALUE_DURATION,
     FIELD(int64_t, redis.connect_timeout_ms),
     .min = 100,
     .max = 5 * MINUTE,
     .fallback = "3s",
     .restart = true,
     .doc = "How long a connection to Redis may take"},
    {.path = "redis.command_timeout",
     .type = EK_VALUE_DURATION,
     FIELD(int64_t, redis.command_timeout_ms),
     .min = 100,
     .max = 5 * MINUTE,
     .fallback = "5s",
     .restart = true,
     .doc = "How long Redis may take to answer; shorter than timeouts.lease"},
    /* A prefix is what keeps two clusters in one Redis apart; "evenkeel:" is how operators type
     * keys by hand, so it is not made unique by default. */
    {.path = "redis.key_prefix",
     .type = EK_VALUE_STRING,
     FIELD(const char *, redis.key_prefix),
     .check = ek_syntax_key_prefix,
     .form = "1 to 64 letters, digits, '.', '_', '-', ':', '/' or '@'",
     .fallback = "evenkeel:",
     .restart = true,
     .doc = "What all keys in Redis begin with"},

    {.path = "roles",
     .type = EK_VALUE_WORDS,
     FIELD(unsigned int, roles),
     .word = role_word,
     .word_count = EK_ROLE_COUNT,
     .fallback = "[collector, balancer]",
     .restart = true,
     .doc = "What this process does: collect samples, balance, or both"},
    /* Absolute, since a daemon's working directory is nobody's to rely on. */
    {.path = "state_dir",
     .type = EK_VALUE_STRING,
     FIELD(const char *, state_dir),
     .check = ek_syntax_absolute_path,
     .form = "an absolute path",
     .fallback = "/var/lib/evenkeel",
     .restart = true,
     .doc = "Where the embedded Redis and the spool keep their data"},
    {.path = "policy_file",
     .type = EK_VALUE_STRING,
     FIELD(const char *, policy_file),
     .optional = true,
     .form = "a path",
     .fallback = "policy.yaml",
     .restart = true,
     .doc = "The policy, relative to this file's folder; if it is named here, it must exist"},

    /* 15 s is what vdsm samples at; below a second the 10 ms steps of libvirt's counters would be a
     * percent and more of every rate. */
    {.path = "intervals.sample",
     .type = EK_VALUE_DURATION,
     FIELD(int64_t, sample_ms),
     .min = SECOND,
     .max = HOUR,
     .fallback = "15s",
     .restart = true,
     .doc = "How often every host is sampled"},
    {.path = "intervals.evaluate",
     .type = EK_VALUE_DURATION,
     FIELD(int64_t, evaluate_ms),
     .min = SECOND,
     .max = 24.0 * HOUR,
     .fallback = "60s",
     .restart = true,
     .doc = "How often the balance is evaluated; not more often than it is sampled"},

    /* What a guest writes changes over minutes; a measurement costs it a turn of its monitor. */
    {.path = "intervals.dirty_rate",
     .type = EK_VALUE_DURATION,
     FIELD(int64_t, dirty_rate_ms),
     .max = 24.0 * HOUR,
     .fallback = "10m",
     .restart = true,
     .doc =
         "How often the dirty rate of a domain that may be moved is measured at most, beside once "
         "when its migration begins; 0s: never"},

    /* Short, because the probe before it is a TCP handshake in one data centre: the kernel itself
     * would wait about 39 s for a host that is gone. */
    {.path = "timeouts.connect",
     .type = EK_VALUE_DURATION,
     FIELD(int64_t, connect_timeout_ms),
     .min = 100,
     .max = 5 * MINUTE,
     .fallback = "5s",
     .restart = true,
     .doc = "How long a connection to a host may take"},
    /* 30 s is how long libvirtd itself waits for the lock of a domain before it fails a call: to
     * give up earlier would call a busy host dead. */
    {.path = "timeouts.call",
     .type = EK_VALUE_DURATION,
     FIELD(int64_t, call_timeout_ms),
     .min = SECOND,
     .max = HOUR,
     .fallback = "30s",
     .restart = true,
     .doc = "How long a host may take to answer"},
    /* At least 3 s: below that an ordinary pause of Redis or of this process would hand the lead
     * over. */
    {.path = "timeouts.lease",
     .type = EK_VALUE_DURATION,
     FIELD(int64_t, lease_ms),
     .min = 3 * SECOND,
     .max = HOUR,
     .fallback = "15s",
     .restart = true,
     .doc = "After this time without a sign of the acting balancer a standby takes over"},

    /* The steps of a move. The least are for tests; a site has reason to lengthen a few, and hardly
     * any to shorten one: each says why in core/move_timing.c. */
    MOVE("precheck", precheck_ms, "1m", "How long all checks before a move may take"),
    MOVE("prepare", prepare_ms, "2m",
         "How long all preparations of a move may take; what is copied for it counts"),
    MOVE("observe", observe_ms, "45s",
         "How long reading a domain's state on both hosts may take; above the 30 s that libvirt "
         "waits for a domain's lock"),
    MOVE("action", action_ms, "1m",
         "How long one abort, one repair or one look at a migration may take"),
    MOVE("unprepare", unprepare_ms, "2m", "How long undoing what a failed attempt made may take"),
    MOVE("post", post_ms, "2m", "How long the clean-ups after a move may take, at each of 3 tries"),
    MOVE("progress_poll", progress_poll_ms, "1s", "How often a running migration is looked at"),
    MOVE("switchover", switchover_ms, "1m",
         "How long a migration may keep its source paused, or its call be out without a job, until "
         "both hosts are asked"),
    MOVE("abort_wait", abort_wait_ms, "1m",
         "After this time an abort that was not followed is asked for again, 3 times in all"),
    MOVE("settle", settle_ms, "2s", "How far two looks at both hosts are apart that must agree"),
    MOVE("autodestroy", autodestroy_ms, "1m",
         "How long libvirt's own clean-up is waited for before a paused leftover is destroyed; "
         "twice its keepalive"),
    MOVE("reachable", reachable_ms, "3m",
         "How long a host that cannot be asked, or a call that does not return, is waited for "
         "before a move counts as unknown"),
    MOVE("post_retry", post_retry_ms, "5s", "The pause before clean-ups are tried again"),
    MOVE("attempt_grace", attempt_grace_ms, "15m",
         "How long an attempt may last beyond the time for its copying, aborts included"),
    MOVE("backoff_cap", backoff_cap_ms, "5m",
         "The longest pause before a move is tried again; the pauses double from "
         "migration.backoff on"),
    MOVE("fresh", fresh_ms, "30s",
         "A call that has come no further by then changes nothing any more; at most "
         "timeouts.action, prepare, unprepare and post"),

    /* Not the number of hosts, for a thread waits for the network most of its time: 16 read 1000
     * hosts in 15 s as long as one read takes less than 240 ms. */
    {.path = "collector.workers",
     .type = EK_VALUE_INT,
     FIELD(int, collector_workers),
     .min = 1,
     .max = 256,
     .fallback = "16",
     .unit = "threads",
     .restart = true,
     .doc = "How many hosts are asked at once, beside those that hang or failed before: each of "
            "them has a thread of its own"},

    /* A minute is what the balancer evaluates at, so that a replay sees what it saw. */
    {.path = "history.interval",
     .type = EK_VALUE_DURATION,
     FIELD(int64_t, history_interval_ms),
     .min = SECOND,
     .max = HOUR,
     .fallback = "1m",
     .restart = true,
     .doc = "How often a sample of each host is kept; not more often than it is sampled"},
    /* Eight days hold a whole week at any time, in about 30 KiB a domain. */
    {.path = "history.keep",
     .type = EK_VALUE_DURATION,
     FIELD(int64_t, history_keep_ms),
     .min = 0,
     .max = 366.0 * 24 * HOUR,
     .fallback = "8d",
     .restart = true,
     .doc = "How long samples are kept; 0s: not at all"},
    {.path = "history.host_size",
     .type = EK_VALUE_SIZE,
     FIELD(double, history_host_mib),
     .min = 1,
     .max = 1024,
     .fallback = "8MiB",
     .restart = true,
     .doc = "What the samples of one host may take in Redis; the oldest go first"},

    /* Off unless asked for: a port that nobody knows of is nobody's to guard. */
    {.path = "http.listen",
     .type = EK_VALUE_STRING,
     FIELD(const char *, http.listen),
     .optional = true,
     .restart = true,
     .check = ek_syntax_listen,
     .form = "ADDRESS or ADDRESS:PORT in numbers, as 127.0.0.1:9797 or [::1]:9797",
     .fallback = "no endpoint",
     .doc =
         "Where dashboard, API and metrics are served; beyond this machine only with token_file"},
    {.path = "http.token_file",
     .type = EK_VALUE_STRING,
     FIELD(const char *, http.token_file),
     .optional = true,
     .restart = true,
     .form = "a path",
     .doc = "The file whose first line is the token that changes need; others must not read it"},
    {.path = "http.names",
     .type = EK_VALUE_TEXTS,
     FIELD(struct ek_strings, http.names),
     .optional = true,
     .restart = true,
     .check = ek_syntax_name,
     .form = "names of 1 to 127 letters, digits, '.', '_' or '-'",
     .doc = "Names by which browsers and scrapers may ask for it, beside localhost and addresses"},

    {.path = "log.level",
     .type = EK_VALUE_WORD,
     FIELD(enum ek_log_level, log_level),
     .word = log_level_word,
     .word_count = EK_LOG_DEBUG + 1,
     .fallback = "info",
     .restart = true,
     .doc = "The least important messages that are written"},
};

/* The title is the first line of a dump, and with it the only explanation that a copied file
 * carries along. */
const struct ek_schema ek_evenkeel_schema = {
    .title = "evenkeel.yaml: what Evenkeel watches, and where it keeps its records",
    .sibling = &ek_policy_schema,
    .file = "evenkeel.yaml",
    .rows = rows,
    .count = COUNT(rows)};
