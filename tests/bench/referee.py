"""Judges a printed plan instant by instant, from the documents alone (docs/contracts.md).

Shares no code with the planner. At one instant ends come before starts; a domain in flight counts
on both hosts for room and rules, its load on the destination from the end on."""
from collections import Counter, defaultdict

SLACK = 1e-6


class Referee:
    """The cluster while a plan is carried out; .faults says what went wrong, with its time."""

    def __init__(self, snapshot, rules=(), memory_share=1.0, vcpus_per_core=4.0, target_max=1.0):
        self.hosts = {h["name"]: h for h in snapshot["hosts"]}
        self.domains = {d["uuid"]: d for d in snapshot["domains"]}
        self.at = {u: d["host"] for u, d in self.domains.items()}
        self.memory_share, self.vcpus_per_core = memory_share, vcpus_per_core
        self.target_max = target_max
        self.taken = {h: Counter() for h in self.hosts}
        self.apart = defaultdict(list)
        self.pinned = defaultdict(list)
        self.members = defaultdict(Counter)  # rule -> host -> domains
        self.faults = []
        self.take_rules(rules)
        for uuid, host in self.at.items():
            self.occupy(uuid, host, 1)
            self.load(uuid, host, 1)

    def take_rules(self, rules):
        """Exact names only: what the benches write."""
        by_name = {d["name"]: u for u, d in self.domains.items()}
        for rule in rules:
            for name in rule["domains"]:
                if rule["kind"] == "anti_affinity":
                    self.apart[by_name[name]].append(rule["name"])
                else:
                    self.pinned[by_name[name]].append((rule["name"], set(rule["hosts"])))

    def occupy(self, uuid, host, sign):
        """Room and rule places of a domain on a host."""
        domain = self.domains[uuid]
        self.taken[host]["memory"] += sign * domain["memory_mib"]
        self.taken[host]["vcpus"] += sign * domain["vcpus"]
        for rule in self.apart[uuid]:
            self.members[rule][host] += sign

    def load(self, uuid, host, sign):
        """Demand of a domain on a host."""
        domain = self.domains[uuid]
        self.taken[host]["demand"] += sign * domain["memory_mib"]
        self.taken[host]["cores"] += sign * domain.get("cpu_used_cores", domain["vcpus"])

    def room(self, host):
        """(what is taken, the limit, its name) of everything that is limited."""
        it, taken = self.hosts[host], self.taken[host]
        return ((taken["memory"], it["memory_mib"] * self.memory_share, "memory"),
                (taken["vcpus"], it["cpu_cores"] * self.vcpus_per_core, "vcpus"))

    def arrive(self, uuid, host, when):
        """A move starts: the destination has room and no rule forbids it."""
        self.occupy(uuid, host, 1)
        for taken, limit, what in self.room(host):
            if taken > limit + SLACK:
                self.faults.append(f"{when}: {what} of {host}: {taken:g} of {limit:g}")
        for rule in self.apart[uuid]:
            if self.members[rule][host] > 1:
                self.faults.append(f"{when}: rule {rule}: two on {host}")
        for rule, hosts in self.pinned[uuid]:
            if host not in hosts:
                self.faults.append(f"{when}: rule {rule}: {uuid} on {host}")

    def leave(self, uuid, source, destination, when):
        """A move ends: its load is on the destination, which must stay below its target."""
        self.occupy(uuid, source, -1)
        self.load(uuid, source, -1)
        self.load(uuid, destination, 1)
        self.at[uuid] = destination
        if self.over(destination):
            self.faults.append(f"{when}: {destination} is above its target")

    def over(self, host):
        """Whether a host's load is above target_max."""
        it, taken = self.hosts[host], self.taken[host]
        return (taken["demand"] > self.target_max * it["memory_mib"] + SLACK or
                taken["cores"] > self.target_max * it["cpu_cores"] + SLACK)

    def overloaded(self):
        """How many hosts are above target_max."""
        return sum(1 for h in self.hosts if self.over(h))

    def broken_rules(self):
        """How many rules are broken where everything is now."""
        apart = sum(1 for hosts in self.members.values() if max(hosts.values()) > 1)
        return apart + sum(1 for u, pins in self.pinned.items() for _, hosts in pins
                           if self.at[u] not in hosts)

    def replay(self, plan):
        """The whole schedule, in whole milliseconds."""
        events = []
        for move in plan["moves"]:
            start = round(move["start_s"] * 1000)
            end = start + round(move["duration_s"] * 1000)
            # Of one instant: ends, then starts; a start before its own end.
            events.append((end, 0, move["seq"], move))
            events.append((start, 1, move["seq"], move))
        for when, is_start, _, move in sorted(events, key=lambda e: e[:3]):
            if not is_start:
                self.leave(move["domain"], move["source"], move["destination"], f"{when} ms")
            elif self.at[move["domain"]] != move["source"]:
                self.faults.append(f"{when} ms: {move['name']} is not on {move['source']}")
            else:
                self.arrive(move["domain"], move["destination"], f"{when} ms")
        return self
