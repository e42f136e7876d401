/* evenkeeld's parts and who owns what. One libuv loop thread owns all of this; other threads
 * (store, collector pool, migrations, watchers) hand their results to it by
 * uv_async.
 *
 *   main.c           the command line
 *   configuration.c  both files and the roles
 *   policy_file.c    whether the policy's file is what is in force
 *   daemon.c         start and stop in order, signals, reload
 *   collecting.c     the collector role: pool -> sample -> store
 *   keeping.c        which samples go to the history
 *   balancing.c      the balancer role: timers, outcomes, the engine's steps
 *   leadership.c     its lease, and what a new leader takes over
 *   cycle.c          samples -> snapshot -> engine
 *   candidates.c     whose domains' dirty rates are wanted
 *   effects.c        what the engine wants: records to the store, then aborts and starts
 *   journal.c        the migrator's journal over the store's thread
 *   spool.c          what the journal could not take while Redis was away, in files
 *   trash.c          disks that moves left, removed when their time has come
 *   key_ends.c       maintenance keys that were gone for a moment
 *   watch.c          threads that wait for maintenance keys and for commands
 *   commands.c       commands: from the stream to the engine, and the replies
 *   resolving.c      the command `resolve`, which looks at both ends itself
 *   status.c         what the daemon says of itself in Redis
 *   service.c        what it tells the service manager, by notify.c
 *   serving.c        the HTTP endpoint, when one is configured */
#ifndef EK_DAEMON_DAEMON_H
#define EK_DAEMON_DAEMON_H

#include "balancer/config/config.h"
#include "balancer/core/engine/engine.h"
#include "balancer/daemon/store_thread.h"
#include "balancer/http/http.h"
#include "balancer/store/embedded.h"

#include <sys/types.h>
#include <time.h>
#include <uv.h>

struct ek_collecting;
struct ek_balancing;

/* The command line; strings belong to argv. */
struct ek_arguments {
    const char *config;
    const char *roles; /* NULL: as configured */
    bool check;
    bool once;
    bool dump;
};

/* The policy's file as it was last looked at, and what an operator should know of it. */
struct ek_policy_file {
    bool looked; /* false: it is to be judged anew */
    ino_t inode;
    off_t size;
    struct timespec written;
    char notice[2 * EK_TEXT_SIZE];
};

struct ek_daemon {
    uv_loop_t loop;
    struct ek_arguments arguments;
    struct ek_config config;
    struct ek_policy policy;
    struct ek_rules *rules; /* of the policy, which points there */
    struct ek_policy_file policy_file;
    struct ek_embedded *embedded; /* NULL: external Redis */
    char redis_socket[108];       /* of the embedded server, "" for an external one */
    char redis_address[256];      /* as an operator passes it to redis-cli, or a URL */
    int64_t started_at_ms;
    struct ek_store_thread *store;
    struct ek_collecting *collecting; /* NULL: not our role */
    struct ek_balancing *balancing;   /* NULL: not our role */
    char identity[128];               /* "hostname:pid" */
    struct ek_http *http;             /* NULL: none is configured, or its address is taken */
    int http_wait_s;                  /* until it is tried again */
    struct {
        bool ready;      /* READY=1 was said, and neither a reload nor a stop since */
        char line[512];  /* as it was last told */
        int64_t sign_ms; /* of the last sign of life */
    } service;
    bool stopping;
    bool restart;   /* after the stop: begin anew in the same process, with the new configuration */
    bool abandoned; /* threads hang in libvirt: nothing they use may be freed */
    int exit_status;
};

/* Reads configuration and policy and applies the command line's roles. False: the problems are
 * printed on standard error, one per line, and there is nothing to free. The caller owns the
 * configuration, and the rules that the policy points to (ek_daemon_free_rules). */
bool ek_daemon_read_files(const struct ek_arguments *arguments, struct ek_config *config,
                          struct ek_policy *policy, struct ek_rules **rules);

/* Says what is doubtful in the configuration, read from `file`, and in the policy's rules, before
 * any host is asked: with file and line. */
void ek_daemon_foresee(const struct ek_config *config, const char *file,
                       const struct ek_policy *policy, void (*say)(const char *text));

/* Why the policy's file is not what is in force: it is wrong, or was changed since it was loaded;
 * "": it says the same. */
const char *ek_daemon_policy_notice(struct ek_daemon *daemon);

/* Once no policy points there any more; takes NULL. */
void ek_daemon_free_rules(struct ek_rules *rules);

/* Runs until it is stopped; the exit status. `argv` is for a fresh start after a reload. */
int ek_daemon_run(struct ek_daemon *daemon, char **argv);

/* A store with the daemon's options that has not connected yet; NULL: out of memory. */
struct ek_store *ek_daemon_open_store(const struct ek_daemon *daemon);

/* Begins an orderly stop; running migrations are left to finish. From the loop's thread. */
void ek_daemon_stop(struct ek_daemon *daemon, int exit_status);

/* Starts the endpoint if one is configured and not there yet; to be called once a second. An
 * address that is taken is told of and tried again: nobody's dashboard is worth a cluster that is
 * not balanced. */
void ek_daemon_serve(struct ek_daemon *daemon);

/* ---- roles: NULL on error; stop closes handles, destroy frees after the loop has ended --------
 */

struct ek_collecting *ek_collecting_start(struct ek_daemon *daemon, struct ek_error *err);
void ek_collecting_stop(struct ek_collecting *collecting);
void ek_collecting_destroy(struct ek_collecting *collecting);

/* Of how many hosts the newest reading was a sample. From any thread. */
size_t ek_collecting_sampled(const struct ek_collecting *collecting);

/* Samples a host at once, since a move has ended there, and tells the balancer when the sample is
 * stored. NULL (another process collects) and names that are not configured are fine. */
void ek_collecting_hasten(struct ek_collecting *collecting, const char *host);

struct ek_balancing *ek_balancing_start(struct ek_daemon *daemon, struct ek_error *err);
void ek_balancing_stop(struct ek_balancing *balancing);
void ek_balancing_destroy(struct ek_balancing *balancing);

/* A sample that was hastened is stored: who waits for it need not wait for the next cycle. NULL is
 * fine. */
void ek_balancing_sampled(struct ek_balancing *balancing);

/* The daemon's policy or its hosts have changed. */
void ek_balancing_reload(struct ek_balancing *balancing);

/* A host of a running move that the configuration does not have, and that move's id; NULL: none.
 * Both are valid until the engine's next step. */
const char *ek_balancing_needs(const struct ek_balancing *balancing, const struct ek_config *config,
                               const char **move);

#endif
