"""What the balancer decided, told from what it recorded: replay, why --cycle, plans and their outcomes."""

import json
import signal
import time
import unittest

from harness import Case, Daemon, World

DOMAIN = "00000000-0000-4000-8000-00000000000"


class Recommends(Case):
    """A daemon that knows something from before recommends a plan for a hot host."""

    @classmethod
    def setUpClass(cls):
        cls.world = World()
        cls.addClassCleanup(cls.world.close)
        cls.world.tell("samples")
        now = int(time.time() * 1000)
        cls.world.redis("SET", "evenkeel:memory", json.dumps({
            "version": 1, "window_ms": 900000, "forecasts": [],
            "sustained": {"cycles": 0, "at_ms": now, "policy": "0" * 16},
            "learned": [{"domain": DOMAIN + "1", "factor": 1.7, "moved_at_ms": now - 60000}]}))
        cls.world.redis("SET", "evenkeel:engine", json.dumps({
            "version": 1, "paused": "", "paused_all": False, "circuits": [],
            "rests": [{"domain": DOMAIN + "2", "until_ms": now + 3600000,
                       "moved_at_ms": now - 60000, "repeats": 1, "avoid": "", "avoid_until_ms": 0,
                       "failed_until_ms": 0, "failures": 0, "lags_until_ms": 0}]}))
        cls.daemon = Daemon(cls.world)
        cls.addClassCleanup(cls.daemon.close)
        cls.daemon.until(lambda: cls.world.redis("HGET", "evenkeel:plans:latest", "id"))
        cls.plan = cls.world.redis("HGET", "evenkeel:plans:latest", "id")

    def test_replay(self):
        """The same to the byte, with a rest and a learned cost among what it was made from."""
        recorded = json.loads(self.world.redis("GET", f"evenkeel:input:{self.plan}"))
        self.assertEqual(recorded["engine"]["rests"][0]["domain"], DOMAIN + "2")
        self.assertEqual([d["migration_factor"] for d in recorded["snapshot"]["domains"]
                          if "migration_factor" in d], [1.7])
        self.check(self.daemon.run("replay", self.plan), 0,
                   out=f"plan {self.plan} comes out the same to the byte", err="")
        said = self.daemon.run("replay", self.plan, "--json")
        self.check(said, 0, err="")
        self.assertEqual([said.json()["same"], said.json()["differences"]], [True, []])
        self.assertEqual(json.loads(self.world.redis("GET", f"evenkeel:plan:{self.plan}")),
                         said.json()["plan"])

    def changed(self, name, change):
        """A copy of plan and input under another id, one of them changed."""
        for key in ("plan", "input"):
            text = self.world.redis("GET", f"evenkeel:{key}:{self.plan}")
            self.world.redis("SET", f"evenkeel:{key}:{name}", change(text) if key == "input" else text)
        self.addCleanup(self.world.redis, "DEL", f"evenkeel:plan:{name}", f"evenkeel:input:{name}")

    def test_replay_that_differs(self):
        """Other rests, another plan: the values are named, and which version recorded it."""
        def awake(text):
            document = json.loads(text)
            document["engine"]["rests"] = []
            return json.dumps(document | {"evenkeel": "0.0.7"})
        self.changed("other", awake)
        result = self.daemon.run("replay", "other")
        self.check(result, 3, out=["recorded by evenkeeld 0.0.7", "moves[0].", ", now "],
                   err="plan other differs in ")
        result = self.daemon.run("replay", "other", "--json")
        self.check(result, 3)
        self.assertEqual([result.json()["same"], result.json()["recorded_by"]], [False, "0.0.7"])
        self.assertIn("id", [it["path"] for it in result.json()["differences"]])

    def test_recommendation(self):
        """One record while it stands; nobody can approve it; it is what --shadow lists."""
        self.check(self.daemon.run("status"), 0, out=[f"recommends  plan {self.plan}: 1 move\n",
                                                      "RECOMMENDED ", f"\n{self.plan}-1  web-"])
        self.refused(self.daemon.run("approve", self.plan), 3, "the mode is recommend")
        shadow = self.daemon.run("history", "--shadow", "--json").json()["plans"]
        self.assertEqual([(p["id"], p["fate"], p["moves"]) for p in shadow],
                         [(self.plan, "recommended", 1)])
        self.assertEqual(self.world.redis("XLEN", "evenkeel:plans"), "1")

    def test_replay_of_what_is_gone(self):
        """Unknown is wrong input; gone, or written by a version that kept less, cannot be done."""
        self.refused(self.daemon.run("replay", "nosuchplan"), 2, "nosuchplan", "history --plans")
        self.refused(self.daemon.run("replay"), 2, "expected the id of a plan")
        self.changed("old", lambda text: json.dumps(
            {k: v for k, v in json.loads(text).items() if k != "request"}))
        self.refused(self.daemon.run("replay", "old"), 3, "input:old: request: found nothing")
        self.world.redis("DEL", "evenkeel:input:old")
        self.refused(self.daemon.run("replay", "old"), 3, "what plan old was made from is gone")

    def test_cycle(self):
        """The newest cycle: what it saw, in full; and the one that made the plan."""
        self.daemon.until(lambda: "still stands\n" in self.daemon.run("why", "--cycle").out)
        result = self.daemon.run("why", "--cycle")
        self.check(result, 0, err="", out=[
            "  because      1 move: ", "  trigger      wants moves: ",
            " of 3 cycles in a row have wanted moves\n", "  levels       imbalance of cpu 0.",
            "(trigger 0.100)\n", "  hottest      cpu of h1 at 78 %; comfort is below 60 %\n",
            "  gain         the best moves bring ", " % of the score; min_gain is 10.0 %\n",
            "  resting      1 domain, the first until 20", ": web-2\n", "  moves        0 run, 0 wait\n",
            "  hosts        2 of 3 up, 0 in maintenance; 4 domains\n"])
        result = self.daemon.run("why", "--cycle", self.plan)
        self.check(result, 0, err="", out=f": plan {self.plan} was recommended\n")
        self.assertIn("\n  sustained    3 of 3 cycles in a row", result.out)

    def test_cycles(self):
        """Several: alike ones in one row, and as they were recorded with --json."""
        result = self.daemon.run("why", "--cycle", "100")
        self.check(result, 0, out=["BECAUSE", " quiet ", " for 2 of 3 cycles\n",
                                   f" recommended  {self.plan}  1 move: "], err="")
        cycles = self.daemon.run("why", "--cycle", "100", "--json").json()["cycles"]
        self.assertEqual([c["sustained"] for c in cycles[-3:]], [3, 2, 1])
        self.assertEqual([c["cycle"] for c in cycles[-3:]], [3, 2, 1])
        self.assertEqual([c["end"] for c in cycles[-3:]], ["recommended", "quiet", "quiet"])
        self.assertGreater(cycles[-3]["offered_gain"], 0.1)
        self.assertNotIn("offered_gain", cycles[-1])
        self.assertEqual(len(self.daemon.run("why", "--cycle", "2", "--json").json()["cycles"]), 2)

    def test_cycle_usage(self):
        self.refused(self.daemon.run("why", "--cycle", "0"), 2, '"0"', "from 1 to 2000")
        self.refused(self.daemon.run("why", "--cycle", "nosuchplan"), 2, "nosuchplan")
        self.refused(self.daemon.run("why", "--cycle", "--policy", "x"), 2, "expected it alone")
        self.refused(self.daemon.run("why", "--cycle", "1", "2"), 2, '"2"')


