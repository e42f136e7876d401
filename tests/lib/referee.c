#include "tests/lib/referee.h"

#include "tests/lib/cluster_text.h"
#include "tests/lib/cmocka.h"
#include "tests/lib/referee_rules.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* One case before the referee. `place` and `in_flight` are per domain. */
struct trial {
    const struct ek_snapshot *snapshot;
    const struct ek_plan *plan;
    const struct ek_schedule *schedule;
    const struct ek_policy *policy;
    struct ek_text *complaints;
    struct ek_referee_rules *rules;
    uint32_t *place;
    bool *in_flight;
    bool *moved;
};

static double labelled(const struct ek_labels *labels, const char *key)
{
    for (size_t i = 0; i < labels->count; i++) {
        if (strcmp(labels->items[i].key, key) == 0) {
            return strtod(labels->items[i].value, NULL);
        }
    }
    return 0;
}

/* Of a further resource the snapshot's own figure counts, else the label. */
static double capacity(const struct ek_host *host, const struct ek_policy *policy,
                       unsigned int resource)
{
    const char *name = policy->resources.names[resource];

    for (size_t i = 0; i < host->resources.count; i++) {
        if (strcmp(host->resources.items[i].name, name) == 0) {
            return host->resources.items[i].capacity;
        }
    }
    if (resource > EK_MEMORY) {
        return labelled(&host->labels, name);
    }
    return resource == EK_CPU ? host->cpu_cores : host->memory_mib;
}

static double host_use(const struct ek_host *host, const struct ek_policy *policy,
                       unsigned int resource)
{
    for (size_t i = 0; i < host->resources.count; i++) {
        if (strcmp(host->resources.items[i].name, policy->resources.names[resource]) == 0) {
            return host->resources.items[i].used;
        }
    }
    if (resource > EK_MEMORY) {
        return NAN;
    }
    return resource == EK_CPU ? host->cpu_used_cores : host->memory_used_mib;
}

/* What was sampled of CPU and memory; NAN: nothing. */
static double sampled(const struct ek_domain *domain, unsigned int resource)
{
    if (resource == EK_CPU) {
        return domain->cpu_used_cores;
    }
    if (isnan(domain->memory_used_mib) || isnan(domain->memory_rss_mib)) {
        return isnan(domain->memory_used_mib) ? domain->memory_rss_mib : domain->memory_used_mib;
    }
    return domain->memory_used_mib > domain->memory_rss_mib ? domain->memory_used_mib
                                                            : domain->memory_rss_mib;
}

static double expected(const struct ek_domain *domain, unsigned int resource)
{
    const struct ek_outlook *outlook =
        resource == EK_CPU ? &domain->cpu_outlook : &domain->memory_outlook;

    if (outlook->known) {
        return outlook->demand;
    }
    return resource == EK_CPU ? domain->vcpus : domain->memory_mib;
}

/* Part of its host's use. */
static double use(const struct ek_domain *domain, const struct ek_policy *policy,
                  unsigned int resource)
{
    for (size_t i = 0; i < domain->resources.count; i++) {
        if (strcmp(domain->resources.items[i].name, policy->resources.names[resource]) == 0) {
            return domain->resources.items[i].used;
        }
    }
    if (resource > EK_MEMORY) {
        return labelled(&domain->labels, policy->resources.names[resource]);
    }
    double used = sampled(domain, resource);
    return isnan(used) ? expected(domain, resource) : used;
}

/* What it will need where it goes: what is expected of it, else its use and the time it waited. */
static double demand(const struct ek_domain *domain, const struct ek_policy *policy,
                     unsigned int resource)
{
    double used = use(domain, policy, resource);

    if (resource > EK_MEMORY) {
        return used;
    }
    if (resource == EK_CPU ? domain->cpu_outlook.known : domain->memory_outlook.known) {
        return expected(domain, resource);
    }
    if (resource == EK_MEMORY || !(domain->cpu_steal > 0)) {
        return used;
    }
    double whole = used + domain->cpu_steal * domain->vcpus;
    return used > domain->vcpus ? used : whole < domain->vcpus ? whole : domain->vcpus;
}

