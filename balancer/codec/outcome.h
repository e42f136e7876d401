/* What came of plans: verified:<plan>, and of a plan document what a list of plans shows. */
#ifndef EK_CODEC_OUTCOME_H
#define EK_CODEC_OUTCOME_H

#include "balancer/core/verify.h"

/* Malloc'ed for the caller, NULL when memory ran out. */
char *ek_codec_write_verified(const struct ek_verified *verified);

/* Errors: INVALID, NOMEM. */
bool ek_codec_read_verified(struct ek_verified *out, const char *text, size_t size,
                            const char *name, struct ek_error *err);

/* A plan by its promise. Texts are cut. */
struct ek_plan_promise {
    char policy[16];
    char summary[2 * EK_TEXT_SIZE];
    size_t moves;
    double seconds; /* its makespan */
    struct ek_resources resources;
    double before[EK_RESOURCE_MAX]; /* imbalance */
    double after[EK_RESOURCE_MAX];
};

/* Errors: INVALID, NOMEM. */
bool ek_codec_read_promise(struct ek_plan_promise *out, const char *text, size_t size,
                           const char *name, struct ek_error *err);

#endif
