/* The embedded Redis: a private redis-server in the state directory, for sites that run none.
 *
 * It listens on a unix socket only (mode 0770), writes an append-only file with fsync at every
 * write, and dies with the daemon (PR_SET_PDEATHSIG, and SIGTERM when destroyed; its own pid only).
 * A lock file in the directory holds the daemon's pid and forbids a second one; the server holds
 * that lock, too, so that a successor waits until a server whose daemon was killed has written its
 * file.
 *
 * ek_embedded_start must be called from the main thread: Linux sends PR_SET_PDEATHSIG when the
 * THREAD ends that forked, so a server started by a worker thread would end with that worker. */
#ifndef EK_STORE_EMBEDDED_H
#define EK_STORE_EMBEDDED_H

#include "balancer/core/error.h"

struct ek_embedded;

/* Starts the server in `state_dir` (made with mode 0750 if absent; its parent must be there) and
 * waits until it answers PING and has loaded its data, at most `timeout_ms`. NULL on error:
 * NOT_FOUND (no redis-server on PATH), CONFLICT (another daemon uses the directory: names its pid),
 * INVALID (the socket's path would be longer than 107 bytes; others may write the directory), IO,
 * UNAVAILABLE (it ended) and TIMEOUT, both with the last line of its log, NOMEM. Destroy it with
 * ek_embedded_destroy. */
struct ek_embedded *ek_embedded_start(const char *state_dir, int timeout_ms, struct ek_error *err);

/* Whether there is a redis-server to be started. Error: NOT_FOUND. */
bool ek_embedded_find_server(struct ek_error *err);

/* The path of the unix socket in that directory, written into `path`; whether or not it runs.
 * Error: INVALID (longer than `size` or than a unix socket's path may be). */
bool ek_embedded_socket_path(const char *state_dir, char *path, int size, struct ek_error *err);

/* The server's process id, for status and for tests; it is ours, so it is not reused while we hold
 * it. */
long ek_embedded_pid(const struct ek_embedded *embedded);

/* Whether the child still runs; when not, says how it ended. */
bool ek_embedded_alive(struct ek_embedded *embedded, struct ek_error *err);

/* Ends the server (SIGTERM, waits until it has saved, at most 10 s, then SIGKILL) and frees. NULL
 * is fine. */
void ek_embedded_destroy(struct ek_embedded *embedded);

#endif
