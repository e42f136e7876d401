/* libvirt's event loop on a thread of its own. Without it no keepalive is sent and a dead peer's
 * calls never end. It has to be registered before the first connection is opened, and can never be
 * taken back. */
#include "collector/libvirt/events.h"

#include "collector/libvirt/connect.h"
#include "collector/libvirt/event_loop.h"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

/* One event loop per process is libvirt's design, hence this file's state. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool registered;
static bool running;
static pthread_t loop_thread;
/* Alone outside the lock: the loop's thread reads it while stop() holds the lock and waits for that
 * thread. */
static atomic_bool stopping;

/* libvirt prints every error to stderr unless it is given a function: errors are reported by
 * whoever made the call. */
static void ignore_error(void *context, virErrorPtr error)
{
    (void)context;
    (void)error;
}

static void *loop_main(void *context)
{
    (void)context;
    while (!atomic_load(&stopping)) {
        if (!ek_event_loop_turn()) {
            /* Without a pause this would spin. */
            (void)nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
        }
    }
    /* What was closed just before the end is freed by the loop. */
    ek_event_loop_release();
    return NULL;
}

static bool register_loop(struct ek_error *err)
{
    if (registered) {
        return true;
    }
    if (virInitialize() < 0) {
        return ek_libvirt_error(err, "libvirt", "cannot initialise the client library");
    }
    virSetErrorFunc(NULL, ignore_error);
    registered = ek_event_loop_register(err);
    return registered;
}

static bool start_thread(struct ek_error *err)
{
    sigset_t all;
    sigset_t before;

    /* Signals belong to the program's main thread. */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int failure = pthread_create(&loop_thread, NULL, loop_main, NULL);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failure != 0) {
        return ek_error_set(err, EK_ERR_IO, "cannot start the thread of libvirt's event loop: %s",
                            strerror(failure));
    }
    return true;
}

/* May be called by collector and migrator alike: the second finds it running. */
bool ek_libvirt_events_start(struct ek_error *err)
{
    (void)pthread_mutex_lock(&lock);
    if (!running && register_loop(err)) {
        atomic_store(&stopping, false);
        running = start_thread(err);
    }
    bool done = running;
    (void)pthread_mutex_unlock(&lock);
    return done;
}

void ek_libvirt_events_stop(void)
{
    (void)pthread_mutex_lock(&lock);
    if (running) {
        atomic_store(&stopping, true);
        ek_event_loop_wake();
        (void)pthread_join(loop_thread, NULL);
        running = false;
    }
    (void)pthread_mutex_unlock(&lock);
}
