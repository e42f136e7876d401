#include "migrator/events.h"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <pthread.h>
#include <stddef.h>
#include <time.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool started;

static void ignore(void *context, virErrorPtr error)
{
    (void)context;
    (void)error;
}

static void *run(void *unused)
{
    static const struct timespec breath = {.tv_nsec = 100000000L};

    (void)unused;
    for (;;) {
        if (virEventRunDefaultImpl() < 0) {
            nanosleep(&breath, NULL); /* a failing poll must not eat a core */
        }
    }
    return NULL;
}

static void start(void)
{
    pthread_t thread;

    if (virInitialize() < 0) {
        return;
    }
    virSetErrorFunc(NULL, ignore);
    if (virEventRegisterDefaultImpl() < 0 || pthread_create(&thread, NULL, run, NULL) != 0) {
        return;
    }
    pthread_detach(thread);
    started = true;
}

bool ek_libvirt_events_start(struct ek_error *err)
{
    pthread_once(&once, start);
    return started || ek_error_set(err, EK_ERR_REMOTE, "libvirt's event loop cannot be started");
}
