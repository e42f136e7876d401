"""The examples of docs/commands.md: those that need no cluster print what stands there, the tables of
a cluster have the columns that stand there, and all others are at least understood.

`examples.py --update` rewrites what they print (review it); any unittest argument works, too. A line
`...` stands for any number of lines."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from harness import ENVIRONMENT, EVENKEEL, Case, WithWorld, evenkeel

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEXT = ROOT / "docs/commands.md"
UPDATE = "--update" in sys.argv
INDENT = "    "


class Example:
    """A line that begins with "$ " in an indented block, and what it prints."""

    def __init__(self, lines, first):
        self.indent = lines[first].index("$")
        self.command = lines[first].strip()[2:]
        self.begin = self.end = first + 1
        while self.end < len(lines) and self._goes_on(lines, self.end):
            self.end += 1
        while not lines[self.end - 1].strip():
            self.end -= 1
        self.printed = [line[self.indent:] for line in lines[self.begin:self.end]]

    def _goes_on(self, lines, at):
        """Blank lines belong to it when the block goes on after them."""
        rest = next((line for line in lines[at:] if line.strip()), "")
        return rest.startswith(" " * self.indent) and not rest.strip().startswith("$ ")

    def alone(self):
        """It needs nothing but files that are here."""
        return "--snapshot tests/" in self.command or \
            self.command.split()[:2] in (["evenkeel", "states"], ["evenkeel", "simulate"])

    def fits(self, printed):
        """Whether that is what stands there. Ids are others with every new key of a policy."""
        there, printed = (re.sub(r"\bplan [0-9a-f]{16}\b", "plan ID", "\n".join(lines))
                          for lines in (self.printed, printed))
        return re.fullmatch(r"(\n[^\n]*)*".join(map(re.escape, there.split("\n..."))), printed)


def examples():
    lines = TEXT.read_text().splitlines()
    return [Example(lines, i) for i, line in enumerate(lines) if line.startswith(INDENT)
            and line.strip().startswith("$ evenkeel ")]


class Examples(Case):
    """In a folder with what the examples name."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="ek-examples-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        (self.folder / "evenkeel").symlink_to(pathlib.Path(EVENKEEL).resolve())
        (self.folder / "tests").symlink_to(ROOT / "tests")
        shutil.copy(ROOT / "conf/policy.yaml", self.folder)

    def run_it(self, command, **more):
        """As a shell does; both streams in one, as on a terminal."""
        path = f"{self.folder}:{os.environ['PATH']}"
        return subprocess.run(["bash", "-c", command], cwd=self.folder, text=True, check=False,
                              env={**ENVIRONMENT, "PATH": path, **more}, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)

    def test_what_they_print(self):
        """To the byte."""
        lines = TEXT.read_text().splitlines()
        alone = [it for it in examples() if it.alone()]
        self.assertGreater(len(alone), 6)
        for it in reversed(alone):
            done = self.run_it(it.command)
            printed = done.stdout.splitlines()
            if UPDATE and not it.fits(printed):
                lines[it.begin:it.end] = [(" " * it.indent + line).rstrip() for line in printed]
            with self.subTest(it.command):
                self.assertTrue(UPDATE or it.fits(printed), f"{done.stdout}--update rewrites it")
            if lines[it.end].strip() == "$ echo $?":
                self.assertEqual(lines[it.end + 1].strip(), str(done.returncode), it.command)
        if UPDATE:
            TEXT.write_text("\n".join(lines) + "\n")

    def test_that_they_are_understood(self):
        """What needs a cluster fails for want of a configuration, and of nothing else."""
        others = [it for it in examples() if not it.alone()]
        self.assertGreater(len(others), 12)
        (self.folder / "now.json").write_text("{")
        for it in others:
            with self.subTest(it.command):
                said = self.run_it(it.command, EVENKEEL_CONFIG="none.yaml").stdout
                self.assertRegex(said, r"none\.yaml: found no readable file|day\.history|keener\.yaml|"
                                       r"today\.yaml")

    def test_help(self):
        """The document begins with what --help prints."""
        for line in evenkeel("--help").out.splitlines():
            self.assertIn((INDENT + line).rstrip() + "\n", TEXT.read_text())


class Titles(WithWorld):
    """Of a cluster in a real Redis; its figures are others, its tables are the same."""

    SHOWN = ["status", "top --once", "hosts", "hosts h1", "domains --host h1", "maintenance status",
             "history -n 3", "history --plans -n 2"]

    @staticmethod
    def titles(lines):
        """Columns of all tables."""
        word = r"[A-Z][A-Z /]*"
        return [re.split(" {2,}", line.strip()) for line in lines
                if re.fullmatch(rf"{word}(  +{word})+", line.strip())]

    def test_titles(self):
        for line in ("samples", "moves", "balancer automatic 5 -", "drain h2 blocked 1 no room"):
            self.world.tell(line)
        self.world.redis("SET", "evenkeel:maintenance:h2", "")
        self.world.redis("XADD", "evenkeel:plans", "*", "version", "1", "id", "p1", "fate", "done",
                         "at_ms", "1764000000000")
        by_command = {it.command: it for it in examples()}
        for words in self.SHOWN:
            with self.subTest(words):
                result = self.world.run(*words.split())
                self.check(result, 0)
                found = self.titles(result.out.splitlines())
                self.assertEqual(self.titles(by_command[f"evenkeel {words}"].printed), found)
                self.assertGreater(len(found), 0)


if __name__ == "__main__":
    unittest.main(argv=[argument for argument in sys.argv if argument != "--update"])
