/* Bad policies: each line says where, what was found and what was expected. */
#include "bad.h"

static const struct bad cases[] = {
    /* keys */
    {"triger: {imbalance: 0.1}\n",
     "p:1: found unknown key \"triger\", expected one of version, mode, approval, policy, "
     "aggressiveness, "
     "resources, trigger, cost_weight, forecast, capacity, cooldown, limits, maintenance, "
     "migration, circuit, timezone, windows, blackouts, rules; did "
     "you mean "
     "\"trigger\"?",
     0},
    {"trigger:\n  imbalence: 0.1\n",
     "p:2: found unknown key \"trigger.imbalence\", expected one of imbalance, comfort, "
     "sustained_cycles, min_gain, noise_sigma; did you mean \"trigger.imbalance\"?",
     0},
    {"trigger.imbalance: 0.1\n",
     "p:1: found unknown key \"trigger.imbalance\", expected one of version, mode, approval, "
     "policy, "
     "aggressiveness, resources, trigger, cost_weight, forecast, capacity, cooldown, limits, "
     "maintenance, migration, circuit, timezone, windows, blackouts, rules; keys are nested: write "
     "\"trigger:\" "
     "and below it \"imbalance:\"",
     0},
    {"imbalance: 0.1\n",
     "p:1: found unknown key \"imbalance\", expected one of version, mode, approval, policy, "
     "aggressiveness, "
     "resources, trigger, cost_weight, forecast, capacity, cooldown, limits, maintenance, "
     "migration, circuit, timezone, windows, blackouts, rules; did "
     "you mean "
     "\"trigger.imbalance\"?",
     0},
    {"cooldown: {zzz: 1}\n",
     "p:1: found unknown key \"cooldown.zzz\", expected one of domain, repeat_factor", 0},
    {"resources:\n  disk: {weight: 1}\n",
     "p:2: found unknown key \"resources.disk\", expected one of cpu, memory, further", 0},
    {"resources:\n  further:\n    - {name: net}\n    - {name: cpu}\n",
     "p:4: found the resource \"cpu\" again, expected each once", 0},
    {"resources:\n  further:\n    - {name: net}\n    - {name: net}\n",
     "p:4: found the resource \"net\" again, expected each once", 0},
    {"resources:\n  further:\n    - {name: abcdefghijklmnopqrstuvwxyz-0123456}\n",
     "p:3: found a resource's name of 34 characters, expected at most 31", 0},
    {"resources: {further: [{name: a}, {name: b}, {name: c}, {name: d}, {name: e}, {name: f}, "
     "{name: g}]}\n",
     "p:1: found 7 further resources, expected at most 6", 0},
    {"resources: {cpu: {weight: 0}, memory: {weight: 0}, further: [{name: a, weight: 0}]}\n",
     "p:1: found 0 for the weights of all resources, expected one above 0", 0},
    {"limits: {cluster: 6}\nmaintenance:\n  urgent:\n    cluster: 5\n",
     "p:4: found 5 for maintenance.urgent.cluster, expected at least the 6 of limits.cluster", 0},
    {"maintenance: {urgent: {host_in: 2}}\nlimits: {host_in: 3}\n",
     "p:1: found 2 for maintenance.urgent.host_in, expected at least the 3 of limits.host_in", 0},
    {"limits: {host_out: 3}\nmaintenance: {urgent: {host_out: 2}}\n",
     "p:2: found 2 for maintenance.urgent.host_out, expected at least the 3 of limits.host_out", 0},
    {"limits: {bandwidth_per_host: 50MiB/s}\n"
     "maintenance: {urgent: {bandwidth_per_host: 40MiB/s}}\n",
     "p:2: found 40MiB/s for maintenance.urgent.bandwidth_per_host, expected at least the 50MiB/s "
     "of limits.bandwidth_per_host",
     0},
    {"\nmaintenance: {urgent: {bandwidth_cluster: 40MiB/s}}\n",
     "p:2: found 40MiB/s for maintenance.urgent.bandwidth_cluster, expected 0MiB/s, since "
     "limits.bandwidth_cluster is unlimited",
     0},
    {"maintenance: {urgent: {cluster: many}}\n",
     "p:1: found \"many\" for maintenance.urgent.cluster, expected a whole number from 1 to 2000",
     0},
    {"mode: automatic\nmode: recommend\n",
     "p:2: found key \"mode\" again, expected it once (first in line 1)", 0},
    {"limits: {cluster: 1}\ncooldown: {}\nlimits: {cluster: 2}\n",
     "p:3: found key \"limits\" again, expected it once (first in line 1)", 0},
    {"trigger:\n  comfort: 0.5\n  comfort: 0.6\n",
     "p:3: found key \"comfort\" again, expected it once (first in line 2)", 0},
    {"trigger: 0.1\n", "p:1: found \"0.1\" for trigger, expected a mapping", 0},
    {"trigger: [0.1]\n", "p:1: found a list for trigger, expected a mapping", 0},

    /* calendar */
    {"timezone: CET\n",
     "p:1: found \"CET\" for timezone, expected UTC, local, or a fixed offset such as +02:00", 0},
    {"windows:\n  - {days: mon-fry, from: '08:00', to: '18:00'}\n",
     "p:2: found \"mon-fry\" for windows[0].days, expected days of the week, such as mon-fri, "
     "sat,sun or all",
     0},
    {"windows:\n  - {days: all, from: '8:00', to: '18:00'}\n",
     "p:2: found \"8:00\" to \"18:00\" for window, expected times of the day from 00:00 to 24:00, "
     "such as 22:00",
     0},
    {"windows:\n  - {days: all, from: '08:00', to: '08:00'}\n",
     "p:2: found a window from 08:00 to 08:00, expected two different times; a whole day is 00:00 "
     "to 24:00",
     0},
    {"windows:\n  - {days: mon, from: '22:00', to: '06:00'}\n"
     "  - {days: tue, from: '05:59', to: '07:00'}\n",
     "p:3: found a window that overlaps the one in line 2, expected windows apart from each other",
     0},
    {"windows:\n  - {days: mon, to: '06:00'}\n",
     "p:2: found no key \"windows[0].from\", expected a time of the day, such as 22:00", 0},
    {"blackouts:\n  - {from: '2026-12-24', to: '2027-01-02T00:00:00Z'}\n",
     "p:2: found \"2026-12-24\" to \"2027-01-02T00:00:00Z\" for a blackout without days, expected "
     "times in UTC, such as 2026-12-24T00:00:00Z",
     0},
    {"blackouts:\n  - {from: '2027-01-02T00:00:00Z', to: '2026-12-24T00:00:00Z'}\n",
     "p:2: found \"2027-01-02T00:00:00Z\" to \"2026-12-24T00:00:00Z\" for a blackout, expected an "
     "end after its beginning",
     0},
    {"blackouts:\n  - {days: fri, from: '16:00', to: '16:00'}\n",
     "p:2: found a blackout from 16:00 to 16:00, expected two different times; a whole day is "
     "00:00 to 24:00",
     0},

    /* rules */
    {"rules: {}\n", "p:1: found a mapping for rules, expected a list of mappings", 0},
    {"rules:\n  - web\n", "p:2: found \"web\" for rules[0], expected a mapping", 0},
    {"rules:\n  - {kind: affinity, domains: [a]}\n",
     "p:2: found no key \"rules[0].name\", expected a name of 1 to 127 letters, digits, '.', '_' "
     "or "
     "'-'",
     0},
    {"rules:\n  - name: x\n    kind: affinty\n    domains: [a]\n",
     "p:3: found \"affinty\" for rules[0].kind, expected affinity, anti_affinity, pin, avoid, "
     "spread or ignore; did you mean \"affinity\"?",
     0},
    {"rules:\n  - {name: x, kind: affinity, domains: a}\n",
     "p:2: found \"a\" for rules[0].domains, expected a list of one or more names, patterns such "
     "as "
     "web-*, or label:KEY=VALUE",
     0},
    {"rules:\n  - {name: x, kind: affinity, domains: []}\n",
     "p:2: found an empty list for rules[0].domains, expected a list of one or more names, "
     "patterns such "
     "as web-*, or label:KEY=VALUE",
     0},
    {"rules:\n  - {name: x, kind: affinity, domains: [a, 'label:tier']}\n",
     "p:2: found \"label:tier\" for rules[0].domains, expected a list of one or more names, "
     "patterns such as web-*, or label:KEY=VALUE",
     0},
    {"rules:\n  - {name: x, kind: affinity, domains: [[a]]}\n",
     "p:2: found a list for rules[0].domains, expected a list of one or more names, patterns such "
     "as web-*, or label:KEY=VALUE",
     0},
    {"rules:\n  - {name: x, kind: affinity, domain: [a]}\n",
     "p:2: found unknown key \"rules[0].domain\", expected one of name, kind, domains, hosts, "
     "topology, at_least, enforcement, weight; did you mean \"rules[0].domains\"?",
     0},
    {"rules:\n  - {name: x, kind: affinity}\n",
     "p:2: found rule \"x\" of kind affinity without domains, expected domains, such as "
     "[\"web-*\"]",
     0},
    {"rules:\n  - {name: x, kind: ignore}\n",
     "p:2: found rule \"x\" of kind ignore without domains, expected domains, such as "
     "[\"web-*\"], or hosts",
     0},
    {"rules:\n  - {name: x, kind: ignore, domains: [a], hosts: [h]}\n",
     "p:2: found rule \"x\" of kind ignore with domains and hosts, expected either of them", 0},
    {"rules:\n  - {name: x, kind: pin, domains: [a]}\n",
     "p:2: found rule \"x\" of kind pin without hosts, expected hosts, such as [h1, h2]", 0},
    {"rules:\n  - {name: x, kind: affinity, domains: [a], hosts: [h]}\n",
     "p:2: found rule \"x\" of kind affinity with hosts, expected them with pin, avoid and "
     "ignore only",
     0},
    {"rules:\n  - {name: x, kind: spread, domains: [a]}\n",
     "p:2: found rule \"x\" of kind spread without at_least, expected how many groups of hosts it "
     "needs, such as 2",
     0},
    {"rules:\n  - {name: x, kind: spread, domains: [a], at_least: 1}\n",
     "p:2: found \"1\" for rules[0].at_least, expected a whole number from 2 to 100000", 0},
    {"rules:\n  - {name: x, kind: ignore, domains: [a], topology: rack}\n",
     "p:2: found rule \"x\" of kind ignore with a topology, expected it with affinity, "
     "anti_affinity and spread only",
     0},
    {"rules:\n  - {name: x, kind: affinity, domains: [a], weight: 2}\n",
     "p:2: found rule \"x\" of kind affinity with a weight and enforcement must, expected a weight "
     "with should only",
     0},
    {"rules:\n  - {name: x, kind: affinity, domains: [a]}\n  - {name: y, kind: ignore, domains: "
     "[a]}\n  - {name: x, kind: ignore, domains: [b]}\n",
     "p:4: found a rule of name \"x\" again, expected it once (first in line 2)", 0},

    /* values */
    {"version: 2\n", "p:1: found \"2\" for version, expected 1", 0},
    {"version: one\n", "p:1: found \"one\" for version, expected 1", 0},
    {"mode: auto\n", "p:1: found \"auto\" for mode, expected recommend, approve or automatic", 0},
    {"mode: automatc\n",
     "p:1: found \"automatc\" for mode, expected recommend, approve or automatic; did you mean "
     "\"automatic\"?",
     0},
    {"policy: drain\n", "p:1: found \"drain\" for policy, expected spread, hotspot or pack", 0},
    {"mode:\n", "p:1: found nothing for mode, expected recommend, approve or automatic", 0},
    {"mode: [automatic]\n", "p:1: found a list for mode, expected recommend, approve or automatic",
     0},
    {"aggressiveness: 6\n",
     "p:1: found \"6\" for aggressiveness, expected a whole number from 1 to 5", 0},
    {"aggressiveness: 2.5\n",
     "p:1: found \"2.5\" for aggressiveness, expected a whole number from 1 to 5", 0},
    {"trigger: {imbalance: 0.6}\n",
     "p:1: found \"0.6\" for trigger.imbalance, expected a ratio from 0 to 0.5, such as 0.5 or 50%",
     0},
    {"resources:\n  cpu:\n    target_max: 85\n",
     "p:3: found \"85\" for resources.cpu.target_max, expected a ratio from 0.01 to 1, such as 0.5 "
     "or 50%",
     0},
    {"resources: {memory: {target_max: 0%}}\n",
     "p:1: found \"0%\" for resources.memory.target_max, expected a ratio from 0.01 to 1, such as "
     "0.5 or 50%",
     0},
    {"resources: {cpu: {weight: heavy}}\n",
     "p:1: found \"heavy\" for resources.cpu.weight, expected a number from 0 to 100", 0},
    {"cost_weight: -1\n", "p:1: found \"-1\" for cost_weight, expected a number from 0 to 1000", 0},
    {"capacity: {cpu_overcommit: 0}\n",
     "p:1: found \"0\" for capacity.cpu_overcommit, expected a number from 0.1 to 100", 0},
    {"cooldown:\n  domain: 30\n",
     "p:2: found \"30\" for cooldown.domain, expected a duration from 0s to 720h, such as 500ms, "
     "30s, 5m or 2h",
     0},
    {"cooldown: {repeat_factor: 0.5}\n",
     "p:1: found \"0.5\" for cooldown.repeat_factor, expected a number from 1 to 100", 0},
    {"limits: {host_in: 0}\n",
     "p:1: found \"0\" for limits.host_in, expected a whole number from 1 to 100", 0},
    {"migration: {max_downtime: 1h}\n",
     "p:1: found \"1h\" for migration.max_downtime, expected a duration from 1ms to 2000s, such as "
     "500ms, 30s, 5m or 2h",
     0},
    {"migration: {auto_converge: yes}\n",
     "p:1: found \"yes\" for migration.auto_converge, expected true or false", 0},
    {"migration: {retries: {a: 1}}\n",
     "p:1: found a mapping for migration.retries, expected a whole number from 0 to 100", 0},
    {"resources:\n  cpu: {weight: 0}\n  memory: {weight: 0}\n",
     "p:3: found 0 for the weights of all resources, expected one above 0", 0},

    /* YAML */
    {"trigger:\n\tcomfort: 0.5\n", "p:2: found a tab in the indentation, expected spaces", 0},
    {"trigger: &a {comfort: 0.5}\n", "p:1: found an anchor \"a\", expected the value alone", 0},
    {"trigger:\n  comfort: *a\n", "p:2: found an alias \"a\", expected the value itself", 0},
    {"cost_weight: !!float 1\n",
     "p:1: found a tag \"tag:yaml.org,2002:float\", expected the value alone", 0},
    {"mode: automatic\n---\nmode: recommend\n", "p:2: found a second document, expected one", 0},
    {"- mode\n", "p:1: found a list, expected a mapping of keys to values", 0},
    {"\n\nautomatic\n", "p:3: found \"automatic\", expected a mapping of keys to values", 0},
    {"? [a]\n: b\n", "p:1: found a list or a mapping as a key, expected a word", 0},
    {"mode: \"a\\0b\"\n", "p:1: found a NUL character, expected text", 0},
    {"mode: automatic\nx: \xff\n",
     "p:2: found a byte that is not text (invalid leading UTF-8 octet), expected UTF-8", 0},
    {"mode: a\x01\n",
     "p:1: found a byte that is not text (control characters are not allowed), expected UTF-8", 0},
    {"mode: a\0b\n",
     "p:1: found a byte that is not text (control characters are not allowed), expected UTF-8", 10},
    {"trigger: {comfort: 0.5\nmode: automatic\n",
     "p:2: found a syntax error (did not find expected ',' or '}' while parsing a flow mapping "
     "from "
     "line 1), expected YAML",
     0},
    {"mode: automatic: 1\n",
     "p:1: found a syntax error (mapping values are not allowed in this context), expected YAML",
     0},
    {"a: [[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]\n",
     "p:1: found lists and mappings nested 17 deep, expected fewer levels", 0},

    /* several at once, in the order of lines */
    {"mode: on\ncost_weight: x\nzz: 1\nmode: off\n",
     "p:1: found \"on\" for mode, expected recommend, approve or automatic\n"
     "p:2: found \"x\" for cost_weight, expected a number from 0 to 1000\n"
     "p:3: found unknown key \"zz\", expected one of version, mode, approval, policy, "
     "aggressiveness, "
     "resources, trigger, cost_weight, forecast, capacity, cooldown, limits, maintenance, "
     "migration, circuit, timezone, windows, blackouts, rules\n"
     "p:4: found key \"mode\" again, expected it once (first in line 1)",
     0},
};

