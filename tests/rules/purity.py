#!/usr/bin/env python3
"""The core calls nothing but what core_symbols.txt allows, and keeps nothing that can be written.

Argument: the core's library, built without sanitizers."""
import re
import subprocess
import sys
from pathlib import Path

from tree import finish

ALLOWED = Path(__file__).resolve().parent / "core_symbols.txt"
WRITABLE = "bBdDcCsSgG"  # nm's letters for data that is not read-only


def symbols(library):
    """All symbols of a library as (object, letter, name)."""
    done = subprocess.run(["nm", "-A", library], capture_output=True, text=True, check=True)
    pattern = re.compile(r"[^:]*:([^:]+):[0-9a-f ]* (\S) (\S+)$")
    return [m.groups() for line in done.stdout.splitlines() if (m := pattern.match(line))]


def main():
    """Compare the library with the rules."""
    found = symbols(sys.argv[1])
    allowed = {line.split("#")[0].strip() for line in ALLOWED.read_text().splitlines()}
    own = {name for _, letter, name in found if letter not in "Uw"}
    findings = [f"{where}: calls {name}, which is not in tests/rules/{ALLOWED.name}"
                for where, letter, name in found
                if letter in "Uw" and name not in own and name not in allowed]
    findings += [f"{where}: {name} can be written: the core keeps no state of its own"
                 for where, letter, name in found if letter in WRITABLE]
    if len(own) < 50:
        findings.append(f"{sys.argv[1]}: only {len(own)} symbols; this is not the core")
    used = {name for _, letter, name in found if letter in "Uw"} - own
    finish(sorted(set(findings)), f"{len(own)} symbols of our own, calls: {' '.join(sorted(used))}")


if __name__ == "__main__":
    main()
