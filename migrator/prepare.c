/* Makes one thing that the checks found missing on the destination. It is in the journal as begun;
 * nothing is ever made over something that is there. */
#include "migrator/disks.h"
#include "migrator/libvirt_port.h"
#include "migrator/xpath.h"

#include <libvirt/virterror.h>
#include <stdio.h>
#include <string.h>

/* Both ends are open for the whole of it: filters and bases are read here and written there. */
struct preparation {
    struct ek_libvirt_port *port;
    const struct ek_move_record *record;
    const struct ek_preparation *wanted;
    struct ek_end source;
    struct ek_end destination;
    bool found; /* nothing had to be made */
    int64_t fresh_until_ms;
    bool late; /* it stood still for so long that its life may be another's since */
    ek_note note;
    void *note_context;
};

static const struct ek_call_result done = {.ok = true};

static void say(const struct preparation *preparation, const char *step, const char *what)
{
    char text[EK_TEXT_SIZE];

    snprintf(text, sizeof(text), "%.180s %s", preparation->wanted->what, what);
    preparation->note(preparation->note_context, step, text);
}

/* ---- networks and filters ------------------------------------------------------------------ */

/* Inactive networks are started, not refused: libvirt would say "network is not active", and
 * starting one harms nobody. */
static struct ek_call_result prepare_network(struct preparation *preparation)
{
    static const char step[] = "prepare-network";
    EK_SCOPED_NETWORK virNetworkPtr network =
        virNetworkLookupByName(preparation->destination.connection, preparation->wanted->what);

    preparation->found = network != NULL && virNetworkIsActive(network) == 1;
    if (network == NULL || (!preparation->found && virNetworkCreate(network) < 0)) {
        return ek_fail_there(&preparation->destination, step);
    }
    say(preparation, step, preparation->found ? "is active" : "started; it stays");
    return done;
}

static struct ek_call_result prepare_filter(struct preparation *preparation)
{
    static const char step[] = "prepare-filter";
    const char *name = preparation->wanted->what;
    EK_SCOPED_FILTER virNWFilterPtr there =
        virNWFilterLookupByName(preparation->destination.connection, name);

    preparation->found = there != NULL;
    if (preparation->found) {
        return done;
    }
    if (virGetLastErrorCode() != VIR_ERR_NO_NWFILTER) {
        return ek_fail_there(&preparation->destination, step);
    }
    EK_SCOPED_FILTER virNWFilterPtr here =
        virNWFilterLookupByName(preparation->source.connection, name);
    EK_SCOPED_STRING char *xml = here == NULL ? NULL : virNWFilterGetXMLDesc(here, 0);

    if (xml == NULL) {
        return ek_fail(EK_FAILURE_OTHER_HOST, preparation->destination.link->name, step,
                       "filter %.100s is missing and cannot be copied", name);
    }
    there = virNWFilterDefineXML(preparation->destination.connection, xml);
    if (there == NULL) {
        return ek_fail_there(&preparation->destination, step);
    }
    say(preparation, step, "copied from the source; it stays");
    return done;
}

/* ---- bases --------------------------------------------------------------------------------- */

static const char base_step[] = "prepare-base";

/* Asked between two chunks of a file. After a long pause (the process was stopped, a host hung) the
 * copy still goes on, but what is at the path may be another's. */
static bool goes_on(void *context)
{
    struct preparation *preparation = context;

    preparation->late = preparation->late || !ek_is_fresh(preparation->fresh_until_ms);
    preparation->fresh_until_ms = ek_fresh_until(preparation->port);
    return ek_arrivals_goes_on(&preparation->port->arrivals, preparation->record);
}

/* Read once per host, path, size and time of change; bases are large, and many disks rest on one.
 */
static bool digest_of(struct preparation *preparation, const struct ek_end *end,
                      virStorageVolPtr volume, unsigned char digest[SHA256_DIGEST_SIZE])
{
    struct ek_arrivals *arrivals = &preparation->port->arrivals;
    struct ek_volume facts;
    char key[EK_NAME_SIZE + EK_PREPARATION_SIZE + EK_VOLUME_TEXT_SIZE + 64];

    if (!ek_volume_read(volume, &facts)) {
        return false;
    }
    snprintf(key, sizeof(key), "%s %s %llu %s", end->link->name, preparation->wanted->what,
             (unsigned long long)facts.physical, facts.changed);
    if (facts.changed[0] != '\0' && ek_arrivals_digest(arrivals, key, digest)) {
        return true;
    }
    if (!ek_volume_digest(volume, goes_on, preparation, digest)) {
        return false;
    }
    ek_arrivals_keep_digest(arrivals, key, digest);
    return true;
}

