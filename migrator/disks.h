/* A domain's disks before a move: which of them both hosts reach, which have to be copied, and what
 * that needs on the destination. */
#ifndef EK_MIGRATOR_DISKS_H
#define EK_MIGRATOR_DISKS_H

#include "migrator/libvirt_port.h"
#include "migrator/xpath.h"

/* Adds bases and overlays to the findings and changes nothing.
 *
 * Network and block disks are taken for shared, and so are files in a pool that is a network file
 * system. Another file is local when the destination has a pool over the same directory and does
 * not see it there, and is in the way when it is seen there but the two pools are not the same
 * storage. Where the API cannot tell, libvirt's own check of the file system refuses an unsafe
 * migration at its very beginning.
 *
 * A local disk is copied when it is a raw or qcow2 file in a storage pool and its backing files
 * are, too. `domain` is the running domain's XML; `good` says what was found. */
struct ek_call_result ek_disks_find(struct ek_libvirt_port *port, const struct ek_end *source,
                                    const struct ek_end *destination,
                                    const struct ek_move_record *record,
                                    const struct ek_xpath *domain, struct ek_findings *findings,
                                    char *good, size_t size);

/* Whether the two pools over the file's directory are the same storage: a marker that is made in
 * one is looked for in the other. False in *told: it could not be found out. An answer holds for an
 * hour. */
bool ek_storage_is_same(struct ek_libvirt_port *port, const struct ek_end *source,
                        const struct ek_end *destination, const struct ek_move_record *record,
                        const char *path, bool *told);

/* The same, asked afresh, for what cannot be taken back; the reason why it could not be found out
 * is kept (ek_failure_take). */
bool ek_storage_is_same_now(struct ek_libvirt_port *port, const struct ek_end *source,
                            const struct ek_end *destination, const struct ek_move_record *record,
                            const char *path, bool *told);

/* Takes a marker away that a crash left in the midst of such a test. */
void ek_storage_forget_marker(const struct ek_end *source, const struct ek_move_record *record);

/* The overlay to make for a disk: format, backing file and rights of the source's file, and the
 * size that the guest sees. The domain's own XML says the format, never the file: what a guest
 * writes into a raw disk is no header. False: `result` says why. */
bool ek_disk_describe(const struct ek_end *source, const struct ek_xpath *domain, const char *disk,
                      const char *path, struct ek_volume *out, uint64_t *capacity, const char *step,
                      struct ek_call_result *result);

/* Appends a preparation; one that is there already is not added again. False: too many, or a name
 * that is too long, and `result` says which. */
bool ek_findings_add(struct ek_findings *findings, const struct ek_preparation *preparation,
                     const char *host, const char *step, struct ek_call_result *result);

/* In libvirt's errors of the destination: another host may do, unless this one was only busy. */
struct ek_call_result ek_fail_there(const struct ek_end *destination, const char *step);

#endif
