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

    assert 20 <= len(member.prompt.splitlines()) <= 40
    for part in ("How you work", "What you check", "What you do not do", "What you hand over"):
        assert part in member.prompt
    assert member.description != name
    assert member.words or name == "generalist"


def test_no_two_roles_are_told_the_same() -> None:
    headings = {"", "How you work", "What you check", "What you do not do", "What you hand over"}
    told = [line for member in Roster() for line in member.prompt.splitlines() if line not in headings]

    assert len(told) == len(set(told))


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
        ("---\nname: 工程师\n---\ntext", "is not a name"),
        ("---\nname: x\ntier: colossal\n---\ntext", "tier 'colossal' is unknown"),
        ("---\nname: x\n---\n\n", "no text after its front matter"),
        ("---\nname: x\nmodel: --settings=evil.json\n---\ntext", "not the name of a model"),
        ("---\nname: x\ntools: Read, --add-dir=/\n---\ntext", "'--add-dir=/' is not the name of a tool"),
        ("---\nname: x\ntools: []\n---\ntext", "nothing to work with"),
        ("---\nname: x\nmaxTurns: 0\n---\ntext", "maxTurns '0' is not a number"),
        ("---\nname: x\nmaxTurns: many\n---\ntext", "maxTurns 'many' is not a number"),
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


CLAUDES = r"""---
name: Code Reviewer
description: "Use this agent when code was written and needs a review: style, bugs, risks.\n\nExamples:\n<example>\nContext: a function was written\nuser: \"Please write a function\"\nassistant: \"Here it is\"\n</example>"
tools: Read, Grep, Bash(git log:*, git diff:*), mcp__github__get_issue
model: sonnet  # the middle one
color: purple
maxTurns: 12
permissionMode: bypassPermissions
hooks:
  PreToolUse:
    - matcher: Bash
---

You review code.
"""  # noqa: E501 # so long, on one line, is how they are written


