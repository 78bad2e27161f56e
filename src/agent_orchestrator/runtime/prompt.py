"""What an agent is told: its task, what came before, and what went wrong last time.

Everything that another agent or a tool wrote stands in a fenced block with its
author's name, as data. The acceptance checks are named, because they will be
run by us whatever the agent says. No prompt is ever sent twice: a retry carries
the evidence of the failure.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from agent_orchestrator.domain.attempt import Attempt
from agent_orchestrator.domain.goal import Goal
from agent_orchestrator.domain.message import Message
from agent_orchestrator.domain.task import Task
from agent_orchestrator.services.context import Result

GOAL_LIMIT = 20_000
"""Characters of the goal repeated in a task's prompt; the description carries what the task needs of it."""
BLOCK_LIMIT = 12_000
"""Characters of one fenced block: a failing test's tail fits, a whole log does not."""
EVIDENCE_HEADING = "## What happened before: evidence from the last attempt"
"""Stands above the evidence in a retry's prompt."""


def first(
    task: Task,
    goal: Goal,
    *,
    check: str | None,
    results: Sequence[Result],
    shared: Mapping[str, tuple[str, object]],
    messages: Sequence[Message],
    view: Path,
    earlier: Sequence[Attempt],
) -> str:
    """Return the prompt of an attempt that begins a new session."""
    parts = [
        f"You work on one task of a larger goal. Task {task.id} ({task.key}): {task.title}",
        f"## The task\n{task.description.strip() or task.title}",
        _listed("## It is accepted when", task.acceptance),
        f"## What the user said beside it\n{_fenced(task.context, 'user')}" if task.context.strip() else "",
        _goal(task, goal),
        _results(results),
        _shared(shared),
        _messages(messages),
        _history(earlier),
        _rules(task, check, view),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def again(task: Task, *, check: str | None, messages: Sequence[Message], before: Attempt, view: Path) -> str:
    """Return the prompt of an attempt that goes on in the session of *before*, which has the task in its memory."""
    parts = [
        f"Your work on task {task.id} ({task.key}): {task.title} is not accepted yet. Go on in this checkout.",
        _history([before]),
        _messages(messages),
        _rules(task, check, view),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _goal(task: Task, goal: Goal) -> str:
    if goal.text.strip() in task.description or goal.text.strip() == task.title:
        return ""
    return "## The goal it belongs to (do only your task of it)\n" + _fenced(goal.text[:GOAL_LIMIT], "user")


def _results(results: Sequence[Result]) -> str:
    if not results:
        return ""
    parts = ["## What the tasks before yours did\nTheir work is in your checkout already."]
    for result in results:
        files = ", ".join(result.files[:30]) + (" …" if len(result.files) > 30 else "")
        verdict = result.task.verdict or "not verified"
        parts.append(f"### {result.task.key}: {result.task.title} ({verdict})")
        if files:
            parts.append(f"Changed files: {files}")
        if result.task.summary:
            parts.append(_fenced(result.task.summary, f"the agent of {result.task.key}"))
        if result.data is not None:
            parts.append(_fenced(str(result.data), f"the agent of {result.task.key}, as data for you"))
    return "\n".join(parts)


def _shared(shared: Mapping[str, tuple[str, object]]) -> str:
    if not shared:
        return ""
    lines = [_fenced(f"{key}: {value}", author) for key, (author, value) in list(shared.items())[:20]]
    return "## What agents of this goal shared\n" + "\n".join(lines)


def _messages(messages: Sequence[Message]) -> str:
    if not messages:
        return ""
    return "## Messages for you\n" + "\n".join(_fenced(message.body, message.author) for message in messages[-10:])


def _history(earlier: Sequence[Attempt]) -> str:
    told = [attempt for attempt in earlier if attempt.feedback or attempt.reason]
    if not told:
        return ""
    parts = [EVIDENCE_HEADING]
    for attempt in told[-2:]:
        parts.append(f"Attempt {attempt.number} ended as {attempt.outcome or 'unknown'}: {attempt.reason}")
        if attempt.feedback:
            parts.append(_fenced(attempt.feedback, "the orchestrator's own checks"))
    parts.append("Find the cause of this and mend it; do not repeat what failed.")
    return "\n".join(parts)


def _rules(task: Task, check: str | None, view: Path) -> str:
    lines = [
        "Work only in the current directory; it is your own checkout. Leave the result as files there; you may commit, "
        "you need not. Do not push, do not switch branches of other people, do not ask questions: nobody answers.",
        "Do the task itself and nothing beside it. Do not delete, skip or weaken tests to make them pass.",
    ]
    if task.owns:
        lines.append(f"Keep to these files: {', '.join(task.owns)}")
    if check:
        lines.append(f"Your work is judged by running this, not by what you say: {check}")
    if not task.expects_change:
        lines.append("The result of this task is an answer; write it as your last message.")
    lines.append(
        f"What later tasks must know (interfaces, decisions) may go as JSON into {view}/results/{task.key}.json; "
        f"what all tasks should know into {view}/shared/<name>.json."
    )
    lines.append("End with two or three sentences on what you did.")
    return "## How to work\n" + "\n".join(f"- {line}" for line in lines)


def _listed(heading: str, items: Sequence[str]) -> str:
    return heading + "\n" + "\n".join(f"- {item}" for item in items) if items else ""


def _fenced(text: str, author: str) -> str:
    """Return *text* as a block of data with its author; a fence inside it cannot end the block."""
    body = text.strip()
    if len(body) > BLOCK_LIMIT:
        half = BLOCK_LIMIT // 2
        body = f"{body[:half]}\n[… {len(body) - BLOCK_LIMIT:,} characters left out …]\n{body[-half:]}"
    fence = "```"
    while fence in body:
        fence += "`"
    return f"{fence}text (from {author})\n{body}\n{fence}"
