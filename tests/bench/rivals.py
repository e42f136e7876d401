#!/usr/bin/env python3
"""What a sample of a host costs, beside two other collectors that Debian has, on real hosts.

Hosts of the lab with guests that have a card and a disk each. Once a second they are sampled by one
collector after the other, each alone, in rounds whose order turns:

  ours          evenkeeld as it is in production, both roles, without dirty rates and history. Each
                read asks for STATE, CPU_TOTAL and BALLOON of all domains, each fourth for VCPU,
                INTERFACE and BLOCK as well. One process for all hosts
  collectd      its virt plugin, one process per host since it knows one connection: state, CPU time,
                vCPUs, memory, block and interface counters of each domain, each time; values go to
                plugin network
  collectd, less  the same without its ExtraStats: CPU time, memory, block and interface counters
  exporter      prometheus-libvirt-exporter, one process per host for the same reason: information,
                block and interface counters of each domain and its XML, each time; scraped by curl
  ours, all     ours with all further metrics at production's ratio to the sample: dirty rates of all
                domains each 40 samples, history and evaluation each 4

Told is CPU time per sample of one host: of the collector's process (curl's is not counted), and of
the host's libvirtd. Redis is apart; so is what the bench's own clients cost there.

Equal groups are those of collectd and of our fourth reads. What these cost by themselves is told
by the clocks at the moment at which each sample comes to Redis: of every four reads in a row of
one host the same one asks for all, that whose libvirtd worked most. Everything that we refresh
slowly (XML, capabilities, pools) falls on these reads, too, and is left in.

Exit status: 0 all demands are kept, 1 some are not, 77 something is missing."""
import re
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

from common import MISSING, need, table
from in_lab import Failure, Redis, Sight, lab_arguments, run_in_lab, say

INTERVAL_S = 1
SETTLE_SAMPLES = 8
ALL_EACH_READS = 4         # our reads of which one asks for all groups
VIRT_PLUGIN = Path("/usr/lib/collectd/virt.so")
EXTRA_STATS = '    ExtraStats "domain_state vcpu memory"\n'
COLLECTD = """Hostname "{host}"
FQDNLookup false
Interval {interval}
BaseDir "{folder}"
PIDFile "{folder}/pid"
PluginDir "/usr/lib/collectd"
TypesDB "/usr/share/collectd/types.db"
LoadPlugin network
LoadPlugin unixsock
LoadPlugin virt
<Plugin network>
    Server "127.0.0.1" "25826"
</Plugin>
<Plugin unixsock>
    SocketFile "{folder}/socket"
</Plugin>
<Plugin virt>
    Connection "{uri}"
    HostnameFormat name
{extra}</Plugin>
"""
# One line in, one scrape of all hosts; the status of each comes back.
SCRAPER = 'while read -r _; do curl -sS -m 10 -w "%{http_code}\\n" "$@"; done'
EXPORTER_PORT = 9177
BARE = "dirty_rate: 0s}\nhistory: {keep: 0s}"
FULL = "evaluate: 4s, dirty_rate: 40s}\nhistory: {interval: 4s}"
POLICY = "version: 1\nmode: recommend\n"


def cpu_ms(pid):
    """CPU time of a process so far, of all the threads that it ever had, in ms: Linux makes the
    number of such a clock of the pid's complement and 2."""
    return time.clock_gettime(~pid << 3 | 2) * 1000


class Collector:
    """One of those that are compared; `live` is the lab."""

    def __init__(self, live, hosts):
        self.live = live
        self.hosts = hosts
        self.folder = live.dir / type(self).__name__
        self.folder.mkdir(exist_ok=True)
        self.children = []

    def child(self, *command, **more):
        """A process in the lab's network, which ends with the collector."""
        with open(self.folder / "log", "ab") as log:
            child = subprocess.Popen([*self.live.lab_command(), "exec", *map(str, command)],
                                     stderr=log, start_new_session=True,
                                     **{"stdin": subprocess.DEVNULL, "stdout": log} | more)
        self.children.append(child)
        return child

    def pids(self):
        """Of the processes that are counted."""
        return [c.pid for c in self.children]

    def work(self, seconds):
        """Lets it work so long; how many samples of hosts it took meanwhile."""
        begun = time.monotonic()
        self.live.until("the time of a round", lambda: time.monotonic() >= begun + seconds,
                        seconds + 60, poll=0.05)
        return seconds / INTERVAL_S * len(self.hosts)

    def redis_ms(self):
        """CPU time of its Redis so far; nothing where there is none."""
        return 0.0

    def dead(self):
        """Whether one of its processes has ended."""
        return any(c.poll() is not None for c in self.children)

    def stop(self):
        """Ends it."""
        for child in self.children:
            child.terminate()
        for child in self.children:
            try:
                child.wait(timeout=20)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        self.children = []


