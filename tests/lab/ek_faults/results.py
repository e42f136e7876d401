"""Results of injections: kept as lines of JSON, so that a long run can be resumed, and a table."""
import json
import statistics
from pathlib import Path

from ek_faults.case import CASES


def read(path):
    """All results of a file; half a line (a run that was killed) is left out."""
    found = []
    if path is None or not Path(path).exists():
        return found
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def append(path, result):
    """Add a result; a half line before it is ended first."""
    if path is None:
        return
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    torn = path.exists() and path.stat().st_size and not path.read_bytes().endswith(b"\n")
    with open(path, "a", encoding="utf-8") as file:
        file.write(("\n" if torn else "") + json.dumps(result) + "\n")
        file.flush()


def good(result):
    """Whether nothing was wrong with an injection."""
    return not result["wrong"] and not result["leftovers"]


def figure(values, digits=1):
    """Median and maximum, or dashes."""
    values = [v for v in values if v is not None]
    if not values:
        return "-", "-"
    return f"{statistics.median(values):.{digits}f}", f"{max(values):.{digits}f}"


ROW = "{:<6} {:<66} {:>5} {:>5} {:>5}  {:<24} {:>7} {:>7} {:>7} {:>5} {:>6} {:>5}"


def row(name, text, results):
    """One line of the table."""
    ends = ", ".join(sorted({r["end"] for r in results if r["end"]})) or "-"
    median, most = figure([r["seconds"] for r in results])
    _gap, gap = figure([r["gap_ms"] for r in results], 0)
    ran = max((r["running"] or 0 for r in results), default=0)
    copies = max((r["copies"] or 0 for r in results), default=0)
    fine = sum(good(r) for r in results)
    left = sum(len(r["leftovers"]) for r in results)
    return ROW.format(name, text, len(results), fine, len(results) - fine, ends, median, most, gap,
                      ran, copies, left)


def table(results):
    """The report; every line adds up to the last one."""
    lines = [ROW.format("case", "fault", "times", "right", "wrong", "the record ended as", "s med",
                        "s max", "gap ms", "ran", "copies", "left")]
    known = [n for n in CASES if any(r["case"] == n for r in results)]
    known += sorted({r["case"] for r in results} - set(known))
    for name in known:
        mine = [r for r in results if r["case"] == name]
        lines.append(row(name, CASES[name].text if name in CASES else "(no longer a case)", mine))
    lines.append(row("all", f"{len(known)} of {len(CASES)} faults", results))
    for result in results:
        lines += [f"WRONG {result['case']}: {w}" for w in result["wrong"]]
        lines += [f"LEFT  {result['case']}: {w}" for w in result["leftovers"]]
    return "\n".join(lines)
