/* What the balancer expects of the domains it sees, for verbs that plan as it does. */
#include "balancer/codec/memory.h"
#include "balancer/tools/view.h"

#include <stdlib.h>
#include <string.h>

static bool apply(struct ek_view *view, const char *json, const struct ek_policy *policy,
                  struct ek_error *err)
{
    struct ek_engine_memory memory;

    if (!ek_codec_read_memory(&memory, json, strlen(json), "memory", err)) {
        return false;
    }
    bool ok = ek_engine_memory_apply(&memory, policy, &view->snapshot, err);
    ek_engine_memory_finish(&memory);
    return ok;
}

void ek_view_expect(struct ek_view *view, const struct ek_tool *tool,
                    const struct ek_policy *policy)
{
    struct ek_error err = {0};
    char *json = NULL;

    if (!ek_store_get_memory(tool->store, &json, &err) ||
        (json != NULL && !apply(view, json, policy, &err))) {
        (void)ek_tool_complain(EK_EXIT_DONE, "warning: %s; planned on the newest samples alone",
                               err.message);
    }
    free(json);
}
