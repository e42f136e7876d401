/* lab_sample NAME URI [NAME URI ...] [--ticks N] [--period-ms P]: samples of real hosts as lines.
 *
 * Runs the pool over libvirt until every host was reported N times (default 5, every 2000 ms), then
 * prints what that cost. For proofs by hand, and for scripts that want to see what the collector
 * sees. */
#include "balancer/core/snapshot.h"
#include "collector/clock.h"
#include "collector/libvirt/events.h"
#include "collector/libvirt/libvirt.h"
#include "collector/pool/pool.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { MAX_HOSTS = 64 };

struct run {
    struct ek_collector_host hosts[MAX_HOSTS];
    const char *names[MAX_HOSTS];
    size_t host_count;
    long ticks;
    long period_ms;
    int64_t start_ns;

    pthread_mutex_t lock;
    pthread_cond_t reported;
    long left[MAX_HOSTS];
    double first_cpu_s; /* after every host's first tick: connecting is not sampling */
    int64_t first_ns;
};

static double cpu_seconds(void)
{
    struct rusage usage;

    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void print_domain(const struct ek_domain *domain)
{
    (void)printf(
        "    %-10s vcpus %g memory %.0f cpu %.3f steal %.3f used %.1f rss %.1f disk %.1f%s%s%s",
        domain->name, domain->vcpus, domain->memory_mib, domain->cpu_used_cores, domain->cpu_steal,
        domain->memory_used_mib, domain->memory_rss_mib, domain->local_disk_mib,
        domain->paused ? " paused" : "", domain->movable ? "" : " immovable: ",
        domain->immovable_reason != NULL ? domain->immovable_reason : "");
    for (size_t i = 0; i < domain->networks.count; i++) {
        (void)printf(" net:%s", domain->networks.items[i]);
    }
    for (size_t i = 0; i < domain->storages.count; i++) {
        (void)printf(" pool:%s", domain->storages.items[i]);
    }
    for (size_t i = 0; i < domain->labels.count; i++) {
        (void)printf(" %s=%s", domain->labels.items[i].key, domain->labels.items[i].value);
    }
    (void)printf(" %s\n", domain->machine != NULL ? domain->machine : "-");
}

static void print_sample(const struct ek_sample *sample)
{
    const struct ek_host *host = &sample->host;

    (void)printf("%s cores %g used %.3f memory %.0f used %.1f %s %s %s", host->name,
                 host->cpu_cores, host->cpu_used_cores, host->memory_mib, host->memory_used_mib,
                 host->hypervisor, host->cpu_model != NULL ? host->cpu_model : "-", host->uuid);
    for (size_t i = 0; i < host->networks.count; i++) {
        (void)printf(" net:%s", host->networks.items[i]);
    }
    for (size_t i = 0; i < host->storages.count; i++) {
        (void)printf(" pool:%s", host->storages.items[i]);
    }
    (void)printf("\n");
    for (size_t i = 0; i < sample->domain_count; i++) {
        print_domain(&sample->domains[i]);
    }
}

static void report(void *context, size_t index, struct ek_sample *sample,
                   const struct ek_error *err)
{
    struct run *run = context;
    bool all_began = true;

    (void)pthread_mutex_lock(&run->lock);
    (void)printf("%7.2f ", (double)(ek_monotonic_ns() - run->start_ns) / 1e9);
    if (sample != NULL) {
        print_sample(sample);
    } else {
        (void)printf("%s error (%s): %s\n", run->names[index], ek_error_text(err->code),
                     err->message);
    }
    (void)fflush(stdout);
    run->left[index]--;
    for (size_t i = 0; i < run->host_count; i++) {
        all_began = all_began && run->left[i] < run->ticks;
    }
    if (all_began && run->first_ns == 0) {
        run->first_ns = ek_monotonic_ns();
        run->first_cpu_s = cpu_seconds();
    }
    (void)pthread_cond_broadcast(&run->reported);
    (void)pthread_mutex_unlock(&run->lock);
}

static bool parse_arguments(struct run *run, int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--ticks") == 0) {
            run->ticks = strtol(argv[i + 1], NULL, 10);
        } else if (strcmp(argv[i], "--period-ms") == 0) {
            run->period_ms = strtol(argv[i + 1], NULL, 10);
        } else if (run->host_count < MAX_HOSTS) {
            run->names[run->host_count] = argv[i];
            run->hosts[run->host_count++] =
                (struct ek_collector_host){.name = argv[i], .uri = argv[i + 1]};
        }
    }
    return argc % 2 == 1 && run->host_count > 0 && run->ticks > 0 && run->period_ms > 0;
}

