"""Whole goals by the Anthropic API, planned and worked on, against a model server on loopback. No CLI is installed."""

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from calling import Caller
from doubles import real_clis
from doubles.model_scripts import Answer, Failure, Shell, Turn, Usage, Write
from doubles.model_server import ModelServer

pytestmark = pytest.mark.timeout(300)

BASE = {
    "calc.py": "def add(a, b):\n    return a + b\n",
    "test_calc.py": (
        "import unittest\nfrom calc import add\n\n\n"
        "class Calc(unittest.TestCase):\n    def test_add(self):\n        self.assertEqual(add(1, 2), 3)\n"
    ),
}
SUB_TEST = (
    "import unittest\nfrom sub import sub\n\n\n"
    "class Sub(unittest.TestCase):\n    def test_sub(self):\n        self.assertEqual(sub(3, 2), 1)\n"
)
AGAIN = "evidence from the last attempt"
BROKEN = Failure(kind="server_error", headers={"x-should-retry": "false"})


def planned(id: str, title: str, *needs: str) -> dict[str, object]:
    return {
        "id": id, "title": title, "description": f"{title}.", "agent_type": "backend-systems-engineer",
        "depends_on": list(needs), "tier": "standard", "size": "S",
        "owns": [f"{id}.py", f"test_{id}.py"], "acceptance": ["it is there"],
        "verify": None, "expects_change": True,
    }  # fmt: skip


PLAN = {
    "tasks": [planned("sub", "Add subtraction"), planned("mul", "Add multiplication"), planned("neg", "Add negation")]
}


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as opened:
        yield opened
        assert opened.outside == (), "somebody tried to reach the network"


@pytest.fixture
def here(tmp_path: Path, server: ModelServer) -> Caller:
    """A repository in API mode, with a made-up key, the model server as the API, and no agent CLI."""
    home = tmp_path / "home"
    caller = Caller(tmp_path / "project")
    environ = real_clis.clean_env(home, server)
    caller.environ = {
        **{name: environ[name] for name in ("HOME", "LANG", "TERM", "TMPDIR", "GIT_CONFIG_GLOBAL", "HTTPS_PROXY")},
        "NO_PROXY": environ["NO_PROXY"],
        "PATH": tools_only(tmp_path / "bin"),
        "ANTHROPIC_API_KEY": real_clis.MADE_UP_KEY,
        "ANTHROPIC_BASE_URL": server.url,
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "USE_API_MODE": "true",
        "ORCHESTRATE_RETRY_SECONDS": "0",
    }
    for name, text in BASE.items():
        (caller.folder / name).write_text(text)
    caller.begin_repository()
    return caller


def tools_only(folder: Path) -> str:
    """Return a PATH with git, a shell and Python, on which no agent CLI of this machine is found."""
    folder.mkdir()
    for name in ("git", "sh", "bash", "cat", "env", "grep"):
        if found := shutil.which(name):
            (folder / name).symlink_to(found)
    for name in ("python", "python3"):  # not what is on PATH: a version manager's shim works nowhere else
        (folder / name).symlink_to(Path(sys.executable).resolve())
    return str(folder)


def events(here: Caller, *types: str) -> list[dict[str, Any]]:
    """The events of *types*, oldest first."""
    lines = here("events", "--json", "-n", "500").out.splitlines()
    return [event for event in map(json.loads, lines) if event["type"] in types]


def outcomes(goal: dict[str, Any]) -> dict[str, list[str]]:
    return {task["key"]: [one["outcome"] for one in task["attempts"]] for task in goal["tasks"]}


