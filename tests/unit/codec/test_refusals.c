/* What the codec refuses, each with its exact message. */
#include "balancer/codec/codec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HOST "{\"name\": \"h1\", \"cpu_cores\": 8, \"memory_mib\": 1024"
#define DOMAIN "{\"uuid\": \"u1\", \"host\": \"h1\", \"vcpus\": 1, \"memory_mib\": 64"
#define HOSTS(more) "{\"version\": 1, \"hosts\": [" HOST more "}], \"domains\": []}"
#define DOMAINS(more) "{\"version\": 1, \"hosts\": [" HOST "}], \"domains\": [" DOMAIN more "}]}"
#define FLIGHT(flight)                                                                             \
    "{\"version\": 1, \"hosts\": [" HOST "}], \"domains\": [" DOMAIN "}], \"in_flight\": [" flight \
    "]}"

struct refusal {
    const char *text;
    const char *message; /* behind "s.json:" */
};

static const struct refusal syntax[] = {
    {"", "1:1: found the end of the text, expected a value"},
    {"{", "1:2: found the end of the text, expected a text in quotes"},
    {"{\"version\": 1", "1:14: found the end of the text, expected ',' or '}'"},
    {"{\"version\": 1}\n\nx", "3:1: found 'x', expected the end of the text"},
    {"{\"version\": 1}}", "1:15: found '}', expected the end of the text"},
    {"{\n  \"a\": NaN}", "2:8: found 'N', expected a value"},
    {"{\n  \"a\": Infinity}", "2:8: found 'I', expected a value"},
    {"{\"a\": -Infinity}", "1:8: found 'I', expected a digit"},
    {"{\"a\": 01}", "1:8: found '1', expected ',' or '}'"},
    {"{\"a\": 1.}", "1:9: found '}', expected a digit"},
    {"{\"a\": 1e}", "1:9: found '}', expected a digit"},
    {"{\"a\": +1}", "1:7: found '+', expected a value"},
    {"{\"a\": .5}", "1:7: found '.', expected a value"},
    {"{\"a\": truth}", "1:7: found 't', expected a value"},
    {"{\"a\" 1}", "1:6: found '1', expected ':'"},
    {"{a: 1}", "1:2: found 'a', expected a text in quotes"},
    {"{\"a\": 1,}", "1:9: found '}', expected a text in quotes"},
    {"{\"a\": [1 2]}", "1:10: found '2', expected ',' or ']'"},
    {"{\"a\": [1,]}", "1:10: found ']', expected a value"},
    {"{\"a\": \"x\ny\"}", "1:9: found the byte 0x0A, expected an escape in its place"},
    {"{\"a\": \"x", "1:9: found the end of the text, expected a closing quote"},
    {"{\"a\": \"\\x\"}", "1:9: found 'x', expected an escape: one of \"\\/bfnrtu"},
    {"{\"a\": \"\\u00g0\"}", "1:12: found 'g', expected a hexadecimal digit"},
    {"{\"a\": \"\\u0000\"}",
     "1:8: found '\\', expected the escape of a character other than NUL or half a pair"},
    {"{\"a\": \"\\ud800x\"}",
     "1:8: found '\\', expected the escape of a character other than NUL or half a pair"},
    {"{\"a\": \"\xff\"}", "1:8: found the byte 0xFF, expected UTF-8"},
    {"{\"\xc3\xa9\": x}", "1:7: found 'x', expected a value"}, /* columns are characters */
    {"{\"a\": 1111111111111111111111111111111111111111111111111111111111111111}",
     "1:7: found '1', expected a number of at most 63 characters"},
};

