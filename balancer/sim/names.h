/* A map from names to indices; private to the simulator. */
#ifndef EK_SIM_NAMES_H
#define EK_SIM_NAMES_H

#include "balancer/core/move.h"

#include <stdbool.h>
#include <stdint.h>

struct ek_sim_names;

/* Puts the name in with its index; the name is copied, cut to EK_NAME_SIZE - 1. `*names` starts as
 * NULL. False: out of memory, or it is there already. */
bool ek_sim_names_add(struct ek_sim_names **names, const char *name, uint32_t index);

/* Its index; UINT32_MAX: it is not there. O(1). */
uint32_t ek_sim_names_find(const struct ek_sim_names *names, const char *name);

/* Frees all; NULL is fine. */
void ek_sim_names_destroy(struct ek_sim_names *names);

#endif
