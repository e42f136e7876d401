#!/usr/bin/env python3
"""The PlanetLab days in the setting of Beloglazov and Buyya (2012), beside what CloudSim 4.0 makes of
the first: energy, migrations, and time at 100 % CPU per active host.

800 hosts, half HP ML110 G4 (2 x 1860 MIPS), half G5 (2 x 2660), 4096 MB, 1 Gb/s of which a migration
gets half; one machine for each file, in turn of 2500, 2000, 1000, 500 MIPS and 870, 1740, 1740, 613
MB. All runs begin alike: first fit of what the machines are given, in MIPS and in memory; empty
hosts are off. `evenkeel simulate` runs the day, in cycles of five minutes; what is judged is its
table of hosts (--csv), by the SPECpower figures below.

What differs from theirs is printed with the result. Exit status as of the other benches."""
import collections
import csv
import json
import pathlib
import tarfile
import tempfile

from common import (MISSING, Planner, Run, Verdicts, arguments, need_folder, policy_text, table,
                    why_not, write)

CYCLE_S = 300
CORE_MIPS = 1000
MIB_S = 1e9 / 8 / 2 / 2 ** 20
HOSTS = 800
MEMORY_MB = 4096
# Name, MIPS, and W at 0, 10, ... 100 % of load (SPECpower).
MODELS = (
    ("g4", 2 * 1860, (86, 89.4, 92.6, 96, 99.5, 102, 106, 108, 112, 114, 117)),
    ("g5", 2 * 2660, (93.7, 97, 101, 105, 110, 116, 121, 125, 129, 133, 135)),
)
MACHINES = ((2500, 870), (2000, 1740), (1000, 1740), (500, 613))
# Policy, kWh, migrations, % of time at 100 % CPU per active host: measured, on that day.
CLOUDSIM_DAY = "20110303"
CLOUDSIM = (("THR-MMT-0.8", 198.08, 27728, 5.00), ("IQR-MMT-1.5", 193.63, 27592, 5.02),
            ("MAD-MMT-2.5", 189.79, 27781, 5.09), ("LR-MMT-1.2", 167.83, 27649, 5.72),
            ("LR-MC-1.2", 153.87, 23351, 7.02))
MOST_MIGRATIONS, MOST_FULL = 277, 5.0
NEVER = "never moving"
POLICIES = ((NEVER, "spread", 1), ("spread", "spread", 3), ("pack 2", "pack", 2),
            ("pack 3", "pack", 3), ("pack 5", "pack", 5))
DIFFERENCES = """What differs from CloudSim's setting:
- A machine may use all cores of its host (theirs: one, so that a G4 never gives it 2000 MIPS).
- Between two figures of a file the load stays (theirs: a line between them).
- A migration costs no CPU (theirs: a tenth of the machine's while it is copied), and a machine
  counts on one host at a time.
- With "memory counts" a host is full at 4096 MB. CloudSim gives memory at the first placement only:
  its hosts hold three times what they have. "memory does not count" is nearer to that.
- The same start for all, by what machines are given; theirs starts by what they use at first.
"""


def policy(kind, aggressiveness):
    """All memory may be used, as there; CPU up to the default target."""
    return {"version": 1, "policy": kind, "aggressiveness": aggressiveness,
            "resources": {"cpu": {"target_max": 0.7}, "memory": {"target_max": 1.0}},
            "capacity": {"memory_reserve": 0}}


def unpack(args):
    """The days, each a folder in the cache."""
    packed = need_folder(args.data / "planetlab") / "days.tar.xz"
    folder = args.cache / "planetlab"
    if not folder.is_dir():
        if not packed.exists():
            print(f"missing: {packed} (other people's data, see docs/benchmarks.md)")
            raise SystemExit(MISSING)
        with tarfile.open(packed) as archive:
            # Nothing but plain files below the folder; Debian 12's tarfile knows no filters yet.
            archive.extractall(folder, [m for m in archive if (m.isfile() or m.isdir()) and
                                        not m.name.startswith("/") and ".." not in m.name])
    return sorted(p for p in folder.iterdir() if p.is_dir())


