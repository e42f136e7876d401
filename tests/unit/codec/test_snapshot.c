#include "balancer/codec/codec.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char full[] =
    "{\"version\": 1, \"taken_at_ms\": 1764000000000, \"unknown\": {\"hosts\": [[1, \"]\"]]},\n"
    " \"in_flight\": [{\"domain\": \"u2\", \"source\": \"h1\", \"destination\": \"h2\","
    "  \"started_at_ms\": 5, \"foreign\": true}],\n"
    " \"domains\": [\n"
    "  {\"uuid\": \"u1\", \"name\": \"web-1\", \"host\": \"h2\", \"vcpus\": 4, \"memory_mib\": "
    "8192,"
    "   \"cpu_used_cores\": 1.7, \"cpu_steal\": 0.02, \"memory_used_mib\": 6100,"
    "   \"cpu_demand_cores\": 2.5, \"cpu_noise_cores\": 0.25, \"memory_demand_mib\": 0,"
    "   \"migration_factor\": 1.5,"
    "   \"memory_rss_mib\": 7900, \"dirty_mib_s\": 35.0, \"local_disk_mib\": 10, \"movable\": "
    "false,"
    "   \"paused\": true, \"immovable_reason\": \"passes a \\\"GPU\\\" through\","
    "   \"labels\": {\"tier\": \"web\"}, \"networks\": [\"br0\"], \"storages\": [], \"devices\": "
    "[\"0000:03:00.0\"],"
    "   \"rules\": [\"ignore\"], \"machine\": \"pc-q35-7.2\", \"cpu_model\": \"EPYC-Milan\"},\n"
    "  {\"uuid\": \"u2\", \"host\": \"h1\", \"vcpus\": 2, \"memory_mib\": 2048}],\n"
    " \"hosts\": [\n"
    "  {\"name\": \"h1\", \"state\": \"stale\", \"cpu_cores\": 64, \"memory_mib\": 515072,"
    "   \"cpu_used_cores\": 21.5, \"memory_used_mib\": 300100, \"maintenance\": true,"
    "   \"migration_mib_s\": 1100, \"labels\": {\"rack\": \"r1\", \"x\": \"\\u00e9\\n\"},"
    "   \"networks\": [\"br0\", \"br1\"], \"storages\": [\"ceph\"], \"hypervisor\": \"QEMU "
    "7.2.22\","
    "   \"cpu_model\": \"EPYC-Milan\", \"uuid\": \"host-uuid\"},\n"
    "  {\"name\": \"h2\", \"cpu_cores\": 32, \"memory_mib\": 65536}]}";

static struct ek_snapshot read_text(const char *text)
{
    struct ek_snapshot snapshot;
    struct ek_error err = {.message = ""};

    if (!ek_codec_read_snapshot(&snapshot, text, strlen(text), "s.json", &err)) {
        fail_msg("%s", err.message);
    }
    return snapshot;
}

/* Every field of a host arrives. */
static void test_host_fields(void **state)
{
    struct ek_snapshot snapshot = read_text(full);
    const struct ek_host *host = &snapshot.hosts[0];

    (void)state;
    assert_int_equal(snapshot.host_count, 2);
    assert_true(snapshot.taken_at_ms == 1764000000000);
    assert_string_equal(host->name, "h1");
    assert_int_equal(host->state, EK_HOST_STALE);
    assert_true(host->cpu_cores == 64 && host->memory_mib == 515072);
    assert_true(host->cpu_used_cores == 21.5 && host->memory_used_mib == 300100);
    assert_true(host->maintenance && host->migration_mib_s == 1100);
    assert_int_equal(host->labels.count, 2);
    assert_string_equal(host->labels.items[1].value, "\xc3\xa9\n");
    assert_int_equal(host->networks.count, 2);
    assert_string_equal(host->storages.items[0], "ceph");
    assert_string_equal(host->hypervisor, "QEMU 7.2.22");
    assert_string_equal(host->cpu_model, "EPYC-Milan");
    assert_string_equal(host->uuid, "host-uuid");
    ek_arena_finish(&snapshot.arena);
}

