/* How samples become a snapshot. Time is 100 s; every collector's period is 10 s. */
#include "balancer/core/utilization.h"
#include "tests/lib/cluster_text.h"
#include "tests/lib/cmocka.h"

#include <math.h>
#include <string.h>

enum { MAX_HOSTS = 4, NOW_MS = 100000, PERIOD_MS = 10000 };

/* One host's samples come from one text; a domain may stand there twice. */
struct scene {
    struct ek_snapshot seen;
    struct ek_sample samples[MAX_HOSTS];
    struct ek_host_entry entries[MAX_HOSTS];
    struct ek_known_move moves[2];
    struct ek_assembly in;
    struct ek_snapshot out;
    struct ek_error err;
};

static struct scene scene;

static int teardown(void **state)
{
    (void)state;
    for (size_t h = 0; h < scene.in.sample_count; h++) {
        ek_sample_finish(&scene.samples[h]);
    }
    ek_snapshot_finish(&scene.seen);
    ek_snapshot_finish(&scene.out);
    memset(&scene, 0, sizeof(scene));
    return 0;
}

static void see(const char *text)
{
    ek_test_cluster(&scene.seen, text);
    for (uint32_t h = 0; h < scene.seen.host_count; h++) {
        struct ek_sample *sample = &scene.samples[h];
        *sample = (struct ek_sample){
            .taken_at_ms = NOW_MS, .period_ms = PERIOD_MS, .host = scene.seen.hosts[h]};
        sample->domains =
            ek_arena_alloc(&sample->arena, scene.seen.domain_count, sizeof(*sample->domains));
        for (size_t d = 0; d < scene.seen.domain_count; d++) {
            if (scene.seen.domains[d].host == h) {
                sample->domains[sample->domain_count++] = scene.seen.domains[d];
            }
        }
        scene.entries[h] = (struct ek_host_entry){.name = scene.seen.hosts[h].name};
    }
    scene.in = (struct ek_assembly){.hosts = scene.entries,
                                    .host_count = scene.seen.host_count,
                                    .samples = scene.samples,
                                    .sample_count = scene.seen.host_count,
                                    .moves = scene.moves,
                                    .now_ms = NOW_MS};
}

static void move(const char *domain, const char *source, const char *destination,
                 int64_t ended_at_ms)
{
    scene.moves[scene.in.move_count++] = (struct ek_known_move){.domain = domain,
                                                                .source = source,
                                                                .destination = destination,
                                                                .started_at_ms = NOW_MS - 30000,
                                                                .ended_at_ms = ended_at_ms};
}

static bool assemble(void)
{
    return ek_snapshot_assemble(&scene.out, &scene.in, &scene.err);
}

/* "a@h1 b@h2", and what is in flight: "a:h1->h2". */
static void expect(const char *text)
{
    struct ek_text found = {.used = 0};
    const struct ek_snapshot *out = &scene.out;

    assert_true(assemble());
    assert_true(ek_snapshot_check(out, &scene.err));
    for (size_t d = 0; d < out->domain_count; d++) {
        ek_text_add(&found, "%s@%s ", out->domains[d].uuid, out->hosts[out->domains[d].host].name);
    }
    for (size_t f = 0; f < out->in_flight_count; f++) {
        const struct ek_in_flight *flight = &out->in_flight[f];
        ek_text_add(&found, "%s:%s->%s ",
                    flight->domain == EK_NONE ? "?" : out->domains[flight->domain].uuid,
                    out->hosts[flight->source].name, out->hosts[flight->destination].name);
    }
    assert_string_equal(found.text, text);
}

