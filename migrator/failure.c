/* The classes of libvirt's errors. Codes come first; texts are asked only where libvirt uses one
 * code for things that need different answers. */
#include "migrator/failure.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* First match wins; a row without text matches any. */
static const struct {
    int code;
    const char *text;
    enum ek_failure failure;
} rows[] = {
    {VIR_ERR_OPERATION_ABORTED, NULL, EK_FAILURE_ABORTED},
    /* "cannot acquire state change lock": another job on the domain held it for 30 s. */
    {VIR_ERR_OPERATION_TIMEOUT, NULL, EK_FAILURE_SAME_PAIR},
    {VIR_ERR_RESOURCE_BUSY, NULL, EK_FAILURE_SAME_PAIR},
    /* OPERATION_INVALID is libvirt's word for a wrong state, of the domain as a rule. */
    {VIR_ERR_OPERATION_INVALID, "another migration job", EK_FAILURE_SAME_PAIR},
    {VIR_ERR_OPERATION_INVALID, "is not active", EK_FAILURE_OTHER_HOST}, /* its network */
    {VIR_ERR_OPERATION_INVALID, NULL, EK_FAILURE_DOMAIN},
    /* 64 ports per host (49152 to 49215): they come free again when other migrations end. */
    {VIR_ERR_INTERNAL_ERROR, "Unable to find an unused port", EK_FAILURE_SAME_PAIR},
    /* A pool in which a volume is being made cannot be refreshed. */
    {VIR_ERR_INTERNAL_ERROR, "asynchronous jobs", EK_FAILURE_SAME_PAIR},
    /* What QEMU says on the destination comes as an internal error: no memory, a missing bridge or
     * filter. */
    {VIR_ERR_INTERNAL_ERROR, NULL, EK_FAILURE_OTHER_HOST},
    /* The guest ended while it was copied; its disk failed; the destination has it already: no
     * other host helps. */
    {VIR_ERR_OPERATION_FAILED, "domain is not running", EK_FAILURE_DOMAIN},
    {VIR_ERR_OPERATION_FAILED, "has I/O error", EK_FAILURE_DOMAIN},
    {VIR_ERR_OPERATION_FAILED, "already exists with uuid", EK_FAILURE_DOMAIN},
    /* "job 'migration out' failed", "Lost connection to destination host", "migration of disk vda
     * failed: No space left on device": the far end, or the way to it. */
    {VIR_ERR_OPERATION_FAILED, NULL, EK_FAILURE_OTHER_HOST},
    /* From here on: what the destination lacks. */
    {VIR_ERR_CPU_INCOMPATIBLE, NULL, EK_FAILURE_OTHER_HOST},
    {VIR_ERR_CONFIG_UNSUPPORTED, NULL, EK_FAILURE_OTHER_HOST},
    {VIR_ERR_NO_NETWORK, NULL, EK_FAILURE_OTHER_HOST},
    {VIR_ERR_NO_NWFILTER, NULL, EK_FAILURE_OTHER_HOST},
    {VIR_ERR_NO_STORAGE_POOL, NULL, EK_FAILURE_OTHER_HOST},
    {VIR_ERR_NO_STORAGE_VOL, NULL, EK_FAILURE_OTHER_HOST},
    {VIR_ERR_STORAGE_VOL_EXIST, NULL, EK_FAILURE_OTHER_HOST},
    /* "pre-creation of storage targets for incremental storage migration is not supported": the
     * file that was prepared there is gone. */
    {VIR_ERR_OPERATION_UNSUPPORTED, "pre-creation of storage", EK_FAILURE_OTHER_HOST},
    /* Sockets and files: "unable to connect to server", "Cannot access storage file". Over a living
     * connection they are the destination's. */
    {VIR_ERR_SYSTEM_ERROR, NULL, EK_FAILURE_OTHER_HOST},
    {VIR_ERR_RPC, NULL, EK_FAILURE_OTHER_HOST},
    {VIR_ERR_NO_CONNECT, NULL, EK_FAILURE_OTHER_HOST},
    {VIR_ERR_INVALID_CONN, NULL, EK_FAILURE_OTHER_HOST},
    /* Of the source's connection to the destination: in a peer-to-peer migration the hosts log in
     * to each other. */
    {VIR_ERR_AUTH_FAILED, NULL, EK_FAILURE_OTHER_HOST},
    {VIR_ERR_AUTH_CANCELLED, NULL, EK_FAILURE_OTHER_HOST},
    {VIR_ERR_AUTH_UNAVAILABLE, NULL, EK_FAILURE_OTHER_HOST},
    {VIR_ERR_ACCESS_DENIED, NULL, EK_FAILURE_OTHER_HOST},
    {VIR_ERR_MIGRATE_PERSIST_FAILED, NULL, EK_FAILURE_OTHER_HOST},
    {VIR_ERR_NO_MEMORY, NULL, EK_FAILURE_OTHER_HOST},
};

enum ek_failure ek_failure_of(int code, const char *message)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].code == code &&
            (rows[i].text == NULL || strstr(message, rows[i].text) != NULL)) {
            return rows[i].failure;
        }
    }
    return EK_FAILURE_DOMAIN; /* unsafe disks, unsupported devices, and what we never saw */
}

static _Thread_local struct {
    int code; /* VIR_ERR_OK: none */
    char message[EK_TEXT_SIZE];
} kept;

void ek_failure_keep(void)
{
    virErrorPtr error = virGetLastError();

    if (error != NULL && error->code != VIR_ERR_OK) {
        kept.code = error->code;
        snprintf(kept.message, sizeof(kept.message), "%s",
                 error->message == NULL ? "unknown" : error->message);
    }
}

bool ek_failure_take(virError *out)
{
    *out = (virError){.code = kept.code, .message = kept.message};
    kept.code = VIR_ERR_OK;
    return out->code != VIR_ERR_OK;
}

/* Host and step stand in the text itself: it goes into records and logs that have no other place
 * for them. */
static struct ek_call_result fail_with(enum ek_failure failure, const char *host, const char *step,
                                       const char *text)
{
    struct ek_call_result result = {.ok = false, .failure = failure};

    snprintf(result.error, sizeof(result.error), "%s: %s: %s", host, step, text);
    return result;
}

struct ek_call_result ek_fail(enum ek_failure failure, const char *host, const char *step,
                              const char *format, ...)
{
    char text[EK_TEXT_SIZE];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return fail_with(failure, host, step, text);
}

struct ek_call_result ek_fail_libvirt(const char *host, const char *step, const virError *error,
                                      bool alive)
{
    /* VIR_ERR_OK, or no message: libvirt failed and left no reason. */
    bool said = error != NULL && error->code != VIR_ERR_OK && error->message != NULL;
    enum ek_failure failure = said ? ek_failure_of(error->code, error->message) : EK_FAILURE_DOMAIN;

    return fail_with(alive ? failure : EK_FAILURE_LOST, host, step,
                     said ? error->message : "libvirt failed without saying why");
}
