"""evenkeel against a cluster in a real Redis; its samples, moves and statuses are the product's own."""

import json
import re
import shutil
import socket
import time
import unittest

from harness import Fresh, evenkeel

ANSI = "\033"


class Online(Fresh):
    """What its tests share."""

    def run_json(self, *words, status=0):
        """The document alone is on standard output."""
        result = self.world.run(*words, "--json")
        self.check(result, status)
        self.assertEqual(result.json()["version"], 1)
        return result.json()

    def fill(self):
        self.world.tell("samples")
        self.world.tell("balancer automatic 5 -")


class Hosts(Online):
    def test_json(self):
        """Hosts are the snapshot's, with utilization by the planner's own rule."""
        self.fill()
        document = self.run_json("hosts")
        h1, h2, h3 = document["hosts"]
        self.assertEqual([h1["name"], h2["name"], h3["name"]], ["h1", "h2", "h3"])
        self.assertEqual([h1["state"], h3["state"]], ["up", "down"])
        # base = 12.5 - (4 + 4 + 4) cores; then base and demand over 16 cores.
        self.assertAlmostEqual(h1["utilization"]["cpu"], 12.5 / 16)
        self.assertAlmostEqual(h2["utilization"]["cpu"], 1.5 / 16)
        self.assertEqual([h1["domains"], h1["allocated_vcpus"], h1["allocated_mib"]],
                         [3, 12, 3 * 8192])
        self.assertNotIn("utilization", h3)
        self.assertAlmostEqual(document["imbalance"]["cpu"], (12.5 - 1.5) / 16 / 2)

    def test_order_of_the_file(self):
        """Hosts are shown by name; maintenance stays with its host however the file lists them."""
        self.fill()
        self.world.redis("SET", "evenkeel:maintenance:h3", "new disks")
        lines = self.world.config.read_text().splitlines(keepends=True)
        other = self.world.dir / "other-order.yaml"
        other.write_text("".join(lines[:2] + lines[4:1:-1] + lines[5:]))
        result = evenkeel("-c", other, "hosts")
        self.check(result, 0, err="")
        self.assertRegex(result.out, r"(?m)^h3 +down .* wanted: new disks$")

    def test_table(self):
        self.fill()
        self.world.redis("SET", "evenkeel:maintenance:h2", "new disks")
        self.world.tell("drain h2 evacuating 1 -")
        result = self.world.run("hosts")
        self.check(result, 0, err="")
        rows = result.out.splitlines()
        self.assertRegex(rows[1], r"^h1 +up +\[########\.\.\]  78 % +\[######\.\.\.\.\]  61 % +16 "
                                  r"+32\.0 +3 +12 +24\.0  -$")
        self.assertRegex(rows[2], r"evacuating: new disks$")
        self.assertRegex(rows[3], r"^h3 +down +-( +-)+$")
        self.assertRegex(rows[-1], r"^imbalance .*cpu 0\.000, memory 0\.000$")  # h1 counts alone
        self.assertNotIn(ANSI, result.out)

    def test_nothing_seen(self):
        """No imbalance of 0, and no comfort, where no host can be read."""
        self.check(self.world.run("hosts"), 0, out="the imbalance is not known")
        self.assertNotIn("imbalance", self.world.run("hosts", "--json").json())
        self.check(self.world.run("plan"), 0, out="nothing to move: no host can be seen")

    def test_json_of_one(self):
        """NUMA cells and storage pools, as the collector saw them; what is not known is absent."""
        self.fill()
        document = self.run_json("hosts", "h1")
        host, = document["hosts"]
        self.assertEqual(host["name"], "h1")
        self.assertIn("imbalance", document)
        self.assertEqual(host["numa_cells"],
                         {"0": {"cpus": 8, "memory_mib": 16384, "free_mib": 1024},
                          "1": {"cpus": 8, "memory_mib": 16384}})
        self.assertEqual(host["storage_pools"],
                         {"default": {"type": "dir", "target": "/srv/vms", "capacity_mib": 102400,
                                      "allocation_mib": 51200, "available_mib": 46080},
                          "ceph": {"type": "rbd", "source": "vms"}})
        self.assertEqual(host, self.run_json("hosts")["hosts"][0])

    def test_table_of_one(self):
        self.fill()
        result = self.world.run("hosts", "h2")
        self.check(result, 0, err="")
        lines = result.out.splitlines()
        self.assertRegex(lines[1], r"^h2 +up ")
        self.assertEqual(lines[2:], [
            "",
            "hypervisor  QEMU 7.2.22",
            "networks    br0, lan",
            "",
            "NUMA CELL  CPUS  MEM GIB  FREE GIB",
            "0             8     16.0       1.0",
            "1             8     16.0         -",
            "",
            "STORAGE POOL  TYPE  TARGET    SOURCE    GIB  ALLOCATED GIB  LEFT GIB",
            "default       dir   /srv/vms  -       100.0           50.0      45.0",
            "ceph          rbd   -         vms         -              -         -"])

    def test_one_without_a_sample(self):
        """Nothing is known of a host that was never seen: its row says so."""
        self.fill()
        result = self.world.run("hosts", "h3")
        self.check(result, 0, err="")
        self.assertEqual(len(result.out.splitlines()), 2)
        self.refused(self.world.run("hosts", "h4"), 2, '"h4"', "h1, h2, h3")


