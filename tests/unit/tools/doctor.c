/* Laws of the doctor's judgement: each thing that is wrong has its grade, and what to change. */
#include "balancer/tools/doctor/doctor.h"
#include "tests/lib/cmocka.h"

#include <stdio.h>
#include <string.h>

enum { HOSTS = 3 };

#define STRINGS(...)                                                                        \
    {                                                                                       \
        .items = (const char *const[]){__VA_ARGS__},                                        \
        .count = sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *), .given = true \
    }

static struct ek_inspection hosts[HOSTS];
static struct ek_cluster_seen seen;
static struct ek_policy policy;
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

/* Three sound hosts without domains, far away, whose names lead to them. */
static int setup(void **state)
{
    static const char *const names[HOSTS] = {"h1", "h2", "h3"};
    static const char *const uuids[HOSTS] = {"u1", "u2", "u3"};
    static const char *const uris[HOSTS] = {"qemu+tls://h1/system", "qemu+tls://h2/system",
                                            "qemu+tls://h3/system"};

    (void)state;
    for (size_t h = 0; h < HOSTS; h++) {
        hosts[h] = (struct ek_inspection){
            .host = names[h],
            .uri = uris[h],
            .uuid = uuids[h],
            .own_name = names[h],
            .hypervisor = "QEMU",
            .version = 7002022,
            .lib_version = 9000000,
            .memory_mib = 1000,
            .pools_seen = true,
            .networks_seen = true,
            .filters_seen = true,
            .arrivals = {.address = names[h],
                         .resolves = true,
                         .tried = names[h],
                         .ports = {{49152, EK_REACH_CLOSED}, {49153, EK_REACH_OPEN}},
                         .port_count = 2}};
    }
    seen = (struct ek_cluster_seen){.hosts = hosts, .count = HOSTS};
    rules = (struct ek_rules){.count = 0};
    ek_policy_defaults(&policy);
    policy.memory_reserve = 0;
    policy.rules = &rules;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ek_findings_finish(&findings);
    return 0;
}

/* Of a host, or of all of them (NULL). */
static const struct ek_finding *judge(const char *host, enum ek_check check)
{
    ek_findings_finish(&findings);
    ek_doctor_judge(&findings, &seen, &policy);
    assert_false(findings.failed);
    for (size_t i = 0; i < findings.count; i++) {
        const struct ek_finding *finding = &findings.items[i];
        bool mine = host == NULL || finding->host == NULL ? host == finding->host
                                                          : strcmp(finding->host, host) == 0;
        if (mine && finding->check == check) {
            return finding;
        }
    }
    return NULL;
}

static void has_text(const char *text, const char *piece)
{
    if (strstr(text, piece) == NULL) {
        assert_string_equal(text, piece);
    }
}

static void expect(const char *host, enum ek_check check, enum ek_grade grade, const char *found,
                   const char *change)
{
    const struct ek_finding *finding = judge(host, check);

    assert_non_null(finding);
    if (finding->grade != grade) {
        fail_msg("%s %s of %s: %s", ek_grade_name(finding->grade), ek_check_name(check),
                 host == NULL ? "all" : host, finding->found);
    }
    has_text(finding->found, found);
    /* What is well needs no change, all else has one. */
    assert_int_equal(finding->change == NULL, grade == EK_GRADE_OK);
    if (change != NULL) {
        has_text(finding->change, change);
    }
}

/* Which checks are in the way from one host to another. */
static unsigned int pair(size_t source, size_t destination)
{
    return findings.pairs[source * HOSTS + destination];
}

/* ---- reached, named, and one of its kind ------------------------------------------------------
 */

/* Sound hosts have nothing to change, and what cannot be seen of them is said. */
static void sound_hosts_have_nothing_to_change(void **state)
{
    (void)state;
    expect("h2", EK_CHECK_LIBVIRT, EK_GRADE_OK, "it answers", NULL);
    expect(NULL, EK_CHECK_PEERS, EK_GRADE_UNSEEN, "only a migration shows", "virsh -c URI list");
    expect(NULL, EK_CHECK_CLOCK, EK_GRADE_UNSEEN, "no host's clock", "chronyc");
    assert_int_equal(ek_findings_count(&findings, EK_GRADE_FAIL), 0);
    assert_int_equal(ek_findings_count(&findings, EK_GRADE_WARN), 0);
    /* Those of all hosts, and of each its CPU, which is not known here, and Pacemaker. */
    assert_int_equal(ek_findings_count(&findings, EK_GRADE_UNSEEN), 2 + HOSTS * 2);
    for (size_t i = 0; i < HOSTS * HOSTS; i++) {
        assert_int_equal(findings.pairs[i], 0);
    }
}

