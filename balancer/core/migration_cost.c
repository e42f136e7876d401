/* Pre-copy, modelled: what is dirtied while a round is sent makes the next round. It is a
 * prediction from one dirty rate; the migrator measures, this only ranks and schedules. */
#include "balancer/core/migration_cost.h"

#include "balancer/core/pace.h"
#include "balancer/core/utilization.h"

#include <assert.h>
#include <math.h>

/* QEMU itself knows no limit; after 30 rounds a guest that still outruns the link will do so for
 * good, or needs auto-converge. */
enum { MAX_ROUNDS = 30 };

/* Time that a migration takes beside copying: setting up QEMU on the destination and handing over
 * (measured in the lab: 0.65 s for a guest that copies in 0.2 s). */
#define OVERHEAD_MS 500.0

/* Upwards: a move predicted too short would let its successor start too early. fmin also turns NAN
 * into the bound. */
static int64_t whole_ms(double ms)
{
    return (int64_t)ceil(fmin(ms, EK_FOREVER_MS));
}

/* QEMU sends a page that was never touched as a few bytes: what is resident is what counts. RSS
 * holds QEMU's own memory as well, which is not sent: little with hardware virtualization, and
 * known where it is much. What the guest itself says that it uses is there in any case. */
static double resident_mib(const struct ek_domain *domain)
{
    if (isnan(domain->memory_rss_mib)) {
        return domain->memory_mib;
    }
    double guest = domain->memory_rss_mib - domain->emulator_mib;
    if (domain->emulator_mib > 0) {
        guest = fmax(fmax(guest, 0), isnan(domain->memory_used_mib) ? 0 : domain->memory_used_mib);
    }
    return fmin(guest, domain->memory_mib);
}

struct ek_cost ek_migration_cost(const struct ek_domain *domain, double bandwidth_mib_s,
                                 int64_t max_downtime_ms)
{
    double writable = resident_mib(domain);
    double left = writable;
    /* Disks go first (libvirt mirrors them before RAM is sent), once and at the same rate. */
    double sent = domain->local_disk_mib;
    double allowed = bandwidth_mib_s * (double)max_downtime_ms / 1000;
    bool converges = left <= allowed;

    assert(max_downtime_ms >= 0);
    assert(bandwidth_mib_s > 0);
    for (int round = 0; !converges && round < MAX_ROUNDS; round++) {
        /* No more than all of it can be dirty, however long a round takes. */
        double seconds = left / bandwidth_mib_s;
        sent += left;
        left = fmin(writable, domain->dirty_mib_s * seconds);
        converges = left <= allowed;
    }
    assert(left >= 0 && left <= writable);
    /* What was learned of the domain's earlier moves; without any the model is taken at its word.
     */
    sent = (sent + left) * (domain->migration_factor > 0 ? domain->migration_factor : 1.0);
    double copying_ms = sent / bandwidth_mib_s * 1000;
    return (struct ek_cost){.transfer_mib = sent,
                            .duration_ms = whole_ms(copying_ms + OVERHEAD_MS),
                            .downtime_ms = whole_ms(left / bandwidth_mib_s * 1000),
                            .converges = converges};
}

double ek_migration_rate(const struct ek_snapshot *snapshot, const struct ek_policy *policy,
                         uint32_t source, uint32_t destination)
{
    const struct ek_limits limits = ek_limits_of(policy);

    assert(source < snapshot->host_count && destination < snapshot->host_count);
    return ek_limits_rate(&limits, &snapshot->hosts[source], &snapshot->hosts[destination]);
}

int64_t ek_migration_timeout_ms(const struct ek_domain *domain, const struct ek_policy *policy)
{
    /* Configured memory, not resident: a timeout must also suit the guest that fills up
     * meanwhile. */
    double gib = (domain->memory_mib + domain->local_disk_mib) / 1024;
    double wanted = gib * (double)policy->timeout_per_gib_ms;

    return whole_ms(fmax((double)policy->timeout_min_ms, wanted));
}
