/* Laws of the facts that come from libvirt's XML, and of the cache that keeps them. */
#include "collector/libvirt/connect.h"
#include "collector/libvirt/domain_facts.h"
#include "collector/libvirt/domain_stats.h"
#include "collector/libvirt/handles.h"
#include "collector/libvirt/host_facts.h"
#include "collector/xml/domain_xml.h"
#include "collector/xml/xml.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define FIXTURES EK_SOURCE_DIR "/tests/unit/collector/fixtures/"

static const char *const networks[] = {"lab", "br0", "labbr0"};
static struct ek_storage_pool pools[] = {
    {.name = "default", .type = "dir", .target = "/var/lib/libvirt/images"},
    {.name = "nfs", .type = "netfs", .target = "/srv/nfs/images/"},
    {.name = "outer", .type = "dir", .target = "/srv"},
    {.name = "ceph-vms", .type = "rbd", .source = "vms"},
    {.name = "lun", .type = "iscsi", .target = "/dev/disk/by-path"},
};
static const struct ek_host_facts host = {
    .networks = {networks, 3, true}, .cpu_model = "EPYC-Milan", .storage_pools = {pools, 5}};

static struct ek_arena arena;
static struct ek_domain_xml found;
static struct ek_error err;

static int teardown(void **state)
{
    (void)state;
    ek_arena_finish(&arena);
    return 0;
}

static const char *text_of(const char *file)
{
    static char text[16384];
    FILE *in = fopen(file, "r");

    assert_non_null(in);
    size_t length = fread(text, 1, sizeof(text) - 1, in);
    (void)fclose(in);
    text[length] = '\0';
    return text;
}

static const struct ek_domain_facts *facts_of(const char *file)
{
    if (!ek_domain_xml_parse(&found, text_of(file), &host, &arena, &err)) {
        fail_msg("%s: %s", file, err.message);
    }
    return &found.facts;
}

static void expect_strings(const struct ek_strings *list, size_t count, const char *const *wanted)
{
    assert_true(list->given);
    assert_int_equal(list->count, count);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(list->items[i], wanted[i]);
    }
}

#define EXPECT(list, ...)                                                           \
    expect_strings(&(list), sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *), \
                   (const char *[]){__VA_ARGS__})

/* Sizes come from the live XML: the vCPUs that are online, the configured memory in MiB. */
static void test_sizes(void **state)
{
    const struct ek_domain_facts *facts = facts_of(FIXTURES "kvm-shared.xml");

    (void)state;
    assert_true(facts->vcpus == 2 && found.memory_mib == 8192 && facts->balloon_period_s == 0);
    assert_string_equal(facts->machine, "pc-q35-7.2");
    assert_true(facts_of(FIXTURES "tcg-local.xml")->balloon_period_s == 2);
}

/* An emulated guest's QEMU has much memory of its own; what an evacuation may do stands in our
 * metadata, and a word that nobody knows moves nothing. */
static void test_evacuation_and_emulator(void **state)
{
    static const char domain[] =
        "<domain type='kvm'><memory unit='KiB'>1048576</memory><vcpu>1</vcpu><metadata>"
        "<ek:domain xmlns:ek='urn:evenkeel:domain:1'><ek:evacuation mode='%s'/></ek:domain>"
        "</metadata></domain>";
    static const char *const words[] = {"migrate", "postcopy", "save", "shutdown", "block", "gone"};
    char xml[600];

    (void)state;
    assert_true(facts_of(FIXTURES "tcg-local.xml")->emulator_mib > 0);
    assert_true(facts_of(FIXTURES "kvm-shared.xml")->emulator_mib <= 0);
    assert_int_equal(facts_of(FIXTURES "kvm-shared.xml")->evacuation, EK_EVACUATE_MIGRATE);
    for (unsigned int i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        (void)snprintf(xml, sizeof(xml), domain, words[i]);
        assert_true(ek_domain_xml_parse(&found, xml, &host, &arena, &err));
        assert_int_equal(found.facts.evacuation,
                         i < EK_EVACUATION_COUNT ? (enum ek_evacuation)i : EK_EVACUATE_BLOCK);
    }
}

/* Labels are those of our namespace, whatever its prefix there; other metadata are not ours. */
static void test_labels(void **state)
{
    const struct ek_domain_facts *facts = facts_of(FIXTURES "kvm-shared.xml");

    (void)state;
    assert_int_equal(facts->labels.count, 2);
    assert_string_equal(facts->labels.items[0].key, "tier");
    assert_string_equal(facts->labels.items[0].value, "web & api");
    assert_string_equal(facts->labels.items[1].value, "");
}

