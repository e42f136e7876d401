"""Holds the documents of --json, and those that are served by HTTP, against docs/schema.

The tables in docs/schema/README.md say which schema is whose; there are no others. What was seen of
the schemas is remembered, so that a test can tell what is described and never written."""

import json
import pathlib
import re

try:
    import jsonschema
except ImportError:  # cli_schema says so; all else goes on without
    jsonschema = None

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "docs/schema"


class Schemas:
    """All schemas, the table, and what was seen."""

    def __init__(self):
        self.files = {path.name: json.loads(path.read_text())
                      for path in sorted(FOLDER.glob("*.schema.json"))}
        rows = self._read_tables()
        self.requests = {row: names for row, names in rows.items() if row[0].isupper()}
        self.rows = {row: names for row, names in rows.items() if not row[0].isupper()}
        self.seen = set()  # ids of the schemas of members
        self.demands = []  # (object, member) pairs that were required of the last document
        base = f"{FOLDER.as_uri()}/"
        store = {base + name: schema for name, schema in self.files.items()}
        kind = jsonschema.validators.extend(jsonschema.Draft202012Validator,
                                            {"properties": self._properties,
                                             "required": self._required})
        self.validators = {
            name: kind(schema, resolver=jsonschema.RefResolver(base + name, schema, store=store))
            for name, schema in self.files.items()}

    @staticmethod
    def _read_tables():
        """Words of a command, as ("move", "--wait"), or of a request, as ("GET", "/healthz"), to
        names of schemas."""
        rows = {}
        for line in (FOLDER / "README.md").read_text().splitlines():
            if line.startswith("| `"):
                commands, documents = line.strip("| ").split(" | ")
                for command in re.findall("`([^`]+)`", commands):
                    rows[tuple(command.split())] = re.findall(r"\]\(([^)]+)\)", documents)
        return rows

    def _properties(self, validator, properties, instance, schema):
        if validator.is_type(instance, "object"):
            self.seen.update(id(it) for name, it in properties.items() if name in instance)
        yield from jsonschema.Draft202012Validator.VALIDATORS["properties"](
            validator, properties, instance, schema)

    def _required(self, validator, required, instance, schema):
        if validator.is_type(instance, "object"):
            self.demands += [(instance, name) for name in required]
        yield from jsonschema.Draft202012Validator.VALIDATORS["required"](
            validator, required, instance, schema)

    def row_of(self, words):
        """The row that has most of these words; None: the verb is not in the table."""
        verbs = {row[0] for row in self.rows}
        verb = next((word for word in words if word in verbs), None)
        return max((row for row in self.rows if row[0] == verb and set(row) <= set(words)),
                   key=len, default=None)

    def fault(self, name, document):
        """All that is wrong with it by that schema, line by line; "": nothing."""
        self.demands = []
        errors = list(self.validators[name].iter_errors(document))
        # What is wrong inside a member makes the member one that nobody knows, too.
        errors = [it for it in errors if it.validator != "unevaluatedProperties"] or errors
        return "\n".join(f"{name}: {it.json_path}: {it.message}" for it in errors)

    def check(self, words, document):
        """Complains of a document that is not what the table says."""
        row = self.row_of(words)
        if row is None:
            raise AssertionError(f"{words}: no row in {FOLDER}/README.md has this command")
        self.judge(" ".join(words), self.rows[row], document)

    def check_answer(self, method, path, status, document):
        """The same of what was asked by HTTP."""
        path = path.split("?")[0]
        refused = self.requests[("POST",)] if status >= 400 else []
        known = self.requests.get((method, path)) or self.requests.get((method,))
        if known is None and not refused:
            raise AssertionError(f"{method} {path}: no row in {FOLDER}/README.md has this request")
        self.judge(f"{method} {path}: {status}", (known or []) + refused, document)

    def judge(self, what, names, document):
        """It must be as one of them says."""
        faults = [self.fault(name, document) for name in names]
        if all(faults):
            raise AssertionError(f"{what}: " + "\n".join(faults))

    def unseen(self, rows):
        """Members that are described for these rows and were in no document so far."""
        names = {"common.schema.json", *(name for row in rows.values() for name in row)}

        def walk(name, schema, path):
            if isinstance(schema, dict):
                for member, it in schema.get("properties", {}).items():
                    # `false` and conditions describe nothing of their own
                    if isinstance(it, dict) and path[-1:] not in (["if"], ["else"], ["then"]) \
                            and id(it) not in self.seen:
                        yield f"{name}: {'.'.join(p for p in path if p != 'properties')}.{member}"
            items = schema.items() if isinstance(schema, dict) else enumerate(schema)
            for key, it in items:
                if isinstance(it, (dict, list)):
                    yield from walk(name, it, [*path, str(key)])
        return [it for name in sorted(names) for it in walk(name, self.files[name], [])]


_schemas = None


def schemas():
    """The one that all share; None where there is no validator."""
    global _schemas
    if _schemas is None and jsonschema is not None:
        _schemas = Schemas()
    return _schemas


def check(words, text):
    """What a command printed with --json."""
    if schemas() is not None:
        schemas().check(words, json.loads(text))


def check_answer(method, path, status, text):
    """What a request was answered with."""
    if schemas() is not None:
        schemas().check_answer(method, path, status, json.loads(text))
