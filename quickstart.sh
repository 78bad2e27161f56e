#!/usr/bin/env bash
# From a clean machine to a working orchestrate: needs git and Python 3.11 or newer (or uv, which may bring one).
set -eu

usage() {
    cat <<'TEXT'
Usage: ./quickstart.sh [--demo] [--test] [--yes] [--help]

  (no option)  set up, offer to store an API key, show what to type next
  --demo       set up, then show the whole thing at work on a sample project: no key and no agent needed
  --test       set up with the development tools, then run every check and test
  --yes        never ask; take the default answer
  --help       this text

Asks nothing without a terminal. A second run installs nothing again.
TEXT
}

demo=no test=no ask=yes
for option in "$@"; do
    case $option in
        --demo) demo=yes ;;
        --test) test=yes ;;
        --yes | -y) ask=no ;;
        --help | -h) usage; exit 0 ;;
        *) echo "quickstart: unknown option $option" >&2; usage >&2; exit 2 ;;
    esac
done
[ -t 0 ] && [ -t 1 ] || ask=no

cd "$(dirname "${BASH_SOURCE[0]}")"
here=$(pwd -P)
say() { printf '%s\n' "$*"; }
die() { printf 'quickstart: %s\n' "$*" >&2; exit 8; }

command -v git > /dev/null 2>&1 || die "git is not installed; install it (Debian: apt-get install git) and run this again"

newer_python() { # prints a Python of 3.11 or newer, if there is one
    local candidate
    for candidate in python3.13 python3.12 python3.11 python3.14 python3 python; do
        if command -v "$candidate" > /dev/null 2>&1 &&
            "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' > /dev/null 2>&1; then
            "$candidate" -c 'import sys; print(sys.executable)'
            return
        fi
    done
}

fingerprint() { # changes when what is to be installed changes
    cat pyproject.toml uv.lock | cksum
    say "$here $1"
}

install() { # install GROUPS...: the locked environment in .venv
    local groups=("$@") stamp=.venv/.quickstart
    if [ -x .venv/bin/python ] && [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$(fingerprint "${groups[*]-}")" ]; then
        say "Already set up."
        return
    fi
    local options=(--frozen --quiet) group
    for group in ${groups[@]+"${groups[@]}"}; do options+=(--group "$group"); done
    if command -v uv > /dev/null 2>&1; then
        say "Installing with uv ..."
        env -u VIRTUAL_ENV UV_PROJECT_ENVIRONMENT=.venv uv sync "${options[@]}"
    else
        local python
        python=$(newer_python)
        [ -n "$python" ] || die "Python 3.11 or newer is needed (or uv, which brings one)"
        say "Installing with $("$python" --version) ..."
        [ -x .venv/bin/python ] || "$python" -m venv .venv ||
            die "could not make a virtual environment (Debian: apt-get install python3-venv)"
        # uv reads the lock file and is several times quicker than pip; it stays inside the environment.
        .venv/bin/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9'
        VIRTUAL_ENV="$here/.venv" .venv/bin/uv sync --active --inexact "${options[@]}"
    fi
    fingerprint "${groups[*]-}" > "$stamp"
}

offer_key() {
    local file=${XDG_CONFIG_HOME:-$HOME/.config}/orchestrate/.env key
    if [ -n "${ANTHROPIC_API_KEY:-}" ] || { [ -f "$file" ] && grep -q '^ANTHROPIC_API_KEY=' "$file"; }; then
        return
    fi
    say ""
    say "An Anthropic API key is optional: a logged-in claude or codex needs none."
    printf 'Paste a key to store it in %s (Enter to skip): ' "$file"
    IFS= read -rs key || key=
    say ""
    [ -n "$key" ] || return 0
    mkdir -p "$(dirname "$file")"
    (umask 077 && printf 'ANTHROPIC_API_KEY=%s\n' "$key" >> "$file")
    chmod 600 "$file"
    say "Stored."
}

launch_options() {
    local found=no cli
    say ""
    say "Ready. Agent CLIs on this machine:"
    for cli in claude codex; do
        if command -v "$cli" > /dev/null 2>&1; then
            say "  $cli    $(command -v "$cli")"
            found=yes
        fi
    done
    [ $found = yes ] || say "  none yet (npm install -g @anthropic-ai/claude-code, or npm install -g @openai/codex)"
    say ""
    say "What you can do now:"
    say "  ./orchestrate demo                                  see it at work, without keys or agents"
    say "  ./orchestrate doctor                                what would spoil a night here"
    say "  cd your/project"
    say "  $here/orchestrate submit \"Add a health check endpoint\" --decompose"
    say "  $here/orchestrate run --max-agents 3"
    say "  $here/orchestrate report"
    say ""
    if [ $found = yes ]; then say "Type next: ./orchestrate doctor"; else say "Type next: ./orchestrate demo"; fi
}

if [ $test = yes ]; then
    install dev
    bin=.venv/bin
    say "ruff";           $bin/ruff check .
    say "ruff format";    $bin/ruff format --check --quiet .
    say "mypy";           $bin/mypy
    say "import layers";  $bin/lint-imports --no-cache
    say "tests";          exec $bin/python -m pytest -n auto --dist worksteal
fi

install
if [ $demo = yes ]; then
    exec ./orchestrate demo
fi
[ $ask = no ] || offer_key
launch_options
