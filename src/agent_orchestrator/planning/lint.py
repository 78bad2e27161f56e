"""The one validator of plans, whoever wrote them: a model, the rules, a file, a person's edits.

What is safely repaired is repaired and said; what is not is refused and named.
Pure and deterministic: the same plan gives the same plan with the same findings.
"""

import re
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from itertools import combinations, pairwise

from agent_orchestrator.domain.errors import InvalidPlan
from agent_orchestrator.domain.ids import SLUG_LIMIT, slug
from agent_orchestrator.domain.plan import QUESTIONS_LIMIT, Finding, Plan, PlannedTask, Question, Severity
from agent_orchestrator.domain.task import SIZE_MINUTES, Size
from agent_orchestrator.planning.contended import contended
from agent_orchestrator.planning.coverage import uncovered
from agent_orchestrator.planning.globs import scopes_meet
from agent_orchestrator.planning.layers import layer_of
from agent_orchestrator.planning.quoting import THE_GOAL
from agent_orchestrator.planning.roster import Roster
from agent_orchestrator.planning.routing import route
from agent_orchestrator.planning.texts import (
    ANSWER_LIMIT,
    DESCRIPTION_LIMIT,
    ITEMS_LIMIT,
    VERIFY_LIMIT,
    line,
    lines,
    short_title,
    visible,
)
from agent_orchestrator.planning.turns import Turns

MAX_TASKS = 500
"""More is refused: nobody looks through such a plan before agreeing to it, and its graph is compared pair by pair."""

MANY_TASKS = 12
"""From more on, small tasks of one specialist are joined; what is still more gets a finding. Eight published plans had
a median of ten tasks (read 2026-11), and every task pays for a checkout, a briefing and a check."""

SAME_TITLE = 0.8
"""Share of common words (Jaccard) from which two titles name the same work."""

VERIFY_FROM_TASKS = 4
VERIFY_FROM_SPECIALISTS = 2

_WORD = re.compile(r"\w+")
_VERIFIES = re.compile(
    r"\b(?:verif\w*|tests?|testing|integrat\w*|validat\w*|review|qa|e2e|end.to.end)\b|测试|验证", re.I
)


def lint(plan: Plan, roster: Roster, *, strict: bool = False, max_tasks: int = MAX_TASKS) -> Plan:
    """Return *plan* valid: unique slug ids, known dependencies, no cycle, known specialists, phases, bounded text.

    What was repaired or looks doubtful stands in the plan's findings. With *strict* (files, edits by hand) the
    structure that somebody wrote is not bent: repeated ids, dependencies on nothing, cycles and control characters in
    a command are refused, look-alike titles stay, and no verifying task is added. Running it on its own result changes
    nothing.

    Raises:
        InvalidPlan: no task, more than *max_tasks*, a task without any text, or what *strict* refuses.
    """
    if not plan.tasks:
        raise InvalidPlan("the plan has no tasks")
    if len(plan.tasks) > max_tasks:
        raise InvalidPlan(
            f"the plan has {len(plan.tasks)} tasks, more than {max_tasks}",
            hint="join what one agent can do in a sitting, or split the goal",
        )
    work = _Work(plan, roster, strict)
    work.clean_texts()
    work.name_tasks()
    work.resolve_dependencies()
    work.break_cycles()
    work.merge_same()
    work.assign()
    work.join_small()
    work.add_verifying_task()
    work.separate_scopes()
    work.judge()
    findings = tuple(dict.fromkeys(plan.findings + tuple(work.findings)))
    cleaned = replace(
        plan,
        notice=visible(plan.notice),
        tasks=tuple(work.tasks),
        findings=findings,
        questions=work.questions(plan.questions),
        assumptions=lines(plan.assumptions),
    )
    return cleaned.with_phases()


