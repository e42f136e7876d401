/* The two tables, and the columns. */
#include "balancer/codec/history_facts.h"

#include "balancer/core/move.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* A member of another type than is named beside it does not compile. */
#define AT(owner, member, type) \
    (offsetof(owner, member) + 0 * sizeof((type *)NULL == &((owner *)NULL)->member))
#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

#define HOST(type, member) AT(struct ek_history_host, member, type)
#define DOMAIN(type, member) AT(struct ek_domain, member, type)

/* To the ends only: the order is the format. */
static const struct ek_fact host_facts[] = {
    {"name", EK_FACT_TEXT, HOST(const char *, host.name), EK_NAME_SIZE, false},
    {"uuid", EK_FACT_TEXT, HOST(const char *, host.uuid), 0, false},
    {"collector", EK_FACT_TEXT, HOST(const char *, collector), 0, false},
    {"period_ms", EK_FACT_NUMBER, HOST(double, period_ms), 0, true},
    {"cpu_cores", EK_FACT_NUMBER, HOST(double, host.cpu_cores), 0, true},
    {"memory_mib", EK_FACT_NUMBER, HOST(double, host.memory_mib), 0, true},
    {"migration_mib_s", EK_FACT_NUMBER, HOST(double, host.migration_mib_s), 0, true},
    {"maintenance", EK_FACT_FLAG, HOST(bool, host.maintenance), 0, false},
    {"resources", EK_FACT_QUANTITIES, HOST(struct ek_quantities, host.resources), 0, false},
    {"labels", EK_FACT_LABELS, HOST(struct ek_labels, host.labels), 0, false},
    {"networks", EK_FACT_STRINGS, HOST(struct ek_strings, host.networks), 0, false},
    {"storages", EK_FACT_STRINGS, HOST(struct ek_strings, host.storages), 0, false},
    {"hypervisor", EK_FACT_TEXT, HOST(const char *, host.hypervisor), 0, false},
    {"cpu_model", EK_FACT_TEXT, HOST(const char *, host.cpu_model), 0, false},
};

static const struct ek_fact domain_facts[] = {
    {"uuid", EK_FACT_TEXT, DOMAIN(const char *, uuid), EK_UUID_SIZE, false},
    {"name", EK_FACT_TEXT, DOMAIN(const char *, name), 0, false},
    {"vcpus", EK_FACT_NUMBER, DOMAIN(double, vcpus), 0, true},
    {"memory_mib", EK_FACT_NUMBER, DOMAIN(double, memory_mib), 0, true},
    {"movable", EK_FACT_FLAG, DOMAIN(bool, movable), 0, false},
    {"immovable_reason", EK_FACT_TEXT, DOMAIN(const char *, immovable_reason), 0, false},
    {"resources", EK_FACT_QUANTITIES, DOMAIN(struct ek_quantities, resources), 0, false},
    {"labels", EK_FACT_LABELS, DOMAIN(struct ek_labels, labels), 0, false},
    {"networks", EK_FACT_STRINGS, DOMAIN(struct ek_strings, networks), 0, false},
    {"storages", EK_FACT_STRINGS, DOMAIN(struct ek_strings, storages), 0, false},
    {"rules", EK_FACT_STRINGS, DOMAIN(struct ek_strings, rules), 0, false},
    {"devices", EK_FACT_STRINGS, DOMAIN(struct ek_strings, devices), 0, false},
    {"machine", EK_FACT_TEXT, DOMAIN(const char *, machine), 0, false},
    {"cpu_model", EK_FACT_TEXT, DOMAIN(const char *, cpu_model), 0, false},
};

/* Each makes a column of its own. */
enum { MAX_QUANTITIES = 64 };

/* 2^40 steps: a million GiB, more cores than there are. */
#define MANY ((int64_t)1 << 40)

/* A part of the time, and some more for what is cut. */
enum { PART_SCALE = 1000, PART_MAX = PART_SCALE + 1 };

/* A part of a struct ek_pressure. */
#define WAITED(at, pressure, part)                                                     \
    {                                                                                  \
#part, EK_COLUMN_NUMBER, at(double, pressure.part), PART_SCALE, NAN, PART_MAX, \
            at(bool, pressure.given)                                                   \
    }

/* Steps are what sampling tells apart: libvirt's counters step by 10 ms, which of 15 s is 0.0007
 * of a core, and no two samples of a domain that does the same agree to a hundredth of one. */
