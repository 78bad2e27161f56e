"""A planning session, typed at without a terminal: every key goes the way that it goes in a real one."""

import json
import os
import shlex
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from agent_orchestrator.app import App, build
from agent_orchestrator.cli import typed
from agent_orchestrator.cli.session import Session
from agent_orchestrator.cli.terminal import Drawn
from agent_orchestrator.domain.errors import OrchestratorError
from agent_orchestrator.domain.plan import Plan
from agent_orchestrator.planning.commands import COMMANDS
from agent_orchestrator.planning.comparing import difference, in_words
from agent_orchestrator.planning.partners import Model
from agent_orchestrator.planning.planner import Outcome
from agent_orchestrator.services.plans import SavedPlan

GOAL = "- Add a login page\n- Add a page of orders\n- Send a mail for each order\n- Write the user guide"
CTRL_C, CTRL_D, UP = "\x03", "\x04", "\x1b[A"


@dataclass
class Seat:
    """Where somebody sits and types."""

    app: App
    saved: SavedPlan
    shown: pytest.CaptureFixture[str]

    def types(
        self, *lines: str, raw: str = "", fresh: bool = False, models: tuple[Model, ...] | None = ()
    ) -> tuple[Outcome, str]:
        """Type *lines*, each with Enter, then *raw*, then Ctrl-D; return how it ended and what it said."""
        with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
            session = Session(self.app, self.saved, plain=False)
            if models is not None:  # else those that are installed
                session.planner.models = models
            text = "".join(f"{line}\r" for line in lines) + raw + CTRL_D * 3
            typing = threading.Thread(target=lambda: keys.send_text(text))  # a pipe holds less than what is pasted
            typing.start()
            outcome = session.talk(fresh=fresh)
            typing.join(120)
        self.saved = self.app.plans.resolve(session.keeper.name)
        return outcome, self.shown.readouterr().out

    @property
    def plan(self) -> Plan:
        return self.app.plans.resolve(self.saved.id).plan

    @property
    def ids(self) -> list[str]:
        return [task.id for task in self.plan.tasks]

    def changed(self, version: int = 1) -> list[str]:
        """Say what is different from a version."""
        return in_words(difference(self.app.plans.versions(self.saved.id)[version - 1].plan, self.plan))


@pytest.fixture
def seat(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Seat]:
    monkeypatch.setenv("NO_COLOR", "1")
    folder = tmp_path / "project"
    folder.mkdir()
    app = build(folder, environ=dict(os.environ), flags={"planner": "rules", "verify": "true"})
    yield Seat(app, app.plans.save(app.looked_over(app.decompose(GOAL), new=True), name="mine"), capsys)
    app.close()


def test_a_plan_is_changed_by_letters_and_by_words_and_every_change_is_kept(seat: Seat) -> None:
    before = seat.ids
    outcome, said = seat.types("r 2", "add Write the handbook after 1", "m 1 size L", "why 1", "g", "f 2")

    assert outcome is Outcome.QUIT
    assert f"- {before[1]}: " in said and "+ write-the-handbook" in said and "size M → L" in said
    assert "specialist" in said and "critical path" in said and "2 agents: likely" in said
    assert seat.saved.version == 4
    assert "write-the-handbook" in seat.ids and before[1] not in seat.ids


def test_undo_and_redo_go_on_in_the_next_session(seat: Seat) -> None:
    before = seat.ids
    seat.types("r 2", "r 2")

    seat.types("u")
    assert len(seat.ids) == len(before) - 1
    seat.types("u")
    assert seat.ids == before
    seat.types("redo")
    assert len(seat.ids) == len(before) - 1
    assert "nothing to undo" in seat.types("u", "u")[1]
    assert [one.kind for one in seat.app.plans.versions("mine")] == ["edit"] * 3 + ["undo"] * 2 + ["redo", "undo"]


def test_a_change_after_an_undo_leaves_nothing_to_redo(seat: Seat) -> None:
    assert "nothing to redo" in seat.types("r 2", "u", "r 1", "redo")[1]


