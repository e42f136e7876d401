/* All or nothing: a host in maintenance that cannot be emptied keeps what it has, and room is kept
 * for what cannot leave yet. The promise behind it: docs/planner.md, "Before a host is emptied". */
#include "balancer/core/planner/plan_work.h"

#include <assert.h>
#include <string.h>

/* Relaxations look at each host for each domain that is stuck: about a second. */
#define RELAX_LOOKS 4000000

/* Of hosts that take each other's room one is held by each attempt, so many times: a plan must not
 * take minutes. Then all of them are. */
enum { ONE_BY_ONE = 16 };

bool ek_plan_holds(const struct ek_plan_work *work, uint32_t host)
{
    return work->held != NULL && work->held->hosts != NULL && work->held->hosts[host];
}

/* ---- room for those that time alone keeps ---------------------------------------------------- */

/* Takes room in the model, or gives it back; loads stay as they are, for nothing runs there yet. */
static void reserve(struct ek_cluster *cluster, uint32_t domain, uint32_t host, double sign)
{
    const struct ek_domain *it = &cluster->snapshot->domains[domain];
    struct ek_host_load *load = &cluster->hosts[host];

    load->memory_mib += sign * it->memory_mib;
    load->vcpus += sign * it->vcpus;
    for (unsigned int r = EK_RESOURCE_FURTHER; r < cluster->resource_count; r++) {
        load->held[r] += sign * ek_cluster_demand(cluster, domain, (enum ek_resource)r);
    }
}

/* Whether it is to be saved or shut down, and needs no place. */
bool ek_plan_goes_nowhere(const struct ek_plan_work *work, uint32_t domain)
{
    return ek_evacuation_stops(work->out->snapshot->domains[domain].evacuation);
}

bool ek_plan_can_stop(const struct ek_plan_work *work, uint32_t domain)
{
    return ek_plan_goes_nowhere(work, domain) &&
           ek_constraint_stop(&work->cluster, work->request->cooldown, domain) == EK_BLOCK_NONE;
}

/* Its own host, unless a rule keeps it there: a rule does not end by itself. */
static uint32_t place_to_stop(const struct ek_plan_work *work, uint32_t domain)
{
    enum ek_block block = ek_constraint_stop(&work->cluster, work->request->cooldown, domain);

    return block == EK_BLOCK_IGNORED ? EK_NONE : work->cluster.host_of[domain];
}

/* Of one that cannot be stopped now. */

static bool name_person(const struct ek_plan_work *work, struct ek_unresolved *it,
                        struct ek_arena *arena, struct ek_error *err)
{
    const struct ek_domain *domain = &work->out->snapshot->domains[it->domain];
    bool save = domain->evacuation == EK_EVACUATE_SAVE;

    it->relaxation = (struct ek_relaxation){
        .host = EK_NONE,
        .text = ek_arena_printf(arena, "an operator has to %s on %s (virsh %s %s)",
                                save ? "save it" : "shut it down",
                                work->out->snapshot->hosts[it->host].name,
                                save ? "managedsave" : "shutdown", domain->name)};
    return it->relaxation.text != NULL || ek_plan_nomem(err);
}

/* The host of the model with the most room among those where nothing but what is lifted is in the
 * way; EK_NONE: none. */
static uint32_t find_place(const struct ek_plan_work *work, const struct ek_cluster *cluster,
                           uint32_t domain, uint32_t lifted)
{
    uint32_t best = EK_NONE;

    for (uint32_t h = 0; h < cluster->snapshot->host_count; h++) {
        if (ek_constraint_beyond(cluster, work->request->cooldown, domain, h,
                                 EK_PURPOSE_EVACUATE_FORCED, lifted) == EK_BLOCK_NONE &&
            (best == EK_NONE ||
             ek_constraint_memory_room(cluster, h) > ek_constraint_memory_room(cluster, best))) {
            best = h;
        }
    }
    return best;
}

/* ---- relaxations ----------------------------------------------------------------------------- */

static bool relax(const struct ek_plan_work *work, struct ek_cluster *model,
                  struct ek_unresolved *it, struct ek_arena *arena, struct ek_error *err)
{
    uint32_t kept = work->place[it->domain];

    if (work->out->snapshot->domains[it->domain].host != it->host) {
        it->relaxation = (struct ek_relaxation){
            .host = EK_NONE, .text = "an operator has to end it on one of the two hosts"};
        return true;
    }
    if (ek_plan_goes_nowhere(work, it->domain)) {
        return name_person(work, it, arena, err);
    }
    if (kept != EK_NONE) {
        reserve(model, it->domain, kept, -1);
    }
    if (!ek_relaxation_find(&it->relaxation, model, work->request->cooldown, it->domain, arena,
                            err)) {
        return false;
    }
    ek_relaxation_apply(&it->relaxation, model, it->domain);
    return true;
}

