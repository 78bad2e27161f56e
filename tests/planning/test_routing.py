from pathlib import Path

import pytest

from agent_orchestrator.planning.roster import Roster
from agent_orchestrator.planning.routing import normal, route, route_in

ROSTER = Roster()


@pytest.mark.parametrize(
    ("title", "never"),
    [
        ("Build the thing", "frontend-ui-engineer"),  # b-ui-ld
        ("Guide the squirrel", "frontend-ui-engineer"),  # g-ui-de, sq-ui-rrel
        ("Send an email", "llm-architect"),  # em-ai-l
        ("Maintain the main chain", "llm-architect"),  # m-ai-n
        ("Strip html", "ml-systems-architect"),  # ht-ml
        ("Parse yaml and xml", "ml-systems-architect"),
        ("Compute the capital", "backend-systems-engineer"),  # c-api-tal
        ("A rapid therapist", "backend-systems-engineer"),  # r-api-d
        ("Contest the latest attestation", "qa-test-engineer"),  # con-test
        ("Doctor the docket", "documentation-writer"),  # doc-tor
        ("Decide the incidental social", "devops-ci-engineer"),  # de-ci-de
        ("Cause a pause in the dagger", "data-pipeline-engineer"),  # dag-ger
        ("Count words per chapter", "specifications-engineer"),  # word-ing
    ],
)
def test_a_part_of_a_word_never_decides(title: str, never: str) -> None:
    routing = route(title, "", ROSTER)

    assert routing.specialist != never
    assert never not in routing.alternatives


@pytest.mark.parametrize(
    ("title", "specialist"),
    [
        ("Create a React component for the sidebar", "frontend-ui-engineer"),
        ("Fix the REST endpoint that returns 500", "backend-systems-engineer"),
        ("Add an Airflow DAG for nightly ingestion", "data-pipeline-engineer"),
        ("Write Terraform for the VPC and subnets", "aws-cloud-architect"),
        ("Add unit tests for the invoice module", "qa-test-engineer"),
        ("Run linters in GitHub Actions", "devops-ci-engineer"),
        ("Document the installation in the README", "documentation-writer"),
        ("Close the SQL injection vulnerability", "security-engineer"),
        ("Train the neural network on GPU", "ml-systems-architect"),
        ("Tune the system prompt of the RAG chatbot", "llm-architect"),
        ("Write user stories with acceptance criteria", "specifications-engineer"),
        ("Design the database schema", "data-architect-governance"),
        ("Explore churn in a Jupyter notebook", "data-science-analyst"),
        ("Write the roadmap with milestones", "project-delivery-manager"),
        ("修复登录页面", "frontend-ui-engineer"),
        ("Atualize a documentação", "documentation-writer"),
    ],
)
def test_a_plain_task_goes_to_its_specialist(title: str, specialist: str) -> None:
    assert route(title, "", ROSTER).specialist == specialist


def test_words_written_together_are_taken_apart() -> None:
    assert route("Rename loginForm and navBarButton", "", ROSTER).specialist == "frontend-ui-engineer"
    assert route("Change dataPipeline", "", ROSTER).specialist == "data-pipeline-engineer"


def test_a_file_named_in_the_text_counts_by_its_path() -> None:
    routing = route("Change infra/network/main.tf", "", ROSTER)

    assert routing.specialist == "aws-cloud-architect"
    assert "infra/network/main.tf" in routing.reason


@pytest.mark.parametrize(
    ("title", "specialist"),
    [
        ("Round rates half up in security/rates.rs", "backend-systems-engineer"),
        ("Check the signature of tokens in security/rates.rs", "security-engineer"),
        ("Use a work list in terraform/graph.go", "backend-systems-engineer"),
        ("Add a subnet to terraform/network.tf", "aws-cloud-architect"),
        ("Skip an empty line in docs/build.py", "generalist"),
        ("Correct docs/index.md", "documentation-writer"),
    ],
)
def test_the_folder_of_a_programs_file_counts_for_a_role_that_the_title_speaks_of(title: str, specialist: str) -> None:
    assert route(title, "", ROSTER).specialist == specialist


