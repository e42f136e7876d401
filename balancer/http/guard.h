/* Who may ask for what: pure functions over the texts of headers. */
#ifndef EK_HTTP_GUARD_H
#define EK_HTTP_GUARD_H

#include "balancer/core/snapshot.h"

#include <stdbool.h>

/* Whether a Host header names us: an address, localhost, or one of the names. A page that has its
 * own name lead to our address (DNS rebinding) sends that name and is turned away. */
bool ek_guard_host(const char *host, struct ek_strings names);

/* Whether an Origin header is that of a page of ours: "http://HOST". */
bool ek_guard_origin(const char *origin, const char *host);

/* Whether an Authorization header bears the token, in a time that does not tell how much of it was
 * right. NULL is no header. */
bool ek_guard_token(const char *authorization, const char *token);

/* Whether a Content-Type header says JSON. A form of another page cannot send that. */
bool ek_guard_type(const char *type);

#endif
