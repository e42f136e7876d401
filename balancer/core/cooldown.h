/* Cooldown: which domains rest after a move, longer when they keep moving; and what failed lately.
 */
#ifndef EK_CORE_COOLDOWN_H
#define EK_CORE_COOLDOWN_H

#include "balancer/core/circuit.h"
#include "balancer/core/error.h"
#include "balancer/core/policy.h"

#include <stddef.h>
#include <stdint.h>

struct ek_cooldown;

/* One domain's rest, for showing and for keeping. */
struct ek_rest {
    char domain[40]; /* UUID */
    int64_t until_ms;
    int64_t moved_at_ms;
    int repeats;             /* moves that began while the former rest was young */
    char avoid[128];         /* host that a failed move must not try again ... */
    int64_t avoid_until_ms;  /* ... until then */
    int64_t failed_until_ms; /* no attempt at all, evacuation neither */
    int failures;            /* in a row */
    int64_t lags_until_ms;   /* it wrote its memory as fast as it was copied: others go first */
    bool blocked;            /* an outcome is not known: an operator must resolve it */
};

/* NULL: out of memory. Destroy takes NULL. */
struct ek_cooldown *ek_cooldown_create(void);
void ek_cooldown_destroy(struct ek_cooldown *cooldown);

/* What fails between hosts, whoever moves; NULL for a NULL cooldown, which knows nothing. */
struct ek_circuit *ek_cooldown_circuit(const struct ek_cooldown *cooldown);

/* The domain moved well at `now_ms`: it rests for cooldown_ms, times the repeat factor for each
 * move that came within 7 days of the one before (what ProxBalance does, too). Error: NOMEM. */
bool ek_cooldown_moved(struct ek_cooldown *cooldown, const struct ek_policy *policy,
                       const char *domain, int64_t now_ms, struct ek_error *err);

/* It moved because somebody asked for it: a host was emptied, an operator ordered it, or did it by
 * hand. It rests for cooldown_ms, which is no repeat: after an upgrade of all hosts, one after
 * another, no guest rests for days. Error: NOMEM. */
bool ek_cooldown_displaced(struct ek_cooldown *cooldown, const struct ek_policy *policy,
                           const char *domain, int64_t now_ms, struct ek_error *err);

/* A move failed: no attempt for backoff_ms, doubled for each failure in a row, at most one hour; if
 * `avoid` is not NULL that host is avoided four times as long, at most one hour. Error: NOMEM. */
bool ek_cooldown_failed(struct ek_cooldown *cooldown, const struct ek_policy *policy,
                        const char *domain, const char *avoid, int64_t now_ms,
                        struct ek_error *err);

/* An operator stopped its move: it rests as after a move, without being counted as one, and is not
 * evacuated for four times backoff_ms either. Error: NOMEM. */
bool ek_cooldown_aborted(struct ek_cooldown *cooldown, const struct ek_policy *policy,
                         const char *domain, int64_t now_ms, struct ek_error *err);

/* An operator rejected its move: it rests as after a move, without being counted as one. Error:
 * NOMEM. */
bool ek_cooldown_rejected(struct ek_cooldown *cooldown, const struct ek_policy *policy,
                          const char *domain, int64_t now_ms, struct ek_error *err);

/* A migration of it did not converge: for an hour it is known for that. Error: NOMEM. */
bool ek_cooldown_lagged(struct ek_cooldown *cooldown, const char *domain, int64_t now_ms,
                        struct ek_error *err);

/* Blocks the domain, or frees it. Error: NOMEM. */
bool ek_cooldown_block(struct ek_cooldown *cooldown, const char *domain, bool blocked,
                       struct ek_error *err);

/* What is known of the domain; NULL: nothing. Valid until the next change. A NULL cooldown knows
 * nothing. */
const struct ek_rest *ek_cooldown_find(const struct ek_cooldown *cooldown, const char *domain);

/* Forgets rests that ended more than 7 days ago. */
void ek_cooldown_expire(struct ek_cooldown *cooldown, int64_t now_ms);

/* All rests, by UUID, for keeping them over a restart: fills at most `room`, returns how many there
 * are. */
size_t ek_cooldown_export(const struct ek_cooldown *cooldown, struct ek_rest *out, size_t room);

/* Puts a kept rest back. Error: NOMEM. */
bool ek_cooldown_import(struct ek_cooldown *cooldown, const struct ek_rest *rest,
                        struct ek_error *err);

#endif
