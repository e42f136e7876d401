"""Ends of processes and guests: QEMU, libvirtd and the daemon are killed or stopped, guests go off."""
import signal
import socket
import os

from ek_faults.case import case
from ek_faults.stage import Failure, NAME

KILL, STOP = signal.SIGKILL, signal.SIGSTOP


@case("T1", "SIGKILL of the destination's QEMU while memory is copied", group="ends",
      ends=("rolled-back",))
def kill_destination_qemu(stage):
    """The source goes on, the destination is blamed, and the guest moves elsewhere."""
    move = stage.begin()
    stage.hit()
    stage.send(stage.qemu(move.destination), KILL)
    return move


@case("T2", "SIGKILL of the source's QEMU while memory is copied", group="ends", ends=("vm-down",),
      again=False, loses=True)
def kill_source_qemu(stage):
    """The guest is lost by the fault; that is told, and nothing is started anywhere."""
    move = stage.begin()
    stage.hit()
    stage.send(stage.qemu(move.source), KILL)
    return move


@case("T3", "SIGKILL of the source's libvirtd while memory is copied", group="ends",
      ends=("rolled-back",))
def kill_source_libvirtd(stage):
    """Nothing is decided until it is back; then the guest runs where it was."""
    move = stage.begin()
    stage.hit()
    stage.send(stage.libvirtd(move.source), KILL)
    move.reaches("reconcile")
    stage.start_libvirtd(move.source)
    return move


@case("T4", "SIGKILL of the destination's libvirtd while memory is copied", group="ends",
      ends=("rolled-back",))
def kill_destination_libvirtd(stage):
    """The guest runs where it was; the destination is believed once it is back."""
    move = stage.begin()
    stage.hit()
    stage.send(stage.libvirtd(move.destination), KILL)
    move.reaches("reconcile")
    stage.start_libvirtd(move.destination)
    return move


@case("T5a", "virsh destroy on the destination while memory is copied", group="ends",
      ends=("rolled-back",))
def destroy_destination(stage):
    """As if its QEMU had died."""
    move = stage.begin()
    stage.hit()
    stage.eyes.link(move.destination).lookupByName(NAME).destroy()
    return move


@case("T5b", "virsh destroy on the source while memory is copied", group="ends",
      ends=("guest-off",), again=False, loses=True)
def destroy_source(stage):
    """Its user ended it: no fault of the move's."""
    move = stage.begin()
    stage.hit()
    stage.eyes.link(move.source).lookupByName(NAME).destroy()
    return move


@case("T9", "the guest powers off while memory is copied", group="ends", ends=("guest-off",),
      again=False, loses=True)
def power_off(stage):
    """It is off on the source, by itself."""
    move = stage.begin()
    stage.hit()
    directory = os.open(stage.host(move.source).controls, os.O_PATH)
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(10)
            line.connect(f"/proc/self/fd/{directory}/{NAME}.sock")
            line.sendall(b"\npoweroff\n")
            while line.recv(4096):      # until its QEMU is gone, which closes the line
                pass
    finally:
        os.close(directory)
    return move


@case("T16", "SIGKILL of the daemon and of the source's libvirtd at once", group="ends",
      ends=("rolled-back",))
def kill_daemon_and_libvirtd(stage):
    """Both come back; the record is adopted and tells the truth."""
    move = stage.begin(share=0.2)
    victim = stage.libvirtd(move.source)
    stage.hit()
    stage.kill()
    stage.send(victim, KILL)
    stage.start_libvirtd(move.source)
    stage.start()
    return move


@case("T18a", "SIGSTOP of the source's libvirtd while memory is copied", group="stops",
      ends=("rolled-back", "done"))
def stop_source_libvirtd(stage):
    """Stuck, and seen to be so; when it goes on the move comes to an end."""
    move = stage.begin()
    pid = stage.libvirtd(move.source)
    stage.hit()
    stage.send(pid, STOP)
    stage.until(f"{move.source} is not sampled any more",
                lambda: stage.redis_json(f"host:{move.source}") is None, 30)
    others_go_on(stage, move)
    stage.go_on()
    return move


@case("T18b", "SIGSTOP of the source's QEMU while memory is copied", group="stops", gap_ms=20000,
      migration={"progress_timeout": "6s"}, ends=("rolled-back", "done"))
def stop_source_qemu(stage):
    """Its monitor hangs: an abort is asked for, and nothing is destroyed."""
    move = stage.begin()
    pid = stage.qemu(move.source)
    stage.hit()
    stage.send(pid, STOP)
    stuck(stage, move)
    others_go_on(stage, move)
    stage.go_on()
    return move


@case("T18c", "SIGSTOP of the destination's QEMU while memory is copied", group="stops",
      migration={"progress_timeout": "6s"}, ends=("rolled-back",))
def stop_destination_qemu(stage):
    """No progress: aborted, and the destination's copy is gone once it goes on."""
    move = stage.begin()
    pid = stage.qemu(move.destination)
    stage.hit()
    stage.send(pid, STOP)
    stuck(stage, move)
    others_go_on(stage, move)
    stage.go_on()
    return move


def stuck(stage, move):
    """Wait until the daemon says that the move makes no progress."""
    stage.until("a word on the missing progress",
                lambda: move.record()["error"] != "", 40)


def others_go_on(stage, move):
    """Hosts that have no part in the fault are sampled as before, and the daemon answers."""
    for host in stage.others(move.source, move.destination):
        first = stage.redis_json(f"host:{host.name}")
        if first is None:
            raise Failure(f"{host.name} is not sampled, though nothing is wrong with it")
        stage.until(f"the next sample of {host.name}", lambda h=host, f=first: (
            stage.redis_json(f"host:{h.name}") or f)["taken_at_ms"] > f["taken_at_ms"], 5)
