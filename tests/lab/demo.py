"""What tests/demo shows, once all is built: level, rest, empty a host; every claim is checked.

Arguments: evenkeeld, evenkeel, optionally --keep."""
import argparse
import json
import shlex
import subprocess
import sys
import time
from pathlib import Path

from live import Failure, Live, raise_on_signals, run, say

HOSTS, HOST_MIB = 3, 3072

# Load in cores and held memory in MiB: together about one core, so that two carry it easily.
GUESTS = {"web-1": (0.20, 40), "web-2": (0.16, 32), "web-3": (0.14, 24),
          "app-1": (0.12, 48), "app-2": (0.10, 40), "app-3": (0.08, 24),
          "db-1": (0.10, 48), "db-2": (0.06, 32), "cache-1": (0.04, 16)}
SETTINGS = """intervals: {sample: 2s, evaluate: 2s}
timeouts: {lease: 6s}"""
POLICY = """version: 1
mode: automatic
aggressiveness: 4
trigger: {sustained_cycles: 2}
forecast: {half_life: 4s, window: 30s}
cooldown: {domain: 1m}
limits: {cluster: 2}
"""
BEGIN_ABOVE = 0.10      # imbalance of CPU and of memory at the start
FALL = 0.60             # by which both must fall
REST_S = 60             # how long the daemon's own use is measured
REST_CPU, REST_ANON_MIB, REST_RSS_MIB = 0.01, 8, 32
MAX_GAP_MS = 2000
BEGUN = time.monotonic()


def step(text):
    """Begin a part of the demo."""
    say(f"\n[{time.monotonic() - BEGUN:4.0f} s] {text}")


def indented(text):
    """A program's output, set off."""
    return "\n".join(f"    {line}" for line in text.rstrip().splitlines())


