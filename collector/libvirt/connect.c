/* Opening a connection to a host, and libvirt's errors as ours. Shared with the migrator. */
#include "collector/libvirt/connect.h"

#include <ctype.h>
#include <libvirt/virterror.h>
#include <stdio.h>

/* virGetLastError() is the thread's own and every further libvirt call clears it, virConnectClose
 * in a scope's end included: errors are copied at the place where a call failed, never later. */

/* libvirt gives a peer up after interval * (count + 1): a dead one ends its calls within 30 s. The
 * same figures as libvirtd's own towards its clients. A libvirtd that is stopped and not dead, or a
 * hung QEMU, is not noticed by this: who calls needs a deadline of its own. */
enum { KEEPALIVE_INTERVAL_S = 5, KEEPALIVE_COUNT = 5 };

/* Few classes, by what can be done about them: wait, ask for rights, take the domain for gone. The
 * codes alone do not tell a lost connection. */
static enum ek_error_code code_of(const virError *error)
{
    switch (error->code) {
    case VIR_ERR_NO_MEMORY:
        return EK_ERR_NOMEM;
    case VIR_ERR_AUTH_FAILED:
    case VIR_ERR_AUTH_CANCELLED:
    case VIR_ERR_AUTH_UNAVAILABLE:
    case VIR_ERR_ACCESS_DENIED:
    case VIR_ERR_OPERATION_DENIED:
        return EK_ERR_DENIED;
    case VIR_ERR_NO_DOMAIN:
        return EK_ERR_NOT_FOUND;
    /* The lock of a domain that another job holds: the host itself is well. */
    case VIR_ERR_OPERATION_TIMEOUT:
        return EK_ERR_TIMEOUT;
    case VIR_ERR_NO_CONNECT:
    case VIR_ERR_INVALID_CONN:
        return EK_ERR_UNAVAILABLE;
    default:
        /* A broken connection has no code of its own: what the RPC layer itself says is one. */
        return error->domain == VIR_FROM_RPC ? EK_ERR_UNAVAILABLE : EK_ERR_REMOTE;
    }
}

/* Messages of ssh and of QEMU span lines; ours are one line each. */
static void make_one_line(char *text)
{
    char *out = text;

    for (const char *in = text; *in != '\0'; in++) {
        bool blank = isspace((unsigned char)*in) || iscntrl((unsigned char)*in);
        if (!blank) {
            *out++ = *in;
        } else if (out > text && out[-1] != ' ') {
            *out++ = ' ';
        }
    }
    while (out > text && out[-1] == ' ') {
        out--;
    }
    *out = '\0';
}

bool ek_libvirt_error(struct ek_error *err, const char *uri, const char *what)
{
    /* The uri goes first: a message of libvirt names neither the host nor what was asked of it. */
    const virError *error = virGetLastError();
    bool known = error != NULL && error->message != NULL;

    (void)ek_error_set(err, error != NULL ? code_of(error) : EK_ERR_REMOTE, "%s: %s: %s", uri, what,
                       known ? error->message : "libvirt gave no reason");
    make_one_line(err->message);
    return false;
}

/* A daemon has nobody to ask; declaring the kinds lets libvirt fill them from auth.conf. */
static int refuse_credentials(virConnectCredentialPtr wanted, unsigned int count, void *context)
{
    (void)wanted;
    (void)count;
    (void)context;
    return -1;
}

virConnectPtr ek_libvirt_open(const char *uri, int connect_timeout_ms, struct ek_error *err)
{
    static int kinds[] = {VIR_CRED_AUTHNAME, VIR_CRED_PASSPHRASE, VIR_CRED_ECHOPROMPT,
                          VIR_CRED_NOECHOPROMPT, VIR_CRED_REALM};
    virConnectAuth auth = {
        .credtype = kinds, .ncredtype = sizeof(kinds) / sizeof(kinds[0]), .cb = refuse_credentials};

    /* virConnectOpenAuth itself sits out the kernel's retries, about 39 s, when a host is gone. */
    if (!ek_libvirt_probe(uri, connect_timeout_ms, err)) {
        return NULL;
    }
    /* Read-write, since the migrator shares this and may not migrate over a read-only connection.
     * Needs libvirt's event loop, else the keepalive below cannot work. */
    virConnectPtr connection = virConnectOpenAuth(uri, &auth, 0);
    if (connection == NULL) {
        (void)ek_libvirt_error(err, uri, "cannot connect");
        return NULL;
    }
    if (virConnectSetKeepAlive(connection, KEEPALIVE_INTERVAL_S, KEEPALIVE_COUNT) < 0 &&
        virGetLastErrorCode() != VIR_ERR_NO_SUPPORT) { /* drivers inside the client have none */
        (void)ek_libvirt_error(err, uri, "cannot watch the connection");
        (void)virConnectClose(connection);
        return NULL;
    }
    return connection;
}
