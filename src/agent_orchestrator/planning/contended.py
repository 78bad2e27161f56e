"""Files that two tasks cannot both change at the same time, although they never name the same one.

Two migrations take the same next number; two changes of dependencies rewrite
one lock file. A merge of the two succeeds or fails by luck, so such tasks wait
for each other.
"""

_MANIFESTS = {
    "package.json": "npm",
    "package-lock.json": "npm",
    "npm-shrinkwrap.json": "npm",
    "yarn.lock": "npm",
    "pnpm-lock.yaml": "npm",
    "pnpm-workspace.yaml": "npm",
    "bun.lock": "npm",
    "pyproject.toml": "Python",
    "uv.lock": "Python",
    "poetry.lock": "Python",
    "pdm.lock": "Python",
    "pipfile": "Python",
    "pipfile.lock": "Python",
    "requirements.txt": "Python",
    "cargo.toml": "Cargo",
    "cargo.lock": "Cargo",
    "go.mod": "Go",
    "go.sum": "Go",
    "gemfile": "Ruby",
    "gemfile.lock": "Ruby",
    "composer.json": "PHP",
    "composer.lock": "PHP",
}
"""Manifests and lock files by the dependencies that they describe together."""

_MIGRATIONS = frozenset({"migrations", "migration", "migrate", "alembic"})
"""Folders whose files are numbered one after the other."""


def contended(owns: tuple[str, ...]) -> dict[str, str]:
    """Return what a scope changes of this kind, in words, each with the first glob that says so."""
    found: dict[str, str] = {}
    for glob in owns:
        segments = glob.casefold().split("/")
        if segments[-1] in _MANIFESTS:
            found.setdefault(f"the {_MANIFESTS[segments[-1]]} dependencies", glob)
        if _MIGRATIONS & set(segments):
            found.setdefault("the database migrations", glob)
    return found
