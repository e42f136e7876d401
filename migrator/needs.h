/* What a domain's network cards need on the destination. */
#ifndef EK_MIGRATOR_NEEDS_H
#define EK_MIGRATOR_NEEDS_H

#include "migrator/libvirt_port.h"
#include "migrator/xpath.h"

/* Networks that must be started there, and bridges that must exist. A bridge is looked for in ways
 * that find the source's own on the source; where none does, libvirt's error decides. Changes
 * nothing; `good` says what was found. */
struct ek_call_result ek_networks_find(const struct ek_end *source,
                                       const struct ek_end *destination,
                                       const struct ek_xpath *domain, struct ek_findings *findings,
                                       char *good, size_t size);

/* Network filters that are missing there, those that others refer to first. One of the same name
 * is kept as it is: the host's own rules may differ on purpose, and a filter is in use as a rule;
 * that its rules are others is noted. */
struct ek_call_result ek_filters_find(const struct ek_end *source, const struct ek_end *destination,
                                      const struct ek_xpath *domain, struct ek_findings *findings,
                                      ek_note note, void *note_context, char *good, size_t size);

#endif
