"""What the lab's links really carry: bytes from one host to others at once, over TCP."""
import json
import subprocess
import sys

from live import LAB, Failure

PORT = 49999

# Both ends say how much they moved; the receiver's word counts, for it has no queue before it.
RECEIVER = """
import json, socket, sys, time
server = socket.create_server((sys.argv[1], int(sys.argv[2])))
print("ready", flush=True)
line, _ = server.accept()
first = time.monotonic()
count = 0
while (data := line.recv(1 << 20)):
    count += len(data)
    last = time.monotonic()
print(json.dumps({"bytes": count, "seconds": last - first}), flush=True)
"""
SENDER = """
import socket, sys, time
line = socket.create_connection((sys.argv[1], int(sys.argv[2])))
end = time.monotonic() + float(sys.argv[3])
while time.monotonic() < end:
    line.sendall(bytes(1 << 16))
"""


def inside(live, host, script, *args):
    """Start a program inside a host; its output is a pipe."""
    return subprocess.Popen([str(LAB), "--name", live.name, "host-exec", host, sys.executable, "-c",
                             script, *map(str, args)], stdout=subprocess.PIPE,
                            stdin=subprocess.DEVNULL, text=True)


def measure(live, source, destinations, seconds=5):
    """MiB/s from a host to others, all at once; the sum of what they received."""
    addresses = {h["name"]: h["address"] for h in live.status()["hosts"]}
    receivers = [inside(live, d, RECEIVER, addresses[d], PORT) for d in destinations]
    senders = []
    try:
        for receiver in receivers:
            if receiver.stdout.readline() != "ready\n":
                raise Failure("a receiver of the measurement did not start")
        senders = [inside(live, source, SENDER, addresses[d], PORT, seconds) for d in destinations]
        found = [json.loads(r.communicate(timeout=seconds + 60)[0]) for r in receivers]
    finally:
        for process in receivers + senders:
            if process.poll() is None:
                process.kill()
            process.wait()
            process.stdout.close()
    return sum(f["bytes"] / f["seconds"] for f in found) / (1 << 20)
