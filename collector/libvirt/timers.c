/* Timers behind libvirt's event loop: a binary heap. libvirt's keepalive has one per connection and
 * puts it off with each answer: a timer that is put off keeps its place in the heap, and moves only
 * when its old time has come. */
#include "collector/libvirt/timers.h"

#include <limits.h>
#include <stdlib.h>

/* Else uthash would end the process when memory runs out. */
#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(element) ((element)->lost = true)
#include <uthash.h>
#include <utlist.h>

struct ek_timer {
    int id;
    int period_ms;
    int64_t due_ms;  /* EK_TIMERS_QUIET: never */
    int64_t look_ms; /* its place in the heap: not after due_ms */
    size_t place;
    bool is_due; /* is in `due` */
    bool lost;   /* uthash had no memory to keep it */
    virEventTimeoutCallback function;
    void *opaque;
    virFreeCallback release;
    struct ek_timer *prev; /* in `due`, or in `removed` */
    struct ek_timer *next;
    UT_hash_handle hh;
};

enum { FIRST_ROOM = 16 };

/* ---- the heap -------------------------------------------------------------------------------- */

static void put(struct ek_timers *timers, size_t place, struct ek_timer *timer)
{
    timers->heap[place] = timer;
    timer->place = place;
}

static void rise(struct ek_timers *timers, struct ek_timer *timer)
{
    size_t place = timer->place;

    while (place > 0 && timers->heap[(place - 1) / 2]->look_ms > timer->look_ms) {
        put(timers, place, timers->heap[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    put(timers, place, timer);
}

static void sink(struct ek_timers *timers, struct ek_timer *timer)
{
    size_t place = timer->place;

    for (;;) {
        size_t child = 2 * place + 1;
        if (child + 1 < timers->count &&
            timers->heap[child + 1]->look_ms < timers->heap[child]->look_ms) {
            child++;
        }
        if (child >= timers->count || timers->heap[child]->look_ms >= timer->look_ms) {
            break;
        }
        put(timers, place, timers->heap[child]);
        place = child;
    }
    put(timers, place, timer);
}

static bool make_room(struct ek_timers *timers)
{
    if (timers->count < timers->room) {
        return true;
    }
    size_t room = timers->room == 0 ? FIRST_ROOM : 2 * timers->room;
    struct ek_timer **grown = realloc(timers->heap, room * sizeof(struct ek_timer *));
    if (grown == NULL) {
        return false;
    }
    timers->heap = grown;
    timers->room = room;
    return true;
}

static void leave(struct ek_timers *timers, const struct ek_timer *timer)
{
    struct ek_timer *last = timers->heap[--timers->count];

    if (last != timer) {
        put(timers, timer->place, last);
        rise(timers, last);
        sink(timers, last);
    }
}

/* ---- what libvirt asks for ------------------------------------------------------------------- */

static struct ek_timer *find(const struct ek_timers *timers, int id)
{
    struct ek_timer *found = NULL;

    HASH_FIND_INT(timers->by_id, &id, found);
    return found;
}

static int unused_id(struct ek_timers *timers)
{
    do {
        timers->last_id = timers->last_id == INT_MAX ? 1 : timers->last_id + 1;
    } while (find(timers, timers->last_id) != NULL);
    return timers->last_id;
}

static void set_due(struct ek_timers *timers, struct ek_timer *timer, int64_t due_ms)
{
    timer->due_ms = due_ms;
    if (due_ms < timer->look_ms) {
        timer->look_ms = due_ms;
        rise(timers, timer);
    }
}

static int64_t after(int period_ms, int64_t now_ms)
{
    return period_ms < 0 ? EK_TIMERS_QUIET : now_ms + period_ms;
}

static void settle(struct ek_timers *timers, struct ek_timer *timer)
{
    if (timer->is_due) {
        timer->is_due = false;
        DL_DELETE(timers->due, timer);
    }
}

int ek_timers_add(struct ek_timers *timers, int period_ms, int64_t now_ms,
                  virEventTimeoutCallback function, void *opaque, virFreeCallback release)
{
    struct ek_timer *timer = calloc(1, sizeof(*timer));

    if (timer == NULL || !make_room(timers)) {
        free(timer);
        return -1;
    }
    *timer = (struct ek_timer){.id = unused_id(timers),
                               .period_ms = period_ms,
                               .look_ms = EK_TIMERS_QUIET,
                               .function = function,
                               .opaque = opaque,
                               .release = release};
    HASH_ADD_INT(timers->by_id, id, timer);
    if (timer->lost) {
        free(timer);
        return -1;
    }
    put(timers, timers->count++, timer);
    set_due(timers, timer, after(period_ms, now_ms));
    return timer->id;
}

void ek_timers_update(struct ek_timers *timers, int id, int period_ms, int64_t now_ms)
{
    struct ek_timer *timer = find(timers, id);

    if (timer != NULL) {
        settle(timers, timer);
        timer->period_ms = period_ms;
        set_due(timers, timer, after(period_ms, now_ms));
    }
}

bool ek_timers_remove(struct ek_timers *timers, int id)
{
    struct ek_timer *timer = find(timers, id);

    if (timer == NULL) {
        return false;
    }
    settle(timers, timer);
    HASH_DEL(timers->by_id, timer);
    leave(timers, timer);
    DL_APPEND(timers->removed, timer);
    return true;
}

/* ---- what the loop does ---------------------------------------------------------------------- */

int64_t ek_timers_quiet_until_ms(const struct ek_timers *timers)
{
    return timers->count == 0 ? EK_TIMERS_QUIET : timers->heap[0]->look_ms;
}

static void note_due(struct ek_timers *timers, struct ek_timer *timer, int64_t now_ms)
{
    if (!timer->is_due) {
        timer->is_due = true;
        DL_APPEND(timers->due, timer);
    }
    /* A period of 0 would be due for ever at this moment. */
    timer->due_ms = now_ms + (timer->period_ms > 0 ? timer->period_ms : 1);
}

void ek_timers_note(struct ek_timers *timers, int64_t now_ms)
{
    while (ek_timers_quiet_until_ms(timers) <= now_ms) {
        struct ek_timer *timer = timers->heap[0];
        if (timer->due_ms <= now_ms) {
            note_due(timers, timer, now_ms);
        }
        timer->look_ms = timer->due_ms;
        sink(timers, timer);
    }
}

bool ek_timers_take_call(struct ek_timers *timers, struct ek_timer_call *call)
{
    struct ek_timer *timer = timers->due;

    if (timer == NULL) {
        return false;
    }
    settle(timers, timer);
    *call = (struct ek_timer_call){
        .function = timer->function, .id = timer->id, .opaque = timer->opaque};
    return true;
}

bool ek_timers_take_removed(struct ek_timers *timers, virFreeCallback *release, void **opaque)
{
    struct ek_timer *timer = timers->removed;

    if (timer == NULL) {
        return false;
    }
    DL_DELETE(timers->removed, timer);
    *release = timer->release;
    *opaque = timer->opaque;
    free(timer);
    return true;
}
