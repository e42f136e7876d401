/* What an operator tells the balancer while it runs: one value for each command, complete in
 * itself, with its id, under which the reply is given. */
#ifndef EK_CORE_COMMAND_H
#define EK_CORE_COMMAND_H

#include "balancer/core/move.h"

/* One that waits longer is not done any more: whoever gave it has gone away by then, or has given
 * another one. */
enum { EK_COMMAND_LIFE_S = 60 };

/* Kind and the word that commands are written with. */
#define EK_COMMANDS(X)                                                                            \
    X(EK_COMMAND_CANCEL, "cancel")   /* subject: a plan's id, or "all", which pauses as well */   \
    X(EK_COMMAND_ABORT, "abort")     /* subject: a running move's id */                           \
    X(EK_COMMAND_PAUSE, "pause")     /* nothing new is balanced; evacuations go on */             \
    X(EK_COMMAND_RESUME, "resume")   /* ends a pause, and the stop after a failed plan */         \
    X(EK_COMMAND_MOVE, "move")       /* subject: a domain's name or UUID; host: where to */       \
    X(EK_COMMAND_APPROVE, "approve") /* subject: the id of a proposed plan, or of a move of it */ \
    X(EK_COMMAND_REJECT, "reject")   /* likewise */                                               \
    X(EK_COMMAND_RESOLVE, "resolve") /* subject: a domain's name or UUID; choice: what is true.   \
                                        For the daemon: the engine hears EK_EVENT_UNBLOCK */

enum ek_command_kind {
#define X(kind, name) kind,
    EK_COMMANDS(X)
#undef X
        EK_COMMAND_KIND_COUNT
};

struct ek_command {
    char id[EK_ID_SIZE];
    enum ek_command_kind kind;
    char subject[EK_NAME_SIZE]; /* "" where the kind needs none */
    char host[EK_NAME_SIZE];
    char choice[32];
};

const char *ek_command_name(enum ek_command_kind kind);

/* The kind of that name, or EK_COMMAND_KIND_COUNT. */
enum ek_command_kind ek_command_parse(const char *name);

#endif
