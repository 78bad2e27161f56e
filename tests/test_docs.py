"""What the documentation shows is what happens: blocks are run, settings are loaded, links lead somewhere."""

import json
import re
import tomllib
from pathlib import Path

import pytest

import pages
from agent_orchestrator import settings
from agent_orchestrator.domain.attempt import FREE, Outcome
from agent_orchestrator.domain.goal import GoalState
from agent_orchestrator.domain.task import TaskState, Verdict
from pages import CHECKOUT, DOCS, PAGES, Block, blocks
from schemas import wrong

KNOWN = {*pages.RUN, "toml", "json", "text", "markdown", "yaml"}
RUN = [page for page in PAGES if any(pages.commands(blocks(page)))]
EVERY_BLOCK = [block for page in PAGES for block in blocks(page)]


@pytest.mark.parametrize("page", RUN, ids=lambda page: str(page.relative_to(CHECKOUT)))
def test_what_a_page_shows_is_what_happens(page: Path, tmp_path: Path) -> None:
    pages.run(list(pages.commands(blocks(page))), tmp_path)


@pytest.mark.parametrize("block", [one for one in EVERY_BLOCK if "not run" in one.says], ids=str)
def test_a_block_that_is_not_run_says_why(block: Block) -> None:
    assert len(block.says["not run"].split()) > 2, "a reason, not a mark"
    pytest.skip(block.says["not run"])


def test_few_blocks_are_not_run_and_every_block_says_what_it_is() -> None:
    unmarked = [f"{page.name}" for page in PAGES if re.search(r"(?:\A|\n\n)```\n", page.read_text())]
    skipped = [block for block in EVERY_BLOCK if "not run" in block.says]

    assert unmarked == [], "a block without a language is neither run nor known to be text"
    assert [str(block) for block in EVERY_BLOCK if block.language not in KNOWN] == []
    assert len(skipped) * 5 <= len([block for block in EVERY_BLOCK if block.language in pages.RUN])


@pytest.mark.parametrize("block", [one for one in EVERY_BLOCK if one.language == "toml"], ids=str)
def test_a_configuration_that_a_page_shows_can_be_loaded(block: Block, tmp_path: Path) -> None:
    project = tmp_path / "project"
    is_yours = settings.YOURS.keys() & tomllib.loads(block.text).keys()
    file = (tmp_path / ".config" / "orchestrate" if is_yours else project / ".orchestrate") / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text(block.text)

    loaded = settings.load(project, {"HOME": str(tmp_path)})

    assert set(loaded.origins) == set(tomllib.loads(block.text)) != set()


@pytest.mark.parametrize("block", [one for one in EVERY_BLOCK if one.language == "json"], ids=str)
def test_a_json_document_that_a_page_shows_is_one(block: Block) -> None:
    document = json.loads(block.text)

    assert document
    assert "schema" not in block.says or wrong(block.says["schema"], document) == ""


def links() -> list[tuple[Path, str]]:
    """Return every link of the pages that leads to a file or a heading of ours."""
    found = [(page, target) for page in PAGES for target in re.findall(r"\]\(([^)]+)\)", page.read_text())]
    return [(page, target) for page, target in found if ":" not in target]


def test_every_link_leads_to_a_file_and_a_heading() -> None:
    broken = []
    for page, target in links():
        name, _, heading = target.partition("#")
        file = (page.parent / name) if name else page
        if not file.exists() or (heading and heading not in anchors(file)):
            broken.append(f"{page.name}: {target}")

    assert broken == []
    assert len(links()) > 20


def anchors(page: Path) -> set[str]:
    """Return the names under which the headings of *page* can be linked to, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_index_links_every_page_and_the_readme_links_the_index() -> None:
    linked = {target.partition("#")[0] for page, target in links() if page == DOCS / "README.md"}

    assert {page.name for page in PAGES if page.parent == DOCS} - linked == {"README.md"}
    assert "docs/README.md" in {target for page, target in links() if page == CHECKOUT / "README.md"}


def test_the_pages_name_every_setting_with_its_default_and_meaning() -> None:
    text = (DOCS / "configuration.md").read_text()
    table = text.split("<!-- settings: from settings.py -->\n", 1)[1].split("\n\n", 1)[0]

    assert table == settings_table(), "write settings_table() there"


def settings_table() -> str:
    """Return the table of the settings, made from settings.py."""
    rows = ["| setting | default | meaning |", "|---|---|---|"]
    for one in settings.FIELDS:
        default = "auto" if one.name == "isolation" else one.default
        shown = ",".join(default) if isinstance(default, tuple) else "" if default is None else str(default)
        about = one.metadata["about"].replace("|", "\\|")
        rows.append(f"| `{one.name}` | {f'`{shown}`' if shown else 'none'} | {about} |")
    return "\n".join(rows)


@pytest.mark.parametrize(
    ("heading", "words"),
    [
        ("States of a task", {state.value for state in TaskState}),
        ("States of a goal", {state.value for state in GoalState}),
        ("Verdicts", {verdict.value for verdict in Verdict}),
        ("How an attempt ends", {outcome.value for outcome in Outcome}),
    ],
)
def test_the_concepts_page_explains_every_word_that_a_view_can_show(heading: str, words: set[str]) -> None:
    text = (DOCS / "concepts.md").read_text()
    section = text.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]

    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == words


def test_the_concepts_page_says_which_outcomes_cost_no_attempt() -> None:
    section = (DOCS / "concepts.md").read_text().split("## How an attempt ends\n", 1)[1].split("\n## ", 1)[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", section, re.MULTILINE))
    free = {word for word, meaning in rows.items() if meaning.rpartition("| ")[2] == "no"}

    assert free == {outcome.value for outcome in FREE}


def test_the_parts_that_may_vary_are_not_compared_and_all_others_are(tmp_path: Path) -> None:
    shown = f"t4hw9ab  parser   {tmp_path}/shop  took 2 s\nmore\nlast, at 07:31:02\n"

    assert pages.differs("tzzzzzz parser /home/ada/shop took 31 s\n…\nlast, at 22:00:00\n", shown, tmp_path) == ""
    assert pages.differs("tzzzzzz … took 2 s\nmore\nlast, at 22:00\n", shown, tmp_path) == ""
    assert pages.differs("tzzzzzz reader /home/ada/shop took 31 s\n…\n", shown, tmp_path).startswith("<id> reader")
    assert pages.differs("tzzzzzz parser /home/ada/shop took 31 s\n", shown, tmp_path).startswith("nothing more")


def test_a_session_fails_where_a_page_is_wrong(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    for name, text in {
        "code": "```bash\nfalse\n```\n",
        "earlier": "```bash\nfalse\ntrue\n```\n",
        "words": "```console\n$ echo one\ntwo\n```\n",
        "verb": "```bash\norchestrate dance\n```\n",
        "program": "```python\nraise SystemExit(3)\n```\n",
    }.items():
        page.write_text(text)
        folder = tmp_path / name
        folder.mkdir()
        with pytest.raises(AssertionError):
            pages.run(list(pages.commands(blocks(page))), folder)
