/* Hosts and domains, as they stand in snapshots and samples. */
#include "balancer/codec/json.h"
#include "balancer/core/move.h"

#include <math.h>
#include <string.h>

/* The words of the contract (docs/contracts.md); the index is the enum's value. */
static const char *const state_names[] = {
    [EK_HOST_UP] = "up", [EK_HOST_STALE] = "stale", [EK_HOST_DOWN] = "down"};

/* What would make lines of its own in a log, or colours on a terminal. */
static bool has_control(const char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < ' ' || *text == 0x7f) {
            return true;
        }
    }
    return false;
}

/* Move orders carry host names and UUIDs in fields of these sizes (core/move.h). */
static bool read_identity(const struct ek_json_node *node, const char *key, size_t size,
                          const char *expected, const char **out)
{
    if (!ek_json_get_text(node, key, EK_JSON_REQUIRED, out)) {
        return false;
    }
    size_t length = strlen(*out);
    if (length == 0 || length >= size) {
        return ek_json_refuse(node, key, expected);
    }
    return !has_control(*out) || ek_json_refuse(node, key, "a text without control characters");
}

bool ek_json_read_host(const struct ek_json_node *node, struct ek_host *host)
{
    /* Defaults first: an absent optional member leaves its field alone (json.h). */
    unsigned int state = EK_HOST_UP;

    *host = (struct ek_host){.cpu_used_cores = NAN,
                             .memory_used_mib = NAN,
                             .migration_mib_s = EK_DEFAULT_MIGRATION_MIB_S};
    bool done =
        read_identity(node, "name", EK_NAME_SIZE, "a text of 1 to 127 bytes", &host->name) &&
        ek_json_get_choice(node, "state", EK_JSON_OPTIONAL, state_names, 3, &state) &&
        ek_json_get_number(node, "cpu_cores", EK_JSON_REQUIRED, &ek_json_above_0,
                           &host->cpu_cores) &&
        ek_json_get_number(node, "memory_mib", EK_JSON_REQUIRED, &ek_json_above_0,
                           &host->memory_mib) &&
        ek_json_get_number(node, "cpu_used_cores", EK_JSON_OPTIONAL, &ek_json_at_least_0,
                           &host->cpu_used_cores) &&
        ek_json_get_number(node, "memory_used_mib", EK_JSON_OPTIONAL, &ek_json_at_least_0,
                           &host->memory_used_mib) &&
        ek_json_get_bool(node, "maintenance", EK_JSON_OPTIONAL, &host->maintenance) &&
        ek_json_get_bool(node, "partial", EK_JSON_OPTIONAL, &host->partial) &&
        ek_json_get_bool(node, "begun", EK_JSON_OPTIONAL, &host->begun) &&
        ek_json_get_integer(node, "deadline_ms", EK_JSON_OPTIONAL, 0, (int64_t)EK_JSON_MAX_NUMBER,
                            &host->deadline_ms) &&
        ek_json_get_number(node, "migration_mib_s", EK_JSON_OPTIONAL, &ek_json_above_0,
                           &host->migration_mib_s) &&
        ek_json_get_quantities(node, "resources", true, &host->resources) &&
        ek_json_get_pressure(node, &host->pressure) &&
        ek_json_get_numa_cells(node, &host->numa_cells) &&
        ek_json_get_storage_pools(node, &host->storage_pools) &&
        ek_json_get_labels(node, "labels", &host->labels) &&
        ek_json_get_strings(node, "networks", &host->networks) &&
        ek_json_get_strings(node, "storages", &host->storages) &&
        ek_json_get_text(node, "hypervisor", EK_JSON_OPTIONAL, &host->hypervisor) &&
        ek_json_get_text(node, "cpu_model", EK_JSON_OPTIONAL, &host->cpu_model) &&
        ek_json_get_text(node, "uuid", EK_JSON_OPTIONAL, &host->uuid);
    /* Harmless when reading failed: whoever gets false does not look. */
    host->state = (enum ek_host_state)state;
    return done;
}

static bool read_evacuation(const struct ek_json_node *node, enum ek_evacuation *out)
{
    const char *names[EK_EVACUATION_COUNT];
    unsigned int found = EK_EVACUATE_MIGRATE;

    for (unsigned int i = 0; i < EK_EVACUATION_COUNT; i++) {
        names[i] = ek_evacuation_name((enum ek_evacuation)i);
    }
    if (!ek_json_get_choice(node, "evacuation", EK_JSON_OPTIONAL, names, EK_EVACUATION_COUNT,
                            &found)) {
        return false;
    }
    *out = (enum ek_evacuation)found;
    return true;
}

