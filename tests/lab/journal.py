"""The daemon's journal as a test reads it: its streams, waited on, and its records."""
import json
import re
import time
from pathlib import Path

from resp import Redis

PREFIX = "evenkeel:"
STREAMS = {"moves": f"{PREFIX}moves", "plans": f"{PREFIX}plans"}
TERMINAL = ("done", "rejected", "rolled-back", "cancelled", "guest-off", "vm-down", "unverified",
            "failed", "unknown")


def entries(stream):
    """Entries of an answer as dicts, oldest first; `entry` is the entry's own id."""
    return [dict(zip(fields[::2], fields[1::2])) | {"entry": entry} for entry, fields in stream]


class Journal:
    """One reader's connection."""

    def __init__(self, path):
        self.redis = Redis(path)

    def close(self):
        """Ends the connection."""
        self.redis.close()

    def ping(self):
        """Raises a RedisError while the server loads what it knew."""
        self.redis.call("PING")

    def server_parent(self):
        """The process that began the server."""
        info = self.redis.call("INFO", "server")
        pid = re.search(r"process_id:(\d+)", info)[1]
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
        return int(stat.rpartition(")")[2].split()[1])

    def newest(self, stream):
        """The id of a stream's newest entry: what comes later is new."""
        found = self.redis.call("XREVRANGE", STREAMS[stream], "+", "-", "COUNT", 1)
        return found[0][0] if found else "0-0"

    def since(self, mark, stream="moves"):
        """All entries after one."""
        return entries(self.redis.call("XRANGE", STREAMS[stream], f"({mark}", "+"))

    def next(self, stream, mark, seconds):
        """Waits for entries after one; an empty list when none came in time."""
        found = self.redis.call("XREAD", "BLOCK", max(1, int(seconds * 1000)), "STREAMS",
                                STREAMS[stream], mark, timeout_s=seconds + 10)
        return entries(found[0][1]) if found else []

    def await_entry(self, stream, mark, wanted, seconds):
        """The first entry after one that is wanted, at the moment it is written; None: too late."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            for entry in self.next(stream, mark, left):
                mark = entry["entry"]
                if wanted(entry):
                    return entry
        return None

    def moves(self, which):
        """The records of a set of moves (open, blocking), by id, with their progress."""
        found = {}
        for move in self.redis.call("SMEMBERS", f"{PREFIX}moves:{which}"):
            found[move] = self.record(move)
        return found

    def record(self, move):
        """One move's record."""
        text, progress = self.redis.call("HMGET", f"{PREFIX}move:{move}", "json", "progress")
        return json.loads(text) | {"progress": float(progress or 0)}

    def status(self, host):
        """What is said of a host's evacuation: a word, None when nothing is."""
        text = self.redis.call("GET", f"{PREFIX}maintenance-status:{host}")
        return json.loads(text)["state"] if text else None

    def evacuate(self, host, others):
        """Wants one host empty and all others used, at once."""
        self.redis.call("MULTI")
        for other in others:
            self.redis.call("DEL", f"{PREFIX}maintenance:{other}")
        self.redis.call("SET", f"{PREFIX}maintenance:{host}", "")
        self.redis.call("EXEC")
