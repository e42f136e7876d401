"""The watcher: a process that looks at QEMU processes and heartbeat files, never at libvirt."""
import os
import signal
import time

from . import cgroups, procs
from .base import LabError, program, read_json, wait_until, write_json
from .guests import guest_name
from .heartbeat import Guest, Tail

PERIOD_SECONDS = 0.05
SAVE_SECONDS = 0.5
# A process this old (in samples) no longer becomes another program.
SETTLED_SAMPLES = 20
LABEL = "watch"


class Watcher:
    """One run of the watcher."""

    def __init__(self, lab):
        self.lab = lab
        self.hosts = lab.hosts()
        self.groups = {h.name: cgroups.paths(h)[0] for h in self.hosts}
        self.guests = {}
        self.finished = {}    # views of guests whose name was used again
        self.processes = {}   # pid -> [samples seen, guest name or None]
        self.epoch = time.time() - time.monotonic()
        self.started = self.now()
        self.samples = 0
        self.latest_ms = 0    # the longest time between two samples
        self.previous = None

    def now(self):
        """Seconds since the epoch that never step."""
        return self.epoch + time.monotonic()

    def guest(self, name):
        """The view of a guest."""
        return self.guests.setdefault(name, Guest(name))

    def sample(self, skip=False):
        """Look once; `skip` takes present file contents as old."""
        now = self.now()
        if self.previous is not None:
            self.latest_ms = max(self.latest_ms, int((now - self.previous) * 1000))
        self.previous = now
        self.samples += 1
        self.look_at_records(now)
        self.look_at_processes(now)
        self.look_at_files(now, skip)

    def look_at_records(self, now):
        """Notice guests that `guest stop` ended, and names used again."""
        known = {e.name[:-5] for e in os.scandir(self.lab.guests) if e.name.endswith(".json")
                 and not e.name.startswith(".")}
        for name, guest in list(self.guests.items()):
            if guest.ended is None and name not in known:
                guest.ended = now
            elif guest.ended is not None and name in known:
                self.finished[f"{name}@{len(self.finished) + 1}"] = self.guests.pop(name)

    def look_at_processes(self, now):
        """Which hosts have a QEMU of which guest."""
        found, alive = {}, {}
        for host, group in self.groups.items():
            for pid in cgroups.read_members(group):
                entry = self.processes.get(pid) or [0, None]
                if entry[1] is None and entry[0] < SETTLED_SAMPLES:
                    entry = [entry[0] + 1, guest_name(pid)]
                alive[pid] = entry
                if entry[1] and procs.start_time(pid) is not None:
                    found.setdefault(entry[1], []).append(host)
        self.processes = alive
        for name in set(found) | set(self.guests):
            self.guest(name).see_copies(now, sorted(found.get(name, [])))

    def look_at_files(self, now, skip):
        """What the guests wrote since the last look."""
        fresh = {}
        for host in self.hosts:
            for entry in os.scandir(host.heartbeats):
                name = entry.name[:-4]
                lines = self.read_file(host.name, name, entry.path, now, skip)
                if lines:
                    fresh.setdefault(name, {})[host.name] = lines
        for name, lines in fresh.items():
            self.guest(name).see_growth(now, lines)

    def read_file(self, host, name, path, now, skip):
        """New lines of one guest on one host."""
        guest = self.guest(name)
        try:
            status = os.stat(path)
            if skip:
                guest.tails[host] = Tail(status.st_size, status.st_ino)
                return []
            tail = guest.tails.setdefault(host, Tail())
            if status.st_size != tail.offset:
                guest.drop_stale_half(host, now)
            return tail.read(path, status, now)
        except FileNotFoundError:
            return []

    def save(self):
        """Write all figures for `watch report`."""
        now = self.now()
        views = {**self.finished, **self.guests}
        write_json(self.lab.watch / "state.json", {
            "started": round(self.started, 3), "time": round(now, 3), "samples": self.samples,
            "longest_sample_ms": self.latest_ms,
            "guests": [{**views[n].report(now), "name": n} for n in sorted(views)]})

    def run(self):
        """Sample until a signal ends it."""
        ending = []
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda n, _f: ending.append(n))
        os.setpriority(os.PRIO_PROCESS, 0, -10)
        self.sample(skip=True)
        due = saved = time.monotonic()
        self.save()
        while not ending:
            self.sample()
            if time.monotonic() - saved >= SAVE_SECONDS:
                saved = time.monotonic()
                self.save()
            due = max(due + PERIOD_SECONDS, time.monotonic())
            time.sleep(max(0.0, due - time.monotonic()))
        self.sample()
        self.save()


