"""The dashboard in headless Chromium."""

import contextlib
import json
import statistics
import unittest

from endpoint import TOKEN, Case, Served, World
from chromium import Chromium  # skips the test where there is none

FIRST_PAINT_MS = 2000
HOSTS = 1000
PAINTED = 'performance.getEntriesByName("first-contentful-paint").length > 0'


def setUpModule():
    Browser.chromium = Chromium()


def tearDownModule():
    Browser.chromium.close()


class Browser(Case):
    """A page that must have complained of nothing when its test ends."""

    chromium = None

    def open(self, daemon, width=1280, height=900, forgive=None):
        """`forgive`: what the browser itself says of requests that fail because they should."""
        page = self.chromium.page(width, height)
        self.addCleanup(page.close)
        self.addCleanup(lambda: self.assertEqual([one for one in page.complaints
                                                  if forgive is None or forgive not in one[1]], []))
        self.url = f"http://127.0.0.1:{daemon.port}/"
        page.go(self.url)
        return page


class Standby(Served):
    """One that shows and does not lead: what the test writes into Redis stays as it is."""

    def __init__(self, world, **kwargs):
        world.redis("SET", "evenkeel:leader", "test:1:x")
        super().__init__(world, lead=False, **kwargs)


@contextlib.contextmanager
def served_crowd(count):
    """Daemons begun meanwhile have the hosts of world.c's crowd."""
    base = Served.BASE
    head, tail = base.split("hosts:\n")
    hosts = "".join(f'  - {{name: kvm{n:04}, uri: "qemu+tls://kvm{n}/system"}}\n' for n in range(1, count + 1))
    Standby.BASE = f"{head}hosts:\n{hosts}{tail[tail.index('redis:'):]}"
    try:
        yield
    finally:
        Standby.BASE = base


class Live(Browser):
    """A cluster with a running migration."""

    @classmethod
    def setUpClass(cls):
        cls.world = World()
        cls.addClassCleanup(cls.world.close)
        cls.world.tell("samples")
        cls.plan = cls.world.run("plan", "--json").json()  # while there is something to plan
        for line in ("history 60", "moves", "balancer automatic 5 -", "drain h2 blocked 1 it is pinned"):
            cls.world.tell(line)
        cls.world.redis("SET", "evenkeel:plan:p7", json.dumps(cls.plan))
        cls.world.redis("HSET", "evenkeel:plans:latest", "id", "p7", "fate", "recommended")
        cls.world.redis("SET", "evenkeel:maintenance:h2", '{"reason": "new disks", "deadline": "2036-12-01T18:00:00Z"}')
        cls.world.redis("XADD", "evenkeel:events", "*", "version", "1", "at_ms", "1764000000000", "kind", "cycle",
                        "subject", "", "text", "an event of <b>" + "x" * 90)
        cls.daemon = Standby(cls.world)

    @classmethod
    def tearDownClass(cls):
        cls.daemon.close()

    def progress(self, value):
        self.world.redis("HSET", "evenkeel:move:p1-4", "progress", str(value), "eta_ms", "9000", "transferred_mib", "4000",
                         "rate_mib_s", "87", "dirty_mib_s", "12", "iteration", "3", "share_mib_s", "95")

    def test_shows_everything(self):
        page = self.open(self.daemon)
        for text in ("node1:42 leads, automatic, policy spread", "an event of <b>xxx",
                     "Host h3 is down", "web-2 is left alone", "it is pinned", "new disks", "done-1", "rolled-back"):
            page.until(f"document.body.innerText.includes({json.dumps(text)})")
        page.until("document.querySelectorAll('#hosts .bar').length === 6")
        h1 = self.daemon.get("/api/v1/hosts").json()["hosts"][0]
        self.assertEqual(page.run("document.querySelector('#hosts [data-key=h1] .bar').getAttribute('aria-valuenow')"),
                         f"{h1['utilization']['cpu']:.3f}")
        page.until("document.querySelectorAll('.chart path').length >= 2 + 2 * 4")
        self.assertGreater(len(self.plan["moves"]), 0)
        for move in self.plan["moves"]:
            self.assertIn(move["reason"], page.text())

    def test_progress_and_restart(self):
        """A migration's progress is live, also after the daemon was gone and is back."""
        self.progress(0.41)
        page = self.open(self.daemon, forgive="net::ERR_")
        page.until("document.querySelector('#moves').innerText.includes('41 %')")
        self.progress(0.58)
        page.until("document.querySelector('#moves').innerText.includes('58 %')", 10)
        self.assertEqual(page.run("document.querySelector('#moves .track i').style.width"), "58%")
        self.assertIn("87 MiB/s", page.text())
        page.until("document.querySelector('#link').innerText === 'live'", 20)
        self.assertEqual(page.complaints, [])
        type(self).daemon.close()
        page.until("document.querySelector('#link').innerText.includes('does not answer')", 20)
        self.assertIn("58 %", page.text())  # what was known stays
        self.progress(0.83)
        type(self).daemon = Standby(self.world, port=self.daemon.port)
        page.until("document.querySelector('#moves').innerText.includes('83 %')", 20)
        page.until("/live|answers again/.test(document.querySelector('#link').innerText)")
        page.until("document.querySelector('#link').innerText === 'live'", 20)

    def check_fits(self, page):
        """No sideways scrolling, and no text below 12 px, in charts neither."""
        self.assertEqual(page.run("[document.documentElement.scrollWidth <= innerWidth, innerWidth]"), [True, 390])
        small = page.run("""(() => {
          const small = [];
          const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
          while (walker.nextNode()) {
            const text = walker.currentNode.data.trim();
            const size = parseFloat(getComputedStyle(walker.currentNode.parentElement).fontSize);
            if (text && size < 12) small.push(`${text}: ${size}`);
          }
          for (const svg of document.querySelectorAll(".chart svg")) {
            const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
            if (scale < 0.999) small.push(`a chart is drawn at ${scale}`);
          }
          for (const one of document.querySelectorAll("button, input, select, option")) {
            if (parseFloat(getComputedStyle(one).fontSize) < 12) small.push(one.outerHTML);
          }
          return small;
        })()""")
        self.assertEqual(small, [])

    def test_narrow(self):
        """390 px, light and dark, with a dialog open."""
        page = self.open(self.daemon, 390, 844)
        page.until("document.querySelectorAll('.chart svg').length === 3 && document.querySelectorAll('#events > div').length > 0")
        page.until("document.querySelector('#hosts').innerText.includes('h3')")
        for theme in ("light", "dark"):
            page.prefer(theme)
            self.check_fits(page)
        page.click("#pause")
        page.until("document.querySelector('#ask').open")
        self.check_fits(page)
        page.click("#ask button[value=no]")
        page.resize(900, 800)
        page.until("innerWidth === 900 && [...document.querySelectorAll('.chart')].every("
                   "(box) => Math.abs(box.firstChild.viewBox.baseVal.width - box.clientWidth) < 1)")


