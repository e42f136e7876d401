/* What the files of the simulated migrations share. Not for others. */
#ifndef EK_SIM_MIGRATION_INTERNAL_H
#define EK_SIM_MIGRATION_INTERNAL_H

#include "balancer/sim/migration.h"

enum {
    EK_SIM_KEEPALIVE_MS = 30000, /* 5 s x (5 + 1), facts: libvirt's default on both sides */
    EK_SIM_SHORTEST_ROUND_MS = 50,
};

/* The index of the domain's migration; EK_NONE: none runs. */
uint32_t ek_sim_migration_find(const struct ek_sim_migrations *migrations, uint32_t domain);

/* Wants the next step after low to high milliseconds, by chance. */
void ek_sim_migration_wait(struct ek_sim_migrations *migrations, uint32_t index, int64_t low,
                           int64_t high);

/* Brings what was sent up to now, at the present rate. */
void ek_sim_migration_advance(struct ek_sim_migrations *migrations, struct ek_sim_migration *it);

/* Wants the event at which this round, or the switchover, ends; none while nothing flows. */
void ek_sim_migration_schedule(struct ek_sim_migrations *migrations, uint32_t index);

/* Shares the links among all that copy now: after every start, end and change of a link. */
void ek_sim_migrations_share(struct ek_sim_migrations *migrations);

/* Whether the libvirtds of both ends can talk to one another. */
bool ek_sim_migration_connected(const struct ek_sim_migrations *migrations,
                                const struct ek_sim_migration *it);

/* The destination's guest begins to run; the source must be paused by then. */
void ek_sim_migration_arrive(struct ek_sim_migrations *migrations, struct ek_sim_migration *it);

/* The migration ends badly: the source goes on unless the image locks forbid it or it is gone, the
 * destination's copy is cleaned up now or when its keepalive ends, the caller is told. */
void ek_sim_migration_fail(struct ek_sim_migrations *migrations, uint32_t index,
                           enum ek_failure failure, const char *error);

/* The same, but the source stays as the switchover left it: paused, without a job. */
void ek_sim_migration_strand(struct ek_sim_migrations *migrations, uint32_t index,
                             const char *error);

/* The destination runs and knows it: the source's copy goes. */
void ek_sim_migration_confirm(struct ek_sim_migrations *migrations, uint32_t index);

#endif
