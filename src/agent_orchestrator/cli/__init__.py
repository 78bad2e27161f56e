"""The door for people, agents and programs: parse, call ``app.<noun>.<verb>``, print.

Commands are loaded when they are called: ``orchestrate --help`` imports none of them, and their one-line helps stand in
the table below, each with its module: ``goals``, ``plans``, ``run``, ``agents``, ``tasks``, ``restore``, ``cleanup``,
``reports``, ``live``, ``review``, ``proof``, ``context``, ``setup``. The other modules help them:

- Every command: ``doors`` makes the app and answers, ``shared_options`` has what several take, ``completing``
  completes ids in the shell, ``exits`` names exit codes; ``render`` and ``columns`` say how things look.
- Plans: ``showing`` prints one, ``expectations`` its forecast; ``plan_files`` reads and writes files. A conversation
  is a ``session`` on a ``terminal``, which shows a ``plan_view``; ``typed`` keeps what was typed there.
  ``running_plans`` is about plans that are worked on.
- Runs: ``running`` leads one and says how it ended.
- Looking: ``morning`` is the report, ``page`` the same as HTML with its ``drawings``; ``walking`` goes through
  finished work key by key, ``transcripts`` show what agents said, ``chain`` whether the log was changed. Views that
  stay on the screen are ``looking`` at a project that may not be there yet, until ``ctrl_c``.
"""

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from agent_orchestrator.domain.errors import OrchestratorError

TRACE = "ORCHESTRATE_TRACE"
"""When it is set, an error of ours ends with its traceback, for a bug report."""

