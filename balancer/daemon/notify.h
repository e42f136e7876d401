/* Words for the service manager, by the protocol of sd_notify(3): datagrams to the socket that
 * NOTIFY_SOCKET names. Spoken by ourselves: it is one datagram, and libsystemd would be a library
 * more to load, to build with and to trust for it.
 *
 * Nothing here ever waits: a service manager that reads no more must not stop the balancer. */
#ifndef EK_DAEMON_NOTIFY_H
#define EK_DAEMON_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

/* Sends `words`, such as "READY=1\nSTATUS=well", to the service manager. False: nobody wants to be
 * told (NOTIFY_SOCKET is not set), its socket is full or gone, or its address is none. */
bool ek_notify(const char *words);

/* How often the service manager wants to hear WATCHDOG=1 at the latest, in ms; 0: never. It may
 * have meant another process: then WATCHDOG_PID is not ours. */
int64_t ek_notify_watchdog_ms(void);

#endif
