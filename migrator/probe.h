/* Whether something listens there: asked before libvirt is, whose own connect blocks for two
 * minutes. */
#ifndef EK_MIGRATOR_PROBE_H
#define EK_MIGRATOR_PROBE_H

#include "migrator/uri.h"

/* Connects to the target's port and closes again, at most `timeout_ms` for all its addresses
 * together (looking up its name comes on top). A target that is not remote answers at once. Errors:
 * UNAVAILABLE, TIMEOUT. */
bool ek_probe(const struct ek_uri_target *target, int timeout_ms, struct ek_error *err);

#endif
