/* The doctor's checks of storage: pools that are alike, locks, owners. */
#include "balancer/tools/doctor/doctor_internal.h"

#include <string.h>

/* ---- pools --------------------------------------------------------------------------------- */

static const struct ek_seen_pool *find_pool(const struct ek_inspection *host, const char *name)
{
    for (size_t i = 0; i < host->pool_count; i++) {
        if (strcmp(host->pools[i].name, name) == 0) {
            return &host->pools[i];
        }
    }
    return NULL;
}

static const char *or_nothing(const char *text)
{
    return text == NULL ? "nothing" : text;
}

/* A pool's name is taken for the same storage everywhere: by it the planner decides where a domain
 * may go. */
static void compare_pools(struct ek_judgement *it, struct ek_notes *notes, size_t h, size_t other,
                          const struct ek_seen_pool *here, const struct ek_seen_pool *there)
{
    struct ek_findings *out = it->out;

    if ((here->shared || there->shared) &&
        (!ek_same_text(here->type, there->type) || !ek_same_text(here->source, there->source))) {
        ek_pair_obstruct(out, other, h, EK_CHECK_POOLS);
        ek_note(notes, EK_GRADE_FAIL,
                ek_judge_text(out, "pool %s is %s of %s here and %s of %s on %s", here->name,
                              here->type, or_nothing(here->source), there->type,
                              or_nothing(there->source), out->hosts[other]),
                ek_judge_text(out,
                              "one name must mean one storage: virsh pool-edit %s on one of them",
                              here->name));
    } else if (!ek_same_text(here->target, there->target)) {
        ek_pair_obstruct(out, other, h, EK_CHECK_POOLS);
        ek_note(notes, EK_GRADE_WARN,
                ek_judge_text(out, "pool %s lies in %s here and in %s on %s", here->name,
                              or_nothing(here->target), or_nothing(there->target),
                              out->hosts[other]),
                ek_judge_text(out,
                              "a disk has one path on every host: give pool %s the same <target> "
                              "with virsh pool-edit",
                              here->name));
    }
}

static void judge_pool(struct ek_judgement *it, struct ek_notes *notes, size_t h,
                       const struct ek_seen_pool *pool)
{
    struct ek_findings *out = it->out;

    if (!pool->active || !pool->autostart) {
        ek_note(notes, EK_GRADE_WARN,
                ek_judge_text(out, "pool %s is %s", pool->name,
                              !pool->active ? "not active" : "not started with the host"),
                ek_judge_text(out, "on %s: virsh %s %s", out->hosts[h],
                              !pool->active ? "pool-start" : "pool-autostart", pool->name));
    }
    for (size_t other = 0; other < it->seen->count; other++) {
        const struct ek_seen_pool *there =
            other == h ? NULL : find_pool(&it->seen->hosts[other], pool->name);
        if (there != NULL) {
            /* With the first one that has it: else all of the others complain of one. */
            if (other < h) {
                compare_pools(it, notes, h, other, pool, there);
            }
            return;
        }
    }
}

/* Pools that domains of another host use. */
static void look_for_pools(struct ek_judgement *it, size_t h, size_t other,
                           struct ek_names *missing)
{
    const struct ek_inspection *there = &it->seen->hosts[other];

    for (size_t d = 0; d < there->domain_count; d++) {
        const struct ek_seen_domain *domain = &there->domains[d];
        for (size_t i = 0; i < domain->pools.count; i++) {
            if (find_pool(&it->seen->hosts[h], domain->pools.items[i]) == NULL) {
                ek_pair_obstruct(it->out, other, h, EK_CHECK_POOLS);
                ek_names_add(it->out, missing, domain->pools.items[i], other);
            }
        }
    }
}

static void note_missing_pools(struct ek_judgement *it, struct ek_notes *notes, size_t h,
                               const struct ek_names *missing)
{
    if (missing->count > 0) {
        const struct ek_name *first = &missing->items[0];
        ek_note(notes, EK_GRADE_WARN,
                ek_judge_text(it->out, "%s missing, which domains elsewhere use",
                              ek_names_text(it->out, "pool", missing)),
                ek_judge_text(it->out,
                              "virsh -c '%s' pool-dumpxml --inactive %s > %s.xml, then on %s: "
                              "virsh pool-define %s.xml, pool-start, pool-autostart",
                              it->seen->hosts[first->host].uri, first->name, first->name,
                              it->out->hosts[h], first->name));
    }
}