class Demo:
    """The demo's lab and the operator's command."""

    def __init__(self, live, evenkeel):
        self.live = live
        self.program = Path(evenkeel).resolve()
        self.claims = []
        self.seen = {}  # move: the state that was told last

    def evenkeel(self, *args):
        """Run the operator's command; its output."""
        return run([self.program, "-c", self.live.config, *args])

    def ask(self, verb):
        """Run a verb with --json."""
        return json.loads(self.evenkeel("--json", verb))

    def show(self, *args):
        """Run the operator's command and show both."""
        say(f"    $ evenkeel {' '.join(args)}\n{indented(self.evenkeel(*args))}")

    def claim(self, text, good):
        """Note one claim, to be printed at the end."""
        self.claims.append((bool(good), text))

    # ---- the parts -------------------------------------------------------------------------

    def raise_cluster(self):
        """Hosts, guests, watcher."""
        step(f"raising {HOSTS} libvirt hosts and {len(GUESTS)} guests, all guests on h1")
        self.live.up(HOSTS, HOST_MIB)
        self.live.lab("guest", "add", *GUESTS, "--host", "h1", timeout=300)
        for name, (burn, footprint) in GUESTS.items():
            self.live.lab("guest", "set", name, "--burn", burn, "--footprint", footprint)
        self.live.lab("watch", "start")

    def measured(self):
        """The imbalance, once every host has a CPU figure; else None."""
        hosts = self.ask("hosts")
        known = all("cpu_used_cores" in h and h["state"] == "up" for h in hosts["hosts"])
        return hosts["imbalance"] if known and len(hosts["hosts"]) == HOSTS else None

    def start(self):
        """Start the daemon without leave to act, so that the state before can be shown."""
        step("starting evenkeeld; it only watches and recommends yet")
        self.live.configure(SETTINGS, POLICY.replace("automatic", "recommend"))
        self.live.start()

        def begun():
            imbalance = self.measured()
            return imbalance if imbalance and min(imbalance.values()) > BEGIN_ABOVE else None
        before = self.live.until(f"an imbalance above {BEGIN_ABOVE} in CPU and memory", begun, 60,
                                 poll=1)
        self.show("hosts")
        self.show("plan")
        return before

    def tell_moves(self):
        """Say what has begun and ended since the last time."""
        for record in reversed(self.ask("history")["moves"]):
            order, state = record["order"], record["state"]
            if self.seen.get(order["id"]) == state:
                continue
            first = order["id"] not in self.seen
            self.seen[order["id"]] = state
            if first:
                say(f"    {order['name']}: {order['source']} -> {order['destination']} "
                    f"({order['reason']})")
            if state == "done":
                say(f"    {order['name']}: on {order['destination']}, "
                    f"downtime {record['downtime_ms']:.0f} ms")
            elif record.get("error"):
                say(f"    {order['name']}: {state}: {record['error']}")

    def quiet(self):
        """Whether nothing moves and nothing waits to."""
        balancer = self.ask("status").get("balancer", {"running": 1})
        return balancer["running"] == 0 and balancer["waiting"] == 0

    def level(self, before):
        """Give leave to act and wait until the cluster is level."""
        step("mode: automatic; evenkeeld may act now")
        (self.live.dir / "policy.yaml").write_text(POLICY, encoding="utf-8")
        self.live.reload()
        fallen = {}

        def done():
            self.tell_moves()
            now = self.measured() or before
            fallen.update({r: 1 - now[r] / before[r] for r in before})
            return min(fallen.values()) >= FALL and self.quiet()
        try:
            self.live.until(f"a fall of both imbalances by {FALL:.0%}", done, 240, poll=1)
        finally:
            self.tell_moves()
            self.show("hosts")
            for resource in before:
                self.claim(f"imbalance of {resource} fell by {fallen.get(resource, 0):.0%} "
                           f"(from {before[resource]:.3f}; at least {FALL:.0%})",
                           fallen.get(resource, 0) >= FALL)
        say(f"    imbalance of cpu fell by {fallen['cpu']:.0%}, of memory by "
            f"{fallen['memory']:.0%}")

    def rest(self):
        """Measure what the daemon itself uses while nothing is to be done."""
        step(f"measuring evenkeeld itself for {REST_S} s")
        self.live.until("no move runs", self.quiet, 60, poll=1)
        begun, before = time.monotonic(), self.live.cpu_seconds()
        time.sleep(REST_S)  # the length of a measurement, not a condition
        share = (self.live.cpu_seconds() - before) / (time.monotonic() - begun)
        anon, rss = self.live.memory_mib("RssAnon"), self.live.memory_mib("VmRSS")
        say(f"    {share:.2%} of a core, RssAnon {anon:.1f} MiB, RSS {rss:.1f} MiB")
        self.claim(f"at rest: {share:.2%} of a core (below {REST_CPU:.0%})", share < REST_CPU)
        self.claim(f"at rest: RssAnon {anon:.1f} MiB (below {REST_ANON_MIB}), RSS {rss:.1f} MiB "
                   f"(below {REST_RSS_MIB})", anon < REST_ANON_MIB and rss < REST_RSS_MIB)

    def fullest(self):
        """The host with the most guests."""
        return max(self.ask("hosts")["hosts"], key=lambda h: h["domains"])["name"]

    def line_of_status(self, word, host):
        """The redis-cli line that `evenkeel status` shows for SET or DEL, for a host."""
        for line in self.evenkeel("status").splitlines():
            at = line.find("redis-cli ")
            if at >= 0 and f" {word} " in line:
                return line[at:].replace("<host>", host)
        raise Failure(f"evenkeel status shows no line with redis-cli ... {word}")

    def operate(self, word, host):
        """Do what `evenkeel status` says an operator can do."""
        line = self.line_of_status(word, host)
        say(f"    $ {line}")
        run(shlex.split(line))

    def evacuate(self):
        """Empty the fullest host by its key, and give it back."""
        host = self.fullest()
        step(f"emptying {host}, the host with the most guests, as `evenkeel status` says")
        self.operate("SET", host)
        left = None

        def done():
            nonlocal left
            self.tell_moves()
            left = [g for g, places in self.live.places().items() if host in places]
            return self.live.maintenance(host) == "evacuated" and not left
        try:
            self.live.until(f"{host} evacuated", done, 240, poll=1)
        finally:
            self.claim(f"{host} evacuated: status {self.live.maintenance(host)}, "
                       f"{'no' if left == [] else left} guest processes there",
                       left == [] and self.live.maintenance(host) == "evacuated")
        self.tell_moves()
        self.show("status")
        self.operate("DEL", host)
        self.live.until("the end of maintenance", lambda: self.live.maintenance(host) is None, 30)

    def witness(self):
        """What the watcher saw, who asks neither libvirt nor us."""
        step("what the independent watcher saw")
        table, good = self.live.report(MAX_GAP_MS)
        say(indented(table))
        self.claim(f"every guest ran exactly once, none silent for more than {MAX_GAP_MS} ms", good)

    def verdict(self):
        """Print all claims; whether all are good."""
        step("claims")
        for good, text in self.claims:
            say(f"{'PASS' if good else 'FAIL'}  {text}")
        return all(good for good, _ in self.claims)

    def perform(self):
        """Everything, in order."""
        self.raise_cluster()
        before = self.start()
        self.level(before)
        self.rest()
        self.evacuate()


def attempt(demo):
    """Run the demo; a failure is a claim, too, and shows the daemon's log."""
    try:
        demo.perform()
    except (Failure, subprocess.SubprocessError) as error:
        demo.claim(str(error), False)
        say(f"\nThe end of {demo.live.log}:\n{indented(demo.live.log_tail())}")
    try:
        demo.witness()
    except (Failure, subprocess.SubprocessError, OSError) as error:
        demo.claim(f"the watcher: {error}", False)
    return demo.verdict()


def how_to_look(demo):
    """What --keep leaves, and how to end it."""
    lab = "tests/lab/lab --name demo"
    say(f"""
Left up, as asked. To look around:
    {demo.program} -c {demo.live.config} status
    less {demo.live.log}
    {lab} status
    {lab} exec virsh -c qemu+tcp://10.77.0.11/system list
To take it down:
    {lab} down; rm -r {demo.live.dir}""")


def main():
    """Run it; take everything down, whatever happens."""
    parser = argparse.ArgumentParser(prog="demo")
    parser.add_argument("evenkeeld")
    parser.add_argument("evenkeel")
    parser.add_argument("--keep", action="store_true")
    args = parser.parse_args()
    raise_on_signals()
    live = Live("demo", args.evenkeeld)
    kept = False
    try:
        demo = Demo(live, args.evenkeel)
        good = attempt(demo)
        kept = args.keep
        if kept:
            how_to_look(demo)
    finally:
        if not kept:
            live.close()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
