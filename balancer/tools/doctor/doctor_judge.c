/* The doctor's judgement: all checks in their order, and those of the way to a host. Pure: what was
 * seen comes in, findings go out. What cannot be seen is said, never guessed. */
#include "balancer/core/plural.h"
#include "balancer/tools/doctor/doctor_internal.h"

#include <stdlib.h>
#include <string.h>

/* From wherever. */
static void obstruct_all(struct ek_judgement *it, size_t destination, enum ek_check check)
{
    for (size_t source = 0; source < it->seen->count; source++) {
        if (source != destination) {
            ek_pair_obstruct(it->out, source, destination, check);
        }
    }
}

/* ---- reached, and one of its kind ---------------------------------------------------------- */

static void judge_libvirt(struct ek_judgement *it, size_t h)
{
    const struct ek_inspection *host = &it->seen->hosts[h];
    struct ek_notes notes = ek_notes_begin(it->out, it->out->hosts[h], EK_CHECK_LIBVIRT);

    if (host->why_not != NULL) {
        ek_note(&notes, EK_GRADE_FAIL, ek_judge_text(it->out, "%s", host->why_not),
                ek_judge_text(it->out,
                              "see that its libvirtd runs and that this machine may use it; by "
                              "hand: virsh -c '%s' list; where the URI is wrong, mend it in "
                              "evenkeel.yaml; nothing else of it was looked at",
                              host->uri));
        obstruct_all(it, h, EK_CHECK_LIBVIRT);
        for (size_t other = 0; other < it->seen->count; other++) {
            if (other != h) {
                ek_pair_obstruct(it->out, h, other, EK_CHECK_LIBVIRT);
            }
        }
    }
    ek_notes_end(&notes, "it answers");
}

void ek_judge_identity(struct ek_judgement *it, size_t h)
{
    const struct ek_inspection *host = &it->seen->hosts[h];
    struct ek_notes notes = ek_notes_begin(it->out, it->out->hosts[h], EK_CHECK_IDENTITY);

    for (size_t other = 0; host->uuid != NULL && other < it->seen->count; other++) {
        if (other != h && ek_same_text(it->seen->hosts[other].uuid, host->uuid)) {
            ek_pair_obstruct(it->out, other, h, EK_CHECK_IDENTITY);
            ek_note(&notes, EK_GRADE_FAIL,
                    ek_judge_text(it->out, "it has the same UUID as %s, %s", it->out->hosts[other],
                                  host->uuid),
                    ek_judge_text(it->out,
                                  "where one machine is listed twice, take one entry out of "
                                  "evenkeel.yaml; else set host_uuid in /etc/libvirt/libvirtd.conf "
                                  "of %s to the output of uuidgen and restart its libvirtd",
                                  it->out->hosts[h]));
        }
    }
    ek_notes_end(&notes,
                 ek_judge_text(it->out, "UUID %s", host->uuid == NULL ? "not known" : host->uuid));
}

/* ---- where guests are sent ----------------------------------------------------------------- */

#define NAME_CURE                                                                   \
    "give it migration_uri: \"tcp://ADDRESS\" in evenkeel.yaml, or its address in " \
    "/etc/hosts (or the DNS) of every machine, or migration_host in " EK_QEMU_CONF " of it"

/* libvirt on the destination says its own name, and the source resolves that: where /etc/hosts has
 * 127.0.1.1 for it, a source would send the guest to itself. */
static void judge_own_name(struct ek_judgement *it, struct ek_notes *notes, size_t h)
{
    const struct ek_inspection *host = &it->seen->hosts[h];

    if (host->arrivals.configured || host->conf.migration_host != NULL) {
        return;
    }
    if (host->own_name == NULL) {
        ek_note(notes, EK_GRADE_UNSEEN, "what its libvirtd calls it is not known", NAME_CURE);
    } else if (strncmp(host->own_name, "localhost", strlen("localhost")) == 0) {
        ek_note(notes, EK_GRADE_FAIL,
                ek_judge_text(it->out, "it calls itself %s, to which libvirt sends nothing",
                              host->own_name),
                "give the host a name (hostnamectl hostname NAME) and restart its libvirtd");
    } else if (host->local) {
        ek_note(notes, EK_GRADE_UNSEEN,
                ek_judge_text(it->out, "whether %s leads to it is seen on other machines only",
                              host->own_name),
                ek_judge_text(it->out, "on every other host: getent hosts %s", host->own_name));
    }
}

