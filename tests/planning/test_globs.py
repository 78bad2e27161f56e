import pytest

from agent_orchestrator.planning.globs import globs_meet


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        ("src/api.py", "src/api.py", True),
        ("src/api.py", "src/ui.py", False),
        ("src/**", "src/api/routes.py", True),
        ("src/", "src/api/routes.py", True),
        ("src", "src/api", True),
        ("src/api", "src/api2", False),
        ("src/*.py", "src/api.py", True),
        ("src/*.py", "src/deep/api.py", False),
        ("**/*.py", "src/deep/api.py", True),
        ("**/*.py", "docs/**", True),
        ("src/a*", "src/*b", True),
        ("src/a*.py", "src/b*.py", False),
        ("src/[ab].py", "src/a.py", True),
        ("web/**", "api/**", False),
        ("**", "anything/at/all", True),
        ("./src/a.py", "src/a.py", True),
        ("tests/unit/**", "tests/*/test_a.py", True),
    ],
)
def test_two_scopes_meet_when_a_path_could_be_in_both(one: str, other: str, meet: bool) -> None:
    assert globs_meet(one, other) is meet
    assert globs_meet(other, one) is meet


def test_a_hostile_glob_does_not_cost_exponential_time() -> None:
    assert globs_meet("/".join(["**", "a*"] * 100), "/".join(["**", "*b"] * 100)) is True
    assert globs_meet("*a" * 200, "*b" * 200 + "c") is False
