/* Random walks: whatever two hosts and a call may say, in whatever order, the laws hold. */
#include "life_story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { WALKS = 20000, MOST_STEPS = 20000 };

static uint64_t seed;

/* splitmix64: the same walks on every machine. */
static unsigned int random_below(unsigned int limit)
{
    uint64_t z = (seed += 0x9e3779b97f4a7c15U);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return (unsigned int)((z ^ (z >> 31)) % limit);
}

static bool chance(unsigned int percent)
{
    return random_below(100) < percent;
}

static enum ek_failure random_failure(void)
{
    return (enum ek_failure)(1 + random_below(5));
}

/* Often what libvirt really leaves, at times anything at all. */
static struct ek_observation random_end(void)
{
    static const struct ek_observation *const real[] = {
        &running, &running_job, &paused_job, &cancelled_running, &arrived,
        &absent,  &absent,      &dark,       &incoming,          &off_by_guest,
        &crashed, &left_paused, &arrived,    &paused_by_user};
    struct ek_observation out = *real[random_below(sizeof(real) / sizeof(real[0]))];

    if (chance(10)) {
        out.presence = (enum ek_presence)random_below(4);
        out.run = (enum ek_run_state)random_below(EK_RUN_SHUTOFF_OTHER + 1);
        out.job = (enum ek_job)random_below(EK_JOB_NOT_KNOWN + 1);
        out.attempt_known = chance(50);
    }
    return out;
}

static struct ek_job_progress random_progress(void)
{
    return (struct ek_job_progress){.active = chance(90),
                                    .source_paused = chance(10),
                                    .elapsed_ms = random_below(100000),
                                    .total_mib = 1000,
                                    .remaining_mib = random_below(1000),
                                    .transferred_mib = random_below(5000),
                                    .iteration = (int)random_below(20),
                                    .throttle_percent = (int)random_below(100),
                                    .bandwidth_mib_s = random_below(200),
                                    .dirty_mib_s = random_below(200)};
}

static bool is_repair(enum ek_life_action_kind kind)
{
    return kind == EK_LIFE_RESUME_SOURCE || kind == EK_LIFE_RESUME_DESTINATION ||
           kind == EK_LIFE_RESUME_POSTCOPY || kind == EK_LIFE_DESTROY_SOURCE ||
           kind == EK_LIFE_DESTROY_DESTINATION;
}

struct walk {
    struct story story;
    struct ek_observation source, destination; /* the newest pair */
    bool seen;                                 /* since the newest call or repair */
    struct ek_observation kept[2];             /* hosts that do not change for a while */
    unsigned int restless;                     /* how often they change, percent of looks */
};

static void see(struct walk *walk)
{
    if (chance(walk->restless)) {
        walk->kept[0] = random_end();
        walk->kept[1] = random_end();
    }
    walk->source = walk->kept[0];
    walk->destination = walk->kept[1];
    walk->seen = true;
    story_see(&walk->story, &walk->source, &walk->destination);
}

static void end_call(struct walk *walk)
{
    walk->seen = false;
    walk->kept[0] = random_end();
    walk->kept[1] = random_end();
    chance(40) ? story_migrated(&walk->story)
               : story_broke(&walk->story, random_failure(), "the call failed");
}

/* What a domain with a disk on a base needs. */
static const struct ek_findings needs = {
    .copies_disks = true,
    .preparation_count = 3,
    .preparations = {{.kind = EK_PREPARATION_NETWORK, .what = "default"},
                     {.kind = EK_PREPARATION_BASE, .what = "/images/base", .size_mib = 100},
                     {.kind = EK_PREPARATION_OVERLAY, .what = "/images/a", .disk = "vda"}}};

static void answer(struct walk *walk)
{
    struct ek_job_progress progress = random_progress();
    struct story *story = &walk->story;
    enum ek_life_action_kind kind = story->action.kind;

    story->now_ms += random_below(3000);
    story->findings = chance(50) ? &needs : NULL;
    story->found = chance(50);
    if (chance(2)) {
        story->limited = true;
        story->limit_mib_s = random_below(3) * 50;
    }
    if (chance(2)) {
        story->cancel = true;
    }
    if (chance(2)) {
        story->withheld = story->withheld == NULL ? "(story)" : NULL;
    }
    if (kind == EK_LIFE_OBSERVE) {
        see(walk);
    } else if (kind == EK_LIFE_WATCH) {
        if (story->call_out && chance(5)) {
            end_call(walk);
        } else {
            story_progress(story, chance(90) ? &progress : NULL);
        }
    } else if (kind == EK_LIFE_WAIT || kind == EK_LIFE_MIGRATE) {
        story->call_out &&chance(5) ? end_call(walk) : (void)story_wake(story);
    } else if (kind == EK_LIFE_GO_ON) {
        story_wake(story);
    } else {
        walk->seen = walk->seen && !is_repair(kind);
        chance(70) ? story_ok(story) : story_fail(story, random_failure(), "failed");
    }
}