/* What the host itself uses, from the figures that were measured with every domain at home. */
static double base(const struct ek_snapshot *snapshot, const struct ek_policy *policy,
                   uint32_t host, unsigned int resource)
{
    double used = host_use(&snapshot->hosts[host], policy, resource);
    double domains = 0;

    for (size_t d = 0; d < snapshot->domain_count; d++) {
        domains +=
            snapshot->domains[d].host == host ? use(&snapshot->domains[d], policy, resource) : 0;
    }
    return isnan(used) || used < domains ? 0 : used - domains;
}

static double utilization(const struct ek_snapshot *snapshot, const struct ek_policy *policy,
                          const uint32_t *place, uint32_t host, unsigned int resource)
{
    double load = base(snapshot, policy, host, resource);
    double size = capacity(&snapshot->hosts[host], policy, resource);

    for (size_t d = 0; d < snapshot->domain_count; d++) {
        load += place[d] == host ? demand(&snapshot->domains[d], policy, resource) : 0;
    }
    return size > 0 ? load / size : 0;
}

static bool counts(const struct ek_snapshot *snapshot, const struct ek_policy *policy,
                   uint32_t host)
{
    return snapshot->hosts[host].state == EK_HOST_UP && !snapshot->hosts[host].maintenance &&
           !ek_referee_host_ignored(snapshot, policy, host);
}

/* Two passes: the mean first, then the deviations. */
static double deviation(const double *values, size_t count)
{
    double mean = 0;
    double sum = 0;

    for (size_t i = 0; i < count; i++) {
        mean += values[i] / (double)count;
    }
    for (size_t i = 0; i < count; i++) {
        sum += (values[i] - mean) * (values[i] - mean) / (double)count;
    }
    return sqrt(sum);
}

struct ek_referee_levels ek_referee_levels(const struct ek_snapshot *snapshot,
                                           const struct ek_policy *policy, const uint32_t *place)
{
    struct ek_referee_levels levels = {.overload = 0};
    double *values = calloc(snapshot->host_count + 1, sizeof(*values));
    double weighted = 0;
    double weights = 0;

    assert_non_null(values);
    for (unsigned int r = 0; r < policy->resources.count; r++) {
        size_t count = 0;
        for (uint32_t h = 0; h < snapshot->host_count; h++) {
            if (counts(snapshot, policy, h) && capacity(&snapshot->hosts[h], policy, r) > 0) {
                double u = utilization(snapshot, policy, place, h, r);
                values[count++] = u;
                levels.overload += u > policy->target_max[r] ? u - policy->target_max[r] : 0;
            }
        }
        levels.imbalance[r] = deviation(values, count);
        weighted += policy->weight[r] * levels.imbalance[r] * levels.imbalance[r];
        weights += policy->weight[r];
    }
    levels.spread = weights > 0 ? sqrt(weighted / weights) : 0;
    free(values);
    return levels;
}

#define COMPLAIN(trial, ...) ek_text_add((trial)->complaints, __VA_ARGS__)

/* ---- one move ------------------------------------------------------------------------------- */

static bool offers(const struct ek_strings *needed, const struct ek_strings *offered)
{
    for (size_t i = 0; offered->given && i < needed->count; i++) {
        bool found = false;
        for (size_t j = 0; j < offered->count; j++) {
            found = found || strcmp(needed->items[i], offered->items[j]) == 0;
        }
        if (!found) {
            return false;
        }
    }
    return true;
}

static bool host_admits(const struct trial *trial, uint32_t domain, uint32_t host)
{
    const struct ek_host *it = &trial->snapshot->hosts[host];
    const struct ek_domain *guest = &trial->snapshot->domains[domain];

    for (size_t f = 0; f < trial->snapshot->in_flight_count; f++) {
        const struct ek_in_flight *flight = &trial->snapshot->in_flight[f];
        if (flight->domain == EK_NONE && flight->destination == host) {
            return false;
        }
    }
    bool models = it->cpu_model == NULL || guest->cpu_model == NULL ||
                  strcmp(it->cpu_model, guest->cpu_model) == 0;
    return counts(trial->snapshot, trial->policy, host) && models &&
           offers(&guest->networks, &it->networks) && offers(&guest->storages, &it->storages);
}

