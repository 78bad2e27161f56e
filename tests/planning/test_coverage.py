from dataclasses import replace

import pytest

from agent_orchestrator.domain.plan import PlannedTask
from agent_orchestrator.planning.coverage import uncovered

GOAL = """Improve the shop:
- validate the address at checkout
- export monthly invoices as CSV
- show shipping costs in the cart
"""


def task(title: str, description: str = "") -> PlannedTask:
    return PlannedTask(id=title[:8], title=title, description=description, agent_type="generalist")


ADDRESS = task("Check addresses", "Validation of the address in the checkout form.")
INVOICES = task("CSV export", "Invoices of a month are exported.")
SHIPPING = task("Shipping costs", "The cart shows them.")


def test_a_list_item_that_no_task_speaks_of_is_named() -> None:
    assert uncovered(GOAL, [ADDRESS, INVOICES]) == ("show shipping costs in the cart",)
    assert uncovered(GOAL, [ADDRESS, INVOICES, SHIPPING]) == ()


def test_quoting_the_goal_covers_no_list_item() -> None:
    verify = task("Verify it all", f"The goal:\n{GOAL}")

    assert uncovered(GOAL, [ADDRESS, INVOICES, verify]) == ("show shipping costs in the cart",)


def test_a_plan_in_another_language_claims_nothing() -> None:
    assert uncovered(GOAL, [task("Adressen prüfen"), task("Rechnungen ausgeben")]) == ()


def test_one_task_carries_the_whole_goal() -> None:
    assert uncovered(GOAL, [task("Improve the shop")]) == ()


@pytest.mark.parametrize(
    ("tasks", "missed"),
    [
        ([task("Store", "Tables in PostgreSQL"), task("Page", "A React page")], ()),
        ([task("Store", "Tables"), task("Page", "A React page")], ("postgresql",)),
        ([task("Store", "Build it with React and PostgreSQL"), task("Page")], ()),
    ],
)
def test_a_technology_that_the_goal_names_is_looked_for(tasks: list[PlannedTask], missed: tuple[str, ...]) -> None:
    assert uncovered("Build it with React and PostgreSQL", tasks) == missed


def test_a_technology_that_only_the_verifying_task_names_is_missing() -> None:
    verify = replace(task("Verify", "Build it with React"), expects_change=False)

    assert uncovered("Build it with React", [task("Page"), verify]) == ("react",)


def test_signs_without_spaces_are_compared_by_pairs() -> None:
    goal = "- 添加用户登录页面\n- 导出月度发票\n"

    assert uncovered(goal, [task("实现登录页面"), task("发票导出为文件")]) == ()
    assert uncovered(goal, [task("实现登录页面"), task("写文档")]) == ("导出月度发票",)