static bool is_gone(const struct ek_observation *end)
{
    return (ek_sight_of(end) & (EK_SIGHT_ABSENT | EK_SIGHT_OFF_MIGRATED)) != 0;
}

/* Laws beside those that life_story.c checks at every step. */
static void check(const struct walk *walk)
{
    const struct story *story = &walk->story;
    enum ek_life_action_kind kind = story->action.kind;

    if (is_repair(kind)) {
        assert_true(walk->seen);
        assert_int_not_equal(walk->source.presence, EK_PRESENCE_UNREACHABLE);
        assert_int_not_equal(walk->destination.presence, EK_PRESENCE_UNREACHABLE);
        assert_true(!story->call_out || kind == EK_LIFE_RESUME_DESTINATION);
    }
    if (kind == EK_LIFE_ABORT) {
        assert_true(!story->life.record.post_copy_begun || story->life.post_copy_refused);
    }
    if (kind == EK_LIFE_RESUME_DESTINATION) {
        assert_true(is_gone(&walk->source));
        assert_int_equal(walk->destination.run, EK_RUN_PAUSED_USER);
        assert_true(story->life.record.two_step && !story->life.record.user_paused);
    }
    if (kind == EK_LIFE_RESUME_SOURCE) {
        assert_int_equal(walk->destination.presence, EK_PRESENCE_ABSENT);
    }
    /* Copying begins when all that was wanted is there. */
    if (kind == EK_LIFE_MIGRATE) {
        assert_null(ek_move_begun(&story->life.record));
    }
    /* What an attempt made is undone, or is said to be left. */
    if (story->shut && (story->life.record.state == EK_MOVE_ROLLED_BACK ||
                        story->life.record.state == EK_MOVE_CANCELLED ||
                        story->life.record.state == EK_MOVE_REJECTED)) {
        assert_false(ek_move_has_leftovers(&story->life.record));
    }
    if (story->shut && story->life.record.state == EK_MOVE_FAILED &&
        ek_move_has_leftovers(&story->life.record)) {
        assert_true(story->life.record.discard_at_ms > 0 || story->life.after == EK_MOVE_FAILED);
    }
    if (story->shut && story->life.record.state == EK_MOVE_DONE) {
        assert_int_equal(walk->destination.presence, EK_PRESENCE_ACTIVE);
        assert_int_not_equal(walk->source.presence, EK_PRESENCE_ACTIVE);
    }
    if (story->shut && story->life.record.state == EK_MOVE_ROLLED_BACK && story->life.issued) {
        assert_int_equal(walk->source.presence, EK_PRESENCE_ACTIVE);
        assert_int_not_equal(walk->destination.presence, EK_PRESENCE_ACTIVE);
    }
}

static void run(struct walk *walk, unsigned int *ends)
{
    story_start(&walk->story);
    for (int i = 0; i < MOST_STEPS && !walk->story.shut; i++) {
        answer(walk);
        check(walk);
    }
    assert_true(walk->story.shut);
    ends[walk->story.life.record.state]++;
}

/* Every life ends, whatever happens; it never calls migrate twice without having looked at both
 * ends between, never repairs anything blindly, and never calls a move done that it did not see. */
static void test_random_walks(void **state)
{
    unsigned int ends[EK_MOVE_STATE_COUNT] = {0};

    (void)state;
    for (uint64_t i = 0; i < WALKS; i++) {
        struct walk walk = {.seen = false};

        seed = i;
        walk.restless = chance(50) ? 40 : 1;
        walk.kept[0] = running;
        walk.kept[1] = absent;
        if (chance(30)) {
            story_adopt(&walk.story, (enum ek_move_state)random_below(EK_MOVE_RETRY_WAIT + 1));
        } else {
            story_begin(&walk.story);
        }
        walk.story.life.record.order.two_step = (enum ek_two_step)random_below(EK_TWO_STEP_COUNT);
        walk.story.life.record.two_step = chance(30);
        walk.story.life.record.user_paused = chance(10);
        walk.story.life.record.order.post_copy = chance(20);
        walk.story.life.record.post_copy_begun = chance(10);
        run(&walk, ends);
    }
    for (enum ek_move_state s = EK_MOVE_DONE; s < EK_MOVE_STATE_COUNT; s++) {
        print_message("%s: %u\n", ek_move_state_name(s), ends[s]);
        assert_true(ends[s] > 0); /* the walks do reach every end */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_walks)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
