"""What is on each host according to its libvirtd: nothing may be left behind by a move."""
import re

MARK = "urn:evenkeel:move:1"
# Each section of the answer begins with a word that no list has.
SECTIONS = ("domains", "volumes", "networks", "filters")
SCRIPT = ("pool-refresh default; echo @domains; list --all --name; echo @volumes; vol-list default; "
          "echo @networks; net-list --all; echo @filters; nwfilter-list")


def sections(text):
    """The answer, cut into its sections: lists of lines without blanks, heads and rules."""
    found = {name: [] for name in SECTIONS}
    into = None
    for line in text.splitlines():
        words = line.split()
        if line.startswith("@"):
            into = found[line[1:].strip()]
        elif words and into is not None:
            into.append(" ".join(words))
    return found


def look(live, uri):
    """One host: names of domains, and everything else that it keeps."""
    virsh = ("exec", "virsh", "-c", uri)
    found = sections(live.lab(*virsh, SCRIPT))
    found["marked"] = []
    for name in found["domains"]:
        # Both texts: the mark is written into the running domain and into its definition.
        text = live.lab(*virsh, f"dumpxml {name}; dumpxml {name} --inactive; dominfo {name}")
        if MARK in text:
            found["marked"].append(name)
        if not re.search(r"^Persistent:\s+yes$", text, re.M):
            found["marked"].append(f"{name} (not persistent)")
    return found


def take(live):
    """All hosts."""
    return {host["name"]: look(live, host["uri"]) for host in live.status()["hosts"]}


def expected(kind, host, before, places):
    """What a host should have of a kind: what it had, but for the disks of guests, which go along."""
    lines = {line for lines in before.values() for line in lines[kind]}
    disks = {line: places[name] for line in lines if kind == "volumes"
             for name in places if line.startswith(f"{name}.qcow2 ")}
    return {line for line in before[host][kind] if line not in disks} | \
        {line for line, place in disks.items() if place == host}


def leftovers(before, now, places):
    """What is there and should not be, or should be and is not; `places`: guest -> its host."""
    found = []
    for host, here in now.items():
        wanted = sorted(name for name, place in places.items() if place == host)
        if sorted(here["domains"]) != wanted:
            found.append(f"{host}: domains {here['domains']}, expected {wanted}")
        found += [f"{host}: mark left on {name}" for name in here["marked"]]
        for kind in SECTIONS[1:]:
            should = expected(kind, host, before, places)
            more, less = sorted(set(here[kind]) - should), sorted(should - set(here[kind]))
            found += [f"{host}: {kind} more: {m}" for m in more]
            found += [f"{host}: {kind} less: {m}" for m in less]
    return found
