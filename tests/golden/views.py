"""The views that are recorded of a case, beside the two that the command prints itself."""
from cluster import RESOURCES, span

WIDTH = 50


def hosts_table(judged):
    """Utilization and domains of every host, before and after."""
    lines = [f"{'host':<12} {'state':<12} {'cpu':>15} {'memory':>15} {'domains':>11}"]
    for name, host in judged.begin.hosts.items():
        state = "maintenance" if host.get("maintenance") else host.get("state", "up")
        line = f"{name:<12} {state:<12}"
        for resource in RESOURCES:
            before, after = (100 * c.utilization(name, resource)
                             for c in (judged.begin, judged.end))
            line += f" {before:4.0f} % -> {after:3.0f} %"
        before, after = (sum(at == name for at in c.at.values())
                         for c in (judged.begin, judged.end))
        lines.append(f"{line} {before:4d} -> {after:3d}")
    for resource in RESOURCES:
        before, after = (c.imbalance(resource) for c in (judged.begin, judged.end))
        lines.append(f"imbalance of {resource}: {before:.3f} -> {after:.3f}")
    return "\n".join(lines) + "\n"


def bars(judged):
    """One bar for each move."""
    length = max(round(judged.plan["makespan_s"] * 1000), 1)
    for move in judged.moves:
        start, end = (t * WIDTH // length for t in span(move))
        bar = " " * start + "#" * max(end - start, 1)
        route = f"{move['name']} {move['source']} -> {move['destination']}"
        waits = f"  after {move['depends_on']}" if move["depends_on"] else ""
        yield f"{move['seq']:3d} {route:<34} |{bar:<{WIDTH}}|{waits}"


def occupancy(judged):
    """Configured memory (MiB) and vCPUs on every host that is touched, at every instant."""
    touched = {m[k] for m in judged.moves for k in ("source", "destination")}
    hosts = [h for h in judged.begin.hosts if h in touched]
    yield "  at s " + "".join(f"{h:>16}" for h in hosts)
    for instant in judged.instants:
        cells = [f"{instant.memory(h):.0f} MiB {instant.vcpus(h):.0f}v" for h in hosts]
        yield f"{instant.when / 1000:7.1f}" + "".join(f"{c:>16}" for c in cells)


def timeline(judged):
    """When each move runs, and what that occupies: a domain that moves occupies both hosts."""
    if not judged.moves:
        return "no moves\n"
    head = f"{'':38} 0 s{judged.plan['makespan_s']:>{WIDTH - 3}.1f} s"
    return "\n".join([head, *bars(judged), "", *occupancy(judged)]) + "\n"
