"""Ways to break the program for a while, each of which the rules of the world must catch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from agent_orchestrator.domain.attempt import Outcome
from agent_orchestrator.domain.budget import Budget
from agent_orchestrator.runtime import leadership, supervisor
from agent_orchestrator.runtime.landing import Landing
from agent_orchestrator.runtime.merge_queue import MergeQueue
from agent_orchestrator.runtime.recovery import Recovery
from agent_orchestrator.services import tasks
from agent_orchestrator.services.holds import Holds
from agent_orchestrator.services.tasks import TaskQueue
from agent_orchestrator.stores.sql.tasks import Tasks
from simulation.doubles import Died
from simulation.world import Counts, SubmitterDied, World, simulate

Change = tuple[Any, str, Callable[..., Any]]
"""Whose attribute, which one, and what it becomes, given what it was."""


def _no_fence(_held: Any) -> Any:
    return lambda self, attempt, states: self.store.tasks.get(attempt.task)


def _unblocked(add: Any) -> Any:
    def added(self: Any, new: Any, needs: Any) -> None:
        add(self, new, needs)
        for task in new:
            self._db.change("UPDATE tasks SET state = 'ready' WHERE id = ? AND state = 'blocked'", (task.id,))

    return added


def _any_need_will_do(release: Any) -> Any:
    def released(self: Any, id: Any, *, now: Any) -> Any:
        self._db.change(
            "UPDATE tasks SET unmet = 1 WHERE unmet > 1 AND id IN (SELECT task FROM dependencies WHERE needs = ?)",
            (id,),
        )
        return release(self, id, now=now)

    return released


def _believes_the_dead(take_over: Any) -> Any:
    return lambda self, attempt: self.give_back(attempt, Outcome.LOST, "its supervisor died")


def _forgets_who_works(decide: Any) -> Any:
    return lambda situation: decide(replace(situation, busy=0))


def _gives_up_at_once(ended: Any) -> Any:
    def gave_up(self: Any, attempt: Any, **how: Any) -> Any:
        with self.store.transaction():
            task = self.store.tasks.get(attempt.task)
            self.store.tasks.save(task._replace(max_attempts=1), was=task)
        return ended(self, attempt, **how)

    return gave_up


def _ignores(**fields: Any) -> Callable[[Any], Any]:
    return lambda decide: lambda situation: decide(replace(situation, **fields))


def _acknowledges_early(init: Any) -> Any:
    def made(self: World, *arguments: Any, **more: Any) -> None:
        init(self, *arguments, **more)
        struck = self.app.store.transaction

        @contextmanager
        def early() -> Iterator[None]:
            try:
                with struck():
                    yield
            except SubmitterDied:
                if self.app.store.tasks.counts() is None:
                    raise

        self.app.store.transaction = early  # type: ignore[method-assign,assignment]

    return made


def _believes(process: Any) -> Any:
    def believed(self: Any, attempt: Any, provider: Any, workspace: Any, collected: Any, *more: Any) -> Any:
        if collected.files:
            return process(self, attempt, provider, workspace, collected, *more)
        from agent_orchestrator.domain.evidence import Evidence
        from agent_orchestrator.domain.task import Verdict

        self.queue.landing(attempt, Evidence())
        self.queue.finished(attempt, verdict=Verdict.VERIFIED, commit=None, evidence=Evidence())
        return Outcome.SUCCEEDED

    return believed


def _dies_before_it_is_written(finished: Any) -> Any:
    """Make a moment last that a crash would seldom meet: the branch is moved, and nobody has written it down."""

    def died(self: Any, attempt: Any, **how: Any) -> Any:
        world = self.notifier.world
        if world.leads and world.random.random() < 0.2:
            world.dead = True
            raise Died
        return finished(self, attempt, **how)

    return died


MUTANTS: dict[str, tuple[Change, ...]] = {
    "no_fence": ((TaskQueue, "_held", _no_fence),),
    "no_dependencies": ((Tasks, "add", _unblocked),),
    "one_need_is_enough": ((Tasks, "release_dependents", _any_need_will_do),),
    "freed_without_proof": ((Recovery, "_take_over", _believes_the_dead),),
    "no_sweep": (
        (Recovery, "_take_over", lambda was: lambda self, attempt: self.follow(attempt, None)),
        (MergeQueue, "_end_leftovers", lambda was: lambda self, attempt: None),
    ),
    "lands_again": (
        (Landing, "recover", lambda was: lambda self, attempt: False),
        (TaskQueue, "finished", _dies_before_it_is_written),
    ),
    "believes_exit_codes": ((Landing, "_process", _believes),),
    "believes_without_checks": ((Landing, "_land", lambda was: _without_checks(was)),),
    "charges_limits": ((tasks, "FREE", lambda was: frozenset()),),
    "no_pause": ((TaskQueue, "_pause", lambda was: lambda self, charged: timedelta(0)),),
    "pauses_never_end": ((Tasks, "release_due", lambda was: lambda self, *, now: []),),
    "ignores_holds": ((Holds, "current", lambda was: lambda self: []),),
    "ignores_the_budget": ((Budget, "allows_start", lambda was: lambda self, *used, **more: True),),
    "ignores_the_deadline": ((supervisor, "decide", _ignores(until=None)),),
    "too_many_agents": ((supervisor, "decide", _forgets_who_works),),
    "no_lock": ((leadership, "_lock", lambda was: lambda fd: None),),
    "early_ack": ((World, "__init__", _acknowledges_early),),
    "no_recovery": ((Recovery, "recover", lambda was: lambda self: None),),
    "dead_letter_at_once": ((TaskQueue, "ended", _gives_up_at_once),),
}


def _without_checks(land: Any) -> Any:
    def landed(self: Any, *arguments: Any) -> Any:
        from agent_orchestrator.runtime import landing

        before = landing.verdict
        landing.verdict = lambda check: landing.Verdict.VERIFIED  # type: ignore[assignment]
        try:
            return land(self, *arguments)
        finally:
            landing.verdict = before

    return landed


def caught(name: str, steps: int, seed: int, folder: Path) -> Counts:
    """Return what a simulation of the program with the mutant *name* came to."""
    changes = MUTANTS[name]
    before = [(owner, attribute, getattr(owner, attribute)) for owner, attribute, _ in changes]
    for owner, attribute, change in changes:
        setattr(owner, attribute, change(getattr(owner, attribute)))
    try:
        return simulate(steps, seed, folder)
    finally:
        for owner, attribute, was in before:
            setattr(owner, attribute, was)
