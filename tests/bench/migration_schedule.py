#!/usr/bin/env python3
"""Order, concurrency and bandwidth of given moves: the published instances of mVM (UCC 2015).

Each of ten domains on four hosts must go to a given other host. Links 500, 500, 1000, 1000 Mb/s in
each direction, twelve cells of memory per host; published durations at 1000 and at 500 Mb/s. A
referee of its own looks at every link and host at every instant. The limit of migrations per
host and direction is tried at several values, as an operator may set it; the best one counts."""
import json
import re
import statistics
import subprocess
import sys

from common import MISSING, Verdicts, arguments, need_folder, table

MB_S = {0: 500, 1: 500, 2: 1000, 3: 1000}  # Mb/s of the hosts' links
DURATION_S = {2000: (20, 51), 3000: (29, 70)}  # by MB of memory in use: at 1000, at 500 Mb/s
MIB_S_OF_1000 = 1e9 / 8 / 2 ** 20
CELL_MIB = 1000
NEAR = 0.005  # how far a predicted duration may be off the published one
LIMITS = (1, 2, 10)


class Instance:
    """One published instance."""

    def __init__(self, path):
        document = json.loads(path.read_text(encoding="utf-8"))
        origin = document["origin"]
        self.name = path.stem
        self.host = {vm: int(h) for h, it in origin["mapping"]["onlineNodes"].items()
                     for vm in it["runningVMs"]}
        memory = next(v for v in origin["views"] if v.get("rcId") == "mem")
        self.cells = {int(vm): c for vm, c in memory["vms"].items()}
        self.room = {int(h): c for h, c in memory["nodes"].items()}
        self.used = {int(vm): a["memUsed"] for vm, a in origin["attributes"]["vms"].items()}
        self.goal = {a["vm"]: a["to"] for a in document["actions"]}
        self.mvm_s = max(a["end"] for a in document["actions"])

    def order(self):
        """The moves in an order in which each has room after those before it."""
        dead = set()

        def after(done):
            if len(done) == len(self.goal):
                return done
            if frozenset(done) in dead:
                return None
            free = self.free_after(done)
            for vm in sorted(set(self.goal) - set(done)):
                if free[self.goal[vm]] >= self.cells[vm]:
                    found = after([*done, vm])
                    if found:
                        return found
            dead.add(frozenset(done))
            return None

        return after([]) or sys.exit(f"{self.name}: no order, parking is not part of this bench")

    def free_after(self, done):
        """Free cells of each host when these moves have ended."""
        free = dict(self.room)
        for vm, host in self.host.items():
            free[self.goal[vm] if vm in done else host] -= self.cells[vm]
        return free

    def mbit_s(self, vm):
        """The most that both links carry."""
        return min(MB_S[self.host[vm]], MB_S[self.goal[vm]])

    def bound_s(self):
        """No schedule is shorter: each link's work, each migration at its cheapest rate."""
        load = {}
        for vm in self.goal:
            full, half = DURATION_S[self.used[vm]]
            work = min(1000 * full, 500 * half) if self.mbit_s(vm) == 1000 else 500 * half
            for link in (("out", self.host[vm]), ("in", self.goal[vm])):
                load[link] = load.get(link, 0) + work
        return max(work / MB_S[host] for (_, host), work in load.items())

    def text(self, limit):
        """The scheduler's input."""
        lines = [f"limits {limit} {limit} {len(self.goal)}"]
        lines += [f"host n{h} {c * CELL_MIB} {MIB_S_OF_1000 * MB_S[h] / 1000}"
                  for h, c in self.room.items()]
        for vm, host in self.host.items():
            full, half = DURATION_S[self.used[vm]]
            lines.append(f"domain v{vm} n{host} {self.cells[vm] * CELL_MIB} {full} {half}")
        return "\n".join(lines + [f"move v{vm} n{self.goal[vm]}" for vm in self.order()]) + "\n"


