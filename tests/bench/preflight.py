#!/usr/bin/env python3
"""Whether a preflight keeps its word: the time that `evenkeel maintenance check` promises, and the
time that emptying the host then takes, on real hosts.

Three hosts of the lab. Each round has other guests on h1, other cables and other limits (ROUNDS); what
the cables carry is measured first and told as `migration_rate`. When all hosts are sampled the check
is asked; then the maintenance key is set, and the clock runs until the host is `evacuated`. The guests
are new in each round, so that nothing was learned of them, and their dirty rates are not known.

The machine must be quiet: copies compete with emulated guests, and the promise is about links.

Exit status: 0 all demands are kept, 1 some are not, 77 something is missing."""
import json
import subprocess
import time
from collections import namedtuple

from common import table
from in_lab import Failure, lab_arguments, run_in_lab, say
import throughput

SOURCE, DESTINATIONS = "h1", ("h2", "h3")
WITHIN = 0.25        # of the promise
DEMANDED = 0.8       # of the rounds
DRAIN_S = 1200
AT_ONCE = 3          # guests that are started at the same time
MEMORY_MIB = 256

# `held`: what each guest holds in MiB; `dirty`: what each rewrites, in MiB/s; `burn`: cores of each.
Round = namedtuple("Round", "held cables limits dirty burn", defaults=(0, 0))
BOTH = {d: "100mbit" for d in DESTINATIONS}
ROUNDS = (
    Round((150,) * 4, BOTH, "{host_out: 2, host_in: 1}"),
    Round((100,) * 6, {SOURCE: "200mbit"}, "{host_out: 2, host_in: 2}"),
    Round((40, 80, 160, 190), BOTH, "{host_out: 2, host_in: 1}"),
    Round((60,) * 8, {d: "50mbit" for d in DESTINATIONS}, "{host_out: 2, host_in: 1}"),
    Round((190,) * 3, {SOURCE: "100mbit"}, "{host_out: 1, host_in: 1}"),
    Round((120,) * 5, BOTH, "{host_out: 2, host_in: 1}", dirty=1),
    Round((150,) * 5, {"h2": "200mbit", "h3": "50mbit"}, "{host_out: 2, host_in: 1}"),
    Round((130,) * 4, BOTH, "{host_out: 1, host_in: 1}", burn=0.1),
    Round((30,) * 10, {SOURCE: "100mbit"}, "{host_out: 4, host_in: 2}"),
    Round((20, 190, 20, 190, 20), {SOURCE: "150mbit"}, "{host_out: 2, host_in: 2}", dirty=1),
)
POLICY = "version: 1\nmode: automatic\naggressiveness: 1\nlimits: {limits}\n"


