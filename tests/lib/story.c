#include "tests/lib/story.h"

#include "tests/lib/cluster_text.h"
#include "tests/lib/cmocka.h"

#include <stdio.h>
#include <string.h>

void ek_story_begin(struct ek_story *story)
{
    memset(story, 0, sizeof(*story));
    story->now_ms = 1000000;
    story->engine = ek_engine_create();
    assert_non_null(story->engine);
    ek_policy_defaults(&story->policy);
    story->policy.mode = EK_MODE_AUTOMATIC;
    story->policy.sustained_cycles = 1;
    /* Stories tell what one snapshot after the other shows; those of forecasts turn it on. */
    story->policy.forecast_window_ms = 0;
    ek_story_policy(story);
}

void ek_story_end(struct ek_story *story)
{
    ek_effects_finish(&story->effects);
    ek_engine_destroy(story->engine);
}

/* ---- effects as lines ----------------------------------------------------------------------- */

static void print_plan(struct ek_story *story, const struct ek_plan *plan, const char *fate)
{
    ek_text_add(&story->trace, "plan %s:", fate);
    for (size_t i = 0; i < plan->move_count; i++) {
        const struct ek_plan_move *move = &plan->moves[i];
        ek_text_add(&story->trace, "%s %s %s->%s %s", i == 0 ? "" : ",",
                    plan->snapshot->domains[move->domain].name,
                    plan->snapshot->hosts[move->source].name,
                    plan->snapshot->hosts[move->destination].name, ek_move_kind_name(move->kind));
    }
    ek_text_add(&story->trace, "\n");
}

static void print_promise(struct ek_story *story, const struct ek_maintenance_status *status)
{
    static const char *const words[] = {"not known", "feasible", "not feasible"};

    ek_text_add(&story->trace, "; %s", words[status->feasibility]);
    if (status->eta_ms >= 0) {
        ek_text_add(&story->trace, ", %.1f s (%.1f to %.1f)", (double)status->eta_ms / 1000,
                    (double)status->eta_low_ms / 1000, (double)status->eta_high_ms / 1000);
    }
    if (status->deadline_ms != 0) {
        ek_text_add(&story->trace, ", slack %.1f s at pace %s", (double)status->slack_ms / 1000,
                    ek_pace_name(status->pace));
    }
    for (size_t i = 0; i < status->order_count; i++) {
        ek_text_add(&story->trace, "%s%s", i == 0 ? ", order " : " ", status->order[i]);
    }
}

static void print_maintenance(struct ek_story *story, const struct ek_maintenance_status *status)
{
    ek_text_add(&story->trace, "maintenance %s %s, %u left", status->host,
                ek_maintenance_state_name(status->state), (unsigned int)status->domains_left);
    if (story->promises) {
        print_promise(story, status);
    }
    for (size_t i = 0; i < status->stop_count; i++) {
        ek_text_add(&story->trace, ", %s %s", ek_move_kind_name(status->stops[i].kind),
                    status->stops[i].name);
    }
    for (size_t i = 0; i < status->blocker_count; i++) {
        ek_text_add(&story->trace, "; %s: %s", status->blockers[i].name,
                    status->blockers[i].reason);
        if (story->promises && status->blockers[i].relaxation != NULL) {
            ek_text_add(&story->trace, " (%s)", status->blockers[i].relaxation);
        }
    }
    ek_text_add(&story->trace, "\n");
}

static void print_effect(struct ek_story *story, const struct ek_effect *effect)
{
    switch (effect->kind) {
    case EK_EFFECT_RECORD_PLAN:
        print_plan(story, effect->u.plan.plan, effect->u.plan.fate);
        break;
    case EK_EFFECT_RECORD_FATE:
        ek_text_add(&story->trace, "fate %s\n", effect->u.fate.fate);
        break;
    case EK_EFFECT_RECORD_VERIFIED: /* its event says the same */
        break;
    case EK_EFFECT_RECORD_EVENT:
        if (story->events) {
            ek_text_add(&story->trace, "%s %s: %s\n", effect->u.event.warning ? "warning" : "event",
                        effect->u.event.kind, effect->u.event.text);
        }
        break;
    case EK_EFFECT_RECORD_MAINTENANCE:
        print_maintenance(story, &effect->u.maintenance);
        break;
    case EK_EFFECT_REPLY:
        ek_text_add(&story->trace, "reply %s: %s\n", ek_error_text(effect->u.reply.code),
                    effect->u.reply.text);
        break;
    case EK_EFFECT_LIMIT:
        ek_text_add(&story->trace, "limit %s %llu\n", effect->u.limit.id,
                    (unsigned long long)effect->u.limit.bandwidth_mib_s);
        break;
    case EK_EFFECT_ABORT:
        ek_text_add(&story->trace, "abort %s\n", effect->u.abort.id);
        break;
    case EK_EFFECT_START:
        if (ek_move_stops(effect->u.start.kind)) {
            ek_text_add(&story->trace, "%s %s on %s\n", ek_move_kind_name(effect->u.start.kind),
                        effect->u.start.name, effect->u.start.source);
        } else {
            ek_text_add(&story->trace, "start %s %s->%s\n", effect->u.start.name,
                        effect->u.start.source, effect->u.start.destination);
        }
        break;
    case EK_EFFECT_WAKE:
        ek_text_add(&story->trace, "wake +%lld s\n",
                    (long long)(effect->u.wake_at_ms - story->now_ms) / 1000);
        break;
    }
}

