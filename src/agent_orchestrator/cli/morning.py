"""The report on one goal, for a terminal and as Markdown: first the verdict and what needs the user, then each task.

All forms, the page of ``cli/page.py`` too, are made from the same sentences.
They are plain here, cleaned and escaped where they are laid out, so no form can
forget it. A task's story is five lines at most.
"""

from itertools import groupby

from agent_orchestrator.cli import render
from agent_orchestrator.cli.render import line, markdown
from agent_orchestrator.services.figures import NOT_JUDGED
from agent_orchestrator.services.json_values import Json, usages_summed

SAID_LIMIT = 400
"""Columns of an agent's own words about its work: `task` shows them whole."""
FILES_SHOWN = 8
LINE_LIMIT = 600
"""Columns of one sentence of the report."""
WORDS_SHOWN = 12
"""Lines of the goal as it was given that a report on a terminal begins with."""
NEEDS_SHOWN = 3
"""Things that one goal of several needs, named one by one; its own report has all."""
LOOK_FIRST = "Look at first"
LOOK_SHOWN = 8
"""Landed tasks that are named as those to look at first."""


def as_text(goal: Json) -> list[str]:
    """Return the report as lines for a terminal."""
    demo = "  " + render.paint("(scripted demo)", "magenta") if goal["demo"] else ""
    lines = []
    if goal.get("others"):
        title, told = night(goal)
        lines += [render.heading(title)]
        for first, wants in told:
            lines.append(f"  {line(first, LINE_LIMIT)}")
            lines += [f"      {line(one, LINE_LIMIT)}" for one in wants]
        lines.append("")
    lines += [render.heading(f"{goal['id']}  {line(goal['title'])}") + demo]
    if goal["text"].strip() != goal["title"]:
        words = render.block(goal["text"])
        more = f"  … and {len(words) - WORDS_SHOWN} more lines: orchestrate report {goal['id']} --html FILE has all"
        lines += [*words[:WORDS_SHOWN], *([more] if len(words) > WORDS_SHOWN else []), ""]
    lines += [f"  {line(one, LINE_LIMIT)}" for one in verdict(goal)]
    needs = needs_you(goal)
    lines += ["", render.heading("Needs you" if needs else nothing(goal))]
    for what, command in needs:
        lines.append(f"  - {line(what, LINE_LIMIT)}")
        if command:
            lines.append(f"      {line(command)}")
    look = look_first(goal)
    if look:
        lines += ["", render.heading(LOOK_FIRST), *(f"  - {line(one, LINE_LIMIT)}" for one in look)]
        lines.append(f"      orchestrate review {goal['id']}")
    lines += ["", render.heading(f"Tasks ({done(goal)})")]
    for task in goal["tasks"]:
        first, *rest = task_facts(goal, task)
        lines.append(f"  {render.paint(line(first, LINE_LIMIT), _colour(task))}")
        lines += [f"      {line(one, LINE_LIMIT)}" for one in rest]
    for title, rows in figures(goal):
        lines += ["", render.heading(title), *render.table([[line(cell, 60) for cell in row] for row in rows])]
    return lines


def as_markdown(goal: Json) -> list[str]:
    """Return the report as lines of Markdown."""
    demo = " (scripted demo)" if goal["demo"] else ""
    lines = []
    if goal.get("others"):
        title, told = night(goal)
        lines += [f"# {title}", ""]
        for first, wants in told:
            lines.append(f"- {markdown(line(first, LINE_LIMIT))}")
            lines += [f"  - {markdown(line(one, LINE_LIMIT))}" for one in wants]
        lines.append("")
    lines += [f"# {markdown(line(goal['title']))}{demo}", ""]
    lines += [f"{markdown(line(one, LINE_LIMIT))}  " for one in [f"Goal {goal['id']}", *verdict(goal)]]
    needs = needs_you(goal)
    lines += ["", "## Needs you" if needs else f"## {nothing(goal).rstrip('.')}", ""]
    for what, command in needs:
        lines.append(f"- {markdown(line(what, LINE_LIMIT))}" + (f" `{command}`" if command else ""))
    look = look_first(goal)
    if look:
        lines += ["", f"## {LOOK_FIRST}", "", *(f"- {markdown(line(one, LINE_LIMIT))}" for one in look)]
    lines += ["", f"## Tasks ({done(goal)})"]
    for task in goal["tasks"]:
        first, *rest = task_facts(goal, task)
        lines += ["", f"### {markdown(line(first, LINE_LIMIT))}", ""]
        lines += [f"- {markdown(line(one, LINE_LIMIT))}" for one in rest]
    for title, rows in figures(goal):
        cells = [[markdown(line(cell, 60)) or " " for cell in row] for row in rows]
        head, *body = [f"| {' | '.join(row)} |" for row in cells]
        lines += ["", f"## {title}", "", head, "|---" * len(cells[0]) + "|", *body]
    return lines


