/* Checks of evenkeel.yaml that no single row of the schema can make. What one key may be stands in
 * config_schema.c; here is only what two keys say together. */
#include "balancer/config/config_check.h"

#include "balancer/config/syntax.h"

#include <stdlib.h>
#include <string.h>

/* What a URI without a host begins with. */
#define LOCAL "qemu:///"

/* 0 when the key is not in the file: then its default holds, and no line can be blamed. */
static int line_of(const int *lines, const char *path)
{
    return ek_schema_line(&ek_evenkeel_schema, lines, path);
}

/* ---- hosts --------------------------------------------------------------------------------- */

struct entry {
    const char *text; /* a host's name or URI */
    int line;
};

/* Equal texts are ordered by line, for qsort keeps no order of its own: the second mention is the
 * one to be blamed, whatever the libc. */
static int compare_entries(const void *left, const void *right)
{
    const struct entry *a = left;
    const struct entry *b = right;
    int order = strcmp(a->text, b->text);

    return order != 0 ? order : (a->line > b->line) - (a->line < b->line);
}

/* Sorted neighbours, not all pairs: a file may name thousands of hosts. The reports come out in the
 * order of names; ek_report_add puts them into the order of lines. */
static void report_doubles(struct entry *entries, size_t count, const char *what,
                           const struct ek_report *report)
{
    char quoted[EK_QUOTE_SIZE];

    qsort(entries, count, sizeof(*entries), compare_entries);
    for (size_t i = 1; i < count; i++) {
        if (strcmp(entries[i - 1].text, entries[i].text) == 0) {
            (void)ek_report_add(report, EK_ERR_INVALID, entries[i].line,
                                "found a host of %s %s again, expected it once (first in line %d)",
                                what, ek_quote(quoted, entries[i].text), entries[i - 1].line);
        }
    }
}

static const char *name_of(const struct ek_config_host *host)
{
    return host->name;
}

static const char *uri_of(const struct ek_config_host *host)
{
    return host->uri;
}

static const char *migration_uri_of(const struct ek_config_host *host)
{
    return host->migration_uri;
}

/* A host without a valid name or URI has been reported already, and is passed over; so is one
 * without a link of its own. */
static size_t collect(const struct ek_config *config,
                      const char *(*text_of)(const struct ek_config_host *host),
                      struct entry *entries)
{
    size_t count = 0;

    for (size_t i = 0; i < config->host_count; i++) {
        const struct ek_config_host *host = &config->hosts[i];
        const char *text = text_of(host);
        if (text != NULL) {
            entries[count++] = (struct entry){text, host->line};
        }
    }
    return count;
}

/* By a local URI every host means itself: a migration to it would lead back to where it began. Who
 * only collects asks no host about another one. */
static void check_local(const struct ek_config *config, const struct ek_report *report)
{
    char quoted[EK_QUOTE_SIZE];

    for (size_t i = 0; i < config->host_count; i++) {
        const char *uri = config->hosts[i].uri;
        if (uri != NULL && strncmp(uri, LOCAL, strlen(LOCAL)) == 0) {
            (void)ek_report_add(report, EK_ERR_INVALID, config->hosts[i].line,
                                "found a host of URI %s, which means another one on each of %zu "
                                "hosts, expected such as qemu+tls://HOST/system",
                                ek_quote(quoted, uri), config->host_count);
        }
    }
}

/* Two names for one host would let the balancer count its memory twice; one name for two would let
 * them share a key in Redis. */
static void check_hosts(const struct ek_config *config, const struct ek_report *report)
{
    struct ek_arena arena = {0};
    struct entry *entries = ek_arena_alloc(&arena, config->host_count, sizeof(*entries));

    /* One scratch array serves all passes: each fills it from its start. */
    if (entries == NULL) {
        (void)ek_report_no_memory(report);
        return;
    }
    report_doubles(entries, collect(config, name_of, entries), "name", report);
    report_doubles(entries, collect(config, uri_of, entries), "URI", report);
    /* Else domains for the one would arrive on the other. */
    report_doubles(entries, collect(config, migration_uri_of, entries), "migration_uri", report);
    ek_arena_finish(&arena);
}

/* ---- Redis --------------------------------------------------------------------------------- */

/* Keys that only an external server could follow are refused, not passed over: whoever wrote them
 * believes that they are in force. */
