/* The doctor's look at all hosts: each for itself, and then each at the CPUs of the others. */
#include "collector/inspect/crew.h"
#include "collector/inspect/inspect_internal.h"
#include "collector/libvirt/connect.h"
#include "collector/libvirt/handles.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* So many ssh clients and TLS handshakes at once are no burden for the machine. */
enum { AT_ONCE = 32 };

static bool nomem(struct ek_error *err)
{
    return ek_error_set(err, EK_ERR_NOMEM, "out of memory for what is seen of the hosts");
}

static bool is_same(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool is_same_cpu(const struct ek_seen_cpu *a, const struct ek_seen_cpu *b)
{
    return is_same(a->xml, b->xml) && is_same(a->type, b->type) && is_same(a->arch, b->arch) &&
           is_same(a->machine, b->machine) && is_same(a->emulator, b->emulator);
}

/* ---- the first look: each host for itself ---------------------------------------------------- */

/* Owned by the crew: a thread that hangs in libvirt outlives the call. */
struct look {
    struct ek_inspect_order *orders;
    struct ek_inspection *seen;
    struct ek_error *errors;
    bool *ok;
    size_t count;
    int timeout_ms;
    struct ek_arena arena;
};

static void look_work(void *context, size_t job)
{
    struct look *look = context;

    look->ok[job] =
        ek_inspect_host(&look->seen[job], &look->orders[job], look->timeout_ms, &look->errors[job]);
}

static void look_release(void *context)
{
    struct look *look = context;

    for (size_t i = 0; i < look->count; i++) {
        ek_inspection_finish(&look->seen[i]); /* what was taken over is empty here */
    }
    ek_arena_finish(&look->arena);
    free(look);
}

static bool copy_order(struct ek_inspect_order *out, const struct ek_inspect_order *order,
                       struct ek_arena *arena)
{
    *out = (struct ek_inspect_order){.name = ek_arena_strdup(arena, order->name),
                                     .uri = ek_arena_strdup(arena, order->uri)};
    if (order->migration_uri != NULL) {
        out->migration_uri = ek_arena_strdup(arena, order->migration_uri);
        return out->migration_uri != NULL && out->name != NULL && out->uri != NULL;
    }
    return out->name != NULL && out->uri != NULL;
}

static struct look *look_create(const struct ek_inspect_order *orders, size_t count, int timeout_ms)
{
    struct look *look = calloc(1, sizeof(*look));

    if (look == NULL) {
        return NULL;
    }
    look->timeout_ms = timeout_ms;
    look->orders = ek_arena_alloc(&look->arena, count, sizeof(*look->orders));
    look->errors = ek_arena_alloc(&look->arena, count, sizeof(*look->errors));
    look->ok = ek_arena_alloc(&look->arena, count, sizeof(*look->ok));
    look->seen = ek_arena_alloc(&look->arena, count, sizeof(*look->seen));
    bool ok =
        look->orders != NULL && look->errors != NULL && look->ok != NULL && look->seen != NULL;
    look->count = ok ? count : 0;
    for (size_t i = 0; ok && i < count; i++) {
        ok = copy_order(&look->orders[i], &orders[i], &look->arena);
    }
    if (!ok) {
        look_release(look);
        return NULL;
    }
    return look;
}

struct gathering {
    struct ek_cluster_seen *out;
    const struct ek_inspect_order *orders;
    const struct ek_inspect_watch *watch;
    size_t done;
    struct ek_error *err;
    bool ok;
};

/* In the place of what a host that hangs would have told. */
static bool tell_hanging(struct ek_inspection *out, const struct ek_inspect_order *order)
{
    out->host = ek_arena_strdup(&out->arena, order->name);
    out->uri = ek_arena_strdup(&out->arena, order->uri);
    out->why_not =
        ek_arena_printf(&out->arena, EK_INSPECT_SILENT, order->uri, EK_INSPECT_LIMIT_MS / 1000);
    return out->host != NULL && out->uri != NULL && out->why_not != NULL;
}

static void gather(void *watcher, void *context, size_t job, bool left)
{
    struct gathering *gathering = watcher;
    struct look *look = context;
    struct ek_inspection *seen = &gathering->out->hosts[job];

    gathering->done++;
    if (left) {
        if (!tell_hanging(seen, &gathering->orders[job])) {
            gathering->ok = nomem(gathering->err);
        }
    } else if (look->ok[job]) {
        *seen = look->seen[job];
        memset(&look->seen[job], 0, sizeof(look->seen[job]));
    } else {
        *gathering->err = look->errors[job];
        gathering->ok = false;
    }
    if (gathering->watch != NULL) {
        gathering->watch->ended(gathering->watch->context, gathering->orders[job].name,
                                gathering->done, gathering->out->count);
    }
}

static bool look_at_all(struct ek_cluster_seen *out, const struct ek_inspect_order *orders,
                        int timeout_ms, const struct ek_inspect_watch *watch, struct ek_error *err)
{
    struct look *look = look_create(orders, out->count, timeout_ms);
    struct gathering gathering = {
        .out = out, .orders = orders, .watch = watch, .err = err, .ok = true};
    struct ek_crew_jobs jobs = {.count = out->count,
                                .most = AT_ONCE,
                                .limit_ms = EK_INSPECT_LIMIT_MS,
                                .context = look,
                                .work = look_work,
                                .release = look_release,
                                .ended = gather,
                                .watcher = &gathering};

    return look == NULL ? nomem(err) : ek_crew_run(&jobs, err) && gathering.ok;
}

/* ---- the second look: whose CPU each host can give ------------------------------------------- */

struct compare {
    const char **uris;
    struct ek_seen_cpu *cpus; /* copies */
    size_t cpu_count;
    enum ek_cpu_verdict *verdicts; /* by host, then by CPU */
    int timeout_ms;
    struct ek_arena arena;
};

static enum ek_cpu_verdict ask(virConnectPtr connection, const struct ek_seen_cpu *cpu)
{
    int verdict = cpu->type == NULL
                      ? virConnectCompareCPU(connection, cpu->xml, 0)
                      : virConnectCompareHypervisorCPU(connection, cpu->emulator, cpu->arch,
                                                       cpu->machine, cpu->type, cpu->xml, 0);

    return verdict == VIR_CPU_COMPARE_IDENTICAL || verdict == VIR_CPU_COMPARE_SUPERSET
               ? EK_CPU_GIVEN
           : verdict == VIR_CPU_COMPARE_INCOMPATIBLE ? EK_CPU_NOT_GIVEN
                                                     : EK_CPU_UNSEEN;
}

static void compare_work(void *context, size_t job)
{
    struct compare *compare = context;
    struct ek_error bad = {0};

    if (compare->uris[job] == NULL) {
        return;
    }
    EK_SCOPED_CONNECT virConnectPtr connection =
        ek_libvirt_open(compare->uris[job], compare->timeout_ms, &bad);
    for (size_t i = 0; connection != NULL && i < compare->cpu_count; i++) {
        compare->verdicts[job * compare->cpu_count + i] = ask(connection, &compare->cpus[i]);
    }
}

static void compare_release(void *context)
{
    struct compare *compare = context;

    ek_arena_finish(&compare->arena);
    free(compare);
}

static void gather_verdicts(void *watcher, void *context, size_t job, bool left)
{
    struct ek_cluster_seen *out = watcher;
    const struct compare *compare = context;

    for (size_t i = 0; !left && i < out->cpu_count; i++) {
        out->cpus[i].verdicts[job] = compare->verdicts[job * compare->cpu_count + i];
    }
}

static bool copy_text(const char **out, const char *text, struct ek_arena *arena)
{
    *out = text == NULL ? NULL : ek_arena_strdup(arena, text);
    return text == NULL || *out != NULL;
}

static bool copy_cpu(struct ek_seen_cpu *out, const struct ek_seen_cpu *cpu, struct ek_arena *arena)
{
    return copy_text(&out->xml, cpu->xml, arena) && copy_text(&out->type, cpu->type, arena) &&
           copy_text(&out->arch, cpu->arch, arena) &&
           copy_text(&out->machine, cpu->machine, arena) &&
           copy_text(&out->emulator, cpu->emulator, arena);
}

static struct compare *compare_create(const struct ek_cluster_seen *seen, int timeout_ms)
{
    struct compare *compare = calloc(1, sizeof(*compare));

    if (compare == NULL) {
        return NULL;
    }
    compare->cpu_count = seen->cpu_count;
    compare->timeout_ms = timeout_ms;
    compare->uris = ek_arena_alloc(&compare->arena, seen->count, sizeof(*compare->uris));
    compare->cpus = ek_arena_alloc(&compare->arena, seen->cpu_count, sizeof(*compare->cpus));
    compare->verdicts =
        ek_arena_alloc(&compare->arena, seen->count * seen->cpu_count, sizeof(*compare->verdicts));
    bool ok = compare->uris != NULL && compare->cpus != NULL && compare->verdicts != NULL;
    for (size_t i = 0; ok && i < seen->count; i++) {
        const struct ek_inspection *host = &seen->hosts[i];
        compare->uris[i] =
            host->why_not == NULL ? ek_arena_strdup(&compare->arena, host->uri) : NULL;
        ok = host->why_not != NULL || compare->uris[i] != NULL;
    }
    for (size_t i = 0; ok && i < seen->cpu_count; i++) {
        ok = copy_cpu(&compare->cpus[i], &seen->cpus[i].cpu, &compare->arena);
    }
    if (!ok) {
        compare_release(compare);
        return NULL;
    }
    return compare;
}

/* From 1; 0: not yet. */
static size_t find_cpu(const struct ek_cluster_seen *seen, const struct ek_seen_cpu *cpu)
{
    for (size_t i = 0; i < seen->cpu_count; i++) {
        if (is_same_cpu(&seen->cpus[i].cpu, cpu)) {
            return i + 1;
        }
    }
    return 0;
}

static bool list_cpu(struct ek_cluster_seen *out, struct ek_seen_cpu *cpu)
{
    cpu->number = cpu->xml == NULL ? 0 : find_cpu(out, cpu);
    if (cpu->xml == NULL || cpu->number > 0) {
        return true;
    }
    struct ek_compared_cpu *listed = &out->cpus[out->cpu_count++];
    cpu->number = out->cpu_count;
    listed->cpu = *cpu;
    listed->verdicts = ek_arena_alloc(&out->arena, out->count, sizeof(*listed->verdicts));
    return listed->verdicts != NULL;
}

/* Domains have few different ones: each is asked for once on each host. */
static bool list_cpus(struct ek_cluster_seen *out)
{
    size_t room = out->count;

    for (size_t h = 0; h < out->count; h++) {
        room += out->hosts[h].domain_count;
    }
    out->cpus = ek_arena_alloc(&out->arena, room, sizeof(*out->cpus));
    bool ok = out->cpus != NULL;
    for (size_t h = 0; ok && h < out->count; h++) {
        struct ek_inspection *host = &out->hosts[h];
        ok = list_cpu(out, &host->cpu);
        for (size_t d = 0; ok && d < host->domain_count; d++) {
            ok = list_cpu(out, &host->domains[d].cpu);
        }
    }
    return ok;
}

static bool compare_all(struct ek_cluster_seen *out, int timeout_ms, struct ek_error *err)
{
    struct compare *compare = list_cpus(out) ? compare_create(out, timeout_ms) : NULL;
    struct ek_crew_jobs jobs = {.count = out->count,
                                .most = AT_ONCE,
                                .limit_ms = EK_INSPECT_LIMIT_MS,
                                .context = compare,
                                .work = compare_work,
                                .release = compare_release,
                                .ended = gather_verdicts,
                                .watcher = out};

    return compare == NULL ? nomem(err) : ek_crew_run(&jobs, err);
}

/* ---- both ---------------------------------------------------------------------------------- */

bool ek_inspect_cluster(struct ek_cluster_seen *out, const struct ek_inspect_order *orders,
                        size_t count, int timeout_ms, const struct ek_inspect_watch *watch,
                        struct ek_error *err)
{
    *out = (struct ek_cluster_seen){.hosts = calloc(count + 1, sizeof(*out->hosts))};
    if (out->hosts == NULL) {
        return nomem(err);
    }
    out->count = count;
    bool ok = look_at_all(out, orders, timeout_ms, watch, err) && compare_all(out, timeout_ms, err);
    if (!ok) {
        ek_cluster_seen_finish(out);
    }
    return ok;
}

void ek_cluster_seen_finish(struct ek_cluster_seen *seen)
{
    for (size_t h = 0; h < seen->count; h++) {
        ek_inspection_finish(&seen->hosts[h]);
    }
    free(seen->hosts);
    ek_arena_finish(&seen->arena);
    memset(seen, 0, sizeof(*seen));
}

enum ek_cpu_verdict ek_cluster_cpu(const struct ek_cluster_seen *seen,
                                   const struct ek_seen_cpu *cpu, size_t host)
{
    return cpu->xml == NULL   ? EK_CPU_GIVEN
           : cpu->number == 0 ? EK_CPU_UNSEEN
                              : seen->cpus[cpu->number - 1].verdicts[host];
}