static void judge_address(struct ek_judgement *it, struct ek_notes *notes, size_t h)
{
    const struct ek_inspection *host = &it->seen->hosts[h];
    const struct ek_seen_arrivals *arrivals = &host->arrivals;
    /* The host's own name counts only where its qemu.conf, which is not seen, has no other. */
    enum ek_grade grade = arrivals->configured || host->conf.seen ? EK_GRADE_FAIL : EK_GRADE_WARN;

    if (arrivals->address == NULL || host->local || (arrivals->resolves && !arrivals->loopback)) {
        return;
    }
    obstruct_all(it, h, EK_CHECK_NAMES);
    ek_note(notes, grade,
            ek_judge_text(it->out, "guests would be sent to %s, %s", arrivals->address,
                          arrivals->loopback
                              ? "which here is a loopback address: a source that resolves it so "
                                "sends the guest to itself"
                              : "which does not resolve here"),
            NAME_CURE);
}

void ek_judge_names(struct ek_judgement *it, size_t h)
{
    const struct ek_inspection *host = &it->seen->hosts[h];
    const struct ek_seen_arrivals *arrivals = &host->arrivals;
    struct ek_notes notes = ek_notes_begin(it->out, it->out->hosts[h], EK_CHECK_NAMES);

    for (size_t other = 0; host->own_name != NULL && other < it->seen->count; other++) {
        if (other != h && ek_same_text(it->seen->hosts[other].own_name, host->own_name)) {
            ek_pair_obstruct(it->out, other, h, EK_CHECK_NAMES);
            ek_note(&notes, EK_GRADE_FAIL,
                    ek_judge_text(it->out, "it calls itself %s, as %s does: no move between them",
                                  host->own_name, it->out->hosts[other]),
                    "give each host a name of its own (hostnamectl hostname NAME) and restart its "
                    "libvirtd");
        }
    }
    judge_own_name(it, &notes, h);
    judge_address(it, &notes, h);
    ek_notes_end(&notes, ek_judge_text(it->out, "guests are sent to %s",
                                       arrivals->address == NULL ? "?" : arrivals->address));
}

/* A port on which nobody listens is right: QEMU listens only while a guest comes. */
void ek_judge_ports(struct ek_judgement *it, size_t h)
{
    const struct ek_seen_arrivals *arrivals = &it->seen->hosts[h].arrivals;
    struct ek_notes notes = ek_notes_begin(it->out, it->out->hosts[h], EK_CHECK_PORTS);
    struct ek_listed silent = {0};
    struct ek_listed barred = {0};
    struct ek_listed unknown = {0};
    struct ek_listed reached = {0};

    for (size_t i = 0; i < arrivals->port_count; i++) {
        const struct ek_seen_port *port = &arrivals->ports[i];
        ek_list_add(it->out,
                    port->reach == EK_REACH_SILENT    ? &silent
                    : port->reach == EK_REACH_BARRED  ? &barred
                    : port->reach == EK_REACH_UNKNOWN ? &unknown
                                                      : &reached,
                    ek_judge_text(it->out, "%u", (unsigned int)port->port));
    }
    const char *cure = ek_judge_text(
        it->out,
        "let the other hosts in to TCP ports %d to %d of %s: firewall-cmd --permanent "
        "--add-port=%d-%d/tcp && firewall-cmd --reload, or in /etc/nftables.conf: tcp dport "
        "%d-%d accept; where only this machine is kept out, all is well",
        EK_MIGRATION_PORT_MIN, EK_MIGRATION_PORT_MAX, it->out->hosts[h], EK_MIGRATION_PORT_MIN,
        EK_MIGRATION_PORT_MAX, EK_MIGRATION_PORT_MIN, EK_MIGRATION_PORT_MAX);
    if (silent.count > 0) {
        ek_note(&notes, EK_GRADE_WARN,
                ek_judge_text(it->out, "no answer from %s port %s within a second", arrivals->tried,
                              ek_list_text(it->out, &silent)),
                cure);
    }
    if (barred.count > 0) {
        ek_note(&notes, EK_GRADE_WARN,
                ek_judge_text(it->out, "there is no way to %s port %s", arrivals->tried,
                              ek_list_text(it->out, &barred)),
                cure);
    }
    if (silent.count + barred.count > 0) {
        obstruct_all(it, h, EK_CHECK_PORTS);
    }
    if (arrivals->port_count == 0 || unknown.count > 0) {
        ek_note(&notes, EK_GRADE_UNSEEN,
                unknown.count == 0 ? "not tried, since its URI is local"
                                   : ek_judge_text(it->out, "not tried: %s does not resolve here",
                                                   arrivals->tried),
                ek_judge_text(it->out, "on another host: nc -zv %s %d; \"refused\" is right",
                              it->out->hosts[h], EK_MIGRATION_PORT_MIN));
    }
    ek_notes_end(&notes, ek_judge_text(it->out, "%s of %s: reached from here",
                                       reached.text == NULL ? "" : reached.text,
                                       arrivals->tried == NULL ? "?" : arrivals->tried));
}