static struct ek_call_result compare_base(struct preparation *preparation, virStorageVolPtr here,
                                          virStorageVolPtr there)
{
    unsigned char digests[2][SHA256_DIGEST_SIZE];

    if (!digest_of(preparation, &preparation->source, here, digests[0])) {
        return ek_end_fail(&preparation->source, base_step);
    }
    if (!digest_of(preparation, &preparation->destination, there, digests[1])) {
        return ek_fail_there(&preparation->destination, base_step);
    }
    if (memcmp(digests[0], digests[1], SHA256_DIGEST_SIZE) != 0) {
        return ek_fail(EK_FAILURE_OTHER_HOST, preparation->destination.link->name, base_step,
                       "%.120s differs from the source's; it is not overwritten",
                       preparation->wanted->what);
    }
    return done;
}

/* Under its final name, since volumes cannot be renamed; as raw bytes, since that is what a copy
 * is. Until it is compared nobody takes it for whole: the lock is held. */
static bool stream_base(struct preparation *preparation, virStorageVolPtr here,
                        const struct ek_volume *facts)
{
    EK_SCOPED_VOLUME virStorageVolPtr volume =
        virStorageVolLookupByPath(preparation->destination.connection, preparation->wanted->what);
    unsigned char digest[SHA256_DIGEST_SIZE];

    return volume != NULL &&
           ek_volume_copy(here, volume, facts->physical, goes_on, preparation, digest);
}

/* Looked at anew, after its pool was refreshed: size, format and content as on the source. */
static struct ek_call_result verify_base(struct preparation *preparation, virStorageVolPtr here)
{
    struct ek_volume facts[2];
    EK_SCOPED_VOLUME virStorageVolPtr there = NULL;

    if (!ek_pool_refresh_around(preparation->destination.connection, preparation->wanted->what) ||
        ek_volume_find(preparation->destination.connection, preparation->wanted->what, &there) !=
            EK_SOUGHT_FOUND ||
        !ek_volume_read(there, &facts[1])) {
        return ek_fail_there(&preparation->destination, base_step);
    }
    if (!ek_volume_read(here, &facts[0])) {
        return ek_end_fail(&preparation->source, base_step);
    }
    if (facts[0].physical != facts[1].physical || facts[0].capacity != facts[1].capacity ||
        strcmp(facts[0].format, facts[1].format) != 0) {
        return ek_fail(EK_FAILURE_OTHER_HOST, preparation->destination.link->name, base_step,
                       "%.120s is another file there: %s of %llu bytes, not %s of %llu",
                       preparation->wanted->what, facts[1].format,
                       (unsigned long long)facts[1].physical, facts[0].format,
                       (unsigned long long)facts[0].physical);
    }
    return compare_base(preparation, here, there);
}

/* Whether the file at the path is for certain the one that this call made: once the life is
 * another's, or may be, its successor may have removed that one and made its own, whole and in use.
 */
static bool is_still_ours(struct preparation *preparation, char *who, size_t size)
{
    if (preparation->late || !ek_is_fresh(preparation->fresh_until_ms) ||
        !ek_arrivals_may_undo(&preparation->port->arrivals, preparation->record)) {
        snprintf(who, size, "another life of the move, perhaps");
        return false;
    }
    return !ek_volume_is_used(preparation->destination.connection, preparation->wanted->what, who,
                              size);
}

/* What this very call has made and not finished is worth nothing, to nobody. In doubt it stays: the
 * journal has it as begun, and whoever has the move undoes it. */
static void remove_half(struct preparation *preparation)
{
    char who[EK_TEXT_SIZE], text[EK_TEXT_SIZE];

    if (!is_still_ours(preparation, who, sizeof(who))) {
        snprintf(text, sizeof(text), "is left as it is, for it is used by %.100s", who);
        say(preparation, base_step, text);
        return;
    }
    EK_SCOPED_VOLUME virStorageVolPtr half =
        virStorageVolLookupByPath(preparation->destination.connection, preparation->wanted->what);

    if (half != NULL) {
        virStorageVolDelete(half, 0);
    }
}

static struct ek_call_result make_base(struct preparation *preparation, virStorageVolPtr here)
{
    struct ek_volume facts;
    struct ek_call_result result;

    if (!ek_volume_read(here, &facts)) {
        return ek_end_fail(&preparation->source, base_step);
    }
    snprintf(facts.format, sizeof(facts.format), "raw");
    facts.backing[0] = '\0';
    if (!ek_volume_make(preparation->destination.connection, preparation->wanted->what, &facts,
                        facts.physical)) {
        return ek_fail_there(&preparation->destination, base_step); /* nothing of ours is there */
    }
    if (!stream_base(preparation, here, &facts)) {
        result = ek_fail_there(&preparation->destination, base_step);
        remove_half(preparation);
        return result;
    }
    result = verify_base(preparation, here);
    if (!result.ok) {
        remove_half(preparation);
        return result;
    }
    say(preparation, base_step, "copied from the source");
    return result;
}

static struct ek_call_result find_or_make_base(struct preparation *preparation)
{
    const char *path = preparation->wanted->what;
    EK_SCOPED_VOLUME virStorageVolPtr here = NULL;
    EK_SCOPED_VOLUME virStorageVolPtr there = NULL;

