/* A cluster in a real Redis, for tests of the operator's command.
 *
 *     cli_world DIR                      starts an embedded Redis in DIR, or
 *     cli_world SOCKET USER PASSWORD     goes to one that is there,
 *
 * says "ready", and obeys lines on standard input:
 *
 *     samples                        puts samples of h1 and h2; h3 has none
 *     history MINUTES                puts a sample of h1 and h2 for each of the last minutes
 *     crowd HOSTS DOMAINS MINUTES    puts samples of kvm0001 and so on, each with so many domains,
 *                                    and their last minutes
 *     hours COUNT                    lets h1 live through the last whole hours, six samples in each
 *     moves                          puts one running, one done, one rolled back, one unknown move
 *     balancer MODE CYCLES HOLDING   puts the status of a balancer ("-": it does not hold)
 *     empty HOST                     puts a sample of that host without domains
 *     drain HOST STATE LEFT REASON   puts the maintenance status ("-": no blocker)
 *
 * Each is answered with "ok" or a message. End of input ends it, and its own Redis. */
#include "balancer/codec/history_block.h"
#include "balancer/codec/plan.h"
#include "balancer/codec/status.h"
#include "balancer/store/embedded.h"
#include "balancer/store/store.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SKIPPED = 77, PERIOD_MS = 600000, START_MS = 10000 };

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- samples ------------------------------------------------------------------------------- */

static struct ek_domain domain_of(const char *uuid, const char *name, double cores, double used_mib)
{
    return (struct ek_domain){.uuid = uuid,
                              .name = name,
                              .vcpus = 4,
                              .memory_mib = 8192,
                              .cpu_used_cores = cores,
                              .cpu_steal = NAN,
                              .memory_used_mib = used_mib,
                              .memory_rss_mib = used_mib + 100,
                              .movable = true};
}

static bool put_samples(struct ek_store *store, struct ek_error *err)
{
    struct ek_domain on_h1[] = {
        domain_of("00000000-0000-4000-8000-000000000001", "web-1", 4, 6000),
        domain_of("00000000-0000-4000-8000-000000000002", "web-2", 4, 6000),
        domain_of("00000000-0000-4000-8000-000000000003", "db-1", 4, 7000),
    };
    struct ek_domain on_h2[] = {domain_of("00000000-0000-4000-8000-000000000004", "mail", 1, 1000)};
    struct ek_numa_cell cells[] = {{0, 8, 16384, 1024}, {1, 8, 16384, NAN}};
    struct ek_storage_pool pools[] = {{"default", "dir", "/srv/vms", NULL, 102400, 51200, 46080},
                                      {"ceph", "rbd", NULL, "vms", NAN, NAN, NAN}};
    const char *const nets[] = {"br0", "lan"};
    const char *const names[] = {"h1", "h2"};
    struct ek_domain *const domains[] = {on_h1, on_h2};
    const size_t counts[] = {3, 1};

    on_h1[1].dirty_mib_s = 12.5;
    on_h1[2].movable = false;
    on_h1[2].immovable_reason = "a host device ties it to its host";
    for (size_t h = 0; h < 2; h++) {
        const struct ek_sample sample = {.taken_at_ms = now_ms(),
                                         .period_ms = PERIOD_MS,
                                         .collector = "test:1",
                                         .host = {.name = names[h],
                                                  .cpu_cores = 16,
                                                  .memory_mib = 32768,
                                                  .cpu_used_cores = h == 0 ? 12.5 : 1.5,
                                                  .memory_used_mib = h == 0 ? 20000 : 2000,
                                                  .migration_mib_s = 110,
                                                  .hypervisor = "QEMU 7.2.22",
                                                  .networks = {nets, 2, true},
                                                  .numa_cells = {cells, 2},
                                                  .storage_pools = {pools, 2}},
                                         .domains = domains[h],
                                         .domain_count = counts[h]};
        if (!ek_store_put_sample(store, &sample, err)) {
            return false;
        }
    }
    return true;
}

