"""What a goal names that no task of its plan speaks of.

Only what the user spelt out is looked for: items of a list, and technologies by
name. A plan may use other words than the goal, so two fifths of an item's telling
words in one task are enough; and where no item at all is found again, the plan
is in other words altogether (another language, say) and nothing is claimed.
"""

import re
from collections.abc import Sequence

from agent_orchestrator.domain.plan import PlannedTask
from agent_orchestrator.planning.reading import Form, read_goal
from agent_orchestrator.planning.vocabulary import COMMON_WORDS, DETERMINERS, PRONOUNS, TECHNOLOGIES, VERBS

ENOUGH = 0.4
"""Share of an item's telling words that one task must have."""

STEM_CHARS = 5
"""Words are compared by their beginnings: "payment" and "payments", "validate" and "validation"."""

_WORD = re.compile(r"[A-Za-zÀ-ɏͰ-ӿ0-9][\w.'-]*|[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]+")
_WIDE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]")
_SILENT = COMMON_WORDS | DETERMINERS | PRONOUNS | VERBS


def uncovered(goal: str, tasks: Sequence[PlannedTask]) -> tuple[str, ...]:
    """Return the list items and technologies of *goal* that are in no task's own words, in the goal's order."""
    if len(tasks) < 2:
        return ()  # one task carries the whole goal
    spoken = [_stems(_own_words(task, goal)) for task in tasks]
    reading = read_goal(goal)
    items = [part.text for part in reading.parts] if reading.form is Form.LIST else []
    missed = [item for item in items if not any(_covers(said, item) for said in spoken)]
    if len(missed) == len(items):
        missed = []
    # A technology may also reach an agent by the goal that its task quotes; a task that only looks does not count.
    carried = {word for task in tasks if task.expects_change for word in _words(f"{task.title}\n{task.description}")}
    named = dict.fromkeys(word for word in _words(goal) if word in TECHNOLOGIES)
    return tuple(missed + [name for name in named if name not in carried])


def _own_words(task: PlannedTask, goal: str) -> str:
    """Return what the task says itself: many quote the goal, which covers nothing."""
    description = task.description.replace(goal, "").replace(goal[:4_000], "")
    return "\n".join([task.title, description, *task.acceptance, *task.owns])


def _covers(said: set[str], item: str) -> bool:
    telling = _stems(item)
    return not telling or len(telling & said) >= ENOUGH * len(telling)


def _stems(text: str) -> set[str]:
    found = set()
    for word in _words(text):
        if _WIDE.match(word):
            found |= {word[at : at + 2] for at in range(max(1, len(word) - 1))}  # no spaces: by pairs of signs
        elif len(word) > 2 and word not in _SILENT:
            found.add(word[:STEM_CHARS])
    return found


def _words(text: str) -> list[str]:
    return [word.rstrip(".'-") for word in _WORD.findall(text.casefold())]
