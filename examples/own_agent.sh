#!/bin/sh
# Any program can be the agent: it reads a prompt on standard input, changes files in its folder, and exits 0.
#
#   path/to/own_agent.sh [FOLDER]     FOLDER: a new one for a sample project; a temporary one unless given
set -eu
folder=${1:-$(mktemp -d)/sample}
mkdir -p "$(dirname "$folder")"
mkdir "$folder"
folder=$(cd "$folder" && pwd)
agent=$folder-agent

# The agent: it adds what the task asks for to a list, and says what it did. It knows no model and no orchestrate.
cat > "$agent" <<'AGENT'
#!/bin/sh
fruit=$(sed -n 's/.*Add \([a-z]*\) to the list.*/\1/p' | head -n 1)
[ -n "$fruit" ] || { echo "no fruit is named in my prompt" >&2; exit 1; }
echo "$fruit" >> fruits.txt
sort -u -o fruits.txt fruits.txt
echo "I added $fruit; the list is sorted."
AGENT
chmod +x "$agent"

cd "$folder"
echo banana > fruits.txt
orchestrate init --git

# The placeholders of a command are {prompt_file}, {workspace}, {role_file}, {model} and {run_dir}.
export ORCHESTRATE_GENERIC_COMMAND="$agent" ORCHESTRATE_PROVIDER=generic
orchestrate submit "Add apple to the list" --verify "grep -qx apple fruits.txt && sort -c fruits.txt"
orchestrate run
orchestrate report

echo
cat fruits.txt
