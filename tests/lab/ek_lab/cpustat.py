"""A host's own /proc/stat under cgroup v2, where lxcfs shows the whole machine's.

One process per lab rewrites a file per host, in place and with one write of a fixed length, from
the time its cgroup has used; the file is bound over the host's /proc/stat. Under cgroup v1 lxcfs
does better (figures per core), so this is used there only when EK_LAB_STAT=own asks for it.
"""
import os
import time

from . import cgroups, procs

PERIOD_SECONDS = 0.25
LABEL = "cpustat"
TICKS = os.sysconf("SC_CLK_TCK")


def wanted():
    """Whether hosts need this instead of lxcfs's file."""
    return cgroups.is_v2() or os.environ.get("EK_LAB_STAT") == "own"


def file_of(host):
    """The file bound over a host's /proc/stat."""
    return host.dir / "proc-stat"


def used_ticks(host):
    """User and system time of a host's cgroup, in clock ticks."""
    if cgroups.is_v2():
        fields = dict(x.split() for x in (cgroups.paths(host)[0] / "cpu.stat").open())
        return tuple(int(fields[k]) * TICKS // 1000000 for k in ("user_usec", "system_usec"))
    group = cgroups.ROOT / "cpuacct" / cgroups.group_name(host.lab.name, host.name)
    fields = dict(x.split() for x in (group / "cpuacct.stat").open())
    return int(fields["user"]), int(fields["system"])


def line(label, user, system, idle):
    """One line of /proc/stat; fixed widths keep the file's length."""
    return f"{label} {user:012d} 0 {system:012d} {idle:012d} 0 0 0 0 0 0\n"


def text(user, system, cpus, elapsed):
    """The whole file: what is not used of `cpus` cores in `elapsed` ticks was idle."""
    idle = max(0, elapsed * cpus - user - system)
    lines = [line("cpu ", user, system, idle)]
    lines += [line(f"cpu{i}", user // cpus, system // cpus, idle // cpus) for i in range(cpus)]
    return "".join(lines) + "intr 0\nctxt 0\nbtime 0\nprocesses 0\nprocs_running 1\n" \
        "procs_blocked 0\nsoftirq 0\n"


def prepare(host, cpus):
    """Make the file before the host binds it."""
    if wanted():
        file_of(host).write_text(text(0, 0, cpus, 0), encoding="ascii")


def start(lab, program):
    """Start the process when it is needed."""
    if wanted():
        procs.spawn(lab, LABEL, [*program, "--name", lab.name, "cpustat"])


def keep(lab):
    """Rewrite every host's file until the lab is gone."""
    hosts = lab.hosts()
    cpus = min(lab.config()["cpus"], len(os.sched_getaffinity(0)))
    files = {h: os.open(file_of(h), os.O_WRONLY) for h in hosts}
    begun = time.monotonic()
    while lab.dir.exists():
        elapsed = int((time.monotonic() - begun) * TICKS)
        for host, file in files.items():
            os.pwrite(file, text(*used_ticks(host), cpus, elapsed).encode("ascii"), 0)
        time.sleep(PERIOD_SECONDS)
