/* The marks of other managers: by the beginning of the namespace's name, since its end is a version
 * that will change. */
#include "collector/libvirt/managers.h"

#define MARK(namespace) "/domain/metadata/*[starts-with(namespace-uri(), '" namespace "')]"

/* Seen in their sources: nova/virt/libvirt/config.py, vdsm's xmlconstants.py, OpenNebula's
 * LibVirtDriverKVM.cc, KubeVirt's api/schema.go. oVirt has several (vm, vm/tune). */
const struct ek_manager ek_managers[] = {
    {MARK("http://openstack.org/xmlns/libvirt/nova/"), "managed by OpenStack Nova"},
    {MARK("http://ovirt.org/vm/"), "managed by oVirt"},
    {MARK("http://opennebula.org/xmlns/libvirt/"), "managed by OpenNebula"},
    {MARK("http://kubevirt.io"), "managed by KubeVirt"},
};

const size_t ek_manager_count = sizeof(ek_managers) / sizeof(ek_managers[0]);
