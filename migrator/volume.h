/* Volumes of storage pools: finding them, describing them, making them, comparing and copying what
 * is in them. All calls may take long; what they find is what libvirt says at that moment. */
#ifndef EK_MIGRATOR_VOLUME_H
#define EK_MIGRATOR_VOLUME_H

#include "balancer/core/move.h"

#include <libvirt/libvirt.h>
#include <nettle/sha2.h>
#include <stdbool.h>
#include <stdint.h>

enum { EK_FORMAT_SIZE = 32, EK_VOLUME_TEXT_SIZE = 64 };

struct ek_volume {
    char format[EK_FORMAT_SIZE];
    char backing[EK_PREPARATION_SIZE]; /* path of the file it rests on; "": none */
    char backing_format[EK_FORMAT_SIZE];
    uint64_t capacity;  /* bytes that a guest sees; of raw and unknown files the length */
    uint64_t physical;  /* length of the file, bytes */
    uint64_t allocated; /* bytes of it that are not holes */
    bool encrypted;
    char changed[EK_VOLUME_TEXT_SIZE]; /* time of its last change, as the host says it */
    char owner[EK_VOLUME_TEXT_SIZE], group[EK_VOLUME_TEXT_SIZE], mode[EK_VOLUME_TEXT_SIZE];
};

enum ek_sought { EK_SOUGHT_FOUND, EK_SOUGHT_ABSENT, EK_SOUGHT_ERROR };

/* The pool over the file's directory, for the caller to free; NULL: none, or libvirt's error. */
virStoragePoolPtr ek_pool_around(virConnectPtr connection, const char *path);

/* Whether it is a pool on the network by its type: every host that has it sees the same files. */
bool ek_pool_is_network(virStoragePoolPtr pool);

/* Lets the pool around the file look at its files anew. False: libvirt's last error. */
bool ek_pool_refresh_around(virConnectPtr connection, const char *path);

/* The volume of a file, for the caller to free. ABSENT is said only after its pool was refreshed.
 * ERROR: libvirt's last error says why. */
enum ek_sought ek_volume_find(virConnectPtr connection, const char *path, virStorageVolPtr *out);

/* False: libvirt's last error, or XML that cannot be read; a path that is too long counts so, too.
 */
bool ek_volume_read(virStorageVolPtr volume, struct ek_volume *out);

/* Makes an empty file in its directory's pool, never over one that is there. `like` gives format,
 * backing file and rights. False: libvirt's last error. */
bool ek_volume_make(virConnectPtr connection, const char *path, const struct ek_volume *like,
                    uint64_t capacity);

/* Whether a path can stand in XML as it is and is absolute. */
bool ek_volume_path_is_plain(const char *path);

/* The digest of a file's content; holes count as the zeros that they read as. `goes_on` is asked
 * now and then. False: libvirt's last error, or it does not go on. */
bool ek_volume_digest(virStorageVolPtr volume, bool (*goes_on)(void *context), void *context,
                      unsigned char digest[SHA256_DIGEST_SIZE]);

/* Copies a file's bytes into another of the same length that is empty, holes as holes; the digest
 * is the source's. False as above. */
bool ek_volume_copy(virStorageVolPtr from, virStorageVolPtr to, uint64_t length,
                    bool (*goes_on)(void *context), void *context,
                    unsigned char digest[SHA256_DIGEST_SIZE]);

/* Who uses a file on that host: a domain, active or not, or a volume that rests on it; its name in
 * `who`. Where it cannot be told it counts as used. */
bool ek_volume_is_used(virConnectPtr connection, const char *path, char *who, size_t size);

#endif
