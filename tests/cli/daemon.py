"""evenkeeld's command line: what it refuses, in one line that names what was wrong."""
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

from harness import Case, DATA, ENVIRONMENT, EVENKEELD, Result

ROOT = DATA.parents[2]


def evenkeeld(*words, env=None):
    """One call that must end by itself."""
    done = subprocess.run([EVENKEELD, *map(str, words)], env=env or ENVIRONMENT, text=True,
                          capture_output=True, check=False, timeout=60)
    return Result(done.returncode, done.stdout, done.stderr)


class CommandLine(Case):
    """Options that are none."""

    def refused(self, result, status, *pieces):
        """One line on standard error."""
        self.check(result, status, err=pieces)
        self.assertEqual(result.out, "")
        self.assertRegex(result.err, r"\Aevenkeeld: [^\n]+\n\Z")

    def test_wrong_options(self):
        """The option itself, and where help is; not the whole usage."""
        self.refused(evenkeeld("--frob"), 2, 'unknown option "--frob"', "`evenkeeld --help`")
        self.refused(evenkeeld("-x"), 2, 'unknown option "-x"')
        self.refused(evenkeeld("-xc", "file"), 2, 'unknown option "-x"')
        self.refused(evenkeeld("--check", "-xc", "file"), 2, 'unknown option "-x"')
        self.refused(evenkeeld("--check=yes"), 2, 'unknown option "--check=yes"')
        self.refused(evenkeeld("--check", "-c"), 2, "-c needs a value")
        self.refused(evenkeeld("--config"), 2, "--config needs a value")
        self.refused(evenkeeld("--role"), 2, "--role needs a value")
        self.refused(evenkeeld("start"), 2, '"start"', "no more words", "`evenkeeld --help`")

    def test_help(self):
        """What was asked for goes to standard output."""
        self.check(evenkeeld("--help"), 0, "Usage: evenkeeld", "")


