/* The doctor's checks. Pure: what was seen comes in, findings go out. What cannot be seen is a
 * warning that names the line to look at, never a guess. */
#include "balancer/tools/doctor.h"

#include <stdlib.h>
#include <string.h>

#define QEMU_CONF "/etc/libvirt/qemu.conf"

const char *ek_grade_name(enum ek_grade grade)
{
    static const char *const names[] = {
        [EK_GRADE_OK] = "OK", [EK_GRADE_WARN] = "WARN", [EK_GRADE_FAIL] = "FAIL"};

    return names[grade];
}

/* NULL texts stand for memory that ran out; a finding without anything to change says "". */
static void add(struct ek_findings *out, enum ek_grade grade, const char *host, const char *check,
                const char *found, const char *change)
{
    if (out->count == out->room) {
        size_t room = out->room == 0 ? 16 : 2 * out->room;
        struct ek_finding *grown = realloc(out->items, room * sizeof(*grown));
        if (grown == NULL) {
            out->failed = true;
            return;
        }
        out->items = grown;
        out->room = room;
    }
    out->failed = out->failed || found == NULL || change == NULL;
    out->items[out->count++] = (struct ek_finding){
        .grade = grade,
        .host = host,
        .check = check,
        .found = found,
        .change = change == NULL || change[0] == '\0' ? NULL : change,
    };
}

/* ---- reached, and one of its kind ---------------------------------------------------------- */

static void judge_identity(struct ek_findings *out, const struct ek_inspection *hosts, size_t count,
                           size_t h)
{
    const struct ek_inspection *host = &hosts[h];

    for (size_t other = 0; host->uuid != NULL && other < count; other++) {
        if (other != h && hosts[other].uuid != NULL && strcmp(hosts[other].uuid, host->uuid) == 0) {
            add(out, EK_GRADE_FAIL, host->host, "identity",
                ek_arena_printf(&out->arena, "it has the same UUID as %s, %s", hosts[other].host,
                                host->uuid),
                ek_arena_printf(
                    &out->arena,
                    "where one machine is listed twice, take one entry out of "
                    "evenkeel.yaml; else set host_uuid in /etc/libvirt/libvirtd.conf of "
                    "%s to the output of uuidgen and restart its libvirtd",
                    host->host));
            return;
        }
    }
    add(out, EK_GRADE_OK, host->host, "identity",
        ek_arena_printf(&out->arena, "UUID %s", host->uuid == NULL ? "not known" : host->uuid), "");
}

/* ---- Pacemaker ----------------------------------------------------------------------------- */

static size_t ignore_rules(const struct ek_rules *rules)
{
    size_t count = 0;

    for (size_t i = 0; i < rules->count; i++) {
        count += rules->items[i].kind == EK_RULE_IGNORE ? 1 : 0;
    }
    return count;
}

/* A domain that Pacemaker manages and somebody else moves is started again where it was: then it
 * runs twice. Nothing in the domain tells that it is Pacemaker's. */
static void judge_pacemaker(struct ek_findings *out, const struct ek_inspection *host,
                            const struct ek_rules *rules)
{
    size_t ignored = ignore_rules(rules);

    if (host->pacemaker == NULL) {
        add(out, EK_GRADE_OK, host->host, "pacemaker", "nothing of it is seen", "");
    } else if (ignored > 0) {
        add(out, EK_GRADE_OK, host->host, "pacemaker",
            ek_arena_printf(&out->arena, "%s; policy.yaml has %zu ignore rule%s", host->pacemaker,
                            ignored, ignored == 1 ? "" : "s"),
            "");
    } else {
        add(out, EK_GRADE_WARN, host->host, "pacemaker", host->pacemaker,
            "domains that Pacemaker manages (VirtualDomain resources, see `pcs resource`) must be "
            "left alone: name them in policy.yaml, rules: - {name: pacemaker, kind: ignore, "
            "domains: [NAME, ...]}");
    }
}

/* ---- shared storage ------------------------------------------------------------------------ */

/* "web-1 vda (/srv/vms/web-1.qcow2), db-1 vdb (/dev/mapper/db-1) and 3 more". */
static const char *list_disks(struct ek_findings *out, const struct ek_inspection *host,
                              bool (*wanted)(const struct ek_shared_disk *disk), size_t *count)
{
    enum { SHOWN = 3 };
    const char *text = "";

    *count = 0;
    for (size_t i = 0; i < host->disk_count && text != NULL; i++) {
        const struct ek_shared_disk *disk = &host->disks[i];
        if (wanted(disk) && (*count)++ < SHOWN) {
            text = ek_arena_printf(&out->arena, "%s%s%s %s (%s)", text, text[0] == '\0' ? "" : ", ",
                                   disk->domain == NULL ? "?" : disk->domain, disk->target,
                                   disk->source);
        }
    }
    return *count > SHOWN && text != NULL
               ? ek_arena_printf(&out->arena, "%s and %zu more", text, *count - SHOWN)
               : text;
}

static bool is_unlocked(const struct ek_shared_disk *disk)
{
    return !disk->leased;
}

