/* evenkeel why --cycle: told from what the balancer recorded. */
#ifndef EK_TOOLS_WHY_H
#define EK_TOOLS_WHY_H

#include "balancer/tools/tool.h"

/* `word` is how many of the newest cycles, or the id of a plan; NULL: the newest cycle. Returns the
 * exit status. */
int ek_why_cycle(struct ek_tool *tool, const char *word);

#endif