/* A host is up for 2 periods, stale for 4, then down; one without a sample is down. */
static void hosts_age(void **state)
{
    (void)state;
    see("h1; h2; h3; h4; a@h1; b@h2; c@h3");
    scene.samples[0].taken_at_ms = NOW_MS - 2 * PERIOD_MS;
    scene.samples[1].taken_at_ms = NOW_MS - 2 * PERIOD_MS - 1;
    scene.samples[2].taken_at_ms = NOW_MS - 4 * PERIOD_MS - 1;
    scene.in.sample_count = 3;
    expect("a@h1 b@h2 ");
    assert_int_equal(scene.out.hosts[0].state, EK_HOST_UP);
    assert_int_equal(scene.out.hosts[1].state, EK_HOST_STALE);
    assert_int_equal(scene.out.hosts[2].state, EK_HOST_DOWN);
    assert_int_equal(scene.out.hosts[3].state, EK_HOST_DOWN);
    scene.in.sample_count = 4;
}

/* Of two samples of one host the newer counts, in whatever order they come. */
static void the_newest_sample_counts(void **state)
{
    (void)state;
    see("h1; h2; a@h1; b@h2");
    scene.samples[1].host.name = "h1";
    scene.samples[1].taken_at_ms = NOW_MS - 5000;
    scene.in.host_count = 1;
    expect("a@h1 ");
    scene.samples[1].taken_at_ms = NOW_MS + 1;
    ek_snapshot_finish(&scene.out);
    expect("b@h1 ");
}

/* Labels, maintenance and a configured link come from the balancer's list, not from the sample. */
static void the_list_rules_over_the_sample(void **state)
{
    (void)state;
    see("h1 link=500; h2 link=500");
    scene.entries[0].maintenance = true;
    scene.entries[0].migration_mib_s = 900;
    expect("");
    assert_true(scene.out.hosts[0].maintenance);
    assert_false(scene.out.hosts[1].maintenance);
    assert_near(scene.out.hosts[0].migration_mib_s, 900, 0);
    assert_near(scene.out.hosts[1].migration_mib_s, 500, 0);
}

/* The result owns all it points to: the samples may go. */
static void the_snapshot_owns_its_texts(void **state)
{
    struct ek_storage_pool pool = {.name = "default", .type = "dir", .available_mib = 50};
    struct ek_numa_cell cell = {.id = 1, .free_mib = 7};

    (void)state;
    see("h1 net=br0; a@h1 net=br0");
    scene.samples[0].host.storage_pools = (struct ek_storage_pools){&pool, 1};
    scene.samples[0].host.numa_cells = (struct ek_numa_cells){&cell, 1};
    assert_true(assemble());
    assert_ptr_not_equal(scene.out.hosts[0].storage_pools.items[0].name, pool.name);
    assert_near(scene.out.hosts[0].storage_pools.items[0].available_mib, 50, 0);
    assert_ptr_not_equal(scene.out.hosts[0].numa_cells.items, &cell);
    assert_near(scene.out.hosts[0].numa_cells.items[0].free_mib, 7, 0);
    assert_ptr_not_equal(scene.out.hosts[0].name, scene.samples[0].host.name);
    assert_ptr_not_equal(scene.out.domains[0].uuid, scene.samples[0].domains[0].uuid);
    assert_ptr_not_equal(scene.out.domains[0].networks.items[0],
                         scene.samples[0].domains[0].networks.items[0]);
}

/* A domain that is seen twice during its running move is one, on its source. */
static void twice_during_its_move_is_one(void **state)
{
    (void)state;
    see("h1; h2; a@h1; a@h2");
    move("a", "h1", "h2", 0);
    expect("a@h1 a:h1->h2 ");
    assert_int_equal(scene.out.copy_count, 0);
    assert_true(scene.out.domains[0].movable);
}

/* After its move has ended it is on the destination, whatever an older sample says. */
static void after_its_move_it_is_on_the_destination(void **state)
{
    (void)state;
    see("h1; h2; a@h1");
    scene.samples[0].taken_at_ms = NOW_MS - 5000;
    move("a", "h1", "h2", NOW_MS - 4000);
    expect("a@h2 ");
}

