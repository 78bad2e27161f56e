"""Where the real agent CLIs are, and an environment in which they know nobody but a `ModelServer`."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .model_server import ModelServer


FOLDER_VARIABLE = "ORCHESTRATE_TEST_CLIS"
"""Names the bin folder that `.ci/install-clis` printed; without it PATH is searched."""

REQUIRE_VARIABLE = "ORCHESTRATE_REQUIRE_CLIS"
"""`1`: a missing CLI is a failure, not a skipped test."""

MADE_UP_KEY = "sk-made-up-for-tests"

WANTED_ANYWAY = frozenset({"registry.npmjs.org:443"})
"""What opencode 1.18.33 reaches for at every start, to install the types of its plug-ins; it works without."""


def find_cli(name: str) -> Path | None:
    """Return where the real CLI *name* is, or None."""
    folder = os.environ.get(FOLDER_VARIABLE)
    found = shutil.which(name, path=folder or None)
    return Path(found).absolute() if found else None


def clean_env(home: Path, server: ModelServer, *, subscription: bool = False) -> dict[str, str]:
    """Return a complete environment in which the agent CLIs talk to *server* only, with made-up keys.

    Nothing is taken from our own environment but the folders of git, node and the CLIs. *home* gets the configuration
    of codex, gemini and opencode, so that none needs flags for it; claude needs no file.

    Everything else a CLI may want from the network goes to *server* as its proxy, which refuses and remembers it
    (`ModelServer.outside`).

    Args:
        home: An empty folder of the test's.
        server: A running server.
        subscription: claude comes with a (made-up) login's token, not a key: the only way to its rate_limit_event.
    """
    home.mkdir(parents=True, exist_ok=True)
    _write_codex_files(home / ".codex", server)
    _write_gemini_settings(_made(home / ".gemini"))
    _write_opencode_configuration(_made(home / ".config" / "opencode"), server)
    login = {"CLAUDE_CODE_OAUTH_TOKEN": "made-up-for-tests"} if subscription else {"ANTHROPIC_API_KEY": MADE_UP_KEY}
    return {
        "HOME": str(home),
        "PATH": _path(),
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "TMPDIR": _folder(home / "tmp"),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "HTTPS_PROXY": server.url,
        "HTTP_PROXY": server.url,
        "NO_PROXY": "127.0.0.1,localhost",
        **login,
        "ANTHROPIC_BASE_URL": server.url,
        "IS_SANDBOX": "1",  # claude refuses --dangerously-skip-permissions as root without it
        "CLAUDE_CODE_MAX_RETRIES": "1",  # its own 10 take three minutes (2.1.329)
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1",
        "CLAUDE_CODE_TMPDIR": _folder(home / "tmp"),
        "DISABLE_AUTOUPDATER": "1",
        "DISABLE_TELEMETRY": "1",
        "CODEX_HOME": str(home / ".codex"),
        "GEMINI_API_KEY": MADE_UP_KEY,
        "GOOGLE_GEMINI_BASE_URL": server.url,
        "OPENCODE_DISABLE_MODELS_FETCH": "1",
    }


def _path() -> str:
    folders = [os.environ.get(FOLDER_VARIABLE, "")]
    folders += [
        str(Path(found).parent)
        for tool in ("claude", "codex", "gemini", "opencode", "node", "git")
        if (found := shutil.which(tool))
    ]
    return os.pathsep.join(dict.fromkeys(filter(None, [*folders, "/usr/local/bin", "/usr/bin", "/bin"])))


def _write_codex_files(codex_home: Path, server: ModelServer) -> None:
    codex_home.mkdir(exist_ok=True)
    (codex_home / "auth.json").write_text(json.dumps({"OPENAI_API_KEY": MADE_UP_KEY}))
    (codex_home / "config.toml").write_text(f"""\
model_provider = "scripted"
check_for_update_on_startup = false

[analytics]
enabled = false

[features]
plugins = false  # codex 0.169.0 fetches its list of plug-ins from github.com and chatgpt.com at every start

[model_providers.scripted]
name = "scripted"
base_url = "{server.url}/v1"
wire_api = "responses"
requires_openai_auth = true
request_max_retries = 1
stream_max_retries = 1
""")


def _write_gemini_settings(folder: Path) -> None:
    settings = {
        "security": {"auth": {"selectedType": "gemini-api-key"}},  # with another base URL it asks for a choice
        "general": {"maxAttempts": 2},  # its own 10 take minutes (0.61.0)
        "privacy": {"usageStatisticsEnabled": False},
    }
    (folder / "settings.json").write_text(json.dumps(settings))


def _write_opencode_configuration(folder: Path, server: ModelServer) -> None:
    provider = {
        "npm": "@ai-sdk/openai-compatible",  # part of the program, nothing is fetched
        "name": "scripted",
        "options": {"baseURL": f"{server.url}/v1", "apiKey": MADE_UP_KEY},
        "models": {"scripted": {"name": "scripted"}},
    }
    configuration = {"model": "scripted/scripted", "provider": {"scripted": provider}}
    (folder / "opencode.json").write_text(json.dumps(configuration))


def _made(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path


def _folder(path: Path) -> str:
    path.mkdir(exist_ok=True)
    return str(path)
