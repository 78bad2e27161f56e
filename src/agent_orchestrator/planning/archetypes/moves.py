"""What is moved, and what things run on: migrations and infrastructure."""

import re
from dataclasses import replace

from agent_orchestrator.planning.archetypes.steps import (
    BACKEND,
    CLOUD,
    DATA_ARCHITECT,
    DEVOPS,
    FRONTEND,
    Step,
    siblings,
)
from agent_orchestrator.planning.archetypes.things import named
from agent_orchestrator.planning.reading import Reading
from agent_orchestrator.planning.vocabulary import TECHNOLOGIES

_DATABASE = r"(?:databases?|bases? de d(?:atos|onnées)|banco de dados|datenbank\w*)"
_DATA_MOVED = re.compile(
    rf"\b(?:{_DATABASE}|schemas?|data|tables?|warehouse|stored procedures|postgres\w*|mysql|oracle|mongodb|sql)\b|数据",
    re.I,
)
_SCREENS_MOVED = re.compile(
    r"\b(?:front-?end|ui|react|angular\w*|vue|svelte|jquery|backbone|ember|next\.?js|css|tailwind)\b", re.I
)


_WHOLE_MOVED = re.compile(
    r"^\W*\w+\s+(?:the|our|my|this|whole|entire)\s+(?:(?!of\b)[\w-]+\s+){0,3}"
    r"(?:app(?:lication)?|shop|store|site|website|portal|back-?end|front-?end|code ?base|product)\s+"
    r"(?:away\s+)?(?:from\s+[\w.#+-]+\s+)?to\s+([\w.#+-]+)(?!\s*v?\d)",
    re.I,
)


_BESIDE = re.compile(
    r",?\s+and\s+(?:then\s+|also\s+)?(?=(?:add|build|create|implement|introduce|write|offer|support)\s+\w)", re.I
)


def _whole_moved(text: str) -> bool:
    """Say whether a whole application goes to another technology: "our PHP shop to Django", but no newer version."""
    found = _WHOLE_MOVED.search(text)
    return found is not None and found[1].casefold().rstrip(".") in TECHNOLOGIES


def migration(reading: Reading) -> list[Step]:
    """Return the steps of a big migration: stock, target, the move, the cut-over. A small one is one task."""
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
        rf"\b(?:{_DATABASE}|warehouse|monolith|legacy|platform|cloud|aws|gcp|azure|infrastructure|data ?cent\w+|"
        r"(?:mysql|mariadb|oracle|mongodb|sql server|sqlite|postgres\w*)\W+to|stored procedures|on-?prem\w*|system|"
        r"cluster)\b|数据库"
    )
    if not (re.search(big, reading.text, re.I) or _whole_moved(reading.text)) or len(reading.words) < 5:
        return []
    is_data = _DATA_MOVED.search(reading.text) is not None
    expert = DATA_ARCHITECT if is_data else FRONTEND if _SCREENS_MOVED.search(reading.text) else BACKEND
    own, beside = _apart(reading.text)
    names = named(replace(reading, text=own)) if beside else named(reading)
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
        made = siblings(names, "Migrate {}", what, ("target",), None)
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
    steps = [inventory, target, *made, cut]
    if beside:
        done = tuple(step.key for step in made)
        steps.append(Step(key="beside", title=beside[:1].upper() + beside[1:], what=f"{beside}.", after=done))
    return steps


def _apart(text: str) -> tuple[str, str]:
    """Return what is to be moved, and what is asked for beside it: "Migrate … to Postgres and add login"."""
    found = _BESIDE.search(text)
    return (text[: found.start()], text[found.end() :].strip(" .\n")) if found else (text, "")


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


def infrastructure(reading: Reading) -> list[Step]:
    """Return the steps of infrastructure as code: the network first, storage beside it, what runs on both after."""
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
