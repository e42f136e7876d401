/* PACE: how much at once, and how much of the links, an evacuation with a deadline may take.
 *
 * A ladder of four. It begins at the policy's `limits:`, which hold for everything else at all
 * times, and ends at the ceilings of `maintenance.urgent:`:
 *
 *   limits    the policy's limits
 *   half      half-way to the ceilings of how many run at once (rounded up); the limits' bandwidth
 *   parallel  these ceilings; the limits' bandwidth
 *   urgent    these ceilings, and those of the bandwidth
 *
 * More at once comes before more bandwidth: an operator who keeps a part of the links free does so
 * for the guests' own traffic, or for storage. The pace binds what leaves hosts in maintenance that
 * have a deadline, and nothing else; which one is taken is chosen with each plan (pace_choice.h).
 */
#ifndef EK_CORE_PACE_H
#define EK_CORE_PACE_H

#include "balancer/core/arena.h"
#include "balancer/core/move.h"
#include "balancer/core/policy.h"
#include "balancer/core/snapshot.h"

enum ek_pace {
    EK_PACE_LIMITS,
    EK_PACE_HALF,
    EK_PACE_PARALLEL,
    EK_PACE_URGENT,
    EK_PACE_COUNT,
};

const char *ek_pace_name(enum ek_pace pace);

/* The policy's own. */
struct ek_limits ek_limits_of(const struct ek_policy *policy);

/* What it allows. No limit is below that of the pace before. */
struct ek_limits ek_pace_limits(const struct ek_policy *policy, enum ek_pace pace);

/* Ceilings where the policy names none: twice its limits, and what is unlimited stays so. */
struct ek_limits ek_pace_default_ceilings(const struct ek_policy *policy);

bool ek_limits_equal(const struct ek_limits *a, const struct ek_limits *b);
bool ek_limits_same_bandwidth(const struct ek_limits *a, const struct ek_limits *b);

/* Whether the pace binds a move of that kind away from that host, else the policy's limits do. */
bool ek_pace_binds(enum ek_move_kind kind, const struct ek_host *source);

/* "8 at once, 2 from a host, 2 to a host, 100 MiB/s on each link"; NULL: out of memory. */
const char *ek_limits_text(const struct ek_limits *limits, struct ek_arena *arena);

/* What migrations may take of the host's link in each direction under such limits, and what one of
 * them gets between two hosts, in MiB/s. */
double ek_limits_link(const struct ek_limits *limits, const struct ek_host *host);
double ek_limits_rate(const struct ek_limits *limits, const struct ek_host *source,
                      const struct ek_host *destination);

#endif