class Domains(Online):
    def test_json(self):
        self.fill()
        domains = self.run_json("domains")["domains"]
        self.assertEqual([d["name"] for d in domains], ["db-1", "web-1", "web-2", "mail"])
        self.assertEqual([d["host"] for d in domains], ["h1", "h1", "h1", "h2"])
        self.assertFalse(domains[0]["movable"])
        self.assertEqual(domains[2]["dirty_mib_s"], 12.5)

    def test_table_of_one_host(self):
        self.fill()
        self.world.tell("moves")
        result = self.world.run("domains", "--host", "h1")
        self.check(result, 0, err="")
        rows = result.out.splitlines()
        self.assertEqual(len(rows), 4)
        self.assertRegex(rows[1], r"^db-1 .*no: a host device ties it to its host$")
        self.assertRegex(rows[2], r"^web-1 +h1 +4 +4\.00 +4\.00 +6000 +8192 +6100 +-  migrates to h2$")
        self.assertRegex(rows[3], r"^web-2 .* 12\.5  yes$")

    def test_unknown_host(self):
        self.refused(self.world.run("domains", "--host", "h8"), 2, '"h8"', "h1, h2, h3")


class Snapshot(Online):
    def test_reads_back(self):
        """What `snapshot` prints `plan --snapshot` reads, and it plans what `plan` plans."""
        self.fill()
        snapshot = self.world.run("snapshot")
        self.check(snapshot, 0, err="")
        offline = evenkeel("plan", "--json", "--snapshot", "-", stdin=snapshot.out).json()
        online = self.run_json("plan")
        self.assertGreater(len(online["moves"]), 0)
        for document in (offline, online):
            del document["id"]  # counts the time of the snapshot
        self.assertEqual(offline, online)

    def test_running_move(self):
        """A move that runs is in flight in the snapshot."""
        self.fill()
        self.world.tell("moves")
        flight, = self.world.run("snapshot").json()["in_flight"]
        self.assertEqual([flight["domain"][-1], flight["source"], flight["destination"]],
                         ["1", "h1", "h2"])


class Plan(Online):
    def test_configured_policy(self):
        """The policy beside evenkeel.yaml is in force; --policy goes before it."""
        path = self.world.dir / "policy.yaml"
        self.addCleanup(path.unlink)
        self.fill()
        path.write_text("version: 1\naggressiveness: 1\n")
        self.assertEqual(self.run_json("plan")["moves"], [])
        keen = self.world.dir / "keen.yaml"
        keen.write_text("version: 1\n")
        self.assertGreater(len(self.run_json("plan", "--policy", keen)["moves"]), 0)
        path.write_text("version: 1\nmdoe: automatic\n")
        self.refused(self.world.run("plan"), 2, "policy.yaml:2: ")
        self.check(self.world.run("hosts"), 0, out="imbalance", err="warning: ")

    def test_tried_rules(self):
        """A policy that is tried: what its rules name and is not there is said, the plan is made."""
        self.fill()
        tried = self.world.dir / "tried.yaml"
        tried.write_text("rules:\n- {name: typo, kind: pin, domains: [web-1], hosts: [kvm9]}\n"
                         "- {name: gone, kind: avoid, domains: [nobody], hosts: [h1]}\n")
        self.check(self.world.run("plan", "--policy", tried), 0,
                   err=["warning: ", "tried.yaml: rule typo: found no host that it names",
                        "rule gone: found no domain that it is about"])

    def test_blocked_domain(self):
        """A domain whose last move ended unknown is left alone, as the balancer leaves it."""
        self.fill()
        self.world.tell("moves")
        document = self.run_json("plan", "--evacuate", "h1", status=3)
        self.assertIn("an operator must resolve",
                      {u["name"]: u["reason"] for u in document["unresolved"]}["web-2"])

    def test_evacuate(self):
        """The immovable domain keeps its host from being emptied: status 3."""
        self.fill()
        document = self.run_json("plan", "--evacuate", "h1", status=3)
        self.assertEqual([(u["name"], u.get("withheld", False)) for u in document["unresolved"]],
                         [("db-1", False), ("web-1", True), ("web-2", True)])
        self.assertEqual(document["moves"], [])
        self.assertEqual(self.world.redis("KEYS", "evenkeel:maintenance:*"), "")


