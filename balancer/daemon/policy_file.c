/* Whether the policy's file still says what is in force: whoever edits it and forgets the reload,
 * or whose reload was refused, is told by the status, not by the log alone. */
#include "balancer/core/plural.h"
#include "balancer/daemon/daemon.h"

#include <stdio.h>
#include <sys/stat.h>

static void count_change(void *context, const char *path, const char *before, const char *after)
{
    size_t *count = context;

    (void)path;
    (void)before;
    (void)after;
    (*count)++;
}

static void judge(struct ek_daemon *daemon)
{
    char *notice = daemon->policy_file.notice;
    size_t size = sizeof(daemon->policy_file.notice);
    struct ek_rules rules = {.items = NULL};
    struct ek_policy policy;
    struct ek_error err = {0};
    size_t count = 0;

    notice[0] = '\0';
    if (!ek_config_read_policy(&policy, &rules, &daemon->config, NULL, &err)) {
        (void)snprintf(notice, size, "%s; what was loaded before is in force", err.message);
        return;
    }
    if (ek_policy_changes(&daemon->policy, &policy, count_change, &count, &err) && count > 0) {
        (void)snprintf(notice, size,
                       "%s has %zu change%s that %s not in force; `systemctl reload evenkeel` (or "
                       "SIGHUP) takes the file over",
                       daemon->config.policy_path, count, ek_plural(count),
                       count == 1 ? "is" : "are");
    }
    ek_rules_finish(&rules);
}

/* Read only when it is another file than at the last look, or was written since. */
const char *ek_daemon_policy_notice(struct ek_daemon *daemon)
{
    struct ek_policy_file *file = &daemon->policy_file;
    struct stat now = {.st_size = -1}; /* absent: no file has that */

    (void)stat(daemon->config.policy_path, &now);
    bool same = file->looked && now.st_ino == file->inode && now.st_size == file->size &&
                now.st_mtim.tv_sec == file->written.tv_sec &&
                now.st_mtim.tv_nsec == file->written.tv_nsec;
    if (!same) {
        file->looked = true;
        file->inode = now.st_ino;
        file->size = now.st_size;
        file->written = now.st_mtim;
        judge(daemon);
    }
    return file->notice;
}
