"""Places as text are those of pathlib, however a variable spells them."""

import os
from pathlib import Path

import pytest

from agent_orchestrator import places


@pytest.mark.parametrize("spelled", ["{}", "{}/", "{}//x/./..", "{}/./deep//er", "{}/a b/ü"])
def test_places_are_the_same_as_text_and_as_paths(spelled: str, tmp_path: Path) -> None:
    variable = spelled.format(tmp_path)
    environ = {"HOME": variable, "XDG_STATE_HOME": variable, "XDG_CONFIG_HOME": variable, "ORCHESTRATE_DB": variable}

    assert places.project_state(tmp_path, environ).parent == Path(variable) / "orchestrate"
    assert places.config_home(environ) == Path(variable) / "orchestrate"
    assert places.database_at(tmp_path, environ) == str(places.database_path(tmp_path, environ)) == str(Path(variable))
    del environ["ORCHESTRATE_DB"], environ["XDG_STATE_HOME"]
    assert places.project_state(tmp_path, environ).parent == Path(variable) / ".local" / "state" / "orchestrate"
    assert places.database_at(tmp_path, environ) == str(places.project_state(tmp_path, environ) / "tasks.db")


def test_a_database_named_by_a_relative_path_is_below_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert places.database_at("/p", {"ORCHESTRATE_DB": "./other/q.db"}) == str(tmp_path / "other" / "q.db")


def test_a_project_is_found_from_any_folder_in_it_through_links_too(tmp_path: Path) -> None:
    (tmp_path / "repo" / ".git").mkdir(parents=True)
    (tmp_path / "repo" / "src" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "repo" / "src")

    for start in (tmp_path / "repo", tmp_path / "repo" / "src" / "deep", tmp_path / "link" / "deep", tmp_path / "link"):
        assert places.project_at(os.fspath(start)) == os.path.realpath(tmp_path / "repo")
        assert places.project_at(start) == str((tmp_path / "repo").resolve())
