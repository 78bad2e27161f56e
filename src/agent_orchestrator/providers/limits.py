"""What a refusal means and until when it lasts, read from the texts and fields the services use.

Texts as users reported them up to November 2026 in the public trackers of the CLIs; the table of them stands in
``tests/providers/test_limits.py``. An unknown text yields None and the caller looks again after the default hold.
"""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from agent_orchestrator.domain.hold import HoldKind

JUST_PASSED = timedelta(minutes=30)
"""A stated time of day this recently gone is a reset that is late, not one of tomorrow: waiting a day would be worse
than asking again soon, so it counts as not stated."""

MINUTE = timedelta(minutes=1)
FARTHEST = timedelta(days=35)
"""A reset farther away than a month, the longest window in use, is a misreading; asking again costs less."""

_ABBREVIATIONS = {
    "UTC": 0, "GMT": 0, "Z": 0, "CET": 1, "CEST": 2, "BST": 1,
    "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7,
}  # fmt: skip
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_UNIT_SECONDS = {"d": 86400, "h": 3600, "m": 60, "s": 1}

_TIME = r"(?P<hour>\d{1,2})(?::(?P<minute>\d{2}))?(?::\d{2})?\s*(?P<half>[ap]\.?m\b\.?)?"
_ZONE = (
    r"(?:\s*\(?(?P<zone>[A-Za-z]+(?:[_+-][A-Za-z0-9]+)*(?:/[A-Za-z0-9_+/-]+)+|[A-Z]{1,4})\b\)?"
    r"|(?!\s*(?:\(|[ap]\.?m)))"  # what stands in brackets and is no zone makes the time unknown
)
_LEAD = r"(?:resets?|try\s+again|retry|available\s+again|until)(?:\s+(?:at|on|after))?\s*:?\s+"
_EPOCH = re.compile(r"(?:reached\s*\||resets?_?at\W{1,4})(?P<epoch>\d{10}(?:\d{3})?)\b", re.I)
_SECONDS = re.compile(
    r"(?:resets?_in_seconds|retry[-_ ]after(?:_seconds)?)\W{1,4}(?P<seconds>\d+(?:\.\d+)?)(?!\w*[hdm]|\d*-)", re.I
)
_ISO = re.compile(r"\b(?P<iso>20\d\d-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)", re.I)
_SPAN = re.compile(
    r"(?:try\s+again|retry|resets?|available\s+again)\s+(?:again\s+)?(?:in|after)\s+(?:about\s+)?"
    r"(?P<span>(?:\d+(?:\.\d+)?\s*(?:days?|d|hours?|hrs?|h|minutes?|mins?|m|seconds?|secs?|s)\b[\s,]*(?:and\s+)?"
    r"|\d+(?:\.\d+)?[dhm](?=\d))+)",
    re.I,
)
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([dhms])", re.I)
_REGAIN = re.compile(r"regain access on (?P<day>20\d\d-\d\d-\d\d)(?: at (?P<time>\d\d:\d\d))?(?: UTC)?", re.I)
"""How the Anthropic API words the end of a limit that the account set itself; in UTC."""
_DATED = re.compile(
    _LEAD + r"(?P<month>[A-Za-z]{3,9})\.?\s+(?P<day>\d{1,2})(?:st|nd|rd|th)?,?"
    r"(?:\s+(?P<year>20\d\d|21\d\d),?)?(?:\s+at)?\s+" + _TIME + _ZONE,
    re.I,
)
_OF_WEEK = re.compile(
    _LEAD + r"(?P<when>mon|tue|wed|thu|fri|sat|sun|tomorrow)[a-z]*\.?,?(?:\s+at)?\s+" + _TIME + _ZONE, re.I
)
_HTTP_DATE = re.compile(r"retry-after\W{1,4}(?P<date>[a-z]{3}, \d{1,2} [a-z]{3} 20\d\d [\d:]{8} GMT)", re.I)
_OF_DAY = re.compile(_LEAD + _TIME + _ZONE, re.I)


