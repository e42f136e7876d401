"""evenkeel without a cluster: plans from files, explanations, help.

What plans must be like is tests/golden's matter, what is wrong with files bad_input.py's.
`offline.py --update` rewrites the expected texts of data/ (review them); any unittest argument works, too.
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

from harness import DATA, ENVIRONMENT, EVENKEEL, Case, OnTerminal, evenkeel

UPDATE = "--update" in sys.argv
VERBS = ["status", "hosts", "domains", "plan", "why", "why-not", "maintenance", "history", "replay", "states",
         "snapshot", "simulate", "backtest", "samples", "doctor", "top", "resolve"]
SNAPSHOTS = sorted(DATA.glob("*.snapshot.json"))
POLICY = """version: 1
policy: spread
aggressiveness: 5
"""


def plan(*words, **kwargs):
    return evenkeel("plan", *words, **kwargs)


def why(*words, verb="why", snapshot="hot-host", **kwargs):
    """An answer about one domain of a snapshot of data/, or of standard input."""
    path = "-" if "stdin" in kwargs else DATA / f"{snapshot}.snapshot.json"
    return evenkeel(verb, *words, "--snapshot", path, **kwargs)


def check(*words, **kwargs):
    """A preflight of `maintenance`."""
    return why("check", *words, verb="maintenance", **kwargs)


def why_not(*words, **kwargs):
    return why(*words, verb="why-not", **kwargs)


class Explanations(Case):
    """Why a domain moves, why it stays, why it does not go there."""

    def compare(self, name, text):
        text = re.sub(r"\bplan [0-9a-f]{16}\b", "plan ID", text)
        path = DATA / name
        if UPDATE:
            path.write_text(text)
        self.assertEqual(text, path.read_text(), f"{name}; --update rewrites it")

    def test_texts(self):
        """What people read, to the byte."""
        for base in ("hot-host", "no-room"):
            result = plan("--explain", "--snapshot", DATA / f"{base}.snapshot.json")
            self.compare(f"{base}.explain.txt", result.out)
        self.compare("hot-host.why.txt", why("web-2").out + why("web-6").out)
        checked = check("h1", snapshot="no-room")
        self.check(checked, 3, err="h1 cannot be emptied")
        self.compare("no-room.check.txt", checked.out)
        self.compare("hot-host.check.txt", check("h1", "h2", snapshot="hot-host").out)
        self.compare("no-room.why-not.txt", "".join(
            why_not(*words, snapshot="no-room").out
            for words in (("db-1", "h2"), ("db-1", "h1"), ("web-1", "h2"), ("usb", "h3"))))

    def test_explained_plan(self):
        """--explain adds one member to the plan and changes nothing else."""
        for snapshot in SNAPSHOTS:
            bare = plan("--json", "--snapshot", snapshot).json()
            document = plan("--json", "--explain", "--snapshot", snapshot).json()
            explained = document.pop("explanation")
            self.assertEqual(document, bare)
            self.assertEqual([m["seq"] for m in explained["moves"]],
                             [m["seq"] for m in bare["moves"]])
            domains = {d["uuid"] for d in json.loads(snapshot.read_text())["domains"]}
            movers = {m["domain"] for m in bare["moves"]}
            self.assertEqual({s["domain"] for s in explained["stays"]}, domains - movers)
            self.assertTrue(all(s["reason"] for s in explained["stays"]))

    def test_moves(self):
        """Each begins where the one before ended, and its numbers are their difference."""
        moves = plan("--json", "--explain", "--snapshot",
                     DATA / "hot-host.snapshot.json").json()["explanation"]["moves"]
        self.assertGreater(len(moves), 2)
        for before, move in zip([None, *moves], moves):
            if before is not None:
                self.assertEqual(move["before"], before["after"])
            rating = move["rating"]
            self.assertAlmostEqual(move["before"]["score"] - move["after"]["score"],
                                   rating["gain"], 9)
            self.assertAlmostEqual(rating["gain"] - rating["price"], rating["worth"], 9)
            self.assertIn(move["runner_up"]["host"], ("h2", "h3"))
            self.assertNotEqual(move["runner_up"]["host"], move["destination"])

    def test_why(self):
        """By name or UUID; the document has the moves, or why it stays."""
        moves = why("web-1", "--json").json()
        by_uuid = why(moves["domain"], "--json").json()
        self.assertEqual(moves, by_uuid)
        self.assertEqual([m["name"] for m in moves["moves"]], ["web-1"])
        self.assertNotIn("stay", moves)
        stays = why("web-6", "--json").json()
        self.assertEqual([stays["moves"], stays["stay"]["cause"], stays["stay"]["host"]],
                         [[], "no_worth", "h1"])

    def test_why_not(self):
        """Blocked hosts have reason and remedy, possible ones what the planner prefers."""
        blocked = why_not("db-1", "h2", "--json", snapshot="no-room").json()
        self.assertEqual([blocked["verdict"], blocked["block"]], ["blocked", "memory"])
        self.assertRegex(blocked["remedy"], r"\d+ MiB more have to be free .* on h2")
        possible = why_not("web-6", "h2", "--json").json()
        self.assertEqual([possible["verdict"], possible["after_moves"]], ["possible", 4])
        goes = why_not("web-1", "h2", "--json").json()
        self.assertEqual([goes["verdict"], goes["move"]], ["goes", 1])
        self.assertEqual(why_not("web-1", "h1", "--json").json()["verdict"], "is_there")

    def test_evacuate(self):
        """--evacuate changes the answer as it changes the plan."""
        stays = why("web-6", "--json", "--evacuate", "h1").json()
        self.assertEqual([m["kind"] for m in stays["moves"]], ["evacuate"])

    def test_unknown_names(self):
        self.refused(why("web-9"), 2, 'why: found the unknown domain "web-9"', "6 domains", "did you mean")
        self.refused(why_not("web-1", "h9"), 2, 'why-not: found the unknown host "h9"', "h1, h2")
        self.refused(why(), 2, "expected the name or UUID of a domain", "evenkeel why --help")
        self.refused(why_not("web-1"), 2, "expected a domain and a host")
        self.refused(why("web-1", "h2"), 2, '"h2"', "no more words")

    def test_ambiguous_name(self):
        """A name of two domains needs the UUID, and those are named."""
        text = (DATA / "hot-host.snapshot.json").read_text().replace("web-2", "web-1")
        self.refused(why("web-1", stdin=text), 2, "2 domains bear",
                     "00000000-0000-4000-8000-000000000001, 00000000-0000-4000-8000-000000000002")
        self.check(why("00000000-0000-4000-8000-000000000002", stdin=text), 0, out="move", err="")


class PlanInput(Case):
    """What `plan` reads."""

    level = (DATA / "level.snapshot.json").read_text()

    def setUp(self):
        self.dir = tempfile.TemporaryDirectory(prefix="ek-cli-")
        self.addCleanup(self.dir.cleanup)

    def file(self, name, text):
        path = pathlib.Path(self.dir.name) / name
        path.write_text(text)
        return path

    def test_standard_input(self):
        """`-` is standard input, and gives what the file gives."""
        from_file = plan("--snapshot", DATA / "level.snapshot.json")
        from_input = plan("--snapshot", "-", stdin=self.level)
        self.check(from_input, 0, err="")
        self.assertEqual(from_input.out, from_file.out)

    def test_ids(self):
        """The id is the input's: equal for equal input, another one when a figure changes."""
        ids = [plan("--json", "--snapshot", "-", stdin=t).json()["id"]
               for t in (self.level, self.level, self.level.replace("65536", "65537"))]
        self.assertEqual(ids[0], ids[1])
        self.assertNotEqual(ids[1], ids[2])

    def test_json_before_or_after_the_verb(self):
        path = DATA / "level.snapshot.json"
        self.assertEqual(evenkeel("--json", "plan", "--snapshot", path).out,
                         plan("--snapshot", path, "--json").out)

    def test_evacuate_equals_maintenance(self):
        """--evacuate HOST is "maintenance": true in the snapshot, for `before`, too."""
        document = json.loads(self.level)
        document["hosts"][0]["maintenance"] = True
        marked = plan("--json", "--snapshot", "-", stdin=json.dumps(document))
        asked = plan("--json", "--snapshot", "-", "--evacuate", "h1", stdin=self.level)
        self.check(asked, 0, err="")
        self.assertEqual(asked.out, marked.out)
        self.assertEqual([move["kind"] for move in asked.json()["moves"]], ["evacuate"])

    def test_two_hosts_evacuated(self):
        """With nowhere left to go the domains stay: status 3, and the plan is printed all the same."""
        result = plan("--json", "--snapshot", "-", "--evacuate", "h1", "--evacuate=h2",
                      stdin=self.level)
        self.check(result, 3, err="2 domains cannot leave")
        self.assertEqual(len(result.json()["unresolved"]), 2)

    def test_check_promises_what_the_plan_does(self):
        """Moves, times and reasons of `maintenance check` are those of `plan --evacuate`."""
        planned = plan("--json", "--snapshot", "-", "--evacuate", "h1", stdin=self.level).json()
        checked = check("h1", "--json", stdin=self.level)
        self.check(checked, 0, err="")
        document = checked.json()
        self.assertEqual([document["feasible"], document["stuck"]], [True, []])
        self.assertEqual(document["moves"],
                         [move for move in planned["moves"] if move["kind"] == "evacuate"])
        self.assertEqual(document["eta_s"], max(m["start_s"] + m["duration_s"]
                                                for m in document["moves"]))
        host, = document["hosts"]
        for key in ("eta_s", "eta_low_s", "eta_high_s"):
            self.assertEqual(host[key], document[key])
        self.assertLess(document["eta_low_s"], document["eta_s"])
        self.assertGreater(document["eta_high_s"], document["eta_s"])

    def test_check_against_a_deadline(self):
        """The pace that it takes, its limits, and what the gentler one would have meant."""
        alone = check("h1", "--json", snapshot="drain").json()
        self.assertNotIn("pace", alone)
        self.assertNotIn("paces", alone["hosts"][0])
        near = check("h1", "--deadline", "6m", "--json", snapshot="drain")
        self.check(near, 0, err="")
        document = near.json()
        host, = document["hosts"]
        self.assertEqual(document["pace"], {
            "name": "half", "in_time": True, "cluster": 6, "host_in": 2, "host_out": 2,
            "bandwidth_per_host_mib_s": 0, "bandwidth_cluster_mib_s": 0})
        self.assertEqual(host["deadline_ms"], 1764000360000)
        limits, half = host["paces"]
        self.assertEqual([limits["pace"], half["pace"]], ["limits", "half"])
        self.assertEqual(limits["eta_s"], alone["eta_s"])
        self.assertEqual([half["eta_s"], half["slack_s"]], [host["eta_s"], host["slack_s"]])
        for it in (limits, half):
            self.assertAlmostEqual(it["eta_s"] + it["slack_s"], 360)
        self.assertLess(limits["eta_s"] / 2 - 2, half["eta_s"])
        text = check("h1", "--deadline", "6m", snapshot="drain")
        self.check(text, 0, ["before its deadline at pace half (6 at once, 2 from a host, 2 to a host)",
                             "at pace limits\n"], "")
        self.assertEqual(check("h1", "--deadline", "2025-11-24T16:06:00Z", snapshot="drain").out, text.out)

    def test_check_that_is_late(self):
        """At the steepest pace it is late: said, and status 3; a far deadline needs nothing."""
        late = check("h1", "--deadline", "60s", snapshot="drain")
        self.check(late, 3, ["misses its deadline by", "at pace parallel (8 at once"],
                   ["h1 would be empty", "after its deadline, at pace parallel, the steepest there is"])
        document = check("h1", "--deadline", "60s", "--json", snapshot="drain").json()
        self.assertFalse(document["pace"]["in_time"])
        self.assertLess(document["hosts"][0]["slack_s"], 0)
        far = check("h1", "--deadline", "1h", "--json", snapshot="drain").json()
        self.assertEqual([far["pace"]["name"], len(far["hosts"][0]["paces"])], ["limits", 1])

    def test_check_of_two_hosts(self):
        """They are planned together: what each could do alone both cannot do at once."""
        for host in ("h1", "h2"):
            self.check(check(host, stdin=self.level), 0, out=f"{host} can be emptied")
        together = check("h1", "h2", "--json", stdin=self.level)
        self.check(together, 3)
        document = together.json()
        self.assertFalse(document["feasible"])
        self.assertEqual({s["host"] for s in document["stuck"]}, {"h1", "h2"})
        self.assertIn("maintenance of", document["stuck"][0]["relaxation"]["text"])
        self.refused(check("h1", "h9", stdin=self.level), 2, '"h9"', "h1, h2")

    def test_unknown_host(self):
        self.refused(plan("--snapshot", "-", "--evacuate", "h9", stdin=self.level), 2,
                     '"h9"', "h1, h2")

    def test_must_rules_bind(self):
        """What is emptied keeps a domain that a must rule lets go nowhere, and says which."""
        path = self.file("policy.yaml",
                         "rules:\n  - {name: stay, kind: pin, domains: ['*'], hosts: [h1]}\n")
        result = plan("--json", "--snapshot", "-", "--policy", path, "--evacuate", "h1",
                      stdin=self.level)
        self.check(result, 3, err="cannot leave")
        self.assertIn("must rule stay: h2 is none of its hosts",
                      result.json()["unresolved"][0]["reason"])

    def test_rules_of_domains(self):
        """A rule that a domain carries holds it; one that is none is refused with its domain."""
        document = json.loads(self.level)
        document["domains"][0]["rules"] = ["ignore"]
        held = plan("--json", "--snapshot", "-", "--evacuate", document["domains"][0]["host"],
                    stdin=json.dumps(document))
        self.check(held, 3, err="cannot leave")
        self.assertEqual(held.json()["unresolved"][0]["reason"], "rule ignore leaves it alone")
        document["domains"][0]["rules"] = ["ignored"]
        self.refused(plan("--snapshot", "-", stdin=json.dumps(document)), 2,
                     'found the rule "ignored"')

    def test_policy_file(self):
        """A keener policy moves what the default leaves alone."""
        path = self.file("policy.yaml", POLICY)
        snapshot = DATA / "networks.snapshot.json"
        default = plan("--json", "--snapshot", snapshot).json()
        keen = plan("--json", "--snapshot", snapshot, "--policy", path)
        self.check(keen, 0, err="")
        self.assertNotEqual(keen.json()["id"], default["id"])


