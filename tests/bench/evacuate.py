#!/usr/bin/env python3
"""Evacuating each host of a 100/2,000 cluster: who leaves, who cannot and why, how long it takes.

For a domain that stays, every other host is looked at in the final placement: one that had room
for it, within capacity and rules, is a fault of the planner. The makespan is held against a lower
bound: the most that any link carries over its rate, from the printed transfers."""
import math
import statistics
import tempfile

from common import Cluster, Planner, Verdicts, arguments, policy_text, table, why_not, write
from referee import Referee

RESERVE = 0.05
RATE_MIB_S = 110
OVER_BOUND = 1.10


def policy(planner, cluster):
    """Evacuate and nothing else; otherwise the defaults."""
    text = {"version": 1, "aggressiveness": 1, "capacity": {"memory_reserve": RESERVE}}
    if planner.knows_rules:
        text["rules"] = cluster.rules()
    return text


def could_take(referee, uuid, evacuated):
    """A host that has room for a domain where everything is now, and no rule against it."""
    domain = referee.domains[uuid]
    for name, host in referee.hosts.items():
        taken = referee.taken[name]
        if (name != evacuated and
                taken["memory"] + domain["memory_mib"] <=
                referee.memory_share * host["memory_mib"] and
                taken["vcpus"] + domain["vcpus"] <= referee.vcpus_per_core * host["cpu_cores"] and
                not any(referee.members[rule][name] for rule in referee.apart[uuid])):
            return name
    return None


def bound_s(plan):
    """The most that one link carries, in one direction."""
    load = {}
    for move in plan["moves"]:
        for link in (("out", move["source"]), ("in", move["destination"])):
            load[link] = load.get(link, 0) + move["transfer_mib"] / RATE_MIB_S
    return max(load.values(), default=0)


class Evacuation:
    """One host."""

    def __init__(self, planner, cluster, host, files):
        self.host = host
        self.run = planner.plan(*files, "--evacuate", host)
        self.plan = self.run.plan
        if self.plan is None:
            return
        on_it = {d["uuid"] for d in cluster.snapshot["domains"] if d["host"] == host}
        referee = Referee(cluster.snapshot, cluster.rules(), 1 - RESERVE, 4.0, math.inf)
        referee.replay(self.plan)
        stayed = {u for u in on_it if referee.at[u] == host}
        listed = {u["domain"]: u["reason"] for u in self.plan["unresolved"]}
        self.faults = list(referee.faults)
        self.faults += [f"{u} stays and is not listed" for u in stayed - set(listed)]
        self.faults += [f"{u} stays without a reason" for u in stayed if not listed.get(u)]
        self.avoidable = [(u, h) for u in sorted(stayed)
                          for h in [could_take(referee, u, host)] if h]
        self.domains, self.stayed = len(on_it), len(stayed)
        self.reason = next((listed[u] for u in sorted(stayed) if u in listed), "")
        bound = bound_s(self.plan)
        self.ratio = self.plan["makespan_s"] / bound if bound else 1.0

    def row(self):
        """In the table."""
        return (self.host, str(self.domains), str(self.domains - self.stayed), str(self.stayed),
                str(len(self.avoidable)), str(len(self.plan["moves"])),
                f"{self.plan['makespan_s']:.0f}", f"{self.ratio:.3f}", str(len(self.faults)),
                f"{self.run.wall_s:.2f}", (self.faults or [self.reason])[0][:60])


def main():
    """All hosts, the table of the interesting ones, the verdicts."""
    parser = arguments(__doc__)
    parser.add_argument("--size", type=int, nargs=2, default=(100, 2000),
                        metavar=("HOSTS", "DOMAINS"))
    args = parser.parse_args()
    planner, verdicts = Planner(args), Verdicts("evacuate")
    cluster = Cluster(args, *args.size, 1)
    with tempfile.TemporaryDirectory() as folder:
        files = (cluster.save(folder),
                 write(folder, "policy.yaml", policy_text(policy(planner, cluster))))
        done = [Evacuation(planner, cluster, h["name"], files)
                for h in cluster.snapshot["hosts"]]
    good = [e for e in done if e.plan is not None]
    worst = sorted(good, key=lambda e: (-len(e.faults), -e.stayed, -e.ratio))
    print(f"{cluster.name}: the 12 of {len(done)} hosts with the most faults, domains that stay, "
          "or excess of time")
    table(("host", "domains", "left", "stay", "avoidable", "moves", "makespan s", "of bound",
           "faults", "wall s", "first fault or reason"), [e.row() for e in worst[:12]])
    report(verdicts, done, good, planner)
    verdicts.finish(args)


def report(verdicts, done, good, planner):
    """The demands."""
    lost = [e for e in done if e.plan is None]
    note = "" if planner.knows_rules else "; this build knows no rules"
    failed = f"; {len(lost)} hosts without a plan: {why_not(lost[0].run)}" if lost else ""
    left = sum(e.domains - e.stayed for e in good)
    verdicts.add("every domain that fits somewhere leaves",
                 not lost and not any(e.avoidable for e in good),
                 f"{left} of {sum(e.domains for e in good)} left, of those that stay "
                 f"{sum(len(e.avoidable) for e in good)} would have fitted{failed}")
    verdicts.add("feasible at every instant, all that stay have reasons",
                 not lost and not any(e.faults for e in good),
                 f"{sum(len(e.faults) for e in good)} faults on "
                 f"{sum(bool(e.faults) for e in good)} hosts{note}")
    if good:
        ratios = [e.ratio for e in good]
        verdicts.add("makespan within 10 % of its bound",
                     not lost and max(ratios) <= OVER_BOUND,
                     f"median {statistics.median(ratios):.3f}, worst {max(ratios):.3f}; wall "
                     f"median {statistics.median(e.run.wall_s for e in good):.3f} s")


if __name__ == "__main__":
    main()
