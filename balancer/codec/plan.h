/* Plans as JSON (contract version 1) and as text for people; the engine's word on maintenance as
 * JSON. */
#ifndef EK_CODEC_PLAN_H
#define EK_CODEC_PLAN_H

#include "balancer/core/engine/engine.h"

#include <stdio.h>

struct ek_json_writer;

/* The contract's plan document; malloc'ed for the caller, NULL when memory ran out. */
char *ek_codec_write_plan(const struct ek_plan *plan, const struct ek_schedule *schedule);

/* Its members, into an object that the caller has begun and may add to. */
void ek_json_put_plan(struct ek_json_writer *writer, const struct ek_plan *plan,
                      const struct ek_schedule *schedule);

/* Its member `stops`, with those of the hosts (by index) for which `asked` is true; NULL: of all.
 * Nothing when there are none. */
void ek_json_put_stops(struct ek_json_writer *writer, const struct ek_plan *plan,
                       const bool *asked);

/* One of its moves as an object, on a line of its own. */
void ek_json_write_move(struct ek_json_writer *writer, const struct ek_plan *plan,
                        const struct ek_schedule *schedule, size_t index);

/* One move of a plan document, as far as it is shown. */
struct ek_plan_line {
    uint32_t seq;
    char name[EK_NAME_SIZE]; /* the UUID where the domain has no name */
    char source[EK_NAME_SIZE];
    char destination[EK_NAME_SIZE];
    char kind[16];
};

/* Reads the first `room` moves of a plan document, in dispatch order. Errors: INVALID, NOMEM. */
bool ek_codec_read_plan_lines(struct ek_plan_line *out, size_t room, size_t *count,
                              const char *text, size_t size, const char *name,
                              struct ek_error *err);

/* maintenance-status:<host>; malloc'ed for the caller, NULL when memory ran out. */
char *ek_codec_write_maintenance(const struct ek_maintenance_status *status);

/* Reads such a status back; strings and blockers are owned by the arena, `host` stays NULL. Errors:
 * INVALID, NOMEM. */
bool ek_codec_read_maintenance_status(struct ek_maintenance_status *out, struct ek_arena *arena,
                                      const char *text, size_t size, const char *name,
                                      struct ek_error *err);

/* The same plan for people: levels before and after, moves, what could not be resolved. */
void ek_codec_print_plan(FILE *out, const struct ek_plan *plan, const struct ek_schedule *schedule);

#endif
