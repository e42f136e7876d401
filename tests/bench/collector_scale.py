#!/usr/bin/env python3
"""The collector at 1,000 hosts with 20,000 domains: whether the interval holds, and what it costs.

Two parts, each with the daemon as it is installed, as a collector with a redis-server of its own:

  standin  1,000 hosts behind sockets on loopback, in one process (libvirtd_standin): each speaks
           libvirt's remote protocol and has 20 domains with as many fields as libvirt 9.0 tells of a
           guest under KVM. The daemon uses libvirt's own client: its connections, its decoding
           and its keepalive count
  lab      100 real libvirtds in the lab, idle and without guests: what a sample costs the collector
           and the libvirtds, and times 1,000 hosts / 15 s

A tick is late when its sample is in Redis more than 250 ms after it was due, or never: host i of n is
due at i/n of the interval, and the interval begins where the quickest sample was in no time.
The daemon begins with a soft limit of 1,024 open files, as a service manager gives it.

Exit status: 0 all demands are kept, 1 some are not, 77 something is missing."""
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from common import MISSING, Verdicts, arguments, need, table
from sampled import (Arrivals, Daemon, Failure, Folder, Server, Standin, cpu_s, descriptors, lateness,
                     memory_mib, progress)
from live import Live, raise_on_signals  # sampled knows where it is

LATE_S, MOST_LATE = 0.250, 0.01
MOST_CORES, MOST_MIB = 0.25, 200
HOSTS, INTERVAL_S = 1000, 15  # what is demanded
GRACE_S = 2          # after the last tick, for samples that are late
IDLE_S = 30          # libvirtds alone
LIBVIRTD_MIB = 60    # a host of the lab with what belongs to it; 40 were seen
SPARE_MIB = 2048


class Window:
    """What a daemon did in so many intervals."""

    def __init__(self, args, daemon, server, arrivals, hosts, others=()):
        self.hosts, self.others = hosts, others
        before, seen, heard = server.info(), len(arrivals.seen), arrivals.bytes
        cpu, other_cpu, begun = cpu_s(daemon.pid), self.others_cpu_s(), time.monotonic()
        for number in range(args.intervals):
            wait_until(daemon, begun + (number + 1) * args.interval)
            took = time.monotonic() - begun
            progress(f"  interval {number + 1} of {args.intervals}: "
                     f"{len(arrivals.seen) - seen} samples, "
                     f"{(cpu_s(daemon.pid) - cpu) / took:.1%} of a core, "
                     f"{memory_mib(daemon.pid, 'VmRSS'):.0f} MiB")
        self.took_s = time.monotonic() - begun
        self.cpu_s, self.others_s = cpu_s(daemon.pid) - cpu, self.others_cpu_s() - other_cpu
        after = server.info()
        self.samples = len(arrivals.seen) - seen
        self.in_bytes = int(after["total_net_input_bytes"]) - int(before["total_net_input_bytes"])
        self.out_bytes = (int(after["total_net_output_bytes"]) - arrivals.bytes + heard -
                          int(before["total_net_output_bytes"]))
        self.server_cpu_s = sum(float(after[f"used_cpu_{k}"]) - float(before[f"used_cpu_{k}"])
                                for k in ("user", "sys"))
        wait_until(daemon, time.monotonic() + GRACE_S)
        self.late, self.missing = lateness(arrivals.seen, hosts, args.interval, begun,
                                           args.intervals)
        self.expected = len(hosts) * args.intervals
        self.cores = self.cpu_s / self.took_s
        self.rss_mib = memory_mib(daemon.pid, "VmHWM")
        self.anonymous_mib = memory_mib(daemon.pid, "RssAnon")
        self.descriptors = descriptors(daemon.pid)

    def others_cpu_s(self):
        """CPU time of the processes that are sampled."""
        return sum(cpu_s(pid) for pid in self.others)

    def late_share(self):
        """Of the ticks that were due."""
        return (self.missing + sum(1 for s in self.late if s > LATE_S)) / self.expected

    def quantile_ms(self, share):
        """Of the lateness of those that came."""
        return 1000 * self.late[min(int(share * len(self.late)), len(self.late) - 1)]

    def per_sample_ms(self, cpu):
        """CPU time for one sample of one host."""
        return 1000 * cpu / max(self.samples, 1)


