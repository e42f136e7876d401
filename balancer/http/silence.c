#include "balancer/http/silence.h"

#include <time.h>

enum { PEACE_MS = 1000 };

static int64_t steady_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool ek_silence_may_ask(struct ek_silence *silence, struct ek_error *err)
{
    silence->tried = silence->failed_ms == 0 || steady_ms() - silence->failed_ms >= PEACE_MS;
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
    silence->failed_ms = silent ? steady_ms() : 0;
    if (silent) {
        silence->failure = *failure;
    }
}