/* A host that cannot be reached fails, and is not judged by what is not known of it. */
static void an_unreachable_host_fails(void **state)
{
    (void)state;
    hosts[1].why_not = "qemu+tls://h2/system: no answer";
    expect("h2", EK_CHECK_LIBVIRT, EK_GRADE_FAIL, "no answer",
           "virsh -c 'qemu+tls://h2/system' list");
    assert_null(judge("h2", EK_CHECK_LOCKS));
    assert_int_equal(ek_findings_count(&findings, EK_GRADE_FAIL), 1);
    assert_int_equal(pair(0, 1), 1U << EK_CHECK_LIBVIRT);
    assert_int_equal(pair(1, 0), 1U << EK_CHECK_LIBVIRT);
    assert_int_equal(pair(0, 2), 0);
}

/* One UUID on two hosts fails on both, and each names the other. */
static void one_uuid_twice_fails(void **state)
{
    (void)state;
    hosts[1].uuid = "u1";
    expect("h1", EK_CHECK_IDENTITY, EK_GRADE_FAIL, "same UUID as h2, u1", "host_uuid");
    expect("h2", EK_CHECK_IDENTITY, EK_GRADE_FAIL, "same UUID as h1, u1", "libvirtd.conf of h2");
}

/* A host that calls itself localhost, or as another does, fails. */
static void a_host_needs_a_name_of_its_own(void **state)
{
    (void)state;
    hosts[0].own_name = "localhost.localdomain";
    expect("h1", EK_CHECK_NAMES, EK_GRADE_FAIL, "calls itself localhost", "hostnamectl");
    hosts[0].own_name = "h2";
    expect("h1", EK_CHECK_NAMES, EK_GRADE_FAIL, "calls itself h2, as h2 does", "hostnamectl");
    assert_int_equal(pair(1, 0) & 1U << EK_CHECK_NAMES, 1U << EK_CHECK_NAMES);
}

/* A name that leads back to who resolves it is a warning where qemu.conf may know another, and a
 * failure where evenkeel.yaml itself says so; a good migration_uri makes the name irrelevant. */
static void a_loopback_name_is_a_trap(void **state)
{
    struct ek_seen_arrivals *arrivals = &hosts[1].arrivals;

    (void)state;
    arrivals->loopback = true;
    expect("h2", EK_CHECK_NAMES, EK_GRADE_WARN, "sends the guest to itself", "migration_uri");
    assert_int_equal(pair(0, 1), 1U << EK_CHECK_NAMES);
    arrivals->configured = true;
    expect("h2", EK_CHECK_NAMES, EK_GRADE_FAIL, "sends the guest to itself", "migration_uri");
    arrivals->loopback = false;
    hosts[1].own_name = "localhost";
    expect("h2", EK_CHECK_NAMES, EK_GRADE_OK, "guests are sent to h2", NULL);
}

static void a_name_that_does_not_resolve_is_told(void **state)
{
    (void)state;
    hosts[2].arrivals.resolves = false;
    expect("h3", EK_CHECK_NAMES, EK_GRADE_WARN, "does not resolve here", "/etc/hosts");
}

/* Refused means reached; no answer and no way are warnings that name port and firewall. */
static void silent_ports_are_warned_of(void **state)
{
    (void)state;
    expect("h1", EK_CHECK_PORTS, EK_GRADE_OK, "49152, 49153 of h1: reached", NULL);
    hosts[0].arrivals.ports[1].reach = EK_REACH_SILENT;
    expect("h1", EK_CHECK_PORTS, EK_GRADE_WARN, "no answer from h1 port 49153",
           "--add-port=49152-49215/tcp");
    hosts[0].arrivals.ports[1].reach = EK_REACH_BARRED;
    expect("h1", EK_CHECK_PORTS, EK_GRADE_WARN, "no way to h1 port 49153", "nftables.conf");
    assert_int_equal(pair(2, 0), 1U << EK_CHECK_PORTS);
    hosts[0].arrivals.port_count = 0;
    expect("h1", EK_CHECK_PORTS, EK_GRADE_UNSEEN, "its URI is local", "nc -zv h1 49152");
    /* As behind an alias of ssh's. */
    hosts[1].arrivals.ports[0].reach = hosts[1].arrivals.ports[1].reach = EK_REACH_UNKNOWN;
    expect("h2", EK_CHECK_PORTS, EK_GRADE_UNSEEN, "h2 does not resolve here", "nc -zv h2 49152");
}