bool ek_plan_relax(struct ek_plan_work *work, struct ek_unresolved *list, size_t count,
                   struct ek_arena *arena, struct ek_error *err)
{
    struct ek_cluster model;
    uint64_t looks = RELAX_LOOKS;
    bool ok = true;

    if (count == 0) {
        return true;
    }
    if (!ek_cluster_copy(&model, &work->cluster, err)) {
        return false;
    }
    for (size_t i = 0; ok && i < count; i++) {
        ok = !ek_plan_spend(&looks, work->out->snapshot->host_count) ||
             relax(work, &model, &list[i], arena, err);
    }
    ek_cluster_finish(&model);
    return ok;
}

/* ---- hosts that nothing leaves ----------------------------------------------------------------
 */

/* Whether it is emptied as a whole or not at all. */
static bool is_whole(const struct ek_host *host)
{
    return host->maintenance && !host->partial && !host->begun;
}

/* Whether the domain stays on a host in maintenance after the moves so far. */
static bool stays(const struct ek_plan_work *work, uint32_t domain)
{
    uint32_t host = work->cluster.host_of[domain];

    return work->out->snapshot->hosts[host].maintenance && !work->cluster.in_flight[domain] &&
           !ek_plan_holds(work, host);
}

/* Keeps room for those that stay on hosts whose evacuation has begun, or on the others, and adds up
 * what has no place: MiB for each host that is emptied as a whole or not at all. */
static void keep_room(struct ek_plan_work *work, bool begun, double *unplaced_mib)
{
    const struct ek_snapshot *snapshot = work->out->snapshot;

    for (uint32_t d = 0; d < snapshot->domain_count; d++) {
        uint32_t host = work->cluster.host_of[d];
        if (!stays(work, d) || snapshot->hosts[host].begun != begun) {
            continue;
        }
        work->place[d] = ek_plan_goes_nowhere(work, d)
                             ? place_to_stop(work, d)
                             : find_place(work, &work->cluster, d, EK_PLAN_PASSING);
        if (work->place[d] != EK_NONE && work->place[d] != host) {
            reserve(&work->cluster, d, work->place[d], 1);
        } else if (work->place[d] == EK_NONE && is_whole(&snapshot->hosts[host])) {
            unplaced_mib[host] += snapshot->domains[d].memory_mib;
        }
    }
}

/* Whether the host could be emptied if no other one were: its domains take room one by one in a
 * model in which nothing has moved, which is as it was afterwards. Rules are left out, for those
 * bind groups. It only says who is asked first: making way for others is not tried. */
static bool fits_alone(const struct ek_plan_work *work, struct ek_cluster *model, uint32_t host,
                       uint32_t *place)
{
    const struct ek_snapshot *snapshot = work->out->snapshot;
    const uint32_t lifted = EK_PLAN_PASSING | 1U << EK_BLOCK_RULE;
    bool fits = true;
    uint32_t end = 0;

    for (; fits && end < snapshot->domain_count; end++) {
        bool leaves = snapshot->domains[end].host == host && !model->in_flight[end] &&
                      !ek_plan_goes_nowhere(work, end);
        place[end] = leaves ? find_place(work, model, end, lifted) : EK_NONE;
        fits = !leaves || place[end] != EK_NONE;
        if (place[end] != EK_NONE) {
            reserve(model, end, place[end], 1);
        }
    }
    for (uint32_t d = 0; d < end; d++) {
        if (place[d] != EK_NONE) {
            reserve(model, d, place[d], -1);
        }
    }
    return fits;
}

/* The host with most, the last of equal ones; EK_NONE: none has any. */
static uint32_t find_most(const double *mib, size_t hosts)
{
    uint32_t most = EK_NONE;

    for (uint32_t h = 0; h < hosts; h++) {
        if (mib[h] > 0 && (most == EK_NONE || mib[h] >= mib[most])) {
            most = h;
        }
    }
    return most;
}

/* Marks those of the hosts with some that could not be emptied alone either; true: there are some.
 * Error: NOMEM, then *ok is false. */
static bool mark_hopeless(const struct ek_plan_work *work, struct ek_plan_held *held,
                          const double *mib, bool *ok, struct ek_error *err)
{
    const struct ek_snapshot *snapshot = work->out->snapshot;
    uint32_t *place = ek_arena_alloc(&held->arena, snapshot->domain_count, sizeof(*place));
    struct ek_cluster model;
    bool found = false;

    *ok = place == NULL ? ek_plan_nomem(err)
                        : ek_cluster_copy(&model, &work->request->evaluation->cluster, err);
    if (!*ok) {
        return false;
    }
    for (uint32_t h = 0; h < snapshot->host_count; h++) {
        if (mib[h] > 0 && !fits_alone(work, &model, h, place)) {
            held->hosts[snapshot->host_count + h] = true;
            found = true;
        }
    }
    ek_cluster_finish(&model);
    return found;
}

