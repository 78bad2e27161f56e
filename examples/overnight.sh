#!/bin/sh
# One evening: put goals into the queue, let agents work until the morning, read the reports.
#
#   cd your/project && path/to/overnight.sh 07:30 "Add a health check endpoint" "Write the upgrade notes"
#
# The exit code is that of the run: 0 done, 6 some tasks need a person, 7 stopped by the time or a limit.
set -eu
[ $# -ge 2 ] || { echo "usage: overnight.sh HH:MM GOAL..." >&2; exit 2; }
until=$1
shift

orchestrate doctor > /dev/null || { orchestrate doctor; exit 8; } # better now than at three in the morning

ids=
for goal in "$@"; do
    queued=$(orchestrate submit --decompose -- "$goal")
    printf '%s\n' "$queued"
    ids="$ids $(printf '%s\n' "$queued" | head -n 1 | cut -f 1)" # the first line is the goal: its id, a tab, its title
done

code=0
orchestrate run --until "$until" || code=$?

for id in $ids; do
    orchestrate report "$id"
    echo
done
exit $code
