/* The balancer role's state, shared by balancing.c, leadership.c, cycle.c, commands.c, resolving.c,
 * effects.c, cycles.c, memory.c, candidates.c and status.c. */
#ifndef EK_DAEMON_BALANCING_H
#define EK_DAEMON_BALANCING_H

#include "balancer/daemon/daemon.h"
#include "balancer/daemon/journal.h"
#include "balancer/daemon/watch.h"
#include "migrator/executor.h"
#include "migrator/libvirt.h"

#include <pthread.h>

/* News on their way from a migration's thread to the loop. */
struct ek_outcome_node {
    struct ek_outcome outcome;
    bool is_sign; /* not an outcome yet, but: */
    struct ek_sign sign;
    int64_t epoch; /* of a life that was dropped; 0: it came to its end */
    struct ek_outcome_node *next;
};

/* A host's maintenance status as it was last written, so that it is written on change only. */
struct ek_shown_status {
    char *host;
    char *json;
};

struct ek_trash;
/* A plan whose fate is still to come. */
struct ek_open_plan {
    char id[EK_ID_SIZE];
    char *json;
    struct ek_open_plan *next;
};

struct ek_balancing {
    struct ek_daemon *daemon;
    struct ek_engine *engine;
    struct ek_effects effects;
    struct ek_libvirt_port *port;
    struct ek_executor *executor;
    struct ek_journal journal;
    struct ek_journal_parts journal_parts;
    struct ek_watch *watch;         /* of the maintenance keys */
    struct ek_watch *command_watch; /* of the operator's commands */
    struct ek_trash *trash;
    bool taking;                   /* a command is on its way from the store */
    bool take_again;               /* another was heard of meanwhile */
    bool resolving;                /* a resolve is under way */
    struct ek_resolving *resolved; /* its end, on its way to the loop; under outcome_mutex */
    uv_timer_t cycle_timer;
    uv_timer_t lease_timer;
    uv_timer_t wake_timer;
    uv_async_t outcome_async;
    uv_async_t resolve_async;

    pthread_mutex_t outcome_mutex;
    struct ek_outcome_node *outcomes;
    struct ek_key_end *key_ends; /* that the engine has not heard of; under outcome_mutex */

    char owner[160]; /* of the lease */
    bool leading;
    bool away; /* Redis is; why was said */
    int64_t epoch;
    bool leasing;     /* a lease request is on its way */
    bool gathering;   /* a cycle's reading is on its way */
    bool again;       /* another cycle was asked for meanwhile */
    bool remembering; /* the engine's memory is on its way to the store */
    size_t recording; /* records on their way to the store */
    int64_t cycles;
    bool refused; /* holding, because no snapshot could be made */
    char copies_shown[1024];
    char bad_shown[EK_TEXT_SIZE]; /* samples that cannot be read */

    struct ek_open_plan *plans; /* under way, for their fates */
    struct ek_shown_status *shown;
    size_t shown_count;
};

/* Steps the engine and carries out what it wants. */
void ek_balancing_step(struct ek_balancing *balancing, const struct ek_event *event);

/* Carries out the effects in `balancing->effects`: records first, then aborts and starts. */
void ek_balancing_carry_out(struct ek_balancing *balancing);

/* Forgets the plans whose fate is still to come. */
void ek_balancing_forget_plans(struct ek_balancing *balancing);

/* Reads samples and keys and makes a snapshot event of them, soon. */
void ek_balancing_cycle(struct ek_balancing *balancing);

/* The maintenance key of that host was gone for a moment; called by the watcher's thread. */
void ek_balancing_note_key_end(void *context, const char *host);

/* Tells the engine of those that were noted; or forgets them. */
void ek_balancing_take_key_ends(struct ek_balancing *balancing);
void ek_balancing_drop_key_ends(struct ek_balancing *balancing);

/* Start nothing new from now on; running moves go on. */
void ek_balancing_hold(struct ek_balancing *balancing, const char *why);

/* Takes or renews the lease, soon; gives it back, soon. */
void ek_balancing_renew(struct ek_balancing *balancing);
void ek_balancing_release(struct ek_balancing *balancing);

/* What was last shown of hosts in maintenance may not stand in Redis: it is written anew. */
void ek_balancing_show_anew(struct ek_balancing *balancing);

/* Writes the engine's cooldowns, so that the next start knows them; soon. */
void ek_balancing_keep_rests(struct ek_balancing *balancing);

/* Writes what the engine has learned, once per cycle; soon, and not while the last one is on its
 * way. */
void ek_balancing_keep_memory(struct ek_balancing *balancing);

/* Records what came of the newest cycle; soon. */
void ek_balancing_keep_cycle(struct ek_balancing *balancing);

/* Tells the collectors whose domains' dirty rates are wanted, by the newest snapshot; soon. */
void ek_balancing_put_candidates(struct ek_balancing *balancing);

/* Gives the engine what the last leader had learned; `json` NULL: nothing. */
void ek_balancing_restore_memory(struct ek_balancing *balancing, const char *json);

/* Starts the watcher of commands. */
bool ek_balancing_open_commands(struct ek_balancing *balancing, struct ek_error *err);

/* Takes the commands that wait, one after the other, and has them done; soon, and only while
 * leading. */
void ek_balancing_take_commands(struct ek_balancing *balancing);

/* Writes the reply to a command; soon. */
struct ek_command_reply;
void ek_balancing_reply(struct ek_balancing *balancing, const struct ek_command_reply *reply);

/* Begins to resolve a blocked domain on a thread of its own, which replies; resolving.c. */
bool ek_balancing_open_resolving(struct ek_balancing *balancing);
void ek_balancing_resolve(struct ek_balancing *balancing, const struct ek_command_entry *entry);

/* Another balancer has taken over: start nothing. */
void ek_balancing_follow(struct ek_balancing *balancing, const char *why);

/* Redis cannot be worked with, so that the lease may lapse: start nothing. */
void ek_balancing_lose_redis(struct ek_balancing *balancing, const char *why);

/* Writes status:balancer; best effort. */
void ek_balancing_put_status(struct ek_balancing *balancing);

#endif
