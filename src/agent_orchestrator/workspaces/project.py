"""What a project folder is, seen before anything of ours exists; and, with consent, making it a repository."""

import os
import stat
from pathlib import Path

from agent_orchestrator.domain.errors import WorkspaceProblem
from agent_orchestrator.workspaces import Project
from agent_orchestrator.workspaces.git import Setting, blanked, git, places, read_config

BRIDGE_NAME = "Agent Orchestrator"
BRIDGE_EMAIL = "orchestrate@localhost"
"""Stands in where the user told git no name or address."""

UNWANTED = (".env", ".env.*", "!.env.example", "node_modules/", ".venv/", "__pycache__/", ".DS_Store")
"""What a first commit must not take in from a folder nobody ever made a .gitignore for."""

_SUBMODULES = (
    "submodules are filled from your own copies, without the network; one you have not checked out stays empty. "
    "Work in them lands on branches in those copies"
)


def detect(folder: Path) -> Project:
    """Look at *folder*: is it in a repository, on which branch, with what uncommitted?

    Reads only. Raises WorkspaceProblem when git refuses the repository, for
    example because it belongs to another user.
    """
    folder = Path(folder).resolve()
    try:
        found = places(folder)
    except WorkspaceProblem as error:
        if "not a git repository" in error.message:
            return Project(folder=folder, root=None, head=None, branch=None)
        if "must be run in a work tree" in error.message:
            return Project(folder=folder, root=None, head=None, branch=None, bare=True)
        raise WorkspaceProblem(f"git refuses {folder}: {error.message}") from error
    root, common = found.root, found.common
    settings = read_config(root)
    head = git("rev-parse", "--verify", "--quiet", "HEAD^{commit}", cwd=root, check=False)
    # Not --short: where a tag has the branch's name that answers "heads/<name>".
    branch = git("symbolic-ref", "--quiet", "HEAD", cwd=root, check=False)
    dirty, untracked = _uncommitted(root, blanked(settings))
    return Project(
        folder=folder,
        root=root,
        head=head.text or None,
        branch=branch.text.removeprefix("refs/heads/") or None,
        dirty=dirty,
        untracked=untracked,
        identity=identity(settings)[2],
        signing=_last(settings, "commit.gpgsign").lower() in ("true", "yes", "on", "1"),
        notes=_notes(root, common, settings),
    )


def init(folder: Path, *, of_its_own: bool = False) -> Project:
    """Make *folder* a repository with a first commit of what is in it. Only with the user's consent.

    *of_its_own* makes one even inside another repository, which is left alone.

    Environment files and dependency folders are kept out through
    ``.git/info/exclude``. In a repository without a commit the first commit is
    made; one that has a commit is left as it is.

    Raises:
        NotReady: it is a bare repository.
    """
    folder = Path(folder).resolve()
    if of_its_own:
        git("init", "--quiet", "--template=", "--initial-branch=main", cwd=folder)
    project = detect(folder)
    project.need_files()
    if project.head is not None:
        return project
    if project.root is None:
        git("init", "--quiet", "--template=", "--initial-branch=main", cwd=folder)
    root = project.root or folder
    exclude = places(root).common / "info" / "exclude"
    exclude.parent.mkdir(exist_ok=True)
    with exclude.open("a") as file:
        file.write("\n".join(("# not for the first commit", *UNWANTED, "")))
    settings = read_config(root)
    config = blanked(settings)
    git("add", "--all", cwd=root, config=config)
    name, email, _ = identity(settings)
    config |= {"user.name": name, "user.email": email}
    git("commit", "--quiet", "--allow-empty", "--message=First commit", cwd=root, config=config)
    return detect(folder)


def identity(settings: tuple[Setting, ...]) -> tuple[str, str, bool]:
    """Return the name and address commits are made with, and whether they are the user's own."""
    name = _last(settings, "user.name") or os.environ.get("GIT_AUTHOR_NAME", "")
    email = _last(settings, "user.email") or os.environ.get("GIT_AUTHOR_EMAIL", "")
    return name or BRIDGE_NAME, email or BRIDGE_EMAIL, bool(name and email)


def shown(path: str) -> str:
    """Return *path* as text that can be stored and printed: bytes that are not UTF-8 become U+FFFD."""
    return os.fsencode(path).decode("utf-8", "replace")


def _last(settings: tuple[Setting, ...], key: str) -> str:
    return next((setting.value for setting in reversed(settings) if setting.key == key), "")


def _uncommitted(root: Path, config: dict[str, str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    status = git("status", "--porcelain", "-z", "--no-renames", "--ignore-submodules=all", cwd=root, config=config)
    lines = [shown(name) for name in status.names]
    dirty = tuple(line[3:] for line in lines if not line.startswith("??"))
    return dirty, tuple(line[3:] for line in lines if line.startswith("??"))


def _notes(root: Path, common: Path, settings: tuple[Setting, ...]) -> tuple[str, ...]:
    local = tuple(setting for setting in settings if setting.scope in ("local", "worktree"))
    notes = []
    if (root / ".gitmodules").exists():
        notes.append(_SUBMODULES)
    if _uses_lfs(root):
        notes.append("large files come from the local LFS store; what is not there stays a pointer file")
    if _last(local, "core.sparsecheckout") == "true":
        notes.append("the repository is checked out sparsely; agents' checkouts hold all files")
    if (common / "shallow").exists():
        notes.append("the history is shallow; agents see it only as far as it goes")
    if any(setting.key.endswith((".promisor", ".partialclonefilter")) for setting in local):
        notes.append("the clone is partial; a file that was never fetched cannot be checked out offline")
    hooks = _hooks(common)
    if hooks or _last(local, "core.hookspath"):
        notes.append(f"the repository's hooks ({', '.join(hooks) or 'core.hooksPath'}) are not run on agents' commits")
    filters = sorted({key.split(".", 1)[1].rsplit(".", 1)[0] for key in blanked(local) if key.startswith("filter.")})
    if filters:
        notes.append(f"the repository's own filters ({', '.join(filters)}) are not run; such files stay as stored")
    return tuple(notes)


def _hooks(common: Path) -> list[str]:
    folder = common / "hooks"
    if not folder.is_dir():
        return []
    found = (entry for entry in folder.iterdir() if entry.suffix != ".sample" and entry.is_file())
    return sorted(entry.name for entry in found if entry.stat().st_mode & stat.S_IXUSR)


def _uses_lfs(root: Path) -> bool:
    attributes = root / ".gitattributes"
    return attributes.is_file() and "filter=lfs" in attributes.read_text("utf-8", "replace")
