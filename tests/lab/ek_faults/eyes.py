"""The test's own view of libvirt: over each host's unix socket, which no fault of a network hides.

Events arrive on a thread of their own; a case waits for one instead of for a time."""
import threading
import time
from xml.etree import ElementTree

import libvirt

MARK = "urn:evenkeel:move:1"
KINDS = {libvirt.VIR_DOMAIN_EVENT_STARTED: "started", libvirt.VIR_DOMAIN_EVENT_SUSPENDED: "suspended",
         libvirt.VIR_DOMAIN_EVENT_RESUMED: "resumed", libvirt.VIR_DOMAIN_EVENT_STOPPED: "stopped"}


class Loop:
    """libvirt's event loop, one per process."""

    running = None

    @classmethod
    def start(cls):
        """Start it, once."""
        if cls.running is None:
            libvirt.registerErrorHandler(lambda _context, _error: None, None)
            libvirt.virEventRegisterDefaultImpl()
            cls.running = threading.Thread(target=cls.turn, daemon=True)
            cls.running.start()

    @staticmethod
    def turn():
        """Handle events for ever."""
        while True:
            libvirt.virEventRunDefaultImpl()


class Eyes:
    """What all hosts of a lab show."""

    def __init__(self, hosts):
        self.hosts = {h.name: h for h in hosts}
        self.links = {}
        self.seen = []              # (time, host, domain, what), what such as "suspended 1"
        self.news = threading.Condition()
        Loop.start()

    # ---- connections -----------------------------------------------------------------------

    def path(self, name):
        """The URI of a host."""
        return f"qemu+unix:///system?socket={self.hosts[name].dir / 'run' / 'libvirt' / 'libvirt-sock'}"

    def link(self, name):
        """The connection to a host, opened again when its libvirtd was restarted."""
        link = self.links.get(name)
        if link is not None and link.isAlive():
            return link
        link = libvirt.open(self.path(name))
        self.links[name] = link
        link.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                                    self.on_lifecycle, name)
        link.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION,
                                    self.on_iteration, name)
        return link

    def open(self):
        """Connect to all hosts, so that no event is missed."""
        for name in self.hosts:
            self.link(name)

    def close(self):
        """Let go of all connections."""
        for link in self.links.values():
            try:
                link.close()
            except libvirt.libvirtError:
                pass
        self.links = {}

    # ---- events ----------------------------------------------------------------------------

    def note(self, host, domain, what):
        """Remember an event and wake who waits."""
        with self.news:
            self.seen.append((time.time(), host, domain.name(), what))
            self.news.notify_all()

    def on_lifecycle(self, _link, domain, event, detail, host):
        """A domain started, stopped, paused or went on."""
        self.note(host, domain, f"{KINDS.get(event, event)} {detail}")

    def on_iteration(self, _link, domain, iteration, host):
        """A migration began a pass over the memory."""
        self.note(host, domain, f"iteration {iteration}")

    def mark(self):
        """A point in the list of events; `await_event` looks at what came after it."""
        with self.news:
            return len(self.seen)

    def find_event(self, since, host, domain, what):
        """An event after a mark, None while there is none; `what` is a beginning."""
        for event in self.seen[since:]:
            if event[1] == host and event[2] == domain and event[3].startswith(what):
                return event
        return None

    def await_event(self, since, host, domain, what, seconds):
        """Wait for an event after a mark; None when it does not come in time."""
        end = time.monotonic() + seconds
        with self.news:
            while (event := self.find_event(since, host, domain, what)) is None:
                left = end - time.monotonic()
                if left <= 0:
                    return None
                self.news.wait(left)
            return event

    # ---- what is there ---------------------------------------------------------------------

    def state(self, host, domain):
        """(state, reason) of a domain on a host, None when it is not there."""
        try:
            return tuple(self.link(host).lookupByName(domain).state())
        except libvirt.libvirtError:
            return None

    def things(self, host):
        """Names of what a move could leave on a host, beside its domains."""
        link = self.link(host)
        found = {f"filter {f.name()}" for f in link.listAllNWFilters()}
        found |= {f"network {n.name()}{'' if n.isActive() else ' (off)'}"
                  for n in link.listAllNetworks()}
        for pool in link.listAllStoragePools(libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE):
            pool.refresh()
            found |= {f"volume {v.name()}" for v in pool.listAllVolumes()}
        return found

    def domains(self, host):
        """What is odd about a host's domains, and the names of those that run."""
        running, odd = [], []
        for domain in self.link(host).listAllDomains():
            name, (state, reason) = domain.name(), domain.state()
            if state == libvirt.VIR_DOMAIN_RUNNING:
                running.append(name)
            else:
                odd.append(f"{host}: domain {name} in state {state}, reason {reason}")
            if not domain.isPersistent():
                odd.append(f"{host}: domain {name} is transient")
            odd += [f"{host}: domain {name} {what}" for what in self.oddities(domain)]
        return running, odd

    @staticmethod
    def oddities(domain):
        """Marks and jobs that a move left on a domain."""
        found = []
        for flag, where in ((0, "live"), (libvirt.VIR_DOMAIN_XML_INACTIVE, "defined")):
            tree = ElementTree.fromstring(domain.XMLDesc(flag))
            if tree.find(f"metadata/{{{MARK}}}*") is not None:
                found.append(f"bears a move's mark ({where})")
        if domain.isActive() and domain.jobInfo()[0] != libvirt.VIR_DOMAIN_JOB_NONE:
            found.append("has a job")
        return found
