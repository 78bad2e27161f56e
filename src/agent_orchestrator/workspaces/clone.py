"""A ``.git`` for a checkout: its own refs and configuration, the user's objects.

This is what ``git clone --shared`` makes, written by us (gitrepository-layout(5)):
that command ignores ``--shared`` for a shallow repository, runs template hooks
and takes three more processes to correct afterwards.
"""

import hashlib
import re
import shutil
from pathlib import Path

from agent_orchestrator.domain.errors import WorkspaceProblem
from agent_orchestrator.workspaces.git import is_lfs
from agent_orchestrator.workspaces.project import identity, shown
from agent_orchestrator.workspaces.repository import Repository, quoted

DEAD_URL = "disabled://pushing-is-switched-off-for-agents"
"""No transport of that name exists, so `git push` fails at once and says this."""

_MANIFESTS = frozenset(
    b"package.json package-lock.json pnpm-lock.yaml yarn.lock bun.lock pyproject.toml setup.py setup.cfg uv.lock "
    b"poetry.lock pdm.lock Pipfile.lock requirements.txt requirements-dev.txt".split()
)
_MANY = 5_000
"""Untracked files listed one by one. Folders hide what an agent adds to them, so they are the second choice."""
_CARRIED = re.compile(
    r"core\.(autocrlf|eol|safecrlf|filemode|ignorecase|symlinks|precomposeunicode|longpaths|attributesfile|excludesfile)"
    r"|(merge|diff)\.(conflictstyle|renames|renamelimit|algorithm)"
    r"|lfs\.(url|fetchinclude|fetchexclude)"
)
"""Settings of the repository's own that change what files look like or how they merge; none of them runs anything."""
_REMOTE = re.compile(r"remote\.(.+)\.(url|fetch)", re.S)
_CREDENTIALS = re.compile(r"^(https?://)[^/@]*@")


def make_git_dir(repository: Repository, root: Path, *, branch: str) -> None:
    """Give *root* a new ``.git`` on the unborn *branch*, in place of any it has."""
    git_dir = root / ".git"
    _remove(git_dir)
    info = git_dir / "info"
    for folder in (info, git_dir / "objects" / "info", git_dir / "objects" / "pack", git_dir / "refs" / "heads"):
        folder.mkdir(parents=True)
    (git_dir / "HEAD").write_text(f"ref: refs/heads/{branch}\n")
    (git_dir / "objects" / "info" / "alternates").write_bytes(quoted(repository.objects) + b"\n")
    (git_dir / "packed-refs").write_bytes(repository.shown_refs.lines())
    for name in ("exclude", "attributes"):
        if (repository.common / "info" / name).is_file():
            shutil.copyfile(repository.common / "info" / name, info / name)
    if (repository.common / "shallow").is_file():
        shutil.copyfile(repository.common / "shallow", git_dir / "shallow")
    (git_dir / "config").write_text(configuration(repository), "utf-8", "surrogateescape")


def fill(repository: Repository, root: Path, *, commit: str, git_dir: Path, index: Path) -> tuple[str, ...]:
    """Make the files under *root* those of *commit* and nothing else; keep a copy of the fresh index in *index*.

    The copy lets :func:`~agent_orchestrator.workspaces.snapshot.snapshot` read only what changed later, whatever
    the agent does to the original. Returns notes.
    """
    notes: tuple[str, ...] = ()
    reset = ("reset", "--hard", "--quiet", commit)
    try:
        repository.git(*reset, cwd=root, env={"GIT_LFS_SKIP_SMUDGE": "1"})
    except WorkspaceProblem as error:
        if repository.is_partial and "unable to read" in error.message:
            raise WorkspaceProblem(
                f"files of {commit[:12]} were never fetched into this partial clone",
                hint="git fetch --refetch --no-filter gets all of them",
            ) from error
        if not any(item.key.startswith("filter.lfs.") for item in repository.settings):
            raise
        off = {"filter.lfs.smudge": "", "filter.lfs.process": "", "filter.lfs.required": "false"}
        repository.git(*reset, cwd=root, config=off)
        notes = ("git-lfs could not fill in large files, so they are pointer files here",)
    if repository.has_large_files:  # from the user's own store: unlike smudging, this never downloads
        repository.git("lfs", "checkout", cwd=root, check=False)
    index.parent.mkdir(parents=True, exist_ok=True)
    # With its time: git takes an entry that is as new as the index itself for suspect, and so must we.
    shutil.copy2(git_dir / "index", index)
    return notes