/* Marks the host with most; all that have some, after many attempts. True: there is one. */
static bool mark_most(struct ek_plan_held *held, const double *mib, size_t hosts)
{
    uint32_t most = find_most(mib, hosts);
    bool all = held->attempts >= ONE_BY_ONE;

    for (uint32_t h = 0; h < hosts; h++) {
        held->hosts[hosts + h] = held->hosts[hosts + h] || h == most || (all && mib[h] > 0);
    }
    return most != EK_NONE;
}

/* Marks hosts that somebody cannot leave: of those that take each other's room one, for the others
 * have more then. True: there is one. Error: NOMEM, then *ok is false. */
static bool mark_stuck(const struct ek_plan_work *work, struct ek_plan_held *held,
                       const double *unplaced_mib, bool *ok, struct ek_error *err)
{
    size_t hosts = work->out->snapshot->host_count;

    *ok = true;
    if (find_most(unplaced_mib, hosts) == EK_NONE) {
        return false;
    }
    bool found = mark_hopeless(work, held, unplaced_mib, ok, err);
    return *ok && (found || mark_most(held, unplaced_mib, hosts));
}

/* Whether the domain leaves that host by the moves so far. */
static bool has_left(const struct ek_plan_work *work, uint32_t domain, uint32_t host)
{
    return work->out->snapshot->domains[domain].host == host && !work->cluster.in_flight[domain] &&
           work->cluster.host_of[domain] != host;
}

/* Takes back in the model what hosts take whose evacuation has not begun, and adds it up: MiB for
 * each of them that somebody leaves. */
static void take_back(const struct ek_plan_work *work, struct ek_cluster *model, double *taken_mib)
{
    const struct ek_snapshot *snapshot = work->out->snapshot;

    for (uint32_t d = 0; d < snapshot->domain_count; d++) {
        uint32_t host = snapshot->domains[d].host;
        if (!snapshot->hosts[host].maintenance || snapshot->hosts[host].begun) {
            continue;
        }
        bool left = has_left(work, d, host);
        uint32_t at = left ? work->cluster.host_of[d] : work->place[d];
        if (at != EK_NONE && at != host) {
            reserve(model, d, at, -1);
        }
        taken_mib[host] += left ? snapshot->domains[d].memory_mib : 0;
    }
}

/* A host whose evacuation has begun, and where somebody has no place who has one in that model;
 * EK_NONE: there is none. */
static uint32_t find_robbed(const struct ek_plan_work *work, const struct ek_cluster *model)
{
    const struct ek_snapshot *snapshot = work->out->snapshot;
    uint32_t robbed = EK_NONE;

    for (uint32_t d = 0; robbed == EK_NONE && d < snapshot->domain_count; d++) {
        uint32_t host = work->cluster.host_of[d];
        if (stays(work, d) && snapshot->hosts[host].begun && work->place[d] == EK_NONE &&
            find_place(work, model, d, EK_PLAN_PASSING) != EK_NONE) {
            robbed = host;
        }
    }
    return robbed;
}

/* Marks a host whose evacuation has not begun, and which takes room that one was promised whose
 * has. True: there is one. Error: NOMEM, then *ok is false. */
static bool mark_taker(const struct ek_plan_work *work, struct ek_plan_held *held,
                       double *taken_mib, bool *ok, struct ek_error *err)
{
    const struct ek_snapshot *snapshot = work->out->snapshot;
    struct ek_cluster model;
    bool begun = false;

    for (uint32_t h = 0; h < snapshot->host_count; h++) {
        begun = begun || snapshot->hosts[h].begun;
    }
    *ok = !begun || ek_cluster_copy(&model, &work->cluster, err);
    if (!begun || !*ok) {
        return false;
    }
    take_back(work, &model, taken_mib);
    held->robbed = find_robbed(work, &model);
    ek_cluster_finish(&model);
    return held->robbed != EK_NONE && mark_most(held, taken_mib, snapshot->host_count);
}

/* Marks the hosts that are held from now on, not yet in held->hosts, which decides who stays. */
static bool find_stuck(struct ek_plan_work *work, struct ek_plan_held *held, bool *found,
                       struct ek_error *err)
{
    size_t hosts = work->out->snapshot->host_count;
    double *mib = ek_arena_alloc(&held->arena, 2 * hosts, sizeof(*mib));
    bool ok = mib != NULL || ek_plan_nomem(err);

