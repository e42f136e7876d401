"""One host: namespaces under a reaping PID 1, and the libvirtd inside them."""
import os
import signal
import time
from pathlib import Path

from . import cgroups, cpustat, hostconf, net, procs
from .base import LabError, progress, run, virsh, wait_until

INIT = Path(__file__).resolve().parent / "host-init.sh"
DAEMON_PIDFILE = "libvirtd.pid"
CLOCK = "clock"  # in a host's /run: how far its libvirtd's clock is off


def create(host, hosts, cpus, memory_mib):
    """Make a host without its libvirtd: files, network, cgroup, namespaces."""
    hostconf.lay_out(host, hosts)
    net.create_host(host)
    cgroups.create(host, cpus, memory_mib)
    cpustat.prepare(host, min(cpus, len(os.sched_getaffinity(0))))
    argv = ["ip", "netns", "exec", host.netns,
            "unshare", "--mount", "--uts", "--pid", "--fork", "--mount-proc", "--kill-child",
            "tini", "--", str(INIT), str(host.dir), host.name, str(host.lab.lxcfs),
            str(host.lab.cache)]
    outer = procs.spawn(host.lab, f"{host.name}-outer", cgroups.joining(host, *argv))
    init = wait_until(lambda: ready(host, outer), 20, f"namespaces of {host.name}")
    procs.record(host.lab, f"{host.name}-init", init)


def ready(host, outer):
    """The pid of the host's PID 1 once all is mounted; an error when it has died."""
    if outer.poll() is not None:
        log = (host.lab.dir / "log" / f"{host.name}-outer.log").read_text(errors="replace")
        raise LabError(f"{host.name} did not come up: {(log.strip().splitlines() or ['?'])[0]}")
    for pid in procs.children(outer.pid):
        if Path(f"/proc/{pid}/root/run/{hostconf.MARK}").exists():
            return pid
    return None


def init_pid(host):
    """The host's PID 1 as this machine sees it."""
    pid = procs.recorded(host.lab, f"{host.name}-init")
    if pid is None:
        raise LabError(f"host {host.name} is not running")
    return pid


def inside(host, *argv):
    """The command line that runs argv inside the host's namespaces and cgroup."""
    enter = ["nsenter", "--target", str(init_pid(host)), "--mount", "--uts", "--net", "--pid"]
    return cgroups.joining(host, *enter, *argv)


def clock_words(host):
    """What gives a program the host's own clock; nothing where there is none. The monotonic one is
    the machine's: no step of a clock touches it."""
    if not (host.dir / "run" / CLOCK).exists():
        return []
    libraries = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not libraries:
        raise LabError("faketime is missing: install package faketime")
    return ["env", f"LD_PRELOAD={libraries[0]}", f"FAKETIME_TIMESTAMP_FILE=/run/{CLOCK}",
            "FAKETIME_NO_CACHE=1", "DONT_FAKE_MONOTONIC=1"]


def set_clock(host, offset):
    """Step the clock that the host's libvirtd sees, and only it; `offset` as faketime takes it."""
    path = host.dir / "run" / CLOCK
    if not path.exists():
        path.write_text("+0\n", encoding="ascii")
        stop_libvirtd(host)
        start_libvirtd(host)
        wait_libvirtd(host)
    path.write_text(f"{offset}\n", encoding="ascii")


def start_libvirtd(host):
    """Start the host's libvirtd; it leaves its parent and is reaped by the host's PID 1."""
    run(inside(host, *clock_words(host), "libvirtd", "--daemon", "--listen", "--pid-file",
               f"/run/{DAEMON_PIDFILE}"))


def libvirtd_pid(host):
    """The pid of the host's libvirtd as this machine sees it, None when there is none."""
    try:
        inner = int((host.dir / "run" / DAEMON_PIDFILE).read_text(encoding="ascii"))
    except (FileNotFoundError, ValueError):
        return None
    for pid in cgroups.members(host):
        if procs.inner_pid(pid) == inner and procs.start_time(pid) is not None \
                and os.path.basename((procs.arguments(pid) or [""])[0]) == "libvirtd":
            return pid
    return None


def lacks(host):
    """Why the host's libvirtd is of no use yet; None when it answers, with its pool and network.

    One of those that did not start by itself is started: libvirtd tries only once."""
    done = virsh(host, "pool-list --name", "net-list --name", check=False, timeout=10)
    if done.returncode != 0:
        return done.stderr.strip() or "no answer"
    for kind, name in (("pool", "default"), ("net", "lab")):
        if name not in done.stdout.split():
            again = virsh(host, f"{kind}-start {name}", check=False, timeout=10)
            return f"{kind} {name} is not active: {again.stderr.strip() or 'started again'}"
    return None


def fallen(host):
    """What a libvirtd that is of no use shows: whether it is there, and its log's last words."""
    pid = libvirtd_pid(host)
    there = "it is gone" if pid is None else f"pid {pid}, state {(procs.stat_fields(pid) or '?')[0]}"
    log = host.dir / "var-log-libvirt" / "libvirtd.log"
    words = log.read_text(errors="replace").splitlines()[-12:] if log.exists() else []
    return "\n".join([f"libvirtd of {host.name}: {there}; the end of its log:", *words])


def wait_libvirtd(host, seconds=30):
    """Wait until the host's libvirtd is of use. One that ends while it starts is started once more,
    and said to be: that was seen twice on a busy machine, without its reason."""
    end = time.monotonic() + seconds
    again = False
    while (reason := lacks(host)) is not None:
        if time.monotonic() > end:
            raise LabError(f"libvirtd of {host.name}: not within {seconds} s: {reason}\n{fallen(host)}")
        if not again and libvirtd_pid(host) is None:
            progress(f"{fallen(host)}\nit is started again")
            start_libvirtd(host)
            again = True
        time.sleep(0.1)


def stop_libvirtd(host):
    """End the host's libvirtd in order, by force after 5 s; guests run on."""
    pid = libvirtd_pid(host)
    if pid is not None and not procs.end([pid], grace=5.0):
        raise LabError(f"libvirtd of {host.name} does not end")


def signal_libvirtd(host, number):
    """Send a signal to the host's libvirtd."""
    pid = libvirtd_pid(host)
    if pid is None or not procs.send(pid, number):
        raise LabError(f"libvirtd of {host.name} is not running")
    if number == signal.SIGKILL:
        wait_until(lambda: procs.start_time(pid) is None, 5, f"end of libvirtd of {host.name}")


def state(host):
    """What `status` says about a host."""
    pid = libvirtd_pid(host)
    stopped = pid is not None and (procs.stat_fields(pid) or "?")[0] == "T"
    return {"name": host.name, "address": host.address, "uri": host.uri, "libvirtd_pid": pid,
            "up": pid is not None and not stopped,
            "state": "down" if pid is None else "stopped" if stopped else "up",
            "heartbeat_dir": str(host.heartbeats)}