class Status(Online):
    def test_mistyped_maintenance(self):
        """A key for a name that is no host is warned of by all who show maintenance."""
        self.fill()
        self.world.redis("SET", "evenkeel:maintenance:kvm3", "")
        for words in (("status",), ("maintenance", "status"), ("status", "--json")):
            self.check(self.world.run(*words), 0,
                       err='a maintenance key is set for "kvm3", which is no host')

    def test_nothing_runs(self):
        """Without a balancer's status the first line says so."""
        result = self.world.run("status")
        self.check(result, 0, ["host h3 is down", "no sample"], err="")
        self.assertRegex(result.out, r"\Abalancer +none: ")
        self.assertNotIn("balancer", self.run_json("status"))

    def test_whose_a_lost_host_is(self):
        """The collector that took a host's last sample is known when the sample is not."""
        self.world.redis("SET", "evenkeel:sampled-by:h3", "mon-2:77")
        self.check(self.world.run("status"), 0,
                   ["no sample of it is there; the collector mon-2:77 took the last one"], err="")

    def test_why_a_host_is_down(self):
        """Its collector's last error stands where the host does; one of a host that is up by now
        does not."""
        self.fill()
        at_ms = int(time.time() * 1000) - 125000
        for host in ("h1", "h3"):
            self.world.redis("SET", f"evenkeel:unsampled:{host}", json.dumps(
                {"version": 1, "at_ms": at_ms, "collector": "mon-2:77",
                 "error": f"{host}: cannot reach 192.0.2.3 port 16514: Connection refused"}))
        why = r"h3: cannot reach 192\.0\.2\.3 port 16514: Connection refused, 2 min \d+ s ago$"
        self.assertRegex(self.world.run("status").out,
                         rf"(?m)^host h3 is down: no sample of it is there; {why}")
        for words in (["hosts"], ["top", "--once"]):
            shown = self.world.run(*words).out
            self.assertRegex(shown, rf"(?m)^h3 is not sampled: {why}")
            self.assertNotIn("h1 is not sampled", shown)
        for host in (self.run_json("status")["hosts_not_up"][0], self.run_json("hosts")["hosts"][2]):
            self.assertEqual([host["name"], host["error_at_ms"], host["collector"]],
                             ["h3", at_ms, "mon-2:77"])
            self.assertIn("Connection refused", host["error"])
        self.assertNotIn("error", self.run_json("hosts")["hosts"][0])

    def test_balancer(self):
        self.world.tell("samples")
        self.world.tell("balancer automatic 5 more than half of the hosts have no sample")
        result = self.world.run("status")
        self.check(result, 0, err="")
        for line in [r"balancer +node1:42, evenkeeld 0\.1\.0, leads \(epoch 3\), up 2 h 1 min",
                     r"heard of +\d s ago", r"mode +automatic, policy spread",
                     r"holding +more than half of the hosts have no sample",
                     r"last cycle +5: nothing to move: all is well", r"moves +0 running, 2 waiting"]:
            self.assertRegex(result.out, rf"(?m)^{line}$")
        balancer = self.run_json("status")["balancer"]
        self.assertEqual([balancer["identity"], balancer["cycles"], balancer["mode"]],
                         ["node1:42", 5, "automatic"])

    def test_moves(self):
        """Running moves with bar and ETA; those without a clear outcome with what to do."""
        self.fill()
        self.world.tell("moves")
        result = self.world.run("status")
        self.assertRegex(result.out, r"(?m)^web-1 +h1 -> h2 +balance +running +"
                                     r"\[####\.\.\.\.\.\.\]  40 %  12 s +1  p1-4$")
        self.assertRegex(result.out, r"(?m)^  web-2, h1 -> h2, unknown since .*\(move p1-3\)$")
        document = self.run_json("status")
        self.assertEqual([r["order"]["name"] for r in document["running"]], ["web-1"])
        self.assertEqual([r["order"]["name"] for r in document["blocked"]], ["web-2"])
        self.assertEqual([h["name"] for h in document["hosts_not_up"]], ["h3"])
        self.check(result, 0, out="evenkeel resolve web-2\n")

    def test_line_to_copy(self):
        """The printed line, with a host in it, puts that host into maintenance."""
        self.fill()
        line = re.search(r"(?m)^to empty a host: +redis-cli (.*)$",
                         self.world.run("status").out).group(1)
        words = line.replace("<host>", "h2").replace("''", "").split()
        self.assertEqual(words[:2], ["-s", str(self.world.socket)])
        self.world.redis(*words[2:], "")
        self.assertEqual([m["host"] for m in self.run_json("status")["maintenance"]], ["h2"])

    def test_maintenance(self):
        self.fill()
        self.world.redis("SET", "evenkeel:maintenance:h2", '{"reason": "new \\u001b[31m disks"}')
        self.world.tell("drain h2 blocked 1 no \x1b[31m room anywhere")
        result = self.world.run("status")
        self.assertRegex(result.out, r"(?m)^h2 +blocked +1 +40 s +new")
        self.check(result, 0, out="  h2: db-1: no  [31m room anywhere\n")
        self.assertNotIn(ANSI, result.out)  # a reason cannot paint the terminal


