"""Evidence: the whole of one task's, and the checks of landed work run again."""

from typing import TYPE_CHECKING

import click

from agent_orchestrator.cli import completing, doors, exits, render, shared_options
from agent_orchestrator.cli.render import line
from agent_orchestrator.services.json_values import Json

if TYPE_CHECKING:
    from agent_orchestrator.runtime.reverifying import Reverified

TAIL_LINES = 12
"""Lines shown of a check's output; the JSON has up to 8,000 characters."""


@click.command()
@click.argument("name", metavar="TASK|GOAL", shell_complete=completing.goals_and_tasks)
@shared_options.as_json
def verify(name: str, as_json: bool) -> None:
    """Run the checks of landed work again, in a clean checkout.

    For a TASK, the check that accepted it, on its commit; for a GOAL, every check, on everything that landed. Exits 0
    when the work is verified, 6 when it is not, or no longer is.
    """
    app = doors.app(create=False)
    found = app.verify(name)
    document = _json(found)
    if as_json:
        doors.answer(document)
    else:
        render.say(_verified_lines(document))
    if not found.holds:
        raise click.exceptions.Exit(exits.PARTLY)


def _json(found: "Reverified") -> Json:
    from agent_orchestrator.domain.task import Task
    from agent_orchestrator.services.json_values import checks_json, concerns_json

    subject = found.subject
    return {
        "kind": "task" if isinstance(subject, Task) else "goal",
        "id": subject.id,
        "title": subject.title,
        "commit": found.commit,
        "verdict_then": found.verdict_then.value if found.verdict_then else None,
        "verdict": found.verdict.value,
        "holds": found.holds,
        "checks": checks_json(found.checks),
        "concerns": concerns_json(found.concerns),
        "notes": list(found.notes),
    }


def _verified_lines(found: Json) -> list[str]:
    now = render.state(found["verdict"])
    lines = [f"{render.heading(found['id'] + '  ' + line(found['title']))}  {now}"]
    lines.append(f"  in a clean checkout of {found['commit'][:10]}")
    for check in found["checks"]:
        lines += check_lines(check, "  ")
    lines += [f"  {'concern':<11} {concern_line(one)}" for one in found["concerns"]]
    lines += [f"  {'note':<11} {line(note, 400)}" for note in found["notes"]]
    then = found["verdict_then"]
    if found["holds"]:
        lines.append("  Still verified." if then == "verified" else "  Verified.")
    elif then == "verified":
        lines.append("  It was verified when it landed, and is not any more.")
    elif found["concerns"] and all(one["result"] == "passed" for one in found["checks"]):
        lines.append("  Its check passes, and is not to be relied on: the work meddled with it.")
    else:
        lines.append(f"  Not verified; when it landed it was {then or 'not judged'}.")
    return lines


def check_lines(check: Json, indent: str) -> list[str]:
    """Return one run of a check, with the end of its output where that is not a pass."""
    from agent_orchestrator.cli.morning import check_line

    lines = [f"{indent}{'check':<11} {line(check_line(check), 400)}"]
    if check["result"] not in {"passed", "not_available"}:
        lines += render.block(check["tail"], f"{indent}  ", TAIL_LINES)
    return lines


def concern_line(concern: Json) -> str:
    """Return what was seen, where, and why it does not count if it does not."""
    where = f"{concern['path']}: " if concern["path"] else ""
    excuse = f" (told only: {concern['excuse']})" if concern["excuse"] else ""
    return line(f"{where}{concern['detail']}{excuse}", 500)


def evidence_lines(found: Json) -> list[str]:
    """Return a task's evidence bundle as lines for a person."""
    evidence = found["evidence"]
    demo = "  " + render.paint("(scripted demo)", "magenta") if found["demo"] else ""
    state = render.state(found["state"]) + (f", {render.state(found['verdict'])}" if found["verdict"] else "")
    lines = [f"{render.heading(found['id'] + '  ' + line(found['title']))}  {state}{demo}"]
    version = "" if found["cli_version"] in {None, "unknown"} else f" {found['cli_version']}"
    model = f", {found['model']}" if found["model"] else ""
    took = render.between(found["started_at"], found["ended_at"]) if found["ended_at"] else "not ended"
    facts = [
        ("goal", f"{found['goal']}  {found['goal_title']}"),
        ("asked for", "; ".join(found["acceptance"])),
        ("may write", ", ".join(found["owns"])),
        ("agent", f"{found['agent']} ({found['provider']}{version}{model}), attempt {found['number']}"),
        ("program", found["cli_path"]),
        ("prompt", f"sha256 {found['prompt_sha256']}" if found["prompt_sha256"] else ""),
        ("began", found["started_at"]),
        ("took", took),
        ("cost", render.money(found["usage"])),
        ("base", evidence["base_commit"]),
        ("commit", evidence["commit"]),
    ]
    lines += [f"  {name:<11} {line(value, 500)}" for name, value in facts if value]
    for check in evidence["checks"]:
        lines += ["", *check_lines(check, "  ")]
        if check["tree"]:
            lines.append(f"  {'on tree':<11} {check['tree']}")
        if check["result"] == "passed":
            lines += render.block(check["tail"], "    ", TAIL_LINES)
    told = [("concern", concern_line(one)) for one in evidence["concerns"]]
    told += [
        (name, line(one, 500)) for name in ("note", "advice") for one in evidence[{"note": "notes"}.get(name, name)]
    ]
    if told:
        lines += ["", *(f"  {name:<11} {text}" for name, text in told)]
    if evidence["diffstat"]:
        lines += ["", *render.block(evidence["diffstat"], "  ", 60)]
    for again in found["verified_again"]:
        text = f"{again['verdict']} ({again['result']}, {again['at']})"
        lines.append(f"  {'again':<11} {line(text)}")
    return [*lines, "", f"  run it again: orchestrate verify {found['id']}"] if evidence["commit"] else lines
