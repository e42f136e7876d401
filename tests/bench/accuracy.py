#!/usr/bin/env python3
"""Whether the collector's figures are true, on a real host with guests whose load is known.

One host of the lab with one core, and an idle one beside it; the daemon samples once a second. One
load after the other:

  burn    a guest burns 35 % of a core by its own clock; the mean of its samples, beside what the
          kernel says of its process in the same time
  dirty   a guest dirties 40 MiB/s; the mean of 20 measurements of one second each. Its host is in
          maintenance (and the mode is `recommend`, so that it stays), which makes it a candidate
  steal   two guests want a whole core each; of one, what its samples say that it waited, beside
          (elapsed - CPU time of its vCPU's thread) in the same time

The machine must be quiet: what a guest cannot do for want of the machine's cores is no error of the
collector's, but would look like one.

Exit status: 0 all demands are kept, 1 some are not, 77 something is missing."""
import statistics
import time
from pathlib import Path

from common import table
from in_lab import Failure, lab_arguments, run_in_lab

HOST = "h1"
BURNER, WRITER, HOGS = "burner", "writer", ("hog-1", "hog-2")
BURN_CORES, BURN_WITHIN = 0.35, 0.10
DIRTY_MIB_S, DIRTY_WITHIN, DIRTY_COUNT = 40, 0.15, 20
STEAL_WITHIN = 0.15
WINDOW_S = 60         # of burn and steal
SETTLE_SAMPLES = 6    # after a load was set: what is older is of the load before
WRITER_MIB = 256      # a range of two seconds' writing fits
PATIENCE_S = 300
SETTINGS = "intervals: {sample: 1s, evaluate: 1s, dirty_rate: 1s}"
POLICY = "version: 1\nmode: recommend\n"


class Samples:
    """The samples of a host, one after the other."""

    def __init__(self, live):
        self.live = live
        self.last_ms = 0

    def next(self):
        """The next sample's time in seconds and its domains by name."""
        def newer():
            sample = self.live.redis_json(f"host:{HOST}")
            return sample if sample and sample["taken_at_ms"] != self.last_ms else None
        sample = self.live.until("a new sample", newer, 30, poll=0.02)
        self.last_ms = sample["taken_at_ms"]
        return self.last_ms / 1000, {d["name"]: d for d in sample["domains"]}

    def skip(self, count):
        """Let that many pass; the last one."""
        for _ in range(count):
            found = self.next()
        return found


def load(live, **settings):
    """Give the guests these loads, and all others none."""
    for name in (BURNER, WRITER, *HOGS):
        burn, dirty = settings.get(name.replace("-", "_"), (0, 0))
        live.lab("guest", "set", name, "--burn", burn, "--dirty", dirty)


def process_of(live, name):
    """The guest's QEMU, as this machine numbers it."""
    return next(g["copies"][0]["pid"] for g in live.status()["guests"] if g["name"] == name)


