/* A text that grows by formatted pieces: what tests print and compare. */
#ifndef EK_TESTS_LIB_TEXT_H
#define EK_TESTS_LIB_TEXT_H

#include <stddef.h>

struct ek_text {
    char text[16 * 1024];
    size_t used;
};

/* Appends; fails the test when the text is full. */
void ek_text_add(struct ek_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

void ek_text_clear(struct ek_text *text);

#endif
