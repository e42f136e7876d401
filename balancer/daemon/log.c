#include "balancer/daemon/log.h"

#include "balancer/codec/json.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static atomic_int threshold = EK_LOG_INFO;

void ek_log_set_level(enum ek_log_level level)
{
    atomic_store(&threshold, (int)level);
}

/* systemd sets JOURNAL_STREAM to the device and inode of what it gave the service for its standard
 * error; whoever redirects that elsewhere leaves the variable as it is. */
static bool goes_to_the_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    char own[64];
    struct stat status;

    if (stream == NULL || fstat(STDERR_FILENO, &status) != 0) {
        return false;
    }
    (void)snprintf(own, sizeof(own), "%llu:%llu", (unsigned long long)status.st_dev,
                   (unsigned long long)status.st_ino);
    return strcmp(own, stream) == 0;
}

/* "<4>": syslog's number of the level, which the journal takes off and keeps, for `journalctl -p`.
 * Elsewhere the time, which the journal has by itself. */
static void print_front(char *out, size_t size, enum ek_log_level level)
{
    static const int numbers[] = {
        [EK_LOG_ERROR] = 3, [EK_LOG_WARNING] = 4, [EK_LOG_INFO] = 6, [EK_LOG_DEBUG] = 7};
    struct timespec now;
    struct tm utc;

    out[0] = '\0';
    if (goes_to_the_journal()) {
        (void)snprintf(out, size, "<%d>", numbers[level]);
        return;
    }
    if (clock_gettime(CLOCK_REALTIME, &now) != 0 || gmtime_r(&now.tv_sec, &utc) == NULL) {
        return;
    }
    char seconds[32];
    (void)strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &utc);
    (void)snprintf(out, size, "%s.%03ldZ ", seconds, now.tv_nsec / 1000000);
}

/* U+0080 to U+009F, as UTF-8: to many a terminal each is a sequence of ESC and a letter. */
static bool is_late_control(const char *at, size_t length)
{
    return length == 2 && (unsigned char)at[0] == 0xC2 && (unsigned char)at[1] < 0xA0;
}

/* Texts of whoever may write to Redis, or ask over HTTP, stand in our lines: they are not to end
 * one, so that the next looks like ours, nor to steer the terminal of who reads. */
static void make_printable(char *text)
{
    size_t left = strlen(text);

    while (left > 0) {
        size_t length = ek_json_utf8_length(text, left);
        size_t step = length == 0 ? 1 : length;
        if (length == 0) {
            *text = '?';
        } else if ((unsigned char)*text < ' ' || *text == 0x7F || is_late_control(text, length)) {
            memset(text, ' ', step);
        }
        text += step;
        left -= step;
    }
}

void ek_log(enum ek_log_level level, const char *format, ...)
{
    char front[48];
    char text[1024];
    va_list args;

    if ((int)level > atomic_load(&threshold)) {
        return;
    }
    print_front(front, sizeof(front), level);
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    make_printable(text);
    (void)fprintf(stderr, "%s%-7s %s\n", front, ek_log_level_name(level), text);
}