class Ours(Collector):
    """evenkeeld."""

    SETTINGS = BARE

    def start(self):
        """Start it, and wait until it samples."""
        self.live.configure(f"intervals: {{sample: {INTERVAL_S}s, {self.SETTINGS}", POLICY)
        self.live.start()
        self.redis = Redis(self.live.socket)
        self.redis_pid = int(re.search(r"process_id:(\d+)", self.redis.call("INFO", "server"))[1])
        self.libvirtds = {h["name"]: h["libvirtd_pid"] for h in self.hosts}
        self.reads = []
        self.sight = Sight(self.live, self.take)
        self.live.until("our samples", lambda: self.least() >= SETTLE_SAMPLES, 60)

    def take(self, host, _now_ms):
        """A sample came: what was used until then."""
        self.reads.append((host, cpu_ms(self.libvirtds[host]), cpu_ms(self.live.daemon.pid)))

    def least(self):
        """How many reads the host has that has the fewest."""
        return min(sum(r[0] == h for r in self.reads) for h in self.libvirtds)

    def pids(self):
        return [self.live.daemon.pid]

    def redis_ms(self):
        return cpu_ms(self.redis_pid)

    def work(self, seconds):
        before = len(self.reads)
        super().work(seconds)
        self.reads = self.reads[before:]
        return len(self.reads)

    def values(self):
        """How many figures a domain has in a sample."""
        sample = self.live.redis_json(f"host:{self.hosts[0]['name']}")
        names = set(sample["domains"][0]) - {"uuid", "name"}
        return len(names | set(sample["domains"][0].get("resources", {})))

    def full_reads(self):
        """(ms of our process, ms of the libvirtd) of a read that asks for all groups, on average."""
        took = {host: [] for host in self.libvirtds}
        libvirtd_before, process_before = {}, None
        for host, libvirtd, process in self.reads:
            if host in libvirtd_before:
                took[host].append((process - process_before, libvirtd - libvirtd_before[host]))
            libvirtd_before[host], process_before = libvirtd, process
        found = []
        for reads in took.values():
            turns = [reads[n::ALL_EACH_READS] for n in range(ALL_EACH_READS)]
            found += max(turns, key=lambda turn: statistics.mean(r[1] for r in turn))
        return statistics.mean(r[0] for r in found), statistics.mean(r[1] for r in found)

    def dead(self):
        return self.live.daemon.poll() is not None

    def stop(self):
        """Ends it, and forgets what it kept."""
        self.sight.end()
        self.redis.close()
        self.live.stop()


class OursAll(Ours):
    """evenkeeld with everything: all hosts are to be emptied (which is recommended only), so that
    their domains are candidates."""

    SETTINGS = FULL

    def start(self):
        super().start()
        for host in self.libvirtds:
            self.live.redis("SET", f"evenkeel:maintenance:{host}", "is measured")
        self.live.until("dirty rates", self.measured, 120)

    def measured(self):
        """Whether each domain was measured once."""
        return all("dirty_measured_at_ms" in d for h in self.libvirtds
                   for d in self.live.redis_json(f"host:{h}")["domains"])

    def stop(self):
        for host in self.libvirtds:
            self.live.redis("DEL", f"evenkeel:maintenance:{host}")
        super().stop()