static bool may_leave(const struct trial *trial, uint32_t domain)
{
    const struct ek_domain *guest = &trial->snapshot->domains[domain];

    bool alone = !trial->snapshot->hosts[guest->host].maintenance &&
                 ek_referee_host_ignored(trial->snapshot, trial->policy, guest->host);

    return !alone && guest->movable && guest->devices.count == 0 &&
           !ek_referee_rules_ignored(trial->rules, domain) && !trial->in_flight[domain] &&
           trial->snapshot->hosts[guest->host].state == EK_HOST_UP;
}

/* Configured memory and vCPUs on the host when all of `place` is there; in-flight ones at both
 * ends. */
static void allocated(const struct trial *trial, uint32_t host, double *memory, double *vcpus)
{
    const struct ek_snapshot *snapshot = trial->snapshot;

    *memory = 0;
    *vcpus = 0;
    for (size_t d = 0; d < snapshot->domain_count; d++) {
        bool there = trial->place[d] == host;
        for (size_t f = 0; f < snapshot->in_flight_count; f++) {
            there = there || (snapshot->in_flight[f].domain == d &&
                              (snapshot->in_flight[f].source == host ||
                               snapshot->in_flight[f].destination == host));
        }
        *memory += there ? snapshot->domains[d].memory_mib : 0;
        *vcpus += there ? snapshot->domains[d].vcpus : 0;
    }
}

static bool fits(const struct trial *trial, uint32_t host, double memory, double vcpus)
{
    const struct ek_host *it = &trial->snapshot->hosts[host];
    const struct ek_policy *policy = trial->policy;

    return memory <=
               it->memory_mib * (1 - policy->memory_reserve) * policy->memory_overcommit + 0.01 &&
           vcpus <= it->cpu_cores * policy->cpu_overcommit + 0.01;
}

/* With the domain already placed there. */
static bool within_capacity(const struct trial *trial, uint32_t host)
{
    double memory = 0;
    double vcpus = 0;

    allocated(trial, host, &memory, &vcpus);
    return fits(trial, host, memory, vcpus);
}

/* What the domain needs beside CPU and memory, the host has enough of. */
static bool has_enough(const struct trial *trial, uint32_t domain, uint32_t host)
{
    for (unsigned int r = EK_RESOURCE_FURTHER; r < trial->policy->resources.count; r++) {
        double needed = demand(&trial->snapshot->domains[domain], trial->policy, r);
        bool none = !(capacity(&trial->snapshot->hosts[host], trial->policy, r) > 0);
        double full = utilization(trial->snapshot, trial->policy, trial->place, host, r);
        if (needed > 0 && (none || full > 1 + 1e-6)) {
            return false;
        }
    }
    return true;
}

static void judge_move(struct trial *trial, const struct ek_plan_move *move)
{
    const char *name = trial->snapshot->domains[move->domain].name;

    /* A parked domain has its last move still before it. */
    if (trial->moved[move->domain] || !may_leave(trial, move->domain)) {
        COMPLAIN(trial, "%s may not move\n", name);
    }
    if (trial->place[move->domain] != move->source || move->source == move->destination) {
        COMPLAIN(trial, "%s is not on its source\n", name);
    }
    if (!host_admits(trial, move->domain, move->destination)) {
        COMPLAIN(trial, "%s may not be on its destination\n", name);
    }
    trial->moved[move->domain] = move->kind != EK_MOVE_PARK;
    trial->place[move->domain] = move->destination;
    if (!within_capacity(trial, move->destination) ||
        !has_enough(trial, move->domain, move->destination)) {
        COMPLAIN(trial, "%s finds no room\n", name);
    }
    for (unsigned int r = 0; move->kind == EK_MOVE_BALANCE && r < trial->policy->resources.count;
         r++) {
        if (utilization(trial->snapshot, trial->policy, trial->place, move->destination, r) >
            trial->policy->target_max[r] + 1e-6) {
            COMPLAIN(trial, "%s lifts its destination above its target\n", name);
        }
    }
}

/* ---- the plan ------------------------------------------------------------------------------- */

