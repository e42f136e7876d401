/* One record of libvirt's bulk statistics as a reading. Whatever it does not say stays unknown
 * (NAN, or a counter that is not known): 0 would be an idle domain. */
#include "collector/libvirt/domain_stats.h"

#include <math.h>
#include <string.h>

/* Bulk statistics are a flat list of named, typed values per domain; their names are described at
 * virConnectGetAllDomainStats. They are walked once, since a lookup by name would walk them for
 * every field, and a reading with VCPU has about 40 fields per vCPU. */

/* libvirt counts memory in KiB and everything on disk in bytes. */
#define KIB_PER_MIB 1024.0

enum { REASONS = 256 }; /* state_reason = state * REASONS + reason */

/* Counts come signed or unsigned, in 32 or 64 bits; a negative one is none. */
static uint64_t unsigned_of(const virTypedParameter *param)
{
    switch ((virTypedParameterType)param->type) {
    case VIR_TYPED_PARAM_INT:
        return param->value.i > 0 ? (uint64_t)param->value.i : 0;
    case VIR_TYPED_PARAM_UINT:
        return param->value.ui;
    case VIR_TYPED_PARAM_LLONG:
        return param->value.l > 0 ? (uint64_t)param->value.l : 0;
    case VIR_TYPED_PARAM_ULLONG:
        return param->value.ul;
    case VIR_TYPED_PARAM_DOUBLE:
    case VIR_TYPED_PARAM_BOOLEAN:
    case VIR_TYPED_PARAM_STRING:
    default:
        return 0; /* none of the fields that are read here */
    }
}

/* Summed: haltpoll has two fields, all others one for each vCPU, card or disk. */
static void add_to(struct ek_counter *counter, uint64_t value)
{
    counter->value += value;
    counter->parts++;
    counter->known = true;
}

/* "vcpu.3.delay", yet not "vcpu.3.delay.sum" or the like. */
static bool is_numbered(const char *field, const char *prefix, const char *suffix)
{
    size_t length = strlen(prefix);

    if (strncmp(field, prefix, length) != 0) {
        return false;
    }
    size_t digits = strspn(field + length, "0123456789");
    return digits > 0 && strcmp(field + length + digits, suffix) == 0;
}

/* Cards as the guest sees them: libvirt has turned the host's view round. Disks without their
 * backing chains. */
static bool take_numbered(struct ek_domain_reading *out, const char *field, uint64_t value)
{
    const struct {
        const char *prefix;
        const char *suffix;
        struct ek_counter *counter;
    } counters[] = {{"vcpu.", ".delay", &out->delay_ns},
                    {"net.", ".rx.bytes", &out->net_rx_bytes},
                    {"net.", ".tx.bytes", &out->net_tx_bytes},
                    {"block.", ".rd.bytes", &out->disk_read_bytes},
                    {"block.", ".wr.bytes", &out->disk_write_bytes}};

    for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
        if (is_numbered(field, counters[i].prefix, counters[i].suffix)) {
            add_to(counters[i].counter, value);
            return true;
        }
    }
    return false;
}

static void take_gauge(struct ek_domain_reading *out, const char *field, uint64_t value)
{
    /* The guest's own view (available, usable) is there only with a balloon driver and a statistics
     * period; rss is read from /proc on the host. */
    const struct {
        const char *field;
        double *mib;
    } gauges[] = {{"balloon.maximum", &out->memory_mib},
                  {"balloon.rss", &out->memory_rss_mib},
                  {"balloon.available", &out->guest_available_mib},
                  {"balloon.usable", &out->guest_usable_mib}};

    for (size_t i = 0; i < sizeof(gauges) / sizeof(gauges[0]); i++) {
        if (strcmp(field, gauges[i].field) == 0) {
            *gauges[i].mib = (double)value / KIB_PER_MIB;
            /* RSS is from /proc, and yet given with the monitor's answer only. */
            out->answered = out->answered || gauges[i].mib == &out->memory_rss_mib;
        }
    }
}

/* A domain without a card or a disk moves nothing, which is known. */
static void take_none(struct ek_counter *in, struct ek_counter *out, uint64_t count)
{
    in->known = in->known || count == 0;
    out->known = out->known || count == 0;
}

