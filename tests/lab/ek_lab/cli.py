"""The command line: verbs, their options and what they print."""
import argparse
import json
import os
import signal
import sys

from . import cpustat, guests, hosts, life, net, watch
from .base import Lab, LabError, in_netns


def do_up(lab, args):
    """Raise the lab and say how to reach it."""
    life.up(lab, args.hosts, args.cpus, args.memory, args.tls)
    for host in lab.hosts():
        print(f"{host.name} {host.address} {host.uri}")
    program = f"{sys.argv[0]} --name {lab.name}"
    print(f"# reach them from the lab's network: {program} exec virsh -c {lab.hosts()[0].uri} list")


def do_down(lab, _args):
    """Remove the lab."""
    life.down(lab)


def do_status(lab, args):
    """Say what is there."""
    found = {"name": lab.name, "netns": lab.netns, "dir": str(lab.dir), **lab.config(),
             "hosts": [hosts.state(h) for h in lab.hosts()], "guests": guests.listing(lab)}
    if args.json:
        print(json.dumps(found, indent=1))
        return
    for host in found["hosts"]:
        print(f"{host['name']:<6} {host['address']:<13} {host['uri']:<34} "
              f"libvirtd {host['libvirtd_pid'] or '-'} {host['state']}")
    print_guests(found["guests"])


def print_guests(found):
    """One line per guest."""
    for guest in found:
        copies = " ".join(f"{c['host']}:{c['pid']}" for c in guest["copies"]) or "not running"
        settings = " ".join(f"{k}={guest[k]}" for k in ("memory_mib", "vcpus", *guests.SETTINGS,
                                                        "disk", "network") if k in guest)
        print(f"{guest['name']:<16} {guest['host'] or '-':<6} {guest.get('uuid', '-')} "
              f"{settings} [{copies}]")


def do_cpustat(lab, _args):
    """The process behind the hosts' /proc/stat; started by `up` where it is needed."""
    cpustat.keep(lab)


def do_exec(lab, args):
    """Become a command in the lab's network; names of the hosts resolve there."""
    lab.config()
    script = 'mount --bind "$1" /etc/hosts && { [ ! -d "$2" ] || mount --bind "$2" /etc/pki; } ' \
             '&& shift 2 && exec "$@"'
    become(in_netns(lab.netns, "sh", "-c", script, "lab-exec", str(lab.dir / "etc-hosts"),
                    str(lab.pki / "etc-pki"), *args.command))


def do_host_exec(lab, args):
    """Become a command inside a host."""
    become(hosts.inside(lab.host(args.host), *args.command))


def become(argv):
    """Replace this program by another, so that signals and the exit status are its own."""
    sys.stdout.flush()
    os.execvp(argv[0], argv)


def do_guest_add(lab, args):
    """Add guests."""
    guests.add(lab, args.names, args)


def do_guest_set(lab, args):
    """Change a guest's load."""
    values = {k: getattr(args, k) for k in guests.SETTINGS if getattr(args, k) is not None}
    if not values:
        raise LabError("guest set: nothing to set")
    guests.change(lab, args.guest, values)


def do_guest_stop(lab, args):
    """End guests."""
    guests.stop(lab, args.names, args.force)


def do_guest_list(lab, args):
    """List guests."""
    found = guests.listing(lab)
    if args.json:
        print(json.dumps(found, indent=1))
    else:
        print_guests(found)


def do_link(lab, args):
    """Shape, cut or heal a host's cable, or lose some of what goes over it."""
    host = lab.host(args.host)
    if args.verb == "link shape":
        net.shape(host, args.rate)
    elif args.verb == "link drop":
        net.drop(host, (args.only,) if args.only else ("in", "out"),
                 lab.host(args.peer) if args.peer else None, args.from_port, args.to_port)
    elif args.verb == "link cut":
        net.cut(host)
    else:
        net.heal(host)


SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP, "cont": signal.SIGCONT}


