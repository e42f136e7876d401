"""docs/cookbook.md: each recipe is a policy, does what it says on a small cluster, and is what does it.

What a plan must be like is said as in tests/golden (laws.py). `without`: the recipe's lines left out, the
plan breaks one of these laws, so that the recipe is not right by accident."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import guide

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "golden"))
import laws  # noqa: E402

EVENKEEL = os.environ.get("EVENKEEL", "build/debug/balancer/tools/evenkeel")
ENVIRONMENT = {**{k: v for k, v in os.environ.items() if k not in ("EVENKEEL_CONFIG", "LC_ALL")},
               "NO_COLOR": "1", "TZ": "UTC"}


def host(name, **more):
    """A host of 16 cores and 64 GiB."""
    return {"name": name, "cpu_cores": 16, "memory_mib": 65536, **more}


def domain(name, at, cores=0.2, gib=2, **more):
    """A domain that uses so much, and has a quarter more memory than it uses."""
    return {"uuid": name, "name": name, "host": at, "vcpus": 4, "memory_mib": int(gib * 1280),
            "cpu_used_cores": cores, "memory_used_mib": gib * 1024, **more}


TAKEN_AT_MS = 1764000000000
THREE = [host("h1"), host("h2"), host("h3")]
# h1 is hot: three busy domains of one size.
BUSY = [domain(f"web-{n}", "h1", 4.5) for n in (1, 2, 3)]

# name: (hosts, domains, laws, hosts to evacuate)
CASES = {
    "replicas-apart": (
        THREE, [domain("db-1", "h1"), domain("db-2", "h1")],
        {"apart_at_end": [["db-1", "db-2"]], "moves": 1, "kinds": {"rule": 1}}, []),
    "replicas-by-rack": (
        [host("h1", labels={"rack": "r1"}), host("h2", labels={"rack": "r1"}),
         host("h3", labels={"rack": "r2"})],
        [domain("etcd-1", "h1"), domain("etcd-2", "h2")],
        {"ends_on": {"etcd-1": ["h1", "h3"], "etcd-2": ["h2", "h3"]}, "moves": 1}, []),
    "licensed": (
        THREE, [domain("oracle-1", "h1"), domain("oracle-2", "h1"), domain("other", "h2", 3, 20)],
        {"empties": ["h1"], "ends_on": {"oracle-1": "h2", "oracle-2": "h2"}}, ["h1"]),
    "together": (
        THREE, [domain("app", "h1"), domain("cache", "h2")],
        {"together": [["app", "cache"]], "moves": 1}, []),
    "leave-alone": (
        THREE, [domain("pcmk-1", "h1", 4.5), domain("tied", "h1", 4.5, labels={"pinned": "true"}),
                domain("web", "h1", 4.5)],
        {"stay": ["pcmk-1", "tied"], "leave": ["web"]}, []),
    "own-host": (THREE, BUSY, {"no_arrival": ["h3"], "moves": 1}, []),
    "gpu": (
        [host("h1", labels={"gpu": "2"}), host("h2"), host("h3", labels={"gpu": "1"})],
        [domain("train", "h1", labels={"gpu": "1"}), domain("plain", "h3", 4, 20)],
        {"ends_on": {"train": "h3"}}, ["h1"]),
    "old-hosts-last": (
        [host("h1", labels={"generation": "old"}), host("h2"), host("h3")],
        [domain("a", "h1"), domain("b", "h2")], {"empties": ["h1"], "moves": 1}, []),
    "overload-only": (
        THREE, [domain(f"web-{n}", "h1", 3.5) for n in (1, 2, 3)], {"moves": 0}, []),
    "quick": (THREE, [domain(f"web-{n}", "h1", 2.2) for n in (1, 2, 3)], {"moves": [1, 3]}, []),
    "maintenance-only": (THREE, BUSY, {"moves": 0}, []),
    "pack": (
        THREE, [domain("a", "h1", 2, 8), domain("b", "h2", 2, 8), domain("c", "h3", 1, 4)],
        {"moves": [1, 2], "below": {"h1": {"cpu": 0.7}, "h2": {"cpu": 0.7}, "h3": {"cpu": 0.7}},
         "leave": ["c"]}, []),
    "pack-with-spare": (
        [*THREE, host("h4")], [domain(f"a-{n}", f"h{n}", 2, 16) for n in (1, 2, 3, 4)],
        {"moves": 1}, []),
    "gentle": (
        THREE, [domain(f"a-{n}", "h1", 0.2, 4) for n in (1, 2, 3, 4)],
        {"empties": ["h1"], "at_once": 1, "makespan_s": [600, 1200]}, ["h1"]),
    "gentle-until-late": (
        [host("h1", deadline_ms=TAKEN_AT_MS + 400000), host("h2"), host("h3")],
        [domain(f"a-{n}", "h1", 0.2, 4) for n in (1, 2, 3, 4)],
        {"empties": ["h1"], "makespan_s": [180, 200], "says": ["for a deadline at pace urgent"]}, ["h1"]),
    "rack-quickly": (
        [host(f"h{n}", migration_mib_s=1100 if n < 3 else 275) for n in range(1, 7)],
        [domain(f"a-{n}", f"h{n % 2 + 1}", 0.2, 4) for n in range(12)],
        {"empties": ["h1", "h2"], "makespan_s": [50, 60]}, ["h1", "h2"]),
    "large-move": (
        THREE, [domain("large-1", "h1", 1, 22), domain("large-2", "h1", 1, 22),
                domain("web-1", "h1", 4), domain("web-2", "h1", 4)],
        {"leave": ["large-1"], "imbalance": {"memory": 0.2}}, []),
    "steal": (
        THREE, [domain(f"a-{n}", "h1", 1.8, cpu_steal=0.1) for n in range(4)],
        {"moves": [1, 3], "otherwise": ['"cpu_steal": 0.1', '"cpu_steal": 0.0']}, []),
    "reserve": (
        [host("h1"), host("h2", memory_used_mib=10240), host("h3", memory_used_mib=10240)],
        [domain("a", "h1", 1, 4), domain("filler-2", "h2", 1, 40), domain("filler-3", "h3", 1, 40)],
        {"stay": ["a"], "status": 3}, ["h1"]),
}

# What the recipe adds its point to, when it is no policy of its own.
BASES = {"pack-with-spare": "policy: pack"}

# What is about time is tried in the simulator's, which begins on a Monday at midnight: nothing moves in
# so many days, and in so many it does. Without the recipe it does so at once.
SIMULATED = {"at-night": (0.03, 0.1), "at-weekends": (2, 5.2)}


def simulated_moves(policy, days):
    """How many moves BUSY takes in that time."""
    snapshot = {"version": 1, "taken_at_ms": TAKEN_AT_MS, "hosts": THREE, "domains": BUSY}
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "policy.yaml"
        path.write_text(policy, encoding="utf-8")
        done = subprocess.run([EVENKEEL, "simulate", "--snapshot", "-", "--policy", path, "--days",
                               str(days), "--json"], input=json.dumps(snapshot), text=True,
                              capture_output=True, timeout=60, env=ENVIRONMENT, check=False)
    if not done.stdout:
        raise ValueError(f"status {done.returncode}: {done.stderr.strip()}")
    return json.loads(done.stdout)["runs"][0]["moves"]


def simulated_faults(block):
    """What is wrong with a recipe that is about time."""
    closed, opened = SIMULATED[block.words]
    policy = f"version: 1\n{block.text}\n"
    try:
        moves = [simulated_moves(policy, closed), simulated_moves(policy, opened),
                 simulated_moves("version: 1\n", closed)]
    except ValueError as error:
        return [str(error)]
    return [] if moves[0] == 0 < min(moves[1:]) else [f"{moves} moves"]


def judged(snapshot, policy, evacuate):
    """What the laws look at: the plan of the real command."""
    text = json.dumps(snapshot)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "policy.yaml"
        path.write_text(policy, encoding="utf-8")

        def plan(*words, of=text):
            hosts = [w for name in evacuate for w in ("--evacuate", name)]
            return subprocess.run([EVENKEEL, "plan", "--snapshot", "-", "--policy", path, *hosts,
                                   *words], input=of, text=True, capture_output=True, timeout=60,
                                  env=ENVIRONMENT, check=False)

        done = plan("--json")
        if not done.stdout:
            raise ValueError(f"status {done.returncode}: {done.stderr.strip()}")
        return laws.faults(
            laws.Judged(text, evacuate, policy, plan().stdout,
                        (done.returncode, done.stderr, json.loads(done.stdout)),
                        lambda other: json.loads(plan("--json", of=json.dumps(other)).stdout)),
            {"laws": {"permuted": None, **snapshot["laws"]}})  # the golden cases ask that


def faults(block):
    """What is wrong with one recipe."""
    if block.words in SIMULATED:
        return simulated_faults(block)
    hosts, domains, wanted, evacuate = CASES[block.words]
    snapshot = {"version": 1, "taken_at_ms": TAKEN_AT_MS, "hosts": hosts, "domains": domains,
                "laws": wanted}
    try:
        found = judged(snapshot, f"version: 1\n{block.text}\n", evacuate)
        base = BASES.get(block.words, "")
        without = judged(snapshot, f"version: 1\n{base}\n", evacuate)
    except ValueError as error:
        return [str(error)]
    return found or ([] if without else ["without these lines the plan is the same"])


def main():
    """0, or 1 with what is wrong."""
    recipes = [b for b in guide.blocks("cookbook.md") if b.kind == "recipe"]
    bad = [f"no recipe {name}" for name in {*CASES, *SIMULATED} - {r.words for r in recipes}]
    for recipe in recipes:
        if recipe.words not in {*CASES, *SIMULATED}:
            bad.append(f"docs/{recipe.place}: nothing tries the recipe {recipe.words}")
            continue
        bad += [f"docs/{recipe.place}: {recipe.words}: {fault}" for fault in faults(recipe)]
    print("\n".join(bad) or f"{len(recipes)} recipes do what they say")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
