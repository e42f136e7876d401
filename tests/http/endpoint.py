"""An evenkeeld with an HTTP endpoint, and asking it."""

import http.client
import json
import pathlib
import socket
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "cli"))

# pylint: disable=wrong-import-position
import schemas
from harness import SKIPPED, Case, Daemon, World

__all__ = ["SKIPPED", "TOKEN", "Case", "Served", "World", "free_port", "schemas"]

TOKEN = "correct horse battery staple"


def free_port():
    """One that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Answer:
    """What one request gave."""

    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status}\n{self.headers}\n{self.body.decode(errors='replace')[:2000]}"


class Served(Daemon):
    """A real evenkeeld in a World's Redis that serves HTTP at `port`."""

    BASE = Daemon.CONFIG

    def __init__(self, world, token=TOKEN, port=None, more="", lead=True, address="127.0.0.1"):
        self.port = port or free_port()
        http = f"listen: '{address}:{self.port}'"
        if token is not None:
            secret = world.dir / "http.token"
            secret.write_text(token + "\n")
            secret.chmod(0o600)
            http += ", token_file: http.token"
        self.CONFIG = f"{self.BASE}http: {{{http}{more}}}\n"  # pylint: disable=invalid-name
        if lead:
            world.redis("DEL", "evenkeel:leader", "evenkeel:status:balancer")
        super().__init__(world)
        self.until(lambda: self.try_get("/healthz") is not None)

    def ask(self, method, path, body=None, headers=None):
        """A document in the answer must be as its schema says."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            answer = Answer(connection.getresponse())
        finally:
            connection.close()
        if answer.headers["Content-Type"] == "application/json" and method != "HEAD":
            schemas.check_answer(method, path, answer.status, answer.body)
        return answer

    def get(self, path, **headers):
        return self.ask("GET", path, headers={k.replace("_", "-"): v for k, v in headers.items()})

    def try_get(self, path):
        """None while nobody listens."""
        try:
            return self.get(path)
        except (ConnectionError, http.client.HTTPException):
            return None

    def change(self, path, body="", method="POST", token=TOKEN, **headers):
        """As a script would: with the token and the content type, unless told otherwise."""
        sent = {"Content-Type": "application/json"}
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        sent.update({k.replace("_", "-"): v for k, v in headers.items()})
        return self.ask(method, path, body, sent)
