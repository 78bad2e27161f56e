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

called_from=$PWD
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

fingerprint() { # changes when what is to be installed changes, or the folder is moved
    cat pyproject.toml uv.lock | cksum
    say "$here"
    say "groups: $1"
}

works() { # says whether the environment's Python runs and is new enough
    .venv/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' > /dev/null 2>&1
}

stamp=.venv/.quickstart
installed() { # installed GROUPS: says whether exactly that is in place
    [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$(fingerprint "$1")" ]
}

locked() { # locked UV ARGUMENTS...: run uv with this machine's certificates, among which is a company proxy's
    local certificates=${SSL_CERT_FILE:-} file
    for file in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt; do
        [ -n "$certificates" ] || [ ! -s "$file" ] || certificates=$file
    done
    env ${certificates:+"SSL_CERT_FILE=$certificates"} VIRTUAL_ENV="$here/.venv" UV_PROJECT_ENVIRONMENT="$here/.venv" "$@"
}

install() { # install [GROUP]: the locked environment in .venv
    local group=${1-}
    # What the development tools were added to also serves without them.
    if works && { installed "$group" || installed dev; }; then
        say "Already set up."
        return
    fi
    # Scripts in an environment name its folder: one that was moved here, or whose Python is gone, is made anew.
    if [ -f "$stamp" ] && { ! works || ! grep -qxF "$here" "$stamp"; }; then
        rm -rf .venv
    fi
    local options=(--frozen --inexact --quiet)
    [ -z "$group" ] || options+=(--group "$group")
    if command -v uv > /dev/null 2>&1 && uv --version > /dev/null 2>&1; then
        say "Installing with $(uv --version) ..."
        locked uv sync "${options[@]}" ||
            die "uv could not install the packages; what it says stands above"
    else
        local python
        python=$(newer_python)
        [ -n "$python" ] || die "Python 3.11 or newer is needed (or uv, which brings one)"
        say "Installing with $("$python" --version) ..."
        works || "$python" -m venv --clear .venv ||
            die "could not make a virtual environment (Debian: apt-get install python3-venv)"
        # uv reads the lock file and is several times quicker than pip; it stays inside the environment.
        .venv/bin/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9' &&
            locked .venv/bin/uv sync "${options[@]}" ||
            die "the packages could not be installed; what pip or uv says stands above"
    fi
    fingerprint "$group" > "$stamp"
}

offer_key() {
    local home=${HOME:-$(cd ~ && pwd)} file key
    file=${XDG_CONFIG_HOME:-$home/.config}/orchestrate/.env
    if [ -n "${ANTHROPIC_API_KEY:-}" ] || { [ -f "$file" ] && grep -q '^ANTHROPIC_API_KEY=' "$file"; }; then
        return
    fi
    say ""
    say "An Anthropic API key is optional: a logged-in claude or codex needs none."
    printf 'Paste a key to store it in %s (Enter to skip): ' "$file"
    IFS=$' \t\r' read -rs key || key=
    say ""
    case $key in
        '') return ;;
        *[!A-Za-z0-9_-]*) say "That is not a key (letters, digits, - and _); nothing was stored."; return ;;
    esac
    mkdir -p "$(dirname "$file")"
    if [ -f "$file" ]; then
        chmod 600 "$file"
        [ -z "$(tail -c 1 "$file")" ] || say "" >> "$file" # its last line has no end
    fi
    (umask 077 && printf 'ANTHROPIC_API_KEY=%s\n' "$key" >> "$file")
    say "Stored; only you can read it."
}

launch_options() {
    local found=no cli launcher=$here/orchestrate
    [ "$(cd "$called_from" && pwd -P)" != "$here" ] || launcher=./orchestrate
    say ""
    say "Ready. Agent CLIs on this machine:"
    for cli in claude codex gemini opencode; do
        if command -v "$cli" > /dev/null 2>&1; then
            say "  $cli    $(command -v "$cli")"
            found=yes
        fi
    done
    [ $found = yes ] || say "  none yet (npm install -g @anthropic-ai/claude-code, or npm install -g @openai/codex)"
    say ""
    say "What you can do now:"
    say "  $launcher demo      see it at work, without keys or agents"
    say "  $launcher doctor    what would spoil a night here"
    say "  cd your/project"
    say "  $here/orchestrate submit \"Add a health check endpoint\" --decompose"
    say "  $here/orchestrate run --max-agents 3"
    say "  $here/orchestrate report"
    say ""
    if [ $found = yes ] || [ $demo = yes ]; then say "Type next: $launcher doctor"; else say "Type next: $launcher demo"; fi
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
    status=0
    ./orchestrate demo || status=$?
    launch_options
    exit $status
fi
[ $ask = no ] || offer_key
launch_options
