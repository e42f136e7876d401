/* Colour follows no-color.org: NO_COLOR set to anything but nothing turns it off. Sequences are the
 * eight colours that every terminal has; `dim` and `bold` where no colour is meant. */
#include "balancer/tools/terminal.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The longest sentence with its names and an error in it. */
enum { TEXT_SIZE = 1200 };

/* Also asked where a line is redrawn: in a file or a pipe that would be a heap of fragments. */
bool ek_terminal_is(FILE *out)
{
    return isatty(fileno(out)) == 1;
}

bool ek_terminal_colours(FILE *out)
{
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");

    return (no_color == NULL || no_color[0] == '\0') &&
           (term == NULL || strcmp(term, "dumb") != 0) && ek_terminal_is(out);
}

/* In place, and byte for byte: UTF-8's bytes are all 0x80 and above and pass. Below them lie the
 * escape character and all else that could move a cursor or set a title. */
void ek_terminal_clean(char *text)
{
    for (; *text != '\0'; text++) {
        if (((unsigned char)*text < ' ' && *text != '\n') || *text == 0x7F) {
            *text = ' ';
        }
    }
}

const char *ek_colour_begin(enum ek_colour colour)
{
    static const char *const sequences[] = {
        [EK_COLOUR_NONE] = "",        [EK_COLOUR_GOOD] = "\033[32m", [EK_COLOUR_WARN] = "\033[33m",
        [EK_COLOUR_BAD] = "\033[31m", [EK_COLOUR_FAINT] = "\033[2m", [EK_COLOUR_STRONG] = "\033[1m",
    };

    return sequences[colour];
}

/* One sequence ends all: nothing that was on before may stay on behind a text. */
const char *ek_colour_end(enum ek_colour colour)
{
    return colour == EK_COLOUR_NONE ? "" : "\033[0m";
}

void ek_terminal_print(FILE *out, enum ek_colour colour, const char *format, ...)
{
    /* The text is cleaned before the sequences are added: those are ours. */
    enum ek_colour used = ek_terminal_colours(out) ? colour : EK_COLOUR_NONE;
    char text[TEXT_SIZE];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    ek_terminal_clean(text);
    (void)fprintf(out, "%s%s%s", ek_colour_begin(used), text, ek_colour_end(used));
}

const char *ek_bar(double ratio, int width, char out[EK_BAR_SIZE])
{
    /* What EK_BAR_SIZE has room for, with brackets and the end. */
    int wide = width > 40 ? 40 : width;
    double bounded = ratio >= 1 ? 1 : ratio > 0 ? ratio : 0; /* NAN: empty */
    int full = (int)lround(bounded * wide);

    out[0] = '[';
    for (int i = 0; i < wide; i++) {
        out[1 + i] = i < full ? '#' : '.';
    }
    out[1 + wide] = ']';
    out[2 + wide] = '\0';
    return out;
}

/* Two units at most: more would be exact and unreadable. */
const char *ek_span(int64_t milliseconds, char out[EK_SPAN_SIZE])
{
    int64_t seconds = milliseconds > 0 ? milliseconds / 1000 : 0;

    if (milliseconds > 0 && milliseconds < 1000) {
        (void)snprintf(out, EK_SPAN_SIZE, "%.1f s", (double)milliseconds / 1000);
    } else if (seconds < 60) {
        (void)snprintf(out, EK_SPAN_SIZE, "%" PRId64 " s", seconds);
    } else if (seconds < 3600) {
        (void)snprintf(out, EK_SPAN_SIZE, "%" PRId64 " min %" PRId64 " s", seconds / 60,
                       seconds % 60);
    } else if (seconds < 86400) {
        (void)snprintf(out, EK_SPAN_SIZE, "%" PRId64 " h %" PRId64 " min", seconds / 3600,
                       seconds / 60 % 60);
    } else {
        (void)snprintf(out, EK_SPAN_SIZE, "%" PRId64 " d %" PRId64 " h", seconds / 86400,
                       seconds / 3600 % 24);
    }
    return out;
}

const char *ek_span_about(int64_t milliseconds, enum ek_rounding rounding, char out[EK_SPAN_SIZE])
{
    static const struct {
        int64_t below_s;
        int64_t step_s;
    } steps[] = {{10, 1}, {120, 5}, {600, 30}, {7200, 60}, {86400, 600}, {INT64_MAX, 3600}};
    int64_t seconds = milliseconds > 0 ? milliseconds / 1000 : 0;
    size_t at = 0;

    while (seconds >= steps[at].below_s) {
        at++;
    }
    int64_t step_ms = 1000 * steps[at].step_s;
    int64_t add_ms = rounding == EK_ROUND_UP ? step_ms - 1 : 0;
    add_ms = rounding == EK_ROUND_NEAR ? step_ms / 2 : add_ms;
    (void)ek_span(milliseconds > 0 ? (milliseconds + add_ms) / step_ms * step_ms : 0, out);
    /* "3 min 0 s" claims what was rounded away. */
    char *second = strchr(out, ' ') == NULL ? NULL : strchr(strchr(out, ' ') + 1, ' ');
    if (second != NULL && strncmp(second, " 0 ", 3) == 0) {
        *second = '\0';
    }
    return out;
}

const char *ek_time(int64_t time_ms, char out[EK_SPAN_SIZE])
{
    time_t seconds = (time_t)(time_ms / 1000);
    /* Local time, as the operator's clock on the wall; documents carry milliseconds since 1970. */
    struct tm local;

    if (time_ms == 0 || localtime_r(&seconds, &local) == NULL ||
        strftime(out, EK_SPAN_SIZE, "%Y-%m-%d %H:%M:%S", &local) == 0) {
        (void)snprintf(out, EK_SPAN_SIZE, "-");
    }
    return out;
}
