/* libvirt's event loop on epoll. libvirt's functions have no context, hence this file's state. */
#include "collector/libvirt/event_loop.h"

#include "collector/libvirt/timers.h"
#include "collector/libvirt/watches.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS_PER_TURN = 64, MS_PER_S = 1000, NS_PER_MS = 1000000 };

/* No watch has it: their names hold a descriptor below INT_MAX. */
#define WAKE_NAME UINT64_MAX

static struct {
    pthread_mutex_t lock; /* guards what follows; never held during a callback */
    struct ek_watches watches;
    struct ek_timers timers;
    int64_t waits_until_ms; /* of the wait under way; INT64_MIN: none is */
    int wake;               /* an eventfd */
} loop = {.lock = PTHREAD_MUTEX_INITIALIZER, .waits_until_ms = INT64_MIN};

static int64_t clock_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * MS_PER_S + now.tv_nsec / NS_PER_MS;
}

static void lock(void)
{
    (void)pthread_mutex_lock(&loop.lock);
}

static void unlock(void)
{
    (void)pthread_mutex_unlock(&loop.lock);
}

void ek_event_loop_wake(void)
{
    uint64_t one = 1;

    /* Fails only when it is full, which wakes as well. */
    (void)!write(loop.wake, &one, sizeof(one));
}

/* The kernel's set is changed under its wait; a timer is not in it. */
static void hasten(void)
{
    if (ek_timers_quiet_until_ms(&loop.timers) < loop.waits_until_ms) {
        ek_event_loop_wake();
    }
}

/* ---- what libvirt calls ---------------------------------------------------------------------- */

static int add_handle(int fd, int events, virEventHandleCallback function, void *opaque,
                      virFreeCallback release)
{
    lock();
    int id = ek_watches_add(&loop.watches, fd, events, function, opaque, release);
    unlock();
    return id;
}

static void update_handle(int id, int events)
{
    lock();
    ek_watches_update(&loop.watches, id, events);
    unlock();
}

static int remove_handle(int id)
{
    lock();
    bool removed = ek_watches_remove(&loop.watches, id);
    unlock();
    if (removed) {
        ek_event_loop_wake();
    }
    return removed ? 0 : -1;
}

static int add_timer(int period_ms, virEventTimeoutCallback function, void *opaque,
                     virFreeCallback release)
{
    lock();
    int id = ek_timers_add(&loop.timers, period_ms, clock_ms(), function, opaque, release);
    hasten();
    unlock();
    return id;
}

static void update_timer(int id, int period_ms)
{
    lock();
    ek_timers_update(&loop.timers, id, period_ms, clock_ms());
    hasten();
    unlock();
}

static int remove_timer(int id)
{
    lock();
    bool removed = ek_timers_remove(&loop.timers, id);
    unlock();
    if (removed) {
        ek_event_loop_wake();
    }
    return removed ? 0 : -1;
}

/* ---- the loop -------------------------------------------------------------------------------- */

bool ek_event_loop_register(struct ek_error *err)
{
    loop.watches.epoll = epoll_create1(EPOLL_CLOEXEC);
    loop.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = WAKE_NAME};
    if (loop.watches.epoll < 0 || loop.wake < 0 ||
        epoll_ctl(loop.watches.epoll, EPOLL_CTL_ADD, loop.wake, &event) < 0) {
        int failure = errno;
        (void)close(loop.watches.epoll);
        (void)close(loop.wake);
        return ek_error_set(err, EK_ERR_IO, "cannot make libvirt's event loop: %s",
                            strerror(failure));
    }
    virEventRegisterImpl(add_handle, update_handle, remove_handle, add_timer, update_timer,
                         remove_timer);
    return true;
}

/* How long to wait, in epoll_wait()'s terms; marks the wait as begun. */
static int begin_wait(void)
{
    lock();
    int64_t until_ms = ek_timers_quiet_until_ms(&loop.timers);
    int64_t left_ms = until_ms - clock_ms();
    loop.waits_until_ms = until_ms;
    unlock();
    if (until_ms == EK_TIMERS_QUIET) {
        return -1;
    }
    return left_ms < 0 ? 0 : left_ms > INT_MAX ? INT_MAX : (int)left_ms;
}

static void end_wait(const struct epoll_event *events, int count)
{
    uint64_t times = 0;

    lock();
    loop.waits_until_ms = INT64_MIN;
    for (int i = 0; i < count; i++) {
        if (events[i].data.u64 == WAKE_NAME) {
            (void)!read(loop.wake, &times, sizeof(times));
        } else {
            ek_watches_note(&loop.watches, events[i].data.u64, events[i].events);
        }
    }
    ek_timers_note(&loop.timers, clock_ms());
    unlock();
}

static bool take_watch(struct ek_watch_call *call)
{
    lock();
    bool taken = ek_watches_take_call(&loop.watches, call);
    unlock();
    return taken;
}

static bool take_timer(struct ek_timer_call *call)
{
    lock();
    bool taken = ek_timers_take_call(&loop.timers, call);
    unlock();
    return taken;
}

static bool take_removed(virFreeCallback *release, void **opaque)
{
    lock();
    bool taken = ek_watches_take_removed(&loop.watches, release, opaque) ||
                 ek_timers_take_removed(&loop.timers, release, opaque);
    unlock();
    return taken;
}

void ek_event_loop_release(void)
{
    virFreeCallback release = NULL;
    void *opaque = NULL;

    while (take_removed(&release, &opaque)) {
        if (release != NULL) {
            release(opaque);
        }
    }
}

bool ek_event_loop_turn(void)
{
    struct epoll_event events[EVENTS_PER_TURN];
    struct ek_watch_call watch;
    struct ek_timer_call timer;

    int count = epoll_wait(loop.watches.epoll, events, EVENTS_PER_TURN, begin_wait());
    bool waited = count >= 0 || errno == EINTR;
    end_wait(events, count);
    while (take_watch(&watch)) {
        watch.function(watch.id, watch.fd, watch.events, watch.opaque);
    }
    while (take_timer(&timer)) {
        timer.function(timer.id, timer.opaque);
    }
    ek_event_loop_release();
    return waited;
}
