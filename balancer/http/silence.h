/* A Redis that is silent is left in peace for a moment: those who queue behind a lock for it get
 * the reason of the one who has just waited in vain, and do not each wait as long again. */
#ifndef EK_HTTP_SILENCE_H
#define EK_HTTP_SILENCE_H

#include "balancer/core/error.h"

#include <stdbool.h>
#include <stdint.h>

/* Of one lock, and used only by who has it. Zeroed: Redis was never silent. */
struct ek_silence {
    bool tried;              /* whoever has the lock now has asked Redis */
    struct ek_error failure; /* of the newest who did, at `failed_ms`; 0: it did not fail */
    int64_t failed_ms;       /* by the clock that stands never */
};

/* Whether Redis may be asked; false with the reason when it was silent within the last second. */
bool ek_silence_may_ask(struct ek_silence *silence, struct ek_error *err);

/* How it went for the one who might; nothing for the one who might not. `failure`: what Redis said;
 * NULL: all went well. A refusal is no silence. */
void ek_silence_asked(struct ek_silence *silence, const struct ek_error *failure);

#endif