/* Four domains want all of h1, and h2 is empty. */
static bool add_minute(struct ek_history_block *block, const char *host, int64_t at_ms,
                       struct ek_error *err)
{
    double cores = 3.7 + 0.1 * (double)(ek_history_block_count(block) % 3);
    struct ek_domain on_h1[] = {
        domain_of("00000000-0000-4000-8000-000000000001", "web-1", cores, 4000),
        domain_of("00000000-0000-4000-8000-000000000002", "web-2", cores, 4000),
        domain_of("00000000-0000-4000-8000-000000000003", "web-3", cores, 4000),
        domain_of("00000000-0000-4000-8000-000000000004", "web-4", cores, 4000),
    };
    bool first = strcmp(host, "h1") == 0;
    const struct ek_sample sample = {
        .taken_at_ms = at_ms,
        .period_ms = 15000,
        .collector = "test:1",
        .host = {.name = host,
                 .cpu_cores = 16,
                 .memory_mib = 65536,
                 .cpu_used_cores = first ? 4 * cores + 0.2 : 0.2,
                 .memory_used_mib = first ? 17000 : 1000,
                 .migration_mib_s = 1100},
        .domains = on_h1,
        .domain_count = first ? 4 : 0,
    };

    return ek_history_block_add(block, &sample, err);
}

static bool put_history(struct ek_store *store, long minutes, struct ek_error *err)
{
    const struct ek_history_limits limits = {.keep_ms = (int64_t)366 * 86400000,
                                             .max_bytes = 1 << 20};
    const char *const names[] = {"h1", "h2"};
    const int64_t end_ms = now_ms();
    bool done = true;

    for (size_t h = 0; done && h < 2; h++) {
        struct ek_history_block *block = ek_history_block_create();
        done = block != NULL;
        for (long i = 0; done && i < minutes; i++) {
            done = add_minute(block, names[h], end_ms - (minutes - i) * 60000, err);
        }
        done = done && ek_store_put_history(store, block, &limits, err);
        ek_history_block_destroy(block);
    }
    return done;
}

/* In each hour of a day h1 and web-1 use as many cores as its number, at its end twice as many. */
static bool live_minute(struct ek_store *store, int64_t at_ms, struct ek_error *err)
{
    const struct ek_history_limits limits = {.keep_ms = (int64_t)8 * 86400000,
                                             .max_bytes = 1 << 20};
    double cores = (double)(at_ms / 3600000 % 24) * (at_ms / 60000 % 60 == 50 ? 2 : 1);
    struct ek_domain web_1 =
        domain_of("00000000-0000-4000-8000-000000000001", "web-1", cores, 2048);
    const struct ek_sample sample = {.taken_at_ms = at_ms,
                                     .period_ms = PERIOD_MS,
                                     .collector = "test:1",
                                     .host = {.name = "h1",
                                              .cpu_cores = 64,
                                              .memory_mib = 65536,
                                              .cpu_used_cores = cores,
                                              .memory_used_mib = 4096,
                                              .migration_mib_s = 1100},
                                     .domains = &web_1,
                                     .domain_count = 1};

    struct ek_history_added added;
    return ek_store_add_history(store, &sample, &limits, &added, err);
}

/* As many samples more of the hour that has begun as make all others fold. */
static bool put_hours(struct ek_store *store, long hours, struct ek_error *err)
{
    const int64_t end_ms = now_ms() / 3600000 * 3600000;
    bool done = true;

    for (long i = 0; done && i < hours * 6; i++) {
        done = live_minute(store, end_ms - hours * 3600000 + i * 600000, err);
    }
    for (int i = 0; done && i < 16; i++) {
        done = live_minute(store, end_ms + i, err);
    }
    return done;
}

/* ---- many hosts ---------------------------------------------------------------------------- */

enum { CROWD_DOMAINS = 64, CROWD_CORES = 64, CROWD_MIB = 262144 };

/* 0..1, and the same for the same arguments. */
static double noise_of(unsigned int a, unsigned int b)
{
    uint32_t x = a * 2654435761u ^ b * 2246822519u;

    x ^= x >> 15;
    x *= 2246822519u;
    x ^= x >> 13;
    return (double)(x % 10000) / 10000;
}

