"""Things that people use: apps, APIs, services, features with a screen."""

import re

from agent_orchestrator.planning.archetypes.steps import BACKEND, DATA_ARCHITECT, FRONTEND, ML, TESTER, Step, siblings
from agent_orchestrator.planning.archetypes.things import built_thing, named
from agent_orchestrator.planning.layers import Layer, layers_in
from agent_orchestrator.planning.reading import Reading, is_english
from agent_orchestrator.planning.vocabulary import (
    APP_COMPOUND,
    APP_NOUNS,
    CHINESE_APP,
    CHINESE_VERBS,
    DETERMINERS,
    NOT_WEB,
    PROGRAMS,
    STORED,
)

NAMED_UI = re.compile(
    r"\b(?:ui|gui|(?:user|web) interface|front-?end|react|vue|angular|svelte|web ?(?:app|site))\b", re.I
)
"""Words by which a goal for an API, or in a project without screens, asks for screens as well."""


def app(reading: Reading, screens: bool) -> list[Step]:
    """Return the steps of an app: the model of its data, its features or its server, and with *screens* those."""
    thing = built_thing(reading)
    chinese = re.search(f"^(?:{CHINESE_VERBS}).*(?:{CHINESE_APP})", reading.text.split("，")[0])
    english = is_english(reading.text) and thing[-1:] and thing[-1] in APP_NOUNS
    other = (
        not is_english(reading.text)
        and any(  # "un sistema de reservas"
            word in APP_NOUNS or APP_COMPOUND.fullmatch(word) for word in thing[:4]
        )
    )
    if not (chinese or english or other) or set(thing) & NOT_WEB or _is_storage(thing):
        return []
    model = Step(
        key="model",
        title="Design the data model and database schema",
        what="Name the entities, their relations and rules, and write the schema with its first migration. Write down "
        "the shape of the data that the API will offer.",
        agent=DATA_ARCHITECT,
        accept=("The schema can be created on an empty database.", "Each entity of the goal has a place in it."),
    )
    features = named(reading)
    if features:
        made = siblings(
            features, "Implement {}", "the server side: rules, storage and API endpoints", ("model",), BACKEND
        )
    else:
        made = [
            Step(
                key="api",
                title="Implement the backend API",
                what="Build the server: endpoints for every action of the goal, validation, storage, error answers.",
                agent=BACKEND,
                after=("model",),
                accept=(
                    "Every action of the goal has an endpoint with a test.",
                    "Invalid input gets a defined answer.",
                ),
            )
        ]
    keys = tuple(step.key for step in made)
    return [model, *made, _ui(keys)] if screens else [model, *made]


def _is_storage(thing: tuple[str, ...]) -> bool:
    return thing[-1:] == ("store",) and thing[-2:-1] != () and thing[-2] in STORED


def program(reading: Reading) -> list[Step]:
    """Return the steps of a program that lists three parts or more: its core, then each of them."""
    thing = built_thing(reading)
    features = named(reading)
    if not thing or thing[-1] not in PROGRAMS or len(features) < 3 or not is_english(reading.text):
        return []
    name = " ".join(word for word in thing if word not in DETERMINERS)
    if (at := reading.text.casefold().find(name)) >= 0:
        name = reading.text[at : at + len(name)]  # as it was written
    core = Step(
        key="core",
        title=f"Build the core of the {name}"[:80],
        what=f"Make the smallest {name} that runs and can be tested, with a place for each part that the goal lists. "
        "Leave the parts themselves out.",
        accept=("It starts and does its main job in its simplest form, with a test.",),
    )
    parts = [
        Step(
            key=f"part{at}",
            title=f"Add {feature}"[:80],
            what=f"Add {feature} to the {name}, with tests.",
            after=("core",),
            accept=(f"{feature[:1].upper()}{feature[1:]}: there, and covered by a test.",),
        )
        for at, feature in enumerate(features, 1)
    ]
    return [core, *parts]


def _ui(after: tuple[str, ...]) -> Step:
    return Step(
        key="ui",
        title="Build the user interface",
        what="Build the pages and forms of the frontend on top of the API, with their loading, empty and error states.",
        agent=FRONTEND,
        after=after,
        accept=("Every action of the goal can be done in the interface.", "Errors are shown to the user."),
    )


