/* Clusters as one line of text, and plans as short lines, so that tests read and compare text.
 *
 *     "h1 8c 16G; h2 8c 16G maintenance; a@h1 2v 2G 1.5c 1800M; b@h1->h2 1v 1G net=br0"
 *
 * Items end with ';'. An item with '@' is a domain on a host, "->" makes it in flight; the domain
 * "?" is a move in flight that no sample shows. Its UUID is its name. Sizes are G or M (MiB).
 *
 * Host words: 8c cores, 16G memory, used=3c and used=4G (of the whole host), up, stale, down,
 * maintenance, deadline=1100 (Unix time in seconds; a story begins at 1000), link=110 (MiB/s),
 * net=a,b (net= means none), stor=, cpu=MODEL, hv=QEMU, uuid=, label=rack:r1,zone:z1. Domain words:
 * 2v vCPUs, 2G configured memory, 1.5c CPU use, a second size: resident memory, want=2c and
 * noise=0.3c (CPU as forecast), steal=0.1, dirty=35 (MiB/s), disk=2G (local), immovable, paused,
 * incoming, net=, stor=, dev=, cpu=, label=tier:web, rule=pin+hosts=h1 (a rule that travels with
 * it, blanks written as '+'). Whatever is not written is as in a snapshot document: not known, or
 * its default. */
#ifndef EK_TESTS_LIB_CLUSTER_TEXT_H
#define EK_TESTS_LIB_CLUSTER_TEXT_H

#include "balancer/core/planner/plan.h"
#include "tests/lib/text.h"

/* Fails the test on a word that it does not know. The caller owns the result: ek_snapshot_finish.
 */
void ek_test_cluster(struct ek_snapshot *out, const char *text);

/* Hosts were sampled at that time by a collector of that period, as in a snapshot that was
 * assembled. */
void ek_test_sampled(struct ek_snapshot *snapshot, int64_t now_ms, int64_t period_ms);

/* Index of a host or domain; fails the test when there is none. */
uint32_t ek_test_host(const struct ek_snapshot *snapshot, const char *name);
uint32_t ek_test_domain(const struct ek_snapshot *snapshot, const char *name);

/* "a h1->h2 balance\n" for each move. */
void ek_test_print_moves(const struct ek_plan *plan, struct ek_text *out);

/* "b on h1: h2: not enough ...\n" for each domain that cannot leave. */
void ek_test_print_unresolved(const struct ek_plan *plan, struct ek_text *out);

#endif