/* A rule travels as one text: its kind, then what it says; a slip in its name goes along and is
 * refused where rules are read. Who carries none has no list. */
static void test_rules(void **state)
{
    const struct ek_domain_facts *facts = facts_of(FIXTURES "kvm-shared.xml");

    (void)state;
    EXPECT(facts->rules, "anti_affinity group=web topology=rack",
           "pin hosts=h1,h2 enforcement=should weight=3", "affinity group=app toplogy=");
    assert_false(facts_of(FIXTURES "tcg-local.xml")->rules.given);
}

/* A network counts by its name rather than its bridge, once, and only if its host is seen to offer
 * it. */
static void test_networks(void **state)
{
    (void)state;
    EXPECT(facts_of(FIXTURES "kvm-shared.xml")->networks, "br0");
    EXPECT(facts_of(FIXTURES "tcg-local.xml")->networks, "lab");
}

/* A disk belongs to the innermost pool that holds it; what no pool holds asks for none. */
static void test_storages(void **state)
{
    (void)state;
    EXPECT(facts_of(FIXTURES "kvm-shared.xml")->storages, "ceph-vms", "nfs", "lun", "default");
    EXPECT(facts_of(FIXTURES "tcg-local.xml")->storages, "default");
}

/* Disks on shared storage, and read-only files, leave a domain movable. */
static void test_shared_disks_move(void **state)
{
    const struct ek_domain_facts *facts = facts_of(FIXTURES "kvm-shared.xml");

    (void)state;
    assert_true(facts->movable);
    assert_null(facts->immovable_reason);
    assert_int_equal(found.local_disks.count, 0);
}

/* A qcow2 file in a pool of the host's own is copied along: the domain can move, and the file's
 * size counts. */
static void test_local_disk_moves_along(void **state)
{
    const struct ek_domain_facts *facts = facts_of(FIXTURES "tcg-local.xml");

    (void)state;
    assert_true(facts->movable);
    assert_null(facts->immovable_reason);
    EXPECT(found.local_disks, "/var/lib/libvirt/images/a1.qcow2");
}

/* A local file that no pool holds, or of another format, ties the domain to its host, and the
 * reason names it. */
static void test_other_local_disk_stays(void **state)
{
    static const char format[] = "<domain type='kvm'><memory unit='KiB'>1024</memory><vcpu>1</vcpu>"
                                 "<devices><disk type='file' device='disk'><driver type='%s'/>"
                                 "<source file='%s'/></disk></devices></domain>";
    const char *homeless = ek_arena_printf(&arena, format, "qcow2", "/opt/a.qcow2");
    const char *foreign = ek_arena_printf(&arena, format, "vmdk", "/var/lib/libvirt/images/a.vmdk");

    (void)state;
    assert_true(ek_domain_xml_parse(&found, homeless, &host, &arena, &err));
    assert_false(found.facts.movable);
    assert_non_null(strstr(found.facts.immovable_reason, "disk /opt/a.qcow2 is a file of this"));
    assert_true(ek_domain_xml_parse(&found, foreign, &host, &arena, &err));
    assert_false(found.facts.movable);
}

static bool has_huge_pages(const char *backing)
{
    const char *xml = ek_arena_printf(&arena,
                                      "<domain type='kvm'><memory unit='KiB'>1024</memory>"
                                      "<vcpu>1</vcpu><memoryBacking>%s</memoryBacking></domain>",
                                      backing);

    assert_true(ek_domain_xml_parse(&found, xml, &host, &arena, &err));
    return found.facts.huge_pages;
}

static void test_huge_pages(void **state)
{
    (void)state;
    assert_true(has_huge_pages("<hugepages/>"));
    assert_true(has_huge_pages("<hugepages><page size='1' unit='GiB'/></hugepages><locked/>"));
    assert_false(has_huge_pages("<locked/>"));
}

/* Host devices of every kind are listed by the names that people know, and come first as a reason.
 */
