"""Putting a goal into the queue the way every door does it: as one task, split into several, or after other tasks."""

from collections.abc import Callable, Container
from dataclasses import dataclass, replace

from agent_orchestrator.domain.budget import parse_budget
from agent_orchestrator.domain.errors import BadInput
from agent_orchestrator.domain.goal import Goal
from agent_orchestrator.domain.plan import Plan
from agent_orchestrator.domain.specialist import GENERALIST
from agent_orchestrator.domain.task import PRIORITY_DEFAULT, Task, Tier
from agent_orchestrator.services.goals import Goals, Submission
from agent_orchestrator.services.tasks import TaskQueue


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What somebody asks for. Only the goal must be said."""

    goal: str
    decompose: bool = False
    """Split it into several tasks."""
    agent: str | None = None
    """The specialist of its one task, or the name of a kind of agent. None lets the goal's words decide."""
    priority: int | None = None
    """0 to 100, low numbers first. None is 50."""
    tier: Tier | None = None
    """How capable a model it needs. None lets the plan decide."""
    depends_on: tuple[str, ...] = ()
    """Ids or keys of tasks of one goal: the new task joins that goal and waits for them."""
    verify: str | None = None
    """Shell command that accepts the work by exit code 0."""
    context: str = ""
    """Words for the agent beside the goal."""
    provider: str | None = None
    """Insist on this kind of agent."""
    budget: str | None = None
    """Ceiling on what the goal may use: dollars such as ``2.50``, ``2M tokens``, ``90m``, or several: ``5,8h``."""
    task_budget: str | None = None
    """The same for each of its tasks, over all attempts. None takes the setting ``task_budget``."""
    expects_change: bool = True
    """False: the result is an answer, and no file needs to change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposed:
    """What a request would queue. Nothing is queued yet."""

    submission: Submission
    plan: Plan
    after: tuple[Task, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """What was queued."""

    goal: Goal
    tasks: tuple[Task, ...]
    """The new ones."""
    plan: Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Submissions:
    """Works out what a request would queue, and queues it."""

    goals: Goals
    tasks: TaskQueue
    max_attempts: int
    task_budget: str | None
    """The setting: what each task may use where a request says nothing."""
    decompose: Callable[[str], Plan]
    """Splits a goal, by a model or by rules."""
    single: Callable[..., Plan]
    """Makes a plan of one task."""
    providers: Callable[[], Container[str]]
    """Names of the kinds of agents."""
    check_provider: Callable[[str], object]
    """Raises BadInput when there is no such provider."""
    specialist: Callable[[str], object | None]
    """Finds a specialist by name."""

    def propose(self, request: Request) -> Proposed:
        """Return what *request* would put into the queue. With ``decompose`` a model may be asked, which takes time.

        Raises:
            BadInput: it contradicts itself, or names what does not exist.
            NotFound, Ambiguous: a task in ``depends_on``.
        """
        request = self._meant(request)
        _refuse_contradictions(request)
        if request.provider:
            self.check_provider(request.provider)
        priority = PRIORITY_DEFAULT if request.priority is None else request.priority
        submission = Submission(
            text=request.goal,
            priority=priority,
            # For one task the check is its acceptance, and a base that fails it too is no excuse.
            verify=request.verify if request.decompose else None,
            context=request.context,
            provider=request.provider,
            max_attempts=self.max_attempts,
            budget=parse_budget(request.budget) if request.budget else None,
            task_budget=parse_budget(each) if (each := request.task_budget or self.task_budget) else None,
        )
        if request.decompose:
            plan = self.decompose(request.goal)
            tasks = tuple(replace(one, tier=request.tier or one.tier) for one in plan.tasks)
            return Proposed(submission=submission, plan=replace(plan, tasks=tasks))
        plan = self.single(
            request.goal, agent_type=request.agent, verify=request.verify, priority=priority, tier=request.tier
        )
        task = replace(plan.tasks[0], expects_change=request.expects_change)
        after = tuple(self.tasks.resolve(text) for text in request.depends_on)
        return Proposed(submission=submission, plan=replace(plan, tasks=(task,)), after=after)

    def _meant(self, request: Request) -> Request:
        """Return *request* with its agent resolved: the name of a kind of agent means the generalist, run by that kind.

        A goal that is split gets its specialists from the plan, all run by that kind of agent. A specialist of that
        name takes precedence: somebody made it on purpose.
        """
        name = (request.agent or "").strip().lower()
        if not name or self.specialist(name) is not None or name not in self.providers():
            return request
        if request.provider not in {None, name}:
            message = f"--agent {name} and --provider {request.provider} are two agents"
            raise BadInput(message, hint="leave out one of them")
        return replace(request, agent=None if request.decompose else GENERALIST, provider=name)

    def accept(self, proposed: Proposed) -> Accepted:
        """Queue what was proposed, as a goal of its own or in the goal of the tasks it waits for. Durable on return.

        Raises:
            BadInput, InvalidPlan, RefusedByState: as :meth:`Goals.accept` and :meth:`Goals.extend`.
        """
        plan = proposed.plan
        if proposed.after:
            goal, task = self.goals.extend(plan.tasks[0], proposed.after, proposed.submission)
            return Accepted(goal=goal, tasks=(task,), plan=plan)
        goal, tasks = self.goals.accept(plan, proposed.submission)
        return Accepted(goal=goal, tasks=tuple(tasks), plan=plan)


def _refuse_contradictions(request: Request) -> None:
    if request.agent is not None and not request.agent.strip():
        raise BadInput("--agent is empty", hint="orchestrate specialists lists them")
    if request.decompose:
        given = {
            "--agent": request.agent,
            "--depends-on": request.depends_on,
            "--no-change": not request.expects_change,
        }
        for option, value in given.items():
            if value:
                raise BadInput(f"{option} is for one task, and --decompose makes several", hint="leave out one of them")
    for option, text in (("--budget", request.budget), ("--task-budget", request.task_budget)):
        if request.depends_on and text:
            raise BadInput(
                f"{option} is for a goal, and --depends-on adds to one that exists", hint=f"leave out {option}"
            )
