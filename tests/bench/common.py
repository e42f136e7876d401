"""What the benches share: running the planner, the clusters, the cache, tables and verdicts."""
import argparse
import hashlib
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
MISSING = 77  # what a bench needs is absent: its exit status


def arguments(text, data=True):
    """The options that all benches have; a bench adds its own before parse_args."""
    parser = argparse.ArgumentParser(description=text,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    if data:
        parser.add_argument("data", type=pathlib.Path, metavar="DATA_DIR",
                            help="folder with clusters/, load-increase/, migration-scheduling/ and "
                            "planetlab/")
    parser.add_argument("--full", action="store_true", help="all of it, however long it takes")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release",
                        help="build folder of the programs that are judged (%(default)s)")
    parser.add_argument("--cache", type=pathlib.Path, default=ROOT / "build/bench-cache",
                        help="what others computed is kept here (%(default)s)")
    parser.add_argument("--timeout", type=float, default=60, metavar="S",
                        help="a run of the planner is cut after that (%(default)s)")
    parser.add_argument("--verdicts", type=pathlib.Path, help=argparse.SUPPRESS)
    return parser


def need(**packages):
    """Ends the bench when programs are absent, each given with Debian's package of it; what a
    keyword cannot spell has _ for -."""
    absent = {p.replace("_", "-"): packages[p] for p in packages
              if shutil.which(p.replace("_", "-")) is None}
    if absent:
        print(f"missing: {', '.join(absent)} (on Debian: apt-get install "
              f"{' '.join(absent.values())})")
        sys.exit(MISSING)


def need_folder(path):
    """The folder of one family of data."""
    if not path.is_dir():
        print(f"missing: {path} (other people's data, see docs/benchmarks.md)")
        sys.exit(MISSING)
    return path


class Run:
    """One run of a program: status, wall_s, rss_mib, cut (it was too slow), out, err."""

    def __init__(self, command, timeout_s):
        with tempfile.TemporaryDirectory() as folder:
            out, err = f"{folder}/out", f"{folder}/err"
            done = subprocess.run([sys.executable, "-IS", str(HERE / "measured.py"), out, err,
                                   str(timeout_s), *map(str, command)],
                                  check=True, capture_output=True, text=True)
            self.__dict__.update(json.loads(done.stdout))
            self.out = pathlib.Path(out).read_text(encoding="utf-8")
            self.err = pathlib.Path(err).read_text(encoding="utf-8")


class Planner:
    """The command whose plans are judged."""

    def __init__(self, args):
        self.program = args.build / "balancer/tools/evenkeel"
        self.timeout_s = args.timeout
        if not self.program.exists():
            print(f"missing: {self.program} (cmake --preset release && cmake --build --preset "
                  "release)")
            sys.exit(MISSING)
        self.knows_rules = self.accepts(RULE_PROBE)

    def plan(self, snapshot, policy, *options):
        """A run of `plan`; its .plan is the document, or None."""
        run = Run([self.program, "--json", "plan", "--snapshot", snapshot, "--policy", policy,
                   *options], self.timeout_s)
        run.plan = None
        if not run.cut and run.status in (0, 3):
            run.plan = json.loads(run.out)
        return run

    def accepts(self, policy):
        """Whether a policy with these keys is one to this build."""
        with tempfile.TemporaryDirectory() as folder:
            write(folder, "s.json", json.dumps(PROBE))
            write(folder, "p.yaml", policy_text(policy))
            return Run([self.program, "plan", "--snapshot", f"{folder}/s.json", "--policy",
                        f"{folder}/p.yaml"], 10).status == 0


PROBE = {"version": 1, "taken_at_ms": 0,
         "hosts": [{"name": n, "cpu_cores": 4, "memory_mib": 4096} for n in ("h1", "h2")],
         "domains": [{"uuid": u, "name": u, "host": "h1", "vcpus": 1, "memory_mib": 512}
                     for u in ("a", "b")]}
RULE_PROBE = {"rules": [{"name": "apart", "kind": "anti_affinity", "domains": ["a", "b"],
                         "topology": "host", "enforcement": "must"},
                        {"name": "there", "kind": "pin", "domains": ["a"], "hosts": ["h1"],
                         "enforcement": "must"}]}


def why_not(run):
    """Why a run gave no plan."""
    if run.cut:
        return f"cut after {run.wall_s:.0f} s"
    return (run.err.strip().splitlines() or [f"status {run.status}"])[0]


def write(folder, name, text):
    """A file; its path."""
    path = pathlib.Path(folder) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def policy_text(policy):
    """policy.yaml from nested dicts; lists and texts in JSON's form, which is YAML, too."""
    lines = []
    for key, value in policy.items():
        if key == "rules":
            lines.append("rules:")
            lines += [f"  - {json.dumps(rule)}" for rule in value]
        elif isinstance(value, dict):
            lines.append(f"{key}: {flow(value)}")
        else:
            lines.append(f"{key}: {value}")
    return "\n".join(lines) + "\n"


