"""evenkeel backtest: what policies would have made of a history, side by side."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree

from harness import Case, World, evenkeel


class Backtest(Case):
    """Six hours in which four domains want all of h1 while h2 is empty."""

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="ek-backtest-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        world = World()
        cls.addClassCleanup(world.close)
        world.tell("history 360")
        cls.history = cls.folder / "day.history"
        done = world.run("samples", "export", cls.history)
        assert done.status == 0, done
        cls.still = cls.folder / "still.yaml"
        cls.still.write_text("aggressiveness: 1\n")
        cls.keen = cls.folder / "keen.yaml"
        cls.keen.write_text("aggressiveness: 4\nmode: recommend\n")

    def backtest(self, *words):
        return evenkeel("backtest", "--history", self.history, "--policy", self.still,
                        "--policy", self.keen, *words)

    def test_two_policies_side_by_side(self):
        """One leaves the overload as it was, the other ends it by a move or two."""
        result = self.backtest("--json")
        self.check(result, 0, err="")
        still, keen = result.json()["runs"]
        self.assertEqual([still["name"], keen["name"]], [str(self.still), str(self.keen)])
        self.assertEqual(still["moves"], 0)
        self.assertGreater(still["overload_host_h"], 5.5)
        self.assertGreater(keen["moves"], 0)
        self.assertLess(keen["overload_host_h"], 1)
        self.assertEqual(self.backtest("--json").out, result.out)

    def test_table_and_picture(self):
        picture = self.folder / "both.svg"
        result = self.backtest("--svg", picture)
        self.check(result, 0, out=["still.yaml", "keen.yaml"], err="")
        self.assertTrue(xml.etree.ElementTree.parse(picture).getroot().tag.endswith("svg"))

    def test_refusals(self):
        bad = self.folder / "bad.history"
        bad.write_bytes(self.history.read_bytes()[:1000])
        self.refused(evenkeel("backtest", "--history", bad, "--policy", self.still), 2,
                     f"{bad}: byte 1000: found the end of the file")
        self.refused(evenkeel("backtest", "--history", self.history), 2, "found no --policy")
        wrong = self.folder / "wrong.yaml"
        wrong.write_text("aggresiveness: 1\n")
        self.refused(evenkeel("backtest", "--history", self.history, "--policy", wrong), 2,
                     f"{wrong}:1: found unknown key")


class Past(Case):
    """Pasts of which is known what is true."""

    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)

    def policy(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return path

    def backtest(self, kind, policies, *words):
        history = self.folder / kind
        subprocess.run([os.environ["CLI_HISTORY"], kind, history], check=True)
        return evenkeel("backtest", "--history", history, *words,
                        *(word for policy in policies for word in ("--policy", policy)))

    def test_guests_come_and_go(self):
        """One guest after the other on a host that holds three: nothing is full, nothing is moved,
        and what ended by itself, or was off for a while, is not missed."""
        picture = self.folder / "churn.svg"
        result = self.backtest("churn", [self.policy("keen.yaml", "aggressiveness: 3\n")], "--json",
                               "--svg", picture)
        self.check(result, 0, err="")
        run, = result.json()["runs"]
        self.assertEqual(run["domains"], 7)
        self.assertEqual(run["moves"], 0)
        self.assertEqual(run["overload_host_h"], 0)
        self.assertEqual(run["down_domain_h"], 0)
        # h1 is empty for ten minutes of the third hour and of the fourth, and h2 always. The last
        # sample of a guest is played for a minute: it was there for a minute before the first.
        self.assertAlmostEqual(run["used_hosts"], (359 - 20) / 359, delta=4 / 359)
        # No move and no overload, on axes that have a scale all the same.
        self.assertNotIn(">0.001<", picture.read_text())
        self.assertIn(">5 h<", picture.read_text())
        # 9.1 GiB of 32 for most of the time, on one of two hosts.
        self.assertLess(run["memory_imbalance"], 0.15)

    def test_one_limit_for_all(self):
        """A policy that asks for less does not look better in the same world."""
        policies = [self.policy("low.yaml", "resources: {cpu: {target_max: 0.7}}\n"),
                    self.policy("high.yaml", "resources: {cpu: {target_max: 0.95}}\n")]
        for words, hours, limit in ((), 359 / 60, 0.7), (("--overload-cpu", 95), 0, 0.95):
            result = self.backtest("full", policies, "--json", *words)
            self.check(result, 0, err="")
            for run in result.json()["runs"]:
                self.assertEqual(run["overload_above_cpu"], limit)
                self.assertAlmostEqual(run["overload_host_h"], hours, delta=0.05)
        self.check(self.backtest("full", policies), 0, out=["overloaded: above 70 % of CPU or"])
        self.refused(self.backtest("full", policies, "--overload-cpu", "much"), 2,
                     '--overload-cpu: found "much"')

    def test_a_clock_that_was_wrong(self):
        """What lies years apart is left out, and that is said."""
        result = self.backtest("ahead", [self.policy("keen.yaml", "aggressiveness: 3\n")], "--json")
        self.check(result, 0, err=["left out 2 of 722 samples, from 2001-09-", "to 2040-06-"])
        run, = result.json()["runs"]
        self.assertAlmostEqual(run["days"], 359 / 1440, delta=1e-9)
        self.assertEqual((run["hosts"], run["domains"]), (2, 2))


if __name__ == "__main__":
    unittest.main()
