#!/usr/bin/env python3
"""Against the optimum, on small random clusters that are solved to proof by Debian's cbc.

The model is written from the documented score (docs/planner.md): one binary per domain and host,
at most K domains elsewhere than before, configured memory and vCPUs within capacity. The squared
score is the mean of the hosts' squared deviations; each square is bounded from below by tangents
SPACING apart, so that the squared score is at most SPACING^2 / 4 below the truth. The model knows
no order: a placement that no K moves reach one after the other, each with room, is cut off and the
model is solved again.

Reported is (ours - optimum) / (initial - optimum) of the score, each evaluated exactly."""
import itertools
import json
import math
import pathlib
import random
import statistics
import subprocess
import tempfile

from common import (Planner, Verdicts, arguments, cached, is_cached, need, policy_text, table,
                    why_not, write)
from referee import Referee

SPACING = 0.0125
assert SPACING ** 2 / 4 < 1e-4
CLUSTERS, ENOUGH, SEED = 60, 50, 20260101  # some are left out or not proven
UNPROVEN_FROM = 10  # from this limit on the incumbent counts, below it only what is proven
MOST_CUTS = 12  # placements without an order that are cut off, before a cluster is left out
FLAVOURS = ((1, 2048), (2, 4096), (2, 8192), (4, 8192), (4, 16384), (8, 32768), (12, 24576))
OVERCOMMIT = 4.0


class Small:
    """One random cluster of 3 to 8 hosts, two sizes of them, some preferred by its domains."""

    def __init__(self, number):
        draw = random.Random(SEED + number)
        self.name = f"cluster {number}"
        self.hosts = [{"name": f"h{h}", "cpu_cores": c, "memory_mib": c * 4096}
                      for h, c in enumerate(draw.choices((16, 32), k=draw.randint(3, 8)))]
        likes = [draw.choice((1, 1, 3)) for _ in self.hosts]
        # Not full: where most moves wait for others, the order decides, which the model lacks.
        room = [[0.8 * h["memory_mib"], 0.9 * OVERCOMMIT * h["cpu_cores"], 0.9 * h["cpu_cores"]]
                for h in self.hosts]
        self.domains = []
        for number_of in range(draw.randint(12, 60)):
            vcpus, memory = draw.choice(FLAVOURS)
            cpu = round(vcpus * min(1.0, draw.lognormvariate(-1.6, 0.9)), 3)
            wanted = (memory, vcpus, cpu)
            fits = [h for h in range(len(room)) if all(r >= w for r, w in zip(room[h], wanted))]
            if not fits:
                continue
            host = draw.choices(fits, [likes[h] for h in fits])[0]
            room[host] = [r - w for r, w in zip(room[host], wanted)]
            self.domains.append({"uuid": f"d{number_of:02d}", "name": f"d{number_of:02d}",
                                 "host": f"h{host}", "vcpus": vcpus, "memory_mib": memory,
                                 "cpu_used_cores": cpu})
        self.home = [int(d["host"][1:]) for d in self.domains]
        self.share = {"c": [[d["cpu_used_cores"] / h["cpu_cores"] for h in self.hosts]
                            for d in self.domains],
                      "m": [[d["memory_mib"] / h["memory_mib"] for h in self.hosts]
                            for d in self.domains]}

    def snapshot(self):
        """As the planner reads it."""
        return {"version": 1, "taken_at_ms": 0, "hosts": self.hosts, "domains": self.domains}

    def score(self, place):
        """The documented score of a placement, both weights 1."""
        total = 0
        for share in self.share.values():
            use = [0.0] * len(self.hosts)
            for domain, host in enumerate(place):
                use[host] += share[domain][host]
            total += statistics.pvariance(use)
        return math.sqrt(total / len(self.share))

    def greedy(self, limit):
        """A placement by best single moves: a start for the solver, nothing else."""
        place = list(self.home)
        for _ in range(limit):
            tries = []
            for domain, host in itertools.product(range(len(place)), range(len(self.hosts))):
                if place[domain] == self.home[domain] != host:
                    other = [*place[:domain], host, *place[domain + 1:]]
                    if self.fits(other, host):
                        tries.append((self.score(other), other))
            if not tries or min(tries)[0] >= self.score(place):
                break
            place = min(tries)[1]
        return place

    def possible(self, place, limit):
        """Whether all hosts have room and no more than so many domains moved."""
        return (all(self.fits(place, h) for h in range(len(self.hosts))) and
                sum(a != b for a, b in zip(place, self.home)) <= limit)

    def reachable(self, goal, budget):
        """Whether so many single moves lead there, each with room where it goes; parking counts."""
        seen = set()

        def lead(place, left):
            wrong = [d for d, at in enumerate(place) if at != goal[d]]
            if not wrong:
                return True
            if len(wrong) > left or (place, left) in seen:
                return False
            seen.add((place, left))
            spare = left - len(wrong)
            tries = [(d, goal[d]) for d in wrong]
            tries += [(d, h) for d in range(len(place)) for h in range(len(self.hosts))
                      if h not in (place[d], goal[d]) and spare >= (1 if d in wrong else 2)]
            for domain, host in tries:
                there = (*place[:domain], host, *place[domain + 1:])
                if self.fits(there, host) and lead(there, left - 1):
                    return True
            return False

        return lead(tuple(self.home), budget)

    def fits(self, place, host):
        """Whether a host has room for all that it is to have."""
        here = [d for d, at in zip(self.domains, place) if at == host]
        it = self.hosts[host]
        return (sum(d["memory_mib"] for d in here) <= it["memory_mib"] and
                sum(d["vcpus"] for d in here) <= OVERCOMMIT * it["cpu_cores"] and
                sum(d["cpu_used_cores"] for d in here) <= it["cpu_cores"])