void ek_story_step(struct ek_story *story, struct ek_event event)
{
    struct ek_error err = {0};

    event.now_ms = story->now_ms;
    assert_true(ek_engine_step(story->engine, &event, &story->effects, &err));
    for (size_t i = 0; i < story->effects.count; i++) {
        print_effect(story, &story->effects.items[i]);
    }
}

/* ---- events --------------------------------------------------------------------------------- */

void ek_story_policy(struct ek_story *story)
{
    ek_story_step(story, (struct ek_event){.kind = EK_EVENT_POLICY, .u.policy = &story->policy});
}

void ek_story_cycle(struct ek_story *story, const char *cluster)
{
    struct ek_snapshot snapshot;

    story->now_ms += EK_STORY_PERIOD_MS;
    ek_test_cluster(&snapshot, cluster);
    ek_test_sampled(&snapshot, story->now_ms, EK_STORY_PERIOD_MS);
    for (size_t h = 0; h < snapshot.host_count; h++) {
        /* Their own figures are known: what the guests use and nothing beside. */
        snapshot.hosts[h].cpu_used_cores = 0;
        snapshot.hosts[h].memory_used_mib = 0;
    }
    ek_story_step(story, (struct ek_event){.kind = EK_EVENT_SNAPSHOT, .u.snapshot = &snapshot});
    ek_snapshot_finish(&snapshot);
}

void ek_story_settle(struct ek_story *story, const char *cluster)
{
    story->now_ms += 2 * EK_STORY_PERIOD_MS;
    ek_story_cycle(story, cluster);
}

static void end(struct ek_story *story, const char *domain, enum ek_move_state state, bool fault,
                int attempts)
{
    struct ek_engine_view view = ek_engine_view(story->engine);
    size_t i = 0;

    while (i < view.running_count && strcmp(view.running[i].domain, domain) != 0) {
        i++;
    }
    assert_true(i < view.running_count);
    const struct ek_move_order order = view.running[i];
    struct ek_outcome outcome = {.kind = order.kind,
                                 .state = state,
                                 .attempts = attempts,
                                 .destination_at_fault = fault,
                                 .started_at_ms = story->now_ms};
    story->now_ms += 1000;
    outcome.ended_at_ms = story->now_ms;
    memcpy(outcome.id, order.id, sizeof(outcome.id));
    memcpy(outcome.plan_id, order.plan_id, sizeof(outcome.plan_id));
    memcpy(outcome.domain, order.domain, sizeof(outcome.domain));
    memcpy(outcome.source, order.source, sizeof(outcome.source));
    memcpy(outcome.destination, order.destination, sizeof(outcome.destination));
    ek_story_step(story, (struct ek_event){.kind = EK_EVENT_OUTCOME, .u.outcome = &outcome});
}

void ek_story_outcome(struct ek_story *story, const char *domain, enum ek_move_state state)
{
    end(story, domain, state, false, 1);
}

void ek_story_fault(struct ek_story *story, const char *domain, enum ek_move_state state)
{
    end(story, domain, state, true, 1);
}

void ek_story_refuse_start(struct ek_story *story, const char *domain)
{
    end(story, domain, EK_MOVE_CANCELLED, false, 0);
}

void ek_story_adopt(struct ek_story *story, const char *domain, const char *source,
                    const char *destination)
{
    struct ek_move_order order = {.seq = 1, .kind = EK_MOVE_BALANCE};

    (void)snprintf(order.id, sizeof(order.id), "earlier-%s", domain);
    (void)snprintf(order.plan_id, sizeof(order.plan_id), "earlier");
    (void)snprintf(order.domain, sizeof(order.domain), "%s", domain);
    (void)snprintf(order.name, sizeof(order.name), "%s", domain);
    (void)snprintf(order.source, sizeof(order.source), "%s", source);
    (void)snprintf(order.destination, sizeof(order.destination), "%s", destination);
    ek_story_step(story, (struct ek_event){.kind = EK_EVENT_ADOPT, .u.adopt = &order});
}

void ek_story_block(struct ek_story *story, const char *domain)
{
    ek_story_step(story, (struct ek_event){.kind = EK_EVENT_BLOCK, .u.block = domain});
}

void ek_story_command(struct ek_story *story, enum ek_command_kind kind, const char *subject,
                      const char *host)
{
    struct ek_command command = {.id = "c1", .kind = kind};

    (void)snprintf(command.subject, sizeof(command.subject), "%s", subject);
    (void)snprintf(command.host, sizeof(command.host), "%s", host);
    ek_story_step(story, (struct ek_event){.kind = EK_EVENT_COMMAND, .u.command = &command});
}

void ek_story_hold(struct ek_story *story, const char *why)
{
    ek_story_step(story, (struct ek_event){.kind = EK_EVENT_HOLD, .u.hold = why});
}

void ek_story_release(struct ek_story *story)
{
    ek_story_step(story, (struct ek_event){.kind = EK_EVENT_RELEASE});
}

void ek_story_expect(struct ek_story *story, const char *trace)
{
    assert_string_equal(story->trace.text, trace);
    ek_text_clear(&story->trace);
}
