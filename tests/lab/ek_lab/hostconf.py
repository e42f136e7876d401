"""The files a host gets: libvirt's configuration, network, pool, names."""
import os
import shutil
import uuid
from pathlib import Path

from . import pki
from .base import LIBVIRT_PORT, NET_ADDRESS, LabError
from .net import GUEST_BRIDGE

MARK = "lab-host"  # in a host's private /run: everything is mounted
FILTERS = Path("/etc/libvirt/nwfilter")
FILTERS_SHIPPED = Path("/usr/share/libvirt/nwfilter")


def host_uuid(host):
    """A uuid of its own per host, the same at every raising of the lab."""
    return uuid.uuid5(uuid.NAMESPACE_DNS, f"{host.name}.{host.lab.name}.evenkeel-lab")


def libvirtd_conf(host):
    """TCP without authentication, for only this lab's network reaches it; TLS beside it in a lab
    with certificates."""
    tls = 1 if host.lab.pki.exists() else 0
    return (f'listen_tls = {tls}\nlisten_tcp = 1\nauth_tcp = "none"\n'
            f'listen_addr = "{host.address}"\ntcp_port = "{LIBVIRT_PORT}"\n'
            f'host_uuid = "{host_uuid(host)}"\n'
            'unix_sock_group = "root"\nauth_unix_rw = "none"\nauth_unix_ro = "none"\n'
            'max_clients = 200\nmax_anonymous_clients = 100\n'
            'log_filters = "3:util 3:qemu"\n'
            'log_outputs = "3:file:/var/log/libvirt/libvirtd.log"\n')


def qemu_conf(host):
    """Everything off that needs the machine's own services (cgroups, virtlogd, AppArmor)."""
    return ('user = "root"\ngroup = "root"\ndynamic_ownership = 0\nremember_owner = 0\n'
            'cgroup_controllers = []\nnamespaces = []\nsecurity_driver = "none"\n'
            'stdio_handler = "file"\n'
            f'migration_address = "{host.address}"\nmigration_host = "{host.address}"\n')


NETWORK = f"""<network>
  <name>lab</name>
  <forward mode='bridge'/>
  <bridge name='{GUEST_BRIDGE}'/>
</network>
"""

POOL = """<pool type='dir'>
  <name>default</name>
  <target><path>/var/lib/libvirt/images</path></target>
</pool>
"""


def etc_hosts(lab, hosts):
    """Names of all hosts, for the hosts and for programs run in the lab's network."""
    lines = ["127.0.0.1 localhost", f"{NET_ADDRESS} lab"]
    return "\n".join(lines + [f"{h.address} {h.name}" for h in hosts]) + "\n"


def write(path, text):
    """Write a file and the directories above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def autostarted(directory, name, text):
    """Define a libvirt object in its directory and mark it for autostart."""
    write(directory / name, text)
    mark = directory / "autostart" / name
    mark.parent.mkdir(exist_ok=True)
    # As libvirtd sees it: the directory is bound over /etc/libvirt in the host.
    inside = Path("/etc/libvirt", *directory.parts[directory.parts.index("etc-libvirt") + 1:])
    os.symlink(inside / name, mark)


def copy_filters(target):
    """Copy libvirt's stock network filters."""
    source = FILTERS if FILTERS.is_dir() else FILTERS_SHIPPED
    if not source.is_dir():
        raise LabError("stock network filters are missing: install package "
                       "libvirt-daemon-config-nwfilter")
    shutil.copytree(source, target)


def with_account(file, name, entry):
    """The text of an account file; libvirt's QEMU driver wants its account to exist even when
    it runs QEMU as root, and only Debian's full system package makes it."""
    text = Path(file).read_text(encoding="utf-8")
    known = any(line.startswith(f"{name}:") for line in text.splitlines())
    return text if known else text.rstrip("\n") + f"\n{entry}\n"


def capabilities(host):
    """Where a host's libvirtd keeps what it found out about QEMU (seconds of emulated work)."""
    return host.dir / "var-cache-libvirt" / "qemu" / "capabilities"


def seed_capabilities(host):
    """Give a new host what an earlier one found out; libvirtd checks whether it still holds."""
    if (host.lab.cache / "capabilities").is_dir():
        shutil.copytree(host.lab.cache / "capabilities", capabilities(host))


def keep_capabilities(host):
    """Keep what a host's libvirtd found out, for hosts to come."""
    kept, new = host.lab.cache / "capabilities", host.lab.dir / "capabilities"
    files = sorted(capabilities(host).glob("*.xml"))
    if files and {f.name for f in files} != {f.name for f in kept.glob("*.xml")}:
        shutil.copytree(capabilities(host), new, dirs_exist_ok=True)
        shutil.rmtree(kept, ignore_errors=True)
        shutil.move(new, kept)


def lay_out(host, hosts):
    """Make the directories that are bound over a host's own, and fill them."""
    for name in ("run/libvirt", "run/lock", "var-lib-libvirt", "var-log-libvirt",
                 "var-cache-libvirt"):
        (host.dir / name).mkdir(parents=True)
    (host.dir / "run" / MARK).touch()
    (host.dir / "etc-pki").mkdir()
    if host.lab.pki.exists():
        pki.equip(host)
    seed_capabilities(host)
    # Seen by guests as /var/lib/libvirt/{heartbeat,control,images,boot} on every host.
    for outside, inside in ((host.heartbeats, "heartbeat"), (host.controls, "control"),
                            (host.images, "images"), (None, "boot")):
        (host.dir / "var-lib-libvirt" / inside).mkdir()
        if outside:
            outside.mkdir()
    etc = host.dir / "etc-libvirt"
    write(etc / "libvirtd.conf", libvirtd_conf(host))
    write(etc / "qemu.conf", qemu_conf(host))
    autostarted(etc / "qemu" / "networks", "lab.xml", NETWORK)
    autostarted(etc / "storage", "default.xml", POOL)
    copy_filters(etc / "nwfilter")
    write(host.dir / "etc-passwd", with_account(
        "/etc/passwd", "libvirt-qemu", "libvirt-qemu:x:64055:64055::/nonexistent:/bin/false"))
    write(host.dir / "etc-group", with_account(
        "/etc/group", "libvirt-qemu", "libvirt-qemu:x:64055:"))
    write(host.dir / "etc-hosts", etc_hosts(host.lab, hosts))
