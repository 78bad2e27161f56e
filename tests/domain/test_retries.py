from agent_orchestrator.domain.retries import Failure, Step, step
from agent_orchestrator.domain.task import Tier


def fails(*pairs: tuple[str, str]) -> list[Failure]:
    return [Failure(kind=kind, work=work, judged=True) for kind, work in pairs]


def after(*pairs: tuple[str, str], tier: Tier | None = None, another: bool = False) -> Step:
    return step(fails(*pairs), tier_above=tier, provider="claude", another=another)


def test_a_first_failure_and_a_new_one_change_nothing() -> None:
    assert after(("red a", "1"), tier=Tier.HEAVY, another=True) == Step()
    assert after(("red a", "1"), ("red b", "1"), tier=Tier.HEAVY, another=True) == Step()


def test_the_same_failure_again_raises_the_tier_then_turns_to_another_provider_then_to_a_person() -> None:
    twice, thrice = (("red", "1"),) * 2, (("red", "1"),) * 3

    assert after(*twice, tier=Tier.HEAVY, another=True) == Step(tier=Tier.HEAVY, may_split=True)
    assert after(*thrice, another=True) == Step(avoid="claude", may_split=True)
    assert after(*thrice).give_up.startswith("3 attempts in a row changed the same")


def test_attempts_whose_changes_differ_are_no_loop() -> None:
    assert after(("red", "1"), ("red", "2")) == Step(may_split=True)


def test_a_crash_is_no_loop_however_often_it_comes() -> None:
    crash = Failure(kind="failed: exit code", work="", judged=False)

    assert step([crash] * 5, tier_above=None, provider="claude", another=False) == Step(may_split=True)
