"""Hosts whose libvirtd takes a connection and then never says a word: whoever asks them leaves a thread in
libvirt behind, and the program ends without taking libraries down under it."""

import contextlib
import socket
import subprocess
import time
import unittest

from harness import ENVIRONMENT, EVENKEEL, Result, WithWorld


class Silent:
    """A port whose connections are taken, by the kernel, and never answered."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.uri = f"qemu+tcp://127.0.0.1:{self.socket.getsockname()[1]}/system"

    def close(self):
        self.socket.close()


class Hanging(WithWorld):
    def start(self, uri, *words):
        """The command, with h2 at that URI; the dynamic linker writes down what it does."""
        name = f"case-{len(list(self.world.dir.iterdir()))}"
        config = self.world.dir / f"{name}.yaml"
        config.write_text(self.world.config.read_text().replace("qemu+tls://h2.example/system", uri)
                          .replace("qemu+tls", "qemu+tcp").replace("h1.example", "127.0.0.1:1")
                          .replace("h3.example", "127.0.0.3:1"), encoding="utf-8")
        process = subprocess.Popen(
            [EVENKEEL, "-c", config, *words], text=True, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**ENVIRONMENT, "LD_DEBUG": "files", "LD_DEBUG_OUTPUT": str(self.world.dir / name)})
        self.addCleanup(process.kill)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        return process, self.world.dir / f"{name}.{process.pid}"

    def end(self, started):
        process, trace = started
        out, err = process.communicate(timeout=100)
        text = trace.read_text(encoding="utf-8", errors="replace")
        self.assertIn("calling init", text)
        return Result(process.returncode, out, err), "calling fini" in text

    def test_threads_that_hang_do_not_see_the_libraries_go(self):
        """The doctor, and the last question of `enter --wait`, each wait half a minute: at once. Where
        nobody hangs, the libraries are taken down as ever."""
        self.world.tell("balancer automatic 5 -")
        with contextlib.closing(Silent()) as silent:
            doctor = self.start(silent.uri, "doctor")
            enter = self.start(silent.uri, "maintenance", "enter", "h2", "--wait")
            plain = self.start("qemu+tcp://127.0.0.2:1/system", "doctor")
            while self.world.redis("EXISTS", "evenkeel:maintenance:h2") != "1":
                self.assertIsNone(enter[0].poll())
                time.sleep(0.05)
            self.world.tell("drain h2 evacuated 0 -")
            self.world.tell("empty h2")

            result, taken_down = self.end(plain)
            self.assertEqual(result.status, 3, result)
            self.assertTrue(taken_down)

            result, taken_down = self.end(doctor)
            self.check(result, 3, "gave no answer within 30 s", err="")
            self.assertRegex(result.out, r"(?m)^FAIL +h1 +libvirt +.*Connection refused$")
            self.assertFalse(taken_down)

            result, taken_down = self.end(enter)
            self.check(result, 0, "h2 is empty",
                       err=["cannot be asked from here", "gave no answer within 30 s"])
            self.assertFalse(taken_down)


if __name__ == "__main__":
    unittest.main()
