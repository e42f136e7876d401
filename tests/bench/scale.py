#!/usr/bin/env python3
"""How time and memory grow with the cluster: the offline command, JSON in and out included.

Clusters of gen_cluster.py with their rules, aggressiveness 5, as many moves as it takes. The plot
has two logarithmic axes; the dashed line is linear growth from the first point."""
import math
import pathlib
import statistics
import tempfile

from common import (Cluster, Planner, Run, Verdicts, arguments, leveling_policy, policy_text, table,
                    why_not, write)
from referee import Referee

# Hosts, domains, the most seconds and MiB allowed (None: a point of the curve only).
SIZES = ((50, 1000, None, None), (100, 2000, None, None), (250, 5000, None, None),
         (500, 10000, None, None), (1000, 20000, 1.0, 150))
LARGE = ((2500, 50000, None, None), (10000, 200000, 15.0, 1536))
MOVES, MOVES_KNOWN = 100000, 10000
MOST_DEVIATION = 0.05
TIMES = 5
MOST_IN_CYCLES = 20000  # domains; reading a larger snapshot many times takes long


class Point:
    """One size."""

    def __init__(self, args, planner, hosts, domains, moves):
        self.hosts, self.domains = hosts, domains
        cluster = Cluster(args, hosts, domains, 1)
        rules = cluster.rules()
        policy = leveling_policy(moves)
        if planner.knows_rules:
            policy["rules"] = rules
        with tempfile.TemporaryDirectory() as folder:
            files = cluster.save(folder), write(folder, "policy.yaml", policy_text(policy))
            runs = [planner.plan(*files)]
            while runs[0].plan and len(runs) < TIMES and runs[0].wall_s < 5:
                runs.append(planner.plan(*files))
            self.cycle_ms = self.quiet_cycle(args, files, policy)
        self.run, self.plan = runs[0], runs[0].plan
        self.wall_s = statistics.median(r.wall_s for r in runs)
        self.rss_mib = statistics.median(r.rss_mib for r in runs)
        self.before = cluster.deviations(cluster.hosts_of())
        if self.plan:
            referee = Referee(cluster.snapshot, rules).replay(self.plan)
            self.faults = len(referee.faults)
            self.after = cluster.deviations({d["name"]: referee.at[u]
                                             for u, d in referee.domains.items()})

    def quiet_cycle(self, args, files, policy):
        """Milliseconds of an engine's cycle in which nothing moves; "" when it is not built."""
        program = args.build / "tests/bench/engine_cycle"
        if not program.exists() or self.domains > MOST_IN_CYCLES:
            return ""
        quiet = write(files[1].parent, "quiet.yaml", policy_text({**policy, "aggressiveness": 1}))
        run = Run([program, files[0], quiet], args.timeout)
        return run.out.split()[1] if run.status == 0 else ""

    def row(self):
        """In the table."""
        first = (f"{self.hosts}/{self.domains}", f"{self.wall_s:.3f}", f"{self.rss_mib:.0f}",
                 f"{1e6 * self.wall_s / self.domains:.1f}", self.cycle_ms)
        before = tuple(f"{v:.4f}" for v in self.before)
        if not self.plan:
            return (*first, "", *before, "", "", "", why_not(self.run))
        return (*first, str(len(self.plan["moves"])), *before,
                *(f"{v:.4f}" for v in self.after), str(self.faults), "")


