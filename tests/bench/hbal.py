#!/usr/bin/env python3
"""Against hbal, the greedy balancer of Ganeti (Debian: ganeti-htools), on its own ground.

The clusters of gen_cluster.py; after k moves, and at the end: standard deviations of the hosts'
use, GiB moved, wall time. hbal's moves are kept in the cache, with the time it took them."""
import math
import re
import statistics
import tempfile

from common import (Cluster, Planner, Verdicts, arguments, cached, is_cached, leveling_policy, need,
                    policy_text, table, why_not, write, Run)
from referee import Referee

KS = (5, 10, 20, 40)
UNLIMITED = 10000
STEP = re.compile(r"\s*\d+\. (\S+)\s+(\S+)\s+=>\s+(\S+)\s+([\d.]+)")

# hbal's two ways to see load: its options, and our weights of cpu and memory.
VIEWS = {"-U": (1, 1), "--ignore-dynu": (0, 1)}


def hbal_command(cluster, view, folder):
    """hbal's arguments; load in 0..1, as it wants it."""
    command = ["hbal", "-t", str(cluster.prefix.with_suffix(".ganeti"))]
    if view == "--ignore-dynu":
        return command + [view]
    lines = [f"{v['name']} {v['cpu'] / 16:.5f} {v['mem'] / 1024 / 64:.5f} 0 0"
             for v in cluster.neutral["vms"]]
    return command + ["-U", str(write(folder, "util", "\n".join(lines) + "\n"))]


def cache_key(cluster, view, cut_s):
    """What hbal's result depends on."""
    return f"{cluster.prefix.with_suffix('.ganeti').read_text(encoding='utf-8')} {view} {cut_s:g}"


def hbal_run(args, cluster, view, cut_s):
    """hbal's moves [(domain, destination)], its wall time, whether it was cut."""
    def compute():
        with tempfile.TemporaryDirectory() as folder:
            run = Run(hbal_command(cluster, view, folder), cut_s)
        steps = [STEP.match(line) for line in run.out.splitlines()]
        return {"moves": [(s[1], s[3]) for s in steps if s], "wall_s": run.wall_s, "cut": run.cut}
    return cached(args, "hbal", cache_key(cluster, view, cut_s), compute)


class Placement:
    """Where everything is after some moves, and what they carried."""

    def __init__(self, cluster, moves):
        memory = {v["name"]: v["mem"] for v in cluster.neutral["vms"]}
        host_of = cluster.hosts_of()
        for name, host in moves:
            host_of[name] = host
        self.moves = len(moves)
        self.gib = sum(memory[name] for name, _ in moves) / 1024
        self.memory, self.cpu = cluster.deviations(host_of)

    def figure(self, view):
        """What counts in this view."""
        return math.hypot(self.memory, self.cpu) if view == "-U" else self.memory


def our_run(planner, cluster, view, moves, times=1):
    """The last of some runs, with the median wall time, its moves and the referee's findings."""
    policy = leveling_policy(moves, VIEWS[view])
    rules = cluster.rules()
    if planner.knows_rules:
        policy["rules"] = rules
    with tempfile.TemporaryDirectory() as folder:
        snapshot = cluster.save(folder)
        path = write(folder, "policy.yaml", policy_text(policy))
        runs = [planner.plan(snapshot, path) for _ in range(times)]
    run = runs[-1]
    if run.plan is None:
        return run
    run.wall_s = statistics.median(r.wall_s for r in runs)
    run.moves = [(m["name"], m["destination"]) for m in run.plan["moves"]]
    referee = Referee(cluster.snapshot, rules).replay(run.plan)
    run.faults = len(referee.faults)
    return run