def write(folder: Path, name: str, content: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(content)


def simple(name: str, text: str, *lines: str) -> str:
    return "\n".join(["---", f"name: {name}", *lines, "---", text, ""])


def test_a_file_of_claude_code_is_read_as_it_is_found_in_the_wild() -> None:
    member = parse_specialist(CLAUDES, origin="project .claude")

    assert member.name == "code-reviewer"
    assert member.description == "Use this agent when code was written and needs a review: style, bugs, risks."
    assert member.tools == ("Read", "Grep", "Bash(git log:*, git diff:*)", "mcp__github__get_issue")
    assert (member.model, member.max_turns) == ("sonnet", 12)
    assert member.prompt == "You review code.\n"


@pytest.mark.parametrize(
    "description",
    [
        "description: Tunes cargo builds.",
        "description: 'Tunes cargo builds.'",
        'description: "Tunes cargo\n  builds."',
        "description: |\n  Tunes cargo\n  builds.",
        "description: >-\n  Tunes cargo builds.\n\n  <example>\n  user: hello\n  </example>",
        "description: Tunes cargo builds. Examples: <example>Context: x\\nuser: y</example>",
        "description: Tunes cargo builds.\n\nExamples:\n<example>\nContext: x\nuser: y: z\n</example>",
        "description: Tunes \x1b[31mcargo\u200b builds.",
    ],
)
def test_a_description_is_one_clean_line_without_its_examples(description: str) -> None:
    member = parse_specialist(f"---\nname: x\n{description}\nmodel: opus\n---\ntext\n", origin="user .claude")

    assert member.description == "Tunes cargo builds."
    assert member.model == "opus"


def test_a_long_description_is_cut_and_what_a_reader_cannot_see_is_taken_out_of_a_prompt() -> None:
    hidden = "".join(chr(0xE0000 + ord(letter)) for letter in "obey")
    text = f"---\nname: x\ndescription: {'word ' * 500}\n---\nYou write.{hidden}\n"

    member = parse_specialist(text, origin="project")

    assert len(member.description) <= 240
    assert member.prompt == "You write.\n"


@pytest.mark.parametrize("tools", ["", "tools:", "tools: '*'", "tools: [all]"])
def test_without_a_list_of_tools_all_are_allowed(tools: str) -> None:
    member = parse_specialist(f"---\nname: x\n{tools}\n---\ntext\n", origin="project")

    assert member.tools == ()
    assert member.can_write


@pytest.mark.parametrize("tools", ["tools: Read, Grep", "tools:\n  - Read\n  - Grep", "tools: ['Read', \"Grep\"]"])
def test_tools_are_listed_in_any_of_the_usual_ways(tools: str) -> None:
    member = parse_specialist(f"---\nname: x\n{tools}\n---\ntext\n", origin="project")

    assert member.tools == ("Read", "Grep")
    assert not member.can_write


@pytest.mark.parametrize("model", ["inherit", "", "default"])
def test_a_role_that_inherits_its_model_names_none(model: str) -> None:
    assert parse_specialist(f"---\nname: x\nmodel: {model}\n---\ntext\n", origin="user .claude").model is None


def test_the_nearest_of_five_places_counts(tmp_path: Path) -> None:
    project, user, claude = tmp_path / "project", tmp_path / "config", tmp_path / "home" / ".claude"
    folders = {
        "user .claude": claude / "agents",
        "user": user / "agents",
        "project .claude": project / ".claude" / "agents",
        "project": project / ".orchestrate" / "agents",
    }
    seen = [Roster(project=project, user=user, claude=claude).get("generalist").origin]
    for origin, folder in folders.items():
        write(folder, "mine.md", simple("generalist", f"from {origin}"))
        found = Roster(project=project, user=user, claude=claude).get("generalist")
        assert found.prompt == f"from {origin}\n"
        assert found.file == str(folder / "mine.md")
        seen.append(found.origin)

    assert seen == ["built in", *folders]


def test_an_alias_of_the_project_beats_one_of_ours(tmp_path: Path) -> None:
    write(tmp_path / ".orchestrate" / "agents", "a.md", simple("api-person", "text", "aliases: backend"))

    assert Roster(project=tmp_path).get("backend").name == "api-person"


def test_a_model_in_a_file_of_claude_code_is_a_model_of_claudes(tmp_path: Path) -> None:
    write(tmp_path / ".claude" / "agents", "a.md", simple("one", "text", "model: some-inference-profile"))
    write(tmp_path / ".orchestrate" / "agents", "b.md", simple("two", "text", "model: gpt-5"))

    roster = Roster(project=tmp_path)

    assert roster.get("one").provider == "claude"
    assert roster.get("two").provider is None


def test_collections_keep_roles_in_folders_of_their_own(tmp_path: Path) -> None:
    write(tmp_path / ".claude" / "agents" / "languages", "rust.md", simple("rust-expert", "text"))
    write(tmp_path / ".claude" / "agents" / "a" / "b" / "c" / "d", "deep.md", simple("too-deep", "text"))

    roster = Roster(project=tmp_path)

    assert roster.find("rust-expert") is not None
    assert roster.find("too-deep") is None


def test_a_link_out_of_the_project_is_not_followed_and_said(tmp_path: Path) -> None:
    project, secret = tmp_path / "project", tmp_path / "secret.md"
    secret.write_text(simple("stolen", "a private text"))
    (project / ".orchestrate" / "agents").mkdir(parents=True)
    (project / ".orchestrate" / "agents" / "a.md").symlink_to(secret)
    (project / ".claude").mkdir()
    (project / ".claude" / "agents").symlink_to(tmp_path)

    roster = Roster(project=project)

    assert roster.find("stolen") is None
    assert [("link that leads out" in problem) for problem in roster.problems] == [True, True]


def test_a_link_within_the_project_and_any_link_of_the_users_own_is_followed(tmp_path: Path) -> None:
    project, claude = tmp_path / "project", tmp_path / "home" / ".claude"
    write(project / "roles", "a.md", simple("inside", "text"))
    (project / ".claude").mkdir()
    (project / ".claude" / "agents").symlink_to(project / "roles")
    write(tmp_path / "dotfiles", "b.md", simple("mine", "text"))
    claude.mkdir(parents=True)
    (claude / "agents").symlink_to(tmp_path / "dotfiles")

    roster = Roster(project=project, claude=claude)

    assert {roster.get("inside").origin, roster.get("mine").origin} == {"project .claude", "user .claude"}
    assert roster.problems == ()


def test_two_files_of_one_folder_with_one_name_are_reported_and_the_first_counts(tmp_path: Path) -> None:
    write(tmp_path / ".orchestrate" / "agents", "a.md", simple("twin", "first"))
    write(tmp_path / ".orchestrate" / "agents", "b.md", simple("twin", "second"))

    roster = Roster(project=tmp_path)

    assert roster.get("twin").prompt == "first\n"
    assert [problem.endswith("a.md names a specialist twin already") for problem in roster.problems] == [True]


def test_a_role_in_another_form_is_refused_with_the_form_that_is_meant(tmp_path: Path) -> None:
    write(tmp_path / ".orchestrate" / "agents", "backend.yaml", "name: backend\nprompt: text\n")

    (problem,) = Roster(project=tmp_path).problems

    assert "backend.yaml" in problem and "Markdown with front matter" in problem


def test_a_folder_without_end_is_not_read_without_end(tmp_path: Path) -> None:
    for number in range(230):
        write(tmp_path / ".claude" / "agents", f"role-{number:03}.md", simple(f"role-{number:03}", "text"))

    roster = Roster(project=tmp_path)

    assert len(roster) == len(EXPECTED) + 200
    assert len(roster.problems) == 1 and "too much in it" in roster.problems[0]
