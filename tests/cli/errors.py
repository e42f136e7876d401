"""What goes wrong: whatever the verb, one clear line on standard error, nothing on standard output,
and the status that docs/commands.md has for it. With --json it is the same.

Tables: a call of each verb that would be good, and what is done to it."""

import concurrent.futures
import itertools
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import unittest

from harness import DATA, ENVIRONMENT, EVENKEEL, SKIPPED, Case, Daemon, WithWorld, evenkeel

FAILED, USAGE, NOT_POSSIBLE = 1, 2, 3
HOT = str(DATA / "hot-host.snapshot.json")
POLICY = str(DATA.parents[2] / "conf/policy.yaml")
VERBS = {line.split()[0] for line in evenkeel("--help").out.splitlines()
         if line.startswith("  ") and line[2].isalpha()}

# Of each verb, calls that need evenkeel.yaml and Redis; FILE is one of the test's folder.
ONLINE = ["status", "top", "hosts", "hosts h1", "domains", "domains --host h1", "plan",
          "why web-1", "why --cycle 1", "why-not web-1 h2", "move web-1 h2", "move web-1 h2 --wait",
          "maintenance check h1", "maintenance enter h1", "maintenance enter h1 --wait",
          "maintenance leave h1", "maintenance status", "pause", "resume", "approve p1", "reject p1", "cancel p1",
          "cancel all", "abort p1-1", "resolve web-2", "history", "history --plans", "replay p1", "snapshot",
          "samples export FILE", "samples import HISTORY", "samples profile h1"]
# Without Redis, with evenkeel.yaml.
CONFIGURED = ["states", "doctor"]
# Without either.
OFFLINE = [f"plan --snapshot {HOT}", f"why web-1 --snapshot {HOT}",
           f"why-not web-1 h2 --snapshot {HOT}", f"maintenance check h1 --snapshot {HOT}",
           "simulate --hosts 2 --domains 2 --days 0.01",
           f"backtest --history HISTORY --policy {POLICY}"]
EVERY = {call.split()[0]: call for call in ONLINE + CONFIGURED + OFFLINE}  # one of each verb
# Commands of the balancer's, which somebody has to answer.
COMMANDS = ["move web-1 h2", "move web-1 h2 --wait", "pause", "resume", "approve p1", "reject p1",
            "cancel p1", "cancel all", "abort p1-1", "resolve web-2"]

# Words that are missing, too many, or wrong, and what is said of them.
WORDS = [
    ("why web-1 --cycle --policy x", "--cycle"),
    ("why", "expected the name or UUID of a domain"), ("why-not", "expected a domain and a host"),
    ("why-not web-1", "expected a domain and a host"), ("move", "expected a domain and a host"),
    ("move web-1", "expected a domain and a host"),
    ("maintenance", "found nothing, expected check, enter, leave or status"),
    ("maintenance off", 'found "off", expected check, enter, leave or status'),
    ("maintenance check", "expected the name of a host"),
    ("maintenance enter", "expected the name of a host"),
    ("maintenance leave", "expected the name of a host"),
    ("maintenance leave h1 --wait", "go with enter only"),
    ("maintenance status --reason x", "go with enter only"),
    ("maintenance leave h1 --deadline 2h", "--deadline goes with check and enter only"),
    ("maintenance enter h1 --deadline 2025-01-01T00:00:00Z", "--deadline: found a time that is over"),
    ("maintenance check h1 --deadline soon", "--deadline: expected a time such as 2026-12-01T18:00:00Z"),
    ("maintenance enter h1 --policy x", "go with check only"),
    ("approve", "expected a plan's id"), ("reject", "expected a plan's id"),
    ("approve p1 --move p2-1", "expected a move of plan p1, such as p1-1"),
    ("cancel", 'expected a plan\'s id or "all"'), ("abort", "expected a move's id"),
    ("resolve", "expected a domain"), ("resolve web-2 --yes", "--yes goes with --choice"),
    ("replay", "expected the id of a plan"), ("history -n 0", '-n: found "0", expected a number from 1 to 10000'),
    ("history -n many", 'found "many", expected a number'),
    ("snapshot --anonymise ''", "--anonymise: found nothing, expected a word"),
    ("simulate --days 0", '--days: found "0", expected a number from 0.001 to 3650'),
    ("simulate --hosts 2.5", '--hosts: found "2.5", expected a whole number'),
    ("simulate --traces /tmp", "--traces DIR and --layout NAME together"),
    ("backtest", "found no --history"), ("backtest --history x", "found no --policy"),
    ("samples", "found nothing, expected export FILE, import FILE or profile HOST|DOMAIN"),
    ("samples show", 'found "show", expected export FILE, import FILE or profile HOST|DOMAIN'),
    ("samples export", "export: found no file"), ("samples import", "import: found no file"),
    ("samples profile", "profile: found no host or domain"),
    ("samples import x --anonymise y", "goes with export only"),
    ("samples export x --anonymise ''", "--anonymise: found nothing, expected a word"),
    ("frob", 'unknown verb "frob"'), ("hots", 'did you mean "hosts"?'),
]

