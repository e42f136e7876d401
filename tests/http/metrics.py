"""/metrics by promtool's rules; alerts and the Grafana dashboard name no metric that is not there."""

import json
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

from endpoint import SKIPPED, Case, Served, World

HERE = pathlib.Path(__file__).parent
CONF = HERE.parents[1] / "conf"
ALERTS = CONF / "prometheus-alerts.yml"
DASHBOARD = CONF / "grafana-dashboard.json"

if shutil.which("promtool") is None:
    print("skipped: no promtool")
    sys.exit(SKIPPED)


def promtool(*words, text=None):
    """Its exit status and all it says."""
    done = subprocess.run(["promtool", *map(str, words)], input=text, text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout


def metrics_in(expression):
    """The names of metrics in a PromQL expression of ours."""
    return set(re.findall(r"\b(?:evenkeel|process)_[a-z_]+\b", expression))


class Metrics(Case):
    """A cluster in which everything occurs: a running, a blocked and a waiting move, a host that is
    down, one that is being emptied by a deadline."""

    @classmethod
    def setUpClass(cls):
        cls.world = World()
        cls.addClassCleanup(cls.world.close)
        cls.world.tell("samples")
        cls.world.redis("SET", "evenkeel:maintenance:h2",
                        '{"reason": "\\"disks\\"", "deadline": "2036-12-01T18:00:00Z"}')
        cls.world.tell("drain h2 evacuating 1 -")
        cls.daemon = Served(cls.world)
        cls.addClassCleanup(cls.daemon.close)
        cls.daemon.until(lambda: "evenkeel_maintenance_domains_left{" in cls.scrape())
        cls.text = cls.scrape()

    @classmethod
    def scrape(cls):
        return cls.daemon.get("/metrics").body.decode()

    def value(self, series):
        """Of a series by its name with labels."""
        found = re.search(rf"(?m)^{re.escape(series)} (\S+)$", self.text)
        self.assertIsNotNone(found, f"{series} is not in\n{self.text}")
        return float(found[1])

    def test_conventions(self):
        status, said = promtool("check", "metrics", text=self.text)
        self.assertEqual([status, said], [0, ""])

    def test_values(self):
        """In base units; utilization by the planner's own rule, as in tests/cli/online.py."""
        self.assertAlmostEqual(
            self.value('evenkeel_host_utilization_ratio{host="h1",resource="cpu"}'), 12.5 / 16)
        self.assertEqual(self.value('evenkeel_host_memory_bytes{host="h1"}'), 32 * 2**30)
        self.assertEqual(self.value('evenkeel_host_allocated_memory_bytes{host="h1"}'), 24 * 2**30)
        self.assertEqual([self.value(f'evenkeel_host_up{{host="h{n}"}}') for n in (1, 2, 3)], [1, 1, 0])
        self.assertEqual(self.value('evenkeel_hosts{state="down"}'), 1)
        self.assertNotIn('evenkeel_host_memory_bytes{host="h3"}', self.text)
        self.assertEqual(self.value("evenkeel_balancer_leading"), 1)
        self.assertEqual(self.value('evenkeel_balancer_info{mode="recommend",policy="spread"}'), 1)
        self.assertEqual(self.value("evenkeel_redis_up"), 1)
        self.assertEqual(self.value('evenkeel_maintenance_deadline_timestamp_seconds{host="h2"}'),
                         2111767200)
        self.assertEqual(self.value('evenkeel_target_max_ratio{resource="memory"}'), 0.85)
        self.assertEqual(self.value('evenkeel_moves_ended_total{state="done"}'), 0)

    def test_content_type(self):
        self.assertEqual(self.daemon.get("/metrics").headers["Content-Type"],
                         "text/plain; version=0.0.4; charset=utf-8")

    def names(self):
        return set(re.findall(r"(?m)^# TYPE (\S+) ", self.text))

    def test_alerts(self):
        """The rules are good, fire when they are due, and ask for what there is."""
        status, said = promtool("check", "rules", ALERTS)
        self.assertEqual(status, 0, said)
        status, said = promtool("test", "rules", HERE / "alerts_test.yml")
        self.assertEqual(status, 0, said)
        asked = metrics_in(" ".join(re.findall(r"(?m)^ +expr: (.*)$", ALERTS.read_text())))
        self.assertGreater(len(asked), 10)
        self.assertEqual(asked - self.names(), set())

    def test_dashboard(self):
        panels = json.loads(DASHBOARD.read_text())["panels"]
        asked = set()
        for panel in panels:
            for target in panel["targets"]:
                asked |= metrics_in(target["expr"])
        self.assertGreater(len(asked), 15)
        self.assertEqual(asked - self.names(), set())

    def test_documented(self):
        """docs/http.md lists each metric, and no other."""
        page = (HERE.parents[1] / "docs" / "http.md").read_text()
        listed = set(re.findall(r"(?m)^\| `((?:evenkeel|process)_[a-z_]+)", page))
        self.assertEqual(listed, self.names())


if __name__ == "__main__":
    unittest.main()
