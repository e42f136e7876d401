"""evenkeel maintenance enter --wait, with a balancer that the test plays."""

import re
import shutil
import subprocess
import time
import unittest

from harness import ENVIRONMENT, EVENKEEL, Fresh, OnTerminal, Result


CANNOT_BE_TOLD = "h2: whether it can be emptied cannot be told: the host has no fresh sample\n"


class Waiting(Fresh):
    """h2 is to be emptied. Each test begins with a balancer that has run 5 cycles."""

    def setUp(self):
        super().setUp()
        self.world.tell("balancer automatic 5 -")

    def enter(self, *words):
        """Starts it, and returns once the key is set."""
        process = subprocess.Popen([EVENKEEL, "-c", self.world.config, "maintenance", "enter", "h2",
                                    "--wait", *words], text=True, env=ENVIRONMENT,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(process.kill)
        self.until(lambda: self.key_set() or process.poll() is not None)
        return process

    def on_terminal(self):
        terminal = OnTerminal("-c", self.world.config, "maintenance", "enter", "h2", "--wait")
        terminal.wait_for("waiting for the balancer")
        return terminal

    def evacuate(self):
        """The balancer calls it empty, and so does the newest sample; its libvirt cannot be asked."""
        self.world.tell("drain h2 evacuated 0 -")
        self.world.tell("empty h2")

    def key_set(self):
        return self.world.redis("EXISTS", "evenkeel:maintenance:h2") == "1"

    def until(self, condition, seconds=20):
        end = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), end, "waited too long")
            time.sleep(0.05)

    @staticmethod
    def end(process):
        out, err = process.communicate(timeout=20)
        return Result(process.returncode, out, err)

    def test_evacuated(self):
        """One line per change, then status 0."""
        process = self.enter("--reason", "new disks")
        self.assertEqual(self.world.redis("GET", "evenkeel:maintenance:h2"), "new disks")
        self.world.tell("drain h2 evacuating 3 -")
        self.assertEqual([process.stdout.readline() for _ in range(3)],
                         [CANNOT_BE_TOLD, "h2: waiting for the balancer\n",
                          "h2: evacuating, 3 of 3 domains left, about 40 s\n"])
        self.evacuate()
        result = self.end(process)
        self.check(result, 0, ["h2: evacuated, 0 of 3 domains left\n", "h2 is empty"],
                   err="the libvirt of h2 cannot be asked from here")
        self.assertNotIn("\033", result.out)

    def test_terminal(self):
        """A bar that is redrawn in its line."""
        terminal = self.on_terminal()
        self.world.tell("drain h2 evacuating 4 -")
        terminal.wait_for("[....................] h2: evacuating, 4 of 4")
        self.world.tell("drain h2 evacuating 1 -")
        terminal.wait_for("\r\033[K[###############.....] h2: evacuating, 1 of 4 domains left")
        self.evacuate()
        self.assertEqual(terminal.wait(), 0)
        self.assertIn("[####################] h2: evacuated, 0 of 4", terminal.seen)

    def test_json(self):
        """Standard output has the document alone."""
        process = self.enter("--json")
        self.evacuate()
        result = self.end(process)
        self.check(result, 0, err="cannot be asked from here")
        self.assertEqual(result.json()["hosts"][0]["status"]["state"], "evacuated")

    def stuck(self, state, left=1, said="1 domain cannot leave"):
        process = self.enter()
        self.world.tell(f"drain h2 {state} {left} a host device ties it to its host")
        cycles = 5
        while process.poll() is None:
            cycles += 1
            self.assertLess(cycles, 200)
            self.world.tell(f"balancer automatic {cycles} -")
            time.sleep(0.1)
        self.assertGreaterEqual(cycles, 7)
        self.check(self.end(process), 3,
                   err=[f"h2 is {state}: {said}",
                        "  db-1: a host device ties it to its host\n"])
        self.assertTrue(self.key_set())

    def test_blocked(self):
        """Blocked in three words of the balancer in a row: status 3, blockers listed, key set."""
        self.stuck("blocked")

    def test_infeasible(self):
        self.stuck("infeasible")

    def test_not_sampled(self):
        """A host that cannot be seen is not called empty."""
        self.stuck("blocked", 0, "whether it is empty cannot be told")

    def test_one_word_is_not_enough(self):
        """A balancer that said it once and then goes on is waited for."""
        terminal = self.on_terminal()
        self.world.tell("drain h2 blocked 1 resting")
        terminal.wait_for("h2: blocked")
        self.evacuate()
        self.assertEqual(terminal.wait(), 0)

    def test_words_between_cycles_do_not_count(self):
        """The balancer also speaks at each command and outcome, without another cycle."""
        terminal = self.on_terminal()
        self.world.tell("drain h2 blocked 1 resting")
        terminal.wait_for("h2: blocked")
        for _ in range(5):
            self.world.tell("balancer automatic 5 -")
            self.next_looks(terminal)
        self.evacuate()
        self.assertEqual(terminal.wait(), 0)

    @staticmethod
    def next_looks(terminal):
        """Until the bar was drawn twice again: the second look began after the first."""
        for _ in range(2):
            terminal.seen = ""
            terminal.wait_for("\033[K")

    def test_recommend(self):
        """In mode recommend nothing will move: status 3, the key stays."""
        process = self.enter()
        self.world.tell("drain h2 preflight 2 -")
        self.check(self.end(process), 3, err=["recommend", "2 domains stay on h2"])
        self.assertTrue(self.key_set())

    def test_interrupt(self):
        """Ctrl-C ends the waiting, and leaves the key."""
        terminal = self.on_terminal()
        terminal.interrupt()
        self.assertEqual(terminal.wait(), 1)
        self.assertIn("h2 stays in maintenance", terminal.seen)
        self.assertIn("evenkeel maintenance leave h2", terminal.seen)
        self.assertTrue(self.key_set())

    def test_ended_by_somebody(self):
        process = self.enter()
        self.world.redis("DEL", "evenkeel:maintenance:h2")
        self.check(self.end(process), 1, err="somebody has ended the maintenance of h2")

    def test_old_status(self):
        """A status from before is not believed until the balancer has seen the key."""
        self.evacuate()
        terminal = self.on_terminal()
        self.world.tell("balancer automatic 6 -")
        self.world.tell("balancer automatic 7 -")
        terminal.wait_for("h2: evacuated")
        self.world.tell("empty h2")
        self.assertEqual(terminal.wait(), 0)

    def test_no_balancer(self):
        """Without one nothing happens: status 1 after a grace, and the key stays."""
        self.world.redis("FLUSHALL")
        self.check(self.end(self.enter()), 1, err=["no balancer runs", "the key stays set"])
        self.assertTrue(self.key_set())

    def enter_both(self):
        process = subprocess.Popen([EVENKEEL, "-c", self.world.config, "maintenance", "enter", "h2", "h3",
                                    "--force", "--wait"], text=True, env=ENVIRONMENT,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(process.kill)
        self.until(lambda: self.world.redis("EXISTS", "evenkeel:maintenance:h3") == "1")
        return process

    def looks(self):
        """How often anything was read by GET, which each look does several times."""
        found = re.search(r"cmdstat_get:calls=(\d+)", self.world.redis("INFO", "commandstats"))
        return int(found[1]) if found else 0

    def look_again(self, process):
        """Until it has looked for sure once more, or ended."""
        seen = self.looks()
        self.until(lambda: self.looks() >= seen + 20 or process.poll() is not None)

    def test_several_hosts(self):
        """Each has to come to its end; the status is the worst of all."""
        process = self.enter_both()
        self.world.tell("drain h2 evacuating 2 -")
        self.world.tell("drain h3 infeasible 1 too large")
        line = None
        while line != "h2: evacuating, 2 of 2 domains left; h3: infeasible, 1 of 1 domain left, about 40 s\n":
            line = process.stdout.readline()
            self.assertNotEqual(line, "")
        self.evacuate()
        cycles = 5
        while process.poll() is None:
            cycles += 1
            self.assertLess(cycles, 200)
            self.world.tell(f"balancer automatic {cycles} -")
            time.sleep(0.1)
        result = self.end(process)
        self.check(result, 3, err=["h3 is infeasible: 1 domain cannot leave"])
        self.assertNotIn("is empty", result.out)

    def test_one_done_and_a_look_fails(self):
        """What cannot be read of one host now is no end for it, though the first one has come to its end."""
        process = self.enter_both()
        self.world.tell("drain h3 evacuating 2 -")
        self.evacuate()
        self.assertIn("the libvirt of h2 cannot be asked", process.stderr.readline())
        self.look_again(process)
        self.world.redis("SET", "evenkeel:maintenance-status:h3", "{")
        self.look_again(process)
        self.assertIsNone(process.poll())
        self.world.tell("drain h3 preflight 2 -")
        result = self.end(process)
        self.check(result, 3, err="2 domains stay on h3")
        self.assertNotIn("is empty", result.out)

    def test_one_done_and_somebody_ends_it(self):
        """A host that was found empty is not forgotten while the other one is waited for."""
        process = self.enter_both()
        self.world.tell("drain h3 evacuating 2 -")
        self.evacuate()
        self.assertIn("the libvirt of h2 cannot be asked", process.stderr.readline())
        self.look_again(process)
        self.world.redis("DEL", "evenkeel:maintenance:h2")
        self.look_again(process)
        self.world.tell("drain h3 evacuated 0 -")
        self.world.tell("empty h3")
        result = self.end(process)
        self.check(result, 1, err="somebody has ended the maintenance of h2")
        self.assertNotIn("is empty", result.out)

    def test_one_done_and_something_starts(self):
        """When the last one is done, every host is asked again, whatever the balancer said last: who has a
        domain then is not empty."""
        process = self.enter_both()
        self.world.tell("drain h3 evacuating 2 -")
        self.evacuate()
        self.assertIn("the libvirt of h2 cannot be asked", process.stderr.readline())
        self.look_again(process)
        self.world.tell("samples")  # with one on h2
        self.world.tell("drain h3 evacuated 0 -")
        self.world.tell("empty h3")
        while "h2: evacuated, but its libvirt still shows 1 domain;" not in process.stdout.readline():
            self.assertIsNone(process.poll())
        self.world.tell("empty h2")
        self.check(self.end(process), 0, ["h2 is empty", "h3 is empty"])


if __name__ == "__main__":
    if shutil.which("redis-cli") is None:
        raise SystemExit(77)
    unittest.main()
