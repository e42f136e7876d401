/* A real redis-server for a group of tests, in a directory that is made and removed. */
#ifndef EK_TESTS_STORE_SERVER_H
#define EK_TESTS_STORE_SERVER_H

#include "balancer/store/embedded.h"
#include "balancer/store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct server {
    char dir[64];
    char socket[108];
    struct ek_embedded *embedded;
    struct ek_store *store;
};

/* Makes the directory, starts the server, connects a store. Exits with 77 when there is no
 * redis-server. */
void server_start(struct server *server);
void server_stop(struct server *server);

/* Kills the server as a crash would, and starts it again in the same directory. */
void server_crash_and_restart(struct server *server);

/* A store of its own on that server, with timeouts of `timeout_ms`. */
struct ek_store *server_store(const struct server *server, int timeout_ms);

/* A store with credentials; NULL: none. */
struct ek_store *server_login(const struct server *server, const char *user, const char *password);

/* Sends a command, words separated by blanks, over a connection of its own and gives the reply in
 * words: a text or number as it is, "(nil)", a list with blanks between, an error with its text.
 * Static buffer. */
const char *server_say(const struct server *server, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Removes a directory with all in it. */
void remove_tree(const char *dir);

int64_t monotonic_ms(void);

/* Asserts that the expression is true, and shows the error's message if it is not. */
#define assert_done(expression, err)                         \
    do {                                                     \
        if (!(expression)) {                                 \
            fail_msg("%s: %s", #expression, (err)->message); \
        }                                                    \
    } while (0)

#endif
