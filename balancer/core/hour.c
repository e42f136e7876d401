#include "balancer/core/hour.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A host or a domain in one sample. */
struct ek_seen {
    char domain[EK_UUID_SIZE]; /* "": the host */
    double figures[EK_RESOURCE_FURTHER];
};

static bool reserve(struct ek_hour *hour, size_t count)
{
    if (count <= hour->room) {
        return true;
    }
    size_t room = count > 2 * hour->room ? count : 2 * hour->room;
    struct ek_seen *grown = realloc(hour->seen, room * sizeof(*grown));
    if (grown == NULL) {
        return false;
    }
    hour->seen = grown;
    hour->room = room;
    return true;
}

static void put(struct ek_hour *hour, const char *domain, double cores, double memory_mib)
{
    struct ek_seen *seen = &hour->seen[hour->count++];

    assert(hour->count <= hour->room);
    (void)snprintf(seen->domain, sizeof(seen->domain), "%s", domain);
    seen->figures[EK_CPU] = cores;
    seen->figures[EK_MEMORY] = memory_mib;
}

/* A copy that a migration brings does not run here yet. */
bool ek_hour_add(struct ek_hour *hour, const struct ek_sample *sample, struct ek_error *err)
{
    if (!reserve(hour, hour->count + 1 + sample->domain_count)) {
        return ek_error_set(err, EK_ERR_NOMEM, "profile of %s: out of memory", sample->host.name);
    }
    assert(hour->samples == 0 || hour->hour == ek_hour_of(sample->taken_at_ms));
    hour->hour = ek_hour_of(sample->taken_at_ms);
    hour->samples++;
    put(hour, "", sample->host.cpu_used_cores, sample->host.memory_used_mib);
    for (size_t d = 0; d < sample->domain_count; d++) {
        const struct ek_domain *domain = &sample->domains[d];
        if (!domain->incoming) {
            put(hour, domain->uuid, ek_demand_sampled(domain, EK_CPU),
                ek_demand_sampled(domain, EK_MEMORY));
        }
    }
    return true;
}

static int compare_domains(const void *a, const void *b)
{
    const struct ek_seen *left = a;
    const struct ek_seen *right = b;

    return strcmp(left->domain, right->domain);
}

static int compare_figures(const void *a, const void *b, enum ek_resource resource)
{
    double left = ((const struct ek_seen *)a)->figures[resource];
    double right = ((const struct ek_seen *)b)->figures[resource];

    return isnan(left) || isnan(right) ? isnan(left) - isnan(right)
                                       : (left > right) - (left < right);
}

static int compare_cores(const void *a, const void *b)
{
    return compare_figures(a, b, EK_CPU);
}

static int compare_memory(const void *a, const void *b)
{
    return compare_figures(a, b, EK_MEMORY);
}

/* Figures that are not known sort to the end and do not count. */
static void sum_up(struct ek_seen *seen, size_t count, enum ek_resource resource,
                   struct ek_hour_figures *out)
{
    size_t known = 0;
    double sum = 0;

    qsort(seen, count, sizeof(*seen), resource == EK_CPU ? compare_cores : compare_memory);
    for (; known < count && !isnan(seen[known].figures[resource]); known++) {
        sum += seen[known].figures[resource];
    }
    size_t rank = (known * EK_PROFILE_PERCENT + 99) / 100;
    out->mean[resource] = known == 0 ? NAN : sum / (double)known;
    out->high[resource] = known == 0 ? NAN : seen[rank - 1].figures[resource];
}

size_t ek_hour_room(const struct ek_hour *hour)
{
    return hour->count;
}

size_t ek_hour_close(struct ek_hour *hour, struct ek_hour_figures *figures)
{
    size_t count = 0;

    if (hour->count > 0) {
        qsort(hour->seen, hour->count, sizeof(*hour->seen), compare_domains);
    }
    for (size_t i = 0, next = 0; i < hour->count; i = next) {
        while (next < hour->count && strcmp(hour->seen[next].domain, hour->seen[i].domain) == 0) {
            next++;
        }
        if (2 * (next - i) >= hour->samples) {
            struct ek_hour_figures *out = &figures[count++];
            (void)snprintf(out->domain, sizeof(out->domain), "%s", hour->seen[i].domain);
            out->hour = hour->hour;
            sum_up(&hour->seen[i], next - i, EK_CPU, out);
            sum_up(&hour->seen[i], next - i, EK_MEMORY, out);
        }
    }
    assert(count <= hour->count);
    hour->count = 0;
    hour->samples = 0;
    return count;
}

void ek_hour_finish(struct ek_hour *hour)
{
    free(hour->seen);
    *hour = (struct ek_hour){.seen = NULL};
}
