"""Post-copy: once the guest runs on the destination with a part of its memory still on the source,
neither end alone has it."""
import signal

from ek_faults.case import case
from ek_faults.stage import NAME, RATE, Failure
from ek_lab import guests, net

SUSPENDED = "suspended 7"    # VIR_DOMAIN_EVENT_SUSPENDED_POSTCOPY, on the source
SLOW = "30mbit"               # 100 MiB that remain take half a minute
RESUMED = "resumed 3"        # VIR_DOMAIN_EVENT_RESUMED_POSTCOPY, on the destination
# A page that the guest asks for queues behind those that are pushed: over a shaped link it waits for
# seconds (7.3 s seen).
OPTIONS = {"group": "postcopy", "gap_ms": 20000,
           "migration": {"post_copy": "true", "timeout_min": "5s"}}


def begin(stage, to=None):
    """A move of a guest that writes more than the link carries, when it has gone over to post-copy."""
    guests.change(stage.place, NAME, {"footprint": 48, "dirty": 60})
    move = stage.begin(to=to)
    move.see(move.source, SUSPENDED, 60)
    return move


def calm(stage):
    """End the writing, so that the guest can be moved again."""
    guests.change(stage.place, NAME, {"footprint": 0, "dirty": 0})


@case("T24a", "SIGKILL of the destination's QEMU in post-copy", ends=("vm-down",), again=False,
      loses=True, timeouts={"reachable": "5s"}, **OPTIONS)
def kill_destination(stage):
    """The memory that had moved is lost by the fault: that is told, and nothing is destroyed."""
    move = begin(stage)
    pid = stage.qemu(move.destination)
    stage.hit()
    stage.send(pid, signal.SIGKILL)
    return move


@case("T24b", "SIGKILL of the source's libvirtd in post-copy", ends=("done",), **OPTIONS)
def kill_libvirtd(stage):
    """The two QEMUs go on by themselves; libvirtd finds it done, or goes on with it.

    Not a moment earlier: until it has resumed the guest, the destination's libvirtd takes the end of
    the connection for the end of the migration, and destroys what the guest already needs."""
    move = begin(stage)
    move.see(move.destination, RESUMED)
    stage.hit()
    stage.send(stage.libvirtd(move.source), signal.SIGKILL)
    move.reaches("reconcile")
    stage.start_libvirtd(move.source)
    stage.await_step(move.id, ("done", "vm-down", "unknown", "failed", "unverified"), 90)
    calm(stage)
    return move


@case("T24c", "packets between the QEMUs are lost in post-copy, then not any more", ends=("done",),
      **(OPTIONS | {"gap_ms": 60000}))
def lost_packets(stage):
    """The guest waits for its memory; it is never abandoned, and goes on when the link is back.

    The link is slow enough that the migration cannot end before its packets are lost."""
    destination = stage.host(stage.others(stage.where()[NAME])[0].name)
    net.shape(destination, SLOW)
    move = begin(stage, to=destination.name)
    stage.hit()
    net.drop(destination, ("in",), to_port="49152:49215")
    both_halves(stage, move, "when its packets began to be lost")
    stage.lasts(8)
    both_halves(stage, move, "after 8 s without packets")
    net.undrop(destination)
    net.shape(destination, RATE)
    stage.await_step(move.id, ("done", "vm-down", "unknown", "failed", "unverified"), 90)
    calm(stage)
    return move


def both_halves(stage, move, when):
    """An error when an end of a migration has lost its part of the guest."""
    states = {h: stage.eyes.state(h, NAME) for h in (move.source, move.destination)}
    if None in states.values():
        raise Failure(f"one half of the guest was gone {when}: {states}")
