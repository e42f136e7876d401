#include "tests/bench/standin/records.h"

#include <libvirt/libvirt.h>
#include <stdio.h>

/* Names, types and number of the fields are those that were seen of a real libvirtd; those of KVM's
 * statistics (query-stats) are the ones of Linux 6.1. Their values do not matter to the collector,
 * their number does: they are most of a record with VCPU. */

#define NS_PER_EVENT 1000

/* A record's parameters: they are counted while they are written. */
struct params {
    struct wire *out;
    size_t count_at;
    uint32_t count;
};

static void put_u64(struct params *params, const char *field, uint64_t value)
{
    wire_text(params->out, field);
    wire_u32(params->out, VIR_TYPED_PARAM_ULLONG);
    wire_u64(params->out, value);
    params->count++;
}

static void put_number(struct params *params, const char *field, int type, uint32_t value)
{
    wire_text(params->out, field);
    wire_u32(params->out, (uint32_t)type);
    wire_u32(params->out, value);
    params->count++;
}

static void put_text(struct params *params, const char *field, const char *value)
{
    wire_text(params->out, field);
    wire_u32(params->out, VIR_TYPED_PARAM_STRING);
    wire_text(params->out, value);
    params->count++;
}

static void put_state(struct params *params)
{
    put_number(params, "state.state", VIR_TYPED_PARAM_INT, VIR_DOMAIN_RUNNING);
    put_number(params, "state.reason", VIR_TYPED_PARAM_INT, VIR_DOMAIN_RUNNING_BOOTED);
}

static void put_cpu(struct params *params, const struct machine *machine)
{
    put_u64(params, "cpu.time", machine->cpu_ns);
    put_u64(params, "cpu.user", machine->cpu_ns / 10 * 7);
    put_u64(params, "cpu.system", machine->cpu_ns / 10 * 3);
    put_number(params, "cpu.cache.monitor.count", VIR_TYPED_PARAM_UINT, 0);
    put_u64(params, "cpu.haltpoll.success.time", machine->cpu_ns / 200);
    put_u64(params, "cpu.haltpoll.fail.time", machine->cpu_ns / 100);
}

static void put_balloon(struct params *params, const struct machine *machine, time_t now_s)
{
    put_u64(params, "balloon.current", machine->memory_kib);
    put_u64(params, "balloon.maximum", machine->memory_kib);
    put_u64(params, "balloon.swap_in", 0);
    put_u64(params, "balloon.swap_out", 0);
    put_u64(params, "balloon.major_fault", machine->events / 1000);
    put_u64(params, "balloon.minor_fault", machine->events);
    put_u64(params, "balloon.unused", machine->usable_kib / 2);
    put_u64(params, "balloon.available", machine->memory_kib - machine->memory_kib / 50);
    put_u64(params, "balloon.usable", machine->usable_kib);
    put_u64(params, "balloon.last-update", (uint64_t)now_s / 10 * 10);
    put_u64(params, "balloon.disk_caches", machine->memory_kib / 5);
    put_u64(params, "balloon.hugetlb_pgalloc", 0);
    put_u64(params, "balloon.hugetlb_pgfail", 0);
    put_u64(params, "balloon.rss", machine->rss_kib);
}

static void put_kvm(struct params *params, unsigned int vcpu, uint64_t events)
{
    static const char *const sums[] = {"halt_successful_poll",
                                       "halt_attempted_poll",
                                       "halt_poll_invalid",
                                       "halt_wakeup",
                                       "halt_poll_success_ns",
                                       "halt_poll_fail_ns",
                                       "halt_wait_ns",
                                       "pf_taken",
                                       "pf_fixed",
                                       "pf_emulate",
                                       "pf_spurious",
                                       "pf_fast",
                                       "pf_mmio_spte_created",
                                       "pf_guest",
                                       "tlb_flush",
                                       "invlpg",
                                       "exits",
                                       "io_exits",
                                       "mmio_exits",
                                       "signal_exits",
                                       "irq_window_exits",
                                       "nmi_window_exits",
                                       "l1d_flush",
                                       "halt_exits",
                                       "request_irq_exits",
                                       "irq_exits",
                                       "host_state_reload",
                                       "fpu_reload",
                                       "insn_emulation",
                                       "insn_emulation_fail",
                                       "hypercalls",
                                       "irq_injections",
                                       "nmi_injections",
                                       "req_event",
                                       "nested_run",
                                       "directed_yield_attempted",
                                       "directed_yield_successful",
                                       "preemption_reported",
                                       "preemption_other"};
    char field[VIR_TYPED_PARAM_FIELD_LENGTH];

    for (size_t i = 0; i < sizeof(sums) / sizeof(sums[0]); i++) {
        (void)snprintf(field, sizeof(field), "vcpu.%u.%s.sum", vcpu, sums[i]);
        put_u64(params, field, events / (i + 1));
    }
    (void)snprintf(field, sizeof(field), "vcpu.%u.guest_mode.cur", vcpu);
    put_number(params, field, VIR_TYPED_PARAM_BOOLEAN, 0);
    (void)snprintf(field, sizeof(field), "vcpu.%u.blocking.cur", vcpu);
    put_number(params, field, VIR_TYPED_PARAM_BOOLEAN, 1);
}