/* libvirt on the source connects to the destination's URI; from here nobody sees whether it can. */
static void judge_peers(struct ek_judgement *it)
{
    struct ek_findings *out = it->out;
    bool ssh = false;

    if (it->seen->count < 2) {
        return;
    }
    for (size_t h = 0; h < it->seen->count; h++) {
        const struct ek_inspection *host = &it->seen->hosts[h];
        ssh = ssh || host->ssh;
        if (host->local) {
            struct ek_notes notes = ek_notes_begin(out, out->hosts[h], EK_CHECK_PEERS);
            ek_note(&notes, EK_GRADE_FAIL,
                    ek_judge_text(out, "its URI %s is local: no other host reaches it there",
                                  host->uri),
                    "in the evenkeel.yaml of the balancer, name it by an address that the other "
                    "hosts reach, as qemu+tls://HOST/system");
            obstruct_all(it, h, EK_CHECK_PEERS);
            ek_notes_end(&notes, "");
        }
    }
    struct ek_notes notes = ek_notes_begin(out, NULL, EK_CHECK_PEERS);
    ek_note(&notes, EK_GRADE_UNSEEN,
            "whether each host's libvirtd reaches the others' URIs, which only a migration shows",
            ssh ? "as root on each host, for each of the others: virsh -c URI list; it must ask "
                  "for nothing: root's ssh key on each host, and the others in its known_hosts"
                : "as root on each host, for each of the others: virsh -c URI list");
    ek_notes_end(&notes, "");
    if (it->policy->tls) {
        notes = ek_notes_begin(out, NULL, EK_CHECK_PEERS);
        ek_note(&notes, EK_GRADE_UNSEEN,
                "whether QEMU has the certificates that migration.tls wants, on each host",
                "on each host: ls -l /etc/pki/qemu (docs/security.md); without them migrations "
                "fail");
        ek_notes_end(&notes, "");
    }
}

/* ---- Pacemaker, clocks --------------------------------------------------------------------- */

static size_t ignore_rules(const struct ek_rules *rules)
{
    size_t count = 0;

    for (size_t i = 0; rules != NULL && i < rules->count; i++) {
        count += rules->items[i].kind == EK_RULE_IGNORE ? 1 : 0;
    }
    return count;
}

/* A domain that Pacemaker manages and somebody else moves is started again where it was: then it
 * runs twice. Nothing in the domain tells that it is Pacemaker's. */
static void judge_pacemaker(struct ek_judgement *it, size_t h)
{
    const struct ek_inspection *host = &it->seen->hosts[h];
    struct ek_notes notes = ek_notes_begin(it->out, it->out->hosts[h], EK_CHECK_PACEMAKER);
    size_t ignored = ignore_rules(it->policy->rules);
    const char *well = "it does not run";

    if (host->pacemaker != NULL && ignored > 0) {
        well = ek_judge_text(it->out, "%s; policy.yaml has %zu ignore rule%s", host->pacemaker,
                             ignored, ek_plural(ignored));
    } else if (host->pacemaker != NULL) {
        ek_note(&notes, EK_GRADE_WARN, ek_judge_text(it->out, "%s", host->pacemaker),
                "domains that Pacemaker manages (VirtualDomain resources, see `pcs resource`) must "
                "be left alone: name them in policy.yaml, rules: - {name: pacemaker, kind: "
                "ignore, domains: [NAME, ...]}");
    } else if (!host->local) {
        ek_note(&notes, EK_GRADE_UNSEEN,
                "neither pcsd nor pacemaker_remote answers; corosync is not seen from outside",
                "on the host: systemctl is-active pacemaker; where it is, name its domains in an "
                "ignore rule in policy.yaml");
    }
    ek_notes_end(&notes, well);
}

