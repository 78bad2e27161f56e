"""What goals name beside their archetype: authentication, deployment, monitoring, documentation."""

import re
from dataclasses import replace

from agent_orchestrator.planning.archetypes.steps import BACKEND, DEVOPS, WRITER, Step

_EXTRAS = (
    (
        "auth",
        r"auth\w*|log-?in|sign-?up|oauth2?|sso|user accounts",
        "Add authentication and permissions",
        "Who may do what: sign-in, sessions or tokens, and the permission checked for each action.",
        BACKEND,
    ),
    (
        "deploy",
        r"docker\w*|deploy\w*|kubernetes|k8s|ci/cd|github actions|"
        r"despleg\w+|déploy\w+|bereitstell\w+|wdroż\w+|implanta\w+",
        "Prepare the build and the deployment",
        "Container or package, pipeline, health check and a way back. Do not deploy.",
        DEVOPS,
    ),
    (
        "monitor",
        r"monitor\w*|alerting|observability",
        "Add monitoring and alerts",
        "Metrics and logs of what users need, with alerts that mean something.",
        DEVOPS,
    ),
    (
        "docs",
        r"documentation|docs|readme|user guide|document (?:how|the|its?|every\w*|all)|documentación|documentação|"
        r"dokumentation|dokumentac\w+",
        "Write the documentation",
        "How to install, configure and use it; every example was run.",
        WRITER,
    ),
)
_EXTRA_WORDS = tuple(words for _, words, *_ in _EXTRAS)
_TESTS = r"tests?|testing"


def is_whole(text: str) -> bool:
    """Say whether a goal names two things that come with a whole project: "an API with authentication and tests"."""
    return sum(re.search(rf"\b(?:{words})\b", text, re.I) is not None for words in (_TESTS, *_EXTRA_WORDS)) >= 2


def with_extras(text: str, steps: list[Step]) -> list[Step]:
    """Return *steps* with others for what the goal names beside its archetype, unless a part has that already."""
    titles = " ".join(step.title for step in steps)
    needed = {need for step in steps for need in step.after}
    sinks = tuple(step.key for step in steps if step.key not in needed)
    extras = []
    for key, words, title, what, agent in _EXTRAS:
        named = re.compile(rf"\b(?:{words})\b", re.I)
        if named.search(text) and not named.search(titles):
            after = (steps[0].key,) if key == "auth" else sinks
            extras.append(Step(key=key, title=title, what=what, agent=agent, after=after, accept=(what,)))
    if any(extra.key == "auth" for extra in extras):  # screens and tests of the whole need to know who may do what
        steps = [replace(s, after=(*s.after, "auth")) if s.key in {"ui", "tests"} else s for s in steps]
    return steps + extras
