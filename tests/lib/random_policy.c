#include "tests/lib/random.h"

void ek_random_policy(struct ek_policy *out, struct ek_random *random)
{
    ek_policy_defaults(out);
    ek_policy_set_aggressiveness(out, 1 + (int)ek_random_below(random, 5));
    out->kind = (enum ek_policy_kind)ek_random_below(random, EK_POLICY_KIND_COUNT);
    out->spare_hosts = (int)ek_random_below(random, 2);
    out->limit_cluster = 1 + (int)ek_random_below(random, 6);
    out->limit_host_in = 1 + (int)ek_random_below(random, 2);
    out->limit_host_out = 1 + (int)ek_random_below(random, 2);
    out->cpu_overcommit = 1 + ek_random_below(random, 3);
    out->moves_per_plan = ek_random_below(random, 4) == 0 ? 3 : 40;
}