/* No other host migrates to a URI that means "this machine". */
static void a_local_uri_is_no_destination(void **state)
{
    (void)state;
    hosts[0].local = true;
    hosts[0].uri = "qemu:///system";
    expect("h1", EK_CHECK_PEERS, EK_GRADE_FAIL, "qemu:///system is local", "evenkeel.yaml");
    assert_int_equal(pair(1, 0), 1U << EK_CHECK_PEERS);
    assert_int_equal(pair(0, 1), 0);
    hosts[1].ssh = true;
    expect(NULL, EK_CHECK_PEERS, EK_GRADE_UNSEEN, "", "known_hosts");
}

/* A rule whose domains run nowhere is mistyped, mostly; while a host is silent they may be there. A
 * rule is about domains by name, pattern, UUID or label. */
static void rules_about_nothing_are_told(void **state)
{
    static const struct ek_label tier = {"tier", "web"};
    static struct ek_seen_domain domains[] = {
        {.name = "web-1", .uuid = "u-1", .labels = {.items = &tier, .count = 1}}};
    struct ek_rule items[] = {
        {.name = "glob", .kind = EK_RULE_IGNORE, .domains = STRINGS("web-*")},
        {.name = "label", .kind = EK_RULE_IGNORE, .domains = STRINGS("label:tier=web")},
        {.name = "uuid", .kind = EK_RULE_IGNORE, .domains = STRINGS("x", "u-1")},
        {.name = "hosts", .kind = EK_RULE_IGNORE, .hosts = STRINGS("h1")},
        {.name = "typo", .kind = EK_RULE_IGNORE, .domains = STRINGS("wep-*")},
    };

    (void)state;
    assert_null(judge(NULL, EK_CHECK_RULES));
    hosts[1].domains = domains;
    hosts[1].domain_count = 1;
    rules = (struct ek_rules){.items = items, .count = 4};
    expect(NULL, EK_CHECK_RULES, EK_GRADE_OK, "4 rules", NULL);
    rules.count = 5;
    expect(NULL, EK_CHECK_RULES, EK_GRADE_WARN, "is what rule typo is about", "compare `domains`");
    hosts[2].why_not = "it is off";
    expect(NULL, EK_CHECK_RULES, EK_GRADE_UNSEEN, "on the hosts that answer", NULL);
}

/* QEMU's own certificates are files of each host. */
static void certificates_are_not_seen(void **state)
{
    (void)state;
    policy.tls = true;
    (void)judge(NULL, EK_CHECK_PEERS);
    assert_int_equal(ek_findings_count(&findings, EK_GRADE_UNSEEN), 3 + HOSTS * 2);
    seen.count = 1;
    assert_null(judge("h1", EK_CHECK_MEMORY));
    assert_null(judge(NULL, EK_CHECK_PEERS));
}

/* ---- what each has for the others' domains ----------------------------------------------------
 */

/* Guests move to newer versions only: the older host is told, with the direction. */
static void older_versions_take_nobody(void **state)
{
    (void)state;
    hosts[2].version = 6002000;
    expect("h3", EK_CHECK_VERSIONS, EK_GRADE_WARN,
           "it has QEMU 6.2.0, libvirt 9.0.0: nothing moves to it from h1 (QEMU 7.2.22, libvirt "
           "9.0.0), h2",
           "upgrade QEMU and libvirt of h3");
    expect("h1", EK_CHECK_VERSIONS, EK_GRADE_OK, "QEMU 7.2.22, libvirt 9.0.0", NULL);
    assert_int_equal(pair(0, 2), 1U << EK_CHECK_VERSIONS);
    assert_int_equal(pair(2, 0), 0);
    hosts[2].hypervisor = "Xen";
    expect("h3", EK_CHECK_VERSIONS, EK_GRADE_FAIL, "its hypervisor is Xen", "one kind");
}

