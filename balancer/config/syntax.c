/* What texts may look like. Names go into Redis keys, rules and command lines, so that they are
 * kept to characters which mean nothing there; isalnum() means ASCII as long as no locale is set,
 * and this program sets none. */
#include "balancer/config/syntax.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* 127 is what a record of a move has room for with its NUL; a port has 16 bits. */
enum { NAME_MAX_BYTES = 127, PREFIX_MAX_BYTES = 64, MAX_PORT = 65535 };

/* A whitelist: what is forbidden elsewhere (blanks, wildcards, quotes, '=') need not be known here.
 */
static bool has_only(const char *text, const char *others, size_t max)
{
    size_t length = 0;

    while (isalnum((unsigned char)text[length]) ||
           (text[length] != '\0' && strchr(others, text[length]) != NULL)) {
        length++;
    }
    return text[length] == '\0' && length > 0 && length <= max;
}

bool ek_syntax_name(const char *text)
{
    return has_only(text, "._-", NAME_MAX_BYTES);
}

bool ek_syntax_label(const char *text)
{
    return has_only(text, "._-/", NAME_MAX_BYTES);
}

bool ek_syntax_absolute_path(const char *text)
{
    return text[0] == '/';
}

bool ek_syntax_key_prefix(const char *text)
{
    return has_only(text, "._-:/@", PREFIX_MAX_BYTES);
}

/* Stopped as soon as the value is too large, so that no number of digits can overflow it. */
static const char *parse_port(const char *text, int *port)
{
    int value = 0;

    for (; isdigit((unsigned char)*text) && value <= MAX_PORT; text++) {
        value = value * 10 + (*text - '0');
    }
    *port = value;
    return value >= 1 && value <= MAX_PORT ? text : NULL;
}

const char *ek_syntax_host_port(const char *text, char *host, size_t host_size, int *port)
{
    /* Spelt out for strspn; '%' in brackets is the zone of a link-local address, fe80::1%eth0. */
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    static const char digits[] = "0123456789";
    bool v6 = text[0] == '[';
    char allowed[sizeof(letters) + sizeof(digits) + 4];

    (void)snprintf(allowed, sizeof(allowed), "%s%s.%s", letters, digits, v6 ? ":%" : "-_");
    text += v6;
    size_t length = strspn(text, allowed);
    /* A v6 address without brackets would be cut at its first colon and the rest taken for a port:
     * hence the brackets are demanded. */
    if (length == 0 || length >= host_size || (v6 && text[length] != ']')) {
        return NULL;
    }
    memcpy(host, text, length);
    host[length] = '\0';
    text += length + v6;
    return *text == ':' ? parse_port(text + 1, port) : text;
}

/* What follows the scheme, or NULL. */
static const char *after(const char *text, const char *scheme)
{
    size_t length = strlen(scheme);

    return strncmp(text, scheme, length) == 0 ? text + length : NULL;
}

/* The driver's path, and options for libvirt after it. Not /session: guests of single users migrate
 * nowhere, and no other host is seen to run them. */
static bool is_driver_path(const char *text)
{
    const char *rest = after(text, "/system");

    return rest != NULL && (*rest == '\0' || (*rest == '?' && strpbrk(rest, " \t#") == NULL));
}

/* [USER@]HOST[:PORT]; none at all is fine where `local` is. */
static bool check_remote(const char *text, bool local)
{
    char host[256];
    int port;
    const char *at = strchr(text, '@');
    const char *slash = strchr(text, '/');

    if (local && text[0] == '/') {
        return is_driver_path(text);
    }
    /* An @ after the first slash belongs to the path or its options. */
    if (at != NULL && slash != NULL && at < slash) {
        if (at == text || strcspn(text, " :\t") < (size_t)(at - text)) {
            return false; /* a password does not belong into a URI */
        }
        text = at + 1;
    }
    const char *rest = ek_syntax_host_port(text, host, sizeof(host), &port);
    return rest != NULL && is_driver_path(rest);
}

/* QEMU's drivers only: other hypervisors cannot take a domain in, and test:/// can neither migrate
 * nor tell what its domains use. */
bool ek_syntax_libvirt_uri(const char *text)
{
    static const char *const remote[] = {"qemu+tcp://", "qemu+tls://", "qemu+ssh://"};
    const char *rest = after(text, "qemu://");

    if (rest != NULL) {
        return check_remote(rest, true);
    }
    for (size_t i = 0; rest == NULL && i < sizeof(remote) / sizeof(remote[0]); i++) {
        rest = after(text, remote[i]);
    }
    return rest != NULL && check_remote(rest, false);
}

/* Only tcp: rdma and unix need preparations on the hosts that nobody here makes. Without a port the
 * destination picks a free one. */
bool ek_syntax_migration_uri(const char *text)
{
    char host[256];
    int port;
    const char *rest = after(text, "tcp://");

    rest = rest == NULL ? NULL : ek_syntax_host_port(rest, host, sizeof(host), &port);
    return rest != NULL && *rest == '\0';
}
