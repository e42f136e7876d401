#!/usr/bin/env python3
"""Each folder includes and links only what arrows.txt allows.

Argument: the link lines as CMake knows them, "folder|target|links" on each line."""
import re
import sys
from collections import namedtuple
from pathlib import Path

from tree import ROOT, SOURCE_FOLDERS, files, finish, lines, within

TABLE = "tests/rules/arrows.txt"
LIBC = set("""assert ctype errno float inttypes iso646 limits math stdalign stdarg stdbool stddef
    stdint stdio stdlib stdnoreturn string""".split())

# How a library shows itself: in an #include, and in a link line.
LIBRARIES = {
    "cjson": (r"cjson/", "PkgConfig::CJSON"), "hiredis": (r"hiredis/", "PkgConfig::HIREDIS"),
    "libvirt": (r"libvirt/", "PkgConfig::LIBVIRT"), "libxml": (r"libxml/", "PkgConfig::LIBXML2?"),
    "microhttpd": (r"microhttpd\.h", "PkgConfig::MICROHTTPD"),
    "nettle": (r"nettle/", "PkgConfig::NETTLE"),
    "uthash": (r"ut(hash|list|array|stack)\.h", None), "uv": (r"uv\.h|uv/", "PkgConfig::LIBUV"),
    "yaml": (r"yaml\.h", "PkgConfig::YAML"), "cmocka": (r"cmocka\.h", "PkgConfig::CMOCKA"),
}

# Link targets which are no arrow between folders.
NEUTRAL = ("ek_options", "m", "Threads::Threads")

Arrow = namedtuple("Arrow", "ours libraries")


def read_table():
    """The table, by folder."""
    table = {}
    for _, line in lines(TABLE):
        if line and not line.startswith("#"):
            folder, ours, libraries = (column.strip() for column in line.split("|"))
            table[folder] = Arrow(ours.split(), libraries.split())
    return table


def folder_of(table, path):
    """The table's folder in which a path is; the longest, when folders are nested."""
    return max((f for f in table if within(path, f)), key=len, default=None)


def library_of(header):
    """The library to which a header belongs: a foreign one, `libc` or `posix`."""
    for name, (pattern, _) in LIBRARIES.items():
        if re.match(pattern, header):
            return name
    return "libc" if header.removesuffix(".h") in LIBC else "posix"


def include_fault(table, folder, header, is_ours):
    """What is wrong with an #include, None when it is allowed."""
    arrow = table[folder]
    if not is_ours:
        library = library_of(header)
        return None if library in arrow.libraries else f"<{header}> ({library})"
    if not (ROOT / header).exists():
        return f'"{header}", which is not a path from the root of the source'
    if folder_of(table, Path(header)) in (folder, folder.rpartition("/")[0]):
        return None
    allowed = any(header == a or header.startswith(f"{a}/") for a in arrow.ours)
    return None if allowed else f'"{header}"'


def check_includes(table):
    """Findings about #include lines."""
    findings = []
    for path in files(".c", ".h", under=SOURCE_FOLDERS):
        folder = folder_of(table, path)
        if folder is None:
            findings.append(f"{path}:1: its folder is not in {TABLE}")
            continue
        for number, line in lines(path):
            found = re.match(r'\s*#\s*include\s*([<"])([^>"]+)', line)
            fault = found and include_fault(table, folder, found[2], found[1] == '"')
            if fault:
                findings.append(f"{path}:{number}: {folder} must not include {fault}")
    return findings


def link_fault(table, homes, folder, link):
    """What is wrong with one name of a link line, None when it is allowed."""
    arrow = table[folder]
    if link in NEUTRAL or (link == "ek_io_options" and "posix" in arrow.libraries):
        return None
    for name, (_, target) in LIBRARIES.items():
        if target and re.fullmatch(target, link):
            return None if name in arrow.libraries else f"library {name}"
    home = homes.get(link)
    if home is None:
        return f"{link}, which is no library of ours and none that this rule knows"
    allowed = home == folder or any(a == home or home.startswith(f"{a}/") or
                                    a.startswith(f"{home}/") for a in arrow.ours)
    return None if allowed else f"{link} of {home}"


def check_links(table, path):
    """Findings about link lines."""
    with open(path, encoding="utf-8") as file:
        rows = [line.rstrip("\n").split("|") for line in file]
    homes = {target: folder for folder, target, _ in rows}
    findings = []
    for folder, target, links in rows:
        for link in (x for x in links.split(";") if not x.endswith("-NOTFOUND")):
            fault = link_fault(table, homes, folder, link)
            if fault:
                findings.append(f"{folder}/CMakeLists.txt:1: {target} must not link {fault}")
    return findings, len(rows)


def main():
    """Check both."""
    table = read_table()
    findings = check_includes(table)
    bad_links, targets = check_links(table, sys.argv[1])
    finish(findings + bad_links, f"{len(table)} folders and {targets} targets keep to {TABLE}")


if __name__ == "__main__":
    main()
