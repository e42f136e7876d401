/* Dumps: a file that people can read and that reads back as the same values. */
#include "balancer/core/pace.h"
#include "support.h"

#include <math.h>

static char dumped[64 * 1024];

static const char *dump_policy(const struct ek_policy *policy)
{
    struct ek_error err;
    FILE *out = fmemopen(dumped, sizeof(dumped), "w");

    memset(dumped, 0, sizeof(dumped));
    assert_non_null(out);
    assert_true(ek_policy_dump(policy, out, &err));
    assert_int_equal(fclose(out), 0);
    return dumped;
}

static const char *dump_config(const struct ek_config *config)
{
    struct ek_error err;
    FILE *out = fmemopen(dumped, sizeof(dumped), "w");

    memset(dumped, 0, sizeof(dumped));
    assert_non_null(out);
    assert_true(ek_config_dump(config, out, &err));
    assert_int_equal(fclose(out), 0);
    return dumped;
}

static uint64_t next(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* Whether its field is the policy's own, and not a text or a list of the file. */
static bool is_of_policy(const struct ek_schema_row *row)
{
    return row->type != EK_VALUE_VERSION && row->type != EK_VALUE_LIST &&
           row->type != EK_VALUE_STRING;
}

/* A value of the row's range that a file can express, written into the field. */
static void randomize(const struct ek_schema_row *row, unsigned char *base, uint64_t *seed)
{
    void *field = base + row->offset;
    double part = (double)(next(seed) % 100001) / 100000.0;
    double real = row->min + part * (row->max - row->min);

    if (row->type == EK_VALUE_BOOL) {
        *(bool *)field = part > 0.5;
    } else if (row->type == EK_VALUE_WORD) {
        *(int *)field = (int)(next(seed) % (unsigned int)row->word_count);
    } else if (row->type == EK_VALUE_INT) {
        *(int *)field = (int)real;
    } else if (row->type == EK_VALUE_DURATION) {
        *(int64_t *)field = (int64_t)real;
    } else if (is_of_policy(row)) {
        *(double *)field = (double)(int64_t)(real * 10000.0) / 10000.0;
    }
}

/* Property: any policy, dumped and read, is the same policy. */
static void policy_round_trip(void **state)
{
    uint64_t seed = 20261123;

    (void)state;
    for (int round = 0; round < 300; round++) {
        struct ek_policy policy;
        struct ek_policy back;
        struct ek_error err;
        ek_policy_defaults(&policy);
        for (size_t i = 0; i < ek_policy_schema.count; i++) {
            randomize(&ek_policy_schema.rows[i], (unsigned char *)&policy, &seed);
        }
        policy.weight[EK_CPU] = fmax(policy.weight[EK_CPU], 0.25); /* both may not be 0 */
        policy.urgent = ek_pace_limits(&policy, EK_PACE_URGENT);   /* not below the limits */
        policy.post_copy = false; /* goes neither with two_step: always nor with many connections */
        const char *text = dump_policy(&policy);
        ek_policy_defaults(&back);
        if (!ek_policy_parse(&back, NULL, text, strlen(text), "dump", NULL, &err)) {
            fail_msg("%s\n%s", err.message, text);
        }
        for (size_t i = 0; i < ek_policy_schema.count; i++) {
            const struct ek_schema_row *row = &ek_policy_schema.rows[i];
            size_t size = row->type == EK_VALUE_BOOL   ? sizeof(bool)
                          : row->type == EK_VALUE_INT  ? sizeof(int)
                          : row->type == EK_VALUE_WORD ? sizeof(int)
                                                       : sizeof(double);
            if (is_of_policy(row) &&
                memcmp((char *)&policy + row->offset, (char *)&back + row->offset, size) != 0) {
                fail_msg("%s differs after:\n%s", row->path, text);
            }
        }
    }
}

/* Further resources, dumped and read, are the same, in their order. */
static void further_resources_round_trip(void **state)
{
    static const char text[] = "resources:\n  further:\n    - {name: net, weight: 0.5, target_max: "
                               "80%}\n    - {name: gpu, weight: 0}\n";
    struct ek_policy policy;
    struct ek_policy back;
    struct ek_error err = {0};

    (void)state;
    assert_true(ek_policy_parse(&policy, NULL, text, strlen(text), "p", NULL, &err));
    const char *dump = dump_policy(&policy);
    assert_true(ek_policy_parse(&back, NULL, dump, strlen(dump), "dump", NULL, &err));
    assert_int_equal(back.resources.count, 4);
    assert_string_equal(back.resources.names[2], "net");
    assert_true(back.weight[2] == 0.5 && back.target_max[2] == 0.8);
    assert_string_equal(back.resources.names[3], "gpu");
    assert_true(back.weight[3] == 0 && back.target_max[3] == 1);
}

static const char calendar[] =
    "timezone: -03:30\n"
    "windows:\n"
    "  - {days: mon-fri, from: '22:00', to: '06:00'}\n"
    "  - {days: 'sat,sun', from: '06:30', to: '24:00'}\n"
    "blackouts:\n"
    "  - {from: 2026-12-24T00:00:00Z, to: 2027-01-02T00:00:00Z, reason: 'year: end', evacuations: "
    "false}\n"
    "  - {days: fri, from: '16:00', to: '00:00'}\n";

/* Windows and blackouts reach the policy, and come back from a dump as they were. */
static void calendar_round_trip(void **state)
{
    static char first[sizeof(dumped)];
    struct ek_policy policy;
    struct ek_policy back;
    struct ek_error err = {0};

    (void)state;
    if (!ek_policy_parse(&policy, NULL, calendar, strlen(calendar), "p", NULL, &err)) {
        fail_msg("%s", err.message);
    }
    const struct ek_calendar *it = &policy.calendar;
    assert_int_equal(it->timezone, EK_TIMEZONE_OFFSET);
    assert_int_equal(it->offset_min, -210);
    assert_int_equal(it->window_count, 2);
    assert_int_equal(it->windows[0].days, 0x1f);
    assert_true(it->windows[0].from_min == 1320 && it->windows[0].to_min == 360);
    assert_int_equal(it->windows[1].to_min, EK_DAY_MIN);
    assert_int_equal(it->blackout_count, 2);
    assert_true(!it->blackouts[0].weekly && !it->blackouts[0].evacuations);
    assert_string_equal(it->blackouts[0].reason, "year: end");
    assert_true(it->blackouts[0].to_ms - it->blackouts[0].from_ms == INT64_C(9) * 86400000);
    assert_true(it->blackouts[1].weekly && it->blackouts[1].evacuations);
    assert_int_equal(it->blackouts[1].week.to_min, EK_DAY_MIN);
    memcpy(first, dump_policy(&policy), sizeof(first));
    if (!ek_policy_parse(&back, NULL, first, strlen(first), "dump", NULL, &err)) {
        fail_msg("%s\n%s", err.message, first);
    }
    assert_memory_equal(&back.calendar, &policy.calendar, sizeof(back.calendar));
    assert_string_equal(first, dump_policy(&back));
}

static const char all_rules[] =
    "rules:\n"
    "  - {name: web-apart, kind: anti_affinity, domains: ['web-*', \"d \\\"1\\\"\"], topology: "
    "rack}\n"
    "  - {name: near, kind: affinity, domains: [a, b], enforcement: should, weight: 2.5}\n"
    "  - {name: home, kind: pin, domains: ['label:tier=db'], hosts: [h1, 'label:rack=r1']}\n"
    "  - {name: off, kind: avoid, domains: ['*'], hosts: [h9]}\n"
    "  - {name: wide, kind: spread, domains: ['etcd-?'], at_least: 3}\n"
    "  - {name: alone, kind: ignore, domains: ['6c1f']}\n"
    "  - {name: lab, kind: ignore, hosts: ['lab-*']}\n";

/* Rules, dumped and read, are the same rules; what they do not say stays unsaid. */
static void rules_round_trip(void **state)
{
    static char first[sizeof(dumped)];
    struct ek_policy policy;
    struct ek_policy back;
    struct ek_rules rules;
    struct ek_rules again;
    struct ek_error err = {0};

    (void)state;
    if (!ek_policy_parse(&policy, &rules, all_rules, strlen(all_rules), "p", NULL, &err)) {
        fail_msg("%s", err.message);
    }
    assert_ptr_equal(policy.rules, &rules);
    memcpy(first, dump_policy(&policy), sizeof(first));
    if (!ek_policy_parse(&back, &again, first, strlen(first), "dump", NULL, &err)) {
        fail_msg("%s\n%s", err.message, first);
    }
    assert_int_equal(again.count, 7);
    assert_string_equal(again.items[0].domains.items[1], "d \"1\"");
    assert_string_equal(again.items[0].topology, "rack");
    assert_null(again.items[1].topology);
    assert_true(again.items[1].weight == 2.5 && again.items[1].enforcement == EK_SHOULD);
    assert_string_equal(again.items[2].hosts.items[1], "label:rack=r1");
    assert_int_equal(again.items[4].at_least, 3);
    assert_int_equal(again.items[6].domains.count, 0);
    assert_string_equal(again.items[6].hosts.items[0], "lab-*");
    assert_string_equal(first, dump_policy(&back));
    ek_rules_finish(&rules);
    ek_rules_finish(&again);
}

/* Every key has its comment; sections are opened once. */
static void policy_dump_is_readable(void **state)
{
    struct ek_policy policy;

    (void)state;
    ek_policy_defaults(&policy);
    const char *text = dump_policy(&policy);
    assert_non_null(strstr(text, "# policy.yaml: how Evenkeel balances\n\n# The version of this "
                                 "format.\nversion: 1\n"));
    assert_non_null(strstr(text, "\nresources:\n  cpu:\n    # How much the imbalance of CPU"));
    assert_non_null(strstr(text, "\n    target_max: 0.7\n  memory:\n    # How much"));
    assert_non_null(strstr(text, "\n  domain: 30m\n"));
    assert_non_null(strstr(text, "\n  max_downtime: 500ms\n"));
    assert_null(strstr(strstr(text, "\nmigration:") + 1, "\nmigration:"));
}

static const char full_config[] = "hosts:\n"
                                  "  - name: h1\n"
                                  "    uri: qemu+tls://h1/system?pkipath=/etc/pki\n"
                                  "    labels: {rack: r1, 'site/room': \"M\xc3\xbcnchen \\\"3\\\" "
                                  "\\\\ x\", empty-like: 'null', n: '~'}\n"
                                  "    migration_uri: tcp://[2001:db8::1]\n"
                                  "    migration_rate: 1.1GiB/s\n"
                                  "  - {name: '2', uri: 'qemu+ssh://root@h2:22/system'}\n"
                                  "redis: {mode: external, url: 'redis://[::1]:6380/3', user: 'a "
                                  "b: #c', connect_timeout: 1500ms,\n"
                                  "        key_prefix: 'x:'}\n"
                                  "roles: [balancer]\n"
                                  "state_dir: '/var/with space'\n"
                                  "intervals: {sample: 20s, evaluate: 2m}\n"
                                  "timeouts: {lease: 1m}\n"
                                  "collector: {workers: 3}\n"
                                  "history: {interval: 5m, keep: 0s, host_size: 1GiB}\n"
                                  "log: {level: debug}\n";

static void assert_same_hosts(const struct ek_config *a, const struct ek_config *b)
{
    assert_int_equal(a->host_count, b->host_count);
    for (size_t i = 0; i < a->host_count; i++) {
        const struct ek_config_host *left = &a->hosts[i];
        const struct ek_config_host *right = &b->hosts[i];
        assert_string_equal(left->name, right->name);
        assert_string_equal(left->uri, right->uri);
        assert_true(left->migration_mib_s == right->migration_mib_s);
        assert_int_equal(left->migration_uri == NULL, right->migration_uri == NULL);
        assert_int_equal(left->labels.count, right->labels.count);
        for (size_t j = 0; j < left->labels.count; j++) {
            assert_string_equal(left->labels.items[j].key, right->labels.items[j].key);
            assert_string_equal(left->labels.items[j].value, right->labels.items[j].value);
        }
    }
}

/* A configuration that uses every form of text, dumped and read, is the same, and so is its dump.
 */
static void config_round_trip(void **state)
{
    struct ek_config config;
    struct ek_config back;
    struct ek_error err = {0};
    static char first[sizeof(dumped)];

    (void)state;
    if (!ek_config_parse(&config, full_config, strlen(full_config), "dir/full", NULL, &err)) {
        fail_msg("%s", err.message);
    }
    memcpy(first, dump_config(&config), sizeof(first));
    if (!ek_config_parse(&back, first, strlen(first), "dir/dump", NULL, &err)) {
        fail_msg("%s\n%s", err.message, first);
    }
    assert_same_hosts(&config, &back);
    assert_string_equal(config.redis.user, back.redis.user);
    assert_string_equal(config.policy_path, back.policy_path);
    assert_int_equal(config.roles, back.roles);
    assert_string_equal(first, dump_config(&back));
    ek_config_finish(&config);
    ek_config_finish(&back);
}

/* What is not set stands in the dump as a comment, so that one sees that it can be. */
static void unset_keys_are_comments(void **state)
{
    struct ek_config config;
    struct ek_error err;

    (void)state;
    assert_true(ek_config_parse(&config, ONE_HOST, strlen(ONE_HOST), "f", NULL, &err));
    const char *text = dump_config(&config);
    assert_non_null(strstr(text, "\n  #url:\n"));
    assert_non_null(strstr(text, "\n#policy_file: policy.yaml\n"));
    assert_non_null(strstr(text, "\nroles: [collector, balancer]\n"));
    assert_non_null(strstr(text, "\nhosts:\n  - name: h1\n    uri: \"qemu:///system\"\n"));
    ek_config_finish(&config);
}

/* A full disk is an error, not a short file. */
static void unwritable_output_is_an_error(void **state)
{
    struct ek_policy policy;
    struct ek_error err = {0};
    FILE *full = fopen("/dev/full", "w");

    (void)state;
    if (full == NULL) {
        skip();
    }
    ek_policy_defaults(&policy);
    assert_false(ek_policy_dump(&policy, full, &err));
    assert_int_equal(err.code, EK_ERR_IO);
    (void)fclose(full);
}

static void add_change(void *context, const char *path, const char *before, const char *after)
{
    char *text = context;
    size_t used = strlen(text);

    (void)snprintf(text + used, 1000 - used, "%s: %s -> %s\n", path, before == NULL ? "-" : before,
                   after == NULL ? "-" : after);
}

/* What has changed is told by its path; items that begin alike are told apart by their order. */
static void changes_are_told(void **state)
{
    static const char before[] = "windows:\n"
                                 "  - {days: mon, from: '01:00', to: '02:00'}\n"
                                 "  - {days: mon, from: '03:00', to: '04:00'}\n"
                                 "cooldown: {domain: 1h}\n";
    static const char after[] = "windows:\n"
                                "  - {days: mon, from: '01:00', to: '02:00'}\n"
                                "  - {days: mon, from: '03:00', to: '05:00'}\n"
                                "resources: {further: [{name: net, weight: 0.5}]}\n";
    struct ek_policy old;
    struct ek_policy now;
    struct ek_error err = {0};
    char text[1000] = "";

    (void)state;
    assert_true(ek_policy_parse(&old, NULL, before, strlen(before), "p", NULL, &err));
    assert_true(ek_policy_parse(&now, NULL, after, strlen(after), "p", NULL, &err));
    assert_true(ek_policy_changes(&old, &now, add_change, text, &err));
    assert_string_equal(text, "cooldown.domain: 1h -> 30m\n"
                              "windows[mon].to: \"04:00\" -> \"05:00\"\n"
                              "resources.further[net].name: - -> net\n"
                              "resources.further[net].weight: - -> 0.5\n"
                              "resources.further[net].target_max: - -> 1\n");
    text[0] = '\0';
    assert_true(ek_policy_changes(&now, &now, add_change, text, &err));
    assert_string_equal(text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(policy_round_trip),
        cmocka_unit_test(further_resources_round_trip),
        cmocka_unit_test(calendar_round_trip),
        cmocka_unit_test(rules_round_trip),
        cmocka_unit_test(policy_dump_is_readable),
        cmocka_unit_test(config_round_trip),
        cmocka_unit_test(changes_are_told),
        cmocka_unit_test(unset_keys_are_comments),
        cmocka_unit_test(unwritable_output_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
