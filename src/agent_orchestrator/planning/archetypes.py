"""What is known about projects of a kind: which parts they have, who makes them, and what waits for what."""

import re
from dataclasses import dataclass, replace

from agent_orchestrator.planning.layers import Layer, layers_in
from agent_orchestrator.planning.reading import Form, Reading, is_english, things_named
from agent_orchestrator.planning.vocabulary import APP_NOUNS, BUILD_VERBS, CHINESE_APP, CHINESE_VERBS, NOT_WEB, VERBS

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

FEATURES_LIMIT = 8

_WORD = re.compile(r"[^\W_][\w'-]*")
_STOP = re.compile(
    r"\b(?:with|for|that|which|using|to|from|in|on|where|so|by|and|con|para|que|com|avec|pour|qui|mit|für|die|z|dla|do)\b"
    r"|[.,;:，。(\n]"
)


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


def steps_for(reading: Reading, *, may_have_ui: bool = True) -> list[Step]:
    """Return the steps of the archetype that *reading* is one of; empty when it is none.

    *may_have_ui* False leaves out screens that the goal does not itself ask for.
    """
    text = reading.text
    if reading.small or len(reading.words) > 400:
        return []
    screens = may_have_ui or Layer.SCREEN in layers_in(text) or _NAMED_UI.search(text) is not None
    for archetype in (_infrastructure, _services, _migration, _machine_learning, _pipeline, _api):
        if steps := archetype(reading):
            return _with_extras(text, steps)
    steps = _app(reading, screens) or _integration(reading) or _layered_feature(reading)
    return _with_extras(text, steps) if steps else []