static bool is_about(const struct ek_rule *rule, const struct ek_seen_domain *domain)
{
    for (size_t i = 0; i < rule->domains.count; i++) {
        if (ek_selector_matches(rule->domains.items[i], domain->name, domain->uuid,
                                &domain->labels)) {
            return true;
        }
    }
    return false;
}

static bool is_about_any(const struct ek_rule *rule, const struct ek_cluster_seen *seen)
{
    for (size_t h = 0; h < seen->count; h++) {
        for (size_t d = 0; d < seen->hosts[h].domain_count; d++) {
            if (is_about(rule, &seen->hosts[h].domains[d])) {
                return true;
            }
        }
    }
    return rule->domains.count == 0; /* it is about hosts */
}

/* Mostly the name or the pattern is mistyped, and whoever wrote the rule relies on it. */
static void judge_rules(struct ek_judgement *it)
{
    const struct ek_rules *rules = it->policy->rules;
    struct ek_findings *out = it->out;
    struct ek_notes notes = ek_notes_begin(out, NULL, EK_CHECK_RULES);
    struct ek_listed empty = {.text = NULL};
    bool all = true;

    if (rules == NULL || rules->count == 0) {
        return;
    }
    for (size_t h = 0; h < it->seen->count; h++) {
        all = all && it->seen->hosts[h].why_not == NULL;
    }
    for (size_t i = 0; i < rules->count; i++) {
        if (!is_about_any(&rules->items[i], it->seen)) {
            ek_list_add(out, &empty, rules->items[i].name);
        }
    }
    if (empty.count > 0) {
        ek_note(&notes, all ? EK_GRADE_WARN : EK_GRADE_UNSEEN,
                ek_judge_text(out, "no domain that runs%s is what %s %s %s about",
                              all ? "" : " on the hosts that answer",
                              empty.count == 1 ? "rule" : "rules", ek_list_text(out, &empty),
                              empty.count == 1 ? "is" : "are"),
                "in policy.yaml, rules: compare `domains` with the names of `evenkeel domains`; a "
                "rule for domains to come is well as it is");
    }
    ek_notes_end(&notes, ek_judge_text(out, "%zu rule%s", rules->count, ek_plural(rules->count)));
}

static void judge_clock(struct ek_judgement *it)
{
    struct ek_notes notes = ek_notes_begin(it->out, NULL, EK_CHECK_CLOCK);

    ek_note(&notes, EK_GRADE_UNSEEN, "libvirt tells no host's clock",
            "on each host: chronyc tracking (or timedatectl); guests take the time of the host "
            "that they come to, and certificates are judged by it");
    ek_notes_end(&notes, "");
}

/* ---- all ----------------------------------------------------------------------------------- */

static bool prepare(struct ek_findings *out, const struct ek_cluster_seen *seen)
{
    const char **names = ek_arena_alloc(&out->arena, seen->count, sizeof(*names));

    out->pairs = ek_arena_alloc(&out->arena, seen->count * seen->count, sizeof(*out->pairs));
    out->hosts = names;
    out->host_count = seen->count;
    bool ok = names != NULL && out->pairs != NULL;
    for (size_t h = 0; ok && h < seen->count; h++) {
        names[h] = ek_arena_strdup(&out->arena, seen->hosts[h].host);
        ok = names[h] != NULL;
    }
    return ok;
}

void ek_doctor_judge(struct ek_findings *out, const struct ek_cluster_seen *seen,
                     const struct ek_policy *policy)
{
    static void (*const checks[])(struct ek_judgement *, size_t) = {
        ek_judge_identity, ek_judge_names,     ek_judge_ports,   ek_judge_versions,
        ek_judge_cpu,      ek_judge_networks,  ek_judge_filters, ek_judge_pools,
        ek_judge_locks,    ek_judge_ownership, ek_judge_memory,
    };
    struct ek_judgement it = {.out = out, .seen = seen, .policy = policy};

    memset(out, 0, sizeof(*out));
    out->failed = !prepare(out, seen);
    for (size_t h = 0; !out->failed && h < seen->count; h++) {
        judge_libvirt(&it, h);
        for (size_t i = 0; seen->hosts[h].why_not == NULL && i < sizeof(checks) / sizeof(checks[0]);
             i++) {
            checks[i](&it, h);
        }
        judge_pacemaker(&it, h);
    }
    if (!out->failed) {
        judge_peers(&it);
        judge_rules(&it);
        judge_clock(&it);
    }
}