def nothing(goal: Json) -> str:
    """Say that nothing needs the user, which must not be read as being about goals that this report leaves out."""
    waiting = sum(one["needs_you"] for one in goal.get("others", ()))
    if not waiting:
        return "Nothing needs you."
    return f"Nothing of this goal needs you; {waiting} of the other goals do{'es' if waiting == 1 else ''}."


def night(goal: Json) -> tuple[str, list[tuple[str, list[str]]]]:
    """Return a title and all goals of the last day, *goal* among them: those that need the user first.

    Each has a sentence on how it stands, then what it needs, with the command.
    """
    itself = {**goal, "needs": goal["needs_you"], "needs_you": bool(goal["needs_you"])}
    ranked = sorted([itself, *goal["others"]], key=_pressing)
    asking = sum(one["needs_you"] for one in ranked)
    found = []
    for one in ranked:
        judged = f"{one['state']}, {one['verdict']}" if one["verdict"] else one["state"]
        where = {"delivered": "; in your branch", "undone": "; undone"}.get(one["delivery"], "")
        told = [
            f"needs you: {what}{f': {command}' if command else ''}"
            for what, command in needs_you({"needs_you": one["needs"]})[:NEEDS_SHOWN]
        ]
        if len(one["needs"]) > NEEDS_SHOWN:
            told.append(f"and {len(one['needs']) - NEEDS_SHOWN} more")
        whole = "below" if one["id"] == goal["id"] else f"orchestrate report {one['id']}"
        found.append((f"{one['id']}: {one['title']} [{judged}{where}]; {whole}", told))
    return f"{len(ranked)} goals of the last day, {asking or 'none'} need{'s' * (asking == 1)} you", found


def _pressing(one: Json) -> int:
    """Return the place of a goal among those of a night: high risks first, then what needs the user, then the rest."""
    if any(need["risk"] == "high" for need in one["needs"]):
        return 0
    return 1 if one["needs_you"] else 2


def verdict(goal: Json) -> list[str]:
    """Return sentences on the goal as a whole: how it stands, on what evidence, from which plan, at what cost."""
    found = [_standing(goal)]
    if goal["demo"]:
        found.append("This is a show: scripted demo agents did the work, no model was asked.")
    tampered = [task["key"] for task in goal["tasks"] if task["verdict"] == "unverified" and _doubts(task)]
    if tampered:
        found.append(
            f"Not verified, though the check passed: {', '.join(tampered)}. The work itself is why; see below."
        )
    unverified = [
        task["key"] for task in goal["tasks"] if task["verdict"] == "unverified" and task["key"] not in tampered
    ]
    if unverified:
        found.append(f"Not verified: {', '.join(unverified)}. The work is there, but no check of ours vouches for it.")
    found += _together(goal)
    found += _base(goal)
    for one in goal["plan_changes"]:
        found.append(
            f"Re-planned while it ran (version {one['version']}, {one['who']}): {one['what']}. Why: {one['why']}"
        )
    if goal["notice"]:
        found.append(f"Plan ({goal['source']}): {goal['notice']}")
    if goal["delivery"] == "delivered":
        found.append(f"Delivered: {goal['delivery_note']}")
    elif goal["delivery"] in {"nothing", "undone"} and goal["delivery_note"]:
        found.append(f"{goal['delivery'].capitalize()}: {goal['delivery_note']}")
    took = render.between(goal["started_at"], goal["ended_at"] or goal["now"])
    if goal["slept"]:
        asleep = render.age(sum(one["seconds"] for one in goal["slept"]))
        times = f"{len(goal['slept'])} times, " if len(goal["slept"]) > 1 else ""
        took += f", of which the machine slept {times}{asleep}"
    found.append(f"Took {took}. Cost: {render.goal_spend(goal)}.{_asked(goal)}")
    return found


def _asked(goal: Json) -> str:
    """Say what of the cost went to planners who were asked while the goal was worked on."""
    asked = goal["planners_asked"]
    if not asked:
        return ""
    spend = usages_summed([one["usage"] for one in asked])
    who = ", ".join(dict.fromkeys(one["planner"] for one in asked))
    keys = ", ".join(dict.fromkeys(one["key"] or one["task"] for one in asked))
    times = "once" if len(asked) == 1 else f"{len(asked)} times"
    return f" In it: {who}, asked {times} how to divide {keys}, {render.money(spend)}."


