"""A crowd: fifty guests leave one host at once, and no limit is passed at any instant."""
import uuid
from concurrent.futures import ThreadPoolExecutor
from xml.etree import ElementTree

import libvirt

from ek_faults.case import case
from ek_faults.stage import TERMINAL, Failure
from ek_lab import guests, guestxml, watch

GUESTS = 50
MEMORY_MIB = 16
LIMITS = {"cluster": 4, "host_out": 3, "host_in": 2}
BUSY = {"running", "switchover", "commit-pending"}   # states in which a migration may be under way


def blank(name):
    """A guest without an operating system: its firmware waits for a disk, for ever and for nothing.

    Fifty that boot would need all of this machine."""
    tree = ElementTree.fromstring(guestxml.domain({
        "name": name, "uuid": str(uuid.uuid4()), "memory_mib": MEMORY_MIB, "vcpus": 1, "burn": 0,
        "dirty": 0, "footprint": 0, "disk": "none", "network": False, "nwfilter": None}))
    system = tree.find("os")
    for word in ("kernel", "initrd", "cmdline"):
        system.remove(system.find(word))
    devices = tree.find("devices")
    for serial in devices.findall("serial"):
        devices.remove(serial)
    return ElementTree.tostring(tree, encoding="unicode")


@case("T25", f"{GUESTS} guests are to leave one host at once", group="crowd", ends=(), limits=LIMITS,
      timeouts={"call": "60s"})
def crowd(stage):
    """All arrive; the limits hold in the journal and in what the watcher saw; nobody ran out of
    workers or locks."""
    source = "h1"
    link = stage.eyes.link(source)
    names = [f"blank{i}" for i in range(1, GUESTS + 1)]
    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda name: link.defineXML(blank(name)).create(), names))
        stage.until("all of them sampled", lambda: all_can_move(stage, source, names), 60)
        stage.hit()
        stage.journal.set(f"evenkeel:maintenance:{source}", "a fault is tried")
        stage.until(f"{source} empty", lambda: is_empty(stage, source), 400)
        stage.read_steps(1)
        judge(stage, names)
    finally:
        clear(stage)


def all_can_move(stage, host, names):
    """Whether a sample shows all of them, and none in the middle of its start."""
    domains = (stage.redis_json(f"host:{host}") or {"domains": []})["domains"]
    return set(names) <= {d["name"] for d in domains if d.get("movable", True)}


def is_empty(stage, host):
    """Whether the host is empty; an error when it never will be."""
    state = stage.maintenance(host)
    if state == "infeasible":
        raise Failure(f"some cannot leave: {stage.redis_json(f'maintenance-status:{host}')}")
    return state == "evacuated"


def judge(stage, names):
    """Compare the journal and the watcher's figures with the limits."""
    ended = {s["id"]: s["state"] for s in stage.steps if s["state"] in TERMINAL}
    bad = sorted(set(ended.values()) - {"done"})
    records = [stage.record_of(m) for m in ended]
    moved = {r["order"]["name"] for r in records}
    if bad or not set(names) <= moved:
        odd = [f"{r['order']['id']} of {r['order']['name']} from {r['order']['source']}: {r['state']}, "
               f"{r['error']}" for r in records if r["state"] != "done"]
        raise Failure(f"{len(moved)} guests moved; not done: {odd}")
    most = busiest(stage.steps, {r["order"]["id"]: r["order"] for r in records})
    seen = most_doubles(watch.figures(stage.place)["guests"])
    if most["cluster"] > LIMITS["cluster"] or most["host_out"] > LIMITS["host_out"] or \
            most["host_in"] > LIMITS["host_in"] or seen > LIMITS["cluster"]:
        raise Failure(f"more at once than {LIMITS} allow: by the journal {most}, QEMU twice for "
                      f"{seen} guests")


def busiest(steps, orders):
    """The most moves at once by the journal's steps: in all, from one host, to one host."""
    busy, most = set(), {"cluster": 0, "host_out": 0, "host_in": 0}
    for step in steps:
        (busy.add if step["state"] in BUSY else busy.discard)(step["id"])
        ends = [(orders[m]["source"], orders[m]["destination"]) for m in busy]
        most["cluster"] = max(most["cluster"], len(ends))
        for place, key in ((0, "host_out"), (1, "host_in")):
            hosts = [e[place] for e in ends]
            most[key] = max([most[key]] + [hosts.count(h) for h in set(hosts)])
    return most


def most_doubles(watched):
    """The most guests that had two QEMU processes at once, as the watcher saw it."""
    changes = sorted((at, g["name"], len(hosts)) for g in watched for at, hosts in
                     g["copy_changes"])
    double, most = set(), 0
    for _at, name, count in changes:
        (double.add if count > 1 else double.discard)(name)
        most = max(most, len(double))
    return most


def clear(stage):
    """End all blank guests, wherever they are, before what is left is judged."""
    stage.ask_no_more()
    stage.until("the end of all blank guests", lambda: not end_blanks(stage), 60, poll=0.5)


def end_blanks(stage):
    """End those that are there; how many there were. One that is on its way may be gone meanwhile."""
    blanks = [d for h in stage.place.hosts() for d in stage.eyes.link(h.name).listAllDomains()
              if d.name().startswith("blank")]
    for domain in blanks:
        try:
            if domain.isActive():
                domain.destroy()
            domain.undefine()
        except libvirt.libvirtError:
            continue
    return len(blanks) + sum(c[0].startswith("blank") for c in guests.copies(stage.place))