# Options with a value, and a call that they may stand in.
VALUES = ["domains --host", "plan --snapshot", "plan --policy", "plan --evacuate", "why a --snapshot",
          "why-not a b --policy", "maintenance check h1 --snapshot", "maintenance enter h1 --reason",
          "resolve web-2 --choice", "approve p1 --move", "history -n", "snapshot --anonymise", "simulate --days",
          "simulate --snapshot", "backtest --history", "backtest --policy", "status --config"]

# Names that nobody bears: the cluster, or the balancer, would know them.
NAMES = [
    ("hosts h9", 'unknown host "h9", expected one of: h1, h2, h3'),
    ("domains --host h9", 'unknown host "h9", expected one of: h1, h2, h3'),
    ("plan --evacuate h9", 'unknown host "h9", expected one of: h1, h2, h3'),
    ("why nobody", 'unknown domain "nobody"'), ("why-not nobody h1", 'unknown domain "nobody"'),
    ("why-not web-1 h9", 'unknown host "h9", expected one of: h1, h2, h3'),
    ("move web-1 h9", 'unknown host "h9", expected one of: h1, h2, h3'),
    ("maintenance check h9", 'unknown host "h9", expected one of: h1, h2, h3'),
    ("maintenance enter h9", 'unknown host "h9", expected one of: h1, h2, h3'),
    ("maintenance leave h9", 'unknown host "h9", expected one of: h1, h2, h3'),
    ("maintenance status h9", 'unknown host "h9", expected one of: h1, h2, h3'),
    ("samples export FILE h9", 'unknown host "h9", expected one of: h1, h2, h3'),
    ("replay nosuchplan", "nosuchplan"), ("samples profile nobody", '"nobody"'),
]
ANSWERED = [
    ("move nobody h2", USAGE, "nobody"), ("cancel p9", USAGE, "p9"),
    ("approve p9", NOT_POSSIBLE, "approve"), ("reject p9", NOT_POSSIBLE, "approve"), ("abort p9-1", USAGE, "p9-1"),
    ("resolve nobody", USAGE, "nobody"), ("resolve web-1", USAGE, "web-1"),
    ("resolve web-2 --choice frob", USAGE, "frob"), ("move db-1 h2", NOT_POSSIBLE, "db-1"),
]

# Files that are named on the command line, BAD in its place.
FILES = [f"plan --snapshot {HOT} --policy BAD", "plan --snapshot BAD", "why web-1 --snapshot BAD",
         f"why web-1 --snapshot {HOT} --policy BAD", "why-not web-1 h2 --snapshot BAD",
         f"why-not web-1 h2 --snapshot {HOT} --policy BAD", "maintenance check h1 --snapshot BAD",
         f"maintenance check h1 --snapshot {HOT} --policy BAD", "simulate --snapshot BAD",
         "simulate --hosts 2 --policy BAD", f"backtest --history BAD --policy {POLICY}",
         "backtest --history HISTORY --policy BAD"]
# What cannot be written.
OUTPUTS = ["simulate --hosts 2 --domains 2 --days 0.01 --csv BAD",
           "simulate --hosts 2 --domains 2 --days 0.01 --svg BAD",
           f"backtest --history HISTORY --policy {POLICY} --svg BAD"]


