"""What is wrong with files: one line with file, place, found and expected, and status 2.

Tables: a row is what is done to a good document, and what the line must say."""

import copy
import json
import os
import pathlib
import tempfile
import unittest

from harness import DATA, ENVIRONMENT, EVENKEEL, Case, evenkeel

GOOD = json.loads((DATA / "level.snapshot.json").read_text())
UUIDS = [d["uuid"] for d in GOOD["domains"]]
LIMIT = "expected a number below 9007199254740992 (2^53)"
ABOVE_0 = "expected a number above 0"

# A member's value is set; the line begins with the way to it.
VALUES = [
    (("hosts", 1, "memory_mib"), -1, "found -1, " + ABOVE_0),
    (("hosts", 1, "memory_mib"), 0, "found 0, " + ABOVE_0),
    (("hosts", 0, "cpu_cores"), 0, "found 0, " + ABOVE_0),
    (("hosts", 0, "migration_mib_s"), 0, "found 0, " + ABOVE_0),
    (("hosts", 0, "cpu_used_cores"), -0.5, "found -0.5, expected a number of at least 0"),
    (("domains", 0, "vcpus"), 0, "found 0, " + ABOVE_0),
    (("domains", 1, "memory_mib"), -4096, "found -4096, " + ABOVE_0),
    (("domains", 1, "dirty_mib_s"), -1, "found -1, expected a number of at least 0"),
    (("domains", 1, "cpu_steal"), 1.5, "found 1.5, expected a number from 0 to 1"),
    (("hosts", 1, "memory_mib"), 2 ** 53, "found 9007199254740992, " + LIMIT),
    (("hosts", 1, "memory_mib"), 2 ** 53 + 1, "found 9007199254740992, " + LIMIT),
    (("domains", 0, "memory_mib"), 2 ** 53 + 2, "found 9007199254740994, " + LIMIT),
    (("domains", 0, "memory_mib"), 1e308, "found 1e+308, " + LIMIT),
    (("domains", 0, "cpu_used_cores"), 2 ** 64, "found 1.8446744073709552e+19, " + LIMIT),
    (("hosts", 1, "memory_mib"), "65536", 'found "65536", ' + ABOVE_0),
    (("hosts", 1, "memory_mib"), None, "found null, " + ABOVE_0),
    (("hosts", 1, "memory_mib"), [65536], "found a list, " + ABOVE_0),
    (("hosts", 1, "state"), "off", 'found "off", expected up, stale or down'),
    (("hosts", 1, "maintenance"), "yes", 'found "yes", expected true or false'),
    (("hosts", 1, "labels"), ["rack"], "found a list, expected an object"),
    (("hosts", 1, "name"), "h1", 'found "h1", expected one that hosts[0] does not have'),
    (("hosts", 1, "name"), "", 'found "", expected a text of 1 to 127 bytes'),
    (("hosts", 1, "name"), "a\nb", 'found "a?b", expected a text without control characters'),
    (("domains", 1, "host"), "h7", 'found "h7", expected the name of one of the hosts'),
    (("domains", 1, "uuid"), UUIDS[0], f'found "{UUIDS[0]}", expected one that domains[0] does not'),
    (("domains", 1, "uuid"), "x" * 37, "expected a text of 1 to 36 bytes"),
    (("domains", 1, "networks"), "br0", 'found "br0", expected a list of texts'),
    (("hosts",), {}, "found an object, expected a list, once"),
    (("domains",), None, "found null, expected a list, once"),
    (("version",), 2, "found 2, expected 1"),
    (("taken_at_ms",), 1.5, "found 1.5, expected an integer from 0 to"),
]