void ek_judge_pools(struct ek_judgement *it, size_t h)
{
    const struct ek_inspection *host = &it->seen->hosts[h];
    struct ek_notes notes = ek_notes_begin(it->out, it->out->hosts[h], EK_CHECK_POOLS);
    struct ek_names missing = {.count = 0};

    if (!host->pools_seen) {
        ek_note(&notes, EK_GRADE_UNSEEN, "its libvirt lists no storage pools",
                "install libvirt's storage driver (libvirt-daemon-driver-storage) there");
    }
    for (size_t i = 0; i < host->pool_count; i++) {
        judge_pool(it, &notes, h, &host->pools[i]);
    }
    for (size_t other = 0; host->pools_seen && other < it->seen->count; other++) {
        if (other != h) {
            look_for_pools(it, h, other, &missing);
        }
    }
    note_missing_pools(it, &notes, h, &missing);
    ek_notes_end(&notes, ek_judge_text(it->out, "%zu, as on the other hosts", host->pool_count));
}

/* ---- shared disks -------------------------------------------------------------------------- */

/* "web-1 vda (/srv/vms/web-1.qcow2), db-1 vdb (/dev/mapper/db-1) and 3 more". */
static const char *list_disks(struct ek_findings *out, const struct ek_inspection *host,
                              bool (*wanted)(const struct ek_shared_disk *disk), size_t *count)
{
    struct ek_listed list = {0};

    for (size_t i = 0; i < host->disk_count; i++) {
        const struct ek_shared_disk *disk = &host->disks[i];
        if (wanted(disk)) {
            ek_list_add(out, &list,
                        ek_judge_text(out, "%s %s (%s)", disk->domain == NULL ? "?" : disk->domain,
                                      disk->target, disk->source));
        }
    }
    *count = list.count;
    return ek_list_text(out, &list);
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
               ? "this user may not read " EK_QEMU_CONF "; "
               : ek_judge_text(out, "it cannot be seen over the network: look on %s yourself; ",
                               host->host);
}

void ek_judge_locks(struct ek_judgement *it, size_t h)
{
    const struct ek_inspection *host = &it->seen->hosts[h];
    struct ek_notes notes = ek_notes_begin(it->out, it->out->hosts[h], EK_CHECK_LOCKS);
    size_t count = 0;
    const char *disks = list_disks(it->out, host, is_unlocked, &count);
    const char *manager = host->conf.lock_manager;
    const char *well = "no running domain writes an unleased file or device that other hosts reach";

    if (count > 0 && manager != NULL && strcmp(manager, "nop") != 0) {
        well = ek_judge_text(it->out, "lock_manager is %s", manager);
    } else if (count > 0) {
        ek_note(
            &notes, EK_GRADE_WARN,
            ek_judge_text(
                it->out, "%s shared and written, %s: %s", count == 1 ? "a disk is" : "disks are",
                host->conf.seen ? "without a lock manager" : "its lock manager is not seen", disks),
            ek_judge_text(it->out,
                          "%sin " EK_QEMU_CONF
                          " of every host, lock_manager = \"lockd\" (with virtlockd, and "
                          "file_lockspace_dir on the shared storage in "
                          "/etc/libvirt/qemu-lockd.conf) keeps a second copy from writing if "
                          "a migration's end is lost",
                          whose_conf(it->out, host)));
    }
    ek_notes_end(&notes, well);
}

/* libvirt takes the images of a copy that it destroys back from the user that the other copy runs
 * as: on shared storage that stops the guest that goes on. */
void ek_judge_ownership(struct ek_judgement *it, size_t h)
{
    const struct ek_inspection *host = &it->seen->hosts[h];
    struct ek_notes notes = ek_notes_begin(it->out, it->out->hosts[h], EK_CHECK_OWNERSHIP);
    size_t count = 0;
    const char *disks = list_disks(it->out, host, is_relabelled, &count);
    const char *well = "no running domain has a shared disk whose owner libvirt may change";

    if (count > 0 && ek_same_text(host->conf.dynamic_ownership, "0")) {
        well = "dynamic_ownership is 0";
    } else if (count > 0) {
        const char *remembers =
            ek_same_text(host->conf.remember_owner, "0")
                ? ""
                : ", and remember_owner = 0, which network file systems cannot serve";
        ek_note(&notes, EK_GRADE_WARN,
                ek_judge_text(it->out, "libvirt %s the owner of shared disks: %s",
                              host->conf.seen ? "changes" : "may change", disks),
                ek_judge_text(it->out,
                              "%sin " EK_QEMU_CONF
                              " of every host, set dynamic_ownership = 0%s (and give the images "
                              "to QEMU's user); or give these disks <seclabel model='dac' "
                              "relabel='no'/>: clearing away a leftover copy else takes the disk "
                              "from the copy that runs",
                              whose_conf(it->out, host), remembers));
    }
    ek_notes_end(&notes, well);
}
