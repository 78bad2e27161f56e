"""Landing: collect, union, verify once on the union, compare-and-set the result branch, deliver.

The merge queue lands one at a time per project, so that what was verified is
exactly what is landed: nothing else moves the result branch between the check
and the move, and the move itself is a compare-and-set. A task's work becomes one commit whose
trailers make ``git log`` read like the report. Landed means that the commit is
an ancestor of the result branch, and nothing less.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from agent_orchestrator.domain.attempt import Attempt, Outcome
from agent_orchestrator.domain.errors import OrchestratorError, WorkspaceProblem
from agent_orchestrator.domain.evidence import CheckResult, CheckRun, Evidence, fingerprint
from agent_orchestrator.domain.goal import Delivery, Goal, Isolation
from agent_orchestrator.domain.task import Task, Verdict
from agent_orchestrator.providers import Provider
from agent_orchestrator.runtime.endings import with_room_in_mind
from agent_orchestrator.runtime.failures import in_words
from agent_orchestrator.runtime.resolutions import missing
from agent_orchestrator.runtime.run_dir import exit_record
from agent_orchestrator.runtime.verification import CheckCommand, Verification, verdict
from agent_orchestrator.services.context import ContextManager
from agent_orchestrator.services.tasks import TaskQueue
from agent_orchestrator.stores import Store
from agent_orchestrator.workspaces import Collected, Union, Workspace, Workspaces

if TYPE_CHECKING:
    from agent_orchestrator.runtime.scrutiny import Scrutiny, Work

DIFF_IN_FEEDBACK = 6_000
"""Characters of the earlier attempt's own patch that a fresh start after a conflict is shown."""
DIFFSTAT_CHARACTERS = 8_000
ROUNDS = 5
"""How often a landing is begun again because the result branch moved under it. Only a stranger can move it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Landing:
    """What can be done with finished work. All of it runs in the merge queue's own thread, but for `save`."""

    store: Store
    queue: TaskQueue
    context: ContextManager
    workspaces: Workspaces
    verification: Verification
    check_for: Callable[[Task, Goal], CheckCommand | None]

    def process(
        self,
        attempt: Attempt,
        provider: Provider,
        workspace: Workspace,
        collected: Collected,
        *,
        later: Callable[[Callable[[], None]], None] = lambda advise: advise(),
    ) -> Outcome:
        """Take what `save` collected all the way to the result branch, or give the task back with the evidence.

        Writes through the queue, fenced by the attempt's token. Returns the attempt's outcome. *later* is given what
        may wait until nothing else does: finding out more about work that is landed.

        Raises:
            StaleLease: the attempt no longer holds its task; its work is kept on its branch.
        """
        outcome = self._process(attempt, provider, workspace, collected, later)
        if outcome is Outcome.SUCCEEDED:
            self.context.drop_view(self.store.tasks.get(attempt.task))
        return outcome

    def take_in(self, task: Task, attempt: Attempt) -> Attempt:
        """Take in what the agent left in the context; return the attempt with what its agent must be told of that."""
        found = self.context.take_in(task, since=attempt.started_at)
        told = [f"Not taken into the context: {refusal}" for refusal in found.refused]
        told += [f"In the context, {conflict}" for conflict in found.conflicts]
        return replace(attempt, feedback=_joined(attempt.feedback, "\n".join(told))) if told else attempt

    def _process(
        self,
        attempt: Attempt,
        provider: Provider,
        workspace: Workspace,
        collected: Collected,
        later: Callable[[Callable[[], None]], None],
    ) -> Outcome:
        task, goal = self.store.tasks.get(attempt.task), self.store.goals.get(attempt.goal)
        attempt = replace(attempt, commit=collected.commit, branch=collected.branch)
        attempt = self.take_in(task, attempt)
        if task.expects_change and not collected.files:
            reason = "the agent ended and nothing had changed"
            return self._give_back(attempt, Outcome.NO_EVIDENCE, reason, Evidence(), feedback=reason)
        if workspace.isolation is Isolation.SHARED:
            return self._settle_in_place(task, goal, attempt, workspace, collected)
        if collected.commit is None:
            return self._answer(task, goal, attempt, workspace)
        return self._land(task, goal, attempt, provider, collected, collected.commit, later)

    def save(self, attempt: Attempt, workspace: Workspace) -> Collected:
        """Bring whatever an attempt left to safety, on a branch of its own in the user's repository.

        Attempts share nothing in this, so any number of threads may do it at once.
        """
        task = self.store.tasks.get(attempt.task)
        message = f"{task.title}\n\nWork of attempt {attempt.id}, not verified.\n"
        return self.workspaces.collect(workspace, goal=attempt.goal, attempt=attempt.id, message=message)

    def give_back_checkout(self, workspace: Workspace, collected: Collected) -> None:
        """Give back the checkout of landed work for another attempt to use, unless something in it was not landed."""
        if workspace.isolation is not Isolation.SHARED and not collected.notes:
            self.workspaces.close(workspace, is_safe=True)

    def _land(
        self,
        task: Task,
        goal: Goal,
        attempt: Attempt,
        provider: Provider,
        collected: Collected,
        commit: str,
        later: Callable[[Callable[[], None]], None],
    ) -> Outcome:
        from agent_orchestrator.runtime.scrutiny import Work, judge  # an eighth of our start, not paid by that

        assert goal.result_branch is not None
        for _ in range(ROUNDS):
            tip = self.workspaces.tip(goal.result_branch)
            onto = tip or goal.base_commit
            assert onto is not None
            union = self.workspaces.union(onto, commit)
            evidence = _evidence(collected, base=onto)
            if union.tree is None:
                return self._conflict(attempt, union, collected, evidence)
            check = self.verification.check(self.check_for(task, goal), tree=union.tree, base=onto)
            notes = (*collected.notes, *self._dropped(attempt, union.tree, onto))
            evidence = replace(evidence, checks=(check,), notes=notes)
            judged = verdict(check)
            if judged is Verdict.REJECTED:
                return self._give_back(attempt, Outcome.REJECTED, _why(check), evidence, feedback=_told(check))
            work = Work(task=task, base=onto, tree=union.tree, check=check, suite=self.suite(task, goal))
            stat = self.workspaces.diff(onto, union.tree, stat=True)[:DIFFSTAT_CHARACTERS]
            stat = "\n".join(line.strip() for line in stat.splitlines())
            evidence = replace(evidence, concerns=self.scrutiny.concerns(work), diffstat=stat)
            judged = judge(check, evidence.concerns)
            self.queue.landing(attempt, evidence)
            landed = self.workspaces.commit_tree(
                union.tree, parents=(onto,), message=_message(task, attempt, provider, evidence, judged)
            )
            if self.workspaces.advance(goal.result_branch, old=tip, new=landed) and self.workspaces.contains(
                goal.result_branch, landed
            ):
                evidence = replace(evidence, commit=landed)
                self.queue.finished(attempt, verdict=judged, commit=landed, evidence=evidence)
                later(partial(self._advise, attempt, work, evidence))
                return Outcome.SUCCEEDED
        reason = f"{goal.result_branch} kept moving while we were landing on it"
        return self._give_back(attempt, Outcome.CONFLICT, reason, Evidence(), feedback=reason)

    def _advise(self, attempt: Attempt, work: "Work", evidence: Evidence) -> None:
        """Add to landed work's evidence what is worth knowing. Nothing waits for it, and losing it costs little."""
        with suppress(OrchestratorError):
            advice = self.scrutiny.advice(work)
            if advice:
                self.queue.advised(attempt, replace(evidence, advice=advice))

    def suite(self, task: Task, goal: Goal) -> CheckCommand | None:
        """Return the check of the project as a whole, whatever *task* has of its own."""
        return self.check_for(task._replace(verify=None), goal)

    @property
    def scrutiny(self) -> "Scrutiny":
        """What asks how much a passing check is worth."""
        from agent_orchestrator.runtime.scrutiny import Scrutiny

        return Scrutiny(workspaces=self.workspaces, verification=self.verification)

    def _answer(self, task: Task, goal: Goal, attempt: Attempt, workspace: Workspace) -> Outcome:
        """Accept a result that is an answer: nothing is landed.

        What stands is checked, but where this goal has landed nothing, the project's tests look at what was there
        before: then only a check of the task's own can vouch for the answer.
        """
        notes = ("the result is an answer; no file changed",)
        evidence = Evidence(base_commit=workspace.base, notes=notes)
        stands = (self.workspaces.tip(goal.result_branch) if goal.result_branch else None) or goal.base_commit
        command = self.check_for(task, goal)
        judged = Verdict.UNVERIFIED
        vouches = stands != goal.base_commit or (command is not None and command.origin in {"user", "task"})
        if command is not None and stands is not None and vouches:
            check = self.verification.check(command, tree=stands, base=goal.base_commit)
            evidence = replace(evidence, checks=(check,))
            judged = Verdict.VERIFIED if verdict(check) is Verdict.VERIFIED else Verdict.UNVERIFIED
        self.queue.finished(attempt, verdict=judged, commit=None, evidence=evidence)
        return Outcome.SUCCEEDED

    def recover(self, attempt: Attempt) -> bool:
        """Say whether the attempt's work stands on the result branch already, and if so finish its task.

        The supervisor may have died between moving the branch and writing that down.
        """
        from agent_orchestrator.runtime.scrutiny import judge

        goal = self.store.goals.get(attempt.goal)
        if goal.result_branch is None:
            return False
        commit = self.workspaces.landed(goal.result_branch, goal.base_commit).get(attempt.id)
        if commit is None:
            return False
        evidence = self.store.attempts.evidence(attempt.id) or Evidence(base_commit=goal.base_commit)
        evidence = replace(evidence, commit=commit)
        judged = judge(evidence.checks[-1], evidence.concerns) if evidence.checks else Verdict.UNVERIFIED
        self.queue.landing(attempt, evidence)
        self.queue.finished(attempt, verdict=judged, commit=commit, evidence=evidence)
        return True

    def check_goal(self, goal: Goal) -> tuple[Goal, CheckRun | None]:
        """Check everything that landed, together, with the project's own check; return the goal as judged by that.

        Tasks with a check of their own may each pass and break something together, or something nobody looked at.

        Raises:
            CommandStopped: a stop was wished meanwhile.
        """
        tip = self.workspaces.tip(goal.result_branch) if goal.result_branch else None
        tasks = self.store.tasks.of_goal(goal.id)
        command = self.suite(tasks[-1], goal) if tasks else None
        if command is None or tip is None or tip == goal.base_commit:
            return goal, None
        check = self.verification.check(command, tree=self.workspaces.tree(tip), base=goal.base_commit)
        judged = verdict(check)
        if judged is Verdict.REJECTED or (judged is Verdict.UNVERIFIED and check.result is CheckResult.BASE_IS_RED):
            goal = goal._replace(verdict=judged)
        return goal, check

    def deliver(self, goal: Goal) -> Goal:
        """Take a completed goal's result into the user's branch, if that can be done without touching what is theirs.

        When their branch moved meanwhile, both are merged and the union is verified first.
        """
        branch = goal.result_branch
        tip = self.workspaces.tip(branch) if branch else None
        if branch is None or tip is None or tip == goal.base_commit:
            in_place = goal.isolation is Isolation.SHARED
            note = "the agents worked in the folder itself" if in_place else "nothing changed"
            return goal._replace(delivery=Delivery.NOTHING, delivery_note=note)
        if goal.verdict is Verdict.REJECTED:
            note = f"the check fails on everything landed together; take it in by hand all the same: git merge {branch}"
            return goal._replace(delivery=Delivery.WAITING, delivery_note=note)
        theirs = self.workspaces.tip(goal.base_branch) if goal.base_branch else None
        if theirs is not None and not self.workspaces.contains(branch, theirs):
            problem = self._merge_theirs(goal, branch, tip, theirs)
            if problem:
                return goal._replace(delivery=Delivery.WAITING, delivery_note=problem)
        done = self.workspaces.deliver(branch=branch, into=goal.base_branch, base=goal.base_commit)
        if goal.delivery is Delivery.DELIVERED and done.moved_from == goal.delivered_to:
            done = replace(done, moved_from=goal.delivered_from)  # after a review: undo takes out all of it
        return goal._replace(
            delivery=Delivery.DELIVERED if done.done else Delivery.WAITING,
            delivery_note=done.note,
            delivered_from=done.moved_from,
            delivered_to=done.moved_to,
        )

    def undo(self, goal: Goal) -> Goal:
        """Take a delivered goal back out of the user's branch.

        Raises:
            WorkspaceProblem: their tree is not clean, or git cannot take it out; nothing was changed.
        """
        assert goal.delivered_from is not None and goal.delivered_to is not None
        done = self.workspaces.undo(
            into=goal.base_branch,
            moved_from=goal.delivered_from,
            moved_to=goal.delivered_to,
            message=f"Undo: {goal.title}\n\nThis takes the result of the goal back out: "
            f"{goal.delivered_from[:12]}..{goal.delivered_to[:12]}.\n\nGoal: {goal.id}\n",
        )
        if not done.done:
            raise WorkspaceProblem(done.note)
        return goal._replace(delivery=Delivery.UNDONE, delivery_note=done.note)

    def check_base(self, goal: Goal) -> CheckRun | None:
        """Run the check on the goal's base, so that a red one is known before the night. None: no check."""
        tasks = self.store.tasks.of_goal(goal.id)
        without_own = next((task for task in tasks if task.verify is None), None)
        command = self.check_for(without_own, goal) if without_own else None
        if command is None or goal.base_commit is None or goal.isolation is Isolation.SHARED:
            return None
        return self.verification.base_health(command, base=goal.base_commit)

    def _merge_theirs(self, goal: Goal, branch: str, tip: str, theirs: str) -> str:
        """Merge the user's newer commits with the result on the result branch; return what prevents it, or nothing."""
        by_hand = f"take it in by hand: git merge {branch}"
        union = self.workspaces.union(theirs, tip)
        if union.tree is None:
            return f"{goal.base_branch} moved and conflicts in {', '.join(union.conflicts[:5])}; {by_hand}"
        tasks = self.store.tasks.of_goal(goal.id)
        check = self.verification.check(self.suite(tasks[-1], goal), tree=union.tree, base=theirs)
        if verdict(check) is Verdict.REJECTED:
            return f"{goal.base_branch} moved and the checks fail on both together ({_why(check)}); {by_hand}"
        merged = self.workspaces.commit_tree(
            union.tree,
            parents=(theirs, tip),
            message=f"Merge the result of {goal.id}: {goal.title}\n\nGoal: {goal.id}\n",
        )
        if not self.workspaces.advance(branch, old=tip, new=merged):
            return f"{branch} moved while it was being delivered; {by_hand}"
        return ""

    def _settle_in_place(
        self, task: Task, goal: Goal, attempt: Attempt, workspace: Workspace, collected: Collected
    ) -> Outcome:
        from agent_orchestrator.runtime.scrutiny import judge, out_of_scope

        check = self.verification.check_folder(self.check_for(task, goal), workspace.path)
        evidence = replace(
            _evidence(collected, base=workspace.base),
            checks=(check,),
            notes=collected.notes,
            concerns=tuple(out_of_scope(task, collected.files)),
        )
        judged = judge(check, evidence.concerns)
        if judged is Verdict.REJECTED:
            return self._give_back(attempt, Outcome.REJECTED, _why(check), evidence, feedback=_told(check))
        self.queue.finished(attempt, verdict=judged, commit=None, evidence=evidence)
        return Outcome.SUCCEEDED

    def _dropped(self, attempt: Attempt, tree: str, onto: str) -> tuple[str, ...]:
        """Return which lines of either side are gone from work that was done again after a conflict, for a reviewer."""
        before = [one for one in self.store.attempts.of_task(attempt.task) if one.number < attempt.number]
        conflicted = next((one for one in reversed(before) if one.outcome is Outcome.CONFLICT), None)
        if conflicted is None or conflicted.commit is None or conflicted.base_commit is None:
            return ()
        diff, base = self.workspaces.diff, conflicted.base_commit
        return missing(diff(base, conflicted.commit), diff(base, onto), diff(base, tree))

    def _conflict(self, attempt: Attempt, union: Union, collected: Collected, evidence: Evidence) -> Outcome:
        """Give the task back with both sides of the conflict, as long as it has attempts.

        It is not the agent's failure that others were quicker, so the second conflict is not the end of it.
        """
        reason = f"its work conflicts with what landed before it, in {', '.join(union.conflicts[:5])}"
        told = (
            f"{reason}. Your new checkout holds what landed. Do the task again on top of it.\n\n"
            f"The conflict:\n{union.detail}\n\nYour earlier patch:\n{collected.diff[:DIFF_IN_FEEDBACK]}"
        )
        return self._give_back(attempt, Outcome.CONFLICT, reason, evidence, feedback=told)

    def _give_back(
        self,
        attempt: Attempt,
        outcome: Outcome,
        reason: str,
        evidence: Evidence,
        *,
        feedback: str,
    ) -> Outcome:
        record = exit_record(Path(attempt.run_dir))
        if record is not None and record.lacked_room:
            outcome, reason = with_room_in_mind(outcome, reason)
        told = replace(attempt, feedback=_joined(attempt.feedback, feedback))
        self.queue.ended(told, outcome=outcome, reason=reason, evidence=evidence)
        return outcome


