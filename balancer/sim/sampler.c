/* The simulated collector: counters read by period and turned into rates, with the same gaps as a
 * real one's (no rate at first, none after an arrival), plus noise. */
#include "balancer/sim/sampler.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PURPOSE_NOISE = 14 };

/* A domain's counter as it was read last. */
struct ek_sim_reading {
    uint32_t host; /* + 1; 0: never read */
    int64_t at_ms;
    double cpu_core_ms;
};

void ek_sim_sampler_init(struct ek_sim_sampler *sampler, struct ek_sim_cluster *cluster,
                         uint64_t seed)
{
    *sampler = (struct ek_sim_sampler){.cluster = cluster,
                                       .random = ek_random_stream(seed, PURPOSE_NOISE),
                                       /* 15 s is the collector's default. */
                                       .period_ms = 15000,
                                       .target_max = 1.0};
}

void ek_sim_sampler_finish(struct ek_sim_sampler *sampler)
{
    for (size_t s = 0; s < sampler->sample_count; s++) {
        ek_sample_finish(&sampler->samples[s]);
    }
    free(sampler->samples);
    free(sampler->sample_of);
    free(sampler->fresh);
    free(sampler->readings);
    memset(sampler, 0, sizeof(*sampler));
}

/* The daemon's death: samples stay in the store, readings were in its memory. */
void ek_sim_sampler_forget(struct ek_sim_sampler *sampler)
{
    if (sampler->host_room > 0) {
        memset(sampler->fresh, 0, sampler->host_room * sizeof(*sampler->fresh));
    }
    if (sampler->domain_room > 0) {
        memset(sampler->readings, 0, sampler->domain_room * sizeof(*sampler->readings));
    }
}

/* ---- room ---------------------------------------------------------------------------------- */

/* New entries are zero, which means "never read" everywhere here. */
static bool grow(void **table, size_t old, size_t wanted, size_t size)
{
    unsigned char *bigger = realloc(*table, wanted * size);

    if (bigger == NULL) {
        return false;
    }
    memset(bigger + old * size, 0, (wanted - old) * size);
    *table = bigger;
    return true;
}

static bool reserve(struct ek_sim_sampler *sampler, struct ek_error *err)
{
    size_t hosts = sampler->cluster->host_count;
    size_t domains = sampler->cluster->domain_room;
    void *samples = sampler->samples;
    void *sample_of = sampler->sample_of;
    void *fresh = sampler->fresh;
    void *readings = sampler->readings;
    bool ok = true;

    if (hosts > sampler->host_room) {
        size_t old = sampler->host_room;
        ok = grow(&samples, old, hosts, sizeof(*sampler->samples));
        sampler->samples = samples;
        ok = ok && grow(&sample_of, old, hosts, sizeof(*sampler->sample_of));
        sampler->sample_of = sample_of;
        ok = ok && grow(&fresh, old, hosts, sizeof(*sampler->fresh));
        sampler->fresh = fresh;
        sampler->host_room = ok ? hosts : old;
    }
    if (ok && domains > sampler->domain_room) {
        ok = grow(&readings, sampler->domain_room, domains, sizeof(*sampler->readings));
        sampler->readings = readings;
        sampler->domain_room = ok ? domains : sampler->domain_room;
    }
    return ok || ek_error_set(err, EK_ERR_NOMEM, "out of memory for samples");
}

/* ---- one host ------------------------------------------------------------------------------ */

/* Cores used since the reading before; NAN: there is none that counts. The reading is taken. */
static double rate_of(struct ek_sim_sampler *sampler, uint32_t host, uint32_t index,
                      const struct ek_sim_copy *copy)
{
    struct ek_sim_reading *reading = &sampler->readings[index];
    int64_t now_ms = sampler->cluster->queue->now_ms;
    double counter = ek_sim_cluster_cpu(sampler->cluster, index);
    /* Its counters begin at zero with each arrival; three periods are too long for a rate. */
    bool known = copy->job != EK_JOB_IN && reading->host == host + 1 &&
                 reading->at_ms >= copy->since_ms && reading->at_ms < now_ms &&
                 now_ms - reading->at_ms <= 3 * sampler->period_ms;
    double rate =
        known ? (counter - reading->cpu_core_ms) / (double)(now_ms - reading->at_ms) : NAN;

    /* What comes in is counted by its source, whose reading must not be lost. */
    if (copy->job != EK_JOB_IN) {
        *reading = (struct ek_sim_reading){host + 1, now_ms, counter};
    }
    return rate;
}

static void fill_domain(struct ek_domain *out, const struct ek_sim_sampler *sampler,
                        const struct ek_sim_domain *domain, const struct ek_sim_copy *copy,
                        double rate)
{
    static const struct ek_domain plain = {.movable = true};

    *out = domain->like == NULL ? plain : *domain->like;
    out->uuid = domain->uuid;
    out->name = domain->name;
    out->host = 0;
    out->paused = copy->run == EK_RUN_PAUSED_USER;
    out->incoming = copy->job == EK_JOB_IN;
    out->vcpus = domain->vcpus;
    out->memory_mib = domain->memory_mib;
    out->cpu_used_cores = rate;
    out->cpu_steal = NAN;
    out->memory_used_mib = NAN;
    /* Of a guest that is being received QEMU has only a part, and libvirt tells little. */
    out->memory_rss_mib = copy->whole ? domain->rss_mib : NAN;
    out->dirty_mib_s = sampler->dirty_known ? domain->dirty_mib_s : 0;
    /* What somebody expected once is no sample: the engine makes its own forecasts. */
    out->cpu_outlook = out->memory_outlook = (struct ek_outlook){.known = false};
    out->migration_factor = 0;
    if (!copy->whole) {
        out->movable = false;
        out->immovable_reason = "it is being received";
    }
}

