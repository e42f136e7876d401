#!/usr/bin/env python3
"""Words and calls that must not occur, and what every file must have."""
import ast
import re

from tree import ROOT, SOURCE_FOLDERS, files, finish, lines, split_c, text, within, without_literals

ALL_C = SOURCE_FOLDERS + ("tests",)
LIBVIRT_FOLDERS = ("collector", "migrator", "tests/unit/collector", "tests/unit/migrator")
PURE = ("balancer/core/", "policies/", "balancer/sim/", "migrator/life", "migrator/verdict")

# Pauses that stand for no condition, and why they may.
PAUSES = {
    "balancer/store/embedded.c": "between two looks at a condition",
    "balancer/tools/maintenance/maintenance_wait.c": "between two looks at a condition",
    "migrator/volume.c": "between two looks at a pool that is busy",
    "collector/libvirt/events.c": "a failing poll must not eat a core",
    "migrator/events.c": "a failing poll must not eat a core",
    "tests/lab/guest/init.c": "paces the load that it makes",
    "tests/unit/store/test_connection.c": "a second process acts while the first one stands in a call",
    "tests/unit/store/test_notify.c": "a second process acts while the first one stands in a call",
}

# What must not be in C code (comments and literals aside): pattern, which files, what to say.
CODE_RULES = (
    (r"\b(strcpy|strcat|sprintf|vsprintf|gets|strtok)\s*\(", lambda p: True,
     "{} writes without a limit or keeps state: use snprintf and its kin"),
    (r"\bvir[A-Z]\w*", lambda p: not within(p, *LIBVIRT_FOLDERS),
     "{}: libvirt stays in collector/ and migrator/"),
    (r"\b(time|clock|clock_gettime|gettimeofday|timespec_get|localtime|gmtime|mktime)\s*\(",
     lambda p: p.as_posix().startswith(PURE), "{}: time comes in as an argument here"),
    (r"\b(sleep|usleep|nanosleep|clock_nanosleep)\s*\(",
     lambda p: p.as_posix() not in PAUSES, "{}: wait for a condition, not for a time"),
    (r"\b(setlocale|rand|srand|random|getenv|setenv)\s*\(",
     lambda p: p.as_posix().startswith(PURE), "{}: the same input must give the same output"),
)


def check_code(path):
    """Calls that must not be in a C file."""
    code = without_literals(split_c(text(path))[0])
    for number, line in enumerate(code.splitlines(), 1):
        for pattern, concerns, message in CODE_RULES:
            found = re.search(pattern, line) if concerns(path) else None
            if found:
                yield f"{path}:{number}: {message.format(found[0].rstrip('( '))}"


def check_ascii(path):
    """Typographic quotes and dashes get into code by copying."""
    for number, line in lines(path):
        found = re.search(r"[\u2010-\u201f\u00a0]", line)
        if found:
            yield f"{path}:{number}: character U+{ord(found[0]):04X}: only ASCII quotes and dashes"


def check_messages(path):
    """A message that would fit on one line must be findable by grep in one piece."""
    before = ""
    if not within(path, *SOURCE_FOLDERS):
        return
    for number, line in lines(path):
        first = re.match(r'(\s*)(.*\()?"((?:[^"\\]|\\.)*)"$', before)
        second = re.match(r'\s*"((?:[^"\\]|\\.)*)"[,;)]', line)
        if first and second and len(first[1]) + len(first[3]) + len(second[1]) + 4 <= 100:
            if second[1] and not first[3].endswith("\\n"):
                yield f"{path}:{number}: a message in two pieces which fits on one line"
        before = line


def check_header(path):
    """A header begins with what it is for and is guarded."""
    source = text(path)
    if not source.startswith("/*"):
        yield f"{path}:1: a header begins with a comment that says what it is for"
    guard = re.search(r"^#ifndef (\w+)\n#define (\w+)$", source, re.M)
    if not guard or guard[1] != guard[2] or not re.fullmatch(r"EK_[A-Z0-9_]+_H", guard[1]):
        yield f"{path}:1: no include guard of the form EK_..._H"


def check_guards(headers):
    """No two headers have the same guard."""
    seen = {}
    for path in headers:
        guard = re.search(r"^#ifndef (EK_\w+_H)$", text(path), re.M)
        if guard and guard[1] in seen:
            yield f"{path}:1: guard {guard[1]} is that of {seen[guard[1]]}, too"
        elif guard:
            seen[guard[1]] = path


def check_everywhere(path):
    """What must be in no file at all."""
    leftovers = "|".join(("TO" + "DO", "FIX" + "ME", "X" * 3))
    for number, line in lines(path):
        found = re.search(rf"\b({leftovers})\b", line)
        if found:
            yield f"{path}:{number}: {found[0]}: do it, or write an issue"
        found = re.search(r"(?<![\w.~$}])/(work|tmp|home|root)/[\w.]*", line)
        in_test = found and found[1] == "tmp" and within(path, "tests")
        if found and not in_test and path.name != "words.py":
            yield f"{path}:{number}: {found[0]}: a path of somebody's machine"


def check_policies():
    """A policy is code and a page."""
    for path in files(".c", under=("policies",)):
        registered = re.search(r"^const struct ek_policy_ops \w+", text(path), re.M)
        if registered and not (ROOT / path).with_suffix(".md").exists():
            yield f"{path}:1: policy without {path.with_suffix('.md')}"


def check_python_pauses(path):
    """time.sleep outside a loop is a guess; the length of a measurement is none."""
    source = text(path)
    inside = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.While, ast.For)):
            inside |= {id(n) for n in ast.walk(node)}
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "time.sleep":
            line = source.splitlines()[node.lineno - 1]
            if id(node) not in inside and "measure" not in line:
                yield f"{path}:{node.lineno}: time.sleep: wait for a condition, not for a time"


def is_python(path):
    """Whether a file is a Python program or module."""
    return path.suffix == ".py" or text(path).startswith("#!/usr/bin/env python3")


def main():
    """All of it."""
    sources, headers = files(".c", ".h", under=ALL_C), files(".h", under=ALL_C)
    everything = files()
    findings = [f for p in sources for check in (check_code, check_ascii, check_messages)
                for f in check(p)]
    findings += [f for p in headers for f in check_header(p)]
    findings += check_guards(headers)
    findings += [f for p in everything for f in check_everywhere(p)]
    findings += check_policies()
    findings += [f for p in everything if is_python(p) for f in check_python_pauses(p)]
    finish(findings, f"{len(sources)} C files, {len(everything)} files: nothing to say")


if __name__ == "__main__":
    main()
