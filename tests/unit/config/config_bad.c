/* Bad evenkeel.yaml: each line says where, what was found and what was expected. */
#include "bad.h"

#include <sys/stat.h>
#include <unistd.h>

#define HOST1 "  - {name: h1, uri: 'qemu+tls://h1/system'}\n"
#define URI_FORM \
    "expected qemu:///system, or qemu+tcp, qemu+tls or qemu+ssh as in qemu+tls://HOST/system"
#define NAME_FORM "expected a name of 1 to 127 letters, digits, '.', '_' or '-'"
#define BAD_URI(uri)                                                \
    {                                                               \
        "hosts:\n  - {name: h1, uri: '" uri "'}\n",                 \
            "e:2: found \"" uri "\" for hosts[0].uri, " URI_FORM, 0 \
    }
#define BAD_URL(url)                                                                               \
    {                                                                                              \
        "hosts:\n" HOST1 "redis: {mode: external, url: '" url "'}\n",                              \
            "e:3: found \"" url                                                                    \
            "\" for redis.url, expected redis://HOST:PORT/DB or unix:///PATH, without a password", \
            0                                                                                      \
    }

static const struct bad cases[] = {
    /* hosts */
    {"", "e:1: found no key \"hosts\", expected a list of one or more mappings", 0},
    {"# nothing\n", "e:1: found no key \"hosts\", expected a list of one or more mappings", 0},
    {"version: 1\n", "e:1: found no key \"hosts\", expected a list of one or more mappings", 0},
    {"hosts:\n", "e:1: found nothing for hosts, expected a list of one or more mappings", 0},
    {"hosts: []\n", "e:1: found an empty list for hosts, expected a list of one or more mappings",
     0},
    {"hosts: h1\n", "e:1: found \"h1\" for hosts, expected a list of one or more mappings", 0},
    {"hosts:\n  - h1\n", "e:2: found \"h1\" for hosts[0], expected a mapping", 0},
    {"hosts:\n  - {name: h1}\n", "e:2: found no key \"hosts[0].uri\", " URI_FORM, 0},
    {"hosts:\n  - {uri: 'qemu:///system'}\n", "e:2: found no key \"hosts[0].name\", " NAME_FORM, 0},
    {"hosts:\n" HOST1 "  - {name: 'h 2', uri: 'qemu+tls://h2/system'}\n",
     "e:3: found \"h 2\" for hosts[1].name, " NAME_FORM, 0},
    {"hosts:\n  - {name: '', uri: 'qemu+tls://h2/system'}\n",
     "e:2: found \"\" for hosts[0].name, " NAME_FORM, 0},
    {"hosts:\n" HOST1 "  - {name: h2, ur: 'qemu+tls://h2/system'}\n",
     "e:3: found unknown key \"hosts[1].ur\", expected one of name, uri, labels, migration_uri, "
     "migration_rate; did you mean \"hosts[1].uri\"?\n"
     "e:3: found no key \"hosts[1].uri\", " URI_FORM,
     0},
    {"hosts:\n" HOST1 "  - {name: h2, uri: 'qemu+tls://h2/system'}\n"
     "  - {name: h1, uri: 'qemu+tls://h3/system'}\n",
     "e:4: found a host of name \"h1\" again, expected it once (first in line 2)", 0},
    {"hosts:\n" HOST1 "\n  - {name: h2, uri: 'qemu+tls://h1/system'}\n",
     "e:4: found a host of URI \"qemu+tls://h1/system\" again, expected it once (first in line 2)",
     0},
    {"hosts:\n  - {name: h1, name: h2, uri: 'qemu:///system'}\n",
     "e:2: found key \"name\" again, expected it once (first in line 2)", 0},
    {"hosts:\n  - {name: h1, uri: 'qemu:///system', labels: [a]}\n",
     "e:2: found a list for hosts[0].labels, expected a mapping of names to texts, such as {rack: "
     "r1}",
     0},
    {"hosts:\n  - {name: h1, uri: 'qemu:///system', labels: {a=b: c}}\n",
     "e:2: found \"a=b\": \"c\" in hosts[0].labels, expected a name of 1 to 127 letters, digits, "
     "'.', "
     "'_', '-' or '/' and a text",
     0},
    {"hosts:\n  - {name: h1, uri: 'qemu:///system', labels: {rack: }}\n",
     "e:2: found \"rack\": nothing in hosts[0].labels, expected a name of 1 to 127 letters, "
     "digits, "
     "'.', '_', '-' or '/' and a text",
     0},
    {"hosts:\n  - {name: h1, uri: 'qemu:///system', migration_uri: 'rdma://h1'}\n",
     "e:2: found \"rdma://h1\" for hosts[0].migration_uri, expected tcp://ADDRESS", 0},
    {"hosts:\n  - {name: h1, uri: 'qemu:///system', migration_uri: 'tcp://h1/x'}\n",
     "e:2: found \"tcp://h1/x\" for hosts[0].migration_uri, expected tcp://ADDRESS", 0},
    {"hosts:\n  - {name: h1, uri: 'qemu:///system', migration_rate: 110}\n",
     "e:2: found \"110\" for hosts[0].migration_rate, expected a rate from 1MiB/s to 1024GiB/s, "
     "such "
     "as 110MiB/s",
     0},
    BAD_URI("xen:///system"),
    BAD_URI("qemu+tcp:///system"),
    BAD_URI("qemu+libssh://h1/system"),
    BAD_URI("qemu+tls://h1"),
    BAD_URI("qemu+tls://h1/sys"),
    {"hosts:\n  - {name: h1, uri: 'qemu+ssh://root:secret@h1/system'}\n",
     "e:2: found \"qemu+ssh://root:***@h1/system\" for hosts[0].uri, " URI_FORM, 0},
    BAD_URI("qemu+tcp://h1:99999/system"),
    BAD_URI("qemu+tcp://[::1/system"),
    BAD_URI("qemu:///system?a b"),
    BAD_URI("qemu:///session"),
    BAD_URI("qemu+ssh://h1/session"),
    {"hosts:\n" HOST1 "  - {name: h2, uri: 'qemu:///system'}\n",
     "e:3: found a host of URI \"qemu:///system\", which means another one on each of 2 hosts, "
     "expected such as qemu+tls://HOST/system",
     0},
    {"hosts:\n"
     "  - {name: h1, uri: 'qemu+tls://h1/system', migration_uri: 'tcp://192.0.2.1'}\n"
     "  - {name: h2, uri: 'qemu+tls://h2/system', migration_uri: 'tcp://192.0.2.1'}\n",
     "e:3: found a host of migration_uri \"tcp://192.0.2.1\" again, expected it once (first in "
     "line "
     "2)",
     0},

    {"hosts:\n" HOST1 "\nmode: automatic\ntrigger: {comfort: 0.5}\n",
     "e:4: found unknown key \"mode\", expected one of version, hosts, redis, roles, state_dir, "
     "policy_file, intervals, timeouts, collector, history, http, log; it belongs in policy.yaml\n"
     "e:5: found unknown key \"trigger\", expected one of version, hosts, redis, roles, state_dir, "
     "policy_file, intervals, timeouts, collector, history, http, log; it belongs in policy.yaml",
     0},

    /* Redis */
    BAD_URL("redis.example.org"),
    BAD_URL("rediss://h/0"),
    {"hosts:\n" HOST1 "redis: {mode: external, url: 'redis://user:secret@h/0'}\n",
     "e:3: found \"redis://user:***@h/0\" for redis.url, expected redis://HOST:PORT/DB or "
     "unix:///PATH, without a password",
     0},
    {"password: hunter2\nhosts:\n" HOST1,
     "e:1: found unknown key \"password\", expected one of version, hosts, redis, roles, "
     "state_dir, policy_file, intervals, timeouts, collector, history, http, log",
     0},
    BAD_URL("redis://h:0"),
    BAD_URL("redis://h:70000"),
    BAD_URL("redis://h/first"),
    BAD_URL("redis:///0"),
    BAD_URL("unix://relative"),
    BAD_URL("unix:///"),
    {"hosts:\n" HOST1 "redis: {mode: external, password: hunter2}\n",
     "e:3: found key \"redis.password\", expected \"redis.password_file\", the path of a file "
     "whose "
     "first line is the password",
     0},
    {"hosts:\n" HOST1 "redis: {mode: external}\n",
     "e:3: found redis.mode external without redis.url, expected redis://HOST:PORT/DB or "
     "unix:///PATH in redis.url",
     0},
    {"hosts:\n" HOST1 "redis:\n  mode: embedded\n  url: redis://h\n  user: u\n",
     "e:5: found redis.url with an embedded Redis, expected redis.mode external\n"
     "e:6: found redis.user with an embedded Redis, expected redis.mode external",
     0},
    {"hosts:\n" HOST1 "redis: {socket: /run/redis.sock}\n",
     "e:3: found unknown key \"redis.socket\", expected one of mode, url, user, password_file, "
     "connect_timeout, command_timeout, key_prefix",
     0},
    {"hosts:\n" HOST1 "redis: {key_prefix: 'a*'}\n",
     "e:3: found \"a*\" for redis.key_prefix, expected 1 to 64 letters, digits, '.', '_', '-', "
     "':', "
     "'/' or '@'",
     0},
    {"hosts:\n" HOST1 "redis:\n  mode: external\n  url: redis://h\n  password_file: /nonexistent\n",
     "e:6: found redis.password_file \"/nonexistent\" that cannot be read (No such file or "
     "directory), expected a readable file",
     0},
    {"hosts:\n" HOST1 "http: {listen: 'localhost:80'}\n",
     "e:3: found \"localhost:80\" for http.listen, expected ADDRESS or ADDRESS:PORT in numbers, as "
     "127.0.0.1:9797 or [::1]:9797",
     0},
    {"hosts:\n" HOST1 "http: {listen: '0.0.0.0:80'}\n",
     "e:3: found http.listen \"0.0.0.0:80\" without http.token_file, expected a token file, or an "
     "address that only this machine reaches, such as 127.0.0.1",
     0},
    {"hosts:\n" HOST1 "http: {listen: '[fe80::1%eth0]:80'}\n",
     "e:3: found \"[fe80::1%eth0]:80\" for http.listen, expected ADDRESS or ADDRESS:PORT in "
     "numbers, as "
     "127.0.0.1:9797 or [::1]:9797",
     0},
    {"hosts:\n" HOST1 "http: {names: [a]}\n",
     "e:3: found http.names without http.listen, expected both", 0},
    {"hosts:\n" HOST1 "http: {listen: '[::1]', token_file: /nonexistent}\n",
     "e:3: found http.token_file \"/nonexistent\" that cannot be read (No such file or directory), "
     "expected a readable file",
     0},
    {"hosts:\n" HOST1 "redis: {mode: external, url: 'redis://h', password_file: /}\n",
     "e:3: found redis.password_file \"/\" that is no file, expected one", 0},

    /* the rest */
    {"hosts:\n" HOST1 "roles: [collector]\n",
     "e:3: found one role alone with an embedded Redis, expected both roles or redis.mode "
     "external: "
     "roles meet only in Redis",
     0},
    {"hosts:\n" HOST1 "roles: []\n",
     "e:3: found an empty list for roles, expected a list of one or more of collector and balancer",
     0},
    {"hosts:\n" HOST1 "roles: collector\n",
     "e:3: found \"collector\" for roles, expected a list of one or more of collector and balancer",
     0},
    {"hosts:\n" HOST1 "roles: [collector, balancr]\n",
     "e:3: found \"balancr\" for roles, expected a list of one or more of collector and balancer; "
     "did "
     "you mean \"balancer\"?",
     0},
    {"hosts:\n" HOST1 "roles: [collector, collector]\n",
     "e:3: found collector again in roles, expected it once", 0},
    {"hosts:\n" HOST1 "state_dir: var\n",
     "e:3: found \"var\" for state_dir, expected an absolute path", 0},
    {"hosts:\n" HOST1 "state_dir: \"/var\\nlib\"\n",
     "e:3: found \"/var?lib\" for state_dir, expected an absolute path", 0},
    {"hosts:\n" HOST1 "policy_file: nowhere.yaml\n",
     "e:3: found policy_file \"nowhere.yaml\" that cannot be read (No such file or directory), "
     "expected a readable file",
     0},
    {"hosts:\n" HOST1 "intervals: {sample: 500ms}\n",
     "e:3: found \"500ms\" for intervals.sample, expected a duration from 1s to 1h, such as 500ms, "
     "30s, 5m or 2h",
     0},
    {"hosts:\n" HOST1 "intervals:\n  evaluate: 10s\n",
     "e:4: found intervals.sample and intervals.evaluate in the wrong order, expected "
     "intervals.sample at most intervals.evaluate",
     0},
    {"hosts:\n" HOST1 "timeouts: {post: 10s}\n",
     "e:3: found timeouts.fresh and timeouts.post in the wrong order, expected timeouts.fresh at "
     "most timeouts.post",
     0},
    {"hosts:\n" HOST1 "timeouts: {lease: 5s}\n",
     "e:3: found redis.command_timeout and timeouts.lease in the wrong order, expected "
     "redis.command_timeout below timeouts.lease",
     0},
    {"hosts:\n" HOST1 "history: {host_size: 512KiB}\n",
     "e:3: found \"512KiB\" for history.host_size, expected a size from 1MiB to 1GiB, "
     "such as 512MiB or 4GiB",
     0},
    {"hosts:\n" HOST1 "collector: {workers: 0}\n",
     "e:3: found \"0\" for collector.workers, expected a whole number from 1 to 256", 0},
    {"hosts:\n" HOST1 "log: {level: warn}\n",
     "e:3: found \"warn\" for log.level, expected error, warning, info or debug", 0},
    {"hosts:\n" HOST1 "web: {listen: 1}\n",
     "e:3: found unknown key \"web\", expected one of version, hosts, redis, roles, state_dir, "
     "policy_file, intervals, timeouts, collector, history, http, log",
     0},
    {"version: 3\nhosts:\n" HOST1, "e:1: found \"3\" for version, expected 1", 0},
};

