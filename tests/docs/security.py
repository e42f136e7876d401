"""docs/security.md: its commands make certificates with which TLS comes about, and only then."""
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest

import guide

NEEDED = ("certtool", "gnutls-serv", "gnutls-cli", "bash")
NAME = "kvm1.example"


class Certificates(unittest.TestCase):
    """A server with the certificate of kvm1, as its libvirtd would have it, and clients."""

    @classmethod
    def setUpClass(cls):
        if any(shutil.which(program) is None for program in NEEDED):
            sys.exit(77)
        cls.dir = pathlib.Path(tempfile.mkdtemp(prefix="ek-security-"))
        cls.addClassCleanup(shutil.rmtree, cls.dir)
        block, = (b for b in guide.blocks("security.md") if b.words == "tls")
        subprocess.run(["bash", "-euo", "pipefail", "-c", block.text], cwd=cls.dir, check=True,
                       capture_output=True, timeout=100)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            cls.port = probe.getsockname()[1]
        cls.server = subprocess.Popen(
            ["gnutls-serv", "--quiet", "--echo", "--port", str(cls.port), "--require-client-cert",
             "--verify-client-cert", "--x509cafile", "cacert.pem", "--x509certfile", "kvm1.pem",
             "--x509keyfile", "kvm1.key"], cwd=cls.dir, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        cls.addClassCleanup(cls.server.wait)
        cls.addClassCleanup(cls.server.terminate)
        end = time.monotonic() + 20
        while not cls.listens():
            if time.monotonic() > end:
                raise AssertionError("gnutls-serv does not listen")
            time.sleep(0.05)

    @classmethod
    def listens(cls):
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", cls.port)) == 0

    def greet(self, name, *words):
        """Whether a client that expects that name gets its line echoed."""
        done = subprocess.run(["gnutls-cli", "--x509cafile", "cacert.pem", "--verify-hostname", name,
                               *words, "--port", str(self.port), "127.0.0.1"], cwd=self.dir,
                              input="hello from a client\n", text=True, capture_output=True,
                              check=False, timeout=20)
        return "\nhello from a client\n" in done.stdout

    @staticmethod
    def holding(owner):
        return ["--x509certfile", f"{owner}.pem", "--x509keyfile", f"{owner}.key"]

    def test_balancer_and_hosts_are_let_in(self):
        """The balancer connects, and so does another host, as in a migration; by both names."""
        self.assertTrue(self.greet(NAME, *self.holding("balancer")))
        self.assertTrue(self.greet(NAME, *self.holding("kvm2")))
        self.assertTrue(self.greet("kvm1", *self.holding("balancer")))

    def test_others_are_not(self):
        """Without a certificate, with one of somebody else's authority, or at a host of another
        name, there is no connection."""
        self.assertFalse(self.greet(NAME))
        self.assertFalse(self.greet("kvm2.example", *self.holding("balancer")))
        for line in ("certtool --generate-privkey --bits 2048 --outfile other.key",
                     "certtool --generate-self-signed --load-privkey other.key --template "
                     "balancer.template --outfile other.pem"):
            subprocess.run(line.split(), cwd=self.dir, check=True, capture_output=True, timeout=60)
        self.assertFalse(self.greet(NAME, *self.holding("other")))


if __name__ == "__main__":
    unittest.main()
