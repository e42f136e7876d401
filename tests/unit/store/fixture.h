/* A Redis for all tests of a file, emptied before each: setup and teardown of the group, clean of a
 * test. Included once by the file that runs them. */
#ifndef EK_TESTS_STORE_FIXTURE_H
#define EK_TESTS_STORE_FIXTURE_H

#include "server.h"

static struct server server;

static int setup(void **state)
{
    (void)state;
    server_start(&server);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    server_stop(&server);
    return 0;
}

__attribute__((unused)) static int clean(void **state)
{
    (void)state;
    assert_string_equal(server_say(&server, "FLUSHALL"), "OK");
    return 0;
}

#endif
