/* Sending commands. A reply is asked for again and again: it is one key with a short life, and the
 * balancer needs no way back to us. */
#include "balancer/view/exchange.h"

#include "balancer/codec/status.h"
#include "balancer/view/clock.h"
#include "balancer/view/view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { POLL_MS = 100 };

static bool read_reply(const struct ek_exchange *exchange, const char *id,
                       struct ek_command_reply *reply, bool *there, struct ek_error *err)
{
    char *json = NULL;

    *there = false;
    if (!ek_store_get_reply(exchange->store, id, &json, err)) {
        return false;
    }
    *there = json != NULL;
    bool good = json == NULL || ek_codec_read_reply(reply, json, strlen(json), "reply", err);
    free(json);
    return good;
}

/* Whether it can still happen is known from taking it back. */
static enum ek_exchange_end withdraw(const struct ek_exchange *exchange,
                                     const struct ek_command *command, struct ek_error *err)
{
    bool withdrawn = false;

    if (!ek_store_withdraw_command(exchange->store, command->id, &withdrawn, err)) {
        return EK_EXCHANGE_UNKNOWN;
    }
    return withdrawn ? EK_EXCHANGE_WITHDRAWN : EK_EXCHANGE_TAKEN;
}

static enum ek_exchange_end wait(const struct ek_exchange *exchange,
                                 const struct ek_command *command, struct ek_command_reply *reply,
                                 char *why, size_t size, struct ek_error *err)
{
    int64_t until_ms = ek_view_clock_ms(CLOCK_MONOTONIC) + exchange->wait_ms;
    bool there = false;

    while (read_reply(exchange, command->id, reply, &there, err)) {
        if (there) {
            return EK_EXCHANGE_ANSWERED;
        }
        bool late = ek_view_clock_ms(CLOCK_MONOTONIC) >= until_ms;
        if (late || exchange->pause(exchange->context, POLL_MS)) {
            (void)snprintf(why, size, late ? "no balancer has answered within %d s" : "interrupted",
                           (int)(exchange->wait_ms / 1000));
            return withdraw(exchange, command, err);
        }
    }
    return EK_EXCHANGE_UNKNOWN;
}

/* A Redis that says no has not taken it. One that is silent may have, or may once it goes on. */
static enum ek_exchange_end not_issued(const struct ek_error *err)
{
    return err->code == EK_ERR_TIMEOUT || err->code == EK_ERR_UNAVAILABLE ? EK_EXCHANGE_UNKNOWN
                                                                          : EK_EXCHANGE_FAILED;
}

enum ek_exchange_end ek_exchange_run(const struct ek_exchange *exchange, struct ek_command *command,
                                     struct ek_command_reply *reply, char *why, size_t size,
                                     struct ek_error *err)
{
    struct ek_balancer_status balancer;
    bool there = false;

    why[0] = '\0';
    if (!ek_view_read_balancer(exchange->store, &balancer, &there, err)) {
        return EK_EXCHANGE_FAILED;
    }
    /* Nobody would take it: said at once rather than after a time-out. */
    if (!there) {
        return EK_EXCHANGE_NO_LEADER;
    }
    if (!ek_store_issue_command(exchange->store, command, exchange->by,
                                ek_view_clock_ms(CLOCK_REALTIME), err)) {
        return not_issued(err);
    }
    return wait(exchange, command, reply, why, size, err);
}