/* Every bad configuration is refused with exactly these words. */
static void exact_messages(void **state)
{
    static struct ek_config_problems problems;
    struct ek_config config;
    struct ek_error err;
    int failed = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bool read =
            ek_config_parse(&config, cases[i].text, bad_size(&cases[i]), "e", &problems, &err);
        failed += compare_bad(&cases[i], read, &problems);
        if (read) {
            ek_config_finish(&config);
        }
    }
    assert_int_equal(failed, 0);
}

static void write_secret(const char *path, const char *text, mode_t mode)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static bool read_with_secret(const char *dir, struct ek_config *config, struct ek_error *err)
{
    static const char text[] = "hosts:\n" HOST1 "redis:\n  mode: external\n  url: redis://h\n"
                               "  password_file: secret\n";
    char name[128];

    (void)snprintf(name, sizeof(name), "%s/e", dir);
    return ek_config_parse(config, text, strlen(text), name, NULL, err);
}

static int make_dir(void **state)
{
    static char dir[64];

    (void)snprintf(dir, sizeof(dir), "/tmp/ek-config-XXXXXX");
    *state = mkdtemp(dir);
    return *state == NULL;
}

static int remove_dir(void **state)
{
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/secret", (const char *)*state);
    (void)unlink(path);
    return rmdir(*state);
}

