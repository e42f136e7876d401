"""The API: the documents of the verbs, who may change what, and what happens while Redis is away."""

import concurrent.futures
import os
import re
import signal
import socket
import time
import unittest

from endpoint import TOKEN, Case, Served, World, schemas


class Api(Case):
    """One Redis and one daemon for all."""

    MORE = ", names: [evenkeel.example]"

    @classmethod
    def setUpClass(cls):
        cls.world = World()
        cls.addClassCleanup(cls.world.close)
        cls.world.tell("samples")
        cls.world.tell("history 60")
        cls.daemon = Served(cls.world, more=cls.MORE)
        cls.addClassCleanup(cls.daemon.close)

    def answered(self, answer, status, *pieces):
        """Status, and pieces of the text; of a refusal the document that all refusals are."""
        self.assertEqual(answer.status, status, answer)
        for piece in pieces:
            self.assertIn(piece, answer.body.decode(), answer)
        if status >= 400:
            document = answer.json()
            self.assertEqual([document["version"], document["done"]], [1, False])
            self.assertTrue(document["error"] and document["text"], answer)


class Documents(Api):
    """GET."""

    def test_every_document_has_its_schema(self):
        """What docs/http.md names is in the table of docs/schema, and is served; each answer is held
        against its schema (endpoint.py)."""
        text = (schemas.FOLDER.parent / "http.md").read_text()
        named = set(re.findall(r"`GET (/(?:api|healthz)[^`?]*)", text))
        self.assertGreater(len(named), 8)
        if schemas.schemas() is None:
            self.skipTest("no jsonschema")
        self.assertEqual(named, {row[1] for row in schemas.schemas().requests if row[0] == "GET"})
        for path in named:
            self.answered(self.daemon.get(path), 200)

    def test_same_as_the_verbs(self):
        """Hosts and domains are to the byte what the command prints, but for the time."""
        for verb in ("hosts", "domains"):
            document = self.daemon.get(f"/api/v1/{verb}").json()
            printed = self.daemon.run(verb, "--json").json()
            self.assertEqual({**document, "taken_at_ms": 0}, {**printed, "taken_at_ms": 0})

    def test_status(self):
        document = self.daemon.get("/api/v1/status").json()
        printed = self.daemon.run("status", "--json").json()
        self.assertEqual(set(document), set(printed))
        self.assertEqual(document["balancer"]["identity"], printed["balancer"]["identity"])
        self.assertEqual([h["name"] for h in document["hosts_not_up"]], ["h3"])

    def test_domains_of_a_host(self):
        document = self.daemon.get("/api/v1/domains?host=h2").json()
        self.assertEqual([d["name"] for d in document["domains"]], ["mail"])
        self.answered(self.daemon.get("/api/v1/domains?host=h9"), 404, 'unknown host \\"h9\\"')

    def test_events(self):
        """The newest first, no more than asked for."""
        events = self.daemon.get("/api/v1/events?limit=2").json()["events"]
        self.assertEqual(len(events), 2)
        self.assertGreaterEqual(events[0]["at_ms"], events[1]["at_ms"])
        self.assertEqual(set(events[0]), {"at_ms", "kind", "subject", "text"})
        for bad in ("0", "1001", "x", "1x", "-1"):
            self.answered(self.daemon.get(f"/api/v1/events?limit={bad}"), 400,
                          "expected a number from 1 to 1000")

    def test_series(self):
        """h1 was full and h2 idle for an hour: what is told of it is what the samples say."""
        document = self.daemon.get("/api/v1/series?hours=2").json()
        self.assertEqual(document["step_ms"], 60000)
        by_name = {host["name"]: host for host in document["hosts"]}
        known = [i for i, value in enumerate(by_name["h1"]["cpu"]) if value is not None]
        self.assertGreater(len(known), 55)
        self.assertEqual(by_name["h3"]["cpu"], [None] * 120)
        for i in known[1:-1]:
            h1, h2 = by_name["h1"]["cpu"][i], by_name["h2"]["cpu"][i]
            self.assertIn(h1, (0.9375, 0.9625, 0.9875))  # 4 domains of 3.7 to 3.9 cores, and 0.2
            self.assertAlmostEqual(h2, 0.0125)
            self.assertAlmostEqual(document["imbalance"]["cpu"][i], (h1 - h2) / 2, delta=1e-4)
            self.assertAlmostEqual(document["mean"]["cpu"][i], (h1 + h2) / 2, delta=1e-4)
            self.assertEqual(document["max"]["cpu"][i], h1)
        alone = self.daemon.get("/api/v1/series?hours=2&host=h2").json()
        self.assertEqual([host["name"] for host in alone["hosts"]], ["h2"])
        self.answered(self.daemon.get("/api/v1/series?host=h9"), 404, "h9")
        self.answered(self.daemon.get("/api/v1/series?hours=0"), 400, "from 1 to 192")

    def test_plan(self):
        """h1 is hot: the daemon has planned, and the plan is shown as it is."""
        self.daemon.until(lambda: "plan" in self.daemon.get("/api/v1/plan").json())
        document = self.daemon.get("/api/v1/plan").json()
        self.assertEqual(document["fate"], "recommended")
        self.assertIn("reason", document["plan"]["moves"][0])

    def test_health(self):
        answer = self.daemon.get("/healthz")
        self.assertEqual([answer.status, answer.json()], [200, {"version": 1, "healthy": True}])

    def test_headers(self):
        """Nothing from elsewhere, no sniffing, nothing kept."""
        headers = self.daemon.get("/api/v1/status").headers
        self.assertIn("default-src 'none'", headers["Content-Security-Policy"])
        self.assertNotIn("unsafe", headers["Content-Security-Policy"])
        self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
        self.assertEqual(headers["Cache-Control"], "no-store")
        self.assertIsNone(headers["Access-Control-Allow-Origin"])

    def test_paths_and_methods(self):
        self.answered(self.daemon.get("/api/v1/nothing"), 404, "/api/v1/nothing", "expected one of /, ",
                      "/api/v1/approve/, ")
        for path, meant in {"/api/v1/host": "GET /api/v1/hosts?", "/status": "GET /api/v1/status?",
                            "/metric": "GET /metrics?",
                            "/api/v1/maintenence/h1": "GET /api/v1/maintenance?"}.items():
            self.answered(self.daemon.get(path), 404, path, f"did you mean {meant}")
        self.answered(self.daemon.get("/../etc/passwd"), 404)
        answer = self.daemon.ask("DELETE", "/api/v1/status")
        self.answered(answer, 405, "expected GET")
        self.assertEqual(answer.headers["Allow"], "GET")
        self.assertEqual(self.daemon.get("/api/v1/pause").headers["Allow"], "POST")
        head = self.daemon.ask("HEAD", "/api/v1/status")
        self.assertEqual([head.status, head.body], [200, b""])

    def test_host_names(self):
        """A name that somebody led to our address is not ours."""
        for name in ("localhost:1", "127.0.0.1", "[::1]:80", "evenkeel.example", "EVENKEEL.example:80"):
            self.answered(self.daemon.get("/healthz", Host=name), 200)
        for name in ("evil.example", "evenkeel.example.evil", "127.0.0.1.evil", "x y", ""):
            self.answered(self.daemon.get("/healthz", Host=name), 403, "found the host name")

    def test_connections(self):
        """So many idle connections as there may be, then one more: it is dropped, and when they
        are gone all is well again."""
        idle = [socket.create_connection(("127.0.0.1", self.daemon.port)) for _ in range(60)]
        self.daemon.until(lambda: self.daemon.try_get("/healthz") is None)
        for one in idle:
            one.close()
        self.daemon.until(lambda: self.daemon.try_get("/healthz") is not None)


