#!/usr/bin/env python3
"""The Debian package: built by cpack from this build, looked into, and judged by lintian."""
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

BUILD, OUT = Path(os.environ["BUILD_DIR"]), Path(os.environ["PACKAGE_DIR"])
# The worst exposure that systemd-analyze may find, in tenths.
EXPOSURE = 30


def said(*command):
    """What a command prints; its complaints when it fails."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          check=False)
    if done.returncode != 0:
        raise AssertionError(f"{command}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


class Package(unittest.TestCase):
    """Laws of the package; it is built once."""

    @classmethod
    def setUpClass(cls):
        shutil.rmtree(OUT, ignore_errors=True)
        said("cpack", "-G", "DEB", "--config", BUILD / "CPackConfig.cmake", "-B", OUT)
        [cls.deb] = OUT.glob("*.deb")
        shutil.rmtree(OUT / "_CPack_Packages")
        cls.dir = Path(tempfile.mkdtemp(prefix="ek-package-"))
        cls.addClassCleanup(shutil.rmtree, cls.dir)
        said("dpkg-deb", "-R", cls.deb, cls.dir)
        cls.control = (cls.dir / "DEBIAN/control").read_text()

    def test_name(self):
        """As Debian names packages."""
        self.assertRegex(self.deb.name, r"\Aevenkeel_\d+\.\d+\.\d+-\d+_\w+\.deb\Z")

    def test_owners_and_modes(self):
        """Whoever builds it, with whatever umask."""
        for line in said("dpkg-deb", "-c", self.deb).splitlines():
            mode, owner = line.split()[:2]
            self.assertEqual(owner, "root/root", line)
            self.assertIn(mode, ("drwxr-xr-x", "-rwxr-xr-x", "-rw-r--r--"), line)

    def test_libraries(self):
        """By the libraries' own names of packages, as dpkg-shlibdeps finds them."""
        depends = re.search("^Depends: (.*)$", self.control, re.M)[1]
        for package in ("libc6", "libvirt0", "libuv1", "libhiredis", "libyaml-0-2", "libcjson1"):
            self.assertIn(package, depends)

    def test_configuration_is_the_operators(self):
        """Both files are kept at an upgrade, and are good as they come."""
        conffiles = (self.dir / "DEBIAN/conffiles").read_text().split()
        self.assertEqual(conffiles, ["/etc/evenkeel/evenkeel.yaml", "/etc/evenkeel/policy.yaml"])
        said(os.environ["EVENKEELD"], "-c", self.dir / "etc/evenkeel/evenkeel.yaml", "--check")

    def test_manual_and_completion(self):
        """Where man and bash look for them."""
        for name in ("man8/evenkeeld.8", "man1/evenkeel.1", "man5/evenkeel.yaml.5",
                     "man5/evenkeel-policy.5"):
            self.assertTrue((self.dir / f"usr/share/man/{name}.gz").exists(), name)
        self.assertTrue((self.dir / "usr/share/bash-completion/completions/evenkeel").exists())

    def test_sums(self):
        """Every file but the configuration has its sum, and the right one."""
        sums = dict(reversed(line.split("  ", 1)) for line in
                    (self.dir / "DEBIAN/md5sums").read_text().splitlines())
        files = {str(p.relative_to(self.dir)): p for p in self.dir.rglob("*") if p.is_file()}
        for name, path in files.items():
            if not name.startswith("DEBIAN/"):
                self.assertEqual(sums.pop(name), hashlib.md5(path.read_bytes()).hexdigest(), name)
        self.assertEqual(sums, {})

    def test_nothing_of_the_prefix(self):
        """The build was configured for another place; the package has its own."""
        unit = (self.dir / "lib/systemd/system/evenkeeld.service").read_text()
        self.assertIn("ExecStart=/usr/sbin/evenkeeld ", unit)
        self.assertNotIn("/usr/local", unit)
        self.assertFalse((self.dir / "usr/local").exists())

    def test_lintian(self):
        """No errors; warnings are shown."""
        if shutil.which("lintian") is None:
            self.skipTest("no lintian")
        judged = said("lintian", "--allow-root", "--fail-on", "error", self.deb)
        sys.stderr.write(judged)

    def test_the_unit(self):
        """What systemd itself says of it: nothing wrong, and little exposed."""
        if shutil.which("systemd-analyze") is None:
            self.skipTest("no systemd-analyze")
        packed = self.dir / "lib/systemd/system/evenkeeld.service"
        unit = self.dir / "evenkeeld.service"
        # The machine's own units are around it, and the package's programs are not in their place.
        unit.write_text(packed.read_text().replace("=/usr/sbin/", f"={self.dir}/usr/sbin/"))
        self.addCleanup(unit.unlink)
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit],
                              capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))
        exposure = said("systemd-analyze", "security", "--offline=true", "--no-pager",
                        f"--threshold={EXPOSURE}", unit)
        sys.stderr.write(exposure.strip().splitlines()[-1] + "\n")


if __name__ == "__main__":
    if shutil.which("cpack") is None or shutil.which("dpkg-shlibdeps") is None:
        print("skipped: no cpack, or no dpkg-dev")
        sys.exit(77)
    unittest.main(verbosity=2)
