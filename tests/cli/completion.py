"""Completion in bash: what it offers at each place, asked of the program and of a real cluster."""
import json
import os
import shlex
import subprocess
import unittest
from pathlib import Path

from harness import Case, EVENKEEL, Fresh, evenkeel

SCRIPT = Path(__file__).resolve().parents[2] / "conf/completion/evenkeel.bash"


def offered(*words, environment=None):
    """What bash would offer for the last word, which may be empty."""
    line = " ".join(shlex.quote(str(word)) for word in (EVENKEEL, *words))
    script = (f". {shlex.quote(str(SCRIPT))}\nCOMP_WORDS=({line})\nCOMP_CWORD={len(words)}\n_evenkeel\n"
              "printf '%s\\n' \"${COMPREPLY[@]}\"")
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True,
                          env={**os.environ, "EVENKEEL_COMPLETION_TIMEOUT": "60",
                               **(environment or {})})
    if done.stderr:
        raise AssertionError(done.stderr)
    return done.stdout.split("\n")[:-1]


class Alone(Case):
    """What needs no cluster."""

    def verbs(self):
        """As the program lists them."""
        return [line.split()[0] for line in evenkeel("--help").out.splitlines()
                if line.startswith("  ") and line[2].isalpha()]

    def test_every_verb(self):
        """All of them, by their first letters, and after `help`."""
        self.assertGreater(len(self.verbs()), 20)
        self.assertEqual(set(offered("")), {*self.verbs(), "help", "--config", "--json", "--help",
                                            "--version"})
        self.assertEqual(offered("main"), ["maintenance"])
        self.assertEqual(set(offered("help", "")), set(self.verbs()))

    def test_every_option(self):
        """Those of the verb, and those of all."""
        for option in ("--snapshot", "--policy", "--evacuate", "--explain", "--json", "--help"):
            self.assertIn(option, offered("plan", "--"))
        self.assertEqual(offered("plan", "--snapshot", "x", "--ex"), ["--explain"])

    def test_what_stands_after_a_verb(self):
        """By its usage line."""
        self.assertEqual(offered("maintenance", ""), ["check", "enter", "leave", "status"])
        self.assertEqual(offered("samples", ""), ["export", "import", "profile"])
        self.assertEqual(offered("cancel", "a"), ["all"])
        self.assertEqual(offered("pause", ""), [""])
        self.assertEqual(offered("simulate", "--layout", ""), ["bitbrains", "planetlab"])

    def test_files(self):
        """Where the help says FILE."""
        data = Path(__file__).parent / "data"
        found = offered("plan", "--snapshot", data / "hot")
        self.assertEqual(sorted(Path(name).name for name in found),
                         ["hot-host.check.txt", "hot-host.explain.txt", "hot-host.snapshot.json",
                          "hot-host.why.txt"])
        self.assertEqual(offered("-c", data / "level"), [str(data / "level.snapshot.json")])


class Live(Fresh):
    """Names of the cluster."""

    def setUp(self):
        super().setUp()
        self.world.tell("samples")
        self.world.tell("balancer automatic 5 -")

    def offered(self, *words):
        """With the world's configuration."""
        return offered("-c", self.world.config, *words)

    def test_hosts(self):
        """Wherever one is wanted, those that are down included."""
        hosts = ["h1", "h2", "h3"]
        for words in (["maintenance", "enter"], ["why-not", "web-1"],
                      ["plan", "--evacuate", "h1", "--evacuate"], ["domains", "--host"],
                      ["samples", "export", "file", "h1"]):
            self.assertEqual(self.offered(*words, ""), hosts, words)
        self.assertEqual(self.offered("maintenance", "enter", "h1", ""), ["h1", "h2", "h3"])
        self.assertEqual(offered("maintenance", "enter", "h", environment={
            "EVENKEEL_CONFIG": str(self.world.config)}), hosts)

    def test_domains(self):
        """By their names; a host or a domain where both will do."""
        self.assertEqual(self.offered("why", "web"), ["web-1", "web-2"])
        self.assertEqual(self.offered("move", "--wait", "m"), ["mail"])
        self.assertEqual(self.offered("samples", "profile", ""),
                         ["db-1", "h1", "h2", "h3", "mail", "web-1", "web-2"])

    def test_plans_and_moves(self):
        """What may be dropped or ended now."""
        self.world.tell("moves")
        running = [m["order"]["id"] for m in
                   self.world.run("status", "--json").json()["running"]]
        self.assertEqual(self.offered("abort", ""), running)

    def test_a_name_is_never_a_command(self):
        """Whoever may name a domain must not run anything in an operator's shell."""
        trap = self.world.dir / "sprung"
        name = f"x$(touch {trap})`touch {trap}`"
        sample = json.loads(self.world.redis("GET", "evenkeel:host:h1"))
        sample["domains"][0]["name"] = name
        self.world.redis("SET", "evenkeel:host:h1", json.dumps(sample))
        [quoted] = self.offered("why", "x")
        self.assertEqual(shlex.split(quoted), [name])
        self.assertFalse(trap.exists())

    def test_without_redis(self):
        """Nothing is offered, and nothing is complained of."""
        self.assertEqual(offered("-c", "/no/such.yaml", "why", ""), [""])


if __name__ == "__main__":
    unittest.main()