def reset_time(
    text: str, now: datetime, local: tzinfo | None = None, *, cut_to_minute: bool = False
) -> datetime | None:
    """Return the moment in UTC at which *text* says that a limit ends, or None: it does not say, or cannot mean it.

    *now* is aware. *local* is the zone of times without one; None means the machine's, as codex prints them.
    Structured fields beat sentences; a time of day that is over today means tomorrow. *cut_to_minute* says that who
    prints a time leaves its seconds out: it means the end of that minute, and this very minute is not over yet.
    """
    try:
        moment = _read(text, now, local, MINUTE if cut_to_minute else timedelta(0))
    except (ValueError, OverflowError, OSError):  # the 31st of June, a year 99999, a broken zone file
        return None
    return None if moment is None else _ahead(moment, now)


def from_epoch(seconds: float, now: datetime) -> datetime | None:
    """Return *seconds* (or milliseconds) since 1970 as UTC, or None when that cannot be a reset."""
    try:
        moment = datetime.fromtimestamp(seconds / 1000 if seconds > 1e11 else seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return _ahead(moment, now)


def _ahead(moment: datetime, now: datetime) -> datetime | None:
    return moment if timedelta(0) < moment - now <= FARTHEST else None


def _read(text: str, now: datetime, local: tzinfo | None, later: timedelta) -> datetime | None:
    if found := _EPOCH.search(text):
        return from_epoch(int(found["epoch"]), now)
    if found := _SECONDS.search(text):
        return now + timedelta(seconds=float(found["seconds"]))
    if found := _REGAIN.search(text):
        return datetime.fromisoformat(f"{found['day']}T{found['time'] or '00:00'}:00+00:00")
    if found := _SPAN.search(text):
        parts = _PART.findall(found["span"])
        return now + timedelta(seconds=sum(float(number) * _UNIT_SECONDS[unit.lower()] for number, unit in parts))
    if found := _DATED.search(text):
        return _dated(found, now, local) + later
    if found := _ISO.search(text):
        return _in_utc(datetime.fromisoformat(found["iso"].upper().replace(" ", "T")), local)
    if found := _HTTP_DATE.search(text):
        return datetime.strptime(found["date"], "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)
    if found := _OF_WEEK.search(text):
        moment = _of_week(found, now - later, local)
        return moment + later if moment is not None else None
    if found := _OF_DAY.search(text):
        moment = _of_day(found, now - later, local)
        return moment + later if moment is not None else None
    return None


def _dated(found: re.Match[str], now: datetime, local: tzinfo | None) -> datetime:
    month = _MONTHS.index(found["month"][:3].lower()) + 1
    zone = _zone(found["zone"], local)
    hour, minute = _hour_and_minute(found)
    here = now.astimezone(zone)
    year = int(found["year"]) if found["year"] else here.year
    moment = _in_utc(datetime(year, month, int(found["day"]), hour, minute), zone)
    if found["year"] is None and moment < now - timedelta(days=180):  # "Jan 2" read in December
        moment = _in_utc(datetime(year + 1, month, int(found["day"]), hour, minute), zone)
    return moment


def _of_day(found: re.Match[str], now: datetime, local: tzinfo | None) -> datetime | None:
    if found["half"] is None and found["minute"] is None:
        return None  # "resets 5 times" is no time
    zone = _zone(found["zone"], local)
    hour, minute = _hour_and_minute(found)
    here = now.astimezone(zone)
    naive = datetime(here.year, here.month, here.day, hour, minute)
    moment = _in_utc(naive, zone)
    if moment > now:
        return moment
    return None if now - moment <= JUST_PASSED else _in_utc(naive + timedelta(days=1), zone)


def _of_week(found: re.Match[str], now: datetime, local: tzinfo | None) -> datetime | None:
    """Return the next such day and time, or None where it has just passed: a week would be a long wait for nothing."""
    zone = _zone(found["zone"], local)
    hour, minute = _hour_and_minute(found)
    here = now.astimezone(zone)
    when = found["when"].lower()
    days = 1 if when == "tomorrow" else (_WEEKDAYS.index(when) - here.weekday()) % 7
    naive = datetime(here.year, here.month, here.day, hour, minute) + timedelta(days=days)
    moment = _in_utc(naive, zone)
    if moment > now:
        return moment
    return None if now - moment <= JUST_PASSED else _in_utc(naive + timedelta(days=7), zone)


def _hour_and_minute(found: re.Match[str]) -> tuple[int, int]:
    hour, minute = int(found["hour"]), int(found["minute"] or 0)
    if found["half"]:
        if not 1 <= hour <= 12:
            raise ValueError(f"{hour} is no hour of a twelve-hour clock")
        hour = hour % 12 + (12 if found["half"][0] in "pP" else 0)
    return hour, minute


def _zone(name: str | None, local: tzinfo | None) -> tzinfo | None:
    """Return the zone called *name*; *local* without one. An unknown name is refused: a wrong zone is off by hours."""
    if name is None:
        return local
    if name.upper() in _ABBREVIATIONS:
        return timezone(timedelta(hours=_ABBREVIATIONS[name.upper()]))
    if "/" not in name:
        return local  # a word that merely follows the time
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"no zone {name!r}") from error


def _in_utc(moment: datetime, zone: tzinfo | None) -> datetime:
    if moment.tzinfo is None and zone is not None:
        moment = moment.replace(tzinfo=zone)
    return moment.astimezone(UTC)  # without a zone: the machine's


_STATUS = r"\b(?:status(?:[ _]code)?|http(?:/\d(?:\.\d)?)?|error(?:[ _]code)?|code|rejected|unexpected status)\W{0,3}"
_USAGE = re.compile(
    r"usage[ _]limit|(?:hit|reached) your (?:(?!rate)[\w'-]+ ){0,2}limit\b(?! of)|out of extra usage"
    r"|(?:\d-hour|opus|sonnet) limit reached|(?<!\w )limit reached\W+resets?\b"
    r"|(?:session|weekly|daily|monthly|spend(?:ing)?) limit|insufficient_quota"
    r"|exceeded your current quota|quota exceeded|credit balance is too low|out of credits"
    r"|exhausted your (?:daily quota|capacity)|free usage exceeded"
    r"|limit reached\s*\|",
    re.I,
)
_RATE = re.compile(
    rf"{_STATUS}429\b|\b429\W{{0,3}}too many|too many requests|rate[ _-]?limit(?:ed|error|_error)?\b"
    r"|resource (?:has been )?exhausted|\bresource_exhausted\b",
    re.I,
)
_LOGIN = re.compile(
    rf"{_STATUS}40[13]\b|\b401\W{{0,3}}unauthori[sz]ed|\b403\W{{0,3}}forbidden|not logged in|please run /login"
    r"|(?:invalid|incorrect|missing) (?:x-)?api[- ]key|authentication[ _](?:failed|error)|missing bearer"
    r"|api key (?:not valid|expired)|\bpermission_denied\b|\bunauthenticated\b|set an auth method"
    r"|token (?:has )?(?:expired|been revoked)|could not be refreshed|log ?in again|sign in again",
    re.I,
)
_OVERLOAD = re.compile(
    rf"{_STATUS}5(?:03|29)\b|\b529\W{{0,3}}overloaded|\b503\W{{0,3}}service|overloaded|at capacity|high demand"
    r"|no capacity available|service unavailable|temporarily unavailable",
    re.I,
)
_TROUBLE = re.compile(
    rf"{_STATUS}50[0-4]\b|\b500 internal|\b502 bad gateway|\b504 gateway|internal server error"
    r"|connection (?:refused|reset|dropped|error|failed|closed|timed out)|econn(?:refused|reset|aborted)|etimedout"
    r"|enotfound|eai_again|stream disconnected|error sending request|network error|request timed out|fetch failed"
    r"|socket connection was closed|cannot connect to api|stream ended without|\bapi error: terminated\b"
    r"|\"code\":\s*50\d\b",
    re.I,
)


def refusal(text: str) -> HoldKind | None:
    """Return why a service refused with *text*, or None when the text is of something else.

    Only for texts that are known to be an error's, never for what an agent wrote: a task may be about rate limits.
    """
    for pattern, kind in (
        (_USAGE, HoldKind.USAGE_LIMIT),
        (_RATE, HoldKind.RATE_LIMIT),
        (_LOGIN, HoldKind.LOGIN),
        (_OVERLOAD, HoldKind.OVERLOADED),
    ):
        if pattern.search(text):
            return kind
    return None


def trouble(text: str) -> bool:
    """Say whether *text* tells of a service that failed or could not be reached, which is nobody's work's fault."""
    return bool(_TROUBLE.search(text))
