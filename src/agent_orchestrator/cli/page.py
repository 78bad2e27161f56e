"""The report on one goal as a page: one file that needs no network, no script and no other file.

It tells what the terminal's report tells, in the same sentences, and draws the
plan, the night and the spend. Titles, agents' words and file names are hostile
until they are escaped: everything that is not a literal here passes ``text``,
and the page's own policy forbids scripts, should anything ever slip through.
"""

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

from agent_orchestrator.cli import drawings, morning, render
from agent_orchestrator.cli.drawings import kind, text
from agent_orchestrator.cli.morning import FILES_SHOWN, LINE_LIMIT, LOOK_FIRST
from agent_orchestrator.services.json_values import Json

TAIL_LINES = 60
"""Lines of a check's output on the page; `orchestrate task ID --json` has up to 8,000 characters."""
FILES_ON_PAGE = 100
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def as_html(goal: Json) -> str:
    """Return the whole page."""
    needs = morning.needs_you(goal)
    title, told = morning.night(goal) if goal.get("others") else ("", [])
    sections = [
        _section("night", title, _night(told)),
        _section("needs", "Needs you" if needs else morning.nothing(goal), _needs(goal, needs)),
        _section("look", LOOK_FIRST, _look(goal)),
        _section("plan", "Plan", _drawn(drawings.plan(goal["tasks"]), "The plan")),
        _section("timeline", "Who did what when", _drawn(drawings.timeline(goal), "Who did what when")),
        _section("spend", "Spend", _spend(goal)),
        _section("tasks", f"Tasks ({morning.done(goal)})", (_task(goal, task) for task in goal["tasks"])),
        _section("figures", "Figures", _figures(goal)),
    ]
    shown = [one for one in sections if one[2]]
    links = "".join(f'<li><a href="#{name}">{text(title)}</a></li>' for name, title, _ in shown if name != "needs")
    main = "".join(
        f'<section id="{name}" aria-labelledby="{name}-h"><h2 id="{name}-h">{text(title)}</h2>{body}</section>'
        for name, title, body in shown
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="referrer" content="no-referrer">\n<meta name="color-scheme" content="light dark">\n'
        f"<title>{text(goal['title'], 80)}: {text(_word(goal))}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f'<a class="skip" href="#needs">To what needs you</a>\n<header>{_head(goal)}'
        f'<nav aria-label="On this page"><ul>{links}</ul></nav></header>\n<main>{main}</main>\n'
        f"<footer>Goal {text(goal['id'])}, written {text(_when(goal['now']))} by Agent Orchestrator. "
        "What agents say is marked as theirs; it is not evidence.</footer>\n</body>\n</html>\n"
    )


def _word(goal: Json) -> str:
    return f"{goal['state']}, {goal['verdict']}" if goal["verdict"] else str(goal["state"])


def _section(name: str, title: str, parts: Iterable[str]) -> tuple[str, str, str]:
    return name, title, "".join(parts)


def _head(goal: Json) -> str:
    demo = ' <span class="badge odd">scripted demo</span>' if goal["demo"] else ""
    first, *rest = morning.verdict(goal)
    badge = _badge(_word(goal), goal["verdict"] or goal["state"])
    facts = "".join(f"<p>{text(one, LINE_LIMIT)}</p>" for one in rest)
    if goal["text"].strip() != goal["title"]:
        words = "\n".join(escape(one) for one in render.block(goal["text"], ""))
        facts += f'<details><summary>The goal as it was given</summary><pre tabindex="0">{words}</pre></details>'
    return f'<h1>{text(goal["title"])}</h1><p class="verdict">{badge}{demo} {text(first, LINE_LIMIT)}</p>{facts}'