class Bench:
    """The lab; each round begins and ends without guests."""

    def __init__(self, live, args):
        self.live = live
        self.args = args
        self.tool = args.build / "balancer/tools/evenkeel"
        self.hosts = []

    def up(self):
        """Hosts and their witness."""
        self.live.up(hosts=1 + len(DESTINATIONS), memory_mib=8192)
        self.hosts = [h["name"] for h in self.live.status()["hosts"]]
        self.live.lab("watch", "start")

    def shape(self, cables):
        """Shape these cables, free the others."""
        for host in self.hosts:
            if host in cables:
                self.live.lab("link", "shape", host, cables[host])
            else:
                self.live.lab("link", "heal", host)

    def rates(self, cables):
        """What the shaped cables carry, in MiB/s by host, as an operator would state it."""
        found = {}
        for host in cables:
            others = DESTINATIONS if host == SOURCE else (host,)
            found[host] = throughput.measure(self.live, SOURCE, others)
        return found

    def add_guests(self, number, it):
        """Guests of that round, which nobody has seen before."""
        names = [f"r{number}g{n}" for n in range(len(it.held))]
        for held in sorted(set(it.held)):
            these = [n for n, h in zip(names, it.held) if h == held]
            for at in range(0, len(these), AT_ONCE):
                self.live.lab("guest", "add", *these[at:at + AT_ONCE], "--host", SOURCE, "--memory",
                              MEMORY_MIB, "--footprint", held, "--dirty", it.dirty, "--burn",
                              it.burn, timeout=300)
        return names

    def check(self):
        """The promise, as a document."""
        done = subprocess.run([str(self.tool), "-c", str(self.live.config), "--json", "maintenance",
                               "check", SOURCE], capture_output=True, text=True, timeout=60,
                              check=False, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            raise Failure(f"maintenance check: status {done.returncode}: {done.stderr}{done.stdout}")
        return json.loads(done.stdout)

    def sampled(self, count, since_ms):
        """Whether each host has a sample of this round's daemon with its CPU use, and that of h1
        all its guests. What the daemon of the round before left in Redis is stale."""
        samples = [self.live.redis_json(f"host:{h}") for h in self.hosts]
        return (all(s and s["taken_at_ms"] >= since_ms and "cpu_used_cores" in s["host"]
                    for s in samples)
                and len(samples[0]["domains"]) == count)

    def drain(self, count, since_ms):
        """Seconds from the key until the host is empty, after what was promised."""
        self.live.until("samples of all hosts and guests",
                        lambda: self.sampled(count, since_ms), 120)
        promise = self.check()
        begun = time.monotonic()
        self.live.redis("SET", f"evenkeel:maintenance:{SOURCE}", "")
        self.live.until(f"{SOURCE} evacuated",
                        lambda: self.live.maintenance(SOURCE) == "evacuated", DRAIN_S, poll=0.05)
        took_s = time.monotonic() - begun
        self.live.redis("DEL", f"evenkeel:maintenance:{SOURCE}")
        return promise, took_s

    def round(self, number):
        """One drain; a dict of figures."""
        it = ROUNDS[number % len(ROUNDS)]
        self.shape({})
        names = self.add_guests(number, it)
        self.shape(it.cables)
        self.live.configure("intervals: {sample: 5s, evaluate: 10s}",
                            POLICY.replace("{limits}", it.limits), self.rates(it.cables))
        since_ms = time.time() * 1000
        self.live.start()
        try:
            promise, took_s = self.drain(len(names), since_ms)
        finally:
            self.live.stop()
        self.shape({})
        self.live.lab("guest", "stop", *names, "--force", timeout=300)
        found = {"number": number, "guests": len(names), "cables": it.cables, "real": took_s,
                 "eta": promise["eta_s"], "low": promise["eta_low_s"],
                 "high": promise["eta_high_s"], "ratio": took_s / promise["eta_s"]}
        say(f"round {number + 1}: promised {found['eta']:.1f} s ({found['low']:.1f} to "
            f"{found['high']:.1f}), took {took_s:.1f} s: {found['ratio']:.2f} times")
        return found


def judge(verdicts, rounds):
    """The demand, and how often the range held."""
    near = [r for r in rounds if abs(r["ratio"] - 1) <= WITHIN]
    held = [r for r in rounds if r["low"] <= r["real"] <= r["high"]]
    verdicts.add(f"within {100 * WITHIN:.0f} % of the promise in {100 * DEMANDED:.0f} % of the drains",
                 len(near) >= DEMANDED * len(rounds), f"{len(near)} of {len(rounds)}")
    verdicts.add("within the range as often", len(held) >= DEMANDED * len(rounds),
                 f"{len(held)} of {len(rounds)}")


def bench(live, args, verdicts):
    """All rounds."""
    it = Bench(live, args)
    it.up()
    rounds = [it.round(number) for number in range(args.first, args.first + args.repeat)]
    table(("round", "guests", "cables", "promised s", "low", "high", "took s", "ratio"),
          [(str(r["number"] + 1), r["guests"],
            ", ".join(f"{h} {c}" for h, c in r["cables"].items()), round(r["eta"], 1),
            round(r["low"], 1), round(r["high"], 1), round(r["real"], 1), round(r["ratio"], 2))
           for r in rounds])
    judge(verdicts, rounds)
    seen, good = live.report(max_gap_ms=3000)
    say(seen)
    verdicts.add("every guest ran exactly once", good, "seen by the watcher")


def main():
    """Run it."""
    parser = lab_arguments(__doc__, "ekcheck")
    parser.add_argument("--repeat", type=int, default=10, metavar="N", help="drains (%(default)s)")
    parser.add_argument("--first", type=int, default=0, metavar="N",
                        help="begin with this round, from 0 (%(default)s)")
    run_in_lab("preflight", bench, parser.parse_args())


if __name__ == "__main__":
    main()