@pytest.mark.parametrize(
    ("title", "not_for"),
    [
        ("Build the core of the price list", "security-engineer"),
        ("Keep the prices for five minutes", "project-delivery-manager"),
        ("Encrypt what is at rest", "backend-systems-engineer"),
        ("Add a JSON reader", "data-architect-governance"),
        ("Mail the invoices and archive them", "frontend-ui-engineer"),
        ("Convert the project to TypeScript", "project-delivery-manager"),
        ("Ajoute une recherche et écris les tests", "qa-test-engineer"),
        ("Split shop.py into a package", "devops-ci-engineer"),
        ("Sort the articles of the shop", "documentation-writer"),
        ("Ajouter la liste de la vie de la ville", "data-architect-governance"),
    ],
)
def test_a_word_that_only_looks_like_anothers_word_draws_nothing(title: str, not_for: str) -> None:
    assert route(title, "", ROSTER).specialist != not_for


def test_documentation_in_a_sentence_of_its_own_is_beside_the_work() -> None:
    assert route("Add rate limiting, then document it in the README", "", ROSTER).specialist == "security-engineer"
    assert route("Document it in the README", "", ROSTER).specialist == "documentation-writer"


@pytest.mark.parametrize(
    "title",
    [
        "Add a rate limiter and document it",
        "Ajoute une authentification et documente-la",
        "Baue die Anmeldung um und beschreibe sie in der README",
        "Mejora la autenticación y documéntala",
    ],
)
def test_a_clause_that_asks_to_describe_what_was_made_makes_nobody_a_writer(title: str) -> None:
    assert route(title, "", ROSTER).specialist != "documentation-writer"


def test_likeness_is_told_in_the_words_that_stand_there() -> None:
    found = route("Handle time zones in the report", "", ROSTER)

    assert found.is_guess
    assert set(found.reason.removeprefix("like other work with ").split(" and ")) <= {
        "handle",
        "time",
        "zones",
        "report",
    }


def test_a_path_that_will_be_written_beats_the_words() -> None:
    words = route("Show the button on the page", "", ROSTER)
    paths = route("Show the button on the page", "", ROSTER, paths=("dags/daily/**", "dags/weekly/load.py"))

    assert words.specialist == "frontend-ui-engineer"
    assert paths.specialist == "data-pipeline-engineer"


def test_the_reason_names_the_deciding_words() -> None:
    routing = route("Add a Dockerfile and a Helm chart", "", ROSTER)

    assert "dockerfile" in routing.reason
    assert "helm" in routing.reason


def test_a_task_without_any_cue_goes_to_the_generalist_without_confidence() -> None:
    routing = route("Do the thing", "", ROSTER)

    assert routing.specialist == "generalist"
    assert routing.confidence == 0.0


def test_confidence_is_low_when_two_specialists_are_close_and_the_other_is_named() -> None:
    clear = route("Dockerfile, Helm chart and GitHub Actions", "", ROSTER)
    torn = route("Dockerfile for React", "", ROSTER)

    assert clear.confidence > 0.7
    assert torn.confidence < 0.5
    assert torn.alternatives


def test_a_projects_own_specialist_is_routed_to_by_its_words(tmp_path: Path) -> None:
    folder = tmp_path / ".orchestrate" / "agents"
    folder.mkdir(parents=True)
    (folder / "fortran.md").write_text("---\nname: fortran-engineer\nwords: fortran, weather kernel\n---\nFortran.\n")

    assert route("Speed up the weather kernel", "", Roster(project=tmp_path)).specialist == "fortran-engineer"


@pytest.mark.parametrize(
    ("one", "other"), [("tests", "testing"), ("cached", "caching"), ("policies", "policy"), ("running", "run")]
)
def test_forms_of_a_word_are_one_word(one: str, other: str) -> None:
    assert normal(one) == normal(other)


def test_hostile_text_is_routed_like_any_other() -> None:
    for text in ("", "\x00\x1b[2J", "a" * 100_000, "(" * 5_000, "𝓤𝓘 \ud800", "/" * 5_000, "a/" * 5_000, "a." * 5_000):
        assert route(text, text, ROSTER).specialist in ROSTER.names


def own(folder: Path, name: str, *front: str) -> Roster:
    agents = folder / ".claude" / "agents"
    agents.mkdir(parents=True, exist_ok=True)
    (agents / f"{name}.md").write_text("\n".join(["---", f"name: {name}", *front, "---", "You do it.", ""]))
    return Roster(project=folder)


def test_a_file_to_be_written_beats_any_number_of_words() -> None:
    title = "Show the React component, the button, the page, the form, the CSS and the modal in the browser"

    routing = route(title, "", ROSTER, paths=("dags/daily.py",))

    assert routing.specialist == "data-pipeline-engineer"
    assert routing.is_guess and "frontend-ui-engineer" in routing.alternatives


