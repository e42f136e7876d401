#!/usr/bin/env python3
"""Every rule finds the fault that is planted for it, and says where it is.

Each case is a small tree with one fault beside what is right; the rule must fail and name it."""
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
HEADER = "/* What it is for. */\n#ifndef EK_CORE_X_H\n#define EK_CORE_X_H\n#endif\n"
LONG = "int f(void)\n{\n" + "    g();\n" * 90 + "}\n"
ASSERTS = "/* " + "why " * 10 + "*/\nvoid a(void)\n{\n    assert(1);\n}\n"

# Rule, file, its text, what must be in the report.
CASES = (
    ("words", "balancer/core/x.c", "void f(void)\n{\n    strcpy(a, b);\n}\n",
     "balancer/core/x.c:3: strcpy"),
    ("words", "balancer/store/x.c", "virDomainPtr domain;\n", "balancer/store/x.c:1: virDomainPtr"),
    ("words", "policies/x.c", "int t = time(0);\n", "policies/x.c:1: time"),
    ("words", "migrator/x.c", "int f = sleep(3);\n", "migrator/x.c:1: sleep"),
    ("words", "collector/x.c", "/* TO" "DO */\n", "collector/x.c:1: TO" "DO"),
    ("words", "balancer/core/x.h", HEADER.replace("/* What it is for. */\n", ""),
     "balancer/core/x.h:1: a header begins"),
    ("words", "balancer/core/y.h", HEADER.replace("EK_CORE_X_H", "X_H"),
     "balancer/core/y.h:1: no include guard"),
    ("words", "balancer/core/y.h", HEADER, "guard EK_CORE_X_H is that of"),
    ("words", "policies/x.c", "const struct ek_policy_ops ek_x = {0};\n", "without policies/x.md"),
    ("words", "docs/x.md", "see /ho" "me/me/x\n", "docs/x.md:1: /ho" "me/me"),
    ("words", "collector/x.c", 'f("one "\n  "two");\n', "collector/x.c:2: a message in two"),
    ("words", "collector/x.c", "char *a = \"\u201c\";\n", "collector/x.c:1: character U+201C"),
    ("words", "tests/x.py", "import time\ntime.sleep(1)\n", "tests/x.py:2: time.sleep"),
    ("arrows", "balancer/core/x.c", "#include <hiredis/hiredis.h>\n",
     "balancer/core/x.c:1: balancer/core must not include <hiredis/hiredis.h>"),
    ("arrows", "balancer/core/x.c", "#include <time.h>\n", "must not include <time.h>"),
    ("arrows", "balancer/codec/x.c", '#include "balancer/core/x.h"\n#include "policies/p.h"\n',
     "balancer/codec/x.c:2:"),
    ("arrows", "links.txt", "balancer/core|ek_core|PkgConfig::LIBUV\n",
     "ek_core must not link library uv"),
    ("arrows", "links.txt", "balancer/store|ek_store|ek_core\nbalancer/core|ek_core|ek_store\n",
     "ek_core must not link ek_store of balancer/store"),
    ("figures", "balancer/core/x.c", LONG, "balancer/core/x.c:1: f has 93 lines"),
    ("figures", "collector/x.c", "int x;\n" * 601, "collector/x.c:1: 601 lines"),
    ("figures", "balancer/core/x.c", "int x;\n" * 200, "core: asserts per 1000 lines"),
    ("format", "collector/x.c", "int  x ;\n", "collector/x.c:1:"),
    ("scripts", "tests/x.sh", "#!/bin/sh\nrm $1/*\n", "tests/x.sh:2:"),
    ("scripts", "tests/x.py", "import os\n", "tests/x.py:1:"),
    ("links", "docs/x.md", "see [it](y.md)\n", "docs/x.md:1: link to y.md"),
    ("links", "docs/x.md", "# One\nsee [it](#two)\n", "docs/x.md:2: link to #two"),
    ("links", "collector/x.h", "/* see docs/y.md */\n", "collector/x.h:1: names docs/y.md"),
)


def tree_with(folder, name, text):
    """A tree in which everything is right except for one file."""
    for path, content in (("balancer/core/x.h", HEADER), ("balancer/core/good.c", ASSERTS),
                          ("policies/p.h", HEADER.replace("CORE_X", "POLICIES_P")),
                          ("links.txt", "balancer/core|ek_core|m\n"), (name, text)):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content, encoding="utf-8")
    rules = folder / "tests" / "rules"
    rules.mkdir(parents=True, exist_ok=True)
    for data in HERE.glob("*.txt"):
        (rules / data.name).write_bytes(data.read_bytes())


def run_rule(rule, folder, *arguments):
    """A rule's status and report on a tree."""
    done = subprocess.run([sys.executable, "-B", HERE / f"{rule}.py", *arguments],
                          env=os.environ | {"EK_RULES_ROOT": str(folder)}, check=False,
                          capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def try_case(rule, name, text, expected):
    """What is wrong with how a rule meets its case; None when it is right."""
    with tempfile.TemporaryDirectory(prefix="ek-rules-") as work:
        folder = Path(work)
        tree_with(folder, name, text)
        extra = [folder / "links.txt"] if rule == "arrows" else []
        status, report = run_rule(rule, folder, *extra)
    if status == 77:
        print(report.strip())
        sys.exit(77)
    if status == 1 and expected in report:
        return None
    return f"{rule} on {name} {text[:40]!r}: expected '{expected}', status {status}:\n{report}"


def compile_library(folder, text):
    """A library of one object, as the core's is built."""
    (folder / "x.c").write_text(text, encoding="utf-8")
    subprocess.run(["cc", "-c", "-fno-pie", "-o", folder / "x.o", folder / "x.c"], check=True)
    subprocess.run(["ar", "rc", folder / "libx.a", folder / "x.o"], check=True)
    return folder / "libx.a"


def try_purity():
    """A call and a variable that the core must not have."""
    text = "int getpid(void);\nint kept = 1;\nint f(void)\n{\n    return getpid();\n}\n"
    with tempfile.TemporaryDirectory(prefix="ek-rules-") as work:
        _, report = run_rule("purity", work, compile_library(Path(work), text))
    for expected in ("x.o: calls getpid", "x.o: kept can be written"):
        if expected not in report:
            yield f"purity: expected '{expected}':\n{report}"


def main():
    """All cases."""
    findings = [f for case in CASES if (f := try_case(*case))]
    findings += try_purity()
    for finding in findings:
        print(finding)
    print(f"{len(CASES) + 2 - len(findings)} of {len(CASES) + 2} planted faults were found")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