def script_the_work(server: ModelServer) -> None:
    """One task is mended in a second attempt, one is held once, one meets an error of the API."""
    wrong = Write(path="sub.py", content="def sub(a, b):\n    return a + b\n")
    right = Write(path="sub.py", content="def sub(a, b):\n    return a - b\n")
    mended = [Turn(text="I see.", actions=[right]), Turn(text="It subtracts now.")]
    server.when(lambda text: "(sub): Add subtraction" in text and AGAIN in text, mended)
    test = Write(path="test_sub.py", content=SUB_TEST)
    server.when("(sub): Add subtraction", [Turn(text="Writing.", actions=[wrong, test]), Turn(text="Done.")])
    mul = Write(path="mul.py", content="def mul(a, b):\n    return a * b\n")
    held = Failure(kind="rate_limit", times=1, headers={"retry-after": "2"})
    server.when("(mul): Add multiplication", [Turn(text="Writing.", actions=[mul], failure=held), Turn(text="Done.")])
    neg = Write(path="neg.py", content="def neg(a):\n    return -a\n")
    finished = [Turn(text="Writing.", actions=[neg]), Turn(text="Done.")]
    server.when(lambda text: "(neg): Add negation" in text and AGAIN in text, finished)
    server.when("(neg): Add negation", [Turn(text="Writing.", failure=BROKEN)])


def test_a_goal_is_planned_and_done_by_the_api_through_a_limit_a_red_check_and_an_error(
    here: Caller, server: ModelServer
) -> None:
    server.when("", [Turn(actions=[Answer(value=PLAN)])], answering="tasks")
    script_the_work(server)

    submitted = here("submit", "Make the calculator complete", "-d", "--json")
    assert submitted.code == 0, submitted.err
    assert submitted.json["plan"]["source"] == "api"
    ran = here("run", "--max-agents", "2", "--json")

    assert ran.code == 0, ran.err
    assert "Anthropic API works here; ANTHROPIC_API_KEY at" in ran.err
    goal = ran.json["goals"][0]
    assert (goal["state"], goal["verdict"], goal["delivery"]) == ("completed", "verified", "delivered")
    tasks = {task["key"]: task for task in goal["tasks"]}
    assert outcomes(goal)["sub"] == ["rejected", "succeeded"]
    assert sorted(outcomes(goal)["mul"]) == ["limited", "succeeded"]
    assert outcomes(goal)["neg"][0] in {"failed", "limited"} and "failed" in outcomes(goal)["neg"]
    assert outcomes(goal)["neg"][-1] == "succeeded"
    assert (tasks["mul"]["attempts_used"], tasks["neg"]["attempts_used"]) == (0, 1)
    assert "500" in next(one["reason"] for one in tasks["neg"]["attempts"] if one["outcome"] == "failed")
    first, second = tasks["sub"]["attempts"]
    assert first["session"] == second["session"], "the retry went on in the same conversation"
    told = next(request for request in server.requests if AGAIN in request.prompt and "(sub)" in request.prompt)
    assert "Writing." in str(told.body["messages"]), "the model was shown what it had said before"
    assert "server side" in told.asked.system, "the specialist's role is the system prompt"  # type: ignore[union-attr]
    (hold,) = [one["data"] for one in events(here, "hold.started")]
    assert (hold["provider"], hold["kind"]) == ("api", "rate_limit"), "stated, unless its two seconds were over by then"
    assert second["usage"]["cost_usd"] > 0 and second["usage"]["cost_is_estimate"] is True
    assert "return a - b" in (here.folder / "sub.py").read_text()
    assert len(here.git("log", "--format=%h", "main").splitlines()) == 4, "one commit a task, and the base"


def test_an_attempt_that_uses_more_than_it_may_is_ended_while_it_works(here: Caller, server: ModelServer) -> None:
    turns = [
        Turn(text="On.", actions=[Shell(command=f"echo {n} >> n.txt; sleep 0.3")], usage=Usage(input_tokens=60_000))
        for n in range(100)
    ]
    server.when("Count", turns)
    here.environ["ORCHESTRATE_ATTEMPT_BUDGET"] = "300k tokens"
    here("submit", "Count", "--max-attempts", "1")

    ran = here("run", "--budget", "350k tokens", "--json")

    (attempt,) = ran.json["goals"][0]["tasks"][0]["attempts"]
    assert (ran.code, attempt["outcome"]) == (6, "failed")
    assert ran.err.count("of the budget of this run is used") == 1, "said once, at four fifths"
    assert attempt["reason"].startswith("it used more than an attempt may: ")
    assert len(server.requests) < 50
    assert "n.txt" in here.git("show", "--stat", attempt["branch"]), "what it wrote is kept"