class Approves(Case):
    """Mode approve: what is proposed waits for an operator."""

    @classmethod
    def setUpClass(cls):
        cls.world = World()
        cls.addClassCleanup(cls.world.close)
        cls.world.tell("samples")
        (cls.world.dir / "policy.yaml").write_text(
            "mode: approve\ntrigger: {sustained_cycles: 1}\n")
        cls.daemon = Daemon(cls.world)
        cls.addClassCleanup(cls.daemon.close)

    def proposed(self):
        """The plan that waits now."""
        self.daemon.until(lambda: self.daemon.run("status", "--json").json()["balancer"]["offered"])
        return self.daemon.run("status", "--json").json()["balancer"]["offer_id"]

    def fates(self, plan):
        plans = self.daemon.run("history", "--plans", "--json").json()["plans"]
        return [(p["opening"], p["fate"]) for p in plans if p["id"] == plan]

    def test_approval(self):
        """Shown with its moves; rejected it is not proposed again; approved it starts."""
        plan = self.proposed()
        self.check(self.daemon.run("status"), 0, err="", out=[
            f"approval    1 move waits for `evenkeel approve {plan}`, for another 59 min ",
            "PROPOSED ", f"\n{plan}-1  web-"])
        self.assertEqual(self.fates(plan), [("proposed", "proposed")])
        self.check(self.daemon.run("replay", plan), 0, out="the same to the byte")
        self.refused(self.daemon.run("approve", "nosuchplan"), 2, "nosuchplan", plan)
        self.refused(self.daemon.run("approve", plan, "--move", "other-1"), 2, f"such as {plan}-1")
        self.refused(self.daemon.run("approve"), 2, "expected a plan's id")
        self.check(self.daemon.run("reject", plan), 0, err="",
                   out=f"1 move of plan {plan} is rejected; its domain rests as after a move")
        self.daemon.until(lambda: self.fates(plan) == [("proposed", "rejected")])
        other = self.proposed()  # of the domain that does not rest
        self.assertNotEqual(plan, other)
        self.check(self.daemon.run("approve", other, "--move", f"{other}-1"), 0, err="",
                   out=f"1 move of plan {other} is approved and starts as limits allow")
        self.daemon.until(lambda: self.world.redis("EXISTS", f"evenkeel:move:{other}-1") == "1")
        self.assertIn(("proposed", "started"), self.fates(other))
        self.refused(self.daemon.run("approve", other), 2, "no plan waits")


