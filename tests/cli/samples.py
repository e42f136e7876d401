"""evenkeel samples: the history of hosts goes to a file and comes from one."""

import pathlib
import shutil
import tempfile
import unittest
import zlib

from harness import Fresh

HEAD = b"evenkeel history 1\n"
HOUR_MS = 3600000
UUID = "00000000-0000-4000-8000-000000000001"


class Samples(Fresh):
    """One Redis for all; each test begins with an empty one, and a folder."""

    def setUp(self):
        super().setUp()
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
        self.assertEqual(said, "wrote 800 samples of 2 hosts, 1600 of domains, 0 profiles\n")
        self.world.redis("FLUSHALL")
        for _ in range(2):
            result = self.world.run("samples", "import", self.file)
            self.check(result, 0, err="")
            self.assertEqual(result.out, "read 800 samples of 2 hosts, 1600 of domains, 0 profiles\n")
        again = self.folder / "again"
        self.check(self.world.run("samples", "export", again), 0)
        self.assertEqual(again.read_bytes(), self.file.read_bytes())

    def test_one_host(self):
        self.world.tell("history 20")
        result = self.world.run("samples", "export", self.file, "h2", "--json")
        self.check(result, 0, err="")
        self.assertEqual(result.json(),
                         {"version": 1, "hosts": 1, "samples": 20, "domain_samples": 0, "profiles": 0})
        self.check(self.world.run("samples", "export", self.file, "h9"), 2,
                   err='evenkeel: found the unknown host "h9", expected one of: h1, h2, h3\n')

    def test_nothing_to_write(self):
        """No file is made, and none is lost, for nothing."""
        self.refused(self.world.run("samples", "export", self.file), 3, "no samples of any host")
        self.assertFalse(self.file.exists())
        self.export()
        before = self.file.read_bytes()
        self.refused(self.world.run("samples", "export", self.file, "h3", "--json"), 3,
                     "nothing to write: Redis has no samples of these hosts", f"{self.file} is left")
        self.assertEqual(self.file.read_bytes(), before)

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
        for words in (("snapshot",), ("samples", "export", self.file)):
            self.check(self.world.run(*words, "--anonymise", ""), 2,
                       err="found nothing, expected a word that nobody else knows")
        self.check(self.world.run("samples", "import", self.file, "--anonymise", "x"), 2,
                   err="--anonymise goes with export only")

    def live(self, hours):
        """h1 and web-1 live through these hours; returns the last one, since 1970."""
        self.world.tell("samples")
        self.world.tell(f"hours {hours}")
        profile = self.world.run("samples", "profile", "h1", "--json").json()
        return profile["until_ms"] // HOUR_MS - 1

    def test_profile(self):
        """Each hour of the week has its own figures, of host and domain, by name and UUID."""
        last = self.live(30)
        known = {(hour + 72) % 168: hour % 24 for hour in range(last - 29, last + 1)}
        for words, kind, mib in (["h1"], "host", 4096), (["web-1"], "domain", 2148), ([UUID], "domain", 2148):
            result = self.world.run("samples", "profile", *words, "--json")
            self.check(result, 0, err="")
            profile = result.json()
            self.assertEqual((profile["kind"], profile["percentile"]), (kind, 95))
            self.assertEqual(profile.get("uuid"), UUID if kind == "domain" else None)
            for hour in range(168):
                cores = known.get(hour)
                self.assertEqual(profile["cpu_weeks"][hour], int(hour in known))
                mean = profile["cpu_mean_cores"][hour]
                self.assertEqual(mean, None if cores is None else round(cores * 7 / 6, 2))
                self.assertEqual(profile["cpu_high_cores"][hour],
                                 None if cores is None else 2 * cores)
                self.assertEqual(profile["memory_mean_mib"][hour], mib if hour in known else None)

    def test_profiles_go_along(self):
        """Export and import take profiles with them; what is known better there stays."""
        self.live(30)
        said = self.world.run("samples", "export", self.file)
        self.check(said, 0, err="")
        self.assertEqual(said.out, "wrote 196 samples of 1 host, 196 of domains, 2 profiles\n")
        before = [self.world.run("samples", "profile", name).out for name in ("h1", UUID)]
        self.world.redis("FLUSHALL")
        self.world.tell("samples")
        for _ in range(2):
            self.check(self.world.run("samples", "import", self.file), 0, err="")
            after = [self.world.run("samples", "profile", name).out for name in ("h1", UUID)]
            self.assertEqual(after, before)
        self.world.redis("SET", f"evenkeel:profile-domain:{UUID}", "nonsense")
        said = self.world.run("samples", "export", self.folder / "again")
        self.check(said, 0, err="warning: passed over: ")
        self.assertIn(", 1 profile", said.out)

    def test_profiles_under_other_names(self):
        """A profile goes by the name that its samples have, and not by its old one."""
        self.live(3)
        said = self.world.run("samples", "export", self.file, "--anonymise", "a long word")
        self.assertIn(", 2 profiles", said.out)
        snapshot = self.world.run("snapshot", "--anonymise", "a long word").json()
        data = self.file.read_bytes()
        self.assertNotIn(bytes.fromhex(UUID.replace("-", "")), data)
        self.assertNotIn(b"\x04h1", data)
        uuids = [d["uuid"] for d in snapshot["domains"]
                 if bytes.fromhex(d["uuid"].replace("-", "")) in data]
        self.assertEqual(len(uuids), 1)
        self.check(self.world.run("samples", "import", self.file), 0, err="")
        self.check(self.world.run("samples", "profile", uuids[0]), 0, out="3 of 168 hours")

    def test_a_bad_profile_in_a_file(self):
        self.live(3)
        self.check(self.world.run("samples", "export", self.file, "h1"), 0)
        data = self.file.read_bytes()
        size = int.from_bytes(data[19:23], "little")
        frame = data[19:27 + size]
        count = (2).to_bytes(4, "little")
        bad = b"\x01\0\0\x80" + zlib.crc32(b"\x09").to_bytes(4, "little") + b"\x09"
        self.refuse(HEAD + frame + bad + bytes(4) + count,
                    " profile 2: byte 0: found 9, expected version 1 or 2")

    def test_profile_as_a_table(self):
        """Hours below each other, days side by side, 80 columns wide at most."""
        last = self.live(30)
        result = self.world.run("samples", "profile", "web-1")
        self.check(result, 0, err="")
        lines = result.out.splitlines()
        self.assertIn(f"domain web-1 ({UUID}): 30 of 168 hours of the week are known, until ", lines[0])
        self.assertEqual(lines[4].split(), ["UTC", "MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"])
        self.assertTrue(all(len(line) <= 80 for line in lines[2:]), lines)
        hours = [line.split() for line in lines[5:29]]
        self.assertEqual([row[0] for row in hours], [f"{hour:02}" for hour in range(24)])
        self.assertEqual(sum(cell != "-" for row in hours for cell in row[1:]), 30)
        hour, day = last % 24, (last + 72) % 168 // 24
        self.assertEqual(hours[hour][1 + day], f"{hour * 7 / 6:.1f}/{hour * 2:.1f}")
        self.assertEqual(lines[30], "memory, GiB")
        self.assertEqual(lines[32 + hour].split()[1 + day], "2.10/2.10")

    def test_profile_of_nobody(self):
        """Not yet known is no error; a name that nobody has is one."""
        self.world.tell("samples")
        for name in "h2", "web-2":
            result = self.world.run("samples", "profile", name)
            self.check(result, 0, err="")
            self.assertEqual(result.out, f"no whole hour of {name} is known yet\n")
        self.check(self.world.run("samples", "profile", "nobody"), 2,
                   err='found "nobody", expected a host of the configuration, the name of a domain that '
                       "runs, or the UUID of one")
        self.world.redis("SET", f"evenkeel:profile-domain:{UUID}", "nonsense")
        self.check(self.world.run("samples", "profile", "web-1"), 1,
                   err=f"evenkeel:profile-domain:{UUID}: byte 0: found 110, expected version 1")


if __name__ == "__main__":
    unittest.main()
