"""What one guest's heartbeats prove: where it ran, without a break, and never twice.

All times are seconds since the epoch, advanced by the monotonic clock.
"""
import re
from collections import deque

LINE = re.compile(rb"HB ([0-9a-f]{8}) ([0-9]+) ([0-9]+)")
EXAMPLES = 10
# Silences from this length on are listed, the newest so many.
LISTED_GAP_MS, LISTED_GAPS = 250, 500
# A boot may be seen a little after its successor began, when two files are read in turn.
READING_ORDER_SECONDS = 0.2
# Half a line left on a host this long ago is of an earlier stay there.
STALE_SECONDS = 0.5


def parse(data):
    """(boot, number) of one line, None when it is not a whole heartbeat.

    A guest that comes back to a host appends to what it left there, which may be half a line:
    hence the last "HB " counts.
    """
    found = LINE.fullmatch(data[max(data.rfind(b"HB "), 0):])
    return (found.group(1).decode(), int(found.group(2))) if found else None


class Tail:
    """What a guest wrote on one host since the last look."""

    def __init__(self, offset=0, inode=None):
        self.offset = offset
        self.inode = inode
        self.half = b""     # a line whose end is missing
        self.grown = 0.0    # when the file grew last

    def read(self, path, status, now):
        """Whole lines that are new, the first perhaps without its beginning."""
        if status.st_ino != self.inode or status.st_size < self.offset:
            self.offset, self.inode, self.half = 0, status.st_ino, b""
        if status.st_size == self.offset:
            return []
        with open(path, "rb") as file:
            file.seek(self.offset)
            data = file.read()
        self.offset += len(data)
        self.grown = now
        *lines, self.half = (self.half + data).split(b"\n")
        return lines


