"""The cache that all labs of a machine share: guest kernel, our init, initramfs, base image."""
import fcntl
import hashlib
import lzma
import os
import random
import re
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

from .base import LabError, need, progress, run

KERNEL_PACKAGE = "linux-image-cloud-amd64"
BASE_IMAGE_MIB = 64
GUEST = Path(__file__).resolve().parent.parent / "guest"
INIT_SOURCE = GUEST / "init.c"

# What a guest needs; what these depend on is loaded before them, as their files say.
MODULES = ("virtio_pci", "virtio_balloon", "virtio_blk", "virtio_net", "button", "evdev")


@contextmanager
def locked(directory):
    """Let one process at a time work on a directory (the cache, a lab)."""
    directory.mkdir(parents=True, exist_ok=True)
    with open(directory / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def prepare(cache):
    """Make whatever the cache lacks."""
    with locked(cache):
        if not (cache / "vmlinuz").exists() or not (cache / "modules" / "order").exists():
            fetch_kernel(cache)
        build_init(cache)
        place_emulator(cache)
        if not (cache / "base.qcow2").exists():
            make_base_image(cache)


def place_emulator(cache):
    """Put guest/qemu where hosts see it; only when it changed, for libvirt probes a new file."""
    wanted = (GUEST / "qemu").read_bytes()
    place = cache / "qemu"
    if not place.exists() or place.read_bytes() != wanted:
        temporary = cache / "qemu.new"
        temporary.write_bytes(wanted)
        temporary.chmod(0o755)
        temporary.rename(place)


def fetch_kernel(cache):
    """Download Debian's cloud kernel and unpack it here; nothing is installed."""
    need("apt-get", "apt-cache", "dpkg")
    depends = run(["apt-cache", "depends", KERNEL_PACKAGE], check=False).stdout
    found = re.search(r"Depends: (linux-image-\S+)", depends)
    if not found:
        raise LabError(f"apt knows no package {KERNEL_PACKAGE}: run apt-get update")
    progress(f"fetching guest kernel {found.group(1)}")
    with tempfile.TemporaryDirectory(dir=cache) as work:
        os.chmod(work, 0o755)  # apt-get drops its rights for the download where it can
        run(["apt-get", "download", found.group(1)], cwd=work, timeout=600)
        package = next(Path(work).glob("*.deb"), None)
        if package is None:
            raise LabError(f"apt-get download brought no {found.group(1)}")
        run(["dpkg", "-x", package, Path(work) / "root"], timeout=300)
        take_modules(Path(work) / "root", cache / "modules")
        shutil.copyfile(next((Path(work) / "root" / "boot").glob("vmlinuz-*")), cache / "vmlinuz")


def take_modules(root, target):
    """Copy the guest's modules out of an unpacked kernel package, uncompressed and in order."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    files = {re.sub(r"\.ko(\.xz)?$", "", p.name).replace("-", "_"): p
             for p in root.glob("**/*.ko*")}
    order = []
    for name in MODULES:
        take_module(files, name, target, order)
    if "virtio_balloon.ko" not in order:
        raise LabError("the kernel package holds no usable virtio modules")
    (target / "order").write_text("".join(f"{o}\n" for o in order), encoding="ascii")


def take_module(files, name, target, order):
    """Copy one module after those it depends on; one that the kernel has built in is absent."""
    if name not in files or f"{name}.ko" in order:
        return
    data = files[name].read_bytes()
    data = lzma.decompress(data) if files[name].suffix == ".xz" else data
    found = re.search(rb"\0depends=([^\0]*)\0", data)
    for other in found.group(1).decode().replace("-", "_").split(",") if found else []:
        take_module(files, other, target, order)
    (target / f"{name}.ko").write_bytes(data)
    order.append(f"{name}.ko")


def build_init(cache):
    """Compile our init when its source changed and pack the initramfs."""
    digest = hashlib.sha256(INIT_SOURCE.read_bytes()).hexdigest()
    stamp = cache / "init.sha256"
    if (cache / "initramfs").exists() and stamp.exists() and stamp.read_text() == digest:
        return
    need("gcc")
    progress("building the guest's init")
    run(["gcc", "-std=c11", "-static", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread",
         INIT_SOURCE, "-o", cache / "init"])
    pack_initramfs(cache)
    stamp.write_text(digest)


def cpio_entry(name, mode, data=b"", device=(0, 0)):
    """One entry of a cpio archive in the kernel's `newc` format."""
    path = name.encode() + b"\0"
    fields = [0, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(path), 0]
    head = b"070701" + b"".join(b"%08X" % f for f in fields) + path
    return head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4)


def pack_initramfs(cache):
    """Pack init and modules; uncompressed, since unpacking costs emulated CPU."""
    parts = [cpio_entry("dev", 0o40755), cpio_entry("dev/console", 0o20600, device=(5, 1)),
             cpio_entry("init", 0o100755, (cache / "init").read_bytes()),
             cpio_entry("modules", 0o40755)]
    for file in sorted((cache / "modules").iterdir()):
        parts.append(cpio_entry(f"modules/{file.name}", 0o100644, file.read_bytes()))
    parts.append(cpio_entry("TRAILER!!!", 0))
    temporary = cache / "initramfs.new"
    temporary.write_bytes(b"".join(parts))
    temporary.rename(cache / "initramfs")


def make_base_image(cache):
    """A small disk image with some content; the same seed makes it the same everywhere."""
    need("qemu-img")
    raw, temporary = cache / "base.raw", cache / "base.qcow2.new"
    with open(raw, "wb") as file:
        file.write(random.Random(1).randbytes(1 << 20))
        file.truncate(BASE_IMAGE_MIB << 20)
    run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, temporary])
    raw.unlink()
    temporary.rename(cache / "base.qcow2")
