"""Networks: one namespace with a bridge for the lab, one namespace and cable per host."""
import re
import subprocess
from pathlib import Path

from .base import NET_ADDRESS, LabError, in_netns, run

GUEST_BRIDGE = "labbr0"  # inside each host, for libvirt network `lab`


def namespaces(lab):
    """Network namespaces of this lab, by name."""
    pattern = re.compile(re.escape(lab.name) + r"-(net|h\d+)")
    root = Path("/run/netns")
    return sorted(p.name for p in root.iterdir() if pattern.fullmatch(p.name)) \
        if root.is_dir() else []


def batch(netns, *commands):
    """Run several `ip` commands inside a namespace in one process."""
    argv = ["ip"] + (["-n", netns] if netns else []) + ["-batch", "-"]
    done = subprocess.run(argv, input="\n".join(commands) + "\n", text=True,
                          capture_output=True, check=False, timeout=30)
    if done.returncode != 0:
        raise LabError(f"ip failed: {done.stderr.strip().splitlines()[0]} ({'; '.join(commands)})")


def create_lab(lab):
    """The namespace in which the daemon under test runs, with the bridge."""
    run(["ip", "netns", "add", lab.netns])
    batch(lab.netns, "link set lo up", "link add br0 type bridge stp_state 0 forward_delay 0",
          f"addr add {NET_ADDRESS}/24 dev br0", "link set br0 up")


def create_host(host):
    """A host's namespace, its cable to the bridge and the bridge for its guests."""
    run(["ip", "netns", "add", host.netns])
    batch(host.lab.netns,
          f"link add {host.port} type veth peer name eth0 netns {host.netns}",
          f"link set {host.port} master br0 up")
    batch(host.netns, "link set lo up", f"addr add {host.address}/24 dev eth0",
          "link set eth0 up", f"link add {GUEST_BRIDGE} type bridge stp_state 0 forward_delay 0",
          f"link set {GUEST_BRIDGE} up")


def remove(lab):
    """Remove the lab's namespaces; the cables go with them."""
    for netns in namespaces(lab):
        run(["ip", "netns", "del", netns])


def link_ends(host):
    """Both ends of the host's cable, each as (namespace, interface)."""
    return ((host.lab.netns, host.port), (host.netns, "eth0"))


def shape(host, rate):
    """Limit both directions of the host's cable (rate as tc takes it, such as 200mbit)."""
    for netns, interface in link_ends(host):
        run(in_netns(netns, "tc", "qdisc", "replace", "dev", interface, "root", "tbf",
                     "rate", rate, "burst", "256kb", "latency", "50ms"))


def cut(host):
    """Pull the host's cable: the port goes down and the host sees no carrier."""
    batch(host.lab.netns, f"link set {host.port} down")


def mend(host):
    """Undo a cut, and nothing else."""
    batch(host.lab.netns, f"link set {host.port} up")


def heal(host):
    """Undo shape, cut and drops."""
    mend(host)
    undrop(host)
    for netns, interface in link_ends(host):
        run(in_netns(netns, "tc", "qdisc", "del", "dev", interface, "root"), check=False)


# Table `raw` is nobody else's: libvirt keeps its rules in `filter` and `nat`.
DROP_TABLE = ("iptables", "-w", "-t", "raw")
CHAINS = {"in": ("PREROUTING", "-s"), "out": ("OUTPUT", "-d")}


def drop(host, directions=("in", "out"), peer=None, from_port=None, to_port=None):
    """Lose TCP packets that a host gets or sends; ports as iptables takes them (49152:49215).

    Without a peer those of all others. Connections stay: their ends see silence, as with a broken
    switch or a firewall that came up."""
    for direction in directions:
        chain, address = CHAINS[direction]
        rule = ["-I", chain, "-p", "tcp"]
        rule += [address, peer.address] if peer else []
        rule += ["--sport", str(from_port)] if from_port else []
        rule += ["--dport", str(to_port)] if to_port else []
        run(in_netns(host.netns, *DROP_TABLE, *rule, "-j", "DROP"))


def undrop(host):
    """Lose no packets any more."""
    for chain, _address in CHAINS.values():
        run(in_netns(host.netns, *DROP_TABLE, "-F", chain))
