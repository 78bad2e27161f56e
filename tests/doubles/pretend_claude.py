"""What stands on PATH as ``claude`` where a test runs what a user types: the CLI's flags and events, no model.

The flags are those of :mod:`agent_orchestrator.providers.claude`; the lines have the form of the recordings. What a
model would decide is decided here: a question with a schema is answered with PLAN; work is done by the first of these
scripts, in the language of :mod:`scripted_agent`:

    the last ```script block of the prompt
    the file ~/agent-script
    the one that SCRIPTS has for the task's key, else one line more in notes.txt

`say` becomes something the assistant says, a file that is written a tool it uses, and `limit TEXT` the account's usage
limit, which ends two hours from now. An attempt costs COST_USD.
"""

import json
import re
import sys
import time
from pathlib import Path

import scripted_agent

VERSION = "2.1.329"
MODEL = "claude-opus-5-5"
COST_USD = 0.12


OWNS = {"endpoint": "shop/health.py", "tests": "tests/test_health.py", "docs": "README.md"}


def _task(id: str, title: str, specialist: str, *needs: str) -> dict[str, object]:
    return {
        "id": id, "title": title, "description": f"{title}.", "agent_type": specialist, "depends_on": list(needs),
        "tier": "standard", "size": "S", "owns": [OWNS[id]], "acceptance": ["the tests pass"], "verify": None,
        "expects_change": True,
    }  # fmt: skip


PLAN = {
    "tasks": [
        _task("endpoint", "Answer GET /health with 200 and the version", "backend-systems-engineer"),
        _task("tests", "Test the health check", "qa-test-engineer", "endpoint"),
        _task("docs", "Describe the health check in the README", "documentation-writer", "endpoint"),
    ]
}
"""The plan for the goal that the documentation uses: a health check endpoint, with tests and a line in the docs."""

SCRIPTS = {
    "endpoint": """
say The routes are in shop/routes.py. I add one.
write shop/health.py <<EOF
def health():
    return 200, {"version": "1.0"}
EOF
say GET /health answers with 200 and the version.
""",
    "tests": """
say I test the status and the version.
write tests/test_health.py <<EOF
import unittest

from shop.health import health


class Health(unittest.TestCase):
    def test_it_is_well(self):
        self.assertEqual(health()[0], 200)
EOF
say The health check has a test.
""",
    "docs": """
append README.md GET /health answers with 200 and the version.
say The README names the health check.
""",
    "verify": "say The endpoint, its test and the README go together.",
}


def main() -> int:
    words = sys.argv[1:]
    if "--version" in words:
        print(f"{VERSION} (Claude Code)")
        return 0
    prompt = sys.stdin.buffer.read().decode()
    if "--json-schema" in words:
        _result("Planned.", structured_output=PLAN)
        return 0
    session = words[words.index("--resume") + 1] if "--resume" in words else f"session-{time.time_ns():x}"
    _emit(
        type="system", subtype="init", session_id=session, model=MODEL, claude_code_version=VERSION, cwd=str(Path.cwd())
    )
    return _work(prompt)


def _work(prompt: str) -> int:
    said = "Done."
    for step in scripted_agent.parse(_with_script(prompt)):
        match step.verb:
            case "say":
                said = step.text
                _assistant({"type": "text", "text": said})
            case "limit":
                info = {"status": "rejected", "resetsAt": int(time.time()) + 7200, "rateLimitType": "five_hour"}
                _emit(type="rate_limit_event", rate_limit_info=info)
                _result(step.text, is_error=True)
                return 1
            case "exit":
                _result("I cannot do this.", is_error=True)
                return int(step.text)
            case verb:
                if verb in {"write", "append"}:
                    path = step.text.split()[0]
                    _assistant({"type": "tool_use", "name": "Write", "input": {"file_path": path}})
                scripted_agent.VERBS[verb](step, scripted_agent.Witness(""))
    _result(said)
    return 0


def _with_script(prompt: str) -> str:
    if "```script" in prompt:
        return prompt
    own = Path.home() / "agent-script"
    found = re.search(r"[Tt]ask \S+ \(([\w-]+)\):", prompt)
    key = found[1] if found else "work"
    script = own.read_text() if own.exists() else SCRIPTS.get(key, f"append notes.txt {key}")
    return f"{prompt}\n```script\n{script.strip()}\n```\n"


def _assistant(part: dict[str, object]) -> None:
    _emit(type="assistant", message={"model": MODEL, "content": [part]}, parent_tool_use_id=None)


def _result(text: str, **more: object) -> None:
    usage = {"input_tokens": 1200, "cache_read_input_tokens": 9000, "output_tokens": 340}
    result = {"subtype": "success", "is_error": False, "result": text, "total_cost_usd": COST_USD, "usage": usage}
    _emit(type="result", **{**result, **more})


def _emit(**event: object) -> None:
    print(json.dumps(event), flush=True)


if __name__ == "__main__":
    sys.exit(main())
