/* Watches on descriptors, behind libvirt's event loop. The kernel keeps the set (epoll): a watch
 * that is silenced and heard again, as libvirt's client does around each call, costs two system
 * calls and nothing that grows with the number of hosts. */
#include "collector/libvirt/watches.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

/* Else uthash would end the process when memory runs out. */
#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(element) ((element)->lost = true)
#include <uthash.h>
#include <utlist.h>

struct ek_watch {
    int id;
    int fd;
    uint32_t wanted; /* of epoll's events */
    uint32_t told;   /* of those, not dispatched yet; not 0: it is in `ready` */
    bool lost;       /* uthash had no memory to keep it */
    virEventHandleCallback function;
    void *opaque;
    virFreeCallback release;
    struct ek_watch *prev; /* in `ready`, or in `removed` */
    struct ek_watch *next;
    struct ek_watch *fd_prev; /* on its descriptor */
    struct ek_watch *fd_next;
    UT_hash_handle hh;
};

/* By descriptor. The kernel's set forgets a descriptor that is closed, and its number comes back:
 * what epoll told of an earlier life must not reach the new one, hence the generation. */
struct ek_descriptor {
    struct ek_watch *watches;
    uint32_t generation; /* of its stay in the kernel's set */
    bool polled;         /* is in that set, unless it was closed since */
};

static const struct {
    int ours;
    uint32_t epolls;
} EVENTS[] = {
    {VIR_EVENT_HANDLE_READABLE, EPOLLIN},
    {VIR_EVENT_HANDLE_WRITABLE, EPOLLOUT},
    {VIR_EVENT_HANDLE_ERROR, EPOLLERR},
    {VIR_EVENT_HANDLE_HANGUP, EPOLLHUP},
};

enum { EVENT_COUNT = sizeof(EVENTS) / sizeof(EVENTS[0]), FIRST_DESCRIPTORS = 64 };

static uint32_t to_epoll(int events)
{
    uint32_t found = 0;

    for (size_t i = 0; i < EVENT_COUNT; i++) {
        found |= (events & EVENTS[i].ours) != 0 ? EVENTS[i].epolls : 0;
    }
    return found;
}

static int from_epoll(uint32_t events)
{
    int found = 0;

    for (size_t i = 0; i < EVENT_COUNT; i++) {
        found |= (events & EVENTS[i].epolls) != 0 ? EVENTS[i].ours : 0;
    }
    return found;
}

/* ---- the kernel's set ------------------------------------------------------------------------ */

static uint64_t name_of(const struct ek_watches *watches, int fd)
{
    return (uint64_t)watches->descriptors[fd].generation << 32U | (uint32_t)fd;
}

static bool grow_descriptors(struct ek_watches *watches, int fd)
{
    size_t needed = (size_t)fd + 1;
    size_t count = watches->descriptor_count == 0 ? FIRST_DESCRIPTORS : watches->descriptor_count;

    if (needed <= watches->descriptor_count) {
        return true;
    }
    while (count < needed) {
        count *= 2;
    }
    struct ek_descriptor *grown = realloc(watches->descriptors, count * sizeof(*grown));
    if (grown == NULL) {
        return false;
    }
    (void)memset(grown + watches->descriptor_count, 0,
                 (count - watches->descriptor_count) * sizeof(*grown));
    watches->descriptors = grown;
    watches->descriptor_count = count;
    return true;
}

static bool enter(struct ek_watches *watches, int fd, uint32_t wanted)
{
    struct ek_descriptor *descriptor = &watches->descriptors[fd];

    descriptor->generation++;
    descriptor->polled = true;
    struct epoll_event event = {.events = wanted, .data.u64 = name_of(watches, fd)};
    if (epoll_ctl(watches->epoll, EPOLL_CTL_ADD, fd, &event) == 0 ||
        (errno == EEXIST && epoll_ctl(watches->epoll, EPOLL_CTL_MOD, fd, &event) == 0)) {
        return true;
    }
    descriptor->polled = false;
    return false;
}

/* Has the kernel tell what the watches of a descriptor want together. A silent one is taken out:
 * errors and hang-ups are told unasked, for ever. */
static bool settle(struct ek_watches *watches, int fd)
{
    struct ek_descriptor *descriptor = &watches->descriptors[fd];
    const struct ek_watch *watch = NULL;
    uint32_t wanted = 0;

    DL_FOREACH2(descriptor->watches, watch, fd_next)
    {
        wanted |= watch->wanted;
    }
    if (wanted == 0) {
        if (descriptor->polled) {
            (void)epoll_ctl(watches->epoll, EPOLL_CTL_DEL, fd, NULL);
        }
        descriptor->polled = false;
        return true;
    }
    struct epoll_event event = {.events = wanted, .data.u64 = name_of(watches, fd)};
    /* A failure to change: it was closed since, and its number belongs to somebody new. */
    return (descriptor->polled && epoll_ctl(watches->epoll, EPOLL_CTL_MOD, fd, &event) == 0) ||
           enter(watches, fd, wanted);
}

