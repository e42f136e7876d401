/* A thin layer over libxml2: documents are small and read a few times, so that every question makes
 * a context of its own and needs no lock. */
#include "migrator/xpath.h"

#include <libxml/parser.h>
#include <libxml/xpath.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ek_xpath {
    xmlDocPtr doc;
};

struct ek_xpath *ek_xpath_parse(const char *text)
{
    struct ek_xpath *xml = calloc(1, sizeof(*xml));

    if (xml == NULL) {
        return NULL;
    }
    /* No network, nothing printed: the XML is libvirt's, but what stands in it was written by
     * whoever defines domains. */
    xml->doc = xmlReadMemory(text, (int)strlen(text), "libvirt.xml", NULL,
                             XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    if (xml->doc == NULL) {
        free(xml);
        return NULL;
    }
    return xml;
}

void ek_xpath_free(struct ek_xpath *xml)
{
    if (xml != NULL) {
        xmlFreeDoc(xml->doc);
        free(xml);
    }
}

static xmlXPathObjectPtr evaluate(const struct ek_xpath *xml, const char *path)
{
    xmlXPathContextPtr context = xmlXPathNewContext(xml->doc);
    xmlXPathObjectPtr found = NULL;

    if (context != NULL) {
        found = xmlXPathEvalExpression((const xmlChar *)path, context);
        xmlXPathFreeContext(context);
    }
    return found;
}

/* An expression that gives no set of nodes (a number, a string) has none either. */
static xmlNodePtr node_at(xmlXPathObjectPtr found, size_t n)
{
    if (found == NULL || found->nodesetval == NULL || (size_t)found->nodesetval->nodeNr <= n) {
        return NULL;
    }
    return found->nodesetval->nodeTab[n];
}

size_t ek_xpath_count(const struct ek_xpath *xml, const char *path)
{
    xmlXPathObjectPtr found = evaluate(xml, path);
    size_t count = 0;

    if (found != NULL && found->nodesetval != NULL) {
        count = (size_t)found->nodesetval->nodeNr;
    }
    xmlXPathFreeObject(found);
    return count;
}

/* libxml2's memory is not malloc's. */
static char *own(xmlChar *text)
{
    char *copy = text == NULL ? NULL : strdup((const char *)text);

    xmlFree(text);
    return copy;
}

char *ek_xpath_text(const struct ek_xpath *xml, const char *path, size_t n)
{
    xmlXPathObjectPtr found = evaluate(xml, path);
    xmlNodePtr node = node_at(found, n);
    char *text = node == NULL ? NULL : own(xmlNodeGetContent(node));

    xmlXPathFreeObject(found);
    return text;
}

char *ek_xpath_dump(const struct ek_xpath *xml, const char *path)
{
    xmlXPathObjectPtr found = evaluate(xml, path);
    xmlNodePtr node = node_at(found, 0);
    xmlBufferPtr buffer = node == NULL ? NULL : xmlBufferCreate();
    char *text = NULL;

    if (buffer != NULL) {
        /* Without formatting: the text is for virConnectCompareHypervisorCPU, not for people. */
        if (xmlNodeDump(buffer, xml->doc, node, 0, 0) >= 0) {
            text = strdup((const char *)xmlBufferContent(buffer));
        }
        xmlBufferFree(buffer);
    }
    xmlXPathFreeObject(found);
    return text;
}

bool ek_xpath_read(const struct ek_xpath *xml, const char *path, char *out, size_t size)
{
    char *text = ek_xpath_text(xml, path, 0);
    /* Cut names would name something else: what does not fit counts as not there. */
    bool fits = text != NULL && strlen(text) < size;

    snprintf(out, size, "%s", fits ? text : "");
    free(text);
    return fits;
}