def first_fit(machines):
    """Index of the host of each machine, by what it is given."""
    left = [[MODELS[h % 2][1], MEMORY_MB] for h in range(HOSTS)]
    places = []
    for mips, memory in machines:
        host = next(h for h, (m, r) in enumerate(left) if m >= mips and r >= memory)
        left[host][0] -= mips
        left[host][1] -= memory
        places.append(host)
    return places


def cluster(day, memory_counts):
    """The start as a snapshot."""
    names = sorted(p.name for p in day.iterdir())
    machines = [MACHINES[i % len(MACHINES)] for i in range(len(names))]
    hosts = [f"{MODELS[h % 2][0]}-{h:03d}" for h in range(HOSTS)]
    room_mb = MEMORY_MB if memory_counts else 100 * MEMORY_MB
    return {"version": 1, "taken_at_ms": 1, "hosts": [
        {"name": name, "cpu_cores": MODELS[h % 2][1] / CORE_MIPS, "memory_mib": room_mb,
         "migration_mib_s": MIB_S} for h, name in enumerate(hosts)], "domains": [
        {"uuid": f"00000000-0000-4000-8000-{i:012d}", "name": name, "host": hosts[place],
         "vcpus": mips / CORE_MIPS, "memory_mib": memory, "memory_rss_mib": memory,
         "cpu_used_cores": 0}
        for i, (name, (mips, memory), place) in enumerate(
            zip(names, machines, first_fit(machines)))]}


def power_w(name, load):
    """Of a host that is on, by its model: a line between two tenths."""
    watts = next(w for model, _, w in MODELS if name.startswith(model))
    at = min(int(load * 10), 9)
    return watts[at] + (load * 10 - at) * (watts[at + 1] - watts[at])


class Day:
    """What the hosts did: energy, time, and both over the day."""

    def __init__(self, path):
        self.kwh = self.active = self.full = 0.0
        self.power_kw = collections.Counter()
        self.hosts = collections.Counter()
        with open(path, encoding="utf-8") as lines:
            for row in csv.DictReader(lines):
                if int(row["domains"]) > 0:
                    self.add(row)

    def add(self, row):
        """One host that is on, in one cycle."""
        load = float(row["cpu_wanted_cores"]) / float(row["cpu_cores"])
        watts = power_w(row["host"], min(load, 1))
        self.kwh += watts * CYCLE_S / 3.6e6
        self.active += 1
        self.full += load >= 1 - 1e-9
        self.power_kw[float(row["time_s"])] += watts / 1000
        self.hosts[float(row["time_s"])] += 1

    def full_percent(self):
        """Of the time of active hosts."""
        return 100 * self.full / self.active

    def mean_hosts(self):
        """That were on."""
        return self.active / len(self.hosts)


def simulate(planner, day, memory_counts, kind, aggressiveness):
    """One run: its document and its day, or why there are none."""
    with tempfile.TemporaryDirectory() as scratch:
        path = pathlib.Path(scratch) / "hosts.csv"
        run = Run([planner.program, "--json", "simulate", "--traces", day, "--layout", "planetlab",
                   "--snapshot", write(scratch, "s.json", json.dumps(cluster(day, memory_counts))),
                   "--policy", write(scratch, "p.yaml", policy_text(policy(kind, aggressiveness))),
                   "--cycle", CYCLE_S, "--csv", path], planner.timeout_s)
        if run.cut or run.status != 0:
            return None, why_not(run)
        return json.loads(run.out)["runs"][0], Day(path)


