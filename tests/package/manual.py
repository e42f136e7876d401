#!/usr/bin/env python3
"""The manual pages: well formed, and with every verb, option and key that the programs have."""
import os
import re
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

MANUAL = Path(os.environ["MANUAL"])
ROOT = Path(__file__).resolve().parents[2]
PAGES = ("evenkeeld.8", "evenkeel.1", "evenkeel.yaml.5", "evenkeel-policy.5")


def said(*words):
    """What a command prints."""
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def page(name):
    """A page as it is read, in lines of any length."""
    shown = said("mandoc", "-T", "ascii", "-O", "width=500", MANUAL / name)
    return re.sub(".\b", "", shown)


def options(text):
    """The long options that a help names."""
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text))


def keys(section):
    """The keys of one file by docs/configuration.md, which a test holds equal to the schema."""
    text = (ROOT / "docs/configuration.md").read_text()
    part = text.split(f"\n## {section}\n")[1].split("\n## ")[0]
    return re.findall(r"(?m)^\| `([^`]+)` \|[^|]*\|[^|]*\| (?:reload|restart) \|", part)


class Manual(unittest.TestCase):
    """Laws of the pages."""

    def test_well_formed(self):
        """mandoc has nothing to warn of."""
        for name in PAGES:
            done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", MANUAL / name],
                                  capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, done.stdout), (0, ""))

    def test_every_verb(self):
        """With its whole help."""
        shown = page("evenkeel.1")
        listed = re.findall(r"(?m)^  ([a-z-]+) +\S", said(os.environ["EVENKEEL"], "--help"))
        self.assertGreater(len(listed), 20)
        for verb in listed:
            self.assertRegex(shown, rf"(?m)^ +{verb}$")
            told = said(os.environ["EVENKEEL"], verb, "--help").split("\n\n", 2)
            usage = re.sub(r"^Usage: evenkeel \[-c FILE\] \[--json\] ", "evenkeel ", told[0])
            self.assertIn(usage, shown)
            for line in "".join(told[2:]).splitlines():
                self.assertIn(line.strip(), shown)

    def test_every_option(self):
        """Of the command itself, and of the daemon."""
        for program, name in (("EVENKEEL", "evenkeel.1"), ("EVENKEELD", "evenkeeld.8")):
            told = options(said(os.environ[program], "--help"))
            self.assertGreaterEqual(len(told), 4)
            self.assertLessEqual(told, options(page(name)))

    def test_every_key(self):
        """And no other."""
        for section, name in (("evenkeel.yaml", "evenkeel.yaml.5"),
                              ("policy.yaml", "evenkeel-policy.5")):
            wanted = keys(section)
            self.assertGreater(len(wanted), 30)
            part = (MANUAL / name).read_text().split(".Ss Keys\n")[1].split("\n.S")[0]
            there = [k.replace("\\-", "-") for k in re.findall(r"(?m)^\.It Ic (.+)$", part)]
            self.assertEqual(there, wanted)


if __name__ == "__main__":
    if shutil.which("mandoc") is None:
        print("skipped: no mandoc")
        sys.exit(77)
    unittest.main(verbosity=2)
