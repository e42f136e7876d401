"""Post-copy: once the guest runs on the destination with a part of its memory still on the source,
neither end alone has it."""
import signal

from ek_faults.case import case
from ek_faults.stage import NAME, Failure
from ek_lab import guests, net

SUSPENDED = "suspended 7"    # VIR_DOMAIN_EVENT_SUSPENDED_POSTCOPY, on the source
RESUMED = "resumed 3"        # VIR_DOMAIN_EVENT_RESUMED_POSTCOPY, on the destination
# A page that the guest asks for queues behind those that are pushed: over a shaped link it waits for
# seconds (7.3 s seen).
OPTIONS = {"group": "postcopy", "gap_ms": 20000,
           "migration": {"post_copy": "true", "timeout_min": "5s"}}


def begin(stage):
    """A move of a guest that writes more than the link carries, when it has gone over to post-copy."""
    guests.change(stage.place, NAME, {"footprint": 48, "dirty": 60})
    move = stage.begin()
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
    """The guest waits for its memory; it is never abandoned, and goes on when the link is back."""
    move = begin(stage)
    stage.hit()
    net.drop(stage.host(move.destination), ("in",), to_port="49152:49215")
    stage.lasts(8)
    if stage.eyes.state(move.source, NAME) is None or \
            stage.eyes.state(move.destination, NAME) is None:
        raise Failure("one half of the guest was given up")
    net.undrop(stage.host(move.destination))
    stage.await_step(move.id, ("done", "vm-down", "unknown", "failed", "unverified"), 90)
    calm(stage)
    return move
