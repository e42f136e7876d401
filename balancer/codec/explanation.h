/* Explanations as JSON (docs/contracts.md) and as text for people. JSON is complete; the text of a
 * whole plan gives every move and groups the domains that stay, with examples. */
#ifndef EK_CODEC_EXPLANATION_H
#define EK_CODEC_EXPLANATION_H

#include "balancer/core/explain/explain.h"
#include "balancer/core/schedule/schedule.h"

#include <stdio.h>

/* The plan document with one more member, `explanation`. All three are malloc'ed for the caller;
 * NULL when memory ran out. */
char *ek_codec_write_explained_plan(const struct ek_plan *plan, const struct ek_schedule *schedule,
                                    const struct ek_explanation *explanation);

/* One domain: its moves, or why it stays. The explanation is of that domain alone. */
char *ek_codec_write_why(const struct ek_explanation *explanation, uint32_t domain);
char *ek_codec_write_why_not(const struct ek_plan *plan, const struct ek_why_not *why_not);

/* What follows the plan's own text. */
void ek_codec_print_explanation(FILE *out, const struct ek_explanation *explanation);

void ek_codec_print_why(FILE *out, const struct ek_explanation *explanation, uint32_t domain);
void ek_codec_print_why_not(FILE *out, const struct ek_plan *plan,
                            const struct ek_why_not *why_not);

#endif