def test_where_the_files_are_two_specialists_ground_the_words_decide() -> None:
    paths = ("tests/test_login.py", "src/api/login.py")

    assert route("Write pytest tests of the login", "", ROSTER, paths).specialist == "qa-test-engineer"
    assert route("Add the REST endpoint", "", ROSTER, paths).specialist == "backend-systems-engineer"


def test_a_role_without_words_is_found_by_its_name_and_its_description(tmp_path: Path) -> None:
    roster = own(tmp_path, "rust-expert", "description: Use this agent for ownership, lifetimes and cargo workspaces.")

    by_name = route("Port the tokenizer to Rust", "", roster)
    by_description = route("Untangle the lifetimes of the cargo workspaces", "", roster)

    assert (by_name.specialist, by_name.reason) == ("rust-expert", "rust")
    assert by_description.specialist == "rust-expert"


def test_the_common_words_of_a_description_draw_nothing(tmp_path: Path) -> None:
    roster = own(
        tmp_path,
        "code-expert",
        "description: Use this agent proactively when you need help with code: write, fix, test, review features.",
    )

    for title in ("Fix the feature", "Review the code and help", "Write unit tests", "Do the thing"):
        assert route(title, "", roster).specialist != "code-expert"


def test_a_role_that_cannot_write_gets_only_what_its_own_words_ask_for(tmp_path: Path) -> None:
    reader = own(tmp_path / "a", "rust-reviewer", "description: Reads Rust.", "tools: Read, Grep")
    worded = own(tmp_path / "b", "rust-reviewer", "words: rust review", "tools: Read, Grep")

    assert route("Port the tokenizer to Rust", "", reader).specialist != "rust-reviewer"
    assert route("Do a rust review", "", worded).specialist == "rust-reviewer"


def test_a_hundred_roles_of_others_leave_the_words_of_ours_their_weight(tmp_path: Path) -> None:
    for number in range(100):
        roster = own(tmp_path, f"kind-{number}", "description: Terraform, pytest, React, Airflow and endpoints.")

    for title, specialist in (
        ("Write Terraform for the VPC", "aws-cloud-architect"),
        ("Add pytest unit tests", "qa-test-engineer"),
        ("Add an Airflow DAG", "data-pipeline-engineer"),
    ):
        before, after = route(title, "", ROSTER), route(title, "", roster)
        assert before.specialist == after.specialist == specialist
        # What was learned does not count beside roles of others, and that is all that is lost.
        assert after.confidence > before.confidence - 0.1


def test_between_equals_the_project_goes_before_us(tmp_path: Path) -> None:
    folder = tmp_path / ".orchestrate" / "agents"
    folder.mkdir(parents=True)
    (folder / "z.md").write_text("---\nname: zz-terraformer\nwords: terraform\n---\nYou do.\n")

    assert route("Change terraform", "", Roster(project=tmp_path)).specialist == "zz-terraformer"


def test_tests_and_docs_that_every_change_should_have_make_nobody_its_tester() -> None:
    for title in ("Create a settings page with tests", "Create a settings page, including unit tests and docs"):
        assert route(title, title, Roster()).specialist == "frontend-ui-engineer"
    assert route("Write unit tests and docs", "", Roster()).specialist in {"qa-test-engineer", "documentation-writer"}


def test_what_is_new_is_no_news() -> None:
    title = "Write a technical specification for the new search service"

    assert route(title, title, Roster()).specialist == "specifications-engineer"


@pytest.mark.parametrize(
    ("title", "specialist"),
    [
        ("Build a Chrome extension that blocks distracting sites", "frontend-ui-engineer"),
        ("Write a Slack bot that reminds people of standups and deadlines", "backend-systems-engineer"),
        ("Create a Telegram bot for planning the sprint", "backend-systems-engineer"),
        ("Build a command line tool that renames photos by date", "backend-systems-engineer"),
        ("Write an iOS app which shows the training plan of a gym", "frontend-ui-engineer"),
        ("Write a Python script that scrapes job postings", "data-pipeline-engineer"),
    ],
)
def test_what_a_thing_is_for_makes_nobody_its_builder_unless_the_thing_itself_says_nothing(
    title: str, specialist: str
) -> None:
    assert route(title, "", ROSTER).specialist == specialist