class _Work:
    """The plan while it is being repaired, one rule after the other."""

    def __init__(self, plan: Plan, roster: Roster, strict: bool) -> None:
        self.goal = plan.goal
        self.tasks = list(plan.tasks)
        self.roster = roster
        self.strict = strict
        self.findings: list[Finding] = []

    def note(self, rule: str, message: str, task: str | None = None, severity: Severity = Severity.WARNING) -> None:
        self.findings.append(Finding(rule=rule, severity=severity, message=message, task=task))

    def refuse_or_note(self, rule: str, message: str, task: str | None, repaired: str) -> None:
        if self.strict:
            raise InvalidPlan(message)
        self.note(rule, f"{message}; {repaired}", task)

    def clean_texts(self) -> None:
        for at, task in enumerate(self.tasks):
            title = " ".join(visible(task.title).split())
            description = visible(task.description).strip()
            if not title and not description:
                raise InvalidPlan(f"task {at + 1} ({visible(task.id)[:48]!r}) has neither a title nor a description")
            if len(description) > DESCRIPTION_LIMIT:
                self.refuse_or_note(
                    "too-long",
                    f"the description of {title[:40]!r} is longer than {DESCRIPTION_LIMIT:,} characters",
                    None,
                    "the rest was cut off",
                )
            self.tasks[at] = replace(
                task,
                title=short_title(title or description),
                description=description[:DESCRIPTION_LIMIT] or title,
                owns=self._scope(task),
                acceptance=lines(task.acceptance),
                verify=self._command(task),
                priority=min(100, max(0, task.priority)),
            )

    def _scope(self, task: PlannedTask) -> tuple[str, ...]:
        kept = []
        for glob in lines(task.owns):
            path = glob.replace("\\", "/").removeprefix("./")
            if path.startswith(("/", "~")) or ".." in path.split("/"):
                self.refuse_or_note("scope", f"{glob!r} is not a path inside the project", task.id, "it was left out")
            else:
                kept.append(path)
        return tuple(kept)

    def _command(self, task: PlannedTask) -> str | None:
        command = (task.verify or "").strip()
        if not command:
            return None
        if "\n" in command or visible(command) != command or len(command) > VERIFY_LIMIT:
            what = "spans lines, is too long or has invisible characters"
            self.refuse_or_note("verify", f"the verify command of {task.id!r} {what}", task.id, "it was left out")
            return None
        return command

    def name_tasks(self) -> None:
        """Give every task a slug of its own; references keep meaning the first task that had the name."""
        taken: set[str] = set()
        renamed: dict[str, str] = {}
        for at, task in enumerate(self.tasks):
            if task.id in renamed:
                self.refuse_or_note(
                    "repeated-id", f"two tasks have the id {task.id!r}", task.id, "the later was renamed"
                )
            stem = slug(task.id) or slug(task.title) or f"task-{at + 1}"
            number, id = 2, stem
            while id in taken:
                number, id = number + 1, f"{stem[: SLUG_LIMIT - 4]}-{number}"
            taken.add(id)
            if task.id:
                renamed.setdefault(task.id, id)
            self.tasks[at] = replace(task, id=id)
        self.renamed = renamed

    def resolve_dependencies(self) -> None:
        ids = {task.id for task in self.tasks}
        titles: dict[str, list[str]] = {}
        for task in self.tasks:
            titles.setdefault(task.title.casefold(), []).append(task.id)
        for at, task in enumerate(self.tasks):
            needs: list[str] = []
            for wanted in task.depends_on:
                by_title = titles.get(" ".join(wanted.split()).casefold(), [])
                if wanted in self.renamed:
                    found = self.renamed[wanted]
                elif slug(wanted) in ids:
                    found = slug(wanted)
                elif len(by_title) == 1:
                    found = by_title[0]
                else:
                    shown = visible(wanted)[:60]
                    message = f"task {task.id!r} depends on {shown!r}, which is not in the plan"
                    self.refuse_or_note("unknown-dependency", message, task.id, "the dependency was dropped")
                    continue
                if found == task.id:
                    self.refuse_or_note("cycle", f"task {task.id!r} depends on itself", task.id, "that was dropped")
                else:
                    needs.append(found)
            self.tasks[at] = replace(task, depends_on=tuple(dict.fromkeys(needs)))

    def break_cycles(self) -> None:
        """Drop, of each cycle, the dependency pointing furthest down the list: lists are written in working order."""
        place = {task.id: at for at, task in enumerate(self.tasks)}
        while cycle := _cycle(self.tasks):
            spelt = " → ".join(cycle)
            edges = [(later, earlier) for earlier, later in pairwise(cycle)]
            who, needs = max(edges, key=lambda edge: place[edge[1]] - place[edge[0]])
            self.refuse_or_note(
                "cycle", f"the dependencies form a cycle: {spelt}", who, f"{who} no longer waits for {needs}"
            )
            at = place[who]
            kept = tuple(need for need in self.tasks[at].depends_on if need != needs)
            self.tasks[at] = replace(self.tasks[at], depends_on=kept)

    def merge_same(self) -> None:
        """Join look-alikes until no more can be joined; one join can open the way for another."""
        while not self.strict and any(self._merge(first, twin) for first, twin in self._look_alikes()):
            pass
        for first, twin in self._look_alikes():
            self.note("same-title", f"{first.id} and {twin.id} seem to be the same work", twin.id)

    def _look_alikes(self) -> list[tuple[PlannedTask, PlannedTask]]:
        pairs = combinations(self.tasks, 2)
        return [(first, twin) for first, twin in pairs if _alike(first.title, twin.title) >= SAME_TITLE]

    def _merge(self, first: PlannedTask, twin: PlannedTask, *, rule: str = "same-title", message: str = "") -> bool:
        """Join *twin* into *first*, unless work lies between them: then joining would make a cycle."""
        texts = [first.description] + ([twin.description] if twin.description not in first.description else [])
        joined = replace(
            first,
            description="\n\n".join(texts)[:DESCRIPTION_LIMIT],
            depends_on=tuple(
                dict.fromkeys(n for n in first.depends_on + twin.depends_on if n not in (first.id, twin.id))
            ),
            owns=tuple(dict.fromkeys(first.owns + twin.owns))[:ITEMS_LIMIT],
            acceptance=tuple(dict.fromkeys(first.acceptance + twin.acceptance))[:ITEMS_LIMIT],
            verify=first.verify or twin.verify,
            expects_change=first.expects_change or twin.expects_change,
        )
        merged = [
            joined if task.id == first.id else replace(task, depends_on=_renamed(task.depends_on, twin.id, first.id))
            for task in self.tasks
            if task.id != twin.id
        ]
        if _cycle(merged):
            return False
        self.tasks = merged
        self.note(rule, message or f"{twin.id} was the same work as {first.id} and was joined to it", first.id)
        return True

    def assign(self) -> None:
        for at, task in enumerate(self.tasks):
            known = self.roster.find(task.agent_type) if task.agent_type.strip() else None
            if known is not None:
                self.tasks[at] = replace(task, agent_type=known.name)
                continue
            routing = route(task.title, task.description.replace(self.goal, ""), self.roster, task.owns)
            if task.agent_type.strip():
                asked = visible(task.agent_type)[:60]
                message = f"there is no specialist {asked!r}; {routing.specialist} was chosen ({routing.reason})"
                self.note("unknown-agent", message, task.id)
            self.tasks[at] = replace(task, agent_type=routing.specialist, routing=routing)

    def join_small(self) -> None:
        """Give one agent the small tasks that the same specialist would do next to each other, while there are many."""
        while (
            not self.strict and len(self.tasks) > MANY_TASKS and any(self._merge_small(*pair) for pair in self._small())
        ):
            pass

    def _small(self) -> list[tuple[PlannedTask, PlannedTask]]:
        small = [task for task in self.tasks if task.size is Size.S]
        return [
            (one, other)
            for one, other in combinations(small, 2)
            if one.agent_type == other.agent_type and set(one.depends_on) == set(other.depends_on)
        ]

    def _merge_small(self, one: PlannedTask, other: PlannedTask) -> bool:
        both = f"{one.title}\n{one.description}\n\n{other.title}\n{other.description}"
        titled = replace(one, title=short_title(f"{one.title}; {other.title}"), description=both, size=Size.M)
        message = f"{other.id} is small and was joined to {one.id}: there are more than {MANY_TASKS} tasks"
        return self._merge(titled, other, rule="many-tasks", message=message)

    def add_verifying_task(self) -> None:
        """Let one task look at the whole when several agents make the parts."""
        needed = {need for task in self.tasks for need in task.depends_on}
        sinks = [task for task in self.tasks if task.id not in needed]
        specialists = {task.agent_type for task in self.tasks}
        small = len(self.tasks) < VERIFY_FROM_TASKS and len(specialists) < VERIFY_FROM_SPECIALISTS
        if small or self._is_verified():
            return
        if self.strict or len(self.tasks) >= MAX_TASKS:
            self.note("no-verifying-task", self._unverified(), severity=Severity.NOTE)
            return
        ids = {task.id for task in self.tasks}
        id = next(name for name in ("verify", *(f"verify-{n}" for n in range(2, MAX_TASKS + 2))) if name not in ids)
        self.tasks.append(verifying_task(self.goal, tuple(sinks), id, self.roster))

    def _is_verified(self) -> bool:
        """Whether some task named like a check comes after all that does not come after it."""
        for task in self.tasks:
            if _VERIFIES.search(task.title):
                before = _ancestors(self.tasks, task.id) | {task.id}
                if all(o.id in before or task.id in _ancestors(self.tasks, o.id) for o in self.tasks):
                    return True
        return False

    def _unverified(self) -> str:
        """Say that nothing checks the whole, and what the last task that looks as if it did would not see."""
        for task in reversed(self.tasks):
            if _VERIFIES.search(task.title):
                before = _ancestors(self.tasks, task.id) | {task.id}
                unseen = [other.id for other in self.tasks if other.id not in before]
                if len(unseen) < len(before):  # else it is about some part only
                    return f"{task.id} does not check the whole: it does not wait for {', '.join(unseen)}"
        return "no task checks the parts together"

    def separate_scopes(self) -> None:
        """Of two tasks that may write the same files let one wait: the lower layer first, else as ends sooner."""
        layers = [layer_of(task.title) for task in self.tasks]
        listed = sorted(range(len(self.tasks)), key=lambda at: (layers[at], at))
        turns = Turns(
            {task.id: SIZE_MINUTES[task.size] for task in self.tasks}, {task.id: task.depends_on for task in self.tasks}
        )
        both: dict[frozenset[str], str] = {}
        for one, other in combinations(listed, 2):
            first, later = self.tasks[one], self.tasks[other]
            met = contest(first.owns, later.owns)
            if met is not None:
                both[frozenset({first.id, later.id})] = met
                turns.wait(first.id, later.id, free=layers[one] == layers[other])
        place = {task.id: at for at, task in enumerate(self.tasks)}
        for first_id, later_id in turns.added():
            task = self.tasks[place[later_id]]
            self.tasks[place[later_id]] = replace(task, depends_on=(*task.depends_on, first_id))
            self.note(
                "same-files", f"{later_id} waits for {first_id}: both {both[frozenset({first_id, later_id})]}", later_id
            )

    def questions(self, asked: tuple[Question, ...]) -> tuple[Question, ...]:
        """Return *asked* in bounded lines, about tasks that are there; one that is about none any more is dropped."""
        ids = {task.id for task in self.tasks}
        kept = []
        for one in asked[:QUESTIONS_LIMIT]:
            about = tuple(dict.fromkeys(named for id in one.tasks if (named := self.renamed.get(id, slug(id))) in ids))
            if one.tasks and not about and one.answer is None:
                continue
            # In one line, but with its blanks as they are: an answer may be a command.
            answer = None if one.answer is None else " ".join(visible(one.answer).splitlines())[:ANSWER_LIMIT].strip()
            text, default, changes = (line(part) for part in (one.text, one.default, one.changes))
            if text:
                kept.append(
                    replace(one, text=text, default=default, changes=changes, tasks=about, answer=answer or None)
                )
        return tuple(kept)

    def judge(self) -> None:
        if len(self.tasks) > MANY_TASKS:
            message = f"{len(self.tasks)} tasks are many: each costs a checkout and a check; consider joining some"
            self.note("many-tasks", message)
        goal = " ".join(self.goal.split()).casefold()
        for part in uncovered(self.goal, self.tasks):
            self.note("not-covered", f"no task speaks of {short_title(visible(part))!r}, which the goal names")
        for at, task in enumerate(self.tasks):
            if len(self.tasks) > 1 and task.title.casefold() == goal:
                self.note("echo", f"{task.id} repeats the whole goal", task.id)
            if task.acceptance:
                continue
            if task.verify:
                self.tasks[at] = replace(task, acceptance=lines([f"`{task.verify}` ends with exit code 0"]))
            else:
                message = f"{task.id} does not say what is true when it is done"
                self.note("no-acceptance", message, task.id, Severity.NOTE)


