#include "tests/lib/documents.h"

#include "balancer/codec/codec.h"
#include "balancer/codec/plan.h"
#include "balancer/config/config.h"
#include "balancer/core/schedule/pace_choice.h"
#include "policies/policy_ops.h"
#include "tests/lib/cmocka.h"
#include "tests/lib/referee.h"

#include <stdlib.h>
#include <string.h>

/* A referee adds everything up anew at every instant: its work grows with the cube of these. */
enum { JUDGED_HOSTS = 64, JUDGED_DOMAINS = 300, JUDGED_RULES = 64, JUDGED_RULE_BYTES = 200 };

/* MiB and cores of anything that is built; the referee tolerates 0.01. */
#define LEAST_FIGURE 1e-3
#define GREATEST_FIGURE 1e9

struct reading {
    struct ek_snapshot snapshot;
    struct ek_policy policy;
    struct ek_rules rules;
};

/* What is not known passes. */
static bool usual(double figure)
{
    return !(figure > GREATEST_FIGURE) && !(figure > 0 && figure < LEAST_FIGURE);
}

/* The referee takes two carried rules of one kind for one rule when their texts are equal, and has
 * no opinion on which counts when they differ. */
static bool agree(const char *text, const char *other)
{
    size_t kind = strcspn(text, " ");

    return strncmp(text, other, kind) != 0 || strcmp(text, other) == 0;
}

static bool plain_rules(const struct ek_snapshot *snapshot)
{
    const char *texts[JUDGED_RULES];
    size_t count = 0;

    for (size_t d = 0; d < snapshot->domain_count; d++) {
        const struct ek_strings *rules = &snapshot->domains[d].rules;
        for (size_t r = 0; r < rules->count; r++) {
            for (size_t i = 0; i < count; i++) {
                if (!agree(rules->items[r], texts[i])) {
                    return false;
                }
            }
            if (count == JUDGED_RULES || strlen(rules->items[r]) >= JUDGED_RULE_BYTES) {
                return false;
            }
            texts[count++] = rules->items[r];
        }
    }
    return true;
}

static bool judgeable(const struct ek_snapshot *snapshot)
{
    bool well = snapshot->host_count <= JUDGED_HOSTS && snapshot->domain_count <= JUDGED_DOMAINS &&
                plain_rules(snapshot);

    for (size_t h = 0; h < snapshot->host_count; h++) {
        const struct ek_host *it = &snapshot->hosts[h];
        well = well && usual(it->cpu_cores) && usual(it->memory_mib) && usual(it->cpu_used_cores) &&
               usual(it->memory_used_mib) && usual(it->migration_mib_s);
    }
    for (size_t d = 0; d < snapshot->domain_count; d++) {
        const struct ek_domain *it = &snapshot->domains[d];
        well = well && usual(it->vcpus) && usual(it->memory_mib) && usual(it->cpu_used_cores) &&
               usual(it->memory_used_mib) && usual(it->memory_rss_mib) && usual(it->dirty_mib_s) &&
               usual(it->local_disk_mib);
    }
    return well;
}

static bool read_policy(struct reading *out, const struct ek_documents *in, struct ek_error *err)
{
    ek_policy_defaults(&out->policy);
    return in->policy == NULL || ek_policy_parse(&out->policy, &out->rules, in->policy,
                                                 in->policy_size, "policy", NULL, err);
}

static bool read_snapshot(struct reading *out, const struct ek_documents *in, struct ek_error *err)
{
    if (!ek_codec_read_snapshot(&out->snapshot, in->snapshot, in->snapshot_size, "snapshot", err) ||
        !ek_snapshot_check(&out->snapshot, err) || !ek_snapshot_sort(&out->snapshot, err) ||
        !ek_rule_set_check(out->policy.rules, &out->snapshot, err)) {
        return false;
    }
    for (size_t i = 0; i < in->evacuate_count; i++) {
        uint32_t host = ek_snapshot_find_host(&out->snapshot, in->evacuate[i]);
        if (host == EK_NONE) {
            return ek_error_set(err, EK_ERR_INVALID, "found no host %s", in->evacuate[i]);
        }
        out->snapshot.hosts[host].maintenance = true;
    }
    return true;
}

static void plan_and_judge(const struct reading *in, struct ek_text *complaints)
{
    struct ek_evaluation evaluation;
    struct ek_plan plan;
    struct ek_schedule schedule;
    struct ek_pace_choice choice;
    struct ek_error err;
    const struct ek_plan_request request = {
        .evaluation = &evaluation, .trials = 2000, .balance = ek_policy_find(in->policy.kind)};

    assert_true(ek_evaluate(&evaluation, &in->snapshot, &in->policy, &err));
    assert_true(ek_plan_make(&plan, &request, &err));
    assert_true(ek_pace_choose(&choice, &schedule, &plan, &in->policy, EK_PACE_LIMITS, &err));
    char *text = ek_codec_write_plan(&plan, &schedule);
    assert_non_null(text);
    free(text);
    if (judgeable(&in->snapshot)) {
        ek_referee_judge(&plan, &schedule, &in->policy, complaints);
    }
    ek_pace_choice_finish(&choice);
    ek_schedule_finish(&schedule);
    ek_plan_finish(&plan);
    ek_evaluation_finish(&evaluation);
}

bool ek_documents_judge(const struct ek_documents *in, struct ek_text *complaints,
                        struct ek_error *err)
{
    struct reading reading = {.snapshot = {.hosts = NULL}};
    bool read = read_policy(&reading, in, err) && read_snapshot(&reading, in, err);

    if (read) {
        plan_and_judge(&reading, complaints);
    }
    ek_snapshot_finish(&reading.snapshot);
    ek_rules_finish(&reading.rules);
    return read;
}