def test_an_error_of_the_api_fails_the_attempts_and_is_never_called_done(here: Caller, server: ModelServer) -> None:
    mul = Write(path="mul.py", content="def mul(a, b):\n    return a * b\n")
    server.when("Add multiplication", [Turn(text="Writing.", actions=[mul]), Turn(failure=BROKEN)])
    here("submit", "Add multiplication", "--max-attempts", "2")

    ran = here("run", "--json")

    assert ran.code == 6
    task = ran.json["goals"][0]["tasks"][0]
    assert (task["state"], task["verdict"]) == ("failed", None)
    assert outcomes(ran.json["goals"][0]) == {task["key"]: ["failed", "failed"]}
    assert len(here.git("log", "--format=%h", "main").splitlines()) == 1


def test_a_refused_key_holds_the_provider_and_charges_nobody(here: Caller, server: ModelServer) -> None:
    server.when("", [Turn(failure=Failure(kind="invalid_key"))])
    here("submit", "Add multiplication", "--max-attempts", "1")

    ran = here("run", "--no-wait", "--json")

    assert ran.code == 7
    task = ran.json["goals"][0]["tasks"][0]
    assert (task["state"], task["attempts_used"]) == ("ready", 0)
    assert [hold["kind"] for hold in here("status", "--json").json["holds"]] == ["login"]


def test_without_a_key_nothing_starts_and_one_line_names_the_variable(here: Caller, server: ModelServer) -> None:
    here("submit", "Add multiplication")
    del here.environ["ANTHROPIC_API_KEY"]

    ran = here("run")

    assert ran.code == 8
    assert "set ANTHROPIC_API_KEY" in ran.err
    assert len(ran.err.strip().splitlines()) == 1
    assert server.requests == ()
    assert here("submit", "Add", "-d", "--planner", "api").code == 8


def test_api_mode_and_the_key_may_stand_in_the_projects_dot_env_and_the_endpoint_may_not(
    here: Caller, server: ModelServer
) -> None:
    with ModelServer() as elsewhere:
        key = here.environ.pop("ANTHROPIC_API_KEY")
        del here.environ["USE_API_MODE"]
        (here.folder / ".env").write_text(
            f"USE_API_MODE=true\nANTHROPIC_API_KEY={key}\nANTHROPIC_BASE_URL={elsewhere.url}\n"
        )
        mul = Write(path="mul.py", content="def mul(a, b):\n    return a * b\n")
        look = Shell(command="env > seen.txt; cat .env >> seen.txt")
        server.when("", [Turn(actions=[mul, look]), Turn(text="Done.")])
        here("submit", "Add multiplication")

        ran = here("run", "--json")

        assert ran.code == 0, ran.err
        assert elsewhere.everything == ()
    assert len(server.requests) == 2
    assert "Anthropic API works here" in ran.err


@pytest.mark.parametrize(
    "answer",
    [
        Turn(text="First I would think about the database, then the API."),
        Turn(text='{"tasks": [{"id": "a", "title": '),
        Turn(text="I cannot help with that."),
    ],
    ids=["prose", "broken JSON", "a refusal in words"],
)
def test_a_planner_whose_answer_is_none_is_told_once_and_then_the_rules_plan(
    here: Caller, server: ModelServer, answer: Turn
) -> None:
    server.when("", [answer])

    submitted = here("submit", "Build a REST API for books with tests and docs", "-d", "--json")

    assert submitted.code == 0, submitted.err
    plan = submitted.json["plan"]
    assert plan["source"] == "rules"
    assert "api gave no usable plan twice" in plan["notice"]
    first, second = server.requests
    assert "could not be used" in second.prompt and "could not be used" not in first.prompt


