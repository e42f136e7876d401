/* What a verb starts with: its options, evenkeel.yaml, Redis. */
#include "balancer/store/embedded.h"
#include "balancer/tools/tool.h"
#include "balancer/view/clock.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* ---- output -------------------------------------------------------------------------------- */

/* The screen of `top` must not be written across. */
static FILE *complaints;

void ek_tool_complain_to(FILE *out)
{
    complaints = out;
}

/* What was printed before is flushed first: with both streams in one file or terminal the complaint
 * else stands above what it belongs to. */
int ek_tool_complain(int status, const char *format, ...)
{
    va_list arguments;

    FILE *out = complaints == NULL ? stderr : complaints;

    (void)fflush(stdout);
    (void)fputs("evenkeel: ", out);
    va_start(arguments, format);
    (void)vfprintf(out, format, arguments);
    va_end(arguments);
    (void)fputc('\n', out);
    return status;
}

/* Taken over and freed here, so that a verb ends with one call. */
int ek_tool_print_json(char *json)
{
    if (json == NULL) {
        return ek_tool_complain(EK_EXIT_FAILED, "out of memory for the document");
    }
    (void)puts(json);
    free(json);
    return EK_EXIT_DONE;
}

void ek_tool_list_names(const char *const *names, size_t count, char *out, size_t size)
{
    size_t used = 0;

    out[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        /* Room for what ends a list that is cut is kept at each step: the last name that fits is
         * followed by how it goes on. */
        if (used + strlen(names[i]) + sizeof(", , ...") > size) {
            (void)snprintf(out + used, size - used, "%s...", i > 0 ? ", " : "");
            return;
        }
        used += (size_t)snprintf(out + used, size - used, "%s%s", i > 0 ? ", " : "", names[i]);
    }
}

/* The wall clock, as samples and records are stamped with it: ages are told against other machines'
 * clocks. */
int64_t ek_tool_now_ms(void)
{
    return ek_view_clock_ms(CLOCK_REALTIME);
}

/* ---- options ------------------------------------------------------------------------------- */

/* Values of their own, above any letter: a verb may give its long options the letters it likes,
 * even those of the common ones. */
enum { MAX_OPTIONS = 32, COMMON_CONFIG = 0x1000, COMMON_JSON, COMMON_HELP };

/* The global options once more, because people put them at the end of the line. */
static const struct option common[] = {
    {"config", required_argument, NULL, COMMON_CONFIG},
    {"json", no_argument, NULL, COMMON_JSON},
    {"help", no_argument, NULL, COMMON_HELP},
};

enum { COMMON_COUNT = sizeof(common) / sizeof(common[0]) };

/* The common options, then the verb's own, then the zeroed end. */
static void merge_options(struct option *all, const struct option *own)
{
    size_t count = COMMON_COUNT;

    memset(all, 0, MAX_OPTIONS * sizeof(*all));
    memcpy(all, common, sizeof(common));
    for (; own != NULL && own->name != NULL && count + 1 < MAX_OPTIONS; own++) {
        all[count++] = *own;
    }
}

int ek_tool_option(struct ek_tool *tool, int argc, char **argv, const char *own_short,
                   const struct option *own)
{
    struct option all[MAX_OPTIONS];
    char letters[24];
    int option = 0;

    merge_options(all, own);
    /* The leading ':' makes getopt tell a missing value from an unknown option, and print neither
     * by itself. */
    (void)snprintf(letters, sizeof(letters), ":hc:%s", own_short);
    for (;;) {
        option = getopt_long(argc, argv, letters, all, NULL);
        switch (option) {
        case 'c':
        case COMMON_CONFIG:
            tool->config_path = optarg;
            tool->config_named = true;
            break;
        case COMMON_JSON:
            tool->json = true;
            break;
        case 'h':
        case COMMON_HELP:
            ek_tool_verb_help(tool->verb, stdout);
            tool->exit_status = EK_EXIT_DONE;
            return EK_OPTION_STOP;
        case '?':
            tool->exit_status = ek_tool_complain(
                EK_EXIT_USAGE, "%s: found the wrong option \"%s\"; see `evenkeel %s --help`",
                tool->verb->name, argv[optind - 1], tool->verb->name);
            return EK_OPTION_STOP;
        case ':':
            tool->exit_status =
                ek_tool_complain(EK_EXIT_USAGE, "%s: %s needs a value; see `evenkeel %s --help`",
                                 tool->verb->name, argv[optind - 1], tool->verb->name);
            return EK_OPTION_STOP;
        default:
            return option;
        }
    }
}

