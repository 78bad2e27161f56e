"""How plans are made in a project: which models are asked, in which order, and what they are told of it."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent_orchestrator.app import App
    from agent_orchestrator.domain.plan import Plan
    from agent_orchestrator.domain.task import Task, Tier
    from agent_orchestrator.domain.usage import Usage
    from agent_orchestrator.planning.decomposer import Complete, TaskDecomposer
    from agent_orchestrator.planning.splitting import Splitter
    from agent_orchestrator.services.forecasts import Forecasts
    from agent_orchestrator.services.questions import Ask, Tell


def decomposer(app: "App", planner: str | None, *, profiled: bool) -> "TaskDecomposer":
    """Return what splits a goal, asking the model of *planner*; *profiled*, it knows the project."""
    from agent_orchestrator.planning.decomposer import TaskDecomposer

    return TaskDecomposer(
        roster=app.roster,
        profile=app.profile if profiled else None,
        look=lambda: app.languages,
        has_check=bool(app.settings.verify),
        complete=None if planner is None else _model(app, planner),
        source=planner or "rules",
    )


def decompose(app: "App", goal: str) -> "Plan":
    """Split *goal* by the first model that gives a plan, else by rules."""
    from agent_orchestrator.services.plans import decompose as first_plan

    return first_plan(goal, (app.decomposer(planner) for planner in (*app.lineup.planners(),) or (None,)))


def looked_over(app: "App", plan: "Plan", *, new: bool) -> "Plan":
    """Return *plan* with its doubts and, of a *new* plan by rules, with its questions.

    One that somebody changed or brought gets no questions: the answer that a question assumes is told to every task.
    """
    from agent_orchestrator.planning.doubts import with_doubts
    from agent_orchestrator.planning.heuristic import SOURCE
    from agent_orchestrator.planning.questions import with_questions

    has_check = bool(app.settings.verify) or app.profile.test is not None
    doubted = with_doubts(plan, lambda path: (app.folder / path).exists(), has_check=has_check)
    if not new or plan.source != SOURCE:
        return doubted
    return with_questions(doubted, app.profile, has_check=has_check)


def splitter(app: "App", task: "Task", short: Callable[[], str]) -> "Splitter":
    """Return what divides *task*, on its account: who made its plan, else who may plan here, else the rules."""
    from agent_orchestrator.planning.splitting import Splitter
    from agent_orchestrator.services.questions import Questions

    questions = Questions(store=app.store, clock=app.clock, events=app.events)
    names, told = app.lineup.dividers(app.store.goals.get(task.goal).source)
    models = [(name, questions.counted(task, name, _answering(app, name), short)) for name in names]
    return Splitter(roster=app.roster, profile=app.profile, models=models, told=told)


def forecasts(app: "App") -> "Forecasts":
    """Return what foretells a plan's time and cost, from the project's history and its prices."""
    from agent_orchestrator.providers.prices import with_own
    from agent_orchestrator.providers.tiers import assumed, assumption, priced, unpriced
    from agent_orchestrator.services.forecasts import Forecasts

    lineup, table = app.lineup, with_own(app.settings.own_prices())

    def by_model(of: Callable[..., int | None]) -> "Callable[[str, Usage, Tier], int | None]":
        return lambda name, usage, tier: of(
            name, usage, tier, chosen=lineup.chosen_models.get(name), by_tier=lineup.tier_models, table=table
        )

    return Forecasts(
        store=app.store,
        agents=app.settings.max_agents,
        provider=lambda: lineup.likely,
        priced=by_model(priced),
        assumed=by_model(assumed),
        assumption=lambda name: assumption(name, table),
        unpriced=lambda name: unpriced(
            name, chosen=lineup.chosen_models.get(name), by_tier=lineup.tier_models, table=table
        ),
    )


def asking(app: "App", planner: str) -> "Complete":
    """Return how the model of *planner* is asked. What it needs is looked for when it is asked, not before."""
    return lambda prompt, schema: _model(app, planner)(prompt, schema)


def _model(app: "App", planner: str) -> "Complete":
    """Return how the model of *planner* is asked. Raises NotReady when its agent is not installed."""
    app.lineup.installed(planner)
    return lambda prompt, schema: _answering(app, planner)(prompt, schema, lambda _: None)


def _answering(app: "App", planner: str) -> "Ask":
    """Return how the model of *planner* is asked by somebody who wants to know what that used."""

    def answering(prompt: str, schema: Mapping[str, object], tell: "Tell") -> str:
        from agent_orchestrator.runtime.asking import ask

        return ask(
            app.lineup.provider(planner),
            app.lineup.installed(planner),
            prompt,
            schema,
            environ=app.environ,
            pass_env=app.settings.pass_env,
            model=app.lineup.chosen_models.get(planner),
            state=app.state,
            timeout_s=app.settings.planner_seconds,
            tell=tell,
        )

    return answering
