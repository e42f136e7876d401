/* Any bytes as a policy: read, or refused with a line; what is read comes back from its dump. */
#include "balancer/config/config.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_dump(const struct ek_policy *policy)
{
    struct ek_policy back;
    struct ek_rules rules;
    struct ek_error err;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    if (out == NULL) {
        return;
    }
    if (!ek_policy_dump(policy, out, &err) || fclose(out) != 0 ||
        !ek_policy_parse(&back, &rules, text, size, "dump", NULL, &err)) {
        abort();
    }
    if (back.cooldown_ms != policy->cooldown_ms || back.cost_weight != policy->cost_weight ||
        back.trigger_imbalance != policy->trigger_imbalance || back.retries != policy->retries ||
        rules.count != policy->rules->count) {
        abort();
    }
    ek_rules_finish(&rules);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ek_config_problems problems;
    struct ek_policy policy;
    struct ek_rules rules;
    struct ek_error err;
    const char *text = size == 0 ? "" : (const char *)data;

    if (ek_policy_parse(&policy, &rules, text, size, "fuzz", &problems, &err)) {
        check_dump(&policy);
        ek_rules_finish(&rules);
    } else if (problems.count == 0 || problems.items[0].line < 1) {
        abort();
    }
    return 0;
}
