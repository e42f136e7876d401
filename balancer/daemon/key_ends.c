/* Maintenance keys that were gone for a moment: from the watcher's thread to the engine. A key that
 * is deleted and set again between two readings looks untouched, and yet it is another maintenance.
 */
#include "balancer/daemon/balancing.h"
#include "balancer/daemon/clock.h"
#include "balancer/daemon/log.h"

#include <stdlib.h>
#include <string.h>

struct ek_key_end {
    struct ek_key_end *next;
    char host[];
};

/* Lost for want of memory, the maintenance goes on as the one that it was. */
void ek_balancing_note_key_end(void *context, const char *host)
{
    struct ek_balancing *balancing = context;
    size_t size = strlen(host) + 1;
    struct ek_key_end *end = calloc(1, sizeof(*end) + size);

    if (end == NULL) {
        ek_log(EK_LOG_WARNING, "out of memory: that the maintenance of %s was ended goes unnoticed",
               host);
        return;
    }
    memcpy(end->host, host, size);
    (void)pthread_mutex_lock(&balancing->outcome_mutex);
    end->next = balancing->key_ends;
    balancing->key_ends = end;
    (void)pthread_mutex_unlock(&balancing->outcome_mutex);
}

static struct ek_key_end *take_all(struct ek_balancing *balancing)
{
    (void)pthread_mutex_lock(&balancing->outcome_mutex);
    struct ek_key_end *first = balancing->key_ends;
    balancing->key_ends = NULL;
    (void)pthread_mutex_unlock(&balancing->outcome_mutex);
    return first;
}

/* Who does not lead drops them: its leader hears the same, and keeps what follows. */
void ek_balancing_take_key_ends(struct ek_balancing *balancing)
{
    struct ek_key_end *end = take_all(balancing);

    while (end != NULL) {
        struct ek_key_end *next = end->next;
        if (balancing->leading && !balancing->daemon->stopping) {
            ek_balancing_step(balancing, &(struct ek_event){.kind = EK_EVENT_KEY_ENDED,
                                                            .now_ms = ek_clock_now_ms(),
                                                            .u.key_ended = end->host});
        }
        free(end);
        end = next;
    }
}

void ek_balancing_drop_key_ends(struct ek_balancing *balancing)
{
    struct ek_key_end *end = take_all(balancing);

    while (end != NULL) {
        struct ek_key_end *next = end->next;
        free(end);
        end = next;
    }
}
