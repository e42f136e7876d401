/* Reading both files and the command line's roles into one configuration that can be used. */
#include "balancer/daemon/daemon.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    } else if (arguments->roles != NULL && !parse_roles(arguments->roles, config, &err)) {
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
