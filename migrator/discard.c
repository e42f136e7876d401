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

/* By what says more. */
enum elsewhere { EK_IS_NOWHERE, EK_CANNOT_TELL, EK_IS_ELSEWHERE, EK_MAY_BE_ITS_DISK };

/* Whether that host has another file at the path for certain; else `result` says why the source's
 * stays. */
static bool is_apart(const struct discarding *it, const struct ek_end *there, const char *path,
                     const char *role, struct ek_call_result *result)
{
    bool told;
    bool same = ek_storage_is_same_now(it->port, &it->source, there, it->record, path, &told);
    virError error;

    if (told && !same) {
        return true;
    }
    if (told) {
        *result =
            ek_fail(EK_FAILURE_DOMAIN, it->source.link->name, step,
                    "%.120s stays, for it is shared with %.60s, %s", path, there->link->name, role);
        return false;
    }
    *result = ek_fail(EK_FAILURE_SAME_PAIR, it->source.link->name, step,
                      "%.120s stays, for whether %.60s, %s, shares it cannot be told: %.80s", path,
                      there->link->name, role,
                      ek_failure_take(&error) ? error.message : "libvirt does not say why");
    return false;
}

static bool is_listed(struct ek_libvirt_port *port, const struct ek_host_link *link)
{
    pthread_mutex_lock(&port->mutex);
    bool listed = link->listed;
    pthread_mutex_unlock(&port->mutex);
    return listed;
}

static bool is_to_go(const struct ek_preparation *disk)
{
    return disk->kind == EK_PREPARATION_OVERLAY && disk->state == EK_PREPARATION_MADE;
}

/* Whoever has the domain now may have come to it over the very file (somebody else's migration to a
 * host that shares this one's storage): then it is the guest's disk again. */
static bool may_be_its_disk(const struct discarding *it, const struct ek_end *there,
                            struct ek_call_result *result)
{
    for (int i = 0; i < it->record->preparation_count; i++) {
        const struct ek_preparation *disk = &it->record->preparations[i];

        if (is_to_go(disk) && !is_apart(it, there, disk->what, "which has the domain", result)) {
            return true;
        }
    }
    return false;
}

/* What one host says. `running` ends the search: nobody else can use the files then. */
static enum elsewhere look_at(const struct discarding *it, const struct ek_host_link *link,
                              bool *running, struct ek_call_result *result)
{
    enum elsewhere seen = EK_IS_NOWHERE;
    struct ek_end end;

    if (!ek_end_open(&end, it->port, link->name, it->record, false, step, result)) {
        return EK_CANNOT_TELL;
    }
    if (end.domain != NULL) {
        *running = virDomainIsActive(end.domain) == 1;
        seen = may_be_its_disk(it, &end, result) ? EK_MAY_BE_ITS_DISK : EK_IS_ELSEWHERE;
    }
    ek_end_close(&end);
    return seen;
}

/* It may have moved on since: any host will do, but the one whose file it is. */
static enum elsewhere look_elsewhere(const struct discarding *it, struct ek_call_result *result)
{
    enum elsewhere seen = EK_IS_NOWHERE;
    bool running = false;
    struct ek_host_link *link;

    pthread_mutex_lock(&it->port->mutex);
    link = it->port->hosts; /* grows at its head only */
    pthread_mutex_unlock(&it->port->mutex);
    for (; link != NULL && !running && seen != EK_MAY_BE_ITS_DISK; link = link->next) {
        if (is_listed(it->port, link) && strcmp(link->name, it->record->order.source) != 0) {
            enum elsewhere one = look_at(it, link, &running, result);

            seen = one > seen ? one : seen;
        }
    }
    return seen;
}

/* Files that were copied are on two storages. Should the two have become one, both names are one
 * file, the guest's. */
static struct ek_call_result storages_differ(const struct discarding *it, const char *path)
{
    struct ek_call_result result = done;
    struct ek_end there;

    if (!ek_end_open(&there, it->port, it->record->order.destination, it->record, false, step,
                     &result)) {
        return result;
    }
    (void)is_apart(it, &there, path, "the destination", &result);
    ek_end_close(&there);
    return result;
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

        if (is_to_go(disk)) {
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
    case EK_MAY_BE_ITS_DISK:
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