def _needs(goal: Json, needs: Sequence[tuple[str, str | None]]) -> Iterator[str]:
    if not needs:
        yield "<p>Each task below has its evidence.</p>" if goal["tasks"] else "<p>There are no tasks.</p>"
        return
    yield '<ol class="needs">'
    for (what, command), one in zip(needs, goal["needs_you"], strict=True):
        link = f' <a href="#{text(one["task"])}">its story</a>' if one.get("task") else ""
        shown = f"<br><code>{text(command)}</code>" if command else ""
        yield f"<li>{_badge(one['risk'], _RISKS[one['risk']])} {text(what, LINE_LIMIT)}{link}{shown}</li>"
    yield "</ol>"


def _look(goal: Json) -> Iterator[str]:
    found = [one for one in goal["look_first"] if one["why"]]
    if not found:
        return
    yield "<ul>"
    for one in found:
        decided = f" ({text(one['decision'])} in review)" if one["decision"] else ""
        name = f'<a href="#{text(one["task"])}">{text(one["key"])}</a>'
        badge = _badge(one["risk"], _RISKS[one["risk"]])
        yield f"<li>{badge} {name}: {text('; '.join(one['why']), LINE_LIMIT)}{decided}</li>"
    yield f"</ul><p><code>orchestrate review {text(goal['id'])}</code></p>"


def _drawn(drawing: str, title: str) -> Iterator[str]:
    if drawing:
        yield f'<div class="drawing" tabindex="0" role="region" aria-label="{text(title)}">{drawing}</div>'


def _spend(goal: Json) -> Iterator[str]:
    yield f"<p>{text(render.goal_spend(goal))}</p>"
    yield from _drawn(drawings.spend(goal), "What was spent when")


def _task(goal: Json, task: Json) -> str:
    first, *rest = morning.task_facts(goal, task)
    _, _, named = first.partition(": ")
    title = named.rpartition(" [")[0]
    badge = _badge(render.verdict_of(task), task["verdict"] or task["state"])
    story = "".join(f"<li>{text(one, LINE_LIMIT)}</li>" for one in rest)
    needs = ", ".join(task["depends_on"])
    after = f'<p class="after">after {text(needs)}</p>' if needs else ""
    more = "".join(_attempt(one) for one in task["attempts"])
    return (
        f'<article id="{text(task["id"])}"><h3>{badge} {text(task["key"])}: {text(title)}</h3>{after}'
        f"<ul>{story}</ul>{more}</article>"
    )


def _attempt(attempt: Json) -> str:
    """Return one attempt's evidence, folded away: the browser opens it without a script."""
    outcome = (attempt["outcome"] or "running").replace("_", " ")
    took = render.between(attempt["started_at"], attempt["ended_at"]) if attempt["ended_at"] else "not ended"
    evidence = attempt["evidence"]
    facts = [
        ("agent", f"{attempt['agent']} ({attempt['provider']} {attempt['cli_version'] or ''})"),
        ("model", attempt["model"]),
        ("session", attempt["session"]),
        ("prompt", f"sha256 {attempt['prompt_sha256']}" if attempt["prompt_sha256"] else ""),
        ("branch", attempt["branch"]),
        ("base", attempt["base_commit"]),
        ("landed as", evidence["commit"] if evidence else ""),
        ("cost", render.money(attempt["usage"])),
        ("reason", attempt["reason"] if attempt["outcome"] != "succeeded" else ""),
    ]
    rows = "".join(f"<dt>{name}</dt><dd>{text(value, LINE_LIMIT)}</dd>" for name, value in facts if value)
    rows += f"<dt>transcript</dt><dd>{_file(attempt['transcript'])}</dd>"
    checks = "".join(_check(one) for one in evidence["checks"]) if evidence else ""
    files = _files(evidence) if evidence and len(evidence["files"]) > FILES_SHOWN else ""
    summary = f"Attempt {attempt['number']}: {outcome}, {took}"
    return f"<details><summary>{text(summary)}</summary><dl>{rows}</dl>{checks}{files}</details>"