/* Every field of a domain arrives, its host as an index, though the hosts stand behind it. */
static void test_domain_fields(void **state)
{
    struct ek_snapshot snapshot = read_text(full);
    const struct ek_domain *domain = &snapshot.domains[0];

    (void)state;
    assert_string_equal(domain->uuid, "u1");
    assert_string_equal(domain->name, "web-1");
    assert_int_equal(domain->host, 1);
    assert_true(domain->vcpus == 4 && domain->memory_mib == 8192);
    assert_true(domain->cpu_used_cores == 1.7 && domain->cpu_steal == 0.02);
    assert_true(domain->memory_used_mib == 6100 && domain->memory_rss_mib == 7900);
    assert_true(domain->dirty_mib_s == 35 && domain->local_disk_mib == 10);
    assert_true(domain->cpu_outlook.known && domain->cpu_outlook.demand == 2.5);
    assert_true(domain->cpu_outlook.noise == 0.25 && domain->migration_factor == 1.5);
    assert_true(domain->memory_outlook.known && domain->memory_outlook.demand == 0);
    assert_true(domain->paused && !domain->movable);
    assert_string_equal(domain->immovable_reason, "passes a \"GPU\" through");
    assert_string_equal(domain->labels.items[0].key, "tier");
    assert_true(domain->storages.given && domain->storages.count == 0);
    assert_string_equal(domain->devices.items[0], "0000:03:00.0");
    assert_int_equal(domain->rules.count, 1);
    assert_string_equal(domain->rules.items[0], "ignore");
    assert_string_equal(domain->machine, "pc-q35-7.2");
    assert_string_equal(domain->cpu_model, "EPYC-Milan");
    ek_arena_finish(&snapshot.arena);
}

/* What is absent has the contract's default; usage that is not given is not known. */
static void test_defaults(void **state)
{
    struct ek_snapshot snapshot = read_text(full);
    const struct ek_host *host = &snapshot.hosts[1];
    const struct ek_domain *domain = &snapshot.domains[1];

    (void)state;
    assert_int_equal(host->state, EK_HOST_UP);
    assert_false(host->maintenance || host->networks.given || host->storages.given);
    assert_true(host->migration_mib_s == 110 && isnan(host->cpu_used_cores));
    assert_true(isnan(host->memory_used_mib));
    assert_null(host->uuid);
    assert_string_equal(domain->name, "u2");
    assert_true(domain->movable && !domain->paused && domain->dirty_mib_s == 0);
    assert_true(isnan(domain->memory_rss_mib) && isnan(domain->memory_used_mib));
    assert_true(isnan(domain->cpu_used_cores) && isnan(domain->cpu_steal));
    assert_true(domain->local_disk_mib == 0 && !domain->devices.given);
    assert_false(domain->cpu_outlook.known || domain->memory_outlook.known);
    assert_true(domain->cpu_outlook.noise == 0 && domain->migration_factor == 0);
    assert_null(domain->immovable_reason);
    ek_arena_finish(&snapshot.arena);
}

/* A running migration names its domain and its hosts by index. */
static void test_in_flight(void **state)
{
    struct ek_snapshot snapshot = read_text(full);

    (void)state;
    assert_int_equal(snapshot.in_flight_count, 1);
    assert_int_equal(snapshot.in_flight[0].domain, 1);
    assert_int_equal(snapshot.in_flight[0].source, 0);
    assert_int_equal(snapshot.in_flight[0].destination, 1);
    assert_true(snapshot.in_flight[0].started_at_ms == 5);
    assert_true(snapshot.in_flight[0].foreign);
    ek_arena_finish(&snapshot.arena);
}

