#include "balancer/codec/profile.h"

#include "balancer/codec/history_facts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { VERSION = 2, UNMARKED_VERSION = 1 };

enum { ALL_MARKS = (1 << EK_PROFILE_MARKS) - 1 };

/* 2^40 steps, as in the history. */
#define MAX_STEPS ((int64_t)1 << 40)

/* Steps per core and per MiB. */
static const double scales[EK_RESOURCE_FURTHER] = {[EK_CPU] = 100, [EK_MEMORY] = 1};

/* The last hour up to `base` that is that hour of the week; below 0: before 1970. */
static int64_t last_before(int64_t base, size_t hour_of_week)
{
    return base -
           (int64_t)((ek_hour_of_week(base) + EK_PROFILE_HOURS - hour_of_week) % EK_PROFILE_HOURS);
}

/* ---- writing --------------------------------------------------------------------------------- */

/* 1 and more: 0 is for what is not known. */
static int64_t to_steps(double value, double scale)
{
    double steps = round(value * scale) + 1;

    return !(steps >= 1) ? 1 : steps > (double)MAX_STEPS ? MAX_STEPS : (int64_t)steps;
}

static void put_usual(struct ek_bytes *bytes, const struct ek_usual *usual, double scale)
{
    int64_t weeks[EK_PROFILE_HOURS];
    int64_t mean[EK_PROFILE_HOURS];
    int64_t high[EK_PROFILE_HOURS];

    for (size_t h = 0; h < EK_PROFILE_HOURS; h++) {
        bool known = usual[h].weeks > 0;
        weeks[h] = usual[h].weeks;
        mean[h] = known ? to_steps(usual[h].mean, scale) : 0;
        high[h] = known ? to_steps(usual[h].high, scale) : 0;
    }
    ek_bytes_put_series(bytes, weeks, EK_PROFILE_HOURS);
    ek_bytes_put_series(bytes, mean, EK_PROFILE_HOURS);
    ek_bytes_put_series(bytes, high, EK_PROFILE_HOURS);
}

static void put_marks(struct ek_bytes *bytes, const struct ek_profile *profile)
{
    int64_t weeks[EK_PROFILE_HOURS];
    int64_t marks[EK_PROFILE_HOURS];
    int64_t base = 0;

    for (size_t h = 0; h < EK_PROFILE_HOURS; h++) {
        base = profile->in[h].newest > base ? profile->in[h].newest : base;
    }
    for (size_t h = 0; h < EK_PROFILE_HOURS; h++) {
        const struct ek_weeks_in *in = &profile->in[h];
        marks[h] = in->marks;
        weeks[h] = in->marks == 0 ? 0 : (base - in->newest) / EK_PROFILE_HOURS;
    }
    ek_bytes_put_number(bytes, (uint64_t)base);
    ek_bytes_put_series(bytes, weeks, EK_PROFILE_HOURS);
    ek_bytes_put_series(bytes, marks, EK_PROFILE_HOURS);
}

bool ek_profile_write(const struct ek_profile *profile, uint8_t **bytes, size_t *size,
                      struct ek_error *err)
{
    struct ek_history_texts texts = {.count = 0};
    struct ek_bytes out = {0};
    bool done = ek_history_intern(&texts, profile->name) != NULL;

    ek_bytes_put_number(&out, VERSION);
    ek_bytes_put_number(&out, profile->kind);
    ek_bytes_put_number(&out, (uint64_t)profile->through_hour);
    ek_texts_put(&out, &texts);
    for (int r = 0; r < EK_RESOURCE_FURTHER; r++) {
        put_usual(&out, profile->usual[r], scales[r]);
    }
    put_marks(&out, profile);
    ek_history_texts_finish(&texts);
    if (!done || out.failed) {
        free(out.data);
        return ek_error_set(err, EK_ERR_NOMEM, "profile of %s: out of memory", profile->name);
    }
    *bytes = out.data;
    *size = out.size;
    return true;
}

/* ---- reading --------------------------------------------------------------------------------- */

static bool check_usual(struct ek_bytes_reader *in, int64_t weeks, int64_t mean, int64_t high)
{
    bool known = weeks > 0;

    if (weeks > EK_PROFILE_MAX_WEEKS) {
        return ek_bytes_refuse(in, "at most 1000", "%lld weeks", (long long)weeks);
    }
    return ((mean > 0) == known && (high > 0) == known && mean <= MAX_STEPS && high <= MAX_STEPS) ||
           ek_bytes_refuse(in, "both with weeks, up to 2^40, or 0 of all",
                           "%lld weeks with the figures %lld and %lld", (long long)weeks,
                           (long long)mean, (long long)high);
}