def _built_thing(reading: Reading) -> tuple[str, ...]:
    """Return the words of what is to be built: "Create a blog platform with comments" gives a, blog, platform."""
    text = reading.text.casefold()
    if (
        reading.first_verb in BUILD_VERBS
        or (reading.first_verb == "add" and _is_whole(text))
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


def _named(reading: Reading) -> tuple[str, ...]:
    """Return the features that the goal lists, after "with" or after a colon."""
    after_colon = tuple(part.text for part in reading.parts) if reading.form is Form.THINGS else ()
    return (things_named(reading.text) or after_colon)[:FEATURES_LIMIT]


def _is_whole(text: str) -> bool:
    """Say whether a goal names two of what goes with a whole: "Add an API with authentication, tests and docs"."""
    return sum(re.search(rf"\b(?:{words})\b", text, re.I) is not None for words in (_TESTS, *_EXTRA_WORDS)) >= 2


def _app(reading: Reading, screens: bool) -> list[Step]:
    thing = _built_thing(reading)
    chinese = re.search(f"^(?:{CHINESE_VERBS}).*(?:{CHINESE_APP})", reading.text.split("，")[0])
    english = is_english(reading.text) and thing[-1:] and thing[-1] in APP_NOUNS
    other = not is_english(reading.text) and any(word in APP_NOUNS for word in thing[:4])  # "un sistema de reservas"
    if not (chinese or english or other) or set(thing) & NOT_WEB:
        return []
    model = Step(
        key="model",
        title="Design the data model and database schema",
        what="Name the entities, their relations and rules, and write the schema with its first migration. Write down "
        "the shape of the data that the API will offer.",
        agent=DATA_ARCHITECT,
        accept=("The schema can be created on an empty database.", "Each entity of the goal has a place in it."),
    )
    features = _named(reading)
    if features:
        made = _siblings(
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


def _ui(after: tuple[str, ...]) -> Step:
    return Step(
        key="ui",
        title="Build the user interface",
        what="Build the pages and forms of the frontend on top of the API, with their loading, empty and error states.",
        agent=FRONTEND,
        after=after,
        accept=("Every action of the goal can be done in the interface.", "Errors are shown to the user."),
    )


_NAMED_UI = re.compile(
    r"\b(?:ui|gui|(?:user|web) interface|front-?end|react|vue|angular|svelte|web ?(?:app|site))\b", re.I
)
"""Words by which a goal for an API, or in a project without screens, asks for screens as well."""


def _api(reading: Reading) -> list[Step]:
    thing = _built_thing(reading)
    if not {"api", "apis", "backend"} & set(thing[-2:]) or len(reading.words) < 4:
        return []
    contract = Step(
        key="contract",
        title="Design the API contract and the data model",
        what="Write the endpoints, payloads, error answers and the schema behind them.",
        agent=DATA_ARCHITECT,
        accept=("Every endpoint has its inputs, outputs and errors written down.",),
    )
    features = _named(reading)
    made = (
        _siblings(
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
    if _NAMED_UI.search(reading.text):
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


def _pipeline(reading: Reading) -> list[Step]:
    asked = re.search(
        r"\b(?:etl|elt|data pipelines?|data ingestion|potok danych|datenpipeline|pipeline de d\w+)\b|数据管道",
        reading.text,
        re.I,
    )
    if not asked or not (_built_thing(reading) or len(reading.words) > 12):
        return []
    return [
        Step(
            key="schema",
            title="Design the target schema and the flow of data",
            what="Name sources, grain, keys and target tables; decide how a run is repeated and what late data does.",
            agent=DATA_ARCHITECT,
            accept=("Target tables have a grain, a key and types.",),
        ),
        Step(
            key="ingest",
            title="Implement the ingestion from the sources",
            what="Extract the raw data repeatably, with its load time, and count and keep aside what cannot be read.",
            agent=PIPELINE,
            after=("schema",),
            accept=("Running it twice for the same period leaves the same rows.",),
        ),
        Step(
            key="transform",
            title="Implement the transformation and the load",
            what="Clean, join and load into the target tables; a failed run leaves no half-written table.",
            agent=PIPELINE,
            after=("ingest",),
            accept=("A fixture goes through end to end with the expected rows.",),
        ),
        Step(
            key="quality",
            title="Add data quality checks",
            what="Validate counts, keys, ranges and freshness; a violation fails the run and says which rule.",
            agent=SCIENTIST,
            after=("transform",),
            accept=("Broken fixture data fails the check.",),
        ),
        Step(
            key="schedule",
            title="Schedule and monitor the pipeline",
            what="Orchestrate the steps with retries and time limits, and alert on failure and on missing data.",
            agent=PIPELINE,
            after=("transform",),
            accept=("The whole pipeline runs with one command.",),
        ),
    ]


def _machine_learning(reading: Reading) -> list[Step]:
    strong = re.search(
        r"\b(?:machine[- ]learning|ml (?:system|pipeline|platform|model)|recommendation (?:engine|system)|recommender|"
        r"churn prediction|(?:train|develop|build) (?:a|an|the)? ?(?:\w+ ){0,3}(?:model|classifier)|"
        r"modelo de \w+ automático|fraud detection (?:system|model)|computer vision system)\b|机器学习|推荐系统",
        reading.text,
        re.I,
    )
    if (
        not strong
        or not (_built_thing(reading) or reading.first_verb in {"train", "entrenar"})
        or "data model" in reading.text.lower()
    ):
        return []
    steps = [
        Step(
            key="data",
            title="Prepare and explore the training data",
            what="Collect and clean the data, describe it, split it without leakage, and fix the metric that decides.",
            agent=SCIENTIST,
            accept=("The split is reproducible.", "The metric and a baseline value are written down."),
        ),
        Step(
            key="features",
            title="Design the features and the model architecture",
            what="Decide features, candidate models and how training and serving share their code.",
            agent=ML,
            after=("data",),
            accept=("Features are computed by the same code for training and serving.",),
        ),
        Step(
            key="train",
            title="Train and evaluate the model",
            what="Implement training and evaluation as commands; compare with the baseline on held-back data.",
            agent=ML,
            after=("features",),
            accept=("Training runs on a small sample in a test.", "Measured figures stand next to the baseline's."),
        ),
        Step(
            key="serve",
            title="Serve predictions through an API",
            what="Load a versioned model behind an endpoint with validated input and an answer when it is missing.",
            agent=BACKEND,
            after=("train",),
            accept=("An endpoint answers with a prediction and the model's version, with a test.",),
        ),
    ]
    if Layer.SCREEN in layers_in(reading.text):
        steps.append(
            Step(
                key="ui",
                title="Show the predictions in the user interface",
                what="Build the page that uses the API.",
                agent=FRONTEND,
                after=("serve",),
                accept=("The page shows predictions and errors.",),
            )
        )
    return steps


def _services(reading: Reading) -> list[Step]:
    cue = r"\b(?:micro-?services?|monolith\w*|mikroserwis\w*|microservicios|microsserviços)\b|微服务"
    if not re.search(cue, reading.text, re.I):
        return []
    names = _named(reading)
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
    made = _siblings(names, "Implement the {}", "its own module, storage, API and tests", ("contracts",), BACKEND)
    joined = Step(
        key="join",
        title="Route calls between the services",
        what="Connect the services through a gateway or client, with time limits, health checks and one start command.",
        agent=BACKEND,
        after=tuple(step.key for step in made),
        accept=("All services start with one command and answer through one entry.",),
    )
    return [contract, *made, joined]


def _migration(reading: Reading) -> list[Step]:
    if reading.first_verb not in {
        "migrate",
        "port",
        "move",
        "convert",
        "migrar",
        "migrer",
        "migriere",
        "zmigruj",
    } and not re.match("迁移", reading.text):
        return []
    big = (
        r"\b(?:databases?|warehouse|monolith|legacy|platform|cloud|aws|gcp|azure|infrastructure|data ?cent\w+|"
        r"stored procedures|on-?prem\w*|system|cluster)\b|数据库"
    )
    if not re.search(big, reading.text, re.I) or len(reading.words) < 5:
        return []
    is_data = _DATA_MOVED.search(reading.text) is not None
    expert = DATA_ARCHITECT if is_data else FRONTEND if _SCREENS_MOVED.search(reading.text) else BACKEND
    names = _named(reading)
    inventory = Step(
        key="inventory",
        title="Take stock of what exists and pin its behaviour",
        what="List what is to be moved, who uses it and how it behaves; write checks that old and new must both pass.",
        agent=expert,
        accept=("The list is complete and each entry has a check.",),
    )
    target = Step(
        key="target",
        title=f"Design the target {'schema' if is_data else 'structure'} and the order of the migration",
        what="Decide the target structure, the steps with their way back, and how old and new run side by side.",
        agent=expert,
        after=("inventory",),
        accept=("Each step has a way back.",),
    )
    if names:
        what = "moved as designed, passing the same checks as before"
        made = _siblings(names, "Migrate {}", what, ("target",), None)
    else:
        whole = Step(
            key="move",
            title=f"Migrate the code{' and the data' if is_data else ''}",
            what="Carry out the migration with repeatable scripts; compare counts and contents before and after."
            if is_data
            else "Carry out the migration step by step; old and new work after each of them.",
            agent=BACKEND if is_data else expert,
            after=("target",),
            accept=(*(("Running it twice does no harm.",) if is_data else ()), "Old and new pass the same checks."),
        )
        made = [whole]
    cut = Step(
        key="cutover",
        title="Prepare the cut-over and the way back",
        what="Write the cut-over script and runbook: switch, verify, return. Remove the old path only behind a switch.",
        agent=DEVOPS,
        after=tuple(step.key for step in made),
        accept=("The cut-over was rehearsed on a copy.",),
    )
    return [inventory, target, *made, cut]


_DATA_MOVED = re.compile(
    r"\b(?:databases?|schemas?|data|tables?|warehouse|stored procedures|postgres\w*|mysql|oracle|mongodb|sql)\b|数据",
    re.I,
)
_SCREENS_MOVED = re.compile(
    r"\b(?:front-?end|ui|react|angular\w*|vue|svelte|jquery|backbone|ember|next\.?js|css|tailwind)\b", re.I
)


_CLOUD_PARTS = (
    (
        "network",
        "network",
        r"vpcs?|subnets?|security groups?|nat gateways?|bastion(?: instance)?|vnet|route ?53|dns|firewall|vpn",
        (),
    ),
    (
        "compute",
        "compute",
        r"ecs|eks|ec2|ecr|fargate|lambdas?|alb|elb|nlb|load balancers?|kubernetes|gke|aks|auto ?scaling",
        ("network",),
    ),
    (
        "database",
        "databases",
        r"rds|aurora|dynamodb|elasticache|postgres(?:ql)?|mysql|redis|cloud sql|cosmos ?db",
        ("network",),
    ),
    (
        "storage",
        "storage, logs and configuration",
        r"s3|buckets?|logs?|ssm|secrets? manager|sqs|sns|cloudwatch|backups?|cloudfront|cdn",
        (),
    ),
)


def _infrastructure(reading: Reading) -> list[Step]:
    text = reading.text
    if not re.search(r"\b(?:terraform|cloudformation|cdk|pulumi|iac|infra\w*|aws|gcp|azure)\b|基础设施", text, re.I):
        return []
    found = {
        key: list(dict.fromkeys(re.findall(rf"(?<![\w/.])(?:{words})(?![\w/])", text, re.I)))
        for key, _, words, _ in _CLOUD_PARTS
    }
    if sum(map(len, found.values())) < 3 or sum(map(bool, found.values())) < 2:
        return []
    steps = [
        Step(
            key=key,
            title=f"Define the {label}: {', '.join(found[key])}"[:80],
            what=f"Write the infrastructure code for {', '.join(found[key])}, with variables, outputs "
            "and least privilege. Do not apply it.",
            agent=CLOUD,
            after=tuple(need for need in needs if found[need]),
            accept=("The formatter and the validator pass.", "Other parts get what they need as outputs."),
        )
        for key, label, _, needs in _CLOUD_PARTS
        if found[key]
    ]
    environments = re.findall(r"\b(?:staging|production|prod|dev|development|sandbox)\b", text, re.I)
    if len({name.lower() for name in environments}) >= 2:
        names = " and ".join(dict.fromkeys(name.lower() for name in environments))
        steps.append(
            Step(
                key="environments",
                title=f"Assemble the environments {names}"[:80],
                what="Compose the modules per environment; environments differ by variables only.",
                agent=CLOUD,
                after=tuple(step.key for step in steps),
                accept=("Each environment validates.",),
            )
        )
    return steps


def _integration(reading: Reading) -> list[Step]:
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


def _layered_feature(reading: Reading) -> list[Step]:
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
        r"documentation|docs|readme|user guide|documentación|documentação|dokumentation|dokumentac\w+",
        "Write the documentation",
        "How to install, configure and use it; every example was run.",
        WRITER,
    ),
)
_EXTRA_WORDS = tuple(words for _, words, *_ in _EXTRAS)
_TESTS = r"tests?|testing"


def _with_extras(text: str, steps: list[Step]) -> list[Step]:
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


def _siblings(names: tuple[str, ...], title: str, what: str, after: tuple[str, ...], agent: str | None) -> list[Step]:
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