class Acting(Browser):
    """A daemon that leads, and a page that tells it something."""

    def test_pause(self):
        """Asked whether it is meant, then for the token; a wrong one is asked for again."""
        world = World()
        self.addCleanup(world.close)
        world.tell("samples")
        daemon = Served(world)
        self.addCleanup(daemon.close)
        page = self.open(daemon, forgive="status of 401")
        page.until("document.querySelector('#balancer').innerText.includes('leads')")
        page.click("#pause")
        page.until("document.querySelector('#ask').open")
        page.click("#ask button.yes")
        for token in ("wrong", TOKEN):
            page.until("document.querySelector('#ask').open && document.querySelector('#ask-input').type === 'password'")
            page.type("#ask-input", token)
            page.click("#ask button.yes")
            page.until("!document.querySelector('#ask').open || document.querySelector('#ask-input').value === ''")
        page.until("document.querySelector('#notices').innerText.includes('Paused:')")
        page.until("document.querySelector('#pause').innerText === 'Resume'")
        self.assertNotEqual(daemon.get("/api/v1/status").json()["balancer"]["paused"], "")


    def test_reject(self):
        """A plan that waits for somebody's word gets it."""
        world = World()
        self.addCleanup(world.close)
        world.tell("samples")
        (world.dir / "policy.yaml").write_text("mode: approve\ntrigger: {sustained_cycles: 1}\n")
        daemon = Served(world)
        self.addCleanup(daemon.close)
        page = self.open(daemon)
        page.run(f"sessionStorage.setItem('token', {json.dumps(TOKEN)})")
        page.until("!document.querySelector('#offer').hidden")
        plan = page.run("document.querySelector('#offer-text').innerText").split(",")[0].removeprefix("Plan ")
        page.until("!document.querySelector('#reject').hidden")
        page.click("#reject")
        page.until("document.querySelector('#ask').open")
        asked = page.run("document.querySelector('#ask-text').innerText")
        self.assertRegex(asked, rf"^Drop plan {plan}, \d+ moves?\?$")
        page.click("#ask button.yes")
        page.until(f"document.querySelector('#events').innerText.includes('plan {plan} is rejected')")
        page.until("document.querySelector('#offer').hidden || "
                   f"!document.querySelector('#offer-text').innerText.includes('{plan}')")
        self.assertEqual(daemon.change(f"/api/v1/approve/{plan}").status, 404)

    def test_only_what_is_shown_can_be_approved(self):
        """Another plan than the one that waits is on the screen: nobody can approve unseen."""
        world = World()
        self.addCleanup(world.close)
        world.tell("samples")
        (world.dir / "policy.yaml").write_text("mode: approve\ntrigger: {sustained_cycles: 1}\n")
        daemon = Served(world)
        self.addCleanup(daemon.close)
        daemon.until(lambda: (daemon.get("/api/v1/status").json()["balancer"] or {}).get("offer_id"))
        daemon.close()  # what it left in Redis stays, and is shown by one that does not lead
        offered = world.redis("HGET", "evenkeel:plans:latest", "id")
        world.redis("HSET", "evenkeel:plans:latest", "id", "p9999")
        plan = json.loads(world.redis("GET", f"evenkeel:plan:{offered}"))
        world.redis("SET", "evenkeel:plan:p9999", json.dumps({**plan, "id": "p9999"}))
        shown = Standby(world)
        self.addCleanup(shown.close)
        page = self.open(shown)
        hidden = "document.querySelector('#{}').hidden"
        page.until("document.querySelector('#offer-text').innerText.includes('not the one below, p9999')")
        self.assertTrue(page.run(hidden.format("approve")) and page.run(hidden.format("reject")))
        world.redis("HSET", "evenkeel:plans:latest", "id", offered)
        page.until(f"!{hidden.format('approve')} && !{hidden.format('reject')}", 20)
        self.assertNotIn("not the one below", page.run("document.querySelector('#offer-text').innerText"))

    def test_beyond_this_machine(self):
        """Where looking takes the token: asked for once, not again and again when it is not given."""
        world = World()
        self.addCleanup(world.close)
        world.tell("samples")
        daemon = Served(world, address="0.0.0.0")
        self.addCleanup(daemon.close)
        page = self.open(daemon, forgive="status of 401")
        page.until("document.querySelector('#ask').open")
        page.click("#ask button[value=no]")
        page.until("document.querySelector('#link').innerText.includes('token is needed')")
        page.until("performance.getEntriesByType('resource').filter((one) => one.name.includes('/api/')).length > 12", 60)
        self.assertFalse(page.run("document.querySelector('#ask').open"))
        page.click("#link")
        page.until("document.querySelector('#ask').open")
        page.type("#ask-input", TOKEN)
        page.click("#ask button.yes")
        page.until("document.querySelectorAll('#hosts .bar').length === 6")


