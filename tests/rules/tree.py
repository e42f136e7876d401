"""The source tree, for all rules: its files, their text, and how a rule says what breaks it."""
import os
import sys
from pathlib import Path

# The tree to judge; the rules' own test gives them small ones with faults.
ROOT = Path(os.environ.get("EK_RULES_ROOT", Path(__file__).resolve().parents[2]))

# Where the product's own C code lives; tests are beside it.
SOURCE_FOLDERS = ("balancer", "collector", "migrator", "policies")


def ignored(name):
    """Whether a folder is no part of the source."""
    return name.startswith("build") or name in (".git", "Testing", "__pycache__")


def files(*suffixes, under=("",)):
    """Paths of all source files, relative to the root, in order; all suffixes when none given."""
    found = []
    for folder in under:
        for where, folders, names in os.walk(ROOT / folder):
            folders[:] = [f for f in folders if not ignored(f)]
            paths = ((Path(where) / n).relative_to(ROOT) for n in names if not ignored(n))
            found += [p for p in paths if not suffixes or p.suffix in suffixes]
    return sorted(set(found))


def text(path):
    """A file's text; empty when it is not text."""
    try:
        return (ROOT / path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def lines(path):
    """A file's lines with their numbers, from 1."""
    return enumerate(text(path).splitlines(), 1)


def within(path, *folders):
    """Whether a path is in one of the folders."""
    return any(path.as_posix().startswith(f"{folder}/") for folder in folders)


def split_c(source):
    """Take C code apart by position: (code, comments), each as long as the source.

    The other's characters are blanks, line ends stay in both. String and character literals are
    code, with their contents."""
    code, comments = [], []
    at, end = 0, len(source)
    while at < end:
        stop, is_comment = token_end(source, at)
        piece = source[at:stop]
        blank = "".join(c if c == "\n" else " " for c in piece)
        code.append(blank if is_comment else piece)
        comments.append(piece if is_comment else blank)
        at = stop
    return "".join(code), "".join(comments)


def token_end(source, at):
    """Where the comment, literal or character that begins at a position ends."""
    if source.startswith("/*", at):
        close = source.find("*/", at + 2)
        return (len(source) if close < 0 else close + 2), True
    if source.startswith("//", at):
        close = source.find("\n", at)
        return (len(source) if close < 0 else close), True
    if source[at] in "\"'":
        stop = at + 1
        while stop < len(source) and source[stop] not in (source[at], "\n"):
            stop += 2 if source[stop] == "\\" else 1
        return min(stop + 1, len(source)), False
    return at + 1, False


def without_literals(code):
    """Code with the contents of its string and character literals blanked."""
    out, at = [], 0
    while at < len(code):
        stop, _ = token_end(code, at)
        out.append(code[at:stop] if stop == at + 1
                   else code[at] + " " * (stop - at - 2) + code[stop - 1])
        at = stop
    return "".join(out)


def finish(findings, passed):
    """Print findings, one per line, and end with the status of the rule."""
    for finding in findings:
        print(finding)
    print(f"{len(findings)} findings" if findings else passed)
    sys.exit(1 if findings else 0)