def flow(value):
    """A mapping on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k}: {flow(v)}" for k, v in value.items()) + "}"
    return str(value)


def leveling_policy(moves, weights=(1, 1), **more):
    """Level as far as it pays: aggressiveness 5, all capacity may be used."""
    return {"version": 1, "aggressiveness": 5,
            "resources": {"cpu": {"weight": weights[0], "target_max": 1.0},
                          "memory": {"weight": weights[1], "target_max": 1.0}},
            "capacity": {"memory_reserve": 0},
            "limits": {"moves_per_plan": moves}, **more}


class Cluster:
    """A cluster of gen_cluster.py: files in the cache, and as our snapshot."""

    def __init__(self, args, hosts, domains, seed):
        self.prefix = args.cache / f"clusters/{hosts}-{domains}-{seed}"
        self.name = f"{hosts}/{domains} seed {seed}"
        if not self.prefix.with_suffix(".done").exists():
            generator = need_folder(args.data / "clusters") / "gen_cluster.py"
            self.prefix.parent.mkdir(parents=True, exist_ok=True)
            subprocess.run([sys.executable, generator, str(hosts), str(domains), str(seed),
                            self.prefix], check=True, capture_output=True)
            self.prefix.with_suffix(".done").touch()
        self.neutral = json.loads(self.prefix.with_suffix(".json").read_text(encoding="utf-8"))
        self.snapshot = {"version": 1, "taken_at_ms": 0, "hosts": [
            {"name": h["name"], "cpu_cores": h["pcpu"], "memory_mib": h["mem"]}
            for h in self.neutral["hosts"]], "domains": [
            {"uuid": f"00000000-0000-4000-8000-{i:012d}", "name": v["name"], "host": v["host"],
             "vcpus": v["vcpu"], "memory_mib": v["mem"], "cpu_used_cores": v["cpu"]}
            for i, v in enumerate(self.neutral["vms"])]}

    def rules(self):
        """The anti-affinity groups, by exact names."""
        groups = {}
        for vm in self.neutral["vms"]:
            if vm["grp"] is not None:
                groups.setdefault(vm["grp"], []).append(vm["name"])
        return [{"name": f"svc-{g}", "kind": "anti_affinity", "domains": names,
                 "topology": "host", "enforcement": "must"} for g, names in groups.items()]

    def save(self, folder):
        """The snapshot as a file."""
        return write(folder, "snapshot.json", json.dumps(self.snapshot))

    def hosts_of(self):
        """Where each domain is, by name."""
        return {v["name"]: v["host"] for v in self.neutral["vms"]}

    def deviations(self, host_of):
        """(memory, cpu): population standard deviations of the hosts' use."""
        use = {h["name"]: [0.0, 0.0] for h in self.neutral["hosts"]}
        for vm in self.neutral["vms"]:
            use[host_of[vm["name"]]][0] += vm["mem"]
            use[host_of[vm["name"]]][1] += vm["cpu"]
        cap = {h["name"]: (h["mem"], h["pcpu"]) for h in self.neutral["hosts"]}
        return tuple(statistics.pstdev(use[h][r] / cap[h][r] for h in use) for r in (0, 1))


def cached(args, kind, key, compute):
    """The stored result of an expensive foreign computation, a JSON document."""
    path = args.cache / kind / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.json"
    if not path.exists():
        text = json.dumps(compute())
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_suffix(f".{os.getpid()}")
        beside.write_text(text, encoding="utf-8")
        beside.rename(path)
    return json.loads(path.read_text(encoding="utf-8"))


def is_cached(args, kind, key):
    """Whether `cached` would compute."""
    return (args.cache / kind / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.json").exists()


def table(heads, rows):
    """Prints rows in columns; texts to the left, the rest to the right."""
    cells = [[c if isinstance(c, str) else f"{c:g}" for c in row] for row in rows]
    widths = [max(len(r[i]) for r in [list(heads), *cells]) for i in range(len(heads))]
    for row in [list(heads), ["-" * w for w in widths], *cells]:
        print("  ".join(c.rjust(w) if i else c.ljust(w)
                        for i, (c, w) in enumerate(zip(row, widths))).rstrip())
    print(flush=True)


class Verdicts:
    """One line per demand: kept or not, and the figures that say so."""

    def __init__(self, bench):
        self.bench, self.lines = bench, []

    def add(self, demand, passed, figures):
        """passed: True, False, or None for what was not measured."""
        word = {True: "PASS", False: "FAIL", None: "not measured"}[passed]
        self.lines.append((f"{self.bench}: {demand}", word, figures))

    def finish(self, args):
        """Prints them, leaves them to the driver, ends the bench."""
        table(("demand", "verdict", "figures"), self.lines)
        if args.verdicts:
            args.verdicts.write_text(json.dumps(self.lines), encoding="utf-8")
        sys.exit(1 if any(word == "FAIL" for _, word, _ in self.lines) else 0)
