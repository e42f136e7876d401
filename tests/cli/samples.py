"""evenkeel samples: the history of hosts goes to a file and comes from one."""

import pathlib
import shutil
import tempfile
import unittest
import zlib

from harness import Case, World

HEAD = b"evenkeel history 1\n"


class Samples(Case):
    """One Redis for all; each test begins with an empty one, and a folder."""

    @classmethod
    def setUpClass(cls):
        cls.world = World()
        cls.addClassCleanup(cls.world.close)

    def setUp(self):
        self.world.redis("FLUSHALL")
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="ek-samples-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.file = self.folder / "week.history"

    def export(self, minutes=400):
        self.world.tell(f"history {minutes}")
        result = self.world.run("samples", "export", self.file)
        self.check(result, 0, err="")
        return result.out

    def test_export_and_import(self):
        """What was exported comes in elsewhere, once, and gives the same file again."""
        said = self.export()
        self.assertEqual(said, "wrote 800 samples of 2 hosts, 1600 of domains\n")
        self.world.redis("FLUSHALL")
        for _ in range(2):
            result = self.world.run("samples", "import", self.file)
            self.check(result, 0, err="")
            self.assertEqual(result.out, "read 800 samples of 2 hosts, 1600 of domains\n")
        again = self.folder / "again"
        self.check(self.world.run("samples", "export", again), 0)
        self.assertEqual(again.read_bytes(), self.file.read_bytes())

    def test_one_host(self):
        self.world.tell("history 20")
        result = self.world.run("samples", "export", self.file, "h2", "--json")
        self.check(result, 0, err="")
        self.assertEqual(result.json(),
                         {"version": 1, "hosts": 1, "samples": 20, "domain_samples": 0})
        self.check(self.world.run("samples", "export", self.file, "h9"), 2,
                   err='evenkeel: found the unknown host "h9", expected one of: h1, h2, h3\n')

    def test_nothing_is_a_file_too(self):
        self.check(self.world.run("samples", "export", self.file), 0, err="")
        self.assertEqual(self.file.read_bytes(), HEAD + bytes(8))
        self.check(self.world.run("samples", "import", self.file), 0, err="")

    def refuse(self, data, said):
        """Nothing of a bad file comes in."""
        self.world.redis("FLUSHALL")
        self.file.write_bytes(data)
        result = self.world.run("samples", "import", self.file)
        self.check(result, 2, err=f"evenkeel: {self.file}{said}\n")
        self.assertEqual(self.world.redis("DBSIZE"), "0")

    def test_bad_files(self):
        """File, place, what was found and what was expected."""
        self.export()
        good = self.file.read_bytes()
        size = int.from_bytes(good[19:23], "little")
        self.refuse(b"{}", ': byte 2: found the end of the file, expected "evenkeel history 1" and a line end')
        self.refuse(b"evenkeel history 2\n", ': byte 0: found another beginning, expected '
                                             '"evenkeel history 1" and a line end')
        self.refuse(good[:-8], f": byte {len(good) - 8}: found the end of the file, expected a block, "
                               "or the end that was written")
        self.refuse(good[:100], ": byte 100: found the end of the file, expected a block to its end")
        spoilt = bytearray(good)
        spoilt[50] ^= 1
        self.refuse(bytes(spoilt), ": byte 27: found a block whose sum is another, expected the bytes "
                                   "that were written")
        self.refuse(good[:27 + size] + good[-8:], f": byte {27 + size + 8}: found the end after 1 blocks, "
                                                  "expected as many as were written")
        self.refuse(good + b"x", f": byte {len(good)}: found more, expected the end of the file")
        frame = b"\x01\0\0\0" + zlib.crc32(b"\x09").to_bytes(4, "little")
        self.refuse(HEAD + frame + b"\x09" + good[-8:],
                    " block 1: byte 0: found 9, expected version 1")

    def test_other_names(self):
        """Snapshot and history tell of the same cluster under the same names, which are no old ones."""
        self.world.tell("samples")
        self.world.tell("history 20")
        snapshot = self.world.run("snapshot", "--anonymise", "a long word")
        self.check(snapshot, 0, err="")
        self.check(self.world.run("samples", "export", self.file, "--anonymise", "a long word"), 0,
                   err="")
        data = self.file.read_bytes()
        for name in ("web-1", "db-1", "mail", "h1", "00000000-0000-4000", "ties it"):
            self.assertNotIn(f'"{name}', snapshot.out)
            self.assertNotIn(name.encode(), data)
        web = [d for d in snapshot.json()["domains"] if d["memory_mib"] == 8192
               and d["cpu_used_cores"] == 4 and d["movable"]]
        self.assertTrue(web)
        for domain in web:
            self.assertIn(domain["name"].encode(), data)
            self.assertIn(bytes.fromhex(domain["uuid"].replace("-", "")), data)
            self.assertIn(domain["host"].encode(), data)
        other = self.world.run("snapshot", "--anonymise", "another").json()
        self.assertFalse({d["name"] for d in other["domains"]} &
                         {d["name"] for d in snapshot.json()["domains"]})
        self.check(self.world.run("samples", "import", self.file, "--anonymise", "x"), 2,
                   err="--anonymise goes with export only")

    def test_usage(self):
        for words in ([], ["export"], ["list", "x"]):
            result = self.world.run("samples", *words)
            self.check(result, 2)
            self.assertIn("expected export or import, and a file", result.err)


if __name__ == "__main__":
    unittest.main()
