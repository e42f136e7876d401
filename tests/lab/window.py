"""A port of this machine's loopback that leads to one inside a lab's network, for who stays outside: a browser."""
import contextlib
import ctypes
import os
import socket
import threading
from pathlib import Path

CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)


def enter(netns):
    """Let the calling thread, and it alone, be in a network namespace."""
    with open(Path("/run/netns") / netns, "rb") as place:
        if LIBC.setns(place.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), netns)


def pump(source, sink):
    """Carry what comes to the other side until it ends, or either side does."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


class Window:
    """The same port number outside and inside; while nobody listens inside, connections end at once."""

    def __init__(self, netns):
        self.netns = netns
        self.door = socket.create_server(("127.0.0.1", 0))
        self.port = self.door.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        """Take connections until the window is closed."""
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self.carry, args=(self.door.accept()[0],), daemon=True).start()

    def carry(self, outside):
        """One connection."""
        with outside, contextlib.suppress(OSError):
            enter(self.netns)
            with socket.create_connection(("127.0.0.1", self.port), timeout=30) as inside:
                inside.settimeout(None)
                back = threading.Thread(target=pump, args=(inside, outside), daemon=True)
                back.start()
                pump(outside, inside)
                back.join()

    def close(self):
        """No more connections."""
        with contextlib.suppress(OSError):
            self.door.shutdown(socket.SHUT_RDWR)
        self.door.close()