def test_every_change_that_a_session_knows_is_made(seat: Seat) -> None:
    _, second, third = seat.ids[:3]

    said = seat.types(
        "s 1 Draw the form; Send the form",
        "j draw-the-form send-the-form The whole form",
        f"o {third} before {second}",
        "assume The page is in English.",
        f"l {second} on draw-the-form",
        f"k {second} on draw-the-form",
        f"t {second} documentation-writer",
        "m draw-the-form done-when The form is sent; The form is drawn",
    )[1]

    assert f"{second}: waits for draw-the-form" in said
    assert f"{second}: no longer waits for draw-the-form" in said
    assert "+ draw-the-form" in said and "- send-the-form" in said and "~ the order of the list" in said
    assert f"{second}: specialist" in said and "~ assumed: The page is in English." in said
    assert seat.plan.tasks[0].title == "The whole form"
    assert seat.plan.tasks[0].acceptance == ("The form is sent", "The form is drawn")


def test_a_wrong_word_changes_nothing_and_says_what_to_do(seat: Seat) -> None:
    said = seat.types("r 99", "frobnicate", "m 1 colour red", "l 1 on 1", "s 1 one", "save a/b", "forecast many")[1]

    assert seat.saved.version == 1
    for told in (
        "numbered 1 to",
        "? lists",
        "no 'colour'",
        "depends on itself",
        "two or more",
        "cannot be a plan's name",
        "1 to 100",
    ):
        assert told in said, told


@pytest.mark.parametrize(("rows", "told"), [("24", False), ("60", True)])
def test_the_list_of_commands_fits_the_terminal(
    seat: Seat, monkeypatch: pytest.MonkeyPatch, rows: str, told: bool
) -> None:
    monkeypatch.setenv("LINES", rows)

    said = seat.types("?")[1]

    assert all(one.word in said for one in COMMANDS) and "? WORD shows" in said
    assert ("make several tasks of one" in said) is told


def test_questions_are_asked_first_enter_keeps_the_default_and_ctrl_c_the_rest(seat: Seat) -> None:
    seat.saved = seat.app.plans.save(
        seat.app.looked_over(seat.app.decompose("Create a blog platform with login"), new=True)
    )
    assert [one.answer for one in seat.plan.questions] == [None, None, None]

    outcome, said = seat.types("", "?", "PostgreSQL", raw=CTRL_C, fresh=True)

    assert outcome is Outcome.QUIT
    assert [one.answer for one in seat.plan.questions] == [None, "PostgreSQL", None]
    assert said.count("Enter keeps: ") == 3 and "the rest keep their defaults" in said
    assert "in your own words; Enter keeps what stands there" in said
    again = seat.types(fresh=False)[1]
    assert "Enter keeps" not in again, "a plan that is taken up again does not ask by itself"


def test_approving_is_of_this_plan_and_its_end_is_told(seat: Seat) -> None:
    outcome, said = seat.types("p", "n", "r 2")

    assert outcome is Outcome.QUIT
    assert f"approved: version 1, {len(seat.ids) + 1} tasks" in said
    assert "the approval was for the plan before" in said
    assert (seat.saved.state, seat.saved.approved) == ("planning", None)
    assert seat.types("p", "y")[0] is Outcome.QUEUE
    assert seat.saved.state == "approved"
    assert seat.types("x")[0] is Outcome.RUN


def test_ctrl_c_and_ctrl_d_at_every_question_lose_nothing(seat: Seat) -> None:
    questions = [
        "a",
        "m",
        "m 1",
        "m 1 size",
        "s",
        "s 1",
        "j",
        "o",
        "l",
        "t",
        "answer",
        "assume",
        "export",
        "w",
        "p",
        "r",
    ]
    for key in (CTRL_C, CTRL_D):
        for question in questions:
            before = seat.saved.version
            outcome, _ = seat.types(f"m 1 priority {before}", question, raw=key)
            assert outcome is Outcome.QUIT, question
            assert seat.saved.version == before + 1, f"only the priority counts: {question!r}"
    assert len(seat.changed()) == 1