    *found = false;
    held->robbed = EK_NONE;
    if (!ok) {
        return false;
    }
    /* What has begun was promised its room before the others. */
    keep_room(work, true, mib);
    keep_room(work, false, mib);
    if (!work->request->as_far) {
        *found = mark_stuck(work, held, mib, &ok, err) ||
                 (ok && mark_taker(work, held, mib + hosts, &ok, err));
        held->attempts++;
    }
    return ok;
}

/* Those that would leave a host which is held for another one's sake. */
static bool keep_takers(const struct ek_plan_work *work, struct ek_plan_held *held,
                        struct ek_error *err)
{
    const struct ek_snapshot *snapshot = work->out->snapshot;

    for (uint32_t d = 0; held->robbed != EK_NONE && d < snapshot->domain_count; d++) {
        uint32_t host = snapshot->domains[d].host;
        if (!held->hosts[snapshot->host_count + host] || !has_left(work, d, host)) {
            continue;
        }
        const char *name = snapshot->hosts[held->robbed].name;
        struct ek_unresolved it = {.domain = d, .host = host, .rule = EK_NONE, .for_now = true};
        it.reason = ek_arena_printf(&held->arena,
                                    "its room is kept for %s, whose evacuation has begun", name);
        it.relaxation.host = EK_NONE;
        it.relaxation.text = ek_arena_printf(&held->arena, "the evacuation of %s has to end", name);
        if (it.reason == NULL || it.relaxation.text == NULL) {
            return ek_plan_nomem(err);
        }
        held->waits = host;
        held->stuck[held->stuck_count++] = it;
    }
    return true;
}

/* Adds those of the newly found hosts, with what holds them; the attempt's other results go. */
static bool keep_stuck(struct ek_plan_work *work, struct ek_plan_held *held, struct ek_error *err)
{
    const struct ek_snapshot *snapshot = work->out->snapshot;
    size_t first = held->stuck_count;

    for (uint32_t d = 0; d < snapshot->domain_count; d++) {
        uint32_t host = work->cluster.host_of[d];
        if (!stays(work, d) || !held->hosts[snapshot->host_count + host] ||
            ek_plan_can_stop(work, d)) {
            continue;
        }
        struct ek_unresolved it = {.domain = d, .host = host, .rule = EK_NONE};
        it.has_place = work->place[d] != EK_NONE;
        const char *reason = ek_plan_stuck_reason(work, d, &it.for_now);
        it.reason = reason == NULL ? NULL : ek_arena_strdup(&held->arena, reason);
        if (it.reason == NULL) {
            return ek_plan_nomem(err);
        }
        held->waits = it.for_now && !it.has_place ? host : held->waits;
        held->stuck[held->stuck_count++] = it;
    }
    for (size_t c = 0; c < snapshot->copy_count; c++) {
        const struct ek_copy *copy = &snapshot->copies[c];
        if (held->hosts[snapshot->host_count + copy->host]) {
            held->stuck[held->stuck_count++] =
                (struct ek_unresolved){.domain = copy->domain,
                                       .host = copy->host,
                                       .rule = EK_NONE,
                                       .for_now = true,
                                       .has_place = true,
                                       .reason = "two hosts report it as theirs"};
        }
    }
    return ek_plan_relax(work, held->stuck + first, held->stuck_count - first, &held->arena, err) &&
           keep_takers(work, held, err);
}

/* Twice the hosts: held before, and found now. */
static bool prepare(const struct ek_snapshot *snapshot, struct ek_plan_held *held,
                    struct ek_error *err)
{
    if (held->hosts != NULL) {
        return true;
    }
    held->hosts = ek_arena_alloc(&held->arena, 2 * snapshot->host_count, sizeof(*held->hosts));
    held->stuck = ek_arena_alloc(&held->arena, snapshot->domain_count + snapshot->copy_count,
                                 sizeof(*held->stuck));
    return (held->hosts != NULL && held->stuck != NULL) || ek_plan_nomem(err);
}

bool ek_plan_hold_back(struct ek_plan_work *work, struct ek_plan_held *held, bool *again,
                       struct ek_error *err)
{
    const struct ek_snapshot *snapshot = work->out->snapshot;
    bool wanted = false;

    *again = false;
    for (uint32_t h = 0; h < snapshot->host_count; h++) {
        wanted = wanted || snapshot->hosts[h].maintenance;
    }
    if (!wanted) {
        return true;
    }
    if (!prepare(snapshot, held, err)) {
        return false;
    }
    if (!find_stuck(work, held, again, err) || (*again && !keep_stuck(work, held, err))) {
        return false;
    }
    for (uint32_t h = 0; *again && h < snapshot->host_count; h++) {
        held->hosts[h] = held->hosts[h] || held->hosts[snapshot->host_count + h];
        held->hosts[snapshot->host_count + h] = false;
    }
    return true;
}