def _doubts(task: Json) -> bool:
    """Say whether what the work did lowered its verdict."""
    evidence = next((one["evidence"] for one in reversed(task["attempts"]) if one["evidence"]), None)
    return evidence is not None and any(one["lowers"] for one in evidence["concerns"])


def _together(goal: Json) -> list[str]:
    """Return what the check on everything landed together showed, where that is more than the tasks' own say."""
    check = goal["check"]
    if check is None or check.get("verdict") == "verified":
        return []
    if check["result"] == "not_checked":
        return [f"All that landed could not be checked together: {check['reason']}"]
    if check["result"] == "not_available":
        return []
    names = ", ".join(str(name) for name in (check["failures"] or [])[:5])
    how = {"base_is_red": "vouches for nothing: it fails on the base too"}.get(check["result"], "fails")
    return [f"On everything landed together `{check['command']}` {how}{f' ({names})' if names else ''}."]


def _standing(goal: Json) -> str:
    counts = render.counts(goal["counts"])
    match goal["state"], goal["verdict"]:
        case "completed", "rejected" if goal["delivery"] == "delivered":
            return "Completed, and broken: the check fails on everything landed together, and it is in your branch."
        case "completed", "rejected":
            return "Completed, and broken: the check fails on everything landed together, so it was not delivered."
        case "completed", "verified":
            how = (
                "and passed" if not _excused(goal) else "without a new failure; what failed before the work still fails"
            )
            return f"Completed and verified: every task's checks ran here, on everything landed together, {how}."
        case "completed", _:
            return f"Completed, not verified as a whole: {counts}."
        case ("ready" | "executing") as state, _:
            return f"Not finished ({state}): {counts}."
        case state, _:
            return f"{state.capitalize()}: {goal['reason'] or counts}."


def _excused(goal: Json) -> bool:
    """Say whether a check of what landed failed, in nothing but what had failed before the work."""
    landed = [attempt for task in goal["tasks"] for attempt in task.get("attempts", ())[-1:]]
    checks = [check for attempt in landed for check in (attempt.get("evidence") or {}).get("checks", ())]
    return any(check["result"] == "no_new_failures" for check in checks)


def _base(goal: Json) -> list[str]:
    base = goal["base"]
    if base is None:
        return []
    if base["result"] == "not_checked":
        return [f"The project's check could not be run on the base: {base['reason']}"]
    if not base["red"]:
        return []
    names = ", ".join(str(name) for name in (base.get("failures") or [])[:5])
    how = {"flaky": "is flaky", "timed_out": "did not end in time"}.get(base["result"], "failed")
    bar = "so only new failures count against the work" if base.get("failures") else "so it can vouch for little"
    return [f"Before any work `{base['command']}` {how} on the base{f' ({names})' if names else ''}, {bar}."]


def needs_you(goal: Json) -> list[tuple[str, str | None]]:
    """Return what goes on only when the user does something, with the command that does it."""
    found = []
    for one in goal["needs_you"]:
        command = one["command"]
        if one["what"] == "task_failed":
            found.append((f"Task {one['key']} failed: {one['why'] or 'no reason is known'}", command))
        elif one["what"] == "not_delivered":
            said = command is not None and command in one["why"]
            found.append((f"The result is not in your branch: {one['why']}", None if said else command))
        else:
            found.append((one["why"][:1].upper() + one["why"][1:], command))
    return found


def look_first(goal: Json) -> list[str]:
    """Return the landed work that something speaks for looking at, the riskiest first, without what was accepted."""
    found = [one for one in goal["look_first"] if one["why"] and one["decision"] != "accepted"]
    told = [f"{one['key']} ({one['risk']} risk): {'; '.join(one['why'])}" for one in found[:LOOK_SHOWN]]
    return [*told, f"and {len(found) - LOOK_SHOWN} more"] if len(found) > LOOK_SHOWN else told


def figures(goal: Json) -> list[tuple[str, list[list[str]]]]:
    """Return how specialists and providers did, each as a title and rows of cells, the first row their headings."""
    found = []
    for kind, title in (("specialists", "Specialist"), ("providers", "Provider")):
        rows = [
            [
                one["name"],
                f"{one['done']} of {one['tasks']}",
                "-" if one["success_rate"] is None else f"{one['success_rate']:.0%}",
                str(one["attempts"]),
                render.age(one["p50_s"]),
                render.age(one["p95_s"]),
                _dollars(one),
            ]
            for one in goal["figures"][kind]
        ]
        if rows:
            found.append((f"{title}s", [[title, "tasks done", "success", "attempts", "p50", "p95", "cost"], *rows]))
    return found


