"""From a goal to a plan: ask a model, check its answer, ask once more with the errors, else plan by rules.

Which of these it was is never hidden: it stands in the plan's source and notice.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from agent_orchestrator.domain.errors import BadInput, InvalidPlan, OrchestratorError
from agent_orchestrator.domain.plan import Plan, Routing
from agent_orchestrator.domain.task import PRIORITY_DEFAULT, Tier
from agent_orchestrator.planning.completeness import missing
from agent_orchestrator.planning.heuristic import plan_by_rules, single_task
from agent_orchestrator.planning.lint import lint
from agent_orchestrator.planning.profile import Look, Profile, look_of, unseen
from agent_orchestrator.planning.prompt import UnreadableAnswer, parse, plan_schema, planning_prompt, repair_prompt
from agent_orchestrator.planning.roster import Roster

GOAL_LIMIT_CHARS = 200_000
"""A goal is a page or ten. What is longer is a file that the goal should name."""

MODEL_TASKS = 50
"""A model's plan of more tasks is refused: they are a week for several agents, and nobody asked for that."""

Complete = Callable[[str, Mapping[str, object]], str]
"""Ask a model: the prompt and the JSON Schema of the answer, to the answer's text.

Raises an OrchestratorError when it cannot answer in its time or at all; the time limit is its own.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDecomposer:
    """Splits goals into tasks."""

    roster: Roster
    profile: Profile | None = None
    """What the project is. None when planning happens outside a project."""
    look: Look = unseen
    """How one task that says nothing of who does it learns what the project's files are, where no profile is made."""
    has_check: bool = False
    """Whether the settings name a command that checks tasks which name none; else the project's tests may."""
    complete: Complete | None = None
    """How a model is asked. None plans by rules, and says so."""
    source: str = "model"
    """Who answers, as shown to people: a provider's name or ``api``."""

    def decompose(self, goal: str) -> Plan:
        """Return a valid plan for *goal*; a goal that is one piece of work gives one task.

        At most two questions are asked, the second when the answer cannot be used or leaves out what tasks must say; an
        answer that could be used stands when the second cannot be. Whatever a model answers, there is a plan; when it
        is not the model's, the notice says why.

        Raises:
            BadInput: *goal* is blank or longer than 200,000 characters.
        """
        _check(goal)
        if self.complete is None:
            return self._by_rules(goal, "planned by rules: no model was asked")
        question = planning_prompt(goal, self.roster, self.profile)
        schema = plan_schema(self.roster)
        prompt, usable = question, None
        problems: list[str] = []
        for _ in range(2):
            try:
                answer = self.complete(prompt, schema)
            except OrchestratorError as error:
                if usable is not None:
                    return usable
                return self._by_rules(goal, f"{self.source} could not be asked ({error.message}); planned by rules")
            try:
                plan = lint(parse(answer, goal=goal, source=self.source), self.roster, max_tasks=MODEL_TASKS)
                has_check = self.has_check or self.profile is None or self.profile.test is not None
                lacking = missing(plan, has_check=has_check)
                if not lacking or problems or usable is not None:
                    return plan
                usable, prompt = plan, repair_prompt(question, answer, lacking)
            except (UnreadableAnswer, InvalidPlan) as error:
                problems.append(error.message)
                prompt = repair_prompt(question, answer, f"{error.message}. {error.hint}".rstrip(" ."))
        if usable is not None:
            return usable
        told = problems[0] if problems[0] == problems[1] else f"{problems[0]}; then {problems[1]}"
        return self._by_rules(goal, f"{self.source} gave no usable plan twice ({told}); planned by rules")

    def single(
        self,
        goal: str,
        *,
        agent_type: str | None = None,
        verify: str | None = None,
        priority: int = PRIORITY_DEFAULT,
        tier: Tier | None = None,
    ) -> Plan:
        """Return *goal* as a plan of one task, its text untouched, to the specialist named or the one its words name.

        Where they name nobody, the project's files decide as in a plan.

        Raises:
            BadInput: *goal* is blank or too long.
            NotFound: there is no specialist *agent_type*.
        """
        _check(goal)
        look = self.look if self.profile is None else look_of(self.profile)
        task = single_task(goal, self.roster, unseen if agent_type is not None else look)
        if agent_type is not None:
            member = self.roster.get(agent_type)
            routing = Routing(specialist=member.name, confidence=1.0, reason="named by the user")
            task = replace(task, agent_type=member.name, tier=member.tier, routing=routing)
        task = replace(task, verify=verify, priority=priority, tier=tier or task.tier)
        return Plan(goal=goal, source="single", tasks=(task,))

    def _by_rules(self, goal: str, notice: str) -> Plan:
        return replace(lint(plan_by_rules(goal, self.roster, self.profile), self.roster), notice=notice)


def _check(goal: str) -> None:
    if not goal.strip():
        raise BadInput("the goal is empty", hint="say in a sentence what should be true afterwards")
    if len(goal) > GOAL_LIMIT_CHARS:
        raise BadInput(
            f"the goal has {len(goal):,} characters, more than {GOAL_LIMIT_CHARS:,}",
            hint="put it into a file of the project and name that file in the goal",
        )