class Why(Online):
    """why and why-not on the cluster as it is."""

    def test_moves(self):
        """The same answer as for the snapshot that the cluster gives."""
        self.fill()
        live = self.run_json("why", "web-1")
        snapshot = self.world.run("snapshot").out
        offline = evenkeel("why", "web-1", "--snapshot", "-", "--json", stdin=snapshot)
        self.assertEqual(live["moves"], offline.json()["moves"])
        self.assertEqual([(m["source"], m["destination"]) for m in live["moves"]], [("h1", "h2")])

    def test_rests_bind(self):
        """A domain that rests stays for that reason; `plan` asks what would be moved, and moves it."""
        self.fill()
        moved = [m["name"] for m in self.run_json("plan")["moves"]]
        self.assertIn("web-1", moved)
        self.world.redis("SET", "evenkeel:engine", json.dumps({"version": 1, "rests": [
            {"domain": "00000000-0000-4000-8000-000000000001", "until_ms": 1 << 45,
             "moved_at_ms": 0, "repeats": 0, "avoid": "", "avoid_until_ms": 0,
             "failed_until_ms": 0, "failures": 0, "blocked": False}]}))
        stay = self.run_json("why", "web-1")["stay"]
        self.assertEqual([stay["cause"], stay["block"]], ["domain", "resting"])
        refused = self.run_json("why-not", "web-1", "h2")
        self.assertEqual([refused["verdict"], refused["block"]], ["blocked", "resting"])
        self.assertEqual([m["name"] for m in self.run_json("plan")["moves"]], moved)

    def test_blocked(self):
        """A move without a clear outcome holds its domain, in words."""
        self.fill()
        self.world.tell("moves")
        self.check(self.world.run("why", "web-2"), 0, out="an operator must resolve it")

    def test_warnings(self):
        """What keeps the plan from being carried out is said beside the answer."""
        self.world.tell("samples")
        self.check(self.world.run("why", "web-1"), 0, err="no balancer runs")
        self.world.tell("balancer recommend 5 -")
        self.check(self.world.run("why", "web-1"), 0, err="the mode is recommend")
        self.world.tell("balancer automatic 5 more than half of the hosts have no sample")
        self.check(self.world.run("why-not", "web-1", "h2"), 0,
                   err="the balancer holds: more than half")

    def test_unknown(self):
        self.fill()
        result = self.world.run("why-not", "web-1", "h8")
        self.check(result, 2, err='found the unknown host "h8", expected one of: h1, h2, h3')

    def remember(self, demand):
        """As the balancer keeps it: web-1 was seen to want that, in a float's upper half, just now."""
        history = demand + "0000" + "01" + f"{int(demand, 16) * 2:04x}" + "ffff" * 15
        self.world.redis("SET", "evenkeel:memory", json.dumps({
            "version": 1, "sustained": {"cycles": 0, "at_ms": 0, "policy": "0" * 16},
            "window_ms": 900000, "learned": [], "forecasts": [
                {"domain": "00000000-0000-4000-8000-000000000001", "cpu": history,
                 "at_ms": round(time.time() * 1000) - 30000, "memory": history}]}))

    def test_expected(self):
        """Plans are made from what the balancer expects, which `snapshot` writes down."""
        self.fill()
        snapshot = self.world.run("snapshot").json()
        self.assertNotIn("cpu_demand_cores", snapshot["domains"][0])
        self.remember("3f00")  # 0.5 cores
        domain = self.world.run("snapshot").json()["domains"][0]
        self.assertEqual(domain["cpu_used_cores"], snapshot["domains"][0]["cpu_used_cores"])
        self.assertGreater(domain["cpu_demand_cores"], 0.4)
        self.assertLess(domain["cpu_demand_cores"], domain["cpu_used_cores"])

    def test_bad_memory(self):
        """Forecasts that cannot be read are warned of, and the newest samples are planned on."""
        self.fill()
        self.world.redis("SET", "evenkeel:memory", "[")
        self.check(self.world.run("plan"), 0, err="warning: memory:1:")

    def test_bad_rests(self):
        """Rests that cannot be read are warned of, as the balancer does, and the answer is given."""
        self.fill()
        self.world.redis("SET", "evenkeel:engine", "[")
        self.check(self.world.run("why", "web-1"), 0, out="move 1: web-1",
                   err="warning: rests are not known: engine:1:")


