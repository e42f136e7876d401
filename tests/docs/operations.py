"""docs/operations.md, run as it stands there on three real hosts, with a watcher that sees every guest.

What the lab has instead of the machines of the guide, and no more:

  kvm1..kvm3       its hosts h1..h3
  /etc/evenkeel, /var/lib/evenkeel    folders of this run
  systemctl        the commands of the unit's Exec lines, and signals, since no systemd runs here
  ssh root@HOST    a reboot: the host must be empty, its libvirtd dies, and comes back once `evenkeel hosts`
                   has told the guide so; packages are not really upgraded

Arguments: the evenkeeld and the evenkeel to test. Status 0, 1, or 77 when something is missing."""
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import guide

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))
from live import Failure, Live, raise_on_signals, say  # noqa: E402

NEEDED = ("libvirtd", "virsh", "qemu-system-x86_64", "lxcfs", "tini", "ip", "redis-cli",
          "redis-server", "bash")
HOSTS, HOST_MIB = 3, 1536
# Held memory in MiB.
GUESTS = {"web-1": 40, "web-2": 32, "app-1": 40, "db-1": 24}
# On the timescale of a test; what the guide speaks of is as delivered.
SETTINGS = """intervals: {sample: 1s, evaluate: 1s}
timeouts: {lease: 6s, connect: 2s}
history: {keep: 0s}"""
# What is levelled is memory: a guest has it however busy the machine is, and CPU time only as far as others
# leave it some.
POLICY = """version: 1
mode: recommend
aggressiveness: 4
resources: {cpu: {weight: 0}}
trigger: {sustained_cycles: 2, comfort: 0}
forecast: {half_life: 3s, window: 20s}
cooldown: {domain: 10m}
limits: {cluster: 2}
"""
DEFAULT_TIMEOUT_S = 60

SYSTEMCTL = r"""#!/bin/bash
# The unit evenkeeld as far as the guide uses it.
set -u
[ "${2:-evenkeeld}" = evenkeeld ] || exit 4
pid() { cat "$EK_STATE/lock" 2>/dev/null; }
runs() { [ -n "$(pid)" ] && kill -0 "$(pid)" 2>/dev/null; }
await() { for _ in $(seq 300); do "$@" && return; read -rt 0.1 <> <(:); done; return 1; }
ready() { redis-cli -s "$EK_STATE/redis.sock" EXISTS evenkeel:status:balancer 2>/dev/null | grep -q 1; }
gone() { ! runs; }
case $1 in
start) mkdir -p "$EK_STATE" && evenkeeld -c "$EVENKEEL_CONFIG" --check >/dev/null &&
           { setsid evenkeeld -c "$EVENKEEL_CONFIG" >>"$EK_LOG" 2>&1 </dev/null & } && await ready ;;
stop) ! runs || { kill -TERM "$(pid)" && await gone; } ;;
reload) evenkeeld -c "$EVENKEEL_CONFIG" --check >/dev/null || exit 1; kill -HUP "$(pid)" ;;
status) runs && redis-cli -s "$EK_STATE/redis.sock" GET evenkeel:status:balancer ;;
*) exit 4 ;;
esac
"""
# What `evenkeel hosts HOST` says passes through here: a reboot lasts until the one who waits for it saw it.
EVENKEEL = r"""#!/bin/bash
real() { EXEC "$@"; }
[ "${1:-}" = hosts ] && [ $# = 2 ] || { real "$@"; exit; }
said=$(real "$@")
status=$?
printf '%s\n' "$said"
grep -q "^$2 *up" <<<"$said" || : >"$EK_SEEN/$2"
exit $status
"""
SSH = r"""#!/bin/bash
# A reboot of a host of the lab, which must be empty.
set -eu
name=${1#root@}
host=h${name#kvm}
case $2 in *"full-upgrade && systemctl reboot") ;; *) echo "what is \"$2\"?" >&2; exit 2 ;; esac
if lab status --json | python3 -c "
import json, sys
sys.exit(any(c['host'] == '$host' for g in json.load(sys.stdin)['guests'] for c in g['copies']))"; then
    echo "$1 $2" >>"$EK_REBOOTS"
    rm -f "$EK_SEEN/$name"
    lab kill "$host" libvirtd
    # Without the folder the test is over.
    setsid bash -c "until [ -e '$EK_SEEN/$name' ] || [ ! -d '$EK_SEEN' ]; do read -rt 0.1 <> <(:); done
                    [ ! -d '$EK_SEEN' ] || lab restart '$host' libvirtd" >>"$EK_LOG.reboots" 2>&1 </dev/null &
else
    echo "$host is not empty: a reboot would end its guests" >&2
    exit 1
fi
"""


