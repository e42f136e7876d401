#!/usr/bin/env python3
"""Sizes of functions and files, shares of comments, asserts and tests: a table, and limits."""
import json
import re
import shutil
import statistics
import subprocess
import sys

from tree import ROOT, SOURCE_FOLDERS, files, finish, split_c, text, without_literals

CORE = ("balancer/core", "policies")

# Tables that are long because they list, not because they do.
SCHEMA_TABLES = re.compile(r"_schema\.c$")


def functions(paths):
    """All functions as (path, name, first line, lines)."""
    done = subprocess.run(["ctags", "--languages=C", "--langmap=C:.c.h", "--kinds-C=f",
                           "--fields=+ne", "--output-format=json", "-o", "-", *map(str, paths)],
                          cwd=ROOT, capture_output=True, text=True, check=True)
    tags = [json.loads(line) for line in done.stdout.splitlines()]
    return [(t["path"], t["name"], t["line"], t["end"] - t["line"] + 1) for t in tags if "end" in t]


def length(path):
    """Lines of a file."""
    return text(path).count("\n")


def comment_share(paths):
    """Share of the lines with something on them that hold comment, all files together."""
    held = full = 0
    for path in paths:
        source = text(path)
        comments = split_c(source)[1]
        held += sum(1 for line in comments.splitlines() if line.strip())
        full += sum(1 for line in source.splitlines() if line.strip())
    return 100.0 * held / max(full, 1)


def asserts(paths):
    """How many assertions there are."""
    return sum(len(re.findall(r"\b(?:static_)?assert\s*\(", without_literals(split_c(text(p))[0])))
               for p in paths)


def percentile(values, share):
    """The smallest value that this share of all values does not exceed."""
    return sorted(values)[max(0, -int(-len(values) * share // 1) - 1)]


class Table:
    """Rows of a figure, its limit, and whether it is kept."""

    def __init__(self):
        self.findings = []

    def row(self, what, value, low=None, high=None, limit=""):
        """Print a figure; outside of low..high it is a finding."""
        bad = (low is not None and value < low) or (high is not None and value > high)
        shown = f"{value:.1f}" if isinstance(value, float) else str(value)
        print(f"{what:<42} {shown:>8}   {limit:<24} {'BAD' if bad else ''}".rstrip())
        if bad:
            self.findings.append(f"{what}: {shown}, limit {limit}")


def function_rows(table, found):
    """Figures of functions."""
    sizes = [size for *_, size in found]
    table.row("functions", len(sizes))
    table.row("function lines, median", float(statistics.median(sizes)), high=15, limit="<= 15")
    table.row("function lines, 95th percentile", percentile(sizes, 0.95), high=60, limit="<= 60")
    table.row("function lines, longest", max(sizes), high=80, limit="<= 80")
    table.findings += [f"{path}:{line}: {name} has {size} lines, at most 80"
                       for path, name, line, size in found if size > 80]


def file_rows(table, sources, headers):
    """Figures of files."""
    sizes = [length(p) for p in sources]
    table.row("source and header lines", sum(sizes) + sum(length(p) for p in headers))
    table.row("source file lines, median", float(statistics.median(sizes)), high=250,
              limit="<= 250")
    table.row("source file lines, longest", max(sizes), high=600, limit="<= 600")
    table.findings += [f"{p}:1: {length(p)} lines, at most 600"
                       for p in sources + headers if length(p) > 600]
    table.row("comment in headers, %", comment_share(headers), low=30, high=75,
              limit="30..75, aim 40..60")
    table.row("comment in sources, %", comment_share(sources), low=5, high=30,
              limit="5..30, aim 10..20")


def core_rows(table):
    """Asserts per thousand lines of the core."""
    core = files(".c", under=CORE)
    total = sum(length(p) for p in core)
    table.row("core: lines of source", total)
    table.row("core: asserts per 1000 lines", 1000.0 * asserts(core) / total, low=10,
              limit=">= 10")


def main():
    """Print the table; fail when a limit is broken."""
    if shutil.which("ctags") is None:
        print("skipped: universal-ctags is missing")
        sys.exit(77)
    table = Table()
    sources = files(".c", under=SOURCE_FOLDERS)
    headers = files(".h", under=SOURCE_FOLDERS)
    found = functions(sources + headers)
    function_rows(table, [f for f in found if not SCHEMA_TABLES.search(f[0])])
    file_rows(table, sources, headers)
    core_rows(table)
    tests = [p for p in files(".c", ".h", ".py", under=("tests",))]
    lines_of_source = sum(length(p) for p in sources + headers)
    table.row("test lines per source line", 1.0 * sum(map(length, tests)) / lines_of_source)
    finish(table.findings, "all limits are kept")


if __name__ == "__main__":
    main()