class Maintenance(Online):
    def test_enter_and_leave(self):
        """The key is the contract: SET with the reason, DEL."""
        self.fill()
        self.check(self.world.run("maintenance", "enter", "h2", "--reason", "new disks", "--force"),
                   0, out="h2 is to be emptied", err="")
        self.assertEqual(self.world.redis("GET", "evenkeel:maintenance:h2"), "new disks")
        self.check(self.world.run("maintenance", "leave", "h2"), 0, out="h2 is used again", err="")
        self.assertEqual(self.world.redis("EXISTS", "evenkeel:maintenance:h2"), "0")
        self.check(self.world.run("maintenance", "leave", "h2"), 0, out="was not in maintenance")

    def test_json(self):
        self.fill()
        entered, = self.run_json("maintenance", "enter", "h2", "--force")["hosts"]
        self.assertEqual(entered, {"host": "h2", "wanted": True, "reason": ""})
        self.world.tell("drain h2 infeasible 1 too large")
        shown, = self.run_json("maintenance", "status")["hosts"]
        self.assertEqual(shown["status"], json.loads(
            self.world.redis("GET", "evenkeel:maintenance-status:h2")))
        left, = self.run_json("maintenance", "leave", "h2")["hosts"]
        self.assertEqual(left, {"host": "h2", "wanted": False})

    def test_status(self):
        self.fill()
        self.check(self.world.run("maintenance", "status"), 0, out="no host is in maintenance\n")
        self.world.redis("SET", "evenkeel:maintenance:h1", "")
        self.world.redis("SET", "evenkeel:maintenance:h2", "")
        self.world.tell("drain h2 evacuated 0 -")
        result = self.world.run("maintenance", "status")
        self.assertRegex(result.out, r"(?m)^h1 +wanted +- +-$")
        self.assertRegex(result.out, r"(?m)^h2 +evacuated +0 +-$")
        self.assertNotIn("h1", self.world.run("maintenance", "status", "h2").out)
        self.check(self.world.run("maintenance", "status", "h3"), 0, out="h3 is not in maintenance")

    def test_check(self):
        """The cluster as it is now: it can be emptied, for how long, and nothing is changed."""
        self.fill()
        before = self.world.redis("KEYS", "*")
        self.check(self.world.run("maintenance", "check", "h2"), 3,
                   ["h1: 8192 MiB of memory needed, 6554 MiB may still be given",
                    "would do  1639 MiB more have to be free for domains on h1"])
        roomy = self.world.dir / "roomy.yaml"
        roomy.write_text("version: 1\ncapacity: {memory_overcommit: 1.1}\n")
        self.check(self.world.run("maintenance", "check", "h2", "--policy", roomy), 0,
                   ["h2 can be emptied: 1 domain, about 10 s, between ", "mail    h2 -> h1"])
        document = self.run_json("maintenance", "check", "h1", status=3)
        stuck, = document["stuck"]
        self.assertEqual([stuck["name"], stuck["for_now"]], ["db-1", False])
        self.assertIn("has to be taken away", stuck["relaxation"]["text"])
        self.assertEqual([m["name"] for m in document["moves"]], ["web-1", "web-2"])
        self.assertEqual(self.world.redis("KEYS", "*"), before)

    def test_check_counts_what_is_under_way(self):
        """A move that runs is not made again, one of unknown outcome waits, and so does a host."""
        self.fill()
        self.world.tell("moves")
        document = self.run_json("maintenance", "check", "h1", status=3)
        self.assertEqual([document["hosts"][0][k] for k in ("domains", "leaving", "stuck")],
                         [3, 1, 2])
        self.assertEqual({s["name"]: s["for_now"] for s in document["stuck"]},
                         {"web-2": True, "db-1": False})
        self.assertEqual(document["moves"], [])
        self.world.redis("SET", "evenkeel:maintenance:h1", "")
        result = self.world.run("maintenance", "check", "h2")
        self.check(result, 3, ["h1: host is in maintenance", "would do  maintenance of h1 has to end",
                               "1 migration still runs there", "h1 is in maintenance, too"],
                   err="h2 cannot be emptied")
        self.check(self.world.run("maintenance", "check", "h3"), 3,
                   err="the host has no fresh sample")

    def test_enter_says_first_what_it_takes(self):
        """The verdict comes before the key; what cannot be emptied is refused."""
        self.fill()
        refused = self.world.run("maintenance", "enter", "h2")
        self.check(refused, 3, ["h2 cannot be emptied: 1 of 1 domain cannot leave",
                                "would do  1639 MiB more have to be free for domains on h1"],
                   err=["no key is set", "--partial", "--force"])
        self.assertEqual(self.world.redis("KEYS", "evenkeel:maintenance*"), "")
        document = self.run_json("maintenance", "enter", "h2", status=3)
        self.assertEqual([document["preflight"]["feasible"], document["hosts"]],
                         [False, [{"host": "h2", "wanted": False}]])
        (self.world.dir / "policy.yaml").write_text(
            "version: 1\ncapacity: {memory_overcommit: 1.1}\n")
        self.addCleanup((self.world.dir / "policy.yaml").unlink)
        self.check(self.world.run("maintenance", "enter", "h2"), 0,
                   ["h2 can be emptied: 1 domain, about 10 s, between ", "h2 is to be emptied"])
        self.assertEqual(self.world.redis("EXISTS", "evenkeel:maintenance:h2"), "1")

    def test_a_key_that_is_not_understood(self):
        """It still means maintenance; what of it does not count is said."""
        for value, found in (('{"reason": "x", "deadline": "90m"}', 'deadline: found "90m"'),
                             ('{"reason": "x", "deadlin": "2h"}', 'found the unknown member "deadlin"')):
            self.world.redis("SET", "evenkeel:maintenance:h2", value)
            self.check(self.world.run("maintenance", "status", "h2"), 0,
                       ["h2: its key is not understood in full: ", found])
        self.check(self.world.run("maintenance", "leave", "h2"), 0)

    def test_enter_keeps_what_a_key_says(self):
        """A key that somebody has set before keeps what the command line does not say."""
        self.world.redis("SET", "evenkeel:maintenance:h2",
                         '{"reason": "new disks", "partial": true, "deadline": "2036-12-01T18:00:00Z"}',
                         "EX", "5000")
        self.check(self.world.run("maintenance", "enter", "h2", "--force"), 0)
        key = json.loads(self.world.redis("GET", "evenkeel:maintenance:h2"))
        self.assertEqual(key, {"reason": "new disks", "deadline": "2036-12-01T18:00:00Z", "partial": True})
        self.assertGreater(int(self.world.redis("TTL", "evenkeel:maintenance:h2")), 4000)
        self.check(self.world.run("maintenance", "enter", "h2", "--force", "--reason", "old disks"), 0)
        key = json.loads(self.world.redis("GET", "evenkeel:maintenance:h2"))
        self.assertEqual([key["reason"], key["partial"]], ["old disks", True])
        self.check(self.world.run("maintenance", "leave", "h2"), 0)

    def test_enter_with_all_that_a_key_can_say(self):
        """Several hosts, a deadline from now, a part, and a key that goes by itself."""
        self.fill()
        before = time.time()
        self.check(self.world.run("maintenance", "enter", "h1", "h2", "--reason", "new disks",
                                  "--deadline", "2h", "--ttl", "3h", "--partial"), 0,
                   ["h1 is to be emptied", "h2 is to be emptied"])
        for host in ("h1", "h2"):
            key = json.loads(self.world.redis("GET", f"evenkeel:maintenance:{host}"))
            self.assertEqual([key["reason"], key["partial"]], ["new disks", True])
            left_ms = int(self.world.redis("PTTL", f"evenkeel:maintenance:{host}"))
            self.assertTrue(10_700_000 < left_ms <= 10_800_000, left_ms)
        shown = {h["host"]: h["deadline_ms"] for h in self.run_json("maintenance", "status")["hosts"]}
        self.assertTrue(all(abs(ms / 1000 - before - 7200) < 60 for ms in shown.values()), shown)
        self.check(self.world.run("maintenance", "leave", "h1", "h2"), 0,
                   ["h1 is used again", "h2 is used again"])

    def test_bad_options(self):
        for words, found in ((("enter", "h2", "--deadline", "tomorrow"), "--deadline"),
                             (("enter", "h2", "--ttl", "0s"), "--ttl"),
                             (("enter", "h2", "--reason", 256 * "x"), "255 bytes"),
                             (("leave", "h2", "--partial"), "go with enter only"),
                             (("enter", "h2", "--policy", "x.yaml"), "go with check only"),
                             (("enter",), "the name of a host")):
            self.refused(self.world.run("maintenance", *words), 2, found)
        self.assertEqual(self.world.redis("KEYS", "evenkeel:maintenance*"), "")

    def test_unknown_host(self):
        for action in ("enter", "leave", "status"):
            self.refused(self.world.run("maintenance", action, "h8"), 2, '"h8"', "h1, h2, h3")
        self.assertEqual(self.world.redis("KEYS", "evenkeel:maintenance*"), "")

    def test_warnings(self):
        """Nothing would happen: it is said, and the key is set all the same."""
        self.check(self.world.run("maintenance", "enter", "h2"), 0, err="no balancer runs")
        self.world.tell("balancer recommend 5 -")
        self.check(self.world.run("maintenance", "enter", "h2"), 0, err="the mode is recommend")
        self.assertEqual(self.world.redis("EXISTS", "evenkeel:maintenance:h2"), "1")

    def test_leave_without_balancer(self):
        """The status that nobody else would delete goes with the key."""
        self.world.redis("SET", "evenkeel:maintenance:h2", "")
        self.world.tell("drain h2 evacuated 0 -")
        self.check(self.world.run("maintenance", "leave", "h2"), 0)
        self.assertEqual(self.world.redis("KEYS", "evenkeel:maintenance*"), "")

    def test_bad_status(self):
        """A status that cannot be read is a failure that names its key."""
        self.world.redis("SET", "evenkeel:maintenance:h2", "")
        self.world.redis("SET", "evenkeel:maintenance-status:h2",
                         '{"version": 1, "state": "asleep", "domains_left": 0, "blockers": []}')
        self.refused(self.world.run("maintenance", "status"), 1, "maintenance-status:h2", "asleep")


