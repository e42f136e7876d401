/* maintenance-status:<host>: the engine's word on a host that is to be emptied. */
#include "balancer/codec/json.h"
#include "balancer/codec/plan.h"

#include <math.h>
#include <stdlib.h>

/* Apart from the text's begin and end, since `evenkeel --json` puts the same object into larger
 * ones. */
void ek_json_write_maintenance(struct ek_json_writer *writer,
                               const struct ek_maintenance_status *status)
{
    ek_json_begin(writer, '{');
    ek_json_put_integer(writer, "version", 1);
    ek_json_put_text(writer, "state", ek_maintenance_state_name(status->state));
    ek_json_put_integer(writer, "domains_left", status->domains_left);
    /* No ETA rather than a negative one: absent means "not known". */
    if (status->eta_ms >= 0) {
        ek_json_put_seconds(writer, "eta_s", status->eta_ms);
    }
    ek_json_key(writer, "blockers");
    ek_json_begin(writer, '[');
    for (size_t i = 0; i < status->blocker_count; i++) {
        ek_json_begin(writer, '{');
        ek_json_put_text(writer, "domain", status->blockers[i].domain);
        ek_json_put_text(writer, "name", status->blockers[i].name);
        ek_json_put_text(writer, "reason", status->blockers[i].reason);
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
    return ek_json_get_text(node, "domain", EK_JSON_OPTIONAL, &blocker->domain) &&
           ek_json_get_text(node, "name", EK_JSON_OPTIONAL, &blocker->name) &&
           ek_json_get_text(node, "reason", EK_JSON_REQUIRED, &blocker->reason);
}

static bool read_members(const struct ek_json_node *node, struct ek_maintenance_status *out)
{
    /* Seconds become milliseconds, so that 2^53 is divided by 1000. */
    static const struct ek_json_range range = {0, EK_JSON_MAX_NUMBER / 1000, false,
                                               "a number of seconds of 0 or more"};
    /* The engine's own words, so that writer and reader cannot differ. */
    const char *names[EK_MAINTENANCE_INFEASIBLE + 1];
    unsigned int state = 0;
    int64_t left = 0;
    double eta_s = NAN;

    for (unsigned int i = 0; i <= EK_MAINTENANCE_INFEASIBLE; i++) {
        names[i] = ek_maintenance_state_name((enum ek_maintenance_state)i);
    }
    if (!ek_json_get_choice(node, "state", EK_JSON_REQUIRED, names, EK_MAINTENANCE_INFEASIBLE + 1,
                            &state) ||
        !ek_json_get_integer(node, "domains_left", EK_JSON_REQUIRED, 0, UINT32_MAX, &left) ||
        !ek_json_get_number(node, "eta_s", EK_JSON_OPTIONAL, &range, &eta_s)) {
        return false;
    }
    out->state = (enum ek_maintenance_state)state;
    out->domains_left = (uint32_t)left;
    /* Rounded, not cut: 1.001 s as a double may be a hair below 1001 ms. */
    out->eta_ms = isnan(eta_s) ? -1 : (int64_t)llround(eta_s * 1000);
    return true;
}

bool ek_codec_read_maintenance_status(struct ek_maintenance_status *out, struct ek_arena *arena,
                                      const char *text, size_t size, const char *name,
                                      struct ek_error *err)
{
    const struct ek_json_reader reader = {.name = name, .arena = arena, .err = err};
    struct ek_json_list list = {.key = "blockers"};
    cJSON *document EK_JSON_SCOPED = NULL;

    *out = (struct ek_maintenance_status){.eta_ms = -1};
    if (!ek_json_open(&reader, text, size, &list, 1, &document)) {
        return false;
    }
    const struct ek_json_node node = {.reader = &reader, .item = document};
    struct ek_blocker *blockers = ek_arena_alloc(arena, list.left, sizeof(*blockers));
    if (blockers == NULL) {
        return ek_json_no_memory(&reader);
    }
    out->blockers = blockers;
    out->blocker_count = list.left;
    /* The count is that of the text; on failure nobody looks at the rest. */
    return read_members(&node, out) && ek_json_read_list(&reader, &list, read_blocker, blockers);
}
