"""A snapshot and a printed plan, read and replayed from the documents alone (docs/contracts.md).

Shares no code with the product, so that a fault there does not hide itself here."""
import re

RESOURCES = ("cpu", "memory")
CAPACITY = {"memory_overcommit": 1.0, "cpu_overcommit": 4.0, "memory_reserve": 0.05}
LIMITS = {"cluster": 4, "host_in": 1, "host_out": 1}
SLACK = 1e-6


def setting(policy, key, default):
    """A number of the policy's text; each of these keys has one name only."""
    found = re.search(rf"\b{key}:\s*([0-9.]+)(%?)", policy)
    if not found:
        return default
    return float(found[1]) / (100 if found[2] else 1)


def use(domain):
    """What a domain uses, in cores and MiB; what is not known counts as what it was given."""
    memory = [domain[k] for k in ("memory_used_mib", "memory_rss_mib") if k in domain]
    expected = (domain.get("cpu_demand_cores", domain["vcpus"]),
                domain.get("memory_demand_mib", domain["memory_mib"]))
    return domain.get("cpu_used_cores", expected[0]), max(memory) if memory else expected[1]


def demand(domain):
    """What a domain needs: what is expected of it, else its use and the time it waited for a CPU."""
    cpu, memory = use(domain)
    cpu = min(max(cpu, domain["vcpus"]), cpu + domain.get("cpu_steal", 0) * domain["vcpus"])
    return domain.get("cpu_demand_cores", cpu), domain.get("memory_demand_mib", memory)


def counts(host):
    """Whether the host is part of the imbalance."""
    return host.get("state", "up") == "up" and not host.get("maintenance", False)


class Cluster:
    """Where everything is; moved about by settle()."""

    def __init__(self, snapshot):
        self.snapshot = snapshot
        self.hosts = {h["name"]: h for h in snapshot["hosts"]}
        self.domains = {d["uuid"]: d for d in snapshot["domains"]}
        self.by_name = {d.get("name", d["uuid"]): d["uuid"] for d in snapshot["domains"]}
        self.flights = {f["domain"]: f for f in snapshot.get("in_flight", [])}
        self.at = {u: d["host"] for u, d in self.domains.items()}
        self.base = {name: self.own_use(name) for name in self.hosts}
        for uuid, flight in self.flights.items():
            self.at[uuid] = flight["destination"]

    def own_use(self, name):
        """What a host uses beyond its domains, while those are where the samples saw them."""
        host = self.hosts[name]
        there = [use(d) for d in self.domains.values() if d["host"] == name]
        used = (host.get("cpu_used_cores"), host.get("memory_used_mib"))
        return [0 if u is None else max(0, u - sum(d[r] for d in there))
                for r, u in enumerate(used)]

    def utilization(self, name, resource):
        """0..1 and more."""
        r = RESOURCES.index(resource)
        host = self.hosts[name]
        load = self.base[name][r] + sum(demand(self.domains[u])[r]
                                        for u, at in self.at.items() if at == name)
        return load / (host["cpu_cores"] if r == 0 else host["memory_mib"])

    def imbalance(self, resource):
        """Population standard deviation over the hosts that count."""
        values = [self.utilization(n, resource) for n, h in self.hosts.items() if counts(h)]
        mean = sum(values) / max(1, len(values))
        return (sum((v - mean) ** 2 for v in values) / max(1, len(values))) ** 0.5

    def settle(self, moves):
        """Carries the moves out."""
        for move in moves:
            self.at[move["domain"]] = move["destination"]
        return self

    def after(self, moves):
        """The snapshot that samples would show when the moves are done."""
        hosts = {n: dict(h) for n, h in self.hosts.items()}
        for move in moves:
            for name, sign in ((move["source"], -1), (move["destination"], 1)):
                for key, value in zip(("cpu_used_cores", "memory_used_mib"),
                                      use(self.domains[move["domain"]])):
                    if key in hosts[name]:
                        hosts[name][key] = max(0, hosts[name][key] + sign * value)
        at = {u: d["host"] for u, d in self.domains.items()}
        at.update({m["domain"]: m["destination"] for m in moves})
        domains = [{**d, "host": at[u]} for u, d in self.domains.items()]
        return {**self.snapshot, "hosts": list(hosts.values()), "domains": domains}


