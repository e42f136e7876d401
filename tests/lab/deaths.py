"""Moments at which the daemon is to die: the journal announces a state, or a time has passed.

A state that a smooth move does not pass has a mishap on the way that leads to it."""
import os
import signal
import time

from ek_lab import guests, hosts
from ek_lab.base import LabError
from live import Failure

WAIT_S = 60       # for a state to be announced
COPYING = 0.05    # share of a copy after which both ends have a QEMU that is at work
SLOW_DOWNTIME = "3s"  # of a switchover that a look at the progress is to meet


class Moment:
    """A moment; `aim` is what it is called in the results, `state` what a move must be in then."""

    def __init__(self, aim, state=None):
        self.aim = aim
        self.state = state or aim
        self.policy = {}  # values of the policy that it needs
        self.gap_ms = 0   # how much longer than usual a guest may be silent

    def wait(self, test, mark):
        """Blocks from the wish for an evacuation until the daemon must die."""
        raise NotImplementedError


class Instant(Moment):
    """A share of the time that an evacuation takes."""

    def __init__(self, share):
        super().__init__("random")
        self.share = share

    def wait(self, test, mark):
        end = time.monotonic() + self.share * test.usual_s
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, 0.05))


class Planned(Moment):
    """A plan is recorded, and none of its moves has begun: they are planned there only."""

    def __init__(self):
        super().__init__("planned")

    def wait(self, test, mark):
        if not test.journal.await_entry("plans", mark["plans"],
                                        lambda e: e["fate"] == "started", WAIT_S):
            raise Failure(f"no plan within {WAIT_S} s")


class State(Moment):
    """The journal announces a state of a move."""

    def __init__(self, state, mishap=None, policy=None, gap_ms=0):
        super().__init__(state)
        self.mishap = mishap
        self.policy = policy or {}
        self.gap_ms = gap_ms

    def wait(self, test, mark):
        if self.mishap is not None:
            self.mishap(test, copying_move(test, mark))
        if not test.journal.await_entry("moves", mark["moves"],
                                        lambda e: e["state"] == self.aim, WAIT_S):
            raise Failure(f"no move came to {self.aim} within {WAIT_S} s")


class OfGuest(Moment):
    """The journal has announced a state of one guest's move so many times."""

    def __init__(self, aim, state, guest, times=1, gap_ms=0):
        super().__init__(aim, state)
        self.guest = guest
        self.times = times
        self.gap_ms = gap_ms

    def wait(self, test, mark):
        uuid = guests.records(test.lab)[self.guest]["uuid"]
        entry = mark["moves"]
        for _ in range(self.times):
            found = test.journal.await_entry(
                "moves", entry, lambda e: e["state"] == self.state and e["domain"] == uuid, WAIT_S)
            if not found:
                raise Failure(f"{self.guest}'s move did not come to {self.state} {self.times} times")
            entry = found["entry"]


class Again(Moment):
    """The daemon dies in the middle of a copy, and the next one dies when it reconciles that."""

    def __init__(self):
        super().__init__("reconcile")

    def wait(self, test, mark):
        copying_move(test, mark)
        test.live.kill()
        mark = {"moves": test.journal.newest("moves")}
        test.live.start()
        if not test.journal.await_entry("moves", mark["moves"],
                                        lambda e: e["state"] == "reconcile", WAIT_S):
            raise Failure(f"no move was reconciled within {WAIT_S} s")


# ---- mishaps ---------------------------------------------------------------------------------


def copying_move(test, mark):
    """The first move whose data flow, so that there is something to break."""
    def copying():
        open_moves = test.journal.moves("open").values()
        return next((m for m in open_moves if m["state"] == "running" and
                     m["progress"] >= COPYING), None)
    return test.live.until("a copy that is under way", copying, WAIT_S, poll=0.02)


def kill_destination(test, move):
    """The QEMU that takes a domain in dies."""
    order = move["order"]
    try:
        _host, pid = guests.find(test.lab, order["name"], order["destination"])
        os.kill(pid, signal.SIGKILL)
    except (LabError, ProcessLookupError) as error:
        raise Failure(f"the incoming QEMU of {order['name']} is gone already: {error}") from None


def kill_source_libvirtd(test, move):
    """The libvirtd that drives a migration dies, and is started again at once."""
    host = test.lab.host(move["order"]["source"])
    hosts.signal_libvirtd(host, signal.SIGKILL)
    test.live.lab("restart", host.name, "libvirtd")


def moments():
    """One for each state of the table that does not end a move."""
    smooth = {state: State(state) for state in ("claimed", "precheck", "prepare", "running",
                                                "commit-pending", "post")}
    return {"planned": Planned(), **smooth,
            "switchover": State("switchover", policy={"max_downtime": SLOW_DOWNTIME}, gap_ms=3000),
            "reconcile": Again(),
            "unprepare": State("unprepare", kill_destination),
            "retry-wait": State("retry-wait", kill_source_libvirtd, {"backoff": "2s"})}


def disk_moments(guest):
    """Those of a guest whose disk is copied: between two preparations, and when it has left its
    source and waits on its destination to be resumed, which a dead daemon does not do."""
    return {"between-preparations": OfGuest("between-preparations", "prepare", guest, times=2),
            "hand-over": OfGuest("hand-over", "commit-pending", guest, gap_ms=15000)}
