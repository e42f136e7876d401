/* The preflight of maintenance as JSON (docs/contracts.md). */
#ifndef EK_CODEC_PREFLIGHT_H
#define EK_CODEC_PREFLIGHT_H

#include "balancer/codec/writer.h"
#include "balancer/core/schedule/pace_choice.h"
#include "balancer/core/schedule/preflight.h"

/* The pace that was chosen, with its limits, as the member "pace"; and what each that was asked
 * would mean for one host, as "paces" (pace.c). */
void ek_json_put_pace(struct ek_json_writer *writer, const struct ek_pace_choice *choice,
                      const struct ek_policy *policy);
void ek_json_put_paces(struct ek_json_writer *writer, const struct ek_pace_host *host);

/* What is said of the hosts for which `asked` is true, by the snapshot's index; malloc'ed for the
 * caller, NULL when memory ran out. `wanted` are the moves to list, of ek_preflight_moves(). */
char *ek_codec_write_preflight(const struct ek_preflight *preflight,
                               const struct ek_pace_choice *choice, const struct ek_policy *policy,
                               const bool *asked, const bool *wanted);

#endif