def test_ctrl_c_twice_leaves_and_once_does_not(seat: Seat) -> None:
    assert "Ctrl-C again" in seat.types(raw=CTRL_C + "r 2\r")[1]
    assert seat.saved.version == 2
    outcome, _ = seat.types(raw=CTRL_C + CTRL_C + "r 2\r")
    assert (outcome, seat.saved.version) == (Outcome.QUIT, 2)


def test_a_half_typed_line_is_dropped_by_ctrl_c_and_the_typed_ones_are_kept_for_the_next_session(seat: Seat) -> None:
    seat.types(raw="r 1" + CTRL_C + "assume Python.\r")

    assert seat.changed() == ["~ assumed: Python."]
    history = seat.app.state / "plans" / "history"
    assert "+assume Python." in history.read_text().splitlines()
    assert history.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("typed", "offered", "not_offered"),
    [
        ("", "assume ", "part-1"),
        ("r ", "part-2", "documentation-writer"),
        ("route 1 ", "documentation-writer", "assume "),
        ("m 1 ", "size", "part-1"),
        ("m 1 specialist ", "qa-test-engineer", "size"),
        ("e ", "yaml", "part-1"),
        ("d why ", None, "part-1"),
        ("dance ", None, "part-1"),
    ],
)
def test_what_can_come_next_is_offered(seat: Seat, typed: str, offered: str | None, not_offered: str) -> None:
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        words = [word for word, _ in Session(seat.app, seat.saved, plain=False).completions(typed)]

    assert words == [] if offered is None else offered in words
    assert not_offered not in words


def test_a_hundred_kilobytes_are_pasted_and_are_talk_not_commands(seat: Seat) -> None:
    model = Script(says("That is a long log."))
    log = "r 1\nr 2\n" + "x" * 100_000

    said = seat.types(raw=f"\x1b[200~{log}\x1b[201~\r", models=(Model(name="claude", complete=model),))[1]

    assert seat.saved.version == 1
    assert "claude: That is a long log." in said
    assert "r 1\nr 2" in model.prompts[0]
    assert seat.app.plans.said("mine")[0] == ("you", log)


def test_a_long_paste_is_a_mark_in_the_line_and_whole_in_what_is_said(seat: Seat) -> None:
    model = Script(says("Read."))
    log = "words without a newline " * 4_000
    drawn: list[str] = []
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        session = Session(seat.app, seat.saved, plain=False)
        session.planner.models = (Model(name="claude", complete=model),)
        assert isinstance(session.door, Drawn)
        session.door._commands.default_buffer.on_text_changed += lambda buffer: drawn.append(buffer.text)
        keys.send_text("look at ")
        pasting = threading.Thread(target=lambda: keys.send_text(f"\x1b[200~{log}\x1b[201~, please\r{CTRL_D * 3}"))
        pasting.start()
        session.talk(fresh=False)
        pasting.join(120)

    assert seat.app.plans.said("mine")[0] == ("you", f"look at {log}, please")
    assert "look at [pasted 1: 96,000 characters], please" in drawn
    assert max(len(text) for text in drawn) < 100, "a line of 100,000 characters takes half a minute to draw"


def test_a_paste_that_is_recalled_in_the_next_session_is_a_mark_again_and_said_whole(seat: Seat) -> None:
    model = Script(says("Read."), says("Read again."))
    log = "a line\n# no comment\n+ no line of a history\n" * 1_000
    drawn: list[str] = []
    seat.types(raw=f"look at \x1b[200~{log}\x1b[201~, please\r", models=(Model(name="claude", complete=model),))

    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        session = Session(seat.app, seat.saved, plain=False)
        session.planner.models = (Model(name="claude", complete=model),)
        assert isinstance(session.door, Drawn)
        session.door._commands.default_buffer.on_text_changed += lambda buffer: drawn.append(buffer.text)
        keys.send_text(f"{UP} - and again\r{CTRL_D * 3}")
        session.talk(fresh=False)

    assert drawn[0] == f"[pasted earlier 1: {len(log) + 16:,} characters]"
    assert max(len(text) for text in drawn) < 100
    whole = f"look at {log}, please"
    assert [text for who, text in seat.app.plans.said("mine") if who == "you"] == [whole, f"{whole} - and again"]


