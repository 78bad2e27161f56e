"""A plan goes into a file and comes back as it was; what is wrong in a file is said at its line."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agent_orchestrator.domain.errors import InvalidPlan
from agent_orchestrator.domain.plan import Plan, PlannedTask, Question
from agent_orchestrator.domain.task import Size, Tier
from agent_orchestrator.planning.comparing import difference, in_words
from agent_orchestrator.planning.document import plan_hash
from agent_orchestrator.planning.lint import lint
from agent_orchestrator.planning.plan_file import format_of, read, write
from agent_orchestrator.planning.roster import Roster

ROSTER = Roster()
FORMATS = ("yaml", "markdown", "json")
WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Cf", "Zl", "Zp")), min_size=1, max_size=40
).filter(lambda text: text.strip())
TEXTS = st.lists(
    st.one_of(WORDS, st.sampled_from(["### a: b", "## Tasks", "# x", "\\## y", "- size: L", "yes", "404", "", "  in"])),
    max_size=6,
).map("\n".join)


BARE = PlannedTask(id="t0", title="Do it", description="Do it.", agent_type="generalist")
SPACED = Question(text="how is it checked", default="-", answer="grep 'a  b'\tx\u00a0y")


@st.composite
def plans(draw: Any) -> Plan:
    tasks = []
    for at in range(draw(st.integers(1, 4))):
        tasks.append(
            PlannedTask(
                id=f"t{at}",
                title=draw(WORDS),
                description=draw(TEXTS),
                agent_type="generalist",
                depends_on=tuple(draw(st.sets(st.sampled_from([f"t{n}" for n in range(at)])))) if at else (),
                priority=draw(st.integers(0, 100)),
                tier=draw(st.sampled_from(list(Tier))),
                size=draw(st.sampled_from(list(Size))),
                owns=tuple(draw(st.lists(st.sampled_from([f"src/{at}/{n}/**" for n in range(3)]), max_size=2))),
                acceptance=tuple(draw(st.lists(WORDS, max_size=2))),
                verify=draw(st.none() | st.sampled_from(["make test", "yes", "a: b # c", "'x'", "null"])),
                expects_change=draw(st.booleans()),
            )
        )
    question = Question(text=draw(WORDS), default=draw(WORDS), answer=draw(st.none() | WORDS))
    made = Plan(
        goal=draw(TEXTS.filter(lambda text: text.strip() == text and text)),
        source="rules",
        tasks=tuple(tasks),
        questions=(question,),
        assumptions=tuple(draw(st.lists(WORDS, max_size=2))),
    )
    return lint(made, ROSTER, strict=True)


@pytest.mark.parametrize("format", FORMATS)
@given(made=plans())
@example(made=lint(Plan(goal="g", source="rules", tasks=(BARE,), questions=(SPACED,)), ROSTER, strict=True))
@example(made=lint(Plan(goal="#", source="rules", tasks=(replace(BARE, description="#\n0"),)), ROSTER, strict=True))
@settings(max_examples=80, deadline=None)
def test_a_plan_comes_back_from_a_file_as_it_was(format: str, made: Plan) -> None:
    back = read(write(made, format, name="mine", version=3), format, ROSTER)

    assert (back.name, back.version) == ("mine", 3)
    assert in_words(difference(made, back.plan)) == []
    assert plan_hash(back.plan) == plan_hash(made)


YAML = """\
goal: Build it
tasks:
  - id: one
    title: Do: one
"""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (YAML, "line 4: mapping values are not allowed"),
        ("tasks:\n- id: a\n  title: A\n  agent_typ: x\n", "line 2: tasks[0]: unknown key 'agent_typ'"),
        ("tasks:\n- id: a\n  title: A\n  size: XL\n", "line 4: tasks[0].size: expected S, M or L, not 'XL'"),
        ("tasks:\n- title: A\n  id: a\n- title: B\n  id: a\n", "line 5: two tasks have the id 'a'"),
        ("tasks:\n- id: a\n  title: A\n  depends_on:\n  - x\n", "line 5: there is no task 'x'"),
        ("tasks:\n- {id: a, title: A, depends_on: [b]}\n- {id: b, title: B, depends_on: [a]}\n", "line [23]: the dep"),
        (
            "tasks:\n- title: A\n- title: B\n  depends_on: [C d]\n- title: C d\n  depends_on: [B]\n",
            "line [35]: the dep",
        ),
        ("tasks:\n- id: a\n  title: A\n  depends_on: [a]\n", "line 4: task 'a' depends on itself"),
        ("tasks:\n- id: a\n  title: A\n  title: B\n", "line 4: 'title' stands there twice"),
        ("tasks: &x\n- id: a\n", "line 1: anchors"),
        ("goal: x\ntask: []\n", "line 2: plan: unknown key 'task'"),
        ("tasks: none\n", "line 1: tasks: expected a list"),
        ("tasks:\n- id: a\n  title: [b]\n", "line 3: tasks[0].title: expected text"),
        ("tasks:\n- id: a\n  title: A\n  priority: loud\n", "line 4: tasks[0].priority"),
        ("format: 2\ntasks: []\n", "line 1: format: 2 is newer than this program"),
        ("tasks: [\n", "line 2: "),
        ("", "line 1: the file is empty"),
        ("just words", "line 1: a plan has keys"),
        ("[" * 5000, "line 1: it is nested too deeply"),
        ("tasks: " + "[" * 50_000 + "]" * 50_000, "line 1: it is nested too deeply"),
        ("a: !!python/object:os.system x\ntasks: []\n", "line 1: plan: unknown key 'a'"),
        ('tasks:\n- id: a\n  title: A\n  verify: "a\\nb"\n', "line 2: the verify command"),
    ],
)
def test_an_error_in_yaml_is_said_at_its_line(text: str, said: str) -> None:
    with pytest.raises(InvalidPlan) as caught:
        read(text, "yaml", ROSTER)

    import re

    assert re.match(said.replace("[0]", r"\[0\]"), caught.value.message), caught.value.message


def test_all_that_is_wrong_with_the_structure_is_said_at_once() -> None:
    text = "tasks:\n- {id: a, title: A, depends_on: [b, c]}\n- {id: d, title: D, depends_on: [aa]}\n"

    with pytest.raises(InvalidPlan) as caught:
        read(text, "yaml", ROSTER)

    assert caught.value.message.splitlines() == [
        "line 2: there is no task 'b'",
        "line 2: there is no task 'c'",
        "line 3: there is no task 'aa'; did you mean 'a'?",
    ]


MARKDOWN = """\
# Plan mine, version 2