/* Every bad policy is refused with exactly these words. */
static void exact_messages(void **state)
{
    static struct ek_config_problems problems;
    struct ek_error err;
    struct ek_policy policy;
    int failed = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bool read = ek_policy_parse(&policy, NULL, cases[i].text, bad_size(&cases[i]), "p",
                                    &problems, &err);
        failed += compare_bad(&cases[i], read, &problems);
    }
    assert_int_equal(failed, 0);
}

/* A refused file changes nothing: the policy before stays in force. */
static void refusal_leaves_the_policy(void **state)
{
    struct ek_policy before;
    struct ek_policy policy;
    struct ek_error err;
    const char text[] = "aggressiveness: 5\nlimits: {cluster: 9}\nmode: x\n";

    (void)state;
    ek_policy_defaults(&before);
    memcpy(&policy, &before, sizeof(policy));
    assert_false(ek_policy_parse(&policy, NULL, text, strlen(text), "p", NULL, &err));
    assert_memory_equal(&policy, &before, sizeof(policy));
    assert_string_equal(err.message,
                        "p:3: found \"x\" for mode, expected recommend, approve or automatic");
    assert_int_equal(err.code, EK_ERR_INVALID);
}

/* A key that is far too long and full of odd bytes is quoted short and clean. */
static void hostile_keys_are_quoted(void **state)
{
    static char text[5000];
    struct ek_policy policy;
    struct ek_error err;

    (void)state;
    memset(text, 'k', sizeof(text) - 1);
    memcpy(text, "\"\\e[31m", 7);
    memcpy(text + 900, "\": 1\n", 6);
    assert_false(ek_policy_parse(&policy, NULL, text, strlen(text), "p", NULL, &err));
    assert_non_null(strstr(err.message, "p:1: found unknown key \"?[31mkkkk"));
    assert_non_null(strstr(err.message, "kk...\", expected one of version"));
}

