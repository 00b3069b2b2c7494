"""Puts the OpenAPI document of the control API together: openapi.py OUT PART...

Each section has its part beside its code, NAME.openapi.json:

  {"sections": {NAME: schema}, "paths": {…}, "schemas": {…}}

`sections` are the properties of the schema Status, `paths` and `schemas` are OpenAPI's own. The one part with "openapi" is the head
of the document; what it has in "every_operation" is an answer of each operation. A name that two parts have is an error.
"""

import json
import sys


def add(to, members, what, part):
    for name, value in members.items():
        if name in to:
            raise SystemExit(f"{part}: another part has the {what} {name}, too")
        to[name] = value


def document(parts):
    """The document of `parts`, {file name: its JSON}."""
    [head] = [part for part in parts.values() if "openapi" in part] or [{}]
    sections, paths, schemas = {}, {}, {}
    for name, part in parts.items():
        unknown = set(part) - {"sections", "paths", "schemas"} - (set(head) if part is head else set())
        if unknown:
            raise SystemExit(f"{name}: unknown: {', '.join(sorted(unknown))}")
        add(sections, part.get("sections", {}), "section", name)
        add(paths, part.get("paths", {}), "path", name)
        add(schemas, part.get("schemas", {}), "schema", name)
    for operations in paths.values():
        for operation in operations.values():
            operation["responses"] = {**operation["responses"], **head.get("every_operation", {})}
    add(schemas, {"Status": {"type": "object", "required": list(sections), "properties": sections}}, "schema", "the sections")
    return {**{key: value for key, value in head.items() if key != "every_operation"}, "paths": paths, "components": {"schemas": schemas}}


def main(out, *files):
    parts = {}
    for file in files:
        with open(file, encoding="utf-8") as text:
            parts[file] = json.load(text)
    with open(out, "w", encoding="utf-8") as text:
        json.dump(document(parts), text, indent=1, ensure_ascii=False)
        text.write("\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