/* A host whose load goes up and down over the day, a bit differently from its neighbour. */
static struct ek_sample crowd_sample(unsigned int host, unsigned int domains, int64_t at_ms,
                                     struct ek_domain *list, char (*names)[64])
{
    double minute = (double)at_ms / 60000;
    double level = 0.15 + 0.55 * noise_of(host, 1) + 0.15 * sin(minute / 37 + host);
    double used = 0;

    for (unsigned int d = 0; d < domains; d++) {
        (void)snprintf(names[2 * d], 64, "00000000-0000-4000-8000-%06x%06x", host, d);
        (void)snprintf(names[2 * d + 1], 64, "vm-%u-%u", host, d);
        double cores = level * CROWD_CORES / domains * (0.5 + noise_of(host, d + 2));
        list[d] = domain_of(names[2 * d], names[2 * d + 1], cores, 3000 + 5000 * noise_of(d, host));
        used += cores;
    }
    (void)snprintf(names[2 * domains], 64, "kvm%04u", host + 1);
    return (struct ek_sample){
        .taken_at_ms = at_ms,
        .period_ms = PERIOD_MS,
        .collector = "test:1",
        .host = {.name = names[2 * domains],
                 .cpu_cores = CROWD_CORES,
                 .memory_mib = CROWD_MIB,
                 .cpu_used_cores = used + 0.5,
                 .memory_used_mib = CROWD_MIB * (0.2 + 0.5 * noise_of(host, 99)) +
                                    CROWD_MIB * 0.05 * sin(minute / 53 + host),
                 .migration_mib_s = 1100,
                 .hypervisor = "QEMU 7.2.22"},
        .domains = list,
        .domain_count = domains};
}

static bool put_crowd_history(struct ek_store *store, unsigned int host, unsigned int domains,
                              long minutes, struct ek_error *err)
{
    const struct ek_history_limits limits = {.keep_ms = (int64_t)366 * 86400000,
                                             .max_bytes = 1 << 24};
    struct ek_domain list[CROWD_DOMAINS];
    char names[2 * CROWD_DOMAINS + 1][64];
    int64_t end_ms = now_ms();
    bool done = true;

    for (long first = 0; done && first < minutes; first += 240) {
        struct ek_history_block *block = ek_history_block_create();
        done = block != NULL;
        for (long i = first; done && i < minutes && i < first + 240; i++) {
            struct ek_sample sample =
                crowd_sample(host, domains, end_ms - (minutes - i) * 60000, list, names);
            done = ek_history_block_add(block, &sample, err);
        }
        done = done && ek_store_put_history(store, block, &limits, err);
        ek_history_block_destroy(block);
    }
    return done;
}

static bool put_crowd(struct ek_store *store, unsigned int hosts, unsigned int domains,
                      long minutes, struct ek_error *err)
{
    struct ek_domain list[CROWD_DOMAINS];
    char names[2 * CROWD_DOMAINS + 1][64];

    if (domains < 1 || domains > CROWD_DOMAINS) {
        return ek_error_set(err, EK_ERR_INVALID, "crowd: 1 to %d domains", CROWD_DOMAINS);
    }
    for (unsigned int h = 0; h < hosts; h++) {
        struct ek_sample sample = crowd_sample(h, domains, now_ms(), list, names);
        if (!ek_store_put_sample(store, &sample, err) ||
            !put_crowd_history(store, h, domains, minutes, err)) {
            return false;
        }
    }
    return true;
}

/* ---- moves --------------------------------------------------------------------------------- */

static struct ek_move_record record_of(const char *id, const char *domain, const char *name,
                                       enum ek_move_state state, int64_t epoch)
{
    int64_t start_ms = now_ms() - 3600000;
    struct ek_move_record record = {.order = {.kind = EK_MOVE_BALANCE, .seq = 1},
                                    .state = state,
                                    .attempt = 1,
                                    .epoch = epoch,
                                    .planned_at_ms = start_ms,
                                    .started_at_ms = start_ms,
                                    .updated_at_ms = start_ms + 12500,
                                    .eta_ms = -1};

