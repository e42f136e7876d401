/* libvirt's XML through libxml2's XPath. Failures of memory are remembered in the document, so that
 * a parser can ask for many values and look once at the end. */
#include "collector/xml/xml.h"

#include "collector/libvirt/handles.h"

#include <libxml/parser.h>
#include <libxml/xpath.h>
#include <libxml/xpathInternals.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* libxml2 reports through globals unless a document is parsed in a context of its own, hence
 * xmlCtxtReadDoc; contexts are not shared, so that threads may parse at the same time. */

struct ek_xml {
    xmlDocPtr document;
    xmlXPathContextPtr xpath;
    bool failed;
};

static void object_release(xmlXPathObjectPtr *object)
{
    xmlXPathFreeObject(*object);
}

static void parser_release(xmlParserCtxtPtr *parser)
{
    if (*parser != NULL) {
        xmlFreeParserCtxt(*parser);
    }
}

static void text_release(xmlChar **text)
{
    xmlFree(*text);
}

void ek_xml_init(void)
{
    xmlInitParser();
}

static bool report_parse_error(xmlParserCtxtPtr parser, struct ek_error *err)
{
    const xmlError *error = xmlCtxtGetLastError(parser);
    const char *message = error != NULL && error->message != NULL ? error->message : "no document";

    return ek_error_set(err, EK_ERR_INVALID, "XML line %d: %.*s", error != NULL ? error->line : 0,
                        (int)strcspn(message, "\n"), message);
}

static bool parse_document(struct ek_xml *xml, const char *text, struct ek_error *err)
{
    EK_SCOPED(parser_release) xmlParserCtxtPtr parser = xmlNewParserCtxt();

    if (parser != NULL) {
        /* No network and no entities from outside: a domain's description comes from whoever may
         * define domains. Messages are taken from the context instead of being printed. */
        xml->document = xmlCtxtReadDoc(parser, (const xmlChar *)text, NULL, NULL,
                                       XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
        if (xml->document == NULL) {
            return report_parse_error(parser, err);
        }
        xml->xpath = xmlXPathNewContext(xml->document);
    }
    /* Labels live in a namespace of ours; XPath needs a prefix for it, whatever prefix the document
     * uses. */
    if (xml->xpath == NULL || xmlXPathRegisterNs(xml->xpath, (const xmlChar *)"ek",
                                                 (const xmlChar *)"urn:evenkeel:domain:1") != 0) {
        return ek_error_set(err, EK_ERR_NOMEM, "out of memory for an XML document");
    }
    return true;
}

struct ek_xml *ek_xml_parse(const char *text, struct ek_error *err)
{
    struct ek_xml *xml = calloc(1, sizeof(*xml));

    if (xml == NULL) {
        (void)ek_error_set(err, EK_ERR_NOMEM, "out of memory for an XML document");
        return NULL;
    }
    if (!parse_document(xml, text, err)) {
        ek_xml_free(xml);
        return NULL;
    }
    return xml;
}

/* The expressions are this program's own: what fails here is memory. */
static xmlXPathObjectPtr evaluate(struct ek_xml *xml, const char *expression)
{
    xmlXPathObjectPtr object =
        xml->failed ? NULL : xmlXPathEvalExpression((const xmlChar *)expression, xml->xpath);

    xml->failed = xml->failed || object == NULL;
    return object;
}

bool ek_xml_has(struct ek_xml *xml, const char *expression)
{
    EK_SCOPED(object_release) xmlXPathObjectPtr object = evaluate(xml, expression);

    return object != NULL && xmlXPathCastToBoolean(object) != 0;
}

const char *ek_xml_string(struct ek_xml *xml, const char *expression, struct ek_arena *arena)
{
    EK_SCOPED(object_release) xmlXPathObjectPtr object = evaluate(xml, expression);
    EK_SCOPED(text_release)
    xmlChar *text = object == NULL ? NULL : xmlXPathCastToString(object);

    /* XPath gives "" for what is not there: here an absent attribute and an empty one are the same.
     */
    if (text == NULL || text[0] == '\0') {
        return NULL;
    }
    const char *copy = ek_arena_strdup(arena, (const char *)text);
    xml->failed = copy == NULL;
    return copy;
}

const char *ek_xml_dump(struct ek_xml *xml, const char *expression, struct ek_arena *arena)
{
    EK_SCOPED(object_release) xmlXPathObjectPtr object = evaluate(xml, expression);
    const char *copy = NULL;

    if (object == NULL || xmlXPathNodeSetGetLength(object->nodesetval) == 0) {
        return NULL;
    }
    xmlBufferPtr buffer = xmlBufferCreate();
    if (buffer != NULL &&
        xmlNodeDump(buffer, xml->document, xmlXPathNodeSetItem(object->nodesetval, 0), 0, 0) >= 0) {
        copy = ek_arena_strdup(arena, (const char *)xmlBufferContent(buffer));
    }
    if (buffer != NULL) {
        xmlBufferFree(buffer);
    }
    xml->failed = copy == NULL;
    return copy;
}

double ek_xml_number(struct ek_xml *xml, const char *expression)
{
    EK_SCOPED(object_release) xmlXPathObjectPtr object = evaluate(xml, expression);

    /* What is no number is NAN in XPath, too. */
    return object == NULL ? (double)NAN : xmlXPathCastToNumber(object);
}

bool ek_xml_each(struct ek_xml *xml, const char *expression,
                 bool (*visit)(void *context, struct ek_xml *xml), void *context)
{
    EK_SCOPED(object_release) xmlXPathObjectPtr object = evaluate(xml, expression);
    /* The visitor's expressions are relative to its node; the place from before is restored, so
     * that visits may nest. */
    xmlNodePtr position = xml->xpath->node;
    bool more = true;

    for (int i = 0; object != NULL && more && i < xmlXPathNodeSetGetLength(object->nodesetval);
         i++) {
        xml->xpath->node = xmlXPathNodeSetItem(object->nodesetval, i);
        more = visit(context, xml);
    }
    xml->xpath->node = position;
    return more;
}

size_t ek_xml_count(struct ek_xml *xml, const char *expression)
{
    EK_SCOPED(object_release) xmlXPathObjectPtr object = evaluate(xml, expression);

    return object == NULL ? 0 : (size_t)xmlXPathNodeSetGetLength(object->nodesetval);
}

bool ek_xml_failed(const struct ek_xml *xml)
{
    return xml->failed;
}

void ek_xml_free(struct ek_xml *xml)
{
    if (xml == NULL) {
        return;
    }
    if (xml->xpath != NULL) {
        xmlXPathFreeContext(xml->xpath);
    }
    if (xml->document != NULL) {
        xmlFreeDoc(xml->document);
    }
    free(xml);
}
