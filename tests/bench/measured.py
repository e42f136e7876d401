"""Runs one program and prints what it took, as JSON.

usage: python3 -IS measured.py OUT ERR TIMEOUT_S PROGRAM ARGUMENT...

A process of its own, because the largest resident set that the kernel reports for a child begins
with that of the process which started it: from here less than 10 MiB, from a bench hundreds. What
needs less than that is shown as that."""
import json
import os
import signal
import sys
import time

out, err, timeout_s, *command = sys.argv[1:]
with open(out, "wb") as stdout, open(err, "wb") as stderr:
    begun = time.perf_counter()
    pid = os.posix_spawnp(command[0], command, os.environ, file_actions=[
        (os.POSIX_SPAWN_DUP2, stdout.fileno(), 1), (os.POSIX_SPAWN_DUP2, stderr.fileno(), 2)])
cut = []


def end_it(*_):
    """Too long."""
    cut.append(True)
    os.kill(pid, signal.SIGKILL)


signal.signal(signal.SIGALRM, end_it)
signal.setitimer(signal.ITIMER_REAL, float(timeout_s))
_, status, usage = os.wait4(pid, 0)
json.dump({"status": os.waitstatus_to_exitcode(status), "wall_s": time.perf_counter() - begun,
           "rss_mib": usage.ru_maxrss / 1024, "cut": bool(cut)}, sys.stdout)