def test_what_was_pasted_is_kept_in_private_and_without_secrets(seat: Seat) -> None:
    secret = "sk-ant-" + "x1" * 20
    seat.types(raw=f"\x1b[200~{'words ' * 1_000}{secret}\x1b[201~\r", models=(talker(),))

    history = seat.app.state / "plans" / "history"
    assert history.read_text().count("words") == 1_000 and secret not in history.read_text()
    assert history.stat().st_mode & 0o777 == 0o600


def test_a_paste_that_is_too_long_to_be_kept_is_not_said_by_its_mark(seat: Seat) -> None:
    talking = talker()
    seat.types(raw=f"\x1b[200~{'words ' * 50_000}\x1b[201~\r", models=(talking,))
    assert (seat.app.state / "plans" / "history").stat().st_size < 1_000

    said = seat.types(raw=f"{UP}\r", models=(talking,))[1]

    assert "what was pasted then is not kept: paste it again" in said
    assert len([who for who, _ in seat.app.plans.said("mine") if who == "you"]) == 1


def test_what_is_typed_beside_a_paste_that_is_too_long_is_kept_without_secrets(seat: Seat) -> None:
    secret = "sk-ant-" + "x1" * 20
    seat.types(raw=f"{secret} \x1b[200~{'words ' * 50_000}\x1b[201~\r", models=(talker(),))

    kept = (seat.app.state / "plans" / "history").read_text()
    assert "[pasted 1: 300,000 characters]" in kept and secret not in kept


def test_a_history_of_many_pastes_stays_small_and_private_and_has_the_newest(
    tmp_path: Path,
) -> None:
    file, long = tmp_path / "plans" / "history", "\n# a + b" * 10_000
    for number in range(60):
        typed.history(file, typed.Pastes(), str).append_string(f"{number}{long}")
        assert file.stat().st_size <= typed.HISTORY_LIMIT_BYTES

    pastes = typed.Pastes()
    marks = list(typed.history(file, pastes, str).load_history_strings())

    assert 10 < len(marks) < 60
    assert [pastes.whole(mark) for mark in marks] == [f"{number}{long}" for number in range(59, 59 - len(marks), -1)]
    assert file.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in file.parent.iterdir()] == ["history"]


def test_a_short_paste_stands_in_the_line_as_it_is(seat: Seat) -> None:
    seat.types(raw="\x1b[200~m 1 size L\x1b[201~\r")

    assert seat.changed() == ["~ part-1: size M → L"]


def test_two_terminals_at_once_the_second_is_told_and_takes_the_newest(seat: Seat) -> None:
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        second = Session(seat.app, seat.saved, plain=False)
        second.planner.models = ()
        seat.types("r 2")
        seat.shown.readouterr()
        keys.send_text("r 1\rp\rreload\rr 1\r" + CTRL_D)
        second.talk(fresh=False)

    said = seat.shown.readouterr().out
    assert said.count("was changed elsewhere: it is at version 2, and this is about 1") == 1
    assert "not the plan that was agreed to" in said, "nor can it be approved unseen"
    assert "version 2" in said
    assert seat.app.plans.resolve("mine").version == 3


def test_a_plan_that_was_queued_meanwhile_is_not_changed(seat: Seat) -> None:
    from agent_orchestrator.services.goals import Submission

    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        session = Session(seat.app, seat.saved, plain=False)
        seat.app.plans.execute("mine", Submission(text=GOAL))
        keys.send_text("r 1\r" + CTRL_D)
        session.talk(fresh=False)

    assert "executed already as goal" in seat.shown.readouterr().out
    assert len(seat.plan.tasks) == len(seat.saved.plan.tasks)


def test_a_session_gets_a_name_and_is_exported(seat: Seat, tmp_path: Path) -> None:
    file = tmp_path / "plan.md"
    (tmp_path / "other.md").write_text("# Notes\n")

    said = seat.types(
        "save ml-project-001", f"export {file}", f"export {tmp_path / 'other.md'}", f"export {tmp_path / 'x.txt'}"
    )[1]

    assert seat.saved.id == "ml-project-001"
    assert file.read_text().startswith("# Plan ml-project-001, version 1")
    assert "not written as .txt" in said and not (tmp_path / "x.txt").exists()
    assert "not an exported plan" in said and (tmp_path / "other.md").read_text() == "# Notes\n"


