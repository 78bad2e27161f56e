"""Agents that share: through files and through the command, from inside their checkouts, in one real run."""

import json

from .conftest import Begin, job

AFTER = "What the tasks before yours did"
"""Stands in the prompt of a task that depends on another. Both prompts carry the goal's text and its script."""


def test_what_one_agent_leaves_and_says_reaches_the_next_ones_prompt_and_view(begin: Begin) -> None:
    call = begin()
    leaves = [
        """sh printf '{"port": 8080}' > $ORCHESTRATE_CONTEXT/results/$(ls $ORCHESTRATE_CONTEXT/tasks)""",
        "sh echo 'The tests need LANG=C.' > $ORCHESTRATE_CONTEXT/discoveries/lang.md",
        "sh printf bytes > $ORCHESTRATE_CONTEXT/artifacts/shot.png",
        'sh "$ORCHESTRATE_CLI" context put naming snake_case',
        """sh cd / && "$ORCHESTRATE_CLI" context put --discovery 'Seen from the root.'""",
        "write first.txt done",
    ]
    finds = [
        "sh cat $ORCHESTRATE_CONTEXT/artifacts/*/shot.png > second.txt",
        'sh "$ORCHESTRATE_CLI" context get naming >> second.txt',
    ]
    wants = ("The tests need LANG=C.", "naming: snake_case", "8080", "Seen from the root.", "Use British spelling.")
    steps = [f'unless_prompt_contains "{AFTER}": {step}' for step in leaves]
    steps += [f'if_prompt_contains "{AFTER}": {step}' for step in finds]
    steps += [f'if_prompt_contains "{want}": append seen.txt {want}' for want in wants]
    first, second = job("first", "\n".join(steps)), "second"
    submitted = call("submit", "--json", "--", first).json
    goal, task = submitted["goal"]["id"], submitted["tasks"][0]["id"]
    call("submit", "--depends-on", task, "--", second)
    call("context", "put", "--goal", goal, "--note", "Use British spelling.")

    ran = call("run", "--json")

    assert ran.code == 0, ran
    assert (call.folder / "second.txt").read_text() == "bytessnake_case\n"
    assert (call.folder / "seen.txt").read_text().splitlines() == ["Use British spelling.", *wants]
    shared = {one["name"]: one for one in call("context", "list", "--goal", goal, "--json").json["entries"]}
    key = submitted["tasks"][0]["key"]
    assert set(shared) == {
        "notes/1", "naming", "discoveries/1", "discoveries/2", f"results/{key}", f"artifacts/{key}/shot.png",
    }  # fmt: skip
    assert {name: one["author"] for name, one in shared.items() if name != "notes/1"} == dict.fromkeys(
        set(shared) - {"notes/1"}, key
    )


def test_a_file_that_is_refused_is_told_to_its_author_and_mended_by_the_next_attempt(begin: Begin) -> None:
    call = begin()
    told, file = '_prompt_contains "Not taken into the context"', "$ORCHESTRATE_CONTEXT/shared/api.json"
    script = f"""
        unless{told}: sh echo '{{"port": NaN}}' > {file}
        if{told}: sh echo '{{"port": 1}}' > {file}
        if{told}: write work.txt done
    """
    goal = call("submit", "--json", "--", job("one", script)).json["goal"]["id"]

    ran = call("run", "--json")

    assert ran.code == 0, ran
    assert call("context", "get", "api", "--goal", goal, "--json").json["value"] == {"port": 1}
    events = [json.loads(line) for line in call("events", "--json", "--goal", goal).out.splitlines()]
    refused = [event["data"]["refused"] for event in events if event["type"] == "context.refused"]
    assert len(refused) == 1 and "NaN" in refused[0][0]
