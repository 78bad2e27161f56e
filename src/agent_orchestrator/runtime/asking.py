"""Ask a model one question through an agent CLI: a process like any other, bounded in time, leaving nothing behind."""

import secrets
import select
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from agent_orchestrator.domain.errors import NotReady, OrchestratorError
from agent_orchestrator.domain.usage import Usage
from agent_orchestrator.providers import AnswersQuestions, Finished, Provider, Question, Spent
from agent_orchestrator.runtime.clis import Installed
from agent_orchestrator.runtime.commands import ORPHAN_S, owned
from agent_orchestrator.runtime.environment import allowed
from agent_orchestrator.runtime.follower import tail
from agent_orchestrator.runtime.process import Limits, Process, Spawn
from agent_orchestrator.runtime.run_dir import Why, exit_record

OUTPUT_LIMIT = 8 * 1024 * 1024
"""Bytes of an answer. A plan has some kilobytes; the rest of the stream is the CLI's own noise."""
NO_TOOLS_FOLDER = "question"


class NoAnswer(OrchestratorError):
    """The model was asked and gave no usable answer: a limit, a login, a time-out, or prose."""

    code = "no_answer"


def ask(
    provider: Provider,
    installed: Installed,
    prompt: str,
    schema: Mapping[str, object],
    *,
    environ: Mapping[str, str],
    pass_env: tuple[str, ...],
    model: str | None,
    state: Path,
    timeout_s: float,
    tell: Callable[[Usage], None] = lambda _: None,
) -> str:
    """Return the JSON text of *provider*'s answer to *prompt*.

    Runs in an empty folder: a question is answered from its own words, and nothing of the project can be changed.
    *tell* is called once with what the question used as far as the provider said so, also when there is no answer.

    Raises:
        NoAnswer: it ended without one; the message says why in the provider's words.
        NotReady: the provider cannot be asked for structured answers.
    """
    if not isinstance(provider, AnswersQuestions):
        raise NotReady(f"{provider.name} cannot be asked for a plan", hint="use --planner api, claude, codex or rules")
    run_dir = state / "questions" / secrets.token_hex(6)
    folder = run_dir / NO_TOOLS_FOLDER
    folder.mkdir(mode=0o700, parents=True)
    try:
        inherited = allowed(environ, (*provider.environment, *pass_env))
        command = provider.ask(
            Question(
                prompt=prompt,
                schema=schema,
                run_dir=run_dir,
                executable=installed.path,
                model=model,
                environment=inherited,
            )
        )
        (run_dir / "prompt.txt").write_text(command.stdin, encoding="utf-8")
        for name, content in command.files.items():
            (run_dir / name).write_text(content, encoding="utf-8")
        environment = {name: value for name, value in inherited.items() if name not in command.without}
        limits = Limits(wall_s=timeout_s, silence_s=timeout_s, output_bytes=OUTPUT_LIMIT, grace_s=3)
        with owned(run_dir) as owner:  # whoever asks may be killed: nobody would read the answer, and it is paid
            spawn = Spawn(
                run_dir=run_dir,
                run_id=f"question-{run_dir.name}",
                argv=command.argv,
                cwd=folder,
                env={**environment, **command.environment},
                stdin=run_dir / "prompt.txt",
                limits=limits,
                supervisor_lock=owner,
                orphan_ttl_s=ORPHAN_S,
                record_patience_s=0,
            )
            try:
                _run(spawn, timeout_s)
            finally:
                tell(_used(provider.for_model(model) if model else provider, run_dir))
        return _answer(provider, run_dir, timeout_s)
    finally:
        shutil.rmtree(run_dir, ignore_errors=True)


def _run(spawn: Spawn, timeout_s: float) -> None:
    """Run to the end. The minder bounds the time; should even that fail, we stop waiting a little later."""
    with Process.start(spawn) as process:
        end = time.monotonic() + timeout_s + 30
        try:
            while time.monotonic() < end and not select.select([process], [], [], 1.0)[0]:
                pass
        except BaseException:
            process.kill()
            raise


def _used(provider: Provider, run_dir: Path) -> Usage:
    """Return what was reported as used: figures of the whole session replace each other, others add up."""
    whole, added = Usage(), Usage()
    for line in tail_text(run_dir / "stdout.log").splitlines():
        for meaning in provider.read(line):
            if isinstance(meaning, Spent) and meaning.whole_session:
                whole = meaning.usage
            elif isinstance(meaning, Spent):
                added = added.plus(meaning.usage)
    return whole.plus(added)


def _answer(provider: AnswersQuestions, run_dir: Path, timeout_s: float) -> str:
    record = exit_record(run_dir)
    output = tail_text(run_dir / "stdout.log")
    files = {
        file.name: file.read_text(encoding="utf-8", errors="replace")
        for file in run_dir.iterdir()
        if file.is_file() and file.stat().st_size <= OUTPUT_LIMIT and file.suffix in {".json", ".txt"}
    }
    answer = provider.answer(output, files)
    if answer is not None:
        return answer
    if record is not None and record.why is Why.WALL_CLOCK:
        raise NoAnswer(f"{provider.name} did not answer within {timeout_s:.0f} s")
    last, limited = None, None
    for line in output.splitlines():
        for meaning in provider.read(line):
            if isinstance(meaning, Finished):
                last = meaning
    ending = provider.conclude(record.rc if record else None, last, limited, tail(run_dir / "stderr.log", 4096))
    if ending.outcome is not None:
        raise NoAnswer(f"{provider.name}: {ending.reason}")
    raise NoAnswer(f"{provider.name} answered in prose, not with a plan")


def tail_text(file: Path) -> str:
    """Return the file as text, its last 8 MiB at most, not cleaned: it is parsed, not shown."""
    try:
        with file.open("rb") as stream:
            size = stream.seek(0, 2)
            stream.seek(max(0, size - OUTPUT_LIMIT))
            return stream.read().decode("utf-8", "replace")
    except OSError:
        return ""
