"""What was learned from labelled titles: small, without a title in it, alike each time, and only for our own roster."""

from pathlib import Path

from agent_orchestrator.domain.specialist import GENERALIST
from agent_orchestrator.planning import learned
from agent_orchestrator.planning.roster import Roster
from agent_orchestrator.planning.routing import route

WEIGHTS = Path(learned.__file__).with_name("weights.json")


def test_the_file_stays_small_and_holds_no_title() -> None:
    roles, weights = learned._weights()

    assert WEIGHTS.stat().st_size <= 64 * 1024
    assert max(len(gram.split()) for gram in weights) <= 2
    assert set(roles) <= set(Roster().names)


def test_what_speaks_for_one_speaks_against_others() -> None:
    found = learned.evidence("Render the kernel launch in the sidebar", "")

    assert sum(weight for weight, _ in found.values()) < 1e-9
    assert max(weight for weight, _ in found.values()) > 0
    assert learned.evidence("Xyzzy plugh", "") == {}


def test_words_that_no_specialist_lists_find_one_and_it_is_called_a_guess() -> None:
    found = route("Collapse the sidebar when a modal opens", "", Roster())

    assert found.specialist == "frontend-ui-engineer"
    assert route("Do the thing", "", Roster()).specialist == GENERALIST


def test_a_description_counts_less_than_the_title() -> None:
    told = learned.evidence("Terraform module", "react component")["frontend-ui-engineer"][0]

    assert told < learned.evidence("react component", "Terraform module")["frontend-ui-engineer"][0]
