#!/usr/bin/env python3
"""Every relative link of a document, and every document that code or text names, exists."""
import re

from tree import ROOT, files, finish, lines, text


def anchors(path):
    """The anchors of a document's headings, as GitHub makes them."""
    found = set()
    for _, line in lines(path):
        if line.startswith("#"):
            title = re.sub(r"[^\w\- ]", "", line.lstrip("#").strip().lower())
            found.add(title.replace(" ", "-"))
    return found


def check_links(path):
    """Links of one document."""
    fenced = False
    for number, line in lines(path):
        fenced ^= line.lstrip().startswith("```")
        if fenced:
            continue
        for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", line)):
            if re.match(r"[a-z]+:", target):
                continue
            name, _, anchor = target.partition("#")
            goal = (ROOT / path).parent / name if name else ROOT / path
            if not goal.exists():
                yield f"{path}:{number}: link to {target}, which does not exist"
            elif anchor and goal.suffix == ".md" and \
                    anchor not in anchors(goal.resolve().relative_to(ROOT)):
                yield f"{path}:{number}: link to {target}: no such heading"


def check_names(path, documents):
    """Documents that a file names in passing: by path from the root, or by bare name."""
    for number, line in lines(path):
        for name in re.findall(r"(?<![\w/<*{$%.-])[\w][\w./-]*\.md\b", line):
            beside = ((ROOT / path).parent / name).exists()
            if not beside and not (ROOT / name).exists() and name not in documents:
                yield f"{path}:{number}: names {name}, which does not exist"


def main():
    """Check all."""
    documents = files(".md")
    names = {p.name for p in documents}
    findings = [f for p in documents for f in check_links(p)]
    findings += [f for p in files() if p.suffix in (".c", ".h", ".md", ".txt", ".yaml")
                 for f in check_names(p, names)]
    count = sum(len(re.findall(r"\]\([^)\s]+\)", text(p))) for p in documents)
    finish(findings, f"{len(documents)} documents, {count} links")


if __name__ == "__main__":
    main()
