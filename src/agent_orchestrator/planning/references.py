"""What one part of a goal says of the others: "test all of the above", "document both", "tests for the following".

Such a part is work on what other parts build, so it says what must come first.
"""

import re

_OF_OTHERS = re.compile(
    r"(?:document|describe|test|verify|check|deploy|release|publish)\s+(?:both|them|these|those|all|everything)\b", re.I
)
_ABOVE = re.compile(
    r"\b(?:above|(?:all|each|every one|any|both|either) of (?:these|those|them)|"
    r"(?:the|all) (?:previous|preceding|earlier) (?:\w+ )?(?:parts|items|steps|tasks|ones|features|changes))\b",
    re.I,
)
_BELOW = re.compile(r"\b(?:the following|(?:all|each|everything|any) (?:of the )?below)\b", re.I)
_OF_EACH = re.compile(
    r"([^\n]{4,60}?\b(?:for|to|of|in|on))\s+(?:(?:all|each|every one|everything)\s+(?:of\s+)?)?(?:the\s+)?"
    r"(?:following|these)\b[^:\n]*:?$",
    re.I,
)
_WHOLE = re.compile(
    r"\b(?:everything|the (?:whole|result|new \w+s)|(?:all|every|each|both) (?:of )?(?:the |these |those )?(?:\w+ )?"
    r"(?:features?|parts?|items?|changes?|additions?|steps?|options?|commands?|endpoints?|pages?|three|two|four)|"
    r"for (?:all|them|these|those|each|both)|all of (?:it|this|that|them))\b",
    re.I,
)


def is_of_others(text: str) -> bool:
    """Say whether *text* begins by asking for something to be done with several others: "document both"."""
    return _OF_OTHERS.match(text) is not None


def is_of_all_before(text: str) -> bool:
    """Say whether an item of a list speaks of all the items before it."""
    return is_of_others(text) or _ABOVE.search(text) is not None


def is_of_all_after(text: str) -> bool:
    """Say whether an item of a list speaks of all the items after it."""
    return _BELOW.search(text) is not None


def is_of_the_whole(text: str) -> bool:
    """Say whether a test or a page of documentation is about all that the list builds."""
    return _WHOLE.search(text) is not None


def asked_of_each(head: str) -> str:
    """Return what the *head* of a list asks for each of its things; empty when it asks for nothing of the kind.

    Of "Write tests for the following:" that is "Write tests for".
    """
    found = _OF_EACH.match(head)
    return found[1] if found else ""
