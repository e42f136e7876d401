/* The repairs that the decision table may ask for. Each reads both ends itself and acts only if the
 * table, asked again, still says so; what resumes asks all other hosts, too. */
#include "migrator/libvirt_port.h"
#include "migrator/verdict.h"

#include <string.h>

struct repair {
    enum ek_repair wanted;
    bool on_source;
    bool resumes; /* so nobody else may run it */
    int (*act)(struct ek_libvirt_port *port, virDomainPtr domain,
               const struct ek_move_record *record);
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

/* The guest of a migrate call that returned well a moment ago stands still until it is resumed, and
 * nobody can have started it elsewhere meanwhile: no other host is asked, and one that is away does
 * not keep it down. Whoever comes later asks. */
static bool must_ask_others(const struct ek_move_record *record, const struct repair *repair)
{
    return repair->resumes && record->state != EK_MOVE_COMMIT_PENDING;
}

/* Both ends of a move do not know where somebody else took the domain since: every other host must
 * say that it does not run it. One that cannot be asked might. */
static bool runs_nowhere_else(struct ek_libvirt_port *port, const struct ek_move_record *record,
                              const char *step, struct ek_call_result *result)
{
    struct ek_elsewhere elsewhere;

    ek_port_search(port, record, &elsewhere);
    if (elsewhere.active == 0 && elsewhere.unreachable == 0) {
        return true;
    }
    *result =
        ek_fail(EK_FAILURE_DOMAIN, "another host", step, "it may run there: %s", elsewhere.text);
    return false;
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
        (must_ask_others(record, repair) && !runs_nowhere_else(context, record, step, &result)) ||
        !ek_end_open(&end, context, host, record, repair->on_source, step, &result)) {
        return result;
    }
    if (end.domain == NULL) {
        result = ek_fail(EK_FAILURE_DOMAIN, host, step, "the domain is not there any more");
    } else if (!ek_is_fresh(fresh_until_ms)) {
        result = ek_fail(EK_FAILURE_SAME_PAIR, host, step, "not done, for reading took too long");
    } else if (repair->act(context, end.domain, record) < 0) {
        result = ek_end_fail(&end, step);
    } else {
        result = (struct ek_call_result){.ok = true};
    }
    ek_end_close(&end);
    return result;
}

static int resume(struct ek_libvirt_port *port, virDomainPtr domain,
                  const struct ek_move_record *record)
{
    (void)port;
    (void)record;
    return virDomainResume(domain);
}

static int destroy(struct ek_libvirt_port *port, virDomainPtr domain,
                   const struct ek_move_record *record)
{
    (void)port;
    (void)record;
    return virDomainDestroy(domain);
}

/* With the definition that libvirt wrote there before the hand-over, if it is this move's: a
 * destination that is only off might have run and been shut down, and then the source must not be
 * resumed. */
static int destroy_copy(struct ek_libvirt_port *port, virDomainPtr domain,
                        const struct ek_move_record *record)
{
    (void)port;
    struct ek_mark mark;
    bool persistent = virDomainIsPersistent(domain) == 1;

    if (virDomainDestroy(domain) < 0) {
        return -1;
    }
    if (!persistent || !ek_mark_read(domain, &mark) || strcmp(mark.id, record->order.id) != 0) {
        return 0;
    }
    return virDomainUndefineFlags(domain, VIR_DOMAIN_UNDEFINE_KEEP_NVRAM);
}

struct ek_call_result ek_port_resume_source(void *context, const struct ek_move_record *record)
{
    static const struct repair repair = {EK_REPAIR_RESUME_SOURCE, true, true, resume};

    return carry_out(context, record, &repair);
}

struct ek_call_result ek_port_resume_destination(void *context, const struct ek_move_record *record)
{
    static const struct repair repair = {EK_REPAIR_RESUME_DESTINATION, false, true, resume};

    return carry_out(context, record, &repair);
}

struct ek_call_result ek_port_destroy_source(void *context, const struct ek_move_record *record)
{
    static const struct repair repair = {EK_REPAIR_DESTROY_SOURCE, true, false, destroy};

    return carry_out(context, record, &repair);
}

struct ek_call_result ek_port_destroy_destination(void *context,
                                                  const struct ek_move_record *record)
{
    static const struct repair repair = {EK_REPAIR_DESTROY_DESTINATION, false, false, destroy_copy};

    return carry_out(context, record, &repair);
}

/* Driven by the source's libvirtd, as the migration was. */
static int resume_postcopy(struct ek_libvirt_port *port, virDomainPtr domain,
                           const struct ek_move_record *record)
{
    const struct ek_host_link *destination = ek_port_host(port, record->order.destination);

    return destination == NULL ? -1 : ek_job_call(domain, destination, record, true);
}

struct ek_call_result ek_port_resume_postcopy(void *context, const struct ek_move_record *record)
{
    static const struct repair repair = {EK_REPAIR_RESUME_POSTCOPY, true, false, resume_postcopy};

    return carry_out(context, record, &repair);
}
