/* Laws of the last round: all are called, many at once, and nobody waits for those that hang. */
#include "collector/clock.h"
#include "collector/libvirt/farewell.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { HOSTS = 100, PATIENCE_MS = 60000 };

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int called[HOSTS];
    int ended;
    int finished;
    bool hanging; /* host 7 */
} seen = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void say_goodbye(void *context, size_t index)
{
    (void)context;
    (void)pthread_mutex_lock(&seen.lock);
    seen.called[index]++;
    while (index == 7 && seen.hanging) {
        (void)pthread_cond_wait(&seen.changed, &seen.lock);
    }
    seen.ended++;
    (void)pthread_cond_broadcast(&seen.changed);
    (void)pthread_mutex_unlock(&seen.lock);
}

static void note_end(void *context)
{
    (void)context;
    (void)pthread_mutex_lock(&seen.lock);
    seen.finished++;
    (void)pthread_cond_broadcast(&seen.changed);
    (void)pthread_mutex_unlock(&seen.lock);
}

static const struct ek_farewell_work work = {
    .count = HOSTS, .each = say_goodbye, .finish = note_end};

static void begin(bool hanging)
{
    memset(seen.called, 0, sizeof(seen.called));
    seen.ended = 0;
    seen.finished = 0;
    seen.hanging = hanging;
}

/* Each host is called once, and the end comes once, before the caller goes on. */
static void test_all_are_called_once(void **state)
{
    (void)state;
    begin(false);
    assert_true(ek_farewell(&work, PATIENCE_MS));
    for (size_t i = 0; i < HOSTS; i++) {
        assert_int_equal(seen.called[i], 1);
    }
    assert_int_equal(seen.finished, 1);
}

/* Without hosts there is an end all the same. */
static void test_nobody_is_left_at_once(void **state)
{
    const struct ek_farewell_work none = {.each = say_goodbye, .finish = note_end};

    (void)state;
    begin(false);
    assert_true(ek_farewell(&none, PATIENCE_MS));
    assert_int_equal(seen.finished, 1);
}

/* One that hangs keeps no other from being called, and the caller only for the time that it gave;
 * what is shared is given up when that one has ended, and not before. */
static void test_hung_ones_are_left_behind(void **state)
{
    (void)state;
    begin(true);
    assert_false(ek_farewell(&work, 100));
    (void)pthread_mutex_lock(&seen.lock);
    while (seen.ended < HOSTS - 1) {
        (void)pthread_cond_wait(&seen.changed, &seen.lock);
    }
    assert_int_equal(seen.finished, 0);
    seen.hanging = false;
    (void)pthread_cond_broadcast(&seen.changed);
    while (seen.finished == 0) {
        (void)pthread_cond_wait(&seen.changed, &seen.lock);
    }
    (void)pthread_mutex_unlock(&seen.lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_are_called_once),
        cmocka_unit_test(test_nobody_is_left_at_once),
        cmocka_unit_test(test_hung_ones_are_left_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