def wait_until(daemon, moment):
    """Let time pass, unless the daemon (if any) ends."""
    while (left := moment - time.monotonic()) > 0:
        if daemon:
            daemon.check()
        time.sleep(min(left, 1))


def first_round(args, daemon, arrivals, hosts):
    """Until each host was sampled: seconds and CPU time that it took."""
    begun, end = time.monotonic(), time.monotonic() + 10 * args.interval
    while len({name for name, _ in arrivals.seen}) < len(hosts):
        wait_until(daemon, time.monotonic() + 1)
        if time.monotonic() > end:
            raise Failure(f"{len({n for n, _ in arrivals.seen})} of {len(hosts)} hosts were sampled "
                          f"within {10 * args.interval} s:\n{daemon.tail()}")
    took = time.monotonic() - begun
    progress(f"  all hosts were sampled after {took:.0f} s")
    wait_until(daemon, begun + 2 * args.interval)  # retries are over, rates are there
    return took, cpu_s(daemon.pid)


def judge(verdicts, what, window, limits=True):
    """The demands on ticks, and on CPU and memory."""
    late = window.late_share()
    verdicts.add(f"{what}: every host in every interval, ticks late < {MOST_LATE:.0%}",
                 late < MOST_LATE, f"{late:.2%} of {window.expected}, {window.missing} never came")
    if limits:
        verdicts.add(f"{what}: collector below {MOST_CORES:.0%} of a core",
                     window.cores < MOST_CORES, f"{window.cores:.1%}")
        verdicts.add(f"{what}: collector below {MOST_MIB} MiB", window.rss_mib < MOST_MIB,
                     f"{window.rss_mib:.0f} MiB at most")


def faults_of(server, hosts, domains_each):
    """Which of these hosts' samples lack something that every one must have."""
    bad = []
    for name in hosts:
        domains = (server.json(f"host:{name}") or {}).get("domains", [])
        rates = [d for d in domains if "net_rx_mib_s" in d.get("resources", {})
                 and d.get("cpu_used_cores") and "memory_used_mib" in d]
        if len(domains) != domains_each or len(rates) != domains_each:
            bad.append(f"{name}: {len(domains)} domains, {len(rates)} with all rates")
    return bad


def faults_that_stay(args, daemon, server, hosts, domains_each):
    """The same, after some intervals: a host that was late once lacks a rate for one of them."""
    for _ in range(10):
        bad = faults_of(server, hosts, domains_each)
        if not bad:
            break
        wait_until(daemon, time.monotonic() + args.interval)
    return bad


def kept_of(server, hosts, domains):
    """Packed bytes per domain and sample in blocks that were folded, and in how many samples."""
    size = samples = 0
    for name in hosts:
        for field in server.client.call("HKEYS", f"evenkeel:history:{name}"):
            _, _, count, length = map(int, field.split("-"))
            size, samples = size + length, samples + count
    return size / max(samples * domains / len(hosts), 1), samples


def show(window, first):
    """The table of what both parts measure."""
    table(("figure", "value"), [
        ("hosts", len(window.hosts)),
        ("samples in the window", f"{window.samples} of {window.expected} in {window.took_s:.0f} s"),
        ("late by more than 250 ms, or never", f"{window.late_share():.2%}"),
        ("lateness ms: median, p99, most", ", ".join(
            f"{window.quantile_ms(q):.0f}" for q in (0.5, 0.99, 1))),
        ("collector, of a core", f"{window.cores:.2%}"),
        ("collector, CPU ms per host-sample", f"{window.per_sample_ms(window.cpu_s):.2f}"),
        ("first round: s, CPU s", f"{first[0]:.0f}, {first[1]:.1f}"),
        ("resident at most, anonymous MiB", f"{window.rss_mib:.0f}, {window.anonymous_mib:.0f}"),
        ("descriptors", window.descriptors),
        ("redis-server, of a core", f"{window.server_cpu_s / window.took_s:.2%}"),
        ("to Redis, from Redis, bytes per sample",
         f"{window.in_bytes / max(window.samples, 1):.0f}, "
         f"{window.out_bytes / max(window.samples, 1):.0f}")])