class Errors(Case):
    """Calls side by side, each as it is and with --json."""

    turn = itertools.count()

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory(prefix="ek-errors-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        # the shortest there is: its first line, and the end after no blocks
        (cls.folder / "HISTORY").write_bytes(b"evenkeel history 1\n" + bytes(8))

    def config(self, text="", name="evenkeel.yaml"):
        path = self.folder / name
        path.write_text("version: 1\nhosts:\n" + "".join(
            f"- {{name: h{i}, uri: 'qemu+tcp://127.0.0.{i}:1/system'}}\n" for i in (1, 2, 3)) + text)
        return path

    def words(self, call, bad=None):
        """Of a row of a table."""
        places = {"FILE": self.folder / "FILE", "HISTORY": self.folder / "HISTORY", "BAD": bad,
                  "''": ""}
        return [str(places.get(word, word)) for word in call.split(" ")]

    def refuse(self, rows, *first):
        """All of them: (call, status, pieces...); `first` stands before each call. Every other one
        with --json: which, changes from one table to the next."""
        tasks = [(row, ["--json"] if next(self.turn) % 2 else []) for row in rows]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            results = pool.map(lambda task: evenkeel(*first, *task[0][0], *task[1]), tasks)
            for (row, more), result in zip(tasks, results):
                with self.subTest(" ".join([*map(str, row[0]), *more])):
                    self.refused(result, *row[1:])


class CommandLine(Errors):
    """Before anything else is looked at."""

    def test_every_verb_is_in_the_tables(self):
        self.assertEqual({call.split()[0] for call in ONLINE + CONFIGURED + OFFLINE}, VERBS)

    def test_every_verb_has_its_statuses(self):
        """One row each in docs/commands.md, and 3 where these tables have it."""
        text = (DATA.parents[2] / "docs/commands.md").read_text()
        table = text[text.index("| verb | 1 | 3 |"):].split("\n\n", maxsplit=1)[0]
        refuses = {verb: "never" not in line.split("|")[3] for line in table.splitlines()[2:]
                   for verb in re.findall("`([^`]+)`", line.split("|")[1])}
        self.assertEqual(set(refuses), VERBS)
        self.assertTrue(all(refuses[call.split()[0]] for call, status, _ in ANSWERED
                            if status == NOT_POSSIBLE))

    def test_options(self):
        """One that is none, and one without its value; help is named."""
        self.refuse([([*self.words(call), "--frob"], USAGE, f'{verb}: found the wrong option "--frob"',
                      f"`evenkeel {verb} --help`") for verb, call in EVERY.items()])
        with_value = [self.words(call) for call in VALUES]
        for words in with_value:  # at the end of the line: --json would be its value
            self.refused(evenkeel(*words), USAGE, f"{words[0]}: {words[-1]} needs a value")

    def test_words(self):
        """Missing, one too many, wrong."""
        self.refuse([(self.words(call), USAGE, piece) for call, piece in WORDS])
        # A verb that takes any number of words at its end has none too many.
        some = {**EVERY, "hosts": "hosts h1"}
        self.refuse([([*self.words(call), "more"], USAGE, 'found "more", expected no more words')
                     for verb, call in some.items() if verb != "maintenance"])


class Configuration(Errors):
    """evenkeel.yaml."""

    def test_files(self):
        """Not there, a directory, not to be read, and with a fault in it."""
        bad = self.config("redsi: 1\n", "bad.yaml")
        cases = [(self.folder / "none.yaml", "none.yaml: found no readable file (No such file",
                  "-c FILE or EVENKEEL_CONFIG"),
                 (self.folder, f"{self.folder}: found no readable file (Is a directory)"),
                 (bad, 'bad.yaml:6: found unknown key "redsi"', 'did you mean "redis"?')]
        secret = self.config(name="secret.yaml")
        secret.chmod(0)
        if not os.access(secret, os.R_OK):  # who is root reads all
            cases.append((secret, "secret.yaml: found no readable file (Permission denied)"))
        every = {call.split()[0]: call for call in ONLINE + CONFIGURED}
        for path, *pieces in cases:
            calls = list(every.values())[:3 if path == self.folder else None]
            self.refuse([(self.words(call), USAGE, *pieces) for call in calls], "-c", path)

    def test_files_that_it_names(self):
        """The policy, and the password's file."""
        policy = self.config("policy_file: none.yaml\n")
        self.refuse([([verb], USAGE, f'{policy}:6: found policy_file "{self.folder}/none.yaml" ',
                      "cannot be read (No such file or directory)")
                     for verb in ("status", "plan")], "-c", policy)
        password = self.config("redis: {mode: external, url: 'redis://127.0.0.1', "
                               "password_file: none}\n")
        self.refuse([(["status"], USAGE, "none")], "-c", password)


class Files(Errors):
    """Those that are named on the command line."""

    def test_not_there(self):
        rows = [(self.words(call, self.folder / "none"), USAGE, f"{self.folder}/none",
                 "No such file or directory") for call in FILES]
        self.refuse(rows)

    def test_no_file(self):
        """A directory."""
        self.refuse([(self.words(call, self.folder), USAGE, f"{self.folder}: ", "Is a directory")
                     for call in FILES])

    def test_nonsense(self):
        """What is in it is something else."""
        bad = self.folder / "bad"
        bad.write_text("}nonsense\n")
        self.refuse([(self.words(call, bad), USAGE, f"{bad}:", "found", "expected")
                     for call in FILES])

    def test_output(self):
        """A file that cannot be written."""
        bad = self.folder / "none" / "out"
        self.refuse([(self.words(call, bad), USAGE, f"{bad}: cannot write it: No such file")
                     for call in OUTPUTS])

    def test_full_disk(self):
        """Standard output that takes nothing: half a document must not pass for one."""
        for call in OFFLINE + ["states"]:
            if "HISTORY" in call:
                continue  # nothing is in it to be played
            for more in ([], ["--json"]):
                with self.subTest(call, json=more), open("/dev/full", "w", encoding="ascii") as full:
                    done = subprocess.run([EVENKEEL, *self.words(call), *more], text=True,
                                          env=ENVIRONMENT, stdout=full, stderr=subprocess.PIPE,
                                          check=False)
                    self.assertEqual(done.returncode, FAILED)
                    self.assertRegex(done.stderr, r"evenkeel: cannot write to standard output: "
                                                  r"No space left on device\n\Z")


class NoRedis(Errors):
    """It is not there, or as good as."""

    def rows(self, *pieces, calls=tuple(ONLINE)):
        return [(self.words(call), FAILED, *pieces) for call in calls]

    def test_no_daemon(self):
        """The socket of the daemon's own Redis is not there; neither is who left one behind."""
        state = self.folder / "state"
        config = self.config(f"state_dir: {state}\n")
        self.refuse(self.rows(f"unix:{state}/redis.sock: cannot connect: No such file or directory",
                              f"is evenkeeld running with {config}"), "-c", config)
        state.mkdir()
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(state / "redis.sock"))
        self.refuse(self.rows("redis.sock: cannot connect: Connection refused",
                              "is evenkeeld running", calls=ONLINE[:3]), "-c", config)

    def test_refused(self):
        """Nobody listens where it should be."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        config = self.config(f"redis: {{mode: external, url: 'redis://127.0.0.1:{port}'}}\n")
        self.refuse(self.rows(f"redis://127.0.0.1:{port}: cannot connect: Connection refused",
                              f"check `redis:` in {config}", calls=ONLINE[:3]), "-c", config)

    def test_hangs(self):
        """It takes the connection and never answers."""
        with socket.create_server(("127.0.0.1", 0), backlog=200) as server:
            port = server.getsockname()[1]
            config = self.config(f"redis: {{mode: external, url: 'redis://127.0.0.1:{port}', "
                                 "command_timeout: 200ms}\n")
            self.refuse(self.rows(f"127.0.0.1:{port}: ", "no answer within 200 ms",
                                  f"check `redis:` in {config}"), "-c", config)


class Password(Errors, WithWorld):
    """A Redis that wants one."""

    def redis(self, password=None):
        """Configuration of who asks with that password."""
        more = ""
        if password is not None:
            path = self.folder / "password"
            path.write_text(password)
            path.chmod(0o600)
            more = ", password_file: password"
        return self.config(f"redis: {{mode: external, url: 'unix://{self.world.socket}'{more}}}\n")

    def test_wrong(self):
        """A wrong one, and none. What a user may not: acl.py."""
        self.world.redis("CONFIG", "SET", "requirepass", "geheim")
        self.addCleanup(self.world.redis, "-a", "geheim", "--no-auth-warning", "CONFIG", "SET",
                        "requirepass", "")
        for who, said, calls in (({"password": "falsch"}, "WRONGPASS", ONLINE),
                                 ({}, "NOAUTH", ONLINE[:3])):
            config = self.redis(**who)
            self.refuse([(self.words(call), FAILED, f"unix:{self.world.socket}: ", said,
                          f"check `redis:` in {config}") for call in calls], "-c", config)


class Cluster(Errors, WithWorld):
    """It is there, and something else is not."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.world.tell("samples")
        cls.world.tell("moves")
        cls.world.redis("DEL", "evenkeel:leader")  # what wrote the records leads no more

    def test_nobody_leads(self):
        """Whoever is to do it is not there; no command is left behind."""
        self.refuse([(self.words(call), FAILED, "no balancer leads here") for call in COMMANDS],
                    "-c", self.world.config)
        self.assertEqual(self.world.redis("EXISTS", "evenkeel:command"), "0")

    def test_nothing_yet(self):
        """Nobody has balanced here."""
        self.refuse([(["why", "--cycle"], NOT_POSSIBLE, "no cycle is recorded here yet")],
                    "-c", self.world.config)

    def test_names(self):
        sample = json.loads(self.world.redis("GET", "evenkeel:host:h2"))  # else h3 is warned of
        sample |= {"host": sample["host"] | {"name": "h3"}, "domains": []}
        self.world.redis("SET", "evenkeel:host:h3", json.dumps(sample))
        self.refuse([(self.words(call), USAGE, piece) for call, piece in NAMES],
                    "-c", self.world.config)

    def test_files(self):
        """The history's, read and written."""
        none = self.folder / "none"
        (self.folder / "bad").write_text("nonsense\n")
        self.refuse([(["samples", "export", self.folder / "new"], NOT_POSSIBLE, "nothing to write")],
                    "-c", self.world.config)
        self.assertFalse((self.folder / "new").exists())
        self.world.tell("history 5")
        self.refuse([
            (["samples", "import", none], USAGE, f"{none}: cannot read it: No such file"),
            (["samples", "import", self.folder], USAGE, "Is a directory"),
            (["samples", "import", self.folder / "bad"], USAGE, "bad: byte ", "found", "expected"),
            (["samples", "export", none / "out"], USAGE, f"{none}/out: cannot write it: No such"),
            (["samples", "export", self.folder], USAGE, "cannot write it: Is a directory"),
        ], "-c", self.world.config)

    def test_unreadable_records(self):
        """What somebody else wrote into Redis: the key is named."""
        good = self.world.redis("HGET", "evenkeel:move:p1-4", "json")
        self.world.redis("HSET", "evenkeel:move:p1-4", "json", "{")
        self.addCleanup(self.world.redis, "HSET", "evenkeel:move:p1-4", "json", good)
        self.refuse([([verb], FAILED, "p1-4") for verb in ("status", "history", "plan")],
                    "-c", self.world.config)

    def test_with_a_daemon(self):
        """Names that only the balancer knows, and what it does not do."""
        daemon = Daemon(self.world)
        self.addCleanup(daemon.close)
        for call, status, piece in ANSWERED:
            with self.subTest(call):
                self.refused(daemon.run(*self.words(call)), status, piece)
                # It has answered: with --json the answer is the document.
                result = daemon.run(*self.words(call), "--json")
                self.check(result, status, err="")
                self.assertEqual([result.json()["done"], piece in result.json()["text"]],
                                 [False, True], result)


if __name__ == "__main__":
    if subprocess.run(["redis-cli", "--version"], capture_output=True, check=False).returncode != 0:
        sys.exit(SKIPPED)
    unittest.main()
