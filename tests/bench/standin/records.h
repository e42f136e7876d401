/* What libvirt 9.0 answers of a domain of QEMU 7.2 under KVM: its bulk statistics. */
#ifndef EK_STANDIN_RECORDS_H
#define EK_STANDIN_RECORDS_H

#include "tests/bench/standin/machines.h"
#include "tests/bench/standin/wire.h"

#include <time.h>

/* Appends the record of a domain with these groups (VIR_DOMAIN_STATS_*), as of a time in Unix
 * seconds. */
void record_append(struct wire *out, const struct machine *machine, unsigned int groups,
                   time_t now_s);

/* Domain as a reference: name, UUID, id. */
void domain_append(struct wire *out, const struct machine *machine);

#endif