class Crowd(Browser):
    """1,000 hosts."""

    @classmethod
    def setUpClass(cls):
        cls.world = World()
        cls.addClassCleanup(cls.world.close)
        cls.world.tell(f"crowd {HOSTS} 4 0")
        cls.world.tell("balancer automatic 5 -")
        with served_crowd(HOSTS):
            cls.daemon = Standby(cls.world)
        cls.addClassCleanup(cls.daemon.close)

    def test_first_paint(self):
        """By the browser's own timing, the median of three; and all hosts are there soon after."""
        paints, drawn = [], []
        for _ in range(3):
            page = self.open(self.daemon)
            page.until(PAINTED)
            paints.append(page.run('performance.getEntriesByName("first-contentful-paint")[0].startTime'))
            page.until('performance.getEntriesByName("hosts").length > 0')
            drawn.append(page.run('performance.getEntriesByName("hosts")[0].startTime'))
        print(f"first paint {sorted(paints)} ms, all hosts drawn {sorted(drawn)} ms")
        self.assertLess(statistics.median(paints), FIRST_PAINT_MS, paints)

    def test_map_and_list(self):
        """A map of all, a list in pages, by name or load; one is found by its name."""
        page = self.open(self.daemon)
        page.until("document.querySelectorAll('#hosts > div').length === 25")
        self.assertIn("1000 of 1000 up, 4000 domains", page.text())
        self.assertTrue(page.run("document.querySelector('#heat-map').height > 50"))
        page.click("#hosts-on")
        page.until("document.querySelector('#hosts').innerText.includes('kvm0026')")
        self.assertIn("2 of 40", page.text())
        page.run("(() => { const order = document.querySelector('#hosts-order'); order.value = 'cpu'; order.dispatchEvent(new Event('change')); })()")
        loads = page.run("[...document.querySelectorAll('#hosts .bar:nth-child(2)')].map((one) => +one.getAttribute('aria-valuenow'))")
        self.assertEqual(loads, sorted(loads, reverse=True))
        page.run("(() => { const filter = document.querySelector('#hosts-filter'); filter.value = 'KVM0777'; filter.dispatchEvent(new Event('input')); })()")
        page.until("document.querySelectorAll('#hosts > div').length === 1")
        page.resize(390, 844)
        page.until("innerWidth === 390")
        self.assertTrue(page.run("document.documentElement.scrollWidth <= innerWidth"))


if __name__ == "__main__":
    unittest.main()
