from agent_orchestrator.domain.evidence import fingerprint

PATCH = """\
diff --git a/port.txt b/port.txt
index 83b33d2..d00491f 100644
--- a/port.txt
+++ b/port.txt
@@ -1,3 +1,3 @@
 first
-80
+8081
 last
"""


def test_the_same_change_is_known_again_among_other_lines() -> None:
    moved = (
        PATCH.replace("@@ -1,3 +1,3 @@", "@@ -9,3 +9,3 @@ def serve")
        .replace(" first", " another")
        .replace("83b33d2", "1")
    )

    assert fingerprint(moved) == fingerprint(PATCH) != ""


def test_another_change_is_not_taken_for_the_same() -> None:
    others = [
        PATCH.replace("+8081", "+8082"),
        PATCH.replace("port.txt", "ports.txt"),
        PATCH.replace("-80\n", ""),
        PATCH.replace("index", "old mode 100644\nnew mode 100755\nindex"),
    ]

    assert len({fingerprint(one) for one in (PATCH, *others)}) == 5


def test_binary_files_are_told_apart_by_their_contents() -> None:
    binary = "diff --git a/x.png b/x.png\nindex 1111111..2222222 100644\nBinary files a/x.png and b/x.png differ\n"

    assert fingerprint(binary) != fingerprint(binary.replace("2222222", "3333333"))


def test_of_no_change_nothing_is_known() -> None:
    assert fingerprint("") == ""