def test_a_bad_plan_that_is_mended_in_the_second_answer_is_taken(here: Caller, server: ModelServer) -> None:
    server.when("could not be used", [Turn(actions=[Answer(value=PLAN)])])
    server.when("", [Turn(text="First I would think.")])

    submitted = here("submit", "Make the calculator complete", "-d", "--json")

    assert submitted.json["plan"]["source"] == "api"
    assert len(submitted.json["tasks"]) >= 3


@pytest.mark.parametrize(
    ("turn", "why"),
    [
        (Turn(text="{}", stop="refusal"), "refused"),
        (Turn(failure=Failure(kind="rate_limit", headers={"retry-after": "3600"})), "429"),
        (Turn(failure=Failure(kind="invalid_key")), "401"),
        (Turn(failure=BROKEN), "500"),
    ],
)
def test_a_planner_that_cannot_answer_gives_way_to_the_next_and_the_plan_says_so(
    here: Caller, server: ModelServer, turn: Turn, why: str
) -> None:
    server.when("", [turn])

    submitted = here("submit", "Build a REST API for books with tests and docs", "-d", "--json")

    assert submitted.code == 0, submitted.err
    plan = submitted.json["plan"]
    assert plan["source"] == "rules"
    assert "api could not be asked" in plan["notice"] and why in plan["notice"]


def agent(here: Caller) -> None:
    """Let a shell script be the second provider."""
    script = here.folder.parent / "agent.sh"
    script.write_text("cat > /dev/null; echo done > work.txt; echo I did it\n")
    here.environ["ORCHESTRATE_GENERIC_COMMAND"] = f"sh {script}"


@pytest.mark.parametrize("kind", ["invalid_key", "overloaded"])
def test_the_next_provider_stands_in_for_a_broken_one_and_an_event_says_so(
    here: Caller, server: ModelServer, kind: Any
) -> None:
    agent(here)
    server.when("", [Turn(failure=Failure(kind=kind, headers={"x-should-retry": "false"}))])
    here("submit", "Add multiplication")

    ran = here("run", "--provider", "api,generic", "--json")

    assert ran.code == 0, ran.err
    (task,) = ran.json["goals"][0]["tasks"]
    assert [(one["provider"], one["outcome"]) for one in task["attempts"]] == [
        ("api", "limited"),
        ("generic", "succeeded"),
    ]
    (event,) = events(here, "provider.stands_in")
    assert event["data"]["provider"] == "generic" and event["data"]["instead_of"] == "api"
    assert event["data"]["reason"].startswith("API error")
    assert "generic stands in for api" in ran.err


def test_a_provider_that_cannot_be_used_here_is_left_out_when_another_can_and_an_event_says_so(
    here: Caller, server: ModelServer
) -> None:
    agent(here)
    del here.environ["ANTHROPIC_API_KEY"]
    here("submit", "Add multiplication")

    ran = here("run", "--provider", "api,claude,generic", "--json")

    assert ran.code == 0, ran.err
    told = {one["data"]["provider"]: one["data"] for one in events(here, "provider.unusable")}
    assert set(told) == {"api", "claude"}
    assert told["api"]["instead"] == "generic"
    assert "ANTHROPIC_API_KEY" in told["api"]["reason"] and "not installed" in told["claude"]["reason"]
    assert "api is left out" in ran.err
    assert here("run", "--provider", "api,claude").code in {3, 8}


def test_doctor_says_whether_api_mode_is_on_and_who_pays(here: Caller) -> None:
    def mode(**environ: str) -> dict[str, str]:
        checks: list[dict[str, str]] = here("doctor", "--json", **environ).json["checks"]
        return next(check for check in checks if check["name"] == "api mode")

    assert mode()["level"] == "ok" and mode()["detail"].startswith("on: ")
    assert "ANTHROPIC_API_KEY" in mode()["detail"]
    assert here("doctor").code == 0, "no CLI is needed"
    assert mode(USE_API_MODE="false")["detail"].startswith("off; goals are planned by the Anthropic API")
    del here.environ["ANTHROPIC_API_KEY"]
    assert mode()["level"] == "fail"
    assert mode(USE_API_MODE="false")["detail"] == "off; no key"
