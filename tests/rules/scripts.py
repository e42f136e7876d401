#!/usr/bin/env python3
"""Shell and Python scripts are without the faults that checkers see."""
import os
import shutil
import subprocess
import sys

from tree import ROOT, files, finish, text


def kind(path):
    """"shell", "python" or None."""
    first = text(path).partition("\n")[0]
    if path.suffix == ".py" or (first.startswith("#!") and "python" in first):
        return "python"
    if path.suffix == ".sh" or (first.startswith("#!") and first.endswith("sh")):
        return "shell"
    return None


def complaints(command, paths):
    """What a checker says of files."""
    done = subprocess.run([*command, *map(str, paths)], cwd=ROOT, capture_output=True, text=True,
                          check=False)
    if done.returncode == 0:
        return []
    return (done.stdout + done.stderr).strip().splitlines() or [f"{command[0]} failed"]


def main():
    """Check both kinds."""
    missing = [p for p in ("shellcheck", "pyflakes3") if shutil.which(p) is None]
    if missing:
        print(f"skipped: missing {', '.join(missing)}")
        sys.exit(77)
    everything = files()
    shell = [p for p in everything if kind(p) == "shell"]
    python = [p for p in everything if kind(p) == "python"]
    findings = complaints(["shellcheck", "--external-sources", "--format=gcc"], shell)
    findings += complaints(["pyflakes3"], python)
    findings += [f"{p}:1: starts with #! and cannot be executed" for p in shell + python
                 if text(p).startswith("#!") and p.suffix != ".py"
                 and not os.access(ROOT / p, os.X_OK) and "lab/ek_lab" not in str(p)]
    finish(findings, f"{len(shell)} shell and {len(python)} Python files are clean")


if __name__ == "__main__":
    main()
