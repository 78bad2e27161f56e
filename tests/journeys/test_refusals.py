"""What cannot be worked in is said in one clear line, by run and by doctor, and nothing is started."""

import os
from pathlib import Path

import pytest

from .conftest import Begin, job

WORK = job("job", "write a.txt <<EOF\na\nEOF")


def test_a_git_that_is_too_old_is_refused_before_the_run(begin: Begin, tmp_path: Path) -> None:
    project = begin()
    project("submit", WORK)
    (tmp_path / "bin").mkdir()
    old = tmp_path / "bin" / "git"
    real = next(path for path in os.environ["PATH"].split(":") if (Path(path) / "git").exists())
    old.write_text(f'#!/bin/sh\ncase "$*" in *version) exec echo git version 2.37.1;; esac\nexec {real}/git "$@"\n')
    old.chmod(0o755)
    project.environ["PATH"] = f"{tmp_path}/bin:{os.environ['PATH']}"

    ran = project("run")

    assert ran.code == 8
    assert "git 2.37 cannot merge in memory" in ran.err and "install git 2.38" in ran.err
    assert "2.38" in project("doctor").out
    assert project("status", "--json").json["counts"]["ready"] == 1, "the goal waits for a better git"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a repository to somebody else")
def test_a_repository_of_another_user_is_refused_in_gits_words(begin: Begin) -> None:
    project = begin()
    project("submit", WORK)
    for path in (project.folder, project.folder / ".git"):
        os.chown(path, 12345, 12345)

    for command in ("run", "doctor"):
        said = project(command)
        assert said.code != 0
        assert "dubious ownership" in said.err + said.out


def test_a_bare_repository_is_refused_and_nothing_is_put_among_gits_own_files(begin: Begin, tmp_path: Path) -> None:
    project = begin()
    project.git("clone", "-q", "--bare", ".", str(tmp_path / "bare.git"))
    project.folder = tmp_path / "bare.git"
    project("submit", WORK)
    before = _files(project.folder)

    for command in (("run",), ("run", "--isolation", "worktree"), ("run", "--yes"), ("run", "--detach")):
        ran = project(*command)
        assert ran.code == 8, command
        assert "is a bare repository" in ran.err and "work in a clone" in ran.err
    made = project("init", "--git")
    assert made.code != 0 and "is a bare repository" in made.err
    checked = project("doctor")
    assert checked.code != 0 and "is a bare repository" in checked.out

    assert _files(project.folder) == before
    assert project("status", "--json").json["counts"]["ready"] == 1, "the goal waits"


def _files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))