def _dollars(found: Json) -> str:
    about = "at least " if found["cost_is_partial"] else ""
    about += "about " if found["cost_is_estimate"] else ""
    return f"{about}${found['cost_usd']:,.2f}" if found["cost_usd"] else "-"


def task_facts(goal: Json, task: Json) -> list[str]:
    """Return a task's story in at most five plain sentences; the first names it and says how it stands."""
    facts = [f"{task['key']}: {task['title']} [{render.verdict_of(task)}]"]
    attempts = task["attempts"]
    if not attempts:
        waits = f", after {', '.join(task['depends_on'])}" if task["depends_on"] else ""
        return [*facts, f"{task['id']}, {task['specialist']}; not started{waits}"]
    tried = ", then ".join(
        f"{count} × {what}" if (count := len(list(same))) > 1 else what
        for what, same in groupby(_attempt(one) for one in attempts)
    )
    agents = dict.fromkeys(f"{one['agent']}{_model(one)}" for one in attempts)
    who = f"{task['id']}, {task['specialist']}, by {', '.join(agents)}"
    facts.append(f"{who}; {len(attempts)} attempt{'s' if len(attempts) > 1 else ''}: {tried}")
    evidence = next((one["evidence"] for one in reversed(attempts) if one["evidence"]), None)
    why = task["reason"] if task["state"] == "failed" and task["reason"] != attempts[-1]["reason"] else ""
    facts += [one for one in (_checks(task, evidence, why), _changes(evidence)) if one]
    took = render.between(attempts[0]["started_at"], attempts[-1]["ended_at"] or goal["now"])
    said = f"; its agent says (not evidence): {line(task['summary'], SAID_LIMIT)}" if task["summary"] else ""
    # What was refused or stopped may cost nothing; of other work that names no cost, nobody knows.
    counted = [one for one in attempts if one["usage"]["cost_usd"] or one["outcome"] not in NOT_JUDGED]
    cost = render.money(usages_summed([one["usage"] for one in counted or attempts]))
    return [*facts, f"took {took}; cost: {cost}{said}"]


def _attempt(attempt: Json) -> str:
    outcome = (attempt["outcome"] or "running").replace("_", " ")
    why = attempt["reason"] if attempt["outcome"] not in {None, "succeeded"} else ""
    return f"{outcome} ({line(why, 160)})" if why else outcome


def _model(attempt: Json) -> str:
    return f" ({attempt['model']})" if attempt["model"] else ""


def _checks(task: Json, evidence: Json | None, why: str) -> str:
    """Return what the checks showed, and why the task failed where no attempt of it says so."""
    found = [f"check: {check_line(one)}" for one in evidence["checks"]] if evidence else []
    if evidence is not None and not found and task["state"] == "done":
        found.append("check: none was run")
    return "; ".join([*found, f"why: {why}"] if why else found)


def _changes(evidence: Json | None) -> str:
    """Return which files changed by how much, and what a reviewer should know of that."""
    if evidence is None:
        return ""
    files, found = evidence["files"], []
    if files:
        more = f" and {len(files) - FILES_SHOWN} more" if len(files) > FILES_SHOWN else ""
        found.append(
            f"files: {', '.join(files[:FILES_SHOWN])}{more} (+{evidence['insertions']} -{evidence['deletions']})"
        )
    found += [f"{'concern' if one['lowers'] else 'told'}: {one['detail']}" for one in evidence["concerns"]]
    return "; ".join(found + [f"note: {one}" for one in evidence["notes"]])


def check_line(check: Json) -> str:
    """Return one run of a check: command, what it showed, exit code, time."""
    if check["result"] == "not_available" and not check["command"]:
        return "there is no command to run"
    if check["result"] == "not_available":
        said = [line.strip() for line in check["tail"].splitlines() if line.strip()]
        return f"`{check['command']}` cannot be run here: {said[-1] if said else 'it shows nothing'}"
    code = "never ended" if check["exit_code"] is None else f"exit {check['exit_code']}"
    cached = ", seen before on the same tree" if check["cached"] else ""
    seconds = check["duration_ms"] / 1000
    took = f"{seconds:.1f} s" if seconds < 10 else render.age(seconds)
    return f"`{check['command']}` {check['result'].replace('_', ' ')} ({code}, {took}{cached})"


def done(goal: Json) -> str:
    """Return how many of the goal's tasks are done."""
    count = sum(1 for task in goal["tasks"] if task["state"] == "done")
    return f"{count} of {len(goal['tasks'])} done"


def _colour(task: Json) -> str | None:
    return render.STATE_COLOURS.get(task["verdict"] or task["state"])