class History(Online):
    def test_none(self):
        self.check(self.world.run("history"), 0, out="no move yet\n", err="")
        self.assertEqual(self.run_json("history")["moves"], [])

    def test_moves(self):
        """Newest first, with what is known of each."""
        self.world.tell("moves")
        moves = self.run_json("history")["moves"]
        self.assertEqual([(m["order"]["name"], m["state"]) for m in moves],
                         [("web-1", "running"), ("web-2", "unknown"), ("back-1", "rolled-back"),
                          ("done-1", "done")])
        rows = self.world.run("history").out.splitlines()
        self.assertRegex(rows[4], r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +done-1 +h1 -> h2 +balance "
                                  r"+done +12\.5 +10\.0 +87 +100 +8300 +8000 +-")
        self.assertRegex(rows[3], r"rolled-back +12\.5 +- +- +- +- +-  the destination said no")
        self.assertEqual(rows[-1], "real over predicted, median of moves: seconds 1.25 (of 1), "
                                   "downtime 0.87 (of 1), MiB 1.04 (of 1)")
        self.assertEqual(len(self.run_json("history", "-n", "2")["moves"]), 2)


class Plans(Online):
    """Plans by their fates, promises and outcomes."""

    LEVELS = {"imbalance": {"cpu": 0.3, "memory": 0.1}, "violations": 0}
    PLAN = {"version": 1, "policy": "spread", "summary": "2 moves: hot", "moves": [{}, {}],
            "before": LEVELS, "after": {"imbalance": {"cpu": 0.05, "memory": 0.1}, "violations": 0},
            "unresolved": [], "makespan_s": 40}
    VERIFIED = {"version": 1, "plan": "p1", "before": {"cpu": 0.3, "memory": 0.1},
                "predicted": {"cpu": 0.05, "memory": 0.1}, "real": {"cpu": 0.1, "memory": 0.1},
                "predicted_gain": 0.2, "gain": 0.1, "predicted_length_ms": 40000,
                "length_ms": 50000}

    def put(self, name, *fates):
        self.world.redis("SET", f"evenkeel:plan:{name}", json.dumps(self.PLAN | {"id": name}))
        for at, fate in enumerate(fates):
            self.world.redis("XADD", "evenkeel:plans", "*", "version", "1", "id", name, "fate",
                             fate, "epoch", "1", "at_ms", str(1764000000000 + 60000 * at))

    def test_none(self):
        self.check(self.world.run("history", "--plans"), 0, out="no plan yet\n", err="")
        self.check(self.world.run("history", "--shadow"), 0, out="nothing was recommended", err="")

    def test_plans(self):
        """Fate, promise and outcome in one row; --shadow has what was only recommended."""
        self.put("p0", "recommended", "lapsed")
        self.put("p1", "started", "done")
        self.world.redis("SET", "evenkeel:verified:p1", json.dumps(self.VERIFIED))
        self.put("p2", "recommended")
        rows = self.world.run("history", "--plans").out.splitlines()
        self.assertEqual(len(rows), 4)
        self.assertRegex(rows[1], r" p2 +recommended  - +2 +40\.0 +-  cpu 0\.300 -> 0\.050 +- +-  2 moves")
        self.assertRegex(rows[2], r"^2025-11-24 16:00:00  p1 +done +1 min 0 s +2 +40\.0 +50\.0  cpu 0\.300 "
                                  r"-> 0\.050 +0\.200 +0\.100  2 moves: hot$")
        shadow = self.run_json("history", "--shadow")["plans"]
        self.assertEqual([(p["id"], p["fate"]) for p in shadow],
                         [("p2", "recommended"), ("p0", "lapsed")])
        self.assertEqual(len(self.run_json("history", "--plans", "-n", "1")["plans"]), 1)

    def test_moves_with_their_plan(self):
        """The summary counts plans that were verified, and the document has them."""
        self.world.tell("moves")
        self.put("p1", "started", "done")
        self.world.redis("SET", "evenkeel:verified:p1", json.dumps(self.VERIFIED))
        self.assertTrue(self.world.run("history").out.endswith(
            "\nimbalance: fell by 0.100, was predicted to fall by 0.200 (1 plan)\n"))
        document = self.run_json("history")
        self.assertEqual(document["plans"][0]["verified"]["gain"], 0.1)
        self.assertEqual(document["real_over_predicted"]["gain"], {"median": 0.5, "plans": 1})
        self.assertEqual(document["real_over_predicted"]["seconds"], {"median": 1.25, "moves": 1})
        self.assertEqual(document["imbalance_fall"], {"predicted": 0.2, "real": 0.1, "plans": 1})
        self.world.redis("SET", "evenkeel:verified:p1", json.dumps(
            self.VERIFIED | {"predicted_gain": 0.001, "gain": -0.0108}))
        self.assertTrue(self.world.run("history").out.endswith(
            "\nimbalance: rose by 0.011, was predicted to fall by 0.001 (1 plan)\n"))
        self.assertEqual(self.run_json("history")["real_over_predicted"]["gain"], {"plans": 0})
        self.world.redis("SET", "evenkeel:verified:p1", "{}")
        self.check(self.world.run("history"), 0, err="warning: verified:p1: version")


