"""Clocks, names and certificates: one host can no longer be reached by another, and the rest goes on."""
import time

from ek_faults.case import case
from ek_faults.stage import NAME, TERMINAL, Failure
from ek_lab import hosts, pki

VALID_SECONDS = 25   # of a certificate that is to expire while it is in use


def first_other(stage):
    """A host on which the guest is not."""
    return stage.others(stage.where()[NAME])[0]


def blamed(move, host):
    """The move went to that host, and failed for it."""
    if move.destination != host.name:
        raise Failure(f"it was sent to {move.destination}, expected {host.name}")
    return move


@case("T26a", "the clock of the destination's libvirtd steps twenty years on (TLS)", group="trust",
      uris="tls", ends=("rejected", "rolled-back"))
def clock_step(stage):
    """It takes its peers' certificates for expired; the third host is used."""
    host = first_other(stage)
    hosts.set_clock(host, "+0")
    fresh_sample(stage, host)
    stage.hit()
    hosts.set_clock(host, "+20y")
    try:
        move = blamed(stage.order(to=host.name), host)
        move.reaches(*TERMINAL, seconds=60)
        return move
    finally:
        hosts.set_clock(host, "+0")


@case("T26b", "the source does not resolve the destination's name", group="trust", uris="names",
      ends=("rejected", "rolled-back"))
def lost_name(stage):
    """Known to us, not to the source: that pair is of no use, another one is."""
    host = first_other(stage)
    path = stage.host(stage.where()[NAME]).dir / "etc-hosts"
    names = path.read_text(encoding="ascii")
    stage.hit()
    path.write_text("".join(line for line in names.splitlines(True)
                            if not line.endswith(f" {host.name}\n")), encoding="ascii")
    try:
        move = blamed(stage.order(to=host.name), host)
        move.reaches(*TERMINAL, seconds=60)
        return move
    finally:
        path.write_text(names, encoding="ascii")


@case("T26c", "the destination's certificate expires (TLS)", group="trust", uris="tls",
      ends=("rejected", "rolled-back"))
def expired(stage):
    """Whoever connects anew is turned away; the third host is used."""
    host = first_other(stage)
    pki.equip(host, VALID_SECONDS, ("libvirt",))
    expires = time.monotonic() + VALID_SECONDS
    restart(host)
    try:
        fresh_sample(stage, host)
        stage.until("the certificate's end", lambda: time.monotonic() > expires + 1,
                    VALID_SECONDS + 5)
        stage.hit()
        move = blamed(stage.order(to=host.name), host)
        move.reaches(*TERMINAL, seconds=60)
        return move
    finally:
        pki.equip(host)
        restart(host)


def restart(host):
    """Restart a libvirtd."""
    hosts.stop_libvirtd(host)
    hosts.start_libvirtd(host)
    hosts.wait_libvirtd(host)


def fresh_sample(stage, host):
    """Wait until the daemon has reached a host whose libvirtd was restarted."""
    now = time.time() * 1000
    stage.until(f"a sample of {host.name}", lambda: (
        stage.redis_json(f"host:{host.name}") or {"taken_at_ms": 0})["taken_at_ms"] > now, 30)
