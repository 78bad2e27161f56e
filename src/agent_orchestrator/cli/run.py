"""Run on the command line: run, demo, stop."""

import os
import shlex
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agent_orchestrator.app import App, build
from agent_orchestrator.cli import columns, completing, doors, morning, render, running, shared_options
from agent_orchestrator.domain.errors import AlreadyRunning, BadInput, NothingToDo
from agent_orchestrator.domain.goal import Delivery, Isolation
from agent_orchestrator.domain.sandbox import SandboxMode

if TYPE_CHECKING:
    from agent_orchestrator.runtime.run_options import RunOptions

LOOK_EVERY_S = 0.5
"""How often --wait looks whether the other supervisor has ended."""

PLACES = ("auto", *(one.value for one in Isolation))
SANDBOXES = tuple(one.value for one in SandboxMode)
PASSED_ON = ("max_agents", "budget", "provider", "isolation", "sandbox", "goal")
"""Options with a value that a run in the background gets as they were given."""


@click.command()
@click.option("--max-agents", type=click.IntRange(1, 100), help="How many agents run at once.")
@click.option("--until", metavar="TIME", help="Start nothing new after HH:MM or an ISO time; commit and report.")
@click.option("--for", "span", metavar="SPAN", help="The same after 8h, 90m, …")
@click.option("--budget", metavar="BUDGET", help="Ceiling for this run: 5 (dollars), 2M tokens, 90m, or 5,8h.")
@click.option("--provider", metavar="NAME,…", help="Who works; further names stand in while the first one waits.")
@click.option("--isolation", type=click.Choice(PLACES), help="Where attempts work.")
@click.option("--sandbox", type=click.Choice(SANDBOXES), help="How agents are shut in; strict hides your home.")
@click.option("--goal", metavar="ID", shell_complete=completing.goals, help="Work on this goal only.")
@click.option("--watch", is_flag=True, help="Stay and wait for new work.")
@click.option("--detach", is_flag=True, help="Run in the background.")
@click.option("--include-dirty", is_flag=True, help="Take uncommitted changes along as the goals' base.")
@click.option("--no-wait", is_flag=True, help="End when every provider is on hold, instead of waiting for its reset.")
@click.option("--wait", is_flag=True, help="When a supervisor runs already, wait until it has ended.")
@click.option(
    "--trust", is_flag=True, help="Let agents obey this repository's own hooks and tool servers as they are now."
)
@click.option("-y", "--yes", is_flag=True, help="Make a first commit where there is none, without asking.")
@shared_options.as_json
def run(yes: bool, trust: bool, detach: bool, wait: bool, as_json: bool, **given: Any) -> int:
    """Work on the queue with up to N agents until it is done.

    When a supervisor runs already, --max-agents changes how many it runs.

    Exit codes: 0 all goals completed, 3 nothing to do, 5 a supervisor runs already, 6 some failed or need a person,
    7 stopped by a budget, deadline or limit, 8 not ready, 130 stopped by you.
    """
    app = doors.app(flags=_flags(given))
    options = _options(app, given)
    if not _free(app, wait=wait):
        said = "a supervisor runs here already"
        if given["max_agents"] is not None:
            app.supervision.set_max_agents(given["max_agents"])
            said += f"; it now runs up to {given['max_agents']} agents"
        if doors.interactive() and not as_json and not detach:
            return _look_on(click.get_current_context(), said)
        raise AlreadyRunning(said, hint="orchestrate watch looks on; --wait waits for it")
    app.notice_taken_in()
    # Agents may be left of a supervisor that died, of a goal that was cancelled since: then the run is to end them.
    if not app.goals_of_run(options.goal) and not options.watch and not app.store.attempts.open():
        asking = next(iter(app.goals.asking()), None)
        asks = f"a change of a plan waits for you: orchestrate plan-continue {asking}"
        raise NothingToDo("no goal is open", hint=asks if asking else 'submit one: orchestrate submit "…"')
    dirty = options.include_dirty
    running.make_ready(app, yes=yes, ask=not as_json, include_dirty=dirty, trust=trust, budget=options.budget)
    if detach:
        return _detach(app, given, as_json=as_json)
    ran = running.lead(app, options)
    if as_json:
        doors.answer(running.as_json(app, ran))
    else:
        running.tell(ran)
    return running.exit_code(ran)


