"""What a plan by rules has to guess: asked, a handful at most, each with what holds when nobody answers.

Asked is only what another answer would change for the agents, and what neither the goal nor the project's files say.
"""

import re
from dataclasses import replace

from agent_orchestrator.domain.plan import QUESTIONS_LIMIT, Plan, PlannedTask, Question
from agent_orchestrator.planning.layers import Layer, layer_of
from agent_orchestrator.planning.profile import Profile
from agent_orchestrator.planning.vocabulary import TECHNOLOGIES, words_of

_WORD = re.compile(r"[\w+#.-]+")
_DATABASES = words_of(
    "postgres postgresql mysql mariadb sqlite mongodb mongo redis dynamodb snowflake bigquery redshift oracle "
    "cassandra clickhouse duckdb cockroachdb firestore supabase"
)
_LANGUAGES = words_of(
    "python javascript typescript go golang rust java kotlin ruby php c# .net elixir c++ swift scala react vue angular "
    "svelte django flask fastapi express rails spring laravel node node.js next.js nextjs"
)
_PLACES = words_of(
    "aws azure gcp heroku vercel netlify fly.io kubernetes k8s docker ecs lambda cloudflare terraform helm "
    "staging production"
)
_BETTER = re.compile(
    r"\b(?:improve|optimi[sz]e|speed up|faster|performance|scal(?:e|able|ability)|clean ?up|moderni[sz]e|enhance)\b",
    re.I,
)
_MEASURED = re.compile(r"\d")
_REPLACES = re.compile(
    r"\b(?:refactor|migrat|rewrite|replace|convert|restructur|extract|rename|upgrade|port)\w*\b", re.I
)
_SIGNS_IN = re.compile(r"\b(?:auth\w*|log ?in|sign[ -]?in|sign[ -]?up|users?|accounts?)\b", re.I)
_HOW = re.compile(r"\b(?:oauth2?|jwt|sessions?|saml|oidc|passkeys?|password|api keys?|sso|google|github|token)\b", re.I)

_LANGUAGE = Question(
    text="Which language and framework should it be written in?",
    default="The first task chooses the simplest that fits, and writes the choice into the README.",
    changes="every task is told; files and checks are named accordingly",
)
_CHECK = Question(
    text="Which command checks the work?",
    default="None: what has no check of its own is landed as unverified.",
    changes="a command is run on the work of every task that has none, before it is landed",
    sets="verify",
)
_COMPATIBILITY = Question(
    text="Must what works today keep working unchanged for its users?",
    default="Yes: names, formats and behaviour that others rely on stay.",
    changes="with no, interfaces may be changed and old ones deleted",
)
_MEASURE = Question(
    text="By what will you see that it is better, and how much is enough?",
    default="The agents measure before and after, and say both.",
    changes="a number becomes what the work is judged by",
)
_DATABASE = Question(
    text="Which database should it use?",
    default="SQLite, behind an interface that lets it be exchanged.",
    changes="schema, migrations and set-up are made for it",
)
_SIGN_IN = Question(
    text="How do users sign in?",
    default="With e-mail and password, kept as a salted hash, and a session cookie.",
    changes="how accounts are stored, and what the pages ask for",
)
_PLACE = Question(
    text="Where will it run?",
    default="Nowhere yet: the files for it are prepared, and nothing is deployed.",
    changes="which files are prepared for deployment",
)


def with_questions(plan: Plan, profile: Profile | None, *, has_check: bool = False) -> Plan:
    """Return *plan* with what it leaves open as questions, unless somebody has asked some already."""
    if plan.questions:
        return plan
    return replace(plan, questions=open_questions(plan, profile, has_check=has_check))


def open_questions(plan: Plan, profile: Profile | None, *, has_check: bool = False) -> tuple[Question, ...]:
    """Return at most QUESTIONS_LIMIT questions about *plan*, those that touch most first. Pure, the same every time.

    *has_check*: a setting names the command that checks the work, whatever the *profile* of the project has.
    """
    goal = plan.goal
    said = {word.strip(".,;:").casefold() for word in _WORD.findall(goal)}
    in_project = bool(profile and profile.languages)
    found: list[Question] = []
    if len(plan.tasks) > 1 and not in_project and not said & (_LANGUAGES | (TECHNOLOGIES - _DATABASES - _PLACES)):
        found.append(_LANGUAGE)
    is_checked = has_check or profile is None or profile.test is not None
    if not is_checked and any(task.expects_change for task in plan.tasks):
        found.append(_CHECK)
    if _REPLACES.search(goal):
        found.append(_COMPATIBILITY)
    if _BETTER.search(goal) and not _MEASURED.search(goal):
        found.append(_MEASURE)
    data = _of_layer(plan, Layer.DATA)
    if data and not said & _DATABASES and not in_project:
        found.append(replace(_DATABASE, tasks=_ids(data)))
    access = [task for task in plan.tasks if _SIGNS_IN.search(f"{task.title} {_own(task, goal)}")]
    if access and re.search(r"\b(?:auth\w*|log ?in|sign[ -]?in)\b", goal, re.I) and not _HOW.search(goal):
        found.append(replace(_SIGN_IN, tasks=_ids(access)))
    deliver = _of_layer(plan, Layer.DELIVER)
    if deliver and not said & _PLACES:
        found.append(replace(_PLACE, tasks=_ids(deliver)))
    return tuple(found[:QUESTIONS_LIMIT])


def _of_layer(plan: Plan, layer: Layer) -> list[PlannedTask]:
    return [task for task in plan.tasks if len(plan.tasks) > 1 and layer_of(task.title) is layer]


def _ids(tasks: list[PlannedTask]) -> tuple[str, ...]:
    return tuple(task.id for task in tasks)


def _own(task: PlannedTask, goal: str) -> str:
    return task.description.replace(goal, "").replace(goal[:4_000], "")
