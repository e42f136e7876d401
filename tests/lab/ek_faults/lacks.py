"""What a destination lacks: networks and filters, missing before or taken away in the midst."""
import libvirt

from ek_faults.case import case
from ek_faults.stage import NAME, TERMINAL, Failure
from ek_lab import guests

CARD = ("--network", "--nwfilter", "clean-traffic")
FILTER = "clean-traffic"


IMAGES = "/var/lib/libvirt/images"
SMALL_MIB = 160     # more than the checks ask for


class Taken:
    """Networks, filters and room taken from hosts; put back at the end of a `with`."""

    def __init__(self, stage):
        self.stage = stage
        self.texts = []
        self.small = []

    def network(self, host):
        """Take network `lab` away."""
        network = self.stage.eyes.link(host).networkLookupByName("lab")
        self.texts.append((host, "network", network.XMLDesc(libvirt.VIR_NETWORK_XML_INACTIVE)))
        network.destroy()
        network.undefine()

    def filter(self, host):
        """Take the guests' filter away."""
        found = self.stage.eyes.link(host).nwfilterLookupByName(FILTER)
        self.texts.append((host, "filter", found.XMLDesc()))
        found.undefine()

    def most_room(self, host):
        """Put a small file system, with the guests' backing file, in the place of the host's pool."""
        self.stage.lab("host-exec", host, "sh", "-c",
                       f"cp {IMAGES}/base.qcow2 /run && "
                       f"mount -t tmpfs -o size={SMALL_MIB}m tmpfs {IMAGES} && "
                       f"mv /run/base.qcow2 {IMAGES}")
        self.small.append(host)
        self.refresh(host)

    def all_room(self, host):
        """Fill that file system to its end."""
        self.stage.lab("host-exec", host, "sh", "-c",
                       f"! dd if=/dev/zero of={IMAGES}/filler bs=64k status=none")

    def refresh(self, host):
        """Let libvirt see which files there are."""
        self.stage.eyes.link(host).storagePoolLookupByName("default").refresh()

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        for host in self.small:
            self.stage.lab("host-exec", host, "umount", IMAGES)
            self.refresh(host)
        for host, kind, text in self.texts:
            link = self.stage.eyes.link(host)
            if kind == "network":
                network = link.networkDefineXML(text)
                network.setAutostart(True)
                network.create()
            elif FILTER not in link.listNWFilters():
                link.nwfilterDefineXML(text)


LOCAL = {"group": "lacks", "guest": ("--disk", "local"), "migration": {"disk_grace": "0s"}}


@case("T19e", "the destination has not the file that the guest's disk rests on", ends=("done",),
      **LOCAL)
def no_base(stage):
    """It is streamed there before the migration."""
    source = stage.where()[NAME]
    for host in stage.others(source):
        base = stage.eyes.link(host.name).storagePoolLookupByName("default").storageVolLookupByName(
            "base.qcow2")
        base.delete()
    stage.hit()
    move = stage.order()
    move.reaches(*TERMINAL, seconds=90)
    guests.place_base_image(stage.place)      # where it was not streamed to
    return move


@case("T20", "a file in the place of the guest's disk is left on the destination",
      ends=("rejected", "rolled-back"), **LOCAL)
def leftover_disk(stage):
    """It may be somebody's: it is not touched, and another host is used."""
    host = stage.others(stage.where()[NAME])[0]
    pool = stage.eyes.link(host.name).storagePoolLookupByName("default")
    text = (f"<volume><name>{NAME}.qcow2</name><capacity unit='MiB'>64</capacity>"
            "<target><format type='qcow2'/></target></volume>")
    left = pool.createXML(text)
    stage.hit()
    try:
        move = stage.order(to=host.name)
        move.reaches(*TERMINAL, seconds=60)
        if f"{NAME}.qcow2" not in pool.listVolumes():
            raise Failure("a file that was not ours was removed")
        return move
    finally:
        left.delete()


@case("T19f", "the destination's disk is full when the guest's is copied to it",
      ends=("rolled-back",), **(LOCAL | {"guest": ("--disk", "local", "--disk-data", "48")}))
def full_disk(stage):
    """There was room at the checks: the copy fails, and what it left there is removed."""
    host = stage.others(stage.where()[NAME])[0].name
    with Taken(stage) as taken:
        taken.most_room(host)
        move = stage.order(to=host)
        move.reaches("running")
        stage.hit()
        taken.all_room(host)
        move.reaches(*TERMINAL, seconds=60)
        return move


@case("T19a", "no destination has the guest's network", group="lacks", guest=CARD, ends=())
def no_network(stage):
    """Known from the samples: nothing is begun, and it is said why."""
    source = stage.where()[NAME]
    with Taken(stage) as taken:
        for host in stage.others(source):
            taken.network(host.name)
            stage.until(f"a sample of {host.name} without the network", lambda h=host: "lab" not in (
                stage.redis_json(f"host:{h.name}") or {"host": {"networks": ["lab"]}}
            )["host"]["networks"], 20)
        stage.hit()
        stage.journal.set(f"evenkeel:maintenance:{source}", "a fault is tried")
        stage.until("an evacuation that says that it cannot", lambda: stage.maintenance(source) in
                    ("blocked", "infeasible"), 20)
        stage.read_steps(1)
        if stage.steps:
            raise Failure(f"something was begun: {stage.steps}")
    return None


@case("T19b", "the destination loses the guest's network when its move is claimed", group="lacks",
      guest=CARD, ends=("rejected", "rolled-back"))
def lost_network(stage):
    """Found by the checks or the preparations, or refused by libvirt: nothing has moved."""
    with Taken(stage) as taken:
        move = stage.order()
        stage.hit()
        taken.network(move.destination)
        move.reaches(*TERMINAL)
        return move


def lost_late(stage, take):
    """A move whose destination loses something when the migrate call is announced."""
    with Taken(stage) as taken:
        move = stage.order()
        move.reaches("running")
        stage.hit()
        take(taken, move.destination)
        move.reaches(*TERMINAL, seconds=60)
        return move


@case("T19c", "the destination loses the guest's network when the migration is called",
      group="lacks", guest=CARD, ends=("rolled-back",))
def network_lost_late(stage):
    """Past all checks: libvirt refuses, and everything is as before."""
    return lost_late(stage, Taken.network)


@case("T19d", "the destination has not the guest's filter", group="lacks", guest=CARD,
      ends=("done",))
def no_filter(stage):
    """It is copied there before the migration."""
    source = stage.where()[NAME]
    with Taken(stage) as taken:
        for host in stage.others(source):
            taken.filter(host.name)
        stage.hit()
        move = stage.order()
        move.reaches(*TERMINAL, seconds=60)
        return move


@case("T19g", "the destination loses the guest's filter when the migration is called",
      group="lacks", guest=CARD, ends=("rolled-back",))
def filter_lost_late(stage):
    """Past all checks: libvirt refuses, and everything is as before."""
    return lost_late(stage, Taken.filter)
