"""Processes of the lab: recorded at spawn, found again and ended without touching others."""
import os
import re
import signal
import subprocess
import time
from pathlib import Path

from .base import read_json, write_json


def start_time(pid):
    """Start time of a living process in clock ticks since boot, None when it is gone."""
    fields = stat_fields(pid)
    return int(fields[19]) if fields and fields[0] not in "ZX" else None


def stat_fields(pid):
    """The fields of /proc/PID/stat after the name (state first), None when it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text.rpartition(")")[2].split()


def arguments(pid):
    """The command line of a process; empty for a zombie or when it is gone."""
    try:
        data = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [a.decode(errors="replace") for a in data.split(b"\0")[:-1]]


def inner_pid(pid):
    """The process's own pid inside its innermost pid namespace."""
    try:
        text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    found = re.search(r"^NSpid:.*?(\d+)$", text, re.M)
    return int(found.group(1)) if found else None


def all_pids():
    """Every process the caller can see."""
    return [int(p) for p in os.listdir("/proc") if p.isdigit()]


def children(parent):
    """Direct children of a process."""
    return [p for p in all_pids() if (stat_fields(p) or "??")[1] == str(parent)]


def record(lab, label, pid):
    """Remember a process of the lab; its start time tells it from a later one of that pid."""
    (lab.dir / "pids").mkdir(parents=True, exist_ok=True)
    write_json(lab.dir / "pids" / f"{label}.json", {"pid": pid, "start": start_time(pid)})


def recorded(lab, label):
    """The pid recorded under a label, None when that process is gone."""
    entry = read_json(lab.dir / "pids" / f"{label}.json")
    if entry and entry["start"] is not None and start_time(entry["pid"]) == entry["start"]:
        return entry["pid"]
    return None


def all_recorded(lab):
    """Living recorded processes, by label."""
    labels = [p.stem for p in (lab.dir / "pids").glob("*.json")]
    return {label: pid for label in sorted(labels) if (pid := recorded(lab, label))}


def spawn(lab, label, argv, log=None):
    """Start a process that outlives us, record it, return its Popen; output goes to a log."""
    (lab.dir / "log").mkdir(parents=True, exist_ok=True)
    with open(log or lab.dir / "log" / f"{label}.log", "ab") as output:
        process = subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL,
                                   stdout=output, stderr=output, start_new_session=True)
    record(lab, label, process.pid)
    return process


def send(pid, number):
    """Send a signal; False when the process is gone already."""
    try:
        os.kill(pid, number)
        return True
    except ProcessLookupError:
        return False


def end(pids, grace=2.0):
    """End processes: TERM, `grace` seconds, KILL, until every one is gone (5 s at most)."""
    alive = {p: t for p in pids if (t := start_time(p)) is not None}
    for number, seconds in ((signal.SIGTERM, grace), (signal.SIGKILL, 5.0)):
        for pid in alive:
            send(pid, number)
            send(pid, signal.SIGCONT)
        limit = time.monotonic() + seconds
        while alive and time.monotonic() < limit:
            alive = {p: t for p, t in alive.items() if start_time(p) == t}
            if alive:
                time.sleep(0.01)
    return not alive


def ancestors():
    """This process and those above it: never to be ended by their own child."""
    chain, pid = set(), os.getpid()
    while pid > 0 and pid not in chain:
        chain.add(pid)
        pid = int((stat_fields(pid) or [0, 0])[1])
    return chain


def in_network(netns):
    """Processes inside a named network namespace."""
    try:
        wanted = os.stat(f"/run/netns/{netns}")
    except FileNotFoundError:
        return []
    found = []
    for pid in all_pids():
        try:
            has = os.stat(f"/proc/{pid}/ns/net")
        except OSError:
            continue
        if (has.st_dev, has.st_ino) == (wanted.st_dev, wanted.st_ino):
            found.append(pid)
    return found