SECTIONS: dict[str, dict[str, tuple[str, str]]] = {
    "Plan": {
        "submit": ("goals", "Put a goal into the queue, as one task or (-d) split into several."),
        "plan": ("plans", "Split a goal, and talk the plan over until you agree."),
        "plan-list": ("plans", "List saved plans."),
        "plan-continue": ("plans", "Continue with a saved plan: talk it over, change it, compare it, export it."),
        "execute-plan": ("plans", "Queue a saved plan and run it."),
    },
    "Run": {
        "run": ("run", "Work on the queue with up to N agents until it is done."),
        "demo": ("run", "See the whole thing at work on a sample project, without keys or agents."),
        "stop": ("run", "Ask the running supervisor to stop, saving and requeueing work."),
        "resume": ("run", "Use a provider again that is on hold, without waiting for its reset."),
        "kill": ("agents", "Stop one agent; its task goes back to the queue."),
        "retry": ("tasks", "Try a failed task again, or split it; give a goal a new budget."),
        "cancel": ("goals", "Cancel a task or a whole goal."),
        "undo": ("goals", "Take a delivered goal back out of your branch."),
        "restore": ("restore", "Bring back a task's work from its checkpoints, on a new branch."),
        "cleanup": ("cleanup", "Free disk space that ended work still takes; shows first what it would free."),
    },
    "Look": {
        "status": ("reports", "What is going on: goals, agents, what waits and why, spend."),
        "watch": ("live", "Status, live."),
        "task": ("tasks", "Everything about one task: attempts, evidence, cost."),
        "agents": ("agents", "The agents at work: on what, and what each is doing."),
        "logs": ("tasks", "What a task's agent said and did."),
        "events": ("reports", "The log of everything that happened."),
        "report": ("reports", "The morning's report on a goal."),
        "review": ("review", "Go through what is done: accept it, reject it, or ask for more."),
        "verify": ("proof", "Run the checks of landed work again, in a clean checkout."),
        "diff": ("tasks", "What a task's work changes."),
        "specialists": ("agents", "The specialists and who would get a task."),
    },
    "Share": {
        "context": (
            "context",
            "What the agents of a goal share, and your notes to them.",
        ),
    },
    "Set up": {
        "init": ("setup", "Prepare a project: configuration file, git if wanted."),
        "doctor": ("setup", "Find what would spoil a night, before the night."),
        "config": ("setup", "Show every setting, its value and where it came from."),
        "completion": ("setup", "Print shell completion for bash, zsh or fish."),
    },
}
"""Section to command to module and help. A test compares the helps with the commands' own."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return every command, section by section."""
        return [name for section in SECTIONS.values() for name in section]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command; None when there is no such verb."""
        for section in SECTIONS.values():
            if cmd_name in section:
                module = import_module(f"agent_orchestrator.cli.{section[cmd_name][0]}")
                command: click.Command = getattr(module, cmd_name.replace("-", "_"))
                return command
        return None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; a mistyped one gets the nearest name."""
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            from difflib import get_close_matches

            close = get_close_matches(name, self.list_commands(ctx), 1)
            nearest = f" Did you mean {close[0]}?" if close else ""
            raise click.UsageError(f"No such command {name!r}.{nearest}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections from the table, without importing a command."""
        for section, commands in SECTIONS.items():
            with formatter.section(section):
                formatter.write_dl([(name, about) for name, (_, about) in commands.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="agent-orchestrator", prog_name="orchestrate", message="%(prog)s %(version)s")
def orchestrate() -> None:
    """Submit a goal before leaving work; review verified, landed work in the morning.

    Exit codes: 0 done, 1 failed, 2 usage, 3 nothing to do, 4 not found, 5 refused by state, 6 ended but some tasks
    failed or need a person, 7 stopped by a budget, deadline or hold, 8 environment not ready, 130 interrupted.
    """


def run(arguments: list[str] | None = None) -> None:
    """Run the command line and end the process with its exit code; no traceback ever reaches a user."""
    from agent_orchestrator.domain.errors import OrchestratorError

    _fill_closed_streams()
    words = sys.argv[1:] if arguments is None else arguments
    as_json = "--json" in words
    if words[:1] == ["help"]:
        words = [*words[1:], "--help"]
    try:
        result: Any = orchestrate.main(args=words, prog_name="orchestrate", standalone_mode=False)
        sys.exit(result if isinstance(result, int) else 0)
    except OrchestratorError as error:
        from agent_orchestrator.cli import doors

        doors.fail(error, as_json=as_json)
    except click.ClickException as error:
        _usage(error, as_json=as_json)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader left; nothing more to say
        sys.exit(141)
    except OSError as error:
        from agent_orchestrator.cli import doors

        doors.fail(_refused(error), as_json=as_json)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        sys.exit(130)
    except Exception as error:
        if os.environ.get(TRACE):
            raise
        if isinstance(error.__cause__, KeyboardInterrupt):  # while a class was made
            click.echo("interrupted", err=True)
            sys.exit(130)
        from agent_orchestrator.cli import doors

        doors.fail(_unforeseen(error), as_json=as_json)


def _unforeseen(error: Exception) -> "OrchestratorError":
    """Return what a bug of ours is to a user."""
    from agent_orchestrator.domain.errors import Internal

    what = " ".join(f"{type(error).__name__}: {error}".split())[:500]
    return Internal(f"an error in orchestrate itself: {what}", hint=f"{TRACE}=1 in front of the command shows where")


def _refused(error: OSError) -> "OrchestratorError":
    """Return what a refusal of the system that nobody expected is to a user."""
    from agent_orchestrator.domain.errors import NotReady

    where = f" {error.filename}" if error.filename else ""
    what = error.strerror or type(error).__name__
    return NotReady(f"the system refused{where}: {what}", hint="orchestrate doctor looks for what is wrong here")


def _fill_closed_streams() -> None:
    """Point closed standard streams at the null device: the next file we open would become one of them otherwise.

    A closed standard input stays None for Python, so that a command can say there is none.
    """
    closed = [number for number in (0, 1, 2) if not _is_open(number)]
    for _ in closed:
        os.open(os.devnull, os.O_RDWR)  # takes the lowest free number
    if sys.stdout is None and 1 in closed:
        sys.stdout = open(1, "w", encoding="utf-8")  # noqa: SIM115 # it stays open as long as we do
    if sys.stderr is None and 2 in closed:
        sys.stderr = open(2, "w", encoding="utf-8")  # noqa: SIM115


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def _usage(error: click.ClickException, *, as_json: bool) -> None:
    from agent_orchestrator.cli import doors

    if as_json:
        doors.answer({"error": {"code": "usage", "message": error.format_message(), "hint": "see --help"}})
        sys.exit(error.exit_code)
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        doors.tell(error.format_message())
        sys.exit(error.exit_code)
    where = f"\n  see: {error.ctx.command_path} --help" if isinstance(error, click.UsageError) and error.ctx else ""
    doors.tell(f"orchestrate: {error.format_message()}{where}")
    sys.exit(error.exit_code)
