#!/bin/sh
# Runs once inside a new host's namespaces, below its PID 1, and then stays as a sleeper.
# Arguments: the host's directory, its name, the lxcfs mountpoint, the cache.
# Mountpoints that Debian's packages did not make are made, and stay on the machine, empty.
# /run comes last: the lab's own directories are usually below it.
set -e
dir=$1 name=$2 lxcfs=$3 cache=$4
mount --make-rprivate /
hostname "$name"
for file in stat meminfo cpuinfo uptime; do
    source=$lxcfs/proc/$file
    [ ! -e "$dir/proc-$file" ] || source=$dir/proc-$file
    mount --bind "$source" "/proc/$file"
done
mkdir -p /etc/pki /etc/libvirt /var/lib/libvirt /var/log/libvirt /var/cache/libvirt
for file in hosts passwd group; do
    mount --bind "$dir/etc-$file" "/etc/$file"
done
mount --bind "$dir/etc-pki" /etc/pki
mount --bind "$dir/etc-libvirt" /etc/libvirt
mount --bind "$dir/var-lib-libvirt" /var/lib/libvirt
mount --bind "$dir/var-log-libvirt" /var/log/libvirt
mount --bind "$dir/var-cache-libvirt" /var/cache/libvirt
mount --bind "$dir/heartbeat" /var/lib/libvirt/heartbeat
mount --bind "$dir/control" /var/lib/libvirt/control
mount --bind "$dir/images" /var/lib/libvirt/images
mount --bind "$cache" /var/lib/libvirt/boot
# Present does not mean usable: all guests are emulated. Only a read-only file also fails
# access(2) for root; else libvirtd asks QEMU anew, for seconds, at every definition.
if [ -e /dev/kvm ]; then
    : >"$dir/no-kvm"
    mount --bind "$dir/no-kvm" /dev/kvm
    mount -o remount,bind,ro /dev/kvm
fi
mount --bind "$dir/run" /run
exec sleep infinity
