"""Every verb's --json against docs/schema: nothing undocumented is printed, nothing is documented in
vain, and a schema would notice either.

What the other tests print with --json is held against the schemas, too (harness.py)."""

import copy
import json
import pathlib
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import schemas
from harness import DATA, SKIPPED, Daemon, WithWorld, evenkeel

if schemas.jsonschema is None:
    sys.exit(SKIPPED)

WEB_2 = "00000000-0000-4000-8000-000000000002"
DRAIN = DATA / "drain.snapshot.json"
HOT, FULL = DATA / "hot-host.snapshot.json", DATA / "no-room.snapshot.json"
TOO_SMALL = ["simulate", "--hosts", "2", "--host-cores", "4", "--domains", "3", "--load", "100",
             "--days", "1.5"]

# Objects whose members are names that the cluster gives; so are those by resource.
MAPS = {"labels", "resources", "storage_pools", "outcomes"}
RESOURCES = {"cpu", "memory"}

# Everything that a collector may say.
HOST = {"name": "h2", "uuid": "4c4c4544-0000-4000-8000-000000000000", "state": "up",
        "cpu_cores": 16, "memory_mib": 32768, "cpu_used_cores": 1.5, "memory_used_mib": 2000,
        "maintenance": False, "migration_mib_s": 110,
        "resources": {"network": {"capacity": 1250, "used": 310}},
        "pressure": {"cpu_some": 0.1, "memory_some": 0.2, "memory_full": 0.3, "io_some": 0.4,
                     "io_full": 0.5},
        "numa_cells": {"0": {"cpus": 16, "memory_mib": 32768, "free_mib": 1024}},
        "storage_pools": {"ceph": {"type": "rbd", "source": "vms", "target": "/srv",
                                   "capacity_mib": 100, "allocation_mib": 60, "available_mib": 40}},
        "labels": {"rack": "r1"}, "networks": ["br0"], "storages": ["ceph"],
        "hypervisor": "QEMU 7.2.22", "cpu_model": "EPYC-Milan"}
MAIL = {"uuid": "00000000-0000-4000-8000-000000000004", "name": "mail", "paused": False, "vcpus": 4,
        "memory_mib": 8192, "cpu_used_cores": 1, "cpu_steal": 0.02, "memory_used_mib": 1000,
        "memory_rss_mib": 1100, "dirty_mib_s": 3, "dirty_measured_at_ms": 1764000000000,
        "swap_in_mib_s": 1, "local_disk_mib": 100, "movable": False, "immovable_reason": "a device",
        "resources": {"network": 12.5}, "pressure": HOST["pressure"], "labels": {"tier": "web"},
        "networks": ["br0"], "storages": ["ceph"], "devices": ["usb"],
        "rules": ["anti_affinity group=web"], "machine": "pc-q35-7.2", "cpu_model": "host",
        "cpu_demand_cores": 1.9, "cpu_noise_cores": 0.2, "memory_demand_mib": 7900,
        "memory_noise_mib": 40, "migration_factor": 1.3}
ARRIVING = {"uuid": WEB_2, "name": "web-2", "incoming": True, "vcpus": 4, "memory_mib": 8192}
COMING = {**ARRIVING, "uuid": "00000000-0000-4000-8000-00000000000a", "name": "coming"}


