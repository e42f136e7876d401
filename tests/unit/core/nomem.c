/* Out of memory: the n-th allocation of the core fails, for every n. Errors must be clean, nothing
 * may leak (ASan watches), and the engine must go on afterwards. The linker puts the functions
 * below before the C library's. */
#include "balancer/core/engine/engine.h"
#include "balancer/core/explain/explain.h"
#include "balancer/core/schedule/preflight.h"
#include "policies/policy_ops.h"
#include "tests/lib/cluster_text.h"
#include "tests/lib/cmocka.h"
#include "tests/lib/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

/* Allocations that succeed before one fails; armed only while the core is called. */
static struct {
    bool armed;
    bool for_ever; /* all after the n-th fail, too */
    long left;
    long failed;
} fault;

static bool fails(void)
{
    if (!fault.armed || fault.left-- > 0) {
        return false;
    }
    bool fail = fault.for_ever || fault.left == -1;
    fault.failed += fail ? 1 : 0;
    return fail;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return fails() ? NULL : __real_realloc(old, size);
}

static void begin_at(long n, bool for_ever)
{
    fault.left = n;
    fault.failed = 0;
    fault.for_ever = for_ever;
}

/* Runs `act` with the n-th allocation failing, for each n until none fails. A call that lost an
 * allocation must fail with NOMEM. Gives the number of allocations. */
static long fail_each(bool (*act)(struct ek_error *err), bool for_ever)
{
    for (long n = 0;; n++) {
        struct ek_error err = {0};
        begin_at(n, for_ever);
        fault.armed = true;
        bool ok = act(&err);
        fault.armed = false;
        assert_int_equal(ok, fault.failed == 0);
        if (ok) {
            return n;
        }
        assert_int_equal(err.code, EK_ERR_NOMEM);
        assert_true(strlen(err.message) > 0);
    }
}

static struct ek_snapshot cluster;
static struct ek_rules rules;

static int setup(void **state)
{
    struct ek_random random = {42};

    (void)state;
    do {
        ek_snapshot_finish(&cluster);
        ek_random_cluster(&cluster, &random, 12);
    } while (cluster.domain_count < 40);
    do {
        ek_rules_finish(&rules);
        ek_random_rules(&rules, &random, &cluster);
    } while (rules.count < 6);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ek_rules_finish(&rules);
    ek_snapshot_finish(&cluster);
    return 0;
}

static bool plan_and_schedule(struct ek_error *err)
{
    struct ek_policy policy;
    struct ek_evaluation evaluation = {.snapshot = NULL};
    struct ek_plan plan = {.snapshot = NULL};
    struct ek_schedule schedule = {.plan = NULL};
    struct ek_plan_request request = {
        .evaluation = &evaluation, .balance = &ek_policy_spread, .trials = 200};

    ek_policy_defaults(&policy);
    policy.rules = &rules;
    bool ok = ek_evaluate(&evaluation, &cluster, &policy, err) &&
              ek_plan_make(&plan, &request, err) &&
              ek_schedule_make(&schedule, &plan, &policy, err);
    ek_schedule_finish(&schedule);
    ek_plan_finish(&plan);
    ek_evaluation_finish(&evaluation);
    return ok;
}

/* Evaluation, plan and schedule fail cleanly wherever memory runs out. */
static void plans_fail_cleanly(void **state)
{
    (void)state;
    assert_true(fail_each(plan_and_schedule, false) > 3);
    assert_true(fail_each(plan_and_schedule, true) > 3);
}

static bool plan_and_explain(struct ek_error *err)
{
    struct ek_policy policy;
    struct ek_evaluation evaluation = {.snapshot = NULL};
    struct ek_plan plan = {.snapshot = NULL};
    struct ek_explanation explanation = {.plan = NULL};
    struct ek_why_not why_not = {.move = NULL};
    struct ek_plan_request request = {.evaluation = &evaluation, .balance = &ek_policy_spread};

    ek_policy_defaults(&policy);
    policy.rules = &rules;
    bool ok = ek_evaluate(&evaluation, &cluster, &policy, err) &&
              ek_plan_make(&plan, &request, err) &&
              ek_explain_plan(&explanation, &plan, &request, EK_NONE, err) &&
              ek_explain_why_not(&why_not, &plan, &request, 0, 0, err);
    ek_why_not_finish(&why_not);
    ek_explanation_finish(&explanation);
    ek_plan_finish(&plan);
    ek_evaluation_finish(&evaluation);
    return ok;
}