/* What no sample shows on either host, and what two hosts report, is kept as well. */
static void test_unseen_and_copies(void **state)
{
    static const char text[] =
        "{\"version\": 1, \"hosts\": [{\"name\": \"h1\", \"cpu_cores\": 1, \"memory_mib\": 1}, "
        "{\"name\": \"h2\", \"cpu_cores\": 1, \"memory_mib\": 1}], \"domains\": [{\"uuid\": \"u\", "
        "\"host\": \"h1\", \"vcpus\": 1, \"memory_mib\": 1}], \"in_flight\": [{\"source\": \"h1\", "
        "\"destination\": \"h2\"}], \"copies\": [{\"domain\": \"u\", \"host\": \"h2\"}]}";
    struct ek_snapshot first = read_text(text);
    char *written = ek_codec_write_snapshot(&first);
    struct ek_snapshot second = read_text(written);

    (void)state;
    assert_int_equal(second.in_flight[0].domain, EK_NONE);
    assert_int_equal(second.in_flight[0].destination, 1);
    assert_int_equal(second.copy_count, 1);
    assert_int_equal(second.copies[0].domain, 0);
    assert_int_equal(second.copies[0].host, 1);
    free(written);
    ek_arena_finish(&first.arena);
    ek_arena_finish(&second.arena);
}

/* Writing what was read and reading it again gives the same bytes: nothing is lost, nothing drifts.
 */
static void test_write_is_a_fixed_point(void **state)
{
    struct ek_snapshot first = read_text(full);
    char *text = ek_codec_write_snapshot(&first);
    struct ek_snapshot second = read_text(text);
    char *again = ek_codec_write_snapshot(&second);

    (void)state;
    assert_string_equal(text, again);
    assert_non_null(strstr(text, "\"cpu_used_cores\":21.5,"));
    assert_non_null(strstr(text, "\"storages\":[],\"devices\""));
    assert_non_null(strstr(text, "{\"name\":\"h2\",\"state\":\"up\",\"cpu_cores\":32,"));
    assert_null(strstr(text, ":nan"));
    free(text);
    free(again);
    ek_arena_finish(&first.arena);
    ek_arena_finish(&second.arena);
}

/* An empty cluster is a snapshot, too. */
static void test_empty(void **state)
{
    struct ek_snapshot snapshot = read_text("{\"version\": 1, \"hosts\": [ ], \"domains\": []}");
    char *text = ek_codec_write_snapshot(&snapshot);

    (void)state;
    assert_string_equal(text, "{\"version\":1,\"taken_at_ms\":0,\n\"hosts\":[],\n\"domains\":[]}");
    free(text);
    ek_arena_finish(&snapshot.arena);
}

/* 20,000 domains on 500 hosts come back as they went. (The large case is a bench, not a test.) */
static void test_many_domains(void **state)
{
    enum { HOSTS = 500, DOMAINS = 20000 };
    struct ek_snapshot made = {.host_count = HOSTS, .domain_count = DOMAINS};

    (void)state;
    made.hosts = ek_arena_alloc(&made.arena, HOSTS, sizeof(*made.hosts));
    made.domains = ek_arena_alloc(&made.arena, DOMAINS, sizeof(*made.domains));
    for (uint32_t i = 0; i < HOSTS; i++) {
        made.hosts[i] = (struct ek_host){.name = ek_arena_printf(&made.arena, "host-%u", i),
                                         .cpu_cores = 64,
                                         .memory_mib = 1e6,
                                         .migration_mib_s = 1};
    }
    for (uint32_t i = 0; i < DOMAINS; i++) {
        made.domains[i] = (struct ek_domain){.uuid = ek_arena_printf(&made.arena, "uuid-%u", i),
                                             .host = i * 7 % HOSTS,
                                             .vcpus = 1,
                                             .memory_mib = i + 1,
                                             .cpu_used_cores = i / 7.0,
                                             .movable = true};
        made.domains[i].name = made.domains[i].uuid;
    }
    char *text = ek_codec_write_snapshot(&made);
    struct ek_snapshot read = read_text(text);
    assert_int_equal(read.domain_count, DOMAINS);
    for (uint32_t i = 0; i < DOMAINS; i++) {
        assert_int_equal(read.domains[i].host, made.domains[i].host);
        assert_true(read.domains[i].cpu_used_cores == made.domains[i].cpu_used_cores);
    }
    free(text);
    ek_arena_finish(&read.arena);
    ek_arena_finish(&made.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_host_fields),
        cmocka_unit_test(test_domain_fields),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_in_flight),
        cmocka_unit_test(test_unseen_and_copies),
        cmocka_unit_test(test_write_is_a_fixed_point),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_many_domains),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