def api(reading: Reading) -> list[Step]:
    """Return the steps of an API: the contract, the endpoints, tests through HTTP."""
    thing = built_thing(reading)
    last = {part for word in thing[-2:] for part in word.split("-")}  # "eine REST-API"
    if not {"api", "apis", "backend"} & last or len(reading.words) < 4:
        return []
    contract = Step(
        key="contract",
        title="Design the API contract and the data model",
        what="Write the endpoints, payloads, error answers and the schema behind them.",
        agent=DATA_ARCHITECT,
        accept=("Every endpoint has its inputs, outputs and errors written down.",),
    )
    features = named(reading)
    made = (
        siblings(
            features,
            "Implement the endpoints for {}",
            "handlers, validation, storage and tests",
            ("contract",),
            BACKEND,
        )
        if features
        else [
            Step(
                key="api",
                title="Implement the endpoints",
                what="Build the handlers with validation, storage and error answers as the contract says.",
                agent=BACKEND,
                after=("contract",),
                accept=("Every endpoint of the contract answers as written, with a test.",),
            )
        ]
    )
    if NAMED_UI.search(reading.text):
        made = [*made, _ui(tuple(step.key for step in made))]
    tests = Step(
        key="tests",
        title="Test the API end to end",
        what="Test every endpoint through HTTP: success, refusal, bad input, limits. Run the complete suite.",
        agent=TESTER,
        after=tuple(step.key for step in made),
        accept=("The complete test suite passes.", "Each endpoint has a test for success and for bad input."),
    )
    return [contract, *made, tests]


def services(reading: Reading) -> list[Step]:
    """Return the steps of several services: their contracts, each of them, what joins them."""
    cue = r"\b(?:micro-?services?|monolith\w*|mikroserwis\w*|microservicios|microsserviços)\b|微服务"
    if not re.search(cue, reading.text, re.I):
        return []
    names = named(reading)
    if not names:
        return []
    names = tuple(name if re.search("servi|服务", name, re.I) else f"{name} service" for name in names)
    breaks_up = bool(re.search(r"monolit|monolith|split|break|decompose|单体", reading.text, re.I))
    contract = Step(
        key="contracts",
        title="Define the boundaries, contracts and data of the services",
        what="Decide which service owns which data, its API and events, and the shared error and authentication rules."
        + (" Take stock of the existing code first and pin its behaviour with tests." if breaks_up else ""),
        agent=DATA_ARCHITECT,
        accept=("Each service has a written contract and owns its data.",),
    )
    made = siblings(names, "Implement the {}", "its own module, storage, API and tests", ("contracts",), BACKEND)
    joined = Step(
        key="join",
        title="Route calls between the services",
        what="Connect the services through a gateway or client, with time limits, health checks and one start command.",
        agent=BACKEND,
        after=tuple(step.key for step in made),
        accept=("All services start with one command and answer through one entry.",),
    )
    return [contract, *made, joined]


def integration(reading: Reading) -> list[Step]:
    """Return the two sides of "integrate X into Y" where Y is a screen and X is not."""
    found = re.match(
        r"\W*(?:integrate|connect|integrar|integra|intégrer|integriere|zintegruj|conectar)\s+(.{3,60}?)\s+"
        r"(?:with|to|into|con|com|avec|mit|z|ao?|à)\s+(.{3,60}?)\s*[.!]?$",
        reading.text,
        re.I,
    )
    if not found:
        return []
    inner, outer = set(layers_in(found[1])), set(layers_in(found[2]))
    model = re.search(r"\b(?:ml |predicti\w+ )?mod(?:el|elo|èle|ell)s?\b", found[1], re.I)
    if Layer.SCREEN not in outer or Layer.SCREEN in inner or not (inner or model):
        return []
    return [
        Step(
            key="offer",
            title=f"Expose {found[1]} through an interface"[:80],
            what="Give it a stable, documented and tested interface that the other side can call.",
            agent=ML if model else BACKEND,
            accept=("The interface is written down and tested.",),
        ),
        Step(
            key="use",
            title=f"Use that interface in {found[2]}"[:80],
            what=f"Connect {found[2]} to the interface, with loading and error states.",
            agent=FRONTEND,
            after=("offer",),
            accept=("It shows what the interface returns, and its errors.",),
        ),
    ]


LAYERED_FROM_WORDS = 30
"""A shorter goal that touches two layers is one agent's sitting."""


def layered_feature(reading: Reading) -> list[Step]:
    """Return the layers of a feature that is described at length: its data, its logic, its screen."""
    spoken = layers_in(reading.text)
    long = len(reading.words) >= LAYERED_FROM_WORDS or len(re.findall(r"[\u4e00-\u9fff]", reading.text)) >= 50
    if not long or Layer.SCREEN not in spoken or not {Layer.DATA, Layer.SERVICE} & set(spoken):
        return []
    return [
        Step(
            key="data",
            title="Define the data and the settings of the feature",
            what="Extend the schema or configuration with what the feature stores: fields, thresholds, defaults.",
            agent=DATA_ARCHITECT if Layer.DATA in spoken else BACKEND,
            accept=("Stored data and settings of the goal have a place, a type and a default.",),
        ),
        Step(
            key="logic",
            title="Implement the logic of the feature",
            what="Compute and store what the goal asks for on the server, and offer it through the existing interface.",
            agent=BACKEND,
            after=("data",),
            accept=("Each rule of the goal has a test.",),
        ),
        Step(
            key="ui",
            title="Show the feature in the user interface",
            what="Display it where the goal says, with its empty and error states.",
            agent=FRONTEND,
            after=("logic",),
            accept=("What the goal wants to be seen is visible, with a test.",),
        ),
    ]
