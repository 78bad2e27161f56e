"""The schemas of docs/schemas, and holding a document against one of them."""

import json
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from referencing import Registry, Resource

from pages import DOCS

SCHEMAS = {file.stem: json.loads(file.read_text()) for file in sorted((DOCS / "schemas").glob("*.json"))}
REGISTRY: Registry[Any] = Registry().with_resources(
    [(f"{name}.json", Resource.from_contents(schema)) for name, schema in SCHEMAS.items()]
)


def wrong(name: str, document: Any) -> str:
    """Return how *document* breaks the schema *name*; empty when it does not."""
    found = best_match(Draft202012Validator(SCHEMAS[name], registry=REGISTRY).iter_errors(document))
    return f"{name}: {found.json_path}: {found.message[:600]}" if found else ""
