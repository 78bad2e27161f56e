"""What a goal's text asks for: its parts where it has parts, and nothing more where it has not.

Commas alone never split. Parts are list items, semicolons between requests,
coordinated requests ("add X, make Y, and document Z"), and lists of things
after a colon or after "with", "for", "into".
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum

from agent_orchestrator.planning.layers import Layer, layer_of
from agent_orchestrator.planning.references import is_of_others
from agent_orchestrator.planning.vocabulary import (
    BUILD_VERBS,
    CHINESE_VERBS,
    DETERMINERS,
    ENGLISH_VERBS,
    NOUN_LIKE_VERBS,
    PRONOUNS,
    SMALL_VERBS,
    TECHNOLOGIES,
    VERBS,
)

GOAL_READ_LIMIT_CHARS = 50_000

_ITEM = re.compile(
    r"^(\s*)(?:[-*+•–]|\(?\d{1,3}[.)、]|\(?[a-z][.)]|[一二三四五六七八九十]+、)\s*(?:\[[ xX]?\]\s*)?(?=\S)(.+)$"
)
_INLINE_NUMBER = re.compile(r"(?:^|\s)\(?(\d{1,2})[.)]\s+(?=\S)")
_MARKED = re.compile(
    r"(?P<ticks>`{1,3})(?P<code>[^`]+)(?P=ticks)"
    r"|(?<![a-zA-Z0-9_*])\*\*(?=[\w\"'(\[<`])(?P<bold>(?:(?!\*\*).)+)(?<=[\w.:!?)\"'\]>`])\*\*(?![a-zA-Z0-9_*])"
    r"|(?<!\w)__(?=\S)(?P<low>(?:(?!__).)*\s(?:(?!__).)*)(?<=\S)__(?!\w)"
)
"""Marks that come in pairs round whole words. ``**kwargs``, ``src/**`` and ``__all__`` have none: they are names."""
_STORY = re.compile(
    r"^(?:(?:user )?story|task|step|epic|feature|item|phase|milestone|part)\s*[\d.]+\s*[-—–:.]\s*", re.I
)
_CRITERIA = re.compile(
    r"acceptance|criteria|definition of done|done when|expected|criterios|critères|akzeptanz|kryteria|验收", re.I
)
_ASIDE = re.compile(
    r"reproduce|example|note|context|background|out of scope|non-goals?|constraints?|environment|links?", re.I
)
_WORK = re.compile(
    r"features?|requirements?|stor(?:y|ies)|tasks?|scope|deliverables?|to-?dos?|functionality|changes|work|"
    r"what to build",
    re.I,
)
_AIM = re.compile(
    r"goals?|objectives?|motivation|overview|summary|vision|(?:success )?metrics|success|kpis?|personas?|"
    r"(?:target )?(?:users|audience)|stakeholders|risks?|assumptions|(?:open )?questions|"
    r"tech(?:nolog(?:y|ies)| stack)?|stack|timeline|glossary|references",
    re.I,
)
"""Headings of a requirements document that tell what for, by what and for whom. Where another heading names the work,
what is listed under these is no part of it: nobody implements that a third of all users come back."""
_AND = r"(?:and then|and|then|finally|y|e|et|puis|und|dann|oraz|i)"
_ORDER = (
    r"(?:(?:and|also|please|bitte|first(?:ly| of all)?|second(?:ly)?|third(?:ly)?|then|next|after that|afterwards|"
    r"finally|lastly|last|zuerst|danach|schließlich|d'abord|ensuite|puis|enfin|primero|luego|después|najpierw|potem|"
    r"na koniec|zum schluss),?\s+)+"
)
"""What stands before a request to say when its turn is: "First …", "and finally …"."""
_ORDER_WORDS = re.compile(rf"^{_ORDER}", re.I)
_NEXT = re.compile(
    rf",\s+(?={_AND}\s|\w)|(?<!\band)(?<!^first)\s+(?=(?:and\s+)?(?:then|finally|lastly|after that)\s)", re.I
)
"""Where the next request of a sentence may begin; whether one does is for its words to say."""
_ONE_THING = re.compile(
    r"(?:add|introduce|support|implement|provide|offer)\s+(?:an?|the|one)\s+(?:\S+\s+){0,3}"
    r"(?:options?|flags?|switch|parameters?|arguments?|fields?|buttons?|settings?|commands?|endpoints?|headers?|columns?)",
    re.I,
)
"""Before a colon: one thing, of which the rest of the sentence tells what it does."""
_CJK_NEXT = re.compile(rf"[，、,。]\s*(?:并且|并|然后|以及|最后)?(?={CHINESE_VERBS})")
_CJK_INCLUDING = re.compile("[，,]?(?:包括|包含|具有|支持)")
"""Before a list of what a thing shall have, whose items may begin with verbs."""
_WORD = re.compile(r"[^\W_][\w'-]*")
_LINK = re.compile(
    r"\b(?:with|for|including|covering|into|handling|con|para|com|avec|pour|mit|für|z|dla)\s+([^.;:\n]{5,200})|(?:包括|包含|支持|具有|含)([^。；\n]{4,200})",
    re.I,
)
_AS_WELL = re.compile(r"\s+(?:plus|as well as|using|via|behind|on top of|with)\s+", re.I)
_BESIDES = re.compile(
    r"(?:with|avec|con|com|mit|plus)\b|"
    r"(?:\w+ )?(?:tests?|testing|pruebas|testes|测试|docs|documentation|documentación|dokumentation|文档|auth\w*|"
    r"logins?|deployment|ci/cd|monitoring)$",
    re.I,
)
"""Beside a list of features these are not features; they get tasks of their own or none."""

_MODAL = re.compile(r"\b(?:can|could|should|must|is|are|was|will|would|but|which|that|because)\b", re.I)
_FOLLOWS = re.compile(
    r"^(?:and )?(?:then|finally|afterwards|after that|next|second(?:ly)?|third(?:ly)?|last(?:ly)?|once|luego|después|"
    r"ensuite|puis|enfin|danach|schließlich|następnie|potem|na koniec|zum schluss)\b|^(?:然后|最后|最後に|その後)",
    re.I,
)


_SENTENCE_END = re.compile(r"(?<=\w[.!])\s+|(?<=。)\s*")

_AN = r"(?:an?|ein|eine|einen|une?|una|um|uma)"
_EACH_WITH_ARTICLE = re.compile(
    rf"(\S+)\s+({_AN}\s[^,;:.]+(?:,\s+{_AN}\s[^,;:.]+)+?),?\s+{_AND}\s+({_AN}\s(?:[^,;:.]|\.(?=\S))+)", re.I
)
"""A verb and three things or more, each with its article: "Build a parser, a formatter and a linter"."""
_OF_THEM_ALL = re.compile(
    r"\b(?:with|for|that|which|who|to|into|from|in|on|using|by|as|where|when|mit|für|avec|pour|qui|dans|con|para|que|"
    r"en|com)\b",
    re.I,
)
"""In one of several things: it may be said of all of them, as the form of "a name and an email to the form" is."""
_FOR_BIG_THINGS = BUILD_VERBS - {"write", "set", "setup", "ship", "start", "launch", "establish"}
"""Verbs whose object is likely to be a sitting's work. "Write a README, a changelog and a guide" is one."""
_ALSO_OF_RECORDS = re.compile(r"crea|cria?|cré|erstell|make|utwórz|stw", re.I)
"""Verbs with which things must have more of a name: "Create a user, a role and a permission" asks for three rows."""

_NO_OBJECT = {"with", "and", "or", "of"}
"""After a verb these say that it is a name: "three commands: add, list, remove; with tests"."""


class Form(StrEnum):
    """How the parts of a goal were written."""

    NONE = "none"
    LIST = "list"
    REQUESTS = "requests"
    THINGS = "things"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of a goal that becomes a task."""

    text: str
    details: str = ""
    follows: bool = False
    """True when its words say that it comes after the part before it."""
    after_all: bool = False
    """True when it is about all the things that were listed before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What was understood of a goal."""

    text: str
    form: Form = Form.NONE
    head: str = ""
    """What stands before the parts and holds for all of them."""
    parts: tuple[Part, ...] = ()
    criteria: tuple[str, ...] = ()
    """List items that say when it is done, not what to do."""
    first_verb: str = ""
    small: bool = False
    """It begins like a repair or a touch-up."""
    words: tuple[str, ...] = field(default=(), repr=False)


def read_goal(text: str) -> Reading:
    """Return what *text* asks for."""
    text = text.strip()[:GOAL_READ_LIMIT_CHARS]
    words = tuple(_WORD.findall(text.casefold()))
    lead = re.sub(r"^(?:\W*(?:urgent|please|todo|bug|feature|hotfix|\[[^\]]*\])\s*[:!,]?\s*)+", "", text, flags=re.I)
    verb = next(iter(_WORD.findall(unordered(lead).casefold())), "")
    small = verb in SMALL_VERBS
    form, head, parts, criteria = _parts(text, lead, small)
    return Reading(
        text=text,
        form=form,
        head=head,
        parts=tuple(parts),
        criteria=tuple(criteria),
        first_verb=verb,
        small=small,
        words=words,
    )


def starts_with_request(text: str) -> bool:
    """Say whether *text* begins with a verb that asks for something."""
    words = _WORD.findall(unordered(text).casefold())
    return bool(words) and (words[0] in VERBS or re.match(CHINESE_VERBS, words[0]) is not None)


def unordered(text: str) -> str:
    """Return *text* without the words in front that only say when its turn is, and with its first letter as it is."""
    return _ORDER_WORDS.sub("", text.strip())


def is_english(text: str) -> bool:
    """Guess whether English words may be put before *text*: no accents, and no other language's verb in front.

    Nor one at the end, where German has it: "Tests schreiben".
    """
    words = _WORD.findall(text.casefold())
    verbs = {*words[:1], *(word for word in words[-1:] if word.endswith("en"))}
    return text.isascii() and not verbs & (VERBS - ENGLISH_VERBS)


def things_named(text: str) -> tuple[str, ...]:
    """Return the three or more things of a list such as "with user, order, and payment services"; no technologies."""
    starts = [match.start() for match in _LINK.finditer(text)]
    starts += [start + 1 for start in starts]  # "for inventory with products, ..." has one inside another
    matches = [match for start in starts if (match := _LINK.search(text, start))]
    for match in reversed(matches):
        found = _things(_AS_WELL.split(match[1] or match[2])[0])
        kept = [
            thing
            for thing in found
            if not set(_WORD.findall(thing.casefold())) & TECHNOLOGIES and not _BESIDES.match(thing)
        ]
        if len(kept) >= 3:
            return _with_shared_noun(kept)
    return ()


def unmarked(text: str) -> str:
    """Return *text* without Markdown's marks for bold and code around words; names such as ``__init__`` keep theirs.

    What stands between marks of code is left as it is: there ``**`` and ``__`` are the author's.
    """
    return _MARKED.sub(lambda found: found["code"] or unmarked(found["bold"] or found["low"]), text)


def _parts(text: str, lead: str, small: bool) -> tuple[Form, str, list[Part], list[str]]:
    head, items, criteria = _list_items(text)
    if len(items) >= 2:
        return Form.LIST, head, items, criteria
    if items and not criteria:
        lead = f"{head} {items[0].text}".strip()
    if criteria:
        lead = head or lead
    listed = [line for line in lead.splitlines() if _ITEM.match(line)]
    running = "\n".join(line for line in lead.splitlines() if line not in listed) if len(listed) > 1 else lead
    numbered = _inline_items(running)  # of lines that were a list it was decided above that they are no parts
    if numbered:
        return Form.LIST, numbered[0], numbered[1], criteria
    built = _each_built(lead)
    if built:
        return Form.LIST, "", built, criteria
    head, requests = _requests(lead)
    before, _, rest = lead.partition(": ") if ": " in lead else lead.partition("：")
    things: list[str] = []
    first, *sentences = _SENTENCE_END.split(rest.strip())
    if rest and not small and "\n" not in rest.strip() and not _MODAL.search(rest):
        things = _things(first.rstrip(" .。"))
    if len(things) >= 3 and len(things) > len(requests):
        return Form.THINGS, before.strip(), [Part(text=thing) for thing in things] + _afterwards(sentences), criteria
    if len(requests) >= 2:
        return Form.REQUESTS, head, requests, criteria
    return Form.NONE, "", [], criteria


def _afterwards(sentences: list[str]) -> list[Part]:
    """Return as parts what *sentences* after a list of things ask to be done with them all; what they only say, not."""
    parts: list[Part] = []
    for sentence in sentences:
        plain = unordered(sentence).rstrip(" .!。")
        follows = _FOLLOWS.match(sentence) is not None
        words = _WORD.findall(plain.casefold())
        asks = starts_with_request(plain) or (follows and words and (words[-1] in VERBS or not plain.isascii()))
        if asks and (follows or layer_of(plain) in (Layer.TEST, Layer.DELIVER, Layer.DOCUMENT)):
            parts.append(Part(text=_capital(plain), after_all=True))
    return parts


def _list_items(text: str) -> tuple[str, list[Part], list[str]]:
    """Return what stands before the list in *text*, its items, and those that are criteria of being done."""
    listed = _Listed()
    for line in text.splitlines():
        found = _ITEM.match(line)
        if found is not None:
            listed.take_item(len(found[1].expandtabs(4)), found[2].strip())
        elif line.strip():
            listed.take_text(line)
    items = listed.items
    if any(_WORK.search(item.section) for item in items):
        items = [item for item in items if not _AIM.fullmatch(item.section)]
    return "\n".join(listed.head), [_part(item.content, item.details) for item in items], listed.criteria


@dataclass(slots=True)
class _Item:
    content: str
    section: str
    """What the section it stands in is called; empty without one."""
    details: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Listed:
    """A text with a list in it, taken in line by line."""

    head: list[str] = field(default_factory=list)
    items: list[_Item] = field(default_factory=list)
    criteria: list[str] = field(default_factory=list)
    _heading: str = ""
    """The last line that was no item and went on with none."""
    _indent: int | None = None
    """Of the first item, in columns: what stands deeper is a detail of the item above it."""

    def take_text(self, line: str) -> None:
        """Take a line that is no item: it goes on with the item above it, or it is a heading or before all items."""
        if self.items and line[:1].isspace():
            self.items[-1].details.append(line.strip())
            return
        self._heading = line.strip()
        if self.items and not _is_heading(self._heading):
            self.items[-1].details.append(self._heading)
        else:
            self.head.append(self._heading)

    def take_item(self, indent: int, content: str) -> None:
        """Take an item; which kind it is depends on the heading it stands under."""
        titled = _is_heading(self._heading) or len(self._heading) < 40
        if titled and _CRITERIA.search(self._heading):
            self.criteria.append(content)
        elif titled and _ASIDE.search(self._heading) and len(self._heading.split()) <= 4:
            return
        elif self.items and self._indent is not None and indent > self._indent:
            self.items[-1].details.append(content)
        else:
            self._indent = indent if self._indent is None else self._indent
            self.items.append(_Item(content, _section(self._heading)))


def _is_heading(line: str) -> bool:
    return line.startswith("#") or line.endswith((":", "："))


def _section(heading: str) -> str:
    """Return the name of a section that *heading* begins, without its marks; empty when it begins none."""
    return re.sub(r"^[#\s\d.]+|[\s:：*]+$", "", heading) if _is_heading(heading) else ""


def _part(content: str, details: list[str]) -> Part:
    plain = _STORY.sub("", unmarked(content)).strip()
    return Part(text=plain, details="\n".join(details), follows=bool(_FOLLOWS.match(plain)))


def _inline_items(text: str) -> tuple[str, list[Part]] | None:
    marks = list(_INLINE_NUMBER.finditer(text))
    if len(marks) < 2 or [int(mark[1]) for mark in marks] != list(range(1, len(marks) + 1)):
        return None
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    items = [text[mark.end() : end].strip(" ,;.\n") for mark, end in zip(marks, ends, strict=True)]
    return text[: marks[0].start()].strip(" :\n"), [_part(item, []) for item in items if item]


def _each_built(text: str) -> list[Part]:
    """Return the parts of "Build a parser, a formatter and a linter", each with the verb; none of any other text."""
    found = _EACH_WITH_ARTICLE.fullmatch(" ".join(text.split()).rstrip("."))
    if found is None or found[1].casefold() not in _FOR_BIG_THINGS:
        return []
    things = [*(thing.strip() for thing in found[2].split(",")), found[3]]
    least = 3 if _ALSO_OF_RECORDS.match(found[1]) else 2
    sizes = [len(re.findall(r"\w+", thing)) for thing in things]
    if min(sizes) < least or max(sizes) > 6 or any(_OF_THEM_ALL.search(thing) for thing in things):
        return []
    return [Part(text=f"{_capital(found[1])} {thing}") for thing in things]


def _requests(text: str) -> tuple[str, list[Part]]:
    """Return head and parts where *text* asks for several things in running words."""
    text = " ".join(text.split())
    head, body = "", text
    before, colon, after = text.partition(": ")
    first = _WORD.findall(re.split(r"[,;]", after, maxsplit=1)[0])
    if colon and starts_with_request(before) and (_ONE_THING.fullmatch(before) or not starts_with_request(after)):
        return "", []  # "Add a --retry option: retry …, show each try": one thing, and what it does
    if colon and starts_with_request(after) and len(first) > 1 and len(before.split()) <= 12:
        head, body = before, after
    pieces = [piece.strip() for piece in re.split(r"[;；]\s*", body) if piece.strip()]
    if not (len(pieces) >= 2 and all(starts_with_request(_bare(piece)) for piece in pieces)):
        pieces = [body]
    split = [part for piece in pieces for part in _coordinated(piece)]
    sentences = [s for s in re.split(r"(?<=[.!。])\s+", body) if s.strip()]
    if len(split) < 2 and len(sentences) >= 3 and all(starts_with_request(s) for s in sentences):
        split = sentences
    if len(split) < 2:
        return "", []
    return head, [
        Part(text=_capital(unordered(_bare(part)).rstrip(". ")), follows=bool(_FOLLOWS.match(part))) for part in split
    ]


def _coordinated(piece: str) -> list[str]:
    if not starts_with_request(piece):
        return [piece]
    if re.search(r"[\u4e00-\u9fff]", piece):
        asked = _CJK_INCLUDING.split(piece, maxsplit=1)[0]
        requests = [part for part in _CJK_NEXT.split(asked) if part.strip()]
        return [*requests[:-1], requests[-1] + piece[len(asked) :]] if requests else [piece]
    parts: list[str] = []
    at, before = 0, len(piece) - len(unordered(piece))
    for found in (*_NEXT.finditer(piece, before), None):
        end = found.start() if found else len(piece)
        chunk = piece[at:end]
        if not parts or _asks_for_more(unordered(_bare(chunk))):
            parts.append(chunk.strip(" ,"))
        else:
            parts[-1] += piece[before:end]
        before, at = end, found.end() if found else end
    return parts


def _asks_for_more(chunk: str) -> bool:
    """Say whether *chunk* after a comma is a request of its own: not "close it", nor "test results" among nouns.

    "Document both" is one: it is about several that were asked for before.
    """
    if is_of_others(chunk):
        return True
    words = _WORD.findall(chunk.casefold())
    if not starts_with_request(chunk) or len(words) < 2 or words[1] in PRONOUNS | _NO_OBJECT:
        return False
    return words[0] not in NOUN_LIKE_VERBS or words[1] in DETERMINERS


def _bare(chunk: str) -> str:
    return re.sub(rf"^{_AND}\s+", "", chunk.strip(), flags=re.I)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _things(text: str) -> list[str]:
    text = re.split(r"(?<=\w)[.](?:\s|$)|[;；]\s| - ", text)[0]
    pieces = [
        p.strip(" .")
        for p in re.split(rf",\s*(?:{_AND}\s+|&\s*)?|\s+(?:and|&|y|e|et|und|oraz|i)\s+|、|，|和", text)
        if p.strip(" .")
    ]
    if len(pieces) < 3 or any(len(piece.split()) > 5 or _MODAL.search(piece) for piece in pieces):
        return []
    if sum(piece.casefold() in VERBS for piece in pieces) * 2 > len(pieces):
        return []  # "three commands: add, list, remove" names operations of one thing
    return pieces


def _with_shared_noun(things: list[str]) -> tuple[str, ...]:
    """Give "user, order, payment services" its noun back: user service, order service, payment service."""
    last = things[-1].split()
    if (
        len(last) == 2
        and last[1].endswith("s")
        and all(len(thing.split()) == 1 and not thing.endswith("s") for thing in things[:-1])
    ):
        noun = last[1].removesuffix("s")
        return tuple(f"{thing} {noun}" for thing in (*things[:-1], last[0]))
    return tuple(things)