static bool is_relabelled(const struct ek_shared_disk *disk)
{
    return disk->relabels;
}

/* Where the line is that decides: here, or on a machine whose files nobody reads from here. */
static const char *whose_conf(struct ek_findings *out, const struct ek_inspection *host)
{
    return host->conf.seen ? ""
           : host->local
               ? "this user may not read " QEMU_CONF "; "
               : ek_arena_printf(&out->arena,
                                 "it cannot be seen over the network: look on %s yourself; ",
                                 host->host);
}

static void judge_locks(struct ek_findings *out, const struct ek_inspection *host)
{
    size_t count = 0;
    const char *disks = list_disks(out, host, is_unlocked, &count);
    const char *manager = host->conf.lock_manager;

    if (count == 0) {
        add(out, EK_GRADE_OK, host->host, "locks",
            "no running domain writes an unleased file or device that other hosts reach", "");
    } else if (manager != NULL && strcmp(manager, "nop") != 0) {
        add(out, EK_GRADE_OK, host->host, "locks",
            ek_arena_printf(&out->arena, "lock_manager is %s", manager), "");
    } else {
        add(out, EK_GRADE_WARN, host->host, "locks",
            disks == NULL ? NULL
                          : ek_arena_printf(&out->arena, "%s shared and written, %s: %s",
                                            count == 1 ? "a disk is" : "disks are",
                                            host->conf.seen ? "without a lock manager"
                                                            : "its lock manager is not seen",
                                            disks),
            ek_arena_printf(&out->arena,
                            "%sin " QEMU_CONF " of every host, lock_manager = \"lockd\" (with "
                            "virtlockd, and file_lockspace_dir on the shared storage in "
                            "/etc/libvirt/qemu-lockd.conf) keeps a second copy from writing if a "
                            "migration's end is lost",
                            whose_conf(out, host)));
    }
}

/* libvirt takes the images of a copy that it destroys back from the user that the other copy runs
 * as: on shared storage that stops the guest that goes on. */
static void judge_ownership(struct ek_findings *out, const struct ek_inspection *host)
{
    size_t count = 0;
    const char *disks = list_disks(out, host, is_relabelled, &count);
    const char *dynamic = host->conf.dynamic_ownership;

    if (count == 0) {
        add(out, EK_GRADE_OK, host->host, "ownership",
            "no running domain has a shared disk whose owner libvirt may change", "");
    } else if (dynamic != NULL && strcmp(dynamic, "0") == 0) {
        add(out, EK_GRADE_OK, host->host, "ownership", "dynamic_ownership is 0", "");
    } else {
        const char *remembers =
            host->conf.remember_owner != NULL && strcmp(host->conf.remember_owner, "0") == 0
                ? ""
                : ", and remember_owner = 0, which network file systems cannot serve";
        add(out, EK_GRADE_WARN, host->host, "ownership",
            disks == NULL ? NULL
                          : ek_arena_printf(&out->arena, "libvirt %s the owner of shared disks: %s",
                                            host->conf.seen ? "changes" : "may change", disks),
            ek_arena_printf(&out->arena,
                            "%sin " QEMU_CONF " of every host, set dynamic_ownership = 0%s (and "
                            "give the images to QEMU's user); or give these disks <seclabel "
                            "model='dac' relabel='no'/>: clearing away a leftover copy else takes "
                            "the disk from the copy that runs",
                            whose_conf(out, host), remembers));
    }
}

/* ---- all ----------------------------------------------------------------------------------- */

static const char *copy_name(struct ek_findings *out, const char *host)
{
    const char *name = ek_arena_strdup(&out->arena, host);

    out->failed = out->failed || name == NULL;
    return name == NULL ? "" : name;
}

void ek_doctor_judge(struct ek_findings *out, const struct ek_inspection *hosts, size_t count,
                     const struct ek_rules *rules)
{
    memset(out, 0, sizeof(*out));
    for (size_t h = 0; h < count; h++) {
        struct ek_inspection host = hosts[h];
        host.host = copy_name(out, host.host);
        if (host.why_not != NULL) {
            add(out, EK_GRADE_FAIL, host.host, "libvirt",
                ek_arena_strdup(&out->arena, host.why_not),
                "see that its libvirtd runs and that this machine may use it at the URI in "
                "evenkeel.yaml; its storage was not looked at");
        } else {
            add(out, EK_GRADE_OK, host.host, "libvirt", "it answers", "");
            judge_identity(out, hosts, count, h);
        }
        judge_pacemaker(out, &host, rules);
        if (host.why_not == NULL) {
            judge_locks(out, &host);
            judge_ownership(out, &host);
        }
    }
}

size_t ek_findings_count(const struct ek_findings *findings, enum ek_grade grade)
{
    size_t count = 0;

    for (size_t i = 0; i < findings->count; i++) {
        count += findings->items[i].grade == grade ? 1 : 0;
    }
    return count;
}

void ek_findings_finish(struct ek_findings *findings)
{
    free(findings->items);
    ek_arena_finish(&findings->arena);
    memset(findings, 0, sizeof(*findings));
}
