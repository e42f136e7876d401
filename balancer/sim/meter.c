/* What hosts bore and domains missed, by the ground truth: the balancer's own figures are not
 * believed. */
#include "balancer/sim/meter.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Rounding of a sum of thousandths of a core is no overload. */
#define SLACK 1e-9

bool ek_meter_init(struct ek_meter *meter, struct ek_sim_cluster *cluster, double target_cpu,
                   double target_memory, struct ek_error *err)
{
    *meter = (struct ek_meter){.cluster = cluster,
                               .target_cpu = target_cpu,
                               .target_memory = target_memory,
                               .host_count = cluster->host_count,
                               .domain_count = cluster->domain_count,
                               .read_ms = cluster->queue->now_ms};
    /* One more than there are: none would look like a lack of memory. */
    meter->hosts = calloc(meter->host_count + 1, sizeof(*meter->hosts));
    meter->domains = calloc(meter->domain_count + 1, sizeof(*meter->domains));
    if (meter->hosts == NULL || meter->domains == NULL) {
        ek_meter_finish(meter);
        return ek_error_set(err, EK_ERR_NOMEM, "out of memory for a simulation's figures");
    }
    for (uint32_t d = 0; d < meter->domain_count; d++) {
        meter->domains[d].cpu_core_ms = ek_sim_cluster_cpu(cluster, d);
        meter->domains[d].host = ek_sim_cluster_home(cluster, d);
    }
    return true;
}

void ek_meter_finish(struct ek_meter *meter)
{
    free(meter->hosts);
    free(meter->domains);
    memset(meter, 0, sizeof(*meter));
}

static void read_hosts(struct ek_meter *meter)
{
    for (size_t h = 0; h < meter->host_count; h++) {
        const struct ek_sim_host *host = &meter->cluster->hosts[h];
        meter->hosts[h] =
            (struct ek_meter_host){.on = host->on,
                                   .cpu_cores = host->on ? host->cpu_cores : 0,
                                   .cpu_wanted = host->on ? host->base_cpu_cores : 0,
                                   .memory_mib = host->on ? host->memory_mib : 0,
                                   .memory_used_mib = host->on ? host->base_memory_mib : 0};
    }
}

static void read_domains(struct ek_meter *meter, double passed_ms)
{
    for (uint32_t d = 0; d < meter->domain_count; d++) {
        struct ek_meter_domain *domain = &meter->domains[d];
        double counter = ek_sim_cluster_cpu(meter->cluster, d);
        domain->wanted = (counter - domain->cpu_core_ms) / passed_ms;
        domain->cpu_core_ms = counter;
        domain->host = ek_sim_cluster_home(meter->cluster, d);
        if (domain->host != EK_NONE) {
            struct ek_meter_host *host = &meter->hosts[domain->host];
            host->domains++;
            host->cpu_wanted += domain->wanted;
            host->memory_used_mib += meter->cluster->domains[d].rss_mib;
        }
    }
}

/* Who wants nothing misses nothing. */
static void share_shortage(struct ek_meter *meter, double passed_ms)
{
    for (size_t d = 0; d < meter->domain_count; d++) {
        struct ek_meter_domain *domain = &meter->domains[d];
        if (domain->host == EK_NONE || !(domain->wanted > 0)) {
            continue;
        }
        const struct ek_meter_host *host = &meter->hosts[domain->host];
        if (host->cpu_wanted > host->cpu_cores) {
            domain->short_ms += passed_ms * (1 - host->cpu_cores / host->cpu_wanted);
        }
    }
}

struct sums {
    double sum;
    double squares;
    double most;
};

static void add(struct sums *sums, double utilization, double wanted)
{
    sums->sum += utilization;
    sums->squares += utilization * utilization;
    sums->most = fmax(sums->most, wanted);
}

static double deviation(const struct sums *sums, uint32_t count)
{
    double mean = count > 0 ? sums->sum / count : 0;

    return count > 0 ? sqrt(fmax(0, sums->squares / count - mean * mean)) : 0;
}

static void judge(const struct ek_meter *meter, struct ek_meter_point *point)
{
    struct sums cpu = {0};
    struct sums memory = {0};

    for (size_t h = 0; h < meter->host_count; h++) {
        const struct ek_meter_host *host = &meter->hosts[h];
        if (!host->on) {
            continue;
        }
        double wanted = host->cpu_wanted / host->cpu_cores;
        double resident = host->memory_used_mib / host->memory_mib;
        add(&cpu, fmin(wanted, 1), wanted);
        add(&memory, resident, resident);
        point->on++;
        point->used += host->domains > 0 ? 1 : 0;
        point->overloaded +=
            wanted > meter->target_cpu + SLACK || resident > meter->target_memory + SLACK ? 1 : 0;
        point->full += wanted >= 1 - SLACK ? 1 : 0;
    }
    point->cpu_mean = point->on > 0 ? cpu.sum / point->on : 0;
    point->cpu_most = cpu.most;
    point->cpu_imbalance = deviation(&cpu, point->on);
    point->memory_mean = point->on > 0 ? memory.sum / point->on : 0;
    point->memory_most = memory.most;
    point->memory_imbalance = deviation(&memory, point->on);
}

void ek_meter_read(struct ek_meter *meter, struct ek_meter_point *point)
{
    double passed_ms = (double)(meter->cluster->queue->now_ms - meter->read_ms);

    assert(passed_ms > 0);
    *point =
        (struct ek_meter_point){.at_ms = meter->cluster->queue->now_ms - meter->cluster->begin_ms};
    read_hosts(meter);
    read_domains(meter, passed_ms);
    share_shortage(meter, passed_ms);
    judge(meter, point);
    meter->read_ms = meter->cluster->queue->now_ms;
}
