import pytest

from agent_orchestrator.cli import render
from looking import HOSTILE, is_harmless

USAGE = {
    "cost_usd": None,
    "cost_is_estimate": False,
    "cost_is_partial": False,
    "input_tokens": 0,
    "cached_tokens": 0,
    "output_tokens": 0,
}


def test_a_hostile_text_becomes_one_short_harmless_line() -> None:
    shown = render.line(HOSTILE)

    assert is_harmless(shown) and "\n" not in shown
    assert render.width(shown) <= render.TEXT_LIMIT
    assert shown.startswith("Fix login") and shown.endswith("…")


def test_a_block_keeps_its_last_lines_and_says_what_is_missing() -> None:
    assert render.block("a\nb\nc\x1b[2J", "  ", lines=2) == ["  … 1 lines before", "  b", "  c"]


def test_columns_align_whatever_the_width_of_their_characters() -> None:
    rows = render.table([("登録", "one"), ("ab", "two"), (render.paint("cd", "red"), "three")], indent="")

    assert [render.width(row[: row.index(word)]) for row, word in zip(rows[:2], ("one", "two"), strict=True)] == [6, 6]
    assert render.width(rows[2]) == 6 + len("three")


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_nothing_is_wider_than_its_limit(limit: int) -> None:
    for text in ("abcdefghij", "登録画面を作る", "e\u0301" * 10):
        assert render.width(render.cut(text, limit)) <= limit


def test_a_price_that_nobody_reported_is_not_called_free() -> None:
    assert render.money(USAGE) == "no cost reported"
    assert "no price" in render.money({**USAGE, "input_tokens": 1000})
    assert render.money({**USAGE, "cost_usd": 1.234}) == "$1.23"
    assert "estimate" in render.money({**USAGE, "cost_usd": 1.2, "cost_is_estimate": True})
    assert render.money({**USAGE, "cost_usd": 1.234, "cost_is_partial": True}) == "at least $1.23"
    assert render.money({**USAGE, "cost_usd": 0.0004}) == "$0.0004"


def test_times_are_shown_in_the_users_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        now = "2026-01-01T12:00:00Z"
        assert render.local("2026-01-01T14:10:00Z", now) == "23:10"
        assert render.local("2026-01-01T18:10:00Z", now) == "Fri 03:10"
        assert render.local("2026-03-01T18:10:00Z", now) == "2026-03-02 03:10"
        hold = {"provider": "claude", "kind": "usage_limit", "until": "2026-01-01T14:10:00Z", "stated": True}
        assert render.hold({**hold, "reason": ""}, now) == "waiting for claude until 23:10 (usage limit)"
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("seconds", "shown"), [(None, "-"), (-3, "0 s"), (59.4, "59 s"), (3599, "59 min"), (11_100, "3 h 05 min")]
)
def test_a_duration_has_one_or_two_units(seconds: float | None, shown: str) -> None:
    assert render.age(seconds) == shown


def test_no_color_means_no_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b" in render.state("done")
    monkeypatch.setenv("NO_COLOR", "1")
    assert render.state("done") == "done"


def test_markdown_shows_markup_instead_of_obeying_it() -> None:
    shown = render.markdown(HOSTILE)

    assert is_harmless(shown) and "\n" not in shown
    assert "<script" not in shown and "&lt;script&gt;" in shown
    assert "\\[a\\](javascript:x)" in shown and "\\`code\\`" in shown
    assert [render.markdown(text) for text in ("- a-b", "1. x", "see http://e.x", "www.e.x")] == [
        "\\- a-b",
        "1\\. x",
        "see http:\\//e.x",
        "www\\.e.x",
    ]


@pytest.mark.parametrize("room", [20, 40, 80])
def test_a_line_is_broken_between_words_and_loses_none(room: int) -> None:
    said = (
        "  - The check of the goal, which \x1b[31mwas cancelled\x1b[0m, is to be run again by `git merge a/b` in main."
    )

    found = render.fold(said, room)

    assert all(render.width(one) <= room for one in found)
    assert " ".join(" ".join(found).split()) == said.strip()
    assert all(one.startswith("  ") for one in found)
    assert any("`git merge a/b`" in one for one in found), "a command in a sentence stays whole"


def test_a_line_that_is_a_command_can_be_copied_whole() -> None:
    command = "      orchestrate review t4xk2 --comment more of it"
    assert render.fold(command, 30) == [command]