static const struct refusal contents[] = {
    {"[]", " found a list, expected an object"},
    {"1", " found a single value, expected an object"},
    {"{}", " version: found nothing, expected 1"},
    {"{\"version\": 2}", " version: found 2, expected 1"},
    {"{\"version\": \"1\"}", " version: found \"1\", expected 1"},
    {"{\"version\": 1, \"version\": 1}", " version: found it twice, expected it once"},
    {"{\"version\": 1, \"domains\": []}", " hosts: found nothing, expected a list, once"},
    {"{\"version\": 1, \"hosts\": []}", " domains: found nothing, expected a list, once"},
    {"{\"version\": 1, \"hosts\": {}, \"domains\": []}",
     " hosts: found an object, expected a list, once"},
    {"{\"version\": 1, \"hosts\": [], \"hosts\": []}", " hosts: found it twice, expected it once"},
    {"{\"version\": 1, \"hosts\": [], \"hosts\": 1, \"domains\": []}",
     " hosts: found 1, expected a list, once"},
    {"{\"version\": 1, \"hosts\": [], \"domains\": [], \"in_flight\": null}",
     " in_flight: found null, expected a list, once"},
    {"{\"version\": 1, \"taken_at_ms\": 1.5, \"hosts\": [], \"domains\": []}",
     " taken_at_ms: found 1.5, expected an integer from 0 to 9007199254740991"},
    {"{\"version\": 1, \"hosts\": [7], \"domains\": []}", " hosts[0]: found 7, expected an object"},
    {"{\"version\": 1, \"hosts\": [{}], \"domains\": []}",
     " hosts[0].name: found nothing, expected a text"},
    {"{\"version\": 1, \"hosts\": [{\"name\": \"\"}], \"domains\": []}",
     " hosts[0].name: found \"\", expected a text of 1 to 127 bytes"},
    {"{\"version\": 1, \"hosts\": [{\"name\": \"a\\u001b[31m\"}], \"domains\": []}",
     " hosts[0].name: found \"a?[31m\", expected a text without control characters"},
    {"{\"version\": 1, \"hosts\": [{\"name\": \"h\", \"cpu_cores\": 0}], \"domains\": []}",
     " hosts[0].cpu_cores: found 0, expected a number above 0"},
    {"{\"version\": 1, \"hosts\": [" HOST "}, {\"name\": \"h2\", \"cpu_cores\": 1, "
     "\"memory_mib\": -1}], \"domains\": []}",
     " hosts[1].memory_mib: found -1, expected a number above 0"},
    {"{\"version\": 1, \"hosts\": [" HOST "}, " HOST "}], \"domains\": []}",
     " hosts[1].name: found \"h1\", expected one that hosts[0] does not have"},
    {HOSTS(", \"memory_mib\": 5"), " hosts[0].memory_mib: found it twice, expected it once"},
    {HOSTS(", \"state\": \"UP\""), " hosts[0].state: found \"UP\", expected up, stale or down"},
    {HOSTS(", \"cpu_used_cores\": 1e999"),
     " hosts[0].cpu_used_cores: found inf, expected a number below 9007199254740992 (2^53)"},
    {HOSTS(", \"memory_used_mib\": 9007199254740993"),
     " hosts[0].memory_used_mib: found 9007199254740992, expected a number below 9007199254740992 "
     "(2^53)"},
    {HOSTS(", \"cpu_used_cores\": null"),
     " hosts[0].cpu_used_cores: found null, expected a number of at least 0"},
    {HOSTS(", \"cpu_used_cores\": \"2\""),
     " hosts[0].cpu_used_cores: found \"2\", expected a number of at least 0"},
    {HOSTS(", \"maintenance\": 1"), " hosts[0].maintenance: found 1, expected true or false"},
    {HOSTS(", \"migration_mib_s\": 0"),
     " hosts[0].migration_mib_s: found 0, expected a number above 0"},
    {HOSTS(", \"labels\": [\"rack\"]"), " hosts[0].labels: found a list, expected an object"},
    {HOSTS(", \"labels\": {\"rack\": 1}"), " hosts[0].labels.rack: found 1, expected a text"},
    {HOSTS(", \"networks\": \"br0\""),
     " hosts[0].networks: found \"br0\", expected a list of texts"},
    {HOSTS(", \"networks\": [\"br0\", null]"),
     " hosts[0].networks[1]: found null, expected a text"},
    {DOMAINS(", \"uuid\": \"u2\""), " domains[0].uuid: found it twice, expected it once"},
    {DOMAINS(", \"cpu_steal\": 1.01"),
     " domains[0].cpu_steal: found 1.01, expected a number from 0 to 1"},
    {DOMAINS(", \"cpu_noise_cores\": -1"),
     " domains[0].cpu_noise_cores: found -1, expected a number of at least 0"},
    {DOMAINS(", \"migration_factor\": 0"),
     " domains[0].migration_factor: found 0, expected a number above 0"},
    {DOMAINS(", \"movable\": \"no\""), " domains[0].movable: found \"no\", expected true or false"},
    {DOMAINS(", \"dirty_mib_s\": -0.5"),
     " domains[0].dirty_mib_s: found -0.5, expected a number of at least 0"},
    {DOMAINS("}, " DOMAIN),
     " domains[1].uuid: found \"u1\", expected one that domains[0] does not have"},
    {"{\"version\": 1, \"hosts\": [], \"domains\": [" DOMAIN "}]}",
     " domains[0].host: found \"h1\", expected the name of one of the hosts"},
    {DOMAINS("}, {\"uuid\": \"0123456789012345678901234567890123456\""),
     " domains[1].uuid: found \"0123456789012345678901234567890123456\", expected a text of 1 to "
     "36 bytes"},
    {DOMAINS("}, {\"uuid\": \"a\\nb\""),
     " domains[1].uuid: found \"a?b\", expected a text without control characters"},
    {DOMAINS("}, {\"uuid\": \"ab\", \"vcpus\": \"a\\nb\""),
     " domains[1].vcpus: found \"a?b\", expected a number above 0"},
    {FLIGHT("{\"domain\": \"u9\"}"),
     " in_flight[0].domain: found \"u9\", expected the UUID of one of the domains"},
    {FLIGHT("{\"domain\": \"u1\", \"source\": \"h1\", \"destination\": \"h2\"}"),
     " in_flight[0].destination: found \"h2\", expected the name of one of the hosts"},
};