static const struct ek_column host_columns[] = {
    {"cpu_used_cores", EK_COLUMN_NUMBER, HOST(double, host.cpu_used_cores), 100, NAN, MANY, 0},
    {"memory_used_mib", EK_COLUMN_NUMBER, HOST(double, host.memory_used_mib), 1, NAN, MANY, 0},
    WAITED(HOST, host.pressure, cpu_some),
    WAITED(HOST, host.pressure, memory_some),
    WAITED(HOST, host.pressure, memory_full),
    WAITED(HOST, host.pressure, io_some),
    WAITED(HOST, host.pressure, io_full),
};

static const struct ek_column domain_columns[] = {
    {"paused", EK_COLUMN_FLAG, DOMAIN(bool, paused), 1, 0, 1, 0},
    {"incoming", EK_COLUMN_FLAG, DOMAIN(bool, incoming), 1, 0, 1, 0},
    {"cpu_used_cores", EK_COLUMN_NUMBER, DOMAIN(double, cpu_used_cores), 100, NAN, MANY, 0},
    {"cpu_steal", EK_COLUMN_NUMBER, DOMAIN(double, cpu_steal), PART_SCALE, NAN, PART_MAX, 0},
    {"memory_used_mib", EK_COLUMN_NUMBER, DOMAIN(double, memory_used_mib), 1, NAN, MANY, 0},
    {"memory_rss_mib", EK_COLUMN_NUMBER, DOMAIN(double, memory_rss_mib), 1, NAN, MANY, 0},
    {"dirty_mib_s", EK_COLUMN_NUMBER, DOMAIN(double, dirty_mib_s), 10, 0, MANY, 0},
    {"local_disk_mib", EK_COLUMN_NUMBER, DOMAIN(double, local_disk_mib), 1, 0, MANY, 0},
    WAITED(DOMAIN, pressure, cpu_some),
    WAITED(DOMAIN, pressure, memory_some),
    WAITED(DOMAIN, pressure, memory_full),
    WAITED(DOMAIN, pressure, io_some),
    WAITED(DOMAIN, pressure, io_full),
    {"swap_in_mib_s", EK_COLUMN_NUMBER, DOMAIN(double, swap_in_mib_s), 10, 0, MANY, 0},
    {"dirty_measured_at_ms", EK_COLUMN_TIME, DOMAIN(int64_t, dirty_measured_at_ms), 0.001, 0, MANY,
     0},
};

/* Of further resources nothing is known but that they are quantities. */
static const struct ek_column quantity_column = {
    "resources", EK_COLUMN_NUMBER, 0, 100, NAN, MANY, 0};

const struct ek_history_kind ek_history_hosts = {
    .name = "host",
    .size = sizeof(struct ek_history_host),
    .facts = host_facts,
    .fact_count = COUNT(host_facts),
    .columns = host_columns,
    .column_count = COUNT(host_columns),
    .quantities = HOST(struct ek_quantities, host.resources),
};

const struct ek_history_kind ek_history_domains = {
    .name = "domain",
    .size = sizeof(struct ek_domain),
    .facts = domain_facts,
    .fact_count = COUNT(domain_facts),
    .columns = domain_columns,
    .column_count = COUNT(domain_columns),
    .quantities = DOMAIN(struct ek_quantities, resources),
};

/* ---- columns --------------------------------------------------------------------------------- */

static const struct ek_quantities *quantities_of(const struct ek_history_kind *kind,
                                                 const void *entity)
{
    return (const void *)((const char *)entity + kind->quantities);
}

size_t ek_columns_of(const struct ek_history_kind *kind, const void *entity)
{
    return kind->column_count + quantities_of(kind, entity)->count;
}

int64_t ek_column_max(const struct ek_history_kind *kind, size_t column)
{
    return column < kind->column_count ? kind->columns[column].max : quantity_column.max;
}

/* What is beyond any bounds is cut to them: a figure that cannot be is no reason to lose the
 * others. A figure that a reader gives for the unknown is written as such: it costs less. */
static int64_t to_steps(const struct ek_column *column, double value)
{
    double steps = round(value * column->scale) + 1;

    if (isnan(value) || value == column->unknown) {
        return 0;
    }
    return steps < 1 ? 1 : steps > (double)column->max ? column->max : (int64_t)steps;
}

static double to_value(const struct ek_column *column, int64_t steps)
{
    return steps == 0 ? column->unknown : (double)(steps - 1) / column->scale;
}