def figures(window, first):
    """The same for programs."""
    return {"hosts": len(window.hosts), "samples": window.samples, "expected": window.expected,
            "took_s": window.took_s, "late_share": window.late_share(), "missing": window.missing,
            "late_ms": {"median": window.quantile_ms(0.5), "p99": window.quantile_ms(0.99),
                        "most": window.quantile_ms(1)},
            "collector_cores": window.cores,
            "collector_ms_per_sample": window.per_sample_ms(window.cpu_s),
            "rss_mib": window.rss_mib, "anonymous_mib": window.anonymous_mib,
            "descriptors": window.descriptors,
            "redis_cores": window.server_cpu_s / window.took_s,
            "redis_in_per_sample": window.in_bytes / max(window.samples, 1),
            "redis_out_per_sample": window.out_bytes / max(window.samples, 1),
            "first_round_s": first[0], "first_round_cpu_s": first[1]}


def standin(args, folder, verdicts):
    """Many hosts that are none."""
    each = args.domains // args.hosts
    server = folder.keep(Server(folder.path))
    empty = int(server.info()["used_memory"])
    behind = folder.keep(Standin(args.build / "tests/bench/libvirtd_standin", args.hosts, each))
    arrivals = Arrivals(server)
    daemon = folder.keep(Daemon(args, folder.path, server, behind.hosts, settings(args)))
    progress(f"stand-in: {args.hosts} hosts, {args.hosts * each} domains")
    first = first_round(args, daemon, arrivals, behind.hosts)
    window = Window(args, daemon, server, arrivals, behind.hosts, [behind.pid])
    show(window, first)
    domains = args.hosts * each
    used = int(server.info()["used_memory"]) - empty
    newest = server.memory_of("host", behind.hosts)
    history = sum(server.memory_of(k, behind.hosts) for k in ("history", "history-rows"))
    packed, folded = kept_of(server, behind.hosts, domains)
    table(("Redis, bytes per domain", "value"), [
        ("all", round(used / domains)), ("newest sample", round(newest / domains)),
        ("history so far", round(history / domains)),
        ("history, packed, per domain-sample", f"{packed:.2f}" if folded else "nothing was folded"),
        ("stand-in, of a core", f"{window.others_s / window.took_s:.2%}")])
    what = f"{args.hosts} hosts, {domains} domains"
    if not args.untimed:
        judge(verdicts, what, window)
    some = list(behind.hosts)[::max(args.hosts // 20, 1)]
    bad = faults_that_stay(args, daemon, server, some, each)
    verdicts.add(f"{what}: samples have all their domains and rates", not bad,
                 "; ".join(bad[:3]) or "all that were looked at")
    told = daemon.complaints()
    verdicts.add(f"{what}: no warning in the daemon's log", told == 0,
                 f"{told}" + (f":\n{daemon.tail(5)}" if told else ""))
    return figures(window, first) | {
        "domains": domains, "redis_per_domain": used / domains,
        "redis_newest_per_domain": newest / domains, "redis_history_per_domain": history / domains,
        "history_packed_per_domain_sample": packed if folded else None}


def hosts_that_fit(wanted):
    """As many as the machine's memory takes."""
    lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
    free = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")) / 1024
    return max(min(wanted, int((free - SPARE_MIB) / LIBVIRTD_MIB)), 0)


def lab(args, folder, verdicts):
    """Real libvirtds, as many as fit."""
    count = hosts_that_fit(args.lab_hosts)
    if count < args.lab_hosts:
        progress(f"lab: {count} hosts, for want of memory, instead of {args.lab_hosts}")
    live = folder.keep(Live(args.lab, args.program), "close")
    progress(f"lab: raising {count} hosts")
    live.up(count, 128)
    hosts = {h["name"]: h["uri"] for h in live.status()["hosts"]}
    pids = [h["libvirtd_pid"] for h in live.status()["hosts"]]
    resident = sum(memory_mib(p, "VmRSS") for p in pids) / count
    before = sum(map(cpu_s, pids))
    wait_until(None, time.monotonic() + IDLE_S)
    idle_cores = (sum(map(cpu_s, pids)) - before) / IDLE_S
    server = folder.keep(Server(folder.path))
    arrivals = Arrivals(server)
    daemon = folder.keep(Daemon(args, folder.path, server, hosts, settings(args),
                                [*live.lab_command(), "exec"]))
    first = first_round(args, daemon, arrivals, hosts)
    window = Window(args, daemon, server, arrivals, hosts, pids)
    show(window, first)
    theirs = window.others_s - idle_cores * window.took_s
    scale = HOSTS / INTERVAL_S / 1000
    rows = [("collector", window.per_sample_ms(window.cpu_s)),
            ("libvirtds, above idling", window.per_sample_ms(theirs)),
            ("libvirtds, all", window.per_sample_ms(window.others_s))]
    table(("CPU", "ms per host-sample", f"cores at {HOSTS} hosts / {INTERVAL_S} s"),
          [(name, round(ms, 3), round(ms * scale, 3)) for name, ms in rows])
    table(("a libvirtd", "value"), [("resident MiB", round(resident, 1)),
                                    ("idle, of a core", f"{idle_cores / count:.3%}")])
    judge(verdicts, f"{count} real hosts", window, False)
    cores = rows[0][1] * scale
    verdicts.add(f"{count} real hosts: collector, times {HOSTS} / {INTERVAL_S} s, below "
                 f"{MOST_CORES:.0%} of a core", cores < MOST_CORES, f"{cores:.1%}")
    return figures(window, first) | {
        "libvirtd_rss_mib": resident, "libvirtd_idle_cores": idle_cores / count,
        "libvirtd_ms_per_sample": rows[1][1], "libvirtd_ms_per_sample_with_idling": rows[2][1]}


PARTS = {"standin": standin, "lab": lab}


def settings(args):
    """The part of evenkeel.yaml that is asked for."""
    return (f"intervals: {{sample: {args.interval}s}}\n"
            f"history: {{interval: {args.keep_every}}}")


def options():
    """The command line."""
    parser = arguments(__doc__, data=False)
    parser.add_argument("--part", action="append", choices=list(PARTS),
                        help="one of them only; may be given again")
    parser.add_argument("--hosts", type=int, default=HOSTS, help="of the stand-in (%(default)s)")
    parser.add_argument("--domains", type=int, default=20 * HOSTS,
                        help="of the stand-in, all together (%(default)s)")
    parser.add_argument("--lab-hosts", type=int, default=100, metavar="N", help="(%(default)s)")
    parser.add_argument("--interval", type=int, default=INTERVAL_S, metavar="S",
                        help="between two samples of a host (%(default)s)")
    parser.add_argument("--intervals", type=int, default=20, metavar="N",
                        help="how many are measured, after two (%(default)s)")
    parser.add_argument("--keep-every", default="1m", metavar="DURATION",
                        help="history.interval; with 15s a quarter of an hour's folding is in five "
                        "minutes (%(default)s)")
    parser.add_argument("--descriptors", type=int, default=1024, metavar="N",
                        help="the daemon's soft limit of open files at its start (%(default)s)")
    parser.add_argument("--untimed", action="store_true",
                        help="judge what the samples hold, and not when they come and what they "
                        "cost: for a machine with other work")
    parser.add_argument("--lab", default="ekhundred", metavar="NAME",
                        help="the lab's name (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="the figures, for programs")
    return parser.parse_args()


def main():
    """Run the parts; whatever happens, nothing stays behind."""
    args = options()
    args.program = args.build / "balancer/daemon/evenkeeld"
    need(redis_server="redis-server")
    parts = args.part or list(PARTS)
    if "lab" in parts:
        need(virsh="libvirt-clients", lxcfs="lxcfs")
    built = [args.program, *([args.build / "tests/bench/libvirtd_standin"]
                             if "standin" in parts else [])]
    absent = [str(p) for p in built if not p.exists()]
    if "lab" in parts and (os.geteuid() != 0 or not Path("/dev/fuse").exists()):
        absent.append("root and /dev/fuse, for the lab")
    if absent:
        print(f"missing: {', '.join(absent)}")
        sys.exit(MISSING)
    raise_on_signals()
    verdicts, found = Verdicts("collector_scale"), {}
    for part in parts:
        folder = Folder(f"scale-{part}")
        try:
            found[part] = PARTS[part](args, folder, verdicts)
        except (Failure, OSError, subprocess.SubprocessError) as error:
            verdicts.add(f"{part}: the bench runs to its end", False, str(error))
        finally:
            folder.close()
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    verdicts.finish(args)


if __name__ == "__main__":
    main()
