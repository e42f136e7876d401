/* The collector's port: how hosts are read. Two implementations: libvirt
 * (collector/libvirt/libvirt.h) and the simulator's (balancer/sim/). */
#ifndef EK_COLLECTOR_PORT_H
#define EK_COLLECTOR_PORT_H

#include "collector/sampling/reading.h"

/* "Host number so and so is worth a look at once": from any thread, must not wait. */
typedef void ek_port_hint(void *receiver, size_t host);

struct ek_collector_port {
    /* Reads the host of that index and all its domains; blocks until done. Calls for different
     * hosts may run at once, never two for the same host. Domains that are still on their way in
     * from another host are marked `incoming`: they belong to their source. On true the caller owns
     * *out (ek_reading_finish); on false nothing is to be freed and the message names the host. */
    bool (*read)(void *context, size_t host, struct ek_reading *out, struct ek_error *err);
    /* Work that no sample waits for: called when the sample of a read that succeeded was handed on,
     * before the host is read again. May block. A port that has none has no such function. */
    void (*after)(void *context, size_t host);
    /* Lets hints go to `hint` from now on; NULL: to nobody, and none is under way on return. A port
     * that never hints has no such function. */
    void (*listen)(void *context, ek_port_hint *hint, void *receiver);
    void *context;
};

#endif
