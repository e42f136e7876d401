"""Guests: defining and starting them, changing their load, finding and ending them."""
import json
import os
import shutil
import signal
import socket
import uuid
from concurrent.futures import ThreadPoolExecutor

from . import cgroups, guestxml, hostconf, hosts, procs
from .base import (LabError, NET_ADDRESS, in_netns, need, progress, read_json, run, virsh,
                   wait_until, write_json)
from .cache import locked

NBD_FIRST_PORT = 10809
SETTINGS = ("burn", "dirty", "footprint", "deaf")
PARALLEL = 4


def guest_name(pid):
    """The guest that a QEMU process carries, None for any other process."""
    argv = procs.arguments(pid)
    if "-name" not in argv or "qemu" not in os.path.basename(argv[0]):
        return None
    for part in argv[argv.index("-name") + 1].split(","):
        if part.startswith("guest="):
            return part[len("guest="):]
    return None


def copies(lab):
    """All living QEMU processes: a list of (guest name, host, pid)."""
    found = []
    for host in lab.hosts():
        for pid in cgroups.members(host):
            name = guest_name(pid)
            if name:
                found.append((name, host, pid))
    return found


def records(lab):
    """What `guest add` was told, by guest name."""
    found = [read_json(p) for p in sorted(lab.guests.glob("*.json"))]
    return {r["name"]: r for r in found if r}


def record_of(name, host, options):
    """The record of a new guest."""
    return {"name": name, "uuid": str(uuid.uuid4()), "host": host.name,
            "memory_mib": options.memory, "vcpus": options.vcpus, "burn": options.burn,
            "dirty": options.dirty, "footprint": options.footprint, "deaf": 0, "disk": options.disk,
            "disk_data": options.disk_data,
            "network": options.network or bool(options.nwfilter), "nwfilter": options.nwfilter}


def add(lab, names, options):
    """Define and start guests on a host and wait for each one's first heartbeat."""
    host = lab.host(options.host)
    known = records(lab)
    for name in names:
        if name in known:
            raise LabError(f"guest '{name}' exists already")
        if not name.replace("-", "").replace("_", "").isalnum():
            raise LabError(f"bad guest name '{name}'")
    new = [record_of(name, host, options) for name in names]
    for guest in new:
        forget_heartbeats(lab, guest["name"])
        with locked(lab.dir):  # another `guest add` may look for a free port
            make_disk(lab, host, guest)
            write_json(lab.guests / f"{guest['name']}.json", guest)
    with ThreadPoolExecutor(PARALLEL) as pool:
        list(pool.map(lambda guest: start(host, guest), new))
    for guest in new:
        log = host.heartbeats / f"{guest['name']}.log"
        wait_until(lambda: log.exists() and b"\n" in log.read_bytes()[:200], 90,
                   f"first heartbeat of {guest['name']}", poll=0.05)
    hostconf.keep_capabilities(host)
    progress(f"{', '.join(names)} on {host.name}")


def start(host, guest):
    """Define a guest and start it."""
    file = host.dir / "run" / f"{guest['name']}.xml"
    file.write_text(guestxml.domain(guest), encoding="utf-8")
    try:
        virsh(host, f"define {file}", f"start {guest['name']}")
    except LabError:
        virsh(host, f"undefine {guest['name']}", check=False)
        (host.lab.guests / f"{guest['name']}.json").unlink(missing_ok=True)
        raise
    finally:
        file.unlink(missing_ok=True)


def make_disk(lab, host, guest):
    """Make the guest's disk, if any, before the guest is defined."""
    name = guest["name"]
    if guest["disk"] == "local":
        place_base_image(lab)
        run(["qemu-img", "create", "-q", "-u", "-f", "qcow2", "-F", "qcow2",
             "-b", f"{guestxml.IMAGES}/base.qcow2", host.images / f"{name}.qcow2", "64M"])
        if guest["disk_data"]:
            fill_overlay(host.images / f"{name}.qcow2", guest["disk_data"])
        virsh(host, "pool-refresh default")
    elif guest["disk"] == "shared":
        guest["nbd_port"] = serve_disk(lab, name)


def fill_overlay(path, mib):
    """Write so much into an overlay; whole clusters, so that its backing file is not needed."""
    need("qemu-io")
    image = {"driver": "qcow2", "file": {"driver": "file", "filename": str(path)}, "backing": None}
    run(["qemu-io", "-c", f"write -q -P 90 1M {mib}M", f"json:{json.dumps(image)}"])


def place_base_image(lab):
    """Put the base image into every host's pool, once: an overlay may move to any of them."""
    for host in lab.hosts():
        base = host.images / "base.qcow2"
        if not base.exists():
            shutil.copyfile(lab.cache / "base.qcow2", base)
            virsh(host, "pool-refresh default", check=False)


