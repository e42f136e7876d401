"""What a case's expect.json demands of the plan, whatever the recorded views say.

Each law is a function NAME(case, value) that yields what is wrong; README.md lists them."""
import json
import re

from cluster import Cluster, RESOURCES, counts, instants, order_faults, room_faults, span


def within(found, wanted):
    """A number, or [least, most]."""
    low, high = wanted if isinstance(wanted, list) else (wanted, wanted)
    return low <= found <= high


def status(case, wanted):
    if case.status != wanted:
        yield f"status {case.status}: {case.stderr.strip()}"


def moves(case, wanted):
    if not within(len(case.moves), wanted):
        yield f"{len(case.moves)} moves"


def kinds(case, wanted):
    """How many moves there are of each kind that is named."""
    for kind, number in wanted.items():
        found = sum(m["kind"] == kind for m in case.moves)
        if not within(found, number):
            yield f"{found} moves of kind {kind}"


def empties(case, hosts):
    for uuid, host in case.end.at.items():
        if host in hosts:
            yield f"{uuid} is left on {host}"


def stay(case, names):
    for move in case.moves:
        if move["name"] in names:
            yield f"{move['name']} moves"


def leave(case, names):
    for name in names:
        uuid = case.begin.by_name[name]
        if case.end.at[uuid] == case.begin.at[uuid]:
            yield f"{name} stays on {case.end.at[uuid]}"


def ends_on(case, wanted):
    """The host, or one of the hosts, on which each domain ends."""
    for name, hosts in wanted.items():
        found = case.end.at[case.begin.by_name[name]]
        if found not in ([hosts] if isinstance(hosts, str) else hosts):
            yield f"{name} ends on {found}"


def always_on(case, wanted):
    """At every instant on these hosts only."""
    for instant in case.instants:
        for name, hosts in wanted.items():
            if not instant.hosts_of(case.begin.by_name[name]) <= set(hosts):
                yield f"{instant.when} ms: {name} is elsewhere"


def untouched(case, hosts):
    for move in case.moves:
        if move["source"] in hosts or move["destination"] in hosts:
            yield f"{move['name']} goes {move['source']} -> {move['destination']}"


def no_arrival(case, hosts):
    for move in case.moves:
        if move["destination"] in hosts:
            yield f"{move['name']} goes to {move['destination']}"


def groups(case, instant, names, label):
    """How many of the domains occupy each host, or each group of hosts of one label."""
    found = {}
    for name in names:
        at = instant.hosts_of(case.begin.by_name[name])
        for group in {case.begin.hosts[h].get("labels", {}).get(label, h) for h in at}:
            found[group] = found.get(group, 0) + 1
    return found


def apart(case, sets):
    """No two of a set on one host at any instant; {"by": label, "domains": set} for groups."""
    for names in sets:
        label = names["by"] if isinstance(names, dict) else None
        names = names["domains"] if isinstance(names, dict) else names
        for instant in case.instants:
            for group, number in groups(case, instant, names, label).items():
                if number > 1:
                    yield f"{instant.when} ms: {number} of {names} on {group}"


def apart_at_end(case, sets):
    for names in sets:
        hosts = [case.end.at[case.begin.by_name[n]] for n in names]
        if len(set(hosts)) < len(hosts):
            yield f"{names} are on {hosts}"


def together(case, sets):
    """At the end."""
    for names in sets:
        hosts = {case.end.at[case.begin.by_name[n]] for n in names}
        if len(hosts) > 1:
            yield f"{names} are on {sorted(hosts)}"


def below(case, wanted):
    """No host that counts is above these utilizations at the end; by resource, or by host."""
    for name, host in case.end.hosts.items():
        limits = wanted.get(name, wanted)
        for resource in RESOURCES:
            found = case.end.utilization(name, resource)
            if counts(host) and found > limits.get(resource, 9) + 1e-9:
                yield f"{resource} of {name} ends at {found:.3f}"


def above(case, wanted):
    """Hosts that end at these utilizations or above."""
    for name, limits in wanted.items():
        for resource, least in limits.items():
            if case.end.utilization(name, resource) < least:
                yield f"{resource} of {name} ends at {case.end.utilization(name, resource):.3f}"


def imbalance(case, wanted):
    """At most, at the end."""
    for resource, most in wanted.items():
        if case.end.imbalance(resource) > most:
            yield f"imbalance of {resource} ends at {case.end.imbalance(resource):.3f}"


def makespan_s(case, wanted):
    if not within(case.plan["makespan_s"], wanted):
        yield f"makespan {case.plan['makespan_s']} s"


def transfer_mib(case, wanted):
    found = sum(m["transfer_mib"] for m in case.moves)
    if not within(found, wanted):
        yield f"{found:.0f} MiB are copied"


def at_once(case, wanted):
    """The most migrations that run at one instant."""
    found = max(len(i.running) for i in case.instants)
    if not within(found, wanted):
        yield f"{found} migrations at once"


