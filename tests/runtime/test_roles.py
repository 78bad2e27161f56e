import pytest

from agent_orchestrator.domain.specialist import Specialist
from agent_orchestrator.domain.task import Tier
from agent_orchestrator.providers.claude import Claude
from agent_orchestrator.providers.codex import Codex
from agent_orchestrator.runtime.roles import asked_and_not_kept, model_for

BY_TIER = {("claude", Tier.LIGHT): "haiku", ("claude", Tier.HEAVY): "opus", ("codex", Tier.HEAVY): ""}


def role(**given: object) -> Specialist:
    return Specialist(name="r", description="r", prompt="r\n", **given)  # type: ignore[arg-type]


def test_the_users_choice_beats_the_roles_model_which_beats_the_tasks_tier_which_beats_the_cli() -> None:
    found = [
        model_for(role(model="sonnet"), "claude", Tier.HEAVY, chosen="mine", by_tier=BY_TIER),
        model_for(role(model="sonnet"), "claude", Tier.HEAVY, chosen=None, by_tier=BY_TIER),
        model_for(role(), "claude", Tier.HEAVY, chosen=None, by_tier=BY_TIER),
        model_for(role(), "claude", Tier.STANDARD, chosen=None, by_tier=BY_TIER),
        model_for(role(), "codex", Tier.HEAVY, chosen=None, by_tier=BY_TIER),
    ]

    assert found == ["mine", "sonnet", "opus", None, None]


def test_the_tier_is_the_tasks_whatever_the_roles() -> None:
    heavy = role(tier=Tier.HEAVY)

    assert model_for(heavy, "claude", Tier.LIGHT, chosen=None, by_tier=BY_TIER) == "haiku"


@pytest.mark.parametrize(
    ("model", "provider", "knows"),
    [
        ("sonnet", "claude", True),
        ("opus[1m]", "claude", True),
        ("claude-sonnet-4-5@20250929", "claude", True),
        ("us.anthropic.claude-opus-4-1-20250805-v1:0", "claude", True),
        ("sonnet", "codex", False),
        ("gpt-5-codex", "codex", True),
        ("o3", "codex", True),
        ("opus", "codex", False),
        ("gpt-5", "claude", False),
        ("gemini-2.5-pro", "gemini", True),
        ("gemini-2.5-pro", "claude", False),
        ("openrouter/some-model", "opencode", True),
        ("openrouter/some-model", "claude", False),
        ("sonnet", "generic", False),
        ("house-model", "claude", False),
    ],
)
def test_a_roles_model_goes_only_to_a_provider_that_knows_it(model: str, provider: str, knows: bool) -> None:
    found = model_for(role(model=model), provider, Tier.STANDARD, chosen=None, by_tier={})

    assert found == (model if knows else None)


def test_a_role_file_can_say_whose_model_it_names() -> None:
    mine = role(model="house-model", provider="generic")

    assert model_for(mine, "generic", Tier.LIGHT, chosen=None, by_tier=BY_TIER) == "house-model"
    assert model_for(mine, "claude", Tier.LIGHT, chosen=None, by_tier=BY_TIER) == "haiku"


def test_what_an_agent_cannot_keep_of_a_role_is_said() -> None:
    limited = role(tools=("Read",), denied_tools=("Bash",), max_turns=3, model="sonnet")

    told = " / ".join(asked_and_not_kept(limited, Codex()))

    assert asked_and_not_kept(limited, Claude()) == ()
    for words in ("the list of tools", "forbidden tools", "the limit on turns", "does not know the model sonnet"):
        assert words in told


def test_of_a_role_without_limits_nothing_is_said() -> None:
    assert asked_and_not_kept(role(), Codex()) == ()