    (void)snprintf(record.order.id, sizeof(record.order.id), "%s", id);
    (void)snprintf(record.order.domain, sizeof(record.order.domain), "%s", domain);
    (void)snprintf(record.order.name, sizeof(record.order.name), "%s", name);
    (void)snprintf(record.order.source, sizeof(record.order.source), "h1");
    (void)snprintf(record.order.destination, sizeof(record.order.destination), "h2");
    return record;
}

static bool put_moves(struct ek_store *store, struct ek_error *err)
{
    char holder[128];
    bool held = false;
    int64_t epoch = 0;

    if (!ek_store_lease(store, "test:1:x", 600000, &held, &epoch, holder, sizeof(holder), err)) {
        return false;
    }
    struct ek_move_record records[] = {
        record_of("p1-1", "00000000-0000-4000-8000-000000000009", "done-1", EK_MOVE_DONE, epoch),
        record_of("p1-2", "00000000-0000-4000-8000-000000000008", "back-1", EK_MOVE_ROLLED_BACK,
                  epoch),
        record_of("p1-3", "00000000-0000-4000-8000-000000000002", "web-2", EK_MOVE_UNKNOWN, epoch),
        record_of("p1-4", "00000000-0000-4000-8000-000000000001", "web-1", EK_MOVE_RUNNING, epoch),
    };
    (void)snprintf(records[0].order.plan_id, sizeof(records[0].order.plan_id), "p1");
    records[0].order.predicted_duration_ms = 10000;
    records[0].order.predicted_downtime_ms = 100;
    records[0].order.predicted_transfer_mib = 8000;
    records[0].downtime_ms = 87;
    records[0].transferred_mib = 8300;
    (void)snprintf(records[1].error, sizeof(records[1].error), "the destination said no");
    records[3].progress = 0.4;
    records[3].eta_ms = 12000;
    for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
        if (!ek_store_write_move(store, &records[i], NULL, err)) {
            return false;
        }
    }
    return true;
}

/* ---- statuses ------------------------------------------------------------------------------ */

static bool put_balancer(struct ek_store *store, const char *mode, long cycles, const char *holding,
                         struct ek_error *err)
{
    struct ek_balancer_status status = {.identity = "node1:42",
                                        .version = "0.1.0",
                                        .policy = "spread",
                                        .leading = true,
                                        .epoch = 3,
                                        .at_ms = now_ms(),
                                        .started_at_ms = now_ms() - 7260000,
                                        .cycles = cycles,
                                        .waiting = 2,
                                        .summary = "nothing to move: all is well"};

    (void)snprintf(status.mode, sizeof(status.mode), "%s", mode);
    (void)snprintf(status.holding, sizeof(status.holding), "%s",
                   strcmp(holding, "-") == 0 ? "" : holding);
    char *json = ek_codec_write_status(&status);
    bool done = json != NULL && ek_store_put_status(store, "balancer", json, 600000, err);
    free(json);
    return done;
}

/* A sample of a host without domains, taken now. */
static bool put_empty(struct ek_store *store, const char *host, struct ek_error *err)
{
    const struct ek_sample sample = {.taken_at_ms = now_ms(),
                                     .period_ms = PERIOD_MS,
                                     .collector = "test:1",
                                     .host = {.name = host,
                                              .cpu_cores = 16,
                                              .memory_mib = 32768,
                                              .cpu_used_cores = 0.1,
                                              .memory_used_mib = 1000,
                                              .migration_mib_s = 110}};

    return ek_store_put_sample(store, &sample, err);
}

/* The balancer's statuses are fenced: what writes them must hold the lease. */
static bool take_lease(struct ek_store *store, int64_t *epoch, struct ek_error *err)
{
    bool held = false;
    char holder[128];

    return ek_store_lease(store, "test:1:x", 600000, &held, epoch, holder, sizeof(holder), err) &&
           held;
}

