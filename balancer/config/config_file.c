/* Reading evenkeel.yaml, and the files that it names. */
#include "balancer/config/config_check.h"
#include "balancer/config/syntax.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

enum { PASSWORD_SIZE = 514 }; /* Redis takes up to 512 bytes; one more, and the end */

static int line_of(const int *lines, const char *path)
{
    return ek_schema_line(&ek_evenkeel_schema, lines, path);
}

/* ---- what the file says indirectly --------------------------------------------------------- */

/* The mode is that of the open file, not of what its name stands for a moment later. */
static bool check_secret(FILE *file, const char *path, int line, const struct ek_report *report)
{
    struct stat status;

    if (fstat(fileno(file), &status) != 0 || !S_ISREG(status.st_mode)) {
        return ek_report_add(report, EK_ERR_INVALID, line,
                             "found redis.password_file \"%s\" that is no file, expected one",
                             path);
    }
    if ((status.st_mode & S_IRWXO) != 0) {
        return ek_report_add(
            report, EK_ERR_INVALID, line,
            "found redis.password_file \"%s\" of mode %04o, expected 0600 or 0640, "
            "closed to others",
            path, (unsigned int)status.st_mode & 07777u);
    }
    return true;
}

/* The first line alone, so that a file which an editor ended with a newline works. NULL for none,
 * and for one that is cut: Redis would only say that the password is wrong. */
static const char *read_first_line(FILE *file, struct ek_arena *arena)
{
    char text[PASSWORD_SIZE] = "";

    if (fgets(text, sizeof(text), file) == NULL) {
        return NULL;
    }
    text[strcspn(text, "\r\n")] = '\0';
    /* The buffer holds one byte more than the longest password: full means that there was more. */
    bool good = text[0] != '\0' && strlen(text) < PASSWORD_SIZE - 1;
    return good ? ek_arena_strdup(arena, text) : NULL;
}

/* Opened once and checked by its descriptor; the "e" of the mode (O_CLOEXEC) keeps it from the
 * embedded redis-server and from ssh. */