/* A CPU that a host does not give is named with the domain, and with the host whose it is. */
static void cpus_are_compared_both_ways(void **state)
{
    static enum ek_cpu_verdict of_guest[HOSTS] = {EK_CPU_GIVEN, EK_CPU_NOT_GIVEN, EK_CPU_GIVEN};
    static enum ek_cpu_verdict of_host[HOSTS] = {EK_CPU_GIVEN, EK_CPU_NOT_GIVEN, EK_CPU_GIVEN};
    struct ek_seen_domain domain = {
        .name = "web-1", .memory_mib = 100, .cpu = {.xml = "<cpu g/>", .number = 2}};
    struct ek_compared_cpu cpus[] = {{.cpu = {.xml = "<cpu h/>"}, .verdicts = of_host},
                                     {.cpu = {.xml = "<cpu g/>"}, .verdicts = of_guest}};

    (void)state;
    seen.cpus = cpus;
    seen.cpu_count = 2;
    for (size_t h = 0; h < HOSTS; h++) {
        hosts[h].cpu = (struct ek_seen_cpu){.xml = "<cpu h/>", .number = 1};
    }
    hosts[0].domains = &domain;
    hosts[0].domain_count = 1;
    expect("h2", EK_CHECK_CPU, EK_GRADE_WARN,
           "cannot give their CPU to web-1 (on h1); it lacks features of the CPU of h1, h3",
           "hypervisor-cpu-baseline");
    expect("h3", EK_CHECK_CPU, EK_GRADE_OK, "gives the CPUs", NULL);
    assert_int_equal(pair(0, 1), 1U << EK_CHECK_CPU);
    assert_int_equal(pair(1, 0), 0);
    of_host[2] = EK_CPU_UNSEEN;
    expect("h3", EK_CHECK_CPU, EK_GRADE_UNSEEN, "does not compare its CPU with that of 2 other",
           "virsh cpu-compare");
}

/* Networks and bridges of others' domains; a bridge is missing only where bridges are listed. */
static void networks_and_bridges_are_looked_for(void **state)
{
    struct ek_seen_network lan = {.name = "lan", .active = true, .autostart = true};
    struct ek_seen_network asleep = {.name = "lan", .active = false};
    struct ek_seen_domain domain = {
        .name = "web-1", .memory_mib = 100, .networks = STRINGS("lan"), .bridges = STRINGS("br0")};

    (void)state;
    hosts[0].domains = &domain;
    hosts[0].domain_count = 1;
    hosts[0].networks = hosts[1].networks = &lan;
    hosts[0].network_count = hosts[1].network_count = 1;
    hosts[0].links = hosts[1].links = (struct ek_strings)STRINGS("eth0", "br0");
    hosts[2].links = (struct ek_strings)STRINGS("eth0");
    expect("h2", EK_CHECK_NETWORKS, EK_GRADE_OK, "it has those", NULL);
    expect("h3", EK_CHECK_NETWORKS, EK_GRADE_WARN, "network lan is missing", "net-dumpxml");
    expect("h3", EK_CHECK_NETWORKS, EK_GRADE_WARN, "bridge br0 is missing",
           "make it on h3 as on h1");
    assert_int_equal(pair(0, 2), 1U << EK_CHECK_NETWORKS);
    assert_int_equal(pair(1, 2), 0);
    hosts[2].networks = &asleep;
    hosts[2].network_count = 1;
    hosts[2].links = (struct ek_strings){.given = false};
    expect("h3", EK_CHECK_NETWORKS, EK_GRADE_WARN, "network lan is not active", "net-start lan");
    expect("h3", EK_CHECK_NETWORKS, EK_GRADE_WARN, "bridge br0 is not listed", "ip link show br0");
}

/* What many domains lack is one finding: each name once, the first three of them. */
static void many_lacks_are_one_finding(void **state)
{
    struct ek_seen_domain domains[40];
    char names[40][8];
    const char *items[40];

    (void)state;
    for (size_t i = 0; i < 40; i++) {
        assert_true(snprintf(names[i], sizeof(names[i]), "net-%zu", i % 5) > 0);
        items[i] = names[i];
        domains[i] = (struct ek_seen_domain){
            .name = "a", .memory_mib = 1, .networks = {.items = &items[i], .count = 1}};
    }
    hosts[0].domains = domains;
    hosts[0].domain_count = 40;
    expect("h2", EK_CHECK_NETWORKS, EK_GRADE_WARN,
           "networks net-0, net-1, net-2 and 2 more are missing", "net-define net-0.xml");
}

