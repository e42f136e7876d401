#!/usr/bin/env python3
"""Draining a host of 12 guests on real hosts, against the links and against a loop of virsh.

Four hosts of the lab; 12 guests on h1. Setting "destinations": the cables of h2, h3 and h4 carry
100 Mbit/s each, that of h1 is free. Setting "source": that of h1 carries 200 Mbit/s. Each is drained
by the daemon (host_out 3, host_in 1, cluster 4; the time from the maintenance key until the host is
`evacuated`) and by `virsh migrate` in a loop, guest after guest to the same destinations.

The bound is what the jobs report as transferred, over the rate that the cables carried before, from
h1 to the three others at once. The machine must be quiet: copies compete with emulated guests.

Exit status: 0 all demands are kept, 1 some are not, 77 something is missing."""
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

from common import table
from in_lab import lab_arguments, run_in_lab, say
import throughput
from journal import Journal

SOURCE, DESTINATIONS = "h1", ("h2", "h3", "h4")
GUESTS = [f"g{n:02d}" for n in range(1, 13)]
MEMORY_MIB, FOOTPRINT_MIB = 256, 150
# Shaped cables of each setting, and how much faster than the loop the daemon must be.
SETTINGS = {"destinations": ({d: "100mbit" for d in DESTINATIONS}, 2.0),
            "source": ({SOURCE: "200mbit"}, 1.0)}
OVER_BOUND = 1.15
POLICY = """version: 1
mode: automatic
aggressiveness: 1
limits: {host_out: 3, host_in: 1, cluster: 4}
"""
# From a state's record to the next one's; `gap`: from a move's end to the next start there.
STEPS = ("claimed", "precheck", "prepare", "running", "commit-pending", "post", "done")
DRAIN_S = 1200
VIRSH_AT_ONCE = 3


class Bench:
    """The lab with its guests; each round ends with all guests on the source again."""

    def __init__(self, live, args):
        self.live = live
        self.args = args
        self.hosts = {}

    def up(self):
        """Hosts and guests."""
        self.live.up(hosts=4, memory_mib=8192)
        self.hosts = {h["name"]: h for h in self.live.status()["hosts"]}
        for at in range(0, len(GUESTS), VIRSH_AT_ONCE):
            self.live.lab("guest", "add", *GUESTS[at:at + VIRSH_AT_ONCE], "--host", SOURCE,
                          "--memory", MEMORY_MIB, "--footprint", FOOTPRINT_MIB, timeout=300)
        self.live.lab("watch", "start")

    def shape(self, rates):
        """Shape these cables, free the others."""
        for host in self.hosts:
            if host in rates:
                self.live.lab("link", "shape", host, rates[host])
            else:
                self.live.lab("link", "heal", host)

    def virsh_migrate(self, name, source, destination):
        """One migration as an operator types it."""
        self.live.lab("exec", "virsh", "-q", "-c", self.hosts[source]["uri"], "migrate", "--live",
                      "--p2p", "--persistent", "--undefinesource", name,
                      self.hosts[destination]["uri"],
                      f"tcp://{self.hosts[destination]['address']}", timeout=DRAIN_S)

    def bring_back(self):
        """All guests to the source, over free cables."""
        self.shape({})
        away = [(n, hosts[0]) for n, hosts in self.live.places().items() if hosts != [SOURCE]]
        with ThreadPoolExecutor(VIRSH_AT_ONCE) as pool:
            list(pool.map(lambda g: self.virsh_migrate(*g, SOURCE), away))

    def loop(self, goals):
        """Seconds that a loop of virsh takes, one guest after the other."""
        begun = time.monotonic()
        for name, destination in goals.items():
            self.virsh_migrate(name, SOURCE, destination)
        return time.monotonic() - begun

    def daemon(self, rates):
        """Seconds from the key to `evacuated`, and the moves' stories."""
        self.live.configure(self.args.settings, POLICY, rates)
        self.live.start()
        journal = Journal(self.live.socket)
        try:
            self.live.until("samples of all hosts", lambda: all(
                self.live.redis_json(f"host:{h}") for h in self.hosts), 60)
            mark = journal.newest("moves")
            begun = time.monotonic()
            journal.evacuate(SOURCE, DESTINATIONS)
            self.live.until(f"{SOURCE} evacuated", lambda: journal.status(SOURCE) == "evacuated",
                            DRAIN_S, poll=0.02)
            took_s = time.monotonic() - begun
            moves = stories(journal, mark)
        finally:
            journal.close()
            self.live.stop()
        return took_s, moves

    def round(self, setting):
        """Both ways once; a dict of figures."""
        shaped, _ = SETTINGS[setting]
        self.shape(shaped)
        rate = throughput.measure(self.live, SOURCE, DESTINATIONS)
        each = throughput.measure(self.live, SOURCE, DESTINATIONS[:1])
        told = {SOURCE: rate} if SOURCE in shaped else {d: each for d in DESTINATIONS}
        daemon_s, moves = self.daemon(told)
        self.bring_back()
        self.shape(shaped)
        loop_s = self.loop({m["name"]: m["destination"] for m in moves})
        self.bring_back()
        copied = sum(m["transferred_mib"] for m in moves)
        found = {"rate": rate, "copied": copied, "bound": copied / rate, "daemon": daemon_s,
                 "loop": loop_s, "moves": moves,
                 "failed": sum(m["state"] != "done" for m in moves)}
        say(f"{setting}: {rate:.1f} MiB/s to all, {each:.1f} to one; {copied:.0f} MiB copied, "
            f"bound {found['bound']:.1f} s, daemon {daemon_s:.1f} s "
            f"({daemon_s / found['bound']:.2f} times), loop {loop_s:.1f} s")
        return found