static void assert_refused(const struct refusal *refusal)
{
    struct ek_snapshot snapshot;
    struct ek_error err;
    /* A copy without the final NUL: AddressSanitizer sees any look beyond the end. */
    size_t size = strlen(refusal->text);
    char *text = malloc(size);

    assert_true(size == 0 || text != NULL);
    if (size > 0) {
        memcpy(text, refusal->text, size);
    }
    assert_false(ek_codec_read_snapshot(&snapshot, text, size, "s.json", &err));
    free(text);
    assert_int_equal(err.code, EK_ERR_INVALID);
    assert_memory_equal(err.message, "s.json:", 7);
    assert_string_equal(err.message + 7, refusal->message);
    assert_int_equal(snapshot.host_count, 0);
}

/* A text that is not JSON is refused with the line and column of its first wrong character. */
static void test_syntax(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(syntax) / sizeof(syntax[0]); i++) {
        assert_refused(&syntax[i]);
    }
}

/* JSON that is no snapshot is refused with the way to the first wrong value. */
static void test_contents(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(contents) / sizeof(contents[0]); i++) {
        assert_refused(&contents[i]);
    }
}

/* A NUL byte is no blank and no end: what stands behind it is not passed over. */
static void test_nul_byte(void **state)
{
    static const char text[] = "{\"version\": 1,\0 \"hosts\": []}";
    struct ek_snapshot snapshot;
    struct ek_error err;

    (void)state;
    assert_false(ek_codec_read_snapshot(&snapshot, text, sizeof(text) - 1, "s.json", &err));
    assert_string_equal(err.message, "s.json:1:15: found the byte 0x00, expected a text in quotes");
}

/* Every beginning of a good document is refused as a document, and none is read beyond its end. */
static void test_truncated(void **state)
{
    static const char text[] =
        FLIGHT("{\"domain\": \"u1\", \"source\": \"h1\", \"destination\": \"h1\"}");
    struct ek_snapshot snapshot;
    struct ek_error err;

    (void)state;
    for (size_t size = 1; size < sizeof(text) - 1; size++) {
        char *cut = malloc(size);
        assert_non_null(cut);
        memcpy(cut, text, size);
        assert_false(ek_codec_read_snapshot(&snapshot, cut, size, "s", &err));
        assert_non_null(strstr(err.message, "found the end of the text"));
        free(cut);
    }
    assert_true(ek_codec_read_snapshot(&snapshot, text, sizeof(text) - 1, "s", &err));
    ek_arena_finish(&snapshot.arena);
}

/* A million open brackets are refused at the 101st, without recursion that deep. */
static void test_depth_bomb(void **state)
{
    enum { SIZE = 1000000 };
    char *text = malloc(SIZE);
    struct ek_snapshot snapshot;
    struct ek_error err;

    (void)state;
    assert_non_null(text);
    memset(text, '[', SIZE);
    assert_false(ek_codec_read_snapshot(&snapshot, text, SIZE, "s.json", &err));
    assert_string_equal(err.message,
                        "s.json:1:101: found '[', expected at most 100 levels of brackets");
    free(text);
}

/* A document above 128 MiB is refused by its size, unread. */
static void test_size(void **state)
{
    struct ek_snapshot snapshot;
    struct ek_error err;

    (void)state;
    assert_false(ek_codec_read_snapshot(&snapshot, "", EK_CODEC_MAX_BYTES + 1, "s.json", &err));
    assert_string_equal(err.message,
                        "s.json: found 134217729 bytes, expected at most 134217728 (128 MiB)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_syntax),     cmocka_unit_test(test_contents),
        cmocka_unit_test(test_nul_byte),   cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_depth_bomb), cmocka_unit_test(test_size),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
