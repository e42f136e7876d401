"""evenkeel top: the frame, the terminal, and that it is left as it was."""

import fcntl
import json
import os
import signal
import struct
import termios
import unittest

from harness import Fresh, OnTerminal

ENTER, LEAVE = "\033[?1049h", "\033[?1049l"


class Top(Fresh):
    def setUp(self):
        super().setUp()
        self.world.tell("samples")
        self.world.tell("balancer automatic 5 the sun is too bright")
        self.world.tell("moves")
        self.world.redis("HSET", "evenkeel:move:p1-4", "progress", "0.5", "eta_ms", "9000",
                         "transferred_mib", "4000", "rate_mib_s", "87", "dirty_mib_s", "12",
                         "iteration", "3", "share_mib_s", "95")

    def live(self, columns=140, rows=40):
        """A terminal of that size with a first frame on it; how it was before is in `before`."""
        terminal = OnTerminal("-c", self.world.config, "top")
        self.resize(terminal, columns, rows)
        terminal.wait_for(ENTER)
        terminal.wait_for("\033[J")
        return terminal

    @staticmethod
    def resize(terminal, columns, rows):
        fcntl.ioctl(terminal.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    @staticmethod
    def frame(terminal):
        """The lines of the newest whole frame, without the sequences that end them."""
        return terminal.seen.split("\033[H")[-1].split("\033[J")[0].split("\033[K\r\n")

    def test_once(self):
        """One frame: who leads, what holds it, the budget, moves with rate and round, hosts."""
        result = self.world.run("top", "--once")
        self.check(result, 0, ["node1:42 leads (epoch 3), automatic, policy spread",
                               "holding   the sun is too bright", "1 of 4 run",
                               "2 wait; 87 MiB/s, of unlimited",
                               "left alone: web-2, its move p1-3 ended as unknown"], err="")
        self.assertRegex(result.out, r"(?m)^web-1 +h1 -> h2 +running +\[#{10}\.{10}\]  50 % +87 +95 "
                                     r"+12 +4000 +3 +9 s +1 +balance +p1-4$")
        self.assertRegex(result.out, r"(?m)^h1 +up +\[#{5}\.{5}\]  53 % .* - +1, 87 MiB/s +-$")
        self.assertRegex(result.out, r"(?m)^h3 +down ")
        self.assertNotIn("\033", result.out)

    def test_waiting(self):
        """What the plan still has before it, without what has begun."""
        moves = [{"seq": n, "domain": f"u{n}", "name": f"vm-{n}", "source": "h1",
                  "destination": "h2", "kind": "evacuate"} for n in (1, 2, 3)]
        self.world.redis("SET", "evenkeel:plan:p7", json.dumps({"version": 1, "moves": moves}))
        self.world.redis("HSET", "evenkeel:plans:latest", "id", "p7", "fate", "started")
        result = self.world.run("top")  # no terminal: as with --once
        self.check(result, 0, ["WAITING\n", "vm-3  h1 -> h2  evacuate\n"], err="")

    def test_json(self):
        document = self.world.run("top", "--json").json()
        self.assertEqual([r["order"]["name"] for r in document["running"]], ["web-1"])
        self.assertEqual(document["running"][0]["rate_mib_s"], 87)

    def test_no_balancer(self):
        self.world.redis("FLUSHALL")
        self.check(self.world.run("top"), 0, out="no balancer leads here")

    def test_keys(self):
        """q ends it; the screen and the terminal's settings are as before."""
        terminal = self.live()
        self.assertFalse(termios.tcgetattr(terminal.fd)[3] & termios.ECHO)
        os.write(terminal.fd, b"q")
        terminal.wait_for(LEAVE)
        self.assertEqual(terminal.wait(), 0)

    def test_settings_come_back(self):
        """Also after Ctrl-C, which the terminal makes a signal of, and after SIGTERM."""
        for end in (lambda t: os.write(t.fd, b"\x03"), lambda t: os.kill(t.pid, signal.SIGTERM)):
            terminal = self.live()
            keeper = os.dup(terminal.fd)
            end(terminal)
            terminal.wait_for(LEAVE)
            self.assertTrue(termios.tcgetattr(keeper)[3] & termios.ECHO)
            self.assertTrue(termios.tcgetattr(keeper)[3] & termios.ICANON)
            os.close(keeper)
            self.assertEqual(terminal.wait(), 0)

    def test_refreshes(self):
        """What changes in Redis is on the screen with the next frame."""
        terminal = self.live()
        self.assertNotIn("77 %", terminal.seen)
        self.world.redis("HSET", "evenkeel:move:p1-4", "progress", "0.77")
        terminal.wait_for("77 %")
        os.write(terminal.fd, b"q")
        terminal.wait()

    def test_size(self):
        """No line is longer than the terminal, no frame higher, and what is cut is told."""
        terminal = self.live(30, 6)
        terminal.wait_for("more lines")
        lines = self.frame(terminal)
        self.assertLessEqual(len(lines), 6)
        for line in lines:
            bare = line.replace("\033[0m", "")
            for sequence in ("1", "2", "31", "32", "33"):
                bare = bare.replace(f"\033[{sequence}m", "")
            self.assertLessEqual(len(bare), 30, line)
        self.resize(terminal, 140, 40)  # the next frame comes with the signal
        terminal.wait_for("MAINTENANCE")
        os.write(terminal.fd, b"q")
        terminal.wait()


if __name__ == "__main__":
    unittest.main()
