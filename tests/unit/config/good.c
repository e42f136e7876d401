/* Good files: what is read from them. */
#include "support.h"

#include "balancer/config/syntax.h"

#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

static void read_policy(struct ek_policy *policy, const char *text)
{
    struct ek_error err;

    if (!ek_policy_parse(policy, NULL, text, strlen(text), "p", NULL, &err)) {
        fail_msg("%s", err.message);
    }
}

static void read_config(struct ek_config *config, const char *text)
{
    struct ek_error err;

    if (!ek_config_parse(config, text, strlen(text), "dir/e", NULL, &err)) {
        fail_msg("%s", err.message);
    }
}

/* Files that say nothing are the defaults: empty, comments, an empty document, empty sections, a
 * BOM. */
static void empty_policies_are_defaults(void **state)
{
    static const char *const texts[] = {
        "",           "\n\n",         "# nothing\n",    "---\n",       "~\n",
        "trigger:\n", "limits: {}\n", "\xef\xbb\xbf\n", "version: 1\n"};
    struct ek_policy defaults;

    (void)state;
    ek_policy_defaults(&defaults);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct ek_policy policy;
        read_policy(&policy, texts[i]);
        assert_int_equal(policy.limit_cluster, defaults.limit_cluster);
        assert_true(policy.trigger_imbalance == defaults.trigger_imbalance);
    }
}

/* The preset applies first: a key that is given wins, whether it stands before or after. */
static void given_keys_win_over_the_preset(void **state)
{
    struct ek_policy policy;

    (void)state;
    read_policy(&policy, "trigger: {imbalance: 0.07}\naggressiveness: 5\ncost_weight: 3\n");
    assert_int_equal(policy.aggressiveness, 5);
    assert_true(policy.trigger_imbalance == 0.07);
    assert_true(policy.cost_weight == 3.0);
    assert_true(policy.trigger_comfort == 0.0);
    assert_true(policy.min_gain == 0.01);
    read_policy(&policy, "aggressiveness: 2\ntrigger: {min_gain: 1%}\n");
    assert_true(policy.min_gain == 0.01);
    assert_true(policy.trigger_imbalance == 0.20);
}

/* Every key reaches its own field. */
static void every_policy_key_is_read(void **state)
{
    struct ek_policy p;

    (void)state;
    read_policy(&p,
                "mode: automatic\n"
                "resources: {cpu: {weight: 2, target_max: 60%}, memory: {weight: 3, "
                "target_max: 0.9}}\n"
                "trigger: {comfort: 0.5, sustained_cycles: 7}\n"
                "capacity: {memory_overcommit: 1.5, cpu_overcommit: 8, memory_reserve: 10%}\n"
                "cooldown: {domain: 1h, repeat_factor: 3}\n"
                "limits: {cluster: 11, host_in: 12, host_out: 13, moves_per_plan: 14,\n"
                "         bandwidth_per_host: 15MiB/s, bandwidth_cluster: 1.5GiB/s}\n"
                "migration: {timeout_min: 1m, timeout_per_gib: 2s, progress_timeout: 3s,\n"
                "            max_downtime: 4ms, auto_converge: false, retries: 0, backoff: 6s}\n");
    assert_int_equal(p.mode, EK_MODE_AUTOMATIC);
    assert_true(p.weight[EK_CPU] == 2 && p.weight[EK_MEMORY] == 3);
    assert_true(p.target_max[EK_CPU] == 0.6 && p.target_max[EK_MEMORY] == 0.9);
    assert_true(p.trigger_comfort == 0.5 && p.sustained_cycles == 7);
    assert_true(p.memory_overcommit == 1.5 && p.cpu_overcommit == 8 && p.memory_reserve == 0.1);
    assert_true(p.cooldown_ms == 3600000 && p.cooldown_repeat_factor == 3);
    assert_true(p.limit_cluster == 11 && p.limit_host_in == 12 && p.limit_host_out == 13);
    assert_true(p.bandwidth_per_host_mib_s == 15 && p.bandwidth_cluster_mib_s == 1536);
    assert_true(p.moves_per_plan == 14 && p.timeout_min_ms == 60000);
    assert_true(p.timeout_per_gib_ms == 2000 && p.progress_timeout_ms == 3000);
    assert_true(p.max_downtime_ms == 4 && !p.auto_converge && p.retries == 0);
    assert_int_equal(p.backoff_ms, 6000);
}