def contest(first: tuple[str, ...], second: tuple[str, ...]) -> str | None:
    """Return, as words after "both", what two scopes cannot change at the same time; None when they keep apart."""
    met = scopes_meet(first, second)
    if met is not None:
        return f"may write {met[0] if met[0] == met[1] else f'{met[0]} and {met[1]}'}"
    mine, theirs = contended(first), contended(second)
    shared = next((kind for kind in mine if kind in theirs), None)
    return None if shared is None else f"change {shared} ({mine[shared]}, {theirs[shared]})"


def verifying_task(goal: str, after: tuple[PlannedTask, ...], id: str, roster: Roster) -> PlannedTask:
    """Return the task that looks at the finished parts together, after all of *after*."""
    tester = roster.find("qa-test-engineer")
    agent_type = tester.name if tester else after[-1].agent_type
    return PlannedTask(
        id=id,
        title="Verify that the finished parts work together",
        description="Run the complete test suite on the joined work. Add the end-to-end tests that are missing where "
        "the parts meet, and repair what fails there. Compare the result with each sentence of the goal and say what "
        f"is not covered.\n\n{THE_GOAL}\n{goal[:4_000]}",
        agent_type=agent_type,
        depends_on=tuple(task.id for task in after),
        acceptance=("The complete test suite passes.", "Each part of the goal is covered by a check or named as open."),
        expects_change=False,
    )