class Remembers(Case):
    """A daemon that had begun to empty a host before it started."""

    def test_a_key_that_comes_back(self):
        """It goes on with what had begun, whatever is written over the key; a key that was gone is
        another maintenance, even if nobody could have seen it gone."""
        world = World()
        self.addCleanup(world.close)
        world.tell("samples")
        world.redis("SET", "evenkeel:maintenance:h2", "disks")
        world.redis("SET", "evenkeel:engine", json.dumps({
            "version": 1, "paused": "", "paused_all": False, "circuits": [], "rests": [],
            "begun": ["h2"]}))
        daemon = Daemon(world)
        self.addCleanup(daemon.close)

        def begun():
            return json.loads(world.redis("GET", "evenkeel:engine"))["begun"]

        def cycles():
            return json.loads(world.redis("GET", "evenkeel:status:balancer"))["cycles"]

        world.redis("SET", "evenkeel:maintenance:h2", "disks and fans")
        seen = cycles()
        daemon.until(lambda: cycles() >= seen + 3)
        self.assertEqual(begun(), ["h2"])
        world.redis("EVAL", "redis.call('DEL', KEYS[1]); redis.call('SET', KEYS[1], 'disks')", "1",
                    "evenkeel:maintenance:h2")
        daemon.until(lambda: begun() == [])


class Waits(Case):
    """Cycles that come to nothing, each for its own reason."""

    def setUp(self):
        self.world = World()
        self.addCleanup(self.world.close)

    def start(self, policy=""):
        (self.world.dir / "policy.yaml").write_text(policy)
        daemon = Daemon(self.world)
        self.addCleanup(daemon.close)
        return daemon

    def until_cycle(self, daemon, *pieces):
        """Until the newest cycle says all of that."""
        try:
            daemon.until(lambda: all(p in daemon.run("why", "--cycle").out for p in pieces))
        except AssertionError:
            self.fail(f"{pieces} not in {daemon.run('why', '--cycle')}")

    def test_nothing_recorded(self):
        self.refused(self.world.run("why", "--cycle"), 3, "no cycle is recorded")

    def test_holds_and_pauses(self):
        """No host is seen: it holds. Then it is paused: the trigger is not asked."""
        daemon = self.start()
        self.until_cycle(daemon, "nothing was planned, the balancer held\n",
                         "  because      3 of 3 hosts have no fresh sample\n",
                         "  levels       no host was seen that is to be levelled\n")
        self.world.tell("samples")
        self.check(daemon.run("pause"), 0)
        self.until_cycle(daemon, "nothing to move\n",
                         "  trigger      was not asked: an operator paused balancing\n",
                         "  paused       an operator paused balancing\n")

    def test_window(self):
        """Outside its windows it says until when, in status and of each cycle."""
        self.world.tell("samples")
        today = time.strftime("%a", time.gmtime(time.time() + 2 * 86400)).lower()
        daemon = self.start(f"windows: [{{days: {today}, from: '00:00', to: '00:01'}}]\n")
        until = f"outside the window until {today.capitalize()} 00:00 UTC\n"
        self.until_cycle(daemon, "nothing to move\n", f"  window       {until}",
                         f"  trigger      was not asked: {until}")
        self.check(daemon.run("status"), 0, out=f"holding     balancing: {until}")
        self.assertIn(f"nothing is balanced: {until}", daemon.log.read_text())
        self.check(daemon.run("why", "web-1"), 0, err=f"nothing is balanced now: {until}")

    def test_comfort_and_gain(self):
        """Below comfort no moves are wanted; what brings too little says how much it would."""
        self.world.tell("samples")
        policy = "trigger: {comfort: 99%, sustained_cycles: 1}\nresources: {cpu: {target_max: 0.99}}\n"
        daemon = self.start(policy)
        self.until_cycle(daemon, "  trigger      wants none: every host is below the comfort "
                                 "threshold of 99 %\n", "  sustained    0 of 1 cycle in")
        (self.world.dir / "policy.yaml").write_text(
            policy.replace("comfort: 99%", "comfort: 1%, min_gain: 99%"))
        self.check(self.daemon_reload(daemon), 0)
        self.until_cycle(daemon, "nothing to move: the best plan would lower the score by ",
                         "; min_gain is 99.0 %\n")

    @staticmethod
    def daemon_reload(daemon):
        daemon.process.send_signal(signal.SIGHUP)
        daemon.until(lambda: "policy taken over" in daemon.log.read_text())
        return daemon.run("status")


if __name__ == "__main__":
    unittest.main()
