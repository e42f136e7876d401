/* Reading both files and the command line's roles into one configuration that can be used. */
#include "balancer/core/rules/rule_foresee.h"
#include "balancer/daemon/daemon.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool parse_roles(const char *text, struct ek_config *config, struct ek_error *err)
{
    unsigned int roles = 0;

    while (*text != '\0') {
        size_t length = strcspn(text, ",");
        unsigned int role = 0;
        while (role < EK_ROLE_COUNT &&
               (strlen(ek_role_name((enum ek_role)role)) != length ||
                strncmp(ek_role_name((enum ek_role)role), text, length) != 0)) {
            role++;
        }
        if (role == EK_ROLE_COUNT) {
            return ek_error_set(err, EK_ERR_INVALID,
                                "--role: found \"%.*s\", expected collector or balancer",
                                (int)length, text);
        }
        roles |= 1U << role;
        text += length + (text[length] == ',' ? 1 : 0);
    }
    if (roles == 0) {
        return ek_error_set(err, EK_ERR_INVALID,
                            "--role: found nothing, expected collector or balancer");
    }
    if (config->redis.mode == EK_REDIS_EMBEDDED && roles != (1U << EK_ROLE_COUNT) - 1) {
        return ek_error_set(err, EK_ERR_INVALID,
                            "--role: found a part of the roles with an embedded Redis, expected "
                            "redis.mode: external, where the other roles can reach it");
    }
    config->roles = roles;
    return true;
}

/* A folder, or a place for one: what can be seen of it before it is used, and by whoever checks.
 * Who may write there is seen by who does. */
static bool check_state_dir(const struct ek_config *config, const char *file, struct ek_error *err)
{
    const char *dir = config->state_dir;
    char parent[PATH_MAX];
    struct stat status;

    if (config->redis.mode == EK_REDIS_EXTERNAL &&
        (config->roles & (1U << EK_ROLE_BALANCER)) == 0) {
        return true; /* nothing is kept there */
    }
    if (stat(dir, &status) == 0) {
        return S_ISDIR(status.st_mode) ||
               ek_error_set(err, EK_ERR_INVALID,
                            "%s: found state_dir \"%s\" that is a file, expected a directory", file,
                            dir);
    }
    (void)snprintf(parent, sizeof(parent), "%s", dir);
    char *slash = strrchr(parent, '/');
    slash[slash == parent ? 1 : 0] = '\0';
    return errno == EACCES || (stat(parent, &status) == 0 && S_ISDIR(status.st_mode)) ||
           ek_error_set(err, EK_ERR_INVALID,
                        "%s: found state_dir \"%s\" in a directory that is not there, expected one "
                        "that is, or can be made in one that is",
                        file, dir);
}

struct saying {
    const char *file;
    void (*say)(const char *text);
};

static void say_of_rule(void *context, const struct ek_rule *rule, const char *text)
{
    const struct saying *saying = context;
    char line[1024];

    (void)snprintf(line, sizeof(line), "%s:%d: %s", saying->file, rule->line, text);
    saying->say(line);
}

static void foresee_rules(const struct ek_config *config, const struct ek_policy *policy,
                          void (*say)(const char *text))
{
    struct saying saying = {.file = config->policy_path, .say = say};
    struct ek_error err = {0};
    struct ek_arena arena = {0};
    struct ek_host_entry *hosts = ek_arena_alloc(&arena, config->host_count, sizeof(*hosts));

    for (size_t h = 0; hosts != NULL && h < config->host_count; h++) {
        hosts[h] = (struct ek_host_entry){.name = config->hosts[h].name,
                                          .labels = config->hosts[h].labels};
    }
    if (hosts == NULL ||
        (policy->rules != NULL &&
         !ek_rules_foresee(policy->rules, hosts, config->host_count, say_of_rule, &saying, &err))) {
        say(hosts == NULL ? "out of memory for the rules" : err.message);
    }
    ek_arena_finish(&arena);
}

/* Names that are kept for examples (RFC 2606), as those of the sample file: nobody answers there.
 */
static bool is_example(const char *uri)
{
    static const char *const endings[] = {".example", ".example.org", ".example.com",
                                          ".example.net"};
    const char *host = strstr(uri, "://");
    host = host == NULL ? uri : host + 3;
    const char *end = host + strcspn(host, "/?");
    const char *user = memchr(host, '@', (size_t)(end - host));
    host = user == NULL ? host : user + 1;
    size_t length = strcspn(host, ":/?");

    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        size_t size = strlen(endings[i]);
        if (length > size && strncmp(host + length - size, endings[i], size) == 0) {
            return true;
        }
    }
    return false;
}

static void foresee_hosts(const struct ek_config *config, const char *file,
                          void (*say)(const char *text))
{
    const struct ek_config_host *first = NULL;
    size_t count = 0;
    char others[32] = "";
    char line[1024];

    for (size_t h = 0; h < config->host_count; h++) {
        if (is_example(config->hosts[h].uri)) {
            first = first == NULL ? &config->hosts[h] : first;
            count++;
        }
    }
    if (first == NULL) {
        return;
    }
    if (count > 1) {
        (void)snprintf(others, sizeof(others), " and %zu more", count - 1);
    }
    (void)snprintf(line, sizeof(line),
                   "%s:%d: found the host %s%s at a name that is kept for examples (%s), expected "
                   "hosts of yours",
                   file, first->line, first->name, others, first->uri);
    say(line);
}

void ek_daemon_foresee(const struct ek_config *config, const char *file,
                       const struct ek_policy *policy, void (*say)(const char *text))
{
    foresee_hosts(config, file, say);
    foresee_rules(config, policy, say);
}

bool ek_daemon_read_files(const struct ek_arguments *arguments, struct ek_config *config,
                          struct ek_policy *policy, struct ek_rules **rules)
{
    struct ek_config_problems problems;
    struct ek_error err = {0};

    if (!ek_config_read(config, arguments->config, &problems, &err)) {
        ek_config_problems_print(&problems, stderr);
        return false;
    }
    *rules = calloc(1, sizeof(**rules));
    if (*rules == NULL) {
        (void)fprintf(stderr, "evenkeeld: out of memory for the rules\n");
    } else if (!ek_config_read_policy(policy, *rules, config, &problems, &err)) {
        ek_config_problems_print(&problems, stderr);
    } else if ((arguments->roles != NULL && !parse_roles(arguments->roles, config, &err)) ||
               !check_state_dir(config, arguments->config, &err)) {
        (void)fprintf(stderr, "evenkeeld: %s\n", err.message);
    } else {
        return true;
    }
    ek_daemon_free_rules(*rules);
    ek_config_finish(config);
    return false;
}

void ek_daemon_free_rules(struct ek_rules *rules)
{
    if (rules != NULL) {
        ek_rules_finish(rules);
        free(rules);
    }
}
