"""conf/redis-acl.conf in a real Redis: each role can do its work as its user, and nothing else."""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

from harness import CLI_WORLD, ENVIRONMENT, EVENKEELD, SKIPPED, Case, evenkeel

ROOT = pathlib.Path(__file__).resolve().parents[2]
ACL, KEYS = ROOT / "conf" / "redis-acl.conf", ROOT / "docs" / "redis-keys.md"
COLLECTOR, BALANCER, VIEWER, OPERATOR = (
    "evenkeel-collector", "evenkeel-balancer", "evenkeel-viewer", "evenkeel-operator")

CONFIG = """version: 1
hosts:
  - {name: h1, uri: "qemu+tcp://127.0.0.1:1/system"}
  - {name: h2, uri: "qemu+tcp://127.0.0.2:1/system"}
redis: {mode: external, url: "unix://DIR/s", user: USER, password_file: "DIR/USER.password"}
intervals: {sample: 2s, evaluate: 2s}
state_dir: DIR/state-USER
"""


class Guarded:
    """A Redis with that file as its users, a password for each, and an administrator for the test."""

    def __init__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="ek-acl-"))
        self.socket = self.dir / "s"
        lines = []
        for line in ACL.read_text().splitlines():
            words = line.split()
            if words[:1] == ["user"] and "resetpass" in words:
                self.write_config(words[1])
                line = line.replace("resetpass", f">{words[1]}-secret")
            lines.append(line)
        (self.dir / "acl.conf").write_text("\n".join(lines) + "\nuser admin on >admin ~* &* +@all\n")
        (self.dir / "redis.conf").write_text(
            f"port 0\nunixsocket {self.socket}\nsave \"\"\ndir {self.dir}\n"
            f"logfile {self.dir}/log\ninclude {self.dir}/acl.conf\n")
        self.process = subprocess.Popen(["redis-server", self.dir / "redis.conf"],
                                        stdin=subprocess.DEVNULL)
        self.writers = {}
        end = time.monotonic() + 20
        while self.say("admin", "admin", "PING") != "PONG":
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError((self.dir / "log").read_text())
            time.sleep(0.05)

    def write_config(self, user):
        """evenkeel.yaml of that user, with its password beside it."""
        password = self.dir / f"{user}.password"
        password.write_text(f"{user}-secret\n")
        password.chmod(0o600)
        self.config(user).write_text(CONFIG.replace("DIR", str(self.dir)).replace("USER", user))

    def config(self, user):
        return self.dir / f"{user}.yaml"

    def say(self, user, password, *words):
        """A command in that user's name; what redis-cli says."""
        login = ["--user", user, "--pass", password, "--no-auth-warning"] if user else []
        done = subprocess.run(["redis-cli", "-s", self.socket, *login, *words], text=True,
                              capture_output=True, check=False, timeout=20)
        return (done.stdout + done.stderr).strip()

    def admin(self, *words):
        return self.say("admin", "admin", *words)

    def dry_runs(self, commands):
        """What Redis would say to each "USER COMMAND..."; one line each."""
        text = "".join(f"ACL DRYRUN {command}\n" for command in commands)
        done = subprocess.run(["redis-cli", "-s", self.socket, "--user", "admin", "--pass", "admin",
                               "--no-auth-warning"], input=text, text=True, capture_output=True,
                              check=True, timeout=20)
        return done.stdout.splitlines()

    def as_user(self, user, *words):
        return self.say(user, f"{user}-secret", *words)

    def tell(self, user, line):
        """Has the product's own code write as that user (world.c); "ok" or its complaint."""
        if user not in self.writers:
            self.writers[user] = subprocess.Popen(
                [CLI_WORLD, self.socket, user, f"{user}-secret"], text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            self.writers[user].stdout.readline()
        self.writers[user].stdin.write(line + "\n")
        self.writers[user].stdin.flush()
        return self.writers[user].stdout.readline().strip()

    def denied(self):
        """What Redis refused since the last time: {(user, command or key)}."""
        words = self.admin("ACL", "LOG").splitlines()
        self.admin("ACL", "LOG", "RESET")
        return {(words[words.index("username", i) + 1], words[i + 1].lower())
                for i, word in enumerate(words) if word == "object"}

    def close(self):
        for writer in self.writers.values():
            writer.stdin.close()
            writer.wait()
            writer.stdout.close()
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.dir)