def draw(days, path):
    """Power over the day, a line for each run, as SVG."""
    width, height, left, top = 900, 360, 60, 30
    most = max(max(d.power_kw.values()) for _, d in days)
    colours = ("#555555", "#0072b2", "#d55e00", "#009e73", "#cc79a7")
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width + left + 20}" '
             f'height="{height + top + 40}" font-family="sans-serif" font-size="11">',
             '<rect width="100%" height="100%" fill="white"/>',
             f'<rect x="{left}" y="{top}" width="{width}" height="{height}" fill="none" '
             'stroke="#888"/>',
             f'<text x="{left}" y="{top - 12}">power of all hosts that are on, kW</text>',
             f'<text x="{left - 6}" y="{top + 10}" text-anchor="end">{most:.1f}</text>',
             f'<text x="{left - 6}" y="{top + height}" text-anchor="end">0</text>']
    for hour in range(0, 25, 4):
        x = left + width * hour / 24
        parts.append(f'<text x="{x:.0f}" y="{top + height + 16}" text-anchor="middle">'
                     f'{hour} h</text>')
    for i, (name, day) in enumerate(days):
        points = " ".join(f"{left + width * t / 86400:.1f},{top + height * (1 - kw / most):.1f}"
                          for t, kw in sorted(day.power_kw.items()))
        parts += [f'<polyline fill="none" stroke="{colours[i]}" points="{points}"/>',
                  f'<text x="{left + 10 + 150 * i}" y="{top + height - 10}" '
                  f'fill="{colours[i]}">{name}</text>']
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(parts + ["</svg>"]) + "\n", encoding="utf-8")
    print(f"picture: {path}\n")


def judge(args, planner, verdicts, day, memory_counts):
    """One day in one setting: table, picture, verdict."""
    setting = "memory counts" if memory_counts else "memory does not count"
    print(f"{day.name}, {len(list(day.iterdir()))} machines, {setting}:")
    runs = [(name, *simulate(planner, day, memory_counts, kind, level))
            for name, kind, level in POLICIES]
    rows = [(name, "", "", "", "", found) if run is None else
            (name, f"{found.kwh:.2f}", str(run["moves"]), f"{found.full_percent():.2f}",
             f"{found.mean_hosts():.1f}", str(run["flaps"])) for name, run, found in runs]
    if day.name == CLOUDSIM_DAY:
        rows += [(f"CloudSim {name}", f"{kwh:.2f}", str(moves), f"{full:.2f}", "", "")
                 for name, kwh, moves, full in CLOUDSIM]
    table(("policy", "energy kWh", "migrations", "% of time at 100 % CPU", "hosts on", "flaps"),
          rows)
    good = {name: (run, found) for name, run, found in runs if run is not None}
    demand = (f"{day.name}, {setting}: a pack run with at most {MOST_MIGRATIONS} migrations, at most "
              f"{MOST_FULL} % at 100 %, less energy than {NEVER}")
    if len(good) < len(POLICIES):
        verdicts.add(demand, False, "a run failed")
        return
    draw([(name, found) for name, (_, found) in good.items()],
         args.cache / f"planetlab-{day.name}-{'with' if memory_counts else 'without'}-memory.svg")
    kept = [name for name, (run, found) in good.items() if name.startswith("pack")
            and run["moves"] <= MOST_MIGRATIONS and found.full_percent() <= MOST_FULL
            and found.kwh < good[NEVER][1].kwh]
    figures = "; ".join(f"{n}: {r['moves']}, {f.full_percent():.2f} %, {f.kwh:.1f} kWh"
                        for n, (r, f) in good.items() if n in (kept or ["pack 2"]))
    verdicts.add(demand, bool(kept), f"{figures}; {NEVER} {good[NEVER][1].kwh:.1f} kWh")


def main():
    """The days; the first alone, and with memory, unless --full."""
    args = arguments(__doc__).parse_args()
    planner, verdicts = Planner(args), Verdicts("planetlab")
    days = unpack(args)
    for day in days if args.full else days[:1]:
        for memory_counts in (True, False) if args.full else (True,):
            judge(args, planner, verdicts, day, memory_counts)
    print(DIFFERENCES)
    verdicts.finish(args)


if __name__ == "__main__":
    main()
