"""The scripted agent of the demo: an ordinary agent process but that a script in its prompt takes the model's place.

It reads its prompt on standard input, writes real files in its working directory and tells what it does as JSON lines.
Standard library only, because it is started with ``python -I``. The script stands in the prompt between a line
```` ```demo ```` and a line ```` ``` ````::

    say I begin with the model.
    write ledger/entry.py
    | class Entry:
    |     ...
    when failing test_the_last_day_counts
    say The check shows that the last day is lost.
    write ledger/entry.py
    | ...

What stands below ``when failing WORDS`` is used only when WORDS occur in the prompt outside of the script: that is,
when the evidence of a failed check has reached the agent. Its files then replace those of the same name above, and its
words the words above. So the second attempt succeeds because of its prompt, and for no other reason.
"""

import hashlib
import json
import os
import re
import sys
import time
from pathlib import Path
from typing import NamedTuple

PAUSE_S = 0.5
"""Seconds between two steps, so that a person can watch. Times $ORCHESTRATE_DEMO_PACE; 0 takes the pauses out."""

_BLOCK = re.compile(r"^```demo[ \t]*\n(.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
_KEY = re.compile(r"^.*?\bTask \S+ \((?P<key>[A-Za-z0-9_-]+)\)")


class Step(NamedTuple):
    """One line of a script that does something."""

    verb: str
    """``say`` or ``write``."""
    what: str
    """The words, or the path relative to the working directory."""
    content: str = ""


class Script(NamedTuple):
    """What an agent is to do at first, and when it reads of a failure."""

    steps: tuple[Step, ...]
    failing: str = ""
    """Words by which the failure is known. Empty means there is no second version."""
    mending: tuple[Step, ...] = ()

    def chosen(self, evidence: str) -> tuple[Step, ...]:
        """Return the steps to take for a prompt that holds *evidence* beside the script."""
        if not self.failing or self.failing not in evidence:
            return self.steps
        mended = {step.what for step in self.mending if step.verb == "write"}
        kept = tuple(step for step in self.steps if step.verb == "write" and step.what not in mended)
        return kept + self.mending


def parse(text: str) -> Script:
    """Return the script that *text* holds.

    Raises:
        ValueError: a line is none of the four kinds.
    """
    steps: list[Step] = []
    first: tuple[Step, ...] | None = None
    failing = ""
    for line in text.splitlines():
        verb, _, what = line.partition(" ")
        if verb == "|" and steps and steps[-1].verb == "write":
            steps[-1] = steps[-1]._replace(content=f"{steps[-1].content}{what}\n")
        elif verb in ("say", "write") and what:
            steps.append(Step(verb, what.strip()))
        elif verb == "when" and what.startswith("failing ") and first is None:
            failing, first, steps = what.removeprefix("failing ").strip(), tuple(steps), []
        elif line.strip():
            raise ValueError(f"no line of a demo script: {line!r}")
    if first is None:
        return Script(tuple(steps))
    return Script(first, failing, tuple(steps))


def read_prompt(prompt: str) -> tuple[Script | None, str]:
    """Return the first script in *prompt*, or None, and the prompt without it."""
    found = _BLOCK.search(prompt)
    if found is None:
        return None, prompt
    return parse(found[1]), prompt[: found.start()] + prompt[found.end() :]


def write(folder: Path, name: str, content: str) -> None:
    """Write a file below *folder*.

    Raises:
        ValueError: *name* leads out of the folder or into ``.git``.
    """
    root = folder.resolve()
    file = (root / name).resolve()
    if not file.is_relative_to(root) or file == root or ".git" in file.relative_to(root).parts:
        raise ValueError(f"the script writes outside of its folder: {name!r}")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content, encoding="utf-8")


def placeholder(prompt: str) -> tuple[str, str]:
    """Return name and content of the one file that is written for a task without a script. It pretends nothing."""
    head = prompt.strip().partition("\n")[0]
    found = _KEY.match(head)
    words = found["key"] if found else head
    slug = re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")[:40] or "task"
    if not found:  # many prompts may begin alike, and two tasks must not write one file
        slug += "-" + hashlib.sha256(prompt.encode("utf-8", "replace")).hexdigest()[:6]
    return f"DEMO-{slug}.md", (
        "# Scripted demo output\n\n"
        "This file was written by the demo agent of Agent Orchestrator. No model was asked and no work was done.\n"
        f"The task was: {head[:200]}\n"
    )


def main() -> int:
    """Play the script of the prompt on standard input in the working directory. Returns the exit code."""
    prompt = sys.stdin.buffer.read().decode("utf-8", "replace")
    try:
        script, rest = read_prompt(prompt)
        if script is None:
            name, content = placeholder(prompt)
            steps: tuple[Step, ...] = (
                Step("say", "This task has no demo script. I only leave a file that says so."),
                Step("write", name, content),
            )
            summary = f"Scripted demo: no work was done; {name} says so."
        else:
            steps = script.chosen(rest)
            summary = "Scripted demo: " + next((step.what for step in reversed(steps) if step.verb == "say"), "done.")
        for step in steps:
            _take(step)
    except (ValueError, OSError) as error:
        _tell("finished", ok=False, summary="", error=str(error))
        return 1
    _tell("spent", input_tokens=0, output_tokens=0)
    _tell("finished", ok=True, summary=summary)
    return 0


def _take(step: Step) -> None:
    time.sleep(PAUSE_S * _pace())
    if step.verb == "write":
        write(Path.cwd(), step.what, step.content)
        _tell("used", tool="write", detail=step.what)
    else:
        _tell("said", text=step.what)


def _pace() -> float:
    try:
        return min(100.0, max(0.0, float(os.environ.get("ORCHESTRATE_DEMO_PACE", "1"))))
    except ValueError:
        return 1.0


def _tell(kind: str, **what: object) -> None:
    sys.stdout.write(json.dumps({"demo": kind} | what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