def test_how_one_asks_is_no_evidence_of_what_is_asked_for() -> None:
    for title in ("Build a thing", "Create the thing for our people", "Write me a thing that is good"):
        assert route(title, "", ROSTER).confidence == 0.0, title


@pytest.mark.parametrize(
    "title",
    [
        "Escape the percent sign in CSV export",
        "Show a plus-sign before gains",
        "Fix the dollar sign in the invoice",
        "Sign in with Google",
        "Let people sign up by phone number",
    ],
)
def test_a_sign_and_signing_in_are_no_signature(title: str) -> None:
    assert route(title, "", ROSTER).specialist != "security-engineer"
    assert route("Sign JWT tokens with a new signing key", "", ROSTER).specialist == "security-engineer"
    assert route("Escape HTML in comments", "", ROSTER).specialist == "security-engineer"


@pytest.mark.parametrize(
    "title",
    [
        "Fix the crash in tabulate/__init__.py",
        "Fix the crash in tabulate/__init__.py when a table is empty",
        "Fix #1234: TypeError in httpie/sessions.py when the cookie has no value",
        "Fix TypeError in docs_tool/pipeline.py",
        "Speed up readme_renderer/render.py",
        "Fix the bug in data/frontend.py",
        "Handle empty input in src/model.ts",
        "Fix #1234",
        "Resolve GH-88",
    ],
)
def test_neither_the_name_of_a_program_file_nor_the_number_of_an_issue_decides(title: str) -> None:
    assert route(title, title, ROSTER).specialist == "generalist"


def test_what_is_said_beside_a_file_of_a_program_and_its_kind_still_decide() -> None:
    assert route("Fix the broken layout in src/components/Button.tsx", "", ROSTER).specialist == "frontend-ui-engineer"
    assert route("Fix the crash in src/ui_model/loader.go", "", ROSTER).specialist == "backend-systems-engineer"
    assert route("Correct the docs in docs/index.md", "", ROSTER).specialist == "documentation-writer"
    assert route("Write the upgrade notes", "", ROSTER).specialist == "documentation-writer"


@pytest.mark.parametrize(
    "title",
    [
        "Build a static blog with Hugo",
        "Rework the plugin manager, the session store and the download progress bar",
        "Rework examples/download.py",
    ],
)
def test_a_guess_gives_no_program_to_who_leaves_programs_alone(title: str) -> None:
    found = route(title, title, ROSTER)

    assert found.specialist not in {"documentation-writer", "specifications-engineer", "project-delivery-manager"}


@pytest.mark.parametrize(
    ("goal", "never"),
    [
        (
            "As a shop owner I want to see my daily revenue.\n\nAcceptance criteria:\n- per day",
            "specifications-engineer",
        ),
        ("Users get mails twice. Reproduce it, fix it, and add a regression test.", "qa-test-engineer"),
        ("Schreibe einen Parser für unsere Logdateien und Tests dazu", "qa-test-engineer"),
        ("Write a Python library for EXIF data with docs, examples, and a release", "documentation-writer"),
        ("Bug: the zone of reminders is wrong\n\n1. Create a reminder\n2. Wait for it", "project-delivery-manager"),
    ],
)
def test_the_form_of_a_goal_says_nothing_of_its_subject(goal: str, never: str) -> None:
    assert route(goal.partition("\n")[0], goal, ROSTER).specialist != never
    assert route("Write user stories with acceptance criteria", "", ROSTER).specialist == "specifications-engineer"


@pytest.mark.parametrize(
    ("title", "paths"), [("Write pytest unit tests for the parser", ()), ("Handle time zones", ("deploy/Dockerfile",))]
)
def test_a_projects_files_are_not_looked_at_where_words_or_paths_decide(title: str, paths: tuple[str, ...]) -> None:
    def look() -> tuple[tuple[str, int], ...]:
        raise AssertionError("looked")

    assert route_in(look, title, "", ROSTER, paths) == route(title, "", ROSTER, paths)
    with pytest.raises(AssertionError, match="looked"):
        route_in(look, "Handle time zones in the report", "", ROSTER)


def test_a_word_of_another_language_that_is_spelt_like_an_english_one_only_hints() -> None:
    assert route("Model fines per loan", "", ROSTER).confidence < 0.3
    assert route("Entraîner le modèle de prévision", "", ROSTER).specialist == "ml-systems-architect"
