/* The facts of a host's domains, kept between reads: asked for when a domain appears, when its id
 * changes, and seldom again. Owned by the thread that reads the host. */
#ifndef EK_COLLECTOR_DOMAIN_FACTS_H
#define EK_COLLECTOR_DOMAIN_FACTS_H

#include "balancer/core/error.h"
#include "collector/sampling/reading.h"
#include "collector/xml/domain_xml.h"

#include <libvirt/libvirt.h>

struct ek_domain_entry;

/* Zero-initialised: empty. */
struct ek_domain_cache {
    struct ek_domain_entry *entries; /* uthash by UUID */
    unsigned int created;            /* ever, to spread the re-reading */
};

/* Completes a domain's reading by its facts and by gauges that this read left out: memory and RSS
 * of the same id stand until newer ones come. `reads` counts the host's reads. *present becomes
 * false, without an error, for a domain that vanished. One that is in transit and was not seen
 * running here under its id is coming in and is marked `incoming`. When libvirt denies that, or
 * does not say and it stays so for long or was so at the first read, it was left behind: then it is
 * no longer incoming, but immovable. A domain whose XML
 * cannot be read stays, immovable with the reason, and is asked again at the next read. Strings go
 * to the arena. Errors: UNAVAILABLE when the connection broke, NOMEM. */
bool ek_domain_cache_complete(struct ek_domain_cache *cache, struct ek_domain_reading *domain,
                              virDomainPtr handle, const struct ek_host_facts *host, int64_t reads,
                              struct ek_arena *arena, bool *present, struct ek_error *err);

/* Lets the facts of all domains be read again at the next read. */
void ek_domain_cache_expire(struct ek_domain_cache *cache);

/* Forgets the domains that were not completed at this read. */
void ek_domain_cache_sweep(struct ek_domain_cache *cache, int64_t reads);

void ek_domain_cache_finish(struct ek_domain_cache *cache);

#endif
