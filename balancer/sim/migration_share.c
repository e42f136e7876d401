/* Who gets how much of the links: max-min fairness by progressive filling, as TCP tends to. */
#include "balancer/sim/migration_internal.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

void ek_sim_migration_advance(struct ek_sim_migrations *migrations, struct ek_sim_migration *it)
{
    int64_t now_ms = migrations->queue->now_ms;
    /* At the rate since the last look: a rate changes only in fix(), which comes here first. */
    double flowed = fmin(it->left_mib, it->rate_mib_s * (double)(now_ms - it->advanced_ms) / 1000);

    it->advanced_ms = now_ms;
    it->left_mib -= flowed;
    it->round_sent_mib += flowed;
    it->sent_mib += flowed;
    migrations->moved_mib += flowed;
}

/* The switchover sends the last pages over the same link. */
static bool transfers(const struct ek_sim_migration *it)
{
    return it->phase == EK_SIM_PHASE_COPY || it->phase == EK_SIM_PHASE_SWITCHOVER;
}

/* Scratch for the hosts' links, which are few beside the domains. */
static bool reserve(struct ek_sim_migrations *migrations)
{
    size_t hosts = migrations->cluster->host_count;

    if (hosts <= migrations->share_room) {
        return true;
    }
    free(migrations->out_left);
    free(migrations->in_left);
    free(migrations->out_count);
    free(migrations->in_count);
    migrations->out_left = calloc(hosts, sizeof(double));
    migrations->in_left = calloc(hosts, sizeof(double));
    migrations->out_count = calloc(hosts, sizeof(uint32_t));
    migrations->in_count = calloc(hosts, sizeof(uint32_t));
    bool ok = migrations->out_left != NULL && migrations->in_left != NULL &&
              migrations->out_count != NULL && migrations->in_count != NULL;
    migrations->share_room = ok ? hosts : 0;
    return ok;
}

/* A link that is cut has no bytes; the migration waits on it and does not fail by itself. */
static double capacity(const struct ek_sim_host *host, double mib_s)
{
    return host->on && host->data_link ? mib_s : 0;
}

/* The links of all that takes part, and how many share each. */
static void open_links(struct ek_sim_migrations *migrations)
{
    const struct ek_sim_host *hosts = migrations->cluster->hosts;

    for (size_t i = 0; i < migrations->count; i++) {
        const struct ek_sim_migration_request *request = &migrations->items[i].request;
        if (transfers(&migrations->items[i])) {
            /* Only the links that take part are reset: in a big cluster few do. */
            migrations->out_count[request->source] = 0;
            migrations->in_count[request->destination] = 0;
        }
    }
    for (size_t i = 0; i < migrations->count; i++) {
        const struct ek_sim_migration_request *request = &migrations->items[i].request;
        const struct ek_sim_host *source = &hosts[request->source];
        const struct ek_sim_host *destination = &hosts[request->destination];
        if (transfers(&migrations->items[i])) {
            migrations->out_count[request->source]++;
            migrations->in_count[request->destination]++;
            migrations->out_left[request->source] = capacity(source, source->link_out_mib_s);
            migrations->in_left[request->destination] =
                capacity(destination, destination->link_in_mib_s);
        }
    }
}

/* What this one could have if its links were divided evenly among those that are left. */
static double fair_rate(const struct ek_sim_migrations *migrations,
                        const struct ek_sim_migration *it)
{
    uint32_t source = it->request.source;
    uint32_t destination = it->request.destination;
    double rate = fmin(migrations->out_left[source] / migrations->out_count[source],
                       migrations->in_left[destination] / migrations->in_count[destination]);

    return it->request.bandwidth_mib_s > 0 ? fmin(rate, it->request.bandwidth_mib_s) : rate;
}

static void fix(struct ek_sim_migrations *migrations, uint32_t index, double rate)
{
    struct ek_sim_migration *it = &migrations->items[index];
    uint32_t source = it->request.source;
    uint32_t destination = it->request.destination;
    /* An unchanged rate keeps its next event, so that nothing is scheduled anew for nothing. */
    bool changed = fabs(rate - it->rate_mib_s) > 1e-9;

    migrations->out_left[source] = fmax(0, migrations->out_left[source] - rate);
    migrations->in_left[destination] = fmax(0, migrations->in_left[destination] - rate);
    migrations->out_count[source]--;
    migrations->in_count[destination]--;
    if (changed) {
        ek_sim_migration_advance(migrations, it);
        it->rate_mib_s = rate;
        ek_sim_migration_schedule(migrations, index);
    }
}

/* The one with the least to hope for gets it; the others share what is left. O(n^2) of those that
 * run at once, which the limits keep few. */
void ek_sim_migrations_share(struct ek_sim_migrations *migrations)
{
    uint32_t left = 0;

    if (!reserve(migrations)) {
        migrations->queue->lost = true;
        return;
    }
    open_links(migrations);
    for (size_t i = 0; i < migrations->count; i++) {
        migrations->items[i].shared = !transfers(&migrations->items[i]);
        left += migrations->items[i].shared ? 0 : 1;
    }
    for (; left > 0; left--) {
        uint32_t least = 0;
        double least_rate = DBL_MAX;
        for (uint32_t i = 0; i < migrations->count; i++) {
            if (!migrations->items[i].shared) {
                double rate = fair_rate(migrations, &migrations->items[i]);
                least = rate < least_rate ? i : least;
                least_rate = fmin(rate, least_rate);
            }
        }
        migrations->items[least].shared = true;
        fix(migrations, least, least_rate);
    }
}