static void read_password(struct ek_config *config, int line, const struct ek_report *report)
{
    const char *path = ek_file_beside(report->file, config->redis.password_file, &config->arena);
    FILE *file = path == NULL ? NULL : fopen(path, "re");

    if (path == NULL) {
        (void)ek_report_no_memory(report);
    } else if (file == NULL) {
        (void)ek_report_add(report, EK_ERR_INVALID, line,
                            "found redis.password_file \"%s\" that cannot be read (%s), expected a "
                            "readable file",
                            path, strerror(errno));
    } else if (check_secret(file, path, line, report)) {
        config->redis.password = read_first_line(file, &config->arena);
        if (config->redis.password == NULL) {
            (void)ek_report_add(
                report, EK_ERR_INVALID, line,
                "found no password in redis.password_file \"%s\", expected 1 to 512 "
                "bytes in its first line",
                path);
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
}

/* Opened only to see that it can be, so that the line which names it is said; it is read later. A
 * file that was not named (line 0) may be absent. */
static void resolve_policy(struct ek_config *config, int line, const struct ek_report *report)
{
    const char *name = config->policy_file == NULL ? "policy.yaml" : config->policy_file;

    config->policy_path = ek_file_beside(report->file, name, &config->arena);
    if (config->policy_path == NULL) {
        (void)ek_report_no_memory(report);
        return;
    }
    FILE *file = line == 0 ? NULL : fopen(config->policy_path, "re");
    if (line != 0 && file == NULL) {
        (void)ek_report_add(
            report, EK_ERR_INVALID, line,
            "found policy_file \"%s\" that cannot be read (%s), expected a readable file",
            config->policy_path, strerror(errno));
    }
    if (file != NULL) {
        (void)fclose(file);
    }
}

/* The schema has checked the form already; a URL that fails here was reported there. */
static void resolve_url(struct ek_config_redis *redis, struct ek_arena *arena,
                        const struct ek_report *report)
{
    struct ek_redis_url url;

    if (redis->url == NULL || !ek_redis_url_parse(redis->url, &url)) {
        return;
    }
    /* Host and socket exclude each other: whoever connects takes the one that is not NULL. */
    bool local = url.socket[0] != '\0';
    const char *address = ek_arena_strdup(arena, local ? url.socket : url.host);
    if (address == NULL) {
        (void)ek_report_no_memory(report);
    } else if (local) {
        redis->socket = address;
    } else {
        redis->host = address;
        redis->port = url.port;
        redis->database = url.database;
    }
}

void ek_config_resolve(struct ek_config *config, const int *lines, const struct ek_report *report)
{
    resolve_policy(config, line_of(lines, "policy_file"), report);
    resolve_url(&config->redis, &config->arena, report);
    if (config->redis.mode == EK_REDIS_EXTERNAL && config->redis.password_file != NULL) {
        read_password(config, line_of(lines, "redis.password_file"), report);
    }
}

/* ---- reading ------------------------------------------------------------------------------- */

/* The tree and the lines die with the scratch arena; what the configuration keeps is copied into
 * its own, which lives until the next reload. */
static void read_tree(struct ek_config *config, const char *text, size_t size,
                      struct ek_arena *scratch, const struct ek_report *report)
{
    const struct ek_yaml_node *root = ek_yaml_parse(text, size, scratch, report);
    int *lines = ek_arena_alloc(scratch, ek_evenkeel_schema.count, sizeof(int));

    if (lines == NULL || !ek_schema_defaults(&ek_evenkeel_schema, config, &config->arena)) {
        (void)ek_report_no_memory(report);
    } else if (root != NULL) {
        /* The order counts: checks across keys need the values, and which other files are
         * needed follows from the mode. */
        ek_schema_read(&ek_evenkeel_schema, root, config, lines, &config->arena, report);
        ek_config_check(config, lines, report);
        ek_config_resolve(config, lines, report);
    }
}

/* The caller's structure is written in one assignment and only when all is well: a reload that
 * fails leaves what is in force untouched. */
static bool finish_read(struct ek_config *out, struct ek_config *config,
                        const struct ek_report *report, struct ek_error *err)
{
    if (!ek_report_verdict(report, err)) {
        ek_config_finish(config);
        return false;
    }
    *out = *config;
    return true;
}

bool ek_config_parse(struct ek_config *out, const char *text, size_t size, const char *name,
                     struct ek_config_problems *problems, struct ek_error *err)
{
    struct ek_config_problems own;
    struct ek_report report = {.file = name, .problems = problems == NULL ? &own : problems};
    struct ek_arena scratch = {0};
    struct ek_config config = {0};

    report.problems->count = 0;
    read_tree(&config, text, size, &scratch, &report);
    ek_arena_finish(&scratch);
    return finish_read(out, &config, &report, err);
}

bool ek_config_read(struct ek_config *out, const char *path, struct ek_config_problems *problems,
                    struct ek_error *err)
{
    struct ek_config_problems own;
    struct ek_report report = {.file = path, .problems = problems == NULL ? &own : problems};
    struct ek_arena scratch = {0};
    struct ek_config config = {0};
    size_t size;

    report.problems->count = 0;
    const char *text = ek_file_load(path, &size, &scratch, &report);
    if (text != NULL) {
        read_tree(&config, text, size, &scratch, &report);
    }
    ek_arena_finish(&scratch);
    return finish_read(out, &config, &report, err);
}

bool ek_config_read_policy(struct ek_policy *out, struct ek_rules *rules,
                           const struct ek_config *config, struct ek_config_problems *problems,
                           struct ek_error *err)
{
    struct ek_config_problems own;
    struct ek_config_problems *list = problems == NULL ? &own : problems;

    if (ek_policy_read(out, rules, config->policy_path, list, err)) {
        return true;
    }
    if (config->policy_file != NULL || err->code != EK_ERR_NOT_FOUND) {
        return false;
    }
    /* The absence of a file that nobody named is no problem, and must not stand in the list as one.
     */
    list->count = 0;
    ek_policy_defaults(out);
    out->rules = rules;
    if (rules != NULL) {
        *rules = (struct ek_rules){.items = NULL};
    }
    return true;
}

bool ek_config_dump(const struct ek_config *config, FILE *out, struct ek_error *err)
{
    return ek_schema_dump(&ek_evenkeel_schema, config, out, err);
}

void ek_config_finish(struct ek_config *config)
{
    ek_arena_finish(&config->arena);
    memset(config, 0, sizeof(*config));
}