/* A usage figure that is absent stays NAN, "not known", which is not the same as 0. */
static bool read_figures(const struct ek_json_node *node, struct ek_domain *domain)
{
    /* Steal is a share of time; all else is checked against 0 alone, since use may exceed what was
     * configured. */
    return ek_json_get_number(node, "vcpus", EK_JSON_REQUIRED, &ek_json_above_0, &domain->vcpus) &&
           ek_json_get_number(node, "memory_mib", EK_JSON_REQUIRED, &ek_json_above_0,
                              &domain->memory_mib) &&
           ek_json_get_number(node, "cpu_used_cores", EK_JSON_OPTIONAL, &ek_json_at_least_0,
                              &domain->cpu_used_cores) &&
           ek_json_get_number(node, "cpu_steal", EK_JSON_OPTIONAL, &ek_json_ratio,
                              &domain->cpu_steal) &&
           ek_json_get_number(node, "memory_used_mib", EK_JSON_OPTIONAL, &ek_json_at_least_0,
                              &domain->memory_used_mib) &&
           ek_json_get_number(node, "memory_rss_mib", EK_JSON_OPTIONAL, &ek_json_at_least_0,
                              &domain->memory_rss_mib) &&
           ek_json_get_number(node, "dirty_mib_s", EK_JSON_OPTIONAL, &ek_json_at_least_0,
                              &domain->dirty_mib_s) &&
           ek_json_get_number(node, "swap_in_mib_s", EK_JSON_OPTIONAL, &ek_json_at_least_0,
                              &domain->swap_in_mib_s) &&
           ek_json_get_number(node, "local_disk_mib", EK_JSON_OPTIONAL, &ek_json_at_least_0,
                              &domain->local_disk_mib) &&
           ek_json_get_number(node, "emulator_mib", EK_JSON_OPTIONAL, &ek_json_at_least_0,
                              &domain->emulator_mib) &&
           read_evacuation(node, &domain->evacuation) &&
           ek_json_get_integer(node, "dirty_measured_at_ms", EK_JSON_OPTIONAL, 0,
                               (int64_t)EK_JSON_MAX_NUMBER, &domain->dirty_measured_at_ms);
}

/* What is absent is not known: the sample's own figures then count. */
static bool read_outlook(const struct ek_json_node *node, const char *demand, const char *noise,
                         struct ek_outlook *outlook)
{
    double value = NAN;
    bool done =
        ek_json_get_number(node, demand, EK_JSON_OPTIONAL, &ek_json_at_least_0, &value) &&
        ek_json_get_number(node, noise, EK_JSON_OPTIONAL, &ek_json_at_least_0, &outlook->noise);

    outlook->known = !isnan(value);
    outlook->demand = outlook->known ? value : 0;
    return done;
}

static bool read_expectations(const struct ek_json_node *node, struct ek_domain *domain)
{
    return read_outlook(node, "cpu_demand_cores", "cpu_noise_cores", &domain->cpu_outlook) &&
           read_outlook(node, "memory_demand_mib", "memory_noise_mib", &domain->memory_outlook) &&
           ek_json_get_number(node, "migration_factor", EK_JSON_OPTIONAL, &ek_json_above_0,
                              &domain->migration_factor);
}

bool ek_json_read_domain(const struct ek_json_node *node, struct ek_domain *domain)
{
    /* Dirty rate and local disk are 0 by default, as the contract says; what was not said to be
     * fixed may move. */
    *domain = (struct ek_domain){.cpu_used_cores = NAN,
                                 .cpu_steal = NAN,
                                 .memory_used_mib = NAN,
                                 .memory_rss_mib = NAN,
                                 .movable = true};
    if (!read_identity(node, "uuid", EK_UUID_SIZE, "a text of 1 to 36 bytes", &domain->uuid)) {
        return false;
    }
    domain->name = domain->uuid; /* a domain without a name goes by its UUID */
    return ek_json_get_text(node, "name", EK_JSON_OPTIONAL, &domain->name) &&
           read_figures(node, domain) && read_expectations(node, domain) &&
           ek_json_get_bool(node, "paused", EK_JSON_OPTIONAL, &domain->paused) &&
           ek_json_get_bool(node, "incoming", EK_JSON_OPTIONAL, &domain->incoming) &&
           ek_json_get_bool(node, "movable", EK_JSON_OPTIONAL, &domain->movable) &&
           ek_json_get_text(node, "immovable_reason", EK_JSON_OPTIONAL,
                            &domain->immovable_reason) &&
           ek_json_get_quantities(node, "resources", false, &domain->resources) &&
           ek_json_get_pressure(node, &domain->pressure) &&
           ek_json_get_labels(node, "labels", &domain->labels) &&
           ek_json_get_strings(node, "networks", &domain->networks) &&
           ek_json_get_strings(node, "storages", &domain->storages) &&
           ek_json_get_strings(node, "devices", &domain->devices) &&
           ek_json_get_strings(node, "rules", &domain->rules) &&
           ek_json_get_text(node, "machine", EK_JSON_OPTIONAL, &domain->machine) &&
           ek_json_get_text(node, "cpu_model", EK_JSON_OPTIONAL, &domain->cpu_model);
}

/* Members that are absent or not known (NULL, NAN, lists not given) are left out by the put
 * functions, so that reading gives the same structure again. */