class Instant:
    """Who occupies which host while the plan is carried out, at one time in milliseconds."""

    def __init__(self, cluster, when):
        self.cluster, self.when = cluster, when
        self.there = {h: [] for h in cluster.hosts}
        self.running = []

    def memory(self, host):
        """Configured memory, MiB."""
        return sum(self.cluster.domains[u]["memory_mib"] for u in self.there[host])

    def vcpus(self, host):
        """Configured vCPUs."""
        return sum(self.cluster.domains[u]["vcpus"] for u in self.there[host])

    def hosts_of(self, uuid):
        """The one host of a domain, or the two while it moves."""
        return {h for h, there in self.there.items() if uuid in there}


def span(move):
    """First and last millisecond."""
    start = round(move["start_s"] * 1000)
    return start, start + round(move["duration_s"] * 1000)


def instants(cluster, moves):
    """One Instant for the beginning and for each time at which something starts or ends; ends come
    before starts."""
    found = []
    for when in sorted({0} | {t for m in moves for t in span(m)}):
        instant = Instant(cluster, when)
        for uuid, domain in cluster.domains.items():
            hosts = {domain["host"]}
            if uuid in cluster.flights:
                hosts |= {cluster.flights[uuid][k] for k in ("source", "destination")}
            for move in sorted((m for m in moves if m["domain"] == uuid), key=span):
                start, end = span(move)
                if end <= when:
                    hosts = {move["destination"]}
                elif start <= when:
                    hosts |= {move["destination"]}
                    instant.running.append(move)
            for host in hosts:
                instant.there[host].append(uuid)
        found.append(instant)
    return found


def raised(limit, pace):
    """What a pace makes of a limit whose ceiling the policy does not name: up to twice of it."""
    return {None: limit, "half": limit + (limit + 1) // 2}.get(pace, 2 * limit)


def room_faults(cluster, policy, moves, pace=None):
    """Each destination that has no room at an instant at which something arrives, and each limit
    that is exceeded. `pace` is the plan's, which binds what leaves hosts that have a deadline."""
    capacity = {k: setting(policy, k, v) for k, v in CAPACITY.items()}
    limits = {k: setting(policy, k, v) for k, v in LIMITS.items()}
    for instant in instants(cluster, moves):
        arriving = [m for m in instant.running if span(m)[0] == instant.when]
        for name in sorted({m["destination"] for m in arriving}):
            host = cluster.hosts[name]
            usable = host["memory_mib"] * (1 - capacity["memory_reserve"])
            if instant.memory(name) > usable * capacity["memory_overcommit"] + SLACK:
                yield f"{instant.when} ms: {name} has {instant.memory(name)} MiB"
            if instant.vcpus(name) > host["cpu_cores"] * capacity["cpu_overcommit"] + SLACK:
                yield f"{instant.when} ms: {name} has {instant.vcpus(name)} vCPUs"
        for move in arriving:
            arrivals = sum(m["destination"] == move["destination"] for m in instant.running)
            departures = sum(m["source"] == move["source"] for m in instant.running)
            source = cluster.hosts[move["source"]]
            paced = source.get("maintenance") and source.get("deadline_ms")
            own = {k: raised(v, pace if paced else None) for k, v in limits.items()}
            if (arrivals > own["host_in"] or departures > own["host_out"] or
                    len(instant.running) > own["cluster"]):
                yield f"{instant.when} ms: more migrations than the limits allow"


def order_faults(cluster, moves):
    """Moves that do not start where their domain is, or wait for one behind them."""
    at = dict(cluster.at)
    for number, move in enumerate(moves, 1):
        if move["seq"] != number or any(b >= number for b in move["depends_on"]):
            yield f"move {number} has seq {move['seq']} and waits for {move['depends_on']}"
        if move["source"] != at[move["domain"]] or move["domain"] in cluster.flights:
            yield f"move {number}: {move['name']} is not on {move['source']}"
        at[move["domain"]] = move["destination"]
        for before in move["depends_on"]:
            if span(moves[before - 1])[1] > span(move)[0]:
                yield f"move {number} starts before the end of {before}"