static void test_devices(void **state)
{
    const struct ek_domain_facts *facts = facts_of(FIXTURES "kvm-devices.xml");

    (void)state;
    EXPECT(facts->devices, "pci 0000:41:00.0", "usb 046d:c31c",
           "mdev 3b1fa5a1-3a3c-4b64-b6f7-2f1e8a3d5b10", "pci 0000:81:02.3");
    assert_false(facts->movable);
    assert_string_equal(facts->immovable_reason, "host device pci 0000:41:00.0");
}

/* What another manager keeps in its database is its to move, whatever else would allow it. */
static void test_other_managers(void **state)
{
    static const struct {
        const char *file;
        const char *reason;
    } cases[] = {
        {FIXTURES "nova.xml", "managed by OpenStack Nova"},
        {FIXTURES "ovirt.xml", "managed by oVirt"},
        {FIXTURES "opennebula.xml", "managed by OpenNebula"},
        {FIXTURES "kubevirt.xml", "managed by KubeVirt"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct ek_domain_facts *facts = facts_of(cases[i].file);
        assert_false(facts->movable);
        assert_string_equal(facts->immovable_reason, cases[i].reason);
    }
}

/* Nor is it theirs to stop: our metadata in another manager's domain ask for a person. Of one that
 * is nobody's, immovable or not, they are taken at their word. */
static void test_other_managers_are_not_stopped(void **state)
{
    static const char domain[] =
        "<domain type='kvm'><memory unit='KiB'>1048576</memory><vcpu>1</vcpu><metadata>"
        "<ek:domain xmlns:ek='urn:evenkeel:domain:1'><ek:evacuation mode='%s'/></ek:domain>%s"
        "</metadata><devices><filesystem/></devices></domain>";
    static const char nova[] =
        "<n:instance xmlns:n='http://openstack.org/xmlns/libvirt/nova/1.1'/>";
    static const struct {
        const char *mode;
        const char *other;
        enum ek_evacuation expected;
    } cases[] = {
        {"save", nova, EK_EVACUATE_BLOCK},      {"shutdown", nova, EK_EVACUATE_BLOCK},
        {"block", nova, EK_EVACUATE_BLOCK},     {"save", "", EK_EVACUATE_SAVE},
        {"shutdown", "", EK_EVACUATE_SHUTDOWN},
    };
    char xml[600];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        (void)snprintf(xml, sizeof(xml), domain, cases[i].mode, cases[i].other);
        assert_true(ek_domain_xml_parse(&found, xml, &host, &arena, &err));
        assert_false(found.facts.movable);
        assert_int_equal(found.facts.evacuation, cases[i].expected);
    }
}

/* What virt-manager and people write into the metadata makes nobody its manager. */
static void test_notes_are_no_managers(void **state)
{
    const struct ek_domain_facts *facts = facts_of(FIXTURES "virt-manager.xml");

    (void)state;
    assert_true(facts->movable);
    assert_null(facts->immovable_reason);
}

/* Only a guest that sees its host's own CPU binds to the model: not one with a named model, not an
 * emulated one. */
static void test_cpu_model(void **state)
{
    (void)state;
    assert_string_equal(facts_of(FIXTURES "kvm-shared.xml")->cpu_model, "EPYC-Milan");
    assert_null(facts_of(FIXTURES "kvm-devices.xml")->cpu_model);
    assert_null(facts_of(FIXTURES "tcg-local.xml")->cpu_model);
}

/* Broken and foreign documents are refused with what was found. */
static void test_bad_documents(void **state)
{
    (void)state;
    assert_false(ek_domain_xml_parse(&found, "<domain>\n<os></domain>", &host, &arena, &err));
    assert_int_equal(err.code, EK_ERR_INVALID);
    assert_ptr_equal(strstr(err.message, "XML line 2: "), err.message);
    assert_false(ek_domain_xml_parse(&found, "<network/>", &host, &arena, &err));
    assert_int_equal(err.code, EK_ERR_INVALID);
    assert_false(ek_domain_xml_parse(&found, "", &host, &arena, &err));
}

/* A host's UUID and CPU model are in its capabilities. */
static void test_capabilities(void **state)
{
    struct ek_host_facts facts = {0};

    (void)state;
    assert_true(ek_capabilities_parse(&facts, text_of(FIXTURES "capabilities.xml"), &arena, &err));
    assert_string_equal(facts.uuid, "c6cdb175-6b7f-5e91-9f09-d0ce0b929645");
    assert_string_equal(facts.cpu_model, "Broadwell");
    assert_int_equal(facts.numa_cells.count, 0);
}

