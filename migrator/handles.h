/* libvirt's handles that free themselves at the end of their scope.
 *
 * Beware: freeing one resets the thread's last libvirt error; take the error first. */
#ifndef EK_MIGRATOR_HANDLES_H
#define EK_MIGRATOR_HANDLES_H

#include <libvirt/libvirt.h>
#include <stdlib.h>

#define EK_HANDLE(name, type, release)                 \
    static inline void ek_release_##name(type *handle) \
    {                                                  \
        if (*handle != NULL) {                         \
            release(*handle);                          \
        }                                              \
    }

EK_HANDLE(domain, virDomainPtr, virDomainFree)
EK_HANDLE(network, virNetworkPtr, virNetworkFree)
EK_HANDLE(filter, virNWFilterPtr, virNWFilterFree)
EK_HANDLE(pool, virStoragePoolPtr, virStoragePoolFree)
EK_HANDLE(volume, virStorageVolPtr, virStorageVolFree)
EK_HANDLE(text, char *, free)

#define EK_AUTO(name) __attribute__((cleanup(ek_release_##name)))

#endif