/* A newer sample that still shows it on the source wins: somebody moved it back. */
static void a_newer_sample_of_the_source_wins(void **state)
{
    (void)state;
    see("h1; h2; a@h1");
    move("a", "h1", "h2", NOW_MS - 4000);
    expect("a@h1 ");
}

/* Seen on both hosts after the end, and on the source by a newer sample, it is a duplicate. */
static void both_after_the_end_is_a_duplicate(void **state)
{
    (void)state;
    see("h1; h2; a@h1; a@h2");
    move("a", "h1", "h2", NOW_MS - 4000);
    expect("a@h2 ");
    assert_int_equal(scene.out.copy_count, 1);
    assert_false(scene.out.domains[0].movable);
}

/* Seen on neither host, running or just ended, it is in flight without a name; until its
 * destination is sampled anew, and it is not there: it was stopped since. */
static void seen_nowhere_is_an_unseen_arrival(void **state)
{
    (void)state;
    see("h1; h2");
    scene.samples[1].taken_at_ms = NOW_MS - 2000;
    move("a", "h1", "h2", 0);
    expect("?:h1->h2 ");
    ek_snapshot_finish(&scene.out);
    scene.moves[0].ended_at_ms = NOW_MS - 1000;
    expect("?:h1->h2 ");
    ek_snapshot_finish(&scene.out);
    scene.samples[1].taken_at_ms = NOW_MS - 999;
    expect("");
}

/* Seen on a third host while its move still runs, it is there and cannot move, and something may
 * yet arrive. */
static void elsewhere_during_its_move_is_an_unseen_arrival(void **state)
{
    (void)state;
    see("h1; h2; h3; a@h3");
    move("a", "h1", "h2", 0);
    expect("a@h3 ?:h1->h2 ");
    assert_false(scene.out.domains[0].movable);
}

/* Two hosts with one domain and no move: it stands once, cannot move, and is listed. */
static void an_unexplained_duplicate_cannot_move(void **state)
{
    (void)state;
    see("h1; h2; a@h1; a@h2; b@h2");
    expect("a@h1 b@h2 ");
    assert_int_equal(scene.out.copy_count, 1);
    const struct ek_copy *copy = &scene.out.copies[0];
    assert_string_equal(scene.out.domains[copy->domain].uuid, "a");
    assert_string_equal(scene.out.hosts[scene.out.domains[copy->domain].host].name, "h1");
    assert_string_equal(scene.out.hosts[copy->host].name, "h2");
    assert_false(scene.out.domains[0].movable);
    assert_string_equal(scene.out.domains[0].immovable_reason, "two hosts report it as theirs");
}

/* Two hosts with one hypervisor UUID are one machine listed twice: an error that names both. */
static void one_hypervisor_uuid_twice_is_an_error(void **state)
{
    (void)state;
    see("h1 uuid=u1; h2 uuid=u2; h3 uuid=u1");
    assert_false(assemble());
    assert_int_equal(scene.err.code, EK_ERR_INVALID);
    assert_non_null(strstr(scene.err.message, "h1 and h3"));
    assert_int_equal(scene.out.host_count, 0);
}

static void expect_base(uint32_t host, double cores)
{
    double base[MAX_HOSTS * EK_RESOURCE_FURTHER];
    const struct ek_resources resources = {.count = EK_RESOURCE_FURTHER};

    ek_base_load(&scene.out, &resources, base);
    assert_near(base[host * EK_RESOURCE_FURTHER + EK_CPU], cores, 1e-9);
}

/* A move that old samples do not show changes no host's own use. */
static void base_is_the_same_before_the_samples_follow(void **state)
{
    (void)state;
    see("h1 8c used=3c; h2 8c used=1c; a@h1 2v 2G 2c");
    scene.samples[0].taken_at_ms = NOW_MS - 5000;
    scene.samples[1].taken_at_ms = NOW_MS - 5000;
    move("a", "h1", "h2", NOW_MS - 4000);
    expect("a@h2 ");
    expect_base(0, 1);
    expect_base(1, 1);
}

