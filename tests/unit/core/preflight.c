/* Preflights: whether hosts can be emptied, how long it takes, and what would let the rest go. */
#include "balancer/core/schedule/preflight.h"

#include "policies/policy_ops.h"
#include "tests/lib/cluster_text.h"
#include "tests/lib/cmocka.h"
#include "tests/lib/planning.h"
#include "tests/lib/random.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static struct ek_planning it;
static struct ek_preflight found;
static struct ek_cooldown *cooldown;

static int setup(void **state)
{
    (void)state;
    cooldown = NULL;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ek_preflight_finish(&found);
    ek_planning_end(&it);
    ek_cooldown_destroy(cooldown);
    return 0;
}

/* Plans what the snapshot now says, and looks ahead. */
static void look(void)
{
    struct ek_error err = {0};
    const struct ek_plan_request request = {.evaluation = &it.evaluation,
                                            .balance = ek_policy_find(it.policy.kind),
                                            .cooldown = cooldown,
                                            .as_far = true,
                                            .balance_held = "only hosts are emptied"};

    ek_preflight_finish(&found);
    ek_planning_run(&it, cooldown);
    ek_schedule_finish(&it.schedule);
    ek_plan_finish(&it.plan);
    assert_true(ek_plan_make(&it.plan, &request, &err));
    assert_true(ek_schedule_make(&it.schedule, &it.plan, &it.policy, &err));
    assert_true(ek_preflight_make(&found, &it.plan, &it.schedule, &request, &err));
}

static void look_at(const char *cluster)
{
    ek_planning_begin(&it, cluster);
    it.policy.limit_host_out = 1;
    look();
}

static const struct ek_preflight_host *host_of(const char *name)
{
    uint32_t index = ek_test_host(&it.snapshot, name);

    for (size_t i = 0; i < found.host_count; i++) {
        if (found.hosts[i].host == index) {
            return &found.hosts[i];
        }
    }
    fail_msg("%s is not in maintenance", name);
    return NULL;
}

/* ---- times ----------------------------------------------------------------------------------- */

/* 1000 MiB over 100 MiB/s and half a second beside it. The dirty rate is not known: at worst the
 * guest writes half of the link and is sent twice. A quarter less, a quarter more. */
static void a_guest_that_was_not_measured_has_a_wide_range(void **state)
{
    (void)state;
    look_at("h1 maintenance link=100; h2 link=100; a@h1 1v 1000M");
    const struct ek_preflight_host *host = host_of("h1");
    assert_true(host->feasible);
    assert_int_equal(host->domains, 1);
    assert_int_equal(host->unmeasured, 1);
    assert_int_equal(host->eta.likely_ms, 10500);
    assert_int_equal(host->eta.low_ms, 7875);
    /* Half a second of downtime is 50 MiB: rounds of 1000, 500, ... 62.5 and 31.25 MiB. */
    assert_int_equal(host->eta.high_ms, 1.25 * (19687.5 + 500 + .5));
}

/* One that was measured is believed: nothing but the quarter is left above the estimate. */
static void a_measured_guest_has_a_narrow_range(void **state)
{
    (void)state;
    look_at("h1 maintenance link=100; h2 link=100; a@h1 1v 1000M dirty=20");
    const struct ek_preflight_host *host = host_of("h1");
    assert_int_equal(host->unmeasured, 0);
    /* 1000, 200 and 40 MiB; without any writing 1000. */
    assert_int_equal(host->eta.likely_ms, 12900);
    assert_int_equal(host->eta.low_ms, 7875);
    assert_int_equal(host->eta.high_ms, 16125);
}

/* A domain that took half as long again as predicted may have taken twice as long the last time. */
static void what_was_learned_moves_the_estimate_and_widens_the_range(void **state)
{
    (void)state;
    ek_planning_begin(&it, "h1 maintenance link=100; h2 link=100; a@h1 1v 1000M dirty=1");
    it.snapshot.domains[0].migration_factor = 1.5;
    look();
    const struct ek_preflight_host *host = host_of("h1");
    assert_int_equal(host->eta.likely_ms, 1.5 * 10100 + 500);
    assert_int_equal(host->eta.low_ms, .75 * 10500);
    assert_int_equal(host->eta.high_ms, 1.25 * (2 * 10100 + 500));
}

/* Who is not expected to converge may copy until its deadline. */
static void a_guest_that_may_not_converge_is_counted_to_its_deadline(void **state)
{
    (void)state;
    ek_planning_begin(&it, "h1 maintenance link=100; h2 link=100; a@h1 1v 1000M dirty=200");
    it.policy.timeout_min_ms = 600000;
    look();
    const struct ek_preflight_host *host = host_of("h1");
    int64_t deadline_ms = ek_migration_timeout_ms(&it.snapshot.domains[0], &it.policy);
    assert_int_equal(host->doubtful, 1);
    assert_true(host->eta.likely_ms < deadline_ms);
    assert_int_equal(host->eta.high_ms, (int64_t)ceil(1.25 * (double)deadline_ms));
}

