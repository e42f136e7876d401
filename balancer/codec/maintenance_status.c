/* maintenance-status:<host>: the engine's word on a host that is to be emptied. */
#include "balancer/codec/json.h"
#include "balancer/codec/plan.h"

#include <math.h>
#include <stdlib.h>

static void write_relaxation(struct ek_json_writer *writer, const struct ek_blocker *blocker)
{
    if (blocker->relaxation != NULL) {
        ek_json_key(writer, "relaxation");
        ek_json_begin(writer, '{');
        ek_json_put_text(writer, "host", blocker->relaxation_host);
        ek_json_put_text(writer, "text", blocker->relaxation);
        ek_json_end(writer, '}');
    }
}

/* Absent when there are none. */
static void write_stops(struct ek_json_writer *writer, const struct ek_maintenance_status *status)
{
    for (size_t i = 0; i < status->stop_count; i++) {
        const struct ek_stop_note *it = &status->stops[i];
        if (i == 0) {
            ek_json_key(writer, "stops");
            ek_json_begin(writer, '[');
        }
        ek_json_begin(writer, '{');
        ek_json_put_text(writer, "domain", it->domain);
        ek_json_put_text(writer, "name", it->name);
        ek_json_put_text(writer, "kind", ek_move_kind_name(it->kind));
        ek_json_put_bool(writer, "running", it->running);
        ek_json_end(writer, '}');
    }
    if (status->stop_count > 0) {
        ek_json_end(writer, ']');
    }
}

/* Apart from the text's begin and end, since `evenkeel --json` puts the same object into larger
 * ones. */
void ek_json_write_maintenance(struct ek_json_writer *writer,
                               const struct ek_maintenance_status *status)
{
    ek_json_begin(writer, '{');
    ek_json_put_integer(writer, "version", 1);
    ek_json_put_text(writer, "state", ek_maintenance_state_name(status->state));
    if (ek_maintenance_counted(status)) {
        ek_json_put_integer(writer, "domains_left", status->domains_left);
    }
    if (status->feasibility != EK_FEASIBILITY_UNKNOWN) {
        ek_json_put_bool(writer, "feasible", status->feasibility == EK_FEASIBLE);
    }
    /* No ETA rather than a negative one: absent means "not known". */
    if (status->eta_ms >= 0) {
        ek_json_put_seconds(writer, "eta_s", status->eta_ms);
        ek_json_put_seconds(writer, "eta_low_s", status->eta_low_ms);
        ek_json_put_seconds(writer, "eta_high_s", status->eta_high_ms);
    }
    /* Of a host that is empty there is nothing to be late with. */
    if (status->deadline_ms != 0 && status->state != EK_MAINTENANCE_EVACUATED) {
        ek_json_put_integer(writer, "deadline_ms", status->deadline_ms);
        ek_json_put_number(writer, "slack_s", (double)status->slack_ms / 1000);
        ek_json_put_text(writer, "pace", ek_pace_name(status->pace));
    }
    if (status->promised_at_ms != 0) {
        ek_json_put_integer(writer, "promised_at_ms", status->promised_at_ms);
    }
    if (status->order_count > 0) {
        ek_json_put_strings(writer, "order",
                            (struct ek_strings){status->order, status->order_count, true});
    }
    write_stops(writer, status);
    ek_json_key(writer, "blockers");
    ek_json_begin(writer, '[');
    for (size_t i = 0; i < status->blocker_count; i++) {
        ek_json_begin(writer, '{');
        ek_json_put_text(writer, "domain", status->blockers[i].domain);
        ek_json_put_text(writer, "name", status->blockers[i].name);
        ek_json_put_text(writer, "reason", status->blockers[i].reason);
        write_relaxation(writer, &status->blockers[i]);
        ek_json_end(writer, '}');
    }
    ek_json_end(writer, ']');
    ek_json_end(writer, '}');
}

char *ek_codec_write_maintenance(const struct ek_maintenance_status *status)
{
    struct ek_json_writer writer = {0};

    ek_json_write_maintenance(&writer, status);
    return ek_json_finish(&writer);
}

/* Domain and name are empty where the host itself is the blocker, a stale sample for example. */
static bool read_blocker(const struct ek_json_node *node, size_t index, void *context)
{
    struct ek_blocker *blocker = &((struct ek_blocker *)context)[index];

    *blocker = (struct ek_blocker){.domain = "", .name = ""};
    struct ek_json_node relaxation;
    return ek_json_get_text(node, "domain", EK_JSON_OPTIONAL, &blocker->domain) &&
           ek_json_get_text(node, "name", EK_JSON_OPTIONAL, &blocker->name) &&
           ek_json_get_text(node, "reason", EK_JSON_REQUIRED, &blocker->reason) &&
           ek_json_get_object(node, "relaxation", EK_JSON_OPTIONAL, &relaxation) &&
           (relaxation.item == NULL ||
            (ek_json_get_text(&relaxation, "text", EK_JSON_REQUIRED, &blocker->relaxation) &&
             ek_json_get_text(&relaxation, "host", EK_JSON_OPTIONAL, &blocker->relaxation_host)));
}

