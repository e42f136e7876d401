/* Parts of a plan that must not be taken alone: what a must rule of affinity keeps together may be
 * split between the first and the last move of a plan, but not by its end. */
#include "balancer/core/engine/engine_parts.h"

#include <assert.h>
#include <string.h>

static uint32_t domain_of(const struct ek_engine *engine, const struct ek_step *step)
{
    bool ambiguous = false;

    return ek_snapshot_find_domain(&engine->snapshot, step->order.domain, &ambiguous);
}

/* Every move that waits, made in the model; with `offered` those as well that are offered. */
static void make_moves(const struct ek_engine *engine, struct ek_cluster *cluster,
                       const struct ek_course *course, bool offered)
{
    for (uint32_t seq = 1; seq <= course->step_count; seq++) {
        const struct ek_step *step = ek_course_find(course, seq);
        bool comes = step->state == EK_STEP_WAITING || (offered && step->state == EK_STEP_OFFERED);
        uint32_t domain = domain_of(engine, step);
        uint32_t to = ek_snapshot_find_host(&engine->snapshot, step->order.destination);
        if (comes && domain != EK_NONE && to != EK_NONE && !cluster->in_flight[domain] &&
            cluster->host_of[domain] != to) {
            ek_cluster_move(cluster, domain, to);
        }
    }
}

static bool keeps_together(const struct ek_rule_set *set, uint32_t rule)
{
    const struct ek_rule *it = ek_rule_set_rule(set, rule);

    return it->kind == EK_RULE_AFFINITY && it->enforcement == EK_MUST;
}

/* "must rule near keeps a, b together"; NULL: out of memory. */
static const char *tell(const struct ek_rule_set *set, uint32_t rule, struct ek_arena *arena)
{
    size_t count = 0;
    const uint32_t *members = ek_rule_set_members(set, rule, &count);
    const char *names = "";

    for (size_t i = 0; names != NULL && i < count; i++) {
        const struct ek_domain *it = &set->snapshot->domains[members[i]];
        names = ek_arena_printf(arena, "%s%s%s", names, i == 0 ? "" : ", ",
                                it->name == NULL ? it->uuid : it->name);
    }
    return names == NULL ? NULL
                         : ek_arena_printf(arena, "must rule %s keeps %s together",
                                           ek_rule_set_rule(set, rule)->name, names);
}

/* *text: of the first rule that these moves leave more broken than it is; NULL: of none. */
static bool find_split(struct ek_engine *engine, struct ek_cluster *cluster,
                       const struct ek_course *course, bool offered, const char **text,
                       struct ek_arena *arena)
{
    const struct ek_rule_set *set = &cluster->rules;
    double *before = ek_arena_alloc(arena, set->rule_count, sizeof(*before));
    uint32_t split = EK_NONE;

    if (before == NULL) {
        return false;
    }
    for (uint32_t r = 0; r < set->rule_count; r++) {
        before[r] = keeps_together(set, r) ? ek_rule_set_degree(set, r) : 0;
    }
    make_moves(engine, cluster, course, offered);
    for (uint32_t r = 0; split == EK_NONE && r < set->rule_count; r++) {
        split = keeps_together(set, r) && ek_rule_set_degree(set, r) > before[r] ? r : EK_NONE;
    }
    *text = split == EK_NONE ? NULL : tell(set, split, arena);
    return split == EK_NONE || *text != NULL;
}

/* What an operator's word would do to the plan's moves, as far as they are offered. */
static void decide(struct ek_course *course, const char *subject, bool approves)
{
    for (size_t i = 0; i < course->step_count; i++) {
        struct ek_step *step = &course->steps[i];
        bool meant = strcmp(course->id, subject) == 0 || strcmp(step->order.id, subject) == 0;
        if (meant && step->state == EK_STEP_OFFERED) {
            step->state = approves ? EK_STEP_WAITING : EK_STEP_DROPPED;
        }
    }
    (void)ek_course_drop_dependents(course);
}

bool ek_engine_find_split(struct ek_engine *engine, struct ek_course *course, const char *subject,
                          bool approves, const char **text, struct ek_arena *arena,
                          struct ek_error *err)
{
    enum ek_step_state *states = ek_arena_alloc(arena, course->step_count, sizeof(*states));
    struct ek_snapshot present;
    struct ek_cluster cluster;

    *text = NULL;
    if (states == NULL) {
        return ek_error_set(err, EK_ERR_NOMEM, "out of memory for an approval");
    }
    if (!ek_engine_present(engine, &present, err) ||
        !ek_cluster_init(&cluster, &present, &engine->policy, err)) {
        return false;
    }
    for (size_t i = 0; i < course->step_count; i++) {
        states[i] = course->steps[i].state;
    }
    decide(course, subject, approves);
    /* What stays offered may lapse after an approval; after a rejection it may yet be approved. */
    bool ok = find_split(engine, &cluster, course, !approves, text, arena);
    for (size_t i = 0; i < course->step_count; i++) {
        course->steps[i].state = states[i];
    }
    ek_cluster_finish(&cluster);
    return ok || ek_error_set(err, EK_ERR_NOMEM, "out of memory for an approval");
}
