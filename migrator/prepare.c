/* What the destination needs before a domain can come: its networks and its network filters. (Disks
 * are shared, or the checks refused the move.) And its undoing. */
#include "migrator/libvirt_port.h"
#include "migrator/xpath.h"

#include <libvirt/virterror.h>
#include <stdio.h>
#include <string.h>

enum {
    DEEPEST_FILTER = 16
}; /* filters refer to filters; libvirt forbids circles, so this is generous */

/* Both ends are open for the whole of it: filters are read here and written there. */
struct preparation {
    struct ek_end source;
    struct ek_end destination;
    ek_note note;
    void *note_context;
};

static const struct ek_call_result done = {.ok = true};

/* What fails on the destination is a reason to try another host, unless it was only busy. */
static struct ek_call_result fail_there(const struct preparation *preparation, const char *step)
{
    struct ek_call_result result = ek_end_fail(&preparation->destination, step);

    if (result.failure != EK_FAILURE_SAME_PAIR) {
        result.failure = EK_FAILURE_OTHER_HOST;
    }
    return result;
}

/* ---- networks ------------------------------------------------------------------------------ */

static struct ek_call_result prepare_network(const struct preparation *preparation,
                                             const char *name)
{
    static const char step[] = "prepare-network";
    EK_SCOPED_NETWORK virNetworkPtr network =
        virNetworkLookupByName(preparation->destination.connection, name);
    char text[EK_TEXT_SIZE];
    int active;

    if (network == NULL) {
        return fail_there(preparation, step);
    }
    active = virNetworkIsActive(network);
    /* Inactive networks are started, not refused: libvirt would say "network is not active", and
     * starting one harms nobody. */
    if (active < 0 || (active == 0 && virNetworkCreate(network) < 0)) {
        return fail_there(preparation, step);
    }
    snprintf(text, sizeof(text), "network %.100s %s", name, active == 1 ? "is active" : "started");
    preparation->note(preparation->note_context, step, text);
    return done;
}

/* ---- filters ------------------------------------------------------------------------------- */

static struct ek_call_result prepare_filter(const struct preparation *preparation, const char *name,
                                            int depth);

/* Before the filter itself: no guest must find one whose references are missing. */
static struct ek_call_result prepare_referred(const struct preparation *preparation,
                                              const char *xml_text, int depth)
{
    struct ek_xpath *xml = ek_xpath_parse(xml_text);
    struct ek_call_result result = done;
    size_t count = xml == NULL ? 0 : ek_xpath_count(xml, "/filter/filterref/@filter");

    for (size_t i = 0; i < count && result.ok; i++) {
        EK_SCOPED_STRING char *name = ek_xpath_text(xml, "/filter/filterref/@filter", i);

        if (name != NULL) {
            result = prepare_filter(preparation, name, depth + 1);
        }
    }
    ek_xpath_free(xml);
    return result;
}

/* Copies a filter that is missing, after those that it refers to. One of the same name is taken as
 * it is: the host's own rules may differ on purpose. */
static struct ek_call_result prepare_filter(const struct preparation *preparation, const char *name,
                                            int depth)
{
    static const char step[] = "prepare-filter";
    EK_SCOPED_FILTER virNWFilterPtr there =
        virNWFilterLookupByName(preparation->destination.connection, name);
    char text[EK_TEXT_SIZE];

    if (there != NULL) {
        return done;
    }
    /* Only "there is none" is a reason to make one; a host that cannot be asked might have it. */
    if (virGetLastErrorCode() != VIR_ERR_NO_NWFILTER) {
        return fail_there(preparation, step);
    }
    EK_SCOPED_FILTER virNWFilterPtr here =
        virNWFilterLookupByName(preparation->source.connection, name);
    EK_SCOPED_STRING char *xml = here == NULL ? NULL : virNWFilterGetXMLDesc(here, 0);

    if (xml == NULL || depth >= DEEPEST_FILTER) {
        return ek_fail(EK_FAILURE_OTHER_HOST, preparation->destination.link->name, step,
                       "filter %.100s is missing and cannot be copied", name);
    }
    struct ek_call_result result = prepare_referred(preparation, xml, depth);

    if (!result.ok) {
        return result;
    }
    there = virNWFilterDefineXML(preparation->destination.connection, xml);
    if (there == NULL) {
        return fail_there(preparation, step);
    }
    snprintf(text, sizeof(text), "filter %.100s copied from the source; it stays", name);
    preparation->note(preparation->note_context, step, text);
    return done;
}