# The text is changed; the line begins with line and column.
SYNTAX = [
    ('"memory_mib": 65536', '"memory_mib": NaN', "found 'N', expected a value"),
    ('"memory_mib": 65536', '"memory_mib": Infinity', "found 'I', expected a value"),
    ('"memory_mib": 65536', '"memory_mib": -Infinity', "found 'I', expected a digit"),
    ('"memory_mib": 65536', '"memory_mib": 0x10000', "found 'x', expected ',' or '}'"),
    ('"memory_mib": 65536', '"memory_mib": 065536', "found '6', expected ',' or '}'"),
    ('"memory_mib": 65536', '"memory_mib": 1' + "0" * 70, "a number of at most 63 characters"),
    ('"name": "a"', '"name": "a\0b"', "found the byte 0x00, expected an escape in its place"),
    ('"name": "a"', r'"name": "a\u0000b"', "a character other than NUL"),
    ('"name": "a"', r'"name": "\ud800"', "a character other than NUL or half a pair"),
    ('"name": "a"', '"name": "a\nb"', "found the byte 0x0A, expected an escape in its place"),
    ('"version": 1', '"version": 1, "x": ' + "[" * 200000, "at most 100 levels of brackets"),
    ('"version": 1', '"version": 1 /* one */', "found '/', expected ',' or '}'"),
    ('"version": 1,', '"version": 1,,', "found ',', expected a text in quotes"),
]

# The text is changed in ways that are good JSON.
CONTENTS = [
    ('"version": 1, ', "", "version: found nothing, expected 1"),
    ('"memory_mib": 65536', '"memory_mib": 1, "memory_mib": 2',
     "hosts[0].memory_mib: found it twice, expected it once"),
    ('"hosts"', '"hosts": [], "hosts"', "hosts: found it twice, expected it once"),
    ('"memory_mib": 65536', '"memory_mib": 1e999', "hosts[0].memory_mib: found inf, " + LIMIT),
    ('"memory_mib": 65536', '"memory_mib": -0', "hosts[0].memory_mib: found -0, " + ABOVE_0),
]

IN_FLIGHT = [
    ([("nobody", "h1", "h2")], '[0].domain: found "nobody", expected the UUID of one of the domains'),
    ([(UUIDS[0], "h1", "h9")], '[0].destination: found "h9", expected the name of one of the hosts'),
    ([(UUIDS[0], "h2", "h3")], "[0].domain: found it on h1, expected source or destination"),
    ([(UUIDS[0], "h1", "h1")], "[0]: found one host, expected two different hosts"),
    ([(UUIDS[0], "h1", "h2")] * 2,
     "[1].domain: found that of in_flight[0], expected another"),
]

RULES = [
    ("{name: x, kind: ignore, domains: [nobody]}", "rule x: found no domain"),
    ("{name: x, kind: pin, domains: [a], hosts: [h9]}", "rule x: found no host"),
    ("{name: x, kind: avoid, domains: ['*'], hosts: ['*']}", "rule x avoids every host"),
    ("{name: x, kind: pin, domains: [a], hosts: [h1]}\n"
     "  - {name: y, kind: avoid, domains: [a], hosts: [h1]}", "rule"),
    ("{name: x, kind: affinity, domains: [a, b]}\n"
     "  - {name: y, kind: anti_affinity, domains: [a, b]}", "rule"),
    ("{name: x, kind: affinity, domains: [a, b]}\n"
     "  - {name: y, kind: pin, domains: [a], hosts: [h1]}\n"
     "  - {name: z, kind: pin, domains: [b], hosts: [h2]}", "rule"),
]

POLICIES = [
    ("rules:\n  - {name: x, kind: spread, domains: ['*']}", ":2: found rule \"x\""),
    ("version: 1\nagressiveness: 3", ":2: found unknown key \"agressiveness\""),
    ("capacity: {memory_reserve: -5%}", ":1: found \"-5%\" for capacity.memory_reserve"),
    ("capacity: {memory_overcommit: 0}", ":1: found \"0\" for capacity.memory_overcommit"),
    ("cost_weight: .nan", ":1: found \".nan\" for cost_weight"),
    ("cost_weight: 1e3", ":1: found \"1e3\" for cost_weight"),
    ("resources: {cpu: {weight: 0}, memory: {weight: 0}}", ":1: "),
    ("version: 1\nversion: 1", ":2: "),
    ("version: [", ":"),
    ("a: &x 1\nb: *x", ":1: "),
    ("\0", ":1: "),
]