bool ek_tool_words(struct ek_tool *tool, int argc, char **argv, int words)
{
    /* getopt has moved the words behind the options by now. */
    if (argc - optind <= words) {
        return true;
    }
    tool->exit_status = ek_tool_complain(
        EK_EXIT_USAGE, "%s: found \"%s\", expected no more words; see `evenkeel %s --help`",
        tool->verb->name, argv[optind + words], tool->verb->name);
    return false;
}

bool ek_tool_take_once(struct ek_tool *tool, const char *name, const char **value, const char *more)
{
    if (*value != NULL) {
        tool->exit_status =
            ek_tool_complain(EK_EXIT_USAGE, "--%s: found it again, expected it once%s", name, more);
        return false;
    }
    *value = optarg;
    return true;
}

bool ek_tool_no_options(struct ek_tool *tool, int argc, char **argv, int words)
{
    return ek_tool_option(tool, argc, argv, "", NULL) != EK_OPTION_STOP &&
           ek_tool_words(tool, argc, argv, words);
}

/* ---- Redis --------------------------------------------------------------------------------- */

/* A word as a shell takes it: in single quotes where it needs them. */
static void quote_word(const char *word, char *out, size_t size)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789_-./:@%+,=";
    size_t used = 0;

    if (word[strspn(word, plain)] == '\0') {
        (void)snprintf(out, size, "%s", word);
        return;
    }
    /* In single quotes a shell reads nothing but their end: a quote inside is closed, escaped and
     * opened again. Six bytes are kept for the longest such step and the end. */
    out[used++] = '\'';
    for (; *word != '\0' && used + 6 < size; word++) {
        used += (size_t)snprintf(out + used, size - used, *word == '\'' ? "'\\''" : "%c", *word);
    }
    (void)snprintf(out + used, size - used, "'");
}

/* Operators copy these words into a shell: they name the same server, database and user as this
 * program uses, and ask for the password instead of showing it. */
static void describe_redis(struct ek_tool *tool, const char *socket)
{
    const struct ek_config_redis *redis = &tool->config.redis;
    char where[300];
    char user[160] = "";
    char database[32] = "";
    char quoted[150];

    if (socket != NULL) {
        quote_word(socket, quoted, sizeof(quoted));
        (void)snprintf(where, sizeof(where), "-s %s", quoted);
    } else {
        (void)snprintf(where, sizeof(where),
                       strchr(redis->host, ':') != NULL ? "-u redis://[%s]:%d" : "-u redis://%s:%d",
                       redis->host, redis->port);
    }
    if (redis->database != 0) {
        (void)snprintf(database, sizeof(database), " -n %d", redis->database);
    }
    quote_word(redis->key_prefix, tool->key_prefix, sizeof(tool->key_prefix));
    if (redis->user != NULL) {
        quote_word(redis->user, quoted, sizeof(quoted));
        (void)snprintf(user, sizeof(user), " --user %s", quoted);
    }
    (void)snprintf(tool->redis_cli, sizeof(tool->redis_cli), "%s%s%s%s", where, database, user,
                   redis->password != NULL ? " --askpass" : "");
}

/* The time-outs of the daemon's configuration hold here, too: a command that an operator waits for
 * must not wait for ever. */
