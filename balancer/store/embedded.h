/* The embedded Redis: a private redis-server in the state directory, for sites that run none.
 *
 * It listens on a unix socket only (mode 0770), writes an append-only file with fsync at every write,
 * and dies with the daemon (PR_SET_PDEATHSIG, and SIGTERM when destroyed; its own pid only). A lock file in the
 * directory forbids a second one. */
#ifndef EK_STORE_EMBEDDED_H
#define EK_STORE_EMBEDDED_H

#include "balancer/core/error.h"

struct ek_embedded;

/* Starts the server in `state_dir` (made with mode 0750 if absent) and waits until it answers PING and has
 * loaded its data, at most `timeout_ms`. Errors: NOT_FOUND (no redis-server on PATH), CONFLICT (another daemon
 * uses the directory: names its pid), IO, TIMEOUT (with the last line of its log). NULL on error. */
struct ek_embedded *ek_embedded_start(const char *state_dir, int timeout_ms, struct ek_error *err);

/* The path of the unix socket in that directory, written into `path`; whether or not it runs. */
bool ek_embedded_socket_path(const char *state_dir, char *path, int size, struct ek_error *err);

/* Whether the child still runs; when not, says how it ended. */
bool ek_embedded_alive(struct ek_embedded *embedded, struct ek_error *err);

/* Ends the server (SIGTERM, waits until it has saved, at most 10 s, then SIGKILL) and frees. NULL is fine. */
void ek_embedded_destroy(struct ek_embedded *embedded);

#endif