def changed(path, value):
    """The good document with one member set."""
    document = copy.deepcopy(GOOD)
    place = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return json.dumps(document)


def named(path):
    """hosts[1].memory_mib"""
    return "".join(f"[{k}]" if isinstance(k, int) else f".{k}" for k in path).lstrip(".")


class BadInput(Case):
    """Each is refused before anything is planned."""

    def setUp(self):
        self.dir = tempfile.TemporaryDirectory(prefix="ek-cli-")
        self.addCleanup(self.dir.cleanup)

    def file(self, name, text):
        path = pathlib.Path(self.dir.name) / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def refuse(self, text, *pieces):
        """The snapshot of that text."""
        path = self.file("bad.json", text)
        self.refused(evenkeel("plan", "--snapshot", path), 2, *pieces)

    def refuse_policy(self, text, *pieces):
        path = self.file("policy.yaml", text + "\n")
        self.refused(evenkeel("plan", "--snapshot", DATA / "level.snapshot.json", "--policy", path),
                     2, f"{path}", *pieces)

    def test_the_good_document_is_good(self):
        """What the tables change would be planned for as it is."""
        path = self.file("good.json", json.dumps(GOOD))
        self.check(evenkeel("plan", "--snapshot", path), 0, err="")
        largest = changed(("hosts", 1, "memory_mib"), 2 ** 53 - 1)
        self.check(evenkeel("plan", "--snapshot", "-", stdin=largest), 0, err="")

    def test_values(self):
        """Contents are refused with the way to the value."""
        for path, value, message in VALUES:
            with self.subTest(named(path), value=str(value)[:20]):
                self.refuse(changed(path, value), f"bad.json: {named(path)}: ", message)

    def test_syntax(self):
        """What is no JSON is refused with line and column."""
        for old, new, message in SYNTAX:
            with self.subTest(new[:40]):
                text = json.dumps(GOOD)
                self.assertIn(old, text)
                self.refuse(text.replace(old, new, 1), "bad.json:1:", message)

    def test_contents(self):
        """JSON that is not what it should be."""
        for old, new, message in CONTENTS:
            with self.subTest(new[:40]):
                text = json.dumps(GOOD)
                self.assertIn(old, text)
                self.refuse(text.replace(old, new, 1), "bad.json: " + message)

    def test_bytes(self):
        """What is no UTF-8, and what has a mark before it."""
        text = json.dumps(GOOD).encode()
        self.refuse(b"\xef\xbb\xbf" + text, "bad.json:1:1: found the byte 0xEF, expected a value")
        self.refuse(json.dumps(GOOD).encode("utf-16"), "bad.json:1:1: found the byte 0xFF")
        self.refuse(text.replace(b'"name": "a"', b'"name": "\xff"'),
                    "bad.json:1:", "found the byte 0xFF, expected UTF-8")
        self.refuse(text.replace(b'"name": "a"', b'"name": "\xc0\x80"'), "expected UTF-8")

    def test_no_documents(self):
        """Texts that are no document at all."""
        self.refuse("", ":1:1: found the end of the text, expected a value")
        self.refuse("[]", "found a list, expected an object")
        self.refuse("null", "found a single value, expected an object")
        self.refuse(json.dumps(GOOD) * 2, "expected the end of the text")

    def test_truncated_anywhere(self):
        """A text that was cut off at any place is refused with line and column."""
        text = (DATA / "level.snapshot.json").read_text().rstrip()
        for length in range(0, len(text), 37):
            line = text[:length].count("\n") + 1
            path = self.file("cut.json", text[:length])
            result = evenkeel("plan", "--snapshot", path)
            self.refused(result, 2)
            self.assertRegex(result.err, rf"cut\.json:{line}:\d+: found .*, expected ")

    def test_in_flight(self):
        """Migrations of nobody, to nowhere, and of one domain twice."""
        for flights, message in IN_FLIGHT:
            with self.subTest(message):
                hosts = GOOD["hosts"] + [{**GOOD["hosts"][0], "name": "h3"}]
                document = {**GOOD, "hosts": hosts, "in_flight": [
                    {"domain": d, "source": s, "destination": t} for d, s, t in flights]}
                self.refuse(json.dumps(document), "bad.json: in_flight" + message)

    def test_rules_without_sense(self):
        """A rule over nothing, and must rules that contradict each other."""
        for rules, message in RULES:
            with self.subTest(rules):
                self.refuse_policy("rules:\n  - " + rules, ": " + message)

    def test_rule_that_a_domain_carries(self):
        """It is the snapshot's fault, even when a policy is given."""
        text = changed(("domains", 0, "rules"), ["ignored"])
        self.refuse(text, 'bad.json: domain a: found the rule "ignored", expected')
        policy = self.file("policy.yaml", "rules: [{name: x, kind: ignore, domains: [b]}]\n")
        self.refused(evenkeel("plan", "--snapshot", "-", "--policy", policy, stdin=text), 2,
                     "standard input: domain a: ")

    def test_policies(self):
        """A policy is refused with its line."""
        for text, message in POLICIES:
            with self.subTest(text):
                self.refuse_policy(text, message)

    def test_no_files(self):
        """What cannot be read says why."""
        good = DATA / "level.snapshot.json"
        self.refused(evenkeel("plan", "--snapshot", "/no/such.json"), 2,
                     "/no/such.json", "No such file")
        self.refused(evenkeel("plan", "--snapshot", "/tmp"), 2, "/tmp: cannot read it")
        self.refused(evenkeel("plan", "--snapshot", good, "--policy", "/no/such"), 2, "/no/such")


