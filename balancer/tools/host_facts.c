/* The facts of one host, below its row of `evenkeel hosts HOST`. */
#include "balancer/tools/host_facts.h"

#include "balancer/tools/table.h"

/* Memory and disks are shown in GiB, as they are bought. */
enum { MIB_PER_GIB = 1024 };

static void print_fact(FILE *out, const char *what, const char *text)
{
    if (text != NULL) {
        ek_terminal_print(out, EK_COLOUR_NONE, "%-12s%s\n", what, text);
    }
}

/* Name by name: together they may be longer than a line may be. */
static void print_networks(FILE *out, const struct ek_strings *networks)
{
    for (size_t i = 0; i < networks->count; i++) {
        ek_terminal_print(out, EK_COLOUR_NONE, i == 0 ? "%-12s%s" : "%s%s",
                          i == 0 ? "networks" : ", ", networks->items[i]);
    }
    if (networks->count > 0) {
        (void)fputc('\n', out);
    }
}

static void print_facts(FILE *out, const struct ek_host *host)
{
    if (host->hypervisor == NULL && host->cpu_model == NULL && host->uuid == NULL &&
        host->networks.count == 0) {
        return;
    }
    (void)fputc('\n', out);
    print_fact(out, "hypervisor", host->hypervisor);
    print_fact(out, "CPU model", host->cpu_model);
    print_fact(out, "UUID", host->uuid);
    print_networks(out, &host->networks);
}

static bool print_cells(FILE *out, const struct ek_numa_cells *cells)
{
    static const struct ek_column columns[] = {
        {"NUMA CELL", false}, {"CPUS", true}, {"MEM GIB", true}, {"FREE GIB", true}};
    struct ek_table table = EK_TABLE(columns);

    if (cells->count == 0) {
        return true;
    }
    (void)fputc('\n', out);
    for (size_t i = 0; i < cells->count; i++) {
        const struct ek_numa_cell *cell = &cells->items[i];
        ek_table_cell(&table, EK_COLOUR_NONE, "%u", (unsigned int)cell->id);
        ek_table_number(&table, cell->cpus, 0);
        ek_table_number(&table, cell->memory_mib / MIB_PER_GIB, 1);
        ek_table_number(&table, cell->free_mib / MIB_PER_GIB, 1);
    }
    return ek_table_print(&table, out);
}

static void add_text(struct ek_table *table, const char *text)
{
    ek_table_cell(table, text == NULL ? EK_COLOUR_FAINT : EK_COLOUR_NONE, "%s",
                  text == NULL ? "-" : text);
}

static bool print_pools(FILE *out, const struct ek_storage_pools *pools)
{
    static const struct ek_column columns[] = {
        {"STORAGE POOL", false}, {"TYPE", false},         {"TARGET", false},  {"SOURCE", false},
        {"GIB", true},           {"ALLOCATED GIB", true}, {"LEFT GIB", true},
    };
    struct ek_table table = EK_TABLE(columns);

    if (pools->count == 0) {
        return true;
    }
    (void)fputc('\n', out);
    for (size_t i = 0; i < pools->count; i++) {
        const struct ek_storage_pool *pool = &pools->items[i];
        add_text(&table, pool->name);
        add_text(&table, pool->type);
        add_text(&table, pool->target);
        add_text(&table, pool->source);
        ek_table_number(&table, pool->capacity_mib / MIB_PER_GIB, 1);
        ek_table_number(&table, pool->allocation_mib / MIB_PER_GIB, 1);
        ek_table_number(&table, pool->available_mib / MIB_PER_GIB, 1);
    }
    return ek_table_print(&table, out);
}

bool ek_host_facts_print(const struct ek_host *host, FILE *out)
{
    print_facts(out, host);
    return print_cells(out, &host->numa_cells) && print_pools(out, &host->storage_pools);
}
