/* What a decision was made from, whole: snapshot, policy, what the engine knew of domains and
 * hosts, and what was asked of the planner. Made into a plan again it gives the same bytes. */
#ifndef EK_CODEC_INPUT_H
#define EK_CODEC_INPUT_H

#include "balancer/core/engine/engine.h"
#include "balancer/core/engine/engine_keep.h"

/* As it is read back. */
struct ek_input {
    char version[32];   /* of the program that made the plan; "": not said */
    const char *policy; /* the text of a policy file */
    struct ek_snapshot snapshot;
    struct ek_kept kept;       /* rests and circuits */
    struct ek_strings blocked; /* UUIDs of domains that waited for an operator */
    bool balances;             /* the policy levelled; else hosts were emptied only */
    const char *balance_held;  /* NULL: balancing did not wait */
    bool evacuate_only;
    bool prefer_held;
    enum ek_pace pace; /* of the plan before */
    bool ordered;      /* the plan is of these wishes alone, and says `summary` */
    struct ek_plan_wish *wishes;
    size_t wish_count;
    const char *summary;
    struct ek_arena arena; /* of the texts and wishes */
};

/* The input of a plan that an engine tells of (EK_EFFECT_RECORD_PLAN): `policy_yaml` is a policy
 * file, `kept` what the engine keeps, `version` the program's. Malloc'ed for the caller, NULL when
 * memory ran out. */
char *ek_codec_write_input(const struct ek_effect *effect, const char *policy_yaml,
                           const struct ek_kept *kept, const char *version);

/* Errors: INVALID, NOMEM; then nothing is owned. The caller owns the result: ek_input_finish. An
 * input of an older version that lacks what was asked of the planner is INVALID. */
bool ek_codec_read_input(struct ek_input *out, const char *text, size_t size, const char *name,
                         struct ek_error *err);
void ek_input_finish(struct ek_input *input);

#endif
