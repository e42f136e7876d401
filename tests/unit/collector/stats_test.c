/* Laws of one record of libvirt's bulk statistics that becomes a reading. The domain is that of
 * libvirt's own test driver; what it is said to do is made here. */
#include "collector/libvirt/domain_stats.h"

#include "collector/libvirt/handles.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static virConnectPtr connection;
static virDomainPtr domain;
static struct ek_params params;
static int room;
static struct ek_arena arena;
static struct ek_domain_reading reading;

static int setup(void **state)
{
    (void)state;
    connection = virConnectOpen("test:///default");
    assert_non_null(connection);
    domain = virDomainLookupByName(connection, "test");
    assert_non_null(domain);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ek_params_release(&params);
    params = (struct ek_params){NULL, 0};
    room = 0;
    ek_arena_finish(&arena);
    ek_domain_release(&domain);
    ek_connect_release(&connection);
    return 0;
}

static void say(const char *field, unsigned long long value)
{
    assert_int_equal(virTypedParamsAddULLong(&params.items, &params.count, &room, field, value), 0);
}

static void read_record(void)
{
    const virDomainStatsRecord record = {
        .dom = domain, .params = params.items, .nparams = params.count};
    struct ek_error err;

    assert_true(ek_domain_stats_read(&reading, &record, &arena, &err));
}

static void expect(struct ek_counter counter, uint64_t value, unsigned int parts)
{
    assert_true(counter.known);
    assert_int_equal(counter.value, value);
    assert_int_equal(counter.parts, parts);
}

/* What a record leaves out is not known, which is not the same as 0. */
static void test_empty_record_knows_nothing(void **state)
{
    (void)state;
    read_record();
    assert_string_equal(reading.name, "test");
    assert_false(reading.cpu_ns.known || reading.delay_ns.known || reading.net_rx_bytes.known ||
                 reading.disk_read_bytes.known || reading.swap_in_kib.known);
    assert_true(isnan(reading.memory_mib) && isnan(reading.memory_rss_mib));
    assert_false(reading.answered);
}

/* Cards and disks are added up, each in its direction; packets, requests and times are not bytes.
 */
static void test_cards_and_disks_are_added_up(void **state)
{
    (void)state;
    say("net.count", 2);
    say("net.0.rx.bytes", 1000);
    say("net.0.rx.pkts", 7);
    say("net.0.tx.bytes", 1);
    say("net.1.rx.bytes", 500);
    say("net.1.tx.bytes", 2);
    say("block.count", 1);
    say("block.0.rd.reqs", 9);
    say("block.0.rd.bytes", 4096);
    say("block.0.rd.times", 77);
    say("block.0.wr.bytes", 8192);
    read_record();
    expect(reading.net_rx_bytes, 1500, 2);
    expect(reading.net_tx_bytes, 3, 2);
    expect(reading.disk_read_bytes, 4096, 1);
    expect(reading.disk_write_bytes, 8192, 1);
}

/* A guest without a card or a disk moves nothing, and that is known. */
static void test_no_card_moves_nothing(void **state)
{
    (void)state;
    say("net.count", 0);
    say("block.count", 0);
    read_record();
    expect(reading.net_rx_bytes, 0, 0);
    expect(reading.disk_write_bytes, 0, 0);
}

/* All vCPUs' waits are one figure; other statistics of theirs are not waits. */
static void test_vcpus_wait_together(void **state)
{
    (void)state;
    say("vcpu.0.delay", 10);
    say("vcpu.12.delay", 5);
    say("vcpu.0.wait", 100);
    say("vcpu.0.delay.sum", 1000);
    read_record();
    expect(reading.delay_ns, 15, 2);
}

/* Resident memory is said together with the monitor's answer only: a domain in a job gives none. */
static void test_monitor_answered(void **state)
{
    (void)state;
    say("balloon.maximum", 2097152);
    read_record();
    assert_true(reading.memory_mib == 2048 && !reading.answered);
    say("balloon.rss", 1024);
    say("balloon.swap_in", 12);
    read_record();
    assert_true(reading.answered && reading.memory_rss_mib == 1);
    expect(reading.swap_in_kib, 12, 1);
}

#define LAW(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAW(empty_record_knows_nothing), LAW(cards_and_disks_are_added_up),
        LAW(no_card_moves_nothing),      LAW(vcpus_wait_together),
        LAW(monitor_answered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