static void filters_are_compared(void **state)
{
    struct ek_seen_filter web = {.name = "web", .rules = "<rule a/>"};
    struct ek_seen_filter other = {.name = "web", .rules = "<rule b/>"};
    struct ek_seen_domain domain = {.name = "web-1", .memory_mib = 100, .filters = STRINGS("web")};

    (void)state;
    hosts[0].domains = &domain;
    hosts[0].domain_count = 1;
    hosts[0].filters = &web;
    hosts[1].filters = &other;
    hosts[0].filter_count = hosts[1].filter_count = 1;
    expect("h2", EK_CHECK_FILTERS, EK_GRADE_WARN, "filter web is other than on h1",
           "nwfilter-dumpxml web");
    expect("h3", EK_CHECK_FILTERS, EK_GRADE_WARN, "filter web is missing", "nwfilter-define");
    other.rules = web.rules;
    expect("h2", EK_CHECK_FILTERS, EK_GRADE_OK, "", NULL);
}

/* What fits nowhere when a host is lost; the reserve of the policy counts. */
static void the_loss_of_a_host_is_reckoned(void **state)
{
    struct ek_seen_domain here[] = {{.name = "a", .memory_mib = 600},
                                    {.name = "b", .memory_mib = 500}};
    struct ek_seen_domain there[] = {{.name = "c", .memory_mib = 400}};

    (void)state;
    hosts[0].domains = here;
    hosts[0].domain_count = 2;
    hosts[1].domains = there;
    hosts[1].domain_count = 1;
    expect("h1", EK_CHECK_MEMORY, EK_GRADE_OK, "its 2 domains (1100 MiB) would fit", NULL);
    policy.memory_reserve = 0.15;
    expect("h1", EK_CHECK_MEMORY, EK_GRADE_WARN, "b (500 MiB) would find no room", "spare_hosts");
    expect("h2", EK_CHECK_MEMORY, EK_GRADE_OK, "", NULL);
    hosts[2].why_not = "gone";
    expect("h1", EK_CHECK_MEMORY, EK_GRADE_WARN, "a (600 MiB), b (500 MiB) would find", NULL);
}

/* ---- storage, Pacemaker ------------------------------------------------------------------------
 */

/* One name must mean one storage, at one path; what a domain elsewhere uses must be there. */
static void pools_are_compared(void **state)
{
    struct ek_seen_pool nfs = {.name = "vms",
                               .type = "netfs",
                               .target = "/srv/vms",
                               .source = "nas:/a",
                               .shared = true,
                               .active = true,
                               .autostart = true};
    struct ek_seen_pool other = nfs;
    struct ek_seen_domain domain = {.name = "web-1", .memory_mib = 100, .pools = STRINGS("vms")};

    (void)state;
    hosts[0].domains = &domain;
    hosts[0].domain_count = 1;
    hosts[0].pools = &nfs;
    hosts[1].pools = &other;
    hosts[0].pool_count = hosts[1].pool_count = 1;
    expect("h2", EK_CHECK_POOLS, EK_GRADE_OK, "1, as on the other hosts", NULL);
    expect("h3", EK_CHECK_POOLS, EK_GRADE_WARN, "pool vms is missing", "pool-define vms.xml");
    assert_int_equal(pair(0, 2), 1U << EK_CHECK_POOLS);
    other.source = "nas:/b";
    expect("h2", EK_CHECK_POOLS, EK_GRADE_FAIL, "netfs of nas:/b here and netfs of nas:/a on h1",
           "pool-edit vms");
    expect("h1", EK_CHECK_POOLS, EK_GRADE_OK, "", NULL);
    other.source = "nas:/a";
    other.target = "/mnt";
    expect("h2", EK_CHECK_POOLS, EK_GRADE_WARN, "lies in /mnt here and in /srv/vms on h1",
           "<target>");
    other.target = "/srv/vms";
    other.active = false;
    expect("h2", EK_CHECK_POOLS, EK_GRADE_WARN, "pool vms is not active", "pool-start vms");
    other.active = true;
    other.autostart = false;
    expect("h2", EK_CHECK_POOLS, EK_GRADE_WARN, "not started with the host", "pool-autostart vms");
    hosts[1].pools_seen = false;
    hosts[1].pool_count = 0;
    expect("h2", EK_CHECK_POOLS, EK_GRADE_UNSEEN, "lists no storage pools", NULL);
}

