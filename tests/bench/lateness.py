#!/usr/bin/env python3
"""Whether hosts that answer are sampled on time while others do not, on real hosts.

Eight hosts of the lab, one daemon. Again and again one libvirtd is stopped (SIGSTOP) and one host's
cable swallows all TCP packets, for shorter and longer: connections are lost (libvirt's keepalive
gives up after 30 s), and their hosts tried again and again.

  lateness   of each tick of a host that answers: from the moment at which its sample is due until a
             sample that was taken since is in Redis, where the balancer finds it; a sample that never
             comes makes its tick as late as the next one. Beside it until the sample was taken.
             When ticks are due follows from the period and from the host's place in the list (host i
             of n at i/n of the period) but for one moment, the timetable's start, which is taken
             as late as all samples allow: what the fastest of all reads took is not counted
  stale      from the fault until `evenkeel status --json` does not call the host up any more
  back       from the healing until it does again

Looks at the status are a little more than 0.1 s apart, and faults are made and mended by commands of
the lab, which take about as long: what is judged is the least that it can have been, from the
command's end to the last look that did not show it yet; what is shown is the most.

Exit status: 0 all demands are kept, 1 some are not, 77 something is missing."""
import json
import math
import sys
import time

from common import MISSING, table
from in_lab import Failure, Redis, Sight, lab_arguments, run_in_lab, say
from live import run

HOSTS = 8
STOPPED, HOLED = "h3", "h6"
PERIOD_S = 15
BEFORE_PERIODS = 16
OUTAGES = (4, 12)          # in periods
LATE_MS = 250
STALE_PERIODS, BACK_PERIODS = 2, 1
LOOK_S = 0.1
PATIENCE_S = 120
POLICY = "version: 1\nmode: recommend\n"


class Samples:
    """When each sample was taken and came to Redis: .seen[host] = [(taken_ms, seen_ms)], oldest
    first."""

    def __init__(self, live, hosts):
        self.redis = Redis(live.socket)
        self.seen = {h: [] for h in hosts}
        self.sight = Sight(live, self.take)

    def take(self, host, now_ms):
        """One came."""
        sample = json.loads(self.redis.call("GET", f"evenkeel:host:{host}"))
        self.seen[host].append((sample["taken_at_ms"], now_ms))

    def end(self):
        """What was seen stays."""
        self.sight.end()
        self.redis.close()


class Status:
    """What the operator's command says of the hosts."""

    def __init__(self, live, args):
        self.live = live
        self.command = [args.build / "balancer/tools/evenkeel", "-c", live.config, "--json",
                        "status"]

    def not_up(self):
        """The report's time in ms, and the hosts that are not up."""
        found = json.loads(run(self.command, 20))
        return found["taken_at_ms"], {h["name"] for h in found["hosts_not_up"]}

    def reach(self, up, since):
        """Looks until all hosts of `since` are up, or none: for each how many ms it took since its
        two moments there at the least and at the most."""
        hosts, before_ms, found = list(since), 0, {}
        end = time.monotonic() + PATIENCE_S
        while len(found) < len(hosts):
            at_ms, away = self.not_up()
            for host in hosts:
                if host not in found and (host not in away) == up:
                    begun_ms, done_ms = since[host]
                    found[host] = (max(0, before_ms - done_ms), at_ms - begun_ms)
            before_ms = at_ms
            if time.monotonic() > end:
                raise Failure(f"{', '.join(set(hosts) - set(found))}: not "
                              f"{'up' if up else 'stale'} within {PATIENCE_S} s")
            time.sleep(LOOK_S)
        return found


def now_ms():
    """Unix time."""
    return time.time() * 1000


def faults(live, on):
    """Make both, or mend both; for each host the moments before and after in ms."""
    found = {}
    for host, command in ((STOPPED, ("stop" if on else "cont", STOPPED, "libvirtd")),
                          (HOLED, ("link", "drop" if on else "heal", HOLED))):
        begun = now_ms()
        live.lab(*command)
        found[host] = (begun, now_ms())
    return found


def pass_time(live, what, until):
    """Let the daemon work on; an end of it is a failure."""
    live.until(what, lambda: time.monotonic() >= until, max(0, until - time.monotonic()) + 60)


def outage(live, args, status, periods):
    """One outage of so many periods: when it was in ms, and what was reached when."""
    made = faults(live, True)
    end = time.monotonic() + periods * args.interval
    stale = status.reach(False, made)
    pass_time(live, "the outage's end", end)
    healed = faults(live, False)
    back = status.reach(True, healed)
    pass_time(live, "two calm periods", time.monotonic() + 2 * args.interval)
    return {"periods": periods, "stale": stale, "back": back,
            "begun": min(m for m, _ in made.values()), "healed": min(m for m, _ in healed.values())}


