#!/bin/sh
# aider as the agent; it works with any model that litellm knows. In ~/.config/orchestrate/config.toml:
#
#   provider = "generic"
#   generic_command = "path/to/aider_agent.sh {prompt_file} {run_dir} {model}"
#   generic_model = "openai/gpt-5.4"
#   pass_env = ["OPENAI_API_KEY"]
#
# Tried with aider 0.86.2 (pip install aider-chat). What this does beyond starting it: it keeps aider's own files out
# of the work, and it ends with exit code 1 when the model service refused, where aider ends with 0.
set -u
prompt=$1 run=$2 model=${3-}
export LITELLM_LOCAL_MODEL_COST_MAP=True # or litellm fetches its price list at every start

set -- --message-file "$prompt" --yes-always --no-auto-commits --no-gitignore --no-pretty --no-stream
set -- "$@" --no-check-update --no-show-release-notes --no-show-model-warnings --analytics-disable
set -- "$@" --chat-history-file "$run/aider.chat.md" --input-history-file "$run/aider.input"
[ -z "$model" ] || set -- "$@" --model "$model"

{
    aider "$@" < /dev/null 2>&1
    echo $? > "$run/aider.exit"
} | tee "$run/aider.log"
rm -rf .aider.tags.cache.v*

read -r status < "$run/aider.exit"
if [ "$status" = 0 ] && tail -n 6 "$run/aider.log" | grep -q 'litellm\.[A-Za-z]*Error'; then
    tail -n 6 "$run/aider.log" | sed -n '/litellm\.[A-Za-z]*Error/,$p' >&2
    status=1
fi
exit "$status"