/* Whether nothing may leave it, since somebody cannot: it is to be emptied as a whole. */
static bool is_held(const struct trial *trial, uint32_t host)
{
    const struct ek_host *it = &trial->snapshot->hosts[host];
    bool stuck = false;

    for (size_t i = 0; i < trial->plan->unresolved_count; i++) {
        const struct ek_unresolved *entry = &trial->plan->unresolved[i];
        stuck = stuck || (entry->host == host && entry->rule == EK_NONE && !entry->withheld &&
                          !entry->has_place);
    }
    return it->maintenance && !it->partial && !it->begun && stuck;
}

/* All or nothing. */
static void judge_held(struct trial *trial)
{
    const struct ek_plan *plan = trial->plan;

    for (size_t i = 0; i < plan->move_count; i++) {
        if (is_held(trial, plan->moves[i].source)) {
            COMPLAIN(trial, "%s leaves a host that cannot be emptied\n",
                     trial->snapshot->domains[plan->moves[i].domain].name);
        }
    }
    for (size_t i = 0; i < plan->unresolved_count; i++) {
        if (plan->unresolved[i].withheld && !is_held(trial, plan->unresolved[i].host)) {
            COMPLAIN(trial, "%s stays for nobody's sake\n",
                     trial->snapshot->domains[plan->unresolved[i].domain].name);
        }
    }
}

/* Whether the plan says that it is saved or shut down, as its metadata ask for, and nothing else.
 */
static bool is_stopped(struct trial *trial, uint32_t domain)
{
    enum ek_evacuation asked = trial->snapshot->domains[domain].evacuation;

    for (size_t i = 0; i < trial->plan->stop_count; i++) {
        const struct ek_plan_stop *stop = &trial->plan->stops[i];
        if (stop->domain == domain) {
            return asked == (stop->kind == EK_MOVE_SAVE ? EK_EVACUATE_SAVE : EK_EVACUATE_SHUTDOWN);
        }
    }
    return false;
}

static void judge_left(struct trial *trial, uint32_t domain)
{
    bool said = false;
    uint32_t home = trial->place[domain];

    if (is_stopped(trial, domain)) {
        return;
    }

    for (size_t i = 0; i < trial->plan->unresolved_count; i++) {
        said = said || trial->plan->unresolved[i].domain == domain;
    }
    if (!said) {
        COMPLAIN(trial, "%s stays in maintenance without a word\n",
                 trial->snapshot->domains[domain].name);
    }
    bool free = may_leave(trial, domain) && !is_held(trial, home);
    for (uint32_t h = 0; free && h < trial->snapshot->host_count; h++) {
        trial->place[domain] = home;
        if (!ek_referee_rules_allow(trial->rules, trial->place, domain, h)) {
            continue;
        }
        trial->place[domain] = h;
        if (h != home && host_admits(trial, domain, h) && within_capacity(trial, h) &&
            has_enough(trial, domain, h)) {
            COMPLAIN(trial, "%s could go to %s and stays in maintenance\n",
                     trial->snapshot->domains[domain].name, trial->snapshot->hosts[h].name);
        }
    }
    trial->place[domain] = home;
}

static void judge_levels(struct trial *trial, const struct ek_referee_levels *levels,
                         const struct ek_levels *said, const char *when)
{
    for (unsigned int r = 0; r < trial->policy->resources.count; r++) {
        if (fabs(levels->imbalance[r] - said->imbalance[r]) > 1e-7) {
            COMPLAIN(trial, "imbalance %s is %.9f, not %.9f\n", when, levels->imbalance[r],
                     said->imbalance[r]);
        }
    }
    if (fabs(levels->overload - said->score.overload) > 1e-7) {
        COMPLAIN(trial, "overload %s is %.9f, not %.9f\n", when, levels->overload,
                 said->score.overload);
    }
}

/* Broken must rules, and hosts above a target. */
static uint32_t violations_of(const struct trial *trial)
{
    uint32_t found = ek_referee_rules_broken(trial->rules, trial->place);

    for (uint32_t h = 0; h < trial->snapshot->host_count; h++) {
        for (unsigned int r = 0;
             counts(trial->snapshot, trial->policy, h) && r < trial->policy->resources.count; r++) {
            found += utilization(trial->snapshot, trial->policy, trial->place, h, r) >
                             trial->policy->target_max[r] + 1e-9
                         ? 1
                         : 0;
        }
    }
    return found;
}

