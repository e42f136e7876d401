/* Detached threads. */
#include "collector/pool/thread.h"

#include <pthread.h>
#include <signal.h>

/* Small, so that thousands of hosts may hang. What libvirt's client needs was not measured: the
 * benches and the lab's tests run on this. */
enum { STACK_BYTES = 256 * 1024 };

bool ek_thread_start(void *(*entry)(void *), void *context)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all;
    sigset_t before;

    if (pthread_attr_init(&attributes) != 0) {
        return false;
    }
    /* Failing to set an attribute leaves the default, which is larger: no harm. */
    (void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&thread, &attributes, entry, context) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attributes);
    return started;
}