static bool read_stop(const struct ek_json_node *node, size_t index, void *context)
{
    static const char *const names[] = {"save", "shutdown"};
    struct ek_stop_note *it = &((struct ek_stop_note *)context)[index];
    unsigned int kind = 0;

    *it = (struct ek_stop_note){.domain = ""};
    if (!ek_json_get_text(node, "domain", EK_JSON_REQUIRED, &it->domain) ||
        !ek_json_get_text(node, "name", EK_JSON_OPTIONAL, &it->name) ||
        !ek_json_get_choice(node, "kind", EK_JSON_REQUIRED, names, 2, &kind) ||
        !ek_json_get_bool(node, "running", EK_JSON_OPTIONAL, &it->running)) {
        return false;
    }
    it->name = it->name == NULL ? it->domain : it->name;
    it->kind = kind == 0 ? EK_MOVE_SAVE : EK_MOVE_SHUTDOWN;
    return true;
}

/* Rounded, not cut: 1.001 s as a double may be a hair below 1001 ms. `absent_ms` when it is absent.
 */
static bool read_seconds(const struct ek_json_node *node, const char *key, int64_t absent_ms,
                         int64_t *out_ms)
{
    /* Seconds become milliseconds, so that 2^53 is divided by 1000. */
    static const struct ek_json_range range = {0, EK_JSON_MAX_NUMBER / 1000, false,
                                               "a number of seconds of 0 or more"};
    double seconds = NAN;

    if (!ek_json_get_number(node, key, EK_JSON_OPTIONAL, &range, &seconds)) {
        return false;
    }
    *out_ms = isnan(seconds) ? absent_ms : (int64_t)llround(seconds * 1000);
    return true;
}

/* What was promised; members that an older balancer does not write are absent. */
static bool read_promise(const struct ek_json_node *node, struct ek_maintenance_status *out)
{
    static const struct ek_json_range any = {
        -(EK_JSON_MAX_NUMBER) / 1000, EK_JSON_MAX_NUMBER / 1000, false, "a number of seconds"};
    struct ek_strings order = {.count = 0};
    double slack_s = 0;
    bool feasible = false;
    bool absent = true;

    if (!ek_json_get_bool(node, "feasible", EK_JSON_OPTIONAL, &feasible) ||
        !read_seconds(node, "eta_s", -1, &out->eta_ms) ||
        !read_seconds(node, "eta_low_s", out->eta_ms, &out->eta_low_ms) ||
        !read_seconds(node, "eta_high_s", out->eta_ms, &out->eta_high_ms) ||
        !ek_json_get_integer(node, "promised_at_ms", EK_JSON_OPTIONAL, 0,
                             (int64_t)EK_JSON_MAX_NUMBER, &out->promised_at_ms) ||
        !ek_json_get_integer(node, "deadline_ms", EK_JSON_OPTIONAL, 0, (int64_t)EK_JSON_MAX_NUMBER,
                             &out->deadline_ms) ||
        !ek_json_get_number(node, "slack_s", EK_JSON_OPTIONAL, &any, &slack_s) ||
        !ek_json_get_pace(node, "pace", &out->pace) ||
        !ek_json_get_strings(node, "order", &order)) {
        return false;
    }
    absent = cJSON_GetObjectItemCaseSensitive(node->item, "feasible") == NULL;
    out->feasibility = absent ? EK_FEASIBILITY_UNKNOWN : feasible ? EK_FEASIBLE : EK_NOT_FEASIBLE;
    out->slack_ms = (int64_t)llround(slack_s * 1000);
    out->order = order.items;
    out->order_count = order.count;
    return true;
}

static bool read_members(const struct ek_json_node *node, struct ek_maintenance_status *out)
{
    /* The engine's own words, so that writer and reader cannot differ. */
    const char *names[EK_MAINTENANCE_INFEASIBLE + 1];
    unsigned int state = 0;
    int64_t left = 0;

    for (unsigned int i = 0; i <= EK_MAINTENANCE_INFEASIBLE; i++) {
        names[i] = ek_maintenance_state_name((enum ek_maintenance_state)i);
    }
    if (!ek_json_get_choice(node, "state", EK_JSON_REQUIRED, names, EK_MAINTENANCE_INFEASIBLE + 1,
                            &state) ||
        !ek_json_get_integer(node, "domains_left", EK_JSON_OPTIONAL, 0, UINT32_MAX, &left) ||
        !read_promise(node, out)) {
        return false;
    }
    out->state = (enum ek_maintenance_state)state;
    out->domains_left = (uint32_t)left;
    return true;
}

bool ek_codec_read_maintenance_status(struct ek_maintenance_status *out, struct ek_arena *arena,
                                      const char *text, size_t size, const char *name,
                                      struct ek_error *err)
{
    const struct ek_json_reader reader = {.name = name, .arena = arena, .err = err};
    struct ek_json_list lists[] = {{.key = "blockers"}, {.key = "stops"}};
    cJSON *document EK_JSON_SCOPED = NULL;

    *out = (struct ek_maintenance_status){.eta_ms = -1};
    if (!ek_json_open(&reader, text, size, lists, 2, &document)) {
        return false;
    }
    const struct ek_json_node node = {.reader = &reader, .item = document};
    struct ek_blocker *blockers = ek_arena_alloc(arena, lists[0].left, sizeof(*blockers));
    struct ek_stop_note *stops = ek_arena_alloc(arena, lists[1].left, sizeof(*stops));
    if (blockers == NULL || stops == NULL) {
        return ek_json_no_memory(&reader);
    }
    out->blockers = blockers;
    out->blocker_count = lists[0].left;
    out->stops = stops;
    out->stop_count = lists[1].left;
    /* The count is that of the text; on failure nobody looks at the rest. */
    return read_members(&node, out) &&
           ek_json_read_list(&reader, &lists[0], read_blocker, blockers) &&
           ek_json_read_list(&reader, &lists[1], read_stop, stops);
}
