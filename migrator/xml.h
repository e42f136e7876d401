/* Reading libvirt's XML by XPath. */
#ifndef EK_MIGRATOR_XML_H
#define EK_MIGRATOR_XML_H

#include <stdbool.h>
#include <stddef.h>

struct ek_xml;

/* Parses a document; NULL when it is none, or when memory ran out. Owned by the caller. */
struct ek_xml *ek_xml_parse(const char *text);
void ek_xml_free(struct ek_xml *xml);

/* How many nodes the path names. */
size_t ek_xml_count(const struct ek_xml *xml, const char *path);

/* The text of the n-th node, malloc'ed for the caller; NULL when there is none. */
char *ek_xml_text(const struct ek_xml *xml, const char *path, size_t n);

/* The first node as XML, malloc'ed for the caller; NULL when there is none. */
char *ek_xml_dump(const struct ek_xml *xml, const char *path);

/* Copies the text of the first node into the buffer; false, and "", when there is none or it is too
 * long. */
bool ek_xml_read(const struct ek_xml *xml, const char *path, char *out, size_t size);

#endif
