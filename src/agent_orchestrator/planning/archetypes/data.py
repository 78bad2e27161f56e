"""Work on data: pipelines, and systems that learn."""

import re

from agent_orchestrator.planning.archetypes.steps import (
    BACKEND,
    DATA_ARCHITECT,
    FRONTEND,
    ML,
    PIPELINE,
    SCIENTIST,
    Step,
)
from agent_orchestrator.planning.archetypes.things import built_thing
from agent_orchestrator.planning.layers import Layer, layers_in
from agent_orchestrator.planning.reading import Reading


def pipeline(reading: Reading) -> list[Step]:
    """Return the steps of a data pipeline: ingest, transform, check, schedule."""
    asked = re.search(
        r"\b(?:etl|elt|data pipelines?|data ingestion|potok danych|datenpipeline|pipeline de d\w+)\b|数据管道",
        reading.text,
        re.I,
    )
    if not asked or not (built_thing(reading) or len(reading.words) > 12):
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


def machine_learning(reading: Reading) -> list[Step]:
    """Return the steps of a system that learns: data, features, training, serving."""
    strong = re.search(
        r"\b(?:machine[- ]learning|ml (?:system|pipeline|platform|model)|recommendation (?:engine|system)|recommender|"
        r"churn prediction|(?:train|develop|build) (?:a|an|the)? ?(?:\w+ ){0,3}(?:model|classifier)|"
        r"modelo de \w+ automático|fraud detection (?:system|model)|computer vision system)\b|机器学习|推荐系统",
        reading.text,
        re.I,
    )
    if (
        not strong
        or not (built_thing(reading) or reading.first_verb in {"train", "entrenar"})
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