/* NUMA cells go by libvirt's numbers, which may have gaps; one may lack memory, or CPUs. */
static void test_numa_cells(void **state)
{
    struct ek_host_facts facts = {0};

    (void)state;
    assert_true(
        ek_capabilities_parse(&facts,
                              "<capabilities><host><topology><cells num='3'>"
                              "<cell id='0'><memory unit='KiB'>2097152</memory>"
                              "<cpus num='2'><cpu id='0'/><cpu id='2'/></cpus></cell>"
                              "<cell id='1'><cpus num='1'><cpu id='1'/></cpus></cell>"
                              "<cell id='8'><memory unit='KiB'>1024</memory><cpus num='0'/></cell>"
                              "</cells></topology></host></capabilities>",
                              &arena, &err));
    const struct ek_numa_cell *cells = facts.numa_cells.items;
    assert_int_equal(facts.numa_cells.count, 3);
    assert_true(cells[0].id == 0 && cells[0].cpus == 2 && cells[0].memory_mib == 2048);
    assert_true(cells[1].id == 1 && cells[1].cpus == 1 && cells[1].memory_mib == 0);
    assert_true(cells[2].id == 8 && cells[2].cpus == 0 && cells[2].memory_mib == 1);
    assert_true(isnan(cells[0].free_mib)); /* the document does not say */
}

/* The survey of a host knows what is free in its NUMA cells, and what its pools have room for. */
static void test_survey(void **state)
{
    struct ek_host_survey survey = {0};
    struct ek_host_facts copy;

    (void)state;
    EK_SCOPED_CONNECT virConnectPtr connection = ek_libvirt_open("test:///default", 100, &err);
    assert_non_null(connection);
    if (!ek_host_survey_read(&survey, connection, "test:///default", &err) ||
        !ek_host_facts_copy(&copy, &survey.facts, &arena, &err)) {
        fail_msg("%s", err.message);
    }
    ek_host_survey_finish(&survey);
    assert_int_equal(copy.numa_cells.count, 2);
    assert_true(copy.numa_cells.items[1].id == 1 && copy.numa_cells.items[1].cpus == 8);
    assert_true(copy.numa_cells.items[1].memory_mib == 4096);
    assert_true(copy.numa_cells.items[0].free_mib == 2);
    assert_true(copy.numa_cells.items[1].free_mib == 4);
    assert_int_equal(copy.storage_pools.count, 1);
    assert_string_equal(copy.storage_pools.items[0].name, "default-pool");
    assert_string_equal(copy.storage_pools.items[0].type, "dir");
    assert_string_equal(copy.storage_pools.items[0].target, "/default-pool");
    assert_true(copy.storage_pools.items[0].capacity_mib == 102400);
    assert_true(copy.storage_pools.items[0].allocation_mib == 0);
    assert_true(copy.storage_pools.items[0].available_mib == 102400);
}

/* A pool that was made by a test. */
static virStoragePoolPtr make_pool(virConnectPtr connection, const char *name)
{
    const char *xml = ek_arena_printf(&arena,
                                      "<pool type='dir'><name>%s</name>"
                                      "<target><path>/%s</path></target></pool>",
                                      name, name);
    virStoragePoolPtr pool = virStoragePoolCreateXML(connection, xml, 0);

    assert_non_null(pool);
    return pool;
}

/* The pools of two hosts that have the same come in the same order. */
static void test_pools_by_name(void **state)
{
    static const char *const names[] = {"a", "b", "c", "default-pool", "x", "y", "z"};
    struct ek_host_survey survey = {0};

    (void)state;
    EK_SCOPED_CONNECT virConnectPtr connection = ek_libvirt_open("test:///default", 100, &err);
    for (int i = 6; i >= 0; i--) {
        EK_SCOPED_POOL virStoragePoolPtr pool = i == 3 ? NULL : make_pool(connection, names[i]);
        (void)pool;
    }
    assert_true(ek_host_survey_read(&survey, connection, "test:///default", &err));
    assert_int_equal(survey.facts.storage_pools.count, 7);
    for (size_t i = 0; i < 7; i++) {
        assert_string_equal(survey.facts.storage_pools.items[i].name, names[i]);
        assert_string_equal(survey.facts.storages.items[i], names[i]);
        EK_SCOPED_POOL virStoragePoolPtr pool =
            i == 3 ? NULL : virStoragePoolLookupByName(connection, names[i]);
        assert_true(pool == NULL || virStoragePoolDestroy(pool) == 0);
    }
    ek_host_survey_finish(&survey);
}

