"""The real gemini and opencode do what their providers rely on, against a scripted model.

Each is started and read by its provider, as an attempt is; looked at are effects (git, requests) and the ending.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from agent_orchestrator.domain.attempt import Outcome
from agent_orchestrator.domain.clock import SystemClock
from agent_orchestrator.domain.hold import HoldKind
from agent_orchestrator.providers import SESSION_LOST, Briefing, Ending, Finished, Provider, Said, Started, joined
from agent_orchestrator.providers.all import providers
from doubles import real_clis
from doubles.model_server import Failure, ModelServer, Shell, Turn, Usage, Write
from providers.reading import Reading, read

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

RUN_SECONDS = 200
MODELS: Mapping[str, str | None] = {"gemini": "gemini-2.5-pro", "opencode": None}
"""Without a named model gemini asks a small one first which to use."""
SOON = {"retry-after": "1"}
"""What makes opencode try again soon; gemini does not look at it."""


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server
        assert {*server.outside} <= real_clis.WANTED_ANYWAY, "an agent tried to reach the network"


@pytest.fixture(params=["gemini", "opencode"])
def agent(request: pytest.FixtureRequest, tmp_path: Path, server: ModelServer) -> Agent:
    path = real_clis.find_cli(request.param)
    if path is None:
        reason = f"{request.param} is not in {real_clis.FOLDER_VARIABLE} or PATH; .ci/install-clis gets it"
        if os.environ.get(real_clis.REQUIRE_VARIABLE) == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return Agent(request.param, path, tmp_path, real_clis.clean_env(tmp_path / "home", server))


class Agent:
    """One CLI at work in a repository of its own."""

    def __init__(self, name: str, path: Path, folder: Path, environment: dict[str, str]) -> None:
        found = providers(clock=SystemClock(), environ=environment, home=folder, root=False)
        self.provider: Provider = found[name]
        self.path = path
        self.folder = folder / "repository"
        self.run_dir = folder / "run"
        self.environment = environment
        self.folder.mkdir()
        self.run_dir.mkdir()
        self.git("init", "-q", "-b", "main")
        self.git("config", "user.name", "Test")
        self.git("config", "user.email", "test@example.invalid")
        self.git("commit", "-q", "--allow-empty", "-m", "Start")

    def git(self, *words: str) -> str:
        done = subprocess.run(["git", *words], cwd=self.folder, check=True, capture_output=True, text=True, timeout=120)
        return done.stdout.strip()

    def work(self, prompt: str, session: str | None = None) -> tuple[Reading, Ending]:
        """Run one attempt to its end; return what its lines mean and how it ended."""
        command = self.provider.command(
            Briefing(
                prompt=prompt,
                role="You are the one who tests.",
                workspace=self.folder,
                run_dir=self.run_dir,
                executable=str(self.path),
                model=MODELS[self.provider.name],
                session=session,
                environment=self.environment,
            )
        )
        for name, content in command.files.items():
            (self.run_dir / name).write_text(content)
        kept = {name: value for name, value in self.environment.items() if name not in command.without}
        done = subprocess.run(
            command.argv,
            input=command.stdin,
            cwd=self.folder,
            env=kept | dict(command.environment),
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
            check=False,
        )
        found = read(self.provider, done.stdout.splitlines())
        return found, self.provider.conclude(done.returncode, found.last, found.limited, done.stderr)


def session_of(found: Reading) -> str:
    started = found.of(Started)[0]
    assert isinstance(started, Started)
    return started.session


def test_it_edits_commits_and_says_what_it_did_in_the_role_it_was_given(agent: Agent, server: ModelServer) -> None:
    write = Turn(text="I write it. " * 10, actions=[Write(path="parser.py", content="GRÜSSE = 1\n")])
    commit = Turn(actions=[Shell(command="git add -A && git commit -qm 'Add parser.py'")])
    server.when("Add the parser", [write, commit, Turn(text="Done.", usage=Usage(input_tokens=1200))])

    found, ending = agent.work("Add the parser.")

    assert ending.outcome is None
    assert agent.git("log", "--format=%s") == "Add parser.py\nStart"
    assert agent.git("show", "HEAD:parser.py") == "GRÜSSE = 1"
    assert [words.text for words in joined(found.meanings) if isinstance(words, Said)] == [
        ("I write it. " * 10).strip(),
        "Done.",
    ]
    assert found.last == Finished(ok=True, summary="")
    assert [request.turn for request in server.requests] == [0, 1, 2], "and no request for a title or a route"
    asked = server.requests[0].asked
    assert asked is not None
    assert "You are the one who tests." in "\n".join(text for _, text in asked.exchanges)


def test_it_goes_on_in_its_session_and_a_lost_one_is_told(agent: Agent, server: ModelServer) -> None:
    server.when("What was it", [Turn(text="You asked me to remember.")])
    server.when("Remember 17", [Turn(text="I do.")])

    first, _ = agent.work("Remember 17.")
    second, ending = agent.work("What was it?", session=session_of(first))
    _, lost = agent.work("What was it?", session="11111111-2222-4333-8444-555555555555")

    assert ending.outcome is None
    assert session_of(second) == session_of(first)
    asked = server.requests[-1].asked
    assert asked is not None
    said = [text for role, text in asked.exchanges if role in {"user", "assistant"}]
    assert any("Remember 17." in text for text in said)
    assert "I do." in said
    assert lost.reason.startswith(SESSION_LOST)


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (Failure(kind="invalid_key"), HoldKind.LOGIN),
        (Failure(kind="usage_limit", headers=SOON), HoldKind.USAGE_LIMIT),
        (Failure(kind="overloaded", headers=SOON), HoldKind.OVERLOADED),
        (Failure(kind="drop_mid", times=3), HoldKind.OVERLOADED),
    ],
    ids=lambda value: value.kind if isinstance(value, Failure) else "",
)
def test_what_the_service_refuses_is_no_fault_of_the_work(
    agent: Agent, server: ModelServer, failure: Failure, kind: HoldKind
) -> None:
    server.when("Add the parser", [Turn(text="I write it. " * 10, failure=failure)])

    found, ending = agent.work("Add the parser.")

    if failure.kind == "drop_mid" and agent.provider.name == "opencode":  # it tries again until it works
        assert found.last == Finished(ok=True, summary="")
        return
    assert ending.outcome == Outcome.LIMITED
    assert ending.limited is not None
    assert ending.limited.kind == kind


def test_a_model_that_is_not_there_is_a_failure_and_no_limit(agent: Agent, server: ModelServer) -> None:
    server.when("Add the parser", [Turn(failure=Failure(kind="no_model"))])

    _, ending = agent.work("Add the parser.")

    assert ending.outcome == Outcome.FAILED
    assert "none" in ending.reason
