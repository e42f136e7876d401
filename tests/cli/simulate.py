"""evenkeel simulate: the same result for the same seed, its figures, its files, its complaints."""

import csv
import json
import pathlib
import re
import tempfile
import unittest
import xml.etree.ElementTree

from harness import DATA, Case, OnTerminal, evenkeel

SMALL = ("--hosts", 6, "--domains", 90, "--days", 0.25, "--load", 50)
UNLEVEL = {"version": 1, "taken_at_ms": 1, "hosts": [
    {"name": n, "cpu_cores": 8, "memory_mib": 32768} for n in ("h1", "h2")], "domains": [
    {"uuid": f"00000000-0000-4000-8000-00000000000{i}", "name": f"vm-{i}", "host": "h1", "vcpus": 2,
     "memory_mib": 2048, "cpu_used_cores": 1} for i in range(6)]}
BITBRAINS = ("Timestamp [ms];\tCPU cores;\tCPU capacity provisioned [MHZ];\tCPU usage [MHZ];\t"
             "CPU usage [%];\tMemory capacity provisioned [KB];\tMemory usage [KB];\t"
             "Disk read throughput [KB/s];\tDisk write throughput [KB/s];\t"
             "Network received throughput [KB/s];\tNetwork transmitted throughput [KB/s]\n")


def simulate(*words, **kwargs):
    return evenkeel("simulate", *words, **kwargs)


def run_of(*words):
    """The one run of a document."""
    result = simulate("--json", *words)
    assert result.status == 0, result
    return result.json()["runs"][0]


class Folder(Case):
    """With a folder of its own."""

    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    def complains(self, text, *words, status=2):
        result = simulate(*words)
        self.assertEqual(result.status, status, result)
        self.assertEqual(result.out, "")
        self.assertIn(text, result.err)


class Twice(Folder):
    """Options of which one would be dropped."""

    def test_options_given_twice(self):
        self.complains("--policy: found it again, expected it once; `evenkeel backtest` compares "
                       "several", "--policy", "a", "--policy", "b")
        self.complains("--csv: found it again", "--csv", "a", "--csv", "b")
        self.refused(evenkeel("plan", "--policy", "a", "--policy", "b"), 2, "--policy: found it again")


class Calendar(Folder):
    """Windows and blackouts hold in virtual time, too."""

    def test_windows(self):
        snapshot = self.write("s.json", json.dumps(UNLEVEL))
        words = ("--snapshot", snapshot, "--days", 0.2)
        policy = self.write("p.yaml", "windows: [{days: all, from: '00:00', to: '24:00'}]\n")
        self.assertGreater(run_of(*words, "--policy", policy)["moves"], 0)
        policy = self.write("q.yaml", "windows: [{days: all, from: '12:00', to: '12:01'}]\n")
        self.assertEqual(run_of(*words, "--policy", policy)["moves"], 0)
        policy = self.write("l.yaml", "timezone: local\n"
                                      "blackouts: [{days: all, from: '00:00', to: '24:00'}]\n")
        result = simulate(*words, "--policy", policy)
        self.check(result, 0, err="warning: " + str(policy) + ": in virtual time, timezone: local")


