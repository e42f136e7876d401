#include "balancer/manual/mdoc.h"

#include <stdbool.h>

/* One character, where a line begins if `first`. A plain "-" would become a hyphen, which no shell
 * knows, and quotes and carets would become typographic ones. */
static void put(char character, bool first, FILE *out)
{
    static const struct {
        char character;
        const char *written;
    } special[] = {{'\\', "\\e"},  {'-', "\\-"},   {'\'', "\\(aq"},
                   {'`', "\\(ga"}, {'^', "\\(ha"}, {'~', "\\(ti"}};

    if (first && character == '.') {
        (void)fputs("\\&", out); /* else a request */
    }
    for (size_t i = 0; i < sizeof(special) / sizeof(special[0]); i++) {
        if (special[i].character == character) {
            (void)fputs(special[i].written, out);
            return;
        }
    }
    (void)fputc(character, out);
}

void ek_mdoc_text(const char *text, FILE *out)
{
    bool bold = false;
    bool first = true;

    for (; *text != '\0'; text++) {
        if (*text == '`') {
            bold = !bold;
            (void)fputs(bold ? "\\fB" : "\\fP", out);
        } else {
            put(*text, first, out);
        }
        first = *text == '\n';
    }
}

void ek_mdoc_literal(const char *text, FILE *out)
{
    bool first = true;

    for (; *text != '\0'; text++) {
        put(*text, first, out);
        first = *text == '\n';
    }
}