def do_signal(lab, args):
    """Send a signal to a libvirtd (HOST libvirtd) or to a guest's QEMU (guest NAME)."""
    if args.first == "guest":
        _host, pid = guests.find(lab, args.second, args.host)
        os.kill(pid, SIGNALS[args.verb])
    elif args.second == "libvirtd":
        hosts.signal_libvirtd(lab.host(args.first), SIGNALS[args.verb])
    else:
        raise LabError(f"{args.verb} what? HOST libvirtd, or guest NAME")


def do_clock(lab, args):
    """Step the clock that a host's libvirtd sees."""
    hosts.set_clock(lab.host(args.host), args.offset)


def do_restart(lab, args):
    """Restart a host's libvirtd, or start it when it is gone."""
    host = lab.host(args.host)
    hosts.stop_libvirtd(host)
    hosts.start_libvirtd(host)
    hosts.wait_libvirtd(host)


def do_watch(lab, args):
    """Start, end or read the watcher."""
    if args.action == "start":
        watch.start(lab)
    elif args.action == "stop":
        watch.stop(lab)
    elif args.action == "run":
        watch.Watcher(lab).run()


def do_watch_report(lab, args):
    """Print what the watcher saw; status 1 when something is wrong with a guest."""
    state = watch.report(lab, args.max_gap_ms)
    print(json.dumps(state, indent=1) if args.json else watch.table(state))
    return 0 if state["ok"] else 1


def parser():
    """The command line's grammar."""
    top = argparse.ArgumentParser(prog="lab",
                                  description="A lab of real libvirt hosts on this machine.")
    top.add_argument("--name", default="ek", help="which lab (default ek); several may exist")
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")
    add_lab_verbs(verbs)
    add_guest_verbs(verbs)
    add_fault_verbs(verbs)
    add_watch_verbs(verbs)
    return top


def verb(verbs, name, function, text, **defaults):
    """Add one verb; `text` is its help."""
    sub = verbs.add_parser(name, help=text, description=text)
    sub.set_defaults(function=function, **defaults)
    return sub


def add_lab_verbs(verbs):
    """Verbs about the lab as a whole."""
    sub = verb(verbs, "up", do_up, "raise the lab (removes leftovers of the same name first)")
    sub.add_argument("--hosts", type=int, default=3, help="how many (default 3)")
    sub.add_argument("--cpus", type=int, default=2, help="cores of each host (default 2)")
    sub.add_argument("--memory", type=int, default=2048, metavar="MIB",
                     help="memory of each host (default 2048)")
    sub.add_argument("--tls", action="store_true", help="certificates, and TLS beside plain TCP")
    verb(verbs, "down", do_down, "remove the lab and everything in it")
    sub = verb(verbs, "status", do_status, "hosts and guests")
    sub.add_argument("--json", action="store_true")
    verbs.add_parser("cpustat").set_defaults(function=do_cpustat)
    sub = verb(verbs, "exec", do_exec, "run a command inside the lab's network")
    sub.add_argument("command", nargs=argparse.REMAINDER, metavar="CMD ...")
    sub = verb(verbs, "host-exec", do_host_exec, "run a command inside a host")
    sub.add_argument("host")
    sub.add_argument("command", nargs=argparse.REMAINDER, metavar="CMD ...")


def add_load(sub, default):
    """Options of a guest's load."""
    sub.add_argument("--burn", type=float, default=default, metavar="CORES",
                     help="CPU to burn, in cores")
    sub.add_argument("--dirty", type=int, default=default, metavar="MIB_PER_S",
                     help="memory to dirty")
    sub.add_argument("--footprint", type=int, default=default, metavar="MIB",
                     help="memory to touch and hold")


