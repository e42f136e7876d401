/* Interrupts are blocked and fetched by sigtimedwait: no handler is needed, and one between two
 * looks is not lost. */
#include "balancer/tools/waiting.h"
#include "balancer/view/clock.h"

#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

enum { BAR_WIDTH = 20 };

int64_t ek_wait_now_ms(void)
{
    return ek_view_clock_ms(CLOCK_MONOTONIC);
}

static void make_interrupts(sigset_t *interrupts)
{
    (void)sigemptyset(interrupts);
    (void)sigaddset(interrupts, SIGINT);
    (void)sigaddset(interrupts, SIGTERM);
}

void ek_wait_hold_signals(void)
{
    sigset_t interrupts;

    make_interrupts(&interrupts);
    (void)sigprocmask(SIG_BLOCK, &interrupts, NULL);
}

bool ek_wait_interrupted(int ms)
{
    const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000L};
    sigset_t interrupts;

    make_interrupts(&interrupts);
    return sigtimedwait(&interrupts, NULL, &pause) > 0;
}

void ek_wait_show(struct ek_wait_line *line, double ratio, const char *format, ...)
{
    FILE *out = line->out == NULL ? stdout : line->out;
    char text[EK_WAIT_LINE_SIZE];
    char bar[EK_BAR_SIZE];
    va_list arguments;

    if (line->silent) {
        return;
    }
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    ek_terminal_clean(text);
    if (line->terminal) {
        /* Back to the start and clear to the end of the line, as every terminal does since the
         * VT100: a shorter line leaves nothing of a longer one. */
        (void)fprintf(out, "\r\033[K%s %s", ek_bar(ratio, BAR_WIDTH, bar), text);
    } else if (strcmp(text, line->text) != 0) {
        (void)fprintf(out, "%s\n", text);
    }
    (void)snprintf(line->text, sizeof(line->text), "%s", text);
    /* A line without its end would wait in stdio's buffer. */
    (void)fflush(out);
}

void ek_wait_end_line(const struct ek_wait_line *line)
{
    if (line->terminal && line->text[0] != '\0') {
        (void)fputc('\n', line->out == NULL ? stdout : line->out);
    }
}