/* A parked domain is moved for whatever its last move is for. */
static bool balances(const struct ek_plan *plan, size_t move)
{
    size_t last = move;

    for (size_t i = move + 1; i < plan->move_count; i++) {
        last = plan->moves[i].domain == plan->moves[move].domain ? i : last;
    }
    return plan->moves[last].kind == EK_MOVE_BALANCE;
}

/* Judges the moves from *next on that are for balance or are not; levels after them. */
static struct ek_referee_levels judge_moves(struct trial *trial, size_t *next, bool balance)
{
    const struct ek_plan *plan = trial->plan;

    while (*next < plan->move_count && balances(plan, *next) == balance) {
        judge_move(trial, &plan->moves[(*next)++]);
    }
    return ek_referee_levels(trial->snapshot, trial->policy, trial->place);
}

/* Evacuations and must rules come first, then balance, then evacuations and rules once more. */
static void judge_plan(struct trial *trial)
{
    size_t next = 0;
    struct ek_referee_levels before =
        ek_referee_levels(trial->snapshot, trial->policy, trial->place);
    uint32_t violations = violations_of(trial);
    uint32_t broken = ek_referee_rules_broken(trial->rules, trial->place);
    struct ek_referee_levels emptied = judge_moves(trial, &next, false);
    struct ek_referee_levels level = judge_moves(trial, &next, true);
    struct ek_referee_levels after = judge_moves(trial, &next, false);

    if (ek_referee_rules_broken(trial->rules, trial->place) > broken) {
        COMPLAIN(trial, "more rules are broken in the end\n");
    }
    if (next != trial->plan->move_count) {
        struct ek_text moves = {.used = 0};
        ek_test_print_moves(trial->plan, &moves);
        COMPLAIN(trial, "the order of phases is not kept:\n%s", moves.text);
    }
    judge_levels(trial, &before, &trial->plan->before, "before");
    if (violations != trial->plan->before.violations ||
        violations_of(trial) != trial->plan->after.violations) {
        COMPLAIN(trial, "violations are %u and %u\n", violations, violations_of(trial));
    }
    judge_levels(trial, &after, &trial->plan->after, "after");
    if (level.overload > emptied.overload + 1e-6 ||
        (trial->policy->kind == EK_POLICY_SPREAD && level.overload > emptied.overload - 1e-9 &&
         level.spread > emptied.spread + 1e-9)) {
        COMPLAIN(trial, "balancing made it worse\n");
    }
    judge_held(trial);
    for (uint32_t d = 0; d < trial->snapshot->domain_count; d++) {
        if (trial->snapshot->hosts[trial->place[d]].maintenance && !trial->in_flight[d]) {
            judge_left(trial, d);
        }
    }
}

/* ---- the schedule --------------------------------------------------------------------------- */

static int64_t end_of(const struct ek_slot *slot)
{
    return slot->start_ms + slot->duration_ms;
}

/* Whether the move occupies both hosts at the instant; at one instant ends come before starts. */
static bool runs(const struct ek_slot *slot, int64_t at_ms)
{
    return slot->start_ms <= at_ms && at_ms < end_of(slot);
}

/* Whether everything that stands or arrives on the host at that instant, and so much more, fits. */
static bool has_room(struct trial *trial, uint32_t host, int64_t at_ms, double memory, double vcpus)
{
    const struct ek_plan *plan = trial->plan;
    double there_memory = 0;
    double there_vcpus = 0;

    for (size_t d = 0; d < trial->snapshot->domain_count; d++) {
        trial->place[d] = trial->snapshot->domains[d].host;
    }
    for (size_t i = 0; i < plan->move_count; i++) {
        if (end_of(&trial->schedule->slots[i]) <= at_ms) {
            trial->place[plan->moves[i].domain] = plan->moves[i].destination;
        }
    }
    allocated(trial, host, &there_memory, &there_vcpus);
    for (size_t i = 0; i < plan->move_count; i++) {
        if (runs(&trial->schedule->slots[i], at_ms) && plan->moves[i].destination == host) {
            memory += trial->snapshot->domains[plan->moves[i].domain].memory_mib;
            vcpus += trial->snapshot->domains[plan->moves[i].domain].vcpus;
        }
    }
    return fits(trial, host, there_memory + memory, there_vcpus + vcpus);
}

