/* Redis's URLs, as far as they are ours: an address and a database. Users and passwords have keys
 * of their own, so that no URL needs to be kept out of logs. */
#include "balancer/config/syntax.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* 6379 is Redis's own. Its servers have 16 databases unless configured otherwise; the bound only
 * keeps the number a small one. */
enum { DEFAULT_PORT = 6379, MAX_DATABASE = 9999 };

/* "", "/" or "/3". */
static bool parse_database(const char *text, int *database)
{
    int value = 0;

    if (text[0] != '\0' && text[0] != '/') {
        return false;
    }
    text += text[0] == '/';
    for (; isdigit((unsigned char)*text) && value <= MAX_DATABASE; text++) {
        value = value * 10 + (*text - '0');
    }
    *database = value;
    return *text == '\0' && value <= MAX_DATABASE;
}

bool ek_redis_url_parse(const char *text, struct ek_redis_url *out)
{
    static const char unix_scheme[] = "unix://";
    static const char redis_scheme[] = "redis://";

    *out = (struct ek_redis_url){.port = DEFAULT_PORT};
    /* A query string is refused: other clients take a database there, and to pass over it would use
     * the wrong one. */
    if (strncmp(text, unix_scheme, sizeof(unix_scheme) - 1) == 0) {
        const char *path = text + sizeof(unix_scheme) - 1;
        (void)snprintf(out->socket, sizeof(out->socket), "%s", path);
        return path[0] == '/' && path[1] != '\0' && strlen(path) < sizeof(out->socket) &&
               strchr(path, '?') == NULL;
    }
    if (strncmp(text, redis_scheme, sizeof(redis_scheme) - 1) != 0) {
        return false;
    }
    const char *rest = ek_syntax_host_port(text + sizeof(redis_scheme) - 1, out->host,
                                           sizeof(out->host), &out->port);
    return rest != NULL && parse_database(rest, &out->database);
}

bool ek_syntax_redis_url(const char *text)
{
    struct ek_redis_url url;

    return ek_redis_url_parse(text, &url);
}
