/* Reading libvirt's XML documents by XPath, over libxml2.
 *
 * Running out of memory is sticky: queries then give nothing, and ek_xml_failed() tells. The prefix
 * "ek" stands for urn:evenkeel:domain:1 in every expression. Nothing is fetched from the network,
 * no entity is expanded. */
#ifndef EK_COLLECTOR_XML_H
#define EK_COLLECTOR_XML_H

#include "balancer/core/arena.h"
#include "balancer/core/error.h"
#include "balancer/core/snapshot.h"

#include <stdbool.h>
#include <stddef.h>

struct ek_xml;

/* To be called once before threads use this module. */
void ek_xml_init(void);

/* Parses a document. NULL on error: INVALID naming line and libxml2's message, or NOMEM. The caller
 * owns the result: ek_xml_free. */
struct ek_xml *ek_xml_parse(const char *text, struct ek_error *err);

/* Whether the expression finds anything at the current position. */
bool ek_xml_has(struct ek_xml *xml, const char *expression);

/* The expression's string value, in the arena; NULL when it is empty. */
const char *ek_xml_string(struct ek_xml *xml, const char *expression, struct ek_arena *arena);

/* The first node that the expression finds, as XML text, in the arena; NULL when there is none. */
const char *ek_xml_dump(struct ek_xml *xml, const char *expression, struct ek_arena *arena);

/* The expression's number; NAN when it is none. */
double ek_xml_number(struct ek_xml *xml, const char *expression);

/* Calls `visit` for each node found, in document order; inside, expressions are relative to that
 * node. `visit` returns false to end the walk; so does this function. */
bool ek_xml_each(struct ek_xml *xml, const char *expression,
                 bool (*visit)(void *context, struct ek_xml *xml), void *context);

/* How many nodes the expression finds. */
size_t ek_xml_count(struct ek_xml *xml, const char *expression);

bool ek_xml_failed(const struct ek_xml *xml);

/* Frees; takes NULL. */
void ek_xml_free(struct ek_xml *xml);

static inline void ek_xml_release(struct ek_xml **xml)
{
    ek_xml_free(*xml);
}

#endif