/* The same of a further resource: whoever is on the way holds what it takes on both hosts.
 * Everybody is placed as has_room() has left it: where they are at that instant. */
static bool has_further_room(struct trial *trial, uint32_t host, int64_t at_ms, unsigned int r,
                             double load)
{
    const struct ek_plan_move *moves = trial->plan->moves;
    const struct ek_snapshot *snapshot = trial->snapshot;
    double size = capacity(&snapshot->hosts[host], trial->policy, r);

    load += utilization(snapshot, trial->policy, trial->place, host, r) * size;
    for (size_t i = 0; i < trial->plan->move_count; i++) {
        bool arrives = moves[i].destination == host && runs(&trial->schedule->slots[i], at_ms);
        load += arrives ? demand(&snapshot->domains[moves[i].domain], trial->policy, r) : 0;
    }
    for (size_t f = 0; f < snapshot->in_flight_count; f++) {
        const struct ek_in_flight *flight = &snapshot->in_flight[f];
        bool other = flight->domain != EK_NONE && trial->place[flight->domain] != host &&
                     (flight->source == host || flight->destination == host);
        load += other ? demand(&snapshot->domains[flight->domain], trial->policy, r) : 0;
    }
    return load <= size + 1e-3;
}

static void judge_further_room(struct trial *trial, size_t index, int64_t at_ms)
{
    const struct ek_plan_move *move = &trial->plan->moves[index];

    for (unsigned int r = EK_RESOURCE_FURTHER; r < trial->policy->resources.count; r++) {
        if (demand(&trial->snapshot->domains[move->domain], trial->policy, r) > 0 &&
            !has_further_room(trial, move->destination, at_ms, r, 0)) {
            COMPLAIN(trial, "move %zu finds too little of %s at %lld ms\n", index + 1,
                     trial->policy->resources.names[r], (long long)at_ms);
        }
    }
}

/* What binds the move: the policy's limits, or those of the schedule's pace where it leaves a host
 * in maintenance that has a deadline. */
static bool is_paced(const struct trial *trial, const struct ek_plan_move *move)
{
    const struct ek_host *source = &trial->snapshot->hosts[move->source];

    return source->maintenance && source->deadline_ms != 0 &&
           (move->kind == EK_MOVE_EVACUATE || move->kind == EK_MOVE_PARK);
}

struct ceilings {
    int all;
    int out;
    int in;
    double own_mib_s;
    double all_mib_s;
};

static double or_endless(double mib_s)
{
    return mib_s > 0 ? mib_s : HUGE_VAL;
}

static struct ceilings ceilings_of(const struct trial *trial, const struct ek_plan_move *move)
{
    const struct ek_policy *policy = trial->policy;
    const struct ek_limits *urgent = &policy->urgent;
    struct ceilings it = {policy->limit_cluster, policy->limit_host_out, policy->limit_host_in,
                          or_endless(policy->bandwidth_per_host_mib_s),
                          or_endless(policy->bandwidth_cluster_mib_s)};
    double part = trial->schedule->pace == EK_PACE_LIMITS ? 0
                  : trial->schedule->pace == EK_PACE_HALF ? 0.5
                                                          : 1;

    if (is_paced(trial, move)) {
        it.all += (int)ceil(part * fmax(0, urgent->cluster - it.all));
        it.out += (int)ceil(part * fmax(0, urgent->host_out - it.out));
        it.in += (int)ceil(part * fmax(0, urgent->host_in - it.in));
    }
    if (is_paced(trial, move) && trial->schedule->pace == EK_PACE_URGENT) {
        it.own_mib_s = fmax(it.own_mib_s, or_endless(urgent->bandwidth_per_host_mib_s));
        it.all_mib_s = fmax(it.all_mib_s, or_endless(urgent->bandwidth_cluster_mib_s));
    }
    return it;
}

/* Whether it counts for a move that starts then: what is bound by the pace may start at the same
 * instant after it, where it could not have. */