def checks_together(title: str) -> bool:
    """Say whether a task of this title is one that looks at finished parts."""
    return _VERIFIES.search(title) is not None


def same_work(first: str, second: str) -> bool:
    """Say whether two titles name the same work."""
    return _alike(first, second) >= SAME_TITLE


def _alike(first: str, second: str) -> float:
    mine, theirs = set(_WORD.findall(first.casefold())), set(_WORD.findall(second.casefold()))
    if any(word[0].isdigit() for word in mine ^ theirs):  # "Story 1" and "Story 2" are not the same work
        return 0.0
    return len(mine & theirs) / len(mine | theirs) if mine | theirs else 0.0


def _renamed(needs: tuple[str, ...], old: str, new: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(new if need == old else need for need in needs))


def _cycle(tasks: list[PlannedTask]) -> list[str]:
    """Return one cycle, first id repeated at the end, each id needed by the next; empty when there is none."""
    try:
        TopologicalSorter({task.id: task.depends_on for task in tasks}).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def _ancestors(tasks: list[PlannedTask], id: str) -> set[str]:
    needs = {task.id: task.depends_on for task in tasks}
    found: set[str] = set()
    waiting = [id]
    while waiting:
        for need in needs[waiting.pop()]:
            if need not in found:
                found.add(need)
                waiting.append(need)
    return found
