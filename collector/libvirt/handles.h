/* Scoped cleanup for libvirt's handles: declare with the macro, initialise at once, return freely.
 *
 *     EK_SCOPED_DOMAIN virDomainPtr domain = virDomainLookupByUUIDString(connection, uuid);
 *
 * Every libvirt call, freeing included, clears the thread's last error: copy it (ek_libvirt_error)
 * before the scope ends. A NULL handle is passed over. */
#ifndef EK_COLLECTOR_HANDLES_H
#define EK_COLLECTOR_HANDLES_H

#include <libvirt/libvirt.h>
#include <stdlib.h>

#define EK_SCOPED(release) __attribute__((cleanup(release)))

#define EK_SCOPED_CONNECT EK_SCOPED(ek_connect_release)       /* virConnectPtr */
#define EK_SCOPED_DOMAIN EK_SCOPED(ek_domain_release)         /* virDomainPtr */
#define EK_SCOPED_DOMAINS EK_SCOPED(ek_domains_release)       /* virDomainPtr *, NULL-terminated */
#define EK_SCOPED_RECORDS EK_SCOPED(ek_records_release)       /* virDomainStatsRecordPtr * */
#define EK_SCOPED_NETWORK EK_SCOPED(ek_network_release)       /* virNetworkPtr */
#define EK_SCOPED_FILTER EK_SCOPED(ek_filter_release)         /* virNWFilterPtr */
#define EK_SCOPED_POOL EK_SCOPED(ek_pool_release)             /* virStoragePoolPtr */
#define EK_SCOPED_VOLUME EK_SCOPED(ek_volume_release)         /* virStorageVolPtr */
#define EK_SCOPED_NETWORKS EK_SCOPED(ek_networks_release)     /* virNetworkPtr *, NULL-terminated */
#define EK_SCOPED_INTERFACES EK_SCOPED(ek_interfaces_release) /* virInterfacePtr *, likewise */
#define EK_SCOPED_POOLS EK_SCOPED(ek_pools_release)           /* virStoragePoolPtr *, likewise */
#define EK_SCOPED_STRING EK_SCOPED(ek_string_release)         /* char * from libvirt or malloc */
#define EK_SCOPED_PARAMS EK_SCOPED(ek_params_release)         /* struct ek_params */

/* Typed parameters with their count, as calls such as virDomainGetJobStats hand them out. */
struct ek_params {
    virTypedParameterPtr items;
    int count;
};

static inline void ek_connect_release(virConnectPtr *connection)
{
    if (*connection != NULL) {
        (void)virConnectClose(*connection);
    }
}

static inline void ek_domain_release(virDomainPtr *domain)
{
    if (*domain != NULL) {
        (void)virDomainFree(*domain);
    }
}

static inline void ek_domains_release(virDomainPtr **list)
{
    for (size_t i = 0; *list != NULL && (*list)[i] != NULL; i++) {
        (void)virDomainFree((*list)[i]);
    }
    free(*list);
}

static inline void ek_records_release(virDomainStatsRecordPtr **records)
{
    if (*records != NULL) {
        virDomainStatsRecordListFree(*records);
    }
}

static inline void ek_network_release(virNetworkPtr *network)
{
    if (*network != NULL) {
        (void)virNetworkFree(*network);
    }
}

static inline void ek_filter_release(virNWFilterPtr *filter)
{
    if (*filter != NULL) {
        (void)virNWFilterFree(*filter);
    }
}

static inline void ek_pool_release(virStoragePoolPtr *pool)
{
    if (*pool != NULL) {
        (void)virStoragePoolFree(*pool);
    }
}

static inline void ek_volume_release(virStorageVolPtr *volume)
{
    if (*volume != NULL) {
        (void)virStorageVolFree(*volume);
    }
}

static inline void ek_networks_release(virNetworkPtr **list)
{
    for (size_t i = 0; *list != NULL && (*list)[i] != NULL; i++) {
        (void)virNetworkFree((*list)[i]);
    }
    free(*list);
}

static inline void ek_interfaces_release(virInterfacePtr **list)
{
    for (size_t i = 0; *list != NULL && (*list)[i] != NULL; i++) {
        (void)virInterfaceFree((*list)[i]);
    }
    free(*list);
}

static inline void ek_pools_release(virStoragePoolPtr **list)
{
    for (size_t i = 0; *list != NULL && (*list)[i] != NULL; i++) {
        (void)virStoragePoolFree((*list)[i]);
    }
    free(*list);
}

static inline void ek_string_release(char **text)
{
    free(*text);
}

static inline void ek_params_release(struct ek_params *params)
{
    if (params->items != NULL) {
        virTypedParamsFree(params->items, params->count);
    }
}

#endif
