"""A plan from rules: no key, no network, no model.

Splitting is a cost, so a goal is one task unless it is written as several
parts, or is a project of a kind whose parts are known.
"""

import re

from agent_orchestrator.domain.ids import slug
from agent_orchestrator.domain.plan import Plan, PlannedTask, Routing
from agent_orchestrator.domain.task import Size, Tier
from agent_orchestrator.planning.archetypes import steps_for, with_tests_and_docs
from agent_orchestrator.planning.archetypes.steps import (
    BACKEND,
    DATA_ARCHITECT,
    DEVOPS,
    FRONTEND,
    SPECIFIER,
    TESTER,
    WRITER,
    Step,
)
from agent_orchestrator.planning.layers import Layer, layer_of
from agent_orchestrator.planning.profile import Look, Profile, look_of, unseen
from agent_orchestrator.planning.quoting import OF_GOAL
from agent_orchestrator.planning.reading import (
    Form,
    Part,
    Reading,
    is_english,
    read_goal,
    starts_with_request,
    unordered,
)
from agent_orchestrator.planning.references import asked_of_each, is_of_all_after, is_of_all_before, is_of_the_whole
from agent_orchestrator.planning.roster import Roster
from agent_orchestrator.planning.routing import route_in
from agent_orchestrator.planning.texts import LABEL_WORDS, short_title, visible
from agent_orchestrator.planning.vocabulary import COMMON_WORDS, NOUN_LIKE_VERBS, TITLE_VERBS, VERBS

SOURCE = "rules"

PARTS_LIMIT = 40
"""More list items than this are bundled, neighbours together: the validator refuses plans far beyond it."""

GOAL_IN_DESCRIPTION_CHARS = 4_000
"""How much of the goal each description repeats, so that a task can be understood alone."""

BY_KIND = 0.75
"""Confidence in a specialist that a known kind of project names; not measured, above a guess and below certainty."""

CLEAR_HEAD = 0.55
GUESS = 0.3
"""Below it a part's own words say next to nothing, and whatever its head says is better."""

_BY_LAYER = {
    Layer.SETUP: BACKEND,
    Layer.SPECIFY: SPECIFIER,
    Layer.DATA: DATA_ARCHITECT,
    Layer.SERVICE: BACKEND,
    Layer.SCREEN: FRONTEND,
    Layer.TEST: TESTER,
    Layer.DELIVER: DEVOPS,
    Layer.DOCUMENT: WRITER,
}
_VERB_OF_LAYER = {
    Layer.SETUP: "Set up",
    Layer.SPECIFY: "Write",
    Layer.DATA: "Define",
    Layer.SERVICE: "Implement",
    Layer.SCREEN: "Build",
    Layer.TEST: "Write",
    Layer.DELIVER: "Prepare",
    Layer.DOCUMENT: "Write",
}
_TAKES_APART = re.compile(r"\W*(?:refactor|restructure|reorgani[sz]e|split|divide|separate|break|extract)\b", re.I)
"""What is named after such a head is what one thing becomes: who takes out the first part has the others in hand."""
_BESIDE_IT = re.compile(
    r"(?:deploy|ship|containeri[sz]e|dockeri[sz]e|monitor|test|document|describe|release|publish)\s+"
    r"(?:it|them|this|that|everything|the (?:app|application|api|service|site|result))\b",
    re.I,
)
"""A request about what was asked for before it."""
_REPAIR = re.compile(r"^(?:fix|repair|resolve|correct|bug|corrig|behebe|popraw|修复)", re.I)
_INQUIRY = re.compile(
    r"\b(?:research|compar(?:e|es|ing|ison)|evaluat(?:e|es|ing|ion)|investigat(?:e|es|ing|ion)|analy[sz](?:e|es|ing)|"
    r"report|study|survey|recommendation|white ?paper)\b",
    re.I,
)
"""A goal that begins so wants something found out and written down."""