static void print_cost(const struct run *run)
{
    char line[256];
    FILE *status = fopen("/proc/self/status", "r");
    double cpu_s = cpu_seconds() - run->first_cpu_s;
    double elapsed_s = (double)(ek_monotonic_ns() - run->first_ns) / 1e9;

    (void)printf("cost: %.4f CPU seconds in %.2f s: %.3f %% of a core, %.2f ms per host and tick\n",
                 cpu_s, elapsed_s, 100.0 * cpu_s / elapsed_s,
                 1e3 * cpu_s / (double)(run->ticks - 1) / (double)run->host_count);
    while (status != NULL && fgets(line, sizeof(line), status) != NULL) {
        if (strncmp(line, "RssAnon", 7) == 0 || strncmp(line, "VmRSS", 5) == 0 ||
            strncmp(line, "Threads", 7) == 0) {
            (void)printf("cost: %s", line);
        }
    }
    if (status != NULL) {
        (void)fclose(status);
    }
}

static void warn(void *context, const struct ek_error *err)
{
    (void)context;
    (void)fprintf(stderr, "lab_sample: %s\n", err->message);
}

static void wait_for_all(struct run *run)
{
    (void)pthread_mutex_lock(&run->lock);
    for (size_t i = 0; i < run->host_count; i++) {
        while (run->left[i] > 0) {
            (void)pthread_cond_wait(&run->reported, &run->lock);
        }
    }
    (void)pthread_mutex_unlock(&run->lock);
}

static int sample_hosts(struct run *run)
{
    struct ek_error err = {0};
    struct ek_collector_config collecting = {
        .hosts = run->hosts, .host_count = run->host_count, .connect_timeout_ms = 2000};
    struct ek_collector *collector = ek_collector_create(&collecting, &err);

    if (collector == NULL) {
        (void)fprintf(stderr, "lab_sample: %s\n", err.message);
        return 1;
    }
    struct ek_pool_config config = {.port = ek_collector_port(collector),
                                    .hosts = run->names,
                                    .host_count = run->host_count,
                                    .collector = "lab_sample",
                                    .period_ms = run->period_ms,
                                    .deadline_ms = 2 * run->period_ms,
                                    .backoff_max_ms = 4 * run->period_ms,
                                    .max_workers = 4,
                                    .result = report,
                                    .warn = warn,
                                    .context = run,
                                    .release = ek_collector_destroy};
    struct ek_pool *pool = ek_pool_create(&config, &err);
    if (pool == NULL) {
        (void)fprintf(stderr, "lab_sample: %s\n", err.message);
        ek_collector_destroy(collector);
        return 1;
    }
    wait_for_all(run);
    print_cost(run);
    bool ended = ek_pool_stop(pool, 5000);
    ek_pool_destroy(pool);
    if (ended) {
        ek_libvirt_events_stop();
    }
    return 0;
}

int main(int argc, char **argv)
{
    static struct run run = {.ticks = 5,
                             .period_ms = 2000,
                             .lock = PTHREAD_MUTEX_INITIALIZER,
                             .reported = PTHREAD_COND_INITIALIZER};

    if (!parse_arguments(&run, argc, argv)) {
        (void)fprintf(stderr,
                      "usage: lab_sample NAME URI [NAME URI ...] [--ticks N] [--period-ms P]\n");
        return 2;
    }
    run.start_ns = ek_monotonic_ns();
    for (size_t i = 0; i < run.host_count; i++) {
        run.left[i] = run.ticks;
    }
    return sample_hosts(&run);
}