/* Pacemaker is warned of until there is a rule that leaves something alone; that it is not seen
 * from outside is no sign that it is not there. */
static void pacemaker_needs_an_ignore_rule(void **state)
{
    struct ek_rule rule = {.kind = EK_RULE_PIN};

    (void)state;
    hosts[0].pacemaker = "TCP port 2224 (pcsd) answers";
    rules = (struct ek_rules){.items = &rule, .count = 1};
    expect("h1", EK_CHECK_PACEMAKER, EK_GRADE_WARN, "TCP port 2224 (pcsd) answers", "kind: ignore");
    expect("h2", EK_CHECK_PACEMAKER, EK_GRADE_UNSEEN, "not seen from outside", "systemctl");
    hosts[1].local = true;
    expect("h2", EK_CHECK_PACEMAKER, EK_GRADE_OK, "does not run", NULL);
    rule.kind = EK_RULE_IGNORE;
    expect("h1", EK_CHECK_PACEMAKER, EK_GRADE_OK, "policy.yaml has 1 ignore rule", NULL);
}

/* Far away qemu.conf cannot be seen: the line to look at is named, and who is concerned. A lease
 * locks, relabel='no' keeps the owner. */
static void what_is_not_seen_is_said(void **state)
{
    (void)state;
    hosts[0].disks = disks;
    hosts[0].disk_count = 6;
    expect(
        "h1", EK_CHECK_LOCKS, EK_GRADE_WARN,
        "its lock manager is not seen: web-1 vda (/srv/vms/web-1.qcow2), web-2 vda "
        "(/srv/vms/web-2.qcow2), db-2 vda (/dev/mapper/db-2) and 2 more",
        "look on h1 yourself; in /etc/libvirt/qemu.conf of every host, lock_manager = \"lockd\"");
    expect("h1", EK_CHECK_OWNERSHIP, EK_GRADE_WARN, "may change the owner of shared disks: web-1",
           "set dynamic_ownership = 0, and remember_owner = 0");
}

/* On this machine the file decides. */
static void what_is_seen_decides(void **state)
{
    (void)state;
    hosts[0].local = true;
    hosts[0].disks = disks;
    hosts[0].disk_count = 1;
    hosts[0].conf = (struct ek_qemu_conf){.seen = true, .remember_owner = "0"};
    expect("h1", EK_CHECK_LOCKS, EK_GRADE_WARN, "a disk is shared and written, without a lock",
           "in /etc/libvirt/qemu.conf");
    expect("h1", EK_CHECK_OWNERSHIP, EK_GRADE_WARN, "libvirt changes the owner",
           "dynamic_ownership = 0 (and");
    hosts[0].conf.lock_manager = "lockd";
    hosts[0].conf.dynamic_ownership = "0";
    expect("h1", EK_CHECK_LOCKS, EK_GRADE_OK, "lock_manager is lockd", NULL);
    expect("h1", EK_CHECK_OWNERSHIP, EK_GRADE_OK, "dynamic_ownership is 0", NULL);
    hosts[0].conf.lock_manager = "nop";
    expect("h1", EK_CHECK_LOCKS, EK_GRADE_WARN, "without a lock manager", NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sound_hosts_have_nothing_to_change),
        TEST(an_unreachable_host_fails),
        TEST(one_uuid_twice_fails),
        TEST(a_host_needs_a_name_of_its_own),
        TEST(a_loopback_name_is_a_trap),
        TEST(a_name_that_does_not_resolve_is_told),
        TEST(silent_ports_are_warned_of),
        TEST(a_local_uri_is_no_destination),
        TEST(rules_about_nothing_are_told),
        TEST(certificates_are_not_seen),
        TEST(older_versions_take_nobody),
        TEST(cpus_are_compared_both_ways),
        TEST(networks_and_bridges_are_looked_for),
        TEST(many_lacks_are_one_finding),
        TEST(filters_are_compared),
        TEST(the_loss_of_a_host_is_reckoned),
        TEST(pools_are_compared),
        TEST(pacemaker_needs_an_ignore_rule),
        TEST(what_is_not_seen_is_said),
        TEST(what_is_seen_decides),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