static bool put_drain(struct ek_store *store, const char *host, const char *state, long left,
                      const char *reason, struct ek_error *err)
{
    const struct ek_blocker blocker = {
        .domain = "00000000-0000-4000-8000-000000000003", .name = "db-1", .reason = reason};
    struct ek_maintenance_status status = {.host = host,
                                           .domains_left = (uint32_t)left,
                                           .eta_ms = left > 0 ? 40000 : -1,
                                           .eta_low_ms = 30000,
                                           .eta_high_ms = 90000,
                                           .blockers = &blocker,
                                           .blocker_count = strcmp(reason, "-") == 0 ? 0 : 1};
    unsigned int at = 0;

    while (at < EK_MAINTENANCE_INFEASIBLE &&
           strcmp(ek_maintenance_state_name((enum ek_maintenance_state)at), state) != 0) {
        at++;
    }
    status.state = (enum ek_maintenance_state)at;
    char *json = ek_codec_write_maintenance(&status);
    int64_t epoch = 0;
    bool done = json != NULL && take_lease(store, &epoch, err) &&
                ek_store_put_maintenance_status(store, host, json, epoch, err);
    free(json);
    return done;
}

/* ---- lines --------------------------------------------------------------------------------- */

static bool obey(struct ek_store *store, char *line, struct ek_error *err)
{
    char name[64] = "";
    char state[64] = "";
    char reason[200] = "";
    long number = 0;

    if (strcmp(line, "samples") == 0) {
        return put_samples(store, err);
    }
    if (sscanf(line, "history %ld", &number) == 1) {
        return put_history(store, number, err);
    }
    unsigned int hosts = 0;
    unsigned int domains = 0;
    if (sscanf(line, "crowd %u %u %ld", &hosts, &domains, &number) == 3) {
        return put_crowd(store, hosts, domains, number, err);
    }
    if (sscanf(line, "hours %ld", &number) == 1) {
        return put_hours(store, number, err);
    }
    if (strcmp(line, "moves") == 0) {
        return put_moves(store, err);
    }
    if (sscanf(line, "balancer %63s %ld %199[^\n]", name, &number, reason) == 3) {
        return put_balancer(store, name, number, reason, err);
    }
    if (sscanf(line, "empty %63s", name) == 1) {
        return put_empty(store, name, err);
    }
    if (sscanf(line, "drain %63s %63s %ld %199[^\n]", name, state, &number, reason) == 4) {
        return put_drain(store, name, state, number, reason, err);
    }
    return ek_error_set(err, EK_ERR_INVALID, "what is \"%s\"?", line);
}

static int serve(struct ek_store_options options)
{
    char line[512];
    struct ek_error err;

    options.key_prefix = "evenkeel:";
    options.connect_timeout_ms = 5000;
    options.command_timeout_ms = 5000;
    struct ek_store *store = ek_store_create(&options);
    (void)puts("ready");
    (void)fflush(stdout);
    while (store != NULL && fgets(line, sizeof(line), stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        (void)puts(obey(store, line, &err) ? "ok" : err.message);
        (void)fflush(stdout);
    }
    ek_store_destroy(store);
    return EXIT_SUCCESS;
}

static int serve_embedded(const char *dir)
{
    struct ek_error err;
    char socket[128];
    struct ek_embedded *embedded = ek_embedded_start(dir, START_MS, &err);

    if (embedded == NULL) {
        (void)fprintf(stderr, "%s\n", err.message);
        return err.code == EK_ERR_NOT_FOUND ? SKIPPED : EXIT_FAILURE;
    }
    (void)ek_embedded_socket_path(dir, socket, (int)sizeof(socket), &err);
    int status = serve((struct ek_store_options){.unix_socket = socket});
    ek_embedded_destroy(embedded);
    return status;
}

int main(int argc, char **argv)
{
    if (argc == 2) {
        return serve_embedded(argv[1]);
    }
    if (argc == 4) {
        return serve((struct ek_store_options){
            .unix_socket = argv[1], .user = argv[2], .password = argv[3]});
    }
    (void)fputs("Usage: cli_world DIR | SOCKET USER PASSWORD\n", stderr);
    return EXIT_FAILURE;
}