class Guest:
    """The findings about one guest."""

    def __init__(self, name):
        self.name = name
        self.tails = {}        # host -> Tail
        self.ranges = {}       # boot -> host -> list of [first, last], in order
        self.boots = []        # {"boot", "host", "time"}, in order
        self.segments = []     # stays: host, boot, first and last number, first and last time
        self.copies = []       # hosts with a QEMU of this guest, now
        self.copy_changes = []
        self.copies_max = 0
        self.running_max = 0
        self.beats = 0
        self.last_beat = None
        self.max_gap = {"ms": 0}
        self.gaps = deque(maxlen=LISTED_GAPS)
        self.duplicates = 0
        self.duplicate_examples = []
        self.repeats = 0       # numbers that came again on the same host
        self.two_running = []  # moments
        self.sequence_gaps = []
        self.ended = None      # when `guest stop` took it away

    def see_copies(self, now, found):
        """Note which hosts have a QEMU of this guest."""
        if found != self.copies:
            self.copies = found
            self.copy_changes.append([round(now, 3), found])
            self.copies_max = max(self.copies_max, len(found))

    def see_growth(self, now, fresh):
        """Take what is new: host -> lines (bytes)."""
        beats = []
        for host, lines in fresh.items():
            for data in lines:
                beat = parse(data) or parse(self.other_half(host) + data)
                if beat:
                    beats.append((self.boot_order(beat[0]), beat[1], beat[0], host))
        for _order, number, boot, host in sorted(beats):
            self.take(now, boot, number, host)
        if beats:
            self.see_gap(now)

    def boot_order(self, boot):
        """Older boots first."""
        known = [b["boot"] for b in self.boots]
        return known.index(boot) if boot in known else len(known)

    def other_half(self, host):
        """The half line with which the guest left another host last."""
        others = [t for h, t in self.tails.items() if h != host and t.half]
        return max(others, key=lambda t: t.grown).half if others else b""

    def drop_stale_half(self, host, now):
        """Forget the half line of an earlier stay before the host's file is read on."""
        tail = self.tails[host]
        if now - tail.grown > STALE_SECONDS and any(
                t.grown > tail.grown for h, t in self.tails.items() if h != host):
            tail.half = b""

    def take(self, now, boot, number, host):
        """Take one heartbeat."""
        self.beats += 1
        self.running_max = max(self.running_max, 1)
        if boot not in self.ranges:
            self.ranges[boot] = {}
            self.boots.append({"boot": boot, "host": host, "time": round(now, 3)})
        elif boot != self.boots[-1]["boot"] \
                and now - self.boots[-1]["time"] > READING_ORDER_SECONDS:
            self.runs_twice(now, f"boot {boot} on {host} after {self.boots[-1]['boot']} on "
                                 f"{self.boots[-1]['host']}")
        self.compare(now, boot, number, host)
        self.extend(boot, number, host)
        self.stay(now, boot, number, host)

    def compare(self, now, boot, number, host):
        """Look for this number among what was seen before."""
        for other, ranges in self.ranges[boot].items():
            if not any(first <= number <= last for first, last in ranges):
                continue
            if other == host:
                self.repeats += 1
                continue
            self.duplicates += 1
            if len(self.duplicate_examples) < EXAMPLES:
                self.duplicate_examples.append({"boot": boot, "number": number,
                                                "hosts": [other, host]})
            self.runs_twice(now, f"number {number} on {other} and {host}")

    def runs_twice(self, now, why):
        """Note that two copies ran."""
        self.running_max = 2
        if len(self.two_running) < EXAMPLES:
            self.two_running.append({"time": round(now, 3), "why": why})

    def extend(self, boot, number, host):
        """Remember the number; a hole before it is a lost heartbeat."""
        seen = self.ranges[boot]
        highest = max((r[-1][1] for r in seen.values()), default=None)
        if highest is not None and number > highest + 1 and len(self.sequence_gaps) < 100:
            self.sequence_gaps.append({"boot": boot, "after": highest, "next": number,
                                       "host": host})
        ranges = seen.setdefault(host, [])
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        elif not any(first <= number <= last for first, last in ranges):
            ranges.append([number, number])

    def stay(self, now, boot, number, host):
        """Lengthen the present stay or begin another."""
        last = self.segments[-1] if self.segments else None
        if last and (last["host"], last["boot"]) == (host, boot):
            last["last"], last["t_last"] = number, round(now, 3)
        elif len(self.segments) < 1000:
            self.segments.append({"host": host, "boot": boot, "first": number, "last": number,
                                  "t_first": round(now, 3), "t_last": round(now, 3)})

    def see_gap(self, now):
        """Measure the time since the last heartbeat of any copy."""
        if self.last_beat is not None:
            gap = {"ms": int((now - self.last_beat) * 1000), "from": round(self.last_beat, 3),
                   "to": round(now, 3), "hosts": [s["host"] for s in self.segments[-2:]]}
            if gap["ms"] >= LISTED_GAP_MS:
                self.gaps.append(gap)
            if gap["ms"] > self.max_gap["ms"]:
                self.max_gap = gap
        self.last_beat = now

    def hosts_in_order(self):
        """The hosts it ran on; one that follows itself counts once."""
        order = []
        for segment in self.segments:
            if not order or order[-1] != segment["host"]:
                order.append(segment["host"])
        return order

    def report(self, now):
        """All figures, as `watch report --json` gives them."""
        end = self.ended or now
        open_gap = 0 if self.last_beat is None else max(0, int((end - self.last_beat) * 1000))
        return {"name": self.name, "hosts": self.hosts_in_order(), "beats": self.beats,
                "copies": self.copies, "copies_max": self.copies_max,
                "running_max": self.running_max, "max_gap_ms": self.max_gap["ms"],
                "max_gap": self.max_gap, "gaps": list(self.gaps), "open_gap_ms": open_gap,
                "duplicates": self.duplicates, "duplicate_examples": self.duplicate_examples,
                "repeats": self.repeats, "two_running": self.two_running,
                "restarts": self.boots[1:], "boots": self.boots,
                "sequence_gaps": self.sequence_gaps, "segments": self.segments,
                "copy_changes": self.copy_changes,
                "ended": None if self.ended is None else round(self.ended, 3)}
