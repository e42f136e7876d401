#include "tests/lib/text.h"

#include "tests/lib/cmocka.h"

#include <stdio.h>

void ek_text_add(struct ek_text *text, const char *format, ...)
{
    va_list args;
    size_t room = sizeof(text->text) - text->used;

    va_start(args, format);
    int length = vsnprintf(text->text + text->used, room, format, args);
    va_end(args);
    assert_true(length >= 0 && (size_t)length < room);
    text->used += (size_t)length;
}

void ek_text_clear(struct ek_text *text)
{
    text->text[0] = '\0';
    text->used = 0;
}
