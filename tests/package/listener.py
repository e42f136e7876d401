"""The end of sd_notify's socket at which a service manager listens."""
import os
import socket
import time


class Listener:
    """Takes datagrams and keeps the lines that were in them, in order."""

    def __init__(self, path):
        self.path = path
        self.lines = []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        os.chmod(path, 0o777)

    def until(self, line, process, seconds=60):
        """Waits for a line that begins so, behind those that were waited for before."""
        end = time.monotonic() + seconds
        while True:
            for at, said in enumerate(self.lines):
                if said.startswith(line):
                    del self.lines[:at + 1]
                    return said
            self.socket.settimeout(0.2)
            try:
                self.lines += self.socket.recv(65536).decode().splitlines()
                continue
            except socket.timeout:
                pass
            if process.poll() is not None and not self.pending():
                raise AssertionError(f"{line} was not said, the end was {process.returncode}")
            if time.monotonic() > end:
                raise AssertionError(f"{line} was not said in {seconds} s, but {self.lines}")

    def pending(self):
        """Whether a datagram waits."""
        self.socket.setblocking(False)
        try:
            self.socket.recv(1, socket.MSG_PEEK)
            return True
        except BlockingIOError:
            return False

    def close(self):
        """Nobody listens any more."""
        self.socket.close()
        os.unlink(self.path)
