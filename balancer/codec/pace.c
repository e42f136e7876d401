/* The pace of an evacuation as JSON: its name, its limits, and what each would mean for a host. */
#include "balancer/codec/json.h"
#include "balancer/codec/preflight.h"

bool ek_json_get_pace(const struct ek_json_node *object, const char *key, enum ek_pace *pace)
{
    const char *names[EK_PACE_COUNT];
    unsigned int index = EK_PACE_LIMITS;

    for (unsigned int i = 0; i < EK_PACE_COUNT; i++) {
        names[i] = ek_pace_name((enum ek_pace)i);
    }
    bool ok = ek_json_get_choice(object, key, EK_JSON_OPTIONAL, names, EK_PACE_COUNT, &index);
    *pace = (enum ek_pace)index;
    return ok;
}

void ek_json_put_pace(struct ek_json_writer *writer, const struct ek_pace_choice *choice,
                      const struct ek_policy *policy)
{
    const struct ek_limits limits = ek_pace_limits(policy, choice->pace);

    ek_json_key(writer, "pace");
    ek_json_begin(writer, '{');
    ek_json_put_text(writer, "name", ek_pace_name(choice->pace));
    ek_json_put_bool(writer, "in_time", choice->in_time);
    ek_json_put_integer(writer, "cluster", limits.cluster);
    ek_json_put_integer(writer, "host_in", limits.host_in);
    ek_json_put_integer(writer, "host_out", limits.host_out);
    ek_json_put_number(writer, "bandwidth_per_host_mib_s", limits.bandwidth_per_host_mib_s);
    ek_json_put_number(writer, "bandwidth_cluster_mib_s", limits.bandwidth_cluster_mib_s);
    ek_json_end(writer, '}');
}

void ek_json_put_paces(struct ek_json_writer *writer, const struct ek_pace_host *host)
{
    ek_json_key(writer, "paces");
    ek_json_begin(writer, '[');
    for (int pace = 0; pace < EK_PACE_COUNT; pace++) {
        if (host->likely_ms[pace] >= 0) {
            ek_json_begin(writer, '{');
            ek_json_put_text(writer, "pace", ek_pace_name((enum ek_pace)pace));
            ek_json_put_seconds(writer, "eta_s", host->likely_ms[pace]);
            ek_json_put_number(writer, "slack_s",
                               (double)ek_pace_slack_ms(host, (enum ek_pace)pace) / 1000);
            ek_json_end(writer, '}');
        }
    }
    ek_json_end(writer, ']');
}