static bool counts_for(const struct trial *trial, const struct ek_plan_move *move, size_t other,
                       int64_t at_ms)
{
    const struct ek_slot *slot = &trial->schedule->slots[other];
    bool after = is_paced(trial, &trial->plan->moves[other]) && slot->start_ms == at_ms;

    return runs(slot, at_ms) && (is_paced(trial, move) || !after);
}

/* What the slots take of the two links and of the cluster at that instant. */
static void judge_rates(struct trial *trial, const struct ek_plan_move *move, int64_t at_ms)
{
    const struct ceilings ceilings = ceilings_of(trial, move);
    double all = ceilings.all_mib_s;
    double out = fmin(ceilings.own_mib_s, trial->snapshot->hosts[move->source].migration_mib_s);
    double in = fmin(ceilings.own_mib_s, trial->snapshot->hosts[move->destination].migration_mib_s);

    for (size_t i = 0; i < trial->plan->move_count; i++) {
        const struct ek_plan_move *other = &trial->plan->moves[i];
        double rate = trial->schedule->slots[i].rate_mib_s;
        bool now = counts_for(trial, move, i, at_ms);
        all -= now ? rate : 0;
        out -= now && other->source == move->source ? rate : 0;
        in -= now && other->destination == move->destination ? rate : 0;
    }
    if (fmin(all, fmin(out, in)) < -1e-3) {
        COMPLAIN(trial, "links carry too much at %lld ms\n", (long long)at_ms);
    }
}

static void judge_limits(struct trial *trial, const struct ek_plan_move *move, int64_t at_ms)
{
    const struct ceilings ceilings = ceilings_of(trial, move);
    int all = 0;
    int out = 0;
    int in = 0;

    for (size_t i = 0; i < trial->plan->move_count; i++) {
        bool now = counts_for(trial, move, i, at_ms);
        all += now ? 1 : 0;
        out += now && trial->plan->moves[i].source == move->source ? 1 : 0;
        in += now && trial->plan->moves[i].destination == move->destination ? 1 : 0;
    }
    if (all > ceilings.all || out > ceilings.out || in > ceilings.in) {
        COMPLAIN(trial, "limits are exceeded at %lld ms\n", (long long)at_ms);
    }
}

/* Whether the move had room at that instant beside all that go there before it, in the plan or in
 * the schedule. */
static bool could_start(struct trial *trial, size_t index, int64_t at_ms)
{
    const struct ek_plan_move *moves = trial->plan->moves;
    const struct ek_slot *slots = trial->schedule->slots;
    double further[EK_RESOURCE_MAX] = {0};
    double memory = 0;
    double vcpus = 0;

    for (size_t i = 0; i < trial->plan->move_count; i++) {
        const struct ek_domain *domain = &trial->snapshot->domains[moves[i].domain];
        if ((i > index && slots[i].start_ms > slots[index].start_ms) ||
            slots[i].start_ms <= at_ms || moves[i].destination != moves[index].destination) {
            continue;
        }
        memory += domain->memory_mib;
        vcpus += domain->vcpus;
        for (unsigned int r = EK_RESOURCE_FURTHER; r < trial->policy->resources.count; r++) {
            further[r] += demand(domain, trial->policy, r);
        }
    }
    bool room = has_room(trial, moves[index].destination, at_ms, memory, vcpus);
    for (unsigned int r = EK_RESOURCE_FURTHER; r < trial->policy->resources.count; r++) {
        room = room && (!(further[r] > 0) ||
                        has_further_room(trial, moves[index].destination, at_ms, r, further[r]));
    }
    return room;
}

static void judge_dependencies(struct trial *trial, size_t index)
{
    const struct ek_slot *slot = &trial->schedule->slots[index];

    for (size_t i = 0; i < slot->depends_count; i++) {
        size_t other = slot->depends_on[i] - 1;
        bool parked = trial->plan->moves[other].domain == trial->plan->moves[index].domain;
        bool ruled = ek_referee_rules_share(trial->rules, trial->plan->moves[other].domain,
                                            trial->plan->moves[index].domain);
        if ((parked || ruled) && end_of(&trial->schedule->slots[other]) <= slot->start_ms) {
            continue;
        }
        if (end_of(&trial->schedule->slots[other]) > slot->start_ms ||
            trial->plan->moves[other].source != trial->plan->moves[index].destination ||
            could_start(trial, index, end_of(&trial->schedule->slots[other]) - 1)) {
            COMPLAIN(trial, "move %zu waits for move %zu in vain\n", index + 1, other + 1);
        }
    }
}