class Collectd(Collector):
    """collectd's virt plugin."""

    EXTRA = EXTRA_STATS

    def start(self):
        """One process per host; waits until each has told of all its guests."""
        for host in self.hosts:
            folder = self.folder / host["name"]
            folder.mkdir(exist_ok=True)
            config = folder / "collectd.conf"
            config.write_text(COLLECTD.format(host=host["name"], interval=INTERVAL_S, folder=folder,
                                              uri=host["uri"], extra=self.EXTRA), encoding="utf-8")
            self.child("collectd", "-f", "-C", config)
        self.live.until("collectd's values", self.has_all, 60)
        super().work(SETTLE_SAMPLES * INTERVAL_S)

    def told(self, host):
        """{guest: how many of its values are fresh}, over collectd's socket."""
        with socket.socket(socket.AF_UNIX) as connection:
            try:
                connection.connect(str(self.folder / host["name"] / "socket"))
            except OSError:
                return {}
            connection.sendall(b"LISTVAL\n")
            lines = connection.makefile("r", encoding="utf-8")
            count = int(lines.readline().split()[0])
            found = {}
            for line in (lines.readline() for _ in range(count)):
                at, name = line.split(" ", 1)
                if time.time() - float(at) < 3 * INTERVAL_S:
                    guest = name.split("/")[0]
                    found[guest] = found.get(guest, 0) + 1
            return found

    def has_all(self):
        """Whether there are fresh values of all guests."""
        return all(self.told(h).get(g, 0) for h in self.hosts for g in h["guests"])

    def work(self, seconds):
        samples = super().work(seconds)
        if not self.has_all():
            raise Failure("collectd has no fresh values of some guests")
        return samples

    def values(self):
        """How many it tells of a domain."""
        return self.told(self.hosts[0])[self.hosts[0]["guests"][0]]


class CollectdLess(Collectd):
    """The same with what it asks for unless told otherwise."""

    EXTRA = ""


