"""What a sandboxed command may touch: one rule for each path, and the nearest rule above a file counts.

Writable are, beside what each command is given: temporary folders and the caches of package managers and compilers,
for without them nothing builds. Of those, only folders of downloaded or compiled *data*; folders with programs that the
user runs later (``~/.cargo/bin``, ``~/.local/bin``, ``~/go/bin``) and settings stay as they are.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from pathlib import Path


class Access(IntEnum):
    """What may be done with a path and everything below it."""

    NOTHING = 0
    READ = 1
    WRITE = 2


CACHE_HOME = "${XDG_CACHE_HOME:-~/.cache}/"
"""Writable as a whole: by its definition whatever is in it can be lost (XDG base directories), and tools that keep
something there are too many to name. With ``strict`` only CACHES_BY_NAME: browsers keep their pages there too."""

CACHES_BY_NAME = (
    *("pip", "uv", "pypoetry", "pdm", "hatch", "ruff", "mypy", "pre-commit", "virtualenv"),
    *("node", "node-gyp", "yarn", "pnpm", "deno", "turbo", "ms-playwright", "Cypress", "puppeteer", "electron"),
    *("go-build", "golangci-lint", "ccache", "sccache", "bazel", "bazelisk", "zig", "composer", "coursier"),
)
"""Folders of CACHE_HOME that belong to builds."""

CACHES = (
    ("npm", "${npm_config_cache:-~/.npm}/"),
    ("cargo", "${CARGO_HOME:-~/.cargo}/registry/"),
    ("cargo", "${CARGO_HOME:-~/.cargo}/git/"),
    ("go", "${GOPATH:-~/go}/pkg/"),
    ("go", "${GOCACHE}/"),
    ("go", "${GOMODCACHE}/"),
    ("uv", "${UV_CACHE_DIR}/"),
    ("pip", "${PIP_CACHE_DIR}/"),
    ("pnpm", "${PNPM_HOME:-~/.local/share/pnpm}/store/"),
    ("yarn", "${YARN_CACHE_FOLDER}/"),
    ("yarn", "~/.yarn/berry/"),
    ("bun", "${BUN_INSTALL:-~/.bun}/install/cache/"),
    ("deno", "${DENO_DIR}/"),
    ("mvn", "~/.m2/repository/"),
    ("gradle", "${GRADLE_USER_HOME:-~/.gradle}/caches/"),
    ("gradle", "${GRADLE_USER_HOME:-~/.gradle}/wrapper/"),
    ("gradle", "${GRADLE_USER_HOME:-~/.gradle}/daemon/"),
    ("gradle", "${GRADLE_USER_HOME:-~/.gradle}/native/"),
    ("dotnet", "~/.nuget/packages/"),
    ("dotnet", "~/.local/share/NuGet/"),
    ("composer", "~/.composer/cache/"),
    ("mix", "~/.hex/"),
    ("dart", "~/.pub-cache/hosted/"),
    ("ccache", "~/.ccache/"),
)
"""Program and the folder it keeps downloads in. Made when the program is here: in a read-only home it could not."""

TOOLCHAINS = (
    *(".local/bin", ".local/lib", ".local/pipx", ".local/share/pipx", ".local/share/uv", ".local/share/pnpm"),
    *(".local/share/mise", ".local/share/fnm", ".local/share/claude", ".local/share/virtualenvs", ".virtualenvs"),
    *(".pyenv", ".rbenv", ".nodenv", ".goenv", ".jenv", ".asdf", ".nvm", ".n", ".volta", ".bun", ".deno", ".sdkman"),
    *(".cargo/bin", ".cargo/env", ".cargo/config.toml", ".rustup", "go/bin", "sdk", ".dotnet", ".jdks", ".ghcup"),
    *(".npm-global", ".yarn/bin", ".opam", ".linuxbrew", ".nix-profile", "miniconda3", "miniforge3", "anaconda3"),
)
"""Folders of the home with programs and what they need. Readable with ``strict``, never writable."""

SYSTEM_TEMPORARY = ("/tmp", "/var/tmp")  # noqa: S108  granted, not used by us
DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts", "shm")
ACCELERATORS = ("dri", "kvm", "nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm", "nvidia-modeset")

_PLACE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """The rules that hold for every command of one project."""

    home: Path
    environ: Mapping[str, str]
    project: Path
    """The user's files: readable, never writable, unless a command is given them."""
    state: Path
    """Our folder for the project, with all checkouts and transcripts. Readable; with ``strict`` only what is given."""
    strict: bool
    write: tuple[str | Path, ...] = ()
    """What each command may write to beside the usual."""
    programs: tuple[Path, ...] = ()
    """Where our own Python and its modules are."""

    @property
    def temporary(self) -> tuple[Path, ...]:
        """The folders for temporary files."""
        found = (*SYSTEM_TEMPORARY, tempfile.gettempdir(), self.environ.get("TMPDIR") or "")
        return tuple(dict.fromkeys(Path(os.path.realpath(one)) for one in found if one and Path(one).is_dir()))

    def rules(self, *, write: Iterable[Path | str], read: Iterable[Path | str]) -> dict[str, Access]:
        """Return what may be done where. Paths are real and exist; the root of the file system is among them."""
        hidden = Access.NOTHING if self.strict else Access.READ
        found = {"/": Access.READ}
        found |= dict.fromkeys(map(str, self.temporary), Access.WRITE)
        found |= dict.fromkeys(self.places([self.home, self.state]), hidden)
        found |= dict.fromkeys(self.places([self.project]), Access.READ)
        if self.strict:
            found |= dict.fromkeys(self._programs(), Access.READ)
            found |= dict.fromkeys(self.places(read), Access.READ)
        above = set(self.places([self.home]))
        above |= {folder for place in above for folder in parents(place)}  # a variable may say HOME itself, or /
        for place in self.places([*self._caches(), *self.write]):
            if place not in above:
                found[place] = Access.WRITE
        found |= dict.fromkeys(self.places(write), Access.WRITE)
        return found

    def places(self, named: Iterable[Path | str]) -> list[str]:
        """Return the real paths of those that exist, after folders were made that should.

        As text: every attempt asks for some sixty, and objects of paths were most of what that took.
        """
        found = []
        for one in named:
            text = self._filled_in(str(one))
            if not text.startswith("/"):
                continue
            with suppress(OSError, ValueError):
                if os.access(text, os.F_OK):
                    found.append(os.path.realpath(text))
                elif text.endswith("/"):
                    Path(text).mkdir(mode=0o700, parents=True)
                    found.append(os.path.realpath(text))
        return found

    def links(self, named: Iterable[Path | str]) -> list[tuple[Path, Path]]:
        """Return the symbolic links in the home among *named*, with where they lead: a hidden home lacks them."""
        found = []
        for one in named:
            link = Path(self._filled_in(str(one)).rstrip("/") or "/")
            if link.is_symlink() and link.is_relative_to(self.home):
                found.append((link, Path(os.path.realpath(link))))
        return found

    def _filled_in(self, text: str) -> str:
        """Return *text* with the variables and the home filled in; empty when a variable has neither value."""
        if "$" not in text:
            return f"{self.home}{text[1:]}" if text == "~" or text.startswith("~/") else text
        missing = False

        def value(found: re.Match[str]) -> str:
            nonlocal missing
            given = self.environ.get(found[1]) or found[2] or ""
            missing = missing or not given
            return given

        filled = _PLACE.sub(value, text)
        if missing:
            return ""
        return f"{self.home}{filled[1:]}" if filled == "~" or filled.startswith("~/") else filled

    def _caches(self) -> Iterator[str]:
        if self.strict:
            yield from (f"{CACHE_HOME}{name}/" for name in CACHES_BY_NAME if self._has(name) or name in {"pip"})
            yield from (f"{CACHE_HOME}{name}" for name in CACHES_BY_NAME)
        else:
            yield CACHE_HOME
        for program, place in CACHES:
            yield place if self._has(program) else place.rstrip("/")

    def _has(self, program: str) -> bool:
        return _is_here(program, self.environ.get("PATH"))

    def _programs(self) -> list[str]:
        """Return where programs lie that the work may need: the usual folders, and what PATH names, in the home."""
        named: list[Path | str] = [f"~/{name}" for name in TOOLCHAINS]
        named += self.programs
        shared = {self.home, self.home / ".local", *self.home.parents}
        for entry in self.environ.get("PATH", "").split(os.pathsep):
            folder = Path(entry)
            if folder.is_absolute() and folder != self.home:
                # With what lies beside it, as in ~/tools/bin; but beside ~/.cargo/bin lie passwords of registries.
                alone = folder.parent in shared or any(folder == self.home / name for name in TOOLCHAINS)
                named += [folder] if alone else [folder, folder.parent]
        home = os.path.realpath(self.home)
        return [place for place in self.places(named) if place not in {home, *parents(home)}]


@lru_cache(maxsize=256)
def _is_here(program: str, path: str | None) -> bool:
    """Look for *program* once: two dozen of them for every attempt were a tenth of making one ready (2026-11)."""
    return shutil.which(program, path=path) is not None


def nearest(path: str, rules: Mapping[str, Access]) -> Access:
    """Return what *rules* say of *path*."""
    return next(rules[one] for one in (path, *parents(path)) if one in rules)


def parents(path: str) -> Iterator[str]:
    """Yield the folders above an absolute *path*, the root last."""
    while path != "/":
        path = path[: path.rindex("/")] or "/"
        yield path
