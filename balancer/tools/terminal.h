/* What a terminal gets and a file does not: colour, bars that are redrawn. And figures for people.
 */
#ifndef EK_TOOLS_TERMINAL_H
#define EK_TOOLS_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum ek_colour {
    EK_COLOUR_NONE,
    EK_COLOUR_GOOD,
    EK_COLOUR_WARN,
    EK_COLOUR_BAD,
    EK_COLOUR_FAINT,
    EK_COLOUR_STRONG,
};

/* Whether `out` is a terminal that takes colour: NO_COLOR unset or empty, TERM not "dumb". */
bool ek_terminal_colours(FILE *out);

bool ek_terminal_is(FILE *out);

/* The text, at most 1,200 bytes, in that colour where `out` takes it, with ek_terminal_clean. */
void ek_terminal_print(FILE *out, enum ek_colour colour, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Makes control characters but line ends into blanks: reasons and errors come from whoever may
 * write to Redis, and are not to steer a terminal. */
void ek_terminal_clean(char *text);

/* The sequences that begin a colour and end any; "" for EK_COLOUR_NONE. */
const char *ek_colour_begin(enum ek_colour colour);
const char *ek_colour_end(enum ek_colour colour);

/* Bytes that a bar of `width` takes with its end. */
enum { EK_BAR_SIZE = 44 };

/* "[####......]" for a ratio; what lies outside 0..1 is full or empty. `width` at most 40. */
const char *ek_bar(double ratio, int width, char out[EK_BAR_SIZE]);

enum { EK_SPAN_SIZE = 32 };

/* "4 s", "12 min 5 s", "3 h 20 min", "2 d 4 h"; below a second "0.4 s", below zero "0 s". */
const char *ek_span(int64_t milliseconds, char out[EK_SPAN_SIZE]);

/* The same for what is only predicted, in steps of a hundredth to a tenth: "about 3 min" and no
 * seconds that nobody can know. */
enum ek_rounding { EK_ROUND_DOWN, EK_ROUND_NEAR, EK_ROUND_UP };
const char *ek_span_about(int64_t milliseconds, enum ek_rounding rounding, char out[EK_SPAN_SIZE]);

/* "2026-01-31 17:05:09" in local time; "-" for 0. */
const char *ek_time(int64_t time_ms, char out[EK_SPAN_SIZE]);

#endif
