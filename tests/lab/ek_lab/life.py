"""Raising a whole lab and removing it without a trace."""
import os
import shutil
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import cache, cgroups, cpustat, hostconf, hosts, net, pki, procs
from .base import MAX_HOSTS, Host, LabError, need, program, progress, run, wait_until, write_json

PARALLEL = 4  # hosts raised at once


class Interrupted(Exception):
    """A signal asked us to stop; carries its number."""


def interrupt(number, _frame):
    """Signal handler: unwind, so that what was made is removed."""
    raise Interrupted(number)


def up(lab, count, cpus, memory_mib, tls=False):
    """Raise a lab of `count` hosts, with certificates where TLS is to be used; on failure or a signal nothing of it remains."""
    need("ip", "tc", "unshare", "nsenter", "tini", "lxcfs", "libvirtd", "virsh", "qemu-img",
         "qemu-nbd", "qemu-system-x86_64", "mount", "umount")
    if os.geteuid() != 0:
        raise LabError("must be root")
    if not 1 <= count <= MAX_HOSTS:
        raise LabError(f"a lab has 1 to {MAX_HOSTS} hosts")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    begun = time.monotonic()
    try:
        down(lab)
        raise_all(lab, count, cpus, memory_mib, tls)
    except BaseException:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        progress(f"removing lab '{lab.name}'")
        down(lab)
        raise
    progress(f"{count} hosts up in {time.monotonic() - begun:.1f} s")


def raise_all(lab, count, cpus, memory_mib, tls):
    """Everything `up` makes, in order."""
    lab.dir.mkdir(parents=True)
    cache.prepare(lab.cache)
    lab.guests.mkdir()
    if tls:
        need("certtool")
        pki.make_authority(lab)
        pki.equip_client(lab)
    members = [Host(lab, n) for n in range(1, count + 1)]
    (lab.dir / "etc-hosts").write_text(hostconf.etc_hosts(lab, members), encoding="ascii")
    net.create_lab(lab)
    start_lxcfs(lab)
    each(members, lambda h: hosts.create(h, members, cpus, memory_mib), "hosts made")
    each(members, hosts.start_libvirtd, "libvirtd started")
    each(members, hosts.wait_libvirtd, "libvirtd answering")
    write_json(lab.dir / "lab.json", {"name": lab.name, "hosts": count, "cpus": cpus,
                                      "memory_mib": memory_mib})
    cpustat.start(lab, program())


def each(members, work, what):
    """Do a piece of work for all hosts, a few at a time; the first error stops the rest."""
    with ThreadPoolExecutor(PARALLEL) as pool:
        tasks = [pool.submit(work, m) for m in members]
        try:
            for task in tasks:
                task.result()
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    progress(f"{what}: {len(members)}")


def start_lxcfs(lab):
    """Start an lxcfs of the lab's own, which shows each host its cgroup as its machine."""
    if not Path("/dev/fuse").exists():
        raise LabError("/dev/fuse is missing: lxcfs cannot work")
    lab.lxcfs.mkdir()
    argv = ["lxcfs", "--foreground", "--enable-cfs", f"--pidfile={lab.dir}/lxcfs.pid", lab.lxcfs]
    process = procs.spawn(lab, "lxcfs", argv)
    wait_until(lambda: (lab.lxcfs / "proc" / "stat").exists() or process.poll() is not None, 10,
               "lxcfs")
    if process.poll() is not None:
        log = (lab.dir / "log" / "lxcfs.log").read_text(errors="replace").strip().splitlines()
        raise LabError(f"lxcfs did not start: {log[-1] if log else 'no message'}")


def down(lab):
    """Remove every trace of a lab; also of one whose `up` was killed."""
    spared = procs.ancestors()
    recorded = procs.all_recorded(lab)
    inits = [p for label, p in recorded.items() if label.endswith("-init")]
    procs.end(inits, grace=0)  # the kernel ends everything inside with a host's PID 1
    rest = set(recorded.values()) - set(inits)
    for netns in net.namespaces(lab):
        rest |= set(procs.in_network(netns))
    lxcfs = recorded.get("lxcfs")
    procs.end(rest - spared - {lxcfs}, grace=1.0)
    cgroups.remove(lab)
    unmount_below(lab.dir)
    if lxcfs:
        procs.end([lxcfs])
    net.remove(lab)
    remove_files(lab)


def mounts_below(directory):
    """Mountpoints below a directory, innermost first."""
    found = []
    for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
        point = line.split()[1].replace("\\040", " ")
        if point.startswith(f"{directory}/"):
            found.append(point)
    return sorted(found, reverse=True)


def unmount_below(directory):
    """Unmount what is mounted below a directory, at once for the eye and later in fact."""
    for point in mounts_below(directory):
        run(["umount", "--lazy", point], check=False)


def remove_files(lab):
    """Remove the lab's directory; never through a mount."""
    if mounts_below(lab.dir):
        raise LabError(f"still mounted: {mounts_below(lab.dir)[0]}")
    if lab.dir.exists():
        shutil.rmtree(lab.dir)
    try:
        lab.dir.parent.rmdir()
    except OSError:
        pass  # another lab is there