/* Limits are the policy's, and each host has its own end. */
static void each_host_has_its_own_end(void **state)
{
    (void)state;
    look_at("h1 maintenance link=100; h2 maintenance link=100; h3 link=100;"
            "a@h1 1v 1000M dirty=1; b@h1 1v 1000M dirty=1; c@h2 1v 500M dirty=1");
    it.policy.limit_host_in = 1;
    look();
    const struct ek_preflight_host *h1 = host_of("h1");
    const struct ek_preflight_host *h2 = host_of("h2");
    int64_t last_ms = h1->eta.likely_ms > h2->eta.likely_ms ? h1->eta.likely_ms : h2->eta.likely_ms;
    assert_int_equal(last_ms, it.schedule.makespan_ms);
    assert_int_not_equal(h1->eta.likely_ms, h2->eta.likely_ms);
}

/* What runs from there already has to end, and what is to start may have to wait for it. */
static void what_is_under_way_counts(void **state)
{
    (void)state;
    look_at("h1 maintenance link=100; h2 link=100; a@h1->h2 1v 1000M dirty=1;"
            "b@h1 1v 500M dirty=1");
    it.snapshot.in_flight[0].started_at_ms = it.snapshot.taken_at_ms - 4000;
    look();
    const struct ek_preflight_host *host = host_of("h1");
    assert_int_equal(host->domains, 2);
    assert_int_equal(host->leaving, 1);
    assert_true(host->feasible);
    assert_int_equal(host->eta.likely_ms, 10100 + 500 - 4000 + 5050 + 500);
}

/* Of a host that nobody sees nothing is promised. */
static void a_host_without_a_sample_is_not_feasible(void **state)
{
    (void)state;
    look_at("h1 maintenance down; h2");
    assert_false(host_of("h1")->feasible);
    assert_string_equal(host_of("h1")->problem, "the host has no fresh sample");
}

/* ---- moves ----------------------------------------------------------------------------------- */

/* Room that others make belongs to the evacuation; what another host needs does not. */
static void moves_are_those_of_the_hosts_and_what_they_wait_for(void **state)
{
    bool asked[4] = {false};
    bool wanted[8] = {false};
    struct ek_text seen = {.used = 0};

    (void)state;
    look_at("h1 16G maintenance; h2 9G; h3 5G; h4 maintenance; a@h1 1v 8G 100M 0.1c;"
            "b@h2 1v 4G 100M 0.1c; c@h4 1v 100M 0.1c");
    asked[ek_test_host(&it.snapshot, "h1")] = true;
    assert_int_equal(it.plan.move_count, 3);
    ek_preflight_moves(&found, asked, wanted);
    for (size_t i = 0; i < it.plan.move_count; i++) {
        if (wanted[i]) {
            ek_text_add(&seen, "%s ", it.snapshot.domains[it.plan.moves[i].domain].name);
        }
    }
    assert_string_equal(seen.text, "b a ");
}

/* ---- what is in the way ---------------------------------------------------------------------- */

/* The first reason of each host, and the least that would do: all of it, of one host. */
static void a_stuck_domain_has_its_reasons_and_the_cheapest_way_out(void **state)
{
    (void)state;
    look_at("h1 16G maintenance; h2 4G net=x; h3 8G net=br0; h4 down; a@h1 1v 8G net=br0");
    assert_int_equal(found.stuck_count, 1);
    const struct ek_preflight_stuck *stuck = &found.stuck[0];
    assert_false(host_of("h1")->feasible);
    assert_null(stuck->reason);
    assert_int_equal(stuck->refusal_count, 3);
    assert_string_equal(stuck->refusals[0].reason, "no network br0 there");
    assert_string_equal(stuck->refusals[1].reason,
                        "8192 MiB of memory needed, 7782 MiB may still be given");
    assert_string_equal(stuck->refusals[2].reason, "host is down");
    assert_int_equal(stuck->relaxation.host, ek_test_host(&it.snapshot, "h3"));
    assert_string_equal(stuck->relaxation.text, "410 MiB more have to be free for domains on h3");
}

/* Behind the first reason there may be another: both are asked for. */
static void everything_that_is_in_the_way_is_asked_for(void **state)
{
    (void)state;
    look_at("h1 16G maintenance; h2 4G net=x; a@h1 1v 8G net=br0 immovable");
    assert_non_null(found.stuck[0].reason);
    assert_int_equal(found.stuck[0].refusal_count, 0);
    assert_string_equal(
        found.stuck[0].relaxation.text,
        "what ties it to its host has to be taken away, and h2 has to offer network "
        "br0, and 4301 MiB more have to be free for domains on h2");
}

/* Nobody but the domain's own host is there. */
static void a_lonely_host_needs_another(void **state)
{
    (void)state;
    look_at("h1 16G maintenance; a@h1 1v 8G");
    assert_string_equal(found.stuck[0].relaxation.text, "there has to be another host");
}

