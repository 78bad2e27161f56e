"""What is known about projects of a kind: which parts they have, who makes them, and what waits for what."""

from agent_orchestrator.planning.archetypes.data import machine_learning, pipeline
from agent_orchestrator.planning.archetypes.extras import with_extras
from agent_orchestrator.planning.archetypes.moves import infrastructure, migration
from agent_orchestrator.planning.archetypes.products import (
    NAMED_UI,
    api,
    app,
    integration,
    layered_feature,
    program,
    services,
)
from agent_orchestrator.planning.archetypes.steps import Step
from agent_orchestrator.planning.layers import Layer, layers_in
from agent_orchestrator.planning.reading import Reading

__all__ = ["Step", "steps_for"]


def steps_for(reading: Reading, *, may_have_ui: bool = True) -> list[Step]:
    """Return the steps of the archetype that *reading* is one of; empty when it is none.

    *may_have_ui* False leaves out screens that the goal does not itself ask for.
    """
    text = reading.text
    if reading.small or len(reading.words) > 400:
        return []
    screens = may_have_ui or Layer.SCREEN in layers_in(text) or NAMED_UI.search(text) is not None
    for archetype in (infrastructure, services, migration, machine_learning, pipeline, api):
        if steps := archetype(reading):
            return with_extras(text, steps)
    steps = app(reading, screens) or program(reading) or integration(reading) or layered_feature(reading)
    return with_extras(text, steps) if steps else []
