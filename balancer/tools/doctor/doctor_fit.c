/* The doctor's checks of what each host has for the domains of the others: hypervisor, CPU,
 * networks, filters, memory. */
#include "balancer/core/plural.h"
#include "balancer/tools/doctor/doctor_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool is_reached(const struct ek_inspection *host)
{
    return host->why_not == NULL;
}

/* ---- versions ------------------------------------------------------------------------------ */

/* New QEMUs load what old ones wrote; the reverse fails at the very end of the copying. */
void ek_judge_versions(struct ek_judgement *it, size_t h)
{
    const struct ek_inspection *host = &it->seen->hosts[h];
    struct ek_findings *out = it->out;
    struct ek_notes notes = ek_notes_begin(out, out->hosts[h], EK_CHECK_VERSIONS);
    struct ek_listed newer = {0};

    for (size_t other = 0; other < it->seen->count; other++) {
        const struct ek_inspection *there = &it->seen->hosts[other];
        if (other == h || !is_reached(there)) {
            continue;
        }
        if (!ek_same_text(host->hypervisor, there->hypervisor)) {
            ek_pair_obstruct(out, other, h, EK_CHECK_VERSIONS);
            ek_note(&notes, EK_GRADE_FAIL,
                    ek_judge_text(out, "its hypervisor is %s, that of %s is %s",
                                  host->hypervisor == NULL ? "not known" : host->hypervisor,
                                  out->hosts[other],
                                  there->hypervisor == NULL ? "not known" : there->hypervisor),
                    "list hosts of one kind of hypervisor in one evenkeel.yaml");
        } else if (host->version < there->version || host->lib_version < there->lib_version) {
            ek_pair_obstruct(out, other, h, EK_CHECK_VERSIONS);
            ek_list_add(out, &newer,
                        !ek_list_shows_next(&newer)
                            ? NULL
                            : ek_judge_text(out, "%s (%s %s, libvirt %s)", out->hosts[other],
                                            there->hypervisor == NULL ? "?" : there->hypervisor,
                                            ek_version_text(out, there->version),
                                            ek_version_text(out, there->lib_version)));
        }
    }
    const char *own =
        ek_judge_text(out, "%s %s, libvirt %s", host->hypervisor == NULL ? "?" : host->hypervisor,
                      ek_version_text(out, host->version), ek_version_text(out, host->lib_version));
    if (newer.count > 0) {
        ek_note(&notes, EK_GRADE_WARN,
                ek_judge_text(out, "it has %s: nothing moves to it from %s", own,
                              ek_list_text(out, &newer)),
                ek_judge_text(out,
                              "upgrade QEMU and libvirt of %s to those of the others; until then "
                              "domains move away from it only",
                              out->hosts[h]));
    }
    ek_notes_end(&notes, own);
}

/* ---- CPU ----------------------------------------------------------------------------------- */

struct cpu_tally {
    struct ek_listed hosts;   /* whose own CPU it does not give */
    struct ek_listed domains; /* that cannot run here */
    size_t asked;
    size_t unseen;
};

static void tally_cpu(struct ek_judgement *it, struct cpu_tally *tally, size_t h, size_t other)
{
    const struct ek_inspection *there = &it->seen->hosts[other];
    enum ek_cpu_verdict verdict =
        there->cpu.xml == NULL ? EK_CPU_UNSEEN : ek_cluster_cpu(it->seen, &there->cpu, h);

    tally->asked++;
    tally->unseen += verdict == EK_CPU_UNSEEN ? 1 : 0;
    if (verdict == EK_CPU_NOT_GIVEN) {
        ek_pair_obstruct(it->out, other, h, EK_CHECK_CPU);
        ek_list_add(it->out, &tally->hosts, it->out->hosts[other]);
    }
    for (size_t d = 0; d < there->domain_count; d++) {
        if (ek_cluster_cpu(it->seen, &there->domains[d].cpu, h) == EK_CPU_NOT_GIVEN) {
            ek_pair_obstruct(it->out, other, h, EK_CHECK_CPU);
            ek_list_add(it->out, &tally->domains,
                        !ek_list_shows_next(&tally->domains)
                            ? NULL
                            : ek_judge_text(it->out, "%s (on %s)", there->domains[d].name,
                                            it->out->hosts[other]));
        }
    }
}

