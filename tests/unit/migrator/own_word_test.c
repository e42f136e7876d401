/* What a domain's metadata forbid, by kind of move. */
#include "migrator/own_word.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define EVACUATION(mode) \
    "<ek:domain xmlns:ek='urn:evenkeel:domain:1'><ek:evacuation mode='" mode "'/></ek:domain>"
#define NOVA "<n:instance xmlns:n='http://openstack.org/xmlns/libvirt/nova/1.1'/>"

static char text[EK_TEXT_SIZE];

/* Why not; "" when nothing is against it. */
static const char *forbids(const char *metadata, enum ek_move_kind kind)
{
    char document[1024];
    struct ek_own_word word;

    (void)snprintf(document, sizeof(document),
                   "<domain><name>web</name><metadata>%s</metadata></domain>", metadata);
    struct ek_xpath *xml = ek_xpath_parse(document);
    assert_non_null(xml);
    ek_own_word_read(xml, &word);
    ek_xpath_free(xml);
    const char *why = ek_own_word_forbids(&word, kind, text);
    return why == NULL ? "" : why;
}

/* An evacuation goes by the word as it is now; a word that nobody knows means to stay. */
static void test_evacuation(void **state)
{
    (void)state;
    assert_string_equal(forbids("", EK_MOVE_EVACUATE), "");
    assert_string_equal(forbids(EVACUATION("migrate"), EK_MOVE_EVACUATE), "");
    assert_string_equal(forbids(EVACUATION("postcopy"), EK_MOVE_EVACUATE), "");
    assert_string_equal(forbids(EVACUATION("block"), EK_MOVE_EVACUATE),
                        "its metadata say by now: evacuation \"block\"");
    assert_string_equal(forbids(EVACUATION("save"), EK_MOVE_EVACUATE),
                        "its metadata say by now: evacuation \"save\"");
    assert_string_equal(forbids(EVACUATION("sav"), EK_MOVE_EVACUATE),
                        "its metadata say by now: evacuation \"sav\"");
}

/* The word is about evacuations alone: what levels, and what an operator orders, is not bound. */
static void test_other_moves(void **state)
{
    (void)state;
    assert_string_equal(forbids(EVACUATION("block"), EK_MOVE_BALANCE), "");
    assert_string_equal(forbids(EVACUATION("block"), EK_MOVE_MANUAL), "");
    assert_string_equal(forbids(EVACUATION("save"), EK_MOVE_RULE), "");
}

/* Nobody is stopped who does not ask for just that, once. */
static void test_stops(void **state)
{
    static const char no_more[] = "its metadata do not ask for it any more";

    (void)state;
    assert_string_equal(forbids(EVACUATION("save"), EK_MOVE_SAVE), "");
    assert_string_equal(forbids(EVACUATION("shutdown"), EK_MOVE_SHUTDOWN), "");
    assert_string_equal(forbids(EVACUATION("save"), EK_MOVE_SHUTDOWN), no_more);
    assert_string_equal(forbids(EVACUATION("block"), EK_MOVE_SAVE), no_more);
    assert_string_equal(forbids("", EK_MOVE_SAVE), no_more);
    assert_string_equal(forbids(EVACUATION("save") EVACUATION("save"), EK_MOVE_SAVE), no_more);
}

/* Another manager's domain is neither moved nor stopped, whatever it says and whoever asks. */
static void test_managers(void **state)
{
    (void)state;
    assert_non_null(strstr(forbids(NOVA, EK_MOVE_BALANCE), "OpenStack"));
    assert_non_null(strstr(forbids(NOVA, EK_MOVE_MANUAL), "OpenStack"));
    assert_non_null(strstr(forbids(NOVA EVACUATION("save"), EK_MOVE_SAVE), "OpenStack"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_evacuation),
        cmocka_unit_test(test_other_moves),
        cmocka_unit_test(test_stops),
        cmocka_unit_test(test_managers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