def terms(pairs):
    """A sum, many terms to a line but not too many."""
    text = [f"{'+' if value >= 0 else '-'} {abs(value):.12g} {name}" for value, name in pairs]
    return "\n ".join(" ".join(text[i:i + 8]) for i in range(0, len(text), 8))


class Model:
    """The LP file of one cluster and limit; x_d_h is there only for other hosts than d's own."""

    def __init__(self, small, limit, excluded=()):
        self.small, self.rows, self.free = small, [], []
        self.hosts, self.domains = range(len(small.hosts)), range(len(small.domains))
        self.binaries = [f"x_{d}_{h}" for d in self.domains for h in self.hosts
                         if h != small.home[d]]
        squares = [f"q_{r}_{h}" for r in "cm" for h in self.hosts]
        scale = 1 / (2 * len(self.hosts))
        # Nothing above the score that is there already is of interest: no deviation is larger.
        self.reach = min(1, small.score(small.home) * math.sqrt(2 * len(self.hosts)))
        self.steps = math.ceil(self.reach / SPACING)
        self.goal = terms([(scale, name) for name in squares])
        self.row([(1, x) for x in self.binaries], "<=", limit)
        for d in self.domains:
            self.row([(1, f"x_{d}_{h}") for h in self.hosts if h != small.home[d]], "<=", 1)
        self.capacities()
        for r in "cm":
            self.deviations(r)
        if excluded:
            self.first_move(limit)
        for place in excluded:
            moved = {f"x_{d}_{place[d]}" for d in self.domains if place[d] != small.home[d]}
            self.row([(1 if x in moved else -1, x) for x in self.binaries], "<=", len(moved) - 1)

    def row(self, pairs, relation, value):
        """One constraint."""
        self.rows.append(f" r{len(self.rows)}: {terms(pairs)} {relation} {value:.12g}")

    def change(self, weight, host):
        """(constant, terms) of the sum of weight(d, h) on a host, by what leaves and arrives."""
        constant = sum(weight(d, host) for d in self.domains if self.small.home[d] == host)
        pairs = []
        for d in self.domains:
            if self.small.home[d] == host:
                pairs += [(-weight(d, host), f"x_{d}_{h}") for h in self.hosts if h != host]
            else:
                pairs.append((weight(d, host), f"x_{d}_{host}"))
        return constant, pairs

    def capacities(self):
        """Configured memory and vCPUs of each host, and its load within all that it has."""
        it = self.small
        for h in self.hosts:
            for weight, limit in (
                    (lambda d, _: it.domains[d]["memory_mib"], it.hosts[h]["memory_mib"]),
                    (lambda d, _: it.domains[d]["vcpus"], OVERCOMMIT * it.hosts[h]["cpu_cores"]),
                    (lambda d, k: it.share["c"][d][k], 1.0)):
                constant, pairs = self.change(weight, h)
                self.row(pairs, "<=", limit - constant)

    def first_move(self, limit):
        """With no move to spare for parking, one of them must have room from the start."""
        home = self.small.home
        later = [x for x in self.binaries for _, d, h in [x.split("_")]
                 if not self.small.fits([*home[:int(d)], int(h), *home[int(d) + 1:]], int(h))]
        if later:
            self.row([(1, x) for x in later], "<=", limit - 1)

    def deviations(self, r):
        """v_r_h: use of a host minus the mean; q_r_h: at least its square."""
        share, count = self.small.share[r], len(self.hosts)
        use = [self.change(lambda d, h: share[d][h], h) for h in self.hosts]
        mean = sum(constant for constant, _ in use) / count
        every = {}
        for _, pairs in use:
            for value, name in pairs:
                every[name] = every.get(name, 0) + value / count
        for h in self.hosts:
            mine = {name: -value for name, value in every.items()}
            for value, name in use[h][1]:
                mine[name] += value
            pairs = [(value, name) for name, value in mine.items() if abs(value) > 1e-14]
            self.row([(1, f"v_{r}_{h}")] + [(-v, n) for v, n in pairs], "=", use[h][0] - mean)
            self.free.append(f"v_{r}_{h}")
            for step in range(-self.steps, self.steps + 1):
                at = step * SPACING
                self.row([(1, f"q_{r}_{h}"), (-2 * at, f"v_{r}_{h}")], ">=", -at * at)

    def text(self):
        """The LP file."""
        reach = f"{self.reach:.12g}"
        free = "\n".join(f" -{reach} <= {name} <= {reach}" for name in self.free)
        return (f"Minimize\n obj: {self.goal}\nSubject To\n" + "\n".join(self.rows) +
                f"\nBounds\n{free}\nBinaries\n" + "\n".join(f" {x}" for x in self.binaries) +
                "\nEnd\n")