/* Its hypervisor is asked for each CPU of the others and of their running domains. */
void ek_judge_cpu(struct ek_judgement *it, size_t h)
{
    static const char cure[] =
        "give the domains a CPU that all hosts have: virsh hypervisor-cpu-baseline finds it from "
        "the <cpu> of every host's virsh capabilities; put it into the domain's XML in the place "
        "of host-passthrough or host-model, and start the domain anew";
    struct ek_findings *out = it->out;
    struct ek_notes notes = ek_notes_begin(out, out->hosts[h], EK_CHECK_CPU);
    struct cpu_tally tally = {.asked = 0};

    for (size_t other = 0; other < it->seen->count; other++) {
        if (other != h && is_reached(&it->seen->hosts[other])) {
            tally_cpu(it, &tally, h, other);
        }
    }
    if (tally.domains.count > 0) {
        ek_note(
            &notes, EK_GRADE_WARN,
            ek_judge_text(out, "it cannot give their CPU to %s", ek_list_text(out, &tally.domains)),
            cure);
    }
    if (tally.hosts.count > 0) {
        ek_note(&notes, EK_GRADE_WARN,
                ek_judge_text(out,
                              "it lacks features of the CPU of %s: what is started there with that "
                              "host's CPU cannot come here",
                              ek_list_text(out, &tally.hosts)),
                cure);
    }
    if (tally.unseen > 0) {
        ek_note(&notes, EK_GRADE_UNSEEN,
                ek_judge_text(out, "it does not compare its CPU with that of %zu other host%s",
                              tally.unseen, ek_plural(tally.unseen)),
                "by hand: virsh cpu-compare with the <cpu> of the other host's virsh capabilities");
    }
    ek_notes_end(&notes, tally.asked == 0 ? "there is no other host to compare it with"
                                          : "it gives the CPUs of the others");
}

/* ---- networks ------------------------------------------------------------------------------ */

