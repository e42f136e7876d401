#include "balancer/core/profile.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* 1 January 1970 was a Thursday: three days after a Monday. */
enum { FIRST_HOUR = 3 * 24 };

int64_t ek_hour_of(int64_t time_ms)
{
    assert(time_ms >= 0);
    return time_ms / EK_HOUR_MS;
}

size_t ek_hour_of_week(int64_t hour)
{
    assert(hour >= 0);
    return (size_t)((hour + FIRST_HOUR) % EK_PROFILE_HOURS);
}

void ek_profile_begin(struct ek_profile *profile, enum ek_profile_kind kind, const char *name)
{
    assert(strlen(name) < sizeof(profile->name));
    memset(profile, 0, sizeof(*profile));
    profile->kind = kind;
    (void)snprintf(profile->name, sizeof(profile->name), "%s", name);
}

static bool in_use(const struct ek_weeks_in *in)
{
    return in->marks != 0;
}

/* Marks as they are counted from a later hour of the same hour of the week. */
static int64_t marks_from(const struct ek_weeks_in *in, int64_t newest)
{
    int64_t weeks = (newest - in->newest) / EK_PROFILE_HOURS;

    assert(newest >= in->newest);
    return weeks < EK_PROFILE_MARKS ? (in->marks << weeks) & ((1 << EK_PROFILE_MARKS) - 1) : 0;
}

/* Marks the hour. False: it went in already, or is too old. *later: how many that are later did. */
static bool mark(struct ek_weeks_in *in, int64_t hour, unsigned int *later)
{
    *later = 0;
    if (!in_use(in) || hour > in->newest) {
        in->marks = in_use(in) ? marks_from(in, hour) | 1 : 1;
        in->newest = hour;
        return true;
    }
    int64_t weeks = (in->newest - hour) / EK_PROFILE_HOURS;
    if (weeks >= EK_PROFILE_MARKS || (in->marks >> weeks & 1) != 0) {
        return false;
    }
    for (int64_t w = 0; w < weeks; w++) {
        *later += (unsigned int)(in->marks >> w & 1);
    }
    in->marks |= (int64_t)1 << weeks;
    return true;
}

/* The mean of the first weeks, then one that forgets; `later` weeks went in before this one, and
 * have made it less. */
static void add_week(struct ek_usual *usual, double mean, double high, unsigned int later)
{
    if (isnan(mean)) {
        return;
    }
    assert(!isnan(high));
    usual->weeks += usual->weeks < EK_PROFILE_MAX_WEEKS;
    double share =
        1.0 / (usual->weeks < EK_PROFILE_WEEKS ? (double)usual->weeks : EK_PROFILE_WEEKS);
    for (int64_t w = EK_PROFILE_WEEKS; w < usual->weeks && later > 0; w++, later--) {
        share *= 1 - 1.0 / EK_PROFILE_WEEKS;
    }
    usual->mean += (mean - usual->mean) * share;
    usual->high += (high - usual->high) * share;
}

void ek_profile_add(struct ek_profile *profile, const struct ek_hour_figures *figures)
{
    size_t at = ek_hour_of_week(figures->hour);
    unsigned int later = 0;

    if (!mark(&profile->in[at], figures->hour, &later)) {
        return;
    }
    if (profile->through_hour < figures->hour) {
        profile->through_hour = figures->hour;
    }
    for (int r = 0; r < EK_RESOURCE_FURTHER; r++) {
        add_week(&profile->usual[r][at], figures->mean[r], figures->high[r], later);
    }
}

/* Takes the marks of later hours away. */
static void settle_weeks(struct ek_weeks_in *in, int64_t newest_hour)
{
    while (in_use(in) && (in->newest > newest_hour || (in->marks & 1) == 0)) {
        in->marks >>= 1;
        in->newest -= EK_PROFILE_HOURS;
    }
    if (!in_use(in)) {
        in->newest = 0;
    }
}

void ek_profile_settle(struct ek_profile *profile, int64_t newest_hour)
{
    assert(newest_hour >= 0);
    if (newest_hour <= 1 || profile->through_hour <= newest_hour) {
        return;
    }
    profile->through_hour = newest_hour - 2;
    for (size_t h = 0; h < EK_PROFILE_HOURS; h++) {
        settle_weeks(&profile->in[h], newest_hour - 1);
    }
}

static struct ek_weeks_in merge_weeks(const struct ek_weeks_in *a, const struct ek_weeks_in *b)
{
    struct ek_weeks_in merged = a->newest > b->newest ? *a : *b;

    merged.marks = marks_from(a, merged.newest) | marks_from(b, merged.newest);
    return merged;
}

void ek_profile_merge(struct ek_profile *profile, const struct ek_profile *other)
{
    assert(profile->kind == other->kind && strcmp(profile->name, other->name) == 0);
    if (profile->through_hour < other->through_hour) {
        profile->through_hour = other->through_hour;
    }
    for (size_t h = 0; h < EK_PROFILE_HOURS; h++) {
        profile->in[h] = merge_weeks(&profile->in[h], &other->in[h]);
        for (int r = 0; r < EK_RESOURCE_FURTHER; r++) {
            if (profile->usual[r][h].weeks < other->usual[r][h].weeks) {
                profile->usual[r][h] = other->usual[r][h];
            }
        }
    }
}

size_t ek_profile_known(const struct ek_profile *profile)
{
    size_t known = 0;

    for (size_t h = 0; h < EK_PROFILE_HOURS; h++) {
        known += profile->usual[EK_CPU][h].weeks > 0 || profile->usual[EK_MEMORY][h].weeks > 0;
    }
    return known;
}