class Exporter(Collector):
    """prometheus-libvirt-exporter."""

    def start(self):
        """One process per host, and one that scrapes them."""
        options = []
        for n, host in enumerate(self.hosts):
            address = f"127.0.0.1:{EXPORTER_PORT + n}"
            self.child("prometheus-libvirt-exporter", "--web.listen-address", address,
                       "--libvirt.uri", host["uri"])
            options += ["-o", self.told(host), f"http://{address}/metrics"]
        self.exporters = list(self.children)
        self.scraper = self.child("sh", "-c", SCRAPER, "scraper", *options, text=True, bufsize=1,
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.live.until("a scrape of all", self.scrape, 60)
        for _ in range(SETTLE_SAMPLES):
            self.scrape()

    def pids(self):
        return [c.pid for c in self.exporters]

    def told(self, host):
        """The file of what a host's exporter said last."""
        return self.folder / host["name"]

    def text(self, host):
        """What it said."""
        return self.told(host).read_text(encoding="utf-8")

    def scrape(self):
        """One of each host; whether all told of all guests."""
        self.scraper.stdin.write("\n")
        codes = [self.scraper.stdout.readline().strip() for _ in self.hosts]
        return codes == ["200"] * len(self.hosts) and all(
            "\nlibvirt_up 1\n" in self.text(h) and all(f'"{g}"' in self.text(h) for g in h["guests"])
            for h in self.hosts)

    def work(self, seconds):
        begun, scrapes = time.monotonic(), int(seconds / INTERVAL_S)
        for n in range(scrapes):
            self.live.until("the next scrape",
                            lambda at=begun + n * INTERVAL_S: time.monotonic() >= at, 60, poll=0.01)
            if not self.scrape():
                raise Failure("a scrape of the exporters does not tell of all guests")
        return scrapes * len(self.hosts)

    def values(self):
        """How many it tells of a domain."""
        guest = self.hosts[0]["guests"][0]
        return sum(f'domain="{guest}"' in line for line in self.text(self.hosts[0]).splitlines())


SIDES = {"ours": Ours, "collectd": Collectd, "collectd, less": CollectdLess, "exporter": Exporter,
         "ours, all": OursAll}
EQUAL = "ours, all six groups"


def measure(side, live, hosts, seconds):
    """One collector alone: ms per host-sample of the process, the libvirtds and Redis."""
    collector = SIDES[side](live, hosts)
    try:
        collector.start()
        libvirtds = [h["libvirtd_pid"] for h in hosts]
        clocks = (lambda: sum(map(cpu_ms, collector.pids())),
                  lambda: sum(map(cpu_ms, libvirtds)), collector.redis_ms)
        before = [clock() for clock in clocks]
        samples = collector.work(seconds)
        spent = [clock() - was for clock, was in zip(clocks, before)]
        if collector.dead():
            raise Failure(f"{side}: a process has ended: {(collector.folder / 'log').read_text()}")
        found = {side: [*(ms / samples for ms in spent), samples, collector.values()]}
        if side == "ours":
            process, libvirtd = collector.full_reads()
            found[EQUAL] = [process, libvirtd, found[side][2], samples / ALL_EACH_READS,
                            collector.values()]
    finally:
        collector.stop()
    say(f"{side}: " + ", ".join(f"{ms:.2f}" for ms in found[side][:3]) +
        f" ms of process, libvirtds and Redis per host-sample, {samples:.0f} samples")
    return found


def judge(rounds, verdicts):
    """The table of medians, and the demands on the rounds' ratios."""
    rows = []
    for side in (*list(SIDES)[:1], EQUAL, *list(SIDES)[1:]):
        process, libvirtd, redis, _, values = (statistics.median(r[side][n] for r in rounds)
                                               for n in range(5))
        total = statistics.median(r[side][0] + r[side][1] for r in rounds)
        rows.append((side, round(process, 3), round(libvirtd, 3), round(total, 3), round(redis, 3),
                     values, f"{sum(r[side][3] for r in rounds):.0f}"))
    table(("CPU, ms per host-sample", "process", "libvirtds", "both", "Redis", "values a domain",
           "samples"), rows)
    for side, demand in (
            (EQUAL, "a read of all six groups is not above the better of collectd and the exporter"),
            ("ours", "samples as in production are not above the better of the two")):
        ratios = [sum(r[side][:2]) / min(sum(r[other][:2]) for other in ("collectd", "exporter"))
                  for r in rounds]
        verdicts.add(demand, statistics.median(ratios) <= 1,
                     f"median {statistics.median(ratios):.3f} of the better one's, worst "
                     f"{max(ratios):.3f}, {len(ratios)} rounds")


def bench(live, args, verdicts):
    """The lab, the guests, and all rounds."""
    live.up(args.hosts, 4096)
    for host in live.status()["hosts"]:
        live.lab("guest", "add", *(f"{host['name']}-{n}" for n in range(args.guests)), "--host",
                 host["name"], "--disk", "local", "--network", timeout=600)
    found = live.status()
    hosts = [h | {"guests": [g["name"] for g in found["guests"]
                             if g["copies"][0]["host"] == h["name"]]} for h in found["hosts"]]
    rounds, sides = [], list(SIDES)
    for n in range(args.repeat):
        figures = {}
        for side in sides[n % len(sides):] + sides[:n % len(sides)]:
            figures |= measure(side, live, hosts, args.seconds)
        rounds.append(figures)
    judge(rounds, verdicts)


def main():
    """Run it."""
    parser = lab_arguments(__doc__, "ekrivals")
    parser.add_argument("--repeat", type=int, default=5, metavar="N", help="rounds (%(default)s)")
    parser.add_argument("--seconds", type=int, default=60, metavar="S",
                        help="for each collector in each round (%(default)s)")
    parser.add_argument("--hosts", type=int, default=3, metavar="N", help="(%(default)s)")
    parser.add_argument("--guests", type=int, default=5, metavar="N", help="per host (%(default)s)")
    args = parser.parse_args()
    need(collectd="collectd-core", prometheus_libvirt_exporter="prometheus-libvirt-exporter",
         curl="curl")
    if not VIRT_PLUGIN.exists():
        print(f"missing: {VIRT_PLUGIN} (on Debian: apt-get install collectd-core)")
        sys.exit(MISSING)
    run_in_lab("rivals", bench, args)


if __name__ == "__main__":
    main()
