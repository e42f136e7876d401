/* Reading evenkeel.yaml, and the files that it names. */
#include "balancer/config/config_check.h"
#include "balancer/config/syntax.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECRET_SIZE = 514 }; /* Redis takes up to 512 bytes; one more, and the end */

static int line_of(const int *lines, const char *path)
{
    return ek_schema_line(&ek_evenkeel_schema, lines, path);
}

/* ---- what the file says indirectly --------------------------------------------------------- */

/* A key that names a file whose first line is a secret. */
struct secret {
    const char *key;
    const char *what; /* the secret is called */
    const char *path; /* as written */
    int line;
};

/* The mode is that of the open file, not of what its name stands for a moment later. */
static bool check_secret(FILE *file, const struct secret *secret, const char *path,
                         const struct ek_report *report)
{
    struct stat status;

    if (fstat(fileno(file), &status) != 0 || !S_ISREG(status.st_mode)) {
        return ek_report_add(report, EK_ERR_INVALID, secret->line,
                             "found %s \"%s\" that is no file, expected one", secret->key, path);
    }
    if ((status.st_mode & S_IRWXO) != 0) {
        return ek_report_add(report, EK_ERR_INVALID, secret->line,
                             "found %s \"%s\" of mode %04o, expected 0600 or 0640, "
                             "closed to others",
                             secret->key, path, (unsigned int)status.st_mode & 07777u);
    }
    return true;
}

/* The first line alone, so that a file which an editor ended with a newline works. NULL for none,
 * and for one that is cut: Redis would only say that the password is wrong. */
static const char *read_first_line(FILE *file, struct ek_arena *arena)
{
    char text[SECRET_SIZE] = "";

    if (fgets(text, sizeof(text), file) == NULL) {
        return NULL;
    }
    text[strcspn(text, "\r\n")] = '\0';
    /* The buffer holds one byte more than the longest secret: full means that there was more. */
    bool good = text[0] != '\0' && strlen(text) < SECRET_SIZE - 1;
    return good ? ek_arena_strdup(arena, text) : NULL;
}

/* Opened once and checked by its descriptor; the "e" of the mode (O_CLOEXEC) keeps it from the
 * embedded redis-server and from ssh. NULL: it was reported why. */
static const char *read_secret(const struct secret *secret, struct ek_arena *arena,
                               const struct ek_report *report)
{
    const char *path = ek_file_beside(report->file, secret->path, arena);
    FILE *file = path == NULL ? NULL : fopen(path, "re");
    const char *text = NULL;

    if (path == NULL) {
        (void)ek_report_no_memory(report);
    } else if (file == NULL) {
        (void)ek_report_add(report, EK_ERR_INVALID, secret->line,
                            "found %s \"%s\" that cannot be read (%s), expected a readable file",
                            secret->key, path, strerror(errno));
    } else if (check_secret(file, secret, path, report)) {
        text = read_first_line(file, arena);
        if (text == NULL) {
            (void)ek_report_add(
                report, EK_ERR_INVALID, secret->line,
                "found no %s in %s \"%s\", expected 1 to 512 bytes in its first line", secret->what,
                secret->key, path);
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return text;
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

/* The schema has checked the form already. What could not be read has no address. */
static void resolve_http(struct ek_config *config, const int *lines, const struct ek_report *report)
{
    struct ek_config_http *http = &config->http;
    char address[EK_ADDRESS_SIZE];

    if (http->listen != NULL &&
        ek_listen_parse(http->listen, address, &http->port, &http->loopback)) {
        http->address = ek_arena_strdup(&config->arena, address);
        if (http->address == NULL) {
            (void)ek_report_no_memory(report);
        }
    }
    if (http->token_file != NULL && !http->token_unread) {
        const struct secret secret = {"http.token_file", "token", http->token_file,
                                      line_of(lines, "http.token_file")};
        http->token = read_secret(&secret, &config->arena, report);
    }
}

void ek_config_resolve(struct ek_config *config, const int *lines, const struct ek_report *report)
{
    resolve_policy(config, line_of(lines, "policy_file"), report);
    resolve_url(&config->redis, &config->arena, report);
    if (config->redis.mode == EK_REDIS_EXTERNAL && config->redis.password_file != NULL) {
        const struct secret secret = {"redis.password_file", "password",
                                      config->redis.password_file,
                                      line_of(lines, "redis.password_file")};
        config->redis.password = read_secret(&secret, &config->arena, report);
    }
    resolve_http(config, lines, report);
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

static bool read_config(struct ek_config *out, const char *path, bool client,
                        struct ek_config_problems *problems, struct ek_error *err)
{
    struct ek_config_problems own;
    struct ek_report report = {.file = path, .problems = problems == NULL ? &own : problems};
    struct ek_arena scratch = {0};
    struct ek_config config = {.http = {.token_unread = client}};
    size_t size;

    report.problems->count = 0;
    const char *text = ek_file_load(path, &size, &scratch, &report);
    if (text != NULL) {
        read_tree(&config, text, size, &scratch, &report);
    }
    ek_arena_finish(&scratch);
    return finish_read(out, &config, &report, err);
}

bool ek_config_read(struct ek_config *out, const char *path, struct ek_config_problems *problems,
                    struct ek_error *err)
{
    return read_config(out, path, false, problems, err);
}

bool ek_config_read_client(struct ek_config *out, const char *path,
                           struct ek_config_problems *problems, struct ek_error *err)
{
    return read_config(out, path, true, problems, err);
}

/* policy.yml where policy.yaml is looked for: whoever wrote it believes that it is in force. */
static bool check_misnamed(const struct ek_config *config, struct ek_config_problems *list,
                           struct ek_error *err)
{
    struct ek_report report = {.file = config->policy_path, .problems = list};
    size_t stem = strlen(config->policy_path) - strlen("yaml");
    char path[4096];

    (void)snprintf(path, sizeof(path), "%.*syml", (int)stem, config->policy_path);
    if (access(path, F_OK) != 0) {
        return true;
    }
    (void)ek_report_add(&report, EK_ERR_INVALID, 0,
                        "found \"%s\" in its place, expected this name, or policy_file: %s in "
                        "evenkeel.yaml",
                        path, strrchr(path, '/') == NULL ? path : strrchr(path, '/') + 1);
    return ek_report_verdict(&report, err);
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
    if (!check_misnamed(config, list, err)) {
        return false;
    }
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
