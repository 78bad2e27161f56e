"""A ``claude`` without a model: it plans as it is told and does one file of work, speaking as the real one does.

    python scripted_claude.py FOLDER [claude's own arguments] < prompt

FOLDER/plans.json holds the plans, keyed by words of the goal: ``{"task management app": [task, ...]}``, and
FOLDER/files.json what agents write, keyed by their task's key: ``{"etl": {"pipelines/sales_etl.py": "..."}}``, else a
line in a file of that name. An agent whose task has a file FOLDER/wait-KEY says that it works on it and waits until the
file is gone. Every start is a line in FOLDER/calls.jsonl with arguments, role and prompt.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

VERSION = "2.1.329 (Claude Code)"
WAIT_SECONDS = 60


def usual(key: str) -> dict[str, str]:
    """Return what work usually leaves: code, or a page where a page was asked for. Prose alone mends no bug."""
    return {f"{key}.md": f"{key}\n"} if {"docs", "notes"} & {*key.split("-")} else {f"{key}.py": "DONE = True\n"}


def said(**event: Any) -> None:
    print(json.dumps(event), flush=True)


def spoke(**content: Any) -> None:
    said(type="assistant", message={"role": "assistant", "model": "scripted", "content": [content], "usage": {}})


def result(text: str, **more: Any) -> None:
    usage = {"input_tokens": 100, "output_tokens": 10}
    said(type="result", subtype="success", is_error=False, result=text, total_cost_usd=0.05, usage=usage, **more)


def after(option: str, words: list[str]) -> str | None:
    return words[words.index(option) + 1] if option in words else None


def remembered(file: Path) -> dict[str, Any]:
    return dict(json.loads(file.read_text())) if file.exists() else {}


def plan(folder: Path, prompt: str) -> None:
    for words, tasks in remembered(folder / "plans.json").items():
        if words in prompt:
            result(json.dumps({"tasks": tasks}), structured_output={"tasks": tasks})
            return
    result("I have no plan for that.")


def work(folder: Path, prompt: str) -> None:
    key = prompt.split("(", 1)[1].split(")", 1)[0]
    spoke(type="text", text=f"I work on {key}.")
    end = time.monotonic() + WAIT_SECONDS
    while (folder / f"wait-{key}").exists() and time.monotonic() < end:
        time.sleep(0.05)
    for name, text in remembered(folder / "files.json").get(key, usual(key)).items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        spoke(type="tool_use", name="Write", input={"file_path": name})
        Path(name).write_text(text)
    spoke(type="text", text=f"{key} is there.")
    result(f"{key} is there.")


def main() -> None:
    folder, words = Path(sys.argv[1]), sys.argv[2:]
    if "--version" in words:
        print(VERSION)
        return
    prompt = sys.stdin.read()
    role = after("--append-system-prompt-file", words)
    call = {"argv": words, "role": Path(role).read_text() if role else None, "prompt": prompt}
    with (folder / "calls.jsonl").open("a") as calls:
        calls.write(json.dumps(call) + "\n")
    said(type="system", subtype="init", session_id="7b0d2f4e-1111-4222-8333-444455556666", model="scripted")
    if "--json-schema" in words:
        plan(folder, prompt)
    else:
        work(folder, prompt)


if __name__ == "__main__":
    main()
