"""Set up on the command line: init, doctor, config, completion."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from agent_orchestrator import places, settings
from agent_orchestrator.app import App
from agent_orchestrator.cli import columns, doors, shared_options
from agent_orchestrator.domain.errors import BadInput, NotReady


@click.command()
@click.option("--git", is_flag=True, help="Make the folder a git repository with a first commit, if it has none.")
@shared_options.as_json
def init(git: bool, as_json: bool) -> None:
    """Prepare a project: configuration file, git if wanted.

    It never overwrites anything. The database and all other data about the project are kept outside it, in the state
    folder.
    """
    app = doors.app()
    if git:
        app.project().need_files()
    folder = app.folder / places.CONFIG_FOLDER
    files = {folder / "config.toml": settings.config_example(), folder / "agents" / ".gitkeep": ""}
    made = [file for file, content in files.items() if _write_new(file, content)]
    commits = git and app.project().head is None
    if commits:
        app.begin_repository()
    if as_json:
        names = [str(file) for file in made]
        doors.answer({"folder": str(app.folder), "made": names, "first_commit": commits, "state": str(app.state)})
        return
    made_note = {True: "made", False: "there already"}
    rows = [(str(file), made_note[file in made]) for file in files]
    rows += [("git", "first commit made" if commits else "has commits already")] if git else []
    columns.show([*rows, (str(app.state), "what we remember of this project")])
    if app.project().root is not None:
        doors.tell(
            f"Commit {places.CONFIG_FOLDER}/ to share the project's settings and roles with everybody who clones it; "
            "to keep them to yourself, name it in .git/info/exclude."
        )


def _write_new(file: Path, content: str) -> bool:
    """Write *content* to *file* unless something is there; say whether it was written."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as out:
            out.write(content)
    except FileExistsError:
        if not file.parent.is_dir():
            raise NotReady(f"{file.parent} is not a folder", hint="move it aside") from None
        return False
    except OSError as error:
        raise NotReady(f"cannot write {file}: {error.strerror}", hint="check the folder's owner and mode") from error
    return True


@click.command()
@shared_options.as_json
def doctor(as_json: bool) -> int:
    """Find what would spoil a night, before the night. Exits 8 when something would."""
    from agent_orchestrator.runtime.readiness import Level

    checks = doors.app(create=False).readiness.checks()
    failed = any(check.level is Level.FAIL for check in checks)
    if as_json:
        keys = ("name", "level", "detail", "hint")
        doors.answer({"ok": not failed, "checks": [{key: getattr(check, key) for key in keys} for check in checks]})
    else:
        columns.show([(check.level, check.name, check.detail, check.hint) for check in checks])
    return NotReady.exit_code if failed else 0


@click.command()
@click.argument("name", required=False)
@click.option("--origin", is_flag=True, help="Shown anyway; accepted for those who expect it.")
@shared_options.as_json
def config(name: str | None, origin: bool, as_json: bool) -> None:
    """Show every setting, its value and where it came from.

    With NAME only that setting's value. A flag beats the environment, which beats the project's file, which beats the
    user's.
    """
    app = doors.app(create=False)
    shown = {one["name"]: one for one in _settings(app)}
    if name is not None:
        if name not in shown:
            raise BadInput(f"no setting {name!r}", hint=_nearest(name, list(shown)))
        doors.answer(shown[name]) if as_json else columns.show([[shown[name]["value"]]])
        return
    paths = _paths(app)
    if as_json:
        doors.answer({"settings": list(shown.values()), "paths": paths})
        return
    columns.show([(one["name"], one["value"], one["origin"]) for one in shown.values()])
    columns.show([(f"{name}:", path) for name, path in paths.items()])


def _settings(app: App) -> Iterator[dict[str, Any]]:
    for one in settings.FIELDS:
        value = getattr(app.settings, one.name)
        if one.name == "models":
            yield from _tier_models(app, one.metadata["about"])
            continue
        yield {
            "name": one.name,
            "value": ",".join(value) if isinstance(value, tuple) else value,
            "origin": app.settings.origins.get(one.name, "default"),
            "variable": settings.variable(one.name),
            "about": one.metadata["about"],
        }


def _tier_models(app: App, about: str) -> Iterator[dict[str, Any]]:
    """Yield the model of each provider and tier as a setting of its own: each has its own origin."""
    for (provider, tier), model in app.settings.tier_models().items():
        name = f"models.{provider}.{tier}"
        yield {
            "name": name,
            "value": model,
            "origin": app.settings.origins.get(name, "default"),
            "variable": settings.variable("models"),
            "about": about,
        }


def _paths(app: App) -> dict[str, str]:
    project = app.folder / places.CONFIG_FOLDER / "config.toml"
    user = places.config_home(app.environ) / "config.toml"
    found = {"project": app.folder, "project config": project, "user config": user}
    return {name: str(path) for name, path in {**found, "state": app.state, "database": app.database}.items()}


def _nearest(name: str, known: list[str]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, known, 1)
    return f"did you mean {close[0]}?" if close else "orchestrate config lists them"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@shared_options.as_json
def completion(shell: str, as_json: bool) -> None:
    """Print shell completion for bash, zsh or fish.

    \b
    bash, in ~/.bashrc:     eval "$(orchestrate completion bash)"
    zsh, in ~/.zshrc:       eval "$(orchestrate completion zsh)"     (after compinit)
    fish, once:             orchestrate completion fish > ~/.config/fish/completions/orchestrate.fish
    """  # noqa: D301 # click must see the character, not its name
    from click.shell_completion import get_completion_class

    group = click.get_current_context().find_root().command
    script = get_completion_class(shell)
    assert script is not None
    source = script(group, {}, "orchestrate", "_ORCHESTRATE_COMPLETE").source()
    if as_json:
        doors.answer({"shell": shell, "script": source})
    else:
        click.echo(source)