class CommandLine(Case):
    """Options, verbs and help."""

    def test_documentation(self):
        """docs/commands.md shows what is printed, and has a section for each verb."""
        page = (DATA.parents[2] / "docs" / "commands.md").read_text()
        for words in [["--help"], ["states"],
                      ["plan", "--snapshot", "tests/cli/data/no-room.snapshot.json"]]:
            result = evenkeel(*words, cwd=DATA.parents[2])
            printed = re.sub(r"plan [0-9a-f]{16}", "plan ID", result.out + result.err)
            shown = re.sub(r"plan [0-9a-f]{16}", "plan ID", page)
            self.assertIn(re.sub(r"(?m)^(?=.)", "    ", printed), shown)
        self.assertEqual(set(re.findall(r"(?m)^## ([\w-]+)$", page)), set(VERBS))

    def test_help(self):
        result = evenkeel("--help")
        self.check(result, 0, err="")
        for verb in VERBS:
            self.assertRegex(result.out, rf"(?m)^  {verb} +\S")

    def test_help_of_every_verb(self):
        """It needs no configuration, before or after other options."""
        for verb in VERBS:
            for words in [[verb, "--help"], [verb, "-h"], ["-c", "/no/such", verb, "--help"]]:
                result = evenkeel(*words)
                self.check(result, 0, f"Usage: evenkeel [-c FILE] [--json] {verb}", "")

    def test_help_is_a_verb_too(self):
        """`help` is --help, `help VERB` is VERB --help."""
        self.assertEqual(evenkeel("help").out, evenkeel("--help").out)
        self.assertEqual(evenkeel("help", "why-not").out, evenkeel("why-not", "--help").out)
        self.refused(evenkeel("help", "plna"), 2, '"plna"', 'did you mean "plan"?')
        self.refused(evenkeel("help", "plan", "why"), 2, '"why"', "no more words")

    def test_hosts_that_cannot_be_emptied_together(self):
        """No maintenance has to end that nobody has begun: one of the hosts has to be left out."""
        result = evenkeel("maintenance", "check", "h1", "h2", "h3", "--snapshot",
                          DATA / "hot-host.snapshot.json")
        self.check(result, 3, out=["  would do  h2 has to stay in use", "h2: host is in maintenance"],
                   err="h1, h2, h3 cannot be emptied together: leave one out, or empty them one after "
                       "the other\n")
        self.assertNotIn("has to end", result.out)
        self.check(evenkeel("maintenance", "check", "h1", "h2", "--snapshot",
                            DATA / "hot-host.snapshot.json"), 0, "h1 can be emptied", "")

    def test_doctor_of_hosts_that_are_gone(self):
        """Needs no Redis; nobody listens on port 1, and that is what the doctor says."""
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "evenkeel.yaml"
            path.write_text("version: 1\nhosts:\n"
                            "  - {name: h1, uri: \"qemu+tcp://127.0.0.1:1/system\"}\n"
                            f"state_dir: {folder}\n", encoding="utf-8")
            result = evenkeel("-c", path, "doctor")
            self.check(result, 3, err="")
            self.assertRegex(result.out, r"(?m)^FAIL +h1 +libvirt +.*Connection refused$")
            self.assertRegex(result.out, r"(?m)^FAIL libvirt of h1: see that its libvirtd runs")
            document = evenkeel("-c", path, "--json", "doctor").json()
            self.assertEqual([document[k] for k in ("failures", "warnings", "unseen")], [1, 0, 2])
            self.assertEqual({f["check"]: f["grade"] for f in document["findings"]},
                             {"libvirt": "FAIL", "pacemaker": "UNSEEN", "clock": "UNSEEN"})
            self.assertEqual(document["obstructed"], [])
            matrix = evenkeel("-c", path, "doctor", "--matrix")
            self.check(matrix, 3, "\nFROM \\ TO  h1\nh1         -\n")
            self.refused(evenkeel("-c", path, "doctor", "h1"), 2, '"h1"', "no more words")

    def test_doctor_shows_how_far_it_is(self):
        """On a terminal, in a line that is gone at the end."""
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "evenkeel.yaml"
            path.write_text("version: 1\nhosts:\n"
                            "  - {name: h1, uri: \"qemu+tcp://127.0.0.1:1/system\"}\n"
                            "  - {name: h2, uri: \"qemu+tcp://127.0.0.2:1/system\"}\n"
                            f"state_dir: {folder}\n", encoding="utf-8")
            terminal = OnTerminal("-c", path, "doctor")
            terminal.wait_for("RESULT")
            self.assertEqual(terminal.wait(), 3)
            self.assertRegex(terminal.seen.partition("RESULT")[0],
                             r"looked at 1 of 2 hosts, h[12] last\r\x1b\[K\r(\x1b\[1m)?\Z")

    def test_version(self):
        self.assertRegex(evenkeel("--version").out, r"\Aevenkeel \d+\.\d+\.\d+\n\Z")

    def test_no_verb(self):
        result = evenkeel()
        self.check(result, 2, err="Usage: ")
        self.assertEqual(result.out, "")

    def test_unknown_verb(self):
        self.refused(evenkeel("plna"), 2, '"plna"', 'did you mean "plan"?')
        self.refused(evenkeel("frobnicate"), 2, '"frobnicate"', "--help")
        self.refused(evenkeel("surgeon"), 2, '"surgeon"')

    def test_wrong_options(self):
        """Each names what it found and where help is."""
        self.refused(evenkeel("--frob"), 2, '"--frob"')
        self.refused(evenkeel("-c"), 2, "-c needs a value")
        self.refused(evenkeel("hosts", "--frob"), 2, '"--frob"', "evenkeel hosts --help")
        self.refused(evenkeel("plan", "--snapshot"), 2, "--snapshot needs a value")
        self.refused(evenkeel("hosts", "h1", "h2"), 2, '"h2"', "no more words")
        self.refused(evenkeel("history", "-n", "0"), 2, '"0"', "from 1 to")
        self.refused(evenkeel("history", "-n", "3x"), 2, '"3x"')
        self.refused(evenkeel("maintenance"), 2, "check, enter, leave or status")
        self.refused(evenkeel("maintenance", "check"), 2, "name of a host")
        self.refused(evenkeel("maintenance", "check", "h1", "--wait"), 2, "with enter only")
        self.refused(evenkeel("maintenance", "enter", "h1", "--policy", "p"), 2, "with check only")
        self.refused(evenkeel("maintenance", "enter"), 2, "name of a host")
        self.refused(evenkeel("maintenance", "leave", "h1", "--wait"), 2, "with enter only")
        self.refused(evenkeel("maintenance", "state", "h1"), 2, "check, enter, leave or status")

    def test_configuration_absent(self):
        self.refused(evenkeel("-c", "/no/such.yaml", "hosts"), 2, "/no/such.yaml", "-c FILE")
        self.refused(evenkeel("hosts", env={"EVENKEEL_CONFIG": "/no/other.yaml"}), 2,
                     "/no/other.yaml")

    def test_states(self):
        """The table is the one that the journal keeps to."""
        states = {s["name"]: s for s in evenkeel("states", "--json").json()["states"]}
        self.assertEqual(states["planned"]["followers"], ["claimed", "reconcile", "cancelled"])
        self.assertTrue(states["done"]["terminal"] and not states["done"]["followers"])
        self.assertEqual([n for n, s in states.items() if s["blocks"]], ["unverified", "unknown"])
        lines = evenkeel("states").out.splitlines()
        self.assertEqual(len(lines), len(states) + 1)
        self.assertRegex(lines[1], r"^planned +wanted by .* - +- +- +claimed, reconcile, cancelled$")
        self.assertEqual(states["precheck"]["limit_ms"], 60000)
        self.assertEqual(states["precheck"]["limit_key"], "timeouts.precheck")
        for name, state in states.items():
            waits = state["terminal"] or name in ("planned", "claimed")
            self.assertEqual("limit_key" in state, not waits, name)

    def test_states_with_the_times_of_a_configuration(self):
        with tempfile.TemporaryDirectory(prefix="ek-cli-") as folder:
            path = pathlib.Path(folder) / "times.yaml"
            path.write_text("hosts: [{name: h1, uri: 'qemu:///system'}]\n"
                            "timeouts: {precheck: 700ms}\n")
            self.assertRegex(evenkeel("-c", path, "states").out,
                             r"\nprecheck .* 700ms +timeouts.precheck ")
            path.write_text("hosts: 7\n")
            self.refused(evenkeel("-c", path, "states"), 2, "times.yaml:1")

    def test_states_drawn(self):
        """docs/move-states.dot, from which the drawing beside it is made, is the present table."""
        drawing = pathlib.Path(__file__).parents[2] / "docs" / "move-states.dot"
        self.assertEqual(evenkeel("states", "--dot").out, drawing.read_text())

    def test_no_colour_off_the_terminal(self):
        self.assertNotIn("\033", evenkeel("states").out)

    def test_colour_on_a_terminal(self):
        """Colour on a terminal, none there with NO_COLOR; the text is the same."""
        plain = evenkeel("states").out.replace("\n", "\r\n")
        for env, coloured in [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]:
            terminal = OnTerminal("states", env=env)
            self.assertEqual(terminal.wait(), 0)
            self.assertEqual("\033[" in terminal.seen, coloured)
            self.assertEqual(re.sub(r"\033\[\d*m", "", terminal.seen), plain)

    def test_full_disk(self):
        """Output that cannot be written is no success."""
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([EVENKEEL, "states"], stdout=full, stderr=subprocess.PIPE,
                                  text=True, env=ENVIRONMENT, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("No space left", done.stderr)


if __name__ == "__main__":
    unittest.main(argv=[a for a in sys.argv if a != "--update"])
