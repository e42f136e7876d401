/* What an engine must not forget over a restart: its rests, its circuits, and what an operator or a
 * failed plan has stopped. (What it has learned: engine_memory.h.) */
#ifndef EK_CORE_ENGINE_KEEP_H
#define EK_CORE_ENGINE_KEEP_H

#include "balancer/core/cooldown.h"
#include "balancer/core/snapshot.h"

/* What is stopped until an operator resumes. */
struct ek_pause {
    char why[EK_TEXT_SIZE]; /* "": nothing */
    bool all;               /* evacuations, too */
};

struct ek_kept {
    struct ek_pause pause;
    struct ek_rest *rests;
    size_t rest_count;
    struct ek_circuit_entry *circuits;
    size_t circuit_count;
    struct ek_strings begun; /* hosts whose evacuation has begun */
    struct ek_arena arena;   /* of the lists */
};

/* Rests and circuits into a cooldown. Error: NOMEM, after which a part may be there. */
bool ek_kept_apply(const struct ek_kept *kept, struct ek_cooldown *cooldown, struct ek_error *err);

struct ek_engine;

/* A copy of what is to be kept now, in a fixed order. Error: NOMEM. The caller owns the result:
 * ek_kept_finish. */
bool ek_engine_keep(const struct ek_engine *engine, struct ek_kept *out, struct ek_error *err);
void ek_kept_finish(struct ek_kept *kept);

/* Gives a new engine what an earlier one had to keep; before its first snapshot. Error: NOMEM,
 * after which a part may be there. */
bool ek_engine_take_up(struct ek_engine *engine, const struct ek_kept *kept, struct ek_error *err);

/* An earlier engine has kept what cannot be read, a pause perhaps: everything is stopped until an
 * operator resumes, which the events say with the next step that is not held. */
void ek_engine_take_up_nothing(struct ek_engine *engine, const char *why);

#endif
