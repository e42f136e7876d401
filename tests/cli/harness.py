"""What the tests of the operator's command share: running it, and a cluster in a real Redis."""

import json
import os
import pathlib
import pty
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import schemas

EVENKEEL = os.environ.get("EVENKEEL", "build/debug/balancer/tools/evenkeel")
EVENKEELD = os.environ.get("EVENKEELD", "build/debug/balancer/daemon/evenkeeld")
CLI_WORLD = os.environ.get("CLI_WORLD", "build/debug/tests/cli/cli_world")
DATA = pathlib.Path(__file__).parent / "data"
SKIPPED = 77

ENVIRONMENT = {k: v for k, v in os.environ.items()
               if k not in ("EVENKEEL_CONFIG", "NO_COLOR", "LC_ALL", "LANG")}
ENVIRONMENT.update({"TZ": "UTC", "TERM": "xterm"})


class Result:
    """What one call gave."""

    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err

    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return f"status {self.status}\n--- out\n{self.out}--- err\n{self.err}"


def evenkeel(*words, stdin=None, env=None, cwd=None):
    """Runs the command without a terminal. A document that it prints must be as its schema says."""
    words = [str(word) for word in words]
    done = subprocess.run([EVENKEEL, *words], input=stdin, text=True, timeout=60,
                          capture_output=True, env={**ENVIRONMENT, **(env or {})}, cwd=cwd,
                          check=False)
    if "--json" in words and done.stdout and "--help" not in words:
        schemas.check(words, done.stdout)
    return Result(done.returncode, done.stdout, done.stderr)


class OnTerminal:
    """The command on a terminal of its own, running until it is waited for."""

    def __init__(self, *words, env=None):
        self.seen = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(EVENKEEL, [EVENKEEL, *map(str, words)], {**ENVIRONMENT, **(env or {})})

    def _read(self, seconds):
        if not select.select([self.fd], [], [], seconds)[0]:
            raise TimeoutError(f"nothing more came after: {self.seen!r}")
        try:
            chunk = os.read(self.fd, 4096)
        except OSError:  # the other side is closed
            chunk = b""
        self.seen += chunk.decode()
        return bool(chunk)

    def wait_for(self, text, seconds=20):
        while text not in self.seen:
            if not self._read(seconds):
                raise AssertionError(f"ended without {text!r}: {self.seen!r}")

    def interrupt(self):
        os.kill(self.pid, signal.SIGINT)

    def wait(self, seconds=20):
        while self._read(seconds):
            pass
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


class World:
    """Three configured hosts and a Redis; see world.c for what it can be told."""

    CONFIG = """version: 1
hosts:
  - {name: h1, uri: "qemu+tls://h1.example/system"}
  - {name: h2, uri: "qemu+tls://h2.example/system"}
  - {name: h3, uri: "qemu+tls://h3.example/system"}
state_dir: STATE
"""

    def __init__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="ek-cli-"))
        self.socket = self.dir / "state" / "redis.sock"
        self.config = self.dir / "evenkeel.yaml"
        self.config.write_text(self.CONFIG.replace("STATE", str(self.dir / "state")))
        self.process = subprocess.Popen([CLI_WORLD, str(self.dir / "state")], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if self.process.stdout.readline() != "ready\n":
            status = self.process.wait()
            self.close()
            sys.exit(SKIPPED if status == SKIPPED else f"cli_world ended with {status}")

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        said = self.process.stdout.readline()
        if said != "ok\n":
            raise AssertionError(f"{line}: {said}")

    def redis(self, *words):
        return subprocess.run(["redis-cli", "-s", str(self.socket), *words], text=True, check=True,
                              capture_output=True).stdout.rstrip("\n")

    def run(self, *words, **kwargs):
        return evenkeel("-c", self.config, *words, **kwargs)

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
        shutil.rmtree(self.dir)


class Daemon:
    """A real evenkeeld that balances in a World's Redis; nobody answers where its hosts should be."""

    CONFIG = """version: 1
hosts:
  - {name: h1, uri: "qemu+tcp://127.0.0.1:1/system"}
  - {name: h2, uri: "qemu+tcp://127.0.0.2:1/system"}
  - {name: h3, uri: "qemu+tcp://127.0.0.3:1/system"}
redis: {mode: external, url: "unix://SOCKET"}
intervals: {sample: 2s, evaluate: 2s}
timeouts: {observe: 5s}
state_dir: DIR/daemon
"""

    def __init__(self, world):
        self.world = world
        self.config = world.dir / "daemon.yaml"
        self.config.write_text(self.CONFIG.replace("SOCKET", str(world.socket))
                               .replace("DIR", str(world.dir)))
        self.log = world.dir / "daemon.log"
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([EVENKEELD, "-c", self.config, "--role", "balancer"],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=ENVIRONMENT)
        self.until(lambda: world.redis("EXISTS", "evenkeel:status:balancer") == "1")

    def until(self, condition, seconds=40):
        end = time.monotonic() + seconds
        while not condition():
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError(self.log.read_text())
            time.sleep(0.05)

    def run(self, *words, **kwargs):
        return evenkeel("-c", self.config, *words, **kwargs)

    def close(self):
        self.process.terminate()
        status = self.process.wait(60)
        if status != 0:
            raise AssertionError(f"evenkeeld ended with {status}\n{self.log.read_text()}")


class Case(unittest.TestCase):
    """Assertions on results."""

    def check(self, result, status, out=None, err=None):
        """Exit status, and pieces that the two outputs must have; err="" means silence."""
        self.assertEqual(result.status, status, result)
        for piece in [out] if isinstance(out, str) else out or []:
            self.assertIn(piece, result.out)
        if err == "":
            self.assertEqual(result.err, "")
        for piece in [err] if isinstance(err, str) else err or []:
            self.assertIn(piece, result.err)

    def refused(self, result, status, *pieces):
        """One line on standard error, with these pieces, and nothing on standard output."""
        self.check(result, status, err=pieces)
        self.assertEqual(result.out, "")
        self.assertRegex(result.err, r"\Aevenkeel: [^\n]+\n\Z")


class WithWorld(Case):
    """One World for all tests of the class."""

    @classmethod
    def setUpClass(cls):
        cls.world = World()
        cls.addClassCleanup(cls.world.close)


class Fresh(WithWorld):
    """Each test begins with an empty Redis."""

    def setUp(self):
        self.world.redis("FLUSHALL")
