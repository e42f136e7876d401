/* Dirty rates by QEMU's calc-dirty-rate, as libvirt offers it. */
#include "collector/libvirt/dirty_calc.h"

#include "collector/clock.h"
#include "collector/libvirt/handles.h"

#include <assert.h>
#include <math.h>

/* By sampling pages: QEMU hashes some 512 pages of each GiB, and again a second later. The guest is
 * not touched, and neither is the log of dirty pages that a migration works with. The other modes
 * (dirty-bitmap, dirty-ring) do touch it, the first kills a QEMU that emulates (7.2), and the
 * second needs a ring that libvirt gives to KVM guests on request only. */

static void take_result(struct ek_dirty_rates *rates, const virDomainStatsRecord *record)
{
    char uuid[VIR_UUID_STRING_BUFLEN];
    long long mib_s = -1;
    int status = VIR_DOMAIN_DIRTYRATE_UNSTARTED;

    if (virDomainGetUUIDString(record->dom, uuid) < 0) {
        return;
    }
    (void)virTypedParamsGetInt(record->params, record->nparams, "dirtyrate.calc_status", &status);
    (void)virTypedParamsGetLLong(record->params, record->nparams, "dirtyrate.megabytes_per_second",
                                 &mib_s);
    if (status == VIR_DOMAIN_DIRTYRATE_MEASURED) {
        /* -1: QEMU found nothing to sample, it passes over blocks below 128 MiB. */
        ek_dirty_result(rates, uuid, mib_s < 0 ? NAN : (double)mib_s);
    }
}

void ek_dirty_calc_collect(struct ek_dirty_rates *rates, virDomainStatsRecordPtr *records,
                           size_t count)
{
    EK_SCOPED_RECORDS virDomainStatsRecordPtr *results = NULL;
    virDomainPtr asked[EK_DIRTY_AT_ONCE + 1] = {NULL};
    size_t asked_count = 0;

    for (size_t i = 0; asked_count < rates->pending && i < count; i++) {
        char uuid[VIR_UUID_STRING_BUFLEN];
        if (virDomainGetUUIDString(records[i]->dom, uuid) == 0 && ek_dirty_pending(rates, uuid)) {
            assert(asked_count < EK_DIRTY_AT_ONCE);
            asked[asked_count++] = records[i]->dom;
        }
    }
    if (asked_count == 0) {
        return;
    }
    int found = virDomainListGetStats(asked, VIR_DOMAIN_STATS_DIRTYRATE, &results,
                                      VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT);
    for (int i = 0; i < found; i++) {
        take_result(rates, results[i]);
    }
}

/* Control info needs no lock and tells of what occupies the monitor; the job's statistics tell of a
 * migration. libvirt refuses the latter of one that comes in. */
static bool is_idle(virDomainPtr domain)
{
    EK_SCOPED_PARAMS struct ek_params params = {NULL, 0};
    virDomainControlInfo control = {0};
    int type = VIR_DOMAIN_JOB_NONE;

    return virDomainGetControlInfo(domain, &control, 0) == 0 &&
           control.state == VIR_DOMAIN_CONTROL_OK &&
           virDomainGetJobStats(domain, &type, &params.items, &params.count, 0) == 0 &&
           type == VIR_DOMAIN_JOB_NONE;
}

void ek_dirty_calc_start(struct ek_dirty_rates *rates, virConnectPtr connection, const char *uuid,
                         int id)
{
    EK_SCOPED_DOMAIN virDomainPtr domain = virDomainLookupByUUIDString(connection, uuid);

    if (domain == NULL || (int)virDomainGetID(domain) != id ||
        !ek_dirty_begin(rates, uuid, id, ek_monotonic_ns())) {
        return;
    }
    /* What is refused is asked for again when its turn comes, so that it takes nobody else's. */
    if (!is_idle(domain) ||
        virDomainStartDirtyRateCalc(domain, EK_DIRTY_SECONDS,
                                    VIR_DOMAIN_DIRTYRATE_MODE_PAGE_SAMPLING) < 0) {
        ek_dirty_result(rates, uuid, NAN);
    }
}