static void judge_makespan(struct trial *trial)
{
    int64_t last_ms = 0;
    double longest_s = 0;

    for (uint32_t h = 0; h < trial->snapshot->host_count; h++) {
        double out_mib = 0;
        double in_mib = 0;
        for (size_t i = 0; i < trial->plan->move_count; i++) {
            const struct ek_plan_move *move = &trial->plan->moves[i];
            double mib = trial->schedule->slots[i].cost.transfer_mib;
            out_mib += move->source == h ? mib : 0;
            in_mib += move->destination == h ? mib : 0;
        }
        double rate = trial->snapshot->hosts[h].migration_mib_s;
        longest_s = fmax(longest_s, fmax(out_mib, in_mib) / rate);
    }
    for (size_t i = 0; i < trial->schedule->slot_count; i++) {
        const struct ek_slot *slot = &trial->schedule->slots[i];
        last_ms = end_of(slot) > last_ms ? end_of(slot) : last_ms;
    }
    if (trial->schedule->makespan_ms != last_ms || last_ms < trial->schedule->lower_bound_ms ||
        (double)trial->schedule->lower_bound_ms < longest_s * 1000 - 1e-3) {
        COMPLAIN(trial, "makespan %lld ms, bound %lld ms\n",
                 (long long)trial->schedule->makespan_ms,
                 (long long)trial->schedule->lower_bound_ms);
    }
}

static void judge_schedule(struct trial *trial)
{
    for (size_t i = 0; i < trial->schedule->slot_count; i++) {
        int64_t at_ms = trial->schedule->slots[i].start_ms;
        if (at_ms < 0 || trial->schedule->slots[i].duration_ms < 1) {
            COMPLAIN(trial, "move %zu has no time\n", i + 1);
        }
        if (!has_room(trial, trial->plan->moves[i].destination, at_ms, 0, 0)) {
            COMPLAIN(trial, "move %zu finds no room at %lld ms\n", i + 1, (long long)at_ms);
        }
        judge_further_room(trial, i, at_ms);
        judge_limits(trial, &trial->plan->moves[i], at_ms);
        judge_rates(trial, &trial->plan->moves[i], at_ms);
        judge_dependencies(trial, i);
    }
    judge_makespan(trial);
}

void ek_referee_judge(const struct ek_plan *plan, const struct ek_schedule *schedule,
                      const struct ek_policy *policy, struct ek_text *complaints)
{
    const struct ek_snapshot *snapshot = plan->snapshot;
    struct trial trial = {.snapshot = snapshot,
                          .plan = plan,
                          .schedule = schedule,
                          .policy = policy,
                          .complaints = complaints,
                          .place = calloc(snapshot->domain_count + 1, sizeof(uint32_t)),
                          .in_flight = calloc(snapshot->domain_count + 1, sizeof(bool)),
                          .moved = calloc(snapshot->domain_count + 1, sizeof(bool))};

    assert_true(trial.place != NULL && trial.in_flight != NULL && trial.moved != NULL);
    for (size_t d = 0; d < snapshot->domain_count; d++) {
        trial.place[d] = snapshot->domains[d].host;
    }
    for (size_t f = 0; f < snapshot->in_flight_count; f++) {
        if (snapshot->in_flight[f].domain != EK_NONE) {
            trial.in_flight[snapshot->in_flight[f].domain] = true;
            trial.place[snapshot->in_flight[f].domain] = snapshot->in_flight[f].destination;
        }
    }
    trial.rules = ek_referee_rules_make(snapshot, policy);
    judge_plan(&trial);
    ek_referee_rules_judge(trial.rules, plan, schedule, complaints);
    judge_schedule(&trial);
    free(trial.place);
    free(trial.in_flight);
    free(trial.moved);
    ek_referee_rules_destroy(trial.rules);
}
