"""Which environment variables agents and checks inherit: an allow-list in named groups, never everything.

A child that inherits everything inherits every secret of the shell. A child
that inherits nothing has no compiler, no proxy and no locale. The marks of an
enclosing agent run are never passed on: `claude` started with CLAUDECODE set
believes that it runs inside another one.
"""

from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase

GROUPS: dict[str, tuple[str, ...]] = {
    "shell": ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "TMPDIR", "TZ", "XDG_*", "COLORTERM", "HOSTNAME"),
    "locale": ("LANG", "LANGUAGE", "LC_*"),
    "network": (
        *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "no_proxy", "all_proxy"),
        *(
            "SSL_CERT_FILE",
            "SSL_CERT_DIR",
            "REQUESTS_CA_BUNDLE",
            "CURL_CA_BUNDLE",
            "NODE_EXTRA_CA_CERTS",
            "GIT_SSL_CAINFO",
        ),
    ),
    "toolchains": (
        *("PYENV_*", "PIP_*", "UV_*", "VIRTUAL_ENV", "CONDA_*", "PIPX_*", "POETRY_*"),
        *(
            "NVM_*",
            "NODE_PATH",
            "NPM_CONFIG_*",
            "npm_config_*",
            "PNPM_HOME",
            "YARN_*",
            "BUN_INSTALL",
            "DENO_DIR",
            "VOLTA_HOME",
        ),
        *("CARGO_HOME", "RUSTUP_*", "GOPATH", "GOROOT", "GOPROXY", "GOCACHE", "GOMODCACHE", "GOFLAGS"),
        *("JAVA_HOME", "MAVEN_*", "GRADLE_*", "ANDROID_*", "DOTNET_*", "GEM_HOME", "RBENV_*", "ASDF_*", "MISE_*"),
        *("CC", "CXX", "CFLAGS", "CXXFLAGS", "LDFLAGS", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PKG_CONFIG_PATH"),
    ),
}
"""Group to names and ``PREFIX_*`` patterns. ``config`` adds more by the setting ``pass_env``."""

NEVER = (
    "CLAUDECODE",
    "CLAUDE_CODE_ENTRYPOINT",
    "CLAUDE_CODE_SSE_PORT",
    "CODEX_SANDBOX*",
    "GEMINI_CLI",
    "ORCHESTRATE_*",
)
"""Marks of an enclosing run, and our own settings: an agent that calls us must not inherit this run's database."""


def allowed(environ: Mapping[str, str], patterns: Iterable[str] = ()) -> dict[str, str]:
    """Return the part of *environ* that a child may have: the groups, and names that match *patterns*."""
    wanted = _matching([*(pattern for group in GROUPS.values() for pattern in group), *patterns])
    unwanted = _matching(NEVER)
    return {name: value for name, value in environ.items() if wanted(name) and not unwanted(name)}


def _matching(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Return a function that says whether a name matches one of *patterns*; names and ``PREFIX*`` are told quickly."""
    names, beginnings, others = set(), [], []
    for pattern in patterns:
        if any(sign in pattern.removesuffix("*") for sign in "*?["):
            others.append(pattern)
        elif pattern.endswith("*"):
            beginnings.append(pattern[:-1])
        else:
            names.add(pattern)
    begins = tuple(beginnings)
    return lambda name: name in names or name.startswith(begins) or any(fnmatchcase(name, one) for one in others)
