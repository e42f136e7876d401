/* The clean-ups after a verified move. Each can be done again without harm. */
#include "migrator/libvirt_port.h"

#include <string.h>

static const struct ek_call_result done = {.ok = true};

/* What the migration does not carry along, and then the mark that carried it. */
static struct ek_call_result settle_destination(const struct ek_end *end,
                                                const struct ek_move_record *record, ek_note note,
                                                void *note_context)
{
    struct ek_mark mark;

    /* LOST, not a verdict: both ends were read a moment ago, and the clean-up is tried again. */
    if (end->domain == NULL || virDomainIsActive(end->domain) != 1) {
        return ek_fail(EK_FAILURE_LOST, end->link->name, "post-destination",
                       "the domain is not active here any more");
    }
    if (!ek_mark_read(end->domain, &mark) || strcmp(mark.id, record->order.id) != 0) {
        note(note_context, "post-mark", "no mark of this move is left to take away");
        return done;
    }
    /* Only ever set, never cleared: a destination that starts it by itself may be meant to. */
    if (mark.autostart) {
        if (virDomainSetAutostart(end->domain, 1) < 0) {
            return ek_end_fail(end, "post-autostart");
        }
        note(note_context, "post-autostart", "set as on the source");
    }
    if (!ek_mark_remove(end->domain, record->order.id)) {
        return ek_end_fail(end, "post-mark");
    }
    note(note_context, "post-mark", "taken away");
    return done;
}

/* As a rule libvirt took the source's definition away. One that is left is taken away when it is
 * off and bears this move's mark: it was our source, and might be started by mistake. */
static struct ek_call_result settle_source(const struct ek_end *end,
                                           const struct ek_move_record *record, ek_note note,
                                           void *note_context)
{
    enum {
        /* Without these flags libvirt refuses domains that have a saved state or snapshots. NVRAM
         * stays: on shared storage it is the file that the running domain uses. */
        FLAGS = VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA |
                VIR_DOMAIN_UNDEFINE_KEEP_NVRAM
    };
    struct ek_mark mark;

    if (end->domain == NULL) {
        note(note_context, "post-source", "nothing is left");
        return done;
    }
    /* Unknown (-1) counts as active: an active domain is never undefined here. */
    if (virDomainIsActive(end->domain) != 0 || !ek_mark_read(end->domain, &mark) ||
        strcmp(mark.id, record->order.id) != 0) {
        note(note_context, "post-source", "a definition that is not this move's is left alone");
        return done;
    }
    if (virDomainUndefineFlags(end->domain, FLAGS) < 0) {
        return ek_end_fail(end, "post-source");
    }
    note(note_context, "post-source", "the definition that was left is taken away");
    return done;
}

struct ek_call_result ek_port_post(void *context, const struct ek_move_record *record, ek_note note,
                                   void *note_context)
{
    struct ek_call_result result;
    struct ek_end end;

    struct ek_libvirt_port *port = context;

    ek_arrivals_close(&port->arrivals, record); /* it has arrived: its memory counts there itself */
    if (!ek_end_open(&end, context, record->order.destination, record, false, "post", &result)) {
        return result;
    }
    /* The destination first, for it is where the domain runs; the source is tidied up when that
     * went well. */
    result = settle_destination(&end, record, note, note_context);
    ek_end_close(&end);
    if (!result.ok ||
        !ek_end_open(&end, context, record->order.source, record, true, "post", &result)) {
        return result;
    }
    result = settle_source(&end, record, note, note_context);
    ek_end_close(&end);
    /* With a grace they are the trash's. */
    if (result.ok && record->copies_disks && record->order.disk_grace_ms == 0) {
        result = ek_port_discard(context, record, note, note_context);
    }
    return result;
}
