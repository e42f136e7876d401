/* Log lines on standard error: "LEVEL what happened and why", for journald or a file; with a time
 * in front, or for the journal with the level's number, as `journalctl -p` wants it. Thread-safe;
 * one write per line. Control characters, line ends among them, become blanks, and what is no UTF-8
 * question marks. */
#ifndef EK_DAEMON_LOG_H
#define EK_DAEMON_LOG_H

#include "balancer/config/config.h"

/* Lines above this level are dropped. */
void ek_log_set_level(enum ek_log_level level);

void ek_log(enum ek_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