def solve(args, small, limit, stop_s):
    """The best placement that can be reached, and whether it is proven optimal; None: left out."""
    excluded = []
    while len(excluded) < MOST_CUTS:
        answer = solve_once(args, small, limit, stop_s, excluded)
        if answer is None or small.reachable(answer["place"], limit):
            return answer
        excluded.append(answer["place"])
    return None


def solve_once(args, small, limit, stop_s, excluded):
    """cbc's placement, and whether it is proven optimal; None: it is not in the cache."""
    model = Model(small, limit, excluded).text()

    def compute():
        with tempfile.TemporaryDirectory() as folder:
            path, answer = write(folder, "model.lp", model), pathlib.Path(folder) / "answer"
            start = small.greedy(limit)
            subprocess.run(["cbc", path, "ratioGap", "0", "allowableGap", "1e-7", "cutoff",
                            f"{small.score(start) ** 2 + 1e-6:.9f}", "seconds", str(stop_s),
                            "timeMode", "elapsed", "solve", "solution", answer],
                           check=False, capture_output=True)
            # Debian's cbc 2.10.8 aborts on some models: then it has proven nothing.
            text = answer.read_text(encoding="utf-8") if answer.exists() else "Aborted"
            head, *lines = text.splitlines()
        place = list(small.home)
        for line in lines:
            words = line.replace("**", "").split()
            if words[1].startswith("x_") and float(words[2]) > 0.5:
                place[int(words[1].split("_")[1])] = int(words[1].split("_")[2])
        # Stopped before it found anything itself, it prints no placement: its start counts.
        if not small.possible(place, limit) or small.score(place) > small.score(start):
            place = start
        return {"place": place, "proven": head.startswith("Optimal")}

    key = f"{model} {stop_s:g}"
    if args.cached_only and not is_cached(args, "cbc", key):
        return None
    return cached(args, "cbc", key, compute)


def ours(planner, small, limit):
    """(placement, None) or (None, why there is none)."""
    policy = {"version": 1, "aggressiveness": 5, "cost_weight": 0,
              "trigger": {"imbalance": 0, "comfort": 0, "min_gain": 0},
              "resources": {r: {"weight": 1, "target_max": 1.0} for r in ("cpu", "memory")},
              "capacity": {"memory_reserve": 0, "cpu_overcommit": OVERCOMMIT},
              "limits": {"moves_per_plan": limit}}
    with tempfile.TemporaryDirectory() as folder:
        run = planner.plan(write(folder, "s.json", json.dumps(small.snapshot())),
                           write(folder, "p.yaml", policy_text(policy)))
    if run.plan is None:
        return None, why_not(run)
    referee = Referee(small.snapshot(), (), 1.0, OVERCOMMIT, 1.0).replay(run.plan)
    if referee.faults or len(run.plan["moves"]) > limit:
        return None, (referee.faults or ["more moves than allowed"])[0]
    return [int(referee.at[d["uuid"]][1:]) for d in small.domains], None


