#!/usr/bin/env python3
"""The unit's commands as systemd runs them: what the daemon says when it is ready, when it reads
its files again, as a sign of life, and when it stops."""
import json
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from listener import Listener
from unit import Unit

EVENKEEL, EVENKEELD = os.environ["EVENKEEL"], os.environ["EVENKEELD"]

# Nobody answers there.
CONFIG = """version: 1
hosts:
  - {name: h1, uri: "qemu+tcp://127.0.0.1:1/system"}
  - {name: h2, uri: "qemu+tcp://127.0.0.2:1/system"}
intervals: {sample: SAMPLE}
state_dir: DIR/state
"""


class Notify(unittest.TestCase):
    """One daemon for each law."""

    def setUp(self):
        if shutil.which("redis-server") is None:
            self.skipTest("no redis-server")
        self.dir = Path(tempfile.mkdtemp(prefix="ek-notify-"))
        self.addCleanup(shutil.rmtree, self.dir)
        self.config = self.dir / "evenkeel.yaml"
        self.policy = self.dir / "policy.yaml"
        self.write_config("2s")
        self.unit = Unit(Path(os.environ["UNIT"]))
        self.listener = Listener(self.dir / "notify")
        self.addCleanup(self.listener.close)
        self.process = None

    def write_config(self, sample):
        """The configuration, with an interval that a test may change."""
        self.config.write_text(CONFIG.replace("DIR", str(self.dir)).replace("SAMPLE", sample))

    def commands(self, key):
        """The unit's commands of a key, for this build and configuration."""
        return self.unit.commands(key, {"evenkeeld": EVENKEELD}, self.config)

    def start(self, **environment):
        """What systemd does for `start`, up to READY=1."""
        for command in self.commands("ExecStartPre"):
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        [command] = self.commands("ExecStart")
        with open(self.dir / "log", "ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, "NOTIFY_SOCKET": str(self.listener.path), **environment})
        self.addCleanup(self.end)
        self.until("READY=1")

    def end(self):
        """In order, so that its redis-server has left the directory that is removed next."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(60)

    def until(self, line):
        """Waits for a line of the protocol."""
        try:
            return self.listener.until(line, self.process)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{(self.dir / 'log').read_text()}") from error

    def reload(self):
        """What systemd does for `reload`; whether it went well."""
        for command in self.commands("ExecReload"):
            command = [str(self.process.pid) if w == "$MAINPID" else w for w in command]
            done = subprocess.run(command, check=False, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
            if done.returncode != 0:
                return False
        return True

    def status(self):
        """What the operator's command says."""
        done = subprocess.run([EVENKEEL, "-c", self.config, "--json", "status"], check=True,
                              capture_output=True)
        return json.loads(done.stdout)

    def test_the_unit_asks_for_it(self):
        """Without Type=notify nobody would listen."""
        self.assertEqual(self.unit.values["Type"], ["notify"])

    def test_ready_means_that_it_serves(self):
        """Whoever waited for `systemctl start` finds a balancer that leads."""
        self.start()
        epoch = self.status()["balancer"]["epoch"]
        self.assertEqual(self.until("STATUS="), f"STATUS=0 of 2 hosts sampled; leads (epoch {epoch}), "
                         "recommend, policy spread, 0 moves run, 0 wait, holding: 2 of 2 "
                         "hosts have no fresh sample")

    def test_a_reload_has_an_end(self):
        """A policy is swapped in place."""
        self.start()
        self.policy.write_text("mode: automatic\n")
        self.assertTrue(self.reload())
        self.until("RELOADING=1")
        self.until("MONOTONIC_USEC=")
        self.until("READY=1")
        self.assertIn("automatic", self.until("STATUS="))

    def test_a_fresh_start_is_a_reload(self):
        """Other keys take a fresh start of the same process: ready is what comes after it."""
        self.start()
        self.write_config("3s")
        self.assertTrue(self.reload())
        self.until("RELOADING=1")
        self.until("STATUS=starts anew")
        self.until("READY=1")
        self.assertIn("leads", self.until("STATUS="))
        self.assertNotIn("STOPPING=1", self.listener.lines)

    def test_a_bad_file_fails_the_reload(self):
        """systemd tells it to who asked; the daemon is not disturbed, and survives a bare SIGHUP."""
        self.start()
        self.policy.write_text("mode: automagic\n")
        self.assertFalse(self.reload())
        self.process.send_signal(1)
        self.until("RELOADING=1")
        self.until("READY=1")
        self.assertIn("recommend", self.until("STATUS="))

    def test_signs_of_life(self):
        """As often as they are asked for, and more."""
        self.start(WATCHDOG_USEC="3000000")
        self.until("WATCHDOG=1")
        self.until("WATCHDOG=1")

    def test_levels_for_the_journal(self):
        """Where standard error is what JOURNAL_STREAM says, lines begin with their level's number;
        the variable alone, in a shell that a service started, changes nothing."""
        log = self.dir / "log"
        log.touch()
        status = log.stat()
        self.start(JOURNAL_STREAM=f"{status.st_dev}:{status.st_ino}")
        self.end()
        self.assertRegex(log.read_text(), r"(?m)^<6>info +evenkeeld ")
        self.assertRegex(log.read_text(), r"(?m)^<4>warning host h1 is not sampled: ")
        log.write_text("")
        self.start(JOURNAL_STREAM="8:1")
        self.assertRegex(log.read_text(), r"(?m)^\d{4}-\d\d-\d\dT.*Z info +evenkeeld ")

    def test_stopping(self):
        """Said before anything is taken down; nothing comes after it."""
        self.start()
        self.process.terminate()
        self.until("STOPPING=1")
        self.assertEqual(self.until("STATUS="), "STATUS=stops")
        self.assertEqual(self.process.wait(60), 0)
        self.assertFalse(self.listener.pending())


if __name__ == "__main__":
    unittest.main(verbosity=2)
