/* Saving a domain and shutting one down, where it runs: the checks before it, which the call
 * repeats, the call, its abort, and what the host shows of it. */
#include "migrator/libvirt_port.h"
#include "migrator/own_word.h"
#include "migrator/xpath.h"

#include <stdio.h>
#include <string.h>

static const struct ek_call_result passed = {.ok = true};

static bool saves(const struct ek_move_record *record)
{
    return record->order.kind == EK_MOVE_SAVE;
}

/* ---- looking --------------------------------------------------------------------------------- */

static bool runs_save(virDomainPtr domain)
{
    virTypedParameterPtr params = NULL;
    int type = VIR_DOMAIN_JOB_NONE;
    int count = 0;
    int operation = 0;

    if (virDomainGetJobStats(domain, &type, &params, &count, 0) < 0) {
        return false;
    }
    virTypedParamsGetInt(params, count, VIR_DOMAIN_JOB_OPERATION, &operation);
    virTypedParamsFree(params, count);
    return type != VIR_DOMAIN_JOB_NONE && operation == VIR_DOMAIN_JOB_OPERATION_SAVE;
}

void ek_stop_observe(virDomainPtr domain, struct ek_observation *out)
{
    out->saving =
        out->presence == EK_PRESENCE_ACTIVE && out->job == EK_JOB_OTHER && runs_save(domain);
    out->saved =
        out->presence == EK_PRESENCE_INACTIVE && virDomainHasManagedSaveImage(domain, 0) == 1;
    if (out->saving || out->saved) {
        size_t used = strlen(out->text);

        (void)snprintf(out->text + used, sizeof(out->text) - used, ", %s",
                       out->saving ? "being saved" : "saved");
    }
}

/* ---- the checks ------------------------------------------------------------------------------ */

/* One that its user paused can be saved and comes back paused; its guest hears of no shutdown. */
static struct ek_call_result state_of_domain(const struct ek_end *end,
                                             const struct ek_move_record *record,
                                             struct ek_findings *findings)
{
    static const char step[] = "precheck-domain";
    int state, reason;

    if (virDomainGetState(end->domain, &state, &reason, 0) < 0) {
        return ek_end_fail(end, step);
    }
    findings->user_paused = state == VIR_DOMAIN_PAUSED && reason == VIR_DOMAIN_PAUSED_USER;
    if (state != VIR_DOMAIN_RUNNING && !(findings->user_paused && saves(record))) {
        return ek_fail(EK_FAILURE_DOMAIN, end->link->name, step,
                       findings->user_paused
                           ? "its user has paused it: a guest that stands still cannot shut down"
                           : "it is not running (state %d, reason %d)",
                       state, reason);
    }
    if (ek_domain_job(end->domain) != EK_JOB_NONE) {
        return ek_fail(EK_FAILURE_SAME_PAIR, end->link->name, step, "another job runs on it");
    }
    return passed;
}

/* Without a definition libvirt cannot keep an image, and nothing would be left of it once it is
 * off. */
static struct ek_call_result definition(const struct ek_end *end,
                                        const struct ek_move_record *record)
{
    static const char step[] = "precheck-persistent";
    int persistent = virDomainIsPersistent(end->domain);

    if (persistent < 0) {
        return ek_end_fail(end, step);
    }
    if (persistent == 0) {
        return ek_fail(EK_FAILURE_DOMAIN, end->link->name, step,
                       saves(record)
                           ? "it is transient: libvirt keeps no saved image of it"
                           : "it is transient: nothing would be left of it once it is shut down");
    }
    return passed;
}

/* The sample may be old: what its metadata say now counts, for nobody is stopped unasked. */
static struct ek_call_result own_word(const struct ek_end *end, const struct ek_move_record *record)
{
    static const char step[] = "precheck-metadata";
    EK_SCOPED_STRING char *text = virDomainGetXMLDesc(end->domain, 0);
    struct ek_xpath *xml = text == NULL ? NULL : ek_xpath_parse(text);
    struct ek_own_word word;
    char why[EK_TEXT_SIZE];

    if (xml == NULL) {
        return ek_end_fail(end, step);
    }
    ek_own_word_read(xml, &word);
    ek_xpath_free(xml);
    return ek_own_word_forbids(&word, record->order.kind, why) == NULL
               ? passed
               : ek_fail(EK_FAILURE_DOMAIN, end->link->name, step, "%s", why);
}

static struct ek_call_result check(const struct ek_end *end, const struct ek_move_record *record,
                                   struct ek_findings *findings)
{
    struct ek_call_result result;

