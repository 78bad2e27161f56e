"""A step of an archetype, and who makes it."""

from dataclasses import dataclass

DATA_ARCHITECT = "data-architect-governance"
BACKEND = "backend-systems-engineer"
FRONTEND = "frontend-ui-engineer"
PIPELINE = "data-pipeline-engineer"
SCIENTIST = "data-science-analyst"
ML = "ml-systems-architect"
CLOUD = "aws-cloud-architect"
SPECIFIER = "specifications-engineer"
TESTER = "qa-test-engineer"
DEVOPS = "devops-ci-engineer"
WRITER = "documentation-writer"
LLM = "llm-architect"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A task before it has an id: what an archetype asks for."""

    key: str
    title: str
    what: str
    agent: str | None = None
    """None lets the words of title and text decide."""
    after: tuple[str, ...] = ()
    accept: tuple[str, ...] = ()
    expects_change: bool = True


def siblings(names: tuple[str, ...], title: str, what: str, after: tuple[str, ...], agent: str | None) -> list[Step]:
    """Return a step for each of *names*, side by side after *after*; *title* has a place for the name."""
    return [
        Step(
            key=f"part{at}",
            title=title.format(name)[:80],
            what=f"Build {name}: {what}. The other parts are made at the same time by others: keep to your own files.",
            agent=agent,
            after=after,
            accept=(f"{name[:1].upper()}{name[1:]} works as the goal says, with tests.",),
        )
        for at, name in enumerate(names, start=1)
    ]