/* A pool's type tells whether other hosts reach its volumes. */
static void test_storage_pools(void **state)
{
    struct ek_storage_pool pool;

    (void)state;
    assert_true(ek_storage_pool_parse(
        &pool, "<pool type='rbd'><name>ceph</name><source><name>vms</name></source></pool>", &arena,
        &err));
    assert_string_equal(pool.source, "vms");
    assert_null(pool.target);
    assert_true(isnan(pool.capacity_mib) && isnan(pool.available_mib)); /* it did not say */
    assert_true(ek_storage_pool_is_shared(&pool));
    pool.type = "logical";
    assert_false(ek_storage_pool_is_shared(&pool));
    assert_false(ek_storage_pool_parse(&pool, "<pool><name>x</name></pool>", &arena, &err));
}

static const char *source_of(const char *source)
{
    struct ek_storage_pool pool;

    assert_true(ek_storage_pool_parse(
        &pool, ek_arena_printf(&arena, "<pool type='any'><name>p</name>%s</pool>", source), &arena,
        &err));
    return pool.source;
}

/* Where a pool leads to is said as people write it. */
static void test_sources_of_pools(void **state)
{
    (void)state;
    assert_string_equal(source_of("<source><host name='nas1'/><dir path='/export/vms'/>"
                                  "<format type='nfs'/></source>"),
                        "nas1:/export/vms");
    assert_string_equal(source_of("<source><host name='nas1' port='3260'/>"
                                  "<device path='iqn.2026-01.example:vms'/></source>"),
                        "nas1:iqn.2026-01.example:vms");
    assert_string_equal(source_of("<source><device path='/dev/sdb'/></source>"), "/dev/sdb");
    assert_string_equal(source_of("<source><host name='mon1'/><host name='mon2'/>"
                                  "<name>vms</name></source>"),
                        "vms");
    assert_null(source_of("<source></source>"));
    assert_null(source_of(""));
}

/* ---- the cache, over libvirt's test driver, whose one domain is called "test" ---------------- */

static struct ek_domain_reading reading_in(int state, int reason, int id)
{
    return (struct ek_domain_reading){.uuid = "6695eb01-f6a4-8304-79aa-97f2502e193f",
                                      .id = id,
                                      .state_reason = state * 256 + reason,
                                      .memory_mib = NAN,
                                      .memory_rss_mib = NAN,
                                      .facts = {.vcpus = NAN}};
}

/* Whether the domain is this host's, and does not only come in. */
static bool complete(struct ek_domain_cache *cache, struct ek_domain_reading *domain, int64_t reads)
{
    EK_SCOPED_CONNECT virConnectPtr connection = ek_libvirt_open("test:///default", 100, &err);
    EK_SCOPED_DOMAIN virDomainPtr handle = virDomainLookupByName(connection, "test");
    bool present = false;

    if (!ek_domain_cache_complete(cache, domain, handle, &host, reads, &arena, &present, &err)) {
        fail_msg("%s", err.message);
    }
    ek_domain_cache_sweep(cache, reads);
    return present && !domain->incoming;
}

/* A domain that comes in belongs to its source: it is marked, until it runs here. (The test driver
 * does not say whether a migration comes in.) */
static void test_incoming_domain_is_marked(void **state)
{
    struct ek_domain_cache cache = {0};
    struct ek_domain_reading starting =
        reading_in(VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_STARTING_UP, 5);
    struct ek_domain_reading incoming =
        reading_in(VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_MIGRATION, 5);
    struct ek_domain_reading postcopy =
        reading_in(VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_POSTCOPY, 5);
    struct ek_domain_reading running =
        reading_in(VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_MIGRATED, 5);

    (void)state;
    starting.memory_mib = 512;
    incoming.memory_mib = 512;
    postcopy.memory_mib = 512;
    assert_false(complete(&cache, &starting, 1));
    assert_false(complete(&cache, &incoming, 2));
    assert_false(complete(&cache, &postcopy, 3));
    assert_true(starting.incoming && incoming.incoming && postcopy.incoming);
    assert_false(incoming.facts.movable);
    assert_true(incoming.facts.vcpus == 1);
    assert_true(complete(&cache, &running, 4));
    assert_true(running.facts.vcpus >= 1 && running.memory_mib > 0);
    ek_domain_cache_finish(&cache);
}