/* ---- what libvirt asks for ------------------------------------------------------------------- */

static struct ek_watch *find(const struct ek_watches *watches, int id)
{
    struct ek_watch *found = NULL;

    HASH_FIND_INT(watches->by_id, &id, found);
    return found;
}

static int unused_id(struct ek_watches *watches)
{
    do {
        watches->last_id = watches->last_id == INT_MAX ? 1 : watches->last_id + 1;
    } while (find(watches, watches->last_id) != NULL);
    return watches->last_id;
}

/* Out of all but memory. */
static void forget(struct ek_watches *watches, struct ek_watch *watch)
{
    if (watch->told != 0) {
        DL_DELETE(watches->ready, watch);
    }
    HASH_DEL(watches->by_id, watch);
    DL_DELETE2(watches->descriptors[watch->fd].watches, watch, fd_prev, fd_next);
    (void)settle(watches, watch->fd);
}

int ek_watches_add(struct ek_watches *watches, int fd, int events, virEventHandleCallback function,
                   void *opaque, virFreeCallback release)
{
    struct ek_watch *watch = calloc(1, sizeof(*watch));

    if (watch == NULL || fd < 0 || !grow_descriptors(watches, fd)) {
        free(watch);
        return -1;
    }
    *watch = (struct ek_watch){.id = unused_id(watches),
                               .fd = fd,
                               .wanted = to_epoll(events),
                               .function = function,
                               .opaque = opaque,
                               .release = release};
    HASH_ADD_INT(watches->by_id, id, watch);
    if (watch->lost) {
        free(watch);
        return -1;
    }
    DL_APPEND2(watches->descriptors[fd].watches, watch, fd_prev, fd_next);
    if (!settle(watches, fd)) {
        forget(watches, watch);
        free(watch);
        return -1;
    }
    return watch->id;
}

void ek_watches_update(struct ek_watches *watches, int id, int events)
{
    struct ek_watch *watch = find(watches, id);

    if (watch == NULL || watch->wanted == to_epoll(events)) {
        return;
    }
    if (watch->told != 0) {
        /* Whatever is still there to be told is told again. */
        watch->told = 0;
        DL_DELETE(watches->ready, watch);
    }
    watch->wanted = to_epoll(events);
    /* libvirt has no way to be told that the kernel lacked memory for it: the watch stays deaf, to
     * events above all, until libvirt silences it and hears it again, as it does at each call. */
    (void)settle(watches, watch->fd);
}

bool ek_watches_remove(struct ek_watches *watches, int id)
{
    struct ek_watch *watch = find(watches, id);

    if (watch == NULL) {
        return false;
    }
    forget(watches, watch);
    DL_APPEND(watches->removed, watch);
    return true;
}

/* ---- what the loop does ---------------------------------------------------------------------- */

void ek_watches_note(struct ek_watches *watches, uint64_t data, uint32_t events)
{
    int fd = (int)(uint32_t)data;
    struct ek_watch *watch = NULL;

    if (name_of(watches, fd) != data) {
        return;
    }
    DL_FOREACH2(watches->descriptors[fd].watches, watch, fd_next)
    {
        /* Errors and hang-ups come to whoever wants anything at all, as with poll(). */
        uint32_t heard = watch->wanted == 0 ? 0 : events & (watch->wanted | EPOLLERR | EPOLLHUP);
        if (heard != 0 && watch->told == 0) {
            DL_APPEND(watches->ready, watch);
        }
        watch->told |= heard;
    }
}

bool ek_watches_take_call(struct ek_watches *watches, struct ek_watch_call *call)
{
    struct ek_watch *watch = watches->ready;

    if (watch == NULL) {
        return false;
    }
    DL_DELETE(watches->ready, watch);
    *call = (struct ek_watch_call){.function = watch->function,
                                   .id = watch->id,
                                   .fd = watch->fd,
                                   .events = from_epoll(watch->told),
                                   .opaque = watch->opaque};
    watch->told = 0;
    return true;
}

bool ek_watches_take_removed(struct ek_watches *watches, virFreeCallback *release, void **opaque)
{
    struct ek_watch *watch = watches->removed;

    if (watch == NULL) {
        return false;
    }
    DL_DELETE(watches->removed, watch);
    *release = watch->release;
    *opaque = watch->opaque;
    free(watch);
    return true;
}
