"""A daemon at work on real hosts: what the demo and the tests in a lab share."""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LAB = Path(__file__).resolve().parent / "lab"
TICKS = os.sysconf("SC_CLK_TCK")
LOG_TAIL = 25  # lines of the daemon's log that a failure shows


class Failure(Exception):
    """Something that did not come about; the text says what."""


def say(text):
    """Tell what is happening."""
    print(text, flush=True)


def raise_on_signals():
    """Let TERM, INT and HUP unwind the program, so that everything is taken down."""
    def unwind(number, _frame):
        for again in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(again, signal.SIG_IGN)  # the clean-up is not to be disturbed
        raise SystemExit(128 + number)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, unwind)


def run(argv, timeout=60):
    """Run a command to its end; its output, or a Failure with what it said."""
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=timeout,
                          stdin=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        raise Failure(f"{' '.join(map(str, argv))}: status {done.returncode}: "
                      f"{(done.stderr.strip() or done.stdout.strip())}")
    return done.stdout


class Live:
    """One lab, one daemon in its network, and a folder for the daemon's files."""

    def __init__(self, name, daemon):
        self.name = name
        self.program = Path(daemon).resolve()
        # A run of this name that was killed left its folder; there is one lab of a name at a time.
        for stale in Path(tempfile.gettempdir()).glob(f"ek-{name}-*"):
            shutil.rmtree(stale, ignore_errors=True)
        self.dir = Path(tempfile.mkdtemp(prefix=f"ek-{name}-"))
        self.log = self.dir / "evenkeeld.log"
        self.config = self.dir / "evenkeel.yaml"
        self.socket = self.dir / "state" / "redis.sock"
        self.daemon = None

    # ---- the lab ---------------------------------------------------------------------------

    def lab_command(self):
        """The beginning of a command line that speaks to this lab."""
        return [str(LAB), "--name", self.name]

    def lab(self, *args, timeout=120):
        """Run a verb of the lab; its output."""
        return run([*self.lab_command(), *args], timeout)

    def up(self, hosts, memory_mib, *options):
        """Raise the lab; the first time on a machine this downloads the guests' kernel."""
        self.lab("up", "--hosts", hosts, "--memory", memory_mib, *options, timeout=900)

    def status(self):
        """The lab's hosts and guests."""
        return json.loads(self.lab("status", "--json"))

    def places(self):
        """Where each guest's processes are: {guest: [host, ...]}."""
        return {g["name"]: [c["host"] for c in g["copies"]] for g in self.status()["guests"]}

    def report(self, max_gap_ms=2000):
        """The watcher's table, and whether it found nothing wrong."""
        done = subprocess.run([str(LAB), "--name", self.name, "watch", "report", "--max-gap-ms",
                               str(max_gap_ms)], capture_output=True, text=True, timeout=60,
                              stdin=subprocess.DEVNULL, check=False)
        return (done.stdout + done.stderr).rstrip(), done.returncode == 0

    # ---- the daemon ------------------------------------------------------------------------

    def configure(self, settings, policy, rates=None):
        """Write evenkeel.yaml with the lab's hosts and these settings, and policy.yaml.

        `rates`: what a host's migration link carries, in MiB/s, by the host's name."""
        (self.dir / "state").mkdir(exist_ok=True)
        text = ["version: 1", "hosts:"]
        for host in self.status()["hosts"]:
            text += [f"  - name: {host['name']}", f"    uri: {host['uri']}",
                     f"    migration_uri: tcp://{host['address']}"]
            if host["name"] in (rates or {}):
                text.append(f"    migration_rate: {rates[host['name']]:.2f}MiB/s")
        text += [f"state_dir: {self.dir}/state", settings]
        self.config.write_text("\n".join(text) + "\n", encoding="utf-8")
        (self.dir / "policy.yaml").write_text(policy, encoding="utf-8")
        run([self.program, "-c", self.config, "--check"])

    def start(self):
        """Start the daemon in the lab's network and wait until its Redis answers."""
        with open(self.log, "ab") as log:
            self.daemon = subprocess.Popen(
                [str(LAB), "--name", self.name, "exec", str(self.program), "-c", str(self.config)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self.until("the daemon's status in Redis", lambda: self.redis_json("status:balancer"), 30)

    def reload(self):
        """Have the daemon read its files again."""
        self.daemon.send_signal(signal.SIGHUP)

    def kill(self):
        """End the daemon as a crash does."""
        self.daemon.kill()
        self.daemon.wait()
        self.daemon = None

    def stop(self):
        """End the daemon as a service manager does."""
        if self.daemon is None:
            return
        self.daemon.terminate()
        try:
            self.daemon.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.kill()
        self.daemon = None

    def log_tail(self):
        """The end of the daemon's log."""
        if not self.log.exists():
            return "(no log)"
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-LOG_TAIL:])

    def cpu_seconds(self):
        """CPU time of the daemon itself so far."""
        stat = Path(f"/proc/{self.daemon.pid}/stat").read_text(encoding="utf-8")
        fields = stat.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory_mib(self, field):
        """VmRSS, RssAnon or the like of the daemon itself."""
        status = Path(f"/proc/{self.daemon.pid}/status").read_text(encoding="utf-8")
        return int(re.search(rf"^{field}:\s+(\d+) kB", status, re.M)[1]) / 1024

    # ---- its records -----------------------------------------------------------------------

    def redis(self, *args):
        """Run redis-cli on the daemon's server; its output as text, None when it fails."""
        done = subprocess.run(["redis-cli", "-e", "-s", str(self.socket), *map(str, args)],
                              capture_output=True, text=True, timeout=20, check=False,
                              stdin=subprocess.DEVNULL)
        return done.stdout.rstrip("\n") if done.returncode == 0 else None

    def redis_json(self, key):
        """A key's JSON document, None when it is not there."""
        text = self.redis("GET", f"evenkeel:{key}")
        return json.loads(text) if text else None

    def moves(self, which):
        """The records of the moves in a set of the journal (open, blocking), by id."""
        found = {}
        for move in (self.redis("SMEMBERS", f"evenkeel:moves:{which}") or "").split():
            text = self.redis("HGET", f"evenkeel:move:{move}", "json")
            progress = self.redis("HGET", f"evenkeel:move:{move}", "progress")
            if text:
                found[move] = json.loads(text) | {"progress": float(progress or 0)}
        return found

    def maintenance(self, host):
        """What the balancer says of a host's evacuation: a word, None when it says nothing."""
        return (self.redis_json(f"maintenance-status:{host}") or {}).get("state")

    # ---- waiting and the end ---------------------------------------------------------------

    def until(self, what, condition, seconds, poll=0.1):
        """Wait for a condition and return its value; say what was not reached in time."""
        end = time.monotonic() + seconds
        while not (value := condition()):
            if self.daemon is not None and self.daemon.poll() is not None:
                raise Failure(f"{what}: the daemon ended with status {self.daemon.returncode}")
            if time.monotonic() > end:
                raise Failure(f"{what}: not within {seconds} s")
            time.sleep(poll)
        return value

    def close(self):
        """Take everything down; an error of one step does not keep the others from happening."""
        for step in (self.stop, lambda: self.lab("down")):
            try:
                step()
            except (Failure, OSError, subprocess.SubprocessError) as error:
                print(f"while cleaning up: {error}", file=sys.stderr)
        shutil.rmtree(self.dir, ignore_errors=True)


class Operated(Live):
    """The lab with the operator's command, and processes that a test starts beside the daemon."""

    def __init__(self, name, daemon, command):
        super().__init__(name, daemon)
        self.command = Path(command).resolve()
        self.started = []

    def evenkeel(self, *words, may=(0, 3)):
        """The command in the lab's network: status and standard output."""
        done = subprocess.run([*self.lab_command(), "exec", str(self.command), "-c", str(self.config), *words],
                              capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL)
        if done.returncode not in may:
            raise Failure(f"evenkeel {' '.join(words)}: status {done.returncode}: {done.stderr}")
        return done.returncode, done.stdout

    def begin(self, *argv, **kwargs):
        """Start a command in the lab's network."""
        process = subprocess.Popen([*self.lab_command(), "exec", *map(str, argv)], stdin=subprocess.DEVNULL,
                                   text=True, **{"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE} | kwargs)
        self.started.append(process)
        return process

    def close(self):
        for process in self.started:
            if process.poll() is None:
                process.terminate()
                process.wait()
        super().close()
