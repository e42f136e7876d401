"""Links: cables are pulled, packets are lost, ports are taken, while guests move."""
import sys

import libvirt

from ek_faults.case import case
from ek_faults.stage import NAME, TERMINAL, Failure
from ek_lab import guests, net, procs
from ek_lab.base import LIBVIRT_PORT, in_netns

DATA_PORTS = "49152:49215"   # where QEMU listens for memory and disks
FIRST_PORT = 49152


@case("T6", "the destination's cable is pulled for 10 s", group="links", ends=("done",))
def short_cut(stage):
    """Shorter than any keepalive: the migration goes on where it was."""
    move = stage.begin()
    stage.hit()
    net.cut(stage.host(move.destination))
    stage.lasts(10)
    net.mend(stage.host(move.destination))
    return move


@case("T7", "the destination's cable is pulled until libvirt's keepalive gives up", group="links",
      migration={"progress_timeout": "60s"}, ends=("rolled-back",))
def long_cut(stage):
    """The guest runs on its source; the destination is read when it is back."""
    move = stage.begin()
    stage.hit()
    net.cut(stage.host(move.destination))
    move.reaches("reconcile", seconds=60)
    net.mend(stage.host(move.destination))
    return move


@case("T8", "packets to the ports of the destination's QEMU are lost", group="links",
      migration={"progress_timeout": "6s"}, ends=("rolled-back",))
def lost_data(stage):
    """libvirt itself would wait for a quarter of an hour: our own limit ends it."""
    move = stage.begin()
    stage.hit()
    net.drop(stage.host(move.destination), ("in",), to_port=DATA_PORTS)
    step = move.reaches(*TERMINAL, seconds=60)
    if "no data reached the destination" not in move.record()["error"]:
        raise Failure(f"ended as {step['state']} for another reason: {move.record()['error']}")
    return move


@case("T11", "port 49152 of the destination is taken", group="links", ends=("done",))
def taken_port(stage):
    """The next port is used."""
    squatters = [take_port(stage, host) for host in stage.place.hosts()]
    try:
        stage.hit()
        move = stage.begin()
        pid = stage.qemu(move.destination)
        if FIRST_PORT + 1 not in open_ports(pid):
            raise Failure(f"the destination uses ports {sorted(open_ports(pid))}, expected 49153")
        move.reaches(*TERMINAL, seconds=60)
        return move
    finally:
        procs.end(squatters)


def take_port(stage, host):
    """Listen on a host's first migration port; the pid of who does.

    As QEMU does (SO_REUSEADDR): a connection of the case before may still be in TIME_WAIT there."""
    code = (f"import socket; s = socket.create_server(('', {FIRST_PORT})); s.accept()")
    process = procs.spawn(stage.place, f"squatter-{host.name}",
                          in_netns(host.netns, sys.executable, "-c", code))
    stage.until(f"port {FIRST_PORT} of {host.name} taken",
                lambda: guests.listens(process.pid, FIRST_PORT), 10)
    return process.pid


def open_ports(pid):
    """Local TCP ports from 49152 on, in the network namespace of a process."""
    found = set()
    for family in ("tcp", "tcp6"):
        with open(f"/proc/{pid}/net/{family}", encoding="ascii") as table:
            next(table)
            found |= {int(row.split()[1].rpartition(":")[2], 16) for row in table}
    return {p for p in found if p >= FIRST_PORT}


@case("T22", "the answer that the guest runs on the destination is lost (hand-over in two steps)",
      group="links", migration={"two_step": "always", "progress_timeout": "60s"}, gap_ms=45000,
      ends=("rolled-back",))
def lost_answer(stage):
    """Without the two steps both ends would run it; with them neither does until one is chosen.

    Nothing but keepalive comes back from the destination's libvirtd while memory is copied: what is
    lost from here on is the answer to Finish."""
    move = stage.begin(share=0.3)
    stage.hit()
    net.drop(stage.host(move.source), ("in",), peer=stage.host(move.destination),
             from_port=LIBVIRT_PORT)
    move.pauses()
    move.see(move.destination, "suspended 0")     # it arrived and waits
    move.reaches(*TERMINAL, seconds=90)
    return move


@case("T23", "a paused copy is left on the destination: cut off from a source whose libvirtd died",
      group="links", ends=("rolled-back",), timeouts={"autodestroy": "4s"})
def orphan(stage):
    """It is destroyed, but only once the source is seen to run the guest."""
    move = stage.begin()
    source, destination = stage.host(move.source), stage.host(move.destination)
    stage.hit()
    net.drop(source, peer=destination)   # the destination does not hear that the source died
    stage.send(stage.libvirtd(move.source), 9)
    move.reaches("reconcile")
    stage.lasts(6)
    before = stage.eyes.state(move.destination, NAME)
    if before is None or before[0] != libvirt.VIR_DOMAIN_PAUSED:
        raise Failure(f"the destination's copy was touched while the source was not known: {before}")
    stage.start_libvirtd(move.source)
    move.reaches(*TERMINAL, seconds=25)
    if not any("destroy-destination" in n for n in stage.notes(move)):
        raise Failure("the orphan went, but not by a repair of ours")
    return move