class Changes(Api):
    """POST and DELETE."""

    def test_maintenance(self):
        """The key is set to what the contract has, and deleted again."""
        key = "evenkeel:maintenance:h2"
        value = '{"reason": "new disks", "deadline": "2036-12-01T18:00:00Z"}'
        self.answered(self.daemon.change("/api/v1/maintenance/h2", value), 200, "h2 is to be emptied")
        self.assertEqual(self.world.redis("GET", key), value)

        def shown():
            return self.daemon.get("/api/v1/maintenance").json()["hosts"]
        self.daemon.until(lambda: shown() and "status" in shown()[0])
        self.assertEqual([shown()[0][k] for k in ("host", "wanted", "reason")],
                         ["h2", True, "new disks"])
        self.answered(self.daemon.change("/api/v1/maintenance/h2", method="DELETE"), 200, "used again")
        self.assertEqual(self.world.redis("EXISTS", key), "0")
        self.answered(self.daemon.change("/api/v1/maintenance/h2"), 200)
        self.assertEqual(self.world.redis("GET", key), "")
        self.answered(self.daemon.change("/api/v1/maintenance/h2", method="DELETE"), 200)

    def test_bad_maintenance(self):
        for body, piece in (("{", "body:1:2"), ("new disks", "body:1:1"),
                            ('{"deadline": "soon"}', "deadline"), ('{"reason": 5}', "reason"),
                            ('{"reasn": "new disks"}', 'unknown member \\"reasn\\"')):
            self.answered(self.daemon.change("/api/v1/maintenance/h2", body), 400, piece)
        self.answered(self.daemon.change("/api/v1/maintenance/h9"), 404, 'unknown host \\"h9\\"')
        self.answered(self.daemon.change("/api/v1/maintenance/h2", "x" * 5000), 413, "4096 bytes")
        self.assertEqual(self.world.redis("EXISTS", "evenkeel:maintenance:h2", "evenkeel:maintenance:h9"),
                         "0")

    def test_commands(self):
        """They are the balancer's own answers."""
        answer = self.daemon.change("/api/v1/pause")
        self.answered(answer, 200)
        self.assertTrue(answer.json()["done"])
        self.daemon.until(lambda: self.daemon.get("/api/v1/status").json()["balancer"]["paused"])
        self.answered(self.daemon.change("/api/v1/resume"), 200)
        self.answered(self.daemon.change("/api/v1/abort/p1-9"), 404, "no move with the id p1-9")
        self.answered(self.daemon.change("/api/v1/cancel/p9"), 404, "p9")
        self.answered(self.daemon.change("/api/v1/abort/"), 404, "did you mean POST /api/v1/abort/NAME?")
        self.answered(self.daemon.change("/api/v1/abort/" + "x" * 200), 400, "expected 1 to 127")
        self.assertIn("HTTP, from 127.0.0.1: pause:", self.daemon.log.read_text())

    def refused_everywhere(self, status, piece, **how):
        """Every change says no, and nothing is changed."""
        for path, method in (("pause", "POST"), ("cancel/all", "POST"), ("abort/p1-1", "POST"),
                             ("maintenance/h1", "POST"), ("maintenance/h1", "DELETE")):
            answer = self.daemon.change(f"/api/v1/{path}", method=method, **how)
            self.answered(answer, status, piece)
        self.assertEqual(self.world.redis("EXISTS", "evenkeel:maintenance:h1"), "0")
        self.assertEqual(self.daemon.get("/api/v1/status").json()["balancer"]["paused"], "")
        return answer

    def test_token(self):
        for token in (None, "", "correct horse", TOKEN + "x", TOKEN.upper()):
            answer = self.refused_everywhere(401, "Authorization: Bearer TOKEN", token=token)
            self.assertEqual(answer.headers["WWW-Authenticate"], "Bearer")
        self.refused_everywhere(401, "", Authorization=f"Basic {TOKEN}")

    def test_other_pages(self):
        """A page of another origin has no business here, whatever it knows."""
        self.refused_everywhere(403, "found the origin", Origin="http://evil.example")
        self.refused_everywhere(403, "found the host name", Host="evil.example")
        for kind in ("text/plain", "application/x-www-form-urlencoded", "application/jsonp"):
            self.answered(self.daemon.change("/api/v1/pause", Content_Type=kind), 415, kind)
        own = f"http://127.0.0.1:{self.daemon.port}"
        self.answered(self.daemon.change("/api/v1/resume", Origin=own), 200)


