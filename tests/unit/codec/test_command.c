/* Replies: written and read back, and refused when they are no replies. */
#include "balancer/codec/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct ek_command_reply there_and_back(const struct ek_command_reply *reply)
{
    struct ek_command_reply read;
    struct ek_error err = {0};
    char *json = ek_codec_write_reply(reply);

    assert_non_null(json);
    if (!ek_codec_read_reply(&read, json, strlen(json), "reply", &err)) {
        fail_msg("%s: %s", err.message, json);
    }
    free(json);
    return read;
}

/* Every kind of error is the same after it was written and read. */
static void test_errors(void **state)
{
    (void)state;
    for (unsigned int code = EK_ERR_NONE; code <= EK_ERR_REMOTE; code++) {
        struct ek_command_reply reply = {.id = "1-1", .code = (enum ek_error_code)code};
        (void)snprintf(reply.text, sizeof(reply.text), "a \"text\"\nof two lines");
        struct ek_command_reply read = there_and_back(&reply);
        assert_int_equal(read.code, code);
        assert_string_equal(read.text, reply.text);
        assert_string_equal(read.evidence.move, "");
    }
}

static void test_evidence(void **state)
{
    struct ek_command_reply reply = {
        .id = "1-1",
        .evidence = {.move = "p1-1",
                     .domain = "u1",
                     .on_destination = "absent",
                     .since_ms = 1764000000000,
                     .choices = {{"accept-source", "calls it so", false}, {"forget", "x", true}},
                     .choice_count = 2}};

    (void)state;
    struct ek_command_reply read = there_and_back(&reply);
    assert_memory_equal(&read.evidence, &reply.evidence, sizeof(read.evidence));
}

/* What is no reply is refused whole, with the place. */
static void test_refusals(void **state)
{
    static const char *const bad[][2] = {
        {"{\"version\":1}", "reply: id: "},
        {"{\"version\":1,\"id\":\"1\",\"done\":false,\"text\":\"\"}", "reply: error: "},
        {"{\"version\":1,\"id\":\"1\",\"done\":false,\"error\":\"bad luck\",\"text\":\"\"}",
         "reply: error: "},
        {"{\"version\":1,\"id\":\"1\",\"done\":true,\"text\":\"\",\"evidence\":{}}",
         "reply: evidence.move: "},
        {"{\"version\":2}", "version"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct ek_command_reply read;
        struct ek_error err = {0};
        assert_false(ek_codec_read_reply(&read, bad[i][0], strlen(bad[i][0]), "reply", &err));
        assert_int_equal(err.code, EK_ERR_INVALID);
        if (strstr(err.message, bad[i][1]) == NULL) {
            fail_msg("%s", err.message);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_evidence),
        cmocka_unit_test(test_refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
