"""A lab and a daemon for one fault after the other; what a case does to them, and what must be left."""
import json
import shutil
import signal
import subprocess
import time

import libvirt
import redis

from ek_lab import guests, hosts, net, procs, watch
from ek_lab.base import Lab, LabError
from ek_faults.eyes import Eyes
from live import Failure, Live

HOSTS = 3
MEMORY_MIB = 6144
RATE = "160mbit"          # a guest of 128 MiB takes 3 to 8 s
NAME = "vm"
ONLY_ONE = "one destination is wanted"
SETTINGS = "intervals: {sample: 1s, evaluate: 1s}"
# All but `reachable` far below their defaults, so that each wait is seen to end.
TIMEOUTS = {"connect": "2s", "lease": "6s", "action": "5s", "fresh": "5s", "switchover": "10s",
            "abort_wait": "8s", "settle": "1s", "autodestroy": "8s", "post_retry": "1s",
            "progress_poll": "500ms"}
MIGRATION = {"timeout_min": "60s", "timeout_per_gib": "0s", "progress_timeout": "20s",
             "backoff": "1s", "retries": 0}
TERMINAL = {"done", "rejected", "rolled-back", "cancelled", "guest-off", "vm-down", "unverified",
            "failed", "unknown"}


def flow(words):
    """A mapping as YAML in one line."""
    return "{" + ", ".join(f"{k}: {v}" for k, v in words.items()) + "}"


def uri_of(host, kind):
    """How the daemon and the hosts reach a host."""
    return {"tcp": host.uri, "tls": host.tls_uri,
            "names": f"qemu+tcp://{host.name}/system"}[kind]


def policy(migration, limits):
    """policy.yaml with these keys of its two sections. Hosts of two cores take fifty guests."""
    return (f"version: 1\nmode: automatic\naggressiveness: 1\ncapacity: {{cpu_overcommit: 40}}\n"
            f"migration: {flow(MIGRATION | migration)}\nlimits: {flow(limits)}\n")


class Move:
    """A move that a case has begun: its id, its ends, and its steps from the journal's stream."""

    def __init__(self, stage, record):
        self.stage = stage
        self.id = record["order"]["id"]
        self.source = record["order"]["source"]
        self.destination = record["order"]["destination"]
        self.name = record["order"]["name"]

    def record(self):
        """Its record as the journal has it now."""
        return self.stage.record_of(self.id)

    def reaches(self, *states, seconds=30):
        """Wait until it enters one of these states (or has); returns that step."""
        return self.stage.await_step(self.id, states, seconds)

    def copies(self, share=0.0, seconds=30):
        """Wait until its memory is being copied, and so much of it has been."""
        self.reaches("running", seconds=seconds)
        if not self.stage.eyes.await_event(self.stage.since, self.source, self.name, "iteration",
                                           seconds):
            raise Failure(f"the copying of {self.name} did not begin within {seconds} s")
        key = f"evenkeel:move:{self.id}"
        if share > 0:
            self.stage.until(f"{share:.0%} of {self.name} copied", lambda: float(
                self.stage.journal.hget(key, "progress") or 0) >= share, seconds, poll=0.02)

    def pauses(self, seconds=60):
        """Wait until the source is paused for the switchover; at once when that happens."""
        self.see(self.source, f"suspended {libvirt.VIR_DOMAIN_EVENT_SUSPENDED_MIGRATED}", seconds)

    def see(self, host, what, seconds=60):
        """Wait for an event of libvirt's on a host."""
        if not self.stage.eyes.await_event(self.stage.since, host, self.name, what, seconds):
            raise Failure(f"no event '{what}' of {self.name} on {host} within {seconds} s")