/* Nor does one that the destination shows and the source's older sample not yet. */
static void base_is_the_same_when_one_sample_follows(void **state)
{
    (void)state;
    see("h1 8c used=3c; h2 8c used=3c; a@h1 2v 2G 2c; a@h2 2v 2G 2c");
    scene.samples[0].taken_at_ms = NOW_MS - 5000;
    move("a", "h1", "h2", NOW_MS - 4000);
    expect("a@h2 ");
    expect_base(0, 1);
    expect_base(1, 1);
}

/* ---- migrations of others ------------------------------------------------------------------- */

/* A copy that comes in is no second domain: its migration is in flight, and whose it is not is
 * said. Whichever host stands first. */
static void a_copy_that_comes_in_is_in_flight(void **state)
{
    (void)state;
    see("h1; h2; a@h1; a@h2 incoming; b@h1 incoming; b@h2");
    expect("a@h1 b@h2 a:h1->h2 b:h2->h1 ");
    assert_int_equal(scene.out.copy_count, 0);
    assert_true(scene.out.domains[0].movable);
    assert_false(scene.out.domains[1].incoming);
    assert_true(scene.out.in_flight[0].foreign);
    assert_int_equal(scene.out.in_flight[0].started_at_ms, NOW_MS);
}

/* Our own move explains its copy: it is in flight once, and not foreign. */
static void our_own_move_is_not_foreign(void **state)
{
    (void)state;
    see("h1; h2; a@h1; a@h2 incoming");
    move("a", "h1", "h2", 0);
    expect("a@h1 a:h1->h2 ");
    assert_false(scene.out.in_flight[0].foreign);
}

/* A sample from before the end of our move still shows it coming in: it has arrived. One from after
 * it shows somebody else at work. */
static void a_copy_older_than_the_end_of_our_move_has_arrived(void **state)
{
    (void)state;
    see("h1; h2; a@h1; a@h2 incoming");
    scene.samples[0].taken_at_ms = NOW_MS - 5000;
    scene.samples[1].taken_at_ms = NOW_MS - 5000;
    move("a", "h1", "h2", NOW_MS - 4000);
    expect("a@h2 ");
    scene.moves[0].ended_at_ms = NOW_MS - 6000;
    ek_snapshot_finish(&scene.out);
    expect("a@h1 a:h1->h2 ");
    assert_true(scene.out.in_flight[0].foreign);
}

/* Nor is a move of ours that failed somebody else's: a sample from before its end shows its copy,
 * and it is back where it was. */
static void a_failed_move_explains_its_copy(void **state)
{
    (void)state;
    see("h1; h2; a@h1; a@h2 incoming");
    scene.samples[1].taken_at_ms = NOW_MS - 5000;
    move("a", "h1", "h2", NOW_MS - 4000);
    scene.moves[0].failed = true;
    expect("a@h1 ");
    assert_true(scene.out.domains[0].movable);
    scene.moves[0].ended_at_ms = NOW_MS - 6000;
    ek_snapshot_finish(&scene.out);
    expect("a@h1 a:h1->h2 ");
}

/* When nobody is seen to run it, it is where it comes in, and stays there. */
static void a_copy_that_comes_in_from_nowhere_stands_there(void **state)
{
    (void)state;
    see("h1; h2; a@h2 incoming");
    expect("a@h2 ");
    assert_false(scene.out.domains[0].movable);
    assert_true(scene.out.domains[0].incoming);
}

/* A second copy that comes in is somebody's orphan: a domain is in flight once. */
static void a_domain_is_in_flight_once(void **state)
{
    (void)state;
    see("h1; h2; h3; a@h1; a@h2 incoming; a@h3 incoming");
    expect("a@h1 a:h1->h2 ");
    assert_int_equal(scene.out.copy_count, 0);
}

/* What was in flight and now runs on the destination has arrived, while the source's sample is
 * older: no duplicate. A newer sample of the source shows one. */
