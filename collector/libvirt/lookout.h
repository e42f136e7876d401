/* libvirt's events of one host, as hints: "something comes or goes there, look now".
 *
 * Events are lost with a connection and come in bursts; nothing is concluded from them. They only
 * make the host be read at once instead of at its next turn, so that starts, ends and migrations
 * that nobody announced are noticed within a second, or have its facts asked for before their time.
 * Callbacks come from the thread of libvirt's event loop. */
#ifndef EK_COLLECTOR_LOOKOUT_H
#define EK_COLLECTOR_LOOKOUT_H

#include "collector/port.h"

#include <libvirt/libvirt.h>

struct ek_lookout;

/* NULL: out of memory. The owner frees it with ek_lookout_destroy. */
struct ek_lookout *ek_lookout_create(size_t host);

/* From now on hints go to `hint`; NULL: to nobody. When it returns no hint to the former receiver
 * is under way any more. From any thread, but not from within a hint. */
void ek_lookout_direct(struct ek_lookout *lookout, ek_port_hint *hint, void *receiver);

/* Registers the callbacks with a connection of that host, and takes them back: before it is closed,
 * which would not free it otherwise. Both from the thread that uses the connection. Events that its
 * libvirtd does not know are done without. */
void ek_lookout_begin(struct ek_lookout *lookout, virConnectPtr connection);
void ek_lookout_end(struct ek_lookout *lookout, virConnectPtr connection);

/* What libvirt told of since this was asked last, as a sum: what is known of it may be asked for
 * anew. Of networks and pools it tells that they began or ended, of pools that they were refreshed,
 * too. From any thread. */
enum { EK_TOLD_POOLS = 1, EK_TOLD_NETWORKS = 2 };
unsigned int ek_lookout_told(struct ek_lookout *lookout);

/* Silences and gives up; takes NULL. What libvirt still holds of it is freed when libvirt lets go.
 */
void ek_lookout_destroy(struct ek_lookout *lookout);

#endif
