from agent_orchestrator.runtime.resolutions import missing


def patch(file: str, *lines: str) -> str:
    added = "".join(f"+{line}\n" for line in lines)
    return f"diff --git a/{file} b/{file}\n--- a/{file}\n+++ b/{file}\n@@ -1 +1 @@\n-base line\n{added}"


def test_lines_of_either_side_that_a_resolution_dropped_are_told() -> None:
    ours, landed = patch("f.py", "port = 80", "host = here"), patch("f.py", "port = 81", "name = shop")

    assert missing(ours, landed, patch("f.py", "port = 81", "name = shop", "host = here")) == (
        "after the conflict, lines of its own earlier work are not in the result: f.py: port = 80",
    )
    (note,) = missing(ours, landed, patch("f.py", "port = 80", "host = here", "name = shop"))
    assert note.endswith("what had landed are not in the result: f.py: port = 81")


def test_a_resolution_with_both_sides_is_not_accused() -> None:
    ours, landed = patch("f.py", "one = 1"), patch("f.py", "two = 2")

    assert missing(ours, landed, patch("f.py", "one = 1", "two = 2", "}")) == ()


def test_files_that_only_one_side_changed_and_brackets_are_passed_over() -> None:
    ours = patch("f.py", "one = 1", "}") + patch("g.py", "gone = 1")

    assert missing(ours, patch("f.py", "two = 2"), patch("f.py", "one = 1", "two = 2")) == ()