static bool connect_store(struct ek_tool *tool, const char *socket, struct ek_error *err)
{
    const struct ek_config_redis *redis = &tool->config.redis;

    tool->store = ek_store_create(&(struct ek_store_options){
        .unix_socket = socket,
        .host = redis->host,
        .port = redis->port,
        .user = redis->user,
        .password = redis->password,
        .database = redis->database,
        .key_prefix = redis->key_prefix,
        .connect_timeout_ms = (int)redis->connect_timeout_ms,
        .command_timeout_ms = (int)redis->command_timeout_ms,
    });
    return tool->store == NULL
               ? ek_error_set(err, EK_ERR_NOMEM, "out of memory for the connection to Redis")
               : ek_store_ping(tool->store, err);
}

bool ek_tool_configure(struct ek_tool *tool)
{
    struct ek_error err;

    if (!ek_config_read_client(&tool->config, tool->config_path, NULL, &err)) {
        /* Nothing to correct in a file that is not there: what helps is to name another. */
        bool absent = err.code == EK_ERR_NOT_FOUND;
        tool->exit_status =
            ek_tool_complain(EK_EXIT_USAGE, "%s%s", err.message,
                             absent ? "; name it with -c FILE or EVENKEEL_CONFIG" : "");
        return false;
    }
    return true;
}

bool ek_tool_open(struct ek_tool *tool)
{
    struct ek_error err;
    char embedded[128];

    if (tool->store != NULL) {
        return true; /* a verb and a part of it both need it */
    }
    if (!ek_tool_configure(tool)) {
        return false;
    }
    const char *socket = tool->config.redis.socket;
    bool is_embedded = tool->config.redis.mode == EK_REDIS_EMBEDDED;
    /* The daemon's own server: its socket lies in state_dir and belongs to the daemon's user, so
     * that not everybody may use it. */
    if (is_embedded) {
        if (!ek_embedded_socket_path(tool->config.state_dir, embedded, (int)sizeof(embedded),
                                     &err)) {
            tool->exit_status = ek_tool_complain(EK_EXIT_USAGE, "%s", err.message);
            return false;
        }
        socket = embedded;
    }
    describe_redis(tool, socket);
    /* Connecting now gives every verb the same one clear complaint. */
    if (!connect_store(tool, socket, &err)) {
        tool->exit_status = ek_tool_complain(
            EK_EXIT_FAILED,
            is_embedded ? "%s; is evenkeeld running with %s, and may you use its socket?"
                        : "%s; check `redis:` in %s",
            err.message, tool->config_path);
        return false;
    }
    return true;
}

/* Fine before ek_tool_open, too: everything is zero then. */
void ek_tool_close(struct ek_tool *tool)
{
    ek_store_destroy(tool->store);
    ek_config_finish(&tool->config);
    tool->store = NULL;
}

const char **ek_tool_host_names(const struct ek_tool *tool, struct ek_arena *arena)
{
    const char **names = ek_arena_alloc(arena, tool->config.host_count, sizeof(*names));

    for (size_t h = 0; names != NULL && h < tool->config.host_count; h++) {
        names[h] = tool->config.hosts[h].name;
    }
    return names;
}

/* A policy that cannot be read colours the figures by the defaults; to refuse the figures would
 * help nobody. Planning reads its policy itself and refuses. */
void ek_tool_read_policy(const struct ek_tool *tool, struct ek_policy *policy,
                         struct ek_rules *rules)
{
    struct ek_error err;

    if (!ek_config_read_policy(policy, rules, &tool->config, NULL, &err)) {
        (void)ek_tool_complain(EK_EXIT_DONE, "warning: %s; shown against the default policy",
                               err.message);
        ek_policy_defaults(policy);
    }
}

int ek_tool_unknown_host(const struct ek_tool *tool, const char *host)
{
    struct ek_arena arena = {.newest = NULL};
    const char **names = ek_tool_host_names(tool, &arena);
    char known[300] = "";

    if (names != NULL) {
        ek_tool_list_names(names, tool->config.host_count, known, sizeof(known));
    }
    ek_arena_finish(&arena);
    return ek_tool_complain(EK_EXIT_USAGE, "found the unknown host \"%s\", expected one of: %s",
                            host, known);
}
