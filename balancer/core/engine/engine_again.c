/* Whether a move may be tried again: time passes between its attempts, and what let it begin once
 * may hold no longer. */
#include "balancer/core/engine/engine_parts.h"

#include <string.h>

/* What speaks against its hosts. */
static const char *against_hosts(const struct ek_engine *engine, const struct ek_move_order *order)
{
    const struct ek_circuit *circuit = ek_cooldown_circuit(engine->cooldown);
    uint32_t destination = ek_snapshot_find_host(&engine->snapshot, order->destination);

    if (engine->has_snapshot && destination == EK_NONE) {
        return "its destination is not configured any more";
    }
    if (destination != EK_NONE && engine->snapshot.hosts[destination].maintenance) {
        return "its destination is to be emptied";
    }
    return ek_circuit_block(circuit, order->source, order->destination, engine->now_ms) == NULL
               ? NULL
               : "the circuit between its hosts is open";
}

/* Of one that levels, mends a rule or goes the way back. */
static const char *against_balancing(const struct ek_engine *engine, const struct ek_course *course)
{
    if (engine->pause.why[0] != '\0') {
        return engine->pause.why;
    }
    if (engine->closing.balancing) {
        return engine->closing.why;
    }
    bool approved = course != NULL && course->approved;
    return engine->policy.mode == EK_MODE_APPROVE && !approved ? "the mode is approve" : NULL;
}

static bool is_emptied(const struct ek_engine *engine, const char *name)
{
    uint32_t host = ek_snapshot_find_host(&engine->snapshot, name);

    return host != EK_NONE && engine->snapshot.hosts[host].maintenance;
}

/* Whether it empties a host, or makes room in its plan for what does. */
static bool serves_an_evacuation(const struct ek_engine *engine, const struct ek_move_order *order,
                                 const struct ek_course *course)
{
    bool serves = is_emptied(engine, order->source);

    for (size_t i = 0; !serves && course != NULL && i < course->step_count; i++) {
        const struct ek_step *step = &course->steps[i];
        serves = (step->state == EK_STEP_WAITING || step->state == EK_STEP_RUNNING) &&
                 is_emptied(engine, step->order.source);
    }
    return serves;
}

const char *ek_engine_withholds(const struct ek_engine *engine, const struct ek_move_order *order)
{
    const struct ek_course *course = ek_engine_find_course(engine, order->plan_id);
    const struct ek_step *step = course == NULL ? NULL : ek_course_find(course, order->seq);
    const char *why = ek_engine_holding(engine);

    if (why == NULL && engine->outdated) {
        why = "the samples are from before";
    }
    why = why != NULL ? why : against_hosts(engine, order);
    if (why != NULL || (course != NULL && course->kind == EK_COURSE_ORDERED)) {
        return why;
    }
    if (engine->policy.mode == EK_MODE_RECOMMEND) {
        return "the mode is recommend";
    }
    if (order->kind == EK_MOVE_EVACUATE || (step != NULL && step->rank == EK_RANK_EVACUATE)) {
        return serves_an_evacuation(engine, order, course)
                   ? NULL
                   : "its host is not to be emptied any more";
    }
    return against_balancing(engine, course);
}
