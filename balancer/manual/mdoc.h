/* Text for mdoc(7), the language of manual pages: no word of ours may be taken for a command of
 * its, and what is typed stays what can be typed. */
#ifndef EK_MANUAL_MDOC_H
#define EK_MANUAL_MDOC_H

#include <stdio.h>

/* Writes a text as running text: what stands between backquotes in bold, without them. Line ends
 * stay; none is added. */
void ek_mdoc_text(const char *text, FILE *out);

/* Writes a text to be printed as it is: blanks, quotes and minus signs are kept. */
void ek_mdoc_literal(const char *text, FILE *out);

#endif
