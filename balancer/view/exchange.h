/* Telling the balancer something, and waiting for its reply. */
#ifndef EK_VIEW_EXCHANGE_H
#define EK_VIEW_EXCHANGE_H

#include "balancer/codec/command.h"
#include "balancer/core/command.h"
#include "balancer/store/store.h"

enum ek_exchange_end {
    EK_EXCHANGE_ANSWERED,  /* the reply says whether it was done */
    EK_EXCHANGE_NO_LEADER, /* nothing was sent */
    EK_EXCHANGE_WITHDRAWN, /* nobody took it in time: it never happens */
    EK_EXCHANGE_TAKEN,     /* somebody did and has not answered: what came of it is not known */
    EK_EXCHANGE_UNKNOWN,   /* Redis failed after it was sent, `err` says how: it may still happen as
                            * long as a command is good for */
    EK_EXCHANGE_FAILED,    /* nothing was sent; `err` says why */
};

struct ek_exchange {
    struct ek_store *store;
    const char *by;  /* "user@host" */
    int64_t wait_ms; /* for the reply */
    /* Waits that long, or until it is interrupted: true. */
    bool (*pause)(void *context, int ms);
    void *context;
};

/* Sends the command and waits for its reply. `why`: of WITHDRAWN, TAKEN and UNKNOWN, for whom it
 * takes `size` bytes; "" otherwise. */
enum ek_exchange_end ek_exchange_run(const struct ek_exchange *exchange, struct ek_command *command,
                                     struct ek_command_reply *reply, char *why, size_t size,
                                     struct ek_error *err);

#endif