def add_guest_verbs(verbs):
    """Verbs about guests."""
    group = verbs.add_parser("guest", help="guests of the lab", description="Guests of the lab.")
    actions = group.add_subparsers(dest="action", required=True, metavar="ACTION")
    sub = verb(actions, "add", do_guest_add, "define and start guests, wait for their heartbeat")
    sub.add_argument("names", nargs="+", metavar="NAME")
    sub.add_argument("--host", required=True)
    sub.add_argument("--memory", type=int, default=128, metavar="MIB")
    sub.add_argument("--vcpus", type=int, default=1)
    add_load(sub, 0)
    sub.add_argument("--disk", choices=("none", "local", "shared"), default="none")
    sub.add_argument("--disk-data", type=int, default=0, metavar="MIB",
                     help="written to a local disk before the start")
    sub.add_argument("--network", action="store_true", help="a card on libvirt network 'lab'")
    sub.add_argument("--nwfilter", metavar="FILTER", help="filter of that card (implies --network)")
    sub = verb(actions, "set", do_guest_set, "change a running guest's load")
    sub.add_argument("guest", metavar="NAME")
    add_load(sub, None)
    sub.add_argument("--deaf", type=int, choices=(0, 1), help="1: it does not hear its power button")
    sub = verb(actions, "stop", do_guest_stop, "end guests and forget them")
    sub.add_argument("names", nargs="+", metavar="NAME")
    sub.add_argument("--force", action="store_true", help="without asking the guest")
    sub = verb(actions, "list", do_guest_list, "guests and where they run")
    sub.add_argument("--json", action="store_true")


def add_fault_verbs(verbs):
    """Verbs that break and mend things."""
    group = verbs.add_parser("link", help="a host's cable", description="A host's cable.")
    actions = group.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, text in (("shape", "limit both directions"), ("cut", "pull the cable"),
                       ("heal", "undo shape, cut and drop"),
                       ("drop", "lose TCP packets, as a firewall does")):
        sub = verb(actions, name, do_link, text, verb=f"link {name}")
        sub.add_argument("host")
        if name == "shape":
            sub.add_argument("rate", help="such as 200mbit")
        if name == "drop":
            sub.add_argument("--peer", metavar="HOST", help="to and from this host only")
            sub.add_argument("--from-port", metavar="A[:B]", help="sent from these ports only")
            sub.add_argument("--to-port", metavar="A[:B]", help="sent to these ports only")
            sub.add_argument("--only", choices=("in", "out"), help="one direction only")
    for name, text in (("kill", "SIGKILL"), ("stop", "SIGSTOP"), ("cont", "SIGCONT")):
        sub = verb(verbs, name, do_signal, f"{text} to 'HOST libvirtd' or to 'guest NAME'")
        sub.add_argument("first", metavar="HOST|guest")
        sub.add_argument("second", metavar="libvirtd|NAME")
        sub.add_argument("--host", help="the copy of the guest on this host")
    sub = verb(verbs, "clock", do_clock, "step the clock of a host's libvirtd; it is restarted first "
                                         "unless it has such a clock already")
    sub.add_argument("host")
    sub.add_argument("offset", help="as faketime takes it: +2y, -3d, +0")
    sub = verb(verbs, "restart", do_restart, "restart (or start again) 'HOST libvirtd'")
    sub.add_argument("host")
    sub.add_argument("what", choices=("libvirtd",))


def add_watch_verbs(verbs):
    """Verbs about the watcher."""
    group = verbs.add_parser("watch", help="the independent watcher",
                             description="A process that watches guests without libvirt.")
    actions = group.add_subparsers(dest="action", required=True, metavar="start|stop|report")
    verb(actions, "start", do_watch, "watch from now on, forgetting earlier figures")
    verb(actions, "stop", do_watch, "end the watcher; its figures remain")
    actions.add_parser("run").set_defaults(function=do_watch)
    sub = verb(actions, "report", do_watch_report,
               "what was seen; status 1 when a guest was silent, restarted or ran twice")
    sub.add_argument("--json", action="store_true")
    sub.add_argument("--max-gap-ms", type=int, default=2000, metavar="MS")


def main(argv):
    """Run one verb; errors are one line and status 2."""
    args = parser().parse_args(argv)
    if getattr(args, "command", None) is not None:
        args.command = args.command[args.command[:1] == ["--"]:]
        if not args.command:
            parser().error("which command?")
    try:
        return args.function(Lab(args.name), args) or 0
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 2
    except life.Interrupted as error:
        return 128 + error.args[0]
    except PermissionError as error:
        print(f"lab: {error} (must be root)", file=sys.stderr)
        return 2
