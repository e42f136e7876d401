"""A daemon that samples hosts, seen from outside: its Redis, its CPU time, when its samples come."""
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from common import ROOT

sys.path.insert(0, str(ROOT / "tests/lab"))
from live import Failure  # noqa: E402
from resp import Redis, RedisError  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")
PREFIX = "evenkeel:"


def cpu_s(pid):
    """CPU time of a process so far."""
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    fields = stat.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_mib(pid, field):
    """VmRSS, VmHWM, RssAnon or the like of a process."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise Failure(f"process {pid} has no {field}")


def descriptors(pid):
    """How many a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def progress(text):
    """For who waits; what the bench says is on the standard output."""
    print(text, file=sys.stderr, flush=True)


class Server:
    """A redis-server of the bench's own, that keeps nothing on disk and tells of written keys."""

    def __init__(self, folder):
        self.socket = Path(folder) / "redis.sock"
        self.log = open(Path(folder) / "redis.log", "wb")
        self.process = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", str(self.socket), "--save", "",
             "--appendonly", "no", "--dir", str(folder), "--notify-keyspace-events", "K$"],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        end = time.monotonic() + 20
        while True:
            try:
                self.client = Redis(self.socket)
                return
            except RedisError:
                if time.monotonic() > end or self.process.poll() is not None:
                    self.stop()
                    raise Failure("redis-server does not answer") from None
                time.sleep(0.05)

    def info(self):
        """The figures of INFO, by name."""
        lines = (line.partition(":") for line in self.client.call("INFO", "all").splitlines())
        return {name: value for name, _, value in lines}

    def json(self, key):
        """A key's JSON document, None when it is not there."""
        text = self.client.call("GET", PREFIX + key)
        return json.loads(text) if text else None

    def memory_of(self, kind, hosts):
        """Bytes that the keys of this kind take, all hosts together."""
        return sum(self.client.call("MEMORY", "USAGE", f"{PREFIX}{kind}:{h}", "SAMPLES", 0) or 0
                   for h in hosts)

    def stop(self):
        """End it."""
        self.process.terminate()
        self.process.wait()
        self.log.close()


class Arrivals(threading.Thread):
    """When the sample of which host was written, by the monotonic clock."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.seen = []      # (host's name, seconds)
        self.bytes = 0      # that Redis sent to tell of them
        self.redis = Redis(server.socket)
        self.redis.call("PSUBSCRIBE", f"__keyspace@0__:{PREFIX}host:*")
        self.redis.socket.settimeout(None)
        self.start()

    def run(self):
        while True:
            try:
                words = self.redis.answer()
            except (RedisError, OSError, ValueError):
                return
            self.bytes += 4 + sum(len(w) + len(str(len(w))) + 5 for w in words)
            if words[-1] == "set":
                self.seen.append((words[2].rpartition(":")[2], time.monotonic()))


class Daemon:
    """evenkeeld as a collector of these hosts ({name: uri}), for a Server. Of args: .program, and
    .descriptors, its soft limit at the start."""

    def __init__(self, args, folder, server, hosts, settings="", prefix=()):
        self.log = Path(folder) / "evenkeeld.log"
        config = Path(folder) / "evenkeel.yaml"
        (Path(folder) / "state").mkdir(exist_ok=True)
        text = ["version: 1", "hosts:", *(f'  - {{name: {n}, uri: "{u}"}}' for n, u in hosts.items()),
                f"redis: {{mode: external, url: unix://{server.socket}}}", "roles: [collector]",
                f"state_dir: {folder}/state", settings]
        config.write_text("\n".join(text) + "\n", encoding="utf-8")
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [*prefix, str(args.program), "-c", str(config)], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, preexec_fn=lambda: resource.setrlimit(
                    resource.RLIMIT_NOFILE, (min(args.descriptors, hard), hard)))
        self.pid = self.process.pid

    def check(self):
        """Fails when it has ended."""
        if self.process.poll() is not None:
            raise Failure(f"the daemon ended with status {self.process.returncode}: {self.tail(3)}")

    def tail(self, lines=10):
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def complaints(self):
        """How many warnings and errors it has logged."""
        return sum(1 for line in self.log.read_text(errors="replace").splitlines()
                   if line.split()[1:2] in (["warning"], ["error"]))

    def stop(self):
        """End it as a service manager does."""
        self.process.terminate()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Folder:
    """A folder for sockets and logs, and what is to be undone at the end, last first."""

    def __init__(self, name):
        self.path = Path(tempfile.mkdtemp(prefix=f"ek-{name}-"))
        self.undo = []

    def keep(self, thing, end="stop"):
        """The thing; its method of that name is called at the end."""
        self.undo.append(getattr(thing, end))
        return thing

    def close(self):
        """Undo everything, whatever happens."""
        for step in reversed(self.undo):
            try:
                step()
            except (Failure, OSError, subprocess.SubprocessError) as error:
                progress(f"while cleaning up: {error}")
        shutil.rmtree(self.path, ignore_errors=True)


class Standin:
    """Hosts behind sockets, in a process of their own: {name: uri}."""

    def __init__(self, program, hosts, domains_each):
        folder = ROOT / "tests/bench/standin"
        self.process = subprocess.Popen([str(program), str(folder), str(hosts), str(domains_each)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        port = self.process.stdout.readline().strip()
        if not port:
            raise Failure(f"the stand-in ended with status {self.process.wait()}")
        self.hosts = {f"h{i}": f"qemu+tcp://127.1.{i // 250}.{i % 250 + 1}:{port}/system"
                      for i in range(hosts)}
        self.pid = self.process.pid

    def stop(self):
        """End it: it goes with its input."""
        self.process.stdin.close()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()


def lateness(arrivals, hosts, interval_s, begin_s, intervals):
    """How late the samples were that were due within so many intervals from `begin_s` on, in
    seconds, and how many never came.

    Host i of n is due at i/n of the interval (docs/collector.md). When the first interval began is
    not told; it is taken from the sample that came soonest, so that all that a sample takes beyond
    the quickest one counts as lateness."""
    place = {name: i / len(hosts) * interval_s for i, name in enumerate(hosts)}
    due = [(name, at - place[name], at) for name, at in arrivals
           if name in place and at >= begin_s]
    if not due:
        return [], len(hosts) * intervals
    anchor = due[0][1]
    origin = anchor + min((d - anchor + interval_s / 2) % interval_s - interval_s / 2
                          for _, d, _ in due)
    found = {}
    for name, begun, at in due:
        number, late = divmod(begun - origin, interval_s)
        if begin_s <= at - late < begin_s + intervals * interval_s:
            found[name, number] = min(late, found.get((name, number), late))
    return sorted(found.values()), max(len(hosts) * intervals - len(found), 0)
