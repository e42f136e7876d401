"""evenkeel backtest: what policies would have made of a history, side by side."""

import pathlib
import shutil
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


if __name__ == "__main__":
    unittest.main()