## Goal

Build it

## Tasks

### a: Begin

- size: {size}
- {key}: x

All of it.
"""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (MARKDOWN.format(size="XL", key="owns"), "line 11: size: expected S, M or L, not 'XL'"),
        (MARKDOWN.format(size="S\n- specialist: nobody", key="priority"), "line 13: priority: expected 0 to 100"),
        (MARKDOWN.format(size="S\ntier: heavy", key="owns"), "line 12: 'tier' has no dash before it"),
        (MARKDOWN.format(size="S", key="owner"), "line 12: a task has no 'owner'"),
        (MARKDOWN.format(size="S", key="after"), "line 12: there is no task 'x'"),
        (MARKDOWN.format(size="S", key="size"), "line 12: 'size' stands there twice"),
        (MARKDOWN.replace("## Tasks", "## Taks"), "line 7: there is no section 'Taks'"),
        (MARKDOWN.replace("### a: Begin", "Begin"), "line 9: a task begins with a heading"),
        ("### a: A\n", "line 1: a task stands outside"),
        ("format: 9\n" + MARKDOWN, "line 1: format: 9 is newer"),
    ],
)
def test_an_error_in_markdown_is_said_at_its_line(text: str, said: str) -> None:
    with pytest.raises(InvalidPlan) as caught:
        read(text, "markdown", ROSTER)

    assert caught.value.message.startswith(said), caught.value.message


def test_broken_json_is_said_at_its_line() -> None:
    for text, said in {
        '{"tasks": [\n{"id": "a",}\n]}': "line 2: ",
        '{"tasks": [{"id": "a",\n "title": "A",\n "size": "XL"}]}': "line 3: tasks[0].size",
        "[" * 100_000: "line 1: it is nested too deeply",
    }.items():
        with pytest.raises(InvalidPlan) as caught:
            read(text, "json", ROSTER)
        assert caught.value.message.startswith(said)


def test_a_plan_that_a_person_wrote_by_hand_needs_little() -> None:
    text = (
        "goal: Build it\ntasks:\n- title: Write the README\n- {title: '404', id: x, depends_on: [Write the README]}\n"
    )

    found = read(text, "yaml", ROSTER).plan

    assert [(one.id, one.agent_type, one.phase) for one in found.tasks] == [
        ("write-the-readme", "documentation-writer", 1),
        ("x", "generalist", 2),
    ]
    assert found.source == "file"


def test_values_are_read_by_what_the_field_is() -> None:
    text = "tasks:\n- {id: 007, title: no, verify: yes, priority: 7, expects_change: false, description: 2026-11-21}\n"

    one = read(text, "yaml", ROSTER).plan.tasks[0]

    assert (one.id, one.title, one.verify, one.priority, one.expects_change) == ("007", "no", "yes", 7, False)
    assert one.description == "2026-11-21"


def test_the_format_is_known_by_the_files_name() -> None:
    assert [format_of(name) for name in ("a.yaml", "b.YML", "c.md", "d.json", "-", "e")] == [
        "yaml",
        "yaml",
        "markdown",
        "json",
        "yaml",
        "yaml",
    ]


def test_a_file_that_is_too_big_is_refused_unread() -> None:
    with pytest.raises(InvalidPlan, match="more than 4,194,304 bytes"):
        read("x" * 5_000_000, "yaml", ROSTER)


def test_the_fingerprint_changes_with_what_is_meant_and_not_with_remarks() -> None:
    made = lint(
        Plan(
            goal="Build it",
            source="rules",
            tasks=(PlannedTask(id="a", title="A", description="All", agent_type="generalist"),),
        ),
        ROSTER,
    )

    assert plan_hash(replace(made, findings=(), notice="x", source="claude")) == plan_hash(made)
    for other in (
        replace(made, goal="Build that"),
        replace(made, assumptions=("x",)),
        replace(made, tasks=(replace(made.tasks[0], verify="rm -rf x"),)),
    ):
        assert plan_hash(other) != plan_hash(made)
