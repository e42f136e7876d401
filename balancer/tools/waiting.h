/* What verbs that wait for something share: a clock that does not jump, pauses that an interrupt
 * ends, and a line that is redrawn on a terminal. */
#ifndef EK_TOOLS_WAITING_H
#define EK_TOOLS_WAITING_H

#include "balancer/tools/terminal.h"

/* How long Redis or the balancer may be away, as when the daemon is restarted, until waiting for it
 * is given up. */
enum { EK_WAIT_GRACE_MS = 10000, EK_WAIT_LINE_SIZE = 240 };

/* Milliseconds that do not jump, for waiting: the wall clock may be set meanwhile. */
int64_t ek_wait_now_ms(void);

/* From now on SIGINT and SIGTERM do not end the program but the pauses below: a verb that is
 * interrupted has something to say, or a terminal to put right. */
void ek_wait_hold_signals(void);

/* Waits so long; true: the program was told to end. */
bool ek_wait_interrupted(int ms);

/* One line that changes: on a terminal in its place behind a bar, else a line per change. */
struct ek_wait_line {
    bool terminal; /* set by the caller */
    bool silent;   /* --json: standard output belongs to the one document at the end */
    FILE *out;     /* NULL: standard output */
    char text[EK_WAIT_LINE_SIZE];
};

/* `ratio` 0..1 fills the bar. */
void ek_wait_show(struct ek_wait_line *line, double ratio, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Whatever is printed next does not stand behind the bar. */
void ek_wait_end_line(const struct ek_wait_line *line);

#endif