class Rights(Case):
    """One Redis for all."""

    @classmethod
    def setUpClass(cls):
        if shutil.which("redis-server") is None:
            sys.exit(SKIPPED)
        cls.redis = Guarded()
        cls.addClassCleanup(cls.redis.close)

    def setUp(self):
        self.redis.admin("FLUSHALL")
        self.redis.admin("ACL", "LOG", "RESET")

    def run_as(self, user, *words):
        return evenkeel("-c", self.redis.config(user), *words)

    def daemon(self, role, user):
        """A real evenkeeld in that role, until the test's end."""
        log = open(self.redis.dir / f"{role}.log", "ab")
        self.addCleanup(log.close)
        process = subprocess.Popen([EVENKEELD, "-c", self.redis.config(user), "--role", role],
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=ENVIRONMENT)

        def end():
            process.terminate()
            self.assertEqual(process.wait(60), 0, pathlib.Path(log.name).read_text())
        self.addCleanup(end)
        return process

    def until(self, what, condition, seconds=40):
        end = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), end, what)
            time.sleep(0.05)

    def world(self):
        """Samples, history, moves and statuses, each written by the user whose it is."""
        for line in ("samples", "history 5", "hours 3"):
            self.assertEqual(self.redis.tell(COLLECTOR, line), "ok")
        for line in ("moves", "balancer automatic 5 -", "drain h2 evacuating 3 -"):
            self.assertEqual(self.redis.tell(BALANCER, line), "ok")
        self.assertEqual(self.redis.denied(), set())

    def test_viewer_sees_everything(self):
        """Every verb that changes nothing."""
        self.world()
        for words in (["status"], ["hosts"], ["hosts", "h1"], ["domains"], ["plan"], ["snapshot"],
                      ["why", "web-1"], ["why-not", "web-1", "h2"], ["history"], ["states"],
                      ["top", "--once"], ["samples", "export", self.redis.dir / "export"],
                      ["maintenance", "status"], ["maintenance", "check", "h2"]):
            result = self.run_as(VIEWER, *words)
            self.assertIn(result.status, (0, 3), f"{words}: {result}")
        self.assertEqual(self.redis.denied(), set())

    def test_viewer_changes_nothing(self):
        """It is told whom Redis refused, and what."""
        self.world()
        for words in (["pause"], ["resume"], ["move", "web-1", "h2"], ["cancel", "all"],
                      ["maintenance", "enter", "h1", "--force"], ["maintenance", "leave", "h1"]):
            self.refused(self.run_as(VIEWER, *words), 1, f"user {VIEWER} may not do that: NOPERM")
        self.assertEqual(self.redis.admin("EXISTS", "evenkeel:maintenance:h1",
                                          "evenkeel:command"), "0")

    def test_daemons_and_operator(self):
        """Both roles as daemons; an operator commands and empties a host. The balancer asks to turn
        notifications on, which the file has done already: all else is allowed. What was said of a host
        that is configured no more is gone, lest it come back."""
        for host in ("h1", "h9"):
            self.redis.admin("SET", f"evenkeel:maintenance-status:{host}", "{}")
        self.redis.admin("SET", "other:maintenance-status:h9", "{}")
        self.daemon("collector", COLLECTOR)
        self.daemon("balancer", BALANCER)
        for key in ("status:balancer", "unsampled:h1", "leader", "candidates"):
            self.until(key, lambda key=key: self.redis.admin("EXISTS", f"evenkeel:{key}") == "1")
        self.until("no word on hosts that are gone", lambda: self.redis.admin(
            "EXISTS", "evenkeel:maintenance-status:h1", "evenkeel:maintenance-status:h9") == "0")
        self.assertEqual(self.redis.admin("EXISTS", "other:maintenance-status:h9"), "1")
        self.check(self.run_as(OPERATOR, "pause"), 0, out="balancing is paused until", err="")
        self.check(self.run_as(OPERATOR, "resume"), 0)
        self.refused(self.run_as(OPERATOR, "move", "web-1", "h2"), 3, "no fresh sample")
        self.check(self.run_as(OPERATOR, "maintenance", "enter", "h2"), 0)
        self.until("the balancer's word on h2", lambda: self.redis.admin(
            "EXISTS", "evenkeel:maintenance-status:h2") == "1")
        self.check(self.run_as(OPERATOR, "maintenance", "leave", "h2"), 0)
        self.until("no word on h2", lambda: self.redis.admin(
            "EXISTS", "evenkeel:maintenance-status:h2") == "0")
        self.assertLessEqual(self.redis.denied(), {(BALANCER, "config|get")})

    def test_operator_leaves_without_a_leader(self):
        """Nobody else would delete what the last balancer said of that host."""
        self.world()
        self.redis.admin("DEL", "evenkeel:leader", "evenkeel:status:balancer")
        self.redis.admin("SET", "evenkeel:maintenance:h2", "")
        self.check(self.run_as(OPERATOR, "maintenance", "leave", "h2"), 0)
        self.assertEqual(self.redis.admin("EXISTS", "evenkeel:maintenance:h2",
                                          "evenkeel:maintenance-status:h2"), "0")
        self.assertEqual(self.redis.denied(), set())

    def test_a_maintenance_key_is_noticed_at_once(self):
        """The file turns notifications on, and the balancer may listen to these keys alone."""
        self.assertEqual(set(self.redis.admin("CONFIG", "GET", "notify-keyspace-events").split()[1]),
                         set("Kg$x"))
        self.assertIn("NOPERM", self.redis.as_user(BALANCER, "PSUBSCRIBE", "*"))
        self.assertIn("NOPERM", self.redis.as_user(COLLECTOR, "PSUBSCRIBE",
                                                   "__keyspace@0__:evenkeel:maintenance:*"))

    def test_nobody_does_anothers_work(self):
        """A stolen password is worth its role and no more."""
        set_key = [(user, "SET", f"evenkeel:{key}", "x") for user, key in (
            (COLLECTOR, "maintenance:h1"), (COLLECTOR, "plan:p1"), (COLLECTOR, "leader"),
            (COLLECTOR, "candidates"), (COLLECTOR, "status:balancer"), (BALANCER, "host:h1"),
            (BALANCER, "maintenance:h1"), (BALANCER, "status:collector:x"), (OPERATOR, "leader"),
            (OPERATOR, "host:h1"), (OPERATOR, "maintenance-status:h1"), (OPERATOR, "command"),
            (VIEWER, "maintenance:h1"))]
        others = [
            (COLLECTOR, "XADD", "evenkeel:command", "*", "version", "1", "kind", "pause"),
            (COLLECTOR, "GET", "evenkeel:plan:p1"), (COLLECTOR, "GET", "evenkeel:events"),
            (COLLECTOR, "EVAL", "return 1", "0"), (OPERATOR, "EVAL", "return 1", "0"),
            (OPERATOR, "DEL", "evenkeel:move:p1-1"), (OPERATOR, "XADD", "evenkeel:events", "*", "a", "b"),
            (VIEWER, "GET", "other:key"), (BALANCER, "SET", "other:key", "x")]
        everybody = [(user, *words) for user in (COLLECTOR, BALANCER, VIEWER, OPERATOR) for words in (
            ("FLUSHALL",), ("CONFIG", "GET", "*"), ("CONFIG", "SET", "dir", "/tmp"), ("KEYS", "*"),
            ("ACL", "LIST"), ("SHUTDOWN",), ("MONITOR",))]
        for user, *words in set_key + others + everybody:
            self.assertIn("NOPERM", self.redis.as_user(user, *words), (user, words))

    def test_every_key_has_its_writers(self):
        """Who writes a key by docs/redis-keys.md may, and no other role may."""
        writers = {"collector": {COLLECTOR}, "balancer": {BALANCER}, "balancer, fenced": {BALANCER},
                   "**operator**": {OPERATOR}, "operator's tools": {OPERATOR, BALANCER},
                   "all": {COLLECTOR, BALANCER}}
        words = {"string": ["SET", "x"], "hash": ["HSET", "f", "x"], "stream": ["XADD", "*", "f", "x"],
                 "set": ["SADD", "x"], "list": ["LPUSH", "x"], "zset": ["ZADD", "1", "x"]}
        rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in KEYS.read_text().splitlines()
                if line.startswith("| `")]
        keys = {key: (row[1], row[3]) for row in rows if len(row) == 5
                for key in re.findall(r"`([^`]+)`", row[0])}
        self.assertGreater(len(keys), 30)
        keys["status:collector:<id>"] = ("string", "collector")
        keys["status:balancer"] = ("string", "balancer")
        asked, right = [], []
        for key, (kind, writer) in keys.items():
            name = re.sub("<.*?>", "x", f"evenkeel:{key}")
            command, *rest = words[re.match(r"\w+", kind)[0]]
            for user in (COLLECTOR, BALANCER, VIEWER, OPERATOR):
                asked.append(f"{user} {command} {name} {' '.join(rest)}")
                right.append(user in writers[writer])
                if user != COLLECTOR:
                    asked.append(f"{user} GET {name}")
                    right.append(True)
        said = self.redis.dry_runs(asked)
        self.assertEqual(len(said), len(asked))
        self.assertEqual([a for a, s, r in zip(asked, said, right) if (s == "OK") != r], [])

    def test_without_a_password_nobody_gets_in(self):
        """Neither without a name, nor by a user whose password was not set."""
        self.assertIn("NOAUTH", self.redis.say(None, None, "PING"))
        self.assertIn("WRONGPASS", self.redis.say(OPERATOR, "resetpass", "PING"))
        self.assertNotIn(">", "".join(line for line in ACL.read_text().splitlines()
                                      if line.startswith("user")))


if __name__ == "__main__":
    unittest.main()