/* An endless number of keys does not cost endless time. */
static void too_many_keys_are_refused(void **state)
{
    static char text[1001 * 16];
    struct ek_policy policy;
    struct ek_error err;
    size_t used = 0;

    (void)state;
    for (int i = 0; i < 1001; i++) {
        used += (size_t)snprintf(text + used, sizeof(text) - used, "k%d: 1\n", i);
    }
    assert_false(ek_policy_parse(&policy, NULL, text, used, "p", NULL, &err));
    assert_string_equal(err.message,
                        "p:1001: found more than 1000 keys in one mapping, expected fewer");
}

/* A file that cannot be read says why, and which kind of error it is. */
static void unreadable_files(void **state)
{
    struct ek_policy policy;
    struct ek_error err;

    (void)state;
    assert_false(ek_policy_read(&policy, NULL, "/nonexistent/policy.yaml", NULL, &err));
    assert_int_equal(err.code, EK_ERR_NOT_FOUND);
    assert_string_equal(err.message,
                        "/nonexistent/policy.yaml: found no readable file (No such file "
                        "or directory), expected one");
    assert_false(ek_policy_read(&policy, NULL, "/", NULL, &err));
    assert_int_equal(err.code, EK_ERR_IO);
    assert_string_equal(err.message, "/: found no readable file (Is a directory), expected one");
    assert_false(ek_policy_read(&policy, NULL, "/dev/zero", NULL, &err));
    assert_string_equal(
        err.message, "/dev/zero: found a file of more than 4194304 bytes, expected a smaller one");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_messages),          cmocka_unit_test(refusal_leaves_the_policy),
        cmocka_unit_test(hostile_keys_are_quoted), cmocka_unit_test(too_many_keys_are_refused),
        cmocka_unit_test(unreadable_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