class Alone(Case):
    """Daemons of their own."""

    def test_without_a_token_nothing_changes(self):
        world = World()
        self.addCleanup(world.close)
        daemon = Served(world, token=None)
        self.addCleanup(daemon.close)
        answer = daemon.change("/api/v1/pause")
        self.assertEqual(answer.status, 403, answer)
        self.assertIn("without http.token_file", answer.json()["text"])
        self.assertEqual(daemon.get("/api/v1/status").status, 200)

    def test_redis_away(self):
        """A server that hangs, and one that is back: reasons meanwhile, and no harm."""
        world = World()
        self.addCleanup(world.close)
        base = Served.BASE
        Served.BASE = base.replace("mode: external", "mode: external, command_timeout: 500ms")
        try:
            daemon = Served(world)
        finally:
            Served.BASE = base
        self.addCleanup(daemon.close)
        info = world.redis("INFO", "server")
        pid = int(info.split("process_id:")[1].split()[0])
        os.kill(pid, signal.SIGSTOP)
        try:
            begin = time.monotonic()
            paths = ["/api/v1/status", "/healthz"] * 10 + [f"/api/v1/series?host=h1&hours={n}" for n in range(1, 21)]
            with concurrent.futures.ThreadPoolExecutor(len(paths)) as pool:
                answers = list(pool.map(daemon.get, paths))
            self.assertEqual({answer.status for answer in answers}, {503})
            self.assertLess(time.monotonic() - begin, 5)  # not each waits for its own 500 ms
            for path in ("/healthz", "/api/v1/status", "/api/v1/moves", "/api/v1/series"):
                answer = daemon.get(path)
                self.assertEqual(answer.status, 503, answer)
                self.assertIn("Redis at unix:", answer.body.decode())
            self.assertEqual(daemon.change("/api/v1/maintenance/h1").status, 503)
            self.assertEqual(daemon.change("/api/v1/pause").status, 503)
            metrics = daemon.get("/metrics")
            self.assertEqual(metrics.status, 200)
            self.assertIn("\nevenkeel_redis_up 0\n", metrics.body.decode())
        finally:
            os.kill(pid, signal.SIGCONT)
        daemon.until(lambda: daemon.get("/healthz").status == 200)
        daemon.until(lambda: b"\nevenkeel_redis_up 1\n" in daemon.get("/metrics").body)

    def test_another_token(self):
        """Written into the same file: the daemon starts anew with it, and says so without telling it."""
        world = World()
        self.addCleanup(world.close)
        daemon = Served(world)
        self.addCleanup(daemon.close)
        (world.dir / "http.token").write_text("another one\n")
        daemon.process.send_signal(signal.SIGHUP)
        daemon.until(lambda: daemon.log.read_text().count("HTTP: http://127.0.0.1") == 2)
        daemon.until(lambda: daemon.try_get("/healthz"))
        self.assertEqual(daemon.change("/api/v1/maintenance/h2").status, 401)
        self.assertEqual(daemon.change("/api/v1/maintenance/h2", token="another one").status, 200)
        log = daemon.log.read_text()
        self.assertIn("http.token_file: its content has changed", log)
        for token in (TOKEN, "another one"):
            self.assertNotIn(token, log)

    def test_beyond_this_machine(self):
        """Who has no token is told whether it is well, not why not; nobody takes all connections."""
        world = World()
        self.addCleanup(world.close)
        daemon = Served(world, address="0.0.0.0")
        self.addCleanup(daemon.close)
        world.redis("SET", "evenkeel:status:balancer", "x")
        answer = daemon.get("/healthz")
        self.assertEqual([answer.status, answer.json()], [503, {"version": 1, "healthy": False}])
        answer = daemon.get("/healthz", Authorization=f"Bearer {TOKEN}")
        self.assertEqual(answer.status, 503)
        self.assertIn("status:balancer", answer.json()["reason"])
        idle = [socket.create_connection(("127.0.0.1", daemon.port)) for _ in range(17)]
        daemon.until(lambda: daemon.try_get("/healthz") is None)
        elsewhere = socket.create_connection(("127.0.0.1", daemon.port), source_address=("127.0.0.2", 0))
        elsewhere.sendall(b"GET /evenkeel.css HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.assertTrue(elsewhere.recv(100).startswith(b"HTTP/1.1 200"))
        for one in [*idle, elsewhere]:
            one.close()
        daemon.until(lambda: daemon.try_get("/healthz"))

    def test_reload(self):
        """Another level of the log starts the daemon anew in its process: same port, same answers;
        a reload of the policy alone is seen in the next look. What lies in the file and is not in force
        is told, not shown as if it were."""
        world = World()
        self.addCleanup(world.close)
        daemon = Served(world)
        self.addCleanup(daemon.close)
        policy = world.dir / "policy.yaml"

        def in_force():
            return 'target_max_ratio{resource="cpu"} 0.55' in daemon.get("/metrics").body.decode()

        def notice():
            return daemon.get("/api/v1/status").json()["balancer"]["policy_file"]

        daemon.until(lambda: daemon.get("/api/v1/status").json().get("balancer"))
        self.assertEqual(notice(), "")
        policy.write_text("resources: {cpu: {target_max: 0.55}}\n")
        daemon.until(notice)
        self.assertEqual(notice(), f"{policy} has 1 change that is not in force; `systemctl reload "
                         "evenkeel` (or SIGHUP) takes the file over")
        self.assertIn(f"policy      {policy} has 1 change", daemon.run("status").out)
        self.assertFalse(in_force())
        daemon.process.send_signal(signal.SIGHUP)
        daemon.until(in_force)
        daemon.until(lambda: notice() == "")
        policy.write_text("resources: {cpu: {target_max: 7}}\n")
        daemon.process.send_signal(signal.SIGHUP)
        daemon.until(lambda: notice().endswith("; what was loaded before is in force"))
        self.assertTrue(notice().startswith(f"{policy}:1: found "))
        self.assertTrue(in_force())
        policy.write_text("resources: {cpu: {target_max: 0.55}}\n")
        daemon.config.write_text(daemon.config.read_text() + "log: {level: debug}\n")
        daemon.process.send_signal(signal.SIGHUP)
        daemon.until(lambda: daemon.log.read_text().count("HTTP: http://127.0.0.1") == 2)
        daemon.until(lambda: (answer := daemon.try_get("/healthz")) and answer.status == 200)


if __name__ == "__main__":
    unittest.main()
