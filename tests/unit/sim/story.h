/* Worlds from one line of text, and short words for what stories ask of them.
 *
 *     world("h1 8c 16G; h2 8c 16G; a*6@h1 2v 2G 1.5c; busy@h2 4v 8G 3c 200d")
 *
 * A host is a name with cores (c), memory (G) and, if its links are not 1 Gbit/s, MiB per second
 * (m). A domain has @host, vCPUs (v), memory (G), the cores it wants (c), the MiB per second that
 * it dirties (d) and a local disk (k, GiB); *n makes n of them, a1 to an. The policy is the
 * default, in automatic mode.
 */
#ifndef EK_TESTS_SIM_STORY_H
#define EK_TESTS_SIM_STORY_H

#include "balancer/sim/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* A world of that text and seed 1; the test fails if it cannot be had. ek_world_destroy frees it.
 */
struct ek_world *world(const char *text);

/* The same with options and policy of the story's own. */
struct ek_world *world_with(const char *text, const struct ek_world_options *options,
                            const struct ek_policy *policy);

struct ek_policy automatic_policy(void);

/* Index of that host or domain; the test fails if there is none. */
uint32_t host(struct ek_world *world, const char *name);
uint32_t domain(struct ek_world *world, const char *name);

/* Lets the time come (from the beginning, or from now) and asserts the laws of the world. */
void until(struct ek_world *world, int64_t at_ms);
void pass(struct ek_world *world, int64_t ms);

/* Running domains on that host. */
unsigned int residents(struct ek_world *world, const char *host_name);

/* The name of the host where it runs; "" when nowhere. */
const char *home(struct ek_world *world, const char *domain_name);

/* Asserts that the host's maintenance is shown as that state. */
void assert_maintenance(struct ek_world *world, const char *host_name,
                        enum ek_maintenance_state state);

/* Asserts that the trace holds, or does not hold, that text; prints the trace otherwise. */
void assert_told(struct ek_world *world, const char *text);
void assert_not_told(struct ek_world *world, const char *text);

/* A fault from now on. */
void strike(struct ek_world *world, enum ek_world_fault_kind kind, uint32_t subject,
            int64_t lasts_ms);

/* Runs until a move is in that state, at most `most_ms`; the test fails if none is. */
void until_state(struct ek_world *world, enum ek_move_state state, int64_t most_ms);

/* Runs until no move is open, at most `most_ms`; the test fails if one still is. */
void until_quiet(struct ek_world *world, int64_t most_ms);

uint64_t ended(struct ek_world *world, enum ek_move_state state);

#endif
