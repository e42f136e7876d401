/* A digest of what a decision was made from: 64 bits, in a fixed byte order. It names plans; it
 * does not protect against an adversary. */
#ifndef EK_CORE_DIGEST_H
#define EK_CORE_DIGEST_H

#include "balancer/core/policy.h"
#include "balancer/core/snapshot.h"

struct ek_digest {
    uint64_t state;
};

struct ek_digest ek_digest_begin(void);
void ek_digest_text(struct ek_digest *digest, const char *text); /* NULL differs from "" */
void ek_digest_number(struct ek_digest *digest, double value);
void ek_digest_integer(struct ek_digest *digest, int64_t value);
void ek_digest_snapshot(struct ek_digest *digest, const struct ek_snapshot *snapshot);
void ek_digest_policy(struct ek_digest *digest, const struct ek_policy *policy);

#endif
