"""Plans on the command line: make one, talk it over, take it elsewhere and back, decide on it."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from agent_orchestrator.app import App
from agent_orchestrator.cli import columns, completing, doors, render, shared_options, showing
from agent_orchestrator.domain.errors import BadInput, NotFound, NothingToDo
from agent_orchestrator.domain.task import PRIORITY_DEFAULT
from agent_orchestrator.services.goals import Submission
from agent_orchestrator.services.plans import SavedPlan

if TYPE_CHECKING:
    from agent_orchestrator.cli.running_plans import Answered

NUMBER_DIGITS = 12
"""Of a change that waits: more than there will ever be."""


@click.command()
@click.argument("goal", required=False)
@click.option(
    "--from", "file", metavar="FILE", help="Take the plan from a file (YAML, Markdown or JSON; - reads YAML)."
)
@click.option("--check", is_flag=True, help="Only say what is wrong or doubtful about the plan in the file.")
@click.option("-y", "--yes", is_flag=True, help="Queue the plan without asking.")
@click.option("--name", metavar="NAME", help="What to call the plan; without it a name is made of the goal.")
@click.option("--planner", type=click.Choice((*shared_options.PLANNERS, "heuristic")), help="Who splits the goal.")
@click.option("--plain", is_flag=True, help="In the conversation print words and lines only: for screen readers.")
@shared_options.with_wishes
@shared_options.as_json
def plan(
    goal: str | None,
    file: str | None,
    check: bool,
    yes: bool,
    name: str | None,
    planner: str | None,
    plain: bool,
    as_json: bool,
    **wished: Any,
) -> int:
    """Split a goal, and talk the plan over until you agree.

    GOAL is text, - for the standard input, or @FILE. On a terminal a conversation begins: the plan can be changed task
    by task, and ? lists the commands. Without a terminal, or with --yes or --json, nothing is asked. The plan is saved
    either way. --planner heuristic is rules.

    --priority, --budget, --verify and --context are kept with the plan, for when it is queued.
    """
    wishes = shared_options.wishes(wished)
    if (goal is None) == (file is None):
        raise click.UsageError("give either a goal or --from FILE")
    if check and file is None:
        raise click.UsageError("--check is for a plan in a file: --from FILE --check")
    planner = "rules" if planner == "heuristic" else planner
    app = doors.app(create=not check, flags=shared_options.chosen(planner=planner, verify=wishes.verify))
    if file is not None:
        from agent_orchestrator.cli import plan_files

        made = plan_files.read(app, file).plan
        if check:
            return plan_files.check(app, made, file, as_json=as_json)
    else:
        text = shared_options.goal_text(goal or "")
        if name is not None:
            app.plans.check_name(name)  # before a model is asked
        made = app.decompose(text)
    saved = app.plans.save(app.looked_over(made, new=file is None), name=name, wishes=wishes)
    return _decide(app, saved, yes=yes, as_json=as_json, plain=plain, fresh=file is None)


@click.command()
@click.option(
    "--remove", "gone", metavar="PLAN", multiple=True, shell_complete=completing.plans, help="Forget this plan first."
)
@shared_options.as_json
def plan_list(gone: tuple[str, ...], as_json: bool) -> None:
    """List saved plans.

    --remove forgets one that was not queued, with all its versions; it can be given several times.
    """
    saved = doors.app(create=False).plans
    for name in gone:
        id = saved.resolve(name).id
        saved.remove(id)
        doors.tell(f"plan {id} is removed")
    found = saved.recent()
    if as_json:
        keys = ("id", "state", "goal_text", "changed_at")
        plans: list[dict[str, Any]] = [dict(zip(keys, row, strict=True)) for row in found]
        doors.answer({"plans": [{**one, "changed_at": f"{one['changed_at']:%Y-%m-%dT%H:%M:%SZ}"} for one in plans]})
        return
    columns.show([(id, state, f"{at.astimezone():%Y-%m-%d %H:%M}", text) for id, state, text, at in found])
    if not found:
        doors.tell('no plans yet; make one: orchestrate plan "…"')


@click.command()
@click.argument("id", metavar="PLAN", shell_complete=completing.plans)
@click.option(
    "--apply", "changes", metavar="FILE", help="Make the changes, or take the plan, that FILE holds (- reads)."
)
@click.option("--export", "target", metavar="FILE", help="Write the plan to FILE: .yaml, .md or .json; - prints YAML.")
@click.option(
    "--diff",
    "span",
    metavar="[FROM[..TO]]",
    is_flag=False,
    flag_value="",
    help="Show what changed: since the version before, since FROM, or between two versions.",
)
@click.option(
    "--agree",
    metavar="[N,…]",
    is_flag=False,
    flag_value="",
    help="Of a goal in the queue: make the changes of its plan that wait for you; all, or those with these numbers.",
)
@click.option(
    "--refuse",
    metavar="[N,…|WHY]",
    is_flag=False,
    flag_value="",
    help="Of a goal in the queue: leave its plan as it is, against all that waits, or against these numbers.",
)
@click.option("--why", metavar="TEXT", help="With --refuse: the reason, for the log.")
@click.option("-y", "--yes", is_flag=True, help="Queue the plan without asking.")
@click.option("--plain", is_flag=True, help="In the conversation print words and lines only: for screen readers.")
@shared_options.as_json
def plan_continue(
    id: str,
    changes: str | None,
    target: str | None,
    span: str | None,
    agree: str | None,
    refuse: str | None,
    why: str | None,
    yes: bool,
    plain: bool,
    as_json: bool,
) -> int:
    """Continue with a saved plan: talk it over, change it, compare it, export it.

    PLAN is its name or id, an unambiguous start of one, or last. Without options, and on a terminal, the conversation
    goes on where it was left. An option that shows or changes something does only that. The id of a goal means that
    goal's plan, even while agents work on it: whatever has not begun can still be changed.
    """
    from agent_orchestrator.cli import plan_files

    if sum(one is not None for one in (changes, target, span, refuse, agree)) > 1:
        raise click.UsageError("choose one of --apply, --export, --diff, --agree and --refuse")
    if why is not None and refuse is None:
        raise click.UsageError("--why is for --refuse")
    answered = _answered(agree, refuse, why)
    app = doors.app(create=False)
    saved = _saved(app, id)
    if saved.goal is not None and target is None and not yes:
        return _go_on(app, saved, changes, span, answered, as_json=as_json)
    if answered is not None:
        raise BadInput(f"plan {saved.id} is not in the queue: nothing of it waits for you", hint="see: plan-list")
    if target is not None:
        return plan_files.export(saved, target, as_json=as_json)
    if span is not None:
        return _diff(app, saved, span, as_json=as_json)
    if changes is not None:
        saved = plan_files.apply(app, saved, changes, as_json=as_json)
        if not yes:
            if as_json:
                doors.answer(showing.saved_json(app, saved))
            return 0
    return _decide(app, saved, yes=yes, as_json=as_json, plain=plain, fresh=False)


def _answered(agree: str | None, refuse: str | None, why: str | None) -> "Answered | None":
    """Return what the user says to changes that wait; None when nothing is said to any."""
    if agree is None and refuse is None:
        return None
    from agent_orchestrator.cli.running_plans import Answered

    if agree is not None:
        numbers = _numbers(agree)
        if numbers is None:
            raise click.UsageError(f"--agree takes numbers, such as 2 or 2,5, not {agree[:40]!r}; PLAN comes before it")
        return Answered(agree=True, numbers=numbers)
    assert refuse is not None, "one of both was said"
    numbers = _numbers(refuse)
    if numbers is None and why is not None:
        raise click.UsageError("say the reason once: --refuse 2 --why TEXT, or --refuse WHY for all that waits")
    return Answered(agree=False, numbers=numbers or (), why=(refuse if numbers is None else why) or "")


def _numbers(text: str) -> tuple[int, ...] | None:
    """Return the numbers that *text* lists, none for an empty text; None when it is no list of numbers."""
    parts = [part.strip() for part in text.split(",")] if text.strip() else []
    if all(part.isascii() and part.isdigit() and len(part) <= NUMBER_DIGITS for part in parts):
        return tuple(map(int, parts))
    return None


def _saved(app: App, id: str) -> SavedPlan:
    """Return the plan that *id* names, or else the plan of the goal that it names, as it is now."""
    try:
        saved = app.plans.resolve(id)
    except NotFound as missing:
        try:
            goal = app.goals.resolve(id).id
        except NotFound:
            raise missing from None
        return app.running_plans.scene(goal).saved
    return saved if saved.goal is None else app.running_plans.scene(saved.goal).saved


def _go_on(
    app: App,
    saved: SavedPlan,
    changes: str | None,
    span: str | None,
    answered: "Answered | None",
    *,
    as_json: bool,
) -> int:
    """Go on with the plan of a goal that is in the queue."""
    from agent_orchestrator.cli import plan_files, running_plans
    from agent_orchestrator.planning.plan_file import format_of, read_data

    assert saved.goal is not None
    goal = app.store.goals.get(saved.goal)
    if span is not None:
        if app.store.plans.of_goal(goal.id) is None:
            raise NothingToDo(f"the plan of goal {goal.id} was never changed", hint=f"orchestrate report {goal.id}")
        return _diff(app, saved, span, as_json=as_json)
    if changes is not None:
        text = plan_files.text_in(changes)
        data, _ = read_data(text, format_of(changes))
        wanted = running_plans.Wanted(changes, data, lambda: plan_files.read(app, changes, text))
        running_plans.apply(app, goal, wanted, as_json=as_json)
    elif answered is not None:
        running_plans.decide(app, goal, answered, as_json=as_json)
    else:
        running_plans.show(app, goal, as_json=as_json)
    return 0


@click.command()
@click.argument("id", metavar="PLAN", shell_complete=completing.plans)
@click.option("--no-run", is_flag=True, help="Only queue it.")
@click.option("--max-agents", type=click.IntRange(1, 100), help="How many agents run at once.")
@click.option(
    "--hash", "fingerprint", metavar="HASH", help="Only if the plan still has this hash, as --json showed it."
)
@shared_options.with_wishes
@shared_options.as_json
def execute_plan(
    id: str, no_run: bool, max_agents: int | None, fingerprint: str | None, as_json: bool, **wished: Any
) -> int:
    """Queue a saved plan and run it.

    PLAN is its name or id, an unambiguous start of one, or last. When a supervisor is running already, the plan is only
    queued and that supervisor picks it up. Exit codes are those of `run`.

    --priority, --budget, --verify and --context given here override those saved with the plan.
    """
    wishes = shared_options.wishes(wished)
    app = doors.app(create=False, flags=shared_options.chosen(max_agents=max_agents))
    saved = app.plans.resolve(id)
    saved = replace(saved, wishes=wishes.over(saved.wishes))
    return _execute(app, saved, no_run=no_run, fingerprint=fingerprint, as_json=as_json)


def _execute(
    app: App, saved: SavedPlan, *, no_run: bool = False, fingerprint: str | None = None, as_json: bool = False
) -> int:
    leads = app.supervision.current() is not None
    if not as_json and saved.state != "executed":
        showing.expected(app, saved.plan)
    if no_run or leads or saved.state == "executed":  # executing it once more says what is wrong with that
        _queue(app, saved, fingerprint=fingerprint, as_json=as_json)
        if leads and not as_json:
            doors.tell("The running supervisor picks it up.")
        return 0
    from agent_orchestrator.cli import running

    running.make_ready(app, yes=False, ask=not as_json, include_dirty=False)
    goal, _ = app.plans.execute(saved.id, _submission(app, saved), fingerprint=fingerprint)
    ran = running.lead(app, app.run_options(goal=goal.id))
    if as_json:
        now = replace(app.plans.resolve(saved.id), wishes=saved.wishes)
        doors.answer({**showing.saved_json(app, now), "run": running.as_json(app, ran)})
    else:
        running.tell(ran)
    return running.exit_code(ran)


def _decide(app: App, saved: SavedPlan, *, yes: bool, as_json: bool, plain: bool, fresh: bool) -> int:
    """Talk a plan over, or show it; queue it when that is wished; otherwise say how to."""
    is_open = saved.state in {"planning", "approved"}
    if is_open and not yes and not as_json and doors.interactive():
        return _talk(app, saved, plain=plain, fresh=fresh)
    if not as_json:
        columns.show([(saved.id, saved.state, saved.plan.goal)])
        showing.plan(app, saved.plan)
        showing.questions(saved.plan, taken=yes or not is_open)
    if yes:
        _queue(app, saved, as_json=as_json, shown=not as_json)
    elif as_json:
        doors.answer(showing.saved_json(app, saved))
    elif is_open:
        if any(one.answer is None for one in saved.plan.questions):
            doors.tell(f"To answer, on a terminal: orchestrate plan-continue {saved.id}")
            doors.tell(f"or from a file: orchestrate plan-continue {saved.id} --apply answers.json, which holds")
            doors.tell('  [{"op": "answer", "question": 1, "answer": "…"}]')
        doors.tell(f"Saved. To queue and run it: orchestrate execute-plan {saved.id}")
    elif saved.goal:
        doors.tell(f"It became goal {saved.goal}: orchestrate report {saved.goal}")
    return 0


def _talk(app: App, saved: SavedPlan, *, plain: bool, fresh: bool) -> int:
    """Converse about a plan, and do with it what the person wants in the end."""
    from agent_orchestrator.cli.session import Session
    from agent_orchestrator.cli.terminal import can_draw
    from agent_orchestrator.planning.planner import Outcome

    session = Session(app, saved, plain=plain or not can_draw())
    outcome = session.talk(fresh=fresh)
    saved = app.plans.resolve(session.keeper.name)
    match outcome:
        case Outcome.QUEUE:
            _queue(app, saved, as_json=False, shown=True)
        case Outcome.RUN:
            return _execute(app, saved)
        case _ if saved.state in {"planning", "approved"}:
            doors.tell(f"Saved. To go on: orchestrate plan-continue {saved.id}")
            doors.tell(f"To queue and run it: orchestrate execute-plan {saved.id}")
        case _:
            doors.tell(f"It is {saved.state}: orchestrate plan-continue {saved.id}")
    return 0


def _diff(app: App, saved: SavedPlan, span: str, *, as_json: bool) -> int:
    """Show what lies between two versions."""
    from agent_orchestrator.planning.comparing import difference, in_words, to_json

    versions = app.plans.versions(saved.id)
    first, _, last = span.partition("..")
    end = _version(last, saved.version, len(versions))
    start = _version(first, max(1, end - 1), len(versions))
    found = difference(versions[start - 1].plan, versions[end - 1].plan)
    if as_json:
        listed = [
            {"version": one.version, "kind": one.kind, "what": one.what, "who": one.who, "why": one.why}
            for one in versions
        ]
        doors.answer({"id": saved.id, "from": start, "to": end, **to_json(found), "versions": listed})
        return 0
    for one in versions:
        whose = f", by {one.who}: {one.why}" if one.who else ""
        doors.tell(columns.one_line(f"version {one.version}: {one.what}{whose}"))
    render.say([columns.one_line(line) for line in in_words(found)])
    if not found:
        doors.tell("it has not been changed" if len(versions) == 1 else f"versions {start} and {end} are the same")
    return 0


def _version(text: str, default: int, count: int) -> int:
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= count):
        raise NotFound(f"there is no version {text[:20]}", hint=f"they are numbered 1 to {count}")
    return int(text)


def _queue(app: App, saved: SavedPlan, *, as_json: bool, shown: bool = False, fingerprint: str | None = None) -> None:
    """Queue a plan; *shown* says that it has just been printed, findings and all."""
    goal, tasks = app.plans.execute(saved.id, _submission(app, saved), fingerprint=fingerprint)
    if as_json:
        doors.answer(showing.saved_json(app, replace(app.plans.resolve(saved.id), wishes=saved.wishes)))
    else:
        showing.accepted(app, goal, tasks, None if shown else saved.plan)


def _submission(app: App, saved: SavedPlan) -> Submission:
    from agent_orchestrator.domain.budget import parse_budget

    wishes, each = saved.wishes, app.settings.task_budget
    return Submission(
        text=saved.plan.goal,
        priority=PRIORITY_DEFAULT if wishes.priority is None else wishes.priority,
        verify=wishes.verify,
        context=wishes.context,
        max_attempts=app.settings.max_attempts,
        budget=parse_budget(wishes.budget) if wishes.budget else None,
        task_budget=parse_budget(each) if each else None,
    )