class Check(Case):
    """What --check finds before anything runs."""

    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="ek-check-"))
        self.addCleanup(shutil.rmtree, self.dir)
        self.config, self.policy = self.dir / "evenkeel.yaml", self.dir / "policy.yaml"

    def check_files(self, more="", policy="", hosts=2):
        """--check of a cluster with further lines, and of a policy."""
        lines = [f"  - {{name: h{i}, uri: qemu+tls://h{i}/system, labels: {{rack: r{i}}}}}\n"
                 for i in range(1, hosts + 1)]
        self.config.write_text(f"version: 1\nhosts:\n{''.join(lines)}{more}")
        self.policy.write_text(policy)
        return evenkeeld("-c", self.config, "--check")

    def test_state_dir(self):
        """No folder, and no place for one; the file is named, and nothing is made."""
        self.check(self.check_files(f"state_dir: {self.dir}/new\n"), 0, "good", "")
        self.assertFalse((self.dir / "new").exists())
        self.check(self.check_files(f"state_dir: {self.policy}\n"), 2, err=[
            f'{self.config}: found state_dir "{self.policy}"', "expected a directory"])
        self.check(self.check_files("state_dir: /no/such/place\n"), 2, err=[
            '"/no/such/place"', "in a directory that is not there"])

    def test_no_hosts(self):
        """An empty list is called what it is."""
        self.config.write_text("hosts: []\n")
        self.check(evenkeeld("-c", self.config, "--check"), 2, err="found an empty list for hosts")

    def test_no_redis_server(self):
        """Embedded is the default: without the program nothing would start."""
        self.check(self.check_files(), 0, "good", "")
        nowhere = {**ENVIRONMENT, "PATH": f"{self.dir}:/no/such"}
        result = evenkeeld("-c", self.config, "--check", env=nowhere)
        self.check(result, 2, err=[f"evenkeeld: {self.config}: found redis.mode embedded, and there "
                                   "is no redis-server on PATH"])
        self.assertEqual(result.out, "")
        self.check_files("redis: {mode: external, url: 'redis://127.0.0.1'}\n")
        self.check(evenkeeld("-c", self.config, "--check", env=nowhere), 0, "good", "")

    def test_sample(self):
        """As it is installed it names hosts that nobody has."""
        for name in ("evenkeel.yaml", "policy.yaml"):
            shutil.copy(ROOT / "conf" / name, self.dir)
        self.check(evenkeeld("-c", self.config, "--check"), 0, "good",
                   f"evenkeeld: warning: {self.config}:12: found the host h1 and 1 more at a name "
                   "that is kept for examples (qemu+tls://h1.example.org/system), expected hosts of "
                   "yours")
        for uri in ("qemu+ssh://root@kvm.example/system", "qemu+tls://kvm.example.net:16514/system"):
            self.config.write_text(f"hosts: [{{name: kvm, uri: '{uri}'}}]\n")
            self.check(evenkeeld("-c", self.config, "--check"), 0, err=":1: found the host kvm at a")
        for uri in ("qemu+tls://example.org.site/system", "qemu:///system", "qemu+tls://example/system"):
            self.config.write_text(f"hosts: [{{name: kvm, uri: '{uri}'}}]\n")
            self.check(evenkeeld("-c", self.config, "--check"), 0, err="")

    def test_rules(self):
        """Hosts that are not there, and rules that contradict each other: warned of, with file and
        line, and no error of the file."""
        result = self.check_files(policy="""rules:
  - {name: licensed, kind: pin, domains: ["db-*"], hosts: [h1, h9]}
  - {name: elsewhere, kind: avoid, domains: [db-1], hosts: [h1]}
  - {name: apart, kind: anti_affinity, domains: [a, b], topology: row}
""")
        self.check(result, 0, "good")
        self.assertEqual(result.err, "".join(f"evenkeeld: warning: {self.policy}:{line}\n" for line in (
            '2: rule licensed: found the unknown host "h9", expected known ones',
            "4: rule apart: found no host with the label row, expected some; each host counts as a "
            "row of its own",
            "3: rules elsewhere and licensed contradict each other: together they leave no host for "
            "db-1")))
        self.check(self.check_files(policy="rules: []\n"), 0, "good", "")

    def test_the_daemon_warns_of_rules(self):
        """In its log, at its start, before it has seen anything of the cluster."""
        if shutil.which("redis-server") is None:
            self.skipTest("no redis-server")
        self.check_files(f"state_dir: {self.dir}/state\n",
                         'rules: [{name: licensed, kind: pin, domains: [a], hosts: [h9]}]\n')
        process = subprocess.Popen([EVENKEELD, "-c", self.config], env=ENVIRONMENT, text=True,
                                   stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        line = next(line for line in process.stderr if "licensed" in line)
        process.terminate()
        process.stderr.read()
        process.stderr.close()
        self.assertEqual(process.wait(60), 0)
        self.assertRegex(line, rf'warning {self.policy}:1: rule licensed: found the unknown host "h9"')


class Reload(Case):
    """What SIGHUP says of the files."""

    def setUp(self):
        if shutil.which("redis-server") is None:
            self.skipTest("no redis-server")
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="ek-reload-"))
        self.addCleanup(shutil.rmtree, self.dir)
        self.config, self.policy = self.dir / "evenkeel.yaml", self.dir / "policy.yaml"
        self.write("hosts: [{name: h1, uri: 'qemu+tls://h1/system'}]\n")
        self.policy.write_text("mode: approve\n")
        self.log = []
        self.process = subprocess.Popen([EVENKEELD, "-c", self.config], env=ENVIRONMENT, text=True,
                                        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.addCleanup(self.end)
        self.until("this balancer leads")

    def write(self, text):
        self.config.write_text(f"{text}state_dir: {self.dir}/state\n")

    def end(self):
        self.process.terminate()
        self.process.stderr.read()
        self.process.stderr.close()
        self.assertEqual(self.process.wait(60), 0)

    def until(self, text):
        """The lines of the log up to that one, each from behind its level."""
        lines = []
        for line in self.process.stderr:
            lines.append(line.split(maxsplit=2)[2].rstrip("\n"))
            if text in line:
                return lines
        self.fail(f"ended without {text!r}: {lines}")

    def reload(self, until):
        self.process.send_signal(signal.SIGHUP)
        lines = self.until(until)
        return [line for line in lines if " -> " in line]

    def test_policy(self):
        """Each key that changed, with both values; a bad file says so and changes nothing."""
        self.policy.write_text(
            "mode: recommend\ntrigger: {comfort: 50%}\nwindows: [{days: mon, from: '08:00', to: '09:00'}]\n"
            "rules: [{name: r, kind: ignore, domains: [x]}]\n")
        self.assertEqual(self.reload("policy taken over: spread, mode recommend"), [
            f"{self.policy}: {line}" for line in (
                "mode: approve -> recommend", "trigger.comfort: 0.6 -> 0.5",
                "windows[mon].days: not given -> mon", 'windows[mon].from: not given -> "08:00"',
                'windows[mon].to: not given -> "09:00"', "rules[r].name: not given -> r",
                "rules[r].kind: not given -> ignore", "rules[r].domains: not given -> [x]",
                "rules[r].enforcement: not given -> must")])
        self.policy.write_text("mode: automatic\ntrigger: {comfort: 2}\nlimits: {cluster: 0}\n")
        self.assertEqual(self.reload("the values before stay in force"), [])
        self.policy.write_text("trigger: {comfort: 50%}\n")
        self.assertEqual(self.reload("policy taken over")[0].split(": ", maxsplit=1)[1],
                         "windows[mon].days: mon -> not given")
        self.process.send_signal(signal.SIGHUP)
        self.until("nothing has changed in the files")

    def test_configuration(self):
        """The same of evenkeel.yaml, before the daemon starts anew with it."""
        self.write("hosts: [{name: h1, uri: 'qemu+tcp://h1/system'}, {name: h2, uri: 'qemu+tls://h2/system'}]\n"
                   "intervals: {evaluate: 90s}\n")
        self.assertEqual(self.reload("has changed: starting anew"), [
            f"{self.config}: {line}" for line in (
                'hosts[h1].uri: "qemu+tls://h1/system" -> "qemu+tcp://h1/system"',
                "intervals.evaluate: 1m -> 90s", "hosts[h2].name: not given -> h2",
                'hosts[h2].uri: not given -> "qemu+tls://h2/system"')])
        self.until("this balancer leads")


class Unreadable(Case):
    """A move of a kind that this version does not know, in a Redis that outlives the daemon."""

    def setUp(self):
        if shutil.which("redis-server") is None or shutil.which("redis-cli") is None:
            self.skipTest("no redis-server")
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="ek-unreadable-"))
        self.addCleanup(shutil.rmtree, self.dir)
        self.socket = self.dir / "redis.sock"
        self.start(["redis-server", "--port", "0", "--unixsocket", str(self.socket), "--save", "",
                    "--dir", str(self.dir)], stdout=subprocess.DEVNULL)
        self.until("Redis", lambda: self.redis("PING") == "PONG")
        config = self.dir / "evenkeel.yaml"
        config.write_text("hosts: [{name: h1, uri: 'qemu+tls://h1/system'}]\n"
                          f"state_dir: {self.dir}/state\ntimeouts: {{lease: 3s}}\n"
                          f"redis: {{mode: external, url: 'unix://{self.socket}', command_timeout: 2s}}\n")
        (self.dir / "policy.yaml").write_text("mode: approve\n")
        self.config = config

    def start(self, words, **more):
        """A process that ends with the test."""
        process = subprocess.Popen(words, env=ENVIRONMENT, stdin=subprocess.DEVNULL, **more)
        self.addCleanup(lambda: (process.terminate(), process.wait(60)))
        return process

    def redis(self, *words):
        done = subprocess.run(["redis-cli", "-s", str(self.socket), *words], text=True, check=False,
                              capture_output=True, timeout=20)
        return done.stdout.strip()

    def until(self, what, condition, log=None):
        """Waits for it."""
        end = time.monotonic() + 30
        while not condition():
            if time.monotonic() > end:
                self.fail(f"not within 30 s: {what}: {log.read_text() if log else ''}")
            time.sleep(0.02)

    def test_the_lease_is_given_back(self):
        """Who cannot read what is there keeps nobody else from leading, and leads once it can."""
        record = '{"version":1,"order":{"kind":"teleport"}}'
        self.redis("HSET", "evenkeel:move:p-1", "version", "1", "json", record, "state", "running",
                   "attempt", "1", "epoch", "1")
        for name in ("open", "blocking"):
            self.redis("SADD", f"evenkeel:moves:{name}", "p-1")
            log = self.dir / f"log-{name}"
            with log.open("w", encoding="utf-8") as out:
                process = self.start([EVENKEELD, "-c", str(self.config)], stderr=out)
            self.until("it says what it cannot read", lambda: "move:p-1" in log.read_text(), log)
            self.until("another can take the lease", lambda: self.redis(
                "SET", "evenkeel:leader", "another", "NX", "PX", "2000") == "OK", log)
            self.assertNotIn("this balancer leads", log.read_text())
            self.redis("SREM", f"evenkeel:moves:{name}", "p-1")
            self.until("it leads", lambda: "this balancer leads" in log.read_text(), log)
            process.terminate()
            self.assertEqual(process.wait(60), 0)


if __name__ == "__main__":
    unittest.main()
