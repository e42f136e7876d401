"""The record: Redis stops, or dies, while guests move."""
import signal

import redis

from ek_faults.case import case
from ek_faults.stage import TERMINAL, Failure
from ek_lab import guests

STATES = ("claimed", "precheck", "prepare", "running", "commit-pending", "post")
MOST_MOVES = 15
# It lasts for about 4 ms: a busy machine does not always stop Redis within them, in any number of
# moves. Every other state must be hurt.
FLEETING = {"claimed"}


def at_every_state(stage, hurt):
    """Hurt Redis in each state that a smooth move passes, as soon as the state is read; the last of
    the moves that this took.

    Some states last for milliseconds: one that was over by then is met by a later move, and the
    shortest perhaps by none, which is said."""
    missing = set(STATES)
    for _ in range(MOST_MOVES):
        stage.ask_no_more()
        stage.steps = []
        stage.ask()
        missing -= hurt_one(stage, missing, hurt)
        move = stage.move_of(stage.steps[-1]["id"])
        if not missing:
            return move
        if stage.steps[-1]["state"] != "done":
            raise Failure(f"ended as {stage.steps[-1]['state']}: {move.record()['error']}")
    missed = f"in {MOST_MOVES} moves Redis could not be hurt in {' '.join(sorted(missing))}"
    if missing - FLEETING:
        raise Failure(missed)
    print(f"      {missed}", flush=True)
    return move


def hurt_one(stage, missing, hurt):
    """Hurt Redis in these states of the move that is about to begin; those in which it was.

    Nothing is done between reading a state and the hurt: some are over within four milliseconds."""
    hits, state = {}, None
    while state not in TERMINAL:
        known = len(stage.steps)
        if state in missing and state not in hits:
            stage.hit()
            hits[state] = (known, stage.hit_at)
            hurt()
        stage.until("the next step", lambda k=known: more_steps(stage, k), 60, poll=0.01)
        state = stage.steps[-1]["state"]
    return {state for state, (after, at) in hits.items()
            if int(stage.steps[after]["at_ms"]) / 1000 >= at}


def more_steps(stage, known):
    """Whether the stream has entries beyond those known; False while Redis is away."""
    try:
        stage.read_steps(200)
    except redis.RedisError:
        return False
    return len(stage.steps) > known


@case("T17a", "SIGKILL of Redis in every state of a move, and its return", group="record",
      own_redis=True, ends=("done",))
def kill_redis(stage):
    """Each step waits until it is written; none is lost, none is made twice."""
    def hurt():
        stage.stop_redis()
        stage.start_redis()
    return at_every_state(stage, hurt)


@case("T17b", "SIGSTOP of Redis for 2 s in every state of a move", group="record", own_redis=True,
      ends=("done",))
def stop_redis(stage):
    """As if it were slow."""
    def hurt():
        stage.send(stage.server.pid, signal.SIGSTOP)
        stage.lasts(2)
        stage.go_on()
    return at_every_state(stage, hurt)


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
