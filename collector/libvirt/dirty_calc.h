/* Measuring dirty rates over libvirt: asking for measurements, and for their results. */
#ifndef EK_COLLECTOR_DIRTY_CALC_H
#define EK_COLLECTOR_DIRTY_CALC_H

#include "collector/sampling/dirty_rate.h"

#include <libvirt/libvirt.h>

/* Takes in the results of what is under way among the domains of these records. One call, which
 * waits for no domain's job; none when nothing is under way. What it does not bring comes later. */
void ek_dirty_calc_collect(struct ek_dirty_rates *rates, virDomainStatsRecordPtr *records,
                           size_t count);

/* Asks for a measurement of that domain, by sampling pages, unless it runs under another id by now,
 * is in a job, or libvirt refuses; each counts as asked for. Returns at once unless a job begins at
 * this very moment: then libvirt makes it wait up to 30 s. */
void ek_dirty_calc_start(struct ek_dirty_rates *rates, virConnectPtr connection, const char *uuid,
                         int id);

#endif
