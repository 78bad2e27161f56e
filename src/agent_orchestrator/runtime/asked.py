"""What a task's own words ask for, as far as it excuses what would otherwise look like tampering.

Words decide here, so only plain ones count, in the same sentence and not negated; what is not recognised stays a
concern, which a person reads. It never makes a check pass.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath

from agent_orchestrator.domain.task import Task

_REMOVE = (
    r"(?:remov\w+|delet\w+|drop\w*|prun\w+|discard\w*|retir\w+|purg\w+|get(?:ting)? rid of|clean(?:ing)? (?:up|out))"
)
_SKIP = r"(?:skip\w*|disabl\w+|xfail\w*|ignor\w+|quarantin\w+|mut(?:e|ing)|mark\w*|deactivat\w+|park\w*)"
_REWRITE = (
    r"(?:rewrit\w+|refactor\w*|restructur\w+|updat\w+|adjust\w*|chang\w+|replac\w+|renam\w+|merg\w+|consolidat\w+|"
    r"simplif\w+|mov\w+|migrat\w+|port\w*|convert\w*|split\w*|reorgani\w+|deduplicat\w+|rework\w*|clean(?:ing)? up|"
    r"adapt\w*|correct\w*|fix\w*|parametri\w+)"
)
_CHANGE = (
    r"\b(?:chang\w+|replac\w+|renam\w+|instead|rather than|no longer|now|switch\w*|drop\w*|remov\w+|delet\w+|migrat\w+|"
    r"mov\w+|updat\w+|upgrad\w+|convert\w*|must|should|reword\w*|rework\w*)\b"
)
_BETWEEN = r"(?:(?!(?:and|then|so|but|or|without|until)\b)[\w'`./:*-]{1,80},?\s+){0,5}"
"""Up to five words that do not begin another thought."""
_TESTS = r"[`'\"]?[\w./-]{0,80}(?:tests?|specs?|test suite|test cases?|assertions?)\b"
_NOT = re.compile(
    r"(?i)\b(?:not|never|no|without|don't|doesn't|mustn't|avoid|instead of|rather than|unless)\b[^.;:]{0,40}$"
)
_SENTENCE = re.compile(r"(?<=[.!?;])\s+|\n\s*\n|\n\s*[-*]\s+")
_COMMON = frozenset(
    re.findall(
        r"\w+",
        "test tests spec specs should when with that this from into have does case cases unit file files code make "
        "work works func function method class return returns true false none null given then expect expected value "
        "values change update remove delete import check verify python main index self",
    )
)
"""Words so common that two texts which share one need not be about the same thing."""


@dataclass(frozen=True)
class Asked:
    """The words of one task: its title, description, acceptance, and what its user said beside it."""

    text: str

    @classmethod
    def by(cls, task: Task) -> "Asked":
        """Return the words of *task*. Its goal's are left out: they ask other tasks for other things."""
        return cls("\n\n".join((task.title, task.description, *task.acceptance, task.context)))

    def removal_of_tests(self, about: str) -> bool:
        """Say whether it asks to remove tests, or to remove the thing that the tests named *about* are of."""
        return self._of_tests(_REMOVE, r"(?:remov|delet|dropp|discard|retir)\w+|obsolete") or bool(
            words(about) & self._removed
        )

    def skipping_of_tests(self) -> bool:
        """Say whether it asks that tests do not run."""
        return self._of_tests(_SKIP, r"(?:skipp|disabl|ignor|quarantin|xfail)\w*")

    def rewriting_of_tests(self) -> bool:
        """Say whether it asks for changed tests."""
        return self._of_tests(
            _REWRITE, r"(?:rewritten|refactored|updated|adjusted|changed|replaced|renamed|merged|moved)"
        )

    def change(self, about: str) -> bool:
        """Say whether it asks for changed tests, or for changed behaviour of the thing that *about* names."""
        if self.rewriting_of_tests():
            return True
        near = [one for one in self._sentences if re.search(_CHANGE, one, re.IGNORECASE)]
        return any(words(about) & words(sentence) for sentence in near)

    def names(self, path: str, *topics: str) -> bool:
        """Say whether it names the file at *path*, or one of the *topics* (patterns)."""
        place = PurePosixPath(path)
        patterns = [rf"(?<![\w/.-]){re.escape(name)}(?![\w-])" for name in {path, place.name}]
        return any(self._unless_negated(pattern) for pattern in (*patterns, *topics))

    def says(self, pattern: str) -> bool:
        """Say whether *pattern* is found, in any case of letters and not negated."""
        return self._unless_negated(pattern)

    @cached_property
    def _sentences(self) -> list[str]:
        return [one for one in _SENTENCE.split(self.text) if one.strip()]

    @cached_property
    def _removed(self) -> frozenset[str]:
        """Words for the things that are to be removed."""
        found: set[str] = set()
        for sentence in self._sentences:
            for match in re.finditer(rf"\b{_REMOVE}\s+((?:{_BETWEEN})[\w'`./-]+)", sentence, re.IGNORECASE):
                if not _NOT.search(sentence[: match.start()]):
                    found |= words(match[1])
        return frozenset(found)

    def _of_tests(self, active: str, passive: str) -> bool:
        return self._unless_negated(
            rf"\b{active}\s+{_BETWEEN}{_TESTS}", rf"{_TESTS}\s+(?:[\w'-]+\s+){{0,6}}(?:be|are|is|being)\s+{passive}\b"
        )

    def _unless_negated(self, *patterns: str) -> bool:
        for sentence in self._sentences:
            for pattern in patterns:
                for match in re.finditer(pattern, sentence, re.IGNORECASE):
                    if not _NOT.search(sentence[: match.start()]) and not re.search(r"\bnot\b", match[0]):
                        return True
        return False


def words(text: str) -> frozenset[str]:
    """Return what a name or sentence is about: the stems of its words of three letters or more, no common ones."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text).lower()
    found = re.findall(r"[^\W\d_]{3,}", apart)
    return frozenset(_stem(one) for one in found if one not in _COMMON)


def _stem(word: str) -> str:
    for ending in ("ing", "ed", "es", "er", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            break
    return word.rstrip("e") if len(word) > 3 else word
