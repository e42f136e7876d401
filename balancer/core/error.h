/* Errors: one table of codes and texts, and a message that is wrapped as it climbs.
 *
 * Every fallible function returns bool (true: done) and takes a `struct ek_error *` that must not
 * be NULL. It is written on failure only. Messages are whole sentences without a final full stop;
 * they name what was found and what was expected. */
#ifndef EK_CORE_ERROR_H
#define EK_CORE_ERROR_H

#include <stdbool.h>

#define EK_ERROR_CODES(X)                                            \
    X(EK_ERR_NONE, "no error")                                       \
    X(EK_ERR_NOMEM, "out of memory")                                 \
    X(EK_ERR_INVALID, "invalid input")                               \
    X(EK_ERR_IO, "input or output failed")                           \
    X(EK_ERR_NOT_FOUND, "not found")                                 \
    X(EK_ERR_UNAVAILABLE, "not reachable")                           \
    X(EK_ERR_TIMEOUT, "timed out")                                   \
    X(EK_ERR_DENIED, "denied")                                       \
    X(EK_ERR_FENCED, "fenced: another balancer holds a newer epoch") \
    X(EK_ERR_CONFLICT, "the record changed meanwhile")               \
    X(EK_ERR_REMOTE, "the remote side failed")

enum ek_error_code {
#define X(code, text) code,
    EK_ERROR_CODES(X)
#undef X
};

struct ek_error {
    enum ek_error_code code;
    char message[400];
};

/* Writes code and a printf-like message; always returns false, so that callers can `return` it. */
bool ek_error_set(struct ek_error *err, enum ek_error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "context: " before the message that is there; always returns false. */
bool ek_error_wrap(struct ek_error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The text of a code, static. */
const char *ek_error_text(enum ek_error_code code);

#endif
