#!/usr/bin/env python3
"""Inputs for the fuzz targets: the golden cases, the policies of conf/, and what was found before.

    corpus.py TARGET FOLDER              writes them into the folder
    corpus.py TARGET --run PROGRAM...    runs the program with all of them as further arguments

TARGET is plan_documents, policy_yaml, history_block or profile, of which the last two have small ones in found/ to
begin with; what a fuzzer has found is kept in found/TARGET."""
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
TESTS = HERE.parent
CONF = TESTS.parent / "conf"


def policies():
    """Policies by name."""
    found = {f"golden-{p.parent.name}": p for p in TESTS.glob("golden/*/policy.yaml")}
    return {**found, **{p.stem: p for p in CONF.glob("policy*.yaml")}}


def documents():
    """A snapshot, a line "---", a policy."""
    for path in sorted(TESTS.glob("golden/*/snapshot.json")):
        policy = path.with_name("policy.yaml")
        text = path.read_bytes()
        yield path.parent.name, text + (b"\n---\n" + policy.read_bytes()
                                        if policy.exists() else b"")


def inputs(target):
    """All inputs of a target, by name."""
    found = {}
    if target == "plan_documents":
        found = dict(documents())
    elif target == "policy_yaml":
        found = {name: path.read_bytes() for name, path in policies().items()}
    found.update({f"found-{p.name}": p.read_bytes() for p in (HERE / "found" / target).glob("*")})
    return found


def write(target, folder):
    """The files, in order of their names."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in inputs(target).items():
        (folder / name).write_bytes(data)
    return sorted(folder.iterdir())


def main():
    """Write, or run."""
    target, where = sys.argv[1:3]
    if where != "--run":
        print(f"{len(write(target, pathlib.Path(where)))} inputs in {where}")
        return 0
    with tempfile.TemporaryDirectory(prefix="ek-fuzz-") as folder:
        files = write(target, pathlib.Path(folder))
        done = subprocess.run([*sys.argv[3:], *files], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            print(done.stdout + done.stderr[-8000:])
        print(f"{len(files)} inputs, status {done.returncode}")
        return done.returncode


if __name__ == "__main__":
    sys.exit(main())