def stories(journal, mark):
    """The moves in the order of their begin: record, and the moment of each state in ms."""
    moves = {}
    for entry in journal.since(mark):
        moves.setdefault(entry["id"], {}).setdefault(entry["state"], int(entry["at_ms"]))
    found = []
    for move, at in moves.items():
        record = journal.record(move)
        found.append({"name": record["order"]["name"], "at": at, "state": record["state"],
                      "destination": record["order"]["destination"],
                      "transferred_mib": record["transferred_mib"],
                      "downtime_ms": record["downtime_ms"]})
    return sorted(found, key=lambda m: min(m["at"].values()))


def show_steps(moves):
    """Where the time of the moves goes: the medians of the steps, and all gaps."""
    rows = []
    for first, then in zip(STEPS, STEPS[1:]):
        took = [m["at"][then] - m["at"][first] for m in moves if first in m["at"] and then in m["at"]]
        if took:
            rows.append((f"{first} to {then}", statistics.median(took), max(took)))
    gaps = [later["at"]["claimed"] - max(earlier["at"].values())
            for earlier, later in following(moves)]
    if gaps:
        rows.append(("end to the next start there", statistics.median(gaps), max(gaps)))
    table(("step, ms", "median", "most"), rows)


def following(moves):
    """Pairs of moves to one destination, one after the other."""
    for destination in DESTINATIONS:
        there = [m for m in moves if m["destination"] == destination]
        yield from zip(there, there[1:])


def judge(verdicts, setting, rounds):
    """The demands on one setting, by medians."""
    _, faster = SETTINGS[setting]
    over = [r["daemon"] / r["bound"] for r in rounds]
    ahead = [r["loop"] / r["daemon"] for r in rounds]
    verdicts.add(f"{setting}: at most {OVER_BOUND} times the bound",
                 statistics.median(over) <= OVER_BOUND and not any(r["failed"] for r in rounds),
                 f"median {statistics.median(over):.3f} of {len(over)}, worst {max(over):.3f}; "
                 f"{sum(r['failed'] for r in rounds)} moves failed")
    verdicts.add(f"{setting}: at least {faster:g} times faster than the loop",
                 statistics.median(ahead) >= faster,
                 f"median {statistics.median(ahead):.2f}, worst {min(ahead):.2f}")


def bench(live, args, verdicts):
    """All rounds of all settings."""
    it = Bench(live, args)
    it.up()
    for setting in args.setting or SETTINGS:
        rounds = [it.round(setting) for _ in range(args.repeat)]
        show_steps([m for r in rounds for m in r["moves"]])
        judge(verdicts, setting, rounds)
    seen, good = live.report(max_gap_ms=3000)
    say(seen)
    verdicts.add("every guest ran exactly once", good, "seen by the watcher")


def main():
    """Run it."""
    parser = lab_arguments(__doc__, "ekdrain")
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="rounds (%(default)s)")
    parser.add_argument("--setting", action="append", choices=list(SETTINGS),
                        help="one of them only; may be given again")
    parser.add_argument("--settings", default="", metavar="YAML",
                        help="further lines of evenkeel.yaml, such as 'log: {level: debug}'")
    run_in_lab("drain", bench, parser.parse_args())


if __name__ == "__main__":
    main()
