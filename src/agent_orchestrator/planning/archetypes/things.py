"""What a goal wants built, and which features it lists."""

import re

from agent_orchestrator.planning.archetypes.extras import is_whole
from agent_orchestrator.planning.reading import Form, Reading, things_named
from agent_orchestrator.planning.vocabulary import BUILD_VERBS, CHINESE_VERBS, VERBS

FEATURES_LIMIT = 8
_WORD = re.compile(r"[^\W_][\w'-]*")
_STOP = re.compile(
    r"\b(?:with|for|that|which|using|to|from|in|on|where|so|by|and|con|para|que|com|avec|pour|qui|mit|für|die|z|dla|do)\b"
    r"|[.,;:，。(\n]"
)


def built_thing(reading: Reading) -> tuple[str, ...]:
    """Return the words of what is to be built: "Create a blog platform with comments" gives a, blog, platform."""
    text = reading.text.casefold()
    if (
        reading.first_verb in BUILD_VERBS
        or (reading.first_verb == "add" and is_whole(text))
        or re.match(CHINESE_VERBS, reading.first_verb)
    ):
        rest = text[text.find(reading.first_verb) + len(reading.first_verb) :]
    elif reading.first_verb in VERBS:
        return ()
    else:  # "A blog platform with comments" names the thing and leaves the verb out
        rest = text
    words = tuple(_WORD.findall(_STOP.split(rest.removeprefix(" up"), maxsplit=1)[0]))
    is_there = rest is text and bool(_EXISTING & set(words))  # "dockerize the app": a verb that we do not know
    return () if is_there else words


_EXISTING = {"the", "this", "our", "my", "your", "existing", "current"}


def named(reading: Reading) -> tuple[str, ...]:
    """Return the features that the goal lists, after "with" or after a colon."""
    after_colon = tuple(part.text for part in reading.parts) if reading.form is Form.THINGS else ()
    return (things_named(reading.text) or after_colon)[:FEATURES_LIMIT]
