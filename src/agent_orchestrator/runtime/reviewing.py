"""Acting on a review: what accepting, rejecting and commenting do to the queue and to the branches.

A rejected task's commits are reverted by one commit on the goal's result
branch, merged in memory with what came after them, so nobody's working tree is
touched. Where the goal was delivered, the user's clean branch follows: what it
has beside the result is merged with the reverted result in memory. Where that
conflicts, or the tree is not clean, the one command that does it is said. It is
a merge of the result and no revert of the commits, because on top of a revert
the work's next version would conflict.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agent_orchestrator.domain.attempt import Outcome
from agent_orchestrator.domain.errors import DiskFull, RefusedByState, WorkspaceProblem
from agent_orchestrator.domain.goal import Delivery, Goal, Isolation
from agent_orchestrator.domain.ids import TaskId
from agent_orchestrator.domain.task import Task, TaskState
from agent_orchestrator.services.goals import Goals
from agent_orchestrator.services.reviews import Reviews
from agent_orchestrator.services.tasks import TaskQueue
from agent_orchestrator.stores import Store
from agent_orchestrator.workspaces import Workspaces

ROUNDS = 5
"""How often a revert is begun again because a landing moved the result branch meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What a decision did."""

    what: str
    """``accepted``, ``rejected`` or ``commented``."""
    task: Task
    said: str
    """One sentence for a person: what was done, and what was not."""


class _Moved(Exception):
    """The result branch is not where the revert was made for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewing:
    """What a person can do with a task that is done, or that failed."""

    store: Store
    reviews: Reviews
    queue: TaskQueue
    goals: Goals
    workspaces: Callable[[], Workspaces]

    def accept(self, id: TaskId) -> Decided:
        """Write down that the work is wanted; reports and reviews name it no longer as something to look at.

        Raises:
            RefusedByState: nothing of it is landed.
        """
        task = self.reviews.accept(id)
        goal = self.store.goals.get(task.goal)
        where = {Delivery.DELIVERED: "it is in your branch", Delivery.WAITING: "it is not in your branch yet"}
        note = where.get(goal.delivery, f"it stays on {goal.result_branch}" if goal.result_branch else "it stays")
        return Decided(what="accepted", task=task, said=f"accepted; {note}")

    def reject(self, id: TaskId, comment: str = "") -> Decided:
        """Take the work out of the result again and put the task back into the queue, with *comment*.

        A failed task has nothing landed: it is only put back. One that was rejected before, and whose work the user's
        branch still has because something stood in the way or broke it off, is taken out of that branch.

        Raises:
            RefusedByState: it is neither done nor failed, or its work is in the folder itself.
            WorkspaceProblem: later work builds on it; nothing was changed.
        """
        task = self.store.tasks.get(id)
        if task.state is TaskState.FAILED:
            return self._again("rejected", id, comment)
        if task.state in {TaskState.READY, TaskState.BLOCKED} and (left := self._left_to_take_out(task)):
            goal = self.store.goals.get(task.goal)
            said = f"rejected before; its work is out of {goal.result_branch}"
            said += self._deliver(goal, left, self._built_on(task))
            return Decided(what="rejected", task=task, said=said)
        task = self.reviews.done(id)
        goal = self.store.goals.get(task.goal)
        commits = self._landed(task, Outcome.SUCCEEDED)
        if commits and goal.isolation is Isolation.SHARED:
            raise RefusedByState(
                f"the work of task {id} is in the folder itself, where it cannot be told from yours",
                hint=f'take it out by hand, or ask for more: orchestrate review {id} --comment "…"',
            )
        for _ in range(ROUNDS):
            try:
                after = self.reviews.reject(id, comment, take_out=self._taking_out(goal, task, commits))
                break
            except _Moved:
                continue
        else:
            raise WorkspaceProblem(f"{goal.result_branch} kept moving; nothing was changed", hint="try again")
        said = "rejected and back in the queue"
        if commits:
            said += (
                f"; its work was taken out of {goal.result_branch}{self._deliver(goal, commits, self._built_on(after))}"
            )
        return Decided(what="rejected", task=after, said=said)

    def comment(self, id: TaskId, comment: str) -> Decided:
        """Ask for more: the task goes on in its session where it can, with *comment*. Landed work stays.

        Raises:
            BadInput: the comment is empty.
            RefusedByState: the task is neither done nor failed.
        """
        if self.store.tasks.get(id).state is TaskState.FAILED:
            return self._again("commented", id, comment)
        task = self.reviews.follow_up(id, comment)
        last = self.store.attempts.of_task(id)[-1]
        how = (
            f"{last.provider} goes on in its session"
            if last.session
            else f"{last.provider} has no session to go on in, so its agent begins anew with your words in its prompt"
        )
        said = f"back in the queue with your comment; what is landed stays, and {how}"
        return Decided(what="commented", task=task, said=said)

    def _again(self, what: str, id: TaskId, comment: str) -> Decided:
        task = self.queue.retry(id, comment=comment)
        told = " with your comment" if comment.strip() else ""
        landed = "what was landed before stays" if task.commit else "nothing of it was landed"
        return Decided(what=what, task=task, said=f"{landed}; it is back in the queue{told}")

    def _landed(self, task: Task, outcome: Outcome) -> list[str]:
        """Return the task's commits by attempts of *outcome*, the newest first: a follow-up lands one more."""
        found = [task.commit] if task.commit else []
        for attempt in reversed(self.store.attempts.of_task(task.id)):
            evidence = self.store.attempts.evidence(attempt.id) if attempt.outcome is outcome else None
            if evidence is not None and evidence.commit and evidence.commit not in found:
                found.append(evidence.commit)
        return found

    def _left_to_take_out(self, task: Task) -> list[str]:
        """Return the commits of a rejected task of a delivered goal, where the user's branch has not followed."""
        goal = self.store.goals.get(task.goal)
        commits = self._landed(task, Outcome.REJECTED)
        if not commits or goal.delivery is not Delivery.DELIVERED or not goal.base_branch or not goal.result_branch:
            return []
        workspaces = self.workspaces()
        result = workspaces.tip(goal.result_branch)
        followed = result is None or workspaces.contains(goal.base_branch, result)
        return [] if followed else [one for one in commits if workspaces.contains(goal.base_branch, one)]

    def _taking_out(self, goal: Goal, task: Task, commits: Sequence[str]) -> Callable[[], None]:
        """Make the commit that reverts *commits*; return what moves the result branch to it."""
        if not commits:
            return lambda: None
        workspaces, branch = self.workspaces(), goal.result_branch
        tip = workspaces.tip(branch) if branch else None
        if branch is None or tip is None:
            raise WorkspaceProblem(f"the branch {branch} is gone; nothing was changed")
        new = tip
        for commit in commits:
            # A commit on top of the landed one that undoes it, merged with what came after.
            back = workspaces.commit_tree(workspaces.tree(f"{commit}^"), parents=(commit,), message="Take back")
            union = workspaces.union(new, back)
            if union.tree is None:
                paths = ", ".join(union.conflicts[:5])
                raise WorkspaceProblem(
                    f"later work builds on task {task.id} ({paths}); nothing was changed",
                    hint=f'reject the later work first, or ask for more: orchestrate review {task.id} --comment "…"',
                )
            message = f"Take back: {task.title}\n\nRejected in review. This undoes {commit}.\n\nTask: {task.id}\n"
            new = workspaces.commit_tree(union.tree, parents=(new,), message=message)

        def move() -> None:
            if not workspaces.advance(branch, old=tip, new=new):
                raise _Moved

        return move

    def _deliver(self, goal: Goal, commits: Sequence[str], built_on: Sequence[str]) -> str:
        """Let the user's branch follow, if the goal's *commits* are in it; return what became of that.

        Where landed work was *built_on* the rejected, the branch stays: without it that work could not even start. It
        follows when the task is done again and everything together has passed its checks.
        """
        builders = ", ".join(built_on[:5])
        if goal.delivery is not Delivery.DELIVERED or goal.result_branch is None:
            return f", on which {builders} builds" if builders else ""
        if builders:
            return f"; {builders} builds on it, so {goal.base_branch} keeps it until it is done again"
        workspaces, where = self.workspaces(), goal.base_branch or "your branch"
        if goal.base_branch and not any(workspaces.contains(goal.base_branch, one) for one in commits):
            return f"; {where} does not contain it"
        by_hand = (
            f"take it out of {where} with `git merge {goal.result_branch}`, which ends in the commit that undoes it"
        )
        try:
            paths = self._with_theirs(goal, goal.result_branch)
            if paths:
                return f", but is still in {where}, where later work changes the same lines ({paths}): {by_hand}"
            done = workspaces.deliver(branch=goal.result_branch, into=goal.base_branch, base=goal.base_commit)
        except DiskFull as error:
            return f", but is still in {where}, for the disk is full ({error.message}): free some space and repeat this"
        if not done.done:
            return f", but is still in {where}: {done.why}; {by_hand}"
        if done.moved_from == goal.delivered_to:  # nothing of the user's lies between: undo takes out all of it
            self.goals.update(goal.id, delivered_to=done.moved_to)
        return f" and of {goal.base_branch}"

    def _with_theirs(self, goal: Goal, branch: str) -> str:
        """Put what the user's branch has beside the result under it, so that it can follow; return conflicts."""
        workspaces = self.workspaces()
        theirs = workspaces.tip(goal.base_branch) if goal.base_branch else None
        tip = workspaces.tip(branch)
        if theirs is None or tip is None or workspaces.contains(branch, theirs):
            return ""
        union = workspaces.union(theirs, tip)
        if union.tree is None:
            return ", ".join(union.conflicts[:5])
        message = f"Merge {goal.base_branch} with what was taken back of {goal.id}: {goal.title}\n\nGoal: {goal.id}\n"
        workspaces.advance(
            branch, old=tip, new=workspaces.commit_tree(union.tree, parents=(theirs, tip), message=message)
        )  # where a landing was quicker, the branch has moved, and what is said of it is true all the same
        return ""

    def _built_on(self, task: Task) -> list[str]:
        """Return the tasks that are done, changed something, and depend on *task*, directly or not."""
        found: dict[TaskId, str] = {}
        waiting = [task.id]
        while waiting:
            for id in self.store.tasks.needed_by(waiting.pop()):
                one = self.store.tasks.get(id)
                if id not in found and one.state is TaskState.DONE:
                    waiting.append(id)
                    found[id] = one.key if one.commit else ""
        return [key for key in found.values() if key]
