import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_orchestrator.domain.text import clean


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x9b31mred\x9bm", "red"),
        ("a\x1b[2J\x1b[1;1Hb", "ab"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;https://x.example\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9d52;c;aGFjaw==\x9ctext", "text"),
        ("\x1bPpayload\x1b\\text", "text"),
        ("\x1b_payload\x9ctext", "text"),
        ("\x1b]0;never closed\nnext line", "\nnext line"),
        ("\x1bcreset \x1b(Bset \x1b7save\x1b", "reset set save"),
        ("over\rwritten\b\x00\x7f", "overwritten"),
        ("dos\r\nline\ttab\n", "dos\nline\ttab\n"),
        ("user\u202etxt.exe\u202c \u2066x\u2069", "usertxt.exe x"),
        ("zero\u200bwidth\ufeff \u200fmark", "zerowidth mark"),
        ("one\u2028two\u2029three", "onetwothree"),
        ("tag\U000e0041\U000e007f", "tag"),
        ("lone\ud800", "lone"),
        ("grüße 日本語 עברית 😀 ½ —", "grüße 日本語 עברית 😀 ½ —"),
    ],
)
def test_what_steers_a_terminal_or_hides_from_a_reader_is_removed(text: str, shown: str) -> None:
    assert clean(text) == shown


@given(st.text(alphabet=st.one_of(st.characters(), st.sampled_from("\x1b[]P\\;?m\x07\x9b\x9c\x9d\n\u202e\u200b"))))
def test_no_control_survives_in_any_text_and_cleaning_again_changes_nothing(text: str) -> None:
    cleaned = clean(text)

    for character in cleaned:
        assert character in "\t\n" or unicodedata.category(character) not in {"Cc", "Cs", "Zl", "Zp"}
        assert unicodedata.bidirectional(character) not in {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI"}
    assert clean(cleaned) == cleaned
    cleaned.encode()