def plan_by_rules(goal: str, roster: Roster, profile: Profile | None = None) -> Plan:
    """Return a plan for *goal*; not validated yet.

    With a *profile*, a project without any user interface gets no screens that the goal does not ask for, and a task
    that says nothing of its specialist goes by the project's files.
    """
    reading, look = read_goal(goal), look_of(profile)
    if _is_inquiry(reading):
        return Plan(goal=goal, source=SOURCE, tasks=(single_task(goal, roster, look, criteria=reading.criteria),))
    steps = _from_parts(reading) if reading.form in (Form.LIST, Form.REQUESTS) else []
    if reading.form is Form.REQUESTS and all(_BESIDE_IT.match(part.text) for part in reading.parts[1:]):
        steps = _of_kind(reading, profile) or steps  # "Build a shop with …; deploy it": a kind of project knows of both
    if reading.form is Form.REQUESTS and len(steps) == 2 and len(_agents(steps, reading, roster, look)) < 2:
        steps = []  # two requests, and nothing says that they take two specialists: one agent does both
    if not steps:
        steps = _of_kind(reading, profile)
        if not steps and reading.form is Form.THINGS and not _TAKES_APART.match(reading.head):
            steps = _from_parts(reading)
    steps = steps or with_tests_and_docs(reading)
    if len(steps) < 2:
        return Plan(goal=goal, source=SOURCE, tasks=(single_task(goal, roster, look, criteria=reading.criteria),))
    return Plan(goal=goal, source=SOURCE, tasks=tuple(_task(step, reading, roster, look) for step in steps))


def _of_kind(reading: Reading, profile: Profile | None) -> list[Step]:
    return steps_for(reading, may_have_ui=profile is None or not profile.languages or profile.has_ui)


def _is_inquiry(reading: Reading) -> bool:
    """Say whether the parts are what an inquiry is about, not what to do: one report on three things is one task."""
    if reading.form not in (Form.LIST, Form.THINGS) or any(starts_with_request(part.text) for part in reading.parts):
        return False
    return _INQUIRY.search(reading.head) is not None


def single_task(goal: str, roster: Roster, look: Look = unseen, *, criteria: tuple[str, ...] = ()) -> PlannedTask:
    """Return *goal* as one task, its text untouched as the description, routed by its words and a *look* at files."""
    first = next((line.strip() for line in goal.splitlines() if line.strip()), goal)
    title = short_title(re.sub(r"^#+\s*", "", visible(first))) or "Do what the description says"
    routing = route_in(look, title, goal, roster)
    return PlannedTask(
        id=slug(title) or "task",
        title=title,
        description=goal,
        agent_type=routing.specialist,
        routing=routing,
        acceptance=criteria,
        tier=_tier(routing, roster),
    )


def _task(step: Step, reading: Reading, roster: Roster, look: Look) -> PlannedTask:
    known = roster.find(step.agent) if step.agent else None
    if known is None:
        routing = _routed(step, reading, roster, look)
    else:
        reason = "this kind of project has such a part"
        routing = Routing(specialist=known.name, confidence=BY_KIND, reason=reason)
    return PlannedTask(
        id=step.key,
        title=short_title(step.title),
        description=f"{step.what}\n\n{OF_GOAL}\n\n{reading.text[:GOAL_IN_DESCRIPTION_CHARS]}",
        agent_type=routing.specialist,
        depends_on=step.after,
        acceptance=step.accept,
        expects_change=step.expects_change,
        tier=_tier(routing, roster),
        size=Size.M,
        routing=routing,
    )


def _agents(steps: list[Step], reading: Reading, roster: Roster, look: Look) -> set[str]:
    """Return the specialists that something speaks for."""
    routings = [_routed(step, reading, roster, look) for step in steps]
    return {routing.specialist for routing in routings if routing.confidence > 0.0}


def _routed(step: Step, reading: Reading, roster: Roster, look: Look) -> Routing:
    """Route a part by its own words, else by a head that is clear, else by its layer as a guess."""
    routing = route_in(look, step.title, step.what, roster)
    if routing.confidence >= 0.5:
        return routing
    if reading.form is Form.NONE:  # a part of a program that says little by itself is for who would do the whole
        return route_in(look, reading.text.partition("\n")[0], "", roster)
    by_head = route_in(look, reading.head, f"{step.title} {step.what}", roster)
    if by_head.confidence > max(routing.confidence, CLEAR_HEAD if routing.confidence >= GUESS else 0.0):
        return by_head
    guessed = _BY_LAYER[layer_of(step.title)]
    if routing.confidence > 0.0:
        return routing
    if reading.form is Form.LIST and len(reading.parts) >= 3 and roster.find(guessed):
        return Routing(specialist=guessed, confidence=0.2, reason="no word decides; by its place among the parts")
    return by_head


def _tier(routing: Routing, roster: Roster) -> Tier:
    member = roster.find(routing.specialist)
    return member.tier if member else Tier.STANDARD