/* What the file does not say of a deadline's ceilings follows its limits, whatever order they stand
 * in: twice of each, and what is unlimited stays so. */
static void ceilings_follow_the_limits(void **state)
{
    struct ek_policy p;

    (void)state;
    read_policy(&p, "limits: {cluster: 11, host_in: 3, bandwidth_per_host: 15MiB/s}\n");
    assert_true(p.urgent.cluster == 22 && p.urgent.host_in == 6 && p.urgent.host_out == 2);
    assert_true(p.urgent.bandwidth_per_host_mib_s == 30 && p.urgent.bandwidth_cluster_mib_s == 0);
    read_policy(&p, "maintenance: {urgent: {cluster: 40, host_in: 3, host_out: 5,\n"
                    "  bandwidth_per_host: 0MiB/s, bandwidth_cluster: 1GiB/s}}\n"
                    "limits: {cluster: 11, host_in: 3, bandwidth_per_host: 15MiB/s,\n"
                    "  bandwidth_cluster: 100MiB/s}\n");
    assert_true(p.urgent.cluster == 40 && p.urgent.host_in == 3 && p.urgent.host_out == 5);
    assert_true(p.urgent.bandwidth_per_host_mib_s == 0 && p.urgent.bandwidth_cluster_mib_s == 1024);
    read_policy(&p, "limits: {cluster: 1000, host_out: 100, bandwidth_cluster: 1048576MiB/s}\n");
    assert_true(p.urgent.cluster == 2000 && p.urgent.host_out == 200);
    assert_true(p.urgent.bandwidth_cluster_mib_s == 2097152);
}

/* One host is a whole configuration; the rest has the documented defaults. */
static void defaults_of_evenkeel_yaml(void **state)
{
    struct ek_config config;
    struct ek_move_timing timing;

    (void)state;
    read_config(&config, ONE_HOST);
    assert_int_equal(config.host_count, 1);
    assert_string_equal(config.hosts[0].name, "h1");
    assert_int_equal(config.hosts[0].line, 2);
    assert_null(config.hosts[0].migration_uri);
    assert_true(config.hosts[0].migration_mib_s == 0.0);
    assert_int_equal(config.redis.mode, EK_REDIS_EMBEDDED);
    assert_null(config.redis.host);
    assert_null(config.redis.socket);
    assert_string_equal(config.redis.key_prefix, "evenkeel:");
    assert_int_equal(config.redis.connect_timeout_ms, 3000);
    assert_int_equal(config.redis.command_timeout_ms, 5000);
    assert_int_equal(config.roles, 3);
    assert_string_equal(config.state_dir, "/var/lib/evenkeel");
    assert_string_equal(config.policy_path, "dir/policy.yaml");
    assert_true(config.sample_ms == 15000 && config.evaluate_ms == 60000);
    assert_true(config.connect_timeout_ms == 5000 && config.call_timeout_ms == 30000);
    assert_true(config.lease_ms == 15000 && config.collector_workers == 16);
    assert_int_equal(config.dirty_rate_ms, 600000);
    assert_true(config.history_interval_ms == 60000 && config.history_host_mib == 8);
    assert_int_equal(config.history_keep_ms, (int64_t)8 * 24 * 3600 * 1000);
    assert_int_equal(config.log_level, EK_LOG_INFO);
    ek_move_timing_defaults(&timing);
    assert_memory_equal(&config.moves, &timing, sizeof(timing)); /* figures only, no padding */
    ek_config_finish(&config);
    ek_config_finish(&config); /* a zeroed one is fine */
}

