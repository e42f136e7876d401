"""What every module needs: the lab's names and paths, errors, commands, waiting."""
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

MAX_HOSTS = 240
NET_ADDRESS = "10.77.0.1"
LIBVIRT_PORT = 16509

# Which Debian package brings a program, for a one-line message when it is absent.
PACKAGES = {
    "apt-get": "apt", "apt-cache": "apt", "certtool": "gnutls-bin", "dpkg": "dpkg", "gcc": "gcc", "ip": "iproute2",
    "libvirtd": "libvirt-daemon", "lxcfs": "lxcfs", "mount": "mount", "nsenter": "util-linux",
    "qemu-img": "qemu-utils", "qemu-nbd": "qemu-utils", "qemu-system-x86_64": "qemu-system-x86",
    "tc": "iproute2", "tini": "tini", "umount": "mount", "unshare": "util-linux",
    "virsh": "libvirt-clients",
}


def program():
    """The command line that runs this program again, in the background."""
    return [sys.executable, os.path.realpath(sys.argv[0])]


class LabError(Exception):
    """A failure to tell the user in one line."""


def need(*programs):
    """Fail with the package's name when one of the programs is not installed."""
    for name in programs:
        if shutil.which(name) is None:
            package = PACKAGES.get(name, name)
            raise LabError(f"{name} is missing: install package {package}")


def run(argv, check=True, timeout=60, **kwargs):
    """Run a command to its end (timeout in seconds); its last error line becomes the message."""
    try:
        done = subprocess.run([str(a) for a in argv], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=timeout, **kwargs)
    except FileNotFoundError:
        need(argv[0])
        raise LabError(f"{argv[0]} is missing") from None
    except subprocess.TimeoutExpired:
        raise LabError(f"no answer within {timeout} s: {' '.join(map(str, argv))}") from None
    if check and done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
        raise LabError(f"{argv[0]} failed: {lines[-1]} ({' '.join(map(str, argv))})")
    return done


def wait_until(condition, seconds, what, poll=0.02):
    """Wait until condition() is true and return its value; `seconds` bounds the wait."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise LabError(f"{what}: not within {seconds} s")
        time.sleep(poll)


def write_json(path, value):
    """Replace a file in one step, so that a reader never sees half of it."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
    temporary.rename(path)


def read_json(path, default=None):
    """The content of a JSON file, or the default when there is no whole one."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return default


def progress(text):
    """Tell the user what is happening (standard error, so that output stays parseable)."""
    print(f"lab: {text}", file=sys.stderr, flush=True)


class Host:
    """Names and paths of one host; holds no state of its own."""

    def __init__(self, lab, number):
        self.lab = lab
        self.number = number
        self.name = f"h{number}"
        self.address = f"10.77.0.{10 + number}"
        self.uri = f"qemu+tcp://{self.address}/system"
        self.tls_uri = f"qemu+tls://{self.address}/system"  # of a lab with certificates
        self.netns = f"{lab.name}-{self.name}"
        self.port = f"v{number}"  # the bridge's end of the host's cable
        self.dir = lab.dir / "hosts" / self.name
        self.heartbeats = self.dir / "heartbeat"
        self.controls = self.dir / "control"
        self.images = self.dir / "images"


class Lab:
    """Names and paths of one lab; every shared resource carries its name."""

    def __init__(self, name):
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,19}", name):
            raise LabError(f"bad lab name '{name}': 1 to 20 of a-z, 0-9 and -")
        self.name = name
        self.dir = Path(os.environ.get("EK_LAB_DIR", "/run/evenkeel-lab")).absolute() / name
        self.cache = Path(os.environ.get("EK_LAB_CACHE", "/var/cache/evenkeel-lab")).absolute()
        self.netns = f"{name}-net"
        self.lxcfs = self.dir / "lxcfs"
        self.guests = self.dir / "guests"
        self.watch = self.dir / "watch"
        self.pki = self.dir / "pki"  # there when the lab has certificates

    def config(self):
        """What `up` was asked for; an error when this lab is not up."""
        config = read_json(self.dir / "lab.json")
        if config is None:
            raise LabError(f"lab '{self.name}' is not up")
        return config

    def hosts(self):
        """The hosts of a lab that is up, in order."""
        return [Host(self, n) for n in range(1, self.config()["hosts"] + 1)]

    def host(self, name):
        """One host by its name."""
        for host in self.hosts():
            if host.name == name:
                return host
        raise LabError(f"lab '{self.name}' has no host '{name}'")


def in_netns(netns, *argv):
    """The command line that runs argv inside a named network namespace."""
    return ["ip", "netns", "exec", netns, *argv]


def virsh(host, *commands, check=True, timeout=60):
    """Run virsh commands (one string each) against a host from the lab's network."""
    return run(in_netns(host.lab.netns, "virsh", "-q", "-c", host.uri, ";".join(commands)),
               check=check, timeout=timeout)
