/* Collecting problems while a file is read; the public part is in config.h. */
#ifndef EK_CONFIG_PROBLEMS_H
#define EK_CONFIG_PROBLEMS_H

#include "balancer/config/config.h"

/* The file that is being read, and where its problems go. */
struct ek_report {
    const char *file;
    struct ek_config_problems *problems;
};

/* Adds "FILE:LINE: " and the printf-like message; a line of 0 leaves ":LINE" out. Kept in the order
 * of lines. Always returns false, so that callers can `return` it. */
bool ek_report_add(const struct ek_report *report, enum ek_error_code code, int line,
                   const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Adds that memory ran out. Returns false. */
bool ek_report_no_memory(const struct ek_report *report);

/* Whether nothing was found; otherwise writes the first problem and the number of others into
 * `err`. */
bool ek_report_verdict(const struct ek_report *report, struct ek_error *err);

enum { EK_QUOTE_SIZE = 80 };

/* The text in double quotes for a message, written into `out` and returned: cut after some sixty
 * bytes, and with the password of a URL and anything that could disturb a terminal replaced. */
const char *ek_quote(char out[EK_QUOTE_SIZE], const char *text);

#endif
