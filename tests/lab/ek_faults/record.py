"""The record: Redis stops, or dies, while guests move."""
import signal

import redis

from ek_faults.case import case
from ek_faults.stage import TERMINAL, Failure
from ek_lab import guests


def at_every_step(stage, hurt):
    """Hurt Redis at each step of a move, as soon as the step is read; the move."""
    move, hits = None, []
    while move is None or stage.steps[-1]["state"] not in TERMINAL:
        known = len(stage.steps)
        if move is None:
            move = stage.order()
        else:
            stage.until("the next step", lambda k=known: more_steps(stage, k), 60, poll=0.01)
        state = stage.steps[-1]["state"]
        if state not in TERMINAL:
            hits.append(state)
            stage.hit()
            hurt()
    if "running" not in hits or len(hits) < 3:
        raise Failure(f"Redis was hurt in {hits}: too few states")
    return move


def more_steps(stage, known):
    """Whether the stream has entries beyond those known; False while Redis is away."""
    try:
        stage.read_steps(200)
    except redis.RedisError:
        return False
    return len(stage.steps) > known


@case("T17a", "SIGKILL of Redis at every step of a move, and its return", group="record",
      own_redis=True, ends=("done",))
def kill_redis(stage):
    """Each step waits until it is written; none is lost, none is made twice."""
    def hurt():
        stage.stop_redis()
        stage.start_redis()
    return at_every_step(stage, hurt)


@case("T17b", "SIGSTOP of Redis for 2 s at every step of a move", group="record", own_redis=True,
      ends=("done",))
def stop_redis(stage):
    """As if it were slow."""
    def hurt():
        stage.send(stage.server.pid, signal.SIGSTOP)
        stage.lasts(2)
        stage.go_on()
    return at_every_step(stage, hurt)


@case("T17c", "SIGSTOP of Redis beyond the lease, while one guest of two is copied", group="record",
      own_redis=True, guests=2, ends=("done",))
def stop_redis_long(stage):
    """The migration ends meanwhile, and its end is told later; the second guest is not begun."""
    move = stage.begin(guest="vm1")
    other = "vm2" if move.name == "vm1" else "vm1"
    stage.hit()
    stage.send(stage.server.pid, signal.SIGSTOP)
    move.see(move.source, "stopped 3")           # migrated away
    stage.lasts(8)
    copies = [h.name for name, h, _pid in guests.copies(stage.place) if name == other]
    if copies != [move.source]:
        raise Failure(f"{other} has copies on {copies}: it was begun without a record")
    stage.go_on()
    return move
