#include "story.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_TEXT = 1024 };

struct ek_policy automatic_policy(void)
{
    struct ek_policy policy;

    ek_policy_defaults(&policy);
    policy.mode = EK_MODE_AUTOMATIC;
    return policy;
}

/* ---- from text to worlds ------------------------------------------------------------------- */

/* The figures of one thing, by the letter of their unit. */
struct figures {
    double of[128];
};

static struct figures read_figures(char *words)
{
    struct figures figures = {{0}};
    char *rest = NULL;

    for (char *word = strtok_r(words, " ", &rest); word != NULL;
         word = strtok_r(NULL, " ", &rest)) {
        char *unit = NULL;
        double value = strtod(word, &unit);
        assert_true(unit != word && unit[0] > 0 && unit[1] == '\0');
        figures.of[(unsigned char)unit[0]] = value;
    }
    return figures;
}

static void add_host(struct ek_world *it, const char *name, const struct figures *figures)
{
    double link = figures->of['m'] > 0 ? figures->of['m'] : EK_DEFAULT_MIGRATION_MIB_S;
    const struct ek_sim_host_spec spec = {.name = name,
                                          .cpu_cores = figures->of['c'],
                                          .memory_mib = figures->of['G'] * 1024,
                                          .link_in_mib_s = link,
                                          .link_out_mib_s = link,
                                          .base_cpu_cores = 0.1,
                                          .base_memory_mib = 512};
    struct ek_error err = {0};

    assert_int_not_equal(ek_world_add_host(it, &spec, &err), EK_NONE);
}

static void add_domain(struct ek_world *it, const char *name, const char *where,
                       const struct figures *figures)
{
    const struct ek_sim_domain_spec spec = {.name = name,
                                            .host = host(it, where),
                                            .vcpus = figures->of['v'],
                                            .memory_mib = figures->of['G'] * 1024,
                                            .cpu_cores = figures->of['c'],
                                            .dirty_mib_s = figures->of['d'],
                                            .disk_mib = figures->of['k'] * 1024};
    struct ek_error err = {0};

    assert_int_not_equal(ek_world_add_domain(it, &spec, &err), EK_NONE);
}

static void add_domains(struct ek_world *it, char *name, char *where, const struct figures *figures)
{
    char *many = strchr(name, '*');
    char numbered[EK_NAME_SIZE];

    if (many == NULL) {
        add_domain(it, name, where, figures);
        return;
    }
    *many = '\0';
    for (long i = 1, count = strtol(many + 1, NULL, 10); i <= count; i++) {
        (void)snprintf(numbered, sizeof(numbered), "%s%ld", name, i);
        add_domain(it, numbered, where, figures);
    }
}

static void add(struct ek_world *it, char *thing)
{
    char *name = thing + strspn(thing, " ");
    char *words = strchr(name, ' ');

    assert_non_null(words);
    *words = '\0';
    struct figures figures = read_figures(words + 1);
    char *where = strchr(name, '@');
    if (where == NULL) {
        add_host(it, name, &figures);
    } else {
        *where = '\0';
        add_domains(it, name, where + 1, &figures);
    }
}

struct ek_world *world_with(const char *text, const struct ek_world_options *options,
                            const struct ek_policy *policy)
{
    struct ek_world *it = ek_world_create(options, policy);
    char copy[MOST_TEXT];
    char *rest = NULL;

    assert_non_null(it);
    assert_true((size_t)snprintf(copy, sizeof(copy), "%s", text) < sizeof(copy));
    for (char *thing = strtok_r(copy, ";", &rest); thing != NULL;
         thing = strtok_r(NULL, ";", &rest)) {
        add(it, thing);
    }
    return it;
}

struct ek_world *world(const char *text)
{
    struct ek_world_options options;
    struct ek_policy policy = automatic_policy();

    ek_world_options_defaults(&options);
    return world_with(text, &options, &policy);
}

/* cmocka cuts its messages to a kilobyte. */
static void print_trace(const struct ek_world *it)
{
    (void)fprintf(stderr, "seed %llu\n%s", (unsigned long long)ek_world_seed(it),
                  ek_world_trace(it));
}