def _evidence(collected: Collected, *, base: str | None) -> Evidence:
    return Evidence(
        files=collected.files,
        insertions=collected.insertions,
        deletions=collected.deletions,
        base_commit=base,
        change=fingerprint(collected.diff),
    )


def _why(check: CheckRun) -> str:
    """Return in one line why a check does not accept the work."""
    if check.exit_code is None:
        first = next((line for line in check.tail.splitlines() if line.strip()), "it did not end in time")
        return f"`{check.command}`: {first[:160]}"
    failing = f": {in_words(check.failures)}" if check.failures else ""
    return f"`{check.command}` failed with exit code {check.exit_code}{failing}"


def _told(check: CheckRun) -> str:
    """Return what the next attempt must know of a failed check."""
    return f"{_why(check)}\nThe end of its output:\n{check.tail}"


def _message(task: Task, attempt: Attempt, provider: Provider, evidence: Evidence, judged: Verdict) -> str:
    """Return the landed commit's message: what was done, and trailers that say by whom and on what evidence."""
    check = evidence.checks[-1]
    said = task.summary.strip()
    body = f"{said}\n\n" if said else ""
    cost = _cost(attempt)
    doubts = "".join(f", but {kind}" for kind in dict.fromkeys(one.kind for one in evidence.concerns if one.lowers))
    shown = f"{check.result}{doubts}"
    verified = f"{check.command} ({shown})" if judged is Verdict.VERIFIED else f"nothing ({shown})"
    demo = " (scripted demo)" if provider.is_demo else ""
    return (
        f"{task.title}\n\n{body}"
        f"Task: {task.id} {task.key}\n"
        f"Attempt: {attempt.id}\n"
        f"Specialist: {task.specialist}\n"
        f"Agent: {attempt.agent} ({attempt.provider} {attempt.cli_version or 'unknown'}){demo}\n"
        f"Verified-by: {' '.join(verified.split())}\n"
        f"{cost}"
    )


def _cost(attempt: Attempt) -> str:
    """Return the trailer with what the attempt cost, or nothing when nobody knows."""
    if not attempt.usage.cost_micro_usd:
        return ""
    estimate = " (estimate)" if attempt.usage.cost_is_estimate else ""
    return f"Cost-USD: {attempt.usage.cost_micro_usd / 1_000_000:.4f}{estimate}\n"


def _joined(before: str, more: str) -> str:
    return f"{before}\n{more}" if before else more
