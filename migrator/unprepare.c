/* Undoing what an attempt made on its destination, and nothing else.
 *
 * Started networks and copied filters stay: they harm nobody, and others may use them by now. A
 * disk's file goes only where the domain is verifiably on its source and the destination never ran
 * it: after a hand-over the destination's file is the only one that is up to date. */
#include "migrator/disks.h"
#include "migrator/libvirt_port.h"

#include <stdio.h>
#include <string.h>

static const char step[] = "unprepare";
static const struct ek_call_result done = {.ok = true};

/* What an empty image may take: tables and a header, that grow with its size. */
enum { EMPTY_MOST_BYTES = 4 * 1024 * 1024 };

struct undoing {
    struct ek_libvirt_port *port;
    const struct ek_move_record *record;
    struct ek_end source;
    struct ek_end destination;
    ek_note note;
    void *note_context;
};

static void say(const struct undoing *undoing, const char *what, const char *path, const char *who)
{
    char text[EK_TEXT_SIZE];

    snprintf(text, sizeof(text), "%.120s %s %s", path, what, who);
    undoing->note(undoing->note_context, step, text);
}

static struct ek_call_result left(const struct undoing *undoing, const char *path, const char *why)
{
    return ek_fail(EK_FAILURE_DOMAIN, undoing->destination.link->name, step,
                   "%.140s is left, for %.60s", path, why);
}

/* ---- whether ------------------------------------------------------------------------------- */

/* Off by a migration: the guest ran on elsewhere, and its disk changed there. */
static bool left_by_migration(virDomainPtr domain)
{
    int state, reason;

    return virDomainGetState(domain, &state, &reason, 0) < 0 ||
           (state == VIR_DOMAIN_SHUTOFF && reason == VIR_DOMAIN_SHUTOFF_MIGRATED);
}

/* The domain must be seen on its source, and nothing of it on the destination. */
static bool may_undo(const struct undoing *undoing)
{
    return undoing->destination.domain == NULL && undoing->source.domain != NULL &&
           !left_by_migration(undoing->source.domain);
}

/* Libvirt defines the domain on the destination just before the guest goes on there. If the source
 * does not run it, nobody can tell which of the two has the newer disks. */
static bool may_have_run(const struct undoing *undoing)
{
    return undoing->destination.domain != NULL && undoing->source.domain != NULL &&
           virDomainIsActive(undoing->source.domain) != 1;
}

/* ---- one by one ---------------------------------------------------------------------------- */

/* A crash may have come in the midst of its making: only what nobody can have written to goes. */
static bool is_worthless(const struct undoing *undoing, const struct ek_preparation *it,
                         virStorageVolPtr volume)
{
    struct ek_volume here, there;
    EK_SCOPED_VOLUME virStorageVolPtr original = NULL;

    if (!ek_volume_read(volume, &there)) {
        return false;
    }
    if (it->kind == EK_PREPARATION_OVERLAY) {
        return there.allocated <= EMPTY_MOST_BYTES;
    }
    /* A base is made with the length of the source's at once: the whole of it, or a part. */
    return ek_volume_find(undoing->source.connection, it->what, &original) == EK_SOUGHT_FOUND &&
           ek_volume_read(original, &here) && here.physical == there.physical;
}

static struct ek_call_result take_away(const struct undoing *undoing,
                                       const struct ek_preparation *it, virStorageVolPtr volume)
{
    char who[EK_TEXT_SIZE] = "";
    bool base = it->kind == EK_PREPARATION_BASE;
    bool used =
        (base && ek_arrivals_need_base(&undoing->port->arrivals, undoing->record, it->what)) ||
        ek_volume_is_used(undoing->destination.connection, it->what, who, sizeof(who));

    /* Others have come to rest on a base: it is theirs by now. */
    if (used && base) {
        say(undoing, "stays, since it is used by", it->what, who[0] == '\0' ? "another move" : who);
        return done;
    }
    if (used) {
        return left(undoing, it->what, who);
    }
    if (it->state == EK_PREPARATION_BEGUN && !is_worthless(undoing, it, volume)) {
        return left(undoing, it->what, "it is not what this move begins with");
    }
    if (virStorageVolDelete(volume, 0) < 0) {
        return ek_fail_there(&undoing->destination, step);
    }
    say(undoing, "removed", it->what, "");
    return done;
}

static struct ek_call_result undo(const struct undoing *undoing, const struct ek_preparation *it)
{
    EK_SCOPED_VOLUME virStorageVolPtr volume = NULL;