class Ticks:
    """When the hosts' samples were due, and how late they were."""

    def __init__(self, hosts, seen, period_ms):
        self.hosts, self.seen, self.period_ms = hosts, seen, period_ms
        first = min(taken for host in hosts for taken, _ in seen[host])
        # Differences to any one grid, folded to half a period up and down: the earliest tells.
        half = period_ms / 2
        self.start_ms = first + min(
            (taken - self.place(host) - first + half) % period_ms - half
            for host in self.well() for taken, _ in seen[host])

    def well(self):
        """The hosts that are never disturbed."""
        return [h for h in self.hosts if h not in (STOPPED, HOLED)]

    def place(self, host):
        """How far into a period a host's turn is."""
        return self.period_ms * self.hosts.index(host) / len(self.hosts)

    def lateness(self, begin_ms, end_ms):
        """Of every tick due in that time: ms until it was taken, and until it was in Redis."""
        found = []
        for host in self.well():
            first = self.start_ms + self.place(host)
            for k in range(math.ceil((begin_ms - first) / self.period_ms),
                           math.ceil((end_ms - first) / self.period_ms)):
                due = first + k * self.period_ms
                # Rounded: samples are stamped in whole ms.
                came = next((s for s in self.seen[host] if s[0] >= math.floor(due)),
                            (math.inf, math.inf))
                found.append((came[0] - due, came[1] - due))
        return found


def p99(values):
    """The value that one of a hundred is above."""
    return sorted(values)[math.ceil(0.99 * len(values)) - 1]


def judge_lateness(ticks, calm, outages, verdicts):
    """Before and during; after the healing for information."""
    during = [v for o in outages for v in ticks.lateness(o["begun"], o["healed"])]
    after = [v for o in outages for v in
             ticks.lateness(o["healed"], o["healed"] + 2 * ticks.period_ms)]
    rows = []
    for phase, found in (("before", ticks.lateness(*calm)), ("during", during), ("after", after)):
        taken, stored = zip(*found)
        rows.append((phase, len(found), *(round(v, 1) for v in (
            sorted(taken)[len(taken) // 2], p99(taken), max(taken), sorted(stored)[len(stored) // 2],
            p99(stored), max(stored)))))
        if phase != "after":
            verdicts.add(f"{phase}: p99 of the others' lateness below {LATE_MS} ms",
                         p99(stored) < LATE_MS,
                         f"{p99(stored):.0f} ms, worst {max(stored):.0f} ms of {len(found)} ticks")
    table(("lateness in ms", "ticks", "taken, median", "p99", "worst", "in Redis, median", "p99",
           "worst"), rows)


def judge_marks(args, outages, verdicts):
    """Marked and back in time."""
    rows = []
    for one in outages:
        rows += [(f"{host} {word}", one["periods"] * args.interval,
                  *(round(ms / 1000 / args.interval, 2) for ms in
                    (one["stale"][host][1], one["back"][host][1])))
                 for host, word in ((STOPPED, "stopped"), (HOLED, "behind a black hole"))]
    table(("host", "outage, s", "stale after, periods", "back after, periods"), rows)
    for what, limit in (("stale", STALE_PERIODS), ("back", BACK_PERIODS)):
        found = [low for one in outages for low, _ in one[what].values()]
        seen = [high for one in outages for _, high in one[what].values()]
        verdicts.add(f"both {what} within {limit} period{'s' if limit > 1 else ''}",
                     max(found) <= limit * args.interval * 1000,
                     f"after at most {max(seen) / 1000 / args.interval:.2f} periods of "
                     f"{args.interval:g} s, {len(found)} times")


def bench(live, args, verdicts):
    """The lab, a calm time, and one outage after the other."""
    live.up(args.hosts, 1024)
    hosts = [h["name"] for h in live.status()["hosts"]]
    if args.guests:
        for host in hosts:
            live.lab("guest", "add", *(f"{host}-{n}" for n in range(args.guests)), "--host", host,
                     timeout=300)
    live.configure(f"intervals: {{sample: {args.interval:g}s}}", POLICY)
    live.start()
    samples = Samples(live, hosts)
    try:
        status = Status(live, args)
        status.reach(True, dict.fromkeys(hosts, (now_ms(), now_ms())))
        begun = now_ms()
        pass_time(live, "the calm time", time.monotonic() + BEFORE_PERIODS * args.interval)
        calm = (begun, now_ms())
        outages = []
        for periods in args.outage or OUTAGES:
            outages.append(outage(live, args, status, periods))
            say(f"an outage of {periods} periods is over")
    finally:
        samples.end()
    ticks = Ticks(hosts, samples.seen, args.interval * 1000)
    judge_lateness(ticks, calm, outages, verdicts)
    judge_marks(args, outages, verdicts)


def main():
    """Run it."""
    parser = lab_arguments(__doc__, "eklate")
    parser.add_argument("--interval", type=float, default=PERIOD_S, metavar="S",
                        help="how often hosts are sampled (%(default)s)")
    parser.add_argument("--outage", type=int, action="append", metavar="PERIODS",
                        help=f"its length; may be given again (instead of {OUTAGES})")
    parser.add_argument("--hosts", type=int, default=HOSTS, metavar="N", help="(%(default)s)")
    parser.add_argument("--guests", type=int, default=1, metavar="N",
                        help="on each host (%(default)s)")
    args = parser.parse_args()
    if args.hosts < 7:
        parser.error(f"found --hosts {args.hosts}, expected at least 7: two of them are disturbed")
    program = args.build / "balancer/tools/evenkeel"
    if not program.exists():
        print(f"missing: {program}")
        sys.exit(MISSING)
    run_in_lab("lateness", bench, args)


if __name__ == "__main__":
    main()
