/* Errors: a code for the program, a sentence for people. The sentence grows at its front as it
 * climbs, so that the last cause stands last and nearest to what was found. */
#include "balancer/core/error.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool ek_error_set(struct ek_error *err, enum ek_error_code code, const char *format, ...)
{
    va_list args;

    assert(err != NULL && code != EK_ERR_NONE);
    err->code = code;
    va_start(args, format);
    (void)vsnprintf(err->message, sizeof(err->message), format, args);
    va_end(args);
    return false;
}

bool ek_error_wrap(struct ek_error *err, const char *format, ...)
{
    char inner[sizeof(err->message)];
    va_list args;

    /* The old message is read while the new one is written into the same place: copy it first. */
    memcpy(inner, err->message, sizeof(inner));
    va_start(args, format);
    int used = vsnprintf(err->message, sizeof(err->message), format, args);
    va_end(args);
    /* A context that fills everything stays alone: half of a cause would mislead. */
    if (used >= 0 && (size_t)used < sizeof(err->message) - 2) {
        (void)snprintf(err->message + used, sizeof(err->message) - (size_t)used, ": %s", inner);
    }
    return false;
}

const char *ek_error_text(enum ek_error_code code)
{
    static const char *const texts[] = {
#define X(code, text) text,
        EK_ERROR_CODES(X)
#undef X
    };

    return (size_t)code < sizeof(texts) / sizeof(texts[0]) ? texts[code] : "unknown error";
}