class Stage(Live):
    """Everything that a case works with."""

    def __init__(self, name, daemon):
        super().__init__(name, daemon)
        self.place = Lab(name)
        self.eyes = None
        self.journal = None
        self.since = 0              # the mark in the events at which the case began
        self.steps = []             # entries of evenkeel:moves: (id, state, fields)
        self.latest = "0"
        self.hit_at = None          # when the fault was made
        self.disks = set()          # volumes that there were before it, wherever
        self.before = {}            # things of each host before the case
        self.stopped = set()        # pids that we stopped
        self.server = None          # a Redis of the test's own

    # ---- raising -----------------------------------------------------------------------------

    def raise_lab(self):
        """A fresh lab with its links limited."""
        self.let_go()
        self.up(HOSTS, MEMORY_MIB, "--tls")
        self.eyes = Eyes(self.place.hosts())

    def let_go(self):
        """Close what looks into the lab."""
        if self.eyes is not None:
            self.eyes.close()
        self.eyes = None

    def has_guests(self, names, options):
        """Whether exactly these guests run, as they were asked for."""
        known = guests.records(self.place)
        copies = [c[0] for c in guests.copies(self.place)]
        return sorted(known) == sorted(names) == sorted(copies) and all(
            known[n].get("options") == list(options) for n in names)

    def place_guests(self, names, options):
        """Have exactly these guests run, on one host; those that do already are left alone."""
        if self.has_guests(names, options) and len(set(self.where().values())) == 1:
            return
        self.drop_guests()
        self.lab("guest", "add", *names, "--host", "h1", *options)
        for name in names:
            path = self.place.guests / f"{name}.json"
            record = json.loads(path.read_text(encoding="utf-8"))
            path.write_text(json.dumps(record | {"options": list(options)}), encoding="utf-8")

    def drop_guests(self):
        """End all guests and forget them."""
        guests.stop(self.place, sorted(guests.records(self.place)), force=True)

    def where(self):
        """The host of each guest that has one process."""
        found = {}
        for name, host, _pid in guests.copies(self.place):
            found.setdefault(name, []).append(host.name)
        return {n: h[0] for n, h in found.items() if len(h) == 1}

    def set_up(self, case):
        """Guests, watcher, and a daemon that remembers nothing."""
        self.place_guests(case.names(), case.guest)
        self.eyes.open()
        self.before = {h.name: self.eyes.things(h.name) for h in self.place.hosts()}
        self.disks = {t for things in self.before.values() for t in things if t.startswith("volume")}
        watch.start(self.place, self.lab_command()[:1])
        shutil.rmtree(self.dir / "state", ignore_errors=True)
        self.log.write_text("", encoding="utf-8")
        self.configure(case)
        for host in self.place.hosts():
            net.shape(host, RATE)
        if case.own_redis:
            self.start_redis()
        self.start()
        self.steps, self.latest, self.hit_at, self.since = [], "0", None, self.eyes.mark()

    def configure(self, case):
        """Both files of the daemon, and a state in which nothing has ever happened."""
        (self.dir / "state").mkdir()
        lines = ["version: 1", "hosts:"]
        lines += [f"  - {{name: {h.name}, uri: \"{uri_of(h, case.uris)}\", "
                  f"migration_uri: \"tcp://{h.address}\"}}" for h in self.place.hosts()]
        lines += [f"state_dir: {self.dir}/state", SETTINGS, case.settings,
                  f"timeouts: {flow(TIMEOUTS | case.timeouts)}"]
        if case.own_redis:
            lines.append(f"redis: {{mode: external, url: \"unix://{self.socket}\"}}")
        self.config.write_text("\n".join(lines) + "\n", encoding="utf-8")
        (self.dir / "policy.yaml").write_text(policy(case.migration, case.limits),
                                              encoding="utf-8")
        self.journal = redis.Redis(unix_socket_path=str(self.socket), decode_responses=True)

    def start_redis(self):
        """Start a server in the daemon's place for it; one that was killed goes on where it was."""
        self.server = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", str(self.socket), "--appendonly", "yes",
             "--appendfsync", "always", "--save", "", "--dir", str(self.dir / "state")],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True)
        self.until("the test's own Redis", self.answers, 15, poll=0.02)

    def answers(self):
        """Whether Redis answers, with all that it knew."""
        try:
            return self.journal.ping()
        except redis.RedisError:
            return False

    def stop_redis(self):
        """End our own server."""
        if self.server is not None:
            self.server.kill()
            self.server.wait()
        self.server = None

    def redis_json(self, key):
        """A key's JSON document, None when it is not there or nobody answers."""
        try:
            text = self.journal.get(f"evenkeel:{key}")
        except redis.ConnectionError:
            return None
        return json.loads(text) if text else None

    def change_policy(self, migration, limits):
        """Let another policy be in force."""
        (self.dir / "policy.yaml").write_text(policy(migration, limits), encoding="utf-8")
        self.reload()

    # ---- moves -------------------------------------------------------------------------------

    def read_steps(self, block_ms):
        """Take new entries of the journal's stream; waits for one at most `block_ms`."""
        found = self.journal.xread({"evenkeel:moves": self.latest}, block=max(1, int(block_ms)))
        for _stream, entries in found:
            for entry, fields in entries:
                self.latest = entry
                self.steps.append(fields)

    def await_step(self, move, states, seconds):
        """Wait for a step of a move (None: of any) into one of these states; the newest such."""
        end = time.monotonic() + seconds
        while True:
            hits = [s for s in self.steps if move in (None, s["id"]) and s["state"] in states]
            if hits:
                return hits[-1]
            left = end - time.monotonic()
            if left <= 0:
                seen = [s["state"] for s in self.steps if move in (None, s["id"])]
                raise Failure(f"{' or '.join(sorted(states))}: not within {seconds} s; the steps "
                              f"were {' '.join(seen) or 'none'}")
            self.read_steps(min(left, 1.0) * 1000)

    def order(self, guest=NAME, to=None):
        """Have the guest's host emptied; the move that comes of it. To one host: then the others
        are not to be used either, until `moves_again`."""
        self.ask(guest, to)
        step = self.await_step(None, {"planned", "claimed", "precheck", "prepare", "running"}, 30)
        return self.move_of(step["id"])

    def ask(self, guest=NAME, to=None):
        """Wish the guest's host empty, as `order` does, without waiting for anything."""
        source = self.where()[guest]
        for host in self.others(source, to) if to else ():
            self.journal.set(f"evenkeel:maintenance:{host.name}", ONLY_ONE)
        self.journal.set(f"evenkeel:maintenance:{source}", "a fault is tried")

    def move_of(self, move):
        """The move of that id."""
        return Move(self, self.record_of(move))

    def record_of(self, move):
        """The record of a move as the journal has it now."""
        return json.loads(self.journal.hget(f"evenkeel:move:{move}", "json"))

    def command(self, kind, subject):
        """Give the daemon a command, as `evenkeel` does."""
        self.journal.xadd("evenkeel:command", {
            "version": 1, "kind": kind, "subject": subject, "host": "", "choice": "",
            "by": "faults", "issued_at_ms": int(time.time() * 1000)})

    def notes(self, move):
        """What the journal tells of a move's steps: texts of evenkeel:events."""
        entries = self.journal.xrange("evenkeel:events")
        return [f"{f['kind']}: {f['text']}" for _entry, f in entries
                if f["subject"] == move.record()["order"]["domain"] or move.id in f["text"]]

    def begin(self, share=0.0, guest=NAME, to=None):
        """Have the guest's host emptied and wait until so much of its memory is copied."""
        move = self.order(guest, to)
        move.copies(share)
        return move

    def hit(self):
        """This is the moment of the fault."""
        self.hit_at = time.time()

    def lasts(self, seconds):
        """Let a fault last so long: its length is what is tried, and nothing else is waited for."""
        end = time.monotonic() + seconds
        self.until("the end of the fault", lambda: time.monotonic() >= end, seconds + 5)

    def moves_again(self, names, seconds=60):
        """Wait until their host is empty: the guests could be moved after the fault."""
        asked = []
        for key in self.journal.keys("evenkeel:maintenance:*"):
            if self.journal.get(key) == ONLY_ONE:
                self.journal.delete(key)
            else:
                asked.append(key.rsplit(":", 1)[1])
        self.until(f"{', '.join(names)} moved away after the fault", lambda: all(
            self.maintenance(h) == "evacuated" for h in asked) and
            set(names) <= set(self.where()), seconds)

    def ask_no_more(self):
        """Take all wishes back, so that nothing begins any more."""
        for key in self.journal.keys("evenkeel:maintenance:*"):
            self.journal.delete(key)

    # ---- faults ------------------------------------------------------------------------------

    def host(self, name):
        """A host of the lab."""
        return self.place.host(name)

    def others(self, *names):
        """The hosts that are not named."""
        return [h for h in self.place.hosts() if h.name not in names]

    def qemu(self, host, guest=NAME):
        """The pid of a guest's QEMU on a host."""
        return guests.find(self.place, guest, host)[1]

    def send(self, pid, number):
        """Send a signal to a process of the lab; stopped ones are remembered."""
        if number == signal.SIGSTOP:
            self.stopped.add(pid)
        if not procs.send(pid, number):
            raise Failure(f"process {pid} is gone already")
        if number == signal.SIGKILL:
            self.until(f"end of {pid}", lambda: procs.start_time(pid) is None, 5, poll=0.01)

    def go_on(self):
        """Let all that was stopped go on."""
        for pid in self.stopped:
            procs.send(pid, signal.SIGCONT)
        self.stopped = set()

    def libvirtd(self, name):
        """The pid of a host's libvirtd."""
        pid = hosts.libvirtd_pid(self.host(name))
        if pid is None:
            raise Failure(f"no libvirtd on {name}")
        return pid

    def start_libvirtd(self, name):
        """Start a host's libvirtd that was killed."""
        hosts.start_libvirtd(self.host(name))
        hosts.wait_libvirtd(self.host(name))

    # ---- the end -----------------------------------------------------------------------------

    def heal(self):
        """Undo every fault that may be left, so that what is judged is what the daemon made of it."""
        self.go_on()
        for host in self.place.hosts():
            net.heal(host)     # the shape, too: what is copied again need not take its time
            if hosts.libvirtd_pid(host) is None:
                self.start_libvirtd(host.name)

    def leftovers(self, expected):
        """What is there and should not be; `expected` are the guests that must run."""
        left, running = [], []
        for host in self.place.hosts():
            here, odd = self.eyes.domains(host.name)
            running += here
            left += odd
            things = self.eyes.things(host.name)
            disks = {f"volume {g}.qcow2" for g in expected}
            if {d for d in things & disks} != {f"volume {g}.qcow2" for g in here} & self.disks:
                left.append(f"{host.name}: disks {sorted(things & disks)}, guests {here}")
            before = self.before[host.name] - disks
            left += [f"{host.name}: {t} is new" for t in sorted(things - disks - before)]
            left += [f"{host.name}: {t} is gone" for t in sorted(before - things)]
        if sorted(running) != sorted(expected):
            left.append(f"running are {sorted(running)}, expected {sorted(expected)}")
        copies = sorted(c[0] for c in guests.copies(self.place))
        if copies != sorted(expected):
            left.append(f"QEMU processes of {copies}, expected {sorted(expected)}")
        left += [f"record {m} is open" for m in self.journal.smembers("evenkeel:moves:open")]
        return left

    def close(self):
        """Take everything down."""
        self.let_go()
        for pid in self.stopped:
            procs.send(pid, signal.SIGCONT)
        super().close()
        self.stop_redis()


__all__ = ["Failure", "LabError", "Move", "Stage", "NAME", "TERMINAL"]