/* A domain that was seen running here under this id is the source's end of a migration, and stays.
 */
static void test_outgoing_domain_stays(void **state)
{
    struct ek_domain_cache cache = {0};
    struct ek_domain_reading running = reading_in(VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_BOOTED, 5);
    struct ek_domain_reading leaving =
        reading_in(VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_MIGRATION, 5);
    struct ek_domain_reading back = reading_in(VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_MIGRATION, 6);

    (void)state;
    assert_true(complete(&cache, &running, 0));
    assert_true(complete(&cache, &leaving, 1));
    assert_true(leaving.facts.vcpus == running.facts.vcpus);
    assert_false(complete(&cache, &back, 2)); /* another id: it comes in again */
    ek_domain_cache_finish(&cache);
}

/* What a migration left behind may be the only copy: it is seen at the first read of a host, and
 * when it stays. */
static void test_leftovers_are_not_overlooked(void **state)
{
    struct ek_domain_cache cache = {0};
    struct ek_domain_reading left = reading_in(VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_MIGRATION, 5);
    struct ek_domain_reading later = reading_in(VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_MIGRATION, 6);
    struct ek_domain_reading running =
        reading_in(VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_MIGRATED, 6);

    (void)state;
    left.memory_mib = 512;
    later.memory_mib = 512;
    assert_true(complete(&cache, &left, 0));
    assert_false(left.facts.movable);
    for (int64_t reads = 1; reads <= 30; reads++) {
        assert_false(complete(&cache, &later, reads));
    }
    assert_true(complete(&cache, &later, 31));
    assert_false(later.facts.movable);
    assert_true(complete(&cache, &running, 32));
    const char *why = running.facts.immovable_reason;
    assert_true(why == NULL || strstr(why, "migration") == NULL);
    ek_domain_cache_finish(&cache);
}

/* A gauge that a read leaves out stands as long as the domain's id does. */
static void test_gauges_are_held(void **state)
{
    struct ek_domain_cache cache = {0};
    struct ek_domain_reading said = reading_in(VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_BOOTED, 5);
    struct ek_domain_reading silent = said;
    struct ek_domain_reading other = reading_in(VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_BOOTED, 6);

    (void)state;
    said.memory_rss_mib = 300;
    said.memory_mib = 512;
    assert_true(complete(&cache, &said, 0));
    assert_true(complete(&cache, &silent, 1));
    assert_true(silent.memory_rss_mib == 300 && silent.memory_mib == 512);
    assert_true(complete(&cache, &other, 2));
    assert_true(isnan(other.memory_rss_mib));
    ek_domain_cache_finish(&cache);
}

/* After a reconnect facts are read again, before their time. */
static void test_expired_facts_are_read_again(void **state)
{
    struct ek_domain_cache cache = {0};
    struct ek_domain_reading said = reading_in(VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_BOOTED, 5);
    struct ek_domain_reading before = said;
    struct ek_domain_reading after = said;

    (void)state;
    said.memory_mib = 1; /* the XML says otherwise */
    assert_true(complete(&cache, &said, 0));
    assert_true(complete(&cache, &before, 1));
    ek_domain_cache_expire(&cache);
    assert_true(complete(&cache, &after, 2));
    assert_true(before.memory_mib == 1 && after.memory_mib > 1);
    ek_domain_cache_finish(&cache);
}

#define LAW(name) cmocka_unit_test_teardown(test_##name, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAW(sizes),
        LAW(evacuation_and_emulator),
        LAW(labels),
        LAW(rules),
        LAW(networks),
        LAW(storages),
        LAW(huge_pages),
        LAW(shared_disks_move),
        LAW(local_disk_moves_along),
        LAW(other_local_disk_stays),
        LAW(devices),
        LAW(other_managers),
        LAW(other_managers_are_not_stopped),
        LAW(notes_are_no_managers),
        LAW(cpu_model),
        LAW(bad_documents),
        LAW(capabilities),
        LAW(numa_cells),
        LAW(survey),
        LAW(pools_by_name),
        LAW(storage_pools),
        LAW(sources_of_pools),
        LAW(incoming_domain_is_marked),
        LAW(outgoing_domain_stays),
        LAW(leftovers_are_not_overlooked),
        LAW(gauges_are_held),
        LAW(expired_facts_are_read_again),
    };

    ek_xml_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
