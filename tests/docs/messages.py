"""Every message that docs/operations.md quotes is one that the programs print."""
import re
import sys

import guide

ROOT = guide.DOCS.parent
LITERAL = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
# What may stand between the pieces of one literal: blanks, line ends, and the macros of formats.
JOINED = re.compile(r'"(?:\s|\b(?:PRI[a-zA-Z0-9]+|[A-Z_]+)\b)*"')
FORMAT = re.compile(r"%[-+ #0]*(?:\d+|\*)?(?:\.(?:\d+|\*))?(?:hh|h|ll|l|z|j|t|L)?[a-zA-Z]")


def messages():
    """All literals of the programs, each format's places as "..."."""
    found = set()
    for folder in ("balancer", "collector", "migrator", "policies"):
        for path in (ROOT / folder).rglob("*.c"):
            for match in LITERAL.finditer(JOINED.sub("", path.read_text(encoding="utf-8"))):
                found.add(FORMAT.sub("...", match[1].replace('\\"', '"').replace("%%", "%")))
    return found


def quoted(name):
    """(line, message) of the first column of the table of messages."""
    inside = False
    for number, line in enumerate((guide.DOCS / name).read_text(encoding="utf-8").splitlines(), 1):
        inside = line.startswith("| message |") or (inside and line.startswith("|"))
        cell = re.match(r"\| `([^`]*)` \|", line)
        if inside and cell:
            yield number, cell[1]


def main():
    """0, or 1 with the messages that nobody prints."""
    known = messages()
    count, bad = 0, []
    for number, message in quoted("operations.md"):
        count += 1
        core = message.removeprefix("... ").removesuffix(" ...").removesuffix(": ...")
        if not any(core in literal for literal in known):
            bad.append(f"docs/operations.md:{number}: nobody says: {message}")
    print("\n".join(bad) or f"{count} messages are in the source")
    return 1 if bad or count < 20 else 0


if __name__ == "__main__":
    sys.exit(main())