static void take(struct ek_domain_reading *out, const virTypedParameter *param)
{
    const char *field = param->field;
    uint64_t value = unsigned_of(param);

    /* State and reason arrive as two fields in no order that is promised, hence the sum of two
     * parts. */
    if (strcmp(field, "state.state") == 0) {
        out->state_reason += (int)value * REASONS;
    } else if (strcmp(field, "state.reason") == 0) {
        out->state_reason += (int)value;
    } else if (strcmp(field, "cpu.time") == 0) {
        add_to(&out->cpu_ns, value);
    } else if (strcmp(field, "cpu.haltpoll.success.time") == 0 ||
               strcmp(field, "cpu.haltpoll.fail.time") == 0) {
        add_to(&out->haltpoll_ns, value);
    } else if (strcmp(field, "vcpu.current") == 0) {
        out->facts.vcpus = (double)value;
    } else if (strcmp(field, "net.count") == 0) {
        take_none(&out->net_rx_bytes, &out->net_tx_bytes, value);
    } else if (strcmp(field, "block.count") == 0) {
        take_none(&out->disk_read_bytes, &out->disk_write_bytes, value);
    } else if (strcmp(field, "balloon.last-update") == 0) {
        out->guest_memory_stamp = value;
    } else if (strcmp(field, "balloon.swap_in") == 0) {
        add_to(&out->swap_in_kib, value);
    } else if (!take_numbered(out, field, value)) {
        take_gauge(out, field, value);
    }
}

static int state_of(const struct ek_domain_reading *domain)
{
    return domain->state_reason / REASONS;
}

static int reason_of(const struct ek_domain_reading *domain)
{
    return domain->state_reason % REASONS;
}

bool ek_domain_stats_read(struct ek_domain_reading *out, const virDomainStatsRecord *record,
                          struct ek_arena *arena, struct ek_error *err)
{
    char uuid[VIR_UUID_STRING_BUFLEN];
    const char *name = virDomainGetName(record->dom);

    /* Both are in the handle that the reply made: neither call goes to the host. */
    if (name == NULL || virDomainGetUUIDString(record->dom, uuid) < 0) {
        return ek_error_set(err, EK_ERR_REMOTE, "found a domain without name or UUID");
    }
    *out = (struct ek_domain_reading){
        .uuid = ek_arena_strdup(arena, uuid),
        .name = ek_arena_strdup(arena, name),
        .id = (int)virDomainGetID(record->dom),
        .memory_mib = NAN,
        .memory_rss_mib = NAN,
        .guest_available_mib = NAN,
        .guest_usable_mib = NAN,
        .facts = {.vcpus = NAN},
    };
    if (out->uuid == NULL || out->name == NULL) {
        return ek_error_set(err, EK_ERR_NOMEM, "out of memory for domain %s", name);
    }
    /* NOWAIT leaves out the fields that a busy domain's monitor would have to be asked for; those
     * that are here are good. */
    for (int i = 0; i < record->nparams; i++) {
        take(out, &record->params[i]);
    }
    /* SHUTDOWN: its guest is still at it, and uses what it uses. */
    out->running = state_of(out) == VIR_DOMAIN_RUNNING || state_of(out) == VIR_DOMAIN_BLOCKED ||
                   state_of(out) == VIR_DOMAIN_SHUTDOWN;
    out->paused = state_of(out) == VIR_DOMAIN_PAUSED && reason_of(out) == VIR_DOMAIN_PAUSED_USER;
    return true;
}

bool ek_domain_stats_starting(const struct ek_domain_reading *domain)
{
    return state_of(domain) == VIR_DOMAIN_PAUSED &&
           reason_of(domain) == VIR_DOMAIN_PAUSED_STARTING_UP;
}

bool ek_domain_stats_in_transit(const struct ek_domain_reading *domain)
{
    int reason = reason_of(domain);

    if (state_of(domain) == VIR_DOMAIN_RUNNING) {
        /* Only the destination runs for this reason; the source is then PAUSED, for the same. */
        return reason == VIR_DOMAIN_RUNNING_POSTCOPY;
    }
    return state_of(domain) == VIR_DOMAIN_PAUSED &&
           (reason == VIR_DOMAIN_PAUSED_MIGRATION || reason == VIR_DOMAIN_PAUSED_STARTING_UP ||
            reason == VIR_DOMAIN_PAUSED_POSTCOPY);
}