def _from_parts(reading: Reading) -> list[Step]:
    parts = _bundled(reading.parts)
    layers = [layer_of(part.text) for part in parts]
    steps: list[Step] = []
    for at, part in enumerate(parts):
        after = _needs(at, parts, layers, reading)
        what = f"{part.text}\n{part.details}".strip()
        asked = asked_of_each(reading.head) if reading.form is Form.LIST else ""
        if asked and starts_with_request(reading.head) and not starts_with_request(part.text):
            title = short_title(f"{asked} {part.text[:1].lower()}{part.text[1:]}")
        else:
            title = _imperative(part.text, layers[at])
        criteria = tuple(line.strip() for line in part.details.splitlines() if line.strip())[:6]
        steps.append(Step(key=f"part-{at + 1}", title=title, what=what, after=after, accept=criteria))
    return steps


def _bundled(parts: tuple[Part, ...]) -> list[Part]:
    if len(parts) <= PARTS_LIMIT:
        return list(parts)
    size = -(-len(parts) // PARTS_LIMIT)
    bundles = [parts[at : at + size] for at in range(0, len(parts), size)]
    return [
        Part(text=f"{bundle[0].text} (and {len(bundle) - 1} more)" if len(bundle) > 1 else bundle[0].text,
             details="\n".join(f"- {part.text}\n{part.details}".rstrip() for part in bundle))
        for bundle in bundles
    ]  # fmt: skip


def _needs(at: int, parts: list[Part], layers: list[Layer], reading: Reading) -> tuple[str, ...]:
    """Return the keys of the parts that part *at* waits for: those built before it that belong with it."""
    mine = layers[at]
    if parts[at].after_all:
        return tuple(f"part-{other + 1}" for other in range(at) if not parts[other].after_all)
    if parts[at].follows and at:
        return (f"part-{at}",)
    if is_of_all_before(parts[at].text) and at:
        return tuple(f"part-{other + 1}" for other in range(at))
    lower = [
        other
        for other, layer in enumerate(layers)
        if layer < mine
        and not (other > at and is_of_all_before(parts[other].text))
        and not (other < at and is_of_all_after(parts[other].text))
    ]
    if is_of_all_after(parts[at].text) and at + 1 < len(parts):
        return tuple(f"part-{other + 1}" for other in range(at + 1, len(parts)))
    if not lower or reading.form is Form.THINGS or _REPAIR.match(parts[at].text):
        return ()
    related = [other for other in lower if _topic(parts[other]) & _topic(parts[at])]
    if reading.form is Form.REQUESTS and not reading.head:
        return tuple(f"part-{other + 1}" for other in _nearest(related, layers))
    if mine in (Layer.TEST, Layer.DELIVER, Layer.DOCUMENT):
        if is_of_the_whole(parts[at].text):
            related = [*lower, *(other for other in range(at) if layers[other] == mine)]
        return tuple(f"part-{other + 1}" for other in (related or _nearest(lower, layers)))
    grounds = [other for other in lower if layers[other] is Layer.SETUP]
    chosen = _nearest(related, layers) or _nearest(lower, layers)
    return tuple(f"part-{other + 1}" for other in dict.fromkeys([*chosen, *(grounds if not chosen else [])]))


def _nearest(lower: list[int], layers: list[Layer]) -> list[int]:
    highest = max((layers[other] for other in lower), default=None)
    return [other for other in lower if layers[other] == highest]


def _topic(part: Part) -> set[str]:
    """Return the words that say what the part is about: not the verb in front, but "export" where it is the object."""
    words = re.findall(r"[^\W\d_]{4,}", unordered(part.text).casefold())
    if words and words[0] in TITLE_VERBS:
        del words[0]
    return {word.removesuffix("s") for word in words} - COMMON_WORDS - (VERBS - NOUN_LIKE_VERBS)


def _imperative(text: str, layer: Layer) -> str:
    """Return a title that asks for something: the part's own verb, else the verb of its layer."""
    head = unordered(_headline(text))
    _, colon, rest = head.partition(": ")
    first = re.match(r"\w+", head.casefold())
    asks = starts_with_request(head) or (first is not None and first.group() in TITLE_VERBS)
    if asks or not is_english(head) or (colon and starts_with_request(rest)):
        return short_title(head[:1].upper() + head[1:])
    keep = len(head) > 1 and (head[1].isupper() or not head[0].isalpha() or bool(colon) or "_" in head.split()[0])
    return short_title(f"{_VERB_OF_LAYER[layer]} {head if keep else head[:1].lower() + head[1:]}")


def _headline(text: str) -> str:
    """Return *text* without what explains it, where it is long and what stands before that says enough."""
    plain = text.strip().rstrip(".")
    if len(text) <= 60:
        return plain
    head = re.split(r"\s[—–-]\s|:\s|(?<=[a-z])\.\s", text.strip(), maxsplit=1)[0]
    return head if len(head.split()) >= LABEL_WORDS or not is_english(head) else plain