struct sums {
    double cores;     /* wanted by all that runs there */
    double unsampled; /* of it by domains that have no rate yet */
    double rss_mib;
};

static size_t fill_domains(struct ek_sim_sampler *sampler, uint32_t host, struct ek_sample *sample,
                           struct sums *sums)
{
    struct ek_sim_cluster *cluster = sampler->cluster;
    const struct ek_sim_host *it = &cluster->hosts[host];
    size_t count = 0;

    for (size_t i = 0; i < it->domain_count; i++) {
        uint32_t index = it->domains[i];
        const struct ek_sim_copy *copy = ek_sim_cluster_copy(cluster, index, host);
        /* Shut-off definitions are no load and are in no sample. */
        if (!copy->active) {
            continue;
        }
        double rate = rate_of(sampler, host, index, copy);
        const struct ek_sim_domain *domain = &cluster->domains[index];
        bool here = domain->running > 0 && copy->whole;
        /* The host's use is measured apart from its domains': it is known when a domain's rate is
         * not. */
        sums->unsampled += isnan(rate) && here ? domain->cores_wanted : 0;
        sums->cores += isnan(rate) ? (here ? domain->cores_wanted : 0) : rate;
        sums->rss_mib += copy->whole ? domain->rss_mib : 0;
        fill_domain(&sample->domains[count++], sampler, domain, copy, rate);
    }
    return count;
}

/* Where more is wanted than there is, everybody gets a part of it, and the rest is steal. Returns
 * what all of them together are seen to use: noise is in the load, so that the host shows it, too.
 */
static double share_cores(struct ek_sim_sampler *sampler, const struct ek_sim_host *host,
                          struct ek_sample *sample, const struct sums *sums)
{
    double used = sums->unsampled;
    double free_cores = fmax(host->cpu_cores - host->base_cpu_cores, 0);
    double part = sums->cores > free_cores ? free_cores / sums->cores : 1;

    for (size_t i = 0; i < sample->domain_count; i++) {
        struct ek_domain *domain = &sample->domains[i];
        double factor = 1 + sampler->noise * ek_random_noise(&sampler->random);
        if (!isnan(domain->cpu_used_cores)) {
            /* Time that was wanted and not had, as vcpu.N.delay shows it. */
            domain->cpu_steal =
                fmin(1, domain->cpu_used_cores * (1 - part) / fmax(domain->vcpus, 1e-9));
            domain->cpu_used_cores = fmax(0, domain->cpu_used_cores * part * factor);
            used += domain->cpu_used_cores;
        }
    }
    return used;
}

static void fill_host(struct ek_sim_sampler *sampler, uint32_t host, struct ek_sample *sample,
                      const struct sums *sums, double domains_used)
{
    const struct ek_sim_host *it = &sampler->cluster->hosts[host];
    double wanted = it->base_cpu_cores + sums->cores;
    double used = fmin(it->cpu_cores, it->base_cpu_cores + domains_used);
    /* Debian 12's, the same on every host. */
    static const struct ek_host plain = {.hypervisor = "QEMU 7.2.22"};

    sample->host = it->like == NULL ? plain : *it->like;
    sample->host.name = it->name;
    sample->host.uuid = it->uuid;
    sample->host.state = EK_HOST_UP;
    sample->host.cpu_cores = it->cpu_cores;
    sample->host.memory_mib = it->memory_mib;
    /* A first reading has no rate, as with real counters. */
    sample->host.cpu_used_cores = sampler->fresh[host] ? used : NAN;
    sample->host.memory_used_mib = it->base_memory_mib + sums->rss_mib;
    sample->host.migration_mib_s = fmin(it->link_in_mib_s, it->link_out_mib_s);
    if (sampler->fresh[host]) {
        /* Host-seconds: each sample stands for one period. */
        double period_s = (double)sampler->period_ms / 1000;
        /* By what is wanted, not by what is had: a full host hides how much is missing. */
        sampler->overload_s += wanted > sampler->target_max * it->cpu_cores ? period_s : 0;
        sampler->starved_s += wanted > it->cpu_cores ? period_s : 0;
    }
}

/* + 1, so that 0 means "none yet" in a zeroed table. */
static struct ek_sample *slot(struct ek_sim_sampler *sampler, uint32_t host)
{
    if (sampler->sample_of[host] == 0) {
        sampler->sample_of[host] = ++sampler->sample_count;
    }
    struct ek_sample *sample = &sampler->samples[sampler->sample_of[host] - 1];
    ek_sample_finish(sample);
    memset(sample, 0, sizeof(*sample));
    return sample;
}

bool ek_sim_sampler_read(struct ek_sim_sampler *sampler, uint32_t host, struct ek_error *err)
{
    const struct ek_sim_host *it = &sampler->cluster->hosts[host];
    struct sums sums = {0};

    if (!reserve(sampler, err)) {
        return false;
    }
    if (!ek_sim_host_answers(it)) {
        sampler->fresh[host] = false; /* it connects anew and reads counters anew */
        return true;
    }
    struct ek_sample *sample = slot(sampler, host);
    sample->taken_at_ms = sampler->cluster->queue->now_ms;
    sample->period_ms = sampler->period_ms;
    sample->collector = "simulator";
    sample->host.name = it->name;
    sample->domains = ek_arena_alloc(&sample->arena, it->domain_count, sizeof(*sample->domains));
    if (sample->domains == NULL) {
        return ek_error_set(err, EK_ERR_NOMEM, "out of memory for a sample");
    }
    sample->domain_count = fill_domains(sampler, host, sample, &sums);
    double used = share_cores(sampler, it, sample, &sums);
    fill_host(sampler, host, sample, &sums, used);
    sampler->fresh[host] = true;
    sampler->samples_taken++;
    return true;
}
