"""Redis without a client library: enough of its protocol for tests that wait on streams."""
import socket


class RedisError(Exception):
    """What Redis said instead of an answer, or that it is gone."""


class Redis:
    """One connection over a unix socket; answers are str, int, None or lists of them."""

    def __init__(self, path, timeout_s=20):
        self.timeout_s = timeout_s
        self.socket = socket.socket(socket.AF_UNIX)
        try:
            self.socket.settimeout(timeout_s)
            self.socket.connect(str(path))
        except OSError as error:
            self.socket.close()
            raise RedisError(f"{path}: {error}") from None
        self.file = self.socket.makefile("rb")

    def close(self):
        """Ends the connection."""
        self.file.close()
        self.socket.close()

    def call(self, *args, timeout_s=None):
        """One command and its answer; an error of either side is a RedisError."""
        words = [str(a).encode() for a in args]
        command = b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(w), w) for w in words)
        try:
            self.socket.settimeout(timeout_s or self.timeout_s)
            self.socket.sendall(command)
            return self.answer()
        except OSError as error:
            raise RedisError(f"{args[0]}: {error}") from None

    def line(self):
        """One line of an answer, without its end."""
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise RedisError("the server ended the connection")
        return line[:-2]

    def answer(self):
        """An answer with all that is in it."""
        line = self.line()
        kind, rest = line[:1], line[1:].decode()
        if kind == b"-":
            raise RedisError(rest)
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == "-1" else self.file.read(int(rest) + 2)[:-2].decode()
        if kind == b"*":
            return None if rest == "-1" else [self.answer() for _ in range(int(rest))]
        return rest
