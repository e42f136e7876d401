"""Documents that are run: comments `<!-- KIND: WORDS -->`, of which `run` and `recipe` have an indented
block behind them, `expect` is a pattern that the output before it must have, and `fault` is done to the lab."""
import dataclasses
import pathlib
import re

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs"
MARK = re.compile(r"<!-- (?P<kind>run|expect|fault|recipe): ?(?P<words>.*?) ?-->")


@dataclasses.dataclass
class Block:
    """One comment, and the indented lines behind it."""
    kind: str
    words: str
    text: str
    place: str  # "file:line" of the comment


def blocks(name):
    """All marked blocks of a document, in its order; a mark without a block is an error."""
    lines = (DOCS / name).read_text(encoding="utf-8").splitlines()
    found = []
    for number, line in enumerate(lines):
        mark = MARK.fullmatch(line.strip())
        if mark is None:
            if "<!--" in line:
                raise ValueError(f"{name}:{number + 1}: found an unknown comment {line!r}")
            continue
        body = []
        for after in lines[number + 1:]:
            if after and not after.startswith("    "):
                break
            body.append(after[4:])
        text = "\n".join(body).strip("\n")
        if mark["kind"] in ("expect", "fault"):
            text = ""
        elif not text:
            raise ValueError(f"{name}:{number + 1}: found no block after {line!r}")
        found.append(Block(mark["kind"], mark["words"], text, f"{name}:{number + 1}"))
    return found
