#!/usr/bin/env python3
"""Every C file is as clang-format would write it."""
import shutil
import subprocess
import sys

from tree import ROOT, SOURCE_FOLDERS, files, finish


def main():
    """Ask clang-format."""
    if shutil.which("clang-format") is None:
        print("skipped: clang-format is missing")
        sys.exit(77)
    paths = [str(p) for p in files(".c", ".h", under=SOURCE_FOLDERS + ("tests",))]
    done = subprocess.run(["clang-format", "--dry-run", "-Werror", *paths], cwd=ROOT,
                          capture_output=True, text=True, check=False)
    findings = [line for line in done.stderr.splitlines() if ": error: " in line]
    if done.returncode != 0 and not findings:
        findings = done.stderr.splitlines()
    finish(findings, f"{len(paths)} C files are formatted")


if __name__ == "__main__":
    main()
