/* What the files of the libvirt port share. Not for others. */
#ifndef EK_MIGRATOR_LIBVIRT_PORT_H
#define EK_MIGRATOR_LIBVIRT_PORT_H

#include "collector/libvirt/handles.h"
#include "migrator/arrivals.h"
#include "migrator/connection.h"
#include "migrator/failure.h"
#include "migrator/libvirt.h"
#include "migrator/volume.h"

#include <stdatomic.h>

struct ek_libvirt_port {
    struct ek_hypervisor hypervisor;
    int connect_ms;
    int64_t fresh_ms;
    pthread_mutex_t mutex;      /* of the list */
    struct ek_host_link *hosts; /* newest first; never taken out before the end */
    atomic_bool samples;        /* dirty rates, when a migration begins */
    double memory_reserve;      /* 0..1 of a host's memory that arrivals leave free */
    struct ek_arrivals arrivals;
};

/* The host of that name: the listed one, else one that was listed once; NULL: never heard of. */
struct ek_host_link *ek_port_host(struct ek_libvirt_port *port, const char *name);

/* One end of a move while a call works on it: a borrowed connection, and the domain if it is there.
 */
struct ek_end {
    struct ek_host_link *link;
    virConnectPtr connection;
    virDomainPtr domain; /* NULL: not there */
};

/* Borrows a connection to the host and looks the domain up. On failure `result` says why,
 * classified for the source (LOST) or the destination (OTHER_HOST), and nothing is to be closed. A
 * domain that is absent is no failure. */
bool ek_end_open(struct ek_end *end, struct ek_libvirt_port *port, const char *host,
                 const struct ek_move_record *record, bool is_source, const char *step,
                 struct ek_call_result *result);
void ek_end_close(struct ek_end *end);

/* A failed result from libvirt's last error, by whether the end's connection still lives. */
struct ek_call_result ek_end_fail(const struct ek_end *end, const char *step);

/* ---- freshness ----------------------------------------------------------------------------- */

/* A call that hung may have been given up long ago, and its life decided otherwise since. So what
 * changes something is done only within `fresh_ms` of the call's beginning; the executor gives no
 * such call up earlier. */

/* Until when a call that begins now may change something; on the monotonic clock. */
int64_t ek_fresh_until(const struct ek_libvirt_port *port);
bool ek_is_fresh(int64_t until_ms);

/* ---- the mark: which attempt moves the domain ---------------------------------------------- */

struct ek_mark {
    char id[EK_ID_SIZE];
    bool autostart; /* as the source had it: a migration does not carry it along */
};

/* Reads the mark; false when there is none, or when it cannot be read. Takes no job in libvirt 9.0.
 */
bool ek_mark_read(virDomainPtr domain, struct ek_mark *out);

/* Writes the mark of this attempt: live, and in the configuration of a persistent domain. */
bool ek_mark_write(virDomainPtr domain, const struct ek_move_record *record, bool autostart);

/* Takes the mark away, if it is that move's; true when there is none left. */
bool ek_mark_remove(virDomainPtr domain, const char *id);

/* ---- the port's calls, by file -------------------------------------------------------------- */

struct ek_call_result ek_port_precheck(void *context, const struct ek_move_record *record,
                                       struct ek_findings *findings, ek_note note,
                                       void *note_context);
struct ek_call_result ek_port_prepare(void *context, const struct ek_move_record *record,
                                      bool *found, ek_note note, void *note_context);
struct ek_call_result ek_port_unprepare(void *context, const struct ek_move_record *record,
                                        ek_note note, void *note_context);
struct ek_call_result ek_port_discard(void *context, const struct ek_move_record *record,
                                      ek_note note, void *note_context);
struct ek_call_result ek_port_migrate(void *context, const struct ek_move_record *record);
struct ek_call_result ek_port_stop(void *context, const struct ek_move_record *record);
bool ek_port_progress(void *context, const struct ek_move_record *record,
                      struct ek_job_progress *out);
bool ek_port_abort(void *context, const struct ek_move_record *record, struct ek_error *err);
bool ek_port_tune(void *context, const struct ek_move_record *record,
                  const struct ek_tuning *tuning, struct ek_error *err);
void ek_port_observe(void *context, const struct ek_move_record *record,
                     struct ek_observation *source, struct ek_observation *destination);
void ek_port_search(void *context, const struct ek_move_record *record, struct ek_elsewhere *out);
struct ek_call_result ek_port_resume_source(void *context, const struct ek_move_record *record);
struct ek_call_result ek_port_resume_destination(void *context,
                                                 const struct ek_move_record *record);
struct ek_call_result ek_port_destroy_source(void *context, const struct ek_move_record *record);
struct ek_call_result ek_port_destroy_destination(void *context,
                                                  const struct ek_move_record *record);
struct ek_call_result ek_port_resume_postcopy(void *context, const struct ek_move_record *record);
struct ek_call_result ek_port_post(void *context, const struct ek_move_record *record, ek_note note,
                                   void *note_context);

/* Shared by several of them. */

/* The migrate call itself, or with `resume` the one that takes a post-copy up again; returns when
 * it is over. As libvirt returns, its error is libvirt's last. */
int ek_job_call(virDomainPtr domain, const struct ek_host_link *destination,
                const struct ek_move_record *record, bool resume);

/* Of a stop (stop.c): what the calls above do of a record that is one. */
struct ek_call_result ek_stop_precheck(struct ek_libvirt_port *port,
                                       const struct ek_move_record *record,
                                       struct ek_findings *findings, ek_note note,
                                       void *note_context);
bool ek_stop_abort(struct ek_libvirt_port *port, const struct ek_move_record *record,
                   struct ek_error *err);

/* Adds to what was read of the domain whether it is being saved, or is saved. */
void ek_stop_observe(virDomainPtr domain, struct ek_observation *out);

/* What kind of job runs on the domain; NOT_KNOWN when libvirt does not say. */
enum ek_job ek_domain_job(virDomainPtr domain);

#endif
