/* One look at the cluster, shared by all who ask within a moment: at 1,000 hosts it costs a good
 * part of a second, and neither many browsers nor a scraper shall make the daemon take it more
 * often than it helps. */
#ifndef EK_HTTP_LOOK_H
#define EK_HTTP_LOOK_H

#include "balancer/http/silence.h"
#include "balancer/view/documents.h"

#include <pthread.h>

struct ek_look {
    struct ek_view view;
    struct ek_evaluation evaluation;
    const struct ek_host_maintenance *maintenance; /* per host of the snapshot */
    const struct ek_allocation *allocated;         /* likewise */
    bool has_balancer;
    struct ek_balancer_status balancer;
    struct ek_move_record *blocking;
    size_t blocking_count;
};

/* A policy that has come into force since the newest look, under a lock that nobody holds for
 * long. */
struct ek_look_news {
    pthread_mutex_t mutex;
    bool there;
    struct ek_policy policy;
    struct ek_rules **retired; /* of policies before it; owned */
    size_t retired_count;
};

/* Where looks are taken: one at a time. */
struct ek_look_desk {
    pthread_mutex_t mutex;
    const struct ek_config *config;
    struct ek_store *store;
    struct ek_policy policy; /* of looks; its rules are the daemon's, or in `retired` */
    struct ek_look_news news;
    bool there;          /* `look` is */
    struct ek_look look; /* of `taken_ms` */
    int64_t taken_ms;    /* by the clock that stands never */
    int64_t cost_ms;     /* of taking it */
    struct ek_silence silence;
};

/* The store then belongs to the desk; the policy is copied, and its rules stay until the next one
 * has come. */
bool ek_look_open(struct ek_look_desk *desk, const struct ek_config *config,
                  const struct ek_policy *policy, struct ek_store *store, struct ek_error *err);
void ek_look_close(struct ek_look_desk *desk);

/* The newest look, taken now unless one is fresh. Nobody else gets one until ek_look_give(), which
 * follows in any case. NULL with the reason: Redis does not answer, or did not answer somebody else
 * within the last second, so that those who queue for a Redis that hangs do not all wait for it. */
const struct ek_look *ek_look_take(struct ek_look_desk *desk, struct ek_error *err);

/* The desk's store alone, for what needs no look; likewise. */
struct ek_store *ek_look_store(struct ek_look_desk *desk, struct ek_error *err);

/* `failure`: what Redis said to the one who had the desk; NULL: all went well. */
void ek_look_give(struct ek_look_desk *desk, const struct ek_error *failure);

/* The policy of looks from now on; does not wait for one under way to end. The rules of the policy
 * before (malloc'ed; NULL: none) are the desk's from now on, and freed when no look has them. */
void ek_look_take_policy(struct ek_look_desk *desk, const struct ek_policy *policy,
                         struct ek_rules *retired);

#endif