def process_cpu_s(pid):
    """CPU time of a process with all its threads."""
    return sum(int(p.read_text(encoding="ascii").split()[0])
               for p in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def vcpu_cpu_s(pid):
    """CPU time of the thread of a guest's only vCPU."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        if (task / "comm").read_text(encoding="ascii").startswith("CPU 0/"):
            return int((task / "schedstat").read_text(encoding="ascii").split()[0]) / 1e9
    raise Failure(f"process {pid} has no thread of a vCPU")


def check_burn(live, samples, verdicts):
    """A guest that burns a part of a core."""
    load(live, burner=(BURN_CORES, 0))
    begun_s, _ = samples.skip(SETTLE_SAMPLES)
    pid = process_of(live, BURNER)
    cpu_s, seen = process_cpu_s(pid), []
    while not seen or seen[-1][0] - begun_s < WINDOW_S:
        at_s, domains = samples.next()
        seen.append((at_s, domains[BURNER].get("cpu_used_cores")))
    process = (process_cpu_s(pid) - cpu_s) / (seen[-1][0] - begun_s)
    cores = [c for _, c in seen if c is not None]
    mean = statistics.mean(cores)
    table(("cores", "told", "samples' mean", "least", "most", "samples", "kernel, its process"),
          [("burn", BURN_CORES, round(mean, 4), round(min(cores), 3), round(max(cores), 3),
            len(cores), round(process, 4))])
    verdicts.add(f"{BURN_CORES:g} of a core within {BURN_WITHIN:.0%}",
                 abs(mean / BURN_CORES - 1) <= BURN_WITHIN,
                 f"{mean:.4f} ({mean / BURN_CORES - 1:+.1%}); of what its process used "
                 f"{mean / process - 1:+.1%}")


def check_dirty(live, samples, verdicts):
    """A guest that writes, measured again and again."""
    load(live, writer=(0, DIRTY_MIB_S))
    live.redis("SET", f"evenkeel:maintenance:{HOST}", "is measured")
    begun_s, _ = samples.skip(SETTLE_SAMPLES)
    found, end = {}, time.monotonic() + PATIENCE_S
    while len(found) < DIRTY_COUNT and time.monotonic() < end:
        _, domains = samples.next()
        at_ms = domains[WRITER].get("dirty_measured_at_ms", 0)
        if at_ms / 1000 >= begun_s:
            # The same measurement's time is told by its age: it may differ by a millisecond or two.
            known = next((k for k in found if abs(k - at_ms) < 500), at_ms)
            found[known] = domains[WRITER]["dirty_mib_s"]
    live.redis("DEL", f"evenkeel:maintenance:{HOST}")
    if len(found) < DIRTY_COUNT:
        verdicts.add(f"{DIRTY_MIB_S} MiB/s within {DIRTY_WITHIN:.0%}", False,
                     f"{len(found)} measurements in {PATIENCE_S} s")
        return
    rates = list(found.values())
    mean = statistics.mean(rates)
    table(("MiB/s", "told", "mean", "least", "most", "deviation of one"),
          [("dirty", DIRTY_MIB_S, round(mean, 2), min(rates), max(rates),
            round(statistics.stdev(rates), 1))])
    verdicts.add(f"{DIRTY_MIB_S} MiB/s within {DIRTY_WITHIN:.0%}",
                 abs(mean / DIRTY_MIB_S - 1) <= DIRTY_WITHIN,
                 f"{mean:.2f} ({mean / DIRTY_MIB_S - 1:+.1%}), mean of {len(rates)}")


def steal_changes(samples, pid):
    """Each moment at which the sample's steal was measured anew: its time, the steal, and CPU time
    of the vCPU's thread by then."""
    last = None
    while True:
        at_s, domains = samples.next()
        steal = domains[HOGS[0]].get("cpu_steal")
        if steal is not None and steal != last:
            last = steal
            yield at_s, steal, vcpu_cpu_s(pid)


def check_steal(live, samples, verdicts):
    """Two guests that want the same core."""
    load(live, hog_1=(1, 0), hog_2=(1, 0))
    samples.skip(2 * SETTLE_SAMPLES)
    changes = steal_changes(samples, process_of(live, HOGS[0]))
    next(changes)
    begun_s, _, begun_cpu_s = before = next(changes)
    waited_s, count = 0.0, 0
    while before[0] - begun_s < WINDOW_S:
        now = next(changes)
        waited_s += now[1] * (now[0] - before[0])
        before, count = now, count + 1
    elapsed_s = before[0] - begun_s
    truth_s = elapsed_s - (before[2] - begun_cpu_s)
    table(("seconds", "elapsed", "vCPU ran", "so it waited", "samples say", "measurements"),
          [("steal", round(elapsed_s, 2), round(before[2] - begun_cpu_s, 2), round(truth_s, 2),
            round(waited_s, 2), count)])
    verdicts.add(f"steal within {STEAL_WITHIN:.0%} of (elapsed - CPU time of the vCPU)",
                 abs(waited_s / truth_s - 1) <= STEAL_WITHIN,
                 f"{waited_s / elapsed_s:.4f} against {truth_s / elapsed_s:.4f} "
                 f"({waited_s / truth_s - 1:+.1%})")


CHECKS = {"burn": check_burn, "dirty": check_dirty, "steal": check_steal}


def bench(live, args, verdicts):
    """The lab, the guests, and one load after the other."""
    live.up(2, 2048, "--cpus", 1)
    live.lab("guest", "add", BURNER, *HOGS, "--host", HOST, timeout=300)
    live.lab("guest", "add", WRITER, "--host", HOST, "--memory", WRITER_MIB, timeout=300)
    live.configure(SETTINGS, POLICY)
    live.start()
    samples = Samples(live)
    for check in args.check or CHECKS:
        CHECKS[check](live, samples, verdicts)


def main():
    """Run it."""
    parser = lab_arguments(__doc__, "ekaccuracy")
    parser.add_argument("--check", action="append", choices=list(CHECKS),
                        help="one of them only; may be given again")
    run_in_lab("accuracy", bench, parser.parse_args())


if __name__ == "__main__":
    main()
