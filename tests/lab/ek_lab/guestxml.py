"""The domain XML of a lab guest; the same text is right on every host."""
from xml.sax.saxutils import quoteattr

from .base import NET_ADDRESS

# Paths as a host sees them; each host has its own directories there.
HEARTBEATS = "/var/lib/libvirt/heartbeat"
CONTROLS = "/var/lib/libvirt/control"
IMAGES = "/var/lib/libvirt/images"
BOOT = "/var/lib/libvirt/boot"

# Kernel messages go to the command line's serial port; the rest makes an emulated boot fast
# and an idle guest cheap. The load's words carry a prefix: `mem=` would be the kernel's own.
KERNEL_WORDS = ("console=ttyS1 quiet loglevel=3 panic=1 mitigations=off random.trust_cpu=on "
                "no_timer_check tsc=reliable nowatchdog audit=0 init_on_alloc=0 "
                "i8042.noaux i8042.nokbd")


def disk(kind, name, nbd_port):
    """The disk of a guest: none, an overlay in the host's pool, or one on the network."""
    if kind == "local":
        return (f"<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>"
                f"<source file='{IMAGES}/{name}.qcow2'/><target dev='vda' bus='virtio'/></disk>")
    if kind == "shared":
        return (f"<disk type='network' device='disk'>"
                f"<driver name='qemu' type='raw' cache='none'/>"
                f"<source protocol='nbd' name='{name}'>"
                f"<host name='{NET_ADDRESS}' port='{nbd_port}'/></source>"
                f"<target dev='vda' bus='virtio'/></disk>")
    return ""


def interface(network, nwfilter):
    """A network card on network `lab`, with a filter when asked for."""
    if not network and not nwfilter:
        return ""
    filtered = f"<filterref filter={quoteattr(nwfilter)}/>" if nwfilter else ""
    return (f"<interface type='network'><source network='lab'/><model type='virtio'/>"
            f"{filtered}</interface>")


def domain(guest):
    """The domain XML of a guest record (see guests.record_of)."""
    name = guest["name"]
    load = " ".join(f"ek.{k}={guest[k]}" for k in ("burn", "dirty", "footprint"))
    return f"""<domain type='qemu'>
  <name>{name}</name>
  <uuid>{guest['uuid']}</uuid>
  <memory unit='MiB'>{guest['memory_mib']}</memory>
  <vcpu>{guest['vcpus']}</vcpu>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>{BOOT}/vmlinuz</kernel>
    <initrd>{BOOT}/initramfs</initrd>
    <cmdline>{KERNEL_WORDS} {load}</cmdline>
  </os>
  <features><acpi/><apic/><tcg><tb-cache unit='MiB'>32</tb-cache></tcg></features>
  <cpu mode='custom' match='exact'><model>qemu64</model></cpu>
  <clock offset='utc'><timer name='hpet' present='no'/></clock>
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>restart</on_reboot>
  <on_crash>restart</on_crash>
  <devices>
    <emulator>{BOOT}/qemu</emulator>
    {disk(guest['disk'], name, guest.get('nbd_port'))}
    {interface(guest['network'], guest['nwfilter'])}
    <controller type='usb' model='none'/>
    <serial type='file'>
      <source path='{HEARTBEATS}/{name}.log' append='on'/><target port='0'/>
    </serial>
    <serial type='unix'>
      <source mode='bind' path='{CONTROLS}/{name}.sock'/><target port='1'/>
    </serial>
    <memballoon model='virtio'><stats period='2'/></memballoon>
  </devices>
</domain>
"""