class Documents(WithWorld):
    """What all verbs print, gathered once."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory(prefix="ek-schema-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.documents = {}  # by row of the table
        cls.offline()
        cls.of_the_cluster()
        cls.with_a_daemon()
        cls.with_a_balancer_that_we_play()

    # ---- how they are gathered

    @classmethod
    def keep(cls, words, document):
        row = schemas.schemas().row_of(words)
        cls.documents.setdefault(row, []).append(document)

    @classmethod
    def take(cls, *words, status=0, run=None, stdin=None):
        words = [str(word) for word in words]
        result = (run or cls.world.run)(*words, "--json", stdin=stdin)
        if result.status != status:
            raise AssertionError(f"{words}: {result}")
        cls.keep(words, result.json())
        return result

    @classmethod
    def file(cls, name, text):
        path = cls.folder / name
        path.write_text(text)
        return path

    # ---- without a cluster

    @classmethod
    def offline(cls):
        """From files, and of hosts that nobody answers for."""
        rule = cls.file("rule.yaml", "rules:\n- {name: apart, kind: anti_affinity, domains: ['web-*']}\n"
                                     "- {name: here, kind: pin, domains: [web-1], hosts: [h3]}\n")
        for words in (["--explain"], ["--evacuate", "h1"]):
            cls.take("plan", "--snapshot", HOT, *words, run=evenkeel)
            cls.take("plan", "--snapshot", FULL, *words, status=3, run=evenkeel)
        cls.take("plan", "--snapshot", HOT, "--policy", rule, "--explain", run=evenkeel)
        down = json.loads(HOT.read_text())
        for host in down["hosts"]:
            host["state"] = "down"
        cls.take("plan", "--snapshot", "-", stdin=json.dumps(down), run=evenkeel)
        for words in (("why", "web-2"), ("why", "web-6"), ("why-not", "web-2", "h3"),
                      ("why-not", "web-2", "h1"), ("why-not", "web-6", "h2")):
            cls.take(*words, "--snapshot", HOT, run=evenkeel)
        cls.take("why-not", "db-1", "h2", "--snapshot", FULL, run=evenkeel)
        room_for_one = json.loads(FULL.read_text())
        room_for_one["hosts"][1]["memory_mib"] += 20480
        for domain in ("db-1", "web-1"):
            cls.take("why-not", domain, "h2", "--snapshot", "-", stdin=json.dumps(room_for_one),
                     run=evenkeel)
        cls.take("maintenance", "check", "h1", "--snapshot", HOT, run=evenkeel)
        cls.take("maintenance", "check", "h1", "h3", "--snapshot", FULL, status=3, run=evenkeel)
        cls.take("maintenance", "check", "h1", "--deadline", "6m", "--snapshot", DRAIN, run=evenkeel)
        near = json.loads(DRAIN.read_text())
        near["hosts"][0] |= {"maintenance": True, "deadline_ms": near["taken_at_ms"] + 360000}
        cls.take("plan", "--snapshot", "-", stdin=json.dumps(near), run=evenkeel)
        cls.take(*TOO_SMALL, run=evenkeel)
        nobody = cls.file("nobody.yaml", "hosts: [{name: h1, uri: 'qemu+tcp://127.0.0.1:1/system'},"
                          "{name: h2, uri: 'qemu+tcp://127.0.0.2:1/system'}]\n")
        cls.take("doctor", "-c", nobody, status=3, run=evenkeel)
        cls.take("states", "-c", nobody, run=evenkeel)

    # ---- with one

    @classmethod
    def sample(cls, host, domains):
        now_ms = int(time.time() * 1000)
        cls.world.redis("SET", f"evenkeel:host:{host['name']}", json.dumps(
            {"version": 1, "taken_at_ms": now_ms, "period_ms": 600000, "collector": "test:1",
             "host": host, "domains": domains}))

    @classmethod
    def verify(cls, plan):
        """It brought half of what it promised."""
        cls.world.redis("SET", f"evenkeel:verified:{plan}", json.dumps(
            {"version": 1, "plan": plan, "predicted_gain": 0.2, "gain": 0.1, "length_ms": 9000,
             "predicted_length_ms": 8000, **dict.fromkeys(("before", "predicted", "real"),
                                                          {"cpu": 0.4, "memory": 0.2})}))

    @classmethod
    def of_the_cluster(cls):
        """Samples with all that may be in them, moves, hosts in maintenance; no balancer leads."""
        world = cls.world
        world.config.write_text(world.config.read_text().replace(
            "{name: h2, ", "{name: h2, labels: {rack: r1}, "))
        cls.take("hosts")
        cls.take("samples", "profile", "h1")
        world.tell("samples")
        world.tell("moves")
        cls.verify("p1")
        cls.sample(HOST, [MAIL, ARRIVING, COMING])
        world.redis("SET", "evenkeel:unsampled:h3", json.dumps(
            {"version": 1, "at_ms": 1764000000000, "collector": "mon-2:77", "error": "h3: refused"}))
        record = json.loads(world.redis("HGET", "evenkeel:move:p1-4", "json"))
        record["preparations"] = [{"kind": "overlay", "state": "begun", "what": "/srv/web-1.qcow2",
                                   "disk": "vda", "size_mib": 100}]
        world.redis("HSET", "evenkeel:move:p1-4", "json", json.dumps(record))
        world.tell("balancer automatic 5 -")
        world.redis("SET", "evenkeel:maintenance:h2",
                    '{"reason": "disks", "deadline": "2099-12-01T18:00:00Z", "odd": 1}')
        world.tell("drain h2 blocked 1 rests after its last move")
        status = json.loads(world.redis("GET", "evenkeel:maintenance-status:h2"))
        world.redis("SET", "evenkeel:maintenance-status:h2",
                    json.dumps(status | {"deadline_ms": 4099744800000, "slack_s": -10.5, "pace": "half"}))
        sample = json.loads(world.redis("GET", "evenkeel:host:h2"))
        sample["domains"][0] |= {"emulator_mib": 100, "evacuation": "block"}
        world.redis("SET", "evenkeel:host:h2", json.dumps(sample))
        for words in (["status"], ["top"], ["hosts"], ["hosts", "h3"], ["domains"], ["snapshot"],
                      ["snapshot", "--anonymise", "word"], ["history"], ["plan", "--evacuate", "h2"],
                      ["maintenance", "status"], ["maintenance", "enter", "h3"],
                      ["maintenance", "leave", "h2"], ["maintenance", "leave", "h3"]):
            cls.take(*words, status=3 * (words[0] == "plan"))
        cls.take_stops(sample)
        twice = {**COMING, "uuid": "00000000-0000-4000-8000-00000000000b", "incoming": False}
        for name in ("h1", "h3"):
            cls.sample({**HOST, "name": name, "uuid": f"uuid-of-{name}"}, [twice])
        cls.take("snapshot")
        world.redis("DEL", "evenkeel:host:h3")
        world.tell("samples")
        world.tell("history 90")
        world.tell("hours 24")
        cls.take("samples", "profile", "h1")
        cls.take("samples", "profile", "web-1")
        cls.take("samples", "export", cls.folder / "past")
        cls.take("samples", "import", cls.folder / "past")
        cls.take("backtest", "--history", cls.folder / "past", "--policy",
                 cls.file("still.yaml", "aggressiveness: 1\n"), run=evenkeel)

    @classmethod
    def take_stops(cls, sample):
        """What is shown of domains that an evacuation saves and shuts down, before and after."""
        world = cls.world
        sample["domains"] = [sample["domains"][0] | {"evacuation": "save"}]
        world.redis("SET", "evenkeel:host:h2", json.dumps(sample))
        world.redis("DEL", "evenkeel:maintenance:h2")
        uuid = sample["domains"][0]["uuid"]
        cls.take("plan", "--evacuate", "h2")
        cls.take("maintenance", "check", "h2")
        record = json.loads(world.redis("HGET", "evenkeel:move:p1-4", "json"))
        record["order"] |= {"id": "s1-1", "kind": "shutdown", "source": "h2", "destination": "",
                            "domain": "00000000-0000-4000-8000-00000000000f", "name": "off",
                            "shutdown_timeout_ms": 180000}
        world.redis("HSET", "evenkeel:move:s1-1", "version", "1", "json",
                    json.dumps(record | {"state": "done", "preparations": []}))
        world.redis("LPUSH", "evenkeel:moves:recent", "s1-1")
        world.redis("SET", "evenkeel:maintenance:h2", "")
        status = json.loads(world.redis("GET", "evenkeel:maintenance-status:h2") or
                            '{"version": 1, "state": "evacuating", "blockers": []}')
        world.redis("SET", "evenkeel:maintenance-status:h2", json.dumps(status | {
            "stops": [{"domain": uuid, "name": "kept", "kind": "save", "running": True}]}))
        cls.take("maintenance", "status", "h2")
        cls.take("history")
        cls.take("maintenance", "leave", "h2")

    @classmethod
    def with_a_daemon(cls):
        """What a real balancer answers; it reaches no host."""
        cls.world.redis("FLUSHALL")
        cls.world.tell("samples")
        cls.world.tell("moves")
        # What wrote the records leads no more, and nothing that runs holds a plan up.
        cls.world.redis("DEL", "evenkeel:leader", "evenkeel:move:p1-4", "evenkeel:moves:open")
        daemon = Daemon(cls.world)
        cls.addClassCleanup(daemon.close)
        for words, status in ((["pause"], 0), (["cancel", "all"], 0), (["resume"], 0),
                              (["cancel", "p9"], 2), (["approve", "p9"], 3), (["reject", "p9"], 3),
                              (["abort", "p9-1"], 2),
                              (["move", "db-1", "h2"], 3), (["move", "nobody", "h2", "--wait"], 2),
                              (["resolve", "web-2"], 0), (["resolve", "mail"], 2), (["status"], 0)):
            cls.take(*words, status=status, run=daemon.run)
        world = cls.world
        daemon.until(lambda: world.redis("HGET", "evenkeel:plans:latest", "id"))
        plan = world.redis("HGET", "evenkeel:plans:latest", "id")
        cls.take("replay", plan, run=daemon.run)
        cls.take("why", "--cycle", "100", run=daemon.run)
        cls.verify(plan)
        cls.take("history", "--plans", run=daemon.run)
        cls.take("history", "--shadow", run=daemon.run)
        world.redis("SET", "evenkeel:maintenance:h1", '{"partial": true}')
        daemon.until(lambda: "order" in world.redis("GET", "evenkeel:maintenance-status:h1"))
        cls.take("maintenance", "status", run=daemon.run)
        cls.take("snapshot", run=daemon.run)
        world.redis("SET", "evenkeel:maintenance:h1", "")
        cls.take("plan", status=3, run=daemon.run)
        world.redis("DEL", "evenkeel:maintenance:h1")
        for key in ("plan", "input"):  # the plan of one, made from what another was made from
            text = world.redis("GET", f"evenkeel:{key}:{plan}")
            world.redis("SET", f"evenkeel:{key}:other", text.replace('"moves":[', '"moves":[{},')
                        if key == "plan" else text)
        cls.take("replay", "other", status=3, run=daemon.run)

    @classmethod
    def with_a_balancer_that_we_play(cls):
        """What is printed when a move that was waited for has ended."""
        cls.world.redis("FLUSHALL")
        cls.world.tell("moves")
        cls.world.tell("balancer automatic 5 -")
        player = threading.Thread(target=cls.play)
        player.start()
        cls.take("abort", "p1-4")
        cls.take("move", "web-1", "h2", "--wait", status=3)
        cls.take("maintenance", "enter", "h2", "--wait")
        player.join()

    @classmethod
    def play(cls):
        """Answers two commands, after the move in question has ended, and empties a host."""
        record = json.loads(cls.world.redis("HGET", "evenkeel:move:p1-4", "json"))
        for ident, state in (("p1-4", "cancelled"), ("m1-1", "rejected")):
            while not (entry := cls.world.redis("XRANGE", "evenkeel:command", "-", "+")):
                time.sleep(0.02)
            command = entry.split()[0]
            cls.world.redis("DEL", "evenkeel:command")
            record |= {"order": record["order"] | {"id": ident}, "state": state}
            cls.world.redis("HSET", f"evenkeel:move:{ident}", "version", "1", "json",
                            json.dumps(record))
            cls.world.redis("LPUSH", "evenkeel:moves:recent", ident)
            cls.world.redis("SET", f"evenkeel:reply:{command}", json.dumps(
                {"version": 1, "id": command, "done": True, "text": f"{ident} is what it is"}))
        while cls.world.redis("EXISTS", "evenkeel:maintenance:h2") == "0":
            time.sleep(0.02)
        cls.world.tell("drain h2 evacuated 0 -")
        cls.world.tell("empty h2")  # after the key was set
        cls.world.tell("balancer automatic 7 -")

    # ---- what they are judged by

    def test_every_verb(self):
        """The table knows the verbs that the program knows, and all of its rows were printed."""
        verbs = {line.split()[0] for line in evenkeel("--help").out.splitlines()
                 if line.startswith("  ") and line[2].isalpha()}
        rows = schemas.schemas().rows
        self.assertEqual({row[0] for row in rows}, verbs)
        self.assertEqual(set(self.documents), set(rows))
        served = schemas.schemas().requests
        self.assertEqual({name for names in [*rows.values(), *served.values()] for name in names},
                         set(schemas.schemas().files) - {"common.schema.json"})

    def test_every_member(self):
        """No member is described that nobody prints."""
        self.assertEqual(schemas.schemas().unseen(schemas.schemas().rows), [])

    def test_the_schemas_are_schemas(self):
        for name, schema in schemas.schemas().files.items():
            with self.subTest(name):
                schemas.jsonschema.Draft202012Validator.check_schema(schema)

    # ---- would they notice?

    def objects(self, value, key=""):
        """All of a document whose members are the contract's."""
        if isinstance(value, list):
            for it in value[:2]:
                yield from self.objects(it)
        elif isinstance(value, dict):
            if key not in MAPS and not set(value) <= RESOURCES:
                yield value
            for name, it in value.items():
                yield from self.objects(it, name)

    def planted(self):
        """Name of a schema, and a document of it, alone in the table with it."""
        for row, names in schemas.schemas().rows.items():
            if len(names) == 1:
                for document in self.documents[row][:2]:
                    yield names[0], copy.deepcopy(document)

    def test_a_member_too_many(self):
        """At any place of any document."""
        for name, document in self.planted():
            for it in self.objects(document):
                it["planted"] = 1
                self.assertIn("planted", schemas.schemas().fault(name, document))
                del it["planted"]
            self.assertEqual(schemas.schemas().fault(name, document), "")

    def test_a_member_too_few(self):
        """Each that is required, wherever it is; of each kind of object once."""
        for name, document in self.planted():
            schemas.schemas().fault(name, document)
            demands = {(tuple(it), member): (it, member)
                       for it, member in schemas.schemas().demands if member in it}
            self.assertGreater(len(demands), 1)
            for it, member in demands.values():
                value = it.pop(member)
                self.assertIn(repr(member), schemas.schemas().fault(name, document))
                it[member] = value

    def test_a_wrong_unit(self):
        """A text where a figure should be."""
        for name, document in self.planted():
            for it in self.objects(document):
                for member, value in list(it.items()):
                    if isinstance(value, (int, float)) and not isinstance(value, bool):
                        it[member] = "4 GiB"
                        self.assertNotEqual(schemas.schemas().fault(name, document), "")
                        it[member] = value


if __name__ == "__main__":
    if subprocess.run(["redis-cli", "--version"], capture_output=True, check=False).returncode != 0:
        sys.exit(SKIPPED)
    unittest.main()
