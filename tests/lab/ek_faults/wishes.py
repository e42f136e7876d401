"""Wishes that cross a move: aborts, second migrations, slow links, guests that never stand still."""
import contextlib
import json
import threading

import libvirt
import libvirt_qemu

from ek_faults.case import case
from ek_faults.stage import NAME, TERMINAL, Failure
from ek_lab import guests

P2P = libvirt.VIR_MIGRATE_LIVE | libvirt.VIR_MIGRATE_PEER2PEER


def domain_of(stage, move):
    """The guest's domain on its source."""
    return stage.eyes.link(move.source).lookupByName(NAME)


@case("T10", "somebody migrates the same guest meanwhile", group="wishes", ends=("done",))
def second_migration(stage):
    """The second is refused, the first goes on unharmed."""
    move = stage.begin()
    other = stage.others(move.source, move.destination)[0]
    stage.hit()
    try:
        domain_of(stage, move).migrateToURI3(other.uri, {}, P2P)
    except libvirt.libvirtError as error:
        if "another migration job is already running" not in str(error):
            raise Failure(f"the second was refused for another reason: {error}") from error
        return move
    raise Failure(f"a second migration to {other.name} was let through")


@case("T12a", "somebody aborts the job while memory is copied", group="wishes", ends=("cancelled",))
def foreign_abort(stage):
    """Not to be overruled by a retry of the move; the plan may be made anew."""
    move = stage.begin()
    stage.hit()
    domain_of(stage, move).abortJob()
    return move


@case("T12b", "somebody aborts the job at the switchover", group="late",
      ends=("cancelled", "done", "rolled-back"))
def late_abort(stage):
    """Whichever comes first: one copy runs. While others ask for statistics, libvirt's job never ends after about
    every second such abort (docs/migrator.md): then its libvirtd is restarted, as an operator would, and the record
    must close. A group of its own, which CI leaves out for its time (soak_faults has it)."""
    move = stage.begin()
    domain = domain_of(stage, move)
    with busy(stage, move):
        move.pauses()
        stage.hit()
        try:
            domain.abortJob()
        except libvirt.libvirtError:
            pass                # too late: the job has ended
    try:
        move.reaches(*TERMINAL, seconds=20)
    except Failure:
        must_be_stuck(stage, move)
        stage.lab("restart", move.source, "libvirtd")
    return move


@contextlib.contextmanager
def busy(stage, move):
    """Somebody asks the source for the guest's statistics all the time."""
    link = libvirt.open(stage.eyes.path(move.source))
    domain, over = link.lookupByName(NAME), threading.Event()

    def ask():
        while not over.is_set():
            with contextlib.suppress(libvirt.libvirtError):
                domain.memoryStats()
    asker = threading.Thread(target=ask, daemon=True)
    asker.start()
    try:
        yield
    finally:
        over.set()
        asker.join()
        link.close()


def must_be_stuck(stage, move):
    """That a record is still open must be libvirt's doing: QEMU has cancelled the migration and runs the guest,
    nothing is on the destination, and the source's libvirtd goes on showing the job."""
    domain = domain_of(stage, move)
    told = json.loads(libvirt_qemu.qemuMonitorCommand(domain, '{"execute": "query-migrate"}', 0))
    seen = (told["return"].get("status"), domain.state()[0], domain.jobStats().get("operation"),
            stage.eyes.state(move.destination, NAME))
    if seen != ("cancelled", libvirt.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT, None):
        raise Failure(f"the record is open, and that is not libvirt's job that never ends: {seen}")


@case("T12c", "an operator aborts the move while memory is copied", group="wishes",
      ends=("cancelled",))
def own_abort(stage):
    """The guest stays where it is; its host is still to be emptied, so that a later plan moves it."""
    move = stage.begin()
    stage.hit()
    stage.command("abort", move.id)
    return move


@case("T12d", "an operator aborts the move before it has begun to copy", group="wishes",
      ends=("cancelled", "rolled-back"))
def early_abort(stage):
    """Whatever was prepared is undone."""
    move = stage.order()
    stage.hit()
    stage.command("abort", move.id)
    return move


@case("T12e", "somebody aborts the job while the disk is copied", group="wishes",
      guest=("--disk", "local", "--disk-data", "48"), migration={"disk_grace": "0s"},
      ends=("cancelled",))
def disk_abort(stage):
    """Before any memory is: the half of a disk on the destination goes, too."""
    move = stage.order()
    domain = domain_of(stage, move)
    stage.until("a disk that is being copied", lambda: copies_disk(domain), 30, poll=0.02)
    stage.hit()
    domain.abortJob()
    return move


def copies_disk(domain):
    """Whether a migration has copied some of a disk and nothing of the memory."""
    job = domain.jobStats()
    return job.get("disk_processed", 0) > 0 and not job.get("memory_processed", 0)


@case("T13", "a link of 1 MiB/s, then an abort", group="wishes", ends=("cancelled",),
      limits={"bandwidth_per_host": "1MiB/s"})
def slow_link(stage):
    """So slow that it never ends by itself; the guest runs on."""
    move = stage.begin()
    domain = domain_of(stage, move)
    if domain.migrateGetMaxSpeed() != 1:
        raise Failure(f"the migration may take {domain.migrateGetMaxSpeed()} MiB/s, expected 1")
    stage.hit()
    domain.abortJob()
    move.reaches(*TERMINAL)
    stage.change_policy({}, {})
    return move


@case("T14", "a guest that writes memory faster than the link carries it", group="wishes",
      migration={"timeout_min": "15s"}, ends=("rolled-back", "done"))
def heavy_writer(stage):
    """It ends, or is aborted at its deadline; it has been copied more than once by then."""
    guests.change(stage.place, NAME, {"footprint": 48, "dirty": 60})
    try:
        move = stage.begin()
        stage.hit()
        move.reaches(*TERMINAL, seconds=60)
        if not stage.eyes.find_event(stage.since, move.source, NAME, "iteration 2"):
            raise Failure("the memory was copied once only: that proves nothing")
        return move
    finally:
        guests.change(stage.place, NAME, {"footprint": 0, "dirty": 0})
