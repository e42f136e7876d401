"""What the benches share that need real hosts: a lab with a daemon in it, and its end."""
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from common import MISSING, ROOT, Verdicts, arguments, need

sys.path.insert(0, str(ROOT / "tests/lab"))
from live import Failure, Live, raise_on_signals, say  # noqa: E402
from resp import Redis, RedisError  # noqa: E402


def lab_arguments(text, lab):
    """The options of a bench in the lab; a bench adds its own before parse_args."""
    parser = arguments(text, data=False)
    parser.add_argument("--lab", default=lab, metavar="NAME", help="the lab's name (%(default)s)")
    return parser


def run_in_lab(name, bench, args):
    """Runs bench(live, args, verdicts) and ends with its verdicts; whatever happens, nothing stays
    behind."""
    need(virsh="libvirt-clients", lxcfs="lxcfs")
    program = args.build / "balancer/daemon/evenkeeld"
    if os.geteuid() != 0 or not Path("/dev/fuse").exists() or not program.exists():
        print(f"missing: root, /dev/fuse, or {program}")
        sys.exit(MISSING)
    raise_on_signals()
    verdicts = Verdicts(name)
    live = Live(args.lab, program)
    try:
        bench(live, args, verdicts)
    except (Failure, subprocess.SubprocessError) as error:
        say(f"FAIL  {error}\nThe end of the daemon's log:\n{live.log_tail()}")
        verdicts.add("the bench runs to its end", False, str(error))
    finally:
        live.close()
    verdicts.finish(args)


class Sight(threading.Thread):
    """Tells of each host's sample at the moment at which it comes to Redis: tell(host, now_ms) is
    called from a thread of its own."""

    CHANNELS = "__keyspace@0__:evenkeel:host:*"

    def __init__(self, live, tell):
        super().__init__(daemon=True)
        self.redis = Redis(live.socket, timeout_s=None)
        self.redis.call("PSUBSCRIBE", self.CHANNELS)
        self.tell = tell
        self.start()

    def run(self):
        """Until the connection is ended. The balancer has the server tell of keys already."""
        try:
            while True:
                _, _, channel, what = self.redis.answer()
                if what == "set":
                    self.tell(channel.rpartition(":")[2], time.time() * 1000)
        except (RedisError, OSError):
            pass

    def end(self):
        """No more is told when it returns."""
        self.redis.socket.shutdown(socket.SHUT_RDWR)
        self.join()
        self.redis.close()
