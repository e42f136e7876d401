#include "balancer/codec/preflight.h"

#include "balancer/codec/plan.h"
#include "balancer/codec/writer.h"

static void put_eta(struct ek_json_writer *writer, const struct ek_eta *eta)
{
    ek_json_put_seconds(writer, "eta_s", eta->likely_ms);
    ek_json_put_seconds(writer, "eta_low_s", eta->low_ms);
    ek_json_put_seconds(writer, "eta_high_s", eta->high_ms);
}

/* Of all that were asked for together: the one that takes longest decides. */
static void put_whole(struct ek_json_writer *writer, const struct ek_preflight *preflight,
                      const bool *asked)
{
    struct ek_eta eta = {0, 0, 0};
    bool feasible = true;

    for (size_t i = 0; i < preflight->host_count; i++) {
        const struct ek_preflight_host *it = &preflight->hosts[i];
        if (asked[it->host]) {
            feasible = feasible && it->feasible;
            eta = it->eta.likely_ms > eta.likely_ms ? it->eta : eta;
        }
    }
    ek_json_put_integer(writer, "version", 1);
    ek_json_put_text(writer, "plan", preflight->plan->id);
    ek_json_put_bool(writer, "feasible", feasible);
    put_eta(writer, &eta);
}

static void write_host(struct ek_json_writer *writer, const struct ek_preflight *preflight,
                       const struct ek_pace_choice *choice, const struct ek_preflight_host *it)
{
    const struct ek_pace_host *pace = ek_pace_find(choice, it->host);

    ek_json_break(writer);
    ek_json_begin(writer, '{');
    ek_json_put_text(writer, "host", preflight->plan->snapshot->hosts[it->host].name);
    ek_json_put_bool(writer, "feasible", it->feasible);
    ek_json_put_text(writer, "problem", it->problem);
    ek_json_put_integer(writer, "domains", it->domains);
    ek_json_put_integer(writer, "leaving", it->leaving);
    ek_json_put_integer(writer, "arriving", it->arriving);
    ek_json_put_integer(writer, "stuck", it->stuck);
    ek_json_put_integer(writer, "saved", it->saved);
    ek_json_put_integer(writer, "shut_down", it->shut_down);
    ek_json_put_integer(writer, "unmeasured", it->unmeasured);
    ek_json_put_integer(writer, "doubtful", it->doubtful);
    put_eta(writer, &it->eta);
    if (pace != NULL) {
        ek_json_put_integer(writer, "deadline_ms",
                            preflight->plan->snapshot->hosts[it->host].deadline_ms);
        ek_json_put_number(writer, "slack_s", (double)ek_pace_slack_ms(pace, choice->pace) / 1000);
        ek_json_put_paces(writer, pace);
    }
    ek_json_end(writer, '}');
}

static void write_relaxation(struct ek_json_writer *writer, const struct ek_plan *plan,
                             const struct ek_relaxation *it)
{
    ek_json_key(writer, "relaxation");
    ek_json_begin(writer, '{');
    if (it->host != EK_NONE) {
        ek_json_put_text(writer, "host", plan->snapshot->hosts[it->host].name);
    }
    ek_json_put_text(writer, "text", it->text);
    ek_json_end(writer, '}');
}

static void write_stuck(struct ek_json_writer *writer, const struct ek_plan *plan,
                        const struct ek_preflight_stuck *it)
{
    const struct ek_snapshot *snapshot = plan->snapshot;

    ek_json_break(writer);
    ek_json_begin(writer, '{');
    ek_json_put_text(writer, "domain", snapshot->domains[it->domain].uuid);
    ek_json_put_text(writer, "name", snapshot->domains[it->domain].name);
    ek_json_put_text(writer, "host", snapshot->hosts[it->host].name);
    ek_json_put_bool(writer, "for_now", it->for_now);
    ek_json_put_text(writer, "reason", it->reason);
    ek_json_key(writer, "hosts");
    ek_json_begin(writer, '[');
    for (size_t i = 0; i < it->refusal_count; i++) {
        ek_json_begin(writer, '{');
        ek_json_put_text(writer, "host", snapshot->hosts[it->refusals[i].host].name);
        ek_json_put_text(writer, "reason", it->refusals[i].reason);
        ek_json_end(writer, '}');
    }
    ek_json_end(writer, ']');
    write_relaxation(writer, plan, &it->relaxation);
    ek_json_end(writer, '}');
}

char *ek_codec_write_preflight(const struct ek_preflight *preflight,
                               const struct ek_pace_choice *choice, const struct ek_policy *policy,
                               const bool *asked, const bool *wanted)
{
    const struct ek_plan *plan = preflight->plan;
    struct ek_json_writer writer = {0};

    ek_json_begin(&writer, '{');
    put_whole(&writer, preflight, asked);
    if (choice->host_count > 0) {
        ek_json_break(&writer);
        ek_json_put_pace(&writer, choice, policy);
    }
    ek_json_break(&writer);
    ek_json_key(&writer, "hosts");
    ek_json_begin(&writer, '[');
    for (size_t i = 0; i < preflight->host_count; i++) {
        if (asked[preflight->hosts[i].host]) {
            write_host(&writer, preflight, choice, &preflight->hosts[i]);
        }
    }
    ek_json_end(&writer, ']');
    ek_json_break(&writer);
    ek_json_key(&writer, "moves");
    ek_json_begin(&writer, '[');
    /* In the order in which they start. */
    for (size_t i = 0; i < plan->move_count; i++) {
        uint32_t index = preflight->schedule->order[i];
        if (wanted[index]) {
            ek_json_write_move(&writer, plan, preflight->schedule, index);
        }
    }
    ek_json_end(&writer, ']');
    ek_json_break(&writer);
    ek_json_key(&writer, "stuck");
    ek_json_begin(&writer, '[');
    for (size_t i = 0; i < preflight->stuck_count; i++) {
        if (asked[preflight->stuck[i].host]) {
            write_stuck(&writer, plan, &preflight->stuck[i]);
        }
    }
    ek_json_end(&writer, ']');
    ek_json_put_stops(&writer, plan, asked);
    ek_json_end(&writer, '}');
    return ek_json_finish(&writer);
}
