import pytest

from agent_orchestrator.runtime.counting import tests_run as count


@pytest.mark.parametrize(
    ("output", "ran"),
    [
        ("Ran 12 tests in 0.003s\n\nOK\n", 12),
        ("Ran 12 tests in 0.003s\n\nOK (skipped=2)\n", 10),
        ("Ran 0 tests in 0.000s\n\nNO TESTS RAN\n", 0),
        ("=== 5 passed, 2 skipped in 0.12s ===\n", 5),
        ("3 failed, 97 passed, 1 xfailed, 4 warnings in 2.10s\n", 101),
        ("no tests ran in 0.01s\n", 0),
        ("Tests:       1 failed, 2 skipped, 7 passed, 10 total\n", 8),
        ("      Tests  1 failed | 7 passed | 2 skipped (10)\n", 8),
        ("test result: ok. 4 passed; 0 failed; 1 ignored; 0 measured\ntest result: ok. 2 passed; 0 failed;\n", 6),
        ("# tests 5\n# pass 4\n# fail 1\n# skipped 0\n", 5),
        ("  9 passing (20ms)\n  1 pending\n", 9),
        ("[INFO] Tests run: 8, Failures: 0, Errors: 0, Skipped: 1\n", 7),
        ("8 examples, 0 failures, 1 pending\n", 7),
        ("OK (5 tests, 8 assertions)\n", 5),
        ("100% tests passed, 0 tests failed out of 6\n", 6),
        ("it works\n", None),
        ("", None),
    ],
)
def test_a_runners_own_words_say_how_many_tests_ran(output: str, ran: int | None) -> None:
    assert count(output) == ran