/* ---- words --------------------------------------------------------------------------------- */

uint32_t host(struct ek_world *it, const char *name)
{
    uint32_t index = ek_sim_cluster_find_host(ek_world_cluster(it), name);

    assert_int_not_equal(index, EK_NONE);
    return index;
}

uint32_t domain(struct ek_world *it, const char *name)
{
    uint32_t index = ek_sim_cluster_find_domain_named(ek_world_cluster(it), name);

    assert_int_not_equal(index, EK_NONE);
    return index;
}

void until(struct ek_world *it, int64_t at_ms)
{
    struct ek_error err = {0};

    if (!ek_world_run_until(it, at_ms, &err) || !ek_world_check(it, &err)) {
        print_trace(it);
        fail_msg("%s", err.message);
    }
}

void pass(struct ek_world *it, int64_t ms)
{
    until(it, ek_world_now_ms(it) + ms);
}

unsigned int residents(struct ek_world *it, const char *host_name)
{
    const struct ek_sim_cluster *cluster = ek_world_cluster(it);
    uint32_t wanted = host(it, host_name);
    unsigned int count = 0;

    for (uint32_t d = 0; d < cluster->domain_count; d++) {
        count += ek_sim_cluster_home(cluster, d) == wanted ? 1 : 0;
    }
    return count;
}

const char *home(struct ek_world *it, const char *domain_name)
{
    const struct ek_sim_cluster *cluster = ek_world_cluster(it);
    uint32_t where = ek_sim_cluster_home(cluster, domain(it, domain_name));

    return where == EK_NONE ? "" : cluster->hosts[where].name;
}

void assert_maintenance(struct ek_world *it, const char *host_name, enum ek_maintenance_state state)
{
    enum ek_maintenance_state found = EK_MAINTENANCE_ENDED;

    (void)ek_world_maintenance_state(it, host(it, host_name), &found);
    assert_string_equal(ek_maintenance_state_name(found), ek_maintenance_state_name(state));
}

void assert_told(struct ek_world *it, const char *text)
{
    if (strstr(ek_world_trace(it), text) == NULL) {
        print_trace(it);
        fail_msg("the trace does not tell \"%s\"", text);
    }
}

void assert_not_told(struct ek_world *it, const char *text)
{
    if (strstr(ek_world_trace(it), text) != NULL) {
        print_trace(it);
        fail_msg("the trace tells \"%s\"", text);
    }
}

void strike(struct ek_world *it, enum ek_world_fault_kind kind, uint32_t subject, int64_t lasts_ms)
{
    const struct ek_world_fault fault = {
        .kind = kind, .subject = subject, .at_ms = ek_world_now_ms(it), .lasts_ms = lasts_ms};
    struct ek_error err = {0};

    assert_true(ek_world_fault(it, &fault, &err));
}

struct wanted {
    enum ek_move_state state;
    bool seen;
};

static void look(void *context, const struct ek_move_record *record)
{
    struct wanted *wanted = context;

    wanted->seen = wanted->seen || record->state == wanted->state;
}

void until_state(struct ek_world *it, enum ek_move_state state, int64_t most_ms)
{
    struct wanted wanted = {.state = state};

    for (int64_t ms = 0; ms < most_ms && !wanted.seen; ms += 20) {
        pass(it, 20);
        ek_sim_journal_each(ek_world_journal(it), look, &wanted);
    }
    if (!wanted.seen) {
        print_trace(it);
        fail_msg("no move came to %s", ek_move_state_name(state));
    }
}

void until_quiet(struct ek_world *it, int64_t most_ms)
{
    int64_t end_ms = ek_world_now_ms(it) + most_ms;

    while (ek_sim_journal_open(ek_world_journal(it)) > 0 ||
           ek_sim_driver_running(ek_world_driver(it)) > 0) {
        if (ek_world_now_ms(it) >= end_ms) {
            print_trace(it);
            fail_msg("moves are still open");
        }
        pass(it, EK_WORLD_SECOND_MS);
    }
}

uint64_t ended(struct ek_world *it, enum ek_move_state state)
{
    return ek_world_counters(it).ended[state];
}
