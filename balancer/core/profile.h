/* Profiles: what a host or a domain is used to take, for each hour of the week.
 *
 *     hour of the week = hours since Monday 00:00 UTC, 0 to 167
 *     of the samples of one hour: their mean, and their 95th percentile (nearest rank)
 *     over the weeks: figure += (this week's - figure) / min(weeks, 4)
 *
 * The 95th percentile is what suffices for all but three minutes of an hour. The largest of 60
 * samples is one noisy one, and so would be the 99th; the 90th passes over six minutes, which are a
 * whole backup. Four weeks are a month's habits, and a new habit is more than half in after three.
 *
 * A profile counts each hour once: of each hour of the week it knows which of the newest nine weeks
 * went in. That is what makes a restart, a second reader of the same samples and a domain that
 * moved in the middle of an hour harmless, and lets the hours of a domain come in any order, as
 * from two hosts of which one is folded first. An hour that comes late gets the share that it would
 * have by now; up to four weeks of an hour are the same in any order. */
#ifndef EK_CORE_PROFILE_H
#define EK_CORE_PROFILE_H

#include "balancer/core/move.h"
#include "balancer/core/utilization.h"

enum { EK_PROFILE_HOURS = 168, EK_PROFILE_WEEKS = 4, EK_PROFILE_PERCENT = 95 };

/* So many weeks are counted, and no further. */
enum { EK_PROFILE_MAX_WEEKS = 1000 };

/* Of so many weeks it is known which went in; what is older is passed over: it would count less
 * than a thirtieth. */
enum { EK_PROFILE_MARKS = 9 };

enum { EK_HOUR_MS = 3600000 };

/* One hour of the week, in cores or MiB. */
struct ek_usual {
    int64_t weeks; /* that went in; 0: nothing is known, the figures are 0 */
    double mean;
    double high; /* the 95th percentile */
};

/* Which weeks of one hour of the week went in. */
struct ek_weeks_in {
    int64_t newest; /* the last hour since 1970 that went in */
    int64_t marks;  /* bit i: so many weeks before it one did; 0: none did, newest is 0 */
};

enum ek_profile_kind { EK_PROFILE_HOST, EK_PROFILE_DOMAIN };

struct ek_profile {
    enum ek_profile_kind kind;
    char name[EK_NAME_SIZE]; /* of a host; the UUID of a domain */
    int64_t through_hour; /* the newest hour that went in, in hours since 1970; 0: none. Of a host
                             also: all before it are done */
    struct ek_weeks_in in[EK_PROFILE_HOURS];
    struct ek_usual usual[EK_RESOURCE_FURTHER][EK_PROFILE_HOURS];
};

/* What one hour was like. */
struct ek_hour_figures {
    char domain[EK_UUID_SIZE];        /* "": the host */
    int64_t hour;                     /* since 1970 */
    double mean[EK_RESOURCE_FURTHER]; /* NAN: not known */
    double high[EK_RESOURCE_FURTHER]; /* NAN: not known */
};

/* The hour since 1970 in which that time lies, and which hour of the week that is. */
int64_t ek_hour_of(int64_t time_ms);
size_t ek_hour_of_week(int64_t hour);

/* Nothing is known yet of the host or domain of that name, which fits. */
void ek_profile_begin(struct ek_profile *profile, enum ek_profile_kind kind, const char *name);

/* An hour goes in, unless it is there or many weeks too old (EK_PROFILE_MARKS). */
void ek_profile_add(struct ek_profile *profile, const struct ek_hour_figures *figures);

/* A profile that was told of hours after `newest_hour`, which has only begun, by a clock that was
 * ahead must not wait until they come: the last whole hour is the next to be looked at. A clock
 * that stands at the beginning of 1970 says nothing of others: no change. */
void ek_profile_settle(struct ek_profile *profile, int64_t newest_hour);

/* Takes from another profile of the same host or domain the hours of the week of which it knows
 * more weeks; what went into either is in. The same once more changes nothing. */
void ek_profile_merge(struct ek_profile *profile, const struct ek_profile *other);

/* How many hours of the week are known, of either resource. */
size_t ek_profile_known(const struct ek_profile *profile);

#endif
