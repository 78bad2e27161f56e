from pathlib import Path

import pytest

from agent_orchestrator.domain.errors import BadInput, NotFound
from agent_orchestrator.domain.task import Tier
from agent_orchestrator.planning.roster import BUILT_IN, Roster, parse_specialist

EXPECTED = {
    *("data-pipeline-engineer", "backend-systems-engineer", "frontend-ui-engineer", "data-science-analyst"),
    *("aws-cloud-architect", "ml-systems-architect", "project-delivery-manager", "data-architect-governance"),
    *("llm-architect", "specifications-engineer", "qa-test-engineer", "security-engineer", "devops-ci-engineer"),
    *("documentation-writer", "generalist"),
}

FILE = """---
name: rust-engineer
description: Rust, and only Rust
words: [rust, cargo,
  borrow checker]
paths: *.rs
aliases:
  - crab
  - "ferris"
tier: heavy
tools: Read, Write
---
You write Rust.
"""


def test_the_roster_has_fifteen_specialists_and_each_file_is_named_after_its_own() -> None:
    roster = Roster()

    assert set(roster.names) == EXPECTED
    assert {path.stem for path in BUILT_IN.glob("*.md")} == EXPECTED
    assert roster.names[-1] == "generalist"


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_every_role_has_a_prompt_worth_reading(name: str) -> None:
    member = Roster().get(name)

    assert 15 <= len(member.prompt.splitlines()) <= 35
    for part in ("How you work", "What you check", "What you hand over"):
        assert part in member.prompt
    assert member.description != name
    assert member.words or name == "generalist"


def test_no_name_or_alias_means_two_specialists() -> None:
    spellings = [spelling for member in Roster() for spelling in (member.name, *member.aliases)]

    assert len(spellings) == len(set(spellings))


def test_an_alias_finds_its_specialist_whatever_its_case_and_separators() -> None:
    roster = Roster()

    assert roster.get("Backend").name == "backend-systems-engineer"
    assert roster.get("QA Engineer").name == "qa-test-engineer"
    assert roster.get("technical_writer").name == "documentation-writer"


def test_a_misspelt_name_is_refused_with_the_one_that_was_meant() -> None:
    with pytest.raises(NotFound, match="no specialist called 'fronted-ui-engineer'") as caught:
        Roster().get("fronted-ui-engineer")

    assert "did you mean frontend-ui-engineer" in caught.value.hint


def test_a_name_like_no_other_is_answered_with_everyone() -> None:
    with pytest.raises(NotFound) as caught:
        Roster().get("zzzzqqqq")

    assert all(name in caught.value.hint for name in EXPECTED)


def test_an_empty_name_is_bad_input() -> None:
    with pytest.raises(BadInput):
        Roster().get("  ")


def test_front_matter_lists_may_be_bracketed_continued_or_itemised() -> None:
    member = parse_specialist(FILE, origin="project")

    assert member.words == ("rust", "cargo", "borrow checker")
    assert member.paths == ("*.rs",)
    assert member.aliases == ("crab", "ferris")
    assert member.tier is Tier.HEAVY
    assert member.prompt == "You write Rust.\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("You write Rust.", "no front matter"),
        ("---\nname: x\nYou write", "not `key: value`"),
        ("---\nname: x\n", "has no end"),
        ("---\nname: Über Ingenieur\n---\ntext", "not a specialist's name"),
        ("---\nname: x\ntier: colossal\n---\ntext", "tier 'colossal' is unknown"),
        ("---\nname: x\n---\n\n", "no text after its front matter"),
    ],
)
def test_a_file_that_is_no_specialist_is_refused_with_its_reason(text: str, problem: str) -> None:
    with pytest.raises(BadInput, match=problem):
        parse_specialist(text, origin="project")


def test_a_projects_file_beats_the_users_which_beats_ours(tmp_path: Path) -> None:
    user, project = tmp_path / "user", tmp_path / "project"
    for folder, word in ((user / "agents", "users"), (project / ".orchestrate" / "agents", "projects")):
        folder.mkdir(parents=True)
        (folder / "generalist.md").write_text(f"---\nname: generalist\n---\n{word}\n")
    (user / "agents" / "rust.md").write_text(FILE)

    roster = Roster(project=project, user=user)

    assert roster.get("generalist").prompt == "projects\n"
    assert roster.get("generalist").origin == "project"
    assert roster.get("crab").origin == "user"
    assert len(roster) == len(EXPECTED) + 1


def test_a_broken_file_of_the_projects_is_reported_and_does_not_take_the_others_away(tmp_path: Path) -> None:
    folder = tmp_path / ".orchestrate" / "agents"
    folder.mkdir(parents=True)
    (folder / "broken.md").write_text("no front matter")
    (folder / "binary.md").write_bytes(b"---\nname: \xff\xfe\n---\n")
    (folder / "huge.md").write_text(FILE + "x" * 300_000)
    (folder / "rust.md").write_text(FILE)

    roster = Roster(project=tmp_path)

    assert "rust-engineer" in roster.names
    assert [Path(problem.split(":")[0]).name for problem in roster.problems] == ["binary.md", "broken.md", "huge.md"]


def test_nothing_is_read_before_the_roster_is_asked(tmp_path: Path) -> None:
    roster = Roster(project=tmp_path)
    folder = tmp_path / ".orchestrate" / "agents"
    folder.mkdir(parents=True)
    (folder / "rust.md").write_text(FILE)

    assert roster.get("rust-engineer").origin == "project"