def _flags(given: dict[str, Any]) -> dict[str, Any]:
    isolation = given["isolation"]
    sandbox = SandboxMode(given["sandbox"]) if given["sandbox"] else None
    chosen = shared_options.chosen(max_agents=given["max_agents"], provider=given["provider"], sandbox=sandbox)
    return chosen if isolation in {None, "auto"} else {**chosen, "isolation": Isolation(isolation)}


def _options(app: App, given: dict[str, Any]) -> "RunOptions":
    """Return what the run is asked for. Raises BadInput, NotFound, NotReady before anything is touched."""
    return app.run_options(
        until=running.deadline(given["until"], given["span"], app.clock.now()),
        budget=running.budget(given["budget"]),
        goal=app.goals.resolve(given["goal"]).id if given["goal"] else None,
        watch=given["watch"],
        include_dirty=given["include_dirty"],
        wait_for_limits=not given["no_wait"],
    )


def _free(app: App, *, wait: bool) -> bool:
    """Say whether no other supervisor runs, with *wait* once it has ended."""
    while (current := app.supervision.current()) is not None:
        if not wait:
            return False
        doors.tell(f"waiting for the supervisor {current.pid} to end")
        while app.supervision.current() is not None:
            time.sleep(LOOK_EVERY_S)
    return True


def _look_on(context: click.Context, said: str) -> int:
    doors.tell(f"{said}; looking on (its work goes on when you leave)")
    group = context.find_root().command
    assert isinstance(group, click.Group)
    watch = group.get_command(context, "watch")
    assert watch is not None
    context.invoke(watch)
    return 0


def _detach(app: App, given: dict[str, Any], *, as_json: bool) -> int:
    """Start the same run in the background and stay until it leads."""
    from agent_orchestrator.runtime.detaching import detach

    values = {f"--{name.replace('_', '-')}": given[name] for name in PASSED_ON}
    deadline = running.deadline(given["until"], given["span"], app.clock.now())
    values["--until"] = deadline.isoformat() if deadline else None
    switches = {"--watch": "watch", "--include-dirty": "include_dirty", "--no-wait": "no_wait"}
    arguments = ["run", *(f"{name}={value}" for name, value in values.items() if value is not None)]
    arguments += [name for name, key in switches.items() if given[key]]
    app.store.close()
    found = detach(
        arguments,
        folder=app.folder,
        environ=os.environ,
        log=app.state / "supervisor.log",
        leads=lambda pid: (current := app.supervision.current()) is not None and current.pid == pid,
    )
    if as_json:
        doors.answer({"pid": found.pid, "log": str(found.log), "exit_code": found.exit_code, "said": found.said})
    elif found.exit_code is None:
        columns.show([(found.pid, found.log)])
        doors.tell("runs in the background; orchestrate watch looks on, orchestrate stop ends it")
    else:
        doors.tell(found.said)
        doors.tell(f"it has ended already, with exit code {found.exit_code} ({found.log})")
    return found.exit_code or 0


