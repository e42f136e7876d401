/* The sockets that libvirt wants to hear of: watches, and which of them epoll has told of.
 *
 * A plain table without lock, thread or wait: the event loop around it
 * (collector/libvirt/event_loop.h) has those. Several watches may share a descriptor; each has its
 * own events. Events are libvirt's (VIR_EVENT_HANDLE_*) outside, epoll's inside. */
#ifndef EK_COLLECTOR_WATCHES_H
#define EK_COLLECTOR_WATCHES_H

#include <libvirt/libvirt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ek_watch;

struct ek_watches {
    int epoll; /* not owned */
    struct ek_watch *by_id;
    struct ek_watch *ready;   /* told of and not dispatched yet */
    struct ek_watch *removed; /* whose owners have not got their data back yet */
    struct ek_descriptor *descriptors;
    size_t descriptor_count;
    int last_id;
};

/* One callback that is due. */
struct ek_watch_call {
    virEventHandleCallback function;
    int id;
    int fd;
    int events;
    void *opaque;
};

/* The new watch's id, above 0; -1 when memory runs out or epoll refuses the descriptor. */
int ek_watches_add(struct ek_watches *watches, int fd, int events, virEventHandleCallback function,
                   void *opaque, virFreeCallback release);

/* Events of 0 silence a watch; an id that is not there is passed over. */
void ek_watches_update(struct ek_watches *watches, int id, int events);

/* False when there is no such watch. No call of it is taken after this one; what its owner gave is
 * handed back by ek_watches_take_removed(). */
bool ek_watches_remove(struct ek_watches *watches, int id);

/* Notes what epoll_wait() told: `data` and `events` are those of its struct epoll_event. */
void ek_watches_note(struct ek_watches *watches, uint64_t data, uint32_t events);

/* Takes the next call that is due; false when none is. */
bool ek_watches_take_call(struct ek_watches *watches, struct ek_watch_call *call);

/* Takes the data of a removed watch, with the function that releases it (may be NULL). */
bool ek_watches_take_removed(struct ek_watches *watches, virFreeCallback *release, void **opaque);

#endif