/* Explanations fail cleanly wherever memory runs out. */
static void explanations_fail_cleanly(void **state)
{
    (void)state;
    assert_true(fail_each(plan_and_explain, false) > 10);
}

static bool plan_and_look_ahead(struct ek_error *err)
{
    struct ek_policy policy;
    struct ek_evaluation evaluation = {.snapshot = NULL};
    struct ek_plan plan = {.snapshot = NULL};
    struct ek_schedule schedule = {.plan = NULL};
    struct ek_preflight preflight = {.plan = NULL};
    struct ek_plan_request request = {.evaluation = &evaluation, .balance = &ek_policy_spread};

    ek_policy_defaults(&policy);
    policy.rules = &rules;
    bool ok = ek_evaluate(&evaluation, &cluster, &policy, err) &&
              ek_plan_make(&plan, &request, err) &&
              ek_schedule_make(&schedule, &plan, &policy, err) &&
              ek_preflight_make(&preflight, &plan, &schedule, &request, err);
    ek_preflight_finish(&preflight);
    ek_schedule_finish(&schedule);
    ek_plan_finish(&plan);
    ek_evaluation_finish(&evaluation);
    return ok;
}

/* So do preflights. */
static void preflights_fail_cleanly(void **state)
{
    (void)state;
    assert_true(fail_each(plan_and_look_ahead, false) > 10);
}

static bool assemble(struct ek_error *err)
{
    struct ek_host_entry entries[16];
    struct ek_sample samples[16] = {{.taken_at_ms = 0}};
    struct ek_snapshot out;
    struct ek_assembly in = {.hosts = entries, .samples = samples, .now_ms = 5};

    for (size_t h = 0; h < cluster.host_count; h++, in.host_count++, in.sample_count++) {
        entries[h] = (struct ek_host_entry){.name = cluster.hosts[h].name};
        samples[h].host = cluster.hosts[h];
        samples[h].domains = h == 0 ? cluster.domains : NULL;
        samples[h].domain_count = h == 0 ? cluster.domain_count : 0;
        samples[h].period_ms = 10;
    }
    bool ok = ek_snapshot_assemble(&out, &in, err);
    assert_int_equal(out.domain_count, ok ? cluster.domain_count : 0);
    ek_snapshot_finish(&out);
    return ok;
}

/* Assembly fails cleanly, and leaves an empty snapshot behind. */
static void assembly_fails_cleanly(void **state)
{
    (void)state;
    assert_true(fail_each(assemble, false) > 1);
}

static bool check(struct ek_error *err)
{
    return ek_snapshot_check(&cluster, err);
}

/* A check that runs out of memory says so, and never that the snapshot is sound. */
static void checks_fail_cleanly(void **state)
{
    (void)state;
    assert_true(fail_each(check, false) > 3);
}

static bool rest_many(struct ek_error *err)
{
    struct ek_policy policy;
    struct ek_cooldown *cooldown = ek_cooldown_create();
    bool ok = cooldown != NULL || ek_error_set(err, EK_ERR_NOMEM, "no cooldown");

    ek_policy_defaults(&policy);
    for (int i = 0; ok && i < 1000; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "domain-%d", i);
        ok = ek_cooldown_moved(cooldown, &policy, name, 1000, err);
        if (!ok) { /* what is there is still sound, and the next may succeed */
            fault.armed = false;
            assert_null(ek_cooldown_find(cooldown, name));
            assert_int_equal(ek_cooldown_export(cooldown, NULL, 0), i);
            assert_true(ek_cooldown_block(cooldown, name, true, err));
            assert_true(ek_cooldown_find(cooldown, name)->blocked);
        }
    }
    ek_cooldown_destroy(cooldown);
    return ok;
}

/* A cooldown that runs out of memory keeps what it knows. */
static void cooldowns_fail_cleanly(void **state)
{
    (void)state;
    assert_true(fail_each(rest_many, false) > 1000);
}

/* ---- the engine ------------------------------------------------------------------------------ */

enum { DOMAINS = 5, CYCLES = 60 };

/* A small world that carries out what the engine wants. */
struct world {
    struct ek_engine *engine;
    struct ek_effects effects;
    int64_t now_ms;
    char place[DOMAINS][EK_NAME_SIZE];
    size_t started;
};

static void step(struct world *world, struct ek_event event)
{
    struct ek_error err = {0};

    event.now_ms = world->now_ms += 1000;
    fault.armed = true;
    bool ok = ek_engine_step(world->engine, &event, &world->effects, &err);
    fault.armed = false;
    assert_int_equal(err.code, ok ? EK_ERR_NONE : EK_ERR_NOMEM);
    assert_true(ok || world->effects.count == 0);
    for (size_t i = 0; i < world->effects.count; i++) {
        world->started += world->effects.items[i].kind == EK_EFFECT_START ? 1 : 0;
    }
    /* What the engine thinks to run is exactly what it was able to order. */
    assert_int_equal(ek_engine_view(world->engine).running_count, world->started);
}

