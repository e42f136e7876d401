#include "balancer/daemon/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static atomic_int threshold = EK_LOG_INFO;

void ek_log_set_level(enum ek_log_level level)
{
    atomic_store(&threshold, (int)level);
}

/* systemd sets JOURNAL_STREAM when standard error goes to the journal, which has its own times. */
static void print_time(char *out, size_t size)
{
    struct timespec now;
    struct tm utc;

    out[0] = '\0';
    if (getenv("JOURNAL_STREAM") != NULL || clock_gettime(CLOCK_REALTIME, &now) != 0 ||
        gmtime_r(&now.tv_sec, &utc) == NULL) {
        return;
    }
    char seconds[32];
    (void)strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &utc);
    (void)snprintf(out, size, "%s.%03ldZ ", seconds, now.tv_nsec / 1000000);
}

void ek_log(enum ek_log_level level, const char *format, ...)
{
    char when[48];
    char text[1024];
    va_list args;

    if ((int)level > atomic_load(&threshold)) {
        return;
    }
    print_time(when, sizeof(when));
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    (void)fprintf(stderr, "%s%-7s %s\n", when, ek_log_level_name(level), text);
}