class Result:
    """What the scheduler made of an instance."""

    def __init__(self, instance, program, limit):
        done = subprocess.run([program], input=instance.text(limit), text=True,
                              capture_output=True, check=True)
        self.took_ms = float(re.search(r"^took (\d+)$", done.stdout, re.M)[1]) / 1000
        self.instance, self.faults = instance, []
        slots = [tuple(map(int, w)) for w in re.findall(r"^(\d+) (\d+) (\d+)$", done.stdout, re.M)]
        order = instance.order()
        if sorted(s[0] for s in slots) != list(range(1, len(order) + 1)):
            self.faults.append("not each move is scheduled once")
        self.slots = [(order[seq - 1], start, duration) for seq, start, duration in slots]
        self.makespan_s = max(start + duration for _, start, duration in self.slots) / 1000
        self.referee()

    def rate(self, vm, duration_ms):
        """Mb/s that a published duration stands for; None when it is none."""
        rates = [r for r, d in zip((1000, 500), DURATION_S[self.instance.used[vm]])
                 if abs(duration_ms / 1000 - d) <= NEAR * d]
        if not rates or rates[0] > self.instance.mbit_s(vm):
            self.faults.append(f"v{vm}: {duration_ms / 1000} s is no published duration")
        return rates[0] if rates else 0

    def referee(self):
        """Every link and every host at every instant; ends before starts."""
        it, use, events = self.instance, {}, []
        cells = {h: sum(it.cells[v] for v in it.host if it.host[v] == h) for h in it.room}
        for vm, start, duration in self.slots:
            events += [(start, 1, vm, self.rate(vm, duration))]
            events += [(start + duration, 0, vm, self.rate(vm, duration))]
        for when, is_start, vm, rate in sorted(events):
            source, goal, sign = it.host[vm], it.goal[vm], 1 if is_start else -1
            cells[goal if is_start else source] += sign * it.cells[vm]
            for link in (("out", source), ("in", goal)):
                use[link] = use.get(link, 0) + sign * rate
                if use[link] > MB_S[link[1]]:
                    self.faults.append(f"{when} ms: link {link}: {use[link]} Mb/s")
            if cells[goal] > it.room[goal]:
                self.faults.append(f"{when} ms: {cells[goal]} cells on n{goal}")


def main():
    """All instances under each limit."""
    args = arguments(__doc__).parse_args()
    folder = need_folder(args.data / "migration-scheduling")
    program = args.build / "tests/bench/schedule_given"
    if not program.exists():
        print(f"missing: {program} (cmake --build {args.build} --target schedule_given)")
        sys.exit(MISSING)
    instances = [Instance(p) for p in sorted(folder.glob("random.*.json"),
                                             key=lambda p: int(p.stem.split(".")[1]))]
    results = {n: [Result(i, program, n) for i in instances] for n in LIMITS}
    valid = [n for n in LIMITS if not any(r.faults for r in results[n])]
    best = min(valid or LIMITS, key=lambda n: mean(results[n]))
    table(("instance", "bound s", "mVM s", *(f"limit {n} s" for n in LIMITS), "faults"),
          [(i.name, f"{i.bound_s():.1f}", f"{i.mvm_s}",
            *(f"{results[n][k].makespan_s:.1f}" for n in LIMITS),
            " / ".join(str(len(results[n][k].faults)) for n in LIMITS))
           for k, i in enumerate(instances)])
    for n in LIMITS:
        if n not in valid:
            fault = next(f for r in results[n] for f in r.faults)
            print(f"limit {n} does not count, the first reason: {fault}")
    verdict(args, instances, results[best], best, best in valid)


def mean(results):
    """Mean makespan."""
    return statistics.mean(r.makespan_s for r in results)


def verdict(args, instances, results, limit, valid):
    """Against mVM and the bound."""
    ours = mean(results)
    mvm = statistics.mean(i.mvm_s for i in instances)
    bound = statistics.mean(i.bound_s() for i in instances)
    verdicts = Verdicts("migration_schedule")
    verdicts.add("mean makespan below mVM's", valid and ours < mvm,
                 f"{ours:.1f} s at limit {limit}, mVM {mvm:.1f} s")
    verdicts.add("within 3 % of the mean bound", valid and ours <= 1.03 * bound,
                 f"{ours / bound:.3f} of {bound:.1f} s")
    verdicts.add("no link or host over capacity", valid,
                 f"{sum(len(r.faults) for r in results)} faults")
    slowest = max(r.took_ms for r in results)
    verdicts.add("under 10 ms each", slowest < 10, f"slowest {slowest:.3f} ms")
    verdicts.finish(args)


if __name__ == "__main__":
    main()