def _check(check: Json) -> str:
    tail = render.block(check["tail"], "", TAIL_LINES)
    shown = "\n".join(escape(render.cut(one, LINE_LIMIT)) for one in tail)  # cleaned; its indentation says something
    output = f'<pre tabindex="0">{shown}</pre>' if shown else ""
    return f"<p>{_badge(check['result'], check['result'])} {text(morning.check_line(check), LINE_LIMIT)}</p>{output}"


def _files(evidence: Json) -> str:
    files = evidence["files"]
    more = f"<li>and {len(files) - FILES_ON_PAGE} more</li>" if len(files) > FILES_ON_PAGE else ""
    return f"<ul>{''.join(f'<li>{text(one)}</li>' for one in files[:FILES_ON_PAGE])}{more}</ul>"


def _file(path: str) -> str:
    """Return a link to a file of this machine: dead elsewhere, so its path is the text."""
    absolute = Path(path)
    href = f"file://{quote(str(absolute), safe='/')}" if absolute.is_absolute() else ""
    shown = text(path, LINE_LIMIT)
    return f'<a href="{text(href, 4096)}">{shown}</a>' if href else shown


def _figures(goal: Json) -> Iterator[str]:
    for title, (head, *rows) in morning.figures(goal):
        heads = "".join(f'<th scope="col">{text(cell)}</th>' for cell in head)
        body = "".join(
            f'<tr><th scope="row">{text(row[0], 60)}</th>{"".join(f"<td>{text(cell)}</td>" for cell in row[1:])}</tr>'
            for row in rows
        )
        yield (
            f'<div class="drawing" tabindex="0" role="region" aria-label="{text(title)}"><table>'
            f"<caption>{text(title)}</caption><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>"
        )


def _night(told: Sequence[tuple[str, Sequence[str]]]) -> Iterator[str]:
    if told:
        yield "<ul>"
        for first, needs in told:
            inner = "".join(f"<li>{text(one, LINE_LIMIT)}</li>" for one in needs)
            yield f"<li>{text(first, LINE_LIMIT)}{f'<ul>{inner}</ul>' if inner else ''}</li>"
        yield "</ul>"


def _badge(word: str, state: str) -> str:
    return f'<span class="badge {kind(state)}">{text(word.replace("_", " "))}</span>'


def _when(moment: str) -> str:
    found = render.moment(moment)
    return f"{found:%Y-%m-%d %H:%M}" if found else "-"


_RISKS = {"high": "failed", "medium": "unverified", "low": "done"}
"""Whose colour each risk has."""