class Results(Folder):
    """What comes out."""

    def test_same_seed(self):
        """One seed, one document to the byte; another seed, another."""
        first = simulate("--json", *SMALL)
        self.assertEqual(first.status, 0, first)
        self.assertEqual(first.out, simulate("--json", *SMALL).out)
        other = run_of(*SMALL, "--seed", 2)
        self.assertNotEqual(first.json()["runs"][0]["digest"], other["digest"])

    def test_figures(self):
        """Days add up to the run; per day is per day."""
        run = run_of("--hosts", 6, "--domains", 90, "--days", 1.5, "--load", 60, "--bursts", 4)
        days = run["per_day"]
        self.assertEqual(len(days), 2)
        self.assertGreater(run["moves"], 0)
        self.assertEqual(sum(d["moves"] for d in days), run["moves"])
        self.assertEqual(run["outcomes"]["done"], run["moves"])
        self.assertAlmostEqual(run["moves_per_day"], run["moves"] / 1.5)
        for key in ("overload_host_h", "full_host_h", "imbalance_h"):
            self.assertAlmostEqual(sum(d[key] for d in days), run[key])
        self.assertAlmostEqual(sum(d["moved_gib"] for d in days), run["moved_gib_per_day"] * 1.5)
        self.assertGreater(run["overload_host_h"], 0)
        self.assertEqual(run["cycles"], 36 * 60)

    def test_table(self):
        """People get the same figures."""
        run, text = run_of(*SMALL), simulate(*SMALL).out
        self.assertIn("6 hosts, 90 domains, 0.25 days in cycles of 60 s, seed 1", text)
        self.assertRegex(text, rf"moves per day +{run['moves_per_day']:.1f}\n")
        self.assertRegex(text, rf"host-hours overloaded +{run['overload_host_h']:.1f}\n")
        self.assertRegex(text, r"worst domain +\S")
        page = (DATA.parents[2] / "docs" / "commands.md").read_text()
        for title in re.findall(r"(?m)^(.*?)  +\S+$", text.partition("POLICY")[2]):
            self.assertIn(f"    {title} ", page)

    def test_policy(self):
        """The policy decides, and acts although it only recommends."""
        never = self.write("never.yaml", "version: 1\nmode: recommend\naggressiveness: 1\n")
        much = self.write("much.yaml", "version: 1\nmode: recommend\naggressiveness: 5\n")
        self.assertEqual(run_of(*SMALL, "--policy", never)["moves"], 0)
        self.assertGreater(run_of(*SMALL, "--policy", much)["moves"], 0)
        wrong = self.write("wrong.yaml", "version: 1\npolicy: spraed\n")
        self.complains(f"{wrong}:2: found", "--policy", wrong)

    def test_misfortunes(self):
        """Hosts that fail stop their domains; who asks for none gets none."""
        day = ("--hosts", 6, "--domains", 90, "--days", 1)
        quiet = run_of(*day, "--failures", 0, "--losses", 0)
        hard = run_of(*day, "--failures", 300)
        self.assertLess(quiet["down_domain_h"], 0.1)
        self.assertGreater(hard["down_domain_h"], 10)

    def test_csv(self):
        """A line for each host and cycle, whose figures are those of the run."""
        path = self.folder / "hosts.csv"
        run = run_of(*SMALL, "--csv", path, "--failures", 0, "--losses", 0)
        with open(path, encoding="utf-8") as lines:
            rows = list(csv.DictReader(lines))
        self.assertEqual(len(rows), 6 * 6 * 60)
        full = sum(float(r["cpu_wanted_cores"]) >= float(r["cpu_cores"]) for r in rows)
        self.assertAlmostEqual(full / 60, run["full_host_h"])
        self.assertEqual(sum(int(r["domains"]) for r in rows if r["time_s"] == "60.000"), 90)

    def test_picture(self):
        """It is well-formed and has a line for each panel."""
        path = self.folder / "picture.svg"
        self.assertEqual(simulate(*SMALL, "--svg", path).status, 0)
        lines = xml.etree.ElementTree.parse(path).getroot().findall(
            "{http://www.w3.org/2000/svg}polyline")
        self.assertEqual(len(lines), 7)
        self.assertTrue(all(len(line.get("points").split()) == 360 for line in lines))

    def test_progress(self):
        """A terminal sees how far it is and how long it takes; a file sees nothing of it."""
        seen = OnTerminal("simulate", *SMALL)
        self.assertEqual(seen.wait(), 0)
        self.assertRegex(seen.seen, r"\[#+\] day 0\.2 of 0\.25, 100 %, about 0 s left")
        self.assertEqual(simulate(*SMALL).err, "")