/* Every time of the moves has a key of its own, and may be short enough for a test. */
static void times_of_moves(void **state)
{
    struct ek_config config;

    (void)state;
    read_config(&config, ONE_HOST
                "timeouts: {precheck: 101ms, prepare: 102ms, observe: 103ms, action: 104ms,\n"
                "  unprepare: 105ms, post: 106ms, progress_poll: 107ms, switchover: 108ms,\n"
                "  abort_wait: 109ms, settle: 110ms, autodestroy: 111ms, reachable: 112ms,\n"
                "  post_retry: 113ms, attempt_grace: 114ms, backoff_cap: 115ms, fresh: 100ms}\n");
    const struct ek_move_timing expected = {101, 102, 103, 104, 105, 106, 107, 108,
                                            109, 110, 111, 112, 113, 114, 115, 100};
    assert_memory_equal(&config.moves, &expected, sizeof(expected));
    ek_config_finish(&config);
}

/* URIs of all supported transports are taken. */
static void uris(void **state)
{
    struct ek_config config;

    (void)state;
    read_config(&config, "hosts:\n"
                         "  - {name: c, uri: 'qemu://h/system'}\n"
                         "  - {name: d, uri: 'qemu+tcp://10.77.0.11/system'}\n"
                         "  - {name: e, uri: 'qemu+tls://[2001:db8::1]:16514/system?no_verify=1'}\n"
                         "  - {name: f, uri: 'qemu+ssh://root@h.example.org:22/system'}\n");
    assert_int_equal(config.host_count, 4);
    ek_config_finish(&config);
    read_config(&config, "hosts: [{name: a, uri: 'qemu:///system'}]\n");
    assert_int_equal(config.host_count, 1);
    ek_config_finish(&config);
}

/* By a local URI a collector beside the hypervisor watches it, others may be with it: no domain is
 * moved by such a process. */
static void a_collector_may_be_local(void **state)
{
    struct ek_config config;

    (void)state;
    read_config(&config, "hosts:\n"
                         "  - {name: a, uri: 'qemu:///system'}\n"
                         "  - {name: b, uri: 'qemu+tls://b/system'}\n"
                         "roles: [collector]\n"
                         "redis: {mode: external, url: 'redis://db'}\n");
    assert_int_equal(config.host_count, 2);
    ek_config_finish(&config);
}

/* Redis's address is taken apart. */
static void redis_addresses(void **state)
{
    struct ek_config config;

    (void)state;
    read_config(&config,
                ONE_HOST "roles: [balancer]\n"
                         "redis: {mode: external, url: 'redis://db.example.org:6380/3'}\n");
    assert_string_equal(config.redis.host, "db.example.org");
    assert_int_equal(config.redis.port, 6380);
    assert_int_equal(config.redis.database, 3);
    assert_int_equal(config.roles, 1u << EK_ROLE_BALANCER);
    ek_config_finish(&config);
    read_config(&config, ONE_HOST "redis: {mode: external, url: 'redis://[::1]'}\n");
    assert_string_equal(config.redis.host, "::1");
    assert_int_equal(config.redis.port, 6379);
    ek_config_finish(&config);
    read_config(&config, ONE_HOST "redis: {mode: external, url: 'unix:///run/redis.sock'}\n");
    assert_string_equal(config.redis.socket, "/run/redis.sock");
    assert_null(config.redis.host);
    ek_config_finish(&config);
}

static int make_dir(void **state)
{
    static char dir[64];

    (void)snprintf(dir, sizeof(dir), "/tmp/ek-config-XXXXXX");
    *state = mkdtemp(dir);
    return *state == NULL;
}

static const char *in_dir(void **state, const char *name)
{
    static char path[2][128];
    static int turn;

    turn = !turn;
    (void)snprintf(path[turn], sizeof(path[turn]), "%s/%s", (const char *)*state, name);
    return path[turn];
}