def clean(repository: Repository, root: Path, *, keep: tuple[str, ...] = ()) -> None:
    """Remove every file under *root* that git does not track, ignored ones too, but for the patterns in *keep*."""
    kept = (word for pattern in keep for word in ("-e", pattern))
    repository.git("clean", "-ffdxq", *kept, cwd=root)


def restore(repository: Repository, root: Path, *, git_dir: Path, index: Path) -> tuple[str, ...]:
    """Put back tracked files that differ from the index, renew its copy in *index*, and return their names."""
    repository.git("update-index", "-q", "--refresh", "--ignore-submodules", cwd=root, check=False)
    asked = ("diff-files", "--name-only", "-z", "--no-renames", "--ignore-submodules=all")
    changed = repository.git(*asked, cwd=root)
    if changed.out:
        repository.git("checkout-index", "--force", "-u", "-z", "--stdin", cwd=root, input=changed.out)
    shutil.copy2(git_dir / "index", index)
    return tuple(map(shown, changed.names))


def untracked(repository: Repository, root: Path) -> tuple[str, ...]:
    """Return what git does not track and does not ignore under *root*; whole folders when it is very much."""
    asked = ("ls-files", "--others", "--exclude-standard", "-z")
    names = repository.git(*asked, cwd=root).names
    return tuple(names if len(names) <= _MANY else repository.git(*asked, "--directory", cwd=root).names)


def hide(git_dir: Path, patterns: tuple[str, ...]) -> None:
    """Let git in the checkout ignore *patterns*, so that an agent's `git add -A` leaves them out too."""
    with (git_dir / "info" / "exclude").open("a", encoding="utf-8", errors="surrogateescape") as file:
        file.writelines(f"{pattern}\n" for pattern in patterns)


def dependencies(repository: Repository, commit: str) -> str:
    """Return what stands for the dependencies *commit* declares: two commits with the same need the same."""
    listed = repository.git("ls-tree", "-r", "-z", commit).out.split(b"\0")
    kept = sorted(line for line in listed if line.rpartition(b"\t")[2].rpartition(b"/")[2] in _MANIFESTS)
    return hashlib.sha256(b"\0".join(kept)).hexdigest()


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def configuration(repository: Repository) -> str:
    """Return a configuration that makes files and commits what they are in the user's repository, and runs nothing."""
    name, email, _ = identity(repository.settings)
    form = next((item.value for item in repository.settings if item.key == "extensions.objectformat"), "sha1")
    known = ("0", ()) if form == "sha1" else ("1", ("[extensions]", _line("objectFormat", form)))
    lines = [
        *("[core]", _line("repositoryFormatVersion", known[0]), *known[1]),
        *("[core]", _line("bare", "false"), _line("logAllRefUpdates", "true")),
        *("[user]", _line("name", name), _line("email", email)),
        *("[core]", _line("hooksPath", "/dev/null"), _line("fsmonitor", "false")),
        *("[commit]", _line("gpgSign", "false"), "[tag]", _line("gpgSign", "false")),
        *("[gc]", _line("auto", "0"), "[maintenance]", _line("auto", "false")),
        *("[lfs]", _line("storage", str(repository.common / "lfs"))),
    ]
    remotes: dict[str, None] = {}
    for item in repository.settings:
        if item.scope not in ("local", "worktree"):
            continue
        if found := _REMOTE.fullmatch(item.key):
            remotes[found[1]] = None
            lines += [_section("remote", found[1]), _line(found[2], _address(repository, item.value))]
        elif is_lfs(item) and item.key not in repository.neutral:
            lines += [_section("filter", "lfs"), _line(item.key.rpartition(".")[2], item.value)]
        elif _CARRIED.fullmatch(item.key):
            section, _, key = item.key.partition(".")
            lines += [f"[{section}]", _line(key, item.value)]
    for remote in remotes:
        lines += [_section("remote", remote), _line("pushurl", DEAD_URL)]
    return "\n".join((*lines, ""))


def _address(repository: Repository, value: str) -> str:
    """Return a remote's address without a password in it, and absolute if it is a path."""
    if value.startswith(("./", "../")):
        return str((repository.root / value).resolve())
    return _CREDENTIALS.sub(r"\1", value)


def _section(kind: str, name: str) -> str:
    return f"[{kind} {_value(name)}]"


def _line(key: str, value: str) -> str:
    return f"\t{key} = {_value(value)}"


def _value(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