class Operations:
    """A lab, and a shell in which the words of the guide mean it."""

    def __init__(self, live, evenkeel):
        self.live = live
        self.etc, self.lib, self.bin, self.seen = (live.dir / n for n in ("etc", "lib", "bin", "seen"))
        for folder in (self.etc, self.lib, self.bin, self.seen):
            folder.mkdir()
        self.state = self.lib / "evenkeel"
        self.reboots = live.dir / "reboots"
        in_lab = shlex.join([*live.lab_command(), "exec"])
        self.tool("lab", f'#!/bin/sh\nexec {shlex.join(live.lab_command())} "$@"\n')
        self.tool("virsh", f'#!/bin/sh\nexec {in_lab} {shutil.which("virsh")} "$@"\n')
        self.tool("evenkeel", EVENKEEL.replace("EXEC", f"{in_lab} {Path(evenkeel).resolve()}"))
        self.tool("evenkeeld", f'#!/bin/sh\nexec {in_lab} {live.program} "$@"\n')
        self.tool("systemctl", SYSTEMCTL)
        self.tool("ssh", SSH)
        self.env = {**os.environ, "PATH": f"{self.bin}:{os.environ['PATH']}", "NO_COLOR": "1",
                    "EVENKEEL_CONFIG": str(self.etc / "evenkeel.yaml"),
                    "EK_STATE": str(self.state), "EK_LOG": str(live.log),
                    "EK_REBOOTS": str(self.reboots), "EK_SEEN": str(self.seen)}

    def tool(self, name, text):
        """A program of the shell's."""
        (self.bin / name).write_text(text, encoding="utf-8")
        (self.bin / name).chmod(0o755)

    def prepare(self):
        """Hosts, guests on the first of them, a watcher, and both files."""
        self.live.up(HOSTS, HOST_MIB)
        self.live.lab("guest", "add", *GUESTS, "--host", "h1", timeout=300)
        for name, footprint in GUESTS.items():
            self.live.lab("guest", "set", name, "--footprint", footprint)
        self.live.lab("watch", "start")
        lines = ["version: 1", "hosts:"]
        for host in self.live.status()["hosts"]:
            lines.append(f"  - {{name: kvm{host['name'][1:]}, uri: \"{host['uri']}\"}}")
        (self.etc / "evenkeel.yaml").write_text(
            "\n".join([*lines, f"state_dir: {self.state}", SETTINGS]) + "\n", encoding="utf-8")
        (self.etc / "policy.yaml").write_text(POLICY, encoding="utf-8")

    def translated(self, text):
        """The guide's places as this run's."""
        return (text.replace("/etc/evenkeel", str(self.etc))
                .replace("/var/lib", str(self.lib)))

    def bash(self, text, timeout):
        """One block; status and both outputs."""
        done = subprocess.run(["bash", "-uo", "pipefail", "-c", f"set -e\n{self.translated(text)}"],
                              cwd=self.live.dir, env=self.env, text=True, timeout=timeout,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False)
        return done.returncode, done.stdout

    def run(self, block, patterns):
        """Run a block, once or until it says what it must."""
        words = dict(w.split("=") for w in block.words.split())
        wanted = int(words.get("status", 0))
        until = float(words.get("until", 0))
        timeout = float(words.get("timeout", DEFAULT_TIMEOUT_S))
        end = time.monotonic() + until
        while True:
            status, out = self.bash(block.text, timeout)
            missing = [p for p in patterns if not re.search(p, out)]
            if status == wanted and not missing:
                break
            if time.monotonic() > end:
                raise Failure(f"{block.place}: status {status} (wanted {wanted}), lacks {missing}:\n"
                              f"{block.text}\n---\n{out}")
            time.sleep(0.5)
        shown = "\n".join(f"    {line}" for line in block.text.splitlines())
        say(f"{shown}\n{out.rstrip()}\n")

    def follow(self):
        """The whole guide, in its order."""
        steps = guide.blocks("operations.md")
        begun = time.monotonic()
        for number, step in enumerate(steps):
            if step.kind == "fault":
                self.live.lab(*step.words.replace("kvm", "h").split())
            elif step.kind == "run":
                expected = []
                for after in steps[number + 1:]:
                    if after.kind != "expect":
                        break
                    expected.append(after.words)
                say(f"[{time.monotonic() - begun:4.0f} s] {step.place}")
                self.run(step, expected)

    def judge(self):
        """Every host was upgraded once, and each guest ran exactly once all the time."""
        upgraded = [line.split()[0] for line in self.reboots.read_text().splitlines()]
        if upgraded != [f"root@kvm{n}" for n in range(1, HOSTS + 1)]:
            raise Failure(f"upgraded: {upgraded}")
        table, good = self.live.report(max_gap_ms=3000)
        say(table)
        if not good:
            raise Failure("the watcher found something wrong")
        lost = set(GUESTS) - {g for g, places in self.live.places().items() if len(places) == 1}
        if lost:
            raise Failure(f"not on exactly one host: {lost}")

    def close(self):
        """End the daemon, which no Live has started."""
        try:
            os.kill(int((self.state / "lock").read_text().split()[0]), signal.SIGTERM)
        except (OSError, ValueError, IndexError):
            pass
        self.live.close()


def main():
    """Run it; whatever happens, nothing stays behind."""
    missing = [p for p in NEEDED if shutil.which(p) is None]
    missing += ["root"] if os.geteuid() != 0 else []
    missing += ["/dev/fuse"] if not Path("/dev/fuse").exists() else []
    if missing:
        print(f"skipped: missing {', '.join(missing)}")
        return 77
    raise_on_signals()
    live = Live("ekguide", sys.argv[1])
    operations = Operations(live, sys.argv[2])
    try:
        operations.prepare()
        operations.follow()
        operations.judge()
    except (Failure, subprocess.SubprocessError) as error:
        say(f"FAIL  {error}\nThe end of the daemon's log:\n{live.log_tail()}")
        return 1
    finally:
        operations.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
