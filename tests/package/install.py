#!/usr/bin/env python3
"""The package's whole life: installed, run as its user, used by members of its group, upgraded,
removed, purged. On this machine's own system, seen through an overlay in namespaces of their own:
nothing of it reaches the machine, and what is left behind at the end is what the overlay has."""
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from listener import Listener
from unit import Unit

INSIDE = "EK_INSIDE"
# Nobody answers there.
CONFIG = """version: 1
hosts: [{name: h1, uri: "qemu+tcp://127.0.0.1:1/system"}]
"""
STATE = "var/lib/evenkeel"
# What dpkg and the tools that make users keep for themselves.
KEPT = ("var/lib/dpkg/", "var/log/", "var/cache/", "etc/passwd", "etc/group", "etc/shadow",
        "etc/gshadow", "etc/subuid", "etc/subgid", "etc/.pwd.lock", "var/lib/systemd/", "var/lib/man-db/")


class Life(unittest.TestCase):
    """One life in order; each test takes a fresh overlay."""

    def setUp(self):
        self.top = Path(tempfile.mkdtemp(prefix="ek-install-"))
        self.addCleanup(self.top.rmdir)
        self.mount("-t", "tmpfs", "tmpfs", self.top)
        for name in ("upper", "scratch", "root"):
            (self.top / name).mkdir()
        self.root = self.top / "root"
        self.mount("-t", "overlay", "overlay", "-o",
                   f"lowerdir=/,upperdir={self.top}/upper,workdir={self.top}/scratch", self.root)
        self.mount("-t", "proc", "proc", self.root / "proc")
        self.mount("--bind", "/dev", self.root / "dev")
        for name in ("run", "tmp"):
            self.mount("-t", "tmpfs", "-o", "mode=1777", "tmpfs", self.root / name)
        shutil.copy(os.environ["DEB"], self.root / "run/evenkeel.deb")
        # Else dpkg's trigger reads all manual pages of the machine, several times.
        (self.root / "var/lib/man-db/auto-update").unlink(missing_ok=True)

    def mount(self, *words):
        """Mounts, and unmounts when the test is over; the last word is where."""
        subprocess.run(["mount", *words], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", words[-1]], check=True)

    def chroot(self, *words, status=0):
        """Runs a command in the overlay; its output."""
        done = subprocess.run(["chroot", self.root, *words], stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                              env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8",
                                   "DEBIAN_FRONTEND": "noninteractive"})
        self.assertEqual(done.returncode, status, f"{words}\n{done.stdout}")
        return done.stdout

    def install(self):
        """The package, by dpkg alone: its dependencies must be here already."""
        self.chroot("dpkg", "--install", "/run/evenkeel.deb")

    def owner(self, path):
        """Owner, group and mode of a path in the overlay."""
        return self.chroot("stat", "-c", "%U %G %a", path).strip()

    def start(self):
        """What systemd would do with the unit, as far as it can be done by hand."""
        (self.root / "etc/evenkeel/evenkeel.yaml").write_text(CONFIG)
        unit = Unit(self.root / "lib/systemd/system/evenkeeld.service")
        user = ["setpriv", "--reuid", *unit.values["User"], "--regid", *unit.values["Group"],
                "--init-groups"]
        [check], [command] = ([shell for shell in unit.commands(key, {}, CONFIG_PATH)]
                              for key in ("ExecStartPre", "ExecStart"))
        self.chroot(*user, *check)
        listener = Listener(self.root / "run/notify")
        with open(self.top / "log", "wb") as log:
            process = subprocess.Popen(
                ["chroot", self.root, *user, *command], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, umask=int(unit.values["UMask"][0], 8),
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "NOTIFY_SOCKET": "/run/notify"})
        self.addCleanup(self.end, process)
        try:
            listener.until("READY=1", process)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{(self.top / 'log').read_text()}") from error
        finally:
            listener.close()
        return process

    @staticmethod
    def end(process):
        """Stops a daemon; its exit status."""
        process.terminate()
        return process.wait(60)

    def as_user(self, name, *words, status=0):
        """A command of the operator's, as another user."""
        return self.chroot("setpriv", "--reuid", name, "--regid", name, "--init-groups", *words,
                           status=status)

    def leftovers(self):
        """What the overlay has that the machine has not, or has changed."""
        upper = self.top / "upper"
        for where, folders, names in os.walk(upper):
            for name in folders + names:
                path = Path(where, name)
                within = str(path.relative_to(upper))
                new = name in names or not Path("/", within).is_dir()
                if new and not within.startswith(KEPT):
                    yield within

    def test_installed_and_used(self):
        """A user, a closed state directory; neither enabled nor started. Used by members of the
        group, and by nobody else."""
        self.install()
        self.assertEqual(self.owner(f"/{STATE}"), "evenkeel evenkeel 750")
        self.assertIn("good", self.chroot("evenkeeld", "--check"))
        self.chroot("systemctl", "is-enabled", "evenkeeld.service", status=1)
        self.chroot("useradd", "--groups", "evenkeel", "--user-group", "op")
        self.chroot("useradd", "--user-group", "stranger")
        process = self.start()
        self.assertEqual(self.owner(f"/{STATE}/redis.sock"), "evenkeel evenkeel 770")
        self.assertIn("leads", self.as_user("op", "evenkeel", "status"))
        self.assertIn("may you use its socket?",
                      self.as_user("stranger", "evenkeel", "status", status=1))
        self.assertEqual(self.end(process), 0)

    def is_kept(self):
        """The operator's file is as it was, and so is what was recorded."""
        self.assertEqual((self.root / "etc/evenkeel/evenkeel.yaml").read_text(), CONFIG)
        self.assertTrue((self.root / STATE / "appendonlydir").is_dir())

    def test_upgraded_removed_and_purged(self):
        """An upgrade and a removal leave configuration and state, a purge nothing at all."""
        self.install()
        self.chroot("systemctl", "enable", "evenkeeld.service")
        self.end(self.start())
        self.install()
        self.is_kept()
        self.chroot("dpkg", "--remove", "evenkeel")
        self.is_kept()
        self.assertFalse((self.root / "usr/sbin/evenkeeld").exists())
        self.install()
        self.assertIn("enabled", self.chroot("systemctl", "is-enabled", "evenkeeld.service"))
        self.chroot("dpkg", "--purge", "evenkeel")
        self.assertEqual(list(self.leftovers()), [])

    def test_purged_while_in_use(self):
        """A daemon that somebody started by hand keeps its journal."""
        self.install()
        process = self.start()
        self.assertIn("is in use and was left", self.chroot("dpkg", "--purge", "evenkeel"))
        self.assertIsNone(process.poll())
        self.assertTrue((self.root / STATE / "appendonlydir").is_dir())


CONFIG_PATH = "/etc/evenkeel/evenkeel.yaml"


def main():
    """Outside: namespaces, as root. Inside: the tests."""
    if INSIDE in os.environ:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        unittest.main(verbosity=2)
    if os.geteuid() != 0 or shutil.which("dpkg") is None or shutil.which("unshare") is None:
        print("skipped: needs root, dpkg and unshare")
        sys.exit(77)
    debs = list(Path(os.environ["PACKAGE_DIR"]).glob("*.deb"))
    if len(debs) != 1:
        print(f"expected one package in {os.environ['PACKAGE_DIR']}, found {len(debs)}; "
              "ctest -R package_deb makes it")
        sys.exit(1)
    os.execvpe("unshare", ["unshare", "--mount", "--pid", "--net", "--ipc", "--fork",
                           "--kill-child", "--mount-proc", sys.executable, "-B", *sys.argv],
               {**os.environ, INSIDE: "1", "DEB": str(debs[0])})


if __name__ == "__main__":
    main()