/* ---- both ---------------------------------------------------------------------------------- */

static struct ek_call_result prepare_interfaces(const struct preparation *preparation,
                                                const struct ek_xpath *domain)
{
    /* Whatever the type: a running domain on a bridged network shows the type of the bridge. */
    static const char networks[] = "/domain/devices/interface/source/@network";
    static const char filters[] = "/domain/devices/interface/filterref/@filter";
    struct ek_call_result result = done;

    for (size_t i = 0; i < ek_xpath_count(domain, networks) && result.ok; i++) {
        EK_SCOPED_STRING char *name = ek_xpath_text(domain, networks, i);

        result = prepare_network(preparation, name == NULL ? "" : name);
    }
    for (size_t i = 0; i < ek_xpath_count(domain, filters) && result.ok; i++) {
        EK_SCOPED_STRING char *name = ek_xpath_text(domain, filters, i);

        result = prepare_filter(preparation, name == NULL ? "" : name, 0);
    }
    return result;
}

static struct ek_call_result prepare_ends(const struct preparation *preparation)
{
    static const char step[] = "prepare";

    if (preparation->source.domain == NULL) {
        return ek_fail(EK_FAILURE_DOMAIN, preparation->source.link->name, step,
                       "the domain is not there any more");
    }
    EK_SCOPED_STRING char *text = virDomainGetXMLDesc(preparation->source.domain, 0);
    struct ek_xpath *xml = text == NULL ? NULL : ek_xpath_parse(text);
    struct ek_call_result result;

    if (xml == NULL) {
        return ek_end_fail(&preparation->source, step);
    }
    result = prepare_interfaces(preparation, xml);
    ek_xpath_free(xml);
    return result;
}

struct ek_call_result ek_port_prepare(void *context, const struct ek_move_record *record,
                                      ek_note note, void *note_context)
{
    struct preparation preparation = {.note = note, .note_context = note_context};
    struct ek_call_result result;

    if (!ek_end_open(&preparation.source, context, record->order.source, record, true, "prepare",
                     &result)) {
        return result;
    }
    /* The source stays open while the destination is worked on, and is closed in any case. */
    if (ek_end_open(&preparation.destination, context, record->order.destination, record, false,
                    "prepare", &result)) {
        result = prepare_ends(&preparation);
        ek_end_close(&preparation.destination);
    }
    ek_end_close(&preparation.source);
    return result;
}

/* ---- undoing ------------------------------------------------------------------------------- */

/* A definition that this move left on the destination, and nothing else. */
static struct ek_call_result undefine_ours(const struct ek_end *end,
                                           const struct ek_move_record *record)
{
    struct ek_mark mark;

    if (virDomainIsActive(end->domain) != 0 || !ek_mark_read(end->domain, &mark) ||
        strcmp(mark.id, record->order.id) != 0) {
        return done;
    }
    if (virDomainUndefineFlags(end->domain, VIR_DOMAIN_UNDEFINE_KEEP_NVRAM) < 0) {
        return ek_end_fail(end, "unprepare");
    }
    return done;
}

/* Started networks and copied filters stay: they harm nobody, and others may use them by now. The
 * mark on the source is taken away where that is possible; one that stays says only which move once
 * was tried. */
struct ek_call_result ek_port_unprepare(void *context, const struct ek_move_record *record)
{
    struct ek_call_result result = done;
    struct ek_end end;

    if (ek_end_open(&end, context, record->order.source, record, true, "unprepare", &result)) {
        if (end.domain != NULL) {
            ek_mark_remove(end.domain, record->order.id);
        }
        ek_end_close(&end);
    }
    result = done;
    if (!ek_end_open(&end, context, record->order.destination, record, false, "unprepare",
                     &result)) {
        return done; /* it was verified to have nothing, or nothing was begun there */
    }
    result = done;
    if (end.domain != NULL) {
        result = undefine_ours(&end, record);
    }
    ek_end_close(&end);
    return result;
}