class Large(Case):
    """The stated limit is 128 MiB."""

    def peak_mib(self, *words, stdin=None):
        """Status, standard error, and the most memory that the command had."""
        with tempfile.TemporaryFile() as err:
            pid = os.posix_spawn(
                EVENKEEL, [EVENKEEL, *words], ENVIRONMENT,
                file_actions=[(os.POSIX_SPAWN_OPEN, 0, stdin or "/dev/null", os.O_RDONLY, 0),
                              (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0),
                              (os.POSIX_SPAWN_DUP2, err.fileno(), 2)])
            _, status, usage = os.wait4(pid, 0)
            err.seek(0)
            return (os.waitstatus_to_exitcode(status), err.read().decode(),
                    usage.ru_maxrss / 1024)

    def test_file_above_the_limit_is_not_read(self):
        """A file of holes, a TiB long: refused by its size, in no more memory than a small one."""
        with tempfile.NamedTemporaryFile(prefix="ek-cli-") as file:
            os.truncate(file.name, 1 << 40)
            status, said, peak = self.peak_mib("plan", "--snapshot", file.name)
        small = self.peak_mib("plan", "--snapshot", str(DATA / "level.snapshot.json"))[2]
        self.assertEqual(status, 2)
        self.assertEqual(said, f"evenkeel: {file.name}: found more than 128 MiB, "
                               "the limit of a snapshot\n")
        self.assertLess(peak, small + 20)

    def test_one_byte_above_the_limit(self):
        """The limit is exact: a byte more is too large, a byte less is read (and is no JSON)."""
        with tempfile.NamedTemporaryFile(prefix="ek-cli-") as file:
            os.truncate(file.name, (128 << 20) + 1)
            self.refused(evenkeel("plan", "--snapshot", file.name), 2, "128 MiB", "limit")
            os.truncate(file.name, 128 << 20)
            self.refused(evenkeel("plan", "--snapshot", file.name), 2, ":1:1: found the byte 0x00")

    def test_endless_input(self):
        """What has no size is read up to the limit and no further."""
        status, said, _ = self.peak_mib("plan", "--snapshot", "-", stdin="/dev/zero")
        self.assertEqual(status, 2)
        self.assertIn("standard input: found more than 128 MiB", said)


if __name__ == "__main__":
    unittest.main()
