/* evenkeel samples profile: what a host or a domain is used to take in each hour of the week. */
#ifndef EK_TOOLS_PROFILE_H
#define EK_TOOLS_PROFILE_H

#include "balancer/tools/tool.h"

/* Shows the profile of the host of the configuration, or of the domain of that name or UUID: two
 * tables of hours by days, or with --json a document. The tool is open. Returns the exit status. */
int ek_tool_show_profile(struct ek_tool *tool, const char *name);

#endif