/* A password that everybody can read is refused; one that only a group can is fine. */
static void secrets_are_closed(void **state)
{
    struct ek_config config;
    struct ek_error err = {0};
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/secret", (const char *)*state);
    write_secret(path, "hunter2\nsecond line\n", 0644);
    assert_false(read_with_secret(*state, &config, &err));
    assert_non_null(strstr(err.message, "/e:6: found redis.password_file"));
    assert_non_null(strstr(err.message, "of mode 0644, expected 0600 or 0640, closed to others"));
    assert_null(strstr(err.message, "hunter2"));
    write_secret(path, "hunter2\nsecond line\n", 0640);
    assert_true(read_with_secret(*state, &config, &err));
    assert_string_equal(config.redis.password, "hunter2");
    ek_config_finish(&config);
}

/* An empty first line, or one that is longer than any password, is none. */
static void secrets_have_a_text(void **state)
{
    struct ek_config config;
    struct ek_error err = {0};
    char path[128];
    char text[600];

    (void)snprintf(path, sizeof(path), "%s/secret", (const char *)*state);
    write_secret(path, "\nhunter2\n", 0600);
    assert_false(read_with_secret(*state, &config, &err));
    assert_non_null(strstr(err.message, "expected 1 to 512 bytes in its first line"));
    memset(text, 'x', sizeof(text));
    text[512] = '\n';
    text[513] = '\0';
    write_secret(path, text, 0600);
    assert_true(read_with_secret(*state, &config, &err));
    assert_int_equal(strlen(config.redis.password), 512);
    ek_config_finish(&config);
    text[512] = 'x';
    write_secret(path, text, 0600);
    assert_false(read_with_secret(*state, &config, &err));
}