def plot(points):
    """An SVG of wall time and memory over domains."""
    width, height, left, bottom = 640, 400, 70, 50
    xs = [math.log10(p.domains) for p in points]
    curves = [("wall s", "#b2182b", [p.wall_s for p in points]),
              ("RSS MiB", "#2166ac", [p.rss_mib for p in points])]
    ys = [math.log10(v) for _, _, values in curves for v in values]
    low, high = math.floor(min(ys)), math.ceil(max(ys) + 0.01)

    def x(value):
        return left + (value - xs[0]) / max(xs[-1] - xs[0], 1e-9) * (width - left - 30)

    def y(value):
        return height - bottom - (value - low) / (high - low) * (height - bottom - 30)

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
             'font-family="sans-serif" font-size="12">',
             f'<rect width="{width}" height="{height}" fill="white"/>']
    for decade in range(low, high + 1):
        parts.append(f'<path d="M{left},{y(decade):.1f}H{width - 30}" stroke="#ddd"/>'
                     f'<text x="{left - 8}" y="{y(decade) + 4:.1f}" text-anchor="end">'
                     f'{10.0 ** decade:g}</text>')
    for point, at in zip(points, xs):
        parts.append(f'<text x="{x(at):.1f}" y="{height - 30}" text-anchor="middle">'
                     f'{point.domains}</text>')
    parts.append(f'<text x="{width / 2}" y="{height - 8}" text-anchor="middle">domains</text>')
    for number, (name, colour, values) in enumerate(curves):
        logs = [math.log10(v) for v in values]
        line = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in zip(xs, logs))
        # Linear growth, up to where it leaves the plot.
        reach = min(xs[-1] - xs[0], high - logs[0])
        parts.append(f'<path d="M{x(xs[0]):.1f},{y(logs[0]):.1f}L{x(xs[0] + reach):.1f},'
                     f'{y(logs[0] + reach):.1f}" stroke="{colour}" stroke-dasharray="4 4" '
                     'stroke-opacity="0.5"/>')
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}"/>')
        parts += [f'<circle cx="{x(a):.1f}" cy="{y(b):.1f}" r="3" fill="{colour}"/>'
                  for a, b in zip(xs, logs)]
        parts.append(f'<text x="{left + 10}" y="{45 + 16 * number}" fill="{colour}">{name}</text>')
    return "\n".join(parts + ["</svg>"]) + "\n"


def judge(verdicts, point, most_s, most_mib, moves, note):
    """The demands on one size."""
    what = f"{point.hosts}/{point.domains}"
    kept = (point.plan is not None and point.wall_s <= most_s and point.rss_mib <= most_mib and
            moves == MOVES and not note)
    verdicts.add(f"{what}: {most_s:g} s and {most_mib} MiB", kept,
                 (f"{point.wall_s:.2f} s, {point.rss_mib:.0f} MiB" if point.plan
                  else why_not(point.run)) + note)
    figures = "no plan"
    if point.plan:
        figures = f"memory {point.after[0]:.4f}, cpu {point.after[1]:.4f}, {point.faults} faults"
    verdicts.add(f"{what}: both deviations <= {MOST_DEVIATION}, rules kept",
                 point.plan is not None and max(point.after) <= MOST_DEVIATION and
                 point.faults == 0, figures)


def main():
    """The table, the plot, the verdicts."""
    parser = arguments(__doc__)
    parser.add_argument("--large", action="store_true",
                        help="up to 10,000/200,000; making that cluster takes long, once (with "
                        "--full: always)")
    parser.add_argument("--plot", type=pathlib.Path, help="the SVG (CACHE/scale.svg)")
    args = parser.parse_args()
    planner, verdicts = Planner(args), Verdicts("scale")
    # Where the policy does not allow as many moves as demanded, say so and measure with less.
    moves = MOVES if planner.accepts(leveling_policy(MOVES)) else MOVES_KNOWN
    note = "" if planner.knows_rules else ", this build knows no rules"
    note += "" if moves == MOVES else f", moves_per_plan: {MOVES} is refused"
    points, slow = [], None
    for hosts, domains, most_s, most_mib in SIZES + (LARGE if args.large or args.full else ()):
        if slow and most_s is None:
            continue  # a larger point of the curve would be cut as well
        if slow:
            verdicts.add(f"{hosts}/{domains}: {most_s:g} s and {most_mib} MiB", False,
                         f"not run, {slow.hosts}/{slow.domains} {why_not(slow.run)} already{note}")
            continue
        points.append(Point(args, planner, hosts, domains, moves))
        if points[-1].plan is None:
            slow = points[-1]
        if most_s is not None:
            judge(verdicts, points[-1], most_s, most_mib, moves, note)
    table(("hosts/domains", "wall s", "RSS MiB", "us per domain", "cycle ms", "moves", "mem sd", "cpu sd",
           "mem after", "cpu after", "faults", "note"), [p.row() for p in points])
    growth(args, verdicts, [p for p in points if p.plan])
    verdicts.finish(args)


def growth(args, verdicts, points):
    """The exponent between the smallest and the largest size that were planned, and the plot."""
    if len(points) < 2:
        verdicts.add("growth close to linear", None, "fewer than two sizes were planned")
        return
    first, last = points[0], points[-1]
    exponent = math.log(last.wall_s / first.wall_s) / math.log(last.domains / first.domains)
    verdicts.add("growth close to linear (exponent <= 1.2)", exponent <= 1.2,
                 f"domains^{exponent:.2f} from {first.domains} to {last.domains} domains")
    path = args.plot or args.cache / "scale.svg"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(plot(points), encoding="utf-8")
    print(f"plot: {path}\n")


if __name__ == "__main__":
    main()
