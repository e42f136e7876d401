/* Any bytes as a profile: read, or refused with a place; what is read comes back from what is
 * written of it, and bears what is done with profiles. */
#include "balancer/codec/profile.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool good)
{
    if (!good) {
        abort();
    }
}

/* A further hour, and merging with what it was before. */
static void check_use(const struct ek_profile *profile)
{
    struct ek_profile grown = *profile;
    struct ek_hour_figures figures = {
        .hour = profile->through_hour + 1, .mean = {1, 1}, .high = {2, 2}};

    for (size_t h = 0; h < EK_PROFILE_HOURS; h++) {
        figures.hour =
            profile->in[h].newest >= figures.hour ? profile->in[h].newest + 1 : figures.hour;
    }
    ek_profile_add(&grown, &figures);
    demand(grown.through_hour == figures.hour && ek_profile_known(&grown) > 0);
    const struct ek_profile once = grown;
    ek_profile_add(&grown, &figures);
    demand(memcmp(&grown, &once, sizeof(once)) == 0);
    ek_profile_merge(&grown, profile);
    ek_profile_settle(&grown, figures.hour + 2);
    demand(grown.through_hour == figures.hour);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ek_profile profile;
    struct ek_profile back;
    struct ek_error err;
    uint8_t *bytes = NULL;
    uint8_t *again = NULL;
    size_t written = 0;
    size_t again_written = 0;

    if (!ek_profile_read(&profile, data, size, "fuzz", &err)) {
        demand(err.code == EK_ERR_NOMEM || strncmp(err.message, "fuzz: ", 6) == 0);
        return 0;
    }
    demand(ek_profile_write(&profile, &bytes, &written, &err));
    demand(ek_profile_read(&back, bytes, written, "back", &err));
    demand(memcmp(&back, &profile, sizeof(back)) == 0);
    demand(ek_profile_write(&back, &again, &again_written, &err));
    demand(again_written == written && memcmp(again, bytes, written) == 0);
    check_use(&profile);
    free(bytes);
    free(again);
    return 0;
}
