/* From libvirt's errors to what a retry may help: by code first, by text only where one code means
 * several things. Whose connection broke the code does not tell (a migrate call relays errors of
 * the source's link to the destination with the same codes); that the caller asks of its own
 * connection. The texts are English only with LC_ALL=C in libvirtd; without, the coarser class
 * counts. */
#ifndef EK_MIGRATOR_FAILURE_H
#define EK_MIGRATOR_FAILURE_H

#include "migrator/hypervisor.h"

#include <libvirt/virterror.h>
#include <stdbool.h>

/* The class of an error of a migrate call, or of a call to either host, over a connection that
 * still lives. */
enum ek_failure ek_failure_of(int code, const char *message);

/* libvirt forgets its last error with the next call, also with one that frees. This keeps it for
 * the thread, if there is one, until it is taken. */
void ek_failure_keep(void);

/* The kept error, once; false: none. The message is the thread's, valid until the next is kept. */
bool ek_failure_take(virError *out);

/* A failed result that names host and step: "h1: precheck-domain: <text>". */
struct ek_call_result ek_fail(enum ek_failure failure, const char *host, const char *step,
                              const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The same with an error of libvirt (NULL: it did not say), classified; with `alive` false it is
 * LOST. */
struct ek_call_result ek_fail_libvirt(const char *host, const char *step, const virError *error,
                                      bool alive);

#endif