class Limit:
    """All clusters under one limit of moves."""

    def __init__(self, args, planner, limit, stop_s):
        self.limit, self.stop_s = limit, stop_s
        self.rows, self.ratios, self.unproven, self.wrong, self.left_out = [], [], 0, [], 0
        for number in range(args.clusters):
            self.one(args, planner, Small(number))

    def one(self, args, planner, small):
        """Both on one cluster."""
        answer = solve(args, small, self.limit, self.stop_s)
        if answer is None:
            self.left_out += 1
            return
        place, wrong = ours(planner, small, self.limit)
        if place is None:
            self.wrong.append(f"{small.name}: {wrong}")
            return
        self.unproven += not answer["proven"]
        if self.limit < UNPROVEN_FROM and not answer["proven"]:
            return
        first, mine, best = (small.score(p) for p in (small.home, place, answer["place"]))
        # Tangents leave an error; no optimum is above what somebody reached.
        best = min(best, mine) if answer["proven"] else best
        ratio = (mine - best) / (first - best) if first - best > 1e-9 else 0.0
        self.ratios.append(ratio)
        self.rows.append((small.name, str(len(small.hosts)), str(len(small.domains)),
                          f"{first:.5f}", f"{best:.5f}", f"{mine:.5f}", f"{100 * ratio:.2f} %",
                          "" if answer["proven"] else "not proven"))

    def verdict(self, verdicts):
        """What the limit's demand is, and whether it is kept; too few clusters prove nothing."""
        if not self.ratios:
            verdicts.add(f"limit {self.limit}", False if self.wrong else None,
                         (self.wrong or ["no solution of cbc is there"])[0])
            return
        mean, worst = statistics.mean(self.ratios), max(self.ratios)
        if self.limit < UNPROVEN_FROM:
            demand, kept = "2 % on average, 5 % at worst", mean <= 0.02 and worst <= 0.05
        else:
            demand, kept = "not above cbc's incumbent on average", mean <= 0
        kept = kept and not self.wrong
        if kept and len(self.ratios) < ENOUGH:
            kept = None
        wrong = f", {len(self.wrong)} wrong: {self.wrong[0]}" if self.wrong else ""
        verdicts.add(f"limit {self.limit}: {demand}", kept,
                     f"mean {100 * mean:.2f} %, worst {100 * worst:.2f} %, {len(self.ratios)} "
                     f"clusters, {self.unproven} not proven, {self.left_out} left out{wrong}")


def main():
    """A table per limit, and the verdicts."""
    parser = arguments(__doc__, data=False)
    parser.add_argument("--clusters", type=int, default=CLUSTERS, help="how many (%(default)d)")
    parser.add_argument("--limit-10", action="store_true",
                        help="10 moves, too: cbc takes up to 120 s each (with --full: always)")
    parser.add_argument("--stop", type=float, default=120, metavar="S",
                        help="cbc is stopped after that (%(default)g)")
    parser.add_argument("--cached-only", action="store_true",
                        help="leave out what cbc has not solved yet")
    parser.add_argument("--fill-cache", action="store_true", help="run cbc only")
    args = parser.parse_args()
    need(cbc="coinor-cbc")
    limits = [3, 6] + ([10] if args.limit_10 or args.full else [])
    if args.fill_cache:
        for number in range(args.clusters):
            for limit in limits:
                answer = solve(args, Small(number), limit, args.stop)
                print(number, limit, answer["proven"] if answer else "no order", flush=True)
        return
    planner, verdicts = Planner(args), Verdicts("optimum")
    for limit in limits:
        it = Limit(args, planner, limit, args.stop)
        print(f"At most {limit} moves")
        table(("cluster", "hosts", "domains", "initial", "optimum", "ours", "ratio", "cbc"),
              it.rows)
        it.verdict(verdicts)
    verdicts.finish(args)


if __name__ == "__main__":
    main()