void ek_json_put_host(struct ek_json_writer *writer, const struct ek_host *host)
{
    ek_json_put_text(writer, "name", host->name);
    /* The order of members is part of "the same value gives the same bytes". */
    ek_json_put_text(writer, "uuid", host->uuid);
    ek_json_put_text(writer, "state", state_names[host->state]);
    ek_json_put_number(writer, "cpu_cores", host->cpu_cores);
    ek_json_put_number(writer, "memory_mib", host->memory_mib);
    ek_json_put_number(writer, "cpu_used_cores", host->cpu_used_cores);
    ek_json_put_number(writer, "memory_used_mib", host->memory_used_mib);
    ek_json_put_bool(writer, "maintenance", host->maintenance);
    if (host->partial) {
        ek_json_put_bool(writer, "partial", true);
    }
    if (host->begun) {
        ek_json_put_bool(writer, "begun", true);
    }
    if (host->deadline_ms != 0) {
        ek_json_put_integer(writer, "deadline_ms", host->deadline_ms);
    }
    ek_json_put_number(writer, "migration_mib_s", host->migration_mib_s);
    ek_json_put_quantities(writer, "resources", true, host->resources);
    ek_json_put_pressure(writer, &host->pressure);
    ek_json_put_numa_cells(writer, &host->numa_cells);
    ek_json_put_storage_pools(writer, &host->storage_pools);
    ek_json_put_labels(writer, "labels", host->labels);
    ek_json_put_strings(writer, "networks", host->networks);
    ek_json_put_strings(writer, "storages", host->storages);
    ek_json_put_text(writer, "hypervisor", host->hypervisor);
    ek_json_put_text(writer, "cpu_model", host->cpu_model);
}

void ek_json_write_host(struct ek_json_writer *writer, const struct ek_host *host)
{
    ek_json_begin(writer, '{');
    ek_json_put_host(writer, host);
    ek_json_end(writer, '}');
}

static void write_outlook(struct ek_json_writer *writer, const char *demand, const char *noise,
                          const struct ek_outlook *outlook)
{
    ek_json_put_number(writer, demand, outlook->known ? outlook->demand : NAN);
    ek_json_put_number(writer, noise, outlook->noise > 0 ? outlook->noise : NAN);
}

/* `host_name` NULL leaves "host" out: a sample's domains are all on its one host. */
void ek_json_write_domain(struct ek_json_writer *writer, const struct ek_domain *domain,
                          const char *host_name)
{
    ek_json_begin(writer, '{');
    ek_json_put_text(writer, "uuid", domain->uuid);
    ek_json_put_text(writer, "name", domain->name);
    ek_json_put_text(writer, "host", host_name);
    ek_json_put_bool(writer, "paused", domain->paused);
    if (domain->incoming) { /* few are, and only for minutes */
        ek_json_put_bool(writer, "incoming", true);
    }
    ek_json_put_number(writer, "vcpus", domain->vcpus);
    ek_json_put_number(writer, "memory_mib", domain->memory_mib);
    ek_json_put_number(writer, "cpu_used_cores", domain->cpu_used_cores);
    ek_json_put_number(writer, "cpu_steal", domain->cpu_steal);
    ek_json_put_number(writer, "memory_used_mib", domain->memory_used_mib);
    ek_json_put_number(writer, "memory_rss_mib", domain->memory_rss_mib);
    ek_json_put_number(writer, "dirty_mib_s", domain->dirty_mib_s);
    if (domain->dirty_measured_at_ms > 0) { /* candidates' only */
        ek_json_put_integer(writer, "dirty_measured_at_ms", domain->dirty_measured_at_ms);
    }
    ek_json_put_number(writer, "swap_in_mib_s",
                       domain->swap_in_mib_s > 0 ? domain->swap_in_mib_s : NAN);
    ek_json_put_number(writer, "local_disk_mib", domain->local_disk_mib);
    ek_json_put_number(writer, "emulator_mib",
                       domain->emulator_mib > 0 ? domain->emulator_mib : NAN);
    if (domain->evacuation != EK_EVACUATE_MIGRATE) {
        ek_json_put_text(writer, "evacuation", ek_evacuation_name(domain->evacuation));
    }
    write_outlook(writer, "cpu_demand_cores", "cpu_noise_cores", &domain->cpu_outlook);
    write_outlook(writer, "memory_demand_mib", "memory_noise_mib", &domain->memory_outlook);
    ek_json_put_number(writer, "migration_factor",
                       domain->migration_factor > 0 ? domain->migration_factor : NAN);
    ek_json_put_bool(writer, "movable", domain->movable);
    ek_json_put_text(writer, "immovable_reason", domain->immovable_reason);
    ek_json_put_quantities(writer, "resources", false, domain->resources);
    ek_json_put_pressure(writer, &domain->pressure);
    ek_json_put_labels(writer, "labels", domain->labels);
    ek_json_put_strings(writer, "networks", domain->networks);
    ek_json_put_strings(writer, "storages", domain->storages);
    ek_json_put_strings(writer, "devices", domain->devices);
    ek_json_put_strings(writer, "rules", domain->rules);
    ek_json_put_text(writer, "machine", domain->machine);
    ek_json_put_text(writer, "cpu_model", domain->cpu_model);
    ek_json_end(writer, '}');
}
