/* Laws of the doctor's judgement: each thing that is wrong has its grade, and what to change. */
#include "balancer/tools/doctor.h"
#include "tests/lib/cmocka.h"

#include <string.h>

enum { HOSTS = 2 };

static struct ek_inspection seen[HOSTS];
static struct ek_rules rules;
static struct ek_findings findings;

static struct ek_shared_disk disks[] = {
    {"web-1", "vda", "/srv/vms/web-1.qcow2", true, false},
    {"web-2", "vda", "/srv/vms/web-2.qcow2", true, false},
    {"db-1", "vda", "/dev/mapper/db-1", true, true},
    {"db-2", "vda", "/dev/mapper/db-2", false, false},
    {"db-3", "vda", "/dev/mapper/db-3", true, false},
    {"db-4", "vda", "/dev/mapper/db-4", true, false},
};

/* Two sound hosts without a shared disk, far away. */
static int setup(void **state)
{
    (void)state;
    seen[0] = (struct ek_inspection){.host = "h1", .uuid = "u1"};
    seen[1] = (struct ek_inspection){.host = "h2", .uuid = "u2"};
    rules = (struct ek_rules){.count = 0};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ek_findings_finish(&findings);
    return 0;
}

static const struct ek_finding *judge(const char *host, const char *check)
{
    ek_findings_finish(&findings);
    ek_doctor_judge(&findings, seen, HOSTS, &rules);
    assert_false(findings.failed);
    for (size_t i = 0; i < findings.count; i++) {
        const struct ek_finding *finding = &findings.items[i];
        if (strcmp(finding->host, host) == 0 && strcmp(finding->check, check) == 0) {
            return finding;
        }
    }
    return NULL;
}

static void expect(const char *host, const char *check, enum ek_grade grade, const char *found,
                   const char *change)
{
    const struct ek_finding *finding = judge(host, check);

    assert_non_null(finding);
    assert_string_equal(ek_grade_name(finding->grade), ek_grade_name(grade));
    if (strstr(finding->found, found) == NULL) {
        assert_string_equal(finding->found, found);
    }
    /* What is well needs no change, all else has one. */
    assert_int_equal(finding->change == NULL, grade == EK_GRADE_OK);
    if (change != NULL && strstr(finding->change, change) == NULL) {
        assert_string_equal(finding->change, change);
    }
}

/* Sound hosts have five checks each, and nothing to change. */
static void sound_hosts_have_nothing_to_change(void **state)
{
    (void)state;
    expect("h2", "libvirt", EK_GRADE_OK, "it answers", NULL);
    assert_int_equal(findings.count, HOSTS * 5);
    assert_int_equal(ek_findings_count(&findings, EK_GRADE_OK), HOSTS * 5);
}

/* A host that cannot be reached fails, and its storage is not judged by what is not known. */
static void an_unreachable_host_fails(void **state)
{
    (void)state;
    seen[1].why_not = "qemu+tls://h2/system: no answer";
    expect("h2", "libvirt", EK_GRADE_FAIL, "no answer", "evenkeel.yaml");
    assert_null(judge("h2", "locks"));
    assert_int_equal(ek_findings_count(&findings, EK_GRADE_FAIL), 1);
}

/* One UUID on two hosts fails on both, and each names the other. */
static void one_uuid_twice_fails(void **state)
{
    (void)state;
    seen[1].uuid = "u1";
    expect("h1", "identity", EK_GRADE_FAIL, "same UUID as h2, u1", "host_uuid");
    expect("h2", "identity", EK_GRADE_FAIL, "same UUID as h1, u1", "libvirtd.conf of h2");
}

/* Pacemaker is warned of until there is a rule that leaves something alone. */
static void pacemaker_needs_an_ignore_rule(void **state)
{
    struct ek_rule rule = {.kind = EK_RULE_PIN};

    (void)state;
    seen[0].pacemaker = "TCP port 2224 (pcsd) answers";
    rules = (struct ek_rules){.items = &rule, .count = 1};
    expect("h1", "pacemaker", EK_GRADE_WARN, "TCP port 2224 (pcsd) answers", "kind: ignore");
    expect("h2", "pacemaker", EK_GRADE_OK, "nothing", NULL);
    rule.kind = EK_RULE_IGNORE;
    expect("h1", "pacemaker", EK_GRADE_OK, "policy.yaml has 1 ignore rule", NULL);
}

/* Far away qemu.conf cannot be seen: the line to look at is named, and who is concerned. A lease
 * locks, relabel='no' keeps the owner. */
static void what_is_not_seen_is_said(void **state)
{
    (void)state;
    seen[0].disks = disks;
    seen[0].disk_count = 6;
    expect(
        "h1", "locks", EK_GRADE_WARN,
        "its lock manager is not seen: web-1 vda (/srv/vms/web-1.qcow2), web-2 vda "
        "(/srv/vms/web-2.qcow2), db-2 vda (/dev/mapper/db-2) and 2 more",
        "look on h1 yourself; in /etc/libvirt/qemu.conf of every host, lock_manager = \"lockd\"");
    expect("h1", "ownership", EK_GRADE_WARN, "may change the owner of shared disks: web-1",
           "set dynamic_ownership = 0, and remember_owner = 0");
}

/* On this machine the file decides. */
static void what_is_seen_decides(void **state)
{
    (void)state;
    seen[0].local = true;
    seen[0].disks = disks;
    seen[0].disk_count = 1;
    seen[0].conf = (struct ek_qemu_conf){.seen = true, .remember_owner = "0"};
    expect("h1", "locks", EK_GRADE_WARN, "a disk is shared and written, without a lock manager",
           "in /etc/libvirt/qemu.conf");
    expect("h1", "ownership", EK_GRADE_WARN, "libvirt changes the owner",
           "dynamic_ownership = 0 (and");
    seen[0].conf.lock_manager = "lockd";
    seen[0].conf.dynamic_ownership = "0";
    expect("h1", "locks", EK_GRADE_OK, "lock_manager is lockd", NULL);
    expect("h1", "ownership", EK_GRADE_OK, "dynamic_ownership is 0", NULL);
    seen[0].conf.lock_manager = "nop";
    expect("h1", "locks", EK_GRADE_WARN, "without a lock manager", NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sound_hosts_have_nothing_to_change),
        TEST(an_unreachable_host_fails),
        TEST(one_uuid_twice_fails),
        TEST(pacemaker_needs_an_ignore_rule),
        TEST(what_is_not_seen_is_said),
        TEST(what_is_seen_decides),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