static bool has(const struct ek_strings *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static const struct ek_seen_network *find_network(const struct ek_inspection *host,
                                                  const char *name)
{
    for (size_t i = 0; i < host->network_count; i++) {
        if (strcmp(host->networks[i].name, name) == 0) {
            return &host->networks[i];
        }
    }
    return NULL;
}

/* Of the networks and bridges that others' domains use. */
struct net_lacks {
    struct ek_names missing;
    struct ek_names inactive;
    struct ek_names unstarted; /* with the host */
    struct ek_names bridges;
    struct ek_names unlisted; /* bridges of which nothing can be said */
};

static void look_for_network(struct ek_judgement *it, struct net_lacks *lacks, size_t h,
                             size_t other, const char *name)
{
    const struct ek_inspection *host = &it->seen->hosts[h];
    const struct ek_seen_network *network = find_network(host, name);

    if (network == NULL && host->networks_seen) {
        ek_pair_obstruct(it->out, other, h, EK_CHECK_NETWORKS);
        ek_names_add(it->out, &lacks->missing, name, other);
    } else if (network != NULL && !network->active) {
        ek_names_add(it->out, &lacks->inactive, name, other);
    } else if (network != NULL && !network->autostart) {
        ek_names_add(it->out, &lacks->unstarted, name, other);
    }
}

/* Only a host that lists the bridge of a domain of its own, which is there, lists bridges at all.
 */
static void look_for_bridge(struct ek_judgement *it, struct net_lacks *lacks, size_t h,
                            size_t other, const char *name)
{
    const struct ek_inspection *host = &it->seen->hosts[h];

    if (has(&host->links, name)) {
        return;
    }
    if (host->links.given && has(&it->seen->hosts[other].links, name)) {
        ek_pair_obstruct(it->out, other, h, EK_CHECK_NETWORKS);
        ek_names_add(it->out, &lacks->bridges, name, other);
    } else {
        ek_names_add(it->out, &lacks->unlisted, name, other);
    }
}

static void look_for_networks(struct ek_judgement *it, struct net_lacks *lacks, size_t h)
{
    for (size_t other = 0; other < it->seen->count; other++) {
        const struct ek_inspection *there = &it->seen->hosts[other];
        for (size_t d = 0; other != h && d < there->domain_count; d++) {
            const struct ek_seen_domain *domain = &there->domains[d];
            for (size_t i = 0; i < domain->networks.count; i++) {
                look_for_network(it, lacks, h, other, domain->networks.items[i]);
            }
            for (size_t i = 0; i < domain->bridges.count; i++) {
                look_for_bridge(it, lacks, h, other, domain->bridges.items[i]);
            }
        }
    }
}

/* "virsh -c URI WHAT-dumpxml ...", by the example of the first of them. */
static const char *copying(struct ek_judgement *it, const struct ek_names *names, size_t h,
                           const char *what, const char *then)
{
    const struct ek_name *first = &names->items[0];

    return ek_judge_text(it->out,
                         "virsh -c '%s' %s-dumpxml %s > %s.xml, then on %s: virsh %s-define "
                         "%s.xml%s",
                         it->seen->hosts[first->host].uri, what, first->name, first->name,
                         it->out->hosts[h], what, first->name, then);
}

static void note_networks(struct ek_judgement *it, struct ek_notes *notes,
                          const struct net_lacks *lacks, size_t h)
{
    const struct {
        const struct ek_names *names;
        const char *found;
        const char *verb;
    } asleep[] = {{&lacks->inactive, "not active", "net-start"},
                  {&lacks->unstarted, "not started with the host", "net-autostart"}};
    struct ek_findings *out = it->out;

    if (lacks->missing.count > 0) {
        ek_note(notes, EK_GRADE_WARN,
                ek_judge_text(out, "%s missing, which domains elsewhere use",
                              ek_names_text(out, "network", &lacks->missing)),
                copying(it, &lacks->missing, h, "net", ", net-start, net-autostart"));
    }
    for (size_t i = 0; i < sizeof(asleep) / sizeof(asleep[0]); i++) {
        if (asleep[i].names->count > 0) {
            ek_note(notes, EK_GRADE_WARN,
                    ek_judge_text(out, "%s %s", ek_names_text(out, "network", asleep[i].names),
                                  asleep[i].found),
                    ek_judge_text(out, "on %s: virsh %s %s", out->hosts[h], asleep[i].verb,
                                  asleep[i].names->items[0].name));
        }
    }
}

static void note_bridges(struct ek_judgement *it, struct ek_notes *notes,
                         const struct net_lacks *lacks, size_t h)
{
    struct ek_findings *out = it->out;

    if (lacks->bridges.count > 0) {
        ek_note(notes, EK_GRADE_WARN,
                ek_judge_text(out, "%s missing, which domains elsewhere use",
                              ek_names_text(out, "bridge", &lacks->bridges)),
                ek_judge_text(out,
                              "make it on %s as on %s (/etc/network/interfaces, netplan, nmcli or "
                              "systemd-networkd)",
                              out->hosts[h], out->hosts[lacks->bridges.items[0].host]));
    }
    if (lacks->unlisted.count > 0) {
        ek_note(notes, EK_GRADE_UNSEEN,
                ek_judge_text(out, "%s not listed by libvirt, there or not",
                              ek_names_text(out, "bridge", &lacks->unlisted)),
                ek_judge_text(out, "on %s: ip link show %s", out->hosts[h],
                              lacks->unlisted.items[0].name));
    }
}

void ek_judge_networks(struct ek_judgement *it, size_t h)
{
    struct ek_notes notes = ek_notes_begin(it->out, it->out->hosts[h], EK_CHECK_NETWORKS);
    struct net_lacks lacks = {.missing = {.count = 0}};

    if (!it->seen->hosts[h].networks_seen) {
        ek_note(&notes, EK_GRADE_UNSEEN, "its libvirt lists no networks",
                "install libvirt's network driver (libvirt-daemon-driver-network) there");
    }
    look_for_networks(it, &lacks, h);
    note_networks(it, &notes, &lacks, h);
    note_bridges(it, &notes, &lacks, h);
    ek_notes_end(&notes, "it has those of the other hosts' domains");
}

/* ---- filters ------------------------------------------------------------------------------- */

static const struct ek_seen_filter *find_filter(const struct ek_inspection *host, const char *name)
{
    for (size_t i = 0; i < host->filter_count; i++) {
        if (strcmp(host->filters[i].name, name) == 0) {
            return &host->filters[i];
        }
    }
    return NULL;
}

static void look_for_filters(struct ek_judgement *it, size_t h, size_t other,
                             struct ek_names *missing, struct ek_names *differ)
{
    const struct ek_inspection *there = &it->seen->hosts[other];

    for (size_t d = 0; d < there->domain_count; d++) {
        const struct ek_strings *filters = &there->domains[d].filters;
        for (size_t i = 0; i < filters->count; i++) {
            const char *name = filters->items[i];
            const struct ek_seen_filter *here = find_filter(&it->seen->hosts[h], name);
            const struct ek_seen_filter *its = find_filter(there, name);
            if (here == NULL) {
                ek_names_add(it->out, missing, name, other);
            } else if (its != NULL && !ek_same_text(here->rules, its->rules)) {
                ek_names_add(it->out, differ, name, other);
            }
        }
    }
}

void ek_judge_filters(struct ek_judgement *it, size_t h)
{
    struct ek_findings *out = it->out;
    struct ek_notes notes = ek_notes_begin(out, out->hosts[h], EK_CHECK_FILTERS);
    bool seen = it->seen->hosts[h].filters_seen;
    struct ek_names missing = {.count = 0};
    struct ek_names differ = {.count = 0};

    if (!seen) {
        ek_note(&notes, EK_GRADE_UNSEEN, "its libvirt lists no network filters",
                "install libvirt's filter driver (libvirt-daemon-driver-nwfilter) there");
    }
    for (size_t other = 0; seen && other < it->seen->count; other++) {
        if (other != h) {
            look_for_filters(it, h, other, &missing, &differ);
        }
    }
    if (missing.count > 0) {
        ek_note(&notes, EK_GRADE_WARN,
                ek_judge_text(out, "%s missing; the first move that needs one copies it",
                              ek_names_text(out, "filter", &missing)),
                copying(it, &missing, h, "nwfilter", ""));
    }
    if (differ.count > 0) {
        ek_note(&notes, EK_GRADE_WARN,
                ek_judge_text(out,
                              "%s other than on %s: a domain that comes from there is filtered by "
                              "the rules of here",
                              ek_names_text(out, "filter", &differ),
                              out->hosts[differ.items[0].host]),
                ek_judge_text(out,
                              "compare virsh nwfilter-dumpxml %s of both, and define the right one "
                              "on each (virsh nwfilter-define)",
                              differ.items[0].name));
    }
    ek_notes_end(&notes, "it has those of the other hosts' domains");
}

/* ---- memory, should it be lost --------------------------------------------------------------- */

static int compare_domains(const void *left, const void *right)
{
    const struct ek_seen_domain *a = *(const struct ek_seen_domain *const *)left;
    const struct ek_seen_domain *b = *(const struct ek_seen_domain *const *)right;

    return a->memory_mib != b->memory_mib ? (a->memory_mib < b->memory_mib ? 1 : -1)
                                          : strcmp(a->name, b->name);
}

static double used_mib(const struct ek_inspection *host)
{
    double sum = 0;

    for (size_t d = 0; d < host->domain_count; d++) {
        sum += host->domains[d].memory_mib;
    }
    return sum;
}

/* What the policy lets domains have of it, beside those that are there; 0 where nothing is known.
 */
static double room_mib(const struct ek_judgement *it, const struct ek_inspection *host)
{
    double all =
        host->memory_mib * it->policy->memory_overcommit * (1 - it->policy->memory_reserve);

    return !is_reached(host) || isnan(host->memory_mib) ? 0 : all - used_mib(host);
}

/* The largest first, each where most room is left, as the planner's spare_hosts counts. */
static void place(struct ek_judgement *it, size_t lost, const struct ek_seen_domain **domains,
                  double *rooms, struct ek_listed *homeless)
{
    const struct ek_inspection *host = &it->seen->hosts[lost];

    for (size_t d = 0; d < host->domain_count; d++) {
        size_t best = lost;
        for (size_t other = 0; other < it->seen->count; other++) {
            if (other != lost && (best == lost || rooms[other] > rooms[best])) {
                best = other;
            }
        }
        if (best == lost || rooms[best] < domains[d]->memory_mib) {
            ek_list_add(
                it->out, homeless,
                ek_judge_text(it->out, "%s (%.0f MiB)", domains[d]->name, domains[d]->memory_mib));
        } else {
            rooms[best] -= domains[d]->memory_mib;
        }
    }
}

void ek_judge_memory(struct ek_judgement *it, size_t h)
{
    const struct ek_inspection *host = &it->seen->hosts[h];
    struct ek_findings *out = it->out;
    struct ek_notes notes = ek_notes_begin(out, out->hosts[h], EK_CHECK_MEMORY);
    const struct ek_seen_domain **domains =
        ek_arena_alloc(&out->arena, host->domain_count, sizeof(*domains));
    double *rooms = ek_arena_alloc(&out->arena, it->seen->count, sizeof(*rooms));
    struct ek_listed homeless = {0};

    if (it->seen->count < 2) {
        return; /* it is lost with all that it has, which nobody needs to be told */
    }
    if (domains == NULL || rooms == NULL) {
        out->failed = true;
        return;
    }
    for (size_t other = 0; other < it->seen->count; other++) {
        rooms[other] = room_mib(it, &it->seen->hosts[other]);
    }
    for (size_t d = 0; d < host->domain_count; d++) {
        domains[d] = &host->domains[d];
    }
    qsort(domains, host->domain_count, sizeof(*domains), compare_domains);
    place(it, h, domains, rooms, &homeless);
    if (homeless.count > 0) {
        ek_note(
            &notes, EK_GRADE_WARN,
            ek_judge_text(out,
                          "should it be lost or emptied, %s would find no room by their "
                          "configured memory",
                          ek_list_text(out, &homeless)),
            "add memory or a host, or make domains smaller; capacity.spare_hosts in policy.yaml "
            "keeps room once there is some, capacity.memory_reserve says how much stays free");
    }
    ek_notes_end(&notes,
                 ek_judge_text(out, "its %zu domain%s (%.0f MiB) would fit on the others",
                               host->domain_count, ek_plural(host->domain_count), used_mib(host)));
}
