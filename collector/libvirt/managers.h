/* Which other manager a domain belongs to, as its own metadata tells.
 *
 * Managers such as OpenStack keep a database of where their domains are; a domain that somebody
 * else moves is then lost to them. Each marks its domains by an element of a namespace of its own
 * below <metadata>. One table, for the collector (such a domain is immovable in the sample) and for
 * the migrator's precheck alike. CloudStack and Pacemaker leave no mark: an `ignore` rule names
 * their domains. */
#ifndef EK_COLLECTOR_MANAGERS_H
#define EK_COLLECTOR_MANAGERS_H

#include <stddef.h>

struct ek_manager {
    const char *mark; /* XPath of what is in its domains' XML; needs no prefix to be registered */
    const char *text; /* "managed by OpenStack Nova" */
};

extern const struct ek_manager ek_managers[];
extern const size_t ek_manager_count;

#endif
