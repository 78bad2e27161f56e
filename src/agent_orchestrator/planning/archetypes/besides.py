"""A change that is asked for with its tests and its documentation: three tasks, and the change comes first."""

import re

from agent_orchestrator.planning.archetypes.steps import TESTER, WRITER, Step
from agent_orchestrator.planning.reading import Form, Reading, starts_with_request, unordered

_OF = r"(?:\s+(?:for|of|about|on)\s+(?:it|them|this|that|everything|all of (?:it|them)))?"
_TESTS = (
    r"(?:(?:write|add|have)\s+)?(?:(?:its|the|an?|some|full|good|more|unit|integration|regression|automated|end-to-end)\s+)*"
    rf"(?:tests?|test coverage){_OF}|(?:test|cover)\s+(?:it|them|this|everything)(?:\s+(?:with|by)\s+(?:\w+\s+)?tests)?"
)
_DOCS = (
    r"(?:(?:write|add|update|extend)\s+)?"
    r"(?:(?:its|the|an?|some|full|good|short|user|api|up-to-date)\s+|"
    r"an?\s+(?:\w+\s+)?(?:line|note|page|section|paragraph|entry|word|example|mention)\s+(?:in|on|for|of|to)\s+)*"
    rf"(?:docs?|documentation|read ?me|changelog|manual){_OF}|document\s+(?:it|them|this|everything)"
    r"(?:\s+in\s+the\s+(?:read ?me|docs?|documentation|manual))?"
)
_ITEM = rf"(?:(?P<tests{{0}}>{_TESTS})|(?P<docs{{0}}>{_DOCS}))"
_TAIL = re.compile(
    r"(?:\s*[,;.]\s+(?:and\s+)?|\s+(?=(?:with|including|plus|and|then)\s))(?:(?:with|including|plus|then|finally|also)\s+)*"
    + _ITEM.format(1)
    + r"(?:\s*[,;]\s+(?:and\s+)?|\s+(?:and|plus)\s+)(?:(?:with|then|finally|also)\s+)*"
    + _ITEM.format(2)
    + r"\s*[.!]?\s*$",
    re.I,
)
"""The end of a goal that asks for both. Tests alone belong to any change, and so does a sentence of documentation."""

_MADE = re.compile(
    r"(?:add|build|create|implement|introduce|write|provide|develop|support|design|rewrite|refactor|extract|expose|offer)"
    r"\s+(?:(?P<article>an?|the)\s+)?(?P<thing>[^:;,.]{3,48}?)"
    r"(?=[:;,.]|\s+(?:that|which|who|so|for|to|in|on|with|using|where|when|if)\s|$)",
    re.I,
)
"""What a goal makes, to be named in the titles of its tests and its documentation."""


def with_tests_and_docs(reading: Reading) -> list[Step]:
    """Return the steps of one change that is to have both tests and documentation; empty when it is not so."""
    text = " ".join(reading.text.split())
    found = _TAIL.search(text)
    if reading.small or reading.form is Form.LIST or reading.head or not found or not starts_with_request(text):
        return []
    if {bool(found["tests1"] or found["tests2"]), bool(found["docs1"] or found["docs2"])} != {True}:
        return []
    core = unordered(text[: found.start()].rstrip(" ,;."))
    if len(core.split()) < 3:
        return []
    made = _MADE.match(core)
    named = made is not None and (made["article"] or not re.match(r"\w+ing\b", made["thing"], re.I))
    thing = f"the {made['thing']}" if made is not None and named else "the change"
    return [
        Step(
            key="change",
            title=core,
            what=f"{core}.",
            accept=("It works as the goal says.",),
        ),
        Step(
            key="tests",
            title=f"Write the tests for {thing}",
            what="Test what was built: what it must do, what it must refuse, and what happens at its limits.",
            agent=TESTER,
            after=("change",),
            accept=("Each sentence of the goal that can be tested has a test, and all tests pass.",),
        ),
        Step(
            key="docs",
            title=f"Document {thing}",
            what="Write down, where readers of this project look for it, what was built and how it is used.",
            agent=WRITER,
            after=("change",),
            accept=("The documentation says what was built; every example in it was run.",),
        ),
    ]