class Inputs(Folder):
    """Clusters and loads that are given."""

    def test_snapshot(self):
        """It begins with that cluster: what is not level is levelled."""
        path = self.write("s.json", json.dumps(UNLEVEL))
        run = run_of("--snapshot", path, "--days", 0.1, "--swing", 0, "--bursts", 0)
        self.assertEqual((run["hosts"], run["domains"]), (2, 6))
        self.assertIn(run["moves"], (2, 3))

    def test_planetlab(self):
        """A file is a machine, a line five minutes; without --days all of it."""
        for i in range(8):
            self.write(f"day/vm-{i}", "".join(f"{(i * 7 + t) % 60}\n" for t in range(24)))
        run = run_of("--traces", self.folder / "day", "--layout", "planetlab", "--hosts", 2)
        self.assertEqual((run["domains"], run["days"]), (8, 24 * 5 / 1440))

    def test_traces_of_a_snapshot(self):
        """Its domains follow the files of their names."""
        snapshot = self.write("s.json", json.dumps(UNLEVEL))
        for i in range(6):
            self.write(f"day/vm-{i}", "50\n" * 12)
        path = self.folder / "hosts.csv"
        run_of("--snapshot", snapshot, "--traces", self.folder / "day", "--layout", "planetlab",
               "--csv", path)
        with open(path, encoding="utf-8") as lines:
            total = sum(float(r["cpu_wanted_cores"]) for r in csv.DictReader(lines)
                        if r["time_s"] == "600.000")
        self.assertAlmostEqual(total, 6 * 2 * 0.5)
        (self.folder / "day/vm-3").unlink()
        self.complains("found no file for the domain vm-3", "--snapshot", snapshot, "--traces",
                       self.folder / "day", "--layout", "planetlab")

    def test_bitbrains(self):
        """Cores, use and memory come from the columns, times from the first one."""
        for i, first_s in enumerate((1376314846, 1376315146)):
            rows = "".join(f"{first_s + 300 * t};\t4;\t11704.0;\t5852.0;\t50.0;\t8388608.0;\t"
                           "4194304.0;\t0.0;\t1.3;\t0.1;\t1.2\n" for t in range(12))
            self.write(f"fast/{i + 1}.csv", BITBRAINS + rows)
        path = self.folder / "hosts.csv"
        run = run_of("--traces", self.folder / "fast", "--layout", "bitbrains", "--hosts", 1,
                     "--csv", path)
        self.assertAlmostEqual(run["days"], 13 * 5 / 1440)
        with open(path, encoding="utf-8") as lines:
            rows = {float(r["time_s"]): r for r in csv.DictReader(lines)}
        self.assertAlmostEqual(float(rows[240]["cpu_wanted_cores"]) - 0.5, 2)
        self.assertAlmostEqual(float(rows[1200]["cpu_wanted_cores"]) - 0.5, 4)
        self.assertAlmostEqual(float(rows[1200]["memory_used_mib"]) - 2048, 2 * 4096)

    def test_bad_traces(self):
        """What is wrong is said with file and line."""
        self.write("day/vm", "12\n130\n")
        words = ("--traces", self.folder / "day", "--layout")
        self.complains(f'{self.folder}/day/vm:2: found "130", expected a CPU use in percent',
                       *words, "planetlab")
        self.complains('expected a line of titles separated by ";"', *words, "bitbrains")
        self.write("fast/1.csv", BITBRAINS + "1;\t4;\tx\n")
        self.complains('1.csv:2: found "x", expected a number',
                       "--traces", self.folder / "fast", "--layout", "bitbrains")
        self.write("back/1.csv", BITBRAINS + 2 * "5;\t1;\t1;\t1;\t1;\t1;\t1;\t0;\t0;\t0;\t0\n")
        self.complains("1.csv:3: found", "--traces", self.folder / "back", "--layout", "bitbrains")
        self.write("far/1.csv", BITBRAINS + "1e300;" + "\t1;" * 9 + "\t1\n")
        self.complains("expected a time since 1970, in seconds or milliseconds",
                       "--traces", self.folder / "far", "--layout", "bitbrains")
        self.complains("none: cannot read the folder: No such file or directory",
                       "--traces", self.folder / "none", "--layout", "planetlab")
        (self.folder / "empty").mkdir()
        self.complains("found no file, expected one for each machine",
                       "--traces", self.folder / "empty", "--layout", "planetlab")


class Complaints(Folder):
    """Words that make no sense."""

    def test_numbers(self):
        """Value, unit and range are named."""
        self.complains('--cycle: found "0", expected a whole number, seconds from 1 to 86400',
                       "--cycle", 0)
        self.complains('--load: found "half", expected a number, percent from 0 to 100',
                       "--load", "half")
        self.complains('--hosts: found "1.5", expected a whole number from 1 to 100000',
                       "--hosts", 1.5)
        self.complains('--days: found "nan"', "--days", "nan")

    def test_contradictions(self):
        """Options that exclude one another do so aloud."""
        self.complains("found --hosts with --snapshot", "--snapshot", "s.json", "--hosts", 3)
        self.complains("found --load with --traces", "--traces", "d", "--layout", "planetlab",
                       "--load", 3)
        self.complains("found --traces alone", "--traces", "d")
        self.complains('--layout: found "planet", expected planetlab or bitbrains', "--traces", "d",
                       "--layout", "planet")

    def test_no_room(self):
        """More domains than fit are refused."""
        self.complains("finds no host with room", "--hosts", 2, "--domains", 500)

    def test_files_that_cannot_be_written(self):
        """Said before anything is simulated."""
        self.complains("cannot write it", *SMALL, "--svg", self.folder / "no/such.svg")

    def test_help(self):
        """Each option is there, with its default as it is."""
        text = simulate("--help").out
        for option in ("policy", "days", "seed", "cycle", "hosts", "domains", "host-cores",
                       "host-memory", "link", "snapshot", "load", "swing", "bursts", "traces",
                       "layout", "failures", "losses", "imbalance", "flap", "svg", "csv"):
            self.assertRegex(text, rf"(?m)^  --{option} ")
        short = ("--hosts", 3, "--domains", 60, "--days", 0.02)
        said = dict(re.findall(r"(?m)^  --(\S+) [A-Z]\S* .*?\((\d[\d.]*)[;)]", text))
        said["failures"] = "2"
        given = [w for k in said if k not in ("days", "hosts") for w in (f"--{k}", said[k])]
        self.assertGreater(len(given), 20)
        self.assertEqual(run_of(*short)["digest"], run_of(*short, *given)["digest"])


if __name__ == "__main__":
    unittest.main()