def serve_disk(lab, name):
    """Serve a network disk from the lab's own namespace; returns its TCP port."""
    need("qemu-nbd")
    used = {r.get("nbd_port") for r in records(lab).values()}
    port = next(p for p in range(NBD_FIRST_PORT, NBD_FIRST_PORT + 10000) if p not in used)
    image = lab.dir / "shared" / f"{name}.qcow2"
    image.parent.mkdir(exist_ok=True)
    run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2",
         "-b", lab.cache / "base.qcow2", image])
    server = procs.spawn(lab, f"nbd-{name}", in_netns(
        lab.netns, "qemu-nbd", "--shared=8", "--persistent", "--bind", NET_ADDRESS,
        "--port", str(port), "--export-name", name, "--format", "qcow2", "--cache", "writeback",
        image))
    wait_until(lambda: listens(server.pid, port) or server.poll() is not None, 10,
               f"qemu-nbd of {name}")
    if server.poll() is not None:
        raise LabError(f"qemu-nbd of {name} did not start: see {lab.dir}/log/nbd-{name}.log")
    return port


def listens(pid, port):
    """Whether a TCP port is open in the network namespace of a process."""
    for family in ("tcp", "tcp6"):
        try:
            with open(f"/proc/{pid}/net/{family}", encoding="ascii") as table:
                rows = [line.split() for line in table]
            if any(r[1].endswith(f":{port:04X}") and r[3] == "0A" for r in rows):
                return True
        except OSError:
            pass
    return False


def running_first(found):
    """Copies of one guest in the order of likelihood that they run it.

    In a migration there are two: the one whose heartbeat grew last runs; a destination that
    never ran has an empty file, and is the younger process.
    """
    def rank(copy):
        name, host, pid = copy
        try:
            status = (host.heartbeats / f"{name}.log").stat()
        except FileNotFoundError:
            status = None
        grown = status.st_mtime_ns if status and status.st_size else 0
        return -grown, procs.start_time(pid) or 0
    return sorted(found, key=rank)


def find(lab, name, host_name=None):
    """Where a guest runs: (host, pid)."""
    found = running_first([c for c in copies(lab)
                           if c[0] == name and host_name in (None, c[1].name)])
    if not found:
        where = f" on {host_name}" if host_name else ""
        raise LabError(f"guest '{name}' is not running{where}")
    return found[0][1:]


def change(lab, name, values):
    """Change a running guest's load; it says OK for each setting."""
    host, _pid = find(lab, name)
    directory = os.open(host.controls, os.O_PATH)
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(10)
            line.connect(f"/proc/self/fd/{directory}/{name}.sock")
            for key, value in values.items():
                line.sendall(f"\n{key} {value}\n".encode())
                await_reply(line, name, f"OK {key} {value}")
    except (OSError, socket.timeout) as error:
        raise LabError(f"guest '{name}' on {host.name} does not answer: {error}") from None
    finally:
        os.close(directory)
    record = records(lab).get(name)
    if record:
        write_json(lab.guests / f"{name}.json", record | values)


def await_reply(line, name, wanted):
    """Read the guest's command line until its reply; kernel messages may stand between."""
    text = ""
    while wanted + "\n" not in text:
        data = line.recv(4096)
        if not data:
            raise LabError(f"guest '{name}' closed its command line")
        text += data.decode(errors="replace").replace("\r", "")
        if "ERROR" in text:
            raise LabError(f"guest '{name}' refused: {wanted[3:]}")


def stop(lab, names, force):
    """End guests (ACPI first, by force after 10 s or at once) and forget them everywhere."""
    for name in names:
        where = [h for n, h, _p in copies(lab) if n == name]
        if not where and name not in records(lab):
            raise LabError(f"no guest '{name}'")
        (lab.guests / f"{name}.json").unlink(missing_ok=True)  # the watcher looks at this
        for host in where:
            power_off(lab, host, name, force)
        for host in lab.hosts():
            if hosts.state(host)["up"] and virsh(host, f"domid {name}", check=False,
                                                 timeout=10).returncode == 0:
                virsh(host, f"undefine {name}", check=False)
            (host.images / f"{name}.qcow2").unlink(missing_ok=True)
        procs.end([p for p in [procs.recorded(lab, f"nbd-{name}")] if p])
        (lab.dir / "shared" / f"{name}.qcow2").unlink(missing_ok=True)
        progress(f"{name} stopped")


def power_off(lab, host, name, force):
    """End one copy of a guest."""
    def gone():
        return not any(n == name and h.name == host.name for n, h, _p in copies(lab))
    if not force:
        virsh(host, f"shutdown {name}", check=False)
        try:
            wait_until(gone, 10, "shutdown")
            return
        except LabError:
            pass
    virsh(host, f"destroy {name}", check=False)
    if not gone():
        for other, at, pid in copies(lab):
            if other == name and at.name == host.name:
                procs.send(pid, signal.SIGKILL)
        wait_until(gone, 10, f"end of {name} on {host.name}")


def forget_heartbeats(lab, name):
    """Remove what an earlier guest of that name wrote."""
    for host in lab.hosts():
        (host.heartbeats / f"{name}.log").unlink(missing_ok=True)


def listing(lab):
    """Guests with where they run now, seen from processes; and processes without a record."""
    running = {}
    for copy in copies(lab):
        running.setdefault(copy[0], []).append(copy)
    known = records(lab)
    found = []
    for name in sorted(set(known) | set(running)):
        entry = dict(known.get(name, {"name": name}))
        entry["added_on"] = entry.pop("host", None)
        here = running_first(running.get(name, []))
        entry["host"] = here[0][1].name if here else None
        entry["copies"] = [{"host": host.name, "pid": pid} for _name, host, pid in here]
        found.append(entry)
    return found
