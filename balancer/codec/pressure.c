/* Pressure of a host or of a domain's cgroup, where a collector sees it. */
#include "balancer/codec/json.h"

#include <math.h>

static const char *const names[] = {"cpu_some", "memory_some", "memory_full", "io_some", "io_full"};

enum { PARTS = sizeof(names) / sizeof(names[0]) };

bool ek_json_get_pressure(const struct ek_json_node *object, struct ek_pressure *out)
{
    double parts[PARTS] = {NAN, NAN, NAN, NAN, NAN};
    struct ek_json_node node;

    if (!ek_json_get_object(object, "pressure", EK_JSON_OPTIONAL, &node)) {
        return false;
    }
    for (size_t i = 0; node.item != NULL && i < PARTS; i++) {
        if (!ek_json_get_number(&node, names[i], EK_JSON_OPTIONAL, &ek_json_ratio, &parts[i])) {
            return false;
        }
    }
    if (node.item != NULL) {
        *out = (struct ek_pressure){true, parts[0], parts[1], parts[2], parts[3], parts[4]};
    }
    return true;
}

void ek_json_put_pressure(struct ek_json_writer *writer, const struct ek_pressure *pressure)
{
    const double parts[PARTS] = {pressure->cpu_some, pressure->memory_some, pressure->memory_full,
                                 pressure->io_some, pressure->io_full};

    if (!pressure->given) {
        return;
    }
    ek_json_key(writer, "pressure");
    ek_json_begin(writer, '{');
    for (size_t i = 0; i < PARTS; i++) {
        ek_json_put_number(writer, names[i], parts[i]);
    }
    ek_json_end(writer, '}');
}
