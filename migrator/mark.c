/* The mark that a move leaves in the domain's metadata: it travels along, and tells both ends apart
 * from somebody else's migration. */
#include "migrator/libvirt_port.h"
#include "migrator/xpath.h"

#include <libvirt/virterror.h>
#include <stdio.h>
#include <string.h>

/* The URI names the element, the key is its prefix in the XML. A number in the URI: what a later
 * version writes, an older one must not read as its own. */
#define MARK_KEY "evenkeel-move"
#define MARK_URI "urn:evenkeel:move:1"

/* Flags for what there is: AFFECT_CONFIG on a transient domain and AFFECT_LIVE on one that is off
 * are errors. */
static unsigned int everywhere(virDomainPtr domain)
{
    unsigned int flags = 0;

    if (virDomainIsActive(domain) == 1) {
        flags |= VIR_DOMAIN_AFFECT_LIVE;
    }
    if (virDomainIsPersistent(domain) == 1) {
        flags |= VIR_DOMAIN_AFFECT_CONFIG;
    }
    return flags;
}

bool ek_mark_read(virDomainPtr domain, struct ek_mark *out)
{
    EK_SCOPED_STRING char *text = virDomainGetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT,
                                                       MARK_URI, VIR_DOMAIN_AFFECT_CURRENT);
    struct ek_xpath *xml = text == NULL ? NULL : ek_xpath_parse(text);
    char autostart[4];
    bool read;

    memset(out, 0, sizeof(*out));
    if (xml == NULL) {
        return false;
    }
    /* Whatever prefix libvirt hands the element back with, it is the root. */
    read = ek_xpath_read(xml, "/*/@id", out->id, sizeof(out->id));
    ek_xpath_read(xml, "/*/@autostart", autostart, sizeof(autostart));
    out->autostart = strcmp(autostart, "yes") == 0;
    ek_xpath_free(xml);
    return read;
}

/* An id is made of plain characters; one that is not would break the XML and is refused. */
static bool is_plain(const char *id)
{
    return id[0] != '\0' && strpbrk(id, "<>&'\"") == NULL;
}

bool ek_mark_write(virDomainPtr domain, const struct ek_move_record *record, bool autostart)
{
    char text[256];

    if (!is_plain(record->order.id)) {
        return false;
    }
    /* Attempt and epoch are for people who look with virsh; only the id and the autostart flag are
     * read again. */
    snprintf(text, sizeof(text), "<move id='%s' attempt='%d' epoch='%lld' autostart='%s'/>",
             record->order.id, record->attempt, (long long)record->epoch, autostart ? "yes" : "no");
    return virDomainSetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, text, MARK_KEY, MARK_URI,
                                everywhere(domain)) == 0;
}

/* Another move's mark is not ours to take: that move may be under way. */
bool ek_mark_remove(virDomainPtr domain, const char *id)
{
    struct ek_mark mark;

    if (!ek_mark_read(domain, &mark) || strcmp(mark.id, id) != 0) {
        return true;
    }
    return virDomainSetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, NULL, MARK_KEY, MARK_URI,
                                everywhere(domain)) == 0;
}