def first(case, pairs):
    """Of each pair the first has moved before the second begins."""
    for before, after in pairs:
        spans = {m["name"]: span(m) for m in case.moves}
        if before not in spans or after not in spans or spans[before][1] > spans[after][0]:
            yield f"{before} does not move before {after}"


def waits(case, pairs):
    """Of each pair the first's last move depends on a move of the second."""
    for name, other in pairs:
        of = {m["name"]: m for m in case.moves}
        names = [case.moves[s - 1]["name"] for s in of[name]["depends_on"]] if name in of else []
        if other not in names:
            yield f"{name} waits for {names}"


def unresolved(case, wanted):
    """These domains are listed, no others, each with a reason that has this text."""
    found = {u["name"]: u["reason"] for u in case.plan["unresolved"]}
    if set(found) != set(wanted):
        yield f"unresolved are {sorted(found)}"
    for name, piece in wanted.items():
        if piece not in found.get(name, ""):
            yield f"{name} is unresolved because of {found.get(name)!r}"


def reasons(case, wanted):
    """Each domain's last move has a reason with this text."""
    found = {m["name"]: m["reason"] for m in case.moves}
    for name, piece in wanted.items():
        if piece not in found.get(name, ""):
            yield f"{name} moves because of {found.get(name)!r}"


def says(case, pieces):
    """The printed plan has these texts."""
    for piece in pieces:
        if piece not in case.text:
            yield f"the plan does not say {piece!r}"


def quiet_after(case, wanted):
    """When the plan is carried out, nothing is left to do."""
    again = case.run_plan(case.begin.after(case.moves))
    if wanted and again["moves"]:
        yield "moves again: " + ", ".join(f"{m['name']} {m['source']} -> {m['destination']}"
                                          for m in again["moves"])


def otherwise(case, change):
    """With a piece of the snapshot's text replaced, the plan is another one: that piece is what the
    law is about, and the case is not quiet for some other reason."""
    old, new = change
    if old not in case.snapshot_text:
        yield f"the snapshot has no {old}"
    again = case.run_plan(json.loads(case.snapshot_text.replace(old, new)))
    if routes(again) == routes(case.plan):
        yield f"with {new} the same moves"


def routes(plan):
    """Who goes where, in what order."""
    return [(m["domain"], m["source"], m["destination"]) for m in plan["moves"]]


def permuted(case, _):
    """Hosts and domains in the opposite order: the same moves."""
    turned = dict(case.snapshot)
    for key in ("hosts", "domains", "in_flight"):
        if key in turned:
            turned[key] = turned[key][::-1]
    keys = ("domain", "source", "destination", "start_s", "kind")
    moved, again = ([tuple(m[k] for k in keys) for m in p["moves"]]
                    for p in (case.plan, case.run_plan(turned)))
    if moved != again:
        yield f"in another order of input {again} instead of {moved}"


def sound(case, _):
    """What every plan must be: in order, with room and within limits at every instant."""
    yield from order_faults(case.begin, case.moves)
    yield from room_faults(case.begin, case.policy, case.moves, case.plan.get("pace"))


LAWS = {f.__name__: f for f in (
    status, moves, kinds, empties, stay, leave, ends_on, always_on, untouched, no_arrival, apart,
    apart_at_end, together, below, above, imbalance, makespan_s, transfer_mib, at_once, first,
    waits, unresolved, reasons, says, quiet_after, otherwise, permuted, sound)}

# Asked of every case, unless its expect.json says otherwise.
DEFAULTS = {"status": 0, "sound": True, "permuted": True}


class Judged:
    """What the laws look at: the input, the printed plan, and what follows from both."""

    def __init__(self, snapshot, evacuate, policy, text, result, run_plan):
        self.snapshot_text, self.snapshot = snapshot, json.loads(snapshot)
        for host in self.snapshot["hosts"]:
            host["maintenance"] = host.get("maintenance", False) or host["name"] in evacuate
        self.policy, self.text, self.run_plan = policy, text, run_plan
        self.status, self.stderr, self.plan = result
        self.moves = self.plan["moves"]
        self.begin = Cluster(self.snapshot)
        self.end = Cluster(self.snapshot).settle(self.moves)
        self.instants = instants(self.begin, self.moves)


def faults(judged, expect):
    """All that is wrong, as "law: what"."""
    wanted = {**DEFAULTS, **expect["laws"]}
    unknown = set(wanted) - set(LAWS)
    found = [f"unknown law {u}" for u in sorted(unknown)]
    for name, value in wanted.items():
        if name in LAWS and value is not None:
            found += [f"{name}: {fault}" for fault in LAWS[name](judged, value)]
    return found


def plain(text):
    """Without the plan's id, which changes with every key that a policy gets, and without the last
    digits of figures, which change with the order of a sum."""
    text = re.sub(r'(plan |"id":")[0-9a-f]{16}\b', r"\1ID", text)
    return re.sub(r"\d+\.\d{5,}", lambda found: f"{float(found[0]):.6f}".rstrip("0"), text)
