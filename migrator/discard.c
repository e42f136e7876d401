/* The files that a move left behind, removed when nobody can need them any more. */
#include "migrator/disks.h"
#include "migrator/libvirt_port.h"

#include <stdio.h>
#include <string.h>

static const char step[] = "discard";
static const struct ek_call_result done = {.ok = true};

struct discarding {
    struct ek_libvirt_port *port;
    const struct ek_move_record *record;
    struct ek_end source;
    ek_note note;
    void *note_context;
};

/* ---- whether ------------------------------------------------------------------------------- */

enum elsewhere { EK_IS_ELSEWHERE, EK_IS_NOWHERE, EK_CANNOT_TELL };

static bool is_listed(struct ek_libvirt_port *port, const struct ek_host_link *link)
{
    pthread_mutex_lock(&port->mutex);
    bool listed = link->listed;
    pthread_mutex_unlock(&port->mutex);
    return listed;
}

/* It may have moved on since: any host will do, but the one whose file it is. */
static enum elsewhere look_elsewhere(const struct discarding *it, struct ek_call_result *result)
{
    enum elsewhere seen = EK_IS_NOWHERE;
    struct ek_host_link *link;

    pthread_mutex_lock(&it->port->mutex);
    link = it->port->hosts; /* grows at its head only */
    pthread_mutex_unlock(&it->port->mutex);
    for (; link != NULL && seen != EK_IS_ELSEWHERE; link = link->next) {
        struct ek_end end;

        if (!is_listed(it->port, link) || strcmp(link->name, it->record->order.source) == 0) {
            continue;
        }
        if (!ek_end_open(&end, it->port, link->name, it->record, false, step, result)) {
            seen = EK_CANNOT_TELL;
            continue;
        }
        seen = end.domain != NULL ? EK_IS_ELSEWHERE : seen;
        ek_end_close(&end);
    }
    return seen;
}

/* Files that were copied are on two storages. Should the two have become one, both names are one
 * file, the guest's. */
static struct ek_call_result storages_differ(const struct discarding *it, const char *path)
{
    struct ek_call_result result;
    struct ek_end there;
    bool told, same;

    if (!ek_end_open(&there, it->port, it->record->order.destination, it->record, false, step,
                     &result)) {
        return result;
    }
    same = ek_storage_is_same(it->port, &it->source, &there, it->record, path, &told);
    ek_end_close(&there);
    return same && told ? ek_fail(EK_FAILURE_DOMAIN, it->source.link->name, step,
                                  "%.120s stays, for it is shared with the destination", path)
                        : done;
}

/* ---- one by one ---------------------------------------------------------------------------- */

static struct ek_call_result remove_file(const struct discarding *it, const char *path,
                                         virStorageVolPtr volume)
{
    struct ek_call_result result = storages_differ(it, path);
    char who[EK_TEXT_SIZE], text[EK_TEXT_SIZE];

    if (!result.ok) {
        return result;
    }
    if (ek_volume_is_used(it->source.connection, path, who, sizeof(who))) {
        return ek_fail(EK_FAILURE_DOMAIN, it->source.link->name, step,
                       "%.120s stays, for it is used by %.60s", path, who);
    }
    if (virStorageVolDelete(volume, 0) < 0) {
        return ek_end_fail(&it->source, step);
    }
    snprintf(text, sizeof(text), "%.180s removed", path);
    it->note(it->note_context, step, text);
    return done;
}

static struct ek_call_result discard_file(const struct discarding *it, const char *path)
{
    EK_SCOPED_VOLUME virStorageVolPtr volume = NULL;

    switch (ek_volume_find(it->source.connection, path, &volume)) {
    case EK_SOUGHT_ABSENT:
        return done; /* gone already */
    case EK_SOUGHT_FOUND:
        return remove_file(it, path, volume);
    case EK_SOUGHT_ERROR:
        break;
    }
    return ek_end_fail(&it->source, step);
}

/* Overlays only: bases serve others. */
static struct ek_call_result discard_files(const struct discarding *it)
{
    struct ek_call_result result = done;

    for (int i = 0; i < it->record->preparation_count && result.ok; i++) {
        const struct ek_preparation *disk = &it->record->preparations[i];

        if (disk->kind == EK_PREPARATION_OVERLAY && disk->state == EK_PREPARATION_MADE) {
            result = discard_file(it, disk->what);
        }
    }
    return result;
}

static struct ek_call_result discard_of_source(struct discarding *it)
{
    struct ek_call_result result = done;

    if (it->source.domain != NULL) {
        return ek_fail(EK_FAILURE_DOMAIN, it->source.link->name, step,
                       "its disks stay, for the domain is on this host again");
    }
    switch (look_elsewhere(it, &result)) {
    case EK_IS_ELSEWHERE:
        return discard_files(it);
    case EK_IS_NOWHERE:
        return ek_fail(EK_FAILURE_DOMAIN, it->source.link->name, step,
                       "its disks stay, for the domain is on no other host any more");
    case EK_CANNOT_TELL:
        break;
    }
    return result;
}

/* After a move that is done, the source's files; else what the attempt left on its destination. */
struct ek_call_result ek_port_discard(void *context, const struct ek_move_record *record,
                                      ek_note note, void *note_context)
{
    struct discarding it = {
        .port = context, .record = record, .note = note, .note_context = note_context};
    struct ek_call_result result;
    const char *host =
        record->state == EK_MOVE_FAILED ? record->order.destination : record->order.source;

    if (ek_arrivals_expects(&it.port->arrivals, host, record->order.domain)) {
        return ek_fail(EK_FAILURE_SAME_PAIR, host, step, "the domain is on its way there");
    }
    if (record->state == EK_MOVE_FAILED) {
        return ek_port_unprepare(context, record, note, note_context);
    }
    if (!ek_end_open(&it.source, context, host, record, true, step, &result)) {
        return result;
    }
    result = discard_of_source(&it);
    ek_end_close(&it.source);
    return result;
}