static void check_embedded(const struct ek_config *config, const int *lines,
                           const struct ek_report *report)
{
    static const char *const external_only[] = {"redis.url", "redis.user", "redis.password_file"};

    for (size_t i = 0; i < sizeof(external_only) / sizeof(external_only[0]); i++) {
        int line = line_of(lines, external_only[i]);
        if (line != 0) {
            (void)ek_report_add(report, EK_ERR_INVALID, line,
                                "found %s with an embedded Redis, expected redis.mode external",
                                external_only[i]);
        }
    }
    /* The embedded server belongs to this process alone: one role without the other would write
     * what nobody reads, or wait for what nobody writes. */
    if (config->roles != (1u << EK_ROLE_COUNT) - 1) {
        (void)ek_report_add(report, EK_ERR_INVALID, line_of(lines, "roles"),
                            "found one role alone with an embedded Redis, expected both roles or "
                            "redis.mode external: roles meet only in Redis");
    }
}

/* Without redis.url there is nothing to guess: a default of localhost would make two daemons on two
 * machines believe in two truths. */
static void check_redis(const struct ek_config *config, const int *lines,
                        const struct ek_report *report)
{
    if (config->redis.mode == EK_REDIS_EMBEDDED) {
        check_embedded(config, lines, report);
    } else if (line_of(lines, "redis.url") == 0) {
        (void)ek_report_add(report, EK_ERR_INVALID, line_of(lines, "redis.mode"),
                            "found redis.mode external without redis.url, expected "
                            "redis://HOST:PORT/DB or unix:///PATH in redis.url");
    }
}

/* ---- HTTP ---------------------------------------------------------------------------------- */

/* Beyond this machine anybody could ask: without a token there would be no telling who may. */
static void check_http(const struct ek_config *config, const int *lines,
                       const struct ek_report *report)
{
    static const char *const without[] = {"http.token_file", "http.names"};
    const struct ek_config_http *http = &config->http;
    char address[EK_ADDRESS_SIZE];
    bool loopback = false;
    int port;

    for (size_t i = 0; http->listen == NULL && i < sizeof(without) / sizeof(without[0]); i++) {
        int line = line_of(lines, without[i]);
        if (line != 0) {
            (void)ek_report_add(report, EK_ERR_INVALID, line,
                                "found %s without http.listen, expected both", without[i]);
        }
    }
    if (http->listen != NULL && http->token_file == NULL &&
        ek_listen_parse(http->listen, address, &port, &loopback) && !loopback) {
        (void)ek_report_add(report, EK_ERR_INVALID, line_of(lines, "http.listen"),
                            "found http.listen \"%s\" without http.token_file, expected a token "
                            "file, or an address that only this machine reaches, such as 127.0.0.1",
                            http->listen);
    }
}

/* ---- times --------------------------------------------------------------------------------- */

/* `a` must be smaller than `b`, or may equal it; one of both keys stands in the file, as the
 * defaults agree. */
static void check_order(bool good, const int *lines, const char *a, const char *relation,
                        const char *b, const struct ek_report *report)
{
    int first = line_of(lines, a);
    int second = line_of(lines, b);

    if (!good) {
        (void)ek_report_add(report, EK_ERR_INVALID, first > second ? first : second,
                            "found %s and %s in the wrong order, expected %s %s %s", a, b, a,
                            relation, b);
    }
}

/* A call is not given up while it may still change something. */
static void check_fresh(const struct ek_config *config, const int *lines,
                        const struct ek_report *report)
{
    const struct ek_move_timing *moves = &config->moves;
    const struct {
        const char *key;
        int64_t ms;
    } calls[] = {{"timeouts.action", moves->action_ms},
                 {"timeouts.prepare", moves->prepare_ms},
                 {"timeouts.unprepare", moves->unprepare_ms},
                 {"timeouts.post", moves->post_ms}};

    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        check_order(moves->fresh_ms <= calls[i].ms, lines, "timeouts.fresh", "at most",
                    calls[i].key, report);
    }
}

void ek_config_check(const struct ek_config *config, const int *lines,
                     const struct ek_report *report)
{
    bool values_are_good = report->problems->count == 0;

    check_hosts(config, report);
    if (!values_are_good) {
        return; /* what could not be read has its default here: no ground for further complaints */
    }
    check_redis(config, lines, report);
    if (config->host_count > 1 && (config->roles & (1u << EK_ROLE_BALANCER)) != 0) {
        check_local(config, report);
    }
    /* Else a cycle would count a sample twice, and so would sustained_cycles. */
    check_order(config->sample_ms <= config->evaluate_ms, lines, "intervals.sample", "at most",
                "intervals.evaluate", report);
    /* Else one slow command would lose the lease. */
    check_order(config->redis.command_timeout_ms < config->lease_ms, lines, "redis.command_timeout",
                "below", "timeouts.lease", report);
    check_fresh(config, lines, report);
    check_http(config, lines, report);
}