    if (!end->link->listed) {
        return ek_fail(EK_FAILURE_DOMAIN, end->link->name, "precheck-parameters",
                       "the host is no longer in the configuration");
    }
    if (end->domain == NULL) {
        return ek_fail(EK_FAILURE_DOMAIN, end->link->name, "precheck-parameters",
                       "domain %s is not there", record->order.domain);
    }
    result = state_of_domain(end, record, findings);
    if (result.ok) {
        result = definition(end, record);
    }
    return result.ok ? own_word(end, record) : result;
}

struct ek_call_result ek_stop_precheck(struct ek_libvirt_port *port,
                                       const struct ek_move_record *record,
                                       struct ek_findings *findings, ek_note note,
                                       void *note_context)
{
    struct ek_call_result result;
    struct ek_end end;

    if (ek_end_open(&end, port, record->order.source, record, true, "precheck-permission",
                    &result)) {
        result = check(&end, record, findings);
        ek_end_close(&end);
    }
    note(note_context, "precheck-stop",
         result.ok ? "it runs, is defined, has no job, and its metadata ask for it" : result.error);
    return result;
}

/* ---- the call -------------------------------------------------------------------------------- */

/* Between the precheck and here a record was written, which may take long: whoever began to migrate
 * it meanwhile, paused it or took its word back is still heard. libvirt does not keep them apart: a
 * shutdown by the guest's agent is no job that a migration's excludes. */
static struct ek_call_result stop(const struct ek_end *source, const struct ek_move_record *record,
                                  int64_t fresh_until_ms)
{
    const char *step = ek_move_kind_name(record->order.kind);
    struct ek_findings findings;
    struct ek_call_result result = check(source, record, &findings);
    int done;

    if (!result.ok) {
        /* Known by this: nobody was told anything. */
        result.failure = result.failure == EK_FAILURE_LOST ? EK_FAILURE_SAME_PAIR : result.failure;
        return result;
    }
    /* Asked last, just before the effect: whoever gave this call up may have decided otherwise
     * since. */
    if (!ek_is_fresh(fresh_until_ms)) {
        return ek_fail(EK_FAILURE_SAME_PAIR, source->link->name, step,
                       "not begun, for libvirt took too long to get there");
    }
    /* Without flags libvirt asks the guest's agent if there is one, else by ACPI, as virsh does. */
    done = saves(record) ? virDomainManagedSave(source->domain, 0)
                         : virDomainShutdownFlags(source->domain, 0);
    return done < 0 ? ek_end_fail(source, step) : passed;
}

struct ek_call_result ek_port_stop(void *context, const struct ek_move_record *record)
{
    struct ek_libvirt_port *port = context;
    struct ek_end source = {.link = ek_port_host(port, record->order.source)};
    int64_t fresh_until_ms = ek_fresh_until(port);
    struct ek_call_result result;
    struct ek_error err = {0};

    if (source.link == NULL) {
        return ek_fail(EK_FAILURE_DOMAIN, record->order.source, "stop",
                       "the host is not in the configuration");
    }
    /* A connection of its own, as a migration has: it is in use until the memory is on disk. */
    source.connection = ek_host_open(source.link, &err);
    if (source.connection == NULL) {
        return ek_fail(EK_FAILURE_SAME_PAIR, record->order.source, "stop", "%s", err.message);
    }
    source.domain = virDomainLookupByUUIDString(source.connection, record->order.domain);
    result = stop(&source, record, fresh_until_ms);
    if (source.domain != NULL) {
        virDomainFree(source.domain);
    }
    virConnectClose(source.connection);
    return result;
}

/* Only a save: AbortJob ends whatever job there is. */
bool ek_stop_abort(struct ek_libvirt_port *port, const struct ek_move_record *record,
                   struct ek_error *err)
{
    struct ek_call_result result;
    struct ek_end end;
    bool done = false;

    if (!ek_end_open(&end, port, record->order.source, record, true, "abort", &result)) {
        return ek_error_set(err, EK_ERR_UNAVAILABLE, "%s", result.error);
    }
    if (end.domain == NULL || !runs_save(end.domain)) {
        ek_error_set(err, EK_ERR_NOT_FOUND, "%s: abort: no save of the domain runs",
                     end.link->name);
    } else {
        done = virDomainAbortJob(end.domain) == 0 ||
               ek_error_set(err, EK_ERR_REMOTE, "%s: abort: %s", end.link->name,
                            virGetLastErrorMessage());
    }
    ek_end_close(&end);
    return done;
}