static int64_t take_figure(const struct ek_column *column, const void *entity)
{
    const void *at = (const char *)entity + column->offset;

    if (column->given != 0 && !*(const bool *)((const char *)entity + column->given)) {
        return 0;
    }
    switch (column->type) {
    case EK_COLUMN_FLAG:
        return *(const bool *)at;
    case EK_COLUMN_NUMBER:
        return to_steps(column, *(const double *)at);
    case EK_COLUMN_TIME:
        return to_steps(column, (double)*(const int64_t *)at);
    }
    return 0;
}

static void give_figure(const struct ek_column *column, void *entity, int64_t figure)
{
    void *at = (char *)entity + column->offset;

    switch (column->type) {
    case EK_COLUMN_FLAG:
        *(bool *)at = figure != 0;
        break;
    case EK_COLUMN_NUMBER:
        *(double *)at = to_value(column, figure);
        break;
    case EK_COLUMN_TIME:
        *(int64_t *)at = llround(to_value(column, figure));
        break;
    }
    if (column->given != 0 && figure != 0) {
        *(bool *)((char *)entity + column->given) = true;
    }
}

void ek_columns_take(const struct ek_history_kind *kind, const void *entity, int64_t *figures)
{
    const struct ek_quantities *quantities = quantities_of(kind, entity);

    for (size_t c = 0; c < kind->column_count; c++) {
        figures[c] = take_figure(&kind->columns[c], entity);
    }
    for (size_t q = 0; q < quantities->count; q++) {
        figures[kind->column_count + q] = to_steps(&quantity_column, quantities->items[q].used);
    }
}

/* The quantities must be the entity's own: they are written to. */
void ek_columns_give(const struct ek_history_kind *kind, void *entity, const int64_t *figures)
{
    const struct ek_quantities *quantities = quantities_of(kind, entity);

    for (size_t c = 0; c < kind->column_count; c++) {
        give_figure(&kind->columns[c], entity, figures[c]);
    }
    for (size_t q = 0; q < quantities->count; q++) {
        quantities->items[q].used = to_value(&quantity_column, figures[kind->column_count + q]);
    }
}

/* ---- checks ---------------------------------------------------------------------------------- */

static bool check_text(const struct ek_history_kind *kind, const struct ek_fact *fact,
                       const char *text, const char *place, struct ek_error *err)
{
    bool good = text != NULL && text[0] != '\0' && strlen(text) < fact->size;

    for (const char *at = text; good && *at != '\0'; at++) {
        good = (unsigned char)*at >= ' ' && *at != 0x7f; /* it stands in messages and in keys */
    }
    return fact->size == 0 || good ||
           ek_error_set(err, EK_ERR_INVALID,
                        "%s: %s.%s: found %s%.40s, expected a text of 1 to %zu bytes without "
                        "control characters",
                        place, kind->name, fact->name, text == NULL ? "nothing" : "",
                        text == NULL ? "" : text, fact->size - 1);
}

static bool check_number(const struct ek_history_kind *kind, const struct ek_fact *fact,
                         double number, const char *place, struct ek_error *err)
{
    return (isfinite(number) && number >= 0 && (number > 0 || !fact->positive)) ||
           ek_error_set(err, EK_ERR_INVALID, "%s: %s.%s: found %g, expected a number %s", place,
                        kind->name, fact->name, number, fact->positive ? "above 0" : "from 0 on");
}

static bool check_quantities(const struct ek_history_kind *kind, const struct ek_fact *fact,
                             const struct ek_quantities *quantities, const char *place,
                             struct ek_error *err)
{
    bool good = quantities->count <= MAX_QUANTITIES ||
                ek_error_set(err, EK_ERR_INVALID, "%s: %s.%s: found %zu, expected at most %d",
                             place, kind->name, fact->name, quantities->count, (int)MAX_QUANTITIES);

    for (size_t i = 0; good && i < quantities->count; i++) {
        good = check_number(kind, fact, quantities->items[i].capacity, place, err);
    }
    return good;
}

bool ek_facts_check(const struct ek_history_kind *kind, const void *entity, const char *place,
                    struct ek_error *err)
{
    bool good = true;

    for (size_t f = 0; good && f < kind->fact_count; f++) {
        const struct ek_fact *fact = &kind->facts[f];
        const void *at = (const char *)entity + fact->offset;
        if (fact->type == EK_FACT_TEXT) {
            good = check_text(kind, fact, *(const char *const *)at, place, err);
        } else if (fact->type == EK_FACT_NUMBER) {
            good = check_number(kind, fact, *(const double *)at, place, err);
        } else if (fact->type == EK_FACT_QUANTITIES) {
            good = check_quantities(kind, fact, at, place, err);
        }
    }
    return good;
}