static void put_vcpus(struct params *params, const struct machine *machine)
{
    char field[VIR_TYPED_PARAM_FIELD_LENGTH];

    put_number(params, "vcpu.current", VIR_TYPED_PARAM_UINT, machine->vcpus);
    put_number(params, "vcpu.maximum", VIR_TYPED_PARAM_UINT, machine->vcpus);
    for (unsigned int i = 0; i < machine->vcpus; i++) {
        (void)snprintf(field, sizeof(field), "vcpu.%u.state", i);
        put_number(params, field, VIR_TYPED_PARAM_INT, VIR_VCPU_RUNNING);
        (void)snprintf(field, sizeof(field), "vcpu.%u.time", i);
        put_u64(params, field, machine->cpu_ns / machine->vcpus);
        (void)snprintf(field, sizeof(field), "vcpu.%u.wait", i);
        put_u64(params, field, 0);
        (void)snprintf(field, sizeof(field), "vcpu.%u.delay", i);
        put_u64(params, field, machine->delay_ns);
        (void)snprintf(field, sizeof(field), "vcpu.%u.halted", i);
        put_text(params, field, "yes");
        put_kvm(params, i, machine->events);
    }
}

static void put_card(struct params *params, const struct machine *machine)
{
    static const char *const fields[] = {"rx.bytes", "rx.pkts", "rx.errs", "rx.drop",
                                         "tx.bytes", "tx.pkts", "tx.errs", "tx.drop"};
    const uint64_t values[] = {machine->events * 900, machine->events, 0, 0,
                               machine->events * 400, machine->events, 0, 0};
    char field[VIR_TYPED_PARAM_FIELD_LENGTH];

    put_number(params, "net.count", VIR_TYPED_PARAM_UINT, 1);
    (void)snprintf(field, sizeof(field), "vnet%d", machine->id);
    put_text(params, "net.0.name", field);
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        (void)snprintf(field, sizeof(field), "net.0.%s", fields[i]);
        put_u64(params, field, values[i]);
    }
}

static void put_counts_of_disk(struct params *params, int disk, uint64_t events)
{
    static const char *const fields[] = {"rd.reqs",  "rd.bytes", "rd.times", "wr.reqs",
                                         "wr.bytes", "wr.times", "fl.reqs",  "fl.times"};
    const uint64_t values[] = {events / 10,   events * 2048,      events * NS_PER_EVENT,
                               events / 20,   events * 4096 / 10, events * 100,
                               events / 1000, events * 10};
    char field[VIR_TYPED_PARAM_FIELD_LENGTH];

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        (void)snprintf(field, sizeof(field), "block.%d.%s", disk, fields[i]);
        put_u64(params, field, values[i]);
    }
}

/* A disk and an empty CD drive. */
static void put_disks(struct params *params, const struct machine *machine)
{
    char path[128];

    put_number(params, "block.count", VIR_TYPED_PARAM_UINT, 2);
    put_text(params, "block.0.name", "vda");
    (void)snprintf(path, sizeof(path), "%s/%s.qcow2", machine_folder(machine), machine->name);
    put_text(params, "block.0.path", path);
    put_number(params, "block.0.backingIndex", VIR_TYPED_PARAM_UINT, 1);
    put_counts_of_disk(params, 0, machine->events);
    put_u64(params, "block.0.allocation", 0);
    put_u64(params, "block.0.capacity", machine->memory_kib * 4096);
    put_u64(params, "block.0.physical", machine->memory_kib * 2048);
    put_text(params, "block.1.name", "sda");
    put_counts_of_disk(params, 1, 0);
}

void domain_append(struct wire *out, const struct machine *machine)
{
    wire_text(out, machine->name);
    wire_raw(out, machine->uuid, UUID_BYTES);
    wire_u32(out, (uint32_t)machine->id);
}

void record_append(struct wire *out, const struct machine *machine, unsigned int groups,
                   time_t now_s)
{
    domain_append(out, machine);
    struct params params = {.out = out, .count_at = out->size, .count = 0};
    wire_u32(out, 0);
    if ((groups & VIR_DOMAIN_STATS_STATE) != 0) {
        put_state(&params);
    }
    if ((groups & VIR_DOMAIN_STATS_CPU_TOTAL) != 0) {
        put_cpu(&params, machine);
    }
    if ((groups & VIR_DOMAIN_STATS_BALLOON) != 0) {
        put_balloon(&params, machine, now_s);
    }
    if ((groups & VIR_DOMAIN_STATS_VCPU) != 0) {
        put_vcpus(&params, machine);
    }
    if ((groups & VIR_DOMAIN_STATS_INTERFACE) != 0) {
        put_card(&params, machine);
    }
    if ((groups & VIR_DOMAIN_STATS_BLOCK) != 0) {
        put_disks(&params, machine);
    }
    wire_patch(out, params.count_at, params.count);
}
