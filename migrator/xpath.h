/* Reading libvirt's XML by XPath. */
#ifndef EK_MIGRATOR_XPATH_H
#define EK_MIGRATOR_XPATH_H

#include <stdbool.h>
#include <stddef.h>

struct ek_xpath;

/* Parses a document; NULL when it is none, or when memory ran out. Owned by the caller. */
struct ek_xpath *ek_xpath_parse(const char *text);
void ek_xpath_free(struct ek_xpath *xml);

/* How many nodes the path names. */
size_t ek_xpath_count(const struct ek_xpath *xml, const char *path);

/* The text of the n-th node, malloc'ed for the caller; NULL when there is none. */
char *ek_xpath_text(const struct ek_xpath *xml, const char *path, size_t n);

/* The first node as XML, malloc'ed for the caller; NULL when there is none. */
char *ek_xpath_dump(const struct ek_xpath *xml, const char *path);

/* Copies the text of the first node into the buffer; false, and "", when there is none or it is too
 * long. */
bool ek_xpath_read(const struct ek_xpath *xml, const char *path, char *out, size_t size);

#endif
