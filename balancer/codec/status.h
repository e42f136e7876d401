/* status:balancer, what a balancer says of itself: written by the daemon, read by `evenkeel
 * status`. */
#ifndef EK_CODEC_STATUS_H
#define EK_CODEC_STATUS_H

#include "balancer/core/engine/engine.h"

struct ek_balancer_status {
    char identity[128]; /* "hostname:pid" */
    char version[32];
    char mode[16];
    char policy[16];
    char policy_file[2 * EK_TEXT_SIZE]; /* why its file is not what is in force; "": it is */
    bool leading;
    int64_t epoch;
    int64_t at_ms;         /* when this was written */
    int64_t started_at_ms; /* the daemon */
    int64_t cycles;
    int64_t running; /* moves */
    int64_t waiting;
    char circuits[4 * EK_TEXT_SIZE]; /* open, or on trial; "": none */
    char holding[EK_TEXT_SIZE];      /* "": it does not hold */
    char paused[EK_TEXT_SIZE];       /* why it waits for `resume`; "": it does not */
    char closed[EK_TEXT_SIZE];       /* why the calendar lets nothing be balanced; "": it does */
    char summary[2 * EK_TEXT_SIZE];  /* of the newest cycle */
    char plan_id[EK_ID_SIZE];
    char offer_id[EK_ID_SIZE];  /* the plan that is recommended, or waits for its approval; "": none
                                 */
    int64_t offered;            /* moves of it that are only shown */
    int64_t offer_lapses_at_ms; /* 0: nobody can approve it */
    char redis[256];            /* address, as redis-cli takes it */
};

/* Malloc'ed for the caller, NULL when memory ran out. */
char *ek_codec_write_status(const struct ek_balancer_status *status);
bool ek_codec_read_status(struct ek_balancer_status *out, const char *text, size_t size,
                          const char *name, struct ek_error *err);

#endif
