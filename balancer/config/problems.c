/* The list of what is wrong with a file. It has a fixed size and needs no memory, so that it can
 * also tell that memory ran out. */
#include "balancer/config/problems.h"

#include <stdarg.h>
#include <string.h>

/* So much of a wrong value tells which one it is; a whole certificate pasted in the wrong place
 * does not fill a screen. */
enum { QUOTE_TEXT_BYTES = 60 };

/* Makes room behind the problems of the same and of earlier lines; NULL when the list is full. */
static struct ek_config_problem *insert(struct ek_config_problems *problems, int line)
{
    size_t at = problems->count;

    if (at >= EK_CONFIG_MAX_PROBLEMS) {
        return NULL;
    }
    while (at > 0 && problems->items[at - 1].line > line) {
        problems->items[at] = problems->items[at - 1];
        at--;
    }
    return &problems->items[at];
}

bool ek_report_add(const struct ek_report *report, enum ek_error_code code, int line,
                   const char *format, ...)
{
    struct ek_config_problem *item = insert(report->problems, line);
    va_list args;

    /* Counted even when there is no room: the verdict tells how many were left out. */
    report->problems->count++;
    if (item == NULL) {
        return false;
    }
    *item = (struct ek_config_problem){.line = line, .code = code};
    /* FILE:LINE: first, as compilers write it, for editors jump there. */
    int used = line > 0 ? snprintf(item->text, sizeof(item->text), "%s:%d: ", report->file, line)
                        : snprintf(item->text, sizeof(item->text), "%s: ", report->file);
    /* A path that fills the buffer leaves no room for the message; what is kept is then the path
     * alone. */
    if (used >= 0 && (size_t)used < sizeof(item->text)) {
        va_start(args, format);
        (void)vsnprintf(item->text + used, sizeof(item->text) - (size_t)used, format, args);
        va_end(args);
    }
    return false;
}

/* Without a line: no line of the file is at fault. */
bool ek_report_no_memory(const struct ek_report *report)
{
    return ek_report_add(report, EK_ERR_NOMEM, 0, "%s", ek_error_text(EK_ERR_NOMEM));
}

/* One line only, for a log: the first in the file, with how many follow. */
bool ek_report_verdict(const struct ek_report *report, struct ek_error *err)
{
    const struct ek_config_problems *problems = report->problems;
    const struct ek_config_problem *first = &problems->items[0];

    if (problems->count == 0) {
        return true;
    }
    if (problems->count == 1) {
        return ek_error_set(err, first->code, "%s", first->text);
    }
    /* Room for the count is kept: the message of a problem can be longer than that of an error. */
    int room = (int)sizeof(err->message) - 32;
    return ek_error_set(err, first->code, "%.*s (and %zu more)", room, first->text,
                        problems->count - 1);
}

void ek_config_problems_print(const struct ek_config_problems *problems, FILE *out)
{
    for (size_t i = 0; i < problems->count && i < EK_CONFIG_MAX_PROBLEMS; i++) {
        (void)fprintf(out, "%s\n", problems->items[i].text);
    }
    /* What was cut off is said: else an operator would believe that the twenty were all. */
    if (problems->count > EK_CONFIG_MAX_PROBLEMS) {
        (void)fprintf(out, "... and %zu more\n", problems->count - EK_CONFIG_MAX_PROBLEMS);
    }
}

/* Length of the longest start of `text` of at most `limit` bytes that cuts no UTF-8 character. */
static size_t whole_characters(const char *text, size_t limit)
{
    size_t length = strnlen(text, limit + 1);

    if (length <= limit) {
        return length;
    }
    /* In UTF-8 the bytes 10xxxxxx continue a character: go back to the byte that begins one. */
    length = limit;
    while (length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80) {
        length--;
    }
    return length;
}

/* People do write a password into a URL; the message about it must not carry it into a log. */
static const char *without_password(char *out, size_t size, const char *text)
{
    const char *scheme = strstr(text, "://");
    /* The last @: a password may hold one, a host cannot. */
    const char *at = scheme == NULL ? NULL : strrchr(scheme, '@');
    const char *colon = at == NULL ? NULL : strchr(scheme + 3, ':');

    if (colon == NULL || colon > at) {
        return text;
    }
    /* The user's name stays: it helps to find the line, and is no secret. */
    (void)snprintf(out, size, "%.*s***%s", (int)(colon + 1 - text), text, at);
    return out;
}

const char *ek_quote(char out[EK_QUOTE_SIZE], const char *text)
{
    char masked[2 * EK_QUOTE_SIZE];

    text = without_password(masked, sizeof(masked), text);
    size_t length = whole_characters(text, QUOTE_TEXT_BYTES);

    (void)snprintf(out, EK_QUOTE_SIZE, "\"%.*s%s\"", (int)length, text,
                   text[length] == '\0' ? "" : "...");
    /* Messages end up on terminals: an escape sequence in a value must not steer one. */
    for (char *c = out; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7F) {
            *c = '?';
        }
    }
    return out;
}
