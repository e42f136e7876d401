#include "balancer/http/silence.h"
#include "balancer/view/clock.h"

enum { PEACE_MS = 1000 };

bool ek_silence_may_ask(struct ek_silence *silence, struct ek_error *err)
{
    silence->tried = silence->failed_ms == 0 ||
                     ek_view_clock_ms(CLOCK_MONOTONIC) - silence->failed_ms >= PEACE_MS;
    if (!silence->tried) {
        *err = silence->failure;
    }
    return silence->tried;
}

/* A refusal is no silence: the next one may ask for something else. */
void ek_silence_asked(struct ek_silence *silence, const struct ek_error *failure)
{
    if (!silence->tried) {
        return;
    }
    bool silent =
        failure != NULL && (failure->code == EK_ERR_UNAVAILABLE || failure->code == EK_ERR_TIMEOUT);
    silence->failed_ms = silent ? ek_view_clock_ms(CLOCK_MONOTONIC) : 0;
    if (silent) {
        silence->failure = *failure;
    }
}
