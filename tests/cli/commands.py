"""Commands from the operator's command to a real evenkeeld and back, over a real Redis."""

import json
import subprocess
import time
import unittest

from harness import ENVIRONMENT, EVENKEEL, Case, Daemon, Fresh, OnTerminal, WithWorld, World


class Answered(WithWorld):
    """A daemon leads all the time; web-2's last move ended as unknown."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.world.tell("samples")
        cls.world.tell("moves")
        cls.world.redis("DEL", "evenkeel:leader")  # what wrote the records leads no more
        cls.spooled = cls.world.dir / "daemon" / "spool" / "p1-4.json"
        cls.spooled.parent.mkdir(parents=True)
        before = cls.world.redis("HGET", "evenkeel:move:p1-4", "json")
        after = json.dumps(json.loads(before) | {"state": "commit-pending"})
        cls.spooled.write_text(f"{before}\n{after}\n")
        cls.daemon = Daemon(cls.world)
        cls.addClassCleanup(cls.daemon.close)

    def run_json(self, *words, status=0):
        result = self.daemon.run(*words, "--json")
        self.check(result, status, err="")
        self.assertEqual(result.json()["version"], 1)
        return result.json()

    def event(self):
        return self.world.redis("XREVRANGE", "evenkeel:events", "+", "-", "COUNT", "3")

    def give(self, *fields):
        """A command that is written by hand; its reply."""
        command = self.world.redis("XADD", "evenkeel:command", "*", *fields)
        self.daemon.until(lambda: self.world.redis("EXISTS", f"evenkeel:reply:{command}") == "1")
        return json.loads(self.world.redis("GET", f"evenkeel:reply:{command}"))

    def test_pause_and_resume(self):
        """The balancer says that it is paused, with what ends it, until it is resumed."""
        self.check(self.daemon.run("pause"), 0, out="balancing is paused until", err="")
        self.check(self.daemon.run("status"), 0, out="`evenkeel resume` ends it")
        self.assertIn("kind\ncommand", self.event())
        self.assertEqual(self.run_json("resume")["done"], True)
        self.assertNotIn("paused ", self.daemon.run("status").out)

    def test_refusals(self):
        """What is not there is wrong input; what may not be is refused."""
        self.refused(self.daemon.run("cancel", "p9"), 2, "no move of a plan", "p9")
        self.refused(self.daemon.run("abort", "p9-1"), 2, "no move", "p9-1")
        self.refused(self.daemon.run("move", "nobody", "h2"), 2, "nobody")
        self.refused(self.daemon.run("move", "web-1", "h8"), 2, '"h8"', "h1, h2, h3")
        self.refused(self.daemon.run("move", "db-1", "h2"), 3, "db-1")
        self.refused(self.daemon.run("resolve", "web-1"), 2, "web-1")
        reply = self.run_json("cancel", "p9", status=2)
        self.assertEqual([reply["done"], reply["error"]], [False, "not found"])

    def test_broken_commands(self):
        """Answered with what is wrong, and nothing else happens."""
        for fields in (("version", "1", "kind", "nonsense"), ("version", "7", "kind", "pause")):
            reply = self.give(*fields)
            self.assertEqual([reply["done"], reply["error"]], [False, "invalid input"])
        self.assertNotIn("paused ", self.daemon.run("status").out)
        self.assertEqual(self.world.redis("XLEN", "evenkeel:command"), "0")

    def test_late_command(self):
        """One that waited while nobody led is answered, and not done any more."""
        self.world.redis("DEL", "evenkeel:command")
        self.world.redis("XADD", "evenkeel:command", "1000-1", "version", "1", "kind", "pause")
        self.check(self.daemon.run("resume"), 0, err="")  # the older one is taken first
        reply = json.loads(self.world.redis("GET", "evenkeel:reply:1000-1"))
        self.assertEqual([reply["done"], reply["error"]], [False, "timed out"])
        self.assertIn("not done any more", reply["text"])
        self.assertNotIn("paused ", self.daemon.run("status").out)

    def test_start(self):
        """What was spooled is in the journal before the move is adopted; an alarm stands in the log."""
        log = self.daemon.log.read_text()
        spooled = log.index("move p1-4: its state commit-pending was spooled")
        self.assertGreater(log.index("move p1-4 of web-1 is adopted; it was commit-pending"), spooled)
        self.assertFalse(self.spooled.exists())
        self.assertIn("web-2 is left alone: its move p1-3 from h1 to h2 ended as unknown", log)

    def test_abort_shows_the_move(self):
        """p1-4 is adopted and cannot be read: the abort is taken, its outcome waited for."""
        terminal = OnTerminal("-c", self.daemon.config, "abort", "p1-4")
        terminal.wait_for("web-1: h1 -> h2, reconcile")
        terminal.interrupt()
        self.assertEqual(terminal.wait(), 1)
        self.assertIn("interrupted; the move goes on", terminal.seen)

    def test_resolve(self):
        """Evidence of hosts that cannot be read leaves one choice, which must be said twice."""
        result = self.daemon.run("resolve", "web-2")
        self.check(result, 0, ["move p1-3: unknown since", "source       h1: unreachable",
                               "other hosts  h3: unreachable", "that means   unknown: ",
                               "evenkeel resolve web-2 --choice forget --yes\n"], err="")
        self.assertNotIn("accept", result.out)
        self.check(self.daemon.run("resolve", "web-2", "--choice", "accept-source"), 3,
                   out="h1: unreachable", err="accept-source is not safe now")
        self.refused(self.daemon.run("resolve", "web-2", "--choice", "forget"), 2, "--yes")
        self.refused(self.daemon.run("resolve", "web-2", "--choice", "nonsense"), 2, "nonsense")
        self.assertEqual(self.world.redis("SMEMBERS", "evenkeel:moves:blocking"), "p1-3")
        self.check(self.daemon.run("resolve", "web-2", "--choice", "forget", "--yes"), 0,
                   out="web-2 may be moved again", err="")
        self.assertEqual(self.world.redis("SCARD", "evenkeel:moves:blocking"), "0")
        word = json.loads(self.world.redis("HGET", "evenkeel:move:p1-3", "resolution"))
        self.assertEqual(word["choice"], "forget")
        self.assertRegex(word["by"], r"^[^@]+@[^@]+$")
        self.assertEqual(self.daemon.run("status", "--json").json()["blocked"], [])

    def test_usage(self):
        for words in (("cancel",), ("abort",), ("move", "web-1"), ("resolve",), ("pause", "x"),
                      ("move", "", "h1"), ("cancel", "x" * 200)):
            self.refused(self.daemon.run(*words), 2, words[0])
        for verb in ("cancel", "abort", "move", "resolve", "pause", "resume", "top"):
            self.check(self.daemon.run(verb, "--help"), 0, out=f"Usage: evenkeel [-c FILE] [--json] "
                                                               f"{verb}", err="")

    def test_zz_cancel_all(self):
        """Last, by its name: nothing starts any more until it is resumed."""
        self.check(self.daemon.run("cancel", "all"), 0, out="until `evenkeel resume`", err="")
        self.check(self.daemon.run("status"), 0, out="cancelled everything")
        self.check(self.daemon.run("resume"), 0, err="")


class Impatient(Daemon):
    """Redis is away for it after a second."""
    CONFIG = Daemon.CONFIG.replace("mode: external,", "mode: external, command_timeout: 1s,")


class Away(Case):
    def test_what_it_knows_outlives_redis(self):
        """A leader that comes back to its own lease knows more than what it last could write."""
        world = World()
        self.addCleanup(world.close)
        daemon = Impatient(world)
        self.addCleanup(daemon.close)
        self.check(daemon.run("pause"), 0)
        self.check(daemon.run("resume"), 0)
        before = world.redis("GET", "evenkeel:engine")
        self.check(daemon.run("pause"), 0)
        world.redis("SET", "evenkeel:engine", before)  # as if the write had been lost
        world.redis("CLIENT", "PAUSE", "4000")
        daemon.until(lambda: daemon.log.read_text().count("this balancer leads") == 2)
        daemon.until(lambda: world.redis("GET", "evenkeel:engine") != before)
        self.check(daemon.run("status"), 0, out="`evenkeel resume` ends it")


class Unreadable(Case):
    def test_what_was_paused_before_is_not_known(self):
        """Nothing starts until somebody resumes, and the events say why."""
        world = World()
        self.addCleanup(world.close)
        world.redis("SET", "evenkeel:engine", '{"version": 1, "paused": 7}')
        daemon = Daemon(world)
        self.addCleanup(daemon.close)
        daemon.until(lambda: "what was paused before is not known" in
                     world.redis("XREVRANGE", "evenkeel:events", "+", "-"))
        self.check(daemon.run("status"), 0, out="what was paused before is not known: engine: ")
        self.check(daemon.run("resume"), 0, err="")
        self.assertNotIn("is not known", daemon.run("status").out)


class Unanswered(Fresh):
    def test_nobody_leads(self):
        """Said at once; no command is left behind that somebody might take later."""
        begin = time.monotonic()
        self.refused(self.world.run("pause"), 1, "no balancer leads here")
        self.assertLess(time.monotonic() - begin, 9)
        self.assertEqual(self.world.redis("EXISTS", "evenkeel:command"), "0")

    def test_nobody_answers(self):
        """After ten seconds the command is taken back."""
        self.world.tell("balancer automatic 5 -")
        self.refused(self.world.run("pause"), 1, "has answered within 10 s", "withdrawn")
        self.assertEqual(self.world.redis("XLEN", "evenkeel:command"), "0")

    def test_taken_and_not_answered(self):
        """What a balancer took before it died may have happened: that is said."""
        self.world.tell("balancer automatic 5 -")
        with subprocess.Popen([EVENKEEL, "-c", self.world.config, "pause"], text=True,
                              env=ENVIRONMENT, stderr=subprocess.PIPE) as process:
            while not (entry := self.world.redis("XRANGE", "evenkeel:command", "-", "+")):
                self.assertIsNone(process.poll())
            self.world.redis("XDEL", "evenkeel:command", entry.split()[0])
            self.assertIn("has taken the command", process.communicate(timeout=40)[1])
        self.assertEqual(process.returncode, 1)

    def test_reply_that_cannot_be_read(self):
        self.world.tell("balancer automatic 5 -")
        with subprocess.Popen([EVENKEEL, "-c", self.world.config, "pause"], text=True,
                              env=ENVIRONMENT, stderr=subprocess.PIPE) as process:
            while not (entry := self.world.redis("XRANGE", "evenkeel:command", "-", "+")):
                self.assertIsNone(process.poll())
            self.world.redis("SET", f"evenkeel:reply:{entry.split()[0]}", '{"version": 1}')
            self.assertRegex(process.communicate(timeout=40)[1], r"reply: id: found nothing")
        self.assertEqual(process.returncode, 1)


class MoveWait(Case):
    """move --wait, with a balancer that the test plays."""

    ORDER = {"id": "m1-1", "plan_id": "m1", "seq": 1, "kind": "manual", "source": "h1",
             "domain": "00000000-0000-4000-8000-000000000001", "name": "web-1", "destination": "h2"}

    def setUp(self):
        self.world = World()
        self.addCleanup(self.world.close)
        self.world.tell("balancer automatic 5 -")

    def put(self, state, progress=0.0, eta_ms=-1):
        record = {"version": 1, "order": self.ORDER, "state": state, "attempt": 1, "epoch": 1,
                  "progress": progress, "eta_ms": eta_ms}
        self.world.redis("HSET", "evenkeel:move:m1-1", "version", "1", "json", json.dumps(record))
        self.world.redis("LREM", "evenkeel:moves:recent", "0", "m1-1")
        self.world.redis("LPUSH", "evenkeel:moves:recent", "m1-1")

    def order(self):
        """Starts it and plays the balancer's answer."""
        terminal = OnTerminal("-c", self.world.config, "move", "web-1", "h2", "--wait")
        while not (entry := self.world.redis("XRANGE", "evenkeel:command", "-", "+")):
            pass
        command = entry.split()[0]
        self.assertRegex(entry, r"kind\nmove\nsubject\nweb-1\nhost\nh2\n")
        self.world.redis("SET", f"evenkeel:reply:{command}", json.dumps(
            {"version": 1, "id": command, "done": True, "text": "move m1-1 is ordered"}))
        terminal.wait_for("web-1: waiting for its turn")
        return terminal

    def test_done(self):
        """Its turn, its progress with what is left, its end."""
        terminal = self.order()
        self.put("running", 0.4, 12000)
        terminal.wait_for("[########............] web-1: h1 -> h2, running, about 12 s")
        self.put("done", 1)
        self.assertEqual(terminal.wait(), 0)
        self.assertIn("[####################] web-1: h1 -> h2, done", terminal.seen)

    def test_failed(self):
        terminal = self.order()
        self.put("rolled-back")
        self.assertEqual(terminal.wait(), 3)
        self.assertIn("move m1-1 of web-1 ended as rolled-back", terminal.seen)


if __name__ == "__main__":
    unittest.main()