    if (ek_volume_find(preparation->source.connection, path, &here) != EK_SOUGHT_FOUND) {
        return ek_end_fail(&preparation->source, base_step);
    }
    switch (ek_volume_find(preparation->destination.connection, path, &there)) {
    case EK_SOUGHT_FOUND:
        preparation->found =
            !ek_arrivals_base_is_new(&preparation->port->arrivals, preparation->record, path);
        return verify_base(preparation, here);
    case EK_SOUGHT_ABSENT:
        return make_base(preparation, here);
    case EK_SOUGHT_ERROR:
        break;
    }
    return ek_fail_there(&preparation->destination, base_step);
}

/* One at a time for each host and base: others that need it wait, and then find it. */
static struct ek_call_result prepare_base(struct preparation *preparation)
{
    struct ek_arrivals *arrivals = &preparation->port->arrivals;
    struct ek_call_result result;

    if (!ek_arrivals_lock_base(arrivals, preparation->record, preparation->wanted->what)) {
        return ek_fail(EK_FAILURE_SAME_PAIR, preparation->destination.link->name, base_step,
                       "given up");
    }
    preparation->fresh_until_ms = ek_fresh_until(preparation->port);
    result = find_or_make_base(preparation);
    ek_arrivals_unlock_base(arrivals, preparation->record, preparation->wanted->what,
                            result.ok && !preparation->found);
    return result;
}

/* ---- overlays ------------------------------------------------------------------------------ */

/* Empty, for every attempt anew: what an earlier one copied is of a time that is gone. */
static struct ek_call_result make_overlay(struct preparation *preparation,
                                          const struct ek_xpath *domain)
{
    static const char step[] = "prepare-overlay";
    const struct ek_preparation *wanted = preparation->wanted;
    EK_SCOPED_VOLUME virStorageVolPtr old = NULL;
    struct ek_call_result result = done;
    struct ek_volume facts;
    uint64_t capacity;

    if (!ek_disk_describe(&preparation->source, domain, wanted->disk, wanted->what, &facts,
                          &capacity, step, &result)) {
        return result;
    }
    switch (ek_volume_find(preparation->destination.connection, wanted->what, &old)) {
    case EK_SOUGHT_FOUND:
        return ek_fail(EK_FAILURE_OTHER_HOST, preparation->destination.link->name, step,
                       "%.120s is there already; it is not overwritten", wanted->what);
    case EK_SOUGHT_ERROR:
        return ek_fail_there(&preparation->destination, step);
    case EK_SOUGHT_ABSENT:
        break;
    }
    if (!ek_volume_make(preparation->destination.connection, wanted->what, &facts, capacity)) {
        return ek_fail_there(&preparation->destination, step);
    }
    say(preparation, step, "made, empty");
    return done;
}

static struct ek_call_result prepare_overlay(struct preparation *preparation)
{
    static const char step[] = "prepare-overlay";

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
    result = make_overlay(preparation, xml);
    ek_xpath_free(xml);
    return result;
}

/* ---- all ----------------------------------------------------------------------------------- */

static struct ek_call_result make(struct preparation *preparation)
{
    switch (preparation->wanted->kind) {
    case EK_PREPARATION_NETWORK:
        return prepare_network(preparation);
    case EK_PREPARATION_FILTER:
        return prepare_filter(preparation);
    case EK_PREPARATION_BASE:
        return prepare_base(preparation);
    case EK_PREPARATION_OVERLAY:
        return prepare_overlay(preparation);
    case EK_PREPARATION_KIND_COUNT:
        break;
    }
    return ek_fail(EK_FAILURE_DOMAIN, preparation->source.link->name, "prepare",
                   "a preparation of no known kind");
}

/* The source stays open while the destination is worked on, and is closed in any case. */
static struct ek_call_result open_and_make(struct preparation *preparation)
{
    const struct ek_move_record *record = preparation->record;
    struct ek_call_result result;

    if (!ek_end_open(&preparation->source, preparation->port, record->order.source, record, true,
                     "prepare", &result)) {
        return result;
    }
    if (ek_end_open(&preparation->destination, preparation->port, record->order.destination, record,
                    false, "prepare", &result)) {
        result = make(preparation);
        ek_end_close(&preparation->destination);
    }
    ek_end_close(&preparation->source);
    return result;
}

struct ek_call_result ek_port_prepare(void *context, const struct ek_move_record *record,
                                      bool *found, ek_note note, void *note_context)
{
    struct preparation preparation = {.port = context,
                                      .record = record,
                                      .wanted = ek_move_begun(record),
                                      .note = note,
                                      .note_context = note_context};
    struct ek_call_result result;

    *found = false;
    /* An attempt that is over, because this call came too late, makes nothing any more. */
    if (preparation.wanted == NULL || !ek_arrivals_enter(&preparation.port->arrivals, record)) {
        return ek_fail(EK_FAILURE_SAME_PAIR, record->order.destination, "prepare",
                       "not begun, for the attempt is over");
    }
    result = open_and_make(&preparation);
    ek_arrivals_leave(&preparation.port->arrivals, record);
    *found = result.ok && preparation.found;
    return result;
}
