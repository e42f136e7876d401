/* The repairs that the decision table may ask for. Each reads both ends itself and acts only if the
 * table, asked again, still says so; what resumes asks all other hosts, too. */
#include "migrator/libvirt_port.h"
#include "migrator/verdict.h"

#include <string.h>

struct repair {
    enum ek_repair wanted;
    bool on_source;
    bool resumes; /* so nobody else may run it */
    int (*act)(virDomainPtr domain);
};

static bool still_wanted(struct ek_libvirt_port *port, const struct ek_move_record *record,
                         const struct repair *repair, struct ek_call_result *result)
{
    struct ek_observation source, destination;
    const struct ek_verdict_row *row;

    ek_port_observe(port, record, &source, &destination);
    row = ek_verdict_decide(record, &source, &destination);
    if (row->repair == repair->wanted) {
        return true;
    }
    *result = ek_fail(EK_FAILURE_DOMAIN,
                      repair->on_source ? record->order.source : record->order.destination,
                      ek_repair_name(repair->wanted), "not done, for now %s", row->text);
    return false;
}

/* `listed` alone changes while moves run; the links themselves stay. */
static bool is_listed(struct ek_libvirt_port *port, const struct ek_host_link *link)
{
    pthread_mutex_lock(&port->mutex);
    bool listed = link->listed;
    pthread_mutex_unlock(&port->mutex);
    return listed;
}

/* Both ends of a move do not know where somebody else took the domain since: every other host must
 * say that it does not run it. One that cannot be asked might. */
static bool runs_nowhere_else(struct ek_libvirt_port *port, const struct ek_move_record *record,
                              const char *step, struct ek_call_result *result)
{
    struct ek_host_link *link;
    struct ek_end end;

    pthread_mutex_lock(&port->mutex);
    link = port->hosts; /* grows at its head only */
    pthread_mutex_unlock(&port->mutex);
    for (; link != NULL; link = link->next) {
        if (!is_listed(port, link) || strcmp(link->name, record->order.source) == 0 ||
            strcmp(link->name, record->order.destination) == 0) {
            continue;
        }
        if (!ek_end_open(&end, port, link->name, record, false, step, result)) {
            return false;
        }
        bool active = end.domain != NULL && virDomainIsActive(end.domain) != 0;
        ek_end_close(&end);
        if (active) {
            *result = ek_fail(EK_FAILURE_DOMAIN, link->name, step, "it may run there");
            return false;
        }
    }
    return true;
}

static struct ek_call_result carry_out(void *context, const struct ek_move_record *record,
                                       const struct repair *repair)
{
    const char *host = repair->on_source ? record->order.source : record->order.destination;
    const char *step = ek_repair_name(repair->wanted);
    int64_t fresh_until_ms = ek_fresh_until(context);
    struct ek_call_result result = {.ok = true};
    struct ek_end end;

    /* The end that is acted on is opened last, so that little time lies between looking and acting.
     */
    if (!still_wanted(context, record, repair, &result) ||
        (repair->resumes && !runs_nowhere_else(context, record, step, &result)) ||
        !ek_end_open(&end, context, host, record, repair->on_source, step, &result)) {
        return result;
    }
    if (end.domain == NULL) {
        result = ek_fail(EK_FAILURE_DOMAIN, host, step, "the domain is not there any more");
    } else if (!ek_is_fresh(fresh_until_ms)) {
        result = ek_fail(EK_FAILURE_SAME_PAIR, host, step, "not done, for reading took too long");
    } else if (repair->act(end.domain) < 0) {
        result = ek_end_fail(&end, step);
    } else {
        result = (struct ek_call_result){.ok = true};
    }
    ek_end_close(&end);
    return result;
}

struct ek_call_result ek_port_resume_source(void *context, const struct ek_move_record *record)
{
    static const struct repair repair = {EK_REPAIR_RESUME_SOURCE, true, true, virDomainResume};

    return carry_out(context, record, &repair);
}

struct ek_call_result ek_port_resume_destination(void *context, const struct ek_move_record *record)
{
    static const struct repair repair = {EK_REPAIR_RESUME_DESTINATION, false, true,
                                         virDomainResume};

    return carry_out(context, record, &repair);
}

struct ek_call_result ek_port_destroy_source(void *context, const struct ek_move_record *record)
{
    static const struct repair repair = {EK_REPAIR_DESTROY_SOURCE, true, false, virDomainDestroy};

    return carry_out(context, record, &repair);
}

struct ek_call_result ek_port_destroy_destination(void *context,
                                                  const struct ek_move_record *record)
{
    static const struct repair repair = {EK_REPAIR_DESTROY_DESTINATION, false, false,
                                         virDomainDestroy};

    return carry_out(context, record, &repair);
}
