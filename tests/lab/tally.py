"""What a test of many faults found: one line of JSON for each, added up in a table.

A line has: `aim`, `states` (of the moves that were open at the fault), `verdicts` (how these
ended), `end_ms` (from the fault to the last terminal record), `total_ms` (until the host was
empty), `gap_ms` (longest silence of a guest), `wrong`, `leftovers`, `findings` (lists of text)."""
import json
import statistics
from collections import Counter

FAULTY = ("wrong", "leftovers", "findings")
IDLE = "none open"


class Tally:
    """Results, kept in a file when there is one, so that a long run can be resumed."""

    def __init__(self, path=None):
        self.path = path
        self.lines = []
        if path is not None and path.exists():
            text = path.read_text(encoding="utf-8")
            self.lines = [json.loads(line) for line in text.splitlines()]

    def add(self, line):
        """One more result."""
        self.lines.append(line)
        if self.path is not None:
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")

    def faulty(self):
        """The results that have something wrong."""
        return [line for line in self.lines if any(line[kind] for kind in FAULTY)]

    def count(self, **wanted):
        """How many results have these values."""
        return sum(all(line.get(k) == v for k, v in wanted.items()) for line in self.lines)

    def table(self, order):
        """A row for each state in which a fault met a move, and one for all."""
        rows = [row(state, [line for line in self.lines if state in states_of(line)])
                for state in (*order, IDLE)]
        rows.append(row("all", self.lines))
        head = ("state", "times", "to the end: median s", "max s", "gap ms", "wrong", "leftovers",
                "findings", "its moves ended")
        cells = [head] + [r for r in rows if r[1] != "0"]
        widths = [max(len(r[i]) for r in cells) for i in range(len(head))]
        return "\n".join("  ".join(c.ljust(w) if i in (0, len(head) - 1) else c.rjust(w)
                                   for i, (c, w) in enumerate(zip(r, widths))).rstrip()
                         for r in cells)


def states_of(line):
    """The states that a fault met; a word of its own when no move was open."""
    return set(line["states"]) or {IDLE}


def row(state, lines):
    """One row of the table, as texts."""
    ends = [line["end_ms"] / 1000 for line in lines if line["end_ms"] is not None]
    verdicts = Counter(v for line in lines for v in line["verdicts"])
    return (state, str(len(lines)), f"{statistics.median(ends):.1f}" if ends else "-",
            f"{max(ends):.1f}" if ends else "-",
            str(max((line["gap_ms"] for line in lines), default=0)),
            *(str(sum(len(line[kind]) for line in lines)) for kind in FAULTY),
            ", ".join(f"{v} {n}" for v, n in verdicts.most_common()))