static int remove_dir(void **state)
{
    (void)unlink(in_dir(state, "policy.yaml"));
    (void)unlink(in_dir(state, "evenkeel.yaml"));
    return rmdir(*state);
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* Beside evenkeel.yaml a policy.yaml may be absent; if it is there, it counts, and so do its
 * faults. */
static void policy_beside_the_configuration(void **state)
{
    static struct ek_config_problems problems;
    struct ek_config config;
    struct ek_policy policy;
    struct ek_error err;

    write_text(in_dir(state, "evenkeel.yaml"), ONE_HOST);
    assert_true(ek_config_read(&config, in_dir(state, "evenkeel.yaml"), NULL, &err));
    assert_true(ek_config_read_policy(&policy, NULL, &config, &problems, &err));
    assert_int_equal(policy.limit_cluster, 4);
    assert_int_equal(problems.count, 0);
    write_text(in_dir(state, "policy.yaml"), "limits: {cluster: 9}\n");
    assert_true(ek_config_read_policy(&policy, NULL, &config, NULL, &err));
    assert_int_equal(policy.limit_cluster, 9);
    write_text(in_dir(state, "policy.yaml"), "limits: {cluster: x}\n");
    assert_false(ek_config_read_policy(&policy, NULL, &config, NULL, &err));
    assert_int_equal(policy.limit_cluster, 9);
    ek_config_finish(&config);
}

/* A policy.yml where policy.yaml is looked for is said, unless the other is there. */
static void misnamed_policy_is_refused(void **state)
{
    struct ek_config config;
    struct ek_policy policy;
    struct ek_error err;

    write_text(in_dir(state, "evenkeel.yaml"), ONE_HOST);
    write_text(in_dir(state, "policy.yml"), "mode: automatic\n");
    assert_true(ek_config_read(&config, in_dir(state, "evenkeel.yaml"), NULL, &err));
    assert_false(ek_config_read_policy(&policy, NULL, &config, NULL, &err));
    assert_non_null(strstr(err.message, "policy.yaml: found \""));
    assert_non_null(strstr(err.message, "expected this name, or policy_file: policy.yml in"));
    write_text(in_dir(state, "policy.yaml"), "");
    assert_true(ek_config_read_policy(&policy, NULL, &config, NULL, &err));
    assert_int_equal(unlink(in_dir(state, "policy.yml")), 0);
    ek_config_finish(&config);
}

/* A policy that is named must exist, also at a later reload. */
static void named_policy_must_exist(void **state)
{
    struct ek_config config;
    struct ek_policy policy;
    struct ek_error err;

    write_text(in_dir(state, "evenkeel.yaml"), ONE_HOST "policy_file: policy.yaml\n");
    assert_false(ek_config_read(&config, in_dir(state, "evenkeel.yaml"), NULL, &err));
    write_text(in_dir(state, "policy.yaml"), "");
    assert_true(ek_config_read(&config, in_dir(state, "evenkeel.yaml"), NULL, &err));
    assert_int_equal(unlink(in_dir(state, "policy.yaml")), 0);
    assert_false(ek_config_read_policy(&policy, NULL, &config, NULL, &err));
    assert_int_equal(err.code, EK_ERR_NOT_FOUND);
    ek_config_finish(&config);
}

/* The endpoint's address is taken apart; all of 127.0.0.0/8 is this machine's alone. */
static void http_addresses(void **state)
{
    static const struct {
        const char *listen;
        const char *address;
        int port;
        bool loopback;
    } cases[] = {{"127.0.0.1:80", "127.0.0.1", 80, true},
                 {"127.9.9.9", "127.9.9.9", 9797, true},
                 {"[::1]:9000", "::1", 9000, true},
                 {"192.0.2.1:80", "192.0.2.1", 80, false},
                 {"[::]", "::", 9797, false}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char address[EK_ADDRESS_SIZE];
        bool loopback;
        int port;
        assert_true(ek_listen_parse(cases[i].listen, address, &port, &loopback));
        assert_string_equal(address, cases[i].address);
        assert_int_equal(port, cases[i].port);
        assert_int_equal(loopback, cases[i].loopback);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_policies_are_defaults),
        cmocka_unit_test(given_keys_win_over_the_preset),
        cmocka_unit_test(every_policy_key_is_read),
        cmocka_unit_test(ceilings_follow_the_limits),
        cmocka_unit_test(defaults_of_evenkeel_yaml),
        cmocka_unit_test(times_of_moves),
        cmocka_unit_test(uris),
        cmocka_unit_test(a_collector_may_be_local),
        cmocka_unit_test(redis_addresses),
        cmocka_unit_test(http_addresses),
        cmocka_unit_test_setup_teardown(policy_beside_the_configuration, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(misnamed_policy_is_refused, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(named_policy_must_exist, make_dir, remove_dir),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
