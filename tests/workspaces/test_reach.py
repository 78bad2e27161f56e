"""Which mounts make up a sandbox: those that change something, the outer ones first."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_orchestrator.workspaces.reach import Access, Reach, nearest, parents
from agent_orchestrator.workspaces.sandbox import Bubblewrap

MOUNTS = {"--bind": Access.WRITE, "--ro-bind": Access.READ, "--tmpfs": Access.NOTHING}


def mounts(argv: tuple[str, ...]) -> Iterator[tuple[str, Access]]:
    """Yield each place that *argv* mounts and what may be done there, in its order."""
    for at, word in enumerate(argv[: argv.index("--")]):
        if word in MOUNTS:
            yield argv[at + (1 if word == "--tmpfs" else 2)], MOUNTS[word]


@pytest.fixture
def reach(tmp_path: Path) -> Reach:
    for name in ("home/.cache/pip", "project/src", "state/checkouts/t1.1", "state/runs", "tmp/inner"):
        (tmp_path / name).mkdir(parents=True)
    return Reach(
        home=tmp_path / "home",
        environ={"TMPDIR": str(tmp_path / "tmp"), "PATH": os.defpath},
        project=tmp_path / "project",
        state=tmp_path / "state",
        strict=False,
    )


@pytest.mark.parametrize("strict", [False, True])
def test_every_rule_holds_by_its_mount_or_the_one_above_it(strict: bool, reach: Reach, tmp_path: Path) -> None:
    sandbox = Bubblewrap(program="bwrap", reach=Reach(**{**_fields(reach), "strict": strict}))
    given = (
        tmp_path / "state" / "checkouts" / "t1.1",
        tmp_path / "tmp" / "inner",
        tmp_path / "home" / ".cache" / "pip",
    )

    argv = sandbox.around(["true"], write=given, guard=(tmp_path / "tmp" / "inner",)).argv

    rules = sandbox.reach.rules(write=given, read=())
    rules[os.path.realpath(tmp_path / "tmp" / "inner")] = Access.READ
    seen = {"/": Access.READ}
    for place, access in mounts(argv):
        if place.startswith(("/dev", "/run/user")) and place not in rules:
            continue
        assert place == "/" or not any(parents_of == place for one in seen for parents_of in parents(one)), (
            "outer first"
        )
        seen[place] = access
    assert {place: nearest(place, seen) for place in rules} == rules


def test_what_the_mount_above_says_already_is_not_mounted_again(reach: Reach, tmp_path: Path) -> None:
    given = (
        tmp_path / "tmp" / "inner",
        tmp_path / "home" / ".cache" / "pip",
        tmp_path / "state" / "checkouts" / "t1.1",
    )

    mounted = dict(mounts(Bubblewrap(program="bwrap", reach=reach).around(["true"], write=given).argv))

    assert os.path.realpath(given[0]) not in mounted, "it lies in the folder of temporary files"
    assert os.path.realpath(given[1]) not in mounted, "it lies in the caches"
    assert mounted[os.path.realpath(given[2])] is Access.WRITE


def _fields(reach: Reach) -> dict[str, object]:
    return {name: getattr(reach, name) for name in ("home", "environ", "project", "state")}