static void cycle(struct world *world)
{
    struct ek_text text = {.used = 0};
    struct ek_snapshot snapshot;

    /* The last one is only told of: somebody stays. */
    ek_text_add(&text, "h1 maintenance partial; h2; h3; h4; stuck@h1 immovable; last@h1 shutdown;");
    for (int d = 0; d < DOMAINS; d++) {
        ek_text_add(&text, "d%d@%s 1v 1G 0.5c;", d, world->place[d]);
    }
    ek_test_cluster(&snapshot, text.text);
    ek_test_sampled(&snapshot, world->now_ms, 1000);
    step(world, (struct ek_event){.kind = EK_EVENT_SNAPSHOT, .u.snapshot = &snapshot});
    ek_snapshot_finish(&snapshot);
}

static void end_one(struct world *world)
{
    const struct ek_move_order order = ek_engine_view(world->engine).running[0];
    struct ek_outcome outcome = {.state = EK_MOVE_DONE, .ended_at_ms = world->now_ms};

    memcpy(outcome.id, order.id, sizeof(outcome.id));
    memcpy(outcome.plan_id, order.plan_id, sizeof(outcome.plan_id));
    memcpy(outcome.domain, order.domain, sizeof(outcome.domain));
    memcpy(outcome.source, order.source, sizeof(outcome.source));
    memcpy(outcome.destination, order.destination, sizeof(outcome.destination));
    memcpy(world->place[order.domain[1] - '0'], order.destination, EK_NAME_SIZE);
    world->started--;
    step(world, (struct ek_event){.kind = EK_EVENT_OUTCOME, .u.outcome = &outcome});
}

static bool emptied(const struct world *world)
{
    for (int d = 0; d < DOMAINS; d++) {
        if (strcmp(world->place[d], "h1") == 0) {
            return false;
        }
    }
    return world->started == 0;
}

/* The host is emptied although one allocation failed on the way. */
static void evacuate(long n, bool for_ever)
{
    struct world world = {.engine = ek_engine_create(), .now_ms = 1000000};
    struct ek_policy policy;
    int cycles = 0;

    ek_policy_defaults(&policy);
    policy.mode = EK_MODE_AUTOMATIC;
    for (int d = 0; d < DOMAINS; d++) {
        memcpy(world.place[d], "h1", 3);
    }
    begin_at(n, for_ever);
    step(&world, (struct ek_event){.kind = EK_EVENT_POLICY, .u.policy = &policy});
    for (; cycles < CYCLES && !emptied(&world); cycles++) {
        cycle(&world);
        if (world.started > 0) {
            end_one(&world);
        }
        fault.for_ever = false; /* memory is there again in the next cycle */
    }
    assert_true(cycles < CYCLES);
    ek_effects_finish(&world.effects);
    ek_engine_destroy(world.engine);
}

/* Whatever allocation fails, once or for a cycle, the engine never believes in a move that it did
 * not order, and empties the host in the end. */
static void the_engine_goes_on(void **state)
{
    (void)state;
    for (int for_ever = 0; for_ever < 2; for_ever++) {
        long n = 0;
        do {
            evacuate(n++, for_ever != 0);
        } while (fault.failed > 0);
        assert_true(n > 50);
    }
}

static bool create(struct ek_error *err)
{
    struct ek_engine *engine = ek_engine_create();

    ek_engine_destroy(engine);
    return engine != NULL || ek_error_set(err, EK_ERR_NOMEM, "no engine");
}

/* No engine is made without memory, and none is half made. */
static void creation_fails_cleanly(void **state)
{
    (void)state;
    assert_int_equal(fail_each(create, false), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(plans_fail_cleanly, setup, teardown),
        cmocka_unit_test_setup_teardown(explanations_fail_cleanly, setup, teardown),
        cmocka_unit_test_setup_teardown(preflights_fail_cleanly, setup, teardown),
        cmocka_unit_test_setup_teardown(assembly_fails_cleanly, setup, teardown),
        cmocka_unit_test_setup_teardown(checks_fail_cleanly, setup, teardown),
        cmocka_unit_test(cooldowns_fail_cleanly),
        cmocka_unit_test(the_engine_goes_on),
        cmocka_unit_test(creation_fails_cleanly),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