/* Who serves nothing needs no right to the token of the HTTP endpoint. */
static void a_client_reads_no_token(void **state)
{
    static const char text[] = "hosts: [{name: h1, uri: 'qemu+tls://h1/system'}]\n"
                               "http: {listen: '127.0.0.1:9797', token_file: absent}\n";
    struct ek_config config;
    struct ek_error err = {0};
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/secret", (const char *)*state);
    write_secret(path, text, 0600);
    assert_false(ek_config_read(&config, path, NULL, &err));
    assert_non_null(strstr(err.message, "http.token_file"));
    assert_true(ek_config_read_client(&config, path, NULL, &err));
    assert_null(config.http.token);
    ek_config_finish(&config);
}

/* More problems than are kept are counted. */
static void problems_are_counted(void **state)
{
    static struct ek_config_problems problems;
    static char text[30 * 32] = "hosts:\n";
    struct ek_config config;
    struct ek_error err;
    size_t used = strlen(text);

    (void)state;
    for (int i = 0; i < 30; i++) {
        used += (size_t)snprintf(text + used, sizeof(text) - used, "  - h%d\n", i);
    }
    assert_false(ek_config_parse(&config, text, used, "e", &problems, &err));
    assert_int_equal(problems.count, 30);
    assert_string_equal(err.message,
                        "e:2: found \"h0\" for hosts[0], expected a mapping (and 29 more)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_messages),
        cmocka_unit_test_setup_teardown(secrets_are_closed, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(secrets_have_a_text, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(a_client_reads_no_token, make_dir, remove_dir),
        cmocka_unit_test(problems_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