class Comparison:
    """All lines of one cluster in one view."""

    def __init__(self, args, planner, cluster, view, cut_s):
        self.planner, self.cluster, self.view = planner, cluster, view
        self.hbal = hbal_run(args, cluster, view, cut_s)
        self.rows, self.failed, self.faults = [], [], 0

    def line(self, what, ours, theirs, demand):
        """One row; figures of both, their ratio, the verdict (None: for information)."""
        a, b = ours.figure(self.view), theirs.figure(self.view)
        if demand is False:
            self.failed.append(f"{self.cluster.name} {self.view} {what}")
        self.rows.append((f"{self.cluster.name} {self.view}", what, f"{ours.moves}/{theirs.moves}",
                          f"{ours.memory:.4f}", f"{theirs.memory:.4f}", f"{ours.cpu:.4f}",
                          f"{theirs.cpu:.4f}", f"{a / b:.3f}", f"{ours.gib:.0f}",
                          f"{theirs.gib:.0f}", {True: "PASS", False: "FAIL", None: ""}[demand]))

    def nothing(self, what, run):
        """One row without a plan."""
        self.failed.append(f"{self.cluster.name} {self.view} {what}: {why_not(run)}")
        self.rows.append((f"{self.cluster.name} {self.view}", what, *("",) * 8, why_not(run)))

    def after(self, k):
        """k moves of each."""
        run = our_run(self.planner, self.cluster, self.view, k)
        if run.plan is None:
            return self.nothing(f"k={k}", run)
        ours = Placement(self.cluster, run.moves)
        theirs = Placement(self.cluster, self.hbal["moves"][:k])
        self.faults += run.faults
        return self.line(f"k={k}", ours, theirs,
                         ours.figure(self.view) <= theirs.figure(self.view) + 5e-7)

    def final(self):
        """The end of both; hbal's end is where it was cut, when it was."""
        run = our_run(self.planner, self.cluster, self.view, UNLIMITED, 5)
        if run.plan is None:
            return self.nothing("final", run)
        ours = Placement(self.cluster, run.moves)
        theirs = Placement(self.cluster, self.hbal["moves"])
        self.faults += run.faults
        # Where hbal was cut its end is not known: both are judged at the GiB that it had moved.
        cut_short = self.hbal["cut"]
        self.line("final", ours, theirs, None if cut_short else self.leaner(ours, theirs))
        same = self.same_gib(run.moves, theirs.gib)
        self.line("as many GiB", same, theirs, self.leaner(same, theirs) if cut_short else None)
        cut = " (cut)" if self.hbal["cut"] else ""
        return (f"{self.cluster.name} {self.view}", f"{run.wall_s:.4f}",
                f"{self.hbal['wall_s']:.1f}{cut}", f"{self.hbal['wall_s'] / run.wall_s:.0f}")

    def leaner(self, ours, theirs):
        """Lower, and no more GiB moved."""
        return ours.gib <= theirs.gib and ours.figure(self.view) < theirs.figure(self.view)

    def same_gib(self, moves, gib):
        """The longest beginning of our final plan that carries no more than hbal's."""
        fitting = next(k for k in range(len(moves), -1, -1)
                       if Placement(self.cluster, moves[:k]).gib <= gib)
        return Placement(self.cluster, moves[:fitting])


def clusters(args):
    """Which clusters, and after what time hbal is cut."""
    wanted = [(20, 400, seed, args.hbal_cut) for seed in (1, 2, 3)]
    wanted += [(50, 1000, seed, args.hbal_cut) for seed in (1, 2, 3)]
    if args.full or args.large or args.cached_only:
        wanted.append((100, 2000, 1, args.large_cut))
    return [(Cluster(args, h, d, seed), cut) for h, d, seed, cut in wanted]


def main():
    """One table, one of times, and the verdicts."""
    parser = arguments(__doc__)
    parser.add_argument("--large", action="store_true", help="100/2,000, too (with --full: always)")
    parser.add_argument("--large-cut", type=float, default=600, metavar="S",
                        help="hbal is cut after that at 100/2,000 (%(default)g)")
    parser.add_argument("--hbal-cut", type=float, default=1800, metavar="S",
                        help="and after that elsewhere (%(default)g)")
    parser.add_argument("--cached-only", action="store_true",
                        help="leave out where hbal has not run yet")
    parser.add_argument("--fill-cache", action="store_true", help="run hbal only")
    args = parser.parse_args()
    need(hbal="ganeti-htools")
    planner, verdicts = Planner(args), Verdicts("hbal")
    rows, times, faults, failed, left_out = [], [], 0, {v: [] for v in VIEWS}, []
    for cluster, cut_s in clusters(args):
        for view in VIEWS:
            if args.cached_only and not is_cached(args, "hbal", cache_key(cluster, view, cut_s)):
                left_out.append(f"{cluster.name} {view}")
                continue
            both = Comparison(args, planner, cluster, view, cut_s)
            if args.fill_cache:
                print(cluster.name, view, len(both.hbal["moves"]), both.hbal["wall_s"], flush=True)
                continue
            for k in KS:
                both.after(k)
            time = both.final()
            times += [time] if time else []
            rows += both.rows
            faults += both.faults
            failed[view] += both.failed
    if not args.fill_cache:
        report(args, verdicts, rows, times, faults, failed, left_out, planner)


def report(args, verdicts, rows, times, faults, failed, left_out, planner):
    """The tables and what they say."""
    table(("cluster, hbal's view", "after", "moves", "mem sd", "hbal", "cpu sd", "hbal",
           "ours/hbal", "GiB", "hbal", "verdict"), rows)
    table(("wall time", "ours s", "hbal s", "hbal/ours"), times)
    for what in left_out:
        print(f"left out, hbal has not run there yet: {what}")
    for view, lines in failed.items():
        done = sum(1 for r in rows if r[0].endswith(view) and r[-1])
        missing = sum(what.endswith(view) for what in left_out)
        note = f", {missing} clusters left out" if missing else ""
        kept = not lines and (None if missing or done == 0 else True)
        verdicts.add(f"not above hbal {view}", kept, f"{done - len(lines)} of {done} lines{note}")
    slow = [float(t[3]) for t in times if t[0].startswith("50/")]
    verdicts.add("1,000 times faster at 50/1,000", min(slow) >= 1000 if slow else None,
                 f"least {min(slow):.0f} times" if slow else "")
    note = "" if planner.knows_rules else ", this build knows no rules"
    verdicts.add("feasible at every instant", faults == 0 if rows else None,
                 f"{faults} faults{note}")
    verdicts.finish(args)


if __name__ == "__main__":
    main()