def start(lab, command=None):
    """Start the watcher afresh; `command` is the lab's own, where this program is another."""
    lab.config()
    stop(lab)
    lab.watch.mkdir(exist_ok=True)
    state = lab.watch / "state.json"
    state.unlink(missing_ok=True)
    process = procs.spawn(lab, LABEL, [*(command or program()), "--name", lab.name, "watch", "run"])
    wait_until(lambda: state.exists() or process.poll() is not None, 10, "watcher")
    if process.poll() is not None:
        raise LabError(f"the watcher did not start: see {lab.dir}/log/{LABEL}.log")


def stop(lab):
    """End the watcher; its figures remain for `report`."""
    pid = procs.recorded(lab, LABEL)
    if pid is not None:
        procs.end([pid], grace=5.0)


def figures(lab):
    """The watcher's figures up to now, or up to its end."""
    lab.config()
    path = lab.watch / "state.json"
    asked = time.time()

    def fresh():
        state = read_json(path)
        return state if state and (state["time"] >= asked or not procs.recorded(lab, LABEL)) \
            else None
    if not path.exists():
        raise LabError("nothing was watched: watch start first")
    return wait_until(fresh, 10, "the watcher's figures")


def findings(guest, max_gap_ms):
    """What is wrong with one guest, in words."""
    found = [t["why"] for t in guest["two_running"][:1]]
    if guest["duplicates"] and not found:
        found.append(f"{guest['duplicates']} numbers on two hosts")
    if guest["max_gap_ms"] > max_gap_ms:
        found.append(f"silent for {guest['max_gap_ms']} ms "
                     f"({' -> '.join(guest['max_gap'].get('hosts', []))})")
    if guest["open_gap_ms"] > max_gap_ms and guest["ended"] is None:
        found.append(f"silent since {guest['open_gap_ms']} ms")
    if guest["restarts"]:
        found.append(f"restarted {len(guest['restarts'])} times, "
                     f"last on {guest['restarts'][-1]['host']}")
    if guest["repeats"]:
        found.append(f"{guest['repeats']} numbers again on the same host")
    if not guest["beats"] and guest["ended"] is None:
        found.append("no heartbeat at all")
    return found


def report(lab, max_gap_ms):
    """All figures with the findings; `ok` says that there are none."""
    state = figures(lab)
    for guest in state["guests"]:
        guest["findings"] = findings(guest, max_gap_ms)
    state["max_gap_ms"] = max_gap_ms
    state["ok"] = bool(state["guests"]) and not any(g["findings"] for g in state["guests"])
    return state


def table(state):
    """The report as text."""
    lines = [f"{'guest':<16} {'hosts':<20} {'beats':>7} {'gap ms':>7} {'copies':>6} {'ran':>4} "
             f"{'twice':>6} {'lost':>5} {'boots':>5}  finding"]
    for g in state["guests"]:
        lost = sum(s["next"] - s["after"] - 1 for s in g["sequence_gaps"])
        lines.append(f"{g['name']:<16} {' '.join(g['hosts'][-6:]):<20} {g['beats']:>7} "
                     f"{g['max_gap_ms']:>7} {g['copies_max']:>6} {g['running_max']:>4} "
                     f"{g['duplicates']:>6} {lost:>5} {len(g['boots']):>5}  "
                     f"{'; '.join(g['findings']) or 'ok'}")
    if not state["guests"]:
        lines.append("no guest was seen")
    return "\n".join(lines)
