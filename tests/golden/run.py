#!/usr/bin/env python3
"""Golden cases of the planner: each folder beside this file is one, and its name is its law.

    run.py --run [NAME...]      compare with what is recorded, and check the laws (default: all)
    run.py --update [NAME...]   record anew what keeps its laws; review the difference
    run.py --list               the cases and their laws

README.md says what a case consists of."""
import argparse
import concurrent.futures
import difflib
import json
import os
import pathlib
import re
import subprocess
import sys

import laws
import views

HERE = pathlib.Path(__file__).resolve().parent
BUILD = HERE.parents[1] / "build" / "debug"
EVENKEEL = os.environ.get("EVENKEEL", BUILD / "balancer/tools/evenkeel")
JUDGE = os.environ.get("GOLDEN_JUDGE", BUILD / "tests/golden/golden_judge")
ENVIRONMENT = {**{k: v for k, v in os.environ.items() if k not in ("EVENKEEL_CONFIG", "LC_ALL")},
               "NO_COLOR": "1", "TZ": "UTC"}


class Case:
    """One folder."""

    def __init__(self, name):
        self.name, self.dir = name, HERE / name
        self.expect = json.loads(self.read("expect.json"))
        self.snapshot_text = self.read("snapshot.json")
        self.policy = self.dir / "policy.yaml"

    def read(self, name):
        path = self.dir / name
        return path.read_text() if path.exists() else ""

    def command(self, program, *words, snapshot=None):
        """The command on the case's input, or on another snapshot with its policy."""
        policy = ["--policy", str(self.policy)] if self.policy.exists() else []
        evacuate = [w for h in self.expect.get("evacuate", []) for w in ("--evacuate", h)]
        return subprocess.run([*program, "--snapshot", "-", *policy, *evacuate, *words],
                              input=snapshot or self.snapshot_text, capture_output=True, text=True,
                              timeout=60, env=ENVIRONMENT, check=False)

    def plan(self, snapshot=None):
        """Exit status, standard error, and the document ({} when there is none)."""
        text = None if snapshot is None else json.dumps(snapshot)
        done = self.command([EVENKEEL, "plan"], "--json", snapshot=text)
        return done.returncode, done.stderr, json.loads(done.stdout or "{}")

    def printed(self, snapshot=None):
        """The same; raises ValueError when no plan was printed."""
        result = self.plan(snapshot)
        if not result[2]:
            raise ValueError(f"status {result[0]}: {result[1].strip()}")
        return result

    def judged(self):
        """All that the laws look at."""
        result = self.printed()
        text = self.command([EVENKEEL, "plan"]).stdout
        return laws.Judged(self.snapshot_text, self.expect.get("evacuate", []),
                           self.read("policy.yaml"), text, result,
                           lambda other: self.printed(other)[2])

    def broken(self, judged):
        """Laws that do not hold, and what the referee of the unit tests says."""
        found = laws.faults(judged, self.expect)
        said = self.command([JUDGE])
        if said.returncode != 0:
            found += [f"referee: {line}" for line in (said.stdout + said.stderr).splitlines()]
        return found

    def views(self, judged):
        """What is recorded, by file name."""
        document = self.command([EVENKEEL, "plan"], "--json").stdout
        explained = self.command([EVENKEEL, "plan"], "--explain").stdout
        return {"plan.txt": laws.plain(judged.text), "plan.json": laws.plain(document),
                "hosts.txt": views.hosts_table(judged), "timeline.txt": views.timeline(judged),
                "explain.txt": laws.plain(explained).removeprefix(laws.plain(judged.text))}


def difference(case, name, text):
    """What is recorded against what is printed now."""
    lines = difflib.unified_diff(case.read(name).splitlines(), text.splitlines(),
                                 f"{case.name}/{name}", "now", lineterm="")
    return "\n".join(lines)


def run_pending(case, broken):
    """A case whose law is not kept yet must break it; when it does not any more, somebody is to say
    so."""
    if broken:
        return True, [f"{case.name}: pending ({case.expect['pending']}): {broken[0]}"]
    return False, [f"{case.name}: keeps its law now; --update takes it out of the pending ones"]


def compare(case, judged):
    """Whether all views are as recorded."""
    changed = [d for d in (difference(case, n, t) for n, t in case.views(judged).items()) if d]
    return not changed, [f"{d}\n(review, then: tests/golden/run.py --update {case.name})"
                         for d in changed]


def record(case, judged):
    """Writes the views, and that the case is no longer pending."""
    said = []
    for name, text in case.views(judged).items():
        if case.read(name) != text:
            (case.dir / name).write_text(text)
            said.append(f"{case.name}: {name} recorded")
    if "pending" in case.expect:
        text = re.sub(r'\n "pending": .*', "", case.read("expect.json"))
        (case.dir / "expect.json").write_text(text)
        del case.expect["pending"]
        said.append(f"{case.name}: keeps its law now, no longer pending")
    return True, said


def run(case, update):
    """Whether all is well with the case, and what is to be said of it."""
    try:
        judged = case.judged()
        broken = case.broken(judged)
    except ValueError as error:
        judged, broken = None, [str(error)]
    if "pending" in case.expect and (broken or not update):
        return run_pending(case, broken)
    if broken:
        # Also with --update: what breaks its law is not recorded.
        return False, [f"{case.name}: its law is broken: {case.expect['law']}",
                       *(f"  {b}" for b in broken)]
    return record(case, judged) if update else compare(case, judged)


def main():
    """The cases that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", action="store_true", help="compare and check (the default)")
    parser.add_argument("--update", action="store_true", help="record anew")
    parser.add_argument("--list", action="store_true", help="print the cases and their laws")
    parser.add_argument("names", nargs="*", metavar="NAME")
    given = parser.parse_args()
    every = sorted(p.parent.name for p in HERE.glob("*/expect.json"))
    unknown = [n for n in given.names if n not in every]
    if unknown:
        parser.error(f"found no case {', '.join(unknown)}")
    cases = [Case(name) for name in given.names or every]
    if given.list:
        for case in cases:
            print(f"{case.name}: {case.expect['law']}")
        return 0
    kept = 0
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        for well, said in pool.map(lambda case: run(case, given.update), cases):
            kept += well
            print(*(f"{line}\n" for line in said), sep="", end="", flush=True)
    pending = sum("pending" in case.expect for case in cases)
    print(f"{kept} of {len(cases)} cases as they should be, {pending} of them pending")
    return 0 if kept == len(cases) else 1


if __name__ == "__main__":
    sys.exit(main())