static void what_was_in_flight_has_arrived(void **state)
{
    (void)state;
    see("h1; h2; a@h1; a@h2");
    scene.samples[0].taken_at_ms = NOW_MS - 1;
    move("a", "h1", "h2", 0);
    scene.moves[0].foreign = true;
    expect("a@h2 ");
    assert_int_equal(scene.out.copy_count, 0);
    scene.samples[0].taken_at_ms = NOW_MS;
    ek_snapshot_finish(&scene.out);
    expect("a@h1 ");
    assert_int_equal(scene.out.copy_count, 1);
}

/* When it began is remembered from the snapshot before. */
static void a_foreign_migration_began_when_it_was_first_seen(void **state)
{
    (void)state;
    see("h1; h2; a@h1; a@h2 incoming");
    move("a", "h1", "h2", 0);
    scene.moves[0].foreign = true;
    expect("a@h1 a:h1->h2 ");
    assert_int_equal(scene.out.in_flight[0].started_at_ms, NOW_MS - 30000);
    assert_true(scene.out.in_flight[0].foreign);
}

/* How much has come in is not known: the destination's own use is not lowered by a guess. */
static void what_has_come_in_is_not_guessed(void **state)
{
    (void)state;
    see("h1 8c; h2 8c used=9G; a@h1 2v 2G 2c; a@h2 2v 2G 0c incoming");
    expect("a@h1 a:h1->h2 ");
    assert_near(scene.out.hosts[1].memory_used_mib, 9 * 1024, 0);
}

/* Without hosts there is a snapshot all the same, of nothing. */
static void nothing_assembles_to_nothing(void **state)
{
    (void)state;
    see("");
    expect("");
    assert_int_equal(scene.out.host_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(hosts_age, teardown),
        cmocka_unit_test_teardown(the_newest_sample_counts, teardown),
        cmocka_unit_test_teardown(the_list_rules_over_the_sample, teardown),
        cmocka_unit_test_teardown(the_snapshot_owns_its_texts, teardown),
        cmocka_unit_test_teardown(twice_during_its_move_is_one, teardown),
        cmocka_unit_test_teardown(after_its_move_it_is_on_the_destination, teardown),
        cmocka_unit_test_teardown(a_newer_sample_of_the_source_wins, teardown),
        cmocka_unit_test_teardown(both_after_the_end_is_a_duplicate, teardown),
        cmocka_unit_test_teardown(seen_nowhere_is_an_unseen_arrival, teardown),
        cmocka_unit_test_teardown(elsewhere_during_its_move_is_an_unseen_arrival, teardown),
        cmocka_unit_test_teardown(an_unexplained_duplicate_cannot_move, teardown),
        cmocka_unit_test_teardown(one_hypervisor_uuid_twice_is_an_error, teardown),
        cmocka_unit_test_teardown(base_is_the_same_before_the_samples_follow, teardown),
        cmocka_unit_test_teardown(base_is_the_same_when_one_sample_follows, teardown),
        cmocka_unit_test_teardown(a_copy_that_comes_in_is_in_flight, teardown),
        cmocka_unit_test_teardown(our_own_move_is_not_foreign, teardown),
        cmocka_unit_test_teardown(a_copy_older_than_the_end_of_our_move_has_arrived, teardown),
        cmocka_unit_test_teardown(a_failed_move_explains_its_copy, teardown),
        cmocka_unit_test_teardown(a_copy_that_comes_in_from_nowhere_stands_there, teardown),
        cmocka_unit_test_teardown(a_domain_is_in_flight_once, teardown),
        cmocka_unit_test_teardown(what_was_in_flight_has_arrived, teardown),
        cmocka_unit_test_teardown(a_foreign_migration_began_when_it_was_first_seen, teardown),
        cmocka_unit_test_teardown(what_has_come_in_is_not_guessed, teardown),
        cmocka_unit_test_teardown(nothing_assembles_to_nothing, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