@click.command()
@click.option(
    "--pace", type=click.FloatRange(0, 100), default=1.0, help="Factor on the agents' pauses; 0 takes them out."
)
@click.option("--keep", type=click.Path(path_type=Path), metavar="PATH", help="Where to make the project.")
@click.option("--max-agents", type=click.IntRange(1, 100), default=3, show_default=True, help="Agents at once.")
@shared_options.as_json
def demo(pace: float, keep: Path | None, max_agents: int, as_json: bool) -> int:
    """See the whole thing at work on a sample project, without keys or agents.

    The agents follow scripts; processes, checkouts, checks and commits are real. Exits 0 when the goal was delivered.
    """
    from agent_orchestrator.app.demo import begin_demo
    from agent_orchestrator.services.goals import Submission

    place = (keep or Path(tempfile.mkdtemp(prefix="orchestrate-demo-"))).expanduser().absolute()
    if place.is_dir() and any(place.iterdir()):
        remove = f"rm -r {shlex.quote(str(place))}"
        raise BadInput(
            f"{place} is not empty", hint=f"give a folder that does not exist yet, or remove this one: {remove}"
        )
    plan = begin_demo(place / "project")
    doors.tell(f"DEMO: a scripted show in {place}; no model is asked. Processes, checks and commits are real.")
    environ = _demo_environ(place)
    app = build(
        place / "project",
        environ=environ,
        flags={
            "provider": "demo",
            "planner": "rules",
            "demo_pace": str(pace),
            "max_agents": max_agents,
            "retry_seconds": min(5, round(2 * pace)),
            "keep_awake": False,
        },
    )
    goal, _ = app.goals.accept(plan, Submission(text=plan.goal, demo=True))
    ran = running.lead(app, app.run_options(goal=goal.id))
    if as_json:
        doors.answer({**running.as_json(app, ran), "folder": str(place)})
    else:
        render.say(morning.as_text(app.reports.goal(app.store.goals.get(goal.id))), folded=True)
        state = environ["XDG_STATE_HOME"]
        doors.tell(f"The project stays in {app.folder}. To look around:")
        doors.tell(f"  cd {app.folder} && git log && XDG_STATE_HOME={state} {_launcher()} report {goal.id}")
    delivered = app.store.goals.get(goal.id).delivery is Delivery.DELIVERED
    return running.exit_code(ran) or (0 if delivered else 1)


def _launcher() -> str:
    """Return how to call us from any folder: by name where the shell finds it."""
    beside = Path(sys.executable).with_name("orchestrate")
    return "orchestrate" if shutil.which("orchestrate") or not beside.exists() else str(beside)


def _demo_environ(place: Path) -> dict[str, str]:
    """Return an environment in which nothing of the user's projects and settings is read or written."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ORCHESTRATE_")}
    kept.pop("MAX_AGENTS", None)
    return {"XDG_STATE_HOME": str(place / "state"), **kept, "XDG_CONFIG_HOME": str(place / "config")}


def _was_held(hold: dict[str, Any]) -> str:
    return f"it was on hold until {render.local(hold['until'], None)} ({hold['kind'].replace('_', ' ')})"


@click.command()
@click.argument("provider", required=False, shell_complete=completing.held)
@shared_options.as_json
def resume(provider: str | None, as_json: bool) -> None:
    """Use a provider again that is on hold, without waiting for its reset.

    Without PROVIDER all are released. One that still refuses is put on hold again. Exits 3 when none is on hold.
    """
    app = doors.app(create=False)
    released = app.resume(provider)
    running = app.supervision.current() is not None
    if as_json:
        doors.answer({"released": released, "supervisor_running": running})
        return
    columns.show([(one["provider"], "is used again", _was_held(one)) for one in released])
    doors.tell("the running supervisor takes it up" if running else "start it: orchestrate run")


@click.command()
@click.option("--now", is_flag=True, help="Kill the agents instead of asking them to end.")
@click.option("--wait", is_flag=True, help="Return when it has ended.")
@shared_options.as_json
def stop(now: bool, wait: bool, as_json: bool) -> None:
    """Ask the running supervisor to stop, saving and requeueing work."""
    app = doors.app(create=False)
    leader = app.supervision.stop(now=now)
    while wait and (current := app.supervision.current()) is not None and current.term == leader.term:
        time.sleep(LOOK_EVERY_S)
    ended = app.supervision.current() is None
    if as_json:
        doors.answer({"pid": leader.pid, "ended": ended})
    else:
        columns.show([(leader.pid, "has ended" if ended else "is asked to stop")])
