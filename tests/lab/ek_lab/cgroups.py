"""One cgroup per host, on cgroup v1 or v2: its limits are what lxcfs shows the host.

Flat names `evenkeel-lab.LAB.HOST` below each hierarchy's root: no level between needs care.
"""
import os
import re
import time
from pathlib import Path

from . import procs
from .base import LabError

ROOT = Path("/sys/fs/cgroup")
CONTROLLERS = ("cpu", "cpuacct", "cpuset", "memory")
PERIOD_US = 100000


def is_v2():
    """Whether the unified hierarchy carries the controllers."""
    return (ROOT / "cgroup.controllers").exists()


def hierarchies():
    """The directories in which a host's cgroup is made (several under v1, no doubles)."""
    if is_v2():
        return [ROOT]
    found = {os.path.realpath(ROOT / c): None for c in CONTROLLERS if (ROOT / c).is_dir()}
    if not found:
        raise LabError("no cgroup controllers are mounted below /sys/fs/cgroup")
    return [Path(p) for p in found]


def group_name(lab_name, host_name):
    """The name of a host's cgroup."""
    return f"evenkeel-lab.{lab_name}.{host_name}"


def paths(host):
    """Directories of one host's cgroup."""
    return [h / group_name(host.lab.name, host.name) for h in hierarchies()]


def cpu_list(number, cpus):
    """Which `cpus` of this machine's cores host `number` gets, as cpuset text."""
    cores = sorted(os.sched_getaffinity(0))
    cpus = min(cpus, len(cores))
    first = (number - 1) * cpus
    return ",".join(str(cores[(first + i) % len(cores)]) for i in range(cpus))


def limits(host, cpus, memory_mib):
    """File name to value, for the hierarchy in use; `cpus` also as a time quota."""
    cores = cpu_list(host.number, cpus)
    quota, size = cpus * PERIOD_US, memory_mib << 20
    if is_v2():
        return {"cpuset.cpus": cores, "cpu.max": f"{quota} {PERIOD_US}", "memory.max": size}
    mems = (ROOT / "cpuset" / "cpuset.mems").read_text(encoding="ascii").strip()
    return {"cpuset.cpus": cores, "cpuset.mems": mems, "cpu.cfs_period_us": PERIOD_US,
            "cpu.cfs_quota_us": quota, "memory.limit_in_bytes": size}


def create(host, cpus, memory_mib):
    """Make the host's cgroup and set its limits."""
    try:
        if is_v2():
            (ROOT / "cgroup.subtree_control").write_text("+cpu +cpuset +memory")
        values = limits(host, cpus, memory_mib)
        for path in paths(host):
            path.mkdir(exist_ok=True)
            for file, value in values.items():
                if (path / file).exists():
                    (path / file).write_text(str(value))
    except OSError as error:
        raise LabError(f"cannot make the cgroup of {host.name}: {error}") from None


def joining(host, *argv):
    """The command line that runs argv as a member of the host's cgroup."""
    files = [str(p / "cgroup.procs") for p in paths(host)]
    script = 'n=$1; shift; while [ $n -gt 0 ]; do echo $$ >"$1" || exit 125; ' \
             'shift; n=$((n-1)); done; exec "$@"'
    return ["sh", "-c", script, "lab-join", str(len(files)), *files, *argv]


def members(host):
    """Pids inside the host's cgroup (the accounting hierarchy suffices)."""
    return read_members(paths(host)[0])


def read_members(path):
    """Pids of one cgroup directory; none when it is gone."""
    try:
        return [int(p) for p in (path / "cgroup.procs").read_text(encoding="ascii").split()]
    except OSError:
        return []


def leftovers(lab):
    """Cgroup directories of this lab, whatever their hosts."""
    pattern = re.compile(re.escape(group_name(lab.name, "")) + r"h\d+")
    return [h / e for h in hierarchies() for e in os.listdir(h) if pattern.fullmatch(e)]


def remove(lab):
    """End what still lives in the lab's cgroups and remove them."""
    groups = leftovers(lab)
    procs.end({p for g in groups for p in read_members(g)} - procs.ancestors(), grace=0)
    for group in groups:
        remove_group(group)


def remove_group(group):
    """Remove one empty cgroup; the kernel may need a moment after its last process."""
    limit = time.monotonic() + 5
    while True:
        try:
            group.rmdir()
            return
        except FileNotFoundError:
            return
        except OSError as error:
            if time.monotonic() > limit:
                raise LabError(f"cannot remove cgroup {group}: {error}") from None
            time.sleep(0.02)