static bool get_usual(struct ek_bytes_reader *in, struct ek_usual *usual, double scale)
{
    int64_t weeks[EK_PROFILE_HOURS];
    int64_t mean[EK_PROFILE_HOURS];
    int64_t high[EK_PROFILE_HOURS];
    bool done = ek_bytes_get_series(in, weeks, EK_PROFILE_HOURS) &&
                ek_bytes_get_series(in, mean, EK_PROFILE_HOURS) &&
                ek_bytes_get_series(in, high, EK_PROFILE_HOURS);

    for (size_t h = 0; done && h < EK_PROFILE_HOURS; h++) {
        done = check_usual(in, weeks[h], mean[h], high[h]);
        if (done && weeks[h] > 0) {
            usual[h] = (struct ek_usual){.weeks = weeks[h],
                                         .mean = (double)(mean[h] - 1) / scale,
                                         .high = (double)(high[h] - 1) / scale};
        }
    }
    return done;
}

#define AN_HOUR "an hour since 1970"
#define MAX_HOUR ((uint64_t)EK_SERIES_MAX / EK_HOUR_MS)

static bool get_marks(struct ek_bytes_reader *in, struct ek_profile *out)
{
    int64_t weeks[EK_PROFILE_HOURS];
    int64_t marks[EK_PROFILE_HOURS];
    uint64_t base = 0;
    bool done = ek_bytes_get_number(in, AN_HOUR, MAX_HOUR, &base) &&
                ek_bytes_get_series(in, weeks, EK_PROFILE_HOURS) &&
                ek_bytes_get_series(in, marks, EK_PROFILE_HOURS);

    for (size_t h = 0; done && h < EK_PROFILE_HOURS; h++) {
        int64_t newest = last_before((int64_t)base, h);
        if (marks[h] == 0 && weeks[h] == 0) {
            continue;
        }
        if (marks[h] > ALL_MARKS || (marks[h] & 1) == 0 || weeks[h] > newest / EK_PROFILE_HOURS ||
            newest < 0) {
            return ek_bytes_refuse(in, "odd ones of nine bits, within the time since 1970",
                                   "marks %lld of %lld weeks before", (long long)marks[h],
                                   (long long)weeks[h]);
        }
        out->in[h] =
            (struct ek_weeks_in){.newest = newest - weeks[h] * EK_PROFILE_HOURS, .marks = marks[h]};
    }
    return done;
}

/* A profile of version 1 took hours in their order alone. */
static void assume_marks(struct ek_profile *out)
{
    for (size_t h = 0; h < EK_PROFILE_HOURS; h++) {
        int64_t newest = last_before(out->through_hour, h);
        if (newest >= 0 &&
            (out->usual[EK_CPU][h].weeks > 0 || out->usual[EK_MEMORY][h].weeks > 0)) {
            out->in[h] = (struct ek_weeks_in){.newest = newest, .marks = ALL_MARKS};
        }
    }
}

/* One text, of the size that its kind may have, as it stands in keys and messages. */
static bool get_name(struct ek_bytes_reader *in, struct ek_profile *out)
{
    const size_t max = out->kind == EK_PROFILE_HOST ? EK_NAME_SIZE : EK_UUID_SIZE;
    struct ek_history_texts texts = {.count = 0};
    bool done = ek_texts_get(in, &texts);
    const char *name = done && texts.count == 1 ? ek_history_text_at(&texts, 0) : "";
    bool good = name[0] != '\0' && strlen(name) < max;

    for (const char *at = name; good && *at != '\0'; at++) {
        good = (unsigned char)*at >= ' ' && *at != 0x7f;
    }
    if (good) {
        memcpy(out->name, name, strlen(name) + 1);
    }
    ek_history_texts_finish(&texts);
    return done && (good || ek_bytes_refuse(in, "the name of a host or the UUID of a domain",
                                            "another text, or several"));
}

static bool get_head(struct ek_bytes_reader *in, struct ek_profile *out, uint64_t *version)
{
    uint64_t kind = 0;
    uint64_t hour = 0;

    if (!ek_bytes_get_number(in, "version 1 or 2", VERSION, version)) {
        return false;
    }
    if (*version < UNMARKED_VERSION) {
        return ek_bytes_refuse(in, "version 1 or 2", "version %d", (int)*version);
    }
    if (!ek_bytes_get_number(in, "0, a host, or 1, a domain", EK_PROFILE_DOMAIN, &kind) ||
        !ek_bytes_get_number(in, AN_HOUR, MAX_HOUR, &hour)) {
        return false;
    }
    out->kind = (enum ek_profile_kind)kind;
    out->through_hour = (int64_t)hour;
    return get_name(in, out);
}

bool ek_profile_read(struct ek_profile *out, const void *bytes, size_t size, const char *name,
                     struct ek_error *err)
{
    struct ek_bytes_reader in = {.name = name, .data = bytes, .size = size, .err = err};

    uint64_t version = 0;

    memset(out, 0, sizeof(*out));
    if (!get_head(&in, out, &version) || !get_usual(&in, out->usual[EK_CPU], scales[EK_CPU]) ||
        !get_usual(&in, out->usual[EK_MEMORY], scales[EK_MEMORY]) ||
        (version != UNMARKED_VERSION && !get_marks(&in, out))) {
        return false;
    }
    if (version == UNMARKED_VERSION) {
        assume_marks(out);
    }
    in.at += in.bits > 0;
    return in.at == in.size ||
           ek_bytes_refuse(&in, "the end of the profile", "%zu more bytes", in.size - in.at);
}
