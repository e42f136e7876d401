/* Forms of texts in evenkeel.yaml: pure functions that tell whether a text has the form. */
#ifndef EK_CONFIG_SYNTAX_H
#define EK_CONFIG_SYNTAX_H

#include <stdbool.h>
#include <stddef.h>

/* 1 to 127 letters, digits, '.', '_' or '-': what the records of moves have room for. */
bool ek_syntax_name(const char *text);

/* 1 to 127 letters, digits, '.', '_', '-' or '/': no '=' and ':', which selectors use. */
bool ek_syntax_label(const char *text);

/* A libvirt URI of QEMU's: qemu:///system, or qemu+tcp, qemu+tls, qemu+ssh with a host. */
bool ek_syntax_libvirt_uri(const char *text);

/* tcp://ADDRESS, with or without a port. */
bool ek_syntax_migration_uri(const char *text);

bool ek_syntax_absolute_path(const char *text);

/* A Redis key prefix: up to 64 printable characters without blanks and without what SCAN would take
 * for a pattern. */
bool ek_syntax_key_prefix(const char *text);

/* redis://HOST[:PORT][/DB] or unix:///PATH. */
bool ek_syntax_redis_url(const char *text);

struct ek_redis_url {
    char socket[108]; /* sun_path's size; "" when host counts */
    char host[256];
    int port;
    int database;
};

/* Takes such a URL apart; false when it is none. */
bool ek_redis_url_parse(const char *text, struct ek_redis_url *out);

enum { EK_ADDRESS_SIZE = 64, EK_HTTP_PORT = 9797 };

/* ADDRESS, ADDRESS:PORT or [V6]:PORT, the address in numbers: no name, which could come to mean
 * another interface. Takes it apart; *loopback: only this machine reaches it. */
bool ek_listen_parse(const char *text, char address[EK_ADDRESS_SIZE], int *port, bool *loopback);
bool ek_syntax_listen(const char *text);

/* HOST, HOST:PORT, [V6] or [V6]:PORT at the start of `text`: writes the host without brackets, and
 * the port if there is one (else *port stays). Returns what follows, NULL when there is no valid
 * host or port. */
const char *ek_syntax_host_port(const char *text, char *host, size_t host_size, int *port);

#endif
