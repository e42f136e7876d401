/* A domain's facts from its live XML. Pure: no connection is needed. */
#ifndef EK_COLLECTOR_DOMAIN_XML_H
#define EK_COLLECTOR_DOMAIN_XML_H

#include "balancer/core/arena.h"
#include "balancer/core/error.h"
#include "collector/sampling/reading.h"
#include "collector/xml/host_xml.h"

struct ek_domain_xml {
    double memory_mib;
    struct ek_domain_facts facts;  /* local_disk_mib is 0: the XML does not say sizes */
    struct ek_strings local_disks; /* paths of writable files that only this host has */
};

/* Reads a live domain's XML against what its present host is known for. Networks and storages are
 * those that the present host itself offers: what cannot be seen to be offered here cannot be asked
 * of another host. A disk belongs to the pool that its source names or whose target directory or
 * Ceph pool it lies in. A domain that another manager owns (managers.h), or with host devices,
 * shared directories or local disks that cannot be copied, is immovable, with the reason. cpu_model
 * is given only to a guest that is given the host's own CPU (host-passthrough, maximum) by
 * hardware; named models are for the precheck, which asks libvirt. Strings live in the arena; those
 * of the host need not outlive the call. Errors: INVALID, NOMEM. */
bool ek_domain_xml_parse(struct ek_domain_xml *out, const char *xml,
                         const struct ek_host_facts *host, struct ek_arena *arena,
                         struct ek_error *err);

#endif
