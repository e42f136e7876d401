/* Other names: always the same ones for the same word, and nothing left of the old. */
#include "balancer/codec/anonymise.h"

#include "balancer/codec/codec.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const nets[] = {"secret-net"};
static const char *const rules[] = {
    "anti_affinity group=secret-web topology=secret-rack enforcement=must",
    "pin hosts=secret-a,secret-b weight=3", "anti_affinity group=secret-web topology=host"};
static const struct ek_label labels[] = {{"secret-rack", "secret-r1"}, {"gpu", "2"}};

/* The sample as text, with other names if there is a word. */
static char *text_of(const char *word)
{
    struct ek_domain domain = {.uuid = "secret-uuid",
                               .name = "secret-web-1",
                               .vcpus = 1,
                               .memory_mib = 64,
                               .cpu_used_cores = NAN,
                               .cpu_steal = NAN,
                               .memory_used_mib = NAN,
                               .memory_rss_mib = NAN,
                               .immovable_reason = "secret-reason",
                               .labels = {labels, 2},
                               .networks = {nets, 1, true},
                               .devices = {nets, 1, true},
                               .rules = {rules, 3, true},
                               .machine = "pc-q35-7.2"};
    struct ek_storage_pool pool = {.name = "secret-pool",
                                   .type = "netfs",
                                   .target = "/srv/secret-target",
                                   .source = "secret-server:/export",
                                   .capacity_mib = 100,
                                   .allocation_mib = NAN,
                                   .available_mib = 50};
    struct ek_sample sample = {.period_ms = 1,
                               .collector = "secret-host:1",
                               .host = {.name = "secret-a",
                                        .uuid = "secret-uuid",
                                        .cpu_cores = 1,
                                        .memory_mib = 1,
                                        .migration_mib_s = 1,
                                        .storages = {nets, 1, true},
                                        .storage_pools = {&pool, 1},
                                        .labels = {labels, 2}},
                               .domains = &domain,
                               .domain_count = 1};
    struct ek_anonymiser anonymiser = ek_anonymiser_of(word, &sample.arena);

    ek_anonymise_sample(&anonymiser, &sample);
    assert_false(anonymiser.failed);
    char *text = ek_codec_write_sample(&sample);
    assert_non_null(text);
    ek_sample_finish(&sample);
    return text;
}

/* Nothing that is a name is left; what is none stays. */
static void test_nothing_is_left(void **state)
{
    char *text = text_of("word");

    (void)state;
    assert_null(strstr(text, "secret"));
    assert_non_null(strstr(text, "\"gpu\":\"2\""));
    assert_non_null(strstr(text, "pc-q35-7.2"));
    assert_non_null(strstr(text, "\"type\":\"netfs\""));
    assert_non_null(strstr(text, "topology=host\""));
    assert_non_null(strstr(text, " enforcement=must\""));
    free(text);
}

static void test_a_word_gives_its_names(void **state)
{
    char *text = text_of("word");
    char *again = text_of("word");
    char *other = text_of("another");

    (void)state;
    assert_string_equal(text, again);
    assert_string_not_equal(text, other);
    free(text);
    free(again);
    free(other);
}

/* The host's name in a rule, and the label's in a topology, are those that host and label have. */
static void test_rules_go_on_fitting(void **state)
{
    char *text = text_of("word");
    char name[64];
    char label[64];
    char wanted[200];

    (void)state;
    assert_int_equal(sscanf(strstr(text, "\"name\":\""), "\"name\":\"%63[^\"]", name), 1);
    (void)snprintf(wanted, sizeof(wanted), "pin hosts=%s,host-", name);
    assert_non_null(strstr(text, wanted));
    assert_int_equal(sscanf(strstr(text, "\"labels\":{\""), "\"labels\":{\"%63[^\"]", label), 1);
    (void)snprintf(wanted, sizeof(wanted), "topology=%s enforcement", label);
    assert_non_null(strstr(text, wanted));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_left),
        cmocka_unit_test(test_a_word_gives_its_names),
        cmocka_unit_test(test_rules_go_on_fitting),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