_STYLE = """
:root{--bg:#fff;--fg:#1c2024;--soft:#5b6570;--line:#d5dae0;--panel:#f5f7f9;--link:#0b57b0;
--good:#176b36;--good-bg:#e2f4e7;--odd:#7a5200;--odd-bg:#fdf0d2;--bad:#a3201d;--bad-bg:#fde5e3;
--busy:#0a5a82;--busy-bg:#ddf0f9;--quiet:#4b5560;--quiet-bg:#e9edf1}
@media (prefers-color-scheme:dark){:root{--bg:#14181d;--fg:#e4e8ec;--soft:#a3adb8;--line:#38414b;--panel:#1c2229;
--link:#86bdfa;--good:#7fd69a;--good-bg:#173822;--odd:#f0c868;--odd-bg:#3a2f12;--bad:#ff9d96;--bad-bg:#451d1b;
--busy:#86cdf0;--busy-bg:#123243;--quiet:#b4bec8;--quiet-bg:#2a323b}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1.25rem;max-width:68rem;background:var(--bg);color:var(--fg);
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;overflow-wrap:anywhere}
h1{font-size:1.6rem;line-height:1.25;margin:.2rem 0 .6rem}h2{font-size:1.2rem;margin:2rem 0 .6rem;
border-bottom:1px solid var(--line);padding-bottom:.25rem}h3{font-size:1rem;margin:0 0 .3rem}
p{margin:.35rem 0}ul,ol{margin:.35rem 0;padding-left:1.3rem}li{margin:.2rem 0}
a{color:var(--link)}a:focus-visible,summary:focus-visible,[tabindex]:focus-visible{outline:3px solid var(--link);
outline-offset:2px}
.skip{position:absolute;left:-999rem}.skip:focus{left:1rem;top:.5rem;background:var(--bg);padding:.3rem .6rem}
nav ul{list-style:none;padding:0;display:flex;flex-wrap:wrap;gap:.2rem 1rem}
.verdict{font-size:1.1rem}.badge{display:inline-block;padding:0 .5em;border-radius:.3em;font-size:.82em;
font-weight:600;white-space:nowrap}
.badge.good{color:var(--good);background:var(--good-bg)}.badge.odd{color:var(--odd);background:var(--odd-bg)}
.badge.bad{color:var(--bad);background:var(--bad-bg)}.badge.busy{color:var(--busy);background:var(--busy-bg)}
.badge.quiet{color:var(--quiet);background:var(--quiet-bg)}
code,pre{font:.88em/1.45 ui-monospace,"DejaVu Sans Mono",Menlo,monospace}
code{background:var(--panel);padding:.1em .35em;border-radius:.25em}
pre{background:var(--panel);border:1px solid var(--line);border-radius:.35rem;padding:.6rem;overflow:auto;
max-height:24rem;white-space:pre-wrap}
article{border:1px solid var(--line);border-radius:.5rem;padding:.7rem .9rem;margin:.7rem 0;scroll-margin-top:1rem}
article:target{border-color:var(--link);box-shadow:0 0 0 2px var(--link)}
article ul{list-style:none;padding-left:0}.after,footer{color:var(--soft);font-size:.9rem}
details{margin:.35rem 0}summary{cursor:pointer;color:var(--soft)}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem .9rem;margin:.4rem 0;font-size:.9rem}
dt{color:var(--soft)}dd{margin:0}
.drawing{overflow-x:auto;margin:.5rem 0}svg{display:block;max-width:none}
table{border-collapse:collapse;font-size:.92rem}caption{text-align:left;color:var(--soft);padding:.2rem 0}
th,td{text-align:right;padding:.25rem .7rem;border-bottom:1px solid var(--line);white-space:nowrap}
th:first-child{text-align:left}footer{margin-top:2.5rem;border-top:1px solid var(--line);padding-top:.6rem}
svg text{fill:var(--fg);font:13px system-ui,-apple-system,"Segoe UI","DejaVu Sans",sans-serif}
svg .small{font-size:11.5px;fill:var(--soft)}svg .name{font-weight:600}svg .label{text-anchor:end;font-size:12px}
svg .tick{text-anchor:middle;font-size:11.5px;fill:var(--soft)}
.arrow{fill:none;stroke:var(--soft);stroke-width:1.4}.tip{fill:var(--soft)}.grid{stroke:var(--line)}
.node,.bar{stroke-width:1.4}
.node.good,.bar.good{fill:var(--good-bg);stroke:var(--good)}.node.odd,.bar.odd{fill:var(--odd-bg);stroke:var(--odd)}
.node.bad,.bar.bad{fill:var(--bad-bg);stroke:var(--bad)}.node.busy,.bar.busy{fill:var(--busy-bg);stroke:var(--busy)}
.node.quiet,.bar.quiet{fill:var(--quiet-bg);stroke:var(--quiet)}
svg .inbar{font-size:11.5px}svg .before{text-anchor:end}.asleep{fill:var(--quiet-bg);opacity:.8}
.spent{fill:none;stroke:var(--busy);stroke-width:2}.area{fill:var(--busy-bg)}
.ceiling{stroke:var(--bad);stroke-dasharray:5 4;stroke-width:1.4}
@media (max-width:36rem){body{padding:.8rem}h1{font-size:1.3rem}dl{grid-template-columns:1fr}dd{margin-bottom:.3rem}}
@media print{details{display:block}nav,.skip{display:none}}
"""
