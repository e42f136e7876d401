"""Playing one case: set up, break, wait for the record, judge."""
import subprocess
import time

import libvirt
import redis

from ek_lab import watch
from ek_faults.stage import TERMINAL, Failure, LabError

ENDS_WITHIN = 120   # seconds from the fault to the terminal record
ERRORS = (Failure, LabError, libvirt.libvirtError, redis.RedisError, subprocess.SubprocessError,
          OSError)


def play(stage, case):
    """The result of one injection: a dictionary that is a line of the results."""
    begun = time.time()
    result = {"case": case.name, "begun": round(begun, 3), "end": None, "seconds": None,
              "gap_ms": None, "running": None, "copies": None, "leftovers": [], "wrong": [],
              "phases": {}}
    try:
        for name, step in STEPS:
            begun_step = time.time()
            step(stage, case, result)
            result["phases"][name] = round(time.time() - begun_step, 1)
    except ERRORS as error:
        if was_ended(error):
            raise SystemExit(1) from error
        result["wrong"].append(f"{type(error).__name__}: {error}" if not isinstance(
            error, Failure) else str(error))
    finally:
        tidy(stage, result)
    result["took"] = round(time.time() - begun, 1)
    return result


def was_ended(error):
    """Whether a signal has ended the run, though a clean-up that failed then hides that."""
    while error is not None and not isinstance(error, SystemExit):
        error = error.__context__
    return error is not None


def prepare(stage, case, _result):
    """Guests, watcher and a fresh daemon."""
    stage.set_up(case)


def act(stage, case, result):
    """Break something in the midst of a move, and see how its record ends."""
    move = case.function(stage)
    if stage.hit_at is None:
        raise Failure("the fault was never made")
    if move is None:            # the case has judged by itself
        return
    step = stage.await_step(move.id, TERMINAL, ENDS_WITHIN)
    record = move.record()
    result["end"] = step["state"]
    result["error"] = record["error"]
    result["seconds"] = round(int(step["at_ms"]) / 1000 - stage.hit_at, 2)
    if step["state"] not in case.ends:
        result["wrong"].append(f"ended as {step['state']}, right is {' or '.join(case.ends)}: "
                               f"{record['error']}")


def settle(stage, case, result):
    """Mend what was broken; the guest must be movable again, and all records closed."""
    stage.heal()
    if case.again and not result["wrong"]:
        stage.moves_again(case.names())
    stage.ask_no_more()
    stage.until("no move open", lambda: not stage.journal.smembers("evenkeel:moves:open"), 90)


def look_back(stage, case, result):
    """What is left, and what the watcher saw."""
    names = case.names()
    if case.loses:
        stage.drop_guests()  # what the fault ended is not left over
    result["leftovers"] = stage.leftovers([] if case.loses else names)
    report = watch.report(stage.place, case.gap_ms)
    seen = [g for g in report["guests"] if g["name"].split("@")[0] in names]
    result["gap_ms"] = max((g["max_gap_ms"] for g in seen), default=None)
    result["running"] = max((g["running_max"] for g in seen), default=None)
    result["copies"] = max((g["copies_max"] for g in seen), default=None)
    if not seen:
        result["wrong"].append("the watcher saw no guest")
    result["wrong"] += [f"{g['name']}: {f}" for g in seen for f in g["findings"]
                        if not (case.loses and f.startswith("silent since"))]
    if (result["running"] or 0) > case.running:
        result["wrong"].append(f"{result['running']} copies ran at once")


def events(stage):
    """The audit of the case, as evidence."""
    try:
        return [f"{f['kind']} {f['subject']}: {f['text']}" for _id, f in
                stage.journal.xrange("evenkeel:events")][-40:]
    except (redis.RedisError, AttributeError):
        return []


STEPS = (("set up", prepare), ("fault", act), ("again", settle), ("look back", look_back))


def tidy(stage, result):
    """Whatever happened, the next case finds no fault of this one."""
    result["steps"] = [f"{int(s['at_ms']) / 1000 - result['begun']:.1f} s {s['id']} {s['state']} "
                       f"{s['attempt']}" for s in stage.steps]
    result["seen"] = [f"{at - result['begun']:.1f} s {host} {domain} {what}" for
                      at, host, domain, what in stage.eyes.seen[stage.since:]]
    if result["wrong"] or result["leftovers"]:
        result["log"] = stage.log_tail()
        result["events"] = events(stage)
    try:
        if "again" not in result["phases"]:
            stage.heal()
        stage.stop()
        stage.stop_redis()
    except ERRORS as error:
        result["wrong"].append(f"while mending: {error}")
    stage.journal = None