def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    file = tmp_path / "editor.sh"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    monkeypatch.setenv("EDITOR", str(file))


def test_the_whole_plan_is_edited_as_a_file(seat: Seat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for word in ("e", "edit yaml"):
        editor(tmp_path, monkeypatch, 'sed -i "s/login page/sign-in page/; s/size: M/size: L/" "$1"')
        seat.types(word)
        assert seat.plan.tasks[0].size == "L"
        assert seat.saved.plan.source == "rules"
        seat.types("u")


def test_an_error_in_the_edited_file_is_said_at_its_line_and_the_text_can_be_edited_again(
    seat: Seat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = 'grep -q XL "$1" && sed -i "s/size: XL/size: S/" "$1" || sed -i "s/size: M/size: XL/" "$1"'
    editor(tmp_path, monkeypatch, wrong)

    said = seat.types("e", "y")[1]

    line = next(one for one in said.splitlines() if one.startswith("line "))
    assert "size: expected S, M or L, not 'XL'" in line
    assert {task.size for task in seat.plan.tasks} == {"S"}


def test_an_editor_that_fails_changes_nothing(seat: Seat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    editor(tmp_path, monkeypatch, 'echo lost > "$1"; exit 3')
    assert "ended with 3" in (said := seat.types("e")[1]) and said.count("nothing was changed") == 1
    monkeypatch.setenv("EDITOR", "/nonexistent/editor")
    assert "could not be started" in seat.types("e")[1]
    monkeypatch.setenv("EDITOR", "vi 'unclosed")
    assert "could not be started" in seat.types("e")[1]
    editor(tmp_path, monkeypatch, 'printf "\\377" > "$1"')
    assert "not UTF-8" in seat.types("e")[1]
    editor(tmp_path, monkeypatch, "true")
    assert "nothing is different" in seat.types("e")[1]
    assert seat.saved.version == 1


class Script:
    """A model that answers what it was told to."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)
        self.prompts: list[str] = []

    def __call__(self, prompt: str, schema: Mapping[str, object]) -> str:
        self.prompts.append(prompt)
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return json.dumps(answer)


def talker() -> Model:
    return Model(name="claude", complete=Script(says("Read."), says("Read.")))


def says(words: str, *changes: dict[str, Any]) -> dict[str, Any]:
    return {"answer": words, "changes": list(changes)}


def test_what_a_model_proposes_is_shown_as_a_difference_and_taken_only_by_a_yes(seat: Seat) -> None:
    removal = says("The second is not needed.", {"op": "remove", "task": seat.ids[1]})
    model = Script(removal, removal, says("Yes."))
    claude = (Model(name="claude", complete=model),)
    before = seat.ids

    said = seat.types("Do we need the second task?", "n", "d Really not?", "y", "is it better now", models=claude)[1]

    assert said.count(f"  - {before[1]}: ") == 2
    assert seat.ids == [before[0], *before[2:]]
    assert seat.saved.version == 2
    assert "Do we need the second task?" in model.prompts[1], "it is reminded of what was said"
    assert seat.app.plans.said("mine")[:2] == [
        ("you", "Do we need the second task?"),
        ("claude", "The second is not needed."),
    ]


def test_a_model_that_fails_is_named_and_the_next_is_asked(seat: Seat) -> None:
    broken = Model(name="claude", complete=Script(OrchestratorError("it is asleep")))
    works = Model(name="codex", complete=Script(says("I am awake.")))

    said = seat.types("are you there?", models=(broken, works))[1]

    assert "claude could not be asked: it is asleep" in said and "codex: I am awake." in said


def test_ctrl_c_stops_asking_a_model_and_nothing_else(seat: Seat) -> None:
    model = Model(name="claude", complete=Script(KeyboardInterrupt()))

    outcome, said = seat.types("are you there?", "r 2", models=(model,))

    assert "left as it was" in said
    assert (outcome, seat.saved.version) == (Outcome.QUIT, 2)


CLAUDE = """\
import json, sys
if "--version" in sys.argv:
    print("2.1.329 (Claude Code)")
    raise SystemExit
prompt = sys.stdin.read()
assert "--json-schema" in sys.argv
changes = [{"op": "assume", "text": "It was asked: " + str("make it quick" in prompt)}]
answer = {"answer": "So be it.", "changes": changes}
print(json.dumps({"type": "result", "subtype": "success", "is_error": False, "result": json.dumps(answer),
                  "structured_output": answer, "total_cost_usd": 0.01, "usage": {}}))
"""


def test_an_installed_agent_is_talked_with_as_a_process_of_its_own(
    seat: Seat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "claude.py"
    script.write_text(CLAUDE)
    claude = tmp_path / "bin" / "claude"
    claude.parent.mkdir()
    claude.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {shlex.quote(str(script))} "$@"\n')
    claude.chmod(0o755)
    environ = {**os.environ, "PATH": f"{claude.parent}:{os.environ['PATH']}"}
    seat.app = build(seat.app.folder, environ=environ, flags={"planner": "auto", "verify": "true"})

    said = seat.types("please make it quick", "y", models=None)[1]
    seat.app.close()

    assert "claude: So be it." in said
    assert seat.saved.plan.assumptions == ("It was asked: True",)


def test_who_made_the_plan_is_talked_with_first(tmp_path: Path) -> None:
    claude = tmp_path / "bin" / "claude"
    claude.parent.mkdir()
    claude.write_text("#!/bin/sh\n")
    claude.chmod(0o755)
    (tmp_path / "project").mkdir()
    environ = {"HOME": str(tmp_path), "PATH": f"{claude.parent}:/usr/bin:/bin", "ANTHROPIC_API_KEY": "made-up"}
    app = build(tmp_path / "project", environ=environ, flags={"planner": "auto", "verify": "true"})
    plan = app.decomposer(None).decompose(GOAL)

    def asked(source: str) -> list[str]:
        saved = app.plans.save(replace(plan, source=source))
        return [model.name for model in Session(app, saved, plain=True).planner.models]

    assert asked("claude") == ["claude", "api"]
    assert asked("rules") == asked("api") == ["api", "claude"]
    app.close()


def test_without_a_model_everything_but_talking_works(seat: Seat) -> None:
    assert "there is no model to talk with" in seat.types("what do you think of it?")[1]


def test_what_a_model_says_cannot_steer_the_terminal(seat: Seat) -> None:
    from looking import HOSTILE, is_harmless

    model = Model(name="claude", complete=Script(says(HOSTILE, {"op": "assume", "text": HOSTILE})))

    assert is_harmless(seat.types("hello there", "y", models=(model,))[1])


def test_a_save_that_fails_half_way_leaves_the_version_before_and_the_session_goes_on(seat: Seat) -> None:
    def pages(most: int) -> None:
        seat.app.store._connections.rows(f"PRAGMA max_page_count = {most}")  # type: ignore[attr-defined]

    pages(1)  # SQLite takes what the file has already: from now on the disk is as good as full
    removed = seat.ids[1]
    long = "It says: " + "no room for this. " * 1_500
    said = seat.types(f"\x1b[200~m 1 text {long}\x1b[201~")[1]
    full = seat.saved.version
    pages(1_000_000)
    seat.types("r 2")

    assert "disk is full" in said.lower() or "full" in said.lower(), said
    assert seat.saved.version == full + 1
    assert removed not in seat.ids and long not in seat.plan.tasks[0].description
    assert [one.version for one in seat.app.plans.versions("mine")] == list(range(1, full + 2))


def test_a_misspelt_command_is_asked_back_and_not_sent_to_a_model(seat: Seat) -> None:
    before = seat.ids

    _, alone = seat.types("remvoe 2")
    _, with_model = seat.types("remvoe 2", models=(Model(name="m", complete=lambda *_: pytest.fail("it was asked")),))

    assert "did you mean remove?" in alone and "model" not in alone
    assert "did you mean remove?" in with_model and "d remvoe 2" in with_model
    assert seat.ids == before