    switch (ek_volume_find(undoing->destination.connection, it->what, &volume)) {
    case EK_SOUGHT_ABSENT:
        return done;
    case EK_SOUGHT_FOUND:
        return take_away(undoing, it, volume);
    case EK_SOUGHT_ERROR:
        break;
    }
    return ek_fail_there(&undoing->destination, step);
}

static bool is_ours(const struct ek_preparation *it)
{
    bool volume = it->kind == EK_PREPARATION_BASE || it->kind == EK_PREPARATION_OVERLAY;

    return volume && (it->state == EK_PREPARATION_MADE || it->state == EK_PREPARATION_BEGUN);
}

/* Newest first: overlays go before what they rest on. One that fails does not keep the others. */
static struct ek_call_result undo_volumes(const struct undoing *undoing)
{
    const struct ek_move_record *record = undoing->record;
    struct ek_call_result result = done;

    for (int i = record->preparation_count - 1; i >= 0; i--) {
        if (is_ours(&record->preparations[i])) {
            struct ek_call_result one = undo(undoing, &record->preparations[i]);

            result = result.ok ? one : result;
        }
    }
    return result;
}

/* ---- both ends ----------------------------------------------------------------------------- */

/* A definition that this move left on the destination, and nothing else. */
static struct ek_call_result undefine_ours(struct ek_end *end, const struct ek_move_record *record)
{
    struct ek_mark mark;

    if (virDomainIsActive(end->domain) != 0 || !ek_mark_read(end->domain, &mark) ||
        strcmp(mark.id, record->order.id) != 0) {
        return done;
    }
    if (virDomainUndefineFlags(end->domain, VIR_DOMAIN_UNDEFINE_KEEP_NVRAM) < 0) {
        return ek_end_fail(end, step);
    }
    virDomainFree(end->domain);
    end->domain = NULL;
    return done;
}

static struct ek_call_result clean_destination(struct undoing *undoing)
{
    bool files = ek_move_has_leftovers(undoing->record);
    struct ek_call_result result = done;

    if (files && may_have_run(undoing)) {
        return ek_fail(EK_FAILURE_DOMAIN, undoing->destination.link->name, step,
                       "its disks are left, for it may have run here and is off on its source");
    }
    /* Where the source has it not as it was, the destination's definition may be all there is. */
    if (undoing->destination.domain != NULL && undoing->source.domain != NULL &&
        !left_by_migration(undoing->source.domain)) {
        result = undefine_ours(&undoing->destination, undoing->record);
    }
    if (!result.ok || !files) {
        return result;
    }
    if (!may_undo(undoing)) {
        return ek_fail(EK_FAILURE_DOMAIN, undoing->destination.link->name, step,
                       "its disks are left, for they may be the newest");
    }
    return undo_volumes(undoing);
}

/* The mark is taken away where that is possible; one that stays says only which move once was
 * tried. */
static void clean_source(const struct undoing *undoing)
{
    if (undoing->source.domain != NULL) {
        ek_mark_remove(undoing->source.domain, undoing->record->order.id);
    }
    ek_storage_forget_marker(&undoing->source, undoing->record);
}

static struct ek_call_result work(struct undoing *undoing)
{
    const struct ek_move_record *record = undoing->record;
    struct ek_call_result result;

    if (!ek_end_open(&undoing->destination, undoing->port, record->order.destination, record, false,
                     step, &result)) {
        /* It was verified to have no domain; whether it has files cannot be seen now. */
        return ek_move_has_leftovers(record) ? result : done;
    }
    result = clean_destination(undoing);
    ek_end_close(&undoing->destination);
    return result;
}

struct ek_call_result ek_port_unprepare(void *context, const struct ek_move_record *record,
                                        ek_note note, void *note_context)
{
    struct undoing undoing = {
        .port = context, .record = record, .note = note, .note_context = note_context};
    struct ek_call_result result;

    if (!ek_arrivals_close(&undoing.port->arrivals, record) && ek_move_has_leftovers(record)) {
        return ek_fail(EK_FAILURE_SAME_PAIR, record->order.destination, step,
                       "a preparation that was given up has not ended yet");
    }
    if (!ek_end_open(&undoing.source, context, record->order.source, record, true, step, &result)) {
        return ek_move_has_leftovers(record) ? result : done;
    }
    clean_source(&undoing);
    result = work(&undoing);
    ek_end_close(&undoing.source);
    return result;
}