class Redis(Online):
    """Reaching it, or not."""

    def config(self, text):
        path = self.world.dir / "other.yaml"
        path.write_text(re.sub("state_dir: .*\n", text, self.world.config.read_text()))
        return path

    def test_no_daemon(self):
        """Embedded and not running: status 1, and the question to ask."""
        path = self.config(f"state_dir: {self.world.dir}/none\n")
        for verb in ("status", "hosts", "domains", "plan", "history", "snapshot",
                     "maintenance status", "maintenance enter h1 --wait"):
            self.refused(evenkeel("-c", path, *verb.split()), 1, f"{self.world.dir}/none/redis.sock",
                         "is evenkeeld running")

    def test_external_away(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        path = self.config(f"redis: {{mode: external, url: 'redis://127.0.0.1:{port}'}}\n")
        self.refused(evenkeel("-c", path, "hosts"), 1, f"127.0.0.1:{port}", "refused",
                     f"check `redis:` in {path}")

    def test_password(self):
        """A wrong one is told as such; a right one is used and never shown."""
        self.fill()
        password = self.world.dir / "redis.password"
        path = self.config(f"redis: {{mode: external, url: 'unix://{self.world.socket}', "
                           "password_file: redis.password}\n")
        self.world.redis("CONFIG", "SET", "requirepass", "geheim")
        self.addCleanup(self.world.redis, "-a", "geheim", "CONFIG", "SET", "requirepass", "")
        password.write_text("falsch\n")
        password.chmod(0o600)
        self.check(evenkeel("-c", path, "status"), 1, err="WRONGPASS")
        password.write_text("geheim\n")
        result = evenkeel("-c", path, "status")
        self.check(result, 0, out=f"redis-cli -s {self.world.socket} --askpass SET", err="")
        self.assertNotIn("geheim", result.out)

    def test_tcp_and_prefix(self):
        """Host, port, database and prefix stand in the line to copy."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        self.world.redis("CONFIG", "SET", "port", str(port))
        self.addCleanup(self.world.redis, "CONFIG", "SET", "port", "0")
        path = self.config(f"redis: {{mode: external, url: 'redis://127.0.0.1:{port}/2', "
                           "key_prefix: 'site1:'}\n")
        self.check(evenkeel("-c", path, "maintenance", "enter", "h1", "--reason", "x"), 0)
        self.assertEqual(self.world.redis("-n", "2", "GET", "site1:maintenance:h1"), "x")
        self.check(evenkeel("-c", path, "status"), 0,
                   out=f"redis-cli -u redis://127.0.0.1:{port} -n 2 SET site1:maintenance:<host> ''")

    def test_bad_sample(self):
        """A sample that cannot be read is warned of, and its host is down."""
        self.fill()
        self.world.redis("SET", "evenkeel:host:h2", "{broken")
        result = self.world.run("hosts", "--json")
        self.check(result, 0, err=["warning: ", "host:h2"])
        self.assertEqual(result.json()["hosts"][1]["state"], "down")

    def test_configuration_by_environment(self):
        self.fill()
        self.check(evenkeel("hosts", env={"EVENKEEL_CONFIG": str(self.world.config)}), 0, out="h1")


if __name__ == "__main__":
    if shutil.which("redis-cli") is None:
        raise SystemExit(77)
    unittest.main()