/* A domain on two hosts is no matter of room. */
static void a_copy_asks_for_an_operator(void **state)
{
    struct ek_copy copy = {.domain = 0, .host = 0};

    (void)state;
    ek_planning_begin(&it, "h1 maintenance; h2; a@h2 1v 1G immovable");
    it.snapshot.copies = &copy;
    it.snapshot.copy_count = 1;
    look();
    assert_int_equal(host_of("h1")->domains, 1);
    assert_false(host_of("h1")->feasible);
    assert_string_equal(found.stuck[0].relaxation.text,
                        "an operator has to end it on one of the two hosts");
    it.snapshot.copies = NULL;
    it.snapshot.copy_count = 0;
}

/* Does to the cluster what one clause of a relaxation says, with the number that it names. */
static void obey_clause(const char *clause, uint32_t domain, uint32_t at)
{
    struct ek_host *host = &it.snapshot.hosts[at];
    struct ek_domain *guest = &it.snapshot.domains[domain];
    double more = 0;

    if (strstr(clause, "MiB more") != NULL) {
        assert_int_equal(sscanf(clause, "%lf", &more), 1);
        host->memory_mib += more / (1 - it.policy.memory_reserve) / it.policy.memory_overcommit;
    } else if (strstr(clause, "vCPUs more") != NULL) {
        assert_int_equal(sscanf(clause, "%lf", &more), 1);
        host->cpu_cores += more / it.policy.cpu_overcommit;
    } else if (strstr(clause, "maintenance of") != NULL) {
        host->maintenance = false;
    } else if (strstr(clause, "has to be up") != NULL) {
        it.snapshot.hosts[strstr(clause, "its host") != NULL ? guest->host : at].state = EK_HOST_UP;
    } else if (strstr(clause, "offer network") != NULL) {
        host->networks.given = false;
    } else if (strstr(clause, "offer storage") != NULL) {
        host->storages.given = false;
    } else if (strstr(clause, "same hypervisor") != NULL) {
        host->hypervisor = it.snapshot.hosts[guest->host].hypervisor;
    } else if (strstr(clause, "CPU model") != NULL) {
        guest->cpu_model = NULL;
    } else if (strstr(clause, "ties it") != NULL) {
        guest->movable = true;
        guest->devices.count = 0;
    } else if (strstr(clause, "only time") == NULL) {
        fail_msg("what is \"%s\"?", clause);
    }
}

/* Only time passes for what is in flight or ended just now. */
static void obey_all(void)
{
    char text[1000];

    for (size_t i = 0; i < found.stuck_count; i++) {
        const struct ek_preflight_stuck *stuck = &found.stuck[i];
        (void)snprintf(text, sizeof(text), "%s", stuck->relaxation.text);
        for (char *clause = text, *end = text; clause != NULL; clause = end) {
            end = strstr(clause, ", and ");
            if (end != NULL) {
                *end = '\0';
                end += strlen(", and ");
            }
            obey_clause(clause, stuck->domain, stuck->relaxation.host);
        }
    }
    it.snapshot.in_flight_count = 0;
}

static bool somebody_needs_another_host(void)
{
    bool lonely = false;

    for (size_t i = 0; i < found.stuck_count; i++) {
        lonely = lonely || found.stuck[i].relaxation.host == EK_NONE;
    }
    return lonely;
}

/* Whoever does all that is asked for gets all hosts emptied: in random clusters, of which many are
 * tight, with hosts that are down, networks that are missing and devices. In a few of them the
 * planner gives the new room to others, and asks for some again. */
static void what_is_asked_for_is_enough(void **state)
{
    struct ek_random random = {7};
    int asked = 0;
    int at_once = 0;

    (void)state;
    for (int round = 0; round < 200; round++) {
        ek_planning_end(&it);
        memset(&it, 0, sizeof(it));
        ek_random_cluster(&it.snapshot, &random, 6);
        it.snapshot.taken_at_ms = 1000000;
        ek_policy_defaults(&it.policy);
        look();
        if (found.stuck_count == 0 || somebody_needs_another_host()) {
            continue;
        }
        asked++;
        obey_all();
        look();
        at_once += found.stuck_count == 0 ? 1 : 0;
        for (int more = 0; found.stuck_count > 0 && more < 3; more++) {
            obey_all();
            look();
        }
        assert_int_equal(found.stuck_count, 0);
    }
    assert_true(asked > 30);
    assert_true(at_once >= asked * 9 / 10);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_guest_that_was_not_measured_has_a_wide_range),
        TEST(a_measured_guest_has_a_narrow_range),
        TEST(what_was_learned_moves_the_estimate_and_widens_the_range),
        TEST(a_guest_that_may_not_converge_is_counted_to_its_deadline),
        TEST(each_host_has_its_own_end),
        TEST(what_is_under_way_counts),
        TEST(a_host_without_a_sample_is_not_feasible),
        TEST(moves_are_those_of_the_hosts_and_what_they_wait_for),
        TEST(a_stuck_domain_has_its_reasons_and_the_cheapest_way_out),
        TEST(everything_that_is_in_the_way_is_asked_for),
        TEST(a_lonely_host_needs_another),
        TEST(a_copy_asks_for_an_operator),
        TEST(what_is_asked_for_is_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
